"""Measure which random changes of sound graphs a validation finds.

    python tests/power/mutants.py [--graphs 60] [--each 12] [--seed 0] [--only bert] [--write]

Each mutant differs from a sound graph in one node, constant, attribute, input or output. The sound graph is the reference. A mutant that is
not found is run by ONNX's reference evaluator beside it, on the same cases: if all results are the same numbers, it is equivalent. All
others are listed.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import onnx
from onnx.reference import ReferenceEvaluator
from planted.bases import base, names
from planted.mutations import is_equal, make_mutants
from planted.registry import exported

import dummyio
from dummyio import InputSpec
from dummyio.errors import DummyioError
from dummyio.validation.comparing.cases import Cases

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "validation-mutants.md"
GRAPHS = Path(onnx.__file__).parent / "backend" / "test" / "data" / "pytorch-converted"
"""Graphs of one layer or a few, which come with ONNX."""


def list_graphs(count: int, seed: int) -> Iterator[tuple[str, onnx.ModelProto, InputSpec]]:
    """Yield names, models and inputs: exports of the planted bases first, then graphs of ONNX in a seeded order."""
    for name in names()[:count]:
        yield name, onnx.load(exported(name)), base(name).spec
    folders = sorted(folder for folder in GRAPHS.iterdir() if (folder / "model.onnx").exists())
    random.Random(seed).shuffle(folders)
    for folder in folders[: max(count - len(names()), 0)]:
        model = onnx.load(folder / "model.onnx")
        yield folder.name, model, dummyio.describe(model)


def judge(model: onnx.ModelProto, mutant: onnx.ModelProto, spec: InputSpec, folder: Path) -> str:
    """Return ``found: ...``, ``equivalent``, or ``survived: ...`` with the reason."""
    sound, changed = folder / "sound.onnx", folder / "mutant.onnx"
    onnx.save(model, sound)
    onnx.save(mutant, changed)
    try:
        report = dummyio.validate(changed, sound, spec=spec)
    except DummyioError as error:
        return f"found: {type(error).__name__}"
    if not report.ok:
        return f"found: {report.errors[0].kind if report.errors else 'nothing passed'}"
    try:
        return _compare_exactly(model, mutant, spec)
    except Exception as error:  # noqa: BLE001 - the evaluator lacks operators, and refuses some
        worst = max(
            (one.max_abs / one.bound for each in report.outcomes for one in each.comparisons if one.bound), default=0.0
        )
        return f"survived: not evaluated ({type(error).__name__}); at most {worst:.2g} of the tolerance"


def _compare_exactly(model: onnx.ModelProto, mutant: onnx.ModelProto, spec: InputSpec) -> str:
    first, second = ReferenceEvaluator(model), ReferenceEvaluator(mutant)
    inputs = {value.name for value in model.graph.input}
    cases = Cases(spec)
    for case in cases.plan():
        feeds = {path: values for path, values in cases.feeds(case).items() if path in inputs}
        try:
            wanted: Any = first.run(None, dict(feeds))
        except Exception:  # noqa: BLE001 - a size that this graph does not take
            continue
        pairs = zip(wanted, second.run(None, dict(feeds)), strict=True)
        if not all(is_equal(one, other) for one, other in pairs):
            return "survived: its results differ within the tolerance"
    return "equivalent"


def main() -> int:
    """Measure, print what was not found, and write the page where that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--graphs", type=int, default=60)
    parser.add_argument("--each", type=int, default=12, help="mutants of each graph")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="a part of the names of graphs")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(PAGE.parents[2])}")
    asked = parser.parse_args()
    rows: list[Row] = []
    with TemporaryDirectory(prefix="mutants-") as folder:
        for name, model, spec in list_graphs(asked.graphs, asked.seed):
            if asked.only in name:
                rows += (
                    Row(name, said, judge(model, mutant, spec, Path(folder)))
                    for said, mutant in make_mutants(model, asked.each, asked.seed)
                )
                print(f"{name}: {_count(row for row in rows if row.graph == name)}", flush=True)  # noqa: T201
    survivors = [row for row in rows if row.verdict.startswith("survived")]
    summary = f"{len({row.graph for row in rows})} graphs, {len(rows)} mutants: {_count(rows)}."
    print("\n".join([summary, *(f"{row.graph}: {row.said}: {row.verdict}" for row in survivors)]))  # noqa: T201
    if asked.write:
        PAGE.write_text(write_page(summary, rows, survivors), encoding="utf-8")
    return 0


class Row(NamedTuple):
    """A mutant, and what was said of it."""

    graph: str
    said: str
    verdict: str


def _count(rows: Iterable[Row]) -> str:
    counts = Counter(row.verdict.partition(":")[0] for row in rows)
    return ", ".join(f"{counts[kind]} {kind}" for kind in ("found", "equivalent", "survived"))


def write_page(summary: str, rows: Sequence[Row], survivors: Sequence[Row]) -> str:
    """Return the page: the counts, the kinds of findings, and each survivor with its reason."""
    kinds = Counter(row.verdict.partition(": ")[2] for row in rows if row.verdict.startswith("found"))
    listed = [f"| {kind} | {count} |" for kind, count in kinds.most_common()]
    left = [f"| {row.graph} | {row.said} | {row.verdict.partition(': ')[2]} |" for row in survivors]
    return "\n".join([_ABOUT, summary, "", "| first finding | mutants |", "|---|---|", *listed, "", "## Survivors", "", _SURVIVE, "",
                      "| graph | change | reason |", "|---|---|---|", *left, ""])  # fmt: skip


_ABOUT = """# Random changes of sound graphs

Each mutant is a sound ONNX graph with one change: a node left out or replaced, a constant, an attribute, an input, a branch set to zero, two
outputs swapped. `dummyio.validate` compares it with the sound graph. What it does not find is run by ONNX's reference evaluator beside the
sound graph, on the same cases: a mutant with the same numbers everywhere is equivalent. `nox -s mutants -- --write` measures again.
"""
_SURVIVE = "Their results differ by less than the tolerance, or the evaluator does not run them."


if __name__ == "__main__":
    sys.exit(main())
