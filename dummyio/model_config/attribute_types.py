"""The types of configuration attributes, and the check of a value when it is read.

A configuration is data of unknown types: JSON from anywhere, or Python objects. `NormalizedConfig` checks each value that it
returns, so no other code meets a text where a number is due, or a layer count that fills the memory. Attributes that nothing
reads are not looked at.

Many attributes have several forms (a number, or a list with one for each layer or stage); the reader of an attribute refuses
those that it cannot use. An attribute that is not in the table is read only by the evaluation of source text: where the
default of its class is a number, it must be a number, or a list or dict of them, too; and a size where its name is that of a
size (`linear_num_key_heads`) and the default is one.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, NamedTuple, TypeAlias

import msgspec
from msgspec import Meta

from dummyio.errors import OptionError, SourceError

MOST_LAYERS = 4096
"""The largest number of layers: the deepest published models have 1000."""
MOST_TOKENS = 1 << 20
"""The largest number of tokens that stand for one medium in a text."""
MOST_ELEMENTS = 1 << 40
"""The largest number that is computed from attributes, such as the samples that one frame is made of."""

_INT64 = 1 << 63
_SHOWN = 60

Size: TypeAlias = Annotated[int, Meta(ge=1, le=1 << 20)]
Count: TypeAlias = Annotated[int, Meta(ge=0, le=1 << 20)]
Layers: TypeAlias = Annotated[int, Meta(ge=1, le=MOST_LAYERS)]
Vocabulary: TypeAlias = Annotated[int, Meta(ge=0, le=(1 << 31) - 1)]
TokenId: TypeAlias = Annotated[int, Meta(ge=-(1 << 31), le=(1 << 31) - 1)]
Limit: TypeAlias = Annotated[int, Meta(ge=-1, le=_INT64 - 1)]
Ratio: TypeAlias = Annotated[float, Meta(gt=0, le=1e6)]
Few: TypeAlias = Annotated[int, Meta(ge=0, le=16)]
Word: TypeAlias = Annotated[str, Meta(max_length=100)]
Name: TypeAlias = Annotated[str, Meta(pattern=r"^([A-Za-z0-9][A-Za-z0-9_.\-]{0,99})?$")]


class _Kind(NamedTuple):
    """The type of some attributes, and the rule in words."""

    struct: Any
    rule: str


def _kind(annotation: Any, rule: str) -> _Kind:
    # A type inside a class is compiled once, a bare one at each call of `convert`.
    return _Kind(msgspec.defstruct("Attribute", [("value", annotation)]), rule)


def _list(item: Any, most: int, least: int = 1) -> Any:
    return Annotated[list[item], Meta(min_length=least, max_length=most)]


_SIZE = f"a whole number from 1 to {1 << 20}"
_SIZES = _kind(Size | _list(Count | None, MOST_LAYERS), f"{_SIZE}, or a list of such numbers, is needed")
_ONE_SIZE = _kind(Size, f"{_SIZE} is needed")
_COUNT = _kind(Count, f"a whole number from 0 to {1 << 20} is needed")
_SIZE_OR_OFF = _kind(Count, f"a whole number from 0 to {1 << 20} is needed")
_LIMIT = _kind(
    Limit | _list(Limit | None, MOST_LAYERS), "a whole number from 1 to 2**63 - 1, or -1 for no limit, is needed"
)
_COUNTS = _kind(_list(Count, MOST_LAYERS, 0), "a list of whole numbers is needed")
_LAYERS = _kind(Layers, f"a whole number from 1 to {MOST_LAYERS} is needed")
_VOCABULARY = _kind(Vocabulary, f"a whole number from 0 to {(1 << 31) - 1} is needed")
_TOKEN = _kind(TokenId, "a token id (a whole number) is needed")
_TOKENS = _kind(TokenId | _list(TokenId, 1 << 16), "a token id, or a list of token ids, is needed")
_TOKEN_LIST = _kind(_list(TokenId, 1 << 16, 0), "a list of token ids is needed")
_WORD = _kind(Word, "a name is needed")
_FLAG = _kind(bool, "true or false is needed")
_CHANNELS = _kind(_list(Size, 32), "a list of sizes, one for each of at most 32 stages, is needed")
_STAGES = _kind(
    _list(int | float | bool | Word | list[Any], 32, 0), "a list with an item for each of at most 32 stages is needed"
)
_NUMBERS = _kind(
    Annotated[int, Meta(ge=-_INT64, le=_INT64 - 1)] | float | _list(int | float | list[Any] | None, MOST_LAYERS),
    "a number, or a list of numbers, is needed",
)

_TABLE: tuple[tuple[str, _Kind], ...] = (
    # Texts.
    (
        "vocab_size n_vocab vocabulary_size n_words n_token src_vocab_size decoder_vocab_size tgt_vocab_size",
        _VOCABULARY,
    ),
    ("pad_token_id padding_idx pad_index pad_id bos_index eos_index", _TOKENS),
    ("type_vocab_size n_types", _SIZE_OR_OFF),
    ("num_labels", _COUNT),
    (
        "max_depth tag_pad_id subs_pad_id max_length visual_embedding_dim speaker_embedding_dim speaker_embedding_size",
        _ONE_SIZE,
    ),
    (
        (
            "sliding_window sliding_window_size attention_chunk_size num_hash_buckets max_position_embeddings n_positions n_ctx "
            "max_seq_len max_sequence_length max_target_positions seq_length max_text_len max_encoder_position_embeddings "
            "max_decoder_position_embeddings max_2d_position_embeddings max_ep_len"
        ),
        _LIMIT,
    ),
    ("type_vocab_sizes lags_sequence cardinality axes_dims_rope", _COUNTS),
    # Layers, and what they keep.
    (
        "hidden_size d_model n_embd dim embed_dim hidden_dim emb_dim encoder_embed_dim intermediate_size encoder_ffn_dim",
        _SIZES,
    ),
    (
        "num_attention_heads n_head n_heads num_heads decoder_attention_heads encoder_attention_heads attention_heads",
        _SIZES,
    ),
    (
        "num_encoder_attention_heads encoder_num_attention_heads num_decoder_attention_heads decoder_num_attention_heads",
        _SIZES,
    ),
    (
        "num_key_value_heads num_kv_heads n_kv_heads multi_query_group_num n_head_kv kv_n_heads decoder_num_key_value_heads",
        _SIZES,
    ),
    ("swa_num_key_value_heads num_global_key_value_heads swa_head_dim swa_v_head_dim global_head_dim", _SIZES),
    ("head_dim d_kv kv_channels attention_head_dim head_size d_head v_head_dim", _SIZES),
    ("cross_num_key_value_heads cross_head_dim index_head_dim", _ONE_SIZE),
    ("kv_lora_rank qk_rope_head_dim qk_nope_head_dim word_embed_proj_dim", _SIZE_OR_OFF),
    ("num_kv_shared_layers attn_layer_offset", _COUNT),
    (
        "num_hidden_layers num_layers n_layer n_layers decoder_layers num_decoder_layers decoder_num_hidden_layers layers",
        _LAYERS,
    ),
    ("attn_layer_period", _LAYERS),
    (
        "encoder_layers num_encoder_layers encoder_num_hidden_layers",
        _kind(Annotated[int, Meta(ge=0, le=MOST_LAYERS)], f"a whole number from 0 to {MOST_LAYERS} is needed"),
    ),
    (
        "layer_types layers_block_type indexer_types",
        _kind(_list(Word, MOST_LAYERS), f"a list of at most {MOST_LAYERS} names, one for each layer, is needed"),
    ),
    (
        "per_layer_config",
        _kind(
            dict[Annotated[str, Meta(pattern="^[0-9]{1,6}$")] | int, Any] | list[Any],
            "a dict of layer numbers, or a list, is needed",
        ),
    ),
    ("depths", _kind(Count | _list(Count | list[Count], 64), "a list of numbers of layers is needed")),
    # Images and videos.
    (
        "image_size input_size img_size sample_size crop_size size image_embedding_size",
        _kind(
            Size | _list(Size, 3) | Annotated[dict[str, Size | bool | None], Meta(min_length=1)],
            f"{_SIZE}, a list of at most 3 such numbers, or a dict such as height=..., width=..., is needed",
        ),
    ),
    (
        "patch_size patch_sizes temporal_patch_size patch_size_t patch_temporal tubelet_size patch_stride",
        _kind(
            Size | _list(Size, 32) | Annotated[dict[str, Size | None], Meta(min_length=1)],
            f"{_SIZE}, a list of at most 32 such numbers, or a dict such as height=..., width=..., is needed",
        ),
    ),
    (
        "patch_padding",
        _kind(Count | _list(Count, 32), f"a whole number from 0 to {1 << 20}, or a list of them, is needed"),
    ),
    (
        "num_channels in_channels in_chans num_image_channels input_channels num_frames num_frame frames_per_clip",
        _ONE_SIZE,
    ),
    (
        "mm_tokens_per_image vision_soft_tokens_per_image num_query_tokens latent_query_num resampler_n_latents",
        _ONE_SIZE,
    ),
    ("image_seq_length num_image_tokens image_token_num output_channels projection_dim num_windows_side", _ONE_SIZE),
    ("pooling_kernel_size spatial_merge_size merge_size merge_kernel_size window_kernel_size", _SIZES),
    ("merger_times", _kind(Few, "a whole number from 0 to 16 is needed")),
    (
        "image_grid_pinpoints",
        _kind(
            _list(Annotated[list[Size], Meta(min_length=2, max_length=2)], 4096), "a list of pairs of sizes is needed"
        ),
    ),
    ("downsample_factor scale_factor pixel_shuffle_factor hidden_stride projector_pooling_ratio", _ONE_SIZE),
    ("downsample_ratio pixel_shuffle_ratio frame_ms", _kind(Ratio, "a number above 0 is needed")),
    (
        "max_value_projector_patch_to_query_dict projector_patch_to_query_dict",
        _kind(Size | Annotated[dict[Any, Size], Meta(min_length=1)], "a dict of whole numbers is needed"),
    ),
    # Audio.
    (
        "num_mel_bins feature_size n_mels mel_bins num_mel_channels n_mel_bins max_source_positions model_in_channels",
        _ONE_SIZE,
    ),
    (
        "input_feat_per_channel input_features_per_channel input_feat_size input_dim feature_projection_input_dim hop_length n_window",
        _ONE_SIZE,
    ),
    (
        "sample_rate spec_size audio_length_per_tok audio_merge_size audio_soft_tokens_per_image audio_channels",
        _ONE_SIZE,
    ),
    ("num_codebooks n_codebooks num_quantizers codebook_size", _ONE_SIZE),
    ("window_size downsample_rate", _SIZES),
    (
        "conv_kernel conv_stride downsampling_ratios",
        _kind(Size | _list(Size, 64), f"{_SIZE}, or a list of them, is needed"),
    ),
    # Time series, trajectories and robots.
    ("num_static_categorical_features num_static_real_features num_time_features", _COUNT),
    ("act_dim action_dim num_input_channels state_dim max_action_dim max_state_dim chunk_size num_targets", _ONE_SIZE),
    ("context_length prediction_length horizon_length", _ONE_SIZE),
    # Denoisers and autoencoders.
    (
        "latent_channels z_dim vq_embed_dim out_latent_channels conditioning_channels sample_height sample_width",
        _ONE_SIZE,
    ),
    ("pooled_projection_dim projection_size projection_class_embeddings_input_dim addition_time_embed_dim", _ONE_SIZE),
    (
        "time_cond_proj_dim text_encoder_projection_dim num_class_embeds num_embeds_ada_norm num_vector_embeds",
        _ONE_SIZE,
    ),
    ("pos_embed_max_size rope_max_seq_len max_text_seq_length video_length", _ONE_SIZE),
    ("joint_attention_dim cross_attention_dim caption_channels encoder_hid_dim", _SIZES),
    ("extra_conditioning_channels", _COUNT),
    (
        "block_out_channels encoder_block_out_channels decoder_block_out_channels conditioning_embedding_out_channels",
        _CHANNELS,
    ),
    ("dim_mult channel_multiplier block_types down_block_types up_block_types temperal_downsample", _STAGES),
    # Switches and names.
    (
        "is_encoder_decoder is_decoder use_sliding_window multi_query multi_query_attention new_decoder_architecture",
        _FLAG,
    ),
    ("use_additional_conditions use_learned_positional_embeddings use_rotary_positional_embeddings", _FLAG),
    ("requires_aesthetics_score vision_use_cls_token guidance_embeds", _FLAG),
    (
        "downsample_mode vision_feature_select_strategy class_embed_type addition_embed_type norm_type problem_type",
        _WORD,
    ),
    ("model_type", _kind(Name, "the name of a model type (letters, digits, '_', '-' and '.') is needed")),
    ("id2label", _kind(dict[Any, Any], "a dict is needed")),
)
_KINDS: Mapping[str, _Kind] = {name: kind for names, kind in _TABLE for name in names.split()}
_SEVERAL = ("bos_", "eos_", "pad_", "decoder_start_", "forced_")
"""Beginnings of the names of token ids of which a model may have several."""
_SIZE_NAME = re.compile(r"(^|_)(heads|dim|size|channels|kernel|rank|groups|features|width|state|conv)$")
"""Names that are those of sizes, where the table does not have them."""
_PARTS = frozenset({"encoder", "decoder", "text_encoder", "audio_encoder"})
_PLAIN_PARTS = (str, int, float, list, tuple, set)


def check_attribute(name: str, value: Any, path: str, default: Any = None, *, given: bool = False) -> None:
    """Raise an error if a value has not the type of the attribute of that name.

    Parameters
    ----------
    name, value
        The attribute's name and value.
    path
        The names of the configurations around it, each with a dot at its end.
    default
        The value that the configuration's class has for an attribute without a type of its own.
    given
        Whether the caller gives the value: then the error is an `OptionError`, else a `SourceError`.
    """
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes, list, tuple, range)):
        return  # a view that a configuration object makes of its own layers: making a list of it makes their configurations
    kind = _find_kind(name, default)
    if kind is not None:
        try:
            msgspec.convert({"value": value}, kind.struct)
        except Exception:  # noqa: BLE001 - a lone surrogate, a nested or foreign object: msgspec raises several errors
            raise _error(name, value, path, kind.rule, given=given) from None
        if value == 0 and (kind is _LIMIT or (kind in (_SIZE_OR_OFF, _VOCABULARY) and _is_positive(default))):
            # A size of 0 switches off what it is a size of, where the class of the configuration has that as its default.
            rule = kind.rule if kind is _LIMIT else "a whole number above 0 is needed"
            raise _error(name, value, path, rule, given=given)
    elif type(value) is int and not -_INT64 <= value < _INT64:
        raise _error(name, value, path, "a whole number must fit in 64 bits", given=given)
    elif (name.endswith("_config") or (name in _PARTS and not isinstance(value, str))) and isinstance(
        value, _PLAIN_PARTS
    ):
        raise _error(name, value, path, "a configuration (a dict) is needed", given=given)


def make_whole(name: str, value: Any) -> Any:
    """Return a float that is a whole number, such as 1200.0, as an int, where the attribute of that name is a size or a limit."""
    whole = type(value) is float and value.is_integer() and _KINDS.get(name) in (_LIMIT, _SIZES, _ONE_SIZE)
    return int(value) if whole else value


def _find_kind(name: str, default: Any) -> _Kind | None:
    found = _KINDS.get(name)
    if found is not None:
        return found
    if name.endswith("_token_ids"):
        return _TOKEN_LIST
    if name.endswith(("_token_id", "_token_index")):
        return _TOKENS if name.startswith(_SEVERAL) else _TOKEN
    if name.endswith("_vocab_size"):
        return _VOCABULARY
    if _is_positive(default) and _SIZE_NAME.search(name):
        return _SIZES
    return _NUMBERS if type(default) in (int, float) else None


def _is_positive(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def check_axis(name: str, value: Any, path: str) -> int:
    """Return a value that is used as the size of an axis; raise `SourceError` for all but a whole number above 0."""
    if not _is_positive(value):
        raise _error(name, value, path, "the size of an axis (a whole number above 0) is needed", given=False)
    return int(value)


def check_token_id(name: str, value: Any, path: str) -> int | None:
    """Return a token id that is put into a tensor, None for -1, which means none; raise `SourceError` for others below 0."""
    if not isinstance(value, int) or value < -1:
        raise _error(name, value, path, "a token id is a whole number from 0, or -1 for none", given=False)
    return None if value == -1 else value


def _error(name: str, value: Any, path: str, rule: str, *, given: bool) -> SourceError | OptionError:
    if given:
        return OptionError(f"{name}={shorten_value(value)}: {rule}.")
    return SourceError(f"the configuration has {path}{name}={shorten_value(value)}: {rule}. Correct the configuration.")


def shorten_value(value: Any) -> str:
    """Return a value as text for a message: at most 60 characters, and of a large or a nested one only its kind."""
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 256:
        return f"a number of {value.bit_length()} bits"
    if isinstance(value, (str, bytes)):
        return repr(value) if len(value) <= _SHOWN else f"{value[: _SHOWN - 3]!r}... ({len(value)} characters)"
    if value is None or isinstance(value, (bool, int, float)):
        return repr(value)
    if (
        isinstance(value, (list, tuple))
        and len(value) <= 8
        and all(type(item) in (bool, int, float, type(None)) for item in value)
    ):
        text = ", ".join(map(shorten_value, value))
        return f"[{text}]" if len(text) <= _SHOWN else f"a list of {len(value)} items"
    if isinstance(value, Sequence | Mapping):
        return f"a {type(value).__name__} of {len(value)} items"
    return f"a {type(value).__qualname__}"


def check_amount(amount: int, most: int, what: str) -> int:
    """Return a number that is computed from attributes; raise `SourceError` if it is above a limit."""
    if amount > most:
        raise SourceError(
            f"the configuration gives {shorten_value(amount)} {what}: at most {most} are described. Correct its sizes."
        )
    return amount


def is_name(text: object) -> bool:
    """Return whether a value can name a class: a plain identifier of at most 200 characters."""
    return isinstance(text, str) and re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,199}", text) is not None
