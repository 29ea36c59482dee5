"""A plan: lines for a shell and what each needs, cut into waves whose lines have no order.

A plan is a CSV file that a person may edit. `id` is the number of a line, as a task of a SLURM
array has it; `wave` is above that of every line that it needs; `needs` holds their ids, with spaces
between; `command` is carried out where the plan was made, since its paths are those of that folder.
"""

from dataclasses import dataclass, fields
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from models.errors import InputError
from papers.stages import find_runs, folder_ahead, folder_of, in_order, words
from transfer import metadata
from transfer.result_folder import write_csv


@dataclass(frozen=True)
class Line:
    """A line of a plan: its id and wave, from 1; ids of the lines that it needs; its command."""

    id: int
    wave: int
    needs: tuple[int, ...]
    command: str


COLUMNS = tuple(field.name for field in fields(Line))


@dataclass(frozen=True)
class Spread:
    """Runs spread over the lines of a plan.

    lines: tuple of Line, wave by wave. there: dict Stage -> folder of a run that needs no line.
    later: dict Stage -> why its line can only be written when those of this plan are carried out.
    """

    lines: tuple[Line, ...]
    there: dict
    later: dict


def spread(stages, results_path, command):
    """A line for every run that is not there, in a wave behind the runs that it needs.

    A line names the folder of the run that it starts from. Where something else has that folder,
    the run is given another name, which is not known before it is made.

    Args:
        stages: of papers.stages.Stage.
        results_path: folder of all results.
        command: function (papers.stages.words of a stage) -> its command.

    Returns:
        Spread.
    """
    there = find_runs(stages, results_path)
    left = [stage for stage in in_order(stages) if stage not in there]
    known = _known_folders(left, there, results_path)
    later = {}
    for stage in left:
        if stage.start in later or (stage.start in left and stage.start not in known):
            taken = folder_of(stage.start, results_path, {})
            later[stage] = (
                f"where the run lies that it starts from is not known yet: {taken} is taken"
            )
    planned = [stage for stage in left if stage not in later]
    holders = {folder_of(stage, results_path, {}): stage for stage in known}
    needs = {}
    for stage in planned:
        # a run that others start from is made before those that would take its name
        holder = holders.get(folder_of(stage, results_path, {}), stage)
        needs[stage] = {stage.start, holder}.intersection(planned) - {stage}

    def wave(stage):
        return 1 + max(map(wave, needs[stage]), default=0)

    ordered = sorted(planned, key=wave)
    ids = {stage: number for number, stage in enumerate(ordered, 1)}
    lines = [
        Line(
            ids[stage],
            wave(stage),
            tuple(sorted(ids[needed] for needed in needs[stage])),
            command(words(stage, results_path, there | known)),
        )
        for stage in ordered
    ]
    return Spread(tuple(lines), there, later)


def _known_folders(left, there, results_path):
    """Where runs are to lie that others start from: dict Stage -> Path, one stage a folder."""
    known, names = {}, set()
    for start in dict.fromkeys(stage.start for stage in left if stage.start in left):
        name = folder_of(start, results_path, {})
        place = None if name in names else folder_ahead(start, results_path, there)
        if place:
            known[start] = place
            names.add(name)
    return known


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
                    f"{path}: id {line.id} needs {need}, which is no id; there is {told(lines)}"
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
    raise InputError(f"no line {id} in the plan; there is {told(line.id for line in lines)}")


def waves(lines):
    """The ids of each wave, in order: list of lists."""
    of_wave = {}
    for line in lines:
        of_wave.setdefault(line.wave, []).append(line.id)
    return [of_wave[wave] for wave in sorted(of_wave)]


def told(ids):
    """Numbers as the array of SLURM takes them: `1-3,7`; of none `nothing`."""
    runs = []
    for id in sorted(ids):
        if runs and id == runs[-1][-1] + 1:
            runs[-1].append(id)
        else:
            runs.append([id])
    texts = [f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs]
    return ",".join(texts) or "nothing"
