"""The options of `AutoModelForONNX.from_pretrained`: their types, and what loaders of the hub have that does not matter here."""

from collections.abc import Mapping, Sequence
from typing import Any

import onnxruntime as ort

from dummyio.errors import OptionError, suggest_names
from dummyio.model_config.attribute_types import shorten_value
from dummyio.option_types import convert_option
from dummyio_onnx.models.folder.model_folder import PART_OPTIONS
from dummyio_onnx.models.model_part import SessionChoice

_CPU = "CPUExecutionProvider"
_FROM_HUB = frozenset(
    {"export", "revision", "token", "cache_dir", "force_download", "local_files_only", "trust_remote_code"}
)
"""Options of loaders of the hub, whose neutral values are accepted: nothing is downloaded or exported here."""

_TYPES: Mapping[str, Any] = {
    "task": str | None,
    "provider": str | None,
    "providers": Sequence[str] | None,
    "provider_options": Mapping[str, Any] | Sequence[Mapping[str, Any]] | None,
    "session_options": ort.SessionOptions | None,
    "file_name": str | None,
    "subfolder": str,
    "use_io_binding": bool | None,
    "trust": bool,
    **dict.fromkeys(PART_OPTIONS, str | None),
}
"""Option → its type."""


def convert_load_options(**given: Any) -> dict[str, Any]:
    """Return options in their declared types; raise `OptionError` for a value of another type."""
    return {name: convert_option(name, value, _TYPES[name]) for name, value in given.items()}


def pop_part_names(options: dict[str, Any]) -> dict[str, str | None]:
    """Return part → the name of its file, taken out of options."""
    return {
        part: convert_option(option, options.pop(option, None), _TYPES[option]) for option, part in PART_OPTIONS.items()
    }


def choose_session(
    provider: str | None,
    providers: Sequence[str] | None,
    provider_options: Any,
    session_options: Any,
    binding: bool | None,
) -> SessionChoice:
    """Return how sessions are opened; raise `OptionError` if one provider and several were given."""
    if provider is not None and providers is not None:
        raise OptionError(f"provider={provider!r} and providers={providers!r} were given: give one of them.")
    chosen = tuple(providers) if providers is not None else (_CPU if provider is None else provider,)
    if isinstance(provider_options, Mapping):
        provider_options = [provider_options, *({} for _ in chosen[1:])]
    return SessionChoice(chosen, provider_options, session_options, binding is not False)


def check_hub_options(options: Mapping[str, Any]) -> None:
    """Raise `OptionError` for an option that does not exist, or that asks for a download or an export."""
    for name, value in options.items():
        if name not in _FROM_HUB:
            raise OptionError(
                f"{name}={shorten_value(value)} is not an option of from_pretrained. {suggest_names(name, _TYPES)}"
            )
        neutral = value is None or value is False or value == "main"
        if not neutral and name not in ("cache_dir", "local_files_only"):
            raise OptionError(
                f"{name}={shorten_value(value)}: nothing is downloaded or exported when a model is loaded. Export it first, "
                "dummyio.export(model, folder), and give the folder; trust=True lets code of that folder run."
            )
