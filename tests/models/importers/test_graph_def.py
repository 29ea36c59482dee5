"""The reader of TensorFlow graphs: agreement with TensorFlow's own, and files it refuses."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
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

from models.errors import InputError
from models.importers import graph_def

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
    for field, (number, kind, label) in graph_def.MESSAGES[message].items():
        other = theirs.DESCRIPTOR.fields_by_name[renamed.get(field, field)]
        assert other.number == number
        assert other.is_repeated == (label == graph_def.MANY)
        wire = {other.TYPE_MESSAGE: other.TYPE_BYTES, other.TYPE_STRING: other.TYPE_BYTES}
        wire[other.TYPE_ENUM] = other.TYPE_INT32
        assert wire.get(other.type, other.type) == kind


def constant(tensor):
    return graph_def.Constant("file, constant 'x'", tensor.SerializeToString())


floats = arrays.arrays(
    st.sampled_from([np.float32, np.float16]),
    arrays.array_shapes(max_dims=4, max_side=4),
    elements=st.floats(-1000, 1000, width=16),
)


@settings(deadline=None)
@given(floats)
def test_values_are_tensorflows(values):
    tensor = make_tensor_proto(values)
    ours = constant(tensor)
    assert ours.shape() == values.shape
    np.testing.assert_array_equal(ours.values(values.shape), make_ndarray(tensor))


@settings(deadline=None)
@given(st.lists(st.floats(-9, 9, width=32), max_size=6), st.integers(1, 9))
def test_repeated_numbers_are_tensorflows(numbers, count):
    tensor = tensor_pb2.TensorProto(dtype=1, float_val=numbers)
    tensor.tensor_shape.dim.add(size=count)
    if len(numbers) > count:
        with pytest.raises(InputError, match=f"holds {len(numbers)} values; its shape takes"):
            constant(tensor).values((count,))
        return
    np.testing.assert_array_equal(constant(tensor).values((count,)), make_ndarray(tensor))
    if len(numbers) < count:
        with pytest.raises(InputError, match="values; its shape takes"):
            constant(tensor).values((count,), whole=True)


def test_content_that_is_cut_is_refused():
    for size in range(12):
        tensor = tensor_pb2.TensorProto(dtype=1, tensor_content=bytes(size))
        if size:
            with pytest.raises(InputError, match="holds . values; its shape takes 3"):
                constant(tensor).values((3,))
        else:  # TensorFlow leaves the content of all zeros out
            assert constant(tensor).values((3,)).tolist() == [0, 0, 0]


def test_more_axes_than_any_array_are_refused():
    tensor = tensor_pb2.TensorProto(dtype=1)
    for _ in range(9):
        tensor.tensor_shape.dim.add(size=1)
    with pytest.raises(InputError, match="9 axes"):
        constant(tensor).shape()


@pytest.mark.parametrize("name", ["depth_radius", "bias", "alpha", "beta"])
def test_an_attribute_left_out_is_the_operations_default(name, small_graph, write_file):
    node = next(node for node in small_graph.node if node.op == "LRN")
    del node.attr[name]
    path = write_file(small_graph.SerializeToString(), "graph.pb")
    assert graph_def.read(path)[1][node.name][name] == graph_def.LRN_DEFAULTS[name]


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
        graph_def.read(path)


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
        graph_def.read(write_file(data, "graph.pb"))
    assert len(str(error.value).splitlines()) == 1


def test_no_file(tmp_path):
    with pytest.raises(InputError, match="is a folder; accepted: a frozen GraphDef"):
        graph_def.read(tmp_path)
    with pytest.raises(InputError, match="no graph file"):
        graph_def.read(tmp_path / "none.pb")


def test_a_file_too_large_is_not_read(tmp_path):
    path = tmp_path / "graph.pb"
    with path.open("wb") as file:
        file.truncate(graph_def.MOST_BYTES + 1)  # a hole: takes no disk
    with pytest.raises(InputError, match="has over 256 MB"):
        graph_def.read(path)


MEASURE = """
import resource, sys
from models.errors import InputError
from models.importers import graph_def
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
before = peak()
try:
    graph_def.read(sys.argv[1])
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
