"""How operations change shapes on the way of an image through a network.

A convolution or a pool fails if its output would have no row or column, so each shows how small an image can be.
"""

from collections.abc import Callable
from math import prod

from dummyio.spec.dims import Dim, DimExpr, Size
from dummyio_onnx.analysis.flat_graph import Op
from dummyio_onnx.analysis.graph_facts import COST_OF_EXPRESSION, ValueFacts

Shape = tuple[Size | None, ...]

COMPARISONS = ("Equal", "And", "Or", "Xor", "Less", "LessOrEqual", "Greater", "GreaterOrEqual")
"""Operations of two operands whose results are booleans."""
TESTS = ("Not", "IsNaN", "IsInf")
"""The same for one operand."""

_ALIKE = (
    *("Identity", "Cast", "CastLike", "Dropout", "Clip", "Abs", "Neg", "Sqrt", "Exp", "Erf", "Softmax", "LRN"),
    *(*TESTS, "CumSum", "SequenceAt", "OptionalGetElement", "Optional"),
    *("Relu", "LeakyRelu", "PRelu", "Elu", "Selu", "Celu", "Gelu", "Mish", "Softplus", "Tanh"),
    *("Sigmoid", "HardSigmoid", "HardSwish", "ThresholdedRelu", "QuantizeLinear", "DequantizeLinear"),
    *("BatchNormalization", "InstanceNormalization", "GroupNormalization", "LayerNormalization", "LpNormalization"),
)
"""Operations whose output has the shape of their first input."""


def infer_output_shape(op: Op, facts: ValueFacts) -> None:
    """Enter the shape of an operation's output if it follows from those of its inputs."""
    reader = _READERS.get(op.kind)
    shape = None if reader is None else reader(op, facts)
    if shape is not None:
        facts.add_shape(op.outputs[0], shape)


def _broadcast(op: Op, facts: ValueFacts) -> Shape | None:
    left, right = facts.shapes.get(op.input(0)), facts.shapes.get(op.input(1))
    if left is None or right is None:
        return None
    rank = max(len(left), len(right))
    pairs = zip((1,) * (rank - len(left)) + left, (1,) * (rank - len(right)) + right, strict=True)
    return tuple(b if a == 1 else a for a, b in pairs)


def _concat(op: Op, facts: ValueFacts) -> Shape | None:
    shapes = [facts.shapes.get(name) for name in op.inputs]
    first = shapes[0] if shapes else None
    axis = op.number("axis", 0)
    if first is None or not -len(first) <= axis < len(first):
        return None
    parts = [shape[axis] if shape is not None and len(shape) == len(first) else None for shape in shapes]
    known = [part for part in parts if part is not None]
    axis %= len(first)
    return (*first[:axis], _sum(*known), *first[axis + 1 :]) if len(known) == len(parts) else None


def _transpose(op: Op, facts: ValueFacts) -> Shape | None:
    shape = facts.shapes.get(op.input(0))
    if shape is None:
        return None
    order = op.numbers("perm") or tuple(reversed(range(len(shape))))
    return tuple(shape[axis] for axis in order) if sorted(order) == list(range(len(shape))) else None


def _pad(op: Op, facts: ValueFacts) -> Shape | None:
    shape, pads = facts.shapes.get(op.input(0)), facts.contents.get(op.input(1))
    if shape is None or pads is None or len(pads) != 2 * len(shape) or op.input(3):
        return None
    return tuple(None if size is None else _sum(size, pads[k], pads[k + len(shape)]) for k, size in enumerate(shape))


def _reshape(op: Op, facts: ValueFacts) -> Shape | None:
    """Return the shape that a reshape names: 0 is the size that was there, -1 what the others leave."""
    shape, wanted = facts.shapes.get(op.input(0)), facts.contents.get(op.input(1))
    if shape is None or wanted is None or op.number("allowzero", 0) or any(size is None for size in shape):
        return None
    if any(size == 0 and place >= len(shape) for place, size in enumerate(wanted)):
        return None
    found = [shape[place] if size == 0 else size for place, size in enumerate(wanted)]
    if -1 not in found:
        return tuple(found)
    rest = _find_rest([size for size in shape if size is not None], [size for size in found if size is not None])
    return tuple(rest if size == -1 else size for size in found)


def _find_rest(before: list[Size], after: list[Size]) -> Size | None:
    """Return the size that makes the product of the sizes after a reshape that of those before; None if it is not one of them."""
    static = 1
    for size in after:
        if size in before:
            before.remove(size)
        elif not isinstance(size, int):
            return None
        elif size != -1:
            static *= size
    numbers = prod(size for size in before if isinstance(size, int))
    if static == 0 or numbers % static:
        return None
    rest: Size = numbers // static
    for size in before:
        rest = rest if isinstance(size, int) else size * rest
    return rest


def _sum(*sizes: Size) -> Size:
    total: Size = 0
    for size in sizes:
        total = total + size
    return total


def _convolution(op: Op, facts: ValueFacts) -> Shape | None:
    """Return the shape after a convolution: as many channels as filters, as many places as the window has."""
    filters = 3 if op.kind == "QLinearConv" else 1
    shape, weight = facts.shapes.get(op.input(0)), facts.shapes.get(op.input(filters))
    if shape is None or weight is None or len(weight) != len(shape):
        return None
    window = op.numbers("kernel_shape") or tuple(size if isinstance(size, int) else 1 for size in weight[2:])
    return (shape[0], weight[0], *_windows(op, facts, shape[2:], window))


def _pool(op: Op, facts: ValueFacts) -> Shape | None:
    shape = facts.shapes.get(op.input(0))
    window = op.numbers("kernel_shape")
    if shape is None or len(window) != len(shape) - 2:
        return None
    return (*shape[:2], *_windows(op, facts, shape[2:], window))


def _windows(op: Op, facts: ValueFacts, sizes: Shape, window: tuple[int, ...]) -> Shape:
    """Return the number of places of a sliding window on each axis, and note that there must be one."""
    count = len(sizes)
    strides = op.numbers("strides") or (1,) * count
    dilations = op.numbers("dilations") or (1,) * count
    pads = op.numbers("pads") or (0,) * (2 * count)
    mode = op.text("auto_pad", "NOTSET")
    if not len(window) == len(strides) == len(dilations) == len(pads) // 2 == count or 0 in strides:
        return (None,) * count
    facts.work += 4 * COST_OF_EXPRESSION * sum(isinstance(size, (Dim, DimExpr)) for size in sizes)
    found: list[Size | None] = []
    for k, size in enumerate(sizes):
        if size is None:
            found.append(None)
        elif mode.startswith("SAME"):
            found.append((size + strides[k] - 1) // strides[k])
        else:
            reach = dilations[k] * (window[k] - 1) + 1
            room = size - reach + (pads[k] + pads[k + count] if mode == "NOTSET" else 0)
            if isinstance(room, (Dim, DimExpr)):
                facts.evidence.floors.append((room, op.kind))
            found.append((room + (strides[k] - 1 if op.number("ceil_mode", 0) else 0)) // strides[k] + 1)
    return tuple(found)


_READERS: dict[str, Callable[[Op, ValueFacts], Shape | None]] = {
    **dict.fromkeys(_ALIKE, lambda op, facts: facts.shapes.get(op.input(0))),
    **dict.fromkeys(("Add", "Sub", "Mul", "Div", "Pow", "Max", "Min"), _broadcast),
    **dict.fromkeys(COMPARISONS, _broadcast),
    **dict.fromkeys(("MaxPool", "AveragePool", "LpPool"), _pool),
    "Concat": _concat,
    **dict.fromkeys(("Conv", "ConvInteger", "QLinearConv"), _convolution),
    "Pad": _pad,
    "Reshape": _reshape,
    "Transpose": _transpose,
}
