"""Sabatelli et al. 2018: the runs behind tables 1 to 3, figures 2 to 4 and footnote 7.

Recipes are those of transfer.recipes.sabatelli2018. theta-hat of table 3, "Rijksmuseum + …", is the
network that was fine-tuned on the same challenge of the Rijksmuseum, seed for seed.
"""

from dataclasses import replace

from models.weights import IMAGENET, NONE
from papers.items import (
    Cell,
    Item,
    accuracy_cells,
    measure_accuracies,
    measure_curves,
    measure_nothing,
    runs_of,
)
from papers.places import Paper, Substitute
from transfer.run import MODEL

RIJKS, ANTWERP = "Rijksmuseum", "Antwerp"
NETWORKS = ("Xception", "InceptionV3", "ResNet50", "VGG19")  # in the order of table 2
CHALLENGES = ("material", "type", "artist")
SECOND = ("type", "artist")  # of Antwerp
OFF, FINE, RANDOM = "off_the_shelf", "fine_tuning", "random"
TITLES = {OFF: "off the shelf", FINE: "fine tuning", RANDOM: "fine tuning"}
SCRATCH = "InceptionV3"  # the one network trained from He-uniform weights, Scratch-V3
CLASSIFIERS = ("softmax", "svm", "random_forest")  # footnote 7
A, B = (("collection", "A"),), (("collection", "B"),)  # of shandong
LEAST = 10  # pictures of a class of shandong
SMALL = {
    (RIJKS, "material"): Substitute("shandong", "shandongA", "material", A, min_pictures=LEAST),
    (RIJKS, "type"): Substitute("shandong", "shandongA", "type", A, min_pictures=LEAST),
    (RIJKS, "artist"): Substitute("wikiart224", "wikiart224", "artist", min_pictures=10),
    (ANTWERP, "type"): Substitute("shandong", "shandongB", "type", B, min_pictures=LEAST),
}
SHOWN = {"artist": 3, "type": 1}  # pictures of figure 4
SALIENCY_NETWORK = "VGG19"  # of figure 4 (footnote 8)
TILE = 224  # pixels of a picture in figure 4


def plan_table1(place):
    """A cell for each challenge of each collection."""
    cells = []
    for challenge in CHALLENGES:
        for dataset in (RIJKS, ANTWERP):
            keys = {"dataset": dataset, "challenge": challenge}
            on = place.stands_for(dataset, challenge)
            columns = ("pictures", "labels", "labels in common (%)")
            if dataset == ANTWERP and challenge not in SECOND:
                lacks = "not in the paper either: the collection has no such metadata"
                cells.append(Cell(keys, columns, (), lacks, on=on))
                continue
            data = place.data(dataset, challenge)
            lacks = data if isinstance(data, str) else ""
            cells.append(Cell(keys, columns, (), lacks, None if lacks else data, on))
    return cells


def measure_counts(cells, runs):
    """Pictures and labels that are used, and how many of Antwerp's labels the Rijksmuseum has."""
    import pandas as pd

    stores = {tuple(cell.keys.values()): cell.data.open() for cell in cells if cell.data}
    rows = []
    for cell in cells:
        dataset, challenge = cell.keys.values()
        store = stores.get((dataset, challenge))
        pair = [stores.get((name, challenge)) for name in (RIJKS, ANTWERP)]
        common = None
        if all(pair):
            ours, theirs = (set(one.classes) for one in pair)
            common = 100 * len(ours & theirs) / len(theirs)
        rows.append(
            {
                **cell.keys,
                "pictures": store and sum(map(len, store.labels.values())),
                "labels": store and len(store.classes),
                "labels in common (%)": common,
            }
        )
    return pd.DataFrame(rows)


def plan_table2(place):
    """Every network off the shelf and fine-tuned, on every challenge of the Rijksmuseum."""
    return [
        accuracy_cells(
            place,
            {"dataset": RIJKS, "challenge": challenge, "network": network},
            f"{TITLES[mode]} (%)",
            place.stages(RIJKS, challenge, network, mode),
        )
        for challenge in CHALLENGES
        for network in NETWORKS
        for mode in (OFF, FINE)
    ]


def plan_table3(place):
    """The same on Antwerp, from ImageNet and from the network fine-tuned on the Rijksmuseum."""
    cells = []
    for challenge in SECOND:
        for network in NETWORKS:
            before = place.stages(RIJKS, challenge, network, FINE)
            keys = {"dataset": ANTWERP, "challenge": challenge, "network": network}
            for mode in (OFF, FINE):
                for start, first in (("ImageNet", None), (RIJKS, before)):
                    stages = place.stages(ANTWERP, challenge, network, mode, first)
                    column = f"{start} + {TITLES[mode]} (%)"
                    cells.append(accuracy_cells(place, keys, column, stages))
    return cells


def plan_curves(place, challenges):
    """The curves of some challenges: every network in both modes, and the one from scratch."""
    cells = []
    for challenge in challenges:
        ways = [(network, mode) for network in NETWORKS for mode in (OFF, FINE)]
        for network, mode in [*ways, (SCRATCH, RANDOM)]:
            keys = {
                "dataset": RIJKS,
                "challenge": challenge,
                "network": network,
                "start": "random" if mode == RANDOM else "ImageNet",
                "mode": TITLES[mode],
            }
            stages = place.stages(RIJKS, challenge, network, mode)
            cells.append(accuracy_cells(place, keys, "validation accuracy", stages))
    return cells


def draw_curves(place, cells, runs):
    """A figure for each challenge: our curves, and the released ones faintly behind."""
    from papers.published import read_item
    from transfer import plots

    published = read_item(place.paper.name, "learning_curves")
    figures = {}
    for challenge in dict.fromkeys(cell.keys["challenge"] for cell in cells):
        own = [cell for cell in cells if cell.keys["challenge"] == challenge]
        found = [
            replace(run, weights=run.weights if run.weights == NONE else IMAGENET)  # as it is named
            for cell in own
            for run in runs_of(cell, runs)
        ]
        if not found:
            continue
        behind = []
        for cell in own:
            keys = cell.keys
            rows = published[(published[list(keys)] == list(keys.values())).all(axis=1)]
            mode = RANDOM if keys["start"] == "random" else _mode(keys["mode"])
            # ours count epochs from 1
            curve = (rows["epoch"] + 1, 100 * rows["validation accuracy"])
            behind.append((keys["network"], mode, *curve))
        title = f"{RIJKS}: {challenge}, on {own[0].on}; faint: the paper's released curves"
        figures[f"{challenge}.png"] = plots.png(plots.learning_curves(found, title, behind=behind))
    return figures


def _mode(title):
    return next(mode for mode, name in TITLES.items() if name == title)


def plan_classifiers(place):
    """Pairs of classifiers on the same features, of every network and challenge (footnote 7)."""
    cells = []
    for challenge in CHALLENGES:
        for network in NETWORKS:
            of_each = {
                name: place.stages(RIJKS, challenge, network, OFF, classifier=name)
                for name in CLASSIFIERS
            }
            first, *others = CLASSIFIERS
            for second in others:
                keys = {"dataset": RIJKS, "challenge": challenge, "network": network}
                keys |= {"first": second, "second": first}
                lacks = of_each[first] if isinstance(of_each[first], str) else ""
                pair = () if lacks else (of_each[second][0], of_each[first][0])
                on = place.stands_for(RIJKS, challenge)
                cells.append(Cell(keys, ("difference (%)", "p"), pair, lacks, on=on))
    return cells


def measure_classifiers(cells, runs):
    """The difference of each pair on the same test pictures, and McNemar's exact p; first seed."""
    import pandas as pd

    from transfer import run_pairs, uncertainty

    rows = []
    for cell in cells:
        found = runs_of(cell, runs)
        difference, low, high, p = (None,) * 4
        if found:
            first, second = (run_pairs.answers_of(run) for run in found)
            second = second.reindex(first.index)
            values = uncertainty.paired_difference(first, second)
            difference, low, high = (100 * value for value in values)
            p = uncertainty.mcnemar(first, second)
        ends = {"difference (%)_low": low, "difference (%)_high": high}
        rows.append(cell.keys | {"difference (%)": difference} | ends | {"p": p})
    frame = pd.DataFrame(rows)
    numbers = list(frame)[len(cells[0].keys) :]
    return frame.assign(**{name: pd.to_numeric(frame[name]) for name in numbers})


def plan_figure4(place):
    """Before and after fine-tuning, on artist and type: VGG19, or else the first that is there."""
    cells = []
    for challenge in SHOWN:
        for network in (SALIENCY_NETWORK, *NETWORKS):
            pair = [place.stages(RIJKS, challenge, network, mode) for mode in (OFF, FINE)]
            if not isinstance(pair[0], str):
                break
        else:
            network, pair = SALIENCY_NETWORK, [place.stages(RIJKS, challenge, network, OFF)] * 2
        lacks = pair[0] if isinstance(pair[0], str) else ""
        stages = () if lacks else (pair[0][0], pair[1][0])
        keys = {"dataset": RIJKS, "challenge": challenge, "network": network}
        cells.append(Cell(keys, (), stages, lacks, on=place.stands_for(RIJKS, challenge)))
    return cells


def tell_network(place):
    """Which network takes the place of figure 4's, and why: lines."""
    lines = []
    for cell in plan_figure4(place):
        network, challenge = cell.keys["network"], cell.keys["challenge"]
        if network != SALIENCY_NETWORK:
            lacks = place.stages(RIJKS, challenge, SALIENCY_NETWORK, FINE)
            lines.append(f"{challenge}: {network} in the place of {SALIENCY_NETWORK} ({lacks}).")
    return lines


def draw_saliency(place, cells, runs):
    """VisualBackProp of a few test pictures that only the fine-tuned network is right about."""
    from visualization import figures, views
    from visualization.saliency.methods import Settings

    drawn = {}
    for cell in cells:
        found = runs_of(cell, runs)
        if not found:
            continue
        files, labels = _shown(cell, found, SHOWN[cell.keys["challenge"]])
        networks = views.open_networks([str(run.folder / MODEL) for run in found])
        seen = [{v.file: v for v in views.look(one, files, Settings())} for one in networks]
        (page,) = views.draw(networks, seen, Settings(), TILE, labels)
        drawn[f"{cell.keys['challenge']}.png"] = figures.encoded(page, "png")
    return drawn


def _shown(cell, found, count):
    """(files, dict file -> label) of test pictures, first those that fine-tuning put right."""
    from pathlib import Path

    from transfer.result_folder import read_csv
    from transfer.run_pairs import answers_of

    before, after = (answers_of(run) for run in found)
    before = before.reindex(after.index)
    order = [*after.index[after & ~before], *after.index[after & before], *after.index[~after]]
    split = read_csv(cell.stages[1].data.open().folder / "split.csv").set_index("id")
    folder = Path(cell.stages[1].data.jpg_images_path)
    files = {folder / split["path"][name]: split["label"][name] for name in order[:count]}
    return list(files), files


RIJKS_ALL = tuple((RIJKS, challenge) for challenge in CHALLENGES)
BOTH = tuple((dataset, challenge) for challenge in SECOND for dataset in (RIJKS, ANTWERP))
ITEMS = (
    Item(
        "table1",
        "table",
        "pictures and labels of the collections",
        "table1",
        (*RIJKS_ALL, *((ANTWERP, challenge) for challenge in SECOND)),
        plan_table1,
        measure_counts,
    ),
    Item(
        "table2",
        "table",
        "test accuracy on the Rijksmuseum, off the shelf and fine-tuned",
        "table2",
        RIJKS_ALL,
        plan_table2,
        measure_accuracies,
        runs=24,
    ),
    Item(
        "table3",
        "table",
        "test accuracy on Antwerp, from ImageNet and from the Rijksmuseum",
        "table3",
        BOTH,
        plan_table3,
        measure_accuracies,
        runs=40,
    ),
    Item(
        "figure2",
        "figure",
        "learning curves on material",
        "learning_curves",
        ((RIJKS, "material"),),
        lambda place: plan_curves(place, ("material",)),
        measure_curves,
        draw_curves,
        runs=9,
    ),
    Item(
        "figure3",
        "figure",
        "learning curves on type and artist",
        "learning_curves",
        ((RIJKS, "type"), (RIJKS, "artist")),
        lambda place: plan_curves(place, SECOND),
        measure_curves,
        draw_curves,
        runs=18,
    ),
    Item(
        "figure4",
        "figure",
        "what VGG19 looks at before and after fine-tuning",
        "",
        ((RIJKS, "artist"), (RIJKS, "type")),
        plan_figure4,
        measure_nothing,
        draw_saliency,
        runs=4,
        notes=tell_network,
    ),
    Item(
        "classifiers",
        "classifiers",
        "softmax against a support vector machine and a random forest (footnote 7)",
        "classifiers",
        RIJKS_ALL,
        plan_classifiers,
        measure_classifiers,
        runs=36,
    ),
)
PAPER = Paper(
    "sabatelli2018",
    "Sabatelli et al. 2018, Deep Transfer Learning for Art Classification Problems",
    NETWORKS,
    {RIJKS: "rijksmuseum", ANTWERP: "antwerp"},
    SMALL,
    ITEMS,
)
