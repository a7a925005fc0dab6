"""Decoders as ONNX Runtime GenAI runs them: its own generation writes the tokens of the model."""

import json

import pytest

torch = pytest.importorskip("torch")
hf = pytest.importorskip("transformers")
pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")

import dummyio
from dummyio.errors import ExportError

pytestmark = pytest.mark.slow

TEXT = {
    "vocab_size": 99,
    "hidden_size": 32,
    "intermediate_size": 37,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 64,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
SMALL = {"vocab_size": 99, "n_layer": 2, "n_head": 4, "bos_token_id": 1, "eos_token_id": 2}
WINDOWS = {"sliding_window": 16, "layer_types": ["sliding_attention", "full_attention"]}
MODELS = {
    "grouped heads": lambda: hf.LlamaForCausalLM(hf.LlamaConfig(num_key_value_heads=2, **TEXT)),
    "other names": lambda: hf.GPT2LMHeadModel(hf.GPT2Config(n_embd=32, n_positions=64, **SMALL)),
    "windows": lambda: hf.Gemma3ForCausalLM(hf.Gemma3TextConfig(num_key_value_heads=2, head_dim=8, **WINDOWS, **TEXT)),
    "no limit": lambda: hf.BloomForCausalLM(hf.BloomConfig(hidden_size=32, pad_token_id=0, **SMALL)),
}


def make(kind):
    torch.manual_seed(0)
    return MODELS[kind]().eval()


def write_tokens(genai, folder, prompt, length):
    model = genai.Model(str(folder))
    options = genai.GeneratorParams(model)
    options.set_search_options(max_length=length)
    generator = genai.Generator(model, options)
    generator.append_tokens(prompt)
    while not generator.is_done():
        generator.generate_next_token()
    return generator.get_sequence(0).tolist()


@pytest.mark.parametrize("kind", MODELS)
def test_the_runtime_writes_the_tokens_of_the_model(tmp_path, kind):
    genai = pytest.importorskip("onnxruntime_genai")
    model = make(kind)
    artifact = dummyio.export(model, tmp_path / "out", layout="genai")
    prompt = [5, 6, 7, 8]
    ids = torch.tensor([prompt])
    expected = model.generate(ids, max_new_tokens=24, min_new_tokens=24, do_sample=False, eos_token_id=None)[0].tolist()
    made = write_tokens(genai, artifact.path, prompt, 28)
    ends = [place for place, token in enumerate(expected) if place >= len(prompt) and token == TEXT["eos_token_id"]]
    assert made == expected[: ends[0] + 1 if ends else None]
    assert len(made) > len(prompt) + 2


def test_the_configuration_states_what_the_file_has(tmp_path):
    artifact = dummyio.export(make("grouped heads"), tmp_path / "out", layout="genai")
    written = json.loads((artifact.path / "genai_config.json").read_text())["model"]
    assert written["decoder"]["num_key_value_heads"] == 2
    assert written["decoder"]["head_size"] == 8
    assert written["decoder"]["inputs"]["past_key_names"] == "past_key_values.%d.key"
    assert written["decoder"]["outputs"]["present_value_names"] == "present.%d.value"
    assert (written["context_length"], written["eos_token_id"]) == (64, [2])
    dummyio.export(make("grouped heads"), artifact.path, layout="genai", force=True)


def test_a_past_of_another_form_is_refused(tmp_path):
    config = hf.MambaConfig(vocab_size=99, hidden_size=32, num_hidden_layers=2, state_size=8)
    with pytest.raises(ExportError, match=r"layout='genai': its inputs are input_ids, attention_mask, cache_params"):
        dummyio.export(hf.MambaForCausalLM(config).eval(), tmp_path / "out", layout="genai")
    assert list(tmp_path.iterdir()) == []


def test_a_single_file_has_no_past(tmp_path):
    artifact = dummyio.export(make("grouped heads"), tmp_path / "out", layout="single")
    assert [file.name for file in artifact.files if file.suffix == ".onnx"] == ["model.onnx"]
    assert "past_key_values" not in artifact.spec
