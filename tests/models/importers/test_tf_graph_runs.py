"""The TensorFlow graph importer: a graph of the 5h names runs the same in TensorFlow and here."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.importers import tf_graph
from models.inception_v1 import InceptionV1

v1 = tf.compat.v1

# 1x1, 3x3 bottleneck, 3x3, 5x5 bottleneck, 5x5, pool reduce: FACTS of Lucid's 5h graph, written
# again so that a slip in models/inception_v1.py shows
WIDTHS = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 204, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 48, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}
# two different ones, neither TensorFlow's default nor InceptionV1's
LRN = (
    {"depth_radius": 3, "bias": 1.5, "alpha": 0.02, "beta": 0.6},
    {"depth_radius": 6, "bias": 0.8, "alpha": 0.01, "beta": 0.7},
)
CLASSES = 1008
NORMALISED = ["localresponsenorm0", "localresponsenorm1"]
COMPARED = [*NORMALISED, "mixed3a", "mixed4d_3x3_pre_relu", "mixed4d", "mixed5b"]
COMPARED += [f"softmax{i}{end}" for i in (0, 1, 2) for end in ("_pre_activation", "")]


class FiveH:
    """The 5h graph with random weights, written with TensorFlow's own operations."""

    def __init__(self, side, seed):
        self.random = np.random.default_rng(seed)
        with tf.Graph().as_default() as graph:
            pixels = v1.placeholder("float32", (None, side, side, 3), "input")
            self.trunk(pixels)
            self.definition = graph.as_graph_def()

    def weights(self, name, *shape):
        # He et al. 2015: keeps the values near 1 through all layers
        spread = np.sqrt(2 / np.prod(shape[:-1]))
        kernel = self.random.normal(0, spread, shape).astype("float32")
        bias = self.random.normal(0, 0.1, shape[-1]).astype("float32")
        return tf.constant(kernel, name=f"{name}_w"), tf.constant(bias, name=f"{name}_b")

    def convolution(self, x, name, width, size, stride=1):
        kernel, bias = self.weights(name, size, size, x.shape[-1], width)
        x = tf.nn.conv2d(x, kernel, stride, "SAME", name=f"{name}_pre_relu/conv")
        return tf.nn.relu(tf.nn.bias_add(x, bias, name=f"{name}_pre_relu"), name=name)

    def dense(self, x, name, label, width):
        kernel, bias = self.weights(name, x.shape[-1], width)
        return tf.nn.bias_add(tf.matmul(x, kernel), bias, name=label)

    def trunk(self, x):
        x = self.convolution(x, "conv2d0", 64, 7, 2)
        x = tf.nn.max_pool2d(x, 3, 2, "SAME", name="maxpool0")
        x = tf.nn.local_response_normalization(x, **LRN[0], name="localresponsenorm0")
        x = self.convolution(x, "conv2d1", 64, 1)
        x = self.convolution(x, "conv2d2", 192, 3)
        x = tf.nn.local_response_normalization(x, **LRN[1], name="localresponsenorm1")
        x = tf.nn.max_pool2d(x, 3, 2, "SAME", name="maxpool1")
        for number, (block, widths) in enumerate(WIDTHS.items()):
            if block in ("4a", "5a"):
                x = tf.nn.max_pool2d(x, 3, 2, "SAME", name=f"maxpool{3 * (number // 2) + 1}")
            x = self.module(x, f"mixed{block}", *widths)
            if block in ("4a", "4d"):
                self.head(x, 0 if block == "4a" else 1)
        x = tf.nn.avg_pool2d(x, x.shape[1:3], 1, "VALID", name="avgpool0")
        x = tf.reshape(x, (-1, 1024), name="avgpool0/reshape")
        x = self.dense(x, "softmax2", "softmax2_pre_activation", CLASSES)
        tf.nn.softmax(x, name="softmax2")

    def module(self, x, name, one, narrow3, three, narrow5, five, reduce):
        b1 = self.convolution(x, f"{name}_1x1", one, 1)
        b3 = self.convolution(x, f"{name}_3x3_bottleneck", narrow3, 1)
        b3 = self.convolution(b3, f"{name}_3x3", three, 3)
        b5 = self.convolution(x, f"{name}_5x5_bottleneck", narrow5, 1)
        b5 = self.convolution(b5, f"{name}_5x5", five, 5)
        pooled = tf.nn.max_pool2d(x, 3, 1, "SAME", name=f"{name}_pool")
        return tf.concat(
            [b1, b3, b5, self.convolution(pooled, f"{name}_pool_reduce", reduce, 1)], 3, name=name
        )

    def head(self, x, number):
        x = tf.nn.avg_pool2d(x, 5, 3, "VALID", name=f"head{number}_pool")
        x = self.convolution(x, f"head{number}_bottleneck", 128, 1)
        x = tf.reshape(x, (-1, int(np.prod(x.shape[1:]))))
        x = tf.nn.relu(self.dense(x, f"nn{number}", f"nn{number}_pre_relu", 1024), f"nn{number}")
        x = self.dense(x, f"softmax{number}", f"softmax{number}_pre_activation", CLASSES)
        tf.nn.softmax(x, name=f"softmax{number}")


def run(definition, names, pixels):
    """Run a GraphDef in TensorFlow itself."""
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(definition, name="")
        with v1.Session(graph=graph) as session:
            return session.run([f"{name}:0" for name in names], {"input:0": pixels})


def outputs(model, pixels):
    """Run inner layers of a Keras network."""
    inner = keras.Model(model.input, [model.get_layer(name).output for name in COMPARED])
    return inner.predict_on_batch(pixels)


@pytest.fixture(autouse=True)
def undrawn(monkeypatch):
    """Every weight is replaced, and drawing them costs JAX half a minute of compiling."""
    zeros = lambda self, shape, dtype=None: np.zeros(shape, dtype)  # noqa: E731
    monkeypatch.setattr(keras.initializers.GlorotUniform, "__call__", zeros)


# 239: an odd side at which the heads read 4 x 4 as they do at 224
@pytest.mark.parametrize("side", [224, 239])
def test_runs_as_in_tensorflow(side, tmp_path):
    definition = FiveH(side, seed=side).definition
    path = tmp_path / "graph.pb"
    path.write_bytes(definition.SerializeToString())
    assert tf_graph.classes(path) == CLASSES
    model = InceptionV1(input_shape=(side, side, 3), auxiliary=True)
    report = tf_graph.load(path, model)
    tensors = [node.name for node in definition.node if node.name.endswith(("_w", "_b"))]
    assert sorted(name for name, _ in report.loaded) == sorted(tensors + NORMALISED)
    assert len(report.loaded) == 2 * (3 + 9 * 6 + 2 * 3 + 1) + 2
    pixels = np.random.default_rng(1).uniform(-1, 1, (1, side, side, 3)).astype("float32")
    expected = run(definition, COMPARED, pixels)
    for name, theirs, ours in zip(COMPARED, expected, outputs(model, pixels), strict=True):
        # the softmax of 1008 classes is about 0.001, so the tolerance goes with the values
        scale = np.abs(theirs).max()
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4 * scale, err_msg=name)
