"""Measure how many models of libraries beside Transformers run on their described inputs; write ``docs/reference/libraries.md``.

    python tests/coverage/libraries/measure.py [--only timm,torchvision] [--models a,b] [--results FILE] [--kept] [--show] [--check] [--write]

- runs: the model accepts the inputs that `describe` gives of it
- full: and every tensor that it takes is there, of its kind and rank
- dynamic: and it runs with another size of each dim alone, and with the first sizes of the probe plan
- named: the axes have the names of the field

Models have random weights. Each library is a module of ``cases``: `TITLE`, `PACKAGES`, `list_names()`, `build(name)`. Models run in child processes of
limited memory; with ``--results`` a measurement that was interrupted goes on, and with ``--kept`` the page gets what it has measured so far. With ``--check`` a model that does not run at all sizes, or has an
axis with another name, is a failure.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import resource
import sys
import warnings
from collections import Counter
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from child_runs import KeptRows, run_in_children, serve
from page import write_absence, write_section
from score import Score, measure

SECONDS = 120
"""The longest that one model may take of a processor."""
WALL = 1200
"""The longest that it may take in all, for what does not end by itself."""
MEMORY = 6 << 30
"""The most that a process may allocate, in bytes."""
LIBRARIES = (
    "timm_models",
    "torchvision_models",
    "torchaudio_models",
    "diffusers_components",
    "diffusers_configurations",
    "geometric_models",
    "sentence_models",
    "peft_models",
    "keras_applications",
    "keras_hub_backbones",
    "flax_examples",
    "newer_transformers",
)


def load_library(name: str) -> ModuleType:
    """Return the module of a library's cases."""
    found = name if name in LIBRARIES else next((each for each in LIBRARIES if each.startswith(f"{name}_")), name)
    return importlib.import_module(f"cases.{found}")


def work(library: str, seconds: int) -> None:
    """Measure the models on the standard input, and print a row for each."""
    warnings.simplefilter("ignore")
    cases = load_library(library)

    def measure_model(name: str) -> dict[str, Any]:
        limit_memory()
        return measure(cases.TITLE, name, lambda: cases.build(name), seconds)

    serve(
        measure_model if getattr(cases, "THREADS", False) else lambda name: run_forked(measure_model, cases.TITLE, name)
    )


def run_forked(measure_model: Callable[[str], dict[str, Any]], title: str, name: str) -> dict[str, Any]:
    """Return the row of a model that was measured in a copy of this process, so that no memory is left from the one before it.

    Frameworks that start threads when they are imported cannot be copied; their cases set `THREADS`.
    """
    receiver, sender = os.pipe()
    child = os.fork()
    if not child:
        with os.fdopen(sender, "w", encoding="utf-8") as stream:
            json.dump(measure_model(name), stream)
        os._exit(0)
    os.close(sender)
    with os.fdopen(receiver, encoding="utf-8") as stream:
        text = stream.read()
    _, status = os.waitpid(child, 0)
    problem = f"the process ended with {os.waitstatus_to_exitcode(status)}"
    return json.loads(text) if text else vars(Score(title, name, reason=problem))


def limit_memory() -> None:
    """Let larger allocations fail, with one thread for the frameworks that count."""
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))


def run(library: str, cases: ModuleType, names: list[str], kept: KeptRows, seconds: int) -> list[Score]:
    """Return the scores of models, in their order."""
    known = {row["name"]: row for row in kept.read() if row["library"] == cases.TITLE}
    left = [name for name in names if name not in known]
    portion = getattr(cases, "PORTION", 16)
    command = [__file__, "--work", library, "--seconds", str(seconds)]
    for name, row, problem in run_in_children(command, left, portion=portion, seconds=WALL):
        known[name] = row or vars(Score(cases.TITLE, name, reason=problem))
        kept.add(known[name])
    return [Score(**known[name]) for name in names]


def split_kept(names: list[str], known: set[str]) -> tuple[list[str], str]:
    """Return the models that are measured, and a sentence on those that are not."""
    left = [name for name in names if name not in known]
    if len(left) == len(names):
        raise ValueError("--kept: the file of --results has no model of this library.")
    sentence = f"Not measured in this run, {len(left)} of {len(names)}: {', '.join(left)}." if left else ""
    return [name for name in names if name in known], sentence


def summarize(rows: list[Score]) -> str:
    """Return the counts as a line."""
    counts = ", ".join(
        f"{each} {sum(getattr(row, each) for row in rows)}" for each in ("runs", "full", "dynamic", "named")
    )
    peak = max(row.mib_describe for row in rows)
    return f"{rows[0].library}: {len(rows)} models: {counts}; describe took at most {peak} MiB"


def show(row: Score) -> str:
    """Return what is to be said of a model that is not all right."""
    names = f" | names: {'; '.join(row.misnamed[:3])}" if row.misnamed else ""
    return f"  {row.name}: {row.reason or 'dynamic'}{names}"


def main() -> int:
    """Measure all libraries, or the selected ones."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="libraries, by comma")
    parser.add_argument("--models", help="models of one library, by comma")
    parser.add_argument("--seconds", type=int, default=SECONDS, help="the most that a model may take of a processor")
    parser.add_argument("--results", type=Path, help="a file of results, which are not measured again")
    parser.add_argument("--kept", action="store_true", help="measure nothing: take the models that --results has")
    parser.add_argument("--show", action="store_true", help="a line for each model that is not all right")
    parser.add_argument("--check", action="store_true", help="fail if a model is not all right")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/reference/libraries.md")
    parser.add_argument("--work", metavar="LIBRARY", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work(options.work, options.seconds)
        return 0
    if options.models and options.write:
        parser.error("--write is for all models of a library: leave out --models.")
    libraries = options.only.split(",") if options.only else LIBRARIES
    all_right = [measure_library(library, options) for library in libraries]
    return 0 if all(all_right) or not options.check else 1


def measure_library(library: str, options: Any) -> bool:
    """Measure one library, and print or write what came out; return whether all of its models are all right."""
    try:
        cases = load_library(library)
    except ImportError as error:
        reason = f"{type(error).__name__}: {error}"
        print(f"{library}: not measured here: {reason}")  # noqa: T201
        if options.write:
            write_absence(library, reason)
        return False
    names, note = options.models.split(",") if options.models else cases.list_names(), getattr(cases, "NOTE", "")
    if options.kept:
        known = {row["name"] for row in KeptRows(options.results).read() if row["library"] == cases.TITLE}
        names, left = split_kept(names, known)
        note = f"{note} {left}".strip()
    rows = run(library, cases, names, KeptRows(options.results), options.seconds)
    print(summarize(rows))  # noqa: T201
    if options.show:
        print("\n".join(show(row) for row in rows if not (row.dynamic and row.named)))  # noqa: T201
        print(Counter(row.reason.partition(":")[0] for row in rows if not row.dynamic))  # noqa: T201
    if options.write:
        versions = ", ".join(f"{package} {version(package).partition('+')[0]}" for package in cases.PACKAGES)
        write_section(cases.TITLE, versions, note, rows)
    return all(row.dynamic and row.named for row in rows)


if __name__ == "__main__":
    sys.exit(main())
