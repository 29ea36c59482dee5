"""Integrated gradients: complete, and of a product by hand."""

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose

from models.errors import InputError
from visualization.saliency.integrated_gradients import attributions, integrated_gradients

SIZE = 6


def test_integrated_gradients_complete(smooth, logit, pictures):
    found = attributions(smooth, samples=16)(pictures, [0, 1, 2])
    black = logit(smooth, np.zeros((1, SIZE, SIZE, 3)), [0, 1, 2])[0]
    scores = [logit(smooth, pictures[i : i + 1], i)[0] for i in range(3)]
    assert_allclose(found.difference, scores - black, rtol=1e-4, atol=1e-5)
    assert_allclose(found.values.sum((1, 2, 3)), found.difference, rtol=0.01)
    assert (found.gap < 0.01).all()
    masks = integrated_gradients(smooth, samples=16)(pictures, [0, 1, 2])
    assert_allclose(masks, found.values.sum(-1), rtol=1e-5, atol=1e-8)


def test_integrated_gradients_of_a_product():
    """f = x0 x1, from (b0, b1): shares (x0 - b0) (b1 + x1) / 2 and the same turned round."""
    inputs = keras.Input((1, 2, 3))
    product = (inputs[:, 0, 0, :1] * inputs[:, 0, 1, :1]) / 100.0
    model = keras.Model(inputs, product)
    x = np.array([[[[30, 0, 0], [80, 0, 0]]]], np.uint8)
    start = np.array([[[10, 0, 0], [40, 0, 0]]])
    found = attributions(model, samples=4, baseline=start, batch_size=3)(x)
    assert_allclose(found.values[0, 0, :, 0], [20 * 60 / 100, 40 * 20 / 100], rtol=1e-5)
    assert_allclose(found.difference, 20)
    assert_allclose(found.gap, 0, atol=1e-6)


def test_the_gap_is_told(smooth, pictures):
    said = []
    integrated_gradients(smooth, samples=4, say=said.append)(pictures, [0, 1, 2])
    gap = 100 * attributions(smooth, samples=4)(pictures, [0, 1, 2]).gap
    assert said == [
        f"integrated_gradients: completeness gap {gap.mean():.2g} % in the mean, "
        f"{gap.max():.2g} % at most, over 3 pictures"
    ]


def test_pictures_that_are_the_baseline_have_no_gap(smooth, pictures):
    """They do not hide the gaps of the others."""
    said = []
    masks = integrated_gradients(smooth, samples=4, say=said.append)
    gap = 100 * attributions(smooth, samples=4)(pictures, [0, 1, 2]).gap
    black = np.zeros_like(pictures[:2])
    masks(np.concatenate([black, pictures]), [0, 1, 0, 1, 2])
    masks(black, [0, 1])
    assert said == [
        f"integrated_gradients: completeness gap {gap.mean():.2g} % in the mean, "
        f"{gap.max():.2g} % at most, over 3 pictures; cannot be told of 2, whose score is the "
        "baseline's",
        "integrated_gradients: completeness gap cannot be told of 2, whose score is the baseline's",
    ]


def test_bad_settings(smooth, pictures):
    with pytest.raises(InputError, match="samples 0"):
        integrated_gradients(smooth, samples=0)
    with pytest.raises(InputError, match="baseline 300"):
        integrated_gradients(smooth, baseline=300)
    with pytest.raises(InputError, match=r"baseline \(2, 2, 3\)"):
        integrated_gradients(smooth, baseline=np.zeros((2, 2, 3)))(pictures)
