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

POOLINGS = (keras.layers.MaxPooling2D, keras.layers.AveragePooling2D)


def grad_cam(network, logits=True, batch_size=16, layer=None):
    """Build Grad-CAM: the last feature maps, weighed by how much a class's score needs them.

    Equations 1 and 2 of the paper: weight of a channel = mean over places of the score's gradient
    to it; map = positive part of the weighted sum; then bilinear to the picture's size.

    Args:
        network, logits: as visualization.saliency.gradient.gradient.
        batch_size: pictures in one pass.
        layer: name of the layer, as models.graph.find_layer takes it; None for the last one with
            maps of more than one pixel that is no pooling.

    Returns:
        Callable (pictures, targets=None) -> masks float32 (N, H, W), at least 0.

    Raises:
        InputError: a network without class scores, no such layer, or one without maps.
    """
    model = graph.classifier(as_network(network).model, logits)
    check_whole("batch_size", batch_size, least=1)
    traced = graph.trace(model)
    feature_map = _named(model, traced, layer) if layer is not None else _last(model, traced)
    features = backend.forward(keras.Model(traced.input, feature_map))
    # a branch beside the layer still reads the pixels
    pixels = [traced.input] if _goes_past(traced, feature_map) else []
    head = keras.Model([feature_map, *pixels], traced.output)
    gradient = backend.input_gradient(head, lambda *inputs: list(inputs))

    def masks(pictures, targets=None):
        pictures = passes.check_pictures(model, pictures)
        chosen = passes.check_targets(targets, len(pictures), model.output_shape[-1])

        def batch(i):
            maps = features(pictures[i])
            beside = [pictures[i].astype(np.float32)] if pixels else []
            weights = gradient(maps, chosen[i], *beside)[1].mean(axis=(1, 2))
            summed = np.einsum("nhwc,nc->nhw", maps.astype(np.float32), weights)
            positive = np.maximum(summed, 0)[..., None]
            return ops.convert_to_numpy(ops.image.resize(positive, pictures.shape[1:3]))[..., 0]

        return collect(batch, in_memory(len(pictures), batch_size))

    return masks


def _has_places(tensor):
    """Whether a Keras tensor holds maps of more than one pixel; unknown sizes count as such."""
    shape = getattr(tensor, "shape", ())
    return len(shape) == 4 and tuple(shape[1:3]) != (1, 1)


def _last(model, traced):
    for call in reversed(traced.calls):
        if _has_places(call.output) and not isinstance(call.operation, POOLINGS):
            return call.output
    raise InputError(f"{model.name} has no layer with maps; Grad-CAM needs one")


def _named(model, traced, name):
    layer = graph.find_layer(model, name)
    feature_map = traced.output_of(layer)
    if _has_places(feature_map):
        return feature_map
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
