"""What a configuration and the graphs next to it must agree on: the task, what is fed, words, and the layers of the cache."""

from collections.abc import Sequence
from typing import Any

from dummyio.errors import DummyioError, OptionError, SourceError
from dummyio.generators.base.context import PAST
from dummyio.huggingface.config.configuration import Configuration, build_configuration
from dummyio.huggingface.source.auto_tables import class_for
from dummyio.huggingface.source.forward_signatures import forward_parameters
from dummyio.huggingface.tasks.find_task import canonical_task, class_of_task, class_supports_task, find_task, tasks_of
from dummyio.model_config.layer_geometry import self_layers
from dummyio_onnx.models.cache import is_cross
from dummyio_onnx.models.flows import EncoderDecoder, Flow
from dummyio_onnx.models.folder.model_folder import ModelFolder
from dummyio_onnx.models.folder.output_checks import check_outputs, find_own_task, list_fitting_tasks
from dummyio_onnx.models.model_part import ModelPart, Slot

_OF_WORDS = frozenset({"text-generation", "text2text-generation", "fill-mask"})
"""Tasks whose scores are those of the vocabulary."""


def read_class_name(folder: ModelFolder) -> str | None:
    """Return the class of Transformers that a configuration was saved with; None if it has none."""
    names = (folder.config or {}).get("architectures")
    return names[0] if isinstance(names, list) and names and isinstance(names[0], str) else None


def find_class_name(folder: ModelFolder) -> str | None:
    """Return a class of Transformers in the file of a model's class: its own, else the base class of its type; None if unknown."""
    kind = (folder.config or {}).get("model_type")
    return read_class_name(folder) or (class_for(kind, "MODEL_MAPPING_NAMES") if isinstance(kind, str) else None)


def read_folder_configuration(folder: ModelFolder) -> Configuration | None:
    """Return the configuration as plain data, with the defaults of its class; None without one; errors as `build_configuration`."""
    if not folder.config:
        return None
    try:
        return build_configuration(folder.config, str(folder.path / "config.json"))
    except SourceError as error:
        raise SourceError(f"{error} The graphs next to it cannot be matched with it.") from error


def choose_task(given: str | None, folder: ModelFolder, flow: Flow, configuration: Configuration | None) -> str | None:
    """Return the task of a model, without ``-with-past``: the caller's, that of its spec, or that of its class.

    Raises
    ------
    OptionError
        if the caller's task is unknown, or the model does not do it.
    """
    architecture = read_class_name(folder)
    own = find_own_task(folder, architecture, flow)
    if given is None:
        return own or _guess_task(flow, configuration)
    wanted = canonical_task(given)
    if wanted.endswith(PAST) and not flow.has_cache:
        raise OptionError(f"task={given!r}: these files keep no past. Choose {wanted.removesuffix(PAST)!r}.")
    wanted = wanted.removesuffix(PAST)
    fitting = list_fitting_tasks(flow)
    does = own is None or wanted == own or (architecture is not None and class_supports_task(architecture, wanted))
    if wanted in fitting and does:
        return wanted
    able = [own] if own is not None else fitting
    raise OptionError(
        f"task={given!r}: this model returns {', '.join(flow.outputs)}"
        f"{f', and is a {architecture}' if architecture else ''}. It can do {', '.join(able) or 'no task of the table'}: choose "
        "one of these, or leave the task out."
    )


def _guess_task(flow: Flow, configuration: Configuration | None) -> str | None:
    """Return the only task that a model type has and these outputs fit; None if several do, or no type is stated."""
    kind = None if configuration is None else configuration.model_type
    if configuration is None or kind is None:
        return None
    part = flow.parts[-1]
    size = _last_size(next((each.shape for each in part.plain_outputs if each.name == "logits"), None))
    rank = next((len(each.shape) for each in part.plain_inputs if each.name == "input_ids" and each.shape), 2)
    words = size is not None and size in _list_vocabularies(configuration)
    does = tasks_of(kind)
    likely = [
        task
        for task in list_fitting_tasks(flow)
        if task in does
        and (size is None or (task in _OF_WORDS) == words or task not in (*_OF_WORDS, "token-classification"))
        and (task != "multiple-choice" or rank == 3)
        and task != "next-sentence-prediction"
    ]
    return likely[0] if len(likely) == 1 else None


def guess_class_name(folder: ModelFolder, task: str | None) -> str | None:
    """Return the class of Transformers that a model is: that of its configuration, else the one of its type for the task."""
    stated = read_class_name(folder)
    kind = (folder.config or {}).get("model_type")
    if stated is not None or task is None or not isinstance(kind, str):
        return stated
    try:
        return class_of_task(kind, task)
    except DummyioError:  # a type that this Transformers does not have
        return None


def check_folder(folder: ModelFolder, flow: Flow, task: str | None, configuration: Configuration | None) -> None:
    """Raise `SourceError` if the configuration is of another model than the graphs, or the graphs are not of one model."""
    if isinstance(flow, EncoderDecoder):
        _check_states(folder, flow)
    check_outputs(folder, flow, read_class_name(folder))
    if configuration is None:
        return
    _check_main_input(folder, flow, configuration, task)
    _check_words(folder, flow, configuration, task)
    _check_layers(folder, flow, configuration)


def _check_states(folder: ModelFolder, flow: EncoderDecoder) -> None:
    made = _last_size(next((each.shape for each in flow.encoder.plain_outputs), None))
    for part in flow.parts[1:]:
        taken = next((each.shape for each in part.plain_inputs if each.name == "encoder_hidden_states"), None)
        size = _last_size(taken)
        if made is not None and size is not None and made != size:
            raise SourceError(
                f"{folder.path}: {flow.encoder.path.name} returns states of {made} numbers, and {part.path.name} takes {size}: "
                "they are of different models. Export the model again."
            )
    made_slots = {slot.path: _list_static(slot) for slot in flow.parts[1].presents}
    last = flow.parts[-1]
    wrong = [slot.path for slot in last.slots if made_slots.get(slot.path) != _list_static(slot)]
    if wrong and last is not flow.parts[1]:
        raise SourceError(
            f"{folder.path}: {last.path.name} takes the cache {', '.join(wrong[:4])}, which {flow.parts[1].path.name} does not "
            "return in that shape: they are of different models. Export the model again."
        )


def _last_size(shape: Sequence[Any] | None) -> int | None:
    return shape[-1] if shape and isinstance(shape[-1], int) else None


def _list_static(slot: Slot) -> list[int]:
    return [size for size in slot.declared.shape or () if isinstance(size, int)]


def _check_main_input(folder: ModelFolder, flow: Flow, configuration: Configuration, task: str | None) -> None:
    name = guess_class_name(folder, task)
    if name is None:
        return
    parameters = [parameter.name for parameter in forward_parameters(name, configuration.model_type)]
    if parameters and flow.main_input not in parameters and not {"args", "kwargs"} & set(parameters[:2]):
        raise SourceError(
            f"{folder.path}: the graph takes {', '.join(flow.names)}, and config.json is of a {name}, which takes "
            f"{', '.join(parameters[:6])} ...: they are of different models. Put the configuration of the exported model there."
        )


def _check_words(folder: ModelFolder, flow: Flow, configuration: Configuration, task: str | None) -> None:
    if task is None or task not in _OF_WORDS or find_task(task).family != "text":
        return
    part = flow.parts[-1]
    size = _last_size(next((each.shape for each in part.plain_outputs if each.name == "logits"), None))
    known = _list_vocabularies(configuration)
    if size is not None and known and size not in known:
        raise SourceError(
            f"{folder.path}: {part.path.name} returns scores of {size} tokens, and config.json has a vocabulary of "
            f"{', '.join(map(str, sorted(known)))}: they are of different models. Put the configuration of the exported model "
            "there."
        )


def _list_vocabularies(configuration: Configuration) -> set[int]:
    config = configuration.normalized({})
    parts = (config, config.part("decoder"), config.part("text"))
    return {each.get(name) for each in parts for name in ("vocab_size", "decoder_vocab_size")} - {None}


def _check_layers(folder: ModelFolder, flow: Flow, configuration: Configuration) -> None:
    part = flow.parts[-1]
    keys = [slot for slot in part.slots if slot.path.endswith("key") and not is_cross(slot.path)]
    if not keys or len(keys) * (4 if _has_cross(part) else 2) != len(part.slots):
        return
    config = configuration.normalized({})
    try:
        config.part("decoder").part("text").axis("decoder_num_layers")
    except SourceError as error:  # a cache has one layer at least
        raise SourceError(f"{folder.path}: {error} {part.path.name} keeps {len(keys)} layers.") from error
    try:
        layers = self_layers(config)
    except DummyioError:  # a kind of layer that the table of geometry does not have
        return
    if not all(layer.plain for layer in layers) or any(len(slot.declared.shape or ()) != 4 for slot in keys):
        return
    found = [_list_static(slot) for slot in keys]
    decoder = config.part("decoder")
    others = {decoder.get("num_attention_heads")}  # of a class that does not read the number for keys and values
    if decoder.has("kv_lora_rank"):  # low-rank keys and values may be kept before they are made larger
        others |= {1, decoder.get("kv_lora_rank"), decoder.get("qk_rope_head_dim")}
    fits = len(found) == len(layers) and all(
        size in (layer.heads, layer.key_dim, *others)
        for sizes, layer in zip(found, layers, strict=True)
        for size in sizes
    )
    kinds = {(layer.heads, layer.key_dim) for layer in layers}
    if not fits and len(kinds) < 2:
        sizes = "".join(f" of {heads} heads and {dim} numbers each" for heads, dim in kinds)
        raise SourceError(
            f"{folder.path}: {part.path.name} keeps {len(found)} layers of {found[0]} numbers, and config.json has {len(layers)} "
            f"layers{sizes}: they are of different models. Put the configuration of the exported model there."
        )


def _has_cross(part: ModelPart) -> bool:
    return any(is_cross(slot.path) for slot in part.slots)
