"""The parts of a model: their names, inputs and sizes, from a configuration and from a live model."""

import gc

import pytest
from tiny_configs import IDS, PAIR

import dummyio
from dummyio.errors import OptionError, SourceError, SpecError
from dummyio.exporting.model_parts import describe_part, list_parts

transformers = pytest.importorskip("transformers")

SEQ2SEQ = ("encoder", "decoder", "decoder_with_past")


def pair(name="BartConfig", **attributes):
    return getattr(transformers, name)(**(PAIR | IDS | attributes))


def test_an_encoder_decoder_has_three_parts():
    config = pair()
    assert list_parts(config, "text2text-generation") == SEQ2SEQ
    assert list_parts(config, "text2text-generation-with-past") == SEQ2SEQ
    encoder = describe_part(config, "text2text-generation", "encoder", {})
    assert encoder.dynamic_axes() == {
        name: {0: "batch_size", 1: "encoder_sequence_length"} for name in ("input_ids", "attention_mask")
    }
    assert [output.name for output in encoder.outputs] == ["last_hidden_state"]
    decoder = describe_part(config, "text2text-generation", "decoder", {})
    assert set(decoder) == {"encoder_attention_mask", "input_ids", "encoder_hidden_states"}
    later = describe_part(config, "text2text-generation", "decoder_with_past", {})
    assert list(later)[-1] == "past_key_values"
    assert str(later.dims["past_decoder_sequence_length"].size) == "8"
    assert {output.name for output in later.outputs} >= {"logits", "present.0.decoder.key"}


def test_the_first_step_has_the_lengths_of_a_decoder_without_a_past():
    config = pair(max_position_embeddings=64)
    limits = {part: describe_part(config, "text2text-generation", part, {}).dims for part in SEQ2SEQ}
    assert limits["decoder"]["decoder_sequence_length"].max == 64
    assert limits["decoder_with_past"]["decoder_sequence_length"].max == 32


def test_sizes_reach_the_part():
    config = pair()
    sizes = {"batch_size": 3, "encoder_sequence_length": 5, "decoder_sequence_length": 4}
    shapes = describe_part(config, "text2text-generation", "decoder", sizes).shapes()
    assert shapes["encoder_hidden_states"] == (3, 5, 32)
    assert shapes["input_ids"] == (3, 4)
    assert describe_part(config, "text2text-generation", "encoder", {"sequence_length": 7}).shapes()["input_ids"] == (
        2,
        7,
    )


def test_a_size_of_the_past_is_for_the_later_steps():
    later = describe_part(pair(), "text2text-generation", "decoder_with_past", {"past_decoder_sequence_length": 3})
    assert later.shapes()["past_key_values.0.decoder.key"][2] == 3
    with pytest.raises(OptionError, match="the first step of a decoder has no past"):
        describe_part(pair(), "text2text-generation", "decoder", {"past_decoder_sequence_length": 3})


def test_a_decoder_alone_has_the_encoder_of_its_model_type():
    config = pair()
    assert list_parts(config, "text-generation") == SEQ2SEQ
    assert "encoder_sequence_length" in describe_part(config, "text-generation", "encoder", {}).dims
    assert list(describe_part(config, "text-generation", "decoder", {})) == ["input_ids", "attention_mask"]
    assert "past_key_values" in describe_part(config, "text-generation", "decoder_with_past", {})


def test_an_encoder_of_sounds_reads_their_mask():
    config = transformers.Speech2TextConfig(**(PAIR | IDS))
    assert list(describe_part(config, "automatic-speech-recognition", "encoder", {})) == [
        "input_features",
        "attention_mask",
    ]


def test_texts_and_images_of_their_own_batches_are_parts():
    config = transformers.CLIPConfig()
    assert list_parts(config, "feature-extraction") == ("text_model", "vision_model")
    text, vision = (describe_part(config, "feature-extraction", part, {}) for part in ("text_model", "vision_model"))
    assert set(text) == {"input_ids", "attention_mask"}
    assert set(vision) == {"pixel_values"}
    assert [output.name for output in vision.outputs] == ["image_embeds"]


def test_a_live_model_has_the_parts_of_its_configuration():
    pytest.importorskip("torch")
    config = pair()
    model = transformers.BartForConditionalGeneration(config)
    for part in SEQ2SEQ:
        assert describe_part(model, "text2text-generation", part, {}) == describe_part(
            config, "text2text-generation", part, {}
        )


def test_an_unknown_part_is_an_error_with_the_known_ones():
    with pytest.raises(
        OptionError, match=r"part='decoder_past'.*its parts are encoder, decoder, decoder_with_past.*Did you mean"
    ):
        describe_part(pair(), "text2text-generation", "decoder_past", {})
    with pytest.raises(OptionError, match=r"it runs whole\. Leave part out"):
        describe_part(transformers.BertConfig(), "fill-mask", "encoder", {})
    with pytest.raises(SourceError, match="no class of model type 'bert' does it"):
        describe_part(transformers.BertConfig(), "image-classification", "encoder", {})


def test_a_spec_knows_its_parts_and_what_connects_them():
    spec = dummyio.describe(pair(), "text2text-generation", batch_size=3)
    parts = spec.with_dims(encoder_sequence_length=5).parts()
    assert tuple(parts) == SEQ2SEQ
    assert parts["decoder"].shapes()["encoder_hidden_states"] == (3, 5, 32)
    wires = set(map(str, parts.wires))
    assert {
        "attention_mask -> encoder.attention_mask",
        "decoder_input_ids -> decoder.input_ids",
        "encoder.last_hidden_state -> decoder_with_past.encoder_hidden_states",
        "decoder.present.0.encoder.key -> decoder_with_past.past_key_values.0.encoder.key",
        "decoder_with_past.present.0.decoder.value -> decoder_with_past.past_key_values.0.decoder.value",
    } <= wires
    assert "decoder.present.0.decoder.key -> decoder.past_key_values.0.decoder.key" not in wires
    assert {(wire.target, wire.input) for wire in parts.wires} == {
        (name, path) for name, own in parts.items() for path, _ in own.leaves
    }


def test_towers_share_no_wire():
    parts = dummyio.describe(transformers.CLIPConfig(), "feature-extraction").parts()
    assert {wire.source for wire in parts.wires} == {""}
    assert [str(wire) for wire in parts.wires if wire.target == "vision_model"] == [
        "pixel_values -> vision_model.pixel_values"
    ]


def test_the_features_of_images_and_the_embeddings_of_text_become_one_input():
    text = {"vocab_size": 99, "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4}
    vision = {"hidden_size": 32, "image_size": 20, "patch_size": 10, "num_hidden_layers": 1, "num_attention_heads": 4}
    config = transformers.LlavaConfig(
        text_config=transformers.LlamaConfig(**text),
        vision_config=transformers.CLIPVisionConfig(**vision),
        image_token_index=97,
        image_seq_length=4,
    )
    parts = dummyio.describe(config, "image-text-to-text").parts()
    assert list(parts) == ["vision_encoder", "embed_tokens", "decoder_model_merged"]
    assert parts["decoder_model_merged"].shapes()["inputs_embeds"] == (2, 16, 32)
    into = [str(wire) for wire in parts.wires if wire.input == "inputs_embeds"]
    assert into == [
        "embed_tokens.inputs_embeds -> decoder_model_merged.inputs_embeds",
        "vision_encoder.image_features -> decoder_model_merged.inputs_embeds",
    ]


def test_a_model_that_runs_whole_is_its_only_part():
    spec = dummyio.describe(transformers.BertConfig(), "fill-mask")
    assert dict(spec.parts()) == {"model": spec}


def test_a_spec_that_was_read_does_not_know_its_model(tmp_path):
    spec = dummyio.describe(pair(), "text2text-generation")
    spec.save(tmp_path / "spec.json")
    with pytest.raises(SpecError, match="does not know its model"):
        dummyio.InputSpec.load(tmp_path / "spec.json").parts()


def test_parts_do_not_keep_a_model_in_memory():
    torch = pytest.importorskip("torch")
    with torch.device("meta"):
        model = transformers.BartForConditionalGeneration(pair())
    spec = dummyio.describe(model, "text2text-generation", prove="off")
    assert "encoder" in spec.parts()
    del model
    gc.collect()
    with pytest.raises(SourceError, match="the model of this spec was deleted"):
        spec.parts()
