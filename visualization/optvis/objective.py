"""Objective: a score of images that ascent raises, and arithmetic with such scores."""

from dataclasses import dataclass
from numbers import Real
from typing import Any

from keras import ops

from models.errors import InputError


@dataclass(frozen=True)
class Objective:
    """A score to raise: sums, differences, products and quotients of them are objectives too.

    function: T -> scores (N,) or scalar. layers: names that T will be asked for, "input" for the
    image. description: for people. No operation changes its operands.
    """

    function: Any
    layers: tuple
    description: str

    __array_ufunc__ = None  # so that NumPy leaves number * objective to us

    def __call__(self, T):
        return self.function(T)

    def __add__(self, other):
        return _combined(self, other, ops.add, "+")

    def __radd__(self, other):
        return _combined(other, self, ops.add, "+")

    def __sub__(self, other):
        return _combined(self, other, ops.subtract, "-")

    def __rsub__(self, other):
        return _combined(other, self, ops.subtract, "-")

    def __mul__(self, other):
        return _combined(self, other, ops.multiply, "*")

    def __rmul__(self, other):
        return _combined(other, self, ops.multiply, "*")

    def __truediv__(self, other):
        return _combined(self, other, ops.divide, "/")

    def __rtruediv__(self, other):
        return _combined(other, self, ops.divide, "/")

    def __neg__(self):
        return -1 * self


def _combined(left, right, operation, sign):
    left, right = _objective(left), _objective(right)
    return Objective(
        lambda T: operation(left(T), right(T)),
        tuple(dict.fromkeys(left.layers + right.layers)),
        f"({left.description} {sign} {right.description})",
    )


def _objective(operand):
    """A number as the objective that is always that number."""
    if isinstance(operand, Objective):
        return operand
    if isinstance(operand, bool) or not isinstance(operand, Real):
        raise InputError(f"arithmetic of an objective with {operand!r}; accepted: a real number")
    return Objective(lambda T: float(operand), (), f"{operand:g}")
