"""Gradient saliency against finite differences."""

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose

from models.errors import InputError
from visualization.saliency.gradient import gradient


def test_saliency_is_the_finite_difference(smooth, logit, pictures):
    signed = gradient(smooth, channels="sum")(pictures[:1], 1)[0]
    largest = gradient(smooth)(pictures[:1], 1)[0]
    step = 4.0  # grey levels; the network is smooth, float32 is not
    for row, column in [(0, 0), (2, 3), (5, 4)]:
        slopes = []
        for channel in range(3):
            ends = np.repeat(pictures[:1].astype(np.float32), 2, axis=0)
            ends[:, row, column, channel] += [step, -step]
            up, down = logit(smooth, ends, 1)
            slopes.append((up - down) / (2 * step))
        assert_allclose(signed[row, column], sum(slopes), rtol=0.02, atol=2e-6)
        assert_allclose(largest[row, column], np.abs(slopes).max(), rtol=0.02, atol=2e-6)


def test_softmax_on_request(smooth, pictures):
    """d softmax_0 = p0 (1 - p0) d logit_0 - p0 p1 d logit_1 - p0 p2 d logit_2."""
    p = smooth.predict_on_batch(pictures[:1])[0]
    each = [gradient(smooth, channels="sum")(pictures[:1], i)[0] for i in range(3)]
    expected = p[0] * (each[0] - sum(pi * e for pi, e in zip(p, each, strict=True)))
    found = gradient(smooth, logits=False, channels="sum")(pictures[:1], 0)[0]
    assert_allclose(found, expected, rtol=1e-4, atol=1e-8)


def test_bad_settings(smooth):
    with pytest.raises(InputError, match="channels 'least'; accepted: max, mean, sum"):
        gradient(smooth, channels="least")
    with pytest.raises(InputError, match="needs one output"):
        gradient(keras.Model(smooth.inputs, smooth.get_layer("last").output))
