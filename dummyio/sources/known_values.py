"""The rule of an input that is looked up in a list of values: a vocabulary, the categories of an encoder."""

from collections.abc import Sequence
from typing import Any

from dummyio.spec.values import Choices, Rule, Strings

MOST_VALUES = 64
"""Values of a list that a rule names."""
_UNKNOWN_WORD = "unknown word"


def choose_known_values(values: Sequence[Any], *, takes_others: bool, is_text: bool = False) -> Rule:
    """Return the rule of values that a list has, and of one outside if the model takes such.

    Parameters
    ----------
    values
        Numbers or words, at least one.
    takes_others
        Whether the model takes values that are not in the list.
    is_text
        Whether an element is a text of several words.
    """
    known = tuple(dict.fromkeys(values))[:MOST_VALUES]
    if isinstance(known[0], str):
        words = (*known, *((_UNKNOWN_WORD,) if takes_others else ()))
        return Strings(words) if is_text else Choices(words)
    if not all(float(value).is_integer() for value in known):
        return Choices((*map(float, known), *((float(max(values)) + 1,) if takes_others else ())))
    outside = (max(map(int, values)) + 1,) if takes_others else ()
    return Choices((*map(int, known), *outside))
