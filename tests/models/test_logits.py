"""Logits of networks that end in a softmax in any way, and the class that a user means."""

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose

from models.errors import InputError
from models.graph import classifier, target_index

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
