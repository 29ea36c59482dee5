"""What the command visualization.render does with arrays: its job, batches, records of scores."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models import device, layers, loading
from models.errors import InputError
from transfer import folders
from visualization import sources
from visualization.optvis import cut, maco, param
from visualization.optvis.render import channel_scores, render_channels

MOST = {"CPU": 8, "GPU": 64}  # images at a time: more is not faster (benchmarks: 8 on two cores)
# An optimized image's activations, their gradients and what the transforms keep, in activations
COPIES = 3
SHARE = 0.5  # of the free memory


@dataclass(frozen=True)
class Job:
    """What to render. identity: all that decides the images (a dict for the manifest)."""

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
        return folder / f"{folders.safe_name(self.layer)}_{channel:04d}.png"

    def json_file(self, folder, channel):
        return self.png_file(folder, channel).with_suffix(".json")


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
    if arguments.seed < 0:
        raise InputError(f"--seed is {arguments.seed}; it must be 0 or more")
    if arguments.spectrum and arguments.param != "maco":
        raise InputError("--spectrum is for --param maco")
    wanted = None if arguments.channels == "all" else numbers(arguments.channels)
    model = loading.load(arguments.model).model
    layers.find_layer(model, arguments.layer)
    size = arguments.size
    network = cut.cut(model, [arguments.layer], (size, size), arguments.dtype)
    channels = _channels(wanted, network.output[arguments.layer].shape[-1], arguments.layer)
    source = arguments.model.partition(":")[2] or arguments.model
    spectrum = sources.found(arguments.spectrum) if arguments.spectrum else None
    identity = {name: getattr(arguments, name) for name in ("model", "layer", "steps", "size")}
    identity |= {name: getattr(arguments, name) for name in ("dtype", "seed", "param")}
    identity |= {
        "weights_sha256": folders.sha256(source) if Path(source).is_file() else None,
        "channels": channels,
        "spectrum": spectrum and [str(path) for path in spectrum],
    }
    magnitude = spectrum and maco.magnitude(_arrays(spectrum, size), size)
    batch = min(arguments.batch or _fitting(network), len(channels))
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


def _fitting(network):
    """Images at a time that free memory holds: a power of 2."""
    most = MOST[device.name()[:3]]
    free = device.free_memory()
    if free is None:
        return most
    values = sum(
        np.prod(output.shape[1:], dtype=float)
        for layer in network.layers
        for output in _outputs(layer)
    )
    fits = max(1, int(free * SHARE / (values * COPIES * 4)))  # 4 bytes: float32
    return min(most, 1 << (fits.bit_length() - 1))


def _outputs(layer):
    return layer.output if isinstance(layer.output, (list, tuple)) else [layer.output]


def _arrays(files, size):
    return (array.astype(np.uint8) for _, array in sources.read(files, size))


def best_pictures(job, files):
    """Highest score over pictures, and whose.

    Returns:
        dict channel -> (score, file name).
    """
    names, size = [], job.identity["size"]

    def pictures():
        for read, batch in sources.batches(files, size, MOST["CPU"]):
            names.extend(read)
            yield batch

    scores = channel_scores(job.model, job.layer, pictures(), size, job.identity["dtype"])
    best = scores.argmax(axis=0)
    return {c: (float(scores[best[c], c]), str(names[best[c]])) for c in job.channels}


def rendered(job, channels, progress):
    """Yield Rendered for each channel; half as many at a time where memory runs out."""
    left, batch = list(channels), job.batch
    while left:
        images = PARAMS[job.identity["param"]](job, batch)
        progress.batch = batch
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
            if not device.is_out_of_memory(error) or batch == 1:
                raise
            batch //= 2
            progress.say(f"out of memory: going on with {batch} images at a time")


def record(rendered, best):
    """A channel's scores as JSON holds them; best: what best_pictures gives, or None."""
    picture_score, picture = best[rendered.channel] if best else (None, None)
    return {
        "channel": rendered.channel,
        "score": _number(rendered.clean_score),
        "best_picture_score": _number(picture_score),
        "best_picture": picture,
        "not_finite_from_step": rendered.nan_step,
        "scores": [_number(score) for score in rendered.scores],
    }


def _number(value):
    """A float, or None for what JSON has no number for."""
    return float(value) if value is not None and np.isfinite(value) else None


def line(record):
    """A channel's result in one line."""
    text = f"channel {record['channel']}: score {_shown(record['score'])}"
    if record["best_picture"]:
        text += f", best picture {_shown(record['best_picture_score'])}"
    if record["not_finite_from_step"] is not None:
        text += f"; STOPPED: its score was no number from step {record['not_finite_from_step']} on"
    return text


def caption(record):
    """Channel and score for the contact sheet."""
    return f"{record['channel']}: {_shown(record['score'])}"


def _shown(value):
    return "none" if value is None else f"{value:.4g}"


def table(records):
    """The records without their steps, as CSV."""
    columns = [name for name in records[0] if name != "scores"]
    rows = [columns] + [[record[name] for name in columns] for record in records]
    quoted = [['"' + str(cell).replace('"', '""') + '"' for cell in row] for row in rows]
    return "".join(",".join(row).replace('"None"', "") + "\n" for row in quoted)


def summary(records):
    """How many images beat the best picture, and which do not."""
    judged = [r for r in records if r["best_picture_score"] is not None and r["score"] is not None]
    if not judged:
        return f"{len(records)} channels"
    failed = [r["channel"] for r in judged if r["score"] <= r["best_picture_score"]]
    text = f"{len(judged) - len(failed)} of {len(judged)} images beat the best picture"
    return text + (f"; not channels {', '.join(map(str, failed))}" if failed else "")
