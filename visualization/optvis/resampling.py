"""Affine resampling of a batch of images, bilinear, with its exact gradient.

The gradient of TensorFlow's own operation is an approximation (the inverse transform), and the
gradient that a backend derives of a gather scatters, which is slow on every device. Here the
gradient is a gather too: every input pixel sums the few output pixels that read it.

Coordinates are (x, y, 1) in pixels with (0, 0) in the middle of the image.
"""

import math

from keras import ops


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
        def gradient(*args, upstream=None):
            # Keras passes the upstream gradient by name or by position, by backend
            upstream = args[-1] if upstream is None else upstream
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
    upper = ops.stack([a, b, -a * c - b * f, d, e, -d * c - e * f], axis=-1)
    last = ops.broadcast_to(ops.convert_to_tensor([[0.0, 0.0, 1.0]]), (a.shape[0], 3))
    return ops.reshape(ops.concatenate([upper, last], axis=-1), (-1, 3, 3))


def _entries(matrices):
    """The six entries of the upper rows, each (N, 1, 1)."""
    return [matrices[:, i, j, None, None] for i in (0, 1) for j in (0, 1, 2)]


def _hat(distance):
    return ops.maximum(1.0 - ops.abs(distance), 0.0)


def _radius(stretch):
    """Largest step from the nearest pixel to any pixel nearer than `stretch`."""
    return math.ceil(stretch + 0.5) - 1
