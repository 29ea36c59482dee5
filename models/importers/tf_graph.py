"""A frozen TensorFlow graph (GraphDef, `.pb`) with the 5h file's names into InceptionV1.

Read are the constants `<name>_w` and `<name>_b` and the attributes of the LRN nodes. What the
other nodes compute is not looked at: a file that has these names and shapes is taken for the 5h
network. Files are read within bounds; the graph is neither imported nor run, and TensorFlow
itself is not needed.
"""

import math
import os
from dataclasses import dataclass

import numpy as np

from models.errors import InputError
from models.importers import protobuf
from models.importers.fill import Held, Place, Report, fill
from models.importers.protobuf import BYTES, FLOAT, INT32, INT64, MANY, MOST, ONE

SUFFIXES = {"kernel": "_w", "bias": "_b"}  # variable of a layer: end of its constant's name
FEATURES = 1024  # inputs of softmax2: the channels of mixed5b

# The fields read here, with their numbers in tensorflow/core/framework/{graph,node_def,
# attr_value,tensor,tensor_shape}.proto. `Attribute` is an entry of the map NodeDef.attr.
MESSAGES = {
    "Graph": {"nodes": (1, BYTES, MANY)},
    "Node": {"name": (1, BYTES, ONE), "op": (2, BYTES, ONE), "attributes": (5, BYTES, MANY)},
    "Attribute": {"key": (1, BYTES, ONE), "value": (2, BYTES, ONE)},
    "Value": {"i": (3, INT64, ONE), "f": (4, FLOAT, ONE), "tensor": (8, BYTES, ONE)},
    "Tensor": {
        "dtype": (1, INT32, ONE),
        "shape": (2, BYTES, ONE),
        "content": (4, BYTES, ONE),
        "float_val": (5, FLOAT, MANY),
        "half_val": (13, INT32, MANY),  # the 16 bits of each
    },
    "Shape": {"dim": (2, BYTES, MANY)},
    "Dim": {"size": (1, INT64, ONE)},
}
TYPES = protobuf.message_types("tf_graph", MESSAGES)

# DataType in tensorflow/core/framework/types.proto -> its elements in a tensor's content
ELEMENTS = {1: np.dtype("<f4"), 19: np.dtype("<f2")}

# Attributes of an LRN node and the field that holds each; a graph may leave out those that have
# the operation's default (tensorflow/core/ops/nn_ops.cc)
LRN_FIELDS = {"depth_radius": "i", "bias": "f", "alpha": "f", "beta": "f"}
LRN_DEFAULTS = {"depth_radius": 5, "bias": 1.0, "alpha": 1.0, "beta": 0.5}

# The 5h file has 54 MB. More than this is no InceptionV1; the limit also bounds the memory of a
# hostile file, which can be 16 times its size.
MOST_BYTES = 256 << 20
MOST_ATTRIBUTES = 100  # of one node; TensorFlow's operations have a dozen at most
MOST_AXES = 8


@dataclass(frozen=True)
class Constant:
    """A constant of a graph, not yet decoded.

    Attributes:
        where: file and name, for errors.
        data: its encoded TensorProto.
    """

    where: str
    data: bytes

    def shape(self):
        """Return the shape that it claims, a tuple; it may be larger than what it holds."""
        axes = _decode("Shape", self._tensor().shape, self.where).dim
        if len(axes) > MOST_AXES:
            raise InputError(f"{self.where} has {len(axes)} axes; accepted: up to {MOST_AXES}")
        return tuple(_decode("Dim", axis, self.where).size for axis in axes)

    def values(self, shape, whole=False):
        """Return float32 values.

        As in TensorFlow: all bytes in `content`; or numbers of which the last is repeated, or
        none for zeros, and then `shape` bounds the memory, however few there are.

        Args:
            shape: of the result, in place of the claimed one.
            whole: refuse repeated numbers, so that the file bounds the memory.

        Raises:
            InputError: other types than float32 and float16, too few or too many values, or one
                that is not finite.
        """
        tensor, count = self._tensor(), math.prod(shape)
        if tensor.dtype not in ELEMENTS:
            raise InputError(
                f"{self.where} has TensorFlow's type {tensor.dtype}; accepted: "
                f"{', '.join(f'{number} ({kind.name})' for number, kind in ELEMENTS.items())}"
            )
        kind = ELEMENTS[tensor.dtype]
        held, rest = divmod(len(tensor.content), kind.itemsize)
        given = np.frombuffer(tensor.content, kind, held).astype("float32", copy=False)
        if not tensor.content and kind.itemsize == 2:
            bits = np.array(tensor.half_val, "int32").astype("uint16")
            given = bits.view("float16").astype("float32")
        elif not tensor.content:
            given = np.array(tensor.float_val, "float32")
        short = len(given) < count and (whole or tensor.content)
        if rest or len(given) > count or short:
            raise InputError(f"{self.where} holds {len(given)} values; its shape takes {count}")
        if not np.isfinite(given).all():
            raise InputError(f"{self.where} has values that are not finite")
        last = given[-1] if len(given) else 0
        return np.append(given, np.full(count - len(given), last, "float32")).reshape(shape)

    def _tensor(self):
        return _decode("Tensor", self.data, self.where)


def load(path, model):
    """Fill an InceptionV1 with the constants of a frozen graph, all of it or none.

    The attributes of the graph's LRN nodes are set on the model's LocalResponseNormalization
    layers: by name where the nodes are called as the layers, else in the order of the graph.
    Functions that the model compiled for itself are dropped, as they hold the former attributes;
    a larger model that contains its layers must not have been run yet.

    Args:
        path: GraphDef in binary form. Constants are float32, or float16, which is widened.
        model: keras.Model of models.inception_v1.InceptionV1, with or without top and auxiliary
            classifiers. A fully connected layer's weights may be (in, out) or (1, 1, in, out).

    Returns:
        Report; constants that the network has no place for are in `skipped`.

    Raises:
        InputError: as read() and Constant.values(); another number of LRN nodes than of
            layers; or a part of the network whose constant is missing or of another shape.
    """
    from models.caffe_layers import LocalResponseNormalization

    constants, lrn_nodes = read(path)
    wanted, pairs = _wanted(model)
    pairs = {name: place for name, place in pairs.items() if name in constants}
    held = {name: _held(constant) for name, constant in constants.items()}
    layers = [layer for layer in model.layers if isinstance(layer, LocalResponseNormalization)]
    normalised = _pair(path, lrn_nodes, layers) if len(pairs) == len(wanted) else []
    report = fill(path, model, held, wanted, pairs, _reason)
    for node, layer in normalised:
        for attribute, number in lrn_nodes[node].items():
            setattr(layer, attribute, number)
    model.train_function = model.test_function = model.predict_function = None
    return Report(
        report.loaded + [(node, layer.name) for node, layer in normalised], report.skipped
    )


def classes(path):
    """Return the number of classes of a graph: the outputs of `softmax2_w`.

    All values of that constant must be there, so that a claimed number cannot make the caller
    build a network out of proportion to the file.

    Raises:
        InputError: as read() and Constant.values(), or no `softmax2_w` of
            (1024, classes).
    """
    constants, _ = read(path)
    if "softmax2_w" not in constants:
        raise InputError(f"{path} has no constant 'softmax2_w', so no classes")
    constant = constants["softmax2_w"]
    shape = constant.shape()
    if shape[:-1] not in ((FEATURES,), (1, 1, FEATURES)) or shape[-1] < 1:
        raise InputError(f"{constant.where} has shape {shape}; accepted: ({FEATURES}, classes)")
    return constant.values(shape, whole=True).shape[-1]


def read(path):
    """Read the constants and the LRN nodes of a graph, in its order.

    Args:
        path: GraphDef in binary form.

    Returns:
        (dict name -> Constant, dict name of an LRN node -> dict of depth_radius, bias, alpha and
        beta).

    Raises:
        InputError: no such file, another format, damaged, too large, two nodes of one name, or
            an LRN node whose attributes are no numbers that can be used.
    """
    constants, lrn_nodes, names = {}, {}, set()
    for number, data in enumerate(_nodes(path)):
        where = f"{path}, node {number}"
        node = _decode("Node", data, where)
        if len(node.attributes) > MOST_ATTRIBUTES:
            raise InputError(
                f"{where} has {len(node.attributes)} attributes; accepted: up to {MOST_ATTRIBUTES}"
            )
        name = protobuf.read_name(node.name, where)
        if name in names:
            raise InputError(f"{path} has two nodes named {name!r}")
        names.add(name)
        if node.op == b"Const":
            value = _attributes(node, where).get(b"value")
            constants[name] = Constant(f"{path}, constant {name!r}", value.tensor if value else b"")
        elif node.op == b"LRN":
            lrn_nodes[name] = _lrn(_attributes(node, where), f"{path}, LRN node {name!r}")
    return constants, lrn_nodes


def _nodes(path):
    """Return the encoded nodes of a graph file."""
    if os.path.isdir(path):
        raise InputError(f"{path} is a folder; accepted: a frozen GraphDef file, no SavedModel")
    if os.path.isfile(path) and os.path.getsize(path) > MOST_BYTES:
        raise InputError(f"{path} has over {MOST_BYTES >> 20} MB; a frozen InceptionV1 has 54")
    nodes = _decode("Graph", protobuf.read_file(path, "graph file"), path).nodes
    if not 0 < len(nodes) <= MOST:
        raise InputError(
            f"{path} holds {len(nodes)} graph nodes; accepted: a frozen GraphDef (binary, no "
            f"SavedModel) of 1 to {MOST}"
        )
    return nodes


def _attributes(node, where):
    """Return dict attribute -> Value of a node; of one that is given twice the last counts."""
    entries = [_decode("Attribute", data, where) for data in node.attributes]
    return {entry.key: _decode("Value", entry.value, where) for entry in entries}


def _lrn(attributes, where):
    """Return depth_radius, bias, alpha and beta of an LRN node."""
    numbers = dict(LRN_DEFAULTS)
    for name, field in LRN_FIELDS.items():
        value = attributes.get(name.encode())
        if value and not value.HasField(field):
            raise InputError(f"{where}: its {name} is not a number of the right type")
        if value:
            numbers[name] = getattr(value, field)
    # the radius is an int in TensorFlow's kernel
    if not 0 <= numbers["depth_radius"] < 2**31 or not all(map(math.isfinite, numbers.values())):
        raise InputError(f"{where} has {numbers}; accepted: a radius from 0, finite numbers")
    return numbers


def _decode(kind, data, where):
    what = f"a whole {kind} message of a frozen TensorFlow GraphDef"
    return protobuf.decode(TYPES[kind], data, where, what)


def _held(constant):
    return Held((None,), lambda: [constant.shape()], lambda: [constant.values(constant.shape())])


def _wanted(model):
    """Return (dict "layer/variable" -> Place, dict constant's name in the graph -> that name).

    A matrix may also be a 1 x 1 kernel.
    """
    wanted, names = {}, {}
    for layer in model.layers:
        base = layer.name.removesuffix("_pre_relu").removesuffix("_pre_activation")
        for variable in layer.weights:
            place, shape = f"{layer.name}/{variable.name}", tuple(variable.shape)
            kernel = ((1, 1, *shape),) if len(shape) == 2 else ()
            wanted[place] = Place([variable], [(shape, *kernel)])
            names[base + SUFFIXES.get(variable.name, f"/{variable.name}")] = place
    return wanted, names


def _reason(name):
    if name.endswith(tuple(SUFFIXES.values())):
        return "the network has no such layer"
    return "not named as weights are"


def _pair(path, lrn_nodes, layers):
    """Return the list of (LRN node, layer): by name where all names agree, else in order."""
    names = [layer.name for layer in layers]
    if len(lrn_nodes) != len(layers):
        raise InputError(
            f"{path} has {len(lrn_nodes)} LRN nodes ({', '.join(map(repr, list(lrn_nodes)[:5]))}); "
            f"the network has {len(layers)} normalisations ({', '.join(names[:5])})"
        )
    nodes = names if set(names) == set(lrn_nodes) else list(lrn_nodes)
    return list(zip(nodes, layers, strict=True))
