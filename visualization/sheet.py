"""Command: one contact sheet of several result folders of visualization.render, a row a folder.

python -m visualization.sheet FOLDER... --out SHEET.png
"""

import argparse
import sys
from pathlib import Path

from models.command import exit_code
from visualization import channel_images


def flags():
    """The command's flags."""
    parser = argparse.ArgumentParser(
        prog="python -m visualization.sheet", description=__doc__.splitlines()[0]
    )
    parser.add_argument(
        "folders", nargs="+", type=Path, help="Folders that visualization.render has written."
    )
    parser.add_argument(
        "--out", required=True, type=Path, help="The sheet's file, whose name ends in .png or .jpg."
    )
    parser.add_argument(
        "--columns", type=int, help="Tiles in a row (default: about as many as there are rows)."
    )
    return parser


@exit_code
def main(argv=None):
    """Run the command; returns its exit code."""
    arguments = flags().parse_args(argv)
    count = channel_images.write_sheet(arguments.folders, arguments.out, arguments.columns)
    print(f"{count} images in {arguments.out}")


if __name__ == "__main__":
    sys.exit(main())
