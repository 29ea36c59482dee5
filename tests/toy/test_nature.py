"""Natural pictures: balanced, the same for one seed."""

from collections import Counter

import numpy as np

from toy.nature import CLASSES, DRAWINGS, render_picture, render_pictures


def test_natural_pictures_are_balanced_and_the_same_again():
    pictures, labels = render_pictures(2 * len(CLASSES), seed=4)
    assert pictures.shape == (2 * len(CLASSES), 64, 64, 3) and pictures.dtype == np.uint8
    assert set(Counter(labels.tolist()).values()) == {2} and len(DRAWINGS) == 20
    np.testing.assert_array_equal(pictures[7], render_picture(7, 4))
    later, _ = render_pictures(3, seed=4, first=7)
    np.testing.assert_array_equal(later[0], pictures[7])
    assert (pictures.reshape(len(pictures), -1).std(axis=1) > 3).all()
