"""What is asked of a comparison, checked; sizes of pictures and of top sets."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from models.errors import InputError
from tests.visualization import museum as small
from transfer.dataset import Data
from visualization import activations, differences
from visualization.channel_choice import read_choice
from visualization.differences import Comparison, Images, common_size, top_sizes


def data(folder):
    museum = small.paint(folder / "museum", count=3)
    return Data("museum", "style", folder, museum / "table.csv", museum / "jpg")


def test_statistics_are_those_of_the_pass():
    assert differences.STATISTICS == activations.STATISTICS


def test_parts_are_the_papers_unless_one_is_asked_for(tmp_path):
    asked = data(tmp_path)
    assert Comparison("VGG16", "VGG19", asked).parts == {"top": ("train",), "cka": ("test",)}
    assert Comparison("VGG16", "VGG19", asked, part="val").parts == {
        "top": ("val",),
        "cka": ("val",),
    }
    everything = Comparison("VGG16", "VGG19", asked, part="all").parts
    assert everything["cka"] == everything["top"] == ("train", "val", "test")
    assert Comparison("VGG16", "VGG19", asked).networks == {"a": "VGG16", "b": "VGG19"}
    third = Comparison("VGG16", "VGG19", asked, "ResNet50")
    assert list(third.networks) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"statistic": "median"}, "statistic is 'median'; accepted: mean_after_relu, mean, max"),
        ({"part": "tset"}, "part is 'tset'; accepted: train, val, test, all"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"input_size": -1}, "input_size is -1"),
        ({"ks": (5, 0)}, "k is 0"),
        ({"seed": -1}, "seed is -1"),
        ({"layer_map": Path("/no/such")}, "layer_map is /no/such"),
        ({"before": "VGG91"}, "no network 'VGG91'"),
        ({"names": ("before",)}, "names are before; accepted: one for each of the 2 networks"),
    ],
)
def test_what_cannot_be(tmp_path, changes, says):
    with pytest.raises(InputError, match=says):
        Comparison(**{"before": "VGG16", "after": "VGG19", "data": data(tmp_path), **changes})


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"steps": 0}, "steps is 0"),
        ({"size": 0}, "size_of_images is 0"),
        ({"dtype": "float8"}, "dtype is 'float8'; accepted: float32, bfloat16, float16"),
        ({"optimized_b": Path("/no/such")}, "optimized_b is /no/such"),
    ],
)
def test_images_that_cannot_be(changes, says):
    with pytest.raises(InputError, match=says):
        Images(**changes)


def test_one_folder_of_images_alone_needs_channels_to_make(tmp_path):
    with pytest.raises(InputError, match=f"optimized_b is {tmp_path}, .*accepted: .* or optimize"):
        Images(optimized_b=tmp_path)
    Images((read_choice("left:0"),), optimized_b=tmp_path)
    Images(optimized_a=tmp_path, optimized_b=tmp_path)


def networks(*sizes):
    named = zip("abc", sizes, strict=False)
    return {key: SimpleNamespace(spec=key * 3, size=size) for key, size in named}


def test_one_size_for_all():
    assert common_size(networks(224, 224)) == 224
    assert common_size(networks(224, None)) == 224
    assert common_size(networks(224, 64), 128) == 128
    assert common_size(networks(None, None), 32) == 32
    with pytest.raises(InputError, match="any size; give input_size"):
        common_size(networks(None, None))
    with pytest.raises(InputError, match=r"different sizes \(aaa 224, bbb any, ccc 64 pixels\)"):
        common_size(networks(224, None, 64))


def test_top_sets_are_smaller_than_the_collection():
    said = []
    assert top_sizes((), 1001, said.append) == (100, 1000) and not said
    assert top_sizes((), 1000, said.append) == (100,)
    assert said == ["no top 1000: top sets come from 1000 pictures"]
    assert top_sizes((7, 3), 8) == (7, 3)
    for asked, count, k in (((), 100, 100), ((5, 8), 8, 8)):
        with pytest.raises(InputError, match=f"k is {k}, and top sets come from {count} pictures"):
            top_sizes(asked, count)


def test_seconds_add_up():
    clock = differences.Clock({"pass": 7})
    for what in ("pass", "atlas"):
        with clock.of(what):
            pass
    assert clock.seconds == {"pass": 7, "atlas": 0}


def test_a_collection_of_several_labels_is_refused(tmp_path):
    (tmp_path / "table.csv").write_text("ImageId,lake,tree\n1,0,1\n2,1,0\n")
    several = Data("museum", "lake,tree", tmp_path, tmp_path / "table.csv", tmp_path)
    with pytest.raises(InputError, match="'lake,tree', of several labels; accepted here: one col"):
        Comparison("VGG16", "VGG19", several)
