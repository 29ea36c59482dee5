"""What the command visualization.render computes: its job, and the images in batches."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

import models
from models import backend, graph
from models.errors import InputError
from transfer import folders
from transfer.pictures import find_files, read_all
from visualization import records
from visualization.optvis import maco, param
from visualization.optvis.render import render_channels

MOST = {"CPU": 8, "GPU": 64}  # images at a time: more is not faster (benchmarks: 8 on two cores)
# An optimized image's activations, their gradients and what the transforms keep, in activations
COPIES = 3
NETWORKS = 2  # of an Ascent, plain and with redirected gradients, each with weights of its own
SHARE = 0.5  # of the free memory
MOST_SEED = 2**31 - 1


@dataclass(frozen=True)
class Job:
    """What to render. identity: all that decides the images, but rounding (a dict)."""

    model: Any
    channels: list
    batch: int
    spectrum: Any  # of MACO, or None
    identity: dict

    @property
    def layer(self):
        return self.identity["layer"]

    @property
    def steps(self):
        return self.identity["steps"]

    def png_file(self, folder, channel):
        return records.png_file(folder, self.layer, channel)

    def json_file(self, folder, channel):
        return records.json_file(folder, self.layer, channel)


def _maco(job, batch):
    size = job.identity["size"]
    return maco.maco(size, batch=batch, spectrum=job.spectrum)


PARAMS = {
    "fft": lambda job, batch: param.image(job.identity["size"], batch=batch),
    "pixels": lambda job, batch: param.image(job.identity["size"], batch=batch, fft=False),
    "maco": _maco,
}


def job(arguments):
    """Open the model and check what the user asked for, before anything is computed.

    Args:
        arguments: the command's flags (visualization.render.flags).

    Raises:
        InputError: a model, layer, channel, size or number that cannot be used.
    """
    for name in ("steps", "size", "batch"):
        if getattr(arguments, name) is not None and getattr(arguments, name) < 1:
            raise InputError(f"--{name} is {getattr(arguments, name)}; it must be above 0")
    if not 0 <= arguments.seed <= MOST_SEED:
        raise InputError(f"--seed is {arguments.seed}; accepted: 0 to {MOST_SEED}")
    if arguments.spectrum and arguments.param != "maco":
        raise InputError("--spectrum is for --param maco")
    wanted = None if arguments.channels == "all" else numbers(arguments.channels)
    model = models.load(arguments.model).model
    graph.find_layer(model, arguments.layer)
    size = arguments.size
    network = graph.cut(model, [arguments.layer], (size, size), arguments.dtype)
    channels = _channels(wanted, network.output[arguments.layer].shape[-1], arguments.layer)
    source = arguments.model.partition(":")[2] or arguments.model
    spectrum = find_files(arguments.spectrum) if arguments.spectrum else None
    identity = {name: getattr(arguments, name) for name in ("model", "layer", "steps", "size")}
    identity |= {name: getattr(arguments, name) for name in ("dtype", "seed", "param")}
    identity |= {
        "weights_sha256": folders.sha256(source) if Path(source).is_file() else None,
        "channels": channels,
        "spectrum_sha256": spectrum and folders.sha256_of_all(spectrum),
    }
    magnitude = spectrum and maco.magnitude(_arrays(spectrum, size), size)
    batch = min(arguments.batch or _fitting(network, arguments.dtype), len(channels))
    return Job(model, channels, batch, magnitude, identity)


def numbers(text):
    """Read `52,60-63` into [52, 60, 61, 62, 63]; each number once, in the order given."""
    found = []
    for part in text.split(","):
        ends = re.fullmatch(r"\s*(\d{1,9})\s*(?:-\s*(\d{1,9})\s*)?", part)
        if not ends or int(ends[2] or ends[1]) < int(ends[1]):
            raise InputError(f"--channels {text!r}; accepted: e.g. 52,60-63, or all")
        if int(ends[2] or ends[1]) - int(ends[1]) > 100_000:
            raise InputError(f"--channels {text!r}; no layer has so many")
        found += range(int(ends[1]), int(ends[2] or ends[1]) + 1)
    return list(dict.fromkeys(found))


def _channels(wanted, count, layer):
    if wanted is None:
        return list(range(count))
    beyond = [channel for channel in wanted if channel >= count]
    if beyond:
        raise InputError(f"{layer} has no channel {beyond[0]}; accepted: 0 to {count - 1}")
    return wanted


def _fitting(network, dtype):
    """Images at a time that free memory holds: a power of 2."""
    most = MOST[backend.device_name()[:3]]
    free = backend.free_memory()
    if free is None:
        return most
    left = free * SHARE - NETWORKS * _weight_bytes(network, dtype)
    fits = max(1, int(left / (_activations(network) * COPIES * 4)))  # 4 bytes: float32
    return min(most, 1 << (fits.bit_length() - 1))


def _weight_bytes(network, dtype):
    return network.count_params() * (4 if dtype == "float32" else 2)


def _activations(network):
    """Numbers that a network's layers give for one image, those of networks inside it too."""
    return sum(map(_layer_activations, network.layers))


def _layer_activations(layer):
    if isinstance(layer, keras.Model) and getattr(layer, "inputs", None):
        return _activations(layer)
    tensors = keras.tree.flatten(layer.output)
    return sum(np.prod(tensor.shape[1:], dtype=float) for tensor in tensors)


def _arrays(files, size):
    return (array / 255.0 for _, array in read_all(files, size))


def rendered(job, channels, progress):
    """Yield Rendered for each channel; half as many at a time where memory runs out."""
    left, batch = list(channels), job.batch
    while left:
        images = PARAMS[job.identity["param"]](job, batch)
        progress.begin(batch)
        try:
            for found in render_channels(
                job.model,
                job.layer,
                left,
                job.steps,
                dtype=job.identity["dtype"],
                seed=job.identity["seed"],
                param_f=lambda images=images: images,
                callbacks=[progress],
            ):
                yield found
                left.remove(found.channel)
        except Exception as error:
            if not backend.is_out_of_memory(error) or batch == 1:
                raise
            batch //= 2
            progress.say(f"out of memory: going on with {batch} images at a time")
