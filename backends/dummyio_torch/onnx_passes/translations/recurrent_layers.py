"""Recurrent layers that ``torch.onnx`` does not translate: ``nn.RNN``, and an LSTM that projects its hidden state."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from onnxscript import opset18
from onnxscript.function_libs.torch_lib.ops import core

op: Any = opset18
_LSTM_GATES = (0, 3, 1, 2)
"""The places of ONNX's gates, input, output, forget and cell, among those of PyTorch."""


@dataclass(frozen=True, slots=True)
class _Direction:
    """The weights of one layer in one direction."""

    inputs: Any
    hidden: Any
    biases: tuple[Any, ...]
    projection: tuple[Any, ...]


def make_rnn_translation(activation: str) -> Callable[..., Any]:
    """Return a translation of ``aten.rnn_tanh.input`` or ``aten.rnn_relu.input``, by the name of the activation in ONNX."""

    def translate(  # noqa: PLR0913, PLR0917 - PyTorch's signature
        x: Any,
        state: Any,
        params: Sequence[Any],
        has_biases: bool,
        num_layers: int,
        dropout: float,
        train: bool,
        bidirectional: bool,
        batch_first: bool,
    ) -> Any:
        del dropout, train  # exports are in evaluation mode
        ways = 2 if bidirectional else 1
        values = op.Transpose(x, perm=[1, 0, 2]) if batch_first else x
        states: list[Any] = []
        for layer in _split_layers(params, num_layers, ways, has_biases=has_biases, projects=False):
            values, last = op.RNN(
                values,
                _stack([each.inputs for each in layer]),
                _stack([each.hidden for each in layer]),
                _stack([op.Concat(*each.biases, axis=0) for each in layer]) if has_biases else None,
                None,
                _take_states(state, len(states), ways),
                direction="bidirectional" if bidirectional else "forward",
                activations=[activation] * ways,
                hidden_size=state.shape[2],
            )
            values = _join_directions(values)
            states.append(last)
        return op.Transpose(values, perm=[1, 0, 2]) if batch_first else values, op.Concat(*states, axis=0)

    return translate


def translate_lstm(  # noqa: PLR0913, PLR0917 - PyTorch's signature
    x: Any,
    states: Sequence[Any],
    params: Sequence[Any],
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
    batch_first: bool,
) -> Any:
    """Translate ``aten.lstm.input``; ONNX has no projection of the hidden state, so the recurrent weights contain it.

    The gates see ``R @ (P @ h)``, which is ``(R @ P) @ h``. The state that a sequence begins with is projected already, and R
    alone applies to it: it is an additional input of the first step.
    """
    ways = 2 if bidirectional else 1
    if len(params) != num_layers * ways * (5 if has_biases else 3):
        return core.aten_lstm(x, states, params, has_biases, num_layers, dropout, train, bidirectional, batch_first)
    values = op.Transpose(x, perm=[1, 0, 2]) if batch_first else x
    hidden_states: list[Any] = []
    cell_states: list[Any] = []
    for layer in _split_layers(params, num_layers, ways, has_biases=has_biases, projects=True):
        first = _take_states(states[0], len(cell_states), ways)
        values, hidden, cell = _run_projected_layer(
            values, first, _take_states(states[1], len(cell_states), ways), layer, states[1].shape[2]
        )
        hidden_states.append(hidden)
        cell_states.append(cell)
    result = op.Transpose(values, perm=[1, 0, 2]) if batch_first else values
    return result, op.Concat(*hidden_states, axis=0), op.Concat(*cell_states, axis=0)


def _run_projected_layer(
    values: Any, first: Any, cell: Any, layer: Sequence[_Direction], size: int
) -> tuple[Any, Any, Any]:
    ways = len(layer)
    starts = [_take_states(first, place, 1) for place in range(ways)]
    extended = op.Concat(
        values, *(_put_at_start(start, values, is_reverse=bool(place)) for place, start in enumerate(starts)), axis=2
    )
    weights: list[Any] = []
    recurrent: list[Any] = []
    biases: list[Any] = []
    for place, each in enumerate(layer):
        hidden = _order_gates(each.hidden)
        empty = op.Mul(hidden, op.CastLike(op.Constant(value_float=0.0), hidden))
        blocks = [hidden if other == place else empty for other in range(ways)]
        weights.append(op.Concat(_order_gates(each.inputs), *blocks, axis=1))
        recurrent.append(op.MatMul(hidden, *each.projection))
        biases.append(op.Concat(*map(_order_gates, each.biases), axis=0) if each.biases else None)
    results, _, last_cell = op.LSTM(
        extended,
        _stack(weights),
        _stack(recurrent),
        _stack(biases) if biases[0] is not None else None,
        None,
        None,
        cell,
        direction="bidirectional" if ways > 1 else "forward",
        hidden_size=size,
    )
    # [length, directions, rows, hidden] times [directions, hidden, projected]
    projections = _stack([op.Transpose(*each.projection, perm=[1, 0]) for each in layer])
    projected = op.MatMul(results, projections)
    ends = [
        op.Gather(op.Gather(projected, _int(place), axis=1), _int(0 if place else -1), axis=0) for place in range(ways)
    ]
    return _join_directions(projected), _stack(ends), last_cell


def _split_layers(
    params: Sequence[Any], num_layers: int, ways: int, *, has_biases: bool, projects: bool
) -> list[list[_Direction]]:
    count = 2 + 2 * has_biases + projects
    directions = [params[start : start + count] for start in range(0, num_layers * ways * count, count)]
    made = [
        _Direction(each[0], each[1], tuple(each[2:4]) if has_biases else (), tuple(each[-1:]) if projects else ())
        for each in directions
    ]
    return [made[start : start + ways] for start in range(0, len(made), ways)]


def _order_gates(weight: Any) -> Any:
    """Return the rows of a weight or bias of an LSTM in ONNX's order of the gates."""
    gates = op.Split(weight, num_outputs=4, axis=0)
    return op.Concat(*(gates[place] for place in _LSTM_GATES), axis=0)


def _put_at_start(state: Any, values: Any, *, is_reverse: bool) -> Any:
    """Return zeros for all steps of a sequence but the first that a direction sees, which gets a state."""
    more = op.Sub(op.Shape(values, start=0, end=1), op.Constant(value_ints=[1]))
    nothing = op.Constant(value_ints=[0])
    before, after = (more, nothing) if is_reverse else (nothing, more)
    return op.Pad(state, op.Concat(before, nothing, nothing, after, nothing, nothing, axis=0))


def _take_states(states: Any, layer: int, ways: int) -> Any:
    start, end, axis = (op.Constant(value_ints=[number]) for number in (layer * ways, (layer + 1) * ways, 0))
    return op.Slice(states, start, end, axis)


def _join_directions(values: Any) -> Any:
    """Return [length, rows, directions * size] for [length, directions, rows, size]."""
    shape = op.Constant(value_ints=[0, 0, -1])
    return op.Reshape(op.Transpose(values, perm=[0, 2, 1, 3]), shape)


def _stack(parts: Sequence[Any]) -> Any:
    axis = op.Constant(value_ints=[0])
    return op.Concat(*(op.Unsqueeze(part, axis) for part in parts), axis=0)


def _int(number: int) -> Any:
    return op.Constant(value_int=number)
