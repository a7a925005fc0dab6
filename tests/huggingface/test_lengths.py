"""Sizes that a class takes equal only: described as one symbol, and run at two sizes."""

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

import dummyio

SMALL = {"vocab_size": 99, "d_model": 16, "d_ff": 20, "d_kv": 4, "num_layers": 1, "num_heads": 4, "eos_token_id": 1}
TEXT = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 4, "intermediate_size": 20}


def runs(model, spec, sizes):
    with torch.no_grad():
        return model.eval()(**spec.generate("pt", **sizes))


def test_ends_of_the_encoders_text_are_looked_up_in_what_the_decoder_returns():
    model = transformers.MT5ForSequenceClassification(transformers.MT5Config(**SMALL, decoder_start_token_id=0))
    spec = dummyio.describe(model)
    assert [str(size) for size in spec["decoder_input_ids"].shape] == ["batch_size", "encoder_sequence_length"]
    for length in (3, 11):
        assert runs(model, spec, {"encoder_sequence_length": length}).logits.shape == (2, 2)
    other = dummyio.describe(transformers.MT5ForConditionalGeneration(transformers.MT5Config(**SMALL)))
    assert str(other["decoder_input_ids"].shape[1]) == "decoder_sequence_length"


def test_a_text_for_each_image_is_of_the_images_batch():
    config = transformers.CLIPSegConfig(
        text_config={**TEXT, "vocab_size": 99},
        vision_config={**TEXT, "image_size": 32, "patch_size": 8},
        projection_dim=16,
        reduce_dim=16,
        extract_layers=[0],
        decoder_num_attention_heads=4,
    )
    spec = dummyio.describe(transformers.CLIPSegForImageSegmentation(config))
    assert {str(spec[name].shape[0]) for name in ("input_ids", "pixel_values")} == {"batch_size"}
    runs(transformers.CLIPSegForImageSegmentation(config), spec, {"batch_size": 3})
    compared = dummyio.describe(transformers.CLIPSegModel(config))
    assert {str(compared[name].shape[0]) for name in ("input_ids", "pixel_values")} == {"batch_size", "text_batch_size"}
