"""Which layers of two networks, and of a third, are compared with each other; their kernels.

Layers go by their names, or by a file that says which belongs to which. Those of a network inside
another are called by paths, `trunk/stem`, and a training here takes it apart: a layer that the
other network does not have by its whole name goes by the last part of it, where both have that
once. A concatenation of convolutions is a layer too; its channels are those of its branches.
"""

from dataclasses import dataclass

import keras
import numpy as np

from models import graph
from models.errors import InputError
from transfer.metadata import read_csv
from visualization import activations, similarity

SHOWN = 8  # names that an error lists


@dataclass(frozen=True)
class Layer:
    """A layer of a network whose channels are looked at.

    branches: the convolutions whose channels it has, in order; of a convolution itself alone.
    widths: of the branches, in channels. is_stage: whether all that the network computes passes
    through it, or it is a concatenation: those are in a row, one behind the other; in a network
    without concatenations every convolution counts.
    """

    name: str
    branches: tuple
    widths: tuple
    is_stage: bool

    @property
    def is_joined(self):
        """Whether it is a concatenation."""
        return self.branches != (self.name,)

    @property
    def channels(self):
        """How many channels it has."""
        return sum(self.widths)


@dataclass(frozen=True)
class Match:
    """Layers of several networks that are compared; of: network's key -> Layer; depth: from 0."""

    of: dict
    depth: int

    @property
    def name(self):
        """What it is called: its name in the first network."""
        return next(iter(self.of.values())).name

    @property
    def is_joined(self):
        """Whether it is a concatenation."""
        return any(layer.is_joined for layer in self.of.values())

    @property
    def is_stage(self):
        """Whether it is one of those in a row in the first network."""
        return next(iter(self.of.values())).is_stage

    def has_same_channels(self, *keys):
        """Whether a channel of it in one of these networks is one in the others."""
        return len({self.of[key].widths for key in keys if key in self.of}) == 1

    def is_channel_by_channel(self, key):
        """Whether a network has the layer, and with the first network's channels."""
        return key in self.of and self.has_same_channels(next(iter(self.of)), key)


@dataclass(frozen=True)
class Matches:
    """What several networks have in common.

    layers: tuple of Match in order of depth. alone: network's key -> names of the layers that are
    compared with none, of the first two networks.
    """

    layers: tuple
    alone: dict

    @property
    def channelled(self):
        """The convolutions that the first two compare channel by channel: tuple of Match."""
        return tuple(
            match
            for match in self.layers
            if not match.is_joined and match.has_same_channels(*self.alone)
        )


def layers_of(model):
    """List the convolutions of a network, and their concatenations behind their last branch.

    Args:
        model: keras.Model.

    Returns:
        Tuple of Layer, in the order of the graph.

    Raises:
        InputError: a network without a convolution.
    """
    names = activations.convolutions(model)
    if not names:
        raise InputError(f"{model.name} has no convolution; accepted: networks that have some")
    joined, passed = activations.concatenations(model), _passed_by_all(model)
    place = {name: (number, 0) for number, name in enumerate(names)}
    for name, branches in joined.items():
        place[name] = max(place[branch] for branch in branches)[0], 1 + len(branches)
    widths = {name: _width(model, name) for name in names}
    layers = []
    for name in sorted(place, key=place.get):
        branches = joined.get(name, (name,))
        in_row = id(graph.find_layer(model, name)) in passed
        is_stage = name in joined or not joined or in_row
        layers.append(Layer(name, tuple(branches), tuple(widths[b] for b in branches), is_stage))
    return tuple(layers)


def _width(model, name):
    """Channels of a convolution."""
    return int(graph.find_layer(model, name).output.shape[-1])


def _passed_by_all(model):
    """Ids of the layers after which nothing is computed from anything but their output."""
    traced = graph.trace(model)
    last = {}  # id of a tensor -> number of the last call that reads it
    for number, call in enumerate(traced.calls):
        last |= {id(tensor): number for tensor in call.inputs}
    # the network's outputs are read after all calls
    last |= {id(tensor): len(traced.calls) for tensor in keras.tree.flatten(traced.output)}
    passed, needed = set(), {id(traced.input): last.get(id(traced.input), 0)}
    for number, call in enumerate(traced.calls):
        given = [id(tensor) for tensor in keras.tree.flatten(call.output)]
        needed |= {tensor: last.get(tensor, number) for tensor in given}
        needed = {tensor: until for tensor, until in needed.items() if until > number}
        if list(needed) == given:
            passed.add(id(call.operation))
    return passed


def chosen(layers, names, network):
    """Those of a network's layers that are asked for, with the branches of concatenations.

    Args:
        layers: tuple of Layer.
        names: as models.graph.find_layer takes them; none for all.
        network: its name, for the error.

    Raises:
        InputError: a name of no convolution or concatenation.
    """
    if not names:
        return layers
    known = {layer.name: layer for layer in layers}
    wanted = [name.removesuffix(":0") for name in names]
    for name in wanted:
        if name not in known:
            raise InputError(
                f"{network} has no convolution or concatenation of them {name!r}; it has "
                + listed(known)
            )
    kept = {*wanted, *(branch for name in wanted for branch in known[name].branches)}
    return tuple(layer for layer in layers if layer.name in kept)


def match(layers, pairs=None):
    """Find the layers that networks have in common.

    Args:
        layers: network's key -> tuple of Layer; the first two are those that are compared, a third
            joins in where it has a layer of the same name as one of them.
        pairs: names of the first network -> names of the second, where names do not tell; None for
            the same names, of layers of networks inside by their last part where it tells.

    Returns:
        Matches; without layers where the first two networks have none in common.

    Raises:
        InputError: pairs that name a layer which is not there.
    """
    keys = list(layers)
    known = {key: {layer.name: layer for layer in layers[key]} for key in keys}
    first, second = keys[:2]
    if pairs is not None:
        for key, names in ((first, pairs), (second, pairs.values())):
            for name in names:
                if name not in known[key]:
                    raise InputError(
                        f"layer_map names {name!r}, which is no convolution or concatenation of "
                        f"the network {key}; it has {listed(known[key])}"
                    )
    found = []
    for name, layer in known[first].items():
        partner = _same(name, known[first], known[second]) if pairs is None else pairs.get(name)
        if partner is None:
            continue
        of = {first: layer, second: known[second][partner]}
        for key in keys[2:]:
            third = _same(name, known[first], known[key])
            third = third or _same(partner, known[second], known[key])
            of |= {key: known[key][third]} if third else {}
        found.append(Match(of, len(found)))
    matched = {key: {one.of[key].name for one in found} for key in (first, second)}
    alone = {key: tuple(n for n in known[key] if n not in matched[key]) for key in matched}
    return Matches(tuple(found), alone)


def _same(name, own, others):
    """What a layer of one network is called in another; None where that does not have it.

    Args:
        name: of the layer, among `own`.
        own, others: names of all layers of its network, and of the other one.
    """
    if name in others:
        return name
    last = _last_part(name)
    alike = [other for other in others if _last_part(other) == last]
    is_alone = len(alike) == 1 and sum(_last_part(other) == last for other in own) == 1
    return alike[0] if is_alone else None


def _last_part(name):
    """A layer's name without the networks that it is in."""
    return name.rpartition("/")[2]


def read_map(path):
    """Read which layers belong together from a CSV of two columns, in any order of rows.

    The header names nothing that is read: the first column is of the first network.

    Returns:
        dict: name -> name.

    Raises:
        InputError: no CSV of two columns, a layer named twice or not named.
    """
    table = read_csv(path)
    if table.shape[1] != 2:
        raise InputError(f"{path} has {table.shape[1]} columns; accepted: two, a layer in each")
    pairs = [(str(a).strip(), str(b).strip()) for a, b in table.to_numpy()]
    for number in (0, 1):
        names = [pair[number] for pair in pairs]
        if "" in names or len(set(names)) < len(names):
            raise InputError(f"{path} has a layer twice or none in a row; accepted: each once")
    return dict(pairs)


def kernels(model, name):
    """The kernels of a convolution, as one vector, and their shapes.

    Args:
        model: keras.Model.
        name: as models.graph.find_layer takes it.

    Returns:
        (float64 (numbers,), tuple of shapes); a separable convolution has two kernels.
    """
    layer = graph.find_layer(model, name)
    arrays = [
        np.asarray(keras.ops.convert_to_numpy(weight), "float64")
        for weight in layer.weights
        if weight.name.endswith("kernel")
    ]
    return np.concatenate([array.ravel() for array in arrays]), tuple(a.shape for a in arrays)


def kernel_distances(model_a, model_b):
    """How far the kernels of two networks are apart, convolution by convolution.

    Args:
        model_a, model_b: keras.Model.

    Returns:
        (names, distances, by_chance): the convolutions that both have, as `match` finds them, with
        kernels of the same shapes, called as in model_a; float64 arrays:
        similarity.kernel_distance, and similarity.shuffled_distance.

    Raises:
        InputError: no such convolution.

    Source:
        Gonthier et al. 2020, tables 2 and 4.
    """
    ours, theirs = activations.convolutions(model_a), activations.convolutions(model_b)
    names, distances, by_chance = [], [], []
    for name in ours:
        partner = _same(name, ours, theirs)
        if partner is None:
            continue
        (a, shapes_a), (b, shapes_b) = kernels(model_a, name), kernels(model_b, partner)
        if shapes_a == shapes_b:
            names.append(name)
            distances.append(similarity.kernel_distance(a, b)[0])
            by_chance.append(similarity.shuffled_distance(a, b))
    if not names:
        raise InputError(
            f"{model_a.name} and {model_b.name} have no convolution of one name and shape"
        )
    return names, np.array(distances), np.array(by_chance)


def listed(names):
    """Names as text, the first few of them."""
    names = list(names)
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
