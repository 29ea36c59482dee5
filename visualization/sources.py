"""Pictures as a user names them, files and folders: found, read, those that are broken named."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from models.errors import InputError
from transfer import decoding, pictures


def found(paths):
    """List the picture files that paths stand for.

    Args:
        paths: files, taken as they are, and folders, searched with their subfolders.

    Returns:
        list of Path, in the order given; of a folder sorted by name.

    Raises:
        InputError: a path that is not there, or a folder without pictures; no paths.
    """
    files = []
    for path in map(Path, paths):
        if path.is_dir():
            files += [path / name for name in pictures.find_pictures(path)]
        elif path.is_file():
            files.append(path)
        else:
            raise InputError(f"no picture or folder {path}")
    if not files:
        raise InputError("no pictures given; accepted: picture files and folders of them")
    return files


def read(files, size, say=print):
    """Read pictures at one size; unreadable ones are said and left out.

    Args:
        files: list of Path.
        size: side in pixels.
        say: called with a line for each unreadable picture.

    Yields:
        (Path, float32 array (size, size, 3), RGB in [0, 255]).
    """
    for file in files:
        try:
            # the mean over an area of white comes out as 255.00002
            yield file, np.clip(decoding.read(file, size), 0, 255)
        except InputError as error:
            say(f"left out: {error}")


def proportion(file):
    """Width over height of a readable picture, as it stands upright."""
    with Image.open(io.BytesIO(pictures.encoded(file))) as image:
        return image.width / image.height


def batches(files, size, batch_size, say=print):
    """Read pictures in batches; see read.

    Yields:
        (list of Path, float32 array (n, size, size, 3), RGB in [0, 255]), n at most batch_size.

    Raises:
        InputError: none of the pictures can be read.
    """
    names, arrays, count = [], [], 0
    for name, array in read(files, size, say):
        names.append(name)
        arrays.append(array)
        count += 1
        if len(names) == batch_size:
            yield names, np.stack(arrays)
            names, arrays = [], []
    if names:
        yield names, np.stack(arrays)
    if not count:
        raise InputError(f"none of {len(files)} pictures can be read, the first is {files[0]}")
