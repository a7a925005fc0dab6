"""Values of expressions in source text, as far as they can be known without running the text.

`ast.literal_eval` stops at `3 * 2560`, `float("inf")` and `OrderedDict([*list(OTHER.items()), ("key", "value")])`, all
of which stand in configurations and tables.
"""

from __future__ import annotations

import ast
import math
import operator
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

__all__ = ["Interpreter", "UnknownValueError", "evaluate", "evaluate_constant"]

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
_CONSTRUCTORS: Mapping[str, Callable[..., Any]] = {
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


def evaluate_constant(node: ast.expr, *, otherwise: Any, names: Mapping[str, Any] = _NO_NAMES) -> Any:
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
        case ast.Name(id=name) if name in _CONSTRUCTORS:
            return _CONSTRUCTORS[name](*arguments, **keywords)
        case ast.Attribute(value=owner, attr="items" | "keys" | "values" as view) if not arguments:
            return getattr(evaluate(owner, names), view)()
        case _:
            raise _unknown(node)


_LONGEST = 10_000
"""As long a list can get: configurations have hundreds of layers."""
_BINARY: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_UNARY: Mapping[type[ast.unaryop], Callable[[Any], Any]] = {ast.USub: operator.neg, ast.Not: operator.not_}
_COMPARED: Mapping[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
    ast.In: lambda left, right: left in right,
    ast.NotIn: lambda left, right: left not in right,
}
_CALLABLES: Mapping[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (bool, enumerate, float, int, len, list, max, min, range, set, sorted, sum, tuple, zip)
}
_OF_MATH: Mapping[str, Callable[..., Any]] = {"ceil": math.ceil, "floor": math.floor, "log2": math.log2}
_FAILURES = (TypeError, ValueError, ArithmeticError, LookupError, AttributeError)


class UnknownValueError(ValueError):
    """An expression needs what is not known here; its text, which takes long to write, is only written where it is read."""

    def __init__(self, what: ast.AST | str) -> None:
        """Take the expression, or a reason."""
        super().__init__(what)
        self.what = what

    def __str__(self) -> str:
        """Return the expression as text."""
        return self.what if isinstance(self.what, str) else ast.unparse(self.what)


class Interpreter:
    """Statements and expressions over a configuration's attributes.

    Parameters
    ----------
    attribute
        Gives the configuration's attributes by name, None where it has none.
    of_self
        Whether ``self`` is the configuration too: in its own methods, and not in those of a layer.
    """

    def __init__(self, attribute: Callable[[str], Any], *, of_self: bool) -> None:
        """Begin with nothing assigned."""
        self._attribute = attribute
        self._of_self = of_self
        self.names: dict[str, Any] = {}
        """What is assigned so far, by name; attributes of ``self`` as ``self.name``."""
        self._unknown: set[str] = set()

    def run(self, statements: Iterable[ast.stmt]) -> Any:
        """Run statements up to a ``return``, whose value is given; None where there is none, or it is not known."""
        try:
            return self._run(statements)
        except _ReturnedError as returned:
            return returned.value

    def value(self, node: ast.expr) -> Any:
        """Give the value of an expression; raise `UnknownValueError` where it needs what is not known."""
        try:
            return self._value(node)
        except UnknownValueError:
            raise
        except _FAILURES as error:
            raise UnknownValueError(node) from error

    def _run(self, statements: Iterable[ast.stmt]) -> None:
        for statement in statements:
            try:
                self._step(statement)
            except UnknownValueError:
                self._forget(statement)

    def _forget(self, statement: ast.stmt) -> None:
        """Make unknown whatever a statement assigns, for it could not be run."""
        if isinstance(statement, ast.Return):
            raise _ReturnedError(None)
        for node in ast.walk(statement):
            if isinstance(node, (ast.Name, ast.Attribute)) and isinstance(node.ctx, ast.Store):
                self._unknown.add(_text(node))
                self.names.pop(_text(node), None)

    def _step(self, statement: ast.stmt) -> None:
        match statement:
            case ast.Assign(targets=[target], value=value):
                self._assign(target, self.value(value))
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                self._assign(target, self.value(value))
            case ast.If(test=test, body=body, orelse=other):
                self._run(body if self.value(test) else other)
            case ast.For(target=target, iter=items, body=body):
                found = _short(self.value(items))
                if not isinstance(found, Iterable):
                    raise UnknownValueError(items)
                for item in found:
                    self._assign(target, item)
                    self._run(body)
            case ast.Return(value=ast.expr() as value):
                raise _ReturnedError(self.value(value))
            case ast.Expr() | ast.Pass() | ast.Assert() | ast.Raise():
                pass
            case _:
                raise UnknownValueError(statement)

    def _assign(self, target: ast.expr, value: Any) -> None:
        match target:
            case ast.Name() | ast.Attribute(value=ast.Name(id="self")):
                name = _text(target)
                self.names[name] = value
                self._unknown.discard(name)
            case ast.Tuple(elts=targets) if isinstance(value, (list, tuple)) and len(value) == len(targets):
                for each, item in zip(targets, value, strict=True):
                    self._assign(each, item)
            case ast.Subscript(value=owner, slice=place):
                found = self.value(owner)
                if not isinstance(found, (list, dict)):
                    raise UnknownValueError(target)
                try:
                    found[self.value(place)] = value
                except _FAILURES as error:
                    raise UnknownValueError(target) from error
            case _:
                raise UnknownValueError(target)

    def _value(self, node: ast.expr) -> Any:
        match node:
            case ast.Constant(value=value):
                return value
            case ast.Name(id=name):
                return self._named(name)
            case ast.Attribute():
                return self._of_object(node)
            case ast.List(elts=items) | ast.Tuple(elts=items) | ast.Set(elts=items):
                made = [self._value(item) for item in items]
                return made if isinstance(node, ast.List) else tuple(made) if isinstance(node, ast.Tuple) else set(made)
            case ast.ListComp() | ast.SetComp() | ast.GeneratorExp():
                items = list(self._made(node.elt, node.generators))
                return set(items) if isinstance(node, ast.SetComp) else items
            case ast.Subscript(value=owner, slice=place):
                return self._value(owner)[self._place(place)]
            case ast.Call():
                return self._call(node)
            case _:
                return self._operation(node)

    def _operation(self, node: ast.expr) -> Any:
        match node:
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
                return _short(_BINARY[type(op)](*self._factors(left, right)))
            case ast.UnaryOp(op=op, operand=operand) if type(op) in _UNARY:
                return _UNARY[type(op)](self._value(operand))
            case ast.BoolOp(op=op, values=values):
                return self._chosen(values, stop=isinstance(op, ast.Or))
            case ast.Compare(left=left, ops=[ast.In()], comparators=[ast.Name(id="kwargs")]):
                return self._attribute(str(self._value(left))) is not None
            case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _COMPARED:
                return _COMPARED[type(op)](self._value(left), self._value(right))
            case ast.IfExp(test=test, body=body, orelse=other):
                return self._value(body if self._value(test) else other)
            case _:
                raise UnknownValueError(node)

    def _factors(self, left: ast.expr, right: ast.expr) -> tuple[Any, Any]:
        """Return two operands; a list times a number must not get long before it is looked at."""
        pair = (self._value(left), self._value(right))
        for items, times in (pair, pair[::-1]):
            if isinstance(items, (list, tuple, str)) and isinstance(times, int) and len(items) * times > _LONGEST:
                raise UnknownValueError(f"a list of {len(items) * times} items")
        return pair

    def _chosen(self, values: list[ast.expr], *, stop: bool) -> Any:
        found: Any = None
        for value in values:
            found = self._value(value)
            if bool(found) is stop:
                break
        return found

    def _place(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Slice):
            return slice(*(self._value(part) if part else None for part in (node.lower, node.upper, node.step)))
        return self._value(node)

    def _named(self, name: str) -> Any:
        if name in self._unknown or name not in self.names:
            raise UnknownValueError(name)
        return self.names[name]

    def _of_object(self, node: ast.Attribute) -> Any:
        owner, name = _text(node.value), node.attr
        if owner in ("config", "self.config"):
            return self._attribute(name)
        full = f"self.{name}"
        if owner != "self" or full in self._unknown:
            raise UnknownValueError(node)
        if full in self.names:
            return self.names[full]
        if self._of_self:
            return self._attribute(name)
        raise UnknownValueError(full)

    def _made(self, element: ast.expr, generators: list[ast.comprehension]) -> Iterator[Any]:
        """Yield the items of a comprehension over one sequence."""
        if len(generators) != 1:
            raise UnknownValueError(element)
        (generator,) = generators
        for item in _short(self._value(generator.iter)):
            self._assign(generator.target, item)
            if all(self._value(condition) for condition in generator.ifs):
                yield self._value(element)

    def _call(self, node: ast.Call) -> Any:
        match node.func:
            case ast.Name(id="getattr") if len(node.args) in (2, 3):
                return self._with_default(node.args[1], node.args[2:])
            case ast.Attribute(value=ast.Name(id="kwargs"), attr="pop" | "get") if len(node.args) in (1, 2):
                return self._with_default(node.args[0], node.args[1:])
            case ast.Name(id=name) if name in _CALLABLES and not node.keywords:
                return _CALLABLES[name](*(_short(self._value(argument)) for argument in node.args))
            case ast.Attribute(value=ast.Name(id="math"), attr=name) if name in _OF_MATH:
                return _OF_MATH[name](*(self._value(argument) for argument in node.args))
            case _:
                raise UnknownValueError(node)

    def _with_default(self, name: ast.expr, otherwise: list[ast.expr]) -> Any:
        """Give a configuration's attribute that is asked for by a text, or what is given for the case without."""
        found = self._attribute(str(self._value(name)))
        return self._value(otherwise[0]) if found is None and otherwise else found


class _ReturnedError(Exception):
    """Ends the run of a method."""

    def __init__(self, value: Any) -> None:
        super().__init__()
        self.value = value


def _text(node: ast.AST) -> str:
    """Return an expression as text; names, which are most of them, at once."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=ast.Name(id=owner), attr=name):
            return f"{owner}.{name}"
        case _:
            return ast.unparse(node)


def _short(value: Any) -> Any:
    if isinstance(value, (list, tuple, set, range)) and len(value) > _LONGEST:
        raise UnknownValueError(f"a list of {len(value)} items")
    return value
