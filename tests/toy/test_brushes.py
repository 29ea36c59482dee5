"""Marks on a surface."""

import numpy as np
import pytest

from toy import brushes


def test_strokes_are_where_and_as_long_as_asked():
    one = np.ones(1)
    outline = brushes.outline_strokes(np.array([[50.0, 40.0]]), 0 * one, 20 * one, 4 * one, 0 * one)
    np.testing.assert_allclose(outline[0].min(axis=0), [40, 38])
    np.testing.assert_allclose(outline[0].max(axis=0), [60, 42])


def test_bristles_vary_less_along_the_stroke_than_across():
    hairs = brushes.draw_bristles(np.random.default_rng(0), np.zeros((64, 64)))
    along, across = np.diff(hairs[8:-8], axis=1).std(), np.diff(hairs[8:-8], axis=0).std()
    assert along < 0.8 * across
    assert hairs.std() == pytest.approx(1, abs=0.1)


def test_light_falls_on_a_step_from_the_upper_left():
    step = np.zeros((4, 4))
    step[2:, 2:] = 1
    light = brushes.light_relief(step)
    assert light[2, 2] == 1 and light[3, 3] == 0 and light[1, 1] == 0
