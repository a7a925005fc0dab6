"""Matches the inputs of an artifact with those of its reference: what only one takes is said once, and the rest is compared."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain, combinations, islice

from dummyio.errors import DummyioError, RunError, SourceError, suggest_names
from dummyio.input_spec import InputSpec
from dummyio.running.runner import DeclaredTensor, Runner
from dummyio.sources.proof.spec_changes import map_leaves, remove_inputs
from dummyio.spec.dtypes import DType
from dummyio.typing import Array
from dummyio.validation.data.records import Finding

Open = Callable[[InputSpec], Runner]


@dataclass(frozen=True)
class MatchedInputs:
    """The inputs of the cases, the two models that take them, and what was found about their names."""

    spec: InputSpec
    actual: Runner
    reference: Runner | None
    extra: frozenset[str] = frozenset()
    """The paths that only the artifact takes."""
    casts: Mapping[str, DType] = field(default_factory=dict[str, DType])
    """The paths of real numbers that the artifact takes in half precision."""
    findings: tuple[Finding, ...] = ()


def match_inputs(
    spec: InputSpec,
    open_actual: Open,
    open_reference: Open | None,
    describe_actual: Callable[[], InputSpec],
    describe_past: Callable[[], InputSpec] | None = None,
    *,
    is_derived: bool = False,
) -> MatchedInputs:
    """Return the inputs that reference and artifact are compared on.

    What the artifact lacks is left out on both sides if the reference runs without it. What the reference cannot do without, and what only
    the artifact has, is an error; each side gets its own inputs then, those of the artifact with values of its own declarations.
    If the spec is derived from the reference, the only input of an artifact may have another name: nobody stated one.
    `describe_past` describes the reference with its past: for an artifact that takes one, where the spec has none.

    Raises
    ------
    RunError
        If the artifact has inputs that are not in the spec, and its declarations do not tell what they take.
    """
    open_own, findings = open_actual, list[Finding]()
    if is_derived and len(spec.leaves) == 1:
        open_actual = partial(_open_only_input, open_own, describe_actual)
    actual = open_actual(spec)
    with_past = None if describe_past is None else _describe_past(spec, actual, describe_past)
    if with_past is not None:
        return match_inputs(with_past, open_own, open_reference, describe_actual)
    if isinstance(actual, _Renamed):
        findings.append(Finding("names", "warning", actual.path, actual.message))
    if open_reference is not None:
        ranks = _take_declared_ranks(spec, actual, open_reference, describe_actual) if is_derived else (spec, [])
        left_out = _find_left_out(ranks[0], actual.inputs, open_actual, open_reference)
        further = [*ranks[1], *(Finding("left out", "warning", name, _LEFT_OUT) for name in left_out)]
        if further:
            spec = remove_inputs(ranks[0], left_out)
            actual = open_actual(spec)
        findings += further
    reference = None if open_reference is None else open_reference(spec)
    if actual.inputs is None:
        return MatchedInputs(spec, actual, reference, findings=tuple(findings))
    known, ports = [path for path, _ in spec.leaves], {port.name for port in actual.inputs}
    reason = _IS_NEEDED if reference is not None else _IS_MISSING
    findings += [Finding("names", "error", path, reason) for path in known if path not in ports]
    extra = frozenset(ports.difference(known))
    if extra:
        findings += [Finding("names", "error", path, _IS_UNKNOWN) for path in sorted(extra)]
        spec = _add_inputs(spec, extra, describe_actual)
        actual = open_actual(spec)
    casts = _find_casts(spec, actual)
    findings += [
        Finding("dtype", "warning", path, f"the artifact takes {dtype}: the values of the spec are cast to it.")
        for path, dtype in casts.items()
    ]
    return MatchedInputs(spec, actual, reference, extra, casts, tuple(findings))


_MOST_GROUPS = 64
"""Groups of optional inputs that are left out, one after the other, to find what a function takes."""
HALF = ("float16", "bfloat16")
_LEFT_OUT = "the artifact was exported without this input, and the reference runs without it: neither gets it."
_IS_NEEDED = "the artifact does not have this input, and the reference does not run without it."
_IS_MISSING = "the artifact does not have this input: its values have no effect."
_IS_UNKNOWN = "the reference does not have this input; the artifact gets values by its own declaration."


@dataclass(frozen=True)
class _Renamed:
    """An artifact whose only input has the name that the spec gives it."""

    runner: Runner
    path: str

    @property
    def message(self) -> str:
        own = next(port.name for port in self.runner.inputs or ())
        return f"the artifact calls its only input {own!r}: the two are compared."

    @property
    def engine(self) -> str:
        return self.runner.engine

    @property
    def inputs(self) -> tuple[DeclaredTensor, ...]:
        return tuple(replace(port, name=self.path) for port in self.runner.inputs or ())

    @property
    def outputs(self) -> tuple[DeclaredTensor, ...] | None:
        return self.runner.outputs

    def __call__(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        own = next(port.name for port in self.runner.inputs or ())
        return self.runner({own if path == self.path else path: values for path, values in feeds.items()})


def _open_only_input(open_actual: Open, describe_actual: Callable[[], InputSpec], spec: InputSpec) -> Runner:
    """Return the artifact; if it has one input, of the dtype of the spec's only one, under the name of that."""
    ((path, leaf),) = spec.leaves
    try:
        actual = open_actual(spec)
    except SourceError:  # some formats do not open with a spec of other names
        actual = open_actual(describe_actual())
    ports = actual.inputs or ()
    is_renamed = len(ports) == 1 and ports[0].name != path and ports[0].dtype in (None, leaf.dtype)
    return _Renamed(actual, path) if is_renamed else actual


def _take_declared_ranks(
    spec: InputSpec, actual: Runner, open_reference: Open, describe_actual: Callable[[], InputSpec]
) -> tuple[InputSpec, list[Finding]]:
    """Return the spec with the shapes that the artifact declares where their ranks differ, if the reference runs on them.

    A module of linear layers takes any rank: the artifact was exported with one, and the description of the module chose another.
    """
    ranks = {port.name: len(port.shape) for port in actual.inputs or () if port.shape is not None}
    other = [path for path, leaf in spec.leaves if ranks.get(path, leaf.rank) != leaf.rank]
    if not other:
        return spec, []
    try:
        own = dict(describe_actual().leaves)
        if isinstance(actual, _Renamed):
            own = dict.fromkeys(other, *own.values())
        taken = map_leaves(spec, lambda path, leaf: leaf.replace(shape=own[path].shape) if path in other else leaf)
        open_reference(taken)(taken.feeds(**taken.probes()[0]))
    except (
        DummyioError,
        KeyError,
    ):  # the reference does not take this rank: the ranks are an error, reported with the declarations
        return spec, []
    message = "the artifact declares another rank than the description of the reference, which runs on both: that of the artifact is taken."
    return taken, [Finding("rank", "warning", path, message) for path in other]


def _describe_past(spec: InputSpec, actual: Runner, describe_past: Callable[[], InputSpec]) -> InputSpec | None:
    """Return the spec with a past, if the artifact takes one and the spec has none; None where the reference has no such task."""
    if _has_past(path for path, _ in spec.leaves) or not _has_past(port.name for port in actual.inputs or ()):
        return None
    try:
        return describe_past()
    except DummyioError:  # the names of the past are reported then
        return None


def _has_past(names: Iterable[str]) -> bool:
    return any(name.startswith("past_key_values.") for name in names)


def _find_casts(spec: InputSpec, actual: Runner) -> dict[str, DType]:
    ports = {port.name: port.dtype for port in actual.inputs or ()}
    wide = {path for path, leaf in spec.leaves if str(leaf.dtype) in ("float32", "float64")}
    return {path: dtype for path, dtype in ports.items() if path in wide and dtype is not None and str(dtype) in HALF}


def _find_left_out(
    spec: InputSpec, ports: Sequence[DeclaredTensor] | None, open_actual: Open, open_reference: Open
) -> list[str]:
    """Return the inputs that the artifact lacks and the reference runs without; what an artifact without declarations lacks, a run tells."""
    if len(spec) < 2:
        return []
    if ports is None:
        return _find_refused(spec, open_actual, open_reference)
    declared = {port.name for port in ports}
    held = [(path.partition(".")[0], path) for path, _ in spec.leaves]  # an input without tensors is None in a file too
    found = {name for name, path in held if path in declared}
    lacking = list(dict.fromkeys(name for name, _ in held if name not in found))
    if not lacking or not found:
        return []
    return lacking if _runs_without(spec, lacking, open_reference) else _drop_inputs(spec, lacking, open_reference)


def _find_refused(spec: InputSpec, open_actual: Open, open_reference: Open) -> list[str]:
    """Return the smallest group of inputs without which both run; none if that is not found: the cases report why."""
    if _runs_without(spec, [], open_actual):
        return []
    optional = _drop_inputs(spec, spec, open_reference)
    groups = chain.from_iterable(combinations(optional, count) for count in range(1, len(optional) + 1))
    tried = (list(group) for group in islice(groups, _MOST_GROUPS))
    return next((group for group in tried if _runs_without(spec, group, open_actual)), [])


def _drop_inputs(spec: InputSpec, names: Iterable[str], open_model: Open) -> list[str]:
    """Return those of some inputs that a model runs without, all at once."""
    dropped: list[str] = []
    for name in names:
        if len(dropped) + 1 < len(spec) and _runs_without(spec, [*dropped, name], open_model):
            dropped.append(name)
    return dropped


def _runs_without(spec: InputSpec, names: list[str], open_reference: Open) -> bool:
    try:
        rest = remove_inputs(spec, names)
        open_reference(rest)(rest.feeds(**{name: size for name, size in spec.probes()[0].items() if name in rest.dims}))
    except DummyioError:
        return False
    return True


def _add_inputs(spec: InputSpec, names: Collection[str], describe_actual: Callable[[], InputSpec]) -> InputSpec:
    """Return the spec with further inputs, as the artifact itself declares them."""
    try:
        own = describe_actual()
        own = own.with_dims(**{name: dim for name, dim in spec.dims.items() if name in own.dims})
        further = {name: node for name, node in own.items() if name in names}
        if len(further) == len(names):
            return InputSpec({**spec, **further}, task=spec.task, outputs=spec.outputs, provenance=spec.provenance)
    except DummyioError:
        pass
    listed, known = sorted(names), {path for path, _ in spec.leaves}
    raise RunError(
        f"the artifact has inputs that are not in the spec: {', '.join(listed)}. {suggest_names(listed[0], known)} "
        "Give the spec of this artifact with spec=."
    )
