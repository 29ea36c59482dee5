"""Command: a trained network names new pictures: classes and probabilities in a CSV.

Of a network of several labels a picture: those of a probability above 0.5, and that of every label.

python -m transfer.predict RUN|MODEL PICTURES... --out CSV [--sheet FIGURE]
"""

import argparse
import hashlib
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from models import class_names, weights
from models.command import exit_code, start_keras
from models.errors import InputError
from transfer import label_sets
from transfer.pictures import DECODING, encoded, find_files
from transfer.result_folder import check_writable, result_folder, write_bytes, write_csv
from transfer.run import named_network
from transfer.variants import named, read

FIRST = 5  # classes of a picture, the likeliest
MOST_TILES = 200  # pictures of a sheet
SHEETS = {".png": "PNG", ".jpg": "JPEG"}  # by the ending of the name


@dataclass(frozen=True)
class Request:
    """What the command is asked for.

    model: as models.load takes it. pictures: files. out: the CSV. sheet: file of a contact sheet,
    or None. size: pixels, for a network that leaves it open, or None. names: of the classes, list,
    or None. batch_size: pictures computed at once, None for what the free memory holds.
    """

    model: str
    pictures: tuple
    out: Path
    sheet: Path | None
    size: int | None
    names: list | None
    batch_size: int | None

    @property
    def kept(self):
        """Folder beside the CSV: how it was made, and what an interrupted pass goes on from."""
        return self.out.with_name(f"{self.out.name}.about")


def flags():
    """The command's flags."""
    parser = argparse.ArgumentParser(
        prog="python -m transfer.predict", description=__doc__.splitlines()[0]
    )
    parser.add_argument(
        "model",
        metavar="RUN|MODEL",
        help="The folder of a finished run, or a network as models.load takes it, e.g. FILE.keras, "
        "VGG19:imagenet or RijksVGG19Net:artist.",
    )
    parser.add_argument("pictures", nargs="+", help="Picture files, and folders of them.")
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        help="The CSV to write: a row for each picture with its most probable classes.",
    )
    parser.add_argument(
        "--sheet",
        type=Path,
        help="A contact sheet of the first pictures to write, a .png or .jpg file (default: none).",
    )
    parser.add_argument(
        "--classes",
        type=Path,
        help="A file with class names, one a line, in the order of the network's outputs (default: "
        "the network's own).",
    )
    parser.add_argument(
        "--input_size",
        type=int,
        help="Side of the pictures in pixels, if the network leaves it open (default: its own).",
    )
    parser.add_argument(
        "--batch_size",
        type=int,
        help="Pictures computed at once (default: as many as memory holds, at most 32 on a CPU).",
    )
    return parser


@exit_code
def main(argv=None):
    """Run the command; returns its exit code."""
    request = read_flags(flags().parse_args(argv))
    start_keras()
    predict(request)


def read_flags(arguments):
    """The flags as a Request: whatever can be wrong with them is refused here, before any work."""
    for name in ("input_size", "batch_size"):
        value = getattr(arguments, name)
        if value is not None and value < 1:
            raise InputError(f"{name} is {value}; it must be above 0")
    request = Request(
        named_network(arguments.model),
        tuple(dict.fromkeys(find_files(arguments.pictures))),
        arguments.out,
        arguments.sheet,
        arguments.input_size,
        arguments.classes and class_names.read(arguments.classes),
        arguments.batch_size,
    )
    _check_places(request)
    return request


def _check_places(request):
    out, sheet = request.out, request.sheet
    if out.suffix.lower() != ".csv":
        raise InputError(f"out is {out}; accepted: a name that ends in .csv")
    if sheet and sheet.suffix.lower() not in SHEETS:
        raise InputError(f"sheet is {sheet}; accepted: a name that ends in {' or '.join(SHEETS)}")
    for path in filter(None, (out, sheet)):
        if path.is_dir():
            raise InputError(f"{path} is a folder; accepted: the name of a file")
        if not path.exists():
            check_writable(path)
    if out.exists() and not request.kept.exists():
        raise InputError(f"{out} exists and was not made by this command; give another name")


def predict(request, say=print):
    """Write the classes of pictures, or find them written; and a contact sheet on request.

    Args:
        request: Request.
        say: called with what there is to tell.

    Raises:
        InputError: a network that has no classes or does not take the pictures, none of which can
            be read, or a CSV of other predictions in this place.
    """
    import numpy as np

    network = open_network(request)
    if network.classes is None:
        say("the names of the classes are not known: they are numbers, from 0 (classes names them)")
    out, request_identity = request.out, identity(network, request)
    files = ("classes.npy", "values.npy", "numbers.npy")
    with result_folder(request.kept, request_identity, "*.npy", say=say) as result:
        if result.finished and out.exists():
            say(f"already finished: {out}")
        elif not result.finished:
            _compute(network, request, *(result.path / name for name in files))
            result.about = {"model": request.model}
    classes, values, numbers = (np.load(request.kept / name, mmap_mode="r") for name in files)
    problems = _problems(request.pictures, numbers, network)
    if not out.exists():
        tabled = label_table if network.several else table
        write_csv(out, tabled(network, request.pictures, classes, values, numbers, problems))
        unread = f", {len(problems)} could not be read (column problem)" if problems else ""
        say(f"{len(numbers)} pictures named in {out}{unread}")
    if request.sheet:
        best = dict(zip(numbers.tolist(), zip(classes, values, strict=True), strict=True))
        drawn = sheet(network, request, best)
        request.sheet.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(request.sheet, drawn)
        say(f"wrote {request.sheet}")


def open_network(request):
    """The network that is asked for, with the names of its classes and its size.

    Raises:
        InputError: it has no classes, or takes no square RGB pictures of a known size; as many
            names as it has no outputs.
    """
    from models.network import check_takes_pictures, load

    network = load(request.model, request.size)
    check_takes_pictures(network)
    if network.output is None or network.model.output_shape[-1] < 2:
        raise InputError(
            f"{network.spec} has no classes; accepted: a network with a score for each class"
        )
    if request.names:
        outputs = network.model.output_shape[-1]
        if len(request.names) != outputs:
            raise InputError(
                f"{len(request.names)} class names for {network.spec}, which has {outputs} classes"
            )
        network = replace(network, classes=request.names)
    return network


def identity(network, request):
    """What decides the predictions, for JSON: the network, the pictures, how they are read."""
    files = hashlib.sha256()
    for path in request.pictures:
        status = path.stat()
        files.update(repr((str(path), status.st_size, status.st_mtime_ns)).encode())
    cut = named(network.augmentation or "none").cuts
    return {
        **({"augmentation": network.augmentation} if cut else {}),
        "weights_identity": weights.fingerprint(network.model),
        "input_size": network.size,
        "classes": network.classes,
        "pictures": f"{len(request.pictures)} files, {files.hexdigest()[:16]}",
        "decoding": DECODING,
    }


def _compute(network, request, classes, values, numbers):
    """Compute the best classes of all pictures into .npy files, or what is missing of them."""
    import numpy as np

    from models import backend
    from transfer import inference
    from transfer.progress import Progress

    forward, outputs = backend.forward(network.model), network.model.output_shape[-1]
    first = outputs if network.several else min(FIRST, outputs)

    def best(pictures):
        outputs = np.asarray(forward(pictures))
        if not np.isfinite(outputs).all():
            raise InputError(f"{network.spec} gives outputs that are no numbers (NaN or infinite)")
        order = np.argsort(-outputs, axis=1, kind="stable")[:, :first].astype("<i4")
        return order, np.take_along_axis(outputs, order, axis=1).astype("<f4")

    batch_size = request.batch_size or inference.pictures_at_a_time(network.model)
    batches = inference.files(
        request.pictures,
        lambda path: read(path, network.size, network.augmentation),
        batch_size,
    )
    with inference.explained(batch_size, network.size):
        inference.collect(
            best,
            batches,
            inference.OnDisk((classes, values), numbers),
            Progress(len(request.pictures), "pictures named"),
        )


def _problems(pictures, numbers, network):
    """What is wrong with the pictures that could not be read: dict number -> reason."""
    problems = {}
    for number in sorted(set(range(len(pictures))).difference(numbers.tolist())):
        try:
            read(pictures[number], network.size, network.augmentation)
            problems[number] = "it could not be read when the others were"
        except InputError as error:
            problems[number] = str(error).removeprefix(f"picture {pictures[number]}: ")
    return problems


def table(network, pictures, classes, values, numbers, problems):
    """The predictions as a DataFrame: picture, class_1, probability_1, class_2, ..., problem.

    Args:
        network: models.network.Network; without probabilities the columns are score_1 and so on.
        pictures: list of Path.
        classes, values: (pictures read, best), class numbers and what the network gives them.
        numbers: (pictures read,) places of these among the pictures.
        problems: dict number of a picture that could not be read -> reason.
    """
    import numpy as np
    import pandas as pd

    names = [network.class_name(number) for number in range(network.model.output_shape[-1])]
    names = np.array(names, dtype=object)
    columns = {"picture": [str(path) for path in pictures]}
    for place in range(classes.shape[1]):
        name, value = np.full(len(pictures), "", object), np.full(len(pictures), np.nan)
        name[numbers] = names[classes[:, place]]
        # the float32 that they are has no more digits
        value[numbers] = [float(f"{number:.6g}") for number in values[:, place]]
        columns[f"class_{place + 1}"] = name
        columns[f"{network.output}_{place + 1}"] = value
    columns["problem"] = [problems.get(number, "") for number in range(len(pictures))]
    return pd.DataFrame(columns)


def label_table(network, pictures, classes, values, numbers, problems):
    """The same of several labels: picture, labels (of 0.5 or more), `probability of` each, problem.

    Args:
        network, ...: as for table; classes, values: of all labels.
    """
    import numpy as np
    import pandas as pd

    names = [network.class_name(number) for number in range(network.model.output_shape[-1])]
    every = np.full((len(pictures), len(names)), np.nan)
    every[np.asarray(numbers)[:, None], classes] = values
    present = ["" if np.isnan(row[0]) else label_sets.present(row, names) for row in every]
    frame = pd.DataFrame({"picture": [str(path) for path in pictures], "labels": present})
    columns = [[float(f"{value:.6g}") for value in column] for column in every.T]
    for number, (name, column) in enumerate(zip(names, columns, strict=True)):
        frame.insert(2 + number, f"{network.output} of {name}", column, allow_duplicates=True)
    frame["problem"] = [problems.get(number, "") for number in range(len(pictures))]
    return frame


def sheet(network, request, best):
    """A contact sheet of pictures with their first class, or all labels, as the bytes of a file.

    Args:
        network: models.network.Network.
        request: Request.
        best: dict number of a picture -> (class numbers, their values), the likeliest first; of
            those that could be read.
    """
    from functools import partial

    from transfer.plots import contact_sheet

    tiles = []
    for number, path in enumerate(request.pictures[:MOST_TILES]):
        text = "cannot be read"
        if number in best:
            text = _told(network, *best[number])
        tiles.append((partial(encoded, path), f"{text}\n{path.stem}"))
    count = len(request.pictures)
    title = f"the first {MOST_TILES} of {count} pictures" if count > MOST_TILES else ""
    return contact_sheet(tiles, kind=SHEETS[request.sheet.suffix.lower()], title=title)


def _told(network, classes, values):
    """What a sheet says of a picture."""
    if network.several:
        return label_sets.present(values, [network.class_name(number) for number in classes])
    value = f"{values[0]:.2f}" if network.output == "probability" else f"score {values[0]:.3g}"
    return f"{network.class_name(classes[0])}, {value}"


if __name__ == "__main__":
    sys.exit(main())
