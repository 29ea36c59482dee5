"""The rules of the design that a program can read off the source."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ORDER = ["models", "transfer", "visualization"]
SOURCES = sorted(path for package in ORDER for path in (ROOT / package).rglob("*.py"))
COMMANDS = {
    "models/__main__.py",
    "transfer/experiment.py",
    "transfer/tables.py",
    "visualization/deep_viz.py",
    "visualization/render.py",
    "visualization/sheet.py",
}
PLOTTING = {"transfer/plots.py", "visualization/figures.py"}


def imported(path):
    """Names of the modules that a file imports, with `from a import b` as a.b."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def name(path):
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_imports_go_one_way(path):
    here = ORDER.index(path.relative_to(ROOT).parts[0])
    later = {module for module in imported(path) if module.split(".")[0] in ORDER[here + 1 :]}
    assert not later


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_flags_and_plots_stay_at_the_edges(path):
    roots = {module.split(".")[0] for module in imported(path)}
    assert "argparse" not in roots or name(path) in COMMANDS
    assert "matplotlib" not in roots or name(path) in PLOTTING


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_functions_are_short(path):
    text = path.read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            lines = node.end_lineno - node.lineno + 1
            documented = len((ast.get_docstring(node) or "").splitlines())
            assert lines - documented <= (30 if node.name == "main" else 40), node.name


def test_the_rules_see_a_breach(tmp_path):
    path = tmp_path / "wrong.py"
    path.write_text("import matplotlib.pyplot\nfrom transfer import tables\n")
    assert set(imported(path)) == {"matplotlib.pyplot", "transfer.tables"}
