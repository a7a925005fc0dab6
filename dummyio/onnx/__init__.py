"""Configurations for ONNX under the names that users of Optimum have, and models that run their files.

>>> from dummyio.onnx import UniversalOnnxConfig
>>> UniversalOnnxConfig("examples/bert-base").get_input_names()
['input_ids', 'attention_mask', 'token_type_ids']

Importing this package loads no framework, and not Transformers.
"""

from __future__ import annotations

TYPE_CHECKING = False  # the module `typing` takes long to import
if TYPE_CHECKING:
    from typing import Any

    from dummyio.generators import (
        DEFAULT_DUMMY_SHAPES,
        DummyInputGenerator,
        register_generator,
        registered_generators,
        unregister_generator,
    )
    from dummyio.model_config.normalized_classes import (
        NormalizedSeq2SeqConfig,
        NormalizedTextAndVisionConfig,
        NormalizedTextConfig,
        NormalizedTextConfigWithGQA,
        NormalizedTimeSeriesForecastingConfig,
        NormalizedVisionConfig,
    )
    from dummyio.model_config.normalized_config import NormalizedConfig
    from dummyio.onnx.levels import (
        AudioOnnxConfig,
        ConfigBehavior,
        ModelPatcher,
        OnnxConfig,
        OnnxConfigWithPast,
        OnnxSeq2SeqConfigWithPast,
        TextAndVisionOnnxConfig,
        TextDecoderOnnxConfig,
        TextEncoderOnnxConfig,
        TextSeq2SeqOnnxConfig,
        VisionOnnxConfig,
    )
    from dummyio.onnx.task_detection import detect_task
    from dummyio.onnx.universal_config import UniversalOnnxConfig

    AutoModelForONNX: Any

__all__ = [
    "DEFAULT_DUMMY_SHAPES",
    "AudioOnnxConfig",
    "AutoModelForONNX",
    "ConfigBehavior",
    "DummyInputGenerator",
    "ModelPatcher",
    "NormalizedConfig",
    "NormalizedSeq2SeqConfig",
    "NormalizedTextAndVisionConfig",
    "NormalizedTextConfig",
    "NormalizedTextConfigWithGQA",
    "NormalizedTimeSeriesForecastingConfig",
    "NormalizedVisionConfig",
    "OnnxConfig",
    "OnnxConfigWithPast",
    "OnnxSeq2SeqConfigWithPast",
    "TextAndVisionOnnxConfig",
    "TextDecoderOnnxConfig",
    "TextEncoderOnnxConfig",
    "TextSeq2SeqOnnxConfig",
    "UniversalOnnxConfig",
    "VisionOnnxConfig",
    "detect_task",
    "register_generator",
    "registered_generators",
    "unregister_generator",
]

_LAZY = {
    "AudioOnnxConfig": "dummyio.onnx.levels",
    "ConfigBehavior": "dummyio.onnx.levels",
    "DEFAULT_DUMMY_SHAPES": "dummyio.generators",
    "DummyInputGenerator": "dummyio.generators",
    "ModelPatcher": "dummyio.onnx.levels",
    "NormalizedConfig": "dummyio.model_config.normalized_config",
    "NormalizedSeq2SeqConfig": "dummyio.model_config.normalized_classes",
    "NormalizedTextAndVisionConfig": "dummyio.model_config.normalized_classes",
    "NormalizedTextConfig": "dummyio.model_config.normalized_classes",
    "NormalizedTextConfigWithGQA": "dummyio.model_config.normalized_classes",
    "NormalizedTimeSeriesForecastingConfig": "dummyio.model_config.normalized_classes",
    "NormalizedVisionConfig": "dummyio.model_config.normalized_classes",
    "OnnxConfig": "dummyio.onnx.levels",
    "OnnxConfigWithPast": "dummyio.onnx.levels",
    "OnnxSeq2SeqConfigWithPast": "dummyio.onnx.levels",
    "TextAndVisionOnnxConfig": "dummyio.onnx.levels",
    "TextDecoderOnnxConfig": "dummyio.onnx.levels",
    "TextEncoderOnnxConfig": "dummyio.onnx.levels",
    "TextSeq2SeqOnnxConfig": "dummyio.onnx.levels",
    "UniversalOnnxConfig": "dummyio.onnx.universal_config",
    "VisionOnnxConfig": "dummyio.onnx.levels",
    "detect_task": "dummyio.onnx.task_detection",
    "register_generator": "dummyio.generators",
    "registered_generators": "dummyio.generators",
    "unregister_generator": "dummyio.generators",
}
"""Public names and their modules, which are imported on first use."""


def __getattr__(name: str) -> Any:
    """Import a public name on first use."""
    if name in _LAZY:
        from importlib import import_module  # noqa: PLC0415 - a name at the top would be a public one

        value = globals()[name] = getattr(import_module(_LAZY[name]), name)
        return value
    if name == "AutoModelForONNX":
        from dummyio.backend.registry import load_backend  # noqa: PLC0415 - lazy: it needs ONNX Runtime

        backend: Any = load_backend("ort")
        value = globals()[name] = backend.auto_model()
        return value
    if name.endswith("Generator") and not name.startswith("_"):  # that of dummyio.generators, also by Optimum's name
        from dummyio import generators  # noqa: PLC0415 - lazy: start-up time
        from dummyio.generators.optimum_names import OPTIMUM_NAMES  # noqa: PLC0415 - lazy: start-up time

        ours = getattr(generators, OPTIMUM_NAMES.get(name, name), None)
        if ours is not None:
            value = globals()[name] = ours
            return value
    raise AttributeError(f"module 'dummyio.onnx' has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return the names of the package, also those that are not imported yet."""
    return sorted({*globals(), *__all__})
