"""InceptionV1 (GoogLeNet, Szegedy et al. 2015) with Lucid's layer names, in two variants.

InceptionV1 is the network that Lucid visualizes (the TensorFlow graph "5h"); GoogLeNet is the one
that BVLC released with Caffe. They differ in padding, in two widths, in normalisation and in the
pixels that they expect. Both have the same layer names, so that a name found in a paper about the
one finds the same place in the other.

A module `mixed4d` holds the convolutions `mixed4d_1x1_pre_relu`, `mixed4d_3x3_bottleneck_pre_relu`,
`mixed4d_3x3_pre_relu`, the same for `5x5`, and `mixed4d_pool_reduce_pre_relu` after `mixed4d_pool`;
every one's ReLU has its name without `_pre_relu`. `mixed4d_pre_relu` and `mixed4d` join the four
branches (1x1, 3x3, 5x5, pool reduce) before and after their ReLUs.
"""

import keras
from keras import ops

from models import caffe_layers
from models.caffe_layers import LocalResponseNormalization
from models.errors import InputError

# Outputs of every module: 1x1, 3x3 bottleneck, 3x3, 5x5 bottleneck, 5x5, pool reduce.
# Lucid: the shapes of the constants in the 5h graph.
LUCID_WIDTHS = {
    "mixed3a": (64, 96, 128, 16, 32, 32),
    "mixed3b": (128, 128, 192, 32, 96, 64),
    "mixed4a": (192, 96, 204, 16, 48, 64),
    "mixed4b": (160, 112, 224, 24, 64, 64),
    "mixed4c": (128, 128, 256, 24, 64, 64),
    "mixed4d": (112, 144, 288, 32, 64, 64),
    "mixed4e": (256, 160, 320, 32, 128, 128),
    "mixed5a": (256, 160, 320, 48, 128, 128),
    "mixed5b": (384, 192, 384, 48, 128, 128),
}
# BVLC: table 1 of Szegedy et al. 2015.
BVLC_WIDTHS = LUCID_WIDTHS | {
    "mixed4a": (192, 96, 208, 16, 48, 64),
    "mixed5a": (256, 160, 320, 32, 128, 128),
}
POOLED_BEFORE = {"mixed4a": "maxpool4", "mixed5a": "maxpool10"}
AUXILIARY_ON = {"mixed4a": 0, "mixed4d": 1}  # module: number in the names of its head

# Released code of Gonthier et al. 2020, which says it read them in the 5h graph. Converted copies
# of the graph in PyTorch give bias 1 instead: read them in the graph where you have it.
LUCID_LRN = {"depth_radius": 5, "bias": 2.0, "alpha": 1e-4, "beta": 0.5}
BVLC_LRN = caffe_layers.CAFFE_LRN

DROPOUT = 0.4  # before the classifier; Szegedy et al. 2015, section 5
AUXILIARY_DROPOUT = 0.7  # the same
AUXILIARY_LOSS_WEIGHT = 0.3  # of each auxiliary classifier's loss beside the main one's; the same


@keras.saving.register_keras_serializable("art_transfer")
class JoinedBranches(keras.layers.Layer):
    """The end of a module: its branches' ReLUs joined, beside the same joined before ReLU.

    Input: list [joined before ReLU, branch, branch...], each (N, H, W, its channels). Output: the
    branches joined, (N, H, W, channels). The first input is not read: it is there because Keras
    keeps only layers that lead to the output, and users cut the network at `mixed4d_pre_relu`.
    Compiled, it costs nothing; the ReLU of the joined map instead would be one more pass over it,
    since a convolution takes its ReLU along.
    """

    def call(self, inputs):
        return ops.concatenate(inputs[1:], axis=-1)

    def compute_output_shape(self, input_shape):
        return input_shape[0]


def InceptionV1(  # noqa: N802 (a constructor, as in keras.applications)
    include_top=True,
    weights=None,
    input_tensor=None,
    input_shape=None,
    classes=1008,
    classifier_activation="softmax",
    auxiliary=False,
    lrn=None,
):
    """Lucid's InceptionV1: "same" padding everywhere.

    Args:
        include_top: end in the classifier, else in `mixed5b`.
        weights: None; there are none to download. Files are opened by models.load.
        input_tensor: Keras tensor (N, H, W, 3) to begin from, RGB in [-117, 138].
        input_shape: (H, W, 3) where there is no input_tensor; default (224, 224, 3), without top
            (None, None, 3). Any size will do, with top also (None, None, 3), unless `auxiliary`.
        classes: outputs of every classifier; 1008 in the 5h graph.
        classifier_activation: `softmax`, `sigmoid` or `linear`.
        auxiliary: with the two classifiers on mixed4a and mixed4d for deep supervision. Give their
            losses the weight AUXILIARY_LOSS_WEIGHT.
        lrn: dict of LocalResponseNormalization's arguments that differ from LUCID_LRN. Or set the
            attributes of the layers `localresponsenorm0` and `localresponsenorm1` before first use.

    Returns:
        Flat keras.Model: (N, H, W, 3) -> (N, classes), with `auxiliary` a list [softmax2,
        softmax0, softmax1] of such; without top (N, H / 32, W / 32, 1024), rounded up
        (GoogLeNet's is one less at some sizes).

    Raises:
        InputError: auxiliary classifiers without top, or on an input of unknown or too small size;
            weights other than None.

    Source: Szegedy et al. 2015, table 1; names and widths of the 5h graph.
    """
    lrn = LUCID_LRN | (lrn or {})
    ends = input_tensor, input_shape, weights
    heads = include_top, auxiliary, classes, classifier_activation
    return _network("InceptionV1", LUCID_WIDTHS, lrn, False, ends, heads)


def GoogLeNet(  # noqa: N802
    include_top=True,
    weights=None,
    input_tensor=None,
    input_shape=None,
    classes=1000,
    classifier_activation="softmax",
    auxiliary=False,
    lrn=None,
):
    """BVLC's GoogLeNet: Caffe's explicit padding, and pooling that rounds sizes up.

    Arguments, result and errors are InceptionV1's, with 1000 classes, input BGR minus (104, 117,
    123), and `lrn` over BVLC_LRN.

    Source: Szegedy et al. 2015, table 1; bvlc_googlenet in Caffe's model zoo.
    """
    lrn = BVLC_LRN | (lrn or {})
    ends = input_tensor, input_shape, weights
    heads = include_top, auxiliary, classes, classifier_activation
    return _network("GoogLeNet", BVLC_WIDTHS, lrn, True, ends, heads)


def _network(name, widths, lrn, caffe, ends, heads):
    """Either variant; `caffe` chooses the padding, the rest is InceptionV1's arguments."""
    input_tensor, input_shape, weights = ends
    include_top, auxiliary, classes, activation = heads
    if auxiliary and not include_top:
        raise InputError("auxiliary=True with include_top=False; the classifiers are the top")
    default = (224, 224, 3) if include_top else (None, None, 3)
    source, x = caffe_layers.image_input(input_tensor, input_shape, default)
    pool = caffe_layers.max_pool if caffe else _same_max_pool
    x = _stem(x, lrn, caffe, pool)
    side_outputs = []
    for module, six in widths.items():
        if module in POOLED_BEFORE:
            x = pool(x, POOLED_BEFORE[module])
        x = _module(x, module, six)
        if auxiliary and module in AUXILIARY_ON:
            side_outputs.append(_auxiliary_head(x, AUXILIARY_ON[module], classes, activation))
    if include_top:
        x = keras.layers.GlobalAveragePooling2D(name="avgpool0")(x)
        x = keras.layers.Dropout(DROPOUT, name="dropout")(x)
        x = caffe_layers.classifier(x, classes, activation, "softmax2_pre_activation", "softmax2")
    return caffe_layers.finished(source, [x, *side_outputs] if auxiliary else x, name, weights)


def _stem(x, lrn, caffe, pool):
    """Everything before the first module: (N, H, W, 3) -> (N, H / 8, W / 8, 192)."""
    if caffe:
        # "same" would put 2 zeros before and 3 after where Caffe puts 3 and 3
        x = keras.layers.ZeroPadding2D(3, name="conv2d0_pad")(x)
    _, x = _convolution(x, "conv2d0", 64, 7, strides=2, padding="valid" if caffe else "same")
    x = pool(x, "maxpool0")
    x = LocalResponseNormalization(**lrn, name="localresponsenorm0")(x)
    _, x = _convolution(x, "conv2d1", 64, 1)
    _, x = _convolution(x, "conv2d2", 192, 3)
    x = LocalResponseNormalization(**lrn, name="localresponsenorm1")(x)
    return pool(x, "maxpool1")


def _module(x, name, widths):
    """One Inception module: four branches, joined."""
    one, bottleneck3, three, bottleneck5, five, reduce = widths
    _, narrow3 = _convolution(x, f"{name}_3x3_bottleneck", bottleneck3, 1)
    _, narrow5 = _convolution(x, f"{name}_5x5_bottleneck", bottleneck5, 1)
    pooled = keras.layers.MaxPooling2D(3, strides=1, padding="same", name=f"{name}_pool")(x)
    linear, rectified = zip(
        _convolution(x, f"{name}_1x1", one, 1),
        _convolution(narrow3, f"{name}_3x3", three, 3),
        _convolution(narrow5, f"{name}_5x5", five, 5),
        _convolution(pooled, f"{name}_pool_reduce", reduce, 1),
        strict=True,
    )
    joined = keras.layers.Concatenate(name=f"{name}_pre_relu")(linear)
    return JoinedBranches(name=name)([joined, *rectified])


def _auxiliary_head(x, number, classes, activation):
    """Classifier number 0 or 1 on an inner module: (N, H, W, channels) -> (N, classes)."""
    if None in x.shape[1:3] or min(x.shape[1:3]) < 5:
        raise InputError(
            f"auxiliary classifiers are given maps of {x.shape[1]} x {x.shape[2]}; they take a "
            "known size of at least 5 x 5, a sixteenth of the picture's"
        )
    x = keras.layers.AveragePooling2D(5, strides=3, name=f"head{number}_pool")(x)
    _, x = _convolution(x, f"head{number}_bottleneck", 128, 1)
    x = keras.layers.Flatten(name=f"head{number}_flat")(x)
    x = keras.layers.Dense(1024, name=f"nn{number}_pre_relu")(x)
    x = keras.layers.ReLU(name=f"nn{number}")(x)
    x = keras.layers.Dropout(AUXILIARY_DROPOUT, name=f"nn{number}_dropout")(x)
    dense, output = f"softmax{number}_pre_activation", f"softmax{number}"
    return caffe_layers.classifier(x, classes, activation, dense, output)


def auxiliary_heads(model, classes, activation):
    """Put the two auxiliary classifiers on the modules of a network, for deep supervision.

    Args:
        model: keras.Model with layers `mixed4a` and `mixed4d`.
        classes: outputs of each.
        activation: `softmax`, `sigmoid` or `linear`.

    Returns:
        list of two Keras tensors (N, classes).

    Raises:
        InputError: another network, or pictures that are too small.

    Source: Szegedy et al. 2015, section 5.
    """
    names = {layer.name for layer in model.layers}
    if not set(AUXILIARY_ON) <= names:
        raise InputError(
            f"auxiliary heads go on {' and '.join(AUXILIARY_ON)}, which {model.name} lacks; "
            "accepted: GoogLeNet or InceptionV1"
        )
    return [
        _auxiliary_head(model.get_layer(module).output, number, classes, activation)
        for module, number in AUXILIARY_ON.items()
    ]


def _convolution(x, name, filters, size, strides=1, padding="same"):
    """Convolution `<name>_pre_relu` and ReLU `<name>`; returns what both give."""
    linear = keras.layers.Conv2D(
        filters, size, strides=strides, padding=padding, name=f"{name}_pre_relu"
    )(x)
    return linear, keras.layers.ReLU(name=name)(linear)


def _same_max_pool(x, name):
    return keras.layers.MaxPooling2D(3, strides=2, padding="same", name=name)(x)
