"""Off the shelf: what it costs above one forward pass, and whether the shortcut changes anything.

Time: features of train, val and test pictures computed and kept, then 20 epochs of the head
(transfer.train.train of the recipe), by turns with a bare forward pass of the same network. Peers:

* predict_on_batch over the same tf.data pipeline, nothing kept: ours takes at most 1.3 times as
  long;
* the same over batches already in memory: printed without a bound, because here reading and
  decoding count against ours alone.

Every side starts anew each round (its network traced, its data set opened), as a run does.

Accuracy: the head trained on kept features against the head trained end to end through the frozen
network (the same recipe with `layers` = `all`, every other layer not trainable), with the same
seed, order and optimizer, on toy paintings with the shipped weights. Bound: test accuracies at most
half a point apart, in the worst seed.

    python -m benchmarks.off_the_shelf [--ANN MobileNet] [--size 224] [--rounds 3]
        [--check | --quick]
"""

import contextlib
import io
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas

from benchmarks import compare, photographs
from benchmarks.compare import Compared, option
from models import zoo
from models.command import exit_code
from models.errors import InputError
from transfer import features, train
from transfer import store as stores
from transfer.dataset import Data
from transfer.recipes import RECIPES
from transfer.run import Run

ROOT = Path(__file__).resolve().parents[1]
RECIPE = RECIPES["off_the_shelf"]
WEIGHTS = ROOT / "toy" / "mobilenet_0.25_64_nature.weights.h5"
TOY = zoo.parse(f"MobileNet(alpha=0.25):{WEIGHTS}")
TOY_SIZE = 64  # pixels
TEST_SHARE = 0.5  # of the toy paintings: one test picture of 200 is then half a point


@dataclass(frozen=True)
class Settings:
    """What is measured: `pictures` for the time, `toy_pictures` for the accuracy."""

    ANN: str = option("MobileNet", "The network")
    size: int = option(224, "Side of a picture in pixels")
    pictures: int = option(600, "Pictures in all splits, at least 10")
    distinct: int = option(60, "Files that they are copies of")
    epochs: int = option(20, "Epochs of the head")
    toy_pictures: int = option(400, "Toy pictures, half of them for testing")
    seeds: int = option(2, "Seeds for the accuracy")
    rounds: int = option(3, "Rounds of each side")

    def __post_init__(self):
        if self.pictures < 10:
            raise InputError(f"pictures is {self.pictures}; it must be at least 10")


QUICK = {
    "ANN": "MobileNet(alpha=0.25)",
    "size": 32,
    "pictures": 10,
    "distinct": 2,
    "epochs": 1,
    "toy_pictures": 20,
    "seeds": 1,
    "rounds": 1,
}


def forward(model, batches):
    """Compute the features of all batches and drop them."""
    network = features.extractor(model)
    for pictures in batches:
        network.predict_on_batch(pictures)


def times(store, data, network, size, epochs, rounds, folder):
    """Two Compared: seconds of off the shelf over a bare pass, from the pipeline and from memory.

    Args:
        store: transfer.store.Store of `data`.
        data: transfer.dataset.Data.
        network: models.zoo.Spec.
        size: its input side in pixels.
        epochs: of the head, all of them run.
        rounds: how often each side runs.
        folder: to write into.
    """
    run = Run(data, network, replace(RECIPE, epochs=epochs, patience=epochs), size)
    model = train.build(run, store)

    def pipeline():
        for split in stores.SPLITS:
            for pictures, _ in store.dataset(split, size, RECIPE.batch_size):
                yield np.asarray(pictures)  # the JAX backend takes no tensor of TensorFlow

    def ours():
        # a folder of its own each time: nothing is found from the round before
        with tempfile.TemporaryDirectory(dir=folder) as own, _quiet():
            cache = folder / "features" / Path(own).name
            train.train(model, run, store, Path(own) / "epochs", cache=cache)

    held = [np.asarray(pictures) for pictures in pipeline()]
    sides = {
        "ours": ours,
        "pipeline": lambda: forward(model, pipeline()),
        "memory": lambda: forward(model, held),
    }
    seconds = compare.by_turns({k: compare.timed(v) for k, v in sides.items()}, rounds)
    for name, taken in seconds.items():
        compare.say(f"{name}: {np.median(taken):.2f} s")
    claim = f"seconds of off the shelf, {epochs} epochs, over one forward pass"
    read, held_already = (
        compare.ratios(seconds["ours"], seconds[peer]) for peer in ("pipeline", "memory")
    )
    return [
        Compared(f"{claim} from the pipeline", read, 1.3, at_least=False),
        Compared(f"{claim} from memory", held_already, None),
    ]


def _quiet():
    return contextlib.redirect_stdout(io.StringIO())


def paint_store(data, count):
    """Have `count` toy paintings painted and written as the store of `data`, a Data."""
    compare.say(f"painting {count} toy pictures")
    painted = data.datasets_path / "paintings"
    command = [sys.executable, "-m", "toy", "paint", str(painted), "--count", str(count)]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    paintings = pandas.read_csv(painted / "metadata.csv", skipinitialspace=True)
    first_test = round(count * (1 - TEST_SHARE))
    rows = pandas.DataFrame(
        {
            "id": paintings.ImageId,
            "label": paintings.dc_creator,
            "split": ["val" if n % 5 == 4 else "train" for n in range(first_test)]
            + ["test"] * (count - first_test),
            "path": paintings.ImageId + ".jpg",
        }
    )
    folder = data.datasets_path / data.dataset_name / data.challenge
    folder.mkdir(parents=True)
    stores.write(rows, painted / "jpg", folder)
    return data.open()


def hits(store, data, size, seed, epochs, folder):
    """How many test pictures are right with kept features, and with training end to end."""
    recipe = replace(RECIPE, epochs=epochs, patience=epochs, seed=seed)
    labels = store.labels["test"]
    with _quiet():
        run = Run(data, TOY, recipe, size)
        kept = train.train(train.build(run, store), run, store, folder / f"kept-{seed}")
        run = Run(data, TOY, replace(recipe, layers="all"), size)
        model = train.build(run, store)
        for layer in model.layers:
            layer.trainable = layer.name == "head"
        whole = train.train(model, run, store, folder / f"whole-{seed}")
    return tuple(int((made.scores.argmax(axis=1) == labels).sum()) for made in (kept, whole))


def accuracy(store, data, size, seeds, epochs, folder):
    """One Compared: percentage points between the two test accuracies, the most of all seeds."""
    count = len(store.labels["test"])
    apart = []
    for seed in range(seeds):
        compare.say(f"training the head twice, seed {seed}")
        kept, whole = hits(store, data, size, seed, epochs, folder)
        compare.say(f"seed {seed}: {kept} of {count} right, end to end {whole}")
        apart.append(100 * abs(kept - whole) / count)
    claim = "test accuracy of off the shelf and of training end to end apart"
    return Compared(claim, tuple(apart), 0.5, at_least=False, unit=" points", summary=max)


def measure(settings):
    """Measure times, then accuracies: yields Compared."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = photographs.write_files(folder / "files", settings.distinct)
        compare.say(f"1500 pixels: {photographs.kilobytes(folder / 'files')}")
        tenth = settings.pictures // 10  # 80/10/10: Sabatelli et al. 2018, section 2.3
        counts = {"train": settings.pictures - 2 * tenth, "val": tenth, "test": tenth}
        data = Data("photographs", "class", folder)
        written = folder / data.dataset_name / data.challenge
        store = photographs.write_store(written, folder / "files", files, counts)
        network, epochs = zoo.parse(settings.ANN), settings.epochs
        yield from times(store, data, network, settings.size, epochs, settings.rounds, folder)
        toy = Data("toy", "artist", folder)
        store = paint_store(toy, settings.toy_pictures)
        yield accuracy(store, toy, TOY_SIZE, settings.seeds, epochs, folder)


@exit_code
def main(argv=None):
    """Run the command; returns its exit code."""
    return compare.run_benchmark(measure, Settings, QUICK, __doc__, argv)


if __name__ == "__main__":
    sys.exit(main())
