"""The arrays of a file into the variables of a network: all of them, or an error of both sides.

A format's importer says what the file holds, where it may go and which name is which; here it is
checked, worded, read and assigned, the same for every format.
"""

from collections.abc import Callable
from dataclasses import dataclass

from models.errors import InputError

SHOWN = 5  # names of each side that an error or a report lists


@dataclass(frozen=True)
class Report:
    """What became of everything in a weights file.

    Attributes:
        loaded: list of (name in the file, layer or variable name in the network).
        skipped: list of (name in the file, reason).
    """

    loaded: list
    skipped: list

    def text(self):
        """Return a line with the counts, then a line for each reason to skip, with its names."""
        reasons = {}
        for name, reason in self.skipped:
            reasons.setdefault(reason, []).append(name)
        lines = [f"weights: {len(self.loaded)} loaded, {len(self.skipped)} skipped"]
        lines += [_listed(f"  {reason},", names, repr) for reason, names in reasons.items()]
        return "\n".join(lines)


@dataclass(frozen=True)
class Held:
    """What a file keeps under one name: the arrays of a layer, or one array.

    Attributes:
        roles: for each array the name of the variable that it is for, None where the file does
            not say; () for a layer without weights.
        shapes: () -> shapes of the arrays as the file has them, called where they are wanted.
        values: () -> the arrays, called after their shapes were found to fit.
        entries: the arrays' own names, for the report; () where the one name is enough.
    """

    roles: tuple
    shapes: Callable
    values: Callable
    entries: tuple = ()


@dataclass(frozen=True)
class Place:
    """Variables of a network that one name of a file fills.

    Attributes:
        variables: list of Keras variables.
        accepted: for each variable the shapes that it takes, as the file has them; an error tells
            the first.
        convert: list of arrays, in the order of the variables -> their values in Keras's layout.
    """

    variables: list
    accepted: list
    convert: Callable = list


def places(model):
    """Return dict layer name -> Place of the layers with weights, in Keras's own layout."""
    return {
        layer.name: Place(layer.weights, [(tuple(v.shape),) for v in layer.weights])
        for layer in model.layers
        if layer.weights
    }


def fill(path, model, held, wanted, pairs, reason, note=lambda shapes, place: ""):
    """Fill a network, all of it or none.

    Arrays of a pair go by their roles where the file tells them, else by their order.

    Args:
        path: the file, for errors.
        model: keras.Model, for its name.
        held: dict name in the file -> Held, in its order.
        wanted: dict name in the network -> Place: what must be filled.
        pairs: dict name in the file -> name in the network.
        reason: name in the file without a partner -> why it may be left, None where it may not.
        note: (shapes in the file, Place) -> what an error adds on a pair of unlike shapes.

    Returns:
        Report.

    Raises:
        InputError: a part of the network without a partner, a part of the file that may not be
            left, shapes that differ, or arrays that cannot be read; the network is as it was.
    """
    left = {name: reason(name) for name in held if name not in pairs}
    orders = {old: _order(held[old], wanted[new]) for old, new in pairs.items()}
    missing = [name for name in wanted if name not in pairs.values()]
    strays = [name for name, why in left.items() if why is None]
    unfit = [old for old, order in orders.items() if order is None]
    if missing or strays or unfit or not pairs:
        unused = [name for name in strays or left if held[name].roles]
        parts = [
            _listed("no weights for", missing, lambda new: f"{new} {_expected(wanted[new])}"),
            _listed("not used of the file", unused, lambda n: f"{n!r} {_shapes(held[n].shapes())}"),
            _listed(
                "of another shape",
                unfit,
                lambda old: _unlike(old, held[old], pairs[old], wanted[pairs[old]], note),
            ),
        ]
        text = "; ".join(filter(None, parts)) or "neither holds weights"
        raise InputError(f"{path} does not fit {model.name}: {text}")
    values = {}
    for old, new in pairs.items():
        arrays = held[old].values()
        values[old] = wanted[new].convert([arrays[place] for place in orders[old]])
    loaded = []
    for old, new in pairs.items():
        variables, entries = wanted[new].variables, held[old].entries
        for variable, value in zip(variables, values[old], strict=True):
            variable.assign(value.reshape(variable.shape))
        filled = {place: f"{new}/{v.name}" for place, v in zip(orders[old], variables, strict=True)}
        loaded += [(e, filled[n]) for n, e in enumerate(entries)] if entries else [(old, new)]
    for layer in model.layers:
        if hasattr(layer, "finalize_state"):  # Normalization keeps what it uses apart from weights
            layer.finalize_state()
    skipped = [(e, why) for name, why in left.items() for e in held[name].entries or (name,)]
    return Report(loaded, skipped)


def fits(held, place):
    """Whether arrays of a file are what a place takes, in roles, number and shapes."""
    return _order(held, place) is not None


def _order(held, place):
    """Return which array goes into each variable, or None where they do not fit."""
    if len(held.roles) != len(place.variables):
        return None
    order = list(range(len(held.roles)))
    if None not in held.roles:
        names = [variable.name for variable in place.variables]
        if sorted(names) != sorted(held.roles):
            return None
        waiting, order = order, []
        for name in names:  # a name that occurs twice: in the order of the file
            order.append(next(number for number in waiting if held.roles[number] == name))
            waiting.remove(order[-1])
    shapes = held.shapes()
    fits = all(shapes[n] in accepted for n, accepted in zip(order, place.accepted, strict=True))
    return order if fits else None


def _listed(title, names, word):
    """Return the title, the number of names and the first of them as word() puts each; "" of none.

    The rest is not worded: shapes are read from the file for it.
    """
    first = ", ".join(map(word, names[:SHOWN]))
    rest = ", ..." if len(names) > SHOWN else ""
    return f"{title} {len(names)}: {first}{rest}" if names else ""


def _unlike(old, held, new, place, note):
    shapes = held.shapes()
    return f"{old!r} {_shapes(shapes)} for {new} {_expected(place)}{note(shapes, place)}"


def _expected(place):
    return _shapes([accepted[0] for accepted in place.accepted])


def _shapes(shapes):
    told = [str(tuple(shape)) for shape in shapes[:SHOWN]]
    return " + ".join(told + ["..."] * (len(shapes) > SHOWN))
