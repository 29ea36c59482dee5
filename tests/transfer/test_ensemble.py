"""The command's slips; what it makes is tested with transfer.mean_of_runs."""

import pytest

from transfer import ensemble


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "the following arguments are required: runs"),
        (["a", "--datasets_path", "d"], "required: --results_path"),
        (["nowhere", "--results_path", "r", "--datasets_path", "d"], "holds no metrics.json"),
    ],
)
def test_slips(words, says, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    try:
        code = ensemble.main(words)
    except SystemExit as stopped:  # argparse's
        code = stopped.code
    assert code == 2 and says in capsys.readouterr().err
    assert not (tmp_path / "r").exists()
