"""Command: networks, modes, one challenge (Sabatelli et al. 2018), from CSV to test metrics.

python -m transfer.experiment --dataset_name N --metadata_path CSV --jpg_images_path DIR
    --results_path DIR --datasets_path DIR --challenge COLUMN --ANN NAME... --tl_mode MODE...
"""

import argparse
import sys
from dataclasses import fields, replace
from pathlib import Path

from models import zoo
from models.command import exit_code, start_keras
from models.errors import InputError
from models.weights import IMAGENET, NONE
from transfer import metadata, recipe, splits
from transfer.dataset import Data
from transfer.recipe import Recipe
from transfer.recipes import RECIPES
from transfer.run import Run


def flags():
    """The command's flags; those of the released script keep their names."""
    parser = argparse.ArgumentParser(
        prog="python -m transfer.experiment", description=__doc__.splitlines()[0]
    )
    needed = parser.add_argument_group("what to run")
    needed.add_argument("--dataset_name", required=True, help="names the result folders")
    needed.add_argument("--challenge", required=True, help="material, type, artist or a column")
    needed.add_argument(
        "--ANN",
        required=True,
        nargs="+",
        action="extend",
        help="one or several, e.g. VGG19 or 'MobileNet(alpha=0.25)'; also with the weights that it "
        "starts from, as VGG19:FILE",
    )
    needed.add_argument(
        "--tl_mode",
        required=True,
        nargs="+",
        action="extend",
        choices=list(RECIPES),
        help="one or several",
    )
    needed.add_argument("--results_path", required=True, type=Path)
    needed.add_argument("--datasets_path", required=True, type=Path, help="where HDF5 files lie")
    _add_collection_flags(parser.add_argument_group("the collection"))
    network = parser.add_argument_group("the network")
    network.add_argument("--weights", help="imagenet (default), none, or a file; not for random")
    network.add_argument("--input_size", type=int, help="pixels; default: the network's own")
    parser.add_argument("--tensorboard", type=Path, help="write TensorBoard logs to this folder")
    _add_recipe_flags(parser.add_argument_group("recipe (defaults: the paper's, per mode)"))
    return parser


def _add_collection_flags(data):
    data.add_argument(
        "--metadata_path",
        type=Path,
        help="CSV; without it the released six HDF5 files are expected in "
        "DATASETS_PATH/DATASET_NAME/CHALLENGE",
    )
    data.add_argument("--jpg_images_path", type=Path, help="folder of pictures")
    data.add_argument("--id_column", default="ImageId")
    data.add_argument(
        "--split", default="sabatelli2018", help=f"{', '.join(splits.PROTOCOLS)} or column=NAME"
    )
    data.add_argument("--split_seed", type=int, default=42)
    data.add_argument("--min_pictures", type=int, default=1, help="in a class, else it is left out")
    data.add_argument("--drop_labels", nargs="*", default=list(metadata.ANONYMOUS))


def _add_recipe_flags(group):
    """One flag per field of Recipe that a single run may change; a flag not given is None."""
    for field in fields(Recipe):
        if field.name in recipe.SETTINGS:
            kind, choices = type(field.default), recipe.CHOICES.get(field.name)
            if kind is bool:
                kind, choices = _boolean, (True, False)
            group.add_argument(f"--{field.name}", type=kind, choices=choices)


def _boolean(text):
    words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    return words.get(text.lower(), text)  # argparse then says what is accepted


@exit_code
def main(argv=None):
    """Run the command; returns its exit code."""
    arguments = flags().parse_args(argv)
    data = data_from(arguments)
    runs = runs_from(arguments, data)
    start_keras()
    from transfer.train import train_and_test

    for run in runs:
        if len(runs) > 1:
            print("==", ", ".join(run.folder.parts), flush=True)
        train_and_test(run, arguments.results_path, arguments.tensorboard)


def data_from(arguments):
    """The Data that the flags name."""
    values = {field.name: getattr(arguments, field.name) for field in fields(Data)}
    return Data(**values | {"drop_labels": tuple(arguments.drop_labels)})


def runs_from(arguments, data):
    """The Runs that the flags name: every network in every mode.

    Raises:
        InputError: a network, weights or a pair of choices that cannot be.
    """
    runs = []
    for ann in dict.fromkeys(arguments.ANN):
        network, named = zoo.parse(ann), zoo.names_weights(ann)
        if named and arguments.weights:
            raise InputError(f"ANN is {ann!r} and weights are {arguments.weights}; one of them")
        for mode in dict.fromkeys(arguments.tl_mode):
            weights = network.weights or NONE if named else arguments.weights or IMAGENET
            runs.append(_run(data, network, weights, RECIPES[mode], arguments))
    return runs


def _run(data, network, weights, chosen, arguments):
    changes = {name: getattr(arguments, name) for name in recipe.SETTINGS}
    changes = {name: value for name, value in changes.items() if value is not None}
    if chosen.initial_weights == "he_uniform":
        # no use for the weights that ANN names, nor for those given for several modes
        weights = NONE if len(set(arguments.tl_mode)) > 1 else arguments.weights or NONE
    network = replace(network, weights=None if weights == NONE else weights)
    chosen = chosen.adapted(bool(network.weights), **changes)
    return Run(data, network, chosen, arguments.input_size)


if __name__ == "__main__":
    sys.exit(main())
