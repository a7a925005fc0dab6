"""Images of any size cut into patches and packed one after another, with a grid that states the patches of each."""

from dummyio.generators.base.context import Context
from dummyio.generators.base.input_generator import DummyInputGenerator
from dummyio.generators.base.stated_input import StatedInput
from dummyio.generators.media_tokens.patch_grids import BY_IMAGE, GRIDS, patch_grid, patches_per_token, square_side
from dummyio.model_config.normalized_config import NormalizedConfig
from dummyio.spec.dims import Size
from dummyio.spec.tensor_spec import TensorSpec
from dummyio.spec.values import Constant, Grid, PaddingMask, Rows, Rule, Uniform


class DummyPackedImagesInputGenerator(DummyInputGenerator):
    """One image for each row of the batch: its patches, and its grid (frames, rows, columns).

    Patches are flat, [patches, channels * frames * height * width]; where the model convolves them, they are small
    images, [patches, channels, height, width]; and where it takes them image by image, [images, patches, ...].
    """

    @classmethod
    def applies(cls, context: Context, name: str) -> bool:
        """Where the model takes a grid."""
        grids = {"grid_thw"} if name == "hidden_states" else GRIDS
        return context.names is not None and bool(context.names & grids)

    @property
    def vision(self) -> NormalizedConfig:
        """The image model's configuration."""
        return self.config.unwrapped().part("vision")

    @property
    def patch(self) -> tuple[int, ...]:
        """The shape of one patch."""
        vision, facts = self.vision, self.context.facts.media
        edge = square_side(vision.require("patch_size")) or 1
        if facts.packed_patches_are_pooled:
            edge *= square_side(vision.raw("pooling_kernel_size")) or 1
        channels = square_side(vision.get("num_channels")) or 3
        frames = square_side(vision.raw("temporal_patch_size")) or square_side(vision.raw("patch_temporal")) or 1
        if facts.packed_patches_are_tokens:
            side = edge * (square_side(vision.raw("spatial_merge_size")) or 1)
            return side, side, channels
        if facts.packed_patches_are_images:
            return channels, edge, edge
        return (channels * frames * edge * edge,)

    def packed(self, name: str) -> TensorSpec:
        """Return patches with values in [-1, 1) under a name."""
        rows, columns = patch_grid(self.context)
        batch, names = self.dim("batch_size"), self.context.names or frozenset()
        if "target_sizes" in names:  # all patches side by side, as one image
            edge = square_side(self.vision.require("patch_size")) or 1
            channels = square_side(self.vision.get("num_channels")) or 3
            return self.floats(name, (1, channels, edge, batch * (rows * columns * edge)), Uniform(-1, 1))
        by_image = names & BY_IMAGE or self.context.facts.media.packed_by_image
        patches: tuple[Size, ...] = (batch, rows * columns) if by_image else (batch * (rows * columns),)
        return self.floats(name, (*patches, *self.patch), Uniform(-1, 1))

    def describe_pixel_values(self) -> TensorSpec:
        """Patches."""
        return self.packed("pixel_values")

    def describe_hidden_states(self) -> TensorSpec:
        """The same for the image model of a larger one: it cuts nothing, and embeds what it gets."""
        return self.packed("hidden_states")

    @property
    def images(self) -> Size:
        """The grids: one for each row, and one more if each row has an image to draw."""
        drawn = self.context.names is not None and "images_per_sample" in self.context.names
        return self.dim("batch_size") * (2 if drawn else 1)

    @property
    def patches(self) -> int:
        """The patches of one image."""
        rows, columns = patch_grid(self.context)
        return rows * columns

    def grid(self) -> Rule:
        """Return the grid of one frame."""
        return Rows((1, *patch_grid(self.context)))

    def edges(self) -> Rule:
        """Return the rows and columns of patches of each image."""
        return Rows(patch_grid(self.context))

    def places(self) -> Rule:
        """Return the row and column of each patch."""
        return Grid(patch_grid(self.context)[1])

    def merged(self) -> Rule:
        """Return how many rows, and columns, of patches become one token."""
        return Constant(patches_per_token(self.context))

    describe_image_grid_thw = StatedInput("int", "images 3", grid)
    describe_grid_thw = StatedInput("int", "images 3", grid)
    describe_images_per_sample = StatedInput("int", "batch_size", Constant(2))
    describe_image_merge_sizes = StatedInput("int", "batch_size", merged)
    describe_merge_sizes = StatedInput("int", "batch_size", merged)
    describe_target_sizes = StatedInput("int", "batch_size 2", edges)
    describe_spatial_shapes = StatedInput("int", "batch_size 2", edges)
    describe_image_position_ids = StatedInput("int", "batch_size patches 2", places)
    describe_pixel_position_ids = StatedInput("int", "batch_size patches 2", places)
    describe_pixel_attention_mask = StatedInput("int", "batch_size patches", PaddingMask(policy="full"))
