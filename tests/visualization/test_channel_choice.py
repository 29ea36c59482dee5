"""Channels asked for by a rule, or by layer and number."""

import numpy as np
import pandas
import pytest

from models.errors import InputError
from visualization.channel_choice import Choice, find_channels, rank, read_choice

LAYERS = {"first": (("first", 4),), "left": (("left", 2),), "right": (("right", 3),)}
LAYERS["joined"] = (("left", 2), ("right", 3))
RANKED = {"least-overlap": [("right", 2), ("first", 0), ("first", 3)], "entropy": []}


@pytest.mark.parametrize(
    ("text", "choice"),
    [
        ("least-overlap:50", {"rule": "least-overlap", "count": 50}),
        ("entropy:1", {"rule": "entropy", "count": 1}),
        ("mixed4d:all", {"layer": "mixed4d"}),
        ("a/b:3,7-9", {"layer": "a/b", "channels": (3, 7, 8, 9)}),
    ],
)
def test_what_is_written_is_read(text, choice):
    assert read_choice(text) == Choice(text, **choice)


@pytest.mark.parametrize(
    "text",
    ["", "mixed4d", ":all", "mixed4d:", "entropy:0", "entropy:all", "least-overlap:-1", "a:9-3"]
    + ["a:x"],
)
def test_what_cannot_be_read_is_named(text):
    with pytest.raises(InputError, match="^optimize .*; accepted: "):
        read_choice(text)


def found(*texts, ranked=RANKED):
    return find_channels(map(read_choice, texts), LAYERS, ranked)


def test_channels_come_by_layer_each_once():
    assert found("least-overlap:2", "first:3,0") == [("first", 0), ("first", 3), ("right", 2)]
    assert found("left:all") == [("left", 0), ("left", 1)]
    assert found() == []
    assert found("least-overlap:99") == [("first", 0), ("first", 3), ("right", 2)]


def test_a_concatenation_has_the_channels_of_its_branches():
    assert found("joined:all") == [("left", 0), ("left", 1), *(("right", c) for c in range(3))]
    assert found("joined:1-2") == [("left", 1), ("right", 0)]


def test_what_is_not_there_is_named():
    with pytest.raises(InputError, match="no layer 'third' is compared.*accepted: first, left"):
        found("third:all")
    with pytest.raises(InputError, match="first has no channel 4; accepted: 0 to 3"):
        found("first:3-4")
    with pytest.raises(InputError, match="joined has no channel 5"):
        found("joined:5")
    with pytest.raises(InputError, match="entropy:3: no channel has the lowest entropy"):
        found("entropy:3")


def test_the_lowest_comes_first_and_ties_by_the_table():
    table = pandas.DataFrame({"layer": list("aabbb"), "channel": [0, 1, 0, 1, 2]})
    values = np.array([0.5, np.nan, 0.1, 0.5, 0.0])
    assert rank(table, values) == [("b", 2), ("b", 0), ("a", 0), ("b", 1)]
