"""Libraries whose builds for other devices do not load here: their operators are declared, and where a model calls them, written in Python.

The wheels of torchvision and torchaudio on the package index are built for CUDA. Their compiled parts do not load beside PyTorch for
CPUs, and without them the packages do not import, nor does Transformers, which imports them if they are installed. The models of
torchvision need two compiled operators: the suppression of boxes, here in Python, and the pooling of regions, for which the package
has a Python form that it would compile: here it is a sampling of the feature maps. Those of torchaudio need none.
"""

import importlib.util
import inspect
import sys
from pathlib import Path
from types import ModuleType

import torch
from torch.nn import functional


def _loads(package: str, file: str) -> bool:
    """Whether a compiled file of a package loads; also if the package is not installed."""
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        return True
    try:
        torch.ops.load_library(Path(found.origin).parent / file)
    except OSError:
        return False
    return True


def suppress_boxes(boxes: torch.Tensor, scores: torch.Tensor, threshold: float) -> torch.Tensor:
    """Return the indices of the boxes that are kept, by falling score: those that overlap no better one by more than the threshold."""
    from torchvision.ops.boxes import box_iou

    order = scores.argsort(descending=True, stable=True)
    overlaps = box_iou(boxes[order], boxes[order]) > threshold
    kept = torch.ones(len(order), dtype=torch.bool)
    for place in range(len(order)):
        if kept[place]:
            kept[place + 1 :] &= ~overlaps[place, place + 1 :]
    return order[kept]


def pool_regions(
    maps: torch.Tensor, regions: torch.Tensor, scale: float, height: int, width: int, ratio: int, aligned: bool
) -> torch.Tensor:
    """Return the mean of samples in each cell of regions, as `torchvision.ops.roi_align` does; at least one sample a side."""
    many, shift = max(ratio, 1), 0.5 if aligned else 0.0
    corners = regions[:, 1:] * scale - shift
    sides = (corners[:, 2:] - corners[:, :2]).clamp(min=1.0)
    places = [
        (corners[:, None, axis] + (torch.arange(cells * many) + 0.5) / (cells * many) * sides[:, None, axis])
        / max(maps.shape[-1 - axis] - 1, 1)
        * 2
        - 1
        for axis, cells in enumerate((width, height))
    ]
    x, y = places[0][:, None, :].expand(-1, height * many, -1), places[1][:, :, None].expand(-1, -1, width * many)
    grid = torch.stack((x, y), -1)
    pooled = maps.new_zeros((len(regions), maps.shape[1], height, width))
    for image, features in enumerate(maps):
        mine = (regions[:, 0] == image).nonzero()[:, 0]
        sampled = functional.grid_sample(
            features[None], grid[mine].reshape(1, -1, width * many, 2), padding_mode="border", align_corners=True
        )
        cells = sampled[0].reshape(maps.shape[1], len(mine), height, many, width, many).mean((3, 5))
        pooled[mine] = cells.transpose(0, 1)
    return pooled


_DECLARED: list[torch.library.Library] = []
"""Declarations last as long as their object."""


def repair_torchvision() -> str:
    """Let torchvision import; return what was declared for it, as a text for the page."""
    if "torchvision" in sys.modules or _loads("torchvision", "_C.so"):
        return ""
    library = torch.library.Library("torchvision", "DEF")
    library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    library.define(
        "roi_align(Tensor input, Tensor rois, float spatial_scale, int pooled_height, int pooled_width, "
        "int sampling_ratio, bool aligned) -> Tensor"
    )
    library.impl("nms", suppress_boxes, "CPU")
    library.impl("roi_align", pool_regions, "CPU")
    _DECLARED.append(library)
    import torchvision

    for module in (torchvision.extension, inspect.getmodule(torchvision.ops.roi_align)):
        module._has_ops = lambda: True
    return "The compiled operators of torchvision do not load beside this PyTorch: `nms` and `roi_align` are in Python."


def repair_torchaudio() -> str:
    """Let torchaudio import; return what was left out of it, as a text for the page."""
    if "torchaudio" in sys.modules or _loads("torchaudio", "lib/_torchaudio.so"):
        return ""
    without = ModuleType("torchaudio._extension")
    without._IS_TORCHAUDIO_EXT_AVAILABLE = False  # type: ignore[attr-defined]
    without.fail_if_no_align = lambda function: function  # type: ignore[attr-defined]
    sys.modules["torchaudio._extension"] = without
    return "The compiled operators of torchaudio do not load beside this PyTorch; its models call none."


def repair_libraries() -> str:
    """Let all libraries import that Transformers may import; return what was declared, as a text for the page."""
    return " ".join(filter(None, (repair_torchvision(), repair_torchaudio())))
