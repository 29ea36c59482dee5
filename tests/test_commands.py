"""The commands that the README and docs/ give, run as a user would."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import pandas
import pytest

from toy.collection import paint_collection

ROOT = Path(__file__).parents[1]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "toy" / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
]


def shell(command, cwd, quiet=False):
    """What a command prints; quiet: it writes nothing on stderr."""
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run(
        ["bash", "-c", command], cwd=cwd, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (quiet and done.stderr), done.stderr
    return done.stdout


def blocks(page):
    """Indented commands of a Markdown page, continued lines joined."""
    text = re.sub(r" \\\n +", " ", page.read_text(encoding="utf-8"))
    return re.findall(r"^    ((?:python|\./|git|for ).*)$", text, flags=re.M)


@pytest.mark.slow
def test_experiment_of_the_readme(tmp_path):
    """As written, but small: no ImageNet weights (no network here), 32 pixels, one epoch."""
    (command,) = (c for c in blocks(PAGES[0]) if "mymuseum" in c)
    paint_collection(tmp_path / "toy", count=60)
    (tmp_path / "mymuseum").mkdir()
    (tmp_path / "toy" / "jpg").rename(tmp_path / "mymuseum" / "jpg")
    (tmp_path / "toy" / "metadata.csv").rename(tmp_path / "mymuseum.csv")
    shell(f"{command} --weights none --input_size 32 --epochs 1", tmp_path)
    assert (
        tmp_path / "results/mymuseum/material/ResNet50/fine_tuning,epochs=1/model.keras"
    ).exists()
    printed = shell("python -m transfer.tables results", tmp_path)
    assert "| ResNet50 |" in printed and "toy collection" in printed


SMALL = "MobileNet(alpha=0.25)"


def small(command):
    """A command of a page with the small network that the toy brings along, and one epoch."""
    network = f"'{SMALL}:{ROOT}/toy/mobilenet_0.25_64_nature.weights.h5'"
    quick = " --epochs 1" if "transfer.experiment" in command else ""
    command = command.replace("--ANN ResNet50", f"--ANN {network} --input_size 64{quick}")
    if "ResNet50:imagenet" in command:
        command = command.replace("ResNet50:imagenet", network) + " --input_size 64"
    # the run's folder, quoted for its brackets, with what one epoch adds to its name
    folder = re.compile(r"(results/\w+/\w+)/ResNet50/(\w+)(,seed=1)?(/model\.keras)?")
    command = folder.sub(rf"'\1/{SMALL}/\2,seed=1,epochs=1\4'", command)
    return command.replace("visualization/deep_viz.py", f"{ROOT}/visualization/deep_viz.py")


def walk(page, folder, change=str):
    """Run every command of a page, small and changed; stderr stays empty. None of real data."""
    for command in blocks(ROOT / "docs" / page):
        if "$SHARED" in command:
            continue
        command = change(small(command))
        if "mymuseum" in command:
            command = command.replace(",seed=1", "")
        errors = folder / "errors"
        shell(f"{command} 2> {errors}", folder)
        assert errors.read_text() == "", command


@pytest.fixture
def museum(tmp_path):
    """The toy as a museum's CSV, two objects of one title, and a folder of new pictures."""
    paint_collection(tmp_path / "toy", count=90)
    (tmp_path / "mymuseum").mkdir()
    (tmp_path / "toy" / "jpg").rename(tmp_path / "mymuseum" / "jpg")
    rows = pandas.read_csv(tmp_path / "toy" / "metadata.csv", dtype=str, index_col=0)
    rows["title"] = [f"title {number // 2}" for number in range(len(rows))]
    rows.to_csv(tmp_path / "mymuseum.csv")
    (tmp_path / "new").mkdir()
    for name in rows["ImageId"][:3]:
        shutil.copy(tmp_path / "mymuseum" / "jpg" / f"{name}.jpg", tmp_path / "new")
    return tmp_path


@pytest.mark.slow
def test_walk_from_a_museums_csv_to_a_figure(museum):
    walk("museum.md", museum)
    run = museum / "results" / "mymuseum" / "material" / SMALL / "off_the_shelf,epochs=1"
    told = (ROOT / "docs" / "museum.md").read_text(encoding="utf-8")
    for name in re.findall(r"^\| `(\w+\.\w+)` \|", told, flags=re.M):
        assert (run / name).exists(), name
    for name in ("results/doubts/doubts.png", "results/doubts/doubts.csv", "new.png", "looks.png"):
        assert (museum / name).exists(), name
    assert len((museum / "new.csv").read_text("utf-8-sig").splitlines()) == 4


@pytest.mark.slow
def test_commands_of_the_page_about_worth(museum):
    """Two seeds of the page's three: the walk through folders.md has as many runs as written."""
    walk("worth.md", museum, lambda command: command.replace("--seeds 1 2 3", "--seeds 1 2"))
    page = (museum / "results" / "tables" / "comparison.md").read_text(encoding="utf-8")
    assert "### Pairs, over" in page and "seeds of one method differ by" in page
    assert (museum / "results" / "tables" / "pairs.csv").exists()
    runs = museum / "results" / "mymuseum" / "material" / SMALL
    assert len(list(runs.glob("*/reliability.png"))) == 4


@pytest.mark.slow
def test_devices_of_the_page_about_scale(museum):
    (command,) = (c for c in blocks(ROOT / "docs" / "scale.md") if "--devices all" in c)
    shell(small(command), museum, quiet=True)
    runs = museum / "results" / "mymuseum" / "material" / SMALL
    assert (runs / "fine_tuning,epochs=1" / "model.keras").exists()


@pytest.mark.slow
def test_commands_of_the_page_about_recipes(museum):
    walk("recipes.md", museum)
    runs = museum / "results" / "mymuseum" / "material" / SMALL
    (run,) = [path for path in runs.iterdir() if path.name.startswith("gonthier2020.mode_a,")]
    assert (run / "model.keras").exists()


@pytest.mark.slow
def test_real_training_of_the_page_about_recipes(shared, tmp_path):
    """As written, but for 64 pixels and one epoch of the head."""
    (command,) = (c for c in blocks(ROOT / "docs" / "recipes.md") if "shandong" in c)
    command = command.replace("--input_size 128", "--input_size 64 --epochs 1")
    printed = shell(f"export SHARED={shared}\n{command}", tmp_path)
    assert "over 76 pictures" in printed and "would give 15.8%" in printed


@pytest.mark.slow
def test_labels_chain_and_ensemble_of_the_experiments_page(museum):
    """As written, but of the toy's network at 64 pixels and one epoch."""
    rows = pandas.read_csv(museum / "mymuseum.csv", dtype=str, index_col=0)
    rows["lake"] = [str(number % 2) for number in range(len(rows))]
    rows["tree"] = [str(int(number % 3 == 0)) for number in range(len(rows))]
    rows.to_csv(museum / "mymuseum.csv")
    paint_collection(museum / "other", count=40)
    other = pandas.read_csv(museum / "other/metadata.csv", dtype=str)
    for name, kind in zip(other["ImageId"], other["dc_type"].str.strip(), strict=True):
        (museum / "paintings" / kind).mkdir(parents=True, exist_ok=True)
        shutil.copy(museum / "other" / "jpg" / f"{name}.jpg", museum / "paintings" / kind)
    for command in blocks(ROOT / "docs" / "experiment.md"):
        quick = f"--ANN '{SMALL}' --input_size 64 --epochs 1"
        if "--ANN" in command and "--weights" not in command:
            quick += f" --weights {ROOT}/toy/mobilenet_0.25_64_nature.weights.h5"
        command = re.sub(r"((?:\w+/)+)ResNet50/(\w+)", rf"'\1{SMALL}/\2,epochs=1'", command)
        shell(command.replace("--ANN ResNet50", quick), museum)
    header, *new = (museum / "new.csv").read_text("utf-8-sig").splitlines()
    assert header == "picture,labels,probability of lake,probability of tree,problem"
    assert len(new) == 3
    page = shell("python -m transfer.tables results", museum)
    assert "  - mymuseum: material (toy collection), MobileNet(alpha=0.25) fine tuning" in page
    assert "    - paintings: genre, MobileNet(alpha=0.25) fine tuning" in page
    assert "MobileNet(alpha=0.25) ensemble: the mean of the probabilities of fine_tuning,ep" in page


@pytest.mark.slow
def test_walk_from_sorted_folders_to_a_figure(museum):
    rows = pandas.read_csv(museum / "mymuseum.csv", dtype=str)
    for name, kind in zip(rows["ImageId"], rows["dc_type"].str.strip(), strict=True):
        (museum / "paintings" / kind).mkdir(parents=True, exist_ok=True)
        shutil.copy(museum / "mymuseum" / "jpg" / f"{name}.jpg", museum / "paintings" / kind)
    walk("folders.md", museum)
    runs = museum / "results" / "paintings" / "genre" / SMALL
    assert len([path for path in runs.iterdir() if path.name[0] != "."]) == 6
    page = (museum / "results" / "tables" / "comparison.md").read_text(encoding="utf-8")
    assert "3 runs" in page
    assert (museum / "looks.png").exists() and (museum / "new.csv").exists()


@pytest.mark.slow
def test_real_paintings_of_the_readme(shared, tmp_path):
    """The README's loop over the three modes, as written but for one epoch each, at 64 pixels."""
    page = PAGES[0].read_text(encoding="utf-8")
    (loop,) = re.findall(r"^    for mode in .*?^    done$", page, flags=re.M | re.S)
    loop = loop.replace("--input_size 128", "--input_size 64 --epochs 1")
    shell(f"export SHARED={shared}\n{loop}", tmp_path)
    runs = tmp_path / "results" / "rasta_small" / "style" / "MobileNet(alpha=0.25)"
    assert sorted(path.name for path in runs.iterdir() if path.name[0] != ".") == [
        "fine_tuning,epochs=1",
        "off_the_shelf,epochs=1",
        "random,epochs=1",
    ]


OPTIMIZED = ROOT / "docs" / "optimized_images.md"


@pytest.mark.slow
def test_optimized_images_of_the_docs(tmp_path):
    """As written, but of a small network of one's own, at 32 pixels and 3 steps."""
    command = blocks(OPTIMIZED)[0]
    paint_collection(tmp_path / "toy", count=20)
    (tmp_path / "toy" / "jpg").rename(tmp_path / "paintings")
    pixels = keras.Input((None, None, 3))
    maps = keras.layers.Conv2D(64, 3, name="mixed4d_3x3_pre_relu")(pixels)
    keras.Model(pixels, maps).save(tmp_path / "own.keras")
    command = command.replace("GoogLeNet:bvlc_googlenet.caffemodel", "own.keras")
    command = command.replace("--steps 2048 --size 224", "--steps 3 --size 32")
    printed = shell(command, tmp_path)
    assert "5 of 5: channel 63" in printed and "images beat the best picture" in printed
    out = tmp_path / "results" / "mixed4d"
    assert sum(path.suffix == ".png" for path in out.iterdir()) == 6
    assert "already finished" in shell(command, tmp_path)


@pytest.mark.slow
def test_images_in_parts_of_the_docs(tmp_path, without_slurm):
    """As written, but of a small network of one's own, at 32 pixels and 3 steps."""
    (command,) = (c for c in blocks(OPTIMIZED) if "--array" in c)
    pixels = keras.Input((None, None, 3))
    maps = keras.layers.Conv2D(12, 3, name="mixed4d_3x3_pre_relu")(pixels)
    keras.Model(pixels, maps).save(tmp_path / "own.keras")
    command = command.replace("GoogLeNet:bvlc_googlenet.caffemodel", "own.keras")
    command = command.replace("./job.sh", f"{ROOT}/job.sh") + " --steps 3 --size 32 --batch 8"
    printed = shell(command, tmp_path)
    assert "part 1/2: 8 of 12 channels" in printed and "part 2/2: 4 of 12 channels" in printed
    assert [path.name for path in (tmp_path / "results").iterdir()] == ["mixed4d_all"]
    assert len(list((tmp_path / "results" / "mixed4d_all").glob("mixed4d_*.png"))) == 12


@pytest.mark.slow
def test_channels_of_the_docs(shared, tmp_path):
    """The page's loop over the modules and its sheet, but for two of them, 2 steps, 64 pixels."""
    page = OPTIMIZED.read_text(encoding="utf-8")
    (loop,) = re.findall(r"^    for layer in .*?^    done\n.*?$", page, flags=re.M | re.S)
    loop = loop.replace("--dtype", "--steps 2 --size 64 --dtype")
    loop, shortened = re.subn(r"(in mixed\S+) .*\s(mixed\S+; do)", r"\1 \2", loop, flags=re.S)
    assert shortened == 1
    shell(f"export SHARED={shared}\n{loop}", tmp_path)
    assert (tmp_path / "googlenet_channels.jpg").exists()


@pytest.mark.slow
def test_script_of_the_docs(tmp_path):
    (script,) = re.findall(r"```python\n(.*?)```", OPTIMIZED.read_text(encoding="utf-8"), re.S)
    (tmp_path / "script.py").write_text(script, encoding="utf-8")
    assert "(2, 64, 64, 3)" in shell("python script.py", tmp_path, quiet=True)


@pytest.mark.slow
def test_script_of_the_saliency_page():
    text = (ROOT / "docs" / "saliency.md").read_text(encoding="utf-8")
    (script,) = re.findall(r"```python\n(.*?)```", text, re.S)
    assert 'METHODS["grad_cam"](network)(picture' in script and text.index(script) < 1500
    assert "(1, 64, 64)" in shell(f"python -c {shlex.quote(script)}", ROOT, quiet=True)


@pytest.mark.slow
def test_saliency_of_the_docs(shared, tmp_path):
    """As written, but at 64 pixels, and the check with two samples of the first picture.

    The first command, without arguments, is tests/visualization/test_deep_viz.py's.
    """
    plain, paintings, check = blocks(ROOT / "docs" / "saliency.md")
    assert plain == "python visualization/deep_viz.py"
    script = f"{ROOT}/visualization/deep_viz.py"
    check = check.replace("--samples 16 --check 4", "--samples 2 --check 1")
    check = re.sub(r"{([^,]*),[^}]*}", r"\1", check)
    for command in (paintings, check):
        command = command.replace("visualization/deep_viz.py", f"{script} --input_size 64")
        shell(f"export SHARED={shared}\n{command}", tmp_path)
    for name in ("paintings.png", "methods.png", "methods_check.png"):
        assert (tmp_path / name).exists(), name


CHANGED = ROOT / "docs" / "what_changed.md"


@pytest.mark.slow
def test_what_changed_of_the_docs(tmp_path, without_slurm):
    """As written, but of the toy's networks and collection, few layers and few steps."""
    first, second, in_parts = blocks(CHANGED)[:3]
    paint_collection(tmp_path / "toy", count=90)
    (tmp_path / "mymuseum").mkdir()
    (tmp_path / "toy" / "jpg").rename(tmp_path / "mymuseum" / "jpg")
    (tmp_path / "toy" / "metadata.csv").rename(tmp_path / "mymuseum.csv")
    run = tmp_path / "results" / "mymuseum" / "material" / "ResNet50" / "fine_tuning"
    run.mkdir(parents=True)
    shutil.copy(ROOT / "toy/mobilenet_0.25_64_toy_artist.keras", run / "model.keras")
    network = f"'{SMALL}:{ROOT}/toy/mobilenet_0.25_64_nature.weights.h5'"
    more = "--input_size 64 --k 10 --layers conv1 conv_pw_1"
    for command in (first, second, in_parts):
        command = command.replace("ResNet50:imagenet", network)
        command = command.replace("./job.sh", f"{ROOT}/job.sh")
        command = command.replace(":20", ":2").replace("--steps 512", "--steps 2")
        shell(f"{command.replace('_images 128', '_images 32')} {more}", tmp_path)
    told = CHANGED.read_text(encoding="utf-8")
    out = tmp_path / "results" / "changed"
    joined = tmp_path / "results" / "changed_in_parts"
    for name in ("layers.csv", "scores/scores.h5"):
        assert (joined / name).read_bytes() == (out / name).read_bytes()
    for cell in re.findall(r"^\| (`[^|]*`) \|", told, flags=re.M):
        for name in re.findall(r"`([\w./]+)`", cell.replace("/LAYER", "")):
            assert (out / name).exists(), name
    assert "change from A's image to B's" in (out / "summary.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_real_comparison_of_the_docs(shared, tmp_path):
    """The page's training and comparison, as written but for a small part and one epoch."""
    train, compare = blocks(CHANGED)[3:5]  # the last one is that of the images: 25 minutes
    few = " --pictures_glob 'images/an*'"
    train = train.replace("--epochs 4", "--epochs 1 --input_size 64")
    shell(f"export SHARED={shared}\n{train}{few}", tmp_path)
    runs = tmp_path / "results" / "wikiart224" / "style" / "GoogLeNet"
    for seed in (1, 2):
        begin = f"fine_tuning,seed={seed},"
        (run,) = [path for path in runs.iterdir() if path.name.startswith(begin)]
        compare = compare.replace(f"{begin}epochs=4", run.name)
    more = " --input_size 64 --k 10 --layers conv2d0_pre_relu mixed3a"
    shell(f"export SHARED={shared}\n{compare}{few}{more}", tmp_path)
    assert (tmp_path / "results" / "changed" / "index.html").exists()


@pytest.mark.slow
def test_shipped_network_of_the_toys_page(tmp_path):
    """How the fine-tuned network was made: as written, but for 180 pictures and one epoch."""
    weights = "toy/mobilenet_0.25_64_nature.weights.h5"
    (tmp_path / "toy").mkdir()
    shutil.copy(ROOT / weights, tmp_path / weights)
    _, paint, experiment, convert = blocks(ROOT / "toy" / "README.md")
    convert = convert.replace("/fine_tuning/", "/fine_tuning,epochs=1/")
    shell(f"{paint} --count 180 && {experiment} --epochs 1 && {convert}", tmp_path)
    assert (tmp_path / "toy" / "mobilenet_0.25_64_toy_artist.keras").exists()


@pytest.mark.slow
def test_job_sh_edited_as_a_user_would(tmp_path):
    """From scratch alone, then off the shelf too; of 180 pictures and one epoch to save time.

    Unedited it is in tests/test_slurm.py.
    """
    script = (ROOT / "job.sh").read_text(encoding="utf-8")
    assert script.count("toy paint collections/toy\n") == 1
    script = script.replace("options=()", "options=(--epochs 1)")
    script = script.replace("toy paint collections/toy", "toy paint collections/toy --count 180")
    script = script.replace('weights="toy/', f'weights="{ROOT}/toy/')
    job = tmp_path / "job.sh"
    job.write_text(re.sub("^tl_mode=.*", 'tl_mode="random"', script, flags=re.M))
    assert "random (scratch)" in shell("bash job.sh", tmp_path)
    job.write_text(re.sub("^tl_mode=.*", 'tl_mode="random off_the_shelf"', script, flags=re.M))
    printed = shell("bash job.sh", tmp_path)
    assert "already finished" in printed and "## toy: artist (toy collection)" in printed
    runs = tmp_path / "results" / "toy" / "artist" / "MobileNet(alpha=0.25)"
    for mode in ("off_the_shelf", "random"):
        assert (runs / f"{mode},epochs=1" / "metrics.json").exists()
    assert (tmp_path / "results" / "tables" / "toy_artist_learning_curves.png").exists()


PLAN = """id,wave,needs,command
1,1,,echo one >> made/done
2,1,,echo two >> made/done
3,2,1 2,"cat made/done; echo ""three"" "
"""
# in the place of SLURM's: notes what it was asked for, and gives a job its number
SBATCH = """#!/bin/bash
echo "$@" >> {folder}/asked
echo "$((40 + $(wc -l < {folder}/asked)));cluster"
"""


@pytest.fixture
def planned(tmp_path, monkeypatch):
    """Return a folder with a plan, its paths those of that folder; nothing of SLURM is there."""
    (tmp_path / "plan.csv").write_text(PLAN)
    (tmp_path / "made").mkdir()
    for name in [name for name in os.environ if name.startswith("SLURM_")]:
        monkeypatch.delenv(name)
    return tmp_path


@pytest.fixture
def without_slurm(tmp_path_factory, monkeypatch):
    """Let no command find SLURM where it is installed: everything of the PATH but sbatch."""
    tools = tmp_path_factory.mktemp("tools")
    for folder in map(Path, os.environ["PATH"].split(os.pathsep)):
        for tool in folder.iterdir() if folder.is_dir() else ():
            if tool.name != "sbatch" and not (tools / tool.name).is_symlink():
                (tools / tool.name).symlink_to(tool)
    monkeypatch.setenv("PATH", str(tools))


def test_job_sh_carries_out_a_plan_without_slurm(planned, without_slurm):
    printed = shell(f"{ROOT}/job.sh --array plan.csv", planned)
    assert printed.endswith("one\ntwo\nthree\n3 of 3 lines are done\n")
    assert [path.name for path in sorted(planned.iterdir())] == ["made", "plan.csv"]


@pytest.fixture
def sbatch(planned, monkeypatch):
    """Put SBATCH in the place of SLURM's command."""
    path = planned / "bin" / "sbatch"
    path.parent.mkdir()
    path.write_text(SBATCH.format(folder=planned))
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{path.parent}{os.pathsep}{os.environ['PATH']}")


def test_job_sh_gives_slurm_an_array_for_each_wave_behind_the_one_before(planned, sbatch):
    printed = shell(f"{ROOT}/job.sh --array plan.csv", planned)
    assert printed == "job 41: tasks 1-2\njob 42: tasks 3\n"
    script = f"{ROOT}/job.sh --array plan.csv"
    assert (planned / "asked").read_text().splitlines() == [
        f"--parsable --array=1-2 {script}",
        f"--parsable --dependency=afterany:41 --array=3 {script}",
    ]
    # as a task, SLURM runs a copy of the script, in the folder where it was submitted
    shutil.copy(ROOT / "job.sh", planned / "bin" / "slurm_script")
    task = "bash bin/slurm_script --array plan.csv"
    assert "one" in shell(f"SLURM_ARRAY_TASK_ID=1 SLURM_SUBMIT_DIR=$PWD {task}", planned)
    assert (planned / "made" / "done").read_text() == "one\n"
    assert len((planned / "asked").read_text().splitlines()) == 2
    # what is wrong is told before anything is submitted
    (planned / "plan.csv").write_text(PLAN.replace("1,1,,", "1,1,3,"))
    told = shell(f"{ROOT}/job.sh --array plan.csv 2>&1 || echo code $?", planned)
    assert told.startswith("error: plan.csv: lines need one another in a circle: ")
    assert told.endswith("code 2\n") and len((planned / "asked").read_text().splitlines()) == 2


def test_job_sh_makes_parts_in_turn_and_joins_them_without_slurm(planned, without_slurm):
    """Of a command that notes how it is called; its second part fails, and is interrupted."""
    (planned / "made" / "of").write_text('[ "$2" = --parts ] && echo 3 || echo "$@" >> done\n')
    parts = [f"a b --shard {number}/3" for number in (1, 2, 3)]
    for count in ("3 ", ""):
        shell(f"cd made && {ROOT}/job.sh --array {count}bash of 'a b'", planned)
        assert (planned / "made" / "done").read_text().splitlines() == [*parts, "a b --join"]
        (planned / "made" / "done").unlink()
    for code, made in ((1, [*parts, "a b --join"]), (130, parts[:2])):
        fails = f'echo "$@" >> done; [ "$3" != 2/3 ] || exit {code}\n'
        (planned / "made" / "of").write_text(fails)
        printed = shell(f"cd made && {ROOT}/job.sh --array 3 bash of 'a b' || echo $?", planned)
        assert printed == ("" if code == 1 else "130\n")
        assert (planned / "made" / "done").read_text().splitlines() == made
        (planned / "made" / "done").unlink()


@pytest.mark.parametrize("words", ["", "2", "0 echo hi", "00"])
def test_an_array_of_nothing_is_refused_with_how_it_is_called(planned, sbatch, words):
    told = shell(f"{ROOT}/job.sh --array {words} 2>&1 || echo code $?", planned)
    assert told.endswith("--array [N] COMMAND with N parts from 1\ncode 2\n")
    assert not (planned / "asked").exists()


def test_a_slip_does_not_run_the_whole_job(planned):
    told = shell(f"{ROOT}/job.sh --arrays 2 2>&1 || echo code $?", planned)
    assert told.endswith("--array [N] COMMAND with N parts from 1\ncode 2\n")


def test_a_command_that_says_no_number_of_parts_is_refused(planned, sbatch):
    told = shell(f"{ROOT}/job.sh --array echo lines 2>&1 || echo code $?", planned)
    assert told == "error: no number of parts: lines --parts\ncode 2\n"
    assert not (planned / "asked").exists()


def test_a_slurm_that_takes_no_job_is_told(planned, sbatch):
    (planned / "bin" / "sbatch").write_text("#!/bin/bash\necho no cluster >&2; exit 1\n")
    told = shell(f"{ROOT}/job.sh --array plan.csv 2>&1 || echo code $?", planned)
    assert told.startswith("no cluster\nerror: sbatch is here and takes no job;")
    assert told.endswith("code 1\n")


def test_job_sh_gives_slurm_an_array_of_parts_and_the_task_that_joins_them(planned, sbatch):
    printed = shell(f"{ROOT}/job.sh --array 4 echo 'a b'", planned)
    assert printed == "job 41: tasks 1-4\njob 42: tasks 0\n"
    script = f"{ROOT}/job.sh --array 4 echo a b"
    assert (planned / "asked").read_text().splitlines() == [
        f"--parsable --array=1-4 {script}",
        f"--parsable --dependency=afterany:41 --array=0 {script}",
    ]
    for task, done in ((3, "a b --shard 3/4\n"), (0, "a b --join\n")):
        command = f"SLURM_ARRAY_TASK_ID={task} {ROOT}/job.sh --array 4 echo 'a b'"
        assert shell(command, planned) == done


def test_job_sh_keeps_the_released_variables_and_slurm_lines():
    script = (ROOT / "job.sh").read_text(encoding="utf-8")
    released = "dataset_name metadata_path jpg_images_path results_path datasets_path tl_mode"
    for variable in released.split():
        assert re.search(rf'^{variable}="', script, flags=re.M)
    for line in ("--nodes=1", "--gres=gpu:1", "--time=24:00:00", "--mem=50G"):
        assert f"#SBATCH {line}" in script


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_flags_named_in_the_pages_exist(page):
    from papers import __main__ as papers
    from papers import plan
    from transfer import doubts, ensemble, experiment, predict
    from visualization import compare, deep_viz, render, sheet

    commands = (experiment, ensemble, predict, doubts, render, deep_viz, sheet, compare)
    commands = (*commands, papers, plan)
    actions = [action for command in commands for action in command.flags()._actions]
    known = {option for action in actions for option in action.option_strings}
    known |= {"--mode", "--count", "--help", "--quick"}  # --quick: of every benchmark
    known |= {"--dry"}  # what the pattern below sees of --dry-run
    known |= {"--array", "--xla_force_host_platform_device_count"}  # of job.sh, of XLA
    slurms = "gres mem no nodes ntasks gpus signal time"  # of --no-requeue, --ntasks-per-node, ...
    known |= {f"--{name}" for name in slurms.split()}
    text = page.read_text(encoding="utf-8")
    assert set(re.findall(r"(?<![\w-])--[a-zA-Z_]\w*", text)) <= known


def test_every_flag_has_a_sentence_of_help():
    from models import __main__ as network
    from papers import __main__ as papers
    from papers import plan
    from toy import __main__ as toys
    from transfer import doubts, ensemble, experiment, predict, tables
    from visualization import compare, deep_viz, render, sheet

    commands = (
        experiment,
        ensemble,
        predict,
        doubts,
        tables,
        render,
        deep_viz,
        sheet,
        compare,
        toys,
    )
    commands = (*commands, network, papers, plan)
    parsers = [command.flags() for command in commands] + [network.flags(converting=True)]
    parsers += toys.flags()._subparsers._group_actions[0].choices.values()
    for parser in parsers:
        for action in parser._actions:
            text = action.help or ""
            sentence = text[:1].isupper() and text.endswith(".")
            assert sentence or action.dest in ("help", "command"), f"{parser.prog}: {action.dest}"


COLLECTION = "--dataset_name a --challenge b --datasets_path d"


@pytest.mark.parametrize(
    ("command", "mistyped", "says"),
    [
        (
            "transfer.experiment",
            f"{COLLECTION} --ANN VGG91 --tl_mode random --results_path r",
            "VGG91",
        ),
        ("transfer.doubts", f"{COLLECTION} --ANN VGG91 --out o", "VGG91"),
        ("transfer.predict", "VGG19:imagenet nowhere --out o.csv", "no picture or folder nowhere"),
        ("transfer.tables", "nowhere", "nowhere: no such folder"),
        (
            "transfer.ensemble",
            "nowhere other --results_path r --datasets_path d",
            "nowhere holds no metrics.json",
        ),
        ("visualization.deep_viz", "nowhere --models VGG19", "no picture or folder nowhere"),
        ("visualization.render", "VGG91 --layer l --channels 1 --out o", "VGG91"),
        ("visualization.sheet", "nowhere --out o.png", "nowhere holds no results"),
        ("models.__main__", "VGG91", "VGG91"),
        ("papers.__main__", "sabateli2018", "sabatelli2018"),
        ("papers.plan", "nowhere.csv", "nowhere.csv does not exist"),
        ("toy.__main__", "sheet o.xyz", "o.xyz"),
    ],
)
def test_every_command_answers_a_slip_without_keras(command, mistyped, says, tmp_path):
    script = (
        "import importlib, sys; main = importlib.import_module(sys.argv[1]).main\n"
        "code = main(sys.argv[2:])\n"
        "print(code, sorted({'tensorflow', 'keras', 'sklearn', 'pandas'} & set(sys.modules)))"
    )
    words = [sys.executable, "-c", script, command, *mistyped.split()]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.stdout == "2 []\n", done.stderr
    assert says in done.stderr and done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_the_readme_begins_with_what_it_is_for_and_a_picture_of_real_results():
    text = PAGES[0].read_text(encoding="utf-8")
    order = ["# art-transfer", "for people who study art", "![The atlas", "./job.sh", "-m pytest"]
    places = [text.index(part) for part in (*order, "## Your own collection", "## Words")]
    assert places == sorted(places)
    for word in ("Off the shelf", "Fine-tuning", "Head", "Macro F1"):
        assert f"**{word}**:" in text[places[-1] :]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_of_the_pages_lead_somewhere(page):
    text = re.sub("```.*?```", "", page.read_text(encoding="utf-8"), flags=re.S)
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (page.parent / target).exists(), target


def test_every_command_of_the_pages_is_known_here():
    """A new command in a page must get a test: this list is what the tests above run."""
    tested = (
        "python -m transfer.experiment --dataset_name mymuseum",
        "python -m transfer.tables results",
        "python -m transfer.ensemble results/mymuseum",  # ..._of_the_experiments_page
        "python -m visualization.render GoogLeNet",  # test_optimized_images_of_the_docs
        "python -m visualization.sheet",  # test_channels_of_the_docs
        "for layer in mixed3a",  # the same
        "python3 -m venv",  # .ci/run
        "python visualization/deep_viz.py",  # test_saliency_of_the_docs
        "for mode in off_the_shelf",  # test_real_paintings_of_the_readme
        "python -m toy paint",  # test_shipped_network_of_the_toys_page
        "python -m transfer.experiment --dataset_name toy",  # the same
        "python -m models convert",  # the same
        "python -m transfer.doubts",  # the walks of docs/museum.md and docs/folders.md
        "python -m transfer.predict",  # the same
        "python -m transfer.experiment --dataset_name paintings",  # the same
        "python -m visualization.compare",  # test_what_changed_of_the_docs, and its slow sister
        "python -m transfer.experiment --dataset_name wikiart224",  # the latter
        "python -m transfer.experiment --collection rasta",  # ...of_the_page_about_collections
        "python -m transfer.experiment --dataset_name shandongA",  # ...of_the_page_about_recipes
        "python -m toy pretrain",  # tests/toy/test_main.py, smaller
        "python -m papers sabatelli2018",  # test_commands_of_the_page_about_papers
        "python -m papers gonthier2020",  # the same, without its pictures
        "python -m papers cetinic2018",  # the same
        "./job.sh --array",  # the same, ...in_parts_of_the_docs and tests/test_slurm.py
        "python -m benchmarks.gpu",  # tests/test_without_tensorflow.py, small
    )
    for page in PAGES:
        for command in blocks(page):
            assert shlex.split(command, comments=True) and command.startswith(tested), command


@pytest.mark.slow
def test_command_of_the_page_about_collections(tmp_path):
    """On the toy's pictures, two of its classes in place of styles, laid out as RASTA is."""
    paint_collection(tmp_path / "toy", count=90)
    rows = pandas.read_csv(tmp_path / "toy" / "metadata.csv", dtype=str)
    kinds = rows["dc_type"].value_counts().index[:2]
    for kind, style in zip(kinds, ("Rococo", "Ukiyo-e"), strict=True):
        for number, name in enumerate(rows["ImageId"][rows["dc_type"] == kind]):
            part = ("train", "train", "train", "val", "test")[number % 5]
            folder = tmp_path / "rasta" / f"wikipaintings_{part}" / style
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(tmp_path / "toy" / "jpg" / f"{name}.jpg", folder / f"painter_{name}.jpg")
    walk("collections.md", tmp_path)
    run = tmp_path / "results/rasta/style" / SMALL / "off_the_shelf,epochs=1"
    assert (run / "metrics.json").exists()


@pytest.mark.slow
def test_commands_of_the_page_about_papers(shared, tmp_path, without_slurm):
    """As written, but of few pictures of `shandong` at 32 pixels, one epoch, figure 2 alone.

    Table 3 and all items are made by a tiny network in tests/papers/test_main.py.
    """
    museum, small = shared / "data" / "shandong", tmp_path / "data"
    rows = pandas.read_csv(museum / "metadata.csv", dtype=str)
    often = rows["dc_type"].value_counts().index[:3]
    rows = rows[rows["dc_type"].isin(often)].groupby(["dc_type", "collection"]).head(20)
    (small / "shandong" / "images").mkdir(parents=True)
    rows.to_csv(small / "shandong" / "metadata.csv", index=False)
    for picture in (museum / "images").iterdir():
        if picture.stem in set(rows["ImageId"]):
            shutil.copy(picture, small / "shandong" / "images")
    googlenet = shared / "weights" / "bvlc_googlenet.caffemodel"
    given = []
    for command in blocks(ROOT / "docs" / "papers.md"):
        if "--small" in command:
            command = command.replace("GoogLeNet:FILE", f"GoogLeNet:{googlenet}")
            command = command.replace("$SHARED/data", str(small)) + " --input_size 32 --epochs 1"
            command += " --only ResNet50" * (
                "sabatelli2018" in command
            )  # InceptionV3 needs 75 pixels
            command = re.sub(
                r"sabatelli2018( table3)? --small", "sabatelli2018 figure2 --small", command
            )
        if "collections" not in command and command not in given:
            given.append(command)
            command = command.replace("./job.sh", f"{ROOT}/job.sh")
            shell(f"export SHARED={shared}\n{command}", tmp_path)
    out = tmp_path / "results" / "papers" / "sabatelli2018"
    told = (ROOT / "docs" / "papers.md").read_text(encoding="utf-8")
    names = re.findall(r"^\| `(\w+\.\w+)` \|", told, flags=re.M)
    made = [name.replace("table3", "figure2") for name in names]
    missing = [name for name in made if not list(out.glob(f"*/{name}"))]
    assert missing == ["findings.md"]  # see tests/papers/test_main.py
