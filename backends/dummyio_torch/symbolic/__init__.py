"""Keeps the sizes of a traced model symbolic where its own Python code would make them constants; see README.md here."""

from dummyio_torch.symbolic.symbolic_sizes import find_model_files, trace_symbolic_sizes

__all__ = ["find_model_files", "trace_symbolic_sizes"]
