"""Networks that are filled are not drawn first, and what is not filled is seen."""

import keras
import numpy as np
import pytest

from models import initializers, zoo

SMALL = "MobileNet(alpha=0.25)"


def kernel():
    layer = keras.layers.Dense(3)
    layer.build((None, 2))
    return np.asarray(layer.kernel)


def test_kernels_are_infinite_while_open_and_drawn_afterwards():
    with initializers.undrawn_kernels():
        assert np.isinf(kernel()).all()
    with pytest.raises(RuntimeError), initializers.undrawn_kernels():
        raise RuntimeError
    assert np.isfinite(kernel()).all()


@pytest.mark.parametrize("spec", [SMALL, "EfficientNetB0", "GoogLeNet"])
def test_no_network_is_left_with_what_was_not_drawn(spec):
    trunk = zoo.trunk(zoo.parse(spec), 32)
    assert any(np.isinf(np.asarray(weight)).any() for weight in trunk.weights)
    model = zoo.build(spec, 2, 32)
    assert all(np.isfinite(np.asarray(weight)).all() for weight in model.weights)


def noise(layers):
    """Trained layers, as far as numbers tell."""
    draw = np.random.default_rng(0)
    for layer in layers:
        layer.set_weights([draw.uniform(2, 3, w.shape) for w in layer.get_weights()])


def test_layers_drawn_anew_start_as_they_once_did():
    x = inputs = keras.Input((8, 8, 3))
    normalization = keras.layers.Normalization(mean=[1.0, 2.0, 3.0], variance=[4.0, 5.0, 6.0])
    measured = keras.layers.Normalization()
    x = measured(normalization(x))
    first = keras.layers.Conv2D(4, 3, bias_initializer="ones")
    separable = keras.layers.SeparableConv2D(4, 3)
    norm = keras.layers.BatchNormalization(gamma_initializer=keras.initializers.Constant(0.5))
    attention = keras.layers.MultiHeadAttention(2, 4)
    x = keras.layers.Dropout(0.5, seed=3)(norm(separable(first(x))))
    tokens = keras.layers.Reshape((16, 4))(x)
    model = keras.Model(inputs, attention(tokens, tokens))
    noise([measured, first, separable, norm, attention])
    scales = [np.asarray(weight) for weight in measured.weights]
    initializers.redraw(model.layers, 7)
    for ours, before in zip(measured.weights, scales, strict=True):
        np.testing.assert_array_equal(np.asarray(ours), before)
    np.testing.assert_array_equal(np.asarray(first.bias), 1)
    limit = np.sqrt(6 / 27)
    assert 0.8 * limit < np.abs(np.asarray(first.kernel)).max() <= limit
    assert np.asarray(separable.pointwise_kernel).any()
    for name, value in [("gamma", 0.5), ("beta", 0), ("moving_mean", 0), ("moving_variance", 1)]:
        np.testing.assert_array_equal(np.asarray(getattr(norm, name)), value)
    for weight in attention.weights:  # Keras's own start, which is not He-uniform
        largest = np.abs(np.asarray(weight)).max()
        assert largest < 2 and (largest > 0 or "bias" in weight.path)
    kernel = np.asarray(first.kernel)
    initializers.redraw([first], 7)
    np.testing.assert_array_equal(np.asarray(first.kernel), kernel)


def test_convnext_drawn_anew_still_sees_the_picture():
    model = zoo.build("ConvNeXtTiny", 2, 32)
    scales = [layer for layer in model.layers if type(layer).__name__ == "LayerScale"]
    noise(scales)
    initializers.redraw(model.layers, 0)
    assert len(scales) == 18
    for layer in scales:
        np.testing.assert_allclose(np.asarray(layer.gamma), 1e-6)
