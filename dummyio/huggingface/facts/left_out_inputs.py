"""What a class makes of inputs that its caller leaves out, where classes differ: positions, and the ids of a decoder.

Both are read from the source text of the class's file, whose outer classes come last: they pass on what they made, so that the last
class that makes an input decides.
"""

import ast
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from dummyio.huggingface.source.forward_signatures import module_source
from dummyio.huggingface.source.statements import find_method, parse_method

_COUNTED = re.compile(r"\bcumsum\(")
_FILLED = re.compile(r"masked_fill_?\(.*?,\s*(-?\d+)\)")
_MULTIPLIED = re.compile(r"\* \w*mask - 1\b")
_ORDERED = re.compile(r"\barange\(|\bposition_ids\[")
_FIRST = re.compile(r"\bunsqueeze\(0\) \+ (\d+)$", re.MULTILINE)
_SHIFTED = re.compile(r"decoder_input_ids = shift_tokens_right\(\s*input_ids\s*,(?P<rest>[^()]*)\)")

Shift = Literal["start", "end"]
"""What comes before the ids, without the last of them: the token of the configuration, or the last id that is not padding."""


@dataclass(frozen=True)
class PositionRule:
    """How a class numbers the tokens of a row if it gets no positions."""

    by_mask: bool = False
    """Whether tokens that the padding mask hides are not counted."""

    hidden: int | None = None
    """The position of each hidden token, if tokens are counted by the mask; None for that of the token before it."""

    first: int = 0
    """The position of the first token."""


IN_ORDER = PositionRule()


@lru_cache(maxsize=256)
def read_position_rule(class_name: str, model_type: str | None = None) -> PositionRule | None:
    """Return how a class makes ``position_ids``; None if it makes them of something else than order and padding mask.

    A class that is not installed, or has no text that makes them, counts the tokens in order.
    """
    for text in reversed(_read_forwards(class_name, model_type)):
        made = _find_branch(text, "position_ids")
        if made is None:
            continue
        if _COUNTED.search(made):
            filled = _FILLED.search(made)
            hidden = int(filled[1]) if filled else -1 if _MULTIPLIED.search(made) else None
            return PositionRule(by_mask=True, hidden=hidden)
        if not _ORDERED.search(made):
            return None
        first = _FIRST.search(made)
        return PositionRule(first=int(first[1]) if first else 0)
    return IN_ORDER


@lru_cache(maxsize=256)
def read_shift(class_name: str, model_type: str | None = None) -> Shift | None:
    """Return how a class makes ``decoder_input_ids`` of ``input_ids``; None if it does not, so that a caller must give them."""
    for text in reversed(_read_forwards(class_name, model_type)):
        found = _SHIFTED.search(text)
        if found:
            return "start" if "decoder_start_token_id" in found["rest"] else "end"
    return None


def _read_forwards(class_name: str, model_type: str | None) -> tuple[str, ...]:
    texts = module_source(class_name, model_type).values()
    return tuple(found for text in texts if (found := find_method(text, "forward")))


def _find_branch(method: str, name: str) -> str | None:
    """Return the statements that a method runs if an argument is None; None if there are none."""
    body = parse_method(method, "forward") if f"{name} is None" in method else None
    for node in ast.walk(body) if body is not None else ():
        if isinstance(node, ast.If) and f"{name} is None" in ast.unparse(node.test):
            return "\n".join(map(ast.unparse, node.body))
    return None
