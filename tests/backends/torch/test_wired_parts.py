"""Models whose inputs go separate ways, as files: joined, they are the whole model."""

import copy
from functools import cache

import numpy as np
import pytest

torch = pytest.importorskip("torch")
hf = pytest.importorskip("transformers")
pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")

import dummyio
from dummyio.errors import OptionError, SourceError
from dummyio.huggingface.parts.wiring import connect_parts
from dummyio.onnx import AutoModelForONNX

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
IMAGES = {
    "hidden_size": 32,
    "intermediate_size": 37,
    "num_hidden_layers": 1,
    "num_attention_heads": 4,
    "image_size": 20,
    "patch_size": 10,
}


def make_clip():
    return hf.CLIPModel(hf.CLIPConfig(text_config=TEXT, vision_config=IMAGES, projection_dim=16))


def make_blip():
    text = {**TEXT, "encoder_hidden_size": 32, "sep_token_id": 2}
    return hf.BlipForConditionalGeneration(hf.BlipConfig(text_config=text, vision_config=IMAGES, projection_dim=16))


def make_sam():
    vision = {"output_channels": 16, "num_pos_feats": 8, "mlp_dim": 37, "window_size": 2, "global_attn_indexes": [0]}
    prompts = {"hidden_size": 16, "image_size": 20, "patch_size": 10, "mask_input_channels": 4}
    decoder = {"hidden_size": 16, "mlp_dim": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    decoder |= {"iou_head_depth": 2, "iou_head_hidden_dim": 16}
    config = hf.SamConfig(
        vision_config={**IMAGES, **vision}, prompt_encoder_config=prompts, mask_decoder_config=decoder
    )
    return hf.SamModel(config)


def make_t5():
    config = {"vocab_size": 99, "d_model": 32, "d_kv": 8, "d_ff": 37, "num_layers": 2, "num_heads": 4}
    return hf.T5ForConditionalGeneration(hf.T5Config(decoder_start_token_id=0, **config))


def export(make, folder, layout):
    torch.manual_seed(0)
    model = make().eval()
    return model, dummyio.export(model, folder / "out", layout=layout)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Return a function that exports a model of a kind, once."""
    return cache(lambda kind: export(PARTS[kind][0], tmp_path_factory.mktemp("parts"), "transformers.js"))


PARTS = {
    "texts_and_images": (make_clip, {"text_model", "vision_model"}, {"text_embeds", "image_embeds"}),
    "prompts": (make_sam, {"vision_encoder", "prompt_encoder_mask_decoder"}, {"iou_scores", "pred_masks"}),
    "inner_decoder": (make_blip, {"vision_encoder", "decoder_model_merged"}, {"logits"}),
}


@pytest.mark.parametrize("kind", PARTS)
def test_the_parts_are_the_whole_model(written, kind):
    _, names, outputs = PARTS[kind]
    model, artifact = written(kind)
    assert set(artifact.components) == {f"onnx/{name}.onnx" for name in names}
    report = dummyio.validate(artifact.path, model)
    assert report.ok, [finding.message for finding in report.errors]
    assert {made.output for outcome in report.outcomes for made in outcome.comparisons} == outputs
    assert len([outcome for outcome in report.outcomes if outcome.status == "passed"]) >= 8
    for file, spec in artifact.components.items():
        alone = dummyio.validate(artifact.path / file, artifact.references[file], spec=spec)
        assert alone.ok, [finding.message for finding in alone.errors]


def test_a_part_of_another_model_is_found(written):
    model, artifact = written("texts_and_images")
    other = copy.deepcopy(model)
    with torch.no_grad():
        other.text_projection.weight.mul_(-1)
    report = dummyio.validate(artifact.path, other)
    assert {finding.where for finding in report.errors} == {"text_embeds"}


def test_what_no_part_computes_is_named(written):
    model, artifact = written("texts_and_images")
    found = {finding.where: finding for finding in dummyio.validate(artifact.path, model).findings}
    assert set(found) == {"logits_per_image", "logits_per_text"}
    assert {each.severity for each in found.values()} == {"warning"}
    assert "no part of the model has this output" in found["logits_per_text"].message


def test_an_inner_decoder_writes_the_tokens_of_generate(written):
    model, artifact = written("inner_decoder")
    runners = {
        file.removeprefix("onnx/").removesuffix(".onnx"): dummyio.open_runner(artifact.path / file, spec)
        for file, spec in artifact.components.items()
    }
    decoder = artifact.components["onnx/decoder_model_merged.onnx"]
    for batch, length in ((1, 3), (2, 5), (3, 9)):
        feeds = dummyio.describe(model).feeds(batch_size=batch, sequence_length=length)
        ids = feeds["input_ids"].copy()
        ids[:, 0] = TEXT["bos_token_id"]  # as `generate` does
        ids[:, 1:] = np.maximum(ids[:, 1:], 3)
        images = torch.tensor(feeds["pixel_values"])
        # `generate` takes the end of a text away, and writes it itself.
        prompt = torch.tensor(np.concatenate([ids, np.full((batch, 1), 2)], axis=1))
        expected = model.generate(images, input_ids=prompt, max_new_tokens=8, min_new_tokens=8, do_sample=False)
        states = runners["vision_encoder"]({"pixel_values": feeds["pixel_values"]})["last_hidden_state"]
        past = {
            path: np.zeros(leaf.sizes({"batch_size": batch, "past_sequence_length": 0}), np.float32)
            for path, leaf in decoder.leaves
            if path.startswith("past_key_values")
        }
        tokens, new = ids, ids
        for _ in range(8):
            mask = np.ones_like(tokens)
            made = runners["decoder_model_merged"](
                {"input_ids": new, "attention_mask": mask, "encoder_hidden_states": states, **past}
            )
            logits = made["logits"][:, -1].copy()
            logits[:, TEXT["eos_token_id"]] = -np.inf  # as `min_new_tokens` does
            new = logits.argmax(-1)[:, None]
            tokens = np.concatenate([tokens, new], axis=1)
            past = {path: made[path.replace("past_key_values", "present")] for path in past}
        np.testing.assert_array_equal(tokens[:, length:], expected.numpy()[:, -8:])


@pytest.mark.parametrize("layout", ["optimum", "transformers.js"])
def test_a_folder_of_an_encoder_decoder_is_compared_with_its_model(tmp_path, layout):
    model, artifact = export(make_t5, tmp_path, layout)
    report = dummyio.validate(artifact.path, model)
    assert report.ok, [finding.message for finding in report.errors]
    compared = {made.output for outcome in report.outcomes for made in outcome.comparisons}
    assert compared == {"logits", "encoder_last_hidden_state"}
    turned = dummyio.validate(model, artifact.path, spec=dummyio.describe(model, "text2text-generation"))
    assert turned.ok, [finding.message for finding in turned.errors]


@pytest.mark.parametrize("kind", ["prompts", "inner_decoder"])
def test_parts_that_do_not_generate_by_themselves_are_not_one_model(written, kind):
    _, artifact = written(kind)
    with pytest.raises(SourceError, match=r"config.json has is_encoder_decoder=False|none has a usual name"):
        AutoModelForONNX.from_pretrained(artifact.path)


def test_parts_that_do_not_fit_together_are_named():
    ids = dummyio.TensorSpec("ids", (dummyio.Dim("batch_size", 2), 4), "int64")
    whole = dummyio.InputSpec({"ids": ids})
    made = (dummyio.OutputSpec("states", None, "float32"),)
    first = dummyio.InputSpec({"ids": ids}, outputs=made)
    states = dummyio.TensorSpec("states", (dummyio.Dim("batch_size", 2), 4))
    later = dummyio.InputSpec({"states": states})
    wires = connect_parts(whole, {"later": later, "first": first})
    assert list(map(str, wires)) == ["first.states -> later.states", "ids -> first.ids"]
    with pytest.raises(
        OptionError, match=r"later takes states, which the whole model does not take \(ids\) and no other part returns"
    ):
        connect_parts(whole, {"later": later})
