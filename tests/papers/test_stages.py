"""Stages: once, in order, as a tree, as lines of a plan; a command is its run; refusals."""

import shlex
import shutil
from dataclasses import replace

import pytest

from papers import report
from papers.protocols import sabatelli2018
from papers.protocols.sabatelli2018 import ANTWERP, FINE, OFF, RANDOM, RIJKS
from papers.report import command
from papers.stages import carry_out, find_runs, folder_of, in_order, spread, tree, words
from papers.waves import find_line, waves
from transfer import experiment
from transfer.flags import read_splits
from transfer.result_folder import result_folder


@pytest.fixture
def chain(place):
    """Return the stages of table 3 that ResNet50 has on type, for two seeds."""
    place = replace(place, seeds=(42, 43), known={})
    cells = sabatelli2018.plan_table3(place)
    return [stage for cell in cells for stage in cell.stages]


def test_each_stage_once_behind_its_start(chain):
    assert len(chain) == 8  # two starts, two modes, two seeds
    ordered = in_order(chain + chain)
    assert len(ordered) == 10  # and the fine-tuning on the first collection, of each seed
    for number, stage in enumerate(ordered):
        assert isinstance(stage.start, str) or stage.start in ordered[:number]
    assert {stage.data.dataset_name for stage in ordered} == {"shandongA", "shandongB"}


def test_a_tree_has_what_starts_from_a_run_below_it(chain):
    rows = tree(chain)
    assert len(rows) == 10
    for (_, above), (depth, stage) in zip(rows, rows[1:], strict=False):
        if depth == 1 and above.data.dataset_name == "shandongA":
            assert stage.start == above
    assert [depth for depth, _ in rows].count(1) == 4


def test_a_stage_starts_from_its_own_seed(chain):
    pairs = [(s.recipe.seed, s.start.recipe.seed) for s in chain if not isinstance(s.start, str)]
    assert pairs and all(own == start for own, start in pairs)


def as_experiment(line):
    """The Runs that a command names, as the command itself reads it."""
    python, m, module, *flags = shlex.split(line)
    assert (python, m, module) == ("python", "-m", "transfer.experiment")
    arguments = experiment.flags().parse_args(flags)
    return [run for data in read_splits(arguments) for run in experiment.runs_from(arguments, data)]


def test_the_command_of_a_stage_is_that_run(place, tmp_path):
    place = replace(place, epochs=3, known={})
    cells = [*sabatelli2018.plan_table2(place), *sabatelli2018.plan_classifiers(place)]
    cells += sabatelli2018.plan_curves(place, ("material",))
    stages = in_order(stage for cell in cells for stage in cell.stages)
    # off the shelf with three classifiers and fine-tuning, on two challenges, and scratch on one
    assert len(stages) == 2 * 4 + 1
    for stage in stages:
        line = report.command(words(stage, place.results_path, {}))
        assert as_experiment(line) == [stage.run({})]


def test_the_command_of_a_later_stage_starts_from_the_folder_of_the_first(chain, place):
    later = next(stage for stage in chain if not isinstance(stage.start, str))
    folder = folder_of(later.start, place.results_path, {})
    flags = words(later, place.results_path, {})
    assert flags["weights"] == str(folder) and flags["ANN"] == "ResNet50"
    assert folder == place.results_path / later.start.run({}).folder


@pytest.mark.slow  # four trainings
def test_a_run_made_by_hand_is_found_and_refusals_are_passed_on(place, capsys):
    stages = in_order(s for cell in sabatelli2018.plan_table3(place) for s in cell.stages)
    first = next(stage for stage in stages if stage.data.dataset_name == "shandongA")
    assert find_runs(stages, place.results_path) == {}
    line = report.command(words(first, place.results_path, {}))
    assert experiment.main(shlex.split(line)[3:]) == 0
    assert list(find_runs(stages, place.results_path)) == [first]
    capsys.readouterr()
    folders, refused = carry_out([stages[0], first], place.results_path)
    assert "already finished" in capsys.readouterr().out
    assert not refused and set(folders) == {stages[0], first}
    # of other settings it is another run
    other = replace(first, recipe=replace(first.recipe, learning_rate=0.5))
    assert other not in find_runs([other], place.results_path)
    # what cannot be made is told, and what starts from it; the others are made
    lost = replace(first, data=replace(first.data, min_pictures=1000))
    after = replace(stages[0], start=lost)
    folders, refused = carry_out([after, stages[0]], place.results_path)
    assert set(folders) == {stages[0]} and set(refused) == {lost, after}
    assert "starts from was not made" in refused[after]
    # and a later stage's command is the same run
    later = next(stage for stage in stages if stage.start == first)
    found = find_runs(stages, place.results_path)
    line = report.command(words(later, place.results_path, found))
    assert as_experiment(line) == [later.run(found)]


def test_runs_are_spread_over_waves_behind_those_that_they_start_from(chain, place):
    made = spread(chain, place.results_path, command)
    assert not made.there and not made.later
    assert [line.id for line in made.lines] == list(range(1, 11))
    # the fine-tuning on the first collection and what starts from ImageNet; then the others
    assert [len(ids) for ids in waves(made.lines)] == [6, 4]
    first = [line for line in made.lines if "--dataset_name shandongA" in line.command]
    assert len(first) == 2 and all(line.wave == 1 for line in first)
    for line in made.lines[6:]:
        (start,) = (find_line(made.lines, need) for need in line.needs)
        assert start in first
        words = shlex.split(line.command)
        weights = words[words.index("--weights") + 1]
        seed = ",seed=43" if "--seed" in words else ""
        folder = f"shandongA/type/ResNet50/fine_tuning{seed},epochs=2"
        assert weights == str(place.results_path / folder)
        assert ("--seed" in words) == ("--seed" in shlex.split(start.command))


def finish(stage, results_path, folders=None):
    """As if a stage had been made: its folder, with the identity of its run and nothing else."""
    run = stage.run(folders or {})
    folder = results_path / run.folder
    with result_folder(folder, run.identity(stage.data.open())):
        pass
    return folder


def test_what_is_there_has_no_line(chain, place):
    off = next(s for s in in_order(chain) if s.recipe.name == OFF and isinstance(s.start, str))
    folder = finish(off, place.results_path)
    made = spread(chain, place.results_path, command)
    assert made.there == {off: folder} and len(made.lines) == 9


def test_of_runs_of_one_folder_that_which_others_start_from_is_made_first(place):
    """Two starts of a network on the first collection: their folders have one name."""
    (start,) = place.stages(RIJKS, "type", "ResNet50", FINE)
    (after,) = place.stages(ANTWERP, "type", "ResNet50", FINE, (start,))
    file = place.small.parent / "weights" / "resnet50_tiny.weights.h5"
    shutil.copy(file, file.with_name("other.weights.h5"))
    other = replace(start, start=f"ResNet50:{file.with_name('other.weights.h5')}")
    assert other.run({}).folder == start.run({}).folder
    made = spread([other, after], place.results_path, command)
    assert waves(made.lines) == [[1], [2, 3]]
    assert [line.needs for line in made.lines] == [(), (1,), (1,)]
    shown = ["resnet50_tiny.weights.h5", "other.weights.h5", "--dataset_name shandongB"]
    assert all(text in line.command for text, line in zip(shown, made.lines, strict=True))


@pytest.mark.parametrize("by_hand", [{"learning_rate": 0.5}, {"batch_norm": "train"}])
def test_where_a_run_of_other_settings_has_the_folder_what_starts_there_waits(place, by_hand):
    """The other run has the name, as one that was made before names told what differs."""
    (start,) = place.stages(RIJKS, "type", "ResNet50", FINE)
    (after,) = place.stages(ANTWERP, "type", "ResNet50", FINE, (start,))
    other = replace(start, recipe=replace(start.recipe, **by_hand))
    folder = place.results_path / start.run({}).folder
    with result_folder(folder, other.run({}).identity(start.data.open())):
        pass
    made = spread([after], place.results_path, command)
    assert [line.needs for line in made.lines] == [()] and list(made.later) == [after]
    assert made.later[after].endswith(f"is not known yet: {folder} is taken")
    assert "--dataset_name shandongA" in made.lines[0].command


def test_a_run_of_another_papers_split_is_not_taken_for_ours(place):
    (own,) = place.stages(RIJKS, "type", "ResNet50", OFF)
    other = replace(own, data=replace(own.data, split="cetinic2018"))
    finish(other, place.results_path)
    made = spread([own], place.results_path, command)
    assert not made.there and len(made.lines) == 1
    assert spread([other], place.results_path, command).lines == ()


def test_a_random_start_is_in_the_name(place):
    (own,), (none,) = (
        place.stages(RIJKS, "type", "ResNet50", FINE, start=start) for start in (None, "random")
    )
    assert own.name == "shandongA: type, ResNet50 fine tuning, seed 42"
    assert none.name == "shandongA: type, ResNet50 fine tuning from random weights, seed 42"
    (scratch,) = place.stages(RIJKS, "type", "InceptionV3", RANDOM)
    assert "from random weights" not in scratch.name
