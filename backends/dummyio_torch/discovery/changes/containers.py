"""Changes of a layout for containers: the items that a module asks them for, and tensors that it takes to be containers."""

from __future__ import annotations

import linecache
import re
import traceback
from collections.abc import Iterator
from dataclasses import replace

import torch

from dummyio.sources.input_names import has_data_name
from dummyio_torch.discovery.input_roles import Guess, guess_layout, is_usual_input, to_torch_dtype
from dummyio_torch.discovery.layout import Branch, InputLayout, Kind, MissingItem, Tree
from dummyio_torch.discovery.run_observer import LayoutChange, RunObserver

_LACKS = re.compile(r"missing \d+ required (?:positional|keyword-only) arguments?: ('\w+'.*)")
_NO_ATTRIBUTE = re.compile(r"'(\w+)' object has no attribute '(\w+)'")
_UNPACKED = re.compile(r"(?P<items>(?:\w+\s*,\s*)+\w+)\s*,?\)?\s*=\s*(?P<input>\w+)\s*(?:;|#|$)")
"""A line that takes a variable apart: ``ids, mask = batch``."""
_NO_MAPPING = re.compile(r"argument after \*\* must be a mapping|Tensor\.__contains__ only supports")
_OF_DICTS = frozenset({"items", "keys", "values", "get", "pop"})


def suggest_containers(spy: RunObserver, error: Exception, floating: torch.dtype) -> Iterator[LayoutChange]:
    """Yield changes for a run that ended in an error of containers."""
    if isinstance(error, MissingItem):
        # An item that a module only asks about, under a name that is not usual, belongs to another way to call it.
        doubtful = error.may_lack and not is_usual_input(error.key)
        added = LayoutChange.of(int(doubtful), with_named_item, error.path, error.key, error.key, floating)
        yield replace(added, shown=True)
        if error.may_lack:
            lacking = LayoutChange.of(0 if doubtful else 2, InputLayout.with_absent, error.path, error.key)
            yield replace(lacking, shown=True)
        return
    if isinstance(error, (ValueError, TypeError)):  # the module's own words
        words = dict.fromkeys(re.findall(r"\b[a-z]+(?:_[a-z]+)+\b", str(error)))
        for path in _list_branches(spy.layout, "dict"):
            yield from (
                LayoutChange.of(1, with_named_item, path, word, word, floating) for word in words if has_data_name(word)
            )
    for kind, name in _list_missing_items(error):
        for path in _list_branches(spy.layout, kind):
            yield LayoutChange.of(0, with_named_item, path, name, name, floating)
    for path, kind, names in _find_containers(spy, error):
        # Parts of one tensor have names that tell nothing of them.
        doubtful = "to unpack" in str(error) and not any(map(is_usual_input, names))
        yield LayoutChange.of(2 if doubtful else 0, _with_container, path, kind, names, floating)


def _list_missing_items(error: Exception) -> Iterator[tuple[Kind, str]]:
    """Yield what a container lacks: a dict that was copied or handed on as arguments, a record."""
    attribute, lacks = _NO_ATTRIBUTE.search(str(error)), _LACKS.search(str(error))
    if isinstance(error, KeyError) and error.args and isinstance(error.args[0], str):
        yield "dict", error.args[0]
    elif isinstance(error, AttributeError) and attribute is not None and attribute[1] == "record":
        yield "record", attribute[2]
    elif isinstance(error, TypeError) and lacks is not None:
        yield "dict", re.findall(r"'(\w+)'", lacks[1])[0]


def _find_containers(spy: RunObserver, error: Exception) -> Iterator[tuple[str, Kind, tuple[str, ...]]]:
    """Yield the tensors that the module takes to be containers: the path, the kind, and the items that it asks for."""
    attribute = _NO_ATTRIBUTE.search(str(error)) if isinstance(error, AttributeError) else None
    if attribute is not None and attribute[1] == "Tensor":
        is_dict = attribute[2] in _OF_DICTS
        for path, _ in _list_inputs_in(spy, error, re.compile(rf"\b(?P<input>\w+)\s*\.\s*{attribute[2]}\b")):
            yield (path, "dict", ()) if is_dict else (path, "record", (attribute[2],))
    if _NO_MAPPING.search(str(error)):
        for path, _ in _list_inputs_in(spy, error, re.compile(r"\b(?P<input>\w+)\b")):
            yield path, "dict", ()
    if spy.last is not None and spy.last[0] == "__getitem__" and isinstance(spy.last[1][-1], str):
        tensor, key = spy.last[1]
        for path in (each for each in spy.layout.leaves if spy.is_input(tensor, each)):
            yield path, "dict", (key,)
    if "to unpack" in str(error):
        for path, found in _list_inputs_in(spy, error, _UNPACKED):
            names = tuple(name.strip() for name in found["items"].split(","))
            are_fields = len(set(names)) == len(names) and not any(name.startswith("_") for name in names)
            # The items of a record have names, which tell what they are.
            yield path, "record" if are_fields else "tuple", names


def _list_branches(layout: InputLayout, kind: Kind) -> list[str]:
    """Return the paths of the containers of a kind, the innermost last."""

    def walk(tree: Tree, path: str) -> Iterator[str]:
        if isinstance(tree, Branch):
            if tree.kind == kind:
                yield path
            for key, item in tree.items:
                yield from walk(item, f"{path}.{key}")

    return [found for name, tree in layout.trees for found in walk(tree, name)]


def _list_inputs_in(
    spy: RunObserver, error: Exception, pattern: re.Pattern[str]
) -> Iterator[tuple[str, re.Match[str]]]:
    """Yield the inputs that the line of an error has in the place of a pattern, with the match; the innermost such line counts."""
    for frame, number in reversed(list(traceback.walk_tb(error.__traceback__))):
        line = linecache.getline(frame.f_code.co_filename, number)
        found = [
            (path, match)
            for match in pattern.finditer(line)
            for path in spy.layout.leaves
            if spy.is_input(frame.f_locals.get(match["input"]), path)
        ]
        if found:
            yield from dict(found).items()
            return


def with_named_item(layout: InputLayout, path: str, key: str, name: str, floating: torch.dtype) -> InputLayout | None:
    """Return a layout with one more tensor in a container, of the dtype and rank of its name."""
    if f"{path}.{key}" in layout.leaves:
        return None
    named = guess_layout(path if name.isdigit() else name, "")
    guess = Guess("int", "b") if layout.assigns_nodes(f"{path}.{key}") else named
    changed = layout.with_item(path, key, to_torch_dtype(guess.number, floating), len(guess.axes))
    if guess.axes == "bs":
        changed = _with_shared_sequence(changed, path, f"{path}.{key}")
    if guess.axes.startswith("2"):  # pairs
        changed, axis = changed.new_axis(size=2)
        axes = changed.leaves[f"{path}.{key}"].axes
        changed = replace(changed, fixed=changed.fixed | {axis}).with_axes(f"{path}.{key}", (axis, *axes[1:]))
    return changed


def _with_shared_sequence(layout: InputLayout, path: str, new: str) -> InputLayout:
    """Return a layout in which a new item of a container has the sequence of another one."""
    others = [leaf for other, leaf in layout.leaves.items() if other.startswith(f"{path}.") and other != new]
    sequences = [leaf.axes[1] for leaf in others if len(leaf.axes) in (2, 3) and leaf.axes[1] not in layout.fixed]
    own = layout.leaves[new].axes
    return layout.with_axes(new, (own[0], sequences[0])) if sequences else layout


def _with_container(
    layout: InputLayout, path: str, kind: Kind, names: tuple[str, ...], floating: torch.dtype
) -> InputLayout | None:
    """Return a layout with a container in the place of a tensor; its items are like others of their names."""
    changed: InputLayout | None = layout.with_tree(path, Branch(kind, ()))
    for place, name in enumerate(names):
        changed = changed and with_named_item(changed, path, str(place) if kind == "tuple" else name, name, floating)
    return changed
