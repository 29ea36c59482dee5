"""Decoded pictures of a store in one file: written while they are decoded first, then mapped.

A file holds the pixels of one split at one size, before anything is drawn from them. It appears
whole or not at all, so whoever finds it can read it; one process writes, others decode until it is
there. Where it cannot be (no room, a read-only disk, more than is allowed) one line says so, and
pictures are decoded in every epoch: no number depends on it.

    pixels, then for each picture its begin, height, width and CRC-32 (int64), then _END
"""

import contextlib
import os
import shutil
import struct
import threading
import weakref
import zlib

import filelock
import numpy as np

from transfer import result_folder

GB = 10**9
MOST_GB = 20.0  # 130,000 pictures of 224 pixels: more than any collection of the papers
KEPT_FREE = GB  # of the disk: a training that has to keep its weights comes first
ENDING = ".pixels"
_END = struct.Struct("<8sQQQ")  # _MAGIC, pictures, where their places begin, CRC-32 of the places
_MAGIC = b"pixels 1"
_PLACE = 4  # numbers of a picture's place: begin, height, width, CRC-32


class PixelCache:
    """The decoded pictures of one split of a store, as one training uses them.

    Args:
        path: Path of the file; its folder holds all of a store's, and nothing else.
        count: pictures of the split.
        least: bytes that the smallest picture can take.
        most: bytes that all files in the folder may take.
        say: called with one line where there is no file.
    """

    def __init__(self, path, count, least, most, say=print):
        self.path, self.count, self._least, self._most, self._say = path, count, least, most, say
        self._file = self._writing = None
        self._without = False  # whether it was given up
        self._told = False  # whether damage was
        self._mutex = threading.Lock()  # the pipeline's threads come here

    def begin(self, whole=True):
        """Begin a pass over the pictures: whether all of them are in the file.

        If not, a pass that is `whole` writes the file, unless another process does or it cannot be.
        """
        with self._mutex:
            if self._file is not None and self._file.is_cut():
                # what is mapped beyond its end would end the process (SIGBUS)
                self._file = None
                self._tell("cut short while in use", "made again")
            if self._file is None and self._writing is None:
                self._file = self._found()
                if self._file is None and whole and not self._without:
                    self._start()
            return self._file is not None

    def keep(self, number, pixels):
        """Take a decoded picture, uint8 (H, W, 3); the last that was missing makes the file."""
        with self._mutex:
            if self._writing is None:
                return
            try:
                self._writing.add(number, pixels)
                if self._writing.size > self._writing.left:
                    raise OSError(_too_large(self._writing.size, self._writing.left))
                if self._writing.missing == 0:
                    self._writing.finish()
                    self._writing, self._file = None, _Mapped(self.path, self.count, checked=True)
            except (OSError, ValueError) as error:
                self._give_up(error)

    def stored(self, numbers, decode):
        """The pixels of pictures, after a pass that begin() said True of.

        Args:
            numbers: of the pictures.
            decode: function number -> pixels, for one that is damaged in the file.

        Returns:
            list of uint8 arrays (H, W, 3), views of the mapped file.
        """
        return [self._file.picture(n) if self._sound(n) else decode(n) for n in numbers]

    def table(self):
        """All pictures at once, after a pass that begin() said True of.

        Returns:
            (uint8 (pictures, H, W, 3), the mapped file; int64 (pictures,), in which row of it each
            is), or None where they are not all of one size, or not all were looked at yet.
        """
        return self._file.table()

    def _sound(self, number):
        """Whether a picture is in the file as it was written; looked at once by each process."""
        if self._file.is_sound(number):
            return True
        with self._mutex:
            if self._tell("pictures in it are not as they were written", "removed"):
                with contextlib.suppress(OSError):  # on a read-only disk it stays
                    self.path.unlink()
        return False

    def _tell(self, damage, done):
        """Say once that the file is damaged; whether it was said now."""
        if self._told:
            return False
        self._say(f"pixel cache {self.path} is damaged ({damage}): it is {done}")
        self._told = True
        return True

    def _found(self):
        try:
            return _Mapped(self.path, self.count)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError) as error:
            self._tell(error, "made again")
            return None

    def _start(self):
        """Become the one process that writes the file, where that can be."""
        try:
            self._writing = _Writing(self.path, self.count, self._least, self._most)
        except filelock.Timeout:  # looked at again in the next pass
            return
        except (OSError, NotImplementedError) as error:  # the latter: a disk that knows no locks
            self._give_up(error)
            return
        # the file may have appeared between the look at it and the lock
        self._file = self._found()
        if self._file is not None:
            self._writing.abandon()
            self._writing = None
        else:
            # when this object goes, or the process ends, nothing of an unfinished file stays
            weakref.finalize(self, self._writing.abandon)

    def _give_up(self, error):
        if self._writing is not None:
            self._writing.abandon()
        self._writing, self._without = None, True
        reason = error.strerror or error if isinstance(error, OSError) else error
        self._say(f"no pixel cache {self.path}: {reason}; pictures are decoded in every epoch")


class _Writing:
    """A file that is being written, under a temporary name and with a lock until it is whole."""

    def __init__(self, path, count, least, most):
        self._places = np.zeros((count, _PLACE), np.int64)
        self.missing, self.size = count, 0
        with contextlib.ExitStack() as opened:
            opened.enter_context(result_folder.locked(path))
            self.left = most - _tidied(path)
            if count * least > self.left:
                raise OSError(_too_large(count * least, self.left))
            if shutil.disk_usage(path.parent).free < count * least + KEPT_FREE:
                raise OSError(f"no room on the disk for {count * least / GB:.3g} GB")
            self._file = opened.enter_context(result_folder.open_whole(path))
            self._opened = opened.pop_all()

    def add(self, number, pixels):
        """Append a picture that is not there yet."""
        if self._places[number, 1]:
            return
        content = np.ascontiguousarray(pixels).data.cast("B")
        self._file.write(content)
        self._places[number] = self.size, *pixels.shape[:2], zlib.crc32(content)
        self.size += len(content)
        self.missing -= 1

    def finish(self):
        """Make the file appear; OSError where the disk is full."""
        places = self._places.astype("<i8").tobytes()
        self._file.write(places)
        self._file.write(_END.pack(_MAGIC, len(self._places), self.size, zlib.crc32(places)))
        opened, self._opened = self._opened, contextlib.ExitStack()
        opened.close()

    def abandon(self):
        """Leave nothing, unless it is finished."""
        opened, self._opened = self._opened, contextlib.ExitStack()
        stop = OSError("not finished")
        with contextlib.suppress(OSError):  # a full disk refuses what was still to be written
            opened.__exit__(OSError, stop, None)


class _Mapped:
    """A whole file, mapped into memory; OSError or ValueError where it is none."""

    def __init__(self, path, count, checked=False):
        with open(path, "rb") as file:
            size = file.seek(0, 2)
            if size < _END.size:
                raise ValueError("cut short")
            file.seek(size - _END.size)
            magic, pictures, begin, crc = _END.unpack(file.read())
            if magic != _MAGIC or begin + pictures * _PLACE * 8 + _END.size != size:
                raise ValueError("cut short")
            file.seek(begin)
            places = file.read(pictures * _PLACE * 8)
            self._size, self._descriptor = size, os.dup(file.fileno())
        weakref.finalize(self, os.close, self._descriptor)
        if zlib.crc32(places) != crc or pictures != count:
            raise ValueError(f"it holds no {count} pictures")
        self._places = np.frombuffer(places, "<i8").reshape(count, _PLACE)
        # "c", as TensorFlow takes no array that is read-only; nobody writes into it
        self._pixels = np.asarray(np.memmap(path, np.uint8, "c"))
        self._checked = np.full(count, checked)

    def is_cut(self):
        """Whether the file that is mapped has become shorter."""
        return os.fstat(self._descriptor).st_size < self._size

    def picture(self, number):
        begin, height, width, _ = self._places[number].tolist()
        return self._pixels[begin : begin + height * width * 3].reshape(height, width, 3)

    def table(self):
        begin, height, width = self._places[:, :3].T
        size = int(height[0] * width[0] * 3)
        alike = (height == height[0]).all() and (width == width[0]).all()
        if not (alike and self._checked.all() and (begin % size == 0).all()):
            return None
        pixels = self._pixels[: len(begin) * size]
        return pixels.reshape(-1, height[0], width[0], 3), begin // size

    def is_sound(self, number):
        if not self._checked[number]:
            self._checked[number] = zlib.crc32(self.picture(number)) == self._places[number, 3]
        return self._checked[number]


def _tidied(path):
    """Remove what nobody reads again from a folder; bytes of the files in it but `path`.

    That is what killed processes left of this file, and files of other pixels: the end of a name
    tells those of the same pictures, decoded alike.
    """
    size = 0
    for other in path.parent.iterdir():
        if result_folder.TEMPORARY.fullmatch(other.name):
            left = other.name.startswith(f".{path.name}.")
        else:
            left = other.suffix == ENDING and _stamp(other) != _stamp(path)
        with contextlib.suppress(FileNotFoundError):
            if left:
                other.unlink()
            elif other.suffix == ENDING and other != path:
                size += other.stat().st_size
    return size


def _stamp(path):
    return path.stem.rpartition("-")[2]


def _too_large(size, left):
    return f"it takes {size / GB:.3g} GB or more, {left / GB:.3g} GB are left of what is allowed"
