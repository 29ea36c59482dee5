"""The Caffe importer on small files: what it reads, fills, reports and refuses."""

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from models.errors import InputError
from models.importers import caffe
from tests.models.importers.caffe_files import blob, caffemodel, field

FORMS = {
    "layer": {},
    "layer, not packed": {"packed": False},
    "layer, double": {"double": True},
    "layer, double, not packed": {"double": True, "packed": False},
    "V1, four sizes": {"form": "V1", "old": True},
    "V1, shape": {"form": "V1"},
    "first form": {"form": "V0", "old": True},
}


@pytest.fixture
def save(tmp_path):
    """Return a function that writes bytes to a file and returns its path."""

    def write(data):
        path = tmp_path / "file.caffemodel"
        path.write_bytes(data)
        return path

    return write


@pytest.fixture(scope="module")
def network():
    """Two grouped convolutions' channels, pooled, flattened, two dense layers, as in CaffeNet."""
    pixels = keras.Input((6, 8, 4))
    x = keras.layers.Conv2D(6, (3, 2), groups=2, name="conv1")(pixels)
    x = keras.layers.MaxPooling2D((2, 1), name="pool5")(x)
    x = keras.layers.Flatten()(x)
    x = keras.layers.Dense(5, name="fc6")(x)
    x = keras.layers.Dense(3, name="fc8")(x)
    return keras.Model(pixels, x, name="small")


@pytest.fixture
def weights():
    """Weights of `network` in Caffe's layout, and a layer without."""
    drawn = np.random.default_rng(0)
    shapes = {
        "conv1": [(6, 2, 3, 2), (6,)],
        "drop6": [],
        "fc6": [(5, 6 * 2 * 7), (5,)],
        "fc8": [(3, 5), (3,)],
    }
    return {k: [drawn.normal(size=s).astype("f4") for s in v] for k, v in shapes.items()}


def by_hand(weights, pictures):
    """What Caffe computes of (N, channels, rows, columns), in its own layout."""
    kernel, bias = weights["conv1"]
    halves = []
    for group in (0, 1):
        part = np.lib.stride_tricks.sliding_window_view(
            pictures[:, 2 * group : 2 * group + 2], (3, 2), axis=(2, 3)
        )
        halves.append(np.einsum("nchwij,ocij->nohw", part, kernel[3 * group : 3 * group + 3]))
    maps = np.concatenate(halves, 1) + bias[:, None, None]
    pooled = np.maximum(maps[:, :, 0::2], maps[:, :, 1::2])
    features = pooled.reshape(len(pictures), -1) @ weights["fc6"][0].T + weights["fc6"][1]
    return features @ weights["fc8"][0].T + weights["fc8"][1]


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_arrays(form, weights, save):
    found = caffe.read(save(caffemodel(weights, **FORMS[form])))
    assert list(found) == list(weights)
    for name, expected in weights.items():
        assert len(found[name]) == len(expected)
        for ours, theirs in zip(found[name], expected, strict=True):
            assert ours.dtype == np.float32
            np.testing.assert_array_equal(ours.ravel(), theirs.ravel())
    wide = "four" in form or "first" in form
    assert found["fc8"][0].shape == ((1, 1, 3, 5) if wide else (3, 5))


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    array=arrays(np.float32, array_shapes(min_dims=1, max_dims=5), elements=st.floats(width=32)),
    name=st.text(max_size=20),
    how=st.sampled_from([{}, {"packed": False}, {"double": True}]),
)
def test_what_is_written_is_read(array, name, how, save):
    found = caffe.read(save(caffemodel({name: [array]}, **how)))
    assert list(found) == [name]
    np.testing.assert_array_equal(found[name][0], array)


@pytest.mark.parametrize("form", FORMS)
def test_the_network_computes_what_caffe_does(form, network, weights, save):
    report = caffe.load(save(caffemodel(weights, **FORMS[form])), network)
    assert report.loaded == [("conv1", "conv1"), ("fc6", "fc6"), ("fc8", "fc8")]
    assert report.skipped == [("drop6", "holds no weights")]
    pictures = np.random.default_rng(1).normal(size=(2, 4, 6, 8)).astype("f4")
    ours = network.predict(pictures.transpose(0, 2, 3, 1), verbose=0)
    np.testing.assert_allclose(ours, by_hand(weights, pictures), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("form", ["layer", "V1, four sizes"])
def test_a_renamed_last_layer_is_found(form, network, weights, save):
    weights["fc8_flickr"] = weights.pop("fc8")
    path = save(caffemodel(weights, **FORMS[form]))
    assert caffe.load(path, network).loaded[-1] == ("fc8_flickr", "fc8")
    np.testing.assert_array_equal(network.get_layer("fc8").kernel, weights["fc8_flickr"][0].T)
    assert caffe.classes(path) == 3


def test_layers_without_a_place_are_reported(network, weights, save):
    spare = [np.ones((2, 5)), np.ones(2)]
    weights |= {"fc9": spare, "loss1/classifier": spare}
    assert caffe.load(save(caffemodel(weights)), network).skipped == [
        ("drop6", "holds no weights"),
        ("fc9", "the network has no such layer"),
        ("loss1/classifier", "auxiliary head, which the network is built without"),
    ]


def two_renamed(weights):
    weights["a"] = weights["b"] = weights.pop("fc8")


def narrower(weights):
    weights["fc8_two"] = [np.ones((2, 5)), np.ones(2)]
    del weights["fc8"]


def not_grouped(weights):
    weights["conv1"][0] = np.ones((6, 4, 3, 2))


def no_bias(weights):
    del weights["fc6"][1]


def others(weights):
    weights["convolution"] = weights["conv1"]
    for name in ("conv1", "fc6", "fc8"):
        del weights[name]


UNFIT = {
    "no weights for 1: fc8": lambda weights: weights.pop("fc8"),
    "no weights for 1: conv1": lambda weights: weights.pop("conv1"),
    "no weights for 1: fc8; not used of the file 2: 'a' (3, 5) + (3,), 'b'": two_renamed,
    "no weights for 1: fc8; not used of the file 1: 'fc8_two' (2, 5)": narrower,
    "of another shape 1: 'conv1' (6, 4, 3, 2) + (6,) for conv1 (6, 2, 3, 2)": not_grouped,
    "of another shape 1: 'fc6' (5, 84) for fc6 (5, 84) + bias": no_bias,
    "no weights for 3: conv1, fc6, fc8; not used of the file 1: 'convolution'": others,
}


@pytest.mark.parametrize("message", UNFIT)
def test_a_part_is_refused_and_changes_nothing(message, network, weights, save):
    UNFIT[message](weights)
    before = network.get_weights()
    with pytest.raises(InputError) as error:
        caffe.load(save(caffemodel(weights)), network)
    assert message in str(error.value) and "does not fit small" in str(error.value)
    for old, new in zip(before, network.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_two_layers_for_one_are_refused(network, weights, save):
    weights |= {"conv2/3x3": weights["fc8"], "conv2d2_pre_relu": weights["fc8"]}
    with pytest.raises(InputError, match="holds both 'conv2/3x3' and 'conv2d2_pre_relu'"):
        caffe.load(save(caffemodel(weights)), network)


def test_classes_are_those_of_the_last_inner_product(weights, save):
    weights["scale"] = [np.ones(7)]
    assert caffe.classes(save(caffemodel(weights))) == 3
    with pytest.raises(InputError, match="no inner product"):
        caffe.classes(save(caffemodel({"conv1": weights["conv1"]})))


@pytest.mark.parametrize("how", [{}, {"old": True}])
def test_mean(how, save):
    pixels = np.arange(2 * 5 * 3, dtype="f4").reshape(2, 5, 3)
    path = save(blob(np.moveaxis(pixels, -1, 0)[None], **how))
    np.testing.assert_array_equal(caffe.mean(path), pixels)
    bgr = np.array((104, 117, 123), "f4")
    np.testing.assert_array_equal(caffe.mean(save(blob(bgr[:, None, None], **how))), bgr)
    with pytest.raises(InputError, match="a mean is"):
        caffe.mean(save(blob(np.ones((1, 4, 2, 2)), **how)))


def in_layer(*blobs):
    return field(100, field(1, "conv1") + b"".join(field(7, encoded) for encoded in blobs))


def two_numbers(*shape):
    return in_layer(field(5, bytes(8)) + field(7, b"".join(field(1, size) for size in shape)))


FLOAT16 = field(10, 2) + field(12, bytes(4))  # raw_data_type, raw_data
REFUSED = {
    "no Caffe file": None,
    "holds 0 Caffe layers": b"",
    "holds 10001 Caffe layers": field(100, b"") * 10_001,
    "holds more than 10000 arrays": in_layer(*[blob(np.ones(1))] * 10_001),
    "is not a whole Caffe Net message": b"\x89HDF\r\n\x1a\n" + bytes(99),
    "is not a whole Caffe Layer message": field(100, field(1, "conv1") + b"\x3a\xff\x01"),
    "is not a whole Caffe Blob message": in_layer(b"\x2a\xff\xff\xff\xff\x0f"),
    "is not a whole Caffe Shape message": in_layer(field(7, b"\x0a\x7f")),
    "raw (float16) data of NVIDIA's Caffe": in_layer(field(7, field(1, 2)) + FLOAT16),
    "of shape (3,) holds 2 numbers": two_numbers(3),
    "of shape (1,) holds 2 numbers": two_numbers(1),
    "of shape (-1, -2) holds 2 numbers": two_numbers(-1, -2),
    "of shape (4611686018427387904, 8) holds 2": two_numbers(2**62, 8),  # 2 ** 65 wraps to 0
    "an array of more than 32 axes": two_numbers(2, *[1] * 200),
    "of shape (1, 1, 1": two_numbers(*[1] * 32, 2),
    "of shape () holds 2 numbers": two_numbers(),
    "of shape (0, 0, 0, 0) holds 2 numbers": in_layer(field(5, bytes(8))),
    "of shape (2,) holds 0 numbers": in_layer(field(7, field(1, 2))),
    "two layers 'conv1' with weights": in_layer(blob(np.ones(2))) * 2,
    "has a name of 5000 bytes": field(100, field(1, "n" * 5000)),
}


@pytest.mark.parametrize("message", REFUSED)
def test_refused_in_one_line(message, network, save, tmp_path):
    path = tmp_path / "absent" if REFUSED[message] is None else save(REFUSED[message])
    for use in (caffe.read, caffe.classes, lambda path: caffe.load(path, network)):
        with pytest.raises(InputError) as error:
            use(path)
        assert message in str(error.value) and str(path) in str(error.value)
        assert "\n" not in str(error.value)


def test_any_cut_of_a_file_is_refused(weights, save):
    whole = caffemodel({"fc8": weights["fc8"]})
    assert list(caffe.read(save(whole))) == ["fc8"]
    for length in range(len(whole)):
        with pytest.raises(InputError):
            caffe.read(save(whole[:length]))
