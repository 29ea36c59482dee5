"""Gradient saliency (Simonyan et al. 2013, arXiv 1312.6034, section 3.1)."""

import numpy as np

from models import backend
from models.graph import classifier
from models.network import as_network
from visualization import batches


def saliency(network, logits=True, batch_size=16, channels="max"):
    """Build gradient saliency: how much a class's score changes with each pixel.

    Args:
        network: keras.Model or models.network.Network, RGB pixels (N, H, W, 3) in [0, 255] ->
            (N, classes).
        logits: the score is the class's logit, else the network's own output (softmax).
        batch_size: pictures in one pass.
        channels: `max` over the magnitudes of the three channels, as in the paper; `mean` of
            them; `sum`, signed.

    Returns:
        Callable (pictures, targets=None) -> masks float32 (N, H, W), score per unit of pixel value;
        at least 0 unless `sum`. visualization.methods says what it takes.

    Raises:
        InputError: a network without class scores, or another `channels`.
    """
    return of_gradient(classifier(as_network(network).model, logits), batch_size, channels)


def of_gradient(model, batch_size, channels):
    """The masks of a model's plain gradient; guided backpropagation's are of another model."""
    batches.checked_choice("channels", channels, CHANNELS)
    gradient = backend.input_gradient(model)
    batches.checked_size(batch_size)

    def masks(pictures, targets=None):
        pictures = batches.checked(model, pictures)
        chosen = batches.checked_targets(targets, len(pictures), model.output_shape[-1])
        if chosen is None:  # chosen in the same pass
            chosen = np.full(len(pictures), backend.PREDICTED)

        def batch(i):
            return CHANNELS[channels](gradient(pictures[i], chosen[i])[1])

        return batches.joined(batch, len(pictures), batch_size)

    return masks


def _largest(gradient):
    return np.abs(gradient).max(axis=-1)


def _mean(gradient):
    return np.abs(gradient).mean(axis=-1)


def _sum(gradient):
    return gradient.sum(axis=-1)


CHANNELS = {"max": _largest, "mean": _mean, "sum": _sum}  # (N, H, W, 3) -> (N, H, W)
