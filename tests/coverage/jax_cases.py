"""JAX functions and Flax modules of the kinds that people write: what the table of routes describes, runs and exports.

Each builder returns a model and its example arguments. Functions are named as in programs; none is adapted to a route.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen, nnx, struct
from jax import lax

Built = tuple[Any, tuple[Any, ...]]
"""A model and its example arguments."""


def floats(*shape: int, seed: int = 0, dtype: str = "float32") -> jax.Array:
    return jnp.asarray(np.random.default_rng(seed + sum(shape)).normal(0, 0.5, shape)).astype(dtype)


def ints(*shape: int, most: int = 2, dtype: str = "int32") -> np.ndarray[Any, Any]:
    return np.random.default_rng(sum(shape)).integers(0, most, shape).astype(dtype)


# Functions and their transformations.


def mlp_with_dict_parameters() -> Built:
    parameters = {"w1": floats(8, 16), "b1": floats(16), "w2": floats(16, 3), "b2": floats(3)}

    def forward(parameters, x):
        hidden = jax.nn.relu(x @ parameters["w1"] + parameters["b1"])
        return hidden @ parameters["w2"] + parameters["b2"]

    return partial(jax.jit(forward), parameters), (floats(4, 8),)


def vmap_of_pairs() -> Built:
    return jax.vmap(lambda a, b: jnp.sqrt(jnp.sum((a - b) ** 2) + 1e-6), in_axes=(0, None)), (floats(5, 8), floats(8))


def vmap_over_two_axes() -> Built:
    kernel = lambda a, b: jnp.exp(-jnp.sum((a - b) ** 2))  # noqa: E731 - as written in programs
    return jax.vmap(jax.vmap(kernel, (None, 0)), (0, None)), (floats(5, 3), floats(7, 3))


def gradient_of_a_loss() -> Built:
    return jax.grad(lambda w, x, y: jnp.mean((jnp.tanh(x @ w) - y) ** 2)), (floats(6, 2), floats(4, 6), floats(4, 2))


def value_and_gradient() -> Built:
    def loss(w, x):
        return -jnp.mean(jax.nn.log_softmax(x @ w)[:, 0])

    return jax.value_and_grad(loss), (floats(6, 3), floats(4, 6))


def jacobian() -> Built:
    return jax.vmap(jax.jacfwd(lambda x: jnp.stack([x[0] * x[1], jnp.sin(x[2])]))), (floats(4, 3),)


def static_integer() -> Built:
    @partial(jax.jit, static_argnums=1)
    def repeat(x, times):
        for _ in range(times):
            x = jnp.cos(x) + 0.5 * x
        return x

    return partial(repeat, times=3), (floats(4, 5),)


def sum_of_variadic_arguments() -> Built:
    def total(*arrays):
        return sum(jnp.square(each) for each in arrays)

    return total, (floats(3, 4), floats(3, 4), floats(3, 4))


def optional_mask_in_a_tree() -> Built:
    def pool(batch):
        x, mask = batch["x"], batch["mask"]
        return x.mean(1) if mask is None else (x * mask[..., None]).sum(1)

    return pool, ({"x": floats(2, 6, 8), "mask": None},)


@struct.dataclass
class State:
    position: Any
    velocity: Any


def struct_of_arrays() -> Built:
    def step(state, force, dt=0.1):
        velocity = state.velocity + dt * force
        return State(state.position + dt * velocity, velocity)

    return jax.jit(step), (State(floats(4, 3), floats(4, 3)), floats(4, 3))


def dict_of_results() -> Built:
    def moments(x):
        return {"mean": x.mean(0), "std": x.std(0), "x": x, "quantile": jnp.sort(x, 0)[0]}

    return moments, (floats(6, 5),)


def custom_gradient() -> Built:
    @jax.custom_jvp
    def softplus(x):
        return jnp.logaddexp(x, 0.0)

    softplus.defjvp(lambda primals, tangents: (softplus(*primals), jax.nn.sigmoid(primals[0]) * tangents[0]))
    return jax.vmap(jax.grad(lambda x: softplus(x).sum())), (floats(4, 5),)


# Control flow.


def scan_with_a_cell() -> Built:
    inner, outer = floats(4, 8), floats(8, 8) / 4

    def run(sequence):
        def step(state, x):
            state = jnp.tanh(x @ inner + state @ outer)
            return state, state.sum(-1)

        return lax.scan(step, jnp.zeros((sequence.shape[1], 8)), sequence)

    return run, (floats(6, 2, 4),)


def newton_by_while_loop() -> Built:
    def root(x):
        def go_on(carry):
            guess, count = carry
            return (count < 20) & (jnp.abs(guess * guess - x).max() > 1e-5)

        def improve(carry):
            guess, count = carry
            return (guess + x / guess) / 2, count + 1

        x = jnp.abs(x) + 1
        return lax.while_loop(go_on, improve, (x, 0))[0]

    return root, (floats(5),)


def branch_on_a_value() -> Built:
    def clip(x, limit):
        return lax.cond(jnp.abs(x).max() > limit, lambda a: a / jnp.abs(a).max() * limit, lambda a: a, x)

    return clip, (floats(4, 6), jnp.float32(0.3))


def switch_by_index() -> Built:
    def act(which, x):
        return lax.switch(which, [jnp.tanh, jax.nn.relu, jnp.sin], x)

    return act, (jnp.int32(1), floats(4, 6))


def power_iteration() -> Built:
    def dominant(matrix):
        def step(_, vector):
            vector = matrix @ vector
            return vector / jnp.linalg.norm(vector)

        return lax.fori_loop(0, 5, step, jnp.ones(matrix.shape[1:], matrix.dtype) / matrix.shape[0])

    return dominant, (jnp.abs(floats(6, 6)),)


# Operators.


def bilinear_einsum() -> Built:
    weight = floats(8, 3, 6)
    return lambda a, b: jnp.einsum("bni,iko,bmo->bnmk", a, weight, b), (floats(2, 4, 8), floats(2, 5, 6))


def convolution_and_pooling() -> Built:
    kernel = floats(3, 3, 3, 6)

    def features(image):
        x = lax.conv_general_dilated(image, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
        x = lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
        return jax.nn.relu(x).mean((1, 2))

    return features, (floats(2, 16, 16, 3),)


def running_sums() -> Built:
    return lambda x: (jnp.cumsum(x, 1), jnp.cumprod(1 + 0.1 * x, 1), lax.cummax(x, axis=1)), (floats(3, 7),)


def sorted_scores() -> Built:
    def rank(scores):
        order = jnp.argsort(-scores, axis=-1)
        return jnp.take_along_axis(scores, order, -1), order

    return rank, (floats(3, 7),)


def best_candidates() -> Built:
    return lambda logits: lax.top_k(jax.nn.softmax(logits), 3), (floats(4, 9),)


def table_lookup() -> Built:
    table = floats(20, 8)
    return lambda indices: jnp.take(table, indices, axis=0).mean(1), (ints(3, 5, most=20),)


def segment_sums() -> Built:
    def pool(messages, receivers):
        return jax.ops.segment_sum(messages, receivers, num_segments=4)

    return pool, (floats(9, 5), ints(9, most=4))


def histogram_by_scatter() -> Built:
    return lambda labels, weight: jnp.zeros(10).at[labels].add(weight), (ints(8, most=10), floats(8))


def one_hot_loss() -> Built:
    def loss(logits, labels):
        return -(jax.nn.one_hot(labels, 5) * jax.nn.log_softmax(logits)).sum(-1).mean()

    return loss, (floats(6, 5), ints(6, most=5))


def spectrum() -> Built:
    return lambda signal: jnp.abs(jnp.fft.rfft(signal, axis=-1)), (floats(3, 64),)


def least_squares() -> Built:
    def solve(a, b):
        return jnp.linalg.solve(a.T @ a + jnp.eye(a.shape[1]), a.T @ b)

    return solve, (floats(9, 4), floats(9, 2))


def gaussian_density() -> Built:
    def density(x, mean, matrix):
        factor = jnp.linalg.cholesky(matrix @ matrix.T + jnp.eye(3))
        z = jax.scipy.linalg.solve_triangular(factor, (x - mean).T, lower=True)
        return -0.5 * (z**2).sum(0) - jnp.log(jnp.diag(factor)).sum()

    return density, (floats(5, 3), floats(3), floats(3, 3))


def special_functions() -> Built:
    special = jax.scipy.special
    return lambda x: special.erf(x) + special.gammaln(jnp.abs(x) + 1) + special.logsumexp(x, 1, keepdims=True), (
        floats(4, 6),
    )


def noise_from_a_key() -> Built:
    def perturb(x, key):
        return x + 0.1 * jax.random.normal(key, x.shape)

    return perturb, (floats(4, 6), jax.random.PRNGKey(0))


def pixels_of_bytes() -> Built:
    kernel = floats(12, 5)

    def embed(image):
        x = image.astype(jnp.float32) / 127.5 - 1
        batch, height, width, channels = x.shape
        patches = x.reshape(batch, height // 2, 2, width // 2, 2, channels).transpose(0, 1, 3, 2, 4, 5)
        return patches.reshape(batch, -1, 12) @ kernel

    return embed, (ints(2, 8, 8, 3, most=256, dtype="uint8"),)


def masked_softmax() -> Built:
    def attend(scores, keep):
        return jax.nn.softmax(jnp.where(keep, scores, -1e9), axis=-1)

    return attend, (floats(2, 5, 7), np.ones((2, 7), bool)[:, None, :])


def integer_arithmetic() -> Built:
    return lambda a, b: ((a * 3 + b) % 7, a // (b + 1), (a << 2) ^ b, a > b), (ints(4, 5, most=9), ints(4, 5, most=9))


def half_precision_layer() -> Built:
    weight = floats(8, 4, dtype="float16")
    return lambda x: jax.nn.gelu(x @ weight), (floats(3, 8, dtype="float16"),)


def bfloat16_inside() -> Built:
    weight = floats(8, 4, dtype="bfloat16")
    return lambda x: (x.astype(jnp.bfloat16) @ weight).astype(jnp.float32), (floats(3, 8),)


def tied_sizes() -> Built:
    return lambda adjacency, nodes: jax.nn.relu(adjacency @ nodes), (jnp.abs(floats(6, 6)), floats(6, 4))


def cross_attention_of_two_lengths() -> Built:
    def attend(query, memory):
        scores = jnp.einsum("bqd,bkd->bqk", query, memory) / jnp.sqrt(8.0)
        return jax.nn.softmax(scores) @ memory

    return attend, (floats(2, 5, 8), floats(2, 7, 8))


def rotary_positions() -> Built:
    def rotate(x):
        angles = jnp.arange(x.shape[1])[:, None] / 10000 ** (jnp.arange(4) / 4)
        first, second = jnp.split(x, 2, axis=-1)
        sin, cos = jnp.sin(angles), jnp.cos(angles)
        return jnp.concatenate([first * cos - second * sin, second * cos + first * sin], -1)

    return rotate, (floats(2, 6, 8),)


def causal_mask() -> Built:
    def attend(x):
        length = x.shape[1]
        mask = jnp.tril(jnp.ones((length, length), bool))
        return jax.nn.softmax(jnp.where(mask, x @ x.swapaxes(1, 2), -jnp.inf)) @ x

    return attend, (floats(2, 6, 8),)


def padded_to_eight() -> Built:
    def pad(x):
        x = jnp.pad(x, ((0, 0), (0, max(0, 8 - x.shape[1]))))
        return x[:, :8] @ floats(8, 3)

    return pad, (floats(2, 6),)


def resized_image() -> Built:
    return lambda image: jax.image.resize(image, (image.shape[0], 16, 16, 3), "bilinear"), (floats(2, 8, 8, 3),)


def normalized_by_the_library() -> Built:
    return jax.jit(jax.nn.standardize), (floats(4, 6),)


def clipped_and_rounded() -> Built:
    return lambda x: jnp.round(jnp.clip(x, -0.5, 0.5) * 127).astype(jnp.int8), (floats(4, 6),)


# Flax Linen.


def linen_model(module: Any, *inputs: Any) -> Built:
    variables = jax.jit(module.init)(jax.random.key(0), *inputs)
    return partial(module.apply, variables), inputs


def linen_recurrent() -> Built:
    return linen_model(linen.RNN(linen.LSTMCell(8)), floats(2, 6, 4))


def linen_gru_cell() -> Built:
    return linen_model(linen.GRUCell(8), floats(2, 8), floats(2, 4))


class Bottleneck(linen.Module):
    @linen.compact
    def __call__(self, x, train=False):  # noqa: FBT002 - as in programs
        y = linen.Conv(8, (1, 1), use_bias=False)(x)
        y = linen.relu(linen.BatchNorm(use_running_average=not train)(y))
        y = linen.Conv(x.shape[-1], (3, 3))(linen.Dropout(0.2, deterministic=not train)(y))
        return linen.avg_pool(linen.relu(x + linen.GroupNorm(2)(y)), (2, 2), strides=(2, 2))


def linen_bottleneck() -> Built:
    return linen_model(Bottleneck(), floats(2, 8, 8, 4))


class Decoder(linen.Module):
    @linen.compact
    def __call__(self, latent):
        x = linen.Dense(4 * 4 * 8)(latent).reshape(-1, 4, 4, 8)
        x = linen.relu(linen.ConvTranspose(4, (3, 3), strides=(2, 2))(x))
        return linen.sigmoid(linen.ConvTranspose(1, (3, 3), strides=(2, 2))(x))


def linen_decoder() -> Built:
    return linen_model(Decoder(), floats(2, 6))


class Classifier(linen.Module):
    @linen.compact
    def __call__(self, input_ids, attention_mask=None):
        x = linen.Embed(30, 16)(input_ids) + linen.Embed(24, 16)(jnp.arange(input_ids.shape[1]))
        mask = None if attention_mask is None else linen.make_attention_mask(attention_mask, attention_mask)
        x = linen.LayerNorm()(x + linen.SelfAttention(2, deterministic=True)(x, mask))
        return linen.Dense(3)(x[:, 0])


def linen_classifier() -> Built:
    return linen_model(Classifier(), ints(2, 6, most=30))


# Flax NNX.


def nnx_recurrent() -> Built:
    return nnx.RNN(nnx.GRUCell(4, 8, rngs=nnx.Rngs(0))), (floats(2, 6, 4),)


class Autoencoder(nnx.Module):
    def __init__(self, rngs):
        self.encoder = nnx.Sequential(nnx.Linear(12, 8, rngs=rngs), nnx.relu, nnx.Linear(8, 3, rngs=rngs))
        self.decoder = nnx.Sequential(nnx.Linear(3, 8, rngs=rngs), nnx.silu, nnx.Linear(8, 12, rngs=rngs))

    def __call__(self, x):
        latent = self.encoder(x)
        return self.decoder(latent), latent


def nnx_autoencoder() -> Built:
    return nnx.jit(lambda: Autoencoder(nnx.Rngs(0)))(), (floats(4, 12),)


class ConvNet(nnx.Module):
    def __init__(self, rngs):
        self.conv = nnx.Conv(1, 8, (3, 3), rngs=rngs)
        self.norm = nnx.BatchNorm(8, rngs=rngs)
        self.head = nnx.Linear(8 * 14 * 14, 10, rngs=rngs)
        self.dropout = nnx.Dropout(0.3, rngs=rngs)

    def __call__(self, x):
        x = nnx.max_pool(nnx.relu(self.norm(self.conv(x))), (2, 2), strides=(2, 2))
        return self.head(self.dropout(x.reshape(x.shape[0], -1)))


def nnx_convolutions() -> Built:
    return nnx.jit(lambda: ConvNet(nnx.Rngs(0)))(), (floats(2, 28, 28, 1),)


class Gated(nnx.Module):
    def __init__(self, rngs):
        self.embed = nnx.Embed(30, 16, rngs=rngs)
        self.attention = nnx.MultiHeadAttention(4, 16, decode=False, rngs=rngs)
        self.norm = nnx.RMSNorm(16, rngs=rngs)
        self.gate, self.up = nnx.Linear(16, 32, rngs=rngs), nnx.Linear(16, 32, rngs=rngs)
        self.down = nnx.Linear(32, 16, rngs=rngs)

    def __call__(self, tokens):
        x = self.embed(tokens)
        x = x + self.attention(self.norm(x), mask=nnx.make_causal_mask(tokens))
        return self.embed.attend(x + self.down(nnx.silu(self.gate(x)) * self.up(x)))


def nnx_gated_decoder() -> Built:
    return nnx.jit(lambda: Gated(nnx.Rngs(0)))(), (ints(2, 6, most=30),)


BUILDERS: tuple[Callable[[], Built], ...] = (
    mlp_with_dict_parameters,
    vmap_of_pairs,
    vmap_over_two_axes,
    gradient_of_a_loss,
    value_and_gradient,
    jacobian,
    static_integer,
    sum_of_variadic_arguments,
    optional_mask_in_a_tree,
    struct_of_arrays,
    dict_of_results,
    custom_gradient,
    scan_with_a_cell,
    newton_by_while_loop,
    branch_on_a_value,
    switch_by_index,
    power_iteration,
    bilinear_einsum,
    convolution_and_pooling,
    running_sums,
    sorted_scores,
    best_candidates,
    table_lookup,
    segment_sums,
    histogram_by_scatter,
    one_hot_loss,
    spectrum,
    least_squares,
    gaussian_density,
    special_functions,
    noise_from_a_key,
    pixels_of_bytes,
    masked_softmax,
    integer_arithmetic,
    half_precision_layer,
    bfloat16_inside,
    tied_sizes,
    cross_attention_of_two_lengths,
    rotary_positions,
    causal_mask,
    padded_to_eight,
    resized_image,
    normalized_by_the_library,
    clipped_and_rounded,
    linen_recurrent,
    linen_gru_cell,
    linen_bottleneck,
    linen_decoder,
    linen_classifier,
    nnx_recurrent,
    nnx_autoencoder,
    nnx_convolutions,
    nnx_gated_decoder,
)
PROGRAMS = {builder.__name__: builder for builder in BUILDERS}
