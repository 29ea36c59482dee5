"""How far networks differ, channel by channel and layer by layer, from scores kept on disk.

Gonthier et al. 2020, section 3.4: overlap and entropy of the pictures that excite a channel most,
linear CKA and the distance of the kernels; each beside what chance gives.
"""

import itertools
import json
import re
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas

from transfer.result_folder import read_csv, read_json, write_text
from visualization import layer_pairs, similarity

COMMONEST = 3  # classes of a top set that are told (figure 1 of Gonthier et al. 2020)
PAIR = ("a", "b")  # the two that a comparison is about


@dataclass(frozen=True)
class Views:
    """What networks make of one list of pictures, and which of these count for what.

    scores: network's key -> activations.Scores, the two that are compared first. matches:
    layer_pairs.Matches. layers: network's key -> tuple of its layer_pairs.Layer. top: rows of the
    scores whose pictures the top sets come from, int (n,). compared: those that CKA is computed on,
    int (m,). labels: classes of the former, int (n,). classes: their names. ks: sizes of top sets,
    the first is the one that is shown. seed: of draws.
    """

    scores: dict
    matches: Any
    layers: dict
    top: Any
    compared: Any
    labels: Any
    classes: tuple
    ks: tuple
    seed: int = 0

    @property
    def keys(self):
        """Keys of the networks."""
        return tuple(self.scores)

    @property
    def pairs(self):
        """Pairs of keys; the first is the one that the comparison is about."""
        return tuple(itertools.combinations(self.keys, 2))

    @property
    def tells_classes(self):
        """Whether there are several classes, which entropy needs."""
        return len(self.classes) > 1

    def seen(self, key, name):
        """Scores of the pictures that top sets come from, at a convolution: (n, channels)."""
        return self.scores[key].score(name)[self.top]

    def tops(self, key, name, k=None):
        """Every channel's top set in a network: places in `top`, (k, channels).

        The best first; -1 where fewer pictures have a score above 0.
        """
        return similarity.top_pictures(self.seen(key, name), k or self.ks[0])

    @property
    def numbers(self):
        """Places in the list of pictures of those that top sets come from, int (n,)."""
        return np.asarray(self.scores[self.keys[0]].numbers)[self.top]

    def features(self, key, layer):
        """Scores of the pictures that CKA is computed on, float64 (m, channels)."""
        parts = [self.scores[key].score(branch)[self.compared] for branch in layer.branches]
        return np.concatenate(parts, axis=1).astype("float64")


@dataclass(frozen=True)
class Numbers:
    """All that was computed of several networks.

    channels: DataFrame, a row for each channel (see channels_table); layers: DataFrame, a row for
    each layer (see layers_table). overlap_chance, entropy_chance: size of the top sets ->
    similarity.Chance, the second without entries where there is one class. cka: pair of keys ->
    list of similarity.Cka, a layer each of `layers`, None where the pair has no such layer. maps:
    (names of the first network's layers, of the second's, {form: CKA of each with each}).
    """

    channels: Any
    layers: Any
    overlap_chance: dict
    entropy_chance: dict
    cka: dict
    maps: tuple


def suffix(pair):
    """What the names of a pair's columns end in: nothing for the two that are compared."""
    return "" if pair == PAIR else "_" + "".join(pair)


def compute(views, models, kept, progress):
    """Compute everything about layers and channels that needs no ascent.

    Args:
        views: Views.
        models: network's key -> keras.Model.
        kept: Path of a JSON file where CKA is kept layer by layer, for a run that is interrupted.
        progress: transfer.progress.Progress over steps(views).

    Returns:
        Numbers.
    """
    chances = {k: similarity.chance_overlap(len(views.top), k) for k in views.ks}
    counts = np.bincount(views.labels, minlength=len(views.classes))
    entropies = {
        k: similarity.chance_entropy(counts, k, seed=views.seed)
        for k in views.ks
        if views.tells_classes
    }
    channels = channels_table(views, progress)
    for name, chance in (("overlap", chances), ("entropy", entropies)):
        for k, one in chance.items():
            channels[f"{name}_{k}_chance"] = one.mean
    ckas = compute_cka(views, kept, progress)
    distances = {pair: _kernel_distances(views, models, pair) for pair in views.pairs}
    layers = layers_table(views, channels, ckas, distances)
    for name, chance in (("overlap", chances), ("entropy", entropies)):
        for k, one in chance.items():
            layers[f"{name}_{k}_chance"] = one.mean
    return Numbers(channels, layers, chances, entropies, ckas, _maps(views))


def steps(views):
    """How many steps `compute` counts."""
    return len(_listed(views)) + len(views.matches.layers) * len(views.pairs)


def _listed(views):
    """(key or None, Match or Layer) of every convolution whose channels are listed.

    Where the networks have no layer in common, those of each by itself.
    """
    if views.matches.layers:
        return [(None, match) for match in views.matches.channelled]
    return [
        (key, layer) for key in views.keys for layer in views.layers[key] if not layer.is_joined
    ]


def channels_table(views, progress=None):
    """Compute what is told of every channel.

    Columns: layer, channel, also where no convolution is compared channel by channel and there is
    no row; for each network NAME_firing (pictures with a score above 0),
    NAME_best (the highest score), NAME_entropy_K, NAME_class_1, NAME_share_1 and so on, of the
    first K; for each pair overlap_K. Networks that have no layer in common are listed one below
    the other, with a column network instead of overlaps.

    Args:
        views: Views.
        progress: transfer.progress.Progress, or None.

    Returns:
        pandas.DataFrame.
    """
    frames = []
    for key, layer in _listed(views):
        if key is None:
            frames.append(_of_match(views, layer))
        else:
            columns, _ = _of_network(views, key, layer.name, "")
            columns = {"network": key, "layer": layer.name, **columns}
            frames.append(pandas.DataFrame(columns))
        if progress:
            progress.advance()
    if not frames:
        return pandas.DataFrame(columns=["layer", "channel"])
    return pandas.concat(frames, ignore_index=True)


def _of_match(views, match):
    """The channels of a convolution in all networks that have it."""
    first = views.keys[0]
    columns = {"layer": match.name, "channel": np.arange(match.of[first].channels)}
    tops = {}
    for key, layer in match.of.items():
        if match.has_same_channels(first, key):
            own, tops[key] = _of_network(views, key, layer.name, f"{key}_")
            columns |= own
    for a, b in views.pairs:
        if a in tops and b in tops:
            for k in views.ks:
                shared = similarity.overlap(tops[a][:k], tops[b][:k])
                columns[f"overlap_{k}{suffix((a, b))}"] = shared
    return pandas.DataFrame(columns)


def _of_network(views, key, name, prefix):
    """(Columns of a convolution in one network, its largest top sets)."""
    scores = views.seen(key, name)
    firing = similarity.firing(scores)
    columns = {f"{prefix}firing": firing, f"{prefix}best": scores.max(axis=0)}
    if not prefix:
        columns = {"channel": np.arange(scores.shape[1]), **columns}
    tops = similarity.top_pictures(scores, max(views.ks))
    for k in views.ks if views.tells_classes else ():
        shares = similarity.class_shares(tops[:k], views.labels, len(views.classes))
        columns[f"{prefix}entropy_{k}"] = similarity.entropy(shares)
    first = similarity.class_shares(tops[: views.ks[0]], views.labels, len(views.classes))
    numbers, shares = commonest(first)
    names = np.array([*views.classes, None], object)  # -1 is the last
    for place in range(numbers.shape[1]):
        columns[f"{prefix}class_{place + 1}"] = names[numbers[:, place]]
        columns[f"{prefix}share_{place + 1}"] = shares[:, place]
    return columns, tops


def read_channels(path):
    """Read the table of channels that a comparison wrote; numbers are numbers again.

    Returns:
        pandas.DataFrame.
    """
    table = read_csv(path)
    texts = {"layer", "network", *(name for name in table if re.search(r"class_\d", name))}
    for name in table.columns.difference(texts):
        table[name] = pandas.to_numeric(table[name])
    return table


def commonest(shares, most=COMMONEST):
    """The commonest classes of every channel's top set.

    Args:
        shares: (channels, classes), rows of NaN for channels that nothing excites.
        most: how many.

    Returns:
        (numbers of classes, int (channels, most), -1 where there are no more; shares, float
        (channels, most), NaN there), the commonest first; ties go by the order of the classes.
    """
    known = np.nan_to_num(shares)
    numbers = np.argsort(-known, axis=1, kind="stable")[:, :most]
    found = np.take_along_axis(known, numbers, axis=1)
    return np.where(found > 0, numbers, -1), np.where(found > 0, found, np.nan)


def first_k(channels):
    """The size of the top sets that are shown, from the names of a table's columns."""
    for name in channels.columns:
        found = re.fullmatch(r"(?:overlap|entropy|\w_entropy)_(\d+)", name)
        if found:
            return int(found[1])
    return None


def counted(channels, key, k):
    """Whether each channel has k pictures with a score above 0 in a network, bool (channels,)."""
    column = f"{key}_firing" if f"{key}_firing" in channels else "firing"
    return (channels[column] >= k).to_numpy()


def overlaps(channels, pair, k):
    """Overlap of every channel, NaN where a network has fewer than k firing pictures."""
    column = f"overlap_{k}{suffix(pair)}"
    if column not in channels:
        return np.full(len(channels), np.nan)
    both = counted(channels, pair[0], k) & counted(channels, pair[1], k)
    return np.where(both, channels[column].to_numpy(float), np.nan)


def entropies(channels, key, k):
    """Entropy of every channel, NaN where fewer than k pictures fire it."""
    column = f"{key}_entropy_{k}" if f"{key}_entropy_{k}" in channels else f"entropy_{k}"
    if column not in channels:
        return np.full(len(channels), np.nan)
    own = counted(channels, key, k)
    if "network" in channels:
        own = own & (channels["network"] == key).to_numpy()
    return np.where(own, channels[column].to_numpy(float), np.nan)


def compute_cka(views, kept, progress=None):
    """Compute CKA of every layer that networks have in common, or read what an earlier run did.

    Returns:
        dict: pair of keys -> list of similarity.Cka or None, as Numbers.cka.
    """
    known = read_json(kept) if kept.exists() else {}
    found = {}
    for pair in views.pairs:
        found[pair] = []
        for match in views.matches.layers:
            name = " ".join((*pair, match.name))
            if all(key in match.of for key in pair):
                if name not in known:
                    x, y = (views.features(key, match.of[key]) for key in pair)
                    known[name] = asdict(similarity.cka(x, y))
                    write_text(kept, json.dumps(known))
                found[pair].append(similarity.Cka(**known[name]))
            else:
                found[pair].append(None)
            if progress:
                progress.advance()
    return found


def _kernel_distances(views, models, pair):
    """(distance, relative) of the kernels of every layer; (None, None) where shapes differ."""
    found = []
    for match in views.matches.layers:
        distance = None, None
        if not match.is_joined and all(key in match.of for key in pair):
            sides = [layer_pairs.kernels(models[key], match.of[key].name) for key in pair]
            if sides[0][1] == sides[1][1]:
                distance = similarity.kernel_distance(sides[0][0], sides[1][0])
        found.append(distance)
    return found


def layers_table(views, channels, ckas, distances):
    """Put together what is told of every layer.

    Columns: layer, and where it has another name NAME_layer; kind, depth; for each network
    NAME_channels, NAME_dead (channels that no picture excites), NAME_few_K (that some excite,
    but fewer than K), NAME_entropy_K_mean and _median; for each pair overlap_K_mean, _median and
    _channels (how many these are of), cka_paper, cka_debiased, cka_floor and the rest of
    similarity.Cka, kernel_distance and kernel_relative. Means and medians leave out channels that
    fewer than K pictures excite.

    Args:
        views: Views.
        channels: of channels_table.
        ckas: of compute_cka.
        distances: pair of keys -> list of (distance, relative to the first one's norm).

    Returns:
        pandas.DataFrame.
    """
    if not views.matches.layers:
        return _layers_alone(views, channels)
    groups = dict(iter(channels.groupby("layer"))) if len(channels) else {}
    rows = []
    for number, match in enumerate(views.matches.layers):
        row = {"layer": match.name}
        row |= {f"{k}_layer": m.name for k, m in match.of.items() if m.name != match.name}
        row |= {"kind": "concatenation" if match.is_joined else "convolution"}
        row |= {"depth": match.depth}
        row |= {f"{key}_channels": layer.channels for key, layer in match.of.items()}
        if match.name in groups:
            row |= _means(views, groups[match.name], [*match.of])
        for pair in views.pairs:
            row |= _of_pair(ckas[pair][number], distances[pair][number], suffix(pair))
        rows.append(row)
    return pandas.DataFrame(rows)


def _of_pair(cka, distance, end):
    """CKA and kernel distance of one pair at one layer, as columns."""
    row = {} if cka is None else {f"cka_{name}{end}": v for name, v in asdict(cka).items()}
    row |= {f"kernel_distance{end}": distance[0], f"kernel_relative{end}": distance[1]}
    return row


def _layers_alone(views, channels):
    """The layers of networks that have none in common, one network below the other."""
    rows = []
    for key in views.keys:
        own = channels[channels["network"] == key]
        groups = dict(iter(own.groupby("layer")))
        for layer in views.layers[key]:
            row = {"network": key, "layer": layer.name}
            row |= {"kind": "concatenation" if layer.is_joined else "convolution"}
            row |= {f"{key}_channels": layer.channels}
            if layer.name in groups:
                row |= _means(views, groups[layer.name], [key])
            rows.append(row)
    return pandas.DataFrame(rows)


def _means(views, channels, keys):
    """What the channels of one layer are on average, a dict."""
    row = {}
    for key in keys:
        firing = f"{key}_firing" if f"{key}_firing" in channels else "firing"
        if firing not in channels:
            continue
        for k in views.ks:
            dead, few = similarity.dead_and_few(channels[firing], k)
            row |= {f"{key}_dead": int(dead.sum()), f"{key}_few_{k}": int(few.sum())}
            if views.tells_classes:
                row |= _averages(f"{key}_entropy_{k}", entropies(channels, key, k))
    for pair in views.pairs:
        for k in views.ks:
            if f"overlap_{k}{suffix(pair)}" in channels:
                values = overlaps(channels, pair, k)
                row |= _averages(f"overlap_{k}", values, suffix(pair))
                row[f"overlap_{k}_channels{suffix(pair)}"] = int(np.isfinite(values).sum())
    return row


def _averages(name, values, end=""):
    """Mean and median of what is a number among values, NaN where nothing is."""
    known = values[np.isfinite(values)]
    mean, median = (known.mean(), np.median(known)) if len(known) else (np.nan, np.nan)
    return {f"{name}_mean{end}": mean, f"{name}_median{end}": median}


def in_a_row(layers):
    """Which layers are told one behind the other: those that all passes through.

    Where none of them is one, as of branches alone, all of them.

    Args:
        layers: list of layer_pairs.Layer or Match.

    Returns:
        List of bool.
    """
    stages = [layer.is_stage for layer in layers]
    return stages if any(stages) else [True] * len(stages)


def _maps(views):
    """CKA of each layer in a row of the first network with each of the second: as Numbers.maps."""
    first, second = views.keys[:2]
    sides = {}
    for key in (first, second):
        layers = views.layers[key]
        sides[key] = list(itertools.compress(layers, in_a_row(layers)))
    features = {key: [views.features(key, one) for one in sides[key]] for key in sides}
    paper, debiased = similarity.cka_matrix(features[first], features[second])
    names = [[layer.name for layer in sides[key]] for key in (first, second)]
    return (*names, {"paper's form": paper, "debiased": debiased})
