"""The role of an input by its name: masks, ids, positions, a past, lengths, time steps, training targets."""

import re

_MASK = re.compile(r"mask(_\w?\d+)?$|^mask")
_PADDING_MASK = re.compile(r"^(?P<prefix>.*?)(attention_|input_|key_padding_|padding_)?mask$")
_NO_PADDING_MASK = re.compile(r"(head|pixel|pixel_attention|special_tokens|bool)_mask$")
_IDS = re.compile(r"^(?P<prefix>.*?)(input_word_|input_|token_|word_)?(ids|tokens?)$")
_POSITION_IDS = re.compile(r"(^|_)(position|pos)_?ids?$|^((cache|encoder|decoder|input)_)?positions?$")
_PLACES = re.compile(r"(ids|index|indices|indexes|tags)$")
_TYPE_IDS = re.compile(r"(token_type|segment|type)_?ids$|^segments$")
_PARALLEL_IDS = re.compile(r"(position_|pos_|token_type_|segment_|type_)ids$")
_INDICES = re.compile(r"ids$|tokens?$|^(src|tgt|x|inputs?|text)$")
_PAST = re.compile(r"^(past|cache)(?!.*position)")
_PAST_ROOTS = frozenset({"past_key_values", "cache_params"})
_PARTS = frozenset("src tgt decoder encoder source target query key memory".split())  # noqa: SIM905
_KIND = re.compile(r"(^|_)(key_padding_|padding_|attention_|attn_|input_)?(mask|ids|tokens|input|lengths?)$")
_TARGET = re.compile(
    r"^(labels?|targets?|y|y_true|gt|ground_truth|head_mask|inputs_embeds|encoder_outputs|past_key_values)$"
    r"|_(labels?|targets?)$|^(loss|return|output|use)_|cache"
)
_DATA = re.compile(
    r"mask$|_?ids$|^edge_|^(x|input|inputs|positions?|timesteps?|t|lengths?|context|cond|conditioning|memory|bbox|boxes|image|images|"
    r"pixel_values|src|tgt|tokens|segments|features|class_labels?|encoder_hidden_states|noise|noise_level|guidance|audio|text)$"
)


def strip_framework_parts(name: str) -> str:
    """Return an input's name in small letters, without scopes and output numbers."""
    return re.sub(r"(?<=\D)\.\d+$|:\d+$", "", name).split("/")[-1].lower().removeprefix("serving_default_")


def get_leaf_name(path: str) -> str:
    """Return the last part of a path that is not a number, without what frameworks add: ``mask`` for ``batch.Mask.0``."""
    plain = strip_framework_parts(path)
    return next((part for part in reversed(plain.split(".")) if not part.isdecimal()), plain)


def is_mask(name: str) -> bool:
    """Whether an input is a mask of any kind."""
    return _MASK.search(get_leaf_name(name)) is not None


def is_padding_mask(name: str) -> bool:
    """Whether an input is a padding mask."""
    plain = strip_framework_parts(name)
    return plain.endswith("mask") and _NO_PADDING_MASK.search(plain) is None


def is_ids(name: str) -> bool:
    """Whether an input is token ids."""
    plain = strip_framework_parts(name)
    return _IDS.match(plain) is not None and _PARALLEL_IDS.search(plain) is None


def is_indices(name: str) -> bool:
    """Whether an input is numbers that choose from something: ids, indices, tags."""
    return _PLACES.search(get_leaf_name(name)) is not None


def can_be_token_ids(name: str) -> bool:
    """Whether integers that index a table are token ids, and not the index of a category."""
    return _INDICES.search(get_leaf_name(name)) is not None


def is_position_ids(name: str) -> bool:
    """Whether an input is the positions of tokens."""
    return _POSITION_IDS.search(get_leaf_name(name)) is not None


def is_type_ids(name: str) -> bool:
    """Whether an input is the types (segments) of tokens."""
    return _TYPE_IDS.search(get_leaf_name(name)) is not None


def is_parallel_ids(name: str) -> bool:
    """Whether an input has an element for each token id without being ids: positions, types."""
    return _PARALLEL_IDS.search(strip_framework_parts(name)) is not None


def is_edge_index(name: str) -> bool:
    """Whether an input is the pairs of nodes that the edges of a graph join."""
    return re.search(r"(^|_)edge_(label_)?index$", get_leaf_name(name)) is not None


def is_embeddings(name: str) -> bool:
    """Whether an input is a vector for each token."""
    return re.search(r"hidden_states|embeds$|embeddings$", get_leaf_name(name)) is not None


def is_length(name: str) -> bool:
    """Whether an input is the lengths of rows."""
    return re.search(r"(^|_)(lengths?|lens?)$", get_leaf_name(name)) is not None


def is_timestep(name: str) -> bool:
    """Whether an input is the time steps of a diffusion."""
    return re.search(r"^timesteps?$", get_leaf_name(name)) is not None


def is_wave(name: str) -> bool:
    """Whether an input is the samples of a sound."""
    return re.search(r"audio|waveform|^wav|speech|^input_values$", get_leaf_name(name)) is not None


def is_past(name: str) -> bool:
    """Whether an input is a part of a decoder's own past."""
    plain = strip_framework_parts(name)
    return _PAST.match(plain) is not None and not re.search(r"encoder|cross", plain)


def present_name(path: str) -> str | None:
    """Return the output that continues a part of the past: ``present.0.key`` for ``past_key_values.0.key``."""
    root, _, rest = path.partition(".")
    return f"present.{rest}" if rest and root in _PAST_ROOTS else None


def is_present(name: str) -> bool:
    """Whether an output continues a part of the past."""
    return name.startswith("present.")


def has_target_name(name: str) -> bool:
    """Whether an optional argument is a training target, a switch or a cache by its name, so that it is not fed."""
    return _TARGET.search(name) is not None


def has_data_name(name: str) -> bool:
    """Whether an optional argument without an annotation is data to feed by its name."""
    return _DATA.search(name) is not None


def get_name_prefix(name: str) -> str:
    """Return the beginning of a mask's or ids' name, which its relatives have too: ``decoder_``, or an empty text."""
    plain = strip_framework_parts(name)
    found = _PADDING_MASK.match(plain) or _IDS.match(_PARALLEL_IDS.sub("ids", plain))
    return found["prefix"] if found else ""


def get_model_part(name: str) -> str:
    """Return the part of a model that an argument belongs to: ``src``, ``decoder`` or an empty text."""
    plain = _KIND.sub("", name.lower())
    return plain if plain in _PARTS else ""
