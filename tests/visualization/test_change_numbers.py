"""Tables of channels and layers from made-up scores, beside brute force."""

import json

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transfer.progress import Progress
from transfer.result_folder import write_csv
from visualization import change_numbers, similarity
from visualization.change_numbers import Views, commonest, compute, counted, entropies, overlaps
from visualization.layer_pairs import Layer, match

PICTURES, CLASSES = 40, ("blue", "green", "red")
WIDTHS = {"one": 4, "left": 2, "right": 3}


class FakeScores:
    """Scores in memory, as activations.Scores."""

    def __init__(self, arrays, numbers):
        self.arrays, self.numbers = arrays, np.asarray(numbers)

    def score(self, name):
        return self.arrays[name]


def arrays(seed, widths=WIDTHS):
    random = np.random.default_rng(seed)
    return {n: random.normal(0.3, 1, (PICTURES, w)).astype("float32") for n, w in widths.items()}


def layers_of(names, widths=WIDTHS):
    layers = [Layer(name, (name,), (widths[name],), name == "one") for name in names]
    if {"left", "right"} <= set(names):
        both = widths["left"], widths["right"]
        layers.append(Layer("joined", ("left", "right"), both, True))
    return tuple(layers)


def views_of(sides, layers=None, classes=CLASSES, ks=(5, 9)):
    """Views of networks; every third picture is for CKA, the others for top sets."""
    layers = layers or {key: layers_of(arrays) for key, arrays in sides.items()}
    numbers = np.arange(PICTURES) + 2  # the first two could not be read
    compared = np.arange(PICTURES) % 3 == 0
    top = np.flatnonzero(~compared)
    labels = np.random.default_rng(9).integers(0, len(classes), len(top))
    scores = {key: FakeScores(made, numbers) for key, made in sides.items()}
    matches = match(layers)
    return Views(scores, matches, layers, top, np.flatnonzero(compared), labels, classes, ks)


def models_of(*keys, widths=WIDTHS):
    models = {}
    for number, key in enumerate(keys):
        keras.utils.set_random_seed(number)
        pixels = keras.Input((8, 8, 3))
        outputs = [keras.layers.Conv2D(w, 1, name=n)(pixels) for n, w in widths.items()]
        models[key] = keras.Model(pixels, outputs)
    return models


def computed(views, tmp_path, models=None):
    progress = Progress(change_numbers.steps(views), "steps")
    made = compute(views, models or models_of(*views.keys), tmp_path / "cka.json", progress)
    assert progress.finished == progress.count
    return made


def brute_top(scores, k):
    """Numbers of rows, the best first, for one channel."""
    order = sorted(range(len(scores)), key=lambda row: (-scores[row], row))
    return [row for row in order if scores[row] > 0][:k]


def test_channels_beside_brute_force(tmp_path):
    views = views_of({"a": arrays(0), "b": arrays(1)})
    table = computed(views, tmp_path).channels
    assert list(table["layer"]) == ["one"] * 4 + ["left"] * 2 + ["right"] * 3
    for row in table.to_dict("records"):
        tops = {}
        for key in "ab":
            scores = views.scores[key].score(row["layer"])[views.top, row["channel"]]
            assert row[f"{key}_firing"] == (scores > 0).sum() and row[f"{key}_best"] == scores.max()
            tops[key] = {k: brute_top(scores, k) for k in views.ks}
            for k in views.ks:
                shares = np.bincount(views.labels[tops[key][k]], minlength=3) / len(tops[key][k])
                bits = -sum(share * np.log2(share) for share in shares if share)
                assert row[f"{key}_entropy_{k}"] == pytest.approx(bits / np.log2(3))
            shares = np.bincount(views.labels[tops[key][5]], minlength=3) / len(tops[key][5])
            best = int(np.argmax(shares))
            assert row[f"{key}_class_1"] == CLASSES[best]
            assert row[f"{key}_share_1"] == shares[best]
        for k in views.ks:
            shared = len(set(tops["a"][k]) & set(tops["b"][k]))
            assert row[f"overlap_{k}"] == pytest.approx(shared / k)
            assert row[f"overlap_{k}_chance"] == pytest.approx(k / len(views.top))


def test_layers_are_means_of_counted_channels(tmp_path):
    a = arrays(0)
    a["one"][:, 1] = -1  # dead
    a["one"][:, 2] = -1
    a["one"][1:3, 2] = 1  # two firing pictures among those of the top sets
    views = views_of({"a": a, "b": arrays(1)})
    made = computed(views, tmp_path)
    assert list(made.layers["layer"]) == ["one", "left", "right", "joined"]
    row, channels = made.layers.iloc[0], made.channels[made.channels["layer"] == "one"]
    assert (row["a_dead"], row["a_few_5"], row["b_dead"]) == (1, 1, 0)
    assert row["overlap_5_channels"] == 2
    left = channels[channels["channel"].isin([0, 3])]
    assert row["overlap_5_mean"] == pytest.approx(left["overlap_5"].mean())
    assert row["a_entropy_5_median"] == pytest.approx(left["a_entropy_5"].median())
    # a channel that few pictures excite keeps its overlap of K, and is told apart
    few = channels[channels["channel"] == 2].iloc[0]
    assert few["a_firing"] == 2 and few["overlap_5"] <= 2 / 5
    assert counted(channels, "a", 5).tolist() == [True, False, False, True]
    assert np.isnan(overlaps(channels, ("a", "b"), 5)).tolist() == [False, True, True, False]
    assert np.isnan(entropies(channels, "b", 5)).sum() == 0
    assert np.isnan(channels["a_entropy_5"].iloc[1])
    joined = made.layers.iloc[3]
    assert joined["kind"] == "concatenation" and joined["a_channels"] == 5
    assert np.isnan(joined["overlap_5_mean"]) and np.isnan(joined["kernel_distance"])


def test_cka_and_kernels_of_layers(tmp_path):
    views = views_of({"a": arrays(0), "b": arrays(1)})
    models = models_of("a", "b")
    made = computed(views, tmp_path, models)
    for number, name in enumerate(WIDTHS):
        sides = [views.scores[key].score(name)[views.compared] for key in "ab"]
        one = similarity.cka(*sides)
        assert made.cka["a", "b"][number].debiased == pytest.approx(one.debiased)
        row = made.layers[made.layers["layer"] == name].iloc[0]
        for field in ("paper", "debiased", "floor", "low", "high"):
            assert row[f"cka_{field}"] == pytest.approx(getattr(one, field))
        before, after = (models[key].get_layer(name).get_weights()[0] for key in "ab")
        distance = np.sqrt(((before - after) ** 2).sum(dtype="float64"))
        assert row["kernel_distance"] == pytest.approx(distance)
        assert row["kernel_relative"] == pytest.approx(distance / np.linalg.norm(before))
    # a concatenation has the channels of its branches
    joined = [
        np.concatenate([views.scores[key].score(n)[views.compared] for n in ("left", "right")], 1)
        for key in "ab"
    ]
    assert made.cka["a", "b"][3].paper == pytest.approx(similarity.cka(*joined).paper)
    rows, columns, maps = made.maps
    assert rows == columns == ["one", "joined"]
    assert maps["debiased"][1, 1] == pytest.approx(similarity.cka(*joined).debiased)


def test_branches_are_in_a_row_where_nothing_else_is(tmp_path):
    """For each network: one looks at branches alone, the other at all its layers."""
    widths = {"left": 2, "right": 3}
    layers = {"a": layers_of(widths)[:2], "b": layers_of(WIDTHS)}
    made = computed(views_of({"a": arrays(0), "b": arrays(1)}, layers), tmp_path)
    assert made.maps[:2] == (["left", "right"], ["one", "joined"])
    assert np.shape(made.maps[2]["debiased"]) == (2, 2)
    assert change_numbers.in_a_row(layers["b"]) == [True, False, False, True]
    assert change_numbers.in_a_row(layers["a"]) == [True, True]


def test_identical_networks(tmp_path):
    a = arrays(0)
    views = views_of({"a": a, "b": {name: scores.copy() for name, scores in a.items()}})
    models = models_of("a")
    made = computed(views, tmp_path, {"a": models["a"], "b": models["a"]})
    assert (made.channels[["overlap_5", "overlap_9"]] == 1).all(axis=None)
    assert made.layers["cka_paper"].to_numpy() == pytest.approx(1)
    assert made.layers["cka_debiased"].to_numpy() == pytest.approx(1)
    assert made.layers["kernel_distance"].dropna().tolist() == [0] * 3


def test_cka_is_kept_and_not_computed_twice(tmp_path, monkeypatch):
    views, true, calls = views_of({"a": arrays(0), "b": arrays(1)}), similarity.cka, []

    def stops(x, y):
        calls.append(x.shape[1])
        if len(calls) == 3:
            raise KeyboardInterrupt
        return true(x, y)

    monkeypatch.setattr(similarity, "cka", stops)
    with pytest.raises(KeyboardInterrupt):
        computed(views, tmp_path)
    assert len(json.loads((tmp_path / "cka.json").read_text())) == 2
    calls.extend([0] * 10)
    made = computed(views, tmp_path)
    assert calls[13:] == [3, 5] and len(made.cka["a", "b"]) == 4


def test_a_yardstick_stands_beside(tmp_path):
    views = views_of({"a": arrays(0), "b": arrays(1), "c": arrays(1, {"one": 4})})
    made = computed(views, tmp_path)
    one = made.channels[made.channels["layer"] == "one"]
    assert (one["overlap_5_bc"] == 1).all() and (one["overlap_5_ac"] == one["overlap_5"]).all()
    assert made.channels["overlap_5_bc"].isna().sum() == 5  # layers that the third lacks
    assert made.layers["cka_debiased_bc"][0] == pytest.approx(1)
    assert made.cka["b", "c"][1] is None and {"c_entropy_5_mean", "c_dead"} <= set(made.layers)
    assert made.layers["kernel_distance_ac"].notna().tolist() == [True, False, False, False]


def test_networks_without_a_layer_in_common(tmp_path):
    a, b = arrays(0, {"one": 4}), arrays(1, {"left": 2, "right": 3})
    views = views_of({"a": a, "b": b})
    made = computed(views, tmp_path)
    assert list(made.channels["network"]) == ["a"] * 4 + ["b"] * 5
    assert not any("overlap" in name for name in made.channels if "chance" not in name)
    assert list(made.layers["layer"]) == ["one", "left", "right", "joined"]
    assert np.isfinite(made.layers["a_entropy_5_mean"][0])
    assert made.maps[0] == ["one"] and made.maps[1] == ["joined"]
    assert np.shape(made.maps[2]["paper's form"]) == (1, 1)
    assert np.isfinite(entropies(made.channels, "a", 5)).tolist() == [True] * 4 + [False] * 5


def test_one_class_has_no_entropy(tmp_path):
    made = computed(views_of({"a": arrays(0), "b": arrays(1)}, classes=("red",)), tmp_path)
    assert not any("entropy" in name for name in (*made.channels, *made.layers))
    assert made.entropy_chance == {} and set(made.channels["a_class_1"]) == {"red"}
    assert np.isnan(entropies(made.channels, "a", 5)).all()


def test_the_table_is_read_back(tmp_path):
    made = computed(views_of({"a": arrays(0), "b": arrays(1)}), tmp_path)
    write_csv(tmp_path / "channels.csv", made.channels)
    table = change_numbers.read_channels(tmp_path / "channels.csv")
    assert change_numbers.first_k(table) == 5
    for pair, k in ((("a", "b"), 5), (("a", "b"), 9)):
        assert np.array_equal(
            overlaps(table, pair, k), overlaps(made.channels, pair, k), equal_nan=True
        )
    assert table["channel"].tolist() == made.channels["channel"].tolist()


@given(st.lists(st.lists(st.integers(0, 3), min_size=4, max_size=4), min_size=1, max_size=5))
@settings(max_examples=50)
def test_commonest_classes(counts):
    counts = np.array(counts, float)
    with np.errstate(invalid="ignore"):
        shares = counts / counts.sum(axis=1, keepdims=True)
    numbers, found = commonest(shares, most=2)
    for row, own, values in zip(np.nan_to_num(shares), numbers, found, strict=True):
        expected = sorted(range(4), key=lambda number: (-row[number], number))[:2]
        expected = [number for number in expected if row[number] > 0]
        assert own.tolist() == expected + [-1] * (2 - len(expected))
        assert values[: len(expected)].tolist() == [row[number] for number in expected]


def test_places_are_numbers_in_the_list():
    views = views_of({"a": arrays(0), "b": arrays(1)})
    assert views.numbers.tolist() == [2 + row for row in range(PICTURES) if row % 3]
    tops = views.tops("a", "one")
    best = views.seen("a", "one")[:, 0].argmax()
    assert tops[0, 0] == best and views.tops("a", "one", 3).shape == (3, 4)
