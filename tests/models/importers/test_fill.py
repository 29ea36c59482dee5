"""One match of a file's arrays to a network's: order, refusal of parts, the report."""

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import InputError
from models.importers.fill import Held, Place, Report, fill, places


@pytest.fixture(scope="module")
def network():
    """Five arrays of one shape in two layers: only names and order tell them apart."""
    inputs = keras.Input((2, 2, 3))
    x = keras.layers.BatchNormalization(name="norm")(inputs)
    outputs = keras.layers.Rescaling(1.0)(keras.layers.PReLU(shared_axes=(1, 2), name="act")(x))
    return keras.Model(inputs, outputs, name="two_layers")


NAMES = ["gamma", "beta", "moving_mean", "moving_variance"]


def held(values, roles=None, entries=()):
    arrays = [np.asarray(value, "float32") for value in values]
    return Held(
        tuple(roles) if roles else (None,) * len(arrays),
        lambda: [array.shape for array in arrays],
        lambda: arrays,
        tuple(entries),
    )


def numbered(count):
    return [np.full(3, number) for number in range(count)]


def no_reason(name):
    return None


@given(st.permutations(range(4)))
def test_arrays_go_by_role_and_without_roles_by_order(network, order):
    act = held([np.full((1, 1, 3), 9)])
    pairs = {"a": "norm", "b": "act"}
    norm = held([np.full(3, n) for n in order], [NAMES[n] for n in order], [f"w{n}" for n in order])
    report = fill("f", network, {"a": norm, "b": act}, places(network), pairs, no_reason)
    found = [np.asarray(variable)[0] for variable in network.get_layer("norm").weights]
    assert found == [0, 1, 2, 3]
    expected = [(f"w{n}", f"norm/{NAMES[n]}") for n in order] + [("b", "act")]
    assert report == Report(expected, [])
    norm = held([np.full(3, n) for n in order])
    fill("f", network, {"a": norm, "b": act}, places(network), pairs, no_reason)
    assert [np.asarray(v)[0] for v in network.get_layer("norm").weights] == list(order)


REFUSED = {
    "no weights for 1: act (1, 1, 3)": ({"a": held(numbered(4))}, {"a": "norm"}),
    "not used of the file 1: 'c' (3,) + (3,)": (
        {"a": held(numbered(4)), "b": held([np.ones((1, 1, 3))]), "c": held(numbered(2))},
        {"a": "norm", "b": "act"},
    ),
    "of another shape 1: 'b' (3,) for act (1, 1, 3) (noted)": (
        {"a": held(numbered(4)), "b": held(numbered(1))},
        {"a": "norm", "b": "act"},
    ),
    # a network inside a network, say
    "not used of the file 1: 'many' (3,) + (3,) + (3,) + (3,) + (3,) + ...": (
        {"a": held(numbered(4)), "b": held([np.ones((1, 1, 3))]), "many": held(numbered(300))},
        {"a": "norm", "b": "act"},
    ),
    # an array too few, and roles that the layer does not have
    "of another shape 2: 'a' (3,) + (3,) + (3,) for norm (3,) + (3,) + (3,) + (3,)": (
        {"a": held(numbered(3)), "b": held([np.ones((1, 1, 3))], ["bias"])},
        {"a": "norm", "b": "act"},
    ),
    "no weights for 2: norm (3,) + (3,) + (3,) + (3,), act (1, 1, 3); not used of the file 7: "
    "'0' (3,), '1' (3,), '2' (3,), '3' (3,), '4' (3,), ...": (
        {str(number): held(numbered(1)) for number in range(7)},
        {},
    ),
}


@pytest.mark.parametrize("message", REFUSED)
def test_a_part_is_refused_and_changes_nothing(message, network):
    stored, pairs = REFUSED[message]
    before = network.get_weights()
    with pytest.raises(InputError) as error:
        fill("f", network, stored, places(network), pairs, no_reason, lambda *_: " (noted)")
    assert "f does not fit two_layers: " in str(error.value) and message in str(error.value)
    for now, then in zip(network.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_arrays_that_cannot_be_read_change_nothing(network):
    def unreadable():
        raise InputError("damaged")

    before = network.get_weights()
    stored = {"a": held(numbered(4)), "b": Held((None,), lambda: [(1, 1, 3)], unreadable)}
    with pytest.raises(InputError, match="damaged"):
        fill("f", network, stored, places(network), {"a": "norm", "b": "act"}, no_reason)
    for now, then in zip(network.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_a_file_without_weights_does_not_fit_a_network_without(network):
    empty = keras.Model(network.inputs, network.inputs, name="nothing")
    with pytest.raises(InputError, match="f does not fit nothing: neither holds weights"):
        fill("f", empty, {"x": Held((), list, list)}, {}, {}, lambda name: "holds no weights")


def test_the_report_counts_and_names_with_reasons(network):
    stored = {"a": held(numbered(4)), "b": held([np.ones((1, 1, 3))])}
    stored |= {f"x{number}": Held((), list, list) for number in range(6)}
    stored["head"] = held(numbered(2), entries=["head/kernel", "head/bias"])
    reasons = {name: "holds no weights" for name in stored} | {"head": "the network has no head"}
    pairs = {"a": "norm", "b": "act"}
    report = fill("f", network, stored, places(network), pairs, reasons.get)
    assert report.skipped[-1] == ("head/bias", "the network has no head")
    assert report.text().splitlines() == [
        "weights: 2 loaded, 8 skipped",
        "  holds no weights, 6: 'x0', 'x1', 'x2', 'x3', 'x4', ...",
        "  the network has no head, 2: 'head/kernel', 'head/bias'",
    ]


def test_a_format_keeps_its_layout(network):
    act = network.get_layer("act")
    place = Place(act.weights, [((3,), (1, 3))], lambda arrays: [1 + arrays[0].reshape(1, 1, 3)])
    for value in (np.arange(3), np.arange(3)[None]):
        wanted = places(network) | {"act": place}
        stored = {"a": held(numbered(4)), "b": held([value])}
        fill("f", network, stored, wanted, {"a": "norm", "b": "act"}, no_reason)
        np.testing.assert_array_equal(np.asarray(act.weights[0]).ravel(), [1, 2, 3])
