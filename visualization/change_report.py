"""What a comparison found, to be read: summary.md, and its tables as CSV files.

A measure has its mean, an interval, and what chance gives; against depth Spearman's rank
correlation over layers, with an interval, which tells whether it rises or falls.
"""

import math
import os
import platform
import shlex
from dataclasses import dataclass

import numpy as np

from models import backend, zoo
from transfer.metadata import KINDS
from transfer.result_folder import (
    MANIFEST,
    command_line,
    read_json,
    versions,
    write_csv,
    write_text,
)
from visualization import change_numbers, similarity
from visualization.change_images import ALL, judge_of
from visualization.change_numbers import PAIR, suffix
from visualization.paper_figures import Compared, table_2, table_4

DRAWS = 1000  # of a bootstrap
LEVEL = 95  # percent of an interval
WORDS = {  # what a score is, of activations.STATISTICS
    "mean_after_relu": "the mean of its map over the picture, negative values being 0",
    "mean": "the mean of its map over the picture",
    "max": "the highest value of its map over the picture",
}


@dataclass(frozen=True)
class Measure:
    """A measure as a row of the summary.

    name; values: of every unit, NaN where it is not known; unit: what these are, as `channels`;
    by_layer: its mean in every layer, in order of depth, None where it has none; chance: text;
    pictures: how many it was seen on, 0 for none; middle: similarity.Change where it is a
    difference, else None.
    """

    name: str
    values: object
    unit: str
    by_layer: object
    chance: str
    pictures: int = 0
    middle: object = None


def write_tables(made, folder):
    """Write layers.csv, channels.csv, table_2.csv, table_4.csv and path_similarity.csv.

    Args:
        made: differences.Made.
        folder: Path.
    """
    write_csv(folder / "layers.csv", made.numbers.layers)
    write_csv(folder / "channels.csv", with_images(made))
    if made.compared.matches.layers:
        compared = tables_rows(made)
        write_csv(folder / "table_2.csv", table_2(compared))
        table = table_4(compared)
        table.columns = [", ".join(names) for names in table.columns]
        write_csv(folder / "table_4.csv", table.reset_index())
    if made.judged is not None:
        write_csv(folder / "path_similarity.csv", made.judged.paths)


def with_images(made):
    """The table of channels, with what is known of their images."""
    channels = made.numbers.channels
    if made.judged is None:
        return channels
    return channels.merge(made.judged.table, on=["layer", "channel"], how="left")


def tables_rows(made):
    """Every pair of networks as a row of the paper's tables 2 and 4: list of Compared."""
    numbers, names = made.numbers, made.compared.names
    collection, k = made.compared.comparison.data.dataset_name, made.views.ks[0]
    rows = []
    for pair in made.views.pairs:
        distances = numbers.layers[f"kernel_distance{suffix(pair)}"].astype(float).dropna()
        by_layer = split_by_layer(made, change_numbers.overlaps(numbers.channels, pair, k))
        ckas = stages(made, numbers.cka[pair])
        rows.append(
            Compared(*(names[key] for key in pair), collection, ckas, list(distances), by_layer)
        )
    return rows


def stages(made, values):
    """Of what every layer has, that of the layers in a row (change_numbers.in_a_row)."""
    counts = change_numbers.in_a_row(made.compared.matches.layers)
    return [value for value, count in zip(values, counts, strict=True) if count]


def split_by_layer(made, values):
    """Values of channels as a list of arrays, one for each convolution that is compared."""
    layers = made.numbers.channels["layer"].to_numpy()
    return [values[layers == match.name] for match in made.compared.matches.channelled]


def write_summary(made, folder):
    """Write summary.md.

    Args:
        made: differences.Made.
        folder: Path.
    """
    compared = made.compared
    lines = [f"# What changed from {compared.names['a']} to {compared.names['b']}", ""]
    lines += [*_about(made), "", *_measures(made), "", *_order(made), ""]
    if made.judged is not None:
        lines += [*_images(made), ""]
    lines += [*_left_out(made), "", *_how(made, folder)]
    write_text(folder / "summary.md", "\n".join(lines) + "\n")


def _about(made):
    """Which networks, and which pictures."""
    compared, asked = made.compared, made.compared.comparison
    yield "| | network | as it was named | pictures it was trained on |"
    yield "| --- | --- | --- | --- |"
    for key, network in compared.networks.items():
        yield _row(
            key.upper(), " ".join(network.title.split()), asked.networks[key], _seen(made, key)
        )
    yield ""
    toy = " (the toy collection: nothing in it is real art)" if made.everything.toy else ""
    parts = {name: " and ".join(asked.parts[name]) for name in ("top", "cka")}
    views = made.views
    yield (
        f"{asked.data.dataset_name}{toy}: {len(made.everything.table)} pictures of "
        f"{len(made.everything.classes)} classes (column {asked.data.challenge}). Top sets of "
        f"{' and '.join(map(str, views.ks))} come from {len(views.top)} pictures ({parts['top']}), "
        f"CKA from {len(views.compared)} ({parts['cka']}), at {compared.size} pixels; a channel's "
        f"score of a picture is {WORDS[asked.statistic]} ({asked.statistic})."
    )


def _seen(made, key):
    """How many of the pictures a network was trained on, as its file says."""
    seen = made.pictures.seen_by(zoo.parse(made.compared.comparison.networks[key]))
    if seen is None:
        return "its file does not tell"
    parts = made.compared.comparison.parts
    told = []
    for what, name in (("top sets", "top"), ("CKA", "cka")):
        of = made.pictures.of(parts[name])
        told.append(f"{int(seen[of].sum())} of {int(of.sum())} of the pictures of {what}")
    return ", ".join(told)


def measures(made):
    """Every measure of a comparison, as list of Measure."""
    found = []
    for k in made.views.ks:
        found += _overlaps(made, k)
        found += _entropies(made, k)
    for pair in made.views.pairs if made.compared.matches.layers else ():
        found += _similarities(made, pair)
    return [measure for measure in found if np.isfinite(measure.values).any()]


def _overlaps(made, k):
    for pair in made.views.pairs:
        values = change_numbers.overlaps(made.numbers.channels, pair, k)
        name = f"overlap of the top {k}, {_pair(pair)}"
        chance = chance_text(made.numbers.overlap_chance[k])
        yield _of_channels(made, name, values, chance)


def _entropies(made, k):
    if k not in made.numbers.entropy_chance:
        return
    chance, found = chance_text(made.numbers.entropy_chance[k]), {}
    for key in made.views.keys:
        found[key] = change_numbers.entropies(made.numbers.channels, key, k)
        name = f"entropy of the top {k}, {key.upper()}"
        yield _of_channels(made, name, found[key], chance)
    if made.compared.matches.layers:
        change = similarity.median_change(found["a"], found["b"], seed=made.views.seed)
        name = f"entropy of the top {k}, B - A of the same channel"
        yield _of_channels(made, name, found["b"] - found["a"], "0", change)


def _of_channels(made, name, values, chance, change=None):
    by_layer = None
    if made.compared.matches.layers:
        by_layer = [_mean(part) for part in split_by_layer(made, values)]
    return Measure(name, values, "channels", by_layer, chance, len(made.views.top), change)


def _similarities(made, pair):
    """CKA and kernel distances of a pair of networks."""
    ckas, end = stages(made, made.numbers.cka[pair]), suffix(pair)
    floors = [cka.floor for cka in ckas if cka is not None]
    forms = (
        ("paper", "paper's form", f"{_mean(floors):.3f} (floor)"),
        ("debiased", "debiased", "0"),
    )
    for field, name, chance in forms:
        values = np.array([np.nan if cka is None else getattr(cka, field) for cka in ckas], float)
        of, pictures = f"CKA, {name}, {_pair(pair)}", len(made.views.compared)
        yield Measure(of, values, "layers in a row", values, chance, pictures)
    layers = made.numbers.layers[made.numbers.layers["kind"] == "convolution"]
    for column, name in (("kernel_distance", ""), ("kernel_relative", ", relative to its norm")):
        values = layers[f"{column}{end}"].to_numpy(float)
        yield Measure(f"kernel distance{name}, {_pair(pair)}", values, "convolutions", values, "")


def _measures(made):
    """The table of measures, as lines."""
    yield "## Measures"
    yield ""
    yield from _glossary(made)
    yield ""
    yield (
        f"| measure | mean ({LEVEL} % interval) | by chance | of | against depth: Spearman, 0 by "
        f"chance ({LEVEL} % interval) | with depth it |"
    )
    yield "| --- | --- | --- | --- | --- | --- |"
    for measure in measures(made):
        count = f"{np.isfinite(measure.values).sum()} {measure.unit}"
        depth = _against_depth(made, measure)
        yield _row(measure.name, _middle(made, measure), measure.chance, count, *depth)
    yield ""
    yield from _reading()


def _glossary(made):
    """What is measured, as lines for a reader who knows pictures better than networks."""
    k, common = made.views.ks[0], bool(made.compared.matches.layers)
    listed = len(made.numbers.channels)  # none where all layers have other widths
    if listed:
        yield f"- top set: the {k} pictures that excite a channel most"
    if listed and common:
        yield "- overlap: the share of a channel's top set that is in both networks' top sets"
    if listed and made.views.tells_classes:
        yield (
            "- entropy: how evenly the classes share a top set: 0 where all its pictures are of "
            "one class, 1 where there are as many of every class"
        )
    yield (
        "- CKA: how alike two networks arrange the pictures at a layer, by their channels' scores, "
        "from 0 (unrelated) to 1 (the same but for turning and scaling)"
    )
    if common:
        yield (
            "- kernel distance: how far training moved the weights of a convolution; relative: as "
            "a part of their length"
        )
        yield "- depth: the place of a layer on the way from the picture to the classes"


def _reading():
    """How the table of measures is read, as lines."""
    yield (
        f"Intervals of means are bootstraps over what the column `of` counts ({DRAWS} draws): they "
        "tell how channels and layers differ, not what other pictures would give. What chance "
        "gives for overlap and entropy is of one channel; the mean of thousands by chance lies far "
        "nearer to the middle of it. A number whose interval holds what chance gives tells nothing "
        "on so many pictures."
    )
    yield ""
    yield (
        "Against depth: Spearman's rank correlation over layers, from -1 (falls at every layer) to "
        "1 (rises at every layer). Its interval takes layers to err each by itself, but errors of "
        "neighbouring layers are correlated, which raises false trends: in simulation (57 layers, "
        "neighbours correlated by 0.3 to 0.6) 15 to 32 % of measures that have nothing to do with "
        "depth are said to rise or fall, instead of 5 %."
    )
    yield ""
    yield (
        "Layers in a row are those that all passes through, and concatenations; where none of the "
        "layers is one, as of branches alone, they are all of them. The paper's form "
        "of CKA is biased upwards, most where a layer has more channels than there are pictures: "
        "its floor is the same with the pictures of one side shuffled; the debiased form is 0 by "
        "chance. For kernels there is no chance level: with a second training of the recipe as "
        "yardstick, the distance of these two is the measure."
    )


def _middle(made, measure):
    """A measure's mean, or median of differences, with its interval, as text."""
    known, change = measure.values[np.isfinite(measure.values)], measure.middle
    if change is not None and np.isfinite(change.low):
        return f"median {change.median:.3f} ({change.low:.3f} to {change.high:.3f})"
    low, high = mean_interval(known, made.views.seed)
    return f"{known.mean():.3f} ({low:.3f} to {high:.3f})"


def _against_depth(made, measure):
    """(Spearman's correlation with depth, what that tells), as text."""
    if measure.by_layer is None:
        return "", ""
    depth = np.arange(len(measure.by_layer))
    rank = similarity.rank_correlation(depth, measure.by_layer, seed=made.views.seed)
    return _rank(rank), _told(rank, measure.pictures)


def _told(rank, pictures=0):
    """What a rank correlation tells, with what it was seen on where that is too little."""
    told = similarity.trend(rank)
    if told in ("rises", "falls"):
        return told
    return f"{told} on {rank.n} layers" + (f" and {pictures} pictures" if pictures else "")


def mean_interval(values, seed=0, draws=DRAWS):
    """The bootstrap interval of a mean.

    Args:
        values: float (n,), n above 0.
        seed: of the draws.
        draws: how many.

    Returns:
        (low, high): the central LEVEL percent.
    """
    random, values = np.random.default_rng(seed), np.asarray(values, float)
    means = [values[random.integers(0, len(values), len(values))].mean() for _ in range(draws)]
    outside = (100 - LEVEL) / 2
    low, high = np.percentile(means, [outside, 100 - outside])
    return float(low), float(high)


def _order(made):
    """Whether the layers of both networks come in the same order, as lines.

    The second future work of Gonthier et al. 2020: do other networks go through the same stages?
    """
    names, _, maps = made.numbers.maps
    found = maps["debiased"]
    best = np.nan_to_num(found, nan=-np.inf).argmax(axis=1)
    # one whose CKA cannot be told, as where no picture excites it, is like none
    best = np.where(np.isnan(found).all(axis=1), np.nan, best)
    rank = similarity.rank_correlation(np.arange(len(names)), best, seed=made.views.seed)
    told = {"rises": "the same order", "falls": "the opposite order"}.get(similarity.trend(rank))
    more = f" (CKA cannot be told of {rank.left_out} more)" if rank.left_out else ""
    yield "## Order of layers"
    yield ""
    yield (
        f"Each of {rank.n} layers in a row of A{more} beside the one of B that is most like it "
        f"(debiased CKA, {len(made.views.compared)} pictures; figures/layer_maps.png): Spearman's "
        f"correlation of their places is {_rank(rank)}, by chance 0: {told or _told(rank)}."
    )


def image_ranks(made):
    """Spearman's correlation of overlap and image change, layer by layer.

    Returns:
        dict: layer -> similarity.Rank, None where it has too few such channels for an interval.
    """
    table = with_images(made)
    overlap = change_numbers.overlaps(table, PAIR, made.views.ks[0])
    change = table["image_change"].to_numpy(float)
    known, found = np.isfinite(overlap) & np.isfinite(change), {}
    for layer in table["layer"].unique():
        of = known & (table["layer"] == layer).to_numpy()
        found[layer] = None
        if of.sum() >= similarity.FEWEST_PAIRS:
            found[layer] = similarity.rank_correlation(
                overlap[of], change[of], seed=made.views.seed
            )
    return found


def _images(made):
    """What the images tell, as lines."""
    table, images = made.judged.table, made.compared.comparison.images
    judge, layer = judge_of(made.compared)
    yield "## Optimized images"
    yield ""
    yield (
        f"{len(table)} channels in both networks, {images.steps} steps, {images.size} pixels, from "
        "the same start. An image's score is beside those of the pictures that top sets come from, "
        "by the same statistic; by chance it is above half of them. An image that is not above all "
        "or nearly all is a failed ascent, and shows nothing of the channel."
    )
    yield ""
    for key in made.compared.networks:
        if f"{key}_image_percentile" in table:
            yield f"- {made.compared.names[key]}: {_above(table[f'{key}_image_percentile'])}"
    shuffled = table["image_change_by_chance"].mean()
    by_chance = "" if np.isnan(shuffled) else f"; by chance, of other channels, {shuffled:.3f}"
    yield (
        f"- change from A's image to B's of the same channel: {table['image_change'].mean():.3f} "
        f"on average{by_chance} (cosine distance at {layer} of {' '.join(judge.title.split())}: 0 "
        "alike)"
    )
    yield ""
    yield from _paths(made)
    yield ""
    yield "| layer | images | overlap against image change: Spearman | with less overlap it |"
    yield "| --- | --- | --- | --- |"
    for layer, rank in image_ranks(made).items():
        if rank is not None:
            yield _row(layer, rank.n, _rank(rank), _changes(rank))
    yield ""
    few = similarity.FEWEST_PAIRS
    yield f"Layers with fewer than {few} images are left out; by chance the correlation is 0."


def _above(percents):
    """How many images score above the pictures, in words; percents: of pictures below each."""
    above, below = int((percents == 100).sum()), percents[percents < 100]
    text = f"{above} of {percents.notna().sum()} images score above every picture"
    if not len(below):
        return text
    least = math.floor(10 * below.median()) / 10  # 99.97 % is not all
    return f"{text}; the others above {least:.1f} % of them (median)"


def _paths(made):
    """Path similarity of the images of each layer together, as lines."""
    paths, size = made.judged.paths, made.compared.comparison.images.size
    yield (
        "Path similarity (Geirhos et al. 2024): in the layers before their own, do images excite "
        "the channels in the same order as the pictures that excite their channel most? 1: as "
        "alike as two top pictures; 0: as two random pictures; below 0: less. The images of a "
        "layer are taken together, and over the layers before it stands the median "
        "(path_similarity.csv has each). Beside it what eight of ten draws of real top pictures "
        "have in their place: a value below that says that images come to their score another way "
        "than pictures. One image by itself is rough: channels.csv has its range beside it."
    )
    if size != made.compared.size:
        yield (
            f"Images are of {size} pixels and pictures of {made.compared.size}: that alone lowers "
            "the value (docs/what_changed.md)."
        )
    yield ""
    yield "| network | images of | images | path similarity | real top pictures in their place |"
    yield "| --- | --- | --- | --- | --- |"
    for row in paths[paths["layer"] == ALL].to_dict("records"):
        of = "all layers" if row["channels_of"] == ALL else row["channels_of"]
        known = row["images"] > 0 and np.isfinite(row["path_similarity"])
        value = f"{row['path_similarity']:.2f}" if known else "cannot be told"
        beside = f"{row['low']:.2f} to {row['high']:.2f}" if known else ""
        yield _row(row["network"].upper(), of, row["images"], value, beside)


def _changes(rank):
    """What a correlation of overlap and change tells of the change."""
    told = similarity.trend(rank)
    return {"falls": "rises", "rises": "falls"}.get(told, f"{told} on so many channels")


def _left_out(made):
    """What was not compared, or counts for less, as lines."""
    compared, layers = made.compared, made.numbers.layers
    yield "## Left out"
    yield ""
    found = [f"- {line}" for line in compared.told]
    for key in compared.networks:
        few = {k: f"{key}_few_{k}" for k in made.views.ks}
        if f"{key}_dead" in layers:
            counts = ", ".join(
                f"{int(layers[column].sum())} by some but fewer than {k}"
                for k, column in few.items()
            )
            found.append(
                f"- channels of {compared.names[key]}: {int(layers[f'{key}_dead'].sum())} are "
                f"excited by no picture, {counts}; their overlap is what is shared / K, and means, "
                "medians and box plots leave them out"
            )
    if compared.matches.layers:
        convolutions = layers[layers["kind"] == "convolution"]
        other = convolutions["layer"][convolutions["kernel_distance"].isna()]
        if len(other):
            found.append(f"- kernels of other shapes, not compared: {', '.join(other)}")
    for kind, count in sorted(made.everything.found.items()):
        meaning = KINDS[kind].meaning if kind in KINDS else ""
        found.append(f"- {kind}: {count}. {meaning}".rstrip())
    unread = len(made.pictures.table) - len(made.views.scores["a"].numbers)
    if unread:
        found.append(f"- pictures that could not be read when they were scored: {unread}")
    if not made.views.tells_classes:
        found.append("- entropy: all pictures are of one class")
    yield from found or ["Nothing."]


def _how(made, folder):
    """Command, versions and times, as lines."""
    yield "## How it was made"
    yield ""
    first = read_json(folder / MANIFEST)["command"] if (folder / MANIFEST).exists() else []
    if first:  # a result that was opened again
        yield f"    {shlex.join(first)}"
        yield ""
        yield "and then"
        yield ""
    yield f"    {shlex.join(command_line())}"
    yield ""
    of = ", ".join(f"{name} {version}" for name, version in versions().items())
    yield f"{of}; {platform.machine()}, {os.cpu_count()} cores, {backend.device_name()}."
    took = ", ".join(f"{what} {seconds} s" for what, seconds in made.seconds.items())
    yield f"Times, without what was interrupted: {took}."


def _row(*cells):
    """A row of a Markdown table, of any texts."""
    texts = [" ".join(str(cell).split()).replace("|", "\\|") for cell in cells]
    return f"| {' | '.join(texts)} |"


def _pair(pair):
    return " and ".join(key.upper() for key in pair)


def chance_text(chance):
    """A similarity.Chance in words: mean, interval, draws."""
    drawn = f", {chance.draws} draws" if chance.draws else ""
    return f"{chance.mean:.3f} ({chance.low:.3f} to {chance.high:.3f}{drawn})"


def _mean(values):
    known = np.asarray(values, float)
    known = known[np.isfinite(known)]
    return float(known.mean()) if len(known) else np.nan


def _rank(rank):
    if not np.isfinite(rank.rho):
        return "-"
    if not np.isfinite(rank.low):
        return f"{rank.rho:.2f} (too few for an interval)"
    return f"{rank.rho:.2f} ({rank.low:.2f} to {rank.high:.2f})"
