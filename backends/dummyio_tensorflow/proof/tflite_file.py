"""TFLite files, as a proof runs them: in LiteRT, in a process of its own."""

from pathlib import Path

from dummyio.errors import build_trust_error
from dummyio.sources.proof.processes.file_runs import FileRuns
from dummyio.sources.proof.subject import Level
from dummyio.sources.proof.versions import find_version
from dummyio_tensorflow.calling.tflite_schema import read_model, refuse_damage
from dummyio_tensorflow.running.operator_trust import find_tflite_dangers

_WORKER = Path(__file__).with_name("tflite_worker.py")


class TfliteFile(FileRuns):
    """A TFLite file. It is run if it has no operators of others and no weights in other files."""

    def __init__(self, path: Path, signature: str) -> None:
        self._path = path
        settings = {"path": str(path.resolve()), "signature": signature}
        versions = {"ai-edge-litert": find_version("ai-edge-litert")}
        super().__init__(str(path), _WORKER, settings, path.stat().st_size, versions)

    def find_obstacle(self, level: Level, *, asked: bool) -> str | None:
        """Return why the file cannot be run; see `dummyio.sources.proof.subject.Subject`."""
        with refuse_damage(self._path):
            dangers = find_tflite_dangers(read_model(self._path))
        if level == "values" and dangers:
            return str(build_trust_error(self._path, dangers)).partition(" If you trust")[0]
        return super().find_obstacle(level, asked=asked)
