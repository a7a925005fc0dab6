"""Operations that know values of their inputs: the keys of encoders, categories, vocabularies, the splits of trees."""

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

import onnx

from dummyio.sources.graph.graph_facts import InputAlias, KnownValues
from dummyio_onnx.analysis.flat_graph import Op
from dummyio_onnx.analysis.graph_facts import ValueFacts

Scalar = int | float | str

_FEWEST_CATEGORIES = 2
"""Constants with which an input is compared that are categories, not one special value."""
_MOST_SPLITS = 31
"""Splits of trees whose two sides are tried."""
_FLAGS = {-1, 0, 1}
"""Numbers with which flags and masks are compared."""
_LEAF = b"LEAF"


def look_up(op: Op, facts: ValueFacts) -> None:
    """Read the keys of an encoder: words, or numbers."""
    is_map = op.kind.endswith("LabelEncoder")
    prefix = "keys" if is_map else "cats"
    lists: dict[str, tuple[Scalar, ...]] = {
        "string": _list_words(op, f"{prefix}_strings"),
        "float": (*_list_floats(op, f"{prefix}_floats"), *_list_whole(op, f"{prefix}_int64s")),
        "int": _list_whole(op, f"{prefix}_int64s"),
    }
    # The OneHotEncoder with zeros=0 refuses others; the rest have a default.
    takes_others = bool(op.number("zeros", 1))
    for origin in facts.origins.get(op.input(0), ()):
        kind = facts.kinds.get(origin.path, "")
        if values := lists.get(kind) or (_list_tensor(op, "keys_tensor", kind) if is_map else ()):
            facts.evidence.choices[origin.path] = KnownValues(_shift(values, origin), takes_others, op.kind)
    number = op.attributes.get("default_int64")
    if is_map:
        paths = frozenset(origin.path for origin in facts.origins.get(op.input(0), ()))
        facts.defaults[op.outputs[0]] = (paths, -1 if number is None else number.i)


def compare(op: Op, facts: ValueFacts) -> None:
    """Read the constants that an input is compared with, if they are several, here or in all: one may be padding."""
    for values, other in ((op.input(0), op.input(1)), (op.input(1), op.input(0))):
        constant = facts.constants.get(other)
        found: Sequence[Scalar] = () if constant is None else constant.values or ()
        for origin in facts.origins.get(values, ()) if found else ():
            kind = facts.kinds.get(origin.path)
            if kind in ("int", "uint", "float"):
                found = tuple(number for number in found if not isinstance(number, str))
            elif kind != "string":
                continue
            known = facts.compared.setdefault(origin.path, {})
            known |= dict.fromkeys(_shift(found, origin))
            is_flag = len(found) < _FEWEST_CATEGORIES and _FLAGS.issuperset(known)
            if len(known) >= _FEWEST_CATEGORIES and not is_flag:
                facts.evidence.choices[origin.path] = KnownValues(tuple(known), takes_others=True, reason=op.kind)
    facts.flags.add(op.outputs[0])


def count_grams(op: Op, facts: ValueFacts) -> None:
    """Read the words or numbers of which grams are counted."""
    lists: dict[str, tuple[Scalar, ...]] = {
        "string": _list_words(op, "pool_strings"),
        "int": _list_whole(op, "pool_int64s"),
    }
    for origin in facts.origins.get(op.input(0), ()):
        if values := lists.get(facts.kinds.get(origin.path, "")):
            facts.evidence.choices[origin.path] = KnownValues(_shift(values, origin), takes_others=True, reason=op.kind)


def split(op: Op, facts: ValueFacts) -> None:
    """Read the splits of trees: numbers between them, and on both ends, reach the branches."""
    modes = op.attributes.get("nodes_modes")
    names = modes.strings if modes is not None else ()
    splits = op.attributes.get("nodes_values")
    found = () if splits is None else splits.floats
    inner = [value for value, mode in zip(found, names, strict=False) if mode != _LEAF]
    ends = sorted({float(value) for value in inner or _list_tensor(op, "nodes_splits", "float")})
    if not ends:
        return
    step = max(1, -(-len(ends) // _MOST_SPLITS))
    chosen = ends[::step]
    margin = max(1.0, abs(chosen[-1] - chosen[0]) / 4)
    sides = [chosen[0] - margin, *((low + high) / 2 for low, high in pairwise(chosen)), chosen[-1] + margin]
    for origin in facts.origins.get(op.input(0), ()):
        if facts.kinds.get(origin.path) == "float" and origin.path not in facts.evidence.choices:
            values = _shift(tuple(float(f"{side:.6g}") for side in sides), origin)
            facts.evidence.choices[origin.path] = KnownValues(
                values, takes_others=False, reason=f"both sides of {op.kind}"
            )


def _shift(values: Iterable[Scalar], origin: InputAlias) -> tuple[Scalar, ...]:
    """Return the values of an input for which its element, plus an offset, is one of these."""
    return tuple(value if isinstance(value, str) else value - origin.offset for value in values)


def _list_words(op: Op, name: str) -> tuple[str, ...]:
    found = op.attributes.get(name)
    return () if found is None else tuple(word.decode("utf-8", "replace") for word in found.strings)


def _list_whole(op: Op, name: str) -> tuple[int, ...]:
    return op.numbers(name)


def _list_floats(op: Op, name: str) -> tuple[float, ...]:
    found = op.attributes.get(name)
    return () if found is None else tuple(float(f"{number:.9g}") for number in found.floats)


def _list_tensor(op: Op, name: str, kind: str) -> tuple[Scalar, ...]:
    """Return the elements of a tensor, as Python's numbers or words."""
    found = op.attributes.get(name)
    if found is None or found.t.data_location == onnx.TensorProto.EXTERNAL:
        return ()
    try:
        values = onnx.numpy_helper.to_array(found.t).reshape(-1).tolist()
    except (TypeError, ValueError):  # its contents are left out of the outline, or damaged
        return ()
    words = (each.decode("utf-8", "replace") if isinstance(each, bytes) else each for each in values)
    return tuple(words) if kind == "string" else tuple(each for each in values if isinstance(each, (int, float)))


READERS: dict[str, Callable[[Op, ValueFacts], None]] = {
    "Equal": compare,
    "TfIdfVectorizer": count_grams,
    **dict.fromkeys(("ai.onnx.ml.LabelEncoder", "ai.onnx.ml.OneHotEncoder", "ai.onnx.ml.CategoryMapper"), look_up),
    **dict.fromkeys(
        ("ai.onnx.ml.TreeEnsembleRegressor", "ai.onnx.ml.TreeEnsembleClassifier", "ai.onnx.ml.TreeEnsemble"), split
    ),
}
