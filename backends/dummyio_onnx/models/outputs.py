"""The object that a call returns: Transformers' own class for these outputs where it is installed, else a mapping of the same use."""

import dataclasses
import inspect
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from dummyio_onnx.models.libraries import import_library

_TASK_CLASSES: Mapping[str, tuple[str, ...]] = {
    "text-generation": ("CausalLMOutputWithPast",),
    "text2text-generation": ("Seq2SeqLMOutput",),
    "automatic-speech-recognition": ("CausalLMOutput", "Seq2SeqLMOutput"),
    "image-to-text": ("Seq2SeqLMOutput", "CausalLMOutputWithPast"),
    "image-text-to-text": ("CausalLMOutputWithPast", "Seq2SeqLMOutput"),
    "fill-mask": ("MaskedLMOutput",),
    "text-classification": ("SequenceClassifierOutput",),
    "audio-classification": ("SequenceClassifierOutput",),
    "token-classification": ("TokenClassifierOutput",),
    "audio-frame-classification": ("TokenClassifierOutput",),
    "multiple-choice": ("MultipleChoiceModelOutput",),
    "next-sentence-prediction": ("NextSentencePredictorOutput",),
    "question-answering": ("QuestionAnsweringModelOutput",),
    "image-classification": ("ImageClassifierOutput",),
    "video-classification": ("ImageClassifierOutput",),
    "semantic-segmentation": ("SemanticSegmenterOutput",),
    "depth-estimation": ("DepthEstimatorOutput",),
    "image-to-image": ("ImageSuperResolutionOutput",),
    "masked-im": ("MaskedImageModelingOutput",),
    "audio-xvector": ("XVectorOutput",),
    "feature-extraction": (
        "BaseModelOutput",
        "BaseModelOutputWithPooling",
        "BaseModelOutputWithPast",
        "Seq2SeqModelOutput",
    ),
}
"""Task → the classes of Transformers for it, the usual first."""


_USUAL = (
    "SequenceClassifierOutput",
    "BaseModelOutput",
    "BaseModelOutputWithPooling",
    "CausalLMOutputWithPast",
    "Seq2SeqLMOutput",
)
"""Classes for a model whose task is not known."""


class NamedOutputs(OrderedDict[str, Any]):
    """Outputs by name, as attributes, and by position: what a call returns without Transformers."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            if name.startswith("_"):
                raise AttributeError(name) from None
            return None if name in ("loss", "past_key_values", "hidden_states", "attentions") else self._raise(name)

    def _raise(self, name: str) -> Any:
        raise AttributeError(f"{name!r} is not an output of this model, which returns {', '.join(self)}.")

    def __getitem__(self, key: Any) -> Any:
        return super().__getitem__(key) if isinstance(key, str) else self.to_tuple()[key]

    def to_tuple(self) -> tuple[Any, ...]:
        """Return the outputs in order."""
        return tuple(self.values())


class OutputFace:
    """Makes the object of a call from its outputs.

    Parameters
    ----------
    names
        The outputs, the cache among them if there is one.
    task
        The task, if it is known.
    architecture
        The class of the model in Transformers, if it is known.
    """

    def __init__(self, names: Sequence[str], task: str | None, architecture: str | None) -> None:
        self.kind = _choose_class(tuple(names), task, architecture)
        fields = [field.name for field in dataclasses.fields(self.kind)] if dataclasses.is_dataclass(self.kind) else []
        self._order = [*(name for name in fields if name in names), *(name for name in names if name not in fields)]
        self._new: Callable[..., Any] = self.kind.__new__

    def make(self, found: Mapping[str, Any]) -> Any:
        """Return the object; outputs that are None are left out, as in Transformers."""
        # The constructor of a ModelOutput, and its way to set an item, take longer than a small model's step.
        made = self._new(self.kind)
        attributes = made.__dict__
        for name in self._order:
            value = found.get(name)
            if value is not None:
                OrderedDict.__setitem__(made, name, value)
                attributes[name] = value
        return made


@lru_cache(maxsize=256)
def _choose_class(names: tuple[str, ...], task: str | None, architecture: str | None) -> Any:
    library = import_library("transformers")
    if library is None or import_library("torch") is None:
        return NamedOutputs
    outputs = import_library("transformers.modeling_outputs")
    for name in _TASK_CLASSES.get(task or "", ()):
        kind = getattr(outputs, name, None)
        if kind is not None and set(names) <= _fields(kind):
            return kind
    annotated = _find_annotated(library, architecture)
    if annotated is not None and set(names) <= _fields(annotated):
        return annotated
    for name in _USUAL:
        kind = getattr(outputs, name, None)
        if kind is not None and set(names) <= _fields(kind):
            return kind
    fitting = [kind for kind in _list_classes(outputs) if set(names) <= _fields(kind)]
    if fitting:
        return min(fitting, key=lambda kind: (len(_fields(kind)), kind.__name__))
    return _make_class(names, import_library("transformers.utils").ModelOutput)


def _fields(kind: Any) -> set[str]:
    return {field.name for field in dataclasses.fields(kind)} if dataclasses.is_dataclass(kind) else set()


def _list_classes(module: Any) -> Iterator[Any]:
    return (each for each in vars(module).values() if inspect.isclass(each) and dataclasses.is_dataclass(each))


def _find_annotated(library: Any, architecture: str | None) -> Any:
    """Return the class that the annotation of a model's `forward` names; None if there is none."""
    model = getattr(library, architecture, None) if architecture and architecture.isidentifier() else None
    forward = getattr(model, "forward", None)
    if forward is None:
        return None
    stated = inspect.unwrap(forward).__annotations__.get("return")
    module = inspect.getmodule(inspect.unwrap(forward))
    candidates = stated.__args__ if hasattr(stated, "__args__") else (stated,)
    words = stated.replace("|", " ").split() if isinstance(stated, str) else ()
    for each in (*candidates, *(getattr(module, word, None) for word in words)):
        if inspect.isclass(each) and dataclasses.is_dataclass(each):
            return each
    return None


def _make_class(names: Sequence[str], base: Any) -> Any:
    """Return a class of outputs with these fields, for a model whose outputs no class of Transformers has."""
    fields = [(name, Any, dataclasses.field(default=None)) for name in names if name.isidentifier()]
    made = dataclasses.make_dataclass("OnnxModelOutput", fields, bases=(base,))
    made.__module__ = __name__
    return made
