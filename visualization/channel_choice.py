"""Which channels to make optimized images of: by a rule, or by layer and number."""

import re
from dataclasses import dataclass

import numpy as np

from models.errors import InputError
from visualization.whole_numbers import channel_numbers

RULES = {
    "least-overlap": "the lowest overlap of the top sets",
    "entropy": "the lowest entropy of the top set after",
}
ACCEPTED = f"{' or '.join(f'{rule}:50' for rule in RULES)}, LAYER:all or LAYER:3,7-9"


@dataclass(frozen=True)
class Choice:
    """Channels that are asked for.

    text: as it was written. rule: a name in RULES, or None. count: how many channels by the rule.
    layer: name, or None. channels: numbers, or None for all of the layer.
    """

    text: str
    rule: str | None = None
    count: int = 0
    layer: str | None = None
    channels: tuple | None = None


def read_choice(text):
    """Read `least-overlap:50`, `entropy:50`, `LAYER:all` or `LAYER:3,7-9` into a Choice.

    Raises:
        InputError: another text.
    """
    name, colon, what = text.rpartition(":")
    if not colon or not name or not what:
        raise InputError(f"optimize {text!r}; accepted: {ACCEPTED}")
    if name in RULES:
        if not re.fullmatch(r"[1-9]\d{0,8}", what):
            raise InputError(f"optimize {text!r}; accepted: {name}: and a number above 0")
        return Choice(text, rule=name, count=int(what))
    try:
        return Choice(text, layer=name, channels=channel_numbers(what))
    except InputError:
        raise InputError(f"optimize {text!r}; accepted: {ACCEPTED}") from None


def find_channels(choices, layers, ranked):
    """Find the channels that are asked for.

    Args:
        choices: Choices.
        layers: name -> tuple of (convolution, its channels), of every convolution that is compared
            channel by channel, and of their concatenations.
        ranked: rule -> list of (convolution, channel), the first to be taken first.

    Returns:
        List of (convolution, channel), each once, by layer in their order.

    Raises:
        InputError: a layer or channel that is not there, or a rule that nothing can be told of.
    """
    found = set()
    for choice in choices:
        if choice.rule:
            if not ranked[choice.rule]:
                raise InputError(
                    f"optimize {choice.text}: no channel has {RULES[choice.rule]}, which needs "
                    "K pictures with a score above 0 in both networks, and classes for entropy"
                )
            found.update(ranked[choice.rule][: choice.count])
        else:
            found.update(_of_layer(choice, layers))
    place = {name: number for number, name in enumerate(layers)}
    return sorted(found, key=lambda one: (place[one[0]], one[1]))


def _of_layer(choice, layers):
    if choice.layer not in layers:
        raise InputError(
            f"optimize {choice.text}: no layer {choice.layer!r} is compared channel by channel; "
            f"accepted: {', '.join(layers)}"
        )
    branches = layers[choice.layer]
    every = [(name, channel) for name, count in branches for channel in range(count)]
    if choice.channels is None:
        return every
    beyond = [channel for channel in choice.channels if channel >= len(every)]
    if beyond:
        raise InputError(
            f"optimize {choice.text}: {choice.layer} has no channel {beyond[0]}; accepted: 0 to "
            f"{len(every) - 1}"
        )
    return [every[channel] for channel in choice.channels]


def rank(channels, values):
    """Channels by a value, the lowest first, ties in the order of the table.

    Args:
        channels: DataFrame with layer and channel.
        values: float (channels,); those that are no number are left out.

    Returns:
        List of (layer, channel).
    """
    order = np.argsort(values, kind="stable")
    order = order[np.isfinite(np.asarray(values)[order])]
    chosen = channels.iloc[order]
    return [
        (layer, int(channel))
        for layer, channel in zip(chosen["layer"], chosen["channel"], strict=True)
    ]
