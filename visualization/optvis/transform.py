"""Random transformations of images between two ascent steps, with Lucid's names.

`compose` makes one callable of a list. Neighbouring geometric transforms are merged: their
matrices are multiplied and the images resampled once. Every image of a batch gets its own draw,
where Lucid draws once for the batch.

Shapes are static: the images keep their height and width unless crop_or_pad_to says otherwise, so
that the network runs at the size asked for. (In Lucid pad enlarges them, jitter crops and
random_scale changes them, and the network sees another size at every step.) The place of the
content is Lucid's, around the middle of the image. What comes in from outside is the
value of `pad`, without one grey (geometric.OUTSIDE), also for rotation, where Lucid shows black.
"""

import math
from dataclasses import dataclass
from numbers import Integral, Real

from keras import ops

from models.backend import standard_normal
from models.errors import InputError
from visualization.optvis import geometric, param
from visualization.optvis.bounds import checked_sizes
from visualization.optvis.geometric import Geometric, chosen, matrices

PAD_MODES = ("constant", "reflect", "symmetric")  # those of keras.ops.pad

RADIANS = ("radians", "rads", "rad")  # Lucid's names


def pad(w, mode="reflect", constant_value=0.5):
    """Continue images outside their edges: with a value, or mirrored for `w` pixels.

    Args:
        w: pixels on every side, int. With "constant" everything outside has the value, so that
            `w` has no effect: it is there for Lucid's lists.
        mode: "constant", "reflect" (Lucid's default) or "symmetric". Mirrored images are seen
            by the geometric transforms right after; those before are resampled on their own.
        constant_value: number; with the other modes, of what is further out.

    Raises:
        InputError: another mode, a width below 0, a value that is no number.
    """
    mode = mode.lower()
    if mode not in PAD_MODES:
        raise InputError(f"pad mode is {mode!r}; accepted: {', '.join(PAD_MODES)}")
    if not isinstance(constant_value, Real):
        raise InputError(f"constant_value is {constant_value!r}; accepted: a number in [0, 1]")
    _check_pixels("pad", w)
    border = None if mode == "constant" else (w, mode)
    return Geometric(None, fill=float(constant_value), border=border)


def jitter(d):
    """Shift each image by whole pixels, from -(d // 2) to d - d // 2 along both axes.

    Args:
        d: number of pixels, int: one of d + 1 shifts along each axis, equally likely.

    Raises:
        InputError: `d` is no int from 0.
    """
    _check_pixels("jitter", d)

    def matrix(uniforms, size):
        shift = ops.floor(uniforms * (d + 1)) - float(d // 2)
        one, zero = ops.ones_like(shift[:, 0]), ops.zeros_like(shift[:, 0])
        return matrices([one, zero, shift[:, 0], zero, one, shift[:, 1]])

    return Geometric(matrix, draws=2)


def random_scale(scales):
    """Enlarge the content about the middle by one of `scales`, equally likely.

    Args:
        scales: numbers above 0; above 1 enlarges.

    Raises:
        InputError: no scales, or one that is no number above 0.
    """
    scales = _numbers("random_scale", scales)
    if min(scales) <= 0:
        raise InputError(f"random_scale is given {min(scales)}; accepted: numbers above 0")

    def matrix(uniforms, size):
        shrink = 1.0 / chosen(scales, uniforms)
        zero = ops.zeros_like(shrink)
        return matrices([shrink, zero, zero, zero, shrink, zero])

    return Geometric(matrix, draws=1, stretch=max(scales))


def random_rotate(angles, units="degrees"):
    """Turn the content about the middle by one of `angles`, equally likely.

    Args:
        angles: numbers; above 0 turns counterclockwise.
        units: "degrees", or "radians", "rads" or "rad".

    Raises:
        InputError: no angles, no numbers, other units.
    """
    angles = _numbers("random_rotate", angles)
    if units not in ("degrees", *RADIANS):
        raise InputError(f"units is {units!r}; accepted: degrees, {', '.join(RADIANS)}")
    radians = [math.radians(angle) if units == "degrees" else angle for angle in angles]

    def matrix(uniforms, size):
        angle = chosen(radians, uniforms)
        cos, sin, zero = ops.cos(angle), ops.sin(angle), ops.zeros_like(angle)
        # y points down: this is counterclockwise to the eye
        return matrices([cos, -sin, zero, sin, cos, zero])

    stretch = max(abs(math.cos(angle)) + abs(math.sin(angle)) for angle in radians)
    return Geometric(matrix, draws=1, stretch=stretch)


def crop_or_pad_to(h, w):
    """Make images of `h` by `w` pixels, about the middle.

    Merged, it crops after the transforms that follow it too: these may bring in again what lies
    outside, which is not cut away before.

    Args:
        h, w: height and width, int.

    Raises:
        InputError: a size that is no int from 1.
    """
    checked_sizes(h=h, w=w)

    def matrix(uniforms, size):
        x, y = (_half_pixel(old, new) for old, new in ((size[1], w), (size[0], h)))
        one, zero = ops.ones_like(uniforms[:, 0]), ops.zeros_like(uniforms[:, 0])
        return matrices([one, zero, zero + x, zero, one, zero + y])

    return Geometric(matrix, draws=1, size=(h, w))


@dataclass(frozen=True)
class CollapseAlphaRandom:
    """Put images with opacity on random backgrounds; collapse_alpha_random makes it."""

    sd: float

    def __call__(self, images, seeds):
        """Turn (N, H, W, 4) in [0, 1] into (N, H, W, 3) in [0, 1]; seeds int32 (N, 2)."""
        n, h, w, channels = images.shape
        if channels != 4:
            raise InputError(f"collapse_alpha_random is given {channels} channels; accepted: 4")
        shape = (2, 3, h, param.spectrum_columns(w))
        spectrum = ops.stack([standard_normal(shape, seeds[i]) for i in range(n)], axis=1) * self.sd
        background = param.to_valid_rgb(param.fft_image(spectrum, h, w))
        opacity = images[..., 3:]
        return opacity * images[..., :3] + (1.0 - opacity) * background


def collapse_alpha_random(sd=0.5):
    """Put images of four channels on random backgrounds, a new one for each image and step.

    Args:
        sd: standard deviation of the background's spectrum, as in param.image.

    Raises:
        InputError: `sd` is no number from 0.

    Source: Lucid's transform.collapse_alpha_random.
    """
    if not isinstance(sd, Real) or not sd >= 0:
        raise InputError(f"sd is {sd!r}; accepted: a number from 0")
    return CollapseAlphaRandom(float(sd))


def compose(transforms):
    """Make one callable of a list of transforms, resampling as rarely as can be.

    Args:
        transforms: list of this module's transforms and of functions images -> images, of
            keras.ops and of static shape, applied in this order.

    Returns:
        Callable (images, seeds): (N, H, W, C) float in [0, 1], int32 (N, 2) whose second number
        counts the ascent's steps -> float32 (N, H, W, C), or of crop_or_pad_to's or a function's
        own size; C is 3 after collapse_alpha_random. An image's draws come from its own seed only,
        whatever the batch. Works in compiled steps. Exact where pixels move by whole pixels.

    Raises:
        InputError: something in the list is neither.
    """
    steps = []
    for transform in transforms:
        if isinstance(transform, Geometric):
            if not steps or not geometric.joins(steps[-1], transform):
                steps.append([])
            steps[-1].append(transform)
        elif callable(transform):
            steps.append(transform)
        else:
            raise InputError(f"{transform!r} is no transform; accepted: a function of images")
    steps = [
        geometric.merged(tuple(step)) if isinstance(step, list) else _drawn(step) for step in steps
    ]

    def transformed(images, seeds):
        images, seeds = ops.cast(images, "float32"), ops.convert_to_tensor(seeds, "int32")
        for number, step in enumerate(steps):
            own = ops.stack([seeds[:, 0], seeds[:, 1] * len(steps) + number], axis=1)
            images = step(images, own)
        return images

    return transformed


def _drawn(function):
    """A step of a function: only our own draws random numbers."""
    if isinstance(function, CollapseAlphaRandom):
        return function
    return lambda images, seeds: function(images)


def _half_pixel(old, new):
    """How far the middle moves where a size changes by an odd number, as TensorFlow crops."""
    return 0.5 * ((new > old) - (new < old)) * ((new - old) % 2)


def _check_pixels(name, number):
    if not isinstance(number, Integral) or number < 0:
        raise InputError(f"{name} is given {number!r} pixels; accepted: an int from 0")


def _numbers(name, values):
    values = list(values)
    if not values or not all(isinstance(value, Real) for value in values):
        raise InputError(f"{name} is given {values!r}; accepted: one number or more")
    return [float(value) for value in values]


# Lucid's optvis/transform.py
standard_transforms = [
    pad(12, mode="constant", constant_value=0.5),
    jitter(8),
    random_scale([1 + (i - 5) / 50.0 for i in range(11)]),
    random_rotate([*range(-10, 11), *(5 * [0])]),
    jitter(4),
]
