"""Graphs made by hand: each shows one thing, and the feeds of most run in ONNX Runtime."""

import resource
import time

import numpy as np
import pytest

from dummyio import Dim, DType, InputSpec
from dummyio.errors import DimError, OptionError, SourceError
from dummyio.spec.values import (
    Boxes,
    Choices,
    Constant,
    Indices,
    Lengths,
    PaddingMask,
    Positions,
    Rows,
    Strings,
    TokenIds,
    Uniform,
)

onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")

import contextlib

from onnx import TensorProto, helper

from dummyio_onnx.description import describe

pytestmark = pytest.mark.filterwarnings("ignore:builtin type Swig")


def _model(graph, *, opset=18, more='"com.microsoft" : 1'):
    """Return a model from ONNX's textual form: ``(inputs) => (outputs) <weights> { operations }``."""
    return onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : {opset}, {more}]> graph {graph}')


def _run(model, spec, **sizes):
    options = ort.SessionOptions()
    options.log_severity_level = 3
    session = ort.InferenceSession(model.SerializeToString(), options)
    feeds = spec.feeds(**sizes)
    assert list(feeds) == [value.name for value in session.get_inputs()]
    return session.run(None, feeds)


def _rules(model, **options):
    return {path: leaf.values for path, leaf in describe(model, dims=options).leaves}


def _shapes(model, **options):
    return {path: tuple(map(str, leaf.shape)) for path, leaf in describe(model, dims=options).leaves}


# Files.

LINEAR = "(float[N, 4] x) => (float[N, 2] y) <float[4, 2] w> { y = MatMul(x, w) }"


@pytest.fixture
def linear():
    model = _model("(float[N, 4] x) => (float[N, 2] y) <float[4, 2] w = {1, 2, 3, 4, 5, 6, 7, 8}> { y = MatMul(x, w) }")
    model.producer_name, model.producer_version = "by hand", "1"
    return model


def test_file_and_model_are_the_same_spec(tmp_path, linear):
    onnx.save(linear, tmp_path / "m.onnx")
    spec = describe(tmp_path / "m.onnx")
    assert spec == describe(linear) == describe(str(tmp_path / "m.onnx"))
    assert dict(spec.provenance) == {
        "source": str(tmp_path / "m.onnx"),
        "producer": "by hand 1",
        "ir_version": "8",
        "opset": "ai.onnx 18, com.microsoft 1",
    }
    (output,) = spec.outputs
    assert (output.name, output.shape, output.dtype) == ("y", (spec.dims["N"], 2), "float32")
    assert InputSpec.from_json(spec.to_json()) == spec
    assert _run(linear, spec, N=5)[0].shape == (5, 2)


def _write(content):
    def make(path):
        path.write_bytes(content)

    return make


def _huge(path):
    with path.open("wb") as stream:
        stream.truncate(1 << 31)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda _: None, "No such file"),
        (lambda path: path.mkdir(), r"a folder\. Give the \.onnx file in it"),
        (_write(b""), "no ir_version and no graph"),
        (_write(b"PK\x03\x04 a zip file, such as PyTorch's"), "not an ONNX model"),
        (_write(b"{}" * 100), "not a"),
        (_write(b"\x08\x08"), "it has no graph"),
        (_huge, "smaller than 2 GiB"),
    ],
)
def test_what_is_no_model(tmp_path, make, message):
    make(tmp_path / "m.onnx")
    with pytest.raises(SourceError, match=message) as caught:
        describe(tmp_path / "m.onnx")
    assert str(tmp_path / "m.onnx") in str(caught.value)


def test_other_objects():
    with pytest.raises(SourceError, match="a int is not an ONNX model"):
        describe(3)


def test_every_cut_is_noticed(tmp_path, linear):
    whole = linear.SerializeToString()
    for length in range(len(whole)):
        (tmp_path / "m.onnx").write_bytes(whole[:length])
        try:
            spec = describe(tmp_path / "m.onnx")
        except SourceError:
            continue
        assert spec == describe(linear)  # what is missing is at the very end, and says nothing of inputs


def test_damage_never_raises_anything_else(tmp_path, linear):
    whole = linear.SerializeToString()
    random = np.random.default_rng(0)
    for _ in range(500):
        damaged = bytearray(whole)
        for place in random.integers(0, len(whole), 3):
            damaged[place] = random.integers(0, 256)
        (tmp_path / "m.onnx").write_bytes(damaged)
        with contextlib.suppress(SourceError):
            describe(tmp_path / "m.onnx")


def test_newer_versions_are_read_as_far_as_they_parse(linear):
    linear.ir_version = 999
    linear.opset_import[0].version = 999
    assert describe(linear).provenance["opset"].startswith("ai.onnx 999")


# External data.


def _external(location, dims=(4, 2)):
    model = _model("(float[N, 4] x) => (float[N, 2] y) <float[4, 2] w = {1, 2, 3, 4, 5, 6, 7, 8}> { y = MatMul(x, w) }")
    (weight,) = model.graph.initializer
    weight.ClearField("float_data")
    weight.dims[:] = dims
    weight.data_location = TensorProto.EXTERNAL
    weight.external_data.add(key="location", value=location)
    return model


def test_external_data_is_not_read(tmp_path):
    with (tmp_path / "m.onnx_data").open("wb") as stream:
        stream.truncate(64 << 30)
    onnx.save_model(_external("m.onnx_data", (1 << 32, 4)), tmp_path / "m.onnx")
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
    describe(tmp_path / "m.onnx")
    assert time.perf_counter() - start < 1
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 16 << 10  # KiB


def test_external_data_need_not_even_be_there(tmp_path):
    onnx.save_model(_external("weights/m.bin"), tmp_path / "m.onnx")
    assert list(describe(tmp_path / "m.onnx")) == ["x"]
    assert list(describe(_external("weights/m.bin"))) == ["x"]


@pytest.mark.parametrize(
    "location",
    [
        "/etc/passwd",
        "../secret",
        "a/../../secret",
        "a\\..\\..\\secret",
        "C:\\secret",
        "\\\\host\\share",
        "C:secret",
        "",
    ],
)
def test_external_data_outside_of_the_folder(tmp_path, location):
    model = _external(location)
    onnx.save_model(model, tmp_path / "m.onnx")
    for source in (tmp_path / "m.onnx", model):
        with pytest.raises(SourceError, match=r"'w' is declared to be in .* not in the model's folder"):
            describe(source)


def test_links_out_of_the_folder(tmp_path):
    (tmp_path / "secret").write_bytes(b"")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "link").symlink_to(tmp_path / "secret")
    (tmp_path / "model" / "up").symlink_to(tmp_path)
    for location in ("link", "up/secret"):
        onnx.save_model(_external(location), tmp_path / "model" / "m.onnx")
        with pytest.raises(SourceError, match="not in the model's folder"):
            describe(tmp_path / "model" / "m.onnx")


def test_links_of_a_cache_to_its_store(tmp_path):
    for folder in ("store", "snapshot"):
        (tmp_path / folder).mkdir()
    onnx.save_model(_external("m.onnx_data"), tmp_path / "store" / "0a1b")
    (tmp_path / "store" / "2c3d").write_bytes(b"")
    (tmp_path / "snapshot" / "m.onnx").symlink_to("../store/0a1b")
    (tmp_path / "snapshot" / "m.onnx_data").symlink_to("../store/2c3d")
    assert list(describe(tmp_path / "snapshot" / "m.onnx")) == ["x"]


def test_external_data_in_branches_is_checked_too():
    branch = helper.make_graph([helper.make_node("Constant", [], ["c"])], "branch", [], [])
    branch.node[0].attribute.add(name="value", type=onnx.AttributeProto.TENSOR).t.CopyFrom(
        _external("../secret").graph.initializer[0]
    )
    model = _model("(bool b) => (float[2] y) { y = If(b) }")
    model.graph.node[0].attribute.append(helper.make_attribute("then_branch", branch))
    with pytest.raises(SourceError, match=r"\.\./secret"):
        describe(model)


# Inputs.


def test_weights_are_no_inputs():
    model = _model("(float[N, 4] x, float[4, 2] w) => (float[N, 2] y) { y = MatMul(x, w) }")
    model.graph.initializer.append(helper.make_tensor("w", TensorProto.FLOAT, [4, 2], [0.0] * 8))
    assert list(describe(model)) == ["x"]


def test_lists_of_maps_are_refused():
    listed = helper.make_sequence_type_proto(
        helper.make_map_type_proto(TensorProto.INT64, helper.make_tensor_type_proto(TensorProto.FLOAT, []))
    )
    graph = helper.make_graph([], "g", [helper.make_value_info("x", listed)], [])
    with pytest.raises(
        SourceError, match=r"input 'x' is of sequence_type: only tensors, lists of tensors and optional tensors"
    ):
        describe(helper.make_model(graph))


def test_unknown_rank_and_its_remedy():
    model = _model("(float x, float[N] z) => (float[N] y) { y = Add(x, z) }")
    model.graph.input[0].type.tensor_type.ClearField("shape")
    with pytest.raises(SourceError, match=r"input 'x' has no shape .* option shapes="):
        describe(model)
    spec = describe(model, dims={"shapes": {"x": ("batch", None, 1)}})
    assert tuple(map(str, spec["x"].shape)) == ("batch", "x_dim_1", "1")
    for shapes in ({"X": ()}, {"x": 3}, {"x": (-1,)}, 3):
        with pytest.raises(OptionError, match="shapes"):
            describe(model, dims={"shapes": shapes})


def test_unknown_element_type():
    model = _model("(float[N] x) => (float[N] y) { y = Identity(x) }")
    model.graph.input[0].type.tensor_type.elem_type = 99
    with pytest.raises(SourceError, match=r"input 'x' has element type 99.*Upgrade onnx"):
        describe(model)


@pytest.mark.parametrize(
    ("text", "dtype"),
    [
        ("float", "float32"),
        ("double", "float64"),
        ("float16", "float16"),
        ("int64", "int64"),
        ("int32", "int32"),
        ("int16", "int16"),
        ("int8", "int8"),
        ("uint64", "uint64"),
        ("uint32", "uint32"),
        ("uint16", "uint16"),
        ("uint8", "uint8"),
        ("bool", "bool"),
        ("string", "string"),
    ],
)
@pytest.mark.parametrize("shape", ["[]", "[N, 3]", "[0, 3]", "[2, 1, 3]"])
def test_feeds_of_every_dtype_run(text, dtype, shape):
    kind = f"{text}{shape}" if shape != "[]" else text
    model = _model(f"({kind} x) => ({kind} y) {{ y = Identity(x) }}")
    spec = describe(model)
    assert spec["x"].dtype == dtype
    (y,) = _run(model, spec)
    np.testing.assert_array_equal(y, spec.feeds()["x"], strict=dtype != "string")


@pytest.mark.parametrize("dtype", ["bfloat16", "float8e4m3fn", "int4", "uint4", "complex64"])
def test_dtypes_that_only_the_format_has(dtype):
    spec = describe(_model(f"({dtype}[N, 3] x) => ({dtype}[N, 3] y) {{ y = Identity(x) }}", opset=21))
    assert spec["x"].dtype == DType.of(dtype.replace("float8", "float8_"))
    assert spec.feeds()["x"].shape == (2, 3)


def test_values_by_dtype():
    text = "(float f, double[N] d, string[N] s, bool[N] b, uint8[N, 8, 8, 3] image, int64[N] i, complex64[N] c) => (float y) {}"
    assert _rules(_model(text)) == {
        "f": Uniform(),
        "d": Uniform(),
        "s": Strings(),
        "b": Uniform(0, 2),
        "image": Uniform(0, 256),
        "i": Uniform(0, 2),
        "c": Uniform(),
    }
    notes = describe(_model(text)).provenance
    assert notes["input i"] == "the model does not show its contents: uniform in [0, 2)"
    assert notes["input image"] == "assumed to be an image: uniform in [0, 256)"


# Axes.


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        (["batch", 3], ("batch", "3")),
        ([None, 3], ("x_dim_0", "3")),
        (["?", "?"], ("x_dim_0", "x_dim_1")),
        ([-1, "None"], ("x_dim_0", "x_dim_1")),
        (["batch-size", "batch_size"], ("batch_size_2", "batch_size")),
        (["unk__13", "Dim.0"], ("x_dim_0", "Dim_0")),
        (["unk__0", "unk__0"], ("x_dim_0", "x_dim_1")),
        (["7", " N "], ("7", "N")),
        (["13th", "a b"], ("dim_13th", "a_b")),
        (["lambda", "n"], ("lambda_size", "n_size")),
        (["seed", "sample"], ("seed_size", "sample_size")),
        (["δ", "ﬁ"], ("δ", "fi")),
        (["half", "2*half"], ("half", "half * 2")),
        (["2*half", 1], ("half * 2", "1")),
        (["a", "b", "a + b"], ("a", "b", "a + b")),
        (["b + a", "b", "a"], ("a + b", "b", "a")),
        (["a + b", "b + a"], ("a + b", "a + b")),
        (["a", "a - 1"], ("a", "a - 1")),
        (["a", "(a//2)"], ("a", "a // 2")),
        (["a", "a/4"], ("a", "a_4")),
        (["floor(a/4)", "a"], ("floor_a_4", "a")),
        (["a", "a//0"], ("a", "a_0")),
        (["((", "*"], ("dim", "x_dim_1")),
        (["x_dim_1", None], ("x_dim_1", "x_dim_1")),
    ],
)
def test_names_of_axes(shape, expected):
    graph = helper.make_graph([], "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2] * len(shape))], [])
    for dim, axis in zip(graph.input[0].type.tensor_type.shape.dim, shape, strict=True):
        dim.Clear()
        if isinstance(axis, str):
            dim.dim_param = axis
        elif axis is not None:
            dim.dim_value = axis
    spec = describe(helper.make_model(graph))
    assert tuple(map(str, spec["x"].shape)) == expected
    assert InputSpec.from_json(spec.to_json()) == spec
    spec.feeds()
    spec.generate(**dict.fromkeys(spec.dims, 3))


@pytest.mark.parametrize(
    ("shape", "sizes"),
    [
        ("[batch, seq]", (2, 16)),
        ("[N, 3, H, W]", (2, 3, 64, 64)),
        ("[b, c, height, width]", (2, 3, 64, 64)),
        ("[s0, s1]", (2, 16)),
        ("[s0, s1, s2, s3]", (2, 3, 64, 64)),
        ("[s0, s1, 8]", (2, 16, 8)),
        ("[batch_size, audio_sequence_length]", (2, 16000)),
        ("[batch_size, num_mel_bins, num_frames]", (2, 80, 8)),
        ("[batch, num_choices, max_len]", (2, 4, 16)),
        ("[T, B]", (16, 2)),
        ("[batch, 2, past_seq, 8]", (2, 2, 8, 8)),
    ],
)
def test_default_sizes_by_meaning(shape, sizes):
    assert describe(_model(f"(float{shape} x) => (float y) {{}}"))["x"].sizes() == sizes


def test_default_sizes_of_unnamed_axes_are_by_place():
    model = _model("(float[?, ?, ?, ?] seq_lengths) => (float y) {}")
    assert describe(model)["seq_lengths"].sizes() == (2, 3, 64, 64)


def test_sizes_of_the_caller():
    model = _model("(float[batch, seq] x) => (float[batch] y) {}")
    spec = describe(model, dims={"seq": 5})
    assert spec.dims["seq"] == Dim("seq", 5)
    assert spec["x"].sizes() == (2, 5)
    with pytest.raises(OptionError, match=r"sequence=3: no dim or option .*seq"):
        describe(model, dims={"sequence": 3})
    with pytest.raises(OptionError, match="'padding_side'"):
        describe(model, dims={"padding_sides": "left"})
    with pytest.raises(DimError, match="seq=0"):
        describe(model, dims={"seq": 0})


def test_outputs():
    model = _model(
        """(float[batch, seq] x) => (float[batch, "seq + 1"] a, float[found, 4] b, int64[?] c, seq(float[N]) d, float e)
        {}"""
    )
    model.graph.output[4].type.tensor_type.ClearField("shape")
    spec = describe(model)
    shapes = {o.name: o.shape and tuple(map(str, o.shape)) for o in spec.outputs}
    assert shapes == {"a": ("batch", "seq + 1"), "b": ("found", "4"), "c": ("c_dim_0",), "d": None, "e": None}
    assert spec.outputs[3].dtype is None
    assert spec.dims["found"].min == 0
    assert all(sizes["found"] == 1 for sizes in spec.probes())


def test_outputs_are_followed_where_the_graph_does_not_say():
    model = _model("(float[N, 3, H, 8] x, float[4, 3, 3, 3] w) => (float[?, ?, ?, ?] y) { c = Conv(x, w) y = Relu(c) }")
    assert tuple(map(str, describe(model).outputs[0].shape)) == ("N", "4", "H - 2", "6")


# Ids and the tables that they index.


def _table(rows, columns=4):
    return helper.make_tensor("table", TensorProto.FLOAT, [rows, columns], np.zeros(rows * columns, np.float32))


@pytest.mark.parametrize(
    "body",
    [
        "y = Gather(table, x)",
        "a = Cast<to = 6>(x) b = Identity(a) c = Unsqueeze(b, zero) d = Squeeze(c, zero) y = Gather(table, d)",
        "s = Shape(x) a = Reshape(x, s) y = Gather(table, a)",
        "a = Transpose<perm = [1, 0]>(x) y = Gather(table, a)",
        "a = Add(one, x) y = Gather(longer, a)",
        "a = Sub(x, one) b = Add(a, one) y = Gather(table, b)",
        "a = Concat<axis = 1>(x, x) y = Gather(table, a)",
        "m = Greater(x, one) a = Where(m, x, x) y = Gather(table, a)",
        "t = Transpose(turned) y = Gather(t, x)",
        "y = Gather<axis = 1>(turned, x)",
        "t = Identity(table) y = Gather(t, x)",
        "p = Gather(huge, x) y = Gather(table, x)",
        "k = Constant <value_int = 7> () y = OneHot(x, k, values)",
        "y = GatherElements(square, x)",
        "a = Slice(x, zero, many, one) y = Gather(table, a)",
        "y = f.embed<column = 0>(x, table)",
    ],
)
def test_ids_stay_below_the_rows_of_their_table(body):
    model = onnx.parser.parse_model(
        f"""<ir_version: 8, opset_import: ["" : 18, "f" : 1]>
        graph (int64[batch, 3] x) => (float y)
        <int64[1] zero = {{0}}, int64[1] one = {{1}}, int64[1] many = {{99}}, float[2] values = {{0, 1}}> {{ {body} }}
        <domain: "f", opset_import: ["" : 18]>
        embed <column> (ids, w) => (out) {{ same = Identity(ids) out = Gather<axis: int = @column>(w, same) }}"""
    )
    for name, dims in {
        "table": (7, 4),
        "longer": (8, 4),
        "turned": (4, 7),
        "huge": (1000, 4),
        "square": (7, 7),
    }.items():
        model.graph.initializer.append(
            helper.make_tensor(name, TensorProto.FLOAT, dims, np.zeros(np.prod(dims), np.float32))
        )
    model.graph.output[0].type.tensor_type.ClearField("shape")
    spec = describe(model)
    assert spec["x"].values == Uniform(0, 7)
    assert spec.provenance["input x"].startswith("below 7, the rows of ")
    _run(model, spec, batch=50)


def test_ids_of_contributed_operations():
    model = _model(
        """(int32[batch, seq] input_ids, int32[batch, seq] segment_ids, int32[batch, seq] mask) => (float y)
        { y, z = com.microsoft.EmbedLayerNormalization(input_ids, segment_ids, words, places, segments, g, b, mask) }"""
    )
    for name, rows in {"words": 50, "places": 32, "segments": 3}.items():
        model.graph.initializer.append(
            helper.make_tensor(name, TensorProto.FLOAT, [rows, 8], np.zeros(rows * 8, np.float32))
        )
    for name in ("g", "b"):
        model.graph.initializer.append(helper.make_tensor(name, TensorProto.FLOAT, [8], np.ones(8, np.float32)))
    model.graph.output[0].type.tensor_type.ClearField("shape")
    spec = describe(model)
    assert spec["input_ids"].values == TokenIds(50, mask="mask")
    assert spec["segment_ids"].values == Uniform(0, 3)
    _run(model, spec, seq=7)


def test_ids_inside_of_branches():
    model = _model(
        """(int64[batch, seq] input_ids, bool use_cache_branch) => (float[batch, seq, 4] y)
        {
            y = If (use_cache_branch) <
                then_branch = a () => (float[batch, seq, 4] p) { p = Gather(table, input_ids) },
                else_branch = b () => (float[batch, seq, 4] q) { q = Gather(table, input_ids) }
            >
        }"""
    )
    model.graph.initializer.append(_table(9))
    spec = describe(model)
    assert spec["input_ids"].values == TokenIds(9)
    assert spec["use_cache_branch"].values == Constant(value=True)
    _run(model, spec, seq=30)


def test_external_table_bounds_ids():
    model = _model("(int64[batch, seq] input_ids) => (float[batch, seq, 4] y) { y = Gather(table, input_ids) }")
    weight = TensorProto(name="table", data_type=TensorProto.FLOAT, dims=[9, 4], data_location=TensorProto.EXTERNAL)
    weight.external_data.add(key="location", value="data")
    model.graph.initializer.append(weight)
    assert _rules(model) == {"input_ids": TokenIds(9)}


def test_quantized_table_bounds_ids():
    model = _model(
        """(int64[batch, seq] input_ids) => (float[batch, seq, 4] y) <float scale = {0.5}>
        { t = DequantizeLinear(table, scale) y = Gather(t, input_ids) }"""
    )
    model.graph.initializer.append(helper.make_tensor("table", TensorProto.INT8, [9, 4], [0] * 36))
    spec = describe(model)
    assert spec["input_ids"].values == TokenIds(9)
    _run(model, spec, seq=30)


def test_ids_that_their_dtype_bounds():
    model = _model("(uint8[batch, seq] input_ids) => (float y) { i = Cast<to = 7>(input_ids) y = Gather(table, i) }")
    model.graph.initializer.append(_table(1000))
    assert _rules(model) == {"input_ids": TokenIds(256)}


def test_ids_without_a_table():
    spec = describe(_model("(int64[batch, seq] input_ids) => (int64[batch, seq] y) { y = Identity(input_ids) }"))
    assert spec["input_ids"].values == TokenIds(2)
    assert spec.provenance["input input_ids"] == "its table is not in the graph: ids below 2"


def test_indices_into_what_varies():
    model = _model("(float[N, 4] x, int64[K] where) => (float[K, 4] y) { y = Gather(x, where) }")
    spec = describe(model)
    assert spec["where"].values == Indices("N")
    assert spec.provenance["input where"] == "indices below N, an axis that the model gathers from"
    _run(model, spec, N=1, K=5)


@pytest.mark.parametrize(
    ("indexed", "expected"),
    [("int64[K, 1] where", Indices("N")), ("int64[K, 2] where", Constant(0)), ("int64[2, K, 1] where", Indices("N"))],
)
def test_indices_into_several_axes_at_once(indexed, expected):
    """Of axes with different sizes none bounds the indices of all."""
    assert (
        _rules(_model(f"(float[N, M, 4] x, {indexed}) => (float y) {{ y = GatherND(x, where) }}"))["where"] == expected
    )


def test_indices_into_what_the_model_makes():
    model = _model("(float[N, 4] x, int64[K] where) => (float y) { n = NonZero(x) y = Gather<axis = 1>(n, where) }")
    spec = describe(model)
    assert spec["where"].values == Constant(0)
    assert "of which the size is not known" in spec.provenance["input where"]


def test_lengths_count_the_rows_of_the_input_that_they_name():
    model = _model(
        "(float[b, 80, t] sound, int64[b, s] text, int64[b] text_lengths, int64[b] lens, int64 n_len) => (float y) {}"
    )
    assert _rules(model) == {
        "sound": Uniform(0, 1),
        "text": Uniform(0, 2),
        "text_lengths": Lengths("s"),
        "lens": Lengths("t"),
        "n_len": Lengths("t"),
    }
    masked = _model("(int64[b, s] input_ids, int64[b, s] attention_mask, int64[b] lengths) => (float y) {}")
    assert _rules(masked)["lengths"] == Lengths(mask="attention_mask")
    assert _rules(_model("(int64[b] lengths) => (float y) {}"))["lengths"] == Constant(1)


def test_parameters_and_divisors():
    model = _model(
        """(float[N, 4] x, int64[1] k, int64[1] start, int64[2] stretched, int64 d, int64[N] i) => (float y, int64[N] z)
        { a, b = TopK(x, k) c = Slice(x, start, k) y = Expand(x, stretched) e = Div(i, d) z = Mod(e, d) }"""
    )
    model.graph.output[0].type.tensor_type.ClearField("shape")
    spec = describe(model)
    assert {name: spec[name].values for name in ("k", "start", "stretched", "d", "i")} == {
        "k": Choices((1, 2, 3, 4)),
        "start": Constant(0),
        "stretched": Rows((1, 4)),
        "d": Constant(1),
        "i": Uniform(0, 2),
    }
    assert spec.provenance["input k"] == "a parameter of Slice: one of 1, 2, 3, 4"
    assert spec.provenance["input stretched"] == "a parameter of Expand: 1, 4"
    _run(model, spec)


# Names and roles.

IDS = "int64[batch, seq] input_ids, int64[batch, seq] attention_mask"


def test_roles_of_text():
    text = f"({IDS}, int64[batch, seq] token_type_ids, int64[batch, seq] position_ids, float[2, 4] head_mask) => (float y) {{}}"
    assert _rules(_model(text)) == {
        "input_ids": TokenIds(2, mask="attention_mask"),
        "attention_mask": PaddingMask(),
        "token_type_ids": Uniform(0, 2),
        "position_ids": Positions(mask="attention_mask"),
        "head_mask": Constant(1.0),
    }


@pytest.mark.parametrize(
    ("ids", "mask", "followed"),
    [
        ("int64[b, s] input_ids", "int64[b, s] attention_mask", True),
        ("int32[b, s] input_ids", "bool[b, s] mask", True),
        ("int32[b, s] input_word_ids", "float[b, s] input_mask", True),
        ('int64[b, s] "serving_default_input_ids:0"', 'int64[b, s] "serving_default_attention_mask:0"', True),
        ("int64[b, s] decoder_input_ids", "int64[b, s] decoder_attention_mask", True),
        ("int64[b, s] decoder_input_ids", "int64[b, s] attention_mask", False),
        ("int64[b, s] input_ids", "int64[b, e] attention_mask", False),
        ("int64[b, s] input_ids", "int64[b, s] encoder_attention_mask", False),
        ("int64[b, s] input_ids", "int64[b, 1, s, s] attention_mask", False),
        ("int64[s] input_ids", "int64[s] attention_mask", True),
        ("int64[b, s] input_ids", 'int64[b, "s + 4"] attention_mask', True),
        ("int64[b, 8] input_ids", "int64[b, 6] attention_mask", False),
        ("int64[b, 8] input_ids", "int64[b, 8] attention_mask", True),
        ("int64[?, ?] input_ids", "int64[?, ?] attention_mask", True),
        ("int64[unk__1, unk__2] input_ids", "int64[unk__3, unk__4] attention_mask", True),
        ("int64[b, ?] input_ids", "int64[?, s] attention_mask", True),
    ],
)
def test_ids_follow_the_mask_that_is_theirs(ids, mask, followed):
    spec = describe(_model(f"({ids}, {mask}) => (float y) {{}}"))
    first, second = spec
    assert spec[first].values == TokenIds(2, mask=second if followed else None)
    assert isinstance(spec[second].values, PaddingMask)
    spec.feeds()
    for sizes in spec.probes():
        spec.feeds(**sizes)


@pytest.mark.parametrize(
    ("mask", "pad"),
    [
        ("bool[b, s] key_padding_mask", 1),
        ("bool[b, s] src_key_padding_mask", 1),
        ("int64[b, s] key_padding_mask", 0),
        ("bool[b, s] padding_mask", 0),
    ],
)
def test_a_mask_of_keys_says_which_to_hide(mask, pad):
    spec = describe(_model(f"(int64[b, s] input_ids, {mask}) => (float y) {{}}"))
    assert spec[mask.split()[-1]].values == PaddingMask(pad=pad)


PAST = 'float[batch, 2, past_len, 8] "past_key_values.0.key", float[batch, 2, past_len, 8] "past_key_values.0.value"'


@pytest.mark.parametrize(
    ("mask", "total"),
    [
        ('"past_len + seq"', "past_len + seq"),
        ("total_sequence_length", "past_len + seq"),
        ("kv", "past_len + seq"),
        ("?", "past_len + seq"),
        ("unk__3", "past_len + seq"),
        ("seq", "seq"),
    ],
)
def test_mask_covers_past_and_present(mask, total):
    text = f"(int64[batch, seq] input_ids, int64[batch, {mask}] attention_mask, int64[batch, seq] position_ids, {PAST}) => (float[batch, {mask}] y) {{}}"
    spec = describe(_model(text))
    assert str(spec["attention_mask"].shape[1]) == total
    assert spec["attention_mask"].values == PaddingMask(side="left" if total != "seq" else "right")
    assert spec["input_ids"].values == TokenIds(2, mask="attention_mask")
    assert spec["position_ids"].values == Positions(mask="attention_mask")
    assert "kv" not in spec.dims
    if mask not in ("?", "unk__3"):
        assert str(spec.outputs[0].shape[1]) in (total, "unk__3")
    assert spec.dims["past_len"] == Dim("past_len", 8, min=0)
    for past in (0, 1, 5):
        spec.feeds(past_len=past, seq=3)


def test_unnamed_axes_of_a_decoder():
    past = 'float[?, 2, ?, 8] "past_key_values.0.key", float[?, 2, ?, 8] "past_key_values.0.value"'
    model = _model(f"(int64[?, ?] input_ids, int64[?, ?] attention_mask, {past}) => (float y) {{}}")
    assert _shapes(model) == {
        "input_ids": ("batch_size", "sequence_length"),
        "attention_mask": ("batch_size", "past_sequence_length + sequence_length"),
        "past_key_values.0.key": ("batch_size", "2", "past_sequence_length", "8"),
        "past_key_values.0.value": ("batch_size", "2", "past_sequence_length", "8"),
    }


def test_unnamed_axes_of_a_decoder_beside_an_encoder():
    past = 'float[?, 2, ?, 8] "past_key_values.0.decoder.key"'
    model = _model(f"(int64[?, ?] encoder_attention_mask, int64[?, ?] input_ids, {past}) => (float y) {{}}")
    assert _shapes(model)["encoder_attention_mask"] == ("batch_size", "encoder_sequence_length")
    assert _shapes(model)["input_ids"] == ("batch_size", "sequence_length")


def test_positions_without_a_mask_follow_the_past():
    model = _model(f"(int64[batch, seq] input_ids, int64[batch, seq] position_ids, {PAST}) => (float y) {{}}")
    assert _rules(model)["position_ids"] == Positions(start="past_len")
    assert describe(model).feeds(past_len=5, seq=2)["position_ids"].tolist() == [[5, 6]] * 2


def test_masks_of_an_encoder_and_a_decoder():
    model = _model(
        """(int64[batch, enc] encoder_attention_mask, int64[batch, seq] input_ids, float[batch, enc, 8] encoder_hidden_states,
        float[batch, 2, past_decoder, 4] "past_key_values.0.decoder.key",
        float[batch, 2, enc, 4] "past_key_values.0.encoder.key") => (float y) {}"""
    )
    assert _rules(model)["input_ids"] == TokenIds(2)
    assert _rules(model)["encoder_attention_mask"] == PaddingMask()
    assert _shapes(model)["encoder_attention_mask"] == ("batch", "enc")


def test_more_roles():
    text = """(int64[b, s, 4] bbox, float[b, k, 4] boxes, int64[b] lengths, int64 timestep, int64 num_logits_to_keep,
        int64[b, 4, 4] pixel_mask, bool[b, 9] bool_masked_pos, int64[s] cache_position, bool[b, 4] head_mask,
        int64 max_tokens) => (float y) {}"""
    assert _rules(_model(text)) == {
        "bbox": Boxes(0, 1001),
        "boxes": Boxes(),
        "lengths": Lengths("s"),
        "timestep": Uniform(0, 1000),
        "num_logits_to_keep": Constant(1),
        "pixel_mask": Constant(1),
        "bool_masked_pos": Uniform(0, 2),
        "cache_position": Positions(),
        "head_mask": Constant(value=True),
        "max_tokens": Uniform(0, 2),
    }


def test_options_of_masks():
    model = _model(f"({IDS}) => (float y) {{}}")
    expected = PaddingMask(side="left", policy="full")
    assert _rules(model, padding_side="left", mask_policy="full")["attention_mask"] == expected
    assert describe(model, dims={"padding_side": "left", "seq": 4})["attention_mask"].values == PaddingMask(side="left")
    with pytest.raises(OptionError, match="padding_side='up'"):
        describe(model, dims={"padding_side": "up"})


# Bounds of sizes.


@pytest.mark.parametrize(
    "body",
    [
        "s = Shape<start = 1, end = 2>(x) p = Slice(places, zero, s, one) e = Gather(wide, p) y = Add(e, e)",
        "h = Shape(x) s = Gather(h, one) p = Slice(places, zero, s, one) y = Gather(wide, p)",
        "s = Shape<start = 1, end = 2>(x) n = Squeeze(s) r = Range(nought, n, unit) u = Unsqueeze(r, zero) y = Gather(table, u)",
        "h = Shape(x) n = Gather(h, unit) c = Cast<to = 7>(n) r = Range(nought, c, unit) o = Add(r, two) y = Gather(longer, o)",
    ],
)
def test_tables_of_positions_bound_the_sequence(body):
    model = _model(
        f"""(int64[batch, seq] x) => (float y)
        <int64[1] zero = {{0}}, int64[1] one = {{1}}, int64 nought = {{0}}, int64 unit = {{1}}, int64 two = {{2}}> {{ {body} }}"""
    )
    for name, rows in {"table": 12, "longer": 14, "wide": 100}.items():
        model.graph.initializer.append(
            helper.make_tensor(name, TensorProto.FLOAT, [rows, 4], np.zeros(rows * 4, np.float32))
        )
    model.graph.initializer.append(helper.make_tensor("places", TensorProto.INT64, [1, 12], list(range(12))))
    model.graph.output[0].type.tensor_type.ClearField("shape")
    spec = describe(model)
    assert spec.dims["seq"] == Dim("seq", 12, max=12)
    assert spec.provenance["dim seq"].startswith("at most 12, because of ")
    _run(model, spec)
    with pytest.raises(DimError, match="at most 12"):
        describe(model, dims={"seq": 13})


@pytest.mark.parametrize("rows", [20, 512])
def test_table_of_position_ids_bounds_past_and_present_together(rows):
    model = _model(
        f"""(int64[batch, seq] input_ids, int64[batch, total] attention_mask, int64[batch, seq] position_ids, {PAST}) => (float y)
        {{ y = Gather(table, position_ids) }}"""
    )
    model.graph.initializer.append(_table(rows))
    model.graph.output[0].type.tensor_type.ClearField("shape")
    spec = describe(model)
    for sizes in spec.probes():
        assert spec.feeds(**sizes)["position_ids"].max() < rows
        _run(model, spec, **sizes)
    if rows == 512:
        assert (spec.dims["seq"].max, spec.dims["past_len"].max) == (512 - 16, 512 - 32)


@pytest.mark.parametrize(
    ("body", "least"),
    [
        ("y = Conv<kernel_shape = [3, 3]>(x, w)", 3),
        ("y = Conv<kernel_shape = [3, 3], pads = [1, 1, 1, 1]>(x, w)", 1),
        ("y = Conv<kernel_shape = [3, 3], dilations = [2, 2]>(x, w)", 5),
        ('y = Conv<kernel_shape = [3, 3], auto_pad = "SAME_UPPER", strides = [2, 2]>(x, w)', 1),
        ("a = Conv(x, w) b = Relu(a) y = MaxPool<kernel_shape = [2, 2], strides = [2, 2]>(b)", 4),
        ("a = MaxPool<kernel_shape = [2, 2], strides = [2, 2]>(x) b = Add(a, a) y = Conv(b, w)", 6),
        ("a = AveragePool<kernel_shape = [2, 2], strides = [2, 2], ceil_mode = 1>(x) y = Conv(a, w)", 5),
        ("p = Pad(x, pads) y = Conv(p, w)", 1),
        ("t = Transpose<perm = [0, 1, 3, 2]>(x) c = Concat<axis = 2>(t, t) y = Conv(c, w)", 3),
        ("u = Resize(x, , scales) y = Conv(u, w)", 1),
    ],
)
def test_convolutions_bound_images(body, least):
    model = _model(
        f"""(float[N, 3, height, 40] x) => (float y)
        <int64[8] pads = {{0, 0, 1, 1, 0, 0, 1, 1}}, float[4] scales = {{1, 1, 3, 3}}> {{ {body} }}"""
    )
    model.graph.initializer.append(helper.make_tensor("w", TensorProto.FLOAT, [3, 3, 3, 3], np.zeros(81, np.float32)))
    model.graph.output[0].type.tensor_type.ClearField("shape")
    spec = describe(model)
    assert spec.dims["height"] == Dim("height", 64, min=least)
    for sizes in spec.probes():
        _run(model, spec, **sizes)
    if body.startswith("y = Conv") and least > 1:  # pools of too little are let through, with values out of nowhere
        with pytest.raises(ort.capi.onnxruntime_pybind11_state.InvalidArgument, match="Invalid input shape"):
            _run(model, spec.with_dims(height=Dim("height", least - 1)))


# Graphs made to cost much.


def _costly(kind):
    node = helper.make_node
    match kind:
        case "squares":
            return [node("Shape", ["x"], ["v0"]), *(node("Mul", [f"v{i}"] * 2, [f"v{i + 1}"]) for i in range(100))]
        case "doubles":
            return [
                node("Shape", ["x"], ["v0"]),
                *(node("Concat", [f"v{i}"] * 2, [f"v{i + 1}"], axis=0) for i in range(100)),
            ]
        case "shifts":
            shifts = [node("Constant", [], [f"k{i}"], value_int=2**i) for i in range(50)]
            chain = [
                step
                for i in range(50)
                for step in (
                    node("Add", [f"v{i}", f"k{i}"], [f"a{i}"]),
                    node("Concat", [f"a{i}", f"v{i}"], [f"v{i + 1}"], axis=0),
                )
            ]
            return [*shifts, node("Identity", ["x"], ["v0"]), *chain]
    raise AssertionError(kind)


@pytest.mark.parametrize("kind", ["squares", "doubles", "shifts"])
def test_facts_do_not_grow_without_end(kind):
    graph = helper.make_graph(
        _costly(kind), "g", [helper.make_tensor_value_info("x", TensorProto.INT64, ["a", "b"])], []
    )
    start = time.perf_counter()
    describe(helper.make_model(graph))
    assert time.perf_counter() - start < 2


def test_functions_that_call_each_other_without_end(monkeypatch):
    opset = [helper.make_opsetid("", 18), helper.make_opsetid("f", 1)]
    functions = [
        helper.make_function(
            "f",
            f"f{i}",
            ["x"],
            ["y"],
            [helper.make_node(f"f{(i + 1) % 40}", [a], [b], domain="f") for a, b in (("x", "z"), ("z", "y"))],
            opset,
        )
        for i in range(40)
    ]
    graph = helper.make_graph(
        [helper.make_node("f0", ["x"], ["y"], domain="f")],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.INT64, ["a"])],
        [],
    )
    monkeypatch.setattr("dummyio_onnx.analysis.operator_rules.MAX_OPERATIONS", 1000)
    assert list(describe(helper.make_model(graph, functions=functions, opset_imports=opset))) == ["x"]


# Values that the graph knows.


def _encoder(kind, dtype, shape, **attributes):
    node = helper.make_node(kind, ["x"], ["y"], domain="ai.onnx.ml", **attributes)
    graph = helper.make_graph(
        [node], "g", [helper.make_tensor_value_info("x", dtype, shape)], [onnx.ValueInfoProto(name="y")]
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("ai.onnx.ml", 3), helper.make_opsetid("", 18)])


@pytest.mark.parametrize(
    ("model", "options"),
    [
        (
            _encoder("LabelEncoder", TensorProto.STRING, ["N"], keys_strings=["oak", "elm"], values_int64s=[0, 1]),
            ("oak", "elm", "unknown word"),
        ),
        (_encoder("LabelEncoder", TensorProto.INT64, ["N"], keys_int64s=[3, 9], values_strings=["a", "b"]), (3, 9, 10)),
        (
            _encoder("OneHotEncoder", TensorProto.STRING, ["N", 1], cats_strings=["red", "blue"], zeros=0),
            ("red", "blue"),
        ),
        (_encoder("OneHotEncoder", TensorProto.INT64, ["N", 1], cats_int64s=[4, 7], zeros=1), (4, 7, 8)),
        (
            _encoder("CategoryMapper", TensorProto.STRING, ["N"], cats_strings=["a", "b"], cats_int64s=[5, 6]),
            ("a", "b", "unknown word"),
        ),
        (
            _model("(int64[N, 1] x) => (bool[N, 3] y) <int64[1, 3] known = {3, 17, 42}> { y = Equal(x, known) }"),
            (3, 17, 42, 43),
        ),
    ],
    ids=["words", "numbers", "closed_words", "open_numbers", "categories", "compared"],
)
def test_an_input_that_is_looked_up_has_the_values_of_the_list(model, options):
    assert describe(model)["x"].values == Choices(options)


def test_a_number_that_ids_are_compared_with_is_no_list():
    text = "(int64[N] ids) => (bool[N] y) <int64[1] pad = {1}> { y = Equal(ids, pad) }"
    assert describe(_model(text))["ids"].values == TokenIds(2)


@pytest.mark.parametrize(("shift", "most"), [("two = {2}", 8), ("two = {0}", 10)])
def test_positions_that_are_counted_by_a_mask_bound_the_length(shift, most):
    text = (
        f"(int64[batch, seq] attention_mask) => (float[batch, seq, 1] y) <float[10, 1] table, int64 axis = {{1}}, int64 one = {{1}}, int64 {shift}> "
        "{ counted = CumSum(attention_mask, axis) hidden = Mul(counted, attention_mask) first = Sub(hidden, one) "
        "places = Add(first, two) y = Gather(table, places) }"
    )
    assert describe(_model(text)).dims["seq"].max == most


def test_a_reshape_carries_the_size_that_a_pool_needs():
    text = (
        "(float[N, height, 8] x) => (float[N, 1, rows, 3] y) <int64[4] shape = {0, 1, -1, 8}> "
        "{ image = Reshape(x, shape) y = AveragePool<kernel_shape = [6, 6]>(image) }"
    )
    assert describe(_model(text)).dims["height"].min == 6


def test_the_parts_of_a_sum_share_a_small_table():
    text = (
        '(int64[batch, seq] input_ids, float[batch, 2, past, 4] "past_key_values.0.key") => (float[places, 1] y) '
        '<float[40, 1] table, int64 one = {1}, int64 offset = {9}> { past_shape = Shape<start = 2, end = 3>("past_key_values.0.key") '
        "before = Squeeze(past_shape) ids_shape = Shape<start = 1, end = 2>(input_ids) now = Squeeze(ids_shape) total = Add(before, now) "
        "range = Range(before, total, one) places = Add(range, offset) y = Gather(table, places) }"
    )
    spec = describe(_model(text))
    assert {name: spec.dims[name].max for name in ("past", "seq")} == {"past": 15, "seq": 15}
