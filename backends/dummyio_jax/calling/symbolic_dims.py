"""JAX's symbolic sizes as ours, and the bounds that their scope states."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from typing import Any

from dummyio.errors import DimError, SourceError
from dummyio.spec.dim_parser import parse_size
from dummyio.spec.dims import Dim, Size

__all__ = ["SIZES", "default_dim", "dims_of", "names_in", "to_size"]

SIZES = {
    "batch_size": 2,
    "sequence_length": 16,
    "past_sequence_length": 16,
    "num_channels": 3,
    "height": 32,
    "width": 32,
}
_SHORT = {"b": 2, "batch": 2, "n": 2, "seq": 16, "s": 16, "t": 16, "length": 16, "h": 32, "w": 32}
_BOUND = re.compile(r"^\s*(\w+)\s*(>=|<=)\s*(\d+)\s*$")
_STEP = re.compile(r"^\s*mod\(\s*(\w+)\s*,\s*(\d+)\s*\)\s*==\s*0\s*$")


def names_in(size: Any) -> list[str]:
    """Return the symbols of one of JAX's sizes; none for an int."""
    if isinstance(size, int):
        return []
    tree = ast.parse(str(size).replace("^", "**"), mode="eval")
    called = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    names = (node.id for node in ast.walk(tree) if isinstance(node, ast.Name))
    return list(dict.fromkeys(name for name in names if name not in called))


def dims_of(sizes: Iterable[Any]) -> dict[str, Dim]:
    """Return the symbols of JAX's sizes, with the bounds that their scope states.

    A file of an exported function keeps no bounds: JAX does not write them.
    """
    found: dict[str, Dim] = {}
    for size in sizes:
        stated = [c.debug_str for c in getattr(getattr(size, "scope", None), "_explicit_constraints", ())]
        for name in names_in(size):
            if name not in found:
                found[name] = _bounded(default_dim(name), stated)
    return found


def default_dim(name: str) -> Dim:
    """Return a symbol with a size that follows from its name alone: the same in whatever input it is met."""
    return Dim(name, SIZES.get(name) or _SHORT.get(name.lower()) or 5 + sum(map(ord, name)) % 6)


def _bounded(dim: Dim, stated: Iterable[str]) -> Dim:
    low, high, step = 1, None, 1
    for text in stated:
        bound, multiple = _BOUND.match(text), _STEP.match(text)
        if bound and bound[1] == dim.name:
            low, high = (int(bound[3]), high) if bound[2] == ">=" else (low, int(bound[3]))
        if multiple and multiple[1] == dim.name:
            step = int(multiple[2])
    size = max(-(-max(dim.size, low) // step) * step, step)
    size = size if high is None or size <= high else high // step * step
    return Dim(dim.name, size, min=low, max=high, multiple_of=step)


def to_size(size: Any, dims: Mapping[str, Dim]) -> Size:
    """Return one of JAX's sizes as ours.

    Raises
    ------
    SourceError
        for an expression that a spec cannot write: of ``max``, or of a symbol that is in no input.
    """
    if isinstance(size, int):
        return size
    tree = ast.parse(str(size).replace("^", "**"), mode="eval")
    try:
        return parse_size(ast.unparse(_Rewriting().visit(tree)), dims)
    except (DimError, ValueError) as error:
        raise SourceError(f"the size {size} cannot be written in a spec: {error}") from error


class _Rewriting(ast.NodeTransformer):
    """From JAX's words to ours: ``floordiv(a, b)`` is ``a // b``, ``mod(a, b)`` is ``a - a // b * b``, powers are products."""

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name not in {"floordiv", "mod"}:
            raise ValueError(f"{name} has no counterpart")
        top, bottom = node.args
        quotient = ast.BinOp(top, ast.FloorDiv(), bottom)
        return quotient if name == "floordiv" else ast.BinOp(top, ast.Sub(), ast.BinOp(quotient, ast.Mult(), bottom))

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        self.generic_visit(node)
        if not isinstance(node.op, ast.Pow):
            return node
        if not isinstance(node.right, ast.Constant) or not isinstance(node.right.value, int):
            raise TypeError("a power of a symbol")
        product = node.left
        for _ in range(node.right.value - 1):
            product = ast.BinOp(product, ast.Mult(), node.left)
        return product
