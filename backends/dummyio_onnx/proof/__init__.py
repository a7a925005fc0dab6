"""Runs the description of an ONNX model: it is confirmed, corrected or refused by what ONNX Runtime, or the inference of shapes, says."""
