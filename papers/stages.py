"""The runs that a paper's items need, before they exist: joined, told as commands, carried out.

A Stage becomes a transfer.run.Run once the run that it starts from is there; it lies where
transfer.experiment puts it, so that a run made by hand is found. What is alike is one stage,
however many items ask for it.
"""

from dataclasses import dataclass, fields, replace
from pathlib import Path

from models import zoo
from models.errors import InputError
from models.weights import IMAGENET, NONE
from papers.waves import Line
from transfer.dataset import Data
from transfer.recipe import SETTINGS, Recipe
from transfer.recipes import RECIPES
from transfer.result_folder import MANIFEST, find_finished, folder_for
from transfer.run import MODEL, Run

NOT_MADE = "the run that it starts from was not made: {}"


@dataclass(frozen=True)
class Stage:
    """A run before it can exist.

    data: its pictures. start: the string that names its network, with the weights it starts from
    (see models.zoo.parse), or the Stage whose trained network it starts from. recipe: how it is
    trained. input_size: side of the pictures in pixels; None for the network's own.
    """

    data: Data
    start: "str | Stage"
    recipe: Recipe
    input_size: int | None = None

    @property
    def architecture(self):
        """The network without its weights, as models.zoo.Spec has it."""
        if isinstance(self.start, Stage):
            return self.start.architecture
        return zoo.parse(self.start).architecture

    @property
    def name(self):
        """What it is, in words."""
        recipe = self.recipe
        label = recipe.title + ("" if recipe.classifier == "softmax" else f", {recipe.classifier}")
        seed = f"seed {recipe.seed}"
        if isinstance(self.start, str) and not zoo.parse(self.start).weights:
            label += " from random weights" * (recipe.initial_weights == "given")
        return (
            f"{self.data.dataset_name}: {self.data.challenge}, {self.architecture} {label}, {seed}"
        )

    def run(self, folders):
        """The Run that it is.

        Args:
            folders: dict Stage -> Path of the finished run, with the one that it starts from.

        Raises:
            InputError: see Run.
        """
        network = zoo.parse(self.architecture)
        if isinstance(self.start, Stage):
            network = replace(network, weights=str(folders[self.start] / MODEL))
        else:
            network = zoo.parse(self.start)
        return Run(self.data, network, self.recipe, self.input_size)


def in_order(stages):
    """Every stage once, each behind the one that it starts from: list."""
    ordered = {}
    for stage in stages:
        chain = [stage]
        while isinstance(chain[-1].start, Stage):
            chain.append(chain[-1].start)
        ordered |= dict.fromkeys(reversed(chain))
    return list(ordered)


def tree(stages):
    """(depth, Stage) for every stage of in_order, each below the one that it starts from."""
    after = {}
    for stage in in_order(stages):
        start = stage.start if isinstance(stage.start, Stage) else None
        after.setdefault(start, []).append(stage)

    def below(start, depth):
        for stage in after.get(start, ()):
            yield depth, stage
            yield from below(stage, depth + 1)

    return list(below(None, 0))


def find_runs(stages, results_path):
    """Which stages are finished runs already, by identity: dict Stage -> Path of its folder.

    Nothing is computed: of a data set that is not stored no run is found.

    Args:
        stages: of Stage.
        results_path: folder of all results.
    """
    folders, stores = {}, {}
    for stage in in_order(stages):
        if isinstance(stage.start, Stage) and stage.start not in folders:
            continue
        if stage.data not in stores:
            stores[stage.data] = find_store(stage.data)
        if stores[stage.data]:
            run = stage.run(folders)
            identity = run.identity(stores[stage.data])
            folder = find_finished(Path(results_path) / run.folder, identity)
            folders |= {stage: folder} if folder else {}
    return folders


def find_store(data):
    """The transfer.store.Store of a Data that is stored already, or None."""
    from transfer.store import Store

    folder = data.folder / data.key
    return Store(folder) if (folder / MANIFEST).exists() else None


def folder_ahead(stage, results_path, folders):
    """Where the run of a stage that is not there is to lie; None where something else lies there.

    Args:
        stage: Stage.
        results_path: folder of all results.
        folders: dict Stage -> Path of finished runs.
    """
    identity = None
    store = find_store(stage.data)
    if store and not (isinstance(stage.start, Stage) and stage.start not in folders):
        identity = stage.run(folders).identity(store)
    return folder_for(folder_of(stage, results_path, {}), identity)


def store_pictures(stages):
    """Store the pictures of every stage; dict Stage -> why it can be no run, as far as is known."""
    wrong, refused = {}, {}
    for stage in in_order(stages):
        if stage.data not in wrong:
            wrong[stage.data] = ""
            try:
                stage.data.open()
            except InputError as error:
                wrong[stage.data] = str(error)
        if wrong[stage.data] or stage.start in refused:
            refused[stage] = wrong[stage.data] or NOT_MADE.format(stage.start.name)
        elif not isinstance(stage.start, Stage):
            try:
                stage.run({})
            except InputError as error:
                refused[stage] = str(error)
    return refused


def carry_out(stages, results_path):
    """Make every stage that is not there, in order; a killed call goes on where it was.

    What one stage is refused for is told, and the others are made.

    Args:
        stages: of Stage.
        results_path: folder of all results.

    Returns:
        (folders, refused): dict Stage -> Path of its finished run, and dict Stage -> why there is
        none.
    """
    from transfer.train import train_and_test

    folders, refused = {}, store_pictures(stages)  # once, also those that cannot be used
    ordered = in_order(stages)
    for number, stage in enumerate(ordered, 1):
        print(f"== {number} of {len(ordered)}: {stage.name}", flush=True)
        try:
            if stage in refused:
                raise InputError(refused[stage])
            if stage.start in refused:
                raise InputError(NOT_MADE.format(stage.start.name))
            folders[stage] = train_and_test(stage.run(folders), results_path)
        except InputError as error:
            refused[stage] = str(error)
            print(f"not made: {error}", flush=True)
    return folders, refused


def words(stage, results_path, folders):
    """The flags of transfer.experiment that make a stage: dict name -> text or list of texts.

    Args:
        stage: Stage.
        results_path: folder of all results.
        folders: dict Stage -> folder of the finished run, with the one that it starts from; one
            that is missing is named by the folder where it is to be.
    """
    flags = {}
    for field in fields(Data):
        value = getattr(stage.data, field.name)
        if field.name == "where":
            value = tuple(f"{column}={cell}" for column, cell in value)
        if value != field.default:
            flags[field.name] = list(value) if isinstance(value, tuple) else str(value)
    if isinstance(stage.start, Stage):
        flags["ANN"] = stage.architecture
        flags["weights"] = str(folder_of(stage.start, results_path, folders))
    else:
        spec = zoo.parse(stage.start)
        scratch = stage.recipe.initial_weights == "he_uniform"
        # the command starts from ImageNet's weights where nothing is said, or from scratch
        unsaid = spec.weights == IMAGENET or (scratch and spec.weights is None)
        named = spec.text if spec.weights or unsaid else f"{spec.text}:{NONE}"
        flags["ANN"] = spec.architecture if unsaid else named
    flags["tl_mode"] = stage.recipe.name
    flags["results_path"] = str(results_path)
    pretrained = isinstance(stage.start, Stage) or bool(zoo.parse(stage.start).weights)
    own = RECIPES[stage.recipe.name].adapted(pretrained)
    changed = [name for name in SETTINGS if getattr(stage.recipe, name) != getattr(own, name)]
    flags |= {name: str(getattr(stage.recipe, name)) for name in changed}
    if stage.input_size is not None:
        flags["input_size"] = str(stage.input_size)
    return flags


def folder_of(stage, results_path, folders):
    """Where the run of a stage lies, or is to lie: Path."""
    if stage in folders:
        return folders[stage]
    # where a run lies does not depend on the file that it starts from
    start = zoo.parse(stage.architecture) if isinstance(stage.start, Stage) else None
    network = replace(start, weights=IMAGENET) if start else zoo.parse(stage.start)
    return Path(results_path) / Run(stage.data, network, stage.recipe, stage.input_size).folder


@dataclass(frozen=True)
class Spread:
    """Runs spread over the lines of a plan.

    lines: tuple of Line, wave by wave. ids: dict Stage -> id of its line. there: dict Stage ->
    folder of a run that needs no line. later: dict Stage -> why its line can only be written when
    those of this plan are carried out.
    """

    lines: tuple[Line, ...]
    ids: dict
    there: dict
    later: dict


def spread(stages, results_path, command):
    """A line for every run that is not there, in a wave behind the runs that it needs.

    A line names the folder of the run that it starts from. Where something else has that folder,
    the run is given another name, which is not known before it is made.

    Args:
        stages: of papers.stages.Stage.
        results_path: folder of all results.
        command: function (papers.stages.words of a stage) -> its command.

    Returns:
        Spread.
    """
    there = find_runs(stages, results_path)
    left = [stage for stage in in_order(stages) if stage not in there]
    known = _known_folders(left, there, results_path)
    later = {}
    for stage in left:
        if stage.start in later or (stage.start in left and stage.start not in known):
            taken = folder_of(stage.start, results_path, {})
            later[stage] = (
                f"where the run lies that it starts from is not known yet: {taken} is taken"
            )
    planned = [stage for stage in left if stage not in later]
    holders = {folder_of(stage, results_path, {}): stage for stage in known}
    needs = {}
    for stage in planned:
        # a run that others start from is made before those that would take its name
        holder = holders.get(folder_of(stage, results_path, {}), stage)
        needs[stage] = {stage.start, holder}.intersection(planned) - {stage}

    def wave(stage):
        return 1 + max(map(wave, needs[stage]), default=0)

    ordered = sorted(planned, key=wave)
    ids = {stage: number for number, stage in enumerate(ordered, 1)}
    lines = [
        Line(
            ids[stage],
            wave(stage),
            tuple(sorted(ids[needed] for needed in needs[stage])),
            command(words(stage, results_path, there | known)),
        )
        for stage in ordered
    ]
    return Spread(tuple(lines), ids, there, later)


def _known_folders(left, there, results_path):
    """Where runs are to lie that others start from: dict Stage -> Path, one stage a folder."""
    known, names = {}, set()
    for start in dict.fromkeys(stage.start for stage in left if stage.start in left):
        name = folder_of(start, results_path, {})
        place = None if name in names else folder_ahead(start, results_path, there)
        if place:
            known[start] = place
            names.add(name)
    return known
