"""torchvision: all its models."""

import inspect
from collections import Counter

from declared_operators import repair_torchvision
from score import Case

NOTE = repair_torchvision()

import torch
from torchvision import models

TITLE = "torchvision"
PACKAGES = ("torchvision", "torch")
_IMAGES = "float[batch_size, num_channels, height, width]"
_INPUTS = {
    "detection": {"images": "list of float[num_channels, height, width]"},
    "video": {"x": "float[batch_size, num_channels, depth|num_frames, height, width]"},
    "optical_flow": {"image1": _IMAGES, "image2": _IMAGES},
}
"""Room of the package → what its models take; the others take images."""


def list_names() -> list[str]:
    """Return all models: first one of each module of the package, then another of each."""
    rooms = Counter[str]()
    places = {}
    for name in models.list_models():
        rooms[_room(name)] += 1
        places[name] = rooms[_room(name)]
    return sorted(places, key=places.__getitem__)


def _room(name: str) -> str:
    """Return the module of the package that a model is in."""
    return models.get_model_builder(name).__module__.removeprefix("torchvision.models.").partition(".")[0]


def build(name: str) -> Case:
    """Return a model with random weights."""
    torch.manual_seed(0)
    maker, room = models.get_model_builder(name), _room(name)
    segments = {"weights_backbone": None} if room in ("detection", "segmentation") else {}
    model = maker(weights=None, **segments).eval()
    images = next(iter(inspect.signature(model.forward).parameters))
    return Case(model, _INPUTS.get(room, {images: _IMAGES}))
