"""Objectives against values worked out by hand, under Lucid's signatures."""

import inspect

import numpy as np
import pytest
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
        (objectives.neuron("logits", 1), LOGITS[:, 1]),
        (objectives.direction("maps", [1, 0, 0, -1]), [-3, -3]),
        (objectives.direction_neuron("maps", [0, 1, 0, 0], x=1, y=0), MAPS[:, 1, 0, 1]),
        (objectives.deepdream("maps"), (MAPS**2).mean((1, 2, 3))),
        (objectives.deepdream("maps", batch=1), [0, (MAPS[1] ** 2).mean()]),
        (objectives.class_logit("logits", 1), LOGITS[:, 1]),
        (objectives.class_logit("logits", "dog"), LOGITS[:, 1]),
        # maps rise by 1 a channel, 4 a column, 12 a row: 3 * 4 pairs down, 2 * 2 * 4 across
        (objectives.total_variation("maps"), [12 * 12 + 16 * 4] * 2),
        (objectives.L1("logits", 2), [1, 4]),
        (objectives.L1("logits", 2, batch=1), [0, 4]),
        (objectives.L2("logits"), np.sqrt([5, 34])),
        (objectives.L2("logits", 1, 3.0), np.sqrt([3 + 1, 3 + 4 + 16])),
        (objectives.L2("logits", batch=0), [np.sqrt(5), 0]),
        (objectives.alignment("logits"), -(4 + 9) / 2 / 2),
        (objectives.alignment("logits", decay_ratio=4), -(4 + 9) / 2 / 4),
        (objectives.channel_interpolate("logits", 0, "maps", 0), [1, MAPS[1, ..., 0].mean()]),
        (objectives.input_diff(IMAGE[0] + 0.5), [0.5, None]),
        (objectives.input_diff(IMAGE[::-1]), [12 / 23, 12 / 23]),
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


LUCID = {  # of its release 0.3.10
    "neuron": "layer_name, channel_n, x=None, y=None, batch=None",
    "channel": "layer, n_channel, batch=None",
    "direction": "layer, vec, cossim_pow=0, batch=None",
    "direction_cossim": "layer, vec, cossim_pow=0, batch=None",
    "direction_neuron": "layer_name, vec, x=None, y=None, cossim_pow=0, batch=None",
    "deepdream": "layer",
    "total_variation": "layer='input'",
    "L1": "layer='input', constant=0",
    "L2": "layer='input', constant=0, epsilon=1e-06",
    "channel_interpolate": "layer1, n_channel1, layer2, n_channel2",
    "alignment": "layer, decay_ratio=2",
    "diversity": "layer",
    "input_diff": "orig_img",
    "class_logit": "layer, label, batch=None",
    "as_objective": "obj",
    "Objective": "objective_func, name='', description=''",
}


@pytest.mark.parametrize("name", LUCID)
def test_arguments_are_lucids_and_what_is_ours_comes_last(name):
    ours = inspect.signature(getattr(objectives, name))
    if name == "Objective":  # a dataclass annotates
        every = [p.replace(annotation=p.empty) for p in ours.parameters.values()]
        ours = ours.replace(parameters=every, return_annotation=ours.empty)
    ours = str(ours)[1:-1]
    assert ours == LUCID[name] or ours.startswith(LUCID[name] + ", ")
    assert all("=" in more for more in ours.removeprefix(LUCID[name]).split(", ")[1:])


def test_the_third_of_a_direction_is_the_power():
    vec = [1.0, 2.0]
    by_place = objectives.direction("logits", vec, 2)
    by_name = objectives.direction("logits", vec, cossim_pow=2)
    np.testing.assert_array_equal(scores(by_place), scores(by_name))
    assert (scores(by_place) != scores(objectives.direction("logits", vec))).all()


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


@pytest.mark.parametrize("given", ["mixed4d", "mixed4d:", ":3", 3, None])
def test_what_is_no_objective(given):
    with pytest.raises(InputError, match="accepted: an Objective"):
        objectives.as_objective(given)


@pytest.mark.parametrize(
    ("objective", "message"),
    [
        (objectives.channel("maps", 4), "channel 4; accepted: 0 to 3"),
        (objectives.channel("maps", 0, batch=2), "batch 2; accepted: 0 to 1"),
        (objectives.neuron("maps", 0, x=2), "x 2; accepted: 0 to 1"),
        (objectives.neuron("logits", 0, x=1), "x 1; accepted: 0 to 0"),
        (objectives.diversity("logits"), "accepted: maps"),
        (objectives.direction("maps", [1, 2]), "maps has 4 channels"),
        (objectives.class_logit("logits", "dgo"), "no class 'dgo'.*dog"),
        (objectives.input_diff(np.zeros((2, 3, 3))), r"\(2, 3, 3\); accepted: \(2, 2, 2, 3\)"),
        (objectives.input_diff(np.zeros((2, 2))), r"\(2, 2\); accepted: .* or \(2, 2, 3\)"),
    ],
)
def test_objectives_that_do_not_fit(objective, message):
    with pytest.raises(InputError, match=message):
        scores(objective)


@pytest.mark.parametrize("n", [-1, 1.5, True, "3"])
def test_channel_numbers(n):
    with pytest.raises(InputError, match="accepted: a whole number from 0"):
        objectives.channel("maps", n)


@pytest.mark.parametrize(
    ("orig_img", "message"),
    [
        (np.full((2, 2, 3), 255, "uint8"), r"uint8 in \[255, 255\]; accepted: floats"),
        (np.full((2, 2, 3), 2.0), r"float64 in \[2, 2\]; accepted: floats in \[0, 1\]"),
        (np.full((2, 2, 3), np.nan), "nan"),
        ("painting.jpg", "accepted: floats"),
    ],
)
def test_pictures_that_no_image_can_be_like(orig_img, message):
    with pytest.raises(InputError, match=message):
        objectives.input_diff(orig_img)
