"""The first layout and the value rule of an argument by its name and by what a run has shown of it."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from msgspec.structs import replace

from dummyio.sources.input_names import (
    can_be_token_ids,
    get_leaf_name,
    get_model_part,
    is_edge_index,
    is_length,
    is_mask,
    is_position_ids,
    is_timestep,
    is_type_ids,
    is_wave,
)
from dummyio.sources.options import make_padding_mask
from dummyio.spec.dims import Size, find_dims
from dummyio.spec.tensor_spec import TensorSpec
from dummyio.spec.values import (
    Columns,
    Constant,
    Indices,
    Lengths,
    Normal,
    PaddingMask,
    Positions,
    Rule,
    TokenIds,
    Uniform,
)
from dummyio_torch.discovery.run_observer import Facts

Number = Literal["int", "float", "bool"]


@dataclass(frozen=True)
class Guess:
    """The first layout of an argument: its kind of numbers, and a letter for each axis.

    ``b`` the batch, ``s`` the sequence of its part of the model, ``n`` a sequence of its own, ``f`` features,
    ``e`` an edge of an image, ``2`` two, ``g`` the edges of a graph.
    """

    number: Number
    axes: str


COUNTS = r"(^|_)(durations?|counts?|repeats)$"
"""Names of inputs that state how often, or how long, each element is there."""


def _matching(pattern: str) -> Callable[[str], Any]:
    return re.compile(pattern).search


_GUESSES: tuple[tuple[Callable[[str], Any], Guess], ...] = (
    (_matching(r"(^|_)attention_mask(_\w?\d+)?$"), Guess("int", "bs")),
    (is_mask, Guess("bool", "bs")),
    (is_edge_index, Guess("int", "2g")),
    (_matching(r"^edge_(weights?|scores?)$"), Guess("float", "g")),
    (_matching(r"^edge_(attr|attrs|features)$"), Guess("float", "gf")),
    (_matching(r"^edge_types?$"), Guess("int", "g")),
    (is_position_ids, Guess("int", "bs")),
    (is_type_ids, Guess("int", "bs")),
    (
        _matching(
            r"(user|item|movie|product|node|class|category|entity|speaker|task|lang|language|style|domain|label)_?ids?$"
            r"|_id$|_index$|_idx$|^(index|idx|user|item)$"
        ),
        Guess("int", "b"),
    ),
    (_matching(r"ids$|tokens?$|indices$"), Guess("int", "bs")),
    (_matching(r"^class_labels?$"), Guess("int", "b")),
    (is_timestep, Guess("int", "b")),
    (_matching(r"^(t|time|times|sigma|sigmas|noise_level|guidance)$"), Guess("float", "b")),
    (is_length, Guess("int", "b")),
    (_matching(COUNTS), Guess("int", "bs")),
    (_matching(r"(^|_)offset$"), Guess("int", "b")),
    (_matching(r"_sizes?$"), Guess("float", "bf")),
    (_matching(r"rotary|freqs"), Guess("float", "eef")),  # a table of places, as large as the largest image
    (_matching(r"embedding$"), Guess("float", "bf")),
    (_matching(r"hidden_states|embeds$"), Guess("float", "bnf")),
    (_matching(r"video|frames|clip$"), Guess("float", "bnfee")),
    (_matching(r"image|img|pixel|picture|photo|^sample$|latent"), Guess("float", "bfee")),
    (is_wave, Guess("float", "be")),
    (_matching(r"mel|spectrogram|^input_features$"), Guess("float", "bfe")),
    (_matching(r"embeddings$|^context$|^memory$"), Guess("float", "bnf")),
    (_matching(r"^(labels?|targets?)$"), Guess("int", "b")),
)
"""Whether a name is of a kind → the first layout of such an argument; the first match counts."""

_ANNOTATIONS: tuple[tuple[str, Number], ...] = (
    (r"LongTensor|IntTensor|Int\[|Integer\[", "int"),
    ("BoolTensor", "bool"),
    (r"FloatTensor|Float\[", "float"),
)


def guess_layout(name: str, text: str) -> Guess:
    """Return the first layout of an argument by its name and its annotation."""
    found = next((guess for has_name, guess in _GUESSES if has_name(name.lower())), Guess("float", "bf"))
    stated: list[Number] = [number for pattern, number in _ANNOTATIONS if re.search(pattern, text)]
    return Guess(stated[0] if stated else found.number, found.axes)


def is_usual_input(name: str) -> bool:
    """Whether a name tells what an input is."""
    return any(has_name(name.lower()) for has_name, _ in _GUESSES)


class ValueRuleChooser:
    """Chooses the value rules of a spec's tensors.

    Parameters
    ----------
    facts
        What a run has shown of the inputs.
    options
        The options that the caller gives.
    highest
        Input → the number that a run with values has shown its ids to stay below.
    shown
        Input of lengths, indices or columns → its rule, where a run has shown that it fits.
    """

    def __init__(
        self,
        facts: Facts,
        options: Mapping[str, Any],
        highest: Mapping[str, int],
        shown: Mapping[str, Lengths | Indices | Columns],
    ) -> None:
        self.facts = facts
        self.options = options
        self.highest = highest
        self.shown = shown
        self.notes: dict[str, str] = {}

    def rules(self, tensors: dict[str, TensorSpec]) -> dict[str, Rule]:
        """Return the rule of every tensor, by path; ids follow the mask of their shape."""
        is_graph = any(map(is_edge_index, tensors))
        found = {path: self._rule(path, tensor, is_graph=is_graph) for path, tensor in tensors.items()}
        for path, rule in found.items():
            if isinstance(rule, (TokenIds, Positions)):
                masks = [p for p, mask in found.items() if isinstance(mask, PaddingMask)]
                masks = [other for other in masks if tensors[other].shape == tensors[path].shape]
                # The mask of the same part of the model is preferred; a mask of an encoder's results is the last choice.
                part = get_model_part(path)
                masks.sort(key=lambda m: (get_model_part(m) != part, get_model_part(m) == "memory"))
                if masks:
                    found[path] = replace(rule, mask=masks[0])
                elif isinstance(rule, TokenIds) and (path, rule.pad) in self.facts.compared:
                    found[path] = replace(rule, reserved=())  # the module itself looks for the padding
        return found

    def _rule(self, path: str, tensor: TensorSpec, *, is_graph: bool) -> Rule:
        name = get_leaf_name(path)
        if path in self.facts.hiding:
            return self._hiding(path, tensor, "true where something is hidden")
        if tensor.dtype.kind == "bool" or is_mask(name):
            return self._mask(path, name, tensor)
        if is_graph and tensor.rank == 1 and re.match(r"batch(_index|_idx)?$", name):
            self.notes[path] = "the graph of each node, of two"
            return Indices(2, order="ascending")
        shown = self.shown.get(path)
        if shown is not None:
            self.notes[path] = _explain(shown)
            return shown
        is_real = tensor.dtype.kind in ("float", "complex")
        return self._number(path, name) if is_real else self._whole(path, name, tensor)

    def _mask(self, path: str, name: str, tensor: TensorSpec) -> Rule:
        if "key_padding" in name or (re.search(r"(src|tgt|attn|memory)_mask", name) and path not in self.facts.keeping):
            return self._hiding(path, tensor, "assumed to be a mask that is true where something is hidden")
        if tensor.rank >= 1 and is_mask(name) and _sequences(tensor.shape):
            known = (
                "true where something is kept"
                if path in self.facts.keeping
                else "assumed to be a mask of the elements that are kept"
            )
            self.notes[path] = known
            return make_padding_mask(self.options)
        self.notes[path] = "the module does not show its contents"
        return Uniform(0, 2) if tensor.dtype.kind != "float" else Uniform()

    def _hiding(self, path: str, tensor: TensorSpec, known: str) -> Rule:
        """Hide the padding of rows; hide nothing between positions, where too few might be left to attend to."""
        if masks_rows(tensor):
            self.notes[path] = known
            return make_padding_mask(self.options, pad=1)
        self.notes[path] = f"{known}: nothing is"
        return Constant(0.0 if tensor.dtype.kind == "float" else 0)

    def _number(self, path: str, name: str) -> Rule:
        rows = self.facts.rows.get(path)
        if rows is not None and rows[2]:
            self.notes[path] = f"rounded down, indexes a table of {rows[0]} rows"
            return Uniform(0, rows[0])
        if is_timestep(name):
            self.notes[path] = "assumed to be time steps of a diffusion: in [0, 1000)"
            return Uniform(0, 1000)
        if re.search(r"hidden_states|embed|latent|^sample$|^noise", name):
            return Normal()
        return Uniform()

    def _whole(self, path: str, name: str, tensor: TensorSpec) -> Rule:
        rows = self.facts.rows.get(path)
        if is_position_ids(name) and tensor.rank:
            return Positions()
        if is_length(name):
            self.notes[path] = "assumed to be lengths: always 1, which fits any size"
            return Constant(1)
        if path in self.facts.indices:
            self.notes[path] = "an index of an axis with a dynamic size: always 0"
            return Constant(0)
        if rows is not None:
            high = min(rows[0], self.highest.get(path, rows[0]), int(tensor.dtype.limits.max) + 1)
            self.notes[path] = f"indexes a table of {rows[0]} rows" + ("" if rows[2] else ", after arithmetic")
            pad = rows[1] if rows[1] is not None and 0 <= rows[1] < high and high > 1 else None
            if pad is not None or can_be_token_ids(name):
                return TokenIds(high, reserved=() if pad is None else (pad,), pad=pad or 0)
            return Uniform(0, high)
        if is_timestep(name):
            return self._number(path, name)
        if re.search(COUNTS, name):
            self.notes[path] = "assumed to be small numbers, how often each element is there"
            return Uniform(0, 5)
        self.notes[path] = "the module does not show its contents: 0 or 1"
        return Uniform(0, 2)


def _explain(rule: Lengths | Indices | Columns) -> str:
    if isinstance(rule, Columns):
        return f"each column indexes a table of its own: of {', '.join(map(str, rule.highs))} rows"
    return f"lengths of rows, counted in {rule.size}" if isinstance(rule, Lengths) else f"indices of {rule.size}"


def masks_rows(tensor: TensorSpec) -> bool:
    """Whether a mask has one element for each place in the rows of a batch; floats do not count."""
    is_rows = tensor.rank == 2 and str(tensor.shape[0]).endswith("batch_size") and tensor.shape[0] != tensor.shape[1]
    return is_rows and tensor.dtype.kind != "float"


def _sequences(shape: tuple[Size, ...]) -> bool:
    return bool(shape) and (len(shape) <= 2 or bool(find_dims(shape[-1])))


def to_torch_dtype(number: Number, floating: torch.dtype) -> torch.dtype:
    """Return the PyTorch dtype of a kind of numbers."""
    return {"int": torch.int64, "float": floating, "bool": torch.bool}[number]
