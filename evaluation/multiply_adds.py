"""How many multiplications with addition a network needs for one picture: convolutions and matrix
products, nothing else.

Counted on a small image and scaled by its area, which is exact for networks of convolutions; what
does not grow with the image (a dense layer behind a global pooling) is thereby overestimated.
"""

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import keras

OUTPUT = (720, 1280)  # height and width of the output that figures refer to
_SIZE = (36, 64)  # LR height and width they are counted at: any stride up to 4 divides them

_KERNEL_INPUT = {  # TensorFlow's operations: which input is the kernel
    "Conv2D": 1,
    "DepthwiseConv2dNative": 1,
    "Conv2DBackpropInput": 1,
    "MatMul": 1,
    "BatchMatMulV2": 1,
}


def of_keras(model: "keras.Model", scale: int) -> float | None:
    """Multiply-adds of a Keras generator for an output of OUTPUT; None where its graph hides its
    operations in functions.
    """
    import tensorflow as tf

    function = tf.function(lambda lr: model(lr, training=False), autograph=False)
    graph = function.get_concrete_function(tf.TensorSpec((1, *_SIZE, 3), tf.float32)).graph
    total = 0
    for operation in graph.get_operations():
        if operation.type in ("PartitionedCall", "StatefulPartitionedCall", "While", "StatelessWhile"):
            return None
        if operation.type in _KERNEL_INPUT:
            total += _of_operation(operation)
    return _for_output(total, _SIZE, scale)


def of_tflite(content: bytes, scale: int) -> float | None:
    """Multiply-adds of a .tflite file (its bytes) for an output of OUTPUT, or None where the plain
    kernels cannot run it.
    """
    from ai_edge_litert import schema_py_generated as schema

    found = _shapes_in(content)
    if found is None:
        return None
    shapes, size = found
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    codes = [max(code.builtinCode, code.deprecatedBuiltinCode) for code in model.operatorCodes]
    kinds = schema.BuiltinOperator
    total = 0
    for operation in model.subgraphs[0].operators:
        kind = codes[operation.opcodeIndex]
        inputs, output = [int(index) for index in operation.inputs], shapes[int(operation.outputs[0])]
        if kind in (kinds.CONV_2D, kinds.FULLY_CONNECTED):  # kernel (out, ..., in)
            total += math.prod(output) * math.prod(shapes[inputs[1]][1:])
        elif kind == kinds.DEPTHWISE_CONV_2D:  # kernel (1, height, width, channels)
            total += math.prod(output) * math.prod(shapes[inputs[1]][1:3])
        elif kind == kinds.TRANSPOSE_CONV:  # output shape, kernel (out, height, width, in), input
            total += math.prod(shapes[inputs[2]]) * math.prod(shapes[inputs[1]][:3])
        elif kind == kinds.BATCH_MATMUL:
            total += math.prod(output) * shapes[inputs[0]][-1]
    return _for_output(total, size, scale)


def _shapes_in(content):
    """({tensor index: shape}, (height, width) of the input) of a .tflite file, or None."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    # Without the delegate, which would take over whole stretches of the graph and leave their
    # tensors without a shape.
    plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    options = {"experimental_op_resolver_type": plain, "experimental_preserve_all_tensors": True}
    interpreter = Interpreter(model_content=content, **options)
    entry = interpreter.get_input_details()[0]
    size = tuple(int(side) for side in entry["shape_signature"][1:3])
    try:
        if min(size) < 0:
            size = _SIZE
            interpreter.resize_tensor_input(entry["index"], (1, *size, 3))
            interpreter.allocate_tensors()
            interpreter.invoke()  # some shapes are known only once the network has computed them
        else:
            interpreter.allocate_tensors()
    except (RuntimeError, ValueError, MemoryError):  # plain kernels refuse what the delegate can run
        return None
    shapes = {
        detail["index"]: tuple(int(side) for side in detail["shape"]) for detail in interpreter.get_tensor_details()
    }
    return shapes, size


def of_saved_model(folder: str | Path, scale: int) -> float | None:
    """Multiply-adds of a SavedModel, counted on its conversion to TFLite; None where it cannot be
    converted.
    """
    import tensorflow as tf

    try:
        content = tf.lite.TFLiteConverter.from_saved_model(str(folder)).convert()
    except Exception:  # the converter raises what it likes; a missing figure is no failure
        return None
    return of_tflite(content, scale)


def _of_operation(operation):
    output = np.array(operation.outputs[0].shape.as_list(), np.float64)
    kernel = operation.inputs[_KERNEL_INPUT[operation.type]].shape.as_list()
    if operation.type == "Conv2D":
        return output.prod() * math.prod(kernel[:3])
    if operation.type == "DepthwiseConv2dNative":  # each output channel sees one input channel
        return output.prod() * math.prod(kernel[:2])
    if operation.type == "Conv2DBackpropInput":  # every input value meets the whole kernel once for each output channel
        return math.prod(operation.inputs[2].shape.as_list()) * math.prod(kernel[:3])
    return output.prod() * operation.inputs[0].shape.as_list()[-1]


def _for_output(total, size, scale):
    return float(total) * math.prod(OUTPUT) / (math.prod(size) * scale**2)
