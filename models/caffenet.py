"""CaffeNet, the network of Caffe's reference model (Jia et al. 2014), named as in Caffe.

AlexNet (Krizhevsky et al. 2012) with pooling before normalisation. Cetinic et al. 2018 fine-tune
six sets of its weights: ImageNet (1000 classes), Places and Hybrid-CNN (1183), MemNet (1 output,
regression), Sentiment (2), Flickr style (20).

fc6 reads a flattened map. Caffe flattens (channels, rows, columns), Keras (rows, columns,
channels): whoever fills fc6 from a Caffe file reorders its 9216 inputs.
"""

import keras

from models import caffe_layers
from models.caffe_layers import CAFFE_LRN, LocalResponseNormalization
from models.errors import InputError

# layer: filters, kernel, stride, padding, groups, followed by pooling, by normalisation
CONVOLUTIONS = {
    "conv1": (96, 11, 4, "valid", 1, True, True),
    "conv2": (256, 5, 1, "same", 2, True, True),
    "conv3": (384, 3, 1, "same", 1, False, False),
    "conv4": (384, 3, 1, "same", 2, False, False),
    "conv5": (256, 3, 1, "same", 2, True, False),
}
FEATURES = 4096  # of fc6 and fc7
DROPOUT = 0.5  # after each of them
SMALLEST = 39  # pixels; below this pool5 has nothing to read


def CaffeNet(  # noqa: N802 (a constructor, as in keras.applications)
    include_top=True,
    weights=None,
    input_tensor=None,
    input_shape=None,
    classes=1000,
    classifier_activation="softmax",
):
    """CaffeNet, for classes, two classes or a number.

    Args:
        include_top: end in `prob`, else in `drop7`, the 4096 features of fc7 after ReLU (and
            dropout while training).
        weights: None; there are none to download. Files are opened by models.load.
        input_tensor: Keras tensor (N, H, W, 3) to begin from, BGR minus the mean of the weights'
            training pictures.
        input_shape: (H, W, 3) where there is no input_tensor; default (227, 227, 3). fc6 needs a
            known size, with or without top.
        classes: outputs of fc8.
        classifier_activation: of `prob`: `softmax` for classes, `linear` for regression
            (MemNet: classes=1), `sigmoid`.

    Returns:
        Flat keras.Model: (N, H, W, 3) -> (N, classes), without top (N, 4096).

    Raises:
        InputError: an input of unknown or too small size, softmax over one output, or
            weights other than None.

    Source: bvlc_reference_caffenet in Caffe's model zoo.
    """
    source, x = caffe_layers.image_input(input_tensor, input_shape, (227, 227, 3))
    if None in x.shape[1:3] or min(x.shape[1:3]) < SMALLEST:
        raise InputError(
            f"CaffeNet was given pictures of {x.shape[1]} x {x.shape[2]} pixels; it takes a known "
            f"size of at least {SMALLEST} x {SMALLEST}, its weights 227 x 227"
        )
    for name, row in CONVOLUTIONS.items():
        x = _block(x, name, *row)
    x = keras.layers.Flatten(name="flatten")(x)
    for number in "67":
        x = keras.layers.Dense(FEATURES, name=f"fc{number}")(x)
        x = keras.layers.ReLU(name=f"relu{number}")(x)
        x = keras.layers.Dropout(DROPOUT, name=f"drop{number}")(x)
    if include_top:
        x = caffe_layers.classifier(x, classes, classifier_activation, "fc8", "prob")
    return caffe_layers.finished(source, x, "CaffeNet", weights)


def _block(x, name, filters, size, stride, padding, groups, pooled, normalised):
    """Convolution, ReLU and, where the table says so, pooling and normalisation."""
    number = name.removeprefix("conv")
    x = keras.layers.Conv2D(filters, size, stride, padding, groups=groups, name=name)(x)
    x = keras.layers.ReLU(name=f"relu{number}")(x)
    if pooled:
        x = caffe_layers.max_pool(x, f"pool{number}")
    if normalised:
        x = LocalResponseNormalization(**CAFFE_LRN, name=f"norm{number}")(x)
    return x
