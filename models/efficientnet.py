"""EfficientNetB0-B7 as their ImageNet weights were trained."""

import math

import keras


def with_deviation(model):
    """Put back the scaling that keras.applications gives EfficientNetB0-B7 only for `imagenet`.

    Their weights were trained with channels divided once more, by the square root of ImageNet's
    deviation (keras/applications/efficientnet.py); without that layer they would load too.
    """
    again = keras.layers.Rescaling([1 / math.sqrt(d) for d in (0.229, 0.224, 0.225)])

    def call(layer, *given, **named):
        output = layer(*given, **named)
        return again(output) if isinstance(layer, keras.layers.Normalization) else output

    return keras.models.clone_model(model, call_function=call)
