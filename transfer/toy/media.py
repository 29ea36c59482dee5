"""The four materials: a plan's colours, painted or printed by an artist's hand.

Every material is a function (rng, artist, colours, angles) of the wanted colours, float32
(H, W, 3) in [0, 255], and the stroke directions (H, W); it returns float32 (H, W, 3), RGB.
"""

import numpy as np
from PIL import Image

from transfer.toy.brushes import bristles, relief_light, smooth_noise
from transfer.toy.hands import coat, edges, marks, softened

GREY = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601 luma
PAPER = np.array([243, 238, 224], np.float32)
INK = np.array([38, 32, 30], np.float32)


def tones(colours):
    """Brightness of a picture stretched to [0, 1] between its 2nd and 98th percentile."""
    grey = colours @ GREY
    low, high = np.percentile(grey[::4, ::4], (2, 98))
    return np.clip((grey - low) / max(high - low, 1.0), 0, 1)


def _surface(colour, shape):
    return Image.new("RGBA", (shape[1], shape[0]), (*(int(c) for c in colour), 0))


def oil(rng, artist, colours, angles):
    """Paint thickly on woven canvas: three coats, light on the ridges of the paint."""
    shape = colours.shape[:2]
    surface = _surface(colours.mean((0, 1)), shape)
    coat(rng, artist, surface, colours, angles, cover=1.8, thick=1.8, long=1.4)
    coat(rng, artist, surface, colours, angles, cover=1.7)
    rims = np.clip(4 * edges(colours @ GREY), 0, 1)
    coat(rng, artist, surface, colours, angles, cover=1.8, thick=0.55, long=0.45, where=rims)
    painted = np.asarray(surface, np.float32)
    ridges = 0.16 * painted[..., 3] + 5.0 * bristles(rng, angles)
    y, x = np.indices(shape, np.float32)
    weave = 3.0 * (np.sin(x * 1.3) + np.sin(y * 1.3))  # a thread every 5 painted pixels
    return painted[..., :3] + (relief_light(ridges) + weave)[..., None]


def watercolour(rng, artist, colours, angles):
    """Wash thin colour on rough paper: pale, bleeding, dark rims, white left at the margin."""
    shape = colours.shape[:2]
    thin = PAPER + 0.5 * (softened(colours, 6) - PAPER)
    wash = np.dstack([thin, np.zeros(shape)])  # wet in wet: no stroke is seen in it
    surface = Image.fromarray(np.clip(wash, 0, 255).astype(np.uint8))
    pale = PAPER + 0.66 * (colours - PAPER)
    coat(rng, artist, surface, pale, angles, cover=0.8, thick=1.6)
    deep = PAPER + 0.9 * (colours - PAPER)
    rims = np.clip(4 * edges(colours @ GREY) + 0.2, 0, 1)
    coat(rng, artist, surface, deep, angles, cover=1.6, thick=0.8, long=0.6, where=rims)
    washed = np.asarray(surface)
    rows, columns = np.indices(shape)
    bleed = [3.0 * smooth_noise(rng, *shape, 28) for _ in range(2)]
    rows = np.clip(rows + bleed[0], 0, shape[0] - 1).astype(int)
    columns = np.clip(columns + bleed[1], 0, shape[1] - 1).astype(int)
    washed = washed[rows, columns]
    soft = softened(washed[..., :3], 1.5)
    rim = np.abs(washed[..., 3] - softened(washed[..., 3], 2))
    y, x = np.abs(np.linspace(-1, 1, shape[0]))[:, None], np.abs(np.linspace(-1, 1, shape[1]))
    margin = np.maximum(y, x) + 0.06 * smooth_noise(rng, *shape, 14) > rng.uniform(0.9, 0.97)
    soft = np.where(margin[..., None], PAPER, soft - 0.18 * np.minimum(rim, 90)[..., None])
    grain = rng.standard_normal(shape, np.float32)
    return soft + 5.0 * grain[..., None] + 5.0 * smooth_noise(rng, *shape, 90)[..., None]


def etching(rng, artist, colours, angles):
    """Bite lines into a plate: hatching that thickens with the dark, crossed in the deepest."""
    shape, dark = colours.shape[:2], 1 - tones(colours)
    needle = {"thick": 1.5 / (2 * artist.width), "long": 0.7}  # lines of 1.5 painted pixels
    lines = marks(rng, artist, shape, angles, cover=0.7, where=dark**1.6, **needle)
    deep = np.clip(1.8 * dark - 0.8, 0, 1)
    lines |= marks(rng, artist, shape, angles + 1.0, cover=0.6, where=deep, **needle)
    lines |= edges(dark) > 0.22
    margin = int(0.03 * max(shape))
    plate = np.zeros(shape, bool)
    plate[margin:-margin, margin:-margin] = True
    tint = PAPER * (0.97 - 0.05 * plate - 0.12 * (dark * plate))[..., None]  # ink left on the plate
    ink = INK + rng.uniform(0, 30) * np.array([1.0, 0.6, 0.3], np.float32)
    printed = np.where((lines & plate)[..., None], ink, tint)
    return printed + 3.0 * rng.standard_normal((*shape, 1), np.float32)


def woodcut(rng, artist, colours, angles):
    """Print two blocks: a tint of the artist's palette and a dark one with cuts left white."""
    shape, tone = colours.shape[:2], tones(colours)
    knife = {"thick": 0.45, "long": 0.9}
    cuts = marks(
        rng, artist, shape, angles, cover=0.9, where=np.clip(2 * tone - 0.1, 0, 1), **knife
    )
    lights = marks(rng, artist, shape, angles, cover=0.5, where=tone**2, **knife)
    chroma = np.ptp(colours, axis=2)
    vivid = colours[chroma >= np.percentile(chroma[::4, ::4], 60)]
    block = 0.35 * PAPER + 0.65 * vivid.mean(axis=0)
    shift = tuple(rng.integers(-3, 4, 2))  # the blocks never meet exactly
    tinted = np.roll((tone < 0.8) & ~lights, shift, axis=(0, 1))
    hue = np.where(tone[..., None] < 0.55, 0.6 * block + 0.4 * colours, block)
    uneven = 9.0 * smooth_noise(rng, *shape, 40)[..., None]
    printed = np.where(tinted[..., None], hue + uneven, PAPER)
    rims = edges(tone) > 0.25
    dark = ((tone < 0.5) & ~cuts) | rims
    printed = np.where(dark[..., None], INK + 0.5 * uneven, printed)
    return printed + 4.0 * bristles(rng, np.full(shape, 0.02, np.float32), 10)[..., None]


MEDIA = {
    "oil on canvas": oil,
    "watercolour on paper": watercolour,
    "etching": etching,
    "woodcut": woodcut,
}
