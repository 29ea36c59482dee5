"""Learning curves of finished runs, after figures 2 and 3 of Sabatelli et al. 2018."""

import io
import itertools
import textwrap

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from models.errors import InputError
from transfer.recipes import RECIPES
from transfer.results import (
    PAPER_NETWORKS,
    column_of,
    label_column,
    one_line,
    order_networks,
    short_weights,
)

# Captions of Sabatelli et al. 2018, figures 2 and 3: off the shelf, fine tuning, scratch; then
# matplotlib's remaining style.
LINE_STYLES = dict(zip(RECIPES, itertools.cycle(("-.", "--", "-", ":"))))
# Okabe and Ito's palette for colour-blind readers (2008) without yellow, too faint on white; in
# the order of PAPER_NETWORKS, so that InceptionV3 is orange as in the paper.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#000000", "#D55E00")
# Other starting weights than the first have the colour and style of their network: they need one.
MARKERS = ("", "x", "^", "s", "+", "d")
LINE_WIDTH = 1.5  # points, matplotlib's own default
HANDLE_LENGTH = 3.5  # in letter heights: room for two periods of dash and dot
LEGEND_BELOW = 4  # entries that leave the curves above them their height


def learning_curves(runs, title):
    """Draw the accuracy (percent) over the epochs of runs, the best epoch as a dot.

    Several: validation accuracy, one colour per network, dash-dotted off the shelf, dashed fine
    tuning, solid scratch. One: training and validation, accuracy and loss.

    Args:
        runs: list of transfer.run.FinishedRun; those without a history are left out.
        title: of the figure.

    Returns:
        matplotlib Figure.

    Raises:
        InputError: no run has a history.

    Source:
        Sabatelli et al. 2018, figures 2 and 3.
    """
    drawn = [run for run in runs if run.history is not None]
    if not drawn:
        raise InputError(f"no learning curve: none of {len(runs)} runs was trained by epochs")
    alone = len(drawn) == 1
    figure = Figure(figsize=(9, 4.8), layout="constrained")  # inches: a page's width
    figure.suptitle(textwrap.fill(one_line(title), 80), parse_math=False)
    for axes in figure.subplots(1, 2 if alone else 1, squeeze=False)[0]:
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
    if alone:
        _draw_one(figure, drawn[0])
    else:
        _draw_several(figure, drawn)
    return figure


def png(figure):
    """A figure as the bytes of a PNG file."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=150)  # dots per inch: sharp in print at column width
    return buffer.getvalue()


def _draw_one(figure, run):
    epochs, style = run.history["epoch"], LINE_STYLES[run.mode]
    colour = _paints([run])[run.network]["color"]
    panels = (("accuracy", "accuracy (%)", 100), ("loss", "loss (cross-entropy, nats)", 1))
    for axes, (name, label, scale) in zip(figure.axes, panels, strict=True):
        for key, paint, text in ((name, "0.5", "training"), (f"val_{name}", colour, "validation")):
            values = scale * run.history[key]
            axes.plot(epochs, values, style, color=paint, label=text)
        _dot_best(axes, run, values, colour, "best epoch")
        axes.set_ylabel(label)
        axes.legend(handlelength=HANDLE_LENGTH)


def _draw_several(figure, runs):
    axes, paints = figure.axes[0], _paints(runs)
    short = short_weights([column_of(run) for run in runs])
    entries = {}
    for run in runs:
        network, column = run.network, column_of(run)
        values = 100 * run.history["val_accuracy"]
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
        entries.setdefault(f"{network}, {label_column(column, short)}", line)
    (entries["best epoch"],) = axes.plot([], [], "o", color="0.4")
    axes.set_ylabel("validation accuracy (%)")
    _legend(figure, entries)


def _legend(figure, entries):
    lines, labels = list(entries.values()), [one_line(label) for label in entries]
    # never over the curves: below them while the entries are few, else beside them
    place = "outside lower center" if len(entries) <= LEGEND_BELOW else "outside right center"
    legend = figure.legend(lines, labels, fontsize="small", handlelength=HANDLE_LENGTH, loc=place)
    for text in legend.get_texts():
        text.set_parse_math(False)  # a "$" in a name is no formula


def _dot_best(axes, run, values, colour, label=None):
    best = run.metrics.get("best_epoch")
    value = values[run.history["epoch"] == best]
    if len(value):
        axes.plot([best], value, "o", color=colour, label=label)


def _paints(runs):
    # The paper's networks keep their colour whatever else is drawn; others take the next ones,
    # and the eighth network is the first colour again in a wider line.
    drawn = order_networks({run.network for run in runs})
    names = [*PAPER_NETWORKS, *(name for name in drawn if name not in PAPER_NETWORKS)]
    turns = {name: divmod(index, len(COLOURS)) for index, name in enumerate(names)}
    return {
        name: {"color": COLOURS[index], "linewidth": LINE_WIDTH * (1 + turn)}
        for name, (turn, index) in turns.items()
    }
