"""Two or more ways of doing one thing, run by turns, their ratios against a bound; the command.

A benchmark is a frozen dataclass of what it is asked for, and a function that measures: from these
`run_benchmark` makes the command, with its flags, `--quick`, `--check` and its lines.
"""

import argparse
import dataclasses
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from models.command import start_keras
from transfer.result_folder import versions

QUICK = "quick: "  # before every line of a smoke run, whose numbers say nothing


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


def say(text):
    """Print at once what is being done, or what was measured."""
    print(text, flush=True)


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
        rounds: how often each is run; what it gave is printed each time.
        warm_up: run each once before, unmeasured (files into the page cache, graphs traced).

    Returns:
        dict name -> list of `rounds` numbers.
    """
    if warm_up:
        for name, measure in sides.items():
            say(f"warming up: {name}")
            measure()
    measured = {name: [] for name in sides}
    for number in range(1, rounds + 1):
        for name, measure in sides.items():
            measured[name].append(measure())
            say(f"round {number} of {rounds}, {name}: {measured[name][-1]:.4g}")
    return measured


def ratios(numerators, denominators):
    """The ratio of each round: tuple of float."""
    return tuple(a / b for a, b in zip(numerators, denominators, strict=True))


def option(default, help):
    """Describe a field of a benchmark's settings: its default and its help, without full stop."""
    return field(default=default, metadata={"help": help})


def run_benchmark(measure, settings, quick, description, argv=None):
    """Run a benchmark as a command.

    Args:
        measure: function (settings) -> iterable of Compared; each is printed as it comes.
        settings: frozen dataclass. A field without a default is a positional argument, any other
            a flag: a whole number above 0, text, a switch where the default is False, or several
            numbers where it is a tuple.
        quick: dict field -> value in place of the default, for `--quick`.
        description: of the command.
        argv: its arguments; None for the process's own.

    Returns:
        The exit code: 1 where a bound is missed and `--check` was given.
    """
    given = vars(_parser(settings, description).parse_args(argv))
    smoke, check = given.pop("quick"), given.pop("check")
    given = {name: tuple(v) if isinstance(v, list) else v for name, v in given.items()}
    asked = settings(**((quick if smoke else {}) | given))
    mark = QUICK if smoke else ""
    _print_setting()
    if smoke:
        say("quick: a smoke run; its numbers say nothing")
    kept = True
    for compared in measure(asked):
        say(mark + compared.line())
        kept = kept and compared.passed()
    return int(check and not kept)


def _parser(settings, description):
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for each in dataclasses.fields(settings):
        if each.default is dataclasses.MISSING:
            parser.add_argument(each.name)
        else:
            _add_flag(parser, each)
    ways = parser.add_mutually_exclusive_group()
    ways.add_argument("--check", action="store_true", help="Exit with 1 if a bound is missed.")
    ways.add_argument(
        "--quick", action="store_true", help="Make a smoke run of seconds: the same lines, small."
    )
    return parser


def _add_flag(parser, each):
    """Add the flag of a dataclass field; one that is not given leaves no trace."""
    default, what = each.default, each.metadata["help"]
    how = {"default": argparse.SUPPRESS, "help": f"{what}."}
    if default is False:
        how["action"] = "store_true"
    elif isinstance(default, tuple):
        how |= {"type": positive, "nargs": len(default)}
    else:
        how["type"] = positive if isinstance(default, int) else type(default)
    if default is not False:
        text = " ".join(map(str, default)) if isinstance(default, tuple) else default
        how["help"] = f"{what} (default: {text})."
    parser.add_argument(f"--{each.name}", **how)


def positive(text):
    """Read a flag's whole number above 0."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number}; it must be above 0")
    return number


def _print_setting():
    """Print what the numbers depend on."""
    start_keras(say)
    say("versions: " + ", ".join(f"{k} {v}" for k, v in versions().items()))
