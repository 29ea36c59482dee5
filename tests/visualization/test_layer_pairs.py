"""Which layers belong together, by name and by a file; their widths and kernels."""

import keras
import numpy as np
import pytest

from models import inception_v1
from models.errors import InputError
from visualization.layer_pairs import (
    chosen,
    kernel_distances,
    kernels,
    layers_of,
    match,
    read_map,
)


def network(names=("first", "left", "right", "joined"), widths=(4, 2, 3)):
    """A convolution, then two beside each other that are concatenated; `inside` before one."""
    first, left, right, joined = names
    pixels = keras.Input((16, 16, 3))
    x = keras.layers.Conv2D(widths[0], 3, activation="relu", name=first)(pixels)
    inside = keras.layers.Conv2D(5, 1, activation="relu", name="inside")(x)
    branches = [
        keras.layers.Conv2D(widths[1], 1, name=left)(x),
        keras.layers.Conv2D(widths[2], 3, padding="same", name=right)(inside),
    ]
    x = keras.layers.ReLU()(keras.layers.Concatenate(name=joined)(branches))
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(pixels, keras.layers.Dense(2, name="head")(x), name="small")


def plain(*names, width=4):
    pixels = keras.Input((16, 16, 3))
    x = pixels
    for name in names:
        x = keras.layers.Conv2D(width, 1, name=name)(x)
    return keras.Model(pixels, x)


def test_layers_in_order_with_their_branches():
    layers = layers_of(network())
    assert [layer.name for layer in layers] == ["first", "inside", "left", "right", "joined"]
    joined = layers[-1]
    assert joined.branches == ("left", "right") and joined.widths == (2, 3)
    assert joined.is_joined and joined.channels == 5
    assert layers[0].branches == ("first",) and not layers[0].is_joined
    # what all passes through, and concatenations
    assert [layer.name for layer in layers if layer.is_stage] == ["first", "joined"]


def body(pixels):
    """A convolution, two beside each other that are joined, and one more."""
    x = keras.layers.Conv2D(4, 3, activation="relu", name="stem")(pixels)
    branches = [keras.layers.Conv2D(2, 1, name=name)(x) for name in ("left", "right")]
    x = keras.layers.Concatenate(name="joined")(branches)
    return keras.layers.Conv2D(3, 3, name="top")(x)


def headed(trunk):
    """A network inside another: a trunk, a mean and a classifier, as users of Keras write it."""
    pixels = keras.Input((16, 16, 3))
    x = keras.layers.GlobalAveragePooling2D()(trunk(pixels))
    return keras.Model(pixels, keras.layers.Dense(2, name="head")(x), name="own")


def in_row(model):
    return [layer.name for layer in layers_of(model) if layer.is_stage]


def test_the_row_is_the_same_wherever_the_layers_are():
    pixels = keras.Input((16, 16, 3))
    x = body(pixels)
    # a convolution may be the network's output
    assert in_row(keras.Model(pixels, x)) == ["stem", "joined", "top"]
    mean = keras.layers.GlobalAveragePooling2D()(x)
    assert in_row(keras.Model(pixels, keras.layers.Dense(2)(mean))) == ["stem", "joined", "top"]
    nested = headed(keras.Model(pixels, x, name="trunk"))
    assert in_row(nested) == ["trunk/stem", "trunk/joined", "trunk/top"]


def test_what_something_goes_past_is_not_in_the_row():
    pixels = keras.Input((16, 16, 3))
    x = body(pixels)
    early = keras.layers.GlobalAveragePooling2D()(x._keras_history.operation.input)
    assert in_row(keras.Model(pixels, [x, early])) == ["stem", "joined"]
    x = keras.layers.Conv2D(3, 1, name="first")(pixels)
    x = keras.layers.Add()([x, pixels])  # the picture itself goes past `first`
    branches = [keras.layers.Conv2D(2, 1, name=name)(x) for name in ("left", "right")]
    x = keras.layers.Concatenate(name="joined")(branches)
    assert in_row(keras.Model(pixels, x)) == ["joined"]


def test_without_concatenations_every_convolution_is_in_the_row():
    assert [layer.is_stage for layer in layers_of(plain("a", "b"))] == [True, True]


def test_stages_of_googlenet():
    layers = layers_of(inception_v1.GoogLeNet(include_top=False))
    stages = [layer.name for layer in layers if layer.is_stage]
    assert len(stages) == 12 and stages[:3] == [f"conv2d{n}_pre_relu" for n in range(3)]
    assert all(name.startswith("mixed") for name in stages[3:])
    assert sum(not layer.is_joined for layer in layers) == 57
    widths = {layer.name: layer.channels for layer in layers if layer.is_joined}
    assert list(widths.values()) == [256, 480, 512, 512, 512, 528, 832, 832, 1024]


def test_a_network_without_convolutions_is_refused():
    pixels = keras.Input((4, 4, 3))
    model = keras.Model(pixels, keras.layers.GlobalAveragePooling2D()(pixels), name="mean")
    with pytest.raises(InputError, match="mean has no convolution"):
        layers_of(model)


def test_chosen_layers_bring_their_branches():
    layers = layers_of(network())
    assert chosen(layers, (), "net") == layers
    assert [one.name for one in chosen(layers, ("joined",), "net")] == ["left", "right", "joined"]
    assert [one.name for one in chosen(layers, ("first:0",), "net")] == ["first"]
    with pytest.raises(InputError, match="net has no convolution or .* 'head'; it has first, in"):
        chosen(layers, ("first", "head"), "net")


def names(matches):
    return [tuple(layer.name for layer in one.of.values()) for one in matches.layers]


def test_layers_match_by_name():
    a, b = layers_of(network()), layers_of(network(("first", "links", "right", "joined")))
    found = match({"a": a, "b": b})
    assert names(found) == [(n, n) for n in ("first", "inside", "right", "joined")]
    assert found.alone == {"a": ("left",), "b": ("links",)}
    assert [one.depth for one in found.layers] == [0, 1, 2, 3]
    assert [one.name for one in found.channelled] == ["first", "inside", "right"]


@pytest.fixture(scope="module")
def inside():
    """(A network around a trunk, a flat one of the same layers, as a training here makes it)."""
    pixels = keras.Input((16, 16, 3))
    x = body(pixels)
    mean = keras.layers.GlobalAveragePooling2D()(x)
    flat = keras.Model(pixels, keras.layers.Dense(5, name="classes")(mean))
    return headed(keras.Model(pixels, x, name="trunk")), flat


def test_layers_of_a_network_inside_match_those_of_a_flat_one(inside):
    nested, flat = (layers_of(model) for model in inside)
    paths = [(f"trunk/{n}", n) for n in ("stem", "left", "right", "joined", "top")]
    found = match({"a": nested, "b": flat})
    assert names(found) == paths and found.alone == {"a": (), "b": ()}
    assert len(found.channelled) == 4
    found = match({"a": flat, "b": nested, "c": nested})
    assert names(found) == [(n, path, path) for path, n in paths]
    found = match({"a": nested, "b": nested, "c": flat})
    assert names(found) == [(path, path, n) for path, n in paths]


def test_a_last_part_that_a_network_has_twice_tells_nothing():
    pixels = keras.Input((16, 16, 3))
    x = keras.layers.Conv2D(3, 1, name="same")(pixels)
    a = headed(keras.Sequential([keras.Model(pixels, x, name="a"), plain("same", "b")], name="c"))
    found = match({"a": layers_of(a), "b": layers_of(plain("same", "b"))})
    assert [partner for _, partner in names(found)] == ["b"]
    found = match({"a": layers_of(plain("same", "b")), "b": layers_of(a)})
    assert [name for name, _ in names(found)] == ["b"]


def test_a_third_network_joins_in_by_either_name():
    a, b = layers_of(plain("one", "two")), layers_of(plain("eins", "zwei"))
    c = layers_of(plain("one", "zwei", "drei"))
    found = match({"a": a, "b": b, "c": c}, {"one": "eins", "two": "zwei"})
    assert names(found) == [("one", "eins", "one"), ("two", "zwei", "zwei")]
    assert found.layers[1].name == "two" and set(found.alone) == {"a", "b"}
    c = layers_of(plain("drei"))
    found = match({"a": a, "b": b, "c": c}, {"one": "eins"})
    assert names(found) == [("one", "eins")] and found.alone == {"a": ("two",), "b": ("zwei",)}


def test_layers_of_other_widths_are_not_compared_by_channel():
    a, b = layers_of(plain("one", "two")), layers_of(plain("one", "two", width=5))
    found = match({"a": a, "b": b})
    assert len(found.layers) == 2 and not found.channelled


def test_a_third_network_has_the_channels_of_a_layer_or_not():
    sides = {key: layers_of(plain("one", "two")) for key in "ab"}
    one, two = match({**sides, "c": layers_of(plain("one", width=5))}).layers
    assert [one.is_channel_by_channel(key) for key in "abc"] == [True, True, False]
    assert [two.is_channel_by_channel(key) for key in "abc"] == [True, True, False]
    one, two = match({**sides, "c": layers_of(plain("one"))}).layers
    assert one.is_channel_by_channel("c") and not two.is_channel_by_channel("c")


def test_nothing_in_common():
    found = match({"a": layers_of(plain("one")), "b": layers_of(plain("two"))})
    assert found.layers == () and found.alone == {"a": ("one",), "b": ("two",)}


def test_a_map_that_names_what_is_not_there():
    layers = {"a": layers_of(plain("one")), "b": layers_of(plain("two"))}
    with pytest.raises(InputError, match="layer_map names 'three'.* network b; it has two"):
        match(layers, {"one": "three"})
    with pytest.raises(InputError, match="layer_map names 'two'.* network a; it has one"):
        match(layers, {"two": "two"})


def test_a_map_is_read(write_file):
    assert read_map(write_file(b"before;after\nb;x \n a;y\n", "map.csv")) == {"b": "x", "a": "y"}
    for text, says in (
        (b"a,b,c\n1,2,3\n", "3 columns"),
        (b"a,b\n1,2\n1,3\n", "twice or none"),
        (b"a,b\n1,2\n3,2\n", "twice or none"),
        (b"a,b\n1,\n", "twice or none"),
    ):
        with pytest.raises(InputError, match=says):
            read_map(write_file(text, "map.csv"))


def test_kernels_without_biases():
    model = network()
    kernel, bias = model.get_layer("first").get_weights()
    vector, shapes = kernels(model, "first")
    assert shapes == ((3, 3, 3, 4),) and np.array_equal(vector, kernel.ravel().astype("float64"))
    pixels = keras.Input((8, 8, 3))
    x = keras.layers.SeparableConv2D(5, 3, name="apart")(pixels)
    x = keras.layers.DepthwiseConv2D(3, name="deep")(x)
    model = keras.Model(pixels, x)
    vector, shapes = kernels(model, "apart")
    assert shapes == ((3, 3, 3, 1), (1, 1, 3, 5)) and len(vector) == 27 + 15
    assert kernels(model, "deep")[1] == ((3, 3, 5, 1),)


def test_distances_of_the_convolutions_that_two_networks_share():
    a, b = network(), network(widths=(4, 2, 7))
    for name in ("first", "inside"):
        kernel, bias = a.get_layer(name).get_weights()
        b.get_layer(name).set_weights([kernel, bias + 1])
    moved = a.get_layer("left").get_weights()[0]
    moved[0, 0, 0, 0] += 3
    b.get_layer("left").set_weights([moved, np.zeros(2)])
    names, distances, by_chance = kernel_distances(a, b)
    # `right` has another number of channels; biases do not count
    assert names == ["first", "inside", "left"]
    np.testing.assert_allclose(distances, [0, 0, 3], atol=1e-6)
    assert (by_chance > 0).all() and by_chance.shape == (3,)


def test_distances_between_a_network_inside_and_a_flat_one(inside):
    names, distances, _ = kernel_distances(*inside)
    assert names == ["trunk/stem", "trunk/left", "trunk/right", "trunk/top"]
    np.testing.assert_allclose(distances, 0)
    names, _, _ = kernel_distances(*inside[::-1])
    assert names == ["stem", "left", "right", "top"]


def test_no_distances_without_a_convolution_in_common():
    with pytest.raises(InputError, match="no convolution of one name and shape"):
        kernel_distances(plain("a"), plain("b"))
