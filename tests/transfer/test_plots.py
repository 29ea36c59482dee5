"""Learning curves of made-up runs."""

import pytest

from models.errors import InputError
from transfer import plots
from transfer.recipes import RECIPES


def figure_of(several):
    return plots.learning_curves(several, "a $title")


def curves(axes):
    """Label -> line of a figure with several runs; the dots of the best epochs have no line."""
    legend = axes.get_legend() or axes.figure.legends[0]
    labels = [text.get_text() for text in legend.get_texts()]
    drawn = [line for line in axes.get_lines() if line.get_linestyle() != "None"]
    return dict(zip(labels, drawn, strict=False))


def test_several_runs_are_drawn_as_in_the_papers_captions(made):
    modes = {"off_the_shelf": "-.", "fine_tuning": "--", "random": "-"}
    networks = ("Xception", "InceptionV3", "ResNet50", "VGG19")
    figure = figure_of([made(ANN=n, tl_mode=mode) for n in networks for mode in modes])
    (axes,) = figure.axes
    lines = curves(axes)
    assert len(lines) == 12 and len(figure.legends) == 1 and axes.get_legend() is None
    colours = {}
    for label, line in lines.items():
        network, mode = label.split(", ")
        colours.setdefault(network, set()).add(line.get_color())
        named = [key for key in modes if RECIPES[key].title == mode]
        assert line.get_linestyle() == modes[named[0]]
        assert list(line.get_xdata()) == [1, 2, 3]
        assert list(line.get_ydata()) == [25, 50, 45]
    assert all(len(used) == 1 for used in colours.values())
    assert len(set.union(*colours.values())) == 4
    dots = [line for line in axes.get_lines() if line.get_marker() == "o" and len(line.get_xdata())]
    assert {(dot.get_xdata()[0], dot.get_ydata()[0]) for dot in dots} == {(2, 50)}
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("epoch", "validation accuracy (%)")


def test_other_weights_and_an_eighth_network_stay_distinct(made):
    several = [made(ANN=f"Net{n}", weights=w) for n in range(9) for w in ("imagenet", "w.h5")]
    drawn = curves(figure_of(several).axes[0]).values()
    looks = {(line.get_color(), line.get_linewidth(), line.get_marker()) for line in drawn}
    assert len(drawn) == len(looks) == 18


def test_one_run_shows_training_and_validation_and_its_best_epoch(made):
    several = [made(), made(classifier="svm", tl_mode="off_the_shelf")]
    accuracy, loss = figure_of(several).axes
    history = several[0].history
    for axes, scale, name in ((accuracy, 100, "accuracy"), (loss, 1, "loss")):
        lines = {line.get_label(): line for line in axes.get_lines()}
        for label, key in (("training", name), ("validation", f"val_{name}")):
            expected = [scale * value for value in history[key]]
            assert list(lines[label].get_ydata()) == expected
        assert list(lines["best epoch"].get_ydata()) == [scale * history[f"val_{name}"][1]]
    assert plots.png(plots.learning_curves(several, "$é\n{")).startswith(b"\x89PNG")


def test_a_run_without_epochs_has_no_curve(made):
    with pytest.raises(InputError, match="none of 1 runs"):
        plots.learning_curves([made(classifier="svm")], "title")
