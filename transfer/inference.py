"""The one pass of pictures through networks: batch by batch, resumed, into whatever collects.

    scores = collect(backend.forward(model), stored(store, "test", 224, 32))

A source of batches is a function: first -> iterator of (numbers, pictures), from the source's
picture `first` on. `numbers` (n,) are the pictures' places in the source, growing; `pictures` hold
these n, and may be filled up behind them to a batch of one size, so that one compiled shape
serves. A collector has `next`, the first place that it has nothing of; `add(numbers, outputs)`;
and `result()`. The function from pictures to outputs may run several networks on one batch, and
return any nest of arrays with a row for each picture.
"""

import contextlib
import os
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
from keras import tree

from models import backend
from models.errors import InputError
from models.graph import count_activations
from transfer.parts import WHOLE

# pictures in a pass where nobody said how many: more is not faster on a CPU (on a GPU not measured)
MOST = {"CPU": 32, "GPU": 256}
SHARE = 0.5  # of the free memory
FLOAT = 4  # bytes


def collect(function, batches, collector=None, progress=None):
    """Run a function over all batches that a collector has not seen yet.

    Out of memory is answered by smaller pieces of a batch, and a line (see halved).

    Args:
        function: pictures -> outputs, e.g. models.backend.forward of a network.
        batches: a source of batches.
        collector: InMemory by default.
        progress: transfer.progress.Progress over all of the source's pictures, or None.

    Returns:
        What the collector gives; of InMemory and OnDisk the outputs of all pictures.
    """
    collector = InMemory() if collector is None else collector
    function = halved(function, progress.say if progress else print)
    if progress and collector.next:
        progress.advance(collector.next)
        progress.pause()
    for numbers, pictures in batches(collector.next):
        before = collector.next
        collector.add(numbers, _first_rows(function(pictures), len(numbers)))
        if progress:
            progress.advance(collector.next - before)
    return collector.result()


def pictures_at_a_time(model):
    """How many pictures of a forward pass the free memory holds: a power of 2, at most MOST.

    Args:
        model: keras.Model; what all its layers give is counted, of which a pass needs less.
    """
    most, free = MOST[backend.device_name()[:3]], backend.free_memory()
    if free is None or None in model.input_shape[1:]:  # not known, or a network of any size
        return min(most, MOST["CPU"])
    fits = max(1, int(free * SHARE / (count_activations(model) * FLOAT)))
    return min(most, 1 << (fits.bit_length() - 1))


def halved(function, say=print):
    """Make a function that answers out of memory by smaller pieces of its batches, from then on.

    What it gives differs by rounding at most, unless the function draws by batches.

    Args:
        function: pictures (n, ...) -> any nest of arrays (n, ...).
        say: called with a line where memory ran out.

    Returns:
        Function with the same argument and result; it raises what the function raises, and out of
        memory where that has no room for one picture.
    """
    most = None

    def run(pictures):
        nonlocal most
        while True:
            count = min(most or len(pictures), len(pictures))
            try:
                return _in_pieces(function, pictures, count)
            except Exception as error:
                # of several processes one cannot take smaller pieces without the others
                if not backend.is_out_of_memory(error) or count == 1 or backend.is_joined(pictures):
                    raise
            most = (count + 1) // 2
            say(f"out of memory: going on with {most} pictures at a time")

    return run


def _in_pieces(function, pictures, size):
    """A function's outputs for a batch, `size` pictures at a time, the last of them filled up."""
    if size == len(pictures):
        return function(pictures)
    pictures, parts = np.asarray(pictures), []
    for numbers, filled in in_memory(len(pictures), size)(0):
        parts.append(_first_rows(function(pictures[filled]), len(numbers)))
    return tree.map_structure(lambda *rows: np.concatenate(rows), *parts)


@contextlib.contextmanager
def explained(batch_size, size, store=None):
    """Explain what a pass of pictures ends in, where the user can do something about it.

    Args:
        batch_size: of the pass, or of a training.
        size: side of the pictures in pixels.
        store: transfer.store.Store that they come from, or None.

    Raises:
        InputError: too little memory, or a picture of the store that cannot be decoded.
    """
    try:
        yield
    except Exception as error:
        if backend.is_out_of_memory(error):
            raise InputError(
                f"out of memory with batch_size {batch_size} and pictures of {size} pixels; a "
                "smaller batch_size or input_size may help"
            ) from error
        if store is not None and _is_of_pipeline(error) and (damaged := store.damaged()):
            raise InputError(damaged) from error
        raise


def _is_of_pipeline(error):
    import tensorflow as tf

    return isinstance(error, tf.errors.OpError)


def _first_rows(outputs, count):
    return tree.map_structure(lambda rows: np.asarray(rows)[:count], outputs)


def in_memory(count, batch_size):
    """Batches of indices, all of one size: the last is filled up with its last index.

    For pictures that are in memory: the function takes them by their indices, and whatever else
    belongs to them.

    Args:
        count: of pictures.
        batch_size: at most.
    """
    size = min(count, batch_size)

    def batches(first):
        for start in range(first, count, size):
            indices = np.minimum(np.arange(start, start + size), count - 1)
            yield indices[: count - start], indices

    return batches


def stored(store, split, size, batch_size, part=WHOLE, **how):
    """Batches of a split of a store, uint8 RGB; the last is as small as it is.

    Of several processes each reads its part; the batches are then arrays over all their devices,
    filled up until these divide them.

    Args:
        store: transfer.store.Store.
        split: `train`, `val` or `test`.
        size: side in pixels.
        batch_size: at most.
        part: transfer.parts.Part, which rows this process reads.
        how: augmentation, whose view of a test is given, and cache_gb, as for Store.dataset.
    """
    count = len(store.labels[split])
    part = replace(part, filled=not part.is_whole)

    def batches(first):
        if first == count:
            return
        for own, _ in store.dataset(split, size, batch_size, first=first, part=part, **how):
            # as NumPy arrays: Keras on JAX takes no TensorFlow tensors here
            pictures = np.asarray(own)
            rows = len(pictures) if part.is_whole else min(batch_size, count - first)
            yield (
                np.arange(first, first + rows),
                pictures if part.is_whole else backend.joined(pictures),
            )
            first += rows
        if first != count:
            raise RuntimeError(f"{first} of {count} pictures came through the pipeline")

    return batches


def files(paths, read, batch_size, say=print, least=1):
    """Batches of picture files; those that cannot be read are said and left out.

    While the network computes one batch, threads read the next one. A batch ends at a multiple of
    its size, whatever cannot be read, so that a pass over a part of the files from such a place on
    has the same batches.

    Args:
        paths: list of Path.
        read: path -> array (size, size, 3), RGB in [0, 255]; InputError where it cannot. Several
            threads call it at once.
        batch_size: at most; the last batch is as small as it is, and so is one in which pictures
            cannot be read.
        say: called with a line for each unreadable picture.
        least: how many must be readable, 1 or 0; fewer are an InputError.
    """

    def batches(first):
        numbers, pictures, readable = [], [], first > 0 or not least
        for number, found in enumerate(_read_ahead(paths[first:], read, batch_size), first):
            try:
                pictures.append(found.result())
                numbers.append(number)
            except InputError as error:
                say(f"left out: {error}")
            ends = (number + 1) % batch_size == 0 or number == len(paths) - 1
            if numbers and ends:
                yield np.array(numbers), np.stack(pictures)
                numbers, pictures, readable = [], [], True
        if not readable:
            raise InputError(f"none of {len(paths)} pictures can be read, the first is {paths[0]}")

    return batches


def _read_ahead(paths, read, count):
    """Yield a future of read(path) for each path, in their order; `count` more are begun before."""
    with ThreadPoolExecutor(backend.cores()) as pool:
        begun = deque()
        try:
            for path in paths:
                begun.append(pool.submit(read, path))
                if len(begun) > count:
                    yield begun.popleft()
            while begun:
                yield begun.popleft()
        finally:  # also where nobody wants the rest
            pool.shutdown(cancel_futures=True)


class InMemory:
    """Collects outputs as whole arrays, and `numbers`, the places of their pictures."""

    def __init__(self):
        self.next = 0
        self._numbers, self._parts = [], []

    def add(self, numbers, outputs):
        """Keep the outputs of one batch."""
        self._numbers.append(numbers)
        self._parts.append(outputs)
        self.next = int(numbers[-1]) + 1

    @property
    def numbers(self):
        """Places of the pictures in their source, int (pictures,)."""
        return np.concatenate(self._numbers)

    def result(self):
        """The outputs of all pictures, nested as those of a batch."""
        return tree.map_structure(lambda *parts: np.concatenate(parts), *self._parts)


class Passed:
    """Collects nothing, where another process keeps what all compute together.

    Args:
        first: the first place that the other process has nothing of.
    """

    def __init__(self, first=0):
        self.next = first

    def add(self, numbers, outputs):
        """Count the outputs of one batch."""
        self.next = int(numbers[-1]) + 1

    def result(self):
        """None."""


class OnDisk:
    """Collects outputs in .npy files that grow batch by batch, and goes on where it was killed.

    Memory does not grow with the number of pictures. Not through a memory map, since a full disk
    would end the process (SIGBUS) instead of raising OSError. Until `result` the files say that
    they have no rows.

    Args:
        paths: of the .npy files, nested as the outputs are.
        numbers: path of a .npy file for the places of the pictures; written after the others, it
            says how many rows are whole.
    """

    def __init__(self, paths, numbers):
        self.paths, self._numbers = paths, Path(numbers)
        self._files = [*map(Path, tree.flatten(paths)), self._numbers]
        rows = min(map(_count_rows, self._files))
        for path in self._files if rows else ():
            begin, size, _, _ = _layout(path)
            os.truncate(path, begin + rows * size)
        self._rows = rows
        self.next = int(self.numbers[-1]) + 1 if rows else 0

    @property
    def numbers(self):
        """Places of the pictures in their source, int64 (pictures,)."""
        return np.fromfile(self._numbers, "<i8", offset=_layout(self._numbers)[0])

    def add(self, numbers, outputs):
        """Append the outputs of one batch."""
        tree.assert_same_structure(self.paths, outputs)
        numbers = np.asarray(numbers, "<i8")
        for path, rows in zip(self._files, [*tree.flatten(outputs), numbers], strict=True):
            with open(path, "ab" if self._rows else "wb") as file:
                if not self._rows:
                    _write_header(file, rows.dtype, (0, *rows.shape[1:]))
                file.write(np.ascontiguousarray(rows).tobytes())
        self._rows += len(numbers)
        self.next = int(numbers[-1]) + 1

    def result(self):
        """The outputs of all pictures as memory-mapped arrays, nested as those of a batch."""
        for path in self._files:
            _, _, dtype, shape = _layout(path)
            with open(path, "r+b") as file:
                _write_header(file, dtype, (self._rows, *shape[1:]))
        return tree.map_structure(lambda path: np.load(path, mmap_mode="r"), self.paths)


def _write_header(file, dtype, shape):
    # NumPy pads a header for the growth of its first dimension: all of one file are of one length
    header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)


def _layout(path):
    """(where the rows of a .npy file begin, bytes of a row, dtype, shape that its header says)."""
    with open(path, "rb") as file:
        np.lib.format.read_magic(file)
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
        return file.tell(), dtype.itemsize * int(np.prod(shape[1:])), dtype, shape


def _count_rows(path):
    """Rows that were written to a .npy file, whatever its header says; 0 without a whole header."""
    try:
        begin, size, _, _ = _layout(path)
    except (FileNotFoundError, ValueError):
        return 0
    return (path.stat().st_size - begin) // size
