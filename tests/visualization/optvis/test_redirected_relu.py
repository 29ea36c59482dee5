"""Redirected gradients by hand. Gradients come from `fit` with SGD: every backend has that."""

import keras
import numpy as np
import pytest

from visualization.optvis import redirected_relu


class Weighted(keras.Model):
    """Loss: sum of weights * relu(x), x its only trainable weight."""

    def __init__(self, x, weights, max_value):
        super().__init__()
        self.x = self.add_weight(x.shape, "zeros", trainable=True)
        self.x.assign(x)
        self.relu = redirected_relu.activation(max_value)
        self.weights_of_loss = weights
        self.built = True
        self.compile(keras.optimizers.SGD(1.0))

    def call(self, inputs):
        return self.relu(self.x.value)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return keras.ops.sum(self.weights_of_loss * y_pred)


def gradient(x, upstream, max_value=None):
    x, upstream = np.array(x, "float32"), np.array(upstream, "float32")
    model = Weighted(x, upstream, max_value)
    model.fit(np.zeros((1, 1)), verbose=0)
    return (x - np.array(model.x)).tolist()


def test_image_that_nothing_gets_through_is_redirected_and_others_are_not():
    x = [[-1, -2, -3], [-1, 2, -3], [1, -2, -3]]
    upstream = [[-1, 2, -4], [-1, 2, -4], [0, -1, -1]]
    # first: all cut off, passes but for 2, which would push lower; second: the 2 gets through;
    # third: what could get through is 0, so that it counts as nothing
    assert gradient(x, upstream) == [[-1, 0, -4], [0, 2, 0], [0, -1, -1]]


def test_relu6_is_redirected_at_both_ends():
    x = [[-1, -1, 8, 8], [-1, 3, 8, 8]]
    upstream = [[-1, 1, -1, 1], [-1, 5, -1, 1]]
    assert gradient(x, upstream, max_value=6) == [[-1, 0, 0, 1], [0, 5, 0, 0]]


@pytest.mark.parametrize("max_value", [None, 6])
def test_forward_is_the_plain_relu(max_value):
    x = np.linspace(-10, 10, 21, dtype="float32").reshape(3, 7)
    relu = redirected_relu.activation(max_value)
    expected = np.clip(x, 0, max_value)
    np.testing.assert_array_equal(np.asarray(relu(keras.ops.convert_to_tensor(x))), expected)
