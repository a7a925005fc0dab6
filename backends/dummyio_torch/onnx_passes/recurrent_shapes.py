"""Recurrent layers whose results have symbolic sizes: the shapes are known without a step for each place of a sequence.

PyTorch finds the shapes by running a layer step by step, or in a loop of its own whose sizes depend on values. The length of the
sequence then becomes a constant in the shapes that the exported graph declares, or the export fails; and the second export in a
process differs from the first, because the kernel of the first is kept.
"""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import torch
from torch._C import DispatchKey
from torch._decomp import decomposition_table
from torch.export import _patches

from dummyio.process_state import replace_attributes, undo_at_end

_KEYS = (DispatchKey.CompositeImplicitAutograd, DispatchKey.Autograd)


@contextmanager
def infer_recurrent_shapes() -> Generator[None]:
    """Infer the shapes of recurrent layers from those of their operands, while this context is open."""
    aten = torch.ops.aten
    rules: dict[Any, Any] = {aten.lstm.input: _infer_lstm} | dict.fromkeys(
        (aten.gru.input, aten.rnn_tanh.input, aten.rnn_relu.input), _infer_gru
    )
    known = [(operator, dict(operator.py_kernels), decomposition_table[operator]) for operator in rules]

    def put(operator: Any, kernels: dict[Any, Any], rule: Any) -> None:
        operator.py_kernels.clear()
        operator.py_kernels.update(kernels)
        operator._dispatch_cache.clear()  # noqa: SLF001 - PyTorch keeps the kernel that it chose first
        decomposition_table[operator] = rule

    def restore() -> None:
        for each in known:
            put(*each)

    with (
        undo_at_end(restore),
        replace_attributes(_patches, lstm_while_loop_impl=_infer_lstm, gru_while_loop_impl=_infer_gru),
    ):
        for operator, kernels, _ in known:
            put(operator, {**kernels, **dict.fromkeys(_KEYS, rules[operator])}, rules[operator])
        yield


def _infer_lstm(x: torch.Tensor, states: Any, *rest: Any) -> tuple[torch.Tensor, ...]:
    out, hidden = _infer_gru(x, states[0], *rest)
    return out, hidden, torch.empty_like(states[1])


def _infer_gru(x: torch.Tensor, state: torch.Tensor, *rest: Any) -> tuple[torch.Tensor, torch.Tensor]:
    ways = 2 if rest[-2] else 1
    return x.new_empty((*x.shape[:-1], ways * state.shape[-1])), torch.empty_like(state)
