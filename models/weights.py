"""Weights from a source, `imagenet`, `none` or a file, into a network: all of it or an error.

And what a network or a file of weights is, whatever file it came in: fingerprint(), identify().
"""

import contextlib
import difflib
import hashlib
import importlib
import json
import os
import re
import shutil
import tempfile
import warnings
import zipfile
from collections import Counter
from pathlib import Path

from models import downloads
from models.errors import InputError

# the importers are imported where a file is read: a mistyped name is told without h5py and numpy

# file ending -> kind of file, where its first bytes do not tell
ENDINGS = {".caffemodel": "caffe", ".pb": "tf_graph", ".h5": "hdf5", ".hdf5": "hdf5"}
ENDINGS[".keras"] = "keras"
# first bytes -> kind of file (zip: APPNOTE.TXT 4.3.7; HDF5: file format specification, II.A)
STARTS = {b"PK\x03\x04": "keras", b"\x89HDF\r\n\x1a\n": "hdf5"}
SHOWN = 5  # names that an error lists
IMAGENET, NONE = "imagenet", "none"
IMAGENET_CLASSES = 1000
# of a description of layers: what differs between two savings of one network, from one place of
# its classes in the code to another, or with its training
PASSING = {"shared_object_id", "build_config", "compile_config", "module"}
# and what makes no difference to the outputs of a network that is not being trained
OF_TRAINING = {"trainable", "momentum"}
BLOCK = 1 << 20  # bytes read at once
TRAINED_ON = "trained_on"  # in that member: which pictures a network was trained on
AUGMENTATION = "augmentation"  # and how training changed them, which a test has to know
METADATA = "metadata.json"  # the member of a `.keras` zip in which Keras says its version
OLDEST = 3  # first version of Keras whose `.keras` files are opened
ABOUT = "art_transfer.json"  # the member of a `.keras` zip beside Keras's own, which it passes over


def check_source(source):
    """Read the word that says where weights come from; no file is opened, Keras not imported.

    Args:
        source: `imagenet`, `none` or None (random weights), or the path of a weights file.

    Returns:
        `imagenet`, None for random weights, or the path as a pathlib.Path.

    Raises:
        InputError: no such file.
    """
    if source is None or str(source) == NONE:
        return None
    if str(source) == IMAGENET:
        return IMAGENET
    if not Path(source).is_file():
        near = _nearest(Path(source))
        hint = f" (did you mean {near}?)" if near else ""
        raise InputError(
            f"no weights file {source}{hint}; accepted: imagenet, none, or a file's path"
        )
    return Path(source)


def _nearest(path):
    """A file beside a missing one with nearly its name, or a word for weights; None without."""
    words = difflib.get_close_matches(str(path).lower(), (IMAGENET, NONE), 1, 0.8)
    try:
        names = os.listdir(path.parent)
    except OSError:  # no such folder
        names = []
    files = difflib.get_close_matches(path.name, names, 1, 0.8)
    return words[0] if words else str(path.with_name(files[0])) if files else None


def load(model, spec, size, source):
    """Fill a network, with its top or without, from a source of weights.

    Args:
        model: keras.Model from models.zoo.trunk or with_top, through as_built().
        spec: models.zoo.Spec.
        size: input side in pixels.
        source: `imagenet`, or the path of a file, told by its content: Keras's `.keras` (its
            trunk is taken, its head left), HDF5 as Keras 1, 2 or 3 wrote it, with the network's
            top or without, Caffe's `.caffemodel`, or `.pb` (TensorFlow graph).

    Returns:
        models.importers.fill.Report.

    Raises:
        InputError: no such file, not a weights file, one that does not fit, or weights that are
            not finite.
    """
    source = check_source(source)
    if source is None:
        raise InputError("weights is none; accepted: imagenet, or a file's path")
    if source == IMAGENET:
        return _copy(_imagenet(model, spec, size), model, source)
    importer = _importer(source)
    if importer:
        report = importer.load(source, model)
    elif is_keras(source):
        report = _copy(saved(source), model, source)
    else:
        report = _copy(_from_keras3(spec, size, source), model, source)
    _check_finite(model, source)
    return report


def is_keras(source):
    """Whether a source of weights is a `.keras` file, whatever it is called."""
    source = check_source(source)
    return source not in (None, IMAGENET) and _kind(source) == "keras"


def as_built(model, source):
    """Rebuild a network as the program that wrote a source of weights built it.

    Args:
        model: keras.Model that is to be filled.
        source: as in load.

    Returns:
        The model itself or, for ResNet50 in files of old Keras versions, another
        (models.importers.keras_hdf5.as_built).

    Raises:
        InputError: no such file, or not a weights file.
    """
    source = check_source(source)
    importer = None if source in (None, IMAGENET) else _importer(source)
    return importer.as_built(source, model) if hasattr(importer, "as_built") else model


def classes(spec, source):
    """Read how many classes the top has that a source of weights fills.

    Returns:
        int; None for `none`, for a file without the network's top, and for a file of a network
        that holds this one, of which load() takes the trunk (a `.keras` file, whatever it holds).
    """
    source = check_source(source)
    if source is None:
        return None
    if source == IMAGENET:
        return IMAGENET_CLASSES
    importer = _importer(source)
    if importer:
        return importer.classes(source)
    if is_keras(source):
        return None
    from models.importers import keras3

    full = spec.construct(weights=None)
    return _width(source, full) if keras3.arrays(source) == len(full.weights) else None


def _width(path, full):
    """How many classes the top has in a Keras 3 weights file of a network, `full` at ImageNet's.

    Told by the arrays that the network does not have: its top's, but for their last axis. Not by
    names of layers, which the first versions of Keras 3, and Keras 2, left out of these files.
    """
    from models.importers import hdf5, keras3

    with hdf5.opened(path) as file:
        theirs = Counter(file.shape(file.root, array) for array in keras3.weight_paths(file))
    ours = Counter(tuple(weight.shape) for weight in full.weights)
    other, missing = theirs - ours, ours - theirs
    widths = {shape[-1] for shape in other if shape}
    starts = [Counter(shape[:-1] for shape in shapes.elements()) for shapes in (other, missing)]
    return widths.pop() if len(widths) == 1 and starts[0] == starts[1] else IMAGENET_CLASSES


def has_top(model, source):
    """Tell whether a source of weights holds a network's own top, which classes() read.

    Args:
        model: keras.Model with its top, through as_built().
        source: as in load.

    Returns:
        False for an HDF5 file with a head of another's making, of which load() fills the network
        without its top.
    """
    source = check_source(source)
    importer = None if source in (None, IMAGENET) else _importer(source)
    return importer.has_top(source, model) if hasattr(importer, "has_top") else True


def top_layer(source, among=()):
    """The name of the layer that gives the classes in a file of weights.

    Args:
        source: as in check_source.
        among: names that it may have; Keras 3's weights name their layers in no order, so that of
            them only one of these is found.

    Returns:
        Text; None for sources that do not tell.
    """
    source = check_source(source)
    if source in (None, IMAGENET):
        return None
    if importer := _importer(source):
        return importer.top_layer(source) if hasattr(importer, "top_layer") else None
    if is_keras(source):
        return None
    from models.importers import keras3

    return next(iter(sorted(keras3.layer_names(source).intersection(among))), None)


def saved(path):
    """Open a `.keras` file in safe mode (nothing in it is executed)."""
    import keras

    # registers the layers of our own that a file may hold
    from models import caffe_layers, inception_v1  # noqa: F401
    from models.importers import keras3

    keras3.check(path)
    check_version(path)
    try:
        with _named(path, ".keras") as named:
            model = keras.models.load_model(named, compile=False, safe_mode=True)
    # whatever Keras, or a layer that it builds, finds wrong in a file made by others
    except Exception as error:
        raise InputError(f"{path} is not a readable .keras model: {error}") from error
    if not getattr(model, "inputs", None):  # of a Sequential that was never built, it raises
        raise InputError(f"{path} holds a {type(model).__name__} that has no inputs yet")
    _check_finite(model, path)
    return model


def check_version(path):
    """Refuse a `.keras` file of Keras 2, which Keras 3 does not open; read without Keras.

    Raises:
        InputError: it is one; no such file, or not a `.keras` model.
    """
    from models.importers import keras3

    with keras3.opened_zip(path) as archive:
        described = json.loads(archive.read(METADATA)) if METADATA in archive.namelist() else {}
    version = str(described.get("keras_version", "")) if isinstance(described, dict) else ""
    major = version.partition(".")[0]
    if major.isdecimal() and int(major) < OLDEST:
        raise InputError(
            f"{path} was saved by Keras {version}, whose .keras files Keras 3 does not open: "
            "there, model.save('own.h5'), then NAME:own.h5"
        )


def save(model, path, about):
    """Write a `.keras` file with what is known of the network beside it, whole or absent.

    Args:
        model: keras.Model.
        path: of the file; it opens with keras.models.load_model too.
        about: dict that JSON can hold.

    Raises:
        InputError: a path with another ending, by which Keras would write another kind of file, or
            in no folder.
    """
    path = Path(path)
    if path.suffix != ".keras":
        raise InputError(f"{str(path)!r} must end in .keras")
    if not path.parent.is_dir():
        raise InputError(f"no folder {path.parent} to write into")
    temporary = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        model.save(temporary)
        with zipfile.ZipFile(temporary, "a") as archive:
            archive.writestr(ABOUT, json.dumps(about, ensure_ascii=False, indent=2))
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def read_about(path):
    """Read what save() wrote beside a model.

    Returns:
        dict; {} for a file of another origin.

    Raises:
        InputError: no such file, or not a `.keras` model.
    """
    from models.importers import keras3

    with keras3.opened_zip(path) as archive:
        if ABOUT not in archive.namelist():
            return {}
        about = json.loads(archive.read(ABOUT))
        if not isinstance(about, dict):
            raise ValueError(f"its member {ABOUT} holds no object")
        known = {key: value for key, value in about.items() if value is not None}
        classes = known.get("classes", [])
        if not isinstance(classes, list):
            raise ValueError(f"its member {ABOUT} has no list of classes")
        words = [known.get(key, "") for key in ("network", "pixels", AUGMENTATION)]
        names = [*words, *classes]
        if not all(isinstance(name, str) for name in names):
            raise ValueError(f"its member {ABOUT} has a name that is no text")
        return about


def trained_on(source):
    """Read which pictures weights were trained on here, as models.network.save wrote it.

    Returns:
        Text; "" for weights that were not trained here, None for a file that was and does not say.
    """
    if not is_keras(source):
        return ""
    about = read_about(source)
    return about.get(TRAINED_ON, None if "network" in about else "")


def augmentation_of(source):
    """Read how training changed pictures, as models.network.save wrote it.

    Returns:
        Text; None where the file does not say, and of weights that are no `.keras` file.
    """
    return read_about(source).get(AUGMENTATION) if is_keras(source) else None


def read_description(path):
    """Read how a `.keras` file describes its layers, without Keras; what json.loads gives.

    Raises:
        InputError: no such file, or not a `.keras` model.
    """
    from models.importers import keras3

    with keras3.opened_zip(path) as archive:
        try:
            return json.loads(archive.read(keras3.CONFIG))
        except RecursionError as error:
            raise ValueError("its description is nested too deeply") from error


def layer_kinds(source):
    """Read the kinds of the layers of a saved network, those of networks inside it too, in order.

    Args:
        source: as in check_source.

    Returns:
        list of names of Keras's classes; [] for a source that describes no layers, as weights
        alone.
    """
    source = check_source(source)
    if source in (None, IMAGENET):
        return []
    if is_keras(source):
        return list(_kinds_in(read_description(source)))
    importer = _importer(source)
    if not hasattr(importer, "contents"):
        return []
    with importer.contents(source) as (description, _):
        try:
            return list(_kinds_in(json.loads(description or "null")))
        except (ValueError, RecursionError) as error:
            raise InputError(f"{source} describes no layers that can be read: {error}") from error


def _kinds_in(description):
    config = description.get("config") if isinstance(description, dict) else None
    layers = config.get("layers") if isinstance(config, dict) else None
    for layer in layers if isinstance(layers, list) else ():
        if isinstance(layer, dict) and isinstance(layer.get("class_name"), str):
            yield layer["class_name"]
        yield from _kinds_in(layer)


def check_layer(path, layer):
    """Refuse a layer's name that a `.keras` file does not hold, without Keras.

    Args:
        path: of the file.
        layer: name or path of names, as models.graph.find_layer takes it.

    Raises:
        InputError: naming those near it; no such file.
    """
    names = list(_names_in(read_description(path)))
    name = layer.removesuffix(":0").rpartition("/")[2]
    if names and name not in names:
        near = difflib.get_close_matches(name, names, 3)
        hint = f"near it: {', '.join(near)}" if near else f"the last: {names[-1]}"
        raise InputError(f"{path} has no layer {layer!r} among its {len(names)}; {hint}")


def _names_in(description):
    """Every name of a layer in the description of a network, those of networks inside it too."""
    config = description.get("config") if isinstance(description, dict) else None
    layers = config.get("layers") if isinstance(config, dict) else None
    for layer in layers if isinstance(layers, list) else ():
        own = layer.get("config") if isinstance(layer, dict) else None
        if isinstance(own, dict) and isinstance(own.get("name"), str):
            yield own["name"]
        yield from _names_in(layer)


def fingerprint(model, trained=True):
    """Return what a network is, as a SHA-256: its layers, and its weights' names and values.

    The same for a network and for what any `.keras` file of it opens as, in any process. Layers
    without a name count by their order, not by the numbers that Keras gives them in a process.
    Whether and how a network was compiled does not count.

    Args:
        model: keras.Model.
        trained: whether what decides how it would be trained on counts too; without it, networks
            with the same outputs are the same.
    """
    import keras

    passing = PASSING if trained else PASSING | OF_TRAINING
    described = keras.saving.serialize_keras_object(model)
    description, names = _architecture(described, passing)
    digest = hashlib.sha256(description)
    for layer in model.layers:
        for number, variable in enumerate(layer.weights):
            name = f"{names.get(layer.name, layer.name)}/{number}/{variable.name}"
            _add(digest, name, keras.ops.convert_to_numpy(variable))
    return digest.hexdigest()


def identify(source):
    """Return what a source of weights is, read without Keras and TensorFlow.

    Two files of Keras are the same that hold the same layers (where the file describes them) and
    arrays, whenever and by whatever program they were packed. An optimizer's state does not count.
    It is not fingerprint() of the network, which is also another where preprocessing was added.

    Args:
        source: as in check_source.

    Returns:
        SHA-256 in hexadecimal: for files of Keras, `.keras` and `.h5`, of what is in them, for all
        others of their bytes. `imagenet` and `none` stand for themselves.

    Raises:
        InputError: no such file, or a file of Keras that is damaged.
    """
    source = check_source(source)
    if source in (None, IMAGENET):
        return source or NONE
    from models.importers import keras3

    importer = _importer(source) or keras3
    if not hasattr(importer, "contents"):
        digest = hashlib.sha256()
        with open(source, "rb") as file:
            while block := file.read(BLOCK):
                digest.update(block)
        return digest.hexdigest()
    with importer.contents(source) as (description, arrays):
        text, names = _described(source, description)
        digest = hashlib.sha256(text)
        for layer, variable, values in arrays:
            _add(digest, f"{names.get(layer, layer)}/{variable}", values)
    return digest.hexdigest()


def _described(path, description):
    """_architecture() of a file's own description, which may be missing (None) or damaged."""
    if description is None:
        return b"", {}
    try:
        return _architecture(json.loads(description))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} describes no layers that can be read: {error}") from error


def _architecture(description, passing=frozenset(PASSING)):
    """Return (a description of layers, bytes, the same in any process; dict name -> name there)."""
    names = {}
    _rename_numbered(description, names, {})
    lasting = _lasting(description, names, passing)
    return json.dumps(lasting, sort_keys=True).encode(), names


def _rename_numbered(node, names, counts):
    """Give the layers that Keras numbered (`conv2d_94`) a number by their order."""
    if isinstance(node, dict):
        kind, config = node.get("class_name"), node.get("config")
        name = config.get("name") if isinstance(config, dict) else None
        if isinstance(kind, str) and isinstance(name, str) and name not in names:
            # as Keras makes a name of a class
            stem = re.sub("([a-z])([A-Z])", r"\1_\2", re.sub("(.)([A-Z][a-z]+)", r"\1_\2", kind))
            stem = stem.lower()
            if re.fullmatch(rf"{re.escape(stem)}(_\d+)?", name):
                counts[stem] = counts.get(stem, 0) + 1
                names[name] = f"{stem} {counts[stem]}"  # a space: no name that a layer may have
    inner = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    for part in inner:
        _rename_numbered(part, names, counts)


def _lasting(node, names, passing):
    """Copy a description without what is passing, its layers by their new names."""
    if isinstance(node, dict):
        return {
            key: names.get(value, value)
            if key == "name" and isinstance(value, str)
            else _lasting(value, names, passing)
            for key, value in node.items()
            if key not in passing
        }
    if isinstance(node, (list, tuple)):
        # [layer, node, tensor]: where a layer's input comes from
        if len(node) >= 3 and isinstance(node[0], str) and isinstance(node[1], int):
            node = [names.get(node[0], node[0]), *node[1:]]
        return [_lasting(part, names, passing) for part in node]
    return node


def _add(digest, name, values):
    """Add an array to a digest: its name, type, shape and numbers."""
    plain = values.astype(values.dtype.newbyteorder("<"), order="C", copy=False)
    digest.update(json.dumps([name, str(plain.dtype), plain.shape]).encode())
    digest.update(plain.tobytes())


def _imagenet(model, spec, size):
    top = len(model.output.shape) == 2  # a trunk of keras.applications ends in a feature map
    shape = {} if top else {"include_top": False, "input_shape": (size, size, 3)}
    try:
        with downloads.one_process():
            return spec.construct(weights=IMAGENET, **shape)
    except InputError:
        raise
    except Exception as error:  # Keras raises a bare Exception when a download fails
        raise InputError(
            f"ImageNet weights of {spec.architecture} could not be loaded ({error}); give weights "
            "the path of a file, or put it into ~/.keras/models; one that was cut lies there and "
            "may be deleted"
        ) from error


def _copy(source, model, path):
    """Copy weights layer by layer in the order of the graph; a head that the model lacks is left.

    Not by name alone: Xception and InceptionV3 have layers numbered per process (`conv2d_94`).
    """
    given = [layer for layer in source.layers if layer.weights]
    wanted = [layer for layer in model.layers if layer.weights]
    pairs = _paired(given, wanted)
    inside = [layer for layer in _leaves(source) if layer.weights]
    if len(pairs) < len(wanted) and len(_paired(inside, wanted)) == len(wanted):
        given, pairs = inside, _paired(inside, wanted)  # of a network inside the one in the file
    from models.importers.fill import fill, places

    head = {layer.name: "the network is built without it" for layer in given[len(wanted) :]}
    held = {layer.name: _held(layer) for layer in given}
    return fill(path, model, held, places(model), pairs, head.get)


def _paired(given, wanted):
    """Names of layers of a file -> names of the network's, as far as they are alike in order."""
    return {
        theirs.name: ours.name
        for theirs, ours in zip(given, wanted, strict=False)
        if _stem(theirs) == _stem(ours)
    }


def _leaves(model):
    """Yield every layer that is no network itself, those of networks inside too."""
    for layer in model.layers:
        yield from _leaves(layer) if hasattr(layer, "layers") else [layer]


def _check_finite(model, source):
    """Refuse weights that are no numbers, which no training and no picture would get over."""
    import keras

    bad = [
        layer.name
        for layer in _leaves(model)
        if not all(
            keras.ops.convert_to_numpy(keras.ops.all(keras.ops.isfinite(weight)))
            for weight in layer.weights
        )
    ]
    if bad:
        more = f" and {len(bad) - SHOWN} more" if len(bad) > SHOWN else ""
        raise InputError(
            f"{source} holds weights that are NaN or infinite, in {len(bad)} of its layers: "
            f"{', '.join(bad[:SHOWN])}{more}"
        )


def _held(layer):
    import keras

    from models.importers.fill import Held

    return Held(
        (None,) * len(layer.weights),  # both sides are built by the same code: their order counts
        lambda: [tuple(variable.shape) for variable in layer.weights],
        lambda: [keras.ops.convert_to_numpy(variable) for variable in layer.weights],
    )


def _stem(layer):
    """A layer's name without the number that Keras gives it."""
    from models.importers.keras_hdf5 import CONVNEXT_NORM

    named = CONVNEXT_NORM.fullmatch(layer.name)  # in a network without its top, Keras names it
    return "layer_normalization" if named else re.sub(r"_\d+$", "", layer.name)


def _kind(path):
    """What kind of weights file it is: by its first bytes, its ending, then by its fields.

    Raises:
        InputError: neither tells.
    """
    with open(path, "rb") as file:
        start = file.read(8)
    kinds = [kind for mark, kind in STARTS.items() if start.startswith(mark)]
    if not kinds:
        kinds = [ENDINGS[path.suffix]] if path.suffix in ENDINGS else _kinds_of_message(path)
    if not kinds or (kinds == ["keras"] and start.startswith(b"PK") and _is_foreign_zip(path)):
        raise InputError(
            f"{path} is no weights file; accepted, under any name: HDF5 or .keras as Keras wrote "
            "it, a .caffemodel, a frozen TensorFlow graph"
        )
    return kinds[0]


def _is_foreign_zip(path):
    """Whether a file is a zip, whole, of another program: PyTorch's `.pt`, NumPy's `.npz`."""
    from models.importers import keras3

    try:
        with zipfile.ZipFile(path) as archive:
            return not {keras3.CONFIG, keras3.WEIGHTS}.intersection(archive.namelist())
    except (OSError, ValueError, zipfile.BadZipFile):
        return False  # whoever opens it as what it seems to be says what is wrong


def _kinds_of_message(path):
    """[kind] of a file that is a protocol buffer message of Caffe or TensorFlow, else []."""
    from models.importers import caffe, protobuf

    counts = protobuf.count_fields(path)
    (v1, _, _), (layers, _, _) = caffe.MESSAGES["Net"].values()
    # an ONNX model (onnx.proto) has one graph, its sets of operators, and at most one producer's
    # name under the number of Caffe's old layers
    if counts[7] == 1 and counts[8] and counts[v1] <= 1 and not counts[layers]:
        return []
    # a net has one name and many layers, a graph has many nodes and at most one library
    if counts[layers] or counts[v1] > 1 or (counts[v1] and counts[1] <= 1):
        return ["caffe"]
    return ["tf_graph"] if counts[1] else []


def _importer(path):
    """The importer of a file that another program or Keras 1 or 2 wrote, or None for Keras 3."""
    kind = _kind(path)
    if kind == "keras":
        return None
    name = "keras_hdf5" if kind == "hdf5" else kind
    importer = importlib.import_module(f"models.importers.{name}")
    return None if kind == "hdf5" and not importer.is_old(path) else importer


@contextlib.contextmanager
def _named(path, ending):
    """A file under a name with an ending, which is what Keras goes by."""
    if str(path).endswith(ending):
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder, f"weights{ending}")
        try:
            link.symlink_to(Path(path).absolute())
        except OSError:  # a system that lets few users make links
            shutil.copyfile(path, link)
        yield link


def _from_keras3(spec, size, path):
    """Build the network as a Keras 3 file holds it, with or without its top, and fill it."""
    from models.importers import keras3

    arrays = keras3.arrays(path)
    bare = spec.construct(include_top=False, weights=None, input_shape=(size, size, 3))
    if arrays == len(bare.weights):
        return _filled(bare, path, spec)
    # at the size of ImageNet, on which a VGG's top depends
    full = spec.construct(weights=None)
    if arrays == len(full.weights) and (width := _width(path, full)) != IMAGENET_CLASSES:
        full = spec.construct(weights=None, classes=width)
    if arrays != len(full.weights):
        raise InputError(
            f"weights {path} hold {arrays} arrays; {spec.architecture} has "
            f"{len(bare.weights)} without its top and {len(full.weights)} with it"
        )
    return _filled(full, path, spec)


def _filled(model, path, spec):
    try:
        with warnings.catch_warnings():
            # Keras lists each layer it could not fill before it raises: the error says enough
            warnings.filterwarnings("ignore", "Skipping nested container")
            with _named(path, ".weights.h5") as named:
                model.load_weights(named)
    except (ValueError, KeyError, OSError, TypeError) as error:
        reason = str(error).partition(" Target variable:")[0]  # after it come the values
        raise InputError(f"weights {path} do not fit {spec.architecture}: {reason}") from error
    return model
