"""Random numbers from seeds that are data.

keras.random takes a seed as a constant, or keeps one state for a whole batch. With these, every
call of a compiled function may have other seeds, and every image of a batch its own.
"""

from models.gradients import by_backend


def standard_normal(shape, seed):
    """Draw from N(0, 1) with a seed that is data, which keras.random takes only as a constant.

    Args:
        shape: of the result, tuple of int.
        seed: two whole numbers, int32 (2,): the same give the same draw.

    Returns:
        Tensor of the backend, float32.
    """

    def tensorflow():
        import tensorflow as tf

        return tf.random.stateless_normal(shape, seed)

    def jax():
        import jax

        return jax.random.normal(_jax_key(seed), shape, "float32")

    return by_backend(tensorflow, jax)()


def uniform(count, seeds):
    """Draw from [0, 1), every row from a seed of its own that is data.

    Args:
        count: of numbers for each seed, int.
        seeds: two whole numbers for each row, int32 (N, 2): the same give the same row, whatever
            the others are.

    Returns:
        Tensor of the backend, float32 (N, count).
    """

    def tensorflow():
        import tensorflow as tf

        rows = tf.unstack(tf.convert_to_tensor(seeds, tf.int32))
        return tf.stack([tf.random.stateless_uniform((count,), row) for row in rows])

    def jax():
        import jax

        def row(seed):
            return jax.random.uniform(_jax_key(seed), (count,), "float32")

        return jax.vmap(row)(jax.numpy.asarray(seeds, "int32"))

    return by_backend(tensorflow, jax)()


def _jax_key(seed):
    import jax

    return jax.random.fold_in(jax.random.key(seed[0]), seed[1])
