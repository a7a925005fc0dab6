"""Diffusers: classes with the tiny configurations of its own tests, as live models."""

import gzip
import importlib
import json
from pathlib import Path
from typing import Any

from declared_operators import repair_libraries
from score import Case

repair_libraries()

import diffusers
import torch

TITLE = "Diffusers"
PACKAGES = ("diffusers", "torch")
CASES = Path(__file__).parents[3] / "data" / "diffusers_cases.jsonl.gz"


def read_cases() -> dict[str, dict[str, Any]]:
    """Return the cases by name."""
    with gzip.open(CASES, "rt", encoding="utf-8") as lines:
        return {case["name"]: case for case in map(json.loads, lines)}


def list_names() -> list[str]:
    """Return all cases; a class may have several."""
    return list(read_cases())


def build(name: str) -> Case:
    """Return a model with random weights."""
    case = read_cases()[name]
    kind = getattr(diffusers, case["class"], None) or getattr(importlib.import_module(case["module"]), case["class"])
    torch.manual_seed(0)
    return Case(kind.from_config(case["config"]).eval(), case["inputs"], needed=case["needed"])
