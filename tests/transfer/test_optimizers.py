import keras
import numpy as np
import pytest
from keras import ops

from transfer import optimizers
from transfer.recipe import Recipe

RNG = np.random.default_rng(0)
X = RNG.normal(size=(24, 5)).astype(np.float32)
Y = RNG.integers(0, 3, 24)


def network():
    """A trunk of one layer and a head, always with the same weights."""
    inputs = keras.Input((5,))
    hidden = keras.layers.Dense(4, "tanh", name="trunk")(inputs)
    model = keras.Model(inputs, keras.layers.Dense(3, "softmax", name="head")(hidden))
    rng = np.random.default_rng(1)
    model.set_weights([rng.normal(size=w.shape).astype(np.float32) for w in model.get_weights()])
    return model


def gradients(weights):
    """Of the mean cross-entropy of all pictures with respect to the four arrays, in float64."""
    kernel, bias, head, head_bias = (w.astype(np.float64) for w in weights)
    hidden = np.tanh(X @ kernel + bias)
    scores = np.exp(hidden @ head + head_bias)
    error = (scores / scores.sum(axis=1, keepdims=True) - np.eye(3)[Y]) / len(X)
    below = error @ head.T * (1 - hidden**2)
    return [X.T @ below, below.sum(axis=0), hidden.T @ error, error.sum(axis=0)]


def trained(recipe, steps=10, per_epoch=1):
    model = network()
    model.compile(optimizers.optimizer(recipe, model, per_epoch), "sparse_categorical_crossentropy")
    for _ in range(steps):
        model.train_on_batch(X, Y)
    return model.get_weights()


def by_hand(rates, decays=(0, 0, 0, 0), momentum=0.9, steps=10, rate_of_step=lambda step: 1.0):
    """SGD as Caffe's: decay into the gradient, then momentum, then the step."""
    weights = [w.astype(np.float64) for w in network().get_weights()]
    moved = [np.zeros_like(w) for w in weights]
    for step in range(steps):
        found = gradients(weights)
        for n, (rate, decay) in enumerate(zip(rates, decays, strict=True)):
            gradient = found[n] + decay * weights[n]
            moved[n] = momentum * moved[n] - rate * rate_of_step(step) * gradient
            weights[n] = weights[n] + moved[n]
    return weights


def assert_alike(found, expected):
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


SGD = {"optimizer": "sgd", "nesterov": False, "learning_rate": 0.2}


@pytest.mark.parametrize("name", ["sgd", "rmsprop", "adam"])
def test_optimizers_take_the_recipes_numbers(name):
    made = optimizers.optimizer(Recipe(optimizer=name, learning_rate=0.25, momentum=0.5))
    assert type(made).__name__.lower() == name
    assert float(made.learning_rate) == 0.25
    if name == "sgd":
        assert made.momentum == 0.5 and made.nesterov
    else:
        assert made.epsilon == 1e-8


@pytest.mark.parametrize("name", ["sgd", "rmsprop", "adam"])
def test_two_learning_rates_are_two_optimizers(name):
    """Ten steps against a loop of our own with an optimizer for the trunk and one for the head."""
    recipe = Recipe(optimizer=name, learning_rate=0.05, trunk_rate=0.1)
    weights = [keras.Variable(w) for w in network().get_weights()]
    both = [
        optimizers.optimizer(Recipe(optimizer=name, learning_rate=rate)) for rate in (0.005, 0.05)
    ]
    for _ in range(10):
        found = gradients([ops.convert_to_numpy(w) for w in weights])
        found = [ops.convert_to_tensor(g.astype(np.float32)) for g in found]
        for made, part in zip(both, (slice(0, 2), slice(2, 4)), strict=True):
            made.apply(found[part], weights[part])
    assert_alike(trained(recipe), [ops.convert_to_numpy(w) for w in weights])


def test_weight_decay_is_caffes():
    """Kernels decay through the gradient, biases not and at twice the rate."""
    recipe = Recipe(weight_decay=0.03, bias_rate=2.0, trunk_rate=0.5, **SGD)
    rates, decays = (0.1, 0.2, 0.2, 0.4), (0.03, 0, 0.03, 0)
    assert_alike(trained(recipe), by_hand(rates, decays))
    everything = Recipe(weight_decay=0.03, decayed="all", **SGD)
    assert_alike(trained(everything), by_hand([0.2] * 4, [0.03] * 4))


def test_decay_of_steps_is_keras_2s():
    recipe = Recipe(decay=0.5, **SGD)
    expected = by_hand([0.2] * 4, rate_of_step=lambda step: 1 / (1 + 0.5 * step))
    assert_alike(trained(recipe), expected)


def test_a_schedule_counts_epochs_in_steps():
    recipe = Recipe(schedule="once", schedule_epochs=2, schedule_factor=0.1, **SGD)
    expected = by_hand([0.2] * 4, rate_of_step=lambda step: 1 if step < 6 else 0.1)
    assert_alike(trained(recipe, per_epoch=3), expected)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("constant", [1.0] * 17),
        # one tenth once, after epoch 5: Cetinic et al. 2018, section 5.3
        (("once", 5, 0.1), [1.0] * 5 + [0.1] * 12),
        # 4 % less every 8 epochs, the first counted: Gonthier et al. 2020's released code
        (("every", 8, 0.96), [1.0] * 7 + [0.96] * 8 + [0.96**2] * 2),
    ],
)
def test_schedules_equal_hand_values(schedule, expected):
    name, epochs, factor = (schedule, 8, 0.96) if isinstance(schedule, str) else schedule
    made = optimizers.Schedule(2.0, 0.0, name, epochs, factor, steps=5)
    first = [float(made(5 * epoch)) for epoch in range(17)]
    last = [float(made(5 * epoch + 4)) for epoch in range(17)]
    np.testing.assert_allclose(first, 2 * np.array(expected), rtol=1e-6)
    assert first == last


def test_a_schedule_is_written_and_read():
    made = optimizers.Schedule(0.1, 1e-4, "every", 8, 0.96, 7)
    again = optimizers.Schedule.from_config(made.get_config())
    assert [float(made(s)) for s in (0, 60)] == [float(again(s)) for s in (0, 60)]


def test_rates_and_decays_go_to_the_right_variables():
    pixels = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(2, 3, name="conv")(pixels)
    x = keras.layers.BatchNormalization(name="bn")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(pixels, keras.layers.Dense(3, name="head")(x))
    recipe = Recipe(trunk_rate=0.1, bias_rate=2.0, weight_decay=0.5)
    found = optimizers.variable_settings(model, recipe)
    names = [v.path.rpartition("/")[2] for v in model.trainable_variables]
    assert names == ["kernel", "bias", "gamma", "beta", "kernel", "bias"]
    rates, decays = zip(*found, strict=True)
    np.testing.assert_allclose(rates, [0.1, 0.2, 0.1, 0.1, 1.0, 2.0])
    assert decays == (0.5, 0, 0, 0, 0.5, 0)
    model.get_layer("conv").trainable = False
    assert len(optimizers.variable_settings(model, recipe)) == 4
