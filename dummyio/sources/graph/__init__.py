"""Rules that all readers of graphs (ONNX, TensorFlow, TFLite) share: which axes are one, their sizes, and what inputs hold."""
