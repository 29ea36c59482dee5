"""Marks on a surface: smooth noise, tapered strokes, bristle texture, light on relief.

Everything is drawn from a `numpy.random.Generator` and is the same for the same generator.
Positions are (x, y) in pixels with y downwards; angles are radians from the x axis towards y.
"""

import numpy as np
from PIL import Image

# Half width of a stroke at five stations from one end to the other, as a share of its width:
# blunt ends and a full belly, as a flat brush leaves; with length = width it is a round dot.
PROFILE = np.array([0.38, 0.88, 1.0, 0.88, 0.38])
STATIONS = np.linspace(-1.0, 1.0, len(PROFILE))


def smooth_noise(rng, height, width, cells):
    """Draw smooth noise, a coarse grid of uniform values scaled up by cubic interpolation.

    cells: number of grid cells along the longer side. Returns float32 (height, width), about
    in [-1, 1].
    """
    cell = max(height, width) / cells
    rows, columns = int(np.ceil(height / cell)) + 1, int(np.ceil(width / cell)) + 1
    grid = rng.uniform(-1.0, 1.0, (rows, columns)).astype(np.float32)
    return np.asarray(Image.fromarray(grid).resize((width, height), Image.Resampling.BICUBIC))


def stroke_outlines(centres, angles, lengths, widths, bends):
    """Build the outline polygons of N curved, tapered strokes.

    centres: (N, 2) as x, y; angles: (N,); lengths, widths: (N,) in pixels; bends: (N,), how far
    the ends leave the straight line, as a share of the length. Returns float (N, 10, 2).
    """
    along = STATIONS[None, :] * lengths[:, None] / 2  # (N, 5)
    across = bends[:, None] * lengths[:, None] * STATIONS[None, :] ** 2
    half = PROFILE[None, :] * widths[:, None] / 2
    u = np.concatenate([along, along[:, ::-1]], axis=1)  # out on one side, back on the other
    v = np.concatenate([across + half, (across - half)[:, ::-1]], axis=1)
    cosine, sine = np.cos(angles)[:, None], np.sin(angles)[:, None]
    x = centres[:, :1] + u * cosine - v * sine
    y = centres[:, 1:] + u * sine + v * cosine
    return np.stack([x, y], axis=-1)


def lay_strokes(pen, outlines, inks):
    """Draw polygons one over the other with a PIL pen.

    pen: `PIL.ImageDraw.ImageDraw`; outlines: (N, P, 2); inks: (N, C) integers in [0, 255], C the
    number of bands of the pen's picture (no blending: the ink replaces what was there).
    """
    flat = outlines.reshape(len(outlines), -1).tolist()
    for outline, ink in zip(flat, inks.tolist(), strict=True):
        pen.polygon(outline, fill=tuple(ink))


def at(field, centres):
    """Read a field (H, W) or (H, W, C) at the pixels nearest to (N, 2) positions, clamped."""
    height, width = field.shape[:2]
    x = np.clip(centres[:, 0].astype(int), 0, width - 1)
    y = np.clip(centres[:, 1].astype(int), 0, height - 1)
    return field[y, x]


def scatter(rng, height, width, count):
    """Draw `count` positions (count, 2) evenly over a surface, a little beyond its edges."""
    return rng.uniform(-0.03, 1.03, (count, 2)) * (width, height)


def bristles(rng, angles, steps=4):
    """Smear white noise along a field of angles, the marks of a brush's hairs.

    angles: (H, W). steps: pixels smeared each way (line integral convolution, Cabral & Leedom
    1993, with straight segments). Returns float32 (H, W) of mean 0 and unit variance.
    """
    height, width = angles.shape
    noise = rng.standard_normal((height, width)).astype(np.float32)
    y, x = np.indices((height, width), dtype=np.float32)
    cosine, sine = np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)
    total = np.zeros_like(noise)
    for step in range(-steps, steps + 1):
        rows = (y + step * sine).astype(np.int32) % height
        columns = (x + step * cosine).astype(np.int32) % width
        total += noise[rows, columns]
    return total / np.float32(np.sqrt(2 * steps + 1))


def relief_light(height_map):
    """Light a relief from the upper left: float (H, W) in, brightness change (H, W) around 0."""
    light = np.zeros_like(height_map)
    light[1:, 1:] = height_map[1:, 1:] - height_map[:-1, :-1]
    return light
