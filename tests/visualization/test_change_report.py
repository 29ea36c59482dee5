"""The summary's numbers: means with intervals, rank correlations in words, tables."""

from types import SimpleNamespace

import numpy as np
import pandas
import pytest

from tests.visualization.test_change_numbers import arrays, computed, models_of, views_of
from visualization import change_report, similarity
from visualization.change_report import image_ranks, mean_interval, measures


def made_of(tmp_path, judged=None, **sides):
    """As differences.Made, of made-up scores."""
    views = views_of(sides)
    models = models_of(*sides)
    numbers = computed(views, tmp_path, models)
    data = SimpleNamespace(dataset_name="museum", challenge="style")
    comparison = SimpleNamespace(data=data, parts={"top": ("train",), "cka": ("test",)})
    names = {key: f"{key.upper()}: net" for key in sides}
    compared = SimpleNamespace(
        comparison=comparison, matches=views.matches, names=names, networks=names, told=[]
    )
    return SimpleNamespace(compared=compared, views=views, numbers=numbers, judged=judged)


def test_an_interval_of_a_mean_covers():
    random, hits = np.random.default_rng(0), 0
    for seed in range(100):
        low, high = mean_interval(random.normal(1, 2, 60), seed, draws=200)
        hits += low <= 1 <= high
    assert 88 <= hits <= 100


def test_every_measure_with_its_chance(tmp_path):
    made = made_of(tmp_path, a=arrays(0), b=arrays(1))
    found = {measure.name: measure for measure in measures(made)}
    overlap = found["overlap of the top 5, A and B"]
    values = made.numbers.channels["overlap_5"].to_numpy()
    assert np.allclose(overlap.values, values) and overlap.unit == "channels"
    assert overlap.chance.startswith(f"{5 / len(made.views.top):.3f} (")
    layers = made.numbers.channels.groupby("layer", sort=False)["overlap_5"].mean()
    assert overlap.by_layer == pytest.approx(list(layers))
    assert found["CKA, debiased, A and B"].chance == "0"
    assert len(found["CKA, debiased, A and B"].values) == 2  # layers in a row
    assert "(floor)" in found["CKA, paper's form, A and B"].chance
    change = found["entropy of the top 5, B - A of the same channel"].middle
    before, after = (made.numbers.channels[f"{key}_entropy_5"] for key in "ab")
    assert change.median == pytest.approx(np.median(after - before))
    kernels = made.numbers.layers["kernel_distance"].dropna()
    assert found["kernel distance, A and B"].values[:3].tolist() == kernels.tolist()


def test_a_trend_in_words():
    def told(low, high, n=20, pictures=0):
        return change_report._told(similarity.Rank(0.1, low, high, n), pictures)

    assert told(0.1, 0.5) == "rises" and told(-0.5, -0.1) == "falls"
    assert told(-0.1, 0.2) == "cannot be told on 20 layers"
    assert told(np.nan, np.nan, 3, 45) == "cannot be told on 3 layers and 45 pictures"


def test_a_layer_whose_cka_cannot_be_told_has_no_place_in_the_order():
    """As one that no picture excites, in one network or in both."""
    maps = np.full((10, 10), 0.1) + 0.8 * np.eye(10)
    maps[:, 3], maps[3, 4] = np.nan, 0.2
    numbers = SimpleNamespace(maps=(list("abcdefghij"), None, {"debiased": maps}))
    made = SimpleNamespace(numbers=numbers, views=SimpleNamespace(seed=0, compared=range(20)))
    assert "Each of 10 layers in a row of A beside" in list(change_report._order(made))[-1]
    maps[7] = np.nan
    line = list(change_report._order(made))[-1]
    assert line.startswith("Each of 9 layers in a row of A (CKA cannot be told of 1 more) beside")
    assert "correlation of their places is 1.00 (" in line and "the same order" in line


def test_overlap_against_image_change_layer_by_layer(tmp_path):
    widths = {"one": 12, "left": 2, "right": 3}
    a, b = arrays(0, widths), arrays(1, widths)
    from tests.visualization.test_change_numbers import layers_of

    layers = {key: layers_of(widths, widths) for key in "ab"}
    views = views_of({"a": a, "b": b}, layers)
    numbers = computed(views, tmp_path, models_of("a", "b", widths=widths))
    table = numbers.channels[["layer", "channel"]].copy()
    table["image_change"] = 1 - numbers.channels["overlap_5"]
    made = SimpleNamespace(views=views, numbers=numbers, judged=SimpleNamespace(table=table))
    ranks = image_ranks(made)
    assert ranks["one"].rho == pytest.approx(-1) and ranks["one"].n == 12
    assert ranks["left"] is None and ranks["right"] is None
    assert change_report._changes(ranks["one"]) == "rises"


def test_tables_are_flat(tmp_path):
    made = made_of(tmp_path, a=arrays(0), b=arrays(1), c=arrays(2))
    change_report.write_tables(made, tmp_path)
    table = pandas.read_csv(tmp_path / "table_4.csv", encoding="utf-8-sig")
    assert list(table["NetA"]) == ["A: net", "A: net", "B: net"]
    assert "museum, mean CKA" in table and len(table) == 3
    table = pandas.read_csv(tmp_path / "table_2.csv", encoding="utf-8-sig")
    distances = made.numbers.layers["kernel_distance"].dropna()
    assert table["mean ℓ2 norm"][0] == pytest.approx(distances.mean())


def test_a_cell_cannot_break_its_table():
    assert change_report._row("a|b", "two\nlines", 3) == "| a\\|b | two lines | 3 |"


def test_nearly_all_is_not_all():
    told = change_report._above(pandas.Series([100, 100, 99.97, np.nan]))
    assert (
        told == "2 of 3 images score above every picture; the others above 99.9 % of them (median)"
    )
    assert change_report._above(pandas.Series([100.0])) == "1 of 1 images score above every picture"


@pytest.mark.parametrize(("pixels", "smaller"), [(128, True), (224, False)])
def test_paths_of_a_layers_images_together(pixels, smaller):
    """With what real pictures have beside it; without a scale nothing is told."""
    rows = [("a", "deep", "all", 5, -1.234, 0.8, 1.2), ("a", "deep", "first", 5, -3, 0.5, 2)]
    rows += [("b", "all", "all", 0, np.nan, np.nan, np.nan)]
    names = ["network", "channels_of", "layer", "images", "path_similarity", "low", "high"]
    images = SimpleNamespace(size=pixels)
    made = SimpleNamespace(
        judged=SimpleNamespace(paths=pandas.DataFrame(rows, columns=names)),
        compared=SimpleNamespace(size=224, comparison=SimpleNamespace(images=images)),
    )
    lines = list(change_report._paths(made))
    assert lines[-2:] == [
        "| A | deep | 5 | -1.23 | 0.80 to 1.20 |",
        "| B | all layers | 0 | cannot be told |  |",
    ]
    assert any("Images are of 128 pixels and pictures of 224" in line for line in lines) == smaller
