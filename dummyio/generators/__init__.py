"""Generators: from an input's name to its description, one file for each modality.

A generator only ever describes; materializing is the backends'. Its interface is that of Optimum's generators
(``supports_input``, ``generate``, constructor ``(task, normalized_config, **shapes)``) on top of ``spec(name)``.
"""

from __future__ import annotations

from dummyio.errors import OptionError, near
from dummyio.generators.base import Context, DummyInputGenerator
from dummyio.generators.shapes import DEFAULT_DUMMY_SHAPES
from dummyio.generators.text import DummyDecoderTextInputGenerator, DummyTextInputGenerator

__all__ = ["DEFAULT_DUMMY_SHAPES", "GENERATORS", "DummyDecoderTextInputGenerator", "DummyTextInputGenerator", "generator_for"]

GENERATORS: tuple[type[DummyInputGenerator], ...] = (
    DummyTextInputGenerator,
    DummyDecoderTextInputGenerator,
)
"""All generators, in the order in which they are asked."""


def generator_for(name: str, context: Context) -> DummyInputGenerator:
    """Return the first generator that describes the input of that name; raise `OptionError` where none does."""
    for kind in GENERATORS:
        generator = kind.of(context)
        if generator.supports_input(name):
            return generator
    known = [n for kind in GENERATORS for n in kind.SUPPORTED_INPUT_NAMES]
    raise OptionError(f"no generator describes an input {name!r}. {near(name, known)}")
