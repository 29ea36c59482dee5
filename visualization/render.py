"""Command: optimized images of a layer's channels (Olah et al. 2017; Gonthier et al. 2020).

python -m visualization.render MODEL --layer L --channels 52,60-63|all --out DIR
"""

import argparse
import sys
from pathlib import Path

from models.command import exit_code, read_devices, start_keras
from models.errors import InputError
from transfer.flags import add_devices_flag, add_part_flags
from transfer.result_folder import GOES_ON, MANIFEST
from visualization import channel_images, image_folders, side_by_side
from visualization.channel_images import PARAMS, PRECISIONS, Settings
from visualization.shards import Shard, begun, read_shard
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
    add_devices_flag(parser)
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
    words = sys.argv[1:] if argv is None else argv
    given = vars(flags().parse_args(words))
    names = ("out", "shard", "join", "parts", "dry_run", "devices")
    out, shard, joining, count_only, dry, devices = map(given.pop, names)
    shard = None if shard is None else read_shard(shard)
    read_devices(devices)
    given["channels"] = channel_numbers(given["channels"])
    for name in ("pictures", "spectrum"):
        given[name] = tuple(given[name])
    settings = Settings(**given)
    channel_images.check(settings, out)
    apart = devices not in (None, "1") and not (joining or count_only or (out / MANIFEST).exists())
    count = side_by_side.count_devices(devices) if apart else 1
    if count > 1 and not dry:
        run_on_devices(words, count, shard, out)
        joining = True
    if count > 1 and shard:
        return
    start_keras(say=None if count_only else print)
    if count_only:
        print(image_folders.usual_parts(settings))
    elif dry:
        from visualization import costs

        costs.of_images(settings, out, say, count)
    elif shard:
        image_folders.make_part(settings, out, shard, say)
    else:
        image_folders.make(settings, out, say, joining)


def run_on_devices(words, count, shard, out):
    """Make all parts of a result, or of one of its parts, each by a process on its own device.

    Args:
        words: of this command.
        count: of devices.
        shard: the Shard that is asked for, or None for all.
        out: Path of the result.

    Raises:
        InputError: a part was not made; the others are.
        KeyboardInterrupt: the user's.
    """
    parts = (shard or Shard(1, 1)).split(count)
    commands = {str(part): [*words, "--devices", "1", "--shard", str(part)] for part in parts}
    try:
        ended = side_by_side.run("visualization.render", commands, say)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(GOES_ON if begun(out) else "") from None
    failed = {name: result for name, result in ended.items() if result[0]}
    reasons = {reason for _, reason in failed.values()}
    if len(failed) == count and len(reasons) == 1 and all(reasons):
        raise InputError(*reasons)  # what no part can be made of
    if failed:
        told = [f"part {n} ({side_by_side.told(c)}) {why}" for n, (c, why) in failed.items()]
        raise InputError(
            f"not made: {', '.join(told)}; the others are, and the same command goes on from there"
        )


if __name__ == "__main__":
    sys.exit(main())
