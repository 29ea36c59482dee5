"""Objective: functions of one's own, arithmetic, weights in a batch as in Lucid, and T."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from models.errors import InputError
from models.graph import cut
from visualization.optvis import objectives
from visualization.optvis.objective import Objective, answers, layers_asked

N = 4  # images
RNG = np.random.default_rng(0)
MAPS = RNG.random((N, 3, 5, 3), "float32")
LOGITS = RNG.random((N, 2), "float32")
IMAGE = RNG.random((N, 4, 4, 3), "float32")
LIKE = np.repeat(IMAGE[:1], N, axis=0)
T = answers(
    {name: ops.convert_to_tensor(maps) for name, maps in [("maps", MAPS), ("logits", LOGITS)]},
    {"input": ops.convert_to_tensor(IMAGE), "like": ops.convert_to_tensor(LIKE)},
)


def scores(objective):
    return np.asarray(ops.convert_to_numpy(objective(T)))


@settings(max_examples=10, deadline=None)
@given(st.floats(-5, 5), st.floats(0.5, 5))
def test_arithmetic_is_that_of_the_scores(a, b):
    one, two = objectives.channel("logits", 0), objectives.channel("logits", 1)
    first, second = LOGITS[:, 0], LOGITS[:, 1]
    logit = objectives.class_logit("logits", 1)
    for objective, expected in [
        (one + two, first + second),
        (one - a, first - a),
        (a - one, a - first),
        (one * b / two, first * b / second),
        (b / one, b / first),
        (-one, -first),
        (sum([one, two, one]), 2 * first + second),
        (Objective.sum([one, two, one]), 2 * first + second),
        (np.float32(b) * one, b * first),
        (logit - a, second - a),
        (sum([logit, logit]), 2 * second),
    ]:
        np.testing.assert_allclose(scores(objective), expected, rtol=1e-5, atol=1e-5)


def test_arithmetic_leaves_its_operands_alone():
    one, two = objectives.channel("logits", 0), objectives.channel("maps", 1)
    before = (one.layers, one.description, one.growth, scores(one).tolist())
    total = one + two + 2 * one - objectives.L1()
    assert (one.layers, one.description, one.growth, scores(one).tolist()) == before
    assert total.layers == ("logits", "maps", "input")


def test_arithmetic_with_something_else():
    with pytest.raises(InputError, match="accepted: a real number"):
        objectives.channel("maps", 0) + "maps:1"


# An objective of ours and the number that Lucid makes of the whole batch
MEANS = {
    "channel": (objectives.channel("maps", 1), MAPS[..., 1].mean()),
    "neuron": (objectives.neuron("maps", 2), MAPS[:, 1, 2, 2].mean()),
    "direction": (objectives.direction("maps", [1, 0, 2]), (MAPS @ [1, 0, 2]).mean()),
    "deepdream": (objectives.deepdream("maps"), (MAPS**2).mean()),
    "input_diff": (
        objectives.input_diff(LIKE[0]),
        np.sqrt(((IMAGE - LIKE[0]) ** 2).mean((1, 2, 3))).mean(),
    ),
}
SUMS = {
    "channel of one": (objectives.channel("maps", 1, batch=2), MAPS[2, ..., 1].mean()),
    "L2 of one": (objectives.L2(batch=3), np.sqrt((IMAGE[3] ** 2).sum())),
    "class_logit": (objectives.class_logit("logits", 1), LOGITS[:, 1].sum()),
    "L1": (objectives.L1(), IMAGE.sum()),
    "interpolation": (
        objectives.channel_interpolate("maps", 0, "logits", 1),
        np.linspace(1, 0, N) @ MAPS[..., 0].mean((1, 2)) + np.linspace(0, 1, N) @ LOGITS[:, 1],
    ),
}
ROOTS = {"L2 of like images": (objectives.L2("like"), np.sqrt((LIKE**2).sum()))}
NEAR = [(d, i) for d in (1, 2, 3) for i in range(N - d)]
BATCH = {
    "alignment": (
        objectives.alignment("logits"),
        -sum(((LOGITS[i] - LOGITS[i + d]) ** 2).mean() / 2**d for d, i in NEAR),
    ),
    "own scalar": (Objective(lambda T: ops.mean(T("maps")), "own", layers="maps"), MAPS.mean()),
}
ALL = MEANS | SUMS | ROOTS | BATCH


@pytest.mark.parametrize("one", ALL)
@pytest.mark.parametrize("two", ALL)
def test_a_sum_weighs_its_terms_as_lucid_does(one, two):
    """What ascent raises, the sum over images, is Lucid's number times a factor of the batch."""
    (first, a), (second, b) = ALL[one], ALL[two]
    alike = any(one in kind and two in kind for kind in (SUMS, ROOTS))
    factor = (1 if one in SUMS else np.sqrt(N)) if alike else N
    raised = ops.broadcast_to(scores(first - 3 * second), (N,))
    assert np.sum(raised) == pytest.approx(factor * (a - 3 * b), rel=1e-4, abs=1e-4)


def test_a_sum_of_three_weighs_its_terms_as_lucid_does():
    parts = ["channel", "alignment", "interpolation", "L1"]
    (channel, a), (near, b), (interpolation, c), (size, d) = (ALL[part] for part in parts)
    objective = 2 * (interpolation + 0.5 * size) - 0.1 * near + channel * 3
    lucid = 2 * (c + 0.5 * d) - 0.1 * b + a * 3
    assert scores(objective).mean() == pytest.approx(lucid, rel=1e-5)


def test_total_variation_is_one_number_for_each_image_in_lucid_too():
    variation, single = objectives.total_variation(), objectives.class_logit("logits", 0)
    expected = scores(variation) + N * LOGITS[:, 0]
    np.testing.assert_allclose(scores(variation + single), expected, rtol=1e-5)


def test_growth_of_a_number_for_the_batch():
    own = Objective(lambda T: ops.sum(T("maps")), "own", layers="maps", growth=1)
    with pytest.raises(InputError, match="objective own is one number.*accepted: 0"):
        scores(own + objectives.channel("maps", 0))


def mean_red(T):
    return ops.mean(T("input")[..., 0], axis=(1, 2))


def test_a_function_is_an_objective():
    objective = objectives.as_objective(mean_red)
    assert objective.description == "mean_red" and objective.layers is None
    np.testing.assert_allclose(scores(objective), IMAGE[..., 0].mean((1, 2)), rtol=1e-5)


def test_the_second_of_an_objective_is_its_name_as_in_lucid():
    objective = Objective(mean_red, "red")
    assert (objective.name, objective.description, objective.layers) == ("red", "red", None)
    assert Objective(mean_red, "red", "mean of red").description == "mean of red"


@pytest.mark.parametrize("layers", ["maps", ["maps"], ("maps",)])
def test_one_layer_may_stand_alone(layers):
    assert Objective(mean_red, layers=layers).layers == ("maps",)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("maps:1",), "'maps:1'; accepted: a function of T"),
        ((mean_red, ("maps",), "red"), r"\('maps',\) of an objective; accepted: text; layers"),
        ((mean_red, "red", "", 3), "layers 3 of an objective; accepted: names"),
    ],
)
def test_what_no_objective_is_made_of(arguments, message):
    with pytest.raises(InputError, match=message):
        Objective(*arguments)


def network():
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(6, 3, name="first")(inputs)
    return keras.Model(inputs, keras.layers.Conv2D(4, 1, name="maps")(x))


def test_layers_that_a_function_asks_for_are_found_in_the_network():
    model, cuts = network(), []

    def empty(name):
        cuts.append(name)
        return ops.zeros((N, *cut(model, [name]).output[name].shape[1:]))

    def own(T):
        both = objectives.channel("maps", 3)(T) + objectives.neuron("first", 5, x=5, y=5)(T)
        return both + ops.mean(T("maps")) + ops.mean(T("input"))

    others = {"input": IMAGE, "labels": None, "channels": np.zeros(N, "int32")}
    unnamed = objectives.as_objective(own) - objectives.L1("first")
    assert layers_asked(unnamed, others, empty) == ["maps", "first"] == cuts
    named = objectives.channel("maps", 99) - objectives.L1()
    assert layers_asked(named, others, empty) == ["maps"] and len(cuts) == 2
    with pytest.raises(InputError, match="no class names"):
        layers_asked(Objective(lambda T: T("labels")), others, empty)
    with pytest.raises(InputError, match="near it: maps"):
        layers_asked(Objective(lambda T: T("mpas")), others, empty)


def test_a_layer_that_was_not_named_is_told():
    forgetful = Objective(lambda T: T("logits") + T("first"), "forgetful", layers="logits")
    with pytest.raises(InputError, match=r"layer 'first'.*names \(maps, logits\).*layers="):
        scores(forgetful)


def test_activations_reach_the_objective_as_float32():
    half = answers({"maps": ops.cast(MAPS, "float16")}, {})("maps")
    assert keras.backend.standardize_dtype(half.dtype) == "float32"
