"""What the methods share: pictures and classes checked, and passes through a network.

Over pictures, batch by batch, and over samples of each picture: a weighted sum of their gradients,
for SmoothGrad and integrated gradients.
"""

import numpy as np
from keras import ops

from models import backend
from models.errors import InputError
from models.network import warn_of_unit_range
from transfer.inference import collect, in_memory
from visualization.whole_numbers import check_whole


def check_pictures(model, pictures):
    """Pictures as the network takes them: uint8 as they are, other numbers as float32.

    Args:
        model: keras.Model, its input (N, H, W, 3).
        pictures: array (N, H, W, 3), RGB in [0, 255].

    Raises:
        InputError: another shape, no picture, or values that are no finite numbers in [0, 255].

    Floats of which none is above 1 bring a warning: as pixels of [0, 255] they are nearly black.
    """
    pictures = np.asarray(pictures)
    wanted = model.inputs[0].shape[1:]
    fits = len(wanted) == pictures.ndim - 1 == 3 and all(
        side in (None, given) for side, given in zip(wanted, pictures.shape[1:], strict=True)
    )
    if not fits or not len(pictures):
        sides = ", ".join("any" if side is None else str(side) for side in wanted)
        raise InputError(f"pictures {pictures.shape}; {model.name} takes (1 or more, {sides})")
    if pictures.dtype == np.uint8:
        return pictures
    if pictures.dtype.kind not in "iuf":
        raise InputError(f"pictures of {pictures.dtype}; accepted: numbers in [0, 255]")
    pictures = pictures.astype(np.float32)
    low, high = pictures.min(), pictures.max()
    if not (low >= 0 and high <= 255):
        raise InputError(f"pictures of {low:g} to {high:g}; accepted: RGB in [0, 255]")
    warn_of_unit_range(pictures, model.name)
    return pictures


def check_targets(targets, count, outputs):
    """One class index for each picture; where none is given, backend.PREDICTED.

    Args:
        targets: None, one index for all pictures, or (count,) indices.
        count: number of pictures.
        outputs: number of the network's outputs.

    Returns:
        int32 (count,).

    Raises:
        InputError: an index that no output has, or another number of them.
    """
    if targets is None:
        return np.full(count, backend.PREDICTED, np.int32)
    indices = np.asarray(targets)
    if indices.dtype.kind not in "iu" or indices.shape not in ((), (count,)):
        raise InputError(
            f"classes {targets!r}; accepted: a class index, or {count}, one for each picture"
        )
    if indices.min() < 0 or indices.max() >= outputs:
        raise InputError(f"classes {targets!r}; accepted: 0 to {outputs - 1}")
    return np.broadcast_to(indices, count).astype(np.int32)


def check_choice(name, chosen, accepted):
    """Refuse what is not among the accepted words."""
    if chosen not in accepted:
        raise InputError(f"{name} {chosen!r}; accepted: {', '.join(accepted)}")


def outputs(model, batch_size):
    """Compile a network's forward pass: (pictures (N, H, W, 3)) -> its outputs, NumPy (N, ...)."""
    check_whole("batch_size", batch_size, least=1)
    run = backend.forward(model)
    return lambda pictures: collect(
        lambda i: run(pictures[i]), in_memory(len(pictures), batch_size)
    )


def summed_gradient(model, sample, positions, weights, batch_size):
    """Compile the weighted sum of the gradients at the samples of each picture.

    A pass takes `batch_size` (picture, sample) pairs: where there are more samples than that,
    several passes for one picture, where fewer, several pictures in one pass. All passes have one
    shape.

    Args:
        model: keras.Model, (M, H, W, 3) -> (M, classes).
        sample: function of keras.ops (pictures (N, H, W, 3), positions (k,) float32, seed (2,)
            int32) -> (N, k, H, W, 3), the samples at these positions.
        positions: a number for each sample of a picture, (samples,); what it means is `sample`'s.
        weights: of the samples' gradients in the sum, (samples,).
        batch_size: the most samples in one pass: this bounds the memory.

    Returns:
        Callable (pictures (N, H, W, 3), targets (N,), seed int, progress=None) -> float32
        (N, H, W, 3).
    """
    check_whole("batch_size", batch_size, least=1)
    passes = -(-len(positions) // batch_size)
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

    def summed(pictures, targets, seed, progress=None):
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

        batches = in_memory(len(pictures), max(1, batch_size // each))
        return collect(batch, batches, progress=progress)

    return summed
