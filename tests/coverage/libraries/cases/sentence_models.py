"""sentence-transformers: its modules, and models of several; each takes a dict of tensors, to which it adds its own."""

import tempfile
from collections.abc import Callable, Mapping
from typing import Any

from declared_operators import repair_libraries
from score import Case

repair_libraries()

import torch
import transformers
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer import modules
from sentence_transformers.sparse_encoder.modules.sparse_auto_encoder import SparseAutoEncoder
from sentence_transformers.sparse_encoder.modules.splade_pooling import SpladePooling
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

TITLE = "sentence-transformers"
PACKAGES = ("sentence-transformers", "transformers", "torch")
_SENTENCES = {"features.sentence_embedding": "float[batch_size, *]"}
_TOKENS = {"features.token_embeddings": "float[batch_size, sequence_length, *]"}
_MASK = {"features.attention_mask": "int[batch_size, sequence_length]"}
_IDS = {"features.input_ids": "int[batch_size, sequence_length]"}
_WORDS = {word: place for place, word in enumerate(["[UNK]", "[PAD]", "[CLS]", "[SEP]", "[MASK]", "a", "b", "c"])}


def _tokenizer() -> transformers.PreTrainedTokenizerFast:
    words = Tokenizer(WordLevel(_WORDS, "[UNK]"))
    names = {f"{name}_token": f"[{name.upper()}]" for name in ("unk", "pad", "cls", "sep", "mask")}
    return transformers.PreTrainedTokenizerFast(tokenizer_object=words, **names)


def _transformer(folder: str, kind: str = "BertModel") -> torch.nn.Module:
    """Return a small BERT as a module; it is read from a folder."""
    config = transformers.BertConfig(
        vocab_size=len(_WORDS), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
    )
    getattr(transformers, kind)(config).save_pretrained(folder)
    _tokenizer().save_pretrained(folder)
    return modules.Transformer(folder)


def _pooled(folder: str, *more: torch.nn.Module) -> torch.nn.Module:
    return SentenceTransformer(modules=[_transformer(folder), modules.Pooling(16), *more], device="cpu")


_MODELS: dict[str, tuple[Callable[[str], torch.nn.Module], dict[str, str]]] = {
    "Transformer": (_transformer, _IDS | _MASK),
    "Pooling": (lambda _: modules.Pooling(8), _TOKENS | _MASK),
    "Pooling of the first token": (lambda _: modules.Pooling(8, "cls"), _TOKENS | _MASK),
    "Pooling in several ways": (lambda _: modules.Pooling(8, ("mean", "max")), _TOKENS | _MASK),
    "Dense": (lambda _: modules.Dense(8, 4), _SENTENCES),
    "LayerNorm": (lambda _: modules.LayerNorm(8), _SENTENCES),
    "Normalize": (lambda _: modules.Normalize(), _SENTENCES),
    "Dropout": (lambda _: modules.Dropout(), _SENTENCES),
    "CNN": (lambda _: modules.CNN(8, 4, [1, 3]), _TOKENS),
    "LSTM": (lambda _: modules.LSTM(8, 4), _TOKENS | {"features.sentence_lengths": "int[batch_size]"}),
    "WordWeights": (lambda _: modules.WordWeights(list(_WORDS), {"a": 2.0}), _IDS | _TOKENS | _MASK),
    "StaticEmbedding": (
        lambda _: modules.StaticEmbedding(_tokenizer(), embedding_dim=8),
        {"features.input_ids": "int[*]", "features.offsets": "int[batch_size]"},
    ),
    "SparseAutoEncoder": (lambda _: SparseAutoEncoder(8, 16, 4), _SENTENCES),
    "SpladePooling": (
        lambda _: SpladePooling(),
        {"features.token_embeddings": "float[batch_size, sequence_length, *]"} | _MASK,
    ),
    "SentenceTransformer": (_pooled, _IDS | _MASK),
    "SentenceTransformer, dense and normalized": (
        lambda folder: _pooled(folder, modules.Dense(16, 4), modules.Normalize()),
        _IDS | _MASK,
    ),
}


def list_names() -> list[str]:
    """Return all modules and models."""
    return list(_MODELS)


def build(name: str) -> Case:
    """Return a module with random weights."""
    torch.manual_seed(0)
    make, inputs = _MODELS[name]
    with tempfile.TemporaryDirectory() as folder:
        model = make(folder).eval()
    if isinstance(model, SentenceTransformer):
        inputs = {path.replace("features.", "input."): text for path, text in inputs.items()}
    return Case(model, inputs, call=_call)


def _call(model: torch.nn.Module, made: Mapping[str, Any]) -> None:
    """Run a module on a copy of the dict, because it adds to it."""
    with torch.no_grad():
        model(**{name: dict(value) if isinstance(value, Mapping) else value for name, value in made.items()})
