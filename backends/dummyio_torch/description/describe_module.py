"""Describe any ``nn.Module``: its signature says names, its layers say shapes and bounds, and shape-only runs confirm both.

The module itself is never run and never changed: a copy without memory is (`dummyio_torch.shadow`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from dummyio.errors import OptionError, SourceError
from dummyio.input_spec import InputSpec
from dummyio.sources.options import READER_OPTIONS, apply_sizes, check_choices
from dummyio_torch.calling.meta_copy import Kind, check_sizes, iterate_weights
from dummyio_torch.description.build_spec import Provenance, build_spec
from dummyio_torch.description.confirm_spec import confirm_spec, restrict_dims
from dummyio_torch.description.initial_layout import add_argument, first_layout
from dummyio_torch.description.module_key import module_key
from dummyio_torch.description.signature_arguments import Argument, arguments, signature_of
from dummyio_torch.discovery.axis_ranges import find_axis_ranges, separate_axes
from dummyio_torch.discovery.search import LayoutTrial, NeedsValues, Run, search_layout

__all__ = ["describe"]

_OPTIONS = (*READER_OPTIONS, "shapes", "optional_inputs")
_SMALL = 1 << 24
"""As many weights a module may have to be run with values."""
_BUDGETS: Mapping[Kind, int] = {"meta": 250, "fake": 150, "real": 80}
"""Runs to spend on a search."""
_BUDGET_OPTIONAL = 40
_KINDS: tuple[Kind, ...] = ("meta", "fake", "real")

_CACHE: dict[object, InputSpec] = {}
_KEPT = 64


def describe(
    module: nn.Module, *, dims: Mapping[str, Any] | None = None, options: Mapping[str, Any] | None = None
) -> InputSpec:
    """Return the description of a module's inputs.

    Parameters
    ----------
    module
        Any module; it is left as it is.
    dims
        Default sizes of symbols, by name.
    options
        ``padding_side``, ``mask_policy``: as in `PaddingMask`. ``shapes``: input → its sizes and the names of its axes, for
        what cannot be found. ``optional_inputs=False``: only what the module cannot do without. Arguments of forward that
        are no tensors can be given too (``n_steps=3``); they are then no inputs. All may stand among `dims`.

    Raises
    ------
    SourceError
        where no inputs are found that the module takes; the message says what is known.
    OptionError
        for a name that is no symbol, no option and no argument of this module, with the near ones.
    """
    module = _unwrapped(module)
    check_sizes(module)
    given = {**(dims or {}), **(options or {})}
    chosen = _checked({name: given.pop(name) for name in _OPTIONS if name in given})
    names = set(signature_of(module).parameters)
    constants = {name: given.pop(name) for name in list(given) if name in names}
    key = module_key(module, chosen, constants, given)
    spec = _CACHE.get(key) if key is not None else None
    if spec is None:
        spec = _Description(module, chosen, constants, given).spec()
        if key is not None:
            if len(_CACHE) >= _KEPT:
                _CACHE.clear()
            _CACHE[key] = spec
    return apply_sizes(spec, given, (*_OPTIONS, *names), "module")


def _unwrapped(module: nn.Module) -> nn.Module:
    """Return what a wrapper (compiled, in parallel) holds."""
    for name in ("_orig_mod", "module"):
        inner = getattr(module, name, None)
        if isinstance(inner, nn.Module) and (name == "_orig_mod" or isinstance(module, nn.DataParallel)):
            return _unwrapped(inner)
    return module


def _checked(chosen: dict[str, Any]) -> dict[str, Any]:
    check_choices(chosen)
    shapes = chosen.get("shapes", {})
    good = isinstance(shapes, Mapping) and all(
        isinstance(shape, (tuple, list)) and all(isinstance(axis, str) or type(axis) is int for axis in shape)
        for shape in shapes.values()
    )
    if not good:
        raise OptionError(f"shapes={shapes!r}: give a mapping of inputs to shapes, such as {{'x': ('batch_size', 3)}}.")
    return chosen


@dataclass
class _Description:
    """One module on its way to a spec."""

    module: nn.Module
    chosen: Mapping[str, Any]
    constants: dict[str, Any]
    wanted: Mapping[str, Any]

    def __post_init__(self) -> None:
        self.arguments = arguments(self.module, self.constants)
        self.floating = next(
            (t.dtype for t in iterate_weights(self.module) if t.dtype.is_floating_point), torch.float32
        )
        self.notes = Provenance()

    @property
    def label(self) -> str:
        """The module's class."""
        return f"{type(self.module).__module__}.{type(self.module).__qualname__}"

    def spec(self) -> InputSpec:
        """Find the inputs."""
        trial, run = self._found()
        run = separate_axes(trial, run)  # before masks, which have the axes of what they are for
        run = self._with_optional(trial, run)
        run = separate_axes(trial, run)
        layout, sizes = find_axis_ranges(trial, run)
        self.notes.add("inputs", self._how(trial))
        provenance = {"source": self.label, "names": f"forward signature of {type(self.module).__name__}"}
        final = replace(run, layout=layout)
        rows = {path: high for path, (high, _, exact) in run.spy.facts.rows.items() if not exact}

        def write_spec() -> InputSpec:
            spec = build_spec(final, sizes, self.chosen, self.wanted, self.notes, provenance)
            return spec if trial.shadow.real else restrict_dims(spec, trial, final)

        return confirm_spec(self.module, trial, rows, write_spec, self.notes)

    def _how(self, trial: LayoutTrial) -> str:
        if trial.shadow.real:
            return "confirmed by runs on the CPU with tiny inputs: the module's way depends on values"
        return "confirmed by shape-only runs"

    def _trial(self, kind: Kind) -> LayoutTrial:
        positional = tuple(a.name for a in self.arguments if a.positional)
        return LayoutTrial.of(
            self.module, kind, positional=positional, constants=self.constants, floating=self.floating
        )

    def _found(self) -> tuple[LayoutTrial, Run]:
        """Return a run that works with what the module cannot do without."""
        required = [a for a in self.arguments if a.required] or [a for a in self.arguments if a.is_data][:1]
        if not required:
            raise self._error("it takes no data", None)
        start = first_layout(required, self.module, self.floating, self.wanted, self.chosen.get("shapes", {}))
        far: Run | None = None
        for kind in _KINDS:
            if kind == "real" and not self._is_small():
                break
            if kind == "fake" and far is not None:
                continue  # nothing but values, or a device, makes a difference there
            trial = self._trial(kind)
            try:
                run, new = search_layout(trial, start, _BUDGETS[kind])
            except NeedsValues as needs:
                start = needs.layout
                continue
            if run is not None:
                return trial, run
            far = far or new
        raise self._error("no inputs were found that it takes", far)

    def _is_small(self) -> bool:
        return sum(t.numel() for t in iterate_weights(self.module)) <= _SMALL and not any(
            t.is_meta for t in iterate_weights(self.module)
        )

    def _error(self, reason: str, far: Run | None) -> SourceError:
        known = "; ".join(_shown(a) for a in self.arguments) or "none"
        tried = ""
        if far is not None:
            shapes = ", ".join(
                f"{p} {leaf.dtype} {list(far.layout.shape(leaf))}" for p, leaf in far.layout.leaves.items()
            )
            at = f" at {far.spy.last[0]}" if far.spy.last else ""
            tried = f" The farthest try, {shapes}, ended{at} with {type(far.error).__name__}: {_line(far.error)}."
        return SourceError(
            f"{self.label}: {reason}. Its arguments: {known}.{tried} Say what is missing with "
            "shapes={'x': ('batch_size', 3)} or a size by its name, record calls with dummyio.capture(model), or describe "
            "the inputs by hand with InputSpec."
        )

    def _with_optional(self, trial: LayoutTrial, run: Run) -> Run:
        """Return a run with all arguments that may be left out and are data, each where it is taken and used."""
        if self.chosen.get("optional_inputs") is False:
            return run
        for argument in self.arguments:
            if argument.required or not argument.is_data or argument.name in dict(run.layout.trees):
                continue
            before = {path: (leaf.dtype, len(leaf.axes)) for path, leaf in run.layout.leaves.items()}
            layout = add_argument(run.layout, argument, self.floating, self.wanted, self.chosen.get("shapes", {}))
            new = self._tried(trial, layout, argument, before)
            if new is not None:
                run = new
                self.notes.add(f"input {argument.name}", "may be left out")
            else:
                self.notes.add(f"argument {argument.name}", "left out: no data were found for it that the module uses")
        return run

    def _tried(self, trial: LayoutTrial, layout: Any, argument: Argument, before: Mapping[str, Any]) -> Run | None:
        def accept(run: Run) -> bool:
            now = {path: (leaf.dtype, len(leaf.axes)) for path, leaf in run.layout.leaves.items()}
            used = any(p.split(".")[0] == argument.name for p in run.spy.facts.used)
            return used and all(now.get(path) == what for path, what in before.items())

        try:
            found, _ = search_layout(trial, layout, _BUDGET_OPTIONAL, accept)
        except NeedsValues:
            return None
        return found


def _shown(argument: Argument) -> str:
    text = f": {argument.text}" if argument.text else ""
    return f"{argument.name}{text}{'' if argument.required else ' (may be left out)'}"


def _line(error: object) -> str:
    return " ".join(str(error).split())[:300]
