"""What is used of other libraries only where they are installed: PyTorch, and the configurations of Transformers."""

import importlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from dummyio.errors import OptionError, SourceError, format_error_line
from dummyio.signals import hold_signals
from dummyio.sources.read_file import shorten_path
from dummyio_onnx.models.generation.option_types import check_option_types

_MAX_LABELS = 10_000_000


def import_library(name: str) -> Any:
    """Return a module; None if it, or what it needs, is not installed."""
    try:
        with hold_signals():
            return importlib.import_module(name)
    except ImportError:
        return None


class PlainConfig:
    """The content of ``config.json`` as attributes, where Transformers is not installed or does not have the model type."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.is_encoder_decoder = False
        names = values.get("id2label")
        self.num_labels: Any = len(names) if isinstance(names, Mapping) else None
        for name, value in values.items():
            setattr(self, name, PlainConfig(value) if isinstance(value, Mapping) else value)
        self._values = dict(values)

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __repr__(self) -> str:
        return f"PlainConfig({self._values})"

    def get(self, name: str, default: Any = None) -> Any:
        """Return a value, or `default`."""
        return getattr(self, name, default)

    def get_text_config(self, **_: Any) -> "PlainConfig":
        """Return the part for texts, if there is one."""
        return getattr(self, "text_config", self)

    def to_dict(self) -> dict[str, Any]:
        """Return the content of the file."""
        return dict(self._values)


def load_config(values: Mapping[str, Any], folder: Path, *, trust: bool) -> Any:
    """Return a configuration: of Transformers' own class for its type, else the content of the file.

    Code of the folder (``auto_map``) runs only with `trust`.

    Raises
    ------
    SourceError
        if Transformers refuses a value, or a model would have more labels than any has.
    """
    labels = values.get("num_labels")
    if isinstance(labels, int) and labels > _MAX_LABELS:  # Transformers makes a name for each
        raise SourceError(
            f"{shorten_path(folder / 'config.json')}: num_labels={labels!r:.40} is more than {_MAX_LABELS}. Correct it."
        )
    library = import_library("transformers")
    if library is None:
        return PlainConfig(values)
    known = values.get("model_type") in library.CONFIG_MAPPING
    if known:
        kind = library.CONFIG_MAPPING[values["model_type"]]
        return _build(folder / "config.json", lambda: kind.from_dict(dict(values), name_or_path=str(folder)))
    if trust and values.get("auto_map"):
        options = {"trust_remote_code": True, "local_files_only": True}
        return _build(folder / "config.json", lambda: library.AutoConfig.from_pretrained(folder, **options))
    return PlainConfig(values)


def _build(file: Path, make: Callable[[], Any]) -> Any:
    """Return an object of Transformers that is made of a file's values; raise `SourceError` if it refuses one."""
    try:
        return make()
    except Exception as error:  # its classes raise errors of many kinds
        raise SourceError(
            f"{shorten_path(file)}: Transformers refuses a value ({format_error_line(error)}). Correct it."
        ) from error


def load_generation_config(values: Mapping[str, Any] | None, config: Any, folder: Path) -> Any:
    """Return the generation options of a model: of Transformers' class where it is installed; errors as `load_config`."""
    library = import_library("transformers")
    file = folder / ("config.json" if values is None else "generation_config.json")
    if library is None or isinstance(config, PlainConfig):
        made: Any = PlainConfig(config.to_dict() if values is None else values)
    elif values is None:
        made = _build(file, lambda: library.GenerationConfig.from_model_config(config))
    else:
        made = _build(file, lambda: library.GenerationConfig.from_dict(dict(values)))
    try:
        check_option_types(made.to_dict())
    except OptionError as error:
        raise SourceError(f"{shorten_path(file)}: {error} Correct it.") from error
    return made
