"""Whole processes: their duration, their peak memory and their output."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import Any

from benchmarks.timing import Subject

PEAK = "next(int(line.split()[1]) * 1024 for line in open('/proc/self/status') if line.startswith('VmHWM'))"
"""A Python expression for the peak memory of a process, without the parent's share that ``ru_maxrss`` includes."""


def make_environment() -> dict[str, str]:
    """Return the environment variables of this process, with bytecode caches on, and downloads and log messages off."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error", "TF_CPP_MIN_LOG_LEVEL": "3"}


def make_process_subject(*arguments: str, python: str = sys.executable) -> Subject:
    """Return a subject that runs a Python process from start to end."""

    def run(times: int) -> float:
        start = time.perf_counter()
        for _ in range(times):
            run_command([python, *arguments])
        return (time.perf_counter() - start) / times

    return run


def run_command(command: Sequence[str]) -> str:
    """Run a command and return its output; raise `OSError` with its last line of errors if it fails."""
    done = subprocess.run(command, env=make_environment(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError((done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1])
    return done.stdout


def run_code(code: str, *arguments: str, python: str = sys.executable) -> Any:
    """Run Python code in a new process and return the JSON value in its last line of output."""
    return json.loads(run_command([python, "-c", code, *arguments]).splitlines()[-1])


class Worker:
    """A Python process that measures its own work: it reads ``name times`` from a pipe and writes seconds."""

    def __init__(self, python: str, script: str, *arguments: str) -> None:
        """Start the process; raise `OSError` if it fails to start."""
        self._errors = tempfile.TemporaryFile(mode="w+")  # noqa: SIM115 - closed with the worker
        self._process = subprocess.Popen(
            [python, script, *arguments],
            env=make_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            bufsize=1,
        )
        self.hello = self._read_line()

    def _read_line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._errors.seek(0)
            raise OSError((self._errors.read().strip().splitlines() or ["the worker ended"])[-1])
        return line.strip()

    def make_subject(self, name: str) -> Subject:
        """Return the worker's subject of this name."""

        def run(times: int) -> float:
            assert self._process.stdin is not None
            self._process.stdin.write(f"{name} {times}\n")
            return float(self._read_line())

        return run

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()
        self._errors.close()
