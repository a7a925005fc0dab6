"""Exports of modules: ONNX files, folders of them, and exported programs of PyTorch."""
