"""A frozen TensorFlow graph (GraphDef, `.pb`) with the 5h file's names into InceptionV1.

Read are the constants `<name>_w` and `<name>_b` and the attributes of the LRN nodes. What the
other nodes compute is not looked at: a file that has these names and shapes is taken for the 5h
network.
"""

from models.errors import InputError
from models.importers import Report, graph_def

SUFFIXES = {"kernel": "_w", "bias": "_b"}  # variable of a layer: end of its constant's name
FEATURES = 1024  # inputs of softmax2: the channels of mixed5b


def load(path, model):
    """Fill an InceptionV1 with the constants of a frozen graph, all of it or none.

    The attributes of the graph's LRN nodes are set on the model's LocalResponseNormalization
    layers: by name where the nodes are called as the layers, else in the order of the graph.
    Functions that the model compiled for itself are dropped, as they hold the former attributes;
    a larger model that contains its layers must not have been run yet.

    Args:
        path: GraphDef in binary form. Constants are float32, or float16, which is widened.
        model: keras.Model of models.inception_v1.InceptionV1, with or without top and auxiliary
            classifiers. A fully connected layer's weights may be (in, out) or (1, 1, in, out).

    Returns:
        Report; constants that the network has no place for are in `skipped`.

    Raises:
        InputError: as graph_def.read() and Constant.values(); another number of LRN nodes than of
            layers; or a part of the network whose constant is missing or of another shape.
    """
    from models.caffe_layers import LocalResponseNormalization

    constants, lrn_nodes = graph_def.read(path)
    wanted = _variables(model)
    fit = {
        name: name in constants and _fits(constants[name].shape(), tuple(variable.shape))
        for name, (variable, _) in wanted.items()
    }
    if not fit or not all(fit.values()):
        raise InputError(_difference(path, model, constants, wanted, fit))
    layers = [layer for layer in model.layers if isinstance(layer, LocalResponseNormalization)]
    pairs = _pair(path, lrn_nodes, layers)
    values = {name: constants[name].values(tuple(wanted[name][0].shape)) for name in wanted}
    for name, value in values.items():
        wanted[name][0].assign(value)
    for node, layer in pairs:
        for attribute, number in lrn_nodes[node].items():
            setattr(layer, attribute, number)
    model.train_function = model.test_function = model.predict_function = None
    loaded = [(name, place) for name, (_, place) in wanted.items()]
    loaded += [(node, layer.name) for node, layer in pairs]
    return Report(loaded, [(name, _reason(name)) for name in constants if name not in wanted])


def classes(path):
    """Return the number of classes of a graph: the outputs of `softmax2_w`.

    All values of that constant must be there, so that a claimed number cannot make the caller
    build a network out of proportion to the file.

    Raises:
        InputError: as graph_def.read() and Constant.values(), or no `softmax2_w` of
            (1024, classes).
    """
    constants, _ = graph_def.read(path)
    if "softmax2_w" not in constants:
        raise InputError(f"{path} has no constant 'softmax2_w', so no classes")
    constant = constants["softmax2_w"]
    shape = constant.shape()
    if shape[:-1] not in ((FEATURES,), (1, 1, FEATURES)) or shape[-1] < 1:
        raise InputError(f"{constant.where} has shape {shape}; accepted: ({FEATURES}, classes)")
    return constant.values(shape, whole=True).shape[-1]


def _variables(model):
    """Return dict constant's name in the graph -> (variable, "layer/variable")."""
    wanted = {}
    for layer in model.layers:
        base = layer.name.removesuffix("_pre_relu").removesuffix("_pre_activation")
        for variable in layer.weights:
            constant = base + SUFFIXES.get(variable.name, f"/{variable.name}")
            wanted[constant] = variable, f"{layer.name}/{variable.name}"
    return wanted


def _fits(held, shape):
    """Whether a constant's shape is a variable's; a matrix may also be a 1 x 1 kernel."""
    return held == shape or (len(shape) == 2 and held == (1, 1, *shape))


def _reason(name):
    if name.endswith(tuple(SUFFIXES.values())):
        return "the network has no such layer"
    return "not named as weights are"


def _pair(path, lrn_nodes, layers):
    """Return the list of (LRN node, layer): by name where all names agree, else in order."""
    names = [layer.name for layer in layers]
    if len(lrn_nodes) != len(layers):
        raise InputError(
            f"{path} has {len(lrn_nodes)} LRN nodes ({', '.join(map(repr, list(lrn_nodes)[:5]))}); "
            f"the network has {len(layers)} normalisations ({', '.join(names[:5])})"
        )
    nodes = names if set(names) == set(lrn_nodes) else list(lrn_nodes)
    return list(zip(nodes, layers, strict=True))


def _difference(path, model, constants, wanted, fit):
    """Say what does not fit, both sides, the first five of each."""
    unused = [name for name in constants if name not in wanted]
    unfit = [name for name in wanted if name in constants and not fit[name]]
    parts = {
        "no constants for": [name for name in wanted if name not in constants],
        "not used of the file": [repr(name) for name in unused],
        "of another shape": [
            f"{name} {constants[name].shape()} for {tuple(wanted[name][0].shape)}" for name in unfit
        ],
    }
    text = "; ".join(
        f"{title} {len(found)}: {', '.join(found[:5])}" for title, found in parts.items() if found
    )
    return f"{path} does not fit {model.name}: {text or 'neither holds weights'}"
