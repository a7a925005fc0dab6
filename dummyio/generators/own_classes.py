"""The classes of a user's own generators: which are accepted, and which are registered for all descriptions."""

import inspect
import threading
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar, overload

from dummyio.errors import OptionError
from dummyio.generators.base.context import PAST
from dummyio.generators.base.input_generator import DummyInputGenerator
from dummyio.model_config.attribute_types import shorten_value

Kind = TypeVar("Kind", bound=type)

_PACKAGE = "dummyio"
_METHODS = {
    "supports_input": "supports_input(input_name)",
    "generate": "generate(input_name, framework, int_dtype, float_dtype)",
}


@dataclass(frozen=True)
class _Registered:
    kind: type
    model_type: str | None
    task: str | None


_registered: tuple[_Registered, ...] = ()
_LOCK = threading.Lock()


@overload
def register_generator(kind: Kind, /) -> Kind: ...
@overload
def register_generator(*, model_type: str | None = None, task: str | None = None) -> Callable[[Kind], Kind]: ...
def register_generator(kind: Any = None, /, *, model_type: str | None = None, task: str | None = None) -> Any:
    """Register a generator for all later descriptions, as a call or a decorator; the last registered is asked first.

    Parameters
    ----------
    kind
        A subclass of `DummyInputGenerator`, or a class with the same constructor and methods, such as one of Optimum's.
    model_type, task
        Only for models of this type, and for this task (with or without ``-with-past``).

    Raises
    ------
    OptionError
        if it is not such a class; the message names what is missing.

    Examples
    --------
    >>> from dummyio.generators import DummyInputGenerator, register_generator, unregister_generator
    >>> @register_generator(model_type="point-net")
    ... class DummyPointsGenerator(DummyInputGenerator):
    ...     def describe_points(self):
    ...         return self.floats("points", (self.dim("batch_size"), self.dim("num_points", size=64), 3))
    >>> unregister_generator(DummyPointsGenerator)
    """
    if kind is None:
        return lambda each: _register(each, model_type, task)
    return _register(kind, model_type, task)


def _register(kind: Kind, model_type: str | None, task: str | None) -> Kind:
    global _registered  # noqa: PLW0603 - a registry of the process
    check_generator(kind)
    for name, value in (("model_type", model_type), ("task", task)):
        if value is not None and not isinstance(value, str):
            raise OptionError(f"{name}={shorten_value(value)} is not a string: give the name of one, or leave it out.")
    with _LOCK:
        others = tuple(each for each in _registered if each.kind is not kind)
        _registered = (_Registered(kind, model_type, task), *others)
    return kind


def unregister_generator(kind: type) -> None:
    """Remove a generator from those that are registered; raise `OptionError` if it is not one of them."""
    global _registered  # noqa: PLW0603 - a registry of the process
    with _LOCK:
        others = tuple(each for each in _registered if each.kind is not kind)
        if len(others) == len(_registered):
            known = ", ".join(each.kind.__name__ for each in _registered) or "none"
            raise OptionError(f"{_name(kind)} is not a registered generator. Registered: {known}.")
        _registered = others


@contextmanager
def registered_generators(*kinds: type, model_type: str | None = None, task: str | None = None) -> Generator[None]:
    """Register generators for the time of a ``with`` block, the first of them to be asked first."""
    for kind in kinds:
        check_generator(kind)
    for kind in reversed(kinds):
        _register(kind, model_type, task)
    try:
        yield
    finally:
        for kind in kinds:
            unregister_generator(kind)


def collect_generators(given: object, model_type: str | None, task: str) -> tuple[type, ...]:
    """Return the user's generators of one description: those given to it, then those registered for that model and task."""
    kinds = check_generators(given)
    plain = task.removesuffix(PAST)
    registered = (
        each.kind
        for each in _registered
        if each.model_type in (None, model_type) and (each.task is None or each.task in (task, plain))
    )
    return tuple(dict.fromkeys((*kinds, *registered)))


def collect_special_generators(given: object, model_type: str | None) -> tuple[type, ...]:
    """Return the generators given to one description, and those registered for its model type and no other."""
    registered = (each.kind for each in _registered if model_type is not None and each.model_type == model_type)
    return tuple(dict.fromkeys((*check_generators(given), *registered)))


def check_generators(given: object) -> tuple[type, ...]:
    """Return the classes given as ``generators=``; raise `OptionError` if one is not a generator."""
    if given is None:
        return ()
    if isinstance(given, (str, bytes, type, Mapping)) or not isinstance(given, Iterable):
        raise OptionError(
            f"generators={_name(given)}: give a tuple of generator classes, such as generators=(MyGenerator,)."
        )
    kinds = tuple(given)
    for kind in kinds:
        check_generator(kind)
    return kinds


def check_generator(kind: object) -> None:
    """Raise `OptionError` if an object is not the class of a generator; the message names what is missing."""
    if not isinstance(kind, type):
        raise OptionError(
            f"{shorten_value(kind)} is not a class: give the class of a generator, not an instance or its name."
        )
    name = kind.__name__
    missing = [text for method, text in _METHODS.items() if not callable(getattr(kind, method, None))]
    if missing:
        raise OptionError(
            f"{name} is not a generator: it has no method {' and no method '.join(missing)}. Derive it from "
            "dummyio.generators.DummyInputGenerator."
        )
    try:
        inspect.signature(kind).bind("", None)
    except TypeError as error:
        raise OptionError(
            f"{name} is not a generator: its constructor must take (task, normalized_config, **shapes), with a default for each "
            f"size ({error})."
        ) from None
    except ValueError:
        pass  # a constructor that cannot be inspected
    _check_names(kind)


def _check_names(kind: type) -> None:
    names = getattr(kind, "SUPPORTED_INPUT_NAMES", None)
    listed = isinstance(names, Iterable) and not isinstance(names, (str, Mapping))
    if names is not None and not (listed and all(isinstance(name, str) for name in names)):
        raise OptionError(
            f"{kind.__name__}: SUPPORTED_INPUT_NAMES={shorten_value(names)}: give a tuple of names, such as ('points',)."
        )
    if not issubclass(kind, DummyInputGenerator):
        return
    if not names and kind.supports_input is DummyInputGenerator.supports_input:
        raise OptionError(
            f"{kind.__name__} describes no input: write a method describe_<name>, or SUPPORTED_INPUT_NAMES and generate."
        )
    if not _has_own(kind, ("generate", "describe", "spec")):
        for name in names or ():
            if not hasattr(kind, f"describe_{name}"):
                raise OptionError(
                    f"{kind.__name__}: SUPPORTED_INPUT_NAMES has {name!r}, and the class has neither describe_{name} nor generate."
                )


def _has_own(kind: type, methods: Iterable[str]) -> bool:
    """Whether a class, or one of its bases that is not dummyio's, has one of these methods."""
    return any(method in vars(base) for base in list_own_bases(kind) for method in methods)


def list_own_bases(kind: type) -> list[type]:
    """Return a class and its bases that are not dummyio's, the nearest first."""
    return [base for base in kind.__mro__[:-1] if not is_ours(base)]


def _name(kind: object) -> str:
    return kind.__name__ if isinstance(kind, type) else shorten_value(kind)


def is_ours(kind: type) -> bool:
    """Whether a class is one of dummyio's."""
    return kind.__module__.partition(".")[0] == _PACKAGE
