"""How an optimized image is stored: pixels or Fourier spectrum, and the way to valid colours.

A parameterization is a Keras layer without inputs. Its trainable weights exist from the start, a
call `layer()` gives the images (batch, h, w, 3 or 4) in [0, 1], and `layer.draw(seed)` starts
afresh in place. `image` makes one, with Lucid's arguments.

Source: Olah, Mordvintsev and Schubert 2017, "Feature Visualization" (Distill); Lucid's
optvis/param. All of it is float32, whatever the global precision policy is.
"""

import functools
from collections.abc import Sequence
from numbers import Integral, Real

import keras
import numpy as np
from keras import ops

from models.backend import fused, inverse_real_fft2
from models.errors import InputError
from visualization.whole_numbers import check_whole

START_SD = 0.01  # of a start's Gaussian noise; Lucid, for pixels and for the spectrum
FFT_DIVISOR = 4.0  # Lucid, after the inverse transform

# Square root of the covariance of RGB in ImageNet; Lucid's color_correlation_svd_sqrt
COLOR_CORRELATION = np.array([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]])
# Lucid divides it by its largest column norm
COLOR_MATRIX = COLOR_CORRELATION / np.linalg.norm(COLOR_CORRELATION, axis=0).max()
COLOR_MEAN = np.array([0.48, 0.46, 0.41])  # of ImageNet's RGB in [0, 1]; Lucid


def image(
    w,
    h=None,
    batch=None,
    sd=None,
    decorrelate=True,
    fft=True,
    alpha=False,
    seed=0,
    sigmoid=True,
):
    """Make the layer whose weights are optimized images.

    Args:
        w, h: width and height in pixels; h None is w.
        batch: number of images; None is 1.
        sd: standard deviation of the Gaussian start; None is START_SD.
        decorrelate: optimize in decorrelated colours.
        fft: optimize the spectrum (FourierImage), else the pixels (PixelImage).
        alpha: with a fourth channel, opacity in [0, 1].
        seed: as in `draw` of either class.
        sigmoid: squeeze values into [0, 1] with the logistic function, else clip them
            (to_valid_rgb).

    Returns:
        FourierImage or PixelImage.

    Raises:
        InputError: a size, batch or sd that is no positive number, or a wrong seed.

    Source: Lucid's param.image.
    """
    h = w if h is None else h
    batch = 1 if batch is None else batch
    sd = START_SD if sd is None else sd
    for name, count in (("w", w), ("h", h), ("batch", batch)):
        check_whole(name, count, least=1)
    if not isinstance(sd, Real) or not sd >= 0:
        raise InputError(f"sd is {sd!r}; accepted: a number from 0")
    kind = FourierImage if fft else PixelImage
    return kind(h, w, batch, sd, decorrelate, alpha, seed, sigmoid)


class PixelImage(keras.layers.Layer):
    """Images stored as pixels before the sigmoid: weight `pixels` (batch, h, w, 3 or 4)."""

    def __init__(
        self, h, w, batch=1, sd=START_SD, decorrelate=True, alpha=False, seed=0, sigmoid=True
    ):
        super().__init__(dtype="float32")
        self.sd = sd
        self.pixels = self.add_weight(
            shape=(batch, h, w, 4 if alpha else 3), initializer="zeros", name="pixels"
        )
        self.built = True
        self._image = _from_pixels(decorrelate, sigmoid)
        self.draw(seed)

    def call(self, inputs=None):  # Keras layers must have an argument; this one is not read
        return self._image(self.pixels.value)

    def draw(self, seed):
        """Start afresh in place: Gaussian noise of standard deviation `sd`.

        Args:
            seed: int from 0; or a sequence of `batch`, one for each image, of ints or of tuples of
                ints, such as (seed, channel). An image's start depends on its own seed only; under
                one int it depends on that and on its place in the batch, not on the batch's size.

        Raises:
            InputError: another seed.
        """
        batch, *shape = self.pixels.shape
        draws = [rng.normal(0, self.sd, shape) for rng in generators(seed, batch)]
        self.pixels.assign(np.stack(draws).astype("float32"))


class FourierImage(keras.layers.Layer):
    """Images stored as a scaled spectrum: weight `spectrum` (2, batch, 3 or 4, h, columns).

    First the real, then the imaginary part; `columns` is spectrum_columns(w).
    """

    def __init__(
        self, h, w, batch=1, sd=START_SD, decorrelate=True, alpha=False, seed=0, sigmoid=True
    ):
        super().__init__(dtype="float32")
        self.sd = sd
        self.spectrum = self.add_weight(
            shape=(2, batch, 4 if alpha else 3, h, spectrum_columns(w)),
            initializer="zeros",
            name="spectrum",
        )
        self.built = True
        self._image = _from_spectrum(h, w, decorrelate, sigmoid)
        self.draw(seed)

    def call(self, inputs=None):  # as in PixelImage
        return self._image(self.spectrum.value)

    def draw(self, seed):
        """Start afresh in place: a Gaussian spectrum of standard deviation `sd`.

        Args:
            seed: as in PixelImage.draw.

        Raises:
            InputError: another seed.
        """
        _, batch, *shape = self.spectrum.shape
        draws = [rng.normal(0, self.sd, (2, *shape)) for rng in generators(seed, batch)]
        self.spectrum.assign(np.stack(draws, axis=1).astype("float32"))


def generators(seed, batch):
    """Yield a NumPy generator for each image of a batch; the seed is that of PixelImage.draw."""
    alone = isinstance(seed, Integral)
    if not alone and not isinstance(seed, (Sequence, np.ndarray)):
        raise InputError(f"seed is {seed!r}; accepted: an int from 0, or one for each image")
    seeds = [(seed, place) for place in range(batch)] if alone else list(seed)
    if len(seeds) != batch:
        raise InputError(f"{len(seeds)} seeds for {batch} images; accepted: one int, or {batch}")
    for one in seeds:
        if one is None:  # NumPy would draw from the clock
            raise InputError("a seed is None; accepted: ints from 0, tuples of them")
        try:
            yield np.random.default_rng(one)
        except (TypeError, ValueError) as error:
            raise InputError(f"seed is {one!r}; accepted: ints from 0, tuples of them") from error


@functools.lru_cache(maxsize=32)  # compiled once, however many images there are
def _from_pixels(decorrelate, sigmoid):
    return fused(lambda pixels: to_valid_rgb(pixels, decorrelate, sigmoid))


@functools.lru_cache(maxsize=32)
def _from_spectrum(h, w, decorrelate, sigmoid):
    return fused(lambda spectrum: to_valid_rgb(fft_image(spectrum, h, w), decorrelate, sigmoid))


def fft_image(spectrum, h, w):
    """Turn a scaled spectrum into images: weigh down high frequencies, inverse real transform.

    Args:
        spectrum: (2, N, C, h, spectrum_columns(w)) float32, real and imaginary part.
        h, w: height and width in pixels.

    Returns:
        Images (N, h, w, C) float32, around 0, before colours and sigmoid.

    Source: Lucid's param.spatial.fft_image.
    """
    scale = frequency_scale(h, w) / FFT_DIVISOR
    return inverse_real_fft(spectrum[0] * scale, spectrum[1] * scale, w)


def inverse_real_fft(real, imaginary, w):
    """Inverse of the two-dimensional real Fourier transform.

    Args:
        real, imaginary: (N, C, h, columns) float32, columns spectrum_columns(w).
        w: width in pixels.

    Returns:
        (N, h, w, C) float32.
    """
    h, columns = real.shape[-2:]
    # an odd width is cropped from the next even one, as in Lucid
    pixels = inverse_real_fft2(real, imaginary, (h, 2 * (columns - 1)))[..., :w]
    return ops.transpose(pixels, (0, 2, 3, 1))


def spectrum_columns(w):
    """Columns of the spectrum of an image of width w: w // 2 + 1, one more where w is odd."""
    return w // 2 + 1 + w % 2


@functools.lru_cache(maxsize=32)
def frequencies(h, w):
    """Distance of every entry of the spectrum from 0, in cycles per pixel: (h, columns)."""
    y = np.fft.fftfreq(h)[:, None]
    x = np.fft.fftfreq(w)[: spectrum_columns(w)]
    return np.hypot(y, x)


def frequency_scale(h, w):
    """Weight of every entry of the spectrum: 1 / frequency, and sqrt(h w) for an equal step size.

    Returns:
        (h, columns) float32.

    Source: Lucid's param.spatial.fft_image, decay_power 1.
    """
    lowest = 1.0 / max(h, w)
    return (np.sqrt(h * w) / np.maximum(frequencies(h, w), lowest)).astype("float32")


def decorrelated(image):
    """Turn decorrelated colours into RGB: the name is Lucid's for an image stored like that.

    Args:
        image: (..., 3) float32, decorrelated.

    Returns:
        (..., 3) float32, RGB around 0.

    Source: Lucid's param.color; the matrix is Olah et al. 2017, "Preconditioning".
    """
    # written out, for a product with a matrix so small is slower and not compiled into one loop
    rgb = (sum(float(row[i]) * image[..., i] for i in range(3)) for row in COLOR_MATRIX)
    return ops.stack(list(rgb), axis=-1)


def to_valid_rgb(image, decorrelate=True, sigmoid=True):
    """Turn unbounded values into RGB, or RGB and opacity, in [0, 1].

    Args:
        image: (N, H, W, 3 or 4) float32 around 0. The fourth channel has no part in the colours.
        decorrelate: the three are decorrelated colours.
        sigmoid: squeeze with the logistic function; else, with `decorrelate`, add COLOR_MEAN, and
            clip (Lucid's constrain_L_inf scales the whole pixel instead). Clipped values have no
            gradient.

    Returns:
        Same shape, float32 in [0, 1].

    Source: Lucid's param.color.to_valid_rgb.
    """
    rgb = image[..., :3]
    rgb = decorrelated(rgb) if decorrelate else rgb
    if decorrelate and not sigmoid:
        rgb = rgb + ops.convert_to_tensor(COLOR_MEAN, "float32")
    whole = rgb if image.shape[-1] == 3 else ops.concatenate([rgb, image[..., 3:]], axis=-1)
    return ops.sigmoid(whole) if sigmoid else ops.clip(whole, 0.0, 1.0)
