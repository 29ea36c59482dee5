"""Optimized images of InceptionV1's mixed4d_3x3_pre_relu: image-steps a second against all peers.

One image-step is one ascent step of one image. Ours is what render_channels runs: FFT images in
decorrelated colours, Lucid's standard transforms, redirected ReLUs, Adam, scores kept. Random
weights of a fixed seed: they do not change the speed. All sides by turns in one run. Peers and
bounds:

* the bare network: forward pass and gradient to the image, plain ReLUs, nothing else
  (benchmarks/bare_network.py): ours makes at least 0.85 of its image-steps at the same batch, in
  bfloat16 at least 0.75 of its own (on a GPU, or a processor with instructions for bfloat16);
* Lucid 0.3.10's graph for one channel: at least 2 times (its batch of 8 is told, without bound);
* xplique 2.0.2: at least 4 times; tf-keras-vis 0.8.7 and lucent 0.1.8: at least 10 times, each at
  the better of its batches of 1 and 8. All of them, and ours for these bounds, are float32; ours
  in bfloat16 over them is told, without bound;
* 200 channels take 25 times as long as 8, within 10%; memory grows by at most 200 MB meanwhile;
  the step is not compiled again after a layer's first batch.

What each peer runs is said at the top of its driver, benchmarks/peers/*.py. They are installed from
PyPI into environments of their own, kept for the next run, and skipped with a line that says why
where that fails. On TensorFlow they borrow the running one. lucent needs PyTorch (some 3 GB): only
with --with_torch.

    python -m benchmarks.activation_maximization [--rounds 5] [--no_peers] [--with_torch]
        [--check | --quick]
"""

import contextlib
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import models
from benchmarks import channel_by_channel, compare
from benchmarks.ascents import FULL_SIZE, FULL_STEPS, all_channels, has_bfloat16, ours, speed
from benchmarks.bare_network import bare
from benchmarks.compare import Compared, option
from benchmarks.peer_process import Driver, Peer, install
from benchmarks.peers.serving import LAYER, NETWORK
from models import backend
from models.command import exit_code
from models.graph import cut

BOUNDS = {"float32": 0.85, "bfloat16": 0.75}
PEERS_DTYPE = "float32"
# Besides themselves, what they import and the running Python lacks. TensorFlow Probability asks
# for tf_keras; xplique imports it.
PEERS = (
    Peer("lucid", ("lucid==0.3.10", "future", "decorator", "cachetools", "filelock"), 2, told=(8,)),
    Peer(
        "xplique",
        ("xplique==2.0.2", "deprecated", "wrapt", "einops", "scikit-image", "imageio")
        + ("lazy_loader", "tifffile", "networkx", "packaging", "opencv-python-headless")
        + ("tensorflow-probability", "tf_keras", "cloudpickle", "dm-tree", "decorator"),
        4,
    ),
    Peer(
        "tf_keras_vis", ("tf-keras-vis==0.8.7", "deprecated", "wrapt", "imageio", "packaging"), 10
    ),
    Peer("lucent", ("torch-lucent==0.1.8", "torch", "torchvision", "setuptools"), 10, whole=True),
)


@dataclass(frozen=True)
class Settings:
    """What is measured: ours at one size and batch, the peers, the time of many channels."""

    size: int = option(128, "Side of an image in pixels")
    batch: int = option(8, "Images of ours at a time")
    steps: int = option(256, "Steps of ours a round, 16 of them with redirected ReLUs")
    peer_steps: int = option(32, "Image-steps of each peer a round")
    scaling_channels: int = option(
        channel_by_channel.MANY, "Channels for the claims on many, a multiple of 8"
    )
    scaling_steps: int = option(32, "Steps for the time of so many channels")
    scaling_rounds: int = option(3, "Rounds of that")
    rounds: int = option(5, "Rounds of each side")
    peers: str = option(
        str(Path(tempfile.gettempdir()) / "art-peers"), "The folder of the peers' environments"
    )
    no_peers: bool = option(False, "Compare with the bare network only")
    with_torch: bool = option(False, "Install PyTorch for lucent")


QUICK = {
    "size": 64,
    "batch": 2,
    "steps": 2,
    "scaling_channels": 16,
    "scaling_steps": 1,
    "scaling_rounds": 1,
    "rounds": 1,
    "no_peers": True,  # installing them takes minutes
}


def own_sides(model, size, batch, steps):
    """Sides `ours DTYPE` and `bare DTYPE`, for every precision of the device."""
    sides = {}
    for dtype in BOUNDS:
        if dtype == "bfloat16" and not has_bfloat16():
            compare.say("bfloat16: not measured, this processor has no instructions for it")
            continue
        network = cut(model, [LAYER], (size, size), dtype)
        sides[f"ours {dtype}"] = speed(ours(model, LAYER, size, batch, steps, dtype), batch, steps)
        sides[f"bare {dtype}"] = speed(bare(network, LAYER, batch), batch, steps)
    return sides


def peer_sides(peer, folder, size, steps, running):
    """Sides `NAME x BATCH` of a peer, about `steps` image-steps a round; none with a note.

    Args:
        peer: Peer. folder: of all environments. size: in pixels. steps: image-steps.
        running: contextlib.ExitStack that ends the processes.
    """
    sides = {}
    try:
        python = install(peer, folder)
        for batch in peer.batches:
            command = [str(python), "-m", f"benchmarks.peers.{peer.name}", str(size), str(batch)]
            compare.say(f"{peer.name} x {batch}: starting, its first step compiles")
            driver = Driver(command, folder / f"{peer.name}_{batch}.log")
            running.callback(driver.close)
            compare.say(f"{peer.name} x {batch}: ready")
            count = max(1, steps // batch)
            sides[f"{peer.name} x {batch}"] = lambda driver=driver, count=count, batch=batch: (
                batch * count / driver.seconds(count)
            )
    except OSError as error:  # also ChildProcessError
        compare.say(f"{peer.name}: skipped, {error}")
        return {}
    return sides


def speed_claims(found, peers, batch):
    """Compared for every precision over its bare network, and over every peer that ran.

    Args:
        found: dict side -> image-steps a second of every round.
        peers: the Peers that ran.
        batch: of ours.
    """
    for dtype, bound in BOUNDS.items():
        if f"ours {dtype}" in found:
            kept = compare.ratios(found[f"ours {dtype}"], found[f"bare {dtype}"])
            claim = f"image-steps/s of ours over the bare network, {dtype}, batch {batch}"
            yield Compared(claim, kept, bound)
    for peer in peers:
        claim = f"image-steps/s of ours over {peer.requirements[0]}"
        rates = {b: found[f"{peer.name} x {b}"] for b in peer.batches}
        best = np.max([rates[b] for b in peer.batches if b not in peer.told], axis=0)
        for dtype in BOUNDS:
            if f"ours {dtype}" in found:  # the bound is for the precision that the peers have
                faster = compare.ratios(found[f"ours {dtype}"], best)
                bound = peer.bound if dtype == PEERS_DTYPE else None
                yield Compared(f"{claim}, {dtype}", faster, bound)
        for b in peer.told:
            faster = compare.ratios(found[f"ours {PEERS_DTYPE}"], rates[b])
            yield Compared(f"{claim}, {PEERS_DTYPE}, its batch of {b}", faster, None)


def print_hours(model, batch, steps, measured, size):
    """Print how long all channels take at full size: measured on a GPU, else on paper."""
    for dtype, rate in measured.items():
        rate, how = rate * (size / FULL_SIZE) ** 2, f"on paper, from {size} pixels"
        if backend.device_name().startswith("GPU"):
            side = speed(ours(model, LAYER, FULL_SIZE, batch, steps, dtype), batch, steps)
            side()
            rate, how = side(), "measured"
        channels = all_channels(model)
        hours = channels * FULL_STEPS / rate / 3600
        device = backend.device_name()
        compare.say(
            f"{device}, {dtype}, {FULL_SIZE} pixels, batch {batch}, {how}: {rate:.0f} "
            f"image-steps/s to {LAYER}; at that rate all {channels} channels of {NETWORK}'s "
            f"convolutions at {FULL_STEPS} steps take {hours:.2f} hours"
        )


def wanted_peers(settings):
    """Yield the peers to run, saying which are left out."""
    for peer in () if settings.no_peers else PEERS:
        if peer.whole and not settings.with_torch:
            compare.say(f"{peer.name}: skipped, give --with_torch to install PyTorch")
        else:
            yield peer


def measure(settings):
    """Measure ours, bare network and peers by turns, then many channels: yields Compared."""
    size, batch, steps = settings.size, settings.batch, settings.steps
    model = models.load(NETWORK, size).model
    sides, ran = own_sides(model, size, batch, steps), []
    with contextlib.ExitStack() as running:
        for peer in wanted_peers(settings):
            folder = Path(settings.peers)
            folder.mkdir(parents=True, exist_ok=True)
            of_peer = peer_sides(peer, folder, size, settings.peer_steps, running)
            ran += [peer] if of_peer else []
            sides |= of_peer
        rates = compare.by_turns(sides, settings.rounds)
    for name, measured in rates.items():
        compare.say(f"{name}: {np.median(measured):.1f} image-steps/s")
    yield from speed_claims(rates, ran, batch)
    own = {name[5:]: np.median(values) for name, values in rates.items() if name[:5] == "ours "}
    print_hours(model, batch, steps, own, size)
    yield from channel_by_channel.claims(
        model,
        LAYER,
        settings.scaling_steps,
        size,
        settings.scaling_rounds,
        settings.scaling_channels,
    )


@exit_code
def main(argv=None):
    """Run the command; returns its exit code."""
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")  # the peers use the same GPU
    return compare.run_benchmark(measure, Settings, QUICK, __doc__, argv)


if __name__ == "__main__":
    sys.exit(main())
