"""Metadata as museums write it: cleaned labels, and every way a CSV file can be faulty."""

import csv
import io
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import InputError
from transfer import metadata
from transfer.metadata import Finding, Row

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
    assert cleaned == unicodedata.normalize("NFC", " ".join(text.split()))
    assert metadata.clean_label(cleaned) == cleaned


# ---- reading


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
    found, findings = metadata.read(path, challenge)
    assert [row.label for row in found] == labels
    assert [finding.kind for finding in findings] == ["label dropped"] * dropped
    assert {row.split for row in found} == {None}


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_delimiter_is_recognised_from_the_header(table, delimiter):
    text = io.StringIO()
    lines = [["ImageId", "note, or; so", "artist", "split"], [" 1 ", "x,y;z\tw", "A,;B", " Train "]]
    csv.writer(text, delimiter=delimiter).writerows(lines)
    found, _ = metadata.read(table(text.getvalue()), "artist", split_column="split")
    assert found == [Row("1", "A,;B", "Train")]


def test_a_byte_order_mark_is_no_part_of_the_first_column(table):
    assert metadata.read(table("ImageId,a\n1,x\n", "utf-8-sig"), "a")[0] == [Row("1", "x", None)]


def test_a_column_named_like_a_challenge_wins_over_the_papers_column():
    assert metadata.label_column("artist") == "dc_creator"
    assert metadata.label_column("artist", ["artist", "dc_creator"]) == "artist"
    assert metadata.label_column("style", ["dc_creator"]) == "style"


def test_dropped_labels_can_be_chosen_and_empty_ones_always_go(table):
    path = table("ImageId,a\n1,Onbekend\n2,ANONIEM\n3,\n4,copy\n,x\n\n,\n")
    assert metadata.read(path, "a")[0] == [Row("4", "copy", None)]
    found, findings = metadata.read(path, "a", drop_labels=("Copy",))
    assert [row.id for row in found] == ["1", "2"]
    assert sorted(findings) == [
        Finding("label dropped", "3", "", ""),
        Finding("label dropped", "4", "", "copy"),
        Finding("row without id", "", "", "line 6"),
    ]


def test_doubled_rows_are_kept_once_and_contradicting_ones_refused(table):
    path = table("ImageId,a\n1,x\n2,y\n1, x \n")
    found, findings = metadata.read(path, "a")
    assert found == [Row("1", "x", None), Row("2", "y", None)]
    assert findings == [Finding("duplicate id", "1", "", "x")]
    lines = "".join(f"{i},x\n{i},y\n" for i in range(7))
    with pytest.raises(InputError, match=r"7 ids .*'0' \(x \| y\).*'4' \(x \| y\)$"):
        metadata.read(table("ImageId,a\n" + lines), "a")
    torn = table("ImageId,a,s\n1,x,train\n1,x,test\n")
    with pytest.raises(InputError, match=r"'1' \(x in test \| x in train\)"):
        metadata.read(torn, "a", split_column="s")


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
        ('ImageId,artist\n1,a\n2,"b\n3,c\n', "row at line 3 is no CSV"),
        ("ImageId,artist\n1,anoniem\n2,\n", "no row .*'artist' .2 label dropped"),
        ("ImageId,artist\n", "no row with an id and a label"),
    ],
)
def test_a_faulty_file_is_refused_in_one_line(table, text, message):
    with pytest.raises(InputError, match=message) as raised:
        metadata.read(table(text), "artist")
    assert "\n" not in str(raised.value) and "metadata.csv" in str(raised.value)


def test_a_file_that_is_missing_or_not_utf_8_is_refused(table, tmp_path):
    with pytest.raises(InputError, match="nowhere.csv does not exist"):
        metadata.read(tmp_path / "nowhere.csv", "artist")
    with pytest.raises(InputError, match="line 3: not UTF-8; save the file as UTF-8"):
        metadata.read(table("ImageId,artist\n1,a\n2,é\n", "latin-1"), "artist")
    with pytest.raises(InputError, match="no column 'fold'"):
        metadata.read(table("ImageId,artist\n1,a\n"), "artist", split_column="fold")
