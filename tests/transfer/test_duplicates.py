"""Near-duplicates: hashes of pictures made here, and groups worked out by hand."""

import numpy as np
import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from transfer import duplicates
from transfer.duplicates import BITS, DISTANCE, link

WORDS = BITS // 64


def hashed(*bits):
    """A hash in which these bits are set."""
    flags = np.zeros(BITS, bool)
    flags[list(bits)] = True
    return np.packbits(flags).view(np.uint64)


def linked(rows, flat=None, distance=2):
    hashes = np.array(rows, np.uint64).reshape(len(rows), WORDS)
    return link(hashes, np.zeros(len(rows), bool) if flat is None else np.array(flat), distance)


def painting(seed, size=(160, 120)):
    """A smooth picture of its own."""
    random = np.random.default_rng(seed)
    small = Image.fromarray(random.integers(0, 255, (9, 12, 3), dtype=np.uint8))
    return small.resize(size, Image.Resampling.BICUBIC)


@pytest.fixture
def folder(tmp_path):
    """Two works; the first also smaller, compressed and trimmed."""
    first = painting(1)
    first.save(tmp_path / "a.png")
    first.resize((80, 60)).save(tmp_path / "a small.png")
    first.save(tmp_path / "a poor.jpg", quality=25)
    first.crop((2, 1, 158, 119)).save(tmp_path / "a trimmed.png")
    painting(2).save(tmp_path / "b.png")
    return tmp_path


def test_copies_of_a_work_are_one_group_and_another_work_is_alone(folder):
    names = ["a.png", "a small.png", "b.png", "a poor.jpg", "a trimmed.png"]
    near = duplicates.near(folder, names)
    assert near.groups.tolist() == [1, 1, 0, 1, 1]
    assert len(near.links) == 3 and (near.links[:, 2] <= DISTANCE).all()


def test_every_picture_is_reported(folder):
    said = []
    duplicates.near(folder, ["a.png", "b.png"], lambda done, total: said.append((done, total)))
    assert said == [(1, 2), (2, 2)]


def test_flat_pictures_are_never_alike(tmp_path):
    for name in ("white.png", "white too.png"):
        Image.new("RGB", (80, 60), (255, 255, 255)).save(tmp_path / name)
    assert not duplicates.near(tmp_path, ["white.png", "white too.png"]).groups.any()


def test_distance_is_inclusive_and_chains_are_one_group():
    near = linked([hashed(), hashed(0, 1), hashed(0, 1, 2, 3), hashed(100, 101, 102)])
    assert near.groups.tolist() == [1, 1, 1, 0]
    assert near.links.tolist() == [[0, 1, 2], [1, 2, 2]]


def test_equal_hashes_are_joined_though_flat_ones_stay_alone():
    near = linked(
        [hashed(5), hashed(90, 91, 92), hashed(5), hashed(5)], [False, False, False, True]
    )
    assert near.groups.tolist() == [1, 0, 1, 0]
    assert near.links.tolist() == [[0, 2, 0]]


@given(st.lists(st.sets(st.integers(0, 7), max_size=4), max_size=25), st.integers(1, 3))
def test_groups_are_those_of_all_pairs(sets, distance):
    near = linked([hashed(*bits) for bits in sets], distance=distance)
    apart = [[len(one ^ other) <= distance for other in sets] for one in sets]
    reach = np.array(apart, bool).reshape(len(sets), len(sets))
    for _ in sets:  # by squaring until nothing changes
        reach = (reach.astype(int) @ reach.astype(int)) > 0
    groups = near.groups
    for i in range(len(sets)):
        for j in range(len(sets)):
            same = i == j or (groups[i] > 0 and groups[i] == groups[j])
            assert same == reach[i, j]
    assert len(near.links) == sum(np.bincount(groups)[1:] - 1 if len(groups) else [])


def test_blocks_change_nothing(monkeypatch):
    random = np.random.default_rng(0)
    rows = [hashed(*random.choice(12, 4, replace=False)) for _ in range(40)]
    whole = linked(rows)
    monkeypatch.setattr(duplicates, "_PAIRS_AT_ONCE", 50)
    assert linked(rows).groups.tolist() == whole.groups.tolist()


def test_findings_name_both_pictures_their_labels_and_parts():
    rows = pandas.DataFrame(
        {
            "id": ["x", "y", "z"],
            "path": ["x.jpg", "y.jpg", "z.jpg"],
            "label": ["oil", "oil", "ink"],
            "split": ["train", "train", "test"],
        },
        index=[0, 1, 3],
    )
    near = duplicates.Near(np.array([1, 1, 1, 1]), np.array([[0, 1, 4], [0, 2, 5], [0, 3, 6]]))
    found = duplicates.findings(near, rows)
    assert found["id"].tolist() == ["y", "z"]  # picture 2 is not in the data set
    assert found["detail"].tolist() == [
        "like x.jpg (4 of 256 bits differ); both are oil, both in train",
        "like x.jpg (6 of 256 bits differ); that one is oil, this one ink, that one in train, "
        "this one in test",
    ]
