"""One painting: same seed, same pixels, labels that fit."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toy.artists import ANONYMOUS, ARTISTS, MATERIALS
from toy.paintings import paint


@pytest.mark.parametrize("material", MATERIALS)
def test_same_seed_same_pixels_other_seed_other_pixels(material):
    first, again, other = (paint(3, seed, None, material).pixels for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert first.shape != other.shape or (first != other).any()


@settings(max_examples=12, deadline=None)
@given(index=st.integers(0, 10_000), seed=st.integers(0, 2**32))
def test_every_painting_is_a_labelled_picture_of_moderate_size(index, seed):
    work = paint(index, seed)
    assert work.pixels.dtype == np.uint8 and work.pixels.shape[2] == 3
    assert min(work.pixels.shape[:2]) >= 96 and max(work.pixels.shape[:2]) <= 200
    assert work.pixels.std() > 5  # something is on it
    artist = next(hand for hand in ARTISTS if hand.name == work.artist)
    assert work.school == artist.school and work.material in MATERIALS
    assert work.creator in (artist.name, ANONYMOUS)


def test_every_class_is_there_and_no_material_names_the_artist(monkeypatch):
    monkeypatch.setattr("toy.paintings._colour_scene", lambda *_: np.zeros((96, 96, 3)))
    monkeypatch.setattr(
        "toy.paintings.MEDIA",
        {name: lambda *a: np.zeros((240, 240, 3)) for name in MATERIALS},
    )
    works = [paint(index, 0) for index in range(720)]
    artists = Counter(work.artist for work in works)
    assert len(artists) == len(ARTISTS) and min(artists.values()) >= 20
    assert {work.material for work in works} == set(MATERIALS)
    assert 10 <= sum(work.creator == ANONYMOUS for work in works) <= 60
    for material in MATERIALS:
        hands_of = Counter(work.artist for work in works if work.material == material)
        assert max(hands_of.values()) < 0.4 * sum(hands_of.values())
