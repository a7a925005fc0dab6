"""Proves the description of a TFLite file: LiteRT runs it in a process of its own."""

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from dummyio.errors import build_trust_error
from dummyio.input_spec import InputSpec
from dummyio.running.signatures import SIGNATURE
from dummyio.sources.proof.processes.file_runs import FileRuns
from dummyio.sources.proof.prove_spec import prove_spec
from dummyio.sources.proof.subject import Level
from dummyio.sources.proof.versions import find_version
from dummyio.tflite.operator_trust import FLEX, find_tflite_dangers
from dummyio.tflite.read_model import list_operator_kinds, read_model, refuse_damage

_WORKER = Path(__file__).with_name("worker.py")


def prove(path: Path, spec: InputSpec, level: str, keywords: Mapping[str, Any]) -> InputSpec:
    """Return a spec that a file takes, with its proof; parameters and errors as in `dummyio.sources.prove_model.prove_source`."""
    with closing(_TfliteFile(path, spec.provenance.get(SIGNATURE, ""))) as file:
        return prove_spec(file, spec, level, given=keywords.keys() & spec.dims.keys())


class _TfliteFile(FileRuns):
    """A TFLite file. It is run if it has no operators of others and no weights in other files."""

    def __init__(self, path: Path, signature: str) -> None:
        self._path = path
        settings = {"path": str(path.resolve()), "signature": signature}
        versions = {"ai-edge-litert": find_version("ai-edge-litert")}
        super().__init__(str(path), _WORKER, settings, path.stat().st_size, versions)

    def find_obstacle(self, level: Level, *, asked: bool) -> str | None:
        """Return why the file cannot be run; see `dummyio.sources.proof.subject.Subject`."""
        with refuse_damage(self._path):
            model = read_model(self._path)
            flex = [kind for kind in list_operator_kinds(model) if kind.startswith(FLEX)]
            if level == "values" and flex:
                return f"it needs operators of TensorFlow ({', '.join(flex)[:200]}), which LiteRT does not have"
            dangers = find_tflite_dangers(model)
        if level == "values" and dangers:
            return str(build_trust_error(self._path, dangers)).partition(" If you trust")[0]
        return super().find_obstacle(level, asked=asked)
