"""ONNX models as runners: every dtype in and out, what is declared, and what a file must be."""

import inspect
import time

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")

import ml_dtypes
from onnx import TensorProto, helper, numpy_helper

from dummyio import InputSpec, Nest, TensorSpec, open_runner, validate
from dummyio.errors import OptionError, RunError, SourceError
from dummyio_onnx.description import describe

ENGINES = ["onnxruntime", "reference"]


def value(name, shape=("rows", 2), kind=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


def model(nodes, inputs, outputs, *, weights=(), opset=21, ir=10, domains=()):
    graph = helper.make_graph(nodes, "graph", inputs, outputs, list(weights))
    opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(name, 1) for name in domains)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=ir)


def identity(kind=TensorProto.FLOAT, **options):
    return model(
        [helper.make_node("Identity", ["x"], ["y"])], [value("x", kind=kind)], [value("y", kind=kind)], **options
    )


def saved(proto, folder, name="model.onnx"):
    path = folder / name
    path.write_bytes(proto.SerializeToString())
    return path


@pytest.mark.parametrize("engine", ENGINES)
def test_a_file_runs_and_says_what_it_declares(tmp_path, engine):
    path = saved(identity(), tmp_path)
    run = open_runner(path, engine=engine)
    x = np.arange(6, dtype=np.float32).reshape(3, 2)
    np.testing.assert_array_equal(run({"x": x})["y"], x)
    (port,) = run.inputs
    assert (port.name, port.shape, port.dtype) == ("x", ("rows", 2), "float32")
    assert [port.name for port in run.outputs] == ["y"]
    assert run.engine.split()[0] in ("onnxruntime", "onnx.reference")


def test_a_folder_a_proto_and_a_session_run(tmp_path):
    x = np.ones((1, 2), np.float32)
    path = saved(identity(), tmp_path, "other.onnx")
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    for target in (tmp_path, identity(), session):
        run = open_runner(target)
        assert run({"x": x})["y"].shape == (1, 2)
        assert run.inputs[0].shape == ("rows", 2)


def test_of_several_models_in_a_folder_one_must_be_the_model(tmp_path):
    saved(identity(), tmp_path, "encoder_model.onnx")
    saved(identity(), tmp_path, "decoder_model.onnx")
    with pytest.raises(SourceError, match=r"decoder_model\.onnx, encoder_model\.onnx"):
        open_runner(tmp_path)
    saved(identity(), tmp_path)
    assert open_runner(tmp_path).inputs


DTYPES = ["float16", "bfloat16", "float8_e4m3fn", "float8_e5m2", "int64", "bool"]
HELD = [("onnxruntime", "string"), *((engine, name) for engine in ENGINES for name in DTYPES)]


@pytest.mark.parametrize(("engine", "name"), HELD)
def test_dtypes_come_out_as_they_went_in(engine, name):
    kind = {"string": TensorProto.STRING}.get(name) or getattr(TensorProto, name.upper().replace("FLOAT8_", "FLOAT8"))
    made = InputSpec({"x": TensorSpec("x", (3, 2), name)}).feeds()
    before = made["x"].copy()
    result = open_runner(identity(kind), engine=engine)(made)["y"]
    assert result.dtype == before.dtype
    assert result.tobytes() == before.tobytes() or name == "string"
    assert (result == before).all()
    assert made["x"].tobytes() == before.tobytes() or name == "string"


def test_four_bits_are_read_as_four_bits():
    """Unpacked, ONNX Runtime would read every second element as 0, without a word."""
    scale = numpy_helper.from_array(np.ones((), np.float32), "scale")
    node = helper.make_node("DequantizeLinear", ["x", "scale"], ["y"])
    proto = model([node], [value("x", (4,), TensorProto.INT4)], [value("y", (4,))], weights=[scale])
    x = np.array([1, 2, -3, 4], ml_dtypes.int4)
    assert open_runner(proto)({"x": x})["y"].tolist() == [1, 2, -3, 4]


@pytest.mark.parametrize("engine", ENGINES)
def test_inputs_go_by_the_paths_of_the_spec(engine):
    names = ["past_key_values_0_key", "past_key_values.0.value"]
    node = helper.make_node("Add", names, ["y"])
    proto = model([node], [value(name) for name in names], [value("y")])
    parts = {part: TensorSpec(part, (3, 2)) for part in ("key", "value")}
    spec = InputSpec({"past_key_values": Nest.of("cache", [parts])})
    run = open_runner(proto, spec, engine=engine)
    assert [port.name for port in run.inputs] == [path for path, _ in spec.leaves]
    feeds = spec.feeds()
    np.testing.assert_allclose(run(feeds)["y"], sum(feeds.values()))


def test_external_data_lies_beside(tmp_path):
    weight = numpy_helper.from_array(np.full((2,), 3, np.float32), "w")
    proto = model([helper.make_node("Mul", ["x", "w"], ["y"])], [value("x")], [value("y")], weights=[weight])
    path = tmp_path / "model.onnx"
    onnx.save(proto, path, save_as_external_data=True, size_threshold=0, location="model.onnx.data")
    for engine in ENGINES:
        assert (open_runner(path, engine=engine)({"x": np.ones((1, 2), np.float32)})["y"] == 3).all()
    (tmp_path / "model.onnx.data").unlink()
    with pytest.raises(SourceError, match=r"model\.onnx\.data"):
        open_runner(path)


WRONG = {
    "truncated": (lambda: identity().SerializeToString()[:-5], "not a whole one"),
    "text": (lambda: b"this is text", "not an ONNX model"),
    "empty": (lambda: b"", "not a whole ONNX model"),
    "newer format": (lambda: identity(ir=99).SerializeToString(), "Unsupported model IR version: 99.*Upgrade"),
    "newer opset": (lambda: identity(opset=99).SerializeToString(), "(?s)Opset 99 is under development.*Upgrade"),
    "unknown operator": (
        lambda: model(
            [helper.make_node("Foo", ["x"], ["y"], domain="com.example")],
            [value("x")],
            [value("y")],
            domains=["com.example"],
        ).SerializeToString(),
        "com.example:Foo",
    ),
    "dtype": (lambda: identity(TensorProto.COMPLEX64).SerializeToString(), "complex64"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_file_that_cannot_be_run_is_refused_when_it_is_opened(tmp_path, case):
    content, message = WRONG[case]
    path = tmp_path / "model.onnx"
    path.write_bytes(content())
    with pytest.raises(SourceError, match=message):
        open_runner(path)


def test_an_unknown_engine_is_an_error(tmp_path):
    with pytest.raises(OptionError, match="'onnxruntime' or 'reference'"):
        open_runner(identity(), engine="tensorrt")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("feeds", "message"),
    [
        ({}, "no feed for x"),
        ({"x": np.ones((1, 2), np.float32), "z": np.ones(1)}, "'z' is not an input"),
        ({"x": np.ones((1, 2))}, "double|float64"),
    ],
)
def test_feeds_that_do_not_fit_are_errors(feeds, message, engine):
    with pytest.raises(RunError, match=message):
        open_runner(identity(), engine=engine)(feeds)


def test_the_runtimes_own_message_is_kept():
    with pytest.raises(RunError, match="Got: 3 Expected: 2") as caught:
        open_runner(identity())({"x": np.ones((1, 3), np.float32)})
    assert caught.value.__cause__ is not None


def test_what_has_no_rank_is_not_called_a_scalar(tmp_path):
    proto = model([helper.make_node("Identity", ["x"], ["y"])], [value("x", None)], [value("y", None)])
    assert open_runner(saved(proto, tmp_path)).inputs[0].shape is None
    assert open_runner(identity()).inputs[0].shape == ("rows", 2)


# Models that a runtime would not return from opening.

FUNCTIONS = [helper.make_opsetid("", 18), helper.make_opsetid("f", 1)]


def calling(*bodies):
    """Return a model that calls ``f0``; function ``f<k>`` is a chain of the operations in ``bodies[k]``."""
    functions = []
    for number, kinds in enumerate(bodies):
        names = ["x", *(f"z{k}" for k in range(len(kinds) - 1)), "y"]
        nodes = [
            helper.make_node(kind, [names[k]], [names[k + 1]], domain="" if kind == "Relu" else "f")
            for k, kind in enumerate(kinds)
        ]
        functions.append(helper.make_function("f", f"f{number}", ["x"], ["y"], nodes, FUNCTIONS))
    graph = helper.make_graph([helper.make_node("f0", ["x"], ["y"], domain="f")], "graph", [value("x")], [value("y")])
    return helper.make_model(graph, functions=functions, opset_imports=FUNCTIONS, ir_version=9)


@pytest.mark.parametrize(
    ("bodies", "message"),
    [
        ([["f0"]], "function 'f0' calls itself"),
        ([["f1"], ["Relu", "f2"], ["f1"]], "function 'f1' calls itself"),
        ([["Relu"], ["f1"]], "function 'f1' calls itself"),
        (
            [[f"f{k + 1}"] * 2 for k in range(30)] + [["Relu"]],
            r"31 deep, and make 3\.22e\+09 nodes of the 62 in the model",
        ),
        ([[f"f{k + 1}"] * 2 for k in range(3000)] + [["Relu"]], "3001 deep"),
        ([[f"f{k + 1}"] for k in range(20_000)] + [["Relu"]], "20001 deep"),
    ],
)
@pytest.mark.parametrize("engine", ENGINES)
def test_functions_that_call_each_other_without_end(tmp_path, bodies, message, engine):
    """ONNX Runtime would run out of its stack, or not return."""
    path = saved(calling(*bodies), tmp_path)
    started = time.process_time()
    with pytest.raises(SourceError, match=message):
        open_runner(path, engine=engine)
    assert time.process_time() - started < 5
    assert describe(path)["x"].dtype == "float32"


def test_functions_in_functions_run(tmp_path):
    path = saved(calling(*[[f"f{k + 1}"] for k in range(100)], ["Relu"] * 50), tmp_path)
    assert open_runner(path)({"x": np.full((1, 2), -1, np.float32)})["y"].tolist() == [[0, 0]]
    wide = saved(calling(["f1"] * 3000, ["Relu"]), tmp_path)
    assert open_runner(wide)({"x": np.full((1, 2), 2, np.float32)})["y"].tolist() == [[2, 2]]


@pytest.mark.parametrize("count", [1 << 62, 3, 0, -1])
def test_a_scan_of_more_inputs_than_it_has(tmp_path, count):
    """The evaluator would make a name for each of them."""
    node = helper.make_node("Identity", ["a"], ["b"])
    body = helper.make_graph([node], "body", [value("a", (2,))], [value("b", (2,))])
    scan = helper.make_node("Scan", ["x"], ["y"], body=body, num_scan_inputs=count)
    path = saved(model([scan], [value("x")], [value("y")]), tmp_path)
    with pytest.raises(SourceError, match=f"scans {count} inputs and has 1"):
        open_runner(path, engine="reference")


@pytest.mark.skipif(
    'kwargs.get("enable_fallback"' not in inspect.getsource(ort.InferenceSession.__init__),
    reason="a later ONNX Runtime can be told",
)
def test_a_session_that_fails_prints_nothing(tmp_path, capfd):
    """ONNX Runtime's message has the name of the operator, which is not text here; its fallback would print that."""
    data = identity().SerializeToString().replace(b"Identity", b"Ident\xfftx")
    (tmp_path / "model.onnx").write_bytes(data)
    with pytest.raises(SourceError, match="does not open it"):
        open_runner(tmp_path / "model.onnx")
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
def test_a_model_in_memory_is_below_the_limit_of_protobuf():
    proto = identity()
    for name in ("v", "w"):
        proto.graph.initializer.add(name=name, data_type=TensorProto.UINT8, dims=[1 << 30], raw_data=bytes(1 << 30))
    assert list(describe(proto)) == ["x"]
    with pytest.raises(SourceError, match=r"takes models from memory below 2 GiB\. Save it with its weights in a file"):
        open_runner(proto)


def test_branches_in_branches_without_end(tmp_path):
    """Protobuf does not read them, but a program can make them."""
    proto = identity()
    graph = proto.graph
    for _ in range(3000):
        node = graph.node.add(op_type="If", input=["x"], output=["z"])
        graph = node.attribute.add(name="then_branch", type=onnx.AttributeProto.GRAPH).g
    graph.initializer.add(name="w", dims=[1], data_type=7, raw_data=bytes(8))
    assert list(describe(proto)) == ["x"]
    with pytest.raises(SourceError, match=r"ONNX Runtime .* does not open it"):
        open_runner(proto)
    with pytest.raises(SourceError, match="the evaluator of onnx"):
        open_runner(proto, engine="reference")
    data = b""
    for tag in (b"\x32", b"\x2a", b"\x0a") * 3000:  # g, attribute, node
        data = tag + _varint(len(data)) + data
    (tmp_path / "model.onnx").write_bytes(b"\x08\x09\x42\x02\x10\x12\x3a" + _varint(len(data)) + data)
    for action in (describe, open_runner):
        with pytest.raises(SourceError, match="not an ONNX model"):
            action(tmp_path / "model.onnx")


def _varint(number):
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def sequence(name, kind=TensorProto.FLOAT):
    return helper.make_value_info(name, helper.make_sequence_type_proto(helper.make_tensor_type_proto(kind, None)))


@pytest.mark.parametrize("engine", ENGINES)
def test_the_parts_of_a_sequence_are_results_of_their_own(tmp_path, engine):
    nodes = [
        helper.make_node("Relu", ["x"], ["r"]),
        helper.make_node("Neg", ["x"], ["n"]),
        helper.make_node("SequenceConstruct", ["r", "n"], ["parts"]),
    ]
    run = open_runner(saved(model(nodes, [value("x")], [sequence("parts")]), tmp_path), engine=engine)
    x = np.array([[1, -2]], np.float32)
    found = run({"x": x})
    assert list(found) == ["parts.0", "parts.1"]
    np.testing.assert_array_equal(found["parts.0"], [[1, 0]])
    np.testing.assert_array_equal(found["parts.1"], -x)


def classifier(weights):
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["raw"]),
        helper.make_node("ZipMap", ["raw"], ["scores"], domain="ai.onnx.ml", classlabels_strings=["no", "yes"]),
    ]
    maps = helper.make_map_type_proto(TensorProto.STRING, helper.make_tensor_type_proto(TensorProto.FLOAT, None))
    output = helper.make_value_info("scores", helper.make_sequence_type_proto(maps))
    weights = numpy_helper.from_array(np.array(weights, np.float32), "w")
    return model(nodes, [value("x")], [output], weights=[weights], domains=["ai.onnx.ml"], opset=18, ir=9)


def test_the_maps_of_a_batch_are_one_array_and_are_compared(tmp_path):
    right, wrong = (
        saved(classifier([[1, 2], [3, last]]), tmp_path, name) for last, name in ((4, "a.onnx"), (4.5, "b.onnx"))
    )
    x = np.array([[1, 0], [0, 1], [1, 1]], np.float32)
    np.testing.assert_array_equal(open_runner(right)({"x": x})["scores"], [[1, 2], [3, 4], [4, 6]])
    assert validate(right, right).ok
    report = validate(wrong, right)
    assert {found.kind for found in report.errors} == {"values"}
    assert "scores" in report.errors[0].where


def test_an_optional_without_a_value_is_no_result(tmp_path):
    element = helper.make_tensor_type_proto(TensorProto.FLOAT, None)
    nodes = [helper.make_node("Optional", [], ["nothing"], type=element), helper.make_node("Identity", ["x"], ["y"])]
    output = helper.make_value_info("nothing", helper.make_optional_type_proto(element))
    run = open_runner(saved(model(nodes, [value("x")], [output, value("y")], opset=18, ir=9), tmp_path))
    assert list(run({"x": np.ones((1, 2), np.float32)})) == ["y"]
