"""Caffe files written byte by byte, independent of the message types that read them."""

import numpy as np

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
    for name, arrays in layers.items():
        blobs = [blob(np.asarray(array), **how) for array in arrays]
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
