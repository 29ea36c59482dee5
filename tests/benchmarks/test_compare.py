"""The arithmetic of comparisons by hand, and the command that every benchmark has."""

import math
from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from benchmarks import compare
from benchmarks.compare import Compared, option


@pytest.mark.parametrize(
    ("compared", "line"),
    [
        (
            Compared("a over b", (4.5, 3.0, 6.0), 4),
            "PASS a over b: 4.500 (median of 3, 3.000 to 6.000), bound >= 4",
        ),
        (
            Compared("a over b", (4.5, 3.0, 3.0), 4),
            "MISS a over b: 3.000 (median of 3, 3.000 to 4.500), bound >= 4",
        ),
        (
            Compared("more", (250.0, 310.0), 300, at_least=False, unit=" MB"),
            "PASS more: 280.000 MB (median of 2, 250.000 to 310.000), bound <= 300 MB",
        ),
        (
            Compared("apart", (0.0, 0.5, 1.0), 0.5, at_least=False, summary=max),
            "MISS apart: 1.000 (max of 3, 0.000 to 1.000), bound <= 0.5",
        ),
        (
            Compared("told", (2.0,), None),
            "     told: 2.000 (median of 1, 2.000 to 2.000), no bound",
        ),
    ],
)
def test_a_line_says_whether_the_summary_keeps_the_bound(compared, line):
    assert compared.line() == line
    assert compared.passed() != line.startswith("MISS")


@pytest.mark.parametrize("at_least", [True, False])
def test_what_is_exactly_at_the_bound_passes_and_nan_misses(at_least):
    assert Compared("x", (4.0,), 4, at_least).passed()
    assert not Compared("x", (math.nan,), 4, at_least).passed()


def test_ratios_are_those_of_each_round():
    assert compare.ratios([6.0, 10.0, 1.0], [3.0, 4.0, 4.0]) == (2.0, 2.5, 0.25)


@pytest.mark.parametrize(("warm_up", "first"), [(True, 1), (False, 0)])
def test_sides_run_by_turns_and_warming_up_is_not_counted(warm_up, first):
    order = []

    def side(name):
        def measure():
            order.append(name)
            return order.count(name) - 1

        return measure

    found = compare.by_turns({"a": side("a"), "b": side("b")}, 3, warm_up)
    assert order == ["a", "b"] * (3 + first)
    assert found == dict.fromkeys("ab", [first, first + 1, first + 2])


def test_timed_is_the_time_of_the_call(monkeypatch):
    clock = iter([10.0, 12.5])
    monkeypatch.setattr(compare, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    assert compare.timed(lambda: "anything")() == 2.5


def test_every_run_of_a_side_says_what_it_gave(capsys):
    compare.by_turns({"a": lambda: 2.0, "b": lambda: 0.123456}, 2)
    assert capsys.readouterr().out.splitlines() == [
        "warming up: a",
        "warming up: b",
        "round 1 of 2, a: 2",
        "round 1 of 2, b: 0.1235",
        "round 2 of 2, a: 2",
        "round 2 of 2, b: 0.1235",
    ]


@dataclass(frozen=True)
class Settings:
    """One field of each kind."""

    file: str
    steps: int = option(7, "steps")
    sizes: tuple = option((2, 3), "few and many")
    name: str = option("VGG19", "network")
    bare: bool = option(False, "without peers")


@pytest.fixture
def run(monkeypatch):
    """Return run(flags): the Settings that a benchmark got, and its exit code."""
    monkeypatch.setattr(compare, "_print_setting", lambda: None)

    def run(*flags, found=()):
        got = []

        def measure(settings):
            got.append(settings)
            yield from found

        code = compare.run_benchmark(measure, Settings, {"steps": 1, "bare": True}, "Text.", flags)
        return got[0], code

    return run


def test_flags_are_the_fields_of_the_settings(run):
    assert run("f")[0] == Settings("f")
    given = run("f", "--steps", "4", "--sizes", "5", "6", "--name", "X", "--bare")[0]
    assert given == Settings("f", 4, (5, 6), "X", True)


def test_a_smoke_run_is_small_where_nothing_else_is_asked_and_marks_its_lines(run, capsys):
    kept = Compared("kept", (5.0,), 4)
    assert run("f", "--quick", found=[kept])[0] == Settings("f", 1, bare=True)
    assert run("f", "--quick", "--steps", "3")[0] == Settings("f", 3, bare=True)
    assert f"quick: {kept.line()}" in capsys.readouterr().out.splitlines()


def test_a_smoke_run_is_never_checked_and_whole_numbers_are_above_0(run, capsys):
    for wrong in (["--quick", "--check"], ["--steps", "0"], ["--steps", "x"], ["--sizes", "1"]):
        with pytest.raises(SystemExit, match="2"):
            run("f", *wrong)
    assert "0; it must be above 0" in capsys.readouterr().err


def test_only_check_turns_a_miss_into_exit_code_1(run, capsys):
    kept, missed = Compared("kept", (5.0,), 4), Compared("missed", (3.0,), 4)
    assert run("f", found=[kept, missed])[1] == 0
    assert run("f", "--check", found=[kept, missed])[1] == 1
    assert run("f", "--check", found=[kept])[1] == 0
    printed = capsys.readouterr().out.splitlines()
    assert [line[:11] for line in printed[:2]] == ["PASS kept: ", "MISS missed"]
