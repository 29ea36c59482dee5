"""Command: labels of a collection that are likely to be wrong, ranked, for its curator to look at.

python -m transfer.doubts --dataset_name N --metadata_path CSV --jpg_images_path DIR
    --datasets_path DIR --challenge COLUMN --ANN NAME:WEIGHTS --out DIR

Every picture is predicted by a classifier that saw neither it nor its group (k folds on features of
the network). DIR then holds doubts.csv (every picture, the most doubtful first) and doubts.png (the
first of them, beside the nearest pictures of both classes).
"""

import argparse
import math
import sys
from dataclasses import dataclass
from pathlib import Path

from models import weights, zoo
from models.command import exit_code, start_keras
from models.errors import InputError
from models.zoo import Spec
from transfer import splits
from transfer.dataset import Data
from transfer.flags import add_data_flags, read_data
from transfer.progress import Progress
from transfer.result_folder import (
    check_place,
    check_writable,
    result_folder,
    write_bytes,
    write_csv,
)
from transfer.splits import SPLITS

FOLDS = 5  # as many as confident learning was published with (Northcutt et al. 2021, section 5)
SHOWN = 24  # doubts on the sheet: three pictures each, some 4000 pixels high
SHEET_COLUMNS = 6  # two doubts a row
BATCH = 32  # pictures in a forward pass, as in training


@dataclass(frozen=True)
class Search:
    """What is searched for doubtful labels, and how.

    network: its weights must not come from a training on these pictures. input_size: side in
    pixels; None for the network's own. folds: how many. seed: of the folds, the classifiers and
    the swaps. swapped: fraction of the labels that are swapped on purpose, to see how many of them
    are found, or None. shown: doubts on the sheet.

    Raises:
        InputError: a value that cannot be.
    """

    data: Data
    network: Spec
    input_size: int | None = None
    folds: int = FOLDS
    seed: int = 42
    swapped: float | None = None
    shown: int = SHOWN

    def __post_init__(self):
        if self.network.is_released:
            raise InputError(f"ANN is {self.network.text}; accepted: a network to take features of")
        self.data.check_one_label()
        self.network.check()
        if self.network.weights is None:
            raise InputError(
                f"ANN is {self.network.text}, with random weights; accepted: NAME, NAME:FILE "
                "or the path of a .keras file"
            )
        for name, least in (("folds", 2), ("shown", 0), ("seed", 0)):
            if getattr(self, name) < least:
                raise InputError(f"{name} is {getattr(self, name)}; it must be {least} or more")
        _ = self.size  # it is checked
        if self.swapped is not None and not 0 < self.swapped < 1:
            raise InputError(f"swapped is {self.swapped}; accepted: above 0 to below 1")

    @property
    def size(self):
        """Side of the pictures in pixels."""
        return self.network.side(self.input_size)

    def identity(self, store):
        """Everything that decides its result, for JSON."""
        return {
            "ANN": self.network.architecture,
            "weights": self.network.weights,
            "weights_identity": weights.identify(self.network.weights),
            "input_size": self.size,
            "folds": self.folds,
            "seed": self.seed,
            "swapped": self.swapped,
            "shown": self.shown,
            "data": store.key,
            "split_sha256": store.split_sha256,
        }


def flags():
    """The command's flags."""
    parser = argparse.ArgumentParser(
        prog="python -m transfer.doubts", description=__doc__.splitlines()[0]
    )
    add_data_flags(parser)
    parser.add_argument(
        "--ANN",
        required=True,
        help="The network whose features are used, e.g. ResNet50 (with ImageNet's weights), "
        "'MobileNet(alpha=0.25):FILE' or FILE.keras; it must not have been trained on these "
        "pictures.",
    )
    parser.add_argument("--out", type=Path, required=True, help="New folder for the results.")
    _add_search_flags(parser)
    return parser


def _add_search_flags(parser):
    parser.add_argument(
        "--input_size",
        type=int,
        help="The side of the pictures in pixels (default: the network's own).",
    )
    parser.add_argument(
        "--folds",
        type=int,
        default=FOLDS,
        help="How many parts the collection is divided into; each is predicted by a classifier "
        "trained on the others (default: %(default)s).",
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=42,
        help="The seed of folds, classifiers and swaps (default: %(default)s).",
    )
    parser.add_argument(
        "--swapped",
        type=float,
        help="Swap this fraction of the labels first, and tell how many of them are found: what "
        "the doubts on this collection are worth, e.g. 0.05 (default: none is swapped).",
    )
    parser.add_argument(
        "--shown",
        type=int,
        default=SHOWN,
        help="How many doubts the sheet of pictures shows (default: %(default)s).",
    )


@exit_code
def main(argv=None):
    """Run the command; returns its exit code."""
    given = flags().parse_args(argv)
    names = ("input_size", "folds", "seed", "swapped", "shown")
    chosen = {name: getattr(given, name) for name in names}
    network = zoo.parse(given.ANN)
    if network.weights is None and not zoo.names_weights(given.ANN):
        network = zoo.parse(f"{given.ANN}:{weights.IMAGENET}")
    search = Search(read_data(given), network, **chosen)
    check_place(given.datasets_path)
    check_place(given.out)
    if not given.out.exists():  # a finished search may lie on a read-only disk
        check_writable(given.out)
    start_keras()
    search_labels(search, given.out)


def search_labels(search, out):
    """Find doubtful labels and write them into a folder, or find it finished."""
    from transfer import confident_learning, seen_pictures

    store = search.data.open()
    if store.several:
        raise InputError(f"{store.folder} holds several labels a picture; accepted: one")
    seen_pictures.refuse_seen(search.network, store)
    with result_folder(out, search.identity(store)) as result:
        if result.finished:
            print(f"already finished: {out}")
            return
        rows, classes = read_rows(store), len(store.classes)
        folds = make_folds(rows, search)
        if search.swapped:
            rows = swap(rows, search, store.classes)
        labels = rows["class"].to_numpy()
        refuse_unjudgeable(labels, folds)  # of two or three pictures a swap may leave none
        features = compute_features(search, store, out.with_name("features"))
        progress = Progress(search.folds, "folds predicted")
        probabilities = confident_learning.predict_out_of_fold(
            features, labels, folds, classes, search.seed, progress.advance
        )
        doubts = confident_learning.find_doubts(probabilities, labels)
        table = tabulate(rows, labels, folds, probabilities, doubts, store.classes)
        neighbours = find_neighbours(rows, labels, features, doubts, search.shown)
        write_csv(result.path / "doubts.csv", table)
        if search.shown:
            sheet = draw(rows, neighbours, doubts, store)
            write_bytes(result.path / "doubts.png", sheet)
        result.about |= tell(rows, doubts)
    print(f"results in {out}")


def read_rows(store):
    """The pictures of all splits in the order of the store, as a DataFrame.

    Columns: id, split, number (in its split), class, label, and group: a name that pictures of one
    group, and near-duplicates of each other, share.
    """
    import pandas as pd

    parts = []
    for split in SPLITS:
        numbers = store.labels[split]
        ids = store.ids(split)
        part = pd.DataFrame({"id": ids, "split": split, "class": numbers})
        part["number"] = range(len(part))
        part["label"] = [store.classes[number] for number in numbers]
        groups = store.groups(split)
        for column in ("group", "near_duplicates"):
            part[column] = "" if groups is None else groups[column]
        parts.append(part)
    rows = pd.concat(parts, ignore_index=True)
    rows["group"] = splits.components(rows)
    return rows.drop(columns="near_duplicates")


def compute_features(search, store, spare):
    """Pooled features of all pictures, float32 (pictures, feature size), in the store's order.

    spare: where they are kept if the data set is on a read-only disk.
    """
    import numpy as np

    from transfer import features, inference

    pixels = "own"
    model = zoo.build(search.network, len(store.classes), search.size, pixels)
    name = features.cache_name(search.network, search.size, pixels, store)
    extractor = features.extractor(model)
    with inference.explained(BATCH, search.size, store):
        cache = store.folder / "features"
        pooled, _ = features.cached(extractor, store, BATCH, cache, name, spare)
    return np.concatenate([pooled[split] for split in SPLITS])


def make_folds(rows, search):
    """The fold of every picture, groups whole; says which classes are too small to be in all.

    Raises:
        InputError: more folds than groups, or no class is in two folds.
    """
    folds = splits.folds(rows["label"], rows["group"], search.folds, search.seed)
    refuse_unjudgeable(rows["label"], folds.fold)
    if folds.few:
        names = ", ".join(f"{name}: {count}" for name, count in folds.few.items())
        print(
            f"classes with fewer groups than the {search.folds} folds: {names}; their pictures are "
            "predicted from few others, and those of a class with one group not at all"
        )
    return folds.fold


def swap(rows, search, classes):
    """The rows with some labels swapped; `true` and `swapped` tell what was.

    Raises:
        InputError: of so few pictures none would be.
    """
    from transfer import confident_learning

    given = search.swapped, search.seed
    labels, swapped = confident_learning.swap_labels(rows["class"].to_numpy(), len(classes), *given)
    if not swapped.any():
        least = (math.floor(1e4 / (2 * len(rows))) + 1) / 1e4  # more than half a label is one
        raise InputError(
            f"swapped is {search.swapped}, which is none of {len(rows)} labels; accepted: {least} "
            "or more, below 1"
        )
    told = {"true": rows["label"], "swapped": swapped}
    return rows.assign(label=[classes[number] for number in labels], **told, **{"class": labels})


def refuse_unjudgeable(labels, folds):
    """Refuse labels of which no one could be judged.

    Raises:
        InputError: every class lies in one fold.
    """
    import numpy as np
    import pandas as pd

    if pd.Series(folds).groupby(np.asarray(labels)).nunique().max() < 2:
        raise InputError(
            "no label could be judged: of every class all pictures are in one fold, as those of "
            "one group must be; accepted: classes of two groups or more (another group_column, or "
            "none)"
        )


def tabulate(rows, labels, folds, probabilities, doubts, classes):
    """The table of doubts.csv: every picture, the most doubtful first, those not judged last."""
    import numpy as np

    every = np.arange(len(rows))
    order = np.concatenate([doubts.ranking, every[~doubts.judged]])
    suggested = [classes[number] for number in doubts.suggested]
    table = rows[["id", "split", "label"]].assign(
        suggested=suggested,
        probability_of_label=np.round(probabilities[every, labels], 4),
        probability_of_suggested=np.round(probabilities[every, doubts.suggested], 4),
        suspected=np.where(doubts.judged, np.where(doubts.suspected, "yes", "no"), "not judged"),
        fold=folds,
    )
    for name in ("true", "swapped"):
        if name in rows:
            table[name] = rows[name]
    table = table.iloc[order].reset_index(drop=True)
    table.insert(0, "rank", range(1, len(table) + 1))
    return table


def find_neighbours(rows, labels, features, doubts, shown):
    """For each picture on the sheet: it, and the nearest of its label and of the suggested class.

    Returns:
        list of (picture, picture or None, picture or None), numbers of rows; never one of its own
        group.
    """
    import numpy as np

    from transfer.confident_learning import nearest

    first = doubts.ranking[:shown]
    groups = rows["group"].to_numpy()

    def others(number, label):
        of_class = (labels == label) & (groups != groups[number])
        sure = of_class & ~doubts.suspected  # a picture whose own label is doubtful shows nothing
        return np.flatnonzero(sure if sure.any() else of_class)

    columns = [first.tolist()]
    for wanted in (labels, doubts.suggested):
        candidates = [others(number, wanted[number]) for number in first]
        columns.append(nearest(features, first, candidates))
    return list(zip(*columns, strict=True))


def draw(rows, neighbours, doubts, store):
    """The contact sheet of the first doubts, as the bytes of a PNG file."""
    from transfer.plots import contact_sheet

    def tile(number, text):
        if number is None:
            return None, text
        row = rows.loc[number]
        return store.encoded(row["split"], row["number"]), text

    tiles = []
    for number, of_label, of_suggested in neighbours:
        label = rows.loc[number, "label"]
        suggested = store.classes[doubts.suggested[number]]
        tiles += [
            tile(number, f"{rows.loc[number, 'id']}\nlabel: {label}\nrather: {suggested}?"),
            tile(of_label, f"nearest {label}"),
            tile(of_suggested, f"nearest {suggested}"),
        ]
    return contact_sheet(tiles, columns=SHEET_COLUMNS)


def tell(rows, doubts):
    """Print what was found, beside what chance would find; the same for the manifest, a dict."""
    suspected, judged = int(doubts.suspected.sum()), int(doubts.judged.sum())
    unjudged = f"; {len(rows) - judged} pictures could not be judged" if judged < len(rows) else ""
    print(f"{suspected} of {judged} labels are suspected ({suspected / judged:.1%}){unjudged}")
    about = {"pictures": len(rows), "judged": judged, "suspected": suspected}
    if "swapped" in rows:
        swapped = rows["swapped"].to_numpy()
        about |= score_swaps(swapped, doubts)
        print(
            "of the {n} most doubtful labels {found} had been swapped: precision {precision:.1%} "
            "(95% interval {low:.1%} to {high:.1%}), by chance {chance:.1%}; of {suspected} "
            "suspected ones {found_suspected}".format(**about)
        )
    return about


def score_swaps(swapped, doubts):
    """How many of n swapped labels are among the n most doubtful ones, with Wilson's interval."""
    from transfer.evaluate import wilson

    n = int(swapped.sum())
    found = int(swapped[doubts.ranking[:n]].sum())
    low, high = wilson(found, n)
    return {
        "n": n,
        "found": found,
        "precision": found / n,
        "low": low,
        "high": high,
        "chance": float(swapped[doubts.judged].mean()),
        "found_suspected": int((swapped & doubts.suspected).sum()),
    }


if __name__ == "__main__":
    sys.exit(main())
