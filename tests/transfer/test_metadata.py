"""Metadata as museums write it: cleaned labels, every way a CSV file can be faulty, the join.

Rows and pictures are joined by id, never by position, and what does not fit is reported.
"""

import ast
import csv
import io
import os
import unicodedata
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from models.errors import InputError
from transfer import metadata, splits
from transfer.result_folder import read_csv


class Row(NamedTuple):
    id: str
    label: str
    split: str = ""
    group: str = ""


class Finding(NamedTuple):
    kind: str
    id: str
    picture: str
    detail: str


def listed(table, kind):
    """The rows of a DataFrame as tuples of a kind, every value text."""
    assert list(table.columns) == list(kind._fields) and set(table.dtypes) <= {np.dtype(object)}
    values = [kind(*row) for row in table.itertuples(index=False)]
    assert all(type(value) is str for row in values for value in row)
    return values


def tabled(rows, kind=Row):
    return pandas.DataFrame(rows, columns=kind._fields, dtype=object)


def read(*arguments, **options):
    made = metadata.read(*arguments, **options)
    assert list(made.candidates.index) == list(made.rows["id"])
    return listed(made.rows, Row), listed(made.findings, Finding)


def join(rows, *arguments, **options):
    class Picture(NamedTuple):
        id: str
        label: str
        split: str
        group: str
        path: str
        sha256: str

    found, findings = metadata.join(tabled(rows), *arguments, **options)
    return listed(found, Picture), listed(findings, Finding)


# The paper's layout: an unnamed index column, leading spaces, quotes, commas, written-out bytes.
PAPER = r""",ImageId,dc_creator,dc_materiaal,dc_type
0,0000001_SK-A-4878," Rijn, Rembrandt ""Harmensz."" van", papier, prent
1,0000002_SK-A-4878.1, anoniem, papier,tekening
2,0000003_RP-P-1," Bo\xc3\xabtius Bolswert",,prent
3,0000004_RP-P-2,,"hout
 en inkt",prent
"""


@pytest.fixture
def table(tmp_path):
    """Return table(text): a CSV file holding it, byte for byte in UTF-8."""

    def table(text, encoding="utf-8"):
        path = tmp_path / "metadata.csv"
        path.write_bytes(text.encode(encoding))
        return path

    return table


# ---- labels


@pytest.mark.parametrize(
    ("text", "label"),
    [
        (" anoniem", "anoniem"),
        (r" Bo\xc3\xabtius Bolswert", "Boëtius Bolswert"),
        (r"\xE2\x82\xAC \xf0\x9f\x8e\xa8", "€ 🎨"),
        (r"\xc3 \xff \xed\xa0\x80 \xc3", r"\xc3 \xff \xed\xa0\x80 \xc3"),
        (r"\xc3\xc3\xab\xab", r"\xc3ë\xab"),
        ("hout\r\n  en\tinkt ", "hout en inkt"),
        (unicodedata.normalize("NFD", "Boëtius"), "Boëtius"),
        (r"C:\xylo", r"C:\xylo"),
    ],
)
def test_clean_label(text, label):
    assert metadata.clean_label(text) == label


PLAIN = st.characters(exclude_categories=["Cs"], exclude_characters="\\")


@given(st.text(PLAIN))
def test_written_out_bytes_clean_to_the_text_they_stand_for(text):
    written = "".join(
        c if c.isascii() else "".join(f"\\x{byte:02x}" for byte in c.encode()) for c in text
    )
    cleaned = metadata.clean_label(written)
    shown = "".join(c for c in text if c.isspace() or unicodedata.category(c) != "Cc")
    assert cleaned == unicodedata.normalize("NFC", " ".join(shown.split()))
    assert metadata.clean_label(cleaned) == cleaned


# ---- reading

SEVERAL = """ImageId,part,unknown,lake,tree,place,art_transfer_toy
1,train,0,1,1,A,1
2,test,0,0,0,A,1
3,train,1,TRUE,0,B,1
4,train,,0,,A,1
5,train,1,?,0,C,1
"""


def test_several_labels_are_sets_and_none_is_one_too(table):
    path = table(SEVERAL.replace("?", "0"))
    found = metadata.read(path, "all", split_column="part")
    assert found.classes == ["lake", "tree", "unknown"] and found.toy
    assert listed(found.rows, Row) == [
        Row("1", "lake | tree", "train"),
        Row("2", "(none)", "test"),
        Row("3", "lake | unknown", "train"),
        Row("5", "unknown", "train"),  # a word that is no name of an artist may be a label
    ]
    assert listed(found.findings, Finding) == [
        Finding("label not filled in", "4", "", "tree, unknown")
    ]
    assert metadata.has_several_labels(path, "all")
    assert metadata.has_several_labels(path, "tree,lake")
    assert not metadata.has_several_labels(path, "tree")
    one = metadata.read(path, "tree")
    assert one.classes is None and set(one.rows["label"]) == {"0", "1"}


def test_a_value_that_is_no_label_is_refused_where_its_row_is_asked_for(table):
    path = table(SEVERAL)
    with pytest.raises(InputError, match="line 6, id '5': column 'lake' holds '\\?'"):
        metadata.read(path, "lake,tree")
    found = metadata.read(path, "tree,lake", where=[("place", "A"), ("place", "B")])
    assert found.classes == ["lake", "tree"]
    assert [row.id for row in listed(found.rows, Row)] == ["1", "2", "3"]
    every = metadata.read(path, "all", where=[("place", "A")])
    assert every.classes == ["lake", "tree"]  # unknown is 0 in all rows that are asked for


def test_columns_of_labels_that_are_not_there(table):
    path = table(SEVERAL)
    for function in (metadata.check, metadata.read):
        with pytest.raises(InputError, match="no column 'leke'; it has lake"):
            function(path, "tree,leke")
    doubled = table("ImageId,a,a,b\n1,0,1,1\n2,1,0,0\n")
    with pytest.raises(InputError, match="2 columns named 'a'"):
        metadata.read(doubled, "all")
    whole = table("ImageId,all\n1,x\n2,y\n")
    assert metadata.read(whole, "all").classes is None


def test_labels_that_are_always_the_same_and_sets_that_no_reader_confuses(table):
    found = metadata.read(table("ImageId,Tree,tree,sun\n1,0,1,1\n2,1,0,1\n"), "all")
    assert found.classes == ["Tree", "tree"]
    assert listed(found.findings, Finding) == [
        Finding("label always the same", "", "", "sun"),
        Finding("labels that look alike", "", "", "Tree (1) | tree (1)"),
    ]


@pytest.mark.parametrize(
    ("challenge", "labels", "dropped"),
    [
        ("artist", ['Rijn, Rembrandt "Harmensz." van', "Boëtius Bolswert"], 2),
        ("material", ["papier", "papier", "hout en inkt"], 1),
        ("type", ["prent", "tekening", "prent", "prent"], 0),
        ("dc_type", ["prent", "tekening", "prent", "prent"], 0),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_the_papers_file_is_read(table, challenge, labels, dropped, encoding, line_end):
    path = table(PAPER.replace("\n", line_end), encoding)
    found, findings = read(path, challenge)
    assert [row.label for row in found] == labels
    assert [finding.kind for finding in findings] == ["label dropped"] * dropped
    assert {row.split for row in found} == {""}


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_delimiter_is_recognised_from_the_header(table, delimiter):
    text = io.StringIO()
    lines = [["ImageId", "note, or; so", "artist", "split"], [" 1 ", "x,y;z\tw", "A,;B", " Train "]]
    csv.writer(text, delimiter=delimiter).writerows(lines)
    found, _ = read(table(text.getvalue()), "artist", split_column="split")
    assert found == [Row("1", "A,;B", "Train")]


def test_a_byte_order_mark_is_no_part_of_the_first_column(table):
    assert read(table("ImageId,a\n1,x\n", "utf-8-sig"), "a")[0] == [Row("1", "x")]


def test_a_column_named_like_a_challenge_wins_over_the_papers_column():
    assert metadata.label_column("artist") == "dc_creator"
    assert metadata.label_column("artist", ["artist", "dc_creator"]) == "artist"
    assert metadata.label_column("style", ["dc_creator"]) == "style"


def test_dropped_labels_can_be_chosen_and_empty_ones_always_go(table):
    path = table("ImageId,a\n1,Onbekend\n2,ANONIEM\n3,\n4,copy\n,x\n\n,\n")
    assert read(path, "a")[0] == [Row("4", "copy")]
    found, findings = read(path, "a", drop_labels=("Copy",))
    assert [row.id for row in found] == ["1", "2"]
    assert sorted(findings) == [
        Finding("label dropped", "3", "", ""),
        Finding("label dropped", "4", "", "copy"),
        Finding("row without id", "", "", "line 6"),
    ]


def test_doubled_rows_are_kept_once_and_contradicting_ones_refused(table):
    path = table("ImageId,a\n1,x\n2,y\n1, x \n")
    found, findings = read(path, "a")
    assert found == [Row("1", "x"), Row("2", "y")]
    assert findings == [Finding("duplicate id", "1", "", "line 4, x; line 2 is used")]
    lines = "".join(f"{i},x\n{i},y\n" for i in range(7))
    with pytest.raises(InputError, match=r"7 ids .*'0' \(x \| y\).*'4' \(x \| y\)$"):
        read(table("ImageId,a\n" + lines), "a")
    torn = table("ImageId,a,s\n1,x,train\n1,x,test\n")
    with pytest.raises(InputError, match=r"'1' \(x in test \| x in train\)"):
        read(torn, "a", split_column="s")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        (" \r\n\r\n", "is empty"),
        ("imageid,b,artist\n1,2,3\n", "no column 'ImageId'; it has imageid, "),
        (",ImageId,dc_creater\n0,1,2\n", "no column 'dc_creator'; it has dc_creater, .*unnamed"),
        ("ImageId,artist,artist\n1,2,3\n", "2 columns named 'artist'"),
        ("ImageId,artist\n1,a\n2,b,c\n", "line 3: 3 fields, but the header has 2"),
        ('ImageId,artist\n1,"a\nb"\n2\n', "line 4: 1 fields"),
        ('ImageId,artist\n1,a\n2,"b\n3,c\n', "row at line 3 is not CSV"),
        ("ImageId,artist\n1,anoniem\n2,\n", "no row .*'artist' .label dropped: 2"),
        ("ImageId,artist\n", "no row with an id and a label"),
    ],
)
def test_a_faulty_file_is_refused_in_one_line(table, text, message):
    with pytest.raises(InputError, match=message) as raised:
        read(table(text), "artist")
    assert "\n" not in str(raised.value) and "metadata.csv" in str(raised.value)


def test_a_file_that_is_missing_or_not_utf_8_is_refused(table, tmp_path):
    with pytest.raises(InputError, match="nowhere.csv does not exist"):
        read(tmp_path / "nowhere.csv", "artist")
    with pytest.raises(InputError, match="line 3: not UTF-8; save the file as UTF-8"):
        read(table("ImageId,artist\n1,a\n2,é\n", "latin-1"), "artist")
    with pytest.raises(InputError, match="no column 'fold'"):
        read(table("ImageId,artist\n1,a\n"), "artist", split_column="fold")


def test_numbers_and_words_for_nothing_stay_text(table):
    words = ["007", "NA", "nan", "None", "null", "1e5", "True", "-"]
    path = table("ImageId,a\n" + "".join(f"{word},{word}\n" for word in words))
    assert read(path, "a") == ([Row(word, word) for word in words], [])
    lines = metadata.read_csv(path, ("a",))
    assert lines["a"].tolist() == words and lines.index.tolist() == list(range(2, 10))


@pytest.mark.parametrize(
    ("header", "values", "toy"),
    [
        ("art_transfer_toy", "11", True),
        (" art_transfer_toy ", ["1", " 1"], True),
        ("art_transfer_toy", "10", False),
        ("art_transfer_toy", ["1", ""], False),
        ("toy", "11", False),
    ],
)
def test_a_collection_says_itself_that_it_is_a_toy(table, header, values, toy):
    lines = [f"{i}_TOY-A,x,{value}\n" for i, value in enumerate(values)]
    assert metadata.read(table(f"ImageId,a,{header}\n" + "".join(lines)), "a")[2] is toy


# ---- rows that are asked for, groups, labels that look alike

WHERE = """ImageId,type,collection,era,title
1,bell,A,周,x
2,bell,B,周,x
3,sword,A,汉,Anoniem
4,sword,B, 汉 ,
5,bell,C,汉,y
"""


@pytest.mark.parametrize(
    ("where", "ids"),
    [
        ([("collection", "A")], "13"),
        ([("collection", "A"), ("collection", " C ")], "135"),
        ([("collection", "B"), ("era", "汉")], "4"),
        ([("era", "汉")], "345"),
        ([("title", "")], "4"),
        ([], "12345"),
    ],
)
def test_where_chooses_rows(table, where, ids):
    path = table(WHERE)
    metadata.check(path, "type", where=where)
    found, findings = read(path, "type", where=where)
    assert [row.id for row in found] == list(ids)
    assert [f.id for f in findings if f.kind == "row not selected"] == [
        i for i in "12345" if i not in ids
    ]


@pytest.mark.parametrize(
    ("where", "message"),
    [
        (
            [("collection", "a")],
            r"where collection=a; .* 'collection' holds 'A' \(2\), 'B' \(2\), 'C'",
        ),
        (
            [("collection", "C"), ("era", "周")],
            "where collection=C and era=周; column 'era' of the rows that fit so far holds '汉' ",
        ),
        ([("collector", "A")], "no column 'collector'; it has collection"),
    ],
)
def test_where_that_matches_nothing_lists_the_values(table, where, message):
    path = table(WHERE)
    for look in (metadata.check, metadata.read):
        with pytest.raises(InputError, match=message):
            look(path, "type", where=where)


def test_of_many_values_the_commonest_ten_are_listed(table):
    path = table("ImageId,type,n\n" + "".join(f"{i},x,{min(i, 14)}\n" for i in range(20)))
    with pytest.raises(InputError, match=r"holds '14' \(6\), .* and 5 more values$") as raised:
        metadata.check(path, "type", where=[("n", "99")])
    assert str(raised.value).count("(") == 10


@given(
    st.lists(
        st.tuples(st.sampled_from("xy"), st.sampled_from("abc"), st.sampled_from("pq")), min_size=1
    ),
    st.lists(st.tuples(st.sampled_from(["one", "two"]), st.sampled_from("abcpq")), max_size=4),
)
def test_the_rows_chosen_are_those_that_hold_all(tmp_path_factory, lines, where):
    path = tmp_path_factory.getbasetemp() / "where.csv"
    text = "".join(f"{i},{','.join(line)}\n" for i, line in enumerate(lines))
    path.write_text("ImageId,label,one,two\n" + text)
    asked = {column: {v for c, v in where if c == column} for column, _ in where}
    fits = [
        str(i)
        for i, (_, one, two) in enumerate(lines)
        if one in asked.get("one", {one}) and two in asked.get("two", {two})
    ]
    if not fits:
        with pytest.raises(InputError, match="no row where"):
            metadata.read(path, "label", where=where)
        return
    assert metadata.read(path, "label", where=where).rows["id"].tolist() == fits


def test_a_group_column_is_read_and_others_are_candidates(table):
    path = table(WHERE.replace("era", "Artist"))
    found = metadata.read(path, "type", group_column="title")
    assert found.rows["group"].tolist() == ["x", "x", "", "", "y"]  # Anoniem names nobody
    assert list(found.candidates.columns) == ["Artist"]
    asked = metadata.read(path, "type", where=[("collection", "A")])
    assert asked.candidates.to_dict("index") == {
        "1": {"Artist": "周", "title": "x"},
        "3": {"Artist": "汉", "title": ""},
    }
    assert list(metadata.read(path, "title").candidates.columns) == ["Artist"]
    with pytest.raises(InputError, match="no column 'titel'; it has title"):
        metadata.check(path, "type", group_column="titel")
    # a column that repeats the labels is no group: every picture would share it
    again = table("ImageId,maker,artist\n1,Maes, Maes \n2,Steen,Steen\n3,anoniem,\n")
    assert list(metadata.read(again, "maker").candidates.columns) == []


def test_labels_that_look_alike_are_named_with_their_counts(table):
    texts = ["Oil", "oil", "oil", "Oil\u200b", "Ink", "é", "e\u0301", "Ｉnk", "bell"]
    path = table("ImageId,a\n" + "".join(f"{i},{text}\n" for i, text in enumerate(texts)))
    _, findings = read(path, "a")
    assert [f.detail for f in findings if f.kind == "labels that look alike"] == [
        "Ink (1) | Ｉnk (1)",
        "Oil (1) | Oil\\u200b (1) | oil (2)",
    ]


@pytest.mark.parametrize(
    ("labels", "alike"),
    [
        (["Boëtius", "Boetius", "boétius"], ["Boetius (1) | Boëtius (1) | boétius (1)"]),
        (["Εύα", "Ευα"], ["Ευα (1) | Εύα (1)"]),
        (["かき", "かぎ"], []),  # the voicing mark makes another letter: oyster, key
        (["किला", "कला"], []),  # a vowel
    ],
)
def test_labels_that_differ_in_accents_are_named(table, labels, alike):
    path = table("ImageId,a\n" + "".join(f"{i},{text}\n" for i, text in enumerate(labels)))
    _, findings = read(path, "a")
    assert [f.detail for f in findings] == alike


# ---- files that are unusual


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "utf-8"])
@pytest.mark.parametrize("delimiter", ["\t", ";", "|", ","])
def test_what_spreadsheets_write_is_opened(table, encoding, delimiter):
    text = "ImageId,器类\r\n1,鼎\r\n".replace(",", delimiter)
    assert read(table(text, encoding), "器类")[0] == [Row("1", "鼎")]


@pytest.mark.parametrize("declared", ["sep=;\r\n", '"sep=;"\r\n', "SEP=;\n"])
def test_excels_line_that_declares_the_separator(table, declared):
    path = table(declared + "a,b,c;ImageId\nx;1\ny;2;3\n")
    with pytest.raises(InputError, match="line 4: 3 fields"):
        read(path, "a,b,c")
    assert read(table(declared + "a,b,c;ImageId\nx;1\n"), "a,b,c")[0] == [Row("1", "x")]


def test_marks_are_told_from_encodings_without_one(table):
    with pytest.raises(InputError, match="UTF-16 or UTF-32 without a byte order mark"):
        read(table("ImageId,a\n1,x\n", "utf-16-le"), "a")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ImageId^artist\n1^a\n", "it has ImageId^artist; columns are separated by , ; | or a tab"),
        ("ImageId,artist\n1,Rijn, Rembrandt\n", "that holds ',' stands in double quotes"),
        (
            'ImageId,artist\n1,"a \\"b\\" c"\n',
            "double quote within a quoted field is written twice",
        ),
    ],
)
def test_unusual_separators_and_quotes_are_told_what_to_do(table, text, message):
    with pytest.raises(InputError) as raised:
        read(table(text), "artist")
    assert message in str(raised.value)


def test_a_column_that_is_not_used_may_hold_any_length(table):
    limit = csv.field_size_limit()
    path = table(f"ImageId,text,a\n1,{'w' * (limit + 1)},x\n")
    metadata.check(path, "a")
    assert read(path, "a")[0] == [Row("1", "x")] and csv.field_size_limit() == limit


def test_no_control_character_stays_in_labels_and_ids(table):
    path = table("ImageId,a\n1,x\0y\n2\x07,x\x0by\n3,\\xc2\\x80z\n4,w\n")
    found, findings = read(path, "a")
    assert found == [Row("1", "xy"), Row("2", "x y"), Row("3", "z"), Row("4", "w")]
    assert findings == [Finding("control characters", i, "", "") for i in "123"]


def test_what_a_spreadsheet_would_compute_is_read_as_written(table):
    path = table("ImageId,a\n'=1+1,'+x\n''-2,'s-Gravenhage\n'@3,'@SUM\n4,''\n")
    found, _ = read(path, "a")
    assert found == [
        Row("=1+1", "+x"),
        Row("'-2", "'s-Gravenhage"),
        Row("@3", "@SUM"),
        Row("4", "''"),
    ]


def test_columns_are_checked_without_reading_the_file(table):
    """What is wrong further down is for read() to tell; the header answers at once."""
    path = table("ImageId,artist,fold\n" + "1,a,train\n" * 200_000 + "broken\n")
    metadata.check(path, "artist", split_column="fold")
    for wrong in ({"id_column": "Id"}, {"split_column": "part"}, {"group_column": "object"}):
        with pytest.raises(InputError, match="no column .*; it has "):
            metadata.check(path, "artist", **wrong)
    with pytest.raises(InputError, match="no column 'dc_type'"):
        metadata.check(path, "type")


# ---- joining


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
    return [Row(name, f"label {i}") for i, name in enumerate(ids)]


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
    found, findings = join(rows(name), folder("other.jpg", path))
    assert [(p.id, p.label, p.path) for p in found] == [(name, "label 0", path)]
    assert findings == [Finding("picture without row", "", "other.jpg", "")]


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("SK-A-4878", "SK-A-4878.1.jpg"),
        ("test/a", "train/a.jpg"),
        ("train/a", "a.jpg"),
    ],
)
def test_an_id_finds_no_other_picture(folder, name, path):
    message = f"an id is {name!r}, a picture {path!r}"
    with pytest.raises(InputError) as raised:
        join(rows(name), folder(path))
    assert str(raised.value).endswith(message)


def test_a_missing_picture_shifts_no_label(folder):
    ids = ["a", "b", "c", "d"]
    found, findings = join(rows(*ids)[::-1], folder("d.jpg", "a.jpg", "c.jpg"))
    assert [(p.id, p.label, p.path) for p in found] == [
        ("a", "label 0", "a.jpg"),
        ("c", "label 2", "c.jpg"),
        ("d", "label 3", "d.jpg"),
    ]
    assert findings == [Finding("row without picture", "b", "", "")]


def test_of_several_pictures_of_one_id_the_largest_is_taken(folder, write_file):
    """A master and its thumbnail in two folders; copies; one that another row has for its own."""
    where = folder("a.jpg", "b.jpg", "c.jpg", "c.png", "d.jpg", "thumbs/a.jpg", "x/d.jpg")
    write_file((where / "b.jpg").read_bytes(), "pictures/x/b.jpg")
    write_file((where / "thumbs/a.jpg").read_bytes() + bytes(100), "pictures/thumbs/a.jpg")
    write_file((where / "x/d.jpg").read_bytes() + bytes(100), "pictures/x/d.jpg")
    found, findings = join(rows("a", "b", "c.jpg", "d", "x/d"), where)
    assert [(p.id, p.path) for p in found] == [
        ("a", "thumbs/a.jpg"),
        ("b", "b.jpg"),
        ("c.jpg", "c.jpg"),
        ("d", "d.jpg"),
        ("x/d", "x/d.jpg"),
    ]
    small, large = (where / "a.jpg").stat().st_size, (where / "thumbs/a.jpg").stat().st_size
    told = f"thumbs/a.jpg is used: {large} bytes, this one {small}"
    assert Finding("several pictures", "a", "a.jpg", told) in findings
    copy = Finding("byte-identical pictures", "b", "x/b.jpg", "same bytes as b.jpg, which is used")
    assert copy in findings
    assert Finding("picture without row", "", "c.png", "") in findings
    assert Counter(f.kind for f in findings) == {
        "several pictures": 2,
        "byte-identical pictures": 1,
        "picture without row": 1,
    }


@given(st.sets(st.text(max_size=3), min_size=1), st.integers(1, 12), st.randoms())
def test_a_sample_depends_on_ids_alone_and_lies_in_larger_ones(ids, count, random):
    ids = sorted(ids)
    joined = pandas.DataFrame({"id": ids, "path": [f"{id}.jpg" for id in ids]}, dtype=object)
    part, findings = metadata.draw_sample(joined, count)
    larger, _ = metadata.draw_sample(joined, count + 1)
    assert set(part["id"]) <= set(larger["id"]) and len(part) == min(count, len(ids))
    assert list(part["id"]) == [id for id in ids if id in set(part["id"])]
    left = findings[findings["kind"] == "picture not in the sample"]
    assert {*part["id"], *left["id"]} == set(ids) and len(left) == len(ids) - len(part)
    few = findings[findings["kind"] == "fewer pictures than the sample"]
    assert list(few["detail"]) == [f"{len(ids)} of {count}"] * (len(ids) < count)
    random.shuffle(ids)
    again, _ = metadata.draw_sample(joined.set_index("id").loc[ids].reset_index(), count)
    assert set(again["id"]) == set(part["id"])


def test_pictures_glob_chooses_among_pictures_of_one_stem(folder):
    where = folder("a00.jpg", "a00.JPG", "thumbs/a00.jpg")
    for glob in ("a00.jpg", "*.JPG", "thumbs/*"):
        found, findings = join(rows("a00"), where, pictures_glob=glob)
        assert [p.path for p in found] == [
            {"*.JPG": "a00.JPG", "thumbs/*": "thumbs/a00.jpg"}.get(glob, glob)
        ]
        assert [f.kind for f in findings] == ["picture not chosen"] * 2
    with pytest.raises(InputError, match="'.*tif', which fits none of the 3"):
        join(rows("a00"), where, pictures_glob="*.tif")


@pytest.mark.parametrize(
    ("name", "path", "told"),
    [
        ("A", "a.jpg", True),
        ("SK-A-1.TIF", "sk-a-1.jpg", True),
        ("Train\\A.jpg", "train/a.JPG", True),
        ("train\\a.jpg", "train/a.jpg", False),
        (".\\train\\a", "train/a.jpg", False),
        ("a.heic", "a.jpg", False),
    ],
)
def test_backslashes_and_capitals_find_a_picture_that_nothing_names_better(
    folder, name, path, told
):
    found, findings = join(rows(name), folder("other.jpg", path))
    assert [(p.id, p.path) for p in found] == [(name, path)]
    kinds = ["id in other letters"] * told + ["picture without row"]
    assert [f.kind for f in findings] == kinds


def test_another_rows_picture_is_not_taken_for_other_letters(folder):
    found, findings = join(rows("a1", "A1", "b1", "B1"), folder("a1.jpg", "A1.jpg", "b1.jpg"))
    assert [(p.id, p.path) for p in found] == [
        ("A1", "A1.jpg"),
        ("a1", "a1.jpg"),
        ("b1", "b1.jpg"),
    ]
    assert findings == [Finding("row without picture", "B1", "", "")]


NAMES = st.lists(
    st.builds(
        "{}{}.{}".format,
        st.sampled_from(["", "x/", "X/"]),
        st.text("abAB", min_size=1, max_size=2),
        st.sampled_from(["jpg", "JPG", "png"]),
    ),
    min_size=1,
    max_size=6,
    unique=True,
)


@given(NAMES, st.data())
def test_a_row_with_a_pictures_own_path_gets_that_picture(names, data):
    ids = data.draw(st.lists(st.sampled_from(names), min_size=1, unique=True))
    table = tabled(rows(*ids))
    found = metadata._candidates(table, metadata._ways(names))
    full = [name for name in ids if "/" in name]
    assert {(i, p) for i, p in zip(found["id"], found["path"], strict=True) if i in full} == {
        (name, name) for name in full
    }
    assert set(ids) == set(found["id"])


def test_formats_that_cannot_be_read_are_named_as_such(folder, write_file):
    where = folder("a.jpg")
    for name in ("b.avif", "c.HEIC", "d.svg"):
        write_file(b"x", f"pictures/{name}")
    write_file(b"\0\0\0\x20ftypavif....", "pictures/e.jpg")
    _, findings = join(rows("a", "b", "c", "e", "f"), where)
    kind = "picture format that cannot be read"
    assert findings == [
        Finding(kind, "b", "b.avif", ".avif"),
        Finding(kind, "c", "c.HEIC", ".heic"),
        Finding(kind, "", "d.svg", ".svg"),
        Finding("row without picture", "f", "", ""),
        Finding("unreadable picture", "e", "e.jpg", findings[4].detail),
    ]
    assert findings[4].detail.startswith("AVIF, a format that cannot be read")
    (where / "a.jpg").unlink(), (where / "e.jpg").unlink()
    with pytest.raises(InputError, match=r"files that cannot be read: .avif \(1\), .heic \(1\)"):
        join(rows("a"), where)


def test_without_any_picture_the_findings_come_with_the_error(folder):
    with pytest.raises(metadata.UnjoinedError, match="no row has a picture") as raised:
        join(rows("b", "c"), folder("a.jpg"))
    assert listed(raised.value.findings, Finding) == [
        Finding("row without picture", "b", "", ""),
        Finding("row without picture", "c", "", ""),
    ]


def test_unreadable_and_identical_pictures_are_reported(folder, write_file):
    where = folder("a.jpg", "b.jpg")
    write_file(b"", "pictures/c.jpg")
    write_file((where / "a.jpg").read_bytes(), "pictures/d.jpg")
    said = []
    found, findings = join(
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
    same = [Row("a", "x"), Row("a.jpg", "x")]
    found, findings = join(same, where)
    assert [p.id for p in found] == ["a"]
    assert findings == [Finding("duplicate id", "a.jpg", "a.jpg", "x; id a is used")]
    with pytest.raises(InputError, match=r"'a' \(x \| y\)"):
        join([same[0], Row("a.jpg", "y")], where)


def test_pictures_of_rows_left_out_on_purpose_are_no_finding(folder):
    _, findings = join(rows("a"), folder("a.jpg", "b.jpg", "c.jpg"), left_out=["b"])
    assert findings == [Finding("picture without row", "", "c.jpg", "")]


def test_when_no_matched_picture_is_readable_the_reason_is_told(folder, write_file):
    write_file(b"", "pictures/a.jpg")
    with pytest.raises(InputError, match="no row has one readable picture .*zero bytes"):
        join(rows("a"), folder("b.jpg"))


def test_names_that_are_not_utf_8_are_reported_and_can_be_written(folder, tmp_path):
    where = folder("a.jpg")
    try:
        (where / os.fsdecode(b"Bo\xebtius.jpg")).write_bytes(jpeg(9))
    except OSError:
        pytest.skip("this file system holds UTF-8 names only")
    _, findings = join(rows("a"), where)
    assert [finding.kind for finding in findings] == ["unreadable picture"]
    metadata.write_report(tabled(findings, Finding), tmp_path / "report.csv")
    assert "Bo\\udcebtius.jpg" in (tmp_path / "report.csv").read_text("utf-8")


# ---- report


PRINTABLE = st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\t\r\n"))


@given(st.lists(st.builds(Finding, *[PRINTABLE] * 4)))
def test_the_report_holds_every_finding_sorted(tmp_path_factory, findings):
    path = tmp_path_factory.getbasetemp() / "report.csv"
    metadata.write_report(tabled(findings, Finding), path)
    report = read_csv(path)
    assert list(report.columns) == [*Finding._fields, "meaning"]
    assert listed(report[[*Finding._fields]], Finding) == sorted(findings)


def test_a_report_is_whole_or_absent(tmp_path, monkeypatch):
    path = tmp_path / "report.csv"
    metadata.write_report(tabled([Finding("a", "", "", "")], Finding), path)
    before = path.read_bytes()
    assert before == b"\xef\xbb\xbfkind,id,picture,detail,meaning\r\na,,,,\r\n"

    def interrupted(number):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(os, "fsync", interrupted)  # when all is written but not yet renamed
        metadata.write_report(tabled([Finding("b", "", "", "")], Finding), path)
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["report.csv"]
    with pytest.raises(OSError):
        metadata.write_report(tabled([], Finding), tmp_path / "missing" / "report.csv")


def test_what_is_left_out_is_named_with_its_remedy():
    findings = metadata.gather(
        metadata.findings_of("row without picture", id=[f"{i:02}" for i in range(12)]),
        metadata.findings_of("row not selected", id=["x", "y"]),
        metadata.findings_of("class dropped", detail=["鼎: 2 pictures, none in val or test"]),
        metadata.findings_of("unreadable picture", ["a"], ["a.jpg"], "zero bytes"),
        metadata.findings_of("something else", detail=["new"]),
    )
    told = metadata.explain(findings)
    assert told[0].startswith("class dropped: 1. The class has no picture in a part of the split")
    assert "cetinic2018" in told[0] and told[1] == "    鼎: 2 pictures, none in val or test"
    at = next(i for i, line in enumerate(told) if line.startswith("row without picture: 12. No "))
    assert told[at + 1 : at + 12] == [
        *(f"    {i:02}" for i in range(10)),
        "    and 2 more, in report.csv",
    ]
    assert "row not selected: 2. The row is not one that where asks for." in told
    assert "    a, a.jpg: zero bytes" in told
    assert told[-2:] == [
        "unreadable picture: 1. The file cannot be read as one picture, for the reason given, and"
        " is not used. Replace it if it is damaged; if it is too large, animated or has several"
        " pages, save one picture of fewer pixels; if its name is not UTF-8, rename it.",
        "    a, a.jpg: zero bytes",
    ]
    assert "something else: 1." in told and not any("    x" in line for line in told)


def test_every_kind_of_finding_has_its_meaning():
    """Every text of our code that findings are made with: the first argument, or `kind`."""
    made = set()
    for path in Path(metadata.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name, value = None, None
            if isinstance(node, ast.Call) and node.args:
                name, value = ast.unparse(node.func).rpartition(".")[2], node.args[0]
            elif isinstance(node, ast.Assign):
                name, value = ast.unparse(node.targets[0]), node.value
            if name in ("findings_of", "kind") and isinstance(value, ast.Constant):
                made.add(value.value)
    assert len(made) > 15 and made <= metadata.KINDS.keys()
    for kind in metadata.KINDS.values():
        assert kind.meaning.endswith(".") and (not kind.remedy or kind.remedy.endswith("."))


def test_summary_counts_each_kind_on_one_line():
    kinds = ["row without picture", "label dropped", "row without picture"]
    assert metadata.summary(metadata.findings_of(kinds)) == (
        "label dropped: 1, row without picture: 2"
    )
    assert metadata.summary(tabled([], Finding)) == "no findings"


def test_rasta_joins_completely_and_keeps_its_own_splits(shared):
    where = shared / "data" / "rasta_small"
    found = metadata.read(where / "metadata.csv", "style", "path", "split")
    rows, first, toy, candidates, _ = found
    joined, second = metadata.join(rows, where)
    assert first.empty and second.empty and len(joined) == 748 and not toy
    assert list(candidates.columns) == ["artist", "title"]
    assert candidates.loc[joined["id"], "artist"].ne("").all()
    parts = [path.split("/")[:2] for path in joined["path"]]
    assert list(joined["path"]) == list(joined["id"])
    assert parts == joined[["split", "label"]].values.tolist()
    rows_split, findings = splits.assign(joined, "column")
    assert findings.empty and rows_split["label"].nunique() == 25
    assert Counter(rows_split["split"]) == {"train": 249, "val": 250, "test": 249}


def test_labels_of_picture_files_anywhere(tmp_path):
    """As join() finds pictures: by name, with or without extension and case, or end of the path."""
    ids = ["one.jpg", "TWO", "b/three.png", "four", "five", "five.tif"]
    rows = pandas.DataFrame(
        {"id": ids, "label": list("abcdef"), "split": "", "group": ""}, dtype=object
    )
    files = [tmp_path / name for name in ("x/one.jpg", "two.png", "a/b/three.png", "c/three.png")]
    files += [tmp_path / name for name in ("four.jpg", "d/four.png", "none.jpg", "five.tif")]
    found = metadata.labels_of(files, rows)
    assert [found[file] for file in files] == ["a", "b", "c", "", "d", "d", "", ""]
