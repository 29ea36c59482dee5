"""Optimized images as weights: Lucid's numbers, starts and gradients."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from models.errors import InputError
from visualization.optvis import param


def array(tensor):
    return ops.convert_to_numpy(tensor)


class Trained(keras.Model):
    """A model whose only weights are an image's; its loss is the distance from a grey level."""

    def __init__(self, layer, grey):
        super().__init__()
        self.layer, self.grey = layer, grey

    def call(self, inputs):
        self.add_loss(ops.mean(ops.square(self.layer() - self.grey)))
        return ops.zeros_like(inputs)


def fit(layer, grey, epochs):
    model = Trained(layer, grey)
    model.compile(optimizer=keras.optimizers.Adam(0.05))
    nothing = np.zeros((1, 1), "float32")
    return model.fit(nothing, nothing, epochs=epochs, verbose=0).history["loss"]


@pytest.mark.parametrize("size", ["128x128", "96x64", "65x97"])
def test_fft_image_equals_lucids(shared, size):
    oracle = np.load(shared / "oracle" / "lucid_param.npz")
    expected = {name: oracle[f"{size}|{name}"] for name in ("image", "decorrelated", "rgb")}
    h, w = map(int, size.split("x"))
    image = param.fft_image(oracle[f"{size}|spectrum"], h, w)
    np.testing.assert_allclose(array(image), expected["image"], atol=1e-5)
    np.testing.assert_allclose(
        array(param.decorrelated(image)), expected["decorrelated"], atol=1e-5
    )
    np.testing.assert_allclose(array(param.to_valid_rgb(image)), expected["rgb"], atol=1e-5)
    layer = param.image(w, h, batch=len(image))
    layer.spectrum.assign(oracle[f"{size}|spectrum"])
    np.testing.assert_allclose(array(layer()), expected["rgb"], atol=1e-5)


@settings(max_examples=10, deadline=None)
@given(h=st.sampled_from([5, 8]), w=st.sampled_from([6, 7]), seed=st.integers(0, 99))
def test_fft_image_is_numpys_inverse_transform(h, w, seed):
    spectrum = np.random.default_rng(seed).normal(size=(2, 1, 3, h, param.spectrum_columns(w)))
    scaled = (spectrum[0] + 1j * spectrum[1]) * param.frequency_scale(h, w) / 4
    expected = np.fft.irfft2(scaled, s=(h, w + w % 2))[..., :w].transpose(0, 2, 3, 1)
    found = array(param.fft_image(spectrum.astype("float32"), h, w))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_frequency_scale_by_hand():
    scale = param.frequency_scale(2, 4)  # frequencies y: 0, -1/2; x: 0, 1/4, -1/2
    lowest = np.sqrt(8) * 4
    expected = [
        [lowest, lowest, 2 * np.sqrt(8)],
        [2 * np.sqrt(8), np.sqrt(8 / (1 / 4 + 1 / 16)), 4],
    ]
    np.testing.assert_allclose(scale, expected, rtol=1e-6)


def test_decorrelated_by_hand():
    first = array(param.decorrelated(np.array([[[[1.0, 0.0, 0.0]]]], "float32")))
    largest = np.sqrt(0.26**2 + 0.27**2 + 0.27**2)
    np.testing.assert_allclose(first[0, 0, 0], np.array([0.26, 0.27, 0.27]) / largest, rtol=1e-6)


def test_clipping_in_place_of_the_sigmoid():
    image = np.zeros((1, 1, 1, 3), "float32")
    np.testing.assert_allclose(
        array(param.to_valid_rgb(image, sigmoid=False))[0, 0, 0], [0.48, 0.46, 0.41], rtol=1e-6
    )
    far = array(param.to_valid_rgb(image + [-3, 0.25, 3], decorrelate=False, sigmoid=False))
    np.testing.assert_allclose(far[0, 0, 0], [0, 0.25, 1])


@pytest.mark.parametrize("fft", [True, False])
def test_opacity_has_no_part_in_the_colours(fft):
    layer = param.image(8, 6, batch=2, sd=1.0, fft=fft, alpha=True)
    weight = layer.trainable_weights[0]
    before = array(layer())
    assert before.shape == (2, 6, 8, 4) and before.min() > 0 and before.max() < 1
    values = array(weight).copy()
    channel = (slice(None), slice(None), 3) if fft else (..., 3)
    values[channel] = 0
    weight.assign(values)
    after = array(layer())
    np.testing.assert_allclose(after[..., :3], before[..., :3], atol=1e-6)
    np.testing.assert_allclose(after[..., 3], 0.5)


@pytest.mark.parametrize("fft", [True, False])
def test_an_images_start_depends_on_its_own_seed_only(fft):
    alone = param.image(8, 6, fft=fft, seed=[(3, 52)])
    others = param.image(8, 6, batch=2, fft=fft, seed=[7, (3, 52)])
    images = array(others())
    np.testing.assert_array_equal(array(alone())[0], images[1])
    assert np.abs(images[0] - images[1]).max() > 1e-4
    others.draw(5)
    alone.draw(5)
    np.testing.assert_array_equal(array(alone())[0], array(others())[0])
    weights = array(param.image(32, batch=2, fft=fft, sd=0.5).trainable_weights[0])
    assert abs(weights.std() - 0.5) < 0.02 and abs(weights.mean()) < 0.02


@pytest.mark.parametrize("fft", [True, False])
def test_fit_trains_the_image_under_any_policy(fft):
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        layer = param.image(8, 6, batch=2, fft=fft)
        assert keras.backend.standardize_dtype(layer().dtype) == "float32"
        losses = fit(layer, grey=0.7, epochs=40)
    finally:
        keras.config.set_dtype_policy(policy)
    assert losses[-1] < 0.5 * losses[0]


def test_image_takes_lucids_arguments():
    layer = param.image(8)
    assert array(layer()).shape == (1, 8, 8, 3)
    np.testing.assert_allclose(array(param.image(8, sd=0)()), 0.5)
    plain = param.image(6, batch=1, fft=False, decorrelate=False, sd=1.0)
    expected = 1 / (1 + np.exp(-array(plain.pixels)))
    np.testing.assert_allclose(array(plain()), expected, atol=1e-6)


@pytest.mark.parametrize(
    "arguments",
    [
        {"w": 0},
        {"w": 8.5},
        {"w": 8, "h": -1},
        {"w": 8, "batch": 0},
        {"w": 8, "sd": -1},
        {"w": 8, "sd": "1"},
        {"w": 8, "seed": -1},
        {"w": 8, "batch": 2, "seed": [1]},
        {"w": 8, "seed": ["a"]},
        {"w": 8, "seed": [None]},
        {"w": 8, "seed": 1.5},
    ],
)
def test_bad_arguments_are_named(arguments):
    with pytest.raises(InputError, match="accepted"):
        param.image(**arguments)


@pytest.mark.parametrize("fft", [True, False])
def test_clipped_values_are_those_of_the_sigmoid_before_it(fft):
    layer = param.image(4, fft=fft, decorrelate=False, sigmoid=False, sd=2.0)
    rgb = array(layer())
    assert rgb.min() == 0 and rgb.max() == 1 and ((rgb > 0) & (rgb < 1)).any()
    free = param.image(4, fft=fft, decorrelate=False, sd=2.0)  # the same start
    np.testing.assert_allclose(rgb, np.clip(logits(array(free())), 0, 1), atol=1e-4)


def logits(x):
    return np.log(x) - np.log1p(-x)


@pytest.mark.parametrize("fft", [True, False])
def test_images_of_one_size_share_what_is_compiled(fft):
    # TensorFlow frees no compiled program: one for each image would fill the memory
    one, other = (param.image(4, batch=n, fft=fft, seed=n) for n in (1, 2))
    assert one._image is other._image
    assert param.image(4, fft=fft, sigmoid=False)._image is not one._image
