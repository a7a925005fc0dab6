"""`describe`: from anything that knows a model's inputs to an `InputSpec`. Chooses the reader."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dummyio.backend.frameworks import detect_framework
from dummyio.errors import OptionError, SourceError
from dummyio.input_spec import InputSpec

__all__ = ["capture", "describe", "generate"]


def describe(source: Any, task: str | None = None, **dims: Any) -> InputSpec:
    """Return the description of a model's inputs.

    Parameters
    ----------
    source
        A Hugging Face configuration (``config.json``, its folder, a dict, a ``PretrainedConfig``) or model, of Transformers
        or Diffusers, any other ``torch.nn.Module``, an ``.onnx`` file or ``ModelProto``, a function of JAX's, a module of
        Flax, a `jax.export.Exported` or its ``.stablehlo`` file, a saved spec (file or dict), or an `InputSpec`.
    task
        The task, such as ``"text-classification"`` or ``"text-generation-with-past"``. A task that is asked for gets the
        inputs that an export of it needs; where none is, it is found from the model's class, and all data that the
        model takes are described (``optional_inputs=True`` or ``False`` says so outright).
    dims
        Sizes by name (``batch_size=4``), which win over the model's own; ``random_<name>_range=(low, high)`` to draw one
        from ``seed``; options ``padding_side``, ``mask_policy``, ``int_dtype``, ``float_dtype``; and values for what a
        configuration leaves out (``vocab_size=...``). For a function of JAX's, ``args`` and ``kwargs``: example arguments, arrays
        or their shapes, where its signature does not say them; and ``dynamic``, which names their axes.

    Raises
    ------
    SourceError
        where `source` is none of these, or cannot be read.
    OptionError
        for a keyword that names no dim or option of that source, with the near ones.
    """
    if isinstance(source, InputSpec):
        return _resize_spec(source, task, dims)
    if isinstance(source, Mapping):
        return _describe_mapping(source, task, dims)
    if isinstance(source, (str, os.PathLike)):
        return _describe_path(Path(source), task, dims)
    return _describe_object(source, task, dims)


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
    """Describe `source` and return one sample as that framework's tensors; see `describe` and `InputSpec.generate`."""
    from dummyio.backend.registry import load_backend  # noqa: PLC0415 - describing alone needs none

    load_backend(framework)
    return describe(source, task, **dims).generate(framework, seed=seed, sample=sample, device=device)


def capture(model: Any, method: str | None = None) -> Any:
    """Return a context that records the calls of a PyTorch module, from whose inputs it then makes a spec.

    Of `model`, the calls themselves are recorded, or those of the method named. The inputs pass unchanged and none is kept,
    only shapes, dtypes and the range of values::

        with dummyio.capture(model) as calls:
            model(x)
            model(y)
        spec = calls.spec()
    """
    from dummyio.backend.registry import load_backend  # noqa: PLC0415 - as above

    recorder: Any = load_backend("pt")
    return recorder.capture(model, method)


def _resize_spec(spec: InputSpec, task: str | None, dims: Mapping[str, Any]) -> InputSpec:
    if task is not None and task != spec.task:
        raise OptionError(f"task={task!r}: this spec is already one of task {spec.task!r}; describe its model again.")
    return spec.with_dims(**dims) if dims else spec


def _is_spec(values: Mapping[Any, Any]) -> bool:
    return "dummyio" in values and "inputs" in values


def _describe_mapping(source: Mapping[str, Any], task: str | None, dims: Mapping[str, Any]) -> InputSpec:
    if _is_spec(source):
        import json  # noqa: PLC0415 - used here only

        return _resize_spec(InputSpec.from_json(json.dumps(source)), task, dims)
    from dummyio.huggingface.describe import describe_configuration  # noqa: PLC0415 - one reader of several

    return describe_configuration(source, task, dims)


def _describe_path(path: Path, task: str | None, dims: Mapping[str, Any]) -> InputSpec:
    if not path.exists():
        raise SourceError(f"{path}: no such file or folder. Nothing is downloaded: give a local path.")
    if path.suffix == ".onnx" or (
        path.is_dir() and not (path / "config.json").exists() and (path / "model.onnx").exists()
    ):
        return _describe_by("ort", path / "model.onnx" if path.is_dir() else path, task, dims)
    if path.is_dir() and (path / "model_index.json").exists():
        raise _pipeline(path)
    if path.suffix in {".tflite", ".pb"} or (
        path.is_dir() and not (path / "config.json").exists() and (path / "saved_model.pb").exists()
    ):
        return _describe_by("tf", path, task, dims)
    if path.suffix == ".stablehlo":
        return _describe_by("jax", path, task, dims)
    if path.is_dir() and not (path / "config.json").exists():
        raise SourceError(f"{path}: the folder holds neither a config.json nor a model.onnx, nor a saved_model.pb.")
    if path.is_file() and path.suffix != ".json":
        raise SourceError(
            f"{path}: described are .json files (configurations, specs), .onnx, .tflite, .pb and .stablehlo files, and folders of these."
        )
    from dummyio.huggingface.describe import describe_configuration  # noqa: PLC0415 - one reader of several

    if path.is_file() and _holds_spec(path):
        return _resize_spec(InputSpec.load(path), task, dims)
    return describe_configuration(path, task, dims)


def _pipeline(folder: Path) -> SourceError:
    """Make the error for a folder of several models, which names those that can be described."""
    parts = sorted(part.parent.name for part in folder.glob("*/config.json"))
    return SourceError(
        f"{folder}: a pipeline of several models, each with inputs of its own. Describe one of its folders: "
        f"{', '.join(parts) or 'none is here'}."
    )


def _holds_spec(path: Path) -> bool:
    """Whether a JSON file is a saved spec: only those have the key ``"dummyio"``."""
    with path.open("rb") as stream:
        return b'"dummyio"' in stream.read(1 << 16)


_WITHOUT_TASKS = {
    "ort": "an ONNX file",
    "tf": "a model of TensorFlow's",
    "jax": "a function of JAX's",
    "pt": "a module without a configuration",
}
"""Framework → what its reader describes, for which a task cannot be chosen."""


def _describe_by(framework: str, source: Any, task: str | None, dims: Mapping[str, Any]) -> InputSpec:
    """Describe what the backend of a framework reads."""
    from dummyio.backend.registry import load_backend  # noqa: PLC0415 - only for what is a framework's own

    if task is not None:
        raise OptionError(f"task={task!r}: {_WITHOUT_TASKS[framework]} is what it is; a task cannot be chosen.")
    reader: Any = load_backend(framework)
    spec: InputSpec = reader.describe(source, dims=dims)
    return spec


def _describe_object(source: Any, task: str | None, dims: Mapping[str, Any]) -> InputSpec:
    root = type(source).__module__.split(".")[0]
    if root.startswith("onnx") and type(source).__name__ == "ModelProto":
        return _describe_by("ort", source, task, dims)
    framework = detect_framework(source)
    if framework == "tf":
        return _describe_by("tf", source, task, dims)
    if framework == "jax" or (
        framework is None and callable(source) and not dims.keys().isdisjoint({"args", "kwargs"})
    ):
        return _describe_by("jax", source, task, dims)
    from dummyio.huggingface.describe import describe_configuration, describe_model  # noqa: PLC0415 - one reader of several

    config = getattr(source, "config", None)
    is_configuration = callable(getattr(config, "to_dict", None)) and hasattr(config, "model_type")
    if hasattr(source, "components") or (_is_module(source) and isinstance(config, Mapping)):
        from dummyio.huggingface.diffusion.describe import component_class, describe_component_model  # noqa: PLC0415 - as above

        if component_class(source) is not None:
            return describe_component_model(source, task, dims)
    if _is_module(source) and not is_configuration:
        return _describe_by("pt", source, task, dims)
    if config is not None and callable(getattr(source, "forward", None)):
        return describe_model(source, task, dims)
    if callable(getattr(source, "to_dict", None)) and hasattr(source, "model_type"):
        return describe_configuration(source, task, dims)
    raise SourceError(
        f"a {type(source).__module__}.{type(source).__qualname__} cannot be described. Give a Hugging Face configuration "
        "(path, dict or object) or model, any torch.nn.Module, a Keras model, a tf.function, a JAX function or module, an .onnx file or ModelProto, or a saved spec."
    )


def _is_module(source: Any) -> bool:
    """Whether `source` is a module of PyTorch's, which is then imported already."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(source, torch.nn.Module)
