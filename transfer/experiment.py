"""Command: networks, modes and seeds on one challenge, from a CSV to test metrics.

python -m transfer.experiment --dataset_name N --metadata_path CSV --jpg_images_path DIR
    --results_path DIR --datasets_path DIR --challenge COLUMN --ANN NAME... --tl_mode MODE...
"""

import argparse
import contextlib
import os
import sys
from dataclasses import fields, replace
from pathlib import Path

from models import zoo
from models.command import ROOT, exit_code, start_keras
from models.errors import InputError
from models.machines import check_backend, find_place, met
from models.weights import IMAGENET, NONE
from transfer import recipe
from transfer.flags import add_data_flags, add_devices_flag, read_splits
from transfer.pixel_cache import MOST_GB
from transfer.recipe import Recipe
from transfer.recipes import RECIPES, find_recipe
from transfer.result_folder import check_place, sha256_of_all, versions
from transfer.run import Run, check_paths, named_stage


def flags():
    """The command's flags; those of the released script keep their names."""
    parser = argparse.ArgumentParser(
        prog="python -m transfer.experiment", description=__doc__.splitlines()[0]
    )
    _add_needed_flags(parser.add_argument_group("what to run"))
    add_data_flags(parser)
    network = parser.add_argument_group("the network")
    network.add_argument(
        "--weights",
        help="What the network starts from: imagenet (default), none, a file, or a finished run, "
        "by its folder or the folder's path below results_path; not for recipes that start from "
        "scratch.",
    )
    network.add_argument(
        "--input_size",
        type=int,
        help="The side of the pictures in pixels (default: the network's own).",
    )
    parser.add_argument(
        "--tensorboard", type=Path, help="The folder for TensorBoard's logs (default: none)."
    )
    parser.add_argument(
        "--cache_gb",
        type=float,
        default=MOST_GB,
        help="How many GB decoded pictures may take beside the data set, so that epochs after the "
        "first decode nothing; 0 for none (default: %(default)s).",
    )
    add_devices_flag(parser)
    _add_machine_flags(parser.add_argument_group("several machines (in a step of SLURM: found)"))
    _add_recipe_flags(
        parser.add_argument_group("recipe (defaults: Sabatelli et al. 2018, per mode)")
    )
    return parser


def _add_needed_flags(needed):
    needed.add_argument(
        "--ANN",
        required=True,
        nargs="+",
        action="extend",
        help="One or several networks, e.g. VGG19 or 'MobileNet(alpha=0.25)'; VGG19:FILE starts "
        "from the weights in a file.",
    )
    needed.add_argument(
        "--tl_mode",
        "--recipe",
        required=True,
        nargs="+",
        action="extend",
        type=_recipe_name,
        metavar="RECIPE",
        help="One or several ways to train: off_the_shelf trains a classifier on the network's "
        "features, fine_tuning trains every layer, random every layer from scratch (Sabatelli et "
        "al. 2018); those of the other papers: "
        + ", ".join(name for name in RECIPES if "." in name)
        + ".",
    )
    needed.add_argument(
        "--results_path",
        required=True,
        type=Path,
        help="The folder of all results; each run has a folder of its own in it, named after what "
        "is run, and a finished run is not computed again.",
    )


def _add_machine_flags(group):
    group.add_argument(
        "--coordinator",
        metavar="HOST:PORT",
        help="Where process 0 of several is: its machine and a port that is free there.",
    )
    group.add_argument(
        "--processes",
        type=int,
        metavar="N",
        help="How many processes train together, one on each machine, with KERAS_BACKEND=jax; 1 "
        "for this one alone, also in a step of SLURM.",
    )
    group.add_argument(
        "--process", type=int, metavar="I", help="Which of them this one is, from 0; 0 writes."
    )


# field of Recipe -> help of its flag
RECIPE_HELP = {
    "layers": "Which layers are trained: all, head, skip_first:N (all but the first N "
    "convolutions), last:N, from:LAYER, or a scenario of Cetinic et al. 2018 (default: {}).",
    "redrawn": "Which layers forget what they learnt and start anew: none, last:N or from:LAYER "
    "(default: {}).",
    "optimizer": "The optimizer (default: rmsprop off the shelf, else sgd).",
    "learning_rate": "The learning rate of the head (default: {}).",
    "trunk_rate": "The learning rate of the layers below the head, as a multiple of the head's "
    "(default: {}).",
    "bias_rate": "The learning rate of biases, as a multiple of their layer's (default: {}).",
    "weight_decay": "How much of a weight is added to its gradient in every step (default: {}).",
    "decayed": "What weight decay is for: kernels, or all variables (default: {}).",
    "decay": "After s steps the learning rate is divided by 1 + decay * s (default: {}).",
    "schedule": "How the learning rate falls: constant, once (by schedule_factor after "
    "schedule_epochs) or every (by it each time so many epochs have begun) (default: {}).",
    "schedule_epochs": "The epochs of the schedule (default: {}).",
    "schedule_factor": "The factor of the schedule (default: {}).",
    "selection": "Which epoch is tested: best is that of the least validation loss, or last "
    "(default: {}).",
    "augmentation": "How training pictures change from epoch to epoch: none, flip_shift, crop or "
    "mirror_crop (default: {}).",
    "head_activation": "The activation of the head: own is softmax for one label a picture and "
    "sigmoid for several (default: {}).",
    "dropout": "The share of features that is left out before the head, while training "
    "(default: {}).",
    "auxiliary": "The weight of the losses of GoogLeNet's two auxiliary heads, 0 for none "
    "(default: {}).",
    "precision": "In what layers compute while training: float32, mixed_bfloat16 or mixed_float16 "
    "(default: {}).",
    "momentum": "The momentum of sgd (default: {}).",
    "nesterov": "Whether sgd has Nesterov's momentum (default: {}).",
    "rho": "How much of the mean of squared gradients rmsprop keeps in a step (default: {}).",
    "epsilon": "What rmsprop and adam add to their divisor (default: {}).",
    "batch_size": "How many pictures a step of training takes (default: {}).",
    "epochs": "The largest number of epochs; validation may end training earlier (default: {}).",
    "patience": "Training ends after so many epochs without a lower validation loss; 0 for never "
    "(default: {}).",
    "pixels": "How pixels are scaled: own is as the network was trained, unit to [0, 1] as in "
    "the paper, the others are for a .keras file of yours that scales nothing (default: {}).",
    "batch_norm": "Whether batch normalisation is trained or keeps its averages (default: frozen; "
    "train from scratch).",
    "classifier": "The classifier on the features; svm and random_forest are for off_the_shelf "
    "(default: {}).",
    "class_weights": "Whether rare classes weigh more in the loss: balanced or none (default: {}).",
    "seed": "The seed of initial weights and of the order of pictures (default: {}).",
}


def _add_recipe_flags(group):
    """One flag per field of Recipe that a single run may change; a flag not given is None."""
    for field in fields(Recipe):
        if field.name in recipe.SETTINGS:
            kind, choices = type(field.default), recipe.CHOICES.get(field.name)
            if kind is bool:
                kind, choices = _boolean, (True, False)
            text = RECIPE_HELP[field.name].format(field.default)
            group.add_argument(f"--{field.name}", type=kind, choices=choices, help=text)
    group.add_argument(
        "--seeds",
        type=int,
        nargs="+",
        action="extend",
        help="One or several seeds: each is a run of its own, and tables show their mean and "
        "range (default: the one of --seed).",
    )


def _recipe_name(text):
    try:
        return find_recipe(text).name
    except InputError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _boolean(text):
    words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    return words.get(text.lower(), text)  # argparse then says what is accepted


@exit_code
def main(argv=None):
    """Run the command; returns its exit code."""
    arguments = flags().parse_args(argv)
    runs = [run for data in read_splits(arguments) for run in runs_from(arguments, data)]
    check_place(arguments.datasets_path)
    place = find_place(arguments.coordinator, arguments.processes, arguments.process)
    if place:
        check_backend()
    with _quiet_but_first(place), met(place) as together:
        if together.first:
            for run in runs:
                check_paths(run, arguments.results_path, arguments.tensorboard)
        together.agree(**_alike(arguments))
        start_keras(devices=arguments.devices, together=together)
        _train(runs, arguments, together)


def _train(runs, arguments, together):
    from models import backend
    from transfer.train import train_and_test

    for run in runs:
        if len(runs) > 1:
            print("==", ", ".join(run.folder.parts), flush=True)
        results, logs = arguments.results_path, arguments.tensorboard
        train_and_test(run, results, logs, arguments.cache_gb, together)
    backend.leave(together)


@contextlib.contextmanager
def _quiet_but_first(place):
    """Of several processes, only process 0 prints; errors are told by all."""
    if place is None or place.process == 0:
        yield
        return
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        yield


def _alike(arguments):
    """What all processes of a training need alike, a dict: versions, code, command."""
    chosen = {k: v for k, v in vars(arguments).items() if k not in ("coordinator", "process")}
    code = [
        path for package in ("models", "transfer") for path in Path(ROOT, package).rglob("*.py")
    ]
    chosen["devices"] = arguments.devices or "1"
    return {**versions(), "code": sha256_of_all(code)[:8], **chosen}


def runs_from(arguments, data):
    """The Runs that the flags name: every network in every mode, with every seed.

    Raises:
        InputError: a network, weights or a pair of choices that cannot be.
    """
    if arguments.seeds and arguments.seed is not None:
        raise InputError(f"seed is {arguments.seed} and seeds are {arguments.seeds}; give one")
    seeds = dict.fromkeys(arguments.seeds or [arguments.seed])
    runs = []
    for ann in dict.fromkeys(arguments.ANN):
        network, named = zoo.parse(ann), zoo.names_weights(ann)
        if named and arguments.weights:
            raise InputError(f"ANN is {ann!r} and weights are {arguments.weights}; give one")
        for mode in dict.fromkeys(arguments.tl_mode):
            weights = network.weights or NONE if named else arguments.weights or IMAGENET
            if arguments.weights:
                weights = named_stage(weights, arguments.results_path)
            for seed in seeds:
                runs.append(_run(data, network, weights, RECIPES[mode], seed, arguments))
    return runs


def _run(data, network, weights, chosen, seed, arguments):
    changes = {name: getattr(arguments, name) for name in recipe.SETTINGS} | {"seed": seed}
    changes = {name: value for name, value in changes.items() if value is not None}
    if chosen.initial_weights == "he_uniform":
        # no use for the weights that ANN names, nor for those given for several modes
        weights = NONE if len(set(arguments.tl_mode)) > 1 else arguments.weights or NONE
    network = replace(network, weights=None if weights == NONE else weights)
    modes = [RECIPES[mode] for mode in arguments.tl_mode]
    chosen = chosen.adapted(bool(network.weights), modes, **changes)
    return Run(data, network, chosen, arguments.input_size)


if __name__ == "__main__":
    sys.exit(main())
