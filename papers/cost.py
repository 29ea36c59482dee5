"""What runs that are not there would take: pictures, epochs, and time, by a few steps."""

import math
from dataclasses import dataclass

from models.errors import InputError
from papers.stages import find_store
from papers.step_times import untrained
from transfer.step_seconds import STEPS, measure


@dataclass(frozen=True)
class Cost:
    """What a stage takes: pictures of each part, epochs at most, seconds at most or None.

    refused: why its network cannot be trained on such pictures, "" where it can.
    """

    pictures: dict
    epochs: int
    seconds: float | None = None
    refused: str = ""


def estimate(stages, measured=True, say=print):
    """What each stage takes at most, on this machine; features shared by runs count once.

    Reading pictures is not in it, and early stopping may end a run sooner.

    Args:
        stages: list of papers.stages.Stage.
        measured: whether time is measured, by a few steps of each network; else it is None.
        say: called with a line before each measurement.

    Returns:
        dict Stage -> Cost.

    Raises:
        InputError: a collection's CSV that cannot be read.
    """
    speeds, counts, shared, costs = {}, {}, set(), {}
    for stage in stages:
        if stage.data not in counts:
            counts[stage.data] = count_pictures(stage.data)
        pictures, recipe = counts[stage.data], stage.recipe
        seconds, refused = None, ""
        if measured:
            kind = (stage.architecture, stage.input_size, recipe.batch_size, recipe.on_features)
            kind += (recipe.layers, recipe.precision)
            if kind not in speeds:
                say(f"measuring {STEPS} steps of {stage.architecture}")
                speeds[kind] = _time_or_refuse(stage)
            training, passing, refused = speeds[kind]
            if refused:
                seconds = None
            elif recipe.on_features:
                features = (stage.data, stage.start, stage.input_size)
                seconds = 0.0 if features in shared else passing * sum(pictures.values())
                shared.add(features)
            else:
                epoch = training * pictures["train"] + passing * pictures["val"]
                seconds = recipe.epochs * epoch + passing * pictures["test"]
        costs[stage] = Cost(pictures, recipe.epochs, seconds, refused)
    return costs


def _time_or_refuse(stage):
    """(Seconds as of time_picture, ""), or why there are none: such a run is refused as well."""
    try:
        return *time_picture(stage), ""
    except InputError as error:
        return math.nan, math.nan, str(error)


def count_pictures(data):
    """Pictures of each part: of the stored data set, else by the CSV, at most: dict."""
    store = find_store(data)
    if store:
        return {part: len(labels) for part, labels in store.labels.items()}
    return data.count()


def time_picture(stage):
    """Seconds that a picture takes in training and in a pass forward: (float, float).

    Of a network without trained weights on made-up pictures; in training NaN where the stage
    trains its head alone.
    """
    model, pictures, labels = untrained(stage)
    passing = measure(lambda: model.predict_on_batch(pictures)) / len(pictures)
    if stage.recipe.on_features:
        return float("nan"), passing
    return measure(lambda: model.train_on_batch(pictures, labels)) / len(pictures), passing
