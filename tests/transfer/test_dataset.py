"""The data of one challenge: checked at once, found or made, named by what decides them."""

import csv
import hashlib
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.errors import InputError
from transfer.dataset import Data, digest
from transfer.result_folder import result_folder

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def data(tmp_path):
    """Data of a collection of 60 pictures of two artists."""
    (tmp_path / "jpg").mkdir()
    lines = ["ImageId,dc_creator,fold"]
    for i in range(60):
        pixels = np.random.default_rng(i).integers(0, 256, (12, 9, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "jpg" / f"{i:03}.png")
        lines.append(f"{i:03},{'NA' if i % 2 else '007'},{('train', 'val', 'test')[i % 3]}")
    (tmp_path / "metadata.csv").write_text("\n".join(lines) + "\n")
    return Data(
        "a museum/1",
        "artist",
        tmp_path / "datasets",
        tmp_path / "metadata.csv",
        tmp_path / "jpg",
    )


def test_made_once_and_found_again(data, capsys):
    store = data.open()
    said = capsys.readouterr().out
    assert "no findings" in said and "pictures read: 60 of 60" in said
    assert "pictures stored: 60 of 60" in said
    assert store.folder.parent == data.datasets_path / "a museum_1" / "artist"
    assert store.classes == ["007", "NA"] and not store.toy
    assert {split: len(labels) for split, labels in store.labels.items()} == {
        "train": 48,
        "val": 6,
        "test": 6,
    }
    manifest = json.loads((store.folder / "manifest.json").read_text())
    assert manifest["split_sha256"] == store.split_sha256
    assert data.settings.items() <= manifest.items()
    again = data.open()
    assert again == store and capsys.readouterr().out == f"data set found in {store.folder}\n"


def test_another_setting_or_csv_is_another_data_set(data):
    folders = {data.open().folder, replace(data, split_seed=43).open().folder}
    folders.add(replace(data, split="column=fold").open().folder)
    data.metadata_path.write_text(data.metadata_path.read_text() + "060,x,train\n")
    folders.add(data.open().folder)
    assert len(folders) == 4


def test_nothing_is_left_of_a_data_set_that_could_not_be_made(data):
    with pytest.raises(InputError, match="two classes"):
        replace(data, min_pictures=31).open()
    left = [path.name for path in data.datasets_path.rglob("*") if path.is_dir()]
    assert left == ["a museum_1", "artist"]


def test_released_files_are_opened_where_they_lie(data, tmp_path):
    made = data.open().folder
    place = tmp_path / "released" / "theirs" / "artist"
    place.mkdir(parents=True)
    for path in made.glob("*.hdf5"):
        (place / path.name).write_bytes(path.read_bytes())
    assert Data("theirs", "artist", tmp_path / "released").open().folder == place
    with pytest.raises(InputError, match="no file .*training_images.hdf5"):
        Data("nobody's", "artist", tmp_path / "released").open()


NEITHER = {"metadata_path": None, "jpg_images_path": None}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"split": "90/5/5"}, "split is '90/5/5'; accepted: sabatelli2018, cetinic2018, column="),
        ({"split": "column"}, "split is 'column'"),
        ({"split": "column="}, "split is 'column='"),
        ({"split_seed": -1}, "split_seed is -1; it must be 0 or more"),
        ({"split": "column", "min_pictures": -1}, "split is 'column'; accepted: .*column=NAME"),
        ({"min_pictures": -1}, "min_pictures is -1; it must be 0 or more"),
        ({"jpg_images_path": None}, "^metadata_path needs jpg_images_path"),
        ({"metadata_path": None}, "holds no folders; layout folders takes"),
        ({"metadata_path": None, "layout": "csv"}, "layout csv needs metadata_path"),
        ({"layout": "folders"}, "layout folders reads no CSV; leave metadata_path out"),
        ({"layout": "folder"}, "layout is 'folder'; accepted: csv, folders"),
        ({**NEITHER, "layout": "folders"}, "layout folders needs jpg_images_path"),
        ({**NEITHER, "pictures_glob": "*"}, "pictures_glob needs jpg_images_path"),
        ({**NEITHER, "sample": 5}, "sample needs jpg_images_path, a folder of pictures"),
        ({**NEITHER, "split": "cetinic2018"}, "split needs jpg_images_path.* it is 'cetinic2018'"),
        ({**NEITHER, "split_seed": 7}, "split_seed needs jpg_images_path.* it is 7, and six HDF5"),
        ({**NEITHER, "min_pictures": 20}, "min_pictures needs jpg_images_path.* it is 20"),
        ({**NEITHER, "drop_labels": ()}, "drop_labels needs jpg_images_path"),
        ({**NEITHER, "near_duplicates": "together"}, "near_duplicates needs .* it is 'together'"),
        ({**NEITHER, "id_column": "Id"}, "id_column needs jpg_images_path"),
        ({**NEITHER, "test_percent": 10}, "test_percent needs jpg_images_path"),
        (
            {"split": "column=fold", "split_seed": 7},
            "split_seed is 7, and split column=fold is given, not drawn.* leave split_seed out",
        ),
        ({"sample": 0}, "sample is 0; it must be above 0, a number of pictures"),
        (
            {**NEITHER, "group_column": "title"},
            "group_column names a CSV's column, and there is no",
        ),
        ({**NEITHER, "where": (("a", "b"),)}, "where names a CSV's column"),
        ({**NEITHER, "split": "column=fold"}, "split names a CSV's column"),
        ({"challenge": "type"}, "no column 'dc_type'; it has dc_creator"),
        ({"id_column": "Id"}, "no column 'Id'; it has ImageId"),
        ({"split": "column=part"}, "no column 'part'"),
        ({"group_column": "titel"}, "no column 'titel'"),
        (
            {"where": (("fold", "trian"),)},
            "no row where fold=trian; column 'fold' holds 'train' .20",
        ),
        ({"metadata_path": Path("nowhere.csv")}, "nowhere.csv does not exist"),
        ({"jpg_images_path": Path("nowhere")}, "nowhere is not a folder"),
        ({"dataset_name": ".."}, "cannot name a folder"),
        ({"challenge": "../x"}, "cannot name a folder"),
    ],
)
def test_what_cannot_be_is_an_error_at_once(data, wrong, message):
    with pytest.raises(InputError, match=message):
        replace(data, **wrong)


def test_digests_are_those_of_data_sets_made_before(data):
    """As the version before `where`, `group_column`, `pictures_glob` and `layout` computed them."""
    settings = {
        "challenge": "artist",
        "split": "sabatelli2018",
        "seed": 42,
        "min_pictures": 1,
        "id_column": "ImageId",
        "drop_labels": ["anoniem", "anonymous", "onbekend", "unknown"],
    }
    assert data.settings == settings == replace(data, split="sabatelli2018").settings
    files = sorted(data.jpg_images_path.iterdir())
    listed = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    table = hashlib.sha256(data.metadata_path.read_bytes()).hexdigest()
    text = json.dumps([table, listed, settings], sort_keys=True)
    assert data.open().folder.name == hashlib.sha256(text.encode()).hexdigest()[:16]
    header = (data.open().folder / "split.csv").read_bytes().splitlines()[0]
    assert header == b"\xef\xbb\xbfid,label,split,path,sha256"


def test_one_csv_serves_several_data_sets(data, capsys):
    some = replace(data, where=(("fold", "train"), ("fold", "val")))
    again = replace(data, where=(("fold", "val"), ("fold", "train"), ("fold", "val")))
    store = some.open()
    assert sum(map(len, store.labels.values())) == 40 and again.open() == store
    said = capsys.readouterr().out
    assert "row not selected: 20. The row is not one that where asks for.\n" in said
    assert "picture without row" not in said
    assert data.open() != store
    manifest = json.loads((store.folder / "manifest.json").read_text())
    assert manifest["where"] == [["fold", "train"], ["fold", "val"]]


def test_results_among_the_pictures_make_no_other_data_set(data):
    data = replace(data, datasets_path=data.jpg_images_path / "datasets")
    key = data.key
    data.open()
    with result_folder(data.jpg_images_path / "results" / "a run") as result:
        Image.new("RGB", (9, 9)).save(result.path / "confusion_matrix.png")
    assert data.key == key


def test_near_duplicates_are_reported_and_kept_together_on_request(data, capsys):
    """Thirty pictures saved again at half the size, under names and labels of the first ones."""
    lines = data.metadata_path.read_text()
    for number in range(60):
        drawn = np.random.default_rng(number).integers(0, 256, (6, 6, 3), np.uint8)
        picture = Image.fromarray(drawn).resize((96, 96), Image.Resampling.BICUBIC)
        picture.save(data.jpg_images_path / f"{number:03}.png")
        if number < 30:
            picture.resize((48, 48)).save(data.jpg_images_path / f"again{number:03}.png")
            lines += f"again{number:03},{'NA' if number % 2 else '007'},train\n"
    data.metadata_path.write_text(lines)

    def torn(**settings):
        store = replace(data, **settings).open()
        split = {id: part for part in store.labels for id in store.ids(part)}
        report = (store.folder / "report.csv").read_text("utf-8-sig")
        told = report.count("near-duplicate pictures")
        return told, sum(split[f"{n:03}"] != split[f"again{n:03}"] for n in range(30))

    told, apart = torn()
    assert told == 30 and apart > 0
    assert "near_duplicates together keeps them in one part" in capsys.readouterr().out
    assert torn(near_duplicates="together") == (30, 0)
    assert torn(near_duplicates="ignore")[0] == 0


def test_only_chosen_pictures_count(data):
    (data.jpg_images_path / "small").mkdir()
    for path in sorted(data.jpg_images_path.glob("*.png"))[:30]:
        path.rename(data.jpg_images_path / "small" / path.name)
    some = replace(data, pictures_glob="small/*")
    store = some.open()
    assert sum(map(len, store.labels.values())) == 30
    (data.jpg_images_path / "030.png").unlink()
    assert some.open() == store


def test_a_sample_is_of_the_smallest_digests_and_lies_in_larger_ones(data, tmp_path, capsys):
    names = [f"{i:03}" for i in range(60)]
    ordered = sorted(names, key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    data = replace(data, split="cetinic2018")
    folders, before = {data.key}, set()
    for count in (20, 40, 60):
        store = replace(data, sample=count).open()
        inside = {id for part in store.labels for id in store.ids(part)}
        assert inside == set(ordered[:count]) and before < inside
        folders, before = folders | {store.folder.name}, inside
    assert len(folders) == 4  # it decides which data set it is, though it be all pictures
    said = capsys.readouterr().out
    assert "picture not in the sample: 40. The picture is not one of the sample that was" in said
    assert json.loads((store.folder / "manifest.json").read_text())["sample"] == 60
    # of a collection that has fewer, all: that is said, and written down
    all_of_them = replace(data, sample=100)
    assert sum(map(len, all_of_them.open().labels.values())) == 60
    told = "fewer pictures than the sample: 1. All pictures are used, which are fewer than that.\n"
    assert told + "    60 of 100\n" in capsys.readouterr().out
    assert "60 of 100" in (all_of_them.open().folder / "report.csv").read_text("utf-8-sig")
    chosen = replace(data, sample=20).choose(tmp_path / "refused.csv").rows
    assert set(chosen["id"]) == set(ordered[:20])


def test_a_sample_is_drawn_before_small_classes_are_left_out(data):
    """Of the first 20 by their digests some are `NA`, others `007`: too few of one for 12."""
    names = [f"{i:03}" for i in range(60)]
    ordered = sorted(names, key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    data = replace(data, split="cetinic2018")
    odd = sum(int(name) % 2 for name in ordered[:20])
    least = min(odd, 20 - odd) + 1
    with pytest.raises(InputError, match="of 60 pictures, sample 20: .*two classes"):
        replace(data, sample=20, min_pictures=least).open()
    assert replace(data, sample=20, min_pictures=least - 1).open().classes == ["007", "NA"]


def sorted_into_folders(data, *parts):
    """The collection's pictures as folders; without parts the classes alone."""
    names = [f"{i:03}.png" for i in range(60)]
    for i, name in enumerate(names):
        place = data.jpg_images_path.joinpath(
            *([parts[i // 2 % len(parts)]] if parts else []), "cd"[i % 2]
        )
        place.mkdir(parents=True, exist_ok=True)
        (data.jpg_images_path / name).rename(place / name)
    return replace(data, metadata_path=None)


def test_folders_are_labels(data):
    by_folder = sorted_into_folders(data)
    (by_folder.jpg_images_path / "empty").mkdir()
    store = by_folder.open()
    assert store.classes == ["c", "d"]
    assert {split: len(labels) for split, labels in store.labels.items()} == {
        "train": 48,
        "val": 6,
        "test": 6,
    }
    assert "empty class folder,,,empty" in (store.folder / "report.csv").read_text("utf-8-sig")
    assert store.ids("test")[0].startswith("c/") or store.ids("test")[0].startswith("d/")
    manifest = json.loads((store.folder / "manifest.json").read_text())
    assert manifest["layout"] == "folders" and manifest["split"] == "folders"
    assert replace(by_folder, layout="folders").open() == store


def test_control_characters_in_a_files_name_stop_nothing(data):
    by_folder = sorted_into_folders(data)
    pictures = by_folder.jpg_images_path / "c"
    (pictures / "000.png").rename(pictures / "00\x820.png")
    (pictures / "002.png").rename(pictures / "004\x07.png")
    store = by_folder.open()
    stored = {id: (part, n) for part in store.labels for n, id in enumerate(store.ids(part))}
    assert len(stored) == 60 and {"c/000.png", "c/004.png", "c/004.png (2)"} < set(stored)
    for id, name in (("c/000.png", "00\x820.png"), ("c/004.png (2)", "004\x07.png")):
        assert store.encoded(*stored[id]) == (pictures / name).read_bytes()
    assert all(list(store.groups(part)["id"]) == store.ids(part) for part in store.labels)
    report = (store.folder / "report.csv").read_text("utf-8-sig")
    assert "control characters,c/000.png,c/00\\x820.png,," in report
    assert "id in other letters" not in report and "without" not in report


def test_folders_give_the_split_unless_another_is_asked_for(data):
    by_folder = sorted_into_folders(data, "train", "val", "test")
    assert by_folder.protocol == "column"
    store = by_folder.open()
    sizes = {split: len(labels) for split, labels in store.labels.items()}
    assert sizes == {"train": 20, "val": 20, "test": 20} and store.classes == ["c", "d"]
    assert all(name.startswith("test/") for name in store.ids("test"))
    drawn = replace(by_folder, split="cetinic2018")
    assert len(drawn.open().labels["train"]) == 42 and drawn.protocol == "cetinic2018"


def test_only_what_is_drawn_has_a_seed(data):
    assert replace(data, split_seed=7).settings["seed"] == 7
    completed = replace(data, split="column=fold", test_percent=10, split_seed=7)
    assert completed.settings["seed"] == 7
    by_folder = sorted_into_folders(data, "train", "val", "test")
    with pytest.raises(InputError, match="split_seed is 7, and split of the folders is given, not"):
        replace(by_folder, split_seed=7)
    assert replace(by_folder, split="cetinic2018", split_seed=7).protocol == "cetinic2018"


def parts_of(data, tmp_path):
    """Pictures of every part of the split, without a store."""
    rows = data.choose(tmp_path / "refused.csv").rows
    return rows.groupby("split")["id"].apply(set).to_dict()


@pytest.mark.parametrize("by_folder", [False, True])
def test_a_given_split_without_a_part_names_the_flag_that_makes_it(data, tmp_path, by_folder):
    if by_folder:
        given = sorted_into_folders(data, "train", "val")
    else:
        text = data.metadata_path.read_text()
        data.metadata_path.write_text(text.replace(",test", ",train"))
        given = replace(data, split="column=fold")
    with pytest.raises(InputError, match="your split has no test part: test_percent 10 would make"):
        given.choose(tmp_path / "refused.csv")
    before = {"val": 30, "train": 30} if by_folder else {"val": 20, "train": 40}
    parts = parts_of(replace(given, test_percent=20), tmp_path)
    made = round(before["train"] * 0.2)
    sizes = {part: len(ids) for part, ids in parts.items()}
    assert sizes == {"train": before["train"] - made, "val": before["val"], "test": made}


def test_a_group_of_the_csv_stays_in_one_part(data, tmp_path):
    header, *lines = data.metadata_path.read_text().splitlines()
    lines = [f"{line},set {number // 3}" for number, line in enumerate(lines)]
    data.metadata_path.write_text("\n".join([f"{header},series", *lines]) + "\n")

    def torn(**settings):
        parts = parts_of(replace(data, **settings), tmp_path)
        groups = [{int(id) // 3 for id in ids} for ids in parts.values()]
        return sum(map(len, groups)) - len(set().union(*groups))

    assert torn() > 0 and torn(group_column="series") == 0


def test_what_is_left_out_is_told_and_reported(data, capsys):
    text = data.metadata_path.read_text().replace("003,NA", "003,na").replace("004,007", "gone,007")
    data.metadata_path.write_text(text)
    store = data.open()
    said = capsys.readouterr().out
    assert "class dropped: 1. The class has no picture in a part of the split" in said
    assert "    na: 1 pictures, none in " in said
    assert "labels that look alike: 1." in said and "    NA (29) | na (1)\n" in said
    assert "row without picture: 1." in said and "    gone\n" in said
    report = metadata_rows(store.folder / "report.csv")
    assert {row["kind"] for row in report} == {
        "class dropped",
        "labels that look alike",
        "row without picture",
        "picture without row",
    }
    assert all(row["meaning"].endswith(".") for row in report)


def metadata_rows(path):
    with open(path, newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def test_when_too_few_rows_stay_the_rows_are_named(data):
    for path in sorted(data.jpg_images_path.iterdir())[3:]:
        path.unlink()
    with pytest.raises(InputError) as raised:
        data.open()
    message = str(raised.value)
    assert message.startswith("57 of 60 rows are left out (row without picture: 57), and the rest")
    report = data.folder / "report.csv"
    assert message.endswith(f"named in {report}")
    assert len(metadata_rows(report)) == 57
    data.metadata_path.write_text(data.metadata_path.read_text().replace("\n0", "\nx0"))
    with pytest.raises(InputError, match="no row has a picture .* named in .*report.csv"):
        data.open()
    assert len(metadata_rows(report)) == 60


def test_a_class_of_files_that_cannot_be_read_is_named(data):
    by_folder = sorted_into_folders(data)
    for path in (data.jpg_images_path / "d").iterdir():
        path.rename(path.with_suffix(".heic"))
    with pytest.raises(InputError) as raised:
        by_folder.open()
    assert "1 left of 1 ('c': 30" in str(raised.value)
    told = "found (empty class folder: 1, picture format that cannot be read: 30); all"
    assert told in str(raised.value)
    report = metadata_rows(data.folder / "report.csv")
    assert [row["picture"] for row in report if row["detail"] == ".heic"][0] == "d/001.heic"


def test_the_report_on_a_data_set_that_failed_goes_when_it_is_made(data):
    wrong = data.metadata_path.read_text()
    data.metadata_path.write_text(wrong.replace("\n0", "\nx0"))
    with pytest.raises(InputError, match="named in"):
        data.open()
    assert (data.folder / "report.csv").exists()
    data.metadata_path.write_text(wrong)
    data.open()
    assert not (data.folder / "report.csv").exists()


def test_control_characters_stop_nothing(data):
    lines = data.metadata_path.read_text().replace("NA", "N\0A")
    data.metadata_path.write_text(lines)
    store = data.open()
    assert store.classes == ["007", "NA"]
    assert "\0" not in (store.folder / "split.csv").read_text("utf-8-sig")


def imported_by(code, *arguments):
    code = f"import sys; from transfer.dataset import Data; {code}; print(*sys.modules)"
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


def test_quick_answers_import_nothing_slow(data):
    """Checks without pandas; a data set that is there without TensorFlow."""
    check = "Data('a', 'b', 'c')"
    assert not {"tensorflow", "keras", "pandas", "h5py", "sklearn"} & imported_by(check)
    data.open()
    names = data.dataset_name, data.datasets_path, data.metadata_path, data.jpg_images_path
    find = "n, *paths = sys.argv[1:]; assert Data(n, 'artist', *paths).open().classes"
    assert not {"tensorflow", "keras"} & imported_by(find, *names)


def test_the_key_changes_with_data_and_settings_and_with_nothing_else(write_file, tmp_path):
    table = write_file(b"ImageId,a\n", "table.csv")
    one = write_file(b"one", "pictures/one.jpg")
    write_file(b"x", "pictures/note.txt")

    def key(**settings):
        return digest(table, tmp_path / "pictures", settings)

    keys = [key(seed=42, protocol="column")]
    assert re.fullmatch("[0-9a-f]{16}", keys[0])
    write_file(b"y", "pictures/note.txt")
    assert key(protocol="column", seed=42) == keys[0]
    keys.append(key(seed=43, protocol="column"))
    times = one.stat().st_atime_ns, one.stat().st_mtime_ns
    changes = (
        lambda: os.utime(one, ns=(times[0], times[1] + 1_000_000_000)),
        lambda: (one.write_bytes(b"longer"), os.utime(one, ns=times)),
        lambda: one.rename(one.with_name("three.jpg")),
        lambda: table.write_bytes(b"ImageId,b\n"),
    )
    for change in changes:
        change()
        keys.append(key(seed=42, protocol="column"))
    assert len(set(keys)) == 6


def test_pictures_are_chosen_as_a_data_set_has_them(data, tmp_path):
    chosen = data.choose(tmp_path / "refused.csv")
    store = data.open()
    assert store.folder.name == data.key and not (tmp_path / "refused.csv").exists()
    for split in ("train", "val", "test"):
        of = chosen.rows[chosen.rows["split"] == split]
        assert list(of["id"]) == store.ids(split)


def test_one_class_can_be_chosen_where_it_will_do(data, tmp_path):
    one = replace(data, drop_labels=("NA",))
    with pytest.raises(InputError, match="a classifier needs two classes"):
        one.choose(tmp_path / "refused.csv")
    chosen = one.choose(tmp_path / "refused.csv", least_classes=1)
    assert set(chosen.rows["label"]) == {"007"}


@pytest.fixture
def several(data):
    """The same pictures with three labels: one rare, one that the test part lacks, one common."""
    lines = ["ImageId,title,rare,early,common,fold"]
    for i in range(60):
        part = ("train", "val", "test")[i % 3]
        early = int(part != "test" and i % 4 == 0)
        lines.append(f"{i:03},t{i // 2},{int(i < 2)},{early},{int(i % 5 > 1)},{part}")
    data.metadata_path.write_text("\n".join(lines) + "\n")
    return replace(data, challenge="all", split="column=fold")


def test_several_labels_are_stored_and_told(several, capsys):
    store = replace(several, min_pictures=3).open()
    said = capsys.readouterr().out
    assert "2 labels: common, early\n" in said
    assert "label too rare: 1." in said and "rare: 2 of 3 distinct pictures" in said
    assert "label without a picture: 1." in said and "early: none in test" in said
    assert store.several and store.classes == ["common", "early"]
    rows = (store.folder / "split.csv").read_text("utf-8-sig").splitlines()
    assert len(rows) == 61 and rows[1].startswith("000,early,train,")
    assert rows[2].startswith("001,(none),val,")  # rare alone: a picture without labels
    by_hand = {"train": [], "val": [], "test": []}
    for i in range(60):
        part = ("train", "val", "test")[i % 3]
        by_hand[part].append([int(i % 5 > 1), int(part != "test" and i % 4 == 0)])
    assert {part: labels.tolist() for part, labels in store.labels.items()} == by_hand
    again = replace(several, min_pictures=3).open()
    assert again.folder == store.folder and "data set found" in capsys.readouterr().out
    named = replace(several, challenge="rare, common").open()
    assert named.classes == ["common", "rare"] and named.folder.parent.name == "rare,common"
    drawn = replace(several, split="cetinic2018", group_column="title").open()
    groups = [set(drawn.groups(part)["group"]) for part in ("train", "val", "test")]
    assert not groups[0] & groups[1] and not groups[0] & groups[2] and not groups[1] & groups[2]
    assert {part: len(rows) for part, rows in drawn.labels.items()} == {
        "train": 42,
        "val": 6,
        "test": 12,
    }


def test_spaces_between_labels_make_no_other_data_set(several, tmp_path):
    plain = replace(several, challenge="rare,common")
    for challenge in (" rare, common", "rare ,common,", "rare,common,rare"):
        spelt = replace(several, challenge=challenge)
        assert spelt == plain and (spelt.folder, spelt.key) == (plain.folder, plain.key)
    # the order decides nothing, and names what was made before
    assert replace(several, challenge="common,rare").folder != plain.folder
    header, *lines = several.metadata_path.read_text().splitlines()
    oil = [header + ',"Oil, canvas"', *(f"{line},{i % 2}" for i, line in enumerate(lines))]
    several.metadata_path.write_text("\n".join(oil) + "\n")
    assert replace(several, challenge="Oil, canvas").challenge == "Oil, canvas"  # one column
    released = Data("theirs", "rare, common", tmp_path)
    assert released.folder.name == "rare, common"  # six files lie where they lie


def test_several_labels_that_cannot_be(several, tmp_path):
    with pytest.raises(InputError, match="no column 'lake'"):
        replace(several, challenge="common,lake")
    with pytest.raises(InputError, match=r"1 of 3 have 20 pictures or more \(early: 10 of 20"):
        replace(several, min_pictures=20).open()
    (tmp_path / "jpg" / "a").mkdir()
    for challenge in ("all", "common,rare"):
        with pytest.raises(InputError, match="a folder is one label"):
            replace(several, challenge=challenge, metadata_path=None, split=None)
    with pytest.raises(InputError, match="accepted here: one column"):
        several.choose(tmp_path / "report.csv")
    assert several.several and not replace(several, challenge="common").several
    text = several.metadata_path.read_text().replace("007,t3,0,", "007,t3,,")
    several.metadata_path.write_text(text)
    store = several.open()
    assert sum(map(len, store.labels.values())) == 59
    report = (store.folder / "report.csv").read_text("utf-8-sig")
    assert "label not filled in,007,,rare," in report and "picture without row" not in report
    several.metadata_path.write_text(text.replace("008,t4,0,", "008,t4,3,"))
    with pytest.raises(
        InputError, match="line 10, id '008': column 'common' holds|'rare' holds '3'"
    ):
        replace(several, challenge="rare,common").open()
