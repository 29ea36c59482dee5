"""The peers of benchmarks.saliency by hand, and its whole run on small networks."""

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose

from benchmarks import saliency
from visualization.saliency.methods import METHODS

layers = keras.layers
ON_TENSORFLOW = keras.backend.backend() == "tensorflow"


def test_all_ones_windows_of_three_with_stride_two():
    mask = np.array([[1.0, 2.0], [4.0, 8.0]], np.float32)[None, ..., None]
    # "same" padding of a stride of 2 cuts one row and column at the end
    wide = np.array([[1, 1, 3, 2], [1, 1, 3, 2], [5, 5, 15, 10], [4, 4, 12, 8]])
    assert_allclose(saliency.enlarged(mask)[0, ..., 0], wide)


def test_the_released_way_is_our_released_form():
    keras.utils.set_random_seed(0)
    pixels = keras.Input((16, 16, 3))
    x = layers.Conv2D(4, 3, padding="same", activation="relu")(pixels)
    x = layers.MaxPooling2D()(layers.Conv2D(5, 3, padding="same", activation="relu")(x))
    x = layers.MaxPooling2D()(layers.Conv2D(6, 3, padding="same", activation="relu")(x))
    model = keras.Model(pixels, layers.Conv2D(6, 3, padding="same", activation="relu")(x))
    pictures = np.random.default_rng(0).uniform(0, 255, (3, 16, 16, 3)).astype(np.float32)
    ours = METHODS["visual_backprop"](model, form="released")(pictures)
    assert_allclose(saliency.released_way(model)(pictures), ours, atol=1e-5)


@pytest.mark.skipif(not ON_TENSORFLOW, reason="the peers are tf.functions")
def test_bare_gradient_is_the_methods():
    keras.utils.set_random_seed(0)
    pixels = keras.Input((6, 6, 3))
    x = layers.Flatten()(layers.Conv2D(4, 3, activation="tanh")(pixels / 255))
    model = keras.Model(pixels, layers.Dense(3, activation="softmax")(x))
    pictures = np.random.default_rng(0).uniform(0, 255, (2, 6, 6, 3)).astype(np.float32)
    masks = METHODS["saliency"](model)(pictures)
    bare = np.abs(saliency.bare_gradient(model)(pictures)).max(axis=-1)
    assert_allclose(bare, masks, rtol=1e-4, atol=1e-9)


@pytest.mark.slow
def test_a_smoke_run_prints_every_claim(capsys):
    code = saliency.main(["--quick"])
    if not ON_TENSORFLOW:
        assert code == 2
        return
    assert code == 0
    printed = capsys.readouterr().out
    assert printed.count("visual_backprop over") == 2 and printed.count("over bare gradients") == 5
    assert printed.count("\nquick: ") == 9
