"""Old Keras files into today's networks: which array goes where; hostile files."""

import faulthandler
import os
import resource
import sys

import h5py
import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from keras.src.legacy.saving import legacy_h5_format

import models
from models import zoo
from models.errors import InputError
from models.importers import keras_hdf5
from tests.models.importers import keras2_files

# Old Keras files into today's networks: which array goes where.

# fire2 to fire9 of SqueezeNet v1.1 (Iandola et al. 2016, release 1.1): squeeze and expand widths
FIRES = {2: (16, 64), 3: (16, 64), 4: (32, 128), 5: (32, 128)} | {
    6: (48, 192),
    7: (48, 192),
    8: (64, 256),
    9: (64, 256),
}


def squeezenet():
    x = inputs = keras.Input((64, 64, 3))
    x = keras.layers.Conv2D(64, 3, strides=2, activation="relu", name="conv1")(x)
    x = keras.layers.MaxPooling2D(3, 2)(x)
    for number, (squeeze, expand) in FIRES.items():
        name = f"fire{number}"
        x = keras.layers.Conv2D(squeeze, 1, activation="relu", name=f"{name}_squeeze1x1")(x)
        sides = [
            keras.layers.Conv2D(
                expand, n, padding="same", activation="relu", name=f"{name}_expand{n}x{n}"
            )(x)
            for n in (1, 3)
        ]
        x = keras.layers.Concatenate()(sides)
        if number in (3, 5):
            x = keras.layers.MaxPooling2D(3, 2)(x)
    return keras.Model(inputs, x, name="SqueezeNet")


def small(classes=3, head="head", named=True):
    """Two convolutions that Keras numbers, one separable with a name, a head."""
    x = inputs = keras.Input((9, 9, 3))
    for _ in range(2):
        x = keras.layers.Conv2D(3, 3, padding="same", use_bias=False)(x)
        x = keras.layers.BatchNormalization(scale=False)(x)
    x = keras.layers.SeparableConv2D(5, 3, name="sep" if named else None)(x)
    x = keras.layers.BatchNormalization(name="sep_bn" if named else None)(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    if classes:
        x = keras.layers.Dense(classes, name=head)(x)
    return keras.Model(inputs, x, name="small")


def arrays(*shapes, seed=0):
    draw = np.random.default_rng(seed)
    return [draw.normal(size=shape).astype("f4") for shape in shapes]


def small_file(path, classes=3, first=1, head="dense_1", **options):
    """What Keras 2.2 would write of small(), its numbering starting at `first`."""
    values = arrays(
        (3, 3, 3, 3), (3,), (3,), (3,), (3, 3, 3, 3), (3,), (3,), (3,), (3, 3, 3, 1), (1, 1, 3, 5),
        (5,), (5,), (5,), (5,), (5,), (5, classes), (classes,),
    )  # fmt: skip
    norm = ["beta", "moving_mean", "moving_variance"]
    names = {
        "input_1": [],
        f"conv2d_{first}": ["kernel"],
        f"batch_normalization_{first}": norm,
        f"conv2d_{first + 1}": ["kernel"],
        f"batch_normalization_{first + 1}": norm,
        "sep": ["depthwise_kernel", "pointwise_kernel", "bias"],
        "sep_bn": ["gamma", *norm],
        "global_average_pooling2d_1": [],
        head: ["kernel", "bias"],
    }
    value = iter(values)
    layers = [(name, [(f"{name}/{w}:0", next(value)) for w in ws]) for name, ws in names.items()]
    return keras2_files.write(path, layers, **options), values


def test_a_real_keras_1_file_loads_whole(shared):
    path = shared / "weights" / "squeezenet_v1.1_notop_keras1.h5"
    model = squeezenet()
    report = keras_hdf5.load(path, model)
    assert len(report.loaded) == len(model.weights) == 50 and not report.skipped
    assert ("fire2/squeeze1x1/uniform2", "fire2_squeeze1x1/kernel") in report.loaded
    given = dict(keras_hdf5.read(path))
    assert len(given) == 63  # with the layers without weights
    for layer in model.layers:
        for variable, (_, value) in zip(
            layer.weights, given.get(layer.name.replace("_", "/"), []), strict=True
        ):
            np.testing.assert_array_equal(variable, value)
    # trained: a blank and a striped picture are told apart, and nothing overflows
    stripes = np.zeros((1, 64, 64, 3), "f4")
    stripes[:, ::4] = 127
    found = keras.ops.convert_to_numpy(model(np.concatenate([stripes, 0 * stripes])))
    assert np.isfinite(found).all() and np.abs(found[0] - found[1]).max() > 1


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"group": "model_weights"},
        {"parts": 3},
        {"first": 8, "backend": None},
        {"first": 100, "backend": b"cntk"},
        {"variable": True},
        {"variable": True, "group": "model_weights", "parts": 3},
        {"variable": True, "libver": "latest"},
        {"variable": True, "libver": "latest", "track_order": True},
        {"variable": True, "track_order": True},
    ],
)
def test_every_array_is_loaded_in_its_place(options, tmp_path):
    path, values = small_file(tmp_path / "w.h5", **options)
    model = small()
    report = keras_hdf5.load(path, model)
    # small()'s own order is that of the file
    assert len(model.weights) == len(values) == len(report.loaded)
    for variable, value in zip(model.weights, values, strict=True):
        np.testing.assert_array_equal(variable, value)
    assert report.loaded[-1] == ("dense_1/dense_1/bias:0", "head/bias") and not report.skipped
    assert keras_hdf5.classes(path) == 3
    assert keras_hdf5.layers(path)[0] == "input_1" and len(keras_hdf5.layers(path)) == 9


def test_numbered_layers_go_by_number_and_not_by_place(tmp_path):
    """Keras sorts a file's layers by depth; the numbers tell in which order they were made."""
    kernels = arrays((1, 1, 3, 3), (1, 1, 3, 3))
    layers = [
        ("conv2d_10", [("conv2d_10/kernel:0", kernels[1])]),
        ("conv2d_9", [("conv2d_9/kernel:0", kernels[0])]),
    ]
    path = keras2_files.write(tmp_path / "w.h5", layers)
    x = inputs = keras.Input((4, 4, 3))
    for _ in range(2):
        x = keras.layers.Conv2D(3, 1, use_bias=False)(x)
    model = keras.Model(inputs, x)
    keras_hdf5.load(path, model)
    for variable, kernel in zip(model.weights, kernels, strict=True):
        np.testing.assert_array_equal(variable, kernel)


def test_variables_go_by_name_where_they_have_one(tmp_path):
    """Four arrays of one shape: only the names tell which is which."""
    values = dict(
        zip(("running_std", "beta", "gamma", "running_mean"), arrays(*[(3,)] * 4), strict=True)
    )
    path = keras2_files.write(
        tmp_path / "w.h5", [("norm", [(f"norm_{name}:0", v) for name, v in values.items()])]
    )
    inputs = keras.Input((4, 4, 3))
    layer = keras.layers.BatchNormalization(name="norm")
    keras_hdf5.load(path, keras.Model(inputs, layer(inputs)))
    for name, old in (("gamma", "gamma"), ("beta", "beta"), ("moving_mean", "running_mean")):
        np.testing.assert_array_equal(getattr(layer, name), values[old])
    np.testing.assert_array_equal(layer.moving_variance, values["running_std"])


def test_a_head_fits_by_place_and_is_left_where_the_network_has_none(tmp_path):
    path, values = small_file(tmp_path / "w.h5", head="my_classes")
    model = small()
    keras_hdf5.load(path, model)
    np.testing.assert_array_equal(model.get_layer("head").kernel, values[-2])
    trunk = small(classes=0)
    report = keras_hdf5.load(path, trunk)
    assert [name for name, _ in report.skipped] == [
        "my_classes/my_classes/kernel:0",
        "my_classes/my_classes/bias:0",
    ]
    np.testing.assert_array_equal(trunk.weights[0], values[0])


def with_head(head):
    """small() without its top, and after it Dense for a number, BatchNormalization for "norm"."""
    trunk = small(classes=0)
    x = trunk.output
    for width in head:
        norm = width == "norm"
        x = keras.layers.BatchNormalization()(x) if norm else keras.layers.Dense(width)(x)
    return keras.Model(trunk.inputs, x)


@pytest.mark.parametrize("head", [(3,), (4, 3), (4, "norm", 3), ("norm", 3), (4, "norm", 4, 3)])
def test_a_head_of_any_dense_layers_and_normalizations_is_left(head, tmp_path):
    """Also where the head's normalization is numbered after those of the network."""
    source = with_head(head)
    source.set_weights(arrays(*[w.shape for w in source.weights]))
    path = tmp_path / "x.h5"
    source.save(path)
    trunk = small(classes=0)
    report = keras_hdf5.load(path, trunk)
    assert {reason for _, reason in report.skipped} == {"the network is built without a top"}
    for ours, theirs in zip(trunk.weights, source.weights, strict=False):
        np.testing.assert_array_equal(ours, theirs)
    whole = small(head="predictions")
    # a head of one dense layer is the network's own top, whatever it is called
    assert keras_hdf5.has_top(path, whole) == (head == (3,))
    assert keras_hdf5.classes(path) == 3


def test_layers_after_the_features_that_are_no_head_are_not_left(tmp_path):
    for extra in (keras.layers.Conv2D(3, 1), keras.layers.BatchNormalization()):
        x = inputs = keras.Input((9, 9, 3))
        x = keras.layers.Conv2D(3, 3, name="conv")(x)
        trunk = keras.Model(inputs, x)
        keras.Model(inputs, extra(x)).save(tmp_path / "x.h5")
        with pytest.raises(InputError, match="not used of the file 1"):
            keras_hdf5.load(tmp_path / "x.h5", trunk)


@pytest.mark.parametrize("old", [True, False])
@pytest.mark.parametrize("top", [True, False])
def test_convnext(top, old, tmp_path):
    """Its scales are `gamma` in Keras 2; its last normalization has a name beside a top alone."""
    source = keras2_files.small_convnext(top)
    source.set_weights(arrays(*[w.shape for w in source.weights]))
    path = tmp_path / "x.h5"
    source.save(path)
    if old:
        layers = [
            (name, [(w.replace("variable", "gamma"), v) for w, v in weights])
            for name, weights in keras_hdf5.read(path)
        ]
        keras2_files.write(path, layers)
    assert keras_hdf5.classes(path) == (5 if top else None)
    for with_top in [True, False] if top else [False]:
        model = keras2_files.small_convnext(with_top)
        keras_hdf5.load(path, model)
        for ours, theirs in zip(model.weights, source.weights, strict=False):
            np.testing.assert_array_equal(ours, theirs)
    assert keras_hdf5.has_top(path, keras2_files.small_convnext(True)) == top


def test_a_vector_is_in_no_order_of_kernels(tmp_path):
    path = keras2_files.write(tmp_path / "w.h5", [("norm", [("norm/beta:0", np.zeros(3, "f4"))])])
    inputs = keras.Input((4, 4, 3))
    layer = keras.layers.LayerNormalization(center=False, name="norm")
    with pytest.raises(InputError, match=r"of another shape 1: 'norm' \(3,\) .*\(3,\)$"):
        keras_hdf5.load(path, keras.Model(inputs, layer(inputs)))


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            lambda: small(classes=4),
            r"of another shape 1: 'dense_1' \(5, 3\) \+ \(3,\) for head \(5, 4\) \+ \(4,\)",
        ),
        (
            lambda: small(head="other"),
            r"no weights for 1: other \(5, 3\) \+ \(3,\); not used of the file 1: 'dense_1' \(5, ",
        ),
        # two normalizations on one side, three on the other: their order tells nothing
        (lambda: small(named=False), r"no weights for 4: .*; not used of the file 4: "),
        (squeezenet, r"no weights for 25: .*\.\.\.; not used of the file 7: 'conv2d_1' .*\.\.\."),
    ],
)
def test_a_partial_match_is_an_error(model, message, tmp_path):
    path, _ = small_file(tmp_path / "w.h5")
    network = model()
    before = [np.array(w) for w in network.weights]
    with pytest.raises(InputError, match=message):
        keras_hdf5.load(path, network)
    for old, new in zip(before, network.weights, strict=True):
        np.testing.assert_array_equal(old, new)


def test_kernels_in_theanos_order_are_refused(tmp_path):
    layers = [("conv", [("conv_W", np.zeros((8, 3, 5, 5), "f4"))])]
    path = keras2_files.write(tmp_path / "w.h5", layers, backend=None)
    inputs = keras.Input((9, 9, 3))
    model = keras.Model(inputs, keras.layers.Conv2D(8, 5, use_bias=False, name="conv")(inputs))
    with pytest.raises(InputError, match="Theano's order"):
        keras_hdf5.load(path, model)


@pytest.mark.parametrize("whole", [True, False])
def test_what_keras_3_writes_as_hdf5_of_old_opens(whole, tmp_path):
    """A whole model by `save("x.h5")`, and its weights as Keras's own function lays them out."""
    source = small(head="predictions")
    source.compile(optimizer="adam", loss="categorical_crossentropy")
    draw = np.random.default_rng(0)
    source.set_weights([draw.normal(size=w.shape) for w in source.get_weights()])
    path = tmp_path / "x.h5"
    if whole:
        source.save(path)
    else:
        with h5py.File(path, "w") as file:
            legacy_h5_format.save_weights_to_hdf5_group(file, source)
    model = small(head="head")
    report = keras_hdf5.load(path, model)
    assert len(report.loaded) == len(model.weights) and not report.skipped
    for ours, theirs in zip(model.weights, source.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert keras_hdf5.classes(path) == 3


def test_a_file_without_a_top_has_no_classes(tmp_path):
    layers = [("conv", [("conv/kernel:0", np.zeros((3, 3, 2, 4), "f4"))]), ("pool", [])]
    assert keras_hdf5.classes(keras2_files.write(tmp_path / "w.h5", layers)) is None


@pytest.mark.parametrize(
    "name, classes",
    [
        ("MobileNet", 7),
        # built three times each, which is slow
        pytest.param("MobileNetV3Small", 7, marks=pytest.mark.slow),
        pytest.param("EfficientNetB0", 3, marks=pytest.mark.slow),
    ],
)
def test_tops_of_convolutions_and_normalisations_of_pictures(name, classes, tmp_path):
    """`conv_preds`, `logits`; an integer count among the weights."""
    shape = {"weights": None, "input_shape": (32, 32, 3)}
    source = getattr(keras.applications, name)(classes=classes, **shape)
    draw = np.random.default_rng(0)
    source.set_weights([draw.integers(0, 9, size=w.shape) for w in source.get_weights()])
    source.save(tmp_path / "x.h5")
    assert keras_hdf5.classes(tmp_path / "x.h5") == classes
    whole = getattr(keras.applications, name)(classes=classes, **shape)
    trunk = getattr(keras.applications, name)(include_top=False, **shape)
    for model in (whole, trunk):
        report = keras_hdf5.load(tmp_path / "x.h5", model)
        assert len(report.loaded) == len(model.weights)
        for ours, theirs in zip(model.weights, source.weights, strict=False):
            np.testing.assert_array_equal(ours, theirs)
    assert {reason for _, reason in report.skipped} == {"the network is built without a top"}


@pytest.mark.slow
def test_real_resnet50_of_old_keras(shared):
    """Real ImageNet weights, names as strings of variable length, built as Keras 2.2 built it."""
    oracle = np.load(shared / "oracle" / "googlenet_opencv.npz")
    lines = (shared / "weights" / "imagenet_synset_words.txt").read_text().splitlines()
    path = shared / "weights" / "resnet50_imagenet_keras2.h5"
    model = models.load(f"ResNet50:{path}").model
    norms = [layer for layer in model.layers if type(layer).__name__ == "BatchNormalization"]
    assert len(norms) == 53 and {layer.epsilon for layer in norms} == {1e-3}
    assert model.get_layer("pool1_pad").padding == ((1, 1), (1, 1))
    given = dict(keras_hdf5.read(path))
    np.testing.assert_array_equal(
        model.get_layer("conv5_block3_2_conv").kernel, given["res5c_branch2b"][0][1]
    )
    found = model.predict(oracle["images_rgb_uint8"].astype("f4"), verbose=0)
    best = np.argsort(-found, axis=1)[:, :5]
    # a harbour with an arch, a mill town: what GoogLeNet calls them too
    assert "triumphal arch" in lines[best[5, 0]] and "lumbermill" in lines[best[7, 0]]
    theirs = np.argsort(-oracle["prob"], axis=1)[:, :5]
    shared_names = [len(set(a) & set(b)) for a, b in zip(best, theirs, strict=True)]
    assert sum(count > 0 for count in shared_names) >= 6  # by chance of 1000 classes: none


@pytest.mark.parametrize(
    ("layer", "before"),
    [("zeropadding2d_1", 3), ("zero_padding2d_1", 3), ("conv1_pad", 3), ("activation_1", 2)],
)
def test_resnet50s_first_padding_is_a_layer_by_any_of_its_names(layer, before, tmp_path):
    """Keras 1 named it in one word; without the layer, conv1 was padded by "same"."""
    names = ["input_1", layer, "conv1", "bn_conv1", "res2a_branch2a", "bn2a_branch2a"]
    path = keras2_files.write(tmp_path / "w.h5", [(name, []) for name in names], backend=None)
    inputs = keras.Input((32, 32, 3))
    x = keras.layers.ZeroPadding2D(3, name="conv1_pad")(inputs)
    model = keras_hdf5.as_built(path, keras.Model(inputs, x))
    assert model.get_layer("conv1_pad").padding == ((before, 3), (before, 3))


@pytest.mark.slow
def test_resnet50s_old_names_are_all_known():
    model = keras.applications.ResNet50(weights=None, input_shape=(32, 32, 3), include_top=False)
    wanted = {layer.name for layer in model.layers if layer.weights}
    renamed = keras_hdf5.RENAMED
    assert {new for old, new in renamed.items() if new in wanted} == wanted
    # every block has three branches; only the first of a stage has a shortcut
    unused = [old for old, new in renamed.items() if new not in wanted and old != "fc1000"]
    assert unused and all(old.endswith("branch1") and "a_" not in old for old in unused)
    assert renamed["res4f_branch2c"] == "conv4_block6_3_conv"
    assert renamed["bn2a_branch1"] == "conv2_block1_0_bn"


def test_a_network_of_the_zoo_takes_the_file_as_it_is(tmp_path):
    """Preprocessing and pooling hold no weights and so do not stand in the way."""
    model = zoo.build("MobileNet(alpha=0.25)", 4, size=32)
    layers = [
        ("dense_1" if layer.name == "head" else layer.name, layer.weights) for layer in model.layers
    ]
    values = {name: arrays(*[w.shape for w in weights]) for name, weights in layers}
    path = keras2_files.write(
        tmp_path / "w.h5",
        [
            # Keras 2 called the kernel of a depthwise layer so
            (
                name,
                [
                    (f"{name}/{_old(name, w.name)}:0", v)
                    for w, v in zip(ws, values[name], strict=True)
                ],
            )
            for name, ws in layers
        ],
    )
    report = keras_hdf5.load(path, model)
    assert len(report.loaded) == len(model.weights)
    for layer, (name, _) in zip(model.layers, layers, strict=True):
        for variable, value in zip(layer.weights, values[name], strict=True):
            np.testing.assert_array_equal(variable, value)


def _old(layer, variable):
    dw = layer.startswith("conv_dw") and variable == "kernel"
    return "depthwise_kernel" if dw else variable


# Files that are damaged or made to harm: one InputError each.


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    path = tmp_path_factory.mktemp("good") / "good.h5"
    return keras2_files.write(path, keras2_files.small_layers())


@pytest.fixture(scope="module")
def network():
    return keras2_files.small_network()


def changed(path, change):
    with h5py.File(path, "a") as file:
        change(file)
    return path


def replace(kernel):
    """A change: `kernel(group)` makes another dense_1/kernel:0 in its group."""

    def change(file):
        group = file["dense_1/dense_1"]
        del group["kernel:0"]
        kernel(group)

    return change


def never_written(group, layout):
    made = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    if layout == "chunked":
        made.set_chunk((1024, 1024))
    space = h5py.h5s.create_simple((1 << 20, 1 << 20))
    h5py.h5d.create(group.id, b"kernel:0", h5py.h5t.IEEE_F32LE, space, made)


def elsewhere(group):
    made = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    made.set_external(b"/etc/passwd", 0, 48)
    space = h5py.h5s.create_simple((4, 3))
    h5py.h5d.create(group.id, b"kernel:0", h5py.h5t.IEEE_F32LE, space, made)


def virtual(group):
    layout = h5py.VirtualLayout((4, 3), "f4")
    layout[:] = h5py.VirtualSource("/tmp/other.h5", "x", (4, 3), "f4")
    group.create_virtual_dataset("kernel:0", layout)


def shared_arrays(file):
    """One array under many names: 600 times 4 KB out of a file of some 50 KB."""
    group = file.create_group("many")
    first = group.create_dataset("w0", data=np.zeros(1000, "f4"))
    for number in range(1, 600):
        group[f"w{number}"] = first
    group.attrs["weight_names"] = np.array([f"w{n}".encode() for n in range(600)])
    file.attrs["layer_names"] = np.array([b"many"])


def cyclic(file):
    file["loop"] = file["/"]
    file.attrs["layer_names"] = np.array([b"/".join([b"loop"] * 5000)])


def names_of(value):
    def change(file):
        file.attrs["layer_names"] = value

    return change


NAMES = [name.encode() for name, _ in keras2_files.small_layers()]
HOSTILE = {
    "soft link": (
        replace(lambda g: g.__setitem__("kernel:0", h5py.SoftLink("/conv1/conv1/bias:0"))),
        "not followed",
    ),
    "external link": (
        replace(lambda g: g.__setitem__("kernel:0", h5py.ExternalLink("/tmp/other.h5", "/x"))),
        "not followed",
    ),
    "external storage": (replace(elsewhere), "not stored in one piece"),
    "virtual": (replace(virtual), "not stored in one piece"),
    "empty chunks": (replace(lambda g: never_written(g, "chunked")), "not stored in one piece"),
    "never written": (replace(lambda g: never_written(g, "whole")), "claims the shape"),
    "compressed": (
        replace(lambda g: g.create_dataset("kernel:0", data=np.zeros((4, 3)), compression="gzip")),
        "not stored in one piece",
    ),
    "text": (replace(lambda g: g.create_dataset("kernel:0", data=b"x")), "not float16"),
    "group": (replace(lambda g: g.create_group("kernel:0")), "not a dataset"),
    "no kernel": (replace(lambda g: None), "there is no"),
    "shared arrays": (shared_arrays, "claim more"),
    "cyclic group": (cyclic, "weight_names"),
    "empty name": (names_of(np.array([b"", b"conv1"])), "there is no"),
    "dots": (names_of(np.array([b"./conv1"])), "there is no"),
    "root": (names_of(np.array([b"/conv1"])), "there is no"),
    "twice": (names_of(np.array([*NAMES, b"conv1"])), "same name"),
    "numbers": (names_of(np.arange(3)), "not a list of strings"),
    "one name": (names_of(np.bytes_(b"conv1")), "not a list"),
    "variable length": (names_of(["conv1", "dense_1"]), "no weights for 1: batch_norm"),
    "latin 1": (names_of(np.array([b"conv\xff"])), "utf-8"),
    "no names": (lambda file: file.attrs.__delitem__("layer_names"), "layer_names"),
    "theano": (lambda file: file.attrs.__setitem__("backend", b"theano"), "Theano"),
    "theano, fixed": (
        lambda file: file.attrs.__setitem__("backend", np.bytes_(b"theano")),
        "Theano",
    ),
    "backend": (lambda file: file.attrs.__setitem__("backend", 3), "not a string"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_file_is_one_error(case, good, network, tmp_path):
    change, message = HOSTILE[case]
    path = tmp_path / "hostile.h5"
    path.write_bytes(good.read_bytes())
    keras_hdf5.load(path, network)  # it is good before the change
    before = [np.array(w) for w in network.weights]
    changed(path, change)
    with pytest.raises(InputError, match=message) as caught:
        keras_hdf5.load(path, network)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)
    for old, new in zip(before, network.weights, strict=True):
        np.testing.assert_array_equal(old, new)


# Mutations of a good old Keras file: loaded or one InputError, in bounded time and memory.

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "200"))
HANG = 20  # seconds; a good file takes milliseconds
# the file has 17 kB; hypothesis itself grows with the number of examples
GROWTH = (64 if EXAMPLES <= 200 else 256) << 20


def mutate(data, changes):
    """Apply (kind, where, value) to bytes: a byte set, a run cut, spliced, or a number replaced."""
    data = bytearray(data)
    for kind, where, value in changes:
        at = where % max(len(data), 1)
        if kind == "byte":
            data[at : at + 1] = bytes([value % 256])
        elif kind == "cut":
            del data[at : at + value % 64]
        elif kind == "end":
            del data[at:]
        elif kind == "splice":
            start = value % max(len(data), 1)
            data[at : at + 40] = data[start : start + 40]
        else:
            at -= at % 8  # an address or a length, which HDF5 aligns
            data[at : at + 8] = (value % (1 << 64)).to_bytes(8, "little")
    return bytes(data)


KINDS = st.sampled_from(["byte", "byte", "splice", "number", "cut", "end"])
VALUES = st.sampled_from([0, 1, 255, 1 << 31, 1 << 40, (1 << 64) - 1]) | st.integers(0, 20_000)
CHANGES = st.lists(st.tuples(KINDS, st.integers(0, 1 << 15), VALUES), min_size=1, max_size=12)


@pytest.mark.parametrize("variable", [False, True])
def test_mutated_files(variable, tmp_path):
    network = keras2_files.small_network()
    layers = keras2_files.small_layers()
    good = keras2_files.write(tmp_path / "good.h5", layers, variable=variable)
    data = good.read_bytes()
    path = tmp_path / "mutated.h5"
    outcomes = {"loaded": 0, "refused": 0}

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=EXAMPLES <= 200,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(CHANGES)
    def one(changes):
        path.write_bytes(mutate(data, changes))
        faulthandler.dump_traceback_later(HANG, exit=True, file=sys.__stderr__)
        try:
            keras_hdf5.load(path, network)
            outcomes["loaded"] += 1
        except InputError as error:
            outcomes["refused"] += 1
            assert "\n" not in str(error)
        finally:
            faulthandler.cancel_dump_traceback_later()

    keras_hdf5.load(good, network)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    one()
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    print(outcomes, f"{grown >> 20} MiB more")
    assert sum(outcomes.values()) >= EXAMPLES
    assert min(outcomes.values()) > 0
    assert grown < GROWTH
