"""How long training steps of several recipes take, by turns, so that a busy machine slows all."""

import json
import platform
import time
from dataclasses import replace

import numpy as np

from models import zoo
from transfer.result_folder import result_folder, sha256_of_text

CLASSES = 10  # of the head: its time is small beside the network's
DIGITS = 12
FILE = "seconds.npy"


def by_turns(stages, folder, rounds, say=print):
    """Seconds of a training step of each stage, a round of all stages after another.

    Networks without trained weights, made-up pictures; two rounds before are not counted.

    Args:
        stages: list of papers.stages.Stage.
        folder: where the measurement is kept, whole or absent, named by what is measured.
        rounds: that are counted.
        say: called with a line.

    Returns:
        float64 (rounds, stages).
    """
    what = {
        "machine": f"{platform.system()} {platform.machine()}, {platform.node()}",
        "rounds": rounds,
        "stages": [
            [stage.architecture, stage.input_size, stage.recipe.layers]
            + [stage.recipe.batch_size, stage.recipe.precision, stage.recipe.optimizer]
            for stage in stages
        ],
    }
    name = sha256_of_text(json.dumps(what, sort_keys=True))[:DIGITS]
    with result_folder(folder / f"steps-{name}", what, say=say) as result:
        path = result.path / FILE
        if not result.finished:
            say(f"measuring {rounds} steps of {len(stages)} trainings by turns")
            np.save(path, _measure([_step(stage) for stage in stages], rounds))
        return np.load(path)


def _measure(steps, rounds, clock=time.perf_counter):
    seconds = np.empty((rounds, len(steps)))
    for number in range(-2, rounds):
        for place, step in enumerate(steps):
            began = clock()
            step()
            if number >= 0:
                seconds[number, place] = clock() - began
    return seconds


def _step(stage):
    """A function that does a training step of a stage."""
    model, pictures, labels = untrained(stage)
    return lambda: model.train_on_batch(pictures, labels)


def untrained(stage):
    """A network that trains the layers of a stage, and a batch of nothing for it.

    Args:
        stage: papers.stages.Stage.

    Returns:
        (keras.Model without trained weights, compiled, in the recipe's precision; pictures, float32
        zeros (batch size, side, side, 3); their labels, zeros).
    """
    import keras

    from transfer import trained_layers
    from transfer.train import computing_in

    spec = zoo.parse(stage.architecture)
    with computing_in(stage.recipe.precision):
        model = zoo.build(replace(spec, weights=None), CLASSES, stage.input_size)
    chosen = trained_layers.select(model, stage.recipe.layers, spec.architecture)
    trained = {id(layer) for layer in chosen}
    for layer in model.layers:
        layer.trainable = id(layer) in trained
    model.compile(keras.optimizers.SGD(0.0, 0.9), "sparse_categorical_crossentropy")
    side = model.input_shape[1]
    pictures = np.zeros((stage.recipe.batch_size, side, side, 3), "float32")
    return model, pictures, np.zeros(len(pictures), "int32")


def ratios(seconds):
    """How long each takes as a multiple of the first, round by round.

    Args:
        seconds: (rounds, steps) of by_turns.

    Returns:
        (means, lows, highs): (steps,) the mean ratio and its 95 % t interval over rounds; of one
        round the interval is NaN.
    """
    from scipy.stats import t

    of_each = seconds / seconds[:, :1]
    rounds, means = len(of_each), of_each.mean(axis=0)
    if rounds < 2:
        return means, *[np.full(len(means), np.nan)] * 2
    half = t.ppf(0.975, rounds - 1) * of_each.std(axis=0, ddof=1) / np.sqrt(rounds)
    return means, means - half, means + half
