"""Command: python -m models SPEC describes a network; python -m models convert IN OUT.keras."""

import argparse
import os
import sys

from models.errors import InputError, exit_code


@exit_code
def main(argv=None):
    """Run the command; returns its exit code."""
    words = sys.argv[1:] if argv is None else argv
    converting = words[:1] == ["convert"]
    parser = argparse.ArgumentParser(prog="python -m models", description=__doc__)
    if converting:
        parser.add_argument("convert", help="the word `convert`")
    parser.add_argument("spec", help="e.g. VGG19:imagenet, GoogLeNet:FILE.caffemodel, FILE.keras")
    if converting:
        parser.add_argument("out", help="a path that ends in .keras")
    parser.add_argument("--input_size", type=int, help="pixels; default: the network's own")
    given = parser.parse_args(words)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow's own start-up notes
    if converting:
        convert(given.spec, given.out, given.input_size)
    else:
        from models import describe

        print(describe(given.spec, given.input_size))


def convert(spec, out, size):
    """Open a network and write it as one .keras file, preprocessing and class names inside."""
    from models import load, saved

    if not out.endswith(".keras"):
        raise InputError(f"{out!r} must end in .keras")
    loaded = load(spec, size)
    about = {
        "classes": loaded.classes,
        "network": loaded.network,
        "pixels": loaded.preprocessing,
    }
    saved.save(loaded.model, out, about)
    print(f"wrote {out}")


if __name__ == "__main__":
    sys.exit(main())
