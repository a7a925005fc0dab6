"""Values of expressions in source text, as far as they can be known without running the text.

`ast.literal_eval` stops at `3 * 2560`, `float("inf")` and `OrderedDict([*list(OTHER.items()), ("key", "value")])`, all
of which stand in configurations and tables.
"""

import ast
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

__all__ = ["constant", "evaluate"]

_ARITHMETIC: Mapping[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: lambda left, right: left + right,
    ast.Sub: lambda left, right: left - right,
    ast.Mult: lambda left, right: left * right,
    ast.Div: lambda left, right: left / right,
    ast.FloorDiv: lambda left, right: left // right,
}
_CONTAINERS: Mapping[type[ast.expr], Callable[[Iterable[Any]], Any]] = {
    ast.Tuple: tuple,
    ast.List: list,
    ast.Set: set,
}
_CALLABLES: Mapping[str, Callable[..., Any]] = {
    builtin.__name__: builtin for builtin in (OrderedDict, dict, float, frozenset, int, list, set, tuple)
}
_NO_NAMES: Mapping[str, Any] = MappingProxyType({})


def evaluate(node: ast.expr, names: Mapping[str, Any] = _NO_NAMES) -> Any:
    """Give the value of an expression over constants and the given names; ValueError where it needs anything else."""
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Tuple() | ast.List() | ast.Set():
            return _CONTAINERS[type(node)](_items(node.elts, names))
        case ast.Dict():
            return _dictionary(node, names)
        case ast.Name(id=name) if name in names:
            return names[name]
        case ast.UnaryOp() | ast.BinOp():
            return _arithmetic(node, names)
        case ast.Call():
            return _call(node, names)
        case _:
            raise _unknown(node)


def constant(node: ast.expr, *, otherwise: Any, names: Mapping[str, Any] = _NO_NAMES) -> Any:
    """Give the value of an expression over constants and the given names, or another value where it is not one."""
    try:
        return evaluate(node, names)
    except (ValueError, TypeError, ArithmeticError):  # the last two: constants that do not go together
        return otherwise


def _unknown(node: ast.expr) -> ValueError:
    return ValueError(f"{ast.unparse(node)}: not a constant expression")


def _items(nodes: Iterable[ast.expr], names: Mapping[str, Any]) -> list[Any]:
    """Evaluate the elements of a display; `*other` gives all of its own."""
    items: list[Any] = []
    for node in nodes:
        if isinstance(node, ast.Constant):  # nearly all of them in a table
            items.append(node.value)
        elif isinstance(node, ast.Starred):
            items += evaluate(node.value, names)
        else:
            items.append(evaluate(node, names))
    return items


def _dictionary(node: ast.Dict, names: Mapping[str, Any]) -> dict[Any, Any]:
    """Evaluate a dict display; `**other` has no key."""
    made: dict[Any, Any] = {}
    for key, value in zip(node.keys, node.values, strict=True):
        if key is None:
            made |= evaluate(value, names)
        else:
            made[evaluate(key, names)] = evaluate(value, names)
    return made


def _arithmetic(node: ast.UnaryOp | ast.BinOp, names: Mapping[str, Any]) -> float:
    """Evaluate a sum, difference, product, quotient or negative of numbers."""
    if isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
        return _ARITHMETIC[type(node.op)](_number(node.left, names), _number(node.right, names))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_number(node.operand, names)
    raise _unknown(node)


def _number(node: ast.expr, names: Mapping[str, Any]) -> float:
    """Evaluate an operand: a number, since text and lists could grow without bound."""
    match evaluate(node, names):
        case int() | float() as number:
            return number
        case _:
            raise _unknown(node)


def _call(node: ast.Call, names: Mapping[str, Any]) -> Any:
    """Evaluate the call of a builtin constructor, or of `.items()`, `.keys()`, `.values()` of a known mapping."""
    arguments = _items(node.args, names)
    keywords = _dictionary(
        ast.Dict(
            keys=[ast.Constant(word.arg) if word.arg else None for word in node.keywords],
            values=[word.value for word in node.keywords],
        ),
        names,
    )
    # Older tables subscript the constructor: OrderedDict[str, str]([...]).
    function = node.func.value if isinstance(node.func, ast.Subscript) else node.func
    match function:
        case ast.Name(id=name) if name in _CALLABLES:
            return _CALLABLES[name](*arguments, **keywords)
        case ast.Attribute(value=owner, attr="items" | "keys" | "values" as view) if not arguments:
            return getattr(evaluate(owner, names), view)()
        case _:
            raise _unknown(node)
