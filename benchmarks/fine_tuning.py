"""Fine tuning from HDF5 files against model.fit on arrays already in memory: steps a second.

One compiled network trains by turns on Store.dataset (1500-pixel JPEG photographs, shuffled, as
transfer.train gives it) and on as many ready-made batches in memory. Both are timed
from the end of the first step to the end of the last: starting the data set, once in a training,
is left out on both sides. Bound: ours makes at least 0.95 of the steps a second.

    python -m benchmarks.fine_tuning [--ANN ResNet50] [--size 224] [--steps 3] [--check]

A step of ResNet50 takes about ten seconds on two CPU cores; on a GPU give --steps 100 or more.
"""

import sys
import tempfile
import time
from pathlib import Path

import keras
import numpy as np

from benchmarks import compare, photographs
from benchmarks.compare import Compared
from models import zoo
from models.command import exit_code
from models.errors import InputError
from transfer import train
from transfer.dataset import Data
from transfer.recipes import RECIPES
from transfer.run import Run


class StepClock(keras.callbacks.Callback):
    """Measures the seconds of an epoch without its first step."""

    def on_epoch_begin(self, epoch, logs=None):
        self.started = None

    def on_train_batch_end(self, batch, logs=None):
        if self.started is None:
            float(logs["loss"])  # a GPU has then finished the step
            self.started = time.monotonic()

    def on_epoch_end(self, epoch, logs=None):
        self.seconds = time.monotonic() - self.started


def compiled(run, store):
    """The network of a transfer.run.Run, ready to train as transfer.train.fit does."""
    model = train.build(run, store)
    loss = "sparse_categorical_crossentropy"
    model.compile(train.optimizer(run.recipe), loss, metrics=["accuracy"])
    return model


def epoch_seconds(model, steps, *data, **how):
    """Seconds that model.fit takes for steps 2 to `steps` of one epoch over the data."""
    clock = StepClock()
    model.fit(
        *data, steps_per_epoch=steps, callbacks=[clock], shuffle=False, verbose=0, epochs=1, **how
    )
    return clock.seconds


def speed(model, store, recipe, steps, rounds):
    """One Compared: steps a second of ours over those of model.fit on arrays in memory."""
    size = model.input_shape[1]
    batches = store.dataset("train", size, recipe.batch_size, recipe.seed)
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
        print(f"{name}: {(steps - 1) / np.median(taken):.3f} steps/s", flush=True)
    claim = f"steps/s of ours over model.fit on arrays in memory, {model.name} at {size}"
    return Compared(claim, compare.ratios(seconds["memory"], seconds["ours"]), 0.95)


@exit_code
def main(argv=None):
    """Run the command; returns its exit code."""
    parser = compare.flags(__doc__, rounds=3)
    parser.add_argument("--ANN", default="ResNet50")
    parser.add_argument("--size", type=compare.positive, default=224, help="pixels; default 224")
    parser.add_argument("--steps", type=int, default=3, help="in an epoch, at least 2; default 3")
    parser.add_argument(
        "--distinct", type=compare.positive, default=96, help="picture files; default 96"
    )
    arguments = parser.parse_args(argv)
    if arguments.steps < 2:
        raise InputError(f"--steps is {arguments.steps}; it must be at least 2")
    compare.print_setting()
    recipe = RECIPES["fine_tuning"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = photographs.write_files(folder / "files", arguments.distinct)
        print("1500 pixels:", photographs.kilobytes(folder / "files"), flush=True)
        # whole batches only: a partial one would give the two sides different steps
        counts = {"train": arguments.steps * recipe.batch_size, "val": 1, "test": 1}
        store = photographs.write_store(folder / "store", folder / "files", files, counts)
        run = Run(Data("store", "copies", folder), zoo.parse(arguments.ANN), recipe, arguments.size)
        model = compiled(run, store)
        found = [speed(model, store, recipe, arguments.steps, arguments.rounds)]
    return compare.report(found, arguments.check)


if __name__ == "__main__":
    sys.exit(main())
