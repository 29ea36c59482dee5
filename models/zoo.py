"""NETWORKS, the table of networks that can be named, and build(), which makes one ready to train.

Every network built here is one flat Keras model: RGB pixels in [0, 255] -> the network's own
preprocessing -> trunk -> `features` (global average pooling) -> `head` (one dense layer). Flat:
inner layers are found by name (ConvNeXt alone keeps some convolutions in networks of their own,
where find_layer looks too); preprocessing inside: it travels with the weights.
"""

import ast
import importlib
import re
from dataclasses import dataclass

from models.errors import InputError

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

# build() decides these itself
RESERVED = {"include_top", "weights", "input_tensor", "input_shape", "pooling", "classes", "name"}
RESERVED |= {"classifier_activation", "include_preprocessing"}


@dataclass(frozen=True)
class Network:
    """A row of NETWORKS with the keyword arguments that the user gave."""

    name: str
    arguments: tuple  # of (keyword, literal)
    size: int
    pixels: str

    @property
    def spec(self):
        given = ", ".join(f"{key}={value!r}" for key, value in self.arguments)
        return f"{self.name}({given})" if given else self.name

    def construct(self, **extra):
        """Call the constructor, ours or Keras's; what it refuses becomes an InputError.

        The kernels are NaN where no `weights` were asked for: the caller fills them.
        """
        from models import efficientnet, undrawn

        module = importlib.import_module(OWN.get(self.name, "keras.applications"))
        try:
            with undrawn.kernels():
                model = getattr(module, self.name)(**dict(self.arguments), **extra)
                if re.fullmatch(r"EfficientNetB\d", self.name) and extra["weights"] != "imagenet":
                    model = efficientnet.with_deviation(model)
        except (TypeError, ValueError) as error:
            raise InputError(f"{self.spec} cannot be built: {error}") from error
        return model


def parse(spec):
    """Read `NAME` or `NAME(key=literal, ...)` into a Network; nothing in it is evaluated."""
    try:
        node = ast.parse(spec.strip(), mode="eval").body
        call = node if isinstance(node, ast.Call) else ast.Call(func=node, args=[], keywords=[])
        if not isinstance(call.func, ast.Name) or call.args:
            raise ValueError("not NAME(key=literal)")
        arguments = tuple((k.arg, ast.literal_eval(k.value)) for k in call.keywords)
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise InputError(
            f"network {spec!r} is not of the form NAME or NAME(key=literal, ...)"
        ) from error
    name = call.func.id
    if name not in NETWORKS:
        raise InputError(f"no network {name!r}; there are {', '.join(NETWORKS)}")
    refused = [key for key, _ in arguments if key is None or key in RESERVED]
    if refused:
        raise InputError(f"{name} takes no {', '.join(map(str, refused))} here: it is set for you")
    return Network(name, arguments, *NETWORKS[name])


def preprocess(pixels, scaling):
    """Scale a Keras tensor, RGB in [0, 255], as a network expects it (a name in PIXELS)."""
    import keras

    if PIXELS[scaling] is None:
        return pixels
    how = PIXELS[scaling]
    ordered = keras.ops.flip(pixels, axis=-1) if how["bgr"] else pixels
    return keras.layers.Rescaling(how["scale"], how["offset"], name="preprocessing")(ordered)


def build(spec, classes, size=None, weights="none", pixels="own", activation="softmax", seed=0):
    """Build a classifier: a named network without its top, average-pooled features, a new head.

    Args:
        spec: network name, e.g. `VGG19` or `MobileNet(alpha=0.25)`.
        classes: outputs of the head.
        size: side of the square input in pixels; None for the size of the ImageNet weights.
        weights: `imagenet`, `none` (He-uniform, He et al. 2015, as the scratch network of
            Sabatelli et al. 2018) or the path of a weights file.
        pixels: `own` for the network's own preprocessing, `unit` for [0, 1].
        activation: of the head, `softmax`, `sigmoid` or `linear`.
        seed: of the head and, for `none`, of every kernel.

    Returns:
        A keras.Model: pixels (N, size, size, 3), RGB in [0, 255] -> (N, classes).

    Raises:
        InputError: unknown network or argument, or weights that do not fit.
    """
    import keras

    from models import he_uniform
    from models import weights as sources

    network = parse(spec)
    size = size or network.size
    if str(weights).endswith(".keras"):
        _same_pixels(weights, pixels)
    if pixels == "unit" and network.pixels == "none":
        raise InputError(f"{network.name} scales pixels in its own layers; --pixels must be 'own'")
    body = trunk(network, size, network.pixels if pixels == "own" else pixels)
    body = sources.as_built(body, weights)
    # a trunk that ends in a vector (CaffeNet's fc7) is its own feature
    spatial = len(body.output.shape) == 4
    pool = keras.layers.GlobalAveragePooling2D if spatial else keras.layers.Identity
    features = pool(name="features")(body.output)
    initializer = keras.initializers.GlorotUniform(seed)
    outputs = keras.layers.Dense(
        classes, activation=activation, kernel_initializer=initializer, name="head"
    )(features)
    model = keras.Model(body.inputs[0], outputs, name=network.name)
    if sources.check_source(weights) is None:
        he_uniform.draw(model, seed)
    else:
        sources.load(body, network, size, weights)
    return model


def _same_pixels(path, pixels):
    """Refuse to feed a trained classifier pixels that are scaled in another way than its own."""
    from models import saved

    trained = saved.about(path).get("pixels", pixels)
    if trained != pixels:
        raise InputError(f"{path} was trained with --pixels {trained}; --pixels is {pixels}")


def trunk(network, size, pixels=None):
    """A Network without its top: pixels (N, size, size, 3), RGB in [0, 255] -> feature map.

    Its kernels, as with_top's, are NaN until they are filled.
    """
    scaled = _scaled(network, size, pixels)
    return network.construct(include_top=False, weights=None, input_tensor=scaled)


def with_top(network, size=None, classes=None):
    """A Network with its own top: RGB in [0, 255] -> (N, classes)."""
    scaled = _scaled(network, size or network.size)
    width = {"classes": classes} if classes else {}
    return network.construct(weights=None, input_tensor=scaled, **width)


def _scaled(network, size, pixels=None):
    import keras

    inputs = keras.Input((size, size, 3), name="pixels")
    return preprocess(inputs, pixels or network.pixels)
