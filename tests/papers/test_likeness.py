"""The gallery is of labelled pictures that are new to every network; ranks and pairs by hand."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.errors import InputError
from papers import likeness
from papers.likeness import ARTIST, EVERY, OTHERS, Gallery
from transfer.dataset import Data
from transfer.neighbours import Seen
from transfer.retrieval import nearest, normalize


@pytest.fixture
def data(tmp_path, monkeypatch):
    """Return the Data of style and genre of eight files, of which nothing is stored."""
    rows = ["ab,x,p", "ab,y,p", "c,x,q", "c,y,q", "ab,,p", ",x,q", "rare,x,q", "ab,x,p"]
    (tmp_path / "images").mkdir()
    lines = ["ImageId,style,genre,artist"]
    for number, row in enumerate(rows):
        (tmp_path / "images" / f"{number}.png").write_bytes(bytes([number]))
        lines.append(f"{number},{row}")
    (tmp_path / "metadata.csv").write_text("\n".join(lines) + "\n")
    one = Data("d", "style", tmp_path, tmp_path / "metadata.csv", tmp_path / "images")

    class Store:
        classes = ("ab", "c", "x", "y")

    monkeypatch.setattr(Data, "open", lambda self: Store)
    return {"style": one, "genre": replace(one, challenge="genre")}


def test_the_gallery_is_labelled_and_new(data, monkeypatch):
    asked = []

    def unseen(files, networks):
        asked.append((len(files), tuple(networks)))
        return files[1:]

    monkeypatch.setattr(likeness, "unseen", unseen)
    gallery = likeness.open_gallery(data, ["n"])
    # 4 and 5 lack a label, the class of 6 is none of the data set's, 0 was trained with
    assert [file.name for file in gallery.files] == ["1.png", "2.png", "3.png", "7.png"]
    assert gallery.labels["style"].tolist() == ["ab", "c", "c", "ab"]
    assert gallery.labels["genre"].tolist() == ["y", "x", "y", "x"]
    assert gallery.labels[ARTIST].tolist() == ["p", "q", "q", "p"] and asked == [(5, ("n",))]
    monkeypatch.setattr(likeness, "unseen", lambda files, networks: [])
    with pytest.raises(InputError, match="none of the 5 pictures with style and genre is new"):
        likeness.open_gallery(data, ["n"])


def gallery_of(**labels):
    count = len(next(iter(labels.values())))
    files = tuple(Path(f"{number}.png") for number in range(count))
    return Gallery(files, {name: np.array(list(given)) for name, given in labels.items()})


def test_what_one_network_cannot_read_no_network_is_asked_about(monkeypatch):
    gallery = gallery_of(style="abc")
    features = np.eye(3, dtype="float32")
    seen = {
        "one": Seen(gallery.files, features),
        "two": Seen(gallery.files[::2], features[:2]),
    }
    monkeypatch.setattr(likeness, "see", lambda network, files, **how: seen[network])
    left, rows = likeness.see_all(gallery, {"a": "one", "b": "two"})
    assert left.files == gallery.files[::2] and left.labels["style"].tolist() == ["a", "c"]
    assert rows["a"].tolist() == [[1, 0, 0], [0, 0, 1]] and len(rows["b"]) == 2


def test_other_artists_are_asked_where_artists_are_known():
    gallery = gallery_of(style="aabb", artist=["p", "p", "p", "q"])
    # each picture is like the other of its style
    rows = np.array([[1, 0], [1, 0.1], [0, 1], [0.1, 1]])
    found = likeness.retrieval_rows(gallery, {"n": rows}, 1)
    assert found["n", "style", EVERY].precision == 1
    assert found["n", "style", OTHERS].queries == 2  # the pictures of style b
    assert set(found) == {("n", "style", EVERY), ("n", "style", OTHERS), ("n", ARTIST, EVERY)}
    untold = likeness.retrieval_rows(gallery_of(style="aabb"), {"n": rows}, 1)
    assert set(untold) == {("n", "style", EVERY)}


def test_the_neighbour_of_a_rank_and_that_of_a_share():
    rows = normalize(np.random.default_rng(0).normal(size=(20, 5)))
    distances = nearest(rows, rows, 19, np.arange(20))[1]
    far, near = likeness.distances_of_neighbour(rows, 7, 0.11)
    assert np.array_equal(far, distances[:, 6]) and np.array_equal(near, distances[:, 2])
    far, near = likeness.distances_of_neighbour(rows, 25, 1e-6)
    assert np.isnan(far).all() and np.array_equal(near, distances[:, 0])


def test_pairs_of_networks_are_over_the_same_drawn_pictures():
    rng = np.random.default_rng(1)
    features = {name: rng.normal(size=(30, 4)) for name in "abc"}
    found = likeness.network_distances(features, 10, seed=3)
    assert list(found) == [("a", "b"), ("a", "c"), ("b", "c")]
    again = likeness.network_distances(features, 10, seed=3)
    assert again == found and likeness.network_distances(features, 10, seed=4) != found
    few = likeness.network_distances(features, 100, seed=3)["a", "b"]
    first, second = (normalize(features[name]) for name in "ab")
    assert few.same_picture == pytest.approx(1 - (first * second).sum(axis=1).mean())


def test_hubs_are_counted():
    rows = normalize(np.array([[1, 0], [1, 0.1], [1, -0.1], [1, 0.2]]))
    assert likeness.hubs_of(rows, 1).most == 2
