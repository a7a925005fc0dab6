"""Reads a Hugging Face configuration: a file, a folder, a dict or an object."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from dummyio.errors import SourceError, format_error_line
from dummyio.huggingface.config.class_defaults import (
    attribute_map,
    configuration_defaults,
    sub_config_defaults,
    sub_configs,
)
from dummyio.huggingface.config.layer_types import compute_layer_types, rename_layer_types
from dummyio.huggingface.config.structure import check_structure
from dummyio.model_config.normalized_config import NormalizedConfig
from dummyio.sources.read_file import read_bounded_file, shorten_path

_MAX_BYTES = 16 << 20


@dataclass(frozen=True)
class Configuration:
    """A model's configuration as plain data, and where it came from."""

    values: Mapping[str, Any]
    label: str

    @property
    def model_type(self) -> str | None:
        """The architecture's name, for looking things up; nothing is decided by it."""
        value = self.values.get("model_type")
        return value if isinstance(value, str) else None

    @property
    def architecture(self) -> str | None:
        """The class of the model that the configuration was saved with."""
        names = self.values.get("architectures")
        return names[0] if names else None

    def normalized(self, given: Mapping[str, Any]) -> NormalizedConfig:
        """Return it behind canonical names, filled up with the defaults of its class where that is installed."""
        kind = self.model_type
        if kind is None:
            return NormalizedConfig(self.values, given=given)
        # The caller's number of layers is not what the class counted.
        defaults = self._constant if "num_layers" in given else {**self._constant, **self._made}
        return NormalizedConfig(self.values, given=given, defaults=defaults, attribute_map=attribute_map(kind))

    @cached_property
    def _constant(self) -> Mapping[str, Any]:
        """What the class says by itself, for the configuration and those inside it."""
        kind = self.model_type or ""
        return {**(configuration_defaults(kind) or {}), **sub_config_defaults(kind), **self._stated_parts(kind)}

    def _stated_parts(self, kind: str) -> Mapping[str, Mapping[str, object]]:
        """Return the defaults of the configurations inside this one that state another model type than the usual one there."""
        found = {}
        for name, usual in sub_configs(kind).items():
            part = self.values.get(name)
            stated = part.get("model_type") if isinstance(part, Mapping) else None
            defaults = configuration_defaults(stated) if isinstance(stated, str) and stated != usual else None
            if defaults is not None:
                found[name] = defaults
        return found

    @cached_property
    def _made(self) -> Mapping[str, Any]:
        """The kinds of layers that the class makes of the configuration, of its own layers and of those inside it."""
        kind = self.model_type or ""
        found: dict[str, Any] = {**compute_layer_types(kind, NormalizedConfig(self.values, defaults=self._constant))}
        for name, sub_kind in sub_configs(kind).items():
            values, defaults = self.values.get(name), self._constant.get(name)
            stated = values if isinstance(values, Mapping) else {}
            constant = defaults if isinstance(defaults, Mapping) else {}
            part = NormalizedConfig(stated, defaults=constant, path=f"{name}.")
            inner = compute_layer_types(sub_kind if part.own("model_type") is None else part.own("model_type"), part)
            if inner:
                found[name] = {**constant, **inner}
        return found


def read_configuration(source: Any) -> Configuration:
    """Return the configuration in `source`; raise `SourceError` if it cannot be read, or does not look like one."""
    if isinstance(source, Mapping):
        return build_configuration(source, "a dict")
    if isinstance(source, (str, os.PathLike)):
        path = Path(source)
        path = path / "config.json" if path.is_dir() else path
        return build_configuration(_read_file(path), shorten_path(path))
    label = f"a {type(source).__name__}"
    try:
        values, model_type = source.to_dict(), getattr(source, "model_type", None)
    except Exception as error:  # the object's own code
        raise SourceError(f"{label}: its to_dict() cannot be used: {format_error_line(error)}") from error
    if not isinstance(values, Mapping):
        raise SourceError(
            f"{label}: its to_dict() returns a {type(values).__name__}, not a dict. Give a configuration."
        )
    return build_configuration({"model_type": model_type, **values} if model_type else values, label)


def build_configuration(values: Mapping[str, Any], label: str) -> Configuration:
    """Return a configuration of plain data; errors as `read_configuration`."""
    if not values:
        raise SourceError(
            f"{label}: the configuration is empty. Give one with model_type, or with _class_name for Diffusers."
        )
    check_structure(values, label)
    return Configuration(rename_layer_types(values), label)


def _read_file(path: Path) -> Mapping[str, Any]:
    text, label = read_bounded_file(path, _MAX_BYTES), shorten_path(path)
    try:
        values = json.loads(text)
    except RecursionError:
        raise SourceError(f"{label}: nested too deeply to be a configuration.") from None
    except ValueError as error:  # JSON's and Unicode's errors alike
        raise SourceError(f"{label}: not valid JSON ({error}).") from None
    if not isinstance(values, dict):
        raise SourceError(f"{label}: a configuration is a JSON object, not a {type(values).__name__}.")
    return values
