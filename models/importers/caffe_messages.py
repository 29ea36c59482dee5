"""Layers and arrays of Caffe's binary files, read within bounds.

Of Caffe's protocol buffer messages only the few fields that hold weights are decoded, one level
at a time (models.importers.messages). Reading takes less than 20 times the file's size in memory
at worst (16 for empty messages, the file, what Python keeps), and about 3 times for a real file.
"""

import math
from pathlib import Path

import numpy as np

from models.errors import InputError
from models.importers import messages
from models.importers.messages import BYTES, DOUBLE, FLOAT, INT32, INT64, MANY, ONE

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

# no network has as many layers or arrays; without a limit, empty ones fill the memory
MOST = 10_000
LONGEST_NAME = 1000  # bytes; the name stands in error messages
AXES = 32  # kMaxBlobAxes of Caffe's blob.hpp
LONGEST_SHAPE = AXES * 11  # bytes: a number takes 10 at most, and its tag where not packed

TYPES = messages.message_types("caffe_weights", MESSAGES)


def content(path):
    """Return the bytes of a file.

    Raises:
        InputError: no such file.
    """
    if not Path(path).is_file():
        raise InputError(f"no Caffe file {path}")
    return Path(path).read_bytes()


def layers(path):
    """Yield (name, list of encoded blobs) for every layer of a `.caffemodel`, in its order.

    Raises:
        InputError: no such file, damaged, without layers, or with more than a network has.
    """
    net = _decode("Net", content(path), path)
    count = len(net.layers) + len(net.v1_layers)
    if not 0 < count <= MOST:
        raise InputError(f"{path} holds {count} Caffe layers; a .caffemodel has 1 to {MOST}")
    for kind, found in (("V1Layer", net.v1_layers), ("Layer", net.layers)):
        for number, data in enumerate(found):
            where = f"{path}, layer {number}"
            layer = _decode(kind, data, where)
            if kind == "V1Layer" and layer.v0:
                layer = _decode("V0Layer", layer.v0, where)
            if len(layer.name) > LONGEST_NAME:
                raise InputError(f"{where} has a name of {len(layer.name)} bytes")
            yield layer.name.decode("utf-8", "backslashreplace"), layer.blobs


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
    return messages.decode(TYPES[name], data, where, f"a whole Caffe {name} message")
