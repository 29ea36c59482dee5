"""Command: optimized images of a layer's channels (Olah et al. 2017; Gonthier et al. 2020).

python -m visualization.render MODEL --layer L --channels 52,60-63|all --out DIR
"""

import argparse
import os
import sys
from pathlib import Path

from models import backend, graph
from models.command import exit_code
from transfer import folders, identities
from visualization import comparison, figures, records, rendering
from visualization.progress import Progress


def flags():
    """The command's flags."""
    parser = argparse.ArgumentParser(
        prog="python -m visualization.render", description=__doc__.splitlines()[0]
    )
    parser.add_argument("model", help="as models.load takes it, e.g. VGG19:imagenet or FILE.keras")
    parser.add_argument("--layer", required=True, help="python -m models MODEL lists them")
    parser.add_argument("--channels", required=True, help="e.g. 52,60-63, or all")
    parser.add_argument("--out", required=True, type=Path, help="folder of the results")
    parser.add_argument("--steps", type=int, default=2048, help="of ascent; default 2048")
    parser.add_argument("--size", type=int, default=224, help="pixels; default 224")
    parser.add_argument("--batch", type=int, help="images at a time; default: what memory holds")
    parser.add_argument("--dtype", choices=graph.PRECISIONS, default="float32")
    parser.add_argument("--seed", type=int, default=0, help="0 to 2147483647; default 0")
    parser.add_argument("--param", choices=list(rendering.PARAMS), default="fft")
    parser.add_argument("--pictures", nargs="*", default=[], help="to compare scores with")
    parser.add_argument("--spectrum", nargs="*", default=[], help="pictures, for --param maco")
    return parser


@exit_code
def main(argv=None):
    """Run the command; returns its exit code."""
    arguments = flags().parse_args(argv)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow's own start-up notes
    backend.keep_pipeline_on_cpu()
    print(f"device: {backend.device_name()}", flush=True)
    if backend.device_warning():
        print(backend.device_warning(), flush=True)
    run(arguments)


def run(arguments):
    """Optimize the images that are not there yet and write the folder, or find it finished."""
    pictures = comparison.given(arguments.pictures)
    job = rendering.job(arguments)
    out = arguments.out.resolve()  # also of `.` and of a link to a folder
    with folders.locked(out):
        finished = identities.finished(out, job.identity)
        if finished and (pictures is None or pictures.were_compared(out)):
            identities.unsign(out)
            print(f"already finished: {arguments.out}")
            return
        identities.forget_other_run(out, job.identity, "*.png")
        best = best_pictures(job, pictures)
        if finished:
            print("the images are finished: comparing them with these pictures, no new ascent")
            identities.reopen(out, job.identity)
        with folders.whole(out, resume=True) as partial:
            identities.sign(partial, job.identity)
            optimize(job, partial, best)
            finish(job, partial, pictures, best)
        identities.unsign(out)
    print(f"results in {arguments.out}")


def best_pictures(job, pictures):
    """Highest score of every channel over the user's pictures, or None without pictures."""
    if pictures is None:
        return None
    print(f"scoring {len(pictures.files)} pictures", flush=True)
    return comparison.best_pictures(job, pictures.files)


def optimize(job, partial, best):
    """Write a PNG and a JSON for each channel that has none yet."""
    left = [channel for channel in job.channels if not job.json_file(partial, channel).exists()]
    if len(left) < len(job.channels):
        print(f"going on: {len(job.channels) - len(left)} of {len(job.channels)} channels are done")
    progress = Progress(len(left), job.steps)
    for rendered in rendering.rendered(job, left, progress):
        # the JSON last: a channel that has one is done
        folders.write_bytes(job.png_file(partial, rendered.channel), figures.png(rendered.image))
        record = records.compared(records.record(rendered), best)
        folders.write_json(job.json_file(partial, rendered.channel), record)
        progress.done(records.line(record))


def finish(job, partial, pictures, best):
    """Compare every channel with the same pictures; write contact sheet, scores and manifest."""
    found = []
    for channel in job.channels:
        file = job.json_file(partial, channel)
        before = folders.read_json(file)
        found.append(records.compared(before, best))
        if found[-1] != before:  # made before an interruption, with other pictures or none
            folders.write_json(file, found[-1])
    tiles = [(job.png_file(partial, r["channel"]), records.caption(r)) for r in found]
    folders.write_bytes(partial / "contact_sheet.png", figures.contact_sheet(tiles))
    folders.write_text(partial / "scores.csv", records.table(found))
    path = partial / "manifest.json"
    # of finished images that are compared anew, the manifest goes on to say how they were made
    made = folders.read_json(path) if path.exists() else _manifest(job)
    folders.write_json(path, made | {"pictures": pictures and pictures.about})
    print(records.summary(found))


def _manifest(job):
    return folders.manifest(identity=job.identity, device=backend.device_name(), batch=job.batch)


if __name__ == "__main__":
    sys.exit(main())
