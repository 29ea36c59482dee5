"""How toy pictures are painted: marks on a surface, an artist's hand, the four materials.

Everything is drawn from a `numpy.random.Generator` and is the same for the same generator.
Positions are (x, y) in pixels with y downwards; angles are radians from the x axis towards y.
Every material is a function (rng, artist, colours, angles) of the wanted colours, float32
(H, W, 3) in [0, 255], and the stroke directions (H, W); it returns float32 (H, W, 3), RGB.
"""

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

# Half width of a stroke at five stations from one end to the other, as a share of its width:
# blunt ends and a full belly, as a flat brush leaves; with length = width it is a round dot.
PROFILE = np.array([0.38, 0.88, 1.0, 0.88, 0.38])
STATIONS = np.linspace(-1.0, 1.0, len(PROFILE))
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
GREY = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601 luma
PAPER = np.array([243, 238, 224], np.float32)
INK = np.array([38, 32, 30], np.float32)


def draw_smooth_noise(rng, height, width, cells):
    """Draw smooth noise, a coarse grid of uniform values scaled up by cubic interpolation.

    Args:
        rng: numpy.random.Generator.
        height, width: in pixels.
        cells: number of grid cells along the longer side.

    Returns:
        float32 (height, width), about in [-1, 1].
    """
    cell = max(height, width) / cells
    rows, columns = int(np.ceil(height / cell)) + 1, int(np.ceil(width / cell)) + 1
    grid = rng.uniform(-1.0, 1.0, (rows, columns)).astype(np.float32)
    return np.asarray(Image.fromarray(grid).resize((width, height), Image.Resampling.BICUBIC))


def outline_strokes(centres, angles, lengths, widths, bends):
    """Build the outline polygons of N curved, tapered strokes.

    Args:
        centres: (N, 2) as x, y.
        angles: (N,).
        lengths, widths: (N,) in pixels.
        bends: (N,), how far the ends leave the straight line, as a share of the length.

    Returns:
        float (N, 10, 2).
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

    Args:
        pen: PIL.ImageDraw.ImageDraw.
        outlines: (N, P, 2).
        inks: (N, C) integers in [0, 255], C the number of bands of the pen's picture (no
            blending: the ink replaces what was there).
    """
    flat = outlines.reshape(len(outlines), -1).tolist()
    for outline, ink in zip(flat, inks.tolist(), strict=True):
        pen.polygon(outline, fill=tuple(ink))


def read_at(field, centres):
    """Read a field (H, W) or (H, W, C) at the pixels nearest to (N, 2) positions, clamped."""
    height, width = field.shape[:2]
    x = np.clip(centres[:, 0].astype(int), 0, width - 1)
    y = np.clip(centres[:, 1].astype(int), 0, height - 1)
    return field[y, x]


def scatter(rng, height, width, count):
    """Draw `count` positions (count, 2) evenly over a surface, a little beyond its edges."""
    return rng.uniform(-0.03, 1.03, (count, 2)) * (width, height)


def draw_bristles(rng, angles, steps=4):
    """Smear white noise along a field of angles, the marks of a brush's hairs.

    Args:
        rng: numpy.random.Generator.
        angles: (H, W).
        steps: pixels smeared each way.

    Returns:
        float32 (H, W) of mean 0 and unit variance.

    Source:
        Line integral convolution, Cabral & Leedom 1993, with straight segments.
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


def light_relief(height_map):
    """Light a relief from the upper left: float (H, W) in, brightness change (H, W) around 0."""
    light = np.zeros_like(height_map)
    light[1:, 1:] = height_map[1:, 1:] - height_map[:-1, :-1]
    return light


def draw_directions(rng, rule, tone):
    """Draw the angle of a stroke at every pixel.

    Args:
        rng: numpy.random.Generator.
        rule: an Artist's `direction`.
        tone: brightness of what is painted, float (H, W), any unit.

    Returns:
        float32 (H, W), radians.
    """
    height, width = tone.shape
    wander = draw_smooth_noise(rng, height, width, 3)
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


def find_edges(tone):
    """Find where brightness changes: float (H, W) in, share of the strongest change (H, W) out."""
    down, across = np.gradient(tone)
    change = np.hypot(down, across)
    return change / max(float(change.max()), 1e-6)


def draw_outlines(rng, artist, angles, centres, thick=1.0, long=1.0):
    """Draw the outlines of an artist's strokes at N positions.

    Args:
        rng: numpy.random.Generator.
        artist: Artist.
        angles: (H, W), the directions of strokes.
        centres: (N, 2) as x, y.
        thick, long: factors on the artist's width and length.

    Returns:
        Polygons (N, 10, 2) at SCALE.
    """
    count = len(centres)
    turned = np.pi / 2 * (rng.random(count) < 0.5) if artist.direction in CROSSING else 0.0
    tilt = read_at(angles, centres) + rng.normal(0, 0.12, count) + turned
    lengths = SCALE * long * artist.length * rng.uniform(0.65, 1.35, count)
    widths = SCALE * thick * artist.width * rng.uniform(0.75, 1.25, count)
    bends = rng.normal(0, artist.bend + 0.01, count)
    return outline_strokes(centres, tilt, lengths, widths, bends)


def count_strokes(artist, shape, cover, thick=1.0, long=1.0):
    """Count the strokes whose areas sum to `cover` times the area of a (H, W) surface."""
    stroke = SCALE**2 * thick * artist.width * long * artist.length
    return int(cover * shape[0] * shape[1] / stroke)


def lay_coat(rng, artist, surface, colours, angles, cover, thick=1.0, long=1.0, where=None):
    """Lay a coat of strokes, each of the colour under its middle.

    Args:
        rng: numpy.random.Generator.
        artist: Artist.
        surface: PIL RGBA picture, changed in place; its alpha band holds the height of the
            paint, random for each stroke.
        colours: (H, W, 3) in [0, 255].
        angles: (H, W), the directions of strokes.
        cover: times the surface is covered.
        thick, long: factors on the artist's width and length.
        where: chance in [0, 1] of a stroke at each pixel (H, W), or None for everywhere.
    """
    shape = colours.shape[:2]
    centres = scatter(rng, *shape, count_strokes(artist, shape, cover, thick, long))
    if where is not None:
        centres = centres[rng.random(len(centres)) < read_at(where, centres)]
    count = len(centres)
    hue = rng.normal(0, 0.4 * artist.jitter, (count, 3))
    inks = read_at(colours, centres) + rng.normal(0, artist.jitter, (count, 1)) + hue
    height = rng.integers(40, 256, (count, 1))
    bands = np.concatenate([np.clip(inks, 0, 255).astype(int), height], axis=1)
    strokes = draw_outlines(rng, artist, angles, centres, thick, long)
    lay_strokes(ImageDraw.Draw(surface), strokes, bands)


def draw_marks(rng, artist, shape, angles, cover, thick, long, where):
    """Draw strokes of one colour as a mask: the needle of an etcher, the knife of a woodcutter.

    Args:
        shape: (H, W).
        rng, artist, angles, cover, thick, long, where: as lay_coat takes them.

    Returns:
        bool (H, W), True under a stroke.
    """
    centres = scatter(rng, *shape, count_strokes(artist, shape, cover, thick, long))
    centres = centres[rng.random(len(centres)) < read_at(where, centres)]
    mask = Image.new("L", (shape[1], shape[0]))
    ones = np.full((len(centres), 1), 255)
    lay_strokes(
        ImageDraw.Draw(mask), draw_outlines(rng, artist, angles, centres, thick, long), ones
    )
    return np.asarray(mask) > 0


def blur(pixels, radius):
    """Blur a uint8 (H, W, 3) or float32-valued [0, 255] (H, W) array; radius in pixels."""
    picture = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
    return np.asarray(picture.filter(ImageFilter.BoxBlur(radius)), np.float32)


def stretch_tones(colours):
    """Stretch a picture's brightness to [0, 1] between its 2nd and 98th percentile."""
    grey = colours @ GREY
    low, high = np.percentile(grey[::4, ::4], (2, 98))
    return np.clip((grey - low) / max(high - low, 1.0), 0, 1)


def _new_surface(colour, shape):
    return Image.new("RGBA", (shape[1], shape[0]), (*(int(c) for c in colour), 0))


def oil(rng, artist, colours, angles):
    """Paint thickly on woven canvas: three coats, light on the ridges of the paint."""
    shape = colours.shape[:2]
    surface = _new_surface(colours.mean((0, 1)), shape)
    lay_coat(rng, artist, surface, colours, angles, cover=1.8, thick=1.8, long=1.4)
    lay_coat(rng, artist, surface, colours, angles, cover=1.7)
    rims = np.clip(4 * find_edges(colours @ GREY), 0, 1)
    lay_coat(rng, artist, surface, colours, angles, cover=1.8, thick=0.55, long=0.45, where=rims)
    painted = np.asarray(surface, np.float32)
    ridges = 0.16 * painted[..., 3] + 5.0 * draw_bristles(rng, angles)
    y, x = np.indices(shape, np.float32)
    weave = 3.0 * (np.sin(x * 1.3) + np.sin(y * 1.3))  # a thread every 5 painted pixels
    return painted[..., :3] + (light_relief(ridges) + weave)[..., None]


def watercolour(rng, artist, colours, angles):
    """Wash thin colour on rough paper: pale, bleeding, dark rims, white left at the margin."""
    shape = colours.shape[:2]
    thin = PAPER + 0.5 * (blur(colours, 6) - PAPER)
    wash = np.dstack([thin, np.zeros(shape)])  # wet in wet: no stroke is seen in it
    surface = Image.fromarray(np.clip(wash, 0, 255).astype(np.uint8))
    pale = PAPER + 0.66 * (colours - PAPER)
    lay_coat(rng, artist, surface, pale, angles, cover=0.8, thick=1.6)
    deep = PAPER + 0.9 * (colours - PAPER)
    rims = np.clip(4 * find_edges(colours @ GREY) + 0.2, 0, 1)
    lay_coat(rng, artist, surface, deep, angles, cover=1.6, thick=0.8, long=0.6, where=rims)
    washed = np.asarray(surface)
    rows, columns = np.indices(shape)
    bleed = [3.0 * draw_smooth_noise(rng, *shape, 28) for _ in range(2)]
    rows = np.clip(rows + bleed[0], 0, shape[0] - 1).astype(int)
    columns = np.clip(columns + bleed[1], 0, shape[1] - 1).astype(int)
    washed = washed[rows, columns]
    soft = blur(washed[..., :3], 1.5)
    rim = np.abs(washed[..., 3] - blur(washed[..., 3], 2))
    y, x = np.abs(np.linspace(-1, 1, shape[0]))[:, None], np.abs(np.linspace(-1, 1, shape[1]))
    margin = np.maximum(y, x) + 0.06 * draw_smooth_noise(rng, *shape, 14) > rng.uniform(0.9, 0.97)
    soft = np.where(margin[..., None], PAPER, soft - 0.18 * np.minimum(rim, 90)[..., None])
    grain = rng.standard_normal(shape, np.float32)
    return soft + 5.0 * grain[..., None] + 5.0 * draw_smooth_noise(rng, *shape, 90)[..., None]


def etching(rng, artist, colours, angles):
    """Bite lines into a plate: hatching that thickens with the dark, crossed in the deepest."""
    shape, dark = colours.shape[:2], 1 - stretch_tones(colours)
    needle = {"thick": 1.5 / (2 * artist.width), "long": 0.7}  # lines of 1.5 painted pixels
    lines = draw_marks(rng, artist, shape, angles, cover=0.7, where=dark**1.6, **needle)
    deep = np.clip(1.8 * dark - 0.8, 0, 1)
    lines |= draw_marks(rng, artist, shape, angles + 1.0, cover=0.6, where=deep, **needle)
    lines |= find_edges(dark) > 0.22
    margin = int(0.03 * max(shape))
    plate = np.zeros(shape, bool)
    plate[margin:-margin, margin:-margin] = True
    tint = PAPER * (0.97 - 0.05 * plate - 0.12 * (dark * plate))[..., None]  # ink left on the plate
    ink = INK + rng.uniform(0, 30) * np.array([1.0, 0.6, 0.3], np.float32)
    printed = np.where((lines & plate)[..., None], ink, tint)
    return printed + 3.0 * rng.standard_normal((*shape, 1), np.float32)


def woodcut(rng, artist, colours, angles):
    """Print two blocks: a tint of the artist's palette and a dark one with cuts left white."""
    shape, tone = colours.shape[:2], stretch_tones(colours)
    knife = {"thick": 0.45, "long": 0.9}
    cuts = draw_marks(
        rng, artist, shape, angles, cover=0.9, where=np.clip(2 * tone - 0.1, 0, 1), **knife
    )
    lights = draw_marks(rng, artist, shape, angles, cover=0.5, where=tone**2, **knife)
    chroma = np.ptp(colours, axis=2)
    vivid = colours[chroma >= np.percentile(chroma[::4, ::4], 60)]
    block = 0.35 * PAPER + 0.65 * vivid.mean(axis=0)
    shift = tuple(rng.integers(-3, 4, 2))  # the blocks never meet exactly
    tinted = np.roll((tone < 0.8) & ~lights, shift, axis=(0, 1))
    hue = np.where(tone[..., None] < 0.55, 0.6 * block + 0.4 * colours, block)
    uneven = 9.0 * draw_smooth_noise(rng, *shape, 40)[..., None]
    printed = np.where(tinted[..., None], hue + uneven, PAPER)
    rims = find_edges(tone) > 0.25
    dark = ((tone < 0.5) & ~cuts) | rims
    printed = np.where(dark[..., None], INK + 0.5 * uneven, printed)
    return printed + 4.0 * draw_bristles(rng, np.full(shape, 0.02, np.float32), 10)[..., None]


MEDIA = {
    "oil on canvas": oil,
    "watercolour on paper": watercolour,
    "etching": etching,
    "woodcut": woodcut,
}
