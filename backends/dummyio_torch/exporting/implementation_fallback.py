"""Implementations of a model's parts that can be chosen: what is tried where tracing the model's own fails."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch import nn

from dummyio.errors import ExportError, OptionError

__all__ = ["Implementations", "try_implementations"]


_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True, slots=True)
class Implementations:
    """Implementations by what they are of; None is the model's own.

    Attention that is fused has operators that a target may lack; experts that are chosen by values have no fixed graph, and
    as one batched product they do.
    """

    attention: str | None = None
    experts: str | None = None

    def __str__(self) -> str:
        chosen = {"attention": self.attention, "experts": self.experts}
        return ", ".join(f"{name}={value!r}" for name, value in chosen.items() if value is not None)


_KNOBS = {
    "attention": ("set_attn_implementation", "_attn_implementation"),
    "experts": ("set_experts_implementation", "_experts_implementation"),
}
_OTHERS = (
    Implementations(experts="batched_mm"),
    Implementations(attention="eager"),
    Implementations("eager", "batched_mm"),
)


def try_implementations(model: nn.Module, attempt: Callable[[], None], chosen: Implementations) -> str | None:
    """Run `attempt` with what was chosen, else with the model's own implementations and then with others.

    Returns
    -------
    str or None
        A note for the user, where another than the model's own was taken.

    Raises
    ------
    ExportError
        where none works: what the first try said, whose exception is chained.
    OptionError
        for a choice that this model does not have.
    """
    ways = [chosen] if str(chosen) else [Implementations(), *(way for way in _OTHERS if _is_other(model, way))]
    first: Exception | None = None
    for way in ways:
        try:
            with _set(model, way):
                attempt()
        except OptionError:
            raise
        except Exception as error:  # noqa: BLE001 - an exporter fails with whatever a layer of it raises
            first = first or error
        else:
            return None if first is None else f"exported with {way}: as the model has it, {_line(first)}"
    if isinstance(first, ExportError):
        raise first
    tried = f" Also tried: {'; '.join(map(str, ways[1:]))}." if len(ways) > 1 else ""
    label = f"{type(model).__module__}.{type(model).__qualname__}"
    raise ExportError(f"{label} cannot be exported on this route: {_line(first)}{tried}") from first


def _is_other(model: nn.Module, way: Implementations) -> bool:
    """Whether the model has all these implementations and does not use them already."""
    wanted = {part: value for part in _KNOBS if (value := getattr(way, part)) is not None}
    return all(_current(model, part) not in (None, value) for part, value in wanted.items())


def _current(model: nn.Module, part: str) -> str | None:
    setter, attribute = _KNOBS[part]
    owner = _owner(model, setter)
    has_experts = part != "experts" or any("expert" in name.lower() for name, _ in model.named_modules())
    if owner is None or not has_experts:
        return None
    return getattr(getattr(owner, "config", None), attribute, None) or "the model's own"


def _owner(model: nn.Module, setter: str) -> Any:
    """Return the outermost part that has that method: a model may be wrapped."""
    return next((part for part in model.modules() if callable(getattr(part, setter, None))), None)


@contextmanager
def _set(model: Any, way: Implementations) -> Generator[None, None, None]:
    """Choose implementations, and put back what was there, also in the configurations of parts."""
    configs = [part.config for part in model.modules() if hasattr(part, "config")]
    attributes = [attribute for _, attribute in _KNOBS.values()]
    before = [(config, {name: getattr(config, name, None) for name in attributes}) for config in configs]
    try:
        for part, (setter, _) in _KNOBS.items():
            if (value := getattr(way, part)) is not None:
                _choose(model, part, setter, value)
        yield
    finally:
        if str(way):
            for config, values in before:
                for name, value in values.items():
                    if getattr(config, name, None) != value:
                        setattr(config, name, value)


def _choose(model: Any, part: str, setter: str, value: str) -> None:
    try:
        getattr(_owner(model, setter), setter)(value)
    except Exception as error:  # no such method, or no such implementation
        raise OptionError(
            f"{part}={value!r}: {type(model).__name__} has no such implementation ({_line(error)}). Leave {part} out."
        ) from error


def _line(error: BaseException | None) -> str:
    """Return what an exporter says, in a line: where it wraps its failures, what it says of the innermost."""
    while error is not None and not isinstance(error, ExportError) and error.__cause__ is not None:
        error = error.__cause__
    text = " ".join(_COLOURS.sub("", str(error)).split())
    return f"{type(error).__name__}: {text[:400]}"
