"""Where rows stand on pages, and tiles that memory does not hold."""

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import memory
from models.errors import InputError
from visualization import page


@given(st.integers(1, 300), st.integers(1, 12), st.integers(8, 1200), st.integers(1, 2))
def test_every_row_has_a_place_and_a_page_is_bounded(count, pairs, tile, lines):
    laid = page.plan(count, 2 * pairs + 1, tile, lines=lines)
    places = laid.pages * laid.blocks * laid.rows
    assert places >= count > places - laid.blocks * laid.rows - laid.pages * laid.blocks
    assert laid.width <= page.MOST_SIDE or laid.blocks == 1
    assert laid.height <= page.MOST_SIDE or laid.rows == 1


def test_many_pictures_are_a_page_of_columns():
    laid = page.plan(60, 3, 224)
    assert laid.pages == 1 and laid.blocks > 1
    assert max(laid.width, laid.height) <= 4000 < 60 * laid.row_height
    assert 0.5 < laid.width / laid.height < 2
    few = page.plan(4, 7, 128)
    assert (few.pages, few.blocks, few.rows) == (1, 1, 4)
    assert page.plan(60, 7, 224).pages > 1


def test_a_tile_that_memory_does_not_hold_names_one_that_it_does(monkeypatch):
    monkeypatch.setattr(memory, "free", lambda: 2e9)
    page.check_tile(8, 3, 224)
    with pytest.raises(InputError, match=r"^tile is 20000: .* of memory, of which 2 GB are free"):
        page.check_tile(8, 3, 20000)
    try:
        page.check_tile(8, 3, 20000)
    except InputError as error:
        fits = int(re.search(r"a tile of (\d+) pixels can be drawn here", str(error))[1])
    assert fits > 1000
    page.check_tile(8, 3, fits)


def test_more_pixels_than_can_be_drawn_are_refused_whatever_the_memory(monkeypatch):
    monkeypatch.setattr(memory, "free", lambda: None)
    page.check_tile(1, 3, 20000)
    with pytest.raises(InputError, match="a tile of 218.. pixels"):
        page.check_tile(1, 3, 30000)
    monkeypatch.setattr(memory, "free", lambda: math.inf)
    with pytest.raises(InputError, match="tile is 70000"):
        page.check_tile(1, 1, 70000)
