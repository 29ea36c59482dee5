"""Command: paint the toy collection, train the toy network, or draw a contact sheet."""

import argparse
import sys
import time

from models.command import exit_code, start_keras
from models.errors import InputError


def _paint(folder, count, seed):
    from toy.collection import paint_collection

    if paint_collection(folder, count, seed):
        print(f"painted {count} toy pictures in {folder} (seed {seed})")
    else:
        print(f"{folder} already holds these {count} toy pictures: nothing to do")


def _pretrain(path, pictures, steps, seed):
    if not path.endswith(".weights.h5"):
        raise InputError(f"{path}: the name of the weights must end in .weights.h5")
    start_keras()
    from toy.pretrain import pretrain, save_trunk  # here: paint and sheet need no keras

    start = time.perf_counter()
    body, accuracy = pretrain(pictures, steps, seed)
    save_trunk(body, path)
    took = time.perf_counter() - start
    print(
        f"{path}: seed {seed}, {pictures} toy natural pictures, "
        f"{steps} steps, top-1 accuracy {accuracy:.3f} on held-out ones, {took:.0f} s"
    )


def _draw_sheet(path, seed):
    if seed < 0:
        raise InputError(f"seed {seed}: a seed is 0 or more")
    from toy.collection import draw_contact_sheet, save_picture

    # 256 colours: a quarter of the bytes of a PNG in full colour, and no difference to the eye
    save_picture(draw_contact_sheet(seed).quantize(256), path)
    print(f"{path}: toy paintings, one artist a row")


def flags():
    """The command's flags."""
    parser = argparse.ArgumentParser(prog="python -m toy", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    paint = commands.add_parser("paint", help="Paint OUT/jpg/*.jpg and write OUT/metadata.csv.")
    paint.add_argument("--count", type=int, default=720, help="How many pictures (default: 720).")
    train = commands.add_parser("pretrain", help="Train the toy network on natural pictures.")
    train.add_argument(
        "--pictures",
        type=int,
        default=12000,
        help="How many pictures to train on (default: 12000).",
    )
    train.add_argument(
        "--steps", type=int, default=5000, help="Steps of training, of 32 pictures (default: 5000)."
    )
    sheet = commands.add_parser("sheet", help="Draw a contact sheet of the collection.")
    for command in (paint, train, sheet):
        command.add_argument("out", help="The folder or file to write.")
        command.add_argument(
            "--seed", type=int, default=0, help="The seed of everything drawn (default: 0)."
        )
    return parser


@exit_code
def main(argv=None):
    """Run `python -m toy paint|pretrain|sheet OUT [--seed N] ...`; see --help."""
    options = flags().parse_args(argv)
    if options.command == "paint":
        _paint(options.out, options.count, options.seed)
    elif options.command == "pretrain":
        _pretrain(options.out, options.pictures, options.steps, options.seed)
    else:
        _draw_sheet(options.out, options.seed)


if __name__ == "__main__":
    sys.exit(main())
