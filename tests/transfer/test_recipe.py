from dataclasses import fields, replace

import pytest

from models.errors import InputError
from transfer import recipe
from transfer.recipe import Recipe
from transfer.recipes import PAPERS, RECIPES, cetinic2018, find_recipe, gonthier2020, sabatelli2018


def test_settings_are_the_papers():
    """Sabatelli et al. 2018, section 2.3."""
    off_the_shelf, fine_tuning = (RECIPES[m] for m in ("off_the_shelf", "fine_tuning"))
    assert (off_the_shelf.optimizer, off_the_shelf.learning_rate) == ("rmsprop", 0.001)
    assert (off_the_shelf.rho, off_the_shelf.epsilon) == (0.9, 1e-8)
    assert (fine_tuning.optimizer, fine_tuning.learning_rate) == ("sgd", 0.001)
    assert (fine_tuning.momentum, fine_tuning.nesterov) == (0.9, True)
    for mode in sabatelli2018.RECIPES:
        assert (mode.batch_size, mode.patience, mode.epochs) == (32, 7, 100)


@pytest.mark.parametrize(
    "wrong",
    [{"optimizer": "lbfgs"}, {"learning_rate": 0.0}, {"batch_size": 0}, {"patience": -1}]
    + [{"momentum": 1.0}, {"seed": -1}, {"learning_rate": float("nan")}, {"pixels": "bgr"}]
    + [{"dropout": 1.0}, {"trunk_rate": 0}, {"weight_decay": -1}, {"schedule": "cosine"}]
    + [{"decay": float("nan")}, {"precision": "float16"}, {"schedule_epochs": 0}],
)
def test_values_out_of_range_name_the_field(wrong):
    with pytest.raises(InputError, match=f"^{next(iter(wrong))} is "):
        Recipe(**wrong)


def test_what_a_mode_means_are_fields():
    assert [r.initial_weights for r in sabatelli2018.RECIPES] == ["given", "given", "he_uniform"]
    assert [r.layers for r in sabatelli2018.RECIPES] == ["head", "all", "all"]
    assert [r.batch_norm for r in sabatelli2018.RECIPES] == ["frozen", "frozen", "train"]
    assert RECIPES["off_the_shelf"].adapted(True, classifier="svm").head() == "linear"
    assert RECIPES["fine_tuning"].head(several=True) == "sigmoid"
    assert RECIPES["fine_tuning"].adapted(True, head_activation="sigmoid").head() == "sigmoid"
    assert {recipe.head() for recipe in sabatelli2018.RECIPES} == {"softmax"}


@pytest.mark.parametrize(
    ("mode", "changes", "named"),
    [
        ("fine_tuning", {"classifier": "svm"}, "classifier is 'svm'.*fine_tuning trains all"),
        ("random", {"classifier": "random_forest"}, "random_forest.*random trains all"),
        ("off_the_shelf", {"batch_norm": "train"}, "batch_norm is 'train'; off_the_shelf"),
        (
            "off_the_shelf",
            {"augmentation": "crop", "classifier": "svm"},
            "off_the_shelf trains its head on pictures that change",
        ),
        ("off_the_shelf", {"auxiliary": 0.3}, "auxiliary is 0.3.*off_the_shelf trains none"),
        ("off_the_shelf", {"precision": "mixed_bfloat16"}, "precision is .*head alone"),
        ("random", {"layers": "last:3"}, "layers is 'last:3'; random starts from scratch"),
        ("fine_tuning", {"redrawn": "all"}, "redrawn is 'all'; the head is drawn anew always"),
        ("fine_tuning", {"layers": "first"}, "layers is 'first'; accepted: all"),
        (
            "fine_tuning",
            {"weight_decy": 1},
            "no 'weight_decy'; accepted: weight_decay",
        ),
    ],
)
def test_impossible_pairs_are_refused(mode, changes, named):
    with pytest.raises(InputError, match=named):
        RECIPES[mode].adapted(True, **changes)


@pytest.mark.parametrize(
    ("mode", "changes", "named"),
    [
        ("off_the_shelf", {"trunk_rate": 0.1}, "trunk_rate is 0.1 .* layers 'head'; .*more than"),
        ("cetinic2018.only_last", {"trunk_rate": 0.1}, "trunk_rate is 0.1 .* layers 'only_last'"),
        ("off_the_shelf", {"momentum": 0.2}, "momentum is 0.2 .* optimizer 'rmsprop'; .*is sgd$"),
        ("fine_tuning", {"optimizer": "adam", "nesterov": False}, "nesterov is False .* 'adam'"),
        ("fine_tuning", {"momentum": 0.0, "nesterov": False}, "nesterov is False .* momentum 0.0"),
        ("fine_tuning", {"rho": 0.5}, "rho is 0.5 .* optimizer 'sgd'; .*is rmsprop$"),
        ("fine_tuning", {"epsilon": 0.5}, "epsilon is 0.5 .* optimizer 'sgd'; .*rmsprop or adam$"),
        ("fine_tuning", {"schedule_epochs": 1}, "schedule_epochs is 1 .* schedule 'constant'; .*"),
        (
            "cetinic2018.twenty_epochs",
            {"schedule": "constant", "schedule_factor": 0.5},
            "schedule_factor is 0.5 .* schedule 'constant'; accepted .* once or every$",
        ),
        ("fine_tuning", {"decayed": "all"}, "decayed is 'all' .* weight_decay 0.0; .* above 0$"),
        (
            "off_the_shelf",
            {"classifier": "svm", "epochs": 3, "dropout": 0.5},
            "epochs is 3 and would change nothing: off_the_shelf has classifier 'svm'; accepted "
            "where classifier is softmax$",
        ),
        ("off_the_shelf", {"classifier": "random_forest", "learning_rate": 0.5}, "learning_rate"),
    ],
)
def test_a_change_that_does_nothing_is_refused(mode, changes, named):
    with pytest.raises(InputError, match=f"^{named}"):
        RECIPES[mode].adapted(True, **changes)


def test_a_change_that_does_something_or_is_the_recipes_own_is_taken():
    for mode, changes in (
        ("fine_tuning", {"trunk_rate": 0.1, "momentum": 0.2, "weight_decay": 0.1}),
        ("fine_tuning", {"weight_decay": 0.1, "decayed": "all", "dropout": 0.5}),
        ("fine_tuning", {"schedule": "every", "schedule_epochs": 1, "schedule_factor": 0.5}),
        ("fine_tuning", {"optimizer": "adam", "epsilon": 0.1}),
        ("off_the_shelf", {"dropout": 0.5, "rho": 0.5, "epochs": 3}),
        ("off_the_shelf", {"optimizer": "sgd", "momentum": 0.2, "nesterov": False}),
        ("off_the_shelf", {"classifier": "svm", "class_weights": "balanced", "seed": 3}),
        ("cetinic2018.twenty_epochs", {"schedule_epochs": 1}),
    ):
        made = RECIPES[mode].adapted(True, **changes)
        assert {name: getattr(made, name) for name in changes} == changes
    for its in RECIPES.values():
        own = {name: getattr(its, name) for name in recipe.SETTINGS}
        assert its.adapted(True, **own) == its


def test_a_change_for_several_recipes_is_left_out_where_it_does_nothing():
    both = [RECIPES[mode] for mode in ("off_the_shelf", "fine_tuning")]
    changes = {"trunk_rate": 0.1, "momentum": 0.2, "rho": 0.5, "epochs": 3}
    shelf, tuned = (its.adapted(True, both, **changes) for its in both)
    assert shelf == replace(both[0], rho=0.5, epochs=3)
    assert tuned == replace(both[1], trunk_rate=0.1, momentum=0.2, epochs=3)
    for its in both:
        with pytest.raises(InputError, match="^decayed is 'all' and would change nothing"):
            its.adapted(True, both, decayed="all")
    scratch = RECIPES["fine_tuning"].adapted(False, both, epochs=3)
    assert scratch.batch_norm == "train"  # its own need is no change of the others


def test_without_trained_weights_batch_norm_is_trained_where_layers_are():
    assert RECIPES["fine_tuning"].adapted(True).batch_norm == "frozen"
    assert RECIPES["fine_tuning"].adapted(False).batch_norm == "train"
    assert RECIPES["fine_tuning"].adapted(False, batch_norm="frozen").batch_norm == "frozen"
    assert RECIPES["off_the_shelf"].adapted(False).batch_norm == "frozen"


def test_settings_are_all_fields_but_what_the_name_says():
    names = {field.name for field in fields(Recipe)}
    assert names - set(recipe.SETTINGS) == {"name", "title", "initial_weights"}


# Gonthier et al. 2020, table 5, as printed: learning rate of the last dense layer and of the
# others, deep supervision, epochs, unfrozen layers, augmentation, optimizer, schedule
TABLE_5 = {
    "mode_a": (0.01, 0.001, "No", 20, "All", "No", "SGD", "No"),
    "mode_b": (0.001, 0.0001, "No", 20, "All", "No", "SGD", "No"),
    "mode_c": (0.001, 0.001, "No", 20, "All", "No", "SGD", "No"),
    "mode_d": (0.001, 0.0001, "Yes", 20, "All", "No", "SGD", "No"),
    "mode_e": (0.001, 0.001, "Yes", 20, "All", "No", "SGD", "No"),
    "mode_f": (0.01, 0.01, "No", 20, "All", "No", "SGD", "No"),
    "high_layers": (0.0001, 0.0001, "No", 200, "50", "Small transformation", "Adam", "No"),
    "from_scratch": (0.001, 0.001, "Yes", 200, "All", "Random crops", "SGD", "As in (26)"),
}
AUGMENTATIONS = {"none": "No", "flip_shift": "Small transformation", "crop": "Random crops"}


@pytest.mark.parametrize("name", TABLE_5)
def test_recipes_of_gonthier_are_table_5(name):
    r = RECIPES[f"gonthier2020.{name}"]
    unfrozen = "All" if r.layers == "all" else r.layers.removeprefix("last:")
    schedule = (r.schedule, r.schedule_epochs, r.schedule_factor)
    as_printed = (
        r.learning_rate,
        pytest.approx(r.learning_rate * r.trunk_rate),
        "Yes" if r.auxiliary == 0.3 else "No",
        r.epochs,
        unfrozen,
        AUGMENTATIONS[r.augmentation],
        r.optimizer.upper() if r.optimizer == "sgd" else r.optimizer.title(),
        "As in (26)" if schedule == ("every", 8, 0.96) else "No",
    )
    assert as_printed == TABLE_5[name]
    assert (r.patience, r.selection, r.batch_size) == (0, "best", 32)
    assert r.optimizer != "sgd" or (r.momentum, r.nesterov) == (0.9, False)
    assert r.redrawn == (r.layers if name == "high_layers" else "none")
    assert (r.initial_weights == "he_uniform") == (name == "from_scratch")


def test_recipes_of_cetinic_are_sections_4_and_5():
    """Momentum, weight decay and batch of section 4.4, scenarios of 4.2, 20 epochs of 5.3."""
    scenarios = ["all", "skip_first", "skip_first2", "only_last3", "only_last"]
    assert [r.layers for r in cetinic2018.RECIPES] == [*scenarios, "all"]
    for r in cetinic2018.RECIPES:
        assert (r.optimizer, r.momentum, r.nesterov, r.weight_decay) == ("sgd", 0.9, False, 0.0005)
        assert (r.batch_size, r.augmentation, r.selection) == (256, "mirror_crop", "last")
        assert (r.bias_rate, r.decayed, r.trunk_rate) == (2.0, "kernels", 1.0)
    assert {(r.epochs, r.learning_rate, r.schedule) for r in cetinic2018.RECIPES[:-1]} == {
        (100, 0.0001, "constant")
    }
    last = cetinic2018.RECIPES[-1]
    assert (last.epochs, last.learning_rate) == (20, 0.001)
    assert (last.schedule, last.schedule_epochs, last.schedule_factor) == ("once", 5, 0.1)


def test_recipes_are_found_by_name():
    assert find_recipe("sabatelli2018.fine_tuning") is RECIPES["fine_tuning"]
    assert find_recipe("gonthier2020.mode_a") is gonthier2020.RECIPES[1]
    with pytest.raises(InputError, match="no recipe 'gonthier2020.mode_g'; there is gonthier2020"):
        find_recipe("gonthier2020.mode_g")
    assert sum(len(paper.RECIPES) for paper in PAPERS) == len(RECIPES)  # no name twice
