"""What the source of a tokenizer or feature extractor states of the inputs that it makes."""

import pytest

from dummyio.huggingface.facts.preprocessor_facts import list_heard_inputs, tells_texts_apart

pytest.importorskip("transformers")


@pytest.mark.parametrize(
    ("model_type", "apart"),
    [
        ("bert", True),
        ("albert", True),  # its template numbers the second text, though its list of inputs leaves types out
        ("markuplm", True),  # its list of inputs has them
        ("xlm", True),  # joined in Python, by the method that such tokenizers inherit
        ("roberta", False),
        ("camembert", False),
        ("nystromformer", None),  # a tokenizer without a class of its own
        ("vit", None),
        ("no_such_type", None),
    ],
)
def test_whether_texts_have_types(model_type, apart):
    assert tells_texts_apart(model_type) is apart


def test_inputs_of_sounds():
    assert list_heard_inputs("whisper") == ("input_features",)
    assert list_heard_inputs("speech_to_text") == ("input_features", "attention_mask")
    assert list_heard_inputs("moonshine") == ("input_values", "attention_mask")
    assert list_heard_inputs("bert") == ()
