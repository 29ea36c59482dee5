"""Train the toy network on toy natural pictures: the "ImageNet weights" of the toy collection.

The trunk is keras.applications.MobileNet with a quarter of the channels, for 64 x 64 pictures;
the head (global average pooling and one softmax layer) is thrown away after training.
"""

import tempfile
from pathlib import Path

import keras
import numpy as np

from models.errors import InputError
from toy.nature import CLASSES, SIZE, render_pictures
from transfer.result_folder import write_bytes

ALPHA = 0.25  # the narrowest MobileNet of keras.applications: 0.2 million weights, under 1 MB
WEIGHTS = Path(__file__).with_name("mobilenet_0.25_64_nature.weights.h5")
BATCH = 32
LEARNING_RATE = 2e-3  # Adam, falling to 0 by a half cosine; 1e-3 learns more slowly here
# Keras' default of 0.99 needs more steps than a short training has to settle its averages.
BATCH_NORM_MOMENTUM = 0.9
HELD_OUT = 1000  # pictures, 50 of each class


def build_trunk():
    """Build MobileNet(alpha=0.25) without a head, random weights, input (64, 64, 3) in [-1, 1]."""
    return keras.applications.MobileNet(
        input_shape=(SIZE, SIZE, 3), alpha=ALPHA, include_top=False, weights=None
    )


def add_head(body):
    """Put the head on a trunk: average pooling, softmax over CLASSES."""
    inputs = keras.Input((SIZE, SIZE, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(body(inputs))
    outputs = keras.layers.Dense(len(CLASSES), activation="softmax")(pooled)
    return keras.Model(inputs, outputs)


class NaturePictures(keras.utils.PyDataset):
    """Batches of rendered pictures in [-1, 1], drawn, shifted and tinted anew every step."""

    def __init__(self, pictures, labels, steps, seed):
        super().__init__()
        self.pictures, self.labels, self.steps, self.seed = pictures, labels, steps, seed

    def __len__(self):
        return self.steps

    def __getitem__(self, step):
        rng = np.random.default_rng([self.seed, step])
        rows = rng.choice(len(self.pictures), BATCH, replace=False)
        batch = self.pictures[rows].astype(np.float32) / 127.5 - 1
        batch[::2] = batch[::2, :, ::-1]
        shift = rng.integers(-6, 7, 2)  # a tenth of the picture, as a second viewpoint
        batch = np.roll(batch, tuple(shift), axis=(1, 2))
        return batch * rng.uniform(0.7, 1.0, (BATCH, 1, 1, 3)), self.labels[rows]


def pretrain(pictures, steps, seed):
    """Train a trunk from random weights on toy natural pictures.

    Args:
        pictures: how many are rendered, at least one batch of 32.
        steps: updates of 32 pictures.
        seed: of the pictures, the first weights and the order.

    Returns:
        The trunk (a keras.Model) and its top-1 accuracy in [0, 1] on 1000 pictures never trained
        on.

    Raises:
        InputError: fewer pictures than a batch, no step or a negative seed.
    """
    if pictures < BATCH or steps < 1 or seed < 0:
        raise InputError(
            f"{pictures} pictures, {steps} steps, seed {seed}: "
            f"wanted at least {BATCH} pictures, 1 step and seed 0"
        )
    keras.utils.set_random_seed(seed)
    body = build_trunk()
    for layer in body.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = BATCH_NORM_MOMENTUM
    model = add_head(body)
    schedule = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, steps)
    model.compile(
        keras.optimizers.Adam(schedule), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    model.fit(NaturePictures(*render_pictures(pictures, seed), steps, seed))
    held_out, labels = render_pictures(HELD_OUT, seed, first=pictures)
    scores = model.predict(held_out / np.float32(127.5) - 1, batch_size=100, verbose=0)
    return body, float(np.mean(scores.argmax(axis=1) == labels))


def save_trunk(body, path):
    """Write a trunk's weights to `path` (ending in .weights.h5), whole or not at all."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        part = Path(folder) / path.name
        body.save_weights(part)
        write_bytes(path, part.read_bytes())
