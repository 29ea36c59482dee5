"""Scores of pictures: spatial means, of every picture once."""

import keras
import numpy as np
import pytest
from PIL import Image

from models.errors import InputError
from transfer import inference
from visualization.activations import best_pictures, channel_scorer

SIDE = 8


@pytest.fixture(scope="module")
def model():
    inputs = keras.Input((SIDE, SIDE, 3))
    x = keras.layers.Rescaling(1 / 255)(inputs)
    x = keras.layers.Conv2D(5, 3, activation="relu", name="maps")(x)
    return keras.Model(inputs, keras.layers.Flatten()(x))


def test_scores_are_means_over_space_of_every_picture(model):
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (5, SIDE, SIDE, 3), dtype="uint8")
    maps = keras.Model(model.input, model.get_layer("maps").output)
    expected = np.asarray(maps(pictures.astype("float32"))).mean((1, 2))

    def batches(first):
        yield np.arange(3), pictures[:3]
        yield np.arange(3, 5), pictures[3:]

    got = inference.collect(channel_scorer(model, "maps", SIDE), batches)
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)


def test_pictures_of_another_size_or_none(model):
    with pytest.raises(InputError, match=r"\(1, 4, 4, 3\); accepted: \(N, 8, 8, 3\)"):
        channel_scorer(model, "maps", SIDE)(np.zeros((1, 4, 4, 3), "uint8"))
    with pytest.raises(InputError, match="no pictures"):
        best_pictures(model, "maps", [0], [], SIDE)


def test_best_picture_of_every_channel_past_one_that_cannot_be_read(model, tmp_path):
    rng = np.random.default_rng(1)
    pictures = rng.integers(0, 256, (10, SIDE, SIDE, 3), dtype="uint8")
    files = [tmp_path / f"{number}.png" for number in range(11)]
    files[4].write_bytes(b"no picture")
    for file, picture in zip(files[:4] + files[5:], pictures, strict=True):
        Image.fromarray(picture).save(file)
    scores, said = channel_scorer(model, "maps", SIDE)(pictures), []
    best = best_pictures(model, "maps", [3, 0], files, SIDE, say=said.append)
    assert list(best) == [3, 0] and len(said) == 1 and "4.png" in said[0]
    for channel, picture in best.items():
        assert picture.score == pytest.approx(scores[:, channel].max(), rel=1e-5)
        row = int(scores[:, channel].argmax())
        assert picture.file == str((files[:4] + files[5:])[row])
