"""Models of text and images as three files: together they are the whole model, in one run and step by step."""

import json
import shutil

import numpy as np
import pytest

torch = pytest.importorskip("torch")
hf = pytest.importorskip("transformers")
pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")

import dummyio
from dummyio.errors import ExportError, OptionError, RunError, SourceError
from dummyio.exporting.parts.joined_parts import JoinedParts
from dummyio.onnx import AutoModelForONNX

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


SIGLIP = {"model_type": "siglip_vision_model", **IMAGES}


def make_llava(kind=None):
    vision, text = hf.CLIPVisionConfig(projection_dim=32, **IMAGES), hf.LlamaConfig(**TEXT)
    config = hf.LlavaConfig(vision_config=vision, text_config=text, image_token_index=97, image_seq_length=4)
    return (kind or hf.LlavaForConditionalGeneration)(config)


def make_gemma():
    text = {"model_type": "gemma3_text", "head_dim": 8, "sliding_window": 16, **TEXT}
    kinds = {"layer_types": ["sliding_attention", "full_attention"]}
    config = hf.Gemma3Config(
        text_config={**text, **kinds}, vision_config=SIGLIP, mm_tokens_per_image=4, image_token_index=97
    )
    return hf.Gemma3ForConditionalGeneration(config)


def make_smolvlm():
    config = hf.SmolVLMConfig(
        text_config={"model_type": "llama", **TEXT},
        vision_config={"model_type": "smolvlm_vision", **IMAGES},
        scale_factor=2,
        image_token_id=97,
    )
    return hf.SmolVLMForConditionalGeneration(config)


def make_paligemma():
    config = hf.PaliGemmaConfig(
        vision_config={"projection_dim": 32, **SIGLIP},
        text_config={"model_type": "gemma", "head_dim": 8, **TEXT},
        projection_dim=32,
        image_token_index=97,
        hidden_size=32,
    )
    return hf.PaliGemmaForConditionalGeneration(config)


def make_onevision():
    config = hf.LlavaOnevisionConfig(
        vision_config=SIGLIP,
        text_config={"model_type": "qwen2", **TEXT},
        image_token_id=97,
        video_token_id=98,
        image_grid_pinpoints=[[20, 20], [20, 40], [40, 20]],
        vision_feature_layer=-1,
    )
    return hf.LlavaOnevisionForConditionalGeneration(config)


def make_qwen():
    rope = {"rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 10000.0}
    vision = {"depth": 2, "hidden_size": 32, "intermediate_size": 64, "num_heads": 4, "out_hidden_size": 32}
    vision |= {"patch_size": 4, "temporal_patch_size": 2, "window_size": 16, "fullatt_block_indexes": [1]}
    config = hf.Qwen2_5_VLConfig(
        text_config={"model_type": "qwen2_5_vl_text", "rope_parameters": rope, **TEXT},
        vision_config=vision,
        image_token_id=97,
        video_token_id=98,
        vision_start_token_id=95,
        vision_end_token_id=96,
    )
    return hf.Qwen2_5_VLForConditionalGeneration(config)


MODELS = {
    "features": make_llava,
    "windows": make_gemma,
    "tiles": make_smolvlm,
    "prompts seen in both directions": make_paligemma,
    "sizes that decide shapes": make_onevision,
    "positions on a grid": make_qwen,
}


def make(kind):
    torch.manual_seed(0)
    return MODELS[kind]().eval()


def export(model, path, **options):
    return dummyio.export(model, path, TASK, layout="transformers.js", **options)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    model = make("features")
    return model, export(model, tmp_path_factory.mktemp("parts") / "out")


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


@pytest.mark.parametrize("kind", MODELS)
def test_the_tokens_are_those_of_generate(tmp_path, kind):
    model = make(kind)
    artifact = export(model, tmp_path / "out")
    report = dummyio.validate(artifact.path, model)
    assert report.ok, [finding.message for finding in report.errors]
    whole = artifact.spec
    runners, specs = join(artifact)
    joined = JoinedParts(whole, runners, specs)
    banned = [95, 96, 97, 98]
    loaded = AutoModelForONNX.from_pretrained(artifact.path)
    for images, more in ((1, 0), (2, 3), (3, 9)):
        length = whole.dims["sequence_length"].min + more
        feeds = dict(whole.feeds(batch_size=images, sequence_length=length))
        feeds["attention_mask"] = np.ones_like(feeds["attention_mask"])
        inputs = {name: torch.tensor(values) for name, values in feeds.items() if name != "position_ids"}
        options = {"max_new_tokens": 8, "min_new_tokens": 8, "do_sample": False, "suppress_tokens": banned}
        expected = model.generate(**inputs, **options)[:, length:]
        np.testing.assert_array_equal(loaded.generate(**inputs, **options)[:, length:], expected)
        later = None
        if "position_ids" in feeds:
            found, deltas = model.model.get_rope_index(**{k: v for k, v in inputs.items() if k != "pixel_values"})
            feeds["position_ids"], later = found.numpy(), deltas.numpy() + length
        made, mask, tokens = joined.begin(feeds), feeds["attention_mask"], []
        for step in range(8):
            logits = made["logits"][:, -1].copy()
            logits[:, [*banned, TEXT["eos_token_id"]]] = -np.inf  # as the options say
            tokens.append(logits.argmax(-1)[:, None])
            mask = np.concatenate([mask, np.ones((images, 1), mask.dtype)], axis=1)
            past = {name: values for name, values in made.items() if name.startswith("past_")}
            made = joined.step(tokens[-1], mask, past, None if later is None else later + step)
        np.testing.assert_array_equal(np.concatenate(tokens, axis=1), expected.numpy())


def test_beams_keep_the_patches_of_an_image_together(tmp_path):
    model = make("positions on a grid")
    artifact = export(model, tmp_path / "out")
    feeds = artifact.spec.feeds(batch_size=2)
    inputs = {name: torch.tensor(values) for name, values in feeds.items() if name != "position_ids"}
    inputs["attention_mask"][:] = 1
    options = {"num_beams": 2, "max_new_tokens": 5, "min_new_tokens": 5, "suppress_tokens": [95, 96, 97, 98]}
    loaded = AutoModelForONNX.from_pretrained(artifact.path)
    assert torch.equal(loaded.generate(**inputs, **options), model.generate(**inputs, **options))


def test_a_loaded_model_says_what_does_not_fit(written):
    _, artifact = written
    loaded = AutoModelForONNX.from_pretrained(artifact.path)
    feeds = dict(artifact.spec.feeds())
    with pytest.raises(OptionError, match=r"the text has placeholders \{97: 8\}, and no other input makes 0 features"):
        loaded(input_ids=feeds["input_ids"], attention_mask=feeds["attention_mask"])
    feeds["input_ids"] = np.where(feeds["input_ids"] == 97, 5, feeds["input_ids"])
    with pytest.raises(OptionError, match=r"placeholders \{97: 0\}, and pixel_values makes 8 features"):
        loaded(**feeds)
    assert loaded(input_ids=feeds["input_ids"]).logits.shape == (*feeds["input_ids"].shape, 99)


def test_a_folder_without_the_spec_of_the_whole_model_is_refused(written, tmp_path):
    _, artifact = written
    shutil.copytree(artifact.path, tmp_path / "out")
    (tmp_path / "out" / "dummyio.json").unlink()
    with pytest.raises(SourceError, match="it says which tokens are placeholders"):
        AutoModelForONNX.from_pretrained(tmp_path / "out")


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
    export(model, artifact.path, force=True)
    (artifact.path / "onnx" / "notes.txt").write_text("mine")
    with pytest.raises(dummyio.errors.OutputError, match="contains the folder onnx"):
        export(model, artifact.path, force=True)
    (artifact.path / "onnx" / "notes.txt").unlink()


class _Other(hf.LlavaForConditionalGeneration):
    """A model whose text knows of the images in a way of its own."""

    def forward(
        self,
        input_ids=None,
        pixel_values=None,
        attention_mask=None,
        past_key_values=None,
        inputs_embeds=None,
        use_cache=None,
        **others,
    ):
        made = super().forward(
            input_ids=input_ids,
            pixel_values=pixel_values,
            attention_mask=attention_mask,
            past_key_values=past_key_values,
            inputs_embeds=inputs_embeds,
            use_cache=use_cache,
            **others,
        )
        made.logits = made.logits if pixel_values is None else made.logits + pixel_values.abs().mean()
        return made


def test_a_decoder_that_treats_images_in_another_way_is_refused(tmp_path):
    torch.manual_seed(0)
    with pytest.raises(ExportError, match=r"are not the whole model: .* export it whole, with layout='optimum'"):
        export(make_llava(_Other).eval(), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_layout_that_is_unknown(tmp_path):
    with pytest.raises(OptionError, match=r"layout='banana': give 'optimum', 'single', 'transformers.js' or 'genai'"):
        dummyio.export(make_llava().eval(), tmp_path / "out", TASK, layout="banana")
    assert list(tmp_path.iterdir()) == []
