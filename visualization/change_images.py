"""Optimized images of channels in several networks: made, judged, compared.

For the same channel the networks' images begin from the same start (seed and channel decide it).
They lie as visualization.render makes them, in images/a/LAYER and so on.
"""

import functools
import shutil
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas

from models.errors import InputError
from models.graph import find_layer
from models.network import load
from transfer import inference
from transfer.pictures import read
from transfer.progress import Progress
from transfer.result_folder import safe_name
from visualization import activations, change_numbers, layer_pairs
from visualization.channel_choice import RULES, find_channels, rank
from visualization.channel_images import Settings, open_job, png_file
from visualization.image_folders import DECIDING, fill, find_held
from visualization.path_similarity import (
    image_distance,
    one_by_one,
    path_correlations,
    pooled,
)
from visualization.whole_numbers import spans

SIDES = ("a", "b")  # networks without whose images a channel has none; the third's are beside
AT_A_TIME = 32  # images in a forward pass
ALONG = 100  # pictures of a top set at most that a path is compared with
ALL = "all"  # layers, in the table of paths
# what is told of each image's path -> its name in path_similarity.Values
EACH = {"path_similarity": "values", "path_low": "low", "path_high": "high"}


@dataclass(frozen=True)
class Judged:
    """Images of channels in the networks, and what is known of them.

    table: DataFrame, a row for each channel (see judge). paths: DataFrame of path similarity, many
    images together (see judge). files: (network's key, layer, channel) -> Path.
    """

    table: Any
    paths: Any
    files: dict


def check(compared):
    """Refuse images that cannot be made, taken or judged, before anything is computed.

    Args:
        compared: differences.Opened.

    Raises:
        InputError: a layer or channel that is not compared; a judge without the layer, or whose
            layer takes no images of this size; a given folder that has no image which serves.
    """
    images = compared.comparison.images
    if not (images.choices or images.given or images.judge_layer):
        return
    network, layer = judge_of(compared)
    find_layer(network.model, layer)
    if images.choices or images.given:
        activations.channel_scorer(network, layer, images.size)
        _check_given(compared, _may_be_chosen(compared))


def _check_given(compared, chosen):
    """Refuse given folders that have no image which serves; chosen: of _may_be_chosen."""
    given = compared.comparison.images.given
    held = {key: _channels_in(compared, key, folder).keys() for key, folder in given.items()}
    wanted = chosen | (held["a"] & held["b"] if set(held) == set(SIDES) else set())
    for key in sorted(given, key=lambda key: len(held[key]) > 0):  # an empty one is at fault first
        if not held[key] & wanted:
            raise InputError(_serves_nothing(compared, key, held, chosen))
        _check_made_likewise(compared, key, {layer for layer, _ in held[key] & wanted})


def _serves_nothing(compared, key, held, chosen):
    """What a given folder holds, and what is looked for in it, as a line.

    held: network's key -> (layer, channel) of the images in its folder that are compared.
    """
    folder, objectives = compared.comparison.images.given[key], _objectives(compared, key)
    there = [f"{one.layer}:{spans(one.channels)}" for one in find_held(folder)]
    holds = f"images of {layer_pairs.listed(there)}" if there else "nothing of visualization.render"
    wanted = chosen or set().union(*(held[other] for other in held if other != key))
    numbers = {name: [n for layer, n in wanted if layer == name] for name in objectives}
    looked = [f"{objectives[name]}:{spans(own)}" for name, own in numbers.items() if own]
    looked = layer_pairs.listed(looked or objectives.values())
    return (
        f"optimized_{key} is {folder}, which holds {holds}; looked for: images of "
        f"{compared.names[key]} at {looked} (a convolution's are of its batch normalisation, where "
        "one follows)"
    )


def _check_made_likewise(compared, key, layers):
    """Refuse a given folder's images of layers that another network or other settings made."""
    objectives = _objectives(compared, key)
    names = [objectives[layer] for layer in sorted(layers)]
    job = open_job(settings_of(compared, key, names[0], (0,)), compared.models[key])
    asked = {name: job.identity[name] for name in DECIDING if name != "layer"}
    for held in find_held(compared.comparison.images.given[key]):
        if held.layer in names:
            held.check(asked)


def make(compared, views, numbers, folder, scratch, say=print):
    """Make the images that are asked for and not there, and judge all that are there.

    Args:
        compared: differences.Opened.
        views: change_numbers.Views.
        numbers: change_numbers.Numbers.
        folder: Path of the images.
        scratch: Path of a folder that need not be kept.
        say: called with lines of text.

    Returns:
        Judged; None where there are no images.

    Raises:
        InputError: channels that are not there, or images made otherwise than asked for.
    """
    channels = {}
    for layer, channel in _wanted(compared, numbers.channels):
        channels.setdefault(layer, []).append(channel)
    images = compared.comparison.images
    for key in compared.networks if channels else ():
        objectives = _objectives(compared, key)
        given = find_held(images.given[key]) if key in images.given else []
        own = [layer for layer in channels if layer in objectives]
        there = _channels_in(compared, key, folder / key)
        left = [(n, channel) for n in own for channel in channels[n] if (n, channel) not in there]
        if left:
            say(f"images of {key.upper()}: {len(left)} channels")
        layers = []
        for layer in own:
            settings = settings_of(compared, key, objectives[layer], channels[layer])
            layers.append((settings, folder / key / safe_name(settings.layer)))
        fill(layers, compared.models[key], given, say)
    files = image_files(compared, folder)
    return judge(compared, views, files, scratch, say) if files else None


def settings_of(compared, key, layer, channels):
    """How images of a layer are made in one network: channel_images.Settings."""
    comparison, images = compared.comparison, compared.comparison.images
    return Settings(
        comparison.networks[key],
        layer,
        tuple(channels),
        images.steps,
        images.size,
        images.dtype,
        comparison.seed,
    )


def missing(compared, channels, folder):
    """Which channels that are asked for lack an image, in a finished comparison.

    Args:
        compared: differences.Opened.
        channels: DataFrame of change_numbers.channels_table.
        folder: Path of the images.

    Returns:
        List of (layer, channel).

    Raises:
        InputError: channels that are not there, or images made otherwise than asked for.
    """
    wanted = _wanted(compared, channels)
    images = compared.comparison.images
    asked = {"steps": images.steps, "size": images.size, "dtype": images.dtype}
    for held in find_held(folder) if wanted else ():
        held.check(asked)
    files = image_files(compared, folder)
    names = {key: _named(compared, key) for key in compared.networks}
    return [
        one
        for one in wanted
        if any(one[0] in names[key] and (key, *one) not in files for key in names)
    ]


def _wanted(compared, channels):
    """The channels asked for, and those that both given folders hold: list of (layer, channel)."""
    images = compared.comparison.images
    if not (images.choices or images.given):
        return []
    layers = _choosable(compared)
    k = change_numbers.first_k(channels)
    ranked = {
        "least-overlap": rank(channels, change_numbers.overlaps(channels, SIDES, k)),
        "entropy": rank(channels, change_numbers.entropies(channels, "b", k)),
    }
    wanted = set(find_channels(images.choices, layers, ranked))
    if set(images.given) == set(SIDES):
        held = [_channels_in(compared, key, images.given[key]) for key in SIDES]
        wanted |= held[0].keys() & held[1].keys()
    place = {name: number for number, name in enumerate(layers)}
    return sorted(wanted, key=lambda one: (place[one[0]], one[1]))


def _choosable(compared):
    """Layer -> tuple of (convolution, its channels), as channel_choice.find_channels takes them."""
    widths = {match.name: match.of["a"].channels for match in compared.matches.channelled}
    if not widths:
        raise InputError(
            "optimize: no layer of the networks is compared channel by channel, so there are no "
            "images to make"
        )
    layers = {name: ((name, count),) for name, count in widths.items()}
    for match in compared.matches.layers:
        branches = match.of["a"].branches
        if match.is_joined and all(branch in widths for branch in branches):
            layers[match.name] = tuple((branch, widths[branch]) for branch in branches)
    return layers


def _every_channel(compared):
    """The channels that images may be asked for of, each once: list of (layer, channel)."""
    layers = _choosable(compared).values()
    every = [(name, at) for own in layers for name, count in own for at in range(count)]
    return list(dict.fromkeys(every))


def _may_be_chosen(compared):
    """The channels that optimize may mean, before it is known which a rule does, a set.

    Raises:
        InputError: channels that are not there.
    """
    choices, every = compared.comparison.images.choices, _every_channel(compared)
    ranked = {rule: every for rule in RULES}
    chosen = find_channels(choices, _choosable(compared), ranked)
    return set(every if any(choice.rule for choice in choices) else chosen)


def count_wanted(compared):
    """How many channels images are asked for of, before it is known which a rule means: at most.

    Raises:
        InputError: channels that are not there.
    """
    choices = compared.comparison.images.choices
    if not choices:
        return 0
    layers, every = _choosable(compared), _every_channel(compared)
    ranked = {rule: every for rule in RULES}
    found = [len(find_channels([choice], layers, ranked)) for choice in choices]
    return min(sum(found), len(every))


def image_files(compared, folder):
    """The images of channels that the first two networks have one of.

    Args:
        compared: differences.Opened.
        folder: Path of the images.

    Returns:
        dict: (network's key, layer, channel) -> Path.
    """
    held = {key: _channels_in(compared, key, folder / key) for key in compared.networks}
    both = sorted(held["a"].keys() & held["b"].keys())
    return {(key, *one): held[key][one] for one in both for key in held if one in held[key]}


def _channels_in(compared, key, folder):
    """The images of compared channels that lie in a folder: (layer, channel) -> Path."""
    held = find_held(folder)
    if not held:
        return {}
    names = {layer: name for name, layer in _objectives(compared, key).items()}
    return {
        (names[held.layer], channel): png_file(held.folder, held.layer, channel)
        for held in held
        if held.layer in names
        for channel in held.channels
    }


def _objectives(compared, key):
    """Layer in the comparison -> that of a network which gives its map, as images are made for."""
    names = _named(compared, key)
    found = activations.map_layers(compared.models[key], list(names.values()))
    return dict(zip(names, found, strict=True))


def judge(compared, views, files, scratch, say=print):
    """Compute what tells whether to believe images, and how much they changed.

    An image is scored as the pictures were, by the same statistic, at its own size. The table has
    layer, channel, and for each network NAME_image_score, NAME_image_percentile (percent of the
    pictures whose score is lower; 100 where it is above all), NAME_path_similarity (median over the
    layers before its own; Geirhos et al. 2024), NAME_path_low and NAME_path_high (eight of ten of
    the channel's top pictures have a value between them, in the image's place); image_change, the
    distance of both images in a network (path_similarity.image_distance), and
    image_change_by_chance, that of the first and the other network's image of another channel of
    the layer.

    The table of paths has a row for each network, layer whose images are taken together, and layer
    of the path; "all" of either too: images, path_similarity, low, high as in
    path_similarity.Pooled, and the mean correlations image, tops and others.

    Args:
        compared: differences.Opened.
        views: change_numbers.Views.
        files: of image_files.
        scratch: Path of a folder that need not be kept.
        say: called with lines of text.

    Returns:
        Judged.
    """
    table = _channels_of(files, SIDES[0])
    say(f"{len(table)} channels with images: judging them")
    paths = []
    for key in sorted({one[0] for one in files}):
        own, together = _judged(compared, views, key, files, scratch / key)
        paths.append(together.assign(network=key))
        table = table.merge(own, on=["layer", "channel"], how="left")
    same, different = _distances(compared, table, files)
    table["image_change"], table["image_change_by_chance"] = same, different
    return Judged(table, pandas.concat(paths, ignore_index=True), files)


def _judged(compared, views, key, files, scratch):
    """What is known of one network's images: (DataFrame, a row each; of _path_tables)."""
    own = _channels_of(files, key)
    seen = _scored(compared, key, _of_side(files, key), scratch)
    scores, percents = _beside_pictures(compared, views, key, own, seen)
    found = _paths(compared, views, key, own, seen)
    each, together = _path_tables(found, own["layer"], list(seen), views.seed)
    columns = {"image_score": scores, "image_percentile": percents, **each}
    return own.assign(**{f"{key}_{name}": values for name, values in columns.items()}), together


def _channels_of(files, key):
    """The channels that a network has an image of, a row each."""
    return pandas.DataFrame(
        [one[1:] for one in files if one[0] == key], columns=["layer", "channel"]
    )


def _of_side(files, key):
    """The images of one network: list of Path, in the order of the table."""
    return [path for one, path in files.items() if one[0] == key]


def _scored(compared, key, images, folder):
    """Scores of images at every layer that pictures were scored at: layer -> (images, channels)."""
    size, network = compared.comparison.images.size, compared.networks[key]
    names = tuple(layer.name for layer in compared.layers[key] if not layer.is_joined)
    shutil.rmtree(folder, ignore_errors=True)  # of other images
    folder.mkdir(parents=True)
    batches = inference.files(images, functools.partial(read, size=size), AT_A_TIME)
    progress = Progress(len(images), f"images of {key.upper()} scored")
    scores = activations.score_pictures(
        {key: network}, {key: names}, batches, folder, size, compared.comparison.statistic, progress
    )
    return {name: scores[key].score(name) for name in names}


def _named(compared, key):
    """Layer in the comparison -> its name in a network that has its channels."""
    return {
        match.name: match.of[key].name
        for match in compared.matches.channelled
        if match.is_channel_by_channel(key)
    }


def _beside_pictures(compared, views, key, table, seen):
    """(Score of every image, percent of the pictures whose score is lower)."""
    names, scores, percents = _named(compared, key), np.empty(len(table)), np.empty(len(table))
    for layer, rows in table.groupby("layer", sort=False):
        pictures = views.seen(key, names[layer])[:, rows["channel"]]
        own = seen[names[layer]][rows.index, rows["channel"]]
        scores[rows.index] = own
        percents[rows.index] = 100 * (pictures < own).mean(axis=0)
    return scores, percents


def _paths(compared, views, key, table, seen):
    """Correlations of all images with pictures, at each layer before the last of the images'."""
    names = _named(compared, key)
    order = {name: place for place, name in enumerate(seen)}
    own = np.array([order[names[layer]] for layer in table["layer"]])
    tops = np.full((len(table), min(ALONG, views.ks[0])), -1)
    for layer, rows in table.groupby("layer", sort=False):
        found = views.tops(key, names[layer])
        tops[rows.index] = found[: tops.shape[1], rows["channel"]].T
    path = list(order)[: max(1, own.max())]
    progress = Progress(len(path), f"layers of paths ({key.upper()})")
    found = []
    for place, name in enumerate(path):
        before = np.where((own > place)[:, None], tops, -1)
        found.append(path_correlations(seen[name], before, views.seen(key, name)))
        progress.advance()
    return found


def _path_tables(found, of, path, seed):
    """Path similarity of each image, and of many together: (dict of columns, DataFrame).

    found: Correlations at each layer of the path. of: the layer of each image.
    """
    groups = {layer: np.flatnonzero(of == layer) for layer in of.unique()}
    each = {name: np.full(len(of), np.nan) for name in EACH}
    frames = []
    for layer, rows in {**groups, ALL: np.arange(len(of))}.items():
        some = [one.of(rows) for one in found]
        if layer in groups:
            values = one_by_one(some)
            for name, field in EACH.items():
                each[name][rows] = getattr(values, field)
        frames.append(_path_table(layer, path, pooled(some, seed=seed)))
    return each, pandas.concat(frames, ignore_index=True)


def _path_table(layer, path, together):
    """What is known of the paths of one layer's images: a row for each layer before, and for all.

    together: path_similarity.Pooled.
    """
    columns = {
        "images": together.images,
        "path_similarity": together.layers,
        "low": together.layers_low,
        "high": together.layers_high,
        "image": together.image,
        "tops": together.tops,
        "others": together.others,
    }
    names = {"network": "", "channels_of": layer}
    layers = pandas.DataFrame({**names, "layer": path[: len(together.images)], **columns})
    whole = {"images": max(together.images), "path_similarity": together.value}
    whole |= {"low": together.low, "high": together.high}
    whole = pandas.DataFrame([{**names, "layer": ALL, **whole}])
    return pandas.concat([layers[layers["images"] > 0], whole], ignore_index=True)


def judge_of(compared):
    """The network in which distances of images are measured, and its layer.

    Returns:
        (models.network.Network, name of a layer): of differences.Images.judge.
    """
    images = compared.comparison.images
    network = load(images.judge) if images.judge else compared.networks["a"]
    stages = [layer for layer in layer_pairs.layers_of(network.model) if layer.is_stage]
    return network, images.judge_layer or stages[len(stages) // 2].name


def _distances(compared, table, files):
    """How far images of a channel, and of different channels, are apart: float64 (channels,) each.

    The second: of the first network's image and of the second's of another channel of the layer,
    which is what chance gives; NaN in a layer with one image.
    """
    network, layer = judge_of(compared)
    others = np.arange(len(table))
    for _, rows in table.groupby("layer", sort=False):
        others[rows.index] = np.roll(rows.index, 1)
    first, second = (_of_side(files, key) for key in SIDES)
    size = compared.comparison.images.size
    same = _measured(network, layer, size, first, second)
    different = _measured(network, layer, size, first, [second[other] for other in others])
    return same, np.where(others == np.arange(len(table)), np.nan, different)


def _measured(network, layer, size, first, second):
    """Distances of pairs of image files, float64 (pairs,)."""
    found = []
    for start in range(0, len(first), AT_A_TIME):
        some = slice(start, start + AT_A_TIME)
        sides = (np.stack([read(path, size) for path in paths[some]]) for paths in (first, second))
        found.append(image_distance(network, layer, *sides))
    return np.concatenate(found)
