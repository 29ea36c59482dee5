"""Tiny made-up folders, laid out as their publishers do; tables and Data worked out by hand."""

import csv
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from models.errors import InputError
from transfer import collections
from transfer.collections import (
    COLLECTIONS,
    RASTA_STYLES,
    WIKIART_STYLES,
    Challenge,
    collection_data,
    find_collection,
    read_collection,
    timeframe,
)
from transfer.result_folder import read_csv

SHARED = Path(os.environ.get("SHARED", Path(__file__).parents[3] / "shared"))


def paint(folder, *names):
    """8 x 8 pictures, no two alike."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(list(name.encode())).integers(0, 256, (8, 8, 3), np.uint8)
        Image.fromarray(pixels).save(path, "jpeg")


def write(path, text, encoding="utf-8"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding=encoding)


def table(name, folder, challenge):
    """The table of a collection as a dict ImageId -> dict of its cells."""
    collection = find_collection(name)
    frame = read_collection(collection, folder, dict(collection.challenges)[challenge])
    assert list(frame["ImageId"]) == sorted(frame["ImageId"])
    return frame.set_index("ImageId").to_dict("index")


def written(data):
    return read_csv(data.metadata_path).set_index("ImageId")


# --- timeframes


@pytest.mark.parametrize(
    ("year", "span"),
    [
        ("1851", "1851-1900"),
        ("1900", "1851-1900"),
        ("1901", "1901-1950"),
        ("c. 1503-06", "1501-1550"),
        ("850", "0801-0850"),
        ("1889.0", "1851-1900"),
        ("", ""),
        ("unknown", ""),
        ("000", ""),
        ("12", ""),
        ("123456", ""),
    ],
)
def test_timeframes_of_fifty_years(year, span):
    assert timeframe(year) == span


@given(st.integers(100, 9999), st.integers(1, 200))
def test_a_timeframe_holds_its_year_and_borders_on_the_next(year, years):
    first, last = map(int, timeframe(year, years).split("-"))
    assert first <= year <= last and last - first + 1 == years and first % years == 1 % years
    if last + 1 <= 9999:
        assert timeframe(f"{last + 1:04}", years) == f"{last + 1:04}-{last + years:04}"


# --- the table of collections


def test_every_row_has_a_name_of_its_own_a_title_and_a_publisher():
    names = [collection.name for collection in COLLECTIONS]
    assert len(set(names)) == len(names) == 10
    assert all(c.title and c.publisher and callable(c.read) for c in COLLECTIONS)
    assert len(RASTA_STYLES) == 25 and len(WIKIART_STYLES) == 27  # section 2.3 of Gonthier; ArtGAN


def test_tasks_of_cetinic_have_the_papers_minimum():
    """Section 3: "at least" is the number, "more than" is one more."""
    least = {
        (collection.name, name): challenge.min_pictures
        for collection in COLLECTIONS
        for name, challenge in collection.challenges
        if challenge.min_pictures > 1
    }
    assert least == {
        ("wikiart_cetinic2018", "artist"): 500,
        ("wikiart_cetinic2018", "style"): 801,
        ("wikiart_cetinic2018", "genre"): 1881,
        ("wikiart_cetinic2018", "nationality"): 3200,
        ("wga", "artist"): 171,
        ("wga", "genre"): 1001,
        ("wga", "nationality"): 501,
        ("wga", "timeframe"): 501,
        ("ticc", "artist"): 96,
    }


@pytest.mark.parametrize(
    ("name", "message"), [("rastta", "near: rasta"), ("louvre", "known are rijksmuseum, antwerp")]
)
def test_an_unknown_collection_is_refused(name, message):
    with pytest.raises(InputError, match=message):
        find_collection(name)


# --- Rijksmuseum, Antwerp, TICC, one's own: a CSV beside the pictures


@pytest.fixture
def rijksmuseum(tmp_path):
    folder = tmp_path / "rijks"
    paint(folder, "jpg2/0000001_SK-A-4878.jpg", "jpg2/0000002_RP-P-1 (b).JPG", "jpg2/0000003_é.jpg")
    write(
        folder / "rijks.csv",
        ",ImageId,dc_creator,dc_materiaal,dc_type\n"
        '0,0000001_SK-A-4878," Everdingen, Caesar Bo\\xc3\\xabtius van",olieverf,schilderij\n'
        "1,0000002_RP-P-1 (b), anoniem,papier,prent\n"
        "2,0000003_é, Maes,papier,prent\n",
    )
    return folder


def test_rijksmuseum(rijksmuseum, tmp_path):
    data = collection_data("rijksmuseum", rijksmuseum, "material", tmp_path / "sets")
    assert (data.dataset_name, data.challenge, data.split) == ("rijksmuseum", "material", None)
    assert data.jpg_images_path == rijksmuseum and data.min_pictures == 1
    frame = written(data)
    assert list(frame.columns) == ["dc_creator", "dc_materiaal", "dc_type", "material"]
    assert list(frame["material"]) == ["olieverf", "papier", "papier"]
    assert data._read().rows["label"].tolist() == ["olieverf", "papier", "papier"]
    artist = collection_data("rijksmuseum", rijksmuseum, "artist", tmp_path / "sets")
    read = artist._read()
    assert read.rows["label"].tolist() == ["Everdingen, Caesar Boëtius van", "Maes"]
    # dc_creator is the label itself: no test picture is to be warned of for it
    assert list(read.candidates.columns) == []
    assert list(data._read().candidates.columns) == ["dc_creator"]


def test_antwerp_without_a_column_names_it_and_the_publisher(tmp_path):
    paint(tmp_path / "a", "1.jpg")
    write(tmp_path / "a/metadata.csv", "ImageId,dc_type\n1,prent\n")
    data = collection_data("antwerp", tmp_path / "a", "type", tmp_path)
    assert written(data)["type"].tolist() == ["prent"]
    with pytest.raises(InputError, match=r"tells no dc_creator; it tells dc_type; .* on request"):
        collection_data("antwerp", tmp_path / "a", "artist", tmp_path)


def test_ticc(tmp_path):
    paint(tmp_path / "t", "RP-P-1.jpg", "RP-P-2.jpg")
    write(tmp_path / "t/prints.csv", "ImageId,artist\nRP-P-2,Goltzius\nRP-P-1,Dürer\n")
    told = []
    data = collection_data("ticc", tmp_path / "t", "artist", tmp_path, told.append)
    assert (data.min_pictures, data.split) == (96, "cetinic2018")
    assert written(data)["artist"].tolist() == ["Dürer", "Goltzius"]
    assert told == ["ticc: 2 of 58630 published pictures"]


@pytest.mark.parametrize(("files", "message"), [((), "no CSV"), (("a.csv", "b.csv"), "2 CSV")])
def test_which_csv_is_meant_must_be_plain(tmp_path, files, message):
    paint(tmp_path, "1.jpg")
    for file in files:
        write(tmp_path / file, "ImageId,dc_type\n1,x\n")
    with pytest.raises(InputError, match=f"{message}.*accepted: metadata.csv"):
        collection_data("rijksmuseum", tmp_path, "type", tmp_path)


def test_a_folder_of_ones_own(tmp_path):
    paint(tmp_path / "o", "images/a.jpg", "images/b.jpg")
    write(
        tmp_path / "o/metadata.csv", "path,year,sea,sun\nimages/a.jpg,1872,1,0\nimages/b.jpg,,0,1\n"
    )
    data = collection_data("own", tmp_path / "o", "timeframe", tmp_path, dataset_name="mine")
    assert data.dataset_name == "mine" and data.metadata_path.parent == tmp_path / "mine"
    frame = written(data)
    assert frame["timeframe"].to_dict() == {"images/a.jpg": "1851-1900", "images/b.jpg": ""}
    with pytest.raises(InputError, match=r"tells no yaer \(near: year\); it tells year, sea, sun"):
        collection_data("own", tmp_path / "o", "yaer", tmp_path)


def test_a_column_of_ones_own_may_be_called_as_one_of_the_rijksmuseum(tmp_path):
    paint(tmp_path / "o", "a.jpg", "b.jpg")
    write(tmp_path / "o/metadata.csv", "ImageId,artist,dc_type\na,Maes,prent\nb,Steen,print\n")
    for challenge, labels in (("artist", ["Maes", "Steen"]), ("type", ["prent", "print"])):
        data = collection_data("own", tmp_path / "o", challenge, tmp_path)
        assert data.challenge == challenge and data._read().rows["label"].tolist() == labels
    with pytest.raises(InputError, match="tells no material; it tells artist, dc_type"):
        collection_data("own", tmp_path / "o", "material", tmp_path)


def test_labels_that_name_no_picture_are_one_line(tmp_path):
    paint(tmp_path, "a.jpg")
    write(tmp_path / "metadata.csv", "ImageId,artist\n")
    with pytest.raises(InputError, match="the labels in .* name no picture; metadata.csv is one"):
        collection_data("own", tmp_path, "artist", tmp_path)


# --- RASTA


def rasta(folder, styles=("Cubism", "Naïve_Art_(Primitivism)"), parts=("train", "val", "test")):
    for part in parts:
        for style in styles:
            paint(
                folder,
                f"wikipaintings_{part}/{style}/andré lhote_acacias-{part}-1959.jpg",
                f"wikipaintings_{part}/{style}/b-c_{part}-study-1872-2.JPG",
            )


def test_rasta(tmp_path):
    rasta(tmp_path / "r")
    rows = table("rasta", tmp_path / "r", "style")
    assert len(rows) == 12
    assert rows["wikipaintings_val/Naïve_Art_(Primitivism)/andré lhote_acacias-val-1959.jpg"] == {
        "split": "val",
        "style": "Naïve_Art_(Primitivism)",
        "artist": "andré lhote",
        "title": "acacias-val-1959",
        "year": "1959",
        "timeframe": "1951-2000",
    }
    late = rows["wikipaintings_test/Cubism/b-c_test-study-1872-2.JPG"]
    assert (late["year"], late["timeframe"], late["split"]) == ("1872", "1851-1900", "test")


def test_rasta_as_data_and_what_is_missing_of_it_is_told(tmp_path):
    rasta(tmp_path / "r")
    told = []
    data = collection_data("rasta", tmp_path / "r", "style", tmp_path / "d", told.append)
    assert data.split == "column=split" and data.protocol == "column"
    rows = data.choose(tmp_path / "report.csv").rows
    assert rows.groupby(["split", "label"]).size().tolist() == [2] * 6
    assert told == [
        "rasta: 4 of 66549 published train pictures",
        "rasta: 4 of 7383 published val pictures",
        "rasta: 23 of 25 published classes have no picture: Abstract_Art, Abstract_Expressionism,"
        " Art_Informel, Art_Nouveau_(Modern), Baroque and 18 more",
    ]


def test_a_style_written_in_decomposed_letters_is_the_published_one(tmp_path):
    rasta(tmp_path, styles=("Nai\u0308ve_Art_(Primitivism)",))  # as a Mac's disk gives it
    assert {row["style"] for row in table("rasta", tmp_path, "style").values()} == {
        "Na\u00efve_Art_(Primitivism)"
    }


def test_a_style_that_is_not_published_is_named_with_the_nearest(tmp_path):
    rasta(tmp_path, styles=("Cubism", "Impresionism"))
    with pytest.raises(InputError, match=r"'Impresionism' \(6 pictures\) \(near: Impressionism"):
        collection_data("rasta", tmp_path, "style", tmp_path)


def test_a_part_that_is_missing_is_told(tmp_path):
    rasta(tmp_path / "r", parts=("train", "test"))
    told = []
    collection_data("rasta", tmp_path / "r", "style", tmp_path, told.append)
    assert told[0] == "rasta: no picture of part val"


def test_rasta_without_its_folders_says_where_they_are_kept(tmp_path):
    paint(tmp_path, "Cubism/a_b.jpg")
    with pytest.raises(InputError, match=r"wikipaintings_train.*github.com/bnegreve/rasta"):
        collection_data("rasta", tmp_path, "style", tmp_path)


# --- Paintings and IconArt: several labels


def iconart(folder, cell="1"):
    names = "angel,Child_Jesus,crucifixion_of_Jesus,Mary,nudity,ruins,Saint_Sebastien"
    write(
        folder / "IconArt_v1/ImageSets/Main/IconArt_v1.csv",
        f",item,{names},set,Anno\n0,Q 1_é,{cell},0,0,1,0,0,0,train,0\n1,Q2,0,0,0,0,0,1,0,test,1\n",
    )
    paint(folder, "IconArt_v1/JPEGImages/Q 1_é.jpg", "IconArt_v1/JPEGImages/Q2.jpg")


@pytest.fixture
def asked(monkeypatch):
    """What Data is asked for: several labels are its own affair."""
    made = []

    def keep(*values, **named):
        made.append((values, named))
        return made[-1]

    monkeypatch.setattr(collections, "Data", keep)
    return made


def test_iconart(tmp_path, asked):
    iconart(tmp_path / "i")
    told = []
    collection_data("iconart", tmp_path / "i", "all", tmp_path / "d", told.append, min_pictures=3)
    (name, challenge, datasets, path, folder), named = asked[0]
    assert (name, challenge, datasets, folder) == ("iconart", "all", tmp_path / "d", tmp_path / "i")
    assert named == {"split": "column=split", "min_pictures": 3, "where": ()}
    frame = read_csv(path)
    assert frame.columns.tolist() == ["ImageId", "split", *collections.ICONART_CLASSES]
    assert frame.to_numpy().tolist() == [
        ["Q 1_é", "train", "1", "0", "0", "1", "0", "0", "0"],
        ["Q2", "test", "0", "0", "0", "0", "0", "1", "0"],
    ]
    assert told == ["iconart: no picture of part val", "iconart: 2 of 5955 published pictures"]


def test_a_label_column_with_other_values_is_refused(tmp_path):
    iconart(tmp_path, "-1")
    with pytest.raises(InputError, match="column angel holds '-1'; accepted: 0 and 1"):
        collection_data("iconart", tmp_path, "all", tmp_path)


def test_labels_that_are_not_published_are_refused(tmp_path):
    iconart(tmp_path)
    with pytest.raises(InputError, match=r"no 'Marry' \(near: Mary\); accepted: all, angel"):
        collection_data("iconart", tmp_path, "angel, Marry", tmp_path)


def test_iconart_without_its_labels_says_where_they_are_kept(tmp_path):
    paint(tmp_path, "JPEGImages/Q2.jpg")
    with pytest.raises(InputError, match="IconArt_v1.csv is not in .*wsoda.telecom-paristech.fr"):
        collection_data("iconart", tmp_path, "all", tmp_path)


def test_paintings_as_oxford_lists_them(tmp_path, asked):
    write(
        tmp_path / "p/painting_dataset_2021.csv",
        "Image URL,Web page URL,Subset,Labels\n"
        "https://d.org/w/a%20b.jpg?x=1,https://artuk.org/1,'train','cow dog '\n"
        "https://d.org/w/c.jpg,https://artuk.org/2,'validation','train'\n",
    )
    paint(tmp_path / "p", "images/a b.jpg")
    told = []
    collection_data("paintings", tmp_path / "p", "cow,dog", tmp_path, told.append)
    frame = read_csv(asked[0][0][3]).set_index("ImageId")
    assert frame.loc["a b.jpg"].tolist() == ["train", *"0000101000"]
    assert frame.loc["c.jpg"].tolist() == ["validation", *"0000000001"]
    assert told[0].startswith(f"paintings: 1 of 2 pictures are not in {tmp_path / 'p'}: c.jpg; ")
    assert told[1:] == [
        "paintings: no picture of part val and test",
        "paintings: 1 of 8629 published pictures",
    ]


def test_paintings_as_gonthier_lists_them(tmp_path, asked):
    write(
        tmp_path / "p/Paintings.txt",
        "name_img,aeroplane,bird,boat,chair,cow,diningtable,dog,horse,sheep,train,set\n"
        "abd_1,0,0,1,0,0,0,0,0,0,0,test\n",
    )
    paint(tmp_path / "p", "abd_1.jpg")
    collection_data("paintings", tmp_path / "p", "all", tmp_path, [].append)
    frame = read_csv(asked[0][0][3])
    assert frame.to_numpy().tolist() == [["abd_1", "test", *"0010000000"]]


def test_a_label_of_paintings_that_is_not_published_is_refused(tmp_path):
    write(tmp_path / "painting_dataset_2021.csv", "Image URL,Subset,Labels\na.jpg,'train','cows'\n")
    paint(tmp_path, "a.jpg")
    with pytest.raises(InputError, match=r"Labels holds 'cows' \(near: cow"):
        collection_data("paintings", tmp_path, "all", tmp_path)


# --- WikiArt


@pytest.fixture
def wikiart(tmp_path):
    folder = tmp_path / "w"
    paint(
        folder,
        "wikiart/Realism/vincent-van-gogh_the sower-1888.jpg",
        "wikiart/Realism/ilya-repin_abbé.JPG",
        "wikiart/Art_Nouveau_Modern/alphonse-mucha_job-1896-1.jpg",
    )
    lists = folder / "wikiart_csv"
    write(lists / "artist_class.txt", "0 Ilya_Repin\n1 Vincent_van_Gogh\n")
    write(lists / "artist_train.csv", "Realism/vincent-van-gogh_the sower-1888.jpg,1\n")
    write(lists / "artist_val.csv", "Realism/ilya-repin_abbé.JPG,0\nRealism/lost_one.jpg,1\n")
    return folder


def test_wikiart(wikiart):
    rows = table("wikiart", wikiart, "artist")
    assert rows["wikiart/Realism/vincent-van-gogh_the sower-1888.jpg"] == {
        "style": "Realism",
        "artist": "Vincent_van_Gogh",
        "genre": "",
        "nationality": "",
        "title": "the sower-1888",
        "year": "1888",
        "timeframe": "1851-1900",
        "split_artist": "train",
        "split_genre": "",
        "split_style": "",
    }
    mucha = rows["wikiart/Art_Nouveau_Modern/alphonse-mucha_job-1896-1.jpg"]
    assert (mucha["style"], mucha["artist"], mucha["year"]) == ("Art_Nouveau", "", "1896")
    assert rows["Realism/lost_one.jpg"]["split_artist"] == "val"
    assert len(rows) == 4


def test_wikiart_of_cetinic(wikiart):
    write(wikiart / "nationality.csv", "artist,nationality\nilya-repin,Russian\n")
    rows = table("wikiart_cetinic2018", wikiart, "nationality")
    assert rows["wikiart/Realism/ilya-repin_abbé.JPG"]["nationality"] == "Russian"
    assert rows["wikiart/Realism/ilya-repin_abbé.JPG"]["artist"] == "ilya-repin"


@pytest.mark.parametrize(
    ("name", "challenge", "message"),
    [
        ("wikiart", "genre", r"genre_class.txt is not in .*cs-chan/ArtGAN"),
        ("wikiart_cetinic2018", "nationality", "nationality.csv is not in .*one of your own"),
        ("wikiart", "genra", r"challenge is 'genra' \(near: genre\); wikiart has style, artist"),
    ],
)
def test_a_file_or_challenge_that_is_not_there_is_named(
    wikiart, tmp_path, name, challenge, message
):
    with pytest.raises(InputError, match=message):
        collection_data(name, wikiart, challenge, tmp_path)


def test_a_number_that_is_no_class_is_refused(wikiart, tmp_path):
    write(wikiart / "wikiart_csv/artist_val.csv", "Realism/lost_one.jpg,7\n")
    with pytest.raises(InputError, match=r"row 1 is 'Realism/lost_one.jpg,7'; accepted: Style/"):
        collection_data("wikiart", wikiart, "artist", tmp_path)


def test_classes_in_windows_letters_are_read_as_the_lists_are(wikiart):
    classes = wikiart / "wikiart_csv/artist_class.txt"
    write(classes, "0 Ilya_Repin\n1 Albrecht_Dürer\n", encoding="latin-1")
    artists = {row["artist"] for row in table("wikiart", wikiart, "artist").values()}
    assert artists == {"", "Ilya_Repin", "Albrecht_Dürer"}


def test_a_list_that_is_no_csv_is_one_line(wikiart, tmp_path):
    before = csv.field_size_limit(10)
    try:
        with pytest.raises(InputError, match="artist_train.csv, line 1, is not CSV: field larger"):
            collection_data("wikiart", wikiart, "artist", tmp_path)
    finally:
        csv.field_size_limit(before)


def test_lists_without_an_ending_are_read_too(tmp_path):
    """As cs-chan/ArtGAN keeps those of artists."""
    paint(tmp_path, "Realism/a_b.jpg")
    for name, text in (("class", "3 A"), ("train", "Realism/a_b.jpg,3"), ("val", "")):
        write(tmp_path / f"Artist/artist_{name}", text)
    assert table("wikiart", tmp_path, "artist")["Realism/a_b.jpg"]["artist"] == "A"


# --- Web Gallery of Art

WGA = "AUTHOR;BORN-DIED;TITLE;DATE;TECHNIQUE;LOCATION;URL;FORM;TYPE;SCHOOL;TIMEFRAME\r\n"
PAGE = "https://www.wga.hu/html"


@pytest.fixture
def wga(tmp_path):
    folder = tmp_path / "wga"
    write(
        folder / "catalog.csv",
        WGA + f'DÜRER, Albrecht;(b. 1471);"Self; portrait";1500;Oil;Munich;{PAGE}/d/durer/1/a.html;'
        "painting;portrait;German;1501-1550\r\n"
        f"BERNINI;;David;1623;Marble;Rome;{PAGE}/b/bernini/a.html;sculpture;mythological;Italian;"
        "1601 - 1650\r\n",
        encoding="iso-8859-1",
    )
    paint(folder, "art/d/durer/1/a.jpg", "art/b/bernini/a.jpg")
    return folder


def test_wga(wga):
    rows = table("wga", wga, "timeframe")
    assert rows == {
        "art/d/durer/1/a.jpg": {
            "artist": "DÜRER, Albrecht",
            "genre": "portrait",
            "nationality": "German",
            "timeframe": "1501-1550",
            "form": "painting",
            "title": "Self; portrait",
            "year": "1500",
        },
        "art/b/bernini/a.jpg": {
            "artist": "BERNINI",
            "genre": "mythological",
            "nationality": "Italian",
            "timeframe": "1601-1650",
            "form": "sculpture",
            "title": "David",
            "year": "1623",
        },
    }


def test_wga_tasks_are_of_paintings(wga, tmp_path):
    data = collection_data("wga", wga, "nationality", tmp_path)
    assert data.where == (("form", "painting"),) and data.min_pictures == 501
    assert data._read().rows["label"].tolist() == ["German"]
    chosen = (("form", "sculpture"), ("year", "1623"))
    data = collection_data("wga", wga, "nationality", tmp_path, where=chosen, split="sabatelli2018")
    assert data.where == chosen and data.split == "sabatelli2018"
    assert collection_data("wga", wga, "form", tmp_path).where == ()


def test_a_catalogue_that_is_damaged_is_refused(wga, tmp_path):
    write(wga / "catalog.csv", WGA + "DÜRER;1471\n")
    with pytest.raises(InputError, match="row 2 has 2 cells, the header 11"):
        collection_data("wga", wga, "form", tmp_path)
    write(wga / "catalog.csv", WGA.replace(";SCHOOL", ";NATION"))
    with pytest.raises(InputError, match="has no column SCHOOL; it has AUTHOR"):
        collection_data("wga", wga, "form", tmp_path)
    empty = (("", "catalog.csv is empty; .*data_txt.zip"), (WGA, "name no picture"))
    for content, message in empty:
        write(wga / "catalog.csv", content)
        with pytest.raises(InputError, match=message):
            collection_data("wga", wga, "form", tmp_path)
    (wga / "catalog.csv").unlink()
    with pytest.raises(InputError, match=r"catalog.csv is not in .*data_txt.zip"):
        collection_data("wga", wga, "form", tmp_path)


# --- the CSV that is written


def test_the_csv_is_named_by_its_content(rijksmuseum, tmp_path):
    first = collection_data("rijksmuseum", rijksmuseum, "type", tmp_path / "d")
    again = collection_data("rijksmuseum", rijksmuseum, "type", tmp_path / "d")
    assert first == again and first.key == again.key
    assert [path.name for path in (tmp_path / "d/rijksmuseum").iterdir()] == [
        first.metadata_path.name
    ]
    before = first.metadata_path.read_bytes()
    text = (rijksmuseum / "rijks.csv").read_text().replace("prent", "tekening")
    (rijksmuseum / "rijks.csv").write_text(text)
    changed = collection_data("rijksmuseum", rijksmuseum, "type", tmp_path / "d")
    assert changed.metadata_path != first.metadata_path and changed.key != first.key
    assert first.metadata_path.read_bytes() == before


def test_pictures_that_are_missing_are_counted_and_named(rijksmuseum, tmp_path):
    (rijksmuseum / "jpg2/0000003_é.jpg").unlink()
    told = []
    collection_data("rijksmuseum", rijksmuseum, "type", tmp_path, told.append)
    assert len(told) == 1
    assert told[0].startswith(f"rijksmuseum: 1 of 3 pictures are not in {rijksmuseum}: 0000003_é; ")
    for path in (rijksmuseum / "jpg2").iterdir():
        path.unlink()
    paint(rijksmuseum, "else.jpg")
    with pytest.raises(InputError, match="none of the 3 pictures that rijksmuseum names is in"):
        collection_data("rijksmuseum", rijksmuseum, "type", tmp_path)


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match="nowhere is not a folder that exists"):
        collection_data("rasta", tmp_path / "nowhere", "style", tmp_path)


def test_a_collection_is_a_function_and_a_row(tmp_path, monkeypatch):
    def read_mine(folder, collection):
        names = sorted(path.name for path in folder.glob("*.jpg"))
        return pd.DataFrame({"ImageId": names, "mood": [name[0] for name in names]})

    row = collections.Collection(
        "mine",
        "my own",
        "kept by me",
        read_mine,
        (("mood", Challenge("mood", classes=("a", "b"))),),
    )
    monkeypatch.setattr(collections, "COLLECTIONS", (*COLLECTIONS, row))
    paint(tmp_path, "a1.jpg", "b1.jpg")
    data = collection_data("mine", tmp_path, "mood", tmp_path / "d")
    assert written(data)["mood"].to_dict() == {"a1.jpg": "a", "b1.jpg": "b"}


# --- real pictures


@pytest.mark.skipif(not (SHARED / "data/rasta_small").is_dir(), reason="no shared collections")
def test_the_small_set_of_rasta(tmp_path):
    folder = SHARED / "data/rasta_small"
    told = []
    data = collection_data("rasta", folder, "style", tmp_path, told.append)
    expected = pd.read_csv(folder / "metadata.csv", dtype=str).set_index("path").sort_index()
    frame = written(data)
    assert frame.index.tolist() == expected.index.tolist() and len(frame) == 748
    for column in ("split", "style", "artist", "title"):
        assert frame[column].tolist() == expected[column].tolist(), column


@pytest.mark.skipif(not (SHARED / "data/wikiart224").is_dir(), reason="no shared collections")
def test_timeframes_of_real_years(tmp_path):
    folder = SHARED / "data/wikiart224"
    data = collection_data("own", folder, "timeframe", tmp_path)
    frame = written(data)
    spans = frame["timeframe"].value_counts()
    assert spans.sum() - spans[""] == 2684  # pictures with a year
    for span in set(spans.index) - {""}:
        first, last = map(int, span.split("-"))
        years = frame["year"][frame["timeframe"] == span].astype(float)
        assert years.between(first, last).all()
