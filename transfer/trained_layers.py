"""Which layers of a classifier are trained, or drawn anew: words of the papers -> layers.

| text | layers |
| --- | --- |
| `all` | every one |
| `head` | the dense layer on the pooled features |
| `skip_first:N` | all but the first N convolutions |
| `last:N` | the last N of the graph, whatever they do, the head counted (Gonthier et al. 2020) |
| `from:LAYER` | that one and all behind it, e.g. `from:mixed5a` |
| `skip_first`, `skip_first2`, `only_last3`, `only_last` | Cetinic et al. 2018, section 4.2 |

Behind a layer is what follows it in the order in which Keras lists a graph's layers, which is that
in which they run.
"""

import difflib

from models.errors import InputError

NUMBERED = ("skip_first", "last")
# Cetinic et al. 2018, section 4.2, for CaffeNet's conv1 to fc8; GoogLeNet has other layers, so what
# stands for them there is ours: its three first convolutions, which are before the first module,
# for conv1 and conv2; its last two modules for fc6 and fc7.
SCENARIOS = {
    "skip_first": {"CaffeNet": "skip_first:1", "GoogLeNet": "skip_first:1"},
    "skip_first2": {"CaffeNet": "skip_first:2", "GoogLeNet": "skip_first:3"},
    "only_last3": {"CaffeNet": "from:fc6", "GoogLeNet": "from:mixed5a"},
    "only_last": {},  # the head of any network
}
# words for the head alone: the layer before it pools or drops out and has no weights. Not
# from:head, since a network may have layers head_...
HEAD_ALONE = ("head", "only_last", "last:1", "last:2")
ACCEPTED = "all, head, skip_first:N, last:N, from:LAYER, " + ", ".join(SCENARIOS)


def check(name, text):
    """Refuse what names no layers in any network.

    Args:
        name: of the setting, for the error.
        text: as in this file's table; `none` for the setting `redrawn` too.

    Raises:
        InputError: it says what was given and what is accepted.
    """
    word, colon, rest = text.partition(":")
    if text in ("all", "head", *SCENARIOS) or (name == "redrawn" and text == "none"):
        return
    if colon and word in NUMBERED and rest.isdecimal() and int(rest) > 0:
        return
    if not (colon and word == "from" and rest):
        none = "none, " if name == "redrawn" else ""
        raise InputError(f"{name} is {text!r}; accepted: {none}{ACCEPTED}")


def select(model, text, network):
    """The layers of a classifier that a text names.

    Args:
        model: flat keras.Model from models.zoo.build, with its layers `features` and `head`.
        text: as in this file's table.
        network: name of the architecture, for the papers' words.

    Returns:
        list of Keras layers, in the order of the graph.

    Raises:
        InputError: the network has no such layers, or fewer.
    """
    text = _for_network(text, network)
    word, _, rest = text.partition(":")
    layers = list(model.layers)
    if word == "all":
        return layers
    if word == "head":
        return [model.get_layer("head")]
    if word == "from":
        return layers[_place(layers, rest) :]
    if word == "last":
        _check_number(text, len(layers), "layers", network)
        return layers[-int(rest) :]
    convolutions = [layer for layer in layers if _is_convolution(layer)]
    _check_number(text, len(convolutions), "convolutions", network)
    return layers[layers.index(convolutions[int(rest) - 1]) + 1 :]


def in_words(text, network):
    """What a text names in a network, in words.

    Args:
        text: as in this file's table.
        network: name of the architecture.

    Raises:
        InputError: a scenario that is not told for the network.
    """
    word, _, rest = _for_network(text, network).partition(":")
    convolutions = "convolution" if rest == "1" else f"{rest} convolutions"
    return {
        "all": "every layer",
        "head": "the layer of the classes alone",
        "skip_first": f"all but the first {convolutions}",
        "last": f"the last {rest} layers",
        "from": f"{rest} and all behind it",
    }[word]


def _for_network(text, network):
    if text == "only_last":
        return "head"
    if text not in SCENARIOS:
        return text
    base = network.partition("(")[0]
    base = {"InceptionV1": "GoogLeNet"}.get(base, base)
    if base not in SCENARIOS[text]:
        raise InputError(
            f"layers is {text!r}, which is told for {', '.join(SCENARIOS[text])}; for {network} "
            "name them: skip_first:N, last:N or from:LAYER"
        )
    return SCENARIOS[text][base]


def _place(layers, name):
    """Where a layer is, or a module such as `mixed5a`, whose layers begin with its name."""
    inside = [n for n, la in enumerate(layers) if la.name == name or la.name.startswith(f"{name}_")]
    if inside:
        return inside[0]
    names = [layer.name for layer in layers]
    near = difflib.get_close_matches(name, names, 3) or names[:3]
    raise InputError(f"layers from {name!r}: the network has none; near: {', '.join(near)}")


def _check_number(text, count, what, network):
    if int(text.partition(":")[2]) >= count:
        raise InputError(f"layers is {text!r}; {network} has {count} {what}, the head included")


def _is_convolution(layer):
    return "Conv" in type(layer).__name__
