"""Off the shelf: what it costs above one forward pass, and whether the shortcut changes anything.

Time: features of train, val and test pictures computed and kept, then 20 epochs of the head
(transfer.train), by turns with a bare forward pass of the same network. Peers:

* predict_on_batch over the same tf.data pipeline, nothing kept: ours takes at most 1.3 times as
  long;
* the same over batches already in memory: printed without a bound, because here reading and
  decoding count against ours alone.

Every side starts anew each round (its network traced, its data set opened), as a run does.

Accuracy: the head trained on kept features against the head trained end to end through the frozen
network (the same recipe for all layers, every other layer not trainable), with the same seed, order
and optimizer, on toy paintings with the shipped weights. Bound: test accuracies at most half a
point apart, in the worst seed.

    python -m benchmarks.off_the_shelf [--ANN MobileNet] [--size 224] [--rounds 3] [--check]
"""

import contextlib
import io
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas
from PIL import Image

from benchmarks import compare, photographs
from benchmarks.compare import Compared
from models import zoo
from models.command import exit_code
from models.errors import InputError
from toy import pretrain
from toy.paintings import paint
from transfer import features, train
from transfer import store as stores
from transfer.dataset import Data
from transfer.recipes import RECIPES
from transfer.run import Run

RECIPE = RECIPES["off_the_shelf"]
TOY = f"MobileNet(alpha={pretrain.ALPHA}):{pretrain.WEIGHTS}"
TEST_SHARE = 0.5  # of the toy paintings: one test picture of 200 is then half a point


def forward(model, batches):
    """Compute the features of all batches and drop them."""
    network = features.extractor(model)
    for pictures in batches:
        network.predict_on_batch(pictures)


def times(run, rounds, folder):
    """Two Compared: seconds of off the shelf over a bare pass, from the pipeline and from memory.

    Args:
        run: transfer.run.Run; all of its epochs are run.
        rounds: how often each side runs.
        folder: to write into.
    """
    store, recipe = run.data.open(), run.recipe
    model = train.build(run, store)

    def pipeline():
        for split in stores.SPLITS:
            for pictures, _ in store.dataset(split, run.size, recipe.batch_size):
                yield np.asarray(pictures)  # the JAX backend takes no tensor of TensorFlow

    def ours():
        # a folder of its own each time: nothing is found from the round before
        with tempfile.TemporaryDirectory(dir=folder) as own, _quiet():
            cache = store.folder / "features" / Path(own).name
            train.train(model, run, store, Path(own) / "epochs", cache=cache)

    held = [np.asarray(pictures) for pictures in pipeline()]
    sides = {
        "ours": ours,
        "pipeline": lambda: forward(model, pipeline()),
        "memory": lambda: forward(model, held),
    }
    seconds = compare.by_turns({k: compare.timed(v) for k, v in sides.items()}, rounds)
    for name, taken in seconds.items():
        print(f"{name}: {np.median(taken):.2f} s", flush=True)
    claim = f"seconds of off the shelf, {recipe.epochs} epochs, over one forward pass"
    read, held_already = (
        compare.ratios(seconds["ours"], seconds[peer]) for peer in ("pipeline", "memory")
    )
    return [
        Compared(f"{claim} from the pipeline", read, 1.3, at_least=False),
        Compared(f"{claim} from memory", held_already, None),
    ]


def _quiet():
    return contextlib.redirect_stdout(io.StringIO())


def paint_data(folder, count):
    """Paint `count` toy paintings and store them as Data labelled by the artist's hand."""
    pictures = folder / "toy"
    pictures.mkdir()
    first_test = round(count * (1 - TEST_SHARE))
    rows = []
    for number in range(count):
        work = paint(number, seed=0)
        path = f"{number}.jpg"
        Image.fromarray(work.pixels).save(pictures / path, quality=90)
        split = "test" if number >= first_test else "val" if number % 5 == 4 else "train"
        rows.append(dict(id=str(number), label=work.artist, split=split, path=path))
    (folder / "stores" / "toy" / "artist").mkdir(parents=True)
    stores.write(pandas.DataFrame(rows), pictures, folder / "stores" / "toy" / "artist")
    return Data("toy", "artist", folder / "stores")


def hits(run, folder):
    """How many test pictures are right with kept features, and with training end to end."""
    store, seed = run.data.open(), run.recipe.seed
    labels = store.labels["test"]
    end_to_end = replace(run, recipe=replace(run.recipe, layers="all"))
    with _quiet():
        kept = train.train(train.build(run, store), run, store, folder / f"kept-{seed}")
        model = train.build(end_to_end, store)
        for layer in model.layers:
            layer.trainable = layer.name == "head"
        whole = train.train(model, end_to_end, store, folder / f"whole-{seed}")
    return tuple(int((ran.scores.argmax(axis=1) == labels).sum()) for ran in (kept, whole))


def accuracy(run, seeds, folder):
    """One Compared: percentage points between the two test accuracies, the most of all seeds."""
    count = len(run.data.open().labels["test"])
    apart = []
    for seed in range(seeds):
        seeded = replace(run, recipe=replace(run.recipe, seed=seed))
        kept, whole = hits(seeded, folder)
        print(f"seed {seed}: {kept} of {count} right, end to end {whole}", flush=True)
        apart.append(100 * abs(kept - whole) / count)
    claim = "test accuracy of off the shelf and of training end to end apart"
    return Compared(claim, tuple(apart), 0.5, at_least=False, unit=" points", summary=max)


@exit_code
def main(argv=None):
    """Run the command; returns its exit code."""
    parser = compare.flags(__doc__, rounds=3)
    parser.add_argument("--ANN", default="MobileNet")
    parser.add_argument("--size", type=compare.positive, default=224, help="pixels; default 224")
    parser.add_argument("--pictures", type=int, default=600, help="in all splits; default 600")
    parser.add_argument(
        "--distinct", type=compare.positive, default=60, help="files they are copies of"
    )
    parser.add_argument(
        "--epochs", type=compare.positive, default=20, help="of the head; default 20"
    )
    parser.add_argument("--toy_pictures", type=int, default=400, help="half of them for testing")
    parser.add_argument(
        "--seeds", type=compare.positive, default=2, help="for the accuracy; default 2"
    )
    arguments = parser.parse_args(argv)
    if arguments.pictures < 10:
        raise InputError(f"--pictures is {arguments.pictures}; it must be at least 10")
    compare.print_setting()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = photographs.write_files(folder / "files", arguments.distinct)
        print("1500 pixels:", photographs.kilobytes(folder / "files"), flush=True)
        tenth = arguments.pictures // 10  # 80/10/10: Sabatelli et al. 2018, section 2.3
        counts = {"train": arguments.pictures - 2 * tenth, "val": tenth, "test": tenth}
        place = folder / "photographs" / "copies"
        place.parent.mkdir()
        photographs.write_store(place, folder / "files", files, counts)
        recipe = replace(RECIPE, epochs=arguments.epochs, patience=arguments.epochs)
        copies = Data(place.parent.name, place.name, folder)
        run = Run(copies, zoo.parse(arguments.ANN), recipe, arguments.size)
        found = times(run, arguments.rounds, folder)
        toy = paint_data(folder, arguments.toy_pictures)
        tuned = Run(toy, zoo.parse(TOY), recipe, pretrain.SIZE)
        found.append(accuracy(tuned, arguments.seeds, folder))
    return compare.report(found, arguments.check)


if __name__ == "__main__":
    sys.exit(main())
