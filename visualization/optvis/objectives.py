"""Objectives of ascent, under Lucid's names: scores that an optimized image is made to raise.

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

from collections.abc import Iterable as _Iterable
from dataclasses import dataclass as _dataclass
from numbers import Real as _Real
from typing import Any as _Any

import numpy as _np
from keras import ops as _ops

from models.errors import InputError as _InputError
from models.graph import target_index as _target_index
from visualization.whole_numbers import check_below as _check_below
from visualization.whole_numbers import check_whole as _check_whole

__all__ = [
    "Objective",
    "as_objective",
    "neuron",
    "channel",
    "each_channel",
    "direction",
    "direction_cossim",
    "direction_neuron",
    "deepdream",
    "class_logit",
    "total_variation",
    "L1",
    "L2",
    "diversity",
    "alignment",
    "channel_interpolate",
    "input_diff",
]

_LEAST_COSINE = 0.1  # Lucid: cosines are raised to this floor, so that their powers have a slope
_COSINE_EPSILON = 1e-4  # Lucid: added to both lengths
_L2_EPSILON = 1e-6  # Lucid: added under the root
_GRAM_EPSILON = 1e-10  # Lucid: least squared length of a Gram matrix
_ALIGNED_DISTANCES = (1, 2, 3, 4)  # Lucid: images as far apart in the batch are compared
_SMALLEST_SQUARE = 1e-12  # ours: below it a root is constant, because its slope at 0 is infinite


@_dataclass(frozen=True)
class Objective:
    """A score to raise: sums, differences, products and quotients of them are objectives too.

    Args:
        objective_func: function T -> scores (N,), one for each image, or a scalar of the batch.
        name, description: for people. No description: the name, or else the function's.
        layers: names that T will be asked for, "input" for the image; one may stand alone. None:
            they are found by calling the function once with empty maps.
        growth: for scores (N,), what Lucid makes of a batch: of N like images its score is
            N ** growth times one image's. 0 where it takes a mean, 1 where it sums.

    Raises:
        InputError: a function, name or layers of another kind.
    """

    objective_func: _Any
    name: str = ""
    description: str = ""
    layers: _Any = None
    growth: float = 0

    __array_ufunc__ = None  # so that NumPy leaves number * objective to us

    def __post_init__(self):
        if not callable(self.objective_func):
            raise _InputError(f"objective {self.objective_func!r}; accepted: a function of T")
        for text in (self.name, self.description):
            if not isinstance(text, str):
                raise _InputError(
                    f"name or description {text!r} of an objective; accepted: text; layers are "
                    "given as Objective(function, name, layers=('mixed4a',))"
                )
        function = getattr(self.objective_func, "__name__", "objective")
        object.__setattr__(self, "description", self.description or self.name or function)
        object.__setattr__(self, "layers", _names(self.layers))

    def __call__(self, T):
        return self.objective_func(T)

    @staticmethod
    def sum(objs):
        """Sum of an iterable of objectives, as Lucid writes it."""
        return sum(objs)

    def __add__(self, other):
        return _added(self, other, _ops.add, "+")

    def __radd__(self, other):
        return _added(other, self, _ops.add, "+")

    def __sub__(self, other):
        return _added(self, other, _ops.subtract, "-")

    def __rsub__(self, other):
        return _added(other, self, _ops.subtract, "-")

    def __mul__(self, other):
        return _multiplied(self, other, _ops.multiply, "*")

    def __rmul__(self, other):
        return _multiplied(other, self, _ops.multiply, "*")

    def __truediv__(self, other):
        return _multiplied(self, other, _ops.divide, "/")

    def __rtruediv__(self, other):
        return _multiplied(other, self, _ops.divide, "/")

    def __neg__(self):
        return -1 * self


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
        raise _InputError(
            f"objective {obj!r}; accepted: an Objective, a function of T, 'layer:channel' or "
            "'layer:label'"
        )
    return channel(layer, int(n)) if n.isdecimal() else class_logit(layer, n)


def neuron(layer_name, channel_n, x=None, y=None, batch=None):
    """A channel at one place: x along height, y along width, as in Lucid; None for the middle."""
    _check_whole("channel", channel_n)

    def scores(T):
        return _one_channel(_place(T(layer_name), x, y, layer_name), channel_n, layer_name)

    return _named("neuron", layer_name, channel_n, scores, batch)


def channel(layer, n_channel, batch=None):
    """Mean of a channel over space; `batch`: of this image of the batch only."""
    _check_whole("channel", n_channel)

    def scores(T):
        return _mean(_one_channel(T(layer), n_channel, layer))

    return _named("channel", layer, n_channel, scores, batch)


def each_channel(layer):
    """Mean over space of the channel whose number the ascent holds for each image.

    Args:
        layer: name; or several names, whose channels are then counted on from one layer to the
            next: one compiled step serves them all, at the cost of the whole network for each.
    """
    layers = (layer,) if isinstance(layer, str) else tuple(layer)

    def scores(T):
        means = [_mean(T(name), but_channels=True) for name in layers]
        means = _ops.concatenate(means, axis=1)
        return _ops.take_along_axis(means, T("channels")[:, None], axis=1)[:, 0]

    return Objective(scores, "each_channel", f"channels of {', '.join(layers)}", layers)


def direction(layer, vec, cossim_pow=0, batch=None):
    """Mean over space of the product with `vec` (C,), times its cosine to the power given."""
    vec = _np.asarray(vec, "float32")

    def scores(T):
        return _mean(_along(T(layer), vec, cossim_pow, layer))

    return _named("direction", layer, "vec", scores, batch)


direction_cossim = direction  # Lucid's other name


def direction_neuron(layer_name, vec, x=None, y=None, cossim_pow=0, batch=None):
    """`direction` at one place: x along height, y along width; None for the middle."""
    vec = _np.asarray(vec, "float32")

    def scores(T):
        return _along(_place(T(layer_name), x, y, layer_name), vec, cossim_pow, layer_name)

    return _named("direction_neuron", layer_name, "vec", scores, batch)


def deepdream(layer, batch=None):
    """Mean square of the layer's activations."""
    return _named("deepdream", layer, None, lambda T: _mean(_ops.square(T(layer))), batch)


def class_logit(layer, label, batch=None):
    """Value of a class, given by its number or, where the model has class names, its name."""
    if not isinstance(label, str):
        _check_whole("class", label)

    def scores(T):
        maps, n = T(layer), label
        if isinstance(label, str):
            n = _target_index(label, T("labels"), maps.shape[-1])
        return _mean(_one_channel(maps, n, layer))

    return _named("class_logit", layer, label, scores, batch, growth=1)


def total_variation(layer="input"):
    """Sum of absolute differences between neighbours, horizontal and vertical."""

    def scores(T):
        maps = _spatial(T(layer), layer)
        down = _total(_ops.abs(maps[:, 1:] - maps[:, :-1]))
        return down + _total(_ops.abs(maps[:, :, 1:] - maps[:, :, :-1]))

    return _named("total_variation", layer, None, scores)  # Lucid's too is one for each image


def L1(layer="input", constant=0, batch=None):  # noqa: N802
    """Sum of absolute differences to a constant."""
    return _named(
        "L1", layer, None, lambda T: _total(_ops.abs(T(layer) - constant)), batch, growth=1
    )


def L2(layer="input", constant=0, epsilon=_L2_EPSILON, batch=None):  # noqa: N802
    """Root of the sum of squared differences to a constant."""

    def scores(T):
        return _ops.sqrt(epsilon + _total(_ops.square(T(layer) - constant)))

    # The root of a sum over N like images is sqrt(N) times the root of one
    return _named("L2", layer, None, scores, batch, growth=0.5)


def diversity(layer):
    """Likeness of the images' Gram matrices, over pairs, per image: subtract it. A scalar."""

    def score(T):
        maps = _spatial(T(layer), layer)
        flat = _ops.reshape(maps, (maps.shape[0], -1, maps.shape[-1]))
        grams = _ops.matmul(_ops.transpose(flat, (0, 2, 1)), flat)
        grams = _ops.reshape(grams, (maps.shape[0], -1))
        squares = _ops.sum(_ops.square(grams), axis=1, keepdims=True)
        grams = grams * _ops.rsqrt(_ops.maximum(squares, _GRAM_EPSILON))
        products = _ops.matmul(grams, _ops.transpose(grams))
        return (_ops.sum(products) - _ops.trace(products)) / maps.shape[0]

    return _named("diversity", layer, None, score)


def alignment(layer, decay_ratio=2):
    """Minus the mean squared difference of images near each other in the batch. A scalar.

    A pair d apart counts 1 / decay_ratio ** d, for d of 1 to 4.
    """

    def score(T):
        maps = T(layer)
        near = [d for d in _ALIGNED_DISTANCES if d < maps.shape[0]]
        apart = [_ops.sum(_mean(_ops.square(maps[d:] - maps[:-d]))) / decay_ratio**d for d in near]
        return -sum(apart, _ops.zeros(()))

    return _named("alignment", layer, None, score)


def channel_interpolate(layer1, n_channel1, layer2, n_channel2):
    """From one channel to another over the batch: the first image all of one, the last of two."""
    first, last = channel(layer1, n_channel1), channel(layer2, n_channel2)

    def scores(T):
        share = _np.linspace(0, 1, T(layer1).shape[0], dtype="float32")
        return (1 - share) * first(T) + share * last(T)

    text = f"channel_interpolate {layer1}:{n_channel1} {layer2}:{n_channel2}"
    return Objective(scores, "channel_interpolate", text, (layer1, layer2), growth=1)


def input_diff(orig_img):
    """Root mean square difference of the image to orig_img, (H, W, C) or (N, H, W, C) in [0, 1].

    Raises:
        InputError: an orig_img that is not float in [0, 1], or not of the images' shape.
    """
    orig_img = _np.asarray(orig_img)
    if orig_img.dtype.kind != "f" or not ((orig_img >= 0) & (orig_img <= 1)).all():
        raise _InputError(f"orig_img of {_range(orig_img)}; accepted: floats in [0, 1]")
    orig_img = orig_img.astype("float32")

    def scores(T):
        images = tuple(T("input").shape)
        if orig_img.shape not in (images, (1, *images[1:]), images[1:]):
            raise _InputError(
                f"orig_img of shape {orig_img.shape}; accepted: {images} or {images[1:]}"
            )
        return _root(_mean(_ops.square(T("input") - orig_img)))

    return Objective(scores, "input_diff", layers="input")


def _named(kind, layer, what, scores, batch=None, growth=0):
    """An Objective of `scores`, of all images or, with `batch`, of one."""
    text = f"{kind} {layer}" + ("" if what is None else f":{what}")
    if batch is None:
        return Objective(scores, kind, text, layer, growth)
    _check_whole("batch", batch)

    def chosen(T):
        every = scores(T)
        _check_below("batch", batch, every.shape[0], "images of the batch")
        return _ops.where(_np.arange(every.shape[0]) == batch, every, _ops.zeros_like(every))

    return Objective(chosen, kind, f"{text} of image {batch}", layer, growth=1)


def _along(maps, vec, cossim_pow, layer):
    """Product of every place's channels (..., C) with vec, weighted by its cosine: (...)."""
    if vec.shape != maps.shape[-1:]:
        raise _InputError(f"direction of shape {vec.shape}; {layer} has {maps.shape[-1]} channels")
    product = _ops.sum(maps * vec, axis=-1)
    if cossim_pow == 0:
        return product
    length = _root(_ops.sum(_ops.square(maps), axis=-1))
    cosine = product / (_COSINE_EPSILON + length) / (_COSINE_EPSILON + _np.linalg.norm(vec))
    return product * _ops.maximum(cosine, _LEAST_COSINE) ** cossim_pow


def _range(values):
    numbers = values.size and values.dtype.kind in "fiu"
    return f"{values.dtype}" + (f" in [{values.min():g}, {values.max():g}]" if numbers else "")


def _mean(values, but_channels=False):
    """Mean of each image: (N,) or, but channels, (N, C)."""
    axes = tuple(range(1, len(values.shape) - but_channels))
    return _ops.mean(values, axis=axes) if axes else values


def _total(values):
    """Sum of each image: (N,)."""
    return _ops.sum(values, axis=tuple(range(1, len(values.shape))))


def _root(squares):
    """Root with a finite slope at 0."""
    return _ops.sqrt(_ops.maximum(squares, _SMALLEST_SQUARE))


def _one_channel(maps, n, layer):
    """Channel n: (N, ...) without the last axis."""
    _check_below("channel", n, maps.shape[-1], f"channels of {layer}")
    return maps[..., n]


def _spatial(maps, layer):
    """The maps, where they have space; _InputError otherwise."""
    if len(maps.shape) != 4:
        raise _InputError(f"layer {layer} gives {tuple(maps.shape)}; accepted: maps (N, H, W, C)")
    return maps


def _place(maps, x, y, layer):
    """Activations (N, C) at row x and column y; None for the middle."""
    maps = maps[:, None, None] if len(maps.shape) == 2 else maps
    height, width = _spatial(maps, layer).shape[1:3]
    x = height // 2 if x is None else x
    y = width // 2 if y is None else y
    _check_below("x", x, height, f"rows of {layer}")
    _check_below("y", y, width, f"columns of {layer}")
    return maps[:, x, y]


def _names(layers):
    layers = (layers,) if isinstance(layers, str) else layers
    if layers is None:
        return None
    if not isinstance(layers, _Iterable):
        raise _InputError(f"layers {layers!r} of an objective; accepted: names of layers, or None")
    return tuple(layers)


def _added(left, right, operation, sign):
    """A sum weighs its terms as Lucid does: unlike terms are added as means over the batch."""
    left, right = _objective(left, right), _objective(right, left)
    if left.growth == right.growth:
        return _joined(left, right, operation, sign, left.growth)
    return _joined(_as_mean(left), _as_mean(right), operation, sign, 0)


def _multiplied(left, right, operation, sign):
    left, right = _objective(left), _objective(right)
    growth = left.growth + (right.growth if sign == "*" else -right.growth)
    return _joined(left, right, operation, sign, growth)


def _joined(left, right, operation, sign, growth):
    text = f"({left.description} {sign} {right.description})"
    unnamed = left.layers is None or right.layers is None
    return Objective(
        lambda T: operation(left(T), right(T)),
        text,
        text,
        None if unnamed else dict.fromkeys(left.layers + right.layers),
        growth,
    )


def _as_mean(objective):
    """The objective with scores whose mean over the batch is Lucid's score."""
    if objective.growth == 0:
        return objective

    def scores(T):
        own = objective(T)
        if own.shape == ():
            raise _InputError(
                f"objective {objective.description} is one number for the batch and has growth "
                f"{objective.growth}; accepted: 0"
            )
        return own * float(own.shape[0]) ** objective.growth

    return Objective(scores, objective.name, objective.description, objective.layers)


def _objective(operand, partner=None):
    """A number as the objective that is always that number; it grows as its partner does."""
    if isinstance(operand, Objective):
        return operand
    if isinstance(operand, bool) or not isinstance(operand, _Real):
        raise _InputError(f"arithmetic of an objective with {operand!r}; accepted: a real number")
    growth = 0 if partner is None else partner.growth
    return Objective(lambda T: float(operand), f"{operand:g}", layers=(), growth=growth)
