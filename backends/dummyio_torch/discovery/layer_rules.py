"""The requirements of layers that check their operands before they call an operation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from dummyio_torch.discovery.requirements import (
    require_bool,
    require_equal_sizes,
    require_rank,
    want_axes,
    want_floats,
    want_size,
)
from dummyio_torch.discovery.run_observer import RunObserver, tensors_in

__all__ = ["observe_layers"]

_PADDINGS = ("src_key_padding_mask", "tgt_key_padding_mask", "memory_key_padding_mask")


def observe_layers(module: nn.Module, current: Callable[[], RunObserver]) -> None:
    """Apply the rules below to the operands of each layer of a copied module."""
    for part in module.modules():
        for kinds, rule in _LAYERS:
            if isinstance(part, kinds):

                def hook(layer: nn.Module, args: Any, kwargs: Any, rule: Any = rule) -> Any:
                    spy = current()
                    operands = [*args, *kwargs.values()]
                    if any(spy.lineage(t) is not None for t in tensors_in(operands)):
                        rule(spy, layer, args, kwargs)
                    return args, {**kwargs, **_fixed_arguments(layer, args, kwargs)}

                part.register_forward_pre_hook(hook, with_kwargs=True)
                break


_STACKS: tuple[tuple[type[nn.Module], str, int], ...] = (
    (nn.TransformerEncoder, "is_causal", 3),
    (nn.TransformerDecoder, "tgt_is_causal", 6),
)
"""A stack, the argument that it computes from a mask's values by default, and the place of that argument."""


def _fixed_arguments(layer: nn.Module, args: Any, kwargs: Mapping[str, Any]) -> dict[str, bool]:
    """Return the arguments that a stack would compute from values; they only choose a faster way to the same result."""
    return {
        name: False
        for stack, name, place in _STACKS
        if type(layer).forward is stack.forward and len(args) <= place and kwargs.get(name) is None
    }


def _batch_axes(spy: RunObserver, x: torch.Tensor, *, first: bool) -> None:
    spy.name(x, 0 if first else 1, "batch_size")
    spy.name(x, 1 if first else 0, "sequence_length")


def _recurrent(spy: RunObserver, layer: Any, args: Any, kwargs: Any) -> None:
    x = args[0] if args else kwargs.get("input")
    if not isinstance(x, torch.Tensor):
        return  # packed
    require_rank(spy, x, 3)
    want_floats(spy, x, next(layer.parameters()))
    want_size(spy, x, -1, layer.input_size)
    _batch_axes(spy, x, first=layer.batch_first)
    ways = layer.num_layers * (2 if layer.bidirectional else 1)
    for state, size in zip(
        tensors_in(args[1:]), (layer.proj_size or layer.hidden_size, layer.hidden_size), strict=False
    ):
        like = x.new_empty((ways, size))  # its axes belong to no input: their sizes are numbers
        want_axes(spy, state, [(like, 0), (x, 0 if layer.batch_first else 1), (like, 1)])


def _cell(spy: RunObserver, layer: Any, args: Any, kwargs: Any) -> None:
    x = args[0] if args else kwargs.get("input")
    require_rank(spy, x, 2)
    want_size(spy, x, -1, layer.input_size)
    for state in tensors_in(args[1:]):
        require_rank(spy, state, 2)
        want_size(spy, state, -1, layer.hidden_size)


def _attending(spy: RunObserver, layer: Any, args: Any, kwargs: Any) -> None:
    names = ("query", "key", "value", "key_padding_mask", "need_weights", "attn_mask")
    operands = {**dict(zip(names, args, strict=False)), **kwargs}
    for name, size in (("query", layer.embed_dim), ("key", layer.kdim), ("value", layer.vdim)):
        require_rank(spy, operands[name], 3)
        want_floats(spy, operands[name], layer.out_proj.weight)
        want_size(spy, operands[name], -1, size)
    _batch_axes(spy, operands["query"], first=layer.batch_first)
    _attention_masks(spy, operands, operands["query"], operands["key"], first=layer.batch_first)


def _attention_masks(spy: RunObserver, operands: dict[str, Any], query: Any, key: Any, *, first: bool) -> None:
    for name, mask in operands.items():
        if not name.endswith("mask") or not isinstance(mask, torch.Tensor):
            continue
        lineage = spy.lineage(mask)
        if not mask.dtype.is_floating_point or "mask" not in (lineage.direct if lineage and lineage.direct else "mask"):
            require_bool(spy, mask)
        side = key if name.startswith(("memory", "key", "attn")) else query
        batch, length = (0, 1) if first else (1, 0)
        shape = ((side, batch), (side, length)) if "padding" in name else ((query, length), (side, length))
        if not ("padding" not in name and mask.ndim == 3):
            want_axes(spy, mask, [(x, axis) for x, axis in shape if isinstance(x, torch.Tensor)])
        if lineage is not None and lineage.direct:
            (spy.facts.keeping if lineage.flipped else spy.facts.hiding).add(lineage.direct)


def _block(spy: RunObserver, layer: Any, args: Any, kwargs: Any) -> None:
    attention = layer.self_attn
    names: tuple[str, ...] = ("src", "src_mask", "src_key_padding_mask")
    if isinstance(layer, nn.TransformerDecoderLayer):
        names = ("tgt", "memory", "tgt_mask", "memory_mask", "tgt_key_padding_mask", "memory_key_padding_mask")
    operands = {**dict(zip(names, args, strict=False)), **kwargs}
    for name in ("src", "tgt", "memory"):
        if isinstance(operands.get(name), torch.Tensor):
            require_rank(spy, operands[name], 3)
            want_floats(spy, operands[name], attention.out_proj.weight)
            want_size(spy, operands[name], -1, attention.embed_dim)
            _batch_axes(spy, operands[name], first=attention.batch_first)
    if isinstance(operands.get("memory"), torch.Tensor):
        require_equal_sizes(spy, operands["memory"], operands["tgt"], 0 if attention.batch_first else 1)
    query = operands.get("tgt", operands.get("src"))
    _attention_masks(spy, operands, query, operands.get("memory", query), first=attention.batch_first)


def _stack(spy: RunObserver, layer: Any, args: Any, kwargs: Any) -> None:
    if isinstance(layer, nn.Transformer):
        names = ("src", "tgt", "src_mask", "tgt_mask", "memory_mask", *_PADDINGS)
        operands = {**dict(zip(names, args, strict=False)), **kwargs}
        for name in ("src", "tgt"):
            require_rank(spy, operands[name], 3)
            want_size(spy, operands[name], -1, layer.d_model)
            _batch_axes(spy, operands[name], first=layer.batch_first)
        require_equal_sizes(spy, operands["src"], operands["tgt"], 0 if layer.batch_first else 1)
        for side in ("src", "tgt"):
            own = {name: mask for name, mask in operands.items() if name.startswith(side)}
            _attention_masks(spy, own, operands[side], operands[side], first=layer.batch_first)
        crossed = {name: mask for name, mask in operands.items() if name.startswith("memory")}
        _attention_masks(spy, crossed, operands["tgt"], operands["src"], first=layer.batch_first)
    elif len(layer.layers):
        first: Any = layer.layers[0]
        if isinstance(first, (nn.TransformerEncoderLayer, nn.TransformerDecoderLayer)):
            order = ("src", "mask", "src_key_padding_mask")
            if isinstance(first, nn.TransformerEncoderLayer):
                args, kwargs = (), {**dict(zip(order, args, strict=False)), **kwargs}
            _block(spy, first, args, kwargs)


def _normalized(*ranks: int) -> Callable[..., None]:
    def rule(spy: RunObserver, layer: Any, args: Any, kwargs: Any) -> None:
        x = args[0] if args else kwargs.get("input")
        if x.ndim not in ranks:
            require_rank(spy, x, *ranks)
        want_size(spy, x, 1, layer.num_features)

    return rule


def _convolving(axes: int) -> Callable[..., None]:
    def rule(spy: RunObserver, _: Any, args: Any, kwargs: Any) -> None:
        require_rank(spy, args[0] if args else kwargs["input"], axes + 2)

    return rule


def _bilinear(spy: RunObserver, layer: Any, args: Any, kwargs: Any) -> None:
    del kwargs
    for x, size in zip(args, (layer.in1_features, layer.in2_features), strict=False):
        want_size(spy, x, -1, size)


_LAYERS: tuple[tuple[Any, Callable[..., None]], ...] = (
    (nn.RNNBase, _recurrent),
    (nn.RNNCellBase, _cell),
    (nn.MultiheadAttention, _attending),
    ((nn.TransformerEncoderLayer, nn.TransformerDecoderLayer), _block),
    ((nn.TransformerEncoder, nn.TransformerDecoder, nn.Transformer), _stack),
    (nn.BatchNorm1d, _normalized(2, 3)),
    (nn.BatchNorm2d, _normalized(4)),
    (nn.BatchNorm3d, _normalized(5)),
    (nn.Bilinear, _bilinear),
    ((nn.Conv1d, nn.ConvTranspose1d, nn.MaxPool1d, nn.AvgPool1d, nn.AdaptiveAvgPool1d), _convolving(1)),
    ((nn.Conv2d, nn.ConvTranspose2d, nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d), _convolving(2)),
    ((nn.Conv3d, nn.ConvTranspose3d, nn.MaxPool3d, nn.AvgPool3d, nn.AdaptiveAvgPool3d), _convolving(3)),
)
