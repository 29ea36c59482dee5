"""Caffe files in the whole networks, stage by stage against OpenCV's own run of the same file."""

import keras
import numpy as np
import pytest

from models.caffenet import CaffeNet
from models.importers import caffe
from models.inception_v1 import GoogLeNet
from tests.models.importers.caffe_files import caffemodel

MODULES = ("3a", "3b", "4a", "4b", "4c", "4d", "4e", "5a", "5b")
# OpenCV names an output after the layer, not after Caffe's blob: what it gives for a convolution
# is from before the ReLU that Caffe runs in place; a module's output joins branches after theirs.
STAGES = {
    "conv1|7x7_s2": "conv2d0_pre_relu",
    "pool1|norm1": "localresponsenorm0",
    "conv2|norm2": "localresponsenorm1",
    **{f"inception_{module}|output": f"mixed{module}" for module in MODULES},
    "pool5|7x7_s1": "avgpool0",
    "prob": "softmax2",
}

# 20 classes as in the Flickr style network; a ReLU stands for both its layer and its output
PROTOTXT = """
input: "data" input_shape { dim: 1 dim: 3 dim: 227 dim: 227 }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
  convolution_param { num_output: 96 kernel_size: 11 stride: 4 } }
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
layer { name: "pool1" type: "Pooling" bottom: "conv1" top: "pool1"
  pooling_param { pool: MAX kernel_size: 3 stride: 2 } }
layer { name: "norm1" type: "LRN" bottom: "pool1" top: "norm1"
  lrn_param { local_size: 5 alpha: 0.0001 beta: 0.75 } }
layer { name: "conv2" type: "Convolution" bottom: "norm1" top: "conv2"
  convolution_param { num_output: 256 pad: 2 kernel_size: 5 group: 2 } }
layer { name: "relu2" type: "ReLU" bottom: "conv2" top: "conv2" }
layer { name: "pool2" type: "Pooling" bottom: "conv2" top: "pool2"
  pooling_param { pool: MAX kernel_size: 3 stride: 2 } }
layer { name: "norm2" type: "LRN" bottom: "pool2" top: "norm2"
  lrn_param { local_size: 5 alpha: 0.0001 beta: 0.75 } }
layer { name: "conv3" type: "Convolution" bottom: "norm2" top: "conv3"
  convolution_param { num_output: 384 pad: 1 kernel_size: 3 } }
layer { name: "relu3" type: "ReLU" bottom: "conv3" top: "conv3" }
layer { name: "conv4" type: "Convolution" bottom: "conv3" top: "conv4"
  convolution_param { num_output: 384 pad: 1 kernel_size: 3 group: 2 } }
layer { name: "relu4" type: "ReLU" bottom: "conv4" top: "conv4" }
layer { name: "conv5" type: "Convolution" bottom: "conv4" top: "conv5"
  convolution_param { num_output: 256 pad: 1 kernel_size: 3 group: 2 } }
layer { name: "relu5" type: "ReLU" bottom: "conv5" top: "conv5" }
layer { name: "pool5" type: "Pooling" bottom: "conv5" top: "pool5"
  pooling_param { pool: MAX kernel_size: 3 stride: 2 } }
layer { name: "fc6" type: "InnerProduct" bottom: "pool5" top: "fc6"
  inner_product_param { num_output: 4096 } }
layer { name: "relu6" type: "ReLU" bottom: "fc6" top: "fc6" }
layer { name: "drop6" type: "Dropout" bottom: "fc6" top: "fc6" }
layer { name: "fc7" type: "InnerProduct" bottom: "fc6" top: "fc7"
  inner_product_param { num_output: 4096 } }
layer { name: "relu7" type: "ReLU" bottom: "fc7" top: "fc7" }
layer { name: "drop7" type: "Dropout" bottom: "fc7" top: "fc7" }
layer { name: "fc8_flickr" type: "InnerProduct" bottom: "fc7" top: "fc8_flickr"
  inner_product_param { num_output: 20 } }
layer { name: "prob" type: "Softmax" bottom: "fc8_flickr" top: "prob" }
"""
SHAPES = {
    "conv1": (96, 3, 11, 11),
    "conv2": (256, 48, 5, 5),
    "conv3": (384, 256, 3, 3),
    "conv4": (384, 192, 3, 3),
    "conv5": (256, 192, 3, 3),
    "fc6": (4096, 9216),
    "fc7": (4096, 4096),
    "fc8_flickr": (20, 4096),
}


@pytest.fixture
def unfilled(monkeypatch):
    """Networks built here begin as NaN: what the importer leaves unfilled shows in every output.

    It also spares JAX the compilation of one random draw for every shape.
    """

    def nan(self, shape, dtype=None, **kwargs):
        return np.full(shape, np.nan, dtype or "float32")

    monkeypatch.setattr(keras.initializers.GlorotUniform, "__call__", nan)
    monkeypatch.setattr(keras.initializers.Zeros, "__call__", nan)


def outputs(model, names, pictures):
    """Run a model; dict name -> output of that layer."""
    inner = keras.Model(model.input, {name: model.get_layer(name).output for name in names})
    return {name: np.asarray(value) for name, value in inner.predict(pictures, verbose=0).items()}


def assert_same(ours, theirs, name, lost):
    """Compare every number within 1e-3 of itself, and all of them together within 1e-4.

    A number near 0 is the difference of far larger ones: `lost`, of the largest number of the
    stage, is what float32 may lose on the way.
    """
    np.testing.assert_allclose(
        ours, theirs, rtol=1e-3, atol=lost * np.abs(theirs).max(), err_msg=name
    )
    error = np.linalg.norm(ours - theirs) / np.linalg.norm(theirs)
    assert error < 1e-4, name


def test_googlenet_is_opencv_s(unfilled, shared):
    path = shared / "weights" / "bvlc_googlenet.caffemodel"
    oracle = np.load(shared / "oracle" / "googlenet_opencv.npz")
    assert caffe.classes(path) == 1000
    model = GoogLeNet()
    report = caffe.load(path, model)
    assert len(report.loaded) == sum(bool(layer.weights) for layer in model.layers) == 58
    assert {reason for _, reason in report.skipped} == {"holds no weights"}
    bgr = oracle["images_rgb_uint8"][..., ::-1] - np.array((104, 117, 123), "f4")
    found = outputs(model, STAGES.values(), bgr)
    for stage, name in STAGES.items():
        ours = found[name]
        means = ours.mean((1, 2)) if ours.ndim == 4 else ours
        assert_same(means, oracle[stage], stage, lost=1e-6)
    ours, theirs = found["softmax2"], oracle["prob"]
    np.testing.assert_allclose(ours, theirs, rtol=1e-3)  # however small
    np.testing.assert_array_equal(np.argsort(-ours)[:, :5], np.argsort(-theirs)[:, :5])


def test_every_name_has_its_layer(unfilled):
    model = GoogLeNet(auxiliary=True)
    weighted = [layer.name for layer in model.layers if layer.weights]
    assert sorted(caffe.NAMES.values()) == sorted(weighted)
    assert len(caffe.NAMES) == len(weighted) == 64
    for dense, source in caffe.FLATTENED.items():
        if dense in weighted:
            rows, columns, channels = model.get_layer(source).output.shape[1:]
            assert model.get_layer(dense).kernel.shape[0] == rows * columns * channels


@pytest.mark.slow
def test_caffenet_is_opencv_s(unfilled, tmp_path):
    cv2 = pytest.importorskip("cv2", reason="opencv-python-headless is not installed")
    if not hasattr(cv2.dnn, "readNetFromCaffe"):
        pytest.skip(f"OpenCV {cv2.__version__} has no Caffe reader; version 4 does")
    drawn = np.random.default_rng(0)
    weights = {
        name: [
            # as much variance after every layer as before it: no output drowns
            drawn.standard_normal(shape, "f4") * np.float32(np.sqrt(2 / np.prod(shape[1:]))),
            drawn.standard_normal(shape[0], "f4"),
        ]
        for name, shape in SHAPES.items()
    }
    # the form in which the released CaffeNets are
    path = tmp_path / "net.caffemodel"
    path.write_bytes(caffemodel(weights, "V1", old=True))
    bgr = drawn.uniform(-123, 151, (2, 227, 227, 3)).astype("f4")
    net = cv2.dnn.readNetFromCaffe(np.frombuffer(PROTOTXT.encode(), "u1"), path.read_bytes())
    net.setInput(np.ascontiguousarray(bgr.transpose(0, 3, 1, 2)))
    stages = [name for name in SHAPES] + ["norm1", "norm2", "pool5", "prob"]
    oracle = dict(zip(stages, net.forward(stages), strict=True))

    model = CaffeNet(classes=caffe.classes(path))
    report = caffe.load(path, model)
    assert report.loaded == [(name, name.removesuffix("_flickr")) for name in SHAPES]
    found = outputs(model, [name.removesuffix("_flickr") for name in stages], bgr)
    for name in stages:
        theirs = oracle[name]
        if theirs.ndim == 4:
            theirs = theirs.transpose(0, 2, 3, 1)
        assert_same(found[name.removesuffix("_flickr")], theirs, name, lost=1e-5)
