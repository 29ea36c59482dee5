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
from models import backend, memory, released
from models.errors import InputError
from tests.models.test_released import as_keras_2, by_hand
from transfer.pictures import read_all
from transfer.result_folder import result_folder
from visualization import deep_viz, figures, views
from visualization.saliency.methods import METHODS, Settings

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
        (["--target", "red"], "needs no class"),
        (["--softmax"], "needs no class"),
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
        (["--method", "saliency", "--check", "--models", "{files}/weightless.keras"], "no weights"),
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
    told = capsys.readouterr()
    error = told.err.strip().splitlines()[-1]
    assert error.startswith("error: ") and said in error
    assert list(tmp_path.iterdir()) == [] and "checking" not in told.out


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
    (["--softmax"], "needs no class"),
    (["--tile", "0"], "tile is 0"),
    (["--models", "VGG99"], "no network"),
    (["--out", "f.gif"], ".png, .pdf, .svg"),
    (["none.jpg"], "no picture or folder"),
    (["--models", "VGG19:none.h5"], "no weights file none.h5"),
    (["--models", "none.keras"], "none.keras"),
    (["--challenge", "style"], "needs labels"),
    (["--labels", "none.csv", "--challenge", "style"], "none.csv"),
]


@pytest.mark.parametrize(("words", "said"), MISTYPED)
def test_flags_are_refused_before_keras_starts(words, said, capsys, monkeypatch):
    monkeypatch.setattr(deep_viz, "start_keras", None)  # reached, it would raise TypeError
    assert run(*words) == 2
    assert said in capsys.readouterr().err


def test_a_layer_that_a_file_does_not_have_needs_no_keras(network_files, capsys, monkeypatch):
    monkeypatch.setattr(deep_viz, "start_keras", None)
    words = ["--models", network_files / "small.keras", "--method", "grad_cam", "--layer", "cnov"]
    assert run(*words) == 2
    assert "no layer 'cnov'" in (error := capsys.readouterr().err) and "near it: conv" in error


def test_flags_are_read_without_keras():
    heavy = "{'keras', 'tensorflow', 'jax', 'matplotlib', 'pandas', 'sklearn'}"
    code = f"""
import sys
from visualization import deep_viz
try:
    deep_viz.main(["--models", "VGG19:none.h5"])
finally:
    deep_viz.read(deep_viz.flags().parse_args([]))
assert not {heavy} & set(sys.modules), {heavy} & set(sys.modules)
"""
    shell("-c", code, cwd=ROOT)


def test_every_option_of_a_method_is_a_flag():
    names = {option.name for method in METHODS.values() for option in method.options}
    known = {string for action in deep_viz.flags()._actions for string in action.option_strings}
    assert {f"--{name}" for name in names} <= known
    request = deep_viz.read(
        deep_viz.flags().parse_args(
            ["--method", "grad_cam", "grad_cam", "--layer", "conv", "--models", "VGG19"]
        )
    )
    assert [(m.name, m.given) for m in request.settings.methods] == [
        ("grad_cam", (("layer", "conv"),))
    ]


LABELS = "ImageId,style\nblue.png,Blue\nGREEN,red\nbroken,green\n"


def labelled(tmp_path, *words, text=LABELS):
    (tmp_path / "labels.csv").write_text(text)
    return ["--labels", tmp_path / "labels.csv", *words]


def test_true_labels_tell_right_from_wrong(
    network_files, picture_folder, tmp_path, monkeypatch, capsys
):
    drawn = []
    true_page = figures.saliency_page
    monkeypatch.setattr(
        figures, "saliency_page", lambda *given: drawn.append(given[1]) or true_page(*given)
    )
    words = ["--models", network_files / "small.keras", "--out", tmp_path / "f.png"]
    words += labelled(tmp_path, "--challenge", "style") + ["--masks", tmp_path / "masks"]
    words += ["--method", "grad_cam"]
    assert run(picture_folder, *words) == 0
    blue, green = drawn[0]
    assert blue.caption == "blue\nBlue" and blue.seen[0].right is True
    assert green.caption == "green\nred" and green.seen[0].right is False
    with open(tmp_path / "masks" / "masks.csv", newline="", encoding="utf-8-sig") as file:
        rows = [(row["label"], row["right"]) for row in csv.DictReader(file)]
    assert rows == [("Blue", "True"), ("red", "False")]
    assert "grad_cam: maps of conv, 8 x 8 pixels" in capsys.readouterr().out


def test_a_label_that_the_network_does_not_know_is_neither(network_files, picture_folder, tmp_path):
    (network,) = views.open_networks([str(network_files / "small.keras")])
    view = views.View(Path("a.png"), 1, None, (), 2, 0.9, 2)
    assert views.is_right(network, view, "BLUE") and views.is_right(network, view, "red") is False
    assert views.is_right(network, view, "baroque") is None
    assert views.is_right(network, view, "") is None


@pytest.mark.parametrize(
    ("flags", "text", "said"),
    [
        ([], LABELS, "needs challenge, the column of the labels"),
        (["--challenge", "styl"], LABELS, "no column 'styl'; it has style"),
        (["--challenge", "style", "--id_column", "id"], LABELS, "no column 'id'"),
        (["--challenge", "style"], "ImageId,style\nother,red\n", "a label for none of 3 pictures"),
    ],
)
def test_labels_that_cannot_be_used(flags, text, said, picture_folder, tmp_path, capsys):
    assert run(picture_folder, *labelled(tmp_path, *flags, text=text)) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1


def test_many_pictures_are_pages_of_columns(network_files, tmp_path, capsys):
    for number in range(70):
        Image.new("RGB", (4, 4), (number, 0, 99)).save(tmp_path / f"{number:02d}.png")
    words = ["--models", network_files / "small.keras", "--out", tmp_path / "f.png"]
    words += ["--tile", "480"]
    assert run(tmp_path, *words) == 0
    printed = capsys.readouterr().out
    assert "70 pictures: the figure shows the first 60" in printed
    assert "masks: 16 of 60" in printed and "masks: 60 of 60" in printed
    pages = sorted(tmp_path.glob("f*.png"))
    assert [page.name for page in pages] == ["f.png", *(f"f_{n}.png" for n in range(2, 6))]
    for page in pages:
        assert f"wrote {page}" in printed
        with Image.open(page) as picture:
            assert max(picture.size) <= 4000


def test_sizes_that_memory_does_not_hold_are_refused_before_keras(
    network_files, picture_folder, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(deep_viz, "start_keras", None)  # reached, it would raise TypeError
    monkeypatch.setattr(memory, "free", lambda: 4e9)
    words = ["--models", network_files / "small.keras", "--out", tmp_path / "f.png"]
    assert run(picture_folder, *words, "--tile", "20000") == 2
    error = capsys.readouterr().err
    assert "tile is 20000" in error and "pixels can be drawn here" in error
    assert error.count("\n") == 1


def test_a_batch_that_memory_does_not_hold_is_refused(network_files, monkeypatch):
    (network,) = views.open_networks([str(network_files / "small.keras")])
    monkeypatch.setattr(backend, "free_memory", lambda: 20_000)
    views.check_networks([network], Settings(batch_size=1))
    with pytest.raises(InputError, match=r"^batch_size is 64: .* accepted here: 1 to \d"):
        views.check_networks([network], Settings(batch_size=64))


def test_two_with_one_folder_of_masks(network_files, picture_folder, tmp_path, capsys, monkeypatch):
    """The second waits before it opens a network, then finds the folder and computes nothing."""
    words = [picture_folder, "--models", network_files / "small.keras", "--out", tmp_path / "f.png"]
    words += ["--masks", tmp_path / "masks"]
    request = deep_viz.read(deep_viz.flags().parse_args([*map(str, words)]))

    def first_ends(path):
        """The first process is done while the second waits for the lock."""
        monkeypatch.undo()
        with result_folder(tmp_path / "masks"):
            pass
        return result_folder(path)

    monkeypatch.setattr(deep_viz, "result_folder", first_ends)
    monkeypatch.setattr(deep_viz, "read", lambda arguments: request)
    assert run(*words) == 2
    assert "masks exists; give a new folder" in capsys.readouterr().err
    assert not (tmp_path / "f.png").exists()


def test_an_interrupt_does_not_say_that_it_goes_on(
    network_files, picture_folder, tmp_path, capsys, monkeypatch
):
    def interrupted(*given, **named):
        raise KeyboardInterrupt

    monkeypatch.setattr(views, "look", interrupted)
    words = ["--models", network_files / "small.keras", "--out", tmp_path / "f.png"]
    assert run(picture_folder, *words, "--masks", tmp_path / "masks") == 130
    assert capsys.readouterr().err.splitlines()[-1] == "interrupted"
    assert list(tmp_path.iterdir()) == []


def test_a_network_fed_at_another_size_says_so(network_files):
    said = []
    weights = ROOT / "toy" / "mobilenet_0.25_64_nature.weights.h5"
    specs = [f"MobileNet(alpha=0.25):{weights}", str(network_files / "small.keras")]
    networks = views.open_networks(specs, 64, say=said.append)
    assert said[0].endswith("is fed pictures of 64 pixels; weights of MobileNet are usually of 224")
    assert said[1].endswith(f"at 64, {specs[1]} at 8 pixels") and len(said) == 2
    titles = views._titles(networks[1], networks, Settings())
    assert titles[0].endswith("\nat 8 pixels")
    assert "pixels" not in views._titles(networks[1], networks[1:], Settings())[0]


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
    monkeypatch.setattr(views, "STEPS", 2)  # of the check's curves
    words = [picture_folder / "blue.png", "--models", "RijksVGG19Net:artist", "--check", 1]
    assert run(*words, "--out", tmp_path / "f.png") == 0
