"""Whole exports, from start to end, validation included, compared with a script by hand and with Optimum."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from benchmarks.options import Options
from benchmarks.processes import PEAK, make_process_subject, run_code
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
LARGE = """
import json
import sys
import torch
from torch import nn
layers = (layer for _ in range(int(sys.argv[1])) for layer in (nn.Linear(4096, 4096), nn.ReLU()))
module = nn.Sequential(*layers).eval()
"""
"""A module with 64 MiB of weights in each of its products."""
OURS = LARGE + "import dummyio\ndummyio.export(module, sys.argv[2])\n"
PLAIN = (
    LARGE
    + """
import onnxruntime
inputs, rows = torch.zeros(2, 4096), torch.export.Dim("rows")
torch.onnx.export(module, (inputs,), sys.argv[2], dynamo=True, dynamic_shapes=({0: rows},), verbose=False)
onnxruntime.InferenceSession(sys.argv[2]).run(None, {"input": inputs.numpy()})
"""
)
_LAYERS = 16
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
            reason = None
            if options.optimum:
                peer = make_process_subject("-c", OPTIMUM, source, f"{source}-optimum", task, python=options.optimum)
                reason = _find_failure(peer)
                if reason is None:
                    subjects["optimum"] = peer
            times = take_turns(subjects, 1 if options.quick else _TURNS)
            what = " ".join(["dummyio export, tiny", name, *asked])
            rows.append(compare_cost("exports", what, "a script by hand", times["ours"], times["plain"], 1.3))
            if "optimum" in times:
                rows.append(compare_cost("exports", what, "Optimum", times["ours"], times["optimum"]))
            elif reason is not None:
                rows.append(Row(topic="exports", what=what, peer="Optimum", skipped=reason))
        rows += _compare_memory(folder, 1 if options.quick else _LAYERS)
    return rows


def _find_failure(subject: Subject) -> str | None:
    """Run a subject once, and return the reason if it fails."""
    try:
        subject(1)
    except OSError as error:
        return str(error)
    return None


def _compare_memory(folder: str, layers: int) -> list[Row]:
    """Return the peak of whole processes that export a large module, as a multiple of its weights and of the script's peak."""
    peak = f"\nprint(json.dumps({PEAK}))"
    ours, plain = (
        run_code(code + peak, str(layers), str(Path(folder) / f"large-{name}.onnx"))
        for name, code in (("ours", OURS), ("plain", PLAIN))
    )
    what, weights = f"peak memory, a module of {layers * 64} MiB", layers * (64 << 20)
    common: dict[str, Any] = {"topic": "exports", "what": what, "bound": "<=", "unit": "bytes", "ours": ours}
    return [
        Row(**common, peer="its weights", ratio=ours / weights, target=2.3, theirs=weights),
        Row(**common, peer="a script by hand", ratio=ours / plain, theirs=plain),
    ]


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
