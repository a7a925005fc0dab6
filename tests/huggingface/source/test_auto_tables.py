"""The tables that are read are the tables that the library has when it is imported."""

import importlib

import pytest

from dummyio.huggingface.source import auto_tables as auto
from dummyio.huggingface.source import class_lookup as sources
from dummyio.huggingface.source.auto_tables import (
    auto_table,
    auto_tables,
    class_for,
    class_source,
    configuration_class,
    tables_of,
)

pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def real_tables() -> dict[str, dict[str, tuple[str, ...]]]:
    module = vars(importlib.import_module("transformers.models.auto.modeling_auto"))
    tables = {name: table for name, table in module.items() if name.startswith("MODEL_") and name.endswith("_NAMES")}
    return {
        name: {key: (value,) if isinstance(value, str) else tuple(value) for key, value in table.items()}
        for name, table in tables.items()
    }


def test_all_tables(real_tables):
    assert len(real_tables) > 30
    assert {name: dict(table) for name, table in auto_tables().items()} == real_tables


def test_tables_that_take_over_others(real_tables):
    inner, outer = "MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES", "MODEL_FOR_MULTIMODAL_LM_MAPPING_NAMES"
    if outer not in real_tables:
        pytest.skip("this release has no table that takes over another")
    assert set(auto_table(inner)) <= set(auto_table(outer))


@pytest.mark.parametrize(
    ("model_type", "table", "name"),
    [
        ("bert", "MODEL_FOR_MASKED_LM_MAPPING_NAMES", "BertForMaskedLM"),
        ("data2vec-audio", "MODEL_FOR_CTC_MAPPING_NAMES", "Data2VecAudioForCTC"),
        ("funnel", "MODEL_MAPPING_NAMES", "FunnelModel"),  # the first of two
        ("bert", "MODEL_FOR_CTC_MAPPING_NAMES", None),
        ("no-such-type", "MODEL_MAPPING_NAMES", None),
        ("bert", "NO_SUCH_TABLE", None),
        ("bert", "MODEL_MAPPING", None),  # not a table of names
    ],
)
def test_class_for(model_type: str, table: str, name: str | None):
    assert class_for(model_type, table) == name


def test_all_classes_of_an_entry_are_kept():
    assert auto_table("MODEL_MAPPING_NAMES")["funnel"] == ("FunnelModel", "FunnelBaseModel")


def test_tables_of(real_tables):
    for name in ("BertModel", "BertForMaskedLM", "FunnelBaseModel", "NoModel"):
        real = [table for table, rows in real_tables.items() if any(name in classes for classes in rows.values())]
        assert list(tables_of(name)) == real


def test_configuration_classes():
    real = importlib.import_module("transformers.models.auto.configuration_auto").CONFIG_MAPPING_NAMES
    assert len(real) > 200
    assert {model_type: configuration_class(model_type) for model_type in real} == dict(real)
    assert configuration_class("no-such-type") is None


def test_every_listed_class_has_a_file():
    lost = [
        (model_type, name)
        for table in auto_tables().values()
        for model_type, classes in table.items()
        for name in classes
        if class_source(name, model_type) is None
    ]
    assert not lost


def test_a_model_type_that_shares_another_s_configuration():
    # It has a folder of its own, without a configuration in it.
    assert class_source(configuration_class("gpt-sw3"), "gpt-sw3", "configuration").path.parent.name == "gpt2"


def test_without_the_library(monkeypatch):
    for module in (auto, sources):
        monkeypatch.setattr(module, "transformers_root", lambda: None)
    # Past the caches, which remember the installed library.
    assert auto_tables.__wrapped__() == {}
    assert auto_table.__wrapped__("MODEL_MAPPING_NAMES") == {}
    assert class_source.__wrapped__("BertModel", "bert") is None
    assert configuration_class("bert") is None
