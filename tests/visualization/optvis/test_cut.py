"""The cut network computes what the whole one does, and the user's network stays as it was."""

import keras
import numpy as np
import pytest

from models.errors import InputError
from models.graph import cut
from visualization.optvis import redirected_relu

PICTURES = np.random.default_rng(0).uniform(0, 255, (2, 16, 16, 3)).astype("float32")


def network(inner=False, dense=True):
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
    model = network()
    whole = keras.Model(model.input, model.get_layer(name).output)
    expected = np.asarray(whole(PICTURES, training=False))
    np.testing.assert_allclose(maps(model, name), expected, rtol=1e-5)


@pytest.mark.parametrize("name", ["trunk/fused", "deep", "trunk", "last"])
def test_network_inside_a_network(name):
    model = network(inner=True)
    x = keras.Model(model.input, model.get_layer("relu6").output)(PICTURES, training=False)
    trunk = model.get_layer("trunk")
    if name == "last":
        expected = model.get_layer("last")(trunk(x))
    else:
        inner = "tail" if name == "trunk" else name.removeprefix("trunk/")
        expected = keras.Model(trunk.input, trunk.get_layer(inner).output)(x)
    np.testing.assert_allclose(maps(model, name), np.asarray(expected), rtol=1e-4)


def test_several_layers_and_the_colon_zero_of_lucid():
    part = cut(network(inner=True), ["fused:0", "deep", "last"])
    outputs = part(PICTURES, training=False)
    assert [outputs[name].shape[-1] for name in ("fused:0", "deep", "last")] == [8, 4, 4]


def test_only_what_leads_to_the_target_is_copied():
    part = cut(network(), ["norm"])
    assert {"last", "logits", "relu6"}.isdisjoint(layer.name for layer in part.layers)


def test_another_size():
    assert cut(network(), ["last"], (32, 20)).output["last"].shape == (None, 14, 8, 4)


@pytest.mark.parametrize("relu", [None, "redirected"])
def test_the_users_network_is_not_changed(relu):
    model = network(inner=True)
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

    part = cut(network(inner=True), ["last"], relu=relu)
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
    model = network()
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
        cut(network(), ["logits"], (20, 20))


@pytest.mark.parametrize("size", [(4, 4), (2, 2)])
def test_a_size_too_small(size):
    with pytest.raises(InputError, match=f"{size[0]}x{size[1]} pixels"):
        cut(network(dense=False), ["last"], size)


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
        cut(network(), ["fusde"])
    with pytest.raises(InputError, match="'float64'; accepted: float32, bfloat16, float16"):
        cut(network(), ["last"], dtype="float64")
