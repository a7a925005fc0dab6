"""Moved out of dummyio/input_spec.py."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any, Self

from dummyio.errors import DimError, OptionError, SpecError, suggest_names
from dummyio.spec import dims as _dims
from dummyio.spec.dim_parser import parse_size
from dummyio.spec.dims import Dim, Size
from dummyio.spec.dtypes import DType
from dummyio.spec.tensor_spec import Nest, Node, TensorSpec, check_name, iterate_leaves, replace_dims, to_node
from dummyio.spec.values import Positions, get_mask_path, get_rule_expression


@dataclass(frozen=True, slots=True)
class OutputSpec:
    """One output of a model: its name and, where known, its shape and dtype."""

    name: str
    shape: tuple[Size, ...] | None = None
    dtype: DType | None = None

    def __post_init__(self) -> None:
        """Bring shape and dtype into their one form; errors as `TensorSpec`."""
        check_name(self.name)
        if self.shape is not None:
            object.__setattr__(self, "shape", tuple(_dims.to_size(size) for size in self.shape))
        if self.dtype is not None:
            object.__setattr__(self, "dtype", DType.of(self.dtype))


def _resized(dim: Dim, size: int) -> Dim:
    from dataclasses import replace  # noqa: PLC0415 - used here only

    return replace(dim, size=size)


def _dynamic(leaf: TensorSpec) -> dict[int, str]:
    return {
        axis: str(size)
        for axis, size in enumerate(leaf.shape)
        if not isinstance(size, int) and not _dims.is_static(size)
    }


class SpecData(Mapping[str, Node]):
    """All inputs of a model: a mapping of names to `TensorSpec`s or nests of them.

    Parameters
    ----------
    inputs
        Names to `TensorSpec`, `Nest`, or plain dicts, lists and tuples of these, in the model's order.
    task
        The task's name, such as ``"text-classification"``.
    outputs
        What the model returns, where known.
    provenance
        Where the facts came from, for people: short keys to one-line texts. Not part of equality or of `sha256`.
    """

    def __init__(
        self,
        inputs: Mapping[str, Any],
        *,
        task: str | None = None,
        outputs: tuple[OutputSpec, ...] = (),
        provenance: Mapping[str, str] | None = None,
    ) -> None:
        """Check that the symbols agree and that masks are there."""
        for text in (*([] if task is None else [task]), *itertools.chain(*(provenance or {}).items())):
            if not isinstance(text, str):
                raise SpecError(f"{text!r} is no text: task and provenance are written as text.")
        self._inputs = {check_name(name): to_node(node, name) for name, node in inputs.items()}
        self.task = task
        self.outputs = tuple(outputs)
        self.provenance: Mapping[str, str] = MappingProxyType(dict(provenance or {}))
        self.leaves: tuple[tuple[str, TensorSpec], ...] = tuple(iterate_leaves(self._inputs.items()))
        self.nested = any(isinstance(node, Nest) for node in self._inputs.values())
        self._check_paths()
        used = [size for _, leaf in self.leaves for size in leaf.shape]
        used += [size for output in self.outputs for size in output.shape or ()]
        self.dims: Mapping[str, Dim] = MappingProxyType(_dims.collect_dims(used))
        known = dict(self.leaves)
        for path, leaf in self.leaves:
            self._check_references(path, leaf, known)
        self._plans: dict[object, Any] = {}

    def _check_paths(self) -> None:
        twice = sorted(path for path, count in Counter(path for path, _ in self.leaves).items() if count > 1)
        if twice:
            raise SpecError(f"two inputs have the path {', '.join(twice)}: names joined by dots must differ.")

    def _check_references(self, path: str, leaf: TensorSpec, known: Mapping[str, TensorSpec]) -> None:
        mask = get_mask_path(leaf.values)
        if mask is not None:
            if mask not in known:
                raise SpecError(
                    f"input {path!r} follows mask={mask!r}, which is no input. {suggest_names(mask, known)}"
                )
            other = known[mask]
            if get_mask_path(other.values) is not None or other.dtype.kind not in ("int", "uint", "bool", "float"):
                raise SpecError(
                    f"input {path!r} follows {mask!r}, which is no mask: it must be numbers that follow none."
                )
            if other.rank != leaf.rank or other.shape[:-1] != leaf.shape[:-1]:
                raise SpecError(
                    f"input {path!r} has shape {leaf.shape}, its mask {mask!r} {other.shape}: "
                    "all axes but the last must be equal."
                )
        expression = get_rule_expression(leaf.values)
        if expression is not None:
            try:
                parse_size(expression, self.dims)
            except DimError as error:
                raise SpecError(f"input {path!r}: {leaf.values!r}: {error}") from None

    def __getitem__(self, name: str) -> Node:
        try:
            return self._inputs[name]
        except KeyError:
            raise KeyError(f"no input is named {name!r}. {suggest_names(name, self._inputs)}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._inputs)

    def __len__(self) -> int:
        return len(self._inputs)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SpecData):
            return NotImplemented
        mine = (list(self._inputs.items()), self.task, self.outputs)
        return mine == (list(other._inputs.items()), other.task, other.outputs)

    @cached_property
    def _hash(self) -> int:
        return hash((tuple(self._inputs.items()), self.task, self.outputs))

    def __hash__(self) -> int:
        return self._hash

    def __setattr__(self, name: str, value: object) -> None:
        if "_plans" in self.__dict__:
            raise AttributeError(f"InputSpec is immutable: {name!r} cannot be set; make a new one.")
        super().__setattr__(name, value)

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"InputSpec is immutable: {name!r} cannot be deleted; make a new one.")

    def __repr__(self) -> str:
        inputs = ", ".join(
            f"{name}: {node if isinstance(node, TensorSpec) else node.kind}" for name, node in self.items()
        )
        return f"InputSpec({inputs}{f'; task={self.task}' if self.task else ''})"

    def __str__(self) -> str:
        width = max((len(path) for path, _ in self.leaves), default=0)
        lines = [f"InputSpec{f' of task {self.task}' if self.task else ''}"]
        lines += [f"  {path:<{width}}  {leaf}" for path, leaf in self.leaves]
        lines += [f"  {dim!r}" for dim in self.dims.values()]
        return "\n".join(lines)

    def sizes(self, /, **dims: int) -> dict[str, int]:
        """Return the size of every symbol, with `dims` for those named; errors as `Dim.check`."""
        unknown = [name for name in dims if name not in self.dims]
        if unknown:
            name = unknown[0]
            raise OptionError(
                f"{name}={dims[name]!r}: no dim of this spec has that name. {suggest_names(name, self.dims)}"
            )
        return {name: dim.check(dims[name]) if name in dims else dim.size for name, dim in self.dims.items()}

    def shapes(self, sizes: Mapping[str, int] | None = None) -> dict[str, tuple[int, ...]]:
        """Return path → shape as ints, at the sizes that `sizes` returned; at the default sizes where not given.

        Raises
        ------
        DimError
            where a size comes out negative.
        SpecError
            where a mask is shorter than what follows it, or a rule counts further than its dtype.
        """
        shapes = {path: leaf.sizes(sizes) for path, leaf in self.leaves}
        for path, leaf in self.leaves:
            shape, mask, expression = shapes[path], get_mask_path(leaf.values), get_rule_expression(leaf.values)
            if mask is not None:
                if shapes[mask][-1] < shape[-1]:
                    raise SpecError(
                        f"input {path!r} is {shape[-1]} long, its mask {mask!r} only {shapes[mask][-1]}: "
                        "a mask must cover what follows it."
                    )
                shape = shapes[mask] if isinstance(leaf.values, Positions) else shape
            number = 0 if expression is None else _dims.evaluate_size(parse_size(expression, self.dims), sizes)
            try:
                leaf.values.check_shape(leaf.dtype, shape, number)
            except SpecError as error:
                raise SpecError(f"input {path!r}: {error}") from None
        return shapes

    def with_dims(self, /, **dims: int | Dim) -> Self:
        """Return a spec with other default sizes, or other definitions, of the symbols named."""
        self.sizes(**{name: self.dims[name].size if name in self.dims else 0 for name in dims})
        new = {name: dim if isinstance(dim, Dim) else _resized(self.dims[name], dim) for name, dim in dims.items()}
        outputs = tuple(
            OutputSpec(
                o.name,
                tuple(_dims.substitute_dims(size, new) for size in o.shape) if o.shape is not None else None,
                o.dtype,
            )
            for o in self.outputs
        )
        inputs = {name: replace_dims(node, self.dims, new) for name, node in self.items()}
        return type(self)(inputs, task=self.task, outputs=outputs, provenance=self.provenance)

    def nbytes(self, /, **dims: int) -> int:
        """Return the bytes of one sample at these sizes."""
        sizes = self.sizes(**dims)
        return sum(leaf.nbytes(sizes) for _, leaf in self.leaves)

    def dynamic_axes(self) -> dict[str, dict[int, str]]:
        """Return path → axis → symbol or expression, for ``torch.onnx.export(dynamic_axes=...)``."""
        return {path: _dynamic(leaf) for path, leaf in self.leaves}

    def dynamic_shapes(self) -> dict[str, Any]:
        """Return the symbolic axes nested as the inputs, for ``torch.onnx.export(dynamic_shapes=..., dynamo=True)``.

        A derived size keeps its expression as its name: PyTorch names the same size of an output alike, so that one
        symbol has one name in the file. A cache is a list of tuples here.
        """
        from dummyio.spec.tensor_spec import build_nested  # noqa: PLC0415 - used here only

        leaves = self.dynamic_axes()
        return {name: build_nested(node, leaves, name) for name, node in self.items()}
