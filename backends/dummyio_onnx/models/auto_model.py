"""`AutoModelForONNX`: a folder of ONNX files as a model of Transformers, for any task."""

import inspect
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import onnxruntime as ort

from dummyio.errors import OptionError, suggest_names
from dummyio.generators.base.context import PAST
from dummyio_onnx.models.array_kinds import is_torch_tensor, to_result
from dummyio_onnx.models.cache import OnnxCache
from dummyio_onnx.models.flows import CACHE, CACHE_NAMES, EncoderDecoder, Flow, WholeModel
from dummyio_onnx.models.libraries import PlainConfig, import_library, load_config, load_generation_config
from dummyio_onnx.models.model_folder import DECODER, ENCODER, MERGED, MODEL, WITH_PAST, ModelFolder, read_model_folder
from dummyio_onnx.models.generation.greedy import generate_greedily
from dummyio_onnx.models.model_part import ModelPart, SessionChoice
from dummyio_onnx.models.outputs import OutputFace

_FLAGS = frozenset({"return_dict", "use_cache"})


class AutoModelForONNX:
    """A model that ONNX Runtime runs, with the interface of a Transformers model; make one with `from_pretrained`."""

    base_model_prefix = "model"
    framework = "pt"
    training = False
    input_modalities: Any = ("text",)
    output_modalities: Any = ("text",)

    def __init__(
        self, folder: ModelFolder, flow: Flow, config: Any, task: str | None, architecture: str | None
    ) -> None:
        self._folder, self._flow = folder, flow
        self.config, self.task = config, task
        self._face = OutputFace(flow.outputs, task, architecture)
        self._known = frozenset(flow.names)
        self.main_input_name = flow.main_input
        self.name_or_path = str(folder.path)
        self.generation_config = load_generation_config(folder.generation, config) if self.can_generate() else None

    @classmethod
    def from_pretrained(
        cls,
        folder: str | os.PathLike[str],
        *,
        task: str | None = None,
        provider: str | None = None,
        providers: Sequence[str] | None = None,
        provider_options: Any = None,
        session_options: ort.SessionOptions | None = None,
        file_name: str | None = None,
        subfolder: str = "",
        use_io_binding: bool | None = None,
        trust: bool = False,
        **options: Any,
    ) -> "AutoModelForONNX":
        """Return the model in a folder."""
        names = {part: options.pop(f"{part}_file_name", None) for part in (ENCODER, DECODER, WITH_PAST)}
        found = read_model_folder(folder, file_name, subfolder, **names)
        choice = SessionChoice(
            tuple(providers or (provider or "CPUExecutionProvider",)),
            provider_options,
            session_options,
            use_io_binding is not False,
        )
        return build_model(cls, found, choice, task, trust=trust)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Return the outputs for these inputs, as Transformers' class for them."""
        if args:
            kwargs = self._name_arguments(args, kwargs)
        kind = "np"
        for value in kwargs.values():
            if is_torch_tensor(value):
                kind = "pt"
                break
        return_dict, use_cache = kwargs.pop("return_dict", None), kwargs.pop("use_cache", None)
        if not kwargs.keys() <= self._known:
            kwargs = self._drop_switches(kwargs)
        found, cache = self._flow.run(kwargs, use_cache=use_cache is not False)
        results = {name: to_result(value, kind) for name, value in found.items() if value is not None}
        if cache is not None and self._flow.has_cache:
            results[CACHE] = cache
        made = self._face.make(results)
        return made if return_dict is not False else made.to_tuple()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.forward(*args, **kwargs)

    def _name_arguments(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        names = self._flow.names
        if len(args) > len(names):
            raise OptionError(f"{len(args)} inputs were given by position: this model takes {', '.join(names)}.")
        named = dict(zip(names, args, strict=False))
        twice = next((name for name in named if name in kwargs), None)
        if twice is not None:
            raise OptionError(
                f"{twice} was given by position and by name: give it once. The order is {', '.join(names)}."
            )
        return {**named, **kwargs}

    def _drop_switches(self, kwargs: Mapping[str, Any]) -> dict[str, Any]:
        kept = {}
        for name, value in kwargs.items():
            if name in self._known:
                kept[name] = value
            elif (
                value is None or value is False or (name == "logits_to_keep" and isinstance(value, int) and value == 0)
            ):
                continue
            elif value is True:
                raise OptionError(
                    f"{name}=True: the graph has no such switch or output. It returns {', '.join(self._flow.outputs)}: export the model with it."
                )
            else:
                raise OptionError(f"{name} is not an input of this model. {suggest_names(name, self._flow.names)}")
        return kept

    def can_generate(self) -> bool:
        """Return whether the model writes tokens: its steps return logits of each token."""
        return can_flow_generate(self._flow, self.task)

    def generate(self, inputs: Any = None, **options: Any) -> Any:
        """Return the tokens that the model writes, greedily."""
        if not self.can_generate():
            raise OptionError(
                f"this model does not generate: its task is {self.task or 'not known'}, and it returns {', '.join(self._flow.outputs)}. "
                "Call it, or load a model that writes tokens."
            )
        given = {name: options.pop(name) for name in [*options] if name in self._known}
        if inputs is not None:
            given[self._flow.main_input] = inputs
        torch_kind = any(map(is_torch_tensor, given.values()))
        tokens = generate_greedily(
            self._flow, self.config, options.pop("generation_config", None) or self.generation_config, given, options
        )
        return import_library("torch").from_numpy(tokens) if torch_kind else tokens

    def eval(self) -> "AutoModelForONNX":
        """Return the model: there is no other mode."""
        return self

    def to(self, *args: Any, **kwargs: Any) -> "AutoModelForONNX":
        return self

    @property
    def device(self) -> Any:
        kind, index = self._flow.parts[0].device
        torch = import_library("torch")
        text = kind if kind == "cpu" else f"{kind}:{index}"
        return text if torch is None else torch.device(text)

    @property
    def dtype(self) -> Any:
        found = next(
            (
                each.dtype
                for part in self._flow.parts
                for each in part.outputs
                if each.dtype is not None and each.dtype.kind == "float"
            ),
            None,
        )
        name = "float32" if found is None else found.value
        torch = import_library("torch")
        return getattr(torch, name, None) if torch is not None else found.numpy if found else None


def build_model(cls: Any, folder: ModelFolder, choice: SessionChoice, task: str | None, *, trust: bool) -> Any:
    parts = {name: ModelPart(name, path, choice) for name, path in folder.files.items()}
    values = folder.config or {}
    config = load_config(values, folder.path, trust=trust)
    order = tuple(folder.spec) if folder.spec is not None else ()
    flow: Flow
    if MODEL in parts:
        flow = WholeModel(parts[MODEL], order)
    else:
        start = next(
            (
                s[k]
                for s in (folder.generation or {}, values)
                for k in ("decoder_start_token_id", "bos_token_id")
                if s.get(k) is not None
            ),
            None,
        )
        flow = EncoderDecoder(parts[ENCODER], parts.get(MERGED) or parts[DECODER], parts.get(WITH_PAST), order, start)
    names = values.get("architectures") or [None]
    task = task or (folder.spec.task if folder.spec is not None else None)
    architecture = names[0]
    kind = _choose_class(cls, flow, config, task, architecture)
    return kind(folder, flow, config, task.removesuffix(PAST) if task else None, architecture)


_WRITING = frozenset(
    {"text-generation", "text2text-generation", "image-to-text", "image-text-to-text", "automatic-speech-recognition"}
)


def can_flow_generate(flow: Flow, task: str | None) -> bool:
    """Return whether a model's steps return scores of the next token."""
    logits = next((each for part in flow.parts for each in part.plain_outputs if each.name == "logits"), None)
    if logits is None or (logits.shape is not None and len(logits.shape) != 3):
        return False
    if isinstance(flow, EncoderDecoder):
        return True
    takes_ids = "input_ids" in flow.names and "decoder_input_ids" not in flow.names
    return takes_ids and (flow.has_cache or task in _WRITING)


def _choose_class(base: Any, flow: Flow, config: Any, task: str | None, architecture: str | None) -> Any:
    """Return the class of the model, with the name of its architecture, and with Transformers' generation if it can be used."""
    name = architecture if architecture and architecture.isidentifier() else base.__name__
    clean = task.removesuffix(PAST) if task else None
    if can_flow_generate(flow, clean) and not isinstance(config, PlainConfig):
        generating = import_library("dummyio_onnx.models.generation.transformers_class")
        if generating is not None:
            return generating.make_generating_class(base, name, flow.names, None)
    return type(name, (base,), {"__module__": base.__module__})
