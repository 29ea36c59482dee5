"""Files of Keras 3 (`.weights.h5`, `.keras`), checked before Keras itself opens them.

Keras's own safe mode keeps code from running; what a damaged or hostile file claims of memory, and
where its links lead, the HDF5 and zip libraries believe. The checks are models.importers.hdf5's.
"""

import contextlib
import os
import posixpath
import shutil
import tempfile
import zipfile
import zlib

from models.errors import InputError
from models.importers import hdf5

WEIGHTS = "model.weights.h5"  # the member of a `.keras` zip that holds the arrays
CONFIG = "config.json"  # the one that describes the layers
# bytes of the other members together: descriptions; the largest network's is 2 MB
MOST_TEXT = 100_000_000
PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # Keras stores, other programs deflate
# what zipfile raises on damaged archives; an encrypted member is a RuntimeError
DAMAGE = (OSError, EOFError, LookupError, ValueError, RuntimeError, zipfile.BadZipFile, zlib.error)
NAME = "name"  # the attribute of a group of arrays that says whose they are
# start of the arrays of an optimizer, and what is in the name of a dropout's random state
OPTIMIZER, RANDOM_STATE = "optimizer", "seed_generator"


def arrays(path):
    """Count the weight arrays in a file of `save_weights`.

    Raises:
        models.errors.InputError: no such file, damaged, or with links or claims that do not fit it.
    """
    with hdf5.opened(path) as file:
        return len(weight_paths(file))


def layer_names(path):
    """Read the names of the layers in a file of `save_weights`, a set.

    Empty where it holds none, as those of the first versions of Keras 3.

    Raises:
        models.errors.InputError: as arrays().
    """
    with hdf5.opened(path) as file:
        groups = {posixpath.dirname(path) for path in weight_paths(file)}
        told = [file.text(file.find(file.root, group), NAME) for group in groups if group]
        return {name.decode("utf-8", "replace") for name in told if name is not None}


def weight_paths(file):
    """Return the paths of a network's arrays in an hdf5.Bounded, sorted.

    Keras makes them of the classes of layers, not of their names, so that they do not depend on
    the process.
    """
    return sorted(
        path
        for path in file.arrays()
        if not path.startswith(OPTIMIZER) and RANDOM_STATE not in path
    )


def is_zip(path):
    """Whether a file begins as a `.keras` file does, or is called one and is no HDF5."""
    with open(path, "rb") as file:
        start = file.read(4)
    return start == b"PK\x03\x04" or (str(path).endswith(".keras") and start != b"\x89HDF")


def check(path):
    """Check a `.keras` file; returns nothing.

    Raises:
        models.errors.InputError: no such file, no zip, damaged, or members that claim more bytes
            than it has.
    """
    with opened(path) as (file, _):
        weight_paths(file)


@contextlib.contextmanager
def contents(path):
    """Open a `.keras` or `.weights.h5` file without Keras, for what is in it.

    Yields:
        (bytes that describe the architecture as JSON, None in a file of weights only; iterator of
        (path of a layer, name in it, array as it is stored), sorted).

    Raises:
        models.errors.InputError: as check(), arrays().
    """
    with contextlib.ExitStack() as stack:
        if is_zip(path):
            file, description = stack.enter_context(opened(path))
        else:
            file, description = stack.enter_context(hdf5.opened(path)), None
        yield (
            description,
            (
                (*posixpath.split(array), file.stored(file.root, array))
                for array in weight_paths(file)
            ),
        )


@contextlib.contextmanager
def opened(path):
    """Open a `.keras` file without Keras.

    Yields:
        (hdf5.Bounded of its arrays, the bytes that describe its architecture as JSON).

    Raises:
        models.errors.InputError: as check().
    """
    with opened_zip(path) as archive, tempfile.TemporaryDirectory() as folder:
        # Keras reads it from the zip; the checks need a file of its own, whole (zip's CRC)
        copy = os.path.join(folder, WEIGHTS)
        with archive.open(WEIGHTS) as member, open(copy, "wb") as file:
            shutil.copyfileobj(member, file, 1 << 20)
        try:
            with hdf5.opened(copy) as file:
                yield file, archive.read(CONFIG)
        except InputError as error:
            raise InputError(f"{path}: {str(error).replace(copy, WEIGHTS)}") from error


@contextlib.contextmanager
def opened_zip(path):
    """Open a `.keras` file as the zip that it is; whatever is wrong in it becomes an InputError.

    Yields:
        zipfile.ZipFile, whose members do not claim more than they should.
    """
    if not os.path.isfile(path):
        raise InputError(f"no weights file {path}")
    try:
        with zipfile.ZipFile(path) as archive:
            _check_members(archive.infolist(), os.path.getsize(path))
            yield archive
    except InputError:
        raise
    except DAMAGE as error:
        raise InputError(f"{path} is not a readable .keras model: {error}") from error


def _check_members(members, size):
    odd = [member.filename for member in members if member.compress_type not in PACKED]
    if odd:
        raise ValueError(f"its member {odd[0]!r} is packed by another method than deflate")
    weights = [member.file_size for member in members if member.filename == WEIGHTS]
    text = sum(member.file_size for member in members if member.filename != WEIGHTS)
    # Keras stores its arrays as they are; packed ones could claim any size
    if sum(weights) > size or text > MOST_TEXT or len(weights) > 1:
        raise ValueError(f"of {size} bytes, its members claim {sum(weights) + text}")
