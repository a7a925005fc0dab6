"""Describes any ``nn.Module``: its signature has the names, its layers show shapes and bounds, shape-only runs confirm both.

The module itself is never run and never changed: a copy without memory is (`dummyio_torch.calling.meta_copy`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import nn

from dummyio.backend.frameworks import qualified_name
from dummyio.errors import SourceError, format_error_line
from dummyio.generators.own_classes import collect_generators
from dummyio.input_spec import InputSpec
from dummyio.keras.calls import is_keras
from dummyio.keras.describe_inputs import describe_inputs
from dummyio.process_state import hold_process_state
from dummyio.sources.options import apply_sizes, check_options
from dummyio_torch.calling.meta_copy import Kind, check_packed_weights, check_sizes, has_small_weights, iterate_weights
from dummyio_torch.description.asked_arguments import find_asked_arguments, lacks_argument
from dummyio_torch.description.build_spec import Provenance, build_spec
from dummyio_torch.description.foreign_kinds import explain_foreign_kinds
from dummyio_torch.description.initial_layout import LayoutStart
from dummyio_torch.description.module_key import module_key
from dummyio_torch.description.own_generators import TASK, confirm_inputs, describe_by_generators
from dummyio_torch.description.signature_arguments import Argument, as_container, list_arguments, read_signature
from dummyio_torch.discovery.axis_ranges import find_axis_ranges, join_axes, separate_axes
from dummyio_torch.discovery.layout import InputLayout
from dummyio_torch.discovery.runs.columns import find_columns
from dummyio_torch.discovery.runs.layout_trial import LayoutTrial, Policy, Run
from dummyio_torch.discovery.runs.row_lengths import find_counted_axes
from dummyio_torch.discovery.search import NeedsValues, search_layout

_OPTIONS = ("shapes", "optional_inputs")
_MAX_WEIGHTS = 1 << 26
"""Weights of a module that a search may run with values."""
_MAX_OPERATIONS = 1 << 36
"""Arithmetic operations of a run with values that a search may make: seconds of a processor."""
_BUDGETS: Mapping[Kind, int] = {"meta": 300, "fake": 150, "real": 200}
"""Runs to spend on a search."""
_BUDGET_OPTIONAL = 40
_KINDS: tuple[Kind, ...] = ("meta", "fake", "real")

_PARALLEL = (nn.DataParallel, nn.parallel.DistributedDataParallel)

_CACHE: dict[object, InputSpec] = {}
_MAX_CACHED = 64


def describe(module: nn.Module, *, dims: Mapping[str, Any] | None = None) -> InputSpec:
    """Return the spec of a module's inputs.

    Parameters
    ----------
    module
        Any module; it is left as it is.
    dims
        Default sizes of dims, by name. Options: ``padding_side``, ``mask_policy``: as in `PaddingMask`; ``shapes``: input →
        sizes and names of its axes, for inputs that the search does not find; ``optional_inputs=False``: only the arguments
        that the module needs; ``generators``: classes that describe arguments. An argument of forward that is not a tensor (``n_steps=3``) is then not an input.

    Raises
    ------
    SourceError
        If no inputs are found that the module takes; the message has all that is known.
    OptionError
        If a name is neither a dim nor an option nor an argument of this module (the message suggests similar names), or a generator
        fails or contradicts the module.
    """
    module = unwrap_module(module)
    check_sizes(module)
    check_packed_weights(module)
    chosen, given = check_options(dims, _OPTIONS)
    if is_keras(module):
        return apply_sizes(describe_inputs(module, chosen), given, _OPTIONS, "model")
    names = set(read_signature(module).parameters)
    constants = {name: given.pop(name) for name in list(given) if name in names}
    own = given.pop("generators", ())
    kinds = collect_generators(own, None, TASK)
    if kinds:
        spec = _describe_by_generators(module, chosen, constants, given, (kinds, own))
        if spec is not None:
            return apply_sizes(spec, given, (*_OPTIONS, *names), "module")
    spec = _find_spec(module, chosen, constants, given)
    return apply_sizes(spec, given, (*_OPTIONS, *names), "module")


def _find_spec(
    module: nn.Module, chosen: Mapping[str, Any], constants: dict[str, Any], given: Mapping[str, Any]
) -> InputSpec:
    """Return the spec that a search finds, or has found."""
    key = module_key(module, chosen, constants, given)
    with hold_process_state():  # a search changes it many times, and a second thread then finds the spec
        spec = _CACHE.get(key) if key is not None else None
        if spec is None:
            spec = _Description(module, chosen, constants, given).spec()
            if key is not None:
                if len(_CACHE) >= _MAX_CACHED:
                    _CACHE.clear()
                _CACHE[key] = spec
    return spec


def _describe_by_generators(
    module: nn.Module,
    chosen: Mapping[str, Any],
    constants: dict[str, Any],
    given: Mapping[str, Any],
    kinds: tuple[tuple[type, ...], tuple[type, ...]],
) -> InputSpec | None:
    """Return the spec by generators, registered or given to the description (the second item); None if none describes an argument."""
    arguments = list_arguments(module, constants)
    options = {name: value for name, value in chosen.items() if name not in _OPTIONS}

    def search(shapes: Mapping[str, Any]) -> InputSpec:
        known = {**shapes, **chosen.get("shapes", {})}
        return _find_spec(module, {**chosen, "shapes": known}, constants, given)

    spec = describe_by_generators(module, arguments, *kinds, {**options, **given}, search)
    if spec is not None:
        positional = tuple(argument.name for argument in arguments if argument.positional)
        confirm_inputs(module, spec, positional, constants)
    return spec


def unwrap_module(module: nn.Module) -> nn.Module:
    """Return the module in a wrapper (compiled, in parallel)."""
    for name in ("_orig_mod", "module"):
        inner = getattr(module, name, None)
        if isinstance(inner, nn.Module) and (name == "_orig_mod" or isinstance(module, _PARALLEL)):
            return unwrap_module(inner)
    return module


@dataclass
class _Description:
    """The description of one module."""

    module: nn.Module
    chosen: Mapping[str, Any]
    constants: dict[str, Any]
    wanted: Mapping[str, Any]

    def __post_init__(self) -> None:
        self.arguments = list_arguments(self.module, self.constants)
        floating = (t.dtype for t in iterate_weights(self.module) if t.dtype.is_floating_point)
        self.layouts = LayoutStart.of(
            next(floating, torch.float32), self.arguments, wanted=self.wanted, shapes=self.chosen.get("shapes", {})
        )
        self.notes = Provenance()
        self.label = qualified_name(self.module)

    def spec(self) -> InputSpec:
        """Return the spec."""
        trial, run = self._find_run()
        run = separate_axes(trial, run)  # before masks, which have the axes of what they are for
        run = self._with_optional(trial, run)
        run = join_axes(trial, separate_axes(trial, run))
        run = _with_columns(trial, self._with_lengths(trial, run))
        layout, sizes = find_axis_ranges(trial, run)
        how = "confirmed by shape-only runs"
        if trial.shadow.real:
            how = "confirmed by runs on the CPU with tiny inputs: the module's way depends on values"
        elif trial.reaches_values:
            how += ", as far as the module needs no values"
        self.notes.add("inputs", how)
        provenance = {"source": self.label, "names": f"forward signature of {type(self.module).__name__}"}
        return build_spec(replace(run, layout=layout), sizes, self.chosen, self.wanted, self.notes, provenance)

    def _with_lengths(self, trial: LayoutTrial, run: Run) -> Run:
        """Return a run with lengths of rows, if the module takes them; shapes alone do not show it."""
        if not find_counted_axes(run.layout) or not self._may_run(trial, run.layout):
            return run
        policies: tuple[Policy, ...] = ("ragged",) if run.lengths else ("ragged", "full")
        for policy in policies:
            new = self._trial("real", lengths=policy).run(run.layout)
            if new.error is None:
                return replace(run, lengths=new.lengths, policy=policy)
        return run

    def _may_run(self, trial: LayoutTrial, layout: InputLayout) -> bool:
        """Whether a search may run the module with values."""
        small = has_small_weights(self.module, _MAX_WEIGHTS)
        return small and (trial.shadow.real or trial.count_operations(layout) <= _MAX_OPERATIONS)

    def _trial(self, kind: Kind, **fields: Any) -> LayoutTrial:
        positional = tuple(argument.name for argument in self.arguments if argument.positional)
        return LayoutTrial.of(
            self.module, kind, positional=positional, constants=self.constants, floating=self.layouts.floating, **fields
        )

    def _find_run(self) -> tuple[LayoutTrial, Run]:
        """Return a run that works with the arguments that the module needs."""
        needed = [a for a in self.arguments if a.required] or [a for a in self.arguments if a.is_data][:1]
        if not needed:
            raise self._error("it takes no data", None)
        while True:
            found, far = self._search(needed)
            if found is not None:
                self._refuse_empty(found[1])
                return found
            error = None if far is None else far.error
            asked = [] if error is None else find_asked_arguments(error, self._list_offered(needed))
            others = [as_container(each) for each in needed]
            if not asked and others != needed:
                needed = others  # a tensor or a container: it is the other one
                continue
            if not asked:
                raise self._error("no inputs were found that it takes", far)
            needed.append(asked[0])

    def _refuse_empty(self, run: Run) -> None:
        """Raise `SourceError` for a container of which no item is known: a module may take it, and nothing would be described."""
        empty = [
            name for name, _ in run.layout.trees if not any(path.split(".")[0] == name for path in run.layout.leaves)
        ]
        if empty:
            raise self._error(
                f"the code does not show the items of {', '.join(map(repr, empty))}, whose names are data", None
            )

    def _search(self, needed: Sequence[Argument]) -> tuple[tuple[LayoutTrial, Run] | None, Run | None]:
        """Return a run that works with some arguments, or None; and the run that got farthest."""
        start = self.layouts.build(self.module, needed)
        far: Run | None = None
        prefix: LayoutTrial | None = None
        for kind in _KINDS:
            if kind == "real" and prefix is not None and prefix.count_operations(start) > _MAX_OPERATIONS:
                prefix.reaches_values = True  # what follows is left to the proof, which runs it once for each size
                return (prefix, prefix.run(start)), far
            if kind == "real" and not has_small_weights(self.module, _MAX_WEIGHTS):
                break
            if kind == "fake" and far is not None:
                continue  # such runs differ only in values and devices
            lacks_input = partial(lacks_argument, offered=self._list_offered(needed))
            lengths: Policy | None = "full" if find_counted_axes(start) else None
            trial = self._trial(kind, lengths=lengths, lacks_input=lacks_input)
            try:
                run, new = search_layout(trial, start, _BUDGETS[kind])
                if run is None and trial.shadow.real and trial.lengths:
                    trial.lengths = None
                    run, new = search_layout(trial, start, _BUDGETS[kind])
            except NeedsValues as needs:
                start = needs.layout
                prefix = prefix or trial
                continue
            if run is not None:
                if trial.shadow.real and prefix is not None:
                    trial.prefix, prefix.reaches_values = prefix, True
                return (trial, run), far
            far = far or new
            if far.error is not None and lacks_input(far.error):
                break
        return None, far

    def _list_offered(self, needed: Sequence[Argument]) -> dict[str, Argument]:
        """Return the arguments that a run may ask for beside some."""
        return {a.name: a for a in self.arguments if a.can_be_data and a not in needed}

    def _error(self, reason: str, far: Run | None) -> SourceError:
        known = "; ".join(_format_argument(a) for a in self.arguments) or "none"
        tried = ""
        if far is not None and far.error is not None:
            shapes = ", ".join(
                f"{p} {leaf.dtype} {list(far.layout.shape(leaf))}" for p, leaf in far.layout.leaves.items()
            )
            at = f" at {far.spy.last[0]}" if far.spy.last else ""
            tried = f" The farthest try, {shapes}, ended{at} with {format_error_line(far.error)}."
        return SourceError(
            f"{self.label}: {reason}. Its arguments: {known}.{tried}{explain_foreign_kinds(self.arguments, far)} Say what is missing with "
            "shapes={'x': ('batch_size', 3)} or a size by its name, record calls with dummyio.capture(model), or describe "
            "the inputs by hand with InputSpec."
        )

    def _with_optional(self, trial: LayoutTrial, run: Run) -> Run:
        """Return a run with each optional argument that is data and that the module uses."""
        if self.chosen.get("optional_inputs") is False:
            return run
        for argument in self.arguments:
            is_asked = self.chosen.get("optional_inputs") is True and argument.can_be_data
            is_data = argument.is_data or is_asked or run.layout.assigns_nodes(argument.name)
            if argument.required or not is_data or argument.name in dict(run.layout.trees):
                continue
            layout = self.layouts.add(run.layout, argument)
            new = _try_argument(trial, run, layout, argument.name)
            if new is None:
                self.notes.add(f"argument {argument.name}", "left out: no data were found for it that the module uses")
            elif _fixes_others(trial, run, new):
                self.notes.add(f"argument {argument.name}", "left out: with it, the others have one size only")
            else:
                run = new
                self.notes.add(f"input {argument.name}", "may be left out")
        return run


def _with_columns(trial: LayoutTrial, run: Run) -> Run:
    """Return a run in which inputs have as many columns as are looked up in tables, if the module takes that."""
    for path, rule in find_columns(run.spy.facts).items():
        variable = run.layout.leaves[path].axes[rule.axis]
        is_batch = variable in run.layout.batches and len(run.layout.list_owners(variable)) > 1
        layout = None if is_batch else run.layout.with_sizes((variable,), len(rule.highs))
        new = trial.run(layout) if layout is not None else None
        if new is not None and new.error is None:
            run = replace(new, lengths=run.lengths, policy=run.policy)
    return run


def _try_argument(trial: LayoutTrial, before: Run, layout: InputLayout, name: str) -> Run | None:
    """Return a run that uses one more argument, with the dtypes and ranks of the others as before."""

    def kinds(run: Run) -> set[tuple[str, torch.dtype, int]]:
        return {(path, leaf.dtype, len(leaf.axes)) for path, leaf in run.layout.leaves.items()}

    def accept(run: Run) -> bool:
        is_used = any(path.split(".")[0] == name for path in run.spy.facts.used)
        return is_used and kinds(before) <= kinds(run)

    try:
        return search_layout(trial, layout, _BUDGET_OPTIONAL, accept)[0]
    except NeedsValues:
        return None


def _fixes_others(trial: LayoutTrial, before: Run, after: Run) -> bool:
    """Whether one more argument has a size that follows from those of others, which can then no longer change."""
    known = before.layout
    own = {axis for axis in after.layout.fixed - known.fixed if axis not in known.sizes}
    if all(after.layout.sizes[axis] in {*known.taken, *known.sizes.values()} for axis in own):
        return False
    axes = [axis for leaf in known.leaves.values() for axis in leaf.axes]
    free = [axis for axis in dict.fromkeys(axes) if axis not in known.fixed | known.batches]
    doubled = ((axis, 2 * known.sizes[axis]) for axis in free)
    return any(
        trial.passes(known.with_sizes((axis,), size, fix=False))
        and trial.passes(after.layout.with_sizes((axis,), size, fix=False)) is False
        for axis, size in doubled
    )


def _format_argument(argument: Argument) -> str:
    text = f": {argument.text}" if argument.text else ""
    return f"{argument.name}{text}{'' if argument.required else ' (may be left out)'}"
