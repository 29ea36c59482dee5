"""Command: a paper's tables, figures and statements, ours beside the paper's.

python -m papers [PAPER [ITEM]] [--collections DIR | --small DIR] [--weights DIR | NETWORK:FILE ...]
    [--results_path DIR] [--datasets_path DIR] [--dry-run | --plan PLAN.csv] [--seeds N]
    [--only NETWORK ...]
"""

import argparse
import shlex
import sys
from pathlib import Path

from models.command import exit_code, start_keras
from models.errors import InputError
from papers.items import FINDINGS, choose, lacking, opened
from papers.places import (
    FIRST_SEED,
    SMALL_EPOCHS,
    SMALL_SIZE,
    Place,
    check_only,
    read_starts,
    read_weights,
)
from papers.protocols import PROTOCOLS
from papers.published import require
from papers.stages import carry_out, find_runs, in_order, spread, store_pictures, tree
from papers.waves import Line, waves, write_plan
from transfer.recipe import CHOICES
from transfer.result_folder import check_place, check_writable, write_text
from transfer.step_seconds import shown


def flags():
    """The command's flags."""
    parser = argparse.ArgumentParser(
        prog="python -m papers",
        description="A paper's tables, figures and statements: its runs are made, or found, and "
        "its numbers are shown beside ours.",
    )
    parser.add_argument("paper", nargs="?", help="The paper (default: list those there are).")
    parser.add_argument(
        "item",
        nargs="?",
        help=f"A table, a figure, a statement, or {FINDINGS} for all of them (default: list them, "
        "and what each needs; with --collections or --small everything is made).",
    )
    _add_picture_flags(parser)
    parser.add_argument(
        "--weights",
        nargs="+",
        action="extend",
        default=[],
        metavar="DIR|[START=]NETWORK:FILE",
        help="What each network starts from: a folder with files named after networks, or "
        "ResNet50:FILE, VGG19:imagenet; of one network several starts by name, hybrid=CaffeNet:"
        "FILE; networks without are missing (default: imagenet for all).",
    )
    _add_path_flags(parser)
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument(
        "--dry-run",
        action="store_true",
        help="Show the runs as a tree, with pictures, epochs and time, and make none.",
    )
    instead.add_argument(
        "--plan",
        type=Path,
        metavar="PLAN.csv",
        help="Write the runs that are not there as lines with what each needs, for job.sh, and "
        "make none; pictures are stored.",
    )
    _add_scale_flags(parser)
    return parser


def _add_picture_flags(parser):
    whose = parser.add_mutually_exclusive_group()
    whose.add_argument(
        "--collections",
        type=Path,
        metavar="DIR",
        help="The folder with each of the paper's collections in a folder of its name, as "
        "rijksmuseum, antwerp.",
    )
    whose.add_argument(
        "--small",
        type=Path,
        metavar="DIR",
        help="The folder of small collections that stand in the paper's place; every output says "
        "so.",
    )


def _add_path_flags(parser):
    parser.add_argument(
        "--results_path",
        type=Path,
        default=Path("results"),
        help="The folder of all results, as that of transfer.experiment (default: %(default)s).",
    )
    parser.add_argument(
        "--datasets_path",
        type=Path,
        default=Path("datasets"),
        help="The folder where splits and pictures are stored (default: %(default)s).",
    )


def _add_scale_flags(parser):
    parser.add_argument(
        "--seeds", type=int, default=1, help="How many seeds each run has (default: %(default)s)."
    )
    parser.add_argument(
        "--only",
        nargs="+",
        action="extend",
        default=[],
        metavar="NETWORK",
        help="Of the paper's networks only these (default: all).",
    )
    parser.add_argument(
        "--input_size",
        type=int,
        help="The side of the pictures in pixels (default: each network's own; with --small "
        f"{SMALL_SIZE}).",
    )
    parser.add_argument(
        "--epochs",
        type=int,
        help="The largest number of epochs (default: as in the paper; with --small "
        f"{SMALL_EPOCHS} where a network is trained).",
    )
    parser.add_argument(
        "--full",
        action="store_true",
        help="With --small too, all pictures, and size, epochs and training as in the paper.",
    )
    parser.add_argument(
        "--precision",
        choices=CHOICES["precision"],
        help="In what layers compute while they are trained (default: as in the recipe, float32).",
    )


@exit_code(resumes=True)
def main(argv=None):
    """Run the command; returns its exit code."""
    arguments = flags().parse_args(argv)
    if arguments.paper is None:
        for paper in PROTOCOLS.values():
            print(f"{paper.name}: {paper.title}; {len(paper.items)} items")
        return
    require("paper", arguments.paper, PROTOCOLS)
    place = read_place(arguments)
    words = item_flags(sys.argv[1:] if argv is None else argv)
    has_pictures = arguments.collections or arguments.small
    if arguments.plan and not has_pictures:
        raise InputError("plan needs pictures: give collections or small")
    if arguments.item is None and not has_pictures:
        print("\n".join(listing(place)))
        return
    asked = choose(place.paper, arguments.item)
    check_place(place.datasets_path)
    check_writable(place.results_path / "papers")
    if arguments.dry_run:
        start_keras(say=None)
        print("\n".join(forecast(asked, place)))
        return
    if arguments.plan:
        check_writable(arguments.plan)
        start_keras(say=None)
        print("\n".join(plan(asked, place, arguments.plan, words)))
        return
    start_keras()
    make(asked, place)
    summarise(place, words)


class _Word(str):
    """A word of a command line: another one of the same letters is another object."""


def item_flags(words):
    """The flags of the command that makes an item: the words but for paper, item and plan."""
    words = [_Word(word) for word in words]
    named = flags().parse_args(words)
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--plan")
    _, others = parser.parse_known_args(words)
    # a flag may have the paper's or the item's name as its value
    return [str(word) for word in others if word is not named.paper and word is not named.item]


def read_place(arguments):
    """The Place that flags name.

    Raises:
        InputError: a number, network, folder or weights file that cannot be.
    """
    for name in ("seeds", "input_size", "epochs"):
        value = getattr(arguments, name)
        if value is not None and value < 1:
            raise InputError(f"{name} is {value}; it must be above 0")
    paper = PROTOCOLS[arguments.paper]
    for name in ("collections", "small"):
        folder = getattr(arguments, name)
        if folder and not folder.is_dir():
            raise InputError(f"{name} is {folder}, which is not a folder that exists")
    small = bool(arguments.small) and not arguments.full
    return Place(
        paper,
        arguments.results_path,
        arguments.datasets_path,
        arguments.collections,
        arguments.small,
        read_weights(arguments.weights, paper.networks),
        check_only(arguments.only, paper.networks),
        arguments.input_size or (SMALL_SIZE if small else None),
        arguments.epochs,
        None if arguments.epochs else SMALL_EPOCHS if small else None,
        tuple(range(FIRST_SEED, FIRST_SEED + arguments.seeds)),
        arguments.precision,
        arguments.full,
        read_starts(arguments.weights, paper.networks, paper.starts),
    )


def listing(place):
    """Lines: the items of a paper, what each needs, what is there, how many runs it is."""
    yield f"{place.paper.title}"
    for item in place.paper.items:
        yield f"{item.name}: {item.title}"
        for dataset, challenge in item.needs:
            lacks = place.lacks_data(dataset, challenge)
            stands = place.stands_for(dataset, challenge)
            yield f"  pictures of {dataset}, {challenge}: {lacks or stands}"
        if item.runs:
            lacks = [name for name in place.paper.networks if name not in place.weights]
            there = [f"{name} from {text}" for name, text in place.weights.items()]
            yield f"  networks: {', '.join(there)}" + f"; missing: {', '.join(lacks)}" * bool(lacks)
            yield (
                f"  cost: {item.runs} runs of each seed, fewer beside items that share them; "
                "--dry-run tells their time"
            )
    yield f"{FINDINGS}: what the paper says of these numbers, decided on ours"


def forecast(asked, place):
    """Lines: the runs that are asked for as a tree, what is there, what is missing, the time."""
    from papers.cost import estimate

    cells = [cell for item in asked.items for cell in item.plan(place)]
    stages = in_order(stage for cell in cells for stage in cell.stages)
    there = find_runs(stages, place.results_path)
    left = [stage for stage in stages if stage not in there]
    costs = estimate(left, say=lambda line: print(line, file=sys.stderr))
    yield f"{place.paper.title}: {', '.join(item.name for item in asked.items)}"
    yield f"on {place.told}"
    for depth, stage in tree(stages):
        yield "  " * (depth + 1) + stage.name + ": " + _told(stage, there, costs)
    yield from (f"  then {line}" for line in _beside(cells))
    yield from _missing(cells)
    total = sum(cost.seconds for cost in costs.values() if not cost.refused)
    yield (
        f"{len(stages)} runs, {len(there)} of them there; the others at most {shown(total)} on "
        "this machine, by a few steps of each network; pictures are not read, nor heads trained"
    )


def plan(asked, place, path, words):
    """Write the runs that are asked for and not there as a plan; lines that tell what is in it.

    An item that takes long beside its runs is a line too, which needs theirs.

    Args:
        asked: papers.items.Asked.
        place: Place.
        path: of the plan.
        words: flags of the command that makes an item.
    """
    from papers.report import command

    cells = {item.name: item.plan(place) for item in asked.items}
    every = [cell for own in cells.values() for cell in own]
    stages = [stage for cell in every for stage in cell.stages]
    refused = store_pictures(stages)
    made = spread([s for s in stages if s not in refused], place.results_path, command)
    lines = list(made.lines)
    for name, own in cells.items():
        needed = [stage for cell in own if not cell.lacks for stage in cell.stages]
        if _beside(own) and not made.later.keys() & set(needed):
            lines.append(_line_of(item_command(place, name, words), needed, made, len(lines) + 1))
    write_plan(lines, path)
    yield f"on {place.told}"
    yield from _missing(every)
    for why, left_out in (("not planned", refused), ("to be planned later", made.later)):
        pairs = (({"name": stage.name}, reason) for stage, reason in left_out.items())
        yield from (f"{why}: {line}" for line in lacking(pairs))
    yield (
        f"{path}: {len(made.lines)} runs and {len(lines) - len(made.lines)} items in "
        f"{len(waves(lines))} waves; {len(made.there)} runs are there; ./job.sh --array {path} "
        "makes them, then this command without --plan collects"
    )


def _line_of(command, stages, made, id):
    """The Line of an item's command, in the wave behind the runs that it needs."""
    needs = sorted({made.ids[stage] for stage in stages if stage in made.ids})
    wave = 1 + max((line.wave for line in made.lines if line.id in needs), default=0)
    return Line(id, wave, tuple(needs), command)


def item_command(place, item, words):
    """The command that makes an item, with these flags."""
    return shlex.join(["python", "-m", "papers", place.paper.name, item, *words])


def _beside(cells):
    """Lines: what takes long beside the runs, of cells that can be made."""
    return list(dict.fromkeys(line for cell in cells if not cell.lacks for line in cell.also))


def _told(stage, there, costs):
    from transfer.results import one_line

    if stage in there:
        return f"there, {there[stage]}"
    cost = costs[stage]
    if cost.refused:
        return f"refused: {one_line(cost.refused)}"
    parts = ", ".join(f"{count} {part}" for part, count in cost.pictures.items())
    return f"{parts} pictures, at most {cost.epochs} epochs, {shown(cost.seconds)}"


def _missing(cells):
    """Lines: what is lacking, and of which rows; of a pair or a curve the row of its network."""
    lines = lacking((dict(list(cell.keys.items())[:3]), cell.lacks) for cell in cells)
    return [f"missing: {line}" for line in lines]


def make(asked, place, say=print):
    """Make or find every run that is asked for; write each item's folder and the statements."""
    from papers import report
    from transfer.run import read_run

    below = place.results_path / "papers" / place.paper.name
    for name in [*(item.name for item in asked.items), *_statements_folder(asked)]:
        report.check_folder(below / name, place)
    cells = {item.name: opened(item.plan(place)) for item in asked.items}
    say(f"on {place.told}")
    for line in _missing([cell for some in cells.values() for cell in some]):
        say(line)
    stages = [stage for some in cells.values() for cell in some for stage in cell.stages]
    folders, refused = carry_out(stages, place.results_path)
    runs = {stage: read_run(folder) for stage, folder in folders.items()}
    numbers, on = {}, {}
    for item in asked.items:
        own = cells[item.name]
        found, folder = report.write_item(item, own, runs, place, refused, below / item.name)
        say(f"{item.name} in {folder}")
        if item.published:
            numbers.setdefault(item.published, []).append(found)
            told = dict.fromkeys(cell.on for cell in own if not cell.lacks)
            on.setdefault(item.published, {}).update(told)
    for name in _statements_folder(asked):
        _decide(asked.statements, numbers, place, on, below / name)


def _statements_folder(asked):
    """The folder's name of the statements that are asked for: of one its own; [] of none."""
    one = [finding.name for finding in asked.statements]
    return [FINDINGS] if len(one) > 1 else one


def summarise(place, words):
    """Write the page that has a row for each item that was made so far, with its command.

    Args:
        place: Place.
        words: flags of the command that makes an item.
    """
    from papers.summary import count_findings, read_items, summary_page

    below = place.results_path / "papers" / place.paper.name
    page = summary_page(
        place.paper.title,
        place.told,
        read_items(place.paper.items, below),
        lambda item: item_command(place, item, words),
        count_findings(below),
    )
    write_text(below / "summary.md", page)
    print(f"all items in {below / 'summary.md'}")


def _decide(statements, numbers, place, on, folder):
    import pandas as pd

    from papers import report

    joined = {name: pd.concat(frames, ignore_index=True) for name, frames in numbers.items()}
    decided = report.write_findings(statements, joined, place, on, folder)
    for row in decided.itertuples():
        print(f"{row.finding}: {row.ours}; by the paper's numbers: {row.paper}")
    print(f"statements in {folder}")


if __name__ == "__main__":
    sys.exit(main())
