import re
import subprocess
import sys

import keras
import numpy as np
import pytest

from models import initializers, released, weights, zoo
from models.errors import InputError

SMALL = "MobileNet(alpha=0.25)"


def pixels(n=2, size=32, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (n, size, size, 3)).astype(np.float32)


@pytest.mark.parametrize("name", sorted(zoo.NETWORKS))
def test_every_row_names_a_network_of_keras_or_ours(name):
    assert hasattr(keras.applications, name) != (name in zoo.OWN)


@pytest.mark.parametrize("mode", ["caffe", "tf", "torch"])
def test_preprocessing_is_the_one_of_keras(mode):
    from keras.applications import imagenet_utils

    x = keras.Input((4, 4, 3))
    ours = keras.Model(x, zoo.preprocess(x, mode))
    given = pixels(size=4)
    expected = imagenet_utils.preprocess_input(given.copy(), mode=mode, data_format="channels_last")
    np.testing.assert_allclose(ours.predict(given, verbose=0), expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "module"),
    [("VGG19", "vgg19"), ("ResNet50", "resnet"), ("InceptionV3", "inception_v3")]
    + [("Xception", "xception"), ("DenseNet121", "densenet"), ("MobileNetV2", "mobilenet_v2")],
)
def test_table_gives_each_network_its_own_preprocessing(name, module):
    x = keras.Input((4, 4, 3))
    ours = keras.Model(x, zoo.preprocess(x, zoo.NETWORKS[name][1]))
    given = pixels(size=4)
    expected = getattr(keras.applications, module).preprocess_input(given.copy())
    np.testing.assert_allclose(ours.predict(given, verbose=0), expected, rtol=1e-5, atol=1e-4)


def test_unit_pixels_are_the_papers():
    x = keras.Input((4, 4, 3))
    given = pixels(size=4)
    ours = keras.Model(x, zoo.preprocess(x, "unit")).predict(given, verbose=0)
    np.testing.assert_allclose(ours, given / 255, rtol=1e-6)


def test_built_network_is_flat_and_counts_its_head():
    model = zoo.build(SMALL, 7, 32)
    assert not [layer for layer in model.layers if isinstance(layer, keras.Model)]
    assert model.get_layer("features").output.shape == (None, 256)
    assert model.get_layer("head").count_params() == 256 * 7 + 7
    np.testing.assert_allclose(model.predict(pixels(), verbose=0).sum(axis=1), 1, rtol=1e-5)


def test_papers_head_and_network_sizes():
    """Table 2 prints Params 20K for VGG19 with 206 materials; that is its size in millions."""
    model = zoo.build("VGG19", 206, 32)
    assert model.get_layer("head").count_params() == 512 * 206 + 206
    assert model.count_params() == 20_024_384 + 512 * 206 + 206


def test_parse_reads_literals_and_evaluates_nothing():
    spec = zoo.parse(" MobileNet(alpha=0.25, depth_multiplier=1) ")
    assert spec.arguments == (("alpha", 0.25), ("depth_multiplier", 1))
    assert spec.text == "MobileNet(alpha=0.25, depth_multiplier=1)"
    assert (spec.size, spec.pixels, spec.weights) == (224, "tf", None)


@pytest.mark.parametrize(
    ("text", "name", "arguments", "weights"),
    [
        ("VGG19:imagenet", "VGG19", (), "imagenet"),
        ("MobileNet(alpha=0.25):a (1):b.h5", "MobileNet", (("alpha", 0.25),), "a (1):b.h5"),
        ("MobileNet(x=(1, 2)):p", "MobileNet", (("x", (1, 2)),), "p"),
        ("RijksVGG19Net:artist", "RijksVGG19Net", (), "artist"),
        ("a/VGG19/model.keras", "", (), "a/VGG19/model.keras"),
        ("own.keras:none", "", (), None),
        ("MobileNet:own.keras", "MobileNet", (), "own.keras"),
    ],
)
def test_parse_reads_weights_of_every_form(text, name, arguments, weights):
    spec = zoo.parse(text)
    assert (spec.name, spec.arguments, spec.weights) == (name, arguments, weights)
    assert spec.text == text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("VGG91", "no network 'VGG91' (did you mean VGG19"),
        ("vgg19:imagenet", "did you mean VGG19 or VGG16?"),
        ("Resnet50(x=1)", "did you mean ResNet50"),
        ("RijksVGG19", "did you mean RijksVGG19Net"),
        ("nothing like it", "no network 'nothing like it'; accepted: NAME"),
        ("own.h5", "own.h5 may be weights of any network; accepted: NAME:own.h5, or a .keras file"),
        ("vgg19:own.keras", "no network 'vgg19' (did you mean VGG19 or VGG16?); accepted: NAME"),
        ("VGG18:own.h5", "no network 'VGG18' (did you mean VGG19 or VGG16?)"),
        ("ResNet-50:own.h5", "no network 'ResNet-50' (did you mean ResNet50"),
        ("nothing:own.keras:none", "no network 'nothing'; accepted: NAME"),
        ("RijksVGG19Net", "needs a challenge: RijksVGG19Net:artist or RijksVGG19Net:type"),
        ("RijksVGG19Net:material", "no weights of VGG19 for 'material' were released"),
        ("RijksXception:artists", "for 'artists' were released; accepted: artist, creator, mat"),
    ],
)
def test_mistakes_are_told_with_what_was_meant(text, says):
    with pytest.raises(InputError, match=re.escape(says)):
        zoo.parse(text)


def test_a_colon_may_be_in_a_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "vgg19:own.keras").touch()
    for text in ("vgg19:own.keras", "a/vgg19:own.keras", "C:own.keras"):
        assert zoo.parse(text).file == text


@pytest.mark.parametrize("classes", [0, -1, "5", 2.0, True])
def test_a_count_of_classes_is_a_whole_number(classes):
    with pytest.raises(InputError, match=f"classes is {classes!r}; it must be a whole number abo"):
        zoo.build(SMALL, classes, 32)


def test_one_output_is_a_score_and_no_softmax_of_it():
    """As MemNet's; a softmax over one output is 1 whatever the picture."""
    for spec, size in ((SMALL, 32), ("CaffeNet", 39)):
        model = zoo.with_top(zoo.parse(spec), size, 1)
        assert model.layers[-1].activation is keras.activations.linear
        assert model.output_shape == (None, 1)


@pytest.mark.parametrize("text", ["RijksVGG19Net:artist", "VGG19:RijksVGG19Net:artist"])
def test_a_released_network_is_built_of_its_file_alone(text):
    zoo.parse(text).check()
    with pytest.raises(InputError, match="has a head of its own; accepted: what models.released"):
        zoo.build(text, 5, 32)


def test_challenges_are_those_of_the_released_files():
    for name, architecture in zoo.RIJKS.items():
        for challenge in zoo.CHALLENGES:
            key = (released.CHALLENGES[challenge], released.FILES[architecture])
            assert (key in released.RELEASED) == ((name, challenge) not in zoo.NEVER_RELEASED)


def test_whether_a_string_says_what_it_starts_from():
    named = ["VGG19:none", "VGG19:imagenet", "a.keras", "a.keras:none", "RijksVGG19Net:type"]
    assert all(map(zoo.names_weights, named)) and not zoo.names_weights("VGG19")


def test_parse_does_not_import_keras():
    code = (
        "import sys; from models import zoo; zoo.parse('VGG19:imagenet').check();"
        "sys.exit(bool({'keras', 'tensorflow', 'h5py', 'numpy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    "spec",
    ["", "VGG", "vgg19", "MobileNet(alpha=print(1))", "MobileNet(0.25)", "MobileNet(**{})"]
    + ["VGG19(weights='imagenet')", "VGG19(include_top=True)", "os.system('ls')", "VGG19)", "1"]
    + ["(" * 5000, "MobileNet(alpha=[].__class__)"],
)
def test_bad_specs_name_what_is_accepted(spec):
    with pytest.raises(InputError):
        zoo.parse(spec)


@pytest.mark.parametrize(
    ("spec", "size"), [("VGG19", 8), ("MobileNet(alpha='x')", 32), ("MobileNet(beta=1)", 32)]
)
def test_what_keras_refuses_is_one_clear_error(spec, size):
    with pytest.raises(InputError, match="cannot be built"):
        zoo.build(spec, 2, size)


def test_every_named_scaling_may_be_asked_for():
    layer = zoo.build(SMALL, 2, 32, pixels="caffenet").get_layer("preprocessing")
    np.testing.assert_allclose(layer.offset, zoo.PIXELS["caffenet"]["offset"])


def test_unit_pixels_are_refused_where_the_network_scales():
    with pytest.raises(InputError, match="pixels"):
        zoo.build("MobileNetV3Small", 2, 32, pixels="unit")


def test_he_uniform_limits_and_seed():
    one, same, other = (zoo.build(SMALL, 3, 32, seed=s) for s in (1, 1, 2))
    for a, b in zip(one.get_weights(), same.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert np.abs(one.get_weights()[0] - other.get_weights()[0]).max() > 0.01
    for name, fan_in in [("conv1", 27), ("conv_dw_1", 9), ("conv_pw_1", 8), ("head", 256)]:
        kernel = np.asarray(keras.ops.convert_to_numpy(one.get_layer(name).kernel))
        limit = np.sqrt(6 / fan_in)
        assert np.abs(kernel).max() <= limit
        assert np.abs(kernel).std() == pytest.approx(limit / np.sqrt(12), rel=0.25)


def trunk_and_file(tmp_path, suffix, top):
    """A weights file written by Keras, and the network it should fill."""
    shape = {"input_shape": (32, 32, 3), "alpha": 0.25, "weights": None}
    extra = {} if top else {"include_top": False}
    source = keras.applications.MobileNet(**(shape if not top else shape), **extra)
    path = tmp_path / f"net{suffix}"
    source.save_weights(path)
    return source, path


@pytest.mark.parametrize("top", [False, True])
def test_weights_file_fills_the_trunk(tmp_path, top):
    source, path = trunk_and_file(tmp_path, ".weights.h5", top)
    model = zoo.build(f"{SMALL}:{path}", 3, 32)
    for name in ("conv1", "conv_dw_5", "conv_pw_13", "conv_pw_13_bn"):
        for ours, theirs in zip(
            model.get_layer(name).get_weights(), source.get_layer(name).get_weights(), strict=True
        ):
            np.testing.assert_array_equal(ours, theirs)


def test_keras_file_gives_its_trunk_and_keeps_a_new_head(tmp_path):
    source = zoo.build(SMALL, 5, 32, seed=3)
    source.save(tmp_path / "a.keras")
    model = zoo.build(f"{SMALL}:{tmp_path / 'a.keras'}", 2, 32)
    x = pixels()
    features = [keras.Model(m.inputs, m.get_layer("features").output) for m in (source, model)]
    np.testing.assert_allclose(*[f.predict(x, verbose=0) for f in features], rtol=1e-6)
    assert model.output_shape == (None, 2)


def test_weights_of_another_network_do_not_fit(tmp_path):
    _, path = trunk_and_file(tmp_path, ".weights.h5", False)
    with pytest.raises(InputError, match="hold 135 arrays"):
        zoo.build(f"VGG19:{path}", 2, 32)
    with pytest.raises(InputError, match="do not fit"):
        zoo.build(f"MobileNet(alpha=0.5):{path}", 2, 32)
    zoo.build(SMALL, 2, 32).save(tmp_path / "a.keras")
    with pytest.raises(
        InputError, match=r"does not fit mobilenet_0.50_None: .*of another shape \d+: 'conv1'"
    ):
        zoo.build(f"MobileNet(alpha=0.5):{tmp_path / 'a.keras'}", 2, 32)


@pytest.mark.parametrize("suffix", [".weights.h5", ".h5", ".keras"])
@pytest.mark.parametrize(
    "content", [b"", b"no weights at all", b"\x89HDF\r\n\x1a\n", b"PK\x03\x04"]
)
def test_files_that_are_no_weights(tmp_path, suffix, content):
    path = tmp_path / f"bad{suffix}"
    path.write_bytes(content)
    with pytest.raises(InputError, match="bad"):
        zoo.build(f"{SMALL}:{path}", 2, 32)


@pytest.mark.parametrize("suffix", [".weights.h5", ".keras"])
def test_truncated_weights(tmp_path, suffix):
    path = tmp_path / f"cut{suffix}"
    if suffix == ".keras":
        zoo.build(SMALL, 2, 32).save(path)
    else:
        _, whole = trunk_and_file(tmp_path, suffix, False)
        path.write_bytes(whole.read_bytes())
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match="cut"):
        zoo.build(f"{SMALL}:{path}", 2, 32)


def test_missing_weights_are_an_error_never_random():
    with pytest.raises(InputError, match="no weights file"):
        zoo.build(f"{SMALL}:/nowhere/net.weights.h5", 2, 32)


def test_imagenet_without_network_is_one_clear_error(monkeypatch, tmp_path):
    def offline(*args, **kwargs):
        raise Exception("URL fetch failure")  # what Keras raises

    monkeypatch.setattr(keras.utils, "get_file", offline)
    monkeypatch.setattr("keras.src.applications.mobilenet.file_utils.get_file", offline)
    with pytest.raises(InputError, match="give weights the path of a file"):
        zoo.build(f"{SMALL}:imagenet", 2, 128)


def test_real_mobilenet_tells_pictures_apart(shared):
    """The real ImageNet weights give the same features with and without our preprocessing."""
    path = str(shared / "weights" / "mobilenet_v1_0.25_128.weights.h5")
    model = zoo.build(f"{SMALL}:{path}", 2, 128)
    bare = keras.applications.MobileNet(alpha=0.25, input_shape=(128, 128, 3), weights=None)
    bare.load_weights(path)
    x = pixels(size=128)
    pooled = bare.get_layer("dropout").input
    theirs = keras.Model(bare.inputs, pooled).predict(x / 127.5 - 1, verbose=0)
    ours = keras.Model(model.inputs, model.get_layer("features").output).predict(x, verbose=0)
    np.testing.assert_allclose(ours, theirs.reshape(ours.shape), rtol=1e-4, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["Xception", "InceptionV3"])
def test_layers_numbered_per_process_are_paired_by_order(tmp_path, name):
    """`conv2d_4` in the file is another number in this process."""
    shape = {"include_top": False, "weights": None, "input_shape": (75, 75, 3)}
    source = getattr(keras.applications, name)(**shape)
    source.save_weights(tmp_path / "net.weights.h5")
    source.save(tmp_path / "net.keras")
    for path in ("net.weights.h5", "net.keras"):
        trunk = zoo.trunk(zoo.parse(name), 75)
        weights.load(trunk, zoo.parse(name), 75, str(tmp_path / path))
        for ours, theirs in zip(trunk.get_weights(), source.get_weights(), strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_efficientnet_scales_as_with_its_imagenet_weights():
    """Keras adds this scaling only where it loads ImageNet's weights itself."""
    layers = zoo.build("EfficientNetB0", 2, 32).layers
    place = [isinstance(layer, keras.layers.Normalization) for layer in layers].index(True)
    scale = layers[place + 1].get_config()["scale"]
    np.testing.assert_allclose(scale, 1 / np.sqrt([0.229, 0.224, 0.225]))
    assert sum(isinstance(layer, keras.layers.Rescaling) for layer in layers) == 2


@pytest.mark.parametrize("ending", [".keras", ".h5"])
@pytest.mark.parametrize("divided", [True, False])
def test_efficientnet_scales_as_its_file_does(divided, ending, tmp_path):
    """Built by Keras without ImageNet's weights, it lacks the second scaling, and so it is here."""
    x = inputs = keras.Input((32, 32, 3))
    x = keras.layers.Normalization()(keras.layers.Rescaling(1 / 255)(x))
    x = keras.layers.Rescaling([2.0, 2.0, 2.0])(x) if divided else x
    x = keras.layers.Conv2D(2, 3)(keras.layers.ZeroPadding2D()(x))
    # whatever comes after the stem
    inner = keras.Model(inputs, keras.layers.Rescaling(0.5)(x))
    outer = keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Rescaling(255.0), inner])
    for model in (inner, outer):
        model.save(tmp_path / f"net{ending}")
        spec = zoo.parse(f"EfficientNetB0:{tmp_path}/net{ending}")
        assert spec._divides_by_deviation() is divided
    with initializers.undrawn_kernels():
        layers = zoo.trunk(spec, 32).layers
    assert sum(isinstance(layer, keras.layers.Rescaling) for layer in layers) == 1 + divided


def test_he_uniform_reaches_nested_convolutions():
    model = zoo.build("ConvNeXtTiny", 2, 32)
    stem = next(layer for layer in model.layers if layer.name.endswith("_stem"))
    kernel = max((w for w in stem.get_weights()), key=np.size)
    limit = np.sqrt(6 / (4 * 4 * 3))
    assert limit / 2 < np.abs(kernel).max() <= limit
