"""Operands of different dtypes, and functions of two names: PyTorch converts, and so must the file."""

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")

import dummyio
from dummyio import Dim, InputSpec, TensorSpec
from dummyio.spec.values import Uniform

pytestmark = pytest.mark.slow

SPEC = InputSpec(
    {
        "x": TensorSpec("x", (2, Dim("length", 6))),
        "mask": TensorSpec("mask", (2, Dim("length", 6)), "int64", Uniform(1, 9)),
    }
)


class Computing(torch.nn.Module):
    def __init__(self, compute):
        super().__init__()
        self.compute = compute

    def forward(self, x, mask):
        return self.compute(x, mask)


ALIASES = {
    name: getattr(torch, name) for name in ("divide", "multiply", "subtract", "greater", "less_equal", "not_equal")
}
SCALARS = {
    "a number minus integers": lambda _, mask: 1.0 - mask,
    "a mask of a mask": lambda _, mask: (1.0 - (mask > 3).int()) * -1e4,
    "rounded down": lambda _, mask: mask // 2.5,
    "integers to a power": lambda _, mask: mask**2.5,
    "masked variance": lambda x, mask: torch.masked.var(x, dim=1, mask=mask > 3, unbiased=False),
}


@pytest.mark.parametrize("compute", [*ALIASES.values(), *SCALARS.values()], ids=[*ALIASES, *SCALARS])
def test_operands_are_converted_as_in_pytorch(compute, tmp_path):
    module = Computing(compute)
    artifact = dummyio.export(module, tmp_path / "model.onnx", spec=SPEC)
    report = dummyio.validate(artifact.path, module, spec=artifact.spec)
    assert report.ok, [found.message for found in report.errors]
