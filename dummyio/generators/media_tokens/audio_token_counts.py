"""How many frames a sound beside a text has, and how many tokens of the text stand for it.

The number is arithmetic that the model's code writes out: a function from lengths of sounds to lengths of features, a view
of features that joins neighbours, or windows of which each becomes some queries. It is read, and computed, from there.
"""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Callable, Mapping

from dummyio.generators.base.context import Context
from dummyio.huggingface.source.text_search import search_source
from dummyio.model_config.normalized_config import NormalizedConfig

__all__ = ["audio_tokens", "frame_count"]

_USUAL = 128
"""Frames of a sound where nothing fixes how many there are: a second and a bit."""
_CODED = 16
"""The same where frames are codes, of which each takes a token."""
_LENGTHS = ("_get_feat_extract_output_lengths", "_get_subsampling_output_length")
"""Functions from the frames that count to the features that they become."""
_OPERATIONS: Mapping[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: lambda left, right: left + right,
    ast.Sub: lambda left, right: left - right,
    ast.Mult: lambda left, right: left * right,
    ast.FloorDiv: lambda left, right: left // right,
    ast.Mod: lambda left, right: left % right,
}


def frame_count(context: Context) -> int:
    """Return the frames of a sound: the caller's, what the encoder's positions or windows fix, or the usual."""
    audio = _audio(context)
    positions, window = audio.raw("max_source_positions"), audio.raw("n_window")
    if context.names is not None and "audio_input_ids" in context.names:
        return context.sizes.wanted("nb_max_frames") or _CODED
    fixed = 2 * positions if isinstance(positions, int) else 2 * window if isinstance(window, int) else _USUAL
    return context.sizes.wanted("nb_max_frames") or fixed


def audio_tokens(context: Context) -> int | None:
    """Return how many tokens stand for one sound whose frames all count; None where the code does not say."""
    config, frames = context.config.unwrapped(), frame_count(context)
    if context.names is not None and "audio_input_ids" in context.names:
        return frames
    soft = config.raw("audio_soft_tokens_per_image")
    if isinstance(soft, int):
        return soft
    merged = config.raw("audio_merge_size")
    if isinstance(merged, int) and merged > 0:
        return -(-((frames - 1) // 2 + 1) // merged)
    return _joined(context, frames) or _windowed(config, frames) or _computed(context, frames) or _kept(context, frames)


def _audio(context: Context) -> NormalizedConfig:
    return context.config.unwrapped().part("audio")


def _joined(context: Context, frames: int) -> int | None:
    """Return the number of features where a view joins so many neighbours that they are as wide as the feed-forward layer."""
    audio = _audio(context)
    code = context.code.get("model", "")
    if not search_source(r"audio_hidden_states\.reshape\([^)]*audio_config\.intermediate_size", code):
        return None
    wide, width = audio.get("intermediate_size") or audio.raw("encoder_ffn_dim"), audio.get("hidden_size")
    if not (isinstance(wide, int) and isinstance(width, int)):
        return None
    features = (frames - 1) // 2 + 1  # the second of two convolutions has stride 2
    kept = search_source(r"merge_factor = (\d+)", code)
    return features // int(kept.group(1)) if kept else features * width // wide


def _windowed(config: NormalizedConfig, frames: int) -> int | None:
    """Return the number of queries where each window of frames becomes some."""
    window, rate = config.raw("window_size"), config.raw("downsample_rate")
    if not (isinstance(window, int) and isinstance(rate, int)):
        return None
    return -(-frames // window) * (window // rate)


def _kept(context: Context, frames: int) -> int | None:
    """Return the frames themselves, where the code picks features by their mask."""
    return frames if search_source(r"audio_embeds\[input_features_mask", context.code.get("model", "")) else None


def _computed(context: Context, frames: int) -> int | None:
    """Return what a function of the code makes of so many frames."""
    for role in ("model", "audio"):
        for name in _LENGTHS:
            function = _function(context.code.get(role, ""), name)
            result = _Reader(_audio(context), frames).run(function) if function is not None else None
            if result is not None:
                return result
    return None


def _function(code: str, name: str) -> ast.FunctionDef | None:
    found = search_source(rf"^( *)def {name}\(.*?(?=^(?!\1 ) *[^\s)]|\Z)", code, re.DOTALL | re.MULTILINE)
    if found is None:
        return None
    try:
        node = ast.parse(textwrap.dedent(found.group())).body[0]
    except SyntaxError:
        return None
    return node if isinstance(node, ast.FunctionDef) else None


class _Reader:
    """Computes a function of whole numbers from its text; anything but arithmetic makes the result unknown."""

    def __init__(self, config: NormalizedConfig, length: int) -> None:
        self.config = config
        self.length = length
        self.names: dict[str, int] = {}

    def run(self, function: ast.FunctionDef) -> int | None:
        """Return the last number that the function returns."""
        arguments = [argument.arg for argument in function.args.args if argument.arg != "self"]
        defaults = function.args.defaults
        try:
            for name, value in zip(reversed(arguments), reversed(defaults), strict=False):
                own = self.config.raw(name)
                self.names[name] = own if isinstance(own, int) else self.number(value)
            self.names[arguments[0]] = self.length
            for statement in function.body:
                if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
                    self.names[statement.targets[0].id] = self.number(statement.value)
                elif isinstance(statement, ast.Return) and statement.value is not None:
                    value = statement.value
                    return self.number(value.elts[-1] if isinstance(value, ast.Tuple) else value)
                elif not isinstance(statement, ast.Expr):
                    return None
        except (LookupError, ArithmeticError):
            pass
        return None

    def number(self, node: ast.expr) -> int:
        """Return the value of an expression; raise `LookupError` where it needs anything but numbers."""
        match node:
            case ast.Constant(value=int() as value):
                return value
            case ast.Name(id=name):
                return self.names[name]
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATIONS:
                return _OPERATIONS[type(op)](self.number(left), self.number(right))
            case ast.Attribute(attr=name) if isinstance(found := self.config.raw(name), int):
                return found
            case _:
                raise LookupError(ast.unparse(node))
