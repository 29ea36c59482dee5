"""A training step of ResNet50, over torchvision's in PyTorch: told without bound.

What many would pick instead: benchmarks/peers/torchvision_resnet50.py says what it does. Ours is
the network and the optimizer of `fine_tuning`, its loss compiled as transfer.train.fit does. Both
train every layer on one batch held in memory, batch normalisation in inference mode, float32; ours
in bfloat16 (`--precision mixed_bfloat16`) is told too. PyTorch is installed from PyPI into an
environment of its own (some 3 GB), kept for the next run. All sides by turns in one run.

    python -m benchmarks.resnet50_step [--size 224] [--batch 32] [--rounds 5] [--check | --quick]
"""

import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks import compare
from benchmarks.compare import Compared, option
from benchmarks.peer_process import Driver, Peer, install
from models import zoo
from models.command import exit_code
from transfer import losses, optimizers, train
from transfer.recipes import RECIPES

PEER = Peer("torchvision_resnet50", ("torchvision", "torch"), None, whole=True)
PRECISIONS = ("float32", "mixed_bfloat16")
CLASSES = 10


@dataclass(frozen=True)
class Settings:
    """What is measured: pictures of so many pixels, a batch, steps a round."""

    size: int = option(224, "Side of a picture in pixels")
    batch: int = option(32, "Pictures in a step")
    steps: int = option(2, "Steps a round")
    rounds: int = option(5, "Rounds of each side")
    peers: str = option(
        str(Path(tempfile.gettempdir()) / "art-peers"), "The folder of the peers' environments"
    )
    no_peers: bool = option(False, "Time ours alone, which gives no ratio")


QUICK = {"size": 32, "batch": 2, "steps": 1, "rounds": 1, "no_peers": True}


def ours(size, batch, precision):
    """Make run(steps): training steps of ResNet50 on one batch.

    Args:
        size: of the pictures in pixels. batch: how many. precision: as Recipe has it.
    """
    recipe = replace(RECIPES["fine_tuning"], precision=precision)
    with train.computing_in(precision):
        model = zoo.build(zoo.parse("ResNet50"), CLASSES, size, "own", recipe.head(), recipe.seed)
    train.set_batch_norm(model, recipe.batch_norm, 1)
    loss, accuracy = losses.loss_and_accuracy(recipe.head(), recipe.auxiliary, 1)
    model.compile(optimizers.optimizer(recipe, model), loss, metrics=[accuracy])
    pictures = np.random.default_rng(0).integers(256, size=(batch, size, size, 3), dtype=np.uint8)
    labels = np.arange(batch) % CLASSES

    def run(steps):
        for _ in range(steps):
            result = model.train_on_batch(pictures, labels)
        float(result[0])

    return run


def measure(settings):
    """Measure ours and theirs by turns: yields a Compared for each precision."""
    sides = {}
    for precision in PRECISIONS:
        run = ours(settings.size, settings.batch, precision)
        sides[precision] = compare.timed(lambda run=run: run(settings.steps))
    if settings.no_peers:
        compare.by_turns(sides, settings.rounds)
        return
    folder = Path(settings.peers)
    folder.mkdir(parents=True, exist_ok=True)
    command = [str(install(PEER, folder)), "-m", f"benchmarks.peers.{PEER.name}"]
    command += [str(settings.size), str(settings.batch)]
    driver = Driver(command, folder / f"{PEER.name}.log")
    try:
        sides["torchvision"] = lambda: driver.seconds(settings.steps)
        seconds = compare.by_turns(sides, settings.rounds)
    finally:
        driver.close()
    for precision in PRECISIONS:
        claim = f"training steps/s of ResNet50 over torchvision's in float32, ours in {precision}"
        yield Compared(claim, compare.ratios(seconds["torchvision"], seconds[precision]), None)


@exit_code
def main(argv=None):
    """Run the command; returns its exit code."""
    return compare.run_benchmark(measure, Settings, QUICK, __doc__, argv)


if __name__ == "__main__":
    sys.exit(main())
