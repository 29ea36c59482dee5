"""The direct formula that similarity is measured against, and a smoke run."""

import numpy as np
import pytest

from benchmarks import similarity


def test_made_up_features_have_something_in_common():
    x, y = similarity.made_up(300, 64)
    assert x.shape == y.shape == (300, 64) and x.dtype == np.float32
    paper, debiased = similarity.from_sums(x, y)
    assert 0.1 < debiased < paper < 1


@pytest.mark.parametrize("size", [(30, 8), (12, 40)])
def test_the_direct_formula_gives_the_same(size):
    x, y = similarity.made_up(*size)
    assert similarity.direct(x, y) == pytest.approx(similarity.from_sums(x, y), abs=1e-9, rel=0)


def test_u_centred_rows_sum_to_0_without_the_diagonal():
    x, _ = similarity.made_up(9, 4)
    gram = similarity.centred((x @ x.T).astype("float64"), unbiased=True)
    assert np.abs(gram.sum(axis=0)).max() < 1e-12 and (np.diag(gram) == 0).all()
    gram = similarity.centred((x @ x.T).astype("float64"), unbiased=False)
    assert np.abs(gram.sum(axis=0)).max() < 1e-12


def test_a_smoke_run_prints_every_claim(capsys, monkeypatch):
    monkeypatch.setattr(similarity, "peak_memory", lambda code, *sizes: 99.0)
    assert similarity.main(["--quick"]) == 0
    lines = [text for text in capsys.readouterr().out.splitlines() if text.startswith("quick: ")]
    assert len(lines) == 5
    assert "PASS apart from it: 0.000e-9 (max of 2" in lines[2]
    assert "PASS memory of CKA of 200 pictures x 16 features: 99.000 MB" in lines[4]


@pytest.mark.slow  # imports SciPy anew
def test_one_layer_in_a_process_of_its_own_ends_well():
    assert similarity.peak_memory(similarity.ONE_LAYER, 50, 8) > 20
