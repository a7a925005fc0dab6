"""Cases that are measured in child processes, because models crash, hang and leak; and the rows that are kept of them.

The script that measures is its own child: with an option of its own it calls `serve`, which reads names from the standard input and
prints a row of JSON for each.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from queue import Empty, Queue
from typing import Any

Result = tuple[str, dict[str, Any] | None, str]
"""The name of a case, its row, and without one the reason: the process took too long, or ended."""


def serve(measure: Callable[[str], dict[str, Any]], seconds: float | None = None) -> None:
    """Print a row for each name on the standard input; what a library prints meanwhile is no row.

    Parameters
    ----------
    measure
        Returns the row of a case.
    seconds
        Processor time after which a `TimeoutError` is raised in `measure`, which a busy machine does not shorten.
    """

    def stop(*_: object) -> None:
        raise TimeoutError(f"took more than {seconds:g} s of a processor")

    answers, sys.stdout = sys.stdout, sys.stderr
    signal.signal(signal.SIGPROF, stop)
    for line in sys.stdin:
        signal.setitimer(signal.ITIMER_PROF, seconds or 0)
        row = measure(line.strip())
        signal.setitimer(signal.ITIMER_PROF, 0)
        print(json.dumps(row), file=answers, flush=True)


def run_in_children(
    arguments: Sequence[str], names: Sequence[str], *, workers: int = 1, portion: int = 16, seconds: float = 600
) -> Iterator[Result]:
    """Yield the results as they are finished.

    Parameters
    ----------
    arguments
        The script and its options, with that by which it calls `serve`.
    names
        The cases.
    workers
        How many processes run at the same time.
    portion
        How many cases a process measures before another takes its place.
    seconds
        How long one case may take on the clock, before its process is ended, and another goes on with the next case.
    """
    waiting = deque(names[start : start + portion] for start in range(0, len(names), portion))
    results: Queue[Result | None] = Queue()

    def work() -> None:
        while True:
            try:
                left = waiting.popleft()
            except IndexError:  # none is left
                break
            while left:
                for result in _run_child(arguments, left, seconds):
                    left = left[1:]
                    results.put(result)
        results.put(None)

    for _ in range(workers):
        threading.Thread(target=work, daemon=True).start()
    running = workers
    while running:
        result = results.get()
        if result is None:
            running -= 1
        else:
            yield result


def _run_child(arguments: Sequence[str], names: Sequence[str], seconds: float) -> Iterator[Result]:
    """Yield the results of one process; the last one may be that of the case that ended it."""
    lines: Queue[str | None] = Queue()
    with tempfile.TemporaryFile("w+") as errors:
        child = subprocess.Popen(
            [sys.executable, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True
        )
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write("\n".join(names) + "\n")
        child.stdin.close()
        reader = threading.Thread(target=_read_lines, args=(child.stdout, lines), daemon=True)
        reader.start()
        try:
            for name in names:
                try:
                    line = lines.get(timeout=seconds)
                except Empty:
                    yield name, None, f"took more than {seconds:g} s"
                    break
                if line is None:
                    code = child.wait()
                    errors.seek(0)
                    last = (errors.read().strip().splitlines() or ["no message"])[-1][:300]
                    yield name, None, f"the process ended with {code}: {last}"
                    break
                yield name, json.loads(line), ""
        finally:
            child.kill()
            child.wait()
            reader.join()


def _read_lines(stream: Any, lines: Queue[str | None]) -> None:
    with stream:
        for line in stream:
            lines.put(line)
    lines.put(None)


class KeptRows:
    """The rows of a measurement, in a file of JSON lines if one is named: a later run goes on from there.

    Parameters
    ----------
    file
        The file; None keeps nothing.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file

    def read(self) -> list[dict[str, Any]]:
        """Return the rows of earlier runs."""
        if self._file is None or not self._file.exists():
            return []
        return [json.loads(line) for line in self._file.read_text(encoding="utf-8").splitlines()]

    def add(self, row: dict[str, Any]) -> None:
        """Append a row."""
        if self._file is not None:
            with self._file.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(row) + "\n")
