"""Both checks together, on a network whose answer is known."""

import keras
import numpy as np
from numpy.testing import assert_allclose

from models.network import Network
from visualization import checks, views

layers = keras.layers


def network(top):
    """Looks at the red of the left half alone; two classes."""
    keras.utils.set_random_seed(0)
    pixels = keras.Input((8, 8, 3))
    x = layers.Conv2D(1, 1, use_bias=False, name="conv")(layers.Rescaling(1 / 255)(pixels))
    model = keras.Model(pixels, x)
    model.get_layer("conv").set_weights([np.array([1.0, 0, 0]).reshape(1, 1, 3, 1)])
    if not top:
        return Network("trunk", model, size=8)
    flat = layers.Flatten()(x)
    head = layers.Dense(2, activation="softmax", name="head")
    model = keras.Model(pixels, head(flat))
    kernel = np.zeros((8, 8, 2))
    kernel[:, :4, 0] = 0.3
    head.set_weights([kernel.reshape(64, 2), np.array([-4.0, 0])])
    return Network("net", model, size=8)


def pictures():
    return np.random.default_rng(0).integers(200, 256, (2, 8, 8, 3), dtype=np.uint8)


def test_methods_beat_the_random_order_and_lose_themselves():
    said = []
    settings = views.Settings(("saliency",), target="0")
    found = checks.check(network(True), pictures(), settings, say=said.append)
    assert_allclose(found.randomisations["saliency"].correlations[0], 1)
    assert (found.randomisations["saliency"].correlations[-1] < 0.9).all()
    assert list(found.deletions) == ["saliency", checks.RANDOM]
    areas = {name: curves.areas.mean() for name, curves in found.insertions.items()}
    assert found.deletions["saliency"].areas.mean() < found.deletions[checks.RANDOM].areas.mean()
    assert np.isfinite(list(areas.values())).all()
    assert said == ["checking saliency of net on 2 pictures"]


def test_a_network_without_classes_has_no_curves():
    found = checks.check(network(False), pictures(), views.Settings(), say=lambda line: None)
    assert found.deletions == found.insertions == {}
    assert found.output is None
    assert list(found.randomisations) == ["visual_backprop"]
