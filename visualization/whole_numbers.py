"""Refuse numbers of channels, classes, pictures, steps, samples and pixels that do not exist."""

import re
from numbers import Integral

from models.errors import InputError

MOST_CHANNELS = 100_000  # in one range; more is a slip of the finger


def check_whole(what, n, least=0):
    """Raise InputError unless n is an int of at least `least`; `what` names it."""
    if isinstance(n, bool) or not isinstance(n, Integral) or n < least:
        raise InputError(f"{what} {n!r}; accepted: a whole number from {least}")


def check_below(what, n, count, of):
    """Raise InputError unless n is an int from 0 to count - 1; `of` says of what."""
    check_whole(what, n)
    if n >= count:
        raise InputError(f"{what} {n}; accepted: 0 to {count - 1}, the {of}")


def channel_numbers(text):
    """Read `52,60-63` into (52, 60, 61, 62, 63), each number once, in the order given; or `all`.

    Returns:
        Tuple of int; None for `all`.

    Raises:
        InputError: another text, or a range of more channels than any layer has.
    """
    if text == "all":
        return None
    channels = []
    for part in text.split(","):
        ends = re.fullmatch(r"\s*(\d{1,9})\s*(?:-\s*(\d{1,9})\s*)?", part)
        if not ends or int(ends[2] or ends[1]) < int(ends[1]):
            raise InputError(f"channels {text!r}; accepted: e.g. 52,60-63, or all")
        if int(ends[2] or ends[1]) - int(ends[1]) > MOST_CHANNELS:
            raise InputError(f"channels {text!r}; no layer has so many")
        channels += range(int(ends[1]), int(ends[2] or ends[1]) + 1)
    return tuple(dict.fromkeys(channels))


def spans(numbers):
    """Whole numbers as text, as an array of SLURM takes them: `1-3,7`; of none `nothing`."""
    runs = []
    for number in sorted(numbers):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    texts = [f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs]
    return ",".join(texts) or "nothing"
