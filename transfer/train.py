"""fit: the one training loop, early-stopped, that continues after `kill -9` from its last epoch."""

import csv
import io
import math
import os
import sys
import time
from pathlib import Path

import keras
import numpy as np

from models.errors import InputError
from transfer import folders

HISTORY = ("epoch", "loss", "accuracy", "val_loss", "val_accuracy", "seconds")


def fit(model, recipe, train, validation, steps, folder, class_weight=None, callbacks=()):
    """Train a classifier until its validation loss has not fallen for `recipe.patience` epochs.

    Every finished epoch is kept in `folder`, so the same call continues where a killed one was.
    On return the model holds the weights of the epoch with the least validation loss.

    Args:
        model: keras.Model with class probabilities as output; which layers are trainable is
            decided by the caller.
        recipe: transfer.recipe.Recipe.
        train: first_epoch -> endless batches (inputs, labels int), one epoch after another.
        validation: finite batches of the same form.
        steps: batches in one epoch of `train`.
        folder: where epochs are kept; only this function writes there.
        class_weight: dict class number -> weight of its pictures in the training loss.
        callbacks: further Keras callbacks.

    Returns:
        list of dicts, one per epoch, with the keys of HISTORY (losses in nats, accuracies in
        [0, 1]).

    Raises:
        InputError: the validation loss was never a number (the learning rate is too high).
    """
    model.compile(optimizer(recipe), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.optimizer.build(model.trainable_variables)
    epochs = KeptEpochs(folder, recipe.patience)
    done = epochs.resume(model)
    if done < recipe.epochs and not epochs.stopped():
        model.fit(
            train(done),
            validation_data=validation,
            steps_per_epoch=steps,
            initial_epoch=done,
            epochs=recipe.epochs,
            class_weight=class_weight,
            callbacks=[epochs, *callbacks],
            shuffle=False,  # the data set is shuffled already
            verbose=1 if sys.stdout.isatty() else 0,
        )
    if epochs.best() is None:
        raise InputError(
            f"training diverged: no validation loss in {len(epochs.history)} epoch(s) was a "
            f"number; a --learning_rate below {recipe.learning_rate} may help"
        )
    _restore(model, epochs.weights(epochs.best()))
    return epochs.history


def optimizer(recipe):
    """The Keras optimizer that a Recipe names."""
    if recipe.optimizer == "sgd":
        return keras.optimizers.SGD(recipe.learning_rate, recipe.momentum, recipe.nesterov)
    if recipe.optimizer == "rmsprop":
        return keras.optimizers.RMSprop(recipe.learning_rate, recipe.rho, epsilon=recipe.epsilon)
    return keras.optimizers.Adam(recipe.learning_rate, epsilon=recipe.epsilon)


def set_batch_norm(model, how, steps):
    """Freeze or train every batch normalisation of a model, in place.

    Args:
        how: `frozen` runs it in inference mode, moving averages and affine part kept; `train`
            normalises by the batch, and lets the moving averages follow fast enough that one
            epoch renews them (with Keras's momentum of 0.99 an epoch of 8 steps would leave 92%
            of their first values, and validation would measure these instead of the network).
        steps: batches in an epoch.
    """
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = how == "train"
            # what is left of the old averages after an epoch is then at most 1%: m^steps <= 0.01
            layer.momentum = min(layer.momentum, 0.01 ** (1 / steps))


def balanced(labels, classes):
    """Class weights n / (classes × count), as scikit-learn's `balanced`, for Keras's fit."""
    counts = np.bincount(labels, minlength=classes)
    return {i: len(labels) / (classes * count) for i, count in enumerate(counts) if count}


def write_history(history, path):
    """Write one row per epoch as CSV with the columns HISTORY."""
    text = io.StringIO()
    writer = csv.DictWriter(text, HISTORY, lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    folders.write_text(path, text.getvalue())


def read_history(path):
    """Read what write_history wrote; no file is no epochs."""
    if not Path(path).exists():
        return []
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [{k: int(v) if k == "epoch" else float(v) for k, v in row.items()} for row in rows]


class KeptEpochs(keras.callbacks.Callback):
    """Keeps the weights of the last and the best epoch, and stops early.

    An epoch is finished once its row is in history.csv, which is replaced after its weights and
    the optimizer's state are on disk: whenever the process dies, it names an epoch that is whole.
    Everything else follows from the history.
    """

    def __init__(self, folder, patience):
        super().__init__()
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.patience = patience
        self.history = read_history(self.folder / "history.csv")

    def weights(self, epoch):
        """Path of the weights and optimizer state kept for an epoch, counted from 1."""
        return self.folder / f"epoch-{epoch:04d}.npz"

    def best(self):
        """The first epoch with the least validation loss, or None when none is a number."""
        losses = [(row["val_loss"], row["epoch"]) for row in self.history]
        numbers = [pair for pair in losses if math.isfinite(pair[0])]
        return min(numbers)[1] if numbers else None

    def stopped(self):
        """Whether `patience` epochs have passed since the best one."""
        return len(self.history) - (self.best() or 0) >= self.patience

    def resume(self, model):
        """Load the last finished epoch, if any, into the model; returns how many are done."""
        if self.history:
            print(f"continuing after epoch {len(self.history)}", flush=True)
            _restore(model, self.weights(len(self.history)))
        return len(self.history)

    def on_epoch_begin(self, epoch, logs=None):
        self.started = time.monotonic()

    def on_epoch_end(self, epoch, logs=None):
        seconds = round(time.monotonic() - self.started, 3)
        row = {"epoch": epoch + 1, **{k: float(v) for k, v in logs.items()}, "seconds": seconds}
        self._save(self.weights(epoch + 1))
        self.history.append({key: row[key] for key in HISTORY})
        write_history(self.history, self.folder / "history.csv")
        kept = {self.weights(epoch + 1), self.weights(self.best() or epoch + 1)}
        for path in self.folder.glob("epoch-*.npz"):
            if path not in kept:
                path.unlink()
        if not sys.stdout.isatty():
            print(self._line(row), flush=True)
        if self.stopped():
            self.model.stop_training = True

    def _line(self, row):
        best = ", the best so far" if self.best() == row["epoch"] else ""
        return (
            f"epoch {row['epoch']} of {self.params['epochs']}: loss {row['loss']:.4f}, accuracy "
            f"{row['accuracy']:.2%}, validation loss {row['val_loss']:.4f}, accuracy "
            f"{row['val_accuracy']:.2%}{best} ({row['seconds']:.1f} s)"
        )

    def _save(self, path):
        # not Keras's HDF5: on a full disk the HDF5 library leaves a file that it can neither
        # write nor close, and the process ends in a segmentation fault
        half_written = path.with_suffix(".half-written")
        try:
            with open(half_written, "wb") as file:
                np.savez(file, *map(keras.ops.convert_to_numpy, _state(self.model)))
                file.flush()
                os.fsync(file.fileno())
            half_written.replace(path)
        finally:
            half_written.unlink(missing_ok=True)


def _state(model):
    """Every variable of a compiled model and of its optimizer, in a fixed order."""
    return [*model.variables, *model.optimizer.variables]


def _restore(model, path):
    with np.load(path, allow_pickle=False) as arrays:
        for number, variable in enumerate(_state(model)):
            variable.assign(arrays[f"arr_{number}"])
