"""Command: optimized images of a layer's channels (Olah et al. 2017; Gonthier et al. 2020).

python -m visualization.render MODEL --layer L --channels 52,60-63|all --out DIR
"""

import argparse
import sys
from pathlib import Path

from models.command import exit_code, start_keras
from transfer.flags import add_part_flags
from visualization import channel_images, image_folders
from visualization.channel_images import PARAMS, PRECISIONS, Settings
from visualization.shards import read_shard
from visualization.whole_numbers import channel_numbers


def flags():
    """The command's flags."""
    parser = argparse.ArgumentParser(
        prog="python -m visualization.render", description=__doc__.splitlines()[0]
    )
    parser.add_argument(
        "model", help="The network as models.load takes it, e.g. VGG19:imagenet or FILE.keras."
    )
    parser.add_argument(
        "--layer", required=True, help="Name of a layer; python -m models MODEL lists them."
    )
    parser.add_argument(
        "--channels", required=True, help="Numbers of channels, e.g. 52,60-63, or all."
    )
    parser.add_argument(
        "--out",
        required=True,
        type=Path,
        help="Folder of the results; the same command finds it again.",
    )
    _add_ascent_flags(parser)
    _add_picture_flags(parser)
    add_part_flags(parser, "about 100 channels")
    return parser


def _add_ascent_flags(parser):
    parser.add_argument(
        "--steps", type=int, default=2048, help="Steps of ascent (default: %(default)s)."
    )
    parser.add_argument(
        "--size", type=int, default=224, help="Side of an image in pixels (default: %(default)s)."
    )
    parser.add_argument(
        "--batch", type=int, help="Images optimized at a time (default: as many as memory holds)."
    )
    parser.add_argument(
        "--dtype",
        choices=PRECISIONS,
        default="float32",
        help="Precision of the network (default: %(default)s).",
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=0,
        help="Seed of the images' starts and transforms, 0 to 2147483647 (default: %(default)s).",
    )
    parser.add_argument(
        "--param",
        choices=PARAMS,
        default="fft",
        help="How images are stored while they are optimized (default: %(default)s).",
    )


def _add_picture_flags(parser):
    parser.add_argument(
        "--pictures",
        nargs="*",
        default=[],
        help="Picture files, and folders of them, whose scores are compared (default: none).",
    )
    parser.add_argument(
        "--spectrum",
        nargs="*",
        default=[],
        help="Picture files, and folders of them, whose mean spectrum the images of --param maco "
        "have (default: a spectrum that falls as 1 / frequency).",
    )


def say(text):
    """Print a line at once."""
    print(text, flush=True)


@exit_code
def main(argv=None):
    """Run the command; returns its exit code."""
    given = vars(flags().parse_args(argv))
    names = ("out", "shard", "join", "parts", "dry_run")
    out, shard, joining, count_only, dry = map(given.pop, names)
    shard = shard and read_shard(shard)
    given["channels"] = channel_numbers(given["channels"])
    for name in ("pictures", "spectrum"):
        given[name] = tuple(given[name])
    settings = Settings(**given)
    channel_images.check(settings, out)
    start_keras(say=None if count_only else print)
    if count_only:
        print(image_folders.usual_parts(settings))
    elif dry:
        from visualization import costs

        costs.of_images(settings, out, say)
    elif shard:
        image_folders.make_part(settings, out, shard, say)
    else:
        image_folders.make(settings, out, say, joining)


if __name__ == "__main__":
    sys.exit(main())
