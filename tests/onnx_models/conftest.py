"""Folders that `dummyio.export` writes once for all tests here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def bert(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    return _export("BertForSequenceClassification", tmp_path_factory, num_hidden_layers=1)


@pytest.fixture(scope="session")
def gpt2(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    return _export("GPT2LMHeadModel", tmp_path_factory, n_layer=2)


@pytest.fixture(scope="session")
def t5(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    return _export("T5ForConditionalGeneration", tmp_path_factory, num_layers=1)


_SIZES: dict[str, dict[str, Any]] = {
    "BertForSequenceClassification": {
        "hidden_size": 16,
        "num_attention_heads": 2,
        "intermediate_size": 16,
        "vocab_size": 40,
    },
    "GPT2LMHeadModel": {
        "n_embd": 16,
        "n_head": 2,
        "vocab_size": 40,
        "n_positions": 64,
        "bos_token_id": 1,
        "eos_token_id": 2,
    },
    "T5ForConditionalGeneration": {
        "d_model": 16,
        "d_kv": 8,
        "d_ff": 16,
        "num_heads": 2,
        "vocab_size": 40,
        "decoder_start_token_id": 0,
    },
}


def _export(name: str, factory: pytest.TempPathFactory, **more: Any) -> tuple[Any, Path]:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    pytest.importorskip("onnxscript")
    import dummyio

    cls = getattr(transformers, name)
    torch.manual_seed(0)
    model = cls(cls.config_class(**_SIZES[name], **more)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3)  # so that tokens differ
    folder = factory.mktemp(name) / "model"
    dummyio.export(model, folder)
    return model, folder
