"""Describing: of a configuration against a budget, of a live model against a forward pass of that model.

The models are classes of Transformers with tiny configurations and random weights, those that coverage is measured on. A
forward pass of a tiny model is as short as one can be, so its ratio is the worst that there is.
"""

from __future__ import annotations

import gzip
import importlib
import json
import os
import time
import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import dummyio
from benchmarks.options import Options
from benchmarks.processes import value
from benchmarks.table import Row
from benchmarks.timing import subject, take_turns

CASES = Path(__file__).parents[1] / "tests" / "data" / "hf_cases.jsonl.gz"
BUDGET = 0.005
"""Seconds that a description from a configuration may take, where its class was described before."""
PASSES = 3
"""Forward passes that a description of a live model may take."""
LOADED = "import json, sys, dummyio; dummyio.describe({!r}); print(json.dumps('torch' in sys.modules))"


def cases(step: int) -> list[dict[str, Any]]:
    """Return every `step`-th class: its ``class``, ``config_class``, ``folder`` and ``config``."""
    with gzip.open(CASES, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines][::step]


def configurations(options: Options) -> list[Row]:
    """Return the rows of configurations, and of what is imported for one."""
    if find_spec("transformers") is None:
        return [_skipped("a configuration")]
    first: list[float] = []
    later: list[float] = []
    chosen = cases(50 if options.quick else 1)
    configs = [{**case["config"], "architectures": [case["class"]]} for case in chosen]
    for config in configs:
        first.append(_once(config))
        # Another configuration of the class, as no two calls have the same; the fastest of a few, as the machine is shared.
        later.append(min(_once({**config, "initializer_range": 0.5 + turn}) for turn in range(options.turns // 5 + 1)))
    loaded = value(LOADED.format(configs[0]))
    return [
        *_budgeted("of a class described before", later, target=1),
        *_budgeted("the first of a class", first),
        Row(
            topic="describe",
            what="a configuration: whether it loads torch",
            peer="none",
            ratio=int(loaded),
            bound="<=",
            target=0,
            unit="count",
            ours=int(loaded),
            theirs=0,
        ),
    ]


def _once(config: dict[str, Any]) -> float:
    start = time.perf_counter()
    dummyio.describe(config)
    return time.perf_counter() - start


def _budgeted(what: str, seconds: Sequence[float], target: float | None = None) -> list[Row]:
    peer = f"a budget of {BUDGET * 1e3:g} ms"
    return [
        Row(
            topic="describe",
            what=f"a configuration, {what}: {name} of {len(seconds)} classes",
            peer=peer,
            ratio=found / BUDGET,
            bound="<=",
            target=target,
            ours=found,
            theirs=BUDGET,
        )
        for name, found in _spread(seconds).items()
    ]


def models(options: Options) -> list[Row]:
    """Return the rows of live models."""
    if find_spec("transformers") is None:
        return [_skipped("a live model")]
    os.environ["HF_HUB_OFFLINE"] = "1"
    transformers: Any = importlib.import_module("transformers")
    torch: Any = importlib.import_module("torch")
    transformers.logging.set_verbosity_error()
    warnings.simplefilter("ignore")  # of tiny models, which nobody would train
    torch.set_num_threads(1)
    found: dict[str, tuple[float, float]] = {}
    for case in cases(170 if options.quick else 5):
        seconds = _against_forward(_built(case, transformers, torch), torch, 1 if options.quick else 5)
        if seconds is not None:
            found[case["class"]] = seconds
    ratios = [ours / theirs for ours, theirs in found.values()]
    return [
        Row(
            topic="describe",
            what=f"a live model: {name} of {len(found)} classes",
            peer="a forward pass of it",
            ratio=ratio,
            bound="<=",
            target=PASSES,
        )
        for name, ratio in _spread(ratios).items()
    ]


def _against_forward(model: Any, torch: Any, turns: int) -> tuple[float, float] | None:
    """Return the seconds of a description and of a forward pass; None for what does not run, which coverage counts."""
    with torch.no_grad():
        try:
            made = dummyio.describe(model).generate("pt")
            model(**made)
        except Exception:  # noqa: BLE001 - whatever a model raises
            return None
        subjects = {
            "describe": subject(lambda: dummyio.describe(model)),
            "forward": subject(lambda: model(**made)),
        }
        times = take_turns(subjects, turns)
    return median(times["describe"]), median(times["forward"])


def _skipped(what: str) -> Row:
    return Row(
        topic="describe", what=what, peer="all", skipped="transformers, whose classes are described, is not installed"
    )


def _built(case: dict[str, Any], transformers: Any, torch: Any) -> Any:
    """Make the model with random weights."""

    def find(name: str) -> Any:
        module = f"transformers.models.{case['folder']}.modeling_{case['folder']}"
        return getattr(transformers, name, None) or getattr(importlib.import_module(module), name, None)

    own = find(case["class"])
    config = find(case["config_class"]) or own.config_class
    torch.manual_seed(0)
    return own(config.from_dict(case["config"])).eval()


def _spread(values: Sequence[float]) -> dict[str, float]:
    """Return the median, the 95th percentile and the largest."""
    return {
        "median": median(values),
        "95th percentile": quantiles(values, n=20, method="inclusive")[-1],
        "most": max(values),
    }


PARTS = {"np": configurations, "pt": models}
