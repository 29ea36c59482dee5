"""ImageNet's classes by name, and which networks give them."""

import h5py
import keras
import numpy as np
import pytest

import models
from models import graph, imagenet, weights, zoo
from models.errors import InputError
from tests.models.importers import keras2_files

SMALL = "MobileNet(alpha=0.25)"


def test_names_are_those_of_the_challenge(shared):
    lines = (shared / "weights" / "imagenet_synset_words.txt").read_text().splitlines()
    given = [tuple(line.partition(" ")[2].split(", ")) for line in lines]
    assert list(imagenet.synonyms()) == given
    assert imagenet.names() == [names[0] for names in given]


def test_classes_are_found_by_any_of_their_names():
    names = imagenet.names()
    assert len(names) == 1000 and names[281] == "tabby" and names[999] == "toilet tissue"
    for target in ("tabby", "Tabby Cat", 281):
        assert graph.target_index(target, names, 1000) == 281
    assert graph.target_index("tank suit", names, 1000) == 639  # one of two called maillot
    with pytest.raises(InputError, match="several classes are named 'crane'"):
        graph.target_index("crane", names, 1000)
    with pytest.raises(InputError, match="no class 'tabby ca'"):
        graph.target_index("tabby ca", names, 1000)


def test_a_museums_classes_have_one_name():
    with pytest.raises(InputError, match="no class 'print'"):
        graph.target_index("print", ["drawing, print", "vase"], 2)


@pytest.mark.parametrize(
    ("text", "outputs", "known"),
    [
        ("VGG19:imagenet", 1000, True),
        ("VGG19:imagenet", 512, False),  # without its top
        ("VGG19", 1000, False),
        ("RijksVGG19Net:artist", 1000, False),
        ("a.keras", 1000, False),
    ],
)
def test_what_a_string_tells(text, outputs, known):
    assert bool(imagenet.source_of_names(zoo.parse(text), outputs)) == known


@pytest.mark.parametrize(
    ("top", "outputs", "known"),
    [("predictions", 1000, True), ("head", 1000, False), ("predictions", 999, False)],
)
def test_a_file_of_keras_is_told_by_its_last_layer(top, outputs, known, tmp_path):
    kernel = np.zeros((2, outputs), np.float32)
    layers = [("flatten", []), (top, [(f"{top}/kernel:0", kernel)])]
    keras2_files.write(tmp_path / "net.h5", layers)
    assert weights.top_layer(tmp_path / "net.h5") == top
    spec = zoo.parse(f"VGG16:{tmp_path}/net.h5")
    assert bool(imagenet.source_of_names(spec, outputs)) == known


@pytest.mark.parametrize(
    ("name", "known"), [("conv_preds", True), ("painters", False), (None, False)]
)
def test_keras_3_s_weights_are_told_by_a_layers_name(name, known, tmp_path):
    """1000 outputs alone tell nothing; the first versions of Keras 3 named no layers."""
    path = tmp_path / "a.weights.h5"
    keras.applications.MobileNet(alpha=0.25, weights=None).save_weights(path)
    with h5py.File(path, "r+") as file:
        (top,) = (g for g in file["layers"].values() if g["vars"].attrs["name"] == "conv_preds")
        del top["vars"].attrs["name"]
        if name:
            top["vars"].attrs["name"] = name
    network = models.load(f"{SMALL}:{path}")
    assert (network.classes == imagenet.names()) is known and (network.classes is None) is not known


@pytest.mark.slow
def test_real_files_have_their_names(shared):
    folder = shared / "weights"
    cats = np.load(shared / "oracle" / "googlenet_opencv.npz")
    network = models.load(f"GoogLeNet:{folder}/bvlc_googlenet.caffemodel")
    assert network.class_index("tabby cat") == 281
    assert network.predict(cats["images_rgb_uint8"]).argmax(1).tolist() == (
        cats["prob"].argmax(1).tolist()
    )
    assert "loss3/classifier" in network.classes_from
    assert "..., toilet tissue (ImageNet's, as" in models.describe(network.spec)
    small = models.load(f"{SMALL}:{folder}/mobilenet_v1_0.25_128.weights.h5", 128)
    assert small.classes[281] == "tabby" and "conv_preds" in small.classes_from
