"""The loop of a worker process that opens a file in a runtime and runs it: what `dummyio.sources.proof.processes.worker_process` talks to.

A request is a line of JSON and the bytes that it counts, an answer is a line of JSON. A worker imports NumPy and its runtime only.
"""

import json
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, BinaryIO

import numpy as np

from dummyio.errors import format_error_line
from dummyio.sources.proof.result_digest import digest_results

OpenFile = Callable[[dict[str, Any], bytes], Callable[[Mapping[str, Any]], object]]
"""From the settings of a request and the bytes of a file, if it is in memory, to a function of named arrays."""
_OUT_OF_MEMORY = ("bad_alloc", "allocate memory", "Failed to allocate", "out of memory")


def serve_runs(open_file: OpenFile) -> None:
    """Answer requests until the input ends: ``open``, then any number of runs."""
    source, target = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr  # what a runtime prints is not an answer
    run: Callable[[Mapping[str, Any]], object] | None = None
    for line in source:
        request: dict[str, Any] = json.loads(line)
        answer: dict[str, str] = {"ending": "took"}
        try:
            if "open" in request:
                run = None  # the memory of the file before
                _limit_memory(int(request["memory"]))
                run = open_file(request["open"], source.read(int(request["bytes"])))
            else:
                feeds = {each["name"]: read_array(each, source) for each in request["feeds"]}
                assert run is not None, "no file is open"
                results = run(feeds)
                if request["digest"]:
                    answer["digest"] = digest_results(results).hex()
        except MemoryError as error:
            answer = {"ending": "unknown", "error": f"{error}"}
        except Exception as error:  # noqa: BLE001 - a runtime may raise anything
            text = format_error_line(error, 4000)
            ending = "unknown" if any(words in text for words in _OUT_OF_MEMORY) else "refused"
            answer = {"ending": ending, "error": text}
        target.write(json.dumps(answer).encode() + b"\n")
        target.flush()


def read_array(head: Mapping[str, Any], source: BinaryIO) -> Any:
    """Return the array that a request describes; texts stand in the request itself."""
    if "texts" in head:
        return np.array(head["texts"], object).reshape(head["shape"])
    data = bytearray(source.read(int(head["bytes"])))
    return np.frombuffer(data, head["dtype"]).reshape(head["shape"])


def _limit_memory(most: int) -> None:
    """Let the process have this many bytes more than it has, where the system can limit it."""
    with suppress(ImportError, OSError, ValueError):
        import resource  # noqa: PLC0415 - not on every system

        with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123 - pathlib would be one more import
            pages = int(file.read().split()[0])
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + most, hard))
