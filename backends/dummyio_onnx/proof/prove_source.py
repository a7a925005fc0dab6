"""Proves the spec of an ONNX model: a small one runs in ONNX Runtime, the shapes of a large one are inferred."""

import os
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import onnx

from dummyio.errors import DummyioError, format_error_line
from dummyio.input_spec import InputSpec
from dummyio.sources.proof.processes.file_runs import FileRuns
from dummyio.sources.proof.prove_spec import prove_spec
from dummyio.sources.proof.spec_changes import fix_sizes
from dummyio.sources.proof.subject import Level, Run
from dummyio.sources.proof.versions import find_version
from dummyio.spec.proof import Proof
from dummyio.typing import Array
from dummyio_onnx.analysis.soundness import has_small_contents
from dummyio_onnx.external_data import list_external_files
from dummyio_onnx.read_model import find_graph_inputs
from dummyio_onnx.running.custom_operators import check_libraries, list_libraries
from dummyio_onnx.running.sessions import load_model_proto

_WORKER = Path(__file__).with_name("session_worker.py")


def prove(source: Any, spec: InputSpec, level: str, keywords: Mapping[str, Any]) -> InputSpec:
    """Return a spec that a model takes, with its proof; parameters and errors as in `dummyio.sources.prove_model.prove_source`."""
    libraries = list_libraries(keywords.get("custom_ops"))
    if libraries:
        check_libraries(libraries)
    try:
        subject = OnnxModel(source, libraries)
    except DummyioError as error:  # it can be described, and cannot be opened
        if level != "auto":
            raise
        return spec.with_proof(Proof(unproved=(format_error_line(error, 300),)))
    with closing(subject):
        return prove_spec(subject, spec, level, given=keywords.keys() & spec.dims.keys())


class OnnxModel(FileRuns):
    """An ONNX file, or a model in memory."""

    levels: tuple[Level, ...] = ("values", "shapes")
    unseen: tuple[str, ...] = ("values and computed shapes, which prove='values' runs",)

    def __init__(self, source: str | os.PathLike[str] | onnx.ModelProto, libraries: Sequence[Path] = ()) -> None:
        path, self._outline = load_model_proto(source)
        self._others = list_external_files(self._outline, path) if path is not None else []
        nbytes = (
            self._outline.ByteSize() if path is None else sum(each.stat().st_size for each in (path, *self._others))
        )
        label = "the ModelProto" if path is None else str(path)
        settings = {"path": None if path is None else str(path.resolve()), "libraries": [*map(str, libraries)]}
        super().__init__(label, _WORKER, settings, nbytes, {"onnxruntime": find_version("onnxruntime")})
        self._runtime = self.versions

    def _read_data(self) -> bytes:
        return b"" if self._settings["path"] is not None else self._outline.SerializeToString()

    def find_obstacle(self, level: Level, *, asked: bool) -> str | None:
        """Return why the model cannot be run; see `dummyio.sources.proof.subject.Subject`."""
        if level == "values":
            self.versions = self._runtime
            if self._others and not asked:
                return "its weights are in other files, which a description does not open"
            return super().find_obstacle(level, asked=asked)
        self.versions = {"onnx": onnx.__version__}
        run = _infer_shapes(self._outline)
        return (
            None
            if run.ending == "took"
            else f"onnx does not infer its shapes ({format_error_line(run.error or RuntimeError())})"
        )

    def run(
        self, spec: InputSpec, sizes: Mapping[str, int], level: Level, feeds: dict[str, Array] | None = None
    ) -> Run:
        """Run the model on values, or infer its shapes."""
        if level == "values":
            return super().run(spec, sizes, level, feeds)
        outline = onnx.ModelProto()
        outline.CopyFrom(self._outline)
        shapes = fix_sizes(spec, sizes).shapes()
        for value in find_graph_inputs(outline.graph):
            if value.type.WhichOneof("value") != "tensor_type":
                continue  # the tensors of a list keep the shapes that it declares
            shape = value.type.tensor_type.shape
            del shape.dim[:]
            for size in shapes[value.name]:
                shape.dim.add().dim_value = size
        del outline.graph.value_info[:]  # they may have sizes of another run
        for value in outline.graph.output:
            value.type.tensor_type.ClearField("shape")
        return _infer_shapes(outline)


def _infer_shapes(model: onnx.ModelProto) -> Run:
    """Infer the shapes of a model's outline; what is not an error of shapes shows nothing of its inputs."""
    try:
        onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=has_small_contents(model))
    except Exception as error:  # noqa: BLE001 - an error of C++, whose class is not public
        return Run("refused" if "ShapeInferenceError" in str(error) else "unknown", error)
    return Run("took")
