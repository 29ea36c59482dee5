"""xplique 2.0.2: what its `optimize` does at every step, with its standard transformations.

`optimize` makes a new compiled step at every call; here one is made and kept, so that only steps
are timed. All else (Fourier images, Adam 0.05, no regularizers) is its default. A batch is one
objective for each of several channels.
"""

import keras
import tensorflow as tf
from xplique.features_visualizations import Objective, optim
from xplique.features_visualizations.preconditioning import (
    fft_image,
    fft_to_rgb,
    get_fft_scale,
    to_valid_rgb,
)
from xplique.features_visualizations.transformations import generate_standard_transformations

from benchmarks.peers import serving

FFT_DECAY = 0.85  # defaults of optimize
STD = 0.01
LEARNING_RATE = 0.05


def prepare(size, batch):
    """Make run(steps) for the first `batch` channels."""
    objective = Objective.channel(serving.network(size), serving.LAYER, list(range(batch)))
    model, score, _, shape = objective.compile()
    scale = get_fft_scale(size, size, decay_power=FFT_DECAY)
    buffer = tf.Variable(fft_image(shape, STD), trainable=True)
    optimizer = keras.optimizers.Adam(LEARNING_RATE)
    step = optim._get_optimisation_step(
        score,
        len(model.outputs),
        lambda values: to_valid_rgb(fft_to_rgb(shape, values, scale), "sigmoid", (0, 255)),
        shape,
        generate_standard_transformations(size=size, channels=3),
        None,
    )

    def run(steps):
        for _ in range(steps):
            optimizer.apply_gradients([(-step(model, buffer), buffer)])
        buffer.numpy()

    return run


if __name__ == "__main__":
    serving.serve(prepare)
