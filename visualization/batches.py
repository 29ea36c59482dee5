"""Pictures and classes as every saliency method takes them: checked, and in batches."""

import numpy as np

from models.errors import InputError


def checked(model, pictures):
    """Pictures as the network takes them: uint8 as they are, other numbers as float32.

    Args:
        model: keras.Model, its input (N, H, W, 3).
        pictures: array (N, H, W, 3), RGB in [0, 255].

    Raises:
        InputError: another shape, no picture, or values that are no finite numbers in [0, 255].
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
    return pictures


def checked_targets(targets, count, outputs):
    """One class index for each picture, or None as it is (the predicted classes).

    Args:
        targets: None, one index for all pictures, or (count,) indices.
        count: number of pictures.
        outputs: number of the network's outputs.

    Returns:
        int32 (count,), or None.

    Raises:
        InputError: an index that no output has, or another number of them.
    """
    if targets is None:
        return None
    indices = np.asarray(targets)
    if indices.dtype.kind not in "iu" or indices.shape not in ((), (count,)):
        raise InputError(
            f"classes {targets!r}; accepted: a class index, or {count}, one for each picture"
        )
    if indices.min() < 0 or indices.max() >= outputs:
        raise InputError(f"classes {targets!r}; accepted: 0 to {outputs - 1}")
    return np.broadcast_to(indices, count).astype(np.int32)


def checked_size(number, name="batch_size"):
    """A whole number above 0."""
    if isinstance(number, bool) or not isinstance(number, (int, np.integer)) or number < 1:
        raise InputError(f"{name} {number!r}; accepted: a whole number from 1")
    return int(number)


def checked_choice(name, chosen, accepted):
    """Refuse what is not among the accepted words."""
    if chosen not in accepted:
        raise InputError(f"{name} {chosen!r}; accepted: {', '.join(accepted)}")


def rows(count, batch_size):
    """Yield (indices, number of them that count) of every batch.

    All batches are of one size, so that one compiled shape serves: the last is filled up with its
    last picture.
    """
    size = min(count, checked_size(batch_size))
    for start in range(0, count, size):
        kept = min(size, count - start)
        yield np.minimum(np.arange(start, start + size), count - 1), kept


def joined(function, count, batch_size):
    """Run function(indices) -> array or tuple of arrays, over all batches; whole arrays of it."""
    parts = [
        [part[:kept] for part in _tuple(function(indices))]
        for indices, kept in rows(count, batch_size)
    ]
    whole = [np.concatenate(pieces) for pieces in zip(*parts, strict=True)]
    return whole[0] if len(whole) == 1 else tuple(whole)


def _tuple(found):
    return found if isinstance(found, tuple) else (found,)


def predicted(outputs, batch_size):
    """Turn a compiled forward pass into (pictures) -> indices of the highest output, int32 (N,)."""

    def classes(pictures):
        found = joined(lambda i: outputs(pictures[i]), len(pictures), batch_size)
        return found.argmax(axis=-1).astype(np.int32)

    return classes
