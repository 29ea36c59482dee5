"""VisualBackProp (Bojarski et al. 2016, arXiv 1611.05418): what every layer of a network sees.

The feature maps of every convolution are averaged over channels. From the deepest to the first,
the mask is scaled up to the size of the map before and multiplied with it; the last is scaled up
to the picture's size. No class and no gradient is involved.

`paper`: the maps are taken after ReLU, and the scaling is a transposed convolution with weights of
1, with the window and the stride of the convolution whose map is scaled, also between maps of
one size, which so get smeared. Poolings between two convolutions count in the stride.

`even`, ours and the default: as `paper`, with every scaled mask divided by its cover, the same
transposed convolution of a map of ones. Where a window is not a multiple of its stride (3x3 with
stride 2: MobileNet, InceptionV3; 7x7 with stride 2: ResNet, GoogLeNet) its neighbours overlap on
some pixels and not on others, which in the paper's form draws a grid over the mask, whatever the
picture (the checkerboard of Odena et al. 2016, Distill, doi 10.23915/distill.00003). Divided by the
cover a pixel has the mean of the windows that reach it: an even mask stays even.

`released`, the code of Sabatelli et al. 2018: the maps are what the convolution layers give (with
their fused activation, without one that follows as a layer), each scaled to [0, 1] by its least
and greatest value; a 3x3 window with stride 2 where sizes differ, and no scaling where they do not.
The released code needs each size to be exactly twice the next; here the stride is the true one.

Convolutions are ordered by the size of their maps, then by depth, the number of convolutions on the
longest path from the picture. In the forms `even` and `paper`, maps of one size and depth (parallel
branches, which neither publication foresees) count as one layer: the mean over all their channels,
the largest of their windows. In the released form every layer counts for itself. Depthwise and
separable convolutions are convolutions; maps of one pixel (squeeze-and-excitation) say nothing
about place and are left out.
"""

from dataclasses import dataclass

import keras
import numpy as np
from keras import ops

from models import backend, graph
from models.errors import InputError
from models.network import as_network
from transfer.inference import collect, in_memory
from visualization.saliency import passes
from visualization.whole_numbers import check_whole

FORMS = ("even", "paper", "released")
CONVOLUTIONS = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D, keras.layers.SeparableConv2D)
ACTIVATIONS = (
    keras.layers.Activation,
    keras.layers.ReLU,
    keras.layers.LeakyReLU,
    keras.layers.PReLU,
    keras.layers.ELU,
)
# what may lie between a convolution and its ReLU: ResNet's sum is rectified as a whole
BETWEEN = (keras.layers.BatchNormalization, keras.layers.Dropout, keras.layers.Add)
RELEASED_WINDOW = 3
# of a mask whose greatest value is 1: what rounding leaves of an even one, some tens of float32's
# steps, which else would be spread over all of [0, 1]
ROUNDING = 1e-5
TINY = float(np.finfo(np.float32).tiny)  # divides a map that is 0 everywhere


def visual_backprop(network, logits=True, batch_size=16, form="even"):
    """Build VisualBackProp for a network; one forward pass gives the masks of a batch.

    Args:
        network: keras.Model or models.network.Network, RGB pixels (N, H, W, 3) in [0, 255] in.
        logits: not read: the masks end before the classifier.
        batch_size: pictures in one pass.
        form: `even`, `paper` or `released`, as above.

    Returns:
        Callable (pictures, targets=None, progress=None) -> masks float32 (N, H, W) in [0, 1], each
        picture's from its own least to its greatest value, 0 where these are one. targets are not
        read.

    Raises:
        InputError: no convolution with a map of more than one pixel, no graph of layers from one
            input, or another form.
    """
    del logits
    passes.check_choice("form", form, FORMS)
    model = as_network(network).model
    check_whole("batch_size", batch_size, least=1)
    built, own = {}, tuple(graph.input_of(model).shape[1:3])
    if None not in own:
        built[own] = backend.forward(mask_model(model, form=form))

    def masks(pictures, targets=None, progress=None):
        del targets
        pictures = passes.check_pictures(model, pictures)
        size = pictures.shape[1:3]
        if size not in built:
            built[size] = backend.forward(mask_model(model, size, form))
        batches = in_memory(len(pictures), batch_size)
        return collect(lambda i: built[size](pictures[i]), batches, progress=progress)

    return masks


def mask_model(model, size=None, form="even"):
    """The network from its pixels to VisualBackProp's masks, as a keras.Model.

    Args:
        model: keras.Model, RGB pixels (N, H, W, 3) in [0, 255] in.
        size: (H, W) of the pictures; None for the size that the network states.
        form: one of FORMS.

    Returns:
        keras.Model, pixels -> masks float32 (N, H, W) in [0, 1]; it shares the network's layers.
    """
    traced = graph.trace(model, size)
    stages = find_stages(traced, form)
    if not stages:
        raise InputError(f"{model.name} has no convolution with a map of more than one pixel")
    layer = Masks(stages, traced.input.shape[1:3], form, name=traced.free_name("masks"))
    return keras.Model(traced.input, layer([list(stage.maps) for stage in stages]))


class Masks(keras.layers.Layer):
    """VisualBackProp's masks from the maps of all stages.

    Input: list of stages, deepest first, each a list of maps (N, h, w, channels). Output: float32
    (N, H, W) in [0, 1]. A mask is divided by its greatest value after every product: it would
    overflow, and the end result does not depend on it.
    """

    def __init__(self, stages, size, form, **kwargs):
        super().__init__(dtype="float32", autocast=False, **kwargs)
        self.known = [(stage.stride, stage.window, stage.rectified) for stage in stages]
        self.size, self.form = size, form

    def call(self, stages):
        mask = deeper = None
        for stage, (stride, window, rectified) in zip(stages, self.known, strict=True):
            size = stage[0].shape[1:3]
            averaged = _averaged(stage, rectified, self.form)
            if mask is not None:
                averaged = averaged * self._scaled(mask, size, deeper, stride)
            mask = averaged / ops.maximum(ops.max(averaged, axis=(1, 2), keepdims=True), TINY)
            deeper = stride, window
        least = ROUNDING if self.form == "even" else 0.0
        return _unit_range(self._scaled(mask, self.size, deeper, (1, 1)), 0.0, least)

    def _scaled(self, mask, size, deeper, stride):
        strides, window = deeper
        if self.form == "released" and tuple(mask.shape[1:3]) == tuple(size):
            return mask
        steps = [max(1, round(a / b)) for a, b in zip(strides, stride, strict=True)]
        scaled = scaled_up(mask, size, steps, window)
        if self.form != "even":
            return scaled
        return scaled / scaled_up(ops.ones((1, *mask.shape[1:3])), size, steps, window)

    def compute_output_shape(self, input_shape):
        return (input_shape[0][0][0], *self.size)


def _averaged(maps, rectified, form):
    """Mean over the channels of all maps, (N, h, w); `released`: in [0, 1]."""
    if form == "released":
        (single,) = maps
        # a constant map says nothing about place: it leaves the product as it is
        return _unit_range(ops.mean(ops.cast(single, "float32"), axis=-1), 1.0)
    channels = sum(x.shape[-1] for x in maps)
    # some activations (SiLU, ELU) leave negative values, and some maps have no activation
    positive = [x if known else ops.relu(x) for x, known in zip(maps, rectified, strict=True)]
    sums = [ops.sum(ops.cast(x, "float32"), axis=-1) for x in positive]
    return sum(sums[1:], sums[0]) / channels


def _unit_range(masks, constant, least=0.0):
    """Each mask from its least to its greatest value, (N, h, w) in [0, 1]; `constant` if equal.

    least: what is no more than this apart is equal.
    """
    low = ops.min(masks, axis=(1, 2), keepdims=True)
    span = ops.max(masks, axis=(1, 2), keepdims=True) - low
    return ops.where(span > least, (masks - low) / ops.maximum(span, TINY), constant)


def scaled_up(masks, size, stride, window):
    """Transposed convolution with weights of 1, to an exact size.

    Args:
        masks: (N, h, w).
        size: (H, W) of the result.
        stride: rows and columns between the windows of neighbours.
        window: rows and columns of a window, enlarged where it would leave pixels uncovered.
            What the windows reach beyond H and W is cut off on both sides alike (one pixel more
            at the end), as "same" padding adds it.

    Returns:
        (N, H, W).
    """
    for axis in (1, 2):
        i = axis - 1
        reaching = reached_by(masks.shape[axis], size[i], stride[i], window[i])
        edge = [(0, 0)] * 3
        edge[axis] = (0, 1)  # a row of zeros where a pixel is reached by fewer windows
        with_zero = ops.pad(masks, edge)
        terms = [ops.take(with_zero, indices, axis=axis) for indices in reaching]
        masks = sum(terms[1:], terms[0])
    return masks


def reached_by(count, size, stride, window):
    """For every pixel of the result the windows that reach it: int (most, size), `count` for none.

    Sums, not a product with a matrix of ones: GPUs round the factors of products (TF32).
    """
    # only maps that are narrower than the deeper one, which no network of convolutions has, shrink
    stride = stride if count < size else 1
    window = max(window, stride, size - (count - 1) * stride)
    before = ((count - 1) * stride + window - size) // 2
    start = np.arange(count) * stride - before
    inside = np.arange(size)[:, None] - start
    reached = [np.flatnonzero((row >= 0) & (row < window)) for row in inside]
    most = max(map(len, reached))
    return np.array([np.pad(r, (0, most - len(r)), constant_values=count) for r in reached]).T


@dataclass(frozen=True)
class Stage:
    """Maps that count as one: Keras tensors (N, h, w, channels), and how they are scaled up."""

    maps: tuple
    stride: tuple  # picture pixels between neighbours of the map, down and across
    window: tuple  # of the largest convolution, in pixels of the map before
    rectified: tuple  # for each map, whether a ReLU gave it, so that nothing is below 0


def find_stages(traced, form):
    """The stages of a graph (models.graph.Graph), from the deepest to the first."""
    depth, stride = {id(traced.input): 0}, {id(traced.input): (1, 1)}
    windows = {}  # id of a map -> (map, window)
    limits = {}  # id of a map -> the largest value of the ReLU that gave it, None without
    readers, released = _readers(traced), form == "released"
    for call in traced.calls:
        convolves = isinstance(call.operation, CONVOLUTIONS)
        for output in keras.tree.flatten(call.output):
            depth[id(output)] = max((depth[id(x)] for x in call.inputs), default=0) + convolves
            stride[id(output)] = _stride(call, stride)
            limits[id(output)] = graph.relu_limit(call.operation)
        if convolves:
            feature_map = call.output if released else _activated(call, readers)
            window = (RELEASED_WINDOW,) * 2 if released else _window(call.operation)
            # several convolutions lead to ResNet's sum
            _, other = windows.get(id(feature_map), (None, window))
            windows[id(feature_map)] = feature_map, tuple(map(max, window, other))
    together = {}
    for number, (feature_map, window) in enumerate(windows.values()):
        size = tuple(feature_map.shape[1:3])
        if np.prod(size) > 1:
            apart = number if released else 0
            key = (-np.prod(size), depth[id(feature_map)], size, apart)
            together.setdefault(key, []).append((feature_map, window))
    return [
        _stage(members, stride, limits) for _, members in sorted(together.items(), reverse=True)
    ]


def _stage(members, stride, limits):
    maps, windows = zip(*members, strict=True)
    rectified = tuple(limits[id(x)] is not None for x in maps)
    return Stage(maps, stride[id(maps[0])], tuple(map(max, *windows, (1, 1))), rectified)


def _readers(traced):
    readers = {}
    for call in traced.calls:
        for tensor in call.inputs:
            readers.setdefault(id(tensor), []).append(call)
    return readers


def _stride(call, known):
    """Picture pixels between neighbours in what a call gives."""
    before = [known[id(x)] for x in call.inputs if len(x.shape) == 4] or [(1, 1)]
    return tuple(a * b for a, b in zip(before[0], _own_stride(call), strict=True))


def _own_stride(call):
    """Rows and columns that one step in what a call gives is of what it reads."""
    if any(len(getattr(x, "shape", ())) != 4 for x in (*call.inputs, call.output)):
        return 1, 1  # a convolution along something else, such as channels
    # of keras.ops a pooling has the stride of its window where none is given, and one number
    # stands for both
    own = getattr(call.operation, "strides", 1) or getattr(call.operation, "pool_size", 1)
    return (own, own) if isinstance(own, int) else tuple(own)


def _window(layer):
    """Pixels that a convolution spans, dilation included."""
    pairs = zip(layer.kernel_size, layer.dilation_rate, strict=True)
    return tuple((side - 1) * gap + 1 for side, gap in pairs)


def _activated(call, readers):
    """The map after the activation that follows a convolution; without one, the last before it."""
    if keras.activations.serialize(call.operation.activation) != "linear":
        return call.output
    tensor = call.output
    while True:
        following = readers.get(id(tensor), [])
        for reader in following:
            if isinstance(reader.operation, ACTIVATIONS):
                return reader.output
        if len(following) != 1 or not isinstance(following[0].operation, BETWEEN):
            return tensor
        tensor = following[0].output
