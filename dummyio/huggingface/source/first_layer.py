"""Finds the first layer that an argument enters: its kind, and the number of features or ids that it takes.

The search follows the argument from ``forward`` through the methods that pass it on to the statement of ``__init__`` that makes
the layer, and on through the classes of the library that wrap one. Sizes are computed from the configuration.
"""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Literal, TypeAlias

from dummyio.huggingface.source.class_body import call_keywords
from dummyio.huggingface.source.class_lookup import base_classes, resolve_class
from dummyio.huggingface.source.evaluator import Evaluator, UnknownValueError
from dummyio.huggingface.source.forward_signatures import ClassMethods
from dummyio.huggingface.source.statements import parse_header

Kind: TypeAlias = Literal["linear", "conv1", "conv2", "conv3", "embedding", "norm"]

_LAYERS: Mapping[str, Kind] = {
    "Linear": "linear",
    "Conv1d": "conv1",
    "Conv2d": "conv2",
    "Conv3d": "conv3",
    "Embedding": "embedding",
    "LayerNorm": "norm",
    "RMSNorm": "norm",
}
_SIZES = ("in_features", "in_channels", "num_embeddings", "normalized_shape", "dim")
"""What the first parameter of such a layer is called."""
_SAME_RANK = ("pad", "cat", "concat")
"""Functions that lengthen a tensor and keep its axes."""
_SAME_SHAPE = ("to", "contiguous", "clone", "float", "type", "detach")
"""Methods of a tensor that keep its shape."""
_DEPTH = 8
"""Calls inside calls that are followed: more than any model of the library nests."""
_UNKNOWN = object()


class _ClassName(str):
    """The name of a class that is held under another one."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer, and how many features, channels or ids it takes; None if that is not known."""

    kind: Kind
    size: int | None


def first_layer(
    component: ClassMethods, settings: Mapping[str, Any], argument: str, method: str = "forward"
) -> Layer | None:
    """Return the first layer that an argument of a method enters; None if the text does not show it."""
    return _find_layer(component, settings, argument, method, _DEPTH)


def evaluate_size(text: str, settings: Mapping[str, Any]) -> int | None:
    """Return the value of an expression over the configuration, such as a product of sizes; None if it has none."""
    try:
        found = _evaluate(ast.parse(text, mode="eval").body, settings)
    except SyntaxError:  # prose
        return None
    return found if type(found) is int and found > 0 else None


def find_forwarding_calls(component: ClassMethods, argument: str, method: str) -> Iterator[tuple[str, str]]:
    """Yield the methods of the same class that an argument of a method is given to, with the name of their parameter."""
    for call, place in _calls_with(component, argument, method):
        match call.func:
            case ast.Attribute(value=ast.Name(id="self"), attr=name) if component.has(name):
                if inner := _parameter(component, name, place):
                    yield name, inner
            case _:
                pass


def _find_layer(
    component: ClassMethods, settings: Mapping[str, Any], argument: str, method: str, depth: int
) -> Layer | None:
    calls = _calls_with(component, argument, method) if depth else ()
    layers = (_layer_of_call(component, settings, call, place, depth) for call, place in calls)
    return next((layer for layer in layers if layer is not None), None)


def _calls_with(component: ClassMethods, argument: str, method: str) -> Iterator[tuple[ast.Call, int | str]]:
    """Yield the calls in a method that get an argument of it, and the position or keyword at which they get it."""
    body = component.body(method)
    names = {argument}
    for node in _in_order(body) if body else ():
        if isinstance(node, ast.Call):
            place = _find_argument_position(node, names)
            if place is not None:
                yield node, place
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            _follow_assignment(component, node.targets[0].id, node.value, names)


def _in_order(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the calls and assignments of a function in the order in which they run; of assignments those that always run."""
    for child in ast.iter_child_nodes(node):
        yield from (
            found for found in _in_order(child) if not (isinstance(node, ast.If) and isinstance(found, ast.Assign))
        )
    if isinstance(node, ast.Call | ast.Assign):
        yield node


def _find_argument_position(call: ast.Call, names: set[str]) -> int | str | None:
    """Return the position or the keyword at which a call has one of the names as an argument."""
    for position, value in enumerate(call.args):
        whole = value.value if isinstance(value, ast.Subscript) and _keeps_axes(value.slice) else value
        if isinstance(whole, ast.Name) and whole.id in names:
            return position
    for word in call.keywords:
        if isinstance(word.value, ast.Name) and word.value.id in names:
            return word.arg
    return None


def _keeps_axes(index: ast.expr) -> bool:
    """Whether an index takes a part along some axes, and so keeps them all: `x[:, :, :1]`."""
    return all(isinstance(item, ast.Slice) for item in (index.elts if isinstance(index, ast.Tuple) else [index]))


def _follow_assignment(component: ClassMethods, target: str, value: ast.expr, names: set[str]) -> None:
    """Follow an assignment: another name for the same, or a name that from here on is something else."""
    while isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.func.attr in _SAME_SHAPE:
        value = value.func.value
    if isinstance(value, ast.Name) and value.id in names:
        names.add(target)
    elif isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute):
        # A method of the model's own in which no layer was met prepares what is given to it.
        if not (
            value.func.attr in _SAME_RANK
            or (component.has(value.func.attr) and _find_argument_position(value, names) is not None)
        ):
            names.discard(target)
    elif not isinstance(value, ast.BinOp | ast.IfExp):  # arithmetic over numbers keeps the shape
        names.discard(target)


def _layer_of_call(
    component: ClassMethods, settings: Mapping[str, Any], call: ast.Call, place: int | str, depth: int
) -> Layer | None:
    """Return the first layer inside what is called: a method of the same class, or a module that it holds."""
    match call.func:
        case ast.Attribute(value=ast.Name(id="self"), attr=name):
            if component.has(name):
                inner = _parameter(component, name, place)
                return _find_layer(component, settings, inner, name, depth - 1) if inner else None
            made = (
                _layer_of_expression(component, value, known, place, depth)
                for value, known in _find_assignments(component, settings, name)
            )
            return next((layer for layer in made if layer is not None), None)
        case _:
            return None


def _parameter(component: ClassMethods, method: str, place: int | str) -> str | None:
    """Return the name of a method's parameter at a place."""
    parameters = component.parameters(method)
    if isinstance(place, str):
        return place
    return parameters[place].name if place < len(parameters) else None


def _find_assignments(
    component: ClassMethods, settings: Mapping[str, Any], name: str
) -> Iterator[tuple[ast.expr, Mapping[str, Any]]]:
    """Yield what is assigned to an attribute, with the values of all names that are known by then."""
    for owner in base_classes(component.source):
        for body in _initializers(ClassMethods(owner)):
            known: dict[str, Any] = dict(settings)
            for node in ast.walk(body):
                if not isinstance(node, ast.Assign):
                    continue
                for target in node.targets:
                    if isinstance(target, ast.Name):
                        known[target.id] = _class_name(node.value, known) or _evaluate(node.value, known)
                    elif isinstance(target, ast.Attribute) and target.attr == name:
                        yield node.value, known
                    elif isinstance(target, ast.Attribute):
                        known.setdefault(target.attr, _evaluate(node.value, known))


def _class_name(value: ast.expr, known: Mapping[str, Any]) -> _ClassName | None:
    """Return the name of the class that a setting chooses."""
    if isinstance(value, ast.IfExp) and isinstance(value.body, ast.Name) and isinstance(value.orelse, ast.Name):
        return _ClassName((value.body if _evaluate(value.test, known) is True else value.orelse).id)
    return None


def _initializers(component: ClassMethods) -> list[ast.FunctionDef]:
    """Return `__init__` and the methods that it leaves a part of its work to."""
    own = component.body("__init__")
    called = [
        node.func.attr
        for node in (ast.walk(own) if own else ())
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    ]
    bodies = [component.body(name) for name in called if name.startswith(("_init", "_set"))]
    return [body for body in (own, *bodies) if body is not None]


def _layer_of_expression(
    component: ClassMethods, value: ast.expr, known: Mapping[str, Any], place: int | str, depth: int
) -> Layer | None:
    """Return the layer that an expression makes, or the first one inside the class that it calls."""
    if isinstance(value, ast.IfExp):
        return _layer_of_expression(component, value.body, known, place, depth) or _layer_of_expression(
            component, value.orelse, known, place, depth
        )
    if not isinstance(value, ast.Call):
        return None
    match value.func:
        case ast.Attribute(attr="Sequential"):
            return next(
                (layer for item in value.args if (layer := _layer_of_expression(component, item, known, 0, depth))),
                None,
            )
        case ast.Attribute(value=ast.Name(id="nn"), attr=name) | ast.Name(id=name) if name in _LAYERS:
            return Layer(_LAYERS[name], _first_size(value, known))
        case ast.Name(id=name):
            chosen = known.get(name)
            source = resolve_class(component.source.path, chosen if isinstance(chosen, _ClassName) else name)
            if source is None and value.args:  # a function around a layer, such as one that normalizes its weights
                return _layer_of_expression(component, value.args[0], known, place, depth)
            return _layer_of_class(ClassMethods(source), value, known, place, depth - 1) if source and depth else None
        case _:
            return None


def _layer_of_class(
    component: ClassMethods, call: ast.Call, known: Mapping[str, Any], place: int | str, depth: int
) -> Layer | None:
    """Return the first layer inside a class of the library that is made with these arguments."""
    settings = _bind_arguments(component, call, known)
    header = parse_header(component.source.text)
    bases = [ast.unparse(base) for base in header.bases] if isinstance(header, ast.ClassDef) else []
    own: Kind | None = next((_LAYERS[b[3:]] for b in bases if b.startswith("nn.") and b[3:] in _LAYERS), None)
    if own is not None:
        sizes = (settings.get(name) for name in _SIZES)
        return Layer(own, next((size for size in sizes if isinstance(size, int) and size > 0), None))
    argument = _parameter(component, "forward", place)
    return _find_layer(component, settings, argument, "forward", depth) if argument else None


def _bind_arguments(component: ClassMethods, call: ast.Call, known: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a class's parameters in a call."""
    parameters = component.parameters("__init__")
    settings = {p.name: p.default for p in parameters if p.has_default and p.default is not ...}
    for parameter, value in zip_longest(parameters[: len(call.args)], call.args):
        if parameter is not None:
            settings[parameter.name] = _evaluate(value, known)
    settings |= {name: _evaluate(value, known) for name, value in call_keywords(call).items()}
    return {name: value for name, value in settings.items() if value is not _UNKNOWN}


def _first_size(call: ast.Call, known: Mapping[str, Any]) -> int | None:
    """Return the size that a layer is made with."""
    words = call_keywords(call)
    stated = call.args[0] if call.args else next((words[name] for name in _SIZES if name in words), None)
    found = _evaluate(stated, known) if stated is not None else None
    return found if isinstance(found, int) and not isinstance(found, bool) and found > 0 else None


def _evaluate(node: ast.expr, known: Mapping[str, Any]) -> Any:
    """Return the value of an expression over the configuration; a marker if it is not known."""

    def attribute(owner: str, name: str) -> Any:  # self.config.in_channels, self.inner_dim
        if known.get(name, _UNKNOWN) is _UNKNOWN:
            raise UnknownValueError(f"{owner}.{name}")
        return known[name]

    try:
        return Evaluator({k: v for k, v in known.items() if v is not _UNKNOWN}, attribute).value(node)
    except UnknownValueError:
        return _UNKNOWN
