"""Pictures like a picture: exact cosine neighbours and what they are worth: arrays in, numbers out.

Cetinic et al. 2018, section 5.5: the features are the outputs of the penultimate layer (fc7 of
CaffeNet), two pictures are as far apart as the cosine distance of theirs. A neighbour that shares
the query's label is a hit; each number stands beside the one that a random order would give. An
artist's other pictures make retrieval by style easy: give the artists as `groups`, and pictures of
the query's group are left out, as the query itself always is.

Known trap: hubs. In spaces of many dimensions a few pictures are among the neighbours of very many
others, whatever these show (Radovanović et al. 2010); see `hubs`.
"""

from collections import namedtuple

import numpy as np
from scipy.stats import binom, skew

from models.errors import InputError
from transfer.uncertainty import REPEATS, SEED, bootstrap

BLOCK = 2**23  # similarities held at once, 64 MB
DIGITS = 12  # of a cosine; what differs by less is a tie, whatever order a sum is computed in

Retrieval = namedtuple(
    "Retrieval",
    "precision precision_low precision_high precision_chance "
    "average_precision average_precision_low average_precision_high average_precision_chance "
    "queries share_of_queries",
)
Hubs = namedtuple("Hubs", "most picture share_never skewness")
NetworkDistance = namedtuple("NetworkDistance", "same_picture same_low same_high any_pictures")


def normalize(features):
    """Rows of length 1, so that their inner products are cosines.

    Args:
        features: (pictures, feature size) real numbers, or more axes, which are joined.

    Returns:
        float64 (pictures, feature size); a row of zeros stays zeros: it is like nothing.

    Raises:
        InputError: no row or no feature, or numbers that are not finite.
    """
    rows = np.asarray(features)
    if rows.ndim < 2 or 0 in rows.shape:
        raise InputError(f"features of shape {rows.shape}; accepted: (pictures, feature size)")
    rows = rows.reshape(len(rows), -1).astype(float)
    largest = np.abs(rows).max(axis=1, keepdims=True)  # squares of large numbers overflow
    if not np.isfinite(largest).all():
        wrong = np.flatnonzero(~np.isfinite(largest[:, 0]))
        raise InputError(
            f"{len(wrong)} of {len(rows)} pictures have features that are not finite, the first is "
            f"number {wrong[0]}; accepted: finite numbers"
        )
    rows /= np.where(largest > 0, largest, 1)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    rows /= np.where(lengths > 0, lengths, 1)
    return rows


def nearest(features, queries, k, exclude_self=None, groups=None, query_groups=None):
    """The k pictures nearest to each query, exactly; of equal ones the earlier picture is first.

    Args:
        features: (pictures, feature size) of `normalize`.
        queries: (queries, feature size) of `normalize`.
        k: neighbours, from 1; one that there is not is -1, its distance NaN.
        exclude_self: (queries,) the number of each query's own picture, which is left out; None
            where queries are no pictures of these.
        groups, query_groups: (pictures,) and (queries,) what each belongs to: pictures of a
            query's group are left out.

    Returns:
        (neighbours, distances): int64 and float64, both (queries, k); distances from 0 to 2.

    Raises:
        InputError: feature sizes differ, k is none, numbers of pictures do not fit.
    """
    _check_k(k)
    _check(features, queries, exclude_self, groups, query_groups)
    found = np.full((len(queries), k), -1, np.int64)
    distances = np.full((len(queries), k), np.nan)
    kept = min(k, len(features))
    for start, similar in _blocks(features, queries, exclude_self, groups, query_groups):
        rows = slice(start, start + len(similar))
        order = _best(similar, kept)
        best = np.take_along_axis(similar, order, axis=1)
        there = best > -np.inf
        found[rows, :kept] = np.where(there, order, -1)
        distances[rows, :kept] = np.where(there, np.clip(1 - best, 0, 2), np.nan)
    return found, distances


def _check_k(k):
    if not isinstance(k, (int, np.integer)) or isinstance(k, bool) or k < 1:
        raise InputError(f"k is {k!r}; accepted: a whole number from 1")


def _check(features, queries, exclude_self, groups, query_groups):
    if features.shape[1:] != queries.shape[1:]:
        raise InputError(
            f"features of {features.shape[1:]} and queries of {queries.shape[1:]} numbers; "
            "accepted: of one layer"
        )
    expected = {
        "exclude_self": (exclude_self, queries),
        "groups": (groups, features),
        "query_groups": (query_groups, queries),
    }
    for name, (given, rows) in expected.items():
        if given is not None and np.shape(given) != (len(rows),):
            raise InputError(f"{name} has shape {np.shape(given)}; accepted: ({len(rows)},)")
    if (groups is None) != (query_groups is None):
        raise InputError("groups without query_groups or the other way about; accepted: both")
    if exclude_self is not None:
        _check_numbers(exclude_self, len(features))


def _check_numbers(numbers, pictures):
    numbers = np.asarray(numbers)
    if numbers.dtype.kind not in "iu" or ((numbers < 0) | (numbers >= pictures)).any():
        raise InputError(f"numbers of pictures {numbers}; accepted: whole, 0 to {pictures - 1}")


def _blocks(features, queries, own=None, groups=None, query_groups=None):
    """Similarities of some queries after others, (queries, pictures); -inf where left out."""
    step = max(1, BLOCK // len(features))
    for start in range(0, len(queries), step):
        rows = slice(start, start + step)
        similar = np.round(queries[rows] @ features.T, DIGITS)
        if own is not None:
            similar[np.arange(len(similar)), np.asarray(own)[rows]] = -np.inf
        if groups is not None:
            similar[np.asarray(query_groups)[rows, None] == np.asarray(groups)] = -np.inf
        yield start, similar


def _best(similar, k):
    """Numbers of the k largest of each row, largest first, of equal ones the first."""
    if k < similar.shape[1]:
        least = np.partition(similar, -k, axis=1)[:, -k, None]
        above, equal = similar > least, similar == least
        room = k - above.sum(axis=1, keepdims=True)
        chosen = above | (equal & (np.cumsum(equal, axis=1) <= room))
        numbers = np.nonzero(chosen)[1].reshape(-1, k)
    else:
        numbers = np.broadcast_to(np.arange(k), similar.shape)
    order = np.argsort(-np.take_along_axis(similar, numbers, axis=1), axis=1, kind="stable")
    return np.take_along_axis(numbers, order, axis=1)


def retrieval_by_label(
    features, labels, k, queries=None, groups=None, units=None, repeats=REPEATS, seed=SEED
):
    """Precision at k and mean average precision of looking for a label by cosine distance.

    Every query ranks all other pictures (with groups: of other groups); of equally near ones the
    earlier is first. A query that has no picture of its label to find is left out.

    Args:
        features: (pictures, feature size), any real numbers.
        labels: (pictures,) of any kind.
        k: neighbours that precision counts; where there are fewer, all there are.
        queries: numbers of the pictures that are looked with; None for all.
        groups: (pictures,) what each belongs to, such as its artist; None where nothing is left
            out but the query itself.
        units: (pictures,) what is drawn as a whole in the bootstrap; None for the groups, or where
            there are none for single queries, which pictures of one artist are not worth.
        repeats, seed: of the bootstrap.

    Returns:
        Retrieval: precision at k and mean average precision over queries, each with its 95 %
        interval over queries (the pictures that are searched stay as they are) and what a random
        order would give in expectation, all in [0, 1]; how many queries count, and their share of
        those asked.

    Raises:
        InputError: no query has anything to find, or arrays do not fit.
    """
    _check_k(k)
    rows, labels = normalize(features), np.asarray(labels)
    groups = None if groups is None else np.asarray(groups)
    units = groups if units is None else np.asarray(units)
    for name, given in (("labels", labels), ("groups", groups), ("units", units)):
        if given is not None and given.shape != (len(rows),):
            raise InputError(f"{name} of shape {given.shape}; accepted: ({len(rows)},)")
    numbers = np.arange(len(rows)) if queries is None else np.asarray(queries)
    _check_numbers(numbers, len(rows))
    asked_rows = rows if queries is None else rows[numbers]
    asked = None if groups is None else groups[numbers]
    found = []
    for start, similar in _blocks(rows, asked_rows, numbers, groups, asked):
        for own, line in zip(numbers[start:], similar, strict=False):
            found.append(_of_query(line, labels == labels[own], k))
    found = np.array(found)  # precision, average precision, their chance
    told = ~np.isnan(found).any(axis=1)
    if not told.any():
        raise InputError(
            f"none of {len(numbers)} queries has another picture of its label; one must have"
        )
    found, drawn = found[told], None if units is None else units[numbers][told]
    parts = []
    for value, chance in ((0, 2), (1, 3)):
        column = found[:, value]
        low, high = bootstrap(_mean(column), len(column), drawn, repeats, seed)
        parts += [float(column.mean()), low, high, float(found[:, chance].mean())]
    return Retrieval(*parts, int(told.sum()), float(told.mean()))


def _of_query(similar, hit, k):
    """Of one ranking: precision at k, average precision, and both by chance; NaN without hits."""
    left = similar > -np.inf
    similar, hit = similar[left], hit[left]
    hits = int(hit.sum())
    if not hits:
        return (np.nan,) * 4
    ranked = hit[np.argsort(-similar, kind="stable")]
    places = np.flatnonzero(ranked) + 1
    average = np.mean(np.arange(1, hits + 1) / places)
    chance = chance_average_precision(hits, len(ranked))
    return ranked[:k].mean(), average, hits / len(ranked), chance


def chance_average_precision(hits, pictures):
    """The expected average precision of a random order.

    Args:
        hits: pictures that are looked for, from 1 to pictures.
        pictures: all that are ranked.

    Returns:
        float in (0, 1].

    Source:
        A hit at place i has hits before it in a share of (hits - 1) / (pictures - 1), so its
        precision is (1 + share * (i - 1)) / i; every place is as likely to be a hit. See Melnyk et
        al. 2025 (arXiv 2511.02571) for the same with a cut-off.
    """
    if hits == 1 and pictures == 1:
        return 1.0
    harmonic = np.sum(1 / np.arange(1, pictures + 1))
    share = (hits - 1) / (pictures - 1)
    return float((harmonic + share * (pictures - harmonic)) / pictures)


def _mean(values):
    """The mean, as bootstrap takes it."""
    return lambda weights: weights @ values / weights.sum(axis=1)


def hubs(neighbours, pictures):
    """How unevenly pictures are neighbours of others.

    Args:
        neighbours: (queries, k) numbers of `nearest`; -1 is none.
        pictures: how many there are.

    Returns:
        Hubs: how often the commonest neighbour occurs, which picture it is (the first of several),
        the share of pictures that are nobody's neighbour, and the skewness of the numbers of
        occurrences (0 where all occur equally often; large where there are hubs).

    Raises:
        InputError: no neighbour at all.

    Source:
        Radovanović et al. 2010 (JMLR 11, 2487): the k-occurrence N_k and its skewness S_Nk.
    """
    found = np.asarray(neighbours).ravel()
    found = found[found >= 0]
    if not len(found) or found.max() >= pictures:
        raise InputError(f"{len(found)} neighbours of {pictures} pictures; accepted: some of these")
    counts = np.bincount(found, minlength=pictures)
    uneven = float(skew(counts)) if counts.min() < counts.max() else 0.0
    most = int(counts.argmax())
    return Hubs(int(counts[most]), most, float((counts == 0).mean()), uneven)


def chance_hubs(pictures, k):
    """What `hubs` would give if every picture's k neighbours were drawn at random.

    Args:
        pictures: how many, above k.
        k: neighbours of each.

    Returns:
        Hubs in expectation: how often a picture occurs is then binomial, of pictures - 1 others
        with chance k / (pictures - 1), and the most of them is taken as that of independent ones;
        no picture (None) is the commonest.
    """
    occurs = binom(pictures - 1, k / (pictures - 1))
    most = float(np.sum(1 - occurs.cdf(np.arange(pictures - 1)) ** pictures))
    return Hubs(most, None, float(occurs.pmf(0)), float(occurs.stats("s")))


def network_distance(first, second):
    """How far apart the features are that two networks give the same pictures.

    Of 100 pictures drawn at random Cetinic et al. 2018 (section 5.5, figure 16) take the fc7
    features by each network and "the mean of the overall cosine distance between images". We read
    this as the mean over pictures of the distance between a picture's two features, which makes
    the matrix 0 on its diagonal; the mean over all pairs of pictures, the other reading, is what
    any two pictures would give, so it stands beside it.

    Args:
        first, second: (pictures, feature size) of the same pictures in the same order, of layers
            of one size. Axes are compared one by one: networks that do not share a start give
            about what any two pictures give, whatever they know.

    Returns:
        NetworkDistance: both means, in [0, 2], the first with its 95 % interval over pictures.

    Raises:
        InputError: shapes differ.
    """
    if np.shape(first) != np.shape(second):
        raise InputError(
            f"features of shapes {np.shape(first)} and {np.shape(second)}; accepted: of one shape"
        )
    first, second = normalize(first), normalize(second)
    distances = 1 - np.einsum("ij,ij->i", first, second)
    low, high = bootstrap(_mean(distances), len(distances))
    # the mean inner product of all pairs is that of the means
    any_pictures = float(1 - first.mean(axis=0) @ second.mean(axis=0))
    return NetworkDistance(float(distances.mean()), low, high, any_pictures)
