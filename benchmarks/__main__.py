"""``python -m benchmarks``: runs the topics and prints a table for each.

Each part of a topic runs in its own process, so that the threads and memory of one framework do not disturb another's numbers.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from benchmarks.options import Options
from benchmarks.processes import make_environment, run_command
from benchmarks.table import Row, format_markdown, format_text, to_data

TOPICS = {
    "fill": "Filling memory that is already allocated; the ratio compares speeds",
    "generate": "Making large tensors, allocation included; the ratio compares speeds",
    "memory": "Peak memory while a large tensor is made; the ratio compares bytes",
    "startup": "Whole processes; the ratio compares seconds, and speeds in the rows against Optimum",
    "small": "Small inputs; the ratio compares seconds, so small is good",
    "describe": "Hugging Face models; the ratio compares seconds, so small is good",
    "proof": "Descriptions that are run; the ratio compares seconds, so small is good",
    "exports": "Whole exports with their validation; the ratio compares seconds, so small is good",
    "routes": "Whole exports from TensorFlow and JAX; the ratio compares seconds, so small is good",
    "onnx_models": "Steps of generation in ONNX Runtime; the ratio compares seconds, so small is good",
    "scaling": "Growth of cost; the ratio compares seconds, so small is good",
}
MODULES = {"np": "numpy", "pt": "torch", "tf": "tensorflow", "jax": "jax", "ort": "onnxruntime"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the requested topics. The exit code is 0 even if a target is missed, because a busy machine misses some."""
    asked = _build_parser().parse_args(arguments)
    options = Options(quick=asked.quick, optimum=asked.optimum_python)
    if asked.part:
        topic, part = asked.part.split(":")
        print(json.dumps([to_data(row) for row in import_module(f"benchmarks.{topic}").PARTS[part](options)]))
        return 0
    if options.quick:
        print("A quick run only shows that everything works; its numbers mean nothing.\n")
    show = format_markdown if asked.markdown else format_text
    about = _describe_machine(options)
    if asked.markdown:
        print(", ".join(f"{key} {value}" for key, value in about.items()) + ".")
    else:
        print("\n".join(f"{key}: {value}" for key, value in about.items()))
    found: list[Row] = []
    for topic in asked.topics or TOPICS:
        parts = [part for part in import_module(f"benchmarks.{topic}").PARTS if part in (asked.frameworks or [part])]
        rows = [row for part in parts for row in _run_part(topic, part, options)]
        if rows:
            title = f"{'### ' if asked.markdown else ''}{topic.capitalize()}"
            print(f"\n{title}\n\n{TOPICS[topic]}.\n\n{show(rows)}", flush=True)
        found += rows
    if asked.json:
        data = {"about": about, "rows": [to_data(row) for row in found]}
        Path(asked.json).write_text(json.dumps(data, indent=2) + "\n")
    return 0


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "topics", nargs="*", metavar="TOPIC", help=f"topics to measure, by default all: {', '.join(TOPICS)}"
    )
    parser.add_argument("--frameworks", nargs="+", choices=[*MODULES, "optimum"], help="compare with these only")
    parser.add_argument(
        "--optimum-python", metavar="PATH", help="the Python interpreter of an environment with Optimum"
    )
    parser.add_argument(
        "--quick", action="store_true", help="small sizes and few turns: tests that it runs; the numbers mean nothing"
    )
    parser.add_argument("--json", metavar="FILE", help="also write the rows to this file")
    parser.add_argument("--markdown", action="store_true", help="print Markdown tables")
    parser.add_argument("--part", help=argparse.SUPPRESS)
    return parser


def _run_part(topic: str, part: str, options: Options) -> list[Row]:
    """Run one part in a new process; return a single row with the reason if it cannot run."""
    reason = _find_missing(part, options)
    if reason is None:
        asked = ["--quick"] * options.quick + (["--optimum-python", options.optimum] if options.optimum else [])
        command = [sys.executable, "-m", "benchmarks", "--part", f"{topic}:{part}", *asked]
        done = subprocess.run(command, env=make_environment(), capture_output=True, text=True, check=False)
        if done.returncode == 0:
            rows = json.loads(done.stdout.splitlines()[-1])
            return [Row(**{key: value for key, value in row.items() if key != "met"}) for row in rows]
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
    return [Row(topic=topic, what=f"{topic}, all rows", peer=part, skipped=reason)]


def _find_missing(part: str, options: Options) -> str | None:
    if part == "optimum":
        return None if options.optimum else "its interpreter is not given: --optimum-python PATH"
    return None if find_spec(MODULES[part]) else f"{MODULES[part]} is not installed"


def _describe_machine(options: Options) -> dict[str, str]:
    """Return the facts that a reader needs to judge the numbers: machine, load, versions."""
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
            own = run_command([options.optimum, "-c", code]).split()
            about["optimum"] = "{} with transformers {}, torch {}, numpy {}".format(*own)
        except (OSError, IndexError) as error:
            about["optimum"] = f"cannot be run: {error}"
    return about


if __name__ == "__main__":
    sys.exit(main())
