"""Images beside a text, one for each row: `dummyio.generators.media_tokens` counts the tokens that stand for them."""

from dummyio.errors import SourceError
from dummyio.generators.base.context import Context
from dummyio.generators.media.vision import ImageInputGenerator
from dummyio.generators.media_tokens.image_layout import axes_before_channels, count_frames, original_size, pixel_size
from dummyio.generators.media_tokens.patch_grids import square_side
from dummyio.generators.media_tokens.token_counts import list_media
from dummyio.model_config.normalized_config import NormalizedConfig
from dummyio.spec.dims import Dim, Size
from dummyio.spec.tensor_spec import TensorSpec
from dummyio.spec.values import PaddingMask, Rows, Uniform


class DummyTextImagesInputGenerator(ImageInputGenerator):
    """The pixels of images and videos that a text has placeholders for; their sizes are fixed, as the placeholders are."""

    @classmethod
    def applies(cls, context: Context, name: str) -> bool:
        """Where a text holds placeholders; sizes and masks of images are here for all."""
        return name in {"image_sizes", "pixel_attention_mask"} or any(
            m.kind in {"image", "video"} for m in list_media(context)
        )

    @property
    def edges(self) -> tuple[Dim, Dim]:
        """The height and width of an image, which the number of its tokens fixes."""
        height, width = pixel_size(self.context)
        return self.fixed("height", height, "image_size"), self.fixed("width", width, "image_size")

    def pixels(self, name: str, *before: int) -> TensorSpec:
        """Return pixels in [-1, 1), with some axes between batch and channels."""
        return self.floats(name, (self.dim("batch_size"), *before, self.channels, *self.edges), Uniform(-1, 1))

    def patches(self, name: str) -> TensorSpec:
        """Return flat patches [batch, patches, height * width * channels], or those of all rows one after another."""
        edge = square_side(self.vision.get("patch_size"))
        if edge is None:
            raise SourceError("the configuration does not say patch_size: patches cannot be counted.")
        height, width = pixel_size(self.context)
        batch, count = self.dim("batch_size"), (height // edge) * (width // edge)
        packed = self.context.facts.media.flat_patches_are_packed
        rows: tuple[Size, ...] = (batch * count,) if packed else (batch, count)
        return self.floats(name, (*rows, edge * edge * self.channels.size), Uniform(-1, 1))

    def describe_pixel_values(self) -> TensorSpec:
        """Images, tiles of images, or frames."""
        if self.context.facts.media.patches_are_voxels:  # one patch for each row
            edge, depth = (square_side(self.vision.get(name)) or 1 for name in ("patch_size", "temporal_patch_size"))
            shape = (self.dim("batch_size"), depth, edge, edge, self.channels.size)
            return self.floats("pixel_values", shape, Uniform(-1, 1))
        return (
            self.patches("pixel_values")
            if self.context.facts.media.patches_are_flat
            else self.pixels("pixel_values", *axes_before_channels(self.context))
        )

    def describe_pixel_values_images(self) -> TensorSpec:
        """Images beside videos."""
        return self.pixels("pixel_values_images")

    def describe_pixel_values_videos(self) -> TensorSpec:
        """Videos [batch, frames, channels, height, width]."""
        return self.pixels("pixel_values_videos", count_frames(self.context))

    def describe_pixel_attention_mask(self) -> TensorSpec:
        """1 for every pixel [batch, images, height, width]; for every image [batch, images] where it selects images."""
        edges = () if self.context.facts.media.mask_selects_images else self.edges
        shape = (self.dim("batch_size"), *axes_before_channels(self.context), *edges)
        return TensorSpec("pixel_attention_mask", shape, "bool", PaddingMask(policy="full"))

    def describe_high_res_pixel_values(self) -> TensorSpec:
        """The same images, as large as a second image model takes them."""
        inner = self.config.unwrapped().raw("high_res_vision_config")
        size = None if inner is None else NormalizedConfig.of(inner).size()
        if size is None:
            raise SourceError("the configuration does not say the image_size of its high_res_vision_config.")
        return self.floats("high_res_pixel_values", (self.dim("batch_size"), self.channels, *size), Uniform(-1, 1))

    def describe_image_patches(self) -> TensorSpec:
        """Images as flat patches."""
        return self.patches("image_patches")

    def describe_image_sizes(self) -> TensorSpec:
        """The height and width of each image [batch, 2]."""
        size = original_size(self.context) or tuple(edge.size for edge in self.edges)
        return self.ints("image_sizes", (self.dim("batch_size"), 2), Rows(size))
