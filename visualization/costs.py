"""What images and comparisons take: channels, pictures, steps, memory, and time by a few steps.

Nothing is written. The time is that of the device on which this runs, of networks alone: reading
pictures and writing files are not in it.
"""

import math

import numpy as np

from models import backend, memory
from models.graph import cut
from transfer.pictures import find_files
from transfer.result_folder import named, unfinished
from transfer.step_seconds import STEPS, measure, shown
from visualization import (
    activations,
    change_images,
    differences,
    picture_list,
    picture_pass,
    shards,
)
from visualization.channel_images import open_job, start_image
from visualization.image_folders import channels_there
from visualization.optvis import render


def of_images(settings, out, say=print, devices=1):
    """Tell what optimized images of a layer's channels would take.

    Args:
        settings: channel_images.Settings.
        out: path of the result.
        say: called with lines of text.
        devices: that would compute parts of it at the same time.

    Raises:
        InputError: as channel_images.make, before anything is measured.
    """
    job = open_job(settings)
    layer, size, dtype = settings.layer, settings.size, settings.dtype
    files = find_files(settings.pictures) if settings.pictures else []
    left = len(job.channels) - len(channels_there(job, out))
    say(f"channels: {len(job.channels)} of {layer}, of which {left} have no image yet")
    say(f"steps: {settings.steps} of {job.batch} images of {size} x {size} pixels at a time")
    if files:
        say(f"pictures: {len(files)} to compare with")
    network = cut(job.model, [layer], (size, size), dtype)
    _tell_memory(render.needed_bytes(network, dtype, job.batch), say)
    say(f"measuring {STEPS} steps")
    step = measure(render.one_step(job.model, layer, start_image(job, job.batch), dtype))
    batches = math.ceil(math.ceil(left / job.batch) / devices)
    took = batches * settings.steps * step
    together = f" on {devices} devices together" if devices > 1 else ""
    say(f"time: about {shown(took)}{together}, {step:.3g} s a step")
    if files:
        scorer = activations.channel_scorer(job.model, layer, size, dtype)
        black = np.zeros((activations.AT_A_TIME, size, size, 3), "float32")
        each = measure(lambda: scorer(black)) / activations.AT_A_TIME
        say(f"pictures: about {shown(len(files) * each)}, {each:.3g} s each, without reading them")
    count = shards.usual_count(len(job.channels), shards.CHANNELS_IN_PART)
    of_part = math.ceil(math.ceil(len(job.channels) / count) / job.batch) * settings.steps * step
    say(f"parts: {count} by default, about {shown(of_part)} each")


def _tell_memory(needed, say):
    free = backend.free_memory()
    told = "" if free is None else f"; {memory.shown(free)} are free"
    say(f"memory: about {memory.shown(needed)} beside what Keras takes{told}")


def of_comparison(comparison, out, say=print):
    """Tell what a comparison would take.

    Args:
        comparison: differences.Comparison.
        out: path of the result.
        say: called with lines of text.

    Raises:
        InputError: as differences.compare, before anything is measured.
    """
    compared = differences.open_compared(comparison, say)
    counted, told = _pictures(comparison, named(out), say)
    batch = min(comparison.batch_size, counted) or 1
    for key, names in compared.scored.items():
        trunk = cut(compared.models[key], list(names), (compared.size, compared.size))
        channels = sum(trunk.output[name].shape[-1] for name in names)
        say(f"{compared.names[key]}: {len(names)} convolutions, {channels} channels")
    size, pictures = compared.size, counted
    say(f"pictures: {told}, {size} x {size} pixels, {batch} at a time")
    _tell_memory(_pass_bytes(compared, batch), say)
    if any((place / differences.SCORES / activations.SCORES).exists() for place in _places(out)):
        say("the pass of the pictures is done")
    else:
        say(f"measuring {STEPS} steps")
        given = (compared.networks, compared.scored, size, comparison.statistic, batch)
        each = measure(activations.one_step(*given)) / batch
        say(f"pass: at most {shown(pictures * each)}, {each:.3g} s a picture, without reading it")
        count = differences.usual_parts(comparison)
        say(f"parts: {count} by default, at most {shown(pictures * each / count)} each")
    _tell_images(compared, say)


def _places(out):
    place = named(out)
    return place, unfinished(place)


def _pictures(comparison, out, say):
    """(How many pictures are scored, that in words): as they were chosen, or at most."""
    parts = {part for some in comparison.parts.values() for part in some}
    for folder in (*_places(out), shards.parts_folder(out) / picture_pass.LIST):
        if (folder / picture_list.ABOUT).exists():
            everything = picture_list.open_pictures(comparison.data, folder, None, say)
            count = len(everything.only(parts).files)
            return count, f"{count}"
    counts = comparison.data.count()
    count = sum(counts[part] for part in parts)
    return count, f"at most {count}"


def _pass_bytes(compared, batch):
    """Bytes of a pass: all weights, and what the layers of one network give for a batch."""
    weights, layers = 0, []
    for key, names in compared.scored.items():
        trunk = cut(compared.models[key], list(names), (compared.size, compared.size))
        weights += 4 * trunk.count_params()
        layers.append(4 * batch * render.count_activations(trunk))
    return weights + max(layers)


def _tell_images(compared, say):
    """What the images that are asked for take, by the deepest layer that they may be of."""
    images, count = compared.comparison.images, change_images.count_wanted(compared)
    if not count:
        return
    seconds = 0.0
    for key in compared.networks:
        own = [match.of[key].name for match in compared.matches.channelled if key in match.of]
        if not own:
            continue
        deepest = own[-1]
        settings = change_images.settings_of(compared, key, deepest, (0,))
        job = open_job(settings, compared.models[key])
        batch = min(count, render.most_at_a_time())
        with backend.one_device():
            start = start_image(job, batch)
            step = measure(render.one_step(job.model, deepest, start, images.dtype))
        seconds += math.ceil(count / batch) * images.steps * step
    say(
        f"images: at most {count} channels in each network, {images.steps} steps of {images.size} "
        f"x {images.size} pixels, at most {shown(seconds)}"
    )
