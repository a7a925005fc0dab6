"""Runs in an environment with Optimum and without dummyio; times steps of Optimum's class on request from standard input."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.metadata import version
from time import thread_time
from typing import Any


def main(folder: str, prompt: int, steps: int) -> None:
    import onnxruntime as ort
    import torch
    from optimum.onnxruntime import ORTModelForCausalLM

    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    torch.set_num_threads(1)

    def make(*, bound: bool) -> Callable[[], float]:
        model: Any = ORTModelForCausalLM.from_pretrained(folder, session_options=options, use_io_binding=bound)

        def run(count: int, ids: Any, cache: Any = None) -> tuple[int, Any]:
            mask = torch.ones(1, count, dtype=torch.int64)
            found = model(input_ids=ids, attention_mask=mask, past_key_values=cache)
            return int(found.logits[0, -1].argmax()), found.past_key_values

        def measure() -> float:
            token, cache = run(prompt, torch.arange(prompt)[None])
            start = thread_time()
            for count in range(prompt + 1, prompt + steps + 1):
                token, cache = run(count, torch.tensor([[token]]), cache)
            return (thread_time() - start) / steps

        return measure

    works = {"step": make(bound=False), "bound": make(bound=True)}
    print(f"Optimum {version('optimum')}", flush=True)
    for line in sys.stdin:
        name, times = line.split()
        print(sum(works[name]() for _ in range(int(times))) / int(times), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
