"""Images: pixels, latents, masks, patches, points, and features from encoders."""

from collections.abc import Sequence
from math import ceil
from typing import Any, ClassVar, TypeGuard

from dummyio.errors import SourceError
from dummyio.generators.base.context import Context
from dummyio.generators.base.input_generator import DummyInputGenerator
from dummyio.generators.base.stated_input import StatedInput
from dummyio.generators.media_tokens.image_layout import axes_before_channels
from dummyio.generators.text.text import text_batch, text_length
from dummyio.model_config.normalized_config import NormalizedConfig
from dummyio.spec.default_sizes import DEFAULT_DUMMY_SHAPES
from dummyio.spec.dims import Dim, Size
from dummyio.spec.tensor_spec import TensorSpec
from dummyio.spec.values import Boxes, Constant, Normal, OneHot, PaddingMask, Rule, TokenIds, Uniform

_SMALL = 32
"""Images below this size are smaller than the strides of most backbones, so none is tried unless it is asked for."""

_PYRAMIDS = ("backbone_config", "feat_strides", "num_feature_levels", "num_queries")
"""Attributes of models that work on feature maps of several sizes."""

_DENSE = ("depth-estimation", "image-matting", "semantic-segmentation", "object-detection", "instance-segmentation")
"""Tasks whose models bring such maps back to the size of the image."""

_VISUAL_DIM = 512
"""The size of ready-made visual features, where the configuration does not say."""
_POINTS = "batch_size point_batch_size nb_points_per_image"
_FEATURES = "batch_size vision.output_channels edges"


class ImageInputGenerator(DummyInputGenerator):
    """What all image inputs share: the size and the channels of an image."""

    @property
    def vision(self) -> NormalizedConfig:
        """The image model's configuration."""
        encoder = self.config.part("encoder")
        return self.config.sub("vision") or (encoder if encoder.size() is not None else self.config)

    @property
    def channels(self) -> Dim:
        """The channels of an image, which every model fixes."""
        return self.given_or_fixed("num_channels", _channels(self.config) or _channels(self.vision))

    @property
    def edges(self) -> tuple[Dim, Dim]:
        """The height and width of an image: fixed where position embeddings fix it, else free."""
        prompted, framed = self.config.part("prompt").size(), self.config.size("max_img_size")
        height, width = self.config.size() or self.vision.size() or prompted or framed or (None, None)
        if height is not None and "prompt_pixel_values" in (self.context.names or ()):
            height //= 2  # an image and its prompt stand one above the other
        if height is not None and width is not None and (self.bound or (height, width) == framed):
            return self.given_or_fixed("height", height, "image_size"), self.given_or_fixed(
                "width", width, "image_size"
            )
        return self.edge("height", height), self.edge("width", width)

    def edge(self, name: str, size: int | None) -> Dim:
        """Return a free edge; in whole strides where feature maps of several sizes are laid over each other."""
        if size is None and self.least_edge > DEFAULT_DUMMY_SHAPES[name]:
            size = self.least_edge
        stride = self.stride
        if self.windows and size is not None:
            size = max(size - size % stride, self.least_edge)
        wanted = self.context.sizes.wanted(name) or size or DEFAULT_DUMMY_SHAPES[name]
        strided = wanted % stride == 0 and (
            self.context.task in _DENSE or any(self.config.raw(attribute) is not None for attribute in _PYRAMIDS)
        )
        bounds = {"multiple_of": stride} if strided else {}
        if name == "height" and self.config.raw("head_out_channels") is not None:
            bounds = {"min": wanted, "max": wanted}  # a reader of lines folds the height of its maps into one row
        return self.dim(name, size=size, floor=_SMALL, **bounds)

    @property
    def stride(self) -> int:
        """How many pixels lie between neighbours in the coarsest map: a window of patches where there are windows."""
        patch = _patch(self.vision)
        return self.windows * patch[0] if self.windows and patch is not None else _SMALL

    @property
    def windows(self) -> int:
        """How many windows of patches lie side by side; 0 without such."""
        found = self.vision.raw("num_windows_side") or self.vision.raw("num_windows")
        return found if isinstance(found, int) and self.config.raw("num_queries") is not None else 0

    @property
    def least_edge(self) -> int:
        """The smallest edge of a square image of which enough is left: places for all queries, or a patch of its smallest copy."""
        strides, queries = self.config.raw("feat_strides"), self.config.raw("num_queries")
        ratios, patch = self.config.raw("scaled_images_ratios"), _patch(self.config)
        if self.windows and strides is None:
            strides = [self.stride // self.windows]  # of a backbone that is a row of equal layers
        edge = 0
        if isinstance(queries, int) and _are_numbers(strides):
            edges = range(self.stride, self.stride * (queries + 1) + 1, self.stride)
            edge = next((edge for edge in edges if sum((edge // int(stride)) ** 2 for stride in strides) >= queries), 0)
        if patch is not None and _are_numbers(ratios):
            edge = max(edge, ceil(max(patch) / min(ratios)))
        return edge

    @property
    def bound(self) -> bool:
        """Whether the model has a position for each patch: it cuts patches and attends, and is not only a backbone."""
        configs = [c for c in (self.config, self.vision) if c.size() is not None]
        alone = self.config.size() is not None or self.config.raw("backbone_config") is None
        return alone and any(_patch(c) is not None and c.has("num_attention_heads") for c in configs)

    def image(self, name: str) -> TensorSpec:
        """Return an image [batch, channels, height, width] with values in [-1, 1), as image processors return it."""
        return self.floats(name, (self.dim("batch_size"), self.channels, *self.edges), Uniform(-1, 1))


def _are_numbers(items: Any) -> TypeGuard[Sequence[float]]:
    """Whether something is a list of numbers above 0."""
    return (
        isinstance(items, (list, tuple))
        and bool(items)
        and all(type(item) in (int, float) and item > 0 for item in items)
    )


def _channels(config: NormalizedConfig) -> int | None:
    size = config.get("image_size")
    if isinstance(size, (list, tuple)) and len(size) == 3 and isinstance(size[0], int):
        return size[0]  # (channels, height, width)
    number = config.get("num_channels")
    return number if isinstance(number, int) and not isinstance(number, bool) else None


def _patch(config: NormalizedConfig) -> tuple[int, int] | None:
    """Return the height and width of patches; None where there are none, or another size in each stage."""
    size: Any = config.raw("patch_size")
    if isinstance(size, dict):
        size = (size.get("height"), size.get("width"))
    pair = (size, size) if isinstance(size, int) else tuple(size[-2:]) if isinstance(size, (list, tuple)) else ()
    return (pair[0], pair[1]) if len(pair) == 2 and all(isinstance(p, int) and p > 0 for p in pair) else None


class DummyVisionInputGenerator(ImageInputGenerator):
    """Images, latents of images, and which of their pixels count."""

    def describe_pixel_values(self) -> TensorSpec:
        """Images [batch, channels, height, width], with an axis of images or frames where the model takes several, 2 where it compares."""
        statement = self.context.facts.arguments.get("pixel_values")
        image = self.image("pixel_values")
        paired = statement is not None and statement.shape is not None and statement.shape[1:2] == ("2",)
        beside = "input_ids" in (
            self.context.names or ()
        )  # an image model alone, of the same text, takes images one by one
        between = (2,) if paired else axes_before_channels(self.context) if beside else ()
        return image.replace(shape=(image.shape[0], *between, *image.shape[1:]))

    @property
    def text_shape(self) -> tuple[Size, ...]:
        """[batch, sequence] of the text, of which each token attends to all images."""
        return text_batch(self.context), text_length(self.context)

    @property
    def images(self) -> tuple[int, ...]:
        """The axis of images."""
        return axes_before_channels(self.context)

    def describe_pixel_mask(self) -> TensorSpec:
        """1 for every pixel [batch, height, width]: each image fills its frame, because a length per row does not make a rectangle."""
        shape = (self.dim("batch_size"), *self.edges)
        # Detectors shrink the mask to each feature map's size as they do with images: as numbers.
        names = self.context.names or frozenset()
        tokens = any(name.endswith("_inputs") for name in names)  # a tokenizer's masks are whole numbers
        detects = bool(names) and not tokens and any(self.config.raw(each) is not None for each in _PYRAMIDS)
        kind = self.context.float_dtype if detects else self.context.int_dtype
        return TensorSpec("pixel_mask", shape, kind, PaddingMask(policy="full"))

    def describe_sample(self) -> TensorSpec:
        """What a denoiser or an autoencoder starts from [batch, channels, height, width], normal; any size will do."""
        height, width = self.config.size("image_size") or (None, None)
        edges = self.dim("height", size=height, floor=_SMALL), self.dim("width", size=width, floor=_SMALL)
        return self.floats("sample", (self.dim("batch_size"), self.channels, *edges), Normal())

    @property
    def latents(self) -> tuple[Dim, ...]:
        """Channels, height and width of latents."""
        channels = self.given_or_fixed("latent_channels", self.config.get("latent_channels"))
        return channels, self.dim("latent_height", floor=8), self.dim("latent_width", floor=8)

    describe_latent_sample = StatedInput("float", "batch_size latents", Normal())
    describe_image_attention_mask = StatedInput("int", "text_shape images", Constant(1))

    def describe_bool_masked_pos(self) -> TensorSpec:
        """Which patches are hidden [batch, patches]."""
        patch = _patch(self.vision) or _patch(self.config)
        if patch is None:
            raise SourceError("the configuration does not say patch_size: patches cannot be counted.")
        height, width = self.edges
        cells: Size = (height // patch[0]) * (width // patch[1])
        tube, frames = self.vision.raw("tubelet_size"), self.vision.get("num_frames")
        rule: Rule = Uniform(0, 2)
        if isinstance(tube, int) and isinstance(frames, int):  # of each video as many must be hidden
            cells, rule = frames // tube * cells, OneHot()
        return TensorSpec("bool_masked_pos", (self.dim("batch_size"), cells), "bool", rule)


class DummyVisualInputGenerator(DummyInputGenerator):
    """Features of image regions that stand beside a text, ready made: [batch, regions, ...]."""

    @property
    def shape(self) -> tuple[Size, ...]:
        """[batch, regions]; with a task of choices [batch, choices, regions]."""
        batch, length = self.dim("batch_size"), self.dim("visual_seq_length")
        return (batch, self.dim("num_choices"), length) if self.context.task == "multiple-choice" else (batch, length)

    @property
    def features(self) -> Dim:
        """The features of a region."""
        name = "visual_embedding_dim"
        return self.fixed(name, self.config.integer(name, _VISUAL_DIM), f"the configuration's {name}")

    def types(self) -> Rule:
        """Return segments below ``type_vocab_size``, 0 for padding."""
        high = max(self.config.integer("type_vocab_size", 2), 1)
        return TokenIds(high=high, mask=self.follow("visual_attention_mask"))

    describe_visual_embeds = StatedInput("float", "shape features", Normal())
    describe_visual_attention_mask = StatedInput(
        "int", "shape", lambda self: PaddingMask("right", self.context.mask_policy)
    )
    describe_visual_token_type_ids = StatedInput("int", "shape", types)


class DummyPatchesInputGenerator(ImageInputGenerator):
    """Images cut into patches beforehand: [batch, patches, 2 + patch height * patch width * channels].

    Option ``patch_size``, where the configuration does not say: an int, a pair or a dict.
    """

    OPTIONS: ClassVar[tuple[str, ...]] = ("patch_size",)

    def describe_flattened_patches(self) -> TensorSpec:
        """Row, column and pixels of each patch, in [0, 3): as rows and columns these are truncated to 0, 1 and 2."""
        given, flat = (
            _patch(NormalizedConfig({"patch_size": self.option("patch_size")})),
            self.vision.raw("patch_embed_hidden_size"),
        )
        patch = given or _patch(self.vision) or _patch(self.config)
        if isinstance(flat, int) and given is None:
            pixels = flat
        elif patch is not None:
            pixels = patch[0] * patch[1] * self.channels.size
        else:
            raise SourceError("the configuration does not say patch_size: add it, or give patch_size=16 as an option.")
        shape = (self.dim("batch_size"), self.dim("max_patches"), 2 + pixels)
        return self.floats("flattened_patches", shape, Uniform(0, 3))


class DummyVideoInputGenerator(ImageInputGenerator):
    """Videos [batch, frames, channels, height, width]."""

    @classmethod
    def applies(cls, context: Context, name: str) -> bool:
        """Where the name says so, or the configuration counts frames and the task is not about single images."""
        counted = context.config.part("vision").has("num_frames") and not context.task.startswith("image")
        return name == "pixel_values_videos" or counted

    @property
    def frames(self) -> Dim:
        """The frames of a video."""
        frames = self.vision.get("num_frames")
        return self.dim("num_frames") if frames is None else self.given_or_fixed("num_frames", frames)

    @property
    def between(self) -> tuple[Dim, ...]:
        """The axis of frames, but for images beside videos."""
        beside = self.context.names is not None and "pixel_values_videos" in self.context.names
        return () if beside else (self.frames,)

    describe_pixel_values_videos = StatedInput("float", "batch_size frames channels edges", Uniform(-1, 1))
    describe_pixel_values = StatedInput("float", "batch_size between channels edges", Uniform(-1, 1))


class DummyPointsGenerator(ImageInputGenerator):
    """Prompts for segmentation: points and boxes in pixels, and whether a point lies on what is meant."""

    @property
    def side(self) -> int:
        """How large the image is, along its shorter side."""
        sizes = [c.size() for c in (self.config, self.vision, self.config.part("prompt"))]
        return min(next((size for size in sizes if size is not None), (64, 64)))

    describe_input_points = StatedInput("float", f"{_POINTS} 2", lambda self: Uniform(0, self.side))
    describe_input_labels = StatedInput("int", _POINTS, Uniform(0, 2))  # 1 for points on the object
    describe_input_boxes = StatedInput("float", "batch_size num_boxes 4", lambda self: Boxes(0, self.side))


class DummyVisionEmbeddingsGenerator(DummyInputGenerator):
    """The features that an image encoder returned, and their positions: [batch, channels, size, size], normal."""

    @property
    def edges(self) -> tuple[int, int]:
        """The height and width of a map of features."""
        size = self.config.part("prompt").size("image_embedding_size")
        if size is None:
            raise SourceError("the configuration has no image_embedding_size: add it to the prompt encoder's part.")
        return size

    describe_image_positional_embeddings = StatedInput("float", _FEATURES, Normal())
    describe_image_embeddings = StatedInput("float", _FEATURES, Normal())
