import warnings
import zipfile
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

import models
from models import graph, network, weights, zoo
from models.errors import InputError
from models.network import Network

SMALL = "MobileNet(alpha=0.25)"


def pixels(size, n=1):
    return np.random.default_rng(0).integers(0, 256, (n, size, size, 3)).astype(np.float32)


def test_a_name_alone_has_random_weights_and_its_top():
    loaded = models.load(SMALL, size=32)
    assert loaded.model.output_shape == (None, 1000)
    assert loaded.pixels == "tf" and loaded.classes is None
    same = models.load(SMALL, size=32).model
    for a, b in zip(loaded.model.get_weights(), same.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("top", [True, False])
def test_weights_file_with_and_without_its_top(tmp_path, top):
    path = tmp_path / "net.weights.h5"
    shape = {} if top else {"include_top": False, "input_shape": (32, 32, 3)}
    source = keras.applications.MobileNet(alpha=0.25, weights=None, **shape)
    source.save_weights(path)
    model = models.load(f"{SMALL}:{path}", size=32).model
    assert len(model.output.shape) == (2 if top else 4)
    for ours, theirs in zip(model.get_weights(), source.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_saved_classifier_with_its_classes(tmp_path):
    model = zoo.build(SMALL, 2, 32)
    network.save(Network(SMALL, model, ["a", "é"], "own"), tmp_path / "m.keras")
    loaded = models.load(str(tmp_path / "m.keras"))
    assert loaded.classes == ["a", "é"] and loaded.pixels == "tf"
    x = pixels(32)
    np.testing.assert_allclose(
        loaded.model.predict(x, verbose=0), model.predict(x, verbose=0), rtol=1e-5
    )


def test_file_of_another_origin(tmp_path):
    inputs = keras.Input((8, 8, 3))
    keras.Model(inputs, keras.layers.Conv2D(2, 3)(inputs)).save(tmp_path / "own.keras")
    loaded = models.load(str(tmp_path / "own.keras"))
    assert loaded.classes is None and loaded.pixels is None


@pytest.mark.parametrize("top", [True, False])
def test_a_name_takes_the_trunk_of_a_keras_file(tmp_path, top):
    shape = {"alpha": 0.25, "weights": None, "input_shape": (32, 32, 3)}
    source = keras.applications.MobileNet(**shape, **({} if top else {"include_top": False}))
    source.save(tmp_path / "net.keras")
    opened = models.load(f"{SMALL}:{tmp_path}/net.keras", size=32)
    assert opened.model.output_shape == (None, 1, 1, 256) and opened.pixels == "tf"
    assert [name for name, _ in opened.report.skipped] == ["conv_preds"] * top
    for ours, theirs in zip(opened.model.get_weights(), source.get_weights(), strict=False):
        np.testing.assert_array_equal(ours, theirs)


def test_a_trunk_scales_pixels_as_its_file_was_trained(tmp_path):
    """Not as the table says of its name: the same features as the whole file has."""
    spec = f"{SMALL}:{tmp_path}/unit.keras"
    model = zoo.build(SMALL, 2, 32, pixels="unit")
    network.save(Network(SMALL, model, ["a", "b"], "unit"), tmp_path / "unit.keras")
    opened = models.load(spec, size=32)
    assert opened.pixels == "unit"
    features = keras.Model(model.inputs, model.get_layer("features").output)
    expected = features.predict(pixels(32), verbose=0)
    np.testing.assert_allclose(opened.predict(pixels(32)).mean((1, 2)), expected, rtol=1e-4)
    network.save(opened, tmp_path / "trunk.keras")
    assert models.load(f"{SMALL}:{tmp_path}/trunk.keras", size=32).pixels == "unit"


def test_a_whole_network_keeps_its_size(tmp_path):
    inputs = keras.Input((8, 8, 3))
    keras.Model(inputs, keras.layers.Conv2D(2, 3)(inputs)).save(tmp_path / "own.keras")
    assert models.load(str(tmp_path / "own.keras"), size=8).size == 8
    assert models.load(str(tmp_path / "own.keras"), size=16).size == 8


@pytest.mark.filterwarnings("ignore:You are saving a model that has not yet been built")
def test_a_file_without_inputs_is_an_error(tmp_path):
    keras.Sequential([keras.layers.Dense(2)]).save(tmp_path / "unbuilt.keras")
    with pytest.raises(InputError, match="unbuilt.keras holds a Sequential that has no inputs"):
        models.load(str(tmp_path / "unbuilt.keras"))


@pytest.mark.parametrize(
    ("about", "says"),
    [
        ("[]", "holds no object"),
        ('{"classes": "ab"}', "has no list of classes"),
        ('{"classes": ["a", 1]}', "has a name that is no text"),
        ('{"pixels": 5}', "has a name that is no text"),
        ('{"pixels": "own", "network": 3}', "has a name that is no text"),
        ('{"pixels": "red"}', "has pixels 'red'; accepted: own, caffe"),
        ('{"pixels": "own"}', "no network ''"),
        ('{"pixels": "own", "network": "VGG91"}', "no network 'VGG91'"),
    ],
)
def test_what_a_file_says_of_itself_is_checked(about, says, tmp_path):
    inputs = keras.Input((8, 8, 3))
    keras.Model(inputs, keras.layers.Conv2D(2, 3)(inputs)).save(tmp_path / "odd.keras")
    with zipfile.ZipFile(tmp_path / "odd.keras", "a") as archive:
        archive.writestr("art_transfer.json", about)
    with pytest.raises(InputError, match=f"odd.keras.*{says}"):
        models.load(str(tmp_path / "odd.keras"))


def test_lambda_layers_are_not_executed(tmp_path):
    inputs = keras.Input((8, 8, 3))
    outputs = keras.layers.Lambda(lambda x: x * 2)(inputs)
    keras.Model(inputs, outputs).save(tmp_path / "lambda.keras")
    with pytest.raises(InputError, match=r"lambda\.keras"):
        models.load(str(tmp_path / "lambda.keras"))


@pytest.mark.parametrize(
    "spec", ["", "VGG91", "VGG19:", "vgg19:imagenet", "RijksVGG19Net", "a.keras", "VGG19(x=f()):p"]
)
def test_bad_strings_say_what_is_accepted(spec):
    with pytest.raises(InputError):
        models.load(spec)


@pytest.mark.parametrize("size", [0, -3])
def test_sizes_are_above_0(size):
    for use in (models.load, lambda spec, size: zoo.build(spec, 2, size)):
        with pytest.raises(InputError, match=f"size is {size}; it must be above 0"):
            use(SMALL, size)


def test_missing_file_is_an_error():
    with pytest.raises(InputError, match="no weights file"):
        models.load("GoogLeNet:/nowhere.caffemodel")


def test_describe_lists_layers_and_preprocessing():
    text = models.describe(SMALL, size=32)
    assert "conv_pw_13" in text and "preprocessing: tf" in text and "N×1000" in text


def test_real_googlenet_from_rgb_pixels(shared):
    """The whole way: RGB pixels through our preprocessing give OpenCV's five best classes."""
    oracle = np.load(shared / "oracle" / "googlenet_opencv.npz")
    loaded = models.load(f"GoogLeNet:{shared}/weights/bvlc_googlenet.caffemodel")
    found = loaded.model.predict(oracle["images_rgb_uint8"].astype(np.float32), verbose=0)
    np.testing.assert_allclose(found, oracle["prob"], rtol=1e-3, atol=1e-6)
    best = np.argsort(-found, axis=1)[:, :5]
    np.testing.assert_array_equal(best, np.argsort(-oracle["prob"], axis=1)[:, :5])


def test_real_googlenet_as_a_trunk_for_a_new_head(shared):
    weights = f"{shared}/weights/bvlc_googlenet.caffemodel"
    model = zoo.build(f"GoogLeNet:{weights}", 3)
    oracle = np.load(shared / "oracle" / "googlenet_opencv.npz")
    features = keras.Model(model.inputs, model.get_layer("features").output)
    found = features.predict(oracle["images_rgb_uint8"].astype(np.float32), verbose=0)
    np.testing.assert_allclose(found, oracle["pool5|7x7_s1"], rtol=1e-3, atol=1e-4)


def test_saved_keeps_classes_beside_the_model(tmp_path):
    model = zoo.build(SMALL, 2, 32, seed=3)
    names = ["Boëtius", 'a "b"\n']
    network.save(Network(SMALL, model, names, "own"), tmp_path / "model.keras")
    opened = weights.saved(tmp_path / "model.keras")
    assert weights.read_about(tmp_path / "model.keras") == {
        "classes": names,
        "network": SMALL,
        "pixels": "own",
    }
    x = pixels(32)
    np.testing.assert_allclose(opened.predict(x, verbose=0), model.predict(x, verbose=0), rtol=1e-5)
    assert [p.name for p in tmp_path.iterdir()] == ["model.keras"]
    assert opened.output_shape == (None, 2)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("net.h5", "net.h5' must end in .keras"),
        ("net", "net' must end in .keras"),
        ("net.KERAS", "net.KERAS' must end in .keras"),
        ("no/such/net.keras", "no folder .*no/such to write into"),
    ],
)
def test_a_path_to_save_at_ends_in_keras(name, says, tmp_path):
    """Keras writes another kind of file by another ending."""
    inputs = keras.Input((8, 8, 3))
    opened = network.as_network(keras.Model(inputs, keras.layers.Conv2D(2, 3)(inputs)))
    with pytest.raises(InputError, match=says):
        network.save(opened, tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_converted_network_can_be_trained_on(tmp_path):
    """Its file says how it scales pixels by the scaling's name, a trained one's says `own`."""
    network.save(models.load(SMALL, size=32), tmp_path / "m.keras")
    model = zoo.build(f"{SMALL}:{tmp_path / 'm.keras'}", 2, 32)
    assert model.output_shape == (None, 2)
    with pytest.raises(InputError, match="was trained with pixels tf"):
        zoo.build(f"{SMALL}:{tmp_path / 'm.keras'}", 2, 32, pixels="unit")


def test_predict_is_the_networks_output():
    opened = models.load(SMALL, size=32)
    given = pixels(32, n=5)
    expected = opened.model.predict(given, verbose=0)
    for pictures in (given, given.astype("uint8"), given.astype("float64")):
        np.testing.assert_allclose(opened.predict(pictures, 2), expected, rtol=1e-4, atol=1e-7)
    assert opened.predict(given).dtype == np.float32


def test_predict_gives_every_output():
    inputs = keras.Input((None, None, 3))
    maps = keras.layers.Conv2D(2, 3)(inputs)
    opened = network.as_network(keras.Model(inputs, [maps, maps + 1.0]))
    first, second = opened.predict(pixels(8, n=3), 2)
    assert first.shape == (3, 6, 6, 2)
    np.testing.assert_allclose(second, first + 1)


@pytest.mark.parametrize(
    ("pictures", "says"),
    [
        (pixels(32)[0], r"have the shape \(32, 32, 3\); accepted: \(N, 32, 32, 3\), RGB; one"),
        (pixels(32)[..., :1], r"have the shape \(1, 32, 32, 1\); accepted"),
        (pixels(32)[:0], r"have the shape \(0, 32, 32, 3\)"),
        (pixels(16), r"have the shape \(1, 16, 16, 3\); MobileNet.* takes \(N, 32, 32, 3\)"),
        (pixels(32) - 300, "hold -300.0 to .*; accepted: 0 to 255"),
        (pixels(32) * 2, "hold 0.0 to 510.0; accepted: 0 to 255"),
        (pixels(32) * np.nan, "hold NaN or infinity"),
        (pixels(32) > 9, "are of bool"),
        ("a.jpg", "have the shape"),
    ],
)
def test_pictures_that_are_none(pictures, says):
    with pytest.raises(InputError, match=f"pictures {says}"):
        models.load(SMALL, size=32).predict(pictures)


def test_pictures_from_0_to_1_bring_a_warning():
    opened = models.load(SMALL, size=32)
    with pytest.warns(UserWarning, match="nearly black: MobileNet.* takes 0 to 255") as warned:
        opened.predict(pixels(32) / 255)
    assert len(warned) == 1 and warned[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        opened.predict(np.zeros((1, 32, 32, 3)))  # black
        opened.predict((pixels(32) > 99).astype("uint8"))
        replace(opened, pixels=None).predict(pixels(32) / 255)  # it may well take that


def test_layers_are_named_as_find_layer_takes_them(tmp_path):
    base = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(2, 3, name="inner")])
    base.name = "base"
    model = keras.Sequential([keras.Input((8, 8, 3)), base, keras.layers.Flatten(name="flat")])
    opened = network.as_network(model)
    assert opened.layers == ["base", "base/inner", "flat"]
    assert graph.find_layer(model, "base/inner") is base.layers[0]


@pytest.mark.parametrize(
    ("spec", "title"),
    [
        ("VGG19:a/b/vgg.h5", "VGG19\nvgg.h5"),
        (f"{SMALL}:imagenet", f"{SMALL}\nimagenet"),
        ("results/VGG19/random/model.keras", "VGG19/random\nmodel.keras"),
        ("own.keras", "own.keras"),
    ],
)
def test_a_figure_names_it_by_its_file_and_what_is_above(spec, title):
    assert Network(spec, None).title == title


def test_it_shows_what_it_is():
    opened = models.load(SMALL, size=32)
    assert repr(opened).startswith(f"Network('{SMALL}': RGB pictures of 32x32 pixels, 1000 outputs")
    assert "1000 classes by name" in repr(replace(opened, classes=["a", "b"]))
    inputs = keras.Input((None, None, 3))
    free = network.as_network(keras.Model(inputs, keras.layers.Conv2D(2, 3)(inputs)))
    assert "pictures of any size, 2 outputs, 2 layers" in repr(free)


def test_help_lists_what_there_is():
    assert set(models.__all__) <= set(vars(models))
    for name in set(models.__all__) - {"__version__"}:
        assert f"models.{name}(" in models.__doc__
        assert "Example:" in getattr(models, name).__doc__
    assert "VGG19" in models.names() and "RijksVGG19Net" in models.names()
    assert models.build(SMALL, 3, 32).output_shape == (None, 3)


def test_version_is_the_one_that_is_installed():
    """pyproject.toml reads it in models/__init__.py, the citation repeats it."""
    root = Path(models.__file__).parents[1]
    assert 'attr = "models.__version__"' in (root / "pyproject.toml").read_text()
    assert f"version: {models.__version__}\n" in (root / "CITATION.cff").read_text()


def test_many_classes_are_shortened(tmp_path):
    opened = models.load(SMALL, size=32)
    many = replace(opened, classes=[f"class{i}" for i in range(1000)])
    assert "class0, class1, " in network.describe(many)
    assert "class17, ..., class999\n" in network.describe(many) + "\n"


def test_as_network_takes_models_and_networks_only():
    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(1, 1)])
    taken = network.as_network(model)
    assert taken.model is model and taken.size == 8 and taken.output is None
    assert network.as_network(taken) is taken
    assert network.as_network(keras.Sequential([keras.layers.Dense(2)])).output is None
    with pytest.raises(InputError, match="accepted: a keras.Model"):
        network.as_network("VGG19")
