"""Runs in an environment with Optimum and without dummyio; times steps of Optimum's class on request from standard input."""

from __future__ import annotations

import sys
from importlib.metadata import version
from typing import Any


def main(folder: str, prompt: int, steps: int) -> None:
    import onnxruntime as ort
    import torch
    from optimum.onnxruntime import ORTModelForCausalLM
    from timing import Subject, make_step_subject

    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    torch.set_num_threads(1)

    def make(*, bound: bool) -> Subject:
        model: Any = ORTModelForCausalLM.from_pretrained(folder, session_options=options, use_io_binding=bound)

        def run(ids: Any, count: int, cache: Any = None) -> tuple[int, Any]:
            mask = torch.ones(1, count, dtype=torch.int64)
            found = model(input_ids=ids, attention_mask=mask, past_key_values=cache)
            return int(found.logits[0, -1].argmax()), found.past_key_values

        def step(token: int, count: int, cache: Any) -> tuple[int, Any]:
            return run(torch.tensor([[token]]), count, cache)

        return make_step_subject(lambda: run(torch.arange(prompt)[None], prompt), step, prompt, steps)

    works = {"step": make(bound=False), "bound": make(bound=True)}
    print(f"Optimum {version('optimum')}", flush=True)
    for line in sys.stdin:
        name, times = line.split()
        print(works[name](int(times)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
