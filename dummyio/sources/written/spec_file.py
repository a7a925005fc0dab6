"""A spec that a person writes as YAML: inputs by name, each as ``int64[batch, seq]:0..30522`` or in words, and sizes of dims.

``docs/reference/spec-file.md`` has the form. The form of saved specs, with a key ``dummyio``, is read too.
"""

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from dummyio.errors import DimError, DTypeError, OptionError, SpecError, suggest_names
from dummyio.input_spec import InputSpec
from dummyio.sources.options import apply_sizes, check_options
from dummyio.sources.written.inputs import WrittenInput, build_spec, check_bounds, parse_axes, parse_input
from dummyio.sources.written.value_bounds import bound_values
from dummyio.sources.written.yaml_nodes import YamlNode, read_yaml
from dummyio.spec.dims import Dim
from dummyio.spec.dtypes import DType
from dummyio.spec.tensor_spec import TensorSpec
from dummyio.spec.values import Choices, Constant, Rule, Strings, Uniform
from dummyio.typing import Axes

T = TypeVar("T")

SUFFIXES = (".yaml", ".yml")
_TOP = ("inputs", "dims", "task")
_OF_INPUT = ("name", "dtype", "shape", "axes", "range", "min", "max", "choices", "value", "words", "values")
_OF_DIM = ("size", "min", "max", "multiple_of", "choices")
_RANGE = re.compile(r"\s*(?P<low>\S+?)\s*\.\.\s*(?P<high>\S+)\s*")
_PLACE = re.compile(r"\.(\w+)|\[(\d+)\]")
_LINE = re.compile(r", line \d+: ")
_RULES = ("value", "choices", "words", "values")


def describe_file(path: Path, dims: Mapping[str, Any] | None = None) -> InputSpec:
    """Return the spec of a YAML file.

    Parameters
    ----------
    path
        The file.
    dims
        Sizes by name, and the options of all readers; sizes count more than those of the file.

    Raises
    ------
    SpecError
        if the file is not a spec; the message names the line.
    OptionError
        if a name in `dims` is neither a dim nor an option.
    NotInstalledError
        without PyYAML.
    """
    root = read_yaml(path)
    if root.kind != "mapping":
        raise root.error("write a mapping at the top: inputs:, with a name and a dtype[axes] for each.")
    top = dict(root.items())
    if "dummyio" in top:
        return apply_sizes(_decode_saved(root), dims or {}, (), "spec")
    _check_keys(top, _TOP)
    if "inputs" not in top:
        raise root.error("the key inputs is missing: write inputs:, with a name and a dtype[axes] for each.")
    chosen, sizes = check_options(dims, ())
    nodes = dict(_list_inputs(top["inputs"]))
    written = {name: _read_input(name, node) for name, node in nodes.items()}
    spec = _call_at(top["inputs"], build_spec, written, chosen)
    leaves = {}
    for name, leaf in spec.leaves:
        leaves[name] = _call_at(nodes[name], _bound_input, name, leaf, nodes[name])
    task = top["task"].scalar() if "task" in top else None
    if task is not None and not isinstance(task, str):
        raise top["task"].error("a task is a word, such as fill-mask.")
    spec = _call_at(top["inputs"], InputSpec, leaves, task=task, provenance={"source": str(path)})
    if "dims" in top:
        spec = _define_dims(spec, top["dims"])
    return apply_sizes(spec, sizes, (), "spec")


def _decode_saved(root: YamlNode) -> InputSpec:
    """Return a spec in the form of saved ones; an error names the line of the place that it is about."""
    try:
        return InputSpec.from_json(json.dumps(root.plain()))
    except SpecError as error:
        node = root
        for key, place in _PLACE.findall(str(error).rpartition("`$")[2]):
            inner = dict(node.items()).get(key) if node.kind == "mapping" else None
            if node.kind == "sequence" and place:
                inner = next((part for number, part in enumerate(node.parts()) if number == int(place)), None)
            node = inner or node
        raise node.error(str(error)) from None


def _list_inputs(node: YamlNode) -> Iterator[tuple[str, YamlNode]]:
    """Yield name and description of each input: of a mapping, or of a list whose items have names."""
    if node.kind == "mapping":
        yield from node.items()
        return
    if node.kind != "sequence":
        raise node.error("inputs are a mapping of names: write name: dtype[axes] for each.")
    seen: set[str] = set()
    for part in node.parts():
        if part.kind == "mapping":
            given = dict(part.items())
            if "name" not in given:
                raise part.error("an input of a list needs a name: write name: ids.")
            name = str(given["name"].scalar())
        else:
            name = str(part.scalar()).partition(":")[0].strip()
        if name in seen:
            raise part.error(f"another input is named {name!r} too. Give each a name of its own.")
        seen.add(name)
        yield name, part


def _read_input(name: str, node: YamlNode) -> WrittenInput:
    if node.kind == "scalar":
        text = str(node.scalar())
        text = text if text.partition(":")[0].strip() == name else f"{name}:{text}"
        return _call_at(node, parse_input, text)[1]
    if node.kind != "mapping":
        raise node.error(f"{name} is a list: write {name}: dtype[axes], or {name}: with dtype: and shape: below it.")
    given = dict(node.items())
    _check_keys(given, _OF_INPUT)
    if "shape" in given and "axes" in given:
        raise given["axes"].error(f"{name} has a shape already: axes are the same. Write one of the two.")
    shape = given.get("shape", given.get("axes"))
    dtype = _call_at(given["dtype"], DType.of, given["dtype"].scalar()) if "dtype" in given else DType.FLOAT32
    axes = () if shape is None else _read_axes(shape)
    bounds = _read_range(given["range"]) if "range" in given else None
    rule = next((_read_rule(kind, given[kind], dtype) for kind in _RULES if kind in given), None)
    return WrittenInput(axes, dtype, bounds, rule)


def _read_axes(node: YamlNode) -> Axes:
    if node.kind == "mapping":
        raise node.error("a shape is a list of sizes and names, such as [batch, 3].")
    if node.kind == "sequence":
        return parse_axes([part.scalar() for part in node.parts()] or [""])
    text = str(node.scalar()).strip()
    return parse_axes(text.strip("[]").split(","))


def _read_range(node: YamlNode) -> tuple[float, float]:
    """Return the smallest value, and the one that values are below."""
    parts = [part.scalar() for part in node.parts()] if node.kind == "sequence" else []
    match = _RANGE.fullmatch(str(node.scalar())) if node.kind == "scalar" else None
    if match is not None:
        parts = [match["low"], match["high"]]
    if len(parts) != 2:
        raise node.error("a range is low..high or [low, high], with values from low to below high.")
    try:
        return check_bounds(*parts)
    except ValueError as error:
        raise node.error(f"{error}: a range is low..high or [low, high].") from None


def _read_rule(kind: str, node: YamlNode, dtype: DType) -> Rule:
    """Return the rule of an input: one value, one of several, words, or a rule as in a saved spec."""
    value = node.plain()
    if kind == "value":
        return Constant(value)
    if kind == "values" and isinstance(value, dict):
        try:
            return msgspec.convert(value, Rule)
        except msgspec.ValidationError as error:
            raise node.error(f"not a rule: {error}") from None
    if kind == "values" and isinstance(value, str) and _RANGE.fullmatch(value):
        return Uniform(*_read_range(node))
    if not isinstance(value, list) or not value:
        raise node.error(f"{kind} is a list of values, such as [1, 2, 3].")
    if kind == "words":
        return Strings(tuple(map(str, value)))
    return Choices(tuple(map(str, value)) if dtype is DType.STRING else tuple(value))


def _bound_input(name: str, leaf: TensorSpec, node: YamlNode) -> TensorSpec:
    given = dict(node.items()) if node.kind == "mapping" else {}
    ends = [_read_number(given[end]) if end in given else None for end in ("min", "max")]
    return leaf if ends == [None, None] else bound_values(name, leaf, *ends)


def _read_number(node: YamlNode) -> int | float:
    value = node.scalar() if node.kind == "scalar" else None
    try:
        return value if type(value) is int else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise node.error(f"{value!r} is not a number.") from None


def _define_dims(spec: InputSpec, node: YamlNode) -> InputSpec:
    """Return the spec with the sizes and bounds of dims."""
    if node.kind != "mapping":
        raise node.error("dims are a mapping of names: write batch: 2, or batch: {size: 2, max: 8}.")
    for name, part in node.items():
        if name not in spec.dims:
            raise part.error(f"no axis is named {name!r}. {suggest_names(name, spec.dims)}")
        if part.kind == "mapping":
            given = dict(part.items())
            _check_keys(given, _OF_DIM)
            fields = {key: value.plain() for key, value in given.items()}
            if isinstance(fields.get("choices"), list):
                fields["choices"] = tuple(fields["choices"])
            fields.setdefault("size", max(spec.dims[name].size, _as_int(fields.get("min"))))
            spec = spec.with_dims(**{name: _call_at(part, Dim, name, **fields)})
        else:
            spec = _call_at(part, spec.with_dims, **{name: part.plain()})
    return spec


def _as_int(value: object) -> int:
    return value if type(value) is int else 0


def _check_keys(given: Mapping[str, YamlNode], known: Collection[str]) -> None:
    for key, value in given.items():
        if key not in known:
            raise value.error(f"{key!r} is not a key here. {suggest_names(key, known)}")


def _call_at(node: YamlNode, function: Callable[..., T], *args: Any, **keywords: Any) -> T:
    """Call a function; its errors name the line."""
    try:
        return function(*args, **keywords)
    except (OptionError, DTypeError, DimError, SpecError) as error:
        text = str(error)
        raise error if _LINE.search(text) else node.error(text) from None
