"""The bare step and pass of networks small enough to compute by hand."""

import keras
import numpy as np
import pytest

from benchmarks.bare_steps import RATE, bare_forward, bare_step

PICTURES = np.array([[[[1, 2, 3]]], [[[4, 0, 5]]]], "uint8")
KERNEL = np.array([[0.1, 0.2], [0.3, -0.1], [-0.2, 0.4]], "float32")
LABELS = np.array([1, 0], "int32")


@pytest.fixture
def linear():
    """A softmax of two classes over the three numbers of one pixel."""
    pixels = keras.Input((1, 1, 3), dtype="uint8")
    rows = keras.layers.Reshape((3,))(keras.layers.Rescaling(1.0)(pixels))
    outputs = keras.layers.Dense(2, "softmax", use_bias=False)(rows)
    model = keras.Model(pixels, outputs)
    model.set_weights([KERNEL])
    return model


def by_hand(kernel):
    """Probabilities, loss and the gradient of its mean to the kernel."""
    rows = PICTURES.reshape(2, 3).astype("float64")
    scores = np.exp(rows @ kernel)
    chances = scores / scores.sum(axis=1, keepdims=True)
    loss = -np.log(chances[[0, 1], LABELS]).mean()
    return chances, loss, rows.T @ (chances - np.eye(2)[LABELS]) / 2


def test_a_step_goes_down_the_gradient_of_the_cross_entropy(linear):
    _, first, gradient = by_hand(KERNEL)
    _, second, _ = by_hand(KERNEL - RATE * gradient)
    assert second < first
    run = bare_step(linear, PICTURES, LABELS)
    np.testing.assert_allclose(run(1), first, rtol=1e-5)
    np.testing.assert_allclose(run(1), second, rtol=1e-5)


def test_a_forward_pass_gives_what_the_network_gives(linear):
    np.testing.assert_allclose(bare_forward(linear, PICTURES)(2), by_hand(KERNEL)[0], rtol=1e-5)
