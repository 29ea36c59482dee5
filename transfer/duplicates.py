"""Near-duplicate pictures: the same work photographed, scaled, compressed or trimmed again.

A picture is its perceptual hash, 256 bits of where its low frequencies are strong (ImageHash's
phash); two pictures are near-duplicates when few bits differ.
"""

import contextlib
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np

from models.errors import InputError
from transfer import pictures
from transfer.metadata import findings_of

HASH_SIDE = 16  # phash keeps 16 x 16 frequencies; 8 x 8, its default, confuses museum objects
BITS = HASH_SIDE**2
# Bits of 256 that may differ. Measured: of 300 pictures each of shandong (museum objects),
# wikiart224, rasta_small and bobross, copies at half the size, at 70 % of it with JPEG quality 60,
# with quality 30 and trimmed by 1 % on every side are missed in 0 to 2 % of the cases, trimmed by
# 2 % in 3 to 7 %, trimmed by 4 % in 81 to 97 %. Pairs found, looked at one by one: wikiart224 14,
# of which 12 are one work reproduced twice and 2 works of a series; shandong 13, of which 1 is one
# picture twice, 8 objects of one set (bells, albums, coins) and 4 different objects (mirrors,
# swords); rasta_small and bobross none. 56 of 256 would find 30 in shandong, with a scroll beside a
# needle; phash's usual 64 bits with 8 differing found 40 there and missed as many copies.
DISTANCE = 48
# Grey levels: below this standard deviation the hash is of noise (a blank page, a single colour).
# The flattest of 6,915 pictures of the four collections above has 1.5.
FLAT = 1.0
_SIDE = 4 * HASH_SIDE  # phash shrinks a picture to this side before its transform
_MAX_THREADS = 16  # as many as transfer.pictures opens at once
_PAIRS_AT_ONCE = 1 << 22  # compared in one block: 64 MB with the words and counts of a block


class Near(NamedTuple):
    """Near-duplicates among pictures.

    groups: int array, a number from 1 for the pictures of one group, 0 for a picture alone.
    links: int array (links, 3) of two pictures' places and how many bits differ, as few as join
    every group, the closest pairs first.
    """

    groups: np.ndarray
    links: np.ndarray


def near(folder, names, report=None, distance=DISTANCE):
    """Find near-duplicates among picture files.

    Args:
        folder: of pictures.
        names: their paths in it, readable pictures each.
        report: called as report(done, total) after each picture.
        distance: bits of BITS that may differ.

    Returns:
        Near; chains count as one group.
    """
    hashes, flat = hash_pictures(folder, names, report)
    return link(hashes, flat, distance)


def hash_pictures(folder, names, report=None):
    """Perceptual hashes of picture files, on all cores.

    Returns:
        (uint64 array (pictures, BITS / 64); bool array, whether a picture has nothing to hash).
    """
    names = list(names)
    hashes = np.zeros((len(names), BITS // 64), np.uint64)
    flat = np.zeros(len(names), bool)
    with ThreadPoolExecutor(min(_MAX_THREADS, os.cpu_count() or 1)) as pool:
        results = pool.map(lambda name: _hash(Path(folder, name)), names)
        with contextlib.closing(results):  # an interrupt leaves the waiting pictures undone
            for place, (bits, is_flat) in enumerate(results):
                hashes[place], flat[place] = bits, is_flat
                if report:
                    report(place + 1, len(names))
    return hashes, flat


def link(hashes, flat, distance=DISTANCE):
    """Join hashes that differ in few bits; flat pictures stay alone.

    All pairs are compared in blocks (100,000 pictures: about a minute), and of the pairs found only
    a forest that joins the same groups is kept, so that memory grows with the pictures.

    Returns:
        Near.
    """
    places = np.flatnonzero(~flat)
    unique, first, which = np.unique(hashes[places], axis=0, return_index=True, return_inverse=True)
    same = np.flatnonzero(first[which.ravel()] != np.arange(len(places)))
    links = np.stack([first[which.ravel()[same]], same, np.zeros_like(same)], axis=1)
    forest = np.zeros((0, 3), int)
    rows = max(1, _PAIRS_AT_ONCE // max(1, len(unique)))
    for start in range(0, len(unique), rows):
        found = _close_pairs(unique, start, rows, distance)
        if len(found):
            forest = _forest(np.concatenate([forest, found]), len(unique))
    forest[:, :2] = first[forest[:, :2]]
    links = np.concatenate([links, forest])
    links[:, :2] = np.sort(places[links[:, :2]], axis=1)
    links = links[np.lexsort((links[:, 1], links[:, 0], links[:, 2]))]
    return Near(_numbered(links, len(hashes)), links)


def findings(near, rows):
    """A finding for every link between pictures that are in the data set.

    Args:
        near: Near of some pictures.
        rows: DataFrame of metadata.PICTURES with splits, indexed by the pictures' places.
    """
    kept = np.isin(near.links[:, :2], rows.index).all(axis=1)
    one, other = (rows.loc[near.links[kept, i]] for i in (0, 1))
    details = [
        f"like {path} ({bits} of {BITS} bits differ); "
        + (f"both are {label}" if label == own else f"that one is {label}, this one {own}")
        + (
            f", both in {split}"
            if split == where
            else f", that one in {split}, this one in {where}"
        )
        for path, label, split, own, where, bits in zip(
            one["path"],
            one["label"],
            one["split"],
            other["label"],
            other["split"],
            near.links[kept, 2],
            strict=True,
        )
    ]
    return findings_of("near-duplicate pictures", other["id"], other["path"], details)


def _hash(path):
    import imagehash

    try:
        grey = pictures.grey_thumbnail(path, 2 * _SIDE)
    except InputError:  # checked readable before, so it changed since; the split will say so
        return np.zeros(BITS // 64, np.uint64), True
    bits = imagehash.phash(grey, HASH_SIDE).hash
    return np.packbits(bits).view(np.uint64), np.std(grey) < FLAT


def _close_pairs(unique, start, rows, distance):
    """Pairs (first, second, bits) of one block of hashes with all that come after."""
    block = unique[start : start + rows]
    differing = np.zeros((len(block), len(unique) - start), np.uint16)
    for word in range(unique.shape[1]):
        differing += np.bitwise_count(block[:, word, None] ^ unique[None, start:, word])
    one, other = np.nonzero(differing <= distance)
    later = other > one
    one, other = one[later], other[later]
    return np.stack([one + start, other + start, differing[one, other]], axis=1).astype(int)


def _forest(pairs, count):
    """The fewest and closest of the pairs that join what all of them join."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import minimum_spanning_tree

    # no pair has distance 0, which a sparse graph would take for no pair
    graph = coo_array((pairs[:, 2], (pairs[:, 0], pairs[:, 1])), (count, count)).tocsr()
    tree = minimum_spanning_tree(graph).tocoo()
    return np.stack([tree.row, tree.col, tree.data.astype(int)], axis=1).astype(int)


def _numbered(links, count):
    """Numbers from 1 for what the links join, in the order of first pictures; 0 for the rest."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(links)), (links[:, 0], links[:, 1])), (count, count))
    joined = connected_components(graph, directed=False)[1]
    linked = np.unique(links[:, :2])
    numbers = np.zeros(count, int)
    seen = {}
    for place in linked:
        numbers[place] = seen.setdefault(joined[place], len(seen) + 1)
    return numbers
