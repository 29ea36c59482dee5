"""Objective: a score of images that ascent raises, arithmetic with such scores, and their T."""

from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Real
from typing import Any

from keras import ops

from models.errors import InputError


@dataclass(frozen=True)
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

    objective_func: Any
    name: str = ""
    description: str = ""
    layers: Any = None
    growth: float = 0

    __array_ufunc__ = None  # so that NumPy leaves number * objective to us

    def __post_init__(self):
        if not callable(self.objective_func):
            raise InputError(f"objective {self.objective_func!r}; accepted: a function of T")
        for text in (self.name, self.description):
            if not isinstance(text, str):
                raise InputError(
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
        return _added(self, other, ops.add, "+")

    def __radd__(self, other):
        return _added(other, self, ops.add, "+")

    def __sub__(self, other):
        return _added(self, other, ops.subtract, "-")

    def __rsub__(self, other):
        return _added(other, self, ops.subtract, "-")

    def __mul__(self, other):
        return _multiplied(self, other, ops.multiply, "*")

    def __rmul__(self, other):
        return _multiplied(other, self, ops.multiply, "*")

    def __truediv__(self, other):
        return _multiplied(self, other, ops.divide, "/")

    def __rtruediv__(self, other):
        return _multiplied(other, self, ops.divide, "/")

    def __neg__(self):
        return -1 * self


def answers(maps, others):
    """T, the function from which an objective learns what became of the images.

    Args:
        maps: dict of layer name -> activations (N, ...).
        others: dict of what is no layer: "input", "labels" (None where the network has no class
            names) and "channels".

    Returns:
        Function of a name; activations are float32.
    """

    def T(name):  # noqa: N802 (Lucid's name)
        if name in others:
            if others[name] is None:
                raise InputError("this network has no class names; give the class's number")
            return others[name]
        if name not in maps:
            raise InputError(
                f"an objective asks for layer {name!r}, which is not among the layers that it "
                f"names ({', '.join(maps) or 'none'}); accepted: "
                f"Objective(function, name, layers={(*maps, name)})"
            )
        return ops.cast(maps[name], "float32")

    return T


def layers_asked(objective, others, empty):
    """List the layers that an objective asks for: those named or, where none are, as it asks.

    Args:
        objective: Objective; without `layers` it is called once.
        others: as in `answers`.
        empty: function of a layer's name -> activations of the right shape, such as zeros.

    Returns:
        List of names, without those in `others`.
    """
    if objective.layers is not None:
        return [name for name in objective.layers if name not in others]
    maps = {}

    def T(name):  # noqa: N802
        if name not in others and name not in maps:
            maps[name] = empty(name)
        return answers(maps, others)(name)

    objective(T)
    return list(maps)


def _names(layers):
    layers = (layers,) if isinstance(layers, str) else layers
    if layers is None:
        return None
    if not isinstance(layers, Iterable):
        raise InputError(f"layers {layers!r} of an objective; accepted: names of layers, or None")
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
            raise InputError(
                f"objective {objective.description} is one number for the batch and has growth "
                f"{objective.growth}; accepted: 0"
            )
        return own * float(own.shape[0]) ** objective.growth

    return Objective(scores, objective.name, objective.description, objective.layers)


def _objective(operand, partner=None):
    """A number as the objective that is always that number; it grows as its partner does."""
    if isinstance(operand, Objective):
        return operand
    if isinstance(operand, bool) or not isinstance(operand, Real):
        raise InputError(f"arithmetic of an objective with {operand!r}; accepted: a real number")
    growth = 0 if partner is None else partner.growth
    return Objective(lambda T: float(operand), f"{operand:g}", layers=(), growth=growth)
