"""MACO: images of fixed Fourier magnitude, of which only the phase is optimized.

Source: Fel et al. 2023, "Unlocking Feature Visualization for Deeper Networks with MAgnitude
Constrained Optimization", arXiv:2306.06805, and the authors' released code (Horama, Xplique).

The method's crops and noise are transforms, not part of the image. The released code scales the
phase to unit deviation before use, for steps of size 1; here the phase is used as it is.
"""

import functools

import keras
import numpy as np
from keras import ops

from models.backend import fused
from models.errors import InputError
from visualization.optvis import param
from visualization.whole_numbers import check_whole

EPSILON = 1e-5  # beside the standard deviation; released code


def maco(w, h=None, batch=None, spectrum=None, decorrelate=True, seed=0):
    """Make the layer whose weights are the phases of optimized images.

    Args:
        w, h: width and height in pixels; h None is w.
        batch: number of images; None is 1.
        spectrum: magnitude (3, h, param.spectrum_columns(w)), none below 0, from `magnitude` with
            the same `decorrelate`; None is natural_magnitude(h, w). Its overall size has no effect.
        decorrelate: the three channels are decorrelated colours, else RGB.
        seed: as in PhaseImage.draw.

    Returns:
        PhaseImage.

    Raises:
        InputError: a size or batch that is no int from 1, a spectrum of another shape or with
            values below 0, a wrong seed.
    """
    h = w if h is None else h
    batch = 1 if batch is None else batch
    for name, count in (("w", w), ("h", h), ("batch", batch)):
        check_whole(name, count, least=1)
    spectrum = natural_magnitude(h, w) if spectrum is None else np.asarray(spectrum, "float32")
    shape = (3, h, param.spectrum_columns(w))
    if spectrum.shape != shape:
        raise InputError(f"spectrum has shape {spectrum.shape}; accepted at {w} x {h}: {shape}")
    if not (np.isfinite(spectrum).all() and spectrum.min() >= 0):
        raise InputError("spectrum has values below 0 or not finite; accepted: magnitudes")
    return PhaseImage(w, spectrum, batch, decorrelate, seed)


class PhaseImage(keras.layers.Layer):
    """Images of fixed magnitude: weight `phase` (batch, 3, h, columns), radians.

    `layer()` gives (batch, h, w, 3) float32 in [0, 1]: the inverse transform, scaled for each image
    to mean 0 and standard deviation 1, turned into colours, and the logistic function.
    """

    def __init__(self, w, spectrum, batch=1, decorrelate=True, seed=0):
        super().__init__(dtype="float32")
        self.phase = self.add_weight(
            shape=(batch, *spectrum.shape), initializer="zeros", name="phase"
        )
        self.built = True
        self._spectrum, self._image = ops.convert_to_tensor(spectrum), _from_phase(w, decorrelate)
        self.draw(seed)

    def call(self, inputs=None):  # as in param.PixelImage
        return self._image(self.phase.value, self._spectrum)

    def draw(self, seed):
        """Start afresh in place: phases uniform over the circle (N(0, 1) in the released code).

        Args:
            seed: as in param.PixelImage.draw.

        Raises:
            InputError: another seed.
        """
        batch, *shape = self.phase.shape
        draws = [rng.uniform(-np.pi, np.pi, shape) for rng in param.generators(seed, batch)]
        self.phase.assign(np.stack(draws).astype("float32"))


@functools.lru_cache(maxsize=32)  # as in param
def _from_phase(w, decorrelate):
    return fused(lambda phase, spectrum: phase_image(phase, spectrum, w, decorrelate))


def phase_image(phase, spectrum, w, decorrelate=True):
    """Turn phases into images.

    Args:
        phase: (N, 3, h, columns) float32, radians.
        spectrum: magnitude, (3, h, columns) float32.
        w: width in pixels.
        decorrelate: as in maco.

    Returns:
        (N, h, w, 3) float32 in [0, 1].
    """
    real, imaginary = spectrum * ops.cos(phase), spectrum * ops.sin(phase)
    image = param.inverse_real_fft(real, imaginary, w)
    image = image - ops.mean(image, axis=(1, 2, 3), keepdims=True)
    deviation = ops.sqrt(ops.mean(ops.square(image), axis=(1, 2, 3), keepdims=True))
    return param.to_valid_rgb(image / (deviation + EPSILON), decorrelate)


def natural_magnitude(h, w):
    """The default magnitude: 1 / frequency, the same for the three channels.

    Returns:
        (3, h, columns) float32. Multiplied by the colour matrix, equal decorrelated channels have
        the colour covariance of natural pictures: that is what the matrix is.

    Source: Field 1987, "Relations between the statistics of natural images and the response
    properties of cortical cells": amplitude falls as 1 / frequency.
    """
    return np.repeat(param.frequency_scale(h, w)[None], 3, axis=0)


def magnitude(pictures, w, h=None, decorrelate=True):
    """Average the Fourier magnitude of pictures, for `maco`.

    Args:
        pictures: iterable of arrays (H, W, 3), RGB, uint8 or float in [0, 1], of any size; each is
            resized to the image's size, its sides' ratio not kept.
        w, h: width and height of the optimized images in pixels; h None is w.
        decorrelate: of decorrelated colours, else of RGB.

    Returns:
        (3, h, param.spectrum_columns(w)) float32.

    Raises:
        InputError: no pictures, or one of another shape, type or range; a wrong size.
    """
    h = w if h is None else h
    for name, count in (("w", w), ("h", h)):
        check_whole(name, count, least=1)
    total, count = 0.0, 0
    for picture in pictures:
        count += 1
        # an odd width has the spectrum of the next even one: param.spectrum_columns
        rgb = _resized(_in_unit_range(picture), h, w + w % 2) - param.COLOR_MEAN
        channels = rgb @ np.linalg.inv(param.COLOR_MATRIX).T if decorrelate else rgb
        total = total + np.abs(np.fft.rfft2(channels, axes=(0, 1))).transpose(2, 0, 1)
    if not count:
        raise InputError("no pictures to average the magnitude of; accepted: one or more")
    return (total / count).astype("float32")


def _in_unit_range(picture):
    picture = np.asarray(picture)
    if picture.ndim != 3 or picture.shape[-1] != 3:
        raise InputError(f"a picture has shape {picture.shape}; accepted: (H, W, 3)")
    if picture.dtype == np.uint8:
        return picture / 255.0
    if picture.dtype.kind != "f" or not (picture.min() >= 0 and picture.max() <= 1):
        raise InputError(f"a picture of {picture.dtype}; accepted: uint8, or float in [0, 1]")
    return picture.astype("float64")


def _resized(picture, h, w):
    if picture.shape[:2] == (h, w):
        return picture
    resized = ops.image.resize(
        picture.astype("float32"), (h, w), antialias=True, data_format="channels_last"
    )
    return ops.convert_to_numpy(resized)
