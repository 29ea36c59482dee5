"""Lucid 0.3.10: its own graph (make_vis_T) and its own session loop, on today's TensorFlow.

Lucid does not import on TensorFlow 2. Here the name `tensorflow` means tensorflow.compat.v1 to it,
without eager execution, and modules that it imports and never runs here are empty. Its rotation is
gone with tf.contrib; its other standard transforms run, which makes Lucid faster than it was. All
else is its default: FFT and decorrelated image, Adam 0.05, redirected ReLU gradients. The network
is ours, frozen into a graph. A batch is a sum of channel objectives, one for each image.
"""

import sys
import types

import keras
import tensorflow
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from benchmarks.peers import serving

ROTATION = 3  # its place in Lucid's standard transforms
STUBS = {"IPython": ("display",), "IPython.display": (), "tensorflow.contrib": ("slim",)}


def frozen(size):
    """The network as a GraphDef with constants; its input's and output's names.

    Made while TensorFlow is still its present self.
    """
    model = serving.network(size)
    signature = tensorflow.TensorSpec((None, None, None, 3), "float32", name="pixels")
    traced = tensorflow.function(lambda pixels: model(pixels, training=False))
    graph = convert_variables_to_constants_v2(traced.get_concrete_function(signature))
    return graph.graph.as_graph_def(), graph.inputs[0].op.name, graph.outputs[0].name


def as_tensorflow_1():
    """Let `import tensorflow` mean its compatibility module, and stub what is gone."""
    old = tensorflow.compat.v1
    old.disable_eager_execution()
    sys.modules["tensorflow"] = old
    for name, attributes in STUBS.items():
        stub = types.ModuleType(name)
        for attribute in attributes:
            setattr(stub, attribute, types.ModuleType(f"{name}.{attribute}"))
        sys.modules[name] = stub
    return old


def prepare(size, batch):
    """Make run(steps) for the first `batch` channels."""
    definition, entry, output = frozen(size)
    keras.backend.clear_session()
    old = as_tensorflow_1()
    from lucid.modelzoo.vision_base import Model
    from lucid.optvis import objectives, param, render, transform

    class Network(Model):
        input_name = entry
        image_value_range = (0, 255)
        graph_def = definition

    objective = sum(objectives.channel(output, i, batch=i) for i in range(batch))
    kept = [t for i, t in enumerate(transform.standard_transforms) if i != ROTATION]
    old.Graph().as_default().__enter__()
    session = old.Session()
    session.__enter__()
    T = render.make_vis_T(
        Network(),
        objective,
        lambda: param.image(size, batch=batch),
        transforms=kept,
        relu_gradient_override=True,
    )
    fetches = [T("loss"), T("vis_op")]
    old.global_variables_initializer().run()

    def run(steps):
        for _ in range(steps):
            session.run(fetches)

    return run


if __name__ == "__main__":
    serving.serve(prepare)
