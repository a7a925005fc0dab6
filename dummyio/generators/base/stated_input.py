"""Inputs that a generator states as data: the kind of their numbers, their shape in words, their values."""

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, partial
from typing import Any

from dummyio.generators.base.model_facts import Kind
from dummyio.spec.default_sizes import DEFAULT_DUMMY_SHAPES
from dummyio.spec.dims import Size
from dummyio.spec.tensor_spec import TensorSpec
from dummyio.spec.values import Rule


class StatedInput:
    """A method ``describe_<name>`` of a generator, written as data.

    A word of its shape is a number, an attribute of the generator (a size, or several), a dim, or an attribute of the configuration
    or of a part of it (``audio.n_mel_bins``). Values that depend on the model are a function of the generator.
    """

    def __init__(self, kind: Kind, words: str, rule: Rule | Callable[[Any], Rule]) -> None:
        """Take the kind of numbers, the words of the shape, and the values."""
        self._kind, self._words, self._rule = kind, words.split(), rule
        self._name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        """Take the name of the input."""
        self._name = name.removeprefix("describe_")

    def __get__(self, generator: Any, owner: type | None = None) -> Callable[..., TensorSpec]:
        """Return the method of a generator."""
        return self._describe if generator is None else partial(self._describe, generator)

    def _describe(self, generator: Any) -> TensorSpec:
        """Return the description of the input in the model of a generator."""
        rule = self._rule(generator) if callable(self._rule) else self._rule
        dtypes = {"int": generator.context.int_dtype, "float": generator.context.float_dtype}
        shape = tuple(read_axes(generator, self._words))
        return TensorSpec(self._name, shape, dtypes.get(self._kind, self._kind), rule)


def read_axes(generator: Any, words: Sequence[str]) -> Iterator[Size]:
    """Yield the sizes that words mean for a generator."""
    for word in words:
        if word.isdigit():
            yield int(word)
        elif isinstance(getattr(type(generator), word, None), (property, cached_property)):
            own = getattr(generator, word)
            yield from own if isinstance(own, tuple) else (own,)
        elif word in DEFAULT_DUMMY_SHAPES:
            yield generator.dim(word)
        else:
            part, _, attribute = word.rpartition(".")
            yield (generator.config.part(part) if part else generator.config).integer(attribute)
