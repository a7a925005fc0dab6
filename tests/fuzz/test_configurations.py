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
_TASKS = (
    *(task.name for task in TASKS),
    *ALIASES,
    "text-generation-with-past",
    "feature-extraction-with-past",
    "banana",
    "",
)

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
    {
        "_class_name": "AutoencoderKL",
        "in_channels": 3,
        "latent_channels": 4,
        "block_out_channels": [4, 8],
        "sample_size": 32,
    },
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

_FIELDS = (
    "vocab_size hidden_size num_hidden_layers num_attention_heads num_key_value_heads head_dim layer_types sliding_window image_size "
    "patch_size num_channels num_mel_bins max_position_embeddings max_source_positions pad_token_id eos_token_id image_token_id "
    "image_token_index model_type architectures text_config vision_config audio_config encoder decoder is_encoder_decoder conv_kernel "
    "conv_stride num_codebooks codebook_size sampling_rate depths type_vocab_size id2label _class_name in_channels block_out_channels "
    "sample_size cross_attention_dim rope_scaling rope_parameters quantization_config auto_map attn_layer_period per_layer_config "
    "num_labels num_frames spatial_merge_size image_grid_pinpoints n_window window_size downsample_rate _attn_implementation "
    "qk_rope_head_dim qk_nope_head_dim v_head_dim kv_lora_rank context_length prediction_length lags_sequence cardinality"
)
_READ = _FIELDS.split()
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
        place.append(_value(rng))
    elif rng.random() < 0.2:
        del place[rng.randrange(len(place))]
    else:
        place[rng.randrange(len(place))] = _value(rng)


def _change_dict(place: dict[Any, Any], config: dict[str, Any], rng: random.Random) -> None:
    names = [name for name in place if name in _READ] if rng.random() < 0.5 else [*place]
    name = rng.choice(names or _READ)
    old = place.get(name)
    match rng.randrange(10):
        case 0:
            place.pop(name, None)
        case 1:
            place[rng.choice(_READ)] = _value(rng)
        case 2 if isinstance(old, int):
            place[name] = rng.choice(
                (
                    -old,
                    old * 1000,
                    old + 1,
                    old // 2,
                    str(old % 10**9),
                    old / 1 if abs(old) < 2**60 else 0.5,
                    [old],
                    [old, old],
                    {"a": old},
                    old * 2**40,
                )
            )
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
            place[rng.choice(_READ)] = rng.choice(
                (0, 1, 2, 3, 5, 17, 100, 1000, 4096, 65536, [1, 2], [2, 2, 2], [3, 1], True, False)
            )
        case _:
            place[name] = _value(rng)


def _value(rng: random.Random) -> Any:
    return copy.deepcopy(rng.choice(_VALUES))  # a later change may be inside it


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
            task = rng.choice(
                ("text-generation-with-past", "feature-extraction-with-past", "text2text-generation-with-past")
            )
        changed = [str(name)[:30] for name in config if name not in real or _differs(config[name], real[name])]
        label = (
            f"{number} task={task} {real.get('architectures', real.get('_class_name'))}: {', '.join(changed)[:150]!a}"
        )
        yield label, partial(_describe_and_generate, config, task)


def test_mutated_configurations(attack):
    counts = attack.run(_configurations(attack.random("configurations"), attack.count(6000)))
    assert counts["accepted"]
    assert counts["SourceError"]


def _generate_sizes(rng: random.Random, count: int) -> Iterator[tuple[str, Callable[[], Any]]]:
    names = (
        *DEFAULT_DUMMY_SHAPES,
        *(
            "padding_side",
            "mask_policy",
            "int_dtype",
            "float_dtype",
            "seed",
            "optional_inputs",
            "feed",
            "leave_out",
            "vocab_size",
            "num_layers",
            "cache",
        ),
        *(
            "key_layout",
            "value_layout",
            "fused",
            "latent",
            "last_token",
            "patch_size",
            "integer_timestep",
            "hidden_size",
            "image_size",
        ),
        *(
            "batchsize",
            "seqence_length",
            "",
            "\x00",
            "x" * 3000,
            "random_batch_size_range",
            "random_x_range",
            "random__range",
        ),
        *(
            "random_sequence_length_range",
            "model_type",
            "args",
            "kwargs",
            "dynamic",
            "shapes",
            "text_config",
            "pad_token_id",
            "self_",
        ),
    )
    ranges = (
        (1, 2),
        [1, 2],
        (2, 1),
        (1,),
        (0, 2**70),
        ("a", "b"),
        (1, 2, 3),
        5,
        "12",
        (None, None),
        (1.0, 2.0),
        (True, 4),
        (-1, 3),
        {},
    )
    for number in range(count):
        chosen = rng.sample(names, rng.choice((1, 1, 2, 4)))
        given = {name: rng.choice(ranges if name.startswith("random_") else _VALUES) for name in chosen}
        task = rng.choice(("text-generation-with-past", *_VALUES)) if rng.random() < 0.2 else None
        real = rng.choice(_real())
        yield (
            f"{number} {real.get('architectures')} {ascii(given)[:150]} {task!r:.40}",
            partial(_describe_and_generate, real, task, **given),
        )


def test_options_and_sizes(attack):
    counts = attack.run(_generate_sizes(attack.random("options"), attack.count(4000)))
    assert counts["OptionError"] or counts["DimError"]


def _write_files(rng: random.Random, folder: Path, count: int) -> Iterator[tuple[str, Callable[[], Any]]]:
    encodings = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "latin-1")
    for number in range(count):
        text = json.dumps(rng.choice(_real()), ensure_ascii=False)
        data = text.encode(rng.choice(encodings), "ignore")
        match rng.randrange(8):
            case 0:
                data = data[: rng.randrange(len(data))]
            case 1:
                changed = bytearray(data)
                for _ in range(rng.choice((1, 3, 20))):
                    changed[rng.randrange(len(changed))] = rng.randrange(256)
                data = bytes(changed)
            case 2:
                data = data.replace(
                    b'"vocab_size":', b'"vocab_size": ' + b"9" * rng.choice((20, 400, 5000)) + b', "vocab_size":'
                )
            case 3:
                data = rng.choice(
                    (
                        b"",
                        b"[]",
                        b"null",
                        b"5",
                        b'"bert"',
                        b"[" * 100_000,
                        b'{"a":' * 50_000,
                        b"{}",
                        b"\xff\xfe",
                        b"NaN",
                        b"\x00" * 99,
                    )
                )
            case 4:
                data = data.replace(
                    b": 2,", rng.choice((b": NaN,", b": -Infinity,", b": 1e999,", b": 2.0,", b": true,", b": [2],"))
                )
            case 5:
                other = json.dumps(rng.choice(_real())).encode()
                cut = rng.randrange(len(other))
                data = data[: rng.randrange(len(data))] + other[cut:]
            case 6:
                data = b'{"dummyio": 1, "inputs": {}, ' + data[1:]
            case _:
                pass
        path = folder / f"{number}" / "config.json"
        path.parent.mkdir()
        path.write_bytes(data)
        yield f"{number} {data[:60]!r}", partial(_describe_and_generate, path if rng.random() < 0.5 else path.parent)


def test_files(attack, tmp_path):
    counts = attack.run(_write_files(attack.random("files"), tmp_path, attack.count(1500)))
    assert counts["accepted"] + counts["SourceError"] > counts["SpecError"]


class _Raises:
    """An object all of whose attributes raise an error."""

    def __init__(self, error: Exception) -> None:
        object.__setattr__(self, "error", error)

    def __getattribute__(self, name: str) -> Any:
        if name == "__class__":
            return _Raises
        raise object.__getattribute__(self, "error")


class _Mapping(dict[str, Any]):
    """A configuration whose values cannot be read."""

    def values(self) -> Any:
        raise RuntimeError("no values")


class _Configuration:
    """An object that looks like a configuration, with a `to_dict` of its own."""

    model_type: Any = "bert"

    def __init__(self, result: Any) -> None:
        self.result = result

    def to_dict(self) -> Any:
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


def test_odd_objects(attack, tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "nested" / "config.json").mkdir(parents=True)
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "link.json").symlink_to("link.json")
    (tmp_path / "pipes").mkdir()
    os.mkfifo(tmp_path / "pipes" / "config.json")
    huge = tmp_path / "huge.json"
    with huge.open("wb") as stream:
        stream.truncate(1 << 30)
    paths = (
        "folder",
        "nested",
        "pipe.json",
        "link.json",
        "pipes",
        "huge.json",
        "nowhere",
        "folder/../nowhere",
        "a\x00b",
        "x" * 5000,
    )
    shared: Any = [1]
    for _ in range(40):
        shared = [shared, shared]
    cyclic: dict[str, Any] = {"model_type": "bert"}
    cyclic["text_config"] = cyclic
    objects = (
        *(tmp_path / path for path in paths),
        *(str(tmp_path / path) for path in paths),
        *("", ".", "/", "/dev/zero", "/dev/stdin", "/proc/self/mem", "\ud800", "bert-base-uncased", "x" * 1_000_000, b"config.json"),
        *(None, 5, 1.5, True, [], (), set(), object(), object, int, dict, json, types, print, lambda: 1, iter([]), NotImplemented, ...),
        *(_Raises(error) for error in (RuntimeError("no"), AttributeError("no"), KeyError("no"), RecursionError("no"))),
        *(_Configuration(result) for result in (None, 5, [], {}, {1: 2}, {"model_type": 5}, RuntimeError("no"), cyclic, "x")),
        *(_Configuration, _Mapping({"model_type": "bert"}), types.SimpleNamespace(config=5, forward=print), types.SimpleNamespace()),
        *({"model_type": "bert", "architectures": ["BertModel"], name: shared} for name in ("extra", "layer_types", "text_config")),
        *(cyclic, {1: 2}, {None: 1}, {"a" * 10**6: 1}, {"model_type": "bert", "x": "y" * (1 << 24)}, types.MappingProxyType({"model_type": "bert"})),
    )  # fmt: skip
    counts = attack.run(
        (f"{place}: {type(source).__name__}", partial(dummyio.describe, source)) for place, source in enumerate(objects)
    )
    assert counts["SourceError"] > 60
    assert counts["accepted"] <= 5
