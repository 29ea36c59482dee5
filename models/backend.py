"""What keras.ops lacks, and so the one file that knows the Keras backend and its devices.

A network's forward pass, and the gradient of a class's score to its input, each compiled once for
every shape of input; the inverse real Fourier transform of two axes; elementwise work compiled
into few loops; random numbers from seeds that are data (keras.random takes a seed as a constant, or
keeps one state for a whole batch); the device that all this is computed on.
"""

import functools
import os
import shutil

import keras
import numpy as np
from keras import ops

from models import memory
from models.errors import InputError

PREDICTED = -1  # a target: the class of the highest output


def forward(model):
    """Compile a network's forward pass, dropout off.

    Args:
        model: keras.Model.

    Returns:
        Callable: arrays (N, ...), one for each input -> output as NumPy array (a list of them
        where the network has several).

    Raises:
        InputError: a Keras backend other than TensorFlow and JAX.
    """
    return by_backend(_tensorflow_forward, _jax_forward)(model)


def input_gradient(model, prepare=None):
    """Compile the gradient of a class's output to what the network reads.

    Args:
        model: keras.Model whose output is (M, classes).
        prepare: function of keras.ops (images, *given) -> what the network is given, M rows of
            it, through which the gradient goes: M = N * k for k samples of each image, whose
            gradients then are summed. None: the images themselves.

    Returns:
        Callable (images, targets, *given) -> (scores, gradients), NumPy float32: images (N, ...)
        of any number type, targets int (M,), class indices or PREDICTED, given arrays ->
        scores (M,) and gradients of their sum, of the images' shape.

    Raises:
        InputError: a Keras backend other than TensorFlow and JAX.
    """
    prepare = prepare or _unchanged
    gradient = by_backend(_tensorflow_gradient, _jax_gradient)(model, prepare)

    def run(images, targets, *given):
        scores, gradients = gradient(images, np.asarray(targets, "int32"), *given)
        return np.asarray(scores), np.asarray(gradients)

    return run


def inverse_real_fft2(real, imaginary, size):
    """Invert the real Fourier transform of the last two axes.

    Keras has that of one axis only; two of them, with the axes exchanged between, take twice the
    time on a CPU.

    Args:
        real, imaginary: (..., h, w // 2 + 1) float32.
        size: (h, w) of the result, w even.

    Returns:
        (..., h, w) float32.
    """

    def tensorflow():
        import tensorflow as tf

        return tf.signal.irfft2d(tf.complex(real, imaginary), size)

    def jax():
        import jax

        return jax.numpy.fft.irfft2(jax.lax.complex(real, imaginary), size)

    return by_backend(tensorflow, jax)()


def fused(function):
    """Compile a function of tensors with XLA under TensorFlow; other backends' steps are already.

    TensorFlow runs every operation as a pass over memory of its own. XLA makes one loop of many,
    but its convolutions are slow on a CPU, so a step with a network in it is best left alone there
    and only parts of it compiled. Works inside a compiled step and outside, with its gradient.

    What is compiled stays in memory for good (TensorFlow frees no XLA program): make one function
    for all networks and batches, not one for each.

    Args:
        function: of tensors of static shape, in keras.ops, without random state or variables.

    Returns:
        Function with the same arguments and results.
    """
    if keras.backend.backend() != "tensorflow":
        return function
    import tensorflow as tf

    compiled = tf.function(_by_itself(function), jit_compile=True, autograph=False)
    # a variable given as it is would be a part of the compiled function
    return lambda *tensors: compiled(*map(tf.convert_to_tensor, tensors))


def class_scores(outputs, targets):
    """The output of each row's class: (M, classes) float and (M,) int -> (M,) float32."""
    targets = ops.where(targets < 0, ops.cast(ops.argmax(outputs, axis=-1), "int32"), targets)
    chosen = ops.take_along_axis(outputs, targets[:, None], axis=-1)[:, 0]
    return ops.cast(chosen, "float32")


def by_backend(tensorflow, jax):
    """Choose between what was written for TensorFlow and for JAX.

    Raises:
        InputError: another Keras backend.
    """
    name = keras.backend.backend()
    written = {"tensorflow": tensorflow, "jax": jax}
    if name not in written:
        raise InputError(f"KERAS_BACKEND={name} gives no gradients here; accepted: tensorflow, jax")
    return written[name]


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


def device_name():
    """The device that Keras computes on, e.g. `GPU NVIDIA H100 (jax)`, `CPU, 2 cores (jax)`."""
    backend = keras.backend.backend()
    gpus = _jax_gpus() if backend == "jax" else _tensorflow_gpus()
    return f"GPU {', '.join(gpus)} ({backend})" if gpus else f"CPU, {cores()} cores ({backend})"


def cores():
    """Number of CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def free_memory():
    """Bytes of memory that a network may still use where Keras computes; None if not known."""
    if keras.backend.backend() == "jax" and _jax_gpus():
        return _free_on_jax()
    if keras.backend.backend() == "tensorflow" and _tensorflow_gpus():
        return None  # TensorFlow tells what it took, not what is there
    return memory.free()


def is_out_of_memory(error):
    """Whether an error of a backend says that memory did not suffice."""
    words = ("RESOURCE_EXHAUSTED", "ResourceExhausted", "out of memory", "OOM when allocating")
    text = f"{type(error).__name__}: {error}"
    return isinstance(error, MemoryError) or any(word in text for word in words)


def device_warning():
    """One line when a build that can use a GPU sees none on a machine that has one, else None."""
    if keras.backend.backend() != "tensorflow" or not _has_nvidia_gpu():
        return None
    import tensorflow as tf

    if not tf.test.is_built_with_cuda():
        return None
    if tf.config.list_physical_devices("GPU"):
        return None
    return (
        "WARNING: this machine has an NVIDIA GPU that TensorFlow does not see; it computes on the "
        "CPU. Install CUDA with pip install 'art-transfer[gpu]', and check nvidia-smi."
    )


def join(together):
    """Compute together with other processes, whose devices from here on are seen too.

    Args:
        together: models.machines.Together.

    Raises:
        InputError: they have unlike numbers of devices.
    """
    if together.processes == 1:
        return
    import jax

    # it would take SIGTERM, which a queue sends before the end of a job, for its own use
    jax.config.update("jax_enable_preemption_service", False)
    jax.distributed.initialize(
        f"127.0.0.1:{together.begin()}",
        together.processes,
        together.process,
        cluster_detection_method="deactivate",  # it would take one GPU of each machine
    )
    together.agree(devices_of_a_process=jax.local_device_count())


def leave(together):
    """End what join began, in all processes at once."""
    if together.processes == 1:
        return
    import jax

    together.wait()
    jax.distributed.shutdown()
    together.runtime = False


def joined(rows):
    """A batch over the devices of all processes, of each one's rows: array of JAX.

    Args:
        rows: of this process, which its devices divide.
    """
    import jax

    divided, _, _ = _layouts()
    return jax.make_array_from_process_local_data(divided, rows)


def _has_nvidia_gpu():
    """Whether there are signs of one: its driver's device file, or its tool (on every system)."""
    return os.path.exists("/dev/nvidia0") or shutil.which("nvidia-smi") is not None


def keep_pipeline_on_cpu():
    """Keep TensorFlow, which decodes pictures, off the GPU when another backend computes there."""
    import tensorflow as tf

    if keras.backend.backend() != "tensorflow":
        tf.config.set_visible_devices([], "GPU")


def _unchanged(images):
    return images


def _by_itself(function):
    """A function that TensorFlow counts traces of on its own.

    It warns of functions made anew in a loop, which it knows by their code, and so also where one
    is made for each of several networks.
    """
    return functools.partial(function)


def _tensorflow_forward(model):
    import tensorflow as tf

    run = tf.function(_by_itself(lambda *inputs: model(_one_or_all(inputs), training=False)))

    def call(*inputs):
        outputs = run(*map(tf.convert_to_tensor, inputs))
        return keras.tree.map_structure(lambda output: output.numpy(), outputs)

    return call


def _tensorflow_gradient(model, prepare):
    import tensorflow as tf

    def run(images, targets, *given):
        images = tf.cast(images, tf.float32)
        # not the weights: what they would need of the forward pass need not be kept
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(images)
            outputs = model(prepare(images, *given), training=False)
            scores = class_scores(outputs, targets)
        # a class that no pixel reaches has the gradient 0, as on JAX
        return scores, tape.gradient(
            scores, images, unconnected_gradients=tf.UnconnectedGradients.ZERO
        )

    compiled = tf.function(_by_itself(run))
    return lambda *arrays: compiled(*map(tf.convert_to_tensor, arrays))


def _jax_forward(model):
    import jax

    @jax.jit
    def run(trainable, fixed, *inputs):
        return model.stateless_call(trainable, fixed, _one_or_all(inputs), training=False)[0]

    return lambda *inputs: keras.tree.map_structure(np.asarray, run(*_values(model), *inputs))


def _jax_gradient(model, prepare):
    import jax

    @jax.jit
    def run(trainable, fixed, images, targets, *given):
        def total(images):
            ready = prepare(images, *given)
            outputs, _ = model.stateless_call(trainable, fixed, ready, training=False)
            scores = class_scores(outputs, targets)
            return scores.sum(), scores

        gradients, scores = jax.grad(total, has_aux=True)(images.astype("float32"))
        return scores, gradients

    return lambda *arrays: run(*_values(model), *map(np.asarray, arrays))


def _values(model):
    """The weights as JAX takes them: arguments of a compiled function, never constants in it."""
    return (
        [variable.value for variable in model.trainable_variables],
        [variable.value for variable in model.non_trainable_variables],
    )


def _one_or_all(inputs):
    return inputs[0] if len(inputs) == 1 else list(inputs)


def _jax_key(seed):
    import jax

    return jax.random.fold_in(jax.random.key(seed[0]), seed[1])


def _jax_gpus():
    import jax

    return [d.device_kind for d in jax.devices() if d.platform == "gpu"]


def _free_on_jax():
    import jax

    known = jax.devices()[0].memory_stats() or {}
    return known["bytes_limit"] - known["bytes_in_use"] if "bytes_limit" in known else None


def _tensorflow_gpus():
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
    return [detail.get("device_name", "unnamed") for detail in details]
