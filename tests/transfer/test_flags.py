"""The flags that name a collection: one for every field of Data, with sentences for help."""

import argparse
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from models.errors import InputError
from transfer.dataset import Data
from transfer.flags import add_data_flags, add_picture_flags, read_data, read_splits

ROOT = Path(__file__).resolve().parents[2]
NEEDED = ["--dataset_name", "a", "--challenge", "b", "--datasets_path", "d"]


def parser():
    made = argparse.ArgumentParser()
    add_data_flags(made)
    return made


def read(*given):
    return read_data(parser().parse_args([*NEEDED, *map(str, given)]))


def test_every_field_has_a_flag_with_its_default():
    actions = {action.dest: action for action in parser()._actions if action.dest != "help"}
    assert set(actions) == {"collection", *(field.name for field in fields(Data))}
    assert read() == Data("a", "b", Path("d"))


def test_every_help_is_a_sentence():
    for action in parser()._actions[1:]:
        text = action.help
        assert text[0].isupper() and text.endswith("."), action.dest
        if not action.required and action.dest not in ("metadata_path", "jpg_images_path"):
            assert "(default: " in text, action.dest


def test_a_collection_is_read(tmp_path):
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "1.jpg").touch()
    table = tmp_path / "table.csv"
    table.write_text("ImageId,b,collection,era\n1,x,A,=1\n")
    data = read(
        *("--metadata_path", table, "--jpg_images_path", tmp_path / "pictures"),
        *("--where", "collection=A", "collection=B", "--where", "era==1"),
        *("--group_column", "era", "--pictures_glob", "*.jpg", "--drop_labels", "--sample", 7),
    )
    assert data == Data(
        "a",
        "b",
        Path("d"),
        table,
        tmp_path / "pictures",
        drop_labels=(),
        where=(("collection", "A"), ("collection", "B"), ("era", "=1")),
        group_column="era",
        pictures_glob="*.jpg",
        sample=7,
    )


@pytest.mark.parametrize("text", ["collection", "=A", " =A"])
def test_a_condition_that_is_none_is_refused(text):
    with pytest.raises(InputError, match="where is .*; accepted: column=value"):
        read("--where", text)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--metadata_path", "nowhere.csv"], "nowhere.csv"),
        (["--id_column", "Id"], "no column 'Id'; it has ImageId"),
        (["--challenge", "artst"], "no column 'artst'; it has artist"),
        (["--where", "colection=A"], "no column 'colection'; it has collection"),
        (["--where", "collection=C"], "holds 'A' (1)"),
        (["--group_column", "titel"], "no column 'titel'"),
        (["--split", "column=fold"], "no column 'fold'"),
        (["--min_pictures", "-1"], "min_pictures is -1"),
        (["--collection", "rasta"], "and collection is rasta; give one"),
        (["--jpg_images_path", "nowhere"], "picture folder nowhere"),
        (
            ["--pictures_glob", "*.tif"],
            "which fits none of the 1 pictures",
        ),
    ],
)
def test_a_mistake_answers_before_anything_large_is_imported(tmp_path, given, message):
    """In a process of its own."""
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "1.jpg").touch()
    (tmp_path / "table.csv").write_text("ImageId,artist,collection\n1,x,A\n")
    here = ["--metadata_path", tmp_path / "table.csv", "--jpg_images_path", tmp_path / "pictures"]
    script = (
        "import sys\nfrom transfer import experiment\n"
        "code = experiment.main(sys.argv[1:])\n"
        "large = {'tensorflow', 'keras', 'sklearn', 'matplotlib', 'pandas', 'scipy'}\n"
        "print(code, sorted(large & set(sys.modules)))"
    )
    run = ["--ANN", "VGG19", "--tl_mode", "random", "--results_path", "r", "--challenge", "artist"]
    whole = [*NEEDED, *run, *map(str, here), *given]
    done = subprocess.run(
        [sys.executable, "-c", script, *whole], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "2 []\n"
    assert done.stderr.startswith("error: ") and message in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "names",
    [("--images", "--labels", "--column"), ("--jpg_images_path", "--metadata_path", "--challenge")],
)
def test_a_collection_that_is_read_where_it_lies(tmp_path, names):
    (tmp_path / "museum").mkdir()
    table = tmp_path / "table.csv"
    table.write_text("ImageId,style\n1,x\n")
    made = argparse.ArgumentParser()
    add_picture_flags(made)
    values = (tmp_path / "museum", table, "style")
    words = [str(word) for pair in zip(names, values, strict=True) for word in pair]
    data = read_data(made.parse_args(words))
    assert data == Data("museum", "style", Path(), table, tmp_path / "museum")
    assert read_data(made.parse_args([*words, "--dataset_name", "a"])).dataset_name == "a"


@pytest.fixture
def rasta(tmp_path):
    for part in ("train", "val", "test"):
        for style in ("Cubism", "Rococo"):
            folder = tmp_path / "rasta" / f"wikipaintings_{part}" / style
            folder.mkdir(parents=True)
            (folder / "a_b.jpg").touch()
    return tmp_path


def given(folder, *words):
    made = argparse.ArgumentParser()
    add_data_flags(made)
    here = ("--datasets_path", folder / "d", "--jpg_images_path", folder / "rasta")
    return made.parse_args([str(word) for word in (*here, *words)])


def test_a_published_collection_is_read(rasta):
    data = read_data(given(rasta, "--collection", "rasta", "--challenge", "style"))
    (table,) = (rasta / "d" / "rasta").iterdir()
    folder = rasta / "rasta"
    split = "column=split"
    assert data == Data("rasta", "style", rasta / "d", table, folder, split=split)


def test_flags_over_what_a_collection_asks_for(rasta):
    words = ("--collection", "rasta", "--challenge", "artist", "--dataset_name", "mine")
    words += ("--split", "cetinic2018", "--min_pictures", "3", "--split_seed", "1", "2")
    found = read_splits(given(rasta, *words))
    assert [data.split_seed for data in found] == [1, 2]
    assert {(d.dataset_name, d.split, d.min_pictures) for d in found} == {
        ("mine", "cetinic2018", 3)
    }


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--collection", "rasta", "--metadata_path", "a.csv"), "metadata_path is a.csv and coll"),
        (("--collection", "rasta", "--layout", "folders"), "layout is folders and collection is"),
        (("--collection", "rasta", "--id_column", "Id"), "id_column is Id and collection is rasta"),
        (("--collection", "rastta"), r"collection is 'rastta' \(near: rasta\)"),
        (("--collection", "rasta", "--min_pictures", "-1"), "min_pictures is -1"),
    ],
)
def test_what_does_not_go_with_a_collection_is_refused(rasta, words, message):
    with pytest.raises(InputError, match=message):
        read_data(given(rasta, "--challenge", "style", *words))


def test_a_collection_needs_its_folder_and_a_data_set_a_name(tmp_path):
    made = argparse.ArgumentParser()
    add_data_flags(made)
    words = ["--challenge", "style", "--datasets_path", str(tmp_path)]
    with pytest.raises(InputError, match="collection rasta needs jpg_images_path"):
        read_data(made.parse_args([*words, "--collection", "rasta"]))
    with pytest.raises(InputError, match="dataset_name is not given, and jpg_images_path"):
        read_data(made.parse_args(words))
