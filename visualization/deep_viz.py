"""Command: what networks look at in pictures: rows of pictures, masks and overlays in columns.

python visualization/deep_viz.py PICTURES... --models A B --out F.png [--method visual_backprop]
"""

import argparse
import contextlib
import logging
import sys
from dataclasses import dataclass
from pathlib import Path

from models import class_names, imagenet, weights, zoo
from models.command import exit_code, start_keras
from models.errors import InputError
from transfer import metadata
from transfer.pictures import find_files
from transfer.result_folder import check_writable, result_folder, write_bytes, write_csv
from visualization.page import check_tile
from visualization.saliency.methods import DEFAULT, METHODS, Settings, choose

ROOT = Path(__file__).resolve().parents[1]
# of a command without arguments: the example pictures, the toy network before and after fine-tuning
PICTURES = "figures/*.jpg"
TOY = (
    f"MobileNet(alpha=0.25):{ROOT}/toy/mobilenet_0.25_64_nature.weights.h5",
    f"{ROOT}/toy/mobilenet_0.25_64_toy_artist.keras",
)
TOY_SIZE = 64  # pixels, which the first of the files leaves open
OUT = Path("results", "deep_viz.png")
FORMATS = ("png", "pdf", "svg")
MOST_ROWS = 60  # pictures drawn: one page or two at the default tile
CHECKED = 4  # pictures of --check
OPTIONS = tuple(dict.fromkeys(o.name for method in METHODS.values() for o in method.options))


@dataclass(frozen=True)
class Request:
    """What the command is asked for.

    pictures: files. models: as models.load takes them. size: pixels, for a network that leaves it
    open, or None. class_names: list, for a network that has none, or None. settings: of the masks.
    out: file of the figure. tile: pixels of a picture in it. masks: new folder for raw masks, or
    None. checked: number of pictures that the checks take, or None. labels: dict file -> true
    label, or None.
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
    labels: dict | None


def flags():
    """The command's flags."""
    parser = argparse.ArgumentParser(
        prog="visualization/deep_viz.py", description=__doc__.splitlines()[0]
    )
    parser.add_argument(
        "pictures", nargs="*", help=f"Picture files and folders of them (default: {PICTURES})."
    )
    parser.add_argument(
        "--models",
        nargs="+",
        help="Networks as models.load takes them, e.g. VGG19:imagenet RijksVGG19Net:artist "
        "FILE.keras (default: the toy network before and after fine-tuning).",
    )
    _add_output_flags(parser)
    _add_mask_flags(parser)
    _add_label_flags(parser)
    return parser


def _add_output_flags(parser):
    parser.add_argument(
        "--out",
        type=Path,
        default=OUT,
        help="The figure's file, whose name ends in .png, .pdf or .svg; further pages are OUT with "
        "_2, _3... in their names (default: %(default)s).",
    )
    parser.add_argument(
        "--tile",
        type=int,
        default=224,
        help="The longer side of a picture in the figure, in pixels (default: %(default)s).",
    )
    parser.add_argument(
        "--masks", type=Path, help="New folder for all masks as .npy files (default: none)."
    )
    parser.add_argument(
        "--check",
        nargs="?",
        type=int,
        const=CHECKED,
        help="Test on the first N pictures whether the masks mean anything (randomisation, "
        "deletion and insertion); the second figure is OUT with _check in its name "
        f"({CHECKED} pictures if no N is given; default: no test).",
    )


def _add_mask_flags(parser):
    parser.add_argument(
        "--method",
        nargs="+",
        choices=METHODS,
        default=[DEFAULT],
        help=f"How masks are made; several make several columns (default: {DEFAULT}).",
    )
    for name in OPTIONS:
        _add_option(parser, name)
    score = parser.add_mutually_exclusive_group()
    score.add_argument(
        "--logits", action="store_true", help="Explain the logit of a class (the default)."
    )
    score.add_argument("--softmax", action="store_true", help="Explain the probability instead.")
    parser.add_argument(
        "--target", help="Class to explain, by name or number (default: the predicted one)."
    )
    parser.add_argument(
        "--input_size",
        type=int,
        help="The side of the pictures in pixels, if a network leaves it open (default: that "
        "of its ImageNet weights).",
    )
    parser.add_argument(
        "--batch_size",
        type=int,
        default=16,
        help="Pictures computed at once, including noisy copies and points; bounds the memory "
        "(default: %(default)s).",
    )


def _add_label_flags(parser):
    parser.add_argument(
        "--classes",
        help="Class names for networks whose own are not known: a text file, one name a line, or "
        "the word imagenet.",
    )
    parser.add_argument(
        "--labels",
        type=Path,
        help="CSV of true labels, which are then shown, with right and wrong predictions marked "
        "(default: none).",
    )
    parser.add_argument(
        "--challenge",
        help="Which column of LABELS is shown: material, type, artist, or any of its columns.",
    )
    parser.add_argument(
        "--id_column",
        default="ImageId",
        help="The column of LABELS with the pictures' names, with or without extension and "
        "folders (default: %(default)s).",
    )


def _add_option(parser, name):
    """Add the flag of an option, which one method or several have."""
    rows = [(m.name, o) for m in METHODS.values() for o in m.options if o.name == name]
    meanings = [
        f"{option.meaning} ({method}"
        + (f"; default: {option.default})" if option.default is not None else ")")
        for method, option in rows
    ]
    accepted = rows[0][1].accepted
    kind = {"choices": accepted} if isinstance(accepted, tuple) else {"type": accepted}
    parser.add_argument(f"--{name}", **kind, help="; ".join(meanings) + ".")


@exit_code
def main(argv=None):
    """Run the command; returns its exit code."""
    request = read(flags().parse_args(argv))
    with contextlib.ExitStack() as stack:
        masks = None
        if request.masks:
            # before anything is computed: another process may be making it, and is waited for
            masks = stack.enter_context(result_folder(request.masks))
            _refuse_finished(masks.finished, request.masks)
            masks.about["settings"] = request.settings.written()
        start_keras()
        logging.getLogger("tensorflow").setLevel(logging.ERROR)  # methods are compiled one by one
        run(request, masks and masks.path)


def _refuse_finished(finished, masks):
    if finished:
        raise InputError(f"{masks} exists; give a new folder for the masks")


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
    models = tuple(arguments.models or TOY)
    for model in models:
        _check_model(model, options.get("layer"))
    files = tuple(dict.fromkeys(find_files(arguments.pictures or sorted(ROOT.glob(PICTURES)))))
    drawn = min(len(files), MOST_ROWS)
    check_tile(drawn, 1 + 2 * len(models) * len(methods), arguments.tile)
    labels = _read_labels(arguments, files)
    if len(files) > MOST_ROWS:
        print(f"{len(files)} pictures: the figure shows the first {MOST_ROWS}")
    return Request(
        files if arguments.masks else files[:MOST_ROWS],
        models,
        arguments.input_size or (None if arguments.models else TOY_SIZE),
        _read_classes(arguments.classes),
        settings,
        arguments.out,
        arguments.tile,
        arguments.masks,
        arguments.check,
        labels,
    )


def _read_classes(text):
    """Class names of a file, ImageNet's, or None."""
    if text == weights.IMAGENET:
        return imagenet.names()
    return class_names.read(text) if text else None


def _check_model(text, layer):
    """Refuse a network or file that is not there, and a layer that a file is known not to have."""
    spec = zoo.parse(text)
    spec.check()
    if spec.file and layer is not None:
        weights.check_layer(spec.file, layer)


def _read_labels(arguments, files):
    """dict file -> true label, or None where no labels are asked for."""
    if not arguments.labels:
        if arguments.challenge:
            raise InputError(f"challenge {arguments.challenge} needs labels, a CSV")
        return None
    if not arguments.challenge:
        raise InputError(f"labels {arguments.labels} needs challenge, the column of the labels")
    metadata.check(arguments.labels, arguments.challenge, arguments.id_column)
    rows = metadata.read(arguments.labels, arguments.challenge, arguments.id_column).rows
    labels = metadata.labels_of(files, rows)
    known = sum(map(bool, labels.values()))
    if not known:
        raise InputError(
            f"{arguments.labels} has a label for none of {len(files)} pictures: an id is "
            f"{rows['id'][0]!r}, a picture {files[0].name!r}"
        )
    if known < len(files):
        print(f"{arguments.labels} has a label for {known} of {len(files)} pictures")
    return labels


def _check_places(out, masks):
    """Refuse what cannot be written: the figure's file and the masks' folder, or None."""
    file_format(out)
    if out.is_dir():
        raise InputError(f"{out} is a folder; accepted: the name of a file")
    _refuse_finished(masks and masks.exists(), masks)
    for path in filter(None, (out, masks)):
        check_writable(path)


def file_format(path):
    """The format that a figure's file name asks for; InputError naming those there are."""
    ending = path.suffix[1:].lower()
    if ending not in FORMATS:
        endings = ", ".join(f".{name}" for name in FORMATS)
        raise InputError(f"{path}: the name of a figure must end in {endings}")
    return ending


def run(request, masks):
    """Compute everything, then write it; masks: the folder under way for raw masks, or None."""
    from visualization import views

    networks = views.open_networks(request.models, request.size, request.class_names)
    views.check_networks(networks, request.settings)
    if request.checked:
        _check_weights(networks)
    seen, rows = [], []
    for number, network in enumerate(networks, 1):
        shown = {}
        # a picture that cannot be read is told once
        left_out = print if number == 1 else lambda line: None
        for view in views.look(network, request.pictures, request.settings, left_out=left_out):
            if masks:
                methods = request.settings.methods
                rows += views.save_masks(masks, number, view, network, methods, request.labels)
            if len(shown) < MOST_ROWS:
                shown[view.file] = view
        seen.append(shown)
    if masks:
        write_csv(masks / "masks.csv", views.table_of_masks(rows))
    write_figures(request, networks, seen)


def _check_weights(networks):
    """Refuse, before any mask is made, what the checks cannot draw anew."""
    for network in networks:
        if not network.model.weights:
            raise InputError(
                f"{network.spec} has no weights, which check draws anew; accepted: networks that "
                "have some, or no check"
            )


def write_figures(request, networks, seen):
    """Draw pages and checks, then write them; seen: for each network a dict file -> View."""
    from visualization import figures, views

    ending = file_format(request.out)
    pages = views.draw(networks, seen, request.settings, request.tile, request.labels)
    contents = {}
    for number, page in enumerate(pages, 1):
        path = request.out if number == 1 else with_name(request.out, number)
        contents[path] = figures.encoded(page, ending)
    if request.checked:
        checks = []
        for network, shown in zip(networks, seen, strict=True):
            pictures = [view.picture for view in shown.values()][: request.checked]
            checks.append(views.check_methods(network, pictures, request.settings))
            print("\n".join(views.summary(checks[-1])), flush=True)
        contents[with_name(request.out, "check")] = figures.encoded(
            figures.check_figure(checks), ending
        )
    request.out.parent.mkdir(parents=True, exist_ok=True)
    for path, content in contents.items():
        write_bytes(path, content)
        print(f"wrote {path}")


def with_name(path, addition):
    """A figure's file beside another: `f.png` and 2 -> `f_2.png`."""
    return path.with_stem(f"{path.stem}_{addition}")


if __name__ == "__main__":
    sys.exit(main())
