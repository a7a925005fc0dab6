"""Measure how many real model classes run on their described inputs, by modality; write the tables of ``docs/reference/coverage.md``.

Each case is a Transformers class with a tiny configuration, and the inputs of its tests in Transformers: name → kind and rank.

    python tests/coverage/measure.py [--only bert,llama] [--half first] [--halves] [--show] [--write]

- runs: `forward` accepts the inputs
- full: and every input of the case is there, of its kind and rank, and finite
- dynamic: and inputs at another size of each dim run too

The folders are split into two halves by a hash of their names: rules that are written for one half (``--half``) are judged by the
other, and a difference between the two shows how far the rules are fitted to the classes that were looked at.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import importlib
import json
import os
import sys
import warnings
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
import transformers
from marks import write_between
from scores import failures, other_size, table

import dummyio

ROOT = Path(__file__).parents[2]
CASES = ROOT / "tests" / "data" / "hf_cases.jsonl.gz"
PAGE = ROOT / "docs" / "reference" / "coverage.md"
SWITCHES = frozenset(
    [
        "labels",
        "return_loss",
        "use_cache",
        "output_hidden_states",
        "output_router_logits",
        "interpolate_pos_encoding",
        "mlm_labels",
        "mim_labels",
        "itm_labels",
        "output_attentions",
        "class_labels",
        "mask_labels",
        "bbox_labels",
        "return_dict",
        "generation_mode",
        "lengths",
    ]
)
"""What a case may feed and a description need not: targets and switches."""
MOST_NAMED = 4
"""Classes that a row of the table of effects names."""
MODALITIES = {
    "text": ("input_ids", "decoder_input_ids", "bbox"),
    "vision": ("pixel_values", "flattened_patches", "pixel_values_videos"),
    "audio": ("input_values", "input_features", "audio_values"),
}


@dataclass
class Row:
    """The result of one class."""

    name: str
    modality: str
    half: str
    runs: bool = False
    full: bool = False
    dynamic: bool = False
    reason: str = field(default="")
    ineffective: dict[str, str] = field(default_factory=dict[str, str])
    """Input → why it proves nothing."""


def modality(inputs: dict[str, Any]) -> str:
    """Return the modality of a case, by the names of its inputs."""
    found = [kind for kind, names in MODALITIES.items() if any(name.startswith(names) for name in inputs)]
    return " and ".join(found) if found else "other"


def half(folder: str) -> str:
    """Return the half of a folder, by a hash of its name: always the same, and one for all classes of a file."""
    return ("first", "second")[hashlib.sha256(folder.encode()).digest()[0] % 2]


def build(case: dict[str, Any]) -> Any:
    """Make the model with random weights."""
    folder = f"transformers.models.{case['folder']}.modeling_{case['folder']}"

    def find(name: str) -> Any:
        return getattr(transformers, name, None) or getattr(importlib.import_module(folder), name, None)

    cls = find(case["class"])
    config = find(case["config_class"]) or cls.config_class
    torch.manual_seed(0)
    return cls(config.from_dict(case["config"])).eval()


def kind(tensor: torch.Tensor) -> str:
    """Return the kind of a tensor: bool, int or float."""
    if tensor.dtype == torch.bool:
        return "bool"
    return "float" if tensor.is_floating_point() or tensor.is_complex() else "int"


def differences(expected: dict[str, Any], made: dict[str, Any]) -> list[str]:
    """List the inputs that are missing or differ from the case."""
    found = []
    for name, entry in expected.items():
        value = made.get(name)
        if name in SWITCHES:
            continue
        if value is None:
            found.append(f"{name} is missing")
        elif isinstance(entry, list) and torch.is_tensor(value):
            wanted, rank = entry
            mask = name.endswith(("mask", "masked_pos")) and "float" not in (kind(value), wanted)
            if value.dim() != rank or (kind(value) != wanted and not mask):
                found.append(f"{name} is {kind(value)} of rank {value.dim()}, not {wanted} of rank {rank}")
            if kind(value) == "float" and not torch.isfinite(value).all():
                found.append(f"{name} is not finite")
    return found


def measure(case: dict[str, Any]) -> Row:
    """Build, describe, run; describe and run at other sizes."""
    row = Row(case["class"], modality(case["inputs"]), half(case["folder"]))
    try:
        model = build(case)
        spec = dummyio.describe(model)
        row.ineffective = dict(spec.proof.ineffective)
        made = spec.generate("pt")
        with torch.no_grad():
            model(**made)
        row.runs = True
        found = differences(case["inputs"], made)
        row.full, row.reason = not found, "; ".join(found)
        if row.full:
            sizes = {name: size for name, dim in spec.dims.items() if (size := other_size(dim)) is not None}
            with torch.no_grad():
                model(**spec.generate("pt", **sizes))
            row.dynamic = spec.shapes() != spec.shapes(spec.sizes(**sizes))
            row.reason = "" if row.dynamic else "no size can change"
    except Exception as error:  # noqa: BLE001 - any exception of a model is a result
        text = f"{type(error).__name__}: {error}".splitlines()[0]
        row.reason = f"{'at other sizes: ' if row.full else ''}{text[:140]}"
    return row


def by_modality(rows: list[Row]) -> list[str]:
    """Return the shares by modality."""
    return table(rows, "data", lambda row: row.modality)


def by_half(rows: list[Row]) -> list[str]:
    """Return the shares of the two halves."""
    return table(rows, "half, by a hash of the folder's name", lambda row: row.half)


def by_effect(rows: list[Row]) -> list[str]:
    """Return the inputs without an effect, the reason, and the classes, as a table."""
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in rows:
        for name, reason in row.ineffective.items():
            found[name, reason].append(row.name)
    lines = ["| input | why | classes |", "|---|---|---|"]
    for (name, reason), names in sorted(found.items(), key=lambda item: (-len(item[1]), item[0])):
        more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
        lines.append(f"| {name} | {reason} | {', '.join(sorted(names)[:MOST_NAMED])}{more} |")
    return lines


def write(rows: list[Row]) -> None:
    """Put the tables between the marks of the page."""
    measured = [
        f"{len(rows)} classes of Transformers {transformers.__version__}, PyTorch {torch.__version__.partition('+')[0]}:",
        "",
        *by_modality(rows),
        "",
        "The same in two halves, split by a hash of the model folder's name:",
        "",
        *by_half(rows),
        "",
        "Those that do not reach `dynamic`:",
        "",
        *failures(rows),
        "",
        f"Inputs without an effect, in {sum(bool(row.ineffective) for row in rows)} of these classes:",
        "",
        *by_effect(rows),
    ]
    write_between(PAGE, "\n".join(measured))


def main() -> int:
    """Measure all cases, or the selected ones."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="folders of Transformers' models, by comma")
    parser.add_argument("--half", choices=("first", "second"), help="only the folders of one half")
    parser.add_argument("--halves", action="store_true", help="the shares of each half too")
    parser.add_argument("--show", action="store_true", help="a line for each class that does not reach the end")
    parser.add_argument("--write", action="store_true", help=f"put the tables into {PAGE.relative_to(ROOT)}")
    options = parser.parse_args()
    transformers.logging.set_verbosity_error()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    only = set(options.only.split(",")) if options.only else None
    with gzip.open(CASES, "rt", encoding="utf-8") as lines:
        cases = [case for case in map(json.loads, lines) if only is None or case["folder"] in only]
    cases = [case for case in cases if options.half in (None, half(case["folder"]))]
    if not cases:
        parser.error("no case is of that folder and half.")
    if options.write and (options.only or options.half):
        parser.error("--write is for all cases: leave out --only and --half.")
    rows = [measure(case) for case in cases]
    print("\n".join(by_modality(rows)))  # noqa: T201
    if options.halves:
        print("\n".join(["", *by_half(rows)]))  # noqa: T201
    if options.show:
        print("\n".join(failures(rows)))  # noqa: T201
        print(Counter(row.reason.partition(":")[0] for row in rows if not row.dynamic))  # noqa: T201
    if options.write:
        write(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
