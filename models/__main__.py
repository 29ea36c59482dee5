"""Command: python -m models SPEC describes a network; python -m models convert IN OUT.keras."""

import argparse
import sys
from pathlib import Path

from models import weights, zoo
from models.command import exit_code, start_keras
from models.errors import InputError


def flags(converting=False):
    """The command's flags: of a description, or of `convert`."""
    parser = argparse.ArgumentParser(prog="python -m models", description=__doc__)
    if converting:
        parser.add_argument("convert", help="The word `convert`.")
    parser.add_argument(
        "spec",
        help="The string that names a network, e.g. VGG19:imagenet, GoogLeNet:FILE.caffemodel or "
        "FILE.keras.",
    )
    if converting:
        parser.add_argument("out", help="The file to write, a path that ends in .keras.")
    parser.add_argument(
        "--input_size",
        type=int,
        help="The side of the square pictures in pixels (default: the network's own).",
    )
    return parser


@exit_code
def main(argv=None):
    """Run the command; returns its exit code."""
    words = sys.argv[1:] if argv is None else argv
    converting = words[:1] == ["convert"]
    given = flags(converting).parse_args(words)
    if given.input_size is not None and given.input_size < 1:
        raise InputError(f"input_size is {given.input_size}; it must be above 0")
    spec = zoo.parse(given.spec)
    if not spec.is_released:
        weights.check_source(spec.file or spec.weights)
    if converting and not given.out.endswith(".keras"):
        raise InputError(f"{given.out!r} must end in .keras")
    if converting and not Path(given.out).parent.is_dir():
        raise InputError(f"no folder {Path(given.out).parent} to write into")
    start_keras(say=None)
    from models import network

    opened = network.load(given.spec, given.input_size)
    if given.input_size not in (None, opened.size):
        raise InputError(
            f"input_size is {given.input_size}; {given.spec} takes pictures of {opened.size} pixels"
        )
    if converting:
        network.save(opened, given.out)
        print(f"wrote {given.out}")
    else:
        print(network.describe(opened))


if __name__ == "__main__":
    sys.exit(main())
