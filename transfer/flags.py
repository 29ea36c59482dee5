"""Flags that several commands have: of a collection, and the Data that they name; of parts."""

from dataclasses import fields, replace
from pathlib import Path

from models.errors import InputError
from transfer import splits
from transfer.collections import COLLECTIONS, collection_data
from transfer.dataset import DEFAULT_SPLIT, LAYOUTS, NEAR_DUPLICATES, Data

_DEFAULT = {field.name: field.default for field in fields(Data)}


def add_data_flags(parser):
    """Add the flags of a collection that is stored to a parser, one for each field of Data."""
    group = parser.add_argument_group("the collection")
    group.add_argument(
        "--dataset_name",
        help="The collection's name; result folders have it (default: that of "
        "--collection, else of the folder of pictures).",
    )
    group.add_argument(
        "--collection",
        metavar="NAME",
        help="A published collection, laid out in jpg_images_path as its publisher does: "
        + ", ".join(collection.name for collection in COLLECTIONS)
        + " (own: your metadata.csv) (default: what metadata_path says).",
    )
    group.add_argument(
        "--challenge",
        required=True,
        help="What to predict: material, type, artist, or any column of the CSV; for several "
        "labels a picture columns of 0 and 1, as tree,lake,mountain, or all of them: all; with "
        "layout folders a word for what the folders are, e.g. genre; of a published collection one "
        "of its challenges.",
    )
    group.add_argument(
        "--datasets_path",
        required=True,
        type=Path,
        help="The folder where splits and pictures are stored, once for all runs (HDF5 files).",
    )
    group.add_argument(
        "--metadata_path",
        type=Path,
        help="The collection's CSV; without it, the folders in jpg_images_path are the labels; "
        "without either, the six HDF5 files that the authors released are expected in "
        "DATASETS_PATH/DATASET_NAME/CHALLENGE.",
    )
    group.add_argument(
        "--jpg_images_path", type=Path, help="The folder of pictures, with its subfolders."
    )
    _add_other_flags(parser, group)


def add_devices_flag(parser):
    """Add the flag that says how many devices compute together, for start_keras(devices=...)."""
    parser.add_argument(
        "--devices",
        metavar="N",
        help="How many GPUs of this machine compute together, or all; results differ by rounding "
        "alone, which a training makes larger (docs/scale.md; default: 1).",
    )


def add_picture_flags(parser):
    """Add the flags of a collection that is read where it lies: images, labels, column, the rest.

    They take the names of add_data_flags too, so that the flags of a training serve as they are.
    """
    group = parser.add_argument_group("the collection")
    group.add_argument(
        *("--images", "--jpg_images_path"),
        dest="jpg_images_path",
        metavar="DIR",
        required=True,
        type=Path,
        help="The folder of pictures, with its subfolders.",
    )
    group.add_argument(
        *("--labels", "--metadata_path"),
        dest="metadata_path",
        metavar="CSV",
        type=Path,
        help="The collection's CSV (default: the folders of the pictures are their labels).",
    )
    group.add_argument(
        *("--column", "--challenge"),
        dest="challenge",
        metavar="COLUMN",
        required=True,
        help="What the classes are: a column of the CSV, or material, type, artist; with layout "
        "folders a word for what the folders are, e.g. genre.",
    )
    group.add_argument(
        "--dataset_name", help="The collection's name (default: that of the folder of pictures)."
    )
    parser.set_defaults(datasets_path=Path())  # nothing is stored
    _add_other_flags(parser, group)


def _add_other_flags(parser, group):
    _add_source_flags(group)
    _add_choice_flags(parser.add_argument_group("which of its pictures"))
    _add_split_flags(parser.add_argument_group("training, validation and test pictures"))


def add_part_flags(parser, each):
    """Add the flags of a result that may be made in parts; each: what a part is by default."""
    group = parser.add_argument_group("parts").add_mutually_exclusive_group()
    group.add_argument(
        "--shard",
        metavar="I/N",
        help="Make part I of N, in OUT.parts, which is joined with the others later; any part may "
        "be made again, anywhere (default: all in one piece, of the parts that are there).",
    )
    group.add_argument(
        "--join",
        action="store_true",
        help="Join the parts and compute what comes after them, or say which are missing "
        "(default: what is missing is made).",
    )
    group.add_argument(
        "--parts",
        action="store_true",
        help=f"Only print how many parts of {each} there are, as ./job.sh --array asks (default: "
        "carry out).",
    )
    group.add_argument(
        "--dry-run",
        action="store_true",
        help="Tell what it takes, by a few measured steps, and write nothing (default: carry out).",
    )


def read_data(arguments):
    """The Data that parsed flags name.

    Raises:
        InputError: see Data; a `where` that is no column=value; several split seeds.
    """
    found = read_splits(arguments)
    if len(found) > 1:
        raise InputError(f"split_seed is {arguments.split_seed}; accepted: one seed here")
    return found[0]


def read_splits(arguments):
    """The Data that parsed flags name, one for each split seed, as a list.

    Raises:
        InputError: see Data; a `where` that is no column=value.
    """
    values = {field.name: getattr(arguments, field.name) for field in fields(Data)}
    values["drop_labels"] = tuple(arguments.drop_labels)
    values["where"] = tuple(map(_condition, arguments.where))
    # None where the flag is not given: of a collection the challenge then says how many
    values = {name: value for name, value in values.items() if value is not None}
    first, *others = dict.fromkeys(values.pop("split_seed"))
    if getattr(arguments, "collection", None) is None:
        data = Data(**_named(values), split_seed=first)
    else:
        data = _published(arguments.collection, values, first)
    return [data, *(replace(data, split_seed=seed) for seed in others)]


def _named(values):
    """The values with a dataset_name, that of the folder where none is given."""
    if "dataset_name" not in values and "jpg_images_path" not in values:
        raise InputError("dataset_name is not given, and jpg_images_path, whose name it would be")
    return {"dataset_name": Path(values.get("jpg_images_path", "")).resolve().name, **values}


def _published(name, values, seed):
    """The Data of a published collection; InputError where flags of a CSV are given beside it."""
    for other in ("metadata_path", "layout", "id_column"):
        if values.get(other, _DEFAULT[other]) != _DEFAULT[other]:
            raise InputError(
                f"{other} is {values[other]} and collection is {name}; give one: a collection has"
                " labels of its own"
            )
    if "jpg_images_path" not in values:
        raise InputError(f"collection {name} needs jpg_images_path, the folder it lies in")
    values = {key: value for key, value in values.items() if key not in ("id_column", "layout")}
    folder, challenge = values.pop("jpg_images_path"), values.pop("challenge")
    datasets_path = values.pop("datasets_path")
    return collection_data(name, folder, challenge, datasets_path, **values, split_seed=seed)


def _condition(text):
    column, equals, value = text.partition("=")
    if not equals or not column.strip():
        raise InputError(f"where is {text!r}; accepted: column=value, e.g. collection=A")
    return column.strip(), value


def _add_source_flags(group):
    group.add_argument(
        "--layout",
        choices=LAYOUTS,
        help="Where the labels are: csv, or folders (CLASS/picture.jpg; train/CLASS/picture.jpg "
        "and test/CLASS/picture.jpg if you have a split) (default: csv if there is one).",
    )
    group.add_argument(
        "--id_column",
        default=_DEFAULT["id_column"],
        help="The CSV's column with the pictures' names, with or without extension and folders "
        "(default: %(default)s).",
    )


def _add_choice_flags(group):
    group.add_argument(
        "--where",
        nargs="+",
        action="extend",
        default=[],
        metavar="COLUMN=VALUE",
        help="Use only rows of the CSV with these values, e.g. collection=A; several values of one "
        "column are alternatives (default: all rows).",
    )
    group.add_argument(
        "--pictures_glob",
        metavar="PATTERN",
        help="Use only pictures whose path in the folder fits this pattern, e.g. 'masters/*' or "
        "'*.tif' (default: all).",
    )
    group.add_argument(
        "--sample",
        type=int,
        metavar="N",
        help="Use only N of the pictures, always the same ones: those whose ids have the smallest "
        "SHA-256 digests; a smaller sample lies in a larger one (default: all).",
    )
    group.add_argument(
        "--drop_labels",
        nargs="*",
        default=list(_DEFAULT["drop_labels"]),
        help="Labels that are not a class; their rows are left out (default: "
        + ", ".join(_DEFAULT["drop_labels"])
        + ").",
    )
    group.add_argument(
        "--min_pictures",
        type=int,
        help="How many pictures a class needs; smaller ones are left out (default: "
        f"{_DEFAULT['min_pictures']}, or what the papers ask for in a published collection).",
    )


def _add_split_flags(group):
    drawn = " or ".join(name for name in splits.PROTOCOLS if name != "column")
    group.add_argument(
        "--split",
        help=f"Which pictures train and which test: drawn as in {drawn}, or column=NAME for the "
        f"CSV's own split (default: the folders' own if they have one, else {DEFAULT_SPLIT}).",
    )
    group.add_argument(
        "--split_seed",
        type=int,
        nargs="+",
        default=[_DEFAULT["split_seed"]],
        help="The seed of a drawn split; transfer.experiment takes several, a split each "
        f"(default: {_DEFAULT['split_seed']}).",
    )
    group.add_argument(
        "--group_column",
        metavar="COLUMN",
        help="The CSV's column that says which pictures belong together, e.g. title or artist; "
        "these stay in one part of a drawn split (default: none).",
    )
    group.add_argument(
        "--near_duplicates",
        choices=NEAR_DUPLICATES,
        default=_DEFAULT["near_duplicates"],
        help="What to do about pictures that look alike: name them in report.csv, also keep them "
        "together in one part of a drawn split, or not look for them (default: %(default)s).",
    )
    for part in ("val", "test"):
        group.add_argument(
            f"--{part}_percent",
            type=int,
            default=_DEFAULT[f"{part}_percent"],
            help=f"How many percent of the train part become the {part} part, if your own split "
            "has none (default: %(default)s).",
        )
