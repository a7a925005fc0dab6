"""The values of Python source text, computed without running it.

`ast.literal_eval` stops at `3 * 2560`, `float("inf")` and `OrderedDict([*OTHER.items(), ("key", "value")])`, which stand in
configurations and tables, and at the arithmetic over attributes of a configuration in `__init__` and in properties.
"""

import ast
import math
import operator
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, TypeAlias

from dummyio.errors import SourceError

Expression: TypeAlias = ast.expr
Function: TypeAlias = ast.FunctionDef
AttributeReader: TypeAlias = Callable[[str, str], Any]
"""From the text of an object and the name of an attribute to its value; raises `UnknownValueError`."""

_LONGEST = 10_000
"""The longest list: configurations have hundreds of layers."""
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
_CONTAINERS: Mapping[type[ast.expr], Callable[[Iterable[Any]], Any]] = {
    ast.Tuple: tuple,
    ast.List: list,
    ast.Set: set,
    ast.ListComp: list,
    ast.SetComp: set,
    ast.GeneratorExp: list,
}
_CALLABLES: Mapping[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (
        *(OrderedDict, bool, dict, enumerate, float, frozenset, int, len, list, max, min, math.prod, range),
        *(set, sorted, sum, tuple, zip),
    )
}
_OF_MATH: Mapping[str, Callable[..., Any]] = {
    "ceil": math.ceil,
    "floor": math.floor,
    "log2": math.log2,
    "prod": math.prod,
}
_FAILURES = (TypeError, ValueError, ArithmeticError, LookupError, AttributeError)
_NO_NAMES: Mapping[str, Any] = MappingProxyType({})


class UnknownValueError(ValueError):
    """An expression needs a value that the evaluator does not have. Its text is only written if it is read."""

    def __init__(self, what: ast.AST | str) -> None:
        """Take the expression, or a reason."""
        super().__init__(what)
        self.what = what

    def __str__(self) -> str:
        """Return the expression as text."""
        return self.what if isinstance(self.what, str) else ast.unparse(self.what)


def _no_attribute(owner: str, name: str) -> Any:
    raise UnknownValueError(f"{owner}.{name}")


def attributes_of(read: Callable[[str], Any], *owners: str) -> AttributeReader:
    """Return a reader that reads the attributes of objects with these names, such as ``config``, by `read`."""

    def attribute(owner: str, name: str) -> Any:
        return read(name) if owner in owners else _no_attribute(owner, name)

    return attribute


def evaluate(node: Expression, names: Mapping[str, Any] = _NO_NAMES) -> Any:
    """Return the value of an expression over constants and the given names; raise `UnknownValueError` otherwise."""
    return node.value if isinstance(node, ast.Constant) else Evaluator(names).value(node)


def evaluate_constant(node: Expression, *, otherwise: Any, names: Mapping[str, Any] = _NO_NAMES) -> Any:
    """Return the value of an expression over constants and the given names, or another value if that is not known."""
    try:
        return evaluate(node, names)
    except UnknownValueError:
        return otherwise


def evaluate_text(text: str, names: Mapping[str, Any]) -> Any:
    """Return the value of an expression that is given as text; raise `UnknownValueError` if it is not known."""
    return evaluate(ast.parse(text, mode="eval").body, names)


def names_in_text(text: str) -> tuple[str, ...]:
    """Return the names in an expression that is given as text."""
    return tuple(node.id for node in ast.walk(ast.parse(text, mode="eval")) if isinstance(node, ast.Name))


class Evaluator:
    """Evaluates expressions and statements over values by name; `attribute` reads attributes of objects, such as a configuration."""

    def __init__(self, names: Mapping[str, Any] = _NO_NAMES, attribute: AttributeReader = _no_attribute) -> None:
        """Begin with these names."""
        self._attribute = attribute
        self.names = dict(names)
        """The values that are assigned so far, by name; attributes of ``self`` as ``self.name``."""
        self._unknown: set[str] = set()

    def run(self, statements: Iterable[ast.stmt]) -> Any:
        """Run statements up to a ``return``; return its value, or None if there is none or it is not known."""
        try:
            return self._run(statements)
        except _ReturnedError as returned:
            return returned.value

    def value(self, node: Expression) -> Any:
        """Return the value of an expression; raise `UnknownValueError` if it is not known."""
        try:
            return self._value(node)
        except (UnknownValueError, SourceError):  # an attribute of a wrong type is an error of the configuration
            raise
        except _FAILURES as error:
            raise UnknownValueError(node) from error

    def _run(self, statements: Iterable[ast.stmt]) -> None:
        for statement in statements:
            try:
                self._step(statement)
            except SourceError:
                raise
            except _FAILURES:
                self._forget(statement)

    def _forget(self, statement: ast.stmt) -> None:
        """Make unknown whatever a statement assigns, because it could not be run."""
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
                found[self.value(place)] = value
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
                return _CONTAINERS[type(node)](self._items(items))
            case ast.ListComp() | ast.SetComp() | ast.GeneratorExp():
                return _CONTAINERS[type(node)](self._comprehended(node.elt, node.generators))
            case ast.Subscript(value=owner, slice=place):
                return self._value(owner)[self._place(place)]
            case ast.Call():
                return self._call(node)
            case _:
                return self._operation(node)

    def _operation(self, node: ast.expr) -> Any:
        match node:
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
                return _calculate(_BINARY[type(op)], self._value(left), self._value(right))
            case ast.UnaryOp(op=op, operand=operand) if type(op) in _UNARY:
                return _UNARY[type(op)](self._value(operand))
            case ast.BoolOp(op=op, values=values):
                return self._chosen(values, stop=isinstance(op, ast.Or))
            case ast.Compare(left=left, ops=[ast.In()], comparators=[ast.Name(id="kwargs")]):
                return self._attribute("config", str(self._value(left))) is not None
            case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _COMPARED:
                return _COMPARED[type(op)](self._value(left), self._value(right))
            case ast.IfExp(test=test, body=body, orelse=other):
                return self._value(body if self._value(test) else other)
            case ast.Dict(keys=keys, values=values):
                return self._dictionary(zip(keys, values, strict=True))
            case _:
                raise UnknownValueError(node)

    def _items(self, nodes: Iterable[ast.expr]) -> list[Any]:
        """Return the elements of a display; `*other` gives all of its own."""
        items: list[Any] = []
        for node in nodes:
            if isinstance(node, ast.Constant):  # nearly all of them in a table
                items.append(node.value)
            elif isinstance(node, ast.Starred):
                items += self._value(node.value)
            else:
                items.append(self._value(node))
        return items

    def _dictionary(self, entries: Iterable[tuple[ast.expr | None, ast.expr]]) -> dict[Any, Any]:
        """Return the value of a dict display; `**other` has no key."""
        made: dict[Any, Any] = {}
        for key, value in entries:
            made |= self._value(value) if key is None else {self._value(key): self._value(value)}
        return made

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
        owner = _text(node.value)
        full = f"{owner}.{node.attr}"
        if full in self._unknown:
            raise UnknownValueError(node)
        return self.names[full] if full in self.names else self._attribute(owner, node.attr)

    def _comprehended(self, element: ast.expr, generators: list[ast.comprehension]) -> Iterator[Any]:
        """Yield the items of a comprehension over one sequence."""
        if len(generators) != 1:
            raise UnknownValueError(element)
        (generator,) = generators
        for item in _short(self._value(generator.iter)):
            self._assign(generator.target, item)
            if all(self._value(condition) for condition in generator.ifs):
                yield self._value(element)

    def _call(self, node: ast.Call) -> Any:
        # Older tables subscript the constructor: OrderedDict[str, str]([...]).
        match node.func.value if isinstance(node.func, ast.Subscript) else node.func:
            case ast.Name(id="getattr") if len(node.args) in (2, 3):
                return self._with_default(*node.args[1:])
            case ast.Attribute(value=ast.Name(id="kwargs"), attr="pop" | "get") if len(node.args) in (1, 2):
                return self._with_default(*node.args)
            case ast.Name(id=name) if name in _CALLABLES:
                words = self._dictionary((ast.Constant(w.arg) if w.arg else None, w.value) for w in node.keywords)
                return _CALLABLES[name](*map(_short, self._items(node.args)), **words)
            case ast.Attribute(value=ast.Name(id="math"), attr=name) if name in _OF_MATH:
                return _OF_MATH[name](*self._items(node.args))
            case ast.Attribute(value=owner, attr="items" | "keys" | "values" as view) if not node.args:
                return getattr(self._value(owner), view)()
            case _:
                raise UnknownValueError(node)

    def _with_default(self, name: ast.expr, default: ast.expr | None = None) -> Any:
        """Return the configuration attribute that a text names, or the default if there is none."""
        found = self._attribute("config", str(self._value(name)))
        return self._value(default) if found is None and default is not None else found


class _ReturnedError(Exception):
    """Ends the run of a function."""

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


def _calculate(operation: Callable[[Any, Any], Any], left: Any, right: Any) -> Any:
    """Return the result of an operation; a list times a number must not get long before its length is checked."""
    for items, times in ((left, right), (right, left)):
        if isinstance(items, (list, tuple, str)) and isinstance(times, int) and len(items) * times > _LONGEST:
            raise UnknownValueError(f"a list of {len(items) * times} items")
    if isinstance(left, str) and operation is operator.mod:  # formats a text, of any length
        raise UnknownValueError("a text")
    return _short(operation(left, right))


def _short(value: Any) -> Any:
    if isinstance(value, (list, tuple, set, range)) and len(value) > _LONGEST:
        raise UnknownValueError(f"a list of {len(value)} items")
    return value
