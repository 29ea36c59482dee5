"""Objectives against values worked out by hand, and their arithmetic."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from models.errors import InputError
from visualization.optvis import objectives
from visualization.optvis.objective import Objective

MAPS = np.arange(2 * 2 * 3 * 4, dtype="float32").reshape(2, 2, 3, 4)
LOGITS = np.array([[1.0, 2.0], [3.0, 5.0]], "float32")
IMAGE = np.linspace(0, 1, 2 * 2 * 2 * 3, dtype="float32").reshape(2, 2, 2, 3)
ANSWERS = {
    "maps": MAPS,
    "logits": LOGITS,
    "input": IMAGE,
    "labels": ["cat", "dog"],
    "channels": np.array([3, 0], "int32"),
}


def T(name):  # noqa: N802
    answer = ANSWERS[name]
    return answer if isinstance(answer, list) else ops.convert_to_tensor(answer)


def scores(objective):
    return np.asarray(ops.convert_to_numpy(objective(T)))


@pytest.mark.parametrize(
    ("objective", "expected"),
    [
        (objectives.channel("maps", 1), MAPS[..., 1].mean((1, 2))),
        (objectives.channel("logits", 1), LOGITS[:, 1]),
        (objectives.channel("maps", 1, batch=1), [0, MAPS[1, ..., 1].mean()]),
        (objectives.each_channel("maps"), [MAPS[0, ..., 3].mean(), MAPS[1, ..., 0].mean()]),
        (objectives.neuron("maps", 2), MAPS[:, 1, 1, 2]),
        (objectives.neuron("maps", 2, x=0, y=2), MAPS[:, 0, 2, 2]),
        (objectives.neuron("maps", 2, x=0, y=2, batch=0), [MAPS[0, 0, 2, 2], 0]),
        (objectives.direction("maps", [1, 0, 0, -1]), [-3, -3]),
        (objectives.direction_neuron("maps", [0, 1, 0, 0], x=1, y=0), MAPS[:, 1, 0, 1]),
        (objectives.deepdream("maps"), (MAPS**2).mean((1, 2, 3))),
        (objectives.class_logit("logits", 1), LOGITS[:, 1]),
        (objectives.class_logit("logits", "dog"), LOGITS[:, 1]),
        # maps rise by 1 a channel, 4 a column, 12 a row: 3 * 4 pairs down, 2 * 2 * 4 across
        (objectives.total_variation("maps"), [12 * 12 + 16 * 4] * 2),
        (objectives.L1("logits", 2), [1, 4]),
        (objectives.L2("logits"), np.sqrt([5, 34])),
        (objectives.alignment("logits"), -(4 + 9) / 2 / 2),
        (objectives.alignment("logits", decay_ratio=4), -(4 + 9) / 2 / 4),
        (objectives.channel_interpolate("logits", 0, "maps", 0), [1, MAPS[1, ..., 0].mean()]),
        (objectives.input_diff(IMAGE[0] + 0.5), [0.5, None]),
    ],
    ids=lambda value: value.description if isinstance(value, Objective) else "",
)
def test_values(objective, expected):
    for got, wanted in zip(np.atleast_1d(scores(objective)), np.atleast_1d(expected), strict=True):
        assert wanted is None or got == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("power", [1, 2])
def test_cosine_weighs_the_direction(power):
    vec = np.array([1.0, 2.0], "float32")
    dot = LOGITS @ vec
    cosine = dot / np.linalg.norm(LOGITS, axis=1) / np.linalg.norm(vec)
    got = scores(objectives.direction("logits", vec, cossim_pow=power))
    np.testing.assert_allclose(got, dot * cosine**power, rtol=1e-3)


def test_opposite_direction_keeps_a_tenth_of_its_weight():
    got = scores(objectives.direction("logits", [-1, 0], cossim_pow=1))
    np.testing.assert_allclose(got, [-0.1, -0.3], rtol=1e-5)


def test_diversity_is_the_mean_likeness_of_gram_matrices():
    grams = []
    for maps in MAPS:
        flat = maps.reshape(-1, 4)
        gram = flat.T @ flat
        grams.append(gram / np.linalg.norm(gram))
    expected = 2 * (grams[0] * grams[1]).sum() / 2
    assert scores(objectives.diversity("maps")) == pytest.approx(expected, rel=1e-4)


@settings(max_examples=10, deadline=None)
@given(st.floats(-5, 5), st.floats(0.5, 5))
def test_arithmetic_is_that_of_the_scores(a, b):
    one, two = objectives.channel("logits", 0), objectives.channel("logits", 1)
    first, second = LOGITS[:, 0], LOGITS[:, 1]
    for objective, expected in [
        (one + two, first + second),
        (one - a, first - a),
        (a - one, a - first),
        (one * b / two, first * b / second),
        (b / one, b / first),
        (-one, -first),
        (sum([one, two, one]), 2 * first + second),
        (np.float32(b) * one, b * first),
    ]:
        np.testing.assert_allclose(scores(objective), expected, rtol=1e-5, atol=1e-5)


def test_arithmetic_leaves_its_operands_alone():
    one, two = objectives.channel("logits", 0), objectives.channel("maps", 1)
    before = (one.layers, one.description, scores(one).tolist())
    total = one + two + 2 * one - objectives.L1()
    assert (one.layers, one.description, scores(one).tolist()) == before
    assert total.layers == ("logits", "maps", "input")


@pytest.mark.parametrize(
    ("text", "description"),
    [
        ("mixed4d_3x3_pre_relu:52", "channel mixed4d_3x3_pre_relu:52"),
        (" a/b : 7 ", "channel a/b:7"),
        ("softmax2:tabby cat", "class_logit softmax2:tabby cat"),
    ],
)
def test_strings(text, description):
    assert objectives.as_objective(text).description == description


@pytest.mark.parametrize("given", ["mixed4d", "mixed4d:", ":3", 3, None, lambda T: 0])
def test_what_is_no_objective(given):
    with pytest.raises(InputError, match="accepted: an Objective"):
        objectives.as_objective(given)


@pytest.mark.parametrize(
    ("objective", "message"),
    [
        (objectives.channel("maps", 4), "channel 4; accepted: 0 to 3"),
        (objectives.channel("maps", 0, batch=2), "batch 2; accepted: 0 to 1"),
        (objectives.neuron("maps", 0, x=2), "x 2; accepted: 0 to 1"),
        (objectives.neuron("logits", 0), "accepted: maps"),
        (objectives.direction("maps", [1, 2]), "maps has 4 channels"),
        (objectives.class_logit("logits", "dgo"), "no class 'dgo'.*dog"),
    ],
)
def test_objectives_that_do_not_fit(objective, message):
    with pytest.raises(InputError, match=message):
        scores(objective)


@pytest.mark.parametrize("n", [-1, 1.5, True, "3"])
def test_channel_numbers(n):
    with pytest.raises(InputError, match="accepted: a whole number from 0"):
        objectives.channel("maps", n)


def test_arithmetic_with_something_else():
    with pytest.raises(InputError, match="accepted: a real number"):
        objectives.channel("maps", 0) + "maps:1"
