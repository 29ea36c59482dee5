"""Command: what fine-tuning changed, from two networks and a collection (Gonthier et al. 2020).

python -m visualization.compare NET_A NET_B --images DIR --labels CSV --column style --out DIR

One pass of the pictures through both networks, then: which pictures excite every channel before
and after, how similar the layers are, optimized images where they are asked for, and index.html,
in which every channel can be looked at.
"""

import argparse
import sys
from pathlib import Path

from models.command import exit_code, start_keras
from transfer.flags import add_devices_flag, add_part_flags, add_picture_flags, read_data
from transfer.run import named_network
from visualization import differences
from visualization.channel_choice import read_choice
from visualization.channel_images import PRECISIONS
from visualization.differences import PARTS, STATISTICS, Comparison, Images
from visualization.shards import read_shard

IMAGES = Images()  # the defaults of what is said about images


def flags():
    """The command's flags."""
    parser = argparse.ArgumentParser(
        prog="python -m visualization.compare", description=__doc__.splitlines()[0]
    )
    parser.add_argument(
        "before",
        metavar="NET_A",
        help="The network before: a name as models.load takes it, e.g. GoogLeNet:FILE or "
        "FILE.keras, or the folder of a finished run.",
    )
    parser.add_argument("after", metavar="NET_B", help="The network after, named likewise.")
    parser.add_argument(
        "--out",
        required=True,
        type=Path,
        help="Folder of the results; the same command finds it again, or goes on.",
    )
    parser.add_argument(
        "--names",
        nargs="+",
        default=[],
        metavar="NAME",
        help="What the networks are called in tables, figures and the atlas, one name each "
        "(default: the ends of their paths).",
    )
    add_picture_flags(parser)
    add_devices_flag(parser)
    measures = parser.add_argument_group("what is compared")
    _add_measure_flags(measures)
    _add_layer_flags(measures)
    _add_size_flags(measures)
    images = parser.add_argument_group("optimized images")
    _add_image_flags(images)
    _add_judging_flags(images)
    add_part_flags(parser, "at most 2000 pictures")
    return parser


def _add_measure_flags(group):
    group.add_argument(
        "--yardstick",
        metavar="NET_C",
        help="A third network, such as a second training of the same recipe, that tells how far "
        "two trainings differ (default: none).",
    )
    group.add_argument(
        "--part",
        choices=PARTS,
        help="The pictures that everything is computed on (default: top sets on train, CKA on "
        "test).",
    )
    group.add_argument(
        "--statistic",
        choices=STATISTICS,
        default=STATISTICS[0],
        help="A channel's score of a picture, over its map; top sets, CKA and path similarity are "
        "of these scores (default: %(default)s).",
    )
    group.add_argument(
        "--k",
        nargs="+",
        type=int,
        default=[],
        help="Pictures in a top set; of several the first is shown (default: "
        + " and ".join(map(str, differences.DEFAULT_K))
        + ", where there are more pictures than that).",
    )


def _add_layer_flags(group):
    group.add_argument(
        "--layers",
        nargs="+",
        default=[],
        metavar="LAYER",
        help="Convolutions and concatenations of NET_A to look at (default: all).",
    )
    group.add_argument(
        "--layer_map",
        type=Path,
        metavar="CSV",
        help="Two columns with a header: layers of NET_A, and of NET_B that they are compared "
        "with (default: layers of the same name).",
    )


def _add_size_flags(group):
    group.add_argument(
        "--input_size",
        type=int,
        help="Side of the pictures in pixels, where networks leave it open or have different ones "
        "(default: the networks' own).",
    )
    group.add_argument(
        "--batch_size",
        type=int,
        default=32,
        help="Pictures computed at once; bounds the memory (default: %(default)s).",
    )
    group.add_argument(
        "--seed",
        type=int,
        default=0,
        help="Seed of all draws and of the images' starts (default: %(default)s).",
    )


def _add_image_flags(group):
    group.add_argument(
        "--optimize",
        nargs="+",
        action="extend",
        default=[],
        metavar="CHANNELS",
        help="Channels to make an image of in both networks: least-overlap:50, entropy:50 (the "
        "lowest after), LAYER:all or LAYER:3,7-9; may be given later, when the rest is done "
        "(default: none).",
    )
    group.add_argument(
        "--steps",
        type=int,
        default=IMAGES.steps,
        help="Steps of ascent (default: %(default)s).",
    )
    group.add_argument(
        "--size_of_images",
        type=int,
        default=IMAGES.size,
        help="Side of an optimized image in pixels (default: %(default)s).",
    )
    group.add_argument(
        "--dtype",
        choices=PRECISIONS,
        default=IMAGES.dtype,
        help="Precision of the network in the ascent (default: %(default)s).",
    )


def _add_judging_flags(group):
    for key, name in (("a", "NET_A"), ("b", "NET_B")):
        group.add_argument(
            f"--optimized_{key}",
            metavar="DIR",
            type=Path,
            help=f"Folder of images of {name} that python -m visualization.render made, perhaps "
            "elsewhere: they are taken, not made; with both, every channel that both hold; one "
            "alone needs --optimize (default: none).",
        )
    group.add_argument(
        "--judge",
        metavar="NET",
        help="The network in which the distance of two images is measured (default: NET_A).",
    )
    group.add_argument(
        "--judge_layer",
        metavar="LAYER",
        help="Its layer where that is done (default: the middle one).",
    )


def say(text):
    """Print a line at once."""
    print(text, flush=True)


def read_comparison(given):
    """The Comparison that flags name."""
    images = Images(
        tuple(map(read_choice, given.optimize)),
        given.steps,
        given.size_of_images,
        given.dtype,
        given.judge and named_network(given.judge),
        given.judge_layer,
        given.optimized_a,
        given.optimized_b,
    )
    return Comparison(
        named_network(given.before),
        named_network(given.after),
        read_data(given),
        given.yardstick and named_network(given.yardstick),
        given.statistic,
        given.part,
        tuple(given.k),
        tuple(given.layers),
        given.layer_map,
        given.input_size,
        given.batch_size,
        given.seed,
        images,
        tuple(given.names),
    )


@exit_code
def main(argv=None):
    """Run the command; returns its exit code."""
    given = flags().parse_args(argv)
    comparison = read_comparison(given)
    shard = None if given.shard is None else read_shard(given.shard)
    differences.check(comparison, given.out)
    if given.parts:
        print(differences.usual_parts(comparison))
        return
    start_keras(devices=given.devices)
    if given.dry_run:
        from visualization import costs

        costs.of_comparison(comparison, given.out, say)
    elif shard:
        differences.compare_part(comparison, given.out, shard, say)
    else:
        differences.compare(comparison, given.out, say, given.join)


if __name__ == "__main__":
    sys.exit(main())
