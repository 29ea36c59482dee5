"""Finished runs made up for tests: as values, and as folders."""

import json

import pandas as pd
import pytest

from transfer.run import finished_run

METRICS = {
    "dataset": "rijks",
    "challenge": "dc_type",
    "ANN": "VGG19",
    "tl_mode": "fine_tuning",
    "classifier": "softmax",
    "weights": "imagenet",
    "toy": False,
    "top1_accuracy": 0.9027,
    "best_epoch": 2,
    "head_parameters": 540702,
    "feature_size": 512,
    "split_sha256": "ab" * 32,
}
HISTORY = pd.DataFrame(
    {
        "epoch": [1.0, 2.0, 3.0],
        "loss": [1.5, 1.0, 0.5],
        "accuracy": [0.3, 0.5, 0.9],
        "val_loss": [1.6, 1.2, 1.4],
        "val_accuracy": [0.25, 0.5, 0.45],
    }
)


def is_trained_by_epochs(metrics):
    return metrics["classifier"] == "softmax"


@pytest.fixture
def made():
    """Return made(**metrics): a finished run of METRICS but for these; it lies nowhere."""

    def make(**metrics):
        metrics = {**METRICS, **metrics}
        history = HISTORY if is_trained_by_epochs(metrics) else None
        return finished_run("unread", metrics, history)

    return make


@pytest.fixture
def write_run():
    """Return write(folder, **metrics): writes a run of METRICS but for these, and gives all."""

    def write(folder, **metrics):
        metrics = {**METRICS, **metrics}
        folder.mkdir(parents=True)
        (folder / "metrics.json").write_text(json.dumps(metrics))
        if is_trained_by_epochs(metrics):
            HISTORY.to_csv(folder / "history.csv", index=False)
        return metrics

    return write
