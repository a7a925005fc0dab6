"""Images cut into patches and packed one after another, whatever their sizes, with a grid that says how many are whose."""

from __future__ import annotations

import re
from typing import ClassVar

from dummyio.dims import Size
from dummyio.generators.base import Context, DummyInputGenerator
from dummyio.generators.media import edge_of, grid_of
from dummyio.normalized import NormalizedConfig
from dummyio.tensor import TensorSpec
from dummyio.values import Rows, Uniform

__all__ = ["DummyPackedImagesInputGenerator"]

_GRIDS = frozenset({"image_grid_thw", "grid_thw"})


class DummyPackedImagesInputGenerator(DummyInputGenerator):
    """One image for each row of the batch: its patches, and its grid (frames, rows, columns).

    Patches are flat, [patches, channels * frames * height * width]; where the code convolves them as they come, they are small
    images, [patches, channels, height, width]; and where it takes them image by image, [images, patches, ...].
    """

    SUPPORTED_INPUT_NAMES: ClassVar[tuple[str, ...]] = ("pixel_values", "image_grid_thw", "grid_thw")

    @classmethod
    def applies(cls, context: Context, name: str) -> bool:
        """Where the model takes a grid."""
        del name
        return context.names is not None and bool(context.names & _GRIDS)

    @property
    def vision(self) -> NormalizedConfig:
        """The image model's configuration."""
        return self.config.unwrapped().part("vision")

    @property
    def patch(self) -> tuple[int, ...]:
        """The shape of one patch."""
        vision, code = self.vision, self.context.code.get("vision", "") + self.context.code.get("model", "")
        edge = edge_of(vision.require("patch_size")) or 1
        channels = edge_of(vision.get("num_channels")) or 3
        frames = edge_of(vision.raw("temporal_patch_size")) or edge_of(vision.raw("patch_temporal")) or 1
        small = re.search(r"channel, height, width = pixel_values\.shape", code) and "_ = pixel_values.shape" not in code
        if small or re.search(r"self\.proj\(pixel_values\)", code):
            return channels, edge, edge
        return (channels * frames * edge * edge,)

    def describe_pixel_values(self) -> TensorSpec:
        """Patches with values in [-1, 1)."""
        rows, columns = grid_of(self.context)
        batch = self.dim("batch_size")
        apart = re.search(r"in zip\(pixel_values\b", self.context.code.get("model", ""))
        patches: tuple[Size, ...] = (batch, rows * columns) if apart else (batch * (rows * columns),)
        return self.floats("pixel_values", (*patches, *self.patch), Uniform(-1, 1))

    def grid(self, name: str) -> TensorSpec:
        """Return a grid [images, 3] of one frame each."""
        return self.ints(name, (self.dim("batch_size"), 3), Rows((1, *grid_of(self.context))))

    def describe_image_grid_thw(self) -> TensorSpec:
        """The grid of images."""
        return self.grid("image_grid_thw")

    def describe_grid_thw(self) -> TensorSpec:
        """The same, where the model knows nothing else."""
        return self.grid("grid_thw")
