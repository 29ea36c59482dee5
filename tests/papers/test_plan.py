"""Plans carried out: all lines, one of them, what needs a line that failed; the waves printed."""

import os

import pytest

from papers import plan
from papers.waves import Line, write_plan


@pytest.fixture
def path(tmp_path, monkeypatch):
    """Return a plan of six lines in three waves that write into a file; the third fails."""
    monkeypatch.chdir(tmp_path)
    lines = [
        Line(1, 1, (), "echo 1 >> done"),
        Line(2, 1, (), "echo '2: a, \"b\"' >> done"),
        Line(3, 1, (), "exit 3"),
        Line(4, 2, (1, 2), "echo 4 >> done"),
        Line(5, 2, (3,), "echo 5 >> done"),
        Line(6, 3, (4, 5), "echo 6 >> done"),
    ]
    write_plan(lines, tmp_path / "plan.csv")
    return tmp_path / "plan.csv"


def done(path):
    file = path.parent / "done"
    return file.read_text().splitlines() if file.exists() else []


def test_waves_are_printed(path, capfd):
    assert plan.main([str(path), "--waves"]) == 0
    assert capfd.readouterr().out == "1-3\n4-5\n6\n"
    assert done(path) == []


def test_all_lines_but_those_that_need_one_that_failed(path, capfd):
    assert plan.main([str(path)]) == 1
    assert done(path) == ["1", '2: a, "b"', "4"]
    said = capfd.readouterr()
    assert "== 4: echo 4 >> done\n" in said.out and "3 of 6 lines are done\n" in said.out
    assert said.err == "failed: 3; left out, since they need these: 5-6\n"


def test_one_line_and_its_exit_code(path, capfd):
    assert plan.main([str(path), "--task", "4"]) == 0 and done(path) == ["4"]
    assert plan.main([str(path), "--task", "3"]) == 3
    assert plan.main([str(path), "--task", "7"]) == 2
    assert "no line 7 in the plan; there is 1-6" in capfd.readouterr().err


def test_a_line_that_is_killed_has_the_shells_code(path):
    write_plan([Line(1, 1, (), "kill -9 $$")], path)
    assert plan.main([str(path), "--task", "1"]) == 128 + 9
    assert plan.main([str(path)]) == 1


def test_sigterm_ends_the_line_under_way_first(path):
    """The line keeps what it has; its shell is the process that Python started."""
    lines = [
        Line(
            1,
            1,
            (),
            "trap 'echo kept >> done; exit 5' TERM; sleep 0.5; kill -TERM $PPID; sleep 9 & wait",
        ),
        Line(2, 1, (), "echo 2 >> done"),
    ]
    write_plan(lines, path)
    assert plan.main([str(path)]) == 143
    assert done(path) == ["kept"]


def test_an_interrupt_at_the_keyboard_comes_to_a_line_once(path):
    """By this process, since the line is of a group of its own."""
    write_plan([Line(1, 1, (), "ps -o pgid= -p $$ > done")], path)
    assert plan.main([str(path)]) == 0
    assert int(done(path)[0]) != os.getpgrp()


def test_a_plan_without_lines_is_done(path, capfd):
    write_plan([], path)
    assert plan.main([str(path)]) == 0
    assert capfd.readouterr().out == "0 of 0 lines are done\n"
    assert plan.main([str(path), "--waves"]) == 0 and capfd.readouterr().out == ""
