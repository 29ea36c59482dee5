"""Folders of optimized images, as visualization.render makes them: found, and filled up.

An image depends on its network, layer and channel, and on the ascent's settings, but not on the
channels that are made with it: so it may be taken from one folder into another.
"""

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from models.errors import InputError
from transfer.result_folder import (
    MANIFEST,
    UNFINISHED,
    read_json,
    unfinished,
    write_bytes,
    write_json,
)
from visualization import channel_images
from visualization.channel_images import json_file, png_file

# of a folder's identity: what decides an image beside its layer and channel, the settings first
SETTINGS = ("steps", "size", "dtype", "seed", "param")
DECIDING = (*SETTINGS, "model", "weights_sha256", "spectrum_sha256")


@dataclass(frozen=True)
class Held:
    """Images of a layer in a folder that is finished or not; identity: as its file says."""

    folder: Path
    identity: dict

    @property
    def layer(self):
        """Name of the layer."""
        return self.identity["layer"]

    @property
    def channels(self):
        """The channels that have an image, a set of int."""
        numbers = set(self.identity["channels"])
        return {c for c in numbers if json_file(self.folder, self.layer, c).exists()}

    def check(self, identity):
        """Refuse images that were made otherwise than an identity says, as far as it says it.

        Raises:
            InputError: naming what differs.
        """
        names = [name for name in DECIDING if name in identity]
        other = [name for name in names if self.identity.get(name) != identity[name]]
        if other:
            told = [f"{n} {self.identity.get(n)!r} (here {identity[n]!r})" for n in other]
            raise InputError(
                f"{self.folder} holds images made with {', '.join(told)}; accepted: images of the "
                "same network and settings, or none there"
            )


def find_held(folder):
    """Find folders of images at or below a folder: list of Held, the finished ones first."""
    found = []
    for name in (MANIFEST, UNFINISHED):
        for path in sorted(Path(folder).rglob(name)):
            made = read_json(path)
            identity = made.get("identity", made) if isinstance(made, dict) else {}
            if {"layer", "channels", "steps", "size"} <= identity.keys():
                found.append(Held(path.parent, identity))
    return found


def fill(layers, model, given=(), say=print):
    """Make the images that folders of layers lack, and take those that lie in others.

    What a folder holds beside the channels asked for stays in it. Interrupted, the same call goes
    on. Layers next to each other whose images fit into one batch share a compiled step: a step is
    compiled for the time of some hundred steps of one image, and an image takes the same way in it.

    Args:
        layers: list of (channel_images.Settings, with the channels that are asked for; Path of the
            folder, as channel_images.make writes it), from the first layer on, which differ in
            layer and channels only.
        model: keras.Model that the settings name.
        given: Held that images are taken from, of any layers.
        say: called with lines of text.

    Raises:
        InputError: images of a layer that another network or other settings made.
    """
    jobs = []
    for settings, out in layers:
        job = _begun(settings, model, out, given)
        if job is not None:
            jobs.append((job, out))
    for group in _batches(jobs):
        if len(group) > 1:
            channel_images.optimize_together(group, say)
    for job, out in jobs:
        channel_images.make(job.settings, out, say, model)


def _batches(jobs):
    """Runs of (Job, unfinished folder) whose images fit into a batch; a larger one is alone."""
    from visualization.optvis import render

    groups, room = [], 0
    for job, out in jobs:
        count = len(channel_images.left_in(job, unfinished(out)))
        if count > room:
            groups.append([])
            room = job.settings.batch or render.most_at_a_time()
        if count:
            groups[-1].append((job, unfinished(out)))
            room -= count
    return groups


def _begun(settings, model, out, given):
    """The Job of a folder, with what others hold in its unfinished one; None where all is there."""
    own = [held for place in (out, unfinished(out)) for held in _right_in(place)]
    channels = set(settings.channels).union(*(held.channels for held in own))
    settings = replace(settings, channels=tuple(sorted(channels)))
    job = channel_images.open_job(settings, model)
    sources = [*own, *(held for held in given if held.layer == settings.layer)]
    for held in sources:
        held.check(json.loads(json.dumps(job.identity, default=str)))
    if any(held.folder == out and held.channels >= channels for held in own):
        return None
    partial = unfinished(out)
    partial.mkdir(parents=True, exist_ok=True)
    for channel in settings.channels:
        _take(channel, sources, partial)
    write_json(partial / UNFINISHED, job.identity)
    if out.exists():  # all that it held lies in the unfinished one
        shutil.rmtree(out)
    return job


def _right_in(folder):
    return [held for held in find_held(folder) if held.folder == folder]


def _take(channel, sources, folder):
    """Copy a channel's image and record into a folder that lacks them, from the first that has."""
    for held in sources:
        record = json_file(folder, held.layer, channel)
        if record.exists():
            return
        if channel in held.channels:
            image = png_file(held.folder, held.layer, channel).read_bytes()
            write_bytes(png_file(folder, held.layer, channel), image)
            # the record last: a channel that has one is done
            write_bytes(record, json_file(held.folder, held.layer, channel).read_bytes())
            return
