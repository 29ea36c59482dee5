"""Fields against gradients and impulses, on tiny networks of every layer and on real ones."""

from functools import cache, partial

import hypothesis
import hypothesis.strategies as st
import keras
import numpy as np
import pytest
from keras import ops
from numpy.testing import assert_array_equal

import models
from models import backend, zoo
from models.caffe_layers import LocalResponseNormalization
from models.errors import InputError
from models.graph import cut, run_up_to
from models.inception_v1 import JoinedBranches
from transfer import pictures
from visualization.receptive_field import Field, boxes, receptive_field

layers = keras.layers


def positive(model, seed=0):
    """Make every weight positive and every shift 0, so that nothing cancels; return the model.

    Kernels sum to about 1 per output, so that values and gradients neither grow nor vanish.
    """
    draw = np.random.default_rng(seed)
    for variable in model.variables:
        if not np.issubdtype(variable.dtype, np.floating):
            continue
        shape = tuple(variable.shape)
        if variable.name in ("bias", "beta", "moving_mean", "mean"):
            variable.assign(np.zeros(shape))
        else:
            fan_in = np.prod(shape[:-1]) if len(shape) > 1 else 1
            variable.assign(draw.uniform(0.5, 1.5, shape) / fan_in)
    return model


def averaged(model, layer, size):
    """The network up to a layer, with the mean in place of the maximum of every window.

    A maximum has a gradient to one of its inputs; a mean of the same window to all of them.
    """

    def call(operation, *args, **kwargs):
        if type(operation) is layers.MaxPooling2D:
            kept = {name: getattr(operation, name) for name in ("pool_size", "strides", "padding")}
            operation = layers.AveragePooling2D(**kept)
        return operation(*args, **kwargs)

    start, outputs = run_up_to(model, [layer], (size, size), call)
    return keras.Model(start, outputs[layer])


def pixels_by_gradient(network, size, light=(0.5, 1)):
    """Bool (places, size, size): where a place's gradient to the pixels is not 0.

    Of the channels a random sum: a plain one has no gradient after a normalisation of channels.
    """
    draw = np.random.default_rng(1)
    output = network.output
    weights = draw.uniform(0.5, 1.5, output.shape[-1]).astype("float32")
    flat = keras.Model(
        network.input,
        layers.Lambda(
            lambda x: ops.reshape(ops.sum(x * weights, axis=-1), (-1, np.prod(x.shape[1:3]))),
            output_shape=(int(np.prod(output.shape[1:3])),),
        )(output),
    )
    places = flat.output.shape[-1]
    picture = draw.uniform(*light, (1, size, size, 3)).astype("float32")
    _, gradients = backend.input_gradient(flat)(np.repeat(picture, places, 0), np.arange(places))
    return (gradients != 0).any(axis=-1)


def lines_by_gradient(network, along, places, size):
    """Bool (places, size): to which rows (along 1) or columns (2) some gradient is not 0.

    The gradient of all of these rows or columns of the map together.
    """
    count = network.output.shape[along]
    sums = layers.Lambda(lambda x: ops.sum(x, axis=(3 - along, 3)), output_shape=(count,))
    picture = np.full((len(places), size, size, 3), 200, "float32")  # bright: scaled above 0
    flat = keras.Model(network.input, sums(network.output))
    _, gradients = backend.input_gradient(flat)(picture, places)
    return (gradients != 0).any(axis=(3 - along, 3))


def pixels_by_impulse(network, size):
    """Bool (places, size, size): which pixels, each alone on black, make a place light up."""
    pictures = np.eye(size * size, dtype="float32").reshape(-1, size, size, 1).repeat(3, -1)
    maps = ops.convert_to_numpy(network(pictures, training=False)).max(axis=-1)
    return (maps > 0).reshape(len(pictures), -1).T.reshape(-1, size, size)


def spans(used):
    """(n, 2): first and one after the last that are used, of bool (n, size)."""
    return np.stack([used.argmax(axis=1), used.shape[1] - used[:, ::-1].argmax(axis=1)], axis=1)


def assert_field(field, used, shape):
    """Every place's box is the smallest that holds the pixels used, bool (places, size, size)."""
    height, width = shape
    assert field.rows.shape == (height, 2)
    assert field.columns.shape == (width, 2)
    some = used.any(axis=(1, 2))
    rows, columns = (places[some] for places in np.divmod(np.arange(height * width), width))
    assert_array_equal(field.rows[rows], spans(used[some].any(axis=2)))
    assert_array_equal(field.columns[columns], spans(used[some].any(axis=1)))
    of_padding = np.divmod(np.flatnonzero(~some), width)
    padded = (field.rows[of_padding[0]], field.columns[of_padding[1]])
    assert np.any([(side == (0, field.size)).all(axis=1) for side in padded], axis=0).all()


def scaled(x):
    """Squeeze-excitation: a map times what the whole of it says."""
    gate = layers.GlobalAveragePooling2D(keepdims=True)(x)
    return layers.Multiply()([x, layers.Conv2D(3, 1, activation="sigmoid")(gate)])


def inner(x, kind):
    inside = keras.Input(x.shape[1:])
    made = [layers.Conv2D(3, 3, name="inside"), layers.AveragePooling2D(2)]
    if kind == "sequential":
        return keras.Sequential([inside, *made])(x)
    return keras.Model(inside, made[1](made[0](inside)))(x)


def joined(x):
    branches = [layers.Conv2D(2, size, padding="same")(x) for size in (1, 3)]
    branches += [layers.Conv2D(2, 1)(layers.MaxPooling2D(3, 1, "same")(x))]
    return JoinedBranches()([layers.Concatenate()(branches), *branches])


def conv(*args, **kwargs):
    return layers.Conv2D(2, *args, **kwargs)


# what is linear in positive pixels: both impulses and gradients tell
LINEAR = {
    "input": lambda x: layers.Identity()(x),
    "valid": lambda x: conv(3)(x),
    "even": lambda x: conv(4, padding="same")(x),
    "sides": lambda x: conv((5, 2), (1, 3), padding="same")(x),
    "stride": lambda x: conv(3, 2, padding="same")(conv(3, 2, padding="same")(x)),
    "stride beyond the kernel": lambda x: conv(1, 3)(conv(2, 3)(x)),
    "stride of even kernels": lambda x: conv(4, 3, padding="same")(conv(2, 2, padding="same")(x)),
    "dilated": lambda x: conv(3, dilation_rate=(2, 3))(x),
    "dilated same": lambda x: conv(3, dilation_rate=3, padding="same")(x),
    "grouped": lambda x: layers.Conv2D(3, 3, groups=3)(x),
    "depthwise": lambda x: layers.DepthwiseConv2D(3, 2, padding="same")(x),
    "depthwise dilated": lambda x: layers.DepthwiseConv2D(3, dilation_rate=2, padding="same")(x),
    "separable": lambda x: layers.SeparableConv2D(2, (2, 5), padding="same")(x),
    "maximum": lambda x: layers.MaxPooling2D(3, 2, "same")(x),
    "maximum of sides": lambda x: layers.MaxPooling2D((3, 2), (2, 1))(x),
    "mean": lambda x: layers.AveragePooling2D(3, 2, "same")(x),
    "padding": lambda x: conv(3, 2)(layers.ZeroPadding2D(((1, 2), (3, 0)))(x)),
    "padding alone": lambda x: conv(1)(layers.ZeroPadding2D(2)(conv(3)(x))),
    "cropping": lambda x: layers.Cropping2D(((1, 2), (3, 0)))(conv(2)(x)),
    "cropped padding": lambda x: layers.Cropping2D(2)(layers.ZeroPadding2D(3)(x)),
    "unread pixels": lambda x: conv(3, padding="same")(layers.AveragePooling2D(3, 3)(x)),
    "normalised": lambda x: layers.ReLU()(layers.BatchNormalization()(conv(3, use_bias=False)(x))),
    "dense": lambda x: layers.Dense(2, activation="relu")(conv(3)(x)),
    "sum": lambda x: layers.Add()([layers.Conv2D(3, 3, padding="same")(x), x]),
    "branches": lambda x: layers.Concatenate()(
        [conv((1, 5), padding="same")(x), conv((3, 1), padding="same")(x), x]
    ),
    "shortcut": lambda x: conv(5, 2, padding="same")(x) + conv(1, 2, padding="same")(x),
    "module": joined,
    "sequential": lambda x: inner(x, "sequential"),
    "network": lambda x: conv(2)(inner(x, "functional")),
    "operations": lambda x: conv(3)(ops.relu(ops.clip(x * 2.0, 0, 9) / 3.0)),
    "reversed channels": lambda x: conv(2)(ops.flip(x[..., ::-1], axis=-1)),
    "stacked channels": lambda x: ops.stack([x[..., 2] * 2.0, x[:, :, :, 0]], axis=-1),
    "training only": lambda x: layers.Dropout(0.5)(layers.RandomFlip()(layers.GaussianNoise(1)(x))),
}
# gradients alone tell
CURVED = {
    "response": lambda x: LocalResponseNormalization(2, 1.0, 1e-4, 0.75)(conv(3)(x)),
    "gate": lambda x: conv(2)(scaled(layers.Conv2D(3, 3, padding="same")(x))),
    "of the map read": lambda x: scaled(layers.Conv2D(3, 3, 3)(layers.Cropping2D(((1, 3), 0))(x))),
    "of channels": lambda x: layers.LayerNormalization()(layers.Conv2D(5, 3, activation="gelu")(x)),
    "softmax": lambda x: layers.Conv2D(5, (3, 2), activation="softmax")(x),
    "softmax layer": lambda x: layers.Softmax()(conv(3)(x)),
    "groups": lambda x: layers.GroupNormalization(1)(layers.Conv2D(4, 3)(x)),
    "swish": lambda x: conv(2)(ops.hard_silu(x) * ops.relu6(x + 3.0)),
}


def tiny(build, size):
    """A network whose last layer is `end`: an operation of keras.ops has no name to ask for."""
    pixels = keras.Input((size, size, 3))
    return positive(keras.Model(pixels, layers.Identity(name="end")(build(pixels))))


@pytest.mark.parametrize("size", [10, 11])
@pytest.mark.parametrize("kind", LINEAR)
def test_every_kind_of_layer_by_impulses(kind, size):
    model = tiny(LINEAR[kind], size)
    field = receptive_field(model, "end", size)
    assert_field(field, pixels_by_impulse(model, size), model.output.shape[1:3])
    assert field.unknown == ()


@pytest.mark.parametrize("kind", [*LINEAR, *CURVED])
def test_every_kind_of_layer_by_gradients(kind):
    model = tiny((LINEAR | CURVED)[kind], 11)
    field = receptive_field(model, "end", 11)
    network = averaged(model, "end", 11)
    assert_field(field, pixels_by_gradient(network, 11), model.output.shape[1:3])
    assert field.unknown == ()


sides = st.integers(1, 4)
margins = st.tuples(*[st.tuples(st.integers(0, 2), st.integers(0, 2))] * 2)
paddings = st.sampled_from(["valid", "same"])


@st.composite
def windows(draw):
    """A kind of layer that reads windows."""
    window = {"strides": draw(st.integers(1, 3)), "padding": draw(paddings)}
    pools = [layers.MaxPooling2D, layers.AveragePooling2D]
    convolutions = [conv, partial(layers.SeparableConv2D, 2), layers.DepthwiseConv2D]
    kind = draw(st.sampled_from(pools + convolutions))
    # TensorFlow knows no strides of dilated kernels
    if kind in convolutions and window["strides"] == 1:
        window["dilation_rate"] = draw(st.integers(1, 3))
    return partial(kind, draw(st.tuples(sides, sides)), **window)


@st.composite
def branches(draw):
    """Two convolutions of one stride, joined."""
    stride, kernels = draw(st.integers(1, 2)), draw(st.tuples(sides, sides))
    join = draw(st.sampled_from([layers.Add, layers.Concatenate]))
    return lambda: lambda x: join()([conv(size, stride, padding="same")(x) for size in kernels])


def margin(kind):
    return margins.map(lambda given: partial(kind, given))


# branches before padding alone: see the module's word on sides that are followed apart
networks = st.tuples(
    st.lists(st.one_of(windows(), branches(), margin(layers.Cropping2D)), max_size=3),
    st.lists(
        st.one_of(windows(), margin(layers.ZeroPadding2D), margin(layers.Cropping2D)), max_size=3
    ),
)


@hypothesis.settings(max_examples=20)
@hypothesis.given(networks, st.integers(6, 14))
def test_any_network_of_windows(steps, size):
    x = pixels = keras.Input((size, size, 3))
    try:
        for step in sum(steps, []):
            x = step()(x)
    except ValueError:  # nothing is left of the picture
        hypothesis.assume(False)
    hypothesis.assume(0 not in x.shape[1:3])
    model = positive(keras.Model(pixels, layers.Identity(name="end")(x)))
    field = receptive_field(model, "end", size)
    used = pixels_by_impulse(model, size).reshape(*x.shape[1:3], size, size)
    hypothesis.assume(used.any())
    for found, along in (
        (field.rows, used.any(axis=(1, 3))),
        (field.columns, used.any(axis=(0, 2))),
    ):
        read = along.any(axis=1)
        assert_array_equal(found[read], spans(along[read]))
        assert (found[~read] == (0, size)).all()


def test_a_branch_of_padding_makes_a_box_larger_and_never_smaller():
    pixels = keras.Input((6, 6, 3))
    x = layers.ZeroPadding2D(((1, 0), (0, 0)))(pixels)
    joined = layers.Concatenate(name="end")(
        [conv((1, 4), padding="same")(x), conv((3, 1), padding="same")(x)]
    )
    model = positive(keras.Model(pixels, joined))
    field = receptive_field(model, "end", 6)
    used = pixels_by_impulse(model, 6)[3]  # of the first row, where the flat branch reads padding
    assert_array_equal(np.argwhere(used), [(0, 3)])
    assert_array_equal(field.rows[0], (0, 1))
    assert_array_equal(field.columns[3], (2, 6))


class Shift(layers.Layer):
    """A layer of another origin, which reads the place below."""

    def call(self, inputs):
        return ops.roll(inputs, 1, axis=1)


class Smoothed(layers.Conv2D):
    """A convolution that reads more than Keras's own."""

    def call(self, inputs):
        return super().call(layers.AveragePooling2D(3, 1, "same")(inputs))


def blurred(x):
    """An activation that mixes places."""
    return x + ops.roll(x, 1, axis=2)


# layers that are not known to read less than everything, with what is known before them
UNKNOWN = {
    "a layer of one's own": lambda x: Shift(name="other")(x),
    "a convolution of one's own": lambda x: Smoothed(2, 3, name="other")(x),
    "a function": lambda x: layers.Lambda(lambda x: x[:, ::-1], name="other")(x),
    "an activation of one's own": lambda x: conv(3, activation=blurred, name="other")(x),
    "another axis": lambda x: layers.Concatenate(axis=1, name="other")([x, x]),
    "softmax over places": lambda x: layers.Softmax(axis=[1, 2], name="other")(x),
    "upsampling": lambda x: layers.UpSampling2D(2, name="other")(x),
    "permutation": lambda x: layers.Permute((2, 1, 3), name="other")(x),
    "reshape": lambda x: layers.Reshape((9, 16, 3), name="other")(x),
    "resizing": lambda x: layers.Resizing(6, 6, name="other")(x),
    "transposed": lambda x: layers.Conv2DTranspose(2, 3, name="other")(x),
}


@pytest.mark.parametrize("kind", UNKNOWN)
def test_unknown_layers_read_all_of_their_input_and_are_named(kind):
    pixels = keras.Input((14, 14, 3))
    x = UNKNOWN[kind](layers.Cropping2D(1)(pixels))
    model = positive(keras.Model(pixels, conv(1, name="end")(x)))
    field = receptive_field(model, "end", 14)
    assert field.unknown == ("other",)
    assert_array_equal(field.rows, [(1, 13)] * x.shape[1])
    assert_array_equal(field.columns, [(1, 13)] * x.shape[2])


@pytest.mark.parametrize(
    "read",
    [
        lambda x: x[:, ::2],
        lambda x: x[:, :, 1:, ::-1],
        lambda x: x[:, 1],
        lambda x: ops.flip(x, axis=1),
        lambda x: ops.mean(x, axis=(1, 2), keepdims=True),
        lambda x: ops.reshape(x, (-1, 3, 27, 3)),
        lambda x: ops.softmax(x, axis=1),
        lambda x: layers.Dense(3)(x[..., 0]),
        lambda x: x * ops.max(x, axis=3, keepdims=True),
    ],
)
def test_operations_that_mix_places(read):
    pixels = keras.Input((9, 9, 3))
    model = keras.Model(pixels, layers.Identity(name="end")(read(pixels)))
    field = receptive_field(model, "end", 9)
    assert field.unknown
    assert (field.rows == (0, 9)).all()
    assert (field.columns == (0, 9)).all()


def test_preprocessing_of_keras_read_back_from_a_file(tmp_path):
    pixels = keras.Input((9, 9, 3))
    prepared = keras.applications.resnet50.preprocess_input(pixels)
    keras.Model(pixels, conv(3, name="end")(prepared)).save(tmp_path / "own.keras")
    field = receptive_field(keras.saving.load_model(tmp_path / "own.keras"), "end", 9)
    assert field.unknown == ()
    assert_array_equal(field.rows[2], (2, 5))


def test_a_vector_is_a_map_of_one_place():
    pixels = keras.Input((9, 9, 3))
    x = layers.Dense(4, name="end")(layers.Flatten()(layers.Cropping2D(1)(pixels)))
    field = receptive_field(keras.Model(pixels, x), "end", 9)
    assert_array_equal(field.rows, [(1, 8)])
    assert_array_equal(field.columns, [(1, 8)])
    assert field.unknown == ()


@pytest.mark.parametrize(
    ("layer", "size", "message"),
    [
        ("nowhere", 9, "has no layer 'nowhere'"),
        ("end", 2, "2x2"),
        ("split", 9, "2 outputs, not one"),
    ],
)
def test_refused(layer, size, message):
    pixels = keras.Input((None, None, 3))
    halves = keras.Model(pixels, [pixels, pixels * 2.0], name="split")(pixels)
    model = keras.Model(pixels, [layers.Conv2D(2, 3, name="end")(pixels), *halves])
    with pytest.raises(InputError, match=message):
        receptive_field(model, layer, size)


# ---- real networks


@cache
def trunk(name):
    """A network of the zoo with random weights."""
    return zoo.trunk(zoo.parse(name), zoo.parse(name).side(None))


@pytest.mark.parametrize(
    ("name", "layer", "size"),
    [
        ("GoogLeNet", "mixed3a", 224),
        ("GoogLeNet", "mixed4c_pool_reduce_pre_relu", 224),
        ("GoogLeNet", "mixed3b_5x5_pre_relu", 128),
        ("MobileNet(alpha=0.25)", "conv_pw_6", 128),
        ("ResNet50", "conv3_block1_add", 64),
        ("VGG19", "block3_conv2", 64),
        pytest.param("GoogLeNet", "conv2d2_pre_relu", 224, marks=pytest.mark.slow),
        pytest.param("GoogLeNet", "mixed4b_5x5_pre_relu", 224, marks=pytest.mark.slow),
        pytest.param("GoogLeNet", "mixed4a", 97, marks=pytest.mark.slow),
        pytest.param("ResNet50", "conv4_block1_add", 224, marks=pytest.mark.slow),
        pytest.param("VGG19", "block5_conv1", 224, marks=pytest.mark.slow),
        pytest.param("InceptionV1", "mixed4a", 128, marks=pytest.mark.slow),
        pytest.param("InceptionV3", "mixed0", 299, marks=pytest.mark.slow),
        pytest.param("DenseNet121", "conv3_block3_2_conv", 224, marks=pytest.mark.slow),
        pytest.param("NASNetMobile", "normal_conv_1_0", 224, marks=pytest.mark.slow),
        pytest.param("Xception", "block4_sepconv2", 150, marks=pytest.mark.slow),
        pytest.param("EfficientNetB0", "block2a_expand_conv", 96, marks=pytest.mark.slow),
    ],
)
def test_real_networks_by_gradients(name, layer, size):
    model = trunk(name)
    field = receptive_field(model, layer, size)
    network = positive(averaged(model, layer, size))
    for along, found in ((1, field.rows), (2, field.columns)):
        places = np.unique([0, 1, len(found) // 2, len(found) - 2, len(found) - 1])
        assert_array_equal(found[places], spans(lines_by_gradient(network, along, places, size)))
    assert field.unknown == ()


loaded = cache(models.load)


def test_fields_of_googlenet_cover_the_picture_from_mixed4c_on():
    """The issue's word; before it, only the middle of mixed4b does."""
    covered = {}
    for layer in ("mixed3b", "mixed4a", "mixed4b", "mixed4c", "mixed4d", "mixed5b"):
        field = receptive_field(trunk("GoogLeNet"), layer, 224)
        side = len(field.rows)
        covered[layer] = int(boxes(field, np.arange(side**2), (side, side), 224)[1].sum())
    assert covered == {
        "mixed3b": 0,
        "mixed4a": 0,
        "mixed4b": 1,
        "mixed4c": 25,
        "mixed4d": 81,
        "mixed5b": 49,
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    ["InceptionV1", "CaffeNet", "VGG16", "ResNet50V2", "InceptionResNetV2", "Xception"]
    + ["MobileNetV2", "MobileNetV3Small", "NASNetMobile", "DenseNet121", "EfficientNetB0"]
    + ["EfficientNetV2B0", "ConvNeXtTiny"],
)
def test_every_layer_of_the_zoo_is_known(name):
    model = trunk(name)
    assert receptive_field(model, -1, zoo.parse(name).side(None)).unknown == ()


@pytest.mark.parametrize("layer", ["mixed3a", "mixed4c"])
def test_the_patch_of_the_maximum_holds_all_it_depends_on(layer, shared):
    """On real weights and paintings, at the maximum that OpenCV's own run found."""
    oracle = np.load(shared / "oracle" / "googlenet_wikiart224_val.npz")
    network = loaded(f"GoogLeNet:{shared / 'weights' / 'bvlc_googlenet.caffemodel'}")
    field = receptive_field(network, layer, 224)
    shape = len(field.rows), len(field.columns)
    numbers, channels = np.arange(0, 450, 75), np.arange(6) * 40
    places = oracle[f"{layer}_place"][numbers, channels].astype(int)
    found, whole = boxes(field, places, shape, 224)
    run = cut(network.model, [layer], (224, 224))
    files = [shared / "data/wikiart224/images" / f"{oracle['ids'][n]}.jpg" for n in numbers]
    given = np.stack([pictures.read(file, 224) for file in files]).astype("float32")

    def values(batch):
        maps = run.predict_on_batch(batch)[layer].reshape(
            len(batch), -1, run.output[layer].shape[-1]
        )
        return maps[np.arange(len(batch)), :, channels]

    before = values(given)
    assert_array_equal(before[range(6), places], before.max(axis=1))
    outside, inside = given.copy(), given.copy()
    for n, (left, top, width, height) in enumerate(found * 224):
        box = np.s_[round(top) : round(top + height), round(left) : round(left + width)]
        outside[n] = np.random.default_rng(n).uniform(0, 255, given[n].shape)
        outside[n][box] = given[n][box]
        inside[n][box] = 128
    kept, lost = values(outside)[range(6), places], values(inside)[range(6), places]
    assert (~whole).sum() >= 3
    assert_array_equal(kept[~whole], before[range(6), places][~whole])
    assert (lost != before[range(6), places]).all()


# ---- boxes

HALVES = Field(np.array([(0, 8), (2, 8), (0, 8)]), np.array([(0, 8), (0, 8), (0, 4)]), 8)


def test_boxes_by_hand():
    found, whole = boxes(HALVES, [0, 2, 4, 5, 7], (3, 3), 8)
    assert_array_equal(
        found,
        np.float32(
            [
                (0, 0, 0.5, 0.5),  # the whole picture, at a corner: half of it, moved inside
                (0, 0, 0.5, 1),
                (0, 0.25, 1, 0.75),
                (0, 0.25, 0.5, 0.75),
                (0.25, 0.5, 0.5, 0.5),  # at the lower edge
            ]
        ),
    )
    assert found.dtype == np.float32
    assert whole.tolist() == [True, False, False, False, True]


def test_no_places():
    found, whole = boxes(HALVES, [], (3, 3), 8)
    assert found.shape == (0, 4)
    assert whole.shape == (0,)


@hypothesis.given(st.integers(1, 20), st.integers(1, 20), st.data())
def test_boxes_lie_in_the_picture_and_hold_the_place(height, width, data):
    size = data.draw(st.integers(max(height, width), 60))

    def spans_around(count):
        middle = ((np.arange(count) + 0.5) * size / count).astype(int)
        reach = data.draw(st.integers(0, size))
        return np.stack([(middle - reach).clip(0), (middle + 1 + reach).clip(max=size)], axis=1)

    field = Field(spans_around(height), spans_around(width), size)
    places = np.arange(height * width)
    found, whole = boxes(field, places, (height, width), size)
    left, top, wide, high = found.T
    rows, columns = (np.divmod(places, width) + np.full((2, 1), 0.5)) / ((height,), (width,))
    almost = 1e-6  # float32
    assert (left >= 0).all()
    assert (top >= 0).all()
    assert (left + wide <= 1 + almost).all()
    assert (top + high <= 1 + almost).all()
    assert (left - almost <= columns).all()
    assert (columns <= left + wide + 1 / size + almost).all()
    assert (top - almost <= rows).all()
    assert (rows <= top + high + 1 / size + almost).all()
    assert (found[whole][:, 2:] == 0.5).all()


@pytest.mark.parametrize(
    ("places", "map_size", "size", "message"),
    [
        ([0], (3, 4), 8, "a map of 3 x 4 places of pictures of 8 pixels; accepted: the field's, 3"),
        ([0], (3, 3), 9, "of 9 pixels; accepted: the field's, 3 x 3 of 8 pixels"),
        ([0, 9], (3, 3), 8, "place 9 of a map; accepted: 0 to 8"),
        ([-1], (3, 3), 8, "place -1 of a map; accepted: 0 to 8"),
    ],
)
def test_refused_places(places, map_size, size, message):
    with pytest.raises(InputError, match=message):
        boxes(HALVES, places, map_size, size)
