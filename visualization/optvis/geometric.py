"""Geometric transforms of a batch of images, merged into one resampling."""

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass

from keras import ops

from models.backend import fused, uniform
from visualization.optvis.resampling import resample

OUTSIDE = 0.5  # the middle of [0, 1], what is seen outside; the pad of Lucid's standard list


@dataclass(frozen=True)
class Geometric:
    """A transform that only moves pixels, so that it can be merged with its neighbours.

    matrix: function of (uniforms (N, draws) in [0, 1), (h, w) of the images) -> (N, 3, 3), from
    places in the output to places in the input, in pixels from the middle.
    """

    matrix: Callable | None  # None: nothing moves
    draws: int = 0  # random numbers for each image
    stretch: float = 1.0  # resampling.resample
    fill: float | None = None  # value outside
    size: tuple | None = None  # of the output, where it is not the input's
    border: tuple | None = None  # (pixels, mode) put around before anything moves


def joins(step, transform):
    """Can the transform be merged into the group before it?"""
    if not isinstance(step, list) or transform.border:
        return False
    fills = {one.fill for one in [*step, transform] if one.fill is not None}
    return len(fills) <= 1


@functools.lru_cache(maxsize=32)  # compiled once, however many networks it is used for
def merged(group):
    """Make one resampling of a group of geometric transforms.

    Args:
        group: tuple of Geometric, those with a border only in the first place.

    Returns:
        Callable (images (N, H, W, C) float32, seeds int32 (N, 2)) -> (N, h, w, C).
    """
    draws = sum(transform.draws for transform in group)
    fill = next((one.fill for one in group if one.fill is not None), OUTSIDE)
    stretch = math.prod(transform.stretch for transform in group)
    moving = [transform for transform in group if transform.matrix]

    def moved(images, uniforms):
        size, matrix, first = images.shape[1:3], None, 0
        for transform in moving:
            own = transform.matrix(uniforms[:, first : first + transform.draws], size)
            matrix = own if matrix is None else ops.matmul(matrix, own)
            first, size = first + transform.draws, transform.size or size
        if group[0].border:
            w, mode = group[0].border
            images = ops.pad(images, ((0, 0), (w, w), (w, w), (0, 0)), mode)
        return resample(images, matrix, size, fill, stretch)

    if not moving:
        return lambda images, seeds: images
    moved = fused(moved)

    return lambda images, seeds: moved(images, uniform(draws, seeds))


def chosen(values, uniforms):
    """One of a list for each image, equally likely, by uniforms (N, 1): (N,) float32."""
    index = ops.cast(ops.floor(uniforms[:, 0] * len(values)), "int32")
    return ops.take(ops.convert_to_tensor(values, "float32"), index)


def matrices(entries):
    """Matrices (N, 3, 3) of six entries (N,), row after row, without the last row."""
    zero = ops.zeros_like(entries[0])
    return ops.reshape(ops.stack([*entries, zero, zero, zero + 1.0], axis=-1), (-1, 3, 3))
