"""Which pictures a network saw, from a data set into its file and out again."""

from dataclasses import replace
from types import SimpleNamespace

import keras
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import network, zoo
from models.errors import InputError
from transfer import seen_pictures, trained_layers
from transfer.recipes import RECIPES


@pytest.fixture
def store(tmp_path):
    """Ten pictures: seven train, one validates, two test."""
    splits = ["train"] * 7 + ["val"] + ["test"] * 2
    # the first bytes tell pictures apart
    rows = [f"p{i},x,{split},p.jpg,{i:016x}{'0' * 48}" for i, split in enumerate(splits)]
    text = "\n".join(["id,label,split,path,sha256", *rows]) + "\n"
    (tmp_path / "split.csv").write_text(text)
    return SimpleNamespace(folder=tmp_path)


def short(numbers):
    return frozenset(number.to_bytes(8, "big") for number in numbers)


def save(path, seen, name="MobileNet"):
    inputs = keras.Input((8, 8, 3))
    outputs = keras.layers.Dense(2)(keras.layers.GlobalAveragePooling2D()(inputs))
    model = keras.Model(inputs, outputs)
    text = seen_pictures.written(seen)
    network.save(network.Network(name, model, ["a", "b"], "unit", 8, trained_on=text), path)
    return zoo.parse(str(path))


@given(st.frozensets(st.binary(min_size=8, max_size=8), max_size=30))
def test_pictures_come_back_from_text(seen):
    assert seen_pictures._read(seen_pictures.written(seen), "x") == seen


def test_pictures_of_a_data_set(store):
    assert seen_pictures.of_store(store) == short(range(10))
    assert seen_pictures.of_store(store, ("test",)) == short([8, 9])
    (store.folder / "split.csv").unlink()
    assert seen_pictures.of_store(store) is None


def test_what_a_run_leaves_in_its_network(store, tmp_path):
    before = save(tmp_path / "before.keras", short([77]))

    def after(mode):
        return seen_pictures.after(SimpleNamespace(network=before, recipe=RECIPES[mode]), store)

    assert after("fine_tuning") == short([77, *range(8)])
    assert after("random") == short(range(8))
    assert after("off_the_shelf") == short([77])  # the layers below the head stay as they were


@pytest.mark.parametrize("words", trained_layers.HEAD_ALONE)
@pytest.mark.parametrize("dropout", [0, 0.5])
def test_a_head_that_is_trained_alone_leaves_the_network_without_new_pictures(
    store, tmp_path, words, dropout
):
    before = save(tmp_path / "before.keras", short([77]))
    for recipe in (RECIPES["fine_tuning"], RECIPES["cetinic2018.all"]):
        run = SimpleNamespace(network=before, recipe=replace(recipe, layers=words))
        assert seen_pictures.after(run, store) == short([77])
    model = zoo.build("MobileNet(alpha=0.25)", 2, 32, dropout=dropout)
    selected = trained_layers.select(model, words, "MobileNet(alpha=0.25)")
    assert [layer.name for layer in selected if layer.weights] == ["head"]


def test_layers_below_the_head_leave_new_pictures(store, tmp_path):
    before = save(tmp_path / "before.keras", short([77]))
    run = SimpleNamespace(network=before, recipe=RECIPES["cetinic2018.only_last3"])
    assert seen_pictures.after(run, store) == short([77, *range(8)])
    run = SimpleNamespace(network=before, recipe=RECIPES["cetinic2018.only_last"])
    assert seen_pictures.after(run, store) == short([77])


def test_a_network_that_saw_the_pictures_is_refused(store, tmp_path):
    spec = save(tmp_path / "tuned.keras", short([3, 9, 50]))
    with pytest.raises(InputError, match="was trained on 2 of the 10 pictures"):
        seen_pictures.refuse_seen(spec, store)


def test_a_network_that_saw_others_is_accepted(store, tmp_path):
    seen_pictures.refuse_seen(save(tmp_path / "other.keras", short([50, 51])), store)
    seen_pictures.refuse_seen(zoo.parse("VGG19:imagenet"), store)


def test_a_network_trained_here_that_does_not_tell_is_refused(store, tmp_path):
    with pytest.raises(InputError, match="kept no list of its pictures"):
        seen_pictures.refuse_seen(save(tmp_path / "old.keras", None), store)


def test_the_list_stays_when_a_network_is_opened_and_saved_again(store, tmp_path):
    save(tmp_path / "tuned.keras", short([3]))
    network.save(network.load(str(tmp_path / "tuned.keras")), tmp_path / "again.keras")
    with pytest.raises(InputError, match="was trained on 1 of the 10 pictures"):
        seen_pictures.refuse_seen(zoo.parse(str(tmp_path / "again.keras")), store)


def test_weights_that_were_not_trained_here_are_accepted_in_a_file_too(store, tmp_path):
    spec = "MobileNet(alpha=0.25)"
    network.save(network.load(spec, 32), tmp_path / "drawn.keras")
    seen_pictures.refuse_seen(zoo.parse(f"{spec}:{tmp_path / 'drawn.keras'}"), store)
    assert network.load(str(tmp_path / "drawn.keras")).trained_on == ""


def test_a_network_of_another_origin_is_accepted(store, tmp_path):
    inputs = keras.Input((8, 8, 3))
    keras.Model(inputs, keras.layers.Flatten()(inputs)).save(tmp_path / "foreign.keras")
    seen_pictures.refuse_seen(zoo.parse(str(tmp_path / "foreign.keras")), store)


def test_a_damaged_list_is_named():
    with pytest.raises(InputError, match="x.keras: trained_on does not list pictures"):
        seen_pictures._read("no base64!", "x.keras")


def test_how_many_test_pictures_were_seen(store, tmp_path):
    assert seen_pictures.count_tested(save(tmp_path / "a.keras", short([1, 9, 77])), store) == 1
    assert seen_pictures.count_tested(zoo.parse("VGG19:imagenet"), store) == 0
    assert seen_pictures.count_tested(save(tmp_path / "b.keras", None), store) is None
    (store.folder / "split.csv").unlink()
    assert seen_pictures.count_tested(zoo.parse("VGG19:imagenet"), store) is None
