"""tf-keras-vis 0.8.7: ActivationMaximization with its own defaults, which run eagerly.

The defaults are fewer transforms than ours (jitter and a rotation by one degree), pixels instead
of a spectrum, and two regularizers. A batch is a batch of seed pictures, one channel for each.
"""

import tensorflow as tf
from tf_keras_vis.activation_maximization import ActivationMaximization

from benchmarks.peers import serving


def prepare(size, batch):
    """Make run(steps) for the first `batch` channels."""
    ascend = ActivationMaximization(serving.network(size))
    pictures = tf.random.uniform((batch, size, size, 3), 0.0, 255.0)

    def score(maps):
        return [tf.reduce_mean(maps[i, ..., i]) for i in range(batch)]

    def run(steps):
        tf.convert_to_tensor(ascend(score, seed_input=pictures, steps=steps)).numpy()

    return run


if __name__ == "__main__":
    serving.serve(prepare)
