"""What a comparison found, to be looked at: the paper's figures, and the atlas of channels."""

import math
import shutil

import numpy as np

from transfer import plots
from transfer.progress import Progress
from transfer.result_folder import write_bytes
from visualization import change_numbers, change_report, paper_figures, similarity
from visualization.atlas import Atlas, Channel, Layer, Picture, Side, write_atlas
from visualization.atlas.writer import FOLDER
from visualization.change_numbers import PAIR
from visualization.channel_choice import rank
from visualization.paper_figures import Column, Seen
from visualization.receptive_field import boxes, receptive_field

WHEN = ("before", "after")  # the networks, as the atlas calls them
DEBIASED, PATH, PERCENT = "CKA, debiased", "path similarity", "pictures below the image, %"
# names in the atlas -> columns of layers.csv, {} being K, and what columns of channels.csv end in
OF_LAYERS = {
    "overlap, mean": "overlap_{}_mean",
    "CKA, paper's form": "cka_paper",
    DEBIASED: "cka_debiased",
    "CKA, floor": "cka_floor",
    "kernel distance": "kernel_distance",
    "kernel distance, relative": "kernel_relative",
}
OF_SIDES = {"firing pictures": "firing"}
OF_IMAGES = {
    "image's score": "image_score",
    PERCENT: "image_percentile",
    PATH: "path_similarity",
    f"{PATH} of 8 in 10 top pictures, from": "path_low",
    f"{PATH} of 8 in 10 top pictures, to": "path_high",
}
CLASSES = 6  # of a top set that the atlas's page shows; beyond, "other classes"
SHOWN = 30  # channels in the figure of channels: six pages
MOST_GRID = 10  # top pictures of a channel there: 10 x 10, as in the paper
FIGURES = "figures"


def write(made, folder, say=print):
    """Write figures/*.png, and index.html with the files that it needs.

    Args:
        made: differences.Made.
        folder: Path.
        say: called with lines of text.
    """
    shutil.rmtree(folder / FIGURES, ignore_errors=True)  # of fewer images
    (folder / FIGURES).mkdir()
    for name, content in figures(made, say):
        write_bytes(folder / FIGURES / f"{name}.png", content)
    # an atlas that a killed process left half written is no atlas that write_atlas takes away
    shutil.rmtree(folder / FOLDER, ignore_errors=True)
    if made.compared.matches.channelled:
        write_atlas(atlas(made), folder, Progress, say)


def figures(made, say=print):
    """Draw every figure that the comparison has something for: yields (name, bytes of a PNG)."""
    names, channels = made.compared.names, made.numbers.channels
    first, second = (names[key] for key in PAIR)
    *layers, maps = made.numbers.maps
    figure = paper_figures.layer_maps(*layers, maps, names=(first, second), say=say)
    yield "layer_maps", plots.png(figure)
    yield from _boxes(made, say)
    if not made.compared.matches.layers:
        return
    stages = change_report.stages(made, [match.name for match in made.compared.matches.layers])
    ckas = {
        " and ".join(map(str.upper, pair)): change_report.stages(made, made.numbers.cka[pair])
        for pair in made.views.pairs
    }
    title = "; ".join(names.values())
    figure = paper_figures.cka_over_depth(stages, ckas, title=title, say=say)
    yield "cka_over_depth", plots.png(figure)
    k = made.views.ks[0]
    if channelled := _channelled(made):
        if k in made.numbers.entropy_chance:
            before, after = (
                change_report.split_by_layer(made, change_numbers.entropies(channels, key, k))
                for key in PAIR
            )
            chance = made.numbers.entropy_chance[k]
            title = f"entropy of the top {k}: {first}, {second}"
            figure = paper_figures.entropy_before_after(
                channelled, before, after, chance=chance, title=title, say=say
            )
            yield "entropy_before_after", plots.png(figure)
        if made.judged is not None:
            yield from _change(made, channelled, say)
        for number, page in enumerate(_channel_pages(made, say), 1):
            yield f"channels_{number}", page


def _channelled(made):
    """Names of the convolutions that are compared channel by channel."""
    return [match.name for match in made.compared.matches.channelled]


def _boxes(made, say):
    """Box plots by layer: overlap of the two networks, entropy of each (figures 6, 14 and 15)."""
    numbers, names = made.numbers, made.compared.names
    for k in made.views.ks:
        if made.compared.matches.channelled:
            values = change_numbers.overlaps(numbers.channels, PAIR, k)
            by_layer = change_report.split_by_layer(made, values)
            figure = paper_figures.boxes_by_layer(
                _channelled(made),
                by_layer,
                "overlap",
                chance=numbers.overlap_chance[k],
                title=f"overlap of the top {k}: {names['a']} and {names['b']}",
                say=say,
            )
            yield f"overlap_{k}", plots.png(figure)
        for key in PAIR if k in numbers.entropy_chance and len(numbers.channels) else ():
            layers, by_layer = _entropies(made, key, k)
            figure = paper_figures.boxes_by_layer(
                layers,
                by_layer,
                "entropy",
                chance=numbers.entropy_chance[k],
                title=f"entropy of the top {k}: {names[key]}",
                say=say,
            )
            yield f"entropy_{k}_{key}", plots.png(figure)


def _entropies(made, key, k):
    """(Names of layers, entropies of their channels) of one network."""
    channels = made.numbers.channels
    if "network" in channels:
        channels = channels[channels["network"] == key]
    values = change_numbers.entropies(channels, key, k)
    layers = list(dict.fromkeys(channels["layer"]))
    return layers, [values[(channels["layer"] == layer).to_numpy()] for layer in layers]


def _change(made, layers, say):
    """Overlap against image change, of the layers that have images."""
    table, ranks = change_report.with_images(made), change_report.image_ranks(made)
    overlap = change_numbers.overlaps(table, PAIR, made.views.ks[0])
    overlaps = change_report.split_by_layer(made, overlap)
    changes = change_report.split_by_layer(made, table["image_change"].to_numpy(float))
    seen = [number for number, change in enumerate(changes) if np.isfinite(change).any()]
    if not seen:
        return
    figure = paper_figures.overlap_and_change(
        [layers[number] for number in seen],
        [overlaps[number] for number in seen],
        [changes[number] for number in seen],
        ranks=[ranks[layers[number]] for number in seen],
        chance=made.numbers.overlap_chance[made.views.ks[0]],
        title="; ".join(made.compared.names[key] for key in PAIR),
        say=say,
    )
    yield "overlap_and_change", plots.png(figure)


def _channel_pages(made, say):
    """The figure of channels: those with images, of these the ones of least overlap first.

    With a yardstick its images and top pictures stand below (figures 2 and 9 of the paper).
    """
    table = change_report.with_images(made)
    if made.judged is not None:
        table = table[table["image_change"].notna()]
    k = made.views.ks[0]
    overlap = change_numbers.overlaps(table, PAIR, k)
    chosen = rank(table, overlap)[:SHOWN]
    if not chosen:
        return []
    matches = {match.name: match for match in made.compared.matches.channelled}
    keys = [
        key
        for key in made.views.keys
        if all(matches[layer].is_channel_by_channel(key) for layer, _ in chosen)
    ]
    return paper_figures.channel_pages(
        [_column(made, matches[layer], channel, keys) for layer, channel in chosen],
        [made.compared.names[key] for key in keys],
        made.pictures.files,
        grid=min(MOST_GRID, math.ceil(math.sqrt(k))),
        title=f"channels of least overlap: {made.compared.comparison.data.dataset_name}",
        chance=made.numbers.overlap_chance[k],
        say=say,
    )


def _column(made, match, channel, keys):
    """A channel of a layer as the figure of channels has it."""
    table, k, layer = change_report.with_images(made), made.views.ks[0], match.name
    row = table[(table["layer"] == layer) & (table["channel"] == channel)].iloc[0]
    seen = []
    for key in keys:
        top = made.views.tops(key, match.of[key].name)[:, channel]
        pictures = np.where(top < 0, -1, made.views.numbers[top])
        shares = [
            (row[name], row[name.replace("class", "share")])
            for name in table.columns
            if name.startswith(f"{key}_class_")
        ]
        image = made.judged and made.judged.files.get((key, layer, channel))
        overlap = row[f"overlap_{k}{change_numbers.suffix((PAIR[0], key))}"] if seen else None
        known = tuple((name, share) for name, share in shares if isinstance(name, str))
        seen.append(Seen(pictures, known, image, overlap, _note(row, key) if image else ""))
    return Column(f"{layer}:{channel}", tuple(seen))


def _note(row, key):
    """Whether to believe an image, in a line."""
    percent, path = row[f"{key}_image_percentile"], row[f"{key}_path_similarity"]
    told = "above every picture" if percent == 100 else f"above {percent:.0f} % of pictures"
    # 0.0 is added so that -0.04 is not "-0.0"
    low, high = (round(row[f"{key}_path_{end}"], 1) + 0.0 for end in ("low", "high"))
    beside = "" if np.isnan(path) else f"; path {path:.1f} (top pictures {low} to {high})"
    return f"score {row[f'{key}_image_score']:.3g}: {told}{beside}"


def atlas(made):
    """The atlas of a comparison: every channel that both networks have.

    Args:
        made: differences.Made.

    Returns:
        visualization.atlas.Atlas, whose layers are computed one by one.
    """
    compared, k = made.compared, made.views.ks[0]
    table = made.pictures.table
    pictures = zip(made.pictures.files, table["label"], table["title"], strict=True)
    collection = compared.comparison.data.dataset_name
    return Atlas(
        title=f"{collection}: what changed",
        before=compared.names["a"],
        after=compared.names["b"],
        classes=made.pictures.classes,
        pictures=tuple(Picture(*one) for one in pictures),
        layers=_layers(made),
        k=k,
        chance=_chances(made),
        notes=tuple(_notes(made)),
    )


def _chances(made):
    """What chance gives, as text, by the names that the atlas shows."""
    k, numbers = made.views.ks[0], made.numbers
    by_chance = numbers.overlap_chance[k]
    percents = (f"{100 * share:.2g}" for share in (by_chance.mean, by_chance.low, by_chance.high))
    chance = {"overlap": "{} % ({} to {} %)".format(*percents)}
    if k in numbers.entropy_chance:
        chance["entropy"] = change_report.chance_text(numbers.entropy_chance[k])
    chance[DEBIASED] = "0"
    if made.judged is not None:
        by_chance = made.judged.table["image_change_by_chance"].mean()
        chance["change"] = f"{by_chance:.3f}, between images of different channels of a layer"
        chance[PATH] = "0 as two random pictures, 1 as two top pictures; rough for one image"
        chance[PERCENT] = "50"
    return chance


def _notes(made):
    """How the numbers were made, as sentences."""
    compared, views = made.compared, made.views
    yield (
        f"Top sets of {views.ks[0]} come from {len(views.top)} pictures, CKA from "
        f"{len(views.compared)}, at {compared.size} pixels; a channel's score of a picture is "
        f"{change_report.WORDS[compared.comparison.statistic]}."
    )
    yield (
        "A patch is the part of the picture that the channel's highest value depends on; where "
        "that is all of it, half of the picture's side around the place of that value."
    )
    if made.everything.toy:
        yield "This is the toy collection: nothing in it is real art."
    yield from compared.told


def _layers(made):
    """Yield an atlas.Layer for every convolution that is compared channel by channel."""
    rows = made.numbers.layers.set_index("layer").to_dict("index")
    table = change_report.with_images(made)
    groups = dict(iter(table.groupby("layer")))
    for match in made.compared.matches.channelled:
        row, k = rows[match.name], made.views.ks[0]
        numbers = {title: row.get(column.format(k)) for title, column in OF_LAYERS.items()}
        yield Layer(match.name, numbers, _channels(made, match, groups[match.name]))


def _channels(made, match, table):
    """Yield an atlas.Channel for every channel of a layer; table: its rows."""
    views = {key: _View(made, key, match) for key in PAIR}
    k = made.views.ks[0]
    for row in table.to_dict("records"):
        dead = [when for key, when in zip(PAIR, WHEN, strict=True) if not row[f"{key}_firing"]]
        yield Channel(
            row["channel"],
            *(views[key].side(row) for key in PAIR),
            overlap=row[f"overlap_{k}"],
            change=row.get("image_change"),
            entropy_before=row.get(f"a_entropy_{k}"),
            entropy_after=row.get(f"b_entropy_{k}"),
            dead="both" if len(dead) == 2 else "".join(dead),
        )


class _View:
    """What one network makes of the channels of a convolution."""

    def __init__(self, made, key, match):
        name, views = match.of[key].name, made.views
        self.key, self.layer, self.made = key, match.name, made
        self.tops = views.tops(key, name)
        self.scores = views.seen(key, name)
        shares = similarity.class_shares(self.tops, views.labels, len(views.classes))
        self.classes, self.shares = change_numbers.commonest(shares, CLASSES)
        self.boxes, self.whole = self._boxes(name)

    def _boxes(self, name):
        """(Boxes, float32 (k, channels, 4), and whether they are of all of the picture)."""
        made, scores = self.made, self.made.views.scores[self.key]
        size = made.compared.size
        found, whole = np.zeros((*self.tops.shape, 4), "float32"), np.zeros(self.tops.shape, bool)
        there = self.tops >= 0
        places = scores.place(name)[made.views.top]
        chosen = np.take_along_axis(places, np.maximum(self.tops, 0), axis=0)[there]
        field = receptive_field(made.compared.models[self.key], name, size)
        found[there], whole[there] = boxes(field, chosen, scores.map_size(name), size)
        return found, whole

    def side(self, row):
        """An atlas.Side of the channel of a row."""
        channel, key = row["channel"], self.key
        top = self.tops[:, channel]
        there = top >= 0
        pairs = zip(self.classes[channel], self.shares[channel], strict=True)
        image = self.made.judged and self.made.judged.files.get((key, self.layer, channel))
        columns = OF_SIDES | (OF_IMAGES if image else {})
        numbers = {title: row.get(f"{key}_{column}") for title, column in columns.items()}
        return Side(
            self.made.views.numbers[top[there]],
            self.scores[top[there], channel],
            self.boxes[there, channel],
            self.whole[there, channel],
            tuple((int(number), float(share)) for number, share in pairs if number >= 0),
            image or None,
            numbers,
        )
