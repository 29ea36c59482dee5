"""The released networks of Sabatelli et al. 2018, fine-tuned on the Rijksmuseum's collection.

Eleven weights files that the authors put beside their code. Each is looked for in a folder, then
downloaded, and in any case compared with the id under which the authors' repository keeps it.
"""

import hashlib
import os
from pathlib import Path

from models import downloads, zoo
from models.errors import InputError

REPOSITORY = (
    "https://raw.githubusercontent.com/paintception/"
    "Deep-Transfer-Learning-for-Art-Classification-Problems/master/models"
)
FOLDER = "RIJKS_WEIGHTS"  # environment variable
CACHED = "models/rijksmuseum"  # where in Keras's cache the files are kept
BLOCK = 1 << 20  # bytes read at once

# (challenge, network as the authors name it) -> git blob id of its file
RELEASED = {
    ("creator", "ResNet"): "3f5f4449ceade1433e72d0e19d14170d0b1d6585",
    ("creator", "V3"): "a9ce1c00f5727603104a07727bc2b32a8c204edd",
    ("creator", "VGG19"): "64588ae2704b200a0e5576484ab80885f99de940",
    ("creator", "Xception"): "a8d677ba1d95da8d4ecf9089ddb70d1efc91209b",
    ("material", "ResNet"): "6dbaa47db7c82993211a0ea09588aa80ddccfe69",
    ("material", "V3"): "64cf7a711d722eb095ec76f7540401988e71d417",
    ("material", "Xception"): "5df8f53a8828bd8199299738158223b3cea807ee",
    ("type", "ResNet"): "0423bfd96268ec2565b177abc1c15c6106aa3765",
    ("type", "V3"): "4da364d27b58470a6cd8df7c7ac15d142358852e",
    ("type", "VGG19"): "5a0e69cef867ebb15fc78d4c02dab8faab228c2f",
    ("type", "Xception"): "38275d95400d92d2def9e044c865376526a5e3c3",
}
# the paper says artist, the released files creator
CHALLENGES = {"artist": "creator", "creator": "creator", "material": "material", "type": "type"}

# network in zoo.NETWORKS -> its name in the names of the files
FILES = {"VGG19": "VGG19", "ResNet50": "ResNet", "InceptionV3": "V3", "Xception": "Xception"}


def load(name, challenge, folder=None):
    """Build a released network and fill it with its file; see RijksVGG19Net.

    Args:
        name: a key of zoo.RIJKS.
    """
    from models.importers import keras_hdf5  # and h5py, where a file is read

    architecture = zoo.RIJKS[name]
    path = find(challenge, FILES[architecture], folder)
    # The released code prepared pixels with each network's own preprocess_input, as build() does,
    # and its head is build()'s: global average pooling, one softmax layer.
    model = zoo.build(architecture, keras_hdf5.classes(path))
    model = keras_hdf5.as_built(path, model)
    keras_hdf5.load(path, model)
    return model


def as_start(spec):
    """What a training that starts from a released network is of: its architecture and its file.

    The head is not taken: the classes are others.

    Args:
        spec: models.zoo.Spec, of a released network (`RijksVGG19Net:artist`; without a challenge
            its architecture, random) or of its architecture (`VGG19:RijksVGG19Net:artist`).

    Returns:
        models.zoo.Spec, e.g. `VGG19:FOLDER/creator_VGG19_weights.h5`; the file is there, or has
        been downloaded. One of another network is returned as it is.

    Raises:
        models.errors.InputError: as RijksVGG19Net; or the weights are of another architecture.
    """
    if not spec.of_released:
        return spec
    name, _, challenge = (spec.text if spec.is_released else spec.weights).partition(":")
    architecture = zoo.RIJKS[name]
    if not spec.is_released and spec.architecture != architecture:
        raise InputError(
            f"{spec.weights} is a {architecture}; {spec.architecture} takes imagenet, none, or a "
            "file's path"
        )
    path = find(challenge, FILES[architecture]) if challenge else None
    return zoo.Spec(architecture, (), path and str(path))


def RijksVGG19Net(challenge, folder=None):  # noqa: N802 - named as in the paper
    """VGG19 fine-tuned on a Rijksmuseum challenge (Sabatelli et al. 2018, section 3.1).

    Args:
        challenge: `artist` (or `creator`) or `type`; `material` was never released.
        folder: where the weights file lies, flat or laid out as in the authors' repository;
            None for the folder named by the environment variable RIJKS_WEIGHTS, and without
            that Keras's cache, into which the file is downloaded.

    Returns:
        keras.Model: RGB pixels in [0, 255] (N, 224, 224, 3) -> class probabilities. The names of
        the classes were not released.

    Raises:
        models.errors.InputError: unknown challenge, no such file and no network, or a file that
            is not the released one.
    """
    return load("RijksVGG19Net", challenge, folder)


def RijksResNet50(challenge, folder=None):  # noqa: N802
    """ResNet50 as Keras 2.0 to 2.2 built it, fine-tuned; see RijksVGG19Net.

    challenge may be `artist` (`creator`), `material` or `type`; input (N, 224, 224, 3).
    """
    return load("RijksResNet50", challenge, folder)


def RijksInceptionV3(challenge, folder=None):  # noqa: N802
    """InceptionV3 fine-tuned; see RijksVGG19Net.

    challenge may be `artist` (`creator`), `material` or `type`; input (N, 299, 299, 3).
    """
    return load("RijksInceptionV3", challenge, folder)


def RijksXception(challenge, folder=None):  # noqa: N802
    """Xception fine-tuned; see RijksVGG19Net.

    challenge may be `artist` (`creator`), `material` or `type`; input (N, 299, 299, 3).
    """
    return load("RijksXception", challenge, folder)


def find(challenge, net, folder=None):
    """Find or download a released file and check it.

    Args:
        challenge, net: a key of RELEASED, or `artist` for `creator`.
        folder: as in RijksVGG19Net.

    Returns:
        Path of a file whose git blob id is the released one.

    Raises:
        models.errors.InputError: as RijksVGG19Net.
    """
    key = (CHALLENGES.get(challenge), net)
    if key not in RELEASED:
        raise InputError(
            f"no weights of {net} for {challenge!r} were released; there are "
            + ", ".join(f"{released} {name}" for released, name in RELEASED)
        )
    for given in (folder, os.environ.get(FOLDER)):
        if given and (path := _in_folder(Path(given), *key)):
            return _checked(path, RELEASED[key])
    return _download(*key)


def blob_id(path):
    """The id git gives a file's content: SHA-1 of `blob <size>`, a zero byte and the content."""
    # git's choice; it names a known file here and is no defence against a made collision
    digest = hashlib.sha1(usedforsecurity=False)
    digest.update(b"blob %d\0" % os.path.getsize(path))
    with open(path, "rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _in_folder(folder, challenge, net):
    if not folder.is_dir():
        raise InputError(f"no folder {folder} (for the released weights)")
    name = f"{challenge}_{net}_weights.h5"
    layouts = (name, f"{challenge}/{net}/{name}", f"models/{challenge}/{net}/{name}")
    return next((folder / path for path in layouts if (folder / path).is_file()), None)


def _download(challenge, net):
    name = f"{challenge}_{net}_weights.h5"
    url = f"{REPOSITORY}/{challenge}/{net}/{name}"
    try:
        return downloads.fetch(
            name, url, CACHED, lambda path: _checked(path, RELEASED[challenge, net])
        )
    except Exception as error:  # Keras raises a bare Exception when a download fails
        raise InputError(
            f"{name} could not be downloaded ({error}); get {url} and put it into a folder named "
            f"by the environment variable {FOLDER}"
        ) from error


def _checked(path, expected):
    actual = blob_id(path)
    if actual != expected:
        raise InputError(
            f"{path} is not the released file: its git blob id is {actual}, not {expected}"
        )
    return path
