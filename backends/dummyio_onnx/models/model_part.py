"""One file of a model: its session, what its graph declares, and a run whose cache stays with the runtime."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnxruntime as ort

from dummyio.errors import RunError, format_error_line
from dummyio.running.runner import DeclaredTensor
from dummyio.typing import Axes
from dummyio_onnx.models.array_kinds import Value, keep_alone
from dummyio_onnx.models.cache import OnnxCache, is_cross
from dummyio_onnx.models.filling.index_tables import find_index_tables
from dummyio_onnx.read_model import find_graph_inputs
from dummyio_onnx.running.bind_inputs import find_device
from dummyio_onnx.running.declared_values import declare_values
from dummyio_onnx.running.sessions import load_model_proto, open_session

_PAST = re.compile(r"^(?:(?:past_key_values|cache_params)[._]|past(?:\.|_(?=\d)))(?P<rest>.+)$")
"""An input of a cache; ``past_values`` is one of a time series."""
_PRESENT = re.compile(r"^(?:present_key_values|present|past_key_values|cache_params)[._](?P<rest>.+)$")
_LARGE = 16 << 20
"""Bytes of a result that the cache of the same run must not keep alive."""


@dataclass(frozen=True, slots=True)
class SessionChoice:
    """How the sessions of a model are opened."""

    providers: Sequence[str] = ("CPUExecutionProvider",)
    provider_options: Sequence[Mapping[str, Any]] | None = None
    options: Any = None
    """``onnxruntime.SessionOptions``."""

    binding: bool = True
    """Whether runs bind their results to the device, so that a cache stays there."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One tensor of the cache."""

    path: str
    declared: DeclaredTensor
    batch_axis: int
    growing_axis: int | None


class ModelPart:
    """A session with what it declares.

    Parameters
    ----------
    name
        The part's name: ``model``, ``encoder``, ``decoder`` ...
    path
        Its file.
    choice
        How to open it.

    Raises
    ------
    SourceError
        if the file is not a whole model, or the runtime refuses it.
    OptionError
        if this runtime has no such provider.
    """

    def __init__(self, name: str, path: Path, choice: SessionChoice) -> None:
        self.name, self.path = name, path
        _, model = load_model_proto(path)
        self.session = open_session(
            path, model, providers=choice.providers, provider_options=choice.provider_options, options=choice.options
        )
        self.inputs = declare_values(find_graph_inputs(model.graph))
        self.outputs = declare_values(model.graph.output)
        self.tables = find_index_tables(model)
        """Input → the rows of the table that its elements choose from."""
        self.plain_inputs = tuple(each for each in self.inputs if _PAST.match(each.name) is None)
        self.batch_symbol = next((each.shape[0] for each in self.plain_inputs if each.shape), None)
        self.slots = self._find_slots(self.inputs, _PAST)
        self.presents = self._find_slots(self.outputs, _PRESENT)
        names = {slot.declared.name for slot in self.presents}
        self.plain_outputs = tuple(each for each in self.outputs if each.name not in names)
        self.paths = tuple(slot.path for slot in self.slots)
        returned = {slot.path for slot in self.presents}
        self.continues = bool(returned) and all(is_cross(path) or path in returned for path in self.paths)
        """Whether a run returns all that the next one takes; what stands for an encoder stays as it is."""
        self._prepare_runs(choice)

    def _find_slots(self, declared: Sequence[DeclaredTensor], pattern: re.Pattern[str]) -> tuple[Slot, ...]:
        found = ((each, pattern.match(each.name)) for each in declared)
        return tuple(
            Slot(match["rest"], each, *_find_axes(each.shape, self.batch_symbol))
            for each, match in found
            if match is not None
        )

    def _prepare_runs(self, choice: SessionChoice) -> None:
        """Resolve once what each run would look up: names, devices, which result continues which past."""
        self._run_session: Any = self.session._sess  # noqa: SLF001 - the public class wraps each value, which doubles the cost of a small step
        self._make_binding: Any = type(self.session.io_binding()._iobinding)  # noqa: SLF001 - the same
        self._slot_names = tuple(slot.declared.name for slot in self.slots)
        self._present_names = tuple(slot.declared.name for slot in self.presents)
        self._plain_names = [each.name for each in self.plain_outputs]
        self._all_names = [*self._plain_names, *self._present_names]
        kind, index = find_device(self.session)
        self.device = (kind, index)
        # On the CPU results stay where they are anyway, and a binding for each run takes longer.
        self._in_place = kind == "cpu" or not choice.binding
        self._cpu: Any = ort.OrtDevice.make("cpu", 0)._get_c_device()  # noqa: SLF001 - what a binding takes
        self._device: Any = ort.OrtDevice.make(kind, index)._get_c_device()  # noqa: SLF001 - the same
        first = len(self._plain_names)
        self._plain_range = range(first)
        index_of = {slot.path: first + index for index, slot in enumerate(self.presents)}
        self._paths = self.paths or tuple(slot.path for slot in self.presents)
        self._axes = tuple((slot.batch_axis, slot.growing_axis) for slot in self.slots or self.presents)
        self._next = tuple(index_of.get(path) for path in self._paths)
        self._kept = tuple(None if is_cross(path) else index_of.get(path) for path in self._paths)

    def run(
        self,
        feeds: dict[str, Value],
        cache: OnnxCache | None,
        new_tokens: int,
        *,
        keep_cache: bool = True,
        keep_cross: bool = False,
    ) -> tuple[Sequence[Value], OnnxCache | None]:
        """Run once.

        Parameters
        ----------
        feeds
            A value for each plain input; the dict is the run's own from now on.
        cache
            The past, if the part takes one.
        new_tokens
            How many tokens each row gets.
        keep_cache
            Whether the results that continue the cache are made.
        keep_cross
            Whether what stands for the encoder stays as it was: the graph returns placeholders for it.

        Returns
        -------
        tuple
            The plain outputs, and the next cache.

        Raises
        ------
        RunError
            if the runtime fails; the message has the sizes that contradict each other, if some do.
        """
        keep_cache = keep_cache and bool(self._present_names)
        try:
            results = self._run_bound(feeds, cache, keep_cache=keep_cache)
        except Exception as error:  # the exceptions of ONNX Runtime have no common base class
            raise RunError(
                f"{self.path.name}: ONNX Runtime failed: {format_error_line(error)}{explain_sizes(self, feeds, cache)}"
            ) from error
        plain = [results[index] for index in self._plain_range]
        if not keep_cache:
            return plain, None
        kept = self._kept if keep_cross else self._next
        if None not in kept:
            values = [results[index] for index in kept]
        else:
            old = () if cache is None else cache.values
            values = [old[at] if index is None else results[index] for at, index in enumerate(kept)]
        if plain and plain[0].tensor_size_in_bytes() > _LARGE:
            values = [keep_alone(value) for value in values]
        return plain, OnnxCache(self._paths, values, (0 if cache is None else cache.length) + new_tokens, self._axes)

    def _run_bound(self, feeds: dict[str, Value], cache: OnnxCache | None, *, keep_cache: bool) -> Any:
        if self._in_place:
            if cache is not None:
                feeds.update(zip(self._slot_names, cache.values, strict=True))
            return self._run_session.run_with_ort_values(
                feeds, self._all_names if keep_cache else self._plain_names, None
            )
        binding = self._make_binding(self._run_session)
        bind, bind_output = binding.bind_ortvalue_input, binding.bind_output
        for name, value in feeds.items():
            bind(name, value)
        if cache is not None:
            for name, value in zip(self._slot_names, cache.values, strict=True):
                bind(name, value)
        device = self._cpu
        for name in self._plain_names:
            bind_output(name, device)
        if keep_cache:
            device = self._device
            for name in self._present_names:
                bind_output(name, device)
        binding.synchronize_inputs()
        self._run_session.run_with_iobinding(binding, None)
        binding.synchronize_outputs()
        return binding.get_outputs()


def _find_axes(shape: Axes | None, batch: object) -> tuple[int, int | None]:
    """Return the axis of the rows, and the one that grows with the tokens, of a tensor of the cache."""
    axes = tuple(shape or ())
    rows = next((at for at, size in enumerate(axes) if isinstance(size, str) and (size == batch or "batch" in size)), 0)
    growing = (at for at, size in enumerate(axes) if at != rows and not isinstance(size, int))
    return rows, next(growing, None)


def explain_sizes(part: ModelPart, feeds: Mapping[str, Value], cache: OnnxCache | None) -> str:
    """Return a sentence on the sizes of one name that differ between inputs; nothing if none do."""
    values = dict(feeds)
    if cache is not None:
        values |= dict(zip((slot.declared.name for slot in part.slots), cache.values, strict=False))
    seen: dict[str, tuple[str, int]] = {}
    for declared in part.inputs:
        if declared.name not in values or declared.shape is None:
            continue
        sizes = values[declared.name].shape()
        for axis, size in zip(declared.shape, sizes, strict=False):
            if not isinstance(axis, str) or not axis.isidentifier():
                continue
            name, other = seen.setdefault(axis, (declared.name, size))
            if other != size:
                return f" {axis} is {other} in {name} and {size} in {declared.name}: it must be the same in all inputs."
    return ""
