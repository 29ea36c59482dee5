"""Objectives by hand and under Lucid's signatures; their arithmetic, weights in a batch, and T."""

import inspect

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from models.errors import InputError
from models.graph import cut
from visualization.optvis import objectives
from visualization.optvis.ascent import answers, layers_asked
from visualization.optvis.objectives import Objective

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


def test_the_module_exports_objectives_only():
    assert {name for name in vars(objectives) if name[0] != "_"} == set(objectives.__all__)


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
        (objectives.each_channel(("logits", "maps")), [MAPS[0, ..., 1].mean(), LOGITS[1, 0]]),
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


def test_a_class_that_two_outputs_have_is_not_guessed():
    """ImageNet has two cranes."""
    answers = {"logits": ops.convert_to_tensor(LOGITS), "labels": ["crane", "crane"]}
    with pytest.raises(InputError, match="several classes are named 'crane'.*: 0, 1"):
        objectives.class_logit("logits", "crane")(answers.__getitem__)


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


N = 4  # images
RNG = np.random.default_rng(0)
RANDOM_MAPS = RNG.random((N, 3, 5, 3), "float32")
RANDOM_LOGITS = RNG.random((N, 2), "float32")
RANDOM_IMAGE = RNG.random((N, 4, 4, 3), "float32")
LIKE = np.repeat(RANDOM_IMAGE[:1], N, axis=0)
RANDOM_T = answers(
    {
        name: ops.convert_to_tensor(maps)
        for name, maps in [("maps", RANDOM_MAPS), ("logits", RANDOM_LOGITS)]
    },
    {"input": ops.convert_to_tensor(RANDOM_IMAGE), "like": ops.convert_to_tensor(LIKE)},
)


def batch_scores(objective):
    return np.asarray(ops.convert_to_numpy(objective(RANDOM_T)))


@settings(max_examples=10, deadline=None)
@given(st.floats(-5, 5), st.floats(0.5, 5))
def test_arithmetic_is_that_of_the_scores(a, b):
    one, two = objectives.channel("logits", 0), objectives.channel("logits", 1)
    first, second = RANDOM_LOGITS[:, 0], RANDOM_LOGITS[:, 1]
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
        np.testing.assert_allclose(batch_scores(objective), expected, rtol=1e-5, atol=1e-5)


def test_arithmetic_leaves_its_operands_alone():
    one, two = objectives.channel("logits", 0), objectives.channel("maps", 1)
    before = (one.layers, one.description, one.growth, batch_scores(one).tolist())
    total = one + two + 2 * one - objectives.L1()
    assert (one.layers, one.description, one.growth, batch_scores(one).tolist()) == before
    assert total.layers == ("logits", "maps", "input")


def test_arithmetic_with_something_else():
    with pytest.raises(InputError, match="accepted: a real number"):
        objectives.channel("maps", 0) + "maps:1"


# An objective of ours and the number that Lucid makes of the whole batch
MEANS = {
    "channel": (objectives.channel("maps", 1), RANDOM_MAPS[..., 1].mean()),
    "neuron": (objectives.neuron("maps", 2), RANDOM_MAPS[:, 1, 2, 2].mean()),
    "direction": (objectives.direction("maps", [1, 0, 2]), (RANDOM_MAPS @ [1, 0, 2]).mean()),
    "deepdream": (objectives.deepdream("maps"), (RANDOM_MAPS**2).mean()),
    "input_diff": (
        objectives.input_diff(LIKE[0]),
        np.sqrt(((RANDOM_IMAGE - LIKE[0]) ** 2).mean((1, 2, 3))).mean(),
    ),
}
SUMS = {
    "channel of one": (objectives.channel("maps", 1, batch=2), RANDOM_MAPS[2, ..., 1].mean()),
    "L2 of one": (objectives.L2(batch=3), np.sqrt((RANDOM_IMAGE[3] ** 2).sum())),
    "class_logit": (objectives.class_logit("logits", 1), RANDOM_LOGITS[:, 1].sum()),
    "L1": (objectives.L1(), RANDOM_IMAGE.sum()),
    "interpolation": (
        objectives.channel_interpolate("maps", 0, "logits", 1),
        np.linspace(1, 0, N) @ RANDOM_MAPS[..., 0].mean((1, 2))
        + np.linspace(0, 1, N) @ RANDOM_LOGITS[:, 1],
    ),
}
ROOTS = {"L2 of like images": (objectives.L2("like"), np.sqrt((LIKE**2).sum()))}
NEAR = [(d, i) for d in (1, 2, 3) for i in range(N - d)]
BATCH = {
    "alignment": (
        objectives.alignment("logits"),
        -sum(((RANDOM_LOGITS[i] - RANDOM_LOGITS[i + d]) ** 2).mean() / 2**d for d, i in NEAR),
    ),
    "own scalar": (
        Objective(lambda T: ops.mean(T("maps")), "own", layers="maps"),
        RANDOM_MAPS.mean(),
    ),
}
ALL = MEANS | SUMS | ROOTS | BATCH


@pytest.mark.parametrize("one", ALL)
@pytest.mark.parametrize("two", ALL)
def test_a_sum_weighs_its_terms_as_lucid_does(one, two):
    """What ascent raises, the sum over images, is Lucid's number times a factor of the batch."""
    (first, a), (second, b) = ALL[one], ALL[two]
    alike = any(one in kind and two in kind for kind in (SUMS, ROOTS))
    factor = (1 if one in SUMS else np.sqrt(N)) if alike else N
    raised = ops.broadcast_to(batch_scores(first - 3 * second), (N,))
    assert np.sum(raised) == pytest.approx(factor * (a - 3 * b), rel=1e-4, abs=1e-4)


def test_a_sum_of_three_weighs_its_terms_as_lucid_does():
    parts = ["channel", "alignment", "interpolation", "L1"]
    (channel, a), (near, b), (interpolation, c), (size, d) = (ALL[part] for part in parts)
    objective = 2 * (interpolation + 0.5 * size) - 0.1 * near + channel * 3
    lucid = 2 * (c + 0.5 * d) - 0.1 * b + a * 3
    assert batch_scores(objective).mean() == pytest.approx(lucid, rel=1e-5)


def test_total_variation_is_one_number_for_each_image_in_lucid_too():
    variation, single = objectives.total_variation(), objectives.class_logit("logits", 0)
    expected = batch_scores(variation) + N * RANDOM_LOGITS[:, 0]
    np.testing.assert_allclose(batch_scores(variation + single), expected, rtol=1e-5)


def test_growth_of_a_number_for_the_batch():
    own = Objective(lambda T: ops.sum(T("maps")), "own", layers="maps", growth=1)
    with pytest.raises(InputError, match="objective own is one number.*accepted: 0"):
        batch_scores(own + objectives.channel("maps", 0))


def mean_red(T):
    return ops.mean(T("input")[..., 0], axis=(1, 2))


def test_a_function_is_an_objective():
    objective = objectives.as_objective(mean_red)
    assert objective.description == "mean_red" and objective.layers is None
    np.testing.assert_allclose(
        batch_scores(objective), RANDOM_IMAGE[..., 0].mean((1, 2)), rtol=1e-5
    )


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

    others = {"input": RANDOM_IMAGE, "labels": None, "channels": np.zeros(N, "int32")}
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
        batch_scores(forgetful)


def test_activations_reach_the_objective_as_float32():
    half = answers({"maps": ops.cast(RANDOM_MAPS, "float16")}, {})("maps")
    assert keras.backend.standardize_dtype(half.dtype) == "float32"
