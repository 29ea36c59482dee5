"""What the schools paint, as plans of roles."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from toy.scenes import ACCENT, EVEN, SCENES, ink

SIZE = 240, 180


def draw(scene, seed):
    plan = Image.new("RGB", SIZE, ink(0))
    SCENES[scene](ImageDraw.Draw(plan), np.random.default_rng(seed), *SIZE)
    return np.asarray(plan)


@pytest.mark.parametrize("scene", SCENES)
def test_a_scene_is_a_plan_of_roles_and_another_one_for_another_seed(scene):
    plan = draw(scene, 0)
    assert plan[..., 0].max() <= ACCENT and not plan[..., 2].any()
    assert len(np.unique(plan[..., 0])) >= 4  # roles seen
    np.testing.assert_array_equal(plan, draw(scene, 0))
    assert (plan != draw(scene, 1)).mean() > 0.05


def test_ink_is_a_role_and_a_brightness():
    assert ink(3) == (3, EVEN, 0) and ink(3, 0.5) == (3, 64, 0)
    assert ink(3, 7) == (3, 255, 0) and ink(3, -1) == (3, 0, 0)
