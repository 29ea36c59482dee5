"""Figures of saliency and of its checks."""

import io
import textwrap
import unicodedata
from typing import NamedTuple

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from transfer import plots
from visualization.page import BETWEEN, DPI, LINE, MARGIN

SMALL = 8  # points of text
LETTER = 7  # pixels that one takes in the mean, with room to spare
# before a predicted class and its colour, by whether it is the true one, for eyes that tell no
# colours too; of Okabe and Ito's palette, the first darker, so that small letters can be read
MARKS = {
    None: ("", "black"),
    True: ("\N{CHECK MARK} ", "#00664B"),
    False: ("\N{BALLOT X} ", "#B84A00"),
}
# Gradients have a few extreme pixels: SmoothGrad's released code (PAIR saliency,
# VisualizeImageGrayscale) shows everything above this percentile as the greatest value
PERCENTILE = 99
HEAT, SIGNED = "inferno", "seismic"  # colour maps of masks from 0 on, and around 0
OPAQUE = 0.85  # of the mask's greatest value over the grey picture
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601: grey of RGB


def png(image):
    """Encode an image as the bytes of a PNG file.

    Args:
        image: float array (H, W, 3 or 4), RGB(A) in [0, 1].
    """
    return plots.as_bytes(Image.fromarray(np.uint8(np.round(np.clip(image, 0, 1) * 255))))


def encoded(figure, file_format):
    """The bytes of a matplotlib Figure as `png`, `pdf` or `svg`, the same for the same figure."""
    undated = {"png": None, "pdf": {"CreationDate": None}, "svg": {"Date": None}}
    file = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "art-transfer"}):
        figure.savefig(file, format=file_format, dpi=DPI, metadata=undated[file_format])
    return file.getvalue()


def shades(mask):
    """A mask as it is coloured: float (H, W), in [0, 1], or [-1, 1] where it has negative values.

    Values beyond the 99th percentile of the magnitudes count as that one.
    """
    top = np.percentile(np.abs(mask), PERCENTILE)
    top = top or np.abs(mask).max() or 1.0  # nearly or wholly 0
    return np.clip(mask / top, -1, 1)


def heat(mask):
    """A mask in colours: (H, W) -> float (H, W, 3), RGB in [0, 1]; around 0 where it is signed."""
    shaded = shades(mask)
    if mask.min() < 0:
        return matplotlib.colormaps[SIGNED]((shaded + 1) / 2)[..., :3]
    return matplotlib.colormaps[HEAT](shaded)[..., :3]


def overlay(picture, mask):
    """The mask's colours over the picture in grey, the stronger the mask the more opaque.

    Args:
        picture: (H, W, 3), RGB in [0, 255].
        mask: (h, w); scaled to the picture's size (bilinear).

    Returns:
        float (H, W, 3), RGB in [0, 1].
    """
    mask = Image.fromarray(np.asarray(mask, np.float32))
    mask = np.asarray(mask.resize(picture.shape[1::-1], Image.Resampling.BILINEAR))
    grey = np.repeat((picture / 255 @ np.array(LUMA))[..., None], 3, axis=-1)
    opacity = OPAQUE * np.abs(shades(mask))[..., None]
    return grey * (1 - opacity) + heat(mask) * opacity


class Seen(NamedTuple):
    """What one column of masks has in a row.

    mask: (h, w). text: below it. right: whether the class in the text is the true one; None where
    that is not known.
    """

    mask: np.ndarray
    text: str = ""
    right: bool | None = None


class Row(NamedTuple):
    """A picture and what was seen in it.

    caption: below the picture, of one or several lines. proportion: its width over its height, in
    which all of the row is drawn. picture: square, (H, H, 3), RGB in [0, 255]. seen: a Seen for
    each pair of columns.
    """

    caption: str
    proportion: float
    picture: np.ndarray
    seen: list


def saliency_page(titles, rows, plan, say=print):
    """Draw a page of pictures in rows, and beside each its mask and overlay for every title.

    Args:
        titles: list of str, what each pair of columns is of.
        rows: list of Row, as many as fit the plan's blocks at most.
        plan: visualization.page.Plan.
        say: called with one line where no installed font has a text's letters.

    Returns:
        matplotlib Figure.
    """
    words = [*titles, *(row.caption for row in rows)]
    font = plots.font_for([*words, *(seen.text for row in rows for seen in row.seen)], say)
    tile = plan.tile
    heads = [_head(title, int(2 * tile / LETTER)) for title in titles]
    top = MARGIN + LINE * max(head.count("\n") + 1 for head in heads)
    blocks = [rows[start : start + plan.rows] for start in range(0, len(rows), plan.rows)]
    lines = max(row.caption.count("\n") + 1 for row in rows)
    heights = [sum(_height(row, tile, lines) for row in block) for block in blocks]
    width = len(blocks) * (plan.block_width + BETWEEN) - BETWEEN
    page = _Page(Figure(figsize=(width / DPI, (top + max(heights)) / DPI)), tile, font)
    for number, block in enumerate(blocks):
        left, y = number * (plan.block_width + BETWEEN), top
        for column, head in enumerate(heads):
            page.write(page.pair(left, column), MARGIN / 2, head, weight="bold")
        for row in block:
            page.draw(row, left, y)
            y += _height(row, tile, lines)
    return page.figure


def _head(title, letters):
    """A title in lines of so many letters."""
    parts = title.split("\n")
    return "\n".join(line for part in parts for line in textwrap.wrap(part, letters))


def _height(row, tile, lines):
    """Pixels that a row takes, with its text and margin."""
    return tile * min(1, 1 / row.proportion) + LINE * lines + LINE // 2 + MARGIN


class _Page:
    """A figure that is drawn on in pixels from its top left."""

    def __init__(self, figure, tile, font):
        self.figure, self.tile, self.font = figure, tile, font
        self.width, self.height = (side * DPI for side in figure.get_size_inches())

    def pair(self, left, column):
        """The middle of a mask and its overlay, of a block that begins at `left`."""
        return left + MARGIN + (2 * column + 2) * (self.tile + MARGIN) - MARGIN / 2

    def draw(self, row, left, y):
        """Draw a row whose top is at y, in a block that begins at `left`."""
        tile = self.tile
        width, height = tile * min(1, row.proportion), tile * min(1, 1 / row.proportion)
        drawn = [row.picture / 255]
        for seen in row.seen:
            drawn += [heat(seen.mask), overlay(row.picture, seen.mask)]
        for column, image in enumerate(drawn):
            x = left + MARGIN + column * (tile + MARGIN) + (tile - width) / 2
            self.image(image, (x, y, width, height))
        y += height + MARGIN / 4
        letters = int(tile / LETTER)
        caption = "\n".join(_fitted(line, letters) for line in row.caption.split("\n"))
        self.write(left + MARGIN + tile / 2, y, caption)
        for column, seen in enumerate(row.seen):
            mark, colour = MARKS[seen.right]
            text = _fitted(mark + seen.text, 2 * letters)
            self.write(self.pair(left, column), y, text, color=colour)

    def image(self, image, box):
        """Draw an image, RGB in [0, 1], into (left, top, width, height), stretched."""
        x, y, width, height = box
        place = (x / self.width, 1 - (y + height) / self.height)
        axes = self.figure.add_axes((*place, width / self.width, height / self.height))
        # whole numbers, which take an eighth of the memory
        axes.imshow(np.uint8(np.round(np.clip(image, 0, 1) * 255)), aspect="auto")
        axes.axis("off")

    def write(self, x, y, words, **how):
        """Write words below a point, in their middle."""
        at = {"ha": "center", "va": "top", "size": SMALL, "parse_math": False}
        how |= {"family": self.font.families}
        self.figure.text(x / self.width, 1 - y / self.height, self.font.shown(words), **at, **how)


def _fitted(text, letters):
    """A text cut where it is longer than so many letters; Chinese ones are as wide as two."""
    widths = [2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text]
    if sum(widths) <= letters:
        return text
    kept = np.searchsorted(np.cumsum(widths), letters - 1, side="right")
    return text[:kept] + "…"


def check_figure(checks):
    """Draw the checks of networks in rows: randomisation, deletion and insertion in columns.

    Args:
        checks: list of visualization.views.Check.

    Returns:
        matplotlib Figure.
    """
    curved = any(check.deletions for check in checks)
    # inches: a page's width for three panels
    figure = Figure(figsize=(10 if curved else 4.5, 3.7 * len(checks)), layout="constrained")
    panels = figure.subplots(len(checks), 3 if curved else 1, squeeze=False)
    for check, row in zip(checks, panels, strict=True):
        names = list(check.deletions or check.randomisations)
        paints = {name: plots.COLOURS[i % len(plots.COLOURS)] for i, name in enumerate(names)}
        _draw_randomisations(row[0], check, paints)
        for axes, kind in zip(row[1:], ("deletion", "insertion"), strict=False):
            _draw_curves(axes, check, kind, paints)
    return figure


def _draw_randomisations(axes, check, paints):
    for name, randomised in check.randomisations.items():
        # a constant mask has no correlation
        values = np.ma.masked_invalid(randomised.correlations).mean(axis=1)
        axes.plot(values, marker=".", color=paints[name], label=name)
    layers = [_fitted(name, 16) for name in randomised.layers]
    axes.set_xticks(range(len(layers)), ["none", *layers[1:]], rotation=60, ha="right", size=7)
    for label in axes.get_xticklabels():
        label.set_parse_math(False)
    axes.axhline(0, color="0.8", linewidth=1, zorder=0)
    axes.set_ylabel("rank correlation of masks", size=SMALL)
    axes.set_xlabel("layers with new weights, from the top down to", size=SMALL)
    axes.set_title(check.title, size=SMALL, parse_math=False)
    if not check.deletions:  # else the curves' legend serves here too
        axes.legend(fontsize=6, framealpha=0.5)


def _draw_curves(axes, check, kind, paints):
    curves = check.deletions if kind == "deletion" else check.insertions
    if not curves:
        axes.axis("off")
        return
    for name, curve in curves.items():
        label = f"{name}: area {curve.areas.mean():.3f}"
        style = "-" if name in check.randomisations else "--"  # the random order
        values = curve.probabilities.mean(axis=0)
        axes.plot(curve.fractions, values, style, color=paints[name], label=label)
    order = "deleted" if kind == "deletion" else "put into the blurred picture"
    axes.set_xlabel(f"share of pixels {order}", size=SMALL)
    axes.set_ylabel(f"{check.output} of the class", size=SMALL)
    axes.set_title(f"{kind} ({'lower' if kind == 'deletion' else 'higher'} is better)", size=SMALL)
    below = (0.5, -0.22)  # of the panel: beside the names of the layers, over no curve
    axes.legend(fontsize=6, ncols=2, loc="upper center", bbox_to_anchor=below)
