"""Channels that name what is not there."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from models.errors import InputError
from visualization.atlas.contents import Channel, Side, check_channel

ATLAS = SimpleNamespace(pictures=range(10), classes=("a", "b"))
SIDE = Side(np.array([0, 9]), np.array([2.0, 1.0]), shares=((1, 1.0),))
BOXES = np.zeros((2, 4))


def checked(side, dead=""):
    check_channel(Channel(5, SIDE, side, dead=dead), "conv1", ATLAS)


def test_what_fits_passes():
    checked(SIDE)
    checked(replace(SIDE, boxes=BOXES, whole=np.zeros(2, bool)), "both")
    checked(Side(np.array([], int), np.array([])))


@pytest.mark.parametrize(
    ("side", "told"),
    [
        (replace(SIDE, pictures=np.array([0, 10])), "picture 10; accepted: 0 to 9"),
        (replace(SIDE, pictures=np.array([-1, 0])), "picture -1; accepted: 0 to 9"),
        (replace(SIDE, shares=((2, 1.0),)), "class 2; accepted: 0 to 1"),
        (replace(SIDE, scores=np.zeros(3)), "3 scores of 2 pictures"),
        (replace(SIDE, boxes=BOXES[:1], whole=np.zeros(2)), r"boxes \(1, 4\) of 2 pictures"),
        (replace(SIDE, boxes=BOXES, whole=np.zeros(3)), r"boxes \(2, 4\) of 2 pictures"),
        (replace(SIDE, boxes=BOXES), r"boxes \(2, 4\) of 2 pictures"),
    ],
)
def test_what_is_not_there_is_named(side, told):
    with pytest.raises(InputError, match=f"channel 5 of layer conv1, after: {told}"):
        checked(side)


def test_dead_is_one_of_four():
    with pytest.raises(InputError, match="dead is 'quite'; accepted"):
        checked(SIDE, "quite")
