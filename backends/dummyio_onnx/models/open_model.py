"""From a folder to a model: its parts are opened, checked against each other, and given the class that fits."""

from collections.abc import Mapping
from typing import Any

from dummyio.huggingface.config.class_defaults import configuration_defaults
from dummyio_onnx.models.flows import EncoderDecoder, Flow, WholeModel, can_write
from dummyio_onnx.models.folder_checks import check_folder, choose_task, guess_class_name, read_start_token
from dummyio_onnx.models.libraries import PlainConfig, import_library, load_config
from dummyio_onnx.models.model_folder import DECODER, ENCODER, MERGED, MODEL, WITH_PAST, ModelFolder
from dummyio_onnx.models.model_part import ModelPart, SessionChoice


def open_model(base: Any, folder: ModelFolder, choice: SessionChoice, task: str | None, *, trust: bool) -> Any:
    """Return a model of the class `base`, or of one that adds Transformers' generation to it.

    Parameters
    ----------
    base
        `AutoModelForONNX`, or a class derived from it.
    folder
        The files.
    choice
        How to open the sessions.
    task
        The caller's task; None for the model's own.
    trust
        Whether code of the folder may run to read its configuration.
    """
    flow = _open_flow(folder, choice)
    own = choose_task(task, folder, flow)
    check_folder(folder, flow, own)
    config = load_config(folder.config or {}, folder.path, trust=trust)
    architecture = guess_class_name(folder, own)
    kind = _choose_class(base, flow, config, own, architecture)
    return kind(folder, flow, config, own, architecture)


def _open_flow(folder: ModelFolder, choice: SessionChoice) -> Flow:
    types = _has_types(folder)
    parts = {name: ModelPart(name, path, choice, types=types) for name, path in folder.files.items()}
    order = tuple(folder.spec) if folder.spec is not None else ()
    if MODEL in parts:
        return WholeModel(parts[MODEL], order)
    first = parts[MERGED] if MERGED in parts else parts[DECODER]
    return EncoderDecoder(parts[ENCODER], first, parts.get(WITH_PAST), order, read_start_token(folder))


def _has_types(folder: ModelFolder) -> bool:
    """Whether a model has a table of token types, of which the first is the usual one; true without a configuration.

    A model without such a table, such as GPT-2, adds the embedding of any token that it gets as a type, and nothing if it gets none.
    """
    values = folder.config
    if values is None:
        return True
    kind = values.get("model_type")
    known = {**((configuration_defaults(kind) if isinstance(kind, str) else None) or {}), **values}
    parts = (known, *(part for part in known.values() if isinstance(part, Mapping)))
    return any("type_vocab_size" in part for part in parts)


def _choose_class(base: Any, flow: Flow, config: Any, task: str | None, architecture: str | None) -> Any:
    """Return a class with the name of the architecture, which pipelines look for in their tables."""
    name = architecture if architecture and architecture.isidentifier() else base.__name__
    if can_write(flow, task) and not isinstance(config, PlainConfig):
        generating = import_library("dummyio_onnx.models.generation.transformers_class")
        if generating is not None:
            return generating.make_generating_class(base, name, flow.names, architecture)
    return type(name, (base,), {"__module__": base.__module__, "__doc__": base.__doc__})
