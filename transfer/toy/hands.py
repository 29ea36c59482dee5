"""How an artist moves: the direction of strokes, and coats of strokes laid over a surface."""

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from transfer.toy.brushes import at, lay_strokes, scatter, smooth_noise, stroke_outlines

SCALE = 2  # pictures are painted at twice their size, then reduced: smooth edges
CROSSING = ("crossed", "right_angles")  # rules by which every second stroke is turned by 90 deg
# Rules that are one angle everywhere, give or take the wander of a hand.
STRAIGHT = {
    "horizontal": 0.0,
    "vertical": np.pi / 2,
    "diagonal": -np.pi / 4,
    "crossed": np.pi / 4,
    "right_angles": 0.0,
}
WANDER = 0.2  # radians


def directions(rng, rule, tone):
    """Lay out the angle of a stroke at every pixel.

    rule: an Artist's `direction`; tone: brightness of what is painted, float (H, W), any unit.
    Returns float32 (H, W), radians.
    """
    height, width = tone.shape
    wander = smooth_noise(rng, height, width, 3)
    if rule in STRAIGHT:
        return STRAIGHT[rule] + WANDER * wander
    if rule == "swirl":
        return np.float32(1.1 * np.pi) * wander
    if rule == "random":
        return rng.uniform(0, np.pi, (height, width)).astype(np.float32)
    y, x = np.indices((height, width), np.float32)
    if rule == "radial":
        cx, cy = rng.uniform(0.3, 0.7, 2).astype(np.float32) * (width, height)
        return np.arctan2(y - np.float32(cy), x - np.float32(cx)) + np.float32(np.pi / 2)
    soft = Image.fromarray(np.asarray(tone, np.float32)).resize((width // 8, height // 8))
    soft = np.asarray(soft.resize((width, height), Image.Resampling.BICUBIC))
    down, across = np.gradient(soft)
    flat = np.hypot(down, across) < 0.2  # no form to follow: keep to the wander
    return np.where(flat, wander, np.arctan2(down, across) + np.pi / 2).astype(np.float32)


def edges(tone):
    """Find where brightness changes: float (H, W) in, share of the strongest change (H, W) out."""
    down, across = np.gradient(tone)
    change = np.hypot(down, across)
    return change / max(float(change.max()), 1e-6)


def outlines(rng, artist, angles, centres, thick=1.0, long=1.0):
    """Build an artist's strokes at N positions: polygons (N, 10, 2) at SCALE.

    thick, long: factors on the artist's width and length.
    """
    count = len(centres)
    turned = np.pi / 2 * (rng.random(count) < 0.5) if artist.direction in CROSSING else 0.0
    tilt = at(angles, centres) + rng.normal(0, 0.12, count) + turned
    lengths = SCALE * long * artist.length * rng.uniform(0.65, 1.35, count)
    widths = SCALE * thick * artist.width * rng.uniform(0.75, 1.25, count)
    bends = rng.normal(0, artist.bend + 0.01, count)
    return stroke_outlines(centres, tilt, lengths, widths, bends)


def count_for(artist, shape, cover, thick=1.0, long=1.0):
    """Count the strokes whose areas sum to `cover` times the area of a (H, W) surface."""
    stroke = SCALE**2 * thick * artist.width * long * artist.length
    return int(cover * shape[0] * shape[1] / stroke)


def coat(rng, artist, surface, colours, angles, cover, thick=1.0, long=1.0, where=None):
    """Lay a coat of strokes, each of the colour found under its middle.

    surface: PIL RGBA picture, changed in place; its alpha band holds the height of the paint,
    random for each stroke; colours: (H, W, 3) in [0, 255]; cover: times the surface is covered;
    where: chance in [0, 1] of a stroke at each pixel (H, W), or None for everywhere.
    """
    shape = colours.shape[:2]
    centres = scatter(rng, *shape, count_for(artist, shape, cover, thick, long))
    if where is not None:
        centres = centres[rng.random(len(centres)) < at(where, centres)]
    count = len(centres)
    hue = rng.normal(0, 0.4 * artist.jitter, (count, 3))
    inks = at(colours, centres) + rng.normal(0, artist.jitter, (count, 1)) + hue
    height = rng.integers(40, 256, (count, 1))
    bands = np.concatenate([np.clip(inks, 0, 255).astype(int), height], axis=1)
    strokes = outlines(rng, artist, angles, centres, thick, long)
    lay_strokes(ImageDraw.Draw(surface), strokes, bands)


def marks(rng, artist, shape, angles, cover, thick, long, where):
    """Draw strokes of one colour as a mask: bool (H, W), True under a stroke.

    Arguments as in `coat`; used for the needle of an etcher and the knife of a woodcutter.
    """
    centres = scatter(rng, *shape, count_for(artist, shape, cover, thick, long))
    centres = centres[rng.random(len(centres)) < at(where, centres)]
    mask = Image.new("L", (shape[1], shape[0]))
    ones = np.full((len(centres), 1), 255)
    lay_strokes(ImageDraw.Draw(mask), outlines(rng, artist, angles, centres, thick, long), ones)
    return np.asarray(mask) > 0


def softened(pixels, radius):
    """Blur a uint8 (H, W, 3) or float32-valued [0, 255] (H, W) array; radius in pixels."""
    picture = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
    return np.asarray(picture.filter(ImageFilter.BoxBlur(radius)), np.float32)
