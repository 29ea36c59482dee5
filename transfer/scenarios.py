"""The three ways of Sabatelli et al. 2018 to get a classifier from a network, and a run's results.

off_the_shelf: only the head is trained, on features computed once (section 2.3). fine_tuning:
every layer is trained. random: the same from He-uniform weights.
"""

import time
from dataclasses import dataclass

import keras
import numpy as np

from models import backend, zoo
from models.network import Network, save
from transfer import evaluate, features, folders, runs, shallow, tables, train

# of a run's identity: what metrics.json tells elsewhere, and the seed, which repeats may change
TOLD = ("dataset", "challenge", "ANN", "tl_mode", "weights", "classifier", "data", "seed")


@dataclass(frozen=True)
class Trained:
    """What a mode hands on: test scores (pictures, classes) and what they took."""

    scores: np.ndarray
    history: list  # of dicts, one per epoch; empty for a classifier without epochs
    seconds: float  # of computing features, training and validating
    pictures: int  # forward passes through the network in these seconds


def build(identity, recipe, store):
    """The network of a run, its weights loaded, its layers frozen as the recipe says."""
    keras.utils.set_random_seed(recipe.seed)
    weights = "" if identity["weights"] == "none" else f":{identity['weights']}"
    model = zoo.build(
        f"{identity['ANN']}{weights}",
        len(store.classes),
        identity["input_size"],
        recipe.pixels,
        activation="linear" if recipe.classifier == "svm" else "softmax",
        seed=recipe.seed,
    )
    train.set_batch_norm(model, recipe.batch_norm, steps(store, recipe))
    return model


def off_the_shelf(model, store, recipe, folder, name, callbacks=()):
    """Train a classifier on the pooled features of a network that stays as it is.

    Args:
        model: from build(); a softmax or SVM ends in its head.
        store: transfer.store.Store.
        folder: of the run, for finished epochs.
        name: of the network in the features' cache.
    """
    network = features.extractor(model)
    cache = store.folder / "features"
    pooled, seconds = features.cached(network, store, recipe.batch_size, cache, name)
    started = time.monotonic()
    labels = store.labels
    history = []
    if recipe.classifier == "softmax":
        history = _train_head(model, pooled, store, recipe, folder, callbacks)
        scores = _head(model).predict(pooled["test"], recipe.batch_size, verbose=0)
    else:
        balanced = recipe.class_weights == "balanced"
        fitted = shallow.fit(
            recipe.classifier, pooled["train"], labels["train"], balanced, recipe.seed
        )
        scores = shallow.scores(fitted, pooled["test"], len(store.classes))
        if recipe.classifier == "svm":
            model.get_layer("head").set_weights(shallow.as_dense(fitted, len(store.classes)))
    seconds += sum(row["seconds"] for row in history) if history else time.monotonic() - started
    return Trained(scores, history, seconds, sum(map(len, labels.values())))


def _head(model):
    """The head of a classifier as a model of its own, sharing its weights."""
    inputs = keras.Input(model.get_layer("features").output.shape[1:])
    return keras.Model(inputs, model.get_layer("head")(inputs))


def _train_head(model, pooled, store, recipe, folder, callbacks):
    labels = store.labels

    def shuffled(first_epoch):
        return features.batches(
            pooled["train"], labels["train"], recipe.batch_size, recipe.seed, first_epoch
        )

    validation = features.batches(pooled["val"], labels["val"], recipe.batch_size)
    return train.fit(
        _head(model),
        recipe,
        shuffled,
        validation,
        steps(store, recipe),
        folder,
        _class_weight(recipe, labels["train"]),
        callbacks,
    )


def fine_tuning(model, store, recipe, folder, callbacks=()):
    """Train every layer that is not frozen, from the weights that the model has."""
    size = model.input_shape[1]
    labels = store.labels

    def shuffled(first_epoch):
        return store.dataset("train", size, recipe.batch_size, recipe.seed, first_epoch)

    history = train.fit(
        model,
        recipe,
        shuffled,
        store.dataset("val", size, recipe.batch_size),
        steps(store, recipe),
        folder,
        _class_weight(recipe, labels["train"]),
        callbacks,
    )
    test = store.dataset("test", size, recipe.batch_size)
    scores = evaluate.predict(model, test, len(labels["test"]))
    pictures = len(history) * (len(labels["train"]) + len(labels["val"]))
    return Trained(scores, history, sum(row["seconds"] for row in history), pictures)


def steps(store, recipe):
    """Batches in an epoch, the last one partial."""
    return -(-len(store.labels["train"]) // recipe.batch_size)


def _class_weight(recipe, labels):
    if recipe.class_weights == "none":
        return None
    return train.balanced(labels, labels.max() + 1)


def run(model, store, identity, recipe, folder, tensorboard=None):
    """Train and test in one mode, and write the run's results into its folder.

    Files: metrics.json, history.csv, predictions.csv, confusion_matrix.csv, learning_curve.png,
    model.keras, manifest.json; a random forest has no learning curve and no model.keras.
    """
    epochs = folder / "epochs"
    logs = [keras.callbacks.TensorBoard(tensorboard)] if tensorboard else []
    if identity["tl_mode"] == "off_the_shelf":
        name = f"{identity['ANN']}-{identity['input_size']}-{recipe.pixels}-{identity['data']}"
        trained = off_the_shelf(model, store, recipe, epochs, name, logs)
    else:
        trained = fine_tuning(model, store, recipe, epochs, logs)
    found = metrics(model, store, identity, recipe, trained)
    folders.write_json(folder / "metrics.json", found)
    _write_tables(store, trained, folder)
    if recipe.classifier != "random_forest":
        save(Network(identity["ANN"], model, store.classes, recipe.pixels), folder / "model.keras")
    inputs = {"device": found["device"], "split_sha256": store.split_sha256}
    folders.write_json(folder / "manifest.json", folders.manifest(identity=identity, **inputs))
    if trained.history:
        curve = [runs.read_run(folder)]
        title = f"{runs.compare(curve)[0].title}, {identity['ANN']}, {identity['tl_mode']}"
        tables.plot_learning_curves(curve, folder / "learning_curve.png", title)
    print(
        f"test: top-1 {found['top1_accuracy']:.2%}, top-5 {found['top5_accuracy']:.2%}, "
        f"macro F1 {found['macro_f1']:.4f} over {found['n_test']} pictures"
    )


def metrics(model, store, identity, recipe, trained):
    """Everything metrics.json holds, as a dict; accuracies and F1 in [0, 1], seconds, nats."""
    labels = store.labels
    probabilities = recipe.classifier != "svm"
    losses = [row["val_loss"] for row in trained.history]
    return {
        **{key: identity[key] for key in ("dataset", "challenge", "ANN", "tl_mode", "weights")},
        "classifier": recipe.classifier,
        "toy": store.toy,
        **evaluate.metrics(trained.scores, labels["test"], probabilities),
        **{f"n_{split}": len(part) for split, part in labels.items()},
        "n_classes": len(store.classes),
        "head_parameters": model.get_layer("head").count_params(),
        "parameters": model.count_params(),
        "feature_size": model.get_layer("features").output.shape[-1],
        "epochs_run": len(losses),
        "best_epoch": int(np.nanargmin(losses)) + 1 if losses else None,
        "seconds": round(trained.seconds, 3),
        "images_per_second": round(trained.pictures / max(trained.seconds, 1e-9), 3),
        "device": backend.device_name(),
        "backend": keras.backend.backend(),
        "seed": recipe.seed,
        "split_sha256": store.split_sha256,
        "settings": {key: identity[key] for key in identity if key not in TOLD},
        "versions": folders.versions(),
    }


def _write_tables(store, trained, folder):
    if trained.history:
        train.write_history(trained.history, folder / "history.csv")
    labels = store.labels["test"]
    predictions = evaluate.predictions_csv(store.ids("test"), labels, trained.scores, store.classes)
    folders.write_text(folder / "predictions.csv", predictions)
    confusion = evaluate.confusion_csv(labels, trained.scores, store.classes)
    folders.write_text(folder / "confusion_matrix.csv", confusion)
