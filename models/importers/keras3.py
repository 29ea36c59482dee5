"""Files of Keras 3 (`.weights.h5`, `.keras`), checked before Keras itself opens them.

Keras's own safe mode keeps code from running; what a damaged or hostile file claims of memory, and
where its links lead, the HDF5 and zip libraries believe. The checks are models.importers.hdf5's.
"""

import contextlib
import os
import shutil
import tempfile
import zipfile

from models.errors import InputError
from models.importers import hdf5

WEIGHTS = "model.weights.h5"  # the member of a `.keras` zip that holds the arrays
CONFIG = "config.json"  # the one that describes the layers
MOST_TEXT = (
    100e6  # bytes of the other members together: descriptions; the largest network's is 2 MB
)
# of other origin than weights: an optimizer's slots, a dropout's random state
STATE = ("optimizer", "seed_generator")


def arrays(path):
    """Count the weight arrays in a file of `save_weights`.

    Raises:
        models.errors.InputError: no such file, damaged, or with links or claims that do not fit it.
    """
    with hdf5.opened(path) as file:
        return len(weight_paths(file))


def weight_paths(file):
    """Return the paths of a network's arrays in an hdf5.Bounded, sorted.

    Keras makes them of the classes of layers, not of their names, so that they do not depend on
    the process.
    """
    names = [n for n in file.arrays() if not n.startswith(STATE[0]) and STATE[1] not in n]
    return sorted(names)


def check(path):
    """Check a `.keras` file; returns nothing.

    Raises:
        models.errors.InputError: no such file, no zip, damaged, or members that claim more bytes
            than it has.
    """
    with opened(path) as (file, _):
        weight_paths(file)


@contextlib.contextmanager
def opened(path):
    """Open a `.keras` file without Keras.

    Yields:
        (hdf5.Bounded of its arrays, the bytes that describe its architecture as JSON).

    Raises:
        models.errors.InputError: as check().
    """
    if not os.path.isfile(path):
        raise InputError(f"no weights file {path}")
    try:
        with zipfile.ZipFile(path) as archive, tempfile.TemporaryDirectory() as folder:
            _check_sizes(path, archive.infolist())
            # Keras reads it from the zip; the checks need a file of its own, whole (zip's CRC)
            copy = os.path.join(folder, WEIGHTS)
            with archive.open(WEIGHTS) as member, open(copy, "wb") as file:
                shutil.copyfileobj(member, file, 1 << 20)
            try:
                with hdf5.opened(copy) as file:
                    yield file, archive.read(CONFIG)
            except InputError as error:
                raise InputError(f"{path}: {str(error).replace(copy, WEIGHTS)}") from error
    except InputError:
        raise
    except (KeyError, OSError, ValueError, NotImplementedError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} is not a readable .keras model: {error}") from error


def _check_sizes(path, members):
    size = os.path.getsize(path)
    text = sum(member.file_size for member in members if member.filename != WEIGHTS)
    weights = [member for member in members if member.filename == WEIGHTS]
    claimed = sum(member.file_size for member in weights)
    # Keras stores its arrays as they are; packed ones could claim any size
    if claimed > size or text > MOST_TEXT or len(weights) > 1:
        raise InputError(
            f"{path} is not a readable .keras model: of {size} bytes, its members claim "
            f"{claimed + text}"
        )
