"""What is known of the machine."""

import pytest

from models import backend


def test_cores_and_memory():
    assert backend.cores() >= 1
    free = backend.free_memory()
    assert free is None or free > 1e6


class ResourceExhaustedError(Exception):
    """Named as TensorFlow's."""


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), True),
        (ResourceExhaustedError("anything"), True),
        (RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 8 bytes"), True),
        (ValueError("shapes differ"), False),
    ],
)
def test_out_of_memory(error, expected):
    assert backend.is_out_of_memory(error) is expected
