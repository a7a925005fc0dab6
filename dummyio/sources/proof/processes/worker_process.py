"""A process in which a runtime opens and runs a file: a crash, or memory and time that the file takes, end that process alone.

One process of each kind stays ready, since it takes longer to start than a small file to run. It ends with this process.
"""

import atexit
import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dummyio.errors import RunError
from dummyio.sources.proof.subject import Run
from dummyio.typing import Array

_IDLE: dict[Path, "WorkerProcess"] = {}
"""Script → a process that has no work."""
_LOCK = threading.Lock()


class WorkerProcess:
    """A process that runs `dummyio.sources.proof.processes.serve_runs.serve_runs`.

    Parameters
    ----------
    script
        The module of a backend that calls it.
    """

    def __init__(self, script: Path) -> None:
        self.script, self.owner = script, os.getpid()
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        command = [sys.executable, "-P", str(script)]  # -P: modules next to the script are not its imports
        self._process = subprocess.Popen(  # noqa: S603 - a module of a backend
            command,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # an interrupt is for this process, which then ends the other one
        )

    def open(self, settings: Mapping[str, Any], data: bytes, *, memory: int, seconds: float) -> Run:
        """Open a file.

        Parameters
        ----------
        settings
            What the worker's function needs; its path, among others.
        data
            The file, if it is in memory.
        memory
            The bytes that opening and running may take.
        seconds
            The longest time until the answer.
        """
        return self._ask({"open": dict(settings), "memory": memory, "bytes": len(data)}, data, seconds)

    def run(self, feeds: Mapping[str, Array], seconds: float, *, digest: bool = False) -> Run:
        """Run the open file on arrays of NumPy's own dtypes, or of texts; with a digest of the results if it is asked for."""
        heads: list[dict[str, Any]] = []
        parts: list[bytes] = []
        for name, values in feeds.items():
            head: dict[str, Any] = {"name": name, "shape": list(values.shape)}
            if values.dtype.kind in "OUST":
                heads.append({**head, "texts": [str(text) for text in values.ravel()]})
                continue
            parts.append(values.tobytes())
            heads.append({**head, "dtype": values.dtype.str, "bytes": len(parts[-1])})
        return self._ask({"feeds": heads, "digest": digest}, b"".join(parts), seconds)

    def _ask(self, request: Mapping[str, Any], data: bytes, seconds: float) -> Run:
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        timer = threading.Timer(seconds, process.kill)
        timer.start()
        try:
            process.stdin.write(json.dumps(request).encode() + b"\n" + data)
            process.stdin.flush()
            line = process.stdout.readline()
        except BrokenPipeError:
            line = b""
        except BaseException:  # an answer that is left in the pipe would be that of the next request
            self.close()
            raise
        finally:
            is_late = not timer.is_alive()
            timer.cancel()
        if not line:
            self.close()
            ended = (
                f"did not end within {seconds:g} seconds"
                if is_late
                else f"ended the process (code {process.returncode})"
            )
            return Run("unknown", RunError(f"the runtime {ended}"))
        answer = json.loads(line)
        error = RunError(answer["error"]) if "error" in answer else None
        return Run(answer["ending"], error, bytes.fromhex(answer["digest"]) if "digest" in answer else None)

    @property
    def is_alive(self) -> bool:
        """Whether the process takes requests."""
        return self._process.poll() is None

    def close(self) -> None:
        """End the process."""
        if self.owner == os.getpid():  # not in a copy of the process that started it
            self._process.kill()
            self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()


def take_worker(script: Path) -> WorkerProcess:
    """Return a process of a script, which is ready or is started."""
    with _LOCK:
        found = _IDLE.pop(script, None)
    if found is not None and found.owner == os.getpid() and found.is_alive:
        return found
    if found is not None:
        found.close()
    return WorkerProcess(script)


def give_worker(worker: WorkerProcess) -> None:
    """Keep a process for the next file, or end it if there is one already."""
    with _LOCK:
        other = _IDLE.setdefault(worker.script, worker) if worker.is_alive else None
    if other is not worker:
        worker.close()


@atexit.register
def _end_workers() -> None:
    with _LOCK:
        idle = list(_IDLE.values())
        _IDLE.clear()
    for worker in idle:
        worker.close()
