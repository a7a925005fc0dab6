"""Proves the spec of a configuration: builds its class, without memory for runs on shapes, with random weights for runs with values."""

from collections.abc import Mapping
from typing import Any

from dummyio.errors import OptionError
from dummyio.input_spec import InputSpec
from dummyio.materialize.memory_budget import format_bytes
from dummyio.sources.proof.budget import Budget
from dummyio_torch.calling.build_class import build_class
from dummyio_torch.proof.model_call import find_call
from dummyio_torch.proof.prove_spec import prove_spec
from dummyio_torch.proof.weights import count_weight_bytes


def prove_class(
    class_name: str,
    module_name: str,
    values: Mapping[str, Any],
    spec: InputSpec,
    level: str,
    keywords: Mapping[str, Any],
) -> InputSpec:
    """Return a spec that a class takes, with its proof.

    Parameters
    ----------
    class_name, module_name, values
        The class, the module that defines it, and its configuration as plain data.
    spec, keywords
        What rules describe, and the keywords of the description.
    level
        ``"shapes"`` or ``"values"``.

    Raises
    ------
    SourceError
        If the class cannot be built, or refuses the inputs.
    OptionError
        If its weights exceed what a run with values may take.
    """
    budget = Budget()
    model = build_class(class_name, module_name, values, "meta")
    if level == "values":
        size = count_weight_bytes(model)
        if size > budget.weights:
            raise OptionError(
                f"prove='values': the weights of {class_name} take {format_bytes(size)}, and the limit is {format_bytes(budget.weights)}. "
                "prove='shapes' runs it without weights."
            )
        model = build_class(class_name, module_name, values, "cpu")
    return prove_spec(model, spec, level, find_call(model, spec, keywords), budget)
