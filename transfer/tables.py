"""Command: finished runs -> comparison tables and learning curves, after Sabatelli et al. 2018.

    python -m transfer.tables RESULTS_DIR [--out DIR] [--published sabatelli2018_table2]

writes comparison.md, comparison.csv, runs.csv and a learning-curve figure per challenge, and
prints the Markdown. Published figures are shown and written apart, never merged with ours.
"""

import argparse
import io
import itertools
import re
import sys
import textwrap
import unicodedata
from pathlib import Path
from urllib.parse import quote

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from models.command import exit_code
from models.errors import InputError
from transfer import folders, tabulate
from transfer.runs import (
    PAPER_NETWORKS,
    collect,
    column_label,
    column_of,
    compare,
    network_order,
    short_weights,
)

# Captions of Sabatelli et al. 2018, figures 2 and 3.
LINE_STYLES = {"off_the_shelf": "-.", "fine_tuning": "--", "random": "-"}
# Okabe and Ito's palette for colour-blind readers (2008) without yellow, too faint on white; in
# the order of PAPER_NETWORKS, so that InceptionV3 is orange as in the paper.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#000000", "#D55E00")
# Other starting weights than the first have the colour and style of their network: they need one.
MARKERS = ("", "x", "^", "s", "+", "d")
LINE_WIDTH = 1.5  # points, matplotlib's own default
HANDLE_LENGTH = 3.5  # in letter heights: room for two periods of dash and dot
LEGEND_BELOW = 4  # entries that leave the curves above them their height
NAME_BYTES = 200  # file systems take 255 per name; the rest is for the ending


def learning_curve_figure(runs, title):
    """Draw the accuracy (percent) over the epochs of runs, the best epoch as a dot.

    runs: list of Run; those without a history are left out. Several: validation accuracy, one
    colour per network, dash-dotted off the shelf, dashed fine tuning, solid scratch. One:
    training and validation, accuracy and loss. Returns a matplotlib Figure. Raises InputError
    when no run has a history. Source: Sabatelli et al. 2018, figures 2 and 3.
    """
    drawn = [run for run in runs if run.history]
    if not drawn:
        raise InputError(f"no learning curve: none of {len(runs)} runs was trained by epochs")
    alone = len(drawn) == 1
    figure = Figure(figsize=(9, 4.8), layout="constrained")  # inches: a page's width
    figure.suptitle(textwrap.fill(tabulate.one_line(title), 80), parse_math=False)
    for axes in figure.subplots(1, 2 if alone else 1, squeeze=False)[0]:
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
    if alone:
        _draw_one(figure, drawn[0])
    else:
        _draw_several(figure, drawn)
    return figure


def plot_learning_curves(runs, path, title):
    """Write `learning_curve_figure` of the runs as a PNG; the file is whole or absent.

    path: of the PNG, in a folder that exists. Raises InputError when no run has a history.
    """
    folders.write_bytes(path, _png(learning_curve_figure(runs, title)))


def collate(results_dir):
    """Make every table and figure of the runs below a folder.

    Returns file name -> content as bytes, comparison.md first. Raises InputError when a run is
    damaged or there is none.
    """
    runs = collect(results_dir)
    comparisons = compare(runs)
    figures = {}
    for comparison in comparisons:
        drawn = [run for run in comparison.runs if run.history]
        if drawn:
            title = comparison.title
            if len(drawn) == 1:  # no legend says which network this is
                title += ", {ANN}, {tl_mode}".format(**drawn[0].metrics)
            name = _figure_name(comparison, figures)
            figures[name] = (comparison, learning_curve_figure(drawn, title))
    links = {id(comparison): quote(name) for name, (comparison, _) in figures.items()}
    sections = [tabulate.section(c, links.get(id(c))) for c in comparisons]
    return {
        "comparison.md": _encoded(tabulate.page(sections)),
        "runs.md": _encoded(tabulate.every_run(runs, results_dir)),
        "comparison.csv": _encoded(tabulate.csv_text(tabulate.comparison_rows(comparisons))),
        "runs.csv": _encoded(tabulate.csv_text(tabulate.run_rows(runs, results_dir))),
        **{name: _png(figure) for name, (_, figure) in figures.items()},
    }


@exit_code
def main(argv=None):
    args = _arguments(argv)
    files, printed = {}, []
    if args.results_dir:
        files = collate(args.results_dir)
        printed.append(files["comparison.md"])
    for name in args.published:
        files[f"published_{name}.md"] = _encoded(tabulate.published_page(name))
        printed.append(files[f"published_{name}.md"])
    out = args.out or (args.results_dir and args.results_dir / "tables")
    if out:
        out.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            folders.write_bytes(out / name, content)
    encoding = sys.stdout.encoding or "utf-8"
    text = "\n".join(page.decode() for page in printed)
    print(text.encode(encoding, "backslashreplace").decode(encoding), end="")


def _arguments(argv):
    parser = argparse.ArgumentParser(prog="python -m transfer.tables", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("results_dir", nargs="?", type=Path, help="folder with finished runs")
    parser.add_argument("--out", type=Path, help="folder to write to (RESULTS_DIR/tables)")
    parser.add_argument(
        "--published",
        action="append",
        default=[],
        metavar="NAME",
        help="also show a published table: " + ", ".join(tabulate.published_names()),
    )
    args = parser.parse_args(argv)
    if not args.results_dir and not args.published:
        parser.error("nothing to do: give RESULTS_DIR, --published NAME or both")
    return args


def _draw_one(figure, run):
    epochs, style = run.history["epoch"], LINE_STYLES[run.metrics["tl_mode"]]
    colour = _paints([run])[run.metrics["ANN"]]["color"]
    panels = (("accuracy", "accuracy (%)", 100), ("loss", "loss (cross-entropy, nats)", 1))
    for axes, (name, label, scale) in zip(figure.axes, panels, strict=True):
        for key, paint, text in ((name, "0.5", "training"), (f"val_{name}", colour, "validation")):
            values = [scale * value for value in run.history[key]]
            axes.plot(epochs, values, style, color=paint, label=text)
        _dot_best(axes, run, values, colour, "best epoch")
        axes.set_ylabel(label)
        axes.legend(handlelength=HANDLE_LENGTH)


def _draw_several(figure, runs):
    axes, paints = figure.axes[0], _paints(runs)
    short = short_weights([column_of(run) for run in runs])
    entries = {}
    for run in runs:
        network, column = run.metrics["ANN"], column_of(run)
        values = [100 * value for value in run.history["val_accuracy"]]
        turn = list(short).index(column.weights) if column.weights in short else 0
        (line,) = axes.plot(
            run.history["epoch"],
            values,
            linestyle=LINE_STYLES[column.tl_mode],
            marker=MARKERS[turn % len(MARKERS)],
            markersize=4,
            **paints[network],
        )
        _dot_best(axes, run, values, paints[network]["color"])
        entries.setdefault(f"{network}, {column_label(column, short)}", line)
    (entries["best epoch"],) = axes.plot([], [], "o", color="0.4")
    axes.set_ylabel("validation accuracy (%)")
    _legend(figure, entries)


def _legend(figure, entries):
    lines, labels = list(entries.values()), [tabulate.one_line(label) for label in entries]
    # never over the curves: below them while the entries are few, else beside them
    place = "outside lower center" if len(entries) <= LEGEND_BELOW else "outside right upper"
    legend = figure.legend(lines, labels, fontsize="small", handlelength=HANDLE_LENGTH, loc=place)
    for text in legend.get_texts():
        text.set_parse_math(False)  # a "$" in a name is no formula


def _dot_best(axes, run, values, colour, label=None):
    best = run.metrics.get("best_epoch")
    if best in run.history["epoch"]:
        value = values[run.history["epoch"].index(best)]
        axes.plot([best], [value], "o", color=colour, label=label)


def _paints(runs):
    # The paper's networks keep their colour whatever else is drawn; others take the next ones,
    # and the eighth network is the first colour again in a wider line.
    drawn = network_order({run.metrics["ANN"] for run in runs})
    names = [*PAPER_NETWORKS, *(name for name in drawn if name not in PAPER_NETWORKS)]
    turns = {name: divmod(index, len(COLOURS)) for index, name in enumerate(names)}
    return {
        name: {"color": COLOURS[index], "linewidth": LINE_WIDTH * (1 + turn)}
        for name, (turn, index) in turns.items()
    }


def _figure_name(comparison, taken):
    # The plain name where it is free; two names that differ only in what a file name cannot
    # hold, or only in being a toy collection, are numbered.
    words = unicodedata.normalize("NFC", f"{comparison.dataset}_{comparison.challenge}")
    stem = re.sub(r"[^\w.-]+", "_", words).lstrip(".-").encode("utf-8", "ignore")
    stem = stem[:NAME_BYTES].decode("utf-8", "ignore")
    for mark in itertools.chain([""], (f"_{number}" for number in itertools.count(2))):
        name = f"{stem}{mark}_learning_curves.png"
        if name.casefold() not in map(str.casefold, taken):
            return name


def _png(figure):
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=150)  # dots per inch: sharp in print at column width
    return buffer.getvalue()


def _encoded(text):
    return text.encode("utf-8", "backslashreplace")


if __name__ == "__main__":
    sys.exit(main())
