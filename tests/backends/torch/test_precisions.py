"""ONNX files in half precision and in 8 bits: their error is that of the rounding, and the spec beside them states it."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
hf = pytest.importorskip("transformers")
for package in ("onnx", "onnxruntime", "onnxscript"):
    pytest.importorskip(package)

import dummyio
from dummyio import Dim, InputSpec, TensorSpec
from dummyio.errors import OptionError
from dummyio.exporting.artifact import PRECISION
from dummyio.spec.values import Normal
from dummyio_torch.running.module_runner import ModuleRunner

pytestmark = pytest.mark.slow
SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
FP16, DYNAMIC, INT8 = {"dtype": "fp16"}, {"quantize": "dynamic"}, {"quantize": "int8"}
PAIRS = [("bert", FP16), ("gpt2", DYNAMIC), ("gpt2", INT8), ("convolutions", FP16), ("convolutions", INT8)]


def build(name):
    """Return a model whose weights are about as large as trained ones, and its spec."""
    torch.manual_seed(0)
    if name == "bert":
        model = hf.BertForSequenceClassification(hf.BertConfig(vocab_size=99, **SIZES))
    elif name == "gpt2":
        sizes = {"n_positions": 64, "n_embd": 32, "n_layer": 2, "n_head": 4}
        model = hf.GPT2LMHeadModel(hf.GPT2Config(vocab_size=99, bos_token_id=1, eos_token_id=2, **sizes))
    else:
        layers = torch.nn.Conv2d(3, 8, 3, padding=1), torch.nn.ReLU(), torch.nn.Conv2d(8, 4, 3)
        model = torch.nn.Sequential(*layers, torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(4, 5))
    for weights in model.parameters():
        torch.nn.init.normal_(weights, 0, 0.2)
    model.eval()
    if name != "convolutions":
        return model, dummyio.describe(model)
    return model, InputSpec({"input": TensorSpec("input", (Dim("batch_size", 2), 3, 16, 16), values=Normal())})


@pytest.mark.parametrize(("name", "options"), PAIRS, ids=str)
def test_the_error_is_that_of_the_rounding(tmp_path, name, options):
    model, spec = build(name)
    before = [weights.clone() for weights in model.parameters()]
    artifact = dummyio.export(model, tmp_path / "model.onnx", spec=spec, **options)
    assert all(torch.equal(*pair) for pair in zip(before, model.parameters(), strict=True))
    precision = artifact.spec.provenance[PRECISION]
    run, reference = dummyio.open_runner(artifact.path), ModuleRunner(model, spec)
    for sample in range(3):
        feeds = spec.feeds(sample=sample)
        expected, rounded, found = reference(feeds), reference.in_precision(feeds, precision), run(feeds)
        for output, values in expected.items():
            allowed = 3 * np.abs(rounded[output] - values).max()
            assert 0 < np.abs(found[output] - values).max() <= allowed
    report = dummyio.validate(artifact.path, model)
    assert report.ok
    assert "bits" in report.tolerances[next(iter(expected))].reason or precision == "float16"


def test_bfloat16_is_cast_by_the_framework_and_validates_against_the_model_as_it_was(tmp_path):
    model, spec = build("convolutions")
    artifact = dummyio.export(model, tmp_path / "model.onnx", spec=spec, dtype="bf16")
    assert str(artifact.spec["input"].dtype) == "bfloat16"
    assert all(weights.dtype is torch.float32 for weights in model.parameters())
    assert dummyio.validate(artifact.path, model).ok


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dtype": "fp16", "quantize": "int8"}, "a file has one of them"),
        ({"dtype": "fp16", "weights": False}, "without weights has no precision"),
        ({"dtype": "fp8"}, "dtype='fp8'"),
        ({"quantize": "int3"}, "quantize='int3'"),
    ],
    ids=str,
)
def test_precisions_that_do_not_exist(tmp_path, options, message):
    model, spec = build("convolutions")
    with pytest.raises(OptionError, match=message):
        dummyio.export(model, tmp_path / "model.onnx", spec=spec, **options)
    assert not list(tmp_path.iterdir())
