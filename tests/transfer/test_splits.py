"""Splits: properties of every protocol, hand-made cases, and files."""

from collections import Counter, defaultdict
from typing import NamedTuple

import numpy as np
import pandas
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from models.errors import InputError
from transfer import splits
from transfer.result_folder import read_csv


class Picture(NamedTuple):
    id: str
    label: str
    split: str
    path: str
    sha256: str


class Finding(NamedTuple):
    kind: str
    id: str
    picture: str
    detail: str


DRAWN = [name for name, draw in splits.PROTOCOLS.items() if draw]


def tabled(pictures):
    return pandas.DataFrame(pictures, columns=Picture._fields, dtype=object)


def listed(table, kind=Picture):
    assert list(table.columns) == list(kind._fields)
    return [kind(*row) for row in table.itertuples(index=False)]


def assign(pictures, *arguments, **options):
    rows, findings = splits.assign(tabled(pictures), *arguments, **options)
    return listed(rows), listed(findings, Finding)


def made(label, count, first=0, split=""):
    """`count` different pictures of a class."""
    names = [f"{label}{first + i:03}" for i in range(count)]
    return [Picture(name, label, split, f"{name}.jpg", f"hash {name}") for name in names]


@st.composite
def collections(draw):
    """Two to five classes of 0 to 30 pictures with split values; some share their bytes."""
    pictures = []
    for label in "abcde"[: draw(st.integers(2, 5))]:
        pictures += made(label, draw(st.integers(0, 30)))
    hashes = draw(st.lists(st.integers(0, 60), min_size=len(pictures), max_size=len(pictures)))
    names = draw(st.lists(st.sampled_from(["train", "VAL", "testing"]), min_size=1, max_size=7))
    return [
        p._replace(sha256=str(h) if h < 10 else p.sha256, split=names[i % len(names)])
        for i, (p, h) in enumerate(zip(pictures, hashes, strict=True))
    ]


def assigned(pictures, protocol, **options):
    """assign(), or an example hypothesis passes over where too little is left to learn from."""
    try:
        return assign(pictures, protocol, **options)
    except InputError:
        assume(False)


@settings(max_examples=150, deadline=None)
@given(collections(), st.sampled_from(list(splits.PROTOCOLS)), st.integers(0, 2**32))
def test_every_picture_is_in_one_split_or_in_the_findings(pictures, protocol, seed):
    rows, findings = assigned(pictures, protocol, seed=seed, min_pictures=3)
    known = {p.id: p for p in pictures}
    assert [row.id for row in rows] == sorted({row.id for row in rows})
    for row in rows:
        picture = known.pop(row.id)
        assert row == Picture(picture.id, picture.label, row.split, picture.path, picture.sha256)
        assert row.split in splits.SPLITS
        if protocol == "column":
            assert row.split == splits.COLUMN_VALUES[picture.split.lower()]
    named = {finding.id for finding in findings}
    whole_classes = {f.detail.split(":")[0] for f in findings if f.kind.startswith("class ")}
    assert all(p.id in named or p.label in whole_classes for p in known.values())
    assert not whole_classes & {row.label for row in rows}
    assert not named & {row.id for row in rows}


@settings(max_examples=150, deadline=None)
@given(collections(), st.sampled_from(list(splits.PROTOCOLS)), st.integers(0, 2**32))
def test_no_bytes_in_two_splits_and_every_class_in_all(pictures, protocol, seed):
    rows, _ = assigned(pictures, protocol, seed=seed, min_pictures=3)
    where, classes = defaultdict(set), defaultdict(set)
    for row in rows:
        where[row.sha256].add((row.split, row.label))
        classes[row.label].add(row.split)
    assert {len(places) for places in where.values()} == {1}
    assert all(places == set(splits.SPLITS) for places in classes.values())
    assert len(classes) >= 2


@settings(max_examples=60, deadline=None)
@given(collections(), st.sampled_from(list(splits.PROTOCOLS)), st.randoms())
def test_order_changes_nothing(pictures, protocol, random):
    rows, findings = assigned(pictures, protocol, min_pictures=3)
    shuffled = random.sample(pictures, len(pictures))
    again, found_again = assign(shuffled, protocol, min_pictures=3)
    assert again == rows and sorted(found_again) == sorted(findings)


@settings(deadline=None)
@given(st.lists(st.integers(3, 200), min_size=2, max_size=4), st.integers(0, 99))
def test_stratified_classes_keep_their_proportions(counts, seed):
    pictures = sum((made(label, n) for label, n in zip("abcd", counts, strict=False)), [])
    rows, findings = assign(pictures, "cetinic2018", seed=seed)
    assert len(rows) == len(pictures) and findings == []
    got = Counter((row.label, row.split) for row in rows)
    for label, count in zip("abcd", counts, strict=False):
        sizes = [got[label, split] for split in splits.SPLITS]
        if count == 3:  # one each is all there is
            assert sizes == [1, 1, 1]
        assert min(sizes) >= 1
        for size, percent in zip(sizes, (70, 10, 20), strict=True):
            assert abs(size - count * percent / 100) <= 1 + 0.1 * (count == 3)


@pytest.mark.parametrize(
    ("count", "percents", "least", "sizes"),
    [
        (10, (80, 10, 10), 0, [8, 1, 1]),
        (748, (80, 10, 10), 0, [598, 75, 75]),  # 598.4, 74.8, 74.8
        (5, (80, 10, 10), 0, [4, 1, 0]),
        (3, (70, 10, 20), 1, [1, 1, 1]),
        (4, (70, 10, 20), 1, [2, 1, 1]),
        (30, (70, 10, 20), 1, [21, 3, 6]),
        (0, (70, 10, 20), 0, [0, 0, 0]),
    ],
)
def test_sizes(count, percents, least, sizes):
    assert splits._sizes(count, percents, least) == sizes


def test_the_seed_decides_the_draw():
    pictures = made("a", 50) + made("b", 50)
    for protocol in DRAWN:
        first = assign(pictures, protocol, seed=42)
        assert first == assign(pictures, protocol)
        assert first != assign(pictures, protocol, seed=43)


def test_sabatelli_is_drawn_over_all_classes_and_keeps_those_in_every_split():
    pictures = made("a", 60) + made("b", 38) + made("rare", 2)
    rows, findings = assign(pictures, "sabatelli2018")
    assert Counter(row.label for row in rows) == {"a": 60, "b": 38}
    [finding] = findings
    assert finding.kind == "class dropped"
    assert finding.detail.startswith("rare: 2 pictures, none in ")


def test_byte_identical_pictures_count_once_and_contradicting_labels_go():
    copies = [p._replace(sha256="same") for p in made("a", 5, first=100)]
    odd = [p._replace(sha256="odd") for p in (*made("a", 1, 200), *made("b", 1, 200))]
    rows, findings = assign(made("a", 9) + made("b", 10) + copies + odd, "cetinic2018")
    where = Counter(row.split for row in rows if row.sha256 == "same")
    assert list(where.values()) == [5]
    distinct = Counter(split for _, split in {(r.sha256, r.split) for r in rows if r.label == "a"})
    assert distinct == {"train": 7, "val": 1, "test": 2}
    assert [(f.kind, f.id, f.detail) for f in findings] == [
        ("byte-identical pictures with different labels", "a200", "a | b"),
        ("byte-identical pictures with different labels", "b200", "a | b"),
    ]


def test_a_class_too_small_to_stratify_is_refused_or_left_out():
    pictures = made("a", 9) + made("b", 9) + made("c", 2)
    pictures += [p._replace(sha256="same") for p in made("d", 4)]
    message = r"2 classes have fewer than 3 \('d': 1, 'c': 2\); min_pictures 3 leaves"
    with pytest.raises(InputError, match=message):
        assign(pictures, "cetinic2018")
    rows, findings = assign(pictures, "cetinic2018", min_pictures=3)
    assert {row.label for row in rows} == {"a", "b"}
    assert [(f.kind, f.detail) for f in findings] == [
        ("class too small", "c: 2 of 3 distinct pictures"),
        ("class too small", "d: 1 of 3 distinct pictures"),
    ]


def test_a_column_decides_and_copies_stay_in_one_split():
    pictures = []
    for label in "ab":
        for i, value in enumerate(["Train", "VALIDATION", "testing", "training", "val", "test"]):
            pictures += made(label, 1, i, value)
    for name, first, value in [("a", 50, "test"), ("a", 60, "train"), ("b", 50, "test")]:
        pictures += [p._replace(sha256=name) for p in made(name, 2, first, value)]
    pictures += [p._replace(sha256="b") for p in made("b", 1, 60, "valid")]
    rows, findings = assign(pictures, "column")
    splits_of = {row.id: row.split for row in rows}
    assert [splits_of[f"a00{i}"] for i in range(6)] == ["train", "val", "test"] * 2
    assert {"a060", "a061", "b060"} < set(splits_of) and splits_of["b060"] == "val"
    assert [(f.kind, f.id, f.detail) for f in findings] == [
        ("byte-identical pictures across splits", "a050", "test; kept in train"),
        ("byte-identical pictures across splits", "a051", "test; kept in train"),
        ("byte-identical pictures across splits", "b050", "test; kept in val"),
        ("byte-identical pictures across splits", "b051", "test; kept in val"),
    ]


def test_unknown_split_values_and_protocols_are_named():
    pictures = made("a", 3, split="dev") + made("b", 3, split="train") + made("c", 1)
    with pytest.raises(InputError, match=r"holds '': 1, 'dev': 3; accepted are train, training,"):
        assign(pictures, "column")
    with pytest.raises(InputError, match="'random' is none of sabatelli2018, cetinic2018, column"):
        assign(pictures, "random")


def given_parts(**parts):
    """Three pictures of each class, all in one part of a given split."""
    return [picture for label, part in parts.items() for picture in made(label, 3, split=part)]


@pytest.mark.parametrize("protocol", DRAWN)
def test_fewer_than_two_classes_are_refused(protocol):
    with pytest.raises(InputError, match="1 left of 2 .'b': 2, 'a': 30; min_pictures 3"):
        assign(made("a", 30) + made("b", 2), protocol, min_pictures=3)


@pytest.mark.parametrize(
    ("pictures", "protocol", "least", "remedy"),
    [
        (
            sum((made(c, 3) for c in "abcdef"), []),
            "sabatelli2018",
            1,
            "; split cetinic2018 with .* 3 k",
        ),
        (made("a", 30) + made("b", 30), "cetinic2018", 31, "; a smaller min_pictures keeps more$"),
        (given_parts(a="train", b="test"), "column", 1, "; give classes pictures in every part"),
        (made("a", 30) + made("b", 2), "cetinic2018", 3, r"min_pictures 3\)$"),  # there is none
    ],
)
def test_too_few_classes_come_with_what_would_leave_more(pictures, protocol, least, remedy):
    others = given_parts(c="train", d="val", e="test") if protocol == "column" else []
    with pytest.raises(InputError, match=f"a classifier needs two classes .*{remedy}"):
        assign(pictures + others, protocol, min_pictures=least)


def test_the_remedy_for_small_classes_keeps_them():
    pictures = sum((made(c, 3) for c in "abcdef"), [])
    rows, _ = assign(pictures, "cetinic2018", min_pictures=3)
    assert {row.label for row in rows} == set("abcdef")


# ---- files

TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\t\r\n"))


@settings(deadline=None)
@given(st.lists(st.builds(Picture, TEXT, TEXT, st.sampled_from(splits.SPLITS), TEXT, TEXT)))
def test_a_split_file_reads_back_exactly(tmp_path_factory, rows):
    path = tmp_path_factory.getbasetemp() / "split.csv"
    splits.save(tabled(rows), path)
    assert listed(read_csv(path)) == rows


def grouped(pictures, groups):
    return tabled(pictures).assign(group=groups)


@st.composite
def groups_of_pictures(draw):
    """A collection, some of whose pictures belong to groups, also across classes."""
    pictures = draw(collections())
    names = st.sampled_from(["", "", "p", "q", "r", "s", "t"])
    size = len(pictures)
    return grouped(pictures, draw(st.lists(names, min_size=size, max_size=size)))


@given(groups_of_pictures(), st.sampled_from(DRAWN), st.integers(0, 9))
def test_no_group_is_torn_by_a_drawn_split(pictures, protocol, seed):
    try:
        rows, findings = splits.assign(pictures, protocol, seed)
    except InputError:
        assume(False)
    units = splits.components(rows)
    assert (rows["split"].groupby(units).nunique() == 1).all()
    left_out = set(pictures["label"]) - set(rows["label"])
    told = {detail.partition(":")[0] for detail in findings["detail"]}
    torn = findings["kind"] == "byte-identical pictures with different labels"
    assert left_out <= told or torn.any()


@given(groups_of_pictures(), st.sampled_from(DRAWN), st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing_with_groups(pictures, protocol, random):
    order = list(range(len(pictures)))
    random.shuffle(order)
    try:
        rows, _ = splits.assign(pictures, protocol)
    except InputError:
        assume(False)
    again, _ = splits.assign(pictures.iloc[order].reset_index(drop=True), protocol)
    assert rows.equals(again)


def test_many_small_groups_keep_the_percents():
    pictures = made("a", 150) + made("b", 150)
    rows, _ = splits.assign(grouped(pictures, [f"g{i // 3}" for i in range(300)]), "cetinic2018")
    counts = rows.groupby("label")["split"].value_counts().unstack()
    assert counts.sum(axis=1).tolist() == [150, 150]
    assert (abs(counts[["train", "val", "test"]] - [105, 15, 30]) <= 3).all(axis=None)


def test_near_duplicates_are_kept_together_like_groups():
    pictures = made("a", 30) + made("b", 30)
    numbers = [str(i // 2) for i in range(60)]
    rows, _ = splits.assign(tabled(pictures).assign(near_duplicates=numbers), "sabatelli2018")
    assert (rows.groupby("near_duplicates")["split"].nunique() == 1).all()


def test_empty_groups_give_the_split_without_groups():
    pictures = made("a", 20) + made("b", 20)
    plain, _ = splits.assign(tabled(pictures), "sabatelli2018", 7)
    rows, _ = splits.assign(grouped(pictures, ""), "sabatelli2018", 7)
    assert rows.drop(columns="group").equals(plain)


def test_a_class_of_two_groups_is_left_out_and_said():
    pictures = made("a", 12) + made("b", 12) + made("c", 6)
    groups = [""] * 24 + ["one"] * 3 + ["two"] * 3
    rows, findings = splits.assign(grouped(pictures, groups), "cetinic2018")
    assert set(rows["label"]) == {"a", "b"}
    (finding,) = findings[findings["kind"] == "class in too few groups"]["detail"]
    assert finding == "c: 6 pictures in 2 of 3 groups"


@pytest.mark.parametrize("protocol", DRAWN)
def test_groups_too_few_for_any_class_are_told_with_what_would_help(protocol):
    """Two museums, all pictures of one in one part."""
    pictures = made("a", 20) + made("b", 20)
    museums = ["A", "B"] * 20
    told = (
        r"a classifier needs two classes .* 0 left of 2 \('a': 20, 'b': 20; min_pictures 3\); "
        "in fewer than 3 groups are 'a': 2, 'b': 2; another group_column, or none, keeps more$"
    )
    with pytest.raises(InputError, match=told):
        splits.assign(grouped(pictures, museums), protocol, min_pictures=3)
    near = tabled(pictures).assign(near_duplicates=museums)
    with pytest.raises(InputError, match="'b': 2; near_duplicates report keeps more$"):
        splits.assign(near, protocol)
    with pytest.raises(InputError, match="or none, or near_duplicates report keeps more$"):
        splits.assign(near.assign(group=museums), protocol)
    with pytest.raises(InputError, match="left of 1 .'pictures': 40; .* 'pictures': 2; another"):
        splits.assign(grouped(pictures, museums), protocol, several=True)


def test_a_given_split_is_left_as_it_is_and_its_torn_groups_are_told():
    pictures = [
        picture._replace(split=split)
        for split in splits.SPLITS
        for label in "ab"
        for picture in made(label, 2, first=10 * splits.SPLITS.index(split))
    ]
    table = tabled(pictures).assign(split=[p.split for p in pictures])
    table["group"] = ["set"] + [""] * 3 + ["set"] + [""] * 3 + ["set"] + [""] * 3
    rows, findings = splits.assign(table, "column")
    assert rows["split"].tolist() == table.sort_values("id")["split"].tolist()
    (finding,) = findings["detail"]
    assert finding == "set (train: 1, val: 1, test: 1)"


def given_split(*parts):
    return [p._replace(split=s) for s in parts for p in made("a", 20, 40 * parts.index(s), s)] + [
        p._replace(split=s) for s in parts for p in made("b", 20, 40 * parts.index(s), s)
    ]


def test_a_split_without_a_test_part_says_what_makes_one():
    with pytest.raises(InputError, match=r"your split has no test part: test_percent 10 would"):
        assign(given_split("train", "val"), "column")


@pytest.mark.parametrize("missing", ["val", "test"])
def test_a_missing_part_is_completed_from_train(missing):
    parts = [split for split in splits.SPLITS if split != missing]
    rows, _ = assign(given_split(*parts), "column", **{f"{missing}_percent": 20})
    counts = Counter((row.label, row.split) for row in rows)
    assert {counts[label, missing] for label in "ab"} == {4}
    assert {counts[label, "train"] for label in "ab"} == {16}
    other = next(split for split in parts if split != "train")
    assert {counts[label, other] for label in "ab"} == {20}


def test_a_part_that_is_there_is_not_made_again():
    with pytest.raises(InputError, match="test_percent is 10, but your split has a test part"):
        assign(given_split(*splits.SPLITS), "column", test_percent=10)
    with pytest.raises(InputError, match="draws every part"):
        assign(made("a", 9) + made("b", 9), "sabatelli2018", test_percent=10)


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 30)), min_size=6, max_size=60),
    st.integers(2, 5),
    st.randoms(use_true_random=False),
)
def test_folds_hold_every_picture_once_and_whole_groups_in_any_order(pictures, k, random):
    labels, groups = zip(*((label, f"g{group:02}") for label, group in pictures), strict=True)
    assume(len(set(groups)) >= k)
    folds = splits.folds(labels, groups, k)
    assert len(folds.fold) == len(labels) and set(folds.fold) == set(range(k))
    of_group = defaultdict(set)
    for group, fold in zip(groups, folds.fold, strict=True):
        of_group[group].add(fold)
    assert all(len(found) == 1 for found in of_group.values())
    order = list(range(len(labels)))
    random.shuffle(order)
    again = splits.folds([labels[i] for i in order], [groups[i] for i in order], k)
    assert again.fold.tolist() == [folds.fold[i] for i in order]
    counts = Counter(label for label, _ in set(zip(labels, groups, strict=True)))
    assert folds.few == {label: n for label, n in sorted(counts.items()) if n < k}


def test_folds_of_single_pictures_are_even_in_every_class():
    labels = ["a"] * 50 + ["b"] * 25
    fold = splits.folds(labels, [f"{i:02}" for i in range(75)], 5).fold
    counts = Counter(zip(labels, fold, strict=True))
    assert {counts["a", f] for f in range(5)} == {10} and {counts["b", f] for f in range(5)} == {5}


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 40), st.sampled_from("abcd")), min_size=2, max_size=12),
    st.integers(2, 6),
    st.integers(0, 99),
)
def test_no_fold_is_empty_whatever_the_sizes_of_few_groups(groups, k, seed):
    """Groups of one class each, as of artists that have one style."""
    assume(len(groups) >= k)
    labels = [label for size, label in groups for _ in range(size)]
    names = [f"g{number:02}" for number, (size, _) in enumerate(groups) for _ in range(size)]
    fold = splits.folds(labels, names, k, seed).fold
    assert set(fold) == set(range(k))


def test_an_empty_fold_gets_the_smallest_group_of_the_fullest():
    part, sizes = np.array([0, 0, 2, 2, 0]), np.array([5, 3, 4, 9, 3])
    # of part 2, with 13 pictures, the 4; then of part 0, with 11 and with 8, the 3s
    assert splits._filled(part, sizes, 5).tolist() == [0, 3, 1, 2, 4]
    assert splits._filled(np.array([1, 0]), np.array([9, 1]), 2).tolist() == [1, 0]


@pytest.mark.parametrize("k", [1, 4])
def test_impossible_numbers_of_folds_are_refused(k):
    with pytest.raises(InputError, match=f"folds is {k}; it must be 2 or more"):
        splits.folds(["a", "b", "a"], ["x", "y", "z"], k)


@pytest.mark.parametrize("protocol", DRAWN)
def test_several_labels_decide_nothing_of_a_draw(protocol):
    """As if all pictures were of one class: rare sets stay, also those of one picture."""
    sets = [f"only {number}" if number < 5 else "lake | tree" for number in range(40)]
    pictures = [made(f"p{number}", 1)[0] for number in range(40)]
    alike = [picture._replace(label="x") for picture in pictures]
    several = [one._replace(label=label) for one, label in zip(pictures, sets, strict=True)]
    expected, _ = assign(alike, protocol, least_classes=1)
    found, findings = assign(several, protocol, min_pictures=3, several=True)
    assert [(one.id, one.split) for one in found] == [(one.id, one.split) for one in expected]
    labels = {one.id: one.label for one in several}
    assert all(one.label == labels[one.id] for one in found) and findings == []


def test_several_labels_keep_a_split_of_their_own_or_complete_it():
    pictures = [*made("a", 20, split="train"), *made("b", 1, split="test")]
    with pytest.raises(InputError, match="no val part"):
        assign(pictures, "column", several=True)
    found, _ = assign(pictures, "column", val_percent=10, several=True)
    assert Counter(one.split for one in found) == {"train": 18, "val": 2, "test": 1}
    copy = made("a", 1, split="train")[0]._replace(id="copy", path="copy.jpg", label="other")
    found, findings = assign([*pictures, copy], "column", val_percent=10, several=True)
    assert [one.kind for one in findings] == ["byte-identical pictures with different labels"] * 2
    assert len(found) == 20
