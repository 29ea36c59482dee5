"""Every row of METHODS: one signature, options that are those of its function."""

import inspect
import io

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose

from models.errors import InputError
from models.network import as_network
from transfer.progress import Progress
from visualization import saliency
from visualization.saliency.methods import DEFAULT, METHODS, Settings, choose

SIZE = 6


@pytest.mark.parametrize("name", METHODS)
def test_one_signature(name, smooth, rectified, pictures):
    """The predicted class is the default, batches and number types change nothing."""
    model = smooth if name != "guided_backprop" else rectified
    chosen = model.predict_on_batch(pictures).argmax(-1)
    quick = {"smooth_grad": {"noise": 0.0, "samples": 3}, "integrated_gradients": {"samples": 3}}
    masks = METHODS[name](model, batch_size=2, **quick.get(name, {}))
    found = masks(pictures)
    assert found.shape == (3, SIZE, SIZE) and found.dtype == np.float32
    assert_allclose(masks(pictures.astype(np.float64), chosen), found, rtol=1e-4, atol=1e-7)
    # pictures alone or among others; 2 and 1 in a pass
    assert_allclose(masks(pictures[2:])[0], found[2], rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("name", METHODS)
def test_bad_input(name, smooth, rectified, pictures):
    model = smooth if name != "guided_backprop" else rectified
    method = METHODS[name]
    with pytest.raises(InputError, match="batch_size 0"):
        method(model, batch_size=0)
    with pytest.raises(InputError, match="pictures"):
        method(model)(pictures[:, :-1])
    if method.about_class:
        last = model.output_shape[-1] - 1
        with pytest.raises(InputError, match=f"classes .*accepted: 0 to {last}"):
            method(model)(pictures, last + 1)


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_a_rows_options_are_its_functions(method, smooth, rectified):
    """The table is read without Keras, so it repeats names, words and defaults."""
    parameters = inspect.signature(method.builder).parameters
    assert list(parameters)[:3] == ["network", "logits", "batch_size"]
    assert ("say" in parameters) == method.tells
    for option in method.options:
        assert parameters[option.name].default == option.default
        if isinstance(option.accepted, tuple):
            for word in option.accepted:
                method(smooth, **{option.name: word})
            with pytest.raises(InputError, match=f"accepted: {', '.join(option.accepted)}"):
                method(smooth, **{option.name: "another"})


@pytest.fixture
def name_twice(rectified):
    """The rectified network, as two networks of one layer, and ReLU, of the same names."""
    inputs = x = keras.Input((SIZE, SIZE, 3))
    for number, name in enumerate(("first", "second")):
        own = keras.layers.Conv2D(2, 1, name="maps")
        start = keras.Input((SIZE, SIZE, x.shape[-1]))
        end = keras.layers.ReLU(name="again")(own(start))
        x = keras.Model(start, end, name=f"part_{number}")(x)
        own.set_weights(rectified.get_layer(name).get_weights())
    x = keras.layers.GlobalAveragePooling2D()(x)
    x = keras.layers.Dense(2, name="masks")(x)
    model = keras.Model(inputs, keras.layers.Softmax()(x), name="twice")
    model.get_layer("masks").set_weights(rectified.layers[-1].get_weights())
    return model


@pytest.mark.parametrize("name", METHODS)
def test_networks_inside_may_use_a_name_twice(name, rectified, name_twice, pictures):
    quick = {"smooth_grad": {"samples": 3}, "integrated_gradients": {"samples": 3}}
    own = quick.get(name, {})
    expected = METHODS[name](rectified, **own)(pictures, 0)
    assert np.abs(expected).max() > 0
    masks = METHODS[name](name_twice, **own)
    assert_allclose(masks(pictures, 0), expected, rtol=1e-4, atol=1e-6)
    assert as_network(name_twice).output == "probability"
    # the weights as they are when it is called
    first = name_twice.get_layer("part_0").get_layer("maps")
    before = first.get_weights()
    first.set_weights([-before[0], before[1]])
    after = masks(pictures, 0)
    first.set_weights(before)
    assert np.abs(after - expected).max() > 1e-3 * np.abs(expected).max()


@pytest.mark.parametrize("name", METHODS)
def test_what_has_no_graph_yet_is_refused(name):
    layers = keras.layers
    unbuilt = keras.Sequential([layers.Conv2D(2, 3), layers.GlobalMaxPooling2D()], name="unbuilt")

    class Own(keras.Model):
        def call(self, inputs):
            return inputs

    for model in (unbuilt, Own(name="own")):
        with pytest.raises(InputError, match=model.name):
            METHODS[name](model)


def test_options_are_those_given(smooth, pictures):
    (method,) = choose(["smooth_grad"], {"samples": 3})
    assert method.given == (("samples", 3),) and METHODS["smooth_grad"].given == ()
    few = METHODS["smooth_grad"](smooth, samples=3)(pictures)
    assert_allclose(method(smooth)(pictures), few)
    assert (
        np.abs(METHODS["smooth_grad"](as_network(smooth))(pictures) - few).max() > 1e-4 * few.max()
    )


def test_only_a_method_that_tells_is_given_say(smooth, pictures):
    said = []
    for name in ("saliency", "integrated_gradients", "grad_cam"):
        METHODS[name](smooth, say=said.append)(pictures)
    assert [line.split(":")[0] for line in said] == ["integrated_gradients", "grad_cam"]


@pytest.mark.parametrize("name", METHODS)
def test_progress_counts_pictures(name, smooth, rectified, pictures):
    model = smooth if name != "guided_backprop" else rectified
    progress = Progress(len(pictures), "masks", out=io.StringIO())
    METHODS[name](model, batch_size=2)(pictures, progress=progress)
    assert progress.made == len(pictures)
    assert progress.out.getvalue().endswith("masks: 3 of 3\n")


@pytest.mark.filterwarnings("error:pictures of")
@pytest.mark.parametrize("name", METHODS)
def test_pictures_in_0_to_1_are_told(name, smooth, rectified, pictures):
    masks = METHODS[name](smooth if name != "guided_backprop" else rectified)
    with pytest.raises(UserWarning, match="0 to 1 are nearly black: .* by 255"):
        masks(np.where(pictures > 128, 1.0, 0.0))
    masks(np.zeros_like(pictures, float))  # black is black
    masks(np.minimum(pictures, 1))  # whole numbers are pixels


def test_from_python_as_the_help_says(smooth, pictures):
    """As help(visualization.saliency) and docs/saliency.md say: nothing else is needed."""
    masks = saliency.METHODS["grad_cam"](smooth)(pictures)
    assert masks.shape == (3, SIZE, SIZE) and masks.min() >= 0
    assert_allclose(saliency.METHODS["grad_cam"](as_network(smooth))(pictures), masks)
    assert all(f'METHODS["{name}"]' in saliency.__doc__ for name in METHODS)


def test_options_that_no_chosen_method_has():
    with pytest.raises(InputError, match="^form paper is for the method visual_backprop$"):
        choose(["saliency"], {"form": "paper"})
    both = "^samples 3 is for the methods smooth_grad and integrated_gradients$"
    with pytest.raises(InputError, match=both):
        choose(["grad_cam"], {"samples": 3})
    with pytest.raises(InputError, match="samples is 0; it must be above 0"):
        choose(["smooth_grad"], {"samples": 0})
    with pytest.raises(InputError, match="form 'keras'; accepted: even, paper, released"):
        choose(["visual_backprop"], {"form": "keras"})


def test_settings_of_a_method_about_no_class():
    for wrong in ({"target": 0}, {"logits": False}):
        with pytest.raises(InputError, match="visual_backprop needs no class"):
            Settings(**wrong)
        Settings((METHODS[DEFAULT], METHODS["saliency"]), **wrong)


def test_what_a_manifest_says_of_settings():
    settings = Settings(choose(["smooth_grad", "smooth_grad"], {"samples": 7}), "oil")
    options = {option.name: None for method in METHODS.values() for option in method.options}
    assert settings.written() == options | {
        "methods": ["smooth_grad"],
        "target": "oil",
        "logits": True,
        "form": None,
        "samples": 7,
        "layer": None,
        "batch_size": 16,
    }
