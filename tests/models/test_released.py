"""Where the released Rijksmuseum weights are looked for, and how they are checked."""

import hashlib

import keras
import pytest

from models import released
from models.errors import InputError


@pytest.fixture
def anything(tmp_path, monkeypatch):
    """Return put(place): a file with the content that the table is made to expect there."""
    content = b"weights"
    digest = hashlib.sha1(b"blob 7\0" + content).hexdigest()
    monkeypatch.setitem(released.RELEASED, ("creator", "V3"), digest)
    monkeypatch.delenv(released.FOLDER, raising=False)

    def put(place, content=content):
        path = tmp_path / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    return put


@pytest.fixture
def no_network(monkeypatch):
    def refuse(*_, **__):
        raise Exception("URL fetch failure: no network")  # what Keras raises

    monkeypatch.setattr(keras.utils, "get_file", refuse)


@pytest.mark.parametrize(
    "place",
    ["creator_V3_weights.h5"]
    + [f"{top}creator/V3/creator_V3_weights.h5" for top in ("", "models/")],
)
@pytest.mark.parametrize("by", ["argument", "environment"])
def test_a_file_is_found_flat_or_in_the_authors_layout(
    place, by, anything, no_network, tmp_path, monkeypatch
):
    path = anything(place)
    if by == "environment":
        monkeypatch.setenv(released.FOLDER, str(tmp_path))
    folder = tmp_path if by == "argument" else None
    assert released.find("artist", "V3", folder) == path
    assert released.find("creator", "V3", folder) == path


def test_a_changed_file_is_refused_and_kept(anything, no_network, tmp_path):
    path = anything("creator_V3_weights.h5", b"Weights")
    ids = released.blob_id(path), released.RELEASED["creator", "V3"]
    with pytest.raises(InputError, match=f"{ids[0]}, not {ids[1]}"):
        released.find("creator", "V3", tmp_path)
    assert path.exists()


def test_it_is_downloaded_once_checked_and_a_wrong_one_dropped(anything, tmp_path, monkeypatch):
    """Keras's own get_file, from a folder in place of the authors' repository."""
    source = anything("repository/creator/V3/creator_V3_weights.h5")
    monkeypatch.setattr(released, "REPOSITORY", (tmp_path / "repository").as_uri())
    cache = tmp_path / "keras"
    cache.mkdir()
    get_file = keras.utils.get_file
    monkeypatch.setattr(keras.utils, "get_file", lambda *a, **k: get_file(*a, cache_dir=cache, **k))
    source.write_bytes(b"an error page")
    with pytest.raises(InputError, match="not the released file"):
        released.find("artist", "V3")
    source.write_bytes(b"weights")
    path = released.find("artist", "V3")
    assert path.read_bytes() == b"weights" and path.is_relative_to(cache)
    source.unlink()
    assert released.find("artist", "V3") == path


def test_without_network_one_error_says_what_to_put_where(anything, no_network):
    with pytest.raises(InputError) as caught:
        released.RijksInceptionV3("artist")
    message = str(caught.value)
    assert "\n" not in message and "RIJKS_WEIGHTS" in message
    assert "master/models/creator/V3/creator_V3_weights.h5 and put it" in message


@pytest.mark.parametrize("challenge", ["material", "period", ""])
def test_what_was_not_released_is_said(challenge, no_network):
    with pytest.raises(InputError, match="VGG19 for .* were released; there are creator ResNet"):
        released.RijksVGG19Net(challenge)


def test_a_folder_that_is_not_there_is_said(no_network, tmp_path):
    with pytest.raises(InputError, match="no folder"):
        released.RijksVGG19Net("artist", tmp_path / "absent")


def test_the_table_is_the_eleven_files():
    assert len(released.RELEASED) == len(set(released.RELEASED.values())) == 11
    assert all(len(bytes.fromhex(blob)) == 20 for blob in released.RELEASED.values())
    assert ("material", "VGG19") not in released.RELEASED


def test_a_blob_id_is_gits(tmp_path):
    path = tmp_path / "hello"
    path.write_bytes(b"hello\n")
    # git hash-object of the file
    assert released.blob_id(path) == "ce013625030ba8dba906f756967f9e9ca394464a"
