"""Plans: written and read back, and edited wrongly."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import InputError
from papers.waves import Line, find_line, read_plan, waves, write_plan
from visualization.whole_numbers import spans

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
    assert [spans(ids) for ids in waves(read_plan(path))] == ["1-2", "7"]


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
