"""The mean of what finished runs say of the same test pictures, as a run of its own."""

import hashlib
import json
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from models.command import start_keras
from models.errors import InputError
from transfer.result_folder import (
    MANIFEST,
    read_csv,
    read_json,
    result_folder,
    safe_name,
    sha256_of_text,
    short_name,
    versions,
    write_json,
)
from transfer.run import (
    ENSEMBLE,
    MEAN,
    SCORES,
    FinishedRun,
    headline,
    named_network,
    read_run,
)
from transfer.store import Store

SHORT = 8  # digits of the members' digest in the folder's name
BATCH = 32  # pictures in a forward pass, where scores have to be computed again
ALLOWED = 1e-3  # what the probabilities of a picture may be off 1: float16's are
OF_SPLIT = re.compile(r",split_seed=\d+")  # in a run's folder: members share their split


@dataclass(frozen=True, eq=False)
class Member:
    """A finished run that an ensemble is made of; see transfer.run.FinishedRun."""

    run: FinishedRun

    @cached_property
    def identity(self):
        """What decides its numbers, as its manifest has it; {} of the first versions."""
        path = self.run.folder / MANIFEST
        found = read_json(path).get("identity") if path.exists() else None
        return found if isinstance(found, dict) else {}

    @cached_property
    def digest(self):
        """SHA-256 of its identity, of its predictions where it has none: two alike are one run."""
        if self.identity:
            content = json.dumps(self.identity, sort_keys=True).encode()
        else:
            content = (self.run.folder / "predictions.csv").read_bytes()
        return hashlib.sha256(content).hexdigest()

    @property
    def setting(self):
        """Its recipe and what differs from it: the name of its folder, without the split's seed."""
        return OF_SPLIT.sub("", self.run.folder.resolve().name)

    def told(self, name):
        """One of its settings in metrics.json, or None."""
        return (self.run.metrics.get("settings") or {}).get(name)


def read_members(folders):
    """Read the runs of an ensemble; those that cannot be averaged are refused.

    Args:
        folders: of finished runs.

    Returns:
        list of Member, in an order that does not depend on that of the folders.

    Raises:
        InputError: fewer than two, one twice, or what they were tested on differs.
    """
    for folder in folders:
        if not (folder / "metrics.json").exists():
            raise InputError(f"{folder} holds no metrics.json; accepted: the folder of a run")
    members = [Member(read_run(folder)) for folder in folders]
    if len(members) < 2:
        raise InputError(f"{folders[0]} is one run; accepted: two or more")
    first = members[0]
    for member in members:
        _check_kind(member)
        for name, ours, other in (
            ("challenge", first.run.title, member.run.title),
            ("split", first.run.split_sha256, member.run.split_sha256),
            ("kind of labels", headline(first.run.metrics), headline(member.run.metrics)),
        ):
            if ours != other:
                raise InputError(
                    f"{first.run.folder} has the {name} {ours}, {member.run.folder} {other}; "
                    f"accepted: runs of one {name}"
                )
    by_digest = {}
    for member in members:
        twin = by_digest.setdefault(member.digest, member)
        if twin is not member:
            raise InputError(
                f"{twin.run.folder} and {member.run.folder} are the same run; accepted: "
                "each run once"
            )
    return [by_digest[digest] for digest in sorted(by_digest)]


def _check_kind(member):
    run = member.run
    if run.mode == ENSEMBLE:
        raise InputError(f"{run.folder} is an ensemble itself; accepted: runs, such as its members")
    if run.classifier == "svm":
        raise InputError(
            f"{run.folder} is an SVM, whose scores are no probabilities; accepted: runs with "
            "another classifier"
        )


def open_store(member, datasets_path):
    """The data set that a run was tested on: transfer.store.Store.

    Raises:
        InputError: it is not there, or another one is.
    """
    run = member.run
    above = Path(datasets_path, safe_name(run.dataset), short_name(run.challenge))
    folder = above / str(member.identity.get("data", ""))
    # the authors' own files lie in the folder of the challenge
    store = Store(folder if folder.is_dir() else above)
    if store.split_sha256 != run.split_sha256:
        raise InputError(
            f"{store.folder} is split otherwise than what {run.folder} was tested on; accepted: "
            "the datasets_path of that run"
        )
    return store


def average(members, store, results_path):
    """Write the result folder of an ensemble, or find it finished.

    Args:
        members: of read_members.
        store: of open_store.
        results_path: folder of all results.

    Returns:
        Path of the folder: as transfer.train.train_and_test's, without learning curve and network.

    Raises:
        InputError: scores that are not there, damaged, of other pictures or no probabilities.
    """
    described = describe(members)
    identity = {**described, "members": [member.digest for member in members], "data": store.key}
    del identity["weights"]
    identity["split_sha256"] = store.split_sha256
    digest = sha256_of_text("".join(identity["members"]))[:SHORT]
    names = (short_name(described[key]) for key in ("dataset", "challenge", "ANN"))
    name = f"{ENSEMBLE},runs={len(members)},members={digest}"
    with result_folder(Path(results_path, *names, name), identity) as result:
        if result.finished:
            print(f"already finished: {result.final}")
            return result.final
        start_keras()
        from transfer import evaluate, train

        scores = evaluate.mean_scores([read_scores(member, store) for member in members])
        values = {**described, **train.test_metrics(store, scores, True)}
        values |= {**_summed(members), "split_sha256": store.split_sha256, "versions": versions()}
        write_json(result.path / "metrics.json", values)
        train.write_test(store, scores, True, values, result.path)
        result.about = {"split_sha256": store.split_sha256}
    print(f"results in {result.final}")
    return result.final


def describe(members):
    """What an ensemble is, as metrics.json says it."""
    first, names = members[0].run, sorted({member.run.network for member in members})
    parts = sorted(
        member.setting if len(names) == 1 else f"{member.run.network} {member.setting}"
        for member in members
    )
    return {
        "dataset": first.dataset,
        "challenge": first.challenge,
        "ANN": " + ".join(names),
        "tl_mode": ENSEMBLE,
        "weights": " + ".join(parts),
        "classifier": MEAN,
        "toy": first.toy,
    }


def _summed(members):
    """What metrics.json says of the members: which, and what they took and had together."""
    runs = [member.run for member in members]
    sizes = {member.told("input_size") for member in members}
    totals = {}
    for name in ("parameters", "seconds"):
        values = [run.metrics.get(name) for run in runs]
        totals[name] = None if None in values else sum(values)
    return {
        **totals,
        "split": runs[0].metrics.get("split"),
        "settings": {
            "input_size": sizes.pop() if len(sizes) == 1 else None,
            "split_sha256": runs[0].split_sha256,
        },
        "members": [
            {
                "run": str(member.run.folder),
                "identity_sha256": member.digest,
                headline(member.run.metrics): member.run.metrics[headline(member.run.metrics)],
            }
            for member in members
        ],
    }


def read_scores(member, store, say=print):
    """A run's test scores, float32 (pictures, classes); its network gives those it did not keep.

    Args:
        member: Member.
        store: transfer.store.Store.
        say: called with a line where they are computed.

    Raises:
        InputError: they are damaged, of other pictures or classes, no probabilities, or neither
            they nor the network were kept.
    """
    folder = member.run.folder
    _check_classes(folder, store)
    path, shape = folder / SCORES, (len(store.labels["test"]), len(store.classes))
    if path.exists():
        try:
            scores = np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise InputError(f"{path} is damaged: {error}") from error
    else:
        scores = _computed(member, store, say)
    if scores.shape != shape:
        raise InputError(f"{path} has scores of {scores.shape}; accepted: {shape}")
    several = store.labels["test"].ndim == 2
    fits = (scores >= 0).all() and (scores <= 1).all()
    if not fits or not (several or np.allclose(scores.sum(axis=1), 1, atol=ALLOWED)):
        raise InputError(f"the scores of {folder} are no probabilities; accepted: those alone")
    return scores


def _check_classes(folder, store):
    """InputError where a run's classes or pictures are not those of a data set, in its order."""
    for name, column, ours in (
        ("per_class.csv", "class", store.classes),
        ("predictions.csv", "id", store.ids("test")),
    ):
        path = folder / name
        if path.exists() and list(read_csv(path).get(column, ())) != list(ours):
            raise InputError(
                f"{path} has not the {len(ours)} values of {column} that {store.folder} has, in "
                "that order; accepted: runs of one data set"
            )


def _computed(member, store, say):
    """Scores of the network of a run that kept none."""
    from models import backend, network
    from transfer import inference

    folder, metrics = member.run.folder, member.run.metrics
    try:
        text = named_network(str(folder))
    except InputError as error:
        raise InputError(
            f"{folder} kept neither {SCORES} nor a network: run its command again, in another "
            f"results_path ({error})"
        ) from error
    say(f"{folder} kept no {SCORES}: its network is run again on the test pictures")
    opened = network.load(text)
    size = opened.size or metrics["settings"]["input_size"]
    seen = {"augmentation": member.told("augmentation") or "none"}
    with inference.explained(BATCH, size, store):
        batches = inference.stored(store, "test", size, BATCH, **seen)
        return inference.collect(backend.forward(opened.model), batches)
