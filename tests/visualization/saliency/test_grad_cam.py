"""Grad-CAM against its formula."""

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose

from models.errors import InputError
from models.network import Network
from visualization.saliency.grad_cam import grad_cam

layers = keras.layers
SIZE = 6


def test_grad_cam_is_its_formula(smooth, pictures):
    """By hand after global average pooling: the channel weights are the kernel's / places."""
    maps = keras.Model(smooth.inputs, smooth.get_layer("last").output)
    values = maps.predict_on_batch(pictures.astype("float32"))
    kernel = smooth.layers[-1].get_weights()[0]
    small = np.maximum((values * kernel[:, 2] / 9).sum(-1), 0)
    expected = keras.ops.image.resize(small[..., None], (SIZE, SIZE))[..., 0]
    assert small.max() > 0
    assert_allclose(
        grad_cam(smooth)(pictures, 2), keras.ops.convert_to_numpy(expected), rtol=1e-3, atol=1e-7
    )
    named = grad_cam(smooth, layer="last", batch_size=2)(pictures, 2)
    assert_allclose(named, grad_cam(smooth)(pictures, 2), rtol=1e-5, atol=1e-8)


def test_grad_cam_inside_a_branch(pictures):
    """score = mean of (a + b): a's weights are 1 / places whatever the other branch does."""
    inputs = keras.Input((SIZE, SIZE, 3))
    a, b = (layers.Conv2D(2, 3, padding="same", name=name)(inputs) for name in "ab")
    model = keras.Model(inputs, layers.GlobalAveragePooling2D()(layers.Add(name="sum")([a, b])))
    values = keras.Model(inputs, a).predict_on_batch(pictures.astype("float32"))
    expected = np.maximum(values[..., 1] / SIZE**2, 0)
    found = grad_cam(model, layer="a")(pictures, 1)
    assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def pyramid(size, branch=False):
    """Convolutions that halve the map, from `size` on; with a branch past the second."""
    x = inputs = keras.Input((size, size, 3))
    for number in range(4):
        before = x
        x = layers.ZeroPadding2D(name=f"pad_{number}")(x)
        x = layers.Conv2D(4, 3, strides=2, name=f"conv_{number}")(x)
        if branch and number == 2:
            x = layers.Add(name="sum")([x, layers.Conv2D(4, 1, strides=2, name="short")(before)])
    x = layers.GlobalAveragePooling2D()(layers.AveragePooling2D(2, name="pool")(x))
    return keras.Model(inputs, layers.Dense(3)(x), name="pyramid")


@pytest.fixture(scope="module")
def nested(smooth):
    """The smooth network with its convolutions in networks inside, `deep/trunk/conv`."""
    trunk = keras.Model(smooth.inputs, smooth.get_layer("last").output, name="trunk")
    inputs = keras.Input((SIZE, SIZE, 3))
    x = keras.Model(inputs, trunk(inputs), name="deep")(inputs)
    return keras.Model(inputs, smooth.layers[-1](layers.GlobalAveragePooling2D()(x)), name="nested")


@pytest.mark.parametrize("logits", [True, False])
@pytest.mark.parametrize(
    ("layer", "same"),
    [
        (None, "last"),
        ("deep", "last"),
        ("trunk", "last"),
        ("deep/trunk/last", "last"),
        ("deep/trunk/conv", "conv"),
        ("trunk/conv", "conv"),
        ("conv", "conv"),
    ],
)
def test_layers_of_networks_inside(layer, same, logits, smooth, nested, pictures):
    found = grad_cam(nested, logits, layer=layer)(pictures)
    expected = grad_cam(smooth, logits, layer=same)(pictures)
    assert expected.max() > 0
    assert_allclose(found, expected, rtol=1e-4, atol=1e-8)


def test_a_layer_is_told_and_missed_by_the_name_that_finds_it(nested):
    said = []
    grad_cam(nested, say=said.append)
    assert said == ["grad_cam: maps of deep/trunk/last, 3 x 3 pixels"]
    with pytest.raises(InputError, match="^nested has no layer 'trunk/cnv'.*deep/trunk/conv"):
        grad_cam(nested, layer="trunk/cnv")


def test_a_network_of_any_size_has_a_map_for_each(pictures):
    fixed = pyramid(64)
    inputs = keras.Input((None, None, 3))
    x = inputs
    for layer in fixed.layers[1:]:
        x = layer(x)
    of_any, said = keras.Model(inputs, x, name="any"), []
    masks = grad_cam(of_any, say=said.append)
    assert said == []
    given = np.random.default_rng(0).integers(0, 256, (2, 112, 112, 3)).astype("uint8")
    small = given[:, :64, :64]
    for _ in range(2):
        assert_allclose(masks(small, 1), grad_cam(fixed)(small, 1), rtol=1e-4, atol=1e-7)
        masks(given, 1)
    assert said == [
        "grad_cam: maps of conv_2, 8 x 8 pixels",
        "grad_cam: maps of conv_3, 7 x 7 pixels",
    ]
    # a Network says at what size it is fed
    grad_cam(Network("any", of_any, size=64), say=said.append)
    assert said[2:] == said[:1]
    with pytest.raises(InputError, match="any has no layer 'lost'"):
        grad_cam(of_any, layer="lost")


@pytest.mark.parametrize(
    ("size", "branch", "chosen"),
    [
        (112, False, "conv_3, 7 x 7"),
        (64, False, "conv_2, 8 x 8"),
        (64, True, "sum, 8 x 8"),
        (32, True, "conv_1, 8 x 8"),
        (24, False, "conv_0, 12 x 12"),
    ],
)
def test_a_map_says_where_with_7_by_7_pixels(size, branch, chosen):
    said = []
    grad_cam(pyramid(size, branch), say=said.append)
    assert said == [f"grad_cam: maps of {chosen} pixels"]


def test_small_pictures_take_the_last_map_of_more_than_a_pixel(smooth):
    said = []
    grad_cam(smooth, say=said.append)
    grad_cam(smooth, layer="conv", say=said.append)
    assert said == ["grad_cam: maps of last, 3 x 3 pixels", "grad_cam: maps of conv, 6 x 6 pixels"]


def test_bad_settings(smooth):
    with pytest.raises(InputError, match="no layer 'lost'"):
        grad_cam(smooth, layer="lost")
    with pytest.raises(InputError, match="without maps"):
        grad_cam(smooth, layer=-1)
