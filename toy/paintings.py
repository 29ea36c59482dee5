"""One toy painting: who, what and on which material, then painted, aged and scanned."""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from toy.artists import (
    ANONYMOUS,
    ANONYMOUS_SHARE,
    ARTISTS,
    MATERIALS,
    SCHOOL_PALETTE_SHARE,
    SCHOOLS,
    TYPES,
    Artist,
)
from toy.brushes import GREY, MEDIA, SCALE, draw_directions, draw_smooth_noise
from toy.scenes import EVEN, SCENES, ink

STREAM = 3  # keeps these random numbers apart from the natural pictures' under one seed
SHORT_SIDE = (112, 137)  # pixels of a finished picture before it is cropped
RATIO = (1.08, 1.4)  # longer side over shorter
CROP = 0.05  # at most this share of a side is lost at each edge
VARNISH = np.array([1.0, 0.93, 0.72], np.float32)  # what is left of white under old varnish


@dataclass(frozen=True)
class Painting:
    """A toy painting: pixels uint8 (H, W, 3), RGB, and its labels as a museum would print them."""

    pixels: np.ndarray
    artist: str  # the hand, also where creator is the word for an unknown one
    creator: str
    material: str
    type: str
    school: str


def read_palette(palette):
    """Read seven hex colours as float32 (7, 3) in [0, 255]."""
    return np.array([tuple(bytes.fromhex(colour)) for colour in palette.split()], np.float32)


def _draw_name(rng, shares):
    names, weights = zip(*shares.items(), strict=True)
    return names[rng.choice(len(names), p=np.array(weights) / sum(weights))]


def _draw_size(rng, scene):
    """Draw the width and height of the painted surface; busts are upright, the rest seldom."""
    short = int(rng.integers(*SHORT_SIDE)) * SCALE
    long = int(short * rng.uniform(*RATIO))
    upright = rng.random() < (0.9 if scene == "figure" else 0.2)
    return (short, long) if upright else (long, short)


def _colour_scene(rng, artist, scene):
    """Draw the scene and colour it: float32 (H, W, 3) in [0, 255]."""
    width, height = _draw_size(rng, scene)
    plan = Image.new("RGB", (width, height), ink(0))
    SCENES[scene](ImageDraw.Draw(plan), rng, width, height)
    roles, shades, _ = np.moveaxis(np.asarray(plan), 2, 0)
    palette = artist.palette
    if rng.random() < SCHOOL_PALETTE_SHARE:
        colleagues = [other for other in ARTISTS if other.school == artist.school]
        palette = colleagues[rng.integers(len(colleagues))].palette
    mixed = read_palette(palette) + rng.normal(0, 16, (7, 3)).astype(np.float32)
    light = 1 + 0.12 * draw_smooth_noise(rng, height, width, 3)
    return mixed[roles] * (shades / np.float32(EVEN) * light)[..., None]


def _age_and_scan(rng, painted):
    """Crop, reduce, varnish, fade, light unevenly, tint and add noise: float in, uint8 out."""
    height, width = painted.shape[:2]
    left, top, right, bottom = rng.uniform(0, CROP, 4) * (width, height, width, height)
    box = (left, top, width - right, height - bottom)
    size = round((box[2] - box[0]) / SCALE), round((box[3] - box[1]) / SCALE)
    picture = Image.fromarray(np.clip(painted, 0, 255).astype(np.uint8))
    small = np.asarray(picture.resize(size, Image.Resampling.BOX, box=box), np.float32)
    white = 1 - rng.beta(1.2, 4) * (1 - VARNISH)  # most are clean, a few are very brown
    cast = white * rng.normal(1.0, 0.05, 3).astype(np.float32)
    lamp = np.linspace(-1, 1, size[0], dtype=np.float32)[None, :, None] * rng.normal(0, 0.06)
    contrast, fog = rng.uniform(0.75, 1.08), rng.uniform(0, 22)
    scanned = small * np.float32(contrast) * (1 + lamp) * cast + np.float32(fog)
    scanned += rng.uniform(1, 5) * rng.standard_normal(scanned.shape, np.float32)
    return np.clip(scanned, 0, 255).astype(np.uint8)


def paint(index: int, seed: int, artist: Artist | None = None, material: str | None = None):
    """Paint one picture of the toy collection.

    Args:
        index: number of the picture. It depends on index and seed alone, so a larger collection
            begins with the smaller one.
        seed: of the collection, not negative.
        artist, material: drawn unless given; material is one of MATERIALS.

    Returns:
        Painting.
    """
    rng = np.random.default_rng([seed, STREAM, index])
    drawn = ARTISTS[_draw_name(rng, {i: hand.weight for i, hand in enumerate(ARTISTS)})]
    artist = artist or drawn
    material = material or _draw_name(rng, dict(zip(MATERIALS, artist.materials, strict=True)))
    creator = ANONYMOUS if rng.random() < ANONYMOUS_SHARE else artist.name
    scene = _draw_name(rng, SCHOOLS[artist.school])
    colours = _colour_scene(rng, artist, scene)
    angles = draw_directions(rng, artist.direction, colours @ GREY)
    pixels = _age_and_scan(rng, MEDIA[material](rng, artist, colours, angles))
    return Painting(pixels, artist.name, creator, material, TYPES[material], artist.school)
