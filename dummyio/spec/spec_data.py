"""`SpecData`: the inputs of a model as data, with their dims, sizes and shapes. `OutputSpec`: one output."""

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from types import MappingProxyType
from typing import Any, Self

from dummyio.errors import DimError, OptionError, SpecError, suggest_names
from dummyio.spec.dims import Dim, Size, collect_dims, is_static, substitute_dims
from dummyio.spec.dtypes import DType
from dummyio.spec.plain_values import show_value, take_items
from dummyio.spec.proof import Proof
from dummyio.spec.tensor_spec import (
    MAX_TENSORS,
    Nest,
    Node,
    TensorSpec,
    build_nested,
    check_name,
    check_shape,
    check_sizes,
    evaluate_shape,
    iterate_leaves,
    replace_dims,
    to_nodes,
)
from dummyio.spec.values import Lengths, Positions, get_mask_path, substitute_rule_dims


@dataclass(frozen=True, slots=True)
class OutputSpec:
    """One output of a model.

    Parameters
    ----------
    name
        The output's name.
    shape
        Sizes, as those of `TensorSpec`; None if they are not known.
    dtype
        A `DType` or anything `DType.of` accepts; None if it is not known.

    Examples
    --------
    >>> OutputSpec("logits", (Dim("batch_size", 2), 10), "float32")
    OutputSpec(name='logits', shape=(Dim('batch_size', 2), 10), dtype=<DType.FLOAT32: 'float32'>)
    """

    name: str
    shape: tuple[Size, ...] | None = None
    dtype: DType | None = None

    def __post_init__(self) -> None:
        """Convert shape and dtype to their canonical form; the errors are those of `TensorSpec`."""
        check_name(self.name)
        if self.shape is not None:
            object.__setattr__(self, "shape", check_shape(self.shape))
        if self.dtype is not None:
            object.__setattr__(self, "dtype", DType.of(self.dtype))


def _check_outputs(outputs: object) -> tuple[OutputSpec, ...]:
    found = take_items(outputs, MAX_TENSORS)
    if found is None or not all(isinstance(output, OutputSpec) for output in found):
        raise SpecError(f"outputs={show_value(outputs)}: give a tuple of at most {MAX_TENSORS} OutputSpecs.")
    return found


def _check_texts(task: object, provenance: object) -> dict[str, str]:
    if provenance is not None and not isinstance(provenance, Mapping):
        raise SpecError(f"provenance={show_value(provenance)}: give a dict of keys to texts.")
    texts = dict(provenance or {})
    for text in (*([] if task is None else [task]), *itertools.chain(*texts.items())):
        if not isinstance(text, str):
            raise SpecError(f"{show_value(text)} is not a string: task and provenance must be strings.")
        if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
            raise SpecError(f"{show_value(text)} must be valid Unicode, without lone surrogates.")
    return texts


class SpecData(Mapping[str, Node]):
    """The part of `InputSpec` that needs no other room: its data and checks, without values, signatures and files."""

    def __init__(
        self,
        inputs: Mapping[str, Any],
        *,
        task: str | None = None,
        outputs: tuple[OutputSpec, ...] = (),
        provenance: Mapping[str, str] | None = None,
        proof: Proof | None = None,
    ) -> None:
        """Check that dims agree and that masks exist."""
        if not isinstance(inputs, Mapping):
            raise SpecError(f"inputs={show_value(inputs)}: give a dict of names to tensors and nests.")
        self._inputs = dict(to_nodes(islice(inputs.items(), MAX_TENSORS + 1), 0))
        self.task = task
        self.outputs = _check_outputs(outputs)
        self.provenance: Mapping[str, str] = MappingProxyType(_check_texts(task, provenance))
        if not isinstance(proof, Proof | None):
            raise SpecError(f"proof={show_value(proof)}: give a Proof.")
        self.proof = proof or Proof()
        self.leaves: tuple[tuple[str, TensorSpec], ...] = tuple(iterate_leaves(self._inputs.items()))
        self.nested = any(isinstance(node, Nest) for node in self._inputs.values())
        self._check_paths()
        used = [size for _, leaf in self.leaves for size in leaf.shape]
        used += [size for output in self.outputs for size in output.shape or ()]
        self.dims: Mapping[str, Dim] = MappingProxyType(collect_dims(used))
        known = dict(self.leaves)
        for path, leaf in self.leaves:
            self._check_references(path, leaf, known)
        self._plans: dict[object, Any] = {}

    def _check_paths(self) -> None:
        twice = sorted(path for path, count in Counter(path for path, _ in self.leaves).items() if count > 1)
        if twice:
            raise SpecError(
                f"two inputs have the path {', '.join(twice[:5])}: each path, names joined by dots, must be unique."
            )

    def _check_references(self, path: str, leaf: TensorSpec, known: Mapping[str, TensorSpec]) -> None:
        mask = get_mask_path(leaf.values)
        if mask is not None:
            if mask not in known:
                remedy = suggest_names(mask, known)
                raise SpecError(f"input {path!r} follows mask={show_value(mask)}, but no input has this path. {remedy}")
            other = known[mask]
            if get_mask_path(other.values) is not None or other.dtype.kind not in ("int", "uint", "bool", "float"):
                raise SpecError(
                    f"input {path!r} follows {mask!r}, which cannot be a mask: a mask must be numeric and must not follow "
                    "another mask."
                )
            counts = isinstance(leaf.values, Lengths)  # one for each row
            if other.rank != leaf.rank + counts or other.shape[:-1] != leaf.shape[: leaf.rank - (not counts)]:
                rule = "it has an axis more, and the others" if counts else "all axes but the last"
                raise SpecError(
                    f"input {path!r} has shape {leaf.shape}, its mask {mask!r} {other.shape}: {rule} must be equal."
                )
        try:
            substitute_rule_dims(leaf.values, self.dims, {})
        except DimError as error:
            raise SpecError(f"input {path!r}: {show_value(leaf.values)}: {error}") from None

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
        """Return the size of every dim: those given, else the default sizes.

        Raises
        ------
        OptionError
            If this spec has no dim of a given name.
        DimError
            If a dim cannot take a given size.

        Examples
        --------
        >>> spec = InputSpec({"x": TensorSpec("x", (Dim("batch_size", 2), Dim("length", 16)))})
        >>> spec.sizes(length=5)
        {'batch_size': 2, 'length': 5}
        """
        self._refuse_unknown(dims)
        return {name: dim.check(dims[name]) if name in dims else dim.size for name, dim in self.dims.items()}

    def _refuse_unknown(self, dims: Mapping[str, int | Dim]) -> None:
        for name, given in dims.items():
            if name not in self.dims:
                remedy = suggest_names(name, self.dims)
                raise OptionError(f"{name}={show_value(given)}: no dim of this spec has that name. {remedy}")

    def shapes(self, sizes: Mapping[str, int] | None = None) -> dict[str, tuple[int, ...]]:
        """Return the shapes as ints, by path.

        Parameters
        ----------
        sizes
            The size of each dim, as `sizes` returns them; by default their default sizes.

        Raises
        ------
        DimError
            If a size is negative.
        SpecError
            If a mask is shorter than an input that follows it, or a rule's values are out of its dtype's range.

        Examples
        --------
        >>> spec = InputSpec({"x": TensorSpec("x", (Dim("batch_size", 2), Dim("length", 16)))})
        >>> spec.shapes(spec.sizes(length=5))
        {'x': (2, 5)}
        """
        known = self.sizes() | check_sizes(sizes)
        shapes = {path: evaluate_shape(leaf, known) for path, leaf in self.leaves}
        for path, leaf in self.leaves:
            shape, mask = shapes[path], get_mask_path(leaf.values)
            if mask is not None and not isinstance(leaf.values, Lengths):
                if shapes[mask][-1] < shape[-1]:
                    raise SpecError(
                        f"input {path!r} is {shape[-1]} long, its mask {mask!r} only {shapes[mask][-1]}: "
                        "a mask must be at least as long as the inputs that follow it."
                    )
                shape = shapes[mask] if isinstance(leaf.values, Positions) else shape
            try:
                substitute_rule_dims(leaf.values, self.dims, known).check_shape(leaf.dtype, shape)
            except SpecError as error:
                raise SpecError(f"input {path!r}: {error}") from None
        return shapes

    def with_dims(self, /, **dims: int | Dim) -> Self:
        """Return a spec with other default sizes, or other definitions, of the dims named; see `InputSpec.with_dims`."""
        self._refuse_unknown(dims)
        new = {name: dim if isinstance(dim, Dim) else replace(self.dims[name], size=dim) for name, dim in dims.items()}
        outputs = tuple(
            output
            if output.shape is None
            else replace(output, shape=tuple(substitute_dims(size, new) for size in output.shape))
            for output in self.outputs
        )
        inputs = {name: replace_dims(node, self.dims, new) for name, node in self.items()}
        return type(self)(inputs, task=self.task, outputs=outputs, provenance=self.provenance, proof=self.proof)

    def with_proof(self, proof: Proof) -> Self:
        """Return the same spec with other runs that confirm it.

        Examples
        --------
        >>> from dummyio.spec.proof import Proof
        >>> InputSpec({"x": TensorSpec("x", (2, 3))}).with_proof(Proof(level="values", sizes=({},))).proof.level
        'values'
        """
        return type(self)(dict(self), task=self.task, outputs=self.outputs, provenance=self.provenance, proof=proof)

    def nbytes(self, /, **dims: int) -> int:
        """Return the number of bytes of one sample at these sizes.

        Examples
        --------
        >>> InputSpec({"x": TensorSpec("x", (Dim("batch_size", 2), 100), "float32")}).nbytes(batch_size=8)
        3200
        """
        sizes = self.sizes(**dims)
        return sum(leaf.nbytes(sizes) for _, leaf in self.leaves)

    def dynamic_axes(self) -> dict[str, dict[int, str]]:
        """Return the dynamic axes by path and axis, for ``torch.onnx.export(dynamic_axes=...)``.

        Examples
        --------
        >>> InputSpec({"x": TensorSpec("x", (Dim("batch_size", 2), 3))}).dynamic_axes()
        {'x': {0: 'batch_size'}}
        """
        return {
            path: {axis: str(size) for axis, size in enumerate(leaf.shape) if not is_static(size)}
            for path, leaf in self.leaves
        }

    def dynamic_shapes(self) -> dict[str, Any]:
        """Return the dynamic axes nested as the inputs, for ``torch.onnx.export(dynamic_shapes=..., dynamo=True)``.

        A derived size has its expression as its name: PyTorch gives the same size of an output the same name, so that
        each size has one name in the file. A cache is a list of tuples here.

        Examples
        --------
        >>> length = Dim("length", 4)
        >>> InputSpec({"x": [TensorSpec("", (3, length)), TensorSpec("", (2 * length,))]}).dynamic_shapes()
        {'x': [{1: 'length'}, {0: 'length * 2'}]}
        """
        leaves = self.dynamic_axes()
        return {name: build_nested(node, leaves, name) for name, node in self.items()}
