"""Runs the description of a model or file: it is confirmed, corrected or refused by what TensorFlow, Keras or LiteRT says."""
