"""A configuration behind canonical names.

Hidden size is ``hidden_size``, ``d_model``, ``n_embd`` or ``dim``; image size an int, a pair or a dict; and any of them may
stand in a sub-configuration. `NormalizedConfig` answers under one name, first from the caller, then from the configuration,
through the names below in order. None counts as missing. Each value is checked against the type of its attribute when it is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Any, ClassVar

from dummyio.errors import SourceError, format_error_line
from dummyio.model_config.attribute_paths import collect_paths
from dummyio.model_config.attribute_types import check_attribute, check_axis, check_token_id, make_whole, shorten_value


def _words(lists: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    return {name: tuple(words.split()) for name, words in lists.items()}


ALIASES: Mapping[str, tuple[str, ...]] = _words(
    {
        "vocab_size": "vocab_size n_vocab vocabulary_size n_words n_token src_vocab_size input_vocab_size",
        "decoder_vocab_size": "decoder_vocab_size tgt_vocab_size vocab_size n_vocab vocabulary_size n_words",
        "type_vocab_size": "type_vocab_size n_types",
        "hidden_size": "hidden_size d_model n_embd dim embed_dim hidden_dim emb_dim encoder_embed_dim",
        "num_layers": "num_hidden_layers num_layers n_layer n_layers decoder_layers num_decoder_layers encoder_layers",
        "num_attention_heads": "num_attention_heads n_head n_heads num_heads decoder_attention_heads encoder_attention_heads",
        "num_key_value_heads": "num_key_value_heads num_kv_heads n_kv_heads multi_query_group_num n_head_kv",
        "head_dim": "head_dim d_kv kv_channels attention_head_dim head_size d_head",
        "v_head_dim": "v_head_dim",
        "encoder_num_layers": "encoder_layers num_encoder_layers encoder_num_hidden_layers num_hidden_layers num_layers",
        "decoder_num_layers": (
            "decoder_layers num_decoder_layers decoder_num_hidden_layers num_hidden_layers num_layers n_layer "
            "n_layers layers"
        ),
        "encoder_num_attention_heads": (
            "encoder_attention_heads num_encoder_attention_heads encoder_num_attention_heads num_attention_heads num_heads"
        ),
        "decoder_num_attention_heads": (
            "decoder_attention_heads num_decoder_attention_heads decoder_num_attention_heads num_attention_heads "
            "num_heads n_head n_heads attention_heads"
        ),
        "decoder_num_key_value_heads": (
            "decoder_num_key_value_heads num_key_value_heads num_kv_heads n_kv_heads kv_n_heads "
            "multi_query_group_num n_head_kv"
        ),
        "layer_types": "layer_types layers_block_type",
        "sliding_window": "sliding_window sliding_window_size attention_chunk_size",
        "max_positions": (
            "num_hash_buckets max_position_embeddings n_positions n_ctx max_seq_len max_sequence_length max_target_positions seq_length "
            "max_text_len"
        ),
        "max_source_positions": "max_source_positions max_encoder_position_embeddings max_position_embeddings",
        "max_target_positions": "max_target_positions max_decoder_position_embeddings max_position_embeddings",
        "image_size": "image_size input_size img_size sample_size crop_size size",
        "patch_size": "patch_size patch_sizes",
        "num_channels": "num_channels in_channels in_chans num_image_channels input_channels",
        "num_frames": "num_frames num_frame frames_per_clip",
        "num_mel_bins": "num_mel_bins feature_size n_mels mel_bins num_mel_channels",
        "audio_features": "input_feat_per_channel input_features_per_channel input_feat_size input_dim feature_projection_input_dim",
        "speaker_embedding_dim": "speaker_embedding_dim speaker_embedding_size",
        "num_codebooks": "num_codebooks n_codebooks num_quantizers",
        "max_2d_positions": "max_2d_position_embeddings",
        "conditioning_size": "joint_attention_dim cross_attention_dim caption_channels encoder_hid_dim text_embed_dim",
        "pooled_projection_dim": "pooled_projection_dim projection_size",
        "action_dim": "act_dim action_dim",
        "num_input_channels": "num_input_channels input_size",
        "pad_token_id": "pad_token_id padding_idx pad_index pad_id",
        "bos_token_id": "bos_token_id bos_index",
        "eos_token_id": "eos_token_id eos_index",
        "decoder_start_token_id": "decoder_start_token_id",
        "num_labels": "num_labels",
    }
)
"""Canonical attribute → the names that configurations use for it, the usual first."""

SUB_CONFIGS: Mapping[str, tuple[str, ...]] = _words(
    {
        "text": "text_config language_config llm_config text_encoder_config text_encoder",
        "vision": "vision_config image_config visual_config vision_encoder_config backbone_config",
        "audio": "audio_config audio_encoder_config speech_config audio_encoder encoder_config asr_config",
        "encoder": "encoder encoder_config text_encoder",
        "decoder": "decoder decoder_config text_config",
        "prompt": "prompt_encoder_config prompt_config",
        "semantic": "semantic_model_config semantic_config",
    }
)
"""What a sub-configuration is for → the names that composite configurations use for it."""

WRAPPERS: tuple[str, ...] = ("vlm_config", "thinker_config", "model_config")
"""Sub-configurations that are composite themselves, and are looked into where the outer one has none for a role."""


class NormalizedConfig:
    """A configuration behind canonical names.

    Parameters
    ----------
    config
        A dict, or any object with attributes (``PretrainedConfig``, another normalized configuration).
    given
        Values that win over the configuration.
    defaults
        Values for what the configuration leaves out, such as the defaults of its class.
    attribute_map
        More names, as Transformers' configuration classes have them: name asked for → name used.
    path
        The names of the configurations around this one, each with a dot at its end, for messages.
    allow_new, names
        Canonical names → attributes that are looked for first, with dots for those of sub-configurations; a subclass states them in
        capitals, ``NUM_LAYERS = "n_blocks"``. A name that the class does not have needs `allow_new`.
    """

    def __init__(
        self,
        config: Any,
        *,
        allow_new: bool = False,
        given: Mapping[str, Any] | None = None,
        defaults: Mapping[str, Any] | None = None,
        attribute_map: Mapping[str, str] | None = None,
        path: str = "",
        **names: str,
    ) -> None:
        """Take a configuration as it is: nothing is copied, and its values are checked when they are read, the caller's here.

        A dict must not change from then on: which parts and special tokens it has is found once.
        """
        self._paths = collect_paths(type(self), names, allow_new=allow_new) if names else self._class_paths
        self._config = config
        self._given = {name: value for name, value in (given or {}).items() if value is not None}
        for key, value in self._given.items():
            check_attribute(key, value, "", given=True)
        self._defaults = dict(defaults or {})
        self._map = dict(attribute_map or {})
        self._path = path
        self._checked: dict[str, Any] = {}
        self._parts: dict[str, NormalizedConfig | None] = {}
        self._tokens: Mapping[str, tuple[int, ...]] | None = None

    _class_paths: ClassVar[Mapping[str, str]] = {}
    """The names that the class states in capitals, in small letters."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls._class_paths = collect_paths(cls, {}, allow_new=True)

    @classmethod
    def with_args(cls, *, allow_new: bool = False, **names: Any) -> Callable[..., NormalizedConfig]:
        """Return the class with further names for attributes, as Optimum's users give it: ``with_args(num_layers="n_blocks")``."""
        collect_paths(cls, names, allow_new=allow_new)
        return partial(cls, allow_new=allow_new, **names)

    @property
    def config(self) -> Any:
        """The configuration itself."""
        return self._config

    def has_attribute(self, name: str) -> bool:
        """Whether there is a value under a canonical name; as `has`, under the name that Optimum's users have for it."""
        return self.has(name)

    @classmethod
    def of(cls, config: Any) -> NormalizedConfig:
        """Return `config` normalized, if it is not."""
        return config if isinstance(config, cls) else cls(config)

    def raw(self, name: str) -> Any:
        """Return the value under exactly that name; None if there is none.

        Raises
        ------
        SourceError
            if the configuration's value has not the type of that attribute.
        """
        value = self._given.get(name)
        if value is not None:
            return value
        value = _read_value(self._config, name, self._path)
        if value is None:
            value = self._defaults.get(name)
            return None if value is None else make_whole(name, value)
        if value is self._checked.get(name):
            return value
        value = make_whole(name, value)
        check_attribute(name, value, self._path, self._defaults.get(name))
        self._checked[name] = value
        return value

    def own(self, name: str) -> Any:
        """Return the value of the configuration itself, or of the caller, under exactly that name; not a default of its class."""
        return NormalizedConfig(self._config, given=self._given, path=self._path).raw(name)

    def get(self, name: str, default: Any = None) -> Any:
        """Return the value under a canonical name, or `default`."""
        if name in self._paths:
            value = self._follow(self._paths[name])
            if value is not None:
                return value
        for alias in self.names(name):
            value = self.raw(alias)
            if value is not None:
                return value
        return default

    def _follow(self, path: str) -> Any:
        """Return the value at a path of attributes, joined by dots; None if there is none."""
        value, *rest = (self.raw(path.partition(".")[0]), *path.split(".")[1:])
        for attribute in rest:
            value = None if value is None else NormalizedConfig.of(value).raw(attribute)
        return value

    def names(self, name: str) -> Iterator[str]:
        """Give the names under which a canonical one is looked for, the usual first."""
        if name in self._paths:
            yield self._paths[name]
        for alias in ALIASES.get(name, (name,)):
            yield alias
            other = self._map.get(alias)
            # A class may map a name of the whole model to one of its encoder, whose value is not that of the decoder.
            if other is not None and not (name.startswith("decoder_") and other.startswith("encoder_")):
                yield other

    def has(self, name: str) -> bool:
        """Whether there is a value under a canonical name."""
        return self.get(name) is not None

    def require(self, name: str) -> Any:
        """Return the value under a canonical name; raise `SourceError` if there is none, with the ways to give it."""
        value = self.get(name)
        if value is None:
            names = ", ".join(dict.fromkeys(self.names(name)))
            kind = self.raw("model_type")
            raise SourceError(
                f"the configuration{f' of model type {kind!r}' if kind else ''} does not have {name} (looked for: {names}). "
                f"Add it to the configuration, or give {name}=... to describe."
            )
        return value

    def integer(self, name: str, default: int | None = None) -> int:
        """Return a value that must be a whole number; raise `SourceError` if it is not one, or missing without a default."""
        value = self.get(name) if default is not None else self.require(name)
        if value is None:
            assert default is not None
            return default
        if isinstance(value, bool) or not isinstance(value, int):
            raise SourceError(
                f"the configuration has {self._path}{name}={shorten_value(value)}: a whole number is needed."
            )
        return value

    def axis(self, name: str) -> int | None:
        """Return the size of an axis, None if it is missing; raise `SourceError` for a value that is not a whole number above 0."""
        value = self.get(name)
        return None if value is None else check_axis(name, value, self._path)

    def token_id(self, *names: str) -> int | None:
        """Return the first special token of these exact names, what is written before a class's defaults; -1 counts as none.

        Raises
        ------
        SourceError
            if it is a number that cannot be a token.
        """
        for read in (self.own, self.raw):
            for name in names:
                value = read(name)
                value = value[0] if isinstance(value, (list, tuple)) and value else value
                found = None if value is None else check_token_id(name, value, self._path)
                if found is not None:
                    return found
        return None

    def size(self, name: str = "image_size") -> tuple[int, int] | None:
        """Return (height, width) from an int, a pair, a (channels, height, width) triple or a dict; None if missing."""
        value = self.get(name)
        if isinstance(value, Mapping):
            edge = value.get("shortest_edge")
            value = (value.get("height", edge), value.get("width", edge))
        if isinstance(value, int) and not isinstance(value, bool):
            value = (value, value)
        if isinstance(value, Sequence) and not isinstance(value, str) and len(value) == 1:
            value = (value[0], value[0])
        if isinstance(value, Sequence) and len(value) >= 2 and all(type(v) is int for v in value[-2:]):
            edges: Any = value
            return edges[-2], edges[-1]
        return None

    def sub(self, role: str) -> NormalizedConfig | None:
        """Return the sub-configuration for a role (``"text"``, ``"vision"``, ``"audio"``, ...); None if there is none."""
        if role not in self._parts or type(self._config) is not dict:
            self._parts[role] = self._find_part(role)
        return self._parts[role]

    def _find_part(self, role: str) -> NormalizedConfig | None:
        parts = (self._sub(name) for name in SUB_CONFIGS.get(role, (role,)))
        wrappers = (self._sub(name) for name in (*WRAPPERS, "encoder"))
        wrapped = (wrapper.sub(role) for wrapper in wrappers if wrapper is not None)
        return next((found for found in chain(parts, wrapped) if found is not None), None)

    def unwrapped(self) -> NormalizedConfig:
        """Return the composite configuration that this one wraps; itself if it wraps none."""
        return next((found for name in WRAPPERS if (found := self._sub(name)) is not None), self)

    def _sub(self, name: str) -> NormalizedConfig | None:
        value = self.raw(name)
        if value is None or isinstance(value, NormalizedConfig):
            return value
        if isinstance(value, (str, int, float, bool, list, tuple)):
            return None
        defaults = self._defaults.get(name)
        return NormalizedConfig(
            value,
            given=self._given,
            defaults=defaults if isinstance(defaults, Mapping) else None,
            attribute_map=self._map,
            path=f"{self._path}{name}.",
        )

    def inner(self, name: str) -> NormalizedConfig | None:
        """Return the first sub-configuration of any name that has a value under exactly this name; None without one."""
        keys = sorted(key for key in _keys(self._config) if isinstance(key, str) and key.endswith("_config"))
        parts = (self._sub(key) for key in keys)
        return next((part for part in parts if part is not None and part.raw(name) is not None), None)

    def part(self, role: str) -> NormalizedConfig:
        """Return the sub-configuration for a role, or this one if it has none."""
        return self.sub(role) or self

    def token_ids(self) -> tuple[int, ...]:
        """Return every id that the configuration names for a special purpose, ascending."""
        return tuple(sorted({id_ for ids in self._special_tokens().values() for id_ in ids}))

    def check_in_vocabulary(self, id_: int, attribute: str, vocabulary: NormalizedConfig) -> None:
        """Raise `SourceError` if a special token of this configuration is not in a vocabulary, `attribute` of `vocabulary`.

        Some models embed ids after the last one of the vocabulary: their classes have such an id as a default. Where no
        default is known, one such id is accepted.
        """
        size = vocabulary.integer(attribute)
        names = sorted(name for name, ids in self._special_tokens().items() if id_ in ids) if id_ >= size else ()
        if names and id_ - size > max(self._ids_after(name, attribute, vocabulary) for name in names):
            raise SourceError(
                f"the configuration has {self._path}{names[0]}={id_} and {vocabulary._path}{attribute}={size}: the id of a "
                "token that is put into a tensor must be below the size of the vocabulary. Correct one of the two."
            )

    def _ids_after(self, name: str, attribute: str, vocabulary: NormalizedConfig) -> int:
        """Return by how much the class's default of a special token may exceed the last id of its default vocabulary, from -1."""
        if not self._defaults:
            return 0
        sizes = (vocabulary._defaults.get(each) for each in vocabulary.names(attribute))
        id_, size = self._defaults.get(name), next((size for size in sizes if isinstance(size, int)), None)
        return max(id_ - size, -1) if isinstance(id_, int) and size is not None else -1

    def _special_tokens(self) -> Mapping[str, tuple[int, ...]]:
        if self._tokens is None or type(self._config) is not dict:
            self._tokens = self._find_special_tokens()
        return self._tokens

    def _find_special_tokens(self) -> Mapping[str, tuple[int, ...]]:
        found = {}
        for key in {*_keys(self._config), *self._defaults, *self._given}:
            if isinstance(key, str) and key.endswith(("_token_id", "_token_index", "_token_ids")):
                value = self.raw(key)
                values = value if isinstance(value, (list, tuple)) else (value,)
                found[key] = tuple(v for v in values if isinstance(v, int) and not isinstance(v, bool) and v >= 0)
        return found

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        value = self.get(name)
        if value is None:
            raise AttributeError(f"the configuration does not have {name}.")
        return value


def _read_value(config: Any, name: str, path: str) -> Any:
    # Asking whether a dict is a `Mapping` takes longer than the answer, and this is asked all the time.
    if type(config) is dict:
        return config.get(name)
    try:
        return config.get(name) if isinstance(config, Mapping) else getattr(config, name, None)
    except SourceError:
        raise
    except Exception as error:
        raise SourceError(f"{path}{name} of the configuration cannot be read: {format_error_line(error)}") from error


def _keys(config: Any) -> set[Any]:
    """Return the names that a configuration holds; those of the one it wraps, if it is itself a normalized one."""
    if isinstance(config, Mapping):
        return set(config)
    own = getattr(config, "__dict__", {})
    return set(own) | (_keys(own["config"]) if "config" in own else set())
