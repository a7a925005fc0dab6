"""The source texts of a model and its parts, and the facts in them that its configuration does not state."""

import re
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from dummyio.generators.base.model_facts import ArgumentFacts, ModelFacts
from dummyio.huggingface.config.configuration import Configuration
from dummyio.huggingface.facts.cache_layout import caches_indexer_keys, caches_latent_attention
from dummyio.huggingface.facts.layer_states import read_layer_state
from dummyio.huggingface.facts.media_layout import read_media_facts
from dummyio.huggingface.source.auto_tables import class_for, class_source
from dummyio.huggingface.source.class_lookup import read_text
from dummyio.huggingface.source.forward_signatures import forward_source
from dummyio.model_config.normalized_config import NormalizedConfig

_COUNTS_ENDS = "eos_mask.sum("
_FINDS_END = re.compile(r"\(input_ids\b.*== self\.eos_token_id\)\s*\.int\(\)\s*\.argmax\(")
_SCORES = re.compile(r"logits_per_(?:text|image) = torch\.matmul\(")
_ONE_ROW = re.compile(r"if self\.config\.(get_text_config\(\)\.)?pad_token_id is None and batch_size != 1:")

_COUNTED_POSITIONS = re.compile(
    r"nn\.Embedding\(\s*config\.max_position_embeddings,\s*config\.\w+,\s*padding_idx=self\.padding_idx"
)


def source_text(class_name: str, configuration: Configuration) -> Mapping[str, str]:
    """Return the text of the files that define a model (``"model"``) and its parts (``"text"``, ``"vision"`` ...), where found."""
    config = configuration.normalized({})
    own = _file_of_class(class_name, configuration.model_type)
    wrapped = "" if config.unwrapped() is config else _file_of_type(config.unwrapped().raw("model_type"))
    found = {"model": own if wrapped in own else own + wrapped}
    found |= {role: _file_of_type(_type_of(config, role)) for role in ("text", "decoder", "vision", "audio")}
    return MappingProxyType({role: text for role, text in found.items() if text})


def read_option_facts(
    class_name: str, model_type: str | None, texts: Mapping[str, str], config: NormalizedConfig
) -> Mapping[str, str]:
    """Return the options of generators that a model asks for: one end of sequence in each row, where it counts or looks for them."""
    text = config.part("text")
    end = text.token_id("eos_token_id")
    has_end = end is not None and text.has("vocab_size") and end < text.integer("vocab_size")
    is_asked = _COUNTS_ENDS in forward_source(class_name, model_type) or (
        has_end and any(_finds_end(texts.get(role, "")) for role in ("model", "text"))
    )
    return {"last_token": "eos"} if is_asked else {}


@lru_cache(maxsize=512)
def _finds_end(text: str) -> bool:
    return _FINDS_END.search(text) is not None


def returns_score_matrix(class_name: str, model_type: str | None) -> bool:
    """Return whether a class's `forward` multiplies texts by images, so that each of either has a batch of its own."""
    return _SCORES.search(forward_source(class_name, model_type)) is not None


def read_size_bounds(class_name: str, config: NormalizedConfig) -> Mapping[str, Mapping[str, int]]:
    """Return the bounds of sizes that a `forward` demands: one row, if it looks for the end of each row without a padding id."""
    found = _ONE_ROW.search(forward_source(class_name, config.raw("model_type")))
    part = config.part("text") if found and found.group(1) else config
    return {"batch_size": {"max": 1}} if found and part.raw("pad_token_id") is None else {}


def count_reserved_positions(texts: Mapping[str, str], config: NormalizedConfig) -> int:
    """Return how many positions come before that of the first token: those up to the padding id, if positions count from it on."""
    pad = config.part("text").raw("pad_token_id")
    counted = (
        isinstance(pad, int) and pad >= 0 and any(_counts_positions(texts.get(role, "")) for role in ("model", "text"))
    )
    return pad + 1 if counted else 0


@lru_cache(maxsize=512)
def _counts_positions(text: str) -> bool:
    return _COUNTED_POSITIONS.search(text) is not None


def read_model_facts(
    texts: Mapping[str, str], config: NormalizedConfig, arguments: Mapping[str, ArgumentFacts], *, with_past: bool
) -> ModelFacts:
    """Return the facts for generators in the texts of a model and its parts, by role; those of the cache only with a past."""
    media = read_media_facts(*(texts.get(role, "") for role in ("model", "vision", "audio", "text", "decoder")))
    if not with_past:
        return ModelFacts(arguments, media=media)
    cached = [texts[role] for role in ("model", "text", "decoder") if role in texts]
    keys = [caches_indexer_keys(text) for text in cached]
    return ModelFacts(
        arguments,
        read_layer_state(config, texts),
        caches_latent_attention=any(caches_latent_attention(text) for text in cached),
        caches_indexer_keys=None if None in keys else any(keys),
        media=media,
    )


def _type_of(config: NormalizedConfig, role: str) -> Any:
    """Return the model type of a part."""
    part = config.sub(role)
    return None if part is None else part.raw("model_type")


def _file_of_type(model_type: Any) -> str:
    name = class_for(model_type, "MODEL_MAPPING_NAMES") if isinstance(model_type, str) else None
    return _file_of_class(name, model_type) if name else ""


@lru_cache(maxsize=64)
def _file_of_class(name: str, model_type: str | None) -> str:
    source = class_source(name, model_type)
    return read_text(source.path) if source else ""
