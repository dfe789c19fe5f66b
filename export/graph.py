"""What is inside a TFLite file: its operations, which of them XNNPACK runs, its metadata."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from ai_edge_litert.tools import flatbuffer_utils

METADATA_NAME = "super_resolution.json"

# What the GPU delegate takes. Source: LiteRT, tflite/tools/versioning/gpu_compatibility.cc, commit
# 007226f; its StableHLO operations left out.
GPU_SOURCE = "LiteRT 007226f"
GPU_OPERATIONS = {
    *("ABS", "ADD", "ADD_N", "ATAN2", "AVERAGE_POOL_2D", "BATCH_MATMUL", "BITCAST"),
    *("CAST", "CEIL", "CONCATENATION", "CONV_2D", "COS", "CUMSUM", "DENSIFY"),
    *("DEPTHWISE_CONV_2D", "DEPTH_TO_SPACE", "DEQUANTIZE", "DIV", "DYNAMIC_UPDATE_SLICE", "ELU", "EMBEDDING_LOOKUP"),
    *("EQUAL", "EXP", "FLOOR", "FLOOR_DIV", "FLOOR_MOD", "FULLY_CONNECTED", "GATHER"),
    *("GELU", "GREATER", "GREATER_EQUAL", "HARD_SWISH", "LEAKY_RELU", "LESS", "LESS_EQUAL"),
    *("LOG", "LOGICAL_AND", "LOGICAL_NOT", "LOGICAL_OR", "LOGISTIC", "LSTM", "MAXIMUM"),
    *("MAX_POOL_2D", "MEAN", "MINIMUM", "MIRROR_PAD", "MUL", "NEG", "NOT_EQUAL"),
    *("ONE_HOT", "PACK", "PAD", "PADV2", "POW", "PRELU", "QUANTIZE"),
    *("REDUCE_ALL", "REDUCE_ANY", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD", "RELU", "RELU6"),
    *("RELU_N1_TO_1", "RESHAPE", "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", "REVERSE_V2", "RIGHT_SHIFT", "ROUND"),
    *("RSQRT", "SELECT", "SELECT_V2", "SIGN", "SIN", "SLICE", "SOFTMAX"),
    *("SPACE_TO_DEPTH", "SPLIT", "SPLIT_V", "SQRT", "SQUARE", "SQUARED_DIFFERENCE", "STRIDED_SLICE"),
    *("SUB", "SUM", "TANH", "TILE", "TOPK_V2", "TRANSPOSE", "TRANSPOSE_CONV"),
}


def operations(content: bytes) -> list[str]:
    """Names of the operations of a TFLite file, in order: ["CONV_2D", …]. content: the file's
    bytes.
    """
    model = schema.Model.GetRootAs(content, 0)
    names = {value: name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)}
    codes = [model.OperatorCodes(i) for i in range(model.OperatorCodesLength())]
    # Codes over 127 stand in the newer field; the older one then holds 127.
    names_by_index = [names[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())] for code in codes]
    graph = model.Subgraphs(0)
    return [names_by_index[graph.Operators(i).OpcodeIndex()] for i in range(graph.OperatorsLength())]


def float_operations(content: bytes) -> list[str]:
    """Names of the operations that compute with floats: none in a fully quantised file. content:
    the file's bytes.
    """
    graph = schema.Model.GetRootAs(content, 0).Subgraphs(0)
    floats = {schema.TensorType.FLOAT32, schema.TensorType.FLOAT16}
    return [
        name
        for i, name in enumerate(operations(content))
        if any(graph.Tensors(output).Type() in floats for output in graph.Operators(i).OutputsAsNumpy())
    ]


def outside_xnnpack(content: bytes, *, height: int = 64, width: int = 64) -> list[str]:
    """Names of the operations that LiteRT does not hand to XNNPACK here, in the order in which they
    run backwards from the output.

    content: the file's bytes. height, width: input size where the file leaves it open.
    """
    interpreter = Interpreter(model_content=content)
    details = interpreter.get_input_details()[0]
    if -1 in details["shape_signature"]:
        interpreter.resize_tensor_input(details["index"], (1, height, width, 3), strict=True)
    interpreter.allocate_tensors()
    # The runtime has no public list of its execution plan. This one holds every node, and the
    # delegate's beside those it replaced.
    nodes = interpreter._get_ops_details()
    makers = {}
    for node in nodes:
        for output in node["outputs"]:
            if output not in makers or node["op_name"] == "DELEGATE":
                makers[output] = node
    outside, seen = [], set()
    wanted = [tensor["index"] for tensor in interpreter.get_output_details()]
    while wanted:
        node = makers.get(wanted.pop())
        if node is None or node["index"] in seen:
            continue
        seen.add(node["index"])
        if node["op_name"] != "DELEGATE":
            outside.append(node["op_name"])
        wanted.extend(int(tensor) for tensor in np.ravel(node["inputs"]) if tensor >= 0)
    return outside


def with_fixed_size(content: bytes, *, height: int, width: int) -> bytes:
    """The file's bytes, with input and output, which take any size, fixed to one.

    Weights and ranges stay as they are. Delegates want each inner size too: it is what the runtime
    finds when it allocates that input.
    """
    plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES  # a delegate would hide tensors
    interpreter = Interpreter(model_content=content, experimental_op_resolver_type=plain)
    interpreter.resize_tensor_input(interpreter.get_input_details()[0]["index"], (1, height, width, 3), strict=True)
    interpreter.allocate_tensors()
    shapes = {tensor["index"]: tensor["shape"] for tensor in interpreter.get_tensor_details()}
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    for i, tensor in enumerate(model.subgraphs[0].tensors):
        tensor.shape, tensor.shapeSignature = shapes[i].tolist(), None
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def with_metadata(content: bytes, description: dict[str, Any]) -> bytes:
    """The file's bytes with `description`, JSON values, in its metadata, in place of an older
    one.
    """
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    older = [entry for entry in model.metadata or [] if entry.name == METADATA_NAME.encode()]
    if older:
        model.buffers[older[0].buffer].data = json.dumps(description).encode()
        return bytes(flatbuffer_utils.convert_object_to_bytearray(model))
    buffer = schema.BufferT()
    buffer.data = json.dumps(description).encode()
    model.buffers.append(buffer)
    entry = schema.MetadataT()
    entry.name, entry.buffer = METADATA_NAME.encode(), len(model.buffers) - 1
    model.metadata = [*(model.metadata or []), entry]
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def gpu_refusals(content: bytes) -> list[str]:
    """The operations of a TFLite file that the GPU delegate does not take, with the reason, each
    once. content: the file's bytes.

    By name, and by the block size of DEPTH_TO_SPACE. (`tf.lite.experimental.Analyzer` has a check
    of the same name. That of TensorFlow 2.21 calls UNIQUE, WHILE and RFFT2D compatible, which the
    delegate refuses: it checks nothing.)
    """
    graph, refused = schema.Model.GetRootAs(content, 0).Subgraphs(0), []
    for i, name in enumerate(operations(content)):
        if name not in GPU_OPERATIONS:
            refused.append(f"{name}: it has no such operation")
        elif name == "DEPTH_TO_SPACE":
            options = schema.DepthToSpaceOptions()
            table = graph.Operators(i).BuiltinOptions()
            options.Init(table.Bytes, table.Pos)
            if options.BlockSize() <= 1:
                refused.append(f"{name}: its block size has to be above 1")
    return list(dict.fromkeys(refused))


def read_metadata(file: str | Path | bytes) -> dict | None:
    """What `with_metadata` wrote; None where there is none. file: the path of a .tflite file, or
    its bytes.
    """
    content = file if isinstance(file, bytes) else Path(file).read_bytes()
    model = schema.Model.GetRootAs(content, 0)
    for i in range(model.MetadataLength()):
        if model.Metadata(i).Name() == METADATA_NAME.encode():
            return json.loads(model.Buffers(model.Metadata(i).Buffer()).DataAsNumpy().tobytes())
    return None
