"""Flax: modules of the kinds that its examples contain, in both interfaces, described from example arguments."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen, nnx
from score import Case

TITLE = "Flax"
PACKAGES = ("flax", "jax")
PORTION, THREADS = 8, True
NOTE = "The package does not contain the examples of its repository. These are small models of the same kinds."
_IMAGES = {"x": "float[batch_size, height, width, num_channels]"}
_IDS = {"ids": "int[batch_size, sequence_length]"}


def _example(*shape: int, dtype: str = "float32") -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(shape, dtype)


class LinenCNN(linen.Module):
    """The network of the MNIST example."""

    @linen.compact
    def __call__(self, x: Any) -> Any:
        for features in (4, 8):
            x = linen.avg_pool(linen.relu(linen.Conv(features, (3, 3))(x)), (2, 2), (2, 2))
        return linen.Dense(10)(x.reshape((x.shape[0], -1)))


class LinenResidual(linen.Module):
    """A block of the ImageNet example, with the statistics of its batch norm."""

    @linen.compact
    def __call__(self, x: Any) -> Any:
        y = linen.Conv(8, (3, 3))(x)
        y = linen.relu(linen.BatchNorm(use_running_average=True)(y)) + linen.Conv(8, (1, 1))(x)
        return linen.Dense(10)(y.mean((1, 2)))


class LinenVAE(linen.Module):
    """The autoencoder of the VAE example, with its mean as the code."""

    @linen.compact
    def __call__(self, x: Any) -> Any:
        mean = linen.Dense(4)(linen.relu(linen.Dense(16)(x)))
        return linen.sigmoid(linen.Dense(12)(linen.relu(linen.Dense(16)(mean))))


class LinenText(linen.Module):
    """The classifier of the SST-2 example: it embeds, and runs an LSTM to the length of each text."""

    @linen.compact
    def __call__(self, ids: Any, lengths: Any) -> Any:
        x = linen.Embed(20, 8)(ids)
        x = linen.RNN(linen.OptimizedLSTMCell(8))(x, seq_lengths=lengths)
        return linen.Dense(2)(x.mean(1))


class LinenTransformer(linen.Module):
    """A block of the language model of the LM1B example."""

    @linen.compact
    def __call__(self, ids: Any) -> Any:
        x = linen.Embed(20, 8)(ids)
        mask = linen.make_causal_mask(ids)
        x = x + linen.MultiHeadDotProductAttention(2)(linen.LayerNorm()(x), mask=mask)
        return linen.Dense(20)(x + linen.Dense(8)(linen.gelu(linen.Dense(16)(x))))


class LinenGraph(linen.Module):
    """A network of the OGBG example: messages along edges."""

    @linen.compact
    def __call__(self, nodes: Any, senders: Any, receivers: Any) -> Any:
        messages = linen.Dense(8)(nodes)[senders]
        return linen.Dense(4)(jax.ops.segment_sum(messages, receivers, nodes.shape[0]))


class LinenActor(linen.Module):
    """The actor and critic of the PPO example."""

    @linen.compact
    def __call__(self, x: Any) -> tuple[Any, Any]:
        x = linen.relu(linen.Conv(8, (8, 8), strides=(4, 4))(x / 255.0)).mean((1, 2))
        return linen.log_softmax(linen.Dense(4)(x)), linen.Dense(1)(x)


class NnxMLP(nnx.Module):
    """The first model of the guides."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.first, self.norm = nnx.Linear(8, 16, rngs=rngs), nnx.BatchNorm(16, rngs=rngs)
        self.drop, self.second = nnx.Dropout(0.2, rngs=rngs), nnx.Linear(16, 4, rngs=rngs)

    def __call__(self, x: Any) -> Any:
        return self.second(nnx.relu(self.drop(self.norm(self.first(x)))))


class NnxCNN(nnx.Module):
    """The network of the MNIST tutorial."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.first, self.second = nnx.Conv(1, 4, (3, 3), rngs=rngs), nnx.Conv(4, 8, (3, 3), rngs=rngs)
        self.head = nnx.Linear(8, 10, rngs=rngs)

    def __call__(self, x: Any) -> Any:
        x = nnx.relu(self.second(nnx.avg_pool(nnx.relu(self.first(x)), (2, 2), (2, 2))))
        return self.head(x.mean((1, 2)))


class NnxTransformer(nnx.Module):
    """A block of the language model of the Gemma example."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.embed = nnx.Embed(20, 8, rngs=rngs)
        self.attention = nnx.MultiHeadAttention(2, 8, decode=False, rngs=rngs)
        self.head = nnx.Linear(8, 20, rngs=rngs)

    def __call__(self, ids: Any, mask: Any) -> Any:
        x = self.embed(ids)
        return self.head(x + self.attention(x, mask=nnx.make_attention_mask(mask > 0, mask > 0)))


class NnxRecurrent(nnx.Module):
    """An encoder of sequences."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.layer, self.head = nnx.RNN(nnx.GRUCell(6, 8, rngs=rngs)), nnx.Linear(8, 2, rngs=rngs)

    def __call__(self, x: Any) -> Any:
        return self.head(self.layer(x))


def _bind(module: linen.Module, *args: Any) -> Any:
    """Return a linen module with random variables."""
    variables = jax.jit(module.init)(jax.random.key(0), *(jnp.ones(each.shape, each.dtype) for each in args))
    return partial(module.apply, variables)


_PICTURES = _example(2, 16, 16, 3)
_TOKENS = _example(2, 6, dtype="int32")
_MODELS: dict[str, tuple[Callable[..., Any], tuple[Any, ...], dict[str, str]]] = {
    "linen, convolutions": (LinenCNN, (_PICTURES,), _IMAGES),
    "linen, residual block": (LinenResidual, (_PICTURES,), _IMAGES),
    "linen, autoencoder": (LinenVAE, (_example(2, 12),), {"x": "float[batch_size, *]"}),
    "linen, text with lengths": (
        LinenText,
        (_TOKENS, _example(2, dtype="int32")),
        _IDS | {"lengths": "int[batch_size]"},
    ),
    "linen, transformer": (LinenTransformer, (_TOKENS,), _IDS),
    "linen, graph": (
        LinenGraph,
        (_example(5, 3), _example(9, dtype="int32"), _example(9, dtype="int32")),
        {"nodes": "float[*, *]", "senders": "int[*]", "receivers": "int[*]"},
    ),
    "linen, actor and critic": (LinenActor, (_example(2, 84, 84, 4),), _IMAGES),
    "nnx, perceptron": (NnxMLP, (_example(2, 8),), {"x": "float[batch_size, *]"}),
    "nnx, convolutions": (NnxCNN, (_example(2, 28, 28, 1),), _IMAGES),
    "nnx, transformer": (NnxTransformer, (_TOKENS, _TOKENS), _IDS | {"mask": "int[batch_size, sequence_length]"}),
    "nnx, recurrent": (NnxRecurrent, (_example(2, 6, 6),), {"x": "float[batch_size, sequence_length, *]"}),
}


def list_names() -> list[str]:
    """Return all models."""
    return list(_MODELS)


def build(name: str) -> Case:
    """Return a model with random weights."""
    kind, args, inputs = _MODELS[name]
    model = kind(nnx.Rngs(0)) if issubclass(kind, nnx.Module) else _bind(kind(), *args)
    if isinstance(model, nnx.Module):
        model.eval()
    return Case(model, inputs, "jax", _call, options={"args": args})


def _call(model: Any, made: Mapping[str, Any]) -> None:
    jax.block_until_ready(model(**made))
