"""Tiny Transformers models with random weights, by family.

`FAMILIES` has for each family class → attributes of its configuration: attributes of a part are a dict with the part's name, and the
models of an encoder-decoder are named by ``encoder`` and ``decoder``.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers_media import MEDIA_FAMILIES
from transformers_text import TEXT_FAMILIES

CASES = Path(__file__).parents[1] / "data" / "hf_cases.jsonl.gz"
FAMILIES: dict[str, dict[str, dict[str, Any]]] = {**TEXT_FAMILIES, **MEDIA_FAMILIES}
EXTRA = {
    "text decoders": (
        "FalconMambaForCausalLM",
        "RecurrentGemmaForCausalLM",
        "HeliumForCausalLM",
        "NemotronForCausalLM",
        "Qwen3NextForCausalLM",
    ),
    "text encoders": (
        "TapasForQuestionAnswering",
        "JinaEmbeddingsV3ForMaskedLM",
        "NomicBertForMaskedLM",
        "XmodForSequenceClassification",
        "YosoForMaskedLM",
    ),
    "vision": (
        "CvtForImageClassification",
        "LevitForImageClassification",
        "PvtV2ForImageClassification",
        "BitForImageClassification",
        "Swinv2ForMaskedImageModeling",
        "ZoeDepthForDepthEstimation",
        "RTDetrForObjectDetection",
        "DFineForObjectDetection",
        "LwDetrForObjectDetection",
        "VJEPA2ForVideoClassification",
        "MobileNetV1ForImageClassification",
        "OneFormerForUniversalSegmentation",
    ),
    "images and text": (
        "Florence2ForConditionalGeneration",
        "Idefics3ForConditionalGeneration",
        "Qwen2VLForConditionalGeneration",
        "GotOcr2ForConditionalGeneration",
        "Kosmos2_5ForConditionalGeneration",
        "MetaClip2Model",
    ),
    "speech to text": ("MoonshineStreamingForConditionalGeneration", "VoxtralForConditionalGeneration"),
    "others": ("ClapModel", "VitsModel", "SamModel", "PatchTSMixerForPrediction"),
}
"""Classes whose configuration is that of ``tests/data/hf_cases.jsonl.gz``."""
CHANGES = {"VitsModel": {"noise_scale": 0.0, "noise_scale_duration": 0.0}}
"""Class → attributes that it has otherwise: random numbers would be others in each runtime."""


def list_cases() -> dict[str, str]:
    """Return class → family."""
    own = {name: family for family, cases in FAMILIES.items() for name in cases}
    return own | {name: family for family, names in EXTRA.items() for name in names}


def make_config(cls: Any, attributes: dict[str, Any]) -> Any:
    """Return the configuration of a class; those of an encoder and a decoder are made by their model types."""
    parts = {side: dict(attributes[side]) for side in ("encoder", "decoder") if side in attributes}
    if not parts:
        return cls.config_class(**attributes)
    made = [transformers.AutoConfig.for_model(part.pop("model_type"), **part) for part in parts.values()]
    rest = {name: value for name, value in attributes.items() if name not in parts}
    return cls.config_class.from_encoder_decoder_configs(*made, **rest)


def read_given_config(name: str) -> Any:
    """Return the configuration of a class in ``tests/data/hf_cases.jsonl.gz``."""
    with gzip.open(CASES, "rt", encoding="utf-8") as lines:
        case = next(case for case in map(json.loads, lines) if case["class"] == name)
    return getattr(transformers, case["config_class"]).from_dict({**case["config"], **CHANGES.get(name, {})})


def build_model(
    name: str, seed: int = 0, scale: float = 1.0, embeddings: float = 0.5, changes: dict[str, Any] | None = None
) -> Any:
    """Return a model with random weights of a trained one's size: with small ones all outputs are alike."""
    cls = getattr(transformers, name)
    own = {name: attributes for cases in FAMILIES.values() for name, attributes in cases.items()}
    config = make_config(cls, {**own[name], **(changes or {})}) if name in own else read_given_config(name)
    torch.manual_seed(seed)
    model = cls(config).eval()
    with torch.no_grad():
        for path, weight in model.named_parameters():
            if weight.dim() > 1:
                weight.normal_(0, embeddings if "embed" in path else scale * weight[0].numel() ** -0.5)
    return model


def build_generator(
    name: str, feeds: dict[str, torch.Tensor], options: dict[str, Any], changes: dict[str, Any] | None = None
) -> tuple[Any, torch.Tensor]:
    """Return a model and the tokens that it generates, at least four different ones: most random models repeat one token."""
    for scale, embeddings in ((1.0, 0.5), (2.0, 0.5), (4.0, 0.1), (8.0, 0.1)):
        for seed in range(8):
            model = build_model(name, seed, scale, embeddings, changes)
            try:
                with torch.no_grad():
                    tokens = model.generate(**feeds, **options)
            except IndexError:  # Whisper's, for a row that is padding alone
                continue
            if min(len(set(row[-options["max_new_tokens"] :].tolist())) for row in tokens) >= 4:
                return model, tokens
    raise ValueError(f"{name}: none of the random models generates at least four different tokens")
