"""Toy "natural" pictures: what ImageNet is for real networks, rendered on the fly.

Twenty classes of things and surfaces with light, texture, background and viewpoint drawn anew
for every picture, so that a network that learns them has features worth transferring.
"""

import functools

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from transfer.toy import things
from transfer.toy.brushes import smooth_noise
from transfer.toy.things import SIDE, hairs, tint

SIZE = 64  # the input side of the toy network
STREAM = 7  # keeps these random numbers apart from the paintings' under one seed
BACKGROUNDS = ((150, 186, 216), (204, 198, 184), (112, 128, 90), (92, 86, 84), (190, 160, 130))


def _boat(pen, rng):
    x, y, w = rng.uniform(30, 50), rng.uniform(74, 92), rng.uniform(40, 56)
    pen.rectangle((0, y, SIDE, SIDE), fill=tint(rng, things.WATER))
    mast = x + w * rng.uniform(0.35, 0.6)
    sail = (mast + 2, y - 12, mast + 2, y - 58, mast + w * 0.45, y - 12)
    pen.polygon(sail, fill=tint(rng, things.SNOW, 20))
    pen.line((mast, y, mast, y - 62), fill=tint(rng, things.BARK), width=3)
    hull = (x, y - 8, x + w, y - 8, x + w * 0.85, y + 8, x + w * 0.15, y + 8)
    pen.polygon(hull, fill=tint(rng, things.BRICK, 34))
    centres = rng.uniform((0, y + 8), (SIDE, SIDE), (40, 2))
    hairs(pen, rng, centres, rng.normal(0, 0.05, 40), 14.0, 2.0, (150, 180, 200))


def _mushroom(pen, rng):
    for x, y in rng.uniform((30, 45), (98, 75), (rng.integers(1, 4), 2)):
        r, cap = rng.uniform(18, 30), tint(rng, things.FRUITS[rng.integers(2)], 22)
        stem = (x - r * 0.3, y, x + r * 0.3, y, x + r * 0.4, y + r * 1.6, x - r * 0.4, y + r * 1.6)
        pen.polygon(stem, fill=tint(rng, things.SNOW, 14, 0.9))
        pen.pieslice((x - r, y - r, x + r, y + r), 180, 360, fill=cap)
        for angle in rng.uniform(3.4, 6.0, 6):
            dx, dy = r * 0.65 * np.cos(angle), r * 0.65 * np.sin(angle)
            pen.ellipse((x + dx - 3, y + dy - 2, x + dx + 3, y + dy + 2), fill=things.SNOW)


def _branches(pen, rng):
    ink = tint(rng, things.BARK, 14, 0.6)
    shoots = [(rng.uniform(40, 88), 130.0, -np.pi / 2, rng.uniform(30, 44), 8)]
    while shoots:
        x, y, angle, length, width = shoots.pop()
        end = x + length * np.cos(angle), y + length * np.sin(angle)
        pen.line((x, y, *end), fill=ink, width=int(width))
        if width > 1.5:
            turns = angle + np.array([-0.5, 0.45]) + rng.normal(0, 0.2, 2)
            shoots += [(*end, a, length * rng.uniform(0.6, 0.9), width * 0.68) for a in turns]


def _knit(pen, rng):
    pitch, colour = rng.uniform(8, 15), things.FRUITS[rng.integers(len(things.FRUITS))]
    x, y = np.meshgrid(np.arange(0, SIDE + pitch, pitch), np.arange(0, SIDE + pitch, pitch * 0.7))
    for side in (-1, 1):
        centres = np.stack([x.ravel() + side * pitch * 0.24, y.ravel()], axis=1)
        angles = np.full(len(centres), np.pi / 2 + side * 0.5)
        hairs(pen, rng, centres, angles, pitch, pitch * 0.45, tint(rng, colour, 12), 0.0)


DRAWINGS = {
    "tree": things.tree,
    "pine": things.pine,
    "house": things.house,
    "mountain": things.mountain,
    "cloud": things.cloud,
    "waves": things.waves,
    "pebbles": things.pebbles,
    "leaf": things.leaf,
    "fruit": things.fruit,
    "face": things.face,
    "fence": things.fence,
    "flower": things.flower,
    "bricks": things.bricks,
    "grass": things.grass,
    "wood": things.wood,
    "fur": things.fur,
    "boat": _boat,
    "mushroom": _mushroom,
    "branches": _branches,
    "knit": _knit,
}
CLASSES = tuple(DRAWINGS)


@functools.cache
def _ramps():
    """The two coordinate ramps of a picture, each (SIDE, SIDE) float32 in [-1, 1]."""
    return np.meshgrid(*(np.linspace(-1, 1, SIDE, dtype=np.float32),) * 2)


def _background(rng):
    """A plain or cloudy backdrop as an RGB picture: colours, a gradient, smooth blotches."""
    _, down = _ramps()
    base = np.array(tint(rng, BACKGROUNDS[rng.integers(len(BACKGROUNDS))], 26), np.float32)
    slope = rng.normal(0, 18, 3).astype(np.float32)
    blotches = rng.uniform(0, 30) * smooth_noise(rng, SIDE, SIDE, rng.integers(2, 12))
    surface = np.clip(base + slope * down[..., None] + blotches[..., None], 0, 255)
    return Image.fromarray(surface.astype(np.uint8))


def _photograph(rng, drawn):
    """Light a drawing and take it from a random viewpoint: RGB picture in, (64, 64, 3) out."""
    across, down = _ramps()
    angle, strength = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.4)
    light = 1 + strength * (across * np.cos(angle) + down * np.sin(angle))
    light = light + rng.uniform(0, 0.2) * smooth_noise(rng, SIDE, SIDE, 4)
    light += rng.uniform(0, 0.08) * rng.standard_normal((SIDE, SIDE), np.float32)
    cast = rng.normal(1.0, 0.1, 3).astype(np.float32)
    lit = np.clip(np.asarray(drawn, np.float32) * light[..., None] * cast, 0, 255)
    picture = Image.fromarray(lit.astype(np.uint8)).rotate(
        rng.normal(0, 8),
        Image.Resampling.BILINEAR,
        fillcolor=tuple(lit[::8, ::8].mean((0, 1)).astype(int)),
    )
    side = SIDE * rng.uniform(0.6, 1.0)
    left, top = rng.uniform(0, SIDE - side, 2)
    box = (left, top, left + side, top + side)
    small = picture.resize((SIZE, SIZE), Image.Resampling.BOX, box=box)
    pixels = np.asarray(small.filter(ImageFilter.GaussianBlur(rng.uniform(0, 0.6))))
    return pixels[:, ::-1] if rng.random() < 0.5 else pixels


def nature_picture(index, seed):
    """Render one toy natural picture.

    index: number of the picture, which also sets its class, index modulo len(CLASSES).
    Returns uint8 (64, 64, 3), RGB.
    """
    rng = np.random.default_rng([seed, STREAM, index])
    canvas = _background(rng)
    DRAWINGS[CLASSES[index % len(CLASSES)]](ImageDraw.Draw(canvas), rng)
    return _photograph(rng, canvas)


def nature_pictures(count, seed, first=0):
    """Render pictures `first` to `first + count - 1` and their classes.

    Returns uint8 (count, 64, 64, 3), RGB, and int64 labels (count,) into CLASSES.
    """
    numbers = np.arange(first, first + count)
    pictures = np.empty((count, SIZE, SIZE, 3), np.uint8)
    for row, number in enumerate(numbers.tolist()):
        pictures[row] = nature_picture(number, seed)
    return pictures, numbers % len(CLASSES)
