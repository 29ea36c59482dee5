"""Command: one network, one mode, one challenge (Sabatelli et al. 2018), from CSV to test metrics.

python -m transfer.experiment --dataset_name N --metadata_path CSV --jpg_images_path DIR
    --results_path DIR --datasets_path DIR --challenge COLUMN --ANN NAME --tl_mode MODE
"""

import argparse
import os
import shutil
import sys
from dataclasses import asdict, fields, replace
from pathlib import Path

from models import backend, zoo
from models.command import exit_code
from models.errors import InputError
from transfer import folders, identities, metadata, pictures, recipe, splits
from transfer.dataset import Data
from transfer.recipes import sabatelli2018


def flags():
    """The command's flags; those of the released script keep their names."""
    parser = argparse.ArgumentParser(
        prog="python -m transfer.experiment", description=__doc__.splitlines()[0]
    )
    needed = parser.add_argument_group("what to run")
    needed.add_argument("--dataset_name", required=True, help="names the result folders")
    needed.add_argument("--challenge", required=True, help="material, type, artist or a column")
    needed.add_argument("--ANN", required=True, help="e.g. VGG19 or 'MobileNet(alpha=0.25)'")
    needed.add_argument("--tl_mode", required=True, choices=list(sabatelli2018.MODES))
    needed.add_argument("--results_path", required=True, type=Path)
    needed.add_argument("--datasets_path", required=True, type=Path, help="where HDF5 files lie")
    data = parser.add_argument_group("the collection")
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
    network = parser.add_argument_group("the network")
    network.add_argument("--weights", help="imagenet (default), none, or a file; not for random")
    network.add_argument("--input_size", type=int, help="pixels; default: the network's own")
    parser.add_argument("--tensorboard", type=Path, help="write TensorBoard logs to this folder")
    recipe.add_flags(parser)
    return parser


@exit_code
def main(argv=None):
    """Run the command; returns its exit code."""
    arguments = flags().parse_args(argv)
    chosen = recipe_for(arguments)
    data = data_from(arguments)
    zoo.parse(arguments.ANN)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow's own start-up notes
    backend.keep_pipeline_on_cpu()
    print(f"device: {backend.device_name()}", flush=True)
    if backend.device_warning():
        print(backend.device_warning(), flush=True)
    run(arguments, data, chosen)


def recipe_for(arguments):
    """The mode's Recipe with the flags that were given; impossible pairs raise InputError."""
    mode = arguments.tl_mode
    given = recipe.given(arguments)
    if mode == "fine_tuning" and arguments.weights == "none":
        # without trained moving averages there is nothing to freeze, and signals would explode
        given.setdefault("batch_norm", "train")
    chosen = replace(sabatelli2018.MODES[mode], **given)
    if chosen.classifier != "softmax" and mode != "off_the_shelf":
        raise InputError(f"--classifier {chosen.classifier} is for off_the_shelf, not {mode}")
    if mode == "random" and arguments.weights not in (None, "none"):
        raise InputError(
            f"random starts from He-uniform; --weights {arguments.weights} is for others"
        )
    if mode == "off_the_shelf" and chosen.batch_norm != "frozen":
        raise InputError("off_the_shelf trains no layer of the network; --batch_norm is for others")
    if arguments.input_size is not None and arguments.input_size < 1:
        raise InputError(f"--input_size is {arguments.input_size}; it must be above 0")
    return chosen


def run(arguments, data, chosen):
    """Prepare the data, train, test, and write the result folder, or find it finished."""
    network = zoo.parse(arguments.ANN).architecture
    names = [arguments.dataset_name, arguments.challenge, network]
    dataset, challenge, ann = map(folders.safe_name, names)
    mode = arguments.tl_mode
    if chosen.classifier != "softmax":
        mode += f"_{chosen.classifier}"
    identity = identify(arguments, chosen)
    place = Path(dataset, challenge, ann, mode)
    folder = arguments.results_path / place
    with folders.locked(folder):  # first of all: a disk that cannot be written is known now
        store = data.open()
        identity |= {"split_sha256": store.split_sha256, "data": store.key}
        if identities.finished(folder, identity):
            print(f"already finished: {folder}")
            return
        identities.forget_other_run(folder, identity, Path("epochs", "history.csv"))
        logs = arguments.tensorboard and arguments.tensorboard / place
        train_and_test(store, identity, chosen, folder, logs)
    print(f"results in {folder}")


def identify(arguments, chosen):
    """Everything that decides a run's numbers, but its data: two runs alike in it are one."""
    weights = "none" if arguments.tl_mode == "random" else arguments.weights or "imagenet"
    known = weights in ("none", "imagenet")
    if not known and not os.path.isfile(weights):
        raise InputError(f"no weights file {weights}; accepted: imagenet, none, or a file's path")
    return {
        "dataset": arguments.dataset_name,
        "challenge": arguments.challenge,
        "ANN": zoo.parse(arguments.ANN).architecture,
        "tl_mode": arguments.tl_mode,
        "weights": weights,
        "weights_sha256": None if known else folders.sha256(weights),
        "input_size": arguments.input_size or zoo.parse(arguments.ANN).size,
        "decoding": pictures.DECODING,
        **asdict(chosen),
    }


def train_and_test(store, identity, chosen, folder, logs):
    """Make the result folder; a picture that cannot be decoded is an InputError naming it."""
    import tensorflow as tf

    from transfer import scenarios

    model = scenarios.build(identity, chosen, store)
    try:
        with folders.whole(folder, resume=True) as partial:
            identities.sign(partial, identity)
            scenarios.run(model, store, identity, chosen, partial, logs)
    except tf.errors.OpError as error:
        if damaged := store.damaged():
            raise InputError(damaged) from error
        raise
    # what a resumed run needed; removed last, so that a kill in between loses nothing
    shutil.rmtree(folder / "epochs", ignore_errors=True)
    identities.unsign(folder)


def data_from(arguments):
    """The Data that the flags name."""
    names = [field.name for field in fields(Data)]
    given = {name: getattr(arguments, name) for name in names}
    return Data(**given | {"drop_labels": tuple(arguments.drop_labels)})


if __name__ == "__main__":
    sys.exit(main())
