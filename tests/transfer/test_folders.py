"""Folders as labels: both layouts, a split that is given, and what a folder may hold besides."""

import os
import shutil
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import InputError
from transfer import folders, metadata, splits
from transfer.result_folder import result_folder
from transfer.splits import COLUMN_VALUES


@pytest.fixture
def folder(write_file, tmp_path):
    """Return folder(*names): a folder of files of these names, and of folders (a/)."""

    def folder(*names):
        for name in names:
            if name.endswith("/"):
                (tmp_path / "pictures" / name).mkdir(parents=True)
            else:
                write_file(name.encode(), f"pictures/{name}")
        return tmp_path / "pictures"

    return folder


def rows(read):
    return read.rows[["id", "label", "split"]].values.tolist()


def kinds(read):
    return [tuple(row) for row in read.findings[["kind", "picture", "detail"]].values]


def test_a_pictures_folder_is_its_class(folder):
    where = folder("b/2.jpg", "b/1.PNG", "Genre  painting/x.jpg", ".trash/c/y.jpg")
    found = folders.read(where)
    assert rows(found) == [
        ["Genre  painting/x.jpg", "Genre painting", ""],
        ["b/1.PNG", "b", ""],
        ["b/2.jpg", "b", ""],
    ]
    assert found.findings.empty and not found.toy and set(found.rows["group"]) == {""}
    assert list(found.rows.columns) == [*metadata.ROWS, "path"]
    assert list(found.rows["path"]) == list(found.rows["id"])
    assert list(found.candidates.columns) == []
    assert list(found.candidates.index) == list(found.rows["id"])


@pytest.mark.parametrize(
    ("names", "parts"),
    [
        (["train", "val", "test"], ["train", "val", "test"]),
        (["Training", "validation", "TESTING"], ["train", "val", "test"]),
        (
            ["wikipaintings_train", "wikipaintings_val", "wikipaintings_test"],
            ["train", "val", "test"],
        ),
        (["train", "test"], ["train", "test"]),
    ],
)
def test_folders_above_the_classes_are_the_split(folder, names, parts):
    where = folder(*(f"{name}/{label}/1.jpg" for name in names for label in ("a", "b")))
    assert folders.find_parts(where) == dict(zip(names, parts, strict=True))
    found = rows(folders.read(where))
    expected = [
        [f"{name}/{label}/1.jpg", label, part]
        for name, part in zip(names, parts, strict=True)
        for label in ("a", "b")
    ]
    assert found == sorted(expected)


def test_a_class_may_be_named_like_a_part(folder):
    where = folder("test/1.jpg", "a/1.jpg")
    assert folders.find_parts(where) == {}
    assert rows(folders.read(where)) == [["a/1.jpg", "a", ""], ["test/1.jpg", "test", ""]]


def test_empty_folders_and_pictures_outside_are_named(folder):
    where = folder("cover.jpg", "a/1.jpg", "b/1.jpg", "empty/", "only_notes/read.me", "avif/1.avif")
    found = folders.read(where)
    assert [row[0] for row in rows(found)] == ["a/1.jpg", "b/1.jpg"]
    assert kinds(found) == [
        ("picture outside class folders", "cover.jpg", ""),
        ("empty class folder", "", "avif"),
        ("empty class folder", "", "empty"),
        ("empty class folder", "", "only_notes"),
    ]


def test_results_beside_the_class_folders_are_no_class(folder):
    where = folder("a/1.jpg", "b/1.jpg")
    for place in ("results/museum/genre/VGG19/fine_tuning", "datasets/museum/genre/0123"):
        with result_folder(where / place) as result:
            (result.path / "mistakes.png").write_bytes(b"x")
    folders.check(where)
    found = folders.read(where)
    assert [row[0] for row in rows(found)] == ["a/1.jpg", "b/1.jpg"] and found.findings.empty


def test_in_a_given_split_too(folder):
    where = folder("train/a/1.jpg", "train/b/1.jpg", "train/loose.jpg", "test/a/1.jpg", "test/b/")
    found = folders.read(where)
    assert kinds(found) == [
        ("picture outside class folders", "train/loose.jpg", ""),
        ("empty class folder", "", "test/b"),
    ]
    assert Counter(row[2] for row in rows(found)) == {"train": 2, "test": 1}


def test_dropped_labels_and_classes_that_look_alike(folder):
    found = folders.read(folder("Unknown/1.jpg", "oil/1.jpg", "Oil/2.jpg", "ink/1.jpg"))
    assert [row[1] for row in rows(found)] == ["Oil", "ink", "oil"]
    assert kinds(found) == [
        ("label dropped", "Unknown/1.jpg", "Unknown"),
        ("labels that look alike", "", "Oil (1) | oil (1)"),
    ]
    with pytest.raises(
        InputError, match="no picture .* class.*the folders of 1 are in drop_labels"
    ):
        folders.read(found_alone(folder))


def found_alone(folder):
    where = folder()
    for name in ("oil", "Oil", "ink"):
        shutil.rmtree(where / name)
    return where


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            ["a/1.jpg", "b/x/1.jpg", "b/x/2.jpg"],
            "two depths .* 1 as CLASS/picture, 2 deeper, in b/x$",
        ),
        (
            ["all/a/1.jpg", "all/b/1.jpg"],
            "deeper, in all/a, all/b; is .*pictures/all the folder meant",
        ),
        (["train/a/1.jpg", "test/a/x/1.jpg"], "1 as test/CLASS/picture or train/.*, in test/a/x$"),
        (["train/a/1.jpg", "other/1.jpg"], "train, the parts of a split, and beside .* in other;"),
        (["1.jpg", "a/"], "no picture in .* the folder of a class .CLASS/picture; 1 lie outside"),
        (["train/1.jpg", "train/a/"], "no picture in .* of a class .train/CLASS/picture; 1 lie"),
    ],
)
def test_what_lies_wrong_is_named(folder, names, message):
    with pytest.raises(InputError, match=message) as raised:
        folders.read(folder(*names))
    assert "\n" not in str(raised.value)


def test_a_folder_without_folders_is_refused_at_once(folder, tmp_path):
    where = folder("1.jpg", ".hidden/a.jpg")
    folders.check(tmp_path)
    with pytest.raises(InputError, match="holds no folders; layout folders .* metadata_path"):
        folders.check(where)
    with pytest.raises(InputError, match="is not a folder"):
        folders.check(tmp_path / "nowhere")
    folder("a/b/1.jpg")
    with pytest.raises(InputError, match="too deep: 0 as CLASS/picture, 1 deeper, in a/b"):
        folders.check(where)


def test_names_that_are_not_utf_8_are_left_to_the_join(folder):
    where = folder("a/1.jpg")
    try:
        (where / "a" / os.fsdecode(b"Bo\xeb.jpg")).write_bytes(b"x")
    except OSError:
        pytest.skip("this file system holds UTF-8 names only")
    assert [row[0] for row in rows(folders.read(where))] == ["a/1.jpg"]


def test_what_no_table_can_show_is_no_part_of_an_id(folder):
    names = ["a/caf\x82.jpg", "a/caf\x07.jpg", "a/caf.jpg", "a/1 (2).jpg", "b\x9b/1.jpg", "b/1.jpg"]
    where = folder(*names)
    found = folders.read(where)
    assert dict(zip(found.rows["path"], found.rows["id"], strict=True)) == {
        "a/caf.jpg": "a/caf.jpg",  # one that is its own keeps it
        "a/caf\x07.jpg": "a/caf.jpg (2)",
        "a/caf\x82.jpg": "a/caf.jpg (3)",
        "a/1 (2).jpg": "a/1 (2).jpg",
        "b/1.jpg": "b/1.jpg",
        "b\x9b/1.jpg": "b/1.jpg (2)",
    }
    assert set(found.rows["label"]) == {"a", "b"}
    assert kinds(found) == [
        ("control characters", "a/caf\\x07.jpg", ""),
        ("control characters", "a/caf\\x82.jpg", ""),
        ("control characters", "b\\x9b/1.jpg", ""),
    ]


NAMES = st.sampled_from(["a", "B", "鼎", "train", "x_test", "Val"])


@given(
    st.sets(st.tuples(NAMES, NAMES, st.sampled_from(["1.jpg", "2.JPG", "1.jpg.png"])), min_size=1),
    st.booleans(),
)
def test_every_picture_is_a_row_of_its_folder(tmp_path_factory, paths, deep):
    where = tmp_path_factory.mktemp("folders")
    parts = {name for name, _, _ in paths}
    meant = {name: COLUMN_VALUES.get(name.lower().split("_")[-1]) for name in parts}
    for part, label, name in paths:
        path = where.joinpath(*([part] if deep else []), label, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    if deep and not all(meant.values()):
        with pytest.raises(InputError, match="too deep|beside them"):
            folders.read(where)
    elif deep:
        expected = sorted(["/".join(path), path[1], meant[path[0]]] for path in paths)
        assert rows(folders.read(where)) == expected
    else:
        expected = {("/".join(path[1:]), path[1], "") for path in paths}
        assert rows(folders.read(where)) == sorted(map(list, expected))


def test_rasta_without_its_csv_is_what_it_is_with_it(shared):
    where = shared / "data" / "rasta_small"
    found = folders.read(where)
    told = metadata.read(where / "metadata.csv", "style", "path", "split")
    assert rows(found) == sorted(rows(told)) and found.findings.empty
    joined, findings = metadata.join(found.rows, where)
    chosen, left_out = splits.assign(joined, "column")
    assert len(chosen) == 748 and findings.empty and left_out.empty
