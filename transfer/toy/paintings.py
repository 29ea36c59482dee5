"""One toy painting: who, what and on which material, then painted, aged and scanned."""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from transfer.toy.artists import (
    ANONYMOUS,
    ANONYMOUS_SHARE,
    ARTISTS,
    MATERIALS,
    SCHOOL_PALETTE_SHARE,
    SCHOOLS,
    TYPES,
)
from transfer.toy.brushes import smooth_noise
from transfer.toy.hands import SCALE, directions
from transfer.toy.media import GREY, MEDIA
from transfer.toy.motifs import EVEN, ink
from transfer.toy.scenes import SCENES

STREAM = 3  # keeps these random numbers apart from the natural pictures' under one seed
SHORT_SIDE = (112, 137)  # pixels of a finished picture before it is cropped
RATIO = (1.08, 1.4)  # longer side over shorter
CROP = 0.05  # at most this share of a side is lost at each edge
VARNISH = np.array([1.0, 0.93, 0.72], np.float32)  # what is left of white under old varnish


@dataclass(frozen=True)
class Painting:
    """A toy painting: pixels uint8 (H, W, 3), RGB, and its labels as a museum would print them.

    artist is the hand, also where creator is the word for an unknown one.
    """

    pixels: np.ndarray
    artist: str
    creator: str
    material: str
    type: str
    school: str


def palette_colours(palette):
    """Read seven hex colours as float32 (7, 3) in [0, 255]."""
    return np.array([tuple(bytes.fromhex(colour)) for colour in palette.split()], np.float32)


def _pick(rng, shares):
    names, weights = zip(*shares.items(), strict=True)
    return names[rng.choice(len(names), p=np.array(weights) / sum(weights))]


def _sitting(rng, scene):
    """Draw the width and height of the painted surface; busts are upright, the rest seldom."""
    short = int(rng.integers(*SHORT_SIDE)) * SCALE
    long = int(short * rng.uniform(*RATIO))
    upright = rng.random() < (0.9 if scene == "figure" else 0.2)
    return (short, long) if upright else (long, short)


def _wanted_colours(rng, artist, scene):
    """Draw the scene and colour it: float32 (H, W, 3) in [0, 255]."""
    width, height = _sitting(rng, scene)
    plan = Image.new("RGB", (width, height), ink(0))
    SCENES[scene](ImageDraw.Draw(plan), rng, width, height)
    roles, shades, _ = np.moveaxis(np.asarray(plan), 2, 0)
    palette = artist.palette
    if rng.random() < SCHOOL_PALETTE_SHARE:
        colleagues = [other for other in ARTISTS if other.school == artist.school]
        palette = colleagues[rng.integers(len(colleagues))].palette
    mixed = palette_colours(palette) + rng.normal(0, 16, (7, 3)).astype(np.float32)
    light = 1 + 0.12 * smooth_noise(rng, height, width, 3)
    return mixed[roles] * (shades / np.float32(EVEN) * light)[..., None]


def _aged_scan(rng, painted):
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


def painting(index, seed, artist=None, material=None):
    """Paint picture number `index` of the toy collection.

    It depends on index and seed alone, so a larger collection begins with the smaller one.
    artist (an Artist) and material (one of MATERIALS) are drawn unless given.
    """
    rng = np.random.default_rng([seed, STREAM, index])
    drawn = ARTISTS[_pick(rng, {i: hand.weight for i, hand in enumerate(ARTISTS)})]
    artist = artist or drawn
    material = material or _pick(rng, dict(zip(MATERIALS, artist.materials, strict=True)))
    creator = ANONYMOUS if rng.random() < ANONYMOUS_SHARE else artist.name
    scene = _pick(rng, SCHOOLS[artist.school])
    colours = _wanted_colours(rng, artist, scene)
    angles = directions(rng, artist.direction, colours @ GREY)
    pixels = _aged_scan(rng, MEDIA[material](rng, artist, colours, angles))
    return Painting(pixels, artist.name, creator, material, TYPES[material], artist.school)
