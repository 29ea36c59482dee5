"""What fine-tuning changed, in the figures and tables of Gonthier et al. 2020, from arrays.

pages = channel_pages(columns, ["before", "after"], paths)  # figures 1 to 4, 7 to 13, 16, 17
figure = cka_over_depth(layers, {"before, after": [cka, ...]})  # figure 5
content = plots.png(figure)

Nothing is computed here but positions, means and medians of boxes and tables, and best matches.
What the numbers are, and what they would be by chance, is visualization.similarity's.
"""

import functools
import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from PIL import Image, ImageDraw

from models.errors import InputError
from transfer import plots
from transfer.results import one_line
from visualization import figures
from visualization.page import MOST_SIDE

# ---- the figure of channels, in pixels
COLUMN = 480  # across, at most: a top picture of a grid of ten is then 40 pixels wide
GAP = 14  # between columns
LETTERS, HEADING = 16, 20  # heights of letters
MOST_GRID, MOST_ACROSS, MOST_NETWORKS = 20, 20, 6  # a figure of the paper has 10, 8 and 4
MOST_SHARES = 3  # classes printed: the paper's captions, "the 3 most common class"
NO_BREAK = "\N{NO-BREAK SPACE}"
GREEN, FAINT = (0, 170, 60), (190, 190, 190)

# ---- charts, in inches and points
SMALL, TINY = 9, 7
LETTERS_PER_INCH = 11  # of titles; Chinese ones take twice the room
MOST_WIDTH = 15  # inches
MOST_ENTRY = 100  # letters of an entry of a legend
LINE_LETTERS = 10  # that the line before an entry takes the room of
ENTRY = 0.17  # inches of an entry from the top down
MOST_NAMES = 40  # layers named on an axis; of more every second, third, ... one is
# Captions of figures 6, 14 and 15: "the horizontal orange line corresponds to the average result
# and the star to the median"
MEAN_LINE, MEDIAN_STAR = {"color": "#E08000", "linewidth": 2}, {"color": "#0072B2"}
CHANCE = {"color": "0.87", "zorder": 0}
MEASURES = {  # what boxes are of: name of the axis, factor
    "overlap": ("overlap of the top pictures (%)", 100),
    "entropy": ("entropy over classes (1: uniform)", 1),
}
BEST = {
    "marker": "o",
    "linestyle": "None",
    "markerfacecolor": "white",
    "markeredgecolor": "black",
    "markersize": 5,
}
MEAN_DISTANCE = "mean ℓ2 norm"  # as tables 2 and 4 call it
FEW = 5  # layers whose boxes would be drawn wider than high
MANY = 2000  # channels whose points are drawn smaller
NAME = 0.125  # inches that a name of TINY letters takes along its axis
BAR = 0.14  # inches across a scale of colours
MOST_SHADES = 20  # layers named beside the colours of depth
DEEPEST = 0.9  # of a colour map: its last tenth is too pale on white


@dataclass(frozen=True)
class Seen:
    """What one network has for a channel.

    top: indices of its top pictures, best first; negative ones are left out. shares: (class,
    share from 0 to 1), the commonest first. image: its optimized image, as a picture of
    channel_pages, or None. overlap: of top with the first network's, from 0 to 1, or None. note: a
    line under the image.
    """

    top: Sequence[int]
    shares: Sequence[tuple[str, float]] = ()
    image: Any = None
    overlap: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Column:
    """A channel as several networks have it: a Seen for each."""

    title: str
    seen: Sequence[Seen]

    def shared(self, number):
        """Indices of the pictures that are framed in the top set of a network, by its number."""
        others = self.seen[1:] if number == 0 else self.seen[:1]
        return [index for seen in others for index in _kept(seen.top)]


def _kept(top):
    return [int(index) for index in top if index >= 0]


def channel_pages(
    columns, networks, pictures, *, chance=None, grid=10, across=5, title="", say=print
):
    """Draw channels side by side: for each network the optimized image, below it the top pictures.

    A picture is framed in green where the other network has it in its top set too, whether it is
    among those drawn there or not; of more than two networks the first is the other one for all,
    and the first's own pictures are framed where any has them. Below stand the three commonest
    classes, and the overlap beside what chance gives.

    Args:
        columns: list of Column. Where no channel has an image of a network, that row is left out.
        networks: list of str, a network for each Seen of a column, at most MOST_NETWORKS.
        pictures: list, dict or function: index -> picture. A picture is a path, the bytes of a
            file, a Pillow picture, or an array (H, W, 3), uint8 or floats in [0, 1]; it keeps its
            proportion, and is crossed out where it cannot be opened.
        chance: visualization.similarity.Chance of the overlap, or None.
        grid: the grid × grid first top pictures are drawn; 0 for images alone.
        across: channels on a page.
        title: above every page.
        say: called with one line where no installed font has a text's letters.

    Returns:
        list of bytes, a PNG file a page, no side longer than page.MOST_SIDE.

    Raises:
        InputError: nothing to draw; a column without a Seen per network; grid, across or networks
            out of their ranges.

    Source:
        Gonthier et al. 2020, figures 1 to 4, 7 to 13, 16 and 17.
    """
    _check_pages(columns, networks, grid, across)
    font = plots.font_for(_words(columns, networks, title), say)
    parts = [columns[start : start + across] for start in range(0, len(columns), across)]
    width = min(COLUMN, (MOST_SIDE - GAP) // min(across, len(columns)) - GAP)
    while True:
        sheets = [_Sheet(len(part), width, font) for part in parts]
        for number, (sheet, part) in enumerate(zip(sheets, parts, strict=True), start=1):
            sheet.heading(f"{title} ({number} of {len(parts)})" if len(parts) > 1 else title)
            sheet.texts([one_line(column.title) for column in part], HEADING)
            for place, network in enumerate(networks):
                sheet.heading(network, ruled=True)
                if any(column.seen[place].image is not None for column in columns):
                    sheet.images([column.seen[place] for column in part])
                if grid:
                    sheet.grids(part, place, pictures, grid)
                    sheet.texts([_shares(column.seen[place]) for column in part])
                sheet.texts([_overlap(column.seen[place], chance) for column in part], HEADING)
            sheet.heading(_foot(columns, grid), LETTERS)
        excess = max(sheet.height for sheet in sheets) - MOST_SIDE
        if excess <= 0:
            return [plots.as_bytes(sheet.drawn()) for sheet in sheets]
        width -= math.ceil(excess / (2 * len(networks)))


def _check_pages(columns, networks, grid, across):
    if not columns:
        raise InputError("no channel to draw")
    for name, number, least, most in (
        ("grid", grid, 0, MOST_GRID),
        ("across", across, 1, MOST_ACROSS),
        ("the number of networks", len(networks), 1, MOST_NETWORKS),
    ):
        if not least <= number <= most:
            raise InputError(f"{name} is {number}; accepted: {least} to {most}")
    for column in columns:
        if len(column.seen) != len(networks):
            raise InputError(
                f"{column.title}: what {len(column.seen)} networks have, for {len(networks)} names"
            )
    if not grid and all(seen.image is None for column in columns for seen in column.seen):
        raise InputError("nothing to draw: grid is 0, and no channel has an optimized image")


def _words(columns, networks, title):
    yield from (title, *networks)
    for column in columns:
        yield column.title
        for seen in column.seen:
            yield seen.note
            yield from (name for name, _ in seen.shares[:MOST_SHARES])


def _foot(columns, grid):
    """What the frames mean, and how many of the top pictures are drawn."""
    most = max(len(seen.top) for column in columns for seen in column.seen)
    parts = []
    if grid and any(column.shared(0) for column in columns):
        of = "both networks" if len(columns[0].seen) == 2 else "the first network and another"
        parts.append(f"green frame: in the top {most} of {of}")
    if 0 < grid**2 < most:
        parts.append(f"the first {grid**2} of the top {most} are shown")
    return "; ".join(parts)


def _shares(seen):
    """The commonest classes of top pictures, a line each; the share is not parted from the name."""
    if not _kept(seen.top):
        return "no picture fires it"
    lines = [f"{_percent(share)} {one_line(name)}" for name, share in seen.shares[:MOST_SHARES]]
    return "\n".join(line.replace(" ", NO_BREAK) for line in lines)


def _overlap(seen, chance):
    if seen.overlap is None or math.isnan(seen.overlap):
        return ""
    beside = "" if chance is None else f" (chance {_percent(chance.mean)})"
    return f"overlap {_percent(seen.overlap)}{beside}"


def _percent(share):
    return f"{_two_digits(100 * share)} %"


def _two_digits(number):
    """A number as text with two digits, more where it is 100 or above."""
    return f"{number:.0f}" if number >= 9.95 else f"{number:.2g}"


class _Sheet:
    """Bands from top to bottom across columns of one width, drawn when all are known."""

    def __init__(self, count, width, font):
        self.lefts = [GAP + number * (width + GAP) for number in range(count)]
        self.width, self.font = width, font
        self.bands = []  # of (height, function of a Pillow picture and a top)

    @property
    def across(self):
        return self.lefts[-1] + self.width + GAP

    def heading(self, text, size=HEADING, ruled=False):
        """Add a line or two over all columns, with a rule above."""
        if not text:
            return
        lines = plots.broken_lines(one_line(text), self.font, self.across - 2 * GAP, size)

        def draw(sheet, top):
            if ruled:
                line = (GAP, top + 3, self.across - GAP, top + 3)
                ImageDraw.Draw(sheet).line(line, fill=FAINT, width=2)
            place = (GAP, top + size // 2)
            plots.draw_lines(sheet, place, lines, self.font, size, _spacing(size))

        self.bands.append((_spacing(size) * len(lines) + size, draw))

    def texts(self, texts, size=LETTERS):
        """Add a text for every column, of the height of the longest."""
        broken = [plots.broken_lines(text, self.font, self.width, size) for text in texts]
        if not any(texts):
            return

        def draw(sheet, top):
            for left, lines in zip(self.lefts, broken, strict=True):
                plots.draw_lines(sheet, (left, top), lines, self.font, size, _spacing(size))

        self.bands.append((_spacing(size) * max(map(len, broken)) + size // 2, draw))

    def images(self, seen):
        """Add the optimized images, an empty frame where there is none, and their notes."""

        def draw(sheet, top):
            for left, one in zip(self.lefts, seen, strict=True):
                if one.image is not None:
                    plots.paste(sheet, _readable(one.image), (left, top), self.width)
                    continue
                corners = (left, top, left + self.width - 1, top + self.width - 1)
                ImageDraw.Draw(sheet).rectangle(corners, outline=FAINT)
                place = (left + LETTERS // 2, top + LETTERS // 2)
                plots.draw_lines(sheet, place, ["no optimized image"], self.font, LETTERS)

        self.bands.append((self.width + LETTERS // 2, draw))
        self.texts([one_line(one.note) for one in seen])

    def grids(self, columns, place, pictures, grid):
        """Add the top pictures that a network, by its place, has for every column."""
        find = pictures if callable(pictures) else pictures.__getitem__

        def draw(sheet, top):
            for left, column in zip(self.lefts, columns, strict=True):
                shared, tops = set(column.shared(place)), _kept(column.seen[place].top)
                for number, index in enumerate(tops[: grid**2]):
                    corner = _corner(number, grid, self.width)
                    corner = (left + corner[0], top + corner[1])
                    picture = functools.partial(_readable, find(index))
                    _tile(sheet, picture, corner, self.width // grid, index in shared)

        self.bands.append((self.width + LETTERS // 2, draw))

    @property
    def height(self):
        return sum(height for height, _ in self.bands) + GAP

    def drawn(self):
        """The Pillow picture of all bands."""
        sheet, top = Image.new("RGB", (self.across, self.height), plots.PAPER), GAP // 2
        for height, draw in self.bands:
            draw(sheet, top)
            top += height
        return sheet


def _spacing(size):
    """Pixels from line to line of letters of a size."""
    return round(1.4 * size)


def _corner(number, grid, side):
    """Left and top of a tile within its square grid, in pixels."""
    row, column = divmod(number, grid)
    return column * (side // grid), row * (side // grid)


def _tile(sheet, picture, corner, pitch, framed):
    """Draw a top picture, with room for its frame, and the frame."""
    frame = max(2, pitch // 16)
    if framed:
        end = [start + pitch - 2 for start in corner]
        rectangle = (*corner, *end)
        ImageDraw.Draw(sheet).rectangle(rectangle, plots.PAPER, GREEN, frame)
    place = tuple(start + frame for start in corner)
    plots.paste(sheet, picture, place, pitch - 1 - 2 * frame)


def _readable(picture):
    """A picture as plots.paste takes it: a path or the bytes of a file."""
    if isinstance(picture, np.ndarray):
        whole = np.issubdtype(picture.dtype, np.integer)
        return plots.as_bytes(Image.fromarray(picture)) if whole else figures.png(picture)
    return plots.as_bytes(picture) if isinstance(picture, Image.Image) else picture


# ---- charts


class _Chart:
    """A matplotlib figure whose names may be of any script, and any characters of a formula."""

    def __init__(self, size, title, names, say):
        self.font = plots.font_for([title, *names], say)
        self.figure = Figure(figsize=size, layout="constrained")
        letters = round(size[0] * (LETTERS_PER_INCH if title.isascii() else LETTERS_PER_INCH / 2))
        self.title = textwrap.fill(one_line(title), letters, max_lines=3, placeholder="…")

    def write(self, setter, text, size=SMALL):
        """Write a text by a function of matplotlib, such as Axes.set_title."""
        setter(self.font.shown(text), size=size, family=self.font.families, parse_math=False)

    def name(self, axis, layers, most=MOST_NAMES, **how):
        """Write the names of layers at the whole numbers of a matplotlib Axis, thinned out."""
        step = math.ceil(len(layers) / most)
        labels = [self.font.shown(plots.shortened(one_line(name))) for name in layers[::step]]
        axis.set_ticks(range(0, len(layers), step), labels, **how)
        for label in axis.get_ticklabels():
            label.set(parse_math=False, family=self.font.families, size=TINY)

    def legend(self, where, entries, **how):
        """Draw a legend of (line or patch, text) for a figure or axes."""
        lines = [line for line, _ in entries]
        texts = [self.font.shown(_cut(text)) for _, text in entries]
        legend = where.legend(lines, texts, fontsize=SMALL - 1, **how)
        for text in legend.get_texts():
            text.set(parse_math=False, family=self.font.families)


def _cut(text):
    return plots.shortened(one_line(text), MOST_ENTRY)


def _width_of(layers, each, least):
    """Inches of a chart with a place for each layer."""
    return min(MOST_WIDTH, max(least, 1.2 + each * len(layers)))


def _check_layers(layers, parts):
    """Refuse parts that do not have one item a layer."""
    if not len(layers):
        raise InputError("no layer to draw")
    for name, part in parts.items():
        if len(part) != len(layers):
            raise InputError(f"{name} has {len(part)} items, for {len(layers)} layers")


def _chance_text(chance, scale, unit=""):
    mean, low, high = (_two_digits(scale * x) for x in (chance.mean, chance.low, chance.high))
    return f"chance: {mean}{unit} ({low} to {high}{unit})"


def cka_over_depth(layers, pairs, *, title="", say=print):
    """Draw linear CKA over the depth of the layers, four numbers for each pair of networks.

    The debiased form is the wide line with the band of its interval, the paper's biased form the
    thin one, and the floor, what the paper's form gives for shuffled rows, the dashed one.

    Args:
        layers: names, in order of depth.
        pairs: dict, name of a pair -> for each layer a visualization.similarity.Cka (anything with
            paper, debiased, floor, low and high), or None where it was not compared. Numbers that
            are None or NaN are gaps.
        title: of the figure.
        say: as for channel_pages.

    Returns:
        matplotlib Figure.

    Raises:
        InputError: no layer, no pair, or another number of items than of layers.

    Source:
        Gonthier et al. 2020, figure 5; Kornblith et al. 2019; Nguyen et al. 2021.
    """
    _check_layers(layers, pairs)
    if not pairs:
        raise InputError("no pair of networks to draw")
    # entries of a legend side by side: as many as their letters leave room for
    beside = min(len(pairs), max(1, MOST_ENTRY // (max(map(len, pairs)) + LINE_LETTERS)))
    size = (_width_of(layers, 0.15, 8), 5.2 + ENTRY * math.ceil(len(pairs) / beside))
    chart = _Chart(size, title, [*layers, *pairs], say)
    axes = chart.figure.subplots()
    entries = []
    for number, (name, pair) in enumerate(pairs.items()):
        turn, place = divmod(number, len(plots.COLOURS))
        paint = {
            "color": plots.COLOURS[place],
            "marker": plots.MARKERS[turn % len(plots.MARKERS)] or ".",
        }
        entries.append((_draw_pair(axes, pair, paint), name))
    grey = functools.partial(Line2D, [], [], color="0.3")
    keys = [
        (grey(linewidth=2.5), "debiased"),
        (Patch(color="0.8"), "its interval"),
        (grey(linewidth=0.9), "the paper's form (biased)"),
        (grey(linewidth=1, linestyle="--"), "its floor: shuffled pictures"),
    ]
    chart.legend(chart.figure, entries, loc="outside lower center", ncols=beside)
    chart.legend(chart.figure, keys, loc="outside upper center", ncols=4)
    chart.write(axes.set_title, chart.title, SMALL + 1)
    chart.name(axes.xaxis, layers, rotation=60, ha="right", rotation_mode="anchor")
    axes.set_xlim(-0.5, len(layers) - 0.5)
    axes.set_ylim(min(0, axes.dataLim.y0) - 0.03, max(1, axes.dataLim.y1) + 0.03)
    axes.set_ylabel("linear CKA", size=SMALL)
    axes.tick_params("y", labelsize=SMALL)
    axes.axhline(0, color="0.6", linewidth=0.8, zorder=0)
    axes.grid(alpha=0.25)
    return chart.figure


def _draw_pair(axes, pair, paint):
    """Draw the four numbers of a pair; the line of the debiased form."""
    paper, debiased, floor, low, high = (
        _series(pair, name) for name in ("paper", "debiased", "floor", "low", "high")
    )
    places, colour = np.arange(len(pair)), paint["color"]
    axes.fill_between(places, low, high, color=colour, alpha=0.2, linewidth=0)
    alone = _alone(low + high)  # of which a band has nothing
    axes.vlines(places[alone], low[alone], high[alone], color=colour, alpha=0.3, linewidth=6)
    for values, width, style in ((paper, 0.9, "-"), (floor, 1, "--")):
        dots = {"marker": ".", "markersize": 4, "markevery": list(places[_alone(values)])}
        axes.plot(places, values, color=colour, linewidth=width, linestyle=style, **dots)
    return axes.plot(places, debiased, linewidth=2.5, markersize=6, **paint)[0]


def _series(pair, name):
    values = [None if cka is None else getattr(cka, name) for cka in pair]
    return np.array([math.nan if value is None else value for value in values], float)


def _alone(values):
    """Where values are known and neither neighbour is."""
    known = np.pad(np.isfinite(values), 1)
    return known[1:-1] & ~known[:-2] & ~known[2:]


def boxes_by_layer(layers, values, measure, *, chance=None, title="", say=print):
    """Draw a box for each layer of what its channels have: line at the mean, star at the median.

    The box holds the middle half, the whiskers 1.5 times its height at most (Tukey), dots are the
    channels beyond. What chance gives is a dashed line, its interval grey. Under each box stands
    how many channels were left out.

    Args:
        layers: names, in order of depth.
        values: for each layer a float array (channels,) in [0, 1], NaN for a channel left out.
        measure: one of MEASURES.
        chance: visualization.similarity.Chance (anything with mean, low and high), or None.
        title: of the figure.
        say: as for channel_pages.

    Returns:
        matplotlib Figure.

    Raises:
        InputError: no layer, another number of arrays than of layers, another measure.

    Source:
        Gonthier et al. 2020, figures 6, 14 and 15.
    """
    if measure not in MEASURES:
        raise InputError(f"measure is {measure!r}; accepted: {', '.join(MEASURES)}")
    _check_layers(layers, {"values": values})
    label, scale = MEASURES[measure]
    chart = _Chart((_width_of(layers, 0.24, 5.5), 5), title, layers, say)
    axes = chart.figure.subplots()
    values = [np.asarray(channels, float) for channels in values]
    known = [scale * channels[np.isfinite(channels)] for channels in values]
    entries = _draw_boxes(axes, known)
    if chance is not None:
        entries += _draw_chance(axes, chance, scale)
    pad = _count_left_out(axes, known, values)
    middle, half = (len(layers) - 1) / 2, max(len(layers), FEW) / 2 + 0.1
    axes.set_xlim(middle - half, middle + half)
    axes.set_ylim(-0.02 * scale, 1.02 * scale)
    chart.name(axes.xaxis, layers, 60, rotation=60, ha="right", rotation_mode="anchor")
    axes.tick_params("x", pad=pad)
    axes.tick_params("y", labelsize=SMALL)
    axes.set_ylabel(label, size=SMALL)
    chart.legend(chart.figure, entries, loc="outside lower right", ncols=len(entries))
    chart.write(axes.set_title, chart.title, SMALL + 1)
    return chart.figure


def _draw_boxes(axes, known):
    """Draw the boxes of layers that have any channel; entries of the legend."""
    places = [place for place, channels in enumerate(known) if len(channels)]
    drawn = [known[place] for place in places]
    entries = [(Line2D([], [], **MEAN_LINE), "mean")]
    entries += [(Line2D([], [], marker="*", linestyle="None", **MEDIAN_STAR), "median")]
    if not drawn:  # which boxplot refuses
        return entries
    axes.boxplot(
        drawn,
        positions=places,
        widths=0.6,
        meanline=True,
        showmeans=True,
        meanprops={**MEAN_LINE, "linestyle": "-"},
        medianprops={"linewidth": 0},
        flierprops={"marker": ".", "markersize": 2, "markeredgecolor": "0.5"},
        boxprops={"linewidth": 0.9},
        manage_ticks=False,
    )
    medians = [np.median(channels) for channels in drawn]
    star = min(7, 400 / len(known))  # points: no wider than the boxes of a figure of MOST_WIDTH
    axes.plot(places, medians, "*", markersize=star, zorder=3, **MEDIAN_STAR)
    return entries


def _draw_chance(axes, chance, scale):
    """Draw the level and the interval of chance across; an entry of the legend."""
    axes.axhspan(scale * chance.low, scale * chance.high, **CHANCE)
    axes.axhline(scale * chance.mean, color="0.4", linewidth=1, linestyle="--", zorder=1)
    text = _chance_text(chance, scale, " %" if scale == 100 else "")
    return [(Patch(facecolor=CHANCE["color"], edgecolor="0.4", linestyle="--"), text)]


def _count_left_out(axes, known, values):
    """Write under each place how many channels were left out; the points that takes."""
    size = 6.5
    counts = [f"{len(every) - len(some)}" for some, every in zip(known, values, strict=True)]
    width = max(map(len, counts))
    upright = len(counts) > 45 and width > 2  # else they would touch
    for place, count in enumerate(counts):
        axes.annotate(
            count,
            (place, 0),
            (0, -5),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            size=size,
            ha="center",
            va="top",
            rotation=90 if upright else 0,
            color="0.55" if count == "0" else "black",
            annotation_clip=False,
        )
    axes.annotate(
        "left out",
        (0, 0),
        (-6, -5),
        xycoords="axes fraction",
        textcoords="offset points",
        size=size,
        ha="right",
        va="top",
    )
    return 8 + (0.7 * size * width if upright else size)


def layer_maps(
    layers_a, layers_b, maps, *, names=("before", "after"), scale="linear CKA", title="", say=print
):
    """Draw the similarity of every layer of a network with every layer of another.

    In each row the greatest value is marked by a dot.

    Args:
        layers_a, layers_b: names, in order of depth; rows and columns.
        maps: dict, name of a measure -> float (rows, columns); NaN is drawn grey.
        names: of both networks.
        scale: what the colours are of.
        title: of the figure.
        say: as for channel_pages.

    Returns:
        matplotlib Figure.

    Raises:
        InputError: no layer, no map, or one of another shape.

    Source:
        Kornblith et al. 2019, figures 2 and 3; Gonthier et al. 2020, section 4 (universality).
    """
    shape = (len(layers_a), len(layers_b))
    for name, values in maps.items():
        if np.shape(values) != shape:
            raise InputError(f"{name} is of shape {np.shape(values)}, for layers {shape}")
    if not maps or 0 in shape:
        raise InputError("no layer or no map to draw")
    # all names beside a map of 60 layers, and no side of a figure above MOST_SIDE
    cell = min(0.32, max(NAME, 6 / max(shape)), 22 / max(2 * shape[0], len(maps) * shape[1]))
    height, width = (max(1.2, cell * count) for count in shape)
    wide = len(maps) * (width + 0.2)
    size = (wide + 2.6, height + 2.3)
    chart = _Chart(size, title, [*layers_a, *layers_b, *names, *maps], say)
    panels = chart.figure.subplots(1, len(maps), sharey=True, squeeze=False)[0]
    least = min([0.0, *(np.nanmin(m) for m in maps.values() if not np.isnan(m).all())])
    colours = matplotlib.colormaps["viridis"].with_extremes(bad="0.8")
    for axes, (name, values) in zip(panels, maps.items(), strict=True):
        drawn = axes.imshow(values, colours, Normalize(least, 1), aspect="auto")
        _mark_best(axes, np.asarray(values, float), 72 * cell)
        chart.name(axes.xaxis, layers_b, max(1, round(width / NAME)), rotation=90)
        chart.name(axes.yaxis, layers_a, max(1, round(height / NAME)))
        chart.write(axes.set_title, one_line(name))
        chart.write(axes.set_xlabel, plots.shortened(one_line(names[1])))
    chart.write(panels[0].set_ylabel, plots.shortened(one_line(names[0])))
    bar = chart.figure.colorbar(
        drawn, ax=panels, fraction=BAR / wide, pad=0.01, aspect=height / BAR
    )
    bar.ax.tick_params(labelsize=TINY)
    chart.write(bar.ax.set_ylabel, scale)
    chart.write(chart.figure.suptitle, chart.title, SMALL + 1)
    dot = Line2D([], [], **BEST)
    chart.legend(chart.figure, [(dot, "best match of the row")], loc="outside lower right")
    return chart.figure


def _mark_best(axes, values, points):
    """Mark the greatest value of each row that has any, the first of equal ones."""
    rows = np.flatnonzero(~np.isnan(values).all(axis=1))
    best = np.nanargmax(values[rows], axis=1) if len(rows) else rows
    axes.plot(best, rows, **{**BEST, "markersize": min(BEST["markersize"], 0.5 * points)})


def overlap_and_change(layers, overlaps, changes, *, ranks=None, chance=None, title="", say=print):
    """Draw how much the optimized images of channels changed against the overlap of their top sets.

    A point is a channel, coloured by the depth of its layer, a ring the mean of a layer. Beside
    it the rank correlation within each layer with its interval.

    Args:
        layers: names, in order of depth.
        overlaps: for each layer a float array (channels,) in [0, 1]; NaN: not drawn.
        changes: for each layer a float array (channels,), a distance of two images; NaN: no image.
        ranks: for each layer a visualization.similarity.Rank (anything with rho, low, high and n)
            or None; or None for all.
        chance: visualization.similarity.Chance of the overlap, or None.
        title: of the figure.
        say: as for channel_pages.

    Returns:
        matplotlib Figure.

    Raises:
        InputError: no layer, or another number of items than of layers.

    Source:
        Gonthier et al. 2020, section 3.4, which asks for it: "channels with low overlapping ratio
        seem to correspond to optimized images that are more modified by the fine-tuning".
    """
    parts = {"overlaps": overlaps, "changes": changes}
    _check_layers(layers, parts | ({"ranks": ranks} if ranks else {}))
    height = min(9, max(5, 1.5 + 0.13 * len(layers))) if ranks else 5
    chart = _Chart((11.5 if ranks else 6.5, height), title, layers, say)
    widths = {"width_ratios": (2, 1)} if ranks else {}
    axes, *beside = chart.figure.subplots(1, 2 if ranks else 1, squeeze=False, **widths)[0]
    _draw_cloud(chart, axes, layers, overlaps, changes, (100, 1))
    axes.set_xlabel(MEASURES["overlap"][0], size=SMALL)
    axes.set_ylabel("change of the optimized image (cosine distance)", size=SMALL)
    axes.set_xlim(-2, 102)
    if chance is not None:
        axes.axvspan(100 * chance.low, 100 * chance.high, **CHANCE)
        patch = Patch(facecolor=CHANCE["color"])
        entry = (patch, _chance_text(chance, 100, " %"))
        chart.legend(chart.figure, [entry], loc="outside lower left")
    if ranks:
        _draw_ranks(chart, beside[0], layers, ranks)
    return chart.figure


def _draw_cloud(chart, axes, layers, across, up, scales):
    """Draw a point for each channel that has both values, and a ring for each layer's mean."""
    depth = np.linspace(0, DEEPEST, len(layers))
    colours = ListedColormap(matplotlib.colormaps["viridis"](depth))
    pairs = [
        np.array([scales[0] * np.asarray(x, float), scales[1] * np.asarray(y, float)])
        for x, y in zip(across, up, strict=True)
    ]
    pairs = [pair[:, np.isfinite(pair).all(axis=0)] for pair in pairs]
    counts = [pair.shape[1] for pair in pairs]
    look = {"s": 14, "alpha": 0.7} if sum(counts) < MANY else {"s": 4, "alpha": 0.4}
    paints = np.repeat(colours.colors, counts, axis=0)
    axes.scatter(*np.concatenate(pairs, axis=1), color=paints, linewidths=0, **look)
    some = [number for number, count in enumerate(counts) if count]
    means = np.array([pairs[number].mean(axis=1) for number in some]).reshape(-1, 2)
    axes.scatter(*means.T, s=55, color=colours.colors[some], edgecolors="black", zorder=3)
    shades = ScalarMappable(Normalize(-0.5, len(layers) - 0.5), colours)
    bar = chart.figure.colorbar(shades, ax=axes, fraction=0.05, pad=0.02, aspect=30)
    bar.ax.invert_yaxis()  # the first layer at the top, as in a table
    chart.name(bar.ax.yaxis, layers, MOST_SHADES)
    told = f"{sum(counts)} channels; ringed: means of layers"
    chart.write(axes.set_title, f"{chart.title}\n{told}" if chart.title else told)
    axes.tick_params(labelsize=SMALL)
    axes.grid(alpha=0.25)


def _draw_ranks(chart, axes, layers, ranks):
    """Draw the rank correlation of each layer with its interval, from the top down."""
    rho, low, high = (_series(ranks, name) for name in ("rho", "low", "high"))
    places = np.arange(len(layers))
    axes.hlines(places, low, high, color="0.6", linewidth=2)
    axes.plot(rho, places, "o", color=plots.COLOURS[0], markersize=4)
    axes.axvline(0, color="0.3", linewidth=0.8)
    axes.set_xlim(-1.03, 1.03)
    axes.set_ylim(len(layers) - 0.5, -0.5)
    chart.name(axes.yaxis, layers, 60)
    axes.tick_params("x", labelsize=SMALL)
    axes.set_xlabel("rank correlation of the two, its interval", size=SMALL)
    axes.grid(alpha=0.25)


def entropy_before_after(layers, before, after, *, chance=None, title="", say=print):
    """Draw the entropy over classes of each channel's top pictures, after against before.

    A point is a channel, coloured by the depth of its layer, a ring the mean of a layer; below the
    diagonal training gathered classes. What chance gives is drawn on both sides.

    Args:
        layers: names, in order of depth.
        before, after: for each layer a float array (channels,) in [0, 1]; NaN: not drawn.
        chance: visualization.similarity.Chance of the entropy, or None.
        title: of the figure.
        say: as for channel_pages.

    Returns:
        matplotlib Figure.

    Raises:
        InputError: no layer, or another number of items than of layers.

    Source:
        Gonthier et al. 2020, figure 6b, before training too.
    """
    _check_layers(layers, {"before": before, "after": after})
    chart = _Chart((7.5, 6), title, layers, say)
    axes = chart.figure.subplots()
    _draw_cloud(chart, axes, layers, before, after, (1, 1))
    axes.axline((0, 0), slope=1, color="0.3", linewidth=1)
    if chance is not None:
        axes.axvspan(chance.low, chance.high, **CHANCE)
        axes.axhspan(chance.low, chance.high, **CHANCE)
        patch = Patch(facecolor=CHANCE["color"])
        entry = (patch, _chance_text(chance, 1))
        chart.legend(chart.figure, [entry], loc="outside lower left")
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    axes.set_xlabel("entropy over classes before", size=SMALL)
    axes.set_ylabel("entropy over classes after", size=SMALL)
    return chart.figure


# ---- tables


@dataclass(frozen=True)
class Compared:
    """Two networks on a collection: a row of the paper's tables.

    cka: for each layer a visualization.similarity.Cka (anything with paper, debiased and floor) or
    None. distances: Frobenius norm of the difference of the kernels, for each convolution.
    overlaps: for each layer a float array (channels,) in [0, 1]. NaN is left out everywhere.
    """

    net_a: str
    net_b: str
    collection: str
    cka: Sequence[Any]
    distances: Sequence[float]
    overlaps: Sequence[Any]

    @property
    def means(self):
        """The table's numbers by the names of their columns; NaN where there is none."""
        channels = [np.asarray(layer, float) for layer in self.overlaps]
        return {
            "mean CKA": _mean(_series(self.cka, "paper")),
            "mean debiased CKA": _mean(_series(self.cka, "debiased")),
            "mean CKA by chance": _mean(_series(self.cka, "floor")),
            MEAN_DISTANCE: _mean(self.distances),
            # of layers, as the other means: a wide layer counts once
            "mean overlap": _mean([_mean(layer) for layer in channels]),
        }


def _mean(values):
    """The mean of those that are numbers, NaN without any."""
    values = np.asarray(values, float)
    values = values[~np.isnan(values)]
    return float(values.mean()) if len(values) else math.nan


def table_2(compared):
    """The mean distance of kernels of pairs of networks, in the layout of the paper's table 2.

    Args:
        compared: list of Compared.

    Returns:
        DataFrame with the columns NetA, NetB, mean ℓ2 norm, and convolutions (that the mean is
        over); a row each.

    Source:
        Gonthier et al. 2020, table 2.
    """
    columns = ["NetA", "NetB", MEAN_DISTANCE, "convolutions"]
    rows = []
    for pair in compared:
        number = np.count_nonzero(~np.isnan(np.asarray(pair.distances, float)))
        rows.append((pair.net_a, pair.net_b, pair.means[MEAN_DISTANCE], number))
    return pd.DataFrame(rows, columns=columns)


def table_4(compared):
    """Mean CKA and distance of pairs on each collection, in the layout of the paper's table 4.

    Beside the paper's columns: the debiased form, what the paper's form gives for shuffled
    pictures, and the mean overlap (of each layer's mean).

    Args:
        compared: list of Compared; those of the same networks are one row.

    Returns:
        DataFrame, its index (NetA, NetB) and its columns (collection, number), both in the order
        they come in; NaN where a pair was not compared on a collection.

    Source:
        Gonthier et al. 2020, table 4.
    """
    rows, collections = {}, {}
    for pair in compared:
        row = rows.setdefault((pair.net_a, pair.net_b), {})
        row |= {(pair.collection, name): value for name, value in pair.means.items()}
        collections |= {column: None for column in row}
    index = pd.MultiIndex.from_tuples(rows, names=("NetA", "NetB"))
    columns = pd.MultiIndex.from_tuples(collections)
    values = [[row.get(column, math.nan) for column in collections] for row in rows.values()]
    return pd.DataFrame(values, index, columns)
