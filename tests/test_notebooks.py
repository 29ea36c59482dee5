"""The lessons in docs/notebooks: as they are committed, and run from the first cell to the last."""

import os
import re
from pathlib import Path

import nbclient
import nbformat
import pytest

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "notebooks"
NAMES = [
    "1_train_on_your_collection",
    "2_what_a_network_looks_at",
    "3_what_fine_tuning_changed",
]
LONGEST = 16  # lines of code of a cell that is still read


def lesson(name):
    return nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def text(notebook):
    return "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def test_these_are_all_lessons():
    assert sorted(path.stem for path in FOLDER.glob("*.ipynb")) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_committed_without_outputs(name):
    notebook = lesson(name)
    nbformat.validate(notebook)
    for cell in code(notebook):
        assert cell.outputs == [] and cell.execution_count is None and cell.metadata == {}
    assert notebook.metadata.keys() == {"kernelspec", "language_info"}


@pytest.mark.parametrize("name", NAMES)
def test_is_a_lesson(name):
    notebook = lesson(name)
    words = text(notebook)
    assert words.startswith(f"# Lesson {name[0]}: ")
    for part in ("\n## What this does not show\n", "\n## Your own ", "chance"):
        assert part in words, part
    assert re.search(r"\bLook (at|from|whether) ", words)
    assert all(len(cell.source.splitlines()) <= LONGEST for cell in code(notebook))
    for target in re.findall(r"\]\(([^)#:]+)\)", words):
        assert (FOLDER / target).exists(), target


@pytest.fixture(scope="session")
def folder(tmp_path_factory, worker_id):
    """Where all lessons run, of both workers: the first one paints the collection."""
    base = tmp_path_factory.getbasetemp()
    path = (base if worker_id == "master" else base.parent) / "lessons"
    path.mkdir(exist_ok=True)
    return path


def run(name, folder):
    """All that a lesson shows: its printed text and how many pictures; no cell fails or warns."""
    notebook = lesson(name)
    about = {"metadata": {"path": str(folder)}}
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    nbclient.NotebookClient(notebook, timeout=300, resources=about).execute(env=environment)
    shown = [output for cell in code(notebook) for output in cell.outputs]
    streams = [output for output in shown if output.output_type == "stream"]
    assert [stream.text for stream in streams if stream.name == "stderr"] == []
    datas = [output.data for output in shown if "data" in output]
    told = [stream.text for stream in streams] + [data.get("text/markdown", "") for data in datas]
    return "".join(told), sum("image/png" in data for data in datas)


@pytest.mark.slow
def test_train_on_your_collection(folder):
    printed, pictures = run(NAMES[0], folder)
    tuned, _, chance = map(int, re.findall(r"(?:tuned|shelf|chance) (\d+)%", printed))
    assert tuned > chance and pictures == 5
    assert (folder / "new" / "1000.jpg").exists()


@pytest.mark.slow
def test_what_a_network_looks_at(folder):
    printed, pictures = run(NAMES[1], folder)
    right, often = map(int, re.findall(r"(\d+)%", printed)[:2])
    assert right > often and pictures == 4
    assert "saliency: rank correlation" in printed and printed.count("are by one artist") == 3


@pytest.mark.slow
def test_what_fine_tuning_changed(folder):
    printed, pictures = run(NAMES[2], folder)
    hand, ours, shuffled = map(float, re.findall(r": (\d\.\d{3})$", printed, flags=re.M))
    assert hand == ours > shuffled and pictures == 4
    assert "| overlap of the top 20, A and B |" in printed and "falls" in printed
    assert (folder / "results" / "changed" / "index.html").exists()
