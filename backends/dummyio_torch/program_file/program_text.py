"""The dangers in the JSON of an exported program.

PyTorch evaluates the sizes and guards in it as Python code, puts its names into the source text of a module that it compiles, and
looks up its operators as attributes of the package ``torch``. So each string must be what its place requires, a name by default,
and no string may stand where a number is due.
"""

import dataclasses
import json
import keyword
import re
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from torch._export.serde import schema
from torch._export.serde.serialize import _dict_to_dataclass
from torch._export.serde.union import _Union

from dummyio_torch.program_file.expressions import NotArithmetic, check_guard, check_size_expression
from dummyio_torch.program_file.literals import find_large_numbers
from dummyio_torch.program_file.operators import is_plain_operator

_NAME = re.compile(r"[^\"'\\\x00-\x1f\x7f{}]{0,1000}")
"""Names of weights and modules: they stand between quotes in the text that PyTorch compiles."""
_COUNTED = re.compile(r"(?:u|zuf|zf|s)\d{7,}")
"""Symbols with a large number: PyTorch counts up to it."""
_SHOWN = 80
_LITERALS = ("as_string", "as_strings")


def parse_program(content: bytes) -> schema.ExportedProgram:
    """Return an exported program as PyTorch parses it; any exception if it does not."""
    program: schema.ExportedProgram = _dict_to_dataclass(schema.ExportedProgram, json.loads(content.decode("utf-8")))
    return program


def parse_weight_table(content: bytes) -> schema.PayloadConfig:
    """Return the table of weights or constants as PyTorch parses it; any exception if it does not."""
    table: schema.PayloadConfig = _dict_to_dataclass(schema.PayloadConfig, json.loads(content.decode("utf-8")))
    return table


def find_text_dangers(part: Any) -> Iterator[str]:
    """Yield what a parsed program or table contains beyond names, numbers that are not huge, sizes, and operators that compute."""
    yield from _check_fields(part)


def _check_fields(part: Any) -> Iterator[str]:
    kind: Any = type(part)
    hints = _list_field_types(kind)
    is_union, is_plain = isinstance(part, _Union), True
    for field in [str(part.type)] if is_union else list(hints):
        for danger in _check_value(getattr(part, field), hints[field], kind.__name__, field):
            is_plain = False
            yield danger
    if isinstance(part, schema.Graph) and is_plain:
        yield from find_large_numbers(part)


@lru_cache(maxsize=128)
def _list_field_types(kind: Any) -> dict[str, Any]:
    hints = typing.get_type_hints(kind, globalns=dict(vars(schema)))
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}


def _check_value(value: Any, expected: Any, kind: str, field: str) -> Iterator[str]:
    origin, parts = typing.get_origin(expected), typing.get_args(expected)
    if origin in (typing.Union, types.UnionType):
        if value is not None:
            yield from _check_value(value, parts[0], kind, field)
    elif origin is list and isinstance(value, (list, tuple)):
        for item in value:
            yield from _check_value(item, parts[0], kind, field)
    elif origin is dict and isinstance(value, Mapping):
        yield from () if _RULES.get((kind, field)) is _accept else _check_keys(value)
        for item in value.values():
            yield from _check_value(item, parts[1], kind, field)
    else:
        yield from _check_single_value(value, expected, kind, field)


def _check_single_value(value: Any, expected: Any, kind: str, field: str) -> Iterator[str]:
    is_part = bool(dataclasses.is_dataclass(expected))  # `bool`: else the type of `expected` is narrowed
    if is_part and isinstance(value, expected):
        operand = kind == "NamedArgument" and field == "arg" and str(getattr(value, "type", "")) in _LITERALS
        if not operand:  # text that an operator takes is passed on as a literal
            yield from _check_fields(value)
    elif expected is str and isinstance(value, str):
        yield from _check_text(value, kind, field)
    elif not (isinstance(value, (int, float)) and issubclass(expected, (int, float))):
        yield f"a {type(value).__name__} in place of {expected.__name__} ({kind}.{field})"


def _check_keys(value: Mapping[Any, Any]) -> Iterator[str]:
    for key in value:
        yield from _check_text(key, "", "")


def _check_text(text: str, kind: str, field: str) -> Iterator[str]:
    reason = _RULES.get((kind, field), _check_name)(text)
    if reason is not None:
        yield f"{reason} ({text[:_SHOWN]!r})"


def _accept(_: str) -> str | None:
    return None


def _check_name(text: str) -> str | None:
    if _COUNTED.fullmatch(text):
        return "a symbol whose number is too large"
    return None if _NAME.fullmatch(text) else "a name with quotes or control characters"


def _check_identifier(text: str) -> str | None:
    is_identifier = not text or (text.isidentifier() and not keyword.iskeyword(text))
    return None if is_identifier else "Python code in place of a name"


def _check_size(text: str) -> str | None:
    return _check_expression(check_size_expression, text, "a size")


def _check_guard(text: str) -> str | None:
    return _check_expression(check_guard, text, "a guard")


def _check_expression(check: Callable[[str], None], text: str, what: str) -> str | None:
    try:
        check(text)
    except NotArithmetic as reason:
        return f"{what} with {reason}"
    return None


def _check_operator(text: str) -> str | None:
    return None if is_plain_operator(text) else "the operator"


def _check_nesting(text: str) -> str | None:
    """Refuse a nest of inputs that imports a module while it is read: of enums, and of dicts with a default."""
    try:
        pending: list[Any] = [json.loads(text)]
        while pending:
            part = pending.pop()
            if isinstance(part, str):
                if part.strip()[:1] in ("{", "[", '"'):  # a context is JSON in a string in JSON
                    pending.append(json.loads(part))
                elif _NAME.fullmatch(part) is None:
                    return "a name with quotes or control characters"
            elif isinstance(part, list):
                pending += part
            elif isinstance(part, dict):
                if "__enum__" in part or "default_factory_module" in part:
                    return "an import of a module"
                pending += [*part, *part.values()]
    except (ValueError, RecursionError):
        return "nested inputs that are not JSON"
    return None


_IDENTIFIERS = (
    *((kind, "name") for kind in ("TensorArgument", "TokenArgument", "GraphArgument", "CustomObjArgument")),
    *((kind, "as_name") for kind in ("SymIntArgument", "SymFloatArgument", "SymBoolArgument")),
    ("Node", "name"),
    ("NamedArgument", "name"),
    ("InputToConstantInputSpec", "name"),
    ("ModuleCallSignature", "forward_arg_names"),
    ("NamedTupleDef", "field_names"),
)
_RULES: Mapping[tuple[str, str], Callable[[str], str | None]] = {
    ("SymExpr", "expr_str"): _check_size,
    ("ExportedProgram", "guards_code"): _check_guard,
    ("Node", "target"): _check_operator,
    ("Argument", "as_operator"): _check_operator,
    ("ModuleCallSignature", "in_spec"): _check_nesting,
    ("ModuleCallSignature", "out_spec"): _check_nesting,
    **dict.fromkeys(_IDENTIFIERS, _check_identifier),
    # Notes, which are not evaluated.
    ("Node", "metadata"): _accept,
    ("GraphModule", "metadata"): _accept,
    ("ExportedProgram", "torch_version"): _accept,
}
"""(class, field) of the schema → the reason to refuse a string there."""
