"""The arguments of a module's forward method, as its signature declares them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass, is_dataclass, replace
from typing import Any, Literal, get_type_hints

from torch import nn

from dummyio.errors import SourceError
from dummyio.sources.documented_shapes import find_documented_shape
from dummyio.sources.input_names import has_data_name, has_target_name
from dummyio.sources.wrapped_module import find_receiver

Form = Literal["tensor", "dict", "list", "tuple", "record", "setting", "unknown"]

_DOCUMENTED = re.MULTILINE | re.IGNORECASE
_DICT = re.compile(r"\b(dict|Dict|Mapping|MutableMapping|OrderedDict)\b")
_LIST = re.compile(r"\b(list|List|Sequence|Iterable|Collection)\b")
_TUPLE = re.compile(r"\b(tuple|Tuple)\b")
_PLAIN = re.compile(r"\b(int|bool|float|str|Literal|Enum|Callable|device|dtype|Generator)\b")


@dataclass(frozen=True)
class Argument:
    """One argument of a forward method."""

    name: str
    form: Form
    required: bool
    text: str
    """The annotation, as text; empty where there is none."""
    positional: bool = False
    keys: tuple[str, ...] = ()
    """The items of a container, if the annotation has them."""
    shape: tuple[str, ...] | None = None
    """The words of its shape in the docstring; None where that states none."""
    item: Argument | None = None
    """What each item of a list or tuple is, if that is a container again."""

    @property
    def can_be_data(self) -> bool:
        """Whether an argument may be data to feed, if a run asks for it: not a target, not a switch."""
        return not has_target_name(self.name) and self.form != "setting"

    @property
    def is_data(self) -> bool:
        """Whether an optional argument is data to feed by what is declared of it."""
        if not self.can_be_data:
            return False
        return self.form in {"tensor", "dict", "list", "tuple", "record"} or has_data_name(self.name)


def read_signature(module: nn.Module) -> inspect.Signature:
    """Return the signature of a module's forward method; raise `SourceError` if there is none."""
    try:
        return inspect.signature(module.forward)
    except (TypeError, ValueError) as error:
        schema = getattr(module.forward, "schema", None)  # of TorchScript, which has no Python signature
        if schema is not None:
            kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
            return inspect.Signature([inspect.Parameter(each.name, kind) for each in schema.arguments[1:]])
        raise SourceError(
            f"the forward method of {type(module).__name__} has no signature to read ({error}). Record calls of it with "
            "dummyio.capture, or describe its inputs by hand with InputSpec."
        ) from error


def list_arguments(module: nn.Module, given: Mapping[str, Any]) -> list[Argument]:
    """Return the arguments that can be inputs: all that are not `given`, and what a module inside takes of ``**kwargs``."""
    found = _list_own_arguments(module, given)
    receiver = find_receiver(module)
    if receiver is None:
        return found
    known = {*given, *(argument.name for argument in found)}
    more = list_arguments(receiver, given)
    return [*found, *(replace(each, required=False, positional=False) for each in more if each.name not in known)]


def _list_own_arguments(module: nn.Module, given: Mapping[str, Any]) -> list[Argument]:
    signature = read_signature(module)
    hints = _type_hints(module)
    parameters = signature.parameters.values()
    named = [each for each in parameters if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)]
    text = inspect.getdoc(module.forward) or ""
    found = [
        replace(_argument(each, _find_annotation(each, hints, text)), shape=find_documented_shape(text, each.name))
        for each in named
        if each.name not in given
    ]
    if not found and len(named) < len(parameters):
        raise SourceError(
            f"the forward method of {type(module).__name__} is {signature}: it names no argument. Record calls of the module "
            "with dummyio.capture, or describe its inputs by hand with InputSpec."
        )
    for argument in found:
        if argument.required and argument.form == "setting":
            raise SourceError(
                f"argument {argument.name!r} of {type(module).__name__} is not a tensor but {argument.text}, and has no default. "
                f"Give it: describe(model, {argument.name}=...); it is then not an input of the spec."
            )
    return found


def _type_hints(module: nn.Module) -> dict[str, Any]:
    try:
        return get_type_hints(module.forward)
    except Exception:  # noqa: BLE001 - annotations may name anything, or nothing that can be imported
        return {}


def _find_annotation(parameter: inspect.Parameter, hints: Mapping[str, Any], text: str) -> Any:
    """Return the annotation of an argument; without one, the container of tensors that the docstring states."""
    annotation = hints.get(parameter.name, parameter.annotation)
    if annotation is not inspect.Parameter.empty:
        return annotation
    stated = re.search(
        rf"^ *{re.escape(parameter.name)} ?\(((?:list|tuple|dict)\[[^)\n]*Tensor[^)\n]*)\)", text, _DOCUMENTED
    )
    return stated[1] if stated is not None else annotation


def _argument(parameter: inspect.Parameter, annotation: Any) -> Argument:
    text = "" if annotation is inspect.Parameter.empty else _text(annotation)
    required = parameter.default is inspect.Parameter.empty
    form = _form(text)
    if not required and (form == "unknown" or "Tensor" not in text) and parameter.default is not None:
        form = "setting"
    keys: tuple[str, ...] = ()
    if form == "dict" or (form == "unknown" and isinstance(getattr(annotation, "__annotations__", None), dict)):
        own = getattr(annotation, "__annotations__", {}) if issubclass(_class(annotation), dict) else {}
        keys, form = tuple(own), "dict" if own else form
    elif form in {"list", "tuple"}:
        keys = _list_places(text, form)
    if form == "unknown" and (fields := _list_tensor_fields(annotation)):
        form, keys = "record", fields
    positional = parameter.kind is parameter.POSITIONAL_ONLY
    return Argument(parameter.name, form, required, text, positional, keys, item=_find_item(parameter.name, form, text))


def as_container(argument: Argument) -> Argument:
    """Return an argument that may be a tensor or a dict as a dict; any other as it is."""
    is_union = argument.form == "tensor" and _DICT.search(argument.text) is not None
    return replace(argument, form="dict") if is_union else argument


def _list_places(text: str, form: Form) -> tuple[str, ...]:
    """Return the places of a list, which is taken to have two items, or of a tuple."""
    members = _list_members(text)
    return tuple(map(str, range(len(members) if form == "tuple" and "..." not in members and members else 2)))


def _find_item(name: str, form: Form, text: str) -> Argument | None:
    """Return the item of a list or tuple that holds lists or tuples; None for other arguments."""
    inner = next(iter(_list_members(text)), "") if form in {"list", "tuple"} else ""
    kind = _form(inner)
    if kind not in {"list", "tuple"}:
        return None
    return Argument(
        name, kind, required=True, text=inner, keys=_list_places(inner, kind), item=_find_item(name, kind, inner)
    )


def _list_members(text: str) -> list[str]:
    """Return the types in the brackets of a container."""
    inner = re.search(r"\[(.*)\]", text)
    return _list_alternatives(inner[1]) if inner is not None else []


def _list_tensor_fields(annotation: Any) -> tuple[str, ...]:
    """Return the fields of a record that have to be given, and are tensors: of a dataclass or a named tuple."""
    if not isinstance(annotation, type) or not (is_dataclass(annotation) or hasattr(annotation, "_fields")):
        return ()
    kinds = {name: _form(_text(hint)) for name, hint in getattr(annotation, "__annotations__", {}).items()}
    given = getattr(annotation, "_field_defaults", vars(annotation))  # what has a default may be left out
    return tuple(name for name, kind in kinds.items() if kind == "tensor" and name not in given)


def _class(annotation: Any) -> type:
    # A TypedDict is a class whose instances are dicts, but not a subclass of dict.
    if hasattr(annotation, "__total__"):
        return dict
    return annotation if isinstance(annotation, type) else object


def _text(annotation: Any) -> str:
    if isinstance(annotation, str):
        return annotation
    return (
        annotation.__name__ if isinstance(annotation, type) and not hasattr(annotation, "__args__") else str(annotation)
    )


def _form(text: str) -> Form:
    if not text:
        return "unknown"
    if any(re.fullmatch(r"[\w.]*Tensor", part) for part in _list_alternatives(text)):
        return "tensor"  # the simplest of the forms that it may have
    kinds: tuple[tuple[re.Pattern[str], Form], ...] = ((_DICT, "dict"), (_TUPLE, "tuple"), (_LIST, "list"))
    found: list[tuple[int, Form]] = [
        (match.start(), form) for pattern, form in kinds if (match := pattern.search(text))
    ]
    if found:
        return min(found, key=lambda each: each[0])[1]  # the outermost container
    if "Tensor" in text:
        return "tensor"
    return "setting" if _PLAIN.search(text) else "unknown"


def _list_alternatives(text: str) -> list[str]:
    """Return the members of a union."""
    inner = re.fullmatch(r"(?:typing\.)?(?:Union|Optional)\[(.*)\]", text)
    parts, depth = [""], 0
    for letter in inner[1] if inner is not None else text:
        depth += (letter in "[(") - (letter in "])")
        if letter in ",|" and not depth:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]
