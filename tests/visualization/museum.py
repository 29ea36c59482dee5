"""A small collection and small networks, for the tests of comparisons: a second for a whole one."""

import csv

import keras
import numpy as np
from PIL import Image

from visualization import compare

SIDE = 16  # pixels
STYLES = ("Cubism", "Rococo", "Ukiyo-e")
PARTS = ("train",) * 6 + ("val", "test", "test", "test")


def paint(folder, count=60, styles=STYLES):
    """Noisy pictures, a colour for each style, and a CSV with style, part, artist and title."""
    random = np.random.default_rng(0)
    (folder / "jpg").mkdir(parents=True)
    with open(folder / "table.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["ImageId", "style", "split", "artist", "title"])
        for number in range(count):
            style = number % len(styles)
            colour = np.array([60, 60, 60]) + 140 * (np.arange(3) == style)
            pixels = random.normal(colour, 40, (20, 24, 3)).clip(0, 255).astype("uint8")
            name = f"work{number:03d}"
            Image.fromarray(pixels).save(folder / "jpg" / f"{name}.png")
            part = PARTS[number // len(styles) % len(PARTS)]
            writer.writerow([name, styles[style], part, f"painter {number % 4}", f"no. {number}"])
    return folder


def network(seed=0, names=("first", "left", "right", "joined"), size=SIDE, change=0.0):
    """Convolutions, two of them beside each other and joined; weights change by noise."""
    first, left, right, joined = names
    keras.utils.set_random_seed(seed)
    layers = keras.layers
    pixels = keras.Input((size, size, 3))
    x = layers.Rescaling(1 / 128, -1)(pixels)
    x = layers.Conv2D(6, 3, use_bias=False, name=first)(x)
    x = layers.ReLU(name="relu")(layers.BatchNormalization(name="norm")(x))
    branches = [
        layers.Conv2D(4, 1, activation="relu", name=left)(x),
        layers.Conv2D(5, 3, padding="same", activation="relu", name=right)(x),
    ]
    x = layers.Concatenate(name=joined)(branches)
    x = layers.GlobalAveragePooling2D()(x)
    model = keras.Model(pixels, layers.Dense(3, activation="softmax", name="head")(x))
    random = np.random.default_rng(seed)
    for weight in model.trainable_weights if change else ():
        weight.assign(weight + change * random.normal(size=weight.shape))
    return model


def save_networks(folder):
    """before.keras, after.keras and third.keras, which differ by noise, and others."""
    folder.mkdir(exist_ok=True)
    network().save(folder / "before.keras")
    network(change=0.2).save(folder / "after.keras")
    network(change=0.3).save(folder / "third.keras")
    network(names=("eins", "links", "rechts", "verbunden"), change=0.2).save(folder / "other.keras")
    network(size=2 * SIDE).save(folder / "large.keras")
    return folder


def words(museum, networks, out, *more, after="after"):
    """The command's words, for the collection and two of the networks."""
    return [
        str(networks / "before.keras"),
        str(networks / f"{after}.keras"),
        *("--images", str(museum / "jpg"), "--labels", str(museum / "table.csv")),
        *("--column", "style", "--split", "column=split", "--near_duplicates", "ignore"),
        *("--dataset_name", "museum", "--out", str(out), "--k", "5", "12"),
        *map(str, more),
    ]


def run(*given, **named):
    """Run the command; its exit code."""
    return compare.main(words(*given, **named))
