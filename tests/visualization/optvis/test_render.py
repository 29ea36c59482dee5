"""render_vis and render_channels on a tiny network."""

import keras
import numpy as np
import pytest

from models import backend, imagenet
from models.errors import InputError
from models.graph import cut
from models.network import Network, load
from visualization.optvis import objectives, param, render

SIDE = 8


@pytest.fixture(scope="module")
def model():
    inputs = keras.Input((SIDE, SIDE, 3))
    x = keras.layers.Rescaling(1 / 255)(inputs)
    x = keras.layers.Conv2D(6, 3, activation="relu", name="first")(x)
    x = keras.layers.Conv2D(5, 1, name="maps")(x)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    network = keras.Model(inputs, keras.layers.Dense(2, name="logits")(x))
    rng = np.random.default_rng(0)
    network.set_weights([rng.normal(0, 1, weight.shape) for weight in network.get_weights()])
    return network


def image(batch=1):
    return lambda: param.image(SIDE, batch=batch)


def test_thresholds_give_the_images_after_so_many_steps(model):
    arguments = {"transforms": [], "verbose": False}
    start, early, late = render.render_vis(
        model, "maps:1", image(2), thresholds=(7, 0, 3), **arguments
    )
    np.testing.assert_array_equal(start, np.asarray(image(2)()()))
    (only,) = render.render_vis(model, "maps:1", image(2), thresholds=(3,), **arguments)
    assert early.shape == (2, SIDE, SIDE, 3)
    np.testing.assert_allclose(early, only, atol=1e-6)
    assert abs(late - early).max() > 0.01


def test_class_names_come_with_a_loaded_model(model):
    loaded = Network("tiny", model, ["cat", "dog"])
    arguments = {"transforms": [], "verbose": False, "thresholds": (2,)}
    by_name = render.render_vis(loaded, "logits:dog", image(), **arguments)
    by_number = render.render_vis(model, "logits:1", image(), **arguments)
    np.testing.assert_array_equal(by_name, by_number)


def test_a_class_by_any_name_that_imagenet_gives_it():
    """ "softmax2:tabby cat", as Lucid's users write it; 281 is shown as tabby."""
    pixels = keras.Input((SIDE, SIDE, 3))
    x = keras.layers.GlobalAveragePooling2D()(pixels)
    network = keras.Model(pixels, keras.layers.Dense(1000, "softmax", name="softmax2")(x))
    kernel = np.zeros((3, 1000))
    kernel[0, 281], kernel[1, 282] = 1, 1  # a red one and a green one
    network.layers[-1].set_weights([kernel, np.zeros(1000)])
    loaded = Network("GoogLeNet", network, imagenet.names())
    arguments = {"transforms": [], "verbose": False, "thresholds": (2,)}
    by_name = render.render_vis(loaded, "softmax2:tabby cat", image(), **arguments)
    by_number = render.render_vis(network, "softmax2:281", image(), **arguments)
    np.testing.assert_array_equal(by_name, by_number)
    other = render.render_vis(network, "softmax2:282", image(), **arguments)
    assert abs(other[0] - by_name[0]).max() > 0


def vis(model, param_f=None, **arguments):
    (found,) = render.render_vis(model, "maps:1", param_f, verbose=False, **arguments)
    return found


@pytest.mark.parametrize("param_f", [None, image()])
def test_a_seed_fixes_start_and_draws(model, param_f):
    one, two, other = (vis(model, param_f, thresholds=(3,), seed=n) for n in (5, 5, 6))
    np.testing.assert_array_equal(one, two)
    assert abs(one - other).max() > 1e-3
    start, another = (vis(model, param_f, thresholds=(0,), seed=n) for n in (5, 6))
    assert abs(start - another).max() > 1e-3


def test_without_a_seed_draws_are_new_and_a_fixed_seed_is_0(model):
    one, two = (vis(model, image(), thresholds=(3,)) for _ in range(2))
    assert abs(one - two).max() > 1e-6
    fixed = vis(model, image(), thresholds=(3,), use_fixed_seed=True)
    np.testing.assert_array_equal(fixed, vis(model, image(), thresholds=(3,), seed=0))
    np.testing.assert_array_equal(
        vis(model, image(), thresholds=(0,)), vis(model, image(), thresholds=(0,))
    )
    starts = [vis(model, thresholds=(0,)) for _ in range(2)]
    assert abs(starts[0] - starts[1]).max() > 1e-3


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"seed": -1}, "seed"),
        ({"thresholds": ()}, "thresholds is empty"),
        ({"optimizer": "adam"}, "optimizer 'adam'; accepted: a keras"),
        ({"transforms": abs}, "accepted: a list of transforms"),
        ({"param_f": 128}, "param_f 128; accepted: a function"),
        ({"param_f": image}, "gives .*; accepted: a layer"),
        ({"print_objectives": ["maps:1"]}, "accepted: None"),
    ],
)
def test_arguments_that_cannot_be_used(model, arguments, says):
    with pytest.raises(InputError, match=says):
        render.render_vis(model, "maps:1", **({"param_f": image(), "verbose": False} | arguments))


def test_one_threshold_and_one_channel_need_no_list(model):
    assert vis(model, image(), thresholds=2, transforms=[]).shape[-1] == 3
    (only,) = render.render_channels(model, "maps", 3, steps=1, size=SIDE, batch=1)
    assert only.channel == 3


@pytest.mark.parametrize("seed", [-1, 1.5, None])
def test_channels_refuse_a_seed_before_anything_is_computed(model, seed):
    with pytest.raises(InputError, match="seed"):
        render.render_channels(model, "maps", [1], steps=1, size=SIDE, batch=1, seed=seed)


@pytest.mark.parametrize("transforms", [[], None])
def test_channels_come_in_order_whatever_the_batch(model, transforms):
    arguments = {"steps": 12, "size": SIDE, "transforms": transforms, "seed": 4}
    wide = list(render.render_channels(model, "maps", "all", batch=3, **arguments))
    narrow = list(render.render_channels(model, "maps", [4, 1], batch=2, **arguments))
    assert [one.channel for one in wide] == [0, 1, 2, 3, 4]
    assert [one.channel for one in narrow] == [4, 1]
    for one in narrow:
        same = wide[one.channel]
        np.testing.assert_allclose(one.image, same.image, atol=1e-4)
        np.testing.assert_allclose(one.scores, same.scores, rtol=1e-3, atol=1e-4)
    for one in wide:
        assert one.image.shape == (SIDE, SIDE, 3) and one.scores.shape == (12,)
        assert one.clean_score > one.scores[0] and one.nan_step is None


def test_clean_score_is_that_of_the_whole_network(model):
    (one,) = render.render_channels(model, "maps", [2], steps=4, size=SIDE, batch=2)
    maps = keras.Model(model.input, model.get_layer("maps").output)
    expected = np.asarray(maps(255 * one.image[None]))[..., 2].mean()
    assert one.clean_score == pytest.approx(expected, rel=1e-4)


def test_nan_is_told_with_its_first_step(model):
    broken = keras.models.clone_model(model)
    broken.set_weights(model.get_weights())
    kernel, bias = broken.get_layer("maps").get_weights()
    bias[3] = np.nan
    broken.get_layer("maps").set_weights([kernel, bias])
    arguments = {"steps": 3, "size": SIDE, "batch": 2, "transforms": []}
    fine, stopped = render.render_channels(broken, "maps", [2, 3], **arguments)
    assert (fine.nan_step, stopped.nan_step) == (None, 0)
    assert np.isfinite(stopped.image).all() and np.isfinite(fine.scores).all()


def test_callbacks_see_every_batch(model):
    seen = []
    callback = keras.callbacks.LambdaCallback(on_train_begin=lambda logs: seen.append("begin"))
    arguments = {"steps": 2, "size": SIDE, "batch": 2, "transforms": [], "callbacks": [callback]}
    list(render.render_channels(model, "maps", "all", **arguments))
    assert seen == ["begin"] * 3


@pytest.mark.parametrize(
    ("channels", "changes", "message"),
    [
        ([5], {}, "channel 5; accepted: 0 to 4, the channels of maps"),
        ([-1], {}, "channel -1; accepted"),
        ("some", {}, "'some'; accepted: numbers, or 'all'"),
        ([0], {"steps": 0}, "steps 0; accepted: a whole number from 1"),
        ([0], {"batch": 0}, "batch 0; accepted: a whole number from 1"),
        ([0], {"size": 2}, "2x2 pixels"),
        ([0], {"dtype": "float8"}, "accepted: float32, bfloat16, float16"),
        ([0], {"layer": "map"}, "near it: maps"),
        ([0], {"model": "VGG19"}, "'VGG19'; accepted: a keras.Model"),
    ],
)
def test_wrong_arguments_are_told_at_once(model, channels, changes, message):
    arguments = {"model": model, "layer": "maps", "steps": 2, "size": SIDE, "batch": 2}
    with pytest.raises(InputError, match=message):
        render.render_channels(channels=channels, **arguments | changes)


@pytest.mark.parametrize(("thresholds", "message"), [((), "empty"), ((-1,), "threshold -1")])
def test_wrong_thresholds(model, thresholds, message):
    with pytest.raises(InputError, match=message):
        render.render_vis(model, objectives.channel("maps", 0), image(), thresholds=thresholds)


@pytest.mark.slow
def test_channels_of_the_real_googlenet_climb(shared):
    loaded = load(f"GoogLeNet:{shared / 'weights' / 'bvlc_googlenet.caffemodel'}")
    arguments = {"steps": 64, "size": 128, "batch": 4}
    layer = "mixed4d_3x3_pre_relu"
    for one in render.render_channels(loaded, layer, [52, 60, 61, 62], **arguments):
        assert one.clean_score > 100 > one.scores[0]


SIDE = 16  # of images whose memory is counted
MAP = SIDE * SIDE * 4  # numbers that a layer of `convolutions` gives for one image


def convolutions(pixels, count):
    for number in range(count):
        conv = keras.layers.Conv2D(4, 1, padding="same", use_bias=False, name=f"conv{number}")
        pixels = conv(pixels)
    return pixels


@pytest.fixture
def free(monkeypatch):
    """Return free(bytes): set the memory that a processor has left."""
    monkeypatch.setattr(backend, "device_name", lambda: "CPU")
    return lambda count: monkeypatch.setattr(backend, "free_memory", lambda: count)


def batch_of(model, layer, dtype="float32"):
    return render.images_at_a_time(cut(model, [layer], (SIDE, SIDE), dtype), dtype)


def test_memory_counts_the_layers_of_networks_inside(free):
    pixels = keras.Input((SIDE, SIDE, 3))
    flat = keras.Model(pixels, keras.layers.ReLU(name="end")(convolutions(pixels, 7)))
    inner = keras.Input((SIDE, SIDE, 3))
    inside = keras.Model(inner, convolutions(inner, 7), name="inside")
    nested = keras.Model(pixels, keras.layers.ReLU(name="end")(inside(pixels)))
    pixels_too = 8 * MAP + 2 * SIDE * SIDE * 3  # the inner network has an input of its own
    images = pixels_too * render.COPIES * 4  # bytes of one
    weights = flat.count_params() * render.NETWORKS * 4
    for count, holds in ((2, 2), (4, 4), (3, 2), (0.1, 1)):
        free((count * images + weights) / render.SHARE)
        assert batch_of(flat, "end") == holds
        assert batch_of(nested, "end") == holds


def test_memory_counts_the_weights_of_both_networks(free):
    pixels = keras.Input((SIDE, SIDE, 3))
    wide = keras.layers.Conv2D(4, 31, padding="same", use_bias=False, name="wide")
    model = keras.Model(pixels, wide(pixels))
    weights = 4 * 31 * 31 * 3 * 4  # bytes
    images = 2 * (MAP + SIDE * SIDE * 3) * render.COPIES * 4
    free((2 * weights + images) / render.SHARE)
    assert batch_of(model, "wide") == 2
    free((weights + images) / render.SHARE)
    assert batch_of(model, "wide") == 1
    assert batch_of(model, "wide", "bfloat16") == 2


@keras.saving.register_keras_serializable("test_render")
class Subclassed(keras.Model):
    """A network without a graph of layers."""

    def build(self, shape):
        self.built = True

    def call(self, inputs):
        return inputs * 2

    def compute_output_shape(self, shape):
        return shape


def test_memory_of_what_has_no_layers_to_count(free):
    """The input itself, and a network inside that is no graph."""
    pixels = keras.Input((SIDE, SIDE, 3), name="pixels")
    model = keras.Model(pixels, convolutions(pixels, 1))
    free(2 * SIDE * SIDE * 3 * render.COPIES * 4 / render.SHARE)
    assert batch_of(model, "pixels") == 2
    doubled = keras.Model(pixels, Subclassed(name="doubled")(pixels))
    assert batch_of(doubled, "doubled") == 1
