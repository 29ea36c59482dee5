"""The importer of TensorFlow graphs: agreement with TensorFlow's own, hostile files."""

import os
import subprocess
import sys
import time
import tracemalloc

import keras
import numpy as np
import pytest
import tensorflow as tf
from google.protobuf.message import DecodeError
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from tensorflow import make_ndarray, make_tensor_proto
from tensorflow.core.framework import (
    attr_value_pb2,
    graph_pb2,
    node_def_pb2,
    tensor_pb2,
    tensor_shape_pb2,
)

from models.caffe_layers import LocalResponseNormalization
from models.errors import InputError
from models.importers import tf_graph
from models.inception_v1 import GoogLeNet, InceptionV1

# A small network with layers named as InceptionV1's, and its frozen TensorFlow graph.


@pytest.fixture(scope="session")
def small_network():
    """Return a function that makes a network of two convolutions, two norms and a classifier."""

    def make():
        pixels = keras.Input((6, 6, 3))
        x = keras.layers.Conv2D(4, 3, name="conv2d0_pre_relu")(pixels)
        x = LocalResponseNormalization(name="localresponsenorm0")(x)
        x = keras.layers.Conv2D(5, 1, name="conv2d1_pre_relu")(x)
        x = LocalResponseNormalization(name="localresponsenorm1")(x)
        x = keras.layers.GlobalAveragePooling2D(name="avgpool0")(x)
        x = keras.layers.Dense(2, name="softmax2_pre_activation")(x)
        return keras.Model(pixels, x, name="small")

    return make


@pytest.fixture
def small_graph():
    """Return the GraphDef of small_network, with one constant beside its weights."""
    from tensorflow import make_tensor_proto
    from tensorflow.core.framework import graph_pb2

    shapes = {
        "conv2d0_w": (3, 3, 3, 4),
        "conv2d0_b": (4,),
        "conv2d1_w": (1, 1, 4, 5),
        "conv2d1_b": (5,),
        "softmax2_w": (5, 2),
        "softmax2_b": (2,),
    }
    random = np.random.default_rng(0)
    graph = graph_pb2.GraphDef()
    for name, shape in shapes.items():
        node = graph.node.add(name=name, op="Const")
        node.attr["dtype"].type = 1
        values = random.normal(size=shape).astype("float32")
        node.attr["value"].tensor.CopyFrom(make_tensor_proto(values))
    axis = graph.node.add(name="concat_dim", op="Const")
    axis.attr["value"].tensor.CopyFrom(make_tensor_proto(3))
    for number in (0, 1):
        node = graph.node.add(name=f"localresponsenorm{number}", op="LRN", input=["before"])
        node.attr["depth_radius"].i = 2 + number
        node.attr["bias"].f = 1.5 + number
        node.attr["alpha"].f = 0.25 + number
        node.attr["beta"].f = 0.75
    return graph


# The reader of TensorFlow graphs: agreement with TensorFlow's own, and files it refuses.

TENSORFLOW = {
    "Graph": (graph_pb2.GraphDef, {"nodes": "node"}),
    "Node": (node_def_pb2.NodeDef, {"attributes": "attr"}),
    "Attribute": (node_def_pb2.NodeDef.AttrEntry, {}),
    "Value": (attr_value_pb2.AttrValue, {}),
    "Tensor": (
        tensor_pb2.TensorProto,
        {"shape": "tensor_shape", "content": "tensor_content"},
    ),
    "Shape": (tensor_shape_pb2.TensorShapeProto, {}),
    "Dim": (tensor_shape_pb2.TensorShapeProto.Dim, {}),
}


@pytest.mark.parametrize("message", TENSORFLOW)
def test_field_numbers_are_tensorflows(message):
    theirs, renamed = TENSORFLOW[message]
    for field, (number, kind, label) in tf_graph.MESSAGES[message].items():
        other = theirs.DESCRIPTOR.fields_by_name[renamed.get(field, field)]
        assert other.number == number
        assert other.is_repeated == (label == tf_graph.MANY)
        wire = {other.TYPE_MESSAGE: other.TYPE_BYTES, other.TYPE_STRING: other.TYPE_BYTES}
        wire[other.TYPE_ENUM] = other.TYPE_INT32
        assert wire.get(other.type, other.type) == kind


def undecoded(tensor):
    return tf_graph.Constant("file, constant 'x'", tensor.SerializeToString())


floats = arrays.arrays(
    st.sampled_from([np.float32, np.float16]),
    arrays.array_shapes(max_dims=4, max_side=4),
    elements=st.floats(-1000, 1000, width=16),
)


@settings(deadline=None)
@given(floats)
def test_values_are_tensorflows(values):
    tensor = make_tensor_proto(values)
    ours = undecoded(tensor)
    assert ours.shape() == values.shape
    np.testing.assert_array_equal(ours.values(values.shape), make_ndarray(tensor))


@settings(deadline=None)
@given(st.lists(st.floats(-9, 9, width=32), max_size=6), st.integers(1, 9))
def test_repeated_numbers_are_tensorflows(numbers, count):
    tensor = tensor_pb2.TensorProto(dtype=1, float_val=numbers)
    tensor.tensor_shape.dim.add(size=count)
    if len(numbers) > count:
        with pytest.raises(InputError, match=f"holds {len(numbers)} values; its shape takes"):
            undecoded(tensor).values((count,))
        return
    np.testing.assert_array_equal(undecoded(tensor).values((count,)), make_ndarray(tensor))
    if len(numbers) < count:
        with pytest.raises(InputError, match="values; its shape takes"):
            undecoded(tensor).values((count,), whole=True)


def test_content_that_is_cut_is_refused():
    for size in range(12):
        tensor = tensor_pb2.TensorProto(dtype=1, tensor_content=bytes(size))
        if size:
            with pytest.raises(InputError, match="holds . values; its shape takes 3"):
                undecoded(tensor).values((3,))
        else:  # TensorFlow leaves the content of all zeros out
            assert undecoded(tensor).values((3,)).tolist() == [0, 0, 0]


def test_more_axes_than_any_array_are_refused():
    tensor = tensor_pb2.TensorProto(dtype=1)
    for _ in range(9):
        tensor.tensor_shape.dim.add(size=1)
    with pytest.raises(InputError, match="9 axes"):
        undecoded(tensor).shape()


@pytest.mark.parametrize("name", ["depth_radius", "bias", "alpha", "beta"])
def test_an_attribute_left_out_is_the_operations_default(name, small_graph, write_file):
    node = next(node for node in small_graph.node if node.op == "LRN")
    del node.attr[name]
    path = write_file(small_graph.SerializeToString(), "graph.pb")
    assert tf_graph.read(path)[1][node.name][name] == tf_graph.LRN_DEFAULTS[name]


@pytest.mark.parametrize(
    "name, field, value",
    [("depth_radius", "i", -1), ("depth_radius", "i", 2**31), ("depth_radius", "f", 5)]
    + [("bias", "f", np.nan), ("alpha", "f", np.inf), ("beta", "i", 1), ("beta", "s", b"1")],
)
def test_normalisations_that_cannot_be_are_refused(name, field, value, small_graph, write_file):
    node = next(node for node in small_graph.node if node.op == "LRN")
    setattr(node.attr[name], field, value)
    path = write_file(small_graph.SerializeToString(), "graph.pb")
    with pytest.raises(InputError, match="LRN node 'localresponsenorm0'"):
        tf_graph.read(path)


FILES = {
    "empty": b"",
    "HDF5": b"\x89HDF\r\n\x1a\n" + bytes(100),
    "zip": b"PK\x03\x04" + bytes(100),
    "text graph": b'node {\n  name: "x"\n}\n',
    "SavedModel": b"\x08\x01\x12\x02\x0a\x00",
    "Caffe": b"\x0a\x09GoogLeNet\x12\x02\x0a\x00",
    "pickle": b"\x80\x04\x95\x05\x00\x00\x00\x00\x00\x00\x00]\x94.",
    "claimed length": b"\x0a\xff\xff\xff\xff\x07" + bytes(100),
    "endless number": b"\x0a" + b"\xff" * 100,
    "nested groups": b"\x0b" * 100_000,
    "nested messages": b"\x0a\x7e" * 100_000,
    "many nodes": b"\x0a\x00" * 10_001,
    "many attributes": b"\x0a\xca\x01" + b"\x2a\x00" * 101,
    "long name": b"\x0a\xec\x07\x0a\xe9\x07" + b"a" * 1001,
    "two of a name": b"\x0a\x03\x0a\x01x" * 2,
}


@pytest.mark.parametrize("data", FILES.values(), ids=FILES)
def test_other_files_are_refused_in_one_line(data, write_file):
    with pytest.raises(InputError) as error:
        tf_graph.read(write_file(data, "graph.pb"))
    assert len(str(error.value).splitlines()) == 1


def test_no_file(tmp_path):
    with pytest.raises(InputError, match="is a folder; accepted: a frozen GraphDef"):
        tf_graph.read(tmp_path)
    with pytest.raises(InputError, match="no graph file"):
        tf_graph.read(tmp_path / "none.pb")


def test_a_file_too_large_is_not_read(tmp_path):
    path = tmp_path / "graph.pb"
    with path.open("wb") as file:
        file.truncate(tf_graph.MOST_BYTES + 1)  # a hole: takes no disk
    with pytest.raises(InputError, match="has over 256 MB"):
        tf_graph.read(path)


MEASURE = """
import resource, sys
from models.errors import InputError
from models.importers import tf_graph
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
before = peak()
try:
    tf_graph.read(sys.argv[1])
except InputError:
    print(peak() - before)
"""


def field(number, data):
    size, length = len(data), b""
    while size > 127:
        size, length = size >> 7, length + bytes([size & 127 | 128])
    return bytes([number << 3 | 2]) + length + bytes([size]) + data


EMPTY = b"\x0a\x00" * (2 << 20)
BOMBS = {
    "nodes": EMPTY,
    "attributes": field(1, field(2, b"LRN") + b"\x2a\x00" * (2 << 20)),
    "list": field(1, field(2, b"LRN") + field(5, field(1, b"beta") + field(2, field(1, EMPTY)))),
}


@pytest.mark.parametrize("data", BOMBS.values(), ids=BOMBS)
def test_memory_is_bounded_by_the_file(data, write_file):
    path = write_file(data, "graph.pb")
    measured = subprocess.run(
        [sys.executable, "-c", MEASURE, path], capture_output=True, text=True, check=True
    )
    assert int(measured.stdout) < 20 * len(data)


# The TensorFlow graph importer on a small network: what it fills, reports and refuses.


@pytest.fixture
def save(small_graph, tmp_path):
    """Return a function that writes small_graph, as it is then, and returns the path."""

    def write():
        path = tmp_path / "graph.pb"
        path.write_bytes(small_graph.SerializeToString())
        return path

    return write


def constant(graph, name):
    """The TensorProto of a constant, to be changed."""
    return next(node for node in graph.node if node.name == name).attr["value"].tensor


def lrn(graph):
    return [node for node in graph.node if node.op == "LRN"]


def attributes(model):
    layers = [model.get_layer(f"localresponsenorm{number}") for number in (0, 1)]
    return [(layer.depth_radius, layer.bias, layer.alpha, layer.beta) for layer in layers]


def test_fills_every_variable_and_reports_it(small_graph, small_network, save):
    model = small_network()
    report = tf_graph.load(save(), model)
    for name, place in report.loaded[:6]:
        layer, variable = place.split("/")
        value = getattr(model.get_layer(layer), variable)
        np.testing.assert_array_equal(value, make_ndarray(constant(small_graph, name)))
    assert report.loaded[:2] == [
        ("conv2d0_w", "conv2d0_pre_relu/kernel"),
        ("conv2d0_b", "conv2d0_pre_relu/bias"),
    ]
    assert report.loaded[6:] == [(f"localresponsenorm{i}",) * 2 for i in (0, 1)]
    assert report.skipped == [("concat_dim", "not named as weights are")]
    assert attributes(model) == [(2, 1.5, 0.25, 0.75), (3, 2.5, 1.25, 0.75)]


def test_weights_without_a_place_are_skipped(small_graph, small_network, save):
    extra = small_graph.node.add(name="softmax0_w", op="Const")
    extra.attr["value"].tensor.CopyFrom(make_tensor_proto(np.zeros((3, 2), "float32")))
    report = tf_graph.load(save(), small_network())
    assert ("softmax0_w", "the network has no such layer") in report.skipped


def test_a_matrix_may_be_a_1x1_kernel(small_graph, small_network, save):
    weights = constant(small_graph, "softmax2_w")
    matrix = make_ndarray(weights)
    weights.CopyFrom(make_tensor_proto(matrix[None, None]))
    model = small_network()
    tf_graph.load(save(), model)
    np.testing.assert_array_equal(model.get_layer("softmax2_pre_activation").kernel, matrix)


def test_a_network_that_has_run_uses_the_new_normalisation(small_network, save):
    pixels = np.random.default_rng(0).normal(size=(2, 6, 6, 3)).astype("float32")
    path, fresh, used = save(), small_network(), small_network()
    tf_graph.load(path, fresh)
    used.predict(pixels, verbose=0)
    tf_graph.load(path, used)
    np.testing.assert_array_equal(used.predict(pixels, verbose=0), fresh.predict(pixels, verbose=0))


def test_normalisations_are_paired_by_name(small_graph, small_network, save):
    first, second = lrn(small_graph)
    first.name, second.name = second.name, first.name
    model = small_network()
    tf_graph.load(save(), model)
    assert attributes(model) == [(3, 2.5, 1.25, 0.75), (2, 1.5, 0.25, 0.75)]


def test_normalisations_of_other_names_are_paired_in_order(small_graph, small_network, save):
    for node, name in zip(lrn(small_graph), ("z", "a"), strict=True):
        node.name = name
    model = small_network()
    assert ("z", "localresponsenorm0") in tf_graph.load(save(), model).loaded
    assert attributes(model) == [(2, 1.5, 0.25, 0.75), (3, 2.5, 1.25, 0.75)]


def drop(name):
    def change(graph):
        graph.node.remove(next(node for node in graph.node if node.name == name))

    return change


def retype(name, values):
    return lambda graph: constant(graph, name).CopyFrom(make_tensor_proto(values))


def rename_all(graph):
    for node in graph.node:
        node.name = f"import/{node.name}"


FAULTS = {
    r"no weights for 1: conv2d1_pre_relu/bias \(5,\)": drop("conv2d1_b"),
    r"no weights for 6: conv2d0_pre_relu/kernel \(3, 3, 3, 4\), .*; not used of the file 7: "
    r"'import/conv2d0_w' \(3, 3, 3, 4\)": rename_all,
    r"of another shape 1: 'conv2d0_b' \(5,\) for conv2d0_pre_relu/bias \(4,\)": retype(
        "conv2d0_b", np.zeros(5, "f4")
    ),
    r"softmax2_w' \(2, 5\) for softmax2_pre_activation/kernel \(5, 2\)": retype(
        "softmax2_w", np.zeros((2, 5), "f4")
    ),
    r"conv2d0_b.* type 2; accepted: 1 \(float32\)": retype("conv2d0_b", np.zeros(4)),
    "conv2d0_b.* not finite": retype("conv2d0_b", np.float32([1, 2, np.nan, 4])),
    r"has 1 LRN nodes \('localresponsenorm1'\); the network has 2": drop("localresponsenorm0"),
}


@pytest.mark.parametrize("message", FAULTS)
def test_a_file_that_does_not_fit_leaves_the_network_as_it_was(
    message, small_graph, small_network, save
):
    FAULTS[message](small_graph)
    model = small_network()
    before = model.get_weights(), attributes(model)
    with pytest.raises(InputError, match=message) as error:
        tf_graph.load(save(), model)
    assert "\n" not in str(error.value)
    for now, then in zip(model.get_weights(), before[0], strict=True):
        np.testing.assert_array_equal(now, then)
    assert attributes(model) == before[1]


def test_the_other_variant_of_the_network_is_refused(small_graph, save):
    # the two convolutions of the stem are named alike, and everything else is missing
    with pytest.raises(InputError, match="does not fit GoogLeNet: no weights for"):
        tf_graph.load(save(), GoogLeNet(include_top=False))


@pytest.mark.parametrize("shape", [(1024, 3), (1, 1, 1024, 3)])
def test_classes(shape, small_graph, save):
    values = np.random.default_rng(0).normal(size=shape).astype("float32")
    retype("softmax2_w", values)(small_graph)
    assert tf_graph.classes(save()) == 3


def test_classes_are_not_taken_from_a_claim(small_graph, save):
    tensor = constant(small_graph, "softmax2_w")
    tensor.CopyFrom(make_tensor_proto(np.float32(0.5), shape=(1024, 1_000_000_000)))
    assert len(tensor.SerializeToString()) < 50
    with pytest.raises(InputError, match="holds 1 values; its shape takes 1024000000000"):
        tf_graph.classes(save())


def test_no_classes(small_graph, save):
    with pytest.raises(InputError, match=r"has shape \(5, 2\); accepted: \(1024, classes\)"):
        tf_graph.classes(save())
    drop("softmax2_w")(small_graph)
    with pytest.raises(InputError, match="no constant 'softmax2_w'"):
        tf_graph.classes(save())


# Damaged and hostile graphs: one InputError each, or weights that TensorFlow reads too.

fuzz = settings(
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", 70)),
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
# of one input, of the processor; an undamaged one takes some hundredths
MOST_SECONDS = 5
MOST_MEMORY = 2 << 20  # bytes, in Python and NumPy; the files have 2 KB

places = st.integers(0, 4000)
bytes_changed = st.lists(
    st.one_of(
        st.tuples(st.just("set"), places, st.integers(0, 255)),
        st.tuples(st.just("flip"), places, st.integers(0, 7)),
        st.tuples(st.just("cut"), places, places),
        st.tuples(st.just("end"), places, st.just(0)),
        st.tuples(st.just("copy"), places, places),
        st.tuples(st.just("insert"), places, st.binary(max_size=12)),
    ),
    min_size=1,
    max_size=4,
)


def damage(data, changes):
    """Apply changes to bytes; places wrap around."""
    data = bytearray(data)
    for kind, place, extra in changes:
        place %= len(data) + 1
        if kind == "set":
            data[place : place + 1] = bytes([extra])
        elif kind == "flip" and place < len(data):
            data[place] ^= 1 << extra
        elif kind == "cut":
            del data[place : place + extra % 64]
        elif kind == "end":
            del data[place:]
        elif kind == "copy":
            data[place:place] = data[extra : extra + 64]
        elif kind == "insert":
            data[place:place] = extra
    return bytes(data)


# Changes to the message itself, so that all lengths are right; (constant, what is done, with what)
huge = st.sampled_from([-1, 0, 1, 2, 5, 2**31, 2**40, 2**62, -(2**63)])
structured = st.lists(
    st.one_of(
        st.tuples(st.just("dim"), st.integers(0, 8), huge),
        st.tuples(st.just("axes"), st.integers(0, 8), st.integers(0, 40)),
        st.tuples(st.just("dtype"), st.integers(0, 8), st.integers(-1, 130)),
        st.tuples(st.just("content"), st.integers(0, 8), st.binary(max_size=80)),
        st.tuples(st.just("numbers"), st.integers(0, 8), st.lists(st.floats(width=32))),
        st.tuples(st.just("strings"), st.integers(0, 8), st.integers(0, 200)),
        st.tuples(st.just("name"), st.integers(0, 8), st.text(max_size=9)),
        st.tuples(st.just("op"), st.integers(0, 8), st.sampled_from(["Const", "LRN", "Add"])),
        st.tuples(st.just("drop"), st.integers(0, 8), st.none()),
        st.tuples(st.just("twice"), st.integers(0, 8), st.none()),
        st.tuples(st.just("radius"), st.integers(0, 8), huge),
        st.tuples(st.just("bias"), st.integers(0, 8), st.floats(width=32)),
    ),
    min_size=1,
    max_size=3,
)


def deform(graph, changes):
    """Return a GraphDef with changes to its messages."""
    changed = graph_pb2.GraphDef()
    changed.CopyFrom(graph)
    for kind, place, extra in changes:
        if not changed.node:
            continue
        node = changed.node[place % len(changed.node)]
        CHANGES[kind](changed, node, node.attr["value"].tensor, extra)
    return changed


def change_dim(graph, node, tensor, size):
    tensor.tensor_shape.dim.add(size=1)
    tensor.tensor_shape.dim[0].size = size


def change_content(graph, node, tensor, content):
    tensor.tensor_content = content


def change_numbers(graph, node, tensor, numbers):
    tensor.tensor_content = b""
    tensor.float_val[:] = numbers


CHANGES = {
    "dim": change_dim,
    "axes": lambda g, n, t, count: [t.tensor_shape.dim.add(size=2**40) for _ in range(count)],
    "dtype": lambda g, n, t, number: setattr(t, "dtype", number),
    "content": change_content,
    "numbers": change_numbers,
    "strings": lambda g, n, t, count: t.string_val.extend([b""] * count),
    "name": lambda g, n, t, name: setattr(n, "name", name),
    "op": lambda g, n, t, op: setattr(n, "op", op),
    "drop": lambda g, n, t, _: g.node.remove(n),
    "twice": lambda g, n, t, _: g.node.add().CopyFrom(n),
    "radius": lambda g, n, t, size: setattr(n.attr["depth_radius"], "i", size),
    "bias": lambda g, n, t, number: setattr(n.attr["bias"], "f", number),
}


@pytest.fixture(scope="module")
def network(small_network):
    return small_network()


def attempt(path, data, network):
    """Load the bytes; return the Report, or None after an InputError of one line."""
    path.write_bytes(data)
    before = network.get_weights()
    tracemalloc.start()
    start = time.process_time()
    try:
        return tf_graph.load(path, network)
    except InputError as error:
        assert len(str(error).splitlines()) == 1
        for now, then in zip(network.get_weights(), before, strict=True):
            np.testing.assert_array_equal(now, then)
        return None
    finally:
        assert time.process_time() - start < MOST_SECONDS
        assert tracemalloc.get_traced_memory()[1] < MOST_MEMORY
        tracemalloc.stop()


def agree(data, report, network):
    """Whether TensorFlow reads in the bytes what was loaded, or refuses them itself."""
    try:
        graph = graph_pb2.GraphDef.FromString(data)
    except DecodeError:
        return True  # damage in a field that the importer does not read
    tensors = {node.name: node.attr["value"].tensor for node in graph.node if node.op == "Const"}
    for name, place in report.loaded:
        layer, _, variable = place.partition("/")
        if variable:
            held = np.asarray(getattr(network.get_layer(layer), variable))
            if not np.array_equal(held.ravel(), make_ndarray(tensors[name]).ravel()):
                return False
    return True


@fuzz
@given(changes=bytes_changed)
def test_damaged_bytes(changes, small_graph, network, tmp_path):
    data = damage(small_graph.SerializeToString(deterministic=True), changes)
    report = attempt(tmp_path / "graph.pb", data, network)
    event("loaded" if report else "refused")
    assert report is None or agree(data, report, network)


@fuzz
@given(changes=structured)
def test_hostile_messages(changes, small_graph, network, tmp_path):
    data = deform(small_graph, changes).SerializeToString()
    report = attempt(tmp_path / "graph.pb", data, network)
    event("loaded" if report else "refused")
    assert report is None or agree(data, report, network)


@fuzz
@given(data=st.binary(max_size=300))
def test_any_bytes(data, network, tmp_path):
    assert attempt(tmp_path / "graph.pb", data, network) is None


# The TensorFlow graph importer: a graph of the 5h names runs the same in TensorFlow and here.

v1 = tf.compat.v1

# 1x1, 3x3 bottleneck, 3x3, 5x5 bottleneck, 5x5, pool reduce: FACTS of Lucid's 5h graph, written
# again so that a slip in models/inception_v1.py shows
WIDTHS = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 204, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 48, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}
# two different ones, neither TensorFlow's default nor InceptionV1's
LRN = (
    {"depth_radius": 3, "bias": 1.5, "alpha": 0.02, "beta": 0.6},
    {"depth_radius": 6, "bias": 0.8, "alpha": 0.01, "beta": 0.7},
)
CLASSES = 1008
NORMALISED = ["localresponsenorm0", "localresponsenorm1"]
COMPARED = [*NORMALISED, "mixed3a", "mixed4d_3x3_pre_relu", "mixed4d", "mixed5b"]
COMPARED += [f"softmax{i}{end}" for i in (0, 1, 2) for end in ("_pre_activation", "")]


class FiveH:
    """The 5h graph with random weights, written with TensorFlow's own operations."""

    def __init__(self, side, seed):
        self.random = np.random.default_rng(seed)
        with tf.Graph().as_default() as graph:
            pixels = v1.placeholder("float32", (None, side, side, 3), "input")
            self.trunk(pixels)
            self.definition = graph.as_graph_def()

    def weights(self, name, *shape):
        # He et al. 2015: keeps the values near 1 through all layers
        spread = np.sqrt(2 / np.prod(shape[:-1]))
        kernel = self.random.normal(0, spread, shape).astype("float32")
        bias = self.random.normal(0, 0.1, shape[-1]).astype("float32")
        return tf.constant(kernel, name=f"{name}_w"), tf.constant(bias, name=f"{name}_b")

    def convolution(self, x, name, width, size, stride=1):
        kernel, bias = self.weights(name, size, size, x.shape[-1], width)
        x = tf.nn.conv2d(x, kernel, stride, "SAME", name=f"{name}_pre_relu/conv")
        return tf.nn.relu(tf.nn.bias_add(x, bias, name=f"{name}_pre_relu"), name=name)

    def dense(self, x, name, label, width):
        kernel, bias = self.weights(name, x.shape[-1], width)
        return tf.nn.bias_add(tf.matmul(x, kernel), bias, name=label)

    def trunk(self, x):
        x = self.convolution(x, "conv2d0", 64, 7, 2)
        x = tf.nn.max_pool2d(x, 3, 2, "SAME", name="maxpool0")
        x = tf.nn.local_response_normalization(x, **LRN[0], name="localresponsenorm0")
        x = self.convolution(x, "conv2d1", 64, 1)
        x = self.convolution(x, "conv2d2", 192, 3)
        x = tf.nn.local_response_normalization(x, **LRN[1], name="localresponsenorm1")
        x = tf.nn.max_pool2d(x, 3, 2, "SAME", name="maxpool1")
        for number, (block, widths) in enumerate(WIDTHS.items()):
            if block in ("4a", "5a"):
                x = tf.nn.max_pool2d(x, 3, 2, "SAME", name=f"maxpool{3 * (number // 2) + 1}")
            x = self.module(x, f"mixed{block}", *widths)
            if block in ("4a", "4d"):
                self.head(x, 0 if block == "4a" else 1)
        x = tf.nn.avg_pool2d(x, x.shape[1:3], 1, "VALID", name="avgpool0")
        x = tf.reshape(x, (-1, 1024), name="avgpool0/reshape")
        x = self.dense(x, "softmax2", "softmax2_pre_activation", CLASSES)
        tf.nn.softmax(x, name="softmax2")

    def module(self, x, name, one, narrow3, three, narrow5, five, reduce):
        b1 = self.convolution(x, f"{name}_1x1", one, 1)
        b3 = self.convolution(x, f"{name}_3x3_bottleneck", narrow3, 1)
        b3 = self.convolution(b3, f"{name}_3x3", three, 3)
        b5 = self.convolution(x, f"{name}_5x5_bottleneck", narrow5, 1)
        b5 = self.convolution(b5, f"{name}_5x5", five, 5)
        pooled = tf.nn.max_pool2d(x, 3, 1, "SAME", name=f"{name}_pool")
        return tf.concat(
            [b1, b3, b5, self.convolution(pooled, f"{name}_pool_reduce", reduce, 1)], 3, name=name
        )

    def head(self, x, number):
        x = tf.nn.avg_pool2d(x, 5, 3, "VALID", name=f"head{number}_pool")
        x = self.convolution(x, f"head{number}_bottleneck", 128, 1)
        x = tf.reshape(x, (-1, int(np.prod(x.shape[1:]))))
        x = tf.nn.relu(self.dense(x, f"nn{number}", f"nn{number}_pre_relu", 1024), f"nn{number}")
        x = self.dense(x, f"softmax{number}", f"softmax{number}_pre_activation", CLASSES)
        tf.nn.softmax(x, name=f"softmax{number}")


def run(definition, names, pixels):
    """Run a GraphDef in TensorFlow itself."""
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(definition, name="")
        with v1.Session(graph=graph) as session:
            return session.run([f"{name}:0" for name in names], {"input:0": pixels})


def outputs(model, pixels):
    """Run inner layers of a Keras network."""
    inner = keras.Model(model.input, [model.get_layer(name).output for name in COMPARED])
    return inner.predict_on_batch(pixels)


@pytest.fixture
def undrawn(monkeypatch):
    """Every weight is replaced, and drawing them costs JAX half a minute of compiling."""
    zeros = lambda self, shape, dtype=None: np.zeros(shape, dtype)  # noqa: E731
    monkeypatch.setattr(keras.initializers.GlorotUniform, "__call__", zeros)


# 239: an odd side at which the heads read 4 x 4 as they do at 224
@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("side", [224, 239])
def test_runs_as_in_tensorflow(side, tmp_path):
    definition = FiveH(side, seed=side).definition
    path = tmp_path / "graph.pb"
    path.write_bytes(definition.SerializeToString())
    assert tf_graph.classes(path) == CLASSES
    model = InceptionV1(input_shape=(side, side, 3), auxiliary=True)
    report = tf_graph.load(path, model)
    tensors = [node.name for node in definition.node if node.name.endswith(("_w", "_b"))]
    assert sorted(name for name, _ in report.loaded) == sorted(tensors + NORMALISED)
    assert len(report.loaded) == 2 * (3 + 9 * 6 + 2 * 3 + 1) + 2
    pixels = np.random.default_rng(1).uniform(-1, 1, (1, side, side, 3)).astype("float32")
    expected = run(definition, COMPARED, pixels)
    for name, theirs, ours in zip(COMPARED, expected, outputs(model, pixels), strict=True):
        # the softmax of 1008 classes is about 0.001, so the tolerance goes with the values
        scale = np.abs(theirs).max()
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4 * scale, err_msg=name)
