"""A small network with layers named as InceptionV1's, and its frozen TensorFlow graph."""

import numpy as np
import pytest


@pytest.fixture(scope="session")
def small_network():
    """Return a function that makes a network of two convolutions, two norms and a classifier."""
    import keras

    from models.caffe_layers import LocalResponseNormalization

    def make():
        pixels = keras.Input((6, 6, 3))
        x = keras.layers.Conv2D(4, 3, name="conv2d0_pre_relu")(pixels)
        x = LocalResponseNormalization(name="localresponsenorm0")(x)
        x = keras.layers.Conv2D(5, 1, name="conv2d1_pre_relu")(x)
        x = LocalResponseNormalization(name="localresponsenorm1")(x)
        x = keras.layers.GlobalAveragePooling2D(name="avgpool0")(x)
        x = keras.layers.Dense(2, name="softmax2_pre_activation")(x)
        return keras.Model(pixels, x, name="small")

    return make


@pytest.fixture
def small_graph():
    """Return the GraphDef of small_network, with one constant beside its weights."""
    from tensorflow import make_tensor_proto
    from tensorflow.core.framework import graph_pb2

    shapes = {
        "conv2d0_w": (3, 3, 3, 4),
        "conv2d0_b": (4,),
        "conv2d1_w": (1, 1, 4, 5),
        "conv2d1_b": (5,),
        "softmax2_w": (5, 2),
        "softmax2_b": (2,),
    }
    random = np.random.default_rng(0)
    graph = graph_pb2.GraphDef()
    for name, shape in shapes.items():
        node = graph.node.add(name=name, op="Const")
        node.attr["dtype"].type = 1
        values = random.normal(size=shape).astype("float32")
        node.attr["value"].tensor.CopyFrom(make_tensor_proto(values))
    axis = graph.node.add(name="concat_dim", op="Const")
    axis.attr["value"].tensor.CopyFrom(make_tensor_proto(3))
    for number in (0, 1):
        node = graph.node.add(name=f"localresponsenorm{number}", op="LRN", input=["before"])
        node.attr["depth_radius"].i = 2 + number
        node.attr["bias"].f = 1.5 + number
        node.attr["alpha"].f = 0.25 + number
        node.attr["beta"].f = 0.75
    return graph
