"""Layers found by name; graphs run again, cut, and without softmax; the class that is meant."""

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose

from models.errors import InputError
from models.graph import (
    activation_name,
    classifier,
    count_activations,
    cut,
    find_layer,
    name_of,
    relu_limit,
    target_index,
    trace,
)
from visualization.optvis import redirected_relu


def dense(name):
    return keras.layers.Dense(2, name=name)


def named_network(name, *layers):
    return keras.Sequential([keras.Input((2,)), *layers], name=name)


@pytest.fixture(scope="module")
def flat():
    return named_network(
        "flat", *(dense(f"mixed4{x}_3x3_pre_relu") for x in "abcde"), dense("head")
    )


@pytest.fixture(scope="module")
def nested():
    inner = named_network("inner", dense("first"), dense("second"))
    trunk = named_network("trunk", inner, dense("second"), dense("third"))
    return named_network("whole", trunk, dense("third"), dense("head"))


@pytest.mark.parametrize("ending", ["", ":0"])
def test_by_name(ending, flat):
    assert find_layer(flat, f"mixed4d_3x3_pre_relu{ending}") is flat.layers[3]


@pytest.mark.parametrize("index", [0, 5, -1, -6])
def test_by_index(index, flat):
    assert find_layer(flat, index) is flat.layers[index]


@pytest.mark.parametrize("index", [6, -7])
def test_an_index_too_large_is_refused(index, flat):
    with pytest.raises(InputError, match=f"flat has no layer {index}; accepted: -6 to 5"):
        find_layer(flat, index)


def test_an_unknown_name_lists_near_ones(flat):
    message = "flat has no layer 'mixed4d_3x3_prerelu' among its 6; near it: mixed4d_3x3_pre_relu"
    with pytest.raises(InputError, match=message):
        find_layer(flat, "mixed4d_3x3_prerelu")


@pytest.mark.parametrize("name", ["", "zzz", "mixed4d_3x3_pre_relu/Relu", "HEAD"])
def test_only_whole_names_are_found(name, flat):
    with pytest.raises(InputError, match=f"no layer '{name}' among its 6"):
        find_layer(flat, name)


def test_layers_of_inner_networks(nested):
    trunk = nested.get_layer("trunk")
    inner = trunk.get_layer("inner")
    assert find_layer(nested, "trunk") is trunk
    assert find_layer(nested, "inner") is inner
    assert find_layer(nested, "first") is inner.get_layer("first")
    assert find_layer(nested, "trunk/inner/first:0") is inner.get_layer("first")
    assert find_layer(nested, "inner/second") is inner.get_layer("second")


def test_the_outer_one_of_two_layers_of_a_name(nested):
    assert find_layer(nested, "third") is nested.get_layer("third")
    assert find_layer(nested, "trunk/third") is nested.get_layer("trunk").get_layer("third")


def test_a_name_in_two_inner_networks_is_refused(nested):
    with pytest.raises(InputError, match="2 layers 'second': trunk/inner/second, trunk/second"):
        find_layer(nested, "second")


layers = keras.layers
CLASSES = ["Rembrandt", "Jan Steen", "Meissen", "meissen"]


def ends(kind, x):
    if kind == "fused":
        return layers.Dense(3, activation="softmax", name="head")(x)
    if kind == "sigmoid":
        return layers.Dense(3, activation="sigmoid", name="head", use_bias=False)(x)
    x = layers.Dense(3, name="head")(x)
    if kind == "activation":
        return layers.Activation("softmax")(x)
    if kind == "layer":
        return layers.Softmax()(x)
    return keras.ops.softmax(x) if kind == "operation" else x


@pytest.mark.parametrize(
    "kind", ["fused", "sigmoid", "activation", "layer", "operation", "none", "nested", "sequential"]
)
def test_logits_of_every_end(kind):
    x = inputs = keras.Input((4,))
    if kind == "nested":
        inner = keras.Model(inputs, ends("fused", layers.Dense(5)(x)))
        again = keras.Input((4,))
        model = keras.Model(again, inner(again))
        head = inner.get_layer("head")
        features = keras.Model(inner.inputs, inner.layers[1].output)
    elif kind == "sequential":
        first, head = layers.Dense(5), layers.Dense(3, activation="softmax")
        model = keras.Sequential([keras.Input((4,)), first, head])
        features = first
    else:
        model = keras.Model(inputs, ends(kind, layers.Dense(5)(x)))
        head = model.get_layer("head")
        features = keras.Model(inputs, model.layers[1].output)
    rows = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
    before = model.predict_on_batch(rows)
    kernel, *bias = head.get_weights()
    expected = keras.ops.convert_to_numpy(features(rows)) @ kernel + (bias[0] if bias else 0)
    found = classifier(model)
    assert_allclose(found.predict_on_batch(rows), expected, rtol=1e-5, atol=1e-6)
    assert {id(w) for w in found.weights} == {id(w) for w in model.weights}
    assert_allclose(model.predict_on_batch(rows), before)
    assert classifier(model, logits=False) is model


def test_what_is_no_classifier():
    inputs = keras.Input((4,))
    two = keras.Model(inputs, [layers.Dense(2)(inputs), layers.Dense(3)(inputs)], name="two")
    with pytest.raises(InputError, match="two gives .* needs one output"):
        classifier(two)
    pair = [keras.Input((4,)), keras.Input((4,))]
    with pytest.raises(InputError, match="both has 2 inputs; accepted: 1"):
        classifier(keras.Model(pair, layers.Add()(pair), name="both"))
    unbuilt = keras.Sequential([layers.Dense(2)], name="unbuilt")
    with pytest.raises(InputError, match="unbuilt gives nothing yet"):
        classifier(unbuilt)
    with pytest.raises(InputError, match="unbuilt has 0 inputs; accepted: 1"):
        trace(unbuilt)


@pytest.mark.parametrize(
    "target, index", [(0, 0), (np.int64(3), 3), ("jan steen", 1), ("Meissen", 2), ("meissen", 3)]
)
def test_target(target, index):
    assert target_index(target, CLASSES, 4) == index


@pytest.mark.parametrize(
    "target, classes, message",
    [
        (4, CLASSES, "no class 4; accepted: 0 to 3"),
        (-1, CLASSES, "no class -1; accepted: 0 to 3"),
        ("Rembrant", CLASSES, "no class 'Rembrant' among 4; near it: Rembrandt"),
        ("MEISSEN", CLASSES, "several classes are named 'MEISSEN'; give one's number: 2, 3"),
        ("Jan", None, "not known; accepted: 0 to 3"),
        (1.5, CLASSES, "class 1.5; accepted: a name"),
        (True, CLASSES, "class True; accepted: a name"),
    ],
)
def test_no_such_target(target, classes, message):
    with pytest.raises(InputError, match=message):
        target_index(target, classes, 4)


PICTURES = np.random.default_rng(0).uniform(0, 255, (2, 16, 16, 3)).astype("float32")


def example(inner=False, dense=True):
    """Preprocessing, convolutions with every kind of ReLU, a network inside, a dense top."""
    layers = keras.layers
    inputs = keras.Input((16, 16, 3), name="picture")
    x = layers.Rescaling(1 / 127.5, -1)(keras.ops.flip(inputs, axis=-1))
    x = layers.Conv2D(8, 3, activation="relu", name="fused")(x)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.ReLU(6, name="relu6")(x)
    if inner:
        entry = keras.Input(x.shape[1:])
        block = layers.Activation("relu", name="deep")(layers.Conv2D(4, 3, name="fused")(entry))
        tail = layers.Conv2D(5, 1, name="tail")(block)
        x = keras.Model(entry, tail, name="trunk")(x)
    x = layers.Conv2D(4, 3, strides=2, name="last")(x)
    if dense:
        x = layers.Flatten()(layers.Dropout(0.5)(x))
        x = layers.Dense(3, name="logits")(x)
    model = keras.Model(inputs, x, name="tiny")
    rng = np.random.default_rng(1)
    model.set_weights([rng.normal(0.1, 0.3, w.shape) ** 2 for w in model.get_weights()])
    return model


def maps(model, name, **arguments):
    part = cut(model, [name], **arguments)
    assert not part.trainable_weights
    return np.asarray(keras.ops.cast(part(PICTURES, training=False)[name], "float32"))


@pytest.mark.parametrize("name", ["fused", "norm", "relu6", "last", "logits"])
def test_cut_equals_the_whole(name):
    model = example()
    whole = keras.Model(model.input, model.get_layer(name).output)
    expected = np.asarray(whole(PICTURES, training=False))
    np.testing.assert_allclose(maps(model, name), expected, rtol=1e-5)


@pytest.mark.parametrize("name", ["trunk/fused", "deep", "trunk", "last"])
def test_network_inside_a_network(name):
    model = example(inner=True)
    x = keras.Model(model.input, model.get_layer("relu6").output)(PICTURES, training=False)
    trunk = model.get_layer("trunk")
    if name == "last":
        expected = model.get_layer("last")(trunk(x))
    else:
        inner = "tail" if name == "trunk" else name.removeprefix("trunk/")
        expected = keras.Model(trunk.input, trunk.get_layer(inner).output)(x)
    np.testing.assert_allclose(maps(model, name), np.asarray(expected), rtol=1e-4)


def test_several_layers_and_the_colon_zero_of_lucid():
    part = cut(example(inner=True), ["fused:0", "deep", "last"])
    outputs = part(PICTURES, training=False)
    assert [outputs[name].shape[-1] for name in ("fused:0", "deep", "last")] == [8, 4, 4]


def test_only_what_leads_to_the_target_is_copied():
    part = cut(example(), ["norm"])
    assert {"last", "logits", "relu6"}.isdisjoint(layer.name for layer in part.layers)


def test_another_size():
    assert cut(example(), ["last"], (32, 20)).output["last"].shape == (None, 14, 8, 4)


@pytest.mark.parametrize("relu", [None, "redirected"])
def test_the_users_network_is_not_changed(relu):
    model = example(inner=True)
    before = model.predict(PICTURES, verbose=0)
    nodes = [len(operation._outbound_nodes) for operation in model.operations]
    relu = relu and redirected_relu.activation
    part = cut(model, ["last"], relu=relu)
    part.set_weights([np.zeros(weight.shape) for weight in part.get_weights()])
    assert [len(operation._outbound_nodes) for operation in model.operations] == nodes
    assert all(layer.trainable for layer in model.layers)
    np.testing.assert_array_equal(model.predict(PICTURES, verbose=0), before)


def test_every_relu_is_replaced_once():
    limits = []

    def relu(max_value):
        limits.append(max_value)
        return lambda x: 0 * x

    part = cut(example(inner=True), ["last"], relu=relu)
    assert limits == [None, 6, None]
    assert np.asarray(part(PICTURES, training=False)["last"]).std(axis=(1, 2)).max() < 1e-5


def test_relu_written_as_an_operation_is_replaced():
    inputs = keras.Input((4, 4, 3))
    model = keras.Model(inputs, keras.layers.Conv2D(2, 1, name="c")(keras.ops.relu6(inputs)))
    limits = []
    cut(model, ["c"], relu=lambda limit: limits.append(limit) or keras.activations.relu)
    assert limits == [6]


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision(dtype):
    model = example()
    part = cut(model, ["last"], dtype=dtype)
    kinds = {w.dtype for layer in part.layers for w in layer.weights if layer.name != "norm"}
    assert kinds == {dtype}
    assert {w.dtype for w in part.get_layer("norm").weights} == {"float32"}
    got = part(PICTURES, training=False)["last"]
    assert keras.backend.standardize_dtype(got.dtype) == dtype
    expected = maps(model, "last")
    np.testing.assert_allclose(maps(model, "last", dtype=dtype), expected, rtol=0.05, atol=0.05)


def test_sequential_and_lambda():
    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(2, 3, name="c")])
    model.add(keras.layers.Lambda(lambda x: 2 * x, name="twice"))
    outputs = cut(model, ["c", "twice"])(PICTURES[:, :8, :8], training=False)
    np.testing.assert_allclose(np.asarray(outputs["twice"]), 2 * np.asarray(outputs["c"]))


def test_a_size_that_the_dense_layer_does_not_take():
    with pytest.raises(InputError, match="'logits' has weights of shape.*at 20x20"):
        cut(example(), ["logits"], (20, 20))


@pytest.mark.parametrize("size", [(4, 4), (2, 2)])
def test_a_size_too_small(size):
    with pytest.raises(InputError, match=f"{size[0]}x{size[1]} pixels"):
        cut(example(dense=False), ["last"], size)


def test_pooling_away_everything():
    inputs = keras.Input((None, None, 3))
    model = keras.Model(inputs, keras.layers.MaxPooling2D(8, name="pool")(inputs))
    with pytest.raises(InputError, match="4x4 pixels up to pool: .*size would be .*negative"):
        cut(model, ["pool"], (4, 4))


def test_models_that_cannot_be_cut():
    two = [keras.Input((4, 4, 3)), keras.Input((4, 4, 3))]
    added = keras.layers.Add(name="sum")(two)
    vector = keras.Input((7,))
    any_size = keras.Input((None, None, 3))
    for model, message in [
        (keras.Model(two, added), "has 2 inputs"),
        (keras.Model(vector, keras.layers.Dense(1, name="sum")(vector)), r"takes \(None, 7\)"),
        (keras.Model(any_size, keras.layers.ReLU(name="sum")(any_size)), "any size; give one"),
        (keras.Sequential([keras.layers.ReLU(name="sum")]), "has 0 inputs"),
    ]:
        with pytest.raises(InputError, match=message):
            cut(model, ["sum"])


def test_unknown_layer_and_dtype():
    with pytest.raises(InputError, match="near it: fused"):
        cut(example(), ["fusde"])
    with pytest.raises(InputError, match="'float64'; accepted: float32, bfloat16, float16"):
        cut(example(), ["last"], dtype="float64")


@pytest.mark.parametrize(
    ("operation", "limit"),
    [
        (layers.ReLU(), np.inf),
        (layers.ReLU(6.0), 6.0),
        (layers.ReLU(negative_slope=0.1), None),
        (layers.ReLU(threshold=0.5), None),
        (layers.Activation("relu"), np.inf),
        (layers.Conv2D(1, 1, activation="relu6"), 6.0),
        (layers.Conv2D(1, 1), None),
        (layers.LeakyReLU(), None),
        (layers.Activation("gelu"), None),
    ],
)
def test_what_is_a_relu(operation, limit):
    assert relu_limit(operation) == limit


def test_relus_of_keras_ops_are_relus():
    x = keras.Input((2,))
    for operation, limit in ((keras.ops.relu, np.inf), (keras.ops.relu6, 6), (keras.ops.abs, None)):
        assert relu_limit(operation(x)._keras_history.operation) == limit


def test_a_graph_up_to_a_layer_ends_there():
    x = inputs = keras.Input((8, 8, 3))
    middle = layers.Conv2D(2, 3, name="middle")
    x = layers.Flatten()(middle(layers.ReLU(name="first")(x)))
    model = keras.Model(inputs, layers.Dense(1, name="last")(x))
    traced = trace(model, (5, 5), targets=[middle])  # the dense layer would not take this size
    assert [call.operation.name for call in traced.calls] == ["first", "middle"]
    assert traced.output is None and traced.output_of(middle).shape == (None, 3, 3, 2)
    assert traced.output_of(model.get_layer("last")) is None
    assert traced.output_of(model.layers[0]) is traced.input


def test_the_same_trace_runs_all_of_a_network_inside():
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(3, name="deep")], name="inner")
    again = keras.Input((4,))
    model = keras.Model(again, layers.ReLU(name="end")(inner(again)))
    traced = trace(model)
    assert [call.operation.name for call in traced.calls] == ["deep", "end"]
    assert [call.operation.name for call in traced.networks] == ["inner"]
    assert traced.output_of(inner) is traced.calls[0].output


def test_a_cut_network_keeps_its_adapted_scaling():
    norm = keras.layers.Normalization()
    norm.adapt(np.random.default_rng(0).normal(100, 20, (4, 8, 8, 3)))
    inputs = keras.Input((8, 8, 3))
    model = keras.Model(inputs, keras.layers.Conv2D(2, 3, name="maps")(norm(inputs)))
    given = np.random.default_rng(1).uniform(0, 255, (2, 8, 8, 3)).astype("float32")
    found = cut(model, ["maps"]).predict(given, verbose=0)["maps"]
    np.testing.assert_allclose(found, model.predict(given, verbose=0), rtol=1e-4, atol=1e-4)


def test_activations_have_one_name_whatever_they_are():
    x = keras.Input((4, 4, 3))
    for operation in (
        keras.layers.Dense(2, "softmax"),
        keras.layers.Activation("softmax"),
        keras.layers.Softmax(),
        keras.ops.softmax(x)._keras_history.operation,
    ):
        assert activation_name(operation) == "softmax"
    assert activation_name(keras.layers.LeakyReLU()) == "leakyrelu"
    assert activation_name(keras.layers.Flatten()) is None
    assert activation_name(keras.layers.Dense(2)) == "linear"


def test_activations_of_all_layers_are_counted_and_those_of_networks_inside():
    inner = keras.Sequential([keras.Input((4, 4, 2)), keras.layers.Conv2D(3, 3)])  # 2 x 2 x 3
    inputs = keras.Input((4, 4, 2))  # 32
    outputs = keras.layers.Flatten()(inner(inputs))  # 12
    assert count_activations(keras.Model(inputs, outputs)) == 32 + 12 + 12


def test_activations_are_counted_at_the_size_that_a_network_leaves_open():
    inputs = keras.Input((None, None, 2))
    x = layers.Conv2D(3, 3)(inputs)  # 2 x 2 x 3 of 4 x 4
    trunk = keras.Model(inputs, x)
    assert count_activations(trunk, (4, 4)) == 32 + 12
    assert count_activations(trunk, (5, 4)) == 40 + 18
    # no size is known: a least number
    assert count_activations(trunk) == 2 + 3
    outer = keras.Sequential([keras.Input((4, 4, 2)), trunk, layers.GlobalAveragePooling2D()])
    assert count_activations(outer) == 32 + 12 + 3


def twice(channels, name):
    """A network inside another, whose layer and operation have the names that its like has."""
    inputs = keras.Input((8, 8, channels))
    x = layers.Conv2D(2, 3, padding="same", name="maps")(inputs)
    relu = type(keras.ops.relu(keras.Input((1,)))._keras_history.operation)
    return keras.Model(inputs, relu(name="again")(x), name=name)


def test_networks_inside_may_use_a_name_twice():
    inputs = keras.Input((8, 8, 3))
    first, second = twice(3, "first"), twice(2, "second")
    x = layers.Dense(4, name="logits")(layers.Flatten()(second(first(inputs))))
    model = keras.Model(inputs, layers.Dense(2, activation="softmax", name="head")(x))
    given = np.random.default_rng(0).uniform(0, 1, (2, 8, 8, 3)).astype("float32")
    scores = classifier(model)
    exponents = np.exp(scores.predict_on_batch(given))
    expected = model.predict_on_batch(given)
    assert_allclose(exponents / exponents.sum(axis=1, keepdims=True), expected, rtol=1e-4)
    # the weights are the network's own, whatever they become
    assert {id(w) for w in scores.weights} == {id(w) for w in model.weights}
    second.get_layer("maps").set_weights([np.zeros((3, 3, 2, 2)), np.zeros(2)])
    after = scores.predict_on_batch(given)
    assert_allclose(after[0], after[1], atol=1e-6)
    assert first.get_layer("maps").name == second.get_layer("maps").name == "maps"
    found = cut(model, ["second"])(given, training=False)
    assert_allclose(keras.ops.convert_to_numpy(found["second"]), 0)


def test_a_layer_of_a_name_used_twice_is_called_as_the_network_does():
    def attention(name):
        tokens = keras.Input((4, 6))
        layer = layers.MultiHeadAttention(2, 3, name="looks")
        return keras.Model(
            tokens, layer(query=tokens, value=tokens, use_causal_mask=True), name=name
        )

    inputs = keras.Input((4, 6))
    x = layers.Flatten()(attention("b")(attention("a")(inputs)))
    model = keras.Model(inputs, layers.Dense(2, activation="softmax")(x))
    given = np.random.default_rng(0).normal(size=(2, 4, 6)).astype("float32")
    exponents = np.exp(classifier(model).predict_on_batch(given))
    expected = model.predict_on_batch(given)
    assert_allclose(exponents / exponents.sum(axis=1, keepdims=True), expected, rtol=1e-4)


def test_the_name_by_which_a_layer_is_found(nested):
    for path in ("trunk", "trunk/inner/second", "head"):
        assert name_of(nested, find_layer(nested, path)) == path
    operation = keras.ops.relu(keras.Input((1,)))._keras_history.operation
    assert name_of(nested, operation) == operation.name
