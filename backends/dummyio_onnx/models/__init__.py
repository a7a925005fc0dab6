"""Models of Hugging Face that ONNX Runtime runs: folders of ONNX files behind the interface of Transformers."""
