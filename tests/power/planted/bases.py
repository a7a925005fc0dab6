"""The models that are exported: tiny, with weights as large as trained ones have.

A fresh model of Transformers' has weights of deviation 0.02, zero biases, and norms that do nothing: at a width of 32 its
attention is uniform, and a wrong mask or a missing layer moves its results by no more than rounding does. Here every weight
is drawn anew with deviation 0.2, about ``1 / sqrt(width)``, which is what training leaves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
import transformers as hf
from torch import nn

import dummyio
from dummyio import Dim, InputSpec, TensorSpec
from dummyio.spec.values import Lengths, Normal, Uniform
from planted import modules

STD = 0.2
SIZES: dict[str, Any] = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}


@dataclass(frozen=True)
class Base:
    """A model, and its inputs."""

    name: str
    module: nn.Module
    spec: InputSpec


@cache
def base(name: str) -> Base:
    """Return a model; the same in every run."""
    torch.manual_seed(0)
    return awake(name, *_BASES[name]())


def awake(name: str, module: nn.Module, described: InputSpec | Mapping[str, Any]) -> Base:
    """Draw a module's weights anew, and describe its inputs, where that is not done."""
    with torch.no_grad():
        for path, weights in module.named_parameters():
            weights.normal_(0, STD)
            if "norm" in path.lower() or ".ln_" in path:
                weights.add_(1.0 if path.endswith("weight") else 0.0)
        for path, values in module.named_buffers():
            if "running" in path:
                values.uniform_(0.5, 1.5) if "var" in path else values.normal_(0, STD)
    spec = described if isinstance(described, InputSpec) else dummyio.describe(module, **described)
    return Base(name, module.eval(), spec)


def names() -> tuple[str, ...]:
    """Return the names of all models."""
    return tuple(_BASES)


Made = tuple[nn.Module, InputSpec | Mapping[str, Any]]


def _bert() -> Made:
    config = hf.BertConfig(vocab_size=99, max_position_embeddings=64, **SIZES)
    return hf.BertForQuestionAnswering(config), {"task": "question-answering"}


def _sorter() -> Made:
    config = hf.DistilBertConfig(
        vocab_size=99, max_position_embeddings=64, dim=32, n_layers=2, n_heads=4, hidden_dim=64
    )
    return hf.DistilBertForSequenceClassification(config), {"task": "text-classification"}


def _llama() -> Made:
    config = hf.LlamaConfig(vocab_size=99, max_position_embeddings=64, num_key_value_heads=2, **SIZES)
    return hf.LlamaForCausalLM(config), {"task": "text-generation-with-past"}


def _mistral() -> Made:
    config = hf.MistralConfig(
        vocab_size=99, max_position_embeddings=64, num_key_value_heads=2, sliding_window=12, head_dim=8, **SIZES
    )
    return hf.MistralForCausalLM(config), {"task": "text-generation"}


def _gpt2() -> Made:
    config = hf.GPT2Config(
        vocab_size=99, n_positions=64, n_embd=32, n_layer=2, n_head=4, bos_token_id=1, eos_token_id=2
    )
    return hf.GPT2LMHeadModel(config), {"task": "text-generation-with-past"}


def _bart() -> Made:
    config = hf.BartConfig(
        vocab_size=99,
        max_position_embeddings=64,
        d_model=32,
        **{f"{side}_{what}": n for side in ("encoder", "decoder") for what, n in _SIDES.items()},
    )
    return hf.BartForConditionalGeneration(config), {"task": "text2text-generation"}


_SIDES = {"layers": 2, "attention_heads": 4, "ffn_dim": 64}


def _t5() -> Made:
    config = hf.T5Config(vocab_size=99, d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4)
    config.decoder_start_token_id = 0
    return hf.T5ForConditionalGeneration(config), {"task": "text2text-generation"}


def _vit() -> Made:
    config = hf.ViTConfig(image_size=30, patch_size=5, num_channels=3, **SIZES)
    return hf.ViTForImageClassification(config), {"task": "image-classification"}


def _wav2vec2() -> Made:
    config = hf.Wav2Vec2Config(
        vocab_size=40,
        conv_dim=(16, 16),
        conv_stride=(4, 2),
        conv_kernel=(8, 4),
        num_feat_extract_layers=2,
        num_conv_pos_embeddings=8,
        num_conv_pos_embedding_groups=2,
        **SIZES,
    )
    return hf.Wav2Vec2ForCTC(config), {"task": "automatic-speech-recognition", "audio_sequence_length": 400}


def _convolutional() -> Made:
    batch, height, width = (Dim(name, size) for name, size in (("batch_size", 2), ("height", 20), ("width", 20)))
    even = [Dim(dim.name, dim.size, min=4, max=64, multiple_of=2) for dim in (height, width)]
    image = TensorSpec("pixel_values", (batch, 3, *even), "float32", Uniform(-1, 1))
    return modules.Convolutional(), InputSpec({"pixel_values": image})


def _text(module: nn.Module) -> Made:
    from dummyio.spec.values import PaddingMask, TokenIds

    shape = (Dim("batch_size", 2), Dim("sequence_length", 16, max=64))
    ids = TensorSpec("input_ids", shape, "int64", TokenIds(60, reserved=(0,), mask="attention_mask"))
    mask = TensorSpec("attention_mask", shape, "int64", PaddingMask())
    return module, InputSpec({"input_ids": ids, "attention_mask": mask})


def _tagger() -> Made:
    from dummyio.spec.values import PaddingMask, TokenIds

    shape = (Dim("batch_size", 2), Dim("sequence_length", 16, max=64))
    rule = TokenIds(60, reserved=(0, 1, 2, 3), mask="attention_mask", pad=0)
    ids = TensorSpec("input_ids", shape, "int64", rule)
    mask = TensorSpec("attention_mask", shape, "int64", PaddingMask())
    return modules.Pooler(), InputSpec({"input_ids": ids, "attention_mask": mask})


def _projection() -> Made:
    shape = (Dim("batch_size", 2), Dim("steps", 10, max=200), 8)
    return modules.Projection(), InputSpec({"features": TensorSpec("features", shape, "float32", Normal())})


def _series() -> Made:
    batch, steps = Dim("batch_size", 2), Dim("steps", 10, max=80)
    values = TensorSpec("values", (batch, steps, 4), "float32", Normal())
    return modules.Series(), InputSpec(
        {"values": values, "lengths": TensorSpec("lengths", (batch,), "int64", Lengths("steps", least=1))}
    )


def _pair() -> Made:
    row = TensorSpec("features", (Dim("batch_size", 2), 8), "float32", Normal())
    return modules.Pair(), InputSpec({"features": row, "hints": row.replace(name="hints")})


def _clock() -> Made:
    # Up to a few hours over what 32 bits hold: most times fit.
    time = TensorSpec("time", (Dim("batch_size", 2), Dim("events", 60)), "int64", Uniform(0, 2**31 + 20_000_000))
    return modules.Clock(), InputSpec({"time": time})


def _meter() -> Made:
    shape = (Dim("batch_size", 2), Dim("audio_sequence_length", 100))
    return modules.Meter(), InputSpec({"signal": TensorSpec("signal", shape, "float32", Uniform(-300, 300))})


def _picker() -> Made:
    grades = TensorSpec("grades", (Dim("batch_size", 2), Dim("options", 16)), "int64", Uniform(0, 6))
    return modules.Picker(), InputSpec({"grades": grades})


_BASES: Mapping[str, Callable[[], Made]] = {
    "bert": _bert,
    "distilbert": _sorter,
    "llama": _llama,
    "mistral": _mistral,
    "gpt2": _gpt2,
    "bart": _bart,
    "t5": _t5,
    "vit": _vit,
    "wav2vec2": _wav2vec2,
    "convolutional": _convolutional,
    "pooler": lambda: _text(modules.Pooler()),
    "ratio": lambda: _text(modules.Ratio()),
    "clock": _clock,
    "meter": _meter,
    "picker": _picker,
    "tagger": _tagger,
    "projection": _projection,
    "series": _series,
    "pair": _pair,
}
