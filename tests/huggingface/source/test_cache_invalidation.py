"""What was read from the library's files is read again once they change."""

import os
import textwrap

import pytest

import dummyio
from dummyio.huggingface.source import auto_tables as auto
from dummyio.huggingface.source import cache_invalidation as freshness
from dummyio.huggingface.source import installed
from dummyio.huggingface.source.class_lookup import read_text

MODEL = """
    class ExampleModel:
        def forward(self, input_ids, {extra}=None):
            return input_ids
"""
AUTO = """
    MODEL_MAPPING_NAMES = OrderedDict([("example", "ExampleModel")])
"""
CONFIGURATION = """
    CONFIG_MAPPING_NAMES = OrderedDict([("example", "ExampleConfig")])
    SPECIAL_MODEL_TYPE_TO_MODULE_NAME = OrderedDict([])
"""
CONFIG = {"model_type": "example", "architectures": ["ExampleModel"], "vocab_size": 99, "max_position_embeddings": 64}


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text), encoding="utf-8")


@pytest.fixture
def library(tmp_path, monkeypatch):
    """A library of one model, in the place of the installed one."""
    write(tmp_path / "models/auto/modeling_auto.py", AUTO)
    write(tmp_path / "models/auto/configuration_auto.py", CONFIGURATION)
    write(tmp_path / "models/example/configuration_example.py", "class ExampleConfig:\n    pass\n")
    write(tmp_path / "models/example/modeling_example.py", MODEL.format(extra="attention_mask"))
    freshness._empty()
    monkeypatch.setattr(auto, "transformers_root", lambda: tmp_path)
    monkeypatch.setattr("dummyio.huggingface.describe.transformers_version", lambda: "0")
    monkeypatch.setattr(freshness, "_SECONDS", 0.0)
    yield tmp_path
    freshness._empty()


def test_a_model_whose_file_changes_is_described_anew(library):
    assert set(dummyio.describe(CONFIG)) == {"input_ids", "attention_mask"}
    write(library / "models/example/modeling_example.py", MODEL.format(extra="token_type_ids"))
    assert set(dummyio.describe(CONFIG)) == {"input_ids", "token_type_ids"}


def test_caches_stay_where_nothing_changes(library):
    dummyio.describe(CONFIG)
    before = read_text.cache_info().misses
    dummyio.describe({**CONFIG, "vocab_size": 7})
    assert read_text.cache_info().misses == before


def test_files_are_not_looked_at_all_the_time(library, monkeypatch):
    dummyio.describe(CONFIG)
    monkeypatch.setattr(freshness, "_SECONDS", 3600.0)
    monkeypatch.setattr(os, "stat", None)
    freshness.clear_stale_caches()


def test_a_file_that_is_gone_has_changed(library):
    path = library / "gone.py"
    write(path, "x = 1\n")
    assert read_text(path) == "x = 1\n"
    path.unlink()
    freshness.clear_stale_caches()
    with pytest.raises(FileNotFoundError):
        read_text(path)


def test_all_caches_are_emptied():
    installed.transformers_root()
    freshness._empty()
    assert installed.transformers_root.cache_info().currsize == 0
