"""Implementations of a model's parts: others are tried if the export fails with those that the model has."""

import errno
import os
import re
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch import nn

from dummyio.backend.frameworks import qualified_name
from dummyio.errors import ExportError, OptionError, format_error_line
from dummyio_torch.exporting.weight_kinds import explain_weights


@dataclass(frozen=True, slots=True)
class Implementations:
    """The implementation of each part; None is the one that the model has.

    Fused attention has operators that a target may lack. Experts that are chosen by values have no fixed graph; as one batched
    product they have.
    """

    attention: str | None = None
    experts: str | None = None

    def __str__(self) -> str:
        chosen = {"attention": self.attention, "experts": self.experts}
        return ", ".join(f"{name}={value!r}" for name, value in chosen.items() if value is not None)


_MEMBERS = {
    "attention": ("set_attn_implementation", "_attn_implementation"),
    "experts": ("set_experts_implementation", "_experts_implementation"),
}
"""Part → the method of Transformers that sets its implementation, and the attribute of the configuration that has it."""
_WRITE_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS)
_NUMPY_ERROR = re.compile(r"\d+ requested and \d+ written")
"""NumPy does not keep the number of the error."""
_SYMBOL_NUMBER = re.compile(r"\d+")
"""A trace numbers its symbols anew."""
_FALLBACKS = (
    Implementations(experts="batched_mm"),
    Implementations(attention="eager"),
    Implementations("eager", "batched_mm"),
)


def try_implementations(
    model: nn.Module, attempt: Callable[[], tuple[str, ...]], chosen: Implementations
) -> tuple[str, ...]:
    """Run `attempt` with the chosen implementations; if none are chosen, with those of the model and then with others.

    `attempt` exports the model and returns notes for the user. So does this function, with one more if other implementations
    than those of the model were used. The model is left as it was.

    Raises
    ------
    ExportError
        if all attempts fail: the reason of the first, whose exception is chained.
    OptionError
        if the model does not have a chosen implementation.
    OSError
        if the artifact cannot be written, which no other implementation changes.
    """
    choices = [chosen, *_list_alternatives(model, chosen)]
    first: Exception | None = None
    reasons: list[str] = []
    for choice in choices:
        if choice is _FALLBACKS[-1] and len(set(reasons)) == 1 < len(reasons):
            break  # each part was changed alone, and made no difference
        try:
            with _use(model, choice):
                notes = attempt()
        except OptionError:
            raise
        except Exception as error:  # each layer of an exporter raises exceptions of its own
            if (failure := _find_write_error(error)) is not None:
                raise failure from error
            first = first or error
            reasons.append(_SYMBOL_NUMBER.sub("", format_error_line(error)))
        else:
            if first is None:
                return notes
            return (
                f"exported with {choice}, because the model's own choice failed: {format_error_line(first)}",
                *notes,
            )
    kinds = explain_weights(model)
    if isinstance(first, ExportError) and not kinds:
        raise first
    others = list(map(str, choices[1 : len(reasons)]))
    tried = f" Also tried: {'; '.join(others)}." if others else ""
    reason = format_error_line(first) if first is not None else ""
    raise ExportError(f"{qualified_name(model)} cannot be exported on this route: {reason}{tried}{kinds}") from first


def has_alternatives(model: nn.Module, chosen: Implementations) -> bool:
    """Return whether `try_implementations` has more than one attempt for a model."""
    return bool(_list_alternatives(model, chosen))


def _list_alternatives(model: nn.Module, chosen: Implementations) -> list[Implementations]:
    return [] if str(chosen) else [choice for choice in _FALLBACKS if _is_alternative(model, choice)]


def _find_write_error(error: BaseException) -> OSError | None:
    """Return the failure to write a file that an exception stems from; None if it has another reason."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in _WRITE_ERRORS:
            return OSError(cause.errno, os.strerror(cause.errno))
        if isinstance(cause, OSError) and _NUMPY_ERROR.search(str(cause)):
            return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        cause = cause.__cause__ or cause.__context__
    return None


def _is_alternative(model: nn.Module, choice: Implementations) -> bool:
    """Whether the model has all these implementations and does not use one of them already."""
    wanted = {part: value for part in _MEMBERS if (value := getattr(choice, part)) is not None}
    return all(_current_implementation(model, part) not in (None, value) for part, value in wanted.items())


def _current_implementation(model: nn.Module, part: str) -> str | None:
    setter, attribute = _MEMBERS[part]
    owner = _find_owner(model, setter)
    has_experts = part != "experts" or any("expert" in name.lower() for name, _ in model.named_modules())
    if owner is None or not has_experts:
        return None
    return getattr(getattr(owner, "config", None), attribute, None) or "the model's own"


def _find_owner(model: nn.Module, setter: str) -> Any:
    """Return the outermost part that has this method: a model may be wrapped."""
    return next((part for part in model.modules() if callable(getattr(part, setter, None))), None)


@contextmanager
def _use(model: Any, choice: Implementations) -> Generator[None]:
    """Set implementations while this context is open, and then restore all configurations, also those of parts."""
    configs = [part.config for part in model.modules() if hasattr(part, "config")]
    attributes = [attribute for _, attribute in _MEMBERS.values()]
    before = [(config, {name: getattr(config, name, None) for name in attributes}) for config in configs]
    try:
        for part, (setter, _) in _MEMBERS.items():
            if (value := getattr(choice, part)) is not None:
                _set_implementation(model, part, setter, value)
        yield
    finally:
        if str(choice):
            for config, values in before:
                for name, value in values.items():
                    if getattr(config, name, None) != value:
                        setattr(config, name, value)


def _set_implementation(model: Any, part: str, setter: str, value: str) -> None:
    try:
        getattr(_find_owner(model, setter), setter)(value)
    except Exception as error:  # no such method, or no such implementation
        raise OptionError(
            f"{part}={value!r}: {type(model).__name__} has no such implementation ({format_error_line(error)}). Leave {part} "
            "out."
        ) from error
