"""A step of generation with a cache: `AutoModelForONNX`, ONNX Runtime by hand with its IOBinding, and Optimum's class.

All run the same file, each in a process of its own and with one thread, so that processor time is measured. They take turns after each
step, those of the tiny model after each text, because its steps are shorter than a change between processes. Two processes of one program
differ by up to a tenth for as long as they live, and the one that is started first is often slower: so there are several rounds with new
processes, and each is the first in as many of them.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.options import Options
from benchmarks.processes import Worker
from benchmarks.table import Row, compare_cost
from benchmarks.timing import make_step_subject, serve_subjects, take_turns

PROMPT, STEPS = 16, 16
"""Tokens that are read first, and steps after them."""
ROUNDS = 6
"""How often new processes are started: a multiple of two and of three."""
TINY = {"n_embd": 32, "n_layer": 2, "n_head": 4, "vocab_size": 99, "n_positions": 64}
LARGE = {"n_embd": 768, "n_layer": 12, "n_head": 12, "vocab_size": 20000, "n_positions": 64}
MODELS = {"tiny GPT-2": TINY, "GPT-2 of 100 million parameters": LARGE}
HAND, OURS = "ONNX Runtime by hand, IOBinding", "AutoModelForONNX"

Step = Callable[[int, int, Any], tuple[int, Any]]
"""Takes a token, the number of all tokens until it, and the cache; returns the next token and the cache."""


def measure_by_hand(options: Options) -> list[Row]:
    """Return the rows against ONNX Runtime by hand."""
    return [row for what in select_models(options) for row in measure_model(what, options, with_optimum=False)]


def measure_optimum(options: Options) -> list[Row]:
    """Return the rows against Optimum, and those by hand in the same turns."""
    return [row for what in select_models(options) for row in measure_model(what, options, with_optimum=True)]


def select_models(options: Options) -> tuple[str, ...]:
    """Return the models of a run: a quick one has the tiny one only."""
    return tuple(MODELS)[:1] if options.quick else tuple(MODELS)


def measure_model(what: str, options: Options, *, with_optimum: bool) -> list[Row]:
    """Return the rows of one model."""
    missing = [name for name in ("torch", "transformers", "onnxscript") if find_spec(name) is None]
    if missing:
        return [Row(topic="onnx_models", what=what, peer=HAND, skipped=f"{missing[0]} is not installed")]
    turns, times = (STEPS * options.process_turns, 1) if MODELS[what] is LARGE else (options.short_turns, STEPS)
    rounds = 1 if options.quick else ROUNDS
    seconds: dict[str, list[float]] = {}
    with export_model(MODELS[what]) as folder:
        commands = list_commands(options, folder, with_optimum=with_optimum)
        for first in range(rounds):
            at = first % len(commands)
            with start_workers([*commands[at:], *commands[:at]]) as workers:
                subjects = {each.hello: each.make_subject("step") for each in workers}
                for name, found in take_turns(subjects, -(-turns // rounds), times=times).items():
                    seconds.setdefault(name, []).extend(found)
    limit = 1.0 if with_optimum else 1.1
    return [
        compare_cost("onnx_models", f"a step of {what}", peer, seconds[OURS], seconds[peer], limit)
        for peer in sorted(seconds)
        if peer != OURS
    ]


def list_commands(options: Options, folder: Path, *, with_optimum: bool) -> list[tuple[str, ...]]:
    """Return the command of ours, and that of each peer."""
    own = (sys.executable, "-m", "benchmarks.onnx_models", str(folder))
    ours = (*own, "ours", "pt" if with_optimum else "np")
    if not with_optimum or options.optimum is None:
        return [ours, (*own, "hand")]
    script = (str(Path(__file__).with_name("optimum_steps.py")), str(folder), str(PROMPT), str(STEPS))
    return [ours, *((options.optimum, *script, kind) for kind in ("plain", "bound"))]


@contextmanager
def start_workers(commands: list[tuple[str, ...]]) -> Iterator[list[Worker]]:
    """Give a process for each command, started in this order."""
    with ExitStack() as stack:
        workers = []
        for command in commands:
            workers.append(Worker(*command))
            stack.callback(workers[-1].close)
        yield workers


@contextmanager
def export_model(sizes: dict[str, int]) -> Iterator[Path]:
    """Give the folder of a GPT-2 with random weights."""
    import dummyio

    torch, transformers = import_module("torch"), import_module("transformers")
    torch.manual_seed(0)
    model = transformers.GPT2LMHeadModel(transformers.GPT2Config(**sizes, eos_token_id=None, bos_token_id=0)).eval()
    with tempfile.TemporaryDirectory() as home:
        dummyio.export(model, Path(home) / "gpt2")
        del model
        yield Path(home) / "gpt2"


def make_session_options() -> Any:
    """Return the options of all sessions: one thread."""
    ort = import_module("onnxruntime")
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    return options


def open_ours(folder: Path, kind: str) -> tuple[Callable[[], tuple[int, Any]], Step]:
    """Return the prompt and the step of `AutoModelForONNX`, with the arrays that its peer takes: of NumPy or PyTorch."""
    from dummyio.onnx import AutoModelForONNX

    library: Any = import_module("torch" if kind == "pt" else "numpy")
    model = AutoModelForONNX.from_pretrained(folder, session_options=make_session_options())
    make = library.tensor if kind == "pt" else library.array

    def run(ids: Any, count: int, cache: Any) -> tuple[int, Any]:
        mask = library.ones((1, count), dtype=library.int64)
        found = model(input_ids=ids, attention_mask=mask, past_key_values=cache)
        return int(found.logits[0, -1].argmax()), found.past_key_values

    def read() -> tuple[int, Any]:
        return run(library.arange(PROMPT)[None], PROMPT, None)

    return read, lambda token, count, cache: run(make([[token]]), count, cache)


def open_by_hand(folder: Path) -> tuple[Callable[[], tuple[int, Any]], Step]:
    """Return the prompt and the step as a program for this one model has them: each result is bound as the next input."""
    ort = import_module("onnxruntime")
    session = ort.InferenceSession(folder / "model.onnx", make_session_options(), providers=["CPUExecutionProvider"])
    inputs = {entry.name: entry.shape for entry in session.get_inputs()}
    past = [name for name in inputs if name.startswith("past_key_values")]
    outputs = [entry.name for entry in session.get_outputs()]
    presents = [outputs.index(name.replace("past_key_values", "present")) for name in past]
    logits = outputs.index("logits")
    _, heads, _, size = inputs[past[0]]
    empty = ort.OrtValue.ortvalue_from_numpy(np.zeros((1, heads, 0, size), np.float32))
    binding = session.io_binding()

    def run(ids: Any, count: int, cache: list[Any]) -> tuple[int, list[Any]]:
        binding.bind_cpu_input("input_ids", ids)
        binding.bind_cpu_input("attention_mask", np.ones((1, count), np.int64))
        if "position_ids" in inputs:
            binding.bind_cpu_input("position_ids", np.arange(count - ids.shape[1], count)[None])
        for name, value in zip(past, cache, strict=True):
            binding.bind_ortvalue_input(name, value)
        for name in outputs:
            binding.bind_output(name, "cpu")
        session.run_with_iobinding(binding)
        found = binding.get_outputs()
        return int(found[logits].numpy()[0, -1].argmax()), [found[place] for place in presents]

    def read() -> tuple[int, Any]:
        return run(np.arange(PROMPT)[None], PROMPT, [empty] * len(past))

    return read, lambda token, count, cache: run(np.array([[token]]), count, cache)


def serve(folder: str, who: str, kind: str = "") -> None:
    """Time steps of one subject for another process."""
    opened = open_ours(Path(folder), kind) if who == "ours" else open_by_hand(Path(folder))
    serve_subjects(OURS if who == "ours" else HAND, {"step": make_step_subject(*opened, PROMPT, STEPS)})


PARTS = {"ort": measure_by_hand, "optimum": measure_optimum}

if __name__ == "__main__":
    serve(*sys.argv[1:])
