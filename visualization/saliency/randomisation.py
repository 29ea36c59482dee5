"""The model-randomisation test (Adebayo et al. 2018, arXiv 1810.03292, section 3.1).

A map that stays the same when the network's weights are drawn anew is not about the network.
"""

from dataclasses import dataclass

import keras
import numpy as np
from scipy import stats

from models import initializers
from models.errors import InputError
from models.network import as_network
from visualization.saliency import passes
from visualization.whole_numbers import check_whole

BATCH = 16  # pictures in one pass, for the predicted classes


@dataclass(frozen=True)
class Randomisation:
    """How much of a method's masks is left as a network's layers are drawn anew, from the top.

    layers: tuple of str, the lowest layer drawn anew at each stage; the first is "" (none yet).
    correlations: float (stages, N), Spearman's rank correlation of each picture's mask with the
    original one, in [-1, 1]; not a number where a mask is constant.
    """

    layers: tuple
    correlations: np.ndarray


def randomisation(network, method, pictures, targets=None, stages=8, seed=0):
    """Run the cascading test: draw ever more layers anew, and compare the masks at every stage.

    Kernels are drawn from He-uniform (He et al. 2015); other weights become those of a new network
    (biases 0, batch normalisations neutral). A Normalization stays: it only scales pixels.

    Args:
        network: keras.Model or models.network.Network; a copy of it is randomised.
        method: function network -> callable (pictures, targets) -> masks, as those in
            visualization.saliency.methods.METHODS. Signed masks are compared with their signs; to
            compare magnitudes, give a method that returns these.
        pictures: (N, H, W, 3), RGB in [0, 255].
        targets: class indices, one or (N,), the same at every stage; None for the classes that
            the original network predicts.
        stages: how many times layers are drawn, evenly over all layers with weights, each drawn
            once; the last stage has drawn all. More than there are layers: one layer a stage.
        seed: of the weights.

    Returns:
        Randomisation of stages + 1 rows; the first is that of the original network, 1.

    Raises:
        InputError: a network without weights, or what the method refuses.
    """
    model = as_network(network).model
    check_whole("stages", stages, least=1)
    pictures = passes.check_pictures(model, pictures)
    if targets is None and len(model.outputs) == 1:
        targets = passes.outputs(model, BATCH)(pictures).argmax(axis=-1)
    changing, drawn = _copy(model), _copy(model)
    initializers.draw_he_uniform(drawn, seed)
    _fill(changing, model)
    pairs = list(zip(_weighted(changing), _weighted(drawn), strict=True))[::-1]
    if not pairs:
        raise InputError(f"{model.name} has no weights to draw anew")
    masks = method(changing)
    original = masks(pictures, targets)
    names, rows = [""], [rank_correlations(original, original)]
    for part in np.array_split(np.arange(len(pairs)), min(stages, len(pairs))):
        for i in part:
            layer, new = pairs[i]
            layer.set_weights(new.get_weights())
        names.append(pairs[part[-1]][0].name)
        rows.append(rank_correlations(original, masks(pictures, targets)))
    return Randomisation(tuple(names), np.array(rows))


def rank_correlations(masks, others):
    """Spearman's rank correlation of each mask with its other: two (N, H, W) -> float (N,)."""
    return np.array([_rank_correlation(a, b) for a, b in zip(masks, others, strict=True)])


def _rank_correlation(mask, other):
    if np.ptp(mask) == 0 or np.ptp(other) == 0:
        return np.nan
    return stats.spearmanr(mask, other, axis=None).statistic


def _copy(model):
    """A network of the same layers with weights of its own, at their initial values."""
    try:
        return keras.models.clone_model(model)
    except ValueError as error:
        raise InputError(f"{model.name} cannot be copied: {error}") from error


def _fill(copy, model):
    """Give a copy the weights of its original."""
    copy.set_weights(model.get_weights())
    for layer in _layers(copy):
        if hasattr(layer, "finalize_state"):  # Normalization uses what it made of its weights
            layer.finalize_state()


def _weighted(model):
    """Every layer with weights to draw, from the first to the last."""
    for layer in _layers(model):
        if layer.weights and not isinstance(layer, keras.layers.Normalization):
            yield layer


def _layers(model):
    """Every layer, from the first to the last, those of networks inside too."""
    for layer in model.layers:
        yield from _layers(layer) if isinstance(layer, keras.Model) else [layer]
