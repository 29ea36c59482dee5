"""Cetinic et al. 2018: tables 1 to 4, figures 2, 3, 5 to 16, and numbers of sections 5.3 and 5.5.

Recipes are those of transfer.recipes.cetinic2018. Everything is made with one network, CaffeNet,
from several starts; where none of its weights are at hand, GoogLeNet stands in its place, and every
row says so. "caffe" is the start that knows ImageNet's objects, whichever network it is. What the
paper makes from hybrid is made from caffe where hybrid is missing.
"""

import re
from dataclasses import dataclass, field, replace
from pathlib import Path

from models.errors import InputError
from papers.items import (
    Cell,
    Item,
    Number,
    accuracy_number,
    as_numbers,
    measure_accuracies,
    measure_curves,
    measure_nothing,
    runs_of,
)
from papers.looks import Side
from papers.places import RANDOM, Paper, Substitute

TICC, WIKIART, WGA = "TICC", "WikiArt", "WGA"
TASKS = (  # in the order of table 3
    (TICC, "artist"),
    *((WIKIART, task) for task in ("artist", "style", "genre", "nationality")),
    *((WGA, task) for task in ("artist", "timeframe", "genre", "nationality")),
)
STYLE = (WIKIART, "style")
NETWORKS = ("CaffeNet", "GoogLeNet")  # the second where there are no weights of the first
OBJECTS, BEST_START = "caffe", "hybrid"  # ImageNet's objects; the one of table 3 (section 5.2)
INITIALIZATIONS = ("hybrid", "memnet", "sentiment", OBJECTS, "flickr")  # in the order of table 2
# names of the files that were published, begun as they are (small letters, without _ and -)
STARTS = {
    "hybrid": ("CaffeNet", "hybridcnn"),
    "memnet": ("CaffeNet", "memnet"),
    "sentiment": ("CaffeNet", "twitterfinetuned"),
    "flickr": ("CaffeNet", "finetuneflickr"),
}
ALL = "all"
SCENARIOS = (ALL, "skip_first", "skip_first2", "only_last3", "only_last")
RETRAINED = (ALL, "only_last")  # left and right of figures 5 and 6
SHORT = "twenty_epochs"  # section 5.3
# on small collections a third of the epochs at three times the rate, a tenth of it after one epoch;
# in the paper a fifth of them at ten times the rate
SHORT_SMALL = {"epochs": 2, "learning_rate": 0.003, "schedule_epochs": 1}
# On 2 cores, where GoogLeNet sees 15 to 30 pictures/s of 128 pixels in training: five scenarios on
# six tasks in about 2 hours. Batches of 256 would be 4 steps an epoch.
SMALL_CHANGES = {"batch_size": 32, "learning_rate": 0.001, "precision": "mixed_bfloat16"}
# of a random start: by pixels of 100 GoogLeNet has losses of 1e14 and answers alike for ever, see
# gonthier2020.from_scratch
RANDOM_CHANGES = {"pixels": "unit"}
SPLIT = {"split": "cetinic2018"}
SMALL = {
    (WIKIART, "artist"): Substitute("wikiart224", "wikiart224", "artist", min_pictures=40, **SPLIT),
    **{
        (WIKIART, task): Substitute(
            "wikiart224", "wikiart224", task, min_pictures=10, sample=1500, **SPLIT
        )
        for task in ("style", "genre")
    },
    (WGA, "artist"): Substitute(
        "wikiart64", "wikiart64", "artist", min_pictures=40, sample=2400, **SPLIT
    ),
    (WGA, "genre"): Substitute(
        "wikiart64", "wikiart64", "genre", min_pictures=20, sample=1200, **SPLIT
    ),
    (WGA, "timeframe"): Substitute(
        *("wikiart224", "wikiart224", "timeframe"),
        **SPLIT,
        min_pictures=20,
        sample=1200,
        collection="own",
    ),
}
NEIGHBOURS = 10  # that a precision counts: about what figure 15 shows
FAR = 1000  # the neighbour of section 5.5
NEAR = 0.4  # its distance there
OF_PAPER = 96014  # pictures of WikiArt's style (table 1), that the paper's neighbours are among
DRAWN = 100  # pictures of figure 16
SHOWN, BESIDE = 4, 6  # queries of figure 15, and neighbours of each
SEED = 0  # of which pictures are drawn
ROUNDS = 12  # of steps that figure 9 is measured by

# ---- columns, and words of rows
PERCENT = "accuracy (%)"
VARIANCE, SCALE = "variance (1e-4)", 1e4
WITH_RANDOM = "variance with the random start (1e-4)"
VALUE, PRINTED = "value (%)", "another work, as printed"
SHARE = "share (%)"
ANSWERED = "the share of all test pictures that are taken for the class"
OVER_QUERIES = "over queries, drawn by artist; the pictures that are searched stay as they are"
TUNED, UNTUNED = ("genre", "style"), "nothing (the start)"
PRECISION, AVERAGE = f"precision at {NEIGHBOURS}", "mean average precision"
DISTANCE = f"distance of neighbour {FAR}"
APART = ("artist", "style", "genre")  # tasks of WikiArt whose networks figure 16 compares


@dataclass(frozen=True)
class Compared(Cell):
    """A cell whose numbers are computed from finished runs.

    kept: folder where what takes long is kept. networks: dict name -> papers.looks.Side, or a tuple
    of Stages of which the best is taken. pictures: dict task -> Data of the pictures and labels.
    """

    kept: Path | None = None
    networks: dict = field(default_factory=dict)
    pictures: dict = field(default_factory=dict)


def trainings(place, dataset, task, scenario=ALL, start=None, **changes):
    """The Stages of a scenario from a start (None: that of table 3), or what is lacking."""
    start = best_start(place) if start is None else start
    mode = f"{PAPER.name}.{scenario}"
    name = start_name(place, start)
    changes = (RANDOM_CHANGES if start == RANDOM else {}) | changes
    return place.stages(dataset, task, place.network, mode, start=name, **changes)


def start_name(place, start):
    """The name of a start as Place has it: None where it is the network's own weights."""
    is_own = start == OBJECTS and OBJECTS not in place.starts.get(place.network, ())
    return None if is_own else start


def best_start(place):
    """The start of every scenario: the paper's, or where it is missing ImageNet's objects."""
    return BEST_START if place.start_of(place.network, BEST_START) else OBJECTS


def starts(place):
    """The paper's starts, further ones that were given, and on small collections a random one."""
    further = [n for n in place.starts.get(place.network, ()) if n not in INITIALIZATIONS]
    return (*INITIALIZATIONS, *further, *([RANDOM] if place.small else []))


def told(place, dataset, task, start=None):
    """Whose pictures, and which network and start stand in the place of the paper's, in words."""
    words = [place.stands_for(dataset, task)]
    if place.stands_in:
        words.append(f"{place.network} (for {NETWORKS[0]})")
    if start == BEST_START and best_start(place) != BEST_START:
        words.append(f"from {OBJECTS} (for {BEST_START})")
    return "; ".join(words)


def _cell(place, keys, columns, stages, start=None):
    """A Cell of the stages, or of the text that Place.stages gave instead."""
    lacks = stages if isinstance(stages, str) else ""
    on = told(place, keys["dataset"], keys["task"], start)
    return Cell(keys, columns, () if lacks else stages, lacks, on=on)


def _keys(pair, **more):
    return {"dataset": pair[0], "task": pair[1], **more}


def plan_counts(place, tasks):
    """A cell for each of some tasks: classes and pictures."""
    cells = []
    for pair in tasks:
        data = place.data(*pair)
        lacks = data if isinstance(data, str) else ""
        on = place.stands_for(*pair)
        columns = ("classes", "pictures")
        cells.append(Cell(_keys(pair), columns, (), lacks, None if lacks else data, on))
    return cells


def measure_counts(cells, runs):
    """Classes and pictures that are used."""
    import pandas as pd

    rows = []
    for cell in cells:
        store = cell.data.open() if cell.data else None
        pictures = store and sum(map(len, store.labels.values()))
        rows.append(cell.keys | {"classes": store and len(store.classes), "pictures": pictures})
    return as_numbers(pd.DataFrame(rows), cells)


def draw_counts(place, cells, runs):
    """The pictures of every class (figures 2 and 3)."""
    from transfer import plots

    drawn = {}
    for cell in cells:
        if cell.data:
            store = cell.data.open()
            names = [shown(cell.keys["task"], name) for name in store.classes]
            figure = plots.class_distribution(store.labels, names, above=_title(cell))
            drawn[f"{_slug(cell)}.png"] = plots.png(figure)
    return drawn


def _title(cell):
    dataset, task = cell.keys["dataset"], cell.keys["task"]
    return f"{dataset}: {task}, on {cell.on}"


def _slug(cell):
    return f"{cell.keys['dataset']}_{cell.keys['task']}".lower()


def tell_starts(place):
    """Lines: what a random start is trained on."""
    if RANDOM in starts(place):
        yield "The random start is trained on pixels from 0 to 1, not on its network's own."


def tell_scenarios(place):
    """Lines: what the scenarios' layers are in the network that stands in."""
    from transfer.trained_layers import in_words

    if place.stands_in:
        told = "; ".join(f"{name} = {in_words(name, place.network)}" for name in SCENARIOS)
        yield f"Layers are CaffeNet's in the paper. Of {place.network} are trained: {told}."


def tell_rates(place):
    """Lines: how long, and at which rate, each training of plan_short is."""
    for cell in plan_short(place):
        if cell.stages:
            recipe = cell.stages[0].recipe
            falls = f", times {recipe.schedule_factor:g} after {recipe.schedule_epochs} epochs"
            falls *= recipe.schedule != "constant"
            rate = f"learning rate {recipe.learning_rate:g}{falls}"
            yield f"{cell.keys['learning rate']}: {recipe.epochs} epochs, {rate}."


def plan_table2(place):
    """All layers trained from every start, on every task."""
    return [
        _cell(
            place,
            _keys(pair, initialization=start),
            ("accuracy",),
            trainings(place, *pair, start=start),
        )
        for pair in TASKS
        for start in starts(place)
    ]


def plan_table3(place):
    """Every scenario from one start, on every task."""
    return [
        _cell(
            place,
            _keys(pair, scenario=scenario),
            ("accuracy",),
            trainings(place, *pair, scenario),
            BEST_START,
        )
        for scenario in SCENARIOS
        for pair in TASKS
    ]


def plan_figure8(place):
    """Table 3's row of WikiArt's styles."""
    return [cell for cell in plan_table3(place) if (*cell.keys.values(),)[:2] == STYLE]


def _frame(cells, rows):
    """A row for each cell: its keys and cells of its Numbers."""
    import pandas as pd

    frame = pd.DataFrame(
        [{**cell.keys, "lacks": "", **row} for cell, row in zip(cells, rows, strict=True)]
    )
    return as_numbers(frame, cells)


def draw_scenarios(place, cells, runs):
    """The accuracy of every scenario as bars (figure 8)."""
    from transfer import plots

    frame = measure_accuracies(cells, runs)
    if frame["accuracy"].isna().all():
        return {}
    ends = [frame[f"accuracy_{end}"] for end in ("low", "high")]
    bars = frame["scenario"], frame["accuracy"], "accuracy", _title(cells[0])
    figure = plots.bars(*bars, ends, frame["accuracy_chance"])
    return {f"{_slug(cells[0])}.png": plots.png(figure)}


def plan_variance(place):
    """A cell for each task: all runs of table 2 that there are, of two starts or more."""
    columns = (VARIANCE, *([WITH_RANDOM] if RANDOM in starts(place) else []))
    cells = []
    for pair in TASKS:
        of_start = {start: trainings(place, *pair, start=start) for start in starts(place)}
        there = {s: stages for s, stages in of_start.items() if not isinstance(stages, str)}
        if len(there) < 2:
            missing = [text for text in of_start.values() if isinstance(text, str)]
            lacks = f"two starts are needed: {missing[0]}"
            cells.append(Cell(_keys(pair), columns, (), lacks, on=told(place, *pair)))
        else:
            stages = tuple(stage for stages in there.values() for stage in stages)
            on = f"{told(place, *pair)}; over {', '.join(there)}"
            cells.append(Cell(_keys(pair), columns, stages, on=on))
    return cells


def measure_variance(cells, runs):
    """The variance of accuracies over starts, divided by their number, in ten-thousandths.

    Over pretrained starts, as in the paper, and in a column of its own with the random one. With
    the bootstrap's interval over test pictures, for the variance of true accuracies, and beside it
    what chance gives: the expected variance if every picture's answers were dealt anew among the
    starts, which the number has in it.
    """
    return _frame(cells, [_variances(cell, runs) for cell in cells])


def _variances(cell, runs):
    from models import zoo
    from transfer.run_pairs import answers_of

    of_start = {}
    for stage in cell.stages if runs_of(cell, runs) else ():
        of_start.setdefault(stage.start, []).append(answers_of(runs[stage]).astype(float))
    pretrained = {start: ones for start, ones in of_start.items() if zoo.parse(start).weights}
    row = _variance(pretrained).cells(VARIANCE)
    if WITH_RANDOM in cell.columns:
        row |= _variance(of_start).cells(WITH_RANDOM)
    if of_start and len(pretrained) < 2:
        row["lacks"] = f"two pretrained starts are needed for the {VARIANCE}"
    return row


def _variance(of_start):
    """The Number of dict start -> of each seed whether test pictures are right, by their ids."""
    import numpy as np

    from transfer.uncertainty import bootstrap

    if len(of_start) < 2:
        return Number()
    first = next(iter(of_start.values()))[0]
    right = np.array(
        [np.mean([one.reindex(first.index) for one in ones], axis=0) for ones in of_start.values()]
    )
    pictures = right.shape[1]

    def variance(weights):
        return SCALE * ((weights @ right.T) / weights.sum(axis=1)[:, None]).var(axis=1)

    by_chance = float(SCALE * right.var(axis=0).sum() / pictures**2)
    # resamples have the pictures' own noise once more: without that the interval covers 92 % and
    # more of what was simulated, with it 0 to 68 % where starts hardly differ
    low, high = (max(end - by_chance, 0.0) for end in bootstrap(variance, pictures))
    value = float(SCALE * right.mean(axis=1).var())
    return Number(value, low, high, chance=by_chance, pictures=pictures)


def plan_start_curves(place, pair):
    """Curves of every start, all layers and only the last one (figures 5 and 6)."""
    return [
        _cell(
            place,
            _keys(pair, initialization=start, retrained=scenario),
            ("validation accuracy",),
            trainings(place, *pair, scenario, start),
        )
        for scenario in RETRAINED
        for start in starts(place)
    ]


def plan_scenario_curves(place):
    """Curves of every scenario on WikiArt's styles (figure 7)."""
    return [replace(cell, columns=("validation accuracy",)) for cell in plan_figure8(place)]


def draw_curves(place, cells, runs):
    """A figure for every `retrained`, a curve for every start or scenario."""
    from models.weights import IMAGENET
    from transfer import plots

    figures, by = {}, "initialization" if "initialization" in cells[0].keys else "scenario"
    for part in dict.fromkeys(cell.keys.get("retrained", "") for cell in cells):
        named = [
            replace(run, network=cell.keys[by], weights=IMAGENET)
            for cell in cells
            if cell.keys.get("retrained", "") == part
            for run in runs_of(cell, runs)
        ]
        if named:
            title = _title(cells[0])
            figure = plots.learning_curves(named, title, always_many=True)
            figures[f"{'_'.join(filter(None, (_slug(cells[0]), part)))}.png"] = plots.png(figure)
    return figures


def candidates(place, pair):
    """The Stages of every training of a task, of which the best is taken; or what is lacking."""
    found = [trainings(place, *pair, scenario) for scenario in SCENARIOS]
    found += [trainings(place, *pair, start=start) for start in starts(place)]
    if pair == STYLE:
        found.append(short_training(place))
    there = [stage for stages in found if not isinstance(stages, str) for stage in stages]
    return tuple(dict.fromkeys(there)) or found[0]


def best_training(cell, runs):
    """The runs, one for each seed, of the training that is best on the validation pictures.

    At the epoch that is tested, the last; of equal ones the first.
    """
    of_each = {}
    for stage in cell.stages:
        if stage in runs:
            training = (stage.start, replace(stage.recipe, seed=0))
            of_each.setdefault(training, []).append(runs[stage])
    return max(of_each.values(), key=_validated, default=[])


def _validated(found):
    return sum(run.history["val_accuracy"].iloc[-1] for run in found) / len(found)


def plan_table4(place):
    """Rows of the paper, the best of its own trainings beside ours; other works as printed."""
    from papers.published import read_item

    cells = []
    for row in read_item(PAPER.name, "table4").itertuples():
        pair = (row.dataset, row.task)
        keys = {"reference": row.reference, **_keys(pair), "measure": row.measure}
        if row.reference != "Cetinic et al.":
            lacks = "another work's number, which is not made here"
            lacks = lacks if place.small else ""
            cells.append(Cell(keys, (VALUE,), (), lacks, on=PRINTED, printed=True))
            continue
        stages = candidates(place, pair)
        lacks = stages if isinstance(stages, str) else ""
        on = told(place, *pair)
        cells.append(Cell(keys, (VALUE,), () if lacks else stages, lacks, on=on))
    return cells


def measure_table4(cells, runs):
    """The best training of each task on its test pictures; other works where pictures are alike."""
    from papers.published import read_item

    printed = read_item(PAPER.name, "table4")
    rows = []
    for cell in cells:
        found = best_training(cell, runs)
        if cell.printed and not cell.lacks:
            same = (printed[list(cell.keys)] == list(cell.keys.values())).all(axis=1)
            number = Number(float(printed[same].iloc[0][VALUE]))
        elif cell.keys["measure"] == "accuracy":
            number = accuracy_number(found, VALUE)
        else:
            number = _macro_f1(found)
        rows.append(number.cells(VALUE))
    return _frame(cells, rows)


def _macro_f1(found):
    """The mean over seeds; the interval is that of one seed alone."""
    if not found:
        return Number()
    of_each = tuple(100 * run.metrics["macro_f1"] for run in found)
    interval = (found[0].metrics.get("intervals") or {}).get("macro_f1")
    one = interval and len(found) == 1
    low, high = [100 * end for end in interval] if one else (None, None)
    pictures = found[0].metrics["n_test"]
    return Number(sum(of_each) / len(of_each), low, high, of_each, pictures=pictures)


def draw_trainings(place, cells, runs):
    """trainings.csv: of every task all trainings by their validation accuracy, and the best one."""
    import pandas as pd

    from transfer.result_folder import csv_bytes

    rows = []
    of_task = {(cell.keys["dataset"], cell.keys["task"]): cell for cell in cells if cell.stages}
    for pair, cell in of_task.items():
        best = best_training(cell, runs)
        for stage in dict.fromkeys(cell.stages):
            run = runs.get(stage)
            if run:
                keys = _keys(pair)
                told = {
                    "validation accuracy": _validated([run]),
                    "test accuracy": run.accuracy / 100,
                }
                is_best = "yes" if any(run is one for one in best) else "no"
                rows.append(keys | {"run": str(run.folder)} | told | {"best": is_best})
    return {"trainings.csv": csv_bytes(pd.DataFrame(rows))} if rows else {}


def _method(run):
    """What a training is called: its network, its scenario, what it starts from."""
    from pathlib import PurePath

    from transfer.results import TITLES

    return f"{run.network}, {TITLES[run.mode]}, from {PurePath(run.weights).name}"


def short_training(place):
    """The Stages of the short training at a falling rate (section 5.3), or what is lacking."""
    changes = SHORT_SMALL if place.small and not place.full else {}
    return trainings(place, *STYLE, SHORT, **changes)


def plan_short(place):
    """All layers at a constant rate, and the short training at a falling one."""
    pairs = (("constant", trainings(place, *STYLE)), ("falling", short_training(place)))
    return [
        _cell(place, _keys(STYLE, **{"learning rate": rate}), (PERCENT,), stages, BEST_START)
        for rate, stages in pairs
    ]


def plan_time(place):
    """A cell for each scenario on WikiArt's styles (figure 9): its run, and steps by turns."""
    cells = []
    for cell in plan_figure8(place):
        keys = {"scenario": cell.keys["scenario"]}
        columns = ("hours", "of all layers (%)")
        also = (f"{ROUNDS} training steps of every scenario by turns",)
        of_cell = {"on": cell.on, "also": also, "kept": kept_folder(place)}
        cells.append(Compared(keys, columns, cell.stages, cell.lacks, **of_cell))
    return cells


def kept_folder(place):
    """Where what is computed from finished runs is kept, whole or absent."""
    return place.results_path / "papers" / PAPER.name / "kept"


def measure_time(cells, runs):
    """Hours that a training takes, from steps of every scenario by turns, on this machine.

    Of all layers the median step; of others the mean ratio to it, with its t interval over rounds.
    Pictures and epochs are those of the runs; validation is not counted.
    """
    from papers.step_times import by_turns, ratios

    there = [cell for cell in cells if runs_of(cell, runs)]
    if not there or there[0].keys["scenario"] != ALL:
        return _frame(cells, [{"lacks": "no training of all layers to compare with"}] * len(cells))
    stages = [cell.stages[0] for cell in there]
    seconds = by_turns(stages, there[0].kept, ROUNDS)
    means, lows, highs = ratios(seconds)
    metrics = runs_of(there[0], runs)[0].metrics
    steps = -(-metrics["n_train"] // stages[0].recipe.batch_size) * metrics["epochs_run"]
    hours_of_all = _middle(seconds[:, 0]) * steps / 3600
    rows = {}
    for place, cell in enumerate(there):
        ratio = Number(means[place], lows[place], highs[place])
        rows[cell.keys["scenario"]] = {
            **_times(ratio, hours_of_all).cells("hours"),
            **_times(ratio, 100).cells("of all layers (%)"),
        }
    return _frame(cells, [rows.get(cell.keys["scenario"], {}) for cell in cells])


def _times(number, factor):
    return Number(*(float(factor * value) for value in (number.value, number.low, number.high)))


def draw_time(place, cells, runs):
    """Training time as bars (figure 9)."""
    from transfer import plots

    frame = measure_time(cells, runs)
    if frame["hours"].isna().all():
        return {}
    ends = [frame[f"hours_{end}"] for end in ("low", "high")]
    title = f"Training time, on {cells[0].on}"
    figure = plots.bars(frame["scenario"], frame["hours"], "hours", title, ends)
    return {"training_time.png": plots.png(figure)}


def plan_confusion(place, tasks):
    """A cell for each task: of all trainings the best is shown."""
    return [_cell(place, _keys(pair), (SHARE,), candidates(place, pair)) for pair in tasks]


def measure_confusion(cells, runs):
    """The shares of every class's test pictures by the class predicted, with Wilson's interval.

    Of the best training, its first seed. Classes have the paper's names.
    """
    import pandas as pd

    from transfer.evaluate import wilson

    rows = []
    for cell in cells:
        found = best_training(cell, runs)
        if not found:
            rows.append(cell.keys | {"true": "", "predicted": ""})
            continue
        names, counts = confusion(found[0], cell.keys["task"])
        for true, row in zip(names, counts, strict=True):
            pictures = int(row.sum())
            if not pictures:
                continue
            low, high = (100 * end for end in wilson(row, pictures))
            # of a class that is named by the classes of the answers
            chances = 100 * counts.sum(axis=0) / counts.sum()
            for place, predicted in enumerate(names):
                share = 100 * row[place] / pictures
                worth = {"chance": chances[place], "pictures": pictures}
                number = Number(float(share), low[place], high[place], **worth)
                rows.append(
                    cell.keys | {"true": true, "predicted": predicted} | number.cells(SHARE)
                )
    return as_numbers(pd.DataFrame(rows), cells)


def confusion(run, task):
    """(names of the classes as in the paper, counts (classes, classes)) of a run's test."""
    import numpy as np

    from transfer.result_folder import read_csv

    rows = read_csv(run.folder / "predictions.csv")
    classes = sorted({*rows["true"], *rows["predicted"]})
    number = {name: place for place, name in enumerate(classes)}
    counts = np.zeros((len(classes),) * 2, int)
    np.add.at(counts, (rows["true"].map(number), rows["predicted"].map(number)), 1)
    return [shown(task, name) for name in classes], counts


def shown(task, label):
    """A class as the paper writes it: Ukiyo-e of Ukiyo_e, nude painting, Claude Monet."""
    hyphens = {"Ukiyo_e": "Ukiyo-e", "Post_Impressionism": "Post-Impressionism"}
    if label in hyphens:
        return hyphens[label]
    text = re.sub(r" \(.*\)$", "", label) if task == "genre" else label
    if task == "timeframe":
        return text
    words = " ".join(re.split(r"[_ ]+", text))
    if task != "artist" or any(character.isdigit() for character in words):
        return words
    return " ".join(words.replace("-", " ").split()).title()


def draw_confusion(place, cells, runs):
    """Confusion matrices (figures 10, 12 and 13)."""
    from transfer import plots

    drawn = {}
    for cell in cells:
        found = best_training(cell, runs)
        if found:
            names, counts = confusion(found[0], cell.keys["task"])
            title = f"{_title(cell)}; {_method(found[0])}"
            figure = plots.confusion_matrix(counts, names, above=title)
            drawn[f"{_slug(cell)}.png"] = plots.png(figure)
    return drawn


def plan_mistakes(place):
    """WikiArt's styles: of all trainings the best is shown."""
    return [replace(cell, columns=()) for cell in plan_confusion(place, (STYLE,))]


def draw_mistakes(place, cells, runs):
    """Test pictures of classes that are taken for one another, of the best training (figure 11)."""
    drawn = {}
    for cell in cells:
        for run in best_training(cell, runs)[:1]:
            for name in ("confused_pairs.png", "mistakes.png"):
                if (run.folder / name).exists():
                    drawn[f"{_slug(cell)}_{name}"] = (run.folder / name).read_bytes()
    return drawn


def plan_alike(place, rows, columns, with_start=False):
    """Cells whose numbers are what genre-tuned and style-tuned networks find alike.

    Args:
        place: papers.places.Place.
        rows: list of the cells' keys.
        columns: of every cell.
        with_start: whether the network before tuning is compared too.
    """
    networks = {task: candidates(place, (WIKIART, task)) for task in TUNED}
    lacks = next((text for text in networks.values() if isinstance(text, str)), "")
    start = place.start_of(place.network, start_name(place, best_start(place)))
    if with_start and start:
        networks[UNTUNED] = Side(UNTUNED, start)
    return _compared(place, rows, columns, networks, lacks)


def _compared(place, rows, columns, networks, lacks):
    whose = told(replace(place, full=True), *STYLE)  # of all its pictures, whatever was trained on
    on = f"{whose}; only pictures that no network was trained with"
    stages = tuple(dict.fromkeys(s for of in networks.values() for s in _stages_in(of)))
    pictures = {} if lacks else {task: place.data(WIKIART, task) for task in TUNED}
    more = {"kept": kept_folder(place), "networks": networks, "pictures": pictures}
    more["also"] = tuple(f"a pass of pictures through the network of {name}" for name in networks)
    if lacks:
        return [Compared(keys, columns, (), lacks, on=on) for keys in rows]
    return [Compared(keys, columns, stages, on=on, **more) for keys in rows]


def _stages_in(network):
    """The Stages of a network of a Compared."""
    return network.stages if isinstance(network, Side) else network


def opened_networks(cell, runs):
    """dict name -> string of a Compared's networks that are there.

    Of several trainings the one that is best on the validation pictures, its first seed.
    """
    found = {}
    for name, network in cell.networks.items():
        if isinstance(network, Side):
            if all(stage in runs for stage in network.stages[:1]):
                found[name] = network.network(runs)
        elif best := best_training(replace(cell, stages=network), runs):
            found[name] = str(best[0].folder)
    return found


def _looked_at(cells, runs):
    """(Gallery, dict network -> features) of cells that compare the same networks; or None."""
    from papers.likeness import open_gallery, see_all

    networks = opened_networks(cells[0], runs)
    if not networks:
        return None
    size = cells[0].stages[0].input_size
    gallery = open_gallery(cells[0].pictures, networks.values())
    return see_all(gallery, networks, folder=cells[0].kept, size=size)


def _measured(cells, runs, rows_of):
    """A row for each cell, of what networks make of pictures; or why there is none.

    rows_of: (Gallery, features) -> list of dict, for each cell its Numbers.
    """
    rows = [{} for _ in cells]
    try:
        looked = _looked_at(cells, runs)
        rows = rows_of(*looked) if looked else rows
    except InputError as error:
        rows = [{"lacks": str(error)} for _ in cells]
    return _frame(cells, rows)


def plan_figure15(place):
    """Genre-tuned and style-tuned networks look for genres and for styles."""
    rows = [{"tuned for": task, "label": label} for task in TUNED for label in TUNED]
    return plan_alike(place, rows, ("precision",))


def measure_figure15(cells, runs):
    """Precision at NEIGHBOURS among all pictures; the interval is over queries, by artist."""
    from papers.likeness import EVERY, retrieval_rows

    def rows_of(gallery, features):
        found = retrieval_rows(gallery, features, NEIGHBOURS)
        each = [found.get((*cell.keys.values(), EVERY)) for cell in cells]
        return [_of_retrieval(one, "precision").cells("precision") for one in each]

    return _measured(cells, runs, rows_of)


def _of_retrieval(found, name):
    """The Number of a transfer.retrieval.Retrieval's field; one without value of None."""
    if found is None:  # artists are not told, or the network is not there
        return Number()
    value, low, high, chance = (
        getattr(found, f"{name}{end}") for end in ("", "_low", "_high", "_chance")
    )
    return Number(value, low, high, chance=chance, pictures=found.queries)


def draw_figure15(place, cells, runs):
    """Pictures drawn at random, and what two networks find like each."""
    import numpy as np

    from transfer.neighbours import find_neighbours, sheet

    try:
        looked = _looked_at(cells, runs)
    except InputError:  # told by measure
        looked = None
    if not looked:
        return {}
    gallery, _ = looked
    drawn = np.random.default_rng(SEED).permutation(len(gallery.files))[:SHOWN]
    networks = {f"tuned for {name}": text for name, text in opened_networks(cells[0], runs).items()}
    how = {"folder": cells[0].kept, "size": cells[0].stages[0].input_size}
    queries = [gallery.files[number] for number in drawn]
    found = find_neighbours(queries, gallery.files, networks, BESIDE, **how)
    labels = {
        file: "\n".join(shown(task, gallery.labels[task][number]) for task in ("style", "genre"))
        for number, file in enumerate(gallery.files)
    }
    title = f"Cosine distance among {len(gallery.files)} pictures, on {cells[0].on}"
    return {"neighbours.png": sheet(found, labels, title)}


def plan_retrieval(place):
    """Looking for genres, styles and artists, also among other artists' pictures alone."""
    from papers.likeness import ARTIST, EVERY, OTHERS

    rows = [
        {"tuned for": name, "label": label, "among": among}
        for name in (*TUNED, UNTUNED)
        for label in (*TUNED, ARTIST)
        for among in (EVERY, OTHERS)
        if (label, among) != (ARTIST, OTHERS)
    ]
    return plan_alike(place, rows, (PRECISION, AVERAGE), with_start=True)


def measure_retrieval(cells, runs):
    """Precision and mean average precision by label, with intervals and chance."""
    from papers.likeness import retrieval_rows

    def rows_of(gallery, features):
        found, rows = retrieval_rows(gallery, features, NEIGHBOURS), []
        for cell in cells:
            one = found.get(tuple(cell.keys.values()))
            precision, average = (
                _of_retrieval(one, name) for name in ("precision", "average_precision")
            )
            rows.append(precision.cells(PRECISION) | average.cells(AVERAGE))
        return rows

    return _measured(cells, runs, rows_of)


def plan_neighbours(place):
    """How far the thousandth neighbour is, and whether there are hubs, of each network."""
    return plan_alike(place, [{"tuned for": task} for task in TUNED], tuple(DISTANCES))


AT_RANK = f"distance at the rank of {FAR} of {OF_PAPER}"
DISTANCES = {  # column -> what of a network's distances it is
    "pictures": lambda far, near, hubs: len(far),
    AT_RANK: lambda far, near, hubs: near,
    DISTANCE: lambda far, near, hubs: _middle(far),
    f"closer than {NEAR} (%)": lambda far, near, hubs: _share_near(far),
    f"at that rank closer than {NEAR} (%)": lambda far, near, hubs: _share_near(near),
    f"most often among {NEIGHBOURS} neighbours": lambda far, near, hubs: hubs.most,
    f"never among {NEIGHBOURS} neighbours (%)": lambda far, near, hubs: 100 * hubs.share_never,
    "skewness of how often": lambda far, near, hubs: hubs.skewness,
}
HUBS = tuple(DISTANCES)[-3:]


def _middle(values):
    import numpy as np

    return float(np.median(values))


def _share_near(values):
    import numpy as np

    return float(100 * np.mean(values < NEAR)) if np.isfinite(values).all() else float("nan")


def measure_neighbours(cells, runs):
    """A row for each picture of each network, with the network's own numbers in every row.

    The last picture of a network, which a page shows, is the one in the middle. The thousandth
    neighbour of few pictures is none of the nearest: what is told of every picture, and what the
    paper's statement is decided by, is the one whose rank is the same share of the pictures as in
    the paper; on the paper's own collection they are the same.
    """
    import numpy as np
    import pandas as pd

    from papers.likeness import distances_of_neighbour, hubs_of
    from transfer.retrieval import chance_hubs, normalize

    try:
        looked = _looked_at(cells, runs)
    except InputError as error:
        return _frame(cells, [{"query": "", "lacks": str(error)} for _ in cells])
    if not looked:
        return _frame(cells, [{"query": ""} for _ in cells])
    gallery, features = looked
    frames = []
    for cell in cells:
        if cell.keys["tuned for"] not in features:
            frames.append(pd.DataFrame([{**cell.keys, "query": ""}]))
            continue
        rows = normalize(features[cell.keys["tuned for"]])
        far, near = distances_of_neighbour(rows, FAR, FAR / OF_PAPER)
        hubs = hubs_of(rows, NEIGHBOURS)
        own = {name: value(far, near, hubs) for name, value in DISTANCES.items()}
        own |= {f"{name}_pictures": len(far) for name in DISTANCES}
        queries = [file.name for file in gallery.files]
        by_chance = chance_hubs(len(far), NEIGHBOURS)
        own |= {f"{name}_chance": DISTANCES[name](far, near, by_chance) for name in HUBS}
        frame = pd.DataFrame({**cell.keys, "query": queries, **own})
        order = np.argsort(near, kind="stable")
        middle = (len(far) - 1) // 2
        frames.append(frame.iloc[[*order[:middle], *order[middle + 1 :], order[middle]]])
    return as_numbers(pd.concat(frames, ignore_index=True), cells)


def networks_of_figure16(place):
    """Every start that is there, and every network tuned from it: dict name -> see Compared."""
    networks = {}
    for start in starts(place):
        text = place.start_of(place.network, start_name(place, start))
        stages = {task: trainings(place, WIKIART, task, start=start) for task in APART}
        there = {task: found[0] for task, found in stages.items() if not isinstance(found, str)}
        if not there:
            continue
        first = next(iter(there.values()))
        networks[start] = Side(start, first, True) if start == RANDOM else Side(start, text)
        networks |= {f"{start}, {task}": (stage,) for task, stage in there.items()}
    return networks


def plan_figure16(place):
    """A cell for each pair of networks."""
    networks = networks_of_figure16(place)
    names, columns = list(networks), ("cosine distance",)
    rows = [
        {"first": first, "second": second}
        for place_, first in enumerate(names)
        for second in names[place_ + 1 :]
    ]
    if not rows:
        lacks = trainings(place, *STYLE)
        return _compared(place, [{"first": OBJECTS, "second": "style"}], columns, {}, lacks)
    lacks = next((text for t in TUNED if isinstance(text := place.data(WIKIART, t), str)), "")
    return _compared(place, rows, columns, networks, lacks)


def measure_figure16(cells, runs):
    """The mean cosine distance of the same pictures by two networks, and of any two pictures."""
    from papers.likeness import network_distances

    def rows_of(gallery, features):
        found = network_distances(features, DRAWN, SEED)
        pictures, rows = min(DRAWN, len(gallery.files)), []
        for one in (found.get(tuple(cell.keys.values())) for cell in cells):
            number = Number()
            if one:
                worth = {"chance": one.any_pictures, "pictures": pictures}
                number = Number(one.same_picture, one.same_low, one.same_high, **worth)
            rows.append(number.cells("cosine distance"))
        return rows

    return _measured(cells, runs, rows_of)


def draw_figure16(place, cells, runs):
    """The distances as a matrix."""
    from transfer import plots

    frame = measure_figure16(cells, runs)
    if frame["cosine distance"].isna().all():
        return {}
    names = list(dict.fromkeys([*frame["first"], *frame["second"]]))
    table = frame.set_index(["first", "second"])["cosine distance"]
    values = [
        [0.0 if a == b else table.get((a, b), table.get((b, a))) for b in names] for a in names
    ]
    title = f"Mean cosine distance of {DRAWN} pictures at most, on {cells[0].on}"
    return {"networks.png": plots.png(plots.distance_matrix(values, names, title))}


WIKIART_TASKS = tuple((WIKIART, task) for task in APART)
ITEMS = (
    Item(
        "table1",
        "table",
        "classes and pictures of the tasks",
        "table1",
        TASKS,
        lambda place: plan_counts(place, TASKS),
        measure_counts,
    ),
    Item(
        "table2",
        "table",
        "test accuracy of all layers trained from every start",
        "table2",
        TASKS,
        plan_table2,
        measure_accuracies,
        runs=len(TASKS) * len(INITIALIZATIONS),
        notes=tell_starts,
    ),
    Item(
        "table2_variance",
        "table",
        "variance of table 2's accuracies over starts",
        "table2_variance",
        TASKS,
        plan_variance,
        measure_variance,
        runs=len(TASKS) * len(INITIALIZATIONS),
        chance="what equally good starts would give on these pictures",
        notes=tell_starts,
    ),
    Item(
        "table3",
        "table",
        "test accuracy of every fine-tuning scenario",
        "table3",
        TASKS,
        plan_table3,
        measure_accuracies,
        runs=len(TASKS) * len(SCENARIOS),
        notes=tell_scenarios,
    ),
    Item(
        "table4",
        "table",
        "the best training of each task beside other works",
        "table4",
        TASKS,
        plan_table4,
        measure_table4,
        draw_trainings,
        runs=len(TASKS) * (len(SCENARIOS) + len(INITIALIZATIONS) - 1) + 1,
    ),
    Item(
        "figure2",
        "figure",
        "pictures of the classes of style and genre",
        "",
        (STYLE, (WIKIART, "genre")),
        lambda place: plan_counts(place, (STYLE, (WIKIART, "genre"))),
        measure_counts,
        draw_counts,
    ),
    Item(
        "figure3",
        "figure",
        "pictures of the timeframes",
        "",
        ((WGA, "timeframe"),),
        lambda place: plan_counts(place, ((WGA, "timeframe"),)),
        measure_counts,
        draw_counts,
    ),
    *(
        Item(
            name,
            "figure",
            f"learning curves of every start on artists of {dataset}, all layers and the last",
            "figure5",
            ((dataset, "artist"),),
            lambda place, dataset=dataset: plan_start_curves(place, (dataset, "artist")),
            measure_curves,
            draw_curves,
            runs=len(RETRAINED) * len(INITIALIZATIONS),
            notes=tell_starts,
        )
        for name, dataset in (("figure5", WIKIART), ("figure6", WGA))
    ),
    Item(
        "figure7",
        "figure",
        "learning curves of every scenario on style",
        "",
        (STYLE,),
        plan_scenario_curves,
        measure_curves,
        draw_curves,
        runs=len(SCENARIOS),
        notes=tell_scenarios,
    ),
    Item(
        "figure8",
        "figure",
        "test accuracy of every scenario on style",
        "table3",
        (STYLE,),
        plan_figure8,
        measure_accuracies,
        draw_scenarios,
        runs=len(SCENARIOS),
        notes=tell_scenarios,
    ),
    Item(
        "figure9",
        "figure",
        "training time of every scenario on style",
        "figure9",
        (STYLE,),
        plan_time,
        measure_time,
        draw_time,
        runs=len(SCENARIOS),
        notes=tell_scenarios,
        interval="over rounds of steps by turns",
    ),
    Item(
        "figure10",
        "figure",
        "confusion matrix of style",
        "figure10",
        (STYLE,),
        lambda place: plan_confusion(place, (STYLE,)),
        measure_confusion,
        draw_confusion,
        chance=ANSWERED,
        runs=len(SCENARIOS) + len(INITIALIZATIONS),
    ),
    Item(
        "figure11",
        "figure",
        "pictures of styles that are taken for one another",
        "",
        (STYLE,),
        plan_mistakes,
        measure_nothing,
        draw_mistakes,
        runs=len(SCENARIOS) + len(INITIALIZATIONS),
    ),
    *(
        Item(
            name,
            "figure",
            f"confusion matrices of {task}",
            published,
            ((WIKIART, task), (WGA, task)),
            lambda place, task=task: plan_confusion(place, ((WIKIART, task), (WGA, task))),
            measure_confusion,
            draw_confusion,
            chance=ANSWERED,
            runs=2 * (len(SCENARIOS) + len(INITIALIZATIONS) - 1),
        )
        for name, task, published in (
            ("figure12", "genre", "figure12"),
            ("figure13", "artist", "figure13"),
            ("figure14", "nationality", ""),
        )
    ),
    Item(
        "figure15",
        "figure",
        "pictures alike to networks tuned for genre and for style",
        "figure15",
        (STYLE, (WIKIART, "genre")),
        plan_figure15,
        measure_figure15,
        draw_figure15,
        runs=2 * (len(SCENARIOS) + len(INITIALIZATIONS) - 1) + 1,
        chance="what a random order would give",
        interval=OVER_QUERIES,
    ),
    Item(
        "figure16",
        "figure",
        "cosine distance between networks over the same pictures",
        "figure16",
        WIKIART_TASKS,
        plan_figure16,
        measure_figure16,
        draw_figure16,
        runs=len(APART) * len(INITIALIZATIONS),
        chance="the distance of any two pictures",
        notes=tell_starts,
        interval="over the pictures",
    ),
    Item(
        "short_training",
        "table",
        "a short training at a falling rate (section 5.3)",
        "short_training",
        (STYLE,),
        plan_short,
        measure_accuracies,
        runs=2,
        notes=tell_rates,
    ),
    Item(
        "neighbours",
        "table",
        "how far the thousandth neighbour is, and hubs (section 5.5)",
        "neighbours",
        (STYLE, (WIKIART, "genre")),
        plan_neighbours,
        measure_neighbours,
        runs=2 * (len(SCENARIOS) + len(INITIALIZATIONS) - 1) + 1,
        chance="what neighbours drawn at random would give",
    ),
    Item(
        "retrieval",
        "table",
        "precision and mean average precision of looking for a label (ours; section 5.5)",
        "",
        (STYLE, (WIKIART, "genre")),
        plan_retrieval,
        measure_retrieval,
        runs=2 * (len(SCENARIOS) + len(INITIALIZATIONS) - 1) + 1,
        chance="what a random order would give",
        interval=OVER_QUERIES,
    ),
)
PAPER = Paper(
    "cetinic2018",
    "Cetinic et al. 2018, Fine-tuning Convolutional Neural Networks for Fine Art Classification",
    NETWORKS,
    {TICC: "ticc", WIKIART: "wikiart_cetinic2018", WGA: "wga"},
    SMALL,
    ITEMS,
    SMALL_CHANGES,
    STARTS,
    NETWORKS[1:],
    NETWORKS[:1],
)
