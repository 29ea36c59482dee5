"""A classifier in one file: a `.keras` model that also holds its class names and network."""

import json
import os
import zipfile
from pathlib import Path

from models import weights

ABOUT = "art_transfer.json"  # the zip member beside Keras's own; Keras passes over it


def save(model, path, about):
    """Write a model and `about` (dict: classes, network, pixels...) whole or not at all.

    The file opens with keras.models.load_model too.
    """
    path = Path(path)
    temporary = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        model.save(temporary)
        with zipfile.ZipFile(temporary, "a") as archive:
            archive.writestr(ABOUT, json.dumps(about, ensure_ascii=False, indent=2))
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
    model = weights.saved(path)
    with zipfile.ZipFile(path) as archive:
        about = json.loads(archive.read(ABOUT)) if ABOUT in archive.namelist() else {}
    return model, about
