"""``genai_config.json``: how ONNX Runtime GenAI generates text with a decoder and its past, from the decoder's spec and configuration.

The keys are those of https://onnxruntime.ai/docs/genai/reference/config.html.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dummyio.errors import ExportError
from dummyio.input_spec import InputSpec
from dummyio.model_config.normalized_config import NormalizedConfig
from dummyio.sources.input_names import present_name
from dummyio.spec.tensor_spec import TensorSpec

FILE = "genai_config.json"
_TEXT = ("input_ids", "attention_mask", "position_ids")
_PAST = "past_key_values"
_KIND = "decoder"
"""The kind of any model of text that keeps keys and values, whatever its architecture."""
_NO_LIMIT = 1 << 15
"""Tokens for a model that states no limit, such as one with linear biases: the runtime demands a number."""
_ENDS, _BEGINS, _PADS = ("eos_token_id",), ("bos_token_id", "decoder_start_token_id"), ("pad_token_id",)


def write_genai_config(spec: InputSpec, file: str, model: Any, folder: Path) -> None:
    """Write ``genai_config.json`` for a decoder.

    Parameters
    ----------
    spec
        The spec of the decoder with its past: ids, mask, positions, and a key and a value of each layer.
    file
        The name of its ONNX file in `folder`.
    model
        The model, with its configuration.
    folder
        Where to write.

    Raises
    ------
    ExportError
        if the runtime does not feed an input, or does not keep such a past.
    """
    made = build_genai_config(spec, file, model.config, getattr(model, "generation_config", None))
    (folder / FILE).write_text(json.dumps(made, indent=2) + "\n")


def build_genai_config(spec: InputSpec, file: str, config: Any, generation: Any = None) -> dict[str, Any]:
    """Return the content of ``genai_config.json``; parameters and errors are those of `write_genai_config`."""
    others = [name for name in spec if name not in (*_TEXT, _PAST)]
    if others or _PAST not in spec or "input_ids" not in spec:
        found = f"its inputs are {', '.join(spec)}"
        raise ExportError(
            f"layout='genai': {found}, and ONNX Runtime GenAI runs a decoder of {', '.join(_TEXT)} with {_PAST}. Use layout='optimum' or "
            "'transformers.js'."
        )
    past = {path: leaf for path, leaf in spec.leaves if path.startswith(_PAST)}
    heads, size = _find_geometry(past)
    patterns = sorted({re.sub(r"\.\d+\.", ".%d.", path) for path in past})
    whole = NormalizedConfig.of(config)
    text = whole.part("text")
    names = {role: path for path in patterns for role in ("key", "value") if path.endswith(role)}
    context = text.get("max_position_embeddings", _NO_LIMIT)
    decoder = {
        "session_options": {"log_id": "onnxruntime-genai", "provider_options": []},
        "filename": file,
        "head_size": size,
        "hidden_size": text.get("hidden_size"),
        "inputs": {
            **{name: name for name in _TEXT if name in spec},
            **{f"past_{role}_names": path for role, path in names.items()},
        },
        "outputs": {
            "logits": "logits",
            **{f"present_{role}_names": present_name(path) for role, path in names.items()},
        },
        "num_attention_heads": text.get("num_attention_heads"),
        "num_hidden_layers": len(past) // len(names),
        "num_key_value_heads": heads,
    }
    ids = {
        "bos_token_id": _find_ids(_BEGINS, generation, whole),
        "eos_token_id": _find_ids(_ENDS, generation, whole),
        "pad_token_id": _find_ids(_PADS, generation, whole),
    }
    model = {
        **{name: found if name == "eos_token_id" else found[0] for name, found in ids.items() if found},
        "context_length": context,
        "decoder": {name: value for name, value in decoder.items() if value is not None},
        "type": _KIND,
        "vocab_size": text.get("vocab_size"),
    }
    search = {"do_sample": False, "max_length": context, "past_present_share_buffer": False}
    return {
        name: {key: value for key, value in part.items() if value is not None}
        for name, part in (("model", model), ("search", search))
    }


def _find_geometry(past: Mapping[str, TensorSpec]) -> tuple[int, int]:
    """Return the heads and the size of each, which all layers have."""
    kinds = {(leaf.shape[1], leaf.shape[-1]) if leaf.rank == 4 else leaf.shape for leaf in past.values()}
    roles = {path.rpartition(".")[-1] for path in past}
    if len(kinds) == 1 and roles == {"key", "value"}:
        heads, size = next(iter(kinds))[0], next(iter(kinds))[-1]
        if isinstance(heads, int) and isinstance(size, int):
            return heads, size
    shown = "; ".join(f"{path} {leaf}" for path, leaf in list(past.items())[:2])
    raise ExportError(
        f"layout='genai': the past is {shown} ..., and ONNX Runtime GenAI keeps a key and a value [batch, heads, past, size] of each layer, all "
        "alike. Use layout='optimum' or 'transformers.js'."
    )


def _find_ids(names: tuple[str, ...], generation: Any, config: NormalizedConfig) -> list[int]:
    """Return the ids of a token: what generates text decides, then the configuration."""
    for name in names:
        for found in (getattr(generation, name, None), config.get(name)):
            if found is not None:
                return list(found) if isinstance(found, (list, tuple)) else [found]
    return []
