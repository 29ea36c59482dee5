"""Objectives of ascent, under Lucid's names: what an optimized image shall have much of.

An Objective is called with T, a function from a layer's name to its activations (N, H, W, C) or
(N, C), float32. T("input") is the image before transforms, (N, H, W, C) in [0, 1]; T("labels") the
list of class names; T("channels") the channel numbers (N,) that the ascent holds. The objective
gives scores (N,), one for each image, or a scalar where it is about the batch as a whole
(diversity, alignment). Ascent raises the sum of scores over images; a scalar counts once for each.

Source of all: Lucid (Olah et al. 2017), optvis/objectives.py. There an objective is one number for
the batch: the mean of the images' scores in `channel`, `neuron`, `direction` and `deepdream`, their
sum in `class_logit`, `channel_interpolate`, `L1` and wherever `batch` chooses one image, and the
root of all squares in `L2` and `input_diff`. `growth` keeps these weights in sums of objectives.
"""

import difflib

import numpy as np
from keras import ops

from models.errors import InputError
from visualization.optvis.activations import mean, one_channel, place, root, spatial, total
from visualization.optvis.bounds import below, whole_number
from visualization.optvis.objective import Objective

LEAST_COSINE = 0.1  # Lucid: cosines are raised to this floor, so that their powers have a slope
COSINE_EPSILON = 1e-4  # Lucid: added to both lengths
L2_EPSILON = 1e-6  # Lucid: added under the root
GRAM_EPSILON = 1e-10  # Lucid: least squared length of a Gram matrix
ALIGNED_DISTANCES = (1, 2, 3, 4)  # Lucid: images as far apart in the batch are compared


def as_objective(obj):
    """Read an objective: an Objective, a function of T, "layer:52" or, for a class, "layer:label".

    Raises:
        InputError: anything else.
    """
    if isinstance(obj, Objective):
        return obj
    if callable(obj):
        return Objective(obj)
    parts = obj.rpartition(":") if isinstance(obj, str) else ("", "", "")
    layer, n = parts[0].strip(), parts[2].strip()
    if not (layer and n):
        raise InputError(
            f"objective {obj!r}; accepted: an Objective, a function of T, 'layer:channel' or "
            "'layer:label'"
        )
    return channel(layer, int(n)) if n.isdecimal() else class_logit(layer, n)


def neuron(layer_name, channel_n, x=None, y=None, batch=None):
    """A channel at one place: x along height, y along width, as in Lucid; None for the middle."""
    whole_number("channel", channel_n)

    def scores(T):
        return one_channel(place(T(layer_name), x, y, layer_name), channel_n, layer_name)

    return _named("neuron", layer_name, channel_n, scores, batch)


def channel(layer, n_channel, batch=None):
    """Mean of a channel over space; `batch`: of this image of the batch only."""
    whole_number("channel", n_channel)

    def scores(T):
        return mean(one_channel(T(layer), n_channel, layer))

    return _named("channel", layer, n_channel, scores, batch)


def each_channel(layer):
    """Mean over space of the channel whose number the ascent holds for each image."""

    def scores(T):
        means = mean(T(layer), but_channels=True)
        return ops.take_along_axis(means, T("channels")[:, None], axis=1)[:, 0]

    return Objective(scores, "each_channel", f"channels of {layer}", layer)


def direction(layer, vec, cossim_pow=0, batch=None):
    """Mean over space of the product with `vec` (C,), times its cosine to the power given."""
    vec = np.asarray(vec, "float32")

    def scores(T):
        return mean(_along(T(layer), vec, cossim_pow, layer))

    return _named("direction", layer, "vec", scores, batch)


direction_cossim = direction  # Lucid's other name


def direction_neuron(layer_name, vec, x=None, y=None, cossim_pow=0, batch=None):
    """`direction` at one place: x along height, y along width; None for the middle."""
    vec = np.asarray(vec, "float32")

    def scores(T):
        return _along(place(T(layer_name), x, y, layer_name), vec, cossim_pow, layer_name)

    return _named("direction_neuron", layer_name, "vec", scores, batch)


def deepdream(layer, batch=None):
    """Mean square of the layer's activations."""
    return _named("deepdream", layer, None, lambda T: mean(ops.square(T(layer))), batch)


def class_logit(layer, label, batch=None):
    """Value of a class, given by its number or, where the model has class names, its name."""
    if not isinstance(label, str):
        whole_number("class", label)

    def scores(T):
        n = _index(T("labels"), label) if isinstance(label, str) else label
        return mean(one_channel(T(layer), n, layer))

    return _named("class_logit", layer, label, scores, batch, growth=1)


def total_variation(layer="input"):
    """Sum of absolute differences between neighbours, horizontal and vertical."""

    def scores(T):
        maps = spatial(T(layer), layer)
        down = total(ops.abs(maps[:, 1:] - maps[:, :-1]))
        return down + total(ops.abs(maps[:, :, 1:] - maps[:, :, :-1]))

    return _named("total_variation", layer, None, scores)  # Lucid's too is one for each image


def L1(layer="input", constant=0, batch=None):  # noqa: N802
    """Sum of absolute differences to a constant."""
    return _named("L1", layer, None, lambda T: total(ops.abs(T(layer) - constant)), batch, growth=1)


def L2(layer="input", constant=0, epsilon=L2_EPSILON, batch=None):  # noqa: N802
    """Root of the sum of squared differences to a constant."""

    def scores(T):
        return ops.sqrt(epsilon + total(ops.square(T(layer) - constant)))

    # The root of a sum over N like images is sqrt(N) times the root of one
    return _named("L2", layer, None, scores, batch, growth=0.5)


def diversity(layer):
    """Likeness of the images' Gram matrices, over pairs, per image: subtract it. A scalar."""

    def score(T):
        maps = spatial(T(layer), layer)
        flat = ops.reshape(maps, (maps.shape[0], -1, maps.shape[-1]))
        grams = ops.matmul(ops.transpose(flat, (0, 2, 1)), flat)
        grams = ops.reshape(grams, (maps.shape[0], -1))
        squares = ops.sum(ops.square(grams), axis=1, keepdims=True)
        grams = grams * ops.rsqrt(ops.maximum(squares, GRAM_EPSILON))
        products = ops.matmul(grams, ops.transpose(grams))
        return (ops.sum(products) - ops.trace(products)) / maps.shape[0]

    return _named("diversity", layer, None, score)


def alignment(layer, decay_ratio=2):
    """Minus the mean squared difference of images near each other in the batch. A scalar.

    A pair d apart counts 1 / decay_ratio ** d, for d of 1 to 4.
    """

    def score(T):
        maps = T(layer)
        near = [d for d in ALIGNED_DISTANCES if d < maps.shape[0]]
        apart = [ops.sum(mean(ops.square(maps[d:] - maps[:-d]))) / decay_ratio**d for d in near]
        return -sum(apart, ops.zeros(()))

    return _named("alignment", layer, None, score)


def channel_interpolate(layer1, n_channel1, layer2, n_channel2):
    """From one channel to another over the batch: the first image all of one, the last of two."""
    first, last = channel(layer1, n_channel1), channel(layer2, n_channel2)

    def scores(T):
        share = np.linspace(0, 1, T(layer1).shape[0], dtype="float32")
        return (1 - share) * first(T) + share * last(T)

    text = f"channel_interpolate {layer1}:{n_channel1} {layer2}:{n_channel2}"
    return Objective(scores, "channel_interpolate", text, (layer1, layer2), growth=1)


def input_diff(orig_img):
    """Root mean square difference of the image to orig_img, (H, W, C) or (N, H, W, C) in [0, 1].

    Raises:
        InputError: an orig_img that is not float in [0, 1], or not of the images' shape.
    """
    orig_img = np.asarray(orig_img)
    if orig_img.dtype.kind != "f" or not ((orig_img >= 0) & (orig_img <= 1)).all():
        raise InputError(f"orig_img of {_range(orig_img)}; accepted: floats in [0, 1]")
    orig_img = orig_img.astype("float32")

    def scores(T):
        images = tuple(T("input").shape)
        if orig_img.shape not in (images, (1, *images[1:]), images[1:]):
            raise InputError(
                f"orig_img of shape {orig_img.shape}; accepted: {images} or {images[1:]}"
            )
        return root(mean(ops.square(T("input") - orig_img)))

    return Objective(scores, "input_diff", layers="input")


def _named(kind, layer, what, scores, batch=None, growth=0):
    """An Objective of `scores`, of all images or, with `batch`, of one."""
    text = f"{kind} {layer}" + ("" if what is None else f":{what}")
    if batch is None:
        return Objective(scores, kind, text, layer, growth)
    whole_number("batch", batch)

    def chosen(T):
        every = scores(T)
        below("batch", batch, every.shape[0], "images of the batch")
        return ops.where(np.arange(every.shape[0]) == batch, every, ops.zeros_like(every))

    return Objective(chosen, kind, f"{text} of image {batch}", layer, growth=1)


def _along(maps, vec, cossim_pow, layer):
    """Product of every place's channels (..., C) with vec, weighted by its cosine: (...)."""
    if vec.shape != maps.shape[-1:]:
        raise InputError(f"direction of shape {vec.shape}; {layer} has {maps.shape[-1]} channels")
    product = ops.sum(maps * vec, axis=-1)
    if cossim_pow == 0:
        return product
    length = root(ops.sum(ops.square(maps), axis=-1))
    cosine = product / (COSINE_EPSILON + length) / (COSINE_EPSILON + np.linalg.norm(vec))
    return product * ops.maximum(cosine, LEAST_COSINE) ** cossim_pow


def _range(values):
    numbers = values.size and values.dtype.kind in "fiu"
    return f"{values.dtype}" + (f" in [{values.min():g}, {values.max():g}]" if numbers else "")


def _index(labels, label):
    if label not in labels:
        near = difflib.get_close_matches(label, labels) or labels[:3]
        raise InputError(f"no class {label!r} of {len(labels)}; there are {', '.join(near)}")
    return labels.index(label)
