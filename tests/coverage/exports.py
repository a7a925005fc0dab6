"""Measure how many real model classes export with dynamic dims and pass the validation; write ``docs/reference/exports.md``.

The cases are those of ``measure.py`` and, with ``--libraries``, those of PyTorch libraries in ``libraries``. Each is exported in up to three
ways: to ONNX, to ONNX with its past if its task generates, and to PyTorch's ``.pt2``. Each is described, exported by `dummyio.export`, and validated over the probe plan. If that fails, it is traced
once more with all dims static: a class that cannot be traced even then is at a limit of PyTorch, and does not count.

    python tests/coverage/exports.py [--only bert,llama] [--libraries timm_models,diffusers_components] [--every 4] [--ways onnx,past,pt2]
        [--workers 2] [--rows rows.jsonl] [--show] [--write]

All of them take hours: ``--rows`` stores the results, and a later run continues from there.
"""

from __future__ import annotations

import argparse
import gzip
import importlib
import json
import re
import signal
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parent / "libraries"))  # its `measure` comes after ours

import torch
import transformers
from child_runs import KeptRows, run_in_children, serve
from marks import write_between
from measure import CASES, ROOT, build
from scores import escape

import dummyio
from dummyio.errors import ExportError
from dummyio.huggingface.tasks.find_task import find_task, task_of_class
from dummyio_torch.running.random_arguments import find_random_arguments

PAGE = ROOT / "docs" / "reference" / "exports.md"
LIMIT = 600
"""Seconds for one step of one class."""
WAYS = {"onnx": "ONNX", "past": "ONNX with past", "pt2": ".pt2"}
"""How a class is exported, and what the page calls it."""


TRANSFORMERS = "Transformers"
_NO_PAST = "takes no past_key_values"


@dataclass
class Row:
    """The result of one class in one way."""

    name: str
    """The class and the way: ``BertModel onnx``."""
    state: str
    """``passed``; ``validation``, ``export``, ``describe``: the step that failed; ``trace``: not even with fixed sizes; ``absent``: the
    class has no past."""
    reason: str = ""
    notes: str = ""
    seconds: float = 0.0


class _TooLongError(Exception):
    pass


@contextmanager
def limit(seconds: int) -> Any:
    """Raise if a step takes longer."""

    def stop(*_: object) -> None:
        raise _TooLongError(f"took more than {seconds} s")

    old = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, old)


def first_line(error: BaseException) -> str:
    """Return the message of an error if it names a line of the model, else its root cause with the message."""
    if isinstance(error, ExportError) and str(error).startswith(
        ("a size becomes", "the model decides", "the trace failed")
    ):
        return str(error)
    while error.__cause__ is not None:
        error = error.__cause__
    text = re.sub(r"\x1b\[[0-9;]*m", "", str(error))
    lines = [line.strip() for line in text.splitlines() if line.strip()] or [""]
    return f"{type(error).__name__}: {lines[0][:200]}"


def list_ways(name: str) -> list[str]:
    """Return the ways in which a class can be exported: with past only if its task generates step by step."""
    task = None if "/" in name else task_of_class(name)
    return [way for way in WAYS if way != "past" or (task is not None and find_task(task).takes_past)]


def list_library(library: str) -> dict[str, Callable[[], Any]]:
    """Return ``library/model`` -> the function that builds it."""
    cases = importlib.import_module(f"cases.{library}")
    return {f"{library}/{name}": lambda name=name: cases.build(name).model for name in cases.list_names()}


def measure(name: str, make_model: Callable[[], Any], way: str) -> Row:
    """Export and validate one class in one way."""
    warnings.simplefilter("ignore")
    transformers.logging.set_verbosity_error()
    torch.set_num_threads(1)
    row, began = Row(f"{name} {way}", "describe"), time.perf_counter()
    task = f"{task_of_class(name)}-with-past" if way == "past" else None
    suffix = ".pt2" if way == "pt2" else ".onnx"
    with tempfile.TemporaryDirectory() as folder:
        try:
            with limit(LIMIT):
                model = trained(make_model())
                drawn = find_random_arguments(model, ())
                spec = dummyio.describe(model, task, **({"feed": drawn} if drawn else {}))
            row.state = "export"
            with limit(LIMIT):
                artifact = dummyio.export(model, Path(folder) / f"model{suffix}", spec=spec)
            row.notes = "; ".join(artifact.notes)
            row.state = "validation"
            with limit(LIMIT):
                report = dummyio.validate(artifact.path, model, spec=artifact.spec)
            row.state = "passed" if report.ok else "validation"
            row.reason = "; ".join(f"{found.kind} {found.where}: {found.message}" for found in report.errors)[:400]
        except (Exception, _TooLongError) as error:  # noqa: BLE001 - any exception of a model is a result
            row.reason = first_line(error)
            if row.state == "describe" and _NO_PAST in row.reason:
                row.state = "absent"
        if row.state == "export" and not traces(model, spec, Path(folder) / f"fixed{suffix}"):
            row.state = "trace"
    row.seconds = round(time.perf_counter() - began, 1)
    return row


def trained(model: Any) -> Any:
    """Give small random values to weights that a class initializes as one number, such as the zeros of a router.

    Before training all choices by them are ties, which each runtime breaks in another way.
    """
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.dim() > 1 and weight.numel() > 1 and bool((weight == weight.flatten()[0]).all()):
                weight.normal_(0, 0.1, generator=generator)
    return model


def traces(model: Any, spec: dummyio.InputSpec, path: Path) -> bool:
    """Whether the model can be traced with all dims static."""
    try:
        with limit(LIMIT):
            dummyio.export(model, path, spec=spec, static="all")
    except (Exception, _TooLongError):  # noqa: BLE001 - any exception of a trace is a result
        return False
    return True


def table(rows: list[Row]) -> list[str]:
    """Return the counts of each library and way, and each class that does not pass with its reason."""
    lines = [
        "| of | to | classes | traced with every size fixed | export and pass | share |",
        "|---|---|---|---|---|---|",
    ]
    groups: dict[tuple[str, str], Counter[str]] = {}
    rows = [row for row in rows if row.state != "absent"]
    for row in rows:
        groups.setdefault((find_library(row.name), row.name.rpartition(" ")[2]), Counter())[row.state] += 1
    for (library, way), counts in sorted(groups.items(), key=lambda group: (group[0][0] != TRANSFORMERS, *group[0])):
        total = counts.total()
        traced = total - counts["trace"] - counts["describe"]
        share = f"{counts['passed'] / traced:.1%}" if traced else "none"
        lines.append(f"| {library} | {WAYS[way]} | {total} | {traced} | {counts['passed']} | {share} |")
    lines += ["", "| class | to | stops at | reason |", "|---|---|---|---|"]
    for row in sorted(rows, key=lambda row: (row.state, row.name)):
        if row.state != "passed":
            name, _, way = row.name.rpartition(" ")
            lines.append(f"| {name} | {WAYS[way]} | {row.state} | {escape(row.reason)} |")
    return lines


def find_library(name: str) -> str:
    """Return what the page calls the library of a row."""
    return name.partition("/")[0].partition("_")[0] if "/" in name else TRANSFORMERS


def find_cases(options: Any) -> dict[str, Callable[[], Any]]:
    """Return the name of each case that is asked for -> the function that builds it."""
    if options.libraries:
        found = {}
        for library in options.libraries.split(","):
            found |= list_library(library)
        return dict(list(found.items())[:: options.every])
    with gzip.open(CASES, "rt", encoding="utf-8") as lines:
        cases = list(map(json.loads, lines))[:: options.every]
    for given, key in ((options.only, "folder"), (options.classes, "class")):
        cases = [case for case in cases if given is None or case[key] in given.split(",")]
    return {case["class"]: lambda case=case: build(case) for case in cases}


def main() -> int:
    """Measure all cases, or the selected ones."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="folders of Transformers' models, by comma")
    parser.add_argument("--libraries", help="PyTorch libraries instead, by comma: timm_models, diffusers_components")
    parser.add_argument("--classes", help="classes, by comma")
    parser.add_argument("--every", type=int, default=1, help="only every n-th case")
    parser.add_argument("--ways", default=",".join(WAYS), help="by comma; otherwise all of them")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument(
        "--rows", type=Path, help="keep the rows in this file, as JSON lines, and measure what it lacks"
    )
    parser.add_argument("--show", action="store_true", help="print the table")
    parser.add_argument("--write", action="store_true", help=f"put the table into {PAGE.relative_to(ROOT)}")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    named = find_cases(options)
    if options.serve:
        serve(lambda line: asdict(measure((name := line.strip().rpartition(" ")[0]), named[name], line.split()[-1])))
        return 0
    asked = [f"{name} {way}" for name in named for way in list_ways(name) if way in options.ways.split(",")]
    kept = KeptRows(options.rows)
    rows = [Row(**row) for row in kept.read()]
    done = {row.name for row in rows}
    left = [name for name in asked if name not in done]
    served = [__file__, "--serve", *(["--libraries", options.libraries] if options.libraries else [])]
    for name, made, problem in run_in_children(served, left, workers=options.workers, seconds=4 * LIMIT):
        row = Row(name, "export", problem) if made is None else Row(**made)
        rows.append(row)
        kept.add(asdict(row))
        print(f"{len(rows)} {row.name}: {row.state} {row.reason[:150]}", flush=True)  # noqa: T201
    if options.show:
        print("\n".join(table(rows)))  # noqa: T201
    if options.write:
        write_between(PAGE, "\n".join(table(rows)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
