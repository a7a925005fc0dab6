"""A file as a proof runs it: in a process of its own, if it is small enough."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from dummyio.errors import DummyioError, MemoryBudgetError, format_error_line
from dummyio.input_spec import InputSpec
from dummyio.materialize.memory_budget import format_bytes
from dummyio.sources.proof.budget import Budget
from dummyio.sources.proof.processes.worker_process import WorkerProcess, give_worker, take_worker
from dummyio.sources.proof.subject import Level, Run
from dummyio.typing import Array

MAX_SMALL_FILE = 32 << 20
"""The bytes of a file that ``prove="auto"`` opens."""
_FEEDABLE = ("b", "i", "u", "f", "O", "U", "T")
"""The kinds of arrays that a process is given; others are types that NumPy does not have itself."""


class FileRuns:
    """A file that a runtime opens and runs.

    Parameters
    ----------
    label
        The file, for messages.
    script
        The module that runs it.
    settings
        What that module needs.
    nbytes
        The bytes of the file, and of those that it names.
    versions
        Package → version of the runtime.
    """

    levels: tuple[Level, ...] = ("values",)
    runs = 8
    guessed: Collection[str] = ()
    unseen: tuple[str, ...] = ()
    versions: Mapping[str, str]

    def __init__(
        self, label: str, script: Path, settings: Mapping[str, Any], nbytes: int, versions: Mapping[str, str]
    ) -> None:
        self.label, self.versions = label, versions
        self._script, self._settings, self._nbytes = script, settings, nbytes
        self._budget = Budget()
        self._worker: WorkerProcess | None = None

    def find_obstacle(self, level: Level, *, asked: bool) -> str | None:
        """Return why the file cannot be run; see `dummyio.sources.proof.subject.Subject`."""
        if level == "shapes":
            return "its runtime has no evaluation of shapes alone"
        most = self._budget.weights if asked else MAX_SMALL_FILE
        if self._nbytes > most:
            return f"it has {format_bytes(self._nbytes)}, and the limit is {format_bytes(most)}"
        opened = self._open()
        return (
            None
            if opened.ending == "took"
            else f"it does not open ({format_error_line(opened.error or RuntimeError())})"
        )

    def run(
        self, spec: InputSpec, sizes: Mapping[str, int], level: Level, feeds: dict[str, Array] | None = None
    ) -> Run:
        """Run the file on the values of a spec, or on the given ones."""
        del level
        needed = spec.nbytes(**sizes)
        if needed > self._budget.memory:
            return Run("unknown", MemoryBudgetError(f"its inputs would take {format_bytes(needed)}"))
        given = feeds is not None
        try:
            feeds = spec.feeds(**sizes) if feeds is None else feeds
        except DummyioError as error:
            return Run("unknown", error)
        strange = next(
            (
                str(each.dtype)
                for each in feeds.values()
                if each.dtype.kind not in _FEEDABLE or each.dtype.isbuiltin == 2
            ),
            None,
        )
        if strange is not None:
            return Run("unknown", MemoryBudgetError(f"inputs of {strange} are not given to another process"))
        opened = self._open() if self._worker is None or not self._worker.is_alive else Run("took")
        if opened.ending != "took" or self._worker is None:
            return Run("unknown", opened.error)
        return self._worker.run(feeds, self._budget.seconds, digest=given)

    def close(self) -> None:
        """Give the process back."""
        if self._worker is not None:
            give_worker(self._worker)
            self._worker = None

    def _read_data(self) -> bytes:
        """Return the bytes of a file that is in memory only."""
        return b""

    def _open(self) -> Run:
        self.close()
        self._worker = take_worker(self._script)
        memory = self._budget.memory + 4 * self._nbytes
        return self._worker.open(self._settings, self._read_data(), memory=memory, seconds=self._budget.seconds)
