"""The command deep_viz: its figure, its masks, its mistakes; every kind of network."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

from models import network, released, weights
from tests.models.test_released_networks import as_keras_2, by_hand
from transfer.pictures import proportion, read_all
from visualization import deep_viz, networks, views
from visualization.methods import METHODS

ROOT = Path(__file__).parents[2]
layers = keras.layers
COLOURS = ["red", "green", "blue"]


def save(model, path, classes=None):
    network.save(network.Network(path.stem, model, classes), path)


def colour_network(size, activation="softmax", convolution=True):
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


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Networks in files: two classifiers of 8 and 12 pixels, one without convolution, a trunk."""
    folder = tmp_path_factory.mktemp("networks")
    about = {"classes": COLOURS}
    save(colour_network(8), folder / "small.keras", **about)
    save(colour_network(12), folder / "large.keras", **about)
    save(colour_network(8), folder / "nameless.keras")
    save(colour_network(8, convolution=False), folder / "flat.keras", **about)
    model = colour_network(8)
    trunk = keras.Model(model.inputs, model.get_layer("conv").output)
    save(trunk, folder / "trunk.keras")
    (folder / "names.txt").write_text("n01440764 tench, Tinca tinca\nn2 odd\nB, c\n")
    return folder


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """A blue picture 40 x 20 with a red spot, a green one, and one that is broken."""
    folder = tmp_path_factory.mktemp("pictures")
    blue = Image.new("RGB", (40, 20), (0, 0, 200))
    blue.paste((255, 0, 0), (0, 0, 10, 5))
    blue.save(folder / "blue.png")
    Image.new("RGB", (20, 20), (10, 250, 10)).save(folder / "green.png")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8 no picture")
    return folder


def run(*words):
    return deep_viz.main([*map(str, words)])


def test_networks_of_other_sizes_and_a_broken_picture(files, pictures, tmp_path, capsys):
    out, masks = tmp_path / "new" / "f.png", tmp_path / "masks"
    specs = [files / "small.keras", files / "large.keras", files / "trunk.keras"]
    assert run(pictures, "--models", *specs, "--out", out, "--masks", masks, "--tile", 50) == 0
    printed = capsys.readouterr().out
    assert printed.count("left out: picture") == 1 and "broken.jpg" in printed
    with Image.open(out) as figure:
        # seven tiles of 50 pixels and eight margins wide
        assert figure.format == "PNG" and figure.width == 7 * 50 + 8 * 8
    with open(masks / "masks.csv", newline="") as file:
        found = list(csv.DictReader(file))
    assert [row["name"] for row in found] == ["blue", "green"] * 2 + [""] * 2
    assert [np.load(masks / row["mask"]).shape for row in found[1:4]] == [
        (8, 8),
        (12, 12),
        (12, 12),
    ]
    model = weights.saved(specs[0])
    picture = dict(read_all([pictures / "blue.png"], 8))[pictures / "blue.png"]
    expected = METHODS["visual_backprop"](model)(picture[None])[0]
    assert_allclose(np.load(masks / found[0]["mask"]), expected, atol=1e-6)
    probability = model.predict_on_batch(picture[None]).max()
    assert_allclose(float(found[0]["output"]), probability, rtol=1e-5)
    assert (masks / "manifest.json").exists()


def test_several_methods_a_target_and_a_check(files, pictures, tmp_path, capsys):
    out = tmp_path / "f.svg"
    words = ["--models", files / "small.keras", "--method", "visual_backprop", "saliency"]
    words += ["integrated_gradients", "--samples", 4, "--target", "RED", "--softmax"]
    masks = tmp_path / "masks"
    assert run(pictures, *words, "--out", out, "--check", 1, "--masks", masks) == 0
    printed = capsys.readouterr().out
    assert "integrated_gradients: completeness gap" in printed and "over 2 pictures" in printed
    assert "saliency: rank correlation" in printed and "(random" in printed
    assert out.read_bytes().startswith(b"<?xml") and (tmp_path / "f_check.svg").exists()
    with open(masks / "masks.csv", newline="") as file:
        assert {(row["shown"], row["name"]) for row in csv.DictReader(file)} == {
            ("0", "blue"),
            ("0", "green"),
        }


def test_a_view_is_the_methods_mask_of_the_target(files, pictures):
    (network,) = networks.networks([str(files / "small.keras")])
    settings = views.Settings(("saliency",), "red", logits=False)
    (view,) = views.views(network, [pictures / "green.png"], settings)
    pixels = view.picture[None].astype("float32")
    expected = METHODS["saliency"](network.model, logits=False)(pixels, 0)[0]
    assert expected.max() > 0
    assert_allclose(view.masks[0], expected, rtol=1e-4)
    assert views.caption(network, view).startswith("green, ")
    assert views.caption(network, view).endswith("(shown: red)")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["{pictures}/none"], "no picture or folder"),
        (["{pictures}/broken.jpg"], "none of 1 pictures"),
        (["--models", "{files}/flat.keras"], "no convolution"),
        (["--models", "{files}/none.keras"], "none.keras"),
        (["--models", "VGG99"], "no network"),
        (["--method", "saliency", "--target", "gren"], "near it: green"),
        (["--method", "saliency", "--target", "3"], "accepted: 0 to 2"),
        (["--target", "red"], "about no class"),
        (["--softmax"], "about no class"),
        (["--method", "saliency", "--form", "paper"], "for the method visual_backprop"),
        (["--samples", "3"], "samples"),
        (["--method", "saliency", "--models", "{files}/trunk.keras"], "has no classes"),
        (["--classes", "{files}/names.txt"], "fit no network"),
        (["--classes", "{files}/none.txt"], "cannot be read"),
        (["--out", "{tmp}/f.gif"], ".png, .pdf, .svg"),
        (["--out", "{tmp}"], ".png, .pdf, .svg"),
        (["--out", "{pictures}/blue.png/f.png"], "cannot be written"),
        (["--masks", "{pictures}"], "give a new folder"),
        (["--batch_size", "0"], "--batch_size is 0"),
        (["--check", "0"], "--check is 0"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(words, said, files, pictures, tmp_path, capsys):
    words = [word.format(files=files, pictures=pictures, tmp=tmp_path) for word in words]
    given = words if not words[0].startswith("--") else [pictures, *words]
    for flag, value in (("--models", files / "small.keras"), ("--out", tmp_path / "f.png")):
        if flag not in words:
            given += [flag, value]
    assert run(*given) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: ") and said in error
    assert [path for path in tmp_path.iterdir() if path.suffix != ".lock"] == []


def test_a_folder_that_cannot_be_written_is_told_first(files, pictures, capsys, monkeypatch):
    monkeypatch.setattr(deep_viz.opened, "networks", None)  # reached, it would raise TypeError
    assert run(pictures, "--models", files / "small.keras", "--out", "/proc/no/f.png") == 2
    assert "/proc/no/f.png cannot be written" in capsys.readouterr().err


def test_names_of_classes(files):
    names = networks.read_names(files / "names.txt")
    assert names == ["tench", "n2 odd", "B, c"]  # only WordNet's lines are cut
    (named,) = networks.networks([str(files / "nameless.keras")], class_names=names)
    assert named.class_name(2) == "B, c" and named.class_index("tench") == 0
    own, named = networks.networks(
        [str(files / "small.keras"), str(files / "nameless.keras")], class_names=names
    )
    assert own.classes == COLOURS and named.classes == names


@pytest.mark.parametrize(
    ("activation", "output"), [("softmax", "probability"), ("sigmoid", "probability")]
)
def test_what_an_output_is(activation, output, files, tmp_path):
    save(colour_network(8, activation), tmp_path / "a.keras")
    assert networks.networks([str(tmp_path / "a.keras")])[0].output == output
    assert networks.networks([str(files / "trunk.keras")])[0].output is None


def test_logits_are_scores_and_features_are_no_classes(tmp_path):
    model = colour_network(8, "linear")
    save(model, tmp_path / "a.keras")
    (network,) = networks.networks([str(tmp_path / "a.keras")])
    assert network.output == "score"
    view = views.View(Path("p"), 1, None, (), 2, 3.14159, 0)
    assert views.caption(network, view) == "class 2, score 3.14 (shown: class 0)"
    save(keras.Model(model.inputs, model.layers[-3].output), tmp_path / "b.keras")
    assert networks.networks([str(tmp_path / "b.keras")])[0].output is None


def test_proportion_and_range_of_pictures(pictures, tmp_path):
    assert proportion(pictures / "blue.png") == 2
    white = tmp_path / "white.png"
    Image.new("RGB", (149, 211), "white").save(white)
    ((_, array),) = read_all([white], 64)
    assert array.max() <= 255 and array.min() > 254.99
    assert_array_equal(array.shape, (64, 64, 3))


def shell(*words, cwd):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, *words], cwd=cwd, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    "words", [[str(ROOT / "visualization/deep_viz.py")], ["-m", "visualization.deep_viz"]]
)
def test_without_arguments(words, tmp_path):
    printed = shell(*words, cwd=tmp_path)
    assert "wrote results/deep_viz.png" in printed
    with Image.open(tmp_path / "results" / "deep_viz.png") as figure:
        assert figure.width > 5 * 224


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["VGG19", "ResNet50", "InceptionV3", "Xception", "InceptionV1", "MobileNet"]
)
def test_networks_by_name(name, pictures, tmp_path):
    words = [pictures / "blue.png", "--models", name, "--input_size", 96]
    words += ["--method", "visual_backprop", "grad_cam", "guided_backprop"]
    assert run(*words, "--out", tmp_path / "f.pdf") == 0
    assert (tmp_path / "f.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.slow
def test_a_file_as_the_released_rijks_vgg19(pictures, tmp_path, monkeypatch):
    path = as_keras_2(by_hand("VGG19"), tmp_path / "creator_VGG19_weights.h5")
    monkeypatch.setitem(released.RELEASED, ("creator", "VGG19"), released.blob_id(path))
    monkeypatch.setenv(released.FOLDER, str(tmp_path))
    words = [pictures / "blue.png", "--models", "RijksVGG19Net:artist", "--check", 1]
    assert run(*words, "--out", tmp_path / "f.png") == 0
