"""The documented shapes and kinds of arguments, and the arguments that a model requires.

A docstring's entry reads ``name (`torch.LongTensor` of shape `(batch_size, num_choices)`, *optional*):``, and an argument
that has a default of None is still needed where ``forward`` raises for it. Classes of one file share their arguments, so
the entries of the others count where a class has none of its own.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from types import MappingProxyType

from dummyio.generators.base.model_facts import ArgumentFacts, Kind
from dummyio.huggingface.source.forward_signatures import forward_parameters, forward_source, module_source

_ENTRY = re.compile(r"^ *(\w+) \((`[^\n]*|[^\n]*[Tt]ensor[^\n]*)", re.MULTILINE)
_SHAPE = re.compile(r"(?:of |with )?shape:? *`?\(([^()`]*(?:\([^()`]*\)[^()`]*)*)\)")
_CODE_SHAPE = re.compile(r"tensor of shape \(([\w, .]*)\)")
_RANK_CHECK = re.compile(r"\b(\w+)\.(?:ndim|dim\(\)) *!=")
_REFUSAL = re.compile(r"^ {8}if (\w+) is None:\n +raise ", re.MULTILINE)
_DEFAULT = re.compile(r"^ {8}if (\w+) is None:\n +\1 = ", re.MULTILINE)
_UNIT_DRAW = re.compile(r"^ +(\w+) = torch\.rand\(", re.MULTILINE)
_COMMENTS = re.compile(r"\"{3}.*?\"{3}|#[^\n]*", re.DOTALL)
_READ = re.compile(
    r"(?<![\w.])(\w+)(?:\.(?:shape|size|sum|to|device|dtype|bool|long|float|view|flatten|unsqueeze)\b|\[)"
)
_LOOK = re.compile(
    r"(?<![\w.])(\w+) (?:is|if|else|or|and)\b|\b(?:if|not|and|or) (\w+)\b|^ +(\w+)(?:, \w+)* = (?!\(\s*\3\[)",
    re.MULTILINE,
)
"""Where a name is compared with None, or assigned anything but a part of itself."""
_GIVEN = re.compile(r"(?<![\w.])(\w+) is not None\b")
_USUAL = {"inputs": ("batch_size", "sequence_length", "d_model")}
"""Shapes of arguments without which nothing runs, where no text says them."""
_ALTERNATIVE = re.compile(r"label|_embeds$|_embeddings$|^past_|^cache|^encoder_(?:outputs|hidden)")
"""Arguments that a model refuses to miss only if others are missing too, or that are not data."""
_BODY = 6
"""Lines of an entry that may say its shape, where its head does not."""


@lru_cache(maxsize=512)
def read_documented_arguments(class_name: str, model_type: str | None = None) -> Mapping[str, ArgumentFacts]:
    """Give what the text says of each argument of a class: argument → its kind and shape, where either is known."""
    own = forward_source(class_name, model_type)
    # The first class of a file that takes an argument is the bare model; later ones add an axis of choices and the like.
    texts = [*reversed(list(module_source(class_name, model_type).values())), own]
    shapes = {name: shape for text in texts for name, shape in _entries(text)}
    demands = [_demands(text) for text in texts]
    drawn = {name for text in texts for name in _matches(_UNIT_DRAW, text)}
    found: dict[str, ArgumentFacts] = {}
    for parameter in forward_parameters(class_name, model_type):
        shape = (
            next((demanded[parameter.name] for demanded in demands if parameter.name in demanded), None)
            or shapes.get(parameter.name, ("", None))[1]
            or _alike(parameter.name, shapes)
        )
        if shape is None and not parameter.has_default:
            shape = _USUAL.get(parameter.name)
        kind = _kind(parameter.annotation) or _kind(shapes.get(parameter.name, ("", None))[0])
        if shape is not None or kind is not None:
            found[parameter.name] = ArgumentFacts(kind, shape, drawn_below_one=parameter.name in drawn)
    return MappingProxyType(found)


def find_required_arguments(offered: Iterable[str], class_name: str, model_type: str | None = None) -> frozenset[str]:
    """Name those of the arguments without which some ``forward`` of the class's file raises, and for which none has a value.

    So are those that the class's own ``forward`` reads without a look whether they are given.
    """
    needed = _refused(class_name, model_type) | _read_unchecked(class_name, model_type)
    return frozenset(name for name in offered if name in needed and not _ALTERNATIVE.search(name))


@lru_cache(maxsize=512)
def find_optional_arguments(class_name: str, model_type: str | None = None) -> frozenset[str]:
    """Name the arguments of which a class's own ``forward`` looks whether they are given."""
    return frozenset(_GIVEN.findall(_COMMENTS.sub("", forward_source(class_name, model_type))))


@lru_cache(maxsize=512)
def _read_unchecked(class_name: str, model_type: str | None) -> frozenset[str]:
    body = _COMMENTS.sub("", forward_source(class_name, model_type))
    looked_at: dict[str, int] = {}
    for use in _LOOK.finditer(body):
        looked_at.setdefault(next(name for name in use.groups() if name), use.start())
    return frozenset(
        read.group(1)
        for read in _READ.finditer(body)
        if read.start() < looked_at.get(read.group(1), len(body))
        and f"{read.group(1)} is" not in _line_at(body, read.end())
    )


def _line_at(text: str, place: int) -> str:
    end = text.find("\n", place)
    return text[text.rfind("\n", 0, place) + 1 : end if end >= 0 else None]


@lru_cache(maxsize=512)
def _refused(class_name: str, model_type: str | None) -> frozenset[str]:
    texts = module_source(class_name, model_type).values()
    refused, replaced = ({name for text in texts for name in _matches(use, text)} for use in (_REFUSAL, _DEFAULT))
    return frozenset(refused - replaced)


# Classes of one file share its texts: each is searched once, not once for each class that is described.
@lru_cache(maxsize=4096)
def _matches(pattern: re.Pattern[str], text: str) -> frozenset[str]:
    return frozenset(pattern.findall(text))


@lru_cache(maxsize=2048)
def _entries(text: str) -> tuple[tuple[str, tuple[str, tuple[str, ...] | None]], ...]:
    """List the entries of docstrings: argument, the type as written, and the words of its shape."""
    return tuple(_read_entries(text))


def _read_entries(text: str) -> Iterator[tuple[str, tuple[str, tuple[str, ...] | None]]]:
    for match in _ENTRY.finditer(text):
        name, head = match.groups()
        body = "\n".join(text[match.start() :].split("\n", _BODY)[:_BODY])
        following = _ENTRY.search(body, len(match.group()))
        shape = _SHAPE.search(head) or _SHAPE.search(body[: following.start()] if following else body)
        yield name, (head, _words(shape.group(1)) if shape else None)


@lru_cache(maxsize=2048)
def _demands(text: str) -> Mapping[str, tuple[str, ...]]:
    """Give the shapes that error messages demand where an argument's rank is checked: argument → words of its shape."""
    found: dict[str, tuple[str, ...]] = {}
    for check in _RANK_CHECK.finditer(text):
        demand = _CODE_SHAPE.search(text, check.end())
        if demand is not None:
            found.setdefault(check.group(1), _words(demand.group(1)))
    return MappingProxyType(found)


def _alike(name: str, shapes: Mapping[str, tuple[str, tuple[str, ...] | None]]) -> tuple[str, ...] | None:
    """Give the shape of the ids that an argument's name begins like: `entity_start_positions` has that of `entity_ids`."""
    head, _, rest = name.partition("_")
    return shapes.get(f"{head}_ids", ("", None))[1] if rest.endswith(("mask", "positions", "ids")) else None


def _words(shape: str) -> tuple[str, ...]:
    return tuple(word for part in shape.split(",") if (word := part.partition(" (")[0].strip()))


def _kind(text: str) -> Kind | None:
    """Give the kind that a type's name says; a plain tensor may be anything."""
    kinds: tuple[tuple[str, Kind], ...] = (
        ("BoolTensor", "bool"),
        ("LongTensor", "int"),
        ("IntTensor", "int"),
        ("FloatTensor", "float"),
    )
    return next((kind for word, kind in kinds if word in text), None)
