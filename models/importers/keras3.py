"""Files of Keras 3 (`.weights.h5`, `.keras`), checked before Keras itself opens them.

Keras's own safe mode keeps code from running; what a damaged or hostile file claims of memory, and
where its links lead, the HDF5 and zip libraries believe. The checks are models.importers.hdf5's.
"""

import os
import shutil
import tempfile
import zipfile

from models.errors import InputError
from models.importers import hdf5

WEIGHTS = "model.weights.h5"  # the member of a `.keras` zip that holds the arrays
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
        return sum(not name.startswith(STATE[0]) and STATE[1] not in name for name in file.arrays())


def check(path):
    """Check a `.keras` file; returns nothing.

    Raises:
        models.errors.InputError: no such file, no zip, damaged, or members that claim more bytes
            than it has.
    """
    if not os.path.isfile(path):
        raise InputError(f"no weights file {path}")
    try:
        with zipfile.ZipFile(path) as archive:
            _check_sizes(path, archive.infolist())
            # Keras reads it from the zip; the checks need a file of its own, whole (zip's CRC)
            with archive.open(WEIGHTS) as member, tempfile.TemporaryDirectory() as folder:
                copy = os.path.join(folder, WEIGHTS)
                with open(copy, "wb") as file:
                    shutil.copyfileobj(member, file, 1 << 20)
                _check_member(path, copy)
    except InputError:
        raise
    except (KeyError, OSError, ValueError, NotImplementedError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} is not a readable .keras model: {error}") from error


def _check_member(path, copy):
    try:
        arrays(copy)
    except InputError as error:
        raise InputError(f"{path}: {str(error).replace(copy, WEIGHTS)}") from error


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
