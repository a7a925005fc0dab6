"""`install`: an installed optimum-onnx exports and validates with dummyio's inputs.

Optimum's exporter asks the generator classes of an export configuration: ``cls(task, normalized_config, **shapes)``, then
``supports_input(name)`` and ``generate(name, framework, int_dtype, float_dtype)``; it sets sizes between calls. Each class is replaced, in
all configurations, by one with this interface whose tensors are described here.
"""

import importlib
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

from dummyio.compat.optimum.named_classes import CLASSES
from dummyio.errors import NotInstalledError, OptionError
from dummyio.generators.base.context import PAST, build_context
from dummyio.generators.base.input_generator import DummyInputGenerator
from dummyio.generators.registry import OPTIONS, generator_for
from dummyio.model_config.normalized_config import ALIASES, NormalizedConfig
from dummyio.spec.default_sizes import DEFAULT_DUMMY_SHAPES

_LISTS = ("DUMMY_INPUT_GENERATOR_CLASSES", "DUMMY_PKV_GENERATOR_CLASS")
"""The attributes of an export configuration that have generator classes."""
_STATES = ("encoder_outputs", "encoder_hidden_states")
_CACHE = "past_key_values"
_LENGTH = "sequence_length"
_OF_CACHE = ("batch_size", "encoder_sequence_length")
"""Sizes of a cache besides its length, which Optimum names as that of a text."""
_saved: list[tuple[type, str, Any]] = []
"""What `install` has replaced: class, attribute, value."""


class ExporterInputs:
    """The inputs of one generator class of Optimum, described here."""

    original: ClassVar[type]
    """Optimum's class."""

    def __init__(self, task: str, normalized_config: Any, **shapes: Any) -> None:
        """Take the sizes, which are attributes; other keywords are those of Optimum's class alone, such as processors."""
        self.task, self.normalized_config = task, normalized_config
        self.attributes = _read_attributes(getattr(normalized_config, "config", normalized_config))
        known = {name: size for name, size in shapes.items() if name in DEFAULT_DUMMY_SHAPES and type(size) is int}
        for name, size in {"batch_size": 2, _LENGTH: 16, **known}.items():
            setattr(self, name, size)

    def supports_input(self, name: str) -> bool:
        """Return whether Optimum's class has the input, so that of several classes the same one is asked."""
        return any(name.startswith(own) for own in getattr(self.original, "SUPPORTED_INPUT_NAMES", ()))

    def generate(
        self, input_name: str, framework: str = "pt", int_dtype: str = "int64", float_dtype: str = "fp32"
    ) -> Any:
        """Return an input as Optimum's classes do: a cache as a list of tuples, states of an encoder in a tuple.

        Raises
        ------
        OptionError
            if no rule describes the input.
        """
        cached = input_name == _CACHE
        task = self.task.removesuffix(PAST) + (PAST if cached else "")
        config = NormalizedConfig(_drop_windows(self.attributes) if cached else self.attributes)
        both = config.raw("is_encoder_decoder") is True
        sizes = self._collect_sizes(cached=cached)
        context = build_context(task, config, sizes, OPTIONS, encoder_decoder=both)
        found = generator_for(input_name, context)
        if not isinstance(found, DummyInputGenerator):
            raise OptionError(
                f"{input_name!r}: no generator describes this input. Leave the configuration its own generator."
            )
        path = "encoder_outputs.last_hidden_state" if input_name == _STATES[0] else input_name
        value = found.generate(path, framework=framework, int_dtype=int_dtype, float_dtype=float_dtype)
        if cached and self._leaves_out_states():
            return [layer[:2] for layer in value]
        return (value, None, None) if input_name in _STATES and self._states_in_tuple() else value

    def _collect_sizes(self, *, cached: bool) -> dict[str, int]:
        """Return the sizes that were chosen: Optimum passes all of its defaults too, which must not replace the configuration's."""
        given = {name: size for name, size in vars(self).items() if name in DEFAULT_DUMMY_SHAPES}
        if cached:
            return {name: given[name] for name in _OF_CACHE if name in given} | {"past_sequence_length": given[_LENGTH]}
        kept = ("batch_size", _LENGTH)
        return {name: size for name, size in given.items() if name in kept or size != DEFAULT_DUMMY_SHAPES[name]}

    def _leaves_out_states(self) -> bool:
        """Return whether the files have no cache of the encoder's states: so for a decoder whose own configuration knows no encoder."""
        decoder = getattr(self.normalized_config, "DECODER_NORMALIZED_CONFIG_CLASS", None)
        if decoder is None or self.original.__name__ != "DummyVisionEncoderDecoderPastKeyValuesGenerator":
            return False
        return not any(base.__name__ == "NormalizedSeq2SeqConfig" for base in type(decoder).__mro__)

    def _states_in_tuple(self) -> bool:
        return any(base.__name__ == "DummySeq2SeqDecoderTextInputGenerator" for base in self.original.__mro__)


def _read_attributes(config: Any) -> Any:
    """Return the attributes that a configuration states, without the further names by which its class finds some of them."""
    to_dict = getattr(config, "to_dict", None)
    return to_dict() if callable(to_dict) else config


def _drop_windows(attributes: Any) -> Any:
    """Return a configuration without sliding windows, which shorten a cache: Optimum gives that of each layer one length."""
    if not isinstance(attributes, dict):
        return attributes
    return {name: value for name, value in attributes.items() if name not in ALIASES["sliding_window"]}


def install() -> None:
    """Make Optimum's exporter take its inputs from dummyio, in this process; a second call changes nothing.

    Raises
    ------
    NotInstalledError
        if optimum-onnx is not installed.
    """
    if _saved:
        return
    made: dict[type, type] = {}
    for kind in _list_configurations():
        for attribute in _LISTS:
            if vars(kind).get(attribute):
                _saved.append((kind, attribute, vars(kind)[attribute]))
                setattr(kind, attribute, _replace(vars(kind)[attribute], made))


def uninstall() -> None:
    """Give Optimum's exporter its own inputs back."""
    while _saved:
        kind, attribute, value = _saved.pop()
        setattr(kind, attribute, value)


@contextmanager
def installed() -> Generator[None]:
    """Install for the time of a ``with`` block."""
    before = bool(_saved)
    install()
    try:
        yield
    finally:
        if not before:
            uninstall()


def _list_configurations() -> Iterator[type]:
    """Yield all classes of export configurations of an installed Optimum."""
    try:
        base: Any = importlib.import_module("optimum.exporters.onnx.base")
        importlib.import_module("optimum.exporters.onnx.model_configs")
    except ImportError as error:
        raise NotInstalledError("optimum-onnx is not installed. Install it: pip install optimum-onnx") from error
    waiting, seen = [base.OnnxConfig], set()
    while waiting:
        kind = waiting.pop()
        if kind not in seen:
            seen.add(kind)
            waiting += kind.__subclasses__()
            yield kind


def _replace(value: Any, made: dict[type, type]) -> Any:
    """Return classes of Optimum as ours, also in a tuple or by task; classes that Optimum does not have are kept."""
    if isinstance(value, tuple):
        return tuple(_replace(item, made) for item in value)
    if isinstance(value, Mapping):
        return {task: _replace(item, made) for task, item in value.items()}
    if not isinstance(value, type) or value.__name__ not in CLASSES:
        return value
    if value not in made:
        made[value] = type(value.__name__, (ExporterInputs,), {"original": value, "__module__": __name__})
    return made[value]
