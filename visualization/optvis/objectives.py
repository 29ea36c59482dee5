"""Objectives of ascent, under Lucid's names: what an optimized image shall have much of.

An Objective is called with T, a function from a layer's name to its activations (N, H, W, C) or
(N, C), float32. T("input") is the image before transforms, (N, H, W, C) in [0, 1]; T("labels") the
list of class names; T("channels") the channel numbers (N,) that the ascent holds. The objective
gives scores (N,), one for each image, or a scalar where it is about the batch as a whole
(diversity, alignment). Ascent raises the sum of scores over images; a scalar counts once for each.

Source of all: Lucid (Olah et al. 2017), optvis/objectives.py, where scores are batch means.
"""

import difflib

import numpy as np
from keras import ops

from models.errors import InputError
from visualization.optvis.bounds import below, whole_number
from visualization.optvis.objective import Objective

LEAST_COSINE = 0.1  # Lucid: cosines are raised to this floor, so that their powers have a slope
COSINE_EPSILON = 1e-4  # Lucid: added to both lengths
L2_EPSILON = 1e-6  # Lucid: added under the root
GRAM_EPSILON = 1e-10  # Lucid: least squared length of a Gram matrix
SMALLEST_SQUARE = 1e-12  # ours: below it a root is constant, because its slope at 0 is infinite
ALIGNED_DISTANCES = (1, 2, 3, 4)  # Lucid: images as far apart in the batch are compared


def as_objective(given):
    """Read an objective: an Objective, "layer:52" for a channel, "layer:label" for a class.

    Raises:
        InputError: anything else.
    """
    if isinstance(given, Objective):
        return given
    parts = given.rpartition(":") if isinstance(given, str) else ("", "", "")
    layer, n = parts[0].strip(), parts[2].strip()
    if not (layer and n):
        raise InputError(
            f"objective {given!r}; accepted: an Objective, 'layer:channel' or 'layer:label'"
        )
    return channel(layer, int(n)) if n.isdecimal() else class_logit(layer, n)


def channel(layer, n, batch=None):
    """Mean of channel n over space; `batch`: of this image of the batch only."""
    whole_number("channel", n)
    return _named("channel", layer, n, batch, lambda T: _mean(_channel(T(layer), n, layer)))


def each_channel(layer):
    """Mean over space of the channel whose number the ascent holds for each image."""

    def scores(T):
        means = _mean(T(layer), but_channels=True)
        return ops.take_along_axis(means, T("channels")[:, None], axis=1)[:, 0]

    return Objective(scores, (layer,), f"channels of {layer}")


def neuron(layer, n, x=None, y=None, batch=None):
    """Channel n at one place: x along height, y along width, as in Lucid; None for the middle."""
    whole_number("channel", n)
    return _named(
        "neuron", layer, n, batch, lambda T: _channel(_place(T(layer), x, y, layer), n, layer)
    )


def direction(layer, vec, batch=None, cossim_pow=0):
    """Mean over space of the product with `vec` (C,), times its cosine to the power given."""
    vec = np.asarray(vec, "float32")
    return _named(
        "direction", layer, "vec", batch, lambda T: _mean(_along(T(layer), vec, cossim_pow, layer))
    )


def direction_neuron(layer, vec, x=None, y=None, batch=None, cossim_pow=0):
    """`direction` at one place: x along height, y along width; None for the middle."""
    vec = np.asarray(vec, "float32")

    def scores(T):
        return _along(_place(T(layer), x, y, layer), vec, cossim_pow, layer)

    return _named("direction_neuron", layer, "vec", batch, scores)


def deepdream(layer):
    """Mean square of the layer's activations."""
    return Objective(lambda T: _mean(ops.square(T(layer))), (layer,), f"deepdream {layer}")


def class_logit(layer, label, batch=None):
    """Value of a class, given by its number or, where the model has class names, its name."""
    if not isinstance(label, str):
        whole_number("class", label)

    def scores(T):
        n = _index(T("labels"), label) if isinstance(label, str) else label
        return _mean(_channel(T(layer), n, layer))

    return _named("class_logit", layer, label, batch, scores)


def total_variation(layer="input"):
    """Sum of absolute differences between neighbours, horizontal and vertical."""

    def scores(T):
        maps = _spatial(T(layer), layer)
        down = ops.sum(ops.abs(maps[:, 1:] - maps[:, :-1]), axis=(1, 2, 3))
        return down + ops.sum(ops.abs(maps[:, :, 1:] - maps[:, :, :-1]), axis=(1, 2, 3))

    return Objective(scores, (layer,), f"total_variation {layer}")


def L1(layer="input", constant=0):  # noqa: N802
    """Sum of absolute differences to a constant."""
    return Objective(lambda T: _sum(ops.abs(T(layer) - constant)), (layer,), f"L1 {layer}")


def L2(layer="input", constant=0):  # noqa: N802
    """Root of the sum of squared differences to a constant."""

    def scores(T):
        return ops.sqrt(L2_EPSILON + _sum(ops.square(T(layer) - constant)))

    return Objective(scores, (layer,), f"L2 {layer}")


def diversity(layer):
    """Likeness of the images' Gram matrices, over pairs, per image: subtract it. A scalar."""

    def score(T):
        maps = _spatial(T(layer), layer)
        flat = ops.reshape(maps, (maps.shape[0], -1, maps.shape[-1]))
        grams = ops.matmul(ops.transpose(flat, (0, 2, 1)), flat)
        grams = ops.reshape(grams, (maps.shape[0], -1))
        squares = ops.sum(ops.square(grams), axis=1, keepdims=True)
        grams = grams * ops.rsqrt(ops.maximum(squares, GRAM_EPSILON))
        products = ops.matmul(grams, ops.transpose(grams))
        return (ops.sum(products) - ops.trace(products)) / maps.shape[0]

    return Objective(score, (layer,), f"diversity {layer}")


def alignment(layer, decay_ratio=2):
    """Minus the mean squared difference of images near each other in the batch. A scalar.

    A pair d apart counts 1 / decay_ratio ** d, for d of 1 to 4.
    """

    def score(T):
        maps = T(layer)
        near = [d for d in ALIGNED_DISTANCES if d < maps.shape[0]]
        apart = [ops.sum(_mean(ops.square(maps[d:] - maps[:-d]))) / decay_ratio**d for d in near]
        return -sum(apart, ops.zeros(()))

    return Objective(score, (layer,), f"alignment {layer}")


def channel_interpolate(layer1, n1, layer2, n2):
    """From one channel to another over the batch: first image all n1, last all n2."""
    first, last = channel(layer1, n1), channel(layer2, n2)

    def scores(T):
        share = np.linspace(0, 1, T(layer1).shape[0], dtype="float32")
        return (1 - share) * first(T) + share * last(T)

    name = f"channel_interpolate {layer1}:{n1} {layer2}:{n2}"
    return Objective(scores, (layer1, layer2), name)


def input_diff(orig_img):
    """Root mean square difference of the image to orig_img, (H, W, 3) or (N, H, W, 3) in [0, 1]."""
    orig_img = np.asarray(orig_img, "float32")

    def scores(T):
        squares = _mean(ops.square(T("input") - orig_img))
        return ops.sqrt(ops.maximum(squares, SMALLEST_SQUARE))

    return Objective(scores, ("input",), "input_diff")


def _named(kind, layer, what, batch, scores):
    """An Objective of `scores`, of all images or, with `batch`, of one."""
    if batch is not None:
        whole_number("batch", batch)

    def chosen(T):
        every = scores(T)
        if batch is None:
            return every
        below("batch", batch, every.shape[0], "images of the batch")
        return ops.where(np.arange(every.shape[0]) == batch, every, ops.zeros_like(every))

    of = "" if batch is None else f" of image {batch}"
    return Objective(chosen, (layer,), f"{kind} {layer}:{what}{of}")


def _mean(values, but_channels=False):
    axes = tuple(range(1, len(values.shape) - but_channels))
    return ops.mean(values, axis=axes) if axes else values


def _sum(values):
    return ops.sum(values, axis=tuple(range(1, len(values.shape))))


def _root(squares):
    return ops.sqrt(ops.maximum(squares, SMALLEST_SQUARE))


def _channel(maps, n, layer):
    below("channel", n, maps.shape[-1], f"channels of {layer}")
    return maps[..., n]


def _spatial(maps, layer):
    if len(maps.shape) != 4:
        raise InputError(f"layer {layer} gives {tuple(maps.shape)}; accepted: maps (N, H, W, C)")
    return maps


def _place(maps, x, y, layer):
    """Activations (N, C) at row x and column y."""
    height, width = _spatial(maps, layer).shape[1:3]
    x = height // 2 if x is None else x
    y = width // 2 if y is None else y
    below("x", x, height, f"rows of {layer}")
    below("y", y, width, f"columns of {layer}")
    return maps[:, x, y]


def _along(maps, vec, cossim_pow, layer):
    """Product of every place's channels (..., C) with vec, weighted by its cosine: (...)."""
    if vec.shape != maps.shape[-1:]:
        raise InputError(f"direction of shape {vec.shape}; {layer} has {maps.shape[-1]} channels")
    product = ops.sum(maps * vec, axis=-1)
    if cossim_pow == 0:
        return product
    length = _root(ops.sum(ops.square(maps), axis=-1))
    cosine = product / (COSINE_EPSILON + length) / (COSINE_EPSILON + np.linalg.norm(vec))
    return product * ops.maximum(cosine, LEAST_COSINE) ** cossim_pow


def _index(labels, label):
    if label not in labels:
        near = difflib.get_close_matches(label, labels) or labels[:3]
        raise InputError(f"no class {label!r} of {len(labels)}; there are {', '.join(near)}")
    return labels.index(label)
