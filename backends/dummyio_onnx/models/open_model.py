"""From a folder to a model: its parts are opened, checked against each other, and given the class that fits."""

from typing import Any

from dummyio.errors import SourceError
from dummyio_onnx.models.filling.left_out import LeftOut, read_left_out
from dummyio_onnx.models.flows import EncoderDecoder, Flow, WholeModel, can_write
from dummyio_onnx.models.folder.folder_checks import (
    check_folder,
    choose_task,
    find_class_name,
    guess_class_name,
    read_folder_configuration,
)
from dummyio_onnx.models.folder.model_folder import (
    DECODER,
    EMBEDDING,
    ENCODER,
    MEDIA,
    MERGED,
    MODEL,
    WITH_PAST,
    ModelFolder,
)
from dummyio_onnx.models.folder.output_checks import check_labels
from dummyio_onnx.models.libraries import PlainConfig, import_library, load_config
from dummyio_onnx.models.media_model import MediaModel
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
    configuration = read_folder_configuration(folder)
    flow = _open_flow(folder, choice, read_left_out(configuration, find_class_name(folder)))
    own = choose_task(task, folder, flow, configuration)
    check_folder(folder, flow, own, configuration)
    config = load_config(folder.config or {}, folder.path, trust=trust)
    check_labels(folder, flow, own, config)
    _check_encoder(folder, flow, own, config)
    architecture = guess_class_name(folder, own)
    kind = _choose_class(base, flow, config, own, architecture)
    return kind(folder, flow, config, own, architecture)


def _open_flow(folder: ModelFolder, choice: SessionChoice, left_out: LeftOut) -> Flow:
    parts = {name: ModelPart(name, path, choice) for name, path in folder.files.items()}
    order = tuple(folder.spec) if folder.spec is not None else ()
    if MODEL in parts:
        return WholeModel(parts[MODEL], order, left_out)
    if EMBEDDING in parts:
        if folder.spec is None:
            raise SourceError(
                f"{folder.path}: the spec of the whole model, dummyio.json, is not here, and it says which tokens are placeholders. Export "
                "the model again."
            )
        return MediaModel(parts[MEDIA], parts[EMBEDDING], parts[MERGED], folder.spec, left_out)
    first = parts[MERGED] if MERGED in parts else parts[DECODER]
    return EncoderDecoder(parts[ENCODER], first, parts.get(WITH_PAST), order, left_out)


def _check_encoder(folder: ModelFolder, flow: Flow, task: str | None, config: Any) -> None:
    """Raise `SourceError` if the configuration of a model that writes tokens has an encoder, and the files do not, or the reverse."""
    stated = getattr(config, "is_encoder_decoder", None)
    if isinstance(config, PlainConfig) or not can_write(flow, task):
        return
    has = isinstance(flow, EncoderDecoder) or any(name.startswith(("decoder_", "encoder_")) for name in flow.names)
    if bool(stated) != has:
        raise SourceError(
            f"{folder.path}: config.json has is_encoder_decoder={stated!r}, and the files have {'an' if has else 'no'} encoder: they "
            "are of different models. Put the configuration of the exported model there."
        )


def _choose_class(base: Any, flow: Flow, config: Any, task: str | None, architecture: str | None) -> Any:
    """Return a class with the name of the architecture, which pipelines look for in their tables."""
    name = architecture if architecture and architecture.isidentifier() else base.__name__
    if can_write(flow, task) and not isinstance(config, PlainConfig):
        generating = import_library("dummyio_onnx.models.generation.transformers_class")
        if generating is not None:
            return generating.make_generating_class(base, name, flow.names, architecture)
    return type(name, (base,), {"__module__": base.__module__, "__doc__": base.__doc__})
