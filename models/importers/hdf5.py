"""A foreign HDF5 file read within bounds: no link followed out of it, no more bytes than it has.

What the HDF5 library does on its own and is not let do here: follow soft and external links and
external or virtual storage to other files, hand out arrays as large as a file claims, allocate
what a damaged superblock claims, and read strings of variable length, for which it allocates what
is claimed and (1.14.6) loops for ever on a damaged heap. Such strings, which are attributes in
Keras's files, are read here from the bytes of the file (Headers).

Sections in roman numbers are those of the HDF5 file format specification, version 3.0.
"""

import contextlib
import math
import os
import struct

import h5py
import numpy as np

from models.errors import InputError

# no network has more; bounds the objects made from a file of one-byte names
MAX_NAMES = 100_000
# III.E: global heap collection, version 1
HEAP_SIGNATURE = b"GCOL\x01"
HEAP_HEADER = 16  # signature, version, 3 reserved, 8 bytes of size; an object's header is as long
# IV.B: a string of variable length is its length (4 bytes), the address of its heap (8) and the
# number of its object there (4)
REFERENCE = struct.Struct("<IQI")
# IV.A.1.a and b: signatures of an object header of version 2 and of its continuation
HEADER, CONTINUATION = b"OHDR\x02", b"OCHK"
CHECKSUM = 4
# IV.A.2: types of header messages; the flag of one that lies elsewhere
ATTRIBUTE, CONTINUED, SHARED = 0x0C, 0x10, 2
# II.A: superblock version -> where its addresses start (the base, another, the end of the file)
# and where that of a driver block or extension lies
SUPERBLOCKS = {0: (24, 48), 1: (28, 52), 2: (12, 20), 3: (12, 20)}
UNUSED = b"\xff" * 8
STORED_WHOLE = (h5py.h5d.COMPACT, h5py.h5d.CONTIGUOUS)


@contextlib.contextmanager
def opened(path):
    """Open an HDF5 file; whatever the HDF5 library finds wrong in it becomes an InputError.

    Yields:
        Bounded.
    """
    if not os.path.isfile(path):
        raise InputError(f"no weights file {path}")
    try:
        _check_superblock(path)
        with open(path, "rb") as raw, h5py.File(path, "r", driver="sec2") as file:
            yield Bounded(path, file, raw)
    except InputError:
        raise
    # what h5py and NumPy raise on damaged files
    except (OSError, RuntimeError, LookupError, ValueError, TypeError, ArithmeticError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"weights {path} are not a readable HDF5 file: {reason}") from error
    except MemoryError as error:
        raise InputError(f"weights {path} are not a readable HDF5 file: out of memory") from error


def _check_superblock(path):
    """Refuse a file that names a driver or claims to be longer than it is.

    The HDF5 library would allocate what a driver block claims, and would read zeros beyond the
    end of the file up to the end that is claimed.
    """
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        block = file.read(96)
    if len(block) < 96 or not block.startswith(b"\x89HDF\r\n\x1a\n"):
        raise ValueError("it does not start as one")
    version = block[8]
    if version not in SUPERBLOCKS:
        raise ValueError(f"unknown version {version}")
    widths = block[13:15] if version < 2 else block[9:11]
    start, driver = SUPERBLOCKS[version]
    base, end = block[start : start + 8], int.from_bytes(block[start + 16 : start + 24], "little")
    if widths != b"\x08\x08" or base != bytes(8) or block[driver : driver + 8] != UNUSED:
        raise ValueError("it has addresses or a driver that Keras does not write")
    if end > size:
        raise ValueError(f"it was cut: of {end} bytes, {size} are left")


class _Spent:
    """The bytes of a file that are not read yet: in a sound file no two parts share a byte."""

    parts = ""  # what is read, for the error

    def __init__(self, path, size):
        self.path = path
        self.size = size
        self.left = size

    def fail(self, reason):
        raise InputError(f"weights {self.path}: {reason}")

    def spend(self, count):
        self.left -= count
        if self.left < 0:
            self.fail(f"the file has {self.size} bytes, its {self.parts} claim more")


class Bounded(_Spent):
    """An open HDF5 file whose names and arrays together may not exceed its size."""

    parts = "names and arrays"

    def __init__(self, path, file, raw):
        super().__init__(path, os.path.getsize(path))
        self.root = file.id
        self._headers = Headers(path, raw, self.size)

    def find(self, group, path, kind=h5py.h5g.GroupID):
        """Open `a/b/c` below a group over hard links only."""
        item = group
        for part in path.split("/"):
            if part in ("", ".") or not isinstance(item, h5py.h5g.GroupID):
                self.fail(f"there is no {path!r}")
            name = part.encode()
            if b"\0" in name or not item.links.exists(name):
                self.fail(f"there is no {path!r}")
            if item.links.get_info(name).type != h5py.h5l.TYPE_HARD:
                self.fail(f"{path!r} is a link to another place, which is not followed")
            item = h5py.h5o.open(item, name)
        if not isinstance(item, kind):
            self.fail(f"{path!r} is not a {'group' if kind is h5py.h5g.GroupID else 'dataset'}")
        return item

    def has(self, group, name):
        return group.links.exists(name.encode())

    def has_attribute(self, name):
        return h5py.h5a.exists(self.root, name.encode())

    def names(self, group, attribute):
        """Read a list of names, also one that was split into attribute0, attribute1, ...

        Returns:
            list of str, or None where there is no such attribute.
        """
        whole = self._names(group, attribute)
        if whole is not None:
            return whole
        parts = []
        while (part := self._names(group, f"{attribute}{len(parts)}")) is not None:
            parts.append(part)
        return [name for part in parts for name in part] if parts else None

    def _names(self, group, attribute):
        if not h5py.h5a.exists(group, attribute.encode()):
            return None
        stored = h5py.h5a.open(group, attribute.encode())
        if 0 in stored.shape:  # of float64: what NumPy makes of an empty list
            return []
        if len(stored.shape) != 1 or stored.shape[0] > MAX_NAMES:
            self.fail(f"attribute {attribute!r} is not a list of at most {MAX_NAMES} names")
        if not isinstance(stored.get_type(), h5py.h5t.TypeStringID):
            self.fail(f"attribute {attribute!r} is not a list of strings")
        return [value.decode() for value in self._strings(group, attribute, stored)]

    def text(self, group, attribute):
        """Read a string attribute as bytes; None where there is no such attribute."""
        if not h5py.h5a.exists(group, attribute.encode()):
            return None
        stored = h5py.h5a.open(group, attribute.encode())
        if stored.shape != () or not isinstance(stored.get_type(), h5py.h5t.TypeStringID):
            self.fail(f"attribute {attribute!r} is not a string")
        return self._strings(group, attribute, stored)[0]

    def _strings(self, group, attribute, stored):
        """Read the strings of an open attribute, of fixed or of variable length, as bytes."""
        kind = stored.get_type()
        count = stored.shape[0] if stored.shape else 1
        if not kind.is_variable_str():
            self.spend(count * kind.get_size())
            values = np.empty(stored.shape, stored.dtype)
            stored.read(values)
            return values.ravel().tolist()
        self.spend(count * REFERENCE.size)
        data = self._headers.attributes(h5py.h5o.get_info(group).addr).get(attribute.encode(), b"")
        if len(data) < count * REFERENCE.size:
            self.fail(f"attribute {attribute!r} does not lie in the header of its group")
        strings = []
        for reference in REFERENCE.iter_unpack(data[: count * REFERENCE.size]):
            string = self._headers.string(*reference)
            self.spend(len(string))
            strings.append(string)
        return strings

    def shape(self, group, path):
        """Shape of an array of numbers that really lies in the file."""
        return self._dataset(group, path).shape

    def array(self, group, path):
        """Read an array of numbers as float32."""
        return self.stored(group, path).astype(np.float32, copy=False)

    def stored(self, group, path):
        """Read an array of numbers as it is stored."""
        stored = self._dataset(group, path)
        values = np.empty(stored.shape, stored.dtype)
        self.spend(values.nbytes)
        stored.read(h5py.h5s.ALL, h5py.h5s.ALL, values)
        return values

    def arrays(self):
        """Find every array of the file, over hard links only.

        Returns:
            list of paths `a/b/c`, one for each array.
        """
        arrays, waiting, seen = [], [("", self.root)], set()
        while waiting:
            path, group = waiting.pop()
            for name in group:
                self.spend(len(name))
                inner = f"{path}{name.decode()}"
                item = self.find(group, name.decode(), (h5py.h5g.GroupID, h5py.h5d.DatasetID))
                if isinstance(item, h5py.h5d.DatasetID):
                    self._need_plain(item, inner)
                    arrays.append(inner)
                elif h5py.h5o.get_info(item).addr not in seen:
                    seen.add(h5py.h5o.get_info(item).addr)
                    waiting.append((f"{inner}/", item))
                if len(arrays) + len(seen) > MAX_NAMES:
                    self.fail(f"it holds more than {MAX_NAMES} names")
        return arrays

    def _dataset(self, group, path):
        stored = self.find(group, path, h5py.h5d.DatasetID)
        self._need_plain(stored, path)
        return stored

    def _need_plain(self, stored, path):
        """Refuse an array that is not plain numbers lying whole in the file."""
        made = stored.get_create_plist()
        # Keras stores neither in pieces nor compressed; anything else can claim more than is there
        if made.get_layout() not in STORED_WHOLE or made.get_external_count():
            self.fail(f"{path!r} is not stored in one piece in this file")
        if made.get_nfilters() or stored.shape is None:
            self.fail(f"{path!r} is not stored as plain numbers")
        if stored.dtype.kind not in "fiub" or stored.dtype.itemsize > 8:
            self.fail(f"{path!r} holds {stored.dtype}, not float16, float32, float64 or integers")
        count = math.prod(stored.shape)  # in Python's integers: NumPy's could overflow
        there = stored.get_storage_size()
        if there > self.size or there != count * stored.dtype.itemsize:
            self.fail(f"{path!r} claims the shape {stored.shape}, which the file does not hold")


class Headers(_Spent):
    """The attributes in a file's object headers and the strings in its heaps, as bytes."""

    parts = "headers and string heaps"

    def __init__(self, path, raw, size):
        super().__init__(path, size)
        self.raw = raw
        self.read = {}  # address -> what lies there, of a header or a heap, each read once

    def attributes(self, address):
        """Return dict name -> value as it is stored, of the object whose header is there."""
        if address not in self.read:
            attributes = {}
            for message in self._attribute_messages(address):
                name, value = self._attribute(message)
                attributes.setdefault(name, value)
            self.read[address] = attributes
        return self.read[address]

    def string(self, length, address, number):
        """Return an object of the heap at an address, without what fills it up with zeros."""
        if not length:
            return b""
        if address not in self.read:
            self.read[address] = self._heap(address)
        if number not in self.read[address]:
            self.fail(f"a string heap is damaged: it has no object {number}")
        return self.read[address][number][:length].rstrip(b"\0")

    def _bytes(self, address, count, what):
        """Read what a header or heap claims."""
        self.spend(max(count, 0))
        return self._peek(address, count, what)

    def _peek(self, address, count, what):
        """Read a few bytes that say how long a header or heap is."""
        if not 0 <= count <= self.size - address:
            self.fail(f"{what} reaches beyond the file")
        self.raw.seek(address)
        return self.raw.read(count)

    def _heap(self, address):
        """Read a global heap collection (III.E): dict number -> object."""
        start = self._peek(address, HEAP_HEADER, "a string heap")
        if not start.startswith(HEAP_SIGNATURE):
            self.fail("a string heap is damaged: there is none where a string is said to lie")
        end = int.from_bytes(start[8:], "little") - HEAP_HEADER
        data = self._bytes(address + HEAP_HEADER, end, "a string heap")
        at, objects = 0, {}
        while end - at >= HEAP_HEADER:
            number = int.from_bytes(data[at : at + 2], "little")
            size = int.from_bytes(data[at + 8 : at + HEAP_HEADER], "little")
            # object 0 is the free space, its size counts its own header
            step = HEAP_HEADER + (size + 7) // 8 * 8 if number else size
            if not HEAP_HEADER <= step <= end - at or number in objects:
                self.fail("a string heap is damaged")
            if number:
                objects[number] = data[at + HEAP_HEADER : at + HEAP_HEADER + size]
            at += step
        return objects

    def _attribute_messages(self, address):
        """Yield the attribute messages of an object header of version 1 or 2 (IV.A.1)."""
        start = self._peek(address, 16, "an object header")
        if start.startswith(HEADER):
            flags = start[5]
            # times; numbers of attributes from which they are stored elsewhere; then the size
            at = 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
            size = self._peek(address + at, 1 << (flags & 3), "an object header")
            blocks = [(address + at + len(size), int.from_bytes(size, "little"))]
            head, skipped = (6 if flags & 4 else 4), len(CONTINUATION)
        elif start[0] == 1:
            blocks = [(address + 16, int.from_bytes(start[8:12], "little"))]
            head, skipped = 8, 0
        else:
            self.fail("an object header is damaged")
        while blocks:
            data = self._bytes(*blocks.pop(0), "an object header")
            for kind, message in _messages(data, head):
                if kind == ATTRIBUTE:
                    yield message
                elif kind == CONTINUED and len(message) >= 16:
                    place, length = struct.unpack("<QQ", message[:16])
                    around = skipped + (CHECKSUM if skipped else 0)
                    blocks.append((place + skipped, length - around))

    def _attribute(self, message):
        """Split an attribute message (IV.A.2.m) into name and value."""
        if len(message) < 9 or message[0] not in (1, 2, 3):
            self.fail("an attribute is damaged")
        name, *others = struct.unpack("<HHH", message[2:8])
        start = 9 if message[0] == 3 else 8  # version 3 has a byte for the name's encoding
        # version 1 fills each part up to 8 bytes
        width = 8 if message[0] == 1 else 1
        value = start + sum(-(-size // width) * width for size in (name, *others))
        return message[start : start + name].rstrip(b"\0"), message[value:]


def _messages(data, head):
    """Yield (type, content) of the messages in a block of an object header, whole ones only.

    Args:
        data: bytes of the block.
        head: length of a message's own header: 8 in version 1, 4 or 6 in version 2.
    """
    at, wide = 0, head == 8
    while at + head <= len(data):
        kind = int.from_bytes(data[at : at + (2 if wide else 1)], "little")
        size = int.from_bytes(data[at + 2 : at + 4] if wide else data[at + 1 : at + 3], "little")
        flags = data[at + 4] if wide else data[at + 3]
        end = at + head + size
        if end <= len(data) and not flags & SHARED:
            yield kind, data[at + head : end]
        at = end
