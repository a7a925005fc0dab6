"""`diagnose`: all obstacles of an export in one report, not only the first."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from dummyio.backend.formats import FORMATS
from dummyio.backend.frameworks import FRAMEWORKS, detect_framework, qualified_name
from dummyio.backend.registry import load_backend
from dummyio.errors import DummyioError, ExportError, OptionError, format_error_line, suggest_names
from dummyio.exporting.export import describe_inputs, find_exporter
from dummyio.exporting.preview.obstacle import Diagnosis, Obstacle
from dummyio.exporting.preview.required_packages import check_versions, find_packages, list_versions
from dummyio.exporting.stages import report_stage
from dummyio.exporting.static_dims import fix_dims
from dummyio.input_spec import InputSpec
from dummyio.option_types import convert_options, list_options

Examine = Callable[..., Iterable[Obstacle]]
"""``backend.find_obstacles(model, spec, format_name, options)``; a backend without it examines no model."""


def diagnose(
    model: Any,
    task: str | None = None,
    *,
    spec: InputSpec | None = None,
    format: str | None = None,  # noqa: A002 - the word that users know
    **options: Any,
) -> Diagnosis:
    """Return all obstacles of an export that can be found without writing it: each with the model's line and the remedy.

    Parameters
    ----------
    model, task, spec
        As in `dummyio.export`.
    format
        The name of the format; by default the first that the model's framework writes.
    options
        As in `dummyio.export`: options of the exporter and of `dummyio.describe`.

    Raises
    ------
    OptionError
        for an unknown format or option, or one of a wrong type.
    ExportError
        if the model is of no framework and not a function.

    Examples
    --------
    >>> from dummyio.exporting.preview.diagnose import diagnose
    >>> found = diagnose(torch.nn.Linear(3, 2), format="pt2")
    >>> found.ok
    True
    """
    framework = _find_framework(model, format)
    backend: Any = load_backend(framework)
    name = _choose_format(backend, model, format)
    packages = find_packages(framework, name, model)
    exporter = find_exporter(backend, model, FORMATS[name])
    own = convert_options(exporter, {key: options[key] for key in list_options(exporter) if key in options})
    rest = {key: value for key, value in options.items() if key not in own}
    found = list(check_versions(packages, name))
    spec, more = _describe(model, task, spec, rest, exporter)
    found += more
    if spec is not None:
        spec, notes = fix_dims(spec, own.get("static"))
        found += [Obstacle("size", note, stops=False) for note in notes]
        found += _examine(backend, model, spec, name, own, has_packages=not any(each.stops for each in found))
    ordered = sorted(found, key=lambda each: not each.stops)
    return Diagnosis(qualified_name(model), framework, name, tuple(ordered), list_versions(packages))


def _find_framework(model: Any, format_name: str | None) -> str:
    kind = FORMATS.get(format_name or "")
    framework = detect_framework(model) or (kind.function_of if kind is not None and callable(model) else None)
    if framework is None:
        raise ExportError(f"a {qualified_name(model)} cannot be exported: give a model of a framework, or a function.")
    return framework


def _choose_format(backend: Any, model: Any, name: str | None) -> str:
    exporters: Mapping[str, Any] = getattr(backend, "exporters", {})
    if not exporters:
        title = FRAMEWORKS[backend.name].title if backend.name in FRAMEWORKS else backend.name
        raise ExportError(
            f"a {qualified_name(model)} is of {title}, which writes no format: give the model that it was made from."
        )
    if name is None:
        return next(iter(exporters))
    if name not in FORMATS or not FORMATS[name].exported_by:
        known = [kind.name for kind in FORMATS.values() if kind.exported_by]
        raise OptionError(f"format={name!r} is unknown. {suggest_names(name, known)}")
    return name


def _describe(
    model: Any, task: str | None, spec: InputSpec | None, dims: Mapping[str, Any], exporter: Callable[..., Any]
) -> tuple[InputSpec | None, list[Obstacle]]:
    """Return the inputs, or none and the reason."""
    try:
        with report_stage("describe", type(model).__name__):
            return describe_inputs(model, task, spec, dims, exporter), []
    except OptionError:
        raise
    except DummyioError as error:
        return None, [Obstacle("inputs", format_error_line(error, 1000))]  # it states the remedy itself


def _examine(
    backend: Any, model: Any, spec: InputSpec, format_name: str, options: Mapping[str, Any], *, has_packages: bool
) -> Iterator[Obstacle]:
    examine: Examine | None = getattr(backend, "find_obstacles", None)
    if examine is None:
        title = FRAMEWORKS[backend.name].title if backend.name in FRAMEWORKS else backend.name
        message = f"a model of {title} is not traced here: versions, formats, options and inputs were examined."
        yield Obstacle("trace", message, "Export it: the first reason that stops it is the error.", stops=False)
        return
    if not has_packages:
        yield Obstacle("trace", "the model was not traced, since packages are missing or too old.", stops=False)
        return
    yield from examine(model, spec, format_name, options)
