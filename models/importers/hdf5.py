"""A foreign HDF5 file read within bounds: no link followed out of it, no more bytes than it has.

What the HDF5 library does on its own and is not let do here: follow soft and external links and
external or virtual storage to other files, hand out arrays as large as a file claims, allocate
what a damaged superblock claims, and read strings of variable length, for which it allocates what
is claimed and (1.14.6) loops for ever on a damaged heap.
"""

import contextlib
import mmap
import os

import h5py
import numpy as np

from models.errors import InputError

# no network has more; bounds the objects made from a file of one-byte names
MAX_NAMES = 100_000
# HDF5 file format specification 3.0, III.E: global heap collection, version 1
HEAP_SIGNATURE = b"GCOL\x01"
HEAP_HEADER = 16  # signature, version, 3 reserved, 8 bytes of size; an object's header is as long
# HDF5 file format specification 3.0, II.A: superblock version -> where its addresses start (the
# base, another, the end of the file) and where that of a driver block or extension lies
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
        with h5py.File(path, "r", driver="sec2") as file:
            yield Bounded(path, file)
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


class Bounded:
    """An open HDF5 file whose names and arrays together may not exceed its size."""

    def __init__(self, path, file):
        self.path = path
        self.root = file.id
        self.size = os.path.getsize(path)
        # in a sound file no two names or arrays share a byte
        self.left = self.size

    def fail(self, reason):
        raise InputError(f"weights {self.path}: {reason}")

    def spend(self, count):
        self.left -= count
        if self.left < 0:
            self.fail(f"the file has {self.size} bytes, its names and arrays claim more")

    def find(self, group, path, kind=h5py.h5g.GroupID):
        """Open `a/b/c` below a group over hard links only."""
        found = group
        for part in path.split("/"):
            if part in ("", ".") or not isinstance(found, h5py.h5g.GroupID):
                self.fail(f"there is no {path!r}")
            name = part.encode()
            if b"\0" in name or not found.links.exists(name):
                self.fail(f"there is no {path!r}")
            if found.links.get_info(name).type != h5py.h5l.TYPE_HARD:
                self.fail(f"{path!r} is a link to another place, which is not followed")
            found = h5py.h5o.open(found, name)
        if not isinstance(found, kind):
            self.fail(f"{path!r} is not a {'group' if kind is h5py.h5g.GroupID else 'dataset'}")
        return found

    def has(self, group, name):
        return group.links.exists(name.encode())

    def has_attribute(self, name):
        return h5py.h5a.exists(self.root, name.encode())

    def names(self, group, attribute):
        """Read a list of names, also one that was split into attribute0, attribute1, ...

        Returns:
            list of str, or None where there is no such attribute.
        """
        if h5py.h5a.exists(group, attribute.encode()):
            return self._names(group, attribute)
        if not h5py.h5a.exists(group, f"{attribute}0".encode()):
            return None
        joined = []
        while h5py.h5a.exists(group, (part := f"{attribute}{len(joined)}").encode()):
            joined.append(self._names(group, part))
        return [name for names in joined for name in names]

    def _names(self, group, attribute):
        stored = h5py.h5a.open(group, attribute.encode())
        if 0 in stored.shape:  # of float64: what NumPy makes of an empty list
            return []
        if len(stored.shape) != 1 or stored.shape[0] > MAX_NAMES:
            self.fail(f"attribute {attribute!r} is not a list of at most {MAX_NAMES} names")
        kind = stored.get_type()
        if not isinstance(kind, h5py.h5t.TypeStringID) or kind.is_variable_str():
            self.fail(f"attribute {attribute!r} is not a list of fixed-length strings")
        self.spend(stored.shape[0] * kind.get_size())
        values = np.empty(stored.shape, stored.dtype)
        stored.read(values)
        return [value.decode() for value in values]

    def says(self, group, attribute, word):
        """Tell whether a string attribute is `word` (bytes).

        Keras 2 wrote its few such attributes as strings of variable length. Those the HDF5
        library is not let read: it is told whether any such string of the file is the word.
        """
        if not h5py.h5a.exists(group, attribute.encode()):
            return False
        stored = h5py.h5a.open(group, attribute.encode())
        kind = stored.get_type()
        if stored.shape != () or not isinstance(kind, h5py.h5t.TypeStringID):
            self.fail(f"attribute {attribute!r} is not a string")
        if kind.is_variable_str():
            return word in self._heap_strings(len(word))
        self.spend(kind.get_size())
        value = np.empty((), stored.dtype)
        stored.read(value)
        return value[()] == word

    def _heap_strings(self, length):
        """Read the file's variable-length strings of this length (format 3.0, III.E)."""
        found = set()
        with open(self.path, "rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as raw:
            start = raw.find(HEAP_SIGNATURE)
            while start >= 0:
                end = start + int.from_bytes(raw[start + 8 : start + HEAP_HEADER], "little")
                at = start + HEAP_HEADER
                if not at <= end <= len(raw):
                    self.fail("a string heap reaches beyond the file")
                while end - at >= HEAP_HEADER:
                    size = int.from_bytes(raw[at + 8 : at + HEAP_HEADER], "little")
                    # object 0 is the free space, its size counts its own header
                    free = raw[at : at + 2] == b"\0\0"
                    step = size if free else HEAP_HEADER + (size + 7) // 8 * 8
                    if not HEAP_HEADER <= step <= end - at:
                        self.fail("a string heap is damaged")
                    if size == length and not free:
                        found.add(raw[at + HEAP_HEADER : at + HEAP_HEADER + size])
                    at += step
                start = raw.find(HEAP_SIGNATURE, at)
        return found

    def shape(self, group, path):
        """Shape of an array of floats that really lies in the file."""
        return self._dataset(group, path).shape

    def array(self, group, path):
        """Read an array of floats as float32."""
        stored = self._dataset(group, path)
        values = np.empty(stored.shape, stored.dtype)
        self.spend(values.nbytes)
        stored.read(h5py.h5s.ALL, h5py.h5s.ALL, values)
        return values.astype(np.float32, copy=False)

    def arrays(self):
        """Find every array of the file, over hard links only.

        Returns:
            list of paths `a/b/c`, one for each array.
        """
        found, waiting, seen = [], [("", self.root)], set()
        while waiting:
            path, group = waiting.pop()
            for name in group:
                self.spend(len(name))
                inner = f"{path}{name.decode()}"
                item = self.find(group, name.decode(), (h5py.h5g.GroupID, h5py.h5d.DatasetID))
                if isinstance(item, h5py.h5d.DatasetID):
                    self._need_plain(item, inner, "fiub")
                    found.append(inner)
                elif h5py.h5o.get_info(item).addr not in seen:
                    seen.add(h5py.h5o.get_info(item).addr)
                    waiting.append((f"{inner}/", item))
                if len(found) + len(seen) > MAX_NAMES:
                    self.fail(f"it holds more than {MAX_NAMES} names")
        return found

    def _dataset(self, group, path):
        stored = self.find(group, path, h5py.h5d.DatasetID)
        self._need_plain(stored, path, "f")
        return stored

    def _need_plain(self, stored, path, kinds):
        """Refuse an array that is not plain numbers (NumPy's `kinds`) lying whole in the file."""
        made = stored.get_create_plist()
        # Keras stores neither in pieces nor compressed; anything else can claim more than is there
        if made.get_layout() not in STORED_WHOLE or made.get_external_count():
            self.fail(f"{path!r} is not stored in one piece in this file")
        if made.get_nfilters() or stored.shape is None:
            self.fail(f"{path!r} is not stored as plain numbers")
        if stored.dtype.kind not in kinds or stored.dtype.itemsize > 8:
            self.fail(f"{path!r} holds {stored.dtype}, not float16, float32 or float64")
        count = 1  # in Python's integers: NumPy's could overflow
        for side in stored.shape:
            count *= side
        there = stored.get_storage_size()
        if there > self.size or there != count * stored.dtype.itemsize:
            self.fail(f"{path!r} claims the shape {stored.shape}, which the file does not hold")
