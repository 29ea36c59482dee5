"""The rules of docs/design.md that a program can read off the source, each tried on a bad tree.

A rule is a function (root of a tree) -> list of what breaks it, as text.
"""

import ast
import fnmatch
import importlib.metadata
import io
import re
import sys
import tokenize
from itertools import combinations
from pathlib import Path

import pytest
import vulture

from models import zoo
from visualization.saliency.methods import METHODS

ROOT = Path(__file__).parents[1]
ORDER = ["models", "transfer", "visualization", "papers"]  # each imports those before it
APART = ["toy", "benchmarks"]  # import others; nothing imports them
PACKAGES = [*ORDER, *APART]
PLOTTING = {
    "transfer/plots.py",
    "visualization/figures.py",
    "visualization/paper_figures.py",
}
SHARED_FLAGS = "transfer/flags.py"  # those that several commands have
LONGEST = 40  # lines of code of a function
DRIVERS = "benchmarks/peers/"  # run in environments of their own, with packages of their own


def sources(root, packages=PACKAGES):
    """Paths of the Python files of packages."""
    return [path for package in packages for path in sorted((root / package).rglob("*.py"))]


def named(root, path):
    """A file's path in its tree."""
    return path.relative_to(root).as_posix()


def parsed(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(root, path):
    """Names that a file imports, absolute, with `from a import b` as a.b."""
    package = path.relative_to(root).parent.parts
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{base}.{alias.name}" for alias in node.names)


def is_command(path):
    """Whether a module has a `main`."""
    return any(isinstance(n, ast.FunctionDef) and n.name == "main" for n in parsed(path).body)


def wrong_arrows(root):
    """Imports against the order of packages, or of what nothing imports."""
    for path in sources(root):
        own = named(root, path).split("/")[0]
        below = ORDER[: ORDER.index(own)] if own in ORDER else ORDER
        for name in imported(root, path):
            package = name.split(".")[0]
            if package in PACKAGES and package != own and package not in below:
                yield f"{named(root, path)} imports {name}"


def circles(root):
    """Modules of a package that import one another in a circle, also within functions."""
    modules = {
        named(root, path).removesuffix(".py").replace("/", "."): path for path in sources(root)
    }
    graph = {}
    for module, path in modules.items():
        names = [*imported(root, path)]
        # `from a import b` is a.b: the module b of a, or something in the module a
        reached = {name if name in modules else name.rpartition(".")[0] for name in names}
        graph[module] = (reached & modules.keys()) - {module}
    while leaves := [module for module, reached in graph.items() if not reached & graph.keys()]:
        for module in leaves:
            del graph[module]
    yield from (f"{module} in a circle or above one" for module in graph)


def imported_commands(root):
    """Imports of a module that has a main."""
    commands = {
        named(root, path).removesuffix(".py").replace("/", ".")
        for path in sources(root)
        if is_command(path)
    }
    for path in sources(root):
        for name in imported(root, path):
            for command in commands:
                if name == command or name.startswith(f"{command}."):
                    yield f"{named(root, path)} imports {command}"


def flags_below_commands(root):
    """Parsers, sys.argv and names of flags in modules without a main, but for SHARED_FLAGS.

    Not of benchmarks, where benchmarks.compare is the command of all scripts. A recipe states its
    command in its docstring.
    """
    for path in sources(root, [package for package in PACKAGES if package != "benchmarks"]):
        if is_command(path) or named(root, path) == SHARED_FLAGS:
            continue
        if any(name.split(".")[0] == "argparse" for name in imported(root, path)):
            yield f"{named(root, path)} imports argparse"
        tree = parsed(path)
        stated = tree.body[0].value if path.parent.name == "recipes" else None
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and ast.unparse(node) == "sys.argv":
                yield f"{named(root, path)}:{node.lineno} reads sys.argv"
            elif node is stated:
                continue
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                for flag in re.findall(r"(?<![\w-])--[a-zA-Z]\w*", node.value):
                    yield f"{named(root, path)}:{node.lineno} names {flag}"


def plots_elsewhere(root):
    """Imports of matplotlib in other files than those that draw."""
    for path in sources(root):
        roots = {name.split(".")[0] for name in imported(root, path)}
        if "matplotlib" in roots and named(root, path) not in PLOTTING:
            yield f"{named(root, path)} imports matplotlib"


def shared_stems(root):
    """Two modules of a folder whose names are one word in two forms.

    Names are compared word by word (`result_folder` has two, `results` one, so these differ).
    Words are one where their stems are, or where these begin with the same three letters and have
    the same consonants (tables, tabulate).
    """
    folders = {path.parent for path in sources(root)}
    for folder in sorted(folders):
        modules = sorted(path.stem for path in folder.glob("*.py") if path.stem[0] != "_")
        for a, b in combinations(modules, 2):
            pairs = list(zip(a.split("_"), b.split("_"), strict=False))
            if a.count("_") == b.count("_") and all(same_word(*pair) for pair in pairs):
                yield f"{named(root, folder)}: {a}, {b}"


def same_word(a, b):
    """Whether two words are forms of one."""
    if not a.isalpha() or not b.isalpha():
        return a == b
    a, b = stem(a), stem(b)
    return a == b or (a[:3] == b[:3] and consonants(a) == consonants(b))


def stem(word):
    """A word without its endings: storing, store -> stor; splitting, splits -> split."""
    endings = "ations ation ings ing ions ion ers er ors or ates ate ed es s e y"
    for ending in endings.split():
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            short = word.removesuffix(ending)
            return stem(short[:-1] if short[-1] == short[-2] else short)
    return word


def consonants(word):
    return re.sub("[aeiou]", "", word)


def long_functions(root):
    """Functions of more than LONGEST lines of code: docstring, comments, blanks do not count."""
    for path in sources(root):
        text = path.read_text(encoding="utf-8")
        code = lines_of_code(text)
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                count = len(code & set(range(node.lineno, node.end_lineno + 1)))
                if count > LONGEST:
                    yield f"{named(root, path)}:{node.lineno} {node.name} has {count} lines"


def lines_of_code(text):
    """Numbers of the lines that hold code."""
    layout = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
    lines = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in layout | {tokenize.ENDMARKER}:
            lines |= set(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            lines -= set(range(node.lineno, node.end_lineno + 1))  # a docstring
    return lines


def unused_code(root, allowed=()):
    """What packages define and never name; what only tests name is not used."""
    finder = vulture.Vulture(ignore_names=list(allowed))
    folders = [root / package for package in PACKAGES]
    finder.scavenge([str(folder) for folder in folders if folder.exists()])
    for item in finder.get_unused_code(min_confidence=60):
        yield f"{named(root, Path(item.filename).resolve())}:{item.first_lineno} {item.name}"


def undeclared_imports(root):
    """Imports of a package that pyproject.toml does not ask for."""
    tomllib = pytest.importorskip("tomllib")  # from Python 3.11 on
    with open(root / "pyproject.toml", "rb") as file:
        project = tomllib.load(file)["project"]
    extras = project.get("optional-dependencies", {})
    needed = distributions(project["dependencies"])
    for name, listed in extras.items():
        if name != "test":
            needed |= distributions(listed)
    tests = needed | distributions(extras.get("test", []))
    owners = importlib.metadata.packages_distributions()
    ours = {*PACKAGES, "tests", *sys.stdlib_module_names}
    for path in [*sources(root), *sources(root, ["tests"])]:
        if named(root, path).startswith(DRIVERS):
            continue
        accepted = tests if path.relative_to(root).parts[0] in ("tests", "benchmarks") else needed
        for name in sorted({name.split(".")[0] for name in imported(root, path)} - ours):
            if not accepted & {canonical(owner) for owner in owners.get(name, [name])}:
                yield f"{named(root, path)} imports {name}"


def distributions(requirements):
    """The names in a list of requirements."""
    return {canonical(re.match(r"[\w.-]+", requirement)[0]) for requirement in requirements}


def canonical(distribution):
    return re.sub("[-_.]+", "-", distribution).lower()


def modules_without_tests(root):
    """Modules whose tests/PACKAGE/test_MODULE.py is not there, and tests of no module.

    A module without a function holds data: it needs none, what reads it is tested.
    """
    expected = {
        root / "tests" / path.relative_to(root).parent / f"test_{path.stem.strip('_')}.py": path
        for path in sources(root)
        if path.stem != "__init__" and not is_driver(root, path)
    }
    for test, path in expected.items():
        if not test.exists() and any(
            isinstance(n, ast.FunctionDef) for n in ast.walk(parsed(path))
        ):
            yield f"{named(root, path)} has no {named(root, test)}"
    for package in PACKAGES:
        for test in sorted((root / "tests" / package).rglob("test_*.py")):
            if test not in expected:
                yield f"{named(root, test)} is the test of no module"


def files_not_on_the_map(root):
    """Files and folders of a package that docs/design.md does not name, or that are not there.

    A folder stands for what is in it; benchmarks have their own README.
    """
    page = (root / "docs" / "design.md").read_text(encoding="utf-8")
    package, listed = None, {}
    for row in re.findall(r"^\| (.*?) \|", page, flags=re.M):
        names = re.findall(r"`([\w./]+)`", row)
        if row.startswith("**") and names:
            package = names[0].strip("/")
            listed[package] = set()
        elif package:
            listed[package] |= {f"{package}/{name.strip('/')}" for name in names}
    for package in PACKAGES:
        if package not in listed and (root / package).exists():
            yield f"{package} is not on the map"
    for package in listed.keys() - {"benchmarks"}:
        there = {
            named(root, path)
            for path in (root / package).iterdir()
            if (path.suffix == ".py" or any(path.glob("*.py"))) and path.stem[0] != "_"
        }
        yield from sorted(f"{name} is not on the map" for name in there - listed[package])
        yield from sorted(f"{name} is not there" for name in listed[package] - there)


def is_driver(root, path):
    return named(root, path).startswith(DRIVERS) and path.stem != "serving"


RULES = [
    wrong_arrows,
    circles,
    imported_commands,
    flags_below_commands,
    plots_elsewhere,
    shared_stems,
    long_functions,
    unused_code,
    undeclared_imports,
    modules_without_tests,
    files_not_on_the_map,
]

# who names what the packages define and do not name
ALLOWED = {
    "Keras": "compute_loss compute_output_shape sample_weight on_* stop_training "
    "predict_function test_function train_function train_step test_step compute_metrics "
    "num_batches synchronized _maybe_symbolic_build",
    "argparse, protobuf, tf.data, __exit__": "formatter_class packed enabled traceback",
    "Lucid, in benchmarks/peers": "graph_def image_value_range input_name",
    "users: docs": "crop_or_pad_to collapse_alpha_random AUXILIARY_LOSS_WEIGHT",
    "readers of JSON and CSV": "best_picture",
}
NEVER_NAMED = [name for names in ALLOWED.values() for name in names.split()]
# what tables name by a string
BY_NAME = [*zoo.OWN, *zoo.RIJKS, *(method.file or method.name for method in METHODS.values())]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_tree_keeps(rule):
    allowed = {"allowed": NEVER_NAMED + BY_NAME} if rule is unused_code else {}
    assert list(rule(ROOT, **allowed)) == []


def test_every_name_that_is_allowed_is_needed():
    unused = {line.split()[1] for line in unused_code(ROOT)}
    for name in NEVER_NAMED:
        assert any(fnmatch.fnmatch(other, name) for other in unused), name


# ---- the rules on trees that break them


@pytest.fixture
def tree(tmp_path):
    """Return write(files): a tree in tmp_path of these texts, and an empty pyproject.toml."""

    def write(files):
        project = '[project]\ndependencies = ["numpy>=2"]\n'
        project += "[project.optional-dependencies]\ntest = ['pytest']\njax = ['jax[cpu]']\n"
        (tmp_path / "pyproject.toml").write_text(project)
        for name, text in files.items():
            path = tmp_path / (f"{name}.py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path

    return write


def test_arrows(tree):
    root = tree(
        {
            "models/a": "from transfer import b\nimport visualization.c as c\n",
            "transfer/b": "import models.a\nfrom toy import d\n",
            "visualization/c": "import transfer.b, benchmarks\nfrom .deep import inner\n",
            "visualization/deep/inner": "from papers import e\nfrom ..c import thing\n",
            "papers/e": "import visualization.c\nimport numpy\n",
            "toy/d": "import transfer.b\nimport toy.other\n",
            "benchmarks/f": "import visualization.c\nimport toy.d\n",
        }
    )
    assert list(wrong_arrows(root)) == [
        "models/a.py imports transfer.b",
        "models/a.py imports visualization.c",
        "transfer/b.py imports toy.d",
        "visualization/c.py imports benchmarks",
        "visualization/deep/inner.py imports papers.e",
        "benchmarks/f.py imports toy.d",
    ]


def test_circles(tree):
    root = tree(
        {
            "models/a": "from models import b\n",
            "models/b": "def f():\n    from models.c import thing\n",
            "models/c": "import models.a\n",
            "models/d": "import models.e\n",
            "models/e": "import numpy\n",
        }
    )
    expected = [f"models.{name} in a circle or above one" for name in "abc"]
    assert list(circles(root)) == expected


def test_commands_are_not_imported(tree):
    root = tree(
        {
            "transfer/tables": "def main(argv=None):\n    pass\n",
            "transfer/a": "from transfer import tables\n",
            "transfer/b": "def inner():\n    from transfer.tables import main\n",
            "transfer/c": "from transfer import tables_of\nimport transfer\n",
        }
    )
    assert list(imported_commands(root)) == [
        "transfer/a.py imports transfer.tables",
        "transfer/b.py imports transfer.tables",
    ]


def test_flags(tree):
    root = tree(
        {
            "models/command": "import argparse, sys\ndef main():\n    sys.argv\n    '--ANN'\n",
            "models/a": "import argparse\n",
            "models/b": "import sys\nwords = sys.argv\nold = sys.orig_argv\n",
            "models/c": "def f(x):\n    raise ValueError(f'--epochs is {x}')\n",
            "models/d": '"""A dash -- or two---and a rule --- is no flag."""\n',
            "models/e": 'def f():\n    """As --size says."""\n',
        }
    )
    assert list(flags_below_commands(root)) == [
        "models/a.py imports argparse",
        "models/b.py:2 reads sys.argv",
        "models/c.py:2 names --epochs",
        "models/e.py:2 names --size",
    ]


def test_plots(tree):
    root = tree(
        {
            "transfer/plots": "from matplotlib.figure import Figure\n",
            "transfer/results": "def f():\n    import matplotlib.pyplot as plt\n",
        }
    )
    assert list(plots_elsewhere(root)) == ["transfer/results.py imports matplotlib"]


def test_map(tree):
    root = tree({"transfer/a": "", "transfer/b": "", "transfer/c/d": "", "toy/__main__": ""})
    (root / "docs").mkdir()
    page = "| **`transfer/`** | `x.py` |\n| `a.py`, `gone.py`, `c/` | things |\n| **`toy/`** | |\n"
    (root / "docs" / "design.md").write_text(page)
    (root / "models").mkdir()
    assert list(files_not_on_the_map(root)) == [
        "models is not on the map",
        "transfer/b.py is not on the map",
        "transfer/gone.py is not there",
    ]


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("store", "storing"),
        ("table", "tables"),
        ("tables", "tabulate"),
        ("render", "rendering"),
        ("split", "splits"),
        ("split", "splitting"),
        ("picture_file", "pictures_files"),
        ("train", "trainer"),
        ("evaluate", "evaluation"),
    ],
)
def test_twins(tree, a, b):
    root = tree({f"transfer/{a}": "", f"transfer/{b}": "", f"models/{a}": ""})
    assert list(shared_stems(root)) == [f"transfer: {a}, {b}"]


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("caffe_layers", "caffenet"),
        ("result_folder", "results"),
        ("keras3", "keras_hdf5"),
        ("grad_cam", "gradient"),
        ("run", "runtime"),
        ("metadata", "metrics"),
        ("__init__", "__main__"),
    ],
)
def test_no_twins(tree, a, b):
    assert not list(shared_stems(tree({f"transfer/{a}": "", f"transfer/{b}": ""})))


def test_lengths(tree):
    body = '    """Of two\n    lines."""\n\n    # why\n' + "    x = (1,\n\n         2)\n" * 19
    root = tree(
        {"models/a": f"def right():\n{body}    return x\n\n\ndef wrong():\n{body}    x\n    x\n"}
    )
    assert list(long_functions(root)) == ["models/a.py:66 wrong has 41 lines"]


def test_unused(tree):
    root = tree(
        {
            "models/a": "def used():\n    pass\n\n\ndef unused():\n    pass\n",
            "models/b": "from models.a import used\n\nused()\n",
            "tests/models/test_a": "from models.a import unused\n\nunused()\n",
        }
    )
    assert list(unused_code(root)) == ["models/a.py:5 unused"]
    assert not list(unused_code(root, ["unused"]))


def test_declarations(tree):
    root = tree(
        {
            "models/a": "import sys\nimport numpy\nimport models.b\nfrom jax import numpy as jnp\n",
            "models/b": "import pytest\ndef f():\n    import PIL.Image, no_such_package\n",
            "benchmarks/peers/other": "import torch\n",
            "tests/test_a": "import pytest\nimport sklearn\nfrom google.protobuf import message\n",
        }
    )
    assert list(undeclared_imports(root)) == [
        "models/b.py imports PIL",
        "models/b.py imports no_such_package",
        "models/b.py imports pytest",
        "tests/test_a.py imports google",
        "tests/test_a.py imports sklearn",
    ]


def test_mirrors(tree):
    code = "def f():\n    pass\n"
    root = tree(
        {
            "transfer/a": code,
            "transfer/deep/b": code,
            "transfer/table": "TABLE = ()\n",
            "toy/__main__": code,
            "benchmarks/peers/lucid": code,
            "benchmarks/peers/serving": code,
            "tests/transfer/test_b": "",
            "tests/toy/test_main": "",
        }
    )
    assert list(modules_without_tests(root)) == [
        "transfer/a.py has no tests/transfer/test_a.py",
        "transfer/deep/b.py has no tests/transfer/deep/test_b.py",
        "benchmarks/peers/serving.py has no tests/benchmarks/peers/test_serving.py",
        "tests/transfer/test_b.py is the test of no module",
    ]
