"""Command: finished runs -> comparison tables and learning curves, after Sabatelli et al. 2018.

    python -m transfer.tables RESULTS_DIR [--out DIR] [--published FILE.csv]

writes comparison.md, comparison.csv, runs.csv and a learning-curve figure per challenge, pairs.csv
where runs were tested on the same pictures, chains.csv where one started from another, and prints
the Markdown. Published figures, such as papers/published/sabatelli2018/table2.csv, are shown and
written apart, never merged with ours.
"""

import argparse
import csv
import itertools
import re
import sys
import unicodedata
from pathlib import Path
from urllib.parse import quote

from models.command import exit_code
from models.errors import InputError
from transfer.result_folder import check_place
from transfer.run import find_runs

PUBLISHED_COLUMNS = ("source", "dataset", "challenge", "network", "note")
NAME_BYTES = 200  # file systems take 255 per name; the rest is for the ending


def flags():
    """The command's flags."""
    parser = argparse.ArgumentParser(prog="python -m transfer.tables", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("results_dir", nargs="?", type=Path, help="The folder with finished runs.")
    parser.add_argument(
        "--out", type=Path, help="The folder to write to (default: RESULTS_DIR/tables)."
    )
    parser.add_argument(
        "--published",
        action="append",
        default=[],
        type=Path,
        metavar="FILE.csv",
        help="Show a published table too, e.g. papers/published/sabatelli2018/table2.csv.",
    )
    return parser


@exit_code
def main(argv=None):
    """Run the command; returns its exit code."""
    parser = flags()
    arguments = parser.parse_args(argv)
    if not arguments.results_dir and not arguments.published:
        parser.error("nothing to do: give RESULTS_DIR, --published FILE.csv or both")
    out = arguments.out or (arguments.results_dir and arguments.results_dir / "tables")
    # what can be known before pandas and matplotlib are imported
    published_pages(arguments.published)
    if arguments.results_dir:
        find_runs(arguments.results_dir)
    if out:
        check_place(out)
    files, pages = make_files(arguments.results_dir, arguments.published)
    if out:
        write_files(out, files)
    encoding = sys.stdout.encoding or "utf-8"
    text = "\n".join(files[page].decode() for page in pages)
    print(text.encode(encoding, "backslashreplace").decode(encoding), end="")


def make_files(results_dir, published):
    """Every file as name -> bytes, and the names of those to print.

    Args:
        results_dir: folder with finished runs, or None.
        published: paths of published tables.
    """
    from transfer import results

    files = collate(results_dir) if results_dir else {}
    pages = ["comparison.md"] if results_dir else []
    for page, path in published_pages(published).items():
        files[page] = _encoded(results.published_page(path))
        pages.append(page)
    return files, pages


def published_pages(paths):
    """The pages of published tables: dict name -> path of the CSV file.

    Raises:
        InputError: no such file, a file that is no published table of accuracies, or two files
            whose pages would have one name.
    """
    pages = {}
    for path in paths:
        if not path.is_file():
            raise InputError(f"{path}: no such file; accepted: the CSV file of a published table")
        try:
            with path.open(newline="", encoding="utf-8") as file:
                columns = next(csv.reader(file), [])
        except (UnicodeDecodeError, csv.Error) as error:
            raise InputError(f"{path}: not a CSV file in UTF-8 ({error})") from error
        missing = [name for name in PUBLISHED_COLUMNS if name not in columns]
        if missing:
            raise InputError(
                f"{path}: no column {missing[0]!r}; a published table of accuracies has "
                f"{', '.join(PUBLISHED_COLUMNS)}"
            )
        page = f"published_{path.resolve().parent.name}_{path.stem}.md"
        if page in pages:
            raise InputError(f"{path} and {pages[page]} would both be written to {page}")
        pages[page] = path
    return pages


def write_files(folder, files):
    """Write files, each whole or not at all; files: name -> bytes."""
    from transfer.result_folder import write_bytes

    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        write_bytes(folder / name, content)


def collate(results_dir):
    """Make every table and figure of the runs below a folder.

    Returns:
        dict file name -> content as bytes, comparison.md first.

    Raises:
        InputError: a run is damaged or there is none.
    """
    from transfer import chains, plots, results, run_pairs
    from transfer.result_folder import csv_bytes
    from transfer.run import read_runs

    runs = read_runs(results_dir)
    comparisons = results.compare(runs)
    figures, sections, pairs = {}, [], []
    for comparison in comparisons:
        drawn = [run for run in comparison.curves if run.history is not None]
        link = None
        if drawn:
            title = comparison.title
            if len(drawn) == 1:  # no legend says which network this is
                title += f", {drawn[0].network}, {drawn[0].mode}"
            name = _figure_name(drawn[0], figures)
            figures[name] = plots.png(plots.learning_curves(drawn, title))
            link = quote(name)
        sections.append(results.section(comparison, link))
        found = run_pairs.pairs_of(comparison)
        pairs += [(comparison, one) for one in found]
        sections += [run_pairs.matrix(one) for one in run_pairs.shown(found)]
    frames = {
        "comparison.csv": results.comparison_frame(comparisons),
        "runs.csv": results.runs_frame(runs, results_dir),
    }
    stages = chains.find_chains(runs)
    if stages:
        sections.append(chains.section(stages))
        frames["chains.csv"] = chains.chains_frame(stages, results_dir)
    if pairs:
        frames["pairs.csv"] = run_pairs.pairs_frame(pairs)
    return {
        "comparison.md": _encoded(results.page(comparisons, sections)),
        "runs.md": _encoded(results.every_run(runs, results_dir)),
        **{name: csv_bytes(frame) for name, frame in frames.items()},
        **figures,
    }


def _figure_name(run, taken):
    # The plain name where it is free; two names that differ only in what a file name cannot
    # hold, or only in being a toy collection, are numbered.
    words = unicodedata.normalize("NFC", f"{run.dataset}_{run.challenge}")
    stem = re.sub(r"[^\w.-]+", "_", words).lstrip(".-").encode("utf-8", "ignore")
    stem = stem[:NAME_BYTES].decode("utf-8", "ignore")
    for mark in itertools.chain([""], (f"_{number}" for number in itertools.count(2))):
        name = f"{stem}{mark}_learning_curves.png"
        if name.casefold() not in map(str.casefold, taken):
            return name


def _encoded(text):
    return text.encode("utf-8", "backslashreplace")


if __name__ == "__main__":
    sys.exit(main())
