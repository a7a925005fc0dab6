"""Measure descriptions of the operator models that the onnx package ships; write ``docs/reference/files.md``.

Each model of one operator is described without a run, run on its default sample, run on every case of the probe plan, and validated against
itself. A model that ONNX Runtime does not open, or refuses with the values that come with it, does not count.

    python tests/coverage/onnx_operators.py [--only Reshape,Slice] [--every 4] [--show] [--write]
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parent))

import onnx
import onnxruntime as ort
from marks import write_between
from onnx.backend.test.case.node import collect_testcases
from scores import escape

import dummyio
from dummyio.errors import DummyioError

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "files.md"
STEPS = ("described", "default sample", "every case", "against itself")


def measure(model: onnx.ModelProto) -> tuple[int, str]:
    """Return how many steps a model takes, and what the next one said."""
    done = 0
    try:
        spec = dummyio.describe(model, prove="off")
        done = 1
        dummyio.open_runner(model, spec)(spec.feeds())
        done = 2
        report = dummyio.validate(model, reference=model, spec=spec)
    except DummyioError as error:
        return done, str(error)
    skipped = [outcome.case.name for outcome in report.outcomes if outcome.status == "skipped"]
    if skipped:
        return done, f"the model refuses the cases {', '.join(skipped)}"
    return (4, "") if report.ok else (3, "; ".join(found.message for found in report.errors))


def opens(case: Any) -> bool:
    """Whether ONNX Runtime opens a model and runs it on the values that come with it."""
    options = ort.SessionOptions()
    options.log_severity_level = 4
    try:
        session = ort.InferenceSession(case.model.SerializeToString(), options)
        for given, _ in case.data_sets or ():
            session.run(None, {value.name: each for value, each in zip(case.model.graph.input, given, strict=False)})
    except Exception:  # noqa: BLE001 - each status of ONNX Runtime has an exception of its own
        return False
    return True


def write_table(counts: Counter[int], wrong: list[tuple[str, int, str]]) -> str:
    """Return the counts of the steps, and each model that stops before the last."""
    total = counts.total()
    lines = [
        f"{total} models; onnx {version('onnx')}, onnxruntime {version('onnxruntime')}:",
        "",
        "| step | models | share |",
        "|---|---:|---:|",
    ]
    for number, step in enumerate(STEPS, 1):
        passed = sum(count for done, count in counts.items() if done >= number)
        lines.append(f"| {step} | {passed} | {passed / total:.1%} |")
    lines += ["", "| model | stops at | reason |", "|---|---|---|"]
    lines += [f"| {name} | {STEPS[done]} | {escape(reason[:250])} |" for name, done, reason in wrong]
    return "\n".join(lines)


def main() -> int:
    """Measure all models, or the selected ones."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="operators, by comma")
    parser.add_argument("--every", type=int, default=1, help="only every n-th model")
    parser.add_argument("--show", action="store_true", help="print the table")
    parser.add_argument("--write", action="store_true", help=f"put the table into {PAGE.name}")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    ort.set_default_logger_severity(4)
    wanted = set(options.only.split(",")) if options.only else None
    counts: Counter[int] = Counter()
    wrong = []
    for case in [each for each in collect_testcases(None) if each.model.graph.input][:: options.every]:
        if (wanted is None or wanted & {node.op_type for node in case.model.graph.node}) and opens(case):
            done, reason = measure(case.model)
            counts[done] += 1
            if done < len(STEPS):
                wrong.append((case.name.removeprefix("test_"), done, reason))
    text = write_table(counts, wrong)
    if options.show:
        print(text)  # noqa: T201
    if options.write:
        write_between(PAGE, text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
