"""Reads Hugging Face models: their configurations and the source files of their libraries."""
