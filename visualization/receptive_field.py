"""Which pixels a place of a layer's map depends on, read from the graph; boxes of the picture.

    field = receptive_field(network, layer, 224)
    found, whole = boxes(field, scores.place(layer)[picture], scores.map_size(layer), 224)

Along each side of the picture a place depends on pixels between a first and a last one. These two
are exact: a layer takes the first and the last of all that it reads, and padding reaches nothing.
Between them may be pixels that do not count, where strides or dilations leave some out. Sides are
followed apart, which can only make a box larger: where one branch reads padding alone along one
side, its pixels along the other still count.

What layers of other kinds read is not known. Their outputs count as depending on all that any of
their inputs depends on, so that no box is too small, and Field.unknown names them.

Patches instead of whole pictures are the future work of Gonthier et al. 2020, section 4.
"""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from models.caffe_layers import LocalResponseNormalization
from models.errors import InputError
from models.graph import run_up_to
from models.inception_v1 import JoinedBranches
from models.network import as_network

OURS = (LocalResponseNormalization, JoinedBranches)
# What a value of an output depends on, for the layers and operations of Keras by name (those of one
# name do the same): on the values at its place
ELEMENTWISE = {"Add", "Subtract", "Multiply", "Divide", "TrueDivide", "Average", "Maximum"}
ELEMENTWISE |= {"Minimum", "Negative", "Power", "Square", "Sqrt", "Clip", "Cast", "Identity"}
ELEMENTWISE |= {"BatchNormalization", "Normalization", "Rescaling", "LayerScale", "ReLU", "PReLU"}
ELEMENTWISE |= {"CustomScaleLayer", "LeakyReLU", "ELU", "Relu", "Relu6", "Gelu", "Silu"}
ELEMENTWISE |= {"HardSilu", "Sigmoid", "HardSigmoid", "Tanh"}
# likewise, since they only do something while training
ELEMENTWISE |= {"Dropout", "SpatialDropout2D", "AlphaDropout", "GaussianDropout", "GaussianNoise"}
ELEMENTWISE |= {"StochasticDepth", "ActivityRegularization", "RandomFlip", "RandomRotation"}
ELEMENTWISE |= {"RandomTranslation", "RandomZoom", "RandomContrast", "RandomBrightness"}
# on all channels at its place, where channels are the last of a map's four axes
CHANNELWISE = {"Activation", "Dense", "Concatenate", "Stack", "Flip", "Softmax"}
CHANNELWISE |= {"LayerNormalization", "RMSNormalization", "UnitNormalization"}
CHANNELWISE |= {layer.__name__ for layer in OURS}
# on everything
GLOBAL = {"GlobalAveragePooling2D", "GlobalMaxPooling2D", "GroupNormalization", "Flatten"}
# on the values in a window
CONVOLUTIONS = {"Conv2D", "DepthwiseConv2D", "SeparableConv2D"}
POOLS = {"MaxPooling2D", "AveragePooling2D"}
MARGINS = {"ZeroPadding2D", "Cropping2D"}
NOTHING = (2**31 - 1, 0)  # the span of what depends on no pixel: it adds nothing to another
HALF = 0.5  # of the picture's sides: the box where the field is the whole picture


@dataclass(frozen=True, eq=False)
class Field:
    """Which pixels of a picture every place of a layer's map depends on.

    rows: int (map height, 2), for each row of the map the first row of pixels and the one after
    the last; 0 and `size` for one that reads padding alone. columns: int (map width, 2), likewise.
    size: side of the picture in pixels. unknown: names of the layers whose outputs count as
    depending on all of their inputs.
    """

    rows: Any
    columns: Any
    size: int
    unknown: tuple = ()


def receptive_field(model, layer, size):
    """Read from a network's graph which pixels every place of a layer's map depends on.

    Dropout is off and batch normalisation runs on its stored statistics. After a layer that looks
    at the whole picture, such as squeeze-excitation, every field is the whole picture, although
    most of what a place depends on may still lie around it.

    Args:
        model: keras.Model, RGB (N, H, W, 3), or models.network.Network.
        layer: name, as models.graph.find_layer takes it. An output (N, channels) counts as a map
            of one place.
        size: side of the pictures in pixels.

    Returns:
        Field.

    Raises:
        InputError: a layer or size that the network does not have or take.
    """
    reach = _Reach(size)
    _, outputs = run_up_to(as_network(model).model, [layer], (size, size), reach.call)
    rows, columns = reach.of(outputs[layer])
    return Field(_without_empty(rows, size), _without_empty(columns, size), size, reach.unknown)


def boxes(field, places, map_size, size):
    """Make the box of the picture that holds all that each place depends on.

    Where that is the whole picture, the box is half of its width and height, around the middle of
    the place when the picture is divided as the map is. At the edge such a box is moved into the
    picture, not made smaller.

    Args:
        field: Field of the layer.
        places: int (n,), indices in the flattened map (row by row), e.g. of its maximum.
        map_size: (height, width) of the map that the places are in.
        size: side in pixels of the pictures that gave the map.

    Returns:
        (float32 (n, 4): left, top, width, height, fractions of the picture's sides from 0 to 1;
        bool (n,): where the field is the whole picture and the box half of its sides).

    Raises:
        InputError: a map or pictures of another size than the field's, or places outside the map.
    """
    height, width = len(field.rows), len(field.columns)
    if (*map_size, size) != (height, width, field.size):
        raise InputError(
            f"a map of {' x '.join(map(str, map_size))} places of pictures of {size} pixels; "
            f"accepted: the field's, {height} x {width} of {field.size} pixels"
        )
    places = np.asarray(places, "int64")
    outside = places[(places < 0) | (places >= height * width)]
    if outside.size:
        raise InputError(f"place {outside[0]} of a map; accepted: 0 to {height * width - 1}")
    row, column = np.divmod(places, width)
    rows, columns = field.rows[row] / size, field.columns[column] / size
    whole = (rows == (0, 1)).all(axis=1) & (columns == (0, 1)).all(axis=1)
    rows = np.where(whole[:, None], _half_around(row, height), rows)
    columns = np.where(whole[:, None], _half_around(column, width), columns)
    sides = columns[:, 0], rows[:, 0], np.ptp(columns, axis=1), np.ptp(rows, axis=1)
    return np.stack(sides, axis=1).astype("float32"), whole


def _half_around(places, count):
    """Begin and end of the half of a side around places of `count`, fractions of it, (n, 2)."""
    begin = np.clip((places + 0.5) / count - HALF / 2, 0, 1 - HALF)
    return np.stack([begin, begin + HALF], axis=1)


class _Reach:
    """Runs a network's operations, and notes which pixels their outputs depend on.

    A tensor has a pair of spans, for its second and its third axis (rows and columns of a map): int
    (places, 2), the first pixel and the one after the last. One of less than three axes has one
    place.
    """

    def __init__(self, size):
        pixels = np.arange(size)
        self._picture = (np.stack([pixels, pixels + 1], axis=1),) * 2
        self._noted = {}
        self.unknown = ()

    def of(self, tensor):
        """The spans of a tensor; what no call gave is the picture."""
        return self._noted.get(id(tensor), self._picture)

    def call(self, operation, *args, **kwargs):
        """The output of an operation, noted."""
        outputs = operation(*args, **kwargs)
        inputs = [x for x in keras.tree.flatten((args, kwargs)) if keras.utils.is_keras_tensor(x)]
        for output in keras.tree.flatten(outputs):
            self._noted[id(output)] = self._spans(operation, args, inputs, tuple(output.shape))
        return outputs

    def _spans(self, operation, args, inputs, shape):
        axes = list(zip(*map(self.of, inputs), strict=True))
        if _keeps_places(operation, args, inputs, shape):
            found = [_union(np.stack(np.broadcast_arrays(*spans)), axis=0) for spans in axes]
        elif _has_windows(operation):
            found = [
                _read(spans[0], _windows(operation, side, len(spans[0])))
                for side, spans in enumerate(axes)
            ]
        else:
            found = [_union(np.concatenate(spans), axis=0)[None] for spans in axes]
            differ = any((each != each[0]).any() for spans in axes for each in spans)
            if differ and _name(operation) not in GLOBAL and operation.name not in self.unknown:
                self.unknown += (operation.name,)
        lengths = shape[1:3] if len(shape) > 2 else (1, 1)
        return tuple(
            np.broadcast_to(spans, (length, 2))
            for spans, length in zip(found, lengths, strict=True)
        )


def _keeps_places(operation, args, inputs, shape):
    """Whether every value of an output depends on the values at its place alone."""
    name = _name(operation)
    if name == "GetItem":
        return len(inputs[0].shape) == 4 and _is_of_channels(args[1])
    if name in ELEMENTWISE:
        return len(shape) > 2 and all(len(x.shape) == len(shape) for x in inputs)
    axes = np.atleast_1d(getattr(operation, "axis", -1))
    is_last = all(axis in (-1, 3) for axis in axes)
    return name in CHANNELWISE and len(shape) == 4 and is_last and _is_known(operation)


def _is_of_channels(key):
    """Whether a key of brackets takes channels of a map: [..., 0], [:, :, :, ::-1]."""
    # a tuple; a list in a network that was read from a file
    *places, channels = key if isinstance(key, (tuple, list)) else (key,)
    whole = slice(None)
    every = [each is Ellipsis or (isinstance(each, slice) and each == whole) for each in places]
    to_the_last = len(places) == 3 or places[:1] == [Ellipsis]
    return all(every) and to_the_last and isinstance(channels, (int, slice))


def _has_windows(operation):
    """Whether an operation is one that _windows knows."""
    known = _name(operation) in CONVOLUTIONS | POOLS | MARGINS
    return known and operation.data_format == "channels_last" and _is_known(operation)


def _is_known(operation):
    """Whether the activation that a layer has is one of Keras's: none of them mixes places."""
    activation = getattr(operation, "activation", None)
    name = getattr(activation, "__name__", "")
    return activation is None or getattr(keras.activations, name, None) is activation


def _name(operation):
    """What an operation of Keras or ours is called; of another origin, the name says nothing."""
    of_keras = type(operation).__module__.split(".")[0] == "keras"
    return type(operation).__name__ if of_keras or type(operation) in OURS else ""


def _windows(operation, side, count):
    """Which places of an input each place of the output reads, along one side.

    Args:
        operation: convolution, pool, padding or cropping.
        side: 0 for rows, 1 for columns.
        count: places of the input along it.

    Returns:
        int (places of the output, places read); those below 0 and from `count` on are padding.
    """
    name = _name(operation)
    if name == "ZeroPadding2D":
        before, after = operation.padding[side]
        return np.arange(-before, count + after)[:, None]
    if name == "Cropping2D":
        before, after = operation.cropping[side]
        return np.arange(before, count - after)[:, None]
    if name in POOLS:
        size, dilation = operation.pool_size[side], 1
    else:
        size, dilation = operation.kernel_size[side], operation.dilation_rate[side]
    stride, reach = operation.strides[side], (size - 1) * dilation + 1
    positions, before = (count - reach) // stride + 1, 0
    if operation.padding == "same":  # as TensorFlow pads: of an odd number, one more after
        positions = -(-count // stride)
        before = max((positions - 1) * stride + reach - count, 0) // 2
    return np.arange(positions)[:, None] * stride - before + np.arange(size) * dilation


def _read(spans, places):
    """The spans of what reads these places: spans (n, 2), places (m, k) -> (m, 2)."""
    inside = (places >= 0) & (places < len(spans))
    read = np.where(inside[..., None], spans[places.clip(0, len(spans) - 1)], NOTHING)
    return _union(read, axis=1)


def _union(spans, axis):
    """The span from the first to the last pixel of all spans along an axis: (..., 2)."""
    return np.stack([spans[..., 0].min(axis), spans[..., 1].max(axis)], axis=-1)


def _without_empty(spans, size):
    """Spans of no pixel made those of the whole side."""
    return np.where(spans[:, :1] < spans[:, 1:], spans, (0, size))
