"""The facts of each value of a graph: its shape, its contents if these are sizes, the inputs whose elements it holds.

`operator_rules` collects them in one walk along the operations. Weights are used by their dimensions only.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import onnx

from dummyio.sources.graph.graph_facts import GraphFacts, InputAlias, ParameterValues
from dummyio.sources.input_names import is_padding_mask
from dummyio.spec.dims import DimExpr, Size
from dummyio_onnx.analysis.flat_graph import Constant, Op, read_constant, read_constants
from dummyio_onnx.analysis.parameter_rows import SAFE
from dummyio_onnx.analysis.parameters import ParameterTable, follow_elements
from dummyio_onnx.dtypes import find_dtype
from dummyio_onnx.read_model import expand_inputs, list_parts, read_axes

Scalar = int | float | str
Known = Callable[[str], Size | None]
"""From the text of an axis to its size, if the inputs' axes define it."""

_MAX_PARTS = 64
"""Parts of one fact that are kept: a graph can be made so that each operation doubles its facts."""

_MAX_CHARACTERS = 500
"""Characters of an expression that is kept; a spec can hold twice as many."""

COST_OF_EXPRESSION = 50_000
"""The work to compute an expression of sizes."""

_COST_OF_TEXT, _COST_OF_CHARACTER, _COST_OF_ORIGIN = 5_000, 100, 200
"""The work to write an expression, for each of its characters, and for an input whose elements a value holds."""


_BY_VALUES = ("NonZero", "Unique", "Compress", "NonMaxSuppression", "StringSplit", "StringNormalizer")
"""Operations whose result is as large as the values of their inputs make it."""


class Line(NamedTuple):
    """An input times `scale` plus `shift`."""

    path: str
    scale: float = 1.0
    shift: float = 0.0


class ValueFacts:
    """The facts so far.

    Parameters
    ----------
    model
        The model whose operations are read.
    shapes
        The shapes of its inputs.
    known
        The sizes that texts of axes stand for.
    """

    def __init__(self, model: onnx.ModelProto, shapes: Mapping[str, tuple[Size, ...]], known: Known) -> None:
        """Start from the inputs' shapes, the constants, and the shapes that the graph declares."""
        self.constants: dict[str, Constant] = {}
        self.shapes: dict[str, tuple[Size | None, ...]] = {name: tuple(shape) for name, shape in shapes.items()}
        self.contents: dict[str, tuple[Size, ...]] = {}
        self.origins: dict[str, frozenset[InputAlias]] = {name: frozenset({InputAlias(name)}) for name in shapes}
        self.bounds: dict[str, Size] = {}
        """Value → the size that its elements are below."""

        for name, parts in list_parts(model.graph.input).items():
            if any(part in shapes for part in parts):
                self.origins[name] = frozenset(map(InputAlias, parts))
                alike = {self.shapes[part] for part in parts}
                if len(alike) == 1:
                    self.shapes[name] = alike.pop()
        taken = expand_inputs(model.graph.input)
        dtypes = {value.name: find_dtype(value.type.tensor_type.elem_type) for value in taken}
        self.kinds = {name: dtype.kind for name, dtype in dtypes.items() if dtype is not None}
        """Input → the kind of its dtype."""

        self.flags = {name for name in shapes if self.kinds.get(name) == "bool" or is_padding_mask(name)}
        """Values whose elements are 0 or 1."""

        self.parameters = ParameterTable(follow_elements(shapes, self.kinds))
        self.contents |= self.parameters.elements

        self.lines: dict[str, Line] = {name: Line(name) for name in shapes if self.kinds.get(name) == "float"}
        """Value → the input of real numbers of which it is a multiple plus a number."""

        self.compared: dict[str, dict[Scalar, None]] = {}
        """Input → the constants that it is compared with."""

        self.defaults: dict[str, tuple[frozenset[str], int]] = {}
        """Value → the inputs whose elements an encoder looked up for it, and its number for those that it lacks."""

        self.strict: set[str] = set()
        """Inputs whose elements must be among the keys of their encoder: its default indexes nothing."""

        self.reshaped: set[str] = set()
        """Values whose shape depends on what inputs hold, so that a declared one is that of the values its author had."""

        self.work = 0
        """What the facts have cost so far, about in nanoseconds: a graph can be made so that few operations cost much."""

        self.evidence = GraphFacts()
        for name, constant in read_constants(model).items():
            self.add_constant(name, constant)
        for value in model.graph.value_info:
            axes = read_axes(value)
            if value.name not in self.shapes and axes is not None:
                self.shapes[value.name] = tuple(known(axis) if isinstance(axis, str) else axis for axis in axes)

    def add_constant(self, name: str, constant: Constant | None) -> None:
        """Enter a constant if it is valid."""
        if constant is None:
            return
        self.constants[name] = constant
        self.shapes[name] = constant.dims
        if constant.elements is not None:
            self.add_contents(name, constant.elements)

    def add_contents(self, name: str, sizes: tuple[Size, ...]) -> None:
        """Enter the contents of a value."""
        if len(sizes) <= _MAX_PARTS and all(map(self._is_short, sizes)):
            self.contents[name] = sizes

    def add_origins(self, name: str, origins: Iterable[InputAlias]) -> None:
        """Enter the inputs whose elements a value holds."""
        found = frozenset(origins)
        self.work += _COST_OF_ORIGIN * len(found)
        if 0 < len(found) <= _MAX_PARTS:
            self.origins[name] = found

    def read_constant(self, op: Op) -> None:
        """Enter the constant that an operation makes."""
        for kind, part in op.attributes.items():
            if kind == "value":
                self.add_constant(op.outputs[0], read_constant(part.t))
            elif kind == "value_int":
                self.add_constant(op.outputs[0], Constant((), (part.i,), (part.i,)))
            elif kind == "value_ints":
                self.add_constant(op.outputs[0], Constant((len(part.ints),), tuple(part.ints), tuple(part.ints)))
            elif kind == "value_float":
                self.add_constant(op.outputs[0], Constant((), None, (part.f,)))
            elif kind in ("value_string", "value_strings"):
                words = tuple(
                    word.decode("utf-8", "replace") for word in (part.strings if kind[-1] == "s" else (part.s,))
                )
                self.add_constant(op.outputs[0], Constant((len(words),) if kind[-1] == "s" else (), None, words))

    def add_shape(self, name: str, shape: tuple[Size | None, ...]) -> None:
        """Enter a shape, or the sizes that it adds to the one that is known."""
        shape = tuple(size if size is not None and self._is_known(size) else None for size in shape)
        before = self.shapes.get(name)
        if before is not None and len(before) == len(shape):
            shape = tuple(new if old is None else old for old, new in zip(before, shape, strict=True))
        self.shapes[name] = shape

    def axis_size(self, name: str, axis: int) -> Size | None:
        """Return the size of an axis, counted from the end if it is negative."""
        shape = self.shapes.get(name)
        return shape[axis] if shape is not None and -len(shape) <= axis < len(shape) else None

    def scalar(self, name: str) -> Size | None:
        """Return the content of a value that holds one size, if it is the same whatever the inputs hold."""
        contents = self.contents.get(name)
        return contents[0] if contents is not None and len(contents) == 1 and self._is_known(contents[0]) else None

    def add_index(self, indices: str, rows: Size | None, table: str) -> None:
        """Note that a value indexes an axis of that size."""
        paths, default = self.defaults.get(indices, (frozenset[str](), 0))
        if isinstance(rows, int) and not -rows <= default < rows:
            self.strict |= paths
        for origin in self.origins.get(indices, ()):
            self.evidence.add_index(origin, rows, table)
        if indices in self.bounds and isinstance(rows, int):
            self.evidence.add_limit(self.bounds[indices], rows, table)

    def read_parameters(self, op: Op) -> None:
        """Note what an operation demands of inputs that are its parameters."""
        pinned = self.parameters.read(op, self.contents, [self.shapes.get(name) for name in op.inputs])
        if (
            op.kind in _BY_VALUES
            or self.parameters.has_fed(op, self.contents)
            or not self.reshaped.isdisjoint(op.inputs)
        ):
            self.reshaped.update(op.outputs)
        for dim in pinned:
            self.evidence.add_limit(dim, dim.size, op.kind)
            self.evidence.floors.append((dim - dim.size, op.kind))
        for place, safe in SAFE.get(op.kind, ()):
            for origin in self.origins.get(op.input(place), ()):
                if origin.path not in self.parameters.elements:
                    self.evidence.parameters.setdefault(origin.path, ParameterValues((safe,), None, op.kind))

    def add_limit(self, size: Size, most: int, table: str) -> None:
        """Note that a size has a largest value."""
        if self._is_known(size):
            self.evidence.add_limit(size, most, table)

    def _is_known(self, size: Size) -> bool:
        return isinstance(size, int) or (not self.parameters.is_fed(size) and self._is_short(size))

    def _is_short(self, size: Size) -> bool:
        if isinstance(size, int):
            return abs(size) < 1 << 63
        length = len(str(size))
        if isinstance(size, DimExpr):
            self.work += _COST_OF_TEXT + _COST_OF_CHARACTER * length
        return length < _MAX_CHARACTERS
