"""What a `UniversalOnnxConfig` is made of: the spec of its source, and the source's configuration.

A configuration that is an object or a dict stands for the class that ``AutoModel`` builds, whatever its ``architectures`` are. A
folder, a ``config.json`` and a live model have a class of their own, and keep it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from os import PathLike
from typing import Any

from dummyio.describing import describe
from dummyio.errors import OptionError, SourceError
from dummyio.exporting.model_parts import describe_part
from dummyio.generators.base.context import PAST
from dummyio.huggingface.config.configuration import Configuration, read_configuration
from dummyio.huggingface.source.auto_tables import class_for
from dummyio.huggingface.tasks.find_task import canonical_task, class_supports_task, find_task, task_of_class
from dummyio.huggingface.tasks.task_table import TASKS
from dummyio.input_spec import InputSpec
from dummyio.model_config.attribute_types import shorten_value
from dummyio.onnx.conventions.read_conventions import choose_input_options
from dummyio.onnx.task_detection import detect_task, find_configuration, is_configuration, is_hugging_face_model

BASE_TASK = "feature-extraction"
"""The task of the class that ``AutoModel`` builds."""


@dataclass(frozen=True)
class Request:
    """What the caller asks of a source."""

    source: Any
    task: str | None = None
    part: str | None = None
    use_past: bool | None = None
    generators: tuple[type, ...] = ()


@dataclass(frozen=True)
class Source:
    """A source whose task is decided, and how it is described."""

    value: Any
    """The source as `dummyio.describe` takes it."""
    task: str | None
    """None if the source's own class decides."""
    part: str | None
    generators: tuple[type, ...]

    def describe(self, keywords: Mapping[str, Any]) -> InputSpec:
        """Return the spec under sizes and options by name; errors are those of `dummyio.describe`."""
        options: dict[str, Any] = dict(keywords)
        if self.generators:
            options["generators"] = self.generators
        if self.task is None and self.configuration is not None:
            # The inputs that an export needs, as if the task of the class had been given.
            options.setdefault("optional_inputs", False)
        spec = self._describe(options)
        if self.configuration is None:
            return spec
        changed = choose_input_options(spec, self.configuration.model_type, options, self.generators)
        return self._describe({**options, **changed}) if changed else spec

    def _describe(self, options: Mapping[str, Any]) -> InputSpec:
        if self.part is not None:
            return describe_part(self.value, self.task or BASE_TASK, self.part, options)
        return describe(self.value, self.task, **options)

    def describe_with_past(self, keywords: Mapping[str, Any]) -> InputSpec | None:
        """Return the spec of the class that ``AutoModel`` builds, with a past; None if it takes none."""
        known = {name: value for name, value in keywords.items() if name.endswith("_dtype") or name == "cache"}
        value = self.value if self.model is None else find_configuration(self.value)
        try:
            return describe(value, BASE_TASK + PAST, **known)
        except SourceError:
            return None

    @property
    def model(self) -> Any:
        """The live model; None if the source is none."""
        return self.value if callable(getattr(self.value, "forward", None)) else None

    @cached_property
    def configuration(self) -> Configuration | None:
        """The configuration of a Transformers model; None if the source is of another kind."""
        found = find_configuration(self.value)
        return None if found is None else read_configuration(found)


def read_source(request: Request) -> Source:
    """Return a source with its task decided.

    Raises
    ------
    OptionError
        if the task is unknown, the model cannot do it, or it contradicts `use_past`.
    SourceError
        if the source is of no kind that can be described.
    """
    source, task = request.source, _check_task(request)
    _check_source(source)
    found = find_configuration(source)
    if found is None:
        if request.use_past is not None or request.part is not None:
            given = f"part={request.part!r}" if request.part is not None else f"use_past={request.use_past!r}"
            raise OptionError(
                f"{given}: only Hugging Face models have a past and parts that can be asked for. Leave it out."
            )
        return Source(source, None if task == "auto" else task, None, request.generators)
    if task == "auto":
        task = detect_task(source)
    if is_hugging_face_model(source):
        task = _choose_task_of_model(source, task)
    elif task is None and _stands_for_base(source):
        source, task = _read_base(source)
    if request.part is not None and task is None:
        task = detect_task(source)
    return Source(source, _add_past(task, source, request.use_past), request.part, request.generators)


def _check_task(request: Request) -> str | None:
    task, use_past = request.task, request.use_past
    if use_past not in (None, True, False):
        raise OptionError(f"use_past={shorten_value(use_past)}: True, False or None is needed.")
    if task is None:
        return None
    if not isinstance(task, str):
        raise OptionError(f"task={shorten_value(task)}: a task is a string, such as 'text-generation'.")
    if task == "auto":
        return task
    name = canonical_task(task)
    if name.endswith(PAST) and use_past is False:
        raise OptionError(f"task={task!r} with use_past=False: the task asks for a past. Leave out one of the two.")
    return name


def _check_source(source: Any) -> None:
    if source is None or isinstance(source, (type, bool, int, float, list, tuple, set, bytes)):
        what = f"the class {source.__name__}" if isinstance(source, type) else shorten_value(source)
        raise SourceError(
            f"{what} is not a source: give a configuration (object, dict, folder or config.json), a live model, another module, "
            "or a saved spec."
        )


def _stands_for_base(source: Any) -> bool:
    """Whether a source is a configuration of Transformers that has no class of its own: not a file, a folder or a model."""
    if isinstance(source, Mapping):
        return "model_type" in source and "_class_name" not in source
    return is_configuration(source) and not isinstance(source, (str, PathLike))


def _read_base(source: Any) -> tuple[Any, str]:
    """Return a configuration without its architecture, if that is not the class that ``AutoModel`` builds, and the task."""
    read = source.get if isinstance(source, Mapping) else partial(_read, source)
    names, model_type = read("architectures") or (), read("model_type")
    base = class_for(model_type, "MODEL_MAPPING_NAMES") if isinstance(model_type, str) else None
    if not names or base is None or names[0] == base:
        return source, BASE_TASK
    plain: dict[str, Any] = (
        {**source} if isinstance(source, Mapping) else {"model_type": model_type, **source.to_dict()}
    )
    plain.pop("architectures", None)
    return plain, BASE_TASK


def _read(source: Any, name: str) -> Any:
    return getattr(source, name, None)


def _choose_task_of_model(model: Any, task: str | None) -> str | None:
    """Return the task of a live model; raise `OptionError` if its class does not do it."""
    name = type(model).__name__
    own = task_of_class(name)
    if task is None or own is None or class_supports_task(name, task):
        return task
    able = ", ".join(dict.fromkeys(row.name for row in TASKS if class_supports_task(name, row.name)))
    raise OptionError(
        f"task={task!r}: {name} does not do it. It can do {able}; build the model by the class of the task."
    )


def _add_past(task: str | None, source: Any, use_past: bool | None) -> str | None:
    if not use_past or (task or "").endswith(PAST):
        return task
    task = task or detect_task(source)
    if not find_task(task).takes_past:
        raise OptionError(f"use_past=True: models for {task} do not generate step by step. Leave it out.")
    return task + PAST
