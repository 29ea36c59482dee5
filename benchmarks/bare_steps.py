"""The limit of training and of passes: a network's step and forward pass alone, on the device.

The same pictures at every step, already where they are computed on: nothing is read, copied or
kept. Compiled as one writes it for each backend: tf.function with a GradientTape, or jax.jit. The
step is plain gradient descent on the cross-entropy.
"""

import keras
import numpy as np

from models import backend

RATE = 1e-3


def bare_step(model, pictures, labels, xla=False):
    """Make run(steps): training steps on one batch; what it returns is the last loss.

    Args:
        model: keras.Model with class probabilities as output; it is trained, on JAX a copy of it.
        pictures: (N, H, W, 3) RGB in [0, 255], any number type. labels: class numbers (N,).
        xla: whether TensorFlow compiles with XLA, whose convolutions are slow on a CPU.
    """
    step, batch = backend.by_backend(_tensorflow_step, _jax_step)(model, pictures, labels, xla)
    return _repeated(step, batch)


def bare_forward(model, pictures, xla=False):
    """Make run(steps): forward passes of one batch, dropout off; it returns the last output.

    Args:
        model: keras.Model of one output.
        pictures, xla: as for bare_step.
    """
    made = backend.by_backend(_tensorflow_forward, _jax_forward)(model, pictures, xla)
    forward, batch = made
    return _repeated(forward, batch)


def _repeated(call, batch):
    def run(steps):
        for _ in range(steps):
            found = call(*batch)
        return np.asarray(found)  # only now is a GPU done

    return run


def _loss(outputs, labels):
    loss = keras.losses.sparse_categorical_crossentropy(labels, outputs)
    return keras.ops.mean(keras.ops.cast(loss, "float32"))


def _tensorflow_step(model, pictures, labels, xla):
    import tensorflow as tf

    @tf.function(autograph=False, jit_compile=xla)
    def step(pictures, labels):
        with tf.GradientTape() as tape:
            loss = _loss(model(pictures, training=True), labels)
        variables = model.trainable_variables
        for variable, gradient in zip(variables, tape.gradient(loss, variables), strict=True):
            variable.assign_sub(RATE * gradient)
        return loss

    return step, (tf.constant(pictures), tf.constant(labels))


def _jax_step(model, pictures, labels, xla):
    import jax

    def loss(trainable, fixed, pictures, labels):
        outputs, fixed = model.stateless_call(trainable, fixed, pictures, training=True)
        return _loss(outputs, labels), fixed

    @jax.jit
    def update(trainable, fixed, pictures, labels):
        computed = jax.value_and_grad(loss, has_aux=True)(trainable, fixed, pictures, labels)
        (value, fixed), gradients = computed
        trainable = [v - RATE * g for v, g in zip(trainable, gradients, strict=True)]
        return value, trainable, fixed

    state = [
        [variable.value for variable in model.trainable_variables],
        [variable.value for variable in model.non_trainable_variables],
    ]

    def step(pictures, labels):
        value, *state[:] = update(*state, pictures, labels)
        return value

    return step, (jax.device_put(pictures), jax.device_put(labels))


def _tensorflow_forward(model, pictures, xla):
    import tensorflow as tf

    forward = tf.function(lambda batch: model(batch, training=False), jit_compile=xla)
    return forward, (tf.constant(pictures),)


def _jax_forward(model, pictures, xla):
    import jax

    weights = [
        [variable.value for variable in model.trainable_variables],
        [variable.value for variable in model.non_trainable_variables],
    ]
    compiled = jax.jit(lambda w, batch: model.stateless_call(*w, batch, training=False)[0])
    return (lambda batch: compiled(weights, batch)), (jax.device_put(pictures),)
