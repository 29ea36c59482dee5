"""Joining rows and pictures by id, never by position, and the report of what does not fit."""

import csv
import io
import os
import unicodedata
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from models.errors import InputError
from transfer import metadata, splits
from transfer.metadata import Finding, Row


def jpeg(seed):
    pixels = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG")
    return buffer.getvalue()


@pytest.fixture
def folder(write_file, tmp_path):
    """Return folder(*names): a folder of different JPEG pictures under these names."""

    def folder(*names):
        for seed, name in enumerate(names):
            write_file(jpeg(seed), f"pictures/{name}")
        return tmp_path / "pictures"

    return folder


def rows(*ids):
    return [Row(name, f"label {i}", None) for i, name in enumerate(ids)]


NFD = unicodedata.normalize("NFD", "Naïve/Boë.jpg")


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("0000001_SK-A-4878", "0000001_SK-A-4878.jpg"),
        ("SK-A-4878.1", "SK-A-4878.1.jpg"),
        ("SK-A-4878.1", "deep/er/SK-A-4878.1.TIFF"),
        ("a.JPG", "a.jpg"),
        ("a.tif", "a.jpeg"),
        ("train/a", "train/a.png"),
        ("./train/a.png", "train/a.PNG"),
        ("Boë", NFD),
        (unicodedata.normalize("NFC", NFD), NFD),
        (NFD, unicodedata.normalize("NFC", NFD)),
        ("a 'b' \"c\"\nd", "a 'b' \"c\"\nd.jpg"),
    ],
)
def test_an_id_finds_its_picture(folder, name, path):
    found, findings = metadata.join(rows(name), folder("other.jpg", path))
    assert [(p.id, p.label, p.path) for p in found] == [(name, "label 0", path)]
    assert findings == [Finding("picture without row", "", "other.jpg", "")]


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("SK-A-4878", "SK-A-4878.1.jpg"),
        ("test/a", "train/a.jpg"),
        ("train/a", "a.jpg"),
        ("a", "A.jpg"),
    ],
)
def test_an_id_finds_no_other_picture(folder, name, path):
    message = f"an id is {name!r}, a picture {path!r}"
    with pytest.raises(InputError) as raised:
        metadata.join(rows(name), folder(path))
    assert str(raised.value).endswith(message)


def test_a_missing_picture_shifts_no_label(folder):
    ids = ["a", "b", "c", "d"]
    found, findings = metadata.join(rows(*ids)[::-1], folder("d.jpg", "a.jpg", "c.jpg"))
    assert [(p.id, p.label, p.path) for p in found] == [
        ("a", "label 0", "a.jpg"),
        ("c", "label 2", "c.jpg"),
        ("d", "label 3", "d.jpg"),
    ]
    assert findings == [Finding("row without picture", "b", "", "")]


def test_several_pictures_of_one_id(folder, write_file):
    where = folder("a.jpg", "x/a.png", "b.jpg", "c.jpg", "c.png")
    write_file((where / "b.jpg").read_bytes(), "pictures/x/b.jpg")
    found, findings = metadata.join(rows("a", "b", "c.jpg"), where)
    assert [(p.id, p.path) for p in found] == [("b", "b.jpg"), ("c.jpg", "c.jpg")]
    assert findings == [
        Finding("several pictures", "a", "", "a.jpg; x/a.png"),
        Finding("byte-identical pictures", "b", "x/b.jpg", "same bytes as b.jpg"),
        Finding("picture without row", "", "c.png", ""),
    ]


def test_unreadable_and_identical_pictures_are_reported(folder, write_file):
    where = folder("a.jpg", "b.jpg")
    write_file(b"", "pictures/c.jpg")
    write_file((where / "a.jpg").read_bytes(), "pictures/d.jpg")
    said = []
    found, findings = metadata.join(
        rows("a", "b", "c", "d"), where, lambda done, total: said.append((done, total))
    )
    assert [p.id for p in found] == ["a", "b", "d"]
    assert found[0].sha256 == found[2].sha256 != found[1].sha256
    assert findings == [
        Finding("unreadable picture", "c", "c.jpg", "zero bytes"),
        Finding("byte-identical pictures", "d", "d.jpg", "same bytes as a.jpg, which is label 0"),
    ]
    assert said[-1] == (4, 4)


def test_two_ids_of_one_picture_must_agree(folder):
    where = folder("a.jpg")
    same = [Row("a", "x", None), Row("a.jpg", "x", None)]
    found, findings = metadata.join(same, where)
    assert [p.id for p in found] == ["a"]
    assert findings == [Finding("duplicate id", "a.jpg", "", "x")]
    with pytest.raises(InputError, match=r"'a' \(x \| y\)"):
        metadata.join([same[0], Row("a.jpg", "y", None)], where)


def test_pictures_of_rows_left_out_on_purpose_are_no_finding(folder):
    _, findings = metadata.join(rows("a"), folder("a.jpg", "b.jpg", "c.jpg"), left_out=["b"])
    assert findings == [Finding("picture without row", "", "c.jpg", "")]


def test_when_no_matched_picture_is_readable_the_reason_is_told(folder, write_file):
    write_file(b"", "pictures/a.jpg")
    with pytest.raises(InputError, match="no row has one readable picture .*zero bytes"):
        metadata.join(rows("a"), folder("b.jpg"))


def test_names_that_are_not_utf_8_are_reported_and_can_be_written(folder, tmp_path):
    where = folder("a.jpg")
    try:
        (where / os.fsdecode(b"Bo\xebtius.jpg")).write_bytes(jpeg(9))
    except OSError:
        pytest.skip("this file system holds UTF-8 names only")
    _, findings = metadata.join(rows("a"), where)
    assert [finding.kind for finding in findings] == ["unreadable picture"]
    metadata.write_report(findings, tmp_path / "report.csv")
    assert "Bo\\udcebtius.jpg" in (tmp_path / "report.csv").read_text("utf-8")


# ---- report


@given(st.lists(st.builds(Finding, *[st.text(st.characters(exclude_categories=["Cs"]))] * 4)))
def test_the_report_holds_every_finding_sorted(tmp_path_factory, findings):
    path = tmp_path_factory.getbasetemp() / "report.csv"
    metadata.write_report(findings, path)
    with open(path, newline="", encoding="utf-8") as file:
        header, *lines = csv.reader(file)
    assert header == ["kind", "id", "picture", "detail"]
    assert [Finding(*line) for line in lines] == sorted(findings)


def test_a_report_is_whole_or_absent(tmp_path):
    path = tmp_path / "report.csv"
    metadata.write_report([Finding("a", "", "", "")], path)
    before = path.read_bytes()

    def interrupted():
        yield ("b", "", "", "")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        metadata.delimited.write(path, Finding._fields, interrupted())
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["report.csv"]
    with pytest.raises(OSError):
        metadata.write_report([], tmp_path / "missing" / "report.csv")


def test_summary_counts_each_kind_on_one_line():
    kinds = ["row without picture", "label dropped", "row without picture"]
    assert metadata.summary([Finding(k, "", "", "") for k in kinds]) == (
        "1 label dropped, 2 row without picture"
    )
    assert metadata.summary([]) == "no findings"


def test_rasta_joins_completely_and_keeps_its_own_splits(shared):
    where = shared / "data" / "rasta_small"
    found, first = metadata.read(where / "metadata.csv", "style", "path", "split")
    joined, second = metadata.join(found, where)
    assert first + second == [] and len(joined) == 748
    assert all(p.path == p.id and p.path.split("/")[:2] == [p.split, p.label] for p in joined)
    rows_split, findings = splits.assign(joined, "column")
    assert findings == [] and len({row.label for row in rows_split}) == 25
    assert Counter(row.split for row in rows_split) == {"train": 249, "val": 250, "test": 249}
