"""Checks of pictures and classes, and weighted sums of gradients over samples."""

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from models.backend import PREDICTED
from models.errors import InputError
from visualization.saliency import passes


def test_pictures_keep_uint8_and_become_float32(smooth, pictures):
    assert passes.check_pictures(smooth, pictures) is pictures
    other = passes.check_pictures(smooth, pictures.astype(np.int64))
    assert other.dtype == np.float32
    assert_array_equal(other, pictures)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda x: x[:0], r"pictures \(0, 6, 6, 3\); smooth takes \(1 or more, 6, 6, 3\)"),
        (lambda x: x[0], "1 or more"),
        (lambda x: x.astype("float64") + 1, "to 256; accepted: RGB in"),
        (lambda x: x * np.nan, "pictures of nan to nan"),
        (lambda x: x.astype(str), "accepted: numbers in"),
    ],
)
def test_other_pictures_are_refused(change, said, smooth, pictures):
    pictures = pictures.copy()
    pictures[0, 0, 0, 0] = 255
    with pytest.raises(InputError, match=said):
        passes.check_pictures(smooth, change(pictures))


def test_targets_are_one_for_each_picture():
    assert_array_equal(passes.check_targets(None, 3, 5), [PREDICTED] * 3)
    assert_array_equal(passes.check_targets(4, 3, 5), [4] * 3)
    assert_array_equal(passes.check_targets([0, 4, 1], 3, 5), [0, 4, 1])
    for wrong in (5, -1, [0, 1], 1.0, True):
        with pytest.raises(InputError, match="classes .*; accepted: "):
            passes.check_targets(wrong, 3, 5)


def test_outputs_are_those_of_the_network_whatever_the_batch(smooth, pictures):
    expected = smooth.predict_on_batch(pictures)
    for batch_size in (1, 2, 16):
        assert_allclose(passes.outputs(smooth, batch_size)(pictures), expected, atol=1e-6)
    with pytest.raises(InputError, match="batch_size 0"):
        passes.outputs(smooth, 0)


@pytest.mark.parametrize("batch_size", [1, 2, 3, 7, 100])
def test_a_summed_gradient_by_hand(batch_size):
    """score = sum of x^2, samples at x + position: gradient 2 sum of w (x + position)."""
    inputs = keras.Input((1, 2, 3))
    model = keras.Model(inputs, keras.ops.sum(inputs * inputs, axis=(1, 2, 3))[:, None])
    positions, weights = np.arange(5.0), np.array([0.5, 0.1, 0.2, 0.0, 0.2])

    def shifted(pictures, positions, seed):
        return pictures[:, None] + positions[None, :, None, None, None]

    x = np.random.default_rng(0).uniform(0, 255, (3, 1, 2, 3)).astype(np.float32)
    summed = passes.summed_gradient(model, shifted, positions, weights, batch_size)
    expected = 2 * (weights.sum() * x + weights @ positions)
    assert_allclose(summed(x, np.zeros(3, np.int32), 0), expected, rtol=1e-5)
