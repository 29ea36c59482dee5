"""Which finished run started from which other: trees from the first weights on, with their numbers.

A run says from which file it started; the run whose network that is, and still is, stands above it.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from models.weights import IMAGENET, NONE
from transfer.result_folder import sha256
from transfer.results import Column, cell_text, escape, headline, interval, label_column
from transfer.run import ENSEMBLE, MODEL, FinishedRun

PLACE = 4  # parts of a run's path below the folder of results: data set, challenge, network, recipe
REPEATED = re.compile(r",(split_)?seed=\d+")  # in a run's folder: what a repeat changes
INDENT = "  "


@dataclass(frozen=True, eq=False)
class Stage:
    """A run of a chain. depth: from 1, runs before it and itself. start: what it started from.

    before: the Stage that it started from, or None; start then names no run.
    """

    run: FinishedRun
    depth: int
    start: str
    before: "Stage | None" = None

    @property
    def name(self):
        """What it is, but for what repeats of it change."""
        run = self.run
        label = label_column(Column(run.mode, "", run.classifier), {})
        changed = REPEATED.sub("", run.folder.name).partition(",")[2]
        return f"{run.title}, {run.network} {label}" + (f" [{changed}]" if changed else "")


def find_chains(runs):
    """The runs that started from one another, and others on the data of these to read them beside.

    Args:
        runs: list of transfer.run.FinishedRun.

    Returns:
        list of Stage, each behind the one that it started from; empty where no run started from
        another.
    """
    above = {run: _before(run, runs) for run in runs if run.mode != ENSEMBLE}
    data = {_data(run) for run, before in above.items() if before}
    shown = set()
    for run in above:
        while run and run not in shown and (_data(run) in data or run in above.values()):
            shown.add(run)
            run = above[run]

    def stages(before, depth):
        parent = before and before.run
        for run in runs:
            if run in shown and above[run] is parent:
                stage = Stage(run, depth, _start(run), before)
                yield stage
                yield from stages(stage, depth + 1)

    return list(stages(None, 1)) if data else []


def _data(run):
    return run.dataset, run.challenge, run.toy


def _before(run, runs):
    """The one of some runs that a run started from, or None."""
    path = Path(run.weights)
    if path.name != MODEL:
        return None
    folder = path.parent
    found = [other for other in runs if other.folder.resolve() == folder.resolve()]
    # results may have been moved, or are looked at from another folder
    place = folder.parts[-PLACE:]
    found = found or [other for other in runs if other.folder.resolve().parts[-PLACE:] == place]
    if len(found) != 1 or found[0] is run:
        return None
    digest = (run.metrics.get("settings") or {}).get("weights_sha256")
    network = found[0].folder / MODEL
    if digest and network.exists() and sha256(network) != digest:
        return None
    return found[0]


def _start(run):
    words = {IMAGENET: "ImageNet", NONE: "no trained weights"}
    return words.get(run.weights, run.weights)


def section(stages):
    """Chains as Markdown: a list of lists, repeats of what nothing started from in one line.

    Args:
        stages: of find_chains.
    """
    lines, written = [], set()
    started_from = {stage.before for stage in stages}
    roots = dict.fromkeys(stage.start for stage in stages if stage.before is None)
    numbers = {start: number for number, start in enumerate(roots)}

    def write(before, start):
        for stage in stages:
            if stage.before is not before or (before is None and stage.start != start):
                continue
            alike = [other for other in stages if _are_repeats(stage, other, started_from)]
            if stage not in written:
                written.update(alike)
                text = cell_text([other.run for other in alike])
                lines.append(f"{INDENT * stage.depth}- {escape(stage.name)}: {text}\n")
                write(stage, start)

    for start in sorted(roots, key=lambda start: (start != "ImageNet", numbers[start])):
        lines.append(f"- {escape(start)}\n")
        write(None, start)
    intro = (
        "What each run started from, and its accuracy on its own test pictures, which can be "
        "compared only within one challenge and split.\n"
    )
    return "\n".join(["## Chains\n", intro, "".join(lines)])


def _are_repeats(stage, other, started_from):
    if stage is other:
        return True
    alike = (stage.name, stage.start, stage.before) == (other.name, other.start, other.before)
    return alike and not {stage, other} & started_from


def chains_frame(stages, results_dir):
    """A row per run of the chains, for chains.csv.

    Args:
        stages: of find_chains.
        results_dir: folder that places of runs are told from.
    """
    rows = []
    for stage in stages:
        run, low_high = stage.run, interval([stage.run]) or ()
        before = stage.before and _place(stage.before.run, results_dir)
        rows.append(
            {
                "run": _place(run, results_dir),
                "started_from": before or run.weights,
                "depth": stage.depth,
                "dataset": run.dataset,
                "challenge": run.challenge,
                "network": run.network,
                "tl_mode": run.mode,
                "measure": headline(run.metrics),
                "percent": f"{run.accuracy:.2f}",
                **dict(zip(("low95", "high95"), (f"{x:.2f}" for x in low_high), strict=False)),
                "n_train": run.metrics.get("n_train", ""),
                "n_test": run.metrics.get("n_test", ""),
                "split_sha256": run.split_sha256,
            }
        )
    return pd.DataFrame(rows, dtype=object).fillna("")


def _place(run, results_dir):
    return run.folder.relative_to(results_dir).as_posix()
