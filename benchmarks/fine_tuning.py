"""Fine tuning from HDF5 files against model.fit on arrays already in memory: steps a second.

One compiled network trains by turns on Store.dataset (1500-pixel JPEG photographs, shuffled and
augmented, kept decoded from the first epoch on) and on as many ready-made batches in memory. Both
are timed from the end of the first step to the end of the last: starting the data set, once in a
training, is left out on both sides, and so is the first epoch, which decodes. Bound: ours makes at
least 0.95 of the steps a second.

    python -m benchmarks.fine_tuning [--ANN ResNet50] [--size 224] [--steps 3]
        [--augmentation flip_shift] [--check | --quick]

A step of ResNet50 takes about ten seconds on two CPU cores; on a GPU give --steps 100 or more.
"""

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks import compare, photographs
from benchmarks.compare import Compared, option
from benchmarks.step_clock import epoch_seconds
from models import zoo
from models.command import exit_code
from models.errors import InputError
from transfer import optimizers, train
from transfer.dataset import Data
from transfer.pixel_cache import MOST_GB
from transfer.recipes import RECIPES
from transfer.run import Run


@dataclass(frozen=True)
class Settings:
    """What is measured: a network at so many pixels, `steps` an epoch, from `distinct` files."""

    ANN: str = option("ResNet50", "The network")
    size: int = option(224, "Side of a picture in pixels")
    steps: int = option(3, "Steps in an epoch, at least 2")
    distinct: int = option(96, "Picture files")
    augmentation: str = option("flip_shift", "What is drawn, a name in transfer.variants")
    rounds: int = option(3, "Rounds of each side")

    def __post_init__(self):
        if self.steps < 2:
            raise InputError(f"steps is {self.steps}; it must be at least 2")


QUICK = {"ANN": "MobileNet(alpha=0.25)", "size": 32, "steps": 2, "distinct": 2, "rounds": 1}


def compiled(run, store):
    """The network of a run, ready to train as transfer.train.fit does."""
    model = train.build(run, store)
    loss = "sparse_categorical_crossentropy"
    model.compile(optimizers.optimizer(run.recipe), loss, metrics=["accuracy"])
    return model


def speed(model, store, recipe, augmentation, steps, rounds):
    """One Compared: steps a second of ours over those of model.fit on arrays in memory."""
    how = {"augmentation": augmentation, "cache_gb": MOST_GB}
    batches = store.dataset("train", model.input_shape[1], recipe.batch_size, recipe.seed, **how)
    held = list(batches.take(steps).as_numpy_iterator())
    pictures, labels = (np.concatenate(parts) for parts in zip(*held, strict=True))
    del held
    sides = {
        "ours": lambda: epoch_seconds(model, steps, batches),
        "memory": lambda: epoch_seconds(
            model, steps, pictures, labels, batch_size=recipe.batch_size
        ),
    }
    seconds = compare.by_turns(sides, rounds)
    for name, taken in seconds.items():
        compare.say(f"{name}: {(steps - 1) / np.median(taken):.3f} steps/s")
    named = f"{model.name} at {model.input_shape[1]}, {augmentation}"
    claim = f"steps/s of ours over model.fit on arrays in memory, {named}"
    return Compared(claim, compare.ratios(seconds["memory"], seconds["ours"]), 0.95)


def measure(settings):
    """Measure one training: yields its Compared."""
    recipe = RECIPES["fine_tuning"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = photographs.write_files(folder / "files", settings.distinct)
        compare.say(f"1500 pixels: {photographs.kilobytes(folder / 'files')}")
        # whole batches only: a partial one would give the two sides different steps
        counts = {"train": settings.steps * recipe.batch_size, "val": 1, "test": 1}
        data = Data("photographs", "class", folder)
        written = folder / data.dataset_name / data.challenge
        store = photographs.write_store(written, folder / "files", files, counts)
        run = Run(data, zoo.parse(settings.ANN), recipe, settings.size)
        model = compiled(run, store)
        yield speed(model, store, recipe, settings.augmentation, settings.steps, settings.rounds)


@exit_code
def main(argv=None):
    """Run the command; returns its exit code."""
    return compare.run_benchmark(measure, Settings, QUICK, __doc__, argv)


if __name__ == "__main__":
    sys.exit(main())
