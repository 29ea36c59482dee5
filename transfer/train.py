"""A run carried out: its network is built, trained by its recipe, tested, and the results written.

Training (`fit`, the one loop, early-stopped) continues after `kill -9` from its last epoch.
"""

import contextlib
import math
import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from models import backend, inception_v1, initializers, network, weights, zoo
from models.errors import InputError
from models.machines import ALONE
from transfer import (
    classifiers,
    evaluate,
    features,
    inference,
    label_sets,
    losses,
    mistakes,
    optimizers,
    plots,
    results,
    seen_pictures,
    splits,
    trained_layers,
    uncertainty,
)
from transfer.parts import part_of
from transfer.pixel_cache import MOST_GB
from transfer.progress import Progress
from transfer.result_folder import (
    file_size,
    file_sizes,
    find_result,
    open_whole,
    read_csv,
    result_folder,
    versions,
    write_bytes,
    write_csv,
    write_json,
)
from transfer.run import HISTORY_COLUMNS, SCORES, START, check_paths, read_run
from transfer.store import Store

HISTORY = (*HISTORY_COLUMNS, "seconds")


@dataclass(frozen=True)
class Trained:
    """What training hands on: test scores (pictures, classes) and what they took."""

    scores: np.ndarray
    history: list  # of dicts, one per epoch; empty for a classifier without epochs
    seconds: float  # of computing features, training and validating
    pictures: int  # forward passes through the network in these seconds
    model: keras.Model  # the classifier, in float32


def train_and_test(run, results_path, tensorboard=None, cache_gb=MOST_GB, together=ALONE):
    """Prepare a run's data, train, test, and write its result folder, or find it finished.

    Args:
        run: transfer.run.Run.
        results_path: folder of all results; the run's own is run.folder below it.
        tensorboard: folder for TensorBoard's logs, or None.
        cache_gb: what the decoded pictures kept beside the data set may take; 0 for none. No
            number depends on it.
        together: models.machines.Together, of the processes that train it; process 0 alone writes.

    Returns:
        Path of the result folder: metrics.json, history.csv, predictions.csv, scores.npy,
        confusion_matrix.csv (of one label a picture), learning_curve.png, model.keras,
        manifest.json, and what transfer.mistakes writes; a random forest has no learning curve and
        no model.keras.

    Raises:
        InputError: a part of the run that cannot be used, a picture that cannot be decoded,
            another run in its folder, or other data or weights in another process.
    """
    store = open_store(run.data, together)
    if store.several:
        _check_labels(run, store)
    identity = run.identity(store)
    together.agree(**identity)
    if not together.first:
        return _train_along(run, store, Path(results_path), cache_gb, together)
    check_paths(run, results_path, tensorboard)
    folder = find_result(Path(results_path) / run.folder, identity)
    beside = _beside(run, store, folder)
    with result_folder(folder, identity, "epochs/history.csv", "epochs", beside=beside) as result:
        folder = result.final
        together.tell(lambda: [result.finished, folder.name, result.path.name])
        if result.finished:
            print(f"already finished: {folder}")
            return folder
        _say_start(run, store, folder)
        backend.clear_session()  # layers are named as in a process of their own
        callbacks = []
        if tensorboard:
            logs = Path(tensorboard, run.folder).with_name(folder.name)
            callbacks = [keras.callbacks.TensorBoard(logs)]
        model = build(run, store)
        epochs, spare = result.path / "epochs", folder.with_name("features")
        if not run.recipe.on_features and (run.recipe.redrawn != "none" or not run.network.weights):
            seen = seen_pictures.of_network(run.network)
            save(model, run, store, result.path / START, seen)
        with inference.explained(run.recipe.batch_size, run.size, store):
            kept = {"spare": spare, "cache_gb": cache_gb}
            trained = train(model, run, store, epochs, callbacks, together=together, **kept)
        values = metrics(trained.model, run, store, trained)
        write_results(trained.model, run, store, trained, values, result.path)
        result.about = {"device": values["device"], "split_sha256": store.split_sha256}
    together.tell(lambda: "all is written")
    print(f"results in {folder}")
    return folder


def _say_start(run, store, folder):
    if folder.name != run.folder.name:
        print(f"{run.folder.name} holds another run; this one is {folder.name}", flush=True)
    for line in start_lines(run, store):
        print(line, flush=True)
    if line := backend.undivided(run.recipe.batch_size):
        print(line, flush=True)


def open_store(data, together=ALONE):
    """The data set of a run, which process 0 finds or makes, and the others then find.

    Args:
        data: transfer.dataset.Data.
        together: models.machines.Together.

    Returns:
        transfer.store.Store.

    Raises:
        InputError: see Data.open; or another process has other data.
    """
    if together.processes > 1 and data.jpg_images_path is not None:
        together.agree(data=data.key)
    opened = data.open() if together.first else None
    folder = Path(together.tell(lambda: str(opened.folder)))
    together.see(folder, file_sizes)
    return opened or Store(folder)


def _train_along(run, store, results_path, cache_gb, together):
    """Train and test a run as another process than 0, which keeps and writes; as train_and_test."""
    finished, name, kept = together.hear()
    folder = (results_path / run.folder).with_name(name)
    if not finished:
        backend.clear_session()
        model = build(run, store)
        epochs, spare = folder.with_name(kept) / "epochs", folder.with_name("features")
        with inference.explained(run.recipe.batch_size, run.size, store):
            how = {"spare": spare, "cache_gb": cache_gb, "together": together}
            train(model, run, store, epochs, **how)
        together.hear()  # all is written
    return folder


def _check_labels(run, store):
    """InputError where several labels cannot be trained, or none of them counts in the test."""
    run.recipe.refuse_several_labels()
    if not counted_labels(store).any():
        parts = label_sets.absent(store.labels, store.classes)
        lacking = "; ".join(f"{part}: {label_sets.told(names)}" for part, names in parts.items())
        raise InputError(
            f"none of {len(store.classes)} labels has a picture in every part of the split, so "
            f"that no test counts (without a picture: {lacking}); another split_seed may help"
        )


def _beside(run, store, folder):
    """As result_folder takes it: where this run lies if another one has `folder`."""
    tried = {folder.name}

    def another(differing):
        for names in (differing, ("input_size", "weights", "data")):
            name = run.folder_beside(names, store.key).name
            if name not in tried:
                tried.add(name)
                return folder.with_name(name)
        return None

    return another


def build(run, store):
    """The network of a run, its weights loaded, its layers frozen or redrawn as the recipe says."""
    recipe = run.recipe
    keras.utils.set_random_seed(recipe.seed)
    with computing_in(recipe.precision):
        model = zoo.build(
            run.network,
            len(store.classes),
            run.size,
            recipe.pixels,
            recipe.head(store.several),
            recipe.seed,
            dropout=recipe.dropout,
            say=print,
        )
    if not recipe.on_features:
        name = run.network.architecture
        if recipe.redrawn != "none":
            redrawn = trained_layers.select(model, recipe.redrawn, name)
            initializers.redraw(redrawn, recipe.seed)
        trained = {id(layer) for layer in trained_layers.select(model, recipe.layers, name)}
        for layer in model.layers:
            layer.trainable = id(layer) in trained
    set_batch_norm(model, recipe.batch_norm, steps(store, recipe))
    return model


@contextlib.contextmanager
def computing_in(name):
    """While open, layers are made to compute in this precision (a Keras dtype policy)."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def in_float32(model, run, store):
    """The same classifier, computing in float32 whatever it was trained in."""
    if run.recipe.precision == "float32":
        return model
    network = replace(run.network, weights=None)
    recipe = replace(run.recipe, precision="float32")
    plain = build(replace(run, network=network, recipe=recipe), store)
    plain.set_weights(model.get_weights())
    return plain


def train(
    model,
    run,
    store,
    folder,
    callbacks=(),
    cache=None,
    spare=None,
    cache_gb=0.0,
    together=ALONE,
):
    """Train a classifier and compute its scores of the test pictures.

    Args:
        model: from build().
        run: transfer.run.Run.
        store: transfer.store.Store.
        folder: where finished epochs are kept.
        callbacks: further Keras callbacks.
        cache: where features are kept; by default beside the store.
        spare: where they are kept if they cannot be written there.
        cache_gb: what decoded pictures may take beside the store, if layers are trained.
        together: models.machines.Together, of the processes that train it.

    Returns:
        Trained; the model holds the trained weights, except those of a random forest. In another
        process than 0 without scores.
    """
    if not run.recipe.on_features:
        return _train_layers(model, run, store, folder, callbacks, cache_gb, together)
    name = features.cache_name(run.network, run.size, run.recipe.pixels, store)
    extractor = features.extractor(model)
    cache = cache or store.folder / "features"
    size = run.recipe.batch_size
    pooled, seconds = features.cached(extractor, store, size, cache, name, spare, together)
    if run.recipe.classifier == "softmax":
        trained = _fit_dense(model, pooled, store, run.recipe, folder, callbacks, together)
    else:
        trained = _fit_shallow(model, pooled, store, run.recipe)
    pictures = sum(map(len, store.labels.values()))
    return replace(trained, seconds=seconds + trained.seconds, pictures=pictures)


def _train_layers(model, run, store, folder, callbacks, cache_gb, together):
    """Train every layer that is not frozen, from the weights that the model has."""
    recipe, size, labels = run.recipe, model.input_shape[1], store.labels
    seen = {"augmentation": recipe.augmentation, "cache_gb": cache_gb, "part": part_of(together)}

    def shuffled(first_epoch):
        return store.dataset("train", size, recipe.batch_size, recipe.seed, first_epoch, **seen)

    validation = store.dataset("val", size, recipe.batch_size, **seen)
    weights = _class_weights(recipe, labels["train"])
    epoch = steps(store, recipe)
    trained, several = with_auxiliary(model, recipe, store.several), store.several
    fitting = {"several": several, "counts": _counts(labels), "together": together}
    history = fit(
        trained, recipe, shuffled, validation, epoch, folder, weights, callbacks, **fitting
    )
    model = in_float32(model, run, store)
    test = inference.stored(store, "test", size, recipe.batch_size, **seen)
    progress = Progress(len(labels["test"]), "pictures tested")
    scores = inference.collect(backend.forward(model), test, progress=progress)
    pictures = len(history) * (len(labels["train"]) + len(labels["val"]))
    return Trained(scores, history, sum(row["seconds"] for row in history), pictures, model)


def _counts(labels):
    return len(labels["train"]), len(labels["val"])


def with_auxiliary(model, recipe, several=False):
    """The classifier with its auxiliary heads, (pictures, heads, classes), if the recipe has them.

    Source: Szegedy et al. 2015, section 5. Their layers are the model's own beside theirs.
    """
    if not recipe.auxiliary:
        return model
    before = {id(layer) for layer in model.layers}
    outputs = inception_v1.auxiliary_heads(model, model.output_shape[-1], recipe.head(several))
    stacked = keras.layers.Lambda(lambda all_of: keras.ops.stack(all_of, axis=1), dtype="float32")
    whole = keras.Model(model.inputs, stacked([model.output, *outputs]))
    whole.dtype_policy = model.dtype_policy  # by which Keras scales the loss of float16
    initializers.redraw([la for la in whole.layers if id(la) not in before], recipe.seed)
    return whole


def _fit_dense(model, pooled, store, recipe, folder, callbacks, together):
    """Train the head by epochs, on features."""
    labels, size, part = store.labels, recipe.batch_size, part_of(together)

    def shuffled(first_epoch):
        order = {"shuffle_seed": recipe.seed, "first_epoch": first_epoch, "part": part}
        return features.batches(pooled["train"], labels["train"], size, **order)

    inputs = keras.Input(model.get_layer("features").output.shape[1:])
    kept = model.get_layer("features_dropout")(inputs) if recipe.dropout else inputs
    head = keras.Model(inputs, model.get_layer("head")(kept))  # shares the weights
    validation = features.batches(pooled["val"], labels["val"], size, part=part)
    weights = _class_weights(recipe, labels["train"])
    epoch, several = steps(store, recipe), store.several
    fitting = {"several": several, "counts": _counts(labels), "together": together}
    history = fit(head, recipe, shuffled, validation, epoch, folder, weights, callbacks, **fitting)
    rows = inference.in_memory(len(labels["test"]), size)
    forward = backend.forward(head)
    scores = inference.collect(lambda numbers: forward(pooled["test"][numbers]), rows)
    return Trained(scores, history, sum(row["seconds"] for row in history), 0, model)


def _fit_shallow(model, pooled, store, recipe):
    """Fit a classifier that is not trained by epochs, on features; an SVM becomes the head."""
    started, labels = time.monotonic(), store.labels["train"]
    balanced = recipe.class_weights == "balanced"
    fitted = classifiers.fit(recipe.classifier, pooled["train"], labels, balanced, recipe.seed)
    scores = classifiers.scores(fitted, pooled["test"], len(store.classes))
    if recipe.classifier == "svm":
        model.get_layer("head").set_weights(classifiers.as_dense(fitted, len(store.classes)))
    return Trained(scores, [], time.monotonic() - started, 0, model)


def steps(store, recipe):
    """Batches in an epoch, the last one partial."""
    return -(-len(store.labels["train"]) // recipe.batch_size)


def metrics(model, run, store, trained):
    """Everything metrics.json holds, as a dict; accuracies and F1 in [0, 1], seconds, nats."""
    recipe = run.recipe
    losses = [row["val_loss"] for row in trained.history]
    return {
        **run.described,
        "classifier": recipe.classifier,
        "toy": store.toy,
        **test_metrics(store, trained.scores, recipe.head(store.several) == "softmax"),
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
        **_seen_before(run, store),
        "split_sha256": store.split_sha256,
        "split": run.data.settings if run.data.jpg_images_path else None,
        "settings": {**run.settings, "split_sha256": store.split_sha256},
        "versions": versions(),
    }


def test_metrics(store, scores, probabilities):
    """What metrics.json holds of a test alone, whatever the scores come from, as a dict.

    Args:
        store: transfer.store.Store.
        scores: (test pictures, classes), in stored order.
        probabilities: whether they are.
    """
    labels, groups = store.labels, store.groups("test")
    together = None if groups is None else splits.components(groups)
    test = _several_labels if store.several else _one_label
    return {
        **test(store, scores, probabilities, together),
        **{f"n_{split}": len(part) for split, part in labels.items()},
        "n_classes": len(store.classes),
    }


def _one_label(store, scores, probabilities, together):
    """What a test of one label a picture gives: metrics, intervals, chance, a dict.

    together: what every test picture belongs to, or None, see uncertainty.intervals.
    """
    labels = store.labels
    return {
        **evaluate.metrics(scores, labels["test"], probabilities),
        **uncertainty.intervals(scores, labels["test"], together),
        "chance_top1": evaluate.chance(labels["train"], labels["test"]),
    }


def _several_labels(store, scores, _, together):
    """The same of several labels; one without a positive in a part is named, and counts nowhere."""
    labels, counted = store.labels["test"], counted_labels(store)
    return {
        **evaluate.label_metrics(scores, labels, store.classes, counted),
        **uncertainty.label_intervals(scores[:, counted], labels[:, counted], together),
        "classes_without_positive": label_sets.absent(store.labels, store.classes),
    }


def counted_labels(store):
    """Which of several labels have a positive in every part: bool (classes,)."""
    return np.all([rows.any(axis=0) for rows in store.labels.values()], axis=0)


def _seen_before(run, store):
    """How many test pictures a saved network that a run starts from was trained on, as a dict."""
    if not weights.is_keras(run.network.weights):
        return {}
    return {"n_test_seen_before": seen_pictures.count_tested(run.network, store)}


def start_lines(run, store):
    """Lines on what a run's numbers owe to the saved network that it starts from.

    Args:
        run: transfer.run.Run.
        store: transfer.store.Store.
    """
    source = run.network.weights
    if run.start_size not in (None, run.size):
        yield f"{source} is of pictures of {run.start_size} pixels; here they have {run.size}"
    for seen in _seen_before(run, store).values():
        count = len(store.labels["test"])
        if seen is None:
            yield f"{source}: it is not known which of the {count} test pictures it was trained on"
        elif seen:
            yield (
                f"{source} was trained on {seen} of the {count} test pictures, so that the "
                "accuracy may be too high"
            )


def write_results(model, run, store, trained, values, folder):
    """Write everything but the manifest into a run's folder, and print the test in one line.

    Args:
        model, run, store, trained: as for metrics.
        values: from metrics.
        folder: Path.
    """
    write_json(folder / "metrics.json", values)
    if run.recipe.classifier != "random_forest":
        save(model, run, store, folder / "model.keras", seen_pictures.after(run, store))
    if trained.history:
        write_history(trained.history, folder / "history.csv")
        finished = read_run(folder)
        title = f"{finished.title}, {finished.network}, {finished.mode}"
        figure = plots.learning_curves([finished], title)
        write_bytes(folder / "learning_curve.png", plots.png(figure))
    probabilities = run.recipe.head(store.several) == "softmax"
    write_test(store, trained.scores, probabilities, values, folder)


def write_test(store, scores, probabilities, values, folder):
    """Write what a test alone gives, whatever the scores come from, and print it in a few lines.

    Args:
        store, scores, probabilities: as for test_metrics.
        values: what metrics.json holds.
        folder: Path.
    """
    labels, classes = store.labels["test"], store.classes
    with open_whole(folder / SCORES) as file:
        np.save(file, np.asarray(scores, "<f4"))
    told = evaluate.label_predictions if store.several else evaluate.predictions
    write_csv(folder / "predictions.csv", told(store.ids("test"), labels, scores, classes))
    for line in test_lines(values):
        print(line)
    if store.several:
        mistakes.write_labels(store, scores, counted_labels(store), folder)
        return
    write_csv(folder / "confusion_matrix.csv", evaluate.confusion(labels, scores, classes))
    mistakes.write(store, scores, probabilities, folder)
    correct = np.argmax(scores, axis=1) == labels
    seen = evaluate.by_group(correct, store.shared_groups())
    write_csv(folder / "groups_seen.csv", seen)
    for line in group_lines(seen):
        print(line)


def save(model, run, store, path, seen):
    """Write a run's classifier with its classes and its view of pictures, as models.load opens it.

    Args:
        model, run, store: as for metrics.
        path: of a .keras file.
        seen: the pictures it was trained on, see seen_pictures.after.
    """
    pixels = zoo.scaling_for(run.network, run.recipe.pixels)
    named = network.Network(
        run.network.architecture,
        model,
        store.classes,
        pixels,
        trained_on=seen_pictures.written(seen),
        augmentation=run.recipe.augmentation,
        several=store.several,
    )
    network.save(named, path)


def group_lines(seen):
    """A line for each column that test and training pictures share values of.

    Args:
        seen: DataFrame of evaluate.by_group.
    """
    for row in seen[seen["seen_pictures"] > 0].itertuples():
        count = row.seen_pictures + row.other_pictures
        have, them = ("has", "it") if row.seen_pictures == 1 else ("have", "them")
        share = f"a {row.column} that a training or validation picture has too"
        if row.column == "near_duplicates":
            share = "a near-duplicate among the training or validation pictures"
        line = f"{row.seen_pictures} of {count} test pictures {have} {share}: top-1 "
        line += f"{row.seen_accuracy:.1%} of {them}"
        yield line + (f", {row.other_accuracy:.1%} of the others" if row.other_pictures else "")


def test_lines(values):
    """The test in lines; values: from metrics."""
    if "mean_average_precision" not in values:
        return [test_line(values), chance_line(values)]
    return [labels_line(values), *labels_chance_lines(values)]


def labels_line(values):
    """The test of several labels in one line; values: from metrics."""
    return (
        f"test: mean average precision {values['mean_average_precision']:.2%} over "
        f"{values['classes_counted']} of {values['n_classes']} labels, macro F1 "
        f"{values['macro_f1']:.4f} at 0.5, {values['n_test']} pictures"
    )


def labels_chance_lines(values):
    """How sure the mean average precision is, what chance gives, and which labels do not count.

    Args:
        values: from metrics.
    """
    interval = values["intervals"]["mean_average_precision"]
    if interval:
        sure = f"it is {interval[0]:.1%} to {interval[1]:.1%} with 95% confidence"
    else:
        sure = f"without an interval: {values['intervals_left_out']}"
    yield f"{sure}; by chance it would be {values['chance_mean_average_precision']:.1%}"
    for part, names in values["classes_without_positive"].items():
        yield f"not counted, because no {part} picture has them: {', '.join(names)}"


def test_line(values):
    """The test in one line; top-5 says nothing where there are five classes or fewer.

    Args:
        values: from metrics.
    """
    top5 = f"top-5 {values['top5_accuracy']:.2%}, " if values["n_classes"] > 5 else ""
    return (
        f"test: top-1 {values['top1_accuracy']:.2%}, {top5}macro F1 {values['macro_f1']:.4f} over "
        f"{values['n_test']} pictures"
    )


def chance_line(values):
    """How sure the top-1 accuracy is, and what it would be without looking at a picture.

    Args:
        values: from metrics.
    """
    # that of pictures which belong together is among them; else Wilson's holds
    interval = values["intervals"].get("top1_accuracy", values["top1_interval"])
    if interval:
        sure = f"top-1 is {interval[0]:.1%} to {interval[1]:.1%} with 95% confidence"
        if "top1_accuracy" in values["intervals"]:
            sure += f" (bootstrap over {values['intervals_over']})"
    else:
        sure = f"without an interval: {results.why_no_interval(values)}"
    return (
        f"{sure}; the commonest class of the training pictures alone would give "
        f"{values['chance_top1']:.1%}"
    )


def fit(
    model,
    recipe,
    train,
    validation,
    steps,
    folder,
    class_weight=None,
    callbacks=(),
    several=False,
    counts=None,
    together=ALONE,
):
    """Train a classifier until its validation loss has not fallen for `recipe.patience` epochs.

    Every finished epoch is kept in `folder`, so the same call continues where a killed one was.
    On return the model holds the weights of the epoch with the least validation loss.

    Args:
        model: keras.Model with class probabilities as output; which layers are trainable is
            decided by the caller. All devices in use train it together.
        recipe: transfer.recipe.Recipe.
        train: first_epoch -> endless batches (inputs, labels int), one epoch after another.
        validation: finite batches of the same form.
        steps: batches in one epoch of `train`.
        folder: where epochs are kept; only this function writes there.
        class_weight: dict class number -> weight of its pictures in the training loss.
        callbacks: further Keras callbacks.
        several: whether labels are rows of 0 and 1.
        counts: pictures of `train` and of `validation`, which several processes need to know.
        together: models.machines.Together, of the processes that train it, each with its part of
            the batches.

    Returns:
        list of dicts, one per epoch, with the keys of HISTORY (losses in nats, accuracies in
        [0, 1]).

    Raises:
        InputError: the validation loss was never a number (the learning rate is too high).
    """
    model = _compiled(model, recipe, steps, several)
    progress = Progress(recipe.epochs, steps=steps, unit="epochs")
    epochs = KeptEpochs(folder, recipe, progress, together)
    done = epochs.resume(model)
    rows = [_rows(count, recipe.batch_size) for count in counts or (0, 0)]
    if done < recipe.epochs and not epochs.stopped():
        model.fit(
            backend.spread_batches(weighted(train(done), class_weight), rows[0]),
            validation_data=backend.spread_batches(validation, rows[1]),
            validation_steps=_batches(validation),
            steps_per_epoch=steps,
            initial_epoch=done,
            epochs=recipe.epochs,
            callbacks=[epochs, *callbacks],
            shuffle=False,  # the data set is shuffled already
            verbose=0,
        )
    if epochs.best() is None:
        if together.first:
            shutil.rmtree(folder)  # kept, it would refuse the lower learning rate that may help
        raise InputError(
            f"training diverged: no validation loss in {len(epochs.history)} epoch(s) was a "
            f"number; {_remedy(recipe)} may help"
        )
    epochs.restore(model, epochs.selected())
    return epochs.history


def _compiled(model, recipe, steps, several):
    """A model on all devices in use, with the loss and the optimizer of a recipe."""
    model = backend.spread(model)
    heads = 1 if len(model.output_shape) == 2 else model.output_shape[1]
    head = recipe.head(several)
    loss, accuracy = losses.loss_and_accuracy(head, recipe.auxiliary, heads, several)
    model.compile(optimizers.optimizer(recipe, model, steps), loss, metrics=[accuracy])
    model.optimizer.build(model.trainable_variables)
    return model


def _remedy(recipe):
    """What may keep the loss a number, in words."""
    remedies = [f"a learning_rate below {recipe.learning_rate}"]
    if recipe.initial_weights == "he_uniform" and recipe.pixels != "unit":
        remedies.insert(0, "pixels unit")  # kernels that keep the size of what comes in keep that
    if recipe.precision != "float32":
        remedies.insert(0, "precision float32")
    return " or ".join(remedies)


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
            layer.trainable = layer.trainable and how == "train"
            # what is left of the old averages after an epoch is then at most 1%: m^steps <= 0.01
            layer.momentum = min(layer.momentum, 0.01 ** (1 / steps))


def weighted(batches, class_weight):
    """Batches (inputs, labels) with the weight of each picture in the loss, if classes have one.

    Args:
        batches: tf.data.Dataset of (inputs, labels int (n,)).
        class_weight: dict class number -> weight; None for none.
    """
    if class_weight is None:
        return batches
    import tensorflow as tf

    table = [class_weight.get(number, 1.0) for number in range(max(class_weight) + 1)]
    table = tf.constant(table, tf.float32)
    return batches.map(lambda inputs, labels: (inputs, labels, tf.gather(table, labels)))


def _rows(count, batch_size):
    """Rows of each batch of a pass, the last one partial: list of int."""
    whole, last = divmod(count, batch_size)
    return [batch_size] * whole + [last] * bool(last)


def _batches(dataset):
    """How many batches a tf.data.Dataset has; None where it does not say."""
    count = int(dataset.cardinality())
    return count if count >= 0 else None


def balanced(labels, classes):
    """Class weights n / (classes × count), as scikit-learn's `balanced`: number -> weight."""
    counts = np.bincount(labels, minlength=classes)
    return {i: len(labels) / (classes * count) for i, count in enumerate(counts) if count}


def _class_weights(recipe, labels):
    return balanced(labels, labels.max() + 1) if recipe.class_weights == "balanced" else None


def write_history(history, path):
    """Write one row per epoch as CSV with the columns HISTORY."""
    write_csv(path, pd.DataFrame(history, columns=HISTORY), missing="nan")


def read_history(path):
    """Read what write_history wrote, as list of dicts; no file is no epochs."""
    if not Path(path).exists():
        return []
    kinds = {"epoch": int, **dict.fromkeys(HISTORY[1:], float)}  # to the last digit
    rows = read_csv(path).to_dict("records")
    return [{key: kind(row[key]) for key, kind in kinds.items()} for row in rows]


class KeptEpochs(keras.callbacks.Callback):
    """Keeps the weights of the last and the best epoch, and stops early.

    An epoch is finished once its row is in history.csv, which is replaced after its weights and
    the optimizer's state are on disk: whenever the process dies, it names an epoch that is whole.
    Everything else follows from the history. Of several processes, process 0 keeps them, and its
    history is that of all.
    """

    def __init__(self, folder, recipe, progress, together=ALONE):
        super().__init__()
        self.folder = Path(folder)
        self.together = together
        if together.first:
            self.folder.mkdir(parents=True, exist_ok=True)
        self.recipe = recipe
        self.progress = progress
        self.history = together.tell(lambda: read_history(self.folder / "history.csv"))

    def weights(self, epoch):
        """Path of the weights and optimizer state kept for an epoch, counted from 1."""
        return self.folder / f"epoch-{epoch:04d}.npz"

    def best(self):
        """The first epoch with the least validation loss, or None when none is a number."""
        losses = [(row["val_loss"], row["epoch"]) for row in self.history]
        numbers = [pair for pair in losses if math.isfinite(pair[0])]
        return min(numbers)[1] if numbers else None

    def selected(self):
        """The epoch whose weights are tested; None when no validation loss is a number."""
        best = self.best()
        if best is None or self.recipe.selection == "best":
            return best
        return len(self.history) - self.diverged()

    def diverged(self):
        """Whether the loss of the last epoch is no number: no later one can be better."""
        return bool(self.history) and not math.isfinite(self.history[-1]["loss"])

    def stopped(self):
        """Whether `patience` epochs have passed since the best one, or training diverged."""
        waited = len(self.history) - (self.best() or 0)
        return self.diverged() or 0 < self.recipe.patience <= waited

    def resume(self, model):
        """Load the last finished epoch, if any, into the model; returns how many are done."""
        if self.history:
            print(f"continuing after epoch {len(self.history)}", flush=True)
            self.restore(model, len(self.history))
        return len(self.history)

    def restore(self, model, epoch):
        """Load what is kept of an epoch into the model."""
        path = self.weights(epoch)
        self.together.see(path, file_size)
        with np.load(path, allow_pickle=False) as arrays:
            for number, variable in enumerate(_state(model)):
                backend.assign(variable, arrays[f"arr_{number}"])

    def on_train_begin(self, logs=None):
        self.progress.finished = len(self.history)
        self.progress.begin(1)

    def on_train_batch_end(self, batch, logs=None):
        self.progress.advance()

    def on_epoch_begin(self, epoch, logs=None):
        self.started = time.monotonic()

    def on_epoch_end(self, epoch, logs=None):
        seconds = round(time.monotonic() - self.started, 3)
        row = {"epoch": epoch + 1, **{k: float(v) for k, v in logs.items()}, "seconds": seconds}
        if self.together.first:
            self._save(self.weights(epoch + 1))
        row = self.together.tell(lambda: {key: row[key] for key in HISTORY})
        self.history.append(row)
        if self.together.first:
            self._keep(epoch + 1)
        self.progress.finished = epoch + 1
        self.progress.say(self._line(row))
        if self.diverged() and self.best():
            self.progress.say(
                f"training stops: the loss of epoch {epoch + 1} is no number; the weights of epoch "
                f"{self.selected()} are kept, and {_remedy(self.recipe)} may help"
            )
        if self.stopped():
            self.model.stop_training = True

    def _keep(self, epoch):
        """Finish an epoch whose weights are kept; those of the last and the best one stay."""
        write_history(self.history, self.folder / "history.csv")
        kept = {self.weights(epoch), self.weights(self.selected() or epoch)}
        for path in self.folder.glob("epoch-*.npz"):
            if path not in kept:
                path.unlink()

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
        with open_whole(path) as file:
            np.savez(file, *map(keras.ops.convert_to_numpy, _state(self.model)))


def _state(model):
    """Every variable of a compiled model and of its optimizer, in a fixed order."""
    return [*model.variables, *model.optimizer.variables]
