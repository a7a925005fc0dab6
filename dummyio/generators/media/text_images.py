"""Images beside a text, one for each row: `dummyio.generators.media_tokens` counts the tokens that stand for them."""

from dummyio.errors import SourceError
from dummyio.generators.base.context import Context
from dummyio.generators.base.stated_input import StatedInput
from dummyio.generators.media.vision import ImageInputGenerator
from dummyio.generators.media_tokens.image_layout import axes_before_channels, count_frames, original_size, pixel_size
from dummyio.generators.media_tokens.patch_grids import square_side
from dummyio.generators.media_tokens.token_counts import list_media
from dummyio.model_config.normalized_config import NormalizedConfig
from dummyio.spec.dims import Dim, Size
from dummyio.spec.values import PaddingMask, Rows, Rule, Uniform

_PIXELS = Uniform(-1, 1)


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

    @property
    def tiles(self) -> tuple[int, ...]:
        """The axes between batch and channels."""
        return axes_before_channels(self.context)

    @property
    def frames(self) -> int:
        """The frames of a video."""
        return count_frames(self.context)

    @property
    def large_edges(self) -> tuple[int, int]:
        """The height and width for a second image model, which takes larger images."""
        inner = self.config.unwrapped().raw("high_res_vision_config")
        size = None if inner is None else NormalizedConfig.of(inner).size()
        if size is None:
            raise SourceError("the configuration does not state the image_size of its high_res_vision_config: add it.")
        return size

    @property
    def patches(self) -> tuple[Size, ...]:
        """Flat patches [batch, patches, height * width * channels], or those of all rows one after another."""
        edge = square_side(self.vision.get("patch_size"))
        if edge is None:
            raise SourceError("the configuration does not state patch_size: patches cannot be counted.")
        height, width = pixel_size(self.context)
        batch, count = self.dim("batch_size"), (height // edge) * (width // edge)
        packed = self.context.facts.media.flat_patches_are_packed
        rows: tuple[Size, ...] = (batch * count,) if packed else (batch, count)
        return (*rows, edge * edge * self.channels.size)

    @property
    def pixels(self) -> tuple[Size, ...]:
        """Images, tiles of images, or frames; patches, one voxel for each row, if the model takes such."""
        facts = self.context.facts.media
        if facts.patches_are_voxels:
            edge, depth = (square_side(self.vision.get(name)) or 1 for name in ("patch_size", "temporal_patch_size"))
            return self.dim("batch_size"), depth, edge, edge, self.channels.size
        if facts.patches_are_flat:
            return self.patches
        return (self.dim("batch_size"), *self.tiles, self.channels, *self.edges)

    @property
    def marked(self) -> tuple[Size, ...]:
        """What a mask marks: every pixel, or every image if it selects images."""
        return (*self.tiles, *(() if self.context.facts.media.mask_selects_images else self.edges))

    def sizes(self) -> Rule:
        """Return the height and width of each image."""
        return Rows(original_size(self.context) or tuple(edge.size for edge in self.edges))

    describe_pixel_values = StatedInput("float", "pixels", _PIXELS)
    describe_pixel_values_images = StatedInput("float", "batch_size channels edges", _PIXELS)
    describe_pixel_values_videos = StatedInput("float", "batch_size frames channels edges", _PIXELS)
    describe_pixel_attention_mask = StatedInput("bool", "batch_size marked", PaddingMask(policy="full"))
    describe_high_res_pixel_values = StatedInput("float", "batch_size channels large_edges", _PIXELS)
    describe_image_patches = StatedInput("float", "patches", _PIXELS)
    describe_image_sizes = StatedInput("int", "batch_size 2", sizes)
