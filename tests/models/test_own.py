"""A `.keras` file of one's own as a network to train on."""

import json
import shutil
import zipfile

import keras
import numpy as np
import pytest
from keras import layers

import models
from models import network, own, weights, zoo
from models.errors import InputError
from models.network import Network

SIZE = 12  # pixels


def small_base(size=SIZE):
    """A network to put into others: two convolutions and batch normalisation, a map at the end."""
    inputs = keras.Input((size, size, 3))
    x = layers.Conv2D(4, 3, name="first")(inputs)
    x = layers.BatchNormalization(name="norm")(x)
    return keras.Model(inputs, layers.Conv2D(6, 3, activation="relu", name="head")(x), name="base")


def sequential():
    """Scaling inside, a pooled vector, dropout, dense with softmax."""
    return keras.Sequential(
        [keras.Input((SIZE, SIZE, 3)), layers.Rescaling(1 / 255), layers.Conv2D(5, 3)]
        + [layers.GlobalMaxPooling2D(), layers.Dropout(0.5), layers.Dense(3, "softmax")]
    )


def two_dense():
    """A hidden dense layer, of which the features are, and an activation of its own at the end."""
    inputs = keras.Input((SIZE, SIZE, 3))
    x = layers.Flatten()(layers.Conv2D(2, 3)(inputs))
    x = layers.Dropout(0.5)(layers.Dense(7, "relu", name="hidden")(x))
    return keras.Model(inputs, layers.Softmax()(layers.Dense(3)(x)))


def nested():
    """A network inside that was frozen, as Keras's guide to transfer learning builds it."""
    base = small_base()
    base.trainable = False
    inputs = keras.Input((SIZE, SIZE, 3))
    x = base(inputs / 127.5 - 1.0, training=False)
    return keras.Model(inputs, layers.Dense(3)(layers.GlobalAveragePooling2D()(x)))


def whole_inside():
    """A whole classifier inside, behind a layer that scales."""
    return keras.Sequential([keras.Input((SIZE, SIZE, 3)), layers.Rescaling(1 / 127.5), nested()])


def map_at_the_end():
    inputs = keras.Input((None, None, 3))
    return keras.Model(inputs, layers.Conv2D(4, 3, activation="relu")(inputs))


def convolution_gives_the_classes():
    """As MobileNet and SqueezeNet end."""
    inputs = keras.Input((SIZE, SIZE, 3))
    x = layers.Dropout(0.5)(layers.Conv2D(4, 3)(inputs))
    x = layers.ReLU()(layers.Conv2D(3, 1)(x))
    return keras.Model(inputs, layers.Softmax()(layers.GlobalAveragePooling2D()(x)))


def operations():
    """Pooled by keras.ops, which no list of layers holds."""
    inputs = keras.Input((None, None, 3))
    x = keras.ops.mean(layers.Conv2D(4, 3)(inputs / 255.0), axis=(1, 2))
    return keras.Model(inputs, keras.ops.softmax(layers.Dense(3)(x)))


def normalised():
    """A layer that was adapted to pictures."""
    norm = layers.Normalization()
    norm.adapt(np.random.default_rng(1).normal(100, 20, (8, SIZE, SIZE, 3)))
    inputs = keras.Input((SIZE, SIZE, 3))
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(norm(inputs)))
    return keras.Model(inputs, layers.Dense(3, "sigmoid")(x))


def embedding():
    """No classifier at its end: a dense layer with ReLU, then dropout."""
    inputs = keras.Input((SIZE, SIZE, 3))
    x = layers.Flatten()(layers.Conv2D(2, 3)(inputs))
    return keras.Model(inputs, layers.Dropout(0.2)(layers.Dense(7, "relu")(x)))


def tokens():
    inputs = keras.Input((SIZE, SIZE, 3))
    x = layers.Reshape((4, 5))(layers.Conv2D(5, 6, strides=6)(inputs))
    return keras.Model(inputs, layers.LayerNormalization()(x))


# network -> (features, how many of the last layers are left out, average over axes or None)
NETWORKS = {
    sequential: (5, 2, None),
    two_dense: (7, 3, None),
    nested: (6, 1, None),
    map_at_the_end: (4, 0, (1, 2)),
    convolution_gives_the_classes: (4, 5, (1, 2)),
    normalised: (4, 1, None),
    embedding: (7, 1, None),
    tokens: (5, 0, (1,)),
}


def pixels(n=2, size=SIZE):
    return np.random.default_rng(0).integers(0, 256, (n, size, size, 3)).astype("float32")


def draw(model, seed=0):
    """Weights that tell one layer from another."""
    rng = np.random.default_rng(seed)
    for variable in model.trainable_variables + model.non_trainable_variables:
        if variable.name not in ("mean", "variance", "count", "seed_generator_state"):
            variable.assign(rng.uniform(0.1, 1, variable.shape))
    return model


@pytest.fixture
def saved(tmp_path):
    """Return saved(model, name): the path of a file of it, as text."""

    def save(model, name="mine.keras"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        model.save(path)
        return str(path)

    return save


def features_of(model):
    return keras.Model(model.inputs, model.get_layer("features").output)


@pytest.mark.parametrize("made", NETWORKS, ids=lambda made: made.__name__)
def test_features_are_what_the_file_computes_before_its_classifier(made, saved):
    source = draw(made())
    count, left_out, averaged = NETWORKS[made]
    said = []
    built = zoo.build(saved(source), 4, SIZE, say=said.append)
    assert built.output_shape == (None, 4)
    assert [layer.name for layer in built.layers[-2:]] == ["features", "head"]
    tensor = source.layers[-1 - left_out].output
    expected = keras.Model(source.inputs, tensor).predict(pixels(), verbose=0)
    expected = expected.mean(axis=averaged) if averaged else expected
    found = features_of(built).predict(pixels(), verbose=0)
    assert found.shape == (2, count)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    assert len(said) == 1 and "mine.keras: features from" in said[0]


def test_a_whole_model_in_hdf5_opens_after_the_command_that_the_error_gives(tmp_path, monkeypatch):
    source = draw(sequential())
    monkeypatch.chdir(tmp_path)
    source.save("whole.h5")
    with pytest.raises(InputError, match="as which Keras saves a whole model: load_model") as error:
        zoo.parse("whole.h5")
    exec(f"keras.models.{str(error.value).partition('model: ')[2]}", {"keras": keras})
    built = zoo.build("own.keras", 4, SIZE)
    expected = keras.Model(source.inputs, source.layers[-3].output).predict(pixels(), verbose=0)
    np.testing.assert_allclose(features_of(built).predict(pixels(), verbose=0), expected, rtol=1e-4)


@pytest.mark.parametrize("made", [whole_inside, operations])
def test_what_has_no_layer_at_the_end_of_its_list(made, saved):
    source = draw(made())
    built = zoo.build(saved(source), 3, SIZE)
    inside = source.layers[-1] if made is whole_inside else source
    dense = inside.layers[-1]
    built.get_layer("head").set_weights(dense.get_weights())
    scores = keras.Model(built.inputs, dense(built.get_layer("features").output))
    expected = source.predict(pixels(), verbose=0)
    found = scores.predict(pixels(), verbose=0)
    if made is operations:
        found = np.exp(found) / np.exp(found).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_built_network_is_flat_trainable_and_leaves_no_name_twice(saved):
    built = zoo.build(saved(nested()), 4)
    assert not any(isinstance(layer, keras.Model) for layer in built.layers)
    assert all(layer.trainable for layer in built.layers)
    names = [layer.name for layer in built.layers]
    assert "head_1" in names and names[-1] == "head"  # the file has a convolution of that name
    assert built.get_layer("head").units == 4


def test_scaling_is_the_files_own_or_asked_for(saved):
    path = saved(draw(map_at_the_end()))
    plain, unit = (zoo.build(path, 2, SIZE, pixels=word) for word in ("own", "unit"))
    assert zoo.scaling_for(zoo.parse(path)) == "none"
    assert zoo.scaling_for(zoo.parse(path), "unit") == "unit"
    np.testing.assert_allclose(
        features_of(unit).predict(pixels(), verbose=0),
        features_of(plain).predict(pixels() / 255, verbose=0),
        rtol=1e-4,
    )


@pytest.mark.parametrize(
    ("made", "pixels", "told"),
    [
        (sequential, "own", "0 to 255 go through rescaling"),
        (map_at_the_end, "own", "0 to 255 are not scaled: choose pixels"),
        (map_at_the_end, "tf", "0 to 255, scaled as tf, go into its first layer"),
    ],
)
def test_a_note_says_what_is_done_to_pixels(made, pixels, told, saved):
    said = []
    keras.utils.clear_session()
    zoo.build(saved(made()), 2, SIZE, pixels=pixels, say=said.append)
    assert told in said[0]


@pytest.mark.slow
def test_a_classifier_trained_here_keeps_its_scaling(tmp_path):
    """All of its preprocessing is inside; another cannot be asked for."""
    first = zoo.build("MobileNet(alpha=0.25)", 5, 32, seed=1)
    path = str(tmp_path / "model.keras")
    network.save(Network("MobileNet(alpha=0.25)", first, list("abcde"), "own"), path)
    assert own.name(path).startswith("MobileNet(alpha=0.25)-")
    assert zoo.scaling_for(zoo.parse(path)) == "tf"
    built = zoo.build(path, 2)
    for name in ("features", "conv_pw_13"):
        outputs = [
            keras.Model(m.inputs, m.get_layer(name).output).predict(pixels(2, 32), verbose=0)
            for m in (first, built)
        ]
        np.testing.assert_allclose(*outputs, rtol=1e-5)
    assert len(built.layers) == len(first.layers)
    with pytest.raises(InputError, match="was trained with pixels tf; asked for are unit"):
        zoo.build(path, 2, pixels="unit")


@pytest.mark.parametrize("made", [nested, normalised])
def test_random_is_the_same_network_drawn_again(made, saved):
    source = made()
    path = saved(draw(source))
    one, same, other = (zoo.build(f"{path}:none", 4, seed=seed) for seed in (1, 1, 2))
    trained = zoo.build(path, 4)
    assert [w.shape for w in one.weights] == [w.shape for w in trained.weights]
    kernels = [
        next(v for v in model.weights if v.path.endswith("kernel"))
        for model in (one, same, other, trained)
    ]
    kernels = [keras.ops.convert_to_numpy(kernel) for kernel in kernels]
    np.testing.assert_array_equal(kernels[0], kernels[1])
    for kernel in kernels[2:]:
        assert np.abs(kernels[0] - kernel).max() > 0.01
    limit = np.sqrt(6 / 27)
    assert limit / 2 < np.abs(kernels[0]).max() <= limit
    if made is normalised:  # what scales pixels is no result of training
        norm = next(x for x in one.layers if isinstance(x, layers.Normalization))
        np.testing.assert_allclose(norm.mean, source.layers[1].mean)
    else:
        norm = one.get_layer("norm")
        np.testing.assert_array_equal(norm.gamma, np.ones(4))
        np.testing.assert_array_equal(norm.moving_mean, np.zeros(4))
    opened = models.load(f"{path}:none")
    assert opened.spec == f"{path}:none" and opened.size == SIZE


# --- names and sizes, without Keras


def test_a_name_is_the_stem_and_the_content(saved, tmp_path):
    path = saved(draw(sequential()), "paintings.keras")
    named = own.name(path)
    assert named.startswith("paintings-") and len(named) == len("paintings-") + 8
    (tmp_path / "elsewhere").mkdir()
    assert own.name(shutil.copy(path, tmp_path / "elsewhere")) == named
    other = saved(draw(sequential(), seed=1), "other/paintings.keras")
    assert own.name(other) != named
    assert zoo.parse(path).architecture == named and zoo.parse(f"{path}:none").architecture == named
    # a file without a run is called what it is called
    assert own.name(shutil.copy(path, tmp_path / "model.keras")).startswith("model-")


@pytest.mark.parametrize(
    ("shape", "says"),
    [
        ((SIZE, SIZE, 1), r"takes \(N, 12, 12, 1\); accepted: \(N, height, width, 3\), RGB"),
        ((3, SIZE, SIZE), r"takes \(N, 3, 12, 12\); accepted"),
        ((4,), r"takes \(N, 4\); accepted"),
        ((8, SIZE, 3), "takes pictures of 8 x 12 pixels; accepted: square"),
    ],
)
def test_pictures_are_square_and_rgb(shape, says, saved):
    inputs = keras.Input(shape)
    path = saved(keras.Model(inputs, layers.Dense(2)(inputs)))
    with pytest.raises(InputError, match=f"mine.keras {says}"):
        zoo.parse(path).check()
    with pytest.raises(InputError, match=says):
        zoo.build(path, 2)


def test_one_input_one_output(saved):
    one, other = keras.Input((SIZE, SIZE, 3)), keras.Input((SIZE, SIZE, 3))
    joined = layers.Conv2D(2, 3)(one + other)
    with pytest.raises(InputError, match="mine.keras has 2 inputs; accepted: one"):
        zoo.build(saved(keras.Model([one, other], joined)), 2)
    maps = layers.Conv2D(2, 3)(one)
    with pytest.raises(InputError, match="mine.keras has 2 outputs; accepted: one"):
        zoo.build(saved(keras.Model(one, [maps, maps + 1.0])), 2)


def test_sizes(saved):
    fixed, free = saved(sequential()), saved(map_at_the_end(), "free.keras")
    assert own.side(fixed) == SIZE and own.side(free) is None
    assert zoo.parse(fixed).side() == zoo.parse(fixed).side(SIZE) == SIZE
    assert zoo.parse(free).side(40) == 40
    with pytest.raises(InputError, match=r"input_size is 40; .*mine.keras takes pictures of 12"):
        zoo.parse(fixed).side(40)
    with pytest.raises(InputError, match=r"free.keras takes pictures of any size; give input_size"):
        zoo.parse(free).side()
    with pytest.raises(InputError, match=r"cannot be run at 2x2 pixels|nothing is left"):
        zoo.build(free, 2, 2)


def head_alone():
    inputs = keras.Input((SIZE, SIZE, 3))
    return keras.Model(inputs, layers.Dense(2, "softmax")(layers.Flatten()(inputs)))


def probabilities_of_nothing():
    inputs = keras.Input((SIZE, SIZE, 3))
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(inputs))
    x = layers.BatchNormalization()(layers.Dense(2)(x))
    return keras.Model(inputs, layers.Softmax()(x))


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (head_alone, "has no layer with weights before its classifier"),
        (probabilities_of_nothing, "ends in probabilities, but no dense layer"),
    ],
)
def test_networks_without_features(made, says, saved):
    with pytest.raises(InputError, match=f"mine.keras {says}"):
        zoo.build(saved(made()), 2)


@keras.saving.register_keras_serializable("tests")
class Mine(layers.Layer):
    def call(self, inputs):
        return inputs


def test_layers_of_other_code_are_not_executed(saved):
    inputs = keras.Input((SIZE, SIZE, 3))
    path = saved(keras.Model(inputs, layers.Conv2D(2, 3)(Mine()(inputs))))
    del keras.saving.get_custom_objects()["tests>Mine"]
    with pytest.raises(InputError, match="mine.keras is not a readable .keras model") as error:
        zoo.build(path, 2)
    assert "Mine" in str(error.value)
    path = saved(keras.Model(inputs, layers.Conv2D(2, 3)(layers.Lambda(lambda x: x)(inputs))))
    with pytest.raises(InputError, match="mine.keras is not a readable .keras model"):
        zoo.build(path, 2)


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ("[]", "describes no inputs"),
        ('{"config": {"layers": 3}}', "describes no inputs"),
        ('{"config": {"layers": [{"class_name": "InputLayer"}]}}', "describes no inputs"),
        ('{"class_name": "Sequential", "config": {"layers": []}}', "describes no inputs"),
        ("[" * 100_000, "nested too deeply"),
        ("{", "is not a readable .keras model"),
    ],
)
def test_descriptions_of_odd_files(config, says, tmp_path):
    with zipfile.ZipFile(tmp_path / "odd.keras", "w") as archive:
        archive.writestr("config.json", config)
    with pytest.raises(InputError, match=says) as error:
        own.side(tmp_path / "odd.keras")
    assert "odd.keras" in str(error.value) and "\n" not in str(error.value)
    with zipfile.ZipFile(tmp_path / "empty.keras", "w"):
        pass
    with pytest.raises(InputError, match="empty.keras"):
        own.side(tmp_path / "empty.keras")
    with pytest.raises(InputError, match="no weights file .*gone.keras"):
        zoo.parse(str(tmp_path / "gone.keras")).check()


def test_description_is_read_without_keras(saved):
    path = saved(sequential())
    assert weights.read_description(path)["class_name"] == "Sequential"
    assert json.dumps(weights.read_about(path)) == "{}"
