"""The command's files, of made-up runs and of some that an earlier version wrote."""

import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from transfer import results, tables

BEFORE = Path(__file__).parent / "made_before"
PUBLISHED = Path(__file__).parents[2] / "papers" / "published" / "sabatelli2018"


def test_results_of_an_earlier_version_give_the_same_text(tmp_path):
    """The three modes of the toy collection as 9785ee5 wrote them; runs.* are its tables too."""
    shutil.copytree(BEFORE / "toy", tmp_path / "toy")
    files = tables.collate(tmp_path)
    for expected in (BEFORE / "tables").iterdir():
        mark = b"\xef\xbb\xbf" if expected.suffix == ".csv" else b""
        assert files[expected.name] == mark + expected.read_bytes(), expected.name
    assert "toy_artist_learning_curves.png" in files


def test_command_writes_every_file_and_prints_the_markdown(tmp_path, capsys, write_run):
    write_run(tmp_path / "rijks/dc_type/VGG19/fine_tuning", versions={"keras": "3.15"})
    write_run(tmp_path / "rijks/dc_type/VGG19/svm", classifier="svm", loss=None, extra=7)
    write_run(tmp_path / "rijks/dc_type/VGG19/.random.part", ANN="Unfinished")
    write_run(tmp_path / ".tmp/rijks/dc_type/VGG19/random", ANN="Unfinished")
    assert tables.main([str(tmp_path)]) == 0
    out = tmp_path / "tables"
    figure = "rijks_dc_type_learning_curves.png"
    tables_written = ["comparison.csv", "comparison.md", figure, "runs.csv", "runs.md"]
    assert sorted(os.listdir(out)) == tables_written
    text = (out / "comparison.md").read_text(encoding="utf-8")
    assert capsys.readouterr().out == text
    assert f"({figure})" in text and "Unfinished" not in text
    assert (out / figure).read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    with (out / "runs.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["run"] for row in rows] == [
        f"rijks/dc_type/VGG19/{n}" for n in ("fine_tuning", "svm")
    ]
    assert set(results.METRICS) < set(rows[0])
    assert (rows[0]["extra"], rows[1]["extra"]) == ("", "7")
    assert (rows[0]["top1_accuracy"], rows[1]["loss"]) == ("0.9027", "")
    assert json.loads(rows[0]["versions"]) == {"keras": "3.15"}


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (["nowhere"], "nowhere: no such folder"),
        (["."], "no finished run found"),
        (["--published", "nobody2018"], "nobody2018: no such file"),
        (["--published", "file"], "file: no column 'source'"),
        (["--published", "twins/a/t.csv", "--published", "twins/b/a/t.csv"], "published_a_t.md"),
        (["--published", str(PUBLISHED / "table2.csv"), "--out", "file/x"], "file is a file"),
    ],
)
def test_what_cannot_be_is_told_without_pandas(tmp_path, given, named):
    (tmp_path / "file").write_text("")
    for folder in ("a", "b/a"):
        (tmp_path / "twins" / folder).mkdir(parents=True)
        shutil.copy(PUBLISHED / "table2.csv", tmp_path / "twins" / folder / "t.csv")
    script = (
        "import sys\nfrom transfer import tables\ncode = tables.main(sys.argv[1:])\n"
        "print(code, sorted({'tensorflow', 'keras', 'matplotlib', 'pandas'} & set(sys.modules)))"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", script, *given]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == "2 []\n" and named in done.stderr and done.stderr.count("\n") == 1


def test_a_failed_write_leaves_no_part_behind(tmp_path, monkeypatch, write_run):
    def full(*_):
        raise OSError("No space left on device")

    write_run(tmp_path / "run")
    monkeypatch.setattr(os, "replace", full)
    assert tables.main([str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert os.listdir(tmp_path / "out") == []


def test_hostile_names_break_nothing(tmp_path, write_run):
    name = 'é| "q"\n$x_{$ *b*/..\\ <i>'
    for number, challenge in enumerate((name, name + "|")):
        write_run(tmp_path / str(number), dataset=name, challenge=challenge, ANN=name, weights=name)
        write_run(tmp_path / f"{number}b", dataset=name, challenge=challenge, ANN="_" + name)
    files = tables.collate(tmp_path)
    pictures = [file for file in files if file.endswith(".png")]
    assert len(pictures) == 2 and all(re.fullmatch(r"[\w.-]+", file) for file in pictures)
    header, *rows = csv.reader(io.StringIO(files["runs.csv"].decode("utf-8-sig"), newline=""))
    assert [dict(zip(header, row, strict=True))["dataset"] for row in rows] == [name] * 4
    for block in files["comparison.md"].decode().split("\n\n"):
        if block.startswith("|"):
            bars = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
            assert len(bars) == 1


def test_published_tables_are_written_apart(tmp_path, capsys, write_run):
    write_run(tmp_path / "run")
    assert tables.main([str(tmp_path), "--published", str(PUBLISHED / "table3.csv")]) == 0
    ours = (tmp_path / "tables/comparison.md").read_text(encoding="utf-8")
    theirs = (tmp_path / "tables/published_sabatelli2018_table3.md").read_text(encoding="utf-8")
    assert "Published" not in ours and theirs.startswith("# Published figures: Sabatelli")
    assert capsys.readouterr().out == ours + "\n" + theirs
    page = PUBLISHED.parent / "gonthier2020" / "table1.csv"
    assert tables.main(["--published", str(page)]) == 2
    assert "no column 'source'" in capsys.readouterr().err


def test_a_published_table_in_another_encoding_is_named(tmp_path, capsys):
    (tmp_path / "table.csv").write_bytes("source,Größe\n".encode("latin-1"))
    assert tables.main(["--published", str(tmp_path / "table.csv")]) == 2
    assert "not a CSV file in UTF-8" in capsys.readouterr().err
