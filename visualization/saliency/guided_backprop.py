"""Guided backpropagation (Springenberg et al. 2014, arXiv 1412.6806, section 3.4).

At every ReLU only positive gradients go back, and only where the ReLU's input was positive. The
ReLU itself sees to the second: so the network's own layers are called again, each ReLU followed by
an identity that lets only positive gradients through. Nothing is copied, and the network is not
changed.
"""

import keras
from keras import ops

from models import graph
from models.errors import InputError
from models.network import as_network
from visualization.saliency.gradient import of_gradient


@keras.saving.register_keras_serializable("art_transfer")
class PositiveGradient(keras.layers.Layer):
    """The identity, whose gradient is the positive part of the one that arrives. Any shape."""

    def call(self, inputs):
        return _positive_gradient(inputs)

    def compute_output_shape(self, input_shape):
        return input_shape


@ops.custom_gradient
def _positive_gradient(x):
    return x, ops.relu


def guided_backprop(network, logits=True, batch_size=16, channels="max"):
    """Build guided backpropagation.

    Args:
        network, logits, batch_size, channels: as visualization.saliency.gradient.gradient.

    Returns:
        Callable (pictures, targets=None, progress=None) -> masks float32 (N, H, W), at least 0
        unless `channels` is `sum`.

    Raises:
        InputError: a network without class scores, or without ReLU.
    """
    model = graph.classifier(as_network(network).model, logits)
    return of_gradient(guided(model), batch_size, channels)


def guided(model):
    """The same network, with its own layers, whose ReLUs let only positive gradients back.

    ReLU and ReLU6 count, as models.graph.relu_limit knows them.

    Args:
        model: keras.Model, functional or sequential, one input.

    Returns:
        keras.Model with the same outputs.
    """
    gates, own = [], graph.SharedLayers()

    def call(operation, *args, **kwargs):
        output = own.call(operation, *args, **kwargs)
        if graph.relu_limit(operation) is None:
            return output
        gates.append(PositiveGradient(dtype=output.dtype))
        return gates[-1](output)

    traced = graph.trace(model, call=call)
    if not gates:
        raise InputError(f"{model.name} has no ReLU; guided backpropagation needs them")
    return keras.Model(traced.input, traced.output, name=f"{model.name}_guided")
