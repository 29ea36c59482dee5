"""The command deep_viz: its figure, its masks, its mistakes; every kind of network."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose
from PIL import Image

import models
from models import released
from models.errors import InputError
from tests.models.test_released import as_keras_2, by_hand
from transfer.pictures import read_all
from visualization import deep_viz, views
from visualization.saliency.methods import METHODS

ROOT = Path(__file__).parents[2]
layers = keras.layers
COLOURS = ["red", "green", "blue"]


def run(*words):
    return deep_viz.main([*map(str, words)])


def test_networks_of_other_sizes_and_a_broken_picture(
    network_files, picture_folder, tmp_path, capsys
):
    out, masks = tmp_path / "new" / "f.png", tmp_path / "masks"
    specs = [
        network_files / "small.keras",
        network_files / "large.keras",
        network_files / "trunk.keras",
    ]
    assert (
        run(picture_folder, "--models", *specs, "--out", out, "--masks", masks, "--tile", 50) == 0
    )
    printed = capsys.readouterr().out
    assert printed.count("left out: picture") == 1 and "broken.jpg" in printed
    with Image.open(out) as figure:
        # seven tiles of 50 pixels and eight margins wide
        assert figure.format == "PNG" and figure.width == 7 * 50 + 8 * 8
    with open(masks / "masks.csv", encoding="utf-8-sig", newline="") as file:
        found = list(csv.DictReader(file))
    assert [row["name"] for row in found] == ["blue", "green"] * 2 + [""] * 2
    assert [np.load(masks / row["mask"]).shape for row in found[1:4]] == [
        (8, 8),
        (12, 12),
        (12, 12),
    ]
    model = models.load(str(specs[0])).model
    picture = dict(read_all([picture_folder / "blue.png"], 8))[picture_folder / "blue.png"]
    expected = METHODS["visual_backprop"](model)(picture[None])[0]
    assert_allclose(np.load(masks / found[0]["mask"]), expected, atol=1e-6)
    probability = model.predict_on_batch(picture[None]).max()
    assert_allclose(float(found[0]["output"]), probability, rtol=1e-5)
    assert (masks / "manifest.json").exists()


def test_several_methods_a_target_and_a_check(network_files, picture_folder, tmp_path, capsys):
    out = tmp_path / "f.svg"
    words = ["--models", network_files / "small.keras", "--method", "visual_backprop", "saliency"]
    words += ["integrated_gradients", "--samples", 4, "--target", "RED", "--softmax"]
    masks = tmp_path / "masks"
    assert run(picture_folder, *words, "--out", out, "--check", 1, "--masks", masks) == 0
    printed = capsys.readouterr().out
    assert "integrated_gradients: completeness gap" in printed and "over 2 pictures" in printed
    assert "saliency: rank correlation" in printed and "(random" in printed
    assert out.read_bytes().startswith(b"<?xml") and (tmp_path / "f_check.svg").exists()
    with open(masks / "masks.csv", encoding="utf-8-sig", newline="") as file:
        assert {(row["shown"], row["name"]) for row in csv.DictReader(file)} == {
            ("0", "blue"),
            ("0", "green"),
        }


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
        (["--batch_size", "0"], "batch_size is 0"),
        (["--check", "0"], "check is 0"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(
    words, said, network_files, picture_folder, tmp_path, capsys
):
    words = [
        word.format(files=network_files, pictures=picture_folder, tmp=tmp_path) for word in words
    ]
    given = words if not words[0].startswith("--") else [picture_folder, *words]
    for flag, value in (("--models", network_files / "small.keras"), ("--out", tmp_path / "f.png")):
        if flag not in words:
            given += [flag, value]
    assert run(*given) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: ") and said in error
    assert [path for path in tmp_path.iterdir() if path.suffix != ".lock"] == []


def test_a_folder_that_cannot_be_written_is_told_first(
    network_files, picture_folder, capsys, monkeypatch
):
    monkeypatch.setattr(views, "open_networks", None)  # reached, it would raise TypeError
    assert (
        run(picture_folder, "--models", network_files / "small.keras", "--out", "/proc/no/f.png")
        == 2
    )
    assert "/proc/no/f.png cannot be written" in capsys.readouterr().err


def test_another_ending_is_refused():
    with pytest.raises(InputError, match=r"\.png, \.pdf, \.svg"):
        deep_viz.file_format(Path("f.jpeg"))
    assert deep_viz.file_format(Path("f.PDF")) == "pdf"


MISTYPED = [
    (["--layer", "conv"], "layer conv is for the method grad_cam"),
    (["--form", "paper", "--method", "saliency"], "form paper is for the method visual_backprop"),
    (["--method", "smooth_grad", "--samples", "0"], "samples is 0; it must be above 0"),
    (["--softmax"], "about no class"),
    (["--tile", "0"], "tile is 0"),
    (["--models", "VGG99"], "no network"),
    (["--out", "f.gif"], ".png, .pdf, .svg"),
    (["none.jpg"], "no picture or folder"),
]


@pytest.mark.parametrize(("words", "said"), MISTYPED)
def test_flags_are_refused_before_keras_starts(words, said, capsys, monkeypatch):
    monkeypatch.setattr(deep_viz, "start_keras", None)  # reached, it would raise TypeError
    assert run(*words) == 2
    assert said in capsys.readouterr().err


def test_flags_are_read_without_keras():
    heavy = "{'keras', 'tensorflow', 'jax', 'matplotlib', 'pandas', 'sklearn'}"
    code = f"""
import sys
from visualization import deep_viz
deep_viz.read(deep_viz.flags().parse_args([]))
assert not {heavy} & set(sys.modules), {heavy} & set(sys.modules)
"""
    shell("-c", code, cwd=ROOT)


def test_every_option_of_a_method_is_a_flag():
    names = {option.name for method in METHODS.values() for option in method.options}
    known = {string for action in deep_viz.flags()._actions for string in action.option_strings}
    assert {f"--{name}" for name in names} <= known
    request = deep_viz.read(
        deep_viz.flags().parse_args(["--method", "grad_cam", "grad_cam", "--layer", "conv"])
    )
    assert [(m.name, m.given) for m in request.settings.methods] == [
        ("grad_cam", (("layer", "conv"),))
    ]


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
def test_networks_by_name(name, picture_folder, tmp_path):
    words = [picture_folder / "blue.png", "--models", name, "--input_size", 96]
    words += ["--method", "visual_backprop", "grad_cam", "guided_backprop"]
    assert run(*words, "--out", tmp_path / "f.pdf") == 0
    assert (tmp_path / "f.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.slow
def test_a_file_as_the_released_rijks_vgg19(picture_folder, tmp_path, monkeypatch):
    path = as_keras_2(by_hand("VGG19"), tmp_path / "creator_VGG19_weights.h5")
    monkeypatch.setitem(released.RELEASED, ("creator", "VGG19"), released.blob_id(path))
    monkeypatch.setenv(released.FOLDER, str(tmp_path))
    words = [picture_folder / "blue.png", "--models", "RijksVGG19Net:artist", "--check", 1]
    assert run(*words, "--out", tmp_path / "f.png") == 0
