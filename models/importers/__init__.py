"""Weights files of other programs into this project's networks, one module per format.

Every importer offers `load(path, model) -> Report`: it fills an existing keras.Model, or raises
models.errors.InputError and leaves the model as it was (models.importers.fill). The files are not
trusted: nothing in them is executed, no path in them is followed.
"""
