"""Command: what training sees of a picture, as a contact sheet: the test's view, then variants.

python -m transfer.augment PICTURE --recipe NAME --out FIGURE
"""

import argparse
import sys
from functools import partial
from pathlib import Path

from models.command import exit_code, start_keras
from models.errors import InputError
from transfer.pictures import stored
from transfer.recipes import find_recipe
from transfer.result_folder import check_writable, write_bytes
from transfer.variants import AUGMENTATIONS, augment, middle, named

KINDS = {".png": "PNG", ".jpg": "JPEG"}  # by the ending of the name


def flags():
    """The command's flags."""
    parser = argparse.ArgumentParser(
        prog="python -m transfer.augment", description=__doc__.splitlines()[0]
    )
    parser.add_argument("picture", type=Path, help="A picture file.")
    meant = "; ".join(f"{name}: {each.meaning}" for name, each in AUGMENTATIONS.items()) + "."
    drawn = parser.add_mutually_exclusive_group(required=True)
    drawn.add_argument(
        "--augmentation", choices=list(AUGMENTATIONS), help=f"What is drawn. {meant}"
    )
    drawn.add_argument("--recipe", help="The recipe whose augmentation is drawn.")
    parser.add_argument(
        "--out", type=Path, required=True, help="The contact sheet to write, a .png or .jpg file."
    )
    parser.add_argument(
        "--input_size",
        type=int,
        default=224,
        help="Side in pixels of the square that the network sees (default: 224).",
    )
    parser.add_argument(
        "--epochs", type=int, default=11, help="Variants to draw, one an epoch (default: 11)."
    )
    parser.add_argument("--seed", type=int, default=42, help="The training's seed (default: 42).")
    return parser


@exit_code
def main(argv=None):
    """Run the command; returns its exit code."""
    given = flags().parse_args(argv)
    _check(given)
    if given.recipe:
        given.augmentation = find_recipe(given.recipe).augmentation
    start_keras(say=None)
    how, kind = named(given.augmentation), KINDS[_ending(given)]
    drawn = sheet(given.picture, how, given.input_size, given.seed, given.epochs, kind)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(given.out, drawn)
    print(f"wrote {given.out}")


def _check(given):
    for name, least in (("input_size", 1), ("epochs", 1), ("seed", 0)):
        if getattr(given, name) < least:
            raise InputError(f"{name} is {getattr(given, name)}; it must be {least} or above")
    if _ending(given) not in KINDS:
        raise InputError(f"out is {given.out}; accepted: a name that ends in {' or '.join(KINDS)}")
    if not given.picture.is_file():
        raise InputError(f"no picture {given.picture}")
    check_writable(given.out)


def _ending(given):
    return given.out.suffix.lower()


def sheet(picture, augmentation, size, seed, epochs, kind="PNG"):
    """Draw what a network sees of a picture in a test and in the first epochs of a training.

    Args:
        picture: path of a file; it counts as the first of its store.
        augmentation: transfer.variants.Augmentation.
        size: side in pixels that the network sees.
        seed: of the training.
        epochs: how many.
        kind: PNG or JPEG.

    Returns:
        bytes of such a file.
    """
    from PIL import Image

    from transfer.plots import as_bytes, contact_sheet

    pixels = stored(picture, augmentation.stored_side(size), augmentation.keeps_proportion)
    shown = [("test", middle(pixels, size))]
    for epoch in range(epochs):
        variant = augment([pixels], [0], augmentation, size, seed, epoch)[0]
        shown.append((f"epoch {epoch + 1}", variant))
    tiles = [(partial(as_bytes, Image.fromarray(view)), text) for text, view in shown]
    title = f"{Path(picture).stem}: {augmentation.name}, {size} pixels, seed {seed}"
    return contact_sheet(tiles, kind=kind, title=title)


if __name__ == "__main__":
    sys.exit(main())
