"""The commands that the README and docs/ give, run as a user would."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import pytest

from toy.collection import paint_collection

ROOT = Path(__file__).parents[1]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "toy" / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
]


def shell(command, cwd):
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run(
        ["bash", "-c", command], cwd=cwd, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def blocks(page):
    """Indented commands of a Markdown page, continued lines joined."""
    text = re.sub(r" \\\n +", " ", page.read_text(encoding="utf-8"))
    return re.findall(r"^    ((?:python|\./|git|for ).*)$", text, flags=re.M)


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


@pytest.mark.slow
def test_real_paintings_of_the_readme(shared, tmp_path):
    """The README's loop over the three modes, as written but for one epoch each."""
    page = PAGES[0].read_text(encoding="utf-8")
    (loop,) = re.findall(r"^    for mode in .*?^    done$", page, flags=re.M | re.S)
    loop = loop.replace("--results_path", "--epochs 1 --results_path")
    shell(f"export SHARED={shared}\n{loop}", tmp_path)
    runs = tmp_path / "results" / "rasta_small" / "style" / "MobileNet(alpha=0.25)"
    assert sorted(path.name for path in runs.iterdir() if path.name[0] != ".") == [
        "fine_tuning,epochs=1",
        "off_the_shelf,epochs=1",
        "random,epochs=1",
    ]


OPTIMIZED = ROOT / "docs" / "optimized_images.md"


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
def test_channels_of_the_docs(shared, tmp_path):
    """The page's loop over the modules and its sheet, as written but for 2 steps at 64 pixels."""
    page = OPTIMIZED.read_text(encoding="utf-8")
    (loop,) = re.findall(r"^    for layer in .*?^    done\n.*?$", page, flags=re.M | re.S)
    loop = loop.replace("--dtype", "--steps 2 --size 64 --dtype")
    shell(f"export SHARED={shared}\n{loop}", tmp_path)
    assert (tmp_path / "googlenet_channels.jpg").exists()


def test_script_of_the_docs(tmp_path):
    (script,) = re.findall(r"```python\n(.*?)```", OPTIMIZED.read_text(encoding="utf-8"), re.S)
    (tmp_path / "script.py").write_text(script, encoding="utf-8")
    assert "(2, 64, 64, 3)" in shell("python script.py", tmp_path)


@pytest.mark.slow
def test_saliency_of_the_docs(shared, tmp_path):
    """The page's commands as written, but for fewer samples and one picture in the check."""
    plain, paintings, check = blocks(ROOT / "docs" / "saliency.md")
    script = f"{ROOT}/visualization/deep_viz.py"
    check = check.replace("--samples 16 --check 4", "--samples 2 --check 1")
    for command in (plain, paintings, check):
        command = command.replace("visualization/deep_viz.py", script)
        shell(f"export SHARED={shared}\n{command}", tmp_path)
    for name in ("results/deep_viz.png", "paintings.png", "methods.png", "methods_check.png"):
        assert (tmp_path / name).exists(), name


@pytest.mark.slow
def test_shipped_network_of_the_toys_page(tmp_path):
    """How the fine-tuned network was made: as written, but for one epoch."""
    weights = "toy/mobilenet_0.25_64_nature.weights.h5"
    (tmp_path / "toy").mkdir()
    shutil.copy(ROOT / weights, tmp_path / weights)
    _, paint, experiment, convert = blocks(ROOT / "toy" / "README.md")
    convert = convert.replace("/fine_tuning/", "/fine_tuning,epochs=1/")
    shell(f"{paint} && {experiment} --epochs 1 && {convert}", tmp_path)
    assert (tmp_path / "toy" / "mobilenet_0.25_64_toy_artist.keras").exists()


@pytest.mark.slow
def test_job_sh_edited_as_a_user_would(tmp_path):
    """The three modes of the toy collection; one epoch each to save time."""
    script = (ROOT / "job.sh").read_text(encoding="utf-8")
    script = script.replace("options=()", "options=(--epochs 1)")
    script = script.replace('weights="toy/', f'weights="{ROOT}/toy/')
    (tmp_path / "job.sh").write_text(script, encoding="utf-8")
    printed = shell("bash job.sh", tmp_path)
    assert "## toy: artist (toy collection)" in printed
    runs = tmp_path / "results" / "toy" / "artist" / "MobileNet(alpha=0.25)"
    for mode in ("off_the_shelf", "fine_tuning", "random"):
        assert (runs / f"{mode},epochs=1" / "metrics.json").exists()
    assert (tmp_path / "results" / "tables" / "toy_artist_learning_curves.png").exists()
    assert "already finished" in shell("bash job.sh", tmp_path)


@pytest.mark.slow
def test_job_sh_from_scratch_alone(tmp_path):
    script = (ROOT / "job.sh").read_text(encoding="utf-8")
    script = re.sub("^tl_mode=.*", 'tl_mode="random"', script, flags=re.M)
    (tmp_path / "job.sh").write_text(script.replace("options=()", "options=(--epochs 1)"))
    assert "random (scratch)" in shell("bash job.sh", tmp_path)


def test_job_sh_keeps_the_released_variables_and_slurm_lines():
    script = (ROOT / "job.sh").read_text(encoding="utf-8")
    released = "dataset_name metadata_path jpg_images_path results_path datasets_path tl_mode"
    for variable in released.split():
        assert re.search(rf'^{variable}="', script, flags=re.M)
    for line in ("--nodes=1", "--gres=gpu:1", "--time=24:00:00", "--mem=50G"):
        assert f"#SBATCH {line}" in script


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_flags_named_in_the_pages_exist(page):
    from transfer import experiment
    from visualization import deep_viz, render, sheet

    actions = [a for c in (experiment, render, deep_viz, sheet) for a in c.flags()._actions]
    known = {option for action in actions for option in action.option_strings}
    known |= {"--mode", "--count", "--help", "--quick"}  # --quick: of every benchmark
    text = page.read_text(encoding="utf-8")
    assert set(re.findall(r"(?<![\w-])--[a-zA-Z_]\w*", text)) <= known


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_of_the_pages_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


def test_every_command_of_the_pages_is_known_here():
    """A new command in a page must get a test: this list is what the tests above run."""
    tested = (
        "python -m transfer.experiment --dataset_name mymuseum",
        "python -m transfer.tables results",
        "python -m visualization.render GoogLeNet",  # test_optimized_images_of_the_docs
        "python -m visualization.sheet",  # test_channels_of_the_docs
        "for layer in mixed3a",  # the same
        "python3 -m venv",  # .ci/run
        "python visualization/deep_viz.py",  # test_saliency_of_the_docs
        "for mode in off_the_shelf",  # test_real_paintings_of_the_readme
        "python -m toy paint",  # test_shipped_network_of_the_toys_page
        "python -m transfer.experiment --dataset_name toy",  # the same
        "python -m models convert",  # the same
        "python -m toy pretrain",  # tests/toy/test_main.py, smaller
    )
    for page in PAGES:
        for command in blocks(page):
            assert shlex.split(command, comments=True) and command.startswith(tested), command
