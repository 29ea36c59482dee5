"""Linear CKA from sums over pictures, against the direct formula with n x n Gram matrices.

Made-up float32 features of two networks that have something in common; all sides by turns in one
process, the forms of each in one call:

* ours: visualization.similarity.CkaSums, blocks of pictures, the paper's and the debiased form;
* the direct formula, as the notebook of Kornblith et al. 2019 has it: both Gram matrices once,
  each centred (and U-centred for the debiased form) by its means, one inner product and two norms
  a form, all in float64. No product of n x n matrices, as some other code centres with. Bounds:
  ours is at least 2 times as fast over 2,000 pictures, and no farther from it than 1e-9;
* for information: visualization.similarity.cka, which also leaves out each picture once for the
  interval, over our forms alone;
* peak memory of cka over 10,000 pictures in a process of its own, Python, NumPy, SciPy and the
  features (82 MB) included: at most 500 MB. One Gram matrix of these would be 800 MB.

    python -m benchmarks.similarity [--rounds 5] [--check | --quick]
"""

import sys
from dataclasses import dataclass

import numpy as np

from benchmarks import compare
from benchmarks.compare import Compared, option
from benchmarks.peak_memory import peak_memory
from models.command import exit_code
from visualization import similarity

FASTER, APART, MEMORY = 2, 1e-9, 500  # the bounds; the last in MB
# CKA with intervals, in a process of its own
ONE_LAYER = """
import sys
from benchmarks import similarity
pictures, features = map(int, sys.argv[1:])
found = similarity.similarity.cka(*similarity.made_up(pictures, features))
assert 0 < found.debiased < found.paper < 1, found
"""


@dataclass(frozen=True)
class Settings:
    """What is measured: so many pictures for speed, so many for memory, features of a layer."""

    pictures: int = option(2000, "for speed")
    memory_pictures: int = option(10_000, "for memory")
    features: int = option(1024, "of either network")
    memory_rounds: int = option(2, "for memory")
    rounds: int = option(5, "of each side")


QUICK = {
    "pictures": 60,
    "memory_pictures": 200,
    "features": 16,
    "memory_rounds": 1,
    "rounds": 2,
}


def made_up(pictures, features):
    """Features of two networks: half of each is of the same 20 directions, the rest its own.

    Returns:
        Two arrays (pictures, features) float32, around 2.
    """
    random = np.random.default_rng(0)
    common = random.standard_normal((pictures, 20), "float32")
    sides = []
    for _ in range(2):
        own = random.standard_normal((pictures, features), "float32")
        own += common @ random.standard_normal((20, features), "float32") / np.float32(20**0.5)
        sides.append(own + 2)
    return sides


def from_sums(x, y):
    """(The paper's form, the debiased form), ours."""
    sums = similarity.CkaSums()
    sums.add(x, y)
    return sums.paper, sums.debiased


def direct(x, y):
    """(The paper's form, the debiased form) from n x n matrices in float64."""
    grams = [side @ side.T for side in (x.astype("float64"), y.astype("float64"))]
    found = []
    for unbiased in (False, True):
        k, m = (centred(gram, unbiased) for gram in grams)
        scale = np.linalg.norm(k) * np.linalg.norm(m)
        found.append(float(k.ravel() @ m.ravel() / scale))
    return tuple(found)


def centred(gram, unbiased):
    """A Gram matrix centred, or U-centred (Szekely and Rizzo 2014)."""
    gram, n = gram.copy(), len(gram)
    if unbiased:
        np.fill_diagonal(gram, 0)
        means = gram.sum(axis=0) / (n - 2)
        means -= means.sum() / (2 * (n - 1))
    else:
        means = gram.mean(axis=0)
        means -= means.mean() / 2
    gram -= means[:, None]
    gram -= means[None]
    if unbiased:
        np.fill_diagonal(gram, 0)
    return gram


def speeds(pictures, features, rounds):
    """Three Compared: ours over the direct formula, how far apart they are, with the interval."""
    x, y = made_up(pictures, features)
    gaps = np.abs(np.subtract(from_sums(x, y), direct(x, y)))
    compare.say(f"apart: {gaps.max():.2g}")
    sides = {
        "ours": lambda: from_sums(x, y),
        "direct": lambda: direct(x, y),
        "with interval": lambda: similarity.cka(x, y),
    }
    seconds = compare.by_turns({k: compare.timed(v) for k, v in sides.items()}, rounds)
    for name, taken in seconds.items():
        compare.say(f"{name}: {np.median(taken):.3f} s")
    times = compare.ratios(seconds["direct"], seconds["ours"])
    longer = compare.ratios(seconds["with interval"], seconds["ours"])
    apart = tuple(gaps / APART)
    return [
        Compared(f"speed of CKA of {pictures} pictures over the direct formula", times, FASTER),
        Compared("apart from it", apart, 1, at_least=False, unit="e-9", summary=max),
        Compared("time with the interval over that of the forms alone", longer, None),
    ]


def memory(pictures, features, rounds):
    """One Compared: MB that CKA with its interval takes, in a process of its own."""
    peaks = [peak_memory(ONE_LAYER, pictures, features) for _ in range(rounds)]
    claim = f"memory of CKA of {pictures} pictures x {features} features"
    return Compared(claim, tuple(peaks), MEMORY, at_least=False, unit=" MB")


def measure(settings):
    """Measure speeds, then memory: yields Compared."""
    yield from speeds(settings.pictures, settings.features, settings.rounds)
    yield memory(settings.memory_pictures, settings.features, settings.memory_rounds)


@exit_code
def main(argv=None):
    """Run the command; returns its exit code."""
    return compare.run_benchmark(measure, Settings, QUICK, __doc__, argv)


if __name__ == "__main__":
    sys.exit(main())
