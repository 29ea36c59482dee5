"""A plan: lines for a shell and what each needs, cut into waves whose lines have no order.

A plan is a CSV file that a person may edit. `id` is the number of a line, as a task of a SLURM
array has it; `wave` is above that of every line that it needs; `needs` holds their ids, with spaces
between; `command` is carried out where the plan was made, since its paths are those of that folder.
"""

from dataclasses import dataclass, fields
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from models.errors import InputError
from transfer import metadata
from transfer.result_folder import write_csv
from visualization.whole_numbers import spans


@dataclass(frozen=True)
class Line:
    """A line of a plan: its id and wave, from 1; ids of the lines that it needs; its command."""

    id: int
    wave: int
    needs: tuple[int, ...]
    command: str


COLUMNS = tuple(field.name for field in fields(Line))


def write_plan(lines, path):
    """Write Lines as a CSV file, whole, into a folder made for it; one there is replaced."""
    import pandas as pd

    Path(path).parent.mkdir(parents=True, exist_ok=True)
    rows = [(line.id, line.wave, " ".join(map(str, line.needs)), line.command) for line in lines]
    write_csv(path, pd.DataFrame(rows, columns=COLUMNS))


def read_plan(path):
    """The lines of a plan, sorted by wave and id: tuple of Line.

    Raises:
        InputError: no such file, not a CSV file, or a column missing; an id, wave or need that is
            no whole number above 0, an id twice, no command, an unknown need, lines that need one
            another, or a line that is not in a wave above those that it needs.
    """
    table = metadata.read_csv(path, *((name,) for name in COLUMNS))
    lines = {}
    for row, cells in table.iterrows():
        line = _read_line(cells, f"{path}, line {row}")
        if line.id in lines:
            raise InputError(f"{path}, line {row}: id {line.id} is there twice; each is one line's")
        lines[line.id] = line
    for line in lines.values():
        for need in line.needs:
            if need not in lines:
                raise InputError(
                    f"{path}: id {line.id} needs {need}, which is no id; there is {spans(lines)}"
                )
    try:
        TopologicalSorter({line.id: line.needs for line in lines.values()}).prepare()
    except CycleError as error:
        circle = " needs ".join(map(str, reversed(error.args[1])))
        raise InputError(f"{path}: lines need one another in a circle: {circle}") from None
    for line in lines.values():
        for need in (lines[need] for need in line.needs):
            if need.wave >= line.wave:
                raise InputError(
                    f"{path}: id {line.id}, of wave {line.wave}, needs {need.id}, of wave "
                    f"{need.wave}; a line's wave is above those of the lines that it needs"
                )
    return tuple(sorted(lines.values(), key=lambda line: (line.wave, line.id)))


def _read_line(cells, where):
    """The Line of a row; InputError, which begins with `where`, for what cannot be one."""
    numbers = {}
    for name in ("id", "wave", "needs"):
        texts = cells[name].split() if name == "needs" else [cells[name].strip()]
        if not all(text.isascii() and text.isdigit() and int(text) > 0 for text in texts):
            several = "whole numbers above 0 with spaces between"
            accepted = several if name == "needs" else "a whole number above 0"
            raise InputError(f"{where}: {name} is {cells[name]!r}; accepted: {accepted}")
        numbers[name] = tuple(map(int, texts))
    if not cells["command"].strip():
        raise InputError(f"{where}: command is empty; accepted: a line for the shell")
    return Line(*numbers["id"], *numbers["wave"], numbers["needs"], cells["command"])


def find_line(lines, id):
    """The line of an id; InputError where there is none."""
    for line in lines:
        if line.id == id:
            return line
    raise InputError(f"no line {id} in the plan; there is {spans(line.id for line in lines)}")


def waves(lines):
    """The ids of each wave, in order: list of lists."""
    of_wave = {}
    for line in lines:
        of_wave.setdefault(line.wave, []).append(line.id)
    return [of_wave[wave] for wave in sorted(of_wave)]
