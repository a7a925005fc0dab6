"""Onnx passes."""
