"""Sound that stands in the place of a text's embeddings, or runs beside the text token by token."""

import pytest

import dummyio

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

LAYERS = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4, "intermediate_size": 40, "head_dim": 8}
SIDE_BY_SIDE = {
    "audio_config": {**LAYERS, "num_mel_bins": 16, "max_position_embeddings": 256, "sliding_window": 64},
    "text_config": {
        **LAYERS,
        "vocab_size": 99,
        "num_key_value_heads": 2,
        "max_position_embeddings": 64,
        "sliding_window": 32,
    },
}
EMBEDDED = {
    "vocab_size": 99,
    "d_model": 32,
    "d_kv": 8,
    "d_ff": 37,
    "num_layers": 1,
    "num_decoder_layers": 1,
    "num_heads": 4,
    "decoder_start_token_id": 0,
    "composer_vocab_size": 5,
}


def tiny(name, values):
    cls = getattr(transformers, name, None)
    if cls is None:
        pytest.skip("not in this release")
    return cls(cls.config_class(**values)).eval()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "values", "shape"),
    [
        ("Pop2PianoForConditionalGeneration", EMBEDDED, "batch_size, nb_max_frames, feature_size"),
        ("VoxtralRealtimeForConditionalGeneration", SIDE_BY_SIDE, "batch_size, feature_size, sequence_length * 8"),
    ],
)
def test_features_have_the_shape_that_the_text_has_place_for(name, values, shape):
    model = tiny(name, values)
    spec = dummyio.describe(model)
    features = dict(spec.leaves)["input_features"]
    assert ", ".join(map(str, features.shape)) == shape
    assert spec.dims["feature_size"].size == values.get("d_model", 16)
    for sizes in ({}, {"batch_size": 3, next(n for n in ("nb_max_frames", "sequence_length") if n in spec.dims): 20}):
        with torch.no_grad():
            assert torch.isfinite(model(**spec.generate("pt", **sizes)).logits).all()
    assert dummyio.describe({**model.config.to_dict(), "architectures": [name]}) == spec
