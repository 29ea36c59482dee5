"""Scores of pictures: spatial means, of every picture once."""

import keras
import numpy as np
import pytest

from models.errors import InputError
from visualization.activations import channel_scores

SIDE = 8


@pytest.fixture(scope="module")
def model():
    inputs = keras.Input((SIDE, SIDE, 3))
    x = keras.layers.Rescaling(1 / 255)(inputs)
    x = keras.layers.Conv2D(5, 3, activation="relu", name="maps")(x)
    return keras.Model(inputs, keras.layers.Flatten()(x))


def test_scores_are_means_over_space_of_every_picture(model):
    rng = np.random.default_rng(0)
    batches = [rng.integers(0, 256, (n, SIDE, SIDE, 3), dtype="uint8") for n in (3, 2)]
    maps = keras.Model(model.input, model.get_layer("maps").output)
    expected = np.asarray(maps(np.concatenate(batches).astype("float32"))).mean((1, 2))
    got = channel_scores(model, "maps", batches, SIDE)
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)


def test_pictures_of_another_size_or_none(model):
    with pytest.raises(InputError, match=r"\(1, 4, 4, 3\); accepted: \(N, 8, 8, 3\)"):
        channel_scores(model, "maps", [np.zeros((1, 4, 4, 3), "uint8")], SIDE)
    with pytest.raises(InputError, match="no pictures"):
        channel_scores(model, "maps", [], SIDE)
