"""Operators that ``torch.onnx`` translates wrongly, or not at all."""
