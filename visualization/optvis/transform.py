"""Random transformations of images between two ascent steps, with Lucid's names.

`compose` makes one callable of a list. Neighbouring geometric transforms are merged: their
matrices are multiplied and the images resampled once. Every image of a batch gets its own draw,
where Lucid draws once for the batch.

Shapes are static: the images keep their height and width unless crop_or_pad_to says otherwise, so
that the network runs at the size asked for. (In Lucid pad enlarges them, jitter crops and
random_scale changes them, and the network sees another size at every step.) The place of the
content is Lucid's, around the middle of the image. What comes in from outside is the
value of `pad`, without one grey (OUTSIDE), also for rotation, where Lucid shows black.

Resampling is affine and bilinear, with its exact gradient: that of TensorFlow's own operation is an
approximation (the inverse transform), and the one that a backend derives of a gather scatters,
which is slow on every device. Here the gradient is a gather too: every input pixel sums the few
output pixels that read it. Coordinates are (x, y, 1) in pixels with (0, 0) in the middle of the
image.
"""

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real

from keras import ops

from models.backend import fused, standard_normal, uniform
from models.errors import InputError
from visualization.optvis import param
from visualization.whole_numbers import check_whole

OUTSIDE = 0.5  # the middle of [0, 1], what is seen outside; the pad of Lucid's standard list
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
    check_whole("pixels of pad", w)
    border = None if mode == "constant" else (w, mode)
    return Geometric(None, fill=float(constant_value), border=border)


def jitter(d):
    """Shift each image by whole pixels, from -(d // 2) to d - d // 2 along both axes.

    Args:
        d: number of pixels, int: one of d + 1 shifts along each axis, equally likely.

    Raises:
        InputError: `d` is no int from 0.
    """
    check_whole("pixels of jitter", d)

    def matrix(uniforms, size):
        shift = ops.floor(uniforms * (d + 1)) - float(d // 2)
        one, zero = ops.ones_like(shift[:, 0]), ops.zeros_like(shift[:, 0])
        return _matrices([one, zero, shift[:, 0], zero, one, shift[:, 1]])

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
        shrink = 1.0 / _chosen(scales, uniforms)
        zero = ops.zeros_like(shrink)
        return _matrices([shrink, zero, zero, zero, shrink, zero])

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
        angle = _chosen(radians, uniforms)
        cos, sin, zero = ops.cos(angle), ops.sin(angle), ops.zeros_like(angle)
        # y points down: this is counterclockwise to the eye
        return _matrices([cos, -sin, zero, sin, cos, zero])

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
    check_whole("h", h, least=1)
    check_whole("w", w, least=1)

    def matrix(uniforms, size):
        x, y = (_half_pixel(old, new) for old, new in ((size[1], w), (size[0], h)))
        one, zero = ops.ones_like(uniforms[:, 0]), ops.zeros_like(uniforms[:, 0])
        return _matrices([one, zero, zero + x, zero, one, zero + y])

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
            if not steps or not _joins(steps[-1], transform):
                steps.append([])
            steps[-1].append(transform)
        elif callable(transform):
            steps.append(transform)
        else:
            raise InputError(f"{transform!r} is no transform; accepted: a function of images")
    steps = [merged(tuple(step)) if isinstance(step, list) else _drawn(step) for step in steps]

    def transformed(images, seeds):
        images, seeds = ops.cast(images, "float32"), ops.convert_to_tensor(seeds, "int32")
        for number, step in enumerate(steps):
            own = ops.stack([seeds[:, 0], seeds[:, 1] * len(steps) + number], axis=1)
            images = step(images, own)
        return images

    return transformed


def _drawn(function):
    """The step that calls a function; of these only CollapseAlphaRandom draws random numbers."""
    if isinstance(function, CollapseAlphaRandom):
        return function
    return lambda images, seeds: function(images)


def _half_pixel(old, new):
    """How far the middle moves where a size changes by an odd number, as TensorFlow crops."""
    return 0.5 * ((new > old) - (new < old)) * ((new - old) % 2)


def _numbers(name, values):
    values = list(values)
    if not values or not all(isinstance(value, Real) for value in values):
        raise InputError(f"{name} is given {values!r}; accepted: one number or more")
    return [float(value) for value in values]


@dataclass(frozen=True)
class Geometric:
    """A transform that only moves pixels, so that it can be merged with its neighbours.

    matrix: function of (uniforms (N, draws) in [0, 1), (h, w) of the images) -> (N, 3, 3), from
    places in the output to places in the input, in pixels from the middle.
    """

    matrix: Callable | None  # None: nothing moves
    draws: int = 0  # random numbers for each image
    stretch: float = 1.0  # as in resample
    fill: float | None = None  # value outside
    size: tuple | None = None  # of the output, where it is not the input's
    border: tuple | None = None  # (pixels, mode) put around before anything moves


def _joins(step, transform):
    """Whether a transform can be merged into the group before it."""
    if not isinstance(step, list) or transform.border:
        return False
    fills = {one.fill for one in [*step, transform] if one.fill is not None}
    return len(fills) <= 1


@functools.lru_cache(maxsize=32)  # compiled once, however many networks it is used for
def merged(group):
    """Make one resampling of a group of geometric transforms.

    Args:
        group: tuple of Geometric, those with a border only in the first place.

    Returns:
        Callable (images (N, H, W, C) float32, seeds int32 (N, 2)) -> (N, h, w, C).
    """
    draws = sum(transform.draws for transform in group)
    fill = next((one.fill for one in group if one.fill is not None), OUTSIDE)
    stretch = math.prod(transform.stretch for transform in group)
    moving = [transform for transform in group if transform.matrix]

    def moved(images, uniforms):
        size, matrix, first = images.shape[1:3], None, 0
        for transform in moving:
            own = transform.matrix(uniforms[:, first : first + transform.draws], size)
            matrix = own if matrix is None else ops.matmul(matrix, own)
            first, size = first + transform.draws, transform.size or size
        if group[0].border:
            w, mode = group[0].border
            images = ops.pad(images, ((0, 0), (w, w), (w, w), (0, 0)), mode)
        return resample(images, matrix, size, fill, stretch)

    if not moving:
        return lambda images, seeds: images
    moved = fused(moved)

    return lambda images, seeds: moved(images, uniform(draws, seeds))


def _chosen(values, uniforms):
    """One of a list for each image, equally likely, by uniforms (N, 1): (N,) float32."""
    index = ops.cast(ops.floor(uniforms[:, 0] * len(values)), "int32")
    return ops.take(ops.convert_to_tensor(values, "float32"), index)


def _matrices(entries):
    """Matrices (N, 3, 3) of six entries (N,), row after row, without the last row."""
    zero = ops.zeros_like(entries[0])
    return ops.reshape(ops.stack([*entries, zero, zero, zero + 1.0], axis=-1), (-1, 3, 3))


def resample(images, matrices, size, fill, stretch):
    """Sample images at affinely transformed places.

    Args:
        images: (N, H, W, C) float32, static shape.
        matrices: (N, 3, 3) float32, from places in the output to places in the input; the last
            row is (0, 0, 1).
        size: (h, w) of the output, int.
        fill: number outside the images. Between a border pixel and the outside is interpolated.
        stretch: upper bound, over all matrices, of the largest absolute row sum of the inverse of
            the upper left (2, 2): how far an output pixel's neighbours may lie apart. The gradient
            is exact where it holds.

    Returns:
        (N, h, w, C) float32. The gradient to `images` is the exact adjoint, that to `matrices` 0.
    """
    window = range(-_radius(stretch), _radius(stretch) + 1)
    in_size = images.shape[1:3]

    @ops.custom_gradient
    def sampled(images, matrices):
        def gradient(upstream):
            spread = _gathered_by(matrices, upstream, in_size, window)
            return spread, ops.zeros_like(matrices)

        return _bilinear(images, matrices, size, fill), gradient

    return sampled(images, matrices)


def _bilinear(images, matrices, size, fill):
    x, y = _places(matrices, size, images.shape[1:3])
    left, top = ops.floor(x), ops.floor(y)
    total = covered = 0.0
    for column, row in ((0, 0), (1, 0), (0, 1), (1, 1)):
        values, inside = _at(images, left + column, top + row)
        weight = _hat(x - left - column) * _hat(y - top - row) * inside
        total = total + weight[..., None] * values
        covered = covered + weight
    return total + fill * (1.0 - covered)[..., None]


def _gathered_by(matrices, upstream, in_size, window):
    """The adjoint of _bilinear: for every input pixel q, sum of hat(M p - q) g(p) over p near."""
    a, b, _, d, e, _ = _entries(matrices)
    x, y = _places(_inverse(matrices), in_size, upstream.shape[1:3])
    column, row = ops.round(x), ops.round(y)
    total = 0.0
    for down in window:
        for right in window:
            values, inside = _at(upstream, column + right, row + down)
            # M is linear: the way from q to M p is that of the way from M^-1 q to p
            dx, dy = column + right - x, row + down - y
            weight = _hat(a * dx + b * dy) * _hat(d * dx + e * dy) * inside
            total = total + weight[..., None] * values
    return total


def _at(images, column, row):
    """Pixels at whole places, and 1 where these are inside, else 0.

    Args:
        images: (N, H, W, C).
        column, row: (N, h, w) float32, whole numbers from 0 in the upper left corner.

    Returns:
        (N, h, w, C), (N, h, w).
    """
    n, height, width, channels = images.shape
    within_x, within_y = ops.clip(column, 0, width - 1), ops.clip(row, 0, height - 1)
    inside = ops.cast(ops.logical_and(within_x == column, within_y == row), "float32")
    first = ops.reshape(ops.arange(n, dtype="int32") * (height * width), (n, 1, 1))
    index = first + ops.cast(within_y, "int32") * width + ops.cast(within_x, "int32")
    return ops.take(ops.reshape(images, (-1, channels)), index, axis=0), inside


def _places(matrices, size, in_size):
    """Where each pixel of a grid of `size` lies in the input: x, y from its upper left corner."""
    h, w = size
    x = ops.reshape(ops.arange(w, dtype="float32") - (w - 1) / 2, (1, 1, w))
    y = ops.reshape(ops.arange(h, dtype="float32") - (h - 1) / 2, (1, h, 1))
    a, b, c, d, e, f = _entries(matrices)
    # the shift last, so that whole shifts of whole pixels stay whole
    in_x = a * x + b * y + (c + (in_size[1] - 1) / 2)
    in_y = d * x + e * y + (f + (in_size[0] - 1) / 2)
    return in_x, in_y


def _inverse(matrices):
    a, b, c, d, e, f = (entry[:, 0, 0] for entry in _entries(matrices))
    determinant = a * e - b * d
    a, b, d, e = e / determinant, -b / determinant, -d / determinant, a / determinant
    return _matrices([a, b, -a * c - b * f, d, e, -d * c - e * f])


def _entries(matrices):
    """The six entries of the upper rows, each (N, 1, 1)."""
    return [matrices[:, i, j, None, None] for i in (0, 1) for j in (0, 1, 2)]


def _hat(distance):
    return ops.maximum(1.0 - ops.abs(distance), 0.0)


def _radius(stretch):
    """Largest step from the nearest pixel to any pixel nearer than `stretch`."""
    return math.ceil(stretch + 0.5) - 1


# Lucid's optvis/transform.py
standard_transforms = [
    pad(12, mode="constant", constant_value=0.5),
    jitter(8),
    random_scale([1 + (i - 5) / 50.0 for i in range(11)]),
    random_rotate([*range(-10, 11), *(5 * [0])]),
    jitter(4),
]
