"""Networks that a paper's items look into: passes of pictures, comparisons, optimized images.

What takes long is made once and kept in a folder named by all that decides it, for every item that
needs it; a killed command goes on there. Means of runs lie with the runs.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from models import weights, zoo
from papers.stages import Stage
from transfer.dataset import Data
from transfer.result_folder import (
    MANIFEST,
    read_json,
    result_folder,
    safe_name,
    sha256_of_text,
    short_name,
    write_json,
)
from transfer.run import AT_START, named_network, read_run

NUMBERS = "numbers.json"
DIGITS = 12  # of a digest in a folder's name


@dataclass(frozen=True)
class Side:
    """A network that is looked at.

    called: as the paper calls it. source: the Stage whose run it ends, or the string that names it
    with its weights. at_start: whether it is the network before the run's first step.
    """

    called: str
    source: Stage | str
    at_start: bool = False

    @property
    def stages(self):
        """The Stage that has to be there, or none."""
        return (self.source,) if isinstance(self.source, Stage) else ()

    def network(self, runs):
        """The string that names the network, as models.load takes it.

        Args:
            runs: dict Stage -> FinishedRun.

        Raises:
            InputError: the run kept no such network.
        """
        if isinstance(self.source, str):
            return self.source
        folder = str(runs[self.source].folder)
        return named_network(folder + AT_START if self.at_start else folder)


@dataclass(frozen=True)
class Ascent:
    """How optimized images are made: steps of ascent, and their side in pixels."""

    steps: int
    size: int


@dataclass(frozen=True)
class Look:
    """Networks that are looked at on the same pictures.

    sides: tuple of Side. data: the pictures, None for comparisons of weights alone. folder: where
    results are kept. size: side of the pictures in pixels. ascent: of optimized images, or None.
    """

    sides: tuple[Side, ...]
    data: Data | None
    folder: Path
    size: int
    ascent: Ascent | None = None
    known: dict = field(default_factory=dict, repr=False, compare=False)  # files' digests

    def top_sets(self, number, runs):
        """The visualization.top_sets.TopSets of a side, by its number.

        Raises:
            InputError: see visualization.top_sets.see.
        """
        from models.network import load
        from visualization.top_sets import read_top_sets, see

        folder = self._place("top_sets", runs, (number,), self.data.key)
        if (folder / MANIFEST).exists():  # its name says all that decides it
            return read_top_sets(folder)
        print(f"pictures through {self.sides[number].called}", flush=True)
        network = load(self.sides[number].network(runs))
        return see(network, self.data.open(), folder, self.size)

    def distance(self, runs, pair=(0, 1)):
        """(Mean distance of the kernels of two sides, what shuffled weights would give).

        Raises:
            InputError: see visualization.layer_pairs.kernel_distances.
        """

        def compute():
            from models.network import load
            from visualization.layer_pairs import kernel_distances

            models = (load(self.sides[number].network(runs)).model for number in pair)
            names, distances, by_chance = kernel_distances(*models)
            table = [names, distances.tolist(), by_chance.tolist()]
            return dict(zip(("layers", "distances", "by_chance"), table, strict=True))

        found = self._kept("distances", runs, pair, None, compute)
        return tuple(sum(found[n]) / len(found[n]) for n in ("distances", "by_chance"))

    def cka(self, runs, pair=(0, 1)):
        """Linear CKA of two sides at each stage of both: dict stage -> similarity.Cka.

        Raises:
            InputError: see top_sets and visualization.similarity.cka.
        """
        from visualization.similarity import Cka, cka

        def compute():
            first, second = (self.top_sets(number, runs).features for number in pair)
            names = [name for name in first if name in second]
            return {name: asdict(cka(first[name], second[name])) for name in names}

        found = self._kept("cka", runs, pair, self.data.key, compute)
        return {name: Cka(**values) for name, values in found.items()}

    def images(self, number, wanted, runs):
        """Optimized images of channels of a side, made where they are not there.

        Args:
            number: of the side.
            wanted: list of (convolution, channel).
            runs: dict Stage -> FinishedRun.

        Returns:
            dict (convolution, channel) -> Path of a PNG.

        Raises:
            InputError: see visualization.image_folders.fill.
        """
        from visualization.channel_images import png_file

        below = self._place("images", runs, (number,), [self.ascent.steps, self.ascent.size])
        channels = {}
        for layer, channel in wanted:
            channels.setdefault(layer, set()).add(channel)
        folders = {layer: below / safe_name(layer) for layer in channels}
        held = _held(folders)
        if any(not channels[layer] <= held[layer].channels for layer in held) or len(held) < len(
            folders
        ):
            self._ascend(number, channels, folders, runs)
            held = _held(folders)
        return {
            (layer, channel): png_file(folders[layer], held[layer].layer, channel)
            for layer, channel in wanted
        }

    def _ascend(self, number, channels, folders, runs):
        from models.network import load
        from visualization.activations import convolutions, map_layers
        from visualization.channel_images import Settings
        from visualization.image_folders import fill

        side, named = self.sides[number], self.sides[number].network(runs)
        network = load(named)
        order = [name for name in convolutions(network.model) if name in channels]
        layers = []
        for layer, objective in zip(order, map_layers(network.model, order), strict=True):
            some = tuple(sorted(channels[layer]))
            how = (self.ascent.steps, self.ascent.size)
            layers.append((Settings(named, objective, some, *how), folders[layer]))
        print(f"images of {sum(map(len, channels.values()))} channels, {side.called}", flush=True)
        fill(layers, network.model, say=lambda line: print(line, flush=True))

    def changes(self, wanted, runs, pair=(0, 1)):
        """How far the images of channels in two sides are apart, as the first side sees them.

        Args:
            wanted: list of (convolution, channel).
            runs: dict Stage -> FinishedRun.
            pair: numbers of the sides.

        Returns:
            (distances, by chance): lists of float, see path_similarity.image_distance at the middle
            stage; the second of the first side's image and the second's of the next channel.
        """
        images = [self.images(number, wanted, runs) for number in pair]

        def compute():
            import numpy as np

            from models.network import load
            from transfer.pictures import read
            from visualization.layer_pairs import layers_of
            from visualization.path_similarity import image_distance

            network = load(self.sides[pair[0]].network(runs))
            stages = [layer.name for layer in layers_of(network.model) if layer.is_stage]
            arrays = [
                np.stack([read(of[one], self.ascent.size) for one in wanted]) for of in images
            ]
            found = {}
            for name, second in (("changes", arrays[1]), ("by_chance", np.roll(arrays[1], 1, 0))):
                where = (network, stages[len(stages) // 2])
                found[name] = image_distance(*where, arrays[0], second).tolist()
            return found

        what = [self.ascent.steps, self.ascent.size, [list(one) for one in wanted]]
        found = self._kept("changes", runs, pair, what, compute)
        return found["changes"], found["by_chance"]

    def _kept(self, kind, runs, pair, what, compute):
        """Read a JSON file of numbers, or compute and keep it."""
        folder = self._place(kind, runs, pair, what)
        with result_folder(folder) as result:
            if not result.finished:
                write_json(result.path / NUMBERS, compute())
        return read_json(result.final / NUMBERS)

    def _place(self, kind, runs, numbers, what):
        """The folder of what is made of some sides; what: JSON of all else that decides it."""
        sides = [self.sides[number] for number in numbers]
        networks = [self._identity(side.network(runs)) for side in sides]
        text = json.dumps([networks, what, None if kind == "distances" else self.size])
        digest = sha256_of_text(text)[:DIGITS]
        called = " and ".join(side.called for side in sides)
        return self.folder / kind / safe_name(f"{short_name(called)}-{digest}")

    def _identity(self, named):
        if named not in self.known:
            spec = zoo.parse(named)
            self.known[named] = [spec.architecture, weights.identify(spec.file or spec.weights)]
        return self.known[named]


def _held(folders):
    """Layer -> image_folders.Held of its finished folder, of those that are there."""
    from visualization.image_folders import find_held

    found = {}
    for layer, folder in folders.items():
        held = find_held(folder) if (folder / MANIFEST).exists() else []
        found |= {layer: held[0]} if held else {}
    return found


@dataclass(frozen=True)
class Mean:
    """The mean of what several runs say, a run of its own.

    stages: of its members. results_path: folder of all results.
    """

    stages: tuple[Stage, ...]
    results_path: Path

    def run(self, runs):
        """Its FinishedRun, made where it is not there.

        Args:
            runs: dict Stage -> FinishedRun.

        Raises:
            InputError: see transfer.mean_of_runs.
        """
        from transfer.mean_of_runs import average, open_store, read_members

        members = read_members([runs[stage].folder for stage in self.stages])
        store = open_store(members[0], self.stages[0].data.datasets_path)
        return read_run(average(members, store, self.results_path))


def missing(parts):
    """What is lacking, of parts that are text where something is: text, "" where nothing is."""
    return "; ".join(dict.fromkeys(part for part in parts if isinstance(part, str)))


def of_seeds(called, stages, at_start=False):
    """A Side for each seed; or text: what is lacking.

    Args:
        called: as the paper calls the network.
        stages: of papers.places.Place.stages: a tuple or text.
        at_start: see Side.
    """
    if isinstance(stages, str):
        return stages
    return tuple(Side(called, stage, at_start) for stage in stages)
