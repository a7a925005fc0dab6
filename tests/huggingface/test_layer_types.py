"""What a configuration class makes of layers that a configuration does not name."""

import pytest

from dummyio.errors import SourceError
from dummyio.huggingface.layer_types import check_layer_types, computed_layer_types
from dummyio.normalized import NormalizedConfig

pytest.importorskip("transformers")


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("qwen3_next", {"linear_attention", "full_attention"}),
        ("gemma2", {"sliding_attention", "full_attention"}),
        ("bert", set()),
        ("nothing of that name", set()),
    ],
)
def test_kinds_stand_in_the_text(kind, expected):
    assert computed_layer_types(kind) == expected


def test_only_what_is_not_said_is_refused():
    check_layer_types(NormalizedConfig({"model_type": "gemma2"}))
    check_layer_types(NormalizedConfig({}))
    check_layer_types(NormalizedConfig({"model_type": "qwen3_next", "layer_types": ["full_attention"]}))
    with pytest.raises(SourceError, match="linear_attention"):
        check_layer_types(NormalizedConfig({"model_type": "qwen3_next"}))
