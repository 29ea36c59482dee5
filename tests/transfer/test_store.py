import io
from types import SimpleNamespace

import h5py
import numpy as np
import pandas
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from models.errors import InputError
from transfer import result_folder, variants
from transfer import store as stores
from transfer.pictures import decode
from transfer.store import Store, epochs, untuned

COLOURS = {"red": (200, 30, 30), "Grün": (30, 180, 40), 'blue "b"\n': (20, 40, 190)}


def save_picture(path, colour, size=(40, 30), kind="JPEG"):
    Image.new("RGB", size, colour).save(path, kind, quality=95)


def make_rows(folder, per_split=(7, 3, 4)):
    rows = []
    for split, count in zip(stores.SPLITS, per_split, strict=True):
        for i in range(count):
            label = list(COLOURS)[i % 3]
            path = f"{split} é{i}.{'png' if i % 4 == 3 else 'jpg'}"
            save_picture(folder / path, COLOURS[label], kind="PNG" if i % 4 == 3 else "JPEG")
            rows.append(SimpleNamespace(id=f"{split}-é{i}", label=label, split=split, path=path))
    return rows


def tabled(rows):
    return pandas.DataFrame(map(vars, rows), dtype=object)


@pytest.fixture
def made(tmp_path):
    pictures, folder = tmp_path / "pictures", tmp_path / "store"
    pictures.mkdir()
    folder.mkdir()
    rows = make_rows(pictures)
    stores.write(tabled(rows), pictures, folder)
    return SimpleNamespace(rows=rows, pictures=pictures, folder=folder)


def test_layout_is_the_released_one(made):
    names = {"training": "train", "validation": "val", "testing": "test"}
    for word, short in names.items():
        with h5py.File(made.folder / f"{word}_images.hdf5") as images:
            encoded = images[f"X_{short}"]
            assert h5py.check_vlen_dtype(encoded.dtype) == np.uint8
            # how the released code reads one: the array is a whole encoded file
            assert Image.open(io.BytesIO(encoded[0].tobytes())).size == (40, 30)
        with h5py.File(made.folder / f"{word}_labels.hdf5") as labels:
            one_hot = labels[f"y_{short}"][:]
            assert one_hot.shape[1] == 3 and (one_hot.sum(axis=1) == 1).all()
            assert list(labels[f"y_{short}"].attrs["class_names"]) == sorted(COLOURS)


def test_jpeg_bytes_are_kept(made):
    first = next(row for row in made.rows if row.split == "train")
    with h5py.File(made.folder / "training_images.hdf5") as images:
        assert images["X_train"][0].tobytes() == (made.pictures / first.path).read_bytes()


def test_every_picture_once_with_its_label(made):
    store = Store(made.folder)
    for split in stores.SPLITS:
        rows = [row for row in made.rows if row.split == split]
        batches = list(store.dataset(split, 8, 3))
        assert [len(y) for _, y in batches] == [3] * (len(rows) // 3) + [len(rows) % 3] * (
            len(rows) % 3 > 0
        )
        pictures = np.concatenate([x for x, _ in batches])
        labels = np.concatenate([y for _, y in batches])
        assert [store.classes[i] for i in labels] == [row.label for row in rows]
        assert store.ids(split) == [row.id for row in rows]
        for picture, row in zip(pictures, rows, strict=True):
            np.testing.assert_allclose(picture.mean((0, 1)), COLOURS[row.label], atol=3)


@pytest.mark.parametrize("first", [0, 1, 3, 6])
def test_a_pass_begins_with_any_picture(made, first):
    store = Store(made.folder)
    whole = list(store.dataset("train", 8, 3))
    batches = store.dataset("train", 8, 3, first=first)
    assert len(batches) == -(-(7 - first) // 3)
    for all_parts, parts in zip(zip(*whole, strict=True), zip(*batches, strict=True), strict=True):
        np.testing.assert_array_equal(np.concatenate(parts), np.concatenate(all_parts)[first:])


def test_shuffled_epochs_are_whole_different_and_resumable(made):
    store = Store(made.folder)

    def epochs(first, count):
        batches = iter(store.dataset("train", 8, 3, shuffle_seed=5, first_epoch=first))
        return [np.concatenate([next(batches)[0] for _ in range(3)]) for _ in range(count)]

    whole = epochs(0, 4)
    expected = np.sort(np.concatenate([x for x, _ in store.dataset("train", 8, 3)]).sum((1, 2, 3)))
    for epoch in whole:
        np.testing.assert_array_equal(np.sort(epoch.sum((1, 2, 3))), expected)
    assert any((whole[0] != epoch).any() for epoch in whole[1:])
    np.testing.assert_array_equal(epochs(2, 1)[0], whole[2])


def kept(store):
    return sorted(path.name for path in (store.folder / "pixels").glob("*"))


def some_epochs(store, count, **how):
    """(pictures, labels) of each of the first epochs."""
    batches = iter(store.dataset("train", 16, 3, shuffle_seed=5, **how))
    taken = [[next(batches) for _ in range(3)] for _ in range(count)]
    return [[np.concatenate(parts) for parts in zip(*epoch, strict=True)] for epoch in taken]


def assert_same(epochs, others):
    for epoch, other in zip(epochs, others, strict=True):
        for a, b in zip(epoch, other, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.fixture
def varied(tmp_path):
    """A store of seven training pictures of noise, of several shapes."""
    rng, rows = np.random.default_rng(0), []
    for number in range(11):
        name = f"{number}.{'png' if number % 2 else 'jpg'}"
        pixels = rng.integers(0, 256, (20 + 3 * number, 50 - 3 * number, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / name)
        split = "train" if number < 7 else "val" if number < 9 else "test"
        rows.append(SimpleNamespace(id=name, label=f"{number % 2}", split=split, path=name))
    (tmp_path / "store").mkdir()
    stores.write(tabled(rows), tmp_path, tmp_path / "store")
    return Store(tmp_path / "store")


@pytest.mark.parametrize("name", list(variants.AUGMENTATIONS))
def test_no_number_depends_on_the_cache_nor_on_where_a_training_goes_on(varied, name):
    without = some_epochs(varied, 3, augmentation=name)
    assert kept(varied) == []
    for _ in range(2):  # made, then found
        assert_same(some_epochs(varied, 3, augmentation=name, cache_gb=1), without)
        assert len(kept(varied)) == 1
    for how in ({}, {"cache_gb": 1}):
        assert_same(some_epochs(varied, 1, augmentation=name, first_epoch=2, **how), without[2:])
    assert without[0][0].dtype == np.uint8 and without[0][0].shape == (7, 16, 16, 3)


@pytest.mark.parametrize("name", list(variants.AUGMENTATIONS))
def test_training_sees_variants_of_what_is_stored_and_a_test_their_middle(varied, name):
    how = variants.AUGMENTATIONS[name]
    stored = [
        decode(varied.encoded("train", n), how.stored_side(16), how.keeps_proportion).numpy()
        for n in range(7)
    ]
    for cache_gb in (0, 1, 1):
        plain = varied.dataset("train", 16, 3, augmentation=name, cache_gb=cache_gb)
        plain = np.concatenate([x for x, _ in plain])
        middles = [variants.middle(picture, 16) for picture in stored]
        np.testing.assert_array_equal(plain, middles)
    for epoch, (pictures, _) in enumerate(some_epochs(varied, 2, augmentation=name)):
        drawn = variants.augment(stored, range(7), how, 16, 5, epoch)
        found = {picture.tobytes() for picture in pictures}
        assert found == {variant.tobytes() for variant in drawn} and len(found) == 7
        if name != "none":
            assert (drawn != plain).any()


def test_decoding_stops_when_all_pictures_are_kept(varied, monkeypatch):
    read, whole = [], stores._bytes
    monkeypatch.setattr(stores, "_bytes", lambda images, n: read.append(n) or whole(images, n))
    some_epochs(varied, 4, cache_gb=1)
    assert sorted(read) == list(range(7))
    some_epochs(varied, 1, cache_gb=1, augmentation="flip_shift")  # of the same squares
    assert len(read) == 7
    batches = varied.dataset("val", 16, 3, cache_gb=1)
    for _ in range(3):
        assert [len(y) for _, y in batches] == [2]
    assert len(read) == 9 and len(kept(varied)) == 2
    assert len(np.concatenate([y for _, y in varied.dataset("val", 16, 3, first=1)])) == 1


def test_a_damaged_cache_changes_no_number(varied, capsys):
    (before,) = some_epochs(varied, 1)
    some_epochs(varied, 1, cache_gb=1)
    (path,) = (varied.folder / "pixels").iterdir()
    whole = path.read_bytes()
    path.write_bytes(bytes(len(whole) // 4) + whole[len(whole) // 4 :])
    assert_same(some_epochs(varied, 1, cache_gb=1), [before])
    assert capsys.readouterr().out.count("is damaged") == 1 and not path.exists()
    path.write_bytes(whole[:-40])
    assert_same(some_epochs(varied, 2, cache_gb=1)[:1], [before])
    assert path.read_bytes() != whole[:-40] and path.stat().st_size == len(whole)


def test_more_than_is_allowed_is_decoded_in_every_epoch(varied, capsys):
    before = some_epochs(varied, 2)
    assert_same(some_epochs(varied, 2, cache_gb=16 * 16 * 3 * 7e-9 * 0.99), before)
    assert capsys.readouterr().out.count("pictures are decoded in every epoch") == 1
    assert kept(varied) == []


def test_an_unknown_augmentation_is_refused(varied):
    with pytest.raises(InputError, match="augmentation is 'flips'; accepted: none, flip_shift"):
        varied.dataset("train", 16, 3, augmentation="flips")


def test_files_of_the_authors_code_are_read(tmp_path):
    """Their files: no class names, no ids, float one-hot rows."""
    for word, short, count in (("training", "train", 5), ("validation", "val", 2)) + (
        ("testing", "test", 3),
    ):
        with h5py.File(tmp_path / f"{word}_images.hdf5", "w") as file:
            encoded = file.create_dataset(
                f"X_{short}", (count,), dtype=h5py.special_dtype(vlen=np.dtype("uint8"))
            )
            for i in range(count):
                buffer = io.BytesIO()
                save_picture(buffer, (i * 20, 100, 50))
                encoded[i] = np.frombuffer(buffer.getvalue(), dtype="uint8")
        with h5py.File(tmp_path / f"{word}_labels.hdf5", "w") as file:
            file.create_dataset(f"y_{short}", data=np.eye(4)[np.arange(count) % 4])
    store = Store(tmp_path)
    assert store.classes == ["class 0", "class 1", "class 2", "class 3"]
    assert store.labels["train"].tolist() == [0, 1, 2, 3, 0]
    (x, y), *_ = store.dataset("val", 16, 32)
    assert x.shape == (2, 16, 16, 3) and y.numpy().tolist() == [0, 1]
    assert len(store.split_sha256) == 64 and not store.toy


@pytest.mark.parametrize(
    "damage",
    ["missing", "empty", "text", "cut", "foreign", "rank", "count", "width", "no class", "two"],
)
def test_damaged_and_foreign_files(made, damage):
    path = made.folder / "validation_labels.hdf5"
    whole = path.read_bytes()
    path.unlink()
    if damage == "empty":
        path.write_bytes(b"")
    elif damage == "text":
        path.write_text("not HDF5")
    elif damage == "cut":
        path.write_bytes(whole[: len(whole) // 2])
    elif damage in ("width", "no class", "two"):
        rows = {"width": np.eye(4)[:3], "no class": np.zeros((3, 3)), "two": np.ones((3, 3))}
        with h5py.File(path, "w") as file:
            file.create_dataset("y_val", data=rows[damage])
    elif damage in ("foreign", "rank", "count"):
        shape = {"foreign": (3, 3), "rank": (3,), "count": (2, 3)}[damage]
        with h5py.File(path, "w") as file:
            file.create_dataset("other" if damage == "foreign" else "y_val", data=np.zeros(shape))
    with pytest.raises(InputError, match=r"validation_(labels|images)\.hdf5"):
        Store(made.folder)


def encoded_jpeg(array):
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "JPEG", quality=95, subsampling=0)
    return buffer.getvalue()


@settings(max_examples=25, deadline=None)
@given(
    height=st.integers(1, 400), width=st.integers(1, 400), size=st.sampled_from([8, 32, 50, 224])
)
def test_reduced_decoding_keeps_the_picture(height, width, size):
    """A smooth picture decoded at reduced scale equals Pillow's full decode, resized."""
    y, x = np.mgrid[0:height, 0:width]
    smooth = np.stack([x * 255 / width, y * 255 / height, (x + y) * 255 / (height + width)], -1)
    content = encoded_jpeg(smooth.astype(np.uint8))
    ours = decode(content, size).numpy().astype(np.float32)
    full = Image.open(io.BytesIO(content)).resize((size, size), Image.Resampling.BILINEAR)
    assert ours.shape == (size, size, 3)
    # libjpeg rounds a side up: at 1/r it may show r-1 pixels more than there are, so the content
    # moves by at most (r-1)/2 pixels on average; the gradient is 255 grey levels per side
    shortest = min(height, width)
    ratio = max(r for r in (1, 2, 4, 8) if r == 1 or shortest // r >= size)
    moved = (ratio - 1) / 2 * 255 / shortest
    assert (
        np.abs(ours - np.asarray(full, np.float32)).mean() < moved + 3
    )  # half a level of it for rounding


def test_large_scan_is_not_decoded_whole():
    """1/8 of 4000 pixels is 500: a fine checkerboard is its mean grey long before resizing."""
    board = np.indices((1024, 1024)).sum(0) % 2 * 255
    content = encoded_jpeg(np.repeat(board[:, :, None], 3, 2).astype(np.uint8))
    np.testing.assert_allclose(decode(content, 64).numpy(), 127.5, atol=4)


def test_too_many_classes_are_refused(tmp_path):
    rows = [SimpleNamespace(label=str(i)) for i in range(stores.MAX_CLASSES + 1)]
    with pytest.raises(InputError, match="min_pictures"):
        stores.write(tabled(rows), tmp_path, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow  # 4,000 classes
def test_as_many_classes_as_allowed_fit(tmp_path):
    save_picture(tmp_path / "a.jpg", (1, 2, 3))
    rows = [
        SimpleNamespace(id=f"{s}{i}", label=f"class {i:04d}", split=s, path="a.jpg")
        for s in stores.SPLITS
        for i in range(stores.MAX_CLASSES)
    ]
    stores.write(tabled(rows), tmp_path, tmp_path)
    assert len(Store(tmp_path).classes) == stores.MAX_CLASSES


def test_no_pass_is_tuned(tmp_path):
    """TensorFlow's tuning thread holds up the end of a pass (store.untuned)."""
    found = tf.data.Dataset.range(3)
    assert found.options().autotune.enabled is None
    assert untuned(found).options().autotune.enabled is False
    for seed in (None, 0):
        batches = epochs(3, 2, lambda order, *_: tf.data.Dataset.from_tensors(order), seed)
        assert batches.options().autotune.enabled is False


def write_made_groups(made, **columns):
    rows = tabled(made.rows)
    rows["group"] = ["one" if i % 5 == 0 else "" for i in range(len(rows))]
    rows["near_duplicates"] = ""
    candidates = pandas.DataFrame(columns, index=rows["id"], dtype=object)
    stores.write_groups(rows, candidates, made.folder)


def test_groups_come_in_the_order_of_the_store_in_any_script(made):
    write_made_groups(made, title=[f"=题 {row.id}" for row in made.rows])
    for split in stores.SPLITS:
        groups = Store(made.folder).groups(split)
        assert groups["id"].tolist() == Store(made.folder).ids(split)
        assert groups["title"].tolist() == [f"=题 {id}" for id in groups["id"]]
    assert Store(made.folder).groups("train")["group"].tolist() == ["one"] + [""] * 4 + ["one", ""]


def test_test_pictures_whose_values_were_seen(made):
    titles = ["a", "b", *[""] * 5, "c", "", "", "a", "d", "", "c"]
    write_made_groups(made, title=titles, artist=[""] * len(titles))
    shared = Store(made.folder).shared_groups()
    assert set(shared) == {"group", "title"}  # a column without test values says nothing
    assert shared["title"].tolist() == [True, False, False, True]


def test_a_store_made_before_there_were_groups_has_none(made):
    assert Store(made.folder).groups("test") is None
    assert Store(made.folder).shared_groups() == {}


def test_groups_that_lack_a_picture_are_refused(made):
    write_made_groups(made)
    path = made.folder / stores.GROUPS
    path.write_text("\n".join(path.read_text().splitlines()[:-1]) + "\n")
    with pytest.raises(InputError, match="groups.csv lacks pictures"):
        Store(made.folder).groups("test")


@pytest.mark.parametrize("left", ["", "id,label,split,path,sha256\n", None])
def test_an_emptied_or_shortened_or_lost_split_is_noticed(made, left):
    path = made.folder / "split.csv"
    path.write_text("id,label,split,path,sha256\nx,y,train,x.jpg,00\n")
    split = result_folder.csv_sha256(path)
    result_folder.write_json(made.folder / "manifest.json", {"split_sha256": split, "toy": False})
    Store(made.folder)
    path.unlink() if left is None else path.write_text(left)
    with pytest.raises(InputError, match="is not the file that this data set was made with"):
        Store(made.folder)


def test_a_manifest_that_describes_nothing_is_one_line(made):
    (made.folder / "manifest.json").write_text("[]")
    with pytest.raises(InputError, match="holds no description of a data set"):
        Store(made.folder)


def test_several_labels_a_picture(made, tmp_path):
    rows, folder = tabled(made.rows), tmp_path / "several"
    folder.mkdir()
    texts = {"red": "lake | tree", "Grün": "(none)"}
    rows["label"] = rows["label"].map(lambda label: texts.get(label, "tree"))
    stores.write(rows, made.pictures, folder, classes=["lake", "sun", "tree"])
    store = Store(folder)
    assert store.several and not Store(made.folder).several
    assert store.classes == ["lake", "sun", "tree"] and store.labels["val"].dtype == np.uint8
    assert store.labels["val"].tolist() == [[1, 0, 1], [0, 0, 0], [0, 0, 1]]
    for seed in (None, 3):
        batches = store.dataset("train", 8, 7, seed)
        pictures, labels = next(iter(batches))
        assert pictures.shape == (7, 8, 8, 3) and labels.shape == (7, 3)
        order = labels.numpy().tolist()
        assert (order == store.labels["train"].tolist()) == (seed is None)
        assert sorted(order) == sorted(store.labels["train"].tolist())
    path = stores.file_path(folder, "test", "labels")
    with h5py.File(path, "r+") as file:
        del file["y_test"].attrs[stores.SEVERAL]
    with pytest.raises(InputError, match="y_test .* rows of 0 and 1 over the 3 labels"):
        Store(folder)
    for split in stores.SPLITS:  # as if another program had written them: no class is guessed
        with h5py.File(stores.file_path(folder, split, "labels"), "r+") as file:
            file[f"y_{stores.SPLITS[split][1]}"].attrs.pop(stores.SEVERAL, None)
    with pytest.raises(InputError, match="must be one-hot rows"):
        Store(folder)
