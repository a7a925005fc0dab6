"""The task of a source: by its class, else by what its configuration hints at."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dummyio.errors import OptionError, SourceError
from dummyio.huggingface.config.configuration import Configuration, read_configuration
from dummyio.huggingface.tasks.find_task import class_of_task, find_task, task_of_class, tasks_of
from dummyio.input_spec import InputSpec
from dummyio.model_config.attribute_types import shorten_value
from dummyio.sources.read_file import read_beginning

_BASE = "feature-extraction"
_CLASSIFIERS = ("text-classification", "image-classification", "audio-classification", "video-classification")
_PROBLEMS: Mapping[str, tuple[str, ...]] = {
    "single_label_classification": _CLASSIFIERS,
    "multi_label_classification": _CLASSIFIERS,
    "regression": ("text-classification", "time-series-regression"),
}
"""``problem_type`` of a configuration → the tasks that it may be for."""


def detect_task(source: Any) -> str:
    """Return the task of a source, by the name that a spec has.

    The class decides: that of a live model, or the first of a configuration's ``architectures``. Without one, or if the end of its
    name is that of no known task, hints of the configuration decide, as far as some class of the model type does that task:
    ``task_specific_params``, ``problem_type``, names for labels, ``is_encoder_decoder``, ``is_decoder``.

    Parameters
    ----------
    source
        A configuration (object, dict, folder or ``config.json``), a live Transformers model, or a spec with a task.

    Raises
    ------
    OptionError
        if the source is of another kind, whose task nothing states.

    Examples
    --------
    >>> detect_task("examples/bert-base")
    'fill-mask'
    """
    if isinstance(source, InputSpec) and source.task is not None:
        return source.task
    found = find_configuration(source)
    if found is None:
        raise OptionError(
            f"task='auto': nothing states the task of {shorten_value(type(source).__name__)}. A configuration or model of Transformers "
            "does; for any other leave out task."
        )
    configuration = read_configuration(found)
    own = task_of_class(type(source).__name__) if is_hugging_face_model(source) else None
    listed = (task_of_class(configuration.architecture) if configuration.architecture else None) if own is None else own
    return listed or _detect_by_hints(configuration)


def _detect_by_hints(configuration: Configuration) -> str:
    kind = configuration.model_type
    able = tasks_of(kind) if kind else ()
    hints = (task for task in _iterate_hints(configuration.values) if not able or task in able)
    # A class may do a task by the end of its name, and be listed for another: those of sounds end as those of texts.
    return next(
        (task for task in hints if not kind or not able or task_of_class(class_of_task(kind, task)) == task), _BASE
    )


def _iterate_hints(values: Mapping[str, Any]) -> Iterator[str]:
    """Yield the tasks that a configuration hints at, the surest first."""
    for name in values.get("task_specific_params") or ():
        yield from _known_task(str(name).split("_to_")[0].split("_")[0])
    for name in (values.get("pipeline_tag"), values.get("finetuning_task"), values.get("task")):
        yield from _known_task(str(name)) if name else ()
    yield from _PROBLEMS.get(str(values.get("problem_type")), ())
    if _has_named_labels(values):
        yield from _CLASSIFIERS
    if values.get("is_encoder_decoder"):
        yield from ("text2text-generation", "automatic-speech-recognition", "image-to-text")
    if values.get("is_decoder"):
        yield "text-generation"


def _known_task(name: str) -> Iterator[str]:
    try:
        yield find_task(name.replace("_", "-")).name
    except OptionError:  # a hint of another kind, such as the name of a benchmark
        return


def _has_named_labels(values: Mapping[str, Any]) -> bool:
    """Whether a configuration has labels other than the two that every configuration has."""
    labels = values.get("id2label")
    if isinstance(labels, Mapping) and labels:
        return len(labels) != 2 or any(str(label) != f"LABEL_{key}" for key, label in labels.items())
    count = values.get("num_labels")
    return isinstance(count, int) and count != 2


def find_configuration(source: Any) -> Any:
    """Return the configuration in a source as `read_configuration` takes it; None if the source has none of Transformers."""
    if isinstance(source, Mapping):
        return None if isinstance(source, InputSpec) or not _is_transformers(source) else source
    if isinstance(source, (str, os.PathLike)):
        return _find_file(source)
    config = _read_attribute(source, "config")
    if is_hugging_face_model(source):
        return config
    return source if is_configuration(source) else None


def _find_file(source: Any) -> Path | None:
    """Return the ``config.json`` of a path; None if it is a spec, or a file of another kind."""
    try:
        path = Path(source)
        path = path / "config.json" if path.is_dir() else path
        if path.suffix != ".json" or not path.is_file() or b'"dummyio"' in read_beginning(path, 1 << 16):
            return None
        return path if _is_transformers(read_configuration(path).values) else None
    except (OSError, TypeError, ValueError, SourceError):  # `describe` states what is wrong with it
        return None


def _is_transformers(values: Mapping[str, Any]) -> bool:
    """Whether a configuration is one of Transformers: not one of Diffusers, and not a saved spec."""
    return "_class_name" not in values and not ("dummyio" in values and "inputs" in values)


def is_configuration(source: Any) -> bool:
    """Whether an object is a configuration of Transformers."""
    return callable(_read_attribute(source, "to_dict")) and _read_attribute(source, "model_type") is not None


def is_hugging_face_model(source: Any) -> bool:
    """Whether an object is a live model of Transformers."""
    return callable(_read_attribute(source, "forward")) and is_configuration(_read_attribute(source, "config"))


def _read_attribute(source: Any, name: str) -> Any:
    """Return an attribute of any object; None if it has none, or if the object's own code fails."""
    try:
        return getattr(source, name, None)
    except Exception:  # noqa: BLE001 - code of an object of which nothing is known yet
        return None
