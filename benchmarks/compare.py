"""Two or more ways of doing one thing, run by turns, and their ratios against a bound."""

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

from models import backend
from transfer.result_folder import versions


@dataclass(frozen=True)
class Compared:
    """A claim, one value for each round, and the bound that their summary must keep."""

    claim: str
    values: tuple
    bound: float | None  # None: printed for information
    at_least: bool = True  # else the bound is the most that is allowed
    unit: str = ""  # "" for a ratio
    summary: Callable = statistics.median

    def passed(self):
        """Whether the summary of the values keeps the bound; NaN does not."""
        value = self.summary(self.values)
        if self.bound is None:
            return True
        return value >= self.bound if self.at_least else value <= self.bound

    def line(self):
        """One line: PASS or MISS, the claim, the summary, its spread over the rounds, the bound."""
        value, low, high = self.summary(self.values), min(self.values), max(self.values)
        verdict = "    " if self.bound is None else "PASS" if self.passed() else "MISS"
        spread = f"{self.summary.__name__} of {len(self.values)}, {low:.3f} to {high:.3f}"
        text = f"{verdict} {self.claim}: {value:.3f}{self.unit} ({spread})"
        if self.bound is None:
            return f"{text}, no bound"
        return f"{text}, bound {'>=' if self.at_least else '<='} {self.bound:g}{self.unit}"


def timed(call):
    """Turn call() into a side of `by_turns`: the seconds that it takes."""

    def seconds():
        started = time.monotonic()
        call()
        return time.monotonic() - started

    return seconds


def by_turns(sides, rounds, warm_up=True):
    """Run every side once a round, A B A B ..., so that a busy minute of the machine hits all.

    Args:
        sides: dict name -> callable that returns the number it measured.
        rounds: how often each is run.
        warm_up: run each once before, unmeasured (files into the page cache, graphs traced).

    Returns:
        dict name -> list of `rounds` numbers.
    """
    if warm_up:
        for measure in sides.values():
            measure()
    found = {name: [] for name in sides}
    for _ in range(rounds):
        for name, measure in sides.items():
            found[name].append(measure())
    return found


def ratios(numerators, denominators):
    """The ratio of each round: tuple of float."""
    return tuple(a / b for a, b in zip(numerators, denominators, strict=True))


def flags(description, rounds):
    """A parser with the flags that every benchmark has; rounds: the default of --rounds."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=positive, default=rounds, help=f"default {rounds}")
    parser.add_argument("--check", action="store_true", help="exit code 1 where a bound is missed")
    return parser


def positive(text):
    """Read a flag's whole number above 0."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number}; it must be above 0")
    return number


def print_setting():
    """Print what the numbers depend on; keeps decoding off a GPU that another backend uses."""
    backend.keep_pipeline_on_cpu()
    print(f"device: {backend.device_name()}")
    print("versions:", ", ".join(f"{k} {v}" for k, v in versions().items()), flush=True)


def report(found, check):
    """Print every Compared; returns the exit code: 1 where one is missed and `check` is set."""
    for compared in found:
        print(compared.line(), flush=True)
    return int(check and not all(compared.passed() for compared in found))
