"""ONNX models as functions of named feeds."""
