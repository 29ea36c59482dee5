"""Networks by name: the table of them, the string that names one, and build() to train one.

Every network built here is one flat Keras model: RGB pixels in [0, 255] -> the network's own
preprocessing -> trunk -> `features` (global average pooling) -> `head` (one dense layer). Flat:
inner layers are found by name (ConvNeXt alone keeps some convolutions in networks of their own,
where find_layer looks too); preprocessing inside: it travels with the weights.
"""

import ast
import difflib
import importlib
import math
import os
import re
from dataclasses import dataclass
from functools import cached_property

from models import own
from models.errors import InputError
from models.weights import (
    ENDINGS,
    IMAGENET,
    NONE,
    check_source,
    is_keras,
    layer_kinds,
    read_about,
)

# How preprocess_input of keras.applications scales pixels, value * scale + offset per channel,
# after reversing RGB to BGR where the weights expect it.
# caffe: ImageNet's mean BGR; torch: ImageNet's mean and deviation of RGB; unit: [0, 1], Sabatelli
# et al. 2018, section 2.3; none: the network scales in its own layers; lucid: InceptionV1's input
# in [-117, 138]; bvlc: mean BGR in train_val.prototxt of BVLC's GoogLeNet; caffenet: the means
# over imagenet_mean.binaryproto, which Caffe's reference CaffeNet and its descendants subtract.
PIXELS = {
    "caffe": {"bgr": True, "scale": 1.0, "offset": (-103.939, -116.779, -123.68)},
    "tf": {"bgr": False, "scale": 1 / 127.5, "offset": -1.0},
    "torch": {
        "bgr": False,
        "scale": (1 / 255 / 0.229, 1 / 255 / 0.224, 1 / 255 / 0.225),
        "offset": (-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225),
    },
    "unit": {"bgr": False, "scale": 1 / 255, "offset": 0.0},
    "lucid": {"bgr": False, "scale": 1.0, "offset": -117.0},
    "bvlc": {"bgr": True, "scale": 1.0, "offset": (-104.0, -117.0, -123.0)},
    "caffenet": {
        "bgr": True,
        "scale": 1.0,
        "offset": (-104.00698793, -116.66876762, -122.67891434),
    },
    "none": None,
}

# networks that keras.applications lacks -> the module of ours with a constructor of that name
OWN = {
    "InceptionV1": "models.inception_v1",
    "GoogLeNet": "models.inception_v1",
    "CaffeNet": "models.caffenet",
}

# name in OWN or keras.applications: (side in pixels its ImageNet weights were trained at, PIXELS)
NETWORKS = {
    "InceptionV1": (224, "lucid"),
    "GoogLeNet": (224, "bvlc"),
    "CaffeNet": (227, "caffenet"),
    "VGG16": (224, "caffe"),
    "VGG19": (224, "caffe"),
    "ResNet50": (224, "caffe"),
    "ResNet101": (224, "caffe"),
    "ResNet152": (224, "caffe"),
    "ResNet50V2": (224, "tf"),
    "ResNet101V2": (224, "tf"),
    "ResNet152V2": (224, "tf"),
    "InceptionV3": (299, "tf"),
    "InceptionResNetV2": (299, "tf"),
    "Xception": (299, "tf"),
    "MobileNet": (224, "tf"),
    "MobileNetV2": (224, "tf"),
    "MobileNetV3Small": (224, "none"),
    "MobileNetV3Large": (224, "none"),
    "NASNetMobile": (224, "tf"),
    "NASNetLarge": (331, "tf"),
    "DenseNet121": (224, "torch"),
    "DenseNet169": (224, "torch"),
    "DenseNet201": (224, "torch"),
    "EfficientNetB0": (224, "none"),
    "EfficientNetB1": (240, "none"),
    "EfficientNetB2": (260, "none"),
    "EfficientNetB3": (300, "none"),
    "EfficientNetB4": (380, "none"),
    "EfficientNetB5": (456, "none"),
    "EfficientNetB6": (528, "none"),
    "EfficientNetB7": (600, "none"),
    "EfficientNetV2B0": (224, "none"),
    "EfficientNetV2B1": (240, "none"),
    "EfficientNetV2B2": (260, "none"),
    "EfficientNetV2B3": (300, "none"),
    "EfficientNetV2S": (384, "none"),
    "EfficientNetV2M": (480, "none"),
    "EfficientNetV2L": (480, "none"),
    "ConvNeXtTiny": (224, "none"),
    "ConvNeXtSmall": (224, "none"),
    "ConvNeXtBase": (224, "none"),
    "ConvNeXtLarge": (224, "none"),
    "ConvNeXtXLarge": (224, "none"),
}

# networks of Sabatelli et al. 2018 whose weights were released (models.released) -> what they are
RIJKS = {
    "RijksVGG19Net": "VGG19",
    "RijksResNet50": "ResNet50",
    "RijksInceptionV3": "InceptionV3",
    "RijksXception": "Xception",
}
# challenges whose weights were released (models.released has their files); the paper says artist,
# the files creator
CHALLENGES = ("artist", "creator", "material", "type")
NEVER_RELEASED = {("RijksVGG19Net", "material")}

# the strings that name one
RELEASED = {f"{name}:{word}" for name in RIJKS for word in CHALLENGES} - {
    f"{name}:{word}" for name, word in NEVER_RELEASED
}

# build() decides these itself
RESERVED = {"include_top", "weights", "input_tensor", "input_shape", "pooling", "classes", "name"}
RESERVED |= {"classifier_activation", "include_preprocessing"}

FORMS = (
    "NAME (random weights), NAME:imagenet, NAME:PATH of a weights file, RijksVGG19Net:artist, "
    "the path of a .keras file, or PATH.keras:none (its layers with random weights)"
)
KERAS = ".keras"  # ending of a file of one's own


@dataclass(frozen=True)
class Spec:
    """What a string that names a network says; nothing is opened yet.

    name: a row of NETWORKS or of RIJKS, or "" for a `.keras` file of its own.
    arguments: of the constructor, tuple of (keyword, literal). weights: `imagenet`, the path of a
    file, the challenge of a released network, or None for random ones. file: path of the `.keras`
    file whose layers are the network, which then is `weights` too unless these are random.
    """

    name: str
    arguments: tuple = ()
    weights: str | None = None
    file: str | None = None

    @cached_property
    def architecture(self):
        """`NAME` or `NAME(key=literal, ...)`: the string without its weights.

        Of a file: its stem and a short digest of its content (models.own.name).
        """
        if self.file:
            return own.name(self.file)
        given = ", ".join(f"{key}={value!r}" for key, value in self.arguments)
        return f"{self.name}({given})" if given else self.name

    @property
    def text(self):
        """The string itself, as parse takes it."""
        if self.file:
            return self.file if self.weights else f"{self.file}:{NONE}"
        return ":".join(part for part in (self.architecture, self.weights) if part)

    @property
    def is_released(self):
        """Whether it is a network that Sabatelli et al. 2018 released."""
        return self.name in RIJKS

    @property
    def of_released(self):
        """Whether it is one of these, or starts from one: `VGG19:RijksVGG19Net:artist`."""
        return self.is_released or self.weights in RELEASED

    @property
    def size(self):
        """Side in pixels that its ImageNet weights were trained at; None for a file of its own."""
        return self._row[0]

    def check(self):
        """Look for the files that it names, without Keras.

        Raises:
            InputError: one is not there, or the network in it takes no square RGB pictures.
        """
        if self.file:
            own.side(self.file)
        if not self.of_released:
            check_source(self.weights)

    def side(self, size=None):
        """The side of its pictures in pixels, where `size` is asked for, or None for its own.

        Raises:
            InputError: a file whose own is another, or that leaves it open and none was asked for.
        """
        if size is not None and size < 1:
            raise InputError(f"size is {size}; it must be above 0")
        if not self.file:
            return self.size if size is None else size
        fixed = own.side(self.file)
        if fixed is None and size is None:
            raise InputError(f"{self.file} takes pictures of any size; give input_size")
        if None not in (fixed, size) and fixed != size:
            raise InputError(f"input_size is {size}; {self.file} takes pictures of {fixed} pixels")
        return fixed or size

    @property
    def pixels(self):
        """How its pixels are scaled, a name in PIXELS; None for a file of its own."""
        return self._row[1]

    @property
    def _row(self):
        return NETWORKS.get(RIJKS.get(self.name, self.name), (None, None))

    def construct(self, **extra):
        """Call the constructor, ours or Keras's; what it refuses becomes an InputError.

        The kernels are infinite where no `weights` were asked for: the caller fills them.
        """
        from models import initializers

        module = importlib.import_module(OWN.get(self.name, "keras.applications"))
        divides = extra["weights"] != IMAGENET and self._divides_by_deviation()
        try:
            with initializers.undrawn_kernels():
                model = getattr(module, self.name)(**dict(self.arguments), **extra)
                model = _with_deviation(model) if divides else model
        except (TypeError, ValueError) as error:
            raise InputError(f"{self.architecture} cannot be built: {error}") from error
        return model

    def _divides_by_deviation(self):
        """Whether it scales pixels once more than keras.applications does; see _with_deviation.

        Where a file describes its layers, as they are there: whether Rescaling follows
        Normalization.
        """
        if not re.fullmatch(r"EfficientNetB\d", self.name):
            return False
        kinds = layer_kinds(self.weights)
        if "Normalization" not in kinds:
            return True
        after = kinds[kinds.index("Normalization") :]
        stem = after.index("Conv2D") if "Conv2D" in after else None
        return "Rescaling" in after[:stem]


def parse(text):
    """Read the one string that names a network, with or without its weights.

    Args:
        text: one of FORMS, e.g. `VGG19`, `VGG19:imagenet`, `GoogLeNet:bvlc_googlenet.caffemodel`,
            `MobileNet(alpha=0.25):PATH`, `RijksVGG19Net:artist`, `results/.../model.keras`,
            `own.keras:none`.

    Returns:
        Spec. Nothing in the string is evaluated, no file is opened, Keras is not imported.

    Raises:
        InputError: no such network, a challenge that was never released, or arguments that are no
            literals or are not the user's.
    """
    name, arguments, weights = _split(text)
    if name in RIJKS and not arguments:
        return Spec(name, (), _challenge(name, weights, text))
    if name in NETWORKS:
        weights = None if weights == NONE else weights
        return Spec(name, _arguments(name, arguments or "()", text), weights)
    file = text.removesuffix(f":{NONE}")
    before, colon, _ = file.partition(":")
    # one letter is a drive
    if colon and len(before) > 1 and not {"/", "\\"} & set(before) and not os.path.isfile(file):
        raise InputError(_unknown(before))
    if file.endswith(KERAS):
        return Spec("", (), file if file == text else None, file)
    if file.endswith(tuple(ENDINGS)):
        raise InputError(
            f"{file} may be weights of any network; accepted: NAME:{file}, or a .keras file, as "
            f"which Keras saves a whole model: load_model({file!r}).save('own.keras')"
        )
    raise InputError(_unknown(text, name))


def _unknown(text, name=None):
    """The error on a name that no network has, with what may have been meant."""
    meant = _meant(name, text)
    return f"no network {text!r}{meant}; accepted: {FORMS}; NAME is {', '.join(NETWORKS)}"


def names_weights(text):
    """Whether the string that names a network says what it starts from; `none` says so too."""
    return parse(text).file is not None or _split(text)[2] is not None


def _challenge(name, challenge, text):
    """The challenge of a released network, checked."""
    released = [word for word in CHALLENGES if (name, word) not in NEVER_RELEASED]
    if challenge is None:
        named = " or ".join(f"{name}:{word}" for word in released if word != "creator")
        raise InputError(f"{text!r} needs a challenge: {named}")
    if challenge not in released:
        raise InputError(
            f"no weights of {RIJKS[name]} for {challenge!r} were released; accepted: "
            f"{', '.join(released)}"
        )
    return challenge


def _meant(name, text):
    """What somebody may have meant by a name that is none, as a part of an error; "" if unknown."""
    known = {known.lower(): known for known in (*NETWORKS, *RIJKS)}
    near = difflib.get_close_matches((name or text).lower(), known, 2)
    return f" (did you mean {' or '.join(known[word] for word in near)}?)" if near else ""


def _split(text):
    """(name, arguments in brackets or None, weights or None) of the string that names a network."""
    parts = re.fullmatch(r"\s*(\w+)\s*(\(.*?\))?\s*(?::(.+))?", text, flags=re.DOTALL)
    return parts.groups() if parts else (None, None, None)


def _arguments(name, given, text):
    """The arguments of a constructor, as a tuple of (keyword, literal)."""
    try:
        call = ast.parse(name + given, mode="eval").body
        if not isinstance(call, ast.Call) or call.args:
            raise ValueError("not NAME(key=literal)")
        arguments = tuple((k.arg, ast.literal_eval(k.value)) for k in call.keywords)
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise InputError(
            f"network {text!r} is not of the form NAME or NAME(key=literal, ...)"
        ) from error
    refused = [key for key, _ in arguments if key is None or key in RESERVED]
    if refused:
        raise InputError(f"{name} takes no {', '.join(map(str, refused))} here: it is set for you")
    return arguments


def preprocess(pixels, scaling):
    """Scale a Keras tensor, RGB in [0, 255], as a network expects it (a name in PIXELS)."""
    import keras

    if PIXELS[scaling] is None:
        return pixels
    how = PIXELS[scaling]
    ordered = keras.ops.flip(pixels, axis=-1) if how["bgr"] else pixels
    return keras.layers.Rescaling(how["scale"], how["offset"], name="preprocessing")(ordered)


def build(
    spec, classes, size=None, pixels="own", activation="softmax", seed=0, dropout=0.0, say=None
):
    """Build a classifier: a network without its top, average-pooled features, a new head.

    Args:
        spec: Spec or the string of one, e.g. `VGG19:imagenet`, `MobileNet(alpha=0.25):PATH` or
            the path of a `.keras` file, whose layers before its classifier are the network; not a
            released network, of which models.released.as_start makes one that is;
            without weights its kernels are He-uniform (He et al. 2015), as the scratch network of
            Sabatelli et al. 2018.
        classes: outputs of the head.
        size: side of the square input in pixels; None for the size of the ImageNet weights, or
            the file's own.
        pixels: `own` for the network's own preprocessing, or a name in PIXELS. A file of another
            origin has what it has inside: `own` gives it pixels in [0, 255] as they are.
        activation: of the head, `softmax`, `sigmoid` or `linear`.
        seed: of the head and, without weights, of every kernel.
        dropout: share of the features left out before the head, while training.
        say: called with one line on what was found in a `.keras` file.

    Returns:
        A keras.Model: pixels (N, size, size, 3), RGB in [0, 255] -> (N, classes).

    Raises:
        InputError: unknown network or argument, or weights that do not fit.
    """
    import keras

    from models import initializers, weights

    if type(classes) is not int or classes < 1:
        raise InputError(f"classes is {classes!r}; it must be a whole number above 0")
    spec = parse(spec) if isinstance(spec, str) else spec
    if spec.of_released:
        raise InputError(
            f"{spec.text} has a head of its own; accepted: what models.released.as_start makes of "
            "it, or models.build"
        )
    size = spec.side(size)
    scaling = scaling_for(spec, pixels)
    if spec.file:
        body = _trunk_of_file(spec, size, pixels, say)
    else:
        body = weights.as_built(trunk(spec, size, scaling), spec.weights)
    # a trunk that ends in a vector (CaffeNet's fc7) is its own feature
    pools = {4: keras.layers.GlobalAveragePooling2D, 3: keras.layers.GlobalAveragePooling1D}
    pool = pools.get(len(body.output.shape), keras.layers.Identity)
    features = pool(name="features")(body.output)
    if dropout:
        features = keras.layers.Dropout(dropout, name="features_dropout")(features)
    initializer = keras.initializers.GlorotUniform(seed)
    # in float32 whatever the rest computes in: a softmax of bfloat16 tells few probabilities apart
    outputs = keras.layers.Dense(
        classes, activation, kernel_initializer=initializer, dtype="float32", name="head"
    )(features)
    model = keras.Model(body.inputs[0], outputs, name=spec.name or None)
    if spec.weights is None:
        initializers.draw_he_uniform(model, seed)
    elif not spec.file:
        weights.load(body, spec, size, spec.weights)
    return model


def _trunk_of_file(spec, size, pixels, say):
    """The network in a `.keras` file without its classifier, every layer of it trainable."""
    import keras

    inputs = keras.Input((size, size, 3), name="pixels")
    known = scaling_of(spec.file)  # then it is scaled inside
    scaled = inputs if known or pixels == "own" else preprocess(inputs, pixels)
    found = own.trunk(spec.file, scaled, redrawn=spec.weights is None)
    body = keras.Model(inputs, found.output)
    for layer in body.layers:
        layer.trainable = True  # saved as it was frozen for another training
    if say:
        say(f"{spec.file}: {found.note}; {_told_of_pixels(known, pixels, found.prepares)}")
    return body


def _told_of_pixels(known, pixels, prepares):
    """What a network in a file does to pixels, as text."""
    if known:
        return f"pixels are scaled as when it was trained ({known})"
    given = "pixels from 0 to 255" + ("" if pixels == "own" else f", scaled as {pixels},")
    if prepares:
        return f"{given} go through {', '.join(prepares)} first"
    if pixels == "own":
        return f"{given} are not scaled: choose pixels if it was trained on another range"
    return f"{given} go into its first layer with weights"


def scaling_for(spec, pixels="own"):
    """How pixels are scaled for a network, a name in PIXELS, where `own` or another is asked for.

    `none` for a `.keras` file of another origin that is given pixels as they are.

    Raises:
        InputError: another scaling than that of the weights, or than the network's own layers do.
    """
    if spec.pixels == "none" and pixels not in ("own", "none"):
        raise InputError(f"{spec.name} scales pixels in its own layers; pixels must be 'own'")
    path = spec.file or spec.weights
    trained = _scaling_told(spec)
    if spec.file:
        scaling = pixels if pixels != "own" else trained or "none"
    else:
        scaling = spec.pixels if pixels == "own" else pixels
    if trained not in (None, scaling):
        raise InputError(f"{path} was trained with pixels {trained}; asked for are {scaling}")
    return scaling


def scaling_as_trained(spec):
    """How pixels were scaled when the weights of a named network were trained, a name in PIXELS.

    As their `.keras` file tells, or else as is the network's own.
    """
    return _scaling_told(spec) or spec.pixels


def _scaling_told(spec):
    """What the `.keras` file that a network comes from tells of scaling, or None."""
    if not spec.file and (spec.is_released or not is_keras(spec.weights)):
        return None
    return scaling_of(spec.file or spec.weights)


def scaling_of(path):
    """How a saved network scales pixels, a name in PIXELS; None where it is not known."""
    about = read_about(path)
    scaling = about.get("pixels")
    if scaling == "own":  # a classifier that was trained here
        try:
            return parse(about.get("network") or "").pixels
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
    if scaling not in (None, *PIXELS):
        raise InputError(f"{path} has pixels {scaling!r}; accepted: own, {', '.join(PIXELS)}")
    return scaling


def trunk(spec, size=None, pixels=None):
    """A named network without its top: pixels (N, size, size, 3), RGB in [0, 255] -> feature map.

    Its kernels, as with_top's, are infinite until they are filled.
    """
    scaled = _scaled(spec, size, pixels)
    return spec.construct(include_top=False, weights=None, input_tensor=scaled)


def with_top(spec, size=None, classes=None):
    """A named network with its own top: RGB in [0, 255] -> (N, classes).

    Of one output, as MemNet's, that is the score itself: a softmax of it would be 1.
    """
    scaled = _scaled(spec, size)
    width = {"classes": classes} if classes else {}
    if classes == 1:
        width["classifier_activation"] = "linear"
    return spec.construct(weights=None, input_tensor=scaled, **width)


def _scaled(spec, size, pixels=None):
    import keras

    size = spec.side(size)
    inputs = keras.Input((size, size, 3), name="pixels")
    return preprocess(inputs, pixels or spec.pixels)


def _with_deviation(model):
    """Put back the scaling that keras.applications gives EfficientNetB0-B7 only for `imagenet`.

    Their weights were trained with channels divided once more, by the square root of ImageNet's
    deviation (keras/applications/efficientnet.py); without that layer they would load too. So it
    is with random weights, and with a file of weights alone, which cannot tell whether they were
    trained with it: its arrays are the same.
    """
    import keras

    again = keras.layers.Rescaling([1 / math.sqrt(d) for d in (0.229, 0.224, 0.225)])

    def call(layer, *given, **named):
        output = layer(*given, **named)
        return again(output) if isinstance(layer, keras.layers.Normalization) else output

    return keras.models.clone_model(model, call_function=call)
