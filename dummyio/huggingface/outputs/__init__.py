"""Describes the outputs of a model."""
