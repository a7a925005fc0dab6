"""Inputs that are parameters of operators: axes, shapes, pads, scales and steps have few legal values.

Each element of such an input is followed as a symbol through the arithmetic on sizes. Where an operator reads it, `parameter_rows` lists values to
try for it and says which combinations the operator takes; these are solved for the elements.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import islice, product
from math import prod

from dummyio.errors import DimError
from dummyio.sources.graph.graph_facts import Number, ParameterValues
from dummyio.spec.dims import Dim, DimExpr, Size, evaluate_size, find_dims
from dummyio_onnx.analysis.flat_graph import Op
from dummyio_onnx.analysis.parameter_rows import PARAMETERS, Call, ParameterRow, Shape, Vector

_MOST_ELEMENTS = 12
"""Elements of an input that are followed: a parameter is a scalar, or a value or two for each axis."""
_MOST_TRIES = 20_000
_MOST_MIXES = 256


def follow_elements(shapes: Mapping[str, tuple[Size, ...]], kinds: Mapping[str, str]) -> dict[str, tuple[Dim, ...]]:
    """Return a symbol for each element of the inputs that may be parameters."""
    found: dict[str, tuple[Dim, ...]] = {}
    for number, (name, shape) in enumerate(shapes.items()):
        count = prod(size for size in shape if isinstance(size, int))
        static = len(shape) < 2 and all(isinstance(size, int) for size in shape)
        if static and 0 < count <= _MOST_ELEMENTS and kinds.get(name) in ("int", "uint", "float", "bool"):
            found[name] = tuple(Dim(f"_input_{number}_{element}", 1, min=0) for element in range(count))
    return found


class ParameterTable:
    """The parameters that a walk along a graph has found; `elements` are those of `follow_elements`."""

    def __init__(self, elements: Mapping[str, tuple[Dim, ...]]) -> None:
        self.elements = elements
        self._fed = frozenset(dim for dims in elements.values() for dim in dims)
        self.found: dict[Dim, tuple[tuple[Number, ...], str]] = {}
        """Element -> its legal values, the best first, and the operator."""

    def is_fed(self, size: Size) -> bool:
        """Whether a size depends on the elements of an input."""
        return any(dim in self._fed for dim in find_dims(size))

    def has_fed(self, op: Op, contents: Mapping[str, tuple[Size, ...]]) -> bool:
        """Whether an operation has a parameter that depends on the elements of an input."""
        row = PARAMETERS.get(op.kind)
        sizes = (size for place in row.places for size in contents.get(op.input(place), ())) if row is not None else ()
        return any(map(self.is_fed, sizes))

    def read(
        self, op: Op, contents: Mapping[str, tuple[Size, ...]], shapes: Sequence[tuple[Size | None, ...] | None]
    ) -> list[Dim]:
        """Enter what an operation demands of its parameters.

        Parameters
        ----------
        op
            The operation.
        contents
            Value -> its elements, as sizes.
        shapes
            The shapes of its inputs.

        Returns
        -------
        list
            Dims that must keep their default size, since no value of the parameters fits others.
        """
        row = PARAMETERS.get(op.kind)
        if row is None:
            return []
        given = {place: contents[op.input(place)] for place in row.places if op.input(place) in contents}
        fed = list(
            dict.fromkeys(
                dim for sizes in given.values() for size in sizes for dim in find_dims(size) if dim in self._fed
            )
        )
        if not fed or len(fed) > _MOST_ELEMENTS:
            return []
        at_sizes = _list_concrete(shapes)
        choices = [self._list_options(op, dim, given, at_sizes[0][1], row) for dim in fed]

        def make_test(kept: Collection[Dim]) -> Callable[[Sequence[Number]], bool]:
            calls = [each for dim, each in at_sizes if dim not in kept]

            def is_legal(chosen: Sequence[Number]) -> bool:
                values = _evaluate(given, dict(zip(fed, chosen, strict=True)))
                return values is not None and all(row.takes(Call(op, each, values)) for each in calls)

            return is_legal

        for kept in ((), tuple(dict.fromkeys(dim for dim, _ in at_sizes if dim is not None))):
            is_legal = make_test(kept)
            base = next((each for each in islice(product(*choices), _MOST_TRIES) if is_legal(each)), None)
            if base is not None:
                pinned = [dim for dim in kept if not make_test([other for other in kept if other != dim])(base)]
                self._enter(op, fed, base, choices, make_test(pinned))
                return pinned
        return []

    def _list_options(
        self,
        op: Op,
        dim: Dim,
        given: Mapping[int, tuple[Size, ...]],
        shapes: tuple[Shape | None, ...],
        row: ParameterRow,
    ) -> list[Number]:
        """Return the values of one element to try: those already found, else those that give the options of a place."""
        if dim in self.found:
            return list(self.found[dim][0])
        data = (shapes[0] if shapes else None) or ()
        return list(
            dict.fromkeys(
                number
                for place, sizes in given.items()
                for element, size in enumerate(sizes)
                if dim in find_dims(size)
                for wanted in row.options(op, data, place, element)
                if (number := _solve(size, dim, wanted)) is not None
            )
        ) or [1]

    def _enter(
        self,
        op: Op,
        fed: Sequence[Dim],
        base: Sequence[Number],
        choices: Sequence[Sequence[Number]],
        is_legal: Callable[[Sequence[Number]], bool],
    ) -> None:
        """Enter for each element the values that are legal with all values of the others."""
        chosen: list[list[Number]] = [[number] for number in base]
        for place, options in enumerate(choices):
            for number in options:
                mixes = list(islice(product(*chosen[:place], [number], *chosen[place + 1 :]), _MOST_MIXES))
                if number not in chosen[place] and len(mixes) < _MOST_MIXES and all(map(is_legal, mixes)):
                    chosen[place].append(number)
        self.found |= {dim: (tuple(legal), op.kind) for dim, legal in zip(fed, chosen, strict=True)}

    def list_values(self) -> Iterator[tuple[str, ParameterValues]]:
        """Yield each input that is a parameter, and its values."""
        for name, dims in self.elements.items():
            reason = next((self.found[dim][1] for dim in dims if dim in self.found), None)
            if reason is None:
                continue
            options = [self.found[dim][0] if dim in self.found else (1,) for dim in dims]
            row = tuple(map(max, options))  # 0 of a pad or a start, and 1 of a scale, change nothing
            if len(set(options)) == 1:
                yield name, ParameterValues(options[0], None, reason)
            elif len(set(row)) == 1:
                yield name, ParameterValues(row[:1], None, reason)
            else:
                yield name, ParameterValues((), row, reason)


def _list_concrete(
    shapes: Sequence[tuple[Size | None, ...] | None],
) -> list[tuple[Dim | None, tuple[Shape | None, ...]]]:
    """Return the shapes at the default sizes, and with each dim smaller and larger, which comes with them."""
    dims = {dim for shape in shapes for size in shape or () if size is not None for dim in find_dims(size)}

    def at(sizes: Mapping[str, int]) -> tuple[Shape | None, ...]:
        return tuple(
            shape if shape is None else tuple(None if size is None else _evaluate_one(size, sizes) for size in shape)
            for shape in shapes
        )

    others = [
        (dim, other)
        for dim in sorted(dims, key=lambda dim: dim.name)
        for other in (dim.min, dim.size + dim.multiple_of)
        if other != dim.size and other > 0 and other <= (dim.max or other)
    ]
    return [(None, at({})), *((dim, at({dim.name: other})) for dim, other in others[:_MOST_ELEMENTS])]


def _solve(size: Size, dim: Dim, wanted: Number) -> Number | None:
    """Return the value of an element that gives a size, which is the element itself or whole multiples of it plus a number."""
    if size == dim:
        return wanted
    if len(find_dims(size)) > 1 or not isinstance(size, DimExpr) or wanted != int(wanted):
        return None
    at_zero = evaluate_size(size, {dim.name: 0})
    slope = evaluate_size(size, {dim.name: 1}) - at_zero
    if not slope or (wanted - at_zero) % slope:
        return None
    found = int(wanted - at_zero) // slope
    return found if _evaluate_one(size, {dim.name: found}) == wanted else None


def _evaluate(given: Mapping[int, tuple[Size, ...]], chosen: Mapping[Dim, Number]) -> dict[int, Vector] | None:
    """Return the elements of each parameter; None if one cannot be computed."""
    sizes = {dim.name: number for dim, number in chosen.items()}
    found: dict[int, Vector] = {}
    for place, elements in given.items():
        values = [
            chosen[size] if isinstance(size, Dim) and size in chosen else _evaluate_one(size, sizes)
            for size in elements
        ]
        known = tuple(value for value in values if value is not None)
        if len(known) < len(values):
            return None
        found[place] = known
    return found


def _evaluate_one(size: Size, sizes: Mapping[str, Number]) -> int | None:
    if isinstance(size, int):
        return size
    try:
        return evaluate_size(size, {name: int(number) for name, number in sizes.items()})
    except (DimError, ZeroDivisionError):
        return None
