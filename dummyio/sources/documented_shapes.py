"""The shapes that the docstring of a method states for its arguments, in the words of its author."""

import re
from collections.abc import Iterator

_ENTRY = r"^ *{name} ?(?:\(|:)[^\n]*(?:\n(?! *\w+ ?\( ?`)(?! *\w+: )[^\n]*){{0,3}}"
"""The lines about an argument, up to those about the next one."""
_STATED = re.compile(
    r"(?:\bshape:?|tensor|\bdimensions?) *(?:of )?`*[\[(]((?:[^()`\]]|\([^()]*\))*)[\])]", re.IGNORECASE
)
"""A shape after the word for it."""
_BRACKETS = re.compile(r"(?<![\w.])\[(\w+(?:, *\w+)*)\]")
"""A shape in brackets alone; numbers alone are a range."""
_IN_PARENTHESES = re.compile(r"\(((?:(?:n_)?batch\w*|B|N|bsz?)(?:, *(?:[^(),]|\([^()]*\))+)+)\)")
"""A shape in parentheses alone, which begins with the batch."""

_LENGTH = re.compile(r"(^|_)(len|length|tokens|timesteps|samples|rows|cells)([+-]\d+)?$")


def is_length_word(word: str) -> bool:
    """Whether a word of a shape is the name of a length that inputs may share."""
    return _LENGTH.search(word) is not None


def find_documented_shape(text: str, argument: str) -> tuple[str, ...] | None:
    """Return the words of an argument's shape: names, numbers, products; None where a docstring states none."""
    return next(_list_shapes(text, argument), None)


def list_documented_entries(text: str, argument: str) -> list[str]:
    """Return the lines of a docstring about an argument."""
    return [found.group() for found in re.finditer(_ENTRY.format(name=re.escape(argument)), text, re.MULTILINE)]


def _list_shapes(text: str, argument: str) -> Iterator[tuple[str, ...]]:
    for entry in list_documented_entries(text, argument):
        stated = [found[1] for found in _STATED.finditer(entry)]
        stated += [found[1] for found in _BRACKETS.finditer(entry) if re.search(r"[A-Za-z]", found[1])]
        stated += [found[1] for found in _IN_PARENTHESES.finditer(entry)]
        for words in stated[:1]:
            yield tuple(word.strip() for word in words.split(",") if word.strip())
