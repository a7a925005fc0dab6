"""`describe`: chooses the reader for a model, a configuration, a file or a saved spec."""

import math
import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from dummyio.backend.formats import REMEDIES, detect_path_format, list_suffixes
from dummyio.backend.frameworks import FRAMEWORKS, detect_framework, qualified_name
from dummyio.errors import DummyioError, OptionError, SourceError, SpecError, format_error_line
from dummyio.input_spec import InputSpec
from dummyio.keras.calls import is_keras
from dummyio.sources.options import check_keywords
from dummyio.sources.prove_model import check_level, is_torch_module, prove_live_model, prove_source, refuse_level
from dummyio.sources.read_file import read_beginning, shorten_path
from dummyio.sources.wrapped_module import find_inner_module
from dummyio.sources.written.settings import describe_as_set
from dummyio.sources.written.spec_file import SUFFIXES, describe_file
from dummyio.spec.default_sizes import is_size_keyword

_MOST_ELEMENTS = 1 << 48
"""Elements of one input that no machine addresses."""


def describe(
    source: Any, task: str | None = None, *, generators: Iterable[type] = (), prove: str = "auto", **dims: Any
) -> InputSpec:
    """Return the description of a model's inputs.

    Parameters
    ----------
    source
        A Hugging Face configuration (``config.json``, its folder, a dict, a ``PretrainedConfig``) or model, of Transformers
        or Diffusers; any other ``torch.nn.Module``; a Keras model or its ``.keras`` file, a ``tf.function``, a SavedModel folder, a ``.tflite`` or
        ``.pb`` file; an ``.onnx`` file or ``ModelProto``; a JAX function, a Flax module, a `jax.export.Exported` or its
        ``.stablehlo`` file; a saved spec (file or dict), one written as ``.yaml``, or an `InputSpec`.
    task
        The task, such as ``"text-classification"`` or ``"text-generation-with-past"``: the description has the inputs that
        an export for this task needs. Without it, the task follows from the model's class, and all inputs with data that
        the model takes are described (``optional_inputs=True`` or ``False`` decides this explicitly).
    generators
        Generator classes of your own, which are asked before those of `dummyio.generators.register_generator` and before ours: for
        a Hugging Face configuration or model, and for another PyTorch module.
    prove
        How the description is run; ``spec.proof`` has what was proved. ``"auto"``: a live model is run, with values if that is cheap,
        else on shapes, and so is a small ONNX or TFLite file, in a process of its own; what is refused is corrected, or an error.
        A configuration is not run. ``"shapes"``, ``"values"``: only so, and the class of a configuration is built for it.
        ``"off"``: nothing is run.
    dims
        Sizes by name (``batch_size=4``), which override those of the model; ``random_<name>_range=(low, high)`` to draw
        one from ``seed``; options ``padding_side``, ``mask_policy``, ``int_dtype``, ``float_dtype``; and values that a
        configuration lacks (``vocab_size=...``). A list under the name of an input is its shape (``pixels=[2, 3, 64, 64]``),
        ``**{"ids.max": 100}`` and ``min`` bound the values of one. For a Hugging Face model, ``feed`` and ``leave_out``: names of arguments to feed that
        rules would not, and the other way round (``leave_out=("pixel_values",)`` describes texts alone). For a JAX function, ``args`` and ``kwargs``: example arguments (arrays or
        their shapes) that its signature does not declare; and ``dynamic``, which names their dynamic axes.

    Returns
    -------
    InputSpec
        The inputs; the outputs too if the source declares them.

    Raises
    ------
    SourceError
        if `source` is none of these, or cannot be read; or it refuses the inputs that it is described with, and no
        correction helps.
    OptionError
        if a keyword is neither a dim nor an option of that source (the message suggests similar names), or a class is not a
        generator, fails, or describes no input of the model.

    Examples
    --------
    >>> print(dummyio.describe("examples/bert-base/config.json", task="fill-mask", batch_size=4))
    InputSpec of task fill-mask
      input_ids       int64[batch_size, sequence_length] TokenIds(high=30522, reserved=(0,), mask='attention_mask')
      attention_mask  int64[batch_size, sequence_length] PaddingMask()
      token_type_ids  int64[batch_size, sequence_length] TokenIds(high=2, mask='attention_mask')
      Dim('batch_size', 4)
      Dim('sequence_length', 16, max=512)
    """
    spec = _describe(source, task, generators, prove, dims)
    if isinstance(source, InputSpec) or "model" not in spec.provenance:
        return spec
    from dummyio.huggingface.parts.find_parts import make_finder  # noqa: PLC0415 - lazy: start-up time

    others = {name: value for name, value in dims.items() if not is_size_keyword(name)}
    return spec.with_parts(make_finder(lambda model, task: _describe(model, task, generators, prove, others), source))


def _describe(source: Any, task: str | None, generators: Iterable[type], prove: str, dims: dict[str, Any]) -> InputSpec:
    check_keywords(task, dims)
    check_level(prove)
    if generators != ():
        from dummyio.generators.own_classes import check_generators  # noqa: PLC0415 - lazy: few descriptions need it

        kinds = check_generators(generators)
        dims = {**dims, "generators": kinds} if kinds else dims
    if isinstance(source, InputSpec):
        refuse_level(prove, "a spec")
        return describe_as_set(lambda dims: _resize_spec(source, task, dims), dims)[0]
    if isinstance(source, Mapping):
        spec, dims = describe_as_set(lambda dims: _describe_mapping(source, task, dims), dims)
        return _prove_configuration(source, spec, prove, dims)
    is_path = isinstance(source, (str, os.PathLike))
    framework, model = _find_model(_to_path(source)) if is_path else (_find_framework(source, dims), source)
    if framework is not None:
        spec, dims = describe_as_set(lambda dims: _describe_by(framework, model, task, dims), dims)
        return prove_source(framework, model, spec, prove, dims)
    if is_path:
        spec, dims = describe_as_set(lambda dims: _describe_path(_to_path(source), task, dims), dims)
        return _prove_configuration(source, spec, prove, dims)
    module = find_inner_module(source) if is_torch_module(source) and not is_keras(source) else source
    spec, dims = describe_as_set(lambda dims: _describe_object(module, task, dims, runs=prove != "off"), dims)
    if _is_configuration(source):
        return _prove_configuration(source, spec, prove, dims)
    return prove_live_model(source, spec, prove, dims)


def generate(
    source: Any,
    framework: str = "np",
    *,
    task: str | None = None,
    seed: int = 0,
    sample: int = 0,
    device: Any = None,
    **dims: Any,
) -> dict[str, Any]:
    """Describe `source` and return one sample as tensors of a framework; see `describe` and `InputSpec.generate`.

    Examples
    --------
    >>> sample = dummyio.generate("examples/bert-base/config.json", batch_size=1, sequence_length=6)
    >>> sample["input_ids"]
    array([[30277, 19708, 14495, 13098,  2964, 23947]])
    """
    from dummyio.backend.registry import load_backend  # noqa: PLC0415 - lazy: describing needs no backend

    load_backend(framework)
    return describe(source, task, **dims).generate(framework, seed=seed, sample=sample, device=device)


def capture(model: Any, method: str | None = None) -> Any:
    """Return a context manager that records the calls of a PyTorch module, and makes a spec from their inputs.

    It records the calls of `model`, or of its method `method`. The inputs pass through unchanged; only their shapes,
    dtypes and value ranges are kept.

    Examples
    --------
    >>> import torch
    >>> model = torch.nn.Linear(3, 2)
    >>> with dummyio.capture(model) as calls:
    ...     results = [model(torch.rand(rows, 3)) for rows in (2, 5)]
    >>> calls.spec()["input"].shape
    (Dim('batch_size', 2), 3)
    """
    from dummyio.backend.registry import load_backend  # noqa: PLC0415 - lazy: describing needs no backend

    recorder: Any = load_backend("pt")
    return recorder.capture(model, method)


def _prove_configuration(source: Any, spec: InputSpec, level: str, dims: Mapping[str, Any]) -> InputSpec:
    """Return the spec of a configuration after the runs that are asked for, of the class that it stands for."""
    if level in ("auto", "off"):
        return spec
    if "model" not in spec.provenance:
        refuse_level(level, "a file without a configuration of Hugging Face")
    from dummyio.backend.registry import load_backend  # noqa: PLC0415 - lazy: only if runs are asked for
    from dummyio.huggingface.config.configuration import read_configuration  # noqa: PLC0415 - lazy: the same
    from dummyio.huggingface.diffusion.describe import CLASS_NAME  # noqa: PLC0415 - lazy: the same
    from dummyio.huggingface.diffusion.library import LIBRARY  # noqa: PLC0415 - lazy: the same
    from dummyio.huggingface.source.auto_tables import find_class_module  # noqa: PLC0415 - lazy: the same

    configuration, name = read_configuration(source), spec.provenance["model"]
    is_component = CLASS_NAME in configuration.values
    module = LIBRARY if is_component else find_class_module(name, configuration.model_type)
    if module is None:
        refuse_level(level, f"a configuration whose class ({name}) is not installed")
    backend: Any = load_backend("pt")
    proved: InputSpec = backend.prove_class(name, module, configuration.values, spec, level, dims)
    return proved


def _resize_spec(spec: InputSpec, task: str | None, dims: Mapping[str, Any]) -> InputSpec:
    _refuse_generators(dims, "a saved spec")
    spec = _choose_task(spec, task)
    return spec.with_dims(**dims) if dims else spec


def _choose_task(spec: InputSpec, task: str | None) -> InputSpec:
    """Return a spec if it has the task that is asked for."""
    if task is not None and task != spec.task:
        raise OptionError(f"task={task!r}: this spec has the task {spec.task!r}; describe its model again.")
    return spec


def _describe_mapping(source: Mapping[str, Any], task: str | None, dims: Mapping[str, Any]) -> InputSpec:
    if "dummyio" in source and "inputs" in source:
        return _resize_spec(InputSpec.from_json(_to_json(source)), task, dims)
    from dummyio.huggingface.describe import describe_configuration  # noqa: PLC0415 - lazy: one reader of several

    return describe_configuration(source, task, dims)


def _to_json(source: Mapping[str, Any]) -> str:
    import json  # noqa: PLC0415 - lazy: only a spec needs it

    try:
        return json.dumps(source)
    except (TypeError, ValueError, RecursionError) as error:
        raise SpecError(f"the dict has the keys of a spec, and is not JSON: {format_error_line(error)}") from None


def _to_path(source: str | os.PathLike[str]) -> Path:
    """Return an existing path; raise `SourceError` if there is none."""
    try:
        path = Path(source)
        path.stat()
        if path.is_dir() and not os.access(path, os.R_OK | os.X_OK):
            raise SourceError(f"{shorten_path(path)}: the folder cannot be read. Give a folder that you may read.")
    except (FileNotFoundError, NotADirectoryError):
        raise SourceError(
            f"{shorten_path(source)}: no such file or folder. Nothing is downloaded: give a local path."
        ) from None
    except SourceError:
        raise
    except (OSError, TypeError, ValueError) as error:  # no permission, too long, a null character, bytes
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise SourceError(
            f"{shorten_path(source)!r}: not a path that can be read ({reason}). Give a local path."
        ) from None
    return path


def _find_model(path: Path) -> tuple[str | None, Any]:
    """Return the framework that describes a file or folder, and the model's file, or the model of a file that is loaded first.

    The framework is None for a configuration and a spec.
    """
    if path.is_dir() and (path / "model_index.json").exists():
        raise _pipeline_error(path)
    has_configuration = path.is_dir() and (path / "config.json").exists()
    found = None if has_configuration else detect_path_format(path)
    if found is not None and found.described_by is not None:
        model = path / found.main_file if path.is_dir() else path
        if model.exists():
            return found.described_by, model
    if found is not None and found.loaded_by == "tf":  # a configuration is loaded by PyTorch, and described without it
        from dummyio.running.load_model import load_model  # noqa: PLC0415 - lazy: it needs TensorFlow

        return found.loaded_by, load_model(os.fspath(path))[0]
    return None, path


def _describe_path(path: Path, task: str | None, dims: Mapping[str, Any]) -> InputSpec:
    """Return the description of a configuration, or a saved spec."""
    if path.is_dir() and not (path / "config.json").exists():
        raise SourceError(
            f"{shorten_path(path)}: the folder contains neither a config.json nor a model.onnx, nor a saved_model.pb."
        )
    if path.is_file() and path.suffix in SUFFIXES:
        _refuse_generators(dims, "a spec")
        return _choose_task(describe_file(path, dims), task)
    if path.is_file() and path.suffix != ".json":
        if path.suffix in REMEDIES:
            raise SourceError(f"{shorten_path(path)}: {REMEDIES[path.suffix]}.")
        suffixes = list_suffixes("described_by")
        raise SourceError(
            f"{shorten_path(path)}: this suffix cannot be described. Give a .json file (a configuration or a spec), a .yaml file (a spec), {suffixes}, or a folder of these."
        )
    from dummyio.huggingface.describe import describe_configuration  # noqa: PLC0415 - lazy: one reader of several

    if path.is_file() and _contains_spec(path):
        return _resize_spec(InputSpec.load(path), task, dims)
    return describe_configuration(path, task, dims)


def _pipeline_error(folder: Path) -> SourceError:
    """Return the error for a folder of several models; it names those that can be described."""
    parts = sorted(part.parent.name[:60] for part in folder.glob("*/config.json"))[:20]
    return SourceError(
        f"{shorten_path(folder)} contains a pipeline of several models. Describe one of its sub-folders: "
        f"{', '.join(parts) or 'none has a config.json'}."
    )


def _contains_spec(path: Path) -> bool:
    """Whether a JSON file is a saved spec: only a spec has the key ``"dummyio"``."""
    return b'"dummyio"' in read_beginning(path, 1 << 16)


def _describe_by(framework: str, source: Any, task: str | None, dims: Mapping[str, Any]) -> InputSpec:
    """Return the description that a framework's backend reads from `source`."""
    from dummyio.backend.registry import load_backend  # noqa: PLC0415 - lazy: configurations need no backend

    title = FRAMEWORKS[framework].title if framework != "np" else "TFLite"  # NumPy's own functions declare nothing
    if task is not None:
        raise OptionError(
            f"task={task!r}: a task can be chosen for Hugging Face models only, not for other {title} models."
        )
    if framework != "pt":
        _refuse_generators(dims, f"a model of {title}")
    reader: Any = load_backend(framework)
    spec: InputSpec = reader.describe(source, dims=dims)
    _refuse_endless(spec)
    return spec


def _refuse_endless(spec: InputSpec) -> None:
    """Raise `SourceError` for an input that no machine holds, whatever the sizes of its dims: its model is damaged."""
    for path, leaf in spec.leaves:
        least = math.prod(size for size in leaf.shape if isinstance(size, int))
        if least > _MOST_ELEMENTS:
            raise SourceError(
                f"input {path!r} is {leaf.dtype}[{', '.join(map(str, leaf.shape))}], of {least:.3g} elements or more: no memory holds "
                "it. The model is damaged, or declares a wrong size."
            )


def _refuse_generators(dims: Mapping[str, Any], what: str) -> None:
    """Raise `OptionError` if generators are given for a source that declares its inputs itself."""
    if "generators" in dims:
        names = ", ".join(kind.__name__ for kind in dims["generators"])
        raise OptionError(
            f"generators=({names}): {what} declares its inputs itself. Generators are for Hugging Face configurations and models, and "
            "for PyTorch modules."
        )


def _find_framework(source: Any, dims: Mapping[str, Any]) -> str | None:
    """Return the framework whose backend describes an object; None for configurations, and for PyTorch, which has more readers."""
    framework = detect_framework(source)
    if framework in ("tf", "jax") or (framework == "ort" and type(source).__name__ == "ModelProto"):
        return framework
    has_examples = not dims.keys().isdisjoint({"args", "kwargs"})
    return "jax" if framework is None and callable(source) and has_examples else None


def _describe_object(source: Any, task: str | None, dims: Mapping[str, Any], *, runs: bool) -> InputSpec:
    """Return the description of an object; if it is going to be run, inputs that only a run can find may be missing."""
    if isinstance(source, type):
        raise SourceError(f"{source.__name__} is a class: describe an instance of it.")
    from dummyio.huggingface.describe import describe_configuration, describe_model  # noqa: PLC0415 - lazy: one reader of several

    config = _read_attribute(source, "config")
    is_configuration = _is_configuration(config)
    if _read_attribute(source, "components") is not None or (is_torch_module(source) and isinstance(config, Mapping)):
        from dummyio.huggingface.diffusion.describe import component_class, describe_component_model  # noqa: PLC0415 - lazy: one reader of several

        if component_class(source) is not None:
            return _describe_or_search(
                lambda: describe_component_model(source, task, dims, partial=runs), source, task, dims, runs=runs
            )
    if is_torch_module(source) and not is_configuration:
        return _describe_by("pt", source, task, dims)
    if config is not None and callable(_read_attribute(source, "forward")):
        return _describe_or_search(lambda: describe_model(source, task, dims), source, task, dims, runs=runs)
    if _is_configuration(source):
        return describe_configuration(source, task, dims)
    raise SourceError(
        f"a {qualified_name(source)} cannot be described. Give a Hugging Face configuration (path, dict or object) or model, "
        "any torch.nn.Module, a Keras model, a tf.function, a JAX function or module, an .onnx file or ModelProto, or a saved spec."
    )


def _describe_or_search(
    describe_by_rules: Callable[[], InputSpec], source: Any, task: str | None, dims: Mapping[str, Any], *, runs: bool
) -> InputSpec:
    """Return the description of rules, or of a search if these describe nothing."""
    try:
        return describe_by_rules()
    except SourceError:
        if task is None and runs and is_torch_module(source):
            with suppress(DummyioError):  # what no rule describes, runs may find
                return _describe_by("pt", source, None, dims)
        raise


def _is_configuration(source: Any) -> bool:
    return callable(_read_attribute(source, "to_dict")) and _read_attribute(source, "model_type") is not None


def _read_attribute(source: Any, name: str) -> Any:
    """Return an attribute of any object; None if it has none, or if the object's own code fails."""
    try:
        return getattr(source, name, None)
    except Exception:  # noqa: BLE001 - code of an object of which nothing is known yet
        return None
