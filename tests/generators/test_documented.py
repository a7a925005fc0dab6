"""Inputs that are described from their names and the model's own text, on real classes."""

import pytest

import dummyio

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

SMALL = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16, "vocab_size": 64}
LUKE = {**SMALL, "entity_vocab_size": 9, "entity_emb_size": 8}
CASES = {
    "LukeForEntitySpanClassification": (
        "LukeConfig",
        LUKE,
        {"entity_ids": 2, "entity_attention_mask": 2, "entity_position_ids": 3, "entity_start_positions": 2},
    ),
    "LukeForMultipleChoice": ("LukeConfig", LUKE, {"entity_ids": 3, "entity_position_ids": 4}),
    "LxmertModel": (
        "LxmertConfig",
        {**SMALL, "l_layers": 1, "x_layers": 1, "r_layers": 1, "visual_feat_dim": 12},
        {"visual_feats": 3, "visual_pos": 3},
    ),
    "RoCBertModel": (
        "RoCBertConfig",
        {**SMALL, "pronunciation_vocab_size": 7, "shape_vocab_size": 5},
        {"input_shape_ids": 2, "input_pronunciation_ids": 2},
    ),
    "CanineModel": ("CanineConfig", {**SMALL, "num_hash_buckets": 32, "num_hash_functions": 2}, {"input_ids": 2}),
    "TapasModel": ("TapasConfig", {**SMALL, "type_vocab_sizes": [3, 8, 8, 2, 8, 8, 4]}, {"token_type_ids": 3}),
}


@pytest.mark.parametrize("name", CASES)
def test_a_real_model_runs_on_what_its_text_says(name):
    kind, values, ranks = CASES[name]
    model = getattr(transformers, name)(getattr(transformers, kind)(**values)).eval()
    spec = dummyio.describe(model)
    for sizes in ({}, {"batch_size": 3}):
        made = spec.generate("pt", **sizes)
        assert {key: made[key].dim() for key in ranks} == ranks
        with torch.no_grad():
            model(**made)


def test_ids_stay_below_what_the_configuration_counts():
    config = transformers.RoCBertConfig(**SMALL, pronunciation_vocab_size=7, shape_vocab_size=5)
    spec = dummyio.describe({**config.to_dict(), "architectures": ["RoCBertModel"]}, optional_inputs=True)
    made = spec.generate("np", batch_size=64)
    assert made["input_shape_ids"].max() == 4
    assert made["input_pronunciation_ids"].max() == 6


def test_an_asked_task_leaves_optional_arguments_out():
    config = transformers.RoCBertConfig(**SMALL, pronunciation_vocab_size=7, shape_vocab_size=5)
    spec = dummyio.describe(config, "fill-mask")
    assert "input_shape_ids" not in spec


def test_pairs_of_images_have_an_axis_of_two():
    config = transformers.SuperGlueConfig(
        hidden_size=16, keypoint_encoder_sizes=[16, 16], gnn_layers_types=["self", "cross"]
    )
    spec = dummyio.describe({**config.to_dict(), "architectures": ["SuperGlueForKeypointMatching"]})
    assert spec["pixel_values"].shape[1] == 2


def test_as_many_patches_of_each_video_are_hidden():
    values = {"image_size": 32, "patch_size": 16, "num_frames": 4, **SMALL}
    decoder = {f"decoder_{key}": value for key, value in SMALL.items() if key != "vocab_size"}
    model = transformers.VideoMAEForPreTraining(transformers.VideoMAEConfig(**values, **decoder)).eval()
    made = dummyio.describe(model).generate("pt", batch_size=3)
    assert made["bool_masked_pos"].sum(-1).tolist() == [1, 1, 1]
    with torch.no_grad():
        model(**made)


def test_things_of_all_rows_lie_in_one_batch():
    spec = dummyio.describe({"model_type": "omdet-turbo", "architectures": ["OmDetTurboForObjectDetection"]})
    made = spec.generate("np", sequence_length=5)
    assert made["classes_input_ids"].shape == made["classes_attention_mask"].shape
    assert made["classes_structure"].sum() == len(made["classes_input_ids"])
