"""Command: paint the toy collection, train the toy network, or draw a contact sheet."""

import argparse
import sys
import time

from models.command import exit_code
from models.errors import InputError


def _paint(options):
    from transfer.toy.collection import paint_collection

    if paint_collection(options.out, options.count, options.seed):
        print(f"painted {options.count} toy pictures in {options.out} (seed {options.seed})")
    else:
        print(f"{options.out} already holds these {options.count} toy pictures: nothing to do")


def _pretrain(options):
    from transfer.toy.pretrain import pretrain, save_trunk  # here: paint and sheet need no keras

    if not options.out.endswith(".weights.h5"):
        raise InputError(f"{options.out}: the name of the weights must end in .weights.h5")
    start = time.perf_counter()
    body, accuracy = pretrain(options.pictures, options.steps, options.seed)
    save_trunk(body, options.out)
    took = time.perf_counter() - start
    print(
        f"{options.out}: seed {options.seed}, {options.pictures} toy natural pictures, "
        f"{options.steps} steps, top-1 accuracy {accuracy:.3f} on held-out ones, {took:.0f} s"
    )


def _sheet(options):
    if options.seed < 0:
        raise InputError(f"seed {options.seed}: a seed is 0 or more")
    from transfer.toy.sheet import contact_sheet, save_picture

    # 256 colours: a quarter of the bytes of a PNG in full colour, and no difference to the eye
    save_picture(contact_sheet(options.seed).quantize(256), options.out)
    print(f"{options.out}: toy paintings, one artist a row")


def _parser():
    parser = argparse.ArgumentParser(prog="python -m transfer.toy", description=__doc__)
    commands = parser.add_subparsers(required=True)
    paint = commands.add_parser("paint", help="paint OUT/jpg/*.jpg and OUT/metadata.csv")
    paint.add_argument("--count", type=int, default=720, help="pictures (default 720)")
    paint.set_defaults(command=_paint)
    train = commands.add_parser("pretrain", help="train the toy network on natural pictures")
    train.add_argument("--pictures", type=int, default=12000, help="to train on (default 12000)")
    train.add_argument("--steps", type=int, default=5000, help="of 32 pictures (default 5000)")
    train.set_defaults(command=_pretrain)
    sheet = commands.add_parser("sheet", help="draw a contact sheet of the collection")
    sheet.set_defaults(command=_sheet)
    for command in (paint, train, sheet):
        command.add_argument("out", help="the folder or file to write")
        command.add_argument("--seed", type=int, default=0, help="of everything drawn (default 0)")
    return parser


@exit_code
def main(argv=None):
    """Run `python -m transfer.toy paint|pretrain|sheet OUT [--seed N] ...`; see --help."""
    options = _parser().parse_args(argv)
    options.command(options)


if __name__ == "__main__":
    sys.exit(main())
