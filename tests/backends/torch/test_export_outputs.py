"""The outputs of an export: their names, and results that are inputs, twice the same, None or nested."""

import dataclasses
from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")

from torch import nn

import dummyio
from dummyio import Dim, InputSpec, TensorSpec
from dummyio.backend.result_names import name_outputs, separate_names
from dummyio.errors import ExportError
from dummyio.spec.spec_data import OutputSpec

ROWS = Dim("rows", 3)


class Returning(nn.Module):
    """A layer that returns what a function makes of its input and its result."""

    def __init__(self, make):
        super().__init__()
        torch.manual_seed(0)
        self.layer, self.make = nn.Linear(4, 4), make

    def forward(self, sample):
        return self.make(sample, self.layer(sample))


@dataclasses.dataclass
class Result:
    sample: torch.Tensor
    more: torch.Tensor | None = None


def spec_of(*outputs):
    return InputSpec({"sample": TensorSpec("sample", (ROWS, 4))}, outputs=tuple(map(OutputSpec, outputs)))


def export(make, path, *outputs):
    """Export and validate a module; return the names of the file's outputs and the artifact."""
    module = Returning(make)
    artifact = dummyio.export(module, path, spec=spec_of(*outputs))
    report = dummyio.validate(artifact.path, reference=module)
    assert report.ok, report
    assert not [finding for finding in report.warnings if finding.kind == "names"]
    return [port.name for port in dummyio.open_runner(artifact.path).outputs], artifact


def test_an_output_with_the_name_of_an_input_gets_a_prefix():
    assert separate_names(["a", "b"], ["b", "c"]) == {"a": "a", "b": "out_b"}
    assert separate_names(["b", "out_b"], ["b"]) == {"b": "out_out_b", "out_b": "out_b"}
    assert separate_names(["b", "out_b"], ["b", "out_b"]) == {"b": "out_out_b", "out_b": "out_out_out_b"}
    assert separate_names([], ["b"]) == {}


def test_a_dataclass_is_named_by_its_fields():
    assert name_outputs(Result(1, None)) == {"sample": 1}
    assert name_outputs((Result(1, 2),)) == {"output_0.sample": 1, "output_0.more": 2}


CASES = [(".onnx", ()), (".onnx", ("sample", "more")), (".onnx", ("out_sample", "more")), (".pt2", ())]


@pytest.mark.slow
@pytest.mark.parametrize(("suffix", "declared"), CASES)
def test_an_input_and_an_output_may_have_one_name(tmp_path, suffix, declared):
    names, artifact = export(lambda x, y: {"sample": y, "more": x + 1}, tmp_path / f"m{suffix}", *declared)
    assert names == ["out_sample", "more"]
    assert artifact.notes == ("names of outputs: 'sample' is 'out_sample' in the file, since an input has that name",)
    assert [output.name for output in artifact.spec.outputs] == names[: len(declared)]


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".onnx", ".pt2"])
def test_outputs_have_the_names_that_the_spec_declares(tmp_path, suffix):
    names, artifact = export(lambda x, y: {"sample": y, "rest": [x * 2]}, tmp_path / f"m{suffix}", "left", "right")
    assert names == ["left", "right"]
    assert "'sample' is 'left' in the file, 'rest.0' is 'right' in the file, as the spec declares" in artifact.notes[0]


RESULTS = {
    "inputs": (lambda x, y: {"y": x, "z": y, "w": x.view(-1), "x": x}, ["y", "z", "w", "x"]),
    "the input in a tuple": (lambda x, y: (x, y, x), ["output_0", "output_1", "output_2"]),
    "one tensor several times": (
        lambda _, y: [y, y, {"a": y, "b": (y, y * 2)}],
        ["output_0", "output_1", "output_2.a"],
    ),
    "None": (lambda x, y: {"a": None, "b": y, "c": [None, x + 1, (None,)]}, ["b", "c.1"]),
    "nested": (lambda x, y: {"a": (x, {"b": [y, x.sum(1)]}), "c": ((x * 2,),)}, ["a.0", "a.1.b.0", "a.1.b.1", "c.0.0"]),
    "a dataclass": (lambda x, y: Result(y, x.sum(1)), ["out_sample", "more"]),
    "a constant": (lambda _, y: (y, torch.ones(2)), ["output_0", "output_1"]),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", RESULTS)
def test_results_of_all_kinds_are_outputs(tmp_path, kind):
    make, expected = RESULTS[kind]
    names, _ = export(make, tmp_path / "m.onnx")
    assert names[: len(expected)] == expected


@pytest.mark.parametrize("make", [lambda _x, _y: None, lambda x, _: x.shape[0]], ids=["None", "a number"])
def test_a_module_without_results_is_refused(tmp_path, make):
    with pytest.raises(ExportError, match=r"Returning returns no tensors.*Return a tensor, or"):
        dummyio.export(Returning(make), tmp_path / "m.onnx", spec=spec_of())
    assert list(tmp_path.iterdir()) == []


def test_shapes_of_renamed_outputs_are_declared(tmp_path):
    spec = spec_of()
    spec = InputSpec(dict(spec), outputs=(OutputSpec("sample", (ROWS, 4)),))
    artifact = dummyio.export(Returning(lambda _, y: {"sample": y}), tmp_path / "m.onnx", spec=spec)
    assert artifact.spec.outputs == (replace(spec.outputs[0], name="out_sample"),)
    (output,) = onnx.load(artifact.path).graph.output
    assert [size.dim_param or size.dim_value for size in output.type.tensor_type.shape.dim] == ["rows", 4]
