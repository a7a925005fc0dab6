"""What the `forward` of a model class returns without being asked for more: the fields of its output, in their order.

The fields stand in the class of the output, whose order is that of a flattened result. Which of them get a value is read from the
last `return`: a constant None gets none, what the hidden states and attentions of all layers are for is only kept on request, and a
value of a part is there if that part returns it.
"""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import zip_longest
from typing import Literal, TypeAlias

from dummyio.huggingface.source.auto_tables import class_source
from dummyio.huggingface.source.class_lookup import ClassSource, base_classes, resolve_class
from dummyio.huggingface.source.evaluator import Expression, Function
from dummyio.huggingface.source.forward_signatures import ClassMethods, parameters_of
from dummyio.huggingface.source.functions import find_makers
from dummyio.huggingface.source.statements import parse_method

Kind: TypeAlias = Literal["tensor", "tensors", "cache", "output"]

_REQUESTED = ("hidden_states", "attentions", "attention", "router_logits", "attention_mask")
"""Endings of fields of many tensors that a model keeps only if its caller asks for them."""
_MEDIA: Mapping[str, frozenset[str]] = {
    "image": frozenset({"pixel_values"}),
    "video": frozenset({"pixel_values_videos"}),
    "audio": frozenset({"input_features", "input_values"}),
}
"""Key under which a model keeps what its encoder made of a medium → the arguments with that medium."""
_DEEPEST = 6


@dataclass(frozen=True, slots=True)
class ReturnedField:
    """One field of what a model returns."""

    name: str
    kind: Kind
    sure: bool = True
    """Whether the text shows that it gets a value."""
    inner: tuple["ReturnedField", ...] = ()
    """The fields of a field that is an output itself."""


@dataclass(frozen=True, slots=True)
class _Method:
    """A `forward`, the class that it is of, and the arguments that are fed."""

    owner: ClassSource
    body: Function
    fed: frozenset[str]
    switches: frozenset[tuple[str, bool]]
    """Attributes of the configuration that are True or False."""
    depth: int
    known: Mapping[str, bool | None] = field(default_factory=dict)
    """Names whose value is being found out → whether it has been given one so far."""
    line: int | None = None
    """The line up to which assignments count: that of a condition, whose names have what they were assigned before it."""
    before: Mapping[str, int] = field(default_factory=dict)
    """Names whose value is being read → the number of its assignments that come before."""


@lru_cache(maxsize=512)
def returned_fields(
    class_name: str, model_type: str | None, fed: frozenset[str], switches: frozenset[tuple[str, bool]] = frozenset()
) -> tuple[ReturnedField, ...] | None:
    """Return the fields that a class returns; None if its text does not tell.

    `fed` are the arguments that get a value, `switches` the attributes of the configuration that are True or False.
    """
    found = class_source(class_name, model_type)
    return None if found is None else _read_class(found, fed, switches, 0)


def _read_class(
    owner: ClassSource, fed: frozenset[str], switches: frozenset[tuple[str, bool]], depth: int
) -> tuple[ReturnedField, ...] | None:
    body = ClassMethods(owner).body("forward") if depth < _DEEPEST else None
    if body is None:
        return None
    defining = next((base for base in base_classes(owner) if "    def forward(" in base.text), owner)
    method = _Method(replace(owner, path=defining.path), body, fed, switches, depth)
    results = [node.value for node in ast.walk(body) if isinstance(node, ast.Return) and node.value is not None]
    found = [fields for value in results if (fields := _read_value(value, method)) is not None]
    return found[-1] if found else None


def _read_value(value: Expression, method: _Method) -> tuple[ReturnedField, ...] | None:
    """Return the fields of an expression whose value is an output of a model; None for any other."""
    match value:
        case ast.Name(id=name):
            return _read_name(name, method)
        case ast.Call(func=ast.Name(id=name)):
            output = resolve_class(method.owner.path, name) if "Output" in name or "Outputs" in name else None
            return tuple(_read_output(value, output, method)) if output else None
        case ast.Call(func=ast.Attribute(value=ast.Name(id="self"), attr=part)):
            return _read_part(part, value, method)
        case ast.Call(func=ast.Attribute(value=ast.Call(func=ast.Name(id="super")), attr="forward")):
            bases = (base for base in base_classes(method.owner)[1:] if "    def forward(" in base.text)
            base = next(bases, None)
            return None if base is None else _read_class(base, method.fed, method.switches, method.depth + 1)
        case _:
            return None


def _read_name(name: str, method: _Method) -> tuple[ReturnedField, ...] | None:
    """Return the fields of the last output that a name is assigned."""
    values = _assignments(method.body, name)[: method.before.get(name)]
    for place in reversed(range(len(values))):
        found = _read_value(values[place][0], replace(method, before={**method.before, name: place}))
        if found is not None:
            return found
    return None


def _read_part(part: str, call: ast.Call, method: _Method) -> tuple[ReturnedField, ...] | None:
    """Return the fields that a part of a model returns, or a method of the model of that name."""
    fed = frozenset(word.arg for word in call.keywords if word.arg and not _is_none(word.value))
    for base in base_classes(method.owner):
        for maker in find_makers(base.text, part):
            found = None if maker.from_table else resolve_class(base.path, maker.class_name)
            if found is not None:
                return _read_class(found, fed | method.fed, method.switches, method.depth + 1)
    return None


def _read_output(call: ast.Call, output: ClassSource, method: _Method) -> Iterator[ReturnedField]:
    fields = _fields_of(output)
    values = {name: value for name, value in zip_longest(list(fields)[: len(call.args)], call.args) if name}
    values |= {word.arg: word.value for word in call.keywords if word.arg}
    for name, annotation in fields.items():
        value = values.get(name)
        kind = _kind_of(annotation)
        if value is None or _is_none(value) or (kind == "tensors" and _is_requested(name)):
            continue
        if name == "loss" and "labels" in _parameters(method.body) - method.fed:
            continue
        inner = (_read_value(value, method) or ()) if kind == "output" else ()
        given = True if kind == "cache" else _is_given(value, method)
        if kind == "output" and not inner:
            given = None if given else given
        if given is not False:
            yield ReturnedField(name, kind, given is True, inner)


def _fields_of(output: ClassSource) -> Mapping[str, str]:
    """Return the fields of an output, those of its base classes first: name → annotation."""
    found: dict[str, str] = {}
    for base in reversed(base_classes(output)):
        tree = ast.parse(base.text).body[0]
        for node in tree.body if isinstance(tree, ast.ClassDef) else ():
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                found[node.target.id] = ast.unparse(node.annotation)
    return found


def _is_requested(name: str) -> bool:
    """Whether a model fills a field only if its caller asks for it; the features of media are always returned."""
    return name.endswith(_REQUESTED) and not name.startswith(("image_", "video_", "audio_"))


def _kind_of(annotation: str) -> Kind:
    if "Cache" in annotation:
        return "cache"
    if "tuple" in annotation.lower() or "list" in annotation.lower():
        return "tensors"
    return "output" if "Output" in annotation else "tensor"


def _is_none(value: Expression) -> bool:
    return isinstance(value, ast.Constant) and value.value is None


def _is_given(value: Expression, method: _Method) -> bool | None:
    """Return whether an expression has a value that is not None; None if the text does not tell."""
    match value:
        case ast.Constant(value=None) | ast.Tuple(elts=[]):
            return False
        case ast.IfExp(test=test, body=body, orelse=otherwise):
            holds = _holds(test, method)
            if holds is None:
                both = {_is_given(body, method), _is_given(otherwise, method)}
                return both.pop() if len(both) == 1 else None
            return _is_given(body if holds else otherwise, method)
        case ast.Name(id=name):
            return _is_name_given(name, method)
        case ast.Attribute(value=ast.Name(id=name), attr=attr) if name != "self":
            return _has_field(name, attr, method)
        case _:
            return True


def _is_name_given(name: str, method: _Method) -> bool | None:
    if name in method.known:
        return method.known[name]
    is_parameter = name in _parameters(method.body)
    everywhere = _assignments(method.body, name)
    assigned = [each for each in everywhere if method.line is None or each[0].lineno < method.line]
    given: bool | None = name in method.fed if is_parameter else not everywhere
    for value, tests in assigned:
        so_far = replace(method, known={**method.known, name: given})
        runs = [_agrees(test, wanted, so_far) for test, wanted in tests]
        if False in runs:
            continue
        found = None if _is_unpacked(value) and _is_compared(name, method.body) else _is_given(value, so_far)
        given = found if None not in runs or found == given else None
    return given


def _is_unpacked(value: Expression) -> bool:
    return isinstance(value, ast.Constant) and value.value is ...


def _is_compared(name: str, body: Function) -> bool:
    """Whether a function compares a name with None, so that it may be None."""
    return any(
        isinstance(node, ast.Compare)
        and isinstance(node.left, ast.Name)
        and node.left.id == name
        and _is_none(node.comparators[0])
        for node in ast.walk(body)
    )


def _agrees(test: Expression, wanted: bool, method: _Method) -> bool | None:
    holds = _holds(test, replace(method, line=test.lineno))
    return None if holds is None else holds == wanted


def _has_field(name: str, attr: str, method: _Method) -> bool | None:
    """Return whether an output under a name has a value in a field; None if the text does not tell."""
    fields = _read_name(name, method)
    if fields is None:
        return True if attr == "last_hidden_state" else None
    found = next((each for each in fields if each.name == attr), None)
    return False if found is None else found.sure or None


def _holds(test: Expression, method: _Method) -> bool | None:
    """Return whether a condition holds when only the fed arguments have a value; None if the text does not tell."""
    match test:
        case ast.Compare(
            left=ast.Call(func=ast.Attribute(attr="get"), args=[ast.Constant(value=str(medium))]),
            ops=[ast.Is() | ast.IsNot() as compared],
            comparators=[ast.Constant(value=None)],
        ) if medium in _MEDIA:
            return (not method.fed.isdisjoint(_MEDIA[medium])) == isinstance(compared, ast.IsNot)
        case ast.Compare(left=left, ops=[ast.Is() | ast.IsNot() as compared], comparators=[ast.Constant(value=None)]):
            given = _is_part_given(left, method) if _is_own(left) else _is_operand_given(left, method)
            return None if given is None else given == isinstance(compared, ast.IsNot)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            holds = _holds(operand, method)
            return None if holds is None else not holds
        case ast.BoolOp(op=operator, values=values):
            found = [_holds(value, method) for value in values]
            deciding = isinstance(operator, ast.Or)
            return deciding if deciding in found else None if None in found else not deciding
        case ast.Name(id="return_dict"):
            return True
        case ast.Name(id=name) if not _assignments(method.body, name):
            return None if name in method.fed or not _is_off(name, method.body) else False
        case ast.Attribute(
            value=ast.Attribute(value=ast.Name(id="self"), attr="config") | ast.Name(id="config"), attr=name
        ):
            return dict(method.switches).get(name)
        case _:
            return None


def _is_operand_given(value: Expression, method: _Method) -> bool | None:
    """Return whether the left side of a comparison with None has a value; None for calls and items, which may lack one."""
    return _is_given(value, method) if isinstance(value, (ast.Name, ast.Attribute)) else None


def _is_own(value: Expression) -> bool:
    return isinstance(value, ast.Attribute) and isinstance(value.value, ast.Name) and value.value.id == "self"


def _is_part_given(part: Expression, method: _Method) -> bool | None:
    """Return whether a model has a part, which its `__init__` may leave out; None if the text does not tell."""
    if method.depth or not isinstance(
        part, ast.Attribute
    ):  # what builds an inner model may ask for less than the default
        return None
    for base in base_classes(method.owner):
        init = parse_method(base.text, "__init__")
        values = [] if init is None else _attribute_values(init, part.attr)
        if init is not None and values:
            return _is_built(values[-1], replace(method, body=init, known={}, before={}))
    return None


def _attribute_values(init: Function, name: str) -> list[Expression]:
    return [
        node.value
        for node in init.body
        if isinstance(node, ast.Assign)
        and any(
            _is_own(target) and isinstance(target, ast.Attribute) and target.attr == name for target in node.targets
        )
    ]


def _is_built(value: Expression, method: _Method) -> bool | None:
    match value:
        case ast.IfExp(test=ast.Name(id=name), body=body, orelse=otherwise):
            found = next((each for each in parameters_of(method.body) if each.name == name), None)
            if found is None or not isinstance(found.default, bool):
                return None
            return not _is_none(body if found.default else otherwise)
        case ast.IfExp(test=test, body=body, orelse=otherwise):
            holds = _holds(test, method)
            return None if holds is None else not _is_none(body if holds else otherwise)
        case _:
            return not _is_none(value)


def _parameters(body: Function) -> frozenset[str]:
    return frozenset(parameter.name for parameter in parameters_of(body))


def _is_off(name: str, body: Function) -> bool:
    """Whether a parameter has a default that is false."""
    found = next((parameter for parameter in parameters_of(body) if parameter.name == name), None)
    return found is not None and found.has_default and not found.default and found.default is not ...


_Test: TypeAlias = tuple[Expression, bool]


def _assignments(body: Function, name: str) -> list[tuple[Expression, tuple[_Test, ...]]]:
    """Return the values that a name is assigned, in the order of the text, with the conditions around each."""
    return list(_iterate_assignments(body.body, name, ()))


def _iterate_assignments(
    statements: list[ast.stmt], name: str, tests: tuple[_Test, ...]
) -> Iterator[tuple[Expression, tuple[_Test, ...]]]:
    for node in statements:
        match node:
            case ast.Assign(targets=targets, value=value):
                yield from ((found, tests) for target in targets for found in _assigned_values(target, value, name))
            case ast.AnnAssign(target=ast.Name(id=found), value=value) if found == name and value is not None:
                yield value, tests
            case ast.If(test=test, body=body, orelse=otherwise):
                yield from _iterate_assignments(body, name, (*tests, (test, True)))
                yield from _iterate_assignments(otherwise, name, (*tests, (test, False)))
            case ast.For(body=body) | ast.With(body=body) | ast.While(body=body):
                yield from _iterate_assignments(body, name, tests)
            case _:
                pass


def _assigned_values(target: Expression, value: Expression, name: str) -> Iterator[Expression]:
    """Yield what a name gets in an assignment; an unknown constant for its part of a value that is not written out."""
    if isinstance(target, ast.Name) and target.id == name:
        yield value
    elif isinstance(target, ast.Tuple):
        parts = value.elts if isinstance(value, ast.Tuple) and len(value.elts) == len(target.elts) else None
        for place, part in enumerate(target.elts):
            unknown = ast.copy_location(ast.Constant(value=...), value)
            yield from _assigned_values(part, parts[place] if parts else unknown, name)
