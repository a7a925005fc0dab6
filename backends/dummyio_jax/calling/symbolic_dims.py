"""From the symbolic sizes of JAX to the dims of a spec, with the bounds that their scope states."""

import ast
import re
from collections.abc import Iterable, Mapping
from typing import Any

from dummyio.errors import DimError, SourceError
from dummyio.sources.axis_names import guess_size
from dummyio.spec.dim_parser import parse_size
from dummyio.spec.dims import Dim, Size

_BOUND = re.compile(r"^\s*(\w+)\s*(>=|<=)\s*(\d+)\s*$")
_STEP = re.compile(r"^\s*mod\(\s*(\w+)\s*,\s*(\d+)\s*\)\s*==\s*0\s*$")


def make_dim(name: str) -> Dim:
    """Return a dim with a size that depends on its name alone: the same in all inputs."""
    return Dim(name, guess_size(name) or 5 + sum(map(ord, name)) % 6)


def to_dims(sizes: Iterable[Any]) -> dict[str, Dim]:
    """Return the symbols of JAX sizes as dims, with the bounds that their scope states.

    A file of an exported function contains no bounds, because JAX does not write them.
    """
    found: dict[str, Dim] = {}
    for size in sizes:
        stated = [c.debug_str for c in getattr(getattr(size, "scope", None), "_explicit_constraints", ())]
        for name in _names_in(size):
            if name not in found:
                found[name] = _apply_bounds(make_dim(name), stated)
    return found


def _names_in(size: Any) -> list[str]:
    if isinstance(size, int):
        return []
    words = re.findall(r"[^\W\d]\w*\b(?!\s*\()", str(size))  # a name before a parenthesis is a function
    return list(dict.fromkeys(words))


def _apply_bounds(dim: Dim, stated: Iterable[str]) -> Dim:
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
    """Return a JAX size as an int, a dim or an expression of `dims`.

    Raises
    ------
    SourceError
        for an expression that a spec cannot write: with ``max``, or with a symbol that is not in `dims`.
    """
    if isinstance(size, int):
        return size
    tree = ast.parse(str(size).replace("^", "**"), mode="eval")
    try:
        return parse_size(ast.unparse(_Rewriter().visit(tree)), dims)
    except (DimError, ValueError) as error:
        raise SourceError(f"the size {size} cannot be written in a spec: {error}") from error


class _Rewriter(ast.NodeTransformer):
    """From JAX's notation to that of a spec: ``floordiv`` becomes ``//``, ``mod(a, b)`` ``a - a // b * b``, powers products."""

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name not in {"floordiv", "mod"}:
            raise ValueError(f"a spec has no {name}")
        top, bottom = node.args
        quotient = ast.BinOp(top, ast.FloorDiv(), bottom)
        return quotient if name == "floordiv" else ast.BinOp(top, ast.Sub(), ast.BinOp(quotient, ast.Mult(), bottom))

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        self.generic_visit(node)
        if not isinstance(node.op, ast.Pow):
            return node
        if not isinstance(node.right, ast.Constant) or not isinstance(node.right.value, int):
            raise ValueError("a power of a symbol")  # noqa: TRY004 - not a wrong type of an argument
        product = node.left
        for _ in range(node.right.value - 1):
            product = ast.BinOp(product, ast.Mult(), node.left)
        return product
