"""Redirected ReLU gradients, as in Lucid: a channel that no picture excites can start.

Where a ReLU lets no gradient at all through to an image, the gradient of that image passes wherever
it would not push a cut-off value further into the region where the ReLU is flat.
"""

from keras import ops

REDIRECTED_STEPS = 16  # Lucid, misc/redirected_relu_grad.py: plain gradients once a start is made


def activation(step, max_value=None):
    """Make a ReLU whose gradient is redirected while `step` is small.

    The forward pass is the plain ReLU's. The choice is made in the compiled step, by the value of
    `step`: nothing is compiled again when it grows.

    Args:
        step: scalar float32 keras.Variable, the number of ascent steps made so far.
        max_value: upper bound of the ReLU (6 for ReLU6), None for none.

    Returns:
        Function of a tensor (N, ...) of any float type, giving the same shape and type. Its
        gradient is right for a loss that is descended (an upstream gradient above 0 pushes the
        value lower).

    Source: Lucid, misc/redirected_relu_grad.py.
    """

    @ops.custom_gradient
    def relu(x, steps_made):
        y = ops.maximum(x, 0) if max_value is None else ops.clip(x, 0, max_value)

        def gradient(*upstream_first, upstream=None):
            # Keras passes the upstream gradient by name or by position, by backend
            upstream = upstream_first[0] if upstream is None else upstream
            return _gradient(y, upstream, steps_made, max_value), ops.zeros_like(steps_made)

        return y, gradient

    return lambda x: relu(x, ops.convert_to_tensor(step))


def _gradient(y, upstream, steps_made, max_value):
    """Gradient to the ReLU's input from its output; y alone, so that the input is not kept."""
    zero = ops.zeros_like(upstream)

    def plain():
        passes = y > 0 if max_value is None else ops.logical_and(y > 0, y < max_value)
        return ops.where(passes, upstream, zero)

    def redirected():
        through = plain()
        inner_axes = tuple(range(1, len(through.shape)))
        blocked = ops.max(ops.abs(through), axis=inner_axes, keepdims=True) == 0
        outward = ops.logical_and(y <= 0, upstream > 0)
        if max_value is not None:
            beyond = ops.logical_and(y >= max_value, upstream < 0)
            outward = ops.logical_or(outward, beyond)
        return ops.where(blocked, ops.where(outward, zero, upstream), through)

    return ops.cond(steps_made < REDIRECTED_STEPS, redirected, plain)
