"""Caffe's binary weights (`.caffemodel`) and mean files (`.binaryproto`) into GoogLeNet, CaffeNet.

Caffe keeps a convolution as (out, in / groups, rows, columns) and an inner product as (out, in);
Keras as (rows, columns, in / groups, out) and (in, out). The inputs of an inner product after a
picture-shaped layer run over (channels, rows, columns) in Caffe, over (rows, columns, channels)
in Keras, so they are reordered. Pixels are BGR in [0, 255] minus a mean: models.zoo.PIXELS.

Of Caffe's protocol buffer messages only the few fields that hold weights are decoded, one level
at a time (models.importers.protobuf). Reading takes less than 20 times the file's size in memory
at worst (16 for empty messages, the file, what Python keeps), and about 3 times for a real file.
"""

import math

import numpy as np

from models.errors import InputError
from models.importers import protobuf
from models.importers.fill import Held, Place, fill, fits, places
from models.importers.protobuf import BYTES, DOUBLE, FLOAT, INT32, INT64, MANY, MOST, ONE

# layer in Caffe's files -> layer of models.inception_v1; CaffeNet's names are Caffe's own
NAMES = {
    "conv1/7x7_s2": "conv2d0_pre_relu",
    "conv2/3x3_reduce": "conv2d1_pre_relu",
    "conv2/3x3": "conv2d2_pre_relu",
    "loss1/conv": "head0_bottleneck_pre_relu",
    "loss1/fc": "nn0_pre_relu",
    "loss1/classifier": "softmax0_pre_activation",
    "loss2/conv": "head1_bottleneck_pre_relu",
    "loss2/fc": "nn1_pre_relu",
    "loss2/classifier": "softmax1_pre_activation",
    "loss3/classifier": "softmax2_pre_activation",
}
BRANCHES = {
    "1x1": "1x1",
    "3x3_reduce": "3x3_bottleneck",
    "3x3": "3x3",
    "5x5_reduce": "5x5_bottleneck",
    "5x5": "5x5",
    "pool_proj": "pool_reduce",
}
BLOCKS = ("3a", "3b", "4a", "4b", "4c", "4d", "4e", "5a", "5b")
NAMES |= {
    f"inception_{block}/{caffe}": f"mixed{block}_{ours}_pre_relu"
    for block in BLOCKS
    for caffe, ours in BRANCHES.items()
}
AUXILIARY = ("loss1/", "loss2/")

# dense layer of the network -> the layer whose picture-shaped output it takes, flattened
FLATTENED = {
    "fc6": "pool5",
    "nn0_pre_relu": "head0_bottleneck",
    "nn1_pre_relu": "head1_bottleneck",
}

# message: {field: (number, type, label)}, the numbers of src/caffe/proto/caffe.proto (BVLC);
# raw_data and its type are NVIDIA's addition. A number may be packed or not, both are read.
MESSAGES = {
    "Net": {"v1_layers": (2, BYTES, MANY), "layers": (100, BYTES, MANY)},
    "Layer": {"name": (1, BYTES, ONE), "blobs": (7, BYTES, MANY)},
    "V1Layer": {"v0": (1, BYTES, ONE), "name": (4, BYTES, ONE), "blobs": (6, BYTES, MANY)},
    "V0Layer": {"name": (1, BYTES, ONE), "blobs": (50, BYTES, MANY)},
    "Blob": {
        "num": (1, INT32, ONE),
        "channels": (2, INT32, ONE),
        "height": (3, INT32, ONE),
        "width": (4, INT32, ONE),
        "data": (5, FLOAT, MANY),
        "shape": (7, BYTES, ONE),
        "double_data": (8, DOUBLE, MANY),
        "raw_data_type": (10, INT32, ONE),
        "raw_data": (12, BYTES, ONE),
    },
    "Shape": {"dim": (1, INT64, MANY)},
}

AXES = 32  # kMaxBlobAxes of Caffe's blob.hpp
LONGEST_SHAPE = AXES * 11  # bytes: a number takes 10 at most, and its tag where not packed

TYPES = protobuf.message_types("caffe_weights", MESSAGES)


def read(path):
    """Read every layer of a `.caffemodel`, in Caffe's layout.

    Layers of the new form (`layer`), of the V1 form (`layers`) and of the first form inside it.

    Returns:
        dict layer name -> list of float32 arrays (weights, bias; [] for a layer without).

    Raises:
        InputError: no such file, damaged, without layers, two layers of one name with weights,
            or a blob whose data is missing, of another size than its shape, or raw (float16).
    """
    arrays, count = {}, 0
    for name, blobs in layers(path):
        count += len(blobs)
        if count > MOST:
            raise InputError(f"{path} holds more than {MOST} arrays; that is no network")
        if arrays.get(name) and blobs:
            raise InputError(f"{path} holds two layers {name!r} with weights")
        if blobs or name not in arrays:
            arrays[name] = [array(blob, f"{path}, layer {name!r}") for blob in blobs]
    return arrays


def classes(path):
    """Return the number of classes of a `.caffemodel`: the outputs of its last inner product.

    Raises:
        InputError: as read(), or no inner product in the file.
    """
    return _last_product(path)[1].shape[-2]


def top_layer(path):
    """Return the name of the last inner product of a `.caffemodel`; raises as classes()."""
    return _last_product(path)[0]


def _last_product(path):
    products = [(name, a[0]) for name, a in read(path).items() if a and _is_product(a[0])]
    if not products:
        raise InputError(f"{path} holds no inner product layer, so no classes")
    return products[-1]


def mean(path):
    """Read a mean file (`.binaryproto`).

    Returns:
        float32 (rows, columns, 3), or (3,) for a file of one pixel; BGR in [0, 255].

    Raises:
        InputError: no such file, damaged, or not of three channels.
    """
    values = array(protobuf.read_file(path, "Caffe file"), path)
    shape = values.shape[1:] if values.ndim == 4 and len(values) == 1 else values.shape
    if len(shape) not in (1, 3) or shape[0] != 3:
        raise InputError(f"{path} holds {values.shape}; a mean is (1, 3, rows, columns)")
    pixels = np.moveaxis(values.reshape(shape), 0, -1)
    return pixels.reshape(3) if pixels.size == 3 else np.ascontiguousarray(pixels)


def load(path, model):
    """Fill a network with a `.caffemodel`, all of it or none.

    A last inner product that was renamed for fine-tuning (fc8_flickr) is taken when the network
    lacks one dense layer only, the file has one such inner product only, and the shape is right.

    Args:
        path: the file.
        model: keras.Model of models.inception_v1.GoogLeNet or models.caffenet.CaffeNet.

    Raises:
        InputError: as read(), or a file that leaves a part of the network without weights.
    """
    arrays = read(path)
    wanted = places(model) | {
        layer.name: _place(layer, model) for layer in model.layers if hasattr(layer, "kernel")
    }
    named = {name: NAMES.get(name, name) for name, blobs in arrays.items() if blobs}
    twice = [name for name, layer in named.items() if layer != name and layer in named]
    if twice:
        raise InputError(
            f"{path} holds both {twice[0]!r} and {named[twice[0]]!r}, one layer for us"
        )
    held = {name: _held(blobs) for name, blobs in arrays.items()}
    pairs = {name: layer for name, layer in named.items() if layer in wanted}
    pairs |= _renamed(arrays, named, pairs, wanted)
    return fill(path, model, held, wanted, pairs, lambda name: _reason(name, arrays))


def layers(path):
    """Yield (name, list of encoded blobs) for every layer of a `.caffemodel`, in its order.

    Raises:
        InputError: no such file, damaged, without layers, or with more than a network has.
    """
    net = _decode("Net", protobuf.read_file(path, "Caffe file"), path)
    count = len(net.layers) + len(net.v1_layers)
    if not 0 < count <= MOST:
        raise InputError(f"{path} holds {count} Caffe layers; a .caffemodel has 1 to {MOST}")
    for kind, encoded in (("V1Layer", net.v1_layers), ("Layer", net.layers)):
        for number, data in enumerate(encoded):
            where = f"{path}, layer {number}"
            layer = _decode(kind, data, where)
            if kind == "V1Layer" and layer.v0:
                layer = _decode("V0Layer", layer.v0, where)
            yield protobuf.read_name(layer.name, where), layer.blobs


def array(data, where):
    """Decode an encoded blob into a float32 array of its shape.

    Args:
        data: bytes.
        where: file and layer, for the error.

    Raises:
        InputError: damaged, or its numbers are missing, more or fewer than its shape says, or
            raw (float16, NVIDIA's Caffe).
    """
    blob = _decode("Blob", data, where)
    if blob.HasField("raw_data") or blob.HasField("raw_data_type"):
        raise InputError(
            f"{where} holds raw (float16) data of NVIDIA's Caffe; accepted: float or double data"
        )
    if len(blob.shape) > LONGEST_SHAPE:
        raise InputError(f"{where}: an array of more than {AXES} axes")
    if blob.HasField("shape"):
        shape = _decode("Shape", blob.shape, where).dim
    else:
        shape = (blob.num, blob.channels, blob.height, blob.width)
    count = len(blob.data) or len(blob.double_data)
    sensible = len(shape) <= AXES and all(0 < size <= count for size in shape)
    if not sensible or math.prod(shape) != count:
        raise InputError(f"{where}: an array of shape {tuple(shape[:AXES])} holds {count} numbers")
    with np.errstate(over="ignore"):  # a double beyond float32 becomes infinite, as in Caffe
        return np.array(blob.data or blob.double_data, np.float32).reshape(tuple(shape))


def _decode(name, data, where):
    return protobuf.decode(TYPES[name], data, where, f"a whole Caffe {name} message")


def _is_product(weights):
    """Whether a layer's first array is an inner product's: (out, in), in old files (1, 1, ...)."""
    return weights.ndim == 2 or (weights.ndim == 4 and weights.shape[:2] == (1, 1))


def _renamed(arrays, named, pairs, wanted):
    """Return {name in the file: layer} for a renamed last inner product, else {}."""
    missing = [layer for layer in wanted if layer not in pairs.values()]
    spare = [
        name
        for name in named
        if name not in pairs and _is_product(arrays[name][0]) and not name.startswith(AUXILIARY)
    ]
    if len(missing) != 1 or len(spare) != 1 or not pairs:
        return {}
    place = wanted[missing[0]]
    dense = len(place.variables[0].shape) == 2
    return {spare[0]: missing[0]} if dense and fits(_held(arrays[spare[0]]), place) else {}


def _held(blobs):
    """What a layer of the file holds: weights, then bias."""
    roles = ("kernel", "bias")[: len(blobs)] if len(blobs) <= 2 else (None,) * len(blobs)
    return Held(roles, lambda: [blob.shape for blob in blobs], lambda: blobs)


def _place(layer, model):
    """Where a layer's arrays go; old files give every array four axes."""
    *window, inputs, outputs = layer.kernel.shape
    weights, bias = (outputs, inputs, *window), (outputs,)
    accepted = [(weights,) if window else (weights, (1, 1, *weights)), (bias, (1, 1, 1, *bias))]
    variables = layer.weights
    return Place(variables, accepted[: len(variables)], lambda blobs: _keras(blobs, layer, model))


def _keras(blobs, layer, model):
    """Return [kernel, bias] in Keras's layout."""
    *window, inputs, outputs = layer.kernel.shape
    weights = blobs[0].reshape(outputs, inputs, *window)
    if layer.name in FLATTENED:
        rows, columns, channels = model.get_layer(FLATTENED[layer.name]).output.shape[1:]
        pictures = weights.reshape(-1, channels, rows, columns)
        weights = pictures.transpose(0, 2, 3, 1).reshape(weights.shape)
    axes = (2, 3, 1, 0) if window else (1, 0)
    return [weights.transpose(axes), *blobs[1:]]


def _reason(name, arrays):
    if not arrays[name]:
        return "holds no weights"
    if name.startswith(AUXILIARY):
        return "auxiliary head, which the network is built without"
    return "the network has no such layer"
