"""Gradients on their way: larger inside a float16 network, stopped where they are not finite."""

import functools

from keras import ops

from models.backend import fused


@ops.custom_gradient
def scaled(x, factor):
    """x, with a gradient `factor` times as large."""

    def gradient(*first, upstream=None):
        upstream = first[0] if upstream is None else upstream
        return upstream * factor, ops.zeros_like(factor)

    return x, gradient


def guarded(images, alive, factor):
    """Images, with a gradient `factor` times as large; 0 for one not alive or not finite.

    Args:
        images: (N, H, W, C) float32. alive: float32 (N,), 0 for images that stopped.
        factor: number.

    Returns:
        The images.
    """
    return _compiled()(images, alive, factor)


@functools.lru_cache(maxsize=1)  # once, however many ascents there are
def _compiled():
    return fused(_guarded)


@ops.custom_gradient
def _guarded(images, alive, factor):
    def gradient(*first, upstream=None):
        upstream = first[0] if upstream is None else upstream
        finite = ops.all(ops.isfinite(upstream), axis=(1, 2, 3), keepdims=True)
        passes = ops.logical_and(finite, alive[:, None, None, None] > 0)
        kept = ops.where(passes, upstream * factor, ops.zeros_like(upstream))
        return kept, ops.zeros_like(alive), ops.zeros_like(factor)

    return images, gradient
