"""What an atlas shows: values that hold pictures by number, and layers that may come one by one."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from models.errors import InputError

DEAD = ("", "before", "after", "both")  # in which network no picture makes the channel fire


class Picture(NamedTuple):
    """A picture of the collection: its file as it is on disk, its label and its title, any text."""

    path: Path
    label: str
    title: str


@dataclass(frozen=True)
class Side:
    """What one network says of one channel.

    Args:
        pictures: int (n,), numbers in Atlas.pictures, the most exciting first.
        scores: float (n,), of these pictures.
        boxes: float (n, 4): left, top, width, height of the patch that the channel sees, as
            fractions of the picture's sides; None where patches are not known.
        whole: bool (n,): the channel sees all of the picture, and the box is half of its side
            around the maximum; None where no box is.
        shares: pairs (number in Atlas.classes, share in [0, 1] of the top pictures), the
            commonest first.
        image: optimized image: a picture file or its bytes; None without.
        numbers: what else is known, by name; None and NaN are "cannot be told".
    """

    pictures: np.ndarray
    scores: np.ndarray
    boxes: np.ndarray | None = None
    whole: np.ndarray | None = None
    shares: tuple = ()
    image: bytes | Path | None = None
    numbers: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Channel:
    """A channel of a layer, before and after.

    Args:
        number: in its layer.
        before, after: Side.
        overlap: share in [0, 1] of the top pictures that both networks have.
        change: of the optimized image (Layer and Atlas say in what measure).
        entropy_before, entropy_after: of the classes of the top pictures, in [0, 1]. These four
            may be None or NaN: they cannot be told.
        dead: one of DEAD.
    """

    number: int
    before: Side
    after: Side
    overlap: float | None = None
    change: float | None = None
    entropy_before: float | None = None
    entropy_after: float | None = None
    dead: str = ""


@dataclass(frozen=True)
class Layer:
    """A layer: its name, numbers by name (None and NaN: cannot be told), and its Channels.

    The channels may be a generator: they are taken once, a few at a time.
    """

    name: str
    numbers: dict
    channels: Iterable


@dataclass(frozen=True)
class Atlas:
    """All that a page shows.

    Args:
        title: of the page.
        before, after: names of the two networks.
        classes: names.
        pictures: Pictures; those that no channel has are left out of the page.
        layers: Layers from the network's input to its output; may be a generator.
        k: how many pictures a full top set has.
        chance: name of a measure -> what chance gives, as text. Names are "overlap", "entropy",
            "change" and those of the numbers of layers and sides.
        notes: sentences on how the numbers were made.
    """

    title: str
    before: str
    after: str
    classes: tuple
    pictures: tuple
    layers: Iterable
    k: int
    chance: dict = field(default_factory=dict)
    notes: tuple = ()


def check_channel(channel, layer, atlas):
    """Refuse a channel that names a picture or class that is not there: InputError naming it."""
    name = f"channel {channel.number} of layer {layer}"
    if channel.dead not in DEAD:
        raise InputError(f"{name}: dead is {channel.dead!r}; accepted: {DEAD}")
    for when in ("before", "after"):
        side = getattr(channel, when)
        count, shape = len(side.pictures), np.shape(side.boxes)
        if len(side.scores) != count:
            raise InputError(f"{name}, {when}: {len(side.scores)} scores of {count} pictures")
        if side.boxes is not None and (shape != (count, 4) or np.shape(side.whole) != (count,)):
            raise InputError(f"{name}, {when}: boxes {shape} of {count} pictures")
        for what, numbers, most in (
            ("picture", side.pictures, len(atlas.pictures)),
            ("class", [number for number, _ in side.shares], len(atlas.classes)),
        ):
            wrong = [int(number) for number in numbers if not 0 <= number < most]
            if wrong:
                raise InputError(f"{name}, {when}: {what} {wrong[0]}; accepted: 0 to {most - 1}")
