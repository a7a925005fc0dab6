"""Exports of modules: names, order and sizes are those of the spec, and silent changes of an exporter are undone or refused."""

import ast

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
ort = pytest.importorskip("onnxruntime")

from torch import nn

import dummyio
from dummyio import Dim, InputSpec, Nest, TensorSpec, open_runner
from dummyio.errors import ExportError, OptionError
from dummyio.spec.spec_data import OutputSpec
from dummyio.spec.values import PaddingMask, Uniform

pytestmark = pytest.mark.slow

ROWS, LONG, SHORT = Dim("rows", 1), Dim("long", 5), Dim("short", 4)


def compared(module, path, spec):
    """Return the largest difference between a module and its file over all probes, and the names of the outputs."""
    reference, actual = open_runner(module, spec), open_runner(path, spec)
    worst = 0.0
    names = []
    for sizes in spec.probes():
        feeds = spec.feeds(**sizes)
        expected, found = reference(feeds), actual(feeds)
        names = list(expected)
        assert list(found) == names
        for name in names:
            assert found[name].shape == expected[name].shape, (name, sizes)
            assert found[name].dtype == expected[name].dtype
            worst = max(worst, float(np.abs(found[name] - expected[name]).max(initial=0)))
    return worst, names


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.LayerNorm(8)
        self.dense = nn.Linear(8, 8)

    def forward(self, x):
        return x + torch.tanh(self.dense(self.norm(x)))


class Model(nn.Module):
    """Nested inputs, one of them not used, one handed back, one output under two names."""

    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList([Block()])

    def forward(self, x, pair, unused, mask):
        for block in self.blocks:
            x = block(x) * mask[:, :, None]
        total = x.sum(1) + pair["b"].sum(1)
        return {"total": total, "again": total, "back": pair["a"], "y": x}


def float_tensor(name, *shape):
    return TensorSpec(name, (*shape, 8))


OUTPUTS = (
    OutputSpec("total", (ROWS, 8)),
    OutputSpec("again", (ROWS, 8)),
    OutputSpec("back"),
    OutputSpec("y", (ROWS, LONG, 8)),
)
SPEC = InputSpec(
    {
        "x": float_tensor("x", ROWS, LONG),
        "mask": TensorSpec("mask", (ROWS, LONG), "int64", PaddingMask()),
        "pair": Nest.of("dict", {"b": float_tensor("b", ROWS, SHORT), "a": float_tensor("a", LONG + SHORT)}),
        "unused": float_tensor("unused", SHORT),
    },
    outputs=OUTPUTS,
)


@pytest.fixture(scope="module")
def module():
    torch.manual_seed(0)
    return Model().train()


@pytest.fixture(scope="module")
def exported(module, tmp_path_factory):
    path = tmp_path_factory.mktemp("dynamo") / "model.onnx"
    return dummyio.export(module, path, spec=SPEC)


def shapes(values):
    return {v.name: [d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim] for v in values}


def declared(spec):
    return {path: [size if isinstance(size, int) else str(size) for size in leaf.shape] for path, leaf in spec.leaves}


def test_inputs_and_outputs_are_the_specs(exported, module):
    graph = onnx.load(exported.path).graph
    assert list(shapes(graph.input).items()) == list(declared(SPEC).items())
    assert [output.name for output in graph.output] == ["total", "again", "back", "y"]
    assert shapes(graph.output)["y"] == ["rows", "long", 8]
    assert exported.notes == ()
    assert module.training


def test_it_computes_the_same_at_all_probes(exported, module):
    worst, names = compared(module, exported.path, SPEC)
    assert worst < 1e-5
    assert names == ["total", "again", "back", "y"]


def test_weights_and_scopes_have_the_models_own_names(exported):
    graph = onnx.load(exported.path).graph
    assert {"blocks.0.dense.bias", "blocks.0.norm.weight"} <= {tensor.name for tensor in graph.initializer}
    scopes = {}
    for node in graph.node:
        props = {prop.key: prop.value for prop in node.metadata_props}
        assert not any("stack_trace" in key for key in props)
        if "pkg.torch.onnx.name_scopes" in props:
            scopes[node.op_type] = ast.literal_eval(props["pkg.torch.onnx.name_scopes"])
            assert "FlatModule" not in "".join(props.values())
    assert scopes["Tanh"][:2] == ["", "blocks.0"]


def test_the_older_exporter_drops_an_input_that_is_put_back(module, tmp_path):
    artifact = dummyio.export(module, tmp_path / "model.onnx", spec=SPEC, exporter="torchscript", opset=17)
    model = onnx.load(artifact.path)
    assert list(shapes(model.graph.input).items()) == list(declared(SPEC).items())
    assert model.opset_import[0].version == 17
    assert any("does not use unused" in note for note in artifact.notes)
    assert compared(module, artifact.path, SPEC)[0] < 1e-5


def test_pt2(module, tmp_path):
    artifact = dummyio.export(module, tmp_path / "model.pt2", spec=SPEC)
    run = open_runner(artifact.path)
    assert [port.name for port in run.inputs] == [path for path, _ in SPEC.leaves]
    assert [port.name for port in run.outputs] == ["total", "again", "back", "y"]
    worst, names = compared(module, artifact.path, SPEC)
    assert worst < 1e-6
    assert names == ["total", "again", "back", "y"]


def test_weights_beside(module, tmp_path):
    artifact = dummyio.export(module, tmp_path / "model.onnx", spec=SPEC, external_data=True)
    assert [file.name for file in artifact.files] == ["model.onnx", "model.onnx.data", "model.onnx.dummyio.json"]
    assert compared(module, artifact.path, SPEC)[0] < 1e-5


def test_structure_without_weights(module, tmp_path):
    artifact = dummyio.export(module, tmp_path / "model.onnx", spec=SPEC, weights=False)
    graph = onnx.load(artifact.path, load_external_data=False).graph
    weights = {tensor.name: tensor for tensor in graph.initializer}
    assert list(weights["blocks.0.dense.weight"].dims) == [8, 8]
    assert weights["blocks.0.dense.weight"].data_location == onnx.TensorProto.EXTERNAL
    assert list(shapes(graph.input)) == [path for path, _ in SPEC.leaves]
    assert artifact.path.stat().st_size < 20_000
    assert "without weights" in artifact.notes[0]


def test_a_model_that_has_no_weights_yet(tmp_path):
    with torch.device("meta"):
        large = nn.Linear(1 << 20, 1 << 16)  # 256 GiB, if it were real
    spec = InputSpec({"input": TensorSpec("input", (ROWS, 1 << 20))})
    artifact = dummyio.export(large, tmp_path / "model.onnx", spec=spec, weights=False)
    assert shapes(onnx.load(artifact.path, load_external_data=False).graph.output)["output"][1] == 1 << 16


# Silent changes of exporters.


class Equal(nn.Module):
    def forward(self, a, b):
        return a + b


@pytest.mark.parametrize("suffix", [".onnx", ".pt2"])
def test_a_size_that_became_a_constant_is_refused(tmp_path, suffix):
    class Constant(nn.Module):
        def forward(self, x):
            torch._check(x.shape[1] == 6)
            return x * 2

    length = Dim("length", 6)
    spec = InputSpec({"x": TensorSpec("x", (ROWS, length))})
    with pytest.raises(ExportError, match=r"constant|length"):
        dummyio.export(Constant(), tmp_path / f"model{suffix}", spec=spec)
    assert list(tmp_path.iterdir()) == []
    artifact = dummyio.export(Constant(), tmp_path / f"model{suffix}", spec=spec, static="length")
    assert artifact.spec.dims["length"].fixed
    assert compared(Constant(), artifact.path, artifact.spec)[0] == 0


@pytest.mark.parametrize("suffix", [".onnx", ".pt2"])
def test_two_sizes_that_became_one_are_refused(tmp_path, suffix):
    left, right = Dim("left", 6, min=3), Dim("right", 6, min=3)
    spec = InputSpec({"a": TensorSpec("a", (left, 8)), "b": TensorSpec("b", (right, 8))})
    with pytest.raises(ExportError):
        dummyio.export(Equal(), tmp_path / f"model{suffix}", spec=spec)


def test_an_opset_that_the_exporter_does_not_write_is_refused(module, tmp_path):
    with pytest.raises(ExportError, match=r"wrote opset 18 instead.*torchscript"):
        dummyio.export(module, tmp_path / "model.onnx", spec=SPEC, opset=13)


def test_options_are_checked(module, tmp_path):
    for options, message in (
        ({"exporter": "jit"}, "'dynamo' or 'torchscript'"),
        ({"static": ("lenght",)}, "lenght"),
        ({"attention": "flash"}, "no such implementation"),
    ):
        with pytest.raises(OptionError, match=message):
            dummyio.export(module, tmp_path / "model.onnx", spec=SPEC, **options)


def test_a_module_that_does_not_run_on_its_spec_is_said_to(tmp_path):
    spec = InputSpec({"input": TensorSpec("input", (ROWS, 7))})
    with pytest.raises(ExportError, match=r"does not run on its own spec \(input \[\d+, 7\]\)"):
        dummyio.export(nn.Linear(8, 2), tmp_path / "model.onnx", spec=spec)


class Convolution(nn.Sequential):
    def __init__(self):
        super().__init__(
            nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2)
        )


def test_a_convolution_described_by_itself(tmp_path):
    torch.manual_seed(0)
    artifact = dummyio.export(Convolution(), tmp_path / "model.onnx")
    assert artifact.spec.dims
    torch.manual_seed(0)
    assert compared(Convolution(), artifact.path, artifact.spec)[0] < 1e-5


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_a_narrow_dtype_is_exported_and_validated(tmp_path, dtype):
    """ONNX Runtime has no kernels for bfloat16 on the CPU: the same graph runs in float32, and the engine says so."""
    if dtype == "bfloat16" and tuple(map(int, ort.__version__.split(".")[:2])) < (1, 21):
        pytest.skip("ONNX Runtime reads the opset in which convolutions take bfloat16 from 1.21 on")
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten())
    module = module.append(nn.Linear(16, 2)).to(getattr(torch, dtype)).eval()
    artifact = dummyio.export(module, tmp_path / "model.onnx")
    graph = onnx.load(artifact.path).graph
    kinds = {onnx.TensorProto.DataType.Name(v.type.tensor_type.elem_type) for v in (*graph.input, *graph.output)}
    assert kinds == {dtype.upper()}
    assert artifact.notes == ()
    report = dummyio.validate(artifact.path, reference=module)
    assert report.ok, report
    runner = open_runner(artifact.path)
    assert runner.engine.endswith("bfloat16 as float32") == (dtype == "bfloat16")
    (found,) = runner(artifact.spec.feeds()).values()
    assert found.dtype == artifact.spec.feeds()["input"].dtype


class Selecting(nn.Module):
    def forward(self, x, keep, features):
        chosen = (keep > 0)[:, :, None].expand_as(x)
        torch._check(x[chosen].numel() == features.numel())
        return x.masked_scatter(chosen, features)


def test_a_models_check_of_how_many_a_mask_selects(tmp_path):
    spec = InputSpec(
        {
            "x": TensorSpec("x", (ROWS, LONG, 4)),
            "keep": TensorSpec("keep", (ROWS, LONG), "int64", Uniform(1, 2)),
            "features": TensorSpec("features", (ROWS * LONG, 4)),
        }
    )
    artifact = dummyio.export(Selecting(), tmp_path / "model.onnx", spec=spec)
    assert compared(Selecting(), artifact.path, spec)[0] == 0
