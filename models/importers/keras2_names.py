"""Layer and variable names of Keras 1 and 2 that are called otherwise in Keras 3: data only.

Sources: keras/applications/resnet50.py of Keras 2.0 to 2.2, and the `build` methods of Keras 1.2's
layers for the variables.
"""

# blocks of ResNet50's stages 2 to 5 (He et al. 2016, table 1)
_BLOCKS = {2: 3, 3: 4, 4: 6, 5: 3}
# convolution within a block: old suffix -> today's number (0 is the shortcut)
_BRANCHES = {"1": 0, "2a": 1, "2b": 2, "2c": 3}

# old layer name -> today's, where a network's layers were renamed
RENAMED = {
    "conv1": "conv1_conv",
    "bn_conv1": "conv1_bn",
    "fc1000": "predictions",
} | {
    f"{old}{stage}{'abcdef'[block]}_branch{branch}": f"conv{stage}_block{block + 1}_{number}_{new}"
    for old, new in (("res", "conv"), ("bn", "bn"))
    for stage, blocks in _BLOCKS.items()
    for block in range(blocks)
    for branch, number in _BRANCHES.items()
}

# the name Keras 1, 2 or 3 gives a layer without one, before `_N` -> class of the layer today
COUNTERS = {
    "conv2d": "Conv2D",
    "convolution2d": "Conv2D",
    "batch_normalization": "BatchNormalization",
    "batchnormalization": "BatchNormalization",
    "separable_conv2d": "SeparableConv2D",
    "separableconvolution2d": "SeparableConv2D",
    "depthwise_conv2d": "DepthwiseConv2D",
    "dense": "Dense",
}

# end of an old variable's name -> today's name; the longer ends first
VARIABLES = {
    "depthwise_kernel": "depthwise_kernel",
    "pointwise_kernel": "pointwise_kernel",
    "moving_variance": "moving_variance",
    "moving_mean": "moving_mean",
    # Keras 1 kept the variance under this name
    "running_std": "moving_variance",
    "running_mean": "moving_mean",
    "kernel": "kernel",
    "gamma": "gamma",
    "beta": "beta",
    "bias": "bias",
    "W": "kernel",
    "b": "bias",
}

# the classifier's last layer: models.zoo.build's name, keras.applications' name
HEADS = ("head", "predictions")
