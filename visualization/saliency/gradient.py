"""Gradient saliency (Simonyan et al. 2013, arXiv 1312.6034, section 3.1)."""

import numpy as np

from models import backend
from models.graph import classifier
from models.network import as_network
from transfer.inference import collect, in_memory
from visualization.saliency import passes
from visualization.whole_numbers import check_whole

CHANNELS = {  # gradients (N, H, W, 3) -> masks (N, H, W)
    "max": lambda gradients: np.abs(gradients).max(axis=-1),
    "mean": lambda gradients: np.abs(gradients).mean(axis=-1),
    "sum": lambda gradients: gradients.sum(axis=-1),
}


def gradient(network, logits=True, batch_size=16, channels="max"):
    """Build gradient saliency: how much a class's score changes with each pixel.

    Args:
        network: keras.Model or models.network.Network, RGB pixels (N, H, W, 3) in [0, 255] ->
            (N, classes).
        logits: the score is the class's logit, else the network's own output (softmax).
        batch_size: pictures in one pass.
        channels: `max` over the magnitudes of the three channels, as in the paper; `mean` of
            them; `sum`, signed.

    Returns:
        Callable (pictures, targets=None, progress=None) -> masks float32 (N, H, W), score per unit
        of pixel value; at least 0 unless `sum`. visualization.saliency.methods says what it takes.

    Raises:
        InputError: a network without class scores, or another `channels`.
    """
    return of_gradient(classifier(as_network(network).model, logits), batch_size, channels)


def of_gradient(model, batch_size, channels):
    """The masks of a model's plain gradient; guided backpropagation's are of another model."""
    passes.check_choice("channels", channels, CHANNELS)
    slope = backend.input_gradient(model)
    check_whole("batch_size", batch_size, least=1)

    def masks(pictures, targets=None, progress=None):
        pictures = passes.check_pictures(model, pictures)
        chosen = passes.check_targets(targets, len(pictures), model.output_shape[-1])

        def batch(i):
            return CHANNELS[channels](slope(pictures[i], chosen[i])[1])

        return collect(batch, in_memory(len(pictures), batch_size), progress=progress)

    return masks
