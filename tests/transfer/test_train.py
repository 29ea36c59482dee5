import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from models import backend, zoo
from models.errors import InputError
from models.machines import ALONE
from transfer import evaluate, features, progress, results, train, trained_layers, uncertainty
from transfer.recipe import Recipe
from transfer.recipes import RECIPES

RNG = np.random.default_rng(0)
X = RNG.normal(size=(50, 6)).astype(np.float32)
Y = (X[:, 0] + 0.5 * RNG.normal(size=50) > 0).astype(np.int32)
RECIPE = Recipe(learning_rate=0.05, batch_size=8, epochs=6, patience=3)


def network(seed=1):
    inputs = keras.Input((6,))
    hidden = keras.layers.Dense(
        5, "relu", kernel_initializer=keras.initializers.GlorotUniform(seed)
    )(inputs)
    outputs = keras.layers.Dense(
        2, "softmax", kernel_initializer=keras.initializers.GlorotUniform(seed + 1)
    )(hidden)
    return keras.Model(inputs, outputs)


def fit(model, folder, recipe=RECIPE, labels=Y, callbacks=(), **extra):
    def shuffled(first_epoch):
        return features.batches(X[:40], labels[:40], recipe.batch_size, recipe.seed, first_epoch)

    validation = features.batches(X[40:], labels[40:], recipe.batch_size)
    steps = -(-40 // recipe.batch_size)
    return train.fit(model, recipe, shuffled, validation, steps, folder, None, callbacks, **extra)


def weights(model):
    return np.concatenate([w.ravel() for w in model.get_weights()])


class StopAfter(keras.callbacks.Callback):
    """Raises at the start of an epoch, as a killed process would stop there."""

    def __init__(self, epoch):
        super().__init__()
        self.epoch = epoch

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.epoch:
            raise KeyboardInterrupt


def fit_head(folder, dropout):
    """Train the head alone, at a rate that moves nothing: (model, Trained)."""
    backend.clear_session()
    inputs = keras.Input((6,))
    kept = keras.layers.Identity(name="features")(inputs)
    if dropout:
        kept = keras.layers.Dropout(dropout, seed=1, name="features_dropout")(kept)
    initializer = keras.initializers.GlorotUniform(1)
    head = keras.layers.Dense(2, "softmax", kernel_initializer=initializer, name="head")
    model = keras.Model(inputs, head(kept))
    parts = {"train": slice(30), "val": slice(30, 40), "test": slice(40, 50)}
    store = SimpleNamespace(labels={name: Y[part] for name, part in parts.items()}, several=False)
    pooled = {name: X[part] for name, part in parts.items()}
    recipe = replace(RECIPE, layers="head", dropout=dropout, learning_rate=1e-12, epochs=1)
    return model, train._fit_dense(model, pooled, store, recipe, folder, (), ALONE)


def test_features_are_left_out_while_the_head_is_trained_and_not_in_a_test(tmp_path):
    _, whole = fit_head(tmp_path / "whole", 0.0)
    model, dropped = fit_head(tmp_path / "dropped", 0.5)
    assert abs(dropped.history[0]["loss"] - whole.history[0]["loss"]) > 0.01
    assert dropped.history[0]["val_loss"] == pytest.approx(whole.history[0]["val_loss"])
    np.testing.assert_allclose(dropped.scores, whole.scores, rtol=1e-5)
    np.testing.assert_allclose(model.predict(X[40:], verbose=0), whole.scores, rtol=1e-5)


def test_the_interval_on_the_terminal_is_the_tables(made):
    """The bootstrap's over groups where pictures are in groups, or why there is none."""
    labels = np.tile(np.arange(3), 25)
    scores = np.eye(3)[np.where(np.arange(75) % 11 == 0, 0, labels)]
    for groups, sure in ((None, r"(\S+)% to (\S+)% with 95% confidence;"), (15, None), (6, None)):
        units = None if groups is None else np.arange(75) % groups
        values = evaluate.metrics(scores, labels) | uncertainty.intervals(scores, labels, units)
        values |= {"chance_top1": 1 / 3, "n_classes": 3, "n_test": 75}
        line = train.test_lines(values)[1]
        found = results.interval([made(**values)])
        if groups == 6:
            assert found is None
            assert line.startswith("without an interval: 6 groups of 75 pictures, fewer than 10, ")
            continue
        sure = sure or r"(\S+)% to (\S+)% with 95% confidence \(bootstrap over 15 groups of 75 pic"
        assert re.match(f"top-1 is {sure}", line).groups() == tuple(f"{x:.1f}" for x in found)
        assert line.endswith("the training pictures alone would give 33.3%")


def test_best_epoch_is_restored_and_reported(tmp_path):
    model = network()
    history = fit(model, tmp_path)
    best = min(history, key=lambda row: row["val_loss"])
    model.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    loss, accuracy = model.evaluate(X[40:], Y[40:], verbose=0)
    assert loss == pytest.approx(best["val_loss"], rel=1e-5)
    assert accuracy == pytest.approx(best["val_accuracy"])
    assert [row["epoch"] for row in history] == list(range(1, len(history) + 1))


def test_early_stopping_waits_for_patience_epochs(tmp_path):
    """A learning rate that only harms: epoch 1 is best, 3 more follow, then it stops."""
    history = fit(network(), tmp_path, replace(RECIPE, learning_rate=5.0, epochs=50))
    losses = [row["val_loss"] for row in history]
    best = int(np.nanargmin(losses)) + 1
    assert len(history) == best + 3 < 50


def test_interrupted_training_ends_where_an_uninterrupted_one_does(tmp_path):
    whole, resumed = network(), network()
    expected = fit(whole, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        fit(resumed, tmp_path / "cut", callbacks=[StopAfter(3)])
    fresh = network(seed=99)
    history = fit(fresh, tmp_path / "cut")
    for ours, theirs in zip(history, expected, strict=True):
        assert ours["val_loss"] == pytest.approx(theirs["val_loss"], rel=1e-4)
    np.testing.assert_allclose(weights(fresh), weights(whole), rtol=1e-3, atol=1e-5)


def test_finished_training_is_not_trained_again(tmp_path):
    model = network()
    history = fit(model, tmp_path)
    again = network(seed=9)
    assert fit(again, tmp_path, callbacks=[StopAfter(0)]) == history
    np.testing.assert_array_equal(weights(again), weights(model))


def test_a_terminal_shows_steps_and_a_line_for_each_epoch(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(progress, "EVERY", 0.0)
    history = fit(network(), tmp_path)
    looks = capsys.readouterr().out.split("\r")
    assert looks[1].startswith("0 of 6 epochs done, step 1 of 5")
    lines = [look for look in looks if "validation loss" in look]
    assert len(lines) == len(history) and lines[0].startswith("\x1b[Kepoch 1 of 6: loss ")
    assert any(look.startswith("1 of 6 epochs done, step 2 of 5, about 0:00:") for look in looks)


def test_only_last_and_best_epoch_stay_on_disk(tmp_path):
    history = fit(network(), tmp_path)
    best = min(history, key=lambda row: row["val_loss"])["epoch"]
    kept = {f"epoch-{epoch:04d}.npz" for epoch in (best, len(history))}
    assert {path.name for path in tmp_path.iterdir()} == kept | {"history.csv"}


def test_divergence_is_an_error(tmp_path):
    class Nan(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            self.model.set_weights([w * np.nan for w in self.model.get_weights()])

    class JaxNan(keras.callbacks.Callback):
        def set_model(self, model):
            super().set_model(model)
            model.set_weights([w * np.nan for w in model.get_weights()])

    broken = JaxNan() if keras.backend.backend() == "jax" else Nan()
    with pytest.raises(InputError, match="diverged"):
        fit(network(), tmp_path, callbacks=[broken])
    assert not tmp_path.exists()


def test_what_may_help_is_told_in_the_order_of_what_was_chosen():
    assert train._remedy(RECIPE) == "a learning_rate below 0.05"
    drawn = replace(RECIPE, initial_weights="he_uniform", precision="mixed_float16")
    expected = "precision float32 or pixels unit or a learning_rate below 0.05"
    assert train._remedy(drawn) == expected
    assert "pixels" not in train._remedy(replace(drawn, pixels="unit"))


@pytest.mark.slow  # builds GoogLeNet twice
def test_training_from_scratch_starts_near_chance():
    """He-uniform kernels keep the size of pixels, and GoogLeNet normalises nothing."""
    pictures = np.random.default_rng(0).integers(256, size=(16, 64, 64, 3), dtype=np.uint8)
    losses = {}
    for pixels in (RECIPES["gonthier2020.from_scratch"].pixels, "own"):
        spec = zoo.parse("GoogLeNet")
        model = zoo.build(spec, 10, 64, pixels, "softmax", 1)
        scores = model.predict(pictures, verbose=0)
        losses[pixels] = evaluate.metrics(scores, np.arange(16) % 10)["loss"]
    assert losses["unit"] < 2 * np.log(10) < losses["own"]


def test_class_weights_are_scikit_learns():
    from sklearn.utils.class_weight import compute_class_weight

    labels = np.array([0] * 7 + [1] * 2 + [2])
    expected = compute_class_weight("balanced", classes=np.arange(3), y=labels)
    assert list(train.balanced(labels, 3).values()) == pytest.approx(expected)


def test_frozen_batch_norm_keeps_its_averages(tmp_path):
    inputs = keras.Input((6,))
    hidden = keras.layers.BatchNormalization(name="bn")(keras.layers.Dense(5)(inputs))
    model = keras.Model(inputs, keras.layers.Dense(2, "softmax")(hidden))
    train.set_batch_norm(model, "frozen", 5)
    before = model.get_layer("bn").get_weights()
    fit(model, tmp_path)
    for old, new in zip(before, model.get_layer("bn").get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_trained_batch_norm_moves(tmp_path):
    inputs = keras.Input((6,))
    hidden = keras.layers.BatchNormalization(name="bn")(keras.layers.Dense(5)(inputs))
    model = keras.Model(inputs, keras.layers.Dense(2, "softmax")(hidden))
    train.set_batch_norm(model, "train", 5)
    assert model.get_layer("bn").momentum ** 5 == pytest.approx(0.01)
    fit(model, tmp_path)
    assert np.abs(model.get_layer("bn").get_weights()[2]).max() > 0


def test_full_disk_keeps_the_epochs_before(tmp_path, small_disk):
    """The disk fills up in epoch 3: an OSError, and epochs 1 and 2 are there to go on from."""

    class Fill(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                with pytest.raises(OSError), open(small_disk / "other", "wb", buffering=0) as file:
                    while file.write(bytes(4096)):
                        pass

    with pytest.raises(OSError):
        fit(network(), small_disk / "run", callbacks=[Fill()])
    assert len(train.read_history(small_disk / "run" / "history.csv")) == 2
    (small_disk / "other").unlink()
    assert len(fit(network(seed=9), small_disk / "run")) >= 3


KILLED = """
import sys, time
sys.path[:0] = [sys.argv[2], sys.argv[3]]
import keras, test_train
class Slow(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        time.sleep(0.05)
test_train.fit(test_train.network(), sys.argv[1], callbacks=[Slow()])
"""


def test_kill_9_at_any_moment_loses_at_most_the_current_epoch(tmp_path):
    here = Path(__file__).parent
    command = [sys.executable, "-c", KILLED, str(tmp_path / "cut"), str(here), str(here.parents[1])]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while len(train.read_history(tmp_path / "cut" / "history.csv")) < 2:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = train.read_history(tmp_path / "cut" / "history.csv")
    assert 2 <= len(done) < 6
    expected = fit(network(), tmp_path / "whole")
    history = fit(network(seed=9), tmp_path / "cut")
    assert history[: len(done)] == done
    for ours, theirs in zip(history, expected, strict=True):
        assert ours["val_loss"] == pytest.approx(theirs["val_loss"], rel=1e-4)


def test_how_much_rests_on_groups_that_were_seen_is_told():
    correct = np.array([True, True, False, True, False])
    shared = {
        "title": np.array([True, True, True, False, False]),
        "near_duplicates": np.array([True, False, False, False, False]),
        "artist": np.zeros(5, bool),
        "series": np.ones(5, bool),
    }
    assert list(train.group_lines(evaluate.by_group(correct, shared))) == [
        "3 of 5 test pictures have a title that a training or validation picture has too: "
        "top-1 66.7% of them, 50.0% of the others",
        "1 of 5 test pictures has a near-duplicate among the training or validation pictures: "
        "top-1 100.0% of it, 50.0% of the others",
        "5 of 5 test pictures have a series that a training or validation picture has too: "
        "top-1 60.0% of them",
    ]


def test_the_last_epoch_is_tested_on_request_and_without_patience_all_are_run(tmp_path):
    recipe = replace(RECIPE, selection="last", patience=0, learning_rate=0.5, epochs=9)
    model = network()
    history = fit(model, tmp_path, recipe)
    assert len(history) == 9
    assert min(history, key=lambda row: row["val_loss"])["epoch"] < 9  # else nothing is shown
    scores = model.predict(X[40:], verbose=0)
    loss = -np.log(scores[np.arange(10), Y[40:]]).mean()
    assert loss == pytest.approx(history[-1]["val_loss"], rel=1e-4)


def test_a_loss_that_is_no_number_stops_and_the_best_epoch_stays(tmp_path, capsys):
    """Whatever makes it so, such as mixed precision: too large numbers from epoch 3 on."""
    recipe = replace(RECIPE, epochs=20, patience=20, precision="mixed_bfloat16")

    def spoiled(first_epoch):
        endless = features.batches(X[:40], Y[:40], 8, recipe.seed, first_epoch)
        return endless.take(10).concatenate(endless.map(lambda x, y: (x * 1e38, y)))

    model = network()
    history = train.fit(model, recipe, spoiled, features.batches(X[40:], Y[40:], 8), 5, tmp_path)
    # TensorFlow's ReLU makes 0 of what is no number, JAX's lets it through two epochs later
    assert 3 <= len(history) < 20 and not np.isfinite(history[-1]["loss"])
    assert np.isfinite([row["loss"] for row in history[:-1]]).all()
    assert np.isfinite(weights(model)).all()
    printed = capsys.readouterr().out
    assert f"training stops: the loss of epoch {len(history)} is no number" in printed
    assert "precision float32" in printed


def convolutions():
    pixels = keras.Input((16, 16, 3), name="pixels")
    x = pixels
    for name in ("conv1", "mixed4a", "mixed4d"):
        x = keras.layers.Conv2D(4, 3, padding="same", name=name)(x)
        x = keras.layers.BatchNormalization(name=f"{name}_bn")(x)
    x = keras.layers.GlobalAveragePooling2D(name="features")(x)
    return keras.Model(pixels, keras.layers.Dense(2, "softmax", name="head")(x))


PICTURES = RNG.normal(size=(50, 16, 16, 3)).astype(np.float32)


def fit_pictures(model, folder, recipe):
    def batches(first_epoch=0):
        import tensorflow as tf

        data = tf.data.Dataset.from_tensor_slices((PICTURES, Y)).batch(25)
        return data.repeat() if first_epoch is not None else data

    return train.fit(model, recipe, batches, batches(None), 2, folder)


@pytest.mark.parametrize("text", ["skip_first:1", "from:mixed4d", "last:2", "all"])
def test_layers_that_are_not_trained_keep_every_bit(tmp_path, text):
    model = convolutions()
    chosen = trained_layers.select(model, text, "Small")
    for layer in model.layers:
        layer.trainable = layer in chosen
    train.set_batch_norm(model, "train", 2)
    before = {layer.name: layer.get_weights() for layer in model.layers}
    fit_pictures(model, tmp_path, replace(RECIPE, epochs=2, weight_decay=0.1, trunk_rate=0.5))
    for layer in model.layers:
        for one, other in zip(before[layer.name], layer.get_weights(), strict=True):
            assert np.array_equal(one, other) == (layer not in chosen), layer.name


def test_auxiliary_heads_are_trained_and_left_behind(tmp_path, monkeypatch):
    monkeypatch.setattr("models.inception_v1.AUXILIARY_DROPOUT", 0.0)
    model = convolutions()
    recipe = replace(RECIPE, epochs=2, auxiliary=0.3, trunk_rate=0.1)
    whole = train.with_auxiliary(model, recipe)
    assert whole.output_shape == (None, 3, 2)
    again = train.with_auxiliary(convolutions(), recipe)
    kernels, others = (
        [w for w in one.get_weights() if w.ndim > 1 and 128 in w.shape] for one in (whole, again)
    )
    assert kernels and all(map(np.array_equal, kernels, others))  # the seed fixes them
    before = whole.get_weights()
    history = fit_pictures(whole, tmp_path, recipe)
    assert len(history) == 2 and history[0]["loss"] > history[0]["val_loss"] * 0.5
    assert not any(map(np.array_equal, before, whole.get_weights()))
    assert model.output_shape == (None, 2)  # alone again: the weights are shared
    scores = model.predict(PICTURES, verbose=0)
    np.testing.assert_allclose(scores, whole.predict(PICTURES, verbose=0)[:, 0], rtol=1e-5)


def test_auxiliary_heads_have_the_loss_of_float16_scaled_too():
    with train.computing_in("mixed_float16"):
        model = convolutions()
    whole = train.with_auxiliary(model, replace(RECIPE, auxiliary=0.3))
    whole.compile("sgd", "mse")
    assert isinstance(whole.optimizer, keras.optimizers.LossScaleOptimizer)
    assert whole.layers[-1].compute_dtype == "float32"


def test_auxiliary_heads_need_their_modules():
    pixels = keras.Input((6, 6, 3))
    model = keras.Model(pixels, keras.layers.Dense(2)(keras.layers.Flatten()(pixels)))
    with pytest.raises(InputError, match="mixed4a and mixed4d, which .* lacks; accepted: GoogLe"):
        train.with_auxiliary(model, replace(RECIPE, auxiliary=0.3))


def test_several_labels_are_fitted_with_the_loss_that_is_summed_over_them(tmp_path):
    inputs = keras.Input((6,))
    model = keras.Model(inputs, keras.layers.Dense(3, "sigmoid")(inputs))
    labels = np.stack([Y, 1 - Y, X[:, 1] > 0], axis=1).astype(np.uint8)
    history = fit(model, tmp_path, labels=labels, several=True)
    best = min(history, key=lambda row: row["val_loss"])
    scores = model.predict(X[40:], verbose=0)
    loss = evaluate.label_metrics(scores, labels[40:], list("abc"))["loss"]
    assert best["val_loss"] == pytest.approx(loss, rel=1e-4)
    right = (scores >= 0.5) == labels[40:]
    assert best["val_accuracy"] == pytest.approx(right.mean())
    assert history[-1]["loss"] < history[0]["loss"]


# what follows runs in processes of its own, on a machine of four virtual devices
SPREAD = """
import os, sys
os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=4"
import tensorflow as tf
four = [tf.config.LogicalDeviceConfiguration()] * 4
tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], four)
sys.path[:0] = sys.argv[2:]
import test_train
test_train.check_devices(test_train.Path(sys.argv[1]))
"""
SEEN = RNG.integers(0, 256, (52, 6, 6, 3)).astype(np.uint8)
CLASSES = np.where(np.arange(52) % 3 == 0, 0, RNG.integers(1, 3, 52)).astype(np.int32)
LABELS = (RNG.random((52, 3)) < 0.4).astype(np.int32)
PLAIN = Recipe(
    learning_rate=0.05,
    trunk_rate=0.5,
    bias_rate=2.0,
    weight_decay=0.01,
    decay=0.01,
    class_weights="balanced",
    batch_size=8,
    epochs=4,
    patience=0,
)


def small_network(recipe, several, dropout):
    """A convolution, batch normalisation that is trained, and one head or two."""
    backend.clear_session()
    keras.utils.set_random_seed(3)
    inputs = keras.Input((6, 6, 3))
    x = keras.layers.Rescaling(1 / 255)(inputs)
    x = keras.layers.Conv2D(4, 3, use_bias=False)(x)
    x = keras.layers.ReLU()(keras.layers.BatchNormalization(momentum=0.5)(x))
    x = keras.layers.Dropout(dropout)(keras.layers.GlobalAveragePooling2D()(x))
    names = ["head", "auxiliary_1"] if recipe.auxiliary else ["head"]
    heads = [keras.layers.Dense(3, recipe.head(several), name=n)(x) for n in names]
    stacked = keras.layers.Lambda(lambda parts: keras.ops.stack(parts, axis=1))
    return keras.Model(inputs, stacked(heads) if recipe.auxiliary else heads[0])


def fit_small(folder, recipe=PLAIN, labels=CLASSES, dropout=0.0, stop=None):
    """Train on 37 pictures and validate on 15: {name: array} of all that training leaves."""
    import tensorflow as tf

    def pictures(part):
        both = tf.data.Dataset.from_tensor_slices((SEEN[part], labels[part]))
        return both.batch(recipe.batch_size)

    several = labels.ndim == 2
    model = small_network(recipe, several, dropout)
    given = train._class_weights(recipe, labels[:37]) if recipe.class_weights != "none" else None
    first = {f"first {n}": array for n, array in enumerate(model.get_weights())}
    history = train.fit(
        model,
        recipe,
        lambda epoch: pictures(slice(37)).repeat(),
        pictures(slice(37, None)),
        -(-37 // recipe.batch_size),
        folder,
        given,
        [StopAfter(stop)] if stop else [],
        several,
    )
    with np.load(sorted(folder.glob("epoch-*.npz"))[-1]) as kept:
        left = {f"kept {name}": kept[name] for name in kept}
    left |= {name: [row[name] for row in history] for name in train.HISTORY[1:-1]}
    trained = {f"trained {n}": array for n, array in enumerate(model.get_weights())}
    return first | left | trained | {"scores": backend.forward(model)(SEEN[:13])}


def assert_alike(found, expected):
    assert list(found) == list(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-5, atol=1e-5, err_msg=name)


def check_devices(folder):
    """What training gives on 2 and 4 devices against 1, all in this process."""
    jax = keras.backend.backend() == "jax"
    heads = replace(PLAIN, auxiliary=0.3, class_weights="none", batch_size=7, optimizer="adam")
    runs = {
        "plain": ((1, 2, 4), PLAIN, CLASSES, 0.0),
        "heads": ((1, 2), replace(heads, learning_rate=0.005), LABELS, 0.3 if jax else 0.0),
    }
    alone = {}
    for count in (1, 2, 4):
        if not jax:  # TensorFlow takes a second strategy of a process for a part of the first
            import tensorflow as tf

            tf.distribute.MirroredStrategy._collective_key_base = 100 * count
        backend.use_devices(count)
        assert backend.devices_in_use() == count
        for name, (counts, *given) in runs.items():
            if count in counts:
                found = fit_small(folder / f"{name} {count}", *given)
                alone.setdefault(name, found)
                assert_alike(found, alone[name])
        if count < 4:  # an epoch by one, the next by two
            with pytest.raises(KeyboardInterrupt):
                fit_small(folder / "gone on with", stop=count)
    with backend.one_device():
        assert_alike(fit_small(folder / "gone on with"), alone["plain"])
    with unreduced_gradients(), pytest.raises(AssertionError, match="first|kept|loss|trained"):
        assert_alike(fit_small(folder / "unreduced"), alone["plain"])
    if not jax:
        check_replicas()


@contextlib.contextmanager
def unreduced_gradients():
    """While open, every device goes by the pictures that it has, which nobody adds up."""
    from keras import optimizers

    with pytest.MonkeyPatch.context() as patch:
        if keras.backend.backend() == "tensorflow":
            kind = next(k for k in optimizers.Optimizer.__mro__ if k.__name__ == "TFOptimizer")
            patch.setattr(kind, "_all_reduce_sum_gradients", lambda self, pairs: pairs)
        else:  # no program of JAX can: it is what the first device would come to
            placed = backend._placed

            def of_first(own, rows, layouts):
                few = rows // 4 if rows % 4 == 0 else rows
                return placed(own[:few], few, layouts)

            patch.setattr(backend, "_placed", of_first)
        yield


def check_replicas():
    """TensorFlow's replicas draw apart, and leave a step out together."""
    import tensorflow as tf

    strategy = tf.distribute.get_strategy()
    backend.clear_session()
    keras.utils.set_random_seed(3)
    inputs = keras.Input((50,))
    dropping = keras.layers.Dropout(0.5)
    model = backend.spread(keras.Model(inputs, dropping(inputs)))
    before = dropping.seed_generator.state.numpy()
    strategy.run(model._draw_apart)
    np.testing.assert_array_equal(dropping.seed_generator.state.numpy(), before)
    drawn = strategy.run(tf.function(lambda: model(tf.ones((1, 50)), training=True)))
    assert len({tuple(rows.numpy()[0]) for rows in drawn.values}) == 4

    def gradients():
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        return backend._finite_or_none([tf.where(replica == 2, np.inf, 1.0) * tf.ones(3), None])

    spoilt, none = strategy.run(tf.function(gradients))
    assert none is None and not any(np.isfinite(part.numpy()).any() for part in spoilt.values)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["tensorflow", "jax"])
def test_devices_agree(engine, tmp_path):
    here = Path(__file__).parent
    done = subprocess.run(
        [sys.executable, "-c", SPREAD, str(tmp_path), str(here), str(here.parents[1])],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"KERAS_BACKEND": engine, "TF_CPP_MIN_LOG_LEVEL": "2"},
    )
    assert done.returncode == 0, done.stderr[-4000:]
