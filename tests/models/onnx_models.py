"""ONNX models of many kinds, made by hand: each has other parts of the format."""

import numpy as np
import onnx
from onnx import TensorProto as T
from onnx import helper as h
from onnx import numpy_helper

OPSETS = {"": 18, "ai.onnx.ml": 3, "com.microsoft": 1, "f": 1}


def parse(graph, more=""):
    """Return a model from ONNX's textual form; `more` holds functions."""
    opsets = ", ".join(f'"{domain}" : {version}' for domain, version in OPSETS.items())
    return onnx.parser.parse_model(f"<ir_version: 9, opset_import: [{opsets}]> graph {graph} {more}")


def add_weights(model, **shapes):
    """Add initializers of these shapes, and return the model."""
    for name, shape in shapes.items():
        values = np.linspace(-1, 1, int(np.prod(shape)), dtype=np.float32).reshape(shape)
        model.graph.initializer.append(numpy_helper.from_array(values, name))
    return model


def free_outputs(model):
    """Leave the shapes of outputs to the runtime, and return the model."""
    for value in model.graph.output:
        if value.type.HasField("tensor_type"):
            value.type.tensor_type.ClearField("shape")
    return model


def convolutions():
    model = parse(
        """(float[N, 3, height, width] x) => (float[N, 5] y) <int64[2] shape = {0, -1}> {
        a = Conv<kernel_shape = [3, 3], pads = [1, 1, 1, 1], strides = [2, 2]>(x, w, b)
        n = BatchNormalization(a, b, b, b, one) r = Relu(n) p = MaxPool<kernel_shape = [2, 2], strides = [2, 2]>(r)
        q = Add(p, p) g = GlobalAveragePool(q) f = Reshape(g, shape) y = Gemm<transB = 1>(f, v, c) }"""
    )
    return add_weights(model, w=(4, 3, 3, 3), b=(4,), one=(4,), v=(5, 4), c=(5,))


def transformer():
    model = parse(
        """(int64[batch, seq] input_ids, int64[batch, seq] attention_mask, int64[batch, seq] position_ids,
        float[batch, 2, past, 4] "past_key_values.0.key") => (float y, float present)
        <int64[4] heads = {0, 0, 2, 4}, int64[3] joined = {0, 0, 8}, int64[2] middle = {1, 2}, int64[1] zero = {0},
        int64[1] one = {1}, int64[1] many = {99}> {
        e = Gather(words, input_ids) p = Gather(places, position_ids) x = Add(e, p)
        l = LayerNormalization(x, gain, gain) k = MatMul(l, wk) h = Reshape(k, heads) t = Transpose<perm = [0, 2, 1, 3]>(h)
        present = Concat<axis = 2>("past_key_values.0.key", t)
        s = Shape<start = 1, end = 2>(input_ids) m = Cast<to = 1>(attention_mask)
        u = Unsqueeze(m, middle) c = Slice(u, zero, many, one) d = ReduceSum<keepdims = 1>(c)
        o = Transpose<perm = [0, 2, 1, 3]>(t) j = Reshape(o, joined) f = Gelu(j) y = Add(f, d) }"""
    )
    model.opset_import[0].version = 20
    return free_outputs(add_weights(model, words=(50, 8), places=(32, 8), gain=(8,), wk=(8, 8)))


def branches():
    return add_weights(
        parse(
            """(int64[batch, seq] input_ids, bool use_cache_branch) => (float[batch, seq, 4] y) {
            y = If (use_cache_branch) <
                then_branch = a () => (float[batch, seq, 4] p) <float[1] k = {2}> { g = Gather(table, input_ids) p = Mul(g, k) },
                else_branch = b () => (float[batch, seq, 4] q) { q = Gather(table, input_ids) }
            > }"""
        ),
        table=(9, 4),
    )


def loop():
    return parse(
        """(float[N] x, int64 trips) => (float[N] y) <bool go = {1}> {
        y = Loop (trips, go, x) <body = b (int64 i, bool c, float[N] v) => (bool d, float[N] w)
            { d = Identity(c) w = Add(v, v) }> }"""
    )


def scan():
    return parse(
        """(float[T, B] x, float[B] s) => (float[B] last, float[T, B] y) {
        last, y = Scan<num_scan_inputs = 1, body = b (float[B] a, float[B] i) => (float[B] o, float[B] p)
            { o = Add(a, i) p = Identity(o) }>(s, x) }"""
    )


def functions():
    return add_weights(
        parse(
            "(int64[batch, 3] x) => (float[batch, 3, 4] y) { y = f.outer<column = 0>(x, table) }",
            """<domain: "f", opset_import: ["" : 18, "f" : 1]> outer <column> (ids, w) => (out)
            { a = f.embed<column: int = @column>(ids, w) out = Relu(a) }
            <domain: "f", opset_import: ["" : 18]> embed <column> (ids, w) => (out)
            { same = Identity(ids) out = Gather<axis: int = @column>(w, same) }""",
        ),
        table=(7, 4),
    )


def sequences():
    return parse(
        "(seq(float[N]) xs, int64 k) => (float[M] y, int64 n) { y = SequenceAt(xs, k) n = SequenceLength(xs) }"
    )


def optionals():
    return parse("(optional(float[N]) x) => (bool has) { has = OptionalHasElement(x) }")


def quantized():
    model = parse(
        """(float[N, 4] x) => (float[N, 2] y) <float scale = {0.5}, uint8 point = {3}, int8[4, 2] w = {1, 2, 3, 4, 5, 6, 7, 8}>
        { q, s, z = DynamicQuantizeLinear(x) i = MatMulInteger(q, w, z) f = Cast<to = 1>(i) g = Mul(f, s)
        u = QuantizeLinear(g, scale, point) y = DequantizeLinear(u, scale, point) }"""
    )
    for tensor in model.graph.initializer[:2]:
        tensor.raw_data = numpy_helper.to_array(tensor).tobytes()
        del tensor.float_data[:], tensor.int32_data[:]
    return model


def words():
    """Return a model of strings, with a table of words in an attribute and in a tensor."""
    model = parse(
        """(string[N] words, string[N] more) => (int64[N] ids, float[N] found, bool[N] same) {
        ids = ai.onnx.ml.LabelEncoder<keys_strings = ["a", "b", "δ"], values_int64s = [0, 1, 2], default_int64 = 2>(words)
        found = Gather(table, ids) same = Equal(more, one) }"""
    )
    model.graph.initializer.append(h.make_tensor("one", T.STRING, [1], [b"one"]))
    model.opset_import[0].version = 19
    return add_weights(model, table=(3,))


def trees():
    nodes = {
        "nodes_treeids": [0, 0, 0],
        "nodes_nodeids": [0, 1, 2],
        "nodes_featureids": [1, 0, 0],
        "nodes_values": [0.5, 0.0, 0.0],
        "nodes_modes": ["BRANCH_LEQ", "LEAF", "LEAF"],
        "nodes_truenodeids": [1, 0, 0],
        "nodes_falsenodeids": [2, 0, 0],
        "class_treeids": [0, 0],
        "class_nodeids": [1, 2],
        "class_ids": [0, 1],
        "class_weights": [1.0, 1.0],
        "classlabels_strings": ["no", "yes"],
    }
    tree = h.make_node("TreeEnsembleClassifier", ["x"], ["label", "scores"], domain="ai.onnx.ml", **nodes)
    zipped = h.make_node("ZipMap", ["scores"], ["y"], domain="ai.onnx.ml", classlabels_strings=["no", "yes"])
    kind = h.make_sequence_type_proto(h.make_map_type_proto(T.STRING, h.make_tensor_type_proto(T.FLOAT, [])))
    graph = h.make_graph(
        [tree, zipped],
        "trees",
        [h.make_tensor_value_info("x", T.FLOAT, ["N", 2])],
        [h.make_tensor_value_info("label", T.STRING, ["N"]), h.make_value_info("y", kind)],
    )
    return h.make_model(graph, opset_imports=[h.make_opsetid(*item) for item in OPSETS.items()], ir_version=8)


def constants():
    """Return a model with every way to write a constant, and every element type as an initializer."""
    tensors = [
        h.make_tensor(f"w{number}", number, [4], [1, 0, 1, 0] if number != T.STRING else ["a"] * 4)
        for name, number in T.DataType.items()
        if name not in ("UNDEFINED", "FLOAT8E8M0", "FLOAT4E2M1", "INT2", "UINT2")
    ]
    dense = numpy_helper.from_array(np.arange(4, dtype=np.float32))
    sparse = h.make_sparse_tensor(
        h.make_tensor("v", T.FLOAT, [2], [1, 2]), h.make_tensor("i", T.INT64, [2], [0, 3]), [4]
    )
    kept = h.make_sparse_tensor(h.make_tensor("kept", T.FLOAT, [1], [1]), h.make_tensor("j", T.INT64, [1], [0]), [4])
    nodes = [
        h.make_node("Constant", [], ["a"], value=dense),
        h.make_node("Constant", [], ["b"], value_floats=[1.0, 2.0, 3.0, 4.0]),
        h.make_node("Constant", [], ["c"], value_ints=[0, 1, 2, 3]),
        h.make_node("Constant", [], ["d"], sparse_value=sparse),
        h.make_node("Cast", ["c"], ["e"], to=T.FLOAT),
        h.make_node("Sum", ["a", "b", "d", "e", "x", "w1"], ["y"]),
    ]
    x, y = (h.make_tensor_value_info(name, T.FLOAT, ["N", 4]) for name in "xy")
    graph = h.make_graph(nodes, "constants", [x], [y], tensors, "all", [y], [kept])
    model = h.make_model(graph, opset_imports=[h.make_opsetid("", 21)], ir_version=10, producer_name="by hand")
    model.metadata_props.add(key="author", value="nobody")
    return model


def external():
    """Return a model whose weights are in the file ``weights``."""
    model = parse("(float[N, 4] x) => (float[N, 2] y) { y = MatMul(x, w) }")
    tensor = model.graph.initializer.add(name="w", data_type=T.FLOAT, dims=[4, 2], data_location=T.EXTERNAL)
    for key, value in {"location": "weights", "offset": "0", "length": "32"}.items():
        tensor.external_data.add(key=key, value=value)
    return model


MODELS = (
    *(convolutions, transformer, branches, loop, scan, functions, sequences),
    *(optionals, quantized, words, trees, constants, external),
)
