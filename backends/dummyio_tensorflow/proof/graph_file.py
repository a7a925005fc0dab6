"""SavedModels and frozen graphs, as a proof runs them: TensorFlow infers their shapes at each size, which runs nothing of the file."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf

from dummyio.errors import DummyioError, RunError, SourceError, TrustError, format_error_line
from dummyio.input_spec import InputSpec
from dummyio.materialize.memory_budget import format_bytes
from dummyio.sources.declared import Declared
from dummyio.sources.proof.budget import Budget
from dummyio.sources.proof.result_digest import digest_results
from dummyio.sources.proof.spec_changes import fix_sizes
from dummyio.sources.proof.subject import Level, Run
from dummyio.typing import Array
from dummyio_tensorflow.description.trial_traces import trace_at_sizes, trace_symbolic
from dummyio_tensorflow.running.open_runner import open_runner
from dummyio_tensorflow.signature import abstract

_MAX_OPERATIONS = 20_000
"""Operations of a graph whose shapes ``prove="auto"`` infers: four inferences of more take many seconds."""


class GraphFile:
    """A file with a graph. It is loaded and run only if that is asked for, if it cannot run code or touch files."""

    levels: tuple[Level, ...] = ("shapes",)
    runs = 4
    guessed: Collection[str] = ()
    unseen: tuple[str, ...] = ("values, which prove='values' runs",)

    def __init__(self, path: Path, declared: Declared, spec: InputSpec) -> None:
        self._path, self._declared, self._spec = path, declared, spec
        self.label = str(path)
        self.versions: Mapping[str, str] = {"tensorflow": str(tf.__version__)}
        self._runner: Any = None
        self._definition: Any = None

    def find_obstacle(self, level: Level, *, asked: bool) -> str | None:
        """Return why the file cannot be run; see `dummyio.sources.proof.subject.Subject`."""
        if level == "shapes":
            count = 0 if self._declared.graph is None else len(self._declared.graph.get_operations())
            if count > _MAX_OPERATIONS and not asked:
                return f"it has {count} operations, and the limit is {_MAX_OPERATIONS}"
            known = (
                None if self._declared.callable is None else trace_symbolic(self._declared.callable, self._spec).error
            )
            return None if known is None else f"TensorFlow does not infer its shapes ({format_error_line(known, 200)})"
        files = [self._path] if self._path.is_file() else [each for each in self._path.rglob("*") if each.is_file()]
        size, most = sum(each.stat().st_size for each in files), Budget().weights
        if size > most:
            return f"it has {format_bytes(size)}, and the limit is {format_bytes(most)}"
        try:
            self._runner = open_runner(self._path, self._spec, None)
        except (TrustError, SourceError) as error:
            return format_error_line(error)
        return None

    def run(
        self, spec: InputSpec, sizes: Mapping[str, int], level: Level, feeds: dict[str, Array] | None = None
    ) -> Run:
        """Infer the shapes of the graph, or run it."""
        if level == "shapes":
            if self._declared.callable is not None:
                trace = trace_at_sizes(self._declared.callable, spec, sizes)
                return Run("took") if trace.error is None else Run("refused", trace.error)
            return self._infer_shapes(fix_sizes(spec, sizes))
        try:
            results = self._runner(spec.feeds(**sizes) if feeds is None else feeds)
        except RunError as error:
            return Run("refused" if error.__cause__ is not None else "unknown", error)
        except DummyioError as error:
            return Run("unknown", error)
        return Run("took", digest=None if feeds is None else digest_results(results))

    def _infer_shapes(self, spec: InputSpec) -> Run:
        """Import the frozen graph with the shapes of a spec."""
        if self._definition is None:
            self._definition = self._declared.graph.as_graph_def()
        nodes = {node.name: node for node in self._definition.node}
        for path, tensor in abstract(dict(spec.leaves)).items():
            nodes[path].attr["shape"].shape.CopyFrom(tensor.shape.as_proto())
        try:
            with tf.Graph().as_default():
                tf.graph_util.import_graph_def(self._definition, name="")
        except Exception as error:  # noqa: BLE001 - TensorFlow raises errors of many kinds
            return Run("refused", error)
        return Run("took")
