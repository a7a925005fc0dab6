"""Whether the graphs return what the class, the task and the labels of a folder state."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dummyio.errors import SourceError
from dummyio.generators.base.context import PAST
from dummyio.huggingface.outputs.output_table import OUTPUTS
from dummyio.huggingface.source.auto_tables import foreign_type_of
from dummyio.huggingface.tasks.find_task import class_supports_task, task_of_class
from dummyio_onnx.models.flows import Flow
from dummyio_onnx.models.folder.model_folder import ModelFolder

FEATURES = "feature-extraction"

_LABELS: Mapping[str, int] = {
    "text-classification": -1,
    "token-classification": -1,
    "image-classification": -1,
    "audio-classification": -1,
    "video-classification": -1,
    "semantic-segmentation": 1,
}
"""Task → the axis of the logits with a score for each label."""

_PLAIN = frozenset({*_LABELS, FEATURES, "fill-mask", "text-generation", "text2text-generation", "multiple-choice"})
"""Tasks whose outputs have the same names and ranks for every class; an answer is a span of a text or, of an image, a label."""


def list_output_shapes(flow: Flow) -> dict[str, Sequence[Any] | None]:
    """Return output → the shape that its graph declares, without caches."""
    return {each.name: each.shape for part in flow.parts for each in part.plain_outputs}


def list_fitting_tasks(flow: Flow) -> list[str]:
    """Return the tasks whose outputs a model has, by name and rank."""
    shapes = list_output_shapes(flow)
    found = []
    for task, outputs in OUTPUTS.items():
        stated = [(name, words) for name, words in outputs.items() if name in shapes]
        first = next(iter(outputs), None)
        main = first in shapes or (task == FEATURES and bool(stated))
        if main and all(_fits(words, shapes[name]) for name, words in stated):
            found.append(task)
    return found


def _fits(words: str | None, shape: Sequence[Any] | None) -> bool:
    return words is None or shape is None or len(words.split()) == len(shape)


def find_own_task(folder: ModelFolder, architecture: str | None, flow: Flow) -> str | None:
    """Return the task that a folder states, without ``-with-past``: that of its spec, else that of its class; None for none.

    Files of a class's features alone are features, whatever head the configuration's class has.
    """
    if folder.spec is not None and folder.spec.task is not None:
        return folder.spec.task.removesuffix(PAST)
    task = None if architecture is None else task_of_class(architecture)
    return FEATURES if task in _PLAIN and task not in list_fitting_tasks(flow) and _has_features(flow) else task


def _has_features(flow: Flow) -> bool:
    """Whether the graphs return hidden states and nothing that a head makes of them."""
    return list_fitting_tasks(flow)[:1] == [FEATURES] and "logits" not in list_output_shapes(flow)


def check_outputs(folder: ModelFolder, flow: Flow, architecture: str | None) -> None:
    """Raise `SourceError` if the graphs do not return what the spec's task, or the configuration's class, returns.

    The class may be of another model type, which is an error too.
    """
    kind = (folder.config or {}).get("model_type")
    foreign = foreign_type_of(architecture, kind) if architecture is not None and isinstance(kind, str) else None
    if foreign is not None:
        raise SourceError(
            f"{folder.path}: config.json has model_type={kind!r} and architectures={architecture!r}, a class of {foreign}: they are "
            "of different models. Put the configuration of the exported model there."
        )
    fitting = list_fitting_tasks(flow)
    for what, task in _list_stated(folder, architecture):
        if task in _PLAIN and task not in fitting and not _has_features(flow):
            raise SourceError(
                f"{folder.path}: {what} does {task}, and the graph returns {_format_outputs(flow)}, which fits "
                f"{', '.join(fitting) or 'no task'}: they are of different models. Put the files of one model there."
            )


def _list_stated(folder: ModelFolder, architecture: str | None) -> Iterator[tuple[str, str]]:
    stated = folder.spec.task if folder.spec is not None else None
    if stated is not None:
        yield "the spec", stated.removesuffix(PAST)
    own = None if architecture is None else task_of_class(architecture)
    if own is not None and not (stated is not None and class_supports_task(architecture or "", stated)):
        yield f"{architecture} of config.json", own


def _format_outputs(flow: Flow) -> str:
    return ", ".join(
        name if shape is None else f"{name} of rank {len(shape)}" for name, shape in list_output_shapes(flow).items()
    )


def check_labels(folder: ModelFolder, flow: Flow, task: str | None, config: Any) -> None:
    """Raise `SourceError` if the graph has scores of another number of labels than the configuration names."""
    axis = _LABELS.get(task or "")
    shape = list_output_shapes(flow).get("logits")
    count = getattr(config, "num_labels", None)
    size = shape[axis] if shape and axis is not None else None
    if isinstance(size, int) and isinstance(count, int) and size != count:
        raise SourceError(
            f"{folder.path}: the graph returns scores of {size} labels, and config.json has {count}: they are of different models. "
            "Put the configuration of the exported model there."
        )
