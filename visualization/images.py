"""Optimized images as one picture, shown in a notebook or saved."""

import importlib
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from models.errors import InputError
from transfer.result_folder import check_writable, write_bytes

KINDS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG"}  # by the ending of a file's name
QUALITY = 95  # of JPEG, the highest that Pillow advises
GAP = 4  # white pixels between images


def show(images):
    """Display a picture in a notebook, or give it; see visualization.show."""
    picture = joined(images)
    if not _in_notebook():
        return picture
    # no dependency of ours: only a notebook's own is asked for
    importlib.import_module("IPython.display").display(picture)
    return None


def save(images, path):
    """Write a picture; see visualization.save."""
    path = Path(path)
    kind = KINDS.get(path.suffix.lower())
    if not kind:
        raise InputError(f"path is {path}; accepted: a name that ends in {', '.join(KINDS)}")
    picture = joined(images)
    check_writable(path)
    from transfer.plots import as_bytes

    write_bytes(path, as_bytes(picture if kind == "PNG" else _opaque(picture), kind))
    return path


def joined(images):
    """One picture of images: those of an array side by side, the items of a list below each other.

    Args:
        images: as for visualization.show.

    Returns:
        PIL.Image.Image, RGB or, where all images have a fourth channel, RGBA.

    Raises:
        InputError: no image, or an array of another shape, type or range.
    """
    rows = [_row(item) for item in (images if isinstance(images, list | tuple) else [images])]
    if not rows:
        raise InputError("images is empty; accepted: one or more")
    if len({row.shape[-1] for row in rows}) > 1:
        raise InputError("images have 3 and 4 channels; accepted: one number of channels")
    height, width = (max(row.shape[1 + axis] for row in rows) for axis in (0, 1))
    most = max(len(row) for row in rows)
    mode = "RGBA" if rows[0].shape[-1] == 4 else "RGB"
    size = most * (width + GAP) - GAP, len(rows) * (height + GAP) - GAP
    sheet = Image.new(mode, size, "white")
    for down, row in enumerate(rows):
        for across, image in enumerate(row):
            sheet.paste(Image.fromarray(image), (across * (width + GAP), down * (height + GAP)))
    return sheet


def _row(images):
    """Images of one array as uint8 (N, H, W, 3 or 4)."""
    images = np.asarray(images)
    images = images[None] if images.ndim == 3 else images
    if images.ndim != 4 or images.shape[-1] not in (3, 4) or not images.size:
        raise InputError(
            f"images have the shape {images.shape}; accepted: (N, H, W, 3 or 4), (H, W, 3 or 4), "
            "or a list of such"
        )
    if images.dtype == np.uint8:
        return images
    if images.dtype.kind != "f":
        raise InputError(f"images are of {images.dtype}; accepted: float in [0, 1], or uint8")
    low, high = images.min(), images.max()
    if not (low >= 0 and high <= 1):
        raise InputError(
            f"images hold {low:g} to {high:g}; accepted: float in [0, 1], or uint8 from 0 to 255"
        )
    return np.uint8(np.round(images * 255))


def _opaque(picture):
    """A picture on white, as JPEG has no opacity."""
    if picture.mode == "RGB":
        return picture
    return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")


def _in_notebook():
    """Whether a notebook's kernel runs this, which can show pictures; a terminal cannot."""
    ipython = sys.modules.get("IPython")
    shell = ipython and ipython.get_ipython()
    return bool(shell) and hasattr(shell, "kernel")
