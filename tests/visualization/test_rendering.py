"""What the command computes from its flags: channels, batch, spectrum."""

import keras
import numpy as np
import pytest
from PIL import Image

from models import backend
from models.errors import InputError
from transfer.pictures import read_all
from visualization import render, rendering
from visualization.optvis import maco

SIDE = 16
MAP = SIDE * SIDE * 4  # numbers that a layer of `convolutions` gives for one image


def convolutions(pixels, count):
    for number in range(count):
        conv = keras.layers.Conv2D(4, 1, padding="same", use_bias=False, name=f"conv{number}")
        pixels = conv(pixels)
    return pixels


@pytest.fixture
def job(tmp_path):
    """Return job(model, layer, *flags): what the command makes of a model of one's own."""

    def made(model, layer, *flags):
        model.save(tmp_path / "own.keras")
        words = ["--layer", layer, "--channels", "all", "--size", str(SIDE), "--out", "out"]
        return rendering.job(
            render.flags().parse_args([str(tmp_path / "own.keras"), *words, *flags])
        )

    return made


@pytest.fixture
def free(monkeypatch):
    """Return free(bytes): set the memory that a processor has left."""
    monkeypatch.setattr(backend, "device_name", lambda: "CPU")
    return lambda count: monkeypatch.setattr(backend, "free_memory", lambda: count)


def test_numbers():
    assert rendering.numbers("52, 60-63,61") == [52, 60, 61, 62, 63]
    for text in ("a", "1-", "-1", "1,,2", "5-4", "0-999999999"):
        with pytest.raises(InputError, match="--channels"):
            rendering.numbers(text)


def test_memory_counts_the_layers_of_networks_inside(job, free):
    pixels = keras.Input((SIDE, SIDE, 3))
    flat = keras.Model(pixels, keras.layers.ReLU(name="end")(convolutions(pixels, 7)))
    inner = keras.Input((SIDE, SIDE, 3))
    inside = keras.Model(inner, convolutions(inner, 7), name="inside")
    nested = keras.Model(pixels, keras.layers.ReLU(name="end")(inside(pixels)))
    pixels_too = 8 * MAP + 2 * SIDE * SIDE * 3  # the inner network has an input of its own
    images = pixels_too * rendering.COPIES * 4  # bytes of one
    weights = flat.count_params() * rendering.NETWORKS * 4
    for count, holds in ((2, 2), (4, 4), (3, 2), (0.1, 1)):
        free((count * images + weights) / rendering.SHARE)
        assert job(flat, "end").batch == holds
        assert job(nested, "end").batch == holds


def test_memory_counts_the_weights_of_both_networks(job, free):
    pixels = keras.Input((SIDE, SIDE, 3))
    wide = keras.layers.Conv2D(4, 31, padding="same", use_bias=False, name="wide")
    model = keras.Model(pixels, wide(pixels))
    weights = 4 * 31 * 31 * 3 * 4  # bytes
    images = 2 * (MAP + SIDE * SIDE * 3) * rendering.COPIES * 4
    free((2 * weights + images) / rendering.SHARE)
    assert job(model, "wide").batch == 2
    free((weights + images) / rendering.SHARE)
    assert job(model, "wide").batch == 1
    assert job(model, "wide", "--dtype", "bfloat16").batch == 2


def test_spectrum_of_the_pictures_content(job, tmp_path):
    pixels = keras.Input((SIDE, SIDE, 3))
    model = keras.Model(pixels, convolutions(pixels, 1))
    noise = np.random.default_rng(0).integers(0, 256, (2, 40, 30, 3), "uint8")
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    for number, picture in enumerate(noise):
        Image.fromarray(picture).save(tmp_path / "a" / f"{number}.png")
        Image.fromarray(picture).save(tmp_path / "b" / f"{1 - number}.png")
    maco_of = ("conv0", "--param", "maco", "--spectrum")
    first, second = (job(model, *maco_of, str(tmp_path / folder)) for folder in "ab")
    assert first.identity == second.identity and first.identity["spectrum_sha256"]
    # brightness is not lost where a resized picture's pixels are no whole numbers
    files = sorted((tmp_path / "a").iterdir())
    exact = maco.magnitude([array / 255 for _, array in read_all(files, SIDE)], SIDE)
    np.testing.assert_allclose(first.spectrum, exact, rtol=1e-5, atol=1e-5)
    Image.fromarray(noise[0] // 2).save(tmp_path / "a" / "0.png")
    assert job(model, *maco_of, str(tmp_path / "a")).identity != first.identity


@keras.saving.register_keras_serializable("test_rendering")
class Subclassed(keras.Model):
    """A network without a graph of layers."""

    def build(self, shape):
        self.built = True

    def call(self, inputs):
        return inputs * 2

    def compute_output_shape(self, shape):
        return shape


def test_memory_of_what_has_no_layers_to_count(job, free):
    """The input itself, and a network inside that is no graph."""
    pixels = keras.Input((SIDE, SIDE, 3), name="pixels")
    model = keras.Model(pixels, convolutions(pixels, 1))
    free(2 * SIDE * SIDE * 3 * rendering.COPIES * 4 / rendering.SHARE)
    assert job(model, "pixels").batch == 2
    doubled = keras.Model(pixels, Subclassed(name="doubled")(pixels))
    assert job(doubled, "doubled").batch == 1
