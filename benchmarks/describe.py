"""Descriptions: of a configuration compared with a budget, of a live model compared with its forward pass.

The models are Transformers classes with tiny configurations and random weights, the ones that coverage is measured on. Since
the forward pass of a tiny model is very short, the ratio is the worst case.
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
from benchmarks.processes import run_code
from benchmarks.table import Row
from benchmarks.timing import make_subject, take_turns

CASES = Path(__file__).parents[1] / "tests" / "data" / "hf_cases.jsonl.gz"
BUDGET = 0.005
"""Seconds that a description from a configuration may take if its class was described before."""
USUAL = 0.0005
"""Seconds that the median of these may take."""
PASSES = 3
"""Forward passes that a description of a live model may take."""
LOADED = "import json, sys, dummyio; dummyio.describe({!r}); print(json.dumps('torch' in sys.modules))"


def load_cases(step: int) -> list[dict[str, Any]]:
    """Return every `step`-th class: its ``class``, ``config_class``, ``folder`` and ``config``."""
    with gzip.open(CASES, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines][::step]


def measure_configurations(options: Options) -> list[Row]:
    """Return the rows of configurations, and of the imports that one needs."""
    if find_spec("transformers") is None:
        return [_skip("a configuration")]
    first: list[float] = []
    later: list[float] = []
    chosen = load_cases(50 if options.quick else 1)
    configs = [{**case["config"], "architectures": [case["class"]]} for case in chosen]
    for config in configs:
        first.append(_time_description(config))
        # Another configuration of the class, so that no two calls have the same; the fastest of a few, since the machine is shared.
        later.append(
            min(
                _time_description({**config, "initializer_range": 0.5 + turn}) for turn in range(options.turns // 5 + 1)
            )
        )
    loaded = run_code(LOADED.format(configs[0]))
    return [
        *_compare_with_budget("of a class described before", later, target=1),
        *_compare_with_budget("the first of a class", first),
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


def _time_description(config: dict[str, Any]) -> float:
    start = time.perf_counter()
    dummyio.describe(config)
    return time.perf_counter() - start


def _compare_with_budget(what: str, seconds: Sequence[float], target: float | None = None) -> list[Row]:
    rows: list[Row] = []
    for name, found in _summarize(seconds).items():
        budget = USUAL if name == "median" and target is not None else BUDGET
        row = Row(
            topic="describe",
            what=f"a configuration, {what}: {name} of {len(seconds)} classes",
            peer=f"a budget of {budget * 1e3:g} ms",
            ratio=found / budget,
            bound="<=",
            target=target,
            ours=found,
            theirs=budget,
        )
        rows.append(row)
    return rows


def measure_models(options: Options) -> list[Row]:
    """Return the rows of live models."""
    if find_spec("transformers") is None:
        return [_skip("a live model")]
    os.environ["HF_HUB_OFFLINE"] = "1"
    transformers: Any = importlib.import_module("transformers")
    torch: Any = importlib.import_module("torch")
    transformers.logging.set_verbosity_error()
    warnings.simplefilter("ignore")  # Transformers warns about tiny models, which nobody would train
    torch.set_num_threads(1)
    found: dict[str, tuple[float, float]] = {}
    for case in load_cases(170 if options.quick else 5):
        seconds = _time_model(_build_model(case, transformers, torch), torch, 1 if options.quick else 5)
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
        for name, ratio in _summarize(ratios).items()
    ]


def _time_model(model: Any, torch: Any, turns: int) -> tuple[float, float] | None:
    """Return the seconds of a description and of a forward pass; None if the model does not run, which coverage counts."""
    with torch.no_grad():
        try:
            made = dummyio.describe(model).generate("pt")
            model(**made)
        except Exception:  # noqa: BLE001 - a model may raise anything
            return None
        subjects = {
            "describe": make_subject(lambda: dummyio.describe(model)),
            "forward": make_subject(lambda: model(**made)),
        }
        times = take_turns(subjects, turns)
    return median(times["describe"]), median(times["forward"])


def _skip(what: str) -> Row:
    return Row(
        topic="describe", what=what, peer="all", skipped="transformers, whose classes are described, is not installed"
    )


def _build_model(case: dict[str, Any], transformers: Any, torch: Any) -> Any:
    """Return the model with random weights."""

    def find(name: str) -> Any:
        module = f"transformers.models.{case['folder']}.modeling_{case['folder']}"
        return getattr(transformers, name, None) or getattr(importlib.import_module(module), name, None)

    own = find(case["class"])
    config = find(case["config_class"]) or own.config_class
    torch.manual_seed(0)
    return own(config.from_dict(case["config"])).eval()


def _summarize(values: Sequence[float]) -> dict[str, float]:
    """Return the median, the 95th percentile and the largest value."""
    return {
        "median": median(values),
        "95th percentile": quantiles(values, n=20, method="inclusive")[-1],
        "most": max(values),
    }


PARTS = {"np": measure_configurations, "pt": measure_models}
