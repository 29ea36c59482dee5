"""Stages: once, in order, as a tree; the command of one is the same run; refusals are passed on."""

import shlex
from dataclasses import replace

import pytest

from papers import report
from papers.protocols import sabatelli2018
from papers.stages import carry_out, find_runs, folder_of, in_order, tree, words
from transfer import experiment
from transfer.flags import read_splits


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
