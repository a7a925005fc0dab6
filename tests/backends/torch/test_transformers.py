"""Exports of Transformers models: caches, folders that Optimum loads, and implementations that an exporter refuses."""

import json
import os
import subprocess

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")

from transformers_cases import build_model

import dummyio
from dummyio import open_runner
from dummyio.backend.registry import load_backend
from dummyio.errors import ExportError, OptionError
from dummyio_torch.exporting.implementation_fallback import Implementations, try_implementations

pytestmark = pytest.mark.slow

TEXT = {
    "vocab_size": 99,
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "intermediate_size": 16,
    "max_position_embeddings": 64,
    "eos_token_id": None,
}
PAIR = {
    "vocab_size": 99,
    "d_model": 16,
    "d_kv": 8,
    "d_ff": 16,
    "num_layers": 1,
    "num_heads": 2,
    "decoder_start_token_id": 0,
}
WHOLE = {
    "bert": ("BertForSequenceClassification", {**TEXT, "num_key_value_heads": 2}),
    "llama": ("LlamaForCausalLM", TEXT),
}
MODELS = {**WHOLE, "t5": ("T5ForConditionalGeneration", PAIR)}
SPARSE = {"mixtral": ("MixtralForCausalLM", {**TEXT, "num_local_experts": 2})}


def tiny(name, **changes):
    class_name, values = (MODELS | SPARSE)[name]
    torch.manual_seed(0)
    cls = getattr(transformers, class_name)
    return cls(cls.config_class(**{**values, **changes})).eval()


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Name → the model and its folder, each exported when it is first asked for."""
    made = {}

    def get(name):
        if name not in made:
            model = tiny(name)
            made[name] = model, dummyio.export(model, tmp_path_factory.mktemp(name) / "folder")
        return made[name]

    return get


def difference(module, path, spec, **sizes):
    feeds = spec.feeds(**sizes)
    expected, found = open_runner(module, spec)(feeds), open_runner(path, spec)(feeds)
    assert list(found) == list(expected) == [output.name for output in spec.outputs]
    assert {n: v.shape for n, v in found.items()} == {n: v.shape for n, v in expected.items()}
    return max(float(np.abs(found[name] - expected[name]).max(initial=0)) for name in found)


@pytest.mark.parametrize("name", MODELS)
def test_a_folder_runs_as_the_model_at_all_probes(folders, name):
    """With a past, rows that are padded on the left attend to nothing: they are zeros in the model, and in the file."""
    model, artifact = folders(name)
    parts = load_backend("pt").components(model, artifact.spec)
    assert {file.name for file in artifact.files if file.suffix == ".onnx"} == set(parts)
    assert (artifact.components or {"model.onnx": artifact.spec}) == {file: spec for file, (_, spec) in parts.items()}
    for file, (module, spec) in parts.items():
        assert [port.name for port in open_runner(artifact.path / file, spec).inputs] == [
            path for path, _ in spec.leaves
        ]
        for sizes in spec.probes():
            assert difference(module, artifact.path / file, spec, **sizes) < 1e-5, (file, sizes)


def test_a_folder_has_what_optimum_looks_for(folders):
    import onnx

    _, artifact = folders("t5")
    names = {file.name for file in artifact.files}
    assert names >= {"config.json", "generation_config.json", "encoder_model.onnx", "decoder_with_past_model.onnx"}
    graph = onnx.load(artifact.path / "decoder_model.onnx").graph
    assert [value.name for value in graph.input] == ["encoder_attention_mask", "input_ids", "encoder_hidden_states"]
    parts = [f"present.0.{side}.{part}" for side in ("decoder", "encoder") for part in ("key", "value")]
    assert [value.name for value in graph.output] == ["logits", *parts]
    shapes = {v.name: [d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim] for v in graph.output}
    assert shapes["present.0.encoder.key"] == ["batch_size", 2, "encoder_sequence_length", 8]


def test_without_the_past_it_is_one_file_as_the_spec_has_it(tmp_path):
    model = tiny("llama")
    artifact = dummyio.export(model, tmp_path / "folder", "text-generation", past=False)
    assert list(artifact.spec) == ["input_ids", "attention_mask", "position_ids"]
    assert difference(model, artifact.path, artifact.spec) < 1e-5


def test_an_encoder_that_ignores_the_images_of_its_model_is_not_a_part(tmp_path):
    model = build_model("Florence2ForConditionalGeneration")
    with pytest.raises(ExportError, match=r"the encoder of Florence2\w+ takes no pixel_values: .* past=False"):
        dummyio.export(model, tmp_path / "folder")
    assert not (tmp_path / "folder").exists()


def test_a_module_of_ones_own_has_no_folder(tmp_path):
    spec = dummyio.InputSpec({"input": dummyio.TensorSpec("input", (dummyio.Dim("rows", 2), 4))})
    with pytest.raises(ExportError, match="is not a Transformers model"):
        dummyio.export(torch.nn.Linear(4, 4), tmp_path / "folder", spec=spec)


# Implementations.


def test_another_implementation_is_tried_noted_and_put_back():
    model = tiny("llama")
    seen = []

    def attempt():
        seen.append(model.config._attn_implementation)
        if seen[-1] != "eager":
            raise RuntimeError("no operator")
        return ("a note",)

    notes = try_implementations(model, attempt, Implementations())
    assert seen == ["sdpa", "eager"]
    assert notes == (
        "exported with attention='eager', because the model's own choice failed: RuntimeError: no operator",
        "a note",
    )
    assert model.config._attn_implementation == "sdpa"


def test_parts_that_make_no_difference_alone_are_not_changed_together():
    model = tiny("mixtral")
    seen = []

    def attempt():
        seen.append((model.config._attn_implementation, model.config._experts_implementation))
        raise RuntimeError(f"s{len(seen)} becomes a constant")

    with pytest.raises(ExportError, match=r"Also tried: experts='batched_mm'; attention='eager'\.$"):
        try_implementations(model, attempt, Implementations())
    assert seen == [("sdpa", "grouped_mm"), ("sdpa", "batched_mm"), ("eager", "grouped_mm")]


def test_what_was_chosen_is_not_replaced():
    model = tiny("llama")

    def attempt():
        raise RuntimeError(model.config._attn_implementation)

    with pytest.raises(ExportError, match="RuntimeError: eager"):
        try_implementations(model, attempt, Implementations(attention="eager"))
    with pytest.raises(OptionError, match="no such implementation"):
        try_implementations(model, attempt, Implementations(attention="abacus"))
    assert model.config._attn_implementation == "sdpa"


# Optimum, in an environment of its own: it needs an older Transformers than dummyio's tests.

OPTIMUM = """
import json, os, sys
import numpy as np, torch
import optimum.onnxruntime as ort
name, folder = sys.argv[1:]
os.chdir(folder)
kinds = {"bert": "SequenceClassification", "llama": "CausalLM", "t5": "Seq2SeqLM"}
model = getattr(ort, "ORTModelFor" + kinds[name]).from_pretrained("folder")
feeds = {key: torch.from_numpy(values) for key, values in np.load("feeds.npz").items()}
if name == "bert":
    print(json.dumps(model(**feeds).logits.tolist()))
else:
    assert model.can_use_cache
    print(json.dumps(model.generate(**feeds, do_sample=False, max_new_tokens=5, pad_token_id=0).tolist()))
"""


@pytest.mark.skipif(
    "DUMMYIO_OPTIMUM_PYTHON" not in os.environ, reason="DUMMYIO_OPTIMUM_PYTHON names no Python with Optimum"
)
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.filterwarnings(
    "ignore::UserWarning", "ignore::FutureWarning"
)  # of Transformers' generate, on its own settings
def test_optimum_loads_and_generates(folders, name):
    model, artifact = folders(name)
    feeds = {
        "input_ids": torch.tensor([[5, 6, 7, 8], [0, 0, 9, 10]]),
        "attention_mask": torch.ones(2, 4, dtype=torch.int64),
    }
    feeds["attention_mask"][1, :2] = 0
    home = artifact.path.parent
    np.savez(home / "feeds.npz", **{key: value.numpy() for key, value in feeds.items()})
    command = [os.environ["DUMMYIO_OPTIMUM_PYTHON"], "-c", OPTIMUM, name, str(home)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    with torch.no_grad():
        if name == "bert":
            np.testing.assert_allclose(found, model(**feeds).logits.numpy(), atol=1e-5)
        else:
            assert found == model.generate(**feeds, do_sample=False, max_new_tokens=5, pad_token_id=0).tolist()
