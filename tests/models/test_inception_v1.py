import keras
import numpy as np
import pytest

from models import caffe_layers, inception_v1
from models.errors import InputError
from models.inception_v1 import BVLC_WIDTHS, LUCID_WIDTHS, GoogLeNet, InceptionV1

VARIANTS = {"InceptionV1": (InceptionV1, LUCID_WIDTHS), "GoogLeNet": (GoogLeNet, BVLC_WIDTHS)}
# the network's stages and their channels: FACTS of the 5h graph, table 1 of Szegedy et al. 2015
CHANNELS = {
    "InceptionV1": (256, 480, 508, 512, 512, 528, 832, 832, 1024),
    "GoogLeNet": (256, 480, 512, 512, 512, 528, 832, 832, 1024),
}


@pytest.fixture(scope="module", params=VARIANTS)
def built(request):
    """(name, network with auxiliary heads at 224, widths)"""
    constructor, widths = VARIANTS[request.param]
    return request.param, constructor(auxiliary=True), widths


@pytest.fixture(scope="module", params=VARIANTS)
def small(request):
    """(network with auxiliary heads, 4 classes, 80 pixels; widths)"""
    constructor, widths = VARIANTS[request.param]
    return constructor(input_shape=(80, 80, 3), classes=4, auxiliary=True), widths


def drawn(n, rows, columns):
    """Pictures as a network reads them: about 0, some -100 to 100."""
    values = np.random.default_rng(0).normal(scale=60, size=(n, rows, columns, 3))
    return values.astype(np.float32)


def lucids_names(widths):
    """Every name in Lucid's graph that a network with auxiliary heads must have."""
    convolved = ["conv2d0", "conv2d1", "conv2d2", "head0_bottleneck", "head1_bottleneck"]
    branches = ("1x1", "3x3_bottleneck", "3x3", "5x5_bottleneck", "5x5", "pool_reduce")
    convolved += [f"{module}_{branch}" for module in widths for branch in branches]
    convolved += ["nn0", "nn1"] + list(widths)
    plain = ["maxpool0", "maxpool1", "maxpool4", "maxpool10", "avgpool0"]
    plain += ["localresponsenorm0", "localresponsenorm1", "head0_pool", "head1_pool"]
    plain += [f"{module}_pool" for module in widths]
    for head in ("softmax0", "softmax1", "softmax2"):
        plain += [head, f"{head}_pre_activation"]
    return {*convolved, *(f"{name}_pre_relu" for name in convolved), *plain}


def convolution_parameters(inputs, size, outputs):
    return (size * size * inputs + 1) * outputs


def parameters(widths, classes, auxiliary):
    """Weights and biases counted from the table alone."""
    total = convolution_parameters(3, 7, 64) + convolution_parameters(64, 1, 64)
    total += convolution_parameters(64, 3, 192)
    inputs = 192
    for module, (one, narrow3, three, narrow5, five, reduce) in widths.items():
        total += convolution_parameters(inputs, 1, one + narrow3 + narrow5 + reduce)
        total += convolution_parameters(narrow3, 3, three)
        total += convolution_parameters(narrow5, 5, five)
        inputs = one + three + five + reduce
        if auxiliary and module in ("mixed4a", "mixed4d"):
            # 14 x 14, pooled 5 x 5 by steps of 3: 4 x 4
            total += convolution_parameters(inputs, 1, 128) + (4 * 4 * 128 + 1) * 1024
            total += (1024 + 1) * classes
    return total + (inputs + 1) * classes


def test_has_lucids_names_and_is_flat(built):
    _, model, widths = built
    names = {layer.name for layer in model.layers}
    assert lucids_names(widths) <= names
    assert not any(isinstance(layer, keras.Model) for layer in model.layers)


def test_parameters_are_those_of_the_table(built):
    name, model, widths = built
    classes = {"InceptionV1": 1008, "GoogLeNet": 1000}[name]
    assert model.count_params() == parameters(widths, classes, auxiliary=True)


def test_parameters_are_the_published_ones():
    # bvlc_googlenet.caffemodel for testing: 6 998 552 numbers
    assert parameters(BVLC_WIDTHS, 1000, auxiliary=False) == 6_998_552
    assert GoogLeNet().count_params() == 6_998_552


def test_stages_have_the_papers_shapes(built):
    name, model, widths = built
    sizes = dict(zip(widths, (28, 28, 14, 14, 14, 14, 14, 7, 7), strict=True))
    for module, channels in zip(widths, CHANNELS[name], strict=True):
        for end in ("", "_pre_relu"):
            shape = model.get_layer(module + end).output.shape
            assert shape == (None, sizes[module], sizes[module], channels)
    assert model.get_layer("maxpool1").output.shape == (None, 28, 28, 192)


def ceil_mode(n):
    """Caffe's output size of a 3x3 pooling by steps of 2 (pooling_layer.cpp)."""
    return int(np.ceil((n - 3) / 2)) + 1


def caffe_sizes(n):
    """Caffe's sizes after conv2d0 and the four poolings."""
    sizes = [(n + 2 * 3 - 7) // 2 + 1]
    for _ in range(4):
        sizes.append(ceil_mode(sizes[-1]))
    return sizes


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("size", [(64, 95), (97, 101), (130, 224)])
def test_googlenets_sizes_are_caffes(size, known):
    model = GoogLeNet(include_top=False, input_shape=(*size, 3) if known else None)
    names = ("conv2d0", "maxpool0", "maxpool1", "maxpool4", "maxpool10")
    cut = keras.Model(model.input, [model.get_layer(name).output for name in names])
    found = [shape[1:3] for shape in cut.compute_output_shape((1, *size, 3))]
    assert found == list(zip(caffe_sizes(size[0]), caffe_sizes(size[1]), strict=True))


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("size", [(7, 7), (8, 8), (7, 8), (3, 2), (13, 4)])
def test_caffes_max_pool_is_the_plain_loop(size, known):
    rows, columns = size
    given = np.random.default_rng(0).uniform(size=(2, rows, columns, 3)).astype(np.float32)
    expected = np.empty((2, ceil_mode(rows), ceil_mode(columns), 3), np.float32)
    for r in range(expected.shape[1]):
        for c in range(expected.shape[2]):
            window = given[:, 2 * r : 2 * r + 3, 2 * c : 2 * c + 3]  # cut at the border
            expected[:, r, c] = window.max((1, 2))
    x = keras.Input((rows, columns, 3) if known else (None, None, 3))
    model = keras.Model(x, caffe_layers.max_pool(x, "pool"))
    np.testing.assert_array_equal(model.predict_on_batch(given), expected)


def test_googlenets_first_convolution_pads_three_on_every_side():
    model = GoogLeNet(include_top=False, input_shape=(64, 64, 3))
    kernel = np.zeros((7, 7, 3, 64), np.float32)
    kernel[3, 3] = 1.0  # the middle: sums the channels of pixel (2r, 2c)
    model.get_layer("conv2d0_pre_relu").set_weights([kernel, np.zeros(64, np.float32)])
    given = np.random.default_rng(0).uniform(size=(1, 64, 64, 3)).astype(np.float32)
    cut = keras.Model(model.input, model.get_layer("conv2d0").output)
    found = np.asarray(cut.predict_on_batch(given))[0, :, :, 0]
    np.testing.assert_allclose(found, given[0, ::2, ::2].sum(-1), rtol=1e-6)


def test_module_joins_1x1_3x3_5x5_and_pool_in_this_order(small):
    model, widths = small
    branches = ("1x1", "3x3", "5x5", "pool_reduce")
    names = [f"mixed4d_{b}_pre_relu" for b in branches] + ["mixed4d_pre_relu", "mixed4d"]
    names += [f"mixed4d_{b}" for b in branches]
    cut = keras.Model(model.input, [model.get_layer(name).output for name in names])
    given = drawn(1, 80, 80)
    *linear, joined, rectified, one, three, five, pool = cut.predict_on_batch(given)
    np.testing.assert_array_equal(np.concatenate(linear, -1), joined)
    np.testing.assert_array_equal(np.maximum(joined, 0), rectified)
    np.testing.assert_array_equal(np.concatenate([one, three, five, pool], -1), rectified)
    one, _, three, _, five, reduce = widths["mixed4d"]
    assert [m.shape[-1] for m in linear] == [one, three, five, reduce]
    assert 0 < (np.asarray(joined) < 0).mean() < 1  # the ReLU has something to do


def test_auxiliary_outputs_come_after_the_main_one(small):
    model, _ = small
    assert model.output_names == ["softmax2", "softmax0", "softmax1"]
    for probabilities in model.predict_on_batch(drawn(2, 80, 80)):
        assert np.shape(probabilities) == (2, 4)
        np.testing.assert_allclose(np.sum(probabilities, -1), 1, rtol=1e-4)
    rates = {f"nn{n}_dropout": inception_v1.AUXILIARY_DROPOUT for n in (0, 1)}
    rates["dropout"] = inception_v1.DROPOUT
    assert {name: model.get_layer(name).rate for name in rates} == rates


@pytest.mark.slow
def test_gradients_reach_every_weight(small):
    model, _ = small
    weight = inception_v1.AUXILIARY_LOSS_WEIGHT
    losses = ["sparse_categorical_crossentropy"] * 3
    model.compile("sgd", losses, loss_weights=[1.0, weight, weight])
    before = model.get_weights()
    model.train_on_batch(drawn(2, 80, 80), [np.array([0, 2])] * 3)
    pairs = zip(model.weights, before, model.get_weights(), strict=True)
    assert [w.path for w, a, b in pairs if np.array_equal(a, b)] == []


def test_runs_in_bfloat16_with_probabilities_in_float32():
    exact = GoogLeNet(input_shape=(32, 32, 3), classes=4)
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        half = GoogLeNet(input_shape=(32, 32, 3), classes=4)
    finally:
        keras.config.set_dtype_policy(before)
    half.set_weights(exact.get_weights())
    assert half.get_layer("mixed5b").compute_dtype == "bfloat16"
    assert half.output.dtype == "float32"
    found, expected = (net.predict_on_batch(drawn(2, 32, 32)) for net in (half, exact))
    np.testing.assert_allclose(found, expected, atol=0.05)


def test_any_size_with_top_and_a_given_tensor():
    pixels = keras.Input((None, None, 3), name="pixels")
    shifted = keras.layers.Rescaling(1.0, -117.0, name="preprocessing")(pixels)
    model = InceptionV1(input_tensor=shifted, classes=5)
    assert model.input is pixels and model.name == "InceptionV1"
    assert model.get_layer("preprocessing") and model.get_layer("mixed5b")
    assert np.shape(model.predict_on_batch(drawn(1, 33, 47))) == (1, 5)
    trunk = keras.Model(model.input, model.get_layer("mixed5b").output)
    assert trunk.compute_output_shape((1, 33, 64, 3)) == (1, 2, 2, 1024)
    assert trunk.compute_output_shape((1, 90, 225, 3)) == (1, 3, 8, 1024)


def test_saved_file_opens_in_safe_mode_and_gives_the_same(tmp_path):
    lrn = {"bias": 1.0}
    model = InceptionV1(input_shape=(32, 32, 3), classes=4, lrn=lrn)
    model.save(tmp_path / "v1.keras")
    opened = keras.models.load_model(tmp_path / "v1.keras", safe_mode=True)
    assert [a.name for a in opened.layers] == [a.name for a in model.layers]
    assert opened.get_layer("localresponsenorm1").bias == 1.0
    given = drawn(2, 32, 32)
    np.testing.assert_array_equal(model.predict_on_batch(given), opened.predict_on_batch(given))


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"auxiliary": True, "include_top": False}, "include_top=False"),
        ({"auxiliary": True, "input_shape": (None, None, 3)}, "None x None"),
        ({"auxiliary": True, "input_shape": (64, 96, 3)}, "4 x 6"),
        ({"classes": 1}, "classes=1"),
        ({"weights": "imagenet"}, "imagenet"),
        ({"weights": "/no/such.weights.h5"}, "/no/such.weights.h5"),
    ],
)
def test_mistakes_are_one_clear_error(how, says):
    with pytest.raises(InputError, match=says) as caught:
        InceptionV1(**how)
    assert "\n" not in str(caught.value)
