"""Declarations: the inputs as a model or a file declares them, and the tables that they index."""
