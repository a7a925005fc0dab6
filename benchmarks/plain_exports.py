"""What a user writes by hand to export one model: ``python plain_exports.py NAME FOLDER FILE``.

The model is loaded, exported once with ``torch.onnx.export(dynamo=True)`` and dynamic sizes, and compared with ONNX Runtime once.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import onnxruntime as ort
import torch
import transformers as hf

Inputs = dict[str, torch.Tensor]


class Flat(torch.nn.Module):
    """A causal model whose past is a list of tensors, and whose outputs are one tuple."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor, past: list[torch.Tensor]) -> Any:
        """Return the scores and the present states."""
        cache = hf.DynamicCache()
        for layer, (key, value) in enumerate(zip(past[::2], past[1::2], strict=True)):
            cache.update(key, value, layer)
        made = self.model(input_ids=input_ids, attention_mask=attention_mask, past_key_values=cache)
        return made.logits, [state for layer in made.past_key_values.layers for state in (layer.keys, layer.values)]


def text(length: int, past: int = 0) -> Inputs:
    """Return ids and their mask, which covers the past too."""
    return {
        "input_ids": torch.randint(5, 90, (2, length)),
        "attention_mask": torch.ones(2, past + length, dtype=torch.int64),
    }


def prepare(name: str, folder: str) -> tuple[torch.nn.Module, dict[str, Any], dict[str, Any]]:
    """Return a model, its inputs and its dynamic axes."""
    batch, length = torch.export.Dim("batch"), torch.export.Dim("length")
    rows = {0: batch, 1: length}
    if name == "bert":
        model = hf.AutoModelForSequenceClassification.from_pretrained(folder).eval()
        feeds = {**text(16), "token_type_ids": torch.zeros(2, 16, dtype=torch.int64)}
        return model, feeds, dict.fromkeys(feeds, rows)
    if name == "gpt2":
        model = Flat(hf.AutoModelForCausalLM.from_pretrained(folder).eval())
        states = [torch.randn(2, 4, 7, 8) for _ in range(4)]
        every = {0: batch, 2: torch.export.Dim("past")}
        dims = {"input_ids": rows, "attention_mask": {0: batch, 1: torch.export.Dim.AUTO}, "past": [every] * 4}
        return model, {**text(9, 7), "past": states}, dims
    if name == "vit":
        model = hf.AutoModelForImageClassification.from_pretrained(folder).eval()
        return model, {"pixel_values": torch.randn(2, 3, 30, 30)}, {"pixel_values": {0: batch}}
    if name == "whisper":
        model = hf.AutoModelForSpeechSeq2Seq.from_pretrained(folder).eval()
        model.config.use_cache = False
        feeds = {"input_features": torch.randn(2, 16, 60), "decoder_input_ids": torch.randint(5, 90, (2, 9))}
        return model, feeds, {"input_features": {0: batch}, "decoder_input_ids": rows}
    model = hf.AutoModel.from_pretrained(folder).eval()
    feeds = {**text(16), "pixel_values": torch.randn(3, 3, 30, 30)}
    texts = {0: torch.export.Dim("texts"), 1: length}
    return model, feeds, {"input_ids": texts, "attention_mask": texts, "pixel_values": {0: batch}}


def main(name: str, folder: str, file: str) -> None:
    """Export a model, and compare the first output."""
    model, feeds, dims = prepare(name, folder)
    torch.onnx.export(model, (), file, kwargs=feeds, dynamic_shapes=dims, dynamo=True, verbose=False)
    session = ort.InferenceSession(file, providers=["CPUExecutionProvider"])
    flat = [tensor for value in feeds.values() for tensor in (value if isinstance(value, list) else [value])]
    found = session.run(
        None, {port.name: tensor.numpy() for port, tensor in zip(session.get_inputs(), flat, strict=True)}
    )
    with torch.no_grad():
        made = model(**feeds)
    first = next(
        value for value in (made if isinstance(made, tuple) else made.values()) if isinstance(value, torch.Tensor)
    )
    np.testing.assert_allclose(found[0], first.numpy(), rtol=1e-3, atol=1e-4)


if __name__ == "__main__":
    main(*sys.argv[1:])
