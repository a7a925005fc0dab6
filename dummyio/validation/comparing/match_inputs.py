"""Matches the inputs of an artifact with those of its reference: what only one takes is said once, and the rest is compared."""

from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace

from dummyio.errors import DummyioError, RunError, SourceError, suggest_names
from dummyio.input_spec import InputSpec
from dummyio.running.runner import DeclaredTensor, Runner
from dummyio.sources.proof.spec_changes import remove_inputs
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
    findings: list[Finding] = []
    if is_derived and len(spec.leaves) == 1:
        actual, findings = _open_only_input(spec, open_actual, describe_actual)
    else:
        actual = open_actual(spec)
    reference = open_reference(spec) if open_reference is not None else None
    if actual.inputs is None:
        return MatchedInputs(spec, actual, reference)
    ports = {port.name for port in actual.inputs}
    if describe_past is not None and _count_pasts(ports) and not _count_pasts(path for path, _ in spec.leaves):
        with suppress(DummyioError):  # the reference has no such task
            return match_inputs(describe_past(), open_actual, open_reference, describe_actual)
    if open_reference is not None:
        left_out = _find_optional(spec, ports, open_reference)
        if left_out:
            findings += [Finding("left out", "warning", name, _LEFT_OUT) for name in left_out]
            spec = remove_inputs(spec, left_out)
            actual, reference = open_actual(spec), open_reference(spec)
    missing = [path for path, _ in spec.leaves if path not in ports]
    reason = _IS_NEEDED if reference is not None else _IS_MISSING
    findings += [Finding("names", "error", path, reason) for path in missing]
    extra = frozenset(ports - {path for path, _ in spec.leaves})
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


def _open_only_input(
    spec: InputSpec, open_actual: Open, describe_actual: Callable[[], InputSpec]
) -> tuple[Runner, list[Finding]]:
    """Return the artifact, its only input, if it has the rank and dtype of the spec's only one, under the name of that."""
    ((path, leaf),) = spec.leaves
    try:
        actual = open_actual(spec)
    except SourceError:  # some formats do not open with a spec of other names
        actual = open_actual(describe_actual())
    ports = actual.inputs or ()
    if len(ports) != 1 or ports[0].name == path:
        return actual, []
    (port,) = ports
    if (port.shape is not None and len(port.shape) != leaf.rank) or port.dtype not in (None, leaf.dtype):
        return actual, []
    message = f"the artifact calls its only input {port.name!r}: the two are compared."
    return _Renamed(actual, path), [Finding("names", "warning", path, message)]


def _count_pasts(names: Iterable[str]) -> int:
    return sum(name.startswith("past_key_values.") for name in names)


def _find_casts(spec: InputSpec, actual: Runner) -> dict[str, DType]:
    ports = {port.name: port.dtype for port in actual.inputs or ()}
    wide = {path for path, leaf in spec.leaves if str(leaf.dtype) in ("float32", "float64")}
    return {path: dtype for path, dtype in ports.items() if path in wide and dtype is not None and str(dtype) in HALF}


def _find_optional(spec: InputSpec, ports: set[str], open_reference: Open) -> list[str]:
    """Return the inputs that the artifact lacks and the reference runs without."""
    found = {path.partition(".")[0] for path, _ in spec.leaves if path in ports}
    lacking = [name for name in spec if name not in found]
    if not lacking or len(lacking) == len(spec):
        return []
    if _runs_without(spec, lacking, open_reference):
        return lacking
    optional: list[str] = []
    for name in lacking:
        if _runs_without(spec, [*optional, name], open_reference):
            optional.append(name)
    return optional


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
