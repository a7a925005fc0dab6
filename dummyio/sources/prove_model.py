"""Whether and how a description is run: a live model proves it, a configuration only if that is asked for."""

import sys
from collections.abc import Mapping
from typing import Any

from dummyio.errors import OptionError, suggest_names
from dummyio.input_spec import InputSpec
from dummyio.model_config.attribute_types import shorten_value

LEVELS = ("auto", "shapes", "values", "off")
"""How a description can be run; ``auto`` runs a live model, with values if that is cheap."""


def check_level(level: object) -> None:
    """Raise `OptionError` if `level` is none of `LEVELS`."""
    if not (isinstance(level, str) and level in LEVELS):
        text = level if isinstance(level, str) else ""
        raise OptionError(f"prove={shorten_value(level)} is unknown. {suggest_names(text, LEVELS)}")


def refuse_level(level: str, what: str) -> None:
    """Raise `OptionError` if runs are asked for, and there is nothing to run."""
    if level in ("shapes", "values"):
        raise OptionError(
            f"prove={level!r}: {what} cannot be run to prove its description. Leave it out, or give the live model."
        )


def is_torch_module(source: Any) -> bool:
    """Whether `source` is a PyTorch module; PyTorch has been imported if there is one."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(source, torch.nn.Module)


def prove_live_model(model: Any, spec: InputSpec, level: str, keywords: Mapping[str, Any]) -> InputSpec:
    """Return the spec of a live PyTorch model after runs that correct and confirm it; of another object as it is.

    Parameters and errors are those of `prove_source`.
    """
    if is_torch_module(model):
        return prove_source("pt", model, spec, level, keywords)
    refuse_level(level, f"a {type(model).__name__}")
    return spec


def prove_source(framework: str, source: Any, spec: InputSpec, level: str, keywords: Mapping[str, Any]) -> InputSpec:
    """Return the spec of a model, function or file after runs that correct and confirm it.

    Parameters
    ----------
    framework
        The framework whose backend describes the source. A backend without a prover leaves the spec as it is.
    source, spec
        The source, and what rules, a search or its own declarations describe.
    level
        One of `LEVELS`.
    keywords
        The sizes, options and constant arguments of the description.

    Raises
    ------
    SourceError
        If the source refuses the inputs, and no correction helps.
    OptionError
        If runs are asked for that the source does not have.
    """
    if level == "off":
        return spec
    from dummyio.backend.registry import load_backend  # noqa: PLC0415 - lazy: only for sources that are run

    backend: Any = load_backend(framework)
    if not hasattr(backend, "prove"):
        refuse_level(level, f"a source of {framework}")
        return spec
    proved: InputSpec = backend.prove(source, spec, level, keywords)
    return proved
