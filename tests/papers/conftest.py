"""Tiny collections in the place of the small ones, and a tiny network in ResNet50's."""

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from models import network as networks
from papers.items import Cell
from papers.looks import Ascent, Look, Side
from papers.places import Place, read_weights
from papers.protocols import PROTOCOLS
from toy.artists import ARTISTS, MATERIALS
from toy.paintings import paint as paint_toy
from transfer.dataset import Data

ROOT = Path(__file__).parents[2]
LAYERS = ("low", "middle", "high")  # of save_tiny's networks
COLOURS = ((220, 120, 60), (60, 110, 210))
TOYS = 60  # pictures, half of them in each collection
TOY_ARTISTS, TOY_MATERIALS = (ARTISTS[0], ARTISTS[6]), (MATERIALS[0], MATERIALS[2])
# what a process of its own runs: the network in ResNet50's place, then the command
SCRIPT = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("tiny", sys.argv[1])
tiny = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tiny)
import keras
keras.applications.ResNet50 = tiny.tiny_resnet
from papers.__main__ import main
sys.exit(main(sys.argv[2:]))
"""


def tiny_resnet(input_tensor=None, include_top=True, classes=1000, input_shape=None, **_):
    """One convolution in ResNet50's place: what is tested here is the same for any network."""
    if input_tensor is None:
        input_tensor = keras.Input(input_shape)
    x = keras.layers.Conv2D(8, 3, 2, "same", use_bias=False, name="conv")(input_tensor)
    x = keras.layers.BatchNormalization(name="bn")(x)
    x = keras.layers.ReLU(name="relu")(x)
    if include_top:
        x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
        x = keras.layers.Dense(classes, "softmax", name="predictions")(x)
    return keras.Model(input_tensor, x, name="resnet50")


def paint(folder, header, rows):
    """Noisy pictures of two colours, by the first letter of their first label, and their CSV."""
    rng = np.random.default_rng(0)
    (folder / "images").mkdir(parents=True)
    lines = [f"ImageId,{header}"]
    for number, row in enumerate(rows):
        colour = COLOURS[row.startswith("warm")]
        pixels = rng.normal(colour, 25, (32, 32, 3)).clip(0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / "images" / f"{number:03}.png")
        lines.append(f"{number:03},{row}")
    (folder / "metadata.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture
def small(tmp_path):
    """Return a folder with shandong (A and B, 30 pictures each) and a weights file of ResNet50."""
    kinds = ("warm,clay", "cold,stone")
    rows = [f"{kinds[number % 2]},{'AB'[number // 30]}" for number in range(60)]
    paint(tmp_path / "small" / "shandong", "dc_type,dc_materiaal,collection", rows)
    keras.utils.set_random_seed(1)
    model = tiny_resnet(include_top=False, input_shape=(32, 32, 3))
    (tmp_path / "weights").mkdir()
    model.save_weights(tmp_path / "weights" / "resnet50_tiny.weights.h5")
    return tmp_path / "small"


@pytest.fixture
def toys(small):
    """Return `small` with pictures of the toy collection, of two artists in two materials."""
    shutil.rmtree(small / "shandong")
    for folder in ("shandong", "wikiart224"):
        (small / folder / "images").mkdir(parents=True)
    museum, artists = ["ImageId,dc_type,dc_materiaal,collection"], ["ImageId,artist"]
    for number in range(TOYS):
        # both materials are in every part of the splits that are drawn of these
        by, of = TOY_ARTISTS[number % 2], TOY_MATERIALS[number * 7 // 5 % 2]
        work = paint_toy(number, 0, by, of)
        for folder in ("shandong", "wikiart224"):
            picture = Image.fromarray(work.pixels).resize((32, 32))
            picture.save(small / folder / "images" / f"{number:03}.png")
        museum.append(f"{number:03},{work.type},{work.material},{'AB'[number * 2 // TOYS]}")
        artists.append(f"{number:03},{by.name}")
    for folder, rows in (("shandong", museum), ("wikiart224", artists)):
        (small / folder / "metadata.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return small


@pytest.fixture
def place(small, monkeypatch):
    """Return a Place of Sabatelli 2018 on the tiny collections, with ResNet50 alone."""
    monkeypatch.setattr(keras.applications, "ResNet50", tiny_resnet)
    paper, out = PROTOCOLS["sabatelli2018"], small.parent
    return Place(
        *(paper, out / "results", out / "datasets"),
        small=small,
        weights=read_weights([str(out / "weights")], paper.networks),
        input_size=32,
        epochs=2,
    )


@pytest.fixture
def command(small):
    """Return start(*words): the command in a process of its own, tiny; a Popen."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}

    def start(*words, out=small.parent):
        given = ["--small", small, "--weights", small.parent / "weights", "--input_size", 32]
        given += ["--epochs", 2]
        given += ["--results_path", out / "results", "--datasets_path", out / "datasets"]
        line = [sys.executable, "-c", SCRIPT, __file__, *map(str, (*words, *given))]
        return subprocess.Popen(
            line, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    return start


def save_tiny(path, seed, moved=0.0):
    """Three convolutions of four channels, at 16 pixels, as a `.keras` file."""
    keras.utils.set_random_seed(seed)
    x = pixels = keras.Input((16, 16, 3))
    x = keras.layers.Rescaling(1 / 255)(x)
    for name in LAYERS:
        x = keras.layers.Conv2D(4, 3, 2, "same", name=name)(x)
        x = keras.layers.ReLU()(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(pixels, keras.layers.Dense(2, "softmax", name="head")(x))
    kernel, bias = model.get_layer("low").get_weights()
    kernel[0, 0, 0, 0] += moved
    model.get_layer("low").set_weights([kernel, bias])
    found = networks.Network("tiny", model, ["cold", "warm"], "unit", 16)
    networks.save(found, path)
    return str(path)


@pytest.fixture(scope="session")
def cell(tmp_path_factory):
    """Return a Cell that looks at a tiny network, and at another in its place after training."""
    folder = tmp_path_factory.mktemp("looked")
    rows = [("warm", "cold")[number % 2] for number in range(80)]
    paint(folder / "toys", "kind", rows)
    data = Data("toys", "kind", folder, folder / "toys/metadata.csv", folder / "toys/images")
    sides = (
        Side("before", save_tiny(folder / "before.keras", 1)),
        Side("after", save_tiny(folder / "after.keras", 4)),
    )
    look = Look(sides, data, folder / "kept", 16, Ascent(1, 16))
    return Cell({"networks": "before and after"}, (), (), on="toys", looks=(look,))


def ask(cell, keys, columns):
    return [replace(cell, keys=keys, columns=columns)]
