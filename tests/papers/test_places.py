"""Weights by file and by folder; what is lacking; recipes and seeds of stages."""

import zipfile
from dataclasses import replace

import pytest

from models.errors import InputError
from papers.places import Substitute, check_only, read_starts, read_weights, unpack
from papers.protocols import PROTOCOLS
from papers.protocols.sabatelli2018 import ANTWERP, FINE, OFF, RANDOM, RIJKS
from transfer.recipes import RECIPES

NETWORKS = PROTOCOLS["sabatelli2018"].networks


def test_weights(tmp_path):
    assert read_weights([], NETWORKS)["VGG19"] == "VGG19:imagenet"
    for name in ("resnet50_keras2.h5", "ResNet50V2.h5", "xception-notop.weights.h5", "vgg19.txt"):
        (tmp_path / name).touch()
    found = read_weights([str(tmp_path), "VGG19:imagenet"], NETWORKS)
    assert found == {
        "ResNet50": f"ResNet50:{tmp_path}/resnet50_keras2.h5",
        "Xception": f"Xception:{tmp_path}/xception-notop.weights.h5",
        "VGG19": "VGG19:imagenet",
    }
    file = tmp_path / "xception-notop.weights.h5"
    assert read_weights([f"Xception:{file}"], NETWORKS) == {"Xception": f"Xception:{file}"}
    (tmp_path / "resnet50.weights.h5").touch()
    with pytest.raises(InputError, match="may both be weights of ResNet50; give ResNet50:FILE"):
        read_weights([str(tmp_path)], NETWORKS)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("nowhere", "no folder, nor NETWORK:FILE"),
        ("VGG16:imagenet", "no network 'VGG16' in this paper; there is VGG19"),
        ("VGG19:none", "accepted: a file, or imagenet"),
        ("VGG19:nowhere.h5", "nowhere.h5"),
        ("VGG91:imagenet", "VGG91"),
    ],
)
def test_weights_that_cannot_be(text, says):
    with pytest.raises(InputError, match=says):
        read_weights([text], NETWORKS)


def test_only():
    assert check_only(["VGG19", "ResNet50", "VGG19"], NETWORKS) == ("VGG19", "ResNet50")
    with pytest.raises(InputError, match="no network 'VGG16' in this paper; there is VGG19"):
        check_only(["VGG16"], NETWORKS)


def test_small_collections_stand_for_the_papers(place):
    data = place.data(RIJKS, "type")
    assert data.dataset_name == "shandongA" and data.where == (("collection", "A"),)
    assert data.min_pictures == 10 and data.sample is None
    assert place.data(ANTWERP, "type").where == (("collection", "B"),)
    assert place.stands_for(RIJKS, "type") == "shandong, collection=A, type (for Rijksmuseum)"
    assert place.data(RIJKS, "artist") == f"no folder {place.small / 'wikiart224'}"
    assert "stands for Antwerp, artist" in place.data(ANTWERP, "artist")
    assert "SMALL" in place.told and place.settings["pictures"] == "small"


def test_a_sample_and_changes_are_of_small_collections_alone_and_all_is_told(place):
    substitute = replace(place.paper.small[RIJKS, "type"], sample=20)
    small = place.paper.small | {(RIJKS, "type"): substitute}
    paper = replace(place.paper, small=small, small_changes={"batch_size": 8})
    of_all = place
    place = replace(place, paper=paper, known={})
    off, fine = (place.stages(RIJKS, "type", "ResNet50", mode)[0] for mode in (OFF, FINE))
    assert (
        off.data.sample == 20 == fine.data.sample and place.data(RIJKS, "material").sample is None
    )
    assert (off.recipe.batch_size, fine.recipe.batch_size) == (32, 8)
    (own,) = place.stages(RIJKS, "type", "ResNet50", FINE, batch_size=16)
    assert own.recipe.batch_size == 16  # what an item asks for goes before
    assert "; where layers are trained batch_size 8; " in place.told
    assert place.stands_for(RIJKS, "type").startswith("shandong, collection=A, type, 20 pictures")
    assert place.settings["samples"] == {"Rijksmuseum, type": 20}
    assert place.settings["trained"] == {"batch_size": 8}
    full = replace(place, full=True, known={})
    (whole,) = full.stages(RIJKS, "type", "ResNet50", FINE)
    assert whole.data.sample is None and whole.recipe.batch_size == 32
    assert full.settings == of_all.settings and "pictures (" not in full.stands_for(RIJKS, "type")


def test_precision_is_of_runs_that_train_layers(place):
    place = replace(place, precision="mixed_bfloat16", known={})
    off, fine = (place.stages(RIJKS, "type", "ResNet50", mode)[0] for mode in (OFF, FINE))
    assert (off.recipe.precision, fine.recipe.precision) == ("float32", "mixed_bfloat16")
    assert "where layers are trained precision mixed_bfloat16" in place.told
    assert place.settings["trained"] == {"precision": "mixed_bfloat16"}


def test_collections_that_are_partly_there(place, tmp_path):
    folder = tmp_path / "collections" / "rijksmuseum"
    folder.mkdir(parents=True)
    (folder / "a.jpg").write_bytes(b"x")
    (folder / "list.csv").write_text("ImageId,dc_type\na,print\n")
    place = replace(place, small=None, collections=tmp_path / "collections", known={})
    assert place.data(RIJKS, "type").dataset_name == "rijksmuseum"
    assert "tells no dc_materiaal" in place.data(RIJKS, "material")
    assert place.data(ANTWERP, "type") == f"no folder {tmp_path / 'collections' / 'antwerp'}"
    assert place.stages(ANTWERP, "type", "ResNet50", OFF).startswith("no folder")
    assert place.stands_for(RIJKS, "type") == RIJKS and "SMALL" not in place.told
    nothing = replace(place, collections=None, known={})
    assert "neither collections nor small was given" in nothing.data(RIJKS, "type")


def test_stages_lack_what_is_not_there(place):
    assert place.stages(RIJKS, "type", "VGG19", FINE) == "no weights file of VGG19"
    lacks = place.stages(RIJKS, "type", "VGG19", FINE)
    told = place.stages(ANTWERP, "type", "VGG19", OFF, lacks)
    assert told == "to start from: no weights file of VGG19"
    other = replace(place, only=("VGG19",))
    assert other.stages(RIJKS, "type", "ResNet50", OFF) == "ResNet50 was not asked for"
    # a network from scratch needs no weights, and is not made in place of one that does
    (scratch,) = place.stages(RIJKS, "type", "InceptionV3", RANDOM)
    assert scratch.start == "InceptionV3" and scratch.recipe.batch_norm == "train"


def test_recipes_are_the_papers_but_for_epochs_and_seeds(place):
    place = replace(place, epochs=None, trained_epochs=6, seeds=(42, 43))
    off, fine = (place.stages(RIJKS, "type", "ResNet50", mode) for mode in (OFF, FINE))
    assert off[0].recipe == RECIPES[OFF] and fine[0].recipe == replace(RECIPES[FINE], epochs=6)
    assert [stage.recipe.seed for stage in off] == [42, 43]
    capped = replace(place, epochs=3)
    assert capped.stages(RIJKS, "type", "ResNet50", OFF)[0].recipe.epochs == 3
    # a classifier without epochs is the run that it is without a bound
    (svm, _) = capped.stages(RIJKS, "type", "ResNet50", OFF, classifier="svm")
    assert svm.recipe == replace(RECIPES[OFF], classifier="svm")
    (later, _) = place.stages(ANTWERP, "type", "ResNet50", OFF, fine)
    assert later.start == fine[0] and later.architecture == "ResNet50"


CAFFE = ("CaffeNet", "GoogLeNet")
PUBLISHED = {"hybrid": ("CaffeNet", "hybridcnn"), "memnet": ("CaffeNet", "memnet")}


def test_caffes_own_files_are_known(tmp_path):
    names = ("bvlc_googlenet", "bvlc_reference_caffenet", "hybridCNN_iter_700000", "MemNet")
    for name in names:
        (tmp_path / f"{name}.caffemodel").touch()
    (tmp_path / "bvlc_googlenet.prototxt").touch()
    given = [str(tmp_path)]
    assert read_weights(given, CAFFE) == {
        "GoogLeNet": f"GoogLeNet:{tmp_path}/bvlc_googlenet.caffemodel",
        "CaffeNet": f"CaffeNet:{tmp_path}/bvlc_reference_caffenet.caffemodel",
    }
    starts = {
        "hybrid": f"CaffeNet:{tmp_path}/hybridCNN_iter_700000.caffemodel",
        "memnet": f"CaffeNet:{tmp_path}/MemNet.caffemodel",
    }
    assert read_starts(given, CAFFE, PUBLISHED) == {"CaffeNet": starts}
    assert read_starts(given, ("GoogLeNet",), PUBLISHED) == {}
    # of our own networks Keras has no weights
    assert read_weights([], (*CAFFE, "VGG19")) == {"VGG19": "VGG19:imagenet"}
    (tmp_path / "memnet2.caffemodel").touch()
    with pytest.raises(InputError, match="may both be the start memnet; give one"):
        read_starts(given, CAFFE, PUBLISHED)
    # one that is named counts before those of a folder
    named = [f"memnet=CaffeNet:{tmp_path}/memnet2.caffemodel", *given]
    assert read_starts(named, CAFFE, PUBLISHED)["CaffeNet"]["memnet"].endswith("memnet2.caffemodel")


def test_starts_have_names_and_are_no_weights_of_the_network(tmp_path):
    file = tmp_path / "a=b.caffemodel"
    file.touch()
    given = [f"places=GoogLeNet:{file}", f"GoogLeNet:{file}"]
    assert read_starts(given, CAFFE, {}) == {"GoogLeNet": {"places": f"GoogLeNet:{file}"}}
    assert read_weights(given, CAFFE) == {"GoogLeNet": f"GoogLeNet:{file}"}
    assert read_weights(given[:1], CAFFE) == {}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("random=GoogLeNet:{}", "a random start has none"),
        ("x=VGG19:imagenet", "no network 'VGG19' in this paper"),
        ("x=GoogLeNet", "no folder, nor NETWORK:FILE"),
        ("x=GoogLeNet:nowhere.caffemodel", "nowhere.caffemodel"),
    ],
)
def test_starts_that_cannot_be(text, says, tmp_path):
    file = tmp_path / "a.caffemodel"
    file.touch()
    with pytest.raises(InputError, match=says):
        read_starts([text.format(file)], CAFFE, {})


def test_stages_of_several_starts(place):
    more = replace(place, starts={"ResNet50": {"art": "ResNet50:art.h5"}})
    ((art,), (own,), (none,)) = (
        more.stages(RIJKS, "type", "ResNet50", FINE, start=name) for name in ("art", None, "random")
    )
    assert (art.start, own.start, none.start) == (
        *("ResNet50:art.h5", place.weights["ResNet50"]),
        "ResNet50",
    )
    assert none.recipe.batch_norm == "train" and own.recipe.batch_norm == "frozen"
    lacks = more.stages(RIJKS, "type", "ResNet50", FINE, start="photo")
    assert lacks == "no weights file of ResNet50, start photo"


@pytest.fixture
def caffe(place):
    """Return a Place of Cetinic 2018 with weights of both of its networks, 32 pixels asked for."""
    weights = {name: f"{name}:file" for name in CAFFE}
    return replace(place, paper=PROTOCOLS["cetinic2018"], weights=weights, known={})


def test_a_network_of_its_own_picture_size_is_told_so(caffe, place):
    own = "each network's own picture size"
    assert f"; {own}; " in caffe.told and "32 pixels" not in caffe.told
    second = replace(caffe, weights={"GoogLeNet": "GoogLeNet:file"})
    assert "; 32 pixels; " in second.told and own not in second.told
    # of several networks those that have one are named
    several = replace(place, paper=replace(place.paper, own_size=("VGG19",)))
    assert "; 32 pixels (each its own picture size: VGG19); " in several.told
    assert "; 32 pixels; " in replace(several, only=("ResNet50",)).told
    assert f"; {own}; " in replace(several, only=("VGG19",)).told


def test_why_a_network_stands_in_anothers_place(caffe):
    assert "CaffeNet" not in caffe.told  # it is there itself
    only = replace(caffe, only=("GoogLeNet",))
    assert only.told.endswith("; GoogLeNet in the place of CaffeNet, which was not asked for")
    none = replace(caffe, weights={"GoogLeNet": "GoogLeNet:file"})
    assert none.told.endswith("of CaffeNet, of which no weights are there")


def test_a_small_collection_may_be_a_zip_file(place, tmp_path):
    folder = place.small / "shandong"
    with zipfile.ZipFile(place.small / "zipped.zip", "w") as file:
        for path in sorted(folder.rglob("*.*")):
            file.write(path, f"zipped/{path.relative_to(folder)}")
    one = Substitute("zipped", "zipped", "dc_type")
    paper = replace(place.paper, small={(RIJKS, "type"): one})
    zipped = replace(place, paper=paper, known={})
    data = zipped.data(RIJKS, "type")
    assert data.metadata_path.is_file() and data.metadata_path.parent.name == "zipped"
    assert zipped.stands_for(RIJKS, "type") == "zipped, dc_type (for Rijksmuseum)"
    again = replace(zipped, known={}).data(RIJKS, "type")
    assert again.metadata_path == data.metadata_path
    broken = tmp_path / "broken.zip"
    broken.write_bytes(b"PK no zip")
    with pytest.raises(InputError, match="broken.zip is damaged or no zip file"):
        unpack(broken, tmp_path / "unpacked")
    assert list((tmp_path / "unpacked").glob("*")) == []


def test_a_timeframe_is_told_by_the_year(place):
    folder = place.small / "dated"
    (folder / "images").mkdir(parents=True)
    (folder / "metadata.csv").write_text("ImageId,year\na,1888\nb,1910\n")
    for name in "ab":
        (folder / "images" / f"{name}.png").write_bytes(b"x")
    one = Substitute("dated", "dated", "timeframe", min_pictures=3, collection="own", sample=9)
    zipped = replace(place, paper=replace(place.paper, small={(RIJKS, "type"): one}), known={})
    data = zipped.data(RIJKS, "type")
    assert (data.challenge, data.min_pictures, data.sample) == ("timeframe", 3, 9)
    assert "1851-1900" in data.metadata_path.read_text(encoding="utf-8-sig")
