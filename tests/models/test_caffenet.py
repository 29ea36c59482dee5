import keras
import numpy as np
import pytest

from models import caffenet
from models.caffenet import CaffeNet
from models.errors import InputError

SMALL = (67, 67, 3)  # pixels: fc6 then has 256 inputs in place of 9216


@pytest.fixture(scope="module")
def small():
    return CaffeNet(input_shape=SMALL, classes=5)


@pytest.fixture(scope="module")
def full():
    return CaffeNet()


def drawn(*shape):
    return np.random.default_rng(0).normal(scale=60, size=shape).astype(np.float32)


def test_layers_are_caffes_in_caffes_order(full):
    blocks = ["conv1 relu1 pool1 norm1 conv2 relu2 pool2 norm2 conv3 relu3 conv4 relu4"]
    blocks += ["conv5 relu5 pool5 flatten fc6 relu6 drop6 fc7 relu7 drop7 fc8 prob"]
    named = [layer.name for layer in full.layers]
    assert named[1:] == " ".join(blocks).split()
    assert not any(isinstance(layer, keras.Model) for layer in full.layers)


def test_shapes_are_caffes_at_227(full):
    expected = {"conv1": (55, 55, 96), "pool1": (27, 27, 96), "conv2": (27, 27, 256)}
    expected |= {"pool2": (13, 13, 256), "conv5": (13, 13, 256), "pool5": (6, 6, 256)}
    expected |= {"flatten": (9216,), "fc7": (4096,), "prob": (1000,)}
    assert {name: full.get_layer(name).output.shape[1:] for name in expected} == expected


def test_parameters_by_hand(full):
    # kernels read the channels of their own group
    convolutions = (11 * 11 * 3 + 1) * 96 + (5 * 5 * 48 + 1) * 256 + (9 * 256 + 1) * 384
    convolutions += (9 * 192 + 1) * 384 + (9 * 192 + 1) * 256
    dense = (9216 + 1) * 4096 + (4096 + 1) * 4096 + (4096 + 1) * 1000
    assert full.count_params() == convolutions + dense == 60_965_224


def test_groups_do_not_see_each_other(small):
    conv = small.get_layer("conv2")
    given = drawn(1, 9, 9, 96)
    changed = given.copy()
    changed[..., :48] += 1
    a, b = (keras.ops.convert_to_numpy(conv(x)) for x in (given, changed))
    np.testing.assert_array_equal(a[..., 128:], b[..., 128:])
    assert np.abs(a[..., :128] - b[..., :128]).min() > 0


def test_pooling_comes_before_normalisation(small):
    assert small.get_layer("norm1").input is small.get_layer("pool1").output
    assert small.get_layer("conv2").input is small.get_layer("norm1").output


def test_normalisation_is_caffes(small):
    # Caffe: x / (1 + 1e-4 / 5 * sum of 5 channels' squares) ** 0.75
    given = np.full((1, 1, 1, 96), 100, np.float32)
    found = keras.ops.convert_to_numpy(small.get_layer("norm1")(given))[0, 0, 0]
    assert found[50] == pytest.approx(100 / (1 + 1e-4 / 5 * 5 * 1e4) ** 0.75, rel=1e-5)
    assert found[0] == pytest.approx(100 / (1 + 1e-4 / 5 * 3 * 1e4) ** 0.75, rel=1e-5)


def test_features_are_fc7s_after_relu(small):
    trunk = CaffeNet(include_top=False, input_shape=SMALL)
    assert trunk.layers[-1].name == "drop7" and trunk.output_shape == (None, caffenet.FEATURES)
    trunk.set_weights(small.get_weights()[:-2])
    cut = keras.Model(small.input, small.get_layer("relu7").output)
    given = drawn(2, *SMALL)
    np.testing.assert_array_equal(trunk.predict_on_batch(given), cut.predict_on_batch(given))


def test_a_number_two_classes_and_many():
    number = CaffeNet(input_shape=SMALL, classes=1, classifier_activation="linear")
    scores = keras.Model(number.input, number.get_layer("fc8").output)
    given = drawn(2, *SMALL)
    np.testing.assert_array_equal(number.predict_on_batch(given), scores.predict_on_batch(given))
    two = CaffeNet(input_shape=SMALL, classes=2).predict_on_batch(given)
    np.testing.assert_allclose(np.sum(two, -1), 1, rtol=1e-5)


def test_gradients_reach_every_weight(small):
    small.compile("sgd", "sparse_categorical_crossentropy")
    before = small.get_weights()
    small.train_on_batch(drawn(2, *SMALL), np.array([0, 4]))
    pairs = zip(small.weights, before, small.get_weights(), strict=True)
    assert [w.path for w, a, b in pairs if np.array_equal(a, b)] == []


def test_saved_file_opens_in_safe_mode_and_gives_the_same(small, tmp_path):
    small.save(tmp_path / "net.keras")
    opened = keras.models.load_model(tmp_path / "net.keras", safe_mode=True)
    given = drawn(2, *SMALL)
    np.testing.assert_array_equal(small.predict_on_batch(given), opened.predict_on_batch(given))


def test_smallest_size_is_the_smallest():
    side = caffenet.SMALLEST
    smallest = CaffeNet(include_top=False, input_shape=(side, side, 3))
    assert smallest.get_layer("pool5").output.shape == (None, 1, 1, 256)


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"input_shape": (None, None, 3)}, "None x None"),
        ({"input_shape": (38, 227, 3)}, "38 x 227"),
        ({"input_shape": SMALL, "classes": 1}, "classes=1"),
        ({"input_shape": SMALL, "weights": "imagenet"}, "imagenet"),
    ],
)
def test_mistakes_are_one_clear_error(how, says):
    with pytest.raises(InputError, match=says) as caught:
        CaffeNet(**how)
    assert "\n" not in str(caught.value)
