"""Message types made from a table: what they decode, and what is damaged."""

import pytest

from models.errors import InputError
from models.importers import protobuf

TABLE = {
    "Outer": {
        "name": (1, protobuf.BYTES, protobuf.ONE),
        "numbers": (2, protobuf.INT64, protobuf.MANY),
        "inner": (3, protobuf.BYTES, protobuf.MANY),
    }
}


@pytest.fixture(scope="module")
def outer():
    return protobuf.message_types("tests", TABLE)["Outer"]


@pytest.mark.parametrize("numbers", [b"\x12\x02\x05\x06", b"\x10\x05\x10\x06"])
def test_numbers_are_read_packed_or_not(outer, numbers):
    message = protobuf.decode(outer, b"\x0a\x01x" + numbers + b"\x1a\x00", "file", "a message")
    assert message.name == b"x" and list(message.numbers) == [5, 6] and list(message.inner) == [b""]


def test_inner_messages_stay_encoded(outer):
    """Nesting in a hostile file costs nothing."""
    nested = b""
    for _ in range(50):
        nested = b"\x1a" + bytes([len(nested)]) + nested
    assert protobuf.decode(outer, nested, "file", "a message").inner == [nested[2:]]


@pytest.mark.parametrize("data", [b"\x0a\x05x", b"\xff", b"\x0b", b"\x12\x01\xff"])
def test_damage_is_one_error(outer, data):
    with pytest.raises(InputError, match="file, layer 3 is not a whole message") as error:
        protobuf.decode(outer, data, "file, layer 3", "a whole message")
    assert "\n" not in str(error.value)


def test_tables_of_one_message_name_stay_apart(outer):
    other = protobuf.message_types(
        "more_tests", {"Outer": {"x": (1, protobuf.INT32, protobuf.ONE)}}
    )
    assert other["Outer"](x=3).x == 3 and not hasattr(outer(), "x")
