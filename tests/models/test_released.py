"""The released networks: found, checked, and equal to networks filled by hand."""

import hashlib
import itertools

import keras
import numpy as np
import pytest

import models
from models import released, zoo
from models.errors import InputError
from models.importers import keras_hdf5
from tests.models.importers import keras2_files


@pytest.fixture
def anything(tmp_path, monkeypatch):
    """Return put(place): a file with the content that the table is made to expect there."""
    content = b"weights"
    digest = hashlib.sha1(b"blob 7\0" + content).hexdigest()
    monkeypatch.setitem(released.RELEASED, ("creator", "V3"), digest)
    monkeypatch.delenv(released.FOLDER, raising=False)

    def put(place, content=content):
        path = tmp_path / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    return put


@pytest.fixture
def no_network(monkeypatch):
    def refuse(*_, **__):
        raise Exception("URL fetch failure: no network")  # what Keras raises

    monkeypatch.setattr(keras.utils, "get_file", refuse)


@pytest.mark.parametrize(
    "place",
    ["creator_V3_weights.h5"]
    + [f"{top}creator/V3/creator_V3_weights.h5" for top in ("", "models/")],
)
@pytest.mark.parametrize("by", ["argument", "environment"])
def test_a_file_is_found_flat_or_in_the_authors_layout(
    place, by, anything, no_network, tmp_path, monkeypatch
):
    path = anything(place)
    if by == "environment":
        monkeypatch.setenv(released.FOLDER, str(tmp_path))
    folder = tmp_path if by == "argument" else None
    assert released.find("artist", "V3", folder) == path
    assert released.find("creator", "V3", folder) == path


def test_a_changed_file_is_refused_and_kept(anything, no_network, tmp_path):
    path = anything("creator_V3_weights.h5", b"Weights")
    ids = released.blob_id(path), released.RELEASED["creator", "V3"]
    with pytest.raises(InputError, match=f"{ids[0]}, not {ids[1]}"):
        released.find("creator", "V3", tmp_path)
    assert path.exists()


def test_it_is_downloaded_once_checked_and_a_wrong_one_dropped(anything, tmp_path, monkeypatch):
    """Keras's own get_file, from a folder in place of the authors' repository."""
    source = anything("repository/creator/V3/creator_V3_weights.h5")
    monkeypatch.setattr(released, "REPOSITORY", (tmp_path / "repository").as_uri())
    cache = tmp_path / "keras"
    monkeypatch.setenv("KERAS_HOME", str(cache))
    source.write_bytes(b"an error page")
    with pytest.raises(InputError, match="not the released file"):
        released.find("artist", "V3")
    source.write_bytes(b"weights")
    path = released.find("artist", "V3")
    assert path.read_bytes() == b"weights" and path.is_relative_to(cache)
    path.write_bytes(b"wei")  # as a killed download of an earlier version left it
    assert released.find("artist", "V3") == path and path.read_bytes() == b"weights"
    source.unlink()
    assert released.find("artist", "V3") == path
    path.write_bytes(b"wei")
    with pytest.raises(InputError, match="is damaged .*it may be deleted.* put it into a folder"):
        released.find("artist", "V3")


def test_a_training_starts_from_the_file(anything, no_network, tmp_path, monkeypatch):
    path = anything("creator_V3_weights.h5")
    monkeypatch.setenv(released.FOLDER, str(tmp_path))
    for text in ("RijksInceptionV3:artist", "InceptionV3:RijksInceptionV3:artist"):
        assert released.as_start(zoo.parse(text)) == zoo.parse(f"InceptionV3:{path}")
    assert released.as_start(zoo.Spec("RijksInceptionV3")) == zoo.parse("InceptionV3")
    other = zoo.parse("VGG19:imagenet")
    assert released.as_start(other) is other
    with pytest.raises(InputError, match="RijksVGG19Net:artist is a VGG19; ResNet50 takes imagen"):
        models.build("ResNet50:RijksVGG19Net:artist", 5, 32)


def test_without_network_one_error_says_what_to_put_where(anything, no_network):
    with pytest.raises(InputError) as caught:
        released.RijksInceptionV3("artist")
    message = str(caught.value)
    assert "\n" not in message and "RIJKS_WEIGHTS" in message
    assert "master/models/creator/V3/creator_V3_weights.h5 and put it" in message


@pytest.mark.parametrize("challenge", ["material", "period", ""])
def test_what_was_not_released_is_said(challenge, no_network):
    with pytest.raises(InputError, match="VGG19 for .* were released; there are creator ResNet"):
        released.RijksVGG19Net(challenge)


def test_a_folder_that_is_not_there_is_said(no_network, tmp_path):
    with pytest.raises(InputError, match="no folder"):
        released.RijksVGG19Net("artist", tmp_path / "absent")


def test_the_table_is_the_eleven_files():
    assert len(released.RELEASED) == len(set(released.RELEASED.values())) == 11
    assert all(len(bytes.fromhex(blob)) == 20 for blob in released.RELEASED.values())
    assert ("material", "VGG19") not in released.RELEASED


def test_a_blob_id_is_gits(tmp_path):
    path = tmp_path / "hello"
    path.write_bytes(b"hello\n")
    # git hash-object of the file
    assert released.blob_id(path) == "ce013625030ba8dba906f756967f9e9ca394464a"


CLASSES = 7
# class of the layer today -> name Keras 2 gave it before `_N`, for layers without a name
NUMBERED = {
    "Conv2D": "conv2d",
    "BatchNormalization": "batch_normalization",
    "Activation": "activation",
    "MaxPooling2D": "max_pooling2d",
    "AveragePooling2D": "average_pooling2d",
    "Concatenate": "concatenate",
    "Add": "add",
    "GlobalAveragePooling2D": "global_average_pooling2d",
    "Dense": "dense",
}


def old_resnet50_trunk(x, pad):
    """ResNet50 of Keras 2.2 written out, layers without weights left to Keras's numbering."""
    norm = keras.layers.BatchNormalization  # its default epsilon is still 1e-3

    def conv(x, width, size, name, **options):
        x = keras.layers.Conv2D(width, size, name=f"res{name}", **options)(x)
        return norm(name=f"bn{name}")(x)

    if pad:
        x = keras.layers.ZeroPadding2D(3, name="conv1_pad")(x)
    how = "valid" if pad else "same"
    x = keras.layers.Conv2D(64, 7, strides=2, padding=how, name="conv1")(x)
    x = keras.layers.Activation("relu")(norm(name="bn_conv1")(x))
    x = keras.layers.MaxPooling2D(3, strides=2)(x)
    for stage, (width, blocks) in enumerate([(64, 3), (128, 4), (256, 6), (512, 3)], 2):
        for block in "abcdef"[:blocks]:
            name = f"{stage}{block}_branch"
            strides = 2 if block == "a" and stage > 2 else 1
            y = conv(x, width, 1, f"{name}2a", strides=strides)
            y = conv(keras.layers.Activation("relu")(y), width, 3, f"{name}2b", padding="same")
            y = conv(keras.layers.Activation("relu")(y), 4 * width, 1, f"{name}2c")
            if block == "a":
                x = conv(x, 4 * width, 1, f"{name}1", strides=strides)
            x = keras.layers.Activation("relu")(keras.layers.Add()([y, x]))
    return keras.layers.AveragePooling2D(7, name="avg_pool")(x)  # as before Keras 2.2


def by_hand(name, pad=True):
    """A released network as its authors built it, in [0, 255], small random weights."""
    size, scaling = zoo.NETWORKS[name]
    inputs = keras.Input((size, size, 3))
    scaled = zoo.preprocess(inputs, scaling)
    if name == "ResNet50":
        features = old_resnet50_trunk(scaled, pad)
    else:
        constructor = getattr(keras.applications, name)
        features = constructor(include_top=False, weights=None, input_tensor=scaled).output
    pooled = keras.layers.GlobalAveragePooling2D()(features)
    model = keras.Model(inputs, keras.layers.Dense(CLASSES, activation="softmax")(pooled))
    draw = np.random.default_rng(0)
    for weight in model.weights:
        shape = tuple(weight.shape)
        if len(shape) > 1:  # He et al. 2015: activations keep their size
            value = draw.standard_normal(shape, "f4") * np.sqrt(2 / np.prod(shape[:-1]))
        else:  # normalization near the identity, but every array another
            near = 1 if weight.name in ("gamma", "moving_variance") else 0
            value = near + 0.1 * draw.standard_normal(shape, "f4")
        weight.assign(np.abs(value) if weight.name == "moving_variance" else value)
    # a head for which the two pictures differ by about one in every class
    trunk = keras.Model(inputs, pooled)
    first, second = keras.ops.convert_to_numpy(trunk(pictures(size)))
    kernel, bias = model.weights[-2:]
    kernel.assign(kernel / np.std(kernel) / np.linalg.norm(first - second))
    bias.assign(-(first + second) / 2 @ keras.ops.convert_to_numpy(kernel))
    return model


def pictures(size):
    """Two unlike pictures in [0, 255]: noise, and a slope from dark red to light blue."""
    noise = np.random.default_rng(1).integers(0, 256, (size, size, 3))
    slope = np.linspace([90, 0, 0], [150, 200, 255], size)[:, None] + np.zeros((size, size, 3))
    return np.stack([noise, slope]).astype("f4")


def same_outputs(model, expected):
    given = pictures(expected.input_shape[1])
    wanted = keras.ops.convert_to_numpy(expected(given))
    assert np.abs(wanted[0] - wanted[1]).max() > 0.05  # the pictures make a difference
    np.testing.assert_allclose(keras.ops.convert_to_numpy(model(given)), wanted, atol=1e-5)


def as_keras_2(model, path):
    """Write a model's weights with the names of Keras 2.2: numbers from 1, in order of making."""
    names = {}
    counts = {kind: itertools.count(1) for kind in NUMBERED.values()}

    def number(layer):
        *_, last = layer.name.split("_")
        return int(last) if last.isdigit() else 0

    for layer in sorted(model.layers, key=number):
        kind = NUMBERED.get(type(layer).__name__)
        numbered = kind and layer.name.removesuffix(f"_{number(layer)}") == kind
        names[layer.name] = f"{kind}_{next(counts[kind])}" if numbered else layer.name
    layers = [("input_1", [])]
    for layer in model.layers:
        # the authors prepared pixels outside the network
        if isinstance(layer, keras.layers.InputLayer) or layer.name == "preprocessing":
            continue
        name = names[layer.name]
        weights = [(f"{name}/{w.name}:0", keras.ops.convert_to_numpy(w)) for w in layer.weights]
        layers.append((name, weights))
    return keras2_files.write(path, layers)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("function", "name", "net"),
    [
        ("RijksVGG19Net", "VGG19", "VGG19"),
        ("RijksResNet50", "ResNet50", "ResNet"),
        ("RijksInceptionV3", "InceptionV3", "V3"),
        ("RijksXception", "Xception", "Xception"),
    ],
)
def test_a_released_network_is_the_one_filled_by_hand(function, name, net, tmp_path, monkeypatch):
    expected = by_hand(name)
    path = as_keras_2(expected, tmp_path / f"type_{net}_weights.h5")
    monkeypatch.setitem(released.RELEASED, ("type", net), released.blob_id(path))
    model = getattr(released, function)("type", tmp_path)
    assert model.layers[-1].name == "head"
    same_outputs(model, expected)


@pytest.mark.slow
def test_resnet50_with_the_other_padding_of_conv1(tmp_path, monkeypatch):
    """Some versions of Keras 2 padded conv1 by `same`; the file's layer names tell."""
    expected = by_hand("ResNet50", pad=False)
    path = as_keras_2(expected, tmp_path / "creator_ResNet_weights.h5")
    monkeypatch.setitem(released.RELEASED, ("creator", "ResNet"), released.blob_id(path))
    model = released.RijksResNet50("artist", tmp_path)
    same_outputs(model, expected)


@pytest.mark.slow
def test_inception_v3_is_numbered_as_in_keras_2():
    """Widths of conv2d_1 ... conv2d_94 in the order in which Keras 2.0 to 2.2 made them."""
    a = [64, 48, 64, 64, 96, 96]  # 1x1; 5x5; 3x3 twice; the pool's own differs
    sevens = [[192, w, w, 192, w, w, w, w, 192, 192] for w in (128, 160, 160, 192)]
    wide = [320, 384, 384, 384, 448, 384, 384, 384, 192]
    widths = [32, 32, 64, 80, 192, *a, 32, *a, 64, *a, 64, 384, 64, 96, 96]
    widths += [*sum(sevens, []), 192, 320, 192, 192, 192, 192, *wide, *wide]
    model = keras.applications.InceptionV3(include_top=False, weights=None, input_shape=(75, 75, 3))
    names = keras_hdf5._numbered("Conv2D", [layer.name for layer in model.layers])
    assert [model.get_layer(name).filters for name in names] == widths
