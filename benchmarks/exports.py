"""Whole exports, from start to end, validation included, compared with a script by hand and with Optimum."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from benchmarks.options import Options
from benchmarks.processes import make_process_subject
from benchmarks.table import Row, compare_cost
from benchmarks.timing import Subject, take_turns

SCRIPT = Path(__file__).with_name("plain_exports.py")
TASKS = {
    "bert": "text-classification",
    "gpt2": "text-generation-with-past",
    "vit": "image-classification",
    "whisper": "automatic-speech-recognition",
    "clip": "zero-shot-image-classification",
}
OPTIMUM = """
import sys
from optimum.exporters.onnx import main_export
source, target, task = sys.argv[1:]
main_export(source, target, task=task, do_validation=True)
"""
_TURNS = 5
_SIZES: dict[str, Any] = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}


def measure(options: Options) -> list[Row]:
    """Return the comparisons; those with Optimum, if its Python is given, have no target."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name, task in TASKS.items():
            source = str(Path(folder) / name)
            _build(name).save_pretrained(source)
            asked = ["--task", task] if task.endswith("with-past") else []
            subjects: dict[str, Subject] = {
                "plain": make_process_subject(str(SCRIPT), name, source, f"{source}-plain.onnx"),
                "ours": make_process_subject("-m", "dummyio", "export", source, f"{source}.onnx", "--force", *asked),
            }
            if options.optimum:
                subjects["optimum"] = make_process_subject(
                    "-c", OPTIMUM, source, f"{source}-optimum", task, python=options.optimum
                )
            times = take_turns(subjects, 1 if options.quick else _TURNS)
            what = " ".join(["dummyio export, tiny", name, *asked])
            rows.append(compare_cost("exports", what, "a script by hand", times["ours"], times["plain"], 1.3))
            if options.optimum:
                rows.append(compare_cost("exports", what, "Optimum", times["ours"], times["optimum"]))
    return rows


def _build(name: str) -> Any:
    import torch
    import transformers as hf

    torch.manual_seed(0)
    if name == "bert":
        return hf.BertForSequenceClassification(hf.BertConfig(vocab_size=99, **_SIZES))
    if name == "gpt2":
        sizes = {"n_positions": 64, "n_embd": 32, "n_layer": 2, "n_head": 4}
        return hf.GPT2LMHeadModel(hf.GPT2Config(vocab_size=99, bos_token_id=1, eos_token_id=2, **sizes))
    if name == "vit":
        return hf.ViTForImageClassification(hf.ViTConfig(image_size=30, patch_size=5, **_SIZES))
    if name == "whisper":
        sizes = {f"{side}_{what}": n for side in ("encoder", "decoder") for what, n in _SIDES.items()}
        config = hf.WhisperConfig(
            vocab_size=99,
            d_model=32,
            num_mel_bins=16,
            max_source_positions=30,
            max_target_positions=40,
            **sizes,
            pad_token_id=0,
            bos_token_id=1,
            eos_token_id=2,
            decoder_start_token_id=3,
        )
        return hf.WhisperForConditionalGeneration(config)
    text = {"vocab_size": 99, "max_position_embeddings": 40, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
    return hf.CLIPModel(
        hf.CLIPConfig(
            text_config={**_SIZES, **text},
            vision_config={**_SIZES, "image_size": 30, "patch_size": 5},
            projection_dim=16,
        )
    )


_SIDES = {"layers": 2, "attention_heads": 4, "ffn_dim": 64}

PARTS = {"pt": measure}
