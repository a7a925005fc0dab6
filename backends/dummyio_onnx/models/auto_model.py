"""`AutoModelForONNX`: a folder of ONNX files as a model of Transformers, for any task."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from dummyio.errors import OptionError, OutputError, to_path
from dummyio_onnx.models.array_kinds import get_type_text, to_result
from dummyio_onnx.models.call_arguments import CallArguments, find_kind, keep_scores
from dummyio_onnx.models.flows import CACHE, Flow, can_write
from dummyio_onnx.models.folder.load_options import (
    check_hub_options,
    choose_session,
    convert_load_options,
    pop_part_names,
)
from dummyio_onnx.models.folder.model_folder import ModelFolder, read_model_folder
from dummyio_onnx.models.generation.greedy import generate_greedily
from dummyio_onnx.models.libraries import import_library, load_generation_config
from dummyio_onnx.models.open_model import open_model
from dummyio_onnx.models.outputs import OutputFace


class AutoModelForONNX:
    """A model that ONNX Runtime runs, with the interface of a Transformers model; `from_pretrained` makes one.

    Inputs are NumPy arrays or tensors of PyTorch, by name or in the order of `forward`; the same kind is returned. Inputs that
    Transformers makes itself may be left out. The cache that a step returns stays with the runtime.
    """

    base_model_prefix = "model"
    framework = "pt"
    training = False
    input_modalities: Any = ("text",)
    output_modalities: Any = ("text",)

    def __init__(
        self, folder: ModelFolder, flow: Flow, config: Any, task: str | None, architecture: str | None
    ) -> None:
        self.config, self.task = config, task
        self.name_or_path = str(folder.path)
        self.main_input_name = flow.main_input
        self._folder, self._flow = folder, flow
        self._face = OutputFace(flow.outputs, task, architecture)
        self._arguments = CallArguments(flow)
        self._known = self._arguments.names
        self._texts = {each.name: get_type_text(each.dtype) for part in flow.parts for each in part.plain_outputs}
        self.generation_config = (
            load_generation_config(folder.generation, config, folder.path) if self.can_generate() else None
        )

    @classmethod
    def from_pretrained(  # noqa: PLR0913 - each is an option of its own
        cls,
        folder: str | os.PathLike[str],
        *,
        task: str | None = None,
        provider: str | None = None,
        providers: Sequence[str] | None = None,
        provider_options: Any = None,
        session_options: Any = None,
        file_name: str | None = None,
        subfolder: str = "",
        use_io_binding: bool | None = None,
        trust: bool = False,
        **options: Any,
    ) -> Any:
        """Return the model in a folder.

        Parameters
        ----------
        folder
            A folder that `dummyio.export` or Optimum wrote, or one ``.onnx`` file. Nothing is downloaded.
        task
            The task; by default that of the spec, or of the configuration's class.
        provider, providers
            Where to run: one execution provider of ONNX Runtime, the CPU by default, or several, the preferred first.
        provider_options
            A mapping of options of the provider, or one for each of `providers`.
        session_options
            ``onnxruntime.SessionOptions`` of the sessions, such as the number of threads.
        file_name, subfolder
            The file of a whole model, and the part of the folder, where they are not the usual ones; ``encoder_file_name``,
            ``decoder_file_name`` and ``decoder_with_past_file_name`` for the parts of an encoder-decoder.
        use_io_binding
            Whether results are bound to the device, so that caches stay there; True by default.
        trust
            Whether code of the folder may run to read a configuration that Transformers does not have.
        options
            `export`, `revision` and other options of loaders of the hub, if they are neutral.

        Raises
        ------
        SourceError
            if files are missing, damaged, or of different models.
        OptionError
            if an option is unknown, the runtime lacks a provider, or the model does not do the task.
        """
        names = pop_part_names(options)
        check_hub_options(options)
        given = convert_load_options(
            task=task,
            provider=provider,
            providers=providers,
            provider_options=provider_options,
            session_options=session_options,
            file_name=file_name,
            subfolder=subfolder,
            use_io_binding=use_io_binding,
            trust=trust,
        )
        found = read_model_folder(to_path(folder), given["file_name"], given["subfolder"], **names)
        sessions = ("provider", "providers", "provider_options", "session_options", "use_io_binding")
        choice = choose_session(*(given[name] for name in sessions))
        return open_model(cls, found, choice, given["task"], trust=given["trust"])

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Return the outputs for these inputs, as the class of Transformers for them.

        Parameters
        ----------
        args, kwargs
            The inputs, in the order of `forward` or by name; None counts as left out. ``use_cache=False`` leaves the cache out,
            ``return_dict=False`` returns a tuple.

        Raises
        ------
        RunError
            if an input is missing, has another rank or size than the graph takes, or the runtime fails.
        DTypeError
            if an input is not a tensor, or its values would change in the graph's dtype.
        OptionError
            if a name is not an input, or a switch asks for what the graph does not return.
        """
        if args:
            kwargs = self._arguments.name(args, kwargs)
        kind = find_kind(kwargs)
        return_dict, use_cache = kwargs.pop("return_dict", None), kwargs.pop("use_cache", None)
        scores = None
        if not kwargs.keys() <= self._known:
            kwargs, scores = self._arguments.drop_switches(kwargs)
        if use_cache and not self._flow.has_cache:
            raise OptionError(
                "use_cache=True: these files keep no past. Leave it out, or export the model with its past."
            )
        found, cache = self._flow.run(kwargs, use_cache=use_cache is not False)
        texts = self._texts
        results = {name: to_result(value, kind, texts.get(name)) for name, value in found.items()}
        if scores is not None:
            results["logits"] = keep_scores(results["logits"], scores)
        if cache is not None:
            results[CACHE] = cache
        made = self._face.make(results)
        return made if return_dict is not False else made.to_tuple()

    __call__ = forward

    def generate(self, inputs: Any = None, **options: Any) -> Any:
        """Return the tokens that the model writes, greedily: as Transformers' `generate`, without beams and sampling.

        Parameters
        ----------
        inputs
            The main input; others by name.
        options
            Inputs by name, and generation options, which win over those of the folder.

        Raises
        ------
        OptionError
            if the model does not write tokens, or an option needs Transformers.
        """
        if not self.can_generate():
            raise OptionError(
                f"this model does not write tokens: its task is {self.task or 'not known'}, and it returns "
                f"{', '.join(self._flow.outputs)}. Call it, or load a model that generates."
            )
        given = {name: options.pop(name) for name in [*options] if name in self._known}
        if inputs is not None:
            given[self.main_input_name] = inputs
        generation = options.pop("generation_config", None) or self.generation_config
        tokens = generate_greedily(self._flow, self.config, generation, given, options)
        return import_library("torch").from_numpy(tokens) if find_kind(given) == "pt" else tokens

    def can_generate(self) -> bool:
        """Return whether the model writes tokens: its steps return scores of the next one."""
        return can_write(self._flow, self.task)

    def eval(self) -> Self:
        """Return the model, whose mode never changes."""
        return self

    def to(self, *places: Any, **options: Any) -> Self:
        """Return the model; raise `OptionError` for another device or dtype than it has, which its files decide."""
        for place in (*places, *options.values()):
            text = str(place)
            if text.startswith("torch.") or isinstance(place, np.dtype):
                if text != str(self.dtype):
                    raise OptionError(
                        f"to({text}): these files compute in {self.dtype}. Export the model in that dtype."
                    )
            elif text.partition(":")[0] != str(self.device).partition(":")[0] and place is not None:
                raise OptionError(
                    f"to({text}): this model was opened on {self.device}. Load it there: from_pretrained(..., provider=...)."
                )
        return self

    @property
    def input_names(self) -> tuple[str, ...]:
        """The inputs that the model takes, in order."""
        return tuple(self._flow.names)

    @property
    def device(self) -> Any:
        """The device, as PyTorch's class where that is installed."""
        kind, index = self._flow.parts[-1].device
        text = kind if kind == "cpu" else f"{kind}:{index}"
        torch = import_library("torch")
        return text if torch is None else torch.device(text)

    @property
    def dtype(self) -> Any:
        """The dtype of its floating-point outputs, as PyTorch's where that is installed; None if it has none."""
        outputs = (each.dtype for part in self._flow.parts for each in part.outputs)
        found = next((dtype for dtype in outputs if dtype is not None and dtype.kind == "float"), None)
        torch = import_library("torch")
        return None if found is None else found.numpy if torch is None else getattr(torch, found.value, None)

    @property
    def providers(self) -> list[str]:
        """The execution providers that run it."""
        return list(self._flow.parts[-1].session.get_providers())

    def save_pretrained(self, folder: str | os.PathLike[str], **_: Any) -> None:
        """Copy the files of the model into a folder that does not exist, or has none of their names.

        Raises
        ------
        OutputError
            if a file of that name is there already.
        """
        source, target = self._folder.path, Path(folder)
        files = [file for file in sorted(source.iterdir()) if file.is_file()]
        taken = [file.name for file in files if (target / file.name).exists()]
        if taken:
            raise OutputError(f"{target}: {', '.join(taken[:5])} is there already. Give another folder.")
        target.mkdir(parents=True, exist_ok=True)
        for file in files:
            shutil.copyfile(file, target / file.name)

    def __repr__(self) -> str:
        files = ", ".join(part.path.name for part in self._flow.parts)
        return f"{type(self).__name__}({files}; inputs {', '.join(self._flow.names)}; task {self.task})"
