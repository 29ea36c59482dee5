"""Command: what networks look at in pictures: rows of pictures, masks and overlays in columns.

python visualization/deep_viz.py PICTURES... --models A B --out F.png [--method visual_backprop]
"""

import argparse
import logging
import os
import sys
import tempfile
from pathlib import Path

import numpy as np

from models import backend
from models.command import exit_code
from models.errors import InputError
from transfer import folders
from transfer.pictures import find_files, proportion, read_all
from visualization import checks, figures, mask_files, views
from visualization import networks as opened
from visualization.methods import METHODS
from visualization.visual_backprop import FORMS

ROOT = Path(__file__).resolve().parents[1]
# before and after fine tuning on the toy collection
TOY = (
    f"MobileNet(alpha=0.25):{ROOT}/toy/mobilenet_0.25_64_nature.weights.h5",
    f"{ROOT}/toy/mobilenet_0.25_64_toy_artist.keras",
)
TOY_SIZE = 64  # pixels
MOST_ROWS = 60  # of a figure: about 2 m long at the default tile
CHECKED = 4  # pictures of --check
PLAIN = ("visual_backprop",)  # the method that needs no mention


def flags():
    """The command's flags."""
    parser = argparse.ArgumentParser(
        prog="visualization/deep_viz.py", description=__doc__.splitlines()[0]
    )
    parser.add_argument("pictures", nargs="*", help="files and folders; default: figures/*.jpg")
    parser.add_argument(
        "--models",
        nargs="+",
        help="as models.load takes them, e.g. VGG19:imagenet RijksVGG19Net:artist FILE.keras; "
        "default: the toy network before and after fine tuning",
    )
    parser.add_argument("--out", type=Path, default=Path("results", "deep_viz.png"))
    parser.add_argument("--method", nargs="+", choices=list(METHODS), default=["visual_backprop"])
    parser.add_argument("--form", choices=FORMS, help="of visual_backprop; default paper")
    score = parser.add_mutually_exclusive_group()
    score.add_argument("--logits", action="store_true", help="explain the logit (default)")
    score.add_argument("--softmax", action="store_true", help="explain the probability")
    parser.add_argument("--target", help="class name or number; default: the predicted class")
    parser.add_argument("--classes", type=Path, help="class names, one a line, where not known")
    parser.add_argument("--input_size", type=int, help="pixels, where a network leaves it open")
    parser.add_argument("--samples", type=int, help="of smooth_grad and integrated_gradients")
    parser.add_argument("--batch_size", type=int, default=16, help="bounds memory; default 16")
    parser.add_argument("--masks", type=Path, help="new folder for the masks as .npy")
    parser.add_argument("--tile", type=int, default=224, help="pixels of a picture in the figure")
    parser.add_argument(
        "--check",
        nargs="?",
        type=int,
        const=CHECKED,
        help="randomisation test, deletion and insertion, on the first N pictures (default "
        f"{CHECKED}): a second figure, OUT with _check in its name",
    )
    return parser


@exit_code
def main(argv=None):
    """Run the command; returns its exit code."""
    arguments = flags().parse_args(argv)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow's own start-up notes
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # methods are compiled one by one
    check_flags(arguments)
    given = arguments.pictures or sorted((ROOT / "figures").glob("*.jpg"))
    files = list(dict.fromkeys(find_files(given)))
    if len(files) > MOST_ROWS:
        print(f"{len(files)} pictures: the figure shows the first {MOST_ROWS}")
    files = files if arguments.masks else files[:MOST_ROWS]
    names = arguments.classes and opened.read_names(arguments.classes)
    backend.keep_pipeline_on_cpu()
    print(f"device: {backend.device_name()}", flush=True)
    size = arguments.input_size or (None if arguments.models else TOY_SIZE)
    networks = opened.networks(arguments.models or TOY, size, names)
    views.check(networks, settings_of(arguments))
    if arguments.masks:
        with folders.locked(arguments.masks), folders.whole(arguments.masks) as partial:
            run(arguments, networks, files, partial)
    else:
        run(arguments, networks, files, None)


def settings_of(arguments):
    """The flags as views.Settings."""
    return views.Settings(
        tuple(dict.fromkeys(arguments.method)),
        arguments.target,
        not arguments.softmax,
        arguments.form,
        arguments.samples,
        arguments.batch_size,
    )


def check_flags(arguments):
    """Refuse numbers that make no sense and places that cannot be written, before any work."""
    for name in ("input_size", "samples", "batch_size", "tile", "check"):
        value = getattr(arguments, name)
        if value is not None and value < 1:
            raise InputError(f"--{name} is {value}; it must be above 0")
    figures.file_format(arguments.out)
    if arguments.out.is_dir():
        raise InputError(f"{arguments.out} is a folder; accepted: the name of a file")
    if arguments.masks and arguments.masks.exists():
        raise InputError(f"{arguments.masks} exists; give a new folder for the masks")
    for path in filter(None, (arguments.out, arguments.masks)):
        folder = next(parent for parent in path.absolute().parents if parent.exists())
        try:
            tempfile.TemporaryFile(dir=folder).close()
        except OSError as error:
            raise InputError(f"{path} cannot be written: {error.strerror}") from error


def run(arguments, networks, files, masks):
    """Compute everything, then write it; masks: the folder under way for raw masks, or None."""
    settings, out = settings_of(arguments), arguments.out
    seen, records = [], []
    for number, network in enumerate(networks, 1):
        shown = {}
        # a picture that cannot be read is told once
        left_out = print if number == 1 else lambda line: None
        for view in views.views(network, files, settings, left_out=left_out):
            if masks:
                records += mask_files.saved(masks, number, view, network, settings.methods)
            if len(shown) < MOST_ROWS:
                shown[view.file] = view
        print(f"{network.spec}: done", flush=True)
        seen.append(shown)
    contents = {out: looks(networks, seen, settings, arguments.tile)}
    if arguments.check:
        path = out.with_stem(f"{out.stem}_check")
        contents[path] = checked(networks, seen, settings, arguments.check)
    contents = {
        path: figures.encoded(figure, figures.file_format(path))
        for path, figure in contents.items()
    }
    if masks:
        mask_files.finish(masks, records, settings)
    out.parent.mkdir(parents=True, exist_ok=True)
    for path, content in contents.items():
        folders.write_bytes(path, content)
        print(f"wrote {path}")


def looks(networks, seen, settings, tile):
    """The figure of what networks saw: seen is a dict file -> View for each network."""
    titles = [
        network.title + ("" if settings.methods == PLAIN else f"\n{method}")
        for network in networks
        for method in settings.methods
    ]
    rows = []
    everywhere = [file for file in seen[0] if all(file in found for found in seen)]
    for file, picture in read_all(everywhere, tile):
        masks = [
            (mask, views.caption(network, found[file]))
            for network, found in zip(networks, seen, strict=True)
            for mask in found[file].masks
        ]
        rows.append((file.stem, proportion(file), picture, masks))
    return figures.saliency_figure(titles, rows, tile)


def checked(networks, seen, settings, count):
    """The figure of the checks on the first pictures; prints a line for each method."""
    found = []
    for network, shown in zip(networks, seen, strict=True):
        pictures = np.stack([view.picture for view in shown.values()][:count])
        found.append(checks.check(network, pictures, settings))
        print("\n".join(checks.lines(found[-1])), flush=True)
    return figures.check_figure(found)


if __name__ == "__main__":
    sys.exit(main())
