"""TFLite files, read and run with LiteRT and NumPy alone: TensorFlow writes them, and is not needed afterwards."""
