"""Weights files of other programs into this project's networks, one module per format.

Every importer offers `load(path, model) -> Report`: it fills an existing keras.Model, or raises
models.errors.InputError and leaves the model as it was. The files are not trusted: nothing in
them is executed, no path in them is followed.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Report:
    """What became of every tensor in a weights file.

    Attributes:
        loaded: list of (name in the file, layer or variable name in the network).
        skipped: list of (name in the file, reason).
    """

    loaded: list
    skipped: list
