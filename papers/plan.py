"""Command: carry out a plan that python -m papers wrote: all its lines in order, or one of them.

python -m papers.plan PLAN.csv [--task I | --waves]
"""

import argparse
import os
import signal
import subprocess
import sys
from pathlib import Path

from models.command import exit_code
from papers.waves import find_line, read_plan, waves
from visualization.whole_numbers import spans

KILLED = 128  # a shell adds it to the number of the signal that ended a command


def flags():
    """The command's flags."""
    parser = argparse.ArgumentParser(
        prog="python -m papers.plan",
        description="Carry out the lines of a plan one after another; what needs a line that "
        "failed is left out.",
    )
    parser.add_argument("plan", type=Path, help="The plan, a CSV file.")
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--task", type=int, metavar="I", help="Carry out the line of this id alone (default: all)."
    )
    which.add_argument(
        "--waves",
        action="store_true",
        help="Carry out none; print the ids of each wave on a line, as an array of SLURM takes "
        "them (default: carry out).",
    )
    return parser


@exit_code(resumes=True)
def main(argv=None):
    """Run the command; returns its exit code, that of the line where one is asked for."""
    arguments = flags().parse_args(argv)
    lines = read_plan(arguments.plan)
    if arguments.waves:
        print("".join(f"{spans(ids)}\n" for ids in waves(lines)), end="")
    elif arguments.task is not None:
        return carry_out(find_line(lines, arguments.task))
    else:
        return carry_out_all(lines)


def carry_out(line):
    """Carry out the command of a Line in a shell; its exit code."""
    print(f"== {line.id}: {line.command}", flush=True)
    # in a group of its own: an interrupt at the keyboard is handed on by this process, once
    process = subprocess.Popen(["bash", "-c", line.command], start_new_session=True)
    try:
        code = process.wait()
    except KeyboardInterrupt:
        os.killpg(process.pid, signal.SIGTERM)  # it keeps what it has, and ends
        process.wait()
        raise
    return code if code >= 0 else KILLED - code


def carry_out_all(lines):
    """Carry out Lines in order but those that need one that failed; 0, or 1 where one did."""
    failed, left_out = [], []
    for line in lines:
        if {*failed, *left_out}.intersection(line.needs):
            left_out.append(line.id)
        elif carry_out(line):
            failed.append(line.id)
    print(f"{len(lines) - len(failed) - len(left_out)} of {len(lines)} lines are done")
    if failed:
        needing = f"; left out, since they need these: {spans(left_out)}" if left_out else ""
        print(f"failed: {spans(failed)}{needing}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
