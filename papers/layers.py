"""How alike networks are layer by layer: distances of kernels, CKA, overlap and entropy.

What is measured of the cells of an item, whose looks (papers.looks.Look) are of two networks, and
its figures; Gonthier et al. 2020, tables 2 and 4, figures 5, 6, 14 and 15.
"""

import numpy as np

from models.errors import InputError
from papers.items import Number, mean_number, measured, student

OVERLAP, OVERLAP_1000, BY_CHANCE = "overlap (%)", "overlap of 1000 (%)", "overlap by chance (%)"
BEFORE, ENTROPY = "entropy before", "entropy"
BOXES = (OVERLAP, OVERLAP_1000, BY_CHANCE, BEFORE, ENTROPY)


def measure_distances(cells, runs):
    """The mean distance of the kernels of two networks, beside that of shuffled weights."""

    def rows_of(cell, runs):
        each = [look.distance(runs) for look in cell.looks]
        numbers = [Number(value, of_each=(value,), chance=chance) for value, chance in each]
        return [mean_number(numbers).cells("mean l2")]

    return measured(rows_of, cells, runs)


def measure_similarity(cells, runs):
    """Mean CKA over stages on the test pictures, and the mean distance of kernels."""

    def rows_of(cell, runs):
        similar, distances = [], []
        for look in cell.looks:
            found = list(look.cka(runs).values())
            mean = {
                name: float(np.mean([getattr(one, name) for one in found]))
                for name in ("paper", "paper_low", "paper_high", "floor")
            }
            ends, value = (mean["paper_low"], mean["paper_high"]), mean["paper"]
            ends = ends if np.isfinite(ends).all() else (None, None)
            pictures = found[0].pictures
            similar.append(Number(value, *ends, (value,), mean["floor"], pictures))
            distance, chance = look.distance(runs)
            distances.append(Number(distance, of_each=(distance,), chance=chance))
        numbers = mean_number(similar).cells("mean CKA")
        return [numbers | mean_number(distances).cells("mean l2")]

    return measured(rows_of, cells, runs)


def measure_cka(cells, runs):
    """The paper's form of CKA at each stage, beside that of shuffled pictures."""

    def rows_of(cell, runs):
        each, rows = [look.cka(runs) for look in cell.looks], []
        for depth, layer in enumerate(each[0]):
            numbers = []
            for found in each:
                one = found[layer]
                ends = (one.paper_low, one.paper_high)
                ends = ends if np.isfinite(ends).all() else (None, None)
                numbers.append(Number(one.paper, *ends, (one.paper,), one.floor, one.pictures))
            rows.append({"layer": layer, "depth": depth} | mean_number(numbers).cells("CKA"))
        return rows

    return measured(rows_of, cells, runs)


def draw_cka(place, cells, runs):
    """The curves of the first seed."""
    from transfer import plots
    from visualization import paper_figures

    pairs, layers = {}, []
    for cell in looked_at(cells, runs):
        found = cell.looks[0].cka(runs)
        layers = layers or list(found)
        pairs[f"{cell.keys['first']} and {cell.keys['second']}"] = list(found.values())
    if not pairs:
        return {}
    title = f"linear CKA on the test pictures of {cells[0].on}"
    return {"cka.png": plots.png(paper_figures.cka_over_depth(layers, pairs, title=title))}


def looked_at(cells, runs):
    """The cells whose runs are there and that can be looked at; one that cannot is left out."""
    return [c for c in cells if c.looks and all(stage in runs for stage in c.stages)]


def measure_boxes(cells, runs):
    """The mean over channels at each stage, with Student's interval over channels."""

    def rows_of(cell, runs):
        each = [_of_stages(look, runs) for look in cell.looks]
        count, rows = len(each[0]), []
        for depth, layer in enumerate(each[0]):
            half = "deep" if (depth + 0.5) / count > 0.5 else "shallow"
            row = {"layer": layer, "depth": depth, "half": half}
            for column in BOXES:
                numbers = [_mean_of(*found[layer][column]) for found in each]
                known = [number for number in numbers if number.value is not None]
                row |= mean_number(known).cells(column)
            rows.append(row)
        return rows

    return measured(rows_of, cells, runs)


def _mean_of(values, chance):
    """The Number that is the mean of channels, those that are NaN left out."""
    values = values[np.isfinite(values)]
    if not len(values):
        return Number()
    mean = float(values.mean())
    return Number(mean, *student(values), (mean,), chance)


def _of_stages(look, runs):
    """What the channels of each stage have: dict stage -> dict of BOXES -> (values, chance)."""
    from visualization import similarity, top_sets

    before, after = (look.top_sets(number, runs) for number in (0, 1))
    store = look.data.open()
    labels, classes = store.labels["train"], len(store.classes)
    first, second = before.ks
    chances = [similarity.chance_overlap(before.pictures, k).mean for k in before.ks]
    chance = similarity.chance_entropy(np.bincount(labels, minlength=classes), first).mean
    found = {}
    for stage, layers in before.stages.items():
        parts = {column: [] for column in BOXES}
        for layer in layers:
            one = [top_sets.overlaps(before, after, layer, k) for k in (first, second)]
            parts[OVERLAP].append(100 * one[0])
            parts[OVERLAP_1000].append(100 * one[1])
            for column, seen in ((BEFORE, before), (ENTROPY, after)):
                own = top_sets.entropies(seen, layer, first, labels, classes)
                parts[column].append(own)
        values = {column: np.concatenate(some) for column, some in parts.items() if some}
        values[BY_CHANCE] = np.array([100 * chances[0]])
        beside = {OVERLAP: 100 * chances[0], OVERLAP_1000: 100 * chances[1]}
        beside |= {BEFORE: chance, ENTROPY: chance}
        found[stage] = {column: (values[column], beside.get(column)) for column in BOXES}
    return found


def draw_boxes(columns, place, cells, runs):
    """Boxes over channels of the first seed, of some of BOXES: a figure for each and each pair."""
    from transfer import plots
    from visualization import paper_figures

    figures = {}
    for number, cell in enumerate(looked_at(cells, runs), 1):
        try:
            found = _of_stages(cell.looks[0], runs)
        except InputError:
            continue  # its rows say why
        for column in columns:
            measure = "overlap" if column.endswith("(%)") else "entropy"
            scale = 100 if measure == "overlap" else 1
            values = [found[stage][column][0] / scale for stage in found]
            chance = chance_of(cell.looks[0], runs, column)
            title = f"{column.removesuffix(' (%)')}: {cell.keys['networks']}, on {cell.on}"
            figure = paper_figures.boxes_by_layer(
                list(found), values, measure, chance=chance, title=title
            )
            figures[f"{column.removesuffix(' (%)').replace(' ', '_')}_{number}.png"] = plots.png(
                figure
            )
    return figures


def chance_of(look, runs, column):
    """The similarity.Chance of one of BOXES."""
    from visualization import similarity

    seen, store = look.top_sets(0, runs), look.data.open()
    if column in (BEFORE, ENTROPY):
        counts = np.bincount(store.labels["train"], minlength=len(store.classes))
        return similarity.chance_entropy(counts, seen.ks[0])
    return similarity.chance_overlap(seen.pictures, seen.ks[1 if column == OVERLAP_1000 else 0])
