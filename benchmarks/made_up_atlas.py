"""An invented atlas of any size: pictures, images, top sets; the same for the same seed."""

import functools
import itertools
from dataclasses import dataclass

import numpy as np
from PIL import Image

from benchmarks import photographs
from transfer.pictures import jpeg
from visualization.atlas import Atlas, Channel, Layer, Picture, Side

STYLES = (
    *("Abstract_Expressionism", "Baroque", "Cubism", "Expressionism", "Impressionism"),
    *("Realism", "Rococo", "Romanticism", "Surrealism", "Ukiyo_e"),
)
IMAGES = 60  # different optimized images, which take turns
IMAGE_SIDE = 224  # pixels: those of the paper
LONG, SHORT = 320, (160, 320)  # pixels of a picture's sides
MAP = 14  # places of a patch in a row
DEAD_IN = 97  # of so many channels one is dead after training


@dataclass(frozen=True)
class Sizes:
    """How large: layers, channels of all layers together, pictures, pictures of a full top set."""

    layers: int = 57  # convolutions of GoogLeNet
    channels: int = 6000
    pictures: int = 5000
    k: int = 100
    with_images: bool = True


def made_up_atlas(folder, sizes, seed=0):
    """Invent an atlas; its pictures are written into a folder.

    Args:
        folder: to make, for the pictures.
        sizes: Sizes.
        seed: of everything.

    Returns:
        visualization.atlas.Atlas; its layers are a generator.
    """
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, len(STYLES), sizes.pictures)
    pictures = tuple(
        Picture(path, STYLES[label], f"Study no. {number}")
        for number, (path, label) in enumerate(
            zip(paintings(folder, sizes.pictures, seed), labels, strict=True)
        )
    )
    counts = np.diff(np.linspace(0, sizes.channels, sizes.layers + 1).astype(int))
    layers = (
        Layer(name, {"CKA": 1 - 0.6 * depth, "kernel distance": depth}, channels)
        for name, depth, channels in _layers(counts, labels, sizes, rng)
    )
    chance = {"overlap": f"{sizes.k / sizes.pictures:.1%}", "entropy": "0.97 (0.94 to 0.99)"}
    notes = ("Everything here is made up, to try the page.",)
    return Atlas(
        title="Made-up atlas",
        before="ImageNet",
        after="fine-tuned",
        classes=STYLES,
        pictures=pictures,
        layers=layers,
        k=sizes.k,
        chance=chance,
        notes=notes,
    )


def paintings(folder, count, seed=0):
    """Write invented pictures, JPEG, of several proportions; yields their paths."""
    folder.mkdir()
    rng = np.random.default_rng([seed, 1])
    for number in range(count):
        width, height = LONG, int(rng.integers(*SHORT, endpoint=True))
        pixels = photographs.photograph(number, width, height)
        picture = Image.fromarray(pixels if number % 2 else pixels.swapaxes(0, 1))
        path = folder / f"{number}.jpg"
        path.write_bytes(jpeg(picture, 85))
        yield path


def _layers(counts, labels, sizes, rng):
    """Yield (name, depth from 0 to 1, generator of Channels) of every layer."""
    for number, count in enumerate(counts):
        depth = number / max(1, len(counts) - 1)
        name = f"mixed{3 + number // 20}{'abcdefghij'[number // 2 % 10]}_{1 + 2 * (number % 2)}x1"
        name = f"{name}_{number}"
        yield name, depth, (_channel(i, depth, labels, sizes, rng) for i in range(count))


def _channel(number, depth, labels, sizes, rng):
    """A channel that training changes the more, the deeper it is."""
    k = min(sizes.k, sizes.pictures)
    before = _picked(labels, None, k, rng)
    style = int(rng.integers(len(STYLES)))
    kept = int(rng.uniform(0.2, 1) * (1 - depth) * k)
    dead = number % DEAD_IN == DEAD_IN - 1
    fresh = _picked(labels, style if rng.random() < depth else None, k, rng)
    after = np.concatenate([before[:kept], fresh[~np.isin(fresh, before[:kept])]])[:k]
    after = after[:0] if dead else after
    return Channel(
        number=number,
        before=_side(before, labels, sizes, rng),
        after=_side(after, labels, sizes, rng),
        overlap=None if dead else len(np.intersect1d(before, after)) / k,
        change=float("nan") if dead else float(rng.uniform(0, depth + 0.1)),
        entropy_before=_entropy(before, labels),
        entropy_after=_entropy(after, labels),
        dead="after" if dead else "",
    )


def _picked(labels, style, k, rng):
    """So many pictures, each once; most of a style where one is given."""
    weights = np.where(labels == style, 30.0, 1.0) if style is not None else np.ones(len(labels))
    # the k greatest of these are a draw by weight without replacement (Efraimidis, Spirakis 2006)
    keys = rng.exponential(size=len(labels)) / weights
    return np.argpartition(keys, k - 1)[:k] if k < len(labels) else np.argsort(keys)


def _shares(pictures, labels):
    counts = np.bincount(labels[pictures], minlength=len(STYLES))
    return counts / max(1, counts.sum())


def _entropy(pictures, labels):
    shares = _shares(pictures, labels)
    shares = shares[shares > 0]
    return float(-(shares * np.log2(shares)).sum() / np.log2(len(STYLES))) if len(shares) else None


def _side(pictures, labels, sizes, rng):
    shares = _shares(pictures, labels)
    commonest = [int(number) for number in np.argsort(-shares, kind="stable") if shares[number]]
    side = rng.uniform(0.1, 0.6)
    corners = rng.integers(0, MAP, (len(pictures), 2)) / MAP
    image = optimized_images()[int(rng.integers(IMAGES))] if sizes.with_images else None
    return Side(
        pictures=pictures,
        scores=np.sort(rng.gamma(4, 2, len(pictures)))[::-1],
        boxes=np.concatenate([corners, np.full_like(corners, side)], axis=1),
        whole=np.full(len(pictures), side > 0.5),
        shares=tuple((number, float(shares[number])) for number in commonest[:5]),
        image=image,
        numbers={"score of the image": float(rng.gamma(4, 4)), "path similarity": rng.random()},
    )


@functools.cache
def optimized_images():
    """Bytes of IMAGES picture files: noise whose spectrum falls with frequency, strongly coloured.

    The spectrum, 1/f, is that of Lucid's images at their start.
    """
    rng = np.random.default_rng(0)
    frequencies = np.hypot(np.fft.fftfreq(IMAGE_SIDE)[:, None], np.fft.rfftfreq(IMAGE_SIDE))
    scale = 1 / np.maximum(frequencies, 1 / IMAGE_SIDE)
    files = []
    for _ in itertools.repeat(None, IMAGES):
        noise = rng.standard_normal((2, 3, *scale.shape))
        pixels = np.fft.irfft2((noise[0] + 1j * noise[1]) * scale, (IMAGE_SIDE, IMAGE_SIDE))
        pixels = 1 / (1 + np.exp(-2 * pixels / pixels.std()))
        image = Image.fromarray(np.uint8(255 * pixels.transpose(1, 2, 0)))
        files.append(jpeg(image, 95))
    return files
