"""Folders of optimized images, as visualization.render makes them: found, filled up, joined.

An image depends on its network, layer and channel, and on the ascent's settings, but not on the
channels that are made with it: so it may be taken from one folder into another, and a layer may be
made in parts (visualization.shards).
"""

import json
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path

from models import zoo
from models.errors import InputError
from transfer.result_folder import (
    MANIFEST,
    UNFINISHED,
    is_finished,
    named,
    read_json,
    unfinished,
    write_bytes,
    write_json,
)
from visualization import channel_images, shards
from visualization.channel_images import json_file, png_file

# of a folder's identity: what decides an image beside its channel, the settings first
SETTINGS = ("steps", "size", "dtype", "seed", "param")
DECIDING = (*SETTINGS, "layer", "model", "weights_sha256", "spectrum_sha256")
WORTH = "*.png"  # what an interrupted part goes on from


@dataclass(frozen=True)
class Held:
    """Images of a layer in a folder that is finished or not.

    identity: as its file says. digests: of a finished part (visualization.shards) name of a file ->
    its SHA-256; of other folders empty.
    """

    folder: Path
    identity: dict
    digests: dict = field(default_factory=dict)

    @property
    def layer(self):
        """Name of the layer."""
        return self.identity["layer"]

    @property
    def channels(self):
        """The channels that have an image, a set of int."""
        return set(filter(self.has, self.identity["channels"]))

    def has(self, channel):
        """Whether a channel that it was made for has an image."""
        return json_file(self.folder, self.layer, channel).exists()

    def read(self, path):
        """The bytes of a file of it; those of a part are whole, or an InputError says so."""
        if path.name in self.digests:
            return shards.read_whole(path, self.digests[path.name])
        return path.read_bytes()

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
                digests = made.get(shards.FILES, {}) if name == MANIFEST else {}
                found.append(Held(path.parent, identity, digests))
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
        held.check(_identity_of(job))
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
        if channel in held.identity["channels"] and held.has(channel):
            image = held.read(png_file(held.folder, held.layer, channel))
            write_bytes(png_file(folder, held.layer, channel), image)
            # the record last: a channel that has one is done
            write_bytes(record, held.read(json_file(held.folder, held.layer, channel)))
            return


# ---- parts


def usual_parts(settings):
    """How many parts there are by default: of about shards.CHANNELS_IN_PART channels."""
    job = channel_images.open_job(settings)
    return shards.usual_count(len(job.channels), shards.CHANNELS_IN_PART)


def channels_there(job, out):
    """The channels of a Job that have an image in the result, the unfinished one or a part: set.

    Raises:
        InputError: images of another run.
    """
    place = named(out)
    found = set()
    for held in [*_right_in(place), *_right_in(unfinished(place)), *_in_parts(place)]:
        held.check(_identity_of(job))
        found |= held.channels
    return found.intersection(job.channels)


def make_part(settings, out, shard, say=print):
    """Make one part of a result, to be joined with the others by `make`; or find it finished.

    Pictures are compared with when parts are joined.

    Args:
        settings: channel_images.Settings of the whole result.
        out: path of the whole result.
        shard: shards.Shard.
        say: called with lines of text.

    Raises:
        InputError: as channel_images.make; what lies there of another run; a network of random
            weights.
    """
    spec = zoo.parse(settings.model)
    if not (spec.file or spec.weights or spec.is_released):
        raise InputError(
            f"{settings.model} has random weights, others in every process, and its parts would be "
            f"of several networks; accepted: with weights, as {settings.model.split(':')[0]}:FILE"
        )
    job = channel_images.open_job(settings)
    if is_finished(out, job.identity):
        say(f"already finished: {out}")
        return
    block = channel_images.block_of(settings)
    own = shard.piece(len(job.channels), block)
    if not own:
        say(
            f"part {shard} has nothing to make: {len(job.channels)} channels, {block} at a time, "
            f"give fewer than {shard.count} parts; with a smaller batch there are more"
        )
        return
    part = replace(job, channels=[job.channels[place] for place in own])
    with shards.making(out, shard.name, part.identity, WORTH, say) as result:
        if result.finished:
            say(f"already finished: {result.final}")
            return
        _gather(part, [*_right_in(unfinished(named(out))), *_in_parts(out)], result.path)
        say(f"part {shard}: {len(own)} of {len(job.channels)} channels")
        channel_images.optimize(part, result.path, {}, say)
        result.about |= channel_images.made_by(job)
    say(f"part {shard} is in {result.final}")


def make(settings, out, say=print, joining=False):
    """Make a result as channel_images.make, from the parts of it that lie there.

    Processes that are making parts are waited for. Where the result is whole, its parts are
    removed.

    Args:
        settings, out, say: as for channel_images.make.
        joining: to make nothing that no part has, but to say which parts are missing.

    Raises:
        InputError: as channel_images.make; parts of another run; a part that is missing.
    """

    place = named(out)  # once: a folder that is worked in is gone when its result is whole

    def gather(job, folder):
        shards.settle(place, say)
        if not _is_gathered(job, place, folder, joining, say) and joining:
            raise InputError(shards.cannot_join(out, _missing(job, place, folder)))

    channel_images.make(settings, out, say, gather=gather)
    shards.remove(place)


def _is_gathered(job, out, folder, lagging, say):
    """Take what parts have; whether nothing is left. lagging: wait for what a disk may hold back.

    Says which parts are missing, where there are any.
    """

    def look():
        _gather(job, _in_parts(out), folder)
        return not channel_images.left_in(job, folder)

    if not shards.begun(out):
        return look()
    whole = shards.until(look, lambda: say(shards.WAITING)) if lagging else look()
    if not whole and not lagging and (lost := _missing(job, out, folder)):
        say(f"missing: {shards.told(lost)}; made here")
    return whole


def _missing(job, out, folder):
    left = {*channel_images.left_in(job, folder)}
    count, block = len(job.channels), channel_images.block_of(job.settings)
    return shards.missing(out, count, block, lambda place: job.channels[place] in left)


def _in_parts(out):
    """Held of the finished parts of a result."""
    return [held for held in find_held(shards.parts_folder(out)) if held.digests]


def _gather(job, sources, folder):
    """Copy the images of a Job's channels from Held of its settings; InputError for another's."""
    for held in sources:
        held.check(_identity_of(job))
    for channel in job.channels:
        _take(channel, sources, folder)


def _identity_of(job):
    """The identity of a Job as a file holds it."""
    return json.loads(json.dumps(job.identity, default=str))
