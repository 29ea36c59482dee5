"""What networks find alike among pictures that none of them was trained with: numbers of a paper.

A Gallery is searched by several networks; each number stands beside what chance gives. Features are
kept, see transfer.neighbours.see.
"""

import math
from dataclasses import dataclass

import numpy as np

from models.errors import InputError
from transfer import metadata
from transfer.neighbours import see, unseen
from transfer.pictures import find_pictures
from transfer.retrieval import hubs, nearest, network_distance, retrieval_by_label

ARTIST = "artist"  # the column whose pictures belong together
EVERY, OTHERS = "all pictures", "pictures of other artists"


@dataclass(frozen=True, eq=False)
class Gallery:
    """Labelled picture files.

    files: tuple of Path. labels: dict of a task -> (files,) array of text.
    """

    files: tuple
    labels: dict

    def only(self, files):
        """The gallery of these files alone."""
        place = {file: number for number, file in enumerate(self.files)}
        numbers = [place[file] for file in files]
        return Gallery(tuple(files), {name: given[numbers] for name, given in self.labels.items()})


def open_gallery(data, networks):
    """The pictures of a collection that have every label and that no network was trained with.

    Args:
        data: dict task -> transfer.dataset.Data, of one folder of pictures; of each label the
            classes that its data set has count. Artists are added where the CSV tells them.
        networks: iterable of strings, see transfer.neighbours.unseen.

    Returns:
        Gallery.

    Raises:
        InputError: there is no such picture; a CSV that cannot be read.
    """
    first = next(iter(data.values()))
    folder = first.jpg_images_path
    files = [folder / name for name in find_pictures(folder, first.pictures_glob)]
    labels = {}
    for task, of in data.items():
        classes = set(of.open().classes)
        told = _labels(of, of.challenge, files)
        labels[task] = [told[file] if told[file] in classes else "" for file in files]
    complete = [all(row) for row in zip(*labels.values(), strict=True)]
    if ARTIST not in labels and ARTIST in metadata.read_csv(first.metadata_path).columns:
        told = _labels(first, ARTIST, files)
        labels[ARTIST] = [told[file] for file in files]
    whole = Gallery(tuple(files), {name: np.array(given) for name, given in labels.items()})
    labelled = [file for file, has in zip(files, complete, strict=True) if has]
    left = unseen(labelled, networks)
    if not left:
        raise InputError(
            f"none of the {len(labelled)} pictures with {' and '.join(data)} is new to the networks"
        )
    return whole.only(left)


def _labels(data, challenge, files):
    rows = metadata.read(
        data.metadata_path, challenge, data.id_column, None, data.drop_labels, data.where
    ).rows
    return metadata.labels_of(files, rows)


def see_all(gallery, networks, **how):
    """What every network makes of a gallery: (Gallery of what all could read, dict name -> rows).

    Args:
        gallery: Gallery.
        networks: dict name -> string.
        how: see transfer.neighbours.see.
    """
    seen = {name: see(network, gallery.files, **how) for name, network in networks.items()}
    files = [file for file in gallery.files if all(file in one.place for one in seen.values())]
    return gallery.only(files), {name: one.of(files) for name, one in seen.items()}


def retrieval_rows(gallery, features, k):
    """Looking for a label by every network: precision at k and mean average precision.

    Among all pictures, and among those of other artists than the query's, where artists are known;
    intervals are over artists then.

    Args:
        gallery: Gallery of the features' pictures.
        features: dict network -> (pictures, feature size).
        k: neighbours that precision counts.

    Returns:
        dict (network, label, EVERY or OTHERS) -> transfer.retrieval.Retrieval.
    """
    found = {}
    for network, rows in features.items():
        for label, values in gallery.labels.items():
            queries = np.flatnonzero(values != "")
            artists = _groups(gallery) if ARTIST in gallery.labels else None
            looked_for = rows, values, k, queries
            found[network, label, EVERY] = retrieval_by_label(*looked_for, units=artists)
            if label != ARTIST and artists is not None:
                found[network, label, OTHERS] = retrieval_by_label(*looked_for, artists)
    return found


def _groups(gallery):
    """The artist of every picture; one whose artist is not told is alone."""
    pairs = zip(gallery.labels[ARTIST], gallery.files, strict=True)
    return np.array([artist or str(file) for artist, file in pairs])


def distances_of_neighbour(rows, rank, share):
    """How far the neighbour of a rank is from each picture, and that of a rank by share.

    Args:
        rows: (pictures, feature size) of transfer.retrieval.normalize.
        rank: from 1.
        share: of the pictures, above 0 to 1; the rank beside it, at least 1.

    Returns:
        (far, near): (pictures,) distances, NaN where there is no such neighbour.
    """
    count = len(rows)
    beside = max(1, math.ceil(share * count))
    numbers = np.arange(count)
    found = nearest(rows, rows, max(rank, beside), numbers)[1]
    return found[:, rank - 1], found[:, beside - 1]


def hubs_of(rows, k):
    """How uneven the k neighbours of all pictures are: transfer.retrieval.Hubs."""
    return hubs(nearest(rows, rows, k, np.arange(len(rows)))[0], len(rows))


def network_distances(features, pictures, seed):
    """How far apart networks' features are, over the same pictures drawn at random.

    Args:
        features: dict network -> (pictures, feature size), all of one size.
        pictures: how many are drawn; all where there are fewer.
        seed: of the draw.

    Returns:
        dict (first, second) -> transfer.retrieval.NetworkDistance, of all pairs, the first before
        the second in `features`.
    """
    count = len(next(iter(features.values())))
    drawn = np.random.default_rng(seed).permutation(count)[:pictures]
    names = list(features)
    return {
        (first, second): network_distance(features[first][drawn], features[second][drawn])
        for place, first in enumerate(names)
        for second in names[place + 1 :]
    }
