"""Gonthier et al. 2020: the runs behind tables 1 to 5 and figures 1 to 17, and what is looked at.

Recipes are those of transfer.recipes.gonthier2020. Two trainings of one mode differ in their seed.
The paper's network is Lucid's InceptionV1; where only Caffe's GoogLeNet has weights it takes that
one's place, and pages say so. Figures show channels that a rule chooses, since the paper's own
channels are those of other weights.
"""

import functools
from dataclasses import replace

import numpy as np

from models import zoo
from models.errors import InputError
from papers.channels import (
    OF_CHANNELS,
    Shown,
    choose,
    columns_of,
    draw_channels,
    grid_of,
    measure_channels,
    of_channel,
    open_channels,
    seen_in,
    training_pictures,
)
from papers.items import (
    Cell,
    Item,
    Number,
    accuracy_cells,
    accuracy_number,
    as_numbers,
    measure_accuracies,
    measured,
    runs_of,
)
from papers.layers import (
    BEFORE,
    BOXES,
    ENTROPY,
    OVERLAP,
    OVERLAP_1000,
    draw_boxes,
    draw_cka,
    looked_at,
    measure_boxes,
    measure_cka,
    measure_distances,
    measure_similarity,
)
from papers.looks import Ascent, Look, Mean, Side, missing, of_seeds
from papers.places import Paper, Substitute
from transfer.recipes import RECIPES

NAME = "gonthier2020"
RASTA, PAINTINGS, ICONART = "RASTA", "Paintings", "IconArt"
STYLE, LABELS = "style", "all"
NETWORKS = ("InceptionV1", "GoogLeNet")  # the paper's, and what takes its place
BOB_ROSS = Substitute("bobross", "bobross", LABELS, split="column=split")
SMALL = {
    (RASTA, STYLE): Substitute(
        "wikiart224", "wikiart224", STYLE, split="column=split", sample=2000
    ),
    (PAINTINGS, LABELS): BOB_ROSS,
    (ICONART, LABELS): BOB_ROSS,
}
SMALL_SETS = (PAINTINGS, ICONART)
PAPER_ASCENT = Ascent(2048, 224)  # section 3
SMALL_ASCENT = Ascent(256, 128)  # about 20 s a channel on 2 busy cores
ACCURACY, PRECISION = "accuracy (%)", "mean average precision (%)"
KS = (1, 3, 5)  # answers that count in table 1

# ---- networks, as the published CSVs call them
IMAGENET = "ImageNet"
END, SCRATCH, START = "end from scratch", "from scratch", "its random start"
OFF, MODE_A = f"{NAME}.off_the_shelf", f"{NAME}.mode_a"


def mode(letter, training):
    """What a network fine-tuned on RASTA is called."""
    return f"RASTA (mode {letter}, training {training})"


A1, A2, B1 = mode("A", 1), mode("A", 2), mode("B", 1)
# trained on RASTA -> its recipe, and which training of it
TRAININGS = {
    mode(letter, training): (f"{NAME}.mode_{letter.lower()}", training)
    for letter in "ABCDE"
    for training in (1, 2)
}
TRAININGS |= {END: (f"{NAME}.high_layers", 1), SCRATCH: (f"{NAME}.from_scratch", 1)}
# of figures 2 and 9; on small collections those alone, so that they take no more than two hours
FEW_TRAININGS = (A1, A2, B1, mode("C", 1), mode("D", 1), mode("E", 1))
STARTS = {f"{START}, {name}": name for name in (END, SCRATCH)}
# fine-tuned on a small set, in mode A -> what it starts from
AFTER = {
    "ImageNet, then small set": IMAGENET,
    "ImageNet, RASTA, then small set": A1,
    "end from scratch on RASTA, then small set": END,
    "from scratch on RASTA, then small set": SCRATCH,
}
FINE, DOUBLE = list(AFTER)[:2]
# what tables 3 and 4 call networks that others call otherwise
ALSO_CALLED = {"ImageNet, RASTA (mode A)": A1}
ALSO_CALLED |= {f"{name} on RASTA": name for name in (END, SCRATCH)}

METHODS = {
    "off the shelf, ImageNet": OFF,
    "fine-tuned, ImageNet (mode A, training 1)": A1,
    "end trained from scratch, low layers frozen": END,
    "trained from scratch": SCRATCH,
}
ENSEMBLE = "ensemble of the three trained"
SMALL_METHODS = {  # of table 3 -> recipe, what it starts from
    "off the shelf, ImageNet": (OFF, IMAGENET),
    "off the shelf, ImageNet and RASTA": (OFF, A1),
    "fine-tuned, ImageNet": (MODE_A, IMAGENET),
    "fine-tuned, ImageNet and RASTA": (MODE_A, A1),
    "fine-tuned, end from scratch on RASTA": (MODE_A, END),
    "fine-tuned, from scratch on RASTA": (MODE_A, SCRATCH),
}
PAIRS_2 = ((IMAGENET, A1), (A1, B1), (A1, A2), (END, START), (SCRATCH, START))
PAIRS_4 = (
    (IMAGENET, FINE),
    (IMAGENET, DOUBLE),
    ("ImageNet, RASTA (mode A)", DOUBLE),
    ("end from scratch on RASTA", "end from scratch on RASTA, then small set"),
    ("from scratch on RASTA", "from scratch on RASTA, then small set"),
)
PAIRS_5 = ((IMAGENET, A1), (A1, A2), (A1, B1), (START, END), (START, SCRATCH))


def network_of(place):
    """The network that a place has: the paper's where its weights are at hand, else GoogLeNet."""
    there = [name for name in NETWORKS if name in place.weights]
    asked = [name for name in there if not place.only or name in place.only]
    return (*asked, *there, NETWORKS[-1])[0]


def rasta_stages(place, name, recipe=None):
    """The Stages of a network trained on RASTA, or text: what is lacking.

    Args:
        place: papers.places.Place.
        name: in TRAININGS.
        recipe: name of another one, of the first training.
    """
    known, training = TRAININGS.get(name, (recipe, 1))
    # the seeds of the second training follow those of the first
    later = (training - 1) * len(place.seeds)
    place = replace(place, seeds=tuple(seed + later for seed in place.seeds))
    return place.stages(RASTA, STYLE, network_of(place), known)


def small_stages(place, dataset, recipe, start):
    """The Stages of a network trained on a small set from ImageNet's or a trained one, or text."""
    before = None if start == IMAGENET else rasta_stages(place, start)
    # a network from scratch goes on with the pixels that it was trained on
    changes = {"pixels": RECIPES[TRAININGS[SCRATCH][0]].pixels} if start == SCRATCH else {}
    return place.stages(dataset, LABELS, network_of(place), recipe, before, **changes)


def sides(place, name, dataset=None, called=None):
    """A Side for each seed of a network, by its name; or text: what is lacking.

    Args:
        place: papers.places.Place.
        name: IMAGENET, or in TRAININGS, STARTS or AFTER, or in ALSO_CALLED.
        dataset: small set, of AFTER.
        called: what it is called; None for its name.
    """
    called, name = called or name, ALSO_CALLED.get(name, name)
    if name == IMAGENET:
        network = network_of(place)
        if network not in place.weights:
            return f"no weights file of {network}"
        return (Side(called, place.weights[network]),) * len(place.seeds)
    if name in AFTER:
        return of_seeds(called, small_stages(place, dataset, MODE_A, AFTER[name]))
    if name in STARTS:
        return of_seeds(called, rasta_stages(place, STARTS[name]), at_start=True)
    return of_seeds(called, rasta_stages(place, name))


def looking(place, keys, columns, networks, on, also=()):
    """A Cell of what is looked at in several networks.

    Args:
        place: papers.places.Place.
        keys, columns: see Cell.
        networks: of `sides`, a list.
        on: (data set, challenge) of the pictures; the first also of text alone.
        also: see Cell.
    """
    data = place.data(*on)
    lacks = missing([*networks, data])
    stands = place.stands_for(*on)
    if lacks:
        return Cell(keys, columns, (), lacks, on=stands)
    stages = tuple(dict.fromkeys(one for some in networks for side in some for one in side.stages))
    size = zoo.parse(network_of(place)).side(place.input_size)
    folder = place.results_path / "papers" / NAME / "kept"
    of_each = zip(*networks, strict=True)
    looks = tuple(Look(some, data, folder, size, ascent_of(place)) for some in of_each)
    return Cell(keys, columns, stages, "", on=stands, also=tuple(also), looks=looks)


def as_in_paper(place):
    """Whether images and trainings are as many and as long as in the paper."""
    return place.full or not place.small


def ascent_of(place):
    """The Ascent of optimized images: section 3's, on small collections a shorter one."""
    return PAPER_ASCENT if as_in_paper(place) else SMALL_ASCENT


def passed(*names):
    """What a pass of pictures is called in a plan: a line for each network."""
    return [f"a pass of the train and test pictures through {name}" for name in names]


def ascended(place, count, *names):
    """What optimized images are called in a plan: a line for each network."""
    ascent = ascent_of(place)
    how = f"{ascent.steps} steps at {ascent.size} pixels"
    return [f"optimized images of {count} channels, {how}, in {name}" for name in names]


# ---- tables


def plan_table1(place):
    """Each method's top-1, top-3 and top-5 accuracy."""
    trained = {}
    for method, name in METHODS.items():
        trained[method] = rasta_stages(place, name, OFF if name == OFF else None)
    cells = []
    for method, stages in trained.items():
        for k in KS:
            keys = {"dataset": RASTA, "method": method, "k": k}
            cells.append(accuracy_cells(place, keys, ACCURACY, stages, STYLE))
    first, *three = trained.values()
    lacks, on = missing(three), place.stands_for(RASTA, STYLE)
    members = () if lacks else tuple(zip(*three, strict=True))
    means = tuple(Mean(some, place.results_path) for some in members)
    for k in KS:
        keys = {"dataset": RASTA, "method": ENSEMBLE, "k": k}
        stages = tuple(stage for some in members for stage in some)
        cells.append(Cell(keys, (ACCURACY,), stages, lacks, on=on, looks=means))
    return cells


def measure_table1(cells, runs):
    """Accuracies of runs, and of means of runs, which are made where they are not there."""
    import pandas as pd

    from transfer import evaluate

    def rows_of(cell, runs):
        found, k = [mean.run(runs) for mean in cell.looks], cell.keys["k"]
        labels = cell.stages[0].data.open().labels
        chance = 100 * evaluate.chance(labels["train"], labels["test"], k)
        number = replace(accuracy_number(found, ACCURACY, k), chance=chance)
        return [number.cells(ACCURACY)]

    alone = [cell for cell in cells if cell.keys["method"] != ENSEMBLE]
    together = [cell for cell in cells if cell.keys["method"] == ENSEMBLE]
    frames = [measure_accuracies(alone, runs), measured(rows_of, together, runs)]
    return pd.concat(frames, ignore_index=True).fillna({"lacks": ""})


def plan_table2(place):
    """Pairs of networks trained on RASTA, and of those from scratch with their start."""
    cells = []
    for first, second in PAIRS_2:
        other = f"{START}, {first}" if second == START else second
        networks = [sides(place, first), sides(place, other)]
        keys = {"first": first, "second": second}
        cells.append(looking(place, keys, ("mean l2",), networks, (RASTA, STYLE)))
    return cells


def plan_table3(place):
    """Each method on both small sets."""
    cells = []
    for dataset in SMALL_SETS:
        for method, (recipe, start) in SMALL_METHODS.items():
            keys = {"dataset": dataset, "method": method}
            stages = small_stages(place, dataset, recipe, start)
            cells.append(accuracy_cells(place, keys, PRECISION, stages, LABELS))
    return cells


def measure_table3(cells, runs):
    """Mean average precisions; where a run measured no interval, the bootstrap's over pictures."""
    import pandas as pd

    rows = []
    for cell in cells:
        found = runs_of(cell, runs)
        number = accuracy_number(found, PRECISION)
        if found and number.low is None:
            labels = cell.stages[0].data.open().labels["test"]
            ends = np.mean([precision_interval(run, labels) for run in found], axis=0)
            number = replace(number, low=float(ends[0]), high=float(ends[1]))
        rows.append(cell.keys | number.cells(PRECISION))
    return as_numbers(pd.DataFrame(rows), cells)


def precision_interval(run, labels):
    """The bootstrap's 95 % interval of a run's mean average precision, in percent: (low, high).

    Args:
        run: FinishedRun, with its scores.
        labels: of the test pictures, 0 and 1 (pictures, classes).

    Raises:
        InputError: the run kept no scores.
    """
    from transfer.run import SCORES
    from transfer.uncertainty import bootstrap, mean_average_precision

    path = run.folder / SCORES
    if not path.exists():
        raise InputError(f"{run.folder} kept no {SCORES}; run its command again")
    statistic = mean_average_precision(labels, np.load(path, allow_pickle=False))
    low, high = (100 * end for end in bootstrap(statistic, len(labels)))
    return min(low, run.accuracy), max(high, run.accuracy)


def plan_table4(place):
    """Pairs of networks on the test pictures of each small set; the text's pair on RASTA's."""
    columns, cells = ("mean CKA", "mean l2"), []
    for first, second in PAIRS_4:
        for dataset in (ICONART, PAINTINGS):
            networks = [sides(place, name, dataset) for name in (first, second)]
            keys = {"dataset": dataset, "first": first, "second": second}
            on, also = (dataset, LABELS), passed(first, second)
            cells.append(looking(place, keys, columns, networks, on, also))
    first, second = IMAGENET, "ImageNet, RASTA (mode A)"
    networks = [sides(place, name) for name in (first, second)]
    keys = {"first": first, "second": second}  # the text does not tell whose pictures
    on, also = (RASTA, STYLE), passed(first, second)
    return [*cells, looking(place, keys, columns, networks, on, also)]


MODES = {f"{letter}": f"{NAME}.mode_{letter.lower()}" for letter in "ABCDEF"}
MODES |= {"high layers from scratch": f"{NAME}.high_layers", "from scratch": TRAININGS[SCRATCH][0]}
RATES = ("learning rate of the last layer", "learning rate of other layers", "epochs at most")


def plan_table5(place):
    """The numbers of each mode; the recipes hold the rest (tests compare all of it)."""
    return [Cell({"mode": name}, RATES, on="the recipe") for name in MODES]


def measure_recipes(cells, runs):
    """The rates and epochs of the recipes."""
    import pandas as pd

    rows = []
    for cell in cells:
        recipe = RECIPES[MODES[cell.keys["mode"]]]
        rates = recipe.learning_rate, recipe.learning_rate * recipe.trunk_rate
        rows.append(cell.keys | dict(zip(RATES, (*rates, recipe.epochs), strict=True)))
    return as_numbers(pd.DataFrame(rows), cells)


# ---- layer by layer


def plan_figure5(place):
    """CKA of pairs of networks at each stage, on RASTA's test pictures."""
    cells = []
    for first, second in PAIRS_5:
        other = f"{START}, {second}" if first == START else first
        networks = [sides(place, other, called=first), sides(place, second)]
        keys = {"first": first, "second": second}
        also = passed(other, second)
        cells.append(looking(place, keys, ("CKA",), networks, (RASTA, STYLE), also))
    return cells


def plan_boxes(pairs, place):
    """Overlap and entropy of pairs of networks; pairs: names as `sides` has them."""
    cells = []
    for first, second in pairs:
        keys = {"networks": f"{first} and {second}"}
        networks = [sides(place, name) for name in (first, second)]
        also = passed(first, second)
        cells.append(looking(place, keys, BOXES, networks, (RASTA, STYLE), also))
    return cells


# ---- channels


def plan_channels(all_shown, place):
    """A cell for each group of networks that a figure shows."""
    cells = []
    for shown in all_shown:
        challenge = STYLE if shown.dataset == RASTA else LABELS
        networks = [sides(place, name, shown.dataset) for name in shown.networks]
        names = [shown.networks[number] for number in shown.pair]
        keys = {"networks": " and ".join(names), "chosen": shown.order}
        also = passed(*shown.networks)
        also += ascended(place, shown.count, *shown.networks) if shown.images else []
        on = (shown.dataset, challenge)
        columns = OF_CHANNELS if shown.dataset == RASTA else (OVERLAP,)
        cells.append(looking(place, keys, columns, networks, on, also))
    return cells


MOST_ACROSS = 12  # trainings side by side


# ---- one channel after several trainings (figures 2 and 9)

OF_TRAININGS = Shown((IMAGENET, A1), "middle", "least overlap", 1)


def plan_trainings(images, tops, place):
    """A cell for each training on RASTA: one channel before and after it."""
    names = [name for name in TRAININGS if name not in (END, SCRATCH)]
    names = names if as_in_paper(place) else FEW_TRAININGS
    cells = []
    for name in names:
        networks = [sides(place, IMAGENET), sides(place, name)]
        also = passed(IMAGENET, name)
        also += ascended(place, 1, name) if images else []
        columns, on = OF_CHANNELS, (RASTA, STYLE)
        cells.append(looking(place, {"training": name}, columns, networks, on, also))
    return cells


def chosen_channel(cells, runs):
    """(convolution, channel): of least overlap in the first training that is there."""
    first = looked_at(cells, runs)[0]
    chosen = choose(OF_TRAININGS, open_channels(OF_TRAININGS, first.looks[0], runs))
    if not chosen:
        raise InputError("no channel has enough pictures that fire it in both networks")
    return chosen[0]


def measure_trainings(cells, runs):
    """The overlap and entropies of one channel after each training."""

    def rows_of(cell, runs):
        layer, channel = chosen_channel(cells, runs)
        channels = open_channels(OF_TRAININGS, cell.looks[0], runs)
        row = of_channel(channels, layer, channel, cell)
        return [{"layer": layer, "channel": channel} | row]

    return measured(rows_of, cells, runs)


def draw_trainings(images, tops, place, cells, runs):
    """The channel before training and after each, side by side."""
    from visualization import paper_figures, similarity

    made = looked_at(cells, runs)
    if not made:
        return {}
    try:
        layer, channel = chosen_channel(cells, runs)
    except InputError:
        return {}  # its rows say why
    columns = []
    for cell in made:
        look = cell.looks[0]
        channels = open_channels(OF_TRAININGS, look, runs)
        for number in (0, 1) if not columns else (1,):
            image = None
            if images:
                image = look.images(number, [(layer, channel)], runs)[layer, channel]
            seen = seen_in(channels, number, layer, channel, image)
            columns.append(paper_figures.Column(look.sides[number].called, (seen,)))
    sets = channels.sets[0]
    pages = paper_figures.channel_pages(
        columns,
        [f"{layer}:{channel}"],
        training_pictures(look.data),
        chance=similarity.chance_overlap(sets.pictures, sets.ks[0]),
        grid=grid_of(sets) if tops else 0,
        across=min(len(columns), MOST_ACROSS),
        title=f"one channel after several trainings; on {made[0].on}",
    )
    return {f"trainings_{number}.png": page for number, page in enumerate(pages, 1)}


# ---- overlap against image change

CHANGE = "image change"
OF_CHANGES = Shown((IMAGENET, A1), "middle and high", "spread", 16)
CHANGES_IN_PAPER = 100  # channels, without small collections


def of_changes(place):
    """The Shown of overlap against image change; more channels where more can be made."""
    return replace(OF_CHANGES, count=CHANGES_IN_PAPER) if as_in_paper(place) else OF_CHANGES


def plan_changes(place):
    """One cell: channels of ImageNet's network and of the first training."""
    shown = of_changes(place)
    networks = [sides(place, name) for name in shown.networks]
    keys = {"networks": " and ".join(shown.networks)}
    also = passed(*shown.networks) + ascended(place, shown.count, *shown.networks)
    return [looking(place, keys, (OVERLAP, CHANGE), networks, (RASTA, STYLE), also)]


def _changes(look, runs, count):
    """(Channels, chosen ones, their overlaps in percent, changes, changes by chance)."""
    shown = replace(OF_CHANGES, count=count)
    channels = open_channels(shown, look, runs)
    chosen = choose(shown, channels)
    if not chosen:
        raise InputError("no channel has enough pictures that fire it in both networks")
    overlaps = [100 * float(channels.overlap(layer)[channel]) for layer, channel in chosen]
    return channels, chosen, overlaps, *look.changes(chosen, runs)


def _count(look):
    """How many channels are compared: as many as its ascent is worth."""
    return CHANGES_IN_PAPER if look.ascent == PAPER_ASCENT else OF_CHANGES.count


def measure_changes(cells, runs):
    """Overlap and image change of each channel, of the first seed."""
    from visualization import similarity

    def rows_of(cell, runs):
        look = cell.looks[0]
        channels, chosen, overlaps, changes, by_chance = _changes(look, runs, _count(look))
        seen = channels.sets[0]
        chance = 100 * similarity.chance_overlap(seen.pictures, seen.ks[0]).mean
        rows = []
        for number, (layer, channel) in enumerate(chosen):
            both = {OVERLAP: (overlaps, chance), CHANGE: (changes, float(np.mean(by_chance)))}
            row = {"layer": layer, "channel": channel}
            for column, (values, expected) in both.items():
                value = values[number]
                told = Number(value, None, None, (value,), expected, seen.pictures)
                row |= told.cells(column)
            rows.append(row)
        return rows

    return measured(rows_of, cells, runs)


def draw_changes(place, cells, runs):
    """The cloud of channels, and their images from the least overlap to the greatest."""
    from transfer import plots
    from visualization import paper_figures, similarity

    (cell,) = cells
    if not looked_at(cells, runs):
        return {}
    look = cell.looks[0]
    try:
        channels, chosen, overlaps, changes, _ = _changes(look, runs, _count(look))
    except InputError:
        return {}  # its rows say why
    seen = channels.sets[0]
    layers = [layer for layer in seen.tops if any(layer == one[0] for one in chosen)]
    of_layer = {layer: [n for n, one in enumerate(chosen) if one[0] == layer] for layer in layers}
    figure = paper_figures.overlap_and_change(
        layers,
        [np.array(overlaps)[of_layer[layer]] / 100 for layer in layers],
        [np.array(changes)[of_layer[layer]] for layer in layers],
        chance=similarity.chance_overlap(seen.pictures, seen.ks[0]),
        title=f"{cell.keys['networks']}, on {cell.on}",
    )
    shown = replace(OF_CHANGES, tops=False)
    pages = paper_figures.channel_pages(
        columns_of(shown, look, channels, chosen, runs),
        [side.called for side in look.sides],
        training_pictures(look.data),
        grid=0,
        across=8,
        title=f"{shown.told}; on {cell.on}",
    )
    names = {f"images_{number}.png": page for number, page in enumerate(pages, 1)}
    return {"overlap_and_change.png": plots.png(figure)} | names


# ---- the items


def notes(place, *more):
    """Lines for every page: which network, and whose pictures twice."""
    lines = []
    network = network_of(place)
    if network != NETWORKS[0]:
        lines.append(
            f"{network}, with Caffe's weights, is in the place of the paper's {NETWORKS[0]}, "
            "Lucid's: its channels are others, and so are those that are shown."
        )
    return [*lines, *more]


def small_notes(place, *more):
    """Lines for a page about the small sets."""
    same = place.small and SMALL[PAINTINGS, LABELS] == SMALL[ICONART, LABELS]
    told = f"{PAINTINGS} and {ICONART} have one small collection in their place: their rows are "
    return notes(place, *([told + "the same runs."] if same else []), *more)


def image_notes(all_shown, place):
    """Lines for a page of channels: which, by what rule, and how their images are made."""
    lines = []
    if any(shown.images for shown in all_shown):
        ascent = ascent_of(place)
        lines.append(
            f"Optimized images: {ascent.steps} steps at {ascent.size} pixels (the paper: "
            f"{PAPER_ASCENT.steps} at {PAPER_ASCENT.size}). The paper chose its channels by eye; "
            "here a rule does."
        )
    for shown in all_shown:
        lines.append(f"{' and '.join(shown.networks)}: {shown.count} channels: {shown.told}.")
    lines.append(
        "Top sets are of the training pictures, 100 of them or a quarter of fewer than 400; numbers"
        " and pictures are those of the first seed. Under pictures stands the overlap with the "
        "first network that is drawn; green frames are of pictures that both have."
    )
    return notes(place, *lines)


def channels_item(name, title, *all_shown, runs):
    """An Item of channels that are shown."""
    needs = dict.fromkeys((s.dataset, STYLE if s.dataset == RASTA else LABELS) for s in all_shown)
    needs |= dict.fromkeys([(RASTA, STYLE)])
    return Item(
        name,
        "figure",
        title,
        "",
        tuple(needs),
        functools.partial(plan_channels, all_shown),
        functools.partial(measure_channels, all_shown),
        functools.partial(draw_channels, all_shown),
        runs,
        CHANCE_OF_SETS,
        functools.partial(image_notes, all_shown),
    )


def trainings_item(name, title, images, tops):
    """An Item of one channel after several trainings."""
    return Item(
        name,
        "figure",
        title,
        "",
        RASTA_ALONE,
        functools.partial(plan_trainings, images, tops),
        measure_trainings,
        functools.partial(draw_trainings, images, tops),
        len(FEW_TRAININGS),
        CHANCE_OF_SETS,
        functools.partial(image_notes, (replace(OF_TRAININGS, images=images),)),
    )


def boxes_item(name, title, pairs, columns, runs, published=""):
    """An Item of overlaps and entropies by layer."""
    lines = (
        "Means over the channels of a layer, with Student's interval over channels; of training "
        "pictures. The sets of 1000 are at most half, those of 100 at most a quarter of these. A "
        "channel that fewer pictures fire in one of the networks is left out; under each box stands"
        " how many are.",
    )
    return Item(
        name,
        "figure",
        title,
        published,
        RASTA_ALONE,
        functools.partial(plan_boxes, pairs),
        measure_boxes,
        functools.partial(draw_boxes, columns),
        runs,
        CHANCE_OF_SETS,
        lambda place: notes(place, *lines),
        "over the channels of the layer",
    )


CHANCE_OF_SETS = "what pictures drawn at random would give"
CHANCE_OF_CKA = "CKA of shuffled pictures, the distance of shuffled weights"
RASTA_ALONE = ((RASTA, STYLE),)
SMALL_ONES = tuple((dataset, LABELS) for dataset in SMALL_SETS)
BEFORE_AFTER = (IMAGENET, A1)
# scratch -> its start and itself
FROM_START = {name: (f"{START}, {name}", name) for name in (END, SCRATCH)}
GATHERING = {name: Shown(pair, "middle", "least entropy", 4) for name, pair in FROM_START.items()}
HIGH = Shown(BEFORE_AFTER, "high", "least entropy", 4)
DOUBLY = Shown((IMAGENET, FINE, A1, DOUBLE), "middle", "spread", 3, pair=(2, 3), dataset=ICONART)

TABLES = (
    Item(
        "table1",
        "table",
        "top-1, top-3 and top-5 accuracy on RASTA",
        "table1",
        RASTA_ALONE,
        plan_table1,
        measure_table1,
        runs=4,
        chance="what the commonest classes would give, as many as answers count",
        notes=lambda place: notes(
            place,
            "The ensemble is the mean of the answers of the three runs above it (transfer.ensemble "
            "finds or makes it too).",
        ),
    ),
    Item(
        "table2",
        "table",
        "mean distance of the kernels of two networks",
        "table2",
        RASTA_ALONE,
        plan_table2,
        measure_distances,
        runs=5,
        chance="the distance to the second network with its weights shuffled in each layer",
        notes=notes,
    ),
    Item(
        "table3",
        "table",
        "mean average precision on Paintings and IconArt",
        "table3",
        (*RASTA_ALONE, *SMALL_ONES),
        plan_table3,
        measure_table3,
        runs=15,
        chance="what scores that know nothing would give, the mean share of positives",
        notes=lambda place: small_notes(
            place,
            "Intervals are the bootstrap's over test pictures; where a label has few of them they "
            "are too narrow (78 % instead of 95 with 16 positives: docs/worth.md).",
        ),
    ),
    Item(
        "table4",
        "table",
        "mean CKA and distance of networks fine-tuned on Paintings and IconArt",
        "table4",
        (*RASTA_ALONE, *SMALL_ONES),
        plan_table4,
        measure_similarity,
        runs=11,
        chance=CHANCE_OF_CKA,
        notes=lambda place: small_notes(
            place,
            "CKA is the paper's form, biased upwards, on test pictures; its interval is the mean "
            "of those of the layers. The last row is on RASTA's pictures.",
        ),
    ),
    Item(
        "table5",
        "table",
        "modes of training: the recipes",
        "table5",
        (),
        plan_table5,
        measure_recipes,
        notes=lambda place: ["The numbers of the recipes, which small collections may change."],
    ),
)
FIGURES = (
    channels_item(
        "figure1",
        "channels of the middle before and after fine-tuning, with their top pictures",
        Shown(BEFORE_AFTER, "middle", "least overlap", 3),
        Shown(BEFORE_AFTER, "middle", "near 46 %", 1),
        runs=1,
    ),
    trainings_item("figure2", "one channel's image after several trainings", True, False),
    channels_item(
        "figure3",
        "high channels that gather classes",
        replace(HIGH, count=2),
        runs=1,
    ),
    channels_item(
        "figure4",
        "channels of networks from scratch",
        *(replace(shown, count=2) for shown in GATHERING.values()),
        runs=2,
    ),
    Item(
        "figure5",
        "figure",
        "CKA of pairs of networks by layer",
        "figure5",
        RASTA_ALONE,
        plan_figure5,
        measure_cka,
        draw_cka,
        5,
        "CKA of shuffled pictures",
        lambda place: notes(place, "The paper's form of CKA, biased upwards, on test pictures."),
    ),
    boxes_item(
        "figure6",
        "overlap and entropy of top pictures by layer, after fine-tuning",
        (BEFORE_AFTER,),
        (OVERLAP, OVERLAP_1000, BEFORE, ENTROPY),
        1,
        "figure6",
    ),
    channels_item(
        "figure7",
        "images of low channels before and after fine-tuning",
        Shown(BEFORE_AFTER, "low", "median overlap", 4, tops=False),
        runs=1,
    ),
    channels_item(
        "figure8",
        "two other channels of the middle before and after fine-tuning",
        Shown(BEFORE_AFTER, "middle", "least overlap", 2, skip=4),
        runs=1,
    ),
    trainings_item("figure9", "one channel's top pictures after several trainings", True, True),
    channels_item(
        "figure10",
        "images of high channels before and after fine-tuning",
        replace(HIGH, tops=False),
        runs=1,
    ),
    channels_item(
        "figure11",
        "top pictures of the same high channels",
        replace(HIGH, images=False),
        runs=1,
    ),
    channels_item(
        "figure12",
        "channels of the network whose end is from scratch, before and after",
        GATHERING[END],
        runs=1,
    ),
    channels_item(
        "figure13",
        "channels of the network from scratch, before and after",
        GATHERING[SCRATCH],
        runs=1,
    ),
    boxes_item(
        "figure14",
        "overlap of top pictures by layer, networks from scratch and their start",
        tuple(FROM_START.values()),
        (OVERLAP,),
        2,
    ),
    boxes_item(
        "figure15",
        "entropy of top pictures by layer, networks from scratch and their start",
        tuple(FROM_START.values()),
        (BEFORE, ENTROPY),
        2,
    ),
    channels_item(
        "figure16",
        "images of channels of the middle after fine-tuning on IconArt, RASTA, and both",
        replace(DOUBLY, tops=False),
        runs=3,
    ),
    channels_item(
        "figure17",
        "top pictures of IconArt of the same channels",
        replace(DOUBLY, images=False),
        runs=3,
    ),
    Item(
        "overlap_and_change",
        "figure",
        "overlap of top pictures against how much the image changed (section 3.4)",
        "overlap_and_change",
        RASTA_ALONE,
        plan_changes,
        measure_changes,
        draw_changes,
        1,
        "pictures drawn at random; the image of another channel",
        lambda place: image_notes((of_changes(place),), place),
    ),
)
PAPER = Paper(
    NAME,
    "Gonthier et al. 2020, An analysis of the transfer learning of convolutional neural networks "
    "for artistic images",
    NETWORKS,
    {RASTA: "rasta", PAINTINGS: "paintings", ICONART: "iconart"},
    SMALL,
    (*TABLES, *FIGURES),
)
