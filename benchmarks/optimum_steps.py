"""Runs in an environment with Optimum and without dummyio; times steps of Optimum's class on request from standard input."""

from __future__ import annotations

import sys
from importlib.metadata import version
from typing import Any


def main(folder: str, prompt: int, steps: int, *, bound: bool) -> None:
    import onnxruntime as ort
    import torch
    from optimum.onnxruntime import ORTModelForCausalLM
    from timing import make_step_subject, serve_subjects

    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    torch.set_num_threads(1)

    model: Any = ORTModelForCausalLM.from_pretrained(folder, session_options=options, use_io_binding=bound)

    def run(ids: Any, count: int, cache: Any = None) -> tuple[int, Any]:
        mask = torch.ones(1, count, dtype=torch.int64)
        found = model(input_ids=ids, attention_mask=mask, past_key_values=cache)
        return int(found.logits[0, -1].argmax()), found.past_key_values

    def step(token: int, count: int, cache: Any) -> tuple[int, Any]:
        return run(torch.tensor([[token]]), count, cache)

    subject = make_step_subject(lambda: run(torch.arange(prompt)[None], prompt), step, prompt, steps)
    serve_subjects(f"Optimum {version('optimum')}{', IOBinding' * bound}", {"step": subject})


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), bound=sys.argv[4] == "bound")
