"""The randomisation test on networks where its result is known."""

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import models
from models.errors import InputError
from visualization.saliency.gradient import gradient
from visualization.saliency.methods import METHODS
from visualization.saliency.randomisation import randomisation, rank_correlations

layers = keras.layers


def network():
    """1x1 convolutions: no order comes from the borders, which larger ones see less often."""
    keras.utils.set_random_seed(0)
    x = inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 1, activation="tanh", name="first")(x / 255.0)
    x = layers.Conv2D(4, 1, activation="tanh", name="second")(x)
    return keras.Model(inputs, layers.Dense(2, name="head")(layers.Flatten()(x)))


def pictures():
    return np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3), dtype=np.uint8)


def test_rank_correlation():
    mask = np.arange(6.0).reshape(1, 2, 3)
    both = np.concatenate([mask, mask, mask, mask])
    others = np.concatenate([mask**3, -mask, mask * 0, mask])
    others[3, 0] = [1, 0, 2]  # squared rank differences 1 + 1: 1 - 6 * 2 / (6 * 35)
    assert_allclose(rank_correlations(both, others), [1, -1, np.nan, 1 - 12 / 210])


def test_gradients_lose_their_order_and_the_network_stays():
    model = network()
    before = model.get_weights()
    found = randomisation(model, gradient, pictures(), stages=3)
    assert found.layers == ("", "head", "second", "first")
    assert_allclose(found.correlations[0], 1)
    assert found.correlations.shape == (4, 3)
    assert np.abs(found.correlations[-1]).mean() < 0.4
    for old, new in zip(before, model.get_weights(), strict=True):
        assert_array_equal(old, new)
    again = randomisation(model, gradient, pictures(), stages=1)
    assert again.layers == ("", "first")
    assert_allclose(again.correlations[-1], found.correlations[-1], atol=1e-6)


def test_a_mask_that_ignores_the_network_stays():
    found = randomisation(network(), lambda _: lambda x, _: x.mean(-1), pictures(), stages=2)
    assert_allclose(found.correlations, 1)


def outputs_kept(kept):
    """A method whose masks are the pictures; the network's outputs go into a list."""

    def method(network):
        def masks(pictures, targets):
            kept.append(np.asarray(network(pictures)))
            return pictures.mean(-1)

        return masks

    return method


def test_measured_scales_of_pixels_are_the_networks_own_and_stay():
    """Normalization, in EfficientNet, uses what it made of its weights when they were set."""
    x = inputs = keras.Input((8, 8, 3))
    inner = keras.Sequential([keras.Input((8, 8, 3)), layers.Normalization(name="inside")])
    x = inner(layers.Normalization(name="scales")(x))
    x = layers.Conv2D(2, 1, name="conv")(x)
    model = keras.Model(inputs, layers.GlobalAveragePooling2D()(x))
    for layer in (model.get_layer("scales"), inner.get_layer("inside")):
        layer.set_weights([np.full(3, 100.0), np.full(3, 2500.0), np.array(0)])
        layer.finalize_state()
    kept = []
    found = randomisation(model, outputs_kept(kept), pictures(), targets=0, stages=9)
    assert found.layers == ("", "conv")
    assert_allclose(kept[0], np.asarray(model(pictures())), rtol=1e-5)


def test_bad_input():
    inputs = keras.Input((8, 8, 3))
    model = keras.Model(inputs, layers.Flatten()(inputs), name="bare")
    with pytest.raises(InputError, match="bare has no weights"):
        randomisation(model, gradient, pictures())
    with pytest.raises(InputError, match="stages 0"):
        randomisation(network(), gradient, pictures(), stages=0)


@pytest.mark.slow
def test_googlenet(shared):
    """Real weights: gradients and Grad-CAM forget the painting's map, the first stage does not."""
    spec = f"GoogLeNet:{shared / 'weights' / 'bvlc_googlenet.caffemodel'}"
    x = np.load(shared / "oracle" / "googlenet_opencv.npz")["images_rgb_uint8"][3:7]
    loaded = models.load(spec)
    for name, least in [("saliency", 0.4), ("grad_cam", 0.3)]:
        found = randomisation(loaded, METHODS[name], x, stages=6).correlations.mean(1)
        assert found[0] == pytest.approx(1)
        assert found[-1] < least
