"""Inner layers are found by name or number, and near names are listed where there are none."""

import keras
import pytest

from models.errors import InputError
from models.graph import find_layer


def dense(name):
    return keras.layers.Dense(2, name=name)


def network(name, *layers):
    return keras.Sequential([keras.Input((2,)), *layers], name=name)


@pytest.fixture(scope="module")
def flat():
    return network("flat", *(dense(f"mixed4{x}_3x3_pre_relu") for x in "abcde"), dense("head"))


@pytest.fixture(scope="module")
def nested():
    inner = network("inner", dense("first"), dense("second"))
    trunk = network("trunk", inner, dense("second"), dense("third"))
    return network("whole", trunk, dense("third"), dense("head"))


@pytest.mark.parametrize("ending", ["", ":0"])
def test_by_name(ending, flat):
    assert find_layer(flat, f"mixed4d_3x3_pre_relu{ending}") is flat.layers[3]


@pytest.mark.parametrize("index", [0, 5, -1, -6])
def test_by_index(index, flat):
    assert find_layer(flat, index) is flat.layers[index]


@pytest.mark.parametrize("index", [6, -7])
def test_an_index_too_large_is_refused(index, flat):
    with pytest.raises(InputError, match=f"flat has no layer {index}; accepted: -6 to 5"):
        find_layer(flat, index)


def test_an_unknown_name_lists_near_ones(flat):
    message = "flat has no layer 'mixed4d_3x3_prerelu' among its 6; near it: mixed4d_3x3_pre_relu"
    with pytest.raises(InputError, match=message):
        find_layer(flat, "mixed4d_3x3_prerelu")


@pytest.mark.parametrize("name", ["", "zzz", "mixed4d_3x3_pre_relu/Relu", "HEAD"])
def test_only_whole_names_are_found(name, flat):
    with pytest.raises(InputError, match=f"no layer '{name}' among its 6"):
        find_layer(flat, name)


def test_layers_of_inner_networks(nested):
    trunk = nested.get_layer("trunk")
    inner = trunk.get_layer("inner")
    assert find_layer(nested, "trunk") is trunk
    assert find_layer(nested, "inner") is inner
    assert find_layer(nested, "first") is inner.get_layer("first")
    assert find_layer(nested, "trunk/inner/first:0") is inner.get_layer("first")
    assert find_layer(nested, "inner/second") is inner.get_layer("second")


def test_the_outer_one_of_two_layers_of_a_name(nested):
    assert find_layer(nested, "third") is nested.get_layer("third")
    assert find_layer(nested, "trunk/third") is nested.get_layer("trunk").get_layer("third")


def test_a_name_in_two_inner_networks_is_refused(nested):
    with pytest.raises(InputError, match="2 layers 'second': trunk/inner/second, trunk/second"):
        find_layer(nested, "second")
