"""Colours, overlays and the files of figures."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose

from visualization import figures
from visualization.page import DPI, plan
from visualization.saliency.deletion_insertion import Curves
from visualization.saliency.randomisation import Randomisation
from visualization.views import RANDOM, Check


@given(arrays(np.float32, (4, 5), elements=st.floats(-1e6, 1e6, width=32)))
def test_shades_keep_sign_and_order(mask):
    shades = figures.shades(mask)
    assert np.abs(shades).max() <= 1
    assert (shades * mask >= 0).all()
    order = np.argsort(mask, axis=None, kind="stable")
    assert (np.diff(shades.ravel()[order]) >= 0).all()


def test_the_greatest_hundredth_is_cut():
    mask = np.arange(101.0)[None]
    assert_allclose(figures.shades(mask)[0, [0, 50, 99, 100]], [0, 50 / 99, 1, 1])
    assert_allclose(figures.shades(np.zeros((2, 2))), 0)
    single = np.zeros((20, 20))
    single[0, 0] = 5  # the percentile is 0
    assert figures.shades(single)[0, 0] == 1


def test_signed_masks_are_white_at_0():
    colours = figures.heat(np.array([[-2.0, 0.0, 2.0]]))
    assert (colours[0, 1] > 0.95).all()
    assert colours[0, 0, 2] > colours[0, 0, 0] and colours[0, 2, 0] > colours[0, 2, 2]
    assert figures.heat(np.array([[0.0, 2.0]]))[0, 0].max() < 0.05


def test_an_overlay_is_grey_where_the_mask_is_0():
    picture = np.full((4, 8, 3), (255, 0, 0), np.uint8)
    mask = np.zeros((2, 4))
    assert_allclose(figures.overlay(picture, mask), 0.299)
    mask[:, 2:] = 1
    found = figures.overlay(picture, mask)
    assert_allclose(found[:, 0], 0.299)
    brightest = figures.heat(np.array([[0.0, 1.0]]))[0, 1]
    assert_allclose(found[:, -1] - (0.15 * 0.299 + 0.85 * brightest), 0, atol=1e-6)


@pytest.mark.parametrize(
    ("ending", "magic"), [("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<?xml")]
)
def test_formats_and_the_same_bytes_twice(ending, magic):
    seen = [figures.Seen(np.ones((3, 3)), "class $1"), figures.Seen(np.eye(3))]
    row = figures.Row("a_$x$", 2.0, np.zeros((6, 6, 3)), seen)

    def made():
        titles = ["one\nvery " + "long " * 20, "two"]
        figure = figures.saliency_page(titles, [row, row], plan(2, 5, 60))
        return figures.encoded(figure, ending)

    content = made()
    assert content.startswith(magic) and content == made()


def drawn_texts(figure):
    return {text.get_text(): text.get_color() for text in figure.texts}


def test_right_and_wrong_are_told_apart_by_mark_and_colour():
    seen = [figures.Seen(np.eye(3), f"class {right}", right) for right in (True, False, None)]
    row = figures.Row("name\n山水", 1.0, np.zeros((6, 6, 3)), seen)
    figure = figures.saliency_page(
        ["a", "b", "c"], [row], plan(1, 7, 80, lines=2), lambda line: None
    )
    texts = drawn_texts(figure)
    assert {"✓ class True", "✗ class False", "class None"} <= texts.keys()
    assert len({texts[t] for t in ("✓ class True", "✗ class False", "class None")}) == 3
    assert any(text.startswith("name\n") for text in texts)


def test_wide_letters_count_twice_and_a_cut_is_shown():
    assert figures._fitted("abcdef", 6) == "abcdef" and figures._fitted("abcdef", 5) == "abcd…"
    assert figures._fitted("山水画", 6) == "山水画" and figures._fitted("山水画", 5) == "山水…"


def test_a_page_is_as_large_as_its_plan_says_and_holds_every_row():
    rows = [
        figures.Row(f"row {n}", 1.0, np.full((4, 4, 3), n), [figures.Seen(np.eye(3), "")])
        for n in range(23)
    ]
    laid = plan(23, 3, 60)
    assert laid.blocks > 1
    figure = figures.saliency_page(["title"], rows, laid)
    width, height = figure.get_size_inches() * DPI
    assert abs(width - laid.width) < 1 and abs(height - laid.height) < 1
    assert {f"row {n}" for n in range(23)} <= drawn_texts(figure).keys()
    assert len(figure.axes) == 23 * 3
    boxes = [axes.get_position().bounds for axes in figure.axes]
    assert all(x >= 0 and y >= 0 and x + w <= 1 and y + h <= 1 for x, y, w, h in boxes)
    assert len({(round(x, 5), round(y, 5)) for x, y, _, _ in boxes}) == 23 * 3


def check(classes):
    found = Randomisation(("", "top", "first"), np.array([[1, 1], [0.5, 0.7], [np.nan, 0.25]]))
    curves = Curves(np.array([0, 1]), np.array([[1.0, 0], [0.5, 0]]), np.array([0.5, 0.25]))
    every = {"saliency": curves, RANDOM: curves} if classes else {}
    return Check("net\nfile", "probability" if classes else None, {"saliency": found}, every, every)


def test_checks_with_and_without_classes():
    figure = figures.check_figure([check(True), check(False)])
    randomised, deleted = figure.axes[0], figure.axes[1]
    assert_allclose(randomised.lines[0].get_ydata(), [1, 0.6, 0.25])
    assert_allclose(deleted.lines[0].get_ydata(), [0.75, 0])
    assert deleted.get_legend().get_texts()[1].get_text() == "random order: area 0.375"
    assert len(figure.axes) == 6 and not figure.axes[4].lines
    assert len(figures.check_figure([check(False)]).axes) == 1
