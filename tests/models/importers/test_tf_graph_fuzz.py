"""Damaged and hostile graphs: one InputError each, or weights that TensorFlow reads too.

FUZZ_EXAMPLES sets the number of inputs of each of the three tests (default 70).
"""

import os
import time
import tracemalloc

import numpy as np
import pytest
from google.protobuf.message import DecodeError
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from tensorflow import make_ndarray
from tensorflow.core.framework import graph_pb2

from models.errors import InputError
from models.importers import tf_graph

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
