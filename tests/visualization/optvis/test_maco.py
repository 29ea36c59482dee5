"""Images of fixed magnitude: the phase alone moves."""

import numpy as np
import pytest
from keras import ops

from models.errors import InputError
from visualization.optvis import param
from visualization.optvis.maco import maco, magnitude, natural_magnitude


def array(tensor):
    return ops.convert_to_numpy(tensor)


def before_the_sigmoid(images):
    """Undo the logistic function and the colour matrix."""
    logits = np.log(images / (1 - images))
    return logits @ np.linalg.inv(param.COLOR_MATRIX).T


def test_images_keep_the_magnitude_whatever_the_phase():
    pictures = np.random.default_rng(0).random((4, 8, 12, 3))
    spectrum = magnitude(pictures, 12, 8)
    layer = maco(12, 8, batch=2, spectrum=spectrum)
    for seed in (1, 2):
        layer.draw(seed)
        found = np.fft.rfft2(before_the_sigmoid(array(layer())), axes=(1, 2)).transpose(0, 3, 1, 2)
        # the columns that are their own mirror images cannot have any phase
        ratio = (np.abs(found) / spectrum)[..., 1:-1]
        per_image = ratio.reshape(2, -1)
        np.testing.assert_allclose(per_image, per_image[:, :1] * np.ones_like(per_image), rtol=2e-3)


def test_standardised_images():
    images = array(maco(16, batch=2)())
    assert images.shape == (2, 16, 16, 3) and images.dtype == np.float32
    values = before_the_sigmoid(images).reshape(2, -1)
    np.testing.assert_allclose(values.mean(1), 0, atol=1e-3)
    np.testing.assert_allclose(values.std(1), 1, atol=1e-3)


def test_only_the_phase_is_trained_and_scale_has_no_effect():
    spectrum = natural_magnitude(6, 9)
    layer, larger = maco(9, 6, spectrum=spectrum), maco(9, 6, spectrum=7 * spectrum)
    assert [weight.name for weight in layer.trainable_weights] == ["phase"]
    assert layer.weights == layer.trainable_weights
    np.testing.assert_allclose(array(layer()), array(larger()), atol=1e-4)


def test_natural_magnitude_falls_as_one_over_frequency():
    spectrum = natural_magnitude(16, 16)
    np.testing.assert_allclose(spectrum[:, 0, 2] / spectrum[:, 0, 6], 3, rtol=1e-6)
    np.testing.assert_allclose(spectrum[:, 1, 0], spectrum[:, 0, 1], rtol=1e-6)


def test_magnitude_of_a_wave_by_hand():
    x = np.arange(8)
    wave = 0.5 + 0.25 * np.cos(2 * np.pi * 2 * x / 8)
    picture = np.tile(wave[None, :, None], (4, 1, 3))
    spectrum = magnitude([picture, picture], 8, 4, decorrelate=False)
    assert spectrum.shape == (3, 4, 5)
    np.testing.assert_allclose(spectrum[:, 0, 2], 0.25 * 32 / 2, rtol=1e-5)
    spectrum[:, 0, [0, 2]] = 0
    np.testing.assert_allclose(spectrum, 0, atol=1e-5)


def test_magnitude_takes_any_size_and_bytes():
    picture = np.random.default_rng(1).integers(0, 256, (20, 30, 3), "uint8")
    spectrum = magnitude([picture], 9, 6)
    assert spectrum.shape == (3, 6, param.spectrum_columns(9))
    np.testing.assert_allclose(spectrum, magnitude([picture / 255.0], 9, 6), rtol=1e-4)
    assert array(maco(9, 6, spectrum=spectrum)()).shape == (1, 6, 9, 3)


@pytest.mark.parametrize(
    "pictures",
    [[], [np.zeros((4, 4))], [np.full((4, 4, 3), 2.0)], [np.zeros((4, 4, 3), "int64")]],
)
def test_bad_pictures_are_named(pictures):
    with pytest.raises(InputError, match="accepted"):
        magnitude(pictures, 4)


@pytest.mark.parametrize("spectrum", [np.ones((3, 8, 8)), -np.ones((3, 8, 5))])
def test_bad_spectra_are_named(spectrum):
    with pytest.raises(InputError, match="accepted"):
        maco(8, spectrum=spectrum)
