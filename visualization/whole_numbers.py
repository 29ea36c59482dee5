"""Refuse numbers of channels, classes, pictures, steps, samples and pixels that do not exist."""

from numbers import Integral

from models.errors import InputError


def check_whole(what, n, least=0):
    """Raise InputError unless n is an int of at least `least`; `what` names it."""
    if isinstance(n, bool) or not isinstance(n, Integral) or n < least:
        raise InputError(f"{what} {n!r}; accepted: a whole number from {least}")


def check_below(what, n, count, of):
    """Raise InputError unless n is an int from 0 to count - 1; `of` says of what."""
    check_whole(what, n)
    if n >= count:
        raise InputError(f"{what} {n}; accepted: 0 to {count - 1}, the {of}")
