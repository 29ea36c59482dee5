"""Grad-CAM (Selvaraju et al. 2017, arXiv 1610.02391)."""

import keras
import numpy as np
from keras import ops

from models import backend, graph
from models.errors import InputError
from models.network import as_network
from transfer.inference import collect, in_memory
from visualization.saliency import passes
from visualization.whole_numbers import check_whole

# layers whose maps are another's: smaller, or with a border of zeros
NO_FEATURES = (
    keras.layers.MaxPooling2D,
    keras.layers.AveragePooling2D,
    keras.layers.ZeroPadding2D,
)
# pixels of a map, down and across, that still say where: as many as VGG16 and ResNet, the networks
# of the paper, have at 224 pixels (14 and 7)
LEAST = 7


def grad_cam(network, logits=True, batch_size=16, layer=None, say=None):
    """Build Grad-CAM: the last feature maps, weighed by how much a class's score needs them.

    Equations 1 and 2 of the paper: weight of a channel = mean over places of the score's gradient
    to it; map = positive part of the weighted sum; then bilinear to the picture's size.

    Args:
        network, logits: as visualization.saliency.gradient.gradient.
        batch_size: pictures in one pass.
        layer: name of the layer, as models.graph.find_layer takes it, or of a network inside, whose
            output is meant; None for the last one that is no pooling and whose maps have at least
            7 x 7 pixels, on small pictures one further up than the last; where no map has as many,
            the last one with more than one pixel. A network of any size has one for each size of
            pictures.
        say: called with a line that names the layer; None: not told.

    Returns:
        Callable (pictures, targets=None, progress=None) -> masks float32 (N, H, W), at least 0.

    Raises:
        InputError: a network without class scores, no such layer, or one without maps.
    """
    given = as_network(network)
    model = given.model
    graph.check_scores(model)
    check_whole("batch_size", batch_size, least=1)
    own, built = tuple(graph.input_of(model).shape[1:3]), {}
    # what is not there is refused before the first picture, whose size is not known then
    size = (given.size, given.size) if None in own and given.size else own
    traced, found, feature_map = _traced(model, size, layer)

    def of_size(size, *chosen):
        if size not in built:
            traced, found, feature_map = chosen or _traced(model, size, layer)
            if say:
                sides = " x ".join(map(str, feature_map.shape[1:3]))
                say(f"grad_cam: maps of {graph.name_of(model, found)}, {sides} pixels")
            built[size] = _compiled(traced, feature_map, logits)
        return built[size]

    if None not in size:
        of_size(size, traced, found, feature_map)

    def masks(pictures, targets=None, progress=None):
        pictures = passes.check_pictures(model, pictures)
        chosen = passes.check_targets(targets, len(pictures), model.output_shape[-1])
        of_batch = of_size(pictures.shape[1:3])
        batches = in_memory(len(pictures), batch_size)
        return collect(lambda i: of_batch(pictures[i], chosen[i]), batches, progress=progress)

    return masks


def _traced(model, size, layer):
    """(The model's Graph at a size, the layer whose maps are weighed, its Keras tensor)."""
    traced = graph.trace(model, size)
    return traced, *(_chosen(model, traced) if layer is None else _named(model, traced, layer))


def _compiled(traced, feature_map, logits):
    """Function (pictures, targets) of a batch -> its masks float32 (n, H, W)."""
    features = backend.forward(keras.Model(traced.input, feature_map))
    # a branch beside the layer still reads the pixels
    pixels = [traced.input] if _goes_past(traced, feature_map) else []
    scores = graph.logits_of(traced) if logits else traced.output
    head = keras.Model([feature_map, *pixels], scores)
    gradient = backend.input_gradient(head, lambda *inputs: list(inputs))

    def masks(pictures, targets):
        maps = features(pictures)
        beside = [pictures.astype(np.float32)] if pixels else []
        weights = gradient(maps, targets, *beside)[1].mean(axis=(1, 2))
        summed = np.einsum("nhwc,nc->nhw", maps.astype(np.float32), weights)
        positive = np.maximum(summed, 0)[..., None]
        return ops.convert_to_numpy(ops.image.resize(positive, pictures.shape[1:3]))[..., 0]

    return masks


def _has_places(tensor):
    """Whether a Keras tensor holds maps of more than one pixel; unknown sizes count as such."""
    shape = getattr(tensor, "shape", ())
    return len(shape) == 4 and tuple(shape[1:3]) != (1, 1)


def _chosen(model, traced):
    """(Layer, its map): the last whose map is large enough to say where, else the last with maps.

    Before the last, a layer is taken that the whole network goes through, not a branch.
    """
    maps = [
        (call.operation, call.output)
        for call in reversed(traced.calls)
        if _has_places(call.output) and not isinstance(call.operation, NO_FEATURES)
    ]
    if not maps:
        raise InputError(f"{model.name} has no layer with maps; Grad-CAM needs one")
    large = [found for found in maps if all(x is None or x >= LEAST for x in found[1].shape[1:3])]
    if not large or large[0] is maps[0]:
        return maps[0]
    return next((found for found in large if not _goes_past(traced, found[1])), large[0])


def _named(model, traced, name):
    """(Layer, its map) of a name."""
    layer = graph.find_layer(model, name)
    feature_map = traced.output_of(layer)
    if _has_places(feature_map):
        return layer, feature_map
    raise InputError(
        f"layer {layer.name!r} of {model.name} is a {type(layer).__name__} without maps (N, H, W, "
        "channels) of its own"
    )


def _goes_past(traced, feature_map):
    """Whether the output can be reached from the pixels without this map."""
    reached = {id(traced.input)}
    for call in traced.calls:
        if call.output is not feature_map and any(id(x) in reached for x in call.inputs):
            reached |= {id(x) for x in keras.tree.flatten(call.output)}
    return id(traced.output) in reached
