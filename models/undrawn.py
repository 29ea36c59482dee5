"""Layers built without drawing their kernels, for networks that are filled right afterwards."""

import contextlib

import keras
import numpy as np


@contextlib.contextmanager
def kernels():
    """While open, kernels that Keras would draw are NaN instead: what is not filled is seen.

    Drawing 143 million numbers (VGG19) takes seconds, and JAX compiles a program for every shape:
    15 s for GoogLeNet. Initializers are Keras's own VarianceScaling and what derives from it
    (Glorot, He, LeCun), as in keras.applications and here.
    """
    scaling = keras.initializers.VarianceScaling
    drawn = scaling.__call__
    scaling.__call__ = lambda self, shape, dtype=None: np.full(shape, np.nan, "float32")
    try:
        yield
    finally:
        scaling.__call__ = drawn
