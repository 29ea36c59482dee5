"""Which pictures a network was trained on, kept in its own file: none of them may judge it.

Pictures are told apart by the first LENGTH bytes of the SHA-256 of their files.
"""

import base64

from models import weights
from models.errors import InputError
from transfer import trained_layers
from transfer.result_folder import read_csv
from transfer.store import SPLITS

LENGTH = 8  # bytes: two of a million pictures are alike with a probability of 3e-8


def of_store(store, splits=tuple(SPLITS)):
    """The pictures of some splits of a data set that was made from a CSV or folders.

    Returns:
        frozenset of bytes; None for six files without split.csv, which do not tell.
    """
    path = store.folder / "split.csv"
    if not path.exists():
        return None
    rows = read_csv(path)
    digests = rows["sha256"][rows["split"].isin(splits)]
    return frozenset(bytes.fromhex(digest)[:LENGTH] for digest in digests)


def of_network(spec):
    """The pictures that the layers below a network's head were trained on, as its file says.

    Args:
        spec: models.zoo.Spec.

    Returns:
        frozenset of bytes, empty for networks without weights and with ImageNet's, and for files
        that were not made here, which cannot tell; None for a file that was trained here and does
        not say on what.

    Raises:
        InputError: a damaged file.
    """
    text = "" if spec.is_released else weights.trained_on(spec.weights)
    return None if text is None else _read(text, spec.weights)


def after(run, store):
    """The pictures that the layers below the head have been trained on when a run has ended.

    Returns:
        frozenset of bytes, or None where that is not known.
    """
    before = frozenset() if run.recipe.initial_weights == "he_uniform" else of_network(run.network)
    if run.recipe.layers in trained_layers.HEAD_ALONE:  # which every run draws anew
        return before
    # the validation pictures chose the epoch
    own = of_store(store, ("train", "val"))
    return None if before is None or own is None else before | own


def count_tested(spec, store):
    """How many test pictures of a data set the layers below a network's head were trained on.

    Args:
        spec: models.zoo.Spec.
        store: transfer.store.Store.

    Returns:
        int, or None where that is not known.
    """
    seen, tested = of_network(spec), of_store(store, ("test",))
    return None if seen is None or tested is None else len(seen & tested)


def written(seen):
    """Pictures as the text of models.network.Network.trained_on; None for None."""
    return None if seen is None else base64.b64encode(b"".join(sorted(seen))).decode()


def _read(text, path):
    try:
        data = base64.b64decode(text, validate=True)
    except (TypeError, ValueError) as error:
        raise InputError(f"{path}: trained_on does not list pictures ({error})") from None
    return frozenset(data[start : start + LENGTH] for start in range(0, len(data), LENGTH))


def refuse_seen(spec, store):
    """Refuse a network that was trained on pictures of a data set.

    Raises:
        InputError: it was, or its file does not tell although it was trained here.
    """
    seen, source = of_network(spec), spec.weights
    if seen is None:
        raise InputError(
            f"{source} was trained by a program that kept no list of its pictures, so nobody can "
            "tell whether it saw these; accepted: a network that was not trained on them, such as "
            "imagenet, or this one trained again"
        )
    here = of_store(store)
    shared = len(seen & here) if here is not None else 0
    if shared:
        raise InputError(
            f"{source} was trained on {shared} of the {len(here)} pictures of this collection: it "
            "has seen their labels; accepted: a network that was not trained on them, such as "
            "imagenet"
        )
