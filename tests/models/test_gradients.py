"""Compiled forward pass and gradient on either backend, and noise from a seed that is data."""

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from models import backend
from models.errors import InputError

layers = keras.layers


@pytest.fixture(scope="module")
def linear():
    inputs = keras.Input((4,))
    return keras.Model(inputs, layers.Dropout(0.5)(layers.Dense(3, use_bias=False)(inputs)))


def rows(n):
    return np.random.default_rng(0).normal(size=(n, 4)).astype(np.float32)


def test_forward(linear):
    x = rows(5)
    assert_allclose(backend.forward(linear)(x), x @ linear.get_weights()[0], rtol=1e-5)


def test_gradient_of_a_linear_network_is_its_kernel(linear):
    (kernel,) = linear.get_weights()
    x, targets = rows(3), [2, 0, backend.PREDICTED]
    scores, found = backend.input_gradient(linear)(x, targets)
    targets[2] = (x[2] @ kernel).argmax()
    assert_allclose(found, kernel.T[targets], rtol=1e-6)
    assert_allclose(scores, (x @ kernel)[np.arange(3), targets], rtol=1e-5)


def test_weights_are_read_at_every_call():
    inputs = keras.Input((4,))
    model = keras.Model(inputs, layers.Dense(1, kernel_initializer="ones")(inputs))
    gradient = backend.input_gradient(model)
    assert_allclose(gradient(rows(2), [0, 0])[1], 1)
    model.set_weights([5 * w for w in model.get_weights()])
    assert_allclose(gradient(rows(2), [0, 0])[1], 5)


def test_compiled_once_for_a_shape():
    traced = []

    class Counting(layers.Layer):
        def call(self, inputs):
            traced.append(inputs.shape)
            return inputs

    inputs = keras.Input((4,))
    model = keras.Model(inputs, layers.Dense(2)(Counting()(inputs)))
    gradient = backend.input_gradient(model)
    traced.clear()
    for _ in range(3):
        gradient(rows(2), [0, 1])
    assert len(traced) == 1
    gradient(rows(3), [0, 1, 0])
    assert len(traced) == 2


def test_prepare_sums_over_samples(linear):
    """Two samples of each row, x and 3 x: the gradients are 1 and 3 times the kernel's."""

    def twice(x, factors):
        return keras.ops.reshape(x[:, None] * factors[None, :, None], (-1, 4))

    (kernel,) = linear.get_weights()
    run = backend.input_gradient(linear, twice)
    scores, found = run(rows(2), [0, 0, 1, 2], np.array([1, 3], np.float32))
    assert scores.shape == (4,)
    expected = np.stack([4 * kernel[:, 0], kernel[:, 1] + 3 * kernel[:, 2]])
    assert_allclose(found, expected, rtol=1e-5)


def test_a_score_that_no_input_reaches_has_the_gradient_zero():
    inputs = keras.Input((4,))
    nothing = layers.Dense(1)(keras.ops.stop_gradient(inputs))
    scores, found = backend.input_gradient(keras.Model(inputs, nothing))(rows(2), [0, 0])
    assert_array_equal(found, 0)


@pytest.mark.parametrize("size", [(4, 6), (5, 8), (1, 2)])
def test_inverse_real_fft2_equals_numpys_for_any_spectrum(size):
    # also for one that no real image has, as an optimized spectrum is
    draw = np.random.default_rng(0).normal(size=(2, 3, size[0], size[1] // 2 + 1))
    real, imaginary = draw.astype("float32")
    found = backend.inverse_real_fft2(real, imaginary, size)
    expected = np.fft.irfft2(real + 1j * imaginary, size)
    assert_allclose(keras.ops.convert_to_numpy(found), expected, atol=1e-6)


def test_fused_functions_made_one_after_another_raise_no_warning(caplog):
    for factor in range(6):
        double = backend.fused(lambda x, factor=factor: factor * x)
        assert_array_equal(double(np.ones(3, "float32")), factor)
    assert "retracing" not in caplog.text


def test_another_backend_is_refused(monkeypatch, linear):
    monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
    with pytest.raises(InputError, match="KERAS_BACKEND=torch .*accepted: tensorflow, jax"):
        backend.input_gradient(linear)
