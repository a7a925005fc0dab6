"""What an argument's name says: its first layout, the names of its axes, and what it holds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import torch

from dummyio.spec.dims import Size, find_dims
from dummyio.spec.tensor_spec import TensorSpec
from dummyio.spec.values import Constant, Normal, PaddingMask, Positions, Rule, TokenIds, Uniform
from dummyio_torch.discovery.run_observer import Facts

__all__ = [
    "Guess",
    "ValueRuleChooser",
    "affix",
    "guess_layout",
    "is_mask",
    "is_position_ids",
    "pads_rows",
    "to_torch_dtype",
]

Number = Literal["int", "float", "bool"]


@dataclass(frozen=True)
class Guess:
    """A first thought of an argument: its numbers, and a letter for each axis.

    ``b`` the batch, ``s`` the sequence of its part of the model, ``n`` a sequence of its own, ``f`` features,
    ``e`` an edge, ``2`` two.
    """

    number: Number
    axes: str


_GUESSES: tuple[tuple[str, Guess], ...] = (
    (r"^attention_mask$|_attention_mask$", Guess("int", "bs")),
    (r"mask$|^mask", Guess("bool", "bs")),
    (r"^edge_index$", Guess("int", "2n")),
    (r"(position|pos|token_type|segment|type)_?ids$|^positions$|^segments$", Guess("int", "bs")),
    (
        r"(user|item|movie|product|node|class|category|entity|speaker|task|lang|language|style|domain|label)_?ids?$",
        Guess("int", "b"),
    ),
    (r"_id$|_index$|_idx$|^(index|idx|user|item)$", Guess("int", "b")),
    (r"ids$|tokens?$|indices$", Guess("int", "bs")),
    (r"^class_labels?$", Guess("int", "b")),
    (r"^timesteps?$", Guess("int", "b")),
    (r"^(t|time|times|sigma|sigmas|noise_level|guidance)$", Guess("float", "b")),
    (r"(^|_)(lengths?|lens?)$", Guess("int", "b")),
    (r"video|frames|clip$", Guess("float", "bnfee")),
    (r"image|img|pixel|picture|photo|^sample$|latent", Guess("float", "bfee")),
    (r"audio|waveform|^wav|speech|^input_values$", Guess("float", "be")),
    (r"mel|spectrogram|^input_features$", Guess("float", "bfe")),
    (r"hidden_states|embeds$|embeddings$|^context$|^memory$", Guess("float", "bnf")),
    (r"^(labels?|targets?)$", Guess("int", "b")),
)


def guess_layout(name: str, text: str) -> Guess:
    """Return the first thought of an argument, by its name and its annotation."""
    found = next((g for pattern, g in _GUESSES if re.search(pattern, name.lower())), Guess("float", "bf"))
    if re.search(r"LongTensor|IntTensor|Int\[|Integer\[", text):
        return Guess("int", found.axes)
    if "BoolTensor" in text:
        return Guess("bool", found.axes)
    return Guess("float", found.axes) if re.search(r"FloatTensor|Float\[", text) else found


def affix(name: str) -> str:
    """Return what tells the parts of a model apart: ``src``, ``decoder`` or nothing."""
    plain = re.sub(
        r"(^|_)(key_padding_|padding_|attention_|attn_|input_)?(mask|ids|tokens|input|lengths?)$", "", name.lower()
    )
    return plain if plain in {"src", "tgt", "decoder", "encoder", "source", "target", "query", "key", "memory"} else ""


def is_mask(path: str) -> bool:
    """Whether an input is a mask, by its name."""
    return re.search(r"mask$|^mask|\.mask", path.lower()) is not None


def is_position_ids(path: str) -> bool:
    """Whether an input is positions, by its name."""
    return re.search(r"(^|_|\.)(position|pos)_?ids$|(^|\.)positions$", path.lower()) is not None


class ValueRuleChooser:
    """Chooses the rules of a spec's tensors."""

    def __init__(
        self, facts: Facts, side: Literal["left", "right"], policy: Literal["ragged", "full", "shortest"]
    ) -> None:
        self.facts = facts
        self.side: Literal["left", "right"] = side
        self.policy: Literal["ragged", "full", "shortest"] = policy
        self.notes: dict[str, str] = {}
        self.most: dict[str, int] = {}
        """Input → what a run with values has shown its ids to stay below."""

    def rules(self, tensors: dict[str, TensorSpec]) -> dict[str, Rule]:
        """Return the rule of every tensor, by path; ids follow the mask of their shape."""
        found = {path: self._rule(path, tensor) for path, tensor in tensors.items()}
        for path, rule in found.items():
            if isinstance(rule, TokenIds) and rule.mask is None:
                masks = [p for p, mask in found.items() if isinstance(mask, PaddingMask)]
                masks = [other for other in masks if tensors[other].shape == tensors[path].shape]
                # Of several, that of the same part of the model; last, what is for an encoder's results.
                masks.sort(key=lambda other: (affix(other) != affix(path), affix(other) == "memory"))
                if masks:
                    found[path] = TokenIds(rule.high, reserved=rule.reserved, mask=masks[0], pad=rule.pad)
        return found

    def _rule(self, path: str, tensor: TensorSpec) -> Rule:
        name = (
            path.rpartition(".")[2].lower()
            if not path.rpartition(".")[2].isdigit()
            else path.split(".", maxsplit=1)[0].lower()
        )
        if path in self.facts.hiding:
            return self._hiding(path, tensor, "true where something is hidden")
        if tensor.dtype.kind == "bool" or is_mask(name):
            return self._mask(path, name, tensor)
        if tensor.dtype.kind == "float":
            return self._number(path, name)
        return self._whole(path, name, tensor)

    def _mask(self, path: str, name: str, tensor: TensorSpec) -> Rule:
        if "key_padding" in name or (re.search(r"(src|tgt|attn|memory)_mask", name) and path not in self.facts.keeping):
            return self._hiding(path, tensor, "taken for a mask that is true where something is hidden")
        if tensor.rank >= 1 and is_mask(name) and _sequences(tensor.shape):
            known = "true where something is kept" if path in self.facts.keeping else "taken for a mask of what is kept"
            self.notes[path] = known
            return PaddingMask(self.side, self.policy)
        self.notes[path] = "nothing says what it holds"
        return Uniform(0, 2) if tensor.dtype.kind != "float" else Uniform()

    def _hiding(self, path: str, tensor: TensorSpec, known: str) -> Rule:
        """Hide the padding of rows; between positions, where too little might be left to look at, nothing."""
        if pads_rows(tensor):
            self.notes[path] = known
            return PaddingMask(self.side, self.policy, pad=1)
        self.notes[path] = f"{known}: nothing is"
        return Constant(0.0 if tensor.dtype.kind == "float" else 0)

    def _number(self, path: str, name: str) -> Rule:
        if re.search(r"^timesteps?$", name):
            self.notes[path] = "taken for steps of a diffusion: in [0, 1000)"
            return Uniform(0, 1000)
        if re.search(r"hidden_states|embed|latent|^sample$|^noise", name):
            return Normal()
        return Uniform()

    def _whole(self, path: str, name: str, tensor: TensorSpec) -> Rule:
        rows = self.facts.rows.get(path)
        if is_position_ids(name) and tensor.rank:
            return Positions()
        if re.search(r"(^|_)(lengths?|lens?)$", name):
            self.notes[path] = "taken for lengths: always 1, which fits any size"
            return Constant(1)
        if path in self.facts.zeros:
            self.notes[path] = "an index into something of a size that varies: always 0"
            return Constant(0)
        if rows is not None:
            high = min(rows[0], self.most.get(path, rows[0]), int(tensor.dtype.limits.max) + 1)
            self.notes[path] = f"indexes a table of {rows[0]} rows" + ("" if rows[2] else ", after arithmetic")
            pad = rows[1] if rows[1] is not None and 0 <= rows[1] < high and high > 1 else None
            if pad is not None or re.search(r"ids$|tokens?$|^(src|tgt|x|input|text)$", name):
                return TokenIds(high, reserved=() if pad is None else (pad,), pad=pad or 0)
            return Uniform(0, high)
        if re.search(r"^timesteps?$", name):
            self.notes[path] = "taken for steps of a diffusion: in [0, 1000)"
            return Uniform(0, 1000)
        self.notes[path] = "nothing in the module says what it holds: 0 or 1"
        return Uniform(0, 2)


def pads_rows(tensor: TensorSpec) -> bool:
    """Whether a mask is one of the places in each row of a batch: numbers that are added to scores are another thing."""
    is_rows = tensor.rank == 2 and str(tensor.shape[0]).endswith("batch_size") and tensor.shape[0] != tensor.shape[1]
    return is_rows and tensor.dtype.kind != "float"


def _sequences(shape: tuple[Size, ...]) -> bool:
    return bool(shape) and (len(shape) <= 2 or bool(find_dims(shape[-1])))


def to_torch_dtype(number: Number, floating: torch.dtype) -> torch.dtype:
    """Return PyTorch's dtype for a kind of numbers."""
    return {"int": torch.int64, "float": floating, "bool": torch.bool}[number]
