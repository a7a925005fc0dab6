"""What a model's own text says of its arguments, on the installed library's classes."""

import pytest

from dummyio.huggingface.facts.argument_docs import find_required_arguments, read_documented_arguments

pytest.importorskip("transformers")


@pytest.mark.parametrize(
    ("name", "kind", "argument", "shape"),
    [
        ("LukeModel", "luke", "entity_position_ids", ("batch_size", "entity_length", "max_mention_length")),
        ("LukeForEntitySpanClassification", "luke", "entity_start_positions", ("batch_size", "entity_length")),
        ("LxmertModel", "lxmert", "visual_feats", ("batch_size", "num_visual_features", "visual_feat_dim")),
        ("RoCBertModel", "roc_bert", "input_shape_ids", ("batch_size", "sequence_length")),
        ("DacModel", "dac", "input_values", ("batch_size", "1", "time_steps")),
    ],
)
def test_shapes_are_read_from_docstrings(name, kind, argument, shape):
    assert read_documented_arguments(name, kind)[argument].shape == shape


def test_a_shape_that_an_error_demands_counts():
    assert read_documented_arguments("SuperGlueForKeypointMatching", "superglue")["pixel_values"].shape[1] == "2"


def test_kinds_are_read_from_annotations():
    stated = read_documented_arguments("BeitModel", "beit")
    assert stated["bool_masked_pos"].kind == "bool"


def test_an_argument_is_needed_where_forward_raises_without_it():
    offered = ("input_ids", "visual_feats", "visual_pos", "visual_attention_mask")
    assert find_required_arguments(offered, "LxmertModel", "lxmert") == {"visual_feats", "visual_pos"}


def test_a_class_of_somebody_else_says_nothing():
    assert read_documented_arguments("NoSuchModelAnywhere") == {}
    assert find_required_arguments(("input_ids",), "NoSuchModelAnywhere") == frozenset()
