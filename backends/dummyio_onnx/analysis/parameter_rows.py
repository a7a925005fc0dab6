"""What operators take as parameters: values to try for axes, shapes, pads, scales and steps, and which combinations are legal."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod

from dummyio.sources.graph.graph_facts import Number
from dummyio_onnx.analysis.flat_graph import Op

_END = 2**31 - 1
"""The end of an axis of any size, as exporters write it."""
_MOST_PLACES = 64
"""Elements that a parameter may make a result have, where it may have any number."""

Vector = tuple[Number, ...]
Shape = tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """One operation with concrete sizes of its inputs, and its parameters."""

    op: Op
    shapes: tuple[Shape | None, ...]
    values: Mapping[int, Vector]
    """Place of an input -> its elements."""

    @property
    def shape(self) -> Shape:
        """The shape of the data; empty if it is not known."""
        return (self.shapes[0] if self.shapes else None) or ()

    def axes(self, place: int, default: Sequence[int]) -> list[int] | None:
        """Return axes counted from the front; None if two are the same or one is not there."""
        rank, given = len(self.shape), self.values.get(place, default)
        found = [int(axis) + (rank if axis < 0 else 0) for axis in given]
        return found if len(set(found)) == len(found) and all(0 <= axis < rank for axis in found) else None


@dataclass(frozen=True, slots=True)
class ParameterRow:
    """What an operator takes as parameters."""

    places: tuple[int, ...]
    options: Callable[[Op, Shape, int, int], Sequence[Number]]
    """From the operation, the shape of its data, a place and the number of an element to values to try, the best first."""
    takes: Callable[[Call], bool]


def _axis_options(_op: Op, shape: Shape, _place: int, element: int) -> list[int]:
    """Try each element's own axis first, so that the axes of several differ."""
    rank = len(shape)
    return [*range(element, rank), *range(min(element, rank))]


def _takes_axes(place: int) -> Callable[[Call], bool]:
    return lambda call: call.axes(place, ()) is not None


def _takes_squeezed(call: Call) -> bool:
    axes = call.axes(1, ())
    return axes is not None and all(call.shape[axis] == 1 for axis in axes)


def _unsqueeze_options(_op: Op, shape: Shape, _place: int, element: int) -> list[int]:
    return [*range(element, len(shape) + 1), *range(element)]


def _takes_unsqueezed(call: Call) -> bool:
    rank = len(call.shape) + len(call.values[1])
    axes = {int(axis) % rank for axis in call.values[1] if -rank <= axis < rank}
    return len(axes) == len(call.values[1])


def _slice_options(op: Op, shape: Shape, place: int, element: int) -> list[int]:
    match place:
        case 1:
            return [0, 1]
        case 2:
            return [_END, 2, 1]
        case 3:
            return _axis_options(op, shape, place, element)
        case _:
            return [1, 2]


def _takes_slice(call: Call) -> bool:
    starts, ends = call.values.get(1, ()), call.values.get(2, ())
    count = len(starts) or len(ends)
    axes = call.axes(3, range(count))
    steps = call.values.get(4, (1,) * count)
    if axes is None or not len(starts) == len(ends) == len(axes) == len(steps) or 0 in steps:
        return False
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        size = call.shape[axis]
        if size is None or not range(*slice(int(start), int(end), int(step)).indices(size)):
            return False
    return True


def _pad_options(op: Op, shape: Shape, place: int, element: int) -> list[int]:
    return [0, 1] if place == 1 else _axis_options(op, shape, place, element)


def _takes_pads(call: Call) -> bool:
    pads, mode = call.values.get(1, ()), call.op.text("mode", "constant")
    axes = call.axes(3, range(len(call.shape)))
    if axes is None or len(pads) != 2 * len(axes):
        return False
    sizes = [call.shape[axis] for axis in axes] * 2
    return all(size is not None and (mode != "reflect" or pad < size) for pad, size in zip(pads, sizes, strict=True))


def _reshape_options(_op: Op, shape: Shape, _place: int, element: int) -> list[int]:
    """Try what copies a size and what leaves it open, then the divisors of the sizes that are fixed."""
    total = prod(size for size in shape if size is not None)
    divisors = [each for each in range(2, min(total, _MOST_PLACES) + 1) if total % each == 0]
    kept = [0] if element < len(shape) - 1 else []
    return [*kept, -1, *divisors, 1]


def _takes_reshape(call: Call) -> bool:
    wanted = [int(each) for each in call.values[1]]
    if None in call.shape or wanted.count(-1) > 1 or min(wanted, default=0) < -1:
        return False
    if any(each == 0 and place >= len(call.shape) for place, each in enumerate(wanted)):
        return False
    if 0 in wanted and call.op.number("allowzero", 0):
        return False
    total = prod(size or 0 for size in call.shape)
    rest = prod((call.shape[place] or 0) if each == 0 else each for place, each in enumerate(wanted) if each != -1)
    return rest > 0 and (total % rest == 0 if -1 in wanted else total == rest)


def _expand_options(_op: Op, shape: Shape, _place: int, _element: int) -> list[int]:
    return [1, *(size for size in shape if size is not None and size > 1), 2]


def _takes_expand(call: Call) -> bool:
    wanted, shape = call.values[1], call.shape
    pairs = zip(reversed(wanted), reversed(shape), strict=False)
    return None not in shape and all(1 in (want, size) or want == size for want, size in pairs)


def _split_options(_op: Op, shape: Shape, _place: int, _element: int) -> list[int]:
    most = max((size for size in shape if size is not None), default=1)
    return list(range(1, min(most, _MOST_PLACES) + 1))


def _takes_split(call: Call) -> bool:
    axis = call.op.number("axis", 0)
    return -len(call.shape) <= axis < len(call.shape) and call.shape[axis] == sum(call.values[1])


def _resize_options(_op: Op, shape: Shape, place: int, element: int) -> list[Number]:
    rank = len(shape)
    size = shape[element % rank] if rank else None
    outer = element < rank - 2
    match place:
        case 1:
            return [0.0] if element < rank else [1.0]
        case 2:
            return [1.0] if outer else [2.0, 1.0]
        case _:
            return [size or 1] if outer else [2 * (size or 1), size or 1]


def _takes_sizes(call: Call) -> bool:
    """Whether what is not resized keeps its size: of more than two axes, runtimes resize the last ones only."""
    sizes, outer = call.values.get(3, ()), len(call.shape) - 2
    return call.op.text("mode", "nearest") == "nearest" or all(
        wanted == size for wanted, size in zip(sizes[: max(outer, 0)], call.shape, strict=False)
    )


def _grid_options(_op: Op, shape: Shape, _place: int, element: int) -> list[int]:
    return [shape[0] or 1] if element == 0 and shape else [2, 3]


def _transform_options(op: Op, shape: Shape, place: int, element: int) -> list[int]:
    return [8, 4] if place == 1 else [*range(1, len(shape) - 1)] or _axis_options(op, shape, place, element)


def _fold_options(_op: Op, shape: Shape, place: int, _element: int) -> list[int]:
    columns = shape[-1] if shape else None
    return list(range(1, min(columns or 1, 8) + 1)) if place == 1 else [2, 1, 3, 4, 5]


def _takes_fold(call: Call) -> bool:
    """Whether the blocks of an image are as many as the columns, and as large as the channels allow."""
    image, block, op = call.values.get(1, ()), call.values.get(2, ()), call.op
    count = len(block)
    strides, dilations, pads = (
        op.numbers("strides") or (1,) * count,
        op.numbers("dilations") or (1,) * count,
        op.numbers("pads"),
    )
    shape, pads = call.shape, pads or (0,) * 2 * count
    if len(shape) != 3 or not len(image) == count == len(strides) == len(dilations) == len(pads) // 2:
        return False
    places = prod(
        (int(image[k]) + pads[k] + pads[k + count] - dilations[k] * (int(block[k]) - 1) - 1) // strides[k] + 1
        for k in range(count)
    )
    return shape[1] is not None and shape[1] % int(prod(block)) == 0 and places == shape[2]


def _takes_frames(call: Call) -> bool:
    signal, window = call.shape, call.shapes[2] if len(call.shapes) > 2 else None
    length = call.values[3][0] if 3 in call.values else window[0] if window else None
    if len(signal) < 2 or signal[1] is None or length is None:
        return False
    return length <= signal[1] and (not window or window[0] == length)


def _takes_few(place: int) -> Callable[[Call], bool]:
    """Whether a shape has few elements, and each axis one."""
    return lambda call: min(call.values[place], default=1) > 0 and prod(call.values[place]) <= _MOST_PLACES


def _takes_range(call: Call) -> bool:
    start, limit, delta = (call.values.get(place, (default,))[0] for place, default in enumerate((0, 1, 1)))
    return delta != 0 and 0 < (limit - start) / delta <= _MOST_PLACES


def _top_options(op: Op, shape: Shape, _place: int, _element: int) -> list[int]:
    axis = op.number("axis", -1)
    size = shape[axis] if -len(shape) <= axis < len(shape) else None
    return list(range(1, min(size or 1, 8) + 1))


def _takes_top(call: Call) -> bool:
    axis = call.op.number("axis", -1)
    size = call.shape[axis] if -len(call.shape) <= axis < len(call.shape) else None
    return 1 <= call.values[1][0] <= (size or 1)


def _each(*values: Number) -> Callable[[Op, Shape, int, int], Sequence[Number]]:
    """Return options that are the same everywhere."""
    return lambda *_: values


def _at(**values: Sequence[Number]) -> Callable[[Op, Shape, int, int], Sequence[Number]]:
    """Return options by place: ``at_2=(0,)``."""
    return lambda _op, _shape, place, _element: values[f"at_{place}"]


def _anything(_: Call) -> bool:
    return True


_REDUCTIONS = ("Max", "Mean", "Min", "Prod", "Sum", "SumSquare", "L1", "L2", "LogSum", "LogSumExp")

PARAMETERS: dict[str, ParameterRow] = {
    "AffineGrid": ParameterRow((1,), _grid_options, _anything),
    "CenterCropPad": ParameterRow((1,), _split_options, _takes_few(1)),
    "Col2Im": ParameterRow((1, 2), _fold_options, _takes_fold),
    "ConstantOfShape": ParameterRow((0,), _each(2, 1, 3), _takes_few(0)),
    "CumSum": ParameterRow((1,), _axis_options, _takes_axes(1)),
    "CumProd": ParameterRow((1,), _axis_options, _takes_axes(1)),
    "DFT": ParameterRow((1, 2), _transform_options, _takes_axes(2)),
    "Dropout": ParameterRow((1, 2), _at(at_1=(0.5,), at_2=(0,)), _anything),
    "Expand": ParameterRow((1,), _expand_options, _takes_expand),
    "HammingWindow": ParameterRow((0,), _each(8, 5, 4), _takes_few(0)),
    "HannWindow": ParameterRow((0,), _each(8, 5, 4), _takes_few(0)),
    "BlackmanWindow": ParameterRow((0,), _each(8, 5, 4), _takes_few(0)),
    "Loop": ParameterRow((0, 1), _at(at_0=(2, 1, 3), at_1=(1,)), _anything),
    "NonMaxSuppression": ParameterRow((2, 3, 4), _at(at_2=(3, 1, 2), at_3=(0.5, 0.3), at_4=(0.0, 0.25)), _anything),
    "OneHot": ParameterRow((1,), _each(4, 3, 5), _takes_few(1)),
    "Pad": ParameterRow((1, 3), _pad_options, _takes_pads),
    "Range": ParameterRow((0, 1, 2), _at(at_0=(0, 1), at_1=(5, 4, 6), at_2=(1, 2)), _takes_range),
    **{f"Reduce{name}": ParameterRow((1,), _axis_options, _takes_axes(1)) for name in _REDUCTIONS},
    "Reshape": ParameterRow((1,), _reshape_options, _takes_reshape),
    "Resize": ParameterRow((1, 2, 3), _resize_options, _takes_sizes),
    "SequenceAt": ParameterRow((1,), _each(0), _anything),
    "SequenceErase": ParameterRow((1,), _each(0), _anything),
    "SequenceInsert": ParameterRow((2,), _each(0), _anything),
    "Slice": ParameterRow((1, 2, 3, 4), _slice_options, _takes_slice),
    "Split": ParameterRow((1,), _split_options, _takes_split),
    "SplitToSequence": ParameterRow((1,), _split_options, lambda call: len(call.values[1]) == 1 or _takes_split(call)),
    "STFT": ParameterRow((1, 3), _at(at_1=(4, 2, 1), at_3=(16, 8, 4, 2)), _takes_frames),
    "Squeeze": ParameterRow((1,), _axis_options, _takes_squeezed),
    "Tile": ParameterRow((1,), _each(2, 1), _takes_few(1)),
    "TopK": ParameterRow((1,), _top_options, _takes_top),
    "Trilu": ParameterRow((1,), _each(0, 1, -1), _anything),
    "Unsqueeze": ParameterRow((1,), _unsqueeze_options, _takes_unsqueezed),
    "Upsample": ParameterRow((1,), lambda op, shape, _, element: _resize_options(op, shape, 2, element), _anything),
}
"""Operator -> its parameters."""

SAFE: dict[str, tuple[tuple[int, int], ...]] = {
    "ConstantOfShape": ((0, 1),),
    **dict.fromkeys(("Expand", "Reshape", "Split", "Tile"), ((1, 1),)),
    **dict.fromkeys(("Pad", "Squeeze", "Unsqueeze"), ((1, 0),)),
    "Resize": ((3, 1),),
    "Slice": ((1, 0), (2, 1), (3, 0), (4, 1)),
}
"""Operator -> pairs of a place and the value of each element there, for a parameter whose elements cannot be followed."""
