"""Channels of networks that a figure shows: chosen by a rule, measured, drawn.

Gonthier et al. 2020, figures 1 to 4, 7 to 13, 16 and 17, whose authors chose channels by eye.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.errors import InputError
from papers.items import Number, measured
from papers.layers import BEFORE, ENTROPY, OVERLAP, looked_at

OF_CHANNELS = (OVERLAP, BEFORE, ENTROPY)


@dataclass(frozen=True)
class Shown:
    """Which channels of which networks a figure shows, and what of them.

    networks: names as `sides` has them. pair: numbers of the two whose top sets are compared.
    level: low, middle or high layers. order: of channels, one of ORDERS. count: how many. skip: how
    many are passed over. images, tops: whether optimized images and top pictures are drawn.
    dataset: whose training pictures.
    """

    networks: tuple[str, ...]
    level: str
    order: str
    count: int
    skip: int = 0
    pair: tuple[int, int] = (0, 1)
    images: bool = True
    tops: bool = True
    dataset: str = "RASTA"

    @property
    def told(self):
        """The rule in words."""
        passed_over = f", the first {self.skip} passed over" if self.skip else ""
        return f"{self.level} layers, {ORDERS[self.order]}{passed_over}"


ORDERS = {
    "least overlap": "the channel of least overlap of each layer, the least first",
    "median overlap": "the channel of median overlap of each layer, the least first",
    "least entropy": "the channel of least entropy after training of each layer, the least first, "
    "layers passed over that were not trained",
    "near 46 %": "the channel whose overlap is nearest to that of the paper's arch detector",
    "spread": "channels evenly spaced by overlap, from the least to the greatest",
}
# of a network's stages, by depth from 0 to 1: GoogLeNet's up to mixed3b, mixed4a to 4e, mixed5
LEVELS = {"low": (0, 0.4), "middle": (0.4, 0.8), "high": (0.8, 1), "middle and high": (0.4, 1)}
ARCH = 0.46  # overlap of figure 1's arch detector (section 3.1)
TOP_GRID = 10  # top pictures in a row, as in the paper


def level_layers(stages, level):
    """The convolutions of a level; those of the last stage where a network is too short for it.

    Args:
        stages: dict stage -> its convolutions, in order of depth.
        level: in LEVELS.
    """
    low, high = LEVELS[level]
    chosen = [
        layers
        for number, layers in enumerate(stages.values())
        if low <= (number + 0.5) / len(stages) < high
    ]
    chosen = chosen or [list(stages.values())[-1]]
    return [layer for layers in chosen for layer in layers]


def pick(values, order, count, skip=0):
    """Choose channels by a value.

    Args:
        values: dict layer -> float (channels,), NaN for those that cannot be chosen.
        order: in ORDERS.
        count, skip: how many are chosen, and passed over before.

    Returns:
        list of (layer, channel); fewer where there are fewer.
    """
    every = sorted(
        (float(value), number, layer, channel)
        for number, (layer, some) in enumerate(values.items())
        for channel, value in enumerate(some)
        if np.isfinite(value)
    )
    if order == "near 46 %":
        every.sort(key=lambda one: abs(one[0] - ARCH))
        return [one[2:] for one in every[skip : skip + count]]
    if order == "spread":
        places = np.unique(np.linspace(0, len(every) - 1, count).round().astype(int))
        return [every[place][2:] for place in places] if every else []
    of_layers = {}
    for one in every:
        of_layers.setdefault(one[2], []).append(one)
    if order == "median overlap":
        of_layers = {layer: some[(len(some) - 1) // 2 :] for layer, some in of_layers.items()}
    # each layer's first, then each layer's second, until there are enough
    rounds = max(map(len, of_layers.values()), default=0)
    chosen = [
        one
        for turn in range(rounds)
        for one in sorted(some[turn] for some in of_layers.values() if len(some) > turn)
    ]
    return [one[2:] for one in chosen[skip : skip + count]]


@dataclass(frozen=True)
class Channels:
    """The top sets of a Look's networks, and what tells channels apart: what `shown` chose of.

    sets: of each side. labels, classes: of the training pictures. pair: see Shown.
    """

    sets: tuple
    labels: np.ndarray
    classes: list
    pair: tuple[int, int]

    def overlap(self, layer, pair=None):
        """Overlap of each channel in two networks, from 0 to 1."""
        from visualization import top_sets

        first, second = (self.sets[number] for number in pair or self.pair)
        return top_sets.overlaps(first, second, layer, first.ks[0])

    def entropy(self, number, layer):
        """Entropy of each channel in a network; NaN where pictures have several labels."""
        from visualization import top_sets

        seen = self.sets[number]
        if self.labels.ndim > 1 or len(self.classes) < 2:
            return np.full(len(seen.firing[layer]), np.nan)
        return top_sets.entropies(seen, layer, seen.ks[0], self.labels, len(self.classes))


def open_channels(shown, look, runs):
    """The Channels of a Look."""
    sets = tuple(look.top_sets(number, runs) for number in range(len(look.sides)))
    store = look.data.open()
    return Channels(sets, store.labels["train"], store.classes, shown.pair)


def choose(shown, channels):
    """The channels that a figure shows: list of (convolution, channel)."""
    layers = level_layers(channels.sets[0].stages, shown.level)
    values = {layer: channels.overlap(layer) for layer in layers}
    if shown.order == "least entropy":
        trained = [layer for layer in layers if np.nanmin(values[layer], initial=1) < 1]
        values = {layer: channels.entropy(shown.pair[1], layer) for layer in trained}
    return pick(values, shown.order, shown.count, shown.skip)


def measure_channels(all_shown, cells, runs):
    """The overlap and entropies of the channels that are shown, of the first seed."""
    of_cell = {id(cell): shown for cell, shown in zip(cells, all_shown, strict=True)}

    def rows_of(cell, runs):
        shown, look = of_cell[id(cell)], cell.looks[0]
        channels = open_channels(shown, look, runs)
        return [
            {"layer": layer, "channel": channel} | of_channel(channels, layer, channel, cell)
            for layer, channel in choose(shown, channels)
        ]

    return measured(rows_of, cells, runs)


def draw_channels(all_shown, place, cells, runs):
    """Channels side by side, networks one below the other: pages of the first seed."""
    from visualization import paper_figures, similarity

    figures, made = {}, {id(cell) for cell in looked_at(cells, runs)}
    for shown, cell in zip(all_shown, cells, strict=True):
        if id(cell) not in made:
            continue
        look = cell.looks[0]
        try:
            channels = open_channels(shown, look, runs)
            chosen = choose(shown, channels)
        except InputError:
            continue  # its rows say why
        if not chosen:
            continue
        seen = channels.sets[0]
        pages = paper_figures.channel_pages(
            columns_of(shown, look, channels, chosen, runs),
            [side.called for side in look.sides],
            training_pictures(look.data),
            chance=similarity.chance_overlap(seen.pictures, seen.ks[0]),
            grid=grid_of(seen) if shown.tops else 0,
            title=f"{shown.told}; on {cell.on}",
        )
        figures |= {f"channels_{len(figures) + n}.png": page for n, page in enumerate(pages, 1)}
    return figures


def of_channel(channels, layer, channel, cell):
    """The cells of a channel's Numbers."""
    from visualization import similarity

    seen = channels.sets[0]
    chance = similarity.chance_overlap(seen.pictures, seen.ks[0]).mean
    values = {OVERLAP: (100 * channels.overlap(layer)[channel], 100 * chance)}
    if BEFORE in cell.columns:
        counts = np.bincount(channels.labels, minlength=len(channels.classes))
        even = similarity.chance_entropy(counts, seen.ks[0]).mean
        for column, number in zip((BEFORE, ENTROPY), channels.pair, strict=True):
            values[column] = (channels.entropy(number, layer)[channel], even)
    row = {}
    for column, (value, chance) in values.items():
        known = None if np.isnan(value) else float(value)
        each = () if known is None else (known,)
        row |= Number(known, of_each=each, chance=chance, pictures=seen.pictures).cells(column)
    return row


def grid_of(sets):
    """How many top pictures stand in a row: the paper's ten, of smaller top sets fewer."""
    return min(TOP_GRID, math.ceil(math.sqrt(sets.ks[0])))


def training_pictures(data):
    """The files of the training pictures of a Data, in stored order: list of Path."""
    from transfer.result_folder import read_csv

    store = data.open()
    paths = read_csv(store.folder / "split.csv").set_index("id")["path"]
    return [Path(data.jpg_images_path) / paths[name] for name in store.ids("train")]


def columns_of(shown, look, channels, chosen, runs):
    """paper_figures.Column of each channel."""
    from visualization import paper_figures

    images = [{} for _ in look.sides]
    if shown.images:
        images = [look.images(number, chosen, runs) for number in range(len(look.sides))]
    columns = []
    for layer, channel in chosen:
        seen = [
            seen_in(channels, number, layer, channel, images[number].get((layer, channel)))
            for number in range(len(look.sides))
        ]
        columns.append(paper_figures.Column(f"{layer}:{channel}", tuple(seen)))
    return columns


def seen_in(channels, number, layer, channel, image=None, pair=None):
    """paper_figures.Seen of a channel in a network; its overlap is that with the first network."""
    from visualization import paper_figures, top_sets

    sets = channels.sets[number]
    top = sets.top(layer, sets.ks[0])[:, channel]
    overlap = None
    if number or pair:
        overlap = float(channels.overlap(layer, pair or (0, number))[channel])
    shares = top_sets.common_labels(top, channels.labels, channels.classes)
    return paper_figures.Seen(top, tuple(shares), image, overlap)
