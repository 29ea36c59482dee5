"""What networks look at in pictures: masks, the class predicted, whether a mask means anything."""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from models import backend, memory, zoo
from models.errors import InputError
from models.graph import count_activations
from models.network import check_takes_pictures, load
from transfer import inference, variants
from transfer.pictures import proportion, read, read_all
from transfer.progress import Progress
from visualization import figures, page
from visualization.saliency import passes
from visualization.saliency.deletion_insertion import deletion, insertion
from visualization.saliency.methods import DEFAULT, METHODS
from visualization.saliency.randomisation import randomisation

AT_A_TIME = 64  # pictures in memory: 40 MB at 224 pixels
STEPS = 16  # of the curves: half of what deletion and insertion take, enough for a small plot
RANDOM = "random order"  # curves of pixels in random order: what a method must beat
COLUMNS = ("mask", "picture", "model", "method", "predicted", "name", "output", "shown")
LABELLED = (*COLUMNS, "label", "right")
FLOAT = 4  # bytes of a number in a map
# Of a network's maps, what is in memory at a time at the least: a pass that keeps none for a
# gradient frees most of them, so that nothing that would fit is refused
KEPT = 0.25


@dataclass(frozen=True)
class View:
    """A picture as one network sees it.

    number: of the file among those given, from 1. picture: uint8 (size, size, 3), RGB. masks:
    float32 (size, size) for each method. predicted: index of the class with the highest output,
    value: that output; both None without classes.
    shown: index of the class that the masks are about.
    """

    file: Path
    number: int
    picture: np.ndarray
    masks: tuple
    predicted: int | None
    value: float | None
    shown: int | None


@dataclass(frozen=True)
class Check:
    """What says whether the masks of one network mean anything.

    title: of the network. output: what curves show, as in models.network.Network.
    randomisations: dict method -> randomisation.Randomisation. deletions, insertions: dict method,
    or RANDOM, -> deletion_insertion.Curves; empty for a network without classes.
    """

    title: str
    output: str | None
    randomisations: dict
    deletions: dict
    insertions: dict


def open_networks(specs, size=None, class_names=None, say=print):
    """Open networks that take square RGB pictures.

    Args:
        specs: strings as models.load takes them.
        size: side of the input in pixels for networks that leave it open; None for the size of
            their ImageNet weights.
        class_names: names for networks that hold none and have as many outputs.
        say: called with a line for each network that is fed at another size than its weights, or
            was tested on a part of each picture, and with one where networks are fed at sizes that
            differ.

    Returns:
        list of models.network.Network, each with its size.

    Raises:
        InputError: what models.load refuses, a network that does not take square RGB pictures, or
            names that fit none of the networks.
    """
    networks = [load(spec, size) for spec in specs]
    for network in networks:
        check_takes_pictures(network)
    networks = [_named(network, class_names) for network in networks]
    if class_names and not any(network.classes is class_names for network in networks):
        outputs = ", ".join(f"{x.spec} {_outputs(x)}" for x in networks)
        raise InputError(
            f"{len(class_names)} class names fit no network without names of its own: {outputs}"
        )
    for line in variants.lines_on_whole(networks):
        say(line)
    for network in networks:
        if _is_resized(network):
            say(
                f"{network.spec} is fed pictures of {network.size} pixels; weights of "
                f"{zoo.parse(network.spec).name} are usually of {zoo.parse(network.spec).size}"
            )
    if len({network.size for network in networks}) > 1:
        sizes = ", ".join(f"{network.spec} at {network.size}" for network in networks)
        say(f"the networks take pictures of different sizes, which masks show: {sizes} pixels")
    return networks


def _is_resized(network):
    """Whether weights are fed pictures of another size than those of its name are trained on."""
    spec = zoo.parse(network.spec)
    return bool(spec.weights and spec.size and network.size != spec.size)


def _named(network, class_names):
    # names that its own file does not hold give way to those that the user gives
    nameless = network.classes is None or network.classes_from is not None
    named = class_names and network.output and nameless
    if named and len(class_names) == network.model.output_shape[-1]:
        return replace(network, classes=class_names, classes_from=None)
    return network


def _outputs(network):
    return f"has {network.model.output_shape[-1]}" if network.output else "has no classes"


def check_networks(networks, settings):
    """Refuse networks that do not have what the methods need.

    Args:
        networks: list of models.network.Network.
        settings: saliency.methods.Settings.

    Raises:
        InputError: naming what is missing.
    """
    needing = sorted(method.name for method in settings.methods if method.about_class)
    for network in networks:
        if needing and network.output is None:
            others = ", ".join(name for name, method in METHODS.items() if not method.about_class)
            raise InputError(
                f"{network.spec} has no classes, which {', '.join(needing)} "
                f"{'needs' if len(needing) == 1 else 'need'}; accepted for it: {others}"
            )
        network.class_index(settings.target)
        for method in settings.methods:
            settings.build(method, network)
        _check_memory(network, settings)


def _check_memory(network, settings):
    """Refuse passes through a network that memory cannot hold, before they begin.

    Raises:
        InputError: naming how many pictures at a time would do.
    """
    free = backend.free_memory()
    if free is None:
        return
    size = (network.size, network.size)  # which the file may leave open
    each = count_activations(network.model, size) * FLOAT * KEPT
    if settings.batch_size * each > free:
        most = int(free // each)
        accepted = f"1 to {most}" if most else "a smaller input_size, not even one fits"
        raise InputError(
            f"batch_size is {settings.batch_size}: as many pictures of {network.size} pixels take "
            f"{network.spec} about {memory.shown(settings.batch_size * each)} of memory, of which "
            f"{memory.shown(free)} are free; accepted here: {accepted}"
        )


def look(network, files, settings, say=print, left_out=print):
    """Yield a View of each picture that can be read, and show how many masks are made.

    Args:
        network: models.network.Network with a size.
        files: list of Path.
        settings: saliency.methods.Settings.
        say: called with a line for what a method has to tell; None: neither that nor progress.
        left_out: called with a line for each unreadable picture.

    Raises:
        InputError: none of the pictures can be read.
    """
    title = network.title.replace("\n", " ")
    progress = say and Progress(len(files) * len(settings.methods), f"{title}, masks")
    tell = progress and partial(_tell, progress, say)
    methods = [settings.build(method, network, tell) for method in settings.methods]
    target = network.class_index(settings.target)
    outputs = network.output and passes.outputs(network.model, settings.batch_size)

    def read_one(file):
        # the mean over an area of white comes out as 255.00002
        return np.clip(read(file, network.size), 0, 255)

    def leave_out(line):
        (partial(_tell, progress, left_out) if progress else left_out)(line)
        if progress:
            progress.count -= len(methods)

    for places, pictures in inference.files(files, read_one, AT_A_TIME, leave_out)(0):
        classes, targets = [(None, None, None)] * len(places), None
        if outputs:
            scores = outputs(pictures)
            predicted = scores.argmax(axis=-1)
            targets = predicted if target is None else np.full(len(places), target)
            values = scores.max(axis=-1)
            classes = list(zip(*(x.tolist() for x in (predicted, values, targets)), strict=True))
        masks = zip(*(method(pictures, targets, progress) for method in methods), strict=True)
        for i, (place, of_picture) in enumerate(zip(places, masks, strict=True)):
            yield View(
                files[place],
                int(place) + 1,
                np.round(pictures[i]).astype(np.uint8),
                of_picture,
                *classes[i],
            )


def _tell(progress, say, line):
    """Say a line below the bar of a progress, not into it."""
    progress.clear()
    say(line)


def caption(network, view):
    """The predicted class, its output, and the class shown where it is another; "" without any."""
    if view.predicted is None:
        return ""
    value = f"{view.value:.2f}" if network.output == "probability" else f"score {view.value:.3g}"
    text = f"{network.class_name(view.predicted)}, {value}"
    if view.shown != view.predicted:
        text += f" (shown: {network.class_name(view.shown)})"
    return text


def is_right(network, view, label):
    """Whether the class predicted is the true label; None where the network does not know that.

    Args:
        network: models.network.Network.
        view: View.
        label: name of the true class, in any case, or "".
    """
    known = [name.casefold() for name in network.classes or ()]
    if view.predicted is None or label.casefold() not in known:
        return None
    return known[view.predicted] == label.casefold()


def draw(networks, seen, settings, tile, labels=None, say=print):
    """Draw pictures in rows, and what every network saw in them in columns, page by page.

    Args:
        networks: list of models.network.Network.
        seen: for each network a dict file -> View; the files that all have are drawn.
        settings: saliency.methods.Settings.
        tile: pixels of a picture.
        labels: dict file -> true label, "" where it is not known; None without labels.
        say: called with one line where no installed font has a text's letters.

    Yields:
        matplotlib Figure.
    """
    titles = [title for network in networks for title in _titles(network, networks, settings)]
    files = [file for file in seen[0] if all(file in shown for shown in seen)]
    lines = 1 if labels is None else 2
    heading = max(title.count("\n") for title in titles) + 2  # a long one takes a line more
    laid = page.plan(len(files), 1 + 2 * len(titles), tile, heading, lines)
    each = laid.blocks * laid.rows
    for start in range(0, len(files), each):
        rows = [
            _row(file, picture, networks, seen, labels)
            for file, picture in read_all(files[start : start + each], tile)
        ]
        yield figures.saliency_page(titles, rows, laid, say)


def _titles(network, networks, settings):
    """What stands above the columns of a network: its name, its size where that tells, a method."""
    sizes = {other.size for other in networks}
    size = f"\nat {network.size} pixels" if len(sizes) > 1 or _is_resized(network) else ""
    names = [method.name for method in settings.methods]
    return [network.title + size + ("" if names == [DEFAULT] else f"\n{n}") for n in names]


def _row(file, picture, networks, seen, labels):
    """The figures.Row of a picture."""
    label = (labels or {}).get(file, "")
    columns = [
        figures.Seen(mask, caption(network, view), is_right(network, view, label))
        for network, view in ((n, shown[file]) for n, shown in zip(networks, seen, strict=True))
        for mask in view.masks
    ]
    name = file.stem if labels is None else f"{file.stem}\n{label or 'label not known'}"
    return figures.Row(name, proportion(file), picture, columns)


def save_masks(folder, number, view, network, methods, labels=None):
    """Write the masks of a View: `<method>/<the network's number>/<the picture's>_<stem>.npy`.

    Args:
        folder: Path.
        number: of the network, from 1.
        view: View.
        network: models.network.Network.
        methods: tuple of Method, one for each of the view's masks.
        labels: dict file -> true label, or None without labels.

    Returns:
        list of rows of `table_of_masks`.
    """
    rows = []
    for method, mask in zip(methods, view.masks, strict=True):
        file = Path(method.name, str(number), f"{view.number:05d}_{view.file.stem}.npy")
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        np.save(folder / file, mask)
        name = "" if view.predicted is None else network.class_name(view.predicted)
        seen = (view.predicted, name, view.value, view.shown)
        if labels is not None:
            label = labels.get(view.file, "")
            seen += (label, is_right(network, view, label))
        rows.append((file.as_posix(), str(view.file), network.spec, method.name, *seen))
    return rows


def table_of_masks(rows):
    """What was seen in which picture, a DataFrame of COLUMNS, or LABELLED, a row for each mask."""
    columns = LABELLED if rows and len(rows[0]) > len(COLUMNS) else COLUMNS
    return pd.DataFrame(rows, columns=columns, dtype=object)  # whole numbers beside None stay such


def check_methods(network, pictures, settings, seed=0, say=print):
    """Run the randomisation test, and where there are classes both curves, for every method.

    Args:
        network: models.network.Network.
        pictures: (N, size, size, 3), RGB in [0, 255].
        settings: saliency.methods.Settings; its target is the class of masks and curves.
        seed: of the new weights and of the random order.
        say: called with a line for each method begun.

    Returns:
        Check.
    """
    pictures = np.asarray(pictures)
    targets = _targets(network, pictures, settings)
    random = np.random.default_rng(seed).random(pictures.shape[:3])
    randomisations, masks = {}, {}
    for method in settings.methods:
        say(f"checking {method.name} of {network.spec} on {len(pictures)} pictures")
        build = partial(settings.build, method)
        masks[method.name] = build(network)(pictures, targets)
        randomisations[method.name] = randomisation(network, build, pictures, targets, seed=seed)
    orders = {} if network.output is None else {**masks, RANDOM: random}
    curves = [
        {
            name: curve(network, pictures, order, targets, STEPS, settings.batch_size)
            for name, order in orders.items()
        }
        for curve in (deletion, insertion)
    ]
    return Check(network.title, network.output, randomisations, *curves)


def _targets(network, pictures, settings):
    """The class of each picture that masks are about; zeros, which nothing reads, without any."""
    if network.output is None:
        return np.zeros(len(pictures), np.int32)
    target = network.class_index(settings.target)
    if target is None:
        return passes.outputs(network.model, settings.batch_size)(pictures).argmax(axis=-1)
    return np.full(len(pictures), target, np.int32)


def summary(check):
    """Yield a line for each method: what is left of its masks at the end, and its areas."""
    title = check.title.replace("\n", " ")
    for name, randomised in check.randomisations.items():
        last = randomised.correlations[-1]
        left = np.nanmean(last) if np.isfinite(last).any() else np.nan
        left = round(left, 2) + 0.0  # no -0.00
        text = f"{title}, {name}: rank correlation {left:.2f} when all layers are random"
        if name in check.deletions:
            text += (
                f"; deletion {check.deletions[name].areas.mean():.3f} "
                f"(random {check.deletions[RANDOM].areas.mean():.3f}), "
                f"insertion {check.insertions[name].areas.mean():.3f} "
                f"(random {check.insertions[RANDOM].areas.mean():.3f})"
            )
        yield text
