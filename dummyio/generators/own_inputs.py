"""How generators that a user writes describe inputs.

Two kinds work. One describes: a subclass of `DummyInputGenerator` with ``describe_<name>``. The other makes tensors, as those written
for Optimum: ``generate(name, framework, int_dtype, float_dtype)``; what it makes is observed
(`dummyio.generators.base.observed_input`). Classes given to one description are asked before registered ones, and these before ours.
"""

import inspect
import warnings
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

from dummyio.errors import DimError, DummyioError, OptionError, SpecError, format_error_line, suggest_names
from dummyio.generators.base.context import PAST, Context, build_context
from dummyio.generators.base.dim_sizes import SizeWarning
from dummyio.generators.base.input_generator import DummyInputGenerator
from dummyio.generators.base.observed_input import Trial, name_cache, observe_input
from dummyio.generators.base.random_state import seed_random_numbers
from dummyio.generators.own_classes import check_generators, is_ours, list_own_bases
from dummyio.model_config.normalized_config import NormalizedConfig
from dummyio.spec.default_sizes import DEFAULT_DUMMY_SHAPES
from dummyio.spec.dims import Dim
from dummyio.spec.dtypes import DType
from dummyio.spec.tensor_spec import Nest, Node, to_node

_CACHES = ("past_key_values", "cache_params")
_SHORT_DTYPES: Mapping[DType, str] = {DType.FLOAT32: "fp32", DType.FLOAT16: "fp16", DType.BFLOAT16: "bf16"}
"""Dtypes under the names that Optimum's generators take."""


def find_own_generator(name: str, context: Context) -> "OwnGenerator | None":
    """Return the first of the user's generators that describes an input; None if none does."""
    for kind in context.own_generators:
        generator = OwnGenerator(kind, context)
        if generator.supports_input(name):
            return generator
    return None


@contextmanager
def name_generators(kinds: Iterable[type]) -> Generator[None]:
    """Put the names of the user's classes before the message of a spec that contradicts itself."""
    names = ", ".join(kind.__name__ for kind in kinds)
    try:
        yield
    except (DimError, SpecError) as error:
        if not names:
            raise
        raise type(error)(f"{names}: {error}") from error


def make_tensor_generator(name: str, kinds: tuple[type, ...], task: str, config: Any, sizes: Mapping[str, Any]) -> Any:
    """Return an instance of the user's generator for an input, if it makes tensors; None if none does, or if it describes."""
    if all(is_ours(kind) for kind in kinds):
        return None
    given = {key: size for key, size in sizes.items() if type(size) is int}
    context = build_context(task, NormalizedConfig.of(config), given, own_generators=kinds)
    found = find_own_generator(name, context)
    return None if found is None or found.describes(name) else found.make()


def list_added_names(context: Context, offered: Sequence[str]) -> tuple[str, ...]:
    """Return the arguments that are inputs because a class of the user's has them, not only inherits them from ours."""
    return tuple(
        name
        for name in offered
        if (name not in _CACHES or context.with_past)
        and any(OwnGenerator(kind, context).adds_input(name) for kind in context.own_generators)
    )


def list_stated_names(kinds: Iterable[type]) -> tuple[str, ...]:
    """Return the inputs that classes of the user's state by themselves, not only inherit from ours."""
    return tuple(dict.fromkeys(name for kind in kinds for name in _stated_names(kind)))


def _stated_names(kind: type) -> list[str]:
    inherited = {name for base in kind.__mro__ if is_ours(base) for name in getattr(base, "SUPPORTED_INPUT_NAMES", ())}
    return [name for name in getattr(kind, "SUPPORTED_INPUT_NAMES", ()) if name not in inherited]


def check_given_names(given: object, names: Iterable[str], model: str) -> None:
    """Raise `OptionError` if a class given to a description states names, and the model takes none of them."""
    offered = [*names]
    for kind in check_generators(given):
        stated = _stated_names(kind)
        if stated and not set(stated) & set(offered):
            raise OptionError(
                f"{kind.__name__} is for {', '.join(stated)}, and {model} takes {', '.join(offered) or 'no arguments'}. "
                f"{suggest_names(stated[0], offered)}"
            )


class OwnGenerator:
    """One of the user's generators in one description, with whose context it describes. Its constructor runs when it is needed."""

    def __init__(self, kind: type, context: Context) -> None:
        """Make nothing yet: the constructor of the user's class runs when it is needed."""
        self.kind, self.context = kind, context

    def supports_input(self, name: str) -> bool:
        """Whether the class answers that it supports an input."""
        if (
            issubclass(self.kind, DummyInputGenerator)
            and self.kind.supports_input is DummyInputGenerator.supports_input
        ):
            applies = self.kind.applies(self.context, name) if not list_own_bases(self.kind) else True
            return name in self.kind.SUPPORTED_INPUT_NAMES and applies
        return bool(self._call("supports_input", lambda: self._make({}).supports_input(name)))

    def adds_input(self, name: str) -> bool:
        """Whether an argument is an input because this class has it."""
        if hasattr(self.kind, "SUPPORTED_INPUT_NAMES"):
            return name in _stated_names(self.kind) and self.supports_input(name)
        return self.supports_input(name)

    def spec(self, name: str) -> Node:
        """Return the description of an input; raise `OptionError`, with the name of the class, if it cannot be had from it."""
        if self.describes(name):
            generator = self._make({})
            node = self._call(f"describe_{name}", lambda: generator.spec(name))
            return self._call(f"describe_{name}", lambda: to_node(node, name))
        shown = f"generate({name!r})"
        node = self._call(
            shown, lambda: observe_input(name, lambda given: self._run(name, given), self._sizes(), self._dim(name))
        )
        if name not in _CACHES or not isinstance(node, Nest) or node.kind not in ("list", "tuple"):
            return node
        return name_cache(node, "tuple" if self.context.options.get("cache") == "legacy" else "cache")

    def make(self) -> Any:
        """Return an instance with the sizes of the description."""
        return self._make({})

    def describes(self, name: str) -> bool:
        """Whether the class describes this input, and does not make tensors: what is nearest in its bases decides."""
        if not issubclass(self.kind, DummyInputGenerator):
            return False
        for base in self.kind.__mro__:
            if not {f"describe_{name}", "describe", "spec"}.isdisjoint(vars(base)):
                return True
            if "generate" in vars(base):
                return base is DummyInputGenerator
        return True

    def _make(self, changed: Mapping[str, int]) -> Any:
        """Return an instance with some sizes changed; without a change, it shares the context."""
        kind = self.kind
        constructor = next(base for base in kind.__mro__ if "__init__" in vars(base))
        if issubclass(kind, DummyInputGenerator) and is_ours(constructor) and not changed:
            return kind.of(self.context)
        given = {**self._own_defaults(), **self.context.sizes.given, **changed}
        taken = inspect.signature(kind).parameters.values()
        if not any(each.kind is each.VAR_KEYWORD for each in taken):
            names = {each.name for each in taken}
            given = {name: size for name, size in given.items() if name in names}
        task = self.context.task + (PAST if self.context.with_past else "")
        made = self._call("the constructor", lambda: kind(task, self.context.config, **given))
        if isinstance(made, DummyInputGenerator):
            sizes = self.context.sizes.resize(changed) if changed else self.context.sizes
            made.context = replace(self.context, sizes=sizes)
        return made

    def _own_defaults(self) -> dict[str, int]:
        """Return the sizes that constructors of the class itself declare, with their defaults."""
        found: dict[str, int] = {}
        for base in reversed(list_own_bases(self.kind)):
            if "__init__" in vars(base):
                for each in inspect.signature(vars(base)["__init__"]).parameters.values():
                    if type(each.default) is int and each.name not in ("task", "normalized_config"):
                        found[each.name] = self._usual(each.name, each.default)
        return found

    def _usual(self, symbol: str, default: int) -> int:
        """Return the size that a symbol has in this description."""
        sizes = self.context.sizes
        if symbol in sizes.dims:
            return sizes.dims[symbol].size
        given = sizes.wanted(symbol)
        return given if given is not None else default

    def _sizes(self) -> list[str]:
        """Return the names of sizes that may change what is made."""
        takes_any = any(each.kind is each.VAR_KEYWORD for each in inspect.signature(self.kind).parameters.values())
        return [*dict.fromkeys((*self._own_defaults(), *(DEFAULT_DUMMY_SHAPES if takes_any else ())))]

    def _run(self, name: str, changed: Mapping[str, int]) -> Trial:
        with seed_random_numbers(), warnings.catch_warnings():
            warnings.simplefilter("error", SizeWarning)
            usual = {**DEFAULT_DUMMY_SHAPES, **self._own_defaults()}
            length = self._length(name)
            if length != "sequence_length":
                changed = {"sequence_length": self._usual(length, DEFAULT_DUMMY_SHAPES[length]), **changed}
            generator = self._make(changed)
            sizes = {each: _attribute(generator, each, size) for each, size in usual.items()} | dict(changed)
            integer, floating = self.context.int_dtype, self.context.float_dtype
            value = generator.generate(
                name,
                framework="pt" if find_spec("torch") is not None else "np",
                int_dtype=_SHORT_DTYPES.get(integer, integer.value),
                float_dtype=_SHORT_DTYPES.get(floating, floating.value),
            )
        return Trial(value, sizes)

    def _length(self, input_name: str) -> str:
        """Return the symbol of a length in an input: each part of a model, and its past, has one of its own."""
        root, both = input_name.partition(".")[0], self.context.encoder_decoder
        if root in _CACHES:
            return "past_decoder_sequence_length" if both else "past_sequence_length"
        if root.startswith("decoder_"):
            return "decoder_sequence_length"
        return "encoder_sequence_length" if both else "sequence_length"

    def _dim(self, input_name: str) -> Callable[[str, int], Dim]:
        """Return the function from a size by name to its symbol."""
        length = self._length(input_name)

        def define(name: str, size: int) -> Dim:
            return self.context.sizes.dim(length if name == "sequence_length" else name, size=size)

        return define

    def _call(self, what: str, function: Callable[[], Any]) -> Any:
        """Return the result of the user's code; an error of it names the class."""
        try:
            return function()
        except (SizeWarning, OptionError) as error:
            if isinstance(error, SizeWarning) or str(error).startswith(f"{self.kind.__name__}: "):
                raise
            raise OptionError(f"{self.kind.__name__}: {error}") from error
        except DummyioError as error:
            raise type(error)(f"{self.kind.__name__}: {error}") from error
        except Exception as error:
            raise OptionError(
                f"{self.kind.__name__}: {what} failed with {format_error_line(error).rstrip('.')}. Correct the generator."
            ) from error


def _attribute(generator: Any, name: str, default: int) -> int:
    found = getattr(generator, name, None)
    return found if type(found) is int else default
