"""`validate`: runs reference and artifact on all cases, and turns the results into findings."""

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from dummyio.backend.formats import is_present
from dummyio.backend.frameworks import qualified_name
from dummyio.describing import describe
from dummyio.errors import OptionError, SourceError
from dummyio.exporting.artifact import PRECISION, find_spec_path
from dummyio.exporting.parts.joined_parts import join_files
from dummyio.generators.base.context import PAST
from dummyio.input_spec import InputSpec
from dummyio.option_types import convert_option
from dummyio.running.file_options import choose_file_options, refuse_unused
from dummyio.running.runner import Runner, open_runner
from dummyio.sources.proof.spec_changes import map_leaves
from dummyio.typing import FilePath
from dummyio.validation.checks.regression import find_regressions, mark_known
from dummyio.validation.comparing.cases import Cases
from dummyio.validation.comparing.match_inputs import match_inputs
from dummyio.validation.comparing.model_pair import Match, Pair
from dummyio.validation.comparing.thresholds import list_thresholds
from dummyio.validation.comparing.tolerance import CALIBRATED, Tolerances
from dummyio.validation.report.report import Report
from dummyio.validation.validate_parts import has_parts, list_parts, validate_parts
from dummyio.validation.validation_run import Progress, ValidationRun


def validate(  # noqa: PLR0913 - keywords, each a choice of its own
    actual: Any,
    reference: Any = None,
    *,
    spec: InputSpec | None = None,
    task: str | None = None,
    seed: int = 0,
    atol: float | Mapping[str, float] | None = None,
    rtol: float | Mapping[str, float] | None = None,
    tolerance: str | None = None,
    match: Match = "name",
    engine: str | None = None,
    trust: bool = False,
    signature: str | None = None,
    custom_ops: FilePath | Sequence[FilePath] | None = None,
    relations: bool = True,
    strict: bool = False,
    baseline: Report | str | os.PathLike[str] | None = None,
    failing: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
    **dims: Any,
) -> Report:
    """Compare an exported model with its reference over the probe plan, and check relations that hold for any export.

    Parameters
    ----------
    actual
        The path of an artifact, or any other target of `dummyio.open_runner`; or a folder of several models, if the reference is one
        too: files of one name are compared, and all are in one report. The parts of a model of text and another medium run one after
        the other, as the whole model.
    reference
        The model that was exported: any target of `dummyio.open_runner`. Without it only the relations are checked.
    spec
        The inputs; by default the spec that `dummyio.export` saved next to the artifact, else the description of the
        reference.
    task, dims
        As in `dummyio.describe`.
    seed
        Selects the values.
    atol, rtol
        Tolerances, for all outputs or by name. By default they follow from the dtype and the rounding error of the
        reference.
    tolerance
        A preset for an artifact that is coarser on purpose: ``"float16"``, ``"int8"`` ...
    match
        ``"position"`` compares outputs in their order, for artifacts with other output names.
    engine
        As in `dummyio.open_runner`, for `actual`.
    trust
        As in `dummyio.open_runner`, for `actual` and `reference`.
    signature
        As in `dummyio.open_runner`, for `actual`, and for a `reference` that has signatures.
    custom_ops
        As in `dummyio.open_runner`, for `actual`, and for a `reference` that is a model of ONNX.
    relations
        Whether to check that rows, padding and steps do not change results.
    strict
        Whether it is an error, and not a warning, if the artifact gives a result for inputs that must be refused.
    baseline
        An earlier report, or its ``.json``: defects that it has too, in the same cases, are known, and do not fail this one.
    failing
        A folder for failing cases: each is shrunk and saved with its inputs and a script that runs it again.
    progress
        Called after each case with the number of finished cases, the number of all cases, and its name.

    Returns
    -------
    Report
        The comparisons of all cases, and the findings.

    Raises
    ------
    SourceError
        if the artifact, the reference or the baseline cannot be read.
    TrustError
        if a file can run code or touch files, unless `trust`.
    RunError
        if no comparison is possible: the reference fails, or its results differ between two runs on the same inputs, or
        the artifact has inputs that the spec lacks.
    OptionError
        if `match`, a tolerance, an engine or a dim is unknown.

    Examples
    --------
    >>> spec = InputSpec({"x": TensorSpec("x", (Dim("batch_size", 2), 3))})
    >>> report = dummyio.validate(lambda x: 2 * x, lambda x: x + x, spec=spec)
    >>> report.ok, len(report.outcomes)
    (True, 8)
    """
    began = time.perf_counter()
    relations, strict = convert_option("relations", relations, bool), convert_option("strict", strict, bool)
    failing = convert_option("failing", failing, os.PathLike | None)
    progress = convert_option("progress", progress, Progress | None)
    tolerances = Tolerances(atol, rtol, tolerance)
    earlier = baseline if isinstance(baseline, Report) or baseline is None else Report.load(baseline)
    if spec is None and list_parts(actual) and has_parts(reference):
        same: dict[str, Any] = {
            "task": task,
            "seed": seed,
            "atol": atol,
            "rtol": rtol,
            "tolerance": tolerance,
            "match": match,
            "engine": engine,
            "trust": trust,
            "signature": signature,
            "custom_ops": custom_ops,
            "relations": relations,
            "strict": strict,
            "failing": failing,
            "progress": progress,
            **dims,
        }
        return _compare_with(earlier, validate_parts(actual, reference, lambda *paths: validate(*paths, **same)))
    is_given = spec is not None
    own, others = (choose_file_options(target, signature, custom_ops) for target in (actual, reference))
    refuse_unused({"signature": signature, "custom_ops": custom_ops}, own, actual)
    spec = _choose_spec(actual, reference, spec, task, dims, (own, others))
    if (
        reference is not None and spec.provenance.get(PRECISION) == "bfloat16"
    ):  # the reference takes what it was cast from
        spec = map_leaves(
            spec, lambda _, leaf: leaf.replace(dtype="float32") if str(leaf.dtype) == "bfloat16" else leaf
        )
    is_derived = not is_given and not (isinstance(actual, (str, os.PathLike)) and find_spec_path(actual))
    is_free = not is_given and task is None and reference is not None
    past_task = f"{spec.task}{PAST}" if is_free and spec.task and not spec.task.endswith(PAST) else None
    if match not in ("name", "position"):
        raise OptionError(f"match={match!r}: outputs are compared by 'name' or by 'position'.")
    matched = match_inputs(
        spec,
        lambda spec: _open(actual, spec, engine=engine, trust=trust, **own),
        None if reference is None else lambda spec: _open(reference, spec, trust=trust, **others),
        lambda: describe(actual, prove="off", **own),
        None if past_task is None else lambda: describe(reference, past_task, **dims, **others),
        is_derived=is_derived and reference is not None,
    )
    stated = next(map(str, matched.casts.values()), matched.spec.provenance.get(PRECISION))
    if stated and tolerances.is_derived:  # the artifact, or the spec beside it, states its precision
        tolerances = Tolerances(None, None, stated)
    has_large = tolerances.is_derived and getattr(matched.reference, "computes_in", None) is None
    cases = Cases(matched.spec, seed, list_thresholds(reference), tolerances.preset in CALIBRATED, has_large)
    pair = Pair(cases, matched.actual, matched.reference, tolerances, match, matched.extra, matched.casts)
    work = ValidationRun(pair, progress, findings=list(matched.findings))
    work.run(relations=relations, strict=strict)
    saved = work.save_failing(failing, _target_name(actual), engine) if failing is not None else ()
    report = work.report(_target_name(actual), None if reference is None else _target_name(reference), saved, began)
    return _compare_with(earlier, report)


def _compare_with(earlier: Report | None, report: Report) -> Report:
    """Return the report with what an earlier one knows, and what became worse since."""
    if earlier is None:
        return report
    found = (*mark_known(earlier, report), *find_regressions(earlier, report))
    return msgspec.structs.replace(report, findings=found)


def _open(target: Any, spec: InputSpec, **options: Any) -> Runner:
    """Open an artifact; a folder with the parts of one model as the whole model."""
    files = {Path(name).stem: Path(target) / name for name in list_parts(target)}
    if files:
        return join_files(files, spec, lambda file, own: open_runner(file, own, **options))
    return open_runner(target, spec, **options)


def _choose_spec(
    actual: Any,
    reference: Any,
    spec: InputSpec | None,
    task: str | None,
    dims: Mapping[str, Any],
    options: tuple[Mapping[str, Any], Mapping[str, Any]],
) -> InputSpec:
    """Return the given spec, else the one next to the artifact, else the description of the reference or the artifact."""
    if spec is not None:
        return describe(spec, task, **dims)
    if isinstance(actual, (str, os.PathLike)):
        if not is_present(actual):
            raise SourceError(f"{os.fspath(actual)}: no such file or folder.")
        saved = find_spec_path(actual)
        if saved is not None and task is None and "signature" not in options[0]:
            return describe(saved, None, **dims)
    if reference is None:
        return describe(actual, task, **dims, **options[0])
    return describe(reference, task, **dims, **options[1])


def _target_name(target: Any) -> str:
    return os.fspath(target) if isinstance(target, (str, os.PathLike)) else qualified_name(target)
