"""Weights files as Keras 1 and 2 wrote them (HDF5) into a network of today's Keras.

Read are the files of `save_weights` and of `save` (their group `model_weights`), made with the
TensorFlow or CNTK backend: kernels (rows, columns, in, out). Refused are kernels of the Theano
backend, which are flipped, and kernels in Theano's order (out, in, rows, columns). A Keras 1 file
does not name its backend: its kernels' order is told by the shapes; whether they are flipped
cannot be told.
"""

import contextlib
import re

import numpy as np

from models.importers import hdf5
from models.importers.fill import Held, fill, fits, places

# Layer and variable names of Keras 1 and 2 that are called otherwise in Keras 3. Sources:
# keras/applications/resnet50.py of Keras 2.0 to 2.2, and the `build` methods of Keras 1.2's layers
# for the variables.

# blocks of ResNet50's stages 2 to 5 (He et al. 2016, table 1)
_BLOCKS = {2: 3, 3: 4, 4: 6, 5: 3}
# convolution within a block: old suffix -> today's number (0 is the shortcut)
_BRANCHES = {"1": 0, "2a": 1, "2b": 2, "2c": 3}

# old layer name -> today's, where a network's layers were renamed
RENAMED = {
    "conv1": "conv1_conv",
    "bn_conv1": "conv1_bn",
    "fc1000": "predictions",
} | {
    f"{old}{stage}{'abcdef'[block]}_branch{branch}": f"conv{stage}_block{block + 1}_{number}_{new}"
    for old, new in (("res", "conv"), ("bn", "bn"))
    for stage, blocks in _BLOCKS.items()
    for block in range(blocks)
    for branch, number in _BRANCHES.items()
}

# the name Keras 1, 2 or 3 gives a layer without one, before `_N` -> class of the layer today
COUNTERS = {
    "conv2d": "Conv2D",
    "convolution2d": "Conv2D",
    "batch_normalization": "BatchNormalization",
    "batchnormalization": "BatchNormalization",
    "separable_conv2d": "SeparableConv2D",
    "separableconvolution2d": "SeparableConv2D",
    "depthwise_conv2d": "DepthwiseConv2D",
    "dense": "Dense",
    "normalization": "Normalization",
    "layer_normalization": "LayerNormalization",
}
# ConvNeXt's last normalization, which keras.applications names only in a network with its top
CONVNEXT_NORM = re.compile(r"convnext_\w+_head_layernorm")

# starts of the names that Keras 2 and Keras 1 give to padding without one
PADDINGS = ("zero_padding2d", "zeropadding2d")

# end of an old variable's name -> today's name; the longer ends first
VARIABLES = {
    name: name
    for name in ("depthwise_kernel", "pointwise_kernel", "moving_variance", "moving_mean")
    + ("kernel", "gamma", "beta", "bias")
} | {
    "running_std": "moving_variance",  # Keras 1 kept the variance under this name
    "running_mean": "moving_mean",
    "W": "kernel",
    "b": "bias",
}

# the classifier's last layer: models.zoo.build's name, keras.applications' name
HEADS = ("head", "predictions")

# where the last layer with weights is a convolution of this name: the layers that are the top
# (MobileNet, MobileNetV3)
CONVOLUTIONAL_TOPS = {"conv_preds": ["conv_preds"], "logits": ["conv_2", "logits"]}


def read(path):
    """Read a weights file.

    Returns:
        list of (layer name, list of (weight name, float32 array)) in the file's order, layers
        without weights included.

    Raises:
        models.errors.InputError: no such file, damaged, of another format, or made with Theano.
    """
    with hdf5.opened(path) as file:
        return [
            (layer, [(name, file.array(group, name)) for name in names])
            for layer, group, names in _groups(file)
        ]


@contextlib.contextmanager
def contents(path):
    """Open a weights file without Keras, for what is in it.

    Yields:
        (bytes that describe the architecture as JSON, None in a file of weights only; iterator of
        (layer name, variable name, array as it is stored), in the file's order).

    Raises:
        models.errors.InputError: as read.
    """
    with hdf5.opened(path) as file:
        stored = (
            (layer, name.rsplit("/", 1)[-1], file.stored(group, name))
            for layer, group, names in _groups(file)
            for name in names
        )
        yield file.text(file.root, "model_config"), stored


def layers(path):
    """Read the names of all layers in a file's order (see read)."""
    with hdf5.opened(path) as file:
        return [layer for layer, _, _ in _groups(file)]


def is_old(path):
    """Tell whether an HDF5 file has the marks of Keras 1 and 2 (see read for what it raises)."""
    with hdf5.opened(path) as file:
        marks = ("layer_names", "layer_names0", "keras_version")
        return file.has(file.root, "model_weights") or any(map(file.has_attribute, marks))


def top_layer(path):
    """Read the name of the last layer with weights (see read for what it raises); None without."""
    with hdf5.opened(path) as file:
        held = [layer for layer, _, names in _groups(file) if names]
        return held[-1] if held else None


def classes(path):
    """Read how many classes a classifier's file holds: the outputs of its last layer.

    Returns:
        int; None for a file without a top: its last layer with weights is not dense, nor a
        convolution that is known as one; and for one whose network is inside another, whose top is
        not the network's own.

    Raises:
        models.errors.InputError: as read.
    """
    with hdf5.opened(path) as file:
        groups = list(_groups(file))
        count = sum(len(names) for _, _, names in groups)
        if any(len(names) > count / 2 and len(_inner(names)) > 1 for _, _, names in groups):
            return None
        layer, group, names = next((g for g in reversed(groups) if g[2]), ("", None, []))
        shapes = [file.shape(group, name) for name in names]
        if layer in CONVOLUTIONAL_TOPS:
            return shapes[-1][-1]
        return next((shape[1] for shape in shapes if len(shape) == 2), None)


def has_top(path, model):
    """Tell whether a file's layers are those of a network with its top, one for one.

    They are not where it holds the network with a head of another's making, dense layers of its
    own after the features: load() fills the network without its top from such a file.

    Args:
        path: the file.
        model: keras.Model, a network of as many classes as classes() read.

    Raises:
        models.errors.InputError: as read.
    """
    with hdf5.opened(path) as file:
        # all that is asked of an array is its shape
        shapes = {
            layer: [(name, np.broadcast_to(0.0, file.shape(group, name))) for name in names]
            for layer, group, names in _groups(file)
            if names
        }
    given, wanted, pairs = _sides(shapes, model)
    last = next(reversed(given), None)
    if not len(pairs) == len(given) == len(wanted) > 0:
        return False
    new = pairs[last]
    # one of the same name may be of another size of pictures, which load() says
    return last == new or fits(_held(last, given[last], wanted[new]), places(model)[new])


def as_built(path, model):
    """Rebuild a network as the Keras that wrote a file built it, where today's differs.

    That is ResNet50, whose layers then had other names. Read in keras/applications/resnet50.py of
    Keras 2.0 to 2.2 (until 2.2.4-tf): the max pool after conv1 is not padded, or by a layer whose
    name the file holds; conv1 is padded by 3 (a layer, whose name the file holds) or, in some
    versions, by padding="same", which is 2 before and 3 after at an even size; batch
    normalization has Keras's default epsilon. Strides are those of today. Before 2.2 a 7x7 average
    pool followed even without the top; at 224 pixels that is what global average pooling does.

    Args:
        path: the file.
        model: keras.Model with today's network in it.

    Returns:
        The model itself, or another with the same layer names, its weights not yet filled.

    Raises:
        models.errors.InputError: as read.
    """
    import keras

    from models import initializers

    names = layers(path)
    if "bn2a_branch2a" not in names:
        return model
    padded = any(name == "conv1_pad" or name.startswith(PADDINGS) for name in names)

    def replaced(layer):
        config = layer.get_config()
        if isinstance(layer, keras.layers.BatchNormalization):
            config["epsilon"] = 1e-3  # Keras 2's default; today's ResNet50 has 1.001e-5
        if layer.name == "pool1_pad" and layer.name not in names:
            config["padding"] = 0
        if layer.name == "conv1_pad" and not padded:
            config["padding"] = ((2, 3), (2, 3))
        return type(layer).from_config(config)

    with initializers.undrawn_kernels():
        return keras.models.clone_model(model, clone_function=replaced)


def load(path, model):
    """Fill a network with a file's weights, all of them or an error.

    Layers are matched by equal names, by the names that Keras changed (RENAMED, and
    `/`, which is `_` today) and, where both sides have only Keras's own numbering (`conv2d_7`), by
    that numbering among layers of the same class. The file's last dense layer is the network's
    head. A network without its top leaves the file's: dense layers, and normalizations, after all
    that it takes. So it does where the file holds it as a network inside another.

    Args:
        path: the file.
        model: keras.Model, flat.

    Returns:
        Report with every array of the file as `layer/weight`.

    Raises:
        models.errors.InputError: as read; or weights of the file, or of the network, without a
            partner of the same shape. The network is then as it was.
    """
    given = {name: weights for name, weights in read(path) if weights}
    given, wanted, pairs = _sides(given, model)
    held = {old: _held(old, weights, wanted.get(pairs.get(old))) for old, weights in given.items()}
    reasons = dict.fromkeys(_spare_top(given, wanted, pairs), "the network is built without a top")
    return fill(path, model, held, places(model), pairs, reasons.get, _theano)


def _sides(given, model):
    """(layers of a file, layers of a network, their pairs): what match() takes and gives."""
    wanted = {layer.name: layer for layer in model.layers if layer.weights}
    given = _taken_apart(given, wanted)
    return given, wanted, match(given, wanted)


def match(given, wanted):
    """Pair the layers of a file with those of a network.

    Args:
        given: dict, layer name in the file -> list of (weight name, array), in the file's order.
        wanted: dict, layer name in the network -> keras layer.

    Returns:
        dict, layer name in the file -> layer name in the network; layers without a partner are
        not in it.
    """
    pairs = {}
    for old in given:
        names = (old, RENAMED.get(old), old.replace("/", "_"))
        new = next((name for name in names if name in wanted), None)
        # a number given by Keras says nothing across files
        if new and not _counter(old) and new not in pairs.values():
            pairs[old] = new
    last = next(reversed(given), None)
    head = next((name for name in HEADS if name in wanted and name not in pairs.values()), None)
    if head and last not in pairs and last is not None and _is_dense(given[last]):
        pairs[last] = head
    end = _end(given, pairs)
    for kind in sorted(set(COUNTERS.values())):
        mine = _numbered(kind, [name for name in given if name not in pairs])
        theirs = _numbered(kind, [name for name in wanted if name not in pairs.values()])
        # those of a head, which was made last, have the highest numbers
        if len(mine) >= len(theirs) and set(mine[len(theirs) :]) <= set(end):
            pairs.update(zip(mine, theirs, strict=False))
    return {old: pairs[old] for old in given if old in pairs}


def _inner(names):
    """The layers that weights (`a/b/kernel:0`) belong to, here b -> positions, in order."""
    inner = {}
    for place, name in enumerate(names):
        inner.setdefault(name.rpartition("/")[0].rpartition("/")[2], []).append(place)
    return inner


def _taken_apart(given, wanted):
    """The layers of a file; in place of a network inside it, that the model lacks, its layers."""
    apart = {}
    for layer, weights in given.items():
        inner = _inner([name for name, _ in weights])
        known = any(name in wanted or _counter(name) for name in inner)
        if layer in wanted or len(inner) < 2 or not known:
            apart[layer] = weights
            continue
        for name, numbers in inner.items():
            free = name not in given and name not in apart
            apart[name if free else f"{layer}/{name}"] = [weights[number] for number in numbers]
    return apart


def _groups(file):
    """Yield (layer name, group, weight names) for every layer of an hdf5.Bounded."""
    root = file.root
    _refuse_theano(file, root)
    names = file.names(root, "layer_names")
    if names is None and file.has(root, "model_weights"):
        root = file.find(root, "model_weights")
        _refuse_theano(file, root)
        names = file.names(root, "layer_names")
    if names is None:
        file.fail("not a Keras 1 or 2 weights file: it has no attribute 'layer_names'")
    if len(set(names)) < len(names):
        file.fail("two layers have the same name")
    for layer in names:
        group = file.find(root, layer)
        weights = file.names(group, "weight_names")
        if weights is None or len(set(weights)) < len(weights):
            file.fail(f"layer {layer!r} has no list of distinct 'weight_names'")
        yield layer, group, weights


def _refuse_theano(file, group):
    if file.text(group, "backend") == b"theano":
        file.fail("kernels of the Theano backend are flipped; accepted: tensorflow, cntk")


def _counter(name):
    """Split `conv2d_7` into ("Conv2D", 7), `conv2d` into ("Conv2D", 0); None for other names."""
    if CONVNEXT_NORM.fullmatch(name):
        return "LayerNormalization", 0
    parts = re.fullmatch(r"(.*?)(?:_([0-9]{1,9}))?", name)
    if not parts or parts[1] not in COUNTERS:
        return None
    return COUNTERS[parts[1]], int(parts[2] or 0)


def _numbered(kind, names):
    """Names that Keras numbered, of one class, in the order of their numbers."""
    numbers = {name: counter for name in names if (counter := _counter(name))}
    return sorted((n for n in numbers if numbers[n][0] == kind), key=lambda n: numbers[n][1])


def _is_dense(weights):
    return len(weights) <= 2 and weights[0][1].ndim == 2


def _end(given, pairs):
    """The file's last layers, as far back as none has a partner, nor a kernel that is no matrix."""
    top = CONVOLUTIONAL_TOPS.get(next(reversed(given), None), [])
    end = []
    for name in reversed(given):
        flat = all(value.ndim <= 2 for _, value in given[name])
        if name in pairs or not (flat or name in top):
            break
        end.append(name)
    return end


def _spare_top(given, wanted, pairs):
    """Layers of the file to leave: those of its top, if the network has none and takes the rest."""
    if set(pairs.values()) < set(wanted):
        return []
    end = _end(given, pairs)
    scores = [name for name in end if name in CONVOLUTIONAL_TOPS or _is_dense(given[name])]
    return end if scores else []


def _role(name):
    """Today's name of an old variable, None for one that its layer did not name (`uniform1`)."""
    end = re.sub(r"(_[0-9]{1,9})?(:[0-9]{1,9})?$", "", name.rsplit("/", 1)[-1])
    return next(
        (new for old, new in VARIABLES.items() if end == old or end.endswith("_" + old)), None
    )


def _held(name, weights, layer):
    """A layer of the file; `layer` is its partner in the network, or None."""
    roles = [_role(weight) for weight, _ in weights]
    if type(layer).__name__ == "DepthwiseConv2D":  # Keras 3 calls its kernel `kernel`
        roles = ["kernel" if role == "depthwise_kernel" else role for role in roles]
    arrays = [value for _, value in weights]
    theirs = [_role(variable.name) for variable in layer.weights] if layer else []
    return Held(
        # one that its layer did not name says nothing, here (a scale of ConvNeXt's is `variable_7`)
        # or in the file: then their order counts
        tuple(roles) if None not in roles + theirs else (None,) * len(roles),
        lambda: [value.shape for value in arrays],
        lambda: arrays,
        tuple(f"{name}/{weight}" for weight, _ in weights),
    )


def _theano(shapes, place):
    """Say so where kernels are in Theano's order."""
    theirs = [tuple(variable.shape) for variable in place.variables]
    # (out, in, rows, columns) is what Theano's order makes of (rows, columns, in, out)
    theano = [(s[3], s[2], s[0], s[1]) if len(s) == 4 else s for s in theirs]
    return ": Theano's order of kernels" if list(shapes) == theano != theirs else ""
