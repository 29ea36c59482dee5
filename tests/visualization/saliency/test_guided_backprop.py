"""Guided backpropagation by hand."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from models.errors import InputError
from visualization.saliency.gradient import gradient
from visualization.saliency.guided_backprop import guided, guided_backprop

SIZE = 6


def test_guided_backprop_by_hand(rectified, pictures):
    model = rectified
    first, b1, second, b2, head, _ = (w.astype(np.float64) for w in model.get_weights())
    x = pictures.astype(np.float64)
    h1 = x @ first[0, 0] + b1
    h2 = np.maximum(h1, 0) @ second[0, 0] + b2
    back = np.broadcast_to(head[:, 1] / SIZE**2, h2.shape)
    back = np.maximum(back, 0) * (h2 > 0) @ second[0, 0].T
    back = np.maximum(back, 0) * (h1 > 0) @ first[0, 0].T
    found = guided_backprop(model)(pictures, 1)
    assert np.abs(back).max() > 0
    assert_allclose(found, np.abs(back).max(-1), rtol=1e-4, atol=1e-7)
    assert np.abs(found - gradient(model)(pictures, 1)).max() > 1e-4


def test_guided_shares_the_networks_weights(rectified, pictures):
    model = rectified
    same = guided(model)
    assert {id(w) for w in same.weights} == {id(w) for w in model.weights}
    assert_array_equal(same.predict_on_batch(pictures), model.predict_on_batch(pictures))


def test_bad_settings(smooth):
    with pytest.raises(InputError, match="no ReLU"):
        guided_backprop(smooth)
