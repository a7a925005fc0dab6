"""Diffusers: the same classes, described from their configuration alone."""

from dataclasses import replace

from score import Case

from cases import diffusers_components
from cases.diffusers_components import PACKAGES, list_names

__all__ = ["PACKAGES", "TITLE", "build", "list_names"]

TITLE = "Diffusers, from the configuration"


def build(name: str) -> Case:
    """Return a model with random weights, and its configuration as what is described."""
    case = diffusers_components.build(name)
    return replace(case, source={**case.model.config, "_class_name": type(case.model).__name__})
