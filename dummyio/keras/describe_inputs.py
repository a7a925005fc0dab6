"""The inputs of a Keras model as its own declarations describe them, without a trace: for PyTorch and JAX, where models declare no inputs."""

from collections.abc import Mapping
from typing import Any

from dummyio.input_spec import InputSpec
from dummyio.keras.calls import functional_inputs
from dummyio.keras.declared_inputs import declared_from_keras, iterate_first_layers
from dummyio.sources.declared import iterate_declared
from dummyio.sources.graph.describe_declared import describe_declared


def describe_inputs(model: Any, options: Mapping[str, Any]) -> InputSpec:
    """Return the spec of a Keras model that is made of inputs, or is built.

    Parameters
    ----------
    model
        The model.
    options
        ``padding_side`` and ``mask_policy``, as in `PaddingMask`.

    Raises
    ------
    SourceError
        for a model that is not built yet.
    """
    declared = declared_from_keras(model)
    leaves = {path: (tuple(leaf.axes or ()), leaf.dtype) for path, leaf in iterate_declared(declared.tree)}
    described = describe_declared(declared, leaves, options, rows=_find_tables(model))
    return InputSpec(described.inputs, provenance={"source": declared.label, **declared.notes, **described.notes})


def _find_tables(model: Any) -> dict[str, tuple[int, str]]:
    """Return input → the rows of the embedding that looks it up, and its name."""
    struct = functional_inputs(model)
    found: dict[str, tuple[int, str]] = {}
    for taken, layer in () if struct is None else iterate_first_layers(model, struct):
        rows = getattr(layer, "input_dim", None)
        if isinstance(rows, int) and hasattr(layer, "embeddings"):
            found[taken] = min(found.get(taken, (rows, "")), (rows, layer.name))
    return found
