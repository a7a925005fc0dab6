"""PEFT: small Transformers models, and a module of one's own, with each kind of adapter."""

from collections.abc import Callable
from typing import Any

from declared_operators import repair_libraries
from score import Case

repair_libraries()

import peft
import torch
import transformers

TITLE = "PEFT"
PACKAGES = ("peft", "transformers", "torch")
_SMALL = {
    "vocab_size": 32,
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 16,
}
_IDS = {"input_ids": "int[batch_size, sequence_length]", "attention_mask": "int[batch_size, *]"}
_PAIR = {
    "input_ids": "int[batch_size, *]",
    "attention_mask": "int[batch_size, *]",
    "decoder_input_ids": "int[batch_size, *]",
}


def _bert() -> torch.nn.Module:
    return transformers.BertForSequenceClassification(transformers.BertConfig(**_SMALL))


def _llama() -> torch.nn.Module:
    return transformers.LlamaForCausalLM(transformers.LlamaConfig(**_SMALL))


def _gpt2() -> torch.nn.Module:
    return transformers.GPT2LMHeadModel(transformers.GPT2Config(vocab_size=32, n_embd=16, n_layer=1, n_head=2))


def _t5() -> torch.nn.Module:
    config = transformers.T5Config(vocab_size=32, d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2)
    return transformers.T5ForConditionalGeneration(config)


def _vit() -> torch.nn.Module:
    sizes = {name: size for name, size in _SMALL.items() if name != "vocab_size"}
    return transformers.ViTForImageClassification(transformers.ViTConfig(**sizes, image_size=32, patch_size=8))


class Perceptron(torch.nn.Module):
    """Two layers."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = torch.nn.Linear(8, 16), torch.nn.Linear(16, 4)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return self.second(self.first(features).relu())


_PIXELS = {"pixel_values": "float[batch_size, num_channels, height, width]"}
_FEATURES = {"features": "float[batch_size, *]"}
_SEQUENCES, _CAUSAL, _PAIRS = (peft.TaskType.SEQ_CLS, peft.TaskType.CAUSAL_LM, peft.TaskType.SEQ_2_SEQ_LM)
_MODELS: dict[str, tuple[Callable[[], torch.nn.Module], Any, dict[str, str]]] = {
    "BERT, LoRA": (
        _bert,
        peft.LoraConfig(task_type=_SEQUENCES, r=2),
        _IDS | {"token_type_ids": "int[batch_size, sequence_length]"},
    ),
    "BERT, IA3": (
        _bert,
        peft.IA3Config(task_type=_SEQUENCES),
        _IDS | {"token_type_ids": "int[batch_size, sequence_length]"},
    ),
    "BERT, prompt tuning": (_bert, peft.PromptTuningConfig(task_type=_SEQUENCES, num_virtual_tokens=4), _IDS),
    "LLaMA, LoRA": (_llama, peft.LoraConfig(task_type=_CAUSAL, r=2), _IDS),
    "LLaMA, LoRA without a task": (_llama, peft.LoraConfig(r=2, target_modules=["q_proj"]), _IDS),
    "LLaMA, DoRA": (_llama, peft.LoraConfig(task_type=_CAUSAL, r=2, use_dora=True), _IDS),
    "LLaMA, AdaLoRA": (_llama, peft.AdaLoraConfig(task_type=_CAUSAL, init_r=4, target_r=2, total_step=10), _IDS),
    "LLaMA, LoHa": (_llama, peft.LoHaConfig(r=2, target_modules=["q_proj"]), _IDS),
    "LLaMA, VeRA": (_llama, peft.VeraConfig(task_type=_CAUSAL, r=2), _IDS),
    "LLaMA, prefix tuning": (_llama, peft.PrefixTuningConfig(task_type=_CAUSAL, num_virtual_tokens=4), _IDS),
    "GPT-2, LoRA": (_gpt2, peft.LoraConfig(task_type=_CAUSAL, r=2, fan_in_fan_out=True), _IDS),
    "GPT-2, P-tuning": (
        _gpt2,
        peft.PromptEncoderConfig(task_type=_CAUSAL, num_virtual_tokens=4, encoder_hidden_size=8),
        _IDS,
    ),
    "T5, LoRA": (_t5, peft.LoraConfig(task_type=_PAIRS, r=2), _PAIR),
    "T5, prefix tuning": (_t5, peft.PrefixTuningConfig(task_type=_PAIRS, num_virtual_tokens=4), _PAIR),
    "ViT, LoRA": (_vit, peft.LoraConfig(r=2, target_modules=["q_proj", "v_proj"]), _PIXELS),
    "a module, LoRA": (Perceptron, peft.LoraConfig(r=2, target_modules=["first", "second"]), _FEATURES),
    "a module, OFT": (Perceptron, peft.OFTConfig(r=2, oft_block_size=0, target_modules=["first", "second"]), _FEATURES),
}
"""Name → the model, its adapter, and what it takes."""


def list_names() -> list[str]:
    """Return all pairs of a model and an adapter."""
    return list(_MODELS)


def build(name: str) -> Case:
    """Return a model with an adapter, both with random weights."""
    torch.manual_seed(0)
    make, adapter, inputs = _MODELS[name]
    return Case(peft.get_peft_model(make(), adapter).eval(), inputs)
