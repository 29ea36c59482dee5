"""What one network makes of a data set: every channel's top pictures, and features; kept.

    seen = see(network, store, "results/seen", 224)
    seen.tops["mixed4d_3x3_pre_relu"]  # (K, channels)

One pass of the training pictures, for top sets, and of the test pictures, for CKA (Gonthier et al.
2020, section 3). Networks that are looked at by themselves are compared in any pairs afterwards,
and pictures may have several labels. What is kept is small beside the scores of all pictures.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from models import weights
from models.errors import InputError
from transfer import inference
from transfer.pictures import DECODING
from transfer.progress import Progress
from transfer.result_folder import open_whole, result_folder
from visualization import activations, layer_pairs, similarity
from visualization.differences import DEFAULT_K

FILE, SCRATCH = "seen.h5", "scratch"
BATCH = 32  # pictures in a forward pass
# of few pictures the top sets are at most these shares of them: else they would be alike by chance
SHARES = (4, 2)
PARTS = {"top": "train", "cka": "test"}


@dataclass(frozen=True)
class TopSets:
    """What a network made of a data set.

    stages: dict, name of a layer that all passes through -> names of its convolutions, in order of
    depth. tops: dict convolution -> int32 (K, channels), places of training pictures, the best
    first, -1 where fewer fire it. firing: dict convolution -> int (channels,), how many do.
    features: dict stage -> float32 (test pictures, channels). ks: sizes of top sets, the smaller
    first; the larger is K. pictures: those of training.
    """

    stages: dict
    tops: dict
    firing: dict
    features: dict
    ks: tuple
    pictures: int

    def top(self, layer, k):
        """A convolution's first k top pictures, -1 where there are fewer: int (k, channels)."""
        return self.tops[layer][:k]


def top_sizes(pictures):
    """The sizes of top sets: the paper's, 100 and 1000; of few pictures a quarter and half of them.

    Args:
        pictures: how many there are.

    Raises:
        InputError: fewer than 4.
    """
    if pictures < max(SHARES):
        raise InputError(f"top sets come from {pictures} pictures; accepted: {max(SHARES)} or more")
    pairs = zip(DEFAULT_K, SHARES, strict=True)
    return tuple(min(k, pictures // share) for k, share in pairs)


def see(network, store, folder, size, say=print):
    """Pass a data set through a network and keep what it makes of it, or find that.

    Args:
        network: models.network.Network.
        store: transfer.store.Store.
        folder: of the result; an interrupted pass goes on there.
        size: side of the pictures in pixels.
        say: called with lines of text.

    Returns:
        TopSets.

    Raises:
        InputError: a network without convolutions or with weights that are no numbers; a size that
            it does not take; too few pictures; another result in the folder.
    """
    ks = top_sizes(len(store.labels[PARTS["top"]]))
    identity = {
        "network": weights.fingerprint(network.model),
        "data": store.key,
        "split_sha256": store.split_sha256,
        "input_size": size,
        "ks": list(ks),
        "decoding": DECODING,
    }
    with result_folder(folder, identity, f"{SCRATCH}/*", SCRATCH, say) as result:
        if not result.finished:
            stages = {
                layer.name: layer.branches
                for layer in layer_pairs.layers_of(network.model)
                if layer.is_stage
            }
            scores = {
                what: _scored(network, stages, store, part, result.path / SCRATCH / what, size)
                for what, part in PARTS.items()
            }
            _write(result.path / FILE, _summed_up(stages, scores, ks))
    return read_top_sets(result.final)


def _scored(network, stages, store, part, folder, size):
    """activations.Scores of a part of a data set at the convolutions of all stages."""
    folder.mkdir(parents=True, exist_ok=True)
    names = tuple(dict.fromkeys(branch for some in stages.values() for branch in some))
    batches = inference.stored(store, part, size, BATCH)
    progress = Progress(len(store.labels[part]), f"{part} pictures scored")
    with inference.explained(BATCH, size, store):
        found = activations.score_pictures(
            {"a": network}, {"a": names}, batches, folder, size, progress=progress
        )
    return found["a"]


def _summed_up(stages, scores, ks):
    """The TopSets of scores; scores: dict of PARTS -> activations.Scores."""
    tops, firing, features = {}, {}, {}
    for name, branches in stages.items():
        for branch in branches:
            of_all = scores["top"].score(branch)
            tops[branch] = similarity.top_pictures(of_all, max(ks))
            firing[branch] = similarity.firing(of_all)
        parts = [scores["cka"].score(branch) for branch in branches]
        features[name] = np.concatenate(parts, axis=1)
    return TopSets(stages, tops, firing, features, ks, len(of_all))


def _write(path, seen):
    """Write TopSets into an HDF5 file, whole or absent."""
    told = {"stages": seen.stages, "ks": seen.ks, "pictures": seen.pictures}
    with open_whole(path) as whole, h5py.File(whole.name, "w") as file:
        file.attrs["told"] = json.dumps(told)
        for kind in ("tops", "firing", "features"):
            for number, values in enumerate(getattr(seen, kind).values()):
                file.create_dataset(f"{kind}/{number}", data=values, **activations.PACKED)


def read_top_sets(folder):
    """The TopSets that a folder of `see` holds.

    Raises:
        InputError: a damaged file.
    """
    path = Path(folder) / FILE
    try:
        with h5py.File(path) as file:
            told = json.loads(file.attrs["told"])
            stages = {name: tuple(branches) for name, branches in told["stages"].items()}
            names = {"features": list(stages)}
            names["tops"] = names["firing"] = [b for some in stages.values() for b in some]
            kinds = {
                kind: {name: file[f"{kind}/{n}"][:] for n, name in enumerate(names[kind])}
                for kind in names
            }
    except (OSError, KeyError) as error:
        raise InputError(f"{path} is damaged ({error}); remove {folder}") from error
    return TopSets(stages, **kinds, ks=tuple(told["ks"]), pictures=told["pictures"])


def overlaps(before, after, layer, k):
    """Overlap of every channel's top sets in two networks; NaN where one has fewer than k pictures.

    Args:
        before, after: TopSets of the same data set.
        layer: a convolution that both have.
        k: size of the sets.

    Returns:
        float64 (channels,) in [0, 1].

    Source:
        Gonthier et al. 2020, "overlapping ratio".
    """
    shared = similarity.overlap(before.top(layer, k), after.top(layer, k))
    full = (before.firing[layer] >= k) & (after.firing[layer] >= k)
    return np.where(full, shared, np.nan)


def entropies(seen, layer, k, labels, classes):
    """Entropy over classes of every channel's top set; NaN where fewer than k pictures fire it.

    Args:
        seen: TopSets.
        layer: a convolution.
        k: size of the sets.
        labels: int (pictures,), of the training pictures.
        classes: how many there are.

    Returns:
        float64 (channels,) in [0, 1].
    """
    shares = similarity.class_shares(seen.top(layer, k), labels, classes)
    return np.where(seen.firing[layer] >= k, similarity.entropy(shares), np.nan)


def common_labels(top, labels, classes, most=3):
    """The commonest labels of one channel's top set, of one or of several labels a picture.

    Args:
        top: int (K,), places of pictures; negative ones are left out.
        labels: int (pictures,), or 0 and 1 (pictures, classes).
        classes: names.
        most: how many.

    Returns:
        list of (name, share of the set that has it), the commonest first.
    """
    own = np.asarray(labels)[top[top >= 0]]
    if own.ndim == 1:
        own = own[:, None] == np.arange(len(classes))
    if not len(own):
        return []
    shares = own.mean(axis=0)
    order = np.argsort(-shares, kind="stable")[:most]
    return [(classes[number], float(shares[number])) for number in order if shares[number] > 0]
