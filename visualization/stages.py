"""The convolutions of a network in VisualBackProp's order, with branches, strides and odd sizes.

Convolutions are ordered by the size of their maps, then by depth, the number of convolutions on the
longest path from the picture. In the paper's form, maps of one size and depth (parallel branches)
count as one layer: the mean over all their channels, the largest of their windows. In the released
form every layer counts for itself. Depthwise and separable convolutions are convolutions; maps of
one pixel (squeeze-and-excitation) say nothing about place and are left out.
"""

from dataclasses import dataclass

import keras
import numpy as np

from models.graph import relu_limit

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


@dataclass(frozen=True)
class Stage:
    """Maps that count as one: Keras tensors (N, h, w, channels), and how they are scaled up."""

    maps: tuple
    stride: tuple  # picture pixels between neighbours of the map, down and across
    window: tuple  # of the largest convolution, in pixels of the map before
    rectified: tuple  # for each map, whether a ReLU gave it, so that nothing is below 0

    @property
    def size(self):
        return tuple(self.maps[0].shape[1:3])


def find_stages(traced, form):
    """The stages of a graph (models.graph.Graph), from the deepest to the first."""
    depth, stride = {id(traced.input): 0}, {id(traced.input): (1, 1)}
    found = {}  # id of a map -> (map, window)
    readers = _readers(traced)
    for call in traced.calls:
        convolves = isinstance(call.operation, CONVOLUTIONS)
        for output in keras.tree.flatten(call.output):
            depth[id(output)] = max((depth[id(x)] for x in call.inputs), default=0) + convolves
            stride[id(output)] = _stride(call, stride)
        if convolves:
            feature_map = _rectified(call, readers) if form == "paper" else call.output
            window = _window(call.operation) if form == "paper" else (RELEASED_WINDOW,) * 2
            _, other = found.get(
                id(feature_map), (None, window)
            )  # ResNet's sum: several lead to it
            found[id(feature_map)] = feature_map, tuple(map(max, window, other))
    together = {}
    for number, (feature_map, window) in enumerate(found.values()):
        size = tuple(feature_map.shape[1:3])
        if np.prod(size) > 1:
            apart = number if form == "released" else 0
            key = (-np.prod(size), depth[id(feature_map)], size, apart)
            together.setdefault(key, []).append((feature_map, window))
    return [_stage(members, stride) for _, members in sorted(together.items(), reverse=True)]


def _stage(members, stride):
    maps, windows = zip(*members, strict=True)
    rectified = tuple(relu_limit(x._keras_history.operation) is not None for x in maps)
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
    own = getattr(call.operation, "strides", (1, 1))
    return tuple(a * b for a, b in zip(before[0], own, strict=True))


def _window(layer):
    """Pixels that a convolution spans, dilation included."""
    pairs = zip(layer.kernel_size, layer.dilation_rate, strict=True)
    return tuple((side - 1) * gap + 1 for side, gap in pairs)


def _rectified(call, readers):
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
