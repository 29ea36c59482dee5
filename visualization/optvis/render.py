"""Optimized images of a network: render_vis, with Lucid's meaning, and render_channels, of many.

render_channels compiles one step for a layer, or for several, and runs it for batch after batch of
their channels.
"""

import itertools
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import keras
import numpy as np

from models import backend
from models.errors import InputError
from models.graph import count_activations
from models.network import as_network
from visualization.optvis import objectives, param, transform
from visualization.optvis.ascent import LEARNING_RATE, PLAIN, Ascent, adam
from visualization.whole_numbers import check_below, check_whole

VIS_SIZE = 128  # Lucid's default image of render_vis
MOST = {"CPU": 8, "GPU": 64}  # images at a time: more is not faster (benchmarks: 8 on two cores)
# An optimized image's activations, their gradients and what the transforms keep, in activations
COPIES = 3
LEAST_COPIES = 2  # the same, measured on three networks at 512 and 1024 pixels: 1.2 to 2.2
NETWORKS = 2  # of an Ascent, plain and with redirected gradients, each with weights of its own
SHARE = 0.5  # of the free memory


@dataclass(frozen=True)
class Rendered:
    """An optimized image of a channel of a layer.

    image: (h, w, 3) float32 in [0, 1] (with alpha (h, w, 4)). scores: (steps,) float32, of the
    transformed image at every step. clean_score: of the image as it is, at the end; None for an
    image with alpha. nan_step: first step at which the score was not finite, or None; the image is
    then about what it was before that step.
    """

    layer: str
    channel: int
    image: Any
    scores: Any
    clean_score: Any
    nan_step: Any


def render_vis(
    model,
    objective_f,
    param_f=None,
    optimizer=None,
    transforms=None,
    thresholds=(512,),
    print_objectives=None,
    verbose=True,
    relu_gradient_override=True,
    use_fixed_seed=False,
    seed=None,
    dtype="float32",
):
    """Optimize images for one objective.

    Args:
        model: keras.Model, RGB (N, H, W, 3) in [0, 255], or models.network.Network.
        objective_f: Objective, `layer:channel` or `layer:label`.
        param_f: function giving the images' layer; None for `lambda: param.image(128)`.
        optimizer: keras.optimizers.Optimizer; None for Adam of learning rate 0.05.
        transforms: list as transform.compose takes it; None for the standard list, [] for none.
        thresholds: numbers of steps after which the images are kept.
        print_objectives: only None; it is there for the place of the arguments after it.
        verbose: to show a progress bar.
        relu_gradient_override: to redirect the gradients of ReLUs in the first steps.
        use_fixed_seed: True for seed 0 where none is given.
        seed: int from 0, of the images' start and the transforms' draws, which makes a run
            repeatable. None: the start is what param_f gives, new in every run without one, and
            the draws are new.
        dtype: precision of the network: `float32`, `bfloat16` or `float16`.

    Returns:
        List, for every threshold in rising order, of images (N, H, W, 3) float32 in [0, 1] (with
        alpha (N, H, W, 4)), without transforms.

    Raises:
        InputError: an argument that cannot be used.

    Source: Lucid, optvis/render.py.
    """
    network = as_network(model)
    thresholds = _rising(thresholds)
    if print_objectives is not None:
        raise InputError(f"print_objectives {print_objectives!r}; accepted: None")
    seed = 0 if seed is None and use_fixed_seed else seed
    drawn = int(np.random.SeedSequence().generate_state(1)[0]) if seed is None else seed
    ascent = Ascent(
        network.model,
        objectives.as_objective(objective_f),
        _start(param_f, seed, drawn),
        thresholds[-1],
        _transform(transforms),
        optimizer,
        relu_gradient_override,
        dtype,
        network.classes,
        drawn,
    )
    kept = []
    for before, after in itertools.pairwise([0, *thresholds]):
        ascent.advance(after - before, verbose=int(bool(verbose)))
        kept.append(ascent.images())
    return kept


def render_channels(
    model,
    layer,
    channels,
    steps=2048,
    size=224,
    batch=8,
    transforms=None,
    dtype="float32",
    seed=0,
    learning_rate=LEARNING_RATE,
    param_f=None,
    callbacks=(),
):
    """Optimize an image for each of many channels of a layer.

    Args:
        model: keras.Model, RGB (N, H, W, 3) in [0, 255], or models.network.Network.
        layer: name, as models.graph.find_layer takes it; or several names: one compiled step then
            serves them all, and takes for each image the time of the deepest.
        channels: numbers of channels, or "all"; of several layers pairs (layer, number).
        steps: ascent steps for each. 2048: Gonthier et al. 2020.
        size: side of the images in pixels. 224: the same.
        batch: images optimized at a time.
        transforms: list as transform.compose takes it; None for the standard list, [] for none.
        dtype: precision of the network: `float32`, `bfloat16` or `float16`.
        seed: int from 0. A channel's start depends on it and on the channel only.
        learning_rate: of Adam.
        param_f: function giving the layer of `batch` images (`lambda: param.image(224, batch=8)`
            is the default); `size` is not read then.
        callbacks: of keras.Model.fit, called for each batch of channels.

    Yields:
        Rendered, for each channel in the order given, as its batch is done.

    Raises:
        InputError: an argument that cannot be used; before anything is computed.
    """
    network = as_network(model)
    check_whole("steps", steps, least=1)
    check_whole("batch", batch, least=1)
    image = _layer(param_f) if param_f else param.image(size, batch=batch)
    check_whole("seed", seed)
    objective = objectives.each_channel(layer)
    optimizer = adam(learning_rate)
    ascent = Ascent(
        network.model,
        objective,
        image,
        steps,
        _transform(transforms),
        optimizer,
        dtype=dtype,
        labels=network.classes,
        seed=seed,
    )
    layers = (layer,) if isinstance(layer, str) else tuple(layer)
    widths = {name: ascent.network.output[name].shape[-1] for name in layers}
    if isinstance(layer, str):
        pairs = [(layer, number) for number in _numbers(channels, widths[layer], layer)]
    else:
        pairs = [(name, *_numbers(number, widths[name], name)) for name, number in channels]
    starts = dict(zip(layers, itertools.accumulate(widths.values(), initial=0), strict=False))
    return _batches(ascent, pairs, starts, steps, seed, callbacks)


def one_step(model, layer, image, dtype="float32"):
    """A function that makes one step of render_channels, as those after its first ones.

    Args:
        model, layer, dtype: as for render_channels.
        image: layer of the images, such as param.image gives.

    Raises:
        InputError: as render_channels.
    """
    network = as_network(model)
    transforms, nothing = _transform(None), np.zeros((1, 1), PLAIN)
    ascent = Ascent(
        network.model,
        objectives.each_channel(layer),
        image,
        1,
        transforms,
        adam(),
        redirect=False,
        dtype=dtype,
        labels=network.classes,
    )
    return lambda: ascent.train_on_batch(nothing)


def _batches(ascent, pairs, starts, steps, seed, callbacks):
    """Yield Rendered by batches of the ascent's size; the last is filled up with its last.

    pairs: of layer and channel; starts: layer -> number of its first channel in each_channel.
    """
    for start in range(0, len(pairs), ascent.count):
        wanted = pairs[start : start + ascent.count]
        slots = wanted + wanted[-1:] * (ascent.count - len(wanted))
        seeds = [(seed, channel) for _, channel in slots]
        ascent.restart(seeds, [starts[layer] + channel for layer, channel in slots])
        ascent.advance(steps, callbacks)
        images, scores = ascent.images(), ascent.scores()
        clean = ascent.clean_scores() if images.shape[-1] == 3 else [None] * len(slots)
        for slot, (layer, channel) in enumerate(wanted):
            broken = np.flatnonzero(~np.isfinite(scores[:, slot]))
            yield Rendered(
                layer=layer,
                channel=channel,
                image=images[slot],
                scores=scores[:, slot],
                clean_score=None if clean[slot] is None else float(clean[slot]),
                nan_step=int(broken[0]) if len(broken) else None,
            )


def most_at_a_time():
    """How many images at a time are as many as the device makes use of."""
    return MOST[backend.device_name()[:3]]


def images_at_a_time(network, dtype):
    """How many images the free memory holds at a time: a power of 2, at most most_at_a_time.

    Args:
        network: what `cut` gives for the layer and the images' size.
        dtype: its precision.
    """
    most = most_at_a_time()
    free = backend.free_memory()
    if free is None:
        return most
    left = free * SHARE - needed_bytes(network, dtype, 0)
    each = needed_bytes(network, dtype, 1) - needed_bytes(network, dtype, 0)
    fits = max(1, int(left / each))
    return min(most, 1 << (fits.bit_length() - 1))


def needed_bytes(network, dtype, images):
    """Bytes that an ascent of some images takes, about: its networks and what their layers give.

    Args:
        network, dtype: as for images_at_a_time.
        images: at a time.
    """
    weights = network.count_params() * (4 if dtype == "float32" else 2)  # bytes
    return NETWORKS * weights + images * count_activations(network) * COPIES * 4  # 4: float32


def least_bytes(network):
    """Bytes that an ascent takes for each image at the least.

    Args:
        network: as for images_at_a_time.
    """
    return count_activations(network) * 4 * LEAST_COPIES


def _rising(thresholds):
    thresholds = [thresholds] if isinstance(thresholds, Integral) else sorted(set(thresholds))
    for threshold in thresholds:
        check_whole("threshold", threshold)
    if not thresholds:
        raise InputError("thresholds is empty; accepted: numbers of steps")
    return thresholds


def _start(param_f, seed, drawn):
    """The images' layer: from `seed` if there is one, else as param_f gives it, or from `drawn`."""
    image = _layer(param_f) if param_f else param.image(VIS_SIZE, seed=drawn)
    if seed is not None and hasattr(image, "draw"):
        image.draw(seed)
    return image


def _layer(param_f):
    if not callable(param_f) or isinstance(param_f, keras.Layer):
        raise InputError(
            f"param_f {param_f!r}; accepted: a function giving a layer, such as "
            "lambda: param.image(128)"
        )
    layer = param_f()
    if not isinstance(layer, keras.Layer):
        raise InputError(f"param_f gives {layer!r}; accepted: a layer, such as param.image(128)")
    return layer


def _transform(transforms):
    if transforms is None:
        transforms = transform.standard_transforms
    if not isinstance(transforms, (list, tuple)):
        raise InputError(f"transforms {transforms!r}; accepted: a list of transforms")
    return transform.compose(transforms) if transforms else None


def _numbers(channels, count, layer):
    if isinstance(channels, str):
        if channels != "all":
            raise InputError(f"channels {channels!r}; accepted: numbers, or 'all'")
        return list(range(count))
    channels = [channels] if isinstance(channels, Integral) else list(channels)
    for channel in channels:
        check_below("channel", channel, count, f"channels of {layer}")
    return [int(channel) for channel in channels]
