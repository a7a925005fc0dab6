"""Each correction of an exporter or a runtime is still needed: without it the defect is there, with it the file is right."""

import ast
import re
from operator import attrgetter
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
onnxscript = pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")

from torch import nn
from torch_modules import Function

from dummyio import Dim, InputSpec, TensorSpec, export, open_runner, validate
from dummyio.errors import ExportError, RunError, SourceError
from dummyio.spec.values import PaddingMask, Uniform
from dummyio_torch import onnx_passes
from dummyio_torch.exporting import write_onnx
from dummyio_torch.onnx_passes.registry import PASSES

pytestmark = pytest.mark.slow

ROWS, LONG = Dim("batch_size", 3), Dim("sequence_length", 8)


def write(module, spec, path, without=None, **options):
    """Write a file with all corrections, or without one of them and without the check of what was written."""
    passes = [each for each in PASSES if each.name != without]
    assert len(passes) == len(PASSES) - (without is not None)
    with pytest.MonkeyPatch.context() as patch:
        if without is not None:
            patch.setattr(write_onnx, "check_traced_artifact", lambda *_, **__: ())
        write_onnx.write_onnx(module, spec, path, write_onnx.OnnxOptions(**options), passes)
    return path


def run_three(name, module, spec, feeds, folder, **options):
    """Return the outputs of a module, of its file, and of its file without a correction."""
    right = write(module, spec, folder / "right.onnx", **options)
    wrong = write(module, spec, folder / "wrong.onnx", name, **options)
    return [open_runner(model, spec)(feeds) for model in (module, right, wrong)]


def load_graph(path):
    return onnx.load(path).graph


def shapes(values):
    return {v.name: [d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim] for v in values}


# The registry.


def test_each_module_has_an_entry():
    modules = {path.stem for path in Path(onnx_passes.__path__[0]).rglob("*.py")} - {
        "__init__",
        "registry",
        "constants",
    }
    assert {each.name.partition(".")[0] for each in PASSES} == modules


@pytest.mark.parametrize("entry", PASSES, ids=lambda entry: entry.name)
def test_an_entry_states_its_defect_versions_and_test(entry):
    assert re.fullmatch(r"[A-Z][^.]*(\.\w[^.]*)*\.", entry.defect)
    assert entry.upstream == "not reported" or re.fullmatch(
        r"https://github\.com/\S+/(issues|pull)/\d+", entry.upstream
    )
    assert re.fullmatch(r"(torch|onnxscript|onnxruntime)<=?\d+(\.\d+)+", entry.versions)
    assert callable(globals().get(entry.test))
    if entry.kind == "translation":
        assert callable(attrgetter(entry.replaces)(torch.ops))
    if entry.kind == "patch":
        root, _, name = entry.replaces.partition(".")
        assert attrgetter(name)({"onnxscript": onnxscript, "torch": torch}[root])


# Graph passes.


class Declaring(nn.Module):
    def forward(self, x, unused):
        total = x.sum(1)
        return {"total": total, "again": total}


def test_inputs_and_dims_are_declared_as_in_the_spec(tmp_path):
    unused = TensorSpec("unused", (ROWS,))
    spec = InputSpec({"x": TensorSpec("x", (ROWS, LONG)), "unused": unused})
    options = {"exporter": "torchscript"}
    graph = load_graph(write(Declaring(), spec, tmp_path / "right.onnx", **options))
    assert shapes(graph.input) == {"x": ["batch_size", "sequence_length"], "unused": ["batch_size"]}
    assert [value.name for value in graph.output] == ["total", "again"]
    graph = load_graph(write(Declaring(), spec, tmp_path / "wrong.onnx", "declare_spec", **options))
    assert shapes(graph.input) == {"x": ["batch_size", "sequence_length"]}


def test_weights_and_scopes_have_the_names_of_the_model(tmp_path):
    spec = InputSpec({"input": TensorSpec("input", (ROWS, 4))})
    model = nn.Sequential(nn.Linear(4, 4), nn.Tanh())
    graphs = [load_graph(write(model, spec, tmp_path / f"{name}.onnx", name)) for name in (None, "unwrap_names")]
    weights = [sorted(tensor.name for tensor in graph.initializer) for graph in graphs]
    assert weights == [["0.bias", "0.weight"], ["model.0.bias", "model.0.weight"]]
    props = [{prop.key: prop.value for prop in graph.node[-1].metadata_props} for graph in graphs]
    scopes = [ast.literal_eval(each["pkg.torch.onnx.name_scopes"]) for each in props]
    assert scopes == [["", "1", "tanh"], ["", "model", "model.1", "tanh"]]
    assert [any("stack_trace" in key for key in each) for each in props] == [False, True]


class Masked(nn.Module):
    def forward(self, q, mask):
        return nn.functional.scaled_dot_product_attention(q, q, q, attn_mask=mask[:, None, None, :].bool())


def test_a_row_that_a_boolean_mask_hides_attends_to_nothing(tmp_path):
    mask = TensorSpec("mask", (ROWS, LONG), "int64", PaddingMask())
    spec = InputSpec({"q": TensorSpec("q", (ROWS, 2, LONG, 8)), "mask": mask})
    feeds = spec.feeds()
    feeds["mask"][1] = 0
    expected, right, wrong = run_three("infinite_masks", Masked(), spec, feeds, tmp_path)
    assert (expected["output"][1] == 0).all()
    np.testing.assert_allclose(right["output"], expected["output"], atol=1e-6)
    assert (wrong["output"][1] != 0).any()


class Pooled(nn.Module):
    def forward(self, x):
        return nn.functional.max_pool2d(nn.functional.pad(x, (1, 1, 1, 1)), 3, stride=2)


def test_a_pad_before_a_maximum_counts(tmp_path):
    spec = InputSpec({"x": TensorSpec("x", (ROWS, 2, LONG, LONG), "float32", Uniform(-2.0, -1.0))})
    expected, right, wrong = run_three("explicit_pad_axes", Pooled(), spec, spec.feeds(), tmp_path)
    assert (expected["output"] == 0).any()
    np.testing.assert_array_equal(right["output"], expected["output"])
    assert (wrong["output"] < 0).all()


def test_a_norm_in_bfloat16_is_fused(tmp_path):
    spec = InputSpec({"input": TensorSpec("input", (ROWS, 3, LONG, LONG), "bfloat16")})
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).bfloat16().eval()
    right = write(module, spec, tmp_path / "right.onnx")
    assert [node.op_type for node in load_graph(right).node] == ["Conv"]
    expected, found = (open_runner(model, spec)(spec.feeds())["output"].astype(np.float32) for model in (module, right))
    np.testing.assert_allclose(found, expected, atol=0.05)
    with pytest.raises(SourceError, match="bound to different types"):
        open_runner(write(module, spec, tmp_path / "wrong.onnx", "exact_constants.cast_fused_weights"), spec)


# A patch.


class Norm(nn.Module):
    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-8) * 1.000001


class Scored(nn.Module):
    def __init__(self):
        super().__init__()
        self.score = nn.Parameter(torch.ones(4))

    def forward(self, x):
        return x @ self.score


def test_a_matrix_without_rows_is_multiplied_by_a_vector(tmp_path):
    spec = InputSpec({"x": TensorSpec("x", [Dim("rows", 3, min=0), 4])})
    _, right, _ = run_three("empty_products", Scored(), spec, spec.feeds(), tmp_path)
    assert right["output"].shape == (3,)
    empty = spec.feeds(rows=0)
    assert open_runner(tmp_path / "right.onnx", spec)(empty)["output"].shape == (0,)
    with pytest.raises(RunError, match="cannot broadcast"):
        open_runner(tmp_path / "wrong.onnx", spec)(empty)


class Recurrent(nn.Module):
    """A layer that begins with a given state."""

    def __init__(self, kind):
        super().__init__()
        self.layer = kind(4, 6, batch_first=True)

    def forward(self, x, state):
        return self.layer(x, (state, state) if isinstance(self.layer, nn.LSTM) else state)[0]


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU], ids=lambda kind: kind.__name__)
def test_a_recurrent_layer_keeps_the_length_of_its_sequence(tmp_path, kind):
    spec = InputSpec({"x": TensorSpec("x", [ROWS, LONG, 4]), "state": TensorSpec("state", [1, ROWS, 6])})
    module = Recurrent(kind).eval()
    for _ in range(2):  # the second export of a process too
        right = write(module, spec, tmp_path / "right.onnx")
        assert shapes(load_graph(right).output) == {"output": ["batch_size", "sequence_length", 6]}
    for sizes in ({}, {"sequence_length": 1}, {"sequence_length": 19, "batch_size": 1}):
        feeds = spec.feeds(**sizes)
        expected, found = (open_runner(model, spec)(feeds)["output"] for model in (module, right))
        np.testing.assert_allclose(found, expected, atol=1e-6)
    try:
        wrong = write(module, spec, tmp_path / "wrong.onnx", "recurrent_shapes")
    except ExportError:
        return
    assert shapes(load_graph(wrong).output) != {"output": ["batch_size", "sequence_length", 6]}


class Layers(nn.Module):
    """Two layers, each in both directions, that begin with given states."""

    def __init__(self, kind, **options):
        super().__init__()
        self.layer = kind(4, 6, num_layers=2, bidirectional=True, **options)

    def forward(self, x, state, cell):
        is_lstm = isinstance(self.layer, nn.LSTM)
        values, states = self.layer(x, (state, cell) if is_lstm else state + cell.sum())
        return (
            {"values": values, "state": states[0], "cell": states[1]}
            if is_lstm
            else {"values": values, "state": states}
        )


LAYERS = [
    ("rnn_tanh", nn.RNN, {}),
    ("rnn_relu", nn.RNN, {"nonlinearity": "relu", "bias": False, "batch_first": True}),
    ("lstm", nn.LSTM, {"proj_size": 3}),
    ("lstm", nn.LSTM, {"proj_size": 3, "bias": False, "batch_first": True}),
]


@pytest.mark.parametrize(("name", "kind", "options"), LAYERS)
def test_all_recurrent_layers_are_translated(tmp_path, name, kind, options):
    torch.manual_seed(0)
    axes = [ROWS, LONG] if options.get("batch_first") else [LONG, ROWS]
    state = TensorSpec("state", [4, ROWS, options.get("proj_size", 6)])
    spec = InputSpec({"x": TensorSpec("x", [*axes, 4]), "state": state, "cell": TensorSpec("cell", [4, ROWS, 6])})
    module = Layers(kind, **options).eval()
    right = write(module, spec, tmp_path / "right.onnx")
    for sizes in ({}, {"sequence_length": 1}, {"sequence_length": 19, "batch_size": 1}):
        feeds = spec.feeds(**sizes)
        expected, found = (open_runner(model, spec)(feeds) for model in (module, right))
        assert list(found) == list(expected)
        for output, values in expected.items():
            np.testing.assert_allclose(found[output], values, rtol=1e-5, atol=1e-6, err_msg=output)
    try:
        wrong = write(module, spec, tmp_path / "wrong.onnx", f"recurrent_layers.{name}")
        found = open_runner(wrong, spec)(feeds)
    except (SourceError, RunError):
        return
    assert not np.allclose(found["values"], expected["values"])


def test_a_small_epsilon_stays(tmp_path):
    spec = InputSpec({"x": TensorSpec("x", [ROWS, 4])})
    x = np.array([[0, 0, 0, 0], [1e-4, -1e-4, 1e-4, 2e-4]], np.float32)
    expected, right, wrong = run_three("exact_constants", Norm(), spec, {"x": x}, tmp_path)
    np.testing.assert_allclose(right["output"], expected["output"], rtol=1e-6)
    assert np.isnan(wrong["output"][0]).all()


# Translations.


class Dividing(nn.Module):
    def forward(self, x, y):
        return {
            "floor": torch.div(x, 7, rounding_mode="floor"),
            "trunc": torch.div(x, -3, rounding_mode="trunc"),
            "by": torch.div(x, x.abs() + 1, rounding_mode="floor"),
            "real": torch.div(y, 0.5, rounding_mode="floor"),
            "mixed": torch.div(y, x.abs() + 1, rounding_mode="trunc"),
        }


def test_integers_are_divided_as_integers(tmp_path):
    spec = InputSpec({"x": TensorSpec("x", [ROWS], "int64"), "y": TensorSpec("y", [ROWS])})
    x = np.array([2**40 + 5, -(2**40) - 5, 123456789012345, -7, 7, -1, 0], np.int64)
    feeds = {"x": x, "y": np.linspace(-2, 3, 7, dtype=np.float32)}
    expected, right, wrong = run_three("exact_integers.divide_with_mode", Dividing(), spec, feeds, tmp_path)
    for name, values in expected.items():
        np.testing.assert_array_equal(right[name], values, err_msg=name)
    assert (wrong["floor"] != expected["floor"]).any()


class Powers(nn.Module):
    def forward(self, x, y):
        return x**y


def test_integers_are_raised_as_integers(tmp_path):
    spec = InputSpec({name: TensorSpec(name, (ROWS, LONG), "int64") for name in ("x", "y")})
    x = np.array([[3, -3, 2**40 + 1, 9576890767], [1, -1, 0, 2], [-2, 7, 2**33 + 5, -(2**31) - 1]])
    y = np.array([[40, 39, 3, 9], [-5, -5, 0, -1], [63, 21, 4, 2]])
    feeds = {"x": x, "y": y}
    expected, right, wrong = run_three("exact_integers.raise_to_power", Powers(), spec, feeds, tmp_path)
    np.testing.assert_array_equal(right["output"], expected["output"])
    assert (wrong["output"] != expected["output"]).any()


class Sums(nn.Module):
    def forward(self, x):
        return {"square": (x * x).sum(-1), "kept": (x * x).sum(dim=(0, 1), keepdim=True)}


def test_products_of_integers_are_summed_as_integers(tmp_path):
    spec = InputSpec({"x": TensorSpec("x", (ROWS, LONG), "int64")})
    feeds = {"x": np.array([[2**30 + 1, -3, 2**31 - 5, 95768], [-2, 7, 2**29 + 5, -(2**31) + 1]])}
    expected, right, wrong = run_three("exact_integers.sum_integers", Sums(), spec, feeds, tmp_path)
    for name, values in expected.items():
        np.testing.assert_array_equal(right[name], values, err_msg=name)
    assert (wrong["square"] != expected["square"]).any()


class Scaled(nn.Module):
    def __init__(self, operation):
        super().__init__()
        self.operation = operation

    def forward(self, x):
        return self.operation(x, x.shape[1] / 3)


@pytest.mark.parametrize(
    ("name", "operation"),
    [
        ("mul.Scalar", lambda x, number: (x * 9).long() * number),
        ("pow.Tensor_Scalar", lambda x, number: x.abs() ** number),
        ("remainder.Scalar", lambda x, number: x % number),
    ],
)
def test_numbers_can_be_computed_from_sizes(tmp_path, name, operation):
    module, spec = Scaled(operation), InputSpec({"x": TensorSpec("x", (ROWS, LONG))})
    run = open_runner(write(module, spec, tmp_path / "right.onnx"), spec)
    for sizes in spec.probes():
        feeds = spec.feeds(**sizes)
        expected = open_runner(module, spec)(feeds)["output"]
        np.testing.assert_allclose(run(feeds)["output"], expected, rtol=1e-5)
    with pytest.raises(torch.onnx.OnnxExporterError):
        write(module, spec, tmp_path / "wrong.onnx", f"numbers.{name}")


class Checking(nn.Module):
    def forward(self, x):
        return x * torch._is_all_true(x > -1)


def test_a_model_can_check_its_inputs(tmp_path):
    spec = InputSpec({"x": TensorSpec("x", [ROWS, 4])})
    run = open_runner(write(Checking(), spec, tmp_path / "right.onnx"), spec)
    x = np.ones((3, 4), np.float32)
    assert (run({"x": x})["output"] == 1).all()
    assert (run({"x": -2 * x})["output"] == 0).all()
    with pytest.raises(ExportError, match=r"no translation of aten\._is_all_true\. Compute it by other operators"):
        write(Checking(), spec, tmp_path / "wrong.onnx", "numbers.are_all_true")


class Means(nn.Module):
    def __init__(self, include_self):
        super().__init__()
        self.include_self = include_self

    def forward(self, x, places):
        held = torch.full((x.shape[0], 5), 7.0)
        return held.scatter_reduce(1, places, x, reduce="mean", include_self=self.include_self)


@pytest.mark.parametrize("include_self", [False, True])
def test_a_mean_of_the_values_scattered_to_one_place(tmp_path, include_self):
    places = TensorSpec("places", (ROWS, LONG), "int64", Uniform(0, 4))
    spec = InputSpec({"x": TensorSpec("x", (ROWS, LONG)), "places": places})
    expected, right, wrong = run_three("scattering.scatter", Means(include_self), spec, spec.feeds(), tmp_path)
    np.testing.assert_allclose(right["output"], expected["output"], rtol=1e-6)
    assert (expected["output"][:, 4] == 7).all() or include_self
    assert not np.allclose(wrong["output"], expected["output"])


class Biased(nn.Module):
    def forward(self, x, hidden):
        bias = torch.zeros(x.shape[0], 1, x.shape[1], x.shape[1]).masked_fill(hidden[:, None, :, None] > 0, -torch.inf)
        heads = x[:, None]
        return nn.functional.scaled_dot_product_attention(heads, heads, heads, attn_mask=bias)


@pytest.mark.parametrize("opset", [18, 20])
def test_a_row_that_a_float_mask_hides_attends_to_nothing(tmp_path, opset):
    hidden = TensorSpec("hidden", (ROWS, LONG), "int64", Uniform(0, 2))
    spec = InputSpec({"x": TensorSpec("x", (ROWS, LONG, 4)), "hidden": hidden})
    expected, right, wrong = run_three("attention.attend", Biased(), spec, spec.feeds(), tmp_path, opset=opset)
    assert (expected["output"] == 0).all(-1).any()
    np.testing.assert_allclose(right["output"], expected["output"], atol=1e-6)
    assert np.isnan(wrong["output"]).any()


class Headless(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.kind = kind

    def forward(self, x, hidden):
        mask = {
            "none": None,
            "boolean": (hidden[:, None, :] < 1).expand(-1, x.shape[1], -1),
            "float": torch.zeros(x.shape[0], 1, x.shape[1]).masked_fill(hidden[:, None, :] > 0, -9.0),
            "causal": None,
        }[self.kind]
        options = {"is_causal": self.kind == "causal", "scale": 0.7}
        return nn.functional.scaled_dot_product_attention(x, x * 2, x + 1, attn_mask=mask, **options)


@pytest.mark.parametrize("kind", ["none", "boolean", "float", "causal"])
def test_attention_without_an_axis_of_heads_is_translated(tmp_path, kind):
    hidden = TensorSpec("hidden", (ROWS, LONG), "int64", Uniform(0, 2))
    spec = InputSpec({"x": TensorSpec("x", (ROWS, LONG, 4)), "hidden": hidden})
    module, feeds = Headless(kind), spec.feeds()
    right = open_runner(write(module, spec, tmp_path / "right.onnx"), spec)(feeds)
    np.testing.assert_allclose(right["output"], open_runner(module, spec)(feeds)["output"], atol=1e-6)
    with pytest.raises(Exception, match="only 4D"):
        write(module, spec, tmp_path / "wrong.onnx", "attention.attend")


RESIZES = {
    "upsample_nearest1d": lambda x: nn.functional.interpolate(x[..., 0], size=8),
    "upsample_nearest2d": lambda x: nn.functional.interpolate(x, size=(8, 8)),
    "upsample_nearest3d": lambda x: nn.functional.interpolate(x[..., None], size=(8, 10, 1)),
}


@pytest.mark.parametrize("operator", RESIZES)
def test_a_resize_to_a_constant_size_takes_the_nearest_elements(tmp_path, operator):
    edge = Dim("edge", 14)
    spec = InputSpec({"x": TensorSpec("x", (ROWS, 2, edge, 7))})
    module, feeds = Function(RESIZES[operator]), spec.feeds()
    own, right, wrong = run_three(f"resizing.{operator}", module, spec, feeds, tmp_path)
    np.testing.assert_array_equal(right["output"], own["output"])
    assert not np.array_equal(wrong["output"], own["output"])
    assert validate(tmp_path / "right.onnx", reference=module, spec=spec).ok


@pytest.mark.parametrize("axis", [0, 1, -1, None])
def test_elements_are_repeated_as_often_as_a_size_says(tmp_path, axis):
    spec = InputSpec({"x": TensorSpec("x", (ROWS, LONG, 4))})
    module = Function(lambda x: x[:, :5].repeat_interleave(x.shape[1], dim=axis))
    right = write(module, spec, tmp_path / "right.onnx")
    feeds = spec.feeds()
    np.testing.assert_array_equal(*(open_runner(each, spec)(feeds)["output"] for each in (module, right)))
    with pytest.raises(RunError):
        open_runner(write(module, spec, tmp_path / "wrong.onnx", "resizing.repeat_elements"), spec)(feeds)


ABSENT = {
    "sort.stable": lambda x: torch.sort(x > 0.5, stable=True, dim=1, descending=True),
    "median.dim": lambda x: x.median(1),
    "median.default": lambda x: x.median(),
    "kthvalue.default": lambda x: x.kthvalue(2, dim=-2, keepdim=True),
    "searchsorted.Tensor": lambda x: torch.searchsorted(x.sort(-1).values, x * 2 - 0.5, right=True),
    "cumprod.default": lambda x: (x.cumprod(1), (x * 3).long().cumprod(-1)),
    "cummax.default": lambda x: ((x * 3).long().cummax(1), x.cummax(-1)),
    "cummin.default": lambda x: ((x * 3).long().cummin(1), x.cummin(0)),
    "hypot.default": lambda x: torch.hypot(x * 1e25, x.flip(1) * 1e25) / 1e25,
    "fmax.default": lambda x: torch.fmax(torch.where(x > 0.5, torch.nan, x), x * 2),
    "fmin.default": lambda x: torch.fmin(torch.where(x > 0.5, torch.nan, x), x * 2),
    "copysign.Tensor": lambda x: torch.copysign(x, 0.5 - x),
    "_cdist_forward.default": lambda x: [torch.cdist(x, x.flip(1) + 1, p) for p in (0.0, 1.0, 2.0, 3.0, torch.inf)],
}
"""Operator → a function that needs its translation."""


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("operator", ABSENT)
def test_operators_without_a_translation(tmp_path, operator):
    module, spec = (
        Function(ABSENT[operator]),
        InputSpec({"x": TensorSpec("x", [ROWS, LONG, 4], "float32", Uniform(0, 1))}),
    )
    artifact = export(module, tmp_path / "right.onnx", spec=spec)
    assert validate(artifact.path, reference=module).ok
    (name,) = [each.name for each in PASSES if each.replaces == f"aten.{operator}"]
    with pytest.raises(ExportError, match=r"no translation of (aten|prims)\.\w+"):
        write(module, spec, tmp_path / "wrong.onnx", name)
