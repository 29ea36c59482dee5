"""SmoothGrad against gradient saliency, and of a square."""

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose

from models.errors import InputError
from visualization.saliency.gradient import gradient
from visualization.saliency.smooth_grad import smooth_grad

SIZE = 6


def test_smooth_grad_without_noise_is_saliency(smooth, pictures):
    quiet = smooth_grad(smooth, samples=5, noise=0, batch_size=3)
    assert_allclose(quiet(pictures), gradient(smooth)(pictures), rtol=1e-4)


def test_smooth_grad_of_a_square():
    """score = sum of x^2: the mean gradient is 2 (x + mean noise), noise of sd 0.1 * range."""
    inputs = keras.Input((SIZE, SIZE, 3))
    squares = keras.ops.sum(inputs * inputs, axis=(1, 2, 3), keepdims=False)[:, None]
    model = keras.Model(inputs, squares)
    x = np.zeros((2, SIZE, SIZE, 3), np.float32)
    x[0, 0, 0], x[1, 0, 0] = 200, 100
    samples = 25
    build = dict(samples=samples, noise=0.1, channels="sum", batch_size=8)
    found = smooth_grad(model, **build)(x, 0) - 2 * x.sum(-1)
    # 36 values for each picture, of deviation 2 * sqrt(3) * 0.1 * range / sqrt(samples)
    expected = 2 * np.sqrt(3) * 0.1 * np.array([200, 100]) / np.sqrt(samples)
    assert_allclose(found.std((1, 2)), expected, rtol=0.4)
    again = smooth_grad(model, **build)(x, 0) - 2 * x.sum(-1)
    assert_allclose(again, found, atol=1e-3)
    other = smooth_grad(model, seed=1, **build)(x, 0) - 2 * x.sum(-1)
    assert np.abs(other - found).max() > 1


def test_bad_settings(smooth):
    with pytest.raises(InputError, match="noise -1"):
        smooth_grad(smooth, noise=-1)
