"""Weighted sums of gradients over samples of a picture, for SmoothGrad and integrated gradients.

A pass takes `batch_size` (picture, sample) pairs: where there are more samples than that, several
passes for one picture, where fewer, several pictures in one pass. All passes have one shape.
"""

import numpy as np
from keras import ops

from models import backend
from visualization import batches


def summed_gradient(model, sample, positions, weights, batch_size):
    """Compile the weighted sum of the gradients at the samples of each picture.

    Args:
        model: keras.Model, (M, H, W, 3) -> (M, classes).
        sample: function of keras.ops (pictures (N, H, W, 3), positions (k,) float32, seed (2,)
            int32) -> (N, k, H, W, 3), the samples at these positions.
        positions: a number for each sample of a picture, (samples,); what it means is `sample`'s.
        weights: of the samples' gradients in the sum, (samples,).
        batch_size: the most samples in one pass: this bounds the memory.

    Returns:
        Callable (pictures (N, H, W, 3), targets (N,), seed int) -> float32 (N, H, W, 3).
    """
    passes = -(-len(positions) // batches.checked_size(batch_size))
    each = -(-len(positions) // passes)
    # the last pass is filled up with samples of weight 0
    missing = (0, passes * each - len(positions))
    positions = np.pad(positions, missing, mode="edge").astype(np.float32).reshape(passes, each)
    weights = np.pad(weights, missing).astype(np.float32).reshape(passes, each)

    def prepare(pictures, positions, weights, seed):
        rows = sample(pictures, positions, seed)
        # 0 in value; through it the samples' gradients reach their picture, weighed
        shift = (pictures - ops.stop_gradient(pictures))[:, None]
        rows = ops.stop_gradient(rows) + shift * weights[None, :, None, None, None]
        return ops.reshape(rows, (-1, *pictures.shape[1:]))

    gradient = backend.input_gradient(model, prepare)

    def summed(pictures, targets, seed):
        def batch(i):
            repeated = np.repeat(targets[i], each)
            parts = (
                gradient(
                    pictures[i],
                    repeated,
                    positions[part],
                    weights[part],
                    np.array([seed, i[0] * passes + part], np.int32),
                )[1]
                for part in range(passes)
            )
            return sum(parts, next(parts))

        return batches.joined(batch, len(pictures), max(1, batch_size // each))

    return summed
