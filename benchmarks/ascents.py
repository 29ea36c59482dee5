"""One ascent of optimized images as a side of a benchmark, and how long all channels take."""

import contextlib
from pathlib import Path

import keras

from benchmarks import compare
from models import backend
from visualization.optvis import objectives, param, transform
from visualization.optvis.ascent import Ascent

FULL_SIZE, FULL_STEPS = 224, 2048  # Gonthier et al. 2020


def has_bfloat16():
    """Whether the device computes in bfloat16: a GPU, or a processor that says so."""
    if backend.device_name().startswith("GPU"):
        return True
    with contextlib.suppress(OSError):
        flags = Path("/proc/cpuinfo").read_text().split()
        return "avx512_bf16" in flags or "amx_bf16" in flags
    return False


def ours(model, layer, size, batch, steps, dtype):
    """Make run(steps) of render_channels' ascent, the first `batch` channels of a layer."""
    ascent = Ascent(
        model,
        objectives.each_channel(layer),
        param.image(size, batch=batch),
        steps,
        transform.compose(transform.standard_transforms),
        dtype=dtype,
    )

    def run(steps):
        ascent.restart([(0, channel) for channel in range(batch)], list(range(batch)))
        ascent.advance(steps)
        ascent.scores()

    return run


def speed(run, batch, steps):
    """Turn run(steps) into a side: image-steps a second."""
    seconds = compare.timed(lambda: run(steps))
    return lambda: batch * steps / seconds()


def all_channels(model):
    """Channels of all convolutions: those of `mixed*_pre_relu` are its four branches'."""
    return sum(layer.filters for layer in model.layers if isinstance(layer, keras.layers.Conv2D))
