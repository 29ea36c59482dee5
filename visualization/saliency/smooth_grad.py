"""SmoothGrad (Smilkov et al. 2017, arXiv 1706.03825): the mean gradient over noisy copies."""

import numpy as np
from keras import ops

from models import backend
from models.errors import InputError
from models.graph import classifier
from models.network import as_network
from visualization.saliency import passes
from visualization.saliency.gradient import CHANNELS
from visualization.whole_numbers import check_whole

SAMPLES = 50  # section 3.2: more than 50 change little
NOISE = 0.15  # section 3.2: 10 to 20 % of the picture's range


def smooth_grad(
    network, logits=True, batch_size=16, samples=SAMPLES, noise=NOISE, channels="max", seed=0
):
    """Build SmoothGrad: the saliency of a picture's mean gradient over copies with noise.

    Args:
        network, logits, channels: as visualization.saliency.gradient.gradient.
        batch_size: noisy copies in one pass, of one picture or several; bounds the memory.
        samples: noisy copies of each picture.
        noise: standard deviation of the Gaussian noise, as a fraction of the picture's greatest
            minus least value.
        seed: of the noise, a whole number; the same at every call. A picture's noise also depends
            on its place among the pictures and on batch_size.

    Returns:
        Callable (pictures, targets=None, progress=None) -> masks float32 (N, H, W). The predicted
        class is that of the clean picture.

    Raises:
        InputError: a network without class scores, or settings that make no sense.
    """
    model = classifier(as_network(network).model, logits)
    passes.check_choice("channels", channels, CHANNELS)
    check_whole("samples", samples, least=1)
    if not noise >= 0:
        raise InputError(f"noise {noise!r}; accepted: 0 or more, a fraction of the value range")

    def noisy(pictures, numbers, key):
        axes = (1, 2, 3)
        span = ops.max(pictures, axes, keepdims=True) - ops.min(pictures, axes, keepdims=True)
        shape = (pictures.shape[0], numbers.shape[0], *pictures.shape[1:])
        return pictures[:, None] + noise * span[:, None] * backend.standard_normal(shape, key)

    numbers = np.arange(samples)
    mean = passes.summed_gradient(model, noisy, numbers, np.full(samples, 1 / samples), batch_size)
    outputs = passes.outputs(model, batch_size)

    def masks(pictures, targets=None, progress=None):
        pictures = passes.check_pictures(model, pictures)
        chosen = passes.check_targets(targets, len(pictures), model.output_shape[-1])
        chosen = outputs(pictures).argmax(axis=-1) if targets is None else chosen
        return CHANNELS[channels](mean(pictures, chosen, seed, progress))

    return masks
