"""Parts and means of activations (N, ...) that objectives are made of; (N, C) is one place."""

from keras import ops

from models.errors import InputError
from visualization.optvis.bounds import below

SMALLEST_SQUARE = 1e-12  # ours: below it a root is constant, because its slope at 0 is infinite


def mean(values, but_channels=False):
    """Mean of each image: (N,) or, but channels, (N, C)."""
    axes = tuple(range(1, len(values.shape) - but_channels))
    return ops.mean(values, axis=axes) if axes else values


def total(values):
    """Sum of each image: (N,)."""
    return ops.sum(values, axis=tuple(range(1, len(values.shape))))


def root(squares):
    """Root with a finite slope at 0."""
    return ops.sqrt(ops.maximum(squares, SMALLEST_SQUARE))


def one_channel(maps, n, layer):
    """Channel n: (N, ...) without the last axis."""
    below("channel", n, maps.shape[-1], f"channels of {layer}")
    return maps[..., n]


def spatial(maps, layer):
    """The maps, where they have space; InputError otherwise."""
    if len(maps.shape) != 4:
        raise InputError(f"layer {layer} gives {tuple(maps.shape)}; accepted: maps (N, H, W, C)")
    return maps


def place(maps, x, y, layer):
    """Activations (N, C) at row x and column y; None for the middle."""
    maps = maps[:, None, None] if len(maps.shape) == 2 else maps
    height, width = spatial(maps, layer).shape[1:3]
    x = height // 2 if x is None else x
    y = width // 2 if y is None else y
    below("x", x, height, f"rows of {layer}")
    below("y", y, width, f"columns of {layer}")
    return maps[:, x, y]
