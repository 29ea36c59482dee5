"""The atlas and figures of a comparison: what they show is what its tables say."""

from types import SimpleNamespace

import numpy as np
import pytest

from tests.visualization.test_change_images import scored  # noqa: F401
from tests.visualization.test_change_numbers import arrays, computed, views_of
from visualization import change_pages, change_report
from visualization.change_numbers import commonest
from visualization.similarity import class_shares


@pytest.fixture(scope="module")
def made(scored):  # noqa: F811
    folder, opened, views, numbers, judged = scored
    from visualization.picture_list import open_pictures

    everything = open_pictures(opened.comparison.data, folder, folder / "refused.csv")
    parts = opened.comparison.parts
    pictures = everything.only({*parts["top"], *parts["cka"]})
    return SimpleNamespace(
        compared=opened,
        everything=everything,
        pictures=pictures,
        views=views,
        numbers=numbers,
        judged=judged,
    )


def test_an_atlas_says_what_the_tables_say(made):
    atlas = change_pages.atlas(made)
    assert atlas.k == 5 and atlas.classes == made.pictures.classes
    assert atlas.chance["overlap"] == "14 % (0 to 40 %)"
    assert len(atlas.pictures) == len(made.pictures.table)
    assert atlas.pictures[0].label == made.pictures.table["label"][0]
    assert "painter" in atlas.pictures[0].title
    table = change_report.with_images(made).set_index(["layer", "channel"])
    seen = 0
    for layer in atlas.layers:
        for channel in layer.channels:
            row = table.loc[(layer.name, channel.number)]
            assert channel.overlap == row["overlap_5"]
            assert (channel.dead in ("after", "both")) == (row["b_firing"] == 0)
            assert channel.entropy_after == pytest.approx(row["b_entropy_5"], nan_ok=True)
            for key, side in (("a", channel.before), ("b", channel.after)):
                scores = made.views.scores[key].score(layer.name)
                numbers = list(made.views.scores[key].numbers)
                rows = [numbers.index(picture) for picture in side.pictures]
                assert side.scores.tolist() == scores[rows, channel.number].tolist()
                if len(side.pictures):
                    assert side.scores[0] == row[f"{key}_best"]
                    assert atlas.classes[side.shares[0][0]] == row[f"{key}_class_1"]
                else:
                    assert side.shares == ()
                assert side.numbers["firing pictures"] == row[f"{key}_firing"]
                has_image = (key, layer.name, channel.number) in made.judged.files
                assert (side.image is not None) == has_image
                assert ("path similarity" in side.numbers) == has_image
                assert (side.boxes >= 0).all() and (side.boxes <= 1).all()
            seen += 1
    assert seen == len(table)


def test_patches_hold_the_maximum(made):
    """The place of the maximum, read off the scores, lies in the box."""
    (layer,) = (one for one in change_pages.atlas(made).layers if one.name == "first")
    size, scores = made.compared.size, made.views.scores["a"]
    height, width = scores.map_size("first")
    for channel in layer.channels:
        rows = [list(scores.numbers).index(picture) for picture in channel.before.pictures]
        places = scores.place("first")[rows, channel.number]
        for place, box in zip(places, channel.before.boxes, strict=True):
            row, column = divmod(int(place), width)  # a 3 x 3 convolution without padding
            assert box[0] == pytest.approx(column / size) and box[1] == pytest.approx(row / size)
            assert box[2] == pytest.approx(3 / size) and box[3] == pytest.approx(3 / size)


def test_figures_are_drawn(made, tmp_path):
    names = {name for name, content in change_pages.figures(made) if content[:4] == b"\x89PNG"}
    assert names == {
        *("layer_maps", "overlap_5", "entropy_5_a", "entropy_5_b", "cka_over_depth"),
        *("entropy_before_after", "overlap_and_change", "channels_1"),
    }
    (match,) = (one for one in made.compared.matches.channelled if one.name == "right")
    column = change_pages._column(made, match, 4, "ab")
    assert column.title == "right:4" and "score" in column.seen[0].note
    assert column.seen[1].overlap is not None and column.seen[0].overlap is None


def test_shares_of_a_channel_are_those_of_its_top_set():
    views = views_of({"a": arrays(0), "b": arrays(1)})
    shares = class_shares(views.tops("a", "one"), views.labels, 3)
    numbers, found = commonest(shares)
    assert np.allclose(np.nansum(found, axis=1), 1) and numbers.shape == (4, 3)


def test_a_dead_channel_is_told(tmp_path):
    a = arrays(0)
    a["one"][:, 1] = -1
    views = views_of({"a": a, "b": arrays(1)})
    numbers = computed(views, tmp_path)
    row = numbers.channels.iloc[1]
    assert row["a_firing"] == 0 and row[["a_class_1", "a_share_1"]].isna().all()
