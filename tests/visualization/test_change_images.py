"""Images of channels of both networks: which, from which start, and whether to believe them."""

import numpy as np
import pytest
from PIL import Image

from models.errors import InputError
from models.network import load
from tests.visualization import museum as small
from transfer.dataset import Data
from transfer.progress import Progress
from visualization import activations, change_images, change_numbers, channel_choice
from visualization.differences import Comparison, Images, open_compared, score
from visualization.path_similarity import image_distance, one_by_one, path_correlations, pooled
from visualization.picture_list import open_pictures


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    """(Opened, Views, Numbers) of two small networks, with images of three channels asked for."""
    folder = tmp_path_factory.mktemp("scored")
    museum, networks = small.paint(folder / "museum"), small.save_networks(folder / "networks")
    table, jpg = museum / "table.csv", museum / "jpg"
    given = {"split": "column=split", "near_duplicates": "ignore"}
    data = Data("museum", "style", folder, table, jpg, **given)
    choices = tuple(map(channel_choice.read_choice, ("joined:1,8", "first:0")))
    images = Images(choices, steps=3, size=20)
    named = [str(networks / f"{name}.keras") for name in ("before", "after")]
    opened = open_compared(Comparison(*named, data, ks=(5,), images=images))
    everything = open_pictures(data, folder, folder / "refused.csv")
    (folder / "scores").mkdir()
    _, views = score(opened, everything, folder / "scores")
    progress = Progress(change_numbers.steps(views), "steps")
    numbers = change_numbers.compute(views, opened.models, folder / "cka.json", progress)
    judged = change_images.make(opened, views, numbers, folder / "images", folder / "scratch")
    return folder, opened, views, numbers, judged


def test_both_networks_have_the_same_channels(scored):
    folder, opened, _, numbers, judged = scored
    channels = [("first", 0), ("left", 1), ("right", 4)]
    assert [one[1:] for one in judged.files if one[0] == "a"] == channels
    assert [one[1:] for one in judged.files if one[0] == "b"] == channels
    # an image is of the map after the batch normalisation, and its folder bears that name
    assert judged.files["a", "first", 0] == folder / "images" / "a" / "norm" / "norm_0000.png"
    assert change_images.missing(opened, numbers.channels, folder / "images") == []
    assert len(change_images.missing(opened, numbers.channels, folder / "other")) == 3


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"), "float32")[None]


def maps(model, layer, image):
    """What a layer gives for one image, before its ReLU."""
    part = activations.cut(model, [layer], image.shape[1:3])
    return np.asarray(part(image, training=False)[layer])[0]


def test_an_image_is_scored_as_pictures_are(scored):
    _, opened, views, _, judged = scored
    for key in "ab":
        for row in judged.table.to_dict("records"):
            layer, channel = row["layer"], row["channel"]
            image = pixels(judged.files[key, layer, channel])
            of = "norm" if layer == "first" else layer
            found = maps(opened.models[key], of, image)[..., channel]
            expected = np.maximum(found, 0).mean()
            assert row[f"{key}_image_score"] == pytest.approx(expected, rel=1e-4, abs=1e-5)
            pictures = views.seen(key, layer)[:, channel]
            below = 100 * np.mean([score < row[f"{key}_image_score"] for score in pictures])
            assert row[f"{key}_image_percentile"] == pytest.approx(below)


def test_paths_are_of_the_layers_before(scored):
    _, opened, views, _, judged = scored
    row = judged.table[judged.table["layer"] == "right"].iloc[0]
    image = pixels(judged.files["b", "right", 4])
    order = list(views.scores["b"].layers)
    top = views.tops("b", "right")[:, [4]].T  # all five of them
    found = []
    for name in order[: order.index("right")]:
        of = "norm" if name == "first" else name
        means = np.maximum(maps(opened.models["b"], of, image), 0).mean(axis=(0, 1))
        found.append(path_correlations(means[None], top, views.seen("b", name)))
    each, together = one_by_one(found), pooled(found, seed=views.seed)
    near = {"rel": 1e-2, "abs": 1e-2}
    for name, values in (("path_similarity", each.values), ("path_low", each.low)):
        assert row[f"b_{name}"] == pytest.approx(values[0], nan_ok=True, **near)
    # of the first layer nothing comes before
    assert judged.table[judged.table["layer"] == "first"]["b_path_similarity"].isna().all()
    paths = judged.paths.set_index(["network", "channels_of", "layer"])
    assert {key for key, *_ in paths.index} == {"a", "b"}
    alone = paths.loc[("b", "right", "all")]
    assert alone["path_similarity"] == pytest.approx(together.value, nan_ok=True, **near)
    # the images of both branches come after the first layer, and are taken together there
    assert paths.loc[("b", "all", "first"), "images"] == 2
    some = [paths.loc[("b", layer, "first"), "image"] for layer in ("left", "right")]
    assert paths.loc[("b", "all", "first"), "image"] == pytest.approx(np.mean(some))
    assert paths.loc[("b", "first", "all"), "images"] == 0


def test_the_change_of_an_image_beside_that_of_others(scored):
    _, opened, _, _, judged = scored
    network, layer = change_images.judge_of(opened)
    assert network is opened.networks["a"] and layer == "joined"
    for row in judged.table.to_dict("records"):
        sides = [pixels(judged.files[key, row["layer"], row["channel"]]) for key in "ab"]
        (expected,) = image_distance(network, layer, *sides)
        assert row["image_change"] == pytest.approx(expected, abs=1e-6)
    assert judged.table["image_change_by_chance"].isna().all()  # one image in every layer


def test_another_judge(scored):
    _, opened, *_ = scored
    from dataclasses import replace

    images = replace(opened.comparison.images, judge=opened.comparison.after, judge_layer="first")
    other = replace(opened, comparison=replace(opened.comparison, images=images))
    network, layer = change_images.judge_of(other)
    assert layer == "first" and network.spec == load(opened.comparison.after).spec


def test_images_made_otherwise_are_refused_before_anything_is_made(scored):
    folder, opened, _, numbers, _ = scored
    from dataclasses import replace

    images = replace(opened.comparison.images, size=24)
    other = replace(opened, comparison=replace(opened.comparison, images=images))
    with pytest.raises(InputError, match="size 20 .here 24"):
        change_images.missing(other, numbers.channels, folder / "images")
