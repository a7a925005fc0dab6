"""Measure whether the proof of a description refutes the mistakes that a model refuses.

    python tests/coverage/planted_mistakes.py [--each 40] [--seed 0] [--show]

Models of Transformers with their default configurations, made small, are described; one mistake of each kind is planted in each
description, if it has a place for it: a bound of ids raised, a count of placeholders off by one, another kind of dtype, two axes
swapped, an input left out. A mistake counts if the model refuses the inputs; the proof, without corrections, has to refute it too.
Models that the tests of the project describe elsewhere (``tests/data/hf_cases.jsonl.gz``) are left out.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import os
import random
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
from model_types import ATTEMPTS, Sizes, build

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
import transformers
from transformers import CONFIG_MAPPING

import dummyio
from dummyio.errors import DummyioError, SourceError
from dummyio.input_spec import InputSpec
from dummyio.sources.proof.budget import Budget
from dummyio.sources.proof.id_bounds import use_largest_ids
from dummyio.sources.proof.spec_changes import map_leaves
from dummyio.spec.tensor_spec import TensorSpec
from dummyio.spec.values import TokenIds, Uniform
from dummyio_torch.proof.model_call import find_call
from dummyio_torch.proof.prove_spec import prove_spec

CASES = Path(__file__).parents[1] / "data" / "hf_cases.jsonl.gz"
MOST_WEIGHTS = 20_000_000
Plant = Callable[[InputSpec, random.Random], InputSpec | None]


def raise_bound(spec: InputSpec, draw: random.Random) -> InputSpec | None:
    """Return the spec with ids above their table."""
    return _change(spec, draw, lambda leaf: isinstance(leaf.values, TokenIds), _raised(draw))


def _raised(draw: random.Random) -> Callable[[TensorSpec], TensorSpec]:
    more = draw.choice([1, 7, 1000])
    return lambda leaf: leaf.replace(values=msgspec.structs.replace(leaf.values, high=leaf.values.high + more))


def miscount(spec: InputSpec, draw: random.Random) -> InputSpec | None:
    """Return the spec with one placeholder less than there are features."""
    return _change(spec, draw, lambda leaf: any(run.count > 1 for run in getattr(leaf.values, "runs", ())), _shortened)


def _shortened(leaf: TensorSpec) -> TensorSpec:
    first, *rest = leaf.values.runs
    short = msgspec.structs.replace(first, count=first.count - 1)
    return leaf.replace(values=msgspec.structs.replace(leaf.values, runs=(short, *rest)))


def change_kind(spec: InputSpec, draw: random.Random) -> InputSpec | None:
    """Return the spec with real numbers for whole ones, or the other way round."""
    return _change(
        spec,
        draw,
        lambda leaf: leaf.dtype.kind in ("int", "float"),
        lambda leaf: TensorSpec(
            leaf.name, leaf.shape, "float32" if leaf.dtype.kind == "int" else "int64", Uniform(0, 2)
        ),
    )


def swap_axes(spec: InputSpec, draw: random.Random) -> InputSpec | None:
    """Return the spec with the axes of an input in the opposite order."""
    return _change(
        spec,
        draw,
        lambda leaf: leaf.rank > 1 and leaf.shape != leaf.shape[::-1],
        lambda leaf: TensorSpec(leaf.name, leaf.shape[::-1], leaf.dtype, Uniform(0, 2)),
    )


def leave_out(spec: InputSpec, draw: random.Random) -> InputSpec | None:
    """Return the spec without one input."""
    name = draw.choice(list(spec))
    rest = _without_masks(spec, name)
    return InputSpec({each: node for each, node in rest.items() if each != name}) if len(spec) > 1 else None


PLANTS: dict[str, Plant] = {
    "bound of ids raised": raise_bound,
    "count off by one": miscount,
    "kind of dtype": change_kind,
    "axes swapped": swap_axes,
    "input left out": leave_out,
}


def _change(
    spec: InputSpec, draw: random.Random, fits: Callable[[TensorSpec], bool], change: Callable[[TensorSpec], TensorSpec]
) -> InputSpec | None:
    paths = [path for path, leaf in spec.leaves if fits(leaf)]
    if not paths:
        return None
    chosen = draw.choice(paths)
    return map_leaves(_without_masks(spec, chosen), lambda path, leaf: change(leaf) if path == chosen else leaf)


def _without_masks(spec: InputSpec, changed: str) -> InputSpec:
    """Return the spec in which no input follows the one that is changed."""

    def free(_: str, leaf: TensorSpec) -> TensorSpec:
        follows = getattr(leaf.values, "mask", None) == changed
        return leaf.replace(values=msgspec.structs.replace(leaf.values, mask=None)) if follows else leaf

    return map_leaves(spec, free)


def takes(model: Any, spec: InputSpec) -> bool:
    """Whether a model takes the inputs of a spec at the sizes of its probes, the largest ids that it declares too."""
    try:
        with torch.no_grad():
            for sizes in ({}, *spec.probes()[:3]):
                model(**spec.generate("pt", **sizes))
            model(**use_largest_ids(spec).generate("pt"))
    except Exception:  # noqa: BLE001 - a model may raise anything
        return False
    return True


def refutes(model: Any, spec: InputSpec) -> bool:
    """Whether the proof refutes a spec: it raises, or corrects it."""
    try:
        proved = prove_spec(model, spec, "auto", find_call(model, spec, {}), Budget(corrections=0))
    except SourceError:
        return True
    return proved != spec


def iterate_models(seed: int) -> Iterator[tuple[str, Any]]:
    """Yield small models of types that the tests do not describe, in an order that the seed decides."""
    with gzip.open(CASES, "rt") as lines:
        known = {json.loads(line)["config"].get("model_type") for line in lines}
    names = sorted(CONFIG_MAPPING, key=lambda name: hashlib.sha256(f"{seed} {name}".encode()).hexdigest())
    for name in names:
        if name in known:
            continue
        for sizes in ATTEMPTS[:3]:
            try:
                _, model = build(CONFIG_MAPPING[name](), Sizes(*sizes))
            except Exception:  # noqa: BLE001 - a configuration that builds no model
                continue
            if sum(weight.numel() for weight in model.parameters()) < MOST_WEIGHTS:
                yield name, model
                break


def measure(each: int, seed: int, *, show: bool) -> dict[str, Counter[str]]:
    """Return kind of mistake → how many were planted, refused by the model, and missed by the proof."""
    found: dict[str, Counter[str]] = {kind: Counter() for kind in PLANTS}
    for name, model in iterate_models(seed):
        still = [kind for kind, counts in found.items() if counts["planted"] < each]
        if not still:
            break
        for kind, planted in _plant(model, still, f"{seed} {name}"):
            refused = not takes(model, planted)
            missed = refused and not refutes(model, planted)
            found[kind].update(planted=1, refused=refused, missed=missed)
            if missed and show:
                print(f"missed: {name}: {kind}: {planted}", flush=True)  # noqa: T201
    return found


def _plant(model: Any, kinds: list[str], seed: str) -> Iterator[tuple[str, InputSpec]]:
    """Yield the description of a model with a mistake of each kind for which it has a place."""
    try:
        spec = dummyio.describe(model)
    except DummyioError:
        return
    for kind in kinds if spec.proof.level == "values" else ():
        with suppress(DummyioError):  # what no spec can say
            planted = PLANTS[kind](spec, random.Random(f"{seed} {kind}"))
            if planted is not None:
                yield kind, planted


def main() -> None:
    """Measure, and print a row for each kind of mistake."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--each", type=int, default=40, help="mistakes of each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--show", action="store_true", help="show the mistakes that the proof misses")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    transformers.logging.set_verbosity_error()
    torch.set_num_threads(1)
    for kind, counts in measure(options.each, options.seed, show=options.show).items():
        print(f"{kind:20} {counts['planted']:4} planted {counts['refused']:4} refused {counts['missed']:4} missed")  # noqa: T201


if __name__ == "__main__":
    main()
