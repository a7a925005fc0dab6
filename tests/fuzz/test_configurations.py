"""Attacks with configurations: mutated ones of every kind, files, options and odd objects end in an error of dummyio.

The real configurations are those of tiny models of Transformers in ``tests/data`` and of tests of Diffusers below. A mutation
changes values and types of some fields at any depth; those that the description reads are chosen more often.
"""

import copy
import gzip
import json
import os
import random
import types
import warnings
from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import pytest

import dummyio
from dummyio.huggingface.tasks.task_table import ALIASES, TASKS
from dummyio.spec.default_sizes import DEFAULT_DUMMY_SHAPES
from dummyio.spec.tensor_spec import iterate_leaves

pytestmark = pytest.mark.filterwarnings("ignore")
pytest.importorskip("transformers")

_DATA = Path(__file__).parent.parent / "data" / "hf_cases.jsonl.gz"
_SMALL = {"batch_size": 1, "sequence_length": 4}
_TASKS = (*(task.name for task in TASKS), *ALIASES, "text-generation-with-past", "feature-extraction-with-past", "banana", "")

_DIFFUSERS: tuple[dict[str, Any], ...] = (
    {
        "_class_name": "UNet2DConditionModel",
        "in_channels": 4,
        "sample_size": 32,
        "block_out_channels": [32, 64],
        "cross_attention_dim": 32,
        "attention_head_dim": 8,
        "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D"],
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 8,
        "projection_class_embeddings_input_dim": 80,
        "class_embed_type": "timestep",
    },
    {"_class_name": "AutoencoderKL", "in_channels": 3, "latent_channels": 4, "block_out_channels": [4, 8], "sample_size": 32},
    {
        "_class_name": "FluxTransformer2DModel",
        "in_channels": 4,
        "patch_size": 1,
        "num_attention_heads": 2,
        "attention_head_dim": 16,
        "joint_attention_dim": 32,
        "pooled_projection_dim": 32,
        "axes_dims_rope": [4, 4, 8],
        "guidance_embeds": True,
    },
    {
        "_class_name": "CogVideoXTransformer3DModel",
        "in_channels": 4,
        "patch_size": 2,
        "sample_height": 8,
        "sample_width": 8,
        "sample_frames": 9,
        "text_embed_dim": 8,
        "max_text_seq_length": 8,
        "num_attention_heads": 2,
        "attention_head_dim": 8,
        "use_rotary_positional_embeddings": False,
    },
    {"_class_name": "OobleckDecoder", "channels": 3, "downsampling_ratios": [2, 4], "audio_channels": 2},
)

_VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 3, 7, 64, 10**4, 10**6, 10**9, 2**31, 2**32, 2**53, 2**63, 2**64, 2**70, -(2**70), 10**400,
    0.0, -0.0, 0.5, 1.5, -3.25, 1e308, 1e-320, float("nan"), float("inf"), float("-inf"),
    "", "12", "-1", "abc", "None", "0x10", "1e9", "../../..", "/etc/passwd", "a\x00b", "\u202eabc", "\ud800", "\n\x1b[31m", "ß" * 300,
    "x" * 100_000, "org/kernel", "bert", "BertModel",
    [], [0], [1], [1, 2], [1, 2, 3, 4, 5], [[1]], [None], ["a"], [True], [-1, 2], [2**70], [0.5], ["full_attention"], [{}],
    [1] * 1000, ["linear_attention"] * 5000, [[1, 2]] * 40,
    {}, {"a": 1}, {"height": 4}, {"height": "4", "width": 2}, {"shortest_edge": -1}, {"0": "a"}, {"model_type": "bert"}, {"": None},
    {"model_type": ["bert"]}, {"model_type": "../x", "vocab_size": 3}, {"vocab_size": "3", "hidden_size": [4]}, {"0": {"head_dim": "x"}},
    (1, 2), b"bytes", {1, 2}, 1j, object(), range(4), {1: 2}, int, len,
)  # fmt: skip
"""Values that are put in the place of others: of each type, extreme, and such as a description could take for good."""

_READ = (
    "vocab_size hidden_size num_hidden_layers num_attention_heads num_key_value_heads head_dim layer_types sliding_window image_size "
    "patch_size num_channels num_mel_bins max_position_embeddings max_source_positions pad_token_id eos_token_id image_token_id "
    "image_token_index model_type architectures text_config vision_config audio_config encoder decoder is_encoder_decoder conv_kernel "
    "conv_stride num_codebooks codebook_size sampling_rate depths type_vocab_size id2label _class_name in_channels block_out_channels "
    "sample_size cross_attention_dim rope_scaling rope_parameters quantization_config auto_map attn_layer_period per_layer_config "
    "num_labels num_frames spatial_merge_size image_grid_pinpoints n_window window_size downsample_rate _attn_implementation "
    "qk_rope_head_dim qk_nope_head_dim v_head_dim kv_lora_rank context_length prediction_length lags_sequence cardinality"
).split()
"""Fields that are added or changed more often than others, because descriptions read them."""


@lru_cache(maxsize=1)
def _real() -> tuple[dict[str, Any], ...]:
    with gzip.open(_DATA, "rt") as lines:
        cases = [json.loads(line) for line in lines]
    return (*({**case["config"], "architectures": [case["class"]]} for case in cases), *_DIFFUSERS)


def _containers(value: Any, found: list[Any]) -> list[Any]:
    if isinstance(value, (dict, list)) and len(found) < 200:
        found.append(value)
        for item in value.values() if isinstance(value, dict) else value:
            _containers(item, found)
    return found


def _mutate(config: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    """Return a configuration with one to six changes."""
    config = copy.deepcopy(config)
    for _ in range(rng.choice((1, 1, 2, 3, 6))):
        containers = _containers(config, [])
        place = config if rng.random() < 0.6 else rng.choice(containers)
        if isinstance(place, list):
            _change_list(place, rng)
        else:
            _change_dict(place, config, rng)
    return config


def _change_list(place: list[Any], rng: random.Random) -> None:
    if not place or rng.random() < 0.2:
        place.append(rng.choice(_VALUES))
    elif rng.random() < 0.2:
        del place[rng.randrange(len(place))]
    else:
        place[rng.randrange(len(place))] = rng.choice(_VALUES)


def _change_dict(place: dict[Any, Any], config: dict[str, Any], rng: random.Random) -> None:
    names = [name for name in place if name in _READ] if rng.random() < 0.5 else [*place]
    name = rng.choice(names or _READ)
    old = place.get(name)
    match rng.randrange(10):
        case 0:
            place.pop(name, None)
        case 1:
            place[rng.choice(_READ)] = rng.choice(_VALUES)
        case 2 if isinstance(old, int):
            place[name] = rng.choice((-old, old * 1000, old + 1, old // 2, str(old), float(old), [old], [old, old], {"a": old}, old * 2**40))
        case 3 if isinstance(old, (list, dict)):
            place[name] = rng.choice((str(len(old)), [old], {"a": old}, len(old), [*old] * 3, [*old][:1], [*old][::-1]))
        case 4:  # a field of another model
            other = rng.choice(_real())
            field = rng.choice([*other])
            place[field] = copy.deepcopy(other[field])
        case 5 if isinstance(place, dict) and len(place) < 1000:
            place[name] = rng.choice((config, place)) if rng.random() < 0.1 else _nest(rng)
        case 6:  # the value of another field of the same type: plausible, and wrong
            same = [value for value in place.values() if type(value) is type(old)]
            place[name] = rng.choice(same) if same else 1
        case 7:
            place[rng.choice(_READ)] = rng.choice((0, 1, 2, 3, 5, 17, 100, 1000, 4096, 65536, [1, 2], [2, 2, 2], [3, 1], True, False))
        case _:
            place[name] = rng.choice(_VALUES)


def _differs(value: Any, other: Any) -> bool:
    try:
        return bool(value != other)
    except RecursionError:
        return True


def _nest(rng: random.Random) -> Any:
    value: Any = 1
    for _ in range(rng.choice((3, 70, 3000, 20_000))):
        value = {"text_config": value} if rng.random() < 0.5 else [value]
    return value


def _describe_and_generate(config: Any, task: str | None = None, **keywords: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        spec = dummyio.describe(config, task, **keywords)
        spec.dims  # noqa: B018 - computed when it is read
        sizes = {name: size for name, size in _SMALL.items() if name in spec.dims and _fits(spec.dims[name], size)}
        total = sum(_bytes(leaf, sizes) for leaf in dict(iterate_leaves(spec.items())).values())
        if total < 1 << 24:
            spec.generate(**sizes)


def _fits(dim: Any, size: int) -> bool:
    return dim.min <= size and (dim.max is None or size <= dim.max) and size % (dim.multiple_of or 1) == 0


def _bytes(leaf: Any, sizes: dict[str, int]) -> int:
    total = 8
    for size in leaf.sizes():
        total *= size
    return total


def _configurations(rng: random.Random, count: int) -> Iterator[tuple[str, Callable[[], Any]]]:
    for number in range(count):
        real = rng.choice(_real())
        config = _mutate(real, rng)
        task = rng.choice(_TASKS) if rng.random() < 0.2 else None
        if task is None and rng.random() < 0.3:
            task = rng.choice(("text-generation-with-past", "feature-extraction-with-past", "text2text-generation-with-past"))
        changed = [str(name)[:30] for name in config if name not in real or config[name] is not real[name] and _differs(config[name], real[name])]
        label = f"{number} task={task} {real.get('architectures', real.get('_class_name'))}: {', '.join(changed)[:150]!a}"
        yield label, partial(_describe_and_generate, config, task)


def test_mutated_configurations(attack):
    counts = attack.run(_configurations(attack.random("configurations"), attack.count(6000)))
    assert counts["accepted"] and counts["SourceError"]
