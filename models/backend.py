"""What keras.ops lacks, and so the one file that knows the Keras backend and its devices.

A network's forward pass, and the gradient of a class's score to its input, each compiled once for
every shape of input; the inverse real Fourier transform of two axes; elementwise work compiled
into few loops; random numbers from seeds that are data (keras.random takes a seed as a constant, or
keeps one state for a whole batch); the devices that all this is computed on, one or several.
"""

import collections
import contextlib
import functools
import os
import shutil
import sys

import keras
import numpy as np
from keras import ops

from models import memory
from models.errors import InputError

PREDICTED = -1  # a target: the class of the highest output


def forward(model):
    """Compile a network's forward pass, dropout off, on all devices in use.

    Args:
        model: keras.Model.

    Returns:
        Callable: arrays (N, ...), one for each input -> output (N, ...) as NumPy array (a list of
        them where the network has several).

    Raises:
        InputError: a Keras backend other than TensorFlow and JAX.
    """
    return _in_equal_parts(by_backend(_tensorflow_forward, _jax_forward)(model))


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


def use_devices(wanted):
    """Compute on several devices of this machine from now on: networks, training, passes.

    Call it before any network is built. It is kept by the engines themselves: by JAX's
    keras.distribution, whose networks are copied to every device, and by TensorFlow's
    MirroredStrategy.

    Args:
        wanted: how many, int; `all`; None or 1: one, as without this. Of several processes (see
            join) each has so many, and all of theirs compute together.

    Raises:
        InputError: there are fewer.
    """
    if wanted is None:
        return
    there = by_backend(_tensorflow_devices, _jax_devices_here)()
    count = len(there) if wanted == "all" else wanted
    if count > len(there):
        are = "there is" if len(there) == 1 else "there are"
        raise InputError(f"devices is {wanted}; {are} {len(there)}: {_told(_names(there))}")
    if count * process_count() > 1:
        by_backend(_mirror, _shard)(there[:count])


def devices_in_use():
    """How many devices compute together, int."""
    return by_backend(_tensorflow_in_use, _jax_in_use)()


@contextlib.contextmanager
def one_device():
    """While open, networks are built and run as where one device is in use."""

    def tensorflow():
        import tensorflow as tf

        strategy = tf.distribute.get_strategy() if tf.distribute.has_strategy() else None
        return tf.distribute.experimental_set_strategy, strategy

    def jax():
        return keras.distribution.set_distribution, keras.distribution.distribution()

    use, in_use = by_backend(tensorflow, jax)()
    use(None)
    try:
        yield
    finally:
        use(in_use)


def clear_session():
    """keras.utils.clear_session, which would forget the devices in use."""
    with one_device():
        keras.utils.clear_session()


def undivided(batch_size):
    """One line where batches of this size are no faster on the devices in use, else None."""
    count = devices_in_use()
    if batch_size % count == 0:
        return None
    below = batch_size - batch_size % count
    near = f"{below} or {below + count}" if below else count
    return (
        f"batches of {batch_size} pictures cannot be divided among {count} devices, so that each "
        f"computes the whole batch and nothing is gained; batch_size {near} can be divided"
    )


def spread(model):
    """A network whose `fit` uses all devices in use, with the numbers that one device gives.

    A batch that the devices do not divide is computed by each of them whole. Statistics of batch
    normalisation are those of the whole batch. Dropout draws differ with the number of devices on
    TensorFlow, and do not on JAX.

    Args:
        model: keras.Model, made by inputs and outputs; to be compiled with a loss and one metric,
            functions of (labels, outputs) -> (n,) or Keras's names of those of class numbers, and
            to be fitted to what spread_batches gives.

    Returns:
        keras.Model of the same layers; `model` itself where one device is in use.
    """
    if devices_in_use() == 1:
        return model
    spread_model = by_backend(_Mirrored, _Sharded)(model.inputs, model.outputs[0], name=model.name)
    spread_model.dtype_policy = model.dtype_policy  # float16 has its loss scaled
    return spread_model


def spread_batches(dataset, rows=None):
    """Batches as the `fit` of a network of `spread` takes them.

    Args:
        dataset: tf.data.Dataset of (inputs, labels) or (inputs, labels, weights of pictures in the
            loss), in global batches; of several processes the rows of this one.
        rows: of each global batch of an epoch, list of int; only several processes need it.
    """
    if devices_in_use() == 1:
        return dataset
    return by_backend(_mirrored_batches, _ShardedBatches)(dataset, rows)


def device_name():
    """The devices that Keras computes on: `GPU 2 x NVIDIA H100 (jax)`, `CPU, 2 cores (jax)`."""
    backend = keras.backend.backend()
    count = devices_in_use()
    gpus = _jax_gpus() if backend == "jax" else _tensorflow_gpus()
    if gpus:
        return f"GPU {_told(gpus[:count])} ({backend})"
    several = f", {count} devices" if count > 1 else ""
    return f"CPU, {cores()} cores{several} ({backend})"


def cores():
    """Number of CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def free_memory():
    """Bytes of memory that a network may still use where Keras computes; None if not known."""
    if keras.backend.backend() == "jax" and _jax_gpus():
        return _free_on_jax()
    if keras.backend.backend() == "tensorflow" and _tensorflow_gpus():
        return _free_on_tensorflow()
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
    from jax.experimental import multihost_utils

    # it would take SIGTERM, which a queue sends before the end of a job, for its own use
    jax.config.update("jax_enable_preemption_service", False)
    jax.distributed.initialize(
        f"127.0.0.1:{together.begin()}",
        together.processes,
        together.process,
        cluster_detection_method="deactivate",  # it would take one GPU of each machine
    )
    together.agree(devices_of_a_process=jax.local_device_count())
    with _mute():  # on CPUs the library below says a line about it, in C++
        multihost_utils.sync_global_devices("met")


@contextlib.contextmanager
def _mute():
    """While open, nothing comes to the standard output, by C++ neither."""
    sys.stdout.flush()
    kept, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)


def leave(together):
    """End what join began, in all processes at once."""
    if together.processes == 1:
        return
    import jax

    together.wait()
    jax.distributed.shutdown()
    together.runtime = False


def assign(variable, value):
    """Give a Keras variable a NumPy value that is the same in all processes.

    Keras's own way compares it among them, one variable after another, and refuses NaN.
    """
    if keras.backend.backend() == "jax" and not variable.value.is_fully_addressable:
        import jax

        layout = variable.value.sharding
        value = jax.make_array_from_process_local_data(layout, np.asarray(value, variable.dtype))
    variable.assign(value)


def joined(rows):
    """A batch over the devices of all processes, of each one's rows: array of JAX.

    Args:
        rows: of this process, which its devices divide.
    """
    import jax

    return _placed(rows, len(rows) * jax.process_count(), _layouts())


def _has_nvidia_gpu():
    """Whether there are signs of one: its driver's device file, or its tool (on every system)."""
    return os.path.exists("/dev/nvidia0") or shutil.which("nvidia-smi") is not None


def share_gpus():
    """Take memory of a GPU as it is needed, not most of it at the start, so that others fit too.

    JAX is told by a variable of the environment (XLA_PYTHON_CLIENT_PREALLOCATE), see start_keras.
    """
    if keras.backend.backend() != "tensorflow":
        return
    import tensorflow as tf

    for gpu in tf.config.list_physical_devices("GPU"):
        with contextlib.suppress(RuntimeError):  # a script has computed there: it is as it is
            tf.config.experimental.set_memory_growth(gpu, True)


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

    run = _by_itself(lambda *inputs: model(_one_or_all(inputs), training=False))
    # with XLA where Keras itself would: on a GPU, and one alone
    compiled = tf.function(run, jit_compile=model.jit_compile or None)

    def on_one(*inputs):
        outputs = compiled(*map(tf.convert_to_tensor, inputs))
        return keras.tree.map_structure(lambda output: output.numpy(), outputs)

    strategy = tf.distribute.get_strategy()
    run_on_each = tf.function(_by_itself(lambda *inputs: strategy.run(run, args=inputs)))

    def on_each(*inputs):
        parts = [np.split(np.asarray(rows), strategy.num_replicas_in_sync) for rows in inputs]
        given = [
            strategy.experimental_distribute_values_from_function(
                lambda context, part=part: tf.convert_to_tensor(
                    part[context.replica_id_in_sync_group]
                )
            )
            for part in parts
        ]
        outputs = strategy.experimental_local_results(run_on_each(*given))
        return keras.tree.map_structure(lambda *rows: np.concatenate(rows), *outputs)

    return on_each if tf.distribute.has_strategy() else on_one


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

    layouts = _layouts()

    def run(trainable, fixed, *inputs):
        return model.stateless_call(trainable, fixed, _one_or_all(inputs), training=False)[0]

    # of several processes each has all outputs
    compiled = jax.jit(run, out_shardings=layouts[1] if jax.process_count() > 1 else None)

    def call(*inputs):
        if layouts:
            inputs = [
                rows if is_joined(rows) else _placed(rows, len(rows), layouts) for rows in inputs
            ]
        return keras.tree.map_structure(np.asarray, compiled(*_values(model), *inputs))

    return call


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


def _in_equal_parts(forward):
    """A forward pass of any number of rows, of one that the devices in use divide.

    What is filled up with zeros is cut off again: outputs have a row for each row given.
    """
    count = devices_in_use()
    if count == 1:
        return forward

    def call(*inputs):
        rows = len(inputs[0])
        lacking = -rows % count
        if not lacking:
            return forward(*inputs)
        filled = [
            np.concatenate([given, np.zeros((lacking, *given.shape[1:]), given.dtype)])
            for given in map(np.asarray, inputs)
        ]
        return keras.tree.map_structure(lambda output: output[:rows], forward(*filled))

    return call


def _one_or_all(inputs):
    return inputs[0] if len(inputs) == 1 else list(inputs)


def _jax_key(seed):
    import jax

    return jax.random.fold_in(jax.random.key(seed[0]), seed[1])


def _jax_gpus():
    return _names([device for device in _jax_devices() if device.platform == "gpu"])


def _free_on_jax():
    import jax

    count = max(1, devices_in_use() // jax.process_count())  # of this process
    known = [device.memory_stats() or {} for device in jax.local_devices()[:count]]
    if not all("bytes_limit" in each for each in known):
        return None
    free = [each["bytes_limit"] - each["bytes_in_use"] for each in known]
    # another process may have some of the limit
    if (told := memory.free_on_gpu(count)) is not None:
        free += [told + each.get("pool_bytes", 0) - each["bytes_in_use"] for each in known]
    return max(0, min(free))


def _free_on_tensorflow():
    """What the driver tells as free, and what TensorFlow took and uses no more."""
    import tensorflow as tf

    free = memory.free_on_gpu(devices_in_use())
    if free is None:
        return None
    taken = tf.config.experimental.get_memory_info("GPU:0")
    return free + taken["peak"] - taken["current"]


def _tensorflow_gpus():
    import tensorflow as tf

    return _names(tf.config.list_physical_devices("GPU"))


def process_count():
    """How many processes train together: 1 but where models.machines has joined several."""
    return by_backend(lambda: 1, _jax_processes)()


def _jax_processes():
    import jax

    return jax.process_count()


def _jax_devices_here():
    import jax

    return jax.local_devices()


def _jax_devices():
    import jax

    return jax.devices()


def _tensorflow_devices():
    """Logical devices, each with the place in its list that its physical one has."""
    import tensorflow as tf

    return tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")


def _names(devices):
    """What each device is, as its maker calls it."""
    if keras.backend.backend() == "jax":
        return [device.device_kind for device in devices]
    import tensorflow as tf

    physical = tf.config.list_physical_devices("GPU")
    if not physical or devices[0].device_type != "GPU":
        return [device.name.rsplit("device:")[-1] for device in devices]
    details = map(tf.config.experimental.get_device_details, physical)
    return [detail.get("device_name", "unnamed") for detail in details][: len(devices)]


def _told(names):
    """Names in words, equal ones counted: `2 x NVIDIA H100`."""
    counts = collections.Counter(names)
    return ", ".join(name if n == 1 else f"{n} x {name}" for name, n in counts.items())


def _tensorflow_in_use():
    import tensorflow as tf

    return tf.distribute.get_strategy().num_replicas_in_sync


def _jax_in_use():
    in_use = keras.distribution.distribution()
    return 1 if in_use is None else in_use.num_model_replicas


def _mirror(devices):
    import tensorflow as tf

    strategy = tf.distribute.MirroredStrategy([device.name for device in devices])
    tf.distribute.experimental_set_strategy(strategy)


def _shard(devices):
    import jax

    # as many of every process, one process after another
    processes = range(jax.process_count())
    of_each = [[d for d in jax.devices() if d.process_index == process] for process in processes]
    used = [device for there in of_each for device in there[: len(devices)]]
    names = [f"{device.platform}:{device.id}" for device in used]
    keras.distribution.set_distribution(keras.distribution.DataParallel(devices=names))


class _Mirrored(keras.Model):
    """A classifier under TensorFlow's MirroredStrategy: exact for batches of any size.

    Keras's own step gives a part of a batch the weight of its rows among those of one replica,
    gives NaN where a replica has none, and asks replicas one by one whether float16 overflowed.
    Here every picture has a weight, by which losses and metrics are summed over all replicas.
    """

    def compile(self, optimizer, loss, metrics):
        """See `spread`."""
        super().compile(optimizer)
        self._loss_of = keras.losses.get(loss)
        self._accuracy, self._accuracy_of = _accuracy(metrics)

    def fit(self, *args, **settings):
        """keras.Model.fit, batch normalisation by the whole batch, other draws on each replica."""
        normalising = [la for la in self.layers if isinstance(la, keras.layers.BatchNormalization)]
        for layer in normalising:
            layer.synchronized = True
        self.distribute_strategy.run(self._draw_apart)
        try:
            return super().fit(*args, **settings)
        finally:
            for layer in normalising:  # a saved network is to be opened by every backend
                layer.synchronized = False

    def _maybe_symbolic_build(self, **_):
        """Nothing: all is built. Keras's own asks an iterator for more after its last batch."""

    def _draw_apart(self):
        """Give the replicas seeds of their own, which would draw the same; the first keeps its."""
        import tensorflow as tf

        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        for variable in self.non_trainable_variables:
            if variable.name == "seed_generator_state":
                variable.assign_add([replica * 7919, 0])

    def train_step(self, data):
        """One step of training on this replica's part of a batch."""
        import tensorflow as tf

        with tf.GradientTape() as tape:
            loss = self._measured(data, training=True)
            scaled = self.optimizer.scale_loss(loss)
        gradients = tape.gradient(scaled, self.trainable_weights)
        if isinstance(self.optimizer, keras.optimizers.LossScaleOptimizer):
            gradients = _finite_or_none(gradients)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_weights, strict=True))
        return self.get_metrics_result()

    def test_step(self, data):
        """One step of validation on this replica's part of a batch."""
        self._measured(data, training=False)
        return self.get_metrics_result()

    def _measured(self, data, training):
        """This replica's part of the mean loss of the batch; loss and accuracy are counted."""
        import tensorflow as tf

        inputs, labels, weights = data
        dtype = keras.config.floatx()
        shares, weights = tf.cast(weights[:, 0], dtype), tf.cast(weights[:, 1], dtype)
        outputs = self(inputs, training=training)
        losses = tf.cast(self._loss_of(labels, outputs), dtype) * weights
        added = tf.add_n([tf.cast(loss, dtype) for loss in self.losses] or [tf.zeros((), dtype)])
        self._loss_tracker.update_state(losses + added, shares)
        self._accuracy.update_state(self._accuracy_of(labels, outputs), shares)
        context = tf.distribute.get_replica_context()
        count = context.all_reduce(tf.distribute.ReduceOp.SUM, tf.reduce_sum(shares))
        return tf.reduce_sum((losses + added) * shares) / count


def _accuracy(metrics):
    """What counts the one metric of a network of `spread`, and its function."""
    (accuracy,) = metrics
    named = {"accuracy": keras.metrics.sparse_categorical_accuracy}
    return keras.metrics.Mean("accuracy"), named.get(accuracy, accuracy)


def _finite_or_none(gradients):
    """Gradients of which a replica makes none finite where one of another replica is not.

    Keras's LossScaleOptimizer asks only the first replica whether a step is to be left out.
    """
    import tensorflow as tf

    finite = tf.reduce_all(
        [tf.reduce_all(tf.math.is_finite(g)) for g in gradients if g is not None]
    )
    context = tf.distribute.get_replica_context()
    spoilt = context.all_reduce(tf.distribute.ReduceOp.SUM, tf.where(finite, 0.0, np.nan))
    return [g if g is None else g + tf.cast(spoilt, g.dtype) for g in gradients]


def _mirrored_batches(dataset, _):
    """Global batches cut for the replicas: (inputs, labels, (n, 2) shares and weights in the loss).

    A batch that they do not divide goes to each whole, and a picture has a share of 1 / replicas.
    """
    import tensorflow as tf

    strategy = tf.distribute.get_strategy()
    replicas = strategy.num_replicas_in_sync

    def cut(inputs, labels, weights=None):
        count = tf.shape(labels)[0]
        whole = tf.tile(tf.range(count)[None], [replicas, 1])
        divided = count % replicas == 0
        rows = tf.cond(divided, lambda: tf.reshape(tf.range(count), (replicas, -1)), lambda: whole)
        weights = tf.ones(count) if weights is None else tf.cast(weights, tf.float32)
        shares = tf.fill([count], tf.where(divided, 1.0, 1 / replicas))
        parts = (inputs, labels, tf.stack([shares, weights], axis=1))
        return tf.data.Dataset.from_tensor_slices(tuple(tf.gather(part, rows) for part in parts))

    return strategy.distribute_datasets_from_function(lambda _: dataset.flat_map(cut))


class _Sharded(keras.Model):
    """A classifier whose batches lie on several devices of JAX, and whose weights lie on each."""

    def compile(self, optimizer, loss, metrics):
        """See `spread`; Keras would make the variables of a metric in `fit`, on one device."""
        super().compile(optimizer, loss)
        self._accuracy, self._accuracy_of = _accuracy(metrics)

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        """The mean accuracy so far, and the mean loss."""
        self._accuracy.update_state(self._accuracy_of(y, y_pred))
        return self.get_metrics_result()

    def fit(self, *args, **settings):
        """keras.Model.fit for batches of _ShardedBatches.

        Keras itself would lay out every batch as it does the first, also a last one that the
        devices do not divide.
        """
        self._in_use = keras.distribution.distribution()
        with one_device():
            return super().fit(*args, **settings)

    def make_train_function(self, force=False):
        """Keras's own, for weights that are kept on every device."""
        with self._in_use.scope():
            super().make_train_function(force)

    def make_test_function(self, force=False):
        """Keras's own, for weights that are kept on every device."""
        with self._in_use.scope():
            super().make_test_function(force)


class _ShardedBatches(keras.utils.PyDataset):
    """Batches of a tf.data.Dataset, laid on the devices in use, one after another."""

    def __init__(self, dataset, rows):
        super().__init__()
        self._dataset, self._rows = dataset, rows
        self._layouts = _layouts()
        count = int(dataset.cardinality())
        self._count = count if count >= 0 else None

    @property
    def num_batches(self):
        """Of a pass; None for no end."""
        return self._count

    def __getitem__(self, number):
        if number == 0:
            self._batches = self._dataset.as_numpy_iterator()
        batch = next(self._batches)
        rows = self._rows[number % len(self._rows)] if self._rows else len(batch[0])
        return tuple(_placed(part, rows, self._layouts) for part in batch)


def _layouts():
    """How JAX lays rows on the devices in use: (divided among them, each has all, their number)."""
    import jax

    in_use = keras.distribution.distribution()
    if in_use is None:
        return None
    mesh = in_use.device_mesh.backend_mesh
    divided = jax.sharding.PartitionSpec(in_use.batch_dim_name)
    return (
        jax.sharding.NamedSharding(mesh, divided),
        jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec()),
        mesh.size,
    )


def is_joined(rows):
    """Whether rows are a batch over the devices of several processes already."""
    if keras.backend.backend() != "jax":
        return False
    import jax

    return isinstance(rows, jax.Array) and not rows.is_fully_addressable


def _placed(own, rows, layouts):
    """A batch of so many rows laid on the devices in use; this process has its own of them."""
    import jax

    divided, whole, count = layouts
    layout = divided if rows % count == 0 else whole
    return jax.make_array_from_process_local_data(layout, own, (rows, *own.shape[1:]))
