"""A classifier in one file: a `.keras` model that also holds its class names and network."""

import json
import os
import zipfile
from pathlib import Path

from models import weights
from models.errors import InputError

ABOUT = "art_transfer.json"  # the zip member beside Keras's own; Keras passes over it
MOST = 10_000_000  # bytes of that member: the names of 100,000 classes


def save(model, path, known):
    """Write a model and what is `known` of it (dict: classes, network, pixels), whole or absent.

    The file opens with keras.models.load_model too.
    """
    path = Path(path)
    temporary = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        model.save(temporary)
        with zipfile.ZipFile(temporary, "a") as archive:
            archive.writestr(ABOUT, json.dumps(known, ensure_ascii=False, indent=2))
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def load(path):
    """Open what save() wrote.

    Returns:
        (keras.Model, about); about is {} for a `.keras` file of another origin.

    Raises:
        models.errors.InputError: no such file, or not a `.keras` model.
    """
    return weights.saved(path), about(path)


def about(path):
    """What save() wrote beside the model, as a dict; {} for a file of another origin."""
    try:
        with zipfile.ZipFile(path) as archive:
            if ABOUT not in archive.namelist():
                return {}
            if archive.getinfo(ABOUT).file_size > MOST:
                raise ValueError(f"its member {ABOUT} claims more than {MOST} bytes")
            return json.loads(archive.read(ABOUT))
    except (OSError, ValueError, RecursionError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} is not a readable .keras model: {error}") from error
