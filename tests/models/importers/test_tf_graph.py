"""The TensorFlow graph importer on a small network: what it fills, reports and refuses."""

import numpy as np
import pytest
from tensorflow import make_ndarray, make_tensor_proto

from models.errors import InputError
from models.importers import tf_graph
from models.inception_v1 import GoogLeNet


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
    "no constants for 1: conv2d1_b": drop("conv2d1_b"),
    "no constants for 6: conv2d0_w, .*; not used of the file 7: 'import/conv2d0_w'": rename_all,
    r"of another shape 1: conv2d0_b \(5,\) for \(4,\)": retype("conv2d0_b", np.zeros(5, "f4")),
    r"softmax2_w \(2, 5\) for \(5, 2\)": retype("softmax2_w", np.zeros((2, 5), "f4")),
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
    with pytest.raises(InputError, match="does not fit GoogLeNet: no constants for"):
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
