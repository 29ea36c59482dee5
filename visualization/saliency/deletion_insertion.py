"""Deletion and insertion curves (Petsiuk et al. 2018, RISE, arXiv 1806.07421, section 4.3)."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from models.errors import InputError
from models.graph import classifier
from models.network import as_network
from transfer.inference import collect, in_memory
from visualization.saliency import passes
from visualization.whole_numbers import check_whole

STEPS = 32
# What deleted pixels become: ImageNet's mean RGB, 0 to the networks of the paper
FILL = (123.675, 116.28, 103.53)
BLUR = 5.0  # pixels, standard deviation; the released code's Gaussian is 11 x 11 with sigma 5
BLUR_RADIUS = 5


@dataclass(frozen=True)
class Curves:
    """A class's probability as pixels go or come, most salient first.

    fractions: float (steps + 1,), share of the pixels changed, 0 to 1. probabilities: float
    (N, steps + 1). areas: float (N,), under the curve, trapezoid rule: a good mask has a small one
    for deletion, a great one for insertion.
    """

    fractions: np.ndarray
    probabilities: np.ndarray
    areas: np.ndarray


def deletion(network, pictures, masks, targets=None, steps=STEPS, batch_size=16, fill=FILL):
    """Replace the most salient pixels first by one colour, and watch the class's probability.

    Args:
        network: keras.Model or models.network.Network, RGB pixels (N, H, W, 3) in [0, 255] ->
            probabilities (N, classes); its output is taken as it is.
        pictures: (N, H, W, 3), RGB in [0, 255].
        masks: (N, H, W), greatest value most salient; equal values from top left on.
        targets: class indices, one or (N,); None for the classes predicted.
        steps: equal parts in which the pixels are changed.
        batch_size: changed pictures in one pass.
        fill: RGB in [0, 255] of a deleted pixel.

    Returns:
        Curves.

    Raises:
        InputError: masks that do not fit the pictures or are not finite, and bad settings.
    """

    def ends(pictures):
        return pictures, np.broadcast_to(np.asarray(fill, np.float32), pictures.shape)

    return _curves(network, pictures, ends, masks, targets, steps, batch_size)


def insertion(network, pictures, masks, targets=None, steps=STEPS, batch_size=16, blur=BLUR):
    """Put the most salient pixels first into the blurred picture; otherwise as `deletion`.

    Args:
        blur: standard deviation in pixels of the Gaussian that blurs.
    """

    def ends(pictures):
        sigma, radius = (0, blur, blur, 0), (0, BLUR_RADIUS, BLUR_RADIUS, 0)
        return ndimage.gaussian_filter(pictures, sigma, radius=radius), pictures

    return _curves(network, pictures, ends, masks, targets, steps, batch_size)


def _curves(network, pictures, ends, masks, targets, steps, batch_size):
    """The curves from one end to the other; ends: pictures float32 -> those before and after."""
    model = classifier(as_network(network).model, logits=False)
    check_whole("steps", steps, least=1)
    pictures = passes.check_pictures(model, pictures).astype(np.float32)
    masks = np.asarray(masks)
    if masks.shape != pictures.shape[:3] or not np.isfinite(masks).all():
        raise InputError(f"masks {masks.shape}; accepted: {pictures.shape[:3]}, finite numbers")
    outputs = passes.outputs(model, batch_size)
    chosen = passes.check_targets(targets, len(pictures), model.output_shape[-1])
    chosen = outputs(pictures).argmax(axis=-1) if targets is None else chosen
    before, after = ends(pictures)
    fractions = np.linspace(0, 1, steps + 1)
    changed_at = _ranks(masks) / masks[0].size  # of its picture's pixels, the share changed before

    def batch(i):
        picture, step = np.divmod(i, steps + 1)
        changed = (changed_at[picture] < fractions[step, None, None])[..., None]
        scores = outputs(np.where(changed, after[picture], before[picture]))
        return scores[np.arange(len(i)), chosen[picture]]

    each = collect(batch, in_memory(len(pictures) * (steps + 1), batch_size))
    probabilities = each.reshape(len(pictures), steps + 1).astype(np.float64)
    between = (probabilities[:, 1:] + probabilities[:, :-1]) / 2
    return Curves(fractions, probabilities, between.mean(axis=1))


def _ranks(masks):
    """Place of each pixel in its mask by falling saliency, from 0: (N, H, W) -> int (N, H, W)."""
    order = np.argsort(-masks.reshape(len(masks), -1), axis=1, kind="stable")
    return np.argsort(order, axis=1, kind="stable").reshape(masks.shape)
