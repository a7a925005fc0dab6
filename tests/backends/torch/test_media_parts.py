"""Models of text and images as three files: together they are the whole model, in one run and step by step."""

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")
hf = pytest.importorskip("transformers")
pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")

import dummyio
from dummyio.errors import ExportError, OptionError, RunError
from dummyio.exporting.parts.joined_parts import JoinedParts

pytestmark = pytest.mark.slow

TASK = "image-text-to-text"
TEXT = {
    "vocab_size": 99,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
IMAGES = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 1,
    "num_attention_heads": 4,
    "image_size": 20,
    "patch_size": 10,
}
PARTS = ("vision_encoder", "embed_tokens", "decoder_model_merged")


def make_llava():
    torch.manual_seed(0)
    vision, text = hf.CLIPVisionConfig(projection_dim=32, **IMAGES), hf.LlamaConfig(**TEXT)
    config = hf.LlavaConfig(vision_config=vision, text_config=text, image_token_index=97, image_seq_length=4)
    return hf.LlavaForConditionalGeneration(config).eval()


def make_paligemma():
    torch.manual_seed(0)
    config = hf.PaliGemmaConfig(
        vision_config={"model_type": "siglip_vision_model", "projection_dim": 32, **IMAGES},
        text_config={"model_type": "gemma", "head_dim": 8, **TEXT},
        projection_dim=32,
        image_token_index=97,
        hidden_size=32,
    )
    return hf.PaliGemmaForConditionalGeneration(config).eval()


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    model = make_llava()
    return model, dummyio.export(model, tmp_path_factory.mktemp("parts") / "out", TASK, layout="transformers.js")


def join(artifact):
    specs = {name: artifact.components[f"onnx/{name}.onnx"] for name in PARTS}
    runners = {name: dummyio.open_runner(artifact.path / f"onnx/{name}.onnx", spec) for name, spec in specs.items()}
    return runners, specs


def test_each_part_has_a_file_with_its_own_spec(written):
    _, artifact = written
    assert set(artifact.components) == {f"onnx/{name}.onnx" for name in PARTS}
    assert json.loads((artifact.path / "config.json").read_text())["model_type"] == "llava"
    decoder = artifact.components["onnx/decoder_model_merged.onnx"]
    assert str(decoder["inputs_embeds"]).startswith("float32[batch_size, sequence_length, 32]")
    assert decoder.dims["sequence_length"].min == 1
    assert [output.name for output in decoder.outputs][:2] == ["logits", "present.0.key"]


def test_each_part_is_what_it_was_made_from(written):
    _, artifact = written
    for name, spec in artifact.components.items():
        report = dummyio.validate(artifact.path / name, artifact.references[name], spec=spec)
        assert report.ok, [finding.message for finding in report.errors]


def test_the_folder_is_the_whole_model_at_all_sizes(written):
    model, artifact = written
    report = dummyio.validate(artifact.path, model)
    assert report.ok, [finding.message for finding in report.errors]
    assert len([outcome for outcome in report.outcomes if outcome.status == "passed"]) > 10
    assert {made.output for outcome in report.outcomes for made in outcome.comparisons} == {"logits"}


def test_the_tokens_are_those_of_generate(written):
    model, artifact = written
    plain = dummyio.describe(model, TASK)
    runners, specs = join(artifact)
    joined = JoinedParts(plain, runners, specs)
    for batch, length in ((1, 6), (2, 9), (3, 17)):
        feeds = dict(plain.feeds(batch_size=batch, sequence_length=length))
        feeds["attention_mask"] = np.ones_like(feeds["attention_mask"])
        inputs = {name: torch.tensor(values) for name, values in feeds.items()}
        expected = model.generate(**inputs, max_new_tokens=8, min_new_tokens=8, do_sample=False)[:, length:]
        made, mask, tokens = joined.begin(feeds), feeds["attention_mask"], []
        for _ in range(8):
            logits = made["logits"][:, -1].copy()
            logits[:, TEXT["eos_token_id"]] = -np.inf  # as `min_new_tokens` does
            tokens.append(logits.argmax(-1)[:, None])
            mask = np.concatenate([mask, np.ones((batch, 1), mask.dtype)], axis=1)
            past = {name: values for name, values in made.items() if name.startswith("past_")}
            made = joined.step(tokens[-1], mask, past)
        np.testing.assert_array_equal(np.concatenate(tokens, axis=1), expected.numpy())


def test_features_that_no_placeholder_takes_are_refused(written):
    model, artifact = written
    plain = dummyio.describe(model, TASK)
    runners, specs = join(artifact)
    feeds = dict(plain.feeds())
    feeds["input_ids"] = np.where(feeds["input_ids"] == 97, 5, feeds["input_ids"])
    with pytest.raises(RunError, match=r"returns 8 features, and the text has placeholders \{97: 0\}"):
        JoinedParts(plain, runners, specs)(feeds)


def test_a_folder_of_parts_is_right_against_itself_and_replaced_by_force(written):
    model, artifact = written
    report = dummyio.validate(artifact.path, artifact.path)
    assert report.ok
    compared = {made.output.partition(":")[0] for outcome in report.outcomes for made in outcome.comparisons}
    assert compared == set(artifact.components)
    dummyio.export(model, artifact.path, TASK, layout="transformers.js", force=True)
    (artifact.path / "onnx" / "notes.txt").write_text("mine")
    with pytest.raises(dummyio.errors.OutputError, match="contains the folder onnx"):
        dummyio.export(model, artifact.path, TASK, layout="transformers.js", force=True)
    (artifact.path / "onnx" / "notes.txt").unlink()


def test_a_decoder_that_treats_images_in_another_way_is_refused(tmp_path):
    """Its text looks at the whole prompt where an image is there: the decoder alone does not know that."""
    with pytest.raises(ExportError, match=r"are not the whole model: .* export it whole, with layout='optimum'"):
        dummyio.export(make_paligemma(), tmp_path / "out", TASK, layout="transformers.js")
    assert list(tmp_path.iterdir()) == []


def test_a_layout_that_is_unknown(tmp_path):
    with pytest.raises(OptionError, match=r"layout='banana': give 'optimum', 'single', 'transformers.js' or 'genai'"):
        dummyio.export(make_llava(), tmp_path / "out", TASK, layout="banana")
    assert list(tmp_path.iterdir()) == []
