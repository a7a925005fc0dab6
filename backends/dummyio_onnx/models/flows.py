"""How the parts of a model are run one after another: one graph, or an encoder and the steps of its decoder."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from dummyio.errors import OptionError
from dummyio.typing import Array
from dummyio_onnx.models.array_kinds import Value, to_array
from dummyio_onnx.models.cache import OnnxCache
from dummyio_onnx.models.filling.input_filling import InputFiller
from dummyio_onnx.models.filling.left_out import LeftOut, shift_ids
from dummyio_onnx.models.model_part import ModelPart

CACHE = "past_key_values"
CACHE_NAMES = (CACHE, "cache_params")
STATES = "encoder_outputs"

Found = dict[str, Value]


class Flow(Protocol):
    """A model as one function of named tensors."""

    names: tuple[str, ...]
    """The names of its inputs, in the order of `forward`."""

    outputs: tuple[str, ...]
    main_input: str
    has_cache: bool
    """Whether a step returns a cache that the next one takes."""

    writes_with_cache: bool
    """Whether a step needs nothing but the last token and the cache: a graph that takes images would take them again."""

    left_out: LeftOut
    """What the model's class makes of inputs that are left out."""

    parts: Sequence[ModelPart]

    def run(self, given: Mapping[str, Any], *, use_cache: bool) -> tuple[Found, OnnxCache | None]:
        """Return the outputs by name, and the next cache."""
        ...

    def take_cache(self, given: Any) -> OnnxCache | None:
        """Return a caller's past as the next step takes it; None if it is empty; errors as `InputFiller.take_cache`."""
        ...


def get_roots(names: Sequence[str]) -> tuple[str, ...]:
    """Return the arguments that inputs belong to: ``encoder_outputs`` for ``encoder_outputs.last_hidden_state``."""
    return tuple(dict.fromkeys(name.partition(".")[0] for name in names))


def choose_main_input(names: Sequence[str]) -> str:
    """Return the input that a model is mainly about, as `main_input_name` of Transformers."""
    usual = ("input_ids", "pixel_values", "input_features", "input_values", "pixel_values_videos", "inputs_embeds")
    return next((name for name in usual if name in names), names[0] if names else "input_ids")


class WholeModel:
    """A model that is one graph.

    Parameters
    ----------
    part
        The graph.
    order
        The arguments in the order of `forward`, if a spec has it.
    left_out
        What the model's class makes of inputs that are left out.
    """

    def __init__(self, part: ModelPart, order: Sequence[str], left_out: LeftOut) -> None:
        self.parts: Sequence[ModelPart] = (part,)
        self.left_out = left_out
        self._part, self._filler = part, InputFiller(part, left_out)
        plain = get_roots(self._filler.names)
        known = (*plain, CACHE) if part.slots else plain
        self.names = (*(name for name in order if name in known), *(name for name in known if name not in order))
        self._nested = tuple(name for name in self._filler.names if "." in name)
        self._names = tuple(each.name for each in part.plain_outputs)
        self.has_cache = bool(part.slots) and part.continues
        self.outputs = (*self._names, CACHE) if self.has_cache else self._names
        self.main_input = choose_main_input(plain)
        self._merged = "use_cache_branch" in plain
        self.writes_with_cache = self.has_cache and set(self._filler.required) <= {"input_ids"}

    def run(self, given: Mapping[str, Any], *, use_cache: bool) -> tuple[Found, OnnxCache | None]:
        """Return the outputs by name, and the next cache; see `Flow`."""
        past = given.get(CACHE)
        cache = None if past is None else self.take_cache(past)
        if self._nested:
            given = {**given, **_flatten(given, self._nested)}
        filled = self._filler.fill(given, cache)
        keep_cross = self._merged and filled.cache is not None and filled.cache.length > 0
        plain, cache = self._part.run(
            filled.values, filled.cache, filled.tokens, keep_cache=use_cache, keep_cross=keep_cross
        )
        return dict(zip(self._names, plain, strict=True)), cache

    def take_cache(self, given: Any) -> OnnxCache | None:
        """Return a caller's past as the next step takes it; see `Flow`."""
        return self._filler.take_cache(given)


def _flatten(given: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Return path → tensor for arguments that are containers: mappings, objects with attributes, sequences."""
    found: dict[str, Any] = {}
    counts: dict[str, int] = {}
    for path in names:
        root, _, rest = path.partition(".")
        value = given.get(root)
        at = counts.get(root, 0)
        counts[root] = at + 1
        if value is None:
            continue
        for key in rest.split("."):
            if isinstance(value, Mapping):
                value = value.get(key)
            elif isinstance(value, (list, tuple)):
                index = int(key) if key.isdecimal() else at
                value = value[index] if index < len(value) else None
            else:
                value = getattr(value, key, None)
        found[path] = value
    return found


_DECODER_NAMES = {
    "input_ids": "decoder_input_ids",
    "inputs_embeds": "decoder_inputs_embeds",
    "attention_mask": "decoder_attention_mask",
    "position_ids": "decoder_position_ids",
    "encoder_attention_mask": "attention_mask",
}
"""Input of a decoder's graph → argument of the whole model."""

_HIDDEN = "encoder_hidden_states"


class EncoderDecoder:
    """An encoder, and a decoder in one, two or three graphs."""

    def __init__(
        self, encoder: ModelPart, first: ModelPart, further: ModelPart | None, order: Sequence[str], left_out: LeftOut
    ) -> None:
        self.parts: Sequence[ModelPart] = (encoder, first) if further is None else (encoder, first, further)
        self.encoder, self._first, self._further = encoder, first, further
        self.left_out = left_out
        self._encoding, self._starting = InputFiller(encoder, left_out), InputFiller(first, left_out)
        self._continuing = self._starting if further is None else InputFiller(further, left_out)
        self._merged = "use_cache_branch" in self._starting.names
        self._encoder_names = get_roots(self._encoding.names)
        own = [_DECODER_NAMES.get(name, name) for filler in (self._starting, self._continuing) for name in filler.names]
        hidden = {_HIDDEN, "use_cache_branch"}
        self.has_cache = bool((further or first).slots) and (further or first).continues
        known = tuple(
            dict.fromkeys(
                (*self._encoder_names, "attention_mask", *(n for n in own if n not in hidden), STATES)
                + ((CACHE,) if self.has_cache else ())
            )
        )
        if "attention_mask" not in own and "attention_mask" not in self._encoder_names:
            known = tuple(name for name in known if name != "attention_mask")
        self.names = (*(name for name in order if name in known), *(name for name in known if name not in order))
        needed = set(self._continuing.required) - {"input_ids", "decoder_input_ids", _HIDDEN}
        self.writes_with_cache = self.has_cache and not needed
        self._sees_padding = (
            "attention_mask" in self._encoder_names and "encoder_attention_mask" not in self._starting.names
        )
        self.encoder_outputs = tuple(each.name for each in encoder.plain_outputs)
        names = tuple(each.name for each in first.plain_outputs)
        self._names = names
        more = ("encoder_last_hidden_state",) if "encoder_last_hidden_state" not in names else ()
        self.outputs = (*names, *((CACHE,) if self.has_cache else ()), *more)
        self.main_input = choose_main_input(self._encoder_names)

    @property
    def encoder_names(self) -> tuple[str, ...]:
        """The arguments that the encoder takes."""
        return self._encoder_names

    def encode(self, given: Mapping[str, Any]) -> Found:
        """Return the outputs of the encoder.

        Raises
        ------
        OptionError
            if the mask masks something, and the decoder would see it: its graph takes no mask of the states.
        """
        mask = given.get("attention_mask") if self._sees_padding else None
        if mask is not None and not np.all(to_array(mask, "attention_mask")):
            raise OptionError(
                f"attention_mask masks something, and {self._first.path.name} takes no mask of the encoder's states, so that it "
                "would see the padding: give rows of one length, or export the decoder with encoder_attention_mask."
            )
        filled = self._encoding.fill(given, None)
        plain, _ = self.encoder.run(filled.values, None, filled.tokens)
        return dict(zip(self.encoder_outputs, plain, strict=True))

    def run(self, given: Mapping[str, Any], *, use_cache: bool) -> tuple[Found, OnnxCache | None]:
        """Return the outputs of a step by name, and the next cache; see `Flow`."""
        states = given.get(STATES)
        if states is None:
            hidden: Any = self.encode(given)[self.encoder_outputs[0]]
        else:
            hidden = get_hidden_state(states)
        past = given.get(CACHE)
        cache = None if past is None else self.take_cache(past)
        part, filler = (
            (self._first, self._starting) if cache is None else (self._further or self._first, self._continuing)
        )
        own = {name: given.get(_DECODER_NAMES.get(name, name)) for name in filler.names}
        if _HIDDEN in own:
            own[_HIDDEN] = hidden
        ids = "decoder_input_ids" if "decoder_input_ids" in own else "input_ids"
        if own.get(ids) is None and own.get("inputs_embeds") is None and ids in own:
            own[ids] = self._make_start(given)
        filled = filler.fill(own, cache)
        keep_cross = self._merged and filled.cache is not None and filled.cache.length > 0
        plain, cache = part.run(filled.values, filled.cache, filled.tokens, keep_cache=use_cache, keep_cross=keep_cross)
        found = dict(zip((each.name for each in part.plain_outputs), plain, strict=True))
        found.setdefault("encoder_last_hidden_state", hidden)
        return found, cache

    def take_cache(self, given: Any) -> OnnxCache | None:
        """Return a caller's past as the next step takes it; see `Flow`."""
        return self._continuing.take_cache(given)

    def _make_start(self, given: Mapping[str, Any]) -> Array:
        ids = given.get("input_ids")
        if ids is None:
            raise OptionError(
                "decoder_input_ids was left out, and so were the input_ids to make them of: give decoder_input_ids."
            )
        return shift_ids(to_array(ids, "input_ids"), self.left_out)


def get_hidden_state(states: Any) -> Any:
    """Return the last hidden state of an encoder's outputs: a mapping, a tuple, an object with attributes, or the state itself."""
    if isinstance(states, Mapping):
        return states["last_hidden_state"] if "last_hidden_state" in states else next(iter(states.values()))
    if isinstance(states, (list, tuple)):
        return states[0]
    return getattr(states, "last_hidden_state", states)


_WRITING = frozenset(
    {"text-generation", "text2text-generation", "image-to-text", "image-text-to-text", "automatic-speech-recognition"}
)


def can_write(flow: Flow, task: str | None) -> bool:
    """Return whether a model's steps return scores of the next token."""
    logits = next((each for part in flow.parts for each in part.plain_outputs if each.name == "logits"), None)
    if logits is None or (logits.shape is not None and len(logits.shape) != 3):
        return False
    if isinstance(flow, EncoderDecoder):
        return True
    takes_ids = "input_ids" in flow.names and "decoder_input_ids" not in flow.names
    return takes_ids and (flow.has_cache or task in _WRITING)
