"""The tables of invented artists and schools."""

import numpy as np
import pytest

from toy import brushes
from toy.artists import ARTISTS, MATERIALS, SCHOOLS
from toy.paintings import read_palette
from toy.scenes import SCENES


@pytest.mark.parametrize("artist", ARTISTS, ids=lambda artist: artist.name[:8])
def test_the_tables_of_artists_and_schools_fit_together(artist):
    assert read_palette(artist.palette).shape == (7, 3)
    assert len(artist.materials) == len(MATERIALS) and sum(artist.materials) == pytest.approx(1)
    assert min(artist.materials) > 0  # or a material would rule an artist out
    assert set(SCHOOLS[artist.school]) <= set(SCENES)
    angles = brushes.draw_directions(np.random.default_rng(0), artist.direction, np.eye(64) * 255)
    assert angles.shape == (64, 64) and np.isfinite(angles).all()


def test_the_names_that_break_readers_are_there():
    names = [artist.name for artist in ARTISTS]
    assert any("," in name and '"' in name for name in names)
    assert any("\\xc3\\xab" in name for name in names)
