"""Quirks: facts of one model type that no rule derives, as data in ``quirks.json`` with reason and source.

An entry says for which models it holds (``model_type``, and where only some of its classes are meant ``classes``, which are
endings of class names; ``with_past`` where it holds with or without a past only) and what is so:

==============  ====================================================================================================
``attributes``  configuration attribute → value, where the configuration and its class say none; a text that begins with
                ``=`` is arithmetic over other attributes
``options``     option of the generators → value, as a caller of `describe` gives it
``bounds``      symbol → ``{"min": , "max": , "multiple_of": }``
``add``         arguments to feed that would not be
``drop``        arguments not to feed that would be
``media``       facts of how it reads images and audio → value, as `MediaFacts` has them
``refuse``      true where no description is right: describing raises `SourceError` with the reason
==============  ====================================================================================================

``reason`` and ``source`` are for people; a spec's provenance names the reasons. The caller wins over attributes and options.
Names of model types stand in that file only: an entry is the last resort, after a rule over names, attributes and source text.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec

from dummyio.errors import SourceError
from dummyio.huggingface.source.evaluator import evaluate_text, names_in_text
from dummyio.model_config.normalized_config import NormalizedConfig

_FILE = Path(__file__).with_name("quirks.json")


class Quirk(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One entry of the file."""

    model_type: str
    reason: str
    source: str
    classes: tuple[str, ...] = ()
    with_past: bool | None = None
    attributes: dict[str, Any] = msgspec.field(default_factory=dict)
    options: dict[str, Any] = msgspec.field(default_factory=dict)
    bounds: dict[str, dict[str, int]] = msgspec.field(default_factory=dict)
    add: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    media: dict[str, Any] = msgspec.field(default_factory=dict)
    refuse: bool = False

    def holds(self, model_type: str | None, class_name: str | None, *, with_past: bool) -> bool:
        """Whether it is about a model of that type and class."""
        if self.model_type != model_type or self.with_past not in (None, with_past):
            return False
        return not self.classes or (class_name or "").endswith(self.classes)


@dataclass(frozen=True)
class Corrections:
    """What the quirks of one model come to."""

    attributes: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    bounds: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    add: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    media: Mapping[str, Any] = field(default_factory=dict)
    reasons: tuple[str, ...] = ()

    def chosen(self, names: Iterable[str], offered: Iterable[str]) -> list[str]:
        """Return the arguments to feed, in the model's order."""
        wanted = {*names, *self.add} - set(self.drop)
        return [name for name in offered if name in wanted]

    def follow(self, add: tuple[str, ...], drop: tuple[str, ...]) -> "Corrections":
        """Return them with the arguments that a caller adds or leaves out, who wins over them."""
        if not add and not drop:
            return self
        return replace(
            self,
            add=(*(name for name in self.add if name not in drop), *add),
            drop=(*(name for name in self.drop if name not in add), *drop),
        )

    @property
    def provenance(self) -> dict[str, str]:
        """What a spec says of them."""
        return {"quirks": " ".join(self.reasons)} if self.reasons else {}


@lru_cache(maxsize=1)
def read_quirks() -> tuple[Quirk, ...]:
    """Read all entries."""
    return msgspec.json.decode(_FILE.read_bytes(), type=tuple[Quirk, ...])


def collect_quirks(config: NormalizedConfig, class_name: str | None, *, with_past: bool) -> Corrections:
    """Return the corrections for a model with that configuration and class; raise `SourceError` if a quirk refuses it."""
    model_type = config.raw("model_type")
    found = [quirk for quirk in read_quirks() if quirk.holds(model_type, class_name, with_past=with_past)]
    refused = next((quirk for quirk in found if quirk.refuse), None)
    if refused is not None:
        without = "Describe the model without its past (a task without '-with-past')."
        by_hand = "Describe the inputs by hand with InputSpec and TensorSpec."
        raise SourceError(
            f"model type {model_type!r} is not described: {refused.reason} {without if refused.with_past else by_hand}"
        )
    return Corrections(
        {
            name: _value(value, config)
            for quirk in found
            for name, value in quirk.attributes.items()
            if config.raw(name) is None
        },
        {name: value for quirk in found for name, value in quirk.options.items()},
        {name: value for quirk in found for name, value in quirk.bounds.items()},
        tuple(name for quirk in found for name in quirk.add),
        tuple(name for quirk in found for name in quirk.drop),
        {name: value for quirk in found for name, value in quirk.media.items()},
        tuple(quirk.reason for quirk in found),
    )


def _value(value: Any, config: NormalizedConfig) -> Any:
    """Return a value, worked out where it is arithmetic over attributes."""
    if not isinstance(value, str) or not value.startswith("="):
        return value
    text = value[1:].strip()
    names = {name: config.raw(name) for name in names_in_text(text)}
    missing = next((name for name, known in names.items() if known is None), None)
    if missing:
        raise SourceError(f"the configuration does not state {missing!r}, from which {text} is computed: add it.")
    return evaluate_text(text, names)
