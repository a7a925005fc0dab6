"""A small TFLite file, written by the classes of its schema: where there is LiteRT and no TensorFlow, there are files too."""

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

ROWS, WIDTH, LENGTH = 30, 4, 7


def make_lookup(signatures=("serving_default",)):
    """Return the bytes of a file that looks ids up in a table, under each of the signatures."""
    model = schema.ModelT()
    model.version = 3
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.GATHER
    code.version = 1
    model.operatorCodes = [code]
    table = schema.BufferT()
    table.data = np.arange(ROWS * WIDTH, dtype=np.float32).view(np.uint8)
    model.buffers = [schema.BufferT(), table]
    model.subgraphs = [_make_graph()]
    model.signatureDefs = [_make_signature(name) for name in signatures]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _make_graph():
    graph = schema.SubGraphT()
    kinds = schema.TensorType
    graph.tensors = [
        _make_tensor(b"table", kinds.FLOAT32, [ROWS, WIDTH], [ROWS, WIDTH], 1),
        _make_tensor(b"input_ids", kinds.INT32, [1, LENGTH], [-1, LENGTH], 0),
        _make_tensor(b"found", kinds.FLOAT32, [1, LENGTH, WIDTH], [-1, LENGTH, WIDTH], 0),
    ]
    graph.inputs, graph.outputs, graph.name = [1], [2], b"main"
    operator = schema.OperatorT()
    operator.inputs, operator.outputs = [0, 1], [2]
    operator.builtinOptionsType, operator.builtinOptions = schema.BuiltinOptions.GatherOptions, schema.GatherOptionsT()
    graph.operators = [operator]
    return graph


def _make_tensor(name, kind, shape, declared, buffer):
    tensor = schema.TensorT()
    tensor.name, tensor.type, tensor.shape, tensor.shapeSignature, tensor.buffer = name, kind, shape, declared, buffer
    return tensor


def _make_signature(name):
    signature = schema.SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = name.encode(), 0
    signature.inputs, signature.outputs = ([_make_entry(*one)] for one in ((b"input_ids", 1), (b"found", 2)))
    return signature


def _make_entry(name, number):
    entry = schema.TensorMapT()
    entry.name, entry.tensorIndex = name, number
    return entry
