"""What a run gets wrong, shown in its folder: classes, confused pairs, mistakes, with pictures."""

from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np

from transfer import evaluate, plots
from transfer.result_folder import write_bytes, write_csv

MOST_MISTAKES = 40  # pictures of mistakes.png
PAIRS, EXAMPLES = 8, 4  # pairs of confused_pairs.png, and pictures of each of their two classes
COLUMNS = 2 * EXAMPLES


def write(store, scores, probabilities, folder, say=print):
    """Write per_class.csv, confused_pairs.csv and .png, mistakes.png, confusion_matrix.png,
    class_distribution.png, and of probabilities reliability.png.

    Where no installed font has a class's name, the figures say `class N`: the number is in
    per_class.csv.

    Args:
        store: transfer.store.Store.
        scores: (test pictures, classes).
        probabilities: whether they are; else they are called scores.
        folder: Path.
        say: as for plots.font_for.
    """
    labels, classes = store.labels, store.classes
    say = _once(say)
    font = plots.font_for(classes, say)
    names = [name if font.has_all(name) else f"class {n}" for n, name in enumerate(classes)]
    tested = Tested(store, np.asarray(scores), probabilities, names)
    pairs = evaluate.confused_pairs(tested.counts, classes)
    write_csv(folder / "per_class.csv", evaluate.per_class(labels["test"], scores, classes))
    write_csv(folder / "confused_pairs.csv", pairs)
    drawn = {
        "confusion_matrix.png": plots.png(plots.confusion_matrix(tested.counts, names)),
        "class_distribution.png": plots.png(plots.class_distribution(labels, names)),
        "mistakes.png": mistakes_sheet(tested, say),
        "confused_pairs.png": pairs_sheet(tested, pairs[:PAIRS], say),
    }
    if probabilities:
        bins = evaluate.reliability(tested.scores, labels["test"])
        drawn["reliability.png"] = plots.png(plots.reliability(bins))
    for name, content in drawn.items():
        write_bytes(folder / name, content)


def write_labels(store, scores, counted, folder, say=print):
    """Write per_class.csv and class_distribution.png of a test of several labels.

    Args:
        store, folder, say: as for write.
        scores: (test pictures, classes), probabilities.
        counted: (classes,) bool, those that count in the mean.
    """
    labels, classes = store.labels, store.classes
    font = plots.font_for(classes, _once(say))
    names = [name if font.has_all(name) else f"class {n}" for n, name in enumerate(classes)]
    table = evaluate.per_label(scores, labels["test"], classes)
    for split in ("train", "val"):
        table[f"{split}_pictures"] = labels[split].sum(axis=0)
    table["counted"] = np.where(counted, "yes", "no")
    write_csv(folder / "per_class.csv", table)
    present = {split: np.nonzero(rows)[1] for split, rows in labels.items()}
    pictures = {split: len(rows) for split, rows in labels.items()}
    figure = plots.class_distribution(present, names, pictures=pictures)
    write_bytes(folder / "class_distribution.png", plots.png(figure))


def _once(say):
    """A say that says the first line alone: ids may lack the glyphs that names lack."""
    said = []

    def once(line):
        if not said:
            say(f"{line}; such classes are shown by their number in per_class.csv")
        said.append(line)

    return once


@dataclass(frozen=True)
class Tested:
    """Test pictures and what a network says of them.

    store: transfer.store.Store. scores: (pictures, classes). probabilities: whether they are.
    names: of the classes, as they are shown.
    """

    store: Any
    scores: np.ndarray
    probabilities: bool
    names: list

    @cached_property
    def labels(self):
        """True classes, int (pictures,)."""
        return self.store.labels["test"]

    @cached_property
    def predicted(self):
        """Predicted classes, int (pictures,)."""
        return np.argmax(self.scores, axis=1)

    @cached_property
    def ids(self):
        """Of the pictures."""
        return self.store.ids("test")

    @cached_property
    def counts(self):
        """The confusion matrix, int (classes, classes), a row per true class."""
        counts = np.zeros((len(self.names),) * 2, int)
        np.add.at(counts, (self.labels, self.predicted), 1)
        return counts

    def tile(self, place):
        """(picture, text) of a test picture for a contact sheet."""
        true, predicted = self.labels[place], self.predicted[place]
        value = f"{self.scores[place, predicted]:.2f}"
        value = value if self.probabilities else f"score {value}"
        said = "right" if true == predicted else f"as {self.names[predicted]}"
        text = f"{self.names[true]}\n{said}, {value}\n{self.ids[place]}"
        return partial(self.store.encoded, "test", int(place)), text


def mistakes_sheet(tested, say=print):
    """The wrong test pictures of the highest scores, as the bytes of a PNG file."""
    wrong = evaluate.mistakes(tested.labels, tested.scores)
    title = f"{len(wrong)} of {len(tested.labels)} test pictures are named wrongly"
    if len(wrong):
        some = f"the first {MOST_MISTAKES} " if len(wrong) > MOST_MISTAKES else ""
        kind = "probable" if tested.probabilities else "high in score"
        title += f"; {some}by how {kind} the wrong class is: true class, predicted class, id"
    tiles = [tested.tile(place) for place in wrong[:MOST_MISTAKES]]
    return plots.contact_sheet(tiles, COLUMNS, title=title, say=say)


def pairs_sheet(tested, pairs, say=print):
    """Examples of both classes of confused pairs, as the bytes of a PNG file.

    Those that were taken for the other class come first, then others of the class.

    Args:
        tested: Tested.
        pairs: DataFrame, rows of evaluate.confused_pairs.
        say: as for plots.font_for.

    Source:
        Cetinic et al. 2018, figure 11.
    """
    tiles, headings = [], {}
    for pair in pairs.itertuples():
        a, b = tested.names[pair.number_a], tested.names[pair.number_b]
        headings[len(tiles)] = (
            f"{a} and {b}: {pair.a_as_b} of {pair.pictures_a} taken for the second, "
            f"{pair.b_as_a} of {pair.pictures_b} for the first (by chance {pair.by_chance:.1f})"
        )
        tiles += _examples(tested, pair.number_a, pair.number_b)
        tiles += _examples(tested, pair.number_b, pair.number_a)
    title = "" if headings else "No test picture is taken for another class"
    return plots.contact_sheet(tiles, COLUMNS, headings=headings, title=title, say=say)


def _examples(tested, number, other):
    """Tiles of a class: its pictures taken for the other class, right ones, the rest."""
    places = np.flatnonzero(tested.labels == number)
    predicted = tested.predicted[places]
    surest = -tested.scores[places, predicted]
    order = np.lexsort((surest, predicted != number, predicted != other))
    tiles = [tested.tile(place) for place in places[order][:EXAMPLES]]
    return tiles + [(None, "")] * (EXAMPLES - len(tiles))
