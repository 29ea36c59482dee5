"""VisualBackProp against hand-computed masks and a plain NumPy version of its definition."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import models
from models import backend, graph
from models.errors import InputError
from visualization.saliency.visual_backprop import (
    FORMS,
    Masks,
    find_stages,
    mask_model,
    reached_by,
    scaled_up,
    visual_backprop,
)

layers = keras.layers


def convolution(x, filters, size=3, kernel=None, **how):
    """A convolution; `kernel` is one number for all its weights."""
    initializer = "glorot_uniform" if kernel is None else keras.initializers.Constant(kernel)
    how = {"padding": "same", "activation": "relu"} | how
    return layers.Conv2D(filters, size, kernel_initializer=initializer, **how)(x)


def pictures(n, rows, columns):
    return np.random.default_rng(0).integers(0, 256, (n, rows, columns, 3), dtype=np.uint8)


def transposed(mask, stride, window, size, before):
    """All-ones transposed convolution of one mask (h, w), by its definition."""
    rows, columns = ((side - 1) * stride + window for side in mask.shape)
    whole = np.zeros((rows, columns))
    for r in range(window):
        for c in range(window):
            whole[r : r + rows - window + 1 : stride, c : c + columns - window + 1 : stride] += mask
    return whole[before : before + size[0], before : before + size[1]]


def unit(mask):
    return (mask - mask.min()) / (mask.max() - mask.min())


def test_two_convolutions_by_hand():
    """1x1 convolution of weight 1/3 (the grey picture), then 2x2/2 of weight 1 (sums of 2x2)."""
    x = inputs = keras.Input((4, 4, 3))
    x = convolution(x, 2, 1, kernel=1 / 3)
    x = convolution(x, 1, 2, strides=2, kernel=0.5)
    grey = np.array([[1, 0, 0, 0], [0, 2, 0, 0], [0, 0, 3, 0], [0, 0, 0, 0]], np.float32)
    # deepest: [[3, 0], [0, 3]], each spread over 2x2; times grey, then 1x1 to the picture
    expected = grey / 3
    picture = np.repeat(grey[None, ..., None], 3, axis=-1)
    found = visual_backprop(keras.Model(inputs, x))(picture)
    assert found.dtype == np.float32 and found.shape == (1, 4, 4)
    assert_allclose(found[0], expected, atol=1e-6)


def test_paper_smears_maps_of_one_size_and_released_does_not():
    """A lone pixel through two 1-weight centre taps: 3x3 ones by hand twice, or left alone."""
    centre = np.zeros((3, 3, 3, 1), np.float32)
    centre[1, 1] = 1 / 3
    x = inputs = keras.Input((5, 5, 3))
    first = layers.Conv2D(1, 3, padding="same", activation="relu")
    second = layers.Conv2D(1, 3, padding="same", activation="relu")
    model = keras.Model(inputs, second(first(x)))
    first.set_weights([centre, np.zeros(1)])
    second.set_weights([centre[:, :, :1] * 3, np.zeros(1)])
    lone = np.zeros((1, 5, 5, 3), np.float32)
    lone[0, 2, 2] = 9
    smeared = np.zeros((5, 5))
    smeared[1:4, 1:4] = 1
    assert_allclose(visual_backprop(model, form="paper")(lone)[0], smeared, atol=1e-6)
    assert_allclose(visual_backprop(model, form="released")(lone)[0], lone[0, :, :, 0] / 9)


@settings(deadline=None, max_examples=15)
@given(
    st.integers(1, 6), st.integers(1, 6), st.integers(1, 4), st.integers(1, 7), st.integers(0, 20)
)
def test_scaled_up_is_a_transposed_convolution(rows, columns, stride, window, seed):
    """At the size of "valid" padding, every window fits: the definition, pixel by pixel."""
    mask = np.random.default_rng(seed).uniform(size=(rows, columns)).astype(np.float32)
    window = max(window, stride)
    size = tuple((side - 1) * stride + window for side in mask.shape)
    found = scaled_up(mask[None], size, (stride, stride), (window, window))
    expected = transposed(mask, stride, window, size, 0)
    assert_allclose(keras.ops.convert_to_numpy(found)[0], expected, rtol=1e-5)


@settings(deadline=None, max_examples=200)
@given(st.integers(1, 30), st.integers(1, 30), st.integers(1, 3), st.integers(1, 5))
def test_every_pixel_of_any_size_is_reached(count, size, stride, window):
    windows = reached_by(count, size, stride, window)
    assert windows.shape[1] == size
    assert (windows.min(axis=0) < count).all() and windows.max() <= count


@pytest.mark.parametrize("form", FORMS)
def test_odd_sizes(form):
    """15 x 17 through "same" and "valid", strides and pooling: masks of the picture's size."""
    x = inputs = keras.Input((15, 17, 3))
    x = convolution(x, 4, strides=2, kernel=0.1)
    x = layers.MaxPooling2D(3, 2)(x)
    x = convolution(x, 4, 2, kernel=0.1, padding="valid")
    model = keras.Model(inputs, x)
    found = visual_backprop(model, form=form)(pictures(2, 15, 17))
    assert found.shape == (2, 15, 17)
    assert_allclose(found.min((1, 2)), 0)
    assert_allclose(found.max((1, 2)), 1)


def residual(x, filters, stride):
    """ResNet's block: its sum is rectified as a whole."""
    inner = convolution(x, filters, 1, strides=stride, activation=None, name="a")
    inner = layers.Activation("relu", name="a_relu")(layers.BatchNormalization()(inner))
    inner = layers.BatchNormalization()(convolution(inner, filters, activation=None, name="b"))
    short = convolution(x, filters, 1, strides=stride, activation=None, name="short")
    return layers.ReLU(name="out")(layers.Add()([short, inner]))


def names(model, form="paper"):
    """Names of the layers whose maps count, stage by stage, deepest first; strides; windows."""
    traced = graph.trace(model)
    made_by = {id(call.output): call.operation.name for call in traced.calls}
    stages = find_stages(traced, form)
    return [
        ([made_by[id(x)] for x in stage.maps], stage.stride[0], stage.window[0]) for stage in stages
    ]


def test_a_residual_block():
    inputs = keras.Input((9, 9, 3))
    model = keras.Model(inputs, residual(convolution(inputs, 4, 5, name="stem"), 4, 2))
    expected = [(["out"], 2, 3), (["a_relu"], 2, 1), (["stem"], 1, 5)]
    assert names(model) == expected
    alone = [(["b"], 2, 3), (["a"], 2, 3), (["short"], 2, 3), (["stem"], 1, 3)]
    assert sorted(names(model, "released")) == sorted(alone)


def test_parallel_branches_are_one_stage_weighted_by_channels():
    inputs = keras.Input((8, 8, 3))
    narrow = convolution(inputs, 1, 1, kernel=0.5, name="narrow")
    wide = convolution(inputs, 3, 5, name="wide")
    model = keras.Model(inputs, layers.Concatenate()([narrow, wide]))
    assert names(model) == [(["narrow", "wide"], 1, 5)]
    x = pictures(2, 8, 8)
    joined = keras.ops.convert_to_numpy(model(x.astype("float32")))
    sums = [transposed(m, 1, 5, (8, 8), 2) for m in joined.mean(-1)]
    found = visual_backprop(model, form="paper")(x)
    assert_allclose(found, [unit(m) for m in sums], atol=1e-5)
    cover = transposed(np.ones((8, 8)), 1, 5, (8, 8), 2)
    assert_allclose(visual_backprop(model)(x), [unit(m / cover) for m in sums], atol=1e-5)


def test_squeeze_and_excitation_and_inner_networks():
    """Maps of one pixel are left out; layers of a network inside a network count."""
    start = keras.Input((8, 8, 4))
    squeezed = layers.GlobalAveragePooling2D(keepdims=True)(start)
    gate = convolution(squeezed, 4, 1, activation="sigmoid", name="gate")
    inner = keras.Model(start, layers.DepthwiseConv2D(3, name="deep")(start * gate))
    inputs = keras.Input((8, 8, 3))
    stem = layers.SeparableConv2D(4, 3, padding="same", name="stem")(inputs)
    outer = keras.Sequential([keras.Model(inputs, inner(stem)), layers.GlobalMaxPooling2D()])
    assert [stage[0] for stage in names(outer)] == [["deep"], ["stem"]]


def test_convolutions_along_something_else_are_no_maps():
    """Efficient channel attention (Wang et al. 2020) has one along the channels."""
    inputs = keras.Input((12, 12, 3))
    x = convolution(inputs, 4, strides=2, name="first")
    weights = layers.Reshape((4, 1))(layers.GlobalAveragePooling2D()(x))
    weights = layers.Conv1D(1, 3, strides=1, padding="same", activation="sigmoid")(weights)
    x = layers.Multiply()([x, layers.Reshape((1, 1, 4))(weights)])
    model = keras.Model(inputs, convolution(x, 2, strides=2, name="last"))
    assert [stage[0] for stage in names(model)] == [["last"], ["first"]]
    (last, first) = find_stages(graph.trace(model), "even")
    assert last.stride == (4, 4) and first.stride == (2, 2)
    assert visual_backprop(model)(pictures(2, 12, 12)).max() == 1


@pytest.mark.parametrize("words", [(2,), ((2, 2),), (2, 2), (2, (2, 2)), (3, 2, "same")])
def test_poolings_of_keras_ops_count_in_the_stride(words):
    stride = words[1] if len(words) > 1 else words[0]
    how = {"pool_size": words[0], "strides": stride, "padding": (*words, "valid", "valid")[2]}
    inputs = keras.Input((12, 12, 3))
    first, last = (layers.Conv2D(n, 3, padding="same", activation="relu") for n in (4, 2))
    by_layer = keras.Model(inputs, last(layers.MaxPooling2D(**how)(first(inputs))))
    by_operation = keras.Model(inputs, last(keras.ops.max_pool(first(inputs), *words)))
    strides = [
        [stage.stride for stage in find_stages(graph.trace(model), "even")]
        for model in (by_operation, by_layer)
    ]
    assert strides[0] == strides[1] and strides[0][1] == (1, 1)
    if len(words) > 1:  # without a stride Keras 3.15 fails to run it on JAX
        x = pictures(2, 12, 12)
        assert_allclose(visual_backprop(by_operation)(x), visual_backprop(by_layer)(x), atol=1e-6)


def test_batches_and_unknown_sizes_change_nothing():
    inputs = keras.Input((None, None, 3))
    model = keras.Model(inputs, convolution(convolution(inputs, 3, strides=2), 2))
    x = pictures(5, 8, 10)
    whole = visual_backprop(model)(x)
    assert_allclose(visual_backprop(model, batch_size=2)(x), whole, atol=1e-6)
    assert_allclose(visual_backprop(model)(x[3:4])[0], whole[3], atol=1e-6)


def test_the_model_is_not_changed():
    inputs = keras.Input((8, 8, 3))
    model = keras.Model(inputs, convolution(inputs, 3, name="only"))
    output, before = model.get_layer("only").output, model.get_weights()
    visual_backprop(model)(pictures(1, 8, 8))
    assert model.get_layer("only").output is output
    for old, new in zip(before, model.get_weights(), strict=True):
        assert_array_equal(old, new)


def test_a_dead_map_gives_zeros():
    inputs = keras.Input((8, 8, 3))
    model = keras.Model(inputs, convolution(convolution(inputs, 3), 2, kernel=-1.0))
    assert_array_equal(visual_backprop(model)(pictures(1, 8, 8)), 0)


def test_bad_input():
    inputs = keras.Input((8, 8, 3))
    dense = keras.Model(inputs, layers.Dense(2)(layers.Flatten()(inputs)), name="flat")
    with pytest.raises(InputError, match="flat has no convolution"):
        visual_backprop(dense)
    model = keras.Model(inputs, convolution(inputs, 3), name="net")
    with pytest.raises(InputError, match="form 'keras'; accepted: even, paper, released"):
        visual_backprop(model, form="keras")
    with pytest.raises(InputError, match=r"pictures \(1, 9, 8, 3\); net takes .*8, 8, 3"):
        visual_backprop(model)(pictures(1, 9, 8))
    with pytest.raises(InputError, match="batch_size 0"):
        visual_backprop(model, batch_size=0)
    with pytest.raises(InputError, match="-5 to"):
        visual_backprop(model)(pictures(1, 8, 8) - 5.0)


def reference(stages, windows, strides, size, even):
    """The paper's form in NumPy, float64, or the even one: stages deepest first, of one picture."""
    mask = None
    for maps, window, stride in zip(stages, windows, strides, strict=True):
        averaged = np.concatenate(maps, axis=-1).clip(0).astype(np.float64).mean(-1)
        if mask is not None:
            step = before[0] // stride, before[1]  # noqa: F821
            averaged = averaged * enlarged(mask, averaged.shape, *step, even)
        mask, before = averaged, (stride, window)
    return unit(enlarged(mask, size, *before, even))


def enlarged(mask, size, stride, window, even):
    window = max(window, size[0] - (len(mask) - 1) * stride)
    how = stride, window, size, ((len(mask) - 1) * stride + window - size[0]) // 2
    whole = transposed(mask, *how)
    return whole / transposed(np.ones(mask.shape), *how) if even else whole


@pytest.mark.slow
def test_googlenet_agrees_with_numpy(shared):
    """Real weights, real paintings: GoogLeNet's stages written down by hand, masks within 1e-5."""
    spec = f"GoogLeNet:{shared / 'weights' / 'bvlc_googlenet.caffemodel'}"
    model = models.load(spec).model
    x = np.load(shared / "oracle" / "googlenet_opencv.npz")["images_rgb_uint8"][3:5]
    stages, windows, strides = [], [], []
    for module in ("5b", "5a", "4e", "4d", "4c", "4b", "4a", "3b", "3a"):
        stages += [[f"mixed{module}_{b}" for b in ("3x3", "5x5")]]
        first = ("1x1", "3x3_bottleneck", "5x5_bottleneck", "pool_reduce")
        stages += [[f"mixed{module}_{b}" for b in first]]
        windows += [5, 1]
        strides += [{"3": 8, "4": 16, "5": 32}[module[0]]] * 2
    stages += [["conv2d2"], ["conv2d1"], ["conv2d0"]]
    windows += [3, 1, 7]
    strides += [4, 4, 2]
    every = keras.Model(model.inputs, [[model.get_layer(n).output for n in s] for s in stages])
    activations = backend.forward(every)(x)
    for form in ("paper", "even"):
        found = visual_backprop(model, form=form)(x)
        for i, mask in enumerate(found):
            maps = [[np.asarray(m[i]) for m in stage] for stage in activations]
            expected = reference(maps, windows, strides, (224, 224), form == "even")
            assert_allclose(mask, expected, atol=1e-5)
        assert found.std() > 0.05


def periodic(mask):
    """Greatest amplitude in a mask's spectrum at a period of 2, 4, 8, 16 or 32, over its mean."""
    side = len(mask) // 32 * 32
    window = np.hanning(side)  # what changes slowly stays at low frequencies
    spectrum = np.abs(np.fft.fft(mask[:side, :side] * window[:, None] * window, axis=0))
    spectrum = np.sqrt((spectrum**2).mean(axis=1)) / (mask.mean() * window.sum() / 2)
    return max(spectrum[side // period] for period in (2, 4, 8))


def test_an_even_mask_stays_even():
    """3x3 windows of stride 2, twice: the paper's cover is 1 and 2 pixels by turns."""
    inputs = keras.Input((33, 33, 3))
    x = convolution(inputs, 2, strides=2, kernel=0.1, padding="valid")
    model = keras.Model(inputs, convolution(x, 2, strides=2, kernel=0.1, padding="valid"))
    even = np.full((1, 33, 33, 3), 200, np.uint8)
    assert_array_equal(visual_backprop(model)(even), 0)  # all of one value
    assert periodic(visual_backprop(model, form="paper")(even)[0]) > 0.2


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 9), st.integers(1, 4), st.integers(1, 7), st.integers(-6, 9))
def test_the_cover_of_a_mask_of_ones_leaves_it_ones(count, stride, window, more):
    size = max(1, (count - 1) * stride + window + more)
    layer = Masks([], (size, size), "even")
    found = layer._scaled(
        keras.ops.ones((1, count, count)), (size, size), ((stride,) * 2, (window,) * 2), (1, 1)
    )
    assert_allclose(keras.ops.convert_to_numpy(found), 1, rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("MobileNet(alpha=0.25)", 128),
        pytest.param("InceptionV3", 299, marks=pytest.mark.slow),
        pytest.param("ResNet50", 224, marks=pytest.mark.slow),
    ],
)
def test_no_grid_over_a_constant_picture(name, size):
    """Networks with 3x3 or 7x7 windows of stride 2; random weights: the grid is not of them."""
    model = models.load(name, size).model
    grey = np.full((1, size, size, 3), 128, np.uint8)
    grids = {
        form: periodic(visual_backprop(model, form=form)(grey)[0]) for form in ("paper", "even")
    }
    assert grids["even"] < 0.02 and grids["even"] < grids["paper"] / 5, grids


@pytest.mark.slow
@pytest.mark.parametrize(
    "spec", ["VGG19", "ResNet50", "InceptionV3", "Xception", "InceptionV1", "MobileNet"]
)
def test_networks_of_the_issue(spec):
    model = models.load(spec).model
    x = pictures(1, *model.input_shape[1:3])
    for form in FORMS:
        mask = visual_backprop(model, form=form)(x)
        assert mask.min() == 0 and mask.max() == 1


def test_masks_is_one_layer_of_a_model():
    inputs = keras.Input((8, 8, 3))
    model = mask_model(keras.Model(inputs, convolution(inputs, 3)))
    assert isinstance(model.layers[-1], Masks) and model.output_shape == (None, 8, 8)
