"""Is a map about the network? Randomisation and deletion/insertion of several methods together."""

from dataclasses import dataclass

import numpy as np

from visualization import networks, views
from visualization.deletion import deletion, insertion
from visualization.randomisation import randomisation

STEPS = 16  # of the curves: half of what visualization.deletion takes, enough for a small plot
RANDOM = "random order"  # curves of pixels in random order: what a method must beat


@dataclass(frozen=True)
class Check:
    """The checks of one network.

    title: of the network. output: what curves show, as in models.network.Network. randomisations:
    dict method -> randomisation.Randomisation. deletions, insertions: dict method, or RANDOM, ->
    deletion.Curves; empty for a network without classes.
    """

    title: str
    output: str | None
    randomisations: dict
    deletions: dict
    insertions: dict


def check(network, pictures, settings, seed=0, say=print):
    """Run the randomisation test, and where there are classes both curves, for every method.

    Args:
        network: models.network.Network.
        pictures: (N, size, size, 3), RGB in [0, 255].
        settings: views.Settings; its target is the class of masks and curves.
        seed: of the new weights and of the random order.
        say: called with a line for each method begun.

    Returns:
        Check.
    """
    outputs = networks.output_of(network, settings.batch_size)(pictures)
    target = network.class_index(settings.target)
    targets = np.zeros(len(pictures), np.int32)  # of no class: not read
    if outputs is not None:
        targets = outputs.argmax(axis=-1) if target is None else targets + target
    random = np.random.default_rng(seed).random(pictures.shape[:3])
    stays, masks = {}, {}
    for name in settings.methods:
        say(f"checking {name} of {network.spec} on {len(pictures)} pictures")
        method = views.builder(name, settings)
        masks[name] = method(network.model)(pictures, targets)
        stays[name] = randomisation(network.model, method, pictures, targets, seed=seed)
    orders = {} if network.output is None else {**masks, RANDOM: random}
    curves = [
        {
            name: curve(network.model, pictures, order, targets, STEPS, settings.batch_size)
            for name, order in orders.items()
        }
        for curve in (deletion, insertion)
    ]
    return Check(network.title, network.output, stays, *curves)


def lines(check):
    """A line for each method: what is left of its masks at the end, and its areas."""
    for name, found in check.randomisations.items():
        left = (
            np.nanmean(found.correlations[-1])
            if np.isfinite(found.correlations[-1]).any()
            else np.nan
        )
        title = check.title.replace("\n", " ")
        text = f"{title}, {name}: rank correlation {left:.2f} when all layers are random"
        if name in check.deletions:
            text += (
                f"; deletion {check.deletions[name].areas.mean():.3f} "
                f"(random {check.deletions[RANDOM].areas.mean():.3f}), "
                f"insertion {check.insertions[name].areas.mean():.3f} "
                f"(random {check.insertions[RANDOM].areas.mean():.3f})"
            )
        yield text
