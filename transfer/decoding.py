"""Encoded pictures to the square float tensors that networks take, inside tf.data."""

from models.errors import InputError
from transfer import pictures

VERSION = "bilinear 2"  # raised when the same bytes give other pixels: features kept then are stale


def readable(encoded):
    """Whether decode() will take the bytes of a picture; a JPEG is tried at 1/8 of its size."""
    import tensorflow as tf

    try:
        if encoded[:2] == b"\xff\xd8":
            tf.io.decode_jpeg(encoded, 3, ratio=8)
        else:
            tf.io.decode_png(encoded, 3)
    except tf.errors.InvalidArgumentError:
        return False
    return True


def decode(encoded, size):
    """Decode one encoded picture and resize it.

    A JPEG is decoded at 1/2, 1/4 or 1/8 of its size where both sides stay at least `size`: the
    same frequencies, many times faster for a museum's scan.

    Args:
        encoded: scalar string tensor, JPEG or PNG bytes.
        size: side of the result in pixels.

    Returns:
        float32 tensor (size, size, 3), RGB in [0, 255].
    """
    import tensorflow as tf

    def jpeg():
        shortest = tf.reduce_min(tf.io.extract_jpeg_shape(encoded)[:2])
        # the number of ratios among 2, 4, 8 that leave the shortest side long enough
        fits = tf.reduce_sum(tf.cast(shortest // tf.constant([2, 4, 8]) >= size, tf.int32))
        scaled = [
            lambda r=ratio: tf.io.decode_jpeg(encoded, 3, ratio=r, dct_method="INTEGER_ACCURATE")
            for ratio in (1, 2, 4, 8)
        ]
        return tf.switch_case(fits, scaled)

    is_jpeg = tf.equal(tf.strings.substr(encoded, 0, 2), b"\xff\xd8")
    picture = tf.cond(is_jpeg, jpeg, lambda: tf.io.decode_png(encoded, 3))
    sides = tf.shape(picture)[:2]
    # up to half the size, four neighbours of a new pixel are all the pixels under it; beyond, their
    # mean, so that nothing is skipped; enlarged on one side, both ways at once
    close = tf.reduce_max(sides) <= 2 * size
    resized = tf.cond(
        tf.logical_and(tf.reduce_min(sides) >= size, tf.logical_not(close)),
        lambda: tf.image.resize(picture, (size, size), "area"),
        lambda: tf.image.resize(picture, (size, size), antialias=False),
    )
    return tf.ensure_shape(resized, (size, size, 3))


def read(path, size):
    """Read a picture file as networks are trained on it, whatever its format.

    Args:
        path: file that transfer.pictures.encoded takes.
        size: side of the result in pixels.

    Returns:
        float32 array (size, size, 3), RGB in [0, 255].

    Raises:
        models.errors.InputError: naming the file and what is wrong with it.
    """
    import tensorflow as tf

    try:
        with tf.device("CPU"):
            return decode(tf.constant(pictures.encoded(path)), size).numpy()
    except (InputError, OSError, tf.errors.InvalidArgumentError) as error:
        raise InputError(f"picture {path}: {error}") from error
