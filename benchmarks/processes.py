"""Whole processes: how long they take, how much memory they touch, and what they print."""

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
"""An expression for the peak of a process's own memory; the parent's share in ``ru_maxrss`` is not in it."""


def environment() -> dict[str, str]:
    """Return this process's environment, with bytecode kept as usual, and without downloads and chatter."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error", "TF_CPP_MIN_LOG_LEVEL": "3"}


def process(*arguments: str, python: str = sys.executable) -> Subject:
    """Return a subject that runs an interpreter from its start to its end."""

    def run(times: int) -> float:
        start = time.perf_counter()
        for _ in range(times):
            output([python, *arguments])
        return (time.perf_counter() - start) / times

    return run


def output(command: Sequence[str]) -> str:
    """Run a command and return what it prints; raise `OSError` with its last line of errors where it fails."""
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError((done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1])
    return done.stdout


def value(code: str, *arguments: str, python: str = sys.executable) -> Any:
    """Run Python code and return the JSON value in the last line that it prints."""
    return json.loads(output([python, "-c", code, *arguments]).splitlines()[-1])


class Worker:
    """An interpreter that times inside itself, asked over a pipe: ``name times`` in, seconds out."""

    def __init__(self, python: str, script: str, *arguments: str) -> None:
        """Start it; raise `OSError` where it does not come up."""
        self._errors = tempfile.TemporaryFile(mode="w+")  # noqa: SIM115 - closed with the worker
        self._process = subprocess.Popen(
            [python, script, *arguments],
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            bufsize=1,
        )
        self.hello = self._answer()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._errors.seek(0)
            raise OSError((self._errors.read().strip().splitlines() or ["the worker ended"])[-1])
        return line.strip()

    def subject(self, name: str) -> Subject:
        """Return the subject of that name inside the worker."""

        def run(times: int) -> float:
            assert self._process.stdin is not None
            self._process.stdin.write(f"{name} {times}\n")
            return float(self._answer())

        return run

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()
        self._errors.close()
