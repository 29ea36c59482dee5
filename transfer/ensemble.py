"""Command: the mean of what finished runs say of the same test pictures, as a run of its own.

python -m transfer.ensemble RUN RUN [RUN ...] --results_path DIR --datasets_path DIR
"""

import argparse
import sys
from pathlib import Path

from models.command import exit_code
from transfer.mean_of_runs import average, open_store, read_members
from transfer.result_folder import check_place


def flags():
    """The command's flags."""
    parser = argparse.ArgumentParser(
        prog="python -m transfer.ensemble", description=__doc__.splitlines()[0]
    )
    parser.add_argument("runs", nargs="+", type=Path, help="The folders of two or more runs.")
    parser.add_argument(
        "--results_path",
        required=True,
        type=Path,
        help="The folder of all results; the ensemble has a folder of its own in it.",
    )
    parser.add_argument(
        "--datasets_path",
        required=True,
        type=Path,
        help="The folder where the runs stored their pictures and splits.",
    )
    return parser


@exit_code
def main(argv=None):
    """Run the command; returns its exit code."""
    arguments = flags().parse_args(argv)
    check_place(arguments.results_path)
    members = read_members(arguments.runs)
    store = open_store(members[0], arguments.datasets_path)
    average(members, store, arguments.results_path)


if __name__ == "__main__":
    sys.exit(main())
