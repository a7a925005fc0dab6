"""Shapes given as words: the meaning of each word in a denoiser or an autoencoder, by its configuration."""

import re
from collections.abc import Iterable
from functools import cached_property
from math import lcm, prod

from dummyio.errors import SourceError
from dummyio.generators.base.input_generator import DummyInputGenerator
from dummyio.generators.base.stated_input import read_axes
from dummyio.model_config.attribute_types import MOST_ELEMENTS, check_amount
from dummyio.sources.documented_shapes import is_length_word
from dummyio.sources.input_names import is_indices, is_mask
from dummyio.spec.default_sizes import DEFAULT_DUMMY_SHAPES, find_default_size
from dummyio.spec.dims import Dim, Size
from dummyio.spec.tensor_spec import Nest, Node, TensorSpec
from dummyio.spec.values import Normal, PaddingMask, Uniform

_DEPTHS = (
    "block_out_channels",
    "encoder_block_out_channels",
    "down_block_types",
    "dim_mult",
    "decoder_block_out_channels",
)
"""Attributes with an entry for each size that an image has on its way; between two of them it halves."""
_TEMPORAL = ("temporal_compression_ratio", "scale_factor_temporal")
_SIDES = ("sample_height", "sample_width")
_CONDITION = ("feature_dim", "embed_dims", "embed_dim", "hidden_size", "dim", "text_embed_dim")
"""What docstrings call the size of a text's features, whatever the configuration calls it."""
_SYMBOLS = (
    "batch_size",
    "batch_frames",
    "channels",
    "num_frames",
    "height",
    "width",
    "cells",
    "length",
    "sequence_length",
)
"""Words that mean a dim, or a size that is computed from dims."""
_SUM = re.compile(r"(.+)([+-]\d+)")
_ENCODING = ("autoencoding", "vae-encoder")
_VIDEO_EDGE = 16
"""Edges of videos: an image's would take half a minute."""
_RATIO = 8
"""How much smaller than images their latents are, where the configuration does not say."""


class ShapeWordsInputGenerator(DummyInputGenerator):
    """What the words of a shape say."""

    def supports_input(self, input_name: str) -> bool:
        """Whether the model's text says what that input looks like, or its name does."""
        return hasattr(self, f"describe_{input_name}") or is_mask(input_name) or self.words(input_name) is not None

    def spec(self, input_name: str) -> Node:
        """Return the description of an input; raise `SourceError` for one of which nothing says what it looks like."""
        if not self.supports_input(input_name):
            raise SourceError(f"the model's text does not say what {input_name!r} looks like. Describe it by hand.")
        return self.describe(input_name)

    def describe(self, name: str) -> Node:
        """Return the description that a name or the words of a shape give."""
        if hasattr(self, f"describe_{name}"):
            return super().describe(name)
        parts = [each for each in self.context.facts.arguments if each.startswith(f"{name}.")]
        if parts:
            keys = [part.rpartition(".")[2] for part in parts]
            items = zip(keys, map(self.describe, parts), strict=True)
            return Nest.of(
                "tuple", {key: item.replace(name=key) for key, item in items if isinstance(item, TensorSpec)}
            )
        of_text = is_mask(name) and self.words(name) is None
        shape = (self.batch, self.dim("sequence_length")) if of_text else self.shape_of(name)
        facts = self.context.facts.arguments.get(name)
        is_whole = facts is None or facts.kind == "int"
        make = self.ints if is_whole else self.floats
        if is_mask(name) and len(shape) == 2:
            return make(name, shape, PaddingMask(self.context.padding_side, self.context.mask_policy))
        if is_indices(name):  # of what they choose from, only the first row is sure to be there
            return make(name, shape, Uniform(0, 1 if is_whole else 16))
        return self.floats(name, shape, Normal())

    def words(self, name: str) -> tuple[str, ...] | None:
        """Return the words of an input's shape, where each of them means something."""
        statement = self.context.facts.arguments.get(name)
        words = None if statement is None else statement.shape
        return words if words and all(self.means(word) for word in words) else None

    def means(self, word: str) -> bool:
        """Whether a word of a shape is a number, a symbol or an attribute of the configuration."""
        of_text = word in _CONDITION and self.config.has("conditioning_size")
        own = word in _SYMBOLS or word.isdigit() or isinstance(self.config.raw(word), int)
        return own or of_text or is_length_word(word) or re.sub(r"[+-]\d+$", "", word) in _SYMBOLS

    def shape_of(self, name: str) -> tuple[Size, ...]:
        """Return an input's shape."""
        words = self.words(name)
        if words is None:
            raise SourceError(f"the model's text does not say what shape {name!r} has. Describe it by hand.")
        return tuple(size for word in words for size in self.sizes_of(word))

    def sizes_of(self, word: str) -> Iterable[Size]:
        """Return the sizes that a word stands for."""
        if (more := _SUM.fullmatch(word)) is not None:
            return [size + int(more[2]) for size in self.sizes_of(more[1])]
        if word in _CONDITION and self.config.raw(word) is None:
            return read_axes(self, ["conditioning_size"])
        if is_length_word(word) and word not in _SYMBOLS and self.config.raw(word) is None:
            return [self.dim(word, size=find_default_size(word) or DEFAULT_DUMMY_SHAPES["sequence_length"])]
        return read_axes(self, [word])

    @property
    def channels(self) -> Dim:
        """The channels of what the model draws or reads."""
        return self.given_or_fixed("num_channels", self.config.get("num_channels"), "in_channels")

    @property
    def sequence_length(self) -> Dim:
        """The length of a text."""
        places = self.whole("max_text_seq_length")  # a position for each token, and images begin behind the last
        if places is None or self.config.raw("use_rotary_positional_embeddings"):
            return self.dim("sequence_length")
        return self.given_or_fixed("sequence_length", places, "max_text_seq_length")

    @property
    def batch(self) -> Dim:
        """The batch."""
        return self.dim("batch_size")

    @property
    def batch_frames(self) -> Size:
        """The frames of all videos of the batch, one after the other."""
        return self.batch * self.num_frames

    def whole(self, *names: str) -> int | None:
        """Return the first of some attributes that is a whole number; None if none is."""
        for name in names:
            found = self.config.raw(name)
            if isinstance(found, int) and not isinstance(found, bool):
                if found < 0:
                    raise SourceError(
                        f"the configuration has {name}={found}: a size cannot be negative. Correct the configuration."
                    )
                return check_amount(found, MOST_ELEMENTS, f"as {name}")
        return None

    @cached_property
    def patch(self) -> tuple[int, int, int]:
        """How many frames, rows and columns one token is made of."""
        size = self.config.raw("patch_size")
        frames = self.whole("patch_size_t") or 1
        if isinstance(size, (list, tuple)) and len(size) == 3:
            return size[0], size[1], size[2]
        edge = size if isinstance(size, int) else size[0] if isinstance(size, (list, tuple)) and size else 1
        return frames, edge, edge

    @cached_property
    def stride(self) -> int:
        """How many pixels an edge must be a multiple of."""
        depth = next((len(v) for name in _DEPTHS if isinstance(v := self.config.raw(name), (list, tuple))), None)
        if depth is None or self.context.facts.resizes_feature_maps:
            return _RATIO if self.context.task.startswith(("autoencoding", "vae")) else 1
        return 2 ** max(depth - 1, 0)

    def edge(self, name: str, place: int) -> Dim:
        """Return an edge of the image: whole patches, and whole strides of the coarsest map."""
        own = self.config.size("sample_size")
        size = self.whole(_SIDES[place]) or (own[place] if own else None)
        multiple = lcm(self.patch[1 + place], self.stride)
        limit = self.whole("pos_embed_max_size", "rope_max_seq_len")
        bounds = {} if limit is None else {"max": limit * self.patch[1 + place]}
        largest = self.config.raw("max_size")  # of a video: frames, height, width
        if isinstance(largest, (list, tuple)) and len(largest) == 3 and isinstance(largest[1 + place], int):
            bounds = {"max": check_amount(largest[1 + place], MOST_ELEMENTS, "as max_size")}
        if "cells" in (self.main or ()):
            size, multiple = None, 2
        elif size is None and self.context.task in _ENCODING and "num_frames" in (self.main or ()):
            size = -(-_VIDEO_EDGE // multiple) * multiple
        if self.config.raw("use_learned_positional_embeddings") and size is not None:
            return self.given_or_fixed(name, size, _SIDES[place])
        return self.dim(name, size=size, floor=multiple, multiple_of=multiple, **bounds)

    @property
    def main(self) -> tuple[str, ...] | None:
        """The words of what the model draws or reads."""
        return next((s.shape for s in self.context.facts.arguments.values() if s.shape), None)

    @property
    def height(self) -> Size:
        """The height."""
        return self.edge("height", 0)

    @property
    def width(self) -> Size:
        """The width."""
        return self.edge("width", 1)

    @property
    def cells(self) -> Size:
        """The rows that an image is packed into, two by two."""
        height, width = self.edge("height", 0), self.edge("width", 1)
        return (height // 2) * (width // 2)

    @property
    def length(self) -> Dim:
        """The length of a sound: whole strides of its encoder."""
        ratios = self.config.raw("downsampling_ratios")
        stride = prod(ratios) if isinstance(ratios, (list, tuple)) else self.stride
        check_amount(stride, MOST_ELEMENTS, "samples in one frame")
        return self.dim(
            "audio_sequence_length", size=self.whole("sample_size") or 8 * stride, floor=stride, multiple_of=stride
        )

    @property
    def num_frames(self) -> Size:
        """The frames of a video; an encoder's are one, and whole strides of time."""
        flags = self.config.raw("temperal_downsample")
        ratio = self.whole(*_TEMPORAL)
        if ratio is None and isinstance(flags, (list, tuple)):
            ratio = 2 ** sum(bool(flag) for flag in flags)
        if ratio and self.context.task in _ENCODING:
            return self.dim("num_frames", size=ratio + 1, choices=tuple(n * ratio + 1 for n in range(1, 5)))
        places = self.whole("video_length")  # a position for each frame
        if places is not None:
            return self.given_or_fixed("num_frames", places, "video_length")
        return self.dim("num_frames", floor=self.patch[0], multiple_of=self.patch[0])
