"""``python -m benchmarks``: run the topics, print a table for each.

Every part of a topic runs in a process of its own, so that no framework's threads and memory disturb another's numbers.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.options import Options
from benchmarks.processes import environment, output
from benchmarks.table import Row, as_data, as_markdown, as_text

TOPICS = {
    "fill": "Filling memory that is there already; the ratio is one of speeds",
    "generate": "Making large tensors, memory included; the ratio is one of speeds",
    "memory": "Peak memory while a large tensor is made; the ratio is one of bytes",
    "startup": "Whole processes; times more seconds than the other, or times faster where Optimum is the other",
    "small": "Small inputs; the ratio is one of seconds, so small is good",
    "describe": "Hugging Face's models; the ratio is one of seconds, so small is good",
    "scaling": "How cost grows; the ratio is one of seconds, so small is good",
}
MODULES = {"np": "numpy", "pt": "torch", "tf": "tensorflow", "jax": "jax"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked for; the exit code is 0 whether targets are met or not, as a busy machine misses them."""
    asked = _parser().parse_args(arguments)
    options = Options(quick=asked.quick, optimum=asked.optimum_python)
    if asked.part:
        topic, part = asked.part.split(":")
        print(json.dumps([as_data(row) for row in import_module(f"benchmarks.{topic}").PARTS[part](options)]))
        return 0
    if options.quick:
        print("A quick run shows that all of it works; its numbers mean nothing.\n")
    show = as_markdown if asked.markdown else as_text
    about = _about(options)
    print("\n".join(f"{key}: {value}" for key, value in about.items()) if not asked.markdown else _line(about))
    found: list[Row] = []
    for topic in asked.topics or TOPICS:
        parts = [part for part in import_module(f"benchmarks.{topic}").PARTS if part in (asked.frameworks or [part])]
        rows = [row for part in parts for row in _run(topic, part, options)]
        if rows:
            title = f"{'### ' if asked.markdown else ''}{topic.capitalize()}"
            print(f"\n{title}\n\n{TOPICS[topic]}.\n\n{show(rows)}", flush=True)
        found += rows
    if asked.json:
        data = {"about": about, "rows": [as_data(row) for row in found]}
        Path(asked.json).write_text(json.dumps(data, indent=2) + "\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "topics", nargs="*", metavar="TOPIC", help=f"what to measure, all where not given: {', '.join(TOPICS)}"
    )
    parser.add_argument("--frameworks", nargs="+", choices=[*MODULES, "optimum"], help="measure against these only")
    parser.add_argument("--optimum-python", metavar="PATH", help="the interpreter of an environment that has Optimum")
    parser.add_argument(
        "--quick", action="store_true", help="small sizes and few turns: whether it runs, not what it costs"
    )
    parser.add_argument("--json", metavar="FILE", help="write the rows to this file too")
    parser.add_argument("--markdown", action="store_true", help="print tables for a page")
    parser.add_argument("--part", help=argparse.SUPPRESS)
    return parser


def _run(topic: str, part: str, options: Options) -> list[Row]:
    """Run one part in a fresh process; a single row with the reason where it cannot run."""
    reason = _missing(part, options)
    if reason is None:
        asked = ["--quick"] * options.quick + (["--optimum-python", options.optimum] if options.optimum else [])
        command = [sys.executable, "-m", "benchmarks", "--part", f"{topic}:{part}", *asked]
        done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return [_row(row) for row in json.loads(done.stdout.splitlines()[-1])]
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
    return [Row(topic=topic, what=f"{topic}, all rows", peer=part, skipped=reason)]


def _row(data: Mapping[str, Any]) -> Row:
    return Row(**{key: value for key, value in data.items() if key != "met"})


def _missing(part: str, options: Options) -> str | None:
    if part == "optimum":
        return None if options.optimum else "give its interpreter with --optimum-python"
    return None if find_spec(MODULES[part]) else f"{MODULES[part]} is not installed"


def _about(options: Options) -> dict[str, str]:
    """Return what a reader needs to judge the numbers."""
    about = {
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors",
        "load": ", ".join(f"{load:.1f}" for load in os.getloadavg()) if hasattr(os, "getloadavg") else "unknown",
        "turns": str(options.turns),
    }
    for name in ("dummyio", *MODULES.values()):
        try:
            about[name] = version(name)
        except PackageNotFoundError:
            continue
    if options.optimum:
        code = "from importlib.metadata import version as v; print(*(v(n) for n in ('optimum', 'transformers', 'torch', 'numpy')))"
        try:
            own = output([options.optimum, "-c", code]).split()
            about["optimum"] = "{} with transformers {}, torch {}, numpy {}".format(*own)
        except (OSError, IndexError) as error:
            about["optimum"] = f"not there: {error}"
    return about


def _line(about: Mapping[str, str]) -> str:
    return ", ".join(f"{key} {value}" for key, value in about.items()) + "."


if __name__ == "__main__":
    sys.exit(main())
