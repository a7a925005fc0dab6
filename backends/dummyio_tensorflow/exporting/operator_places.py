"""Where a model has an operator that a converter refuses: the line of the model's own code, else its layer."""

import os
import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from dummyio.errors import DummyioError
from dummyio.input_spec import InputSpec
from dummyio_tensorflow.calling.frozen_function import trace_model

_LIBRARIES = ("tensorflow", "keras", "tf_keras")
_OWN = ("dummyio", "dummyio_tensorflow", "dummyio_jax")


def name_operators(model: Any, spec: InputSpec, kinds: Collection[str]) -> str:
    """Return a list of operators for a message, each with its first place: ``"Cholesky (net.py:12)"``."""
    places: dict[str, list[str]] = {kind: [] for kind in kinds}
    try:
        function, _ = trace_model(model, spec)
    except DummyioError:  # it was traced before; the first error counts
        return ", ".join(places)
    for operator in _list_operators(function.graph):
        if operator.type in places and (place := _place(operator)) not in places[operator.type]:
            places[operator.type].append(place)
    return ", ".join(f"{kind} ({_join(found)})" if found else kind for kind, found in places.items())


def find_mentioned(graph: Any, text: str) -> list[str]:
    """Return the kinds of the operators of a graph that a message mentions by their names."""
    return sorted({each.type for each in graph.get_operations() if "/" in each.name and f"{each.name}:" in text})


def _list_operators(graph: Any) -> Iterator[Any]:
    """Yield the operators of a graph and of the functions that it calls, of loops and branches too."""
    for operator in graph.get_operations():
        yield operator
        for value in operator.node_def.attr.values():
            for called in [value.func] if value.HasField("func") else value.list.func:
                inner = getattr(graph._get_function(called.name), "graph", None)  # noqa: SLF001 - no public way to a graph's functions
                if inner is not None:
                    yield from _list_operators(inner)


def _place(operator: Any) -> str:
    """Return the innermost line outside of the libraries since dummyio called the model, else the scope of the layer."""
    libraries, own = _find_folders(_LIBRARIES), _find_folders(_OWN)
    for frame in reversed(list(operator.traceback or ())):
        if frame.filename.startswith(own):
            break
        file = Path(frame.filename)
        if not frame.filename.startswith(libraries) and file.is_absolute():
            return f"{file.name}:{frame.lineno}"
    scope = operator.name.rpartition("/")[0]
    return f"in {scope}" if scope else f"named {operator.name}"


def _find_folders(packages: Collection[str]) -> tuple[str, ...]:
    files = (getattr(sys.modules.get(name), "__file__", None) for name in packages)
    return tuple(f"{Path(file).parent}{os.sep}" for file in files if file)


def _join(places: list[str]) -> str:
    return places[0] if len(places) == 1 else f"{places[0]} and {len(places) - 1} more"
