"""Published art collections: the folder as its publisher lays it out -> a table -> Data.

A collection is a function that reads its folder and a row of COLLECTIONS. What is known of each
layout, and from where, stands in docs/collections.md.
"""

import csv
import difflib
import functools
import hashlib
import io
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from models.errors import InputError
from transfer import folders, metadata
from transfer.dataset import Data
from transfer.pictures import find_pictures
from transfer.result_folder import csv_bytes, safe_name, write_bytes
from transfer.splits import COLUMN_VALUES, SPLITS


def _words(text):
    return tuple(text.split())


RASTA_STYLES = _words(  # the folders of bnegreve/rasta
    "Abstract_Art Abstract_Expressionism Art_Informel Art_Nouveau_(Modern) Baroque"
    " Color_Field_Painting Cubism Early_Renaissance Expressionism High_Renaissance Impressionism"
    " Magic_Realism Mannerism_(Late_Renaissance) Minimalism Naïve_Art_(Primitivism) Neoclassicism"
    " Northern_Renaissance Pop_Art Post-Impressionism Realism Rococo Romanticism Surrealism"
    " Symbolism Ukiyo-e"
)
WIKIART_STYLES = _words(  # cs-chan/ArtGAN, WikiArt Dataset/Style/style_class.txt
    "Abstract_Expressionism Action_painting Analytical_Cubism Art_Nouveau Baroque"
    " Color_Field_Painting Contemporary_Realism Cubism Early_Renaissance Expressionism Fauvism"
    " High_Renaissance Impressionism Mannerism_Late_Renaissance Minimalism Naive_Art_Primitivism"
    " New_Realism Northern_Renaissance Pointillism Pop_Art Post_Impressionism Realism Rococo"
    " Romanticism Symbolism Synthetic_Cubism Ukiyo_e"
)
# ngonthier/Icono_Art_Analysis, Classif_Paintings/IMDB.py
PAINTINGS_CLASSES = _words("aeroplane bird boat chair cow diningtable dog horse sheep train")
ICONART_CLASSES = _words("angel Child_Jesus crucifixion_of_Jesus Mary nudity ruins Saint_Sebastien")
ID = "ImageId"  # of every table, and of Data
TIMEFRAME_YEARS = 50  # Cetinic et al. 2018, section 3
_EXAMPLES = 5  # how many names a message tells
_YEAR = re.compile(r"(?<!\d)\d{3,4}(?!\d)")
_YEAR_OF_TITLE = re.compile(r"-(1\d{3}|20\d{2})(?:-\d{1,2})?$")  # er-eve-1999, study-1938-2


@dataclass(frozen=True)
class Challenge:
    """A question about the pictures of a collection.

    column: of the collection's table. min_pictures: fewer leave a class out. classes: those that
    were published, () where none were. files: without these the column is not known. where: pairs
    of a column and the value that a picture must have.
    """

    column: str
    min_pictures: int = 1
    classes: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    where: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Collection:
    """A collection: a row of COLLECTIONS.

    title: for people. publisher: where its files are kept. read: a function (folder, this row) ->
    DataFrame of text, a row for each picture: ID (a path in the folder, or a file's name), split
    where one is published, columns. challenges: pairs of a name and a Challenge; () where any
    column is one. split: of Data, where nobody asks for another. labels: the 0/1 columns of a
    collection whose pictures have several labels. sizes: pairs of a part ("" for all) and its
    published pictures.
    """

    name: str
    title: str
    publisher: str
    read: Callable
    challenges: tuple[tuple[str, Challenge], ...] = ()
    split: str | None = None
    labels: tuple[str, ...] = ()
    sizes: tuple[tuple[str, int], ...] = ()


def find_collection(name):
    """The row of COLLECTIONS of a name.

    Raises:
        InputError: there is none; near names are told.
    """
    for collection in COLLECTIONS:
        if collection.name == name:
            return collection
    names = [collection.name for collection in COLLECTIONS]
    raise InputError(f"collection is {name!r}{_near(name, names)}; known are {', '.join(names)}")


def collection_data(name, folder, challenge, datasets_path, say=print, **changes):
    """The Data of a published collection.

    Its table is written as a CSV into <datasets_path>/<dataset_name>, named by its content, whole
    or absent; what of a published set is not in the folder is told.

    Args:
        name: of a row of COLLECTIONS.
        folder: of the pictures and labels, as their publisher lays them out.
        challenge: a name in the row's challenges; where pictures have several labels, their names
            with commas between, or `all`; of the collection `own` any column, or timeframe.
        datasets_path: see Data.
        say: called with lines that tell what is missing.
        changes: other fields of Data. A `where` of the challenge's own column replaces its own.

    Returns:
        Data.

    Raises:
        InputError: see find_collection, Data; an unknown challenge, a file that is missing (with
            where its publisher keeps it), no pictures, labels outside the published classes.
    """
    collection = find_collection(name)
    asked = _asked(collection, challenge)
    table = read_collection(collection, folder, asked)
    if challenge not in table and collection.challenges:
        table = table.assign(**{challenge: table[asked.column]})
    for line in _missing(collection, table, folder, asked):
        say(line)
    changes = {"split": collection.split, "min_pictures": asked.min_pictures, **changes}
    given = tuple(changes.get("where", ()))
    own = [pair for pair in asked.where if pair[0] not in dict(given)]
    changes["where"] = (*own, *given)
    dataset_name = changes.pop("dataset_name", None) or name
    path = _write(table, Path(datasets_path, safe_name(dataset_name)))
    return Data(
        dataset_name,
        challenge,
        Path(datasets_path),
        path,
        Path(folder),
        **changes,
    )


def read_collection(collection, folder, challenge):
    """The table of a collection, fit for one challenge.

    Args:
        collection: a row of COLLECTIONS.
        folder: of its pictures and labels.
        challenge: a Challenge.

    Returns:
        DataFrame of text, see Collection.read, sorted by ID.

    Raises:
        InputError: a file or column is missing, a label is outside the published classes.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"picture folder {folder} is not a folder that exists")
    for name in challenge.files:
        find_file(folder, name, collection.publisher)
    table = collection.read(folder, collection)
    if table.empty:
        raise InputError(f"the labels in {folder} name no picture; {collection.publisher}")
    column = challenge.column
    if not collection.challenges:  # a column of the table goes before what CHALLENGES calls so
        column = metadata.label_column(column, table.columns)
    if column and column not in table:
        known = [name for name in table if name not in (ID, "split")]
        asked = challenge.column
        raise InputError(
            f"{folder} tells no {asked}{_near(asked, known)}; it tells {', '.join(known)};"
            f" {collection.publisher}"
        )
    if challenge.classes:
        _check_labels(collection, table[column], challenge.classes)
    return table.sort_values(ID, kind="stable", ignore_index=True)


def timeframe(year, years=TIMEFRAME_YEARS):
    """The span of years that a year is in, as the Web Gallery of Art writes it.

    Args:
        year: text; its first number of three or four digits counts.
        years: how many a span has; one begins with the year 1.

    Returns:
        text, as 1851-1900; "" where there is no year.
    """
    found = _YEAR.search(str(year))
    if not found or not int(found[0]):
        return ""
    first = (int(found[0]) - 1) // years * years + 1
    return f"{first:04}-{first + years - 1:04}"


def find_file(folder, name, publisher):
    """The file of a name, in a folder or up to three folders below.

    Args:
        name: with its ending; one without, as cs-chan/ArtGAN has some, counts too.
        publisher: where it is kept.

    Raises:
        InputError: there is none.
    """
    path = _search_file(folder, name)
    if path is None:
        raise InputError(f"{name} is not in {folder}; {publisher}")
    return path


def _search_file(folder, name):
    """The file that find_file finds; None where there is none."""
    for ending in (name, name.rpartition(".")[0]):
        for above in ("", "*/", "*/*/", "*/*/*/"):
            for path in sorted(Path(folder).glob(above + ending)):
                if path.is_file():
                    return path
    return None


def _asked(collection, challenge):
    """The Challenge of a name; InputError where the collection has none."""
    if challenge in dict(collection.challenges):
        return dict(collection.challenges)[challenge]
    if collection.labels:
        known = ["all", *collection.labels]
        wrong = [name for name in map(str.strip, challenge.split(",")) if name not in known]
        if not wrong:
            return Challenge("")
        near = _near(wrong[0], known)
        raise InputError(
            f"challenge is {challenge!r}, and {collection.name} has no {wrong[0]!r}{near};"
            f" accepted: {', '.join(known)}, several with commas between"
        )
    if not collection.challenges:
        several = challenge == "all" or "," in challenge
        return Challenge("" if several else challenge)
    known = [name for name, _ in collection.challenges]
    raise InputError(
        f"challenge is {challenge!r}{_near(challenge, known)}; {collection.name} has"
        f" {', '.join(known)}"
    )


def _near(name, known):
    """Names like one, the likest first, as the end of a message; "" where there is none."""
    written = {text.lower(): text for text in known}
    near = difflib.get_close_matches(str(name).lower(), written, 3, 0.5)
    return f" (near: {', '.join(written[text] for text in near)})" if near else ""


def _some(names):
    names = sorted(names)
    more = f" and {len(names) - _EXAMPLES} more" if len(names) > _EXAMPLES else ""
    return ", ".join(names[:_EXAMPLES]) + more


def _check_labels(collection, values, classes):
    """InputError where labels are not among the published ones."""
    counts = values.map(metadata.clean_label).value_counts()
    wrong = sorted(set(counts.index) - {"", *classes})
    if wrong:
        told = [f"{name!r} ({counts[name]} pictures){_near(name, classes)}" for name in wrong]
        raise InputError(
            f"{len(wrong)} labels are not among the {len(classes)} of {collection.title}:"
            f" {_some(told)}; accepted: {', '.join(classes)}"
        )


def _missing(collection, table, folder, challenge):
    """Lines that tell what of a published set is not in its folder; InputError where all is."""
    here = _is_here(table[ID], folder)
    if not here.any():
        raise InputError(
            f"none of the {len(table)} pictures that {collection.name} names is in {folder},"
            f" e.g. {table[ID].iloc[0]}; {collection.publisher}"
        )
    lines = []
    if not here.all():
        lost = table[ID][~here]
        lines.append(
            f"{collection.name}: {len(lost)} of {len(table)} pictures are not in {folder}:"
            f" {_some(lost)}; {collection.publisher}"
        )
    if collection.split and collection.split.startswith("column"):
        parts = {COLUMN_VALUES.get(part.lower()) for part in table["split"][here]}
        if absent := [part for part in SPLITS if part not in parts]:
            lines.append(f"{collection.name}: no picture of part {' and '.join(absent)}")
    for part, size in collection.sizes:
        of_part = here & (table["split"] == part) if part else here
        if (count := int(of_part.sum())) < size:
            what = f"{part} pictures" if part else "pictures"
            lines.append(f"{collection.name}: {count} of {size} published {what}")
    if challenge.classes:
        labels = set(table[challenge.column][here].map(metadata.clean_label))
        if absent := [name for name in challenge.classes if name not in labels]:
            count = len(challenge.classes)
            lines.append(
                f"{collection.name}: {len(absent)} of {count} published classes have no picture:"
                f" {_some(absent)}"
            )
    return lines


def _is_here(ids, folder):
    """Bool Series: which ids name a picture in a folder, as metadata.join finds them."""
    known = set()
    for name in map(_folded, find_pictures(folder)):
        path = PurePosixPath(name)
        known.update((name, path.name, str(path.with_suffix("")), path.stem))
    return ids.map(lambda id: _folded(id.strip().replace("\\", "/")) in known)


def _folded(text):
    return unicodedata.normalize("NFC", text).casefold()


def _write(table, folder):
    """Write a table into a folder as a CSV named by its content; its path."""
    content = csv_bytes(table)
    path = folder / f"collection-{hashlib.sha256(content).hexdigest()[:16]}.csv"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        write_bytes(path, content)
    return path


def _text(path):
    """A published file's text; in UTF-8, or else Windows-1252 (ISO 8859-1 with more)."""
    content = path.read_bytes()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace")


def _lines(path, delimiter=","):
    """Rows of a CSV, lists of text; InputError where it is none."""
    lines = csv.reader(io.StringIO(_text(path), newline=""), delimiter=delimiter)
    try:
        return [row for row in lines if any(row)]
    except csv.Error as error:
        raise InputError(f"{path}, line {lines.line_num}, is not CSV: {error}") from error


def _alone(*names):
    """Required columns of metadata.read_csv that have one name each."""
    return [(name,) for name in names]


def _frame(rows, columns):
    import pandas

    return pandas.DataFrame(rows, columns=columns, dtype=object)


def _parts_of_name(path):
    """(artist, title, year) of a file of WikiArt, <artist>_<title>.jpg; "" for what it lacks."""
    artist, _, title = PurePosixPath(path).stem.partition("_")
    year = _YEAR_OF_TITLE.search(title)
    return artist, title, year[1] if year else ""


def read_rasta(folder, collection):
    """wikipaintings_{train,val,test}/<Style>/<artist>_<title>.jpg (Lecoutre et al. 2017)."""
    parts = folders.find_parts(folder)
    if not parts:
        raise InputError(
            f"{folder} holds none of wikipaintings_train, wikipaintings_val, wikipaintings_test;"
            f" {collection.publisher}"
        )
    folders.check(folder)
    rows = []
    for name in find_pictures(folder):
        if name.count("/") == 2:  # one beside the folders of styles has none
            part, style, _ = name.split("/")
            artist, title, year = _parts_of_name(name)
            style = metadata.clean_label(style)
            rows.append((name, parts[part], style, artist, title, year, timeframe(year)))
    columns = (ID, "split", "style", "artist", "title", "year", "timeframe")
    return _frame(rows, columns)


def read_museum(folder, collection):
    """A CSV with ImageId and a column per question beside the pictures (Sabatelli et al. 2018)."""
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() == ".csv")
    named = [path for path in found if path.name.lower() == "metadata.csv"] or found
    if len(named) != 1:
        many = f"{len(found)} CSV files ({_some(p.name for p in found)})" if found else "no CSV"
        raise InputError(
            f"{folder} holds {many}; accepted: metadata.csv, or one other; {collection.publisher}"
        )
    table = metadata.read_csv(named[0], ("path", ID))
    if ID not in table:
        table = table.rename(columns={"path": ID})
    table = table[[name for name in table if name.strip()]]
    if "year" in table and "timeframe" not in table:
        table = table.assign(timeframe=table["year"].map(timeframe))
    return table.reset_index(drop=True)


def read_wga(folder, collection):
    """catalog.csv, semicolons between, and the pictures under art/ as on the site."""
    path = find_file(folder, "catalog.csv", collection.publisher)
    lines = _lines(path, ";")
    if not lines:
        raise InputError(f"{path} is empty; {collection.publisher}")
    header, *rows = lines
    names = {
        **{"URL": ID, "AUTHOR": "artist", "TYPE": "genre", "SCHOOL": "nationality"},
        **{"TIMEFRAME": "timeframe", "FORM": "form", "TITLE": "title", "DATE": "year"},
    }
    header = [name.strip().upper() for name in header]
    lacking = [name for name in names if name not in header]
    if lacking:
        raise InputError(f"{path} has no column {', '.join(lacking)}; it has {', '.join(header)}")
    for number, row in enumerate(rows, 2):
        if len(row) != len(header):
            raise InputError(f"{path}: row {number} has {len(row)} cells, the header {len(header)}")
    table = _frame(rows, header)[list(names)].rename(columns=names).map(str.strip)
    below = {name.removeprefix("art/"): name for name in find_pictures(folder)}
    paths = [_path_of_page(url) for url in table[ID]]
    # a picture of which the page has another ending stays a missing one, named as on the site
    ids = [below.get(path, f"art/{path}") for path in paths]
    span = table["timeframe"].str.replace(r"\s*[-–]\s*", "-", regex=True)
    return table.assign(**{ID: ids, "timeframe": span}).drop_duplicates(ID)


def _path_of_page(url):
    """https://www.wga.hu/html/a/aachen/allegory.html -> a/aachen/allegory.jpg."""
    path = unquote(urlsplit(url).path).removeprefix("/").removeprefix("html/")
    return str(PurePosixPath(path or "unnamed").with_suffix(".jpg"))


def read_wikiart(folder, collection, every_artist=False):
    """<Style>/<artist>_<title>.jpg and the lists of cs-chan/ArtGAN.

    Args:
        every_artist: take artists from the files' names, else from the lists (23 of them).
    """
    pictures = {"/".join(name.split("/")[-2:]): name for name in find_pictures(folder)}
    pictures = {short: name for short, name in pictures.items() if "/" in short}
    listed = {task: _read_lists(folder, task) for task in ("artist", "genre", "style")}
    nations = _read_nationalities(folder)
    rows = []
    for short in sorted({*pictures, *(name for task in listed.values() for name in task)}):
        artist, title, year = _parts_of_name(short)
        labels = {task: names.get(short, ("", "")) for task, names in listed.items()}
        style = "Art_Nouveau" if (kind := short.split("/")[0]) == "Art_Nouveau_Modern" else kind
        rows.append(
            {
                ID: pictures.get(short, short),
                "style": style,
                "artist": artist if every_artist else labels["artist"][0],
                "genre": labels["genre"][0],
                "nationality": nations.get(artist, ""),
                "title": title,
                "year": year,
                "timeframe": timeframe(year),
                **{f"split_{task}": labels[task][1] for task in listed},
            }
        )
    if not rows:
        raise InputError(f"{folder} holds no Style/picture.jpg; {collection.publisher}")
    return _frame(rows, list(rows[0]))


def _read_lists(folder, task):
    """dict "Style/name.jpg" -> (class, train or val) of a task; {} where it has no lists."""
    files = [_search_file(folder, name) for name in _lists(task)]
    if None in files:  # those that the challenge needs have been asked for before
        return {}
    class_file, *lists = files
    lines = _text(class_file).splitlines()
    classes = dict(line.split(maxsplit=1) for line in lines if len(line.split()) > 1)
    found = {}
    for part, path in zip(("train", "val"), lists, strict=True):
        for number, row in enumerate(_lines(path), 1):
            if len(row) != 2 or row[1].strip() not in classes:
                raise InputError(
                    f"{path}: row {number} is {','.join(row)!r}; accepted: Style/picture.jpg,N"
                    f" with N a number in {class_file.name}"
                )
            found[row[0].strip()] = (classes[row[1].strip()].strip(), part)
    return found


def _read_nationalities(folder):
    """dict artist -> nationality of nationality.csv (artist,nationality), a file of one's own."""
    path = folder / "nationality.csv"
    return dict(row[:2] for row in _lines(path) if len(row) > 1) if path.is_file() else {}


def read_iconart(folder, collection):
    """ImageSets/Main/IconArt_v1.csv (item, 0/1 columns, set) and JPEGImages/<item>.jpg."""
    path = find_file(folder, "IconArt_v1.csv", collection.publisher)
    table = metadata.read_csv(path, *_alone("item", "set", *ICONART_CLASSES))
    return _with_labels(path, table, "item", "set", ICONART_CLASSES)


def read_paintings(folder, collection):
    """painting_dataset_2021.csv (Image URL, Subset, Labels), or Paintings.txt with 0/1 columns."""
    if path := _search_file(folder, "Paintings.txt"):
        table = metadata.read_csv(path, *_alone("name_img", "set", *PAINTINGS_CLASSES))
        return _with_labels(path, table, "name_img", "set", PAINTINGS_CLASSES)
    path = find_file(folder, "painting_dataset_2021.csv", collection.publisher)
    table = metadata.read_csv(path, *_alone("Image URL", "Subset", "Labels"))
    # cells are written 'train' and 'cow dog ', in single quotes
    names = [text.strip(" '").split() for text in table["Labels"]]
    wrong = {name for of_picture in names for name in of_picture} - set(PAINTINGS_CLASSES)
    if wrong:
        told = [f"{name!r}{_near(name, PAINTINGS_CLASSES)}" for name in wrong]
        accepted = ", ".join(PAINTINGS_CLASSES)
        raise InputError(f"{path}: column Labels holds {_some(told)}; accepted: {accepted}")
    for label in PAINTINGS_CLASSES:
        table[label] = [str(int(label in of_picture)) for of_picture in names]
    files = [PurePosixPath(unquote(urlsplit(url).path)).name for url in table["Image URL"]]
    table = table.assign(**{ID: files, "set": table["Subset"].str.strip(" '")})
    return _with_labels(path, table, ID, "set", PAINTINGS_CLASSES)


def _with_labels(path, table, id_column, split_column, classes):
    """The columns id, split and classes of a table; InputError where a class is not 0 or 1."""
    for label in classes:
        wrong = sorted(set(table[label].str.strip()) - {"0", "1"})
        if wrong:
            raise InputError(f"{path}: column {label} holds {wrong[0]!r}; accepted: 0 and 1")
    table = table.rename(columns={id_column: ID, split_column: "split"})
    return table[[ID, "split", *classes]].map(str.strip).drop_duplicates(ID)


_ARTGAN = (
    "kept by github.com/cs-chan/ArtGAN, WikiArt Dataset: a folder per style, and the lists"
    " (wikiart_csv.zip: TASK_class.txt, TASK_train.csv, TASK_val.csv)"
)
_PAINTED = (("form", "painting"),)


def _lists(task):
    return f"{task}_class.txt", f"{task}_train.csv", f"{task}_val.csv"


# Least pictures: of a class "more than N" is N + 1 (Cetinic et al. 2018, section 3).
COLLECTIONS = (
    Collection(
        "rijksmuseum",
        "the Rijksmuseum Challenge (Mensink and van Gemert 2014)",
        "pictures are kept at https://staff.fnwi.uva.nl/t.e.j.mensink/uva12/rijks/; the CSV is laid"
        " out as the authors' metadata/example_metadata.csv (ImageId,dc_creator,dc_materiaal,"
        "dc_type)",
        read_museum,
        (
            ("material", Challenge("dc_materiaal")),
            ("type", Challenge("dc_type")),
            ("artist", Challenge("dc_creator")),
        ),
    ),
    Collection(
        "antwerp",
        "the Antwerp collection (Sabatelli et al. 2018)",
        "its authors give it on request (github.com/paintception/"
        "Deep-Transfer-Learning-for-Art-Classification-Problems); its CSV is taken to be laid out"
        " as the Rijksmuseum's (ImageId,dc_creator,dc_type)",
        read_museum,
        (("type", Challenge("dc_type")), ("artist", Challenge("dc_creator"))),
    ),
    Collection(
        "rasta",
        "RASTA (Lecoutre et al. 2017)",
        "kept by github.com/bnegreve/rasta (wikipaintings_full.tgz)",
        read_rasta,
        (
            ("style", Challenge("style", classes=RASTA_STYLES)),
            ("artist", Challenge("artist")),
            ("timeframe", Challenge("timeframe")),
        ),
        split="column=split",
        sizes=(("train", 66549), ("val", 7383)),
    ),
    Collection(
        "paintings",
        "the Paintings dataset (Crowley and Zisserman 2014)",
        "painting_dataset_2021.csv is kept by Oxford's Visual Geometry Group; it names the pictures"
        " at Art UK",
        read_paintings,
        split="column=split",
        labels=PAINTINGS_CLASSES,
        sizes=(("", 8629),),
    ),
    Collection(
        "iconart",
        "IconArt (Gonthier et al. 2018)",
        "kept at https://wsoda.telecom-paristech.fr/downloads/dataset/IconArt_v1.zip",
        read_iconart,
        split="column=split",
        labels=ICONART_CLASSES,
        sizes=(("", 5955),),
    ),
    Collection(
        "wikiart",
        "WikiArt as Tan et al. 2016 list it",
        _ARTGAN,
        read_wikiart,
        (
            ("style", Challenge("style", classes=WIKIART_STYLES)),
            ("artist", Challenge("artist", files=_lists("artist"))),
            ("genre", Challenge("genre", files=_lists("genre"))),
            ("timeframe", Challenge("timeframe")),
        ),
        split="cetinic2018",
    ),
    Collection(
        "wikiart_cetinic2018",
        "WikiArt with the tasks of Cetinic et al. 2018",
        _ARTGAN + "; nationality.csv (artist,nationality, artists as in the files' names) is one of"
        " your own: nobody publishes it",
        functools.partial(read_wikiart, every_artist=True),
        (
            ("artist", Challenge("artist", 500)),
            ("style", Challenge("style", 801, classes=WIKIART_STYLES)),
            ("genre", Challenge("genre", 1881, files=_lists("genre"))),
            ("nationality", Challenge("nationality", 3200, files=("nationality.csv",))),
        ),
        split="cetinic2018",
    ),
    Collection(
        "wga",
        "the Web Gallery of Art",
        "catalog.csv is in https://www.wga.hu/database/download/data_txt.zip; the pictures are"
        " those of https://www.wga.hu/art/",
        read_wga,
        (
            ("artist", Challenge("artist", 171, where=_PAINTED)),
            ("genre", Challenge("genre", 1001, where=_PAINTED)),
            ("nationality", Challenge("nationality", 501, where=_PAINTED)),
            ("timeframe", Challenge("timeframe", 501, where=_PAINTED)),
            ("form", Challenge("form")),
        ),
        split="cetinic2018",
    ),
    Collection(
        "ticc",
        "the TICC Printmaking Dataset (van Noord and Postma 2017)",
        "where it is kept was not found; its CSV is taken to have the columns ImageId and artist",
        read_museum,
        (("artist", Challenge("artist", 96)),),
        split="cetinic2018",
        sizes=(("", 58630),),
    ),
    Collection(
        "own",
        "a folder of your own",
        "metadata.csv is one of your own: ImageId, and a column for each question; a column year"
        " gives the challenge timeframe",
        read_museum,
    ),
)
