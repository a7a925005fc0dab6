"""Observes a run: the operations and layers that it reaches, and the inputs' axes that the sizes in them come from.

The rules of `layer_rules` and `operation_rules` check each before it runs. They raise `OperandMismatch` for operands that do not
fit, with changes of the layout that could make them fit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import FunctionType, MethodType
from typing import Any, Concatenate, ParamSpec
from weakref import ref

import torch
from torch._ops import HigherOrderOperator
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_map_only

from dummyio_torch.discovery.layout import InputLayout
from dummyio_torch.discovery.shape_shortcuts import call_on_shapes

P = ParamSpec("P")


@dataclass(frozen=True)
class LayoutChange:
    """A change of the layout that could make a run work; its `cost` is 0 if a layer's weights require it."""

    cost: int
    change: Callable[[InputLayout], InputLayout | None]
    shown: bool = False
    """Whether a run has shown that it brings the run farther."""

    @classmethod
    def of(
        cls,
        cost: int,
        method: Callable[Concatenate[InputLayout, P], InputLayout | None],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> LayoutChange:
        """Return the change that a method of `InputLayout` makes with these arguments."""
        return cls(cost, lambda layout: method(layout, *args, **kwargs))


class OperandMismatch(Exception):  # noqa: N818 - a message to the search, not an error
    """An operation does not fit its operands.

    `got` is a size that must be `need`, if it depends on several axes in a way that no rule describes; `like` is the variable of which
    `need` is the size, if it is one.
    """

    def __init__(
        self,
        repairs: list[LayoutChange],
        *,
        paths: frozenset[str] = frozenset(),
        got: int | None = None,
        need: int | None = None,
        like: int | None = None,
    ) -> None:
        super().__init__("its operands do not fit" if need is None else f"a size is {got}, and must be {need}")
        self.repairs, self.paths, self.got, self.need, self.like = repairs, paths, got, need, like


class RunTooLong(Exception):  # noqa: N818 - the same
    """The run has many more operations than the one that worked."""


@dataclass(frozen=True)
class AxisOrigin:
    """The inputs that a tensor comes from."""

    sources: frozenset[str]
    """The paths of the inputs that it depends on."""
    direct: str | None = None
    """The input whose elements it holds."""
    flipped: bool = False
    """Whether it is true where that input is 0."""
    like: str | None = None
    """The input of whose elements each has a number here, in the same places."""
    column: tuple[int, int] | None = None
    """The axis of the one input that it depends on, counted from the end, and the place on it, if it holds that alone."""


@dataclass
class Facts:
    """The facts that a run has shown of the inputs."""

    rows: dict[str, tuple[int, int | None, bool]] = field(default_factory=dict[str, tuple[int, int | None, bool]])
    """Input → the number that ids stay below, the padding id, whether the input itself is the index."""
    limits: dict[int, int] = field(default_factory=dict[int, int])
    """Variable → its largest size."""
    names: dict[int, str] = field(default_factory=dict[int, str])
    """Variable → its name, from a layer."""
    strides: dict[int, int] = field(default_factory=dict[int, int])
    """Variable → how many times smaller the first convolution makes it."""
    hiding: set[str] = field(default_factory=set[str])
    """Masks that are true where something is hidden."""
    keeping: set[str] = field(default_factory=set[str])
    indices: dict[str, int | None] = field(default_factory=dict[str, int | None])
    """Input → the variable of the axis that it indexes; None if that is ambiguous."""
    starts: set[str] = field(default_factory=set[str])
    """Inputs of the places at which the bags of a list of ids begin."""
    compared: set[tuple[str, int]] = field(default_factory=set[tuple[str, int]])
    """Inputs whose elements are compared with a whole number, and that number."""
    chosen_from: list[tuple[str, int | None]] = field(default_factory=list[tuple[str, int | None]])
    """Inputs of floats, each with the variable of an axis that places computed from it index, such as that of the largest."""
    columns: dict[str, dict[tuple[int, int], int]] = field(default_factory=dict[str, dict[tuple[int, int], int]])
    """Input → its axis, counted from the end, and the place on it → the number that ids there stay below."""
    used: set[str] = field(default_factory=set[str])

    def bound(self, path: str, rows: int, pad: int | None, *, exact: bool) -> None:
        """Note that an input indexes a table; the smallest counts."""
        known = self.rows.get(path)
        if known is None or rows < known[0]:
            self.rows[path] = (rows, pad if known is None or pad is not None else known[1], exact)


_VIEWS = frozenset(
    (  # noqa: SIM905
        "view reshape unsqueeze squeeze expand permute transpose contiguous to long float bool int half double "
        "type clone detach flatten unflatten expand_as repeat t movedim swapaxes chunk split unbind narrow select "
        "type_as bfloat16 cpu view_as reshape_as repeat_interleave __and__ logical_and bitwise_and"
    ).split()
)
"""Operations whose result holds the elements of their first operand."""

_IN_PLACES = frozenset(
    (  # noqa: SIM905
        "to long float int double half type type_as contiguous clone detach clamp clamp_min clamp_max clip add sub mul remainder fmod "
        "__add__ __radd__ __sub__ __mul__ __mod__ abs relu floor round where masked_fill nan_to_num"
    ).split()
)
"""Operations whose result has a number for each element of their first operand, in the same places."""

_FLIPS = frozenset("__invert__ bitwise_not logical_not __rsub__ rsub".split())  # noqa: SIM905


class RunObserver(TorchFunctionMode):
    """The observer of one run.

    Parameters
    ----------
    layout, tensors
        The layout of the inputs, and the inputs by path.
    check
        Raises `OperandMismatch` for operands of an operation that do not fit.
    strict
        Whether rules that only prefer one layout to another apply too.
    most
        The largest number of operations; None for any number.
    """

    def __init__(
        self,
        layout: InputLayout,
        tensors: Mapping[str, torch.Tensor],
        check: Callable[..., None],
        *,
        strict: bool,
        most: int | None,
    ) -> None:
        super().__init__()
        self.layout, self.check, self.strict, self.most = layout, check, strict, most
        self.facts = Facts()
        self.count = 0
        self.last: tuple[str, tuple[Any, ...], dict[str, Any]] | None = None
        """The operation that runs, with its operands; None between two of them."""
        self.done: tuple[str, tuple[Any, ...], dict[str, Any]] | None = None
        """The operation that ran before."""
        self._kept = list(tensors.values())
        self._inputs = {id(tensor): path for path, tensor in tensors.items()}
        # The id of a tensor is unique only while the tensor exists, and to keep all would take the memory of a training.
        self._lineages = {
            id(tensor): (ref(tensor), AxisOrigin(frozenset({path}), path, like=path))
            for path, tensor in tensors.items()
        }

    def lineage(self, tensor: object) -> AxisOrigin | None:
        """Return the origin of a tensor; None for weights and constants."""
        made, lineage = self._lineages.get(id(tensor), (None, None))
        return lineage if made is not None and made() is tensor else None

    def is_input(self, value: object, path: str) -> bool:
        """Whether a value is the tensor of an input itself."""
        return self._inputs.get(id(value)) == path

    def variable(self, tensor: torch.Tensor, axis: int) -> int | None:
        """Return the variable that an axis has its size from; None if that is ambiguous."""
        lineage = self.lineage(tensor)
        if lineage is None or not -tensor.ndim <= axis < tensor.ndim:
            return None
        leaves = self.layout.leaves
        path = self._inputs.get(id(tensor))
        if path is not None:
            return leaves[path].axes[axis]
        size = tensor.shape[axis]
        found = {v for p in lineage.sources for v in leaves[p].axes if self.layout.sizes[v] == size}
        free = found - self.layout.fixed
        return next(iter(free)) if len(free) == 1 else None

    def counted_axis(self, tensor: torch.Tensor, axis: int) -> int | None:
        """Return the variable of an axis, also of an input that the tensor has only this size from; None if that is ambiguous."""
        variable = self.variable(tensor, axis)
        return self.layout.find_free_axis(tensor.shape[axis]) if variable is None else variable

    def granted(self) -> None:
        """Count a requirement that is met: a layer has many before its first operation, and each is progress."""
        self.count += 1

    def name(self, tensor: torch.Tensor, axis: int, name: str) -> None:
        """Note what an axis is."""
        lineage, size = self.lineage(tensor), tensor.shape[axis]
        alike = [variable for variable, other in self.layout.sizes.items() if other == size]
        if lineage is None or len(alike) != 1:
            return
        own = self.layout.leaves[lineage.direct].axes if lineage.direct else [self.variable(tensor, axis)]
        if alike[0] in own:
            self.facts.names.setdefault(alike[0], name)

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Check an operation, run it, and note the origin of its result."""
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        if name in {"size", "dim", "__len__", "stride", "is_floating_point"}:
            return func(*args, **kwargs)
        if name == "__get__":
            return self._attribute(func, args, kwargs)
        sources = self._sources(args, kwargs)
        self._step(name, args, kwargs, sources)
        if isinstance(func, HigherOrderOperator):
            result = func(*run_within(self, args), **run_within(self, kwargs))
        else:
            result = call_on_shapes(func, name, args, kwargs)
        if sources:
            self._note(name, sources, result, args)
        self.done, self.last = self.last, None
        return result

    def _attribute(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        result = func(*args, **kwargs)
        if isinstance(result, torch.Tensor) and (sources := self._sources(args, kwargs)):  # no shape, no dtype
            self._note("__get__", sources, result, args)
        return result

    def _sources(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[AxisOrigin]:
        return [found for each in tensors_in((args, kwargs)) if (found := self.lineage(each)) is not None]

    def _step(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], sources: list[AxisOrigin]) -> None:
        self.count += 1
        if self.most is not None and self.count > self.most:
            raise RunTooLong
        self.last = (name, args, kwargs)
        for lineage in sources:
            self.facts.used |= lineage.sources
        self.check(self, name, args, kwargs)

    def _note(self, name: str, sources: list[AxisOrigin], result: Any, args: tuple[Any, ...]) -> None:
        paths = frozenset().union(*(lineage.sources for lineage in sources))
        first = self.lineage(args[0]) if args else None
        like, column = (
            _follow_places(name, args, result, first) if first is not None and len(paths) == 1 else (None, None)
        )
        lineage = AxisOrigin(paths, like=like, column=column)
        if first is not None and first.direct:
            compared = name in {"eq", "__eq__"} and isinstance(args[-1], (bool, int, float)) and args[-1] == 0
            if name in _FLIPS or compared:
                lineage = AxisOrigin(paths, first.direct, not first.flipped)
            elif name in _VIEWS or name == "__get__" or _plain_index(name, args):
                lineage = AxisOrigin(paths, first.direct, first.flipped, like, column)
        for tensor in tensors_in(result):
            if id(tensor) not in self._inputs:
                self._lineages[id(tensor)] = ref(tensor), lineage


def _follow_places(
    name: str, args: tuple[Any, ...], result: Any, first: AxisOrigin
) -> tuple[str | None, tuple[int, int] | None]:
    """Return the input whose elements have numbers in a result in the same places, and the column of it that the result holds."""
    if name in {"__getitem__", "select"}:
        return None, _find_column(name, args) if first.like is not None else None
    alike = isinstance(result, torch.Tensor) and result.shape == args[0].shape
    return (first.like if alike and name in _IN_PLACES else None), first.column


def _find_column(name: str, args: tuple[Any, ...]) -> tuple[int, int] | None:
    """Return the axis, counted from the end, and the one place on it that an index of a tensor takes; None for another index."""
    tensor, *rest = args
    if name == "select" and len(rest) == 2:
        axis, place = rest[0] % tensor.ndim, rest[1]
    elif name == "__getitem__":
        keys = list(rest[0]) if isinstance(rest[0], tuple) else [rest[0]]
        if Ellipsis in keys:
            at = keys.index(Ellipsis)
            keys[at : at + 1] = [slice(None)] * (tensor.ndim - len(keys) + 1)
        chosen = [(axis, key) for axis, key in enumerate(keys) if key != slice(None)]
        if len(chosen) != 1 or type(chosen[0][1]) is not int:
            return None
        ((axis, place),) = chosen
    else:
        return None
    return axis - tensor.ndim, place % tensor.shape[axis]


def _plain_index(name: str, args: tuple[Any, ...]) -> bool:
    return name == "__getitem__" and not any(True for _ in tensors_in(args[1:]))


def run_within(mode: Any, operands: Any) -> Any:
    """Return the operands of a control flow operator with functions that run in a mode, which the operator itself does not."""

    def wrap(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            with mode:
                return function(*args)

        return call

    return tree_map_only((FunctionType, MethodType, torch.nn.Module), wrap, operands)


def tensors_in(value: Any, depth: int = 0) -> Iterator[torch.Tensor]:
    """Yield the tensors in nested containers."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (list, tuple)) and depth < 5:
        for item in value:
            yield from tensors_in(item, depth + 1)
    elif isinstance(value, dict) and depth < 5:
        for item in value.values():
            yield from tensors_in(item, depth + 1)
