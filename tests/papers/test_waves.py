"""Plans: written and read back, edited wrongly, runs spread over lines by hand-made cases."""

import shlex
import shutil
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import InputError
from papers.protocols import sabatelli2018
from papers.protocols.sabatelli2018 import ANTWERP, FINE, OFF, RIJKS
from papers.report import command
from papers.stages import in_order
from papers.waves import Line, find_line, read_plan, spread, told, waves, write_plan
from transfer.result_folder import result_folder

HEADER = "id,wave,needs,command"


@st.composite
def plans(draw):
    """Lines whose needs lie in earlier waves, of any commands."""
    lines = []
    for id in range(1, draw(st.integers(0, 8)) + 1):
        needs = draw(st.sets(st.sampled_from(lines), max_size=3)) if lines else ()
        wave = 1 + max((line.wave for line in needs), default=0)
        text = draw(st.text(st.characters(codec="utf-8", exclude_categories=("C",)), min_size=1))
        needed = tuple(sorted(line.id for line in needs))
        lines.append(Line(id, wave, needed, f"python -m {text}"))
    return lines


@given(plans())
def test_a_plan_is_read_as_it_was_written(tmp_path_factory, lines):
    path = tmp_path_factory.mktemp("plan") / "plan.csv"
    write_plan(lines, path)
    found = read_plan(path)
    assert sorted(found, key=lambda line: line.id) == lines
    # in order, nothing stands before what it needs, and a wave holds nothing that needs another
    done = set()
    for ids in waves(found):
        assert all(done.issuperset(find_line(found, id).needs) for id in ids)
        done |= set(ids)


def test_a_plan_is_a_csv_that_a_spreadsheet_may_have_written(tmp_path):
    path = tmp_path / "plan.csv"
    text = (
        'wave;id;note;needs;command\n2;7;mine;1 2;"echo ""a;b"""\n\n1;2;;;echo 2\n 1 ;1;;;echo 1\n'
    )
    path.write_text(text, encoding="utf-8-sig")
    assert read_plan(path) == (
        Line(1, 1, (), "echo 1"),
        Line(2, 1, (), "echo 2"),
        Line(7, 2, (1, 2), 'echo "a;b"'),
    )
    assert [told(ids) for ids in waves(read_plan(path))] == ["1-2", "7"]


def test_numbers_as_an_array_takes_them():
    assert told([7, 1, 3, 2]) == "1-3,7" and told([5]) == "5" and told([]) == "nothing"


def test_a_line_that_is_not_there():
    lines = [Line(number, 1, (), "x") for number in (1, 2, 4)]
    assert find_line(lines, 4) == lines[2]
    with pytest.raises(InputError, match="no line 3 in the plan; there is 1-2,4"):
        find_line(lines, 3)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "plan.csv is empty"),
        ("id,wave,command\n1,1,x\n", "has no column 'needs'; it has"),
        (f"{HEADER}\n1,1,,x\n1,1,,y\n", "line 3: id 1 is there twice; each is one line's"),
        (f"{HEADER}\n1.0,1,,x\n", "line 2: id is '1.0'; accepted: a whole number above 0"),
        (f"{HEADER}\n0,1,,x\n", "id is '0'"),
        (f"{HEADER}\n1,,,x\n", "line 2: wave is ''; accepted: a whole number above 0"),
        (f"{HEADER}\n1,1,,x\n2,2,1;1,x\n", "needs is '1;1'; accepted: whole numbers above 0 with"),
        (f"{HEADER}\n1,1,, \n", "line 2: command is empty; accepted: a line for the shell"),
        (f"{HEADER}\n1,1,,x\n3,2,1 2,x\n", "id 3 needs 2, which is no id; there is 1,3"),
        (f"{HEADER}\n1,1,1,x\n", "need one another in a circle: 1 needs 1"),
        (f"{HEADER}\n1,1,3,x\n2,2,1,x\n3,3,2,x\n", "in a circle: . needs . needs . needs ."),
        (f"{HEADER}\n1,2,,x\n2,2,1,x\n", "id 2, of wave 2, needs 1, of wave 2; a line's wave is"),
        (f"{HEADER}\n1,1,\n", "line 2: 3 fields, but the header has 4"),
    ],
)
def test_a_plan_edited_wrongly_is_refused(tmp_path, text, says):
    path = tmp_path / "plan.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=says):
        read_plan(path)


def test_a_plan_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match=r"nowhere.csv does not exist"):
        read_plan(tmp_path / "nowhere.csv")


@pytest.fixture
def chain(place):
    """Return the stages of table 3 that ResNet50 has on type, for two seeds."""
    place = replace(place, seeds=(42, 43), known={})
    return [stage for cell in sabatelli2018.plan_table3(place) for stage in cell.stages]


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
