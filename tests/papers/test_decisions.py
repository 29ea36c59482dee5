"""Answers worked out by hand: with and without intervals, with ties, holes and gaps."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import InputError
from papers.decisions import (
    FAILS,
    HOLDS,
    UNTOLD,
    At,
    Gain,
    Last,
    Other,
    Ratio,
    Same,
    above,
    all_of,
    below,
    close,
    every,
    falls_step_by_step,
    insignificant,
    most,
    numbers_at,
    over,
    related,
)

NETWORKS = {
    "task": ["a", "a", "b", "b"],
    "network": ["V", "R", "V", "R"],
    "off": [10.0, 5.0, 20.0, 30.0],
    "fine": [11.0, 12.0, 25.0, 40.0],
}
V, R = {"network": "V"}, {"network": "R"}


def answer(question, **columns):
    """The answer from one item, t."""
    return question.decide({"t": pd.DataFrame(columns)}).answer


@pytest.mark.parametrize(
    ("answers", "of_every", "of_most"),
    [
        ([], UNTOLD, UNTOLD),
        ([HOLDS], HOLDS, HOLDS),
        ([HOLDS, FAILS], FAILS, FAILS),  # a half is not most
        ([HOLDS, HOLDS, FAILS], FAILS, HOLDS),
        ([HOLDS, UNTOLD], UNTOLD, UNTOLD),
        ([FAILS, UNTOLD], FAILS, FAILS),
        ([FAILS, UNTOLD, UNTOLD], FAILS, UNTOLD),
    ],
)
def test_rules(answers, of_every, of_most):
    assert (every(iter(answers)), most(iter(answers))) == (of_every, of_most)


def test_columns_and_rows_are_compared_within_groups():
    rows, tasks = ("task", "network"), ("task",)
    assert answer(above(At("t", "fine"), At("t", "off"), rows), **NETWORKS) == HOLDS
    assert answer(above(At("t", "fine", R), At("t", "fine", V), tasks), **NETWORKS) == HOLDS
    assert answer(above(At("t", "off", R), At("t", "off", V), tasks), **NETWORKS) == FAILS
    # without groups R's 12 stands against V's 25
    assert answer(above(At("t", "fine", R), At("t", "fine", V)), **NETWORKS) == FAILS


def test_margin_and_factor():
    columns = {"task": ["a"], "x": [30.0], "y": [10.0]}
    for options, expected in (
        ({"margin": 19}, HOLDS),
        ({"margin": 20}, UNTOLD),
        ({"margin": 21}, FAILS),
        ({"times": 2}, HOLDS),
        ({"times": 4}, FAILS),
        ({"times": 4, "margin": -11}, HOLDS),
    ):
        question = above(At("t", "x"), At("t", "y"), ("task",), **options)
        assert answer(question, **columns) == expected


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(11.0, 13.0, HOLDS), (9.0, 13.0, UNTOLD), (5.0, 9.0, FAILS), (np.nan, np.nan, HOLDS)],
)
def test_overlapping_intervals_cannot_be_told(low, high, expected):
    columns = {"x": [12.0], "x_low": [low], "x_high": [high], "y": [10.0]}
    assert answer(above(At("t", "x"), At("t", "y")), **columns) == expected
    assert answer(over(At("t", "x"), 10), **columns) == expected
    reverse = {HOLDS: FAILS, FAILS: HOLDS, UNTOLD: UNTOLD}[expected]
    assert answer(below(At("t", "x"), 10), **columns) == reverse


def test_a_lost_number_with_bounds_still_decides():
    columns = {"x": [50.0], "y": [np.nan], "y_low": [0.0], "y_high": [10.0]}
    verdict = above(At("t", "x"), At("t", "y")).decide({"t": pd.DataFrame(columns)})
    assert verdict.answer == HOLDS
    assert verdict.numbers == ("x 50, y lost, from 0 to 10: holds",)
    assert answer(above(At("t", "x"), At("t", "y")), x=[50.0], y=[np.nan]) == UNTOLD


def test_the_numbers_named_are_the_narrowest_of_those_that_decide():
    columns = {"task": ["a"] * 3, "network": ["V", "R", "X"], "y": [3.0, 1.0, 2.0], "note": "n"}
    verdict = above(At("t", "y", V), At("t", "y", {"network": Other(("V",))}), ("task",)).decide(
        {"t": pd.DataFrame(columns)}
    )
    assert verdict.numbers == ("a: V 3, X 2: holds",)


def test_equal_numbers_and_groups_of_one_side_tell_nothing():
    assert answer(above(At("t", "x"), At("t", "y")), x=[1.0], y=[1.0]) == UNTOLD
    one = {"task": ["a", "b"], "network": ["V", "R"], "x": [1.0, 2.0]}
    assert answer(above(At("t", "x", V), At("t", "x", R), ("task",)), **one) == UNTOLD
    # a group that is known only by an empty cell is a group
    hole = {"task": [np.nan] * 2, "network": ["V", "R"], "x": [1.0, 2.0]}
    assert answer(above(At("t", "x", R), At("t", "x", V), ("task",)), **hole) == HOLDS


def test_gains_and_ratios_carry_their_intervals():
    columns = {"x": [10.0], "x_low": [9.0], "x_high": [12.0], "y": [4.0], "y_low": [3.0]}
    columns["y_high"] = [6.0]
    frame = {"t": pd.DataFrame(columns)}
    gain = numbers_at(frame, At("t", Gain("x", "y"))).iloc[0]
    assert (gain.value, gain.low, gain.high) == (6, 3, 9)
    ratio = numbers_at(frame, At("t", Ratio("x", "y"))).iloc[0]
    assert (ratio.value, ratio.low, ratio.high) == (2.5, 1.5, 4)


def test_rows_are_chosen():
    frame = {
        "t": pd.DataFrame(
            {"true": list("aabb"), "said": list("abab"), "epoch": [0, 1, 0, 2], "x": range(4)}
        )
    }

    def chosen(**where):
        return list(numbers_at(frame, At("t", "x", where)).value)

    assert chosen(true="a") == [0, 1]
    assert chosen(said=("a", "b"), true=Other(("a",))) == [2, 3]
    assert chosen(said=Same("true")) == [0, 3]
    assert chosen(said=Same("true", equal=False)) == [1, 2]
    assert chosen(epoch=Last(("true",))) == [1, 3]


def test_close():
    question = close(At("t", "x"), 2, ("task",))
    assert answer(question, task=list("aab"), x=[1.0, 3.0, 9.0]) == HOLDS
    assert answer(question, task=list("aaa"), x=[1.0, 3.0, 3.1]) == FAILS
    assert answer(question, task=list("aa"), x=[1.0, np.nan]) == UNTOLD
    assert answer(question, task=["a"], x=[1.0]) == UNTOLD
    bounds = {"x_low": [0.0, 2.0], "x_high": [2.0, 4.0]}
    assert answer(question, task=list("aa"), x=[1.0, 3.0], **bounds) == UNTOLD


def test_close_by_a_share_of_the_smallest():
    question = close(At("t", "x"), match=("task",), relative=0.1)
    assert answer(question, task=list("aab"), x=[0.010, 0.011, 9.0]) == HOLDS
    assert answer(question, task=list("aab"), x=[0.010, 0.012, 9.0]) == FAILS
    assert answer(question, task=list("aa"), x=[100.0, 109.0]) == HOLDS
    assert answer(question, task=list("aa"), x=[1.0, np.nan]) == UNTOLD
    two = {"task": list("aa"), "x": [1.0, 1.05]}
    for ends, expected in (
        ({"x_low": [0.99, 1.04], "x_high": [1.01, 1.06]}, HOLDS),  # 1.06 <= 1.1 * 0.99
        ({"x_low": [0.9, 1.0], "x_high": [1.1, 1.1]}, UNTOLD),
        ({"x_low": [0.9, 1.04], "x_high": [0.94, 1.06]}, FAILS),  # 1.04 > 1.1 * 0.94
    ):
        assert answer(question, **two, **ends) == expected
    verdict = question.decide({"t": pd.DataFrame({"task": list("aa"), "x": [1.0, 2.0]})})
    assert verdict.numbers == (
        "a: x from 1 to 2, allowed 10 % of the smallest apart: does not hold",
    )
    both = close(At("t", "x"), 0.5, relative=0.1)
    assert [answer(both, x=[1.0, top]) for top in (1.59, 1.61)] == [HOLDS, FAILS]


def test_bounds_of_most():
    assert answer(below(At("t", "x"), 0.4, most), x=[0.1, 0.2, 0.5]) == HOLDS
    assert answer(below(At("t", "x"), 0.4), x=[0.1, 0.2, 0.5]) == FAILS
    assert answer(over(At("t", "x"), 0.4), x=[0.5, 0.6]) == HOLDS
    assert answer(over(At("t", "x"), 0.4), x=[]) == UNTOLD
    verdict = below(At("t", "x"), 3).decide({"t": pd.DataFrame({"x": [1.0, 5.0]})})
    assert verdict.numbers == ("1 of 2 numbers are below 3", "x 1", "x 5")


def test_rank_correlation_by_its_sign():
    x, steep = np.arange(12.0), np.exp(np.arange(12.0))
    on = {"layer": list("abcdefghijkl"), "x": x}
    rises, falls = (related(At("t", "x"), At("t", "y"), ("layer",), falling=f) for f in (0, 1))
    assert [answer(q, **on, y=steep) for q in (rises, falls)] == [HOLDS, FAILS]
    assert [answer(q, **on, y=-steep) for q in (rises, falls)] == [FAILS, HOLDS]
    mixed = [1, -1] * 6
    assert [answer(q, **on, y=mixed) for q in (rises, falls)] == [UNTOLD, UNTOLD]
    assert answer(rises, **on, y=[1.0] * 12) == UNTOLD
    assert answer(rises, layer=list("abc"), x=[1, 2, 3], y=[1, 2, 3]) == UNTOLD


def test_rank_correlation_of_two_items_by_groups():
    x = pd.DataFrame({"layer": list("abcdef") * 2, "pair": ["p"] * 6 + ["q"] * 6, "x": range(12)})
    y = x.assign(y=[*range(6), *range(6, 0, -1)]).sample(frac=1, random_state=0)[
        ["layer", "pair", "y"]
    ]
    verdict = related(At("x", "x"), At("y", "y"), ("layer",), ("pair",)).decide({"x": x, "y": y})
    assert verdict.answer == FAILS
    assert [line[:2] for line in sorted(verdict.numbers)] == ["p:", "q:"]


def test_steps():
    question = falls_step_by_step(At("t", "y"), "depth", ("pair",))
    assert answer(question, pair=[1, 1, 1], depth=[2, 0, 1], y=[1.0, 3.0, 2.0]) == HOLDS
    assert answer(question, pair=[1, 1, 1], depth=[0, 1, 2], y=[3.0, 1.0, 2.0]) == FAILS
    assert answer(question, pair=[1, 1, 1], depth=[0, 1, 2], y=[3.0, 2.0, 2.0]) == UNTOLD
    assert answer(question, pair=[], depth=[], y=[]) == UNTOLD


def test_significance_is_corrected_for_the_number_of_tests():
    question = insignificant(At("t", "p"))
    assert answer(question, p=[0.04, 0.5]) == HOLDS  # 0.04 * 2
    assert answer(question, p=[0.02, 0.5]) == FAILS
    assert answer(question, p=[np.nan]) == UNTOLD
    verdict = question.decide({"t": pd.DataFrame({"p": [0.5, 0.02]})})
    assert verdict.numbers[0].startswith("p 0.02")  # what decides is told first


def test_several_questions_are_one():
    first, second = over(At("t", "x"), 0), over(At("s", "y"), 0)
    both = all_of(first, second)
    assert both.items == ("t", "s")
    frames = {"t": pd.DataFrame({"x": [1.0]}), "s": pd.DataFrame({"y": [-1.0]})}
    verdict = both.decide(frames)
    assert verdict.answer == FAILS and "x 1" in verdict.numbers and "y -1" in verdict.numbers


@pytest.mark.parametrize(
    ("at", "message"),
    [
        (At("s", "x"), "no numbers of s; there is t"),
        (At("t", "y"), "t has no column 'y'; it has x"),
        (At("t", "x", {"network": "V"}), "t has no column 'network'; it has x"),
        (At("t", Gain("x", "z")), "t has no column 'z'"),
    ],
)
def test_what_is_missing_is_named(at, message):
    with pytest.raises(InputError, match=message):
        numbers_at({"t": pd.DataFrame({"x": [1.0]})}, at)


@given(st.lists(st.floats(-10, 10), min_size=2, max_size=6), st.floats(0, 3))
def test_wider_intervals_never_turn_an_answer(values, width):
    columns = {"x": values[:1], "y": [max(values[1:])]}
    plain = answer(above(At("t", "x"), At("t", "y")), **columns)
    wide = columns | {"x_low": [values[0] - width], "x_high": [values[0] + width]}
    assert answer(above(At("t", "x"), At("t", "y")), **wide) in (plain, UNTOLD)
