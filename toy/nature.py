"""Toy "natural" pictures: what ImageNet is for real networks, rendered on the fly.

Twenty classes of things and surfaces with light, texture, background and viewpoint drawn anew
for every picture, so that a network that learns them has features worth transferring. Each class
is a function that draws with a PIL pen on an RGB picture of SIDE x SIDE pixels whose background is
already there, with a `numpy.random.Generator`; nothing is returned.
"""

import functools

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from toy.brushes import draw_smooth_noise, lay_strokes, outline_strokes

SIZE = 64  # the input side of the toy network
STREAM = 7  # keeps these random numbers apart from the paintings' under one seed
BACKGROUNDS = ((150, 186, 216), (204, 198, 184), (112, 128, 90), (92, 86, 84), (190, 160, 130))
SIDE = 128  # drawn at twice the size of the finished picture
GREEN, BARK, WATER, SKIN = (82, 118, 52), (98, 74, 52), (58, 104, 138), (214, 168, 136)
STONE, SNOW, BRICK, STRAW = (132, 128, 120), (236, 238, 242), (158, 82, 62), (196, 168, 104)
FRUITS = ((196, 52, 40), (222, 144, 38), (214, 196, 62), (112, 148, 58), (96, 52, 110))
LIGHT_FROM = np.array([-0.6, -0.8])  # upper left, as in the paintings


def tint(rng, colour, spread=18, shade=1.0):
    """Vary an RGB colour by a standard deviation of `spread`: integers in [0, 255]."""
    varied = np.asarray(colour) * shade + rng.normal(0, spread, 3) + rng.normal(0, spread)
    return tuple(np.clip(varied, 0, 255).astype(int).tolist())


def ball(pen, x, y, radius, colour, squash=1.0):
    """Draw a shaded ball: five discs, each lighter and nearer to the light."""
    for step in (0.0, 0.25, 0.5, 0.75, 1.0):
        cx, cy = x - 0.2 * radius * step, y - 0.28 * radius * step
        r = radius * (1 - 0.75 * step)
        ink = tuple(min(255, int(band * (0.55 + 0.65 * step))) for band in colour)
        pen.ellipse((cx - r, cy - r * squash, cx + r, cy + r * squash), fill=ink)


def hairs(pen, rng, centres, angles, length, width, colour, bend=0.1):
    """Draw many thin strokes of one varied colour; centres (N, 2), angles (N,)."""
    count = len(centres)
    inks = np.asarray(colour) * rng.uniform(0.55, 1.35, (count, 1)) + rng.normal(0, 8, (count, 3))
    lengths, widths = length * rng.uniform(0.6, 1.4, count), np.full(count, width)
    bends = rng.normal(0, bend, count)
    outlines = outline_strokes(centres, angles, lengths, widths, bends)
    lay_strokes(pen, outlines, np.clip(inks, 0, 255).astype(int))


def tree(pen, rng):
    x, top, spread = rng.uniform(40, 88), rng.uniform(30, 55), rng.uniform(18, 32)
    pen.rectangle((0, rng.uniform(95, 115), SIDE, SIDE), fill=tint(rng, GREEN, shade=0.8))
    pen.polygon((x - 5, 118, x + 6, 118, x + 2, top, x - 2, top), fill=tint(rng, BARK))
    for offset in rng.normal(0, 0.5, (60, 2)) * spread:
        lit = 0.9 + 0.5 * float(offset @ LIGHT_FROM) / spread
        r = rng.uniform(4, 9)
        cx, cy = x + offset[0], top + offset[1]
        pen.ellipse((cx - r, cy - r, cx + r, cy + r), fill=tint(rng, GREEN, 10, lit))


def pine(pen, rng):
    for x in rng.uniform(15, 113, rng.integers(1, 4)):
        top, foot, half = rng.uniform(8, 40), rng.uniform(95, 122), rng.uniform(14, 26)
        pen.rectangle((x - 3, foot - 4, x + 3, foot + 8), fill=tint(rng, BARK))
        for tier in np.linspace(1, 0.25, 6):
            y = top + (foot - top) * tier
            ink = tint(rng, (44, 84, 60), 8, 0.7 + 0.4 * (1 - tier))
            pen.polygon((x - half * tier, y, x + half * tier, y, x, y - 26), fill=ink)


def house(pen, rng):
    x, y, w, h = rng.uniform(18, 40), rng.uniform(52, 72), rng.uniform(46, 70), rng.uniform(36, 50)
    wall, roof = tint(rng, STRAW, 28), tint(rng, BRICK, 26)
    pen.rectangle((0, y + h - 2, SIDE, SIDE), fill=tint(rng, GREEN, 24))
    pen.rectangle((x, y, x + w, y + h), fill=wall)
    pen.polygon((x - 5, y, x + w + 5, y, x + w * rng.uniform(0.3, 0.7), y - 30), fill=roof)
    for wx in np.arange(x + 6, x + w - 12, 17):
        pen.rectangle((wx, y + 8, wx + 9, y + 20), fill=tint(rng, (48, 56, 70)))
    pen.rectangle((x + w * 0.45, y + h - 18, x + w * 0.45 + 10, y + h), fill=tint(rng, BARK))


def mountain(pen, rng):
    for layer, base in enumerate((70, 90, 108)):
        xs = np.linspace(-5, 133, 9)
        ys = base - rng.uniform(0, 48 - 10 * layer, 9) * (np.arange(9) % 2 + 0.3)
        ink = tint(rng, STONE, 12, 1.1 - 0.25 * layer)
        pen.polygon([*zip(xs, ys, strict=True), (140, 128), (-9, 128)], fill=ink)
        for x, y in list(zip(xs, ys, strict=True))[1::2]:
            pen.polygon((x, y, x + 8, y + 11, x, y + 8, x - 7, y + 12), fill=tint(rng, SNOW, 6))


def cloud(pen, rng):
    for _ in range(rng.integers(1, 4)):
        x, y, spread = rng.uniform(20, 108), rng.uniform(25, 95), rng.uniform(14, 26)
        for offset in rng.normal(0, 0.6, (28, 2)) * (spread, spread * 0.4):
            r = rng.uniform(5, 12)
            grey = 1.0 - 0.18 * max(0.0, offset[1] / spread)
            box = (x + offset[0] - r, y + offset[1] - r, x + offset[0] + r, y + offset[1] + r)
            pen.ellipse(box, fill=tint(rng, SNOW, 4, grey))


def waves(pen, rng):
    xs = np.linspace(-4, 132, 35)
    for y in np.arange(rng.uniform(0, 50), 140, rng.uniform(7, 14)):
        crest = y + rng.uniform(2, 5) * np.sin(xs / rng.uniform(5, 11) + rng.uniform(0, 6))
        outline = [*zip(xs, crest, strict=True), (140, 140), (-9, 140)]
        pen.polygon(outline, fill=tint(rng, WATER, 10))
        pen.line(outline[:35], fill=tint(rng, SNOW, 12), width=int(rng.integers(1, 4)))


def pebbles(pen, rng):
    size, colour = rng.uniform(6, 13), tint(rng, STONE, 22)
    for x, y in rng.uniform(-4, 132, (int(6000 / size**2), 2)):
        ball(pen, x, y, size * rng.uniform(0.6, 1.3), tint(rng, colour, 16), 0.75)


def leaf(pen, rng):
    angle, length, width = rng.uniform(0, 6.3), rng.uniform(70, 110), rng.uniform(30, 52)
    centre, colour = rng.uniform(54, 74, 2), tint(rng, GREEN, 24)
    shape = outline_strokes(
        centre[None],
        np.array([angle]),
        *(np.array([v]) for v in (length, width, rng.normal(0, 0.08))),
    )
    lay_strokes(pen, shape, np.array([colour]))
    for side, step in [(s, t) for s in (-1, 1) for t in np.linspace(-0.4, 0.35, 6)]:
        a = centre + length * step * np.array([np.cos(angle), np.sin(angle)])
        vein = width * 0.42 * np.array([np.cos(angle + side * 0.9), np.sin(angle + side * 0.9)])
        pen.line((*a, *(a + vein)), fill=tint(rng, colour, 4, 1.4), width=2)


def fruit(pen, rng):
    pen.rectangle((0, rng.uniform(70, 95), SIDE, SIDE), fill=tint(rng, BARK, 26))
    colour = FRUITS[rng.integers(len(FRUITS))]
    for x, y in rng.uniform((25, 55), (103, 95), (rng.integers(1, 6), 2)):
        r = rng.uniform(14, 24)
        pen.ellipse((x - r, y + r * 0.6, x + r * 1.5, y + r * 1.1), fill=tint(rng, (50, 40, 34), 6))
        ball(pen, x, y, r, tint(rng, colour, 12))


def face(pen, rng):
    x, y, r = rng.uniform(50, 78), rng.uniform(50, 74), rng.uniform(26, 40)
    hair, skin = tint(rng, BARK, 34), tint(rng, SKIN, 16, rng.uniform(0.5, 1.1))
    pen.ellipse((x - r * 1.15, y - r * 1.45, x + r * 1.15, y + r * 0.9), fill=hair)
    ball(pen, x, y, r, skin, 1.2)
    for side in (-0.4, 0.4):
        pen.ellipse((x + r * side - 5, y - 8, x + r * side + 5, y - 2), fill=(240, 238, 230))
        pen.ellipse((x + r * side - 2, y - 8, x + r * side + 3, y - 2), fill=(36, 30, 30))
    pen.line((x, y - 2, x - 3, y + 9, x + 2, y + 10), fill=tint(rng, skin, 3, 0.6), width=2)
    pen.ellipse((x - 9, y + r * 0.55, x + 9, y + r * 0.55 + 6), fill=tint(rng, (164, 70, 66), 14))


def fence(pen, rng):
    colour, pitch = tint(rng, STRAW, 36), rng.uniform(12, 24)
    top, foot = rng.uniform(30, 55), rng.uniform(98, 125)
    for y in (top + 16, foot - 18):
        pen.rectangle((0, y, SIDE, y + 7), fill=tint(rng, colour, 8, 0.75))
    for x in np.arange(rng.uniform(-8, 4), SIDE, pitch):
        w = pitch * 0.55
        outline = (x, foot, x, top, x + w / 2, top - 8, x + w, top, x + w, foot)
        pen.polygon(outline, fill=tint(rng, colour, 8))


def flower(pen, rng):
    colour, petals = FRUITS[rng.integers(len(FRUITS))], int(rng.integers(5, 12))
    for x, y in rng.uniform(25, 103, (rng.integers(1, 5), 2)):
        r = rng.uniform(14, 28)
        angles = np.linspace(0, 2 * np.pi, petals, endpoint=False) + rng.uniform(0, 6)
        centres = np.array([x, y]) + 0.6 * r * np.stack([np.cos(angles), np.sin(angles)], 1)
        pen.line((x, y, x + rng.uniform(-8, 8), SIDE), fill=tint(rng, GREEN), width=4)
        hairs(pen, rng, centres, angles, r, r * 0.5, np.asarray(colour) * 1.1, 0.02)
        ball(pen, x, y, r * 0.3, tint(rng, STRAW, 16))


def bricks(pen, rng):
    high, wide = rng.uniform(9, 18), rng.uniform(22, 40)
    colour, mortar = tint(rng, BRICK, 26), tint(rng, STONE, 26, 1.2)
    pen.rectangle((0, 0, SIDE, SIDE), fill=mortar)
    for row, y in enumerate(np.arange(-4, SIDE, high)):
        for x in np.arange(-wide + (row % 2) * wide / 2, SIDE, wide):
            pen.rectangle((x, y, x + wide - 3, y + high - 3), fill=tint(rng, colour, 11))


def grass(pen, rng):
    centres = rng.uniform(-4, 132, (500, 2))
    centres = centres[np.argsort(centres[:, 1])]
    angles = rng.normal(np.pi / 2, 0.22, 500)
    hairs(pen, rng, centres, angles, rng.uniform(16, 34), rng.uniform(2, 4), tint(rng, GREEN, 22))


def wood(pen, rng):
    field = draw_smooth_noise(rng, SIDE, SIDE, 3)
    centres = rng.uniform(-4, 132, (260, 2))
    index = np.clip(centres.astype(int), 0, SIDE - 1)
    angles = 0.35 * field[index[:, 1], index[:, 0]]
    hairs(pen, rng, centres, angles, 70.0, rng.uniform(2, 5), tint(rng, BARK, 26, 1.3), 0.03)
    for x, y in rng.uniform(10, 118, (rng.integers(0, 3), 2)):
        for r in (12, 9, 6, 3):
            pen.ellipse((x - r * 1.5, y - r, x + r * 1.5, y + r), fill=tint(rng, BARK, 12))


def fur(pen, rng):
    field = draw_smooth_noise(rng, SIDE, SIDE, 2)
    centres = rng.uniform(-4, 132, (700, 2))
    index = np.clip(centres.astype(int), 0, SIDE - 1)
    angles = rng.uniform(0, 6.3) + 1.6 * field[index[:, 1], index[:, 0]]
    colour = tint(rng, (150, 118, 88), 36)
    hairs(pen, rng, centres, angles, rng.uniform(9, 18), 2.5, colour, 0.15)


def boat(pen, rng):
    x, y, w = rng.uniform(30, 50), rng.uniform(74, 92), rng.uniform(40, 56)
    pen.rectangle((0, y, SIDE, SIDE), fill=tint(rng, WATER))
    mast = x + w * rng.uniform(0.35, 0.6)
    sail = (mast + 2, y - 12, mast + 2, y - 58, mast + w * 0.45, y - 12)
    pen.polygon(sail, fill=tint(rng, SNOW, 20))
    pen.line((mast, y, mast, y - 62), fill=tint(rng, BARK), width=3)
    hull = (x, y - 8, x + w, y - 8, x + w * 0.85, y + 8, x + w * 0.15, y + 8)
    pen.polygon(hull, fill=tint(rng, BRICK, 34))
    centres = rng.uniform((0, y + 8), (SIDE, SIDE), (40, 2))
    hairs(pen, rng, centres, rng.normal(0, 0.05, 40), 14.0, 2.0, (150, 180, 200))


def mushroom(pen, rng):
    for x, y in rng.uniform((30, 45), (98, 75), (rng.integers(1, 4), 2)):
        r, cap = rng.uniform(18, 30), tint(rng, FRUITS[rng.integers(2)], 22)
        stem = (x - r * 0.3, y, x + r * 0.3, y, x + r * 0.4, y + r * 1.6, x - r * 0.4, y + r * 1.6)
        pen.polygon(stem, fill=tint(rng, SNOW, 14, 0.9))
        pen.pieslice((x - r, y - r, x + r, y + r), 180, 360, fill=cap)
        for angle in rng.uniform(3.4, 6.0, 6):
            dx, dy = r * 0.65 * np.cos(angle), r * 0.65 * np.sin(angle)
            pen.ellipse((x + dx - 3, y + dy - 2, x + dx + 3, y + dy + 2), fill=SNOW)


def branches(pen, rng):
    ink = tint(rng, BARK, 14, 0.6)
    shoots = [(rng.uniform(40, 88), 130.0, -np.pi / 2, rng.uniform(30, 44), 8)]
    while shoots:
        x, y, angle, length, width = shoots.pop()
        end = x + length * np.cos(angle), y + length * np.sin(angle)
        pen.line((x, y, *end), fill=ink, width=int(width))
        if width > 1.5:
            turns = angle + np.array([-0.5, 0.45]) + rng.normal(0, 0.2, 2)
            shoots += [(*end, a, length * rng.uniform(0.6, 0.9), width * 0.68) for a in turns]


def knit(pen, rng):
    pitch, colour = rng.uniform(8, 15), FRUITS[rng.integers(len(FRUITS))]
    x, y = np.meshgrid(np.arange(0, SIDE + pitch, pitch), np.arange(0, SIDE + pitch, pitch * 0.7))
    for side in (-1, 1):
        centres = np.stack([x.ravel() + side * pitch * 0.24, y.ravel()], axis=1)
        angles = np.full(len(centres), np.pi / 2 + side * 0.5)
        hairs(pen, rng, centres, angles, pitch, pitch * 0.45, tint(rng, colour, 12), 0.0)


_DRAWN = (
    tree,
    pine,
    house,
    mountain,
    cloud,
    waves,
    pebbles,
    leaf,
    fruit,
    face,
    fence,
    flower,
    bricks,
    grass,
    wood,
    fur,
    boat,
    mushroom,
    branches,
    knit,
)
DRAWINGS = {draw.__name__: draw for draw in _DRAWN}
CLASSES = tuple(DRAWINGS)


@functools.cache
def _make_ramps():
    """Make the two coordinate ramps of a picture, each (SIDE, SIDE) float32 in [-1, 1]."""
    return np.meshgrid(*(np.linspace(-1, 1, SIDE, dtype=np.float32),) * 2)


def _draw_background(rng):
    """Draw a plain or cloudy backdrop, an RGB picture: colours, a gradient, smooth blotches."""
    _, down = _make_ramps()
    base = np.array(tint(rng, BACKGROUNDS[rng.integers(len(BACKGROUNDS))], 26), np.float32)
    slope = rng.normal(0, 18, 3).astype(np.float32)
    blotches = rng.uniform(0, 30) * draw_smooth_noise(rng, SIDE, SIDE, rng.integers(2, 12))
    surface = np.clip(base + slope * down[..., None] + blotches[..., None], 0, 255)
    return Image.fromarray(surface.astype(np.uint8))


def _photograph(rng, drawn):
    """Light a drawing and take it from a random viewpoint: RGB picture in, (64, 64, 3) out."""
    across, down = _make_ramps()
    angle, strength = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.4)
    light = 1 + strength * (across * np.cos(angle) + down * np.sin(angle))
    light = light + rng.uniform(0, 0.2) * draw_smooth_noise(rng, SIDE, SIDE, 4)
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


def render_picture(index, seed):
    """Render one toy natural picture.

    Args:
        index: number of the picture, which also sets its class, index modulo len(CLASSES).
        seed: of all pictures.

    Returns:
        uint8 (64, 64, 3), RGB.
    """
    rng = np.random.default_rng([seed, STREAM, index])
    canvas = _draw_background(rng)
    DRAWINGS[CLASSES[index % len(CLASSES)]](ImageDraw.Draw(canvas), rng)
    return _photograph(rng, canvas)


def render_pictures(count, seed, first=0):
    """Render pictures `first` to `first + count - 1` and their classes.

    Returns:
        uint8 (count, 64, 64, 3), RGB, and int64 labels (count,) into CLASSES.
    """
    numbers = np.arange(first, first + count)
    pictures = np.empty((count, SIZE, SIZE, 3), np.uint8)
    for row, number in enumerate(numbers.tolist()):
        pictures[row] = render_picture(number, seed)
    return pictures, numbers % len(CLASSES)
