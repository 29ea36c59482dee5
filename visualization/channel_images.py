"""Optimized images of a layer's channels in a result folder: settings, images, records, sheets.

Source: Olah et al. 2017, "Feature Visualization"; Gonthier et al. 2020 (steps and size).

Keras is imported where images are made, so that settings are checked, and finished folders read,
without it.
"""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from models import memory, weights, zoo
from models.errors import InputError
from transfer.pictures import find_files, read_all
from transfer.result_folder import (
    MANIFEST,
    check_writable,
    read_json,
    result_folder,
    safe_name,
    sha256_of_all,
    write_bytes,
    write_csv,
    write_json,
)

PRECISIONS = ("float32", "bfloat16", "float16")  # of cut
PARAMS = ("fft", "pixels", "maco")  # ways to store an image: param.image and maco.maco
# Bytes of a pixel of one image at the least, all else that an ascent keeps left out: 3 channels in
# float32 of the image, its gradient, Adam's two moments, and the transformed image
LEAST_BYTES = 5 * 3 * 4
MOST_SEED = 2**31 - 1
KINDS = {".png": "PNG", ".jpg": "JPEG"}  # of contact sheets, by the ending of their name


@dataclass(frozen=True)
class Settings:
    """What to make images of, and how.

    Args:
        model: as models.load takes it. layer: as models.graph.find_layer takes it.
        channels: numbers, or None for all.
        steps: of ascent. size: side of the images in pixels. dtype: one of PRECISIONS.
        seed: int from 0 to MOST_SEED. param: one of PARAMS.
        spectrum: picture files and folders whose mean magnitude MACO's images have.
        pictures: picture files and folders to compare scores with.
        batch: images at a time; None for what memory holds.

    Raises:
        InputError: a number or name that cannot be used.
    """

    model: str
    layer: str
    channels: tuple | None = None
    steps: int = 2048
    size: int = 224
    dtype: str = "float32"
    seed: int = 0
    param: str = "fft"
    spectrum: tuple = ()
    pictures: tuple = ()
    batch: int | None = None

    def __post_init__(self):
        for name in ("steps", "size", "batch"):
            number = getattr(self, name)
            if number is not None and number < 1:
                raise InputError(f"{name} is {number}; it must be above 0")
        if not 0 <= self.seed <= MOST_SEED:
            raise InputError(f"seed is {self.seed}; accepted: 0 to {MOST_SEED}")
        for name, accepted in (("param", PARAMS), ("dtype", PRECISIONS)):
            if getattr(self, name) not in accepted:
                names = ", ".join(accepted)
                raise InputError(f"{name} is {getattr(self, name)!r}; accepted: {names}")
        if self.spectrum and self.param != "maco":
            raise InputError("spectrum is for param maco")
        zoo.parse(self.model)

    @property
    def weights_file(self):
        """The path of the file that holds the network's weights, or None where none was named."""
        spec = zoo.parse(self.model)
        named = not spec.is_released and isinstance(weights.check_source(spec.weights), Path)
        return spec.weights if named else None


@dataclass(frozen=True)
class Record:
    """A channel's scores, as its JSON file holds them.

    score: of the image at the end; None where it is not finite. best_picture_score, best_picture:
    highest score over the pictures compared with, and its file; None without. scores: at every
    step. not_finite_from_step: first step with a score that is not finite, or None.
    """

    channel: int
    score: float | None
    best_picture_score: float | None
    best_picture: str | None
    not_finite_from_step: int | None
    scores: tuple

    @property
    def stopped(self):
        return self.not_finite_from_step is not None

    @property
    def is_compared(self):
        return self.best_picture_score is not None

    @property
    def beats_pictures(self):
        return self.score is not None and self.score > self.best_picture_score

    @property
    def line(self):
        """The channel's result in one line."""
        text = f"channel {self.channel}: score {_shown(self.score)}"
        if self.is_compared:
            text += f", best picture {_shown(self.best_picture_score)}"
        if self.stopped:
            text += f"; STOPPED: its score was no number from step {self.not_finite_from_step} on"
        return text

    @property
    def caption(self):
        """Channel, score and the best picture's for the contact sheet."""
        picture = f" (picture {_shown(self.best_picture_score)})" if self.is_compared else ""
        return f"{self.channel}: {_shown(self.score)}{picture}"


@dataclass(frozen=True)
class Job:
    """Settings with what they name opened.

    model: keras.Model. channels: list of int. batch: images at a time. magnitude: of MACO's
    spectrum, or None. weights_sha256: of the weights of a network that a file holds, else None.
    spectrum_sha256: of the spectrum's pictures, or None.
    """

    settings: Settings
    model: Any
    channels: list
    batch: int
    magnitude: Any
    weights_sha256: str | None
    spectrum_sha256: str | None

    @property
    def identity(self):
        """All that decides the images, but rounding, as the manifest holds it.

        `model` names no file: a network in a file is what `weights_sha256` says, and `weights`,
        the file's path, tells only where it lay (transfer.result_folder).
        """
        settings, file = self.settings, self.settings.weights_file
        spec = zoo.parse(settings.model)
        named = spec.name and spec.architecture if file else settings.model
        names = ("layer", "steps", "size", "dtype", "seed", "param")
        return {
            "model": named or None,  # a saved network has no name
            **{name: getattr(settings, name) for name in names},
            **({"weights": file} if file else {}),
            "weights_sha256": self.weights_sha256,
            "channels": self.channels,
            "spectrum_sha256": self.spectrum_sha256,
        }


def check(settings, out):
    """Refuse what can be known to be wrong without Keras: files, a layer, a place, a size.

    Args:
        settings, out: as for make.

    Raises:
        InputError: naming it.
    """
    spec = zoo.parse(settings.model)
    if not spec.is_released:
        weights.check_source(spec.file or spec.weights)
    if spec.file:
        weights.check_layer(spec.file, settings.layer)
    for given in (settings.pictures, settings.spectrum):
        if given:
            find_files(given, lambda line: None)  # told when they are read
    check_writable(out)
    free, batch = memory.free(), settings.batch or 1
    if free is not None and batch * settings.size**2 * LEAST_BYTES > free:
        raise InputError(_too_large(settings, free, LEAST_BYTES * settings.size**2))


def _too_large(settings, free, each):
    """What is wrong with a size or batch, and what would do; each: bytes of one image."""
    count = settings.batch or 1
    least = int(settings.size * (free / each) ** 0.5)
    fitting = f"size up to about {least}" if each > free else f"batch up to {int(free // each)}"
    images = "an image" if count == 1 else f"{count} images"
    return (
        f"size is {settings.size}: {images} of {settings.size} x {settings.size} pixels "
        f"take{'s' * (count == 1)} at least {memory.shown(count * each)} of memory, of which "
        f"{memory.shown(free)} are free; accepted here: {fitting}"
    )


def make(settings, out, say=print, model=None, gather=None):
    """Optimize the images that are not there yet and write the folder, or find it finished.

    Args:
        settings: Settings.
        out: path of the result folder.
        say: called with lines of text.
        model: keras.Model that settings.model names, where it is open.
        gather: function (Job, Path of the unfinished folder), called before anything is computed,
            that puts images there which were made elsewhere; None for none.

    Raises:
        InputError: settings that cannot be used, before anything is computed; another result.
    """
    from visualization import activations

    files = find_files(settings.pictures) if settings.pictures else []
    digest = sha256_of_all(files)
    job = open_job(settings, model)
    with result_folder(out, job.identity, worth="*.png", say=say) as result:
        before = (result.about.get("pictures") or {}).get("sha256")
        if result.finished and (not files or digest == before):
            say(f"already finished: {out}")
            return
        if gather and not result.finished:
            gather(job, result.path)
        best = {}
        if files:
            say(f"scoring {len(files)} pictures")
            layer, size, dtype = settings.layer, settings.size, settings.dtype
            best = activations.best_pictures(
                job.model, layer, job.channels, files, size, dtype, say
            )
        if result.finished:
            say("the images are finished: comparing them with these pictures, no new ascent")
            result.reopen()
        optimize(job, result.path, best, say)
        _finish(job, result, best, say)
        paths = list(map(str, settings.pictures))
        about = {"paths": paths, "count": len(files), "sha256": digest}
        result.about["pictures"] = about if files else None
    say(f"results in {out}")


def open_job(settings, model=None):
    """Open the model and check the settings against it, before anything is computed.

    Args:
        settings: Settings.
        model: keras.Model that settings.model names, where it is open.

    Raises:
        InputError: a model, layer, channel, size or spectrum that cannot be used.
    """
    from models import network
    from visualization.optvis import maco

    model, size = model or network.load(settings.model).model, settings.size
    channels, batch = _fitted(settings, model)
    magnitude = digest = None
    if settings.spectrum:
        files = find_files(settings.spectrum)
        digest = sha256_of_all(files)
        arrays = (array / 255.0 for _, array in read_all(files, size))
        magnitude = maco.magnitude(arrays, size)
    fingerprint = weights.fingerprint(model) if settings.weights_file else None
    return Job(settings, model, channels, batch, magnitude, fingerprint, digest)


def _fitted(settings, model):
    """Which channels of a network are meant, and how many images memory holds at a time.

    Raises:
        InputError: a layer, channel, size or batch that cannot be used.
    """
    from models import backend
    from models.graph import cut
    from visualization.optvis import render

    layer, size, dtype = settings.layer, settings.size, settings.dtype
    part = cut(model, [layer], (size, size), dtype)
    channels = _existing(settings.channels, part.output[layer].shape[-1], layer)
    needed = render.least_bytes(part)
    free = backend.free_memory()
    if free is not None and (settings.batch or 1) * needed > free:
        raise InputError(_too_large(settings, free, needed))
    batch = settings.batch or render.images_at_a_time(part, dtype)
    return channels, min(batch, len(channels))


def _existing(channels, count, layer):
    if channels is None:
        return list(range(count))
    beyond = [channel for channel in channels if channel >= count]
    if beyond:
        raise InputError(f"{layer} has no channel {beyond[0]}; accepted: 0 to {count - 1}")
    return list(channels)


def block_of(settings):
    """Images after which a run in one piece begins a new batch: where it may be cut into parts.

    Where memory holds fewer at a time, these are a half, a quarter, ... of it.
    """
    from visualization.optvis import render

    return settings.batch or render.most_at_a_time()


def left_in(job, folder):
    """The channels of a Job that have no image in a folder yet, a list."""
    layer = job.settings.layer
    return [c for c in job.channels if not json_file(folder, layer, c).exists()]


def optimize(job, folder, best, say=print):
    """Write a PNG and a JSON for each channel of a Job that has none yet.

    Args:
        job: Job.
        folder: Path of the unfinished folder.
        best: channel -> activations.BestPicture, as far as there is one.
        say: called with lines of text.
    """
    from transfer.progress import Progress

    left = left_in(job, folder)
    if len(left) < len(job.channels):
        say(f"going on: {len(job.channels) - len(left)} of {len(job.channels)} channels are done")
    progress = Progress(len(left), steps=job.settings.steps)
    for rendered in _rendered(job, job.settings.layer, left, progress):
        _write(rendered, folder, best.get(rendered.channel), progress)


def optimize_together(jobs, say=print):
    """Write what each of several layers lacks, all of them by one compiled step.

    The images are those that `make` makes of each layer by itself, which finds them there.

    Args:
        jobs: pairs of a Job and its unfinished folder, which differ in layer and channels only.
        say: called with lines of text.
    """
    from models.graph import cut
    from transfer.progress import Progress
    from visualization.optvis import render

    (first, _), out, pairs = jobs[0], {}, []
    for job, folder in jobs:
        out[job.settings.layer] = folder
        pairs += [(job.settings.layer, channel) for channel in left_in(job, folder)]
    size, dtype = first.settings.size, first.settings.dtype
    part = cut(first.model, list(out), (size, size), dtype)
    batch = min(first.settings.batch or render.images_at_a_time(part, dtype), len(pairs))
    say(f"{len(pairs)} channels of {len(out)} layers at once: {', '.join(out)}")
    progress = Progress(len(pairs), steps=first.settings.steps)
    for rendered in _rendered(replace(first, batch=batch), tuple(out), pairs, progress):
        _write(rendered, out[rendered.layer], None, progress)


def _write(rendered, folder, best, progress):
    """Write the PNG and the JSON of a channel."""
    from visualization import figures

    # the JSON last: a channel that has one is done
    layer, channel = rendered.layer, rendered.channel
    write_bytes(png_file(folder, layer, channel), figures.png(rendered.image))
    record = _record(rendered, best)
    write_json(json_file(folder, layer, channel), asdict(record))
    progress.done(record.line)


def _rendered(job, layer, wanted, progress):
    """Yield Rendered for each channel; half as many at a time where memory runs out.

    layer, wanted: as optvis.render.render_channels takes them.
    """
    from models import backend
    from visualization.optvis import render

    left, batch = list(wanted), job.batch
    while left:
        image = start_image(job, batch)
        progress.begin(batch)
        try:
            for rendered in render.render_channels(
                job.model,
                layer,
                list(left),
                job.settings.steps,
                dtype=job.settings.dtype,
                seed=job.settings.seed,
                param_f=lambda image=image: image,
                callbacks=[progress.keras_callback()],
            ):
                yield rendered
                del left[0]
        except Exception as error:
            if not backend.is_out_of_memory(error) or batch == 1:
                raise
            batch //= 2
            progress.say(f"out of memory: going on with {batch} images at a time")


def start_image(job, batch):
    """The layer of `batch` images of a Job."""
    from visualization.optvis import maco, param

    size, kind = job.settings.size, job.settings.param
    if kind == "maco":
        return maco.maco(size, batch=batch, spectrum=job.magnitude)
    return param.image(size, batch=batch, fft=kind == "fft")


def _finish(job, result, best, say):
    """Compare every channel with the same pictures; write contact sheet, scores and manifest."""
    from transfer import plots

    layer, records = job.settings.layer, []
    for channel in job.channels:
        file = json_file(result.path, layer, channel)
        before = read_record(file)
        records.append(_compared(before, best.get(channel)))
        if records[-1] != before:  # made before an interruption, with other pictures or none
            write_json(file, asdict(records[-1]))
    tiles = [(png_file(result.path, layer, r.channel), r.caption) for r in records]
    write_bytes(result.path / "contact_sheet.png", plots.contact_sheet(tiles))
    write_csv(result.path / "scores.csv", table(records))
    # of finished images that are compared anew, the manifest goes on to say how they were made
    if not (result.path / MANIFEST).exists():
        result.about |= made_by(job)
    say(summary(records))


def made_by(job):
    """What a manifest says of how images were made: device and batch."""
    from models import backend

    return {"device": backend.device_name(), "batch": job.batch}


def png_file(folder, layer, channel):
    """Where a channel's image lies in a result folder."""
    return folder / f"{safe_name(layer)}_{channel:04d}.png"


def json_file(folder, layer, channel):
    """Where a channel's record lies in a result folder."""
    return png_file(folder, layer, channel).with_suffix(".json")


def _record(rendered, best):
    """Record of a channel; rendered: optvis.render.Rendered, best: BestPicture or None."""
    score, scores = _number(rendered.clean_score), tuple(map(_number, rendered.scores))
    record = Record(rendered.channel, score, None, None, rendered.nan_step, scores)
    return _compared(record, best)


def read_record(file):
    """The Record in a channel's JSON file."""
    record = read_json(file)
    return Record(**record | {"scores": tuple(record["scores"])})


def _compared(record, best):
    """The record with a channel's best picture; best: BestPicture or None."""
    score, file = (best.score, best.file) if best else (None, None)
    return replace(record, best_picture_score=score, best_picture=file)


def _number(value):
    """A float, or None for what JSON has no number for."""
    return float(value) if value is not None and np.isfinite(value) else None


def _shown(value):
    return "none" if value is None else f"{value:.4g}"


def table(records):
    """The records without their steps: pandas.DataFrame, a row a channel."""
    import pandas

    frame = pandas.DataFrame([asdict(record) for record in records]).drop(columns="scores")
    return frame.astype({"not_finite_from_step": "Int64"})


def summary(records):
    """Say how many images beat the best picture, which do not, and which stopped."""
    stopped = [r.channel for r in records if r.stopped]
    judged = [r for r in records if r.is_compared and not r.stopped]
    failed = [r.channel for r in judged if not r.beats_pictures]
    alone = [r.channel for r in records if not r.is_compared and not r.stopped]
    if any(r.is_compared for r in records):
        count = len(judged) + len(stopped)
        text = f"{len(judged) - len(failed)} of {count} images beat the best picture"
        text += _listed("not", failed) + _listed("no picture has a score at", alone)
    else:
        text = f"{len(records)} channels"
    return text + _listed(f"{len(stopped)} stopped:", stopped)


def _listed(what, channels):
    names = f"channel{'s' * (len(channels) > 1)} {', '.join(map(str, channels))}"
    return f"; {what} {names}" if channels else ""


def write_sheet(folders, out, columns=None):
    """Write one contact sheet of several result folders, in their order.

    Args:
        folders: list of Path.
        out: Path of the picture, which ends in one of KINDS.
        columns: tiles in a row; None for about a square.

    Returns:
        Number of images on it.

    Raises:
        InputError: another ending, columns below 1, or a folder that holds something else.
    """
    kind = KINDS.get(out.suffix.lower())
    if not kind:
        raise InputError(f"out is {out}; accepted: a name that ends in {' or '.join(KINDS)}")
    if columns is not None and columns < 1:
        raise InputError(f"columns is {columns}; it must be above 0")
    check_writable(out)
    tiles = [tile for folder in folders for tile in _tiles(folder)]
    from transfer import plots

    write_bytes(out, plots.contact_sheet(tiles, columns, kind))
    return len(tiles)


def _tiles(folder):
    """(path of the image, text under it) of every channel of a result folder."""
    manifest = folder / MANIFEST
    identity = read_json(manifest).get("identity", {}) if manifest.exists() else {}
    if not {"layer", "channels"} <= identity.keys():
        raise InputError(f"{folder} holds no results of visualization.render")
    layer = identity["layer"]
    return [
        (png_file(folder, layer, channel), f"{layer}:{channel}")
        for channel in sorted(identity["channels"])
    ]
