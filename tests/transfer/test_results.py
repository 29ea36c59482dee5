"""The text of tables against values worked out by hand, escaping, and the published figures."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import InputError
from transfer import results
from transfer.evaluate import wilson


def section(several):
    (comparison,) = results.compare(several)
    return results.section(comparison, None)


def rows_of(markdown):
    """The cells of the first table, header first, without the ruler."""
    lines = [line for line in markdown.splitlines() if line.startswith("|")]
    return [re.split(r" (?<!\\)\| ", line[2:-2]) for line in lines[:1] + lines[2:]]


def test_table_has_the_papers_rows_columns_and_one_bold_best(made):
    several = [
        made(),
        made(tl_mode="off_the_shelf", top1_accuracy=0.7733),
        made(ANN="InceptionV3", tl_mode="random", weights="none", top1_accuracy=0.5),
        made(ANN="InceptionV3", top1_accuracy=0.9103, head_parameters=2159646, feature_size=2048),
        made(ANN="AlexNet", classifier="svm", tl_mode="off_the_shelf", top1_accuracy=0.125),
    ]
    text = section(several)
    assert text.startswith("## rijks: dc_type\n")
    assert rows_of(text) == [
        ["network", "off the shelf", "off the shelf, SVM", "fine tuning", "random (scratch)"]
        + ["head parameters", "feature size"],
        ["InceptionV3", "–", "–", "**91.03**", "50.00", "2159646 / 540702", "2048 / 512"],
        ["VGG19", "77.33", "–", "90.27", "–", "540702", "512"],
        ["AlexNet", "–", "12.50", "–", "–", "540702", "512"],
    ]


def test_repeated_runs_give_mean_range_and_number(made):
    # 80, 82, 87: mean 83; squared distances 9 + 1 + 16 = 26; sqrt(26 / 2) = 3.6056
    several = [made(seed=s, top1_accuracy=a) for s, a in ((1, 0.80), (2, 0.82), (3, 0.87))]
    assert rows_of(section(several))[1][1] == "83.00 (80.00–87.00, 3 runs)"  # alone: not bold
    beside = section([*several, made(tl_mode="random", weights="none", top1_accuracy=0.5)])
    assert rows_of(beside)[1][1:3] == ["**83.00 (80.00–87.00, 3 runs)**", "50.00"]
    (cells,) = results.comparison_frame(results.compare(several)).to_dict("records")
    assert (cells["top1_accuracy_percent"], cells["sample_sd_percent"]) == ("83.00", "3.61")
    assert (cells["lowest_percent"], cells["highest_percent"]) == ("80.00", "87.00")
    assert cells["n_runs"] == 3
    assert "same seed" not in section(several)
    assert "VGG19 fine tuning: some of its 2 runs have the same seed" in section([made(), made()])


def test_accuracies_have_their_interval(made):
    one = made(top1_interval=[0.881, 0.92], n_test=1000)
    other = made(ANN="ResNet50", top1_accuracy=0.5)  # of a version that measured none
    text = section([one, other])
    assert rows_of(text)[1][1] == "50.00" and rows_of(text)[2][1] == "**90.27 [88.1, 92.0]**"
    rows = results.comparison_frame(results.compare([one, other])).to_dict("records")
    assert [(row["low95_percent"], row["high95_percent"]) for row in rows] == [
        ("", ""),
        ("88.10", "92.00"),
    ]
    assert "low95_percent" not in results.comparison_frame(results.compare([other]))
    assert "brackets" in results.page(results.compare([one]), [])
    assert "brackets" not in results.page(results.compare([other]), [])


def test_seeds_have_the_interval_of_their_mean_and_groups_their_own(made):
    told = {"top1_interval": [0.5, 0.9], "n_test": 100}
    seeds = [made(seed=s, top1_accuracy=a, **told) for s, a in ((1, 0.6), (2, 0.8))]
    low, high = wilson(70, 100)
    assert results.interval(seeds) == pytest.approx((100 * low, 100 * high))
    assert f"70.00 [{100 * low:.1f}, {100 * high:.1f}] (60.00–80.00, 2 runs)" in section(seeds)
    grouped = made(**told, intervals={"top1_accuracy": [0.25, 0.75]})
    assert results.interval([grouped]) == (25, 75)
    assert results.interval([grouped, *seeds]) is None
    assert results.interval([made(**told, intervals={"top1_accuracy": None})]) is None
    assert results.interval([*seeds, made(**told, split_sha256="cd" * 32)]) is None


def test_why_there_is_no_interval_stands_under_the_table(made):
    told = {"top1_interval": [0.5, 0.9], "n_test": 75, "intervals_over": "15 groups of 75 pictures"}
    grouped = told | {"intervals": {"top1_accuracy": [0.25, 0.75]}}
    few = told | {"intervals": {"top1_accuracy": None}, "intervals_over": "6 groups of 30 pictures"}
    text = section([*(made(seed=s, **grouped) for s in (1, 2)), made(ANN="A", **few)])
    assert (
        "- Note: without an interval: VGG19 fine tuning (the bootstrap over 15 groups of 75 "
        "pictures is of one run, not of the mean of several seeds; " in text
    )
    assert (
        "- Note: without an interval: A fine tuning (6 groups of 30 pictures, fewer than 10, where "
        in text
    )
    alone, seeds = [made(**grouped)], [made(seed=s, **told) for s in (1, 2)]
    repeated = [made(**drawn(s) | grouped) for s in (1, 2)]
    for several in (alone, seeds, repeated, [made()]):
        assert "without an interval" not in section(several)
    labels = {"mean_average_precision": 0.5, "intervals": {"mean_average_precision": None}}
    text = section([made(**labels, intervals_left_out="2 of 2 labels have fewer")])
    assert "without an interval: VGG19 fine tuning (2 of 2 labels have fewer)" in text


def test_seeds_stand_beside_methods(made):
    seeds = [made(seed=s, top1_accuracy=a) for s, a in ((1, 0.80), (2, 0.82), (3, 0.87))]
    note = "seeds of one method differ by up to 7.00 points (VGG19 fine tuning)"
    assert f"- Note: {note}\n" in section(seeds)
    text = section([*seeds, made(tl_mode="random", weights="none", top1_accuracy=0.5)])
    assert f"- Note: {note}, the means of methods by up to 33.00\n" in text
    assert "seeds" not in section(seeds[:1])


def drawn(seed, sha=None, **others):
    sha = sha or f"{seed:064x}"
    split = {"split": "sabatelli2018", "seed": seed, "min_pictures": 1, **others}
    return {
        "split": split,
        "split_sha256": sha,
        "settings": {"split_sha256": sha, "split_seed": seed, "epochs": 3},
        "top1_interval": [0.5, 0.9],
    }


def test_repeated_splits_are_repeats(made):
    several = [
        made(ANN=name, top1_accuracy=a + (name == "B") / 100, **drawn(seed))
        for name in ("A", "B")
        for seed, a in ((1, 0.7), (2, 0.8), (3, 0.9))
    ]
    text = section(several)
    assert rows_of(text)[1][:2] == ["A", "80.00 (70.00–90.00, 3 splits)"]
    assert rows_of(text)[2][1] == "**81.00 (71.00–91.00, 3 splits)**"
    assert "3 splits, drawn with the seeds 1, 2, 3: their test sets overlap" in text
    assert "different splits" not in text and "same seed" not in text
    several.append(made(ANN="A", seed=7, top1_accuracy=0.7, **drawn(1)))
    assert "(70.00–90.00, 3 splits, 4 runs)" in section(several)


def test_splits_that_differ_in_more_than_the_seed_are_no_repeats(made):
    several = [made(**drawn(1)), made(**drawn(2)), made(**drawn(3, min_pictures=5))]
    names = [row[0] for row in rows_of(section(several))[1:]]
    assert names == [r"VGG19 \[min_pictures=1\]", r"VGG19 \[min_pictures=5\]"]
    # one draw of two collections, and a run that does not tell
    for other in (made(**drawn(1, sha="cd" * 32)), made(**drawn(9) | {"split": None})):
        text = section([made(**drawn(1)), other])
        assert "split_sha256=" in rows_of(text)[1][0]
        assert "different splits" in text


def test_a_setting_that_is_the_recipes_own_goes_unnamed(made):
    """Settings as Run.settings writes them: what is as it always was, is left out."""
    always = {"weights_sha256": None, "input_size": 64, "decoding": "bilinear 3", "epochs": 1}
    changed = [{"augmentation": "flip_shift"}, {"layers": "last:3"}, {"dropout": 0.5}]
    several = [made(settings=always | one) for one in ({}, *changed)]
    assert [row[0] for row in rows_of(section(several))[1:]] == [
        "VGG19",
        r"VGG19 \[augmentation=flip_shift\]",
        r"VGG19 \[dropout=0.5\]",
        r"VGG19 \[layers=last:3\]",
    ]
    # a recipe whose own is not the default: there a default is a choice
    mode = {"tl_mode": "gonthier2020.high_layers"}
    own = always | {"redrawn": "last:50", "augmentation": "flip_shift", "epsilon": 1e-7}
    several = [made(**mode, settings=own), made(**mode, settings=always)]
    names = [row[0] for row in rows_of(section(several))[1:]]
    assert names == ["VGG19", r"VGG19 \[augmentation=none, redrawn=none\]"]


def test_choices_of_a_split_that_was_drawn_without_them_go_unnamed(made):
    several = [made(**drawn(1)), made(**drawn(1, sha="cd" * 32, group_column="title"))]
    names = [row[0] for row in rows_of(section(several))[1:]]
    assert names == ["VGG19", r"VGG19 \[group_column=title\]"]


def test_several_labels_say_what_is_shown(made):
    lacking = {"test": ["lake"], "val": ["lake", "sun"]}
    told = {"mean_average_precision": 0.5, "classes_without_positive": lacking}
    told |= {"chance_mean_average_precision": 0.125}
    run = made(**told, intervals={"mean_average_precision": [0.4, 0.6]})
    text = section([run])
    assert "[40.0, 60.0]" in text and "shown is the mean average precision" in text
    assert "no test picture has them: lake\n" in text and "val picture has them: lake, sun" in text
    assert "by chance: 12.50 %" in text
    frame = results.comparison_frame(results.compare([run, made(dataset="b")]))
    assert frame["top1_accuracy_percent"].tolist() == ["90.27", ""]
    assert frame["mean_average_precision_percent"].tolist() == ["", "50.00"]
    comparisons = results.compare([run])
    assert "several labels the mean average precision)" in results.page(comparisons, [])
    assert "several labels" not in results.page(results.compare([made()]), [])


def test_equal_as_shown_is_equally_bold(made):
    text = section([made(top1_accuracy=0.90001), made(ANN="ResNet50", top1_accuracy=0.90002)])
    assert text.count("**90.00**") == 2


def test_different_splits_are_named_under_the_table_and_no_best_is_marked(made):
    text = section([made(), made(ANN="ResNet50", split_sha256="cd" * 32)])
    assert "different splits" in text
    assert "- Note: split abababababab: VGG19 fine tuning\n" in text
    assert "- Note: split cdcdcdcdcdcd: ResNet50 fine tuning\n" in text
    assert "**" not in text
    assert "split" not in section([made(), made(ANN="ResNet50")])


def test_cells_over_the_same_set_of_splits_are_compared_with_a_note(made):
    several = [
        made(ANN=n, seed=i, split_sha256=s * 32)
        for n in ("A", "B")
        for i, s in enumerate(("ab", "cd"))
    ]
    text = section(several)
    assert "different splits" in text and text.count("**90.27 (90.27–90.27, 2 runs)**") == 2


def test_starting_weights_become_columns_in_the_order_of_table_3(made):
    several = [
        made(ANN=ann, tl_mode=mode, weights=weights)
        for ann in ("VGG19", "ResNet50")
        for mode in ("fine_tuning", "off_the_shelf")
        for weights in (f"/r/type/{ann}/fine_tuning/model.keras", "imagenet")
    ]
    text = section(several)
    names = ["imagenet + off the shelf", "model.keras + off the shelf"]
    names += ["imagenet + fine tuning", "model.keras + fine tuning"]
    assert rows_of(text)[0][1:5] == names
    assert "–" not in text  # each network's own file is the same column
    assert r"model.keras is /r/type/\*/fine_tuning/model.keras" in text


def test_a_file_of_weights_is_a_note_and_scratch_has_none(made):
    scratch = [made(tl_mode="random", weights=weights) for weights in ("imagenet", "none")]
    text = section([made(weights="w/rijks.h5"), *scratch])
    assert rows_of(text)[0][1:4] == ["fine tuning", "random (scratch)", "head parameters"]
    assert "- Note: started from w/rijks.h5: VGG19 (fine tuning)\n" in text


def test_networks_given_as_files_share_the_columns_of_their_modes(made):
    several = [made(ANN="ResNet50"), made(ANN="mine-1a2b", weights="/w/mine.keras")]
    several.append(made(ANN="his-3c4d", weights="/w/his.keras"))
    text = section([*several, *(replace(r, mode="off_the_shelf") for r in several)])
    assert rows_of(text)[0][:3] == ["network", "off the shelf", "fine tuning"]
    assert "–" not in text and len(rows_of(text)) == 4
    both = "(off the shelf, fine tuning)"
    assert f"- Note: started from /w/mine.keras: mine-1a2b {both}\n" in text
    assert f"- Note: started from ImageNet's weights: ResNet50 {both}\n" in text


def test_sizes_of_pictures_are_a_column_where_they_differ(made):
    def sized(size, accuracy, **settings):
        settings = {"input_size": size, "epochs": 100} | settings
        return made(settings=settings, top1_accuracy=accuracy)

    several = [sized(128, 0.5), sized(64, 0.25), sized(64, 0.125, epochs=3)]
    assert rows_of(section(several)) == [
        ["network", "picture size", "fine tuning", "head parameters", "feature size"],
        ["VGG19", "64", "25.00", "540702", "512"],
        ["VGG19", "128", "**50.00**", "540702", "512"],
        [r"VGG19 \[epochs=3\]", "64", "12.50", "540702", "512"],
    ]
    (comparison,) = results.compare(several)
    names = [run.network for run in comparison.curves]
    assert names == ["VGG19, 64 pixels", "VGG19, 128 pixels", "VGG19 [epochs=3], 64 pixels"]
    assert [
        row["input_size"] for row in results.comparison_frame([comparison]).to_dict("records")
    ] == ["64", "128", "64"]
    assert "picture size" not in section(several[1:])


def test_a_lone_value_is_not_bold(made):
    assert "**" not in section([made()])
    assert "**" in section([made(), made(ANN="ResNet50", top1_accuracy=0.5)])


def test_chance_stands_under_the_table_where_runs_have_it(made):
    text = section([made(chance_top1=0.125), made(ANN="ResNet50")])
    assert "- Note: by chance: 12.50 %\n" in text
    assert "chance" not in section([made()])


def test_guesses_that_cannot_miss_are_left_out(made, tmp_path):
    told = {"top3_accuracy": 0.95, "top5_accuracy": 1.0}
    runs = [replace(made(n_classes=n, **told), folder=tmp_path) for n in (3, 5, 6)]
    frame = results.runs_frame(runs, tmp_path)
    assert frame["top3_accuracy"].tolist() == ["", "0.95", "0.95"]
    assert frame["top5_accuracy"].tolist() == ["", "", "1.0"]


def test_toy_runs_stand_apart_and_say_so(made):
    real, toy = results.compare([made(toy=True), made()])
    assert (real.title, toy.title) == ("rijks: dc_type", "rijks: dc_type (toy collection)")
    assert "## rijks: dc_type (toy collection)" in results.section(toy, None)


PUBLISHED = Path(__file__).parents[2] / "papers" / "published" / "sabatelli2018"


def test_published_page_marks_one_best_per_challenge_and_lost_cells():
    page = results.published_page(PUBLISHED / "table2.csv")
    assert page.startswith("# Published figures: Sabatelli et al. 2018 table 2, Rijksmuseum\n")
    assert re.findall(r"\*\*(.+?)\*\*", page) == ["92.95", "91.30", "51.73"]
    assert "| artist | InceptionV3 | lost | **51.73** | 24K | 2048 |" in page
    assert "- Note: artist, ResNet50: off the shelf: " in page


def test_a_published_table_without_rows_is_refused(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("source,dataset,challenge,network,accuracy (%),note\n")
    with pytest.raises(InputError, match="table.csv: no row"):
        results.published_page(path)


@given(st.text())
def test_escaped_text_is_one_line_that_reads_back(text):
    escaped = results.escape(text)
    assert len(escaped.splitlines()) <= 1
    assert not re.search(r"(?<!\\)(\\\\)*[|*`<\[$]", escaped)
    assert re.sub(r"\\(\W|_)", r"\1", escaped) == results.one_line(text)


def test_weights_files_of_one_name_are_told_apart_by_their_folders():
    columns = [
        results.Column("fine_tuning", path, "softmax") for path in ("/a/x/m.h5", "/b/x/m.h5")
    ]
    assert results.short_weights(columns) == {"/a/x/m.h5": "a/x/m.h5", "/b/x/m.h5": "b/x/m.h5"}


def test_pictures_that_an_earlier_stage_was_trained_on_are_told(made):
    text = section([made(n_test_seen_before=3), made(ANN="A", n_test_seen_before=0)])
    note = "VGG19 fine tuning: of its test pictures, the network that it started from was trained"
    assert f"- Note: {note} on up to 3; its accuracy may be too high\n" in text
    assert text.count("too high") == 1


def test_ensembles_of_repeated_splits_are_repeats(made):
    told = {"tl_mode": "ensemble", "classifier": "mean", "weights": "one + other", "seed": None}
    several = [made(**told, top1_accuracy=a, **drawn(seed)) for seed, a in ((1, 0.6), (2, 0.8))]
    text = section([*several, *(made(**drawn(seed)) for seed in (1, 2))])
    assert rows_of(text)[0][1:3] == ["fine tuning", "ensemble"]
    assert rows_of(text)[1][2] == "70.00 (60.00–80.00, 2 splits)"
    assert "VGG19 ensemble: the mean of the probabilities of one + other" in text
    assert "started from one" not in text and "no learning curve" not in text
