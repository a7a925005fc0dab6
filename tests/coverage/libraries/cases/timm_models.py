"""timm: one small model of each of its families."""

import inspect
import re

from declared_operators import repair_torchvision
from score import Case

NOTE = repair_torchvision()  # timm imports it

import timm
import torch

TITLE = "timm"
PACKAGES = ("timm", "torch")
_SIZES = "test atto femto pico nano xxs xxtiny xtiny tiny mini xs xsmall s small t".split()  # noqa: SIM905
"""Parts of names, the smallest model first."""


def _order(name: str) -> tuple[bool, int, list[int], str]:
    """Return what a family's models are sorted by: no large images, then the size that the name states."""
    parts = re.split(r"[_\d]+", name)
    size = min((place for place, each in enumerate(_SIZES) if each in parts), default=len(_SIZES))
    numbers = [int(number) for number in re.findall(r"\d+", name)]
    return any(288 < number < 1100 for number in numbers), size, numbers, name


def list_names() -> list[str]:
    """Return one model of each family."""
    return [min(timm.list_models(module=family), key=_order) for family in timm.list_modules()]


def build(name: str) -> Case:
    """Return a model with random weights."""
    torch.manual_seed(0)
    model = timm.create_model(name, pretrained=False).eval()
    images = next(iter(inspect.signature(model.forward).parameters))
    return Case(model, {images: "float[batch_size, num_channels, height, width]"})
