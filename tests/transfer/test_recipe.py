from dataclasses import fields

import pytest

from models.errors import InputError
from transfer import recipe
from transfer.recipe import Recipe
from transfer.recipes import RECIPES, sabatelli2018


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
    + [{"momentum": 1.0}, {"seed": -1}, {"learning_rate": float("nan")}, {"pixels": "bgr"}],
)
def test_values_out_of_range_name_the_field(wrong):
    with pytest.raises(InputError, match=f"^{next(iter(wrong))} is "):
        Recipe(**wrong)


def test_what_a_mode_means_are_fields():
    assert [r.initial_weights for r in sabatelli2018.RECIPES] == ["given", "given", "he_uniform"]
    assert [r.layers for r in sabatelli2018.RECIPES] == ["head", "all", "all"]
    assert [r.batch_norm for r in sabatelli2018.RECIPES] == ["frozen", "frozen", "train"]
    assert RECIPES["off_the_shelf"].adapted(True, classifier="svm").head == "linear"
    assert {recipe.head for recipe in sabatelli2018.RECIPES} == {"softmax"}


@pytest.mark.parametrize(
    ("mode", "changes", "named"),
    [
        ("fine_tuning", {"classifier": "svm"}, "classifier is 'svm'.*fine_tuning trains all"),
        ("random", {"classifier": "random_forest"}, "random_forest.*random trains all"),
        ("off_the_shelf", {"batch_norm": "train"}, "batch_norm is 'train'; off_the_shelf"),
    ],
)
def test_impossible_pairs_are_refused(mode, changes, named):
    with pytest.raises(InputError, match=named):
        RECIPES[mode].adapted(True, **changes)


def test_without_trained_weights_batch_norm_is_trained_where_layers_are():
    assert RECIPES["fine_tuning"].adapted(True).batch_norm == "frozen"
    assert RECIPES["fine_tuning"].adapted(False).batch_norm == "train"
    assert RECIPES["fine_tuning"].adapted(False, batch_norm="frozen").batch_norm == "frozen"
    assert RECIPES["off_the_shelf"].adapted(False).batch_norm == "frozen"


def test_settings_are_all_fields_but_what_the_name_says():
    names = {field.name for field in fields(Recipe)}
    assert names - set(recipe.SETTINGS) == {"name", "title", "initial_weights", "layers"}
