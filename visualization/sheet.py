"""Command: one contact sheet of several result folders of visualization.render, a row a folder.

python -m visualization.sheet FOLDER... --out SHEET.png
"""

import argparse
import sys
from pathlib import Path

from models.command import exit_code
from models.errors import InputError
from transfer import folders
from visualization import figures, records

KINDS = {".png": "PNG", ".jpg": "JPEG"}


def flags():
    """The command's flags."""
    parser = argparse.ArgumentParser(
        prog="python -m visualization.sheet", description=__doc__.splitlines()[0]
    )
    parser.add_argument("folders", nargs="+", type=Path, help="results of visualization.render")
    parser.add_argument("--out", required=True, type=Path, help="picture to write, .png or .jpg")
    parser.add_argument("--columns", type=int, help="tiles in a row; default: about a square")
    return parser


@exit_code
def main(argv=None):
    """Run the command; returns its exit code."""
    arguments = flags().parse_args(argv)
    kind = KINDS.get(arguments.out.suffix.lower())
    if not kind:
        raise InputError(
            f"--out {arguments.out}; accepted: a name that ends in {' or '.join(KINDS)}"
        )
    if arguments.columns is not None and arguments.columns < 1:
        raise InputError(f"--columns is {arguments.columns}; it must be above 0")
    tiles = [tile for folder in arguments.folders for tile in _tiles(folder)]
    folders.write_bytes(arguments.out, figures.contact_sheet(tiles, arguments.columns, kind))
    print(f"{len(tiles)} images in {arguments.out}")


def _tiles(folder):
    """(path of the image, text under it) of every channel of a result folder."""
    identity = folders.read_json(folder / "manifest.json").get("identity", {})
    if not {"layer", "channels"} <= identity.keys():
        raise InputError(f"{folder} holds no results of visualization.render")
    layer = identity["layer"]
    return [
        (records.png_file(folder, layer, channel), f"{layer}:{channel}")
        for channel in sorted(identity["channels"])
    ]


if __name__ == "__main__":
    sys.exit(main())
