"""Parts of a result: cut, found, told which are missing, waited for, removed."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import InputError
from transfer.result_folder import locked, unfinished
from visualization import shards
from visualization.shards import Shard, read_shard


@pytest.fixture(autouse=True)
def no_lag(monkeypatch):
    monkeypatch.setattr(shards, "LAG", 0.0)


def make(out, shard, **files):
    with shards.making(out, shard.name, {"numbers": [shard.number]}) as result:
        for name, text in files.items():
            (result.path / name).write_text(text)


def test_a_shard_is_read():
    assert read_shard("2/4") == Shard(2, 4) and str(Shard(2, 4)) == "2/4"
    assert Shard(2, 4).name == "2-of-4"


@pytest.mark.parametrize("text", ["0/4", "5/4", "a/b", "1/0", "-1/4", "1/4/2", "2", "1.0/2", ""])
def test_what_is_no_shard_is_refused(text):
    with pytest.raises(InputError, match="accepted: I/N, part I of N") as error:
        read_shard(text)
    assert repr(text) in str(error.value)


@given(st.integers(0, 200), st.integers(1, 20), st.integers(1, 30), st.integers(1, 5))
def test_pieces_are_all_once_cut_at_blocks_and_alike_in_size(total, block, count, split):
    pieces = [Shard(number, count).piece(total, block) for number in range(1, count + 1)]
    assert [one for piece in pieces for one in piece] == list(range(total))
    assert all(piece.start % block == 0 for piece in pieces if piece)
    blocks = [-(-len(piece) // block) for piece in pieces]
    assert max(blocks) - min(blocks) <= 1
    for number, piece in enumerate(pieces, 1):
        parts = Shard(number, count).split(split)
        assert [one for part in parts for one in part.piece(total, block)] == list(piece)


@pytest.mark.parametrize(
    ("total", "each", "count"), [(0, 100, 1), (100, 100, 1), (512, 100, 6), (10**6, 100, 1000)]
)
def test_parts_by_default(total, each, count):
    assert shards.usual_count(total, each) == count


def test_parts_that_lie_there_and_those_that_are_missing(tmp_path):
    out = tmp_path / "out"
    assert shards.begun(out) == {} and shards.missing(out, 9, 1, lambda one: True) == ()
    assert "missing in" in shards.cannot_join(out, ()) and "every part" in shards.told(())
    for shard in (Shard(3, 4), Shard(1, 4), Shard(2, 2)):
        make(out, shard, a="x")
    unfinished(tmp_path / "out.parts" / "4-of-4").mkdir()
    assert shards.begun(out) == {
        Shard(2, 2): True,
        Shard(1, 4): True,
        Shard(3, 4): True,
        Shard(4, 4): False,
    }
    # of 4, as most of them are; 10 things in blocks of 2
    lost = shards.missing(out, 10, 2, lambda one: one in (2, 9))
    assert lost == (Shard(2, 4), Shard(4, 4)) and shards.told(lost) == "parts 2,4 of 4"
    assert shards.told(lost[:1]) == "part 2 of 4"


def test_a_part_is_made_once_and_no_other_takes_its_place(tmp_path):
    make(tmp_path / "out", Shard(1, 2), a="x")
    with shards.making(tmp_path / "out", "1-of-2", {"numbers": [1]}) as result:
        assert result.finished and result.about[shards.FILES].keys() == {"a"}
    with (
        pytest.raises(InputError, match=r"numbers \[1\] \(now \[2\]\)"),
        shards.making(tmp_path / "out", "1-of-2", {"numbers": [2]}),
    ):
        pass


def test_a_file_that_is_half_there_is_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "LAG", 60.0)
    monkeypatch.setattr(shards, "EVERY", 0.01)
    make(tmp_path / "out", Shard(1, 1), a="the whole text")
    path = tmp_path / "out.parts" / "1-of-1" / "a"
    looks, true = [], shards.time.sleep

    def sleep(seconds):
        looks.append(seconds)
        if len(looks) == 2:
            path.write_text("the whole text")
        true(0)

    monkeypatch.setattr(shards.time, "sleep", sleep)
    path.write_text("the who")
    digest = shards.read_json(path.parent / "manifest.json")[shards.FILES]["a"]
    assert shards.read_whole(path, digest) == b"the whole text" and len(looks) == 2
    looks.clear()
    path.unlink()
    shards.wait_whole(path.parent)
    assert len(looks) == 2


def test_a_damaged_file_is_never_read(tmp_path):
    make(tmp_path / "out", Shard(1, 1), a="the whole text")
    path = tmp_path / "out.parts" / "1-of-1" / "a"
    path.write_text("the whole tex!")
    with pytest.raises(InputError, match="it is damaged; remove .*1-of-1 and make that part again"):
        shards.wait_whole(path.parent)
    with pytest.raises(InputError, match="damaged"):
        shards.read_whole(path, "0" * 64)


def test_who_is_at_work_is_waited_for_and_left_alone(tmp_path):
    out, said, at_work = tmp_path / "out", [], threading.Event()
    folder = tmp_path / "out.parts" / "2-of-2"
    unfinished(folder).mkdir(parents=True)
    make(out, Shard(1, 2), a="x")

    def say(line):
        said.append(line)
        at_work.set()

    with locked(folder):
        waiting = threading.Thread(target=shards.settle, args=(out, say))
        waiting.start()
        assert at_work.wait(60)
        shards.remove(out)
        assert [path.name for path in folder.parent.iterdir() if "lock" not in path.name] == [
            ".2-of-2.partial"
        ]
    waiting.join(60)
    assert not waiting.is_alive() and said == ["waiting: part 2/2 is being made"]
    shards.remove(out)
    assert not folder.parent.exists()
    shards.remove(out)  # there is nothing to remove
