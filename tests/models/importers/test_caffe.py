"""The Caffe importer: small files, hostile files, and whole networks against OpenCV's own run."""

import os
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from models.caffenet import CaffeNet
from models.errors import InputError
from models.importers import caffe
from models.inception_v1 import GoogLeNet

# Caffe files written byte by byte, independent of the message types that read them.

CONVOLUTION, INNER_PRODUCT = 4, 14  # V1LayerParameter.LayerType in caffe.proto


def varint(value):
    """Encode an integer as a protocol buffer does: seven bits a byte, the lowest first."""
    value %= 2**64
    encoded = bytearray()
    while value > 127:
        encoded.append(value & 127 | 128)
        value >>= 7
    return bytes([*encoded, value])


def field(number, value):
    """Encode one field: an integer, or bytes or text with their length."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def blob(array, old=False, double=False, packed=True):
    """Encode an array as a BlobProto; `old`: num, channels, height, width in place of a shape."""
    shape = (1,) * (4 - array.ndim) + array.shape if old else array.shape
    if old:
        head = b"".join(field(number, size) for number, size in enumerate(shape, 1))
    else:
        head = field(7, field(1, b"".join(varint(size) for size in shape)))
    data = array.astype("<f8" if double else "<f4")
    number, wire = (8, 1) if double else (5, 5)
    if packed:
        return field(number, data.tobytes()) + head
    tag = varint(number << 3 | wire)
    return b"".join(tag + value.tobytes() for value in data.ravel()) + head


def caffemodel(layers, form="layer", **how):
    """Encode a dict layer name -> list of arrays as a NetParameter.

    Args:
        layers: [] for a layer without weights.
        form: `layer`, `V1` or `V0`.
        how: of blob().
    """
    net = field(1, "net")
    for name, values in layers.items():
        blobs = [blob(np.asarray(value), **how) for value in values]
        if form == "layer":
            body = field(1, name) + field(2, "Any") + b"".join(field(7, b) for b in blobs)
            net += field(100, body)
        elif form == "V1":
            kind = CONVOLUTION if name.startswith("conv") else INNER_PRODUCT
            body = field(4, name) + field(5, kind) + b"".join(field(6, b) for b in blobs)
            net += field(2, body)
        else:
            body = field(1, name) + field(2, "any") + b"".join(field(50, b) for b in blobs)
            net += field(2, field(1, body))
    return net


# The Caffe importer on small files: what it reads, fills, reports and refuses.

FORMS = {
    "layer": {},
    "layer, not packed": {"packed": False},
    "layer, double": {"double": True},
    "layer, double, not packed": {"double": True, "packed": False},
    "V1, four sizes": {"form": "V1", "old": True},
    "V1, shape": {"form": "V1"},
    "first form": {"form": "V0", "old": True},
}


@pytest.fixture
def save(tmp_path):
    """Return a function that writes bytes to a file and returns its path."""

    def write(data):
        path = tmp_path / "file.caffemodel"
        path.write_bytes(data)
        return path

    return write


@pytest.fixture(scope="module")
def network():
    """Two grouped convolutions' channels, pooled, flattened, two dense layers, as in CaffeNet."""
    pixels = keras.Input((6, 8, 4))
    x = keras.layers.Conv2D(6, (3, 2), groups=2, name="conv1")(pixels)
    x = keras.layers.MaxPooling2D((2, 1), name="pool5")(x)
    x = keras.layers.Flatten()(x)
    x = keras.layers.Dense(5, name="fc6")(x)
    x = keras.layers.Dense(3, name="fc8")(x)
    return keras.Model(pixels, x, name="small")


@pytest.fixture
def weights():
    """Weights of `network` in Caffe's layout, and a layer without."""
    drawn = np.random.default_rng(0)
    shapes = {
        "conv1": [(6, 2, 3, 2), (6,)],
        "drop6": [],
        "fc6": [(5, 6 * 2 * 7), (5,)],
        "fc8": [(3, 5), (3,)],
    }
    return {k: [drawn.normal(size=s).astype("f4") for s in v] for k, v in shapes.items()}


def by_hand(weights, pictures):
    """What Caffe computes of (N, channels, rows, columns), in its own layout."""
    kernel, bias = weights["conv1"]
    halves = []
    for group in (0, 1):
        part = np.lib.stride_tricks.sliding_window_view(
            pictures[:, 2 * group : 2 * group + 2], (3, 2), axis=(2, 3)
        )
        halves.append(np.einsum("nchwij,ocij->nohw", part, kernel[3 * group : 3 * group + 3]))
    maps = np.concatenate(halves, 1) + bias[:, None, None]
    pooled = np.maximum(maps[:, :, 0::2], maps[:, :, 1::2])
    features = pooled.reshape(len(pictures), -1) @ weights["fc6"][0].T + weights["fc6"][1]
    return features @ weights["fc8"][0].T + weights["fc8"][1]


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_arrays(form, weights, save):
    found = caffe.read(save(caffemodel(weights, **FORMS[form])))
    assert list(found) == list(weights)
    for name, expected in weights.items():
        assert len(found[name]) == len(expected)
        for ours, theirs in zip(found[name], expected, strict=True):
            assert ours.dtype == np.float32
            np.testing.assert_array_equal(ours.ravel(), theirs.ravel())
    wide = "four" in form or "first" in form
    assert found["fc8"][0].shape == ((1, 1, 3, 5) if wide else (3, 5))


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    array=arrays(np.float32, array_shapes(min_dims=1, max_dims=5), elements=st.floats(width=32)),
    name=st.text(max_size=20),
    how=st.sampled_from([{}, {"packed": False}, {"double": True}]),
)
def test_what_is_written_is_read(array, name, how, save):
    found = caffe.read(save(caffemodel({name: [array]}, **how)))
    assert list(found) == [name]
    np.testing.assert_array_equal(found[name][0], array)


@pytest.mark.parametrize("form", FORMS)
def test_the_network_computes_what_caffe_does(form, network, weights, save):
    report = caffe.load(save(caffemodel(weights, **FORMS[form])), network)
    assert report.loaded == [("conv1", "conv1"), ("fc6", "fc6"), ("fc8", "fc8")]
    assert report.skipped == [("drop6", "holds no weights")]
    pictures = np.random.default_rng(1).normal(size=(2, 4, 6, 8)).astype("f4")
    ours = network.predict(pictures.transpose(0, 2, 3, 1), verbose=0)
    np.testing.assert_allclose(ours, by_hand(weights, pictures), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("form", ["layer", "V1, four sizes"])
def test_a_renamed_last_layer_is_found(form, network, weights, save):
    weights["fc8_flickr"] = weights.pop("fc8")
    path = save(caffemodel(weights, **FORMS[form]))
    assert caffe.load(path, network).loaded[-1] == ("fc8_flickr", "fc8")
    np.testing.assert_array_equal(network.get_layer("fc8").kernel, weights["fc8_flickr"][0].T)
    assert caffe.classes(path) == 3


def test_layers_without_a_place_are_reported(network, weights, save):
    spare = [np.ones((2, 5)), np.ones(2)]
    weights |= {"fc9": spare, "loss1/classifier": spare}
    assert caffe.load(save(caffemodel(weights)), network).skipped == [
        ("drop6", "holds no weights"),
        ("fc9", "the network has no such layer"),
        ("loss1/classifier", "auxiliary head, which the network is built without"),
    ]


def two_renamed(weights):
    weights["a"] = weights["b"] = weights.pop("fc8")


def narrower(weights):
    weights["fc8_two"] = [np.ones((2, 5)), np.ones(2)]
    del weights["fc8"]


def not_grouped(weights):
    weights["conv1"][0] = np.ones((6, 4, 3, 2))


def no_bias(weights):
    del weights["fc6"][1]


def others(weights):
    weights["convolution"] = weights["conv1"]
    for name in ("conv1", "fc6", "fc8"):
        del weights[name]


UNFIT = {
    "no weights for 1: fc8 (3, 5) + (3,)": lambda weights: weights.pop("fc8"),
    "no weights for 1: conv1 (6, 2, 3, 2) + (6,)": lambda weights: weights.pop("conv1"),
    "no weights for 1: fc8 (3, 5) + (3,); not used of the file 2: 'a' (3, 5) + (3,), 'b'": (
        two_renamed
    ),
    "no weights for 1: fc8 (3, 5) + (3,); not used of the file 1: 'fc8_two' (2, 5)": narrower,
    "of another shape 1: 'conv1' (6, 4, 3, 2) + (6,) for conv1 (6, 2, 3, 2) + (6,)": not_grouped,
    "of another shape 1: 'fc6' (5, 84) for fc6 (5, 84) + (5,)": no_bias,
    "no weights for 3: conv1 (6, 2, 3, 2) + (6,), fc6 (5, 84) + (5,), fc8 (3, 5) + (3,); "
    "not used of the file 1: 'convolution'": others,
}


@pytest.mark.parametrize("message", UNFIT)
def test_a_part_is_refused_and_changes_nothing(message, network, weights, save):
    UNFIT[message](weights)
    before = network.get_weights()
    with pytest.raises(InputError) as error:
        caffe.load(save(caffemodel(weights)), network)
    assert message in str(error.value) and "does not fit small" in str(error.value)
    for old, new in zip(before, network.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_two_layers_for_one_are_refused(network, weights, save):
    weights |= {"conv2/3x3": weights["fc8"], "conv2d2_pre_relu": weights["fc8"]}
    with pytest.raises(InputError, match="holds both 'conv2/3x3' and 'conv2d2_pre_relu'"):
        caffe.load(save(caffemodel(weights)), network)


def test_classes_are_those_of_the_last_inner_product(weights, save):
    weights["scale"] = [np.ones(7)]
    assert caffe.classes(save(caffemodel(weights))) == 3
    with pytest.raises(InputError, match="no inner product"):
        caffe.classes(save(caffemodel({"conv1": weights["conv1"]})))


@pytest.mark.parametrize("how", [{}, {"old": True}])
def test_mean(how, save):
    pixels = np.arange(2 * 5 * 3, dtype="f4").reshape(2, 5, 3)
    path = save(blob(np.moveaxis(pixels, -1, 0)[None], **how))
    np.testing.assert_array_equal(caffe.mean(path), pixels)
    bgr = np.array((104, 117, 123), "f4")
    np.testing.assert_array_equal(caffe.mean(save(blob(bgr[:, None, None], **how))), bgr)
    with pytest.raises(InputError, match="a mean is"):
        caffe.mean(save(blob(np.ones((1, 4, 2, 2)), **how)))


def in_layer(*blobs):
    return field(100, field(1, "conv1") + b"".join(field(7, encoded) for encoded in blobs))


def two_numbers(*shape):
    return in_layer(field(5, bytes(8)) + field(7, b"".join(field(1, size) for size in shape)))


FLOAT16 = field(10, 2) + field(12, bytes(4))  # raw_data_type, raw_data
REFUSED = {
    "no Caffe file": None,
    "holds 0 Caffe layers": b"",
    "holds 10001 Caffe layers": field(100, b"") * 10_001,
    "holds more than 10000 arrays": in_layer(*[blob(np.ones(1))] * 10_001),
    "is not a whole Caffe Net message": b"\x89HDF\r\n\x1a\n" + bytes(99),
    "is not a whole Caffe Layer message": field(100, field(1, "conv1") + b"\x3a\xff\x01"),
    "is not a whole Caffe Blob message": in_layer(b"\x2a\xff\xff\xff\xff\x0f"),
    "is not a whole Caffe Shape message": in_layer(field(7, b"\x0a\x7f")),
    "raw (float16) data of NVIDIA's Caffe": in_layer(field(7, field(1, 2)) + FLOAT16),
    "of shape (3,) holds 2 numbers": two_numbers(3),
    "of shape (1,) holds 2 numbers": two_numbers(1),
    "of shape (-1, -2) holds 2 numbers": two_numbers(-1, -2),
    "of shape (4611686018427387904, 8) holds 2": two_numbers(2**62, 8),  # 2 ** 65 wraps to 0
    "an array of more than 32 axes": two_numbers(2, *[1] * 200),
    "of shape (1, 1, 1": two_numbers(*[1] * 32, 2),
    "of shape () holds 2 numbers": two_numbers(),
    "of shape (0, 0, 0, 0) holds 2 numbers": in_layer(field(5, bytes(8))),
    "of shape (2,) holds 0 numbers": in_layer(field(7, field(1, 2))),
    "two layers 'conv1' with weights": in_layer(blob(np.ones(2))) * 2,
    "has a name of 5000 bytes": field(100, field(1, "n" * 5000)),
}


@pytest.mark.parametrize("message", REFUSED)
def test_refused_in_one_line(message, network, save, tmp_path):
    path = tmp_path / "absent" if REFUSED[message] is None else save(REFUSED[message])
    for use in (caffe.read, caffe.classes, lambda path: caffe.load(path, network)):
        with pytest.raises(InputError) as error:
            use(path)
        assert message in str(error.value) and str(path) in str(error.value)
        assert "\n" not in str(error.value)


def test_any_cut_of_a_file_is_refused(weights, save):
    whole = caffemodel({"fc8": weights["fc8"]})
    assert list(caffe.read(save(whole))) == ["fc8"]
    for length in range(len(whole)):
        with pytest.raises(InputError):
            caffe.read(save(whole[:length]))


# The Caffe importer on hostile files: an InputError or a result, quickly, within bounds.

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "200"))
SECONDS = 5  # for a file of a few hundred bytes, on a busy machine
fuzz = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

ARRAYS = {"conv1": [np.ones((2, 3, 3, 3)), np.ones(2)], "relu1": [], "fc8": [np.ones((2, 2))]}
SEEDS = [
    caffemodel(ARRAYS),
    caffemodel(ARRAYS, "V1", old=True),
    caffemodel(ARRAYS, "V0", old=True, packed=False),
    blob(np.ones((1, 3, 4, 4))),
]
POSITIONS = st.integers(0, max(map(len, SEEDS)))
MUTATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("flip"), POSITIONS, st.integers(1, 255)),
        st.tuples(st.just("cut"), POSITIONS, POSITIONS),
        st.tuples(st.just("splice"), POSITIONS, POSITIONS, POSITIONS),
        st.tuples(st.just("insert"), POSITIONS, st.binary(max_size=12)),
        st.tuples(st.just("insert"), POSITIONS, st.integers(0, 2**64 - 1).map(varint)),
    ),
    min_size=1,
    max_size=4,
)
NUMBERS = st.sampled_from([0, 1, 2, 3, 9, 54, -1, 2**31, 2**32 + 1, 2**62, 2**63])
LEAVES = st.one_of(
    st.tuples(st.integers(1, 12), NUMBERS).map(lambda pair: field(*pair)),
    st.tuples(st.integers(1, 12), st.binary(max_size=64)).map(lambda pair: field(*pair)),
    st.lists(NUMBERS, max_size=6).map(lambda shape: field(7, b"".join(map(varint, shape)))),
    st.integers(0, 60).map(lambda count: field(5, bytes(4 * count))),
    st.sampled_from(list(SEEDS)),
)
# messages in messages, with the field numbers of nets, layers and blobs
TREES = st.recursive(
    LEAVES,
    lambda inner: st.tuples(
        st.sampled_from([1, 2, 5, 6, 7, 8, 50, 100]), st.lists(inner, max_size=4)
    ).map(lambda pair: field(pair[0], b"".join(pair[1]))),
    max_leaves=12,
)


def mutated(data, mutations):
    data = bytearray(data)
    for what, position, *how in mutations:
        if what == "flip" and data:
            data[position % len(data)] ^= how[0]
        elif what == "cut":
            del data[position : position + how[0]]
        elif what == "splice":
            data[position:position] = data[how[0] : how[1]]
        elif what == "insert":
            data[position:position] = how[0]
    return bytes(data)


@pytest.fixture(scope="module")
def tiny():
    pixels = keras.Input((4, 4, 3))
    x = keras.layers.Conv2D(2, 3, name="conv1")(pixels)
    return keras.Model(pixels, keras.layers.Dense(2, name="fc8", use_bias=False)(x))


def use(path, data, tiny):
    """Give the bytes to every function of the importer: each answers or raises InputError."""
    path.write_bytes(data)
    started = time.monotonic()
    for function in (caffe.read, caffe.classes, caffe.mean, lambda path: caffe.load(path, tiny)):
        try:
            result = function(path)
        except InputError as error:
            assert "\n" not in str(error) and len(str(error)) < 5000
        else:
            if isinstance(result, dict):
                # what came out was in the file: nothing is made up from a claimed shape
                numbers = sum(array.size for arrays in result.values() for array in arrays)
                assert 4 * numbers <= len(data)
    assert time.monotonic() - started < SECONDS


@fuzz
@given(st.sampled_from(SEEDS), MUTATIONS)
def test_mutated_files(tmp_path, tiny, seed, mutations):
    use(tmp_path / "net", mutated(seed, mutations), tiny)


@fuzz
@given(st.lists(TREES, max_size=4).map(b"".join))
def test_hostile_structures(tmp_path, tiny, data):
    use(tmp_path / "net", data, tiny)


SIZE = 4_000_000
LARGE = {
    "empty layers": field(100, b"") * (SIZE // 3),
    "empty blobs": field(100, field(7, b"") * (SIZE // 2)),
    "empty V1 blobs": field(2, field(6, b"") * (SIZE // 2)),
    "named layers": b"".join(field(100, field(1, str(number))) for number in range(SIZE // 12)),
    "long name": field(100, field(1, b"\xff" * SIZE) + field(7, field(5, b"1"))),
    "dimensions": field(100, field(7, field(7, field(1, b"\1" * SIZE)))),
    "claimed size": field(100, field(7, field(7, field(1, varint(2**40))))),
    "small numbers": field(100, field(7, b"\x2d\0\0\0\0" * (SIZE // 5))),
    "claimed length": b"\xa2\x06" + varint(2**31 - 1) + bytes(SIZE),
    "groups": b"\x0b" * SIZE,
    "long number": b"\xff" * SIZE,
    "unknown fields": b"\x78\1" * (SIZE // 2),
}
MEASURE = """
import sys
from models.errors import InputError
from models.importers import caffe
def peak():
    return int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0]) * 1024
before = peak()
for function in (caffe.read, caffe.classes, caffe.mean):
    try:
        function(sys.argv[1])
    except InputError as error:
        assert len(str(error)) < 5000
    else:
        raise SystemExit("nothing was refused")
print(peak() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from /proc")
@pytest.mark.parametrize("what", LARGE)
def test_memory_and_time_are_bounded(what, tmp_path):
    path = tmp_path / "net"
    path.write_bytes(LARGE[what])
    command = [sys.executable, "-c", MEASURE, str(path)]
    root = Path(caffe.__file__).parents[2]
    # 20 s: what a stalled machine needs to import NumPy; the reading takes below 1 s
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, done.stderr
    # 16 times for empty messages, the file itself, what Python keeps free
    assert int(done.stdout) < 20 * SIZE


# Caffe files in the whole networks, stage by stage against OpenCV's own run of the same file.

MODULES = ("3a", "3b", "4a", "4b", "4c", "4d", "4e", "5a", "5b")
# OpenCV names an output after the layer, not after Caffe's blob: what it gives for a convolution
# is from before the ReLU that Caffe runs in place; a module's output joins branches after theirs.
STAGES = {
    "conv1|7x7_s2": "conv2d0_pre_relu",
    "pool1|norm1": "localresponsenorm0",
    "conv2|norm2": "localresponsenorm1",
    **{f"inception_{module}|output": f"mixed{module}" for module in MODULES},
    "pool5|7x7_s1": "avgpool0",
    "prob": "softmax2",
}

# 20 classes as in the Flickr style network; a ReLU stands for both its layer and its output
PROTOTXT = """
input: "data" input_shape { dim: 1 dim: 3 dim: 227 dim: 227 }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
  convolution_param { num_output: 96 kernel_size: 11 stride: 4 } }
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
layer { name: "pool1" type: "Pooling" bottom: "conv1" top: "pool1"
  pooling_param { pool: MAX kernel_size: 3 stride: 2 } }
layer { name: "norm1" type: "LRN" bottom: "pool1" top: "norm1"
  lrn_param { local_size: 5 alpha: 0.0001 beta: 0.75 } }
layer { name: "conv2" type: "Convolution" bottom: "norm1" top: "conv2"
  convolution_param { num_output: 256 pad: 2 kernel_size: 5 group: 2 } }
layer { name: "relu2" type: "ReLU" bottom: "conv2" top: "conv2" }
layer { name: "pool2" type: "Pooling" bottom: "conv2" top: "pool2"
  pooling_param { pool: MAX kernel_size: 3 stride: 2 } }
layer { name: "norm2" type: "LRN" bottom: "pool2" top: "norm2"
  lrn_param { local_size: 5 alpha: 0.0001 beta: 0.75 } }
layer { name: "conv3" type: "Convolution" bottom: "norm2" top: "conv3"
  convolution_param { num_output: 384 pad: 1 kernel_size: 3 } }
layer { name: "relu3" type: "ReLU" bottom: "conv3" top: "conv3" }
layer { name: "conv4" type: "Convolution" bottom: "conv3" top: "conv4"
  convolution_param { num_output: 384 pad: 1 kernel_size: 3 group: 2 } }
layer { name: "relu4" type: "ReLU" bottom: "conv4" top: "conv4" }
layer { name: "conv5" type: "Convolution" bottom: "conv4" top: "conv5"
  convolution_param { num_output: 256 pad: 1 kernel_size: 3 group: 2 } }
layer { name: "relu5" type: "ReLU" bottom: "conv5" top: "conv5" }
layer { name: "pool5" type: "Pooling" bottom: "conv5" top: "pool5"
  pooling_param { pool: MAX kernel_size: 3 stride: 2 } }
layer { name: "fc6" type: "InnerProduct" bottom: "pool5" top: "fc6"
  inner_product_param { num_output: 4096 } }
layer { name: "relu6" type: "ReLU" bottom: "fc6" top: "fc6" }
layer { name: "drop6" type: "Dropout" bottom: "fc6" top: "fc6" }
layer { name: "fc7" type: "InnerProduct" bottom: "fc6" top: "fc7"
  inner_product_param { num_output: 4096 } }
layer { name: "relu7" type: "ReLU" bottom: "fc7" top: "fc7" }
layer { name: "drop7" type: "Dropout" bottom: "fc7" top: "fc7" }
layer { name: "fc8_flickr" type: "InnerProduct" bottom: "fc7" top: "fc8_flickr"
  inner_product_param { num_output: 20 } }
layer { name: "prob" type: "Softmax" bottom: "fc8_flickr" top: "prob" }
"""
SHAPES = {
    "conv1": (96, 3, 11, 11),
    "conv2": (256, 48, 5, 5),
    "conv3": (384, 256, 3, 3),
    "conv4": (384, 192, 3, 3),
    "conv5": (256, 192, 3, 3),
    "fc6": (4096, 9216),
    "fc7": (4096, 4096),
    "fc8_flickr": (20, 4096),
}


@pytest.fixture
def unfilled(monkeypatch):
    """Networks built here begin as NaN: what the importer leaves unfilled shows in every output.

    It also spares JAX the compilation of one random draw for every shape.
    """

    def nan(self, shape, dtype=None, **kwargs):
        return np.full(shape, np.nan, dtype or "float32")

    monkeypatch.setattr(keras.initializers.GlorotUniform, "__call__", nan)
    monkeypatch.setattr(keras.initializers.Zeros, "__call__", nan)


def outputs(model, names, pictures):
    """Run a model; dict name -> output of that layer."""
    inner = keras.Model(model.input, {name: model.get_layer(name).output for name in names})
    return {name: np.asarray(value) for name, value in inner.predict(pictures, verbose=0).items()}


def assert_same(ours, theirs, name, lost):
    """Compare every number within 1e-3 of itself, and all of them together within 1e-4.

    A number near 0 is the difference of far larger ones: `lost`, of the largest number of the
    stage, is what float32 may lose on the way.
    """
    np.testing.assert_allclose(
        ours, theirs, rtol=1e-3, atol=lost * np.abs(theirs).max(), err_msg=name
    )
    error = np.linalg.norm(ours - theirs) / np.linalg.norm(theirs)
    assert error < 1e-4, name


def test_googlenet_is_opencv_s(unfilled, shared):
    path = shared / "weights" / "bvlc_googlenet.caffemodel"
    oracle = np.load(shared / "oracle" / "googlenet_opencv.npz")
    assert caffe.classes(path) == 1000
    model = GoogLeNet()
    report = caffe.load(path, model)
    assert len(report.loaded) == sum(bool(layer.weights) for layer in model.layers) == 58
    assert {reason for _, reason in report.skipped} == {"holds no weights"}
    bgr = oracle["images_rgb_uint8"][..., ::-1] - np.array((104, 117, 123), "f4")
    found = outputs(model, STAGES.values(), bgr)
    for stage, name in STAGES.items():
        ours = found[name]
        means = ours.mean((1, 2)) if ours.ndim == 4 else ours
        assert_same(means, oracle[stage], stage, lost=1e-6)
    ours, theirs = found["softmax2"], oracle["prob"]
    np.testing.assert_allclose(ours, theirs, rtol=1e-3)  # however small
    np.testing.assert_array_equal(np.argsort(-ours)[:, :5], np.argsort(-theirs)[:, :5])


def test_every_name_has_its_layer(unfilled):
    model = GoogLeNet(auxiliary=True)
    weighted = [layer.name for layer in model.layers if layer.weights]
    assert sorted(caffe.NAMES.values()) == sorted(weighted)
    assert len(caffe.NAMES) == len(weighted) == 64
    for dense, source in caffe.FLATTENED.items():
        if dense in weighted:
            rows, columns, channels = model.get_layer(source).output.shape[1:]
            assert model.get_layer(dense).kernel.shape[0] == rows * columns * channels


@pytest.mark.slow
def test_caffenet_is_opencv_s(unfilled, tmp_path):
    cv2 = pytest.importorskip("cv2", reason="opencv-python-headless is not installed")
    if not hasattr(cv2.dnn, "readNetFromCaffe"):
        pytest.skip(f"OpenCV {cv2.__version__} has no Caffe reader; version 4 does")
    drawn = np.random.default_rng(0)
    weights = {
        name: [
            # as much variance after every layer as before it: no output drowns
            drawn.standard_normal(shape, "f4") * np.float32(np.sqrt(2 / np.prod(shape[1:]))),
            drawn.standard_normal(shape[0], "f4"),
        ]
        for name, shape in SHAPES.items()
    }
    # the form in which the released CaffeNets are
    path = tmp_path / "net.caffemodel"
    path.write_bytes(caffemodel(weights, "V1", old=True))
    bgr = drawn.uniform(-123, 151, (2, 227, 227, 3)).astype("f4")
    net = cv2.dnn.readNetFromCaffe(np.frombuffer(PROTOTXT.encode(), "u1"), path.read_bytes())
    net.setInput(np.ascontiguousarray(bgr.transpose(0, 3, 1, 2)))
    stages = [name for name in SHAPES] + ["norm1", "norm2", "pool5", "prob"]
    oracle = dict(zip(stages, net.forward(stages), strict=True))

    model = CaffeNet(classes=caffe.classes(path))
    report = caffe.load(path, model)
    assert report.loaded == [(name, name.removesuffix("_flickr")) for name in SHAPES]
    found = outputs(model, [name.removesuffix("_flickr") for name in stages], bgr)
    for name in stages:
        theirs = oracle[name]
        if theirs.ndim == 4:
            theirs = theirs.transpose(0, 2, 3, 1)
        assert_same(found[name.removesuffix("_flickr")], theirs, name, lost=1e-5)
