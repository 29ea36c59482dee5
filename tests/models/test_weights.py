"""Weights from a source into a network, and what a network or a source of weights is."""

import subprocess
import sys
import time
import zipfile

import h5py
import keras
import numpy as np
import pytest

import models
from models import initializers, own, weights, zoo
from models.errors import InputError
from tests.models.importers import keras2_files

SMALL = "MobileNet(alpha=0.25)"


def network(filters=4, seed=0, activation="relu", name=None):
    """Layers that Keras numbers, state that is no weight (dropout), batch normalisation."""
    x = inputs = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(filters, 3, activation=activation, name=name)(x)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.Dropout(0.5)(x)
    x = keras.layers.Conv2D(4, 3)(x) + 1.0
    outputs = keras.layers.Dense(2)(keras.layers.GlobalAveragePooling2D()(x))
    model = keras.Model(inputs, outputs)
    draw = np.random.default_rng(seed)
    model.set_weights([draw.normal(size=w.shape) for w in model.get_weights()])
    return model


def opened(path):
    return keras.models.load_model(path, compile=False)


@pytest.fixture
def later(monkeypatch):
    """Return later(): from then on the clock, also that of archives, says another day."""
    now, local = time.time, time.localtime

    def change():
        monkeypatch.setattr(time, "time", lambda: now() + 1e6)
        monkeypatch.setattr(
            time, "localtime", lambda at=None: local((now() if at is None else at) + 1e6)
        )

    return change


# --- which source


def test_the_word_for_a_source(tmp_path):
    path = tmp_path / "imagenet.h5"
    path.touch()
    assert weights.check_source("imagenet") == "imagenet"
    assert weights.check_source("none") is None and weights.check_source(None) is None
    assert weights.check_source(str(path)) == weights.check_source(path) == path
    for wrong in ("", "ImageNet", "None", tmp_path, tmp_path / "no.h5"):
        with pytest.raises(InputError, match="no weights file .*accepted: imagenet, none, or a"):
            weights.check_source(wrong)


def test_none_names_random_weights():
    one, other = (models.load(spec, size=32).model for spec in (SMALL, f"{SMALL}:none"))
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    with pytest.raises(InputError, match="weights is none"):
        weights.load(one, zoo.parse(SMALL), 32, "none")


# --- filled, and told


@pytest.mark.parametrize("ending", [".weights.h5", ".keras", ".h5"])
@pytest.mark.parametrize("top", [True, False])
def test_every_load_reports(ending, top, tmp_path):
    spec = zoo.parse(SMALL)
    source = keras.applications.MobileNet(alpha=0.25, weights=None, input_shape=(32, 32, 3))
    path = tmp_path / f"net{ending}"
    (source.save_weights if ending == ".weights.h5" else source.save)(path)
    if ending == ".weights.h5":  # Keras 3's weights are opened at ImageNet's size
        source = keras.applications.MobileNet(alpha=0.25, weights=None)
        source.save_weights(path)
    model = zoo.with_top(spec, 32, 1000) if top else zoo.trunk(spec, 32)
    report = weights.load(model, spec, 32, path)
    assert {name.split("/")[0] for _, name in report.loaded} == {
        layer.name for layer in model.layers if layer.weights
    }
    assert bool(report.skipped) == (not top) and "skipped" in report.text()
    if not top:
        assert all("conv_preds" in name for name, _ in report.skipped)
        assert "the network is built without" in report.text()
    for ours, theirs in zip(model.get_weights(), source.get_weights(), strict=False):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("top", [True, False])
def test_a_whole_model_in_hdf5_opens_by_its_string(top, tmp_path):
    shape = {"weights": None, "input_shape": (32, 32, 3)}
    extra = {"classes": 5} if top else {"include_top": False}
    source = keras.applications.VGG16(**shape, **extra)
    source.compile(optimizer="sgd", loss="categorical_crossentropy")
    source.save(tmp_path / "whole.h5")
    model = models.load(f"VGG16:{tmp_path}/whole.h5", size=32).model
    assert model.output_shape == ((None, 5) if top else (None, 1, 1, 512))
    for ours, theirs in zip(model.get_weights(), source.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_the_real_googlenet_is_reported(shared):
    path = shared / "weights" / "bvlc_googlenet.caffemodel"
    model = zoo.trunk(zoo.parse("GoogLeNet"), 224)
    text = weights.load(model, zoo.parse("GoogLeNet"), 224, path).text()
    assert text.startswith("weights: 57 loaded") and "holds no weights" in text
    assert "the network has no such layer, 1: 'loss3/classifier'" in text


# --- told by content


@pytest.mark.parametrize("name", ["net", "net.bin", "net.keras.txt", "net.h5", "net.weights"])
@pytest.mark.parametrize("kind", [".weights.h5", ".keras", ".h5"])
def test_a_file_of_keras_opens_under_any_name(kind, name, tmp_path):
    source = keras.applications.MobileNet(alpha=0.25, weights=None, include_top=False)
    written = tmp_path / f"source{kind}"
    (source.save_weights if kind == ".weights.h5" else source.save)(written)
    path = written.rename(tmp_path / name)
    model = zoo.build(f"{SMALL}:{path}", 2, 32)
    for ours, theirs in zip(model.get_weights(), source.get_weights(), strict=False):
        np.testing.assert_array_equal(ours, theirs)
    assert weights.is_keras(path) == (kind == ".keras")
    before = weights.identify(path)
    assert before == weights.identify(path.rename(written))
    assert sorted(each.name for each in tmp_path.iterdir()) == [written.name]


def test_files_of_other_programs_open_under_any_name(shared, tmp_path):
    link = tmp_path / "googlenet"
    link.symlink_to(shared / "weights" / "bvlc_googlenet.caffemodel")
    assert models.load(f"GoogLeNet:{link}").classes[281] == "tabby"
    graph = tmp_path / "graph.bin"
    node = b"\x0a\x01a\x12\x05Const"
    graph.write_bytes(2 * (b"\x0a" + bytes([len(node)]) + node))
    with pytest.raises(InputError, match="graph.bin has two nodes named 'a'"):
        models.load(f"InceptionV1:{graph}")


@pytest.mark.parametrize(
    "content",
    [b"", b"no weights at all", b"\x0a", b"\x0a\xff\xff\xff\xff\x0f", b"\xff" * 40, b"\x07\x01"]
    + [b"\x08\x01" * 30_000, b"\x00" * 64],
)
def test_what_no_program_wrote_is_no_weights_file(content, tmp_path):
    (tmp_path / "odd").write_bytes(content)
    with pytest.raises(InputError, match="odd is no weights file; accepted, under any name: HDF5"):
        models.load(f"{SMALL}:{tmp_path}/odd")


@pytest.mark.parametrize("kind", ["x.pt", "x.npz", "x.onnx"])
def test_files_of_pytorch_numpy_and_onnx_are_no_weights_files(kind, tmp_path):
    path = tmp_path / kind
    if kind == "x.pt":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data.pkl", b"")
    elif kind == "x.npz":
        np.savez(path, a=np.zeros(3))
    else:  # ir_version 8, producer_name, graph, opset_import
        path.write_bytes(b"\x08\x08\x12\x07pytorch" + b"\x3a\x02\x0a\x00" + b"\x42\x02\x10\x11")
    with pytest.raises(InputError, match=f"{kind} is no weights file; accepted, under any name"):
        models.load(f"{SMALL}:{path}")


@pytest.mark.slow
@pytest.mark.parametrize("named", [True, False])
def test_keras_3_s_weights_have_as_many_classes_as_their_top(named, tmp_path):
    """Also where layers have no names, as Keras 2 wrote such files."""
    path = tmp_path / "net.weights.h5"
    source = keras.applications.MobileNet(
        alpha=0.25, weights=None, classes=7, input_shape=(32, 32, 3)
    )
    source.save_weights(path)
    if not named:
        with h5py.File(path, "r+") as file:
            file.visititems(lambda _, group: group.attrs.pop("name", None) and None)
    assert weights.classes(zoo.parse(SMALL), path) == 7
    opened = models.load(f"{SMALL}:{path}", 32).model
    assert opened.output_shape == (None, 7)
    for model in (opened, zoo.build(f"{SMALL}:{path}", 2, 32)):
        for ours, theirs in zip(model.get_weights()[:-2], source.get_weights(), strict=False):
            np.testing.assert_array_equal(ours, theirs)


def test_keras_2_s_own_files_say_what_to_do(tmp_path):
    path = tmp_path / "old.keras"
    network().save(tmp_path / "net.keras")
    with zipfile.ZipFile(tmp_path / "net.keras") as new, zipfile.ZipFile(path, "w") as old:
        for name in new.namelist():
            version = b'{"keras_version": "2.15.0"}'
            old.writestr(name, version if name == "metadata.json" else new.read(name))
    opening = [models.load, lambda path: models.build(path, 2), own.side]
    for use in [*opening, lambda path: models.load(f"{SMALL}:{path}", 32)]:
        with pytest.raises(InputError, match=r"old.keras was saved by Keras 2.15.0, .*NAME:own.h5"):
            use(str(path))


def test_a_missing_file_brings_one_of_nearly_its_name(tmp_path):
    (tmp_path / "vgg19_artist.h5").touch()
    with pytest.raises(InputError, match=r"vgg19_artists.h5 \(did you mean .*/vgg19_artist.h5\?\)"):
        weights.check_source(tmp_path / "vgg19_artists.h5")
    with pytest.raises(InputError, match=r"no weights file imagnet \(did you mean imagenet\?\)"):
        weights.check_source("imagnet")
    with pytest.raises(InputError, match="no weights file /no/folder/a.h5; accepted"):
        weights.check_source("/no/folder/a.h5")


# --- what cannot be used, and what lies inside another network


@pytest.mark.parametrize("ending", [".weights.h5", ".keras", ".h5"])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_weights_that_are_no_numbers_are_named(bad, ending, tmp_path):
    shape = {"alpha": 0.25, "weights": None, "include_top": False}
    source = keras.applications.MobileNet(**shape, input_shape=(32, 32, 3))
    kernel = source.get_layer("conv_pw_5").kernel
    values = np.array(kernel)
    values[0, 0, 3, 4] = bad
    kernel.assign(values)
    path = tmp_path / f"net{ending}"
    (source.save_weights if ending == ".weights.h5" else source.save)(path)
    opening = [lambda text: zoo.build(text, 2, 32), lambda text: models.load(text, 32)]
    for use in opening:
        with pytest.raises(InputError, match=f"net{ending} holds weights .*1 of its .*: conv_pw_5"):
            use(f"{SMALL}:{path}")
    if ending == ".keras":
        with pytest.raises(InputError, match="conv_pw_5"):
            models.load(str(path))


@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_a_network_inside_another_gives_its_weights(ending, tmp_path):
    shape = {"alpha": 0.25, "weights": None, "include_top": False}
    base = keras.applications.MobileNet(**shape, input_shape=(32, 32, 3))
    layers = [keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(3)]
    whole = keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Rescaling(1 / 255), base])
    for layer in layers:
        whole.add(layer)
    path = tmp_path / f"whole{ending}"
    whole.save(path)
    for model in (zoo.build(f"{SMALL}:{path}", 2, 32), models.load(f"{SMALL}:{path}", 32).model):
        for ours, theirs in zip(model.get_weights(), base.get_weights(), strict=False):
            np.testing.assert_array_equal(ours, theirs)
    with pytest.raises(InputError, match="does not fit"):
        zoo.build(f"VGG16:{path}", 2, 32)


@pytest.mark.parametrize("hidden", [(), (16,)])
def test_a_head_of_another_s_making_leaves_the_features(hidden, tmp_path):
    """As the released networks: dense layers in place of the top that MobileNet has of its own."""
    shape = {"alpha": 0.25, "weights": None, "include_top": False, "pooling": "avg"}
    base = keras.applications.MobileNet(**shape, input_shape=(32, 32, 3))
    x = base.output
    for width in hidden:
        x = keras.layers.BatchNormalization()(keras.layers.Dense(width, "relu")(x))
    whole = keras.Model(base.inputs, keras.layers.Dense(3, "softmax")(x))
    whole.save(tmp_path / "whole.h5")
    opened = models.load(f"{SMALL}:{tmp_path}/whole.h5", 32)
    assert opened.model.output_shape == (None, 1, 1, 256)
    assert len(opened.report.skipped) == 2 + 6 * len(hidden)
    for model in (opened.model, zoo.build(f"{SMALL}:{tmp_path}/whole.h5", 2, 32)):
        for ours, theirs in zip(model.get_weights(), base.get_weights(), strict=False):
            np.testing.assert_array_equal(ours, theirs)


def test_the_last_normalization_of_a_convnext_with_its_top_is_that_of_its_features(tmp_path):
    """Keras names that layer in the network with its top only."""

    source, trunk = map(keras2_files.small_convnext, (True, False))
    source.set_weights([np.full(w.shape, n, w.dtype) for n, w in enumerate(source.weights)])
    source.save(tmp_path / "net.keras")
    weights.load(trunk, zoo.parse("ConvNeXtTiny"), 32, tmp_path / "net.keras")
    for ours, theirs in zip(trunk.get_weights(), source.get_weights(), strict=False):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.slow
@pytest.mark.parametrize("ending", [".weights.h5", ".keras"])
def test_adapted_scaling_is_used_once_it_is_filled(ending, tmp_path):
    """Keras's Normalization keeps what it computes with apart from its weights."""
    with initializers.undrawn_kernels():  # which JAX draws in half a minute
        source = keras.applications.EfficientNetB0(
            weights=None, include_top=False, input_shape=(32, 32, 3)
        )
    source.set_weights([np.ones(weight.shape, weight.dtype) for weight in source.weights])
    norm = next(x for x in source.layers if isinstance(x, keras.layers.Normalization))
    norm.set_weights([np.float32([1, 2, 3]), np.float32([4, 5, 6]), np.int64(7)])
    path = tmp_path / f"net{ending}"
    (source.save_weights if ending == ".weights.h5" else source.save)(path)
    model = zoo.build(f"EfficientNetB0:{path}", 2, 32)
    norm = next(x for x in model.layers if isinstance(x, keras.layers.Normalization))
    np.testing.assert_allclose(np.ravel(norm.mean), [1, 2, 3])
    np.testing.assert_allclose(np.ravel(norm.variance), [4, 5, 6])


# --- what a network is


def test_a_network_is_the_same_in_every_file_at_every_time(tmp_path, later):
    model = network()
    first, second = tmp_path / "first.keras", tmp_path / "second.keras"
    model.save(first)
    later()
    model.save(second)
    assert first.read_bytes() != second.read_bytes()
    packed = tmp_path / "packed.keras"
    with zipfile.ZipFile(first) as old, zipfile.ZipFile(packed, "w") as new:
        for name in reversed(old.namelist()):
            kind = zipfile.ZIP_DEFLATED if name == "config.json" else zipfile.ZIP_STORED
            new.writestr(name, old.read(name), kind)
        new.writestr("art_transfer.json", "{}")
    files = first, second, packed
    assert len({weights.identify(path) for path in files}) == 1
    assert {weights.fingerprint(opened(path)) for path in files} == {weights.fingerprint(model)}
    # nor does it matter how many layers this process had made before, or the model's name
    again = network()
    assert again.layers[1].name != model.layers[1].name
    assert weights.fingerprint(again) == weights.fingerprint(model)
    again.save(tmp_path / "again.keras")
    assert weights.identify(tmp_path / "again.keras") == weights.identify(first)


def test_training_state_is_no_part_of_a_network(tmp_path):
    model = network()
    model.save(tmp_path / "plain.keras")
    plain = weights.fingerprint(model), weights.identify(tmp_path / "plain.keras")
    values = model.get_weights()
    model.compile("adam", "mse", metrics=["mae"])
    model.fit(np.zeros((2, 8, 8, 3)), np.zeros((2, 2)), verbose=0)
    model.set_weights(values)
    model.save(tmp_path / "trained.keras")
    assert plain == (weights.fingerprint(model), weights.identify(tmp_path / "trained.keras"))


def test_what_only_training_minds_may_be_left_out():
    model = network()
    whole, outputs = weights.fingerprint(model), weights.fingerprint(model, trained=False)
    norm = next(x for x in model.layers if isinstance(x, keras.layers.BatchNormalization))
    norm.trainable, norm.momentum = False, 0.5
    assert weights.fingerprint(model) != whole
    assert weights.fingerprint(model, trained=False) == outputs
    norm.epsilon = 0.1
    assert weights.fingerprint(model, trained=False) != outputs


CHANGED = {
    "a weight": lambda: network(seed=1),
    "a width": lambda: network(filters=5),
    "an activation": lambda: network(activation="tanh"),
    "a name": lambda: network(name="stem"),
}


@pytest.mark.parametrize("what", CHANGED)
def test_another_network_is_another(what, tmp_path):
    model, other = network(), CHANGED[what]()
    assert weights.fingerprint(model) != weights.fingerprint(other)
    for ending in (".keras", ".h5"):
        paths = tmp_path / f"a{ending}", tmp_path / f"b{ending}"
        model.save(paths[0])
        other.save(paths[1])
        assert weights.identify(paths[0]) != weights.identify(paths[1])


@pytest.mark.parametrize("ending", [".keras", ".weights.h5", ".h5"])
def test_one_number_in_one_array_makes_another_network(ending, tmp_path):
    model = network()
    path = tmp_path / f"net{ending}"
    save = model.save_weights if ending == ".weights.h5" else model.save
    save(path)
    before = weights.identify(path), weights.fingerprint(model)
    save(path)
    assert before == (weights.identify(path), weights.fingerprint(model))
    bias = model.layers[-1].bias
    bias.assign(np.nextafter(np.asarray(bias), 9))
    save(path)
    after = weights.identify(path), weights.fingerprint(model)
    assert before[0] != after[0] and before[1] != after[1]


@pytest.mark.parametrize("ending", [".weights.h5", ".h5"])
def test_hdf5_is_what_it_holds_and_not_its_bytes(ending, tmp_path):
    path, copy = tmp_path / f"net{ending}", tmp_path / f"copy{ending}"
    model = network()
    (model.save_weights if ending == ".weights.h5" else model.save)(path)
    with h5py.File(path) as old, h5py.File(copy, "w", libver="latest") as new:
        for name in reversed(list(old)):
            old.copy(name, new)
        for name, value in old.attrs.items():
            new.attrs[name] = value
    assert path.read_bytes() != copy.read_bytes()
    assert weights.identify(path) == weights.identify(copy)


def test_names_of_fixed_and_of_variable_length_are_the_same(tmp_path):
    layers = keras2_files.small_layers()
    paths = tmp_path / "fixed.h5", tmp_path / "variable.h5"
    for path, variable in zip(paths, (False, True), strict=True):
        keras2_files.write(path, layers, variable=variable)
    assert weights.identify(paths[0]) == weights.identify(paths[1])
    layers[1], layers[2] = layers[2], layers[1]
    keras2_files.write(paths[1], layers)
    assert weights.identify(paths[0]) != weights.identify(paths[1])


def test_files_of_other_programs_are_their_bytes(tmp_path):
    path = tmp_path / "net.caffemodel"
    path.write_bytes(b"abc")
    # of FIPS 180-2, appendix B.1
    assert weights.identify(path).startswith("ba7816bf8f01cfea414140de5dae2223b00361a3")
    path.write_bytes(b"abd")
    assert not weights.identify(path).startswith("ba7816bf")
    assert weights.identify("imagenet") == "imagenet" and weights.identify("none") == "none"


@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_damaged_files_have_no_identity(ending, tmp_path):
    path = tmp_path / f"net{ending}"
    network().save(path)
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(InputError, match=f"net{ending}"):
        weights.identify(path)
    path.write_bytes(b"")
    with pytest.raises(InputError, match=f"net{ending}"):
        weights.identify(path)


@pytest.mark.parametrize("config", ["[" * 100_000, '{"a":' * 900 + "1" + "}" * 900, "{", "\xff"])
def test_descriptions_that_cannot_be_read_are_one_error(config, tmp_path):
    network().save(tmp_path / "net.keras")
    path = tmp_path / "odd.keras"
    with zipfile.ZipFile(tmp_path / "net.keras") as old, zipfile.ZipFile(path, "w") as new:
        new.writestr("config.json", config.encode("latin-1"))
        new.writestr("model.weights.h5", old.read("model.weights.h5"))
    with pytest.raises(InputError, match="odd.keras describes no layers") as error:
        weights.identify(path)
    assert "\n" not in str(error.value)


def test_keras_is_not_imported_to_identify(tmp_path):
    model = network()
    paths = [tmp_path / name for name in ("a.keras", "a.weights.h5", "a.h5")]
    model.save(paths[0])
    model.save_weights(paths[1])
    model.save(paths[2])
    code = (
        "import sys; from models import weights; "
        "print(*[weights.identify(path) for path in sys.argv[1:]]); "
        "sys.exit(bool({'keras', 'tensorflow', 'jax'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code, *paths], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [weights.identify(path) for path in paths]
