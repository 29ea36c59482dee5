"""Networks opened, pictures looked at, and both checks on a network whose answer is known."""

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

from models.errors import InputError
from models.network import Network, save
from transfer.pictures import proportion, read_all
from visualization import views
from visualization.saliency.deletion_insertion import Curves
from visualization.saliency.methods import METHODS, Settings
from visualization.saliency.randomisation import Randomisation

layers = keras.layers
COLOURS = ["red", "green", "blue"]


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
    settings = Settings((METHODS["saliency"],), target="0")
    found = views.check_methods(network(True), pictures(), settings, say=said.append)
    assert_allclose(found.randomisations["saliency"].correlations[0], 1)
    assert (found.randomisations["saliency"].correlations[-1] < 0.9).all()
    assert list(found.deletions) == ["saliency", views.RANDOM]
    areas = {name: curves.areas.mean() for name, curves in found.insertions.items()}
    assert found.deletions["saliency"].areas.mean() < found.deletions[views.RANDOM].areas.mean()
    assert np.isfinite(list(areas.values())).all()
    assert said == ["checking saliency of net on 2 pictures"]


def test_a_network_without_classes_has_no_curves():
    found = views.check_methods(network(False), pictures(), Settings(), say=lambda line: None)
    assert found.deletions == found.insertions == {}
    assert found.output is None
    assert list(found.randomisations) == ["visual_backprop"]


def open_sized(inner):
    """Convolution, mean and two classes; the size is left open, or by the network inside alone."""
    inputs = keras.Input((None, None, 3))
    trunk = keras.Model(inputs, layers.Conv2D(4, 3, padding="same", activation="relu")(inputs))
    if inner:
        inputs = keras.Input((8, 8, 3))
    x = layers.GlobalAveragePooling2D()(trunk(inputs))
    return keras.Model(inputs, layers.Dense(2, activation="softmax")(x))


@pytest.mark.parametrize("inner", [False, True])
def test_memory_is_known_where_a_file_leaves_its_size_open(inner, monkeypatch):
    network = Network("net", open_sized(inner), size=8)
    # 8 x 8 x 3 of the picture, 8 x 8 x 4, 4 and 2; float32, a quarter of them at a time
    monkeypatch.setattr(views.backend, "free_memory", lambda: 454 * 16)
    views.check_networks([network], Settings())
    monkeypatch.setattr(views.backend, "free_memory", lambda: 454 * 15)
    with pytest.raises(InputError, match="batch_size is 16.* of 8 pixels.* accepted here: 1 to 15"):
        views.check_networks([network], Settings())


def test_summary_of_a_check():
    randomised = Randomisation(("", "top", "first"), np.array([[1, 1], [0.5, 0.7], [np.nan, 0.25]]))
    curves = Curves(np.array([0, 1]), np.array([[1.0, 0], [0.5, 0]]), np.array([0.5, 0.25]))
    every = {"saliency": curves, views.RANDOM: curves}
    check = views.Check("net\nfile", "probability", {"saliency": randomised}, every, every)
    (line,) = views.summary(check)
    assert line == (
        "net file, saliency: rank correlation 0.25 when all layers are random; deletion 0.375 "
        "(random 0.375), insertion 0.375 (random 0.375)"
    )
    slight = Randomisation(("",), np.array([[-0.001]]))
    (line,) = views.summary(views.Check("net", None, {"saliency": slight}, {}, {}))
    assert line == "net, saliency: rank correlation 0.00 when all layers are random"


def test_a_view_is_the_methods_mask_of_the_target(network_files, picture_folder):
    (network,) = views.open_networks([str(network_files / "small.keras")])
    settings = Settings((METHODS["saliency"],), "red", logits=False)
    (view,) = views.look(network, [picture_folder / "green.png"], settings)
    pixels = view.picture[None].astype("float32")
    expected = METHODS["saliency"](network.model, logits=False)(pixels, 0)[0]
    assert expected.max() > 0
    assert_allclose(view.masks[0], expected, rtol=1e-4)
    assert views.caption(network, view).startswith("green, ")
    assert views.caption(network, view).endswith("(shown: red)")


def test_names_for_networks_without(network_files):
    names = ["tench", "n2 odd", "B, c"]
    (named,) = views.open_networks([str(network_files / "nameless.keras")], class_names=names)
    assert named.class_name(2) == "B, c" and named.class_index("tench") == 0
    own, named = views.open_networks(
        [str(network_files / "small.keras"), str(network_files / "nameless.keras")],
        class_names=names,
    )
    assert own.classes == COLOURS and named.classes == names


def test_given_names_come_before_those_that_its_file_does_not_hold(monkeypatch, network_files):
    known = views.load(str(network_files / "nameless.keras"))
    known = replace(known, classes=["x", "y", "z"], classes_from="ImageNet")
    monkeypatch.setattr(views, "load", lambda spec, size: known)
    (network,) = views.open_networks(["any"], class_names=["a", "b", "c"])
    assert network.classes == ["a", "b", "c"] and network.classes_from is None


@pytest.mark.parametrize(
    ("activation", "output"), [("softmax", "probability"), ("sigmoid", "probability")]
)
def test_what_an_output_is(activation, output, colour_network, network_files, tmp_path):
    save(Network("a", colour_network(8, activation)), tmp_path / "a.keras")
    assert views.open_networks([str(tmp_path / "a.keras")])[0].output == output
    assert views.open_networks([str(network_files / "trunk.keras")])[0].output is None


def test_a_network_that_was_tested_on_crops_is_told(colour_network, tmp_path):
    path, said = tmp_path / "a.keras", []
    save(Network("a", colour_network(8, "softmax"), augmentation="mirror_crop"), path)
    views.open_networks([str(path)], say=said.append)
    assert said == [f"{path} was tested on the middle of pictures; here it sees all of each"]


def test_logits_are_scores_and_features_are_no_classes(colour_network, tmp_path):
    model = colour_network(8, "linear")
    save(Network("a", model), tmp_path / "a.keras")
    (network,) = views.open_networks([str(tmp_path / "a.keras")])
    assert network.output == "score"
    view = views.View(Path("p"), 1, None, (), 2, 3.14159, 0)
    assert views.caption(network, view) == "class 2, score 3.14 (shown: class 0)"
    save(Network("b", keras.Model(model.inputs, model.layers[-3].output)), tmp_path / "b.keras")
    assert views.open_networks([str(tmp_path / "b.keras")])[0].output is None


def test_proportion_and_range_of_pictures(picture_folder, tmp_path):
    assert proportion(picture_folder / "blue.png") == 2
    white = tmp_path / "white.png"
    Image.new("RGB", (149, 211), "white").save(white)
    ((_, array),) = read_all([white], 64)
    assert array.max() <= 255 and array.min() > 254.99
    assert_array_equal(array.shape, (64, 64, 3))
