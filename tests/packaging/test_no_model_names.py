"""No model type's and no model class's name stands in the code: rules decide, and the quirks are data."""

import io
import re
import tokenize
from pathlib import Path

import pytest

pytest.importorskip("transformers")

from dummyio.huggingface.facts.quirks import read_quirks
from dummyio.huggingface.source.auto_tables import auto_tables

ROOT = Path(__file__).parents[2]
WORDS = {
    "bit": "of a number",
    "clip": "an operator that bounds values",
    "encoder-decoder": "the two halves of a model",
    "encoder_decoder": "the two halves of a model",
    "gte": "an operator of Python's syntax tree",
}
"""Words that are model types too → what they mean here."""
TOKENS = (tokenize.NAME, tokenize.STRING, tokenize.COMMENT)


def library_names():
    import importlib

    auto = vars(importlib.import_module("transformers.models.auto.configuration_auto"))
    types = set(auto["CONFIG_MAPPING_NAMES"])
    models = {name for table in auto_tables().values() for classes in table.values() for name in classes}
    return types | {name.replace("-", "_") for name in types} | models | set(auto["CONFIG_MAPPING_NAMES"].values())


def words_of(text):
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type in TOKENS:
            yield from ((word, token.start[0]) for word in re.findall(r"[A-Za-z][\w-]*", token.string))


def named(text, names):
    return {(word, line) for word, line in words_of(text) if {word, word.lower()} & names}


def test_the_code_names_no_model():
    names = library_names() - set(WORDS)
    found = {
        f"{path.relative_to(ROOT)}:{line}: {word}"
        for folder in ("dummyio", "backends")
        for path in (ROOT / folder).rglob("*.py")
        for word, line in named(path.read_text(encoding="utf-8"), names)
    }
    assert not found


def test_a_name_would_be_found():
    text = 'x = config.model_type == "roberta"  # as BertModel does\nalbert = 1\n'
    assert {word for word, _ in named(text, library_names())} == {"roberta", "BertModel", "albert"}


def test_every_word_that_is_let_through_is_a_model_type():
    assert set(WORDS) <= library_names()


def test_model_types_stand_in_the_quirks_alone():
    types = {quirk.model_type for quirk in read_quirks()}
    others = [path for path in (ROOT / "dummyio").rglob("*.json") if path.name != "quirks.json"]
    assert not [(path.name, name) for path in others for name in types if name in path.read_text(encoding="utf-8")]
