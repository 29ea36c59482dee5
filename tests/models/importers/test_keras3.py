"""Keras 3 files that are damaged or made to harm: one InputError each, little memory."""

import io
import json
import os
import zipfile

import h5py
import hypothesis
import keras
import numpy as np
import pytest
from hypothesis import strategies

import models
from models import weights
from models.errors import InputError
from models.importers import keras3

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "150"))


@pytest.fixture(scope="module")
def network():
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(2, 3)(inputs)
    x = keras.layers.Dropout(0.5)(x)
    outputs = keras.layers.Dense(2)(keras.layers.GlobalAveragePooling2D()(x))
    return keras.Model(inputs, outputs)


@pytest.fixture(scope="module")
def folder(network, tmp_path_factory):
    path = tmp_path_factory.mktemp("good")
    network.save(path / "good.keras")
    network.save_weights(path / "good.weights.h5")
    return path


def test_sound_files_pass(folder, network):
    assert keras3.arrays(folder / "good.weights.h5") == len(network.weights) == 4
    keras3.check(folder / "good.keras")
    given = np.ones((1, 8, 8, 3), "float32")
    opened = weights.saved(folder / "good.keras")
    np.testing.assert_array_equal(opened(given), network(given))


def members(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def rezipped(path, changed, packed=zipfile.ZIP_STORED, but=None):
    """Write a zip; but: dict of members that are packed otherwise."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in changed.items():
            archive.writestr(name, data, (but or {}).get(name, packed))
    return path


def with_links(data, change):
    file = io.BytesIO(data)
    with h5py.File(file, "a") as opened:
        change(opened)
    return file.getvalue()


def linked(file):
    file["layers/conv2d/vars/7"] = h5py.ExternalLink("/etc/passwd", "/")


def claimed(file):
    space = h5py.h5s.create_simple((1 << 20, 1 << 20))
    h5py.h5d.create(file["layers"].id, b"huge", h5py.h5t.IEEE_F32LE, space)


@pytest.mark.parametrize(("change", "says"), [(linked, "link"), (claimed, "claims the shape")])
def test_links_and_claims_are_refused(folder, tmp_path, change, says):
    found = members(folder / "good.keras")
    found[keras3.WEIGHTS] = with_links(found[keras3.WEIGHTS], change)
    path = rezipped(tmp_path / "bad.keras", found)
    with pytest.raises(InputError, match=f"bad.keras.*{says}"):
        models.load(str(path))
    bad = tmp_path / "bad.weights.h5"
    bad.write_bytes(found[keras3.WEIGHTS])
    with pytest.raises(InputError, match=says):
        keras3.arrays(bad)


def test_members_that_claim_more_than_the_file_has_are_refused(folder, tmp_path):
    found = members(folder / "good.keras")
    packed = {**found, keras3.WEIGHTS: bytes(50_000_000)}
    path = rezipped(tmp_path / "packed.keras", packed, zipfile.ZIP_DEFLATED)
    with pytest.raises(InputError, match="claim"):
        models.load(str(path))
    packed = {**found, "config.json": b" " * 101_000_000}
    path = rezipped(tmp_path / "text.keras", packed, zipfile.ZIP_DEFLATED)
    with pytest.raises(InputError, match="claim"):
        models.load(str(path))


@pytest.mark.parametrize("about", ["[" * 200_000, json.dumps({"config": 1}), "{"])
def test_strange_descriptions_are_one_error(folder, tmp_path, about):
    path = rezipped(
        tmp_path / "odd.keras", {**members(folder / "good.keras"), "config.json": about}
    )
    with pytest.raises(InputError, match=r"odd\.keras"):
        models.load(str(path))


@pytest.mark.parametrize("packing", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_members_packed_as_no_program_packs_them_are_refused(folder, tmp_path, packing):
    path = rezipped(tmp_path / "packed.keras", members(folder / "good.keras"), packing)
    for use in (keras3.check, weights.read_about, weights.identify):
        with pytest.raises(InputError, match="packed.keras .*by another method than deflate"):
            use(path)


@pytest.mark.parametrize("name", ["good.keras", "packed.keras", "good.weights.h5"])
def test_damaged_bytes_are_an_error_or_a_network(folder, tmp_path, name):
    if name == "packed.keras":
        told = members(folder / "good.keras") | {weights.ABOUT: json.dumps({"classes": ["a", "b"]})}
        rezipped(folder / name, told, zipfile.ZIP_DEFLATED, {keras3.WEIGHTS: zipfile.ZIP_STORED})
        assert weights.read_about(folder / name) == {"classes": ["a", "b"]}
    good = (folder / name).read_bytes()
    path = tmp_path / f"damaged.{name.partition('.')[2]}"
    uses = (keras3.arrays,) if path.suffix == ".h5" else (keras3.check, weights.read_about)
    changes = strategies.lists(
        strategies.tuples(strategies.integers(0, len(good) - 1), strategies.integers(0, 255)),
        min_size=1,
        max_size=8,
    )

    @hypothesis.settings(max_examples=EXAMPLES, deadline=None)
    @hypothesis.given(changes, strategies.integers(0, 2 * len(good)))
    def check(changes, length):
        data = bytearray(good)
        for place, value in changes:
            data[place] = value
        path.write_bytes(data[:length])
        for use in uses:
            try:
                use(path)
            except InputError as error:
                assert "damaged" in str(error)

    check()
