"""Deletion and insertion curves of a network whose probability can be counted by hand."""

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose

from models.errors import InputError
from visualization.saliency.deletion_insertion import deletion, insertion

SIDE = 4


@pytest.fixture(scope="module")
def share():
    """Class 1's probability is the mean of the red channel / 255, class 0's the rest."""
    inputs = keras.Input((SIDE, SIDE, 3))
    red = keras.ops.mean(inputs[..., 0], axis=(1, 2))[:, None] / 255
    return keras.Model(inputs, keras.layers.Concatenate()([1 - red, red]), name="share")


def half_red():
    picture = np.zeros((1, SIDE, SIDE, 3), np.uint8)
    picture[0, :2, :, 0] = 255
    return picture


def test_deletion_of_the_right_pixels_first(share):
    """8 of 16 pixels are red: 1/2, then 4 fewer a step, then no more to lose."""
    picture = half_red()
    mask = picture[..., 0].astype(np.float32)
    found = deletion(share, picture, mask, 1, steps=4, fill=(0, 0, 0), batch_size=3)
    assert_allclose(found.fractions, [0, 0.25, 0.5, 0.75, 1])
    assert_allclose(found.probabilities, [[0.5, 0.25, 0, 0, 0]], atol=1e-6)
    assert_allclose(found.areas, [0.125])
    wrong = deletion(share, picture, -mask, 1, steps=4, fill=0)
    assert_allclose(wrong.probabilities, [[0.5, 0.5, 0.5, 0.25, 0]], atol=1e-6)
    assert_allclose(wrong.areas, [0.375])


def test_insertion_comes_from_the_blurred_picture(share):
    picture = half_red()
    mask = picture[..., 0].astype(np.float32)
    found = insertion(share, picture, mask, 1, steps=2)
    # all red there after the first half; the blurred rest goes with the second
    assert found.probabilities[0, 1] > 0.5
    assert_allclose(found.probabilities[0, 2], 0.5, atol=1e-6)
    assert_allclose(found.areas, found.probabilities[0] @ [0.25, 0.5, 0.25])
    uniform = np.full((1, SIDE, SIDE, 3), 102, np.uint8)  # blurring changes nothing
    assert_allclose(insertion(share, uniform, mask, 1).probabilities, 0.4, atol=1e-5)


def test_the_predicted_class_and_several_pictures(share):
    both = np.concatenate([half_red(), np.full((1, SIDE, SIDE, 3), 255, np.uint8)])
    masks = np.random.default_rng(0).uniform(size=(2, SIDE, SIDE))
    found = deletion(share, both, masks, steps=3, fill=0)
    asked = deletion(share, both, masks, [0, 1], steps=3, fill=0)
    assert_allclose(found.probabilities[1], asked.probabilities[1])
    alone = deletion(share, both[1:], masks[1:], steps=3, fill=0)
    assert_allclose(alone.probabilities[0], found.probabilities[1], atol=1e-6)


def test_bad_input(share):
    picture, mask = half_red(), np.zeros((1, SIDE, SIDE))
    with pytest.raises(InputError, match=r"masks \(1, 4, 3\); accepted: \(1, 4, 4\)"):
        deletion(share, picture, mask[..., :3])
    with pytest.raises(InputError, match="finite numbers"):
        insertion(share, picture, mask * np.nan)
    with pytest.raises(InputError, match="classes 2; accepted: 0 to 1"):
        deletion(share, picture, mask, 2)
    for curves in (deletion, insertion):
        with pytest.raises(InputError, match=r"pictures \(4, 4, 3\); share takes"):
            curves(share, picture[0], mask)
    with pytest.raises(InputError, match="steps 0"):
        deletion(share, picture, mask, steps=0)
