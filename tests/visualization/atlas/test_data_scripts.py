"""Scripts read back, whatever is in them; columns and boxes by hand."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from visualization.atlas.contents import Channel, Layer, Side
from visualization.atlas.data_scripts import (
    Numbering,
    Overview,
    rounded,
    script,
    side_values,
)


def values(text, function):
    """What a script calls a function with."""
    assert text.startswith(f"atlas.{function}(") and text.endswith(");\n")
    return json.loads(f"[{text[len(f'atlas.{function}(') : -3]}]")


@given(st.text(st.characters() | st.sampled_from("<>&\u2028\u2029'\"\\/\0\u202e")))
def test_any_text_comes_back_and_none_ends_the_script(text):
    made = script("layer", 3, [text, {text: None}])
    assert values(made, "layer") == [3, [text, {text: None}]]
    assert not set("<\u2028\u2029\n\r") & set(made[:-1])


def test_numbers_are_short_and_unknown_ones_null():
    given = [1.23456, 123456.7, 0.000012345, 0.0, np.float32(0.1), None, np.nan, np.inf]
    assert list(map(rounded, given)) == [1.235, 123500.0, 1.234e-05, 0.0, 0.1, None, None, None]


def test_pictures_are_numbered_as_they_come():
    numbering = Numbering()
    assert numbering.of(np.array([7, 3, 7])) == [0, 1, 0]
    assert numbering.of([5, 3]) == [2, 1]
    assert list(numbering.numbers) == [7, 3, 5]


def test_a_side():
    side = Side(
        pictures=np.array([4, 2], np.int32),
        scores=np.array([3.00001, np.nan], np.float32),
        # inside; over the left and lower edges
        boxes=np.array([[0.25, 0.5, 0.125, 0.0625], [-0.1, 0.9, 0.3, 0.4]]),
        whole=np.array([False, True]),
        shares=((1, 2 / 3), (0, np.float32(1 / 3))),
        numbers={"percentile": np.float64(99.5), "path similarity": None},
    )
    assert side_values(side, Numbering()) == {
        "pictures": [0, 1],
        "scores": [3.0, None],
        "shares": [[1, 0.6667], [0, 0.3333]],
        "numbers": {"percentile": 99.5, "path similarity": None},
        "boxes": [250, 500, 125, 62, 0, 900, 200, 100],
        "whole": "01",
    }
    assert "boxes" not in side_values(Side(np.array([], int), np.array([])), Numbering())


@given(st.lists(st.tuples(*[st.floats(-2, 3)] * 4), max_size=20))
def test_boxes_lie_within_the_picture_and_are_not_empty(boxes):
    count = len(boxes)
    side = Side(np.arange(count), np.zeros(count), np.array(boxes), np.zeros(count, bool))
    made = np.array(side_values(side, Numbering())["boxes"], int).reshape(-1, 4)
    assert (made >= 0).all() and (made[:, 2:] >= 1).all()
    assert (made[:, :2] + made[:, 2:] <= 1000).all()


def test_an_overview_has_columns_and_no_top_sets():
    overview, numbering = Overview(), Numbering()
    overview.begin(Layer("conv1", {"CKA": 0.5, "l2": np.nan}, []))
    shares = tuple((number, 0.25) for number in range(4))
    before = Side(np.arange(100), np.linspace(9, 1, 100), shares=shares)
    after = Side(np.array([], int), np.array([]))
    overview.add(Channel(3, before, after, np.nan, 0.2, 0.9, None, "after"), (0, 1), numbering)
    atlas = SimpleNamespace(
        title="t", before="b", after="a", k=100, classes=("x",), chance={"overlap": "2 %"}, notes=()
    )
    about, columns = values(overview.text(atlas, [7]), "overview")
    assert about["layers"] == [
        {"name": "conv1", "channels": 1, "numbers": {"CKA": 0.5, "l2": None}}
    ]
    assert about["lost"] == [7] and about["chance"] == {"overlap": "2 %"}
    assert columns == {
        "number": [3],
        "overlap": [None],
        "change": [0.2],
        "entropyBefore": [0.9],
        "entropyAfter": [None],
        "scoreBefore": [9.0],
        "scoreAfter": [None],
        "dead": ["after"],
        "images": [2],
        "classesBefore": [[0, 0.25, 1, 0.25, 2, 0.25]],
        "classesAfter": [[]],
        "firstBefore": [[0, 1, 2, 3]],
        "firstAfter": [0],
    }


def test_a_lone_surrogate_is_written_as_an_escape():
    made = script("pictures", "\udce9.jpg").encode("utf-8", "backslashreplace")
    assert made == b'atlas.pictures("\\udce9.jpg");\n'


@pytest.mark.parametrize("value", [1, True, "a", None])
def test_scripts_are_one_line(value):
    assert script("layer", value).count("\n") == 1
