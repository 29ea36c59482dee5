import keras
import pytest

from models import inception_v1
from models.errors import InputError
from transfer import trained_layers


@pytest.fixture(scope="module")
def googlenet():
    pixels = keras.Input((64, 64, 3), name="pixels")
    trunk = inception_v1.GoogLeNet(include_top=False, input_tensor=pixels)
    pooled = keras.layers.GlobalAveragePooling2D(name="features")(trunk.output)
    return keras.Model(pixels, keras.layers.Dense(3, "softmax", name="head")(pooled))


def small():
    pixels = keras.Input((16, 16, 3), name="pixels")
    x = pixels
    for name in ("conv1", "conv2", "conv3"):
        x = keras.layers.Conv2D(4, 3, padding="same", name=name)(x)
        x = keras.layers.BatchNormalization(name=f"{name}_bn")(x)
        x = keras.layers.ReLU(name=f"{name}_relu")(x)
    x = keras.layers.GlobalAveragePooling2D(name="features")(x)
    return keras.Model(pixels, keras.layers.Dense(3, name="head")(x))


def with_weights(layers):
    return [layer.name for layer in layers if layer.weights]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("all", "conv1 conv1_bn conv2 conv2_bn conv3 conv3_bn head"),
        ("head", "head"),
        ("only_last", "head"),
        ("skip_first:1", "conv1_bn conv2 conv2_bn conv3 conv3_bn head"),
        ("skip_first:2", "conv2_bn conv3 conv3_bn head"),
        ("last:1", "head"),
        ("last:4", "conv3_bn head"),  # its normalisation, ReLU, pooling, head
        ("from:conv2", "conv2 conv2_bn conv3 conv3_bn head"),
        ("from:conv2_relu", "conv3 conv3_bn head"),
        ("from:head", "head"),
    ],
)
def test_layers_that_a_text_names(text, names):
    assert with_weights(trained_layers.select(small(), text, "Small")) == names.split()


def test_scenarios_on_googlenet(googlenet):
    """What stands for conv1, conv1 and conv2, fc6 and fc7 of CaffeNet."""
    every = with_weights(googlenet.layers)
    first = ["conv2d0_pre_relu", "conv2d1_pre_relu", "conv2d2_pre_relu"]

    def left(text):
        return set(every) - set(with_weights(trained_layers.select(googlenet, text, "GoogLeNet")))

    assert left("skip_first") == set(first[:1])
    assert left("skip_first2") == set(first)
    late = {name for name in every if name.startswith(("mixed5a", "mixed5b", "head"))}
    assert left("only_last3") == set(every) - late
    assert len(late) == 13
    # in the order of the graph a module's layers are behind all of the module before
    found = trained_layers.select(googlenet, "from:mixed4e", "GoogLeNet")
    assert not [layer for layer in found if layer.name.startswith(("mixed4d", "mixed3"))]
    assert [layer for layer in found if layer.name == "mixed4e_1x1_pre_relu"]


@pytest.mark.parametrize("text", ["", "none", "first", "last:0", "last:x", "skip_first", "from:"])
def test_words_that_name_nothing_are_refused(text):
    if text == "skip_first":
        trained_layers.check("layers", text)
        return
    with pytest.raises(InputError, match=f"^layers is {text!r}; accepted: all, head"):
        trained_layers.check("layers", text)


def test_nothing_may_be_redrawn():
    trained_layers.check("redrawn", "none")
    with pytest.raises(InputError, match="redrawn is 'no'; accepted: none, all"):
        trained_layers.check("redrawn", "no")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("from:conv9", "the network has none; near: conv"),
        ("last:13", "last:13'; Small has 12 layers, the head included"),
        ("skip_first:3", "skip_first:3'; Small has 3 convolutions"),
        ("skip_first", "CaffeNet, GoogLeNet; for Small"),
        ("only_last3", "for Small name them"),
    ],
)
def test_layers_that_do_not_exist_are_named(text, says):
    with pytest.raises(InputError, match=says):
        trained_layers.select(small(), text, "Small")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("all", "every layer"),
        ("only_last", "the layer of the classes alone"),
        ("skip_first", "all but the first convolution"),
        ("skip_first2", "all but the first 3 convolutions"),
        ("only_last3", "mixed5a and all behind it"),
        ("last:4", "the last 4 layers"),
    ],
)
def test_what_is_trained_has_words(text, words):
    assert trained_layers.in_words(text, "GoogLeNet") == words
