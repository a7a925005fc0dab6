"""Small JAX models of many kinds, with random weights and example arguments: what the tests and the table of routes use."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen, nnx


class Case(NamedTuple):
    """A model, what `dummyio.describe` needs to describe it, and three assignments of sizes to run it at."""

    model: Any
    options: dict[str, Any]
    sizes: tuple[dict[str, int], ...]


def weights(*shape: int, seed: int = 0) -> jax.Array:
    return jnp.asarray(np.random.default_rng(seed + sum(shape)).normal(0, shape[0] ** -0.5, shape).astype(np.float32))


def zeros(*shape: int, dtype: str = "float32") -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(shape, dtype)


SEQUENCES = (
    {"batch_size": 2, "sequence_length": 7},
    {"batch_size": 5, "sequence_length": 3},
    {"batch_size": 1, "sequence_length": 1},
)
BATCHES = ({"batch_size": 2}, {"batch_size": 7}, {"batch_size": 1})
EDGES = (
    {"batch_size": 2, "height": 16, "width": 12},
    {"batch_size": 5, "height": 9, "width": 17},
    {"batch_size": 1, "height": 8, "width": 8},
)


def masked_mlp() -> Case:
    first, second = weights(8, 32), weights(32, 4)

    def masked_mlp(x, mask):
        hidden = jax.nn.gelu(x @ first, approximate=False) @ second
        kept = mask[..., None].astype(x.dtype)
        return (hidden * kept).sum(1) / kept.sum(1)

    return Case(masked_mlp, {"args": (zeros(2, 6, 8), zeros(2, 6, dtype="int32"))}, SEQUENCES)


def attention(width: int = 16, heads: int = 4) -> Case:
    names = ("query", "key", "value", "out")
    params = {name: weights(width, width, seed=n) for n, name in enumerate(names)}
    params["scale"] = 1 + weights(width) / 4

    def attention(hidden_states, attention_mask):
        mean = hidden_states.mean(-1, keepdims=True)
        normed = (hidden_states - mean) * jax.lax.rsqrt(hidden_states.var(-1, keepdims=True) + 1e-6) * params["scale"]
        split = (*hidden_states.shape[:2], heads, width // heads)
        q, k, v = ((normed @ params[name]).reshape(split) for name in names[:3])
        scores = jnp.einsum("bqhd,bkhd->bhqk", q, k) / (width // heads) ** 0.5
        scores = jnp.where(attention_mask[:, None, None, :] != 0, scores, -1e9)
        scores = jax.nn.softmax(scores, axis=-1)
        mixed = jnp.einsum("bhqk,bkhd->bqhd", scores, v).reshape(hidden_states.shape)
        return {"last_hidden_state": hidden_states + mixed @ params["out"], "attentions": scores}

    inputs = {"hidden_states": zeros(2, 6, width), "attention_mask": zeros(2, 6, dtype="int32")}
    return Case(jax.jit(attention), {"kwargs": inputs}, SEQUENCES)


class LinenEncoder(linen.Module):
    """Embeddings, one layer of attention, and a head."""

    @linen.compact
    def __call__(self, input_ids, attention_mask):
        x = linen.Embed(50, 16)(input_ids)
        mask = linen.make_attention_mask(attention_mask > 0, attention_mask > 0)
        x = linen.LayerNorm()(x + linen.MultiHeadDotProductAttention(num_heads=4, deterministic=True)(x, x, mask=mask))
        x = linen.LayerNorm()(x + linen.Dense(16)(linen.gelu(linen.Dense(32)(x))))
        return linen.Dense(3)(x)


def linen_encoder() -> Case:
    model, ids = LinenEncoder(), np.ones((2, 6), np.int32)
    variables = jax.jit(model.init)(jax.random.key(0), ids, ids)  # one compilation for all
    return Case(partial(model.apply, variables), {"args": (ids, ids)}, SEQUENCES)


class LinenConvolutions(linen.Module):
    """Strided convolutions, a mean over what is left, and a head."""

    @linen.compact
    def __call__(self, pixel_values):
        x = linen.relu(linen.Conv(8, (3, 3))(pixel_values))
        x = linen.relu(linen.Conv(12, (3, 3), strides=2)(x))
        return linen.Dense(5)(x.mean((1, 2)))


def linen_convolutions() -> Case:
    model, images = LinenConvolutions(), np.ones((2, 16, 16, 3), np.float32)
    return Case(model.bind(jax.jit(model.init)(jax.random.key(0), images)), {"args": (images,)}, EDGES)


class NnxBlock(nnx.Module):
    """Embeddings, attention, a norm and a head."""

    def __init__(self, rngs):
        self.embed = nnx.Embed(50, 16, rngs=rngs)
        self.attention = nnx.MultiHeadAttention(num_heads=4, in_features=16, decode=False, rngs=rngs)
        self.norm = nnx.LayerNorm(16, rngs=rngs)
        self.head = nnx.Linear(16, 4, rngs=rngs)

    def __call__(self, input_ids):
        x = self.embed(input_ids)
        return self.head(self.norm(x + self.attention(x)))


def nnx_block() -> Case:
    return Case(nnx.jit(lambda: NnxBlock(nnx.Rngs(0)))(), {"args": (np.ones((2, 6), np.int32),)}, SEQUENCES)


class NnxNormed(nnx.Module):
    """Linear layers with dropout, and a batch norm whose statistics are not the batch's."""

    def __init__(self, rngs):
        self.first = nnx.Linear(6, 16, rngs=rngs)
        self.norm = nnx.BatchNorm(16, rngs=rngs)
        self.norm.mean[...] = weights(16)
        self.norm.var[...] = 1 + weights(16, seed=1) ** 2
        self.dropout = nnx.Dropout(0.5, rngs=rngs)
        self.second = nnx.Linear(16, 3, rngs=rngs)

    def __call__(self, features):
        return self.second(self.dropout(nnx.relu(self.norm(self.first(features)))))


def nnx_normed() -> Case:
    return Case(NnxNormed(nnx.Rngs(0)), {"args": (zeros(4, 6),)}, BATCHES)


def nested() -> Case:
    first, second = weights(8, 16), weights(4, 16)

    def nested(batch, past):
        joined = jnp.concatenate([past[0]["key"], batch["z_first"] @ first], axis=1)
        return {"logits": joined.mean(1) + batch["a_second"] @ second, "present": (joined, past[1]["key"] * 2)}

    past = [{"key": zeros(2, 3, 16)}, {"key": zeros(2, 3, 16)}]
    sizes = tuple({**s, "past_sequence_length": n} for s, n in zip(SEQUENCES, (4, 9, 1), strict=True))
    dynamic = {
        "batch.z_first": ("batch_size", "sequence_length", None),
        "batch.a_second": ("batch_size", None),
        "past.0.key": ("batch_size", "past_sequence_length", None),
        "past.1.key": ("batch_size", "past_sequence_length", None),
    }
    arguments = ({"z_first": zeros(2, 6, 8), "a_second": zeros(2, 4)}, past)
    return Case(nested, {"args": arguments, "dynamic": dynamic}, sizes)


def scan() -> Case:
    inner, outer = weights(8, 12), weights(12, 12)

    def scan(x):
        def step(state, item):
            state = jnp.tanh(item @ inner + state @ outer)
            return state, state

        start = jnp.zeros((x.shape[0], 12), x.dtype)
        last, states = jax.lax.scan(step, start, x.swapaxes(0, 1))
        return last, states.swapaxes(0, 1)

    return Case(scan, {"args": (zeros(2, 6, 8),)}, SEQUENCES)


CASES = {
    case.__name__: case
    for case in (masked_mlp, attention, linen_encoder, linen_convolutions, nnx_block, nnx_normed, nested, scan)
}
