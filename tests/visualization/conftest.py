"""Small networks and pictures in files, for the command deep_viz and what it computes."""

import keras
import numpy as np
import pytest
from PIL import Image

from models import network
from models.network import Network

layers = keras.layers
COLOURS = ["red", "green", "blue"]


def build_colour_network(size, activation="softmax", convolution=True):
    """Says whether red, green or blue is the strongest in the mean."""
    pixels = keras.Input((size, size, 3))
    x = layers.Rescaling(1 / 51)(pixels)
    if convolution:
        kernel = keras.initializers.Identity()
        x = layers.Dense(3, kernel_initializer=kernel)(x)
        x = layers.Conv2D(3, 1, activation="relu", name="conv")(x)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dense(3, kernel_initializer=keras.initializers.Identity())(x)
    model = keras.Model(pixels, layers.Activation(activation)(x))
    if convolution:
        model.get_layer("conv").set_weights([np.eye(3)[None, None], np.zeros(3)])
    return model


@pytest.fixture(scope="session")
def colour_network():
    return build_colour_network


def _save(model, path, classes=None):
    network.save(Network("colours", model, classes), path)


@pytest.fixture(scope="module")
def network_files(tmp_path_factory):
    """Networks in files: two classifiers of 8 and 12 pixels, one without convolution, a trunk."""
    folder = tmp_path_factory.mktemp("networks")
    _save(build_colour_network(8), folder / "small.keras", COLOURS)
    _save(build_colour_network(12), folder / "large.keras", COLOURS)
    _save(build_colour_network(8), folder / "nameless.keras")
    _save(build_colour_network(8, convolution=False), folder / "flat.keras", COLOURS)
    model = build_colour_network(8)
    trunk = keras.Model(model.inputs, model.get_layer("conv").output)
    _save(trunk, folder / "trunk.keras")
    pixels = keras.Input((8, 8, 3))
    mean = layers.GlobalAveragePooling2D()(pixels)
    _save(keras.Model(pixels, layers.Softmax()(mean)), folder / "weightless.keras", COLOURS)
    (folder / "names.txt").write_text("n01440764 tench, Tinca tinca\nn2 odd\nB, c\n")
    return folder


@pytest.fixture(scope="module")
def picture_folder(tmp_path_factory):
    """A blue picture 40 x 20 with a red spot, a green one, and one that is broken."""
    folder = tmp_path_factory.mktemp("pictures")
    blue = Image.new("RGB", (40, 20), (0, 0, 200))
    blue.paste((255, 0, 0), (0, 0, 10, 5))
    blue.save(folder / "blue.png")
    Image.new("RGB", (20, 20), (10, 250, 10)).save(folder / "green.png")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8 no picture")
    return folder
