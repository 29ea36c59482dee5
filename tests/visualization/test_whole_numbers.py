"""Numbers of steps, images, channels that do not exist."""

import re

import numpy as np
import pytest

from models.errors import InputError
from visualization.whole_numbers import channel_numbers, check_below, check_whole, spans


@pytest.mark.parametrize("n", [0, 3, np.int64(3)])
def test_whole_numbers_pass(n):
    check_whole("steps", n)
    check_below("channel", n, 4, "channels of maps")


@pytest.mark.parametrize("n", [-1, 1.0, True, "3", None])
def test_anything_else_is_named_with_what_is_accepted(n):
    message = re.escape(f"steps {n!r}; accepted: a whole number from 0")
    with pytest.raises(InputError, match=f"^{message}$"):
        check_whole("steps", n)


def test_the_least_and_the_count_are_bounds():
    check_whole("batch", 1, least=1)
    with pytest.raises(InputError, match="batch 0; accepted: a whole number from 1"):
        check_whole("batch", 0, least=1)
    with pytest.raises(InputError, match="channel 4; accepted: 0 to 3, the channels of maps"):
        check_below("channel", 4, 4, "channels of maps")


def test_channels_in_words():
    assert channel_numbers("52, 60-63,61") == (52, 60, 61, 62, 63)
    assert channel_numbers("all") is None
    for text in ("a", "1-", "-1", "1,,2", "5-4", "0-999999999"):
        with pytest.raises(InputError, match="^channels "):
            channel_numbers(text)


def test_numbers_as_an_array_takes_them():
    assert spans([7, 1, 3, 2]) == "1-3,7" and spans([5]) == "5" and spans([]) == "nothing"
