"""Saliency, SmoothGrad, guided backpropagation, integrated gradients and Grad-CAM on tiny nets."""

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from models.errors import InputError
from visualization.grad_cam import grad_cam
from visualization.guided_backprop import guided, guided_backprop
from visualization.integrated_gradients import attributions, integrated_gradients
from visualization.methods import METHODS
from visualization.saliency import saliency
from visualization.smooth_grad import smooth_grad

layers = keras.layers
SIZE = 6


@pytest.fixture(scope="module")
def smooth():
    """A network without corners: convolution, tanh, mean, 3 classes, softmax."""
    keras.utils.set_random_seed(1)
    x = inputs = keras.Input((SIZE, SIZE, 3))
    x = layers.Rescaling(1 / 255)(x)
    x = layers.Conv2D(4, 3, padding="same", activation="tanh", name="conv")(x)
    x = layers.Conv2D(5, 3, strides=2, padding="same", activation="tanh", name="last")(x)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(3, activation="softmax")(x), name="smooth")


@pytest.fixture(scope="module")
def pictures():
    return np.random.default_rng(0).integers(0, 256, (3, SIZE, SIZE, 3), dtype=np.uint8)


def logit(model, x, target):
    """log softmax differs from the logit by the same for all classes; undone with the kernel."""
    features = keras.Model(model.inputs, model.layers[-2].output)
    kernel, bias = model.layers[-1].get_weights()
    values = features.predict_on_batch(np.asarray(x, "float32"))
    return values.astype("float64") @ kernel[:, target] + bias[target]


def test_saliency_is_the_finite_difference(smooth, pictures):
    signed = saliency(smooth, channels="sum")(pictures[:1], 1)[0]
    largest = saliency(smooth)(pictures[:1], 1)[0]
    step = 4.0  # grey levels; the network is smooth, float32 is not
    for row, column in [(0, 0), (2, 3), (5, 4)]:
        slopes = []
        for channel in range(3):
            ends = np.repeat(pictures[:1].astype(np.float32), 2, axis=0)
            ends[:, row, column, channel] += [step, -step]
            up, down = logit(smooth, ends, 1)
            slopes.append((up - down) / (2 * step))
        assert_allclose(signed[row, column], sum(slopes), rtol=0.02, atol=2e-6)
        assert_allclose(largest[row, column], np.abs(slopes).max(), rtol=0.02, atol=2e-6)


def test_softmax_on_request(smooth, pictures):
    """d softmax_0 = p0 (1 - p0) d logit_0 - p0 p1 d logit_1 - p0 p2 d logit_2."""
    p = smooth.predict_on_batch(pictures[:1])[0]
    each = [saliency(smooth, channels="sum")(pictures[:1], i)[0] for i in range(3)]
    expected = p[0] * (each[0] - sum(pi * e for pi, e in zip(p, each, strict=True)))
    found = saliency(smooth, logits=False, channels="sum")(pictures[:1], 0)[0]
    assert_allclose(found, expected, rtol=1e-4, atol=1e-8)


@pytest.mark.parametrize("name", METHODS)
def test_one_signature(name, smooth, pictures):
    """The predicted class is the default, batches and number types change nothing."""
    model = smooth if name != "guided_backprop" else rectified()
    chosen = model.predict_on_batch(pictures).argmax(-1)
    quick = {"smooth_grad": {"noise": 0.0, "samples": 3}, "integrated_gradients": {"steps": 3}}
    masks = METHODS[name](model, batch_size=2, **quick.get(name, {}))
    found = masks(pictures)
    assert found.shape == (3, SIZE, SIZE) and found.dtype == np.float32
    assert_allclose(masks(pictures.astype(np.float64), chosen), found, rtol=1e-4, atol=1e-7)
    # pictures alone or among others; 2 and 1 in a pass
    assert_allclose(masks(pictures[2:])[0], found[2], rtol=1e-4, atol=1e-7)


def test_smooth_grad_without_noise_is_saliency(smooth, pictures):
    quiet = smooth_grad(smooth, samples=5, noise=0, batch_size=3)
    assert_allclose(quiet(pictures), saliency(smooth)(pictures), rtol=1e-4)


def test_smooth_grad_of_a_square():
    """score = sum of x^2: the mean gradient is 2 (x + mean noise), noise of sd 0.1 * range."""
    inputs = keras.Input((SIZE, SIZE, 3))
    squares = keras.ops.sum(inputs * inputs, axis=(1, 2, 3), keepdims=False)[:, None]
    model = keras.Model(inputs, squares)
    x = np.zeros((2, SIZE, SIZE, 3), np.float32)
    x[0, 0, 0], x[1, 0, 0] = 200, 100
    samples = 25
    build = dict(samples=samples, noise=0.1, channels="sum", batch_size=8)
    found = smooth_grad(model, **build)(x, 0) - 2 * x.sum(-1)
    # 36 values for each picture, of deviation 2 * sqrt(3) * 0.1 * range / sqrt(samples)
    expected = 2 * np.sqrt(3) * 0.1 * np.array([200, 100]) / np.sqrt(samples)
    assert_allclose(found.std((1, 2)), expected, rtol=0.4)
    again = smooth_grad(model, **build)(x, 0) - 2 * x.sum(-1)
    assert_allclose(again, found, atol=1e-3)
    other = smooth_grad(model, seed=1, **build)(x, 0) - 2 * x.sum(-1)
    assert np.abs(other - found).max() > 1


def test_integrated_gradients_complete(smooth, pictures):
    found = attributions(smooth, steps=16)(pictures, [0, 1, 2])
    black = logit(smooth, np.zeros((1, SIZE, SIZE, 3)), [0, 1, 2])[0]
    scores = [logit(smooth, pictures[i : i + 1], i)[0] for i in range(3)]
    assert_allclose(found.difference, scores - black, rtol=1e-4, atol=1e-5)
    assert_allclose(found.values.sum((1, 2, 3)), found.difference, rtol=0.01)
    assert (found.gap < 0.01).all()
    masks = integrated_gradients(smooth, steps=16)(pictures, [0, 1, 2])
    assert_allclose(masks, found.values.sum(-1), rtol=1e-5, atol=1e-8)


def test_integrated_gradients_of_a_product():
    """f = x0 x1, from (b0, b1): shares (x0 - b0) (b1 + x1) / 2 and the same turned round."""
    inputs = keras.Input((1, 2, 3))
    product = (inputs[:, 0, 0, :1] * inputs[:, 0, 1, :1]) / 100.0
    model = keras.Model(inputs, product)
    x = np.array([[[[30, 0, 0], [80, 0, 0]]]], np.uint8)
    start = np.array([[[10, 0, 0], [40, 0, 0]]])
    found = attributions(model, steps=4, baseline=start, batch_size=3)(x)
    assert_allclose(found.values[0, 0, :, 0], [20 * 60 / 100, 40 * 20 / 100], rtol=1e-5)
    assert_allclose(found.difference, 20)
    assert_allclose(found.gap, 0, atol=1e-6)


def test_grad_cam_is_its_formula(smooth, pictures):
    """By hand after global average pooling: the channel weights are the kernel's / places."""
    maps = keras.Model(smooth.inputs, smooth.get_layer("last").output)
    values = maps.predict_on_batch(pictures.astype("float32"))
    kernel = smooth.layers[-1].get_weights()[0]
    small = np.maximum((values * kernel[:, 2] / 9).sum(-1), 0)
    expected = keras.ops.image.resize(small[..., None], (SIZE, SIZE))[..., 0]
    assert small.max() > 0
    assert_allclose(
        grad_cam(smooth)(pictures, 2), keras.ops.convert_to_numpy(expected), rtol=1e-3, atol=1e-7
    )
    named = grad_cam(smooth, layer="last", batch_size=2)(pictures, 2)
    assert_allclose(named, grad_cam(smooth)(pictures, 2), rtol=1e-5, atol=1e-8)


def test_grad_cam_inside_a_branch(pictures):
    """score = mean of (a + b): a's weights are 1 / places whatever the other branch does."""
    inputs = keras.Input((SIZE, SIZE, 3))
    a, b = (layers.Conv2D(2, 3, padding="same", name=name)(inputs) for name in "ab")
    model = keras.Model(inputs, layers.GlobalAveragePooling2D()(layers.Add(name="sum")([a, b])))
    values = keras.Model(inputs, a).predict_on_batch(pictures.astype("float32"))
    expected = np.maximum(values[..., 1] / SIZE**2, 0)
    found = grad_cam(model, layer="a")(pictures, 1)
    assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def rectified():
    """Two ReLUs, one a layer and one fused, on 3 channels of each pixel."""
    x = inputs = keras.Input((SIZE, SIZE, 3))
    x = layers.Conv2D(2, 1, name="first")(x)
    x = layers.ReLU()(x)
    x = layers.Conv2D(2, 1, activation="relu", name="second")(x)
    model = keras.Model(inputs, layers.Dense(2)(layers.GlobalAveragePooling2D()(x)))
    keras.utils.set_random_seed(3)
    model.set_weights([np.random.default_rng(0).normal(size=w.shape) for w in model.get_weights()])
    return model


def test_guided_backprop_by_hand(pictures):
    model = rectified()
    first, b1, second, b2, head, _ = (w.astype(np.float64) for w in model.get_weights())
    x = pictures.astype(np.float64)
    h1 = x @ first[0, 0] + b1
    h2 = np.maximum(h1, 0) @ second[0, 0] + b2
    back = np.broadcast_to(head[:, 1] / SIZE**2, h2.shape)
    back = np.maximum(back, 0) * (h2 > 0) @ second[0, 0].T
    back = np.maximum(back, 0) * (h1 > 0) @ first[0, 0].T
    found = guided_backprop(model)(pictures, 1)
    assert np.abs(back).max() > 0
    assert_allclose(found, np.abs(back).max(-1), rtol=1e-4, atol=1e-7)
    assert np.abs(found - saliency(model)(pictures, 1)).max() > 1e-4


def test_guided_shares_the_networks_weights(pictures):
    model = rectified()
    same = guided(model)
    assert {id(w) for w in same.weights} == {id(w) for w in model.weights}
    assert_array_equal(same.predict_on_batch(pictures), model.predict_on_batch(pictures))


@pytest.mark.parametrize("name", METHODS)
def test_bad_input(name, smooth, pictures):
    model = smooth if name != "guided_backprop" else rectified()
    method = METHODS[name]
    with pytest.raises(InputError, match="batch_size 0"):
        method(model, batch_size=0)
    with pytest.raises(InputError, match="pictures"):
        method(model)(pictures[:, :-1])
    if name != "visual_backprop":
        last = model.output_shape[-1] - 1
        with pytest.raises(InputError, match=f"classes .*accepted: 0 to {last}"):
            method(model)(pictures, last + 1)


def test_bad_settings(smooth, pictures):
    with pytest.raises(InputError, match="channels 'least'; accepted: max, mean, sum"):
        saliency(smooth, channels="least")
    with pytest.raises(InputError, match="noise -1"):
        smooth_grad(smooth, noise=-1)
    with pytest.raises(InputError, match="steps 0"):
        integrated_gradients(smooth, steps=0)
    with pytest.raises(InputError, match="baseline 300"):
        integrated_gradients(smooth, baseline=300)
    with pytest.raises(InputError, match=r"baseline \(2, 2, 3\)"):
        integrated_gradients(smooth, baseline=np.zeros((2, 2, 3)))(pictures)
    with pytest.raises(InputError, match="no ReLU"):
        guided_backprop(smooth)
    with pytest.raises(InputError, match="no layer 'lost'"):
        grad_cam(smooth, layer="lost")
    with pytest.raises(InputError, match="without maps"):
        grad_cam(smooth, layer=-1)
    with pytest.raises(InputError, match="needs one output"):
        saliency(keras.Model(smooth.inputs, smooth.get_layer("last").output))
