"""Shapes of outputs at given sizes: from the spec, else from a run of the model without values."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from dummyio.backend.registry import load_backend
from dummyio.errors import DummyioError, SourceError
from dummyio.huggingface.source.auto_tables import find_class_module
from dummyio.input_spec import InputSpec
from dummyio.onnx.list_outputs import Observe, Observed
from dummyio.onnx.read_source import Source
from dummyio.spec.dims import Size, collect_dims, evaluate_size
from dummyio.spec.spec_data import OutputSpec

Shape: TypeAlias = tuple[int | None, ...] | None
"""Ints; None for an axis, or for the whole shape, that only a run with values tells."""


def predict_shapes(
    spec: InputSpec, outputs: Sequence[OutputSpec], sizes: Mapping[str, int], observe: Observe
) -> dict[str, Shape]:
    """Return output → shape at sizes of the dims of a spec.

    Where no size of the inputs decides an axis, such as one of patches or queries, the model is run without values; what is
    not known then either is None.
    """
    known = {dim for _, leaf in spec.leaves for dim in collect_dims(leaf.shape)}
    shapes: dict[str, Shape] = {output.name: _evaluate(output.shape, known, sizes) for output in outputs}
    if all(shape is not None and None not in shape for shape in shapes.values()):
        return shapes
    try:
        seen = observe(sizes)
    except DummyioError:  # the model cannot be run without values
        return shapes
    return {name: seen[name][0] if name in seen else shape for name, shape in shapes.items()}


def _evaluate(shape: tuple[Size, ...] | None, known: set[str], sizes: Mapping[str, int]) -> Shape:
    if shape is None:
        return None
    return tuple(evaluate_size(size, sizes) if set(collect_dims([size])) <= known else None for size in shape)


class ModelObserver:
    """Runs the model of a source without values: a live one, or one that is built from the configuration without weights.

    It needs PyTorch, and for a configuration Transformers; the first run imports them.
    """

    def __init__(self, source: Source, class_name: str | None) -> None:
        self._source, self._class_name = source, class_name
        self._observer: Any = None
        self._failure: DummyioError | None = None

    def observe(self, spec: InputSpec, sizes: Mapping[str, int]) -> Observed:
        """Return output → shape and dtype; raise an error of dummyio if the model cannot be run."""
        if self._failure is not None:
            raise self._failure
        if self._observer is None:
            try:
                self._observer = self._open()
            except DummyioError as error:
                self._failure = error
                raise
        seen: Observed = self._observer.observe(spec, sizes)
        return seen

    def _open(self) -> Any:
        if self._source.part is not None:
            raise SourceError("a part of a model is not run alone.")
        model = self._source.model
        if model is not None and load_torch_module(model) is not None:
            backend: Any = load_backend("pt")
            return backend.observer(model)
        configuration = self._source.configuration
        module = None if configuration is None else find_class_module(self._class_name, configuration.model_type)
        if module is None or configuration is None:
            raise SourceError(f"no class of Transformers is known for this source (model: {self._class_name}).")
        backend = load_backend("pt")
        return backend.class_observer(self._class_name, module, configuration.values)


def load_torch_module(model: Any) -> Any:
    """Return a model if it is a module of PyTorch; None if it is not."""
    import sys  # noqa: PLC0415 - only live models

    torch = sys.modules.get("torch")
    return model if torch is not None and isinstance(model, torch.nn.Module) else None
