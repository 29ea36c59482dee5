"""The ascent on tiny networks: known optimum, independent images, NaN, one compilation."""

import keras
import numpy as np
import pytest

from models.backend import uniform
from models.errors import InputError
from visualization.optvis import objectives, param
from visualization.optvis.ascent import Ascent

SIDE = 8


def network(bias=0.0):
    """Two convolutions; channel c of `maps` is a mixture of rectified colours, shifted by bias."""
    inputs = keras.Input((SIDE, SIDE, 3))
    x = keras.layers.Rescaling(1 / 255)(inputs)
    x = keras.layers.Conv2D(6, 3, name="first")(x)
    x = keras.layers.ReLU(name="first_relu")(x)
    x = keras.layers.Conv2D(4, 1, name="maps")(x)
    model = keras.Model(inputs, x)
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(0, 1, weight.shape) for weight in model.get_weights()])
    kernel, _ = model.get_layer("first").get_weights()
    model.get_layer("first").set_weights([kernel, np.full(6, bias)])
    return model


def pixels(batch=3, seed=0):
    return param.image(SIDE, batch=batch, fft=False, decorrelate=False, seed=seed)


def run(model, objective, image, steps=20, **arguments):
    ascent = Ascent(model, objective, image, steps, **arguments)
    ascent.advance(steps)
    return ascent


def test_climbs_to_the_known_optimum_of_a_linear_score():
    inputs = keras.Input((SIDE, SIDE, 3))
    model = keras.Model(inputs, keras.layers.Conv2D(1, 1, name="c", use_bias=False)(inputs))
    model.set_weights([np.array([1.0, -2.0, 0.5]).reshape(1, 1, 3, 1) / 255])
    adam = keras.optimizers.Adam(0.5)
    ascent = run(model, objectives.channel("c", 0), pixels(2), 100, optimizer=adam)
    np.testing.assert_allclose(ascent.images(), np.tile([1, 0, 1], (2, SIDE, SIDE, 1)), atol=0.02)
    np.testing.assert_allclose(ascent.clean_scores(), 1.5, atol=0.05)  # 1 * 1 - 2 * 0 + 0.5 * 1
    assert not adam.variables[2:]  # the optimizer given was copied


def test_first_step_is_adams():
    """Adam's first step is the learning rate against the gradient's sign, whatever its size."""
    inputs = keras.Input((SIDE, SIDE, 3))
    model = keras.Model(inputs, keras.layers.Conv2D(1, 1, name="c", use_bias=False)(inputs))
    model.set_weights([np.array([1.0, -2.0, 0.5]).reshape(1, 1, 3, 1)])
    image = pixels(1)
    before = np.array(image.pixels)
    run(model, objectives.channel("c", 0), image, 1)
    change = np.array(image.pixels) - before
    np.testing.assert_allclose(change, np.tile([0.05, -0.05, 0.05], (1, SIDE, SIDE, 1)), rtol=1e-3)


def test_record_holds_the_score_of_every_step_before_its_change():
    model = network()
    ascent = Ascent(model, objectives.each_channel("maps"), pixels(), 12)
    ascent.restart([5, 6, 7], [0, 1, 3])
    first = ascent.clean_scores()
    ascent.advance(5)
    between = ascent.clean_scores()
    ascent.advance(7)
    assert ascent.scores().shape == (12, 3)
    np.testing.assert_allclose(ascent.scores()[[0, 5]], [first, between], rtol=1e-4)
    assert (ascent.clean_scores() > first).all()


def test_images_of_a_batch_do_not_influence_each_other_and_runs_repeat():
    ascent = Ascent(network(), objectives.each_channel("maps"), pixels(), 20)
    results = []
    for channels in [(0, 1, 2), (3, 1, 0), (0, 1, 2)]:
        ascent.restart([(9, channel) for channel in channels], channels)
        ascent.advance(20)
        results.append(dict(zip(channels, ascent.images(), strict=True)))
    one, other, again = results
    np.testing.assert_allclose(one[0], other[0], atol=1e-5)
    np.testing.assert_allclose(one[1], other[1], atol=1e-5)
    np.testing.assert_array_equal(one[2], again[2])
    assert abs(one[0] - one[1]).max() > 0.1


def test_transforms_are_drawn_alike_after_a_restart():
    def noisy(images, seeds):
        return images + uniform(1, seeds)[:, :, None, None] / 10

    ascent = Ascent(network(), objectives.channel("maps", 0), pixels(), 5, transforms=noisy)
    scores = []
    for _ in range(2):
        ascent.restart(0)
        ascent.advance(5)
        scores.append(ascent.scores())
    np.testing.assert_array_equal(*scores)
    assert len(np.unique(scores[0])) == 15


def test_the_step_is_traced_once_for_all_batches():
    traces = []

    def counted(images, draws):
        traces.append(images.shape)
        return images

    ascent = Ascent(network(), objectives.each_channel("maps"), pixels(), 20, transforms=counted)
    ascent.restart(0, [0, 1, 2])
    ascent.advance(20)
    count = len(traces)
    for seed in (1, 2):
        ascent.restart(seed, [3, seed, 0])
        ascent.advance(20)
    assert len(traces) == count


def test_only_the_first_sixteen_steps_are_redirected():
    """Steps too small to excite anything: the image moves only while gradients are redirected."""
    image, optimizer = pixels(), keras.optimizers.SGD(1e-6)
    model = network(bias=-6.0)
    ascent = Ascent(model, objectives.channel("first_relu", 0), image, 18, optimizer=optimizer)
    moved = []
    for _ in range(18):
        before = np.array(image.weights[0])
        ascent.advance(1)
        moved.append(bool((before != np.array(image.weights[0])).any()))
    assert moved == [True] * 16 + [False] * 2


@pytest.mark.parametrize("redirect", [True, False])
def test_a_channel_that_no_start_excites_takes_off_only_with_redirected_gradients(redirect):
    model = network(bias=-6.0)
    rectified = keras.Model(model.input, model.get_layer("first_relu").output)
    image = pixels()
    assert not np.asarray(rectified(255 * np.asarray(image()))).any()
    adam = keras.optimizers.Adam(1.0)
    objective = objectives.deepdream("first_relu") * 1.0 + objectives.channel("first_relu", 2)
    ascent = run(model, objective, image, 40, optimizer=adam, redirect=redirect)
    assert (ascent.clean_scores() > 0).all() == redirect
    assert ascent.scores()[-1].any() == redirect


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_precisions_climb_alike(dtype):
    ascent = run(network(), objectives.channel("maps", 1), pixels(), 20, dtype=dtype)
    exact = run(network(), objectives.channel("maps", 1), pixels(), 20)
    gain, exact_gain = (a.scores()[-1] - a.scores()[0] for a in (ascent, exact))
    assert (exact_gain > 0).all()
    np.testing.assert_allclose(gain, exact_gain, rtol=0.1)


def test_float16_keeps_gradients_that_it_cannot_hold():
    """Slopes of 1e-6 over 64 places are below float16's least number."""
    inputs = keras.Input((SIDE, SIDE, 3))
    model = keras.Model(inputs, keras.layers.Conv2D(1, 1, name="c", use_bias=False)(inputs))
    model.set_weights([np.full((1, 1, 3, 1), 1e-6)])
    ascent = run(model, objectives.channel("c", 0), pixels(1), 5, dtype="float16")
    assert (ascent.images() > 0.52).all()


def test_a_nan_stops_its_own_image_only():
    """The root of a channel that falls below 0 is NaN from some step on."""
    model = network()

    def scores(T):
        means = keras.ops.mean(T("input"), axis=(1, 2, 3))
        signs = np.array([1.0, -1.0, 1.0], "float32")
        return signs * means + 0 * keras.ops.sqrt(means - 0.3)

    objective = objectives.Objective(scores, "root", layers="input")
    adam = keras.optimizers.Adam(0.3)
    ascent = run(model, objective, pixels(), 20, optimizer=adam)
    record, images = ascent.scores(), ascent.images()
    assert np.isfinite(record[:, [0, 2]]).all()
    assert np.isfinite(record[0, 1]) and np.isnan(record[-1, 1])
    assert np.isfinite(images).all()
    assert 0.05 < images[1].mean() < 0.3 and images[0].mean() > 0.9


def test_what_does_not_fit_is_said_before_compiling():
    model = network()
    channel = objectives.channel
    wrong = objectives.Objective(lambda T: T("maps"), "maps")
    for image, objective, message in [
        (pixels(), channel("mpas", 0), "near it: maps"),
        (pixels(), channel("maps", 4), "channel 4; accepted: 0 to 3"),
        (pixels(), objectives.class_logit("maps", "cat"), "no class names"),
        (pixels(), wrong, "a score for each image"),
        (param.image(2), channel("maps", 0), "2x2 pixels"),
        (param.image(SIDE, alpha=True), channel("maps", 0), "collapse_alpha_random"),
    ]:
        with pytest.raises(InputError, match=message):
            Ascent(model, objective, image, 5)


def test_more_steps_than_the_run_has():
    ascent = Ascent(network(), objectives.channel("maps", 0), pixels(), 5)
    with pytest.raises(InputError, match="6 steps; accepted: up to 5"):
        ascent.advance(6)


def test_a_function_of_layers_is_an_objective():
    model = network()

    def own(T):
        return keras.ops.mean(T("maps")[..., 1]) - keras.ops.mean(T("first"))

    unnamed = objectives.as_objective(own)
    named = objectives.Objective(own, "own", layers=("maps", "first"))
    images = [run(model, objective, pixels()).images() for objective in (unnamed, named)]
    np.testing.assert_allclose(*images, atol=1e-5)


def test_a_layer_that_an_objective_does_not_name_is_told():
    wrong = objectives.Objective(lambda T: T("first"), "wrong", layers="maps")
    with pytest.raises(InputError, match=r"layer 'first'.*names \(maps\)"):
        Ascent(network(), wrong, pixels(), 5)
