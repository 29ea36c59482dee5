"""Small networks of every saliency method's tests."""

import keras
import numpy as np
import pytest

layers = keras.layers
SIZE = 6


@pytest.fixture(scope="module")
def smooth():
    """A network without corners: convolution, tanh, mean, 3 classes, softmax."""
    keras.utils.set_random_seed(1)
    x = inputs = keras.Input((SIZE, SIZE, 3))
    x = layers.Rescaling(1 / 255)(x)
    x = layers.Conv2D(4, 3, padding="same", activation="tanh", name="conv")(x)
    x = layers.Conv2D(5, 3, strides=2, padding="same", activation="tanh", name="last")(x)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(3, activation="softmax")(x), name="smooth")


@pytest.fixture(scope="module")
def pictures():
    return np.random.default_rng(0).integers(0, 256, (3, SIZE, SIZE, 3), dtype=np.uint8)


@pytest.fixture
def rectified():
    """Two ReLUs, one a layer and one fused, on 3 channels of each pixel."""
    x = inputs = keras.Input((SIZE, SIZE, 3))
    x = layers.Conv2D(2, 1, name="first")(x)
    x = layers.ReLU()(x)
    x = layers.Conv2D(2, 1, activation="relu", name="second")(x)
    model = keras.Model(inputs, layers.Dense(2)(layers.GlobalAveragePooling2D()(x)))
    model.set_weights([np.random.default_rng(0).normal(size=w.shape) for w in model.get_weights()])
    return model


@pytest.fixture(scope="session")
def logit():
    """Function (model, pictures, target) -> the score before the softmax, float64.

    log softmax differs from the logit by the same for all classes; undone with the kernel.
    """

    def logits(model, x, target):
        features = keras.Model(model.inputs, model.layers[-2].output)
        kernel, bias = model.layers[-1].get_weights()
        values = features.predict_on_batch(np.asarray(x, "float32"))
        return values.astype("float64") @ kernel[:, target] + bias[target]

    return logits
