"""Invented JPEG pictures of the size of a museum's photographs, and stores made of them."""

import numpy as np
import pandas
from PIL import Image, ImageDraw

from benchmarks import compare
from transfer import store as stores

LONG = 1500  # pixels: the side that the pipeline's bounds are stated for
SHORT = (1125, 1500)  # from 4:3 to square, so that every one decodes to 224 at a quarter
QUALITY = (85, 90)  # with FINE_NOISE: 300 to 600 kB, as a museum's web pictures of this size have
FINE_NOISE = 4.0  # standard deviation of a pixel, of 255: canvas and grain
SHAPES = 40
CLASSES = 10


def photograph(seed, width, height):
    """Draw one picture: light and colour changing smoothly, edges, grain; uint8 (H, W, 3) RGB."""
    rng = np.random.default_rng(seed)
    picture = Image.fromarray(rng.integers(40, 216, (3, 4, 3), np.uint8))
    picture = picture.resize((width, height), Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(picture)
    for _ in range(SHAPES):
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        side = rng.uniform(0.02, 0.25) * width
        corners = rng.uniform(-side, side, (5, 2)) + (x, y)
        colour = tuple(int(value) for value in rng.integers(20, 236, 3))
        draw.polygon([tuple(corner) for corner in corners], fill=colour)
    pixels = np.asarray(picture, np.float32)
    # one grain for the three channels: a camera's JPEG has little noise of colour
    grain = FINE_NOISE * rng.standard_normal((height, width, 1), np.float32)
    return np.clip(pixels + grain, 0, 255).astype(np.uint8)


def write_files(folder, count, long=LONG, short=SHORT):
    """Save `count` JPEG pictures `long` pixels wide; returns their names."""
    compare.say(f"drawing {count} pictures {long} pixels wide")
    folder.mkdir()
    names = []
    for number in range(count):
        rng = np.random.default_rng([number, 1])
        pixels = photograph(number, long, int(rng.integers(*short, endpoint=True)))
        quality = int(rng.integers(*QUALITY, endpoint=True))
        names.append(f"{number}.jpg")
        Image.fromarray(pixels).save(folder / names[-1], quality=quality)
    return names


def write_store(folder, pictures, names, counts):
    """Write the six HDF5 files into a new folder; files are used again where there are too few.

    Args:
        folder: to make.
        pictures: folder of the files `names`.
        counts: dict split -> number of pictures, each at least 1.

    Returns:
        transfer.store.Store.
    """
    rows = [
        dict(
            id=f"{split}-{i}",
            label=f"class {i % CLASSES}",
            split=split,
            path=names[i % len(names)],
        )
        for split, count in counts.items()
        for i in range(count)
    ]
    compare.say(f"writing a store of {len(rows)} pictures")
    folder.mkdir(parents=True)
    stores.write(pandas.DataFrame(rows), pictures, folder)
    return stores.Store(folder)


def kilobytes(folder):
    """The sizes of the files in a folder as text: mean, least and most in kB."""
    sizes = [path.stat().st_size / 1000 for path in folder.iterdir()]
    return f"{np.mean(sizes):.0f} kB a file ({min(sizes):.0f} to {max(sizes):.0f})"
