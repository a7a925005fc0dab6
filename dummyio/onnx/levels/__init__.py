"""The classes that Optimum's users derive configurations from, on top of `dummyio.onnx.UniversalOnnxConfig`."""

from dummyio.onnx.levels.base import OnnxConfig
from dummyio.onnx.levels.modalities import (
    AudioOnnxConfig,
    TextAndVisionOnnxConfig,
    TextDecoderOnnxConfig,
    TextEncoderOnnxConfig,
    TextSeq2SeqOnnxConfig,
    VisionOnnxConfig,
)
from dummyio.onnx.levels.model_patcher import ModelPatcher
from dummyio.onnx.levels.with_past import ConfigBehavior, OnnxConfigWithPast, OnnxSeq2SeqConfigWithPast

__all__ = [
    "AudioOnnxConfig",
    "ConfigBehavior",
    "ModelPatcher",
    "OnnxConfig",
    "OnnxConfigWithPast",
    "OnnxSeq2SeqConfigWithPast",
    "TextAndVisionOnnxConfig",
    "TextDecoderOnnxConfig",
    "TextEncoderOnnxConfig",
    "TextSeq2SeqOnnxConfig",
    "VisionOnnxConfig",
]
