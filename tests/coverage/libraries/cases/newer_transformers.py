"""Transformers: the architectures that came after the version that the rules were written with; installed beside it, in an environment of its own."""

import importlib
import inspect
from typing import Any

from declared_operators import repair_libraries
from model_types import Sizes, shrink
from score import Case

repair_libraries()

import torch
import transformers

if tuple(map(int, transformers.__version__.split(".")[:2])) < (5, 24):
    raise ImportError(f"transformers {transformers.__version__} is not newer than the version of constraints.txt.")

TITLE = "Transformers, newer architectures"
PACKAGES = ("transformers", "torch")
NOTE = "Every class of each architecture, built from its default configuration made small. What its tests feed is not known here, so full is not judged: it counts as runs."

ARCHITECTURES = (
    "apertus1p5",
    "dory",
    "hy_v4_vl",
    "inkling2_loop",
    "lara_mini",
    "omniasr",
    "omniasr_ctc",
    "sarvam_mla",
    "sarvam_moe",
    "wavtokenizer",
)
"""The folders of models that 5.24 has and 5.23 has not."""


def list_names() -> list[str]:
    """Return the classes of these architectures that a configuration builds."""
    return sorted(name for folder in ARCHITECTURES for name in _classes(folder))


def _classes(folder: str) -> dict[str, Any]:
    try:
        module = importlib.import_module(f"transformers.models.{folder}.modeling_{folder}")
    except ModuleNotFoundError:  # a configuration and a tokenizer alone
        return {}
    return {
        name: kind
        for name, kind in vars(module).items()
        if inspect.isclass(kind)
        and issubclass(kind, transformers.PreTrainedModel)
        and kind.__module__ == module.__name__
        and getattr(kind, "config_class", None) is not None
        and not name.endswith("PreTrainedModel")
    }


def build(name: str) -> Case:
    """Return a model with random weights."""
    kind = next(found[name] for folder in ARCHITECTURES if name in (found := _classes(folder)))
    for divisor in (8, 4, 1):
        values = shrink(kind.config_class().to_dict(), Sizes(divisor, 2))
        torch.manual_seed(0)
        try:
            model = kind(kind.config_class.from_dict(values)).eval()
        except (ValueError, RuntimeError, AssertionError):
            if divisor == 1:
                raise
        else:
            return Case(model, {})
    raise AssertionError("the last attempt returns or raises")
