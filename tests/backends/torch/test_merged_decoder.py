"""The decoder of an encoder-decoder as one file for all steps: its weights once, and the tokens of ``generate``."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
hf = pytest.importorskip("transformers")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")

import dummyio
from dummyio.errors import ExportError
from dummyio_torch.exporting.parts import merge_decoders

pytestmark = pytest.mark.slow

NEW = 8


def make_t5():
    torch.manual_seed(0)
    sizes = {"d_model": 16, "d_kv": 8, "d_ff": 16, "num_layers": 2, "num_heads": 2}
    return hf.T5ForConditionalGeneration(hf.T5Config(vocab_size=40, decoder_start_token_id=0, **sizes)).eval()


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    model = make_t5()
    return model, dummyio.export(model, tmp_path_factory.mktemp("merged") / "out", layout="transformers.js")


def test_the_folder_has_one_decoder_that_holds_each_weight_once(written):
    _, artifact = written
    assert set(artifact.components) == {"onnx/encoder_model.onnx", "onnx/decoder_model_merged.onnx"}
    graph = onnx.load(artifact.path / "onnx/decoder_model_merged.onnx").graph
    assert [node.op_type for node in graph.node] == ["If"]
    inside = [each for item in graph.node[0].attribute for each in item.g.initializer]
    contents = [each.raw_data for each in (*graph.initializer, *inside) if np.prod(each.dims) >= 16]
    assert len(contents) == len(set(contents)) > 10


def test_the_merged_decoder_is_the_decoder_in_both_ways(written):
    _, artifact = written
    name = "onnx/decoder_model_merged.onnx"
    report = dummyio.validate(artifact.path / name, artifact.references[name], spec=artifact.components[name])
    assert report.ok, [finding.message for finding in report.errors]


def test_its_tokens_are_those_of_generate(written):
    model, artifact = written
    specs = {name.rpartition("/")[2]: spec for name, spec in artifact.components.items()}
    run = {name: dummyio.open_runner(artifact.path / "onnx" / name, spec) for name, spec in specs.items()}
    feeds = specs["encoder_model.onnx"].feeds(batch_size=3, encoder_sequence_length=7)
    inputs = {name: torch.tensor(values) for name, values in feeds.items()}
    expected = model.generate(**inputs, max_new_tokens=NEW, min_new_tokens=NEW, do_sample=False)
    states = run["encoder_model.onnx"](feeds)["last_hidden_state"]
    spec = specs["decoder_model_merged.onnx"]
    sizes = {"batch_size": 3, "encoder_sequence_length": 7, "past_decoder_sequence_length": 0}
    past = {path: np.zeros(leaf.sizes(sizes), "float32") for path, leaf in spec.leaves if path.startswith("past_")}
    ids, tokens = np.zeros((3, 1), "int64"), []
    for step in range(NEW):
        made = run["decoder_model_merged.onnx"](
            {
                "encoder_attention_mask": feeds["attention_mask"],
                "input_ids": ids,
                "encoder_hidden_states": states,
                "use_cache_branch": np.array([step > 0]),
                **past,
            }
        )
        logits = made["logits"][:, -1].copy()
        logits[:, model.config.eos_token_id] = -np.inf  # as `min_new_tokens` does
        ids = logits.argmax(-1)[:, None]
        tokens.append(ids)
        past = {name.replace("present", "past_key_values"): made[name] for name in made if name.startswith("present")}
    np.testing.assert_array_equal(np.concatenate(tokens, axis=1), expected[:, 1:].numpy())


def test_branches_in_the_wrong_order_are_not_written(tmp_path, monkeypatch):
    original = merge_decoders._merge
    monkeypatch.setattr(merge_decoders, "_merge", lambda first, later, spec: swap(original(first, later, spec)))
    with pytest.raises(ExportError, match="the artifact was written and is wrong"):
        dummyio.export(make_t5(), tmp_path / "out", layout="transformers.js")
    assert list(tmp_path.iterdir()) == []


def swap(model):
    one, other = model.graph.node[0].attribute
    one.name, other.name = other.name, one.name
    return model
