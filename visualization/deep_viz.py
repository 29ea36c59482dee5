"""Command: what networks look at in pictures: rows of pictures, masks and overlays in columns.

python visualization/deep_viz.py PICTURES... --models A B --out F.png [--method visual_backprop]
"""

import argparse
import logging
import sys
from dataclasses import dataclass
from pathlib import Path

from models import class_names, zoo
from models.command import exit_code, start_keras
from models.errors import InputError
from transfer.pictures import find_files
from transfer.result_folder import check_writable, result_folder, write_bytes, write_csv
from visualization.saliency.methods import DEFAULT, METHODS, Settings, choose

ROOT = Path(__file__).resolve().parents[1]
# of a command without arguments: the example pictures, the toy network before and after fine tuning
PICTURES = "figures/*.jpg"
TOY = (
    f"MobileNet(alpha=0.25):{ROOT}/toy/mobilenet_0.25_64_nature.weights.h5",
    f"{ROOT}/toy/mobilenet_0.25_64_toy_artist.keras",
)
TOY_SIZE = 64  # pixels, which the first of the files leaves open
OUT = Path("results", "deep_viz.png")
FORMATS = ("png", "pdf", "svg")
MOST_ROWS = 60  # of a figure: about 2 m long at the default tile
CHECKED = 4  # pictures of --check
OPTIONS = tuple(dict.fromkeys(o.name for method in METHODS.values() for o in method.options))


@dataclass(frozen=True)
class Request:
    """What the command is asked for.

    pictures: files. models: as models.load takes them. size: pixels, for a network that leaves it
    open, or None. class_names: list, for a network that has none, or None. settings: of the masks.
    out: file of the figure. tile: pixels of a picture in it. masks: new folder for raw masks, or
    None. checked: number of pictures that the checks take, or None.
    """

    pictures: tuple
    models: tuple
    size: int | None
    class_names: list | None
    settings: Settings
    out: Path
    tile: int
    masks: Path | None
    checked: int | None


def flags():
    """The command's flags."""
    parser = argparse.ArgumentParser(
        prog="visualization/deep_viz.py", description=__doc__.splitlines()[0]
    )
    parser.add_argument("pictures", nargs="*", help=f"files and folders; default: {PICTURES}")
    parser.add_argument(
        "--models",
        nargs="+",
        help="as models.load takes them, e.g. VGG19:imagenet RijksVGG19Net:artist FILE.keras; "
        "default: the toy network before and after fine tuning",
    )
    parser.add_argument("--out", type=Path, default=OUT, help=f".png, .pdf or .svg; default: {OUT}")
    parser.add_argument(
        "--method", nargs="+", choices=METHODS, default=[DEFAULT], help=f"default: {DEFAULT}"
    )
    for name in OPTIONS:
        _add_option(parser, name)
    score = parser.add_mutually_exclusive_group()
    score.add_argument("--logits", action="store_true", help="explain the logit (default)")
    score.add_argument("--softmax", action="store_true", help="explain the probability")
    parser.add_argument("--target", help="class name or number; default: the predicted class")
    parser.add_argument("--classes", type=Path, help="class names, one a line, where not known")
    parser.add_argument("--input_size", type=int, help="pixels, where a network leaves it open")
    parser.add_argument("--batch_size", type=int, default=16, help="bounds memory; default 16")
    parser.add_argument("--masks", type=Path, help="new folder for the masks as .npy")
    parser.add_argument(
        "--tile", type=int, default=224, help="pixels of a picture in the figure; default 224"
    )
    parser.add_argument(
        "--check",
        nargs="?",
        type=int,
        const=CHECKED,
        help="randomisation test, deletion and insertion, on the first N pictures (default "
        f"{CHECKED}): a second figure, OUT with _check in its name",
    )
    return parser


def _add_option(parser, name):
    """Add the flag of an option, which one method or several have."""
    rows = [(m.name, o) for m in METHODS.values() for o in m.options if o.name == name]
    meanings = [
        f"{method}: {option.meaning}"
        + (f" (default {option.default})" if option.default is not None else "")
        for method, option in rows
    ]
    accepted = rows[0][1].accepted
    kind = {"choices": accepted} if isinstance(accepted, tuple) else {"type": accepted}
    parser.add_argument(f"--{name}", **kind, help="; ".join(meanings))


@exit_code
def main(argv=None):
    """Run the command; returns its exit code."""
    request = read(flags().parse_args(argv))
    start_keras()
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # methods are compiled one by one
    from visualization import views

    networks = views.open_networks(request.models, request.size, request.class_names)
    views.check_networks(networks, request.settings)
    if request.masks is None:
        run(request, networks, None)
        return
    with result_folder(request.masks) as result:
        if result.finished:  # by another process, since the flags were read
            raise InputError(f"{request.masks} exists; give a new folder for the masks")
        run(request, networks, result.path)
        result.about["settings"] = request.settings.written()


def read(arguments):
    """The flags as a Request: whatever can be wrong with them is refused here, before any work."""
    for name in ("input_size", "batch_size", "tile", "check"):
        value = getattr(arguments, name)
        if value is not None and value < 1:
            raise InputError(f"{name} is {value}; it must be above 0")
    options = {name: value for name in OPTIONS if (value := getattr(arguments, name)) is not None}
    methods = choose(arguments.method, options)
    logits = not arguments.softmax
    settings = Settings(methods, arguments.target, logits, arguments.batch_size)
    _check_places(arguments.out, arguments.masks)
    for model in arguments.models or ():
        zoo.parse(model)
    files = tuple(dict.fromkeys(find_files(arguments.pictures or sorted(ROOT.glob(PICTURES)))))
    if len(files) > MOST_ROWS:
        print(f"{len(files)} pictures: the figure shows the first {MOST_ROWS}")
    return Request(
        files if arguments.masks else files[:MOST_ROWS],
        tuple(arguments.models or TOY),
        arguments.input_size or (None if arguments.models else TOY_SIZE),
        arguments.classes and class_names.read(arguments.classes),
        settings,
        arguments.out,
        arguments.tile,
        arguments.masks,
        arguments.check,
    )


def _check_places(out, masks):
    """Refuse what cannot be written: the figure's file and the masks' folder, or None."""
    file_format(out)
    if out.is_dir():
        raise InputError(f"{out} is a folder; accepted: the name of a file")
    if masks and masks.exists():
        raise InputError(f"{masks} exists; give a new folder for the masks")
    for path in filter(None, (out, masks)):
        check_writable(path)


def file_format(path):
    """The format that a figure's file name asks for; InputError naming those there are."""
    ending = path.suffix[1:].lower()
    if ending not in FORMATS:
        endings = ", ".join(f".{name}" for name in FORMATS)
        raise InputError(f"{path}: the name of a figure must end in {endings}")
    return ending


def run(request, networks, masks):
    """Compute everything, then write it; masks: the folder under way for raw masks, or None."""
    from visualization import figures, views

    methods, seen, rows = request.settings.methods, [], []
    for number, network in enumerate(networks, 1):
        shown = {}
        # a picture that cannot be read is told once
        left_out = print if number == 1 else lambda line: None
        for view in views.look(network, request.pictures, request.settings, left_out=left_out):
            if masks:
                rows += views.save_masks(masks, number, view, network, methods)
            if len(shown) < MOST_ROWS:
                shown[view.file] = view
        print(f"{network.spec}: done", flush=True)
        seen.append(shown)
    drawn = {request.out: views.draw(networks, seen, request.settings, request.tile)}
    if request.checked:
        checks = []
        for network, shown in zip(networks, seen, strict=True):
            pictures = [view.picture for view in shown.values()][: request.checked]
            checks.append(views.check_methods(network, pictures, request.settings))
            print("\n".join(views.summary(checks[-1])), flush=True)
        path = request.out.with_stem(f"{request.out.stem}_check")
        drawn[path] = figures.check_figure(checks)
    contents = {path: figures.encoded(figure, file_format(path)) for path, figure in drawn.items()}
    if masks:
        write_csv(masks / "masks.csv", views.table_of_masks(rows))
    request.out.parent.mkdir(parents=True, exist_ok=True)
    for path, content in contents.items():
        write_bytes(path, content)
        print(f"wrote {path}")


if __name__ == "__main__":
    sys.exit(main())
