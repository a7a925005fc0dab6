"""The requirements of layers that check their operands before they call an operation."""

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import nn

from dummyio_torch.discovery.requirements import (
    require_axes,
    require_bool,
    require_equal_sizes,
    require_floats,
    require_rank,
    require_size,
)
from dummyio_torch.discovery.run_observer import RunObserver, tensors_in

Operands = Mapping[str, Any]
"""The arguments of a layer's forward method by name."""
Rule = Callable[[RunObserver, Any, Operands], None]


def observe_layers(module: nn.Module, current: Callable[[], RunObserver]) -> None:
    """Apply the rules below to the operands of each layer of a copied module."""
    for part in module.modules():
        rule = next((rule for kinds, rule in _LAYERS if isinstance(part, kinds)), None)
        if rule is not None:
            part.register_forward_pre_hook(
                partial(_check_layer, current, rule, inspect.signature(part.forward)), with_kwargs=True
            )


def _check_layer(
    current: Callable[[], RunObserver],
    rule: Rule,
    signature: inspect.Signature,
    layer: nn.Module,
    args: Any,
    kwargs: Any,
) -> tuple[Any, dict[str, Any]]:
    spy = current()
    try:
        operands = signature.bind(*args, **kwargs).arguments
    except TypeError:  # the layer itself raises
        return args, kwargs
    if any(spy.lineage(tensor) is not None for tensor in tensors_in(list(operands.values()))):
        rule(spy, layer, operands)
    # A stack would compute this argument from a mask's values; it only chooses a faster way to the same result.
    causal = next(
        (name for kind, name in _CAUSAL if type(layer).forward is kind.forward and operands.get(name) is None), None
    )
    return args, {**kwargs, causal: False} if causal is not None else kwargs


_CAUSAL: tuple[tuple[type[nn.Module], str], ...] = (
    (nn.TransformerEncoder, "is_causal"),
    (nn.TransformerDecoder, "tgt_is_causal"),
)


def _batch_axes(spy: RunObserver, x: torch.Tensor, *, first: bool) -> None:
    spy.name(x, 0 if first else 1, "batch_size")
    spy.name(x, 1 if first else 0, "sequence_length")


def _recurrent(spy: RunObserver, layer: Any, operands: Operands) -> None:
    x, *states = operands.values()
    if not isinstance(x, torch.Tensor):
        if isinstance(x, nn.utils.rnn.PackedSequence):
            require_rank(spy, x.data, 2)
            require_size(spy, x.data, -1, layer.input_size)
        return
    require_rank(spy, x, 3)
    require_floats(spy, x, next(layer.parameters()))
    require_size(spy, x, -1, layer.input_size)
    _batch_axes(spy, x, first=layer.batch_first)
    ways = layer.num_layers * (2 if layer.bidirectional else 1)
    sizes = (layer.proj_size or layer.hidden_size, layer.hidden_size)
    for state, size in zip(tensors_in(states), sizes, strict=False):
        like = x.new_empty((ways, size))  # its axes belong to no input: their sizes are numbers
        require_axes(spy, state, [(like, 0), (x, 0 if layer.batch_first else 1), (like, 1)])


def _cell(spy: RunObserver, layer: Any, operands: Operands) -> None:
    x, *states = operands.values()
    require_rank(spy, x, 2)
    require_size(spy, x, -1, layer.input_size)
    for state in tensors_in(states):
        require_rank(spy, state, 2)
        require_size(spy, state, -1, layer.hidden_size)


def _attending(spy: RunObserver, layer: Any, operands: Operands) -> None:
    for name, size in (("query", layer.embed_dim), ("key", layer.kdim), ("value", layer.vdim)):
        require_rank(spy, operands[name], 3)
        require_floats(spy, operands[name], layer.out_proj.weight)
        require_size(spy, operands[name], -1, size)
    _batch_axes(spy, operands["query"], first=layer.batch_first)
    _attention_masks(spy, operands, operands["query"], operands["key"], first=layer.batch_first)


def _attention_masks(spy: RunObserver, operands: Operands, query: Any, key: Any, *, first: bool) -> None:
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
            require_axes(spy, mask, [(x, axis) for x, axis in shape if isinstance(x, torch.Tensor)])
        if lineage is not None and lineage.direct:
            (spy.facts.keeping if lineage.flipped else spy.facts.hiding).add(lineage.direct)


def _block(spy: RunObserver, layer: Any, operands: Operands) -> None:
    attention = layer.self_attn
    for name in ("src", "tgt", "memory"):
        if isinstance(operands.get(name), torch.Tensor):
            require_rank(spy, operands[name], 3)
            require_floats(spy, operands[name], attention.out_proj.weight)
            require_size(spy, operands[name], -1, attention.embed_dim)
            _batch_axes(spy, operands[name], first=attention.batch_first)
    if isinstance(operands.get("memory"), torch.Tensor):
        require_equal_sizes(spy, operands["memory"], operands["tgt"], 0 if attention.batch_first else 1)
    query = operands.get("tgt", operands.get("src"))
    _attention_masks(spy, operands, query, operands.get("memory", query), first=attention.batch_first)


def _stack(spy: RunObserver, layer: Any, operands: Operands) -> None:
    if not isinstance(layer, nn.Transformer):
        if len(layer.layers) and isinstance(layer.layers[0], (nn.TransformerEncoderLayer, nn.TransformerDecoderLayer)):
            _block(spy, layer.layers[0], operands)
        return
    for name in ("src", "tgt"):
        require_rank(spy, operands[name], 3)
        require_size(spy, operands[name], -1, layer.d_model)
        _batch_axes(spy, operands[name], first=layer.batch_first)
    require_equal_sizes(spy, operands["src"], operands["tgt"], 0 if layer.batch_first else 1)
    for part, query, key in (("src", "src", "src"), ("tgt", "tgt", "tgt"), ("memory", "tgt", "src")):
        own = {name: mask for name, mask in operands.items() if name.startswith(part)}
        _attention_masks(spy, own, operands[query], operands[key], first=layer.batch_first)


def _normalized(*ranks: int) -> Rule:
    def rule(spy: RunObserver, layer: Any, operands: Operands) -> None:
        x = next(iter(operands.values()))
        if x.ndim not in ranks:
            require_rank(spy, x, *ranks)
        require_size(spy, x, 1, layer.num_features)

    return rule


def _convolving(axes: int) -> Rule:
    return lambda spy, _, operands: require_rank(spy, next(iter(operands.values())), axes + 2)


def _bilinear(spy: RunObserver, layer: Any, operands: Operands) -> None:
    for x, size in zip(operands.values(), (layer.in1_features, layer.in2_features), strict=False):
        require_size(spy, x, -1, size)


_LAYERS: tuple[tuple[Any, Rule], ...] = (
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
