"""Sets of labels: which columns of a CSV they are, how they travel as text."""

import numpy as np
import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import InputError
from transfer import label_sets

NAMES = ["lake", "snow, deep", "tree", "树"]


def table(**columns):
    return pandas.DataFrame(columns, dtype=object)


@given(st.lists(st.lists(st.booleans(), min_size=4, max_size=4), max_size=9))
def test_text_and_back(rows):
    texts = [label_sets.text(row, NAMES) for row in rows]
    found = label_sets.rows_of(texts, NAMES)
    assert found.dtype == np.uint8 and found.tolist() == [[int(one) for one in r] for r in rows]
    counts = label_sets.counts(texts)
    assert [counts[name] for name in NAMES] == found.sum(axis=0, dtype=int).tolist()
    without = label_sets.rows_of(label_sets.without(texts, ["tree"]), NAMES)
    assert (without == found * [1, 1, 0, 1]).all()


def test_a_picture_without_labels_has_a_word_of_its_own():
    assert label_sets.text([0, 0, 0, 0], NAMES) == "(none)"
    assert label_sets.members("(none)") == []
    assert label_sets.present([0.5, 0.49, 0.51, 0], NAMES) == "lake | tree"


def test_what_asks_for_several_labels():
    assert label_sets.asked("all") and label_sets.asked("tree,lake")
    assert not label_sets.asked("tree") and not label_sets.asked("tree,lake", ["tree,lake"])
    assert not label_sets.asked("all", ["id", "all"])
    assert label_sets.named(" tree, lake,tree,") == ["tree", "lake"]
    assert label_sets.named("all") is None
    with pytest.raises(InputError, match="'tree,'; accepted: .* two or more columns"):
        label_sets.named("tree,")


def test_all_are_the_columns_of_0_and_1_that_vary():
    cells = table(
        id=["0", "1", "1"],
        tree=["0", "1", " "],
        lake=["true", "FALSE", "1.0"],
        sun=["0", "2", "1"],
        blank=["", "", ""],
        toy=["1", "1", "1"],
        late=["0", "0", "1"],
    )
    every = np.ones(3, bool)
    assert label_sets.of_columns(cells, "all", {"id"}, every) == (["lake", "late", "tree"], ["toy"])
    first_two = np.array([True, True, False])
    assert label_sets.of_columns(cells, "all", {"id"}, first_two)[1] == ["late", "toy"]
    assert label_sets.of_columns(cells, "tree,blank", {"id"}, every) == (["blank", "tree"], [])
    with pytest.raises(InputError, match="has late; always the same: toy"):
        label_sets.of_columns(cells[["late", "toy", "sun"]], "all", (), every)
    bad = cells.rename(columns={"tree": "a|b"})
    with pytest.raises(InputError, match=r"'a\|b' cannot be a label"):
        label_sets.of_columns(bad, "all", {"id"}, every)


def test_rows_are_0_and_1_in_every_way_that_is_accepted():
    cells = table(a=["0", "1.0", "TRUE", ""], b=["1", " 0 ", "false", "1"])
    texts, missing = label_sets.of_rows(cells, ["a", "b"], cells["a"], "m.csv")
    assert texts == ["b", "a", "a", ""] and missing == ["", "", "", "a"]


@pytest.mark.parametrize("value", ["2", "-1", "yes", "0.5", "nan"])
def test_any_other_value_is_named_with_its_place(value):
    cells = table(id=["x", "y"], a=["0", "1"], b=["1", value]).set_axis([2, 5])
    with pytest.raises(InputError) as error:
        label_sets.of_rows(cells, ["a", "b"], cells["id"], "m.csv")
    assert str(error.value) == (
        f"m.csv, line 5, id 'y': column 'b' holds {value!r}; accepted: 0 or 1 (or 0.0, 1.0, false, "
        "true)"
    )


def test_labels_that_a_part_lacks():
    rows = {"train": np.eye(2, dtype=int), "test": np.array([[1, 0], [1, 0]])}
    assert label_sets.absent(rows, ["a", "b"]) == {"test": ["b"]}
    assert label_sets.told(list("abc")) == "a, b, c"
    assert label_sets.told(list("abcdefg")) == "a, b, c, d, e and 2 more"
