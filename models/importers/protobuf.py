"""Protocol buffer messages of untrusted files, decoded one level at a time.

Message types are made from a table of the few fields that are read: no generated code, no protoc
step. A message inside another one is declared as `bytes`, which is the same on the wire, and is
decoded when it is wanted: nesting in a hostile file then costs nothing. The worst case is the
library's 16 bytes for an empty `bytes` of 2, so decoding takes at most 16 times the data, where
TensorFlow's own GraphDef took 56 to 90 times it (measured, protobuf 7.36, on 8 MB files of
empty nodes and of empty messages inside one attribute).
"""

import os
from collections import Counter
from pathlib import Path

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from models.errors import InputError

KINDS = descriptor_pb2.FieldDescriptorProto
BYTES, FLOAT, DOUBLE = KINDS.TYPE_BYTES, KINDS.TYPE_FLOAT, KINDS.TYPE_DOUBLE
INT32, INT64 = KINDS.TYPE_INT32, KINDS.TYPE_INT64
ONE, MANY = KINDS.LABEL_OPTIONAL, KINDS.LABEL_REPEATED

# no network has as many layers or arrays; without a limit, empty ones fill the memory
MOST = 10_000
LONGEST_NAME = 1000  # bytes; names stand in error messages


def message_types(package, table):
    """Make message classes from a table.

    Args:
        package: name that keeps the types apart from those of other tables.
        table: dict message -> dict field -> (number, type, label); numbers with the label MANY
            are read whether they are packed or not.

    Returns:
        dict message -> class of google.protobuf.
    """
    file = descriptor_pb2.FileDescriptorProto(name=f"{package}.proto", package=package)
    for name, fields in table.items():
        message = file.message_type.add(name=name)
        for field, (number, kind, label) in fields.items():
            added = message.field.add(name=field, number=number, type=kind, label=label)
            if label == MANY and kind != BYTES:
                added.options.packed = True
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    described = {name: pool.FindMessageTypeByName(f"{package}.{name}") for name in table}
    return {name: message_factory.GetMessageClass(kind) for name, kind in described.items()}


def read_file(path, what):
    """Read the bytes of a file; InputError where there is none. what: e.g. `Caffe file`."""
    if not Path(path).is_file():
        raise InputError(f"no {what} {path}")
    return Path(path).read_bytes()


def count_fields(path):
    """Count the fields of a file's outermost message, none of them decoded.

    Returns:
        collections.Counter of field numbers; empty for what is no message, or one with more
        fields than a network has.
    """
    size, counts = os.path.getsize(path), Counter()
    with open(path, "rb") as file:
        while file.tell() < size:
            tag = _varint(file)
            kind, number = (tag or 0) & 7, (tag or 0) >> 3
            # wire types 0, 1, 2 and 5 of the protocol buffers' encoding
            length = {0: 0, 1: 8, 2: None, 5: 4}.get(kind, -1)
            value = _varint(file) if kind in (0, 2) else 0
            length = value if length is None else length
            if None in (tag, value, length) or not 0 <= length <= size - file.tell() or not number:
                return Counter()
            file.seek(length, os.SEEK_CUR)
            counts[number] += 1
            if counts.total() > 2 * MOST:
                return Counter()
    return counts


def _varint(file):
    """Read a number of up to ten bytes; None for what is none."""
    number = 0
    for place in range(10):
        byte = file.read(1)
        if not byte:
            return None
        number |= (byte[0] & 0x7F) << (7 * place)
        if byte[0] < 0x80:
            return number
    return None


def read_name(name, where):
    """Decode the name of a layer or node, bytes, for messages; InputError where it is too long."""
    if len(name) > LONGEST_NAME:
        raise InputError(f"{where} has a name of {len(name)} bytes; accepted: up to {LONGEST_NAME}")
    return name.decode("utf-8", "backslashreplace")


def decode(message_type, data, where, what):
    """Decode bytes as one message.

    Args:
        message_type: class from message_types().
        data: bytes.
        where: file and place, for the error.
        what: what the message is, for the error.

    Raises:
        InputError: cut short or no protocol buffer.
    """
    try:
        return message_type.FromString(data)
    except DecodeError as error:
        raise InputError(f"{where} is not {what}: {error}") from error
