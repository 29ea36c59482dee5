"""Which device the Keras backend computes on."""

import os


def name():
    """The device that Keras computes on, e.g. `GPU NVIDIA H100 (jax)`, `CPU, 2 cores (jax)`."""
    import keras

    backend = keras.backend.backend()
    gpus = _jax_gpus() if backend == "jax" else _tensorflow_gpus()
    return f"GPU {', '.join(gpus)} ({backend})" if gpus else f"CPU, {cores()} cores ({backend})"


def cores():
    """Number of CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def free_memory():
    """Bytes of memory that a network may still use where Keras computes; None if not known."""
    import keras

    if keras.backend.backend() == "jax" and _jax_gpus():
        return _free_on_jax()
    if _tensorflow_gpus() and keras.backend.backend() == "tensorflow":
        return None  # TensorFlow tells what it took, not what is there
    try:
        with open("/proc/meminfo") as file:
            lines = dict(line.split(":") for line in file)
        return int(lines["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError):  # not Linux
        return None


def is_out_of_memory(error):
    """Whether an error of a backend says that memory did not suffice."""
    words = ("RESOURCE_EXHAUSTED", "ResourceExhausted", "out of memory", "OOM when allocating")
    text = f"{type(error).__name__}: {error}"
    return isinstance(error, MemoryError) or any(word in text for word in words)


def warning():
    """One line when a build that can use a GPU sees none, else None."""
    import keras
    import tensorflow as tf

    if keras.backend.backend() != "tensorflow" or not tf.test.is_built_with_cuda():
        return None
    if tf.config.list_physical_devices("GPU"):
        return None
    return (
        "WARNING: this TensorFlow can use a GPU but sees none; training runs on the CPU. "
        "On a machine with a GPU: pip install 'art-transfer[gpu]', and check nvidia-smi."
    )


def keep_pipeline_on_cpu():
    """Keep TensorFlow, which decodes pictures, off the GPU when another backend computes there."""
    import keras
    import tensorflow as tf

    if keras.backend.backend() != "tensorflow":
        tf.config.set_visible_devices([], "GPU")


def _jax_gpus():
    import jax

    return [d.device_kind for d in jax.devices() if d.platform == "gpu"]


def _free_on_jax():
    import jax

    known = jax.devices()[0].memory_stats() or {}
    return known["bytes_limit"] - known["bytes_in_use"] if "bytes_limit" in known else None


def _tensorflow_gpus():
    import tensorflow as tf

    found = tf.config.list_physical_devices("GPU")
    details = [tf.config.experimental.get_device_details(gpu) for gpu in found]
    return [detail.get("device_name", "unnamed") for detail in details]
