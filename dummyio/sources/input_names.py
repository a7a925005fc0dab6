"""What an input's name says of it."""

from __future__ import annotations

import re

__all__ = ["get_name_prefix", "is_ids", "is_mask", "is_parallel_ids", "is_past", "strip_framework_parts"]

_MASK = re.compile(r"^(?P<affix>.*?)(attention_|input_|key_padding_|padding_)?mask$")
_NO_PADDING_MASK = re.compile(r"(head|pixel|pixel_attention|special_tokens|bool)_mask$")
_IDS = re.compile(r"^(?P<affix>.*?)(input_word_|input_|token_|word_)?(ids|tokens)$")
_OTHER_IDS = re.compile(r"(position_|pos_|token_type_|segment_|type_)ids$")
_PAST = re.compile(r"^(past|cache)(?!.*position)")


def strip_framework_parts(name: str) -> str:
    """Return an input's name without what frameworks put around it: scopes, output numbers, capitals."""
    return re.sub(r":\d+$", "", name).split("/")[-1].lower().removeprefix("serving_default_")


def is_mask(name: str) -> bool:
    """Whether an input is a padding mask, by its name."""
    plain = strip_framework_parts(name)
    return _MASK.match(plain) is not None and _NO_PADDING_MASK.search(plain) is None


def is_ids(name: str) -> bool:
    """Whether an input is ids of tokens, by its name."""
    plain = strip_framework_parts(name)
    return _IDS.match(plain) is not None and _OTHER_IDS.search(plain) is None


def is_parallel_ids(name: str) -> bool:
    """Whether an input counts along with the ids of tokens without being any: positions, types."""
    return _OTHER_IDS.search(strip_framework_parts(name)) is not None


def is_past(name: str) -> bool:
    """Whether an input is a part of a decoder's own past, by its name."""
    plain = strip_framework_parts(name)
    return _PAST.match(plain) is not None and not re.search(r"encoder|cross", plain)


def get_name_prefix(name: str) -> str:
    """Return what tells the masks and ids of one part of a model from those of another: ``decoder_`` or nothing."""
    plain = strip_framework_parts(name)
    found = _MASK.match(plain) or _IDS.match(_OTHER_IDS.sub("ids", plain))
    return found["affix"] if found else ""
