"""Figures of saliency and of its checks."""

import io
import textwrap

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from transfer.plots import COLOURS, as_bytes

DPI = 100  # pixels per inch: what makes a tile's pixels and the text's points go together
SMALL = 8  # points of text
LINE = 0.15  # inches, a line of that text
LETTER = 7  # pixels that one takes in the mean, with room to spare
MARGIN = 0.08  # inches between tiles
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
    return as_bytes(Image.fromarray(np.uint8(np.round(np.clip(image, 0, 1) * 255))))


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


def saliency_figure(titles, rows, tile):
    """Draw pictures in rows, and beside each its mask and overlay for every title.

    Args:
        titles: list of str, what each pair of columns is of.
        rows: list of (caption, width over height, square picture (H, H, 3) RGB in [0, 255], list
            with a (mask, text) for each title). All is drawn in the picture's own proportion.
        tile: longer side of a drawn picture in pixels.

    Returns:
        matplotlib Figure.
    """
    side = tile / DPI
    letters = int(2 * tile / LETTER)
    heads = [
        "\n".join(line for part in title.split("\n") for line in textwrap.wrap(part, letters))
        for title in titles
    ]
    lefts = [MARGIN + column * (side + MARGIN) for column in range(2 * len(titles) + 2)]
    y = MARGIN + LINE * max(head.count("\n") + 1 for head in heads)
    heights = [side * min(1, 1 / row[1]) for row in rows]
    size = lefts[-1], y + sum(heights) + len(rows) * (MARGIN + 1.5 * LINE)
    figure = Figure(figsize=size)
    for left, head in zip(lefts[2::2], heads, strict=False):
        _text(figure, left - MARGIN / 2, MARGIN / 2, head, weight="bold")
    for (caption, proportion, picture, seen), height in zip(rows, heights, strict=True):
        drawn = [picture / 255]
        for mask, _ in seen:
            drawn += [heat(mask), overlay(picture, mask)]
        width = side * min(1, proportion)
        for left, image in zip(lefts, drawn, strict=False):
            _image(figure, image, (left + (side - width) / 2, y, width, height))
        y += height + MARGIN / 4
        _text(figure, MARGIN + side / 2, y, _fitted(caption, letters // 2))
        for left, (_, text) in zip(lefts[2::2], seen, strict=False):
            _text(figure, left - MARGIN / 2, y, _fitted(text, letters))
        y += 1.5 * LINE + MARGIN * 3 / 4
    return figure


def _fitted(text, letters):
    return text if len(text) <= letters else text[: letters - 1] + "…"


def _image(figure, image, box):
    """Draw an image into (left, top, width, height) in inches, stretched."""
    (x, y, width, height), (wide, high) = box, figure.get_size_inches()
    axes = figure.add_axes((x / wide, 1 - (y + height) / high, width / wide, height / high))
    axes.imshow(image, aspect="auto")
    axes.axis("off")


def _text(figure, x, y, words, **how):
    """Write words below a point in inches from top left, in their middle."""
    wide, high = figure.get_size_inches()
    at = {"ha": "center", "va": "top", "size": SMALL, "parse_math": False}
    figure.text(x / wide, 1 - y / high, words, **at, **how)


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
        paints = {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(names)}
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
