"""Measure for which model types `AutoModel` accepts the inputs that `UniversalOnnxConfig` makes; write the tables of ``docs/reference/model-types.md``.

    python tests/coverage/model_types.py [--only bert,llama] [--results FILE] [--show] [--write]

Each case is a model type of the installed Transformers with its default configuration, made small: fewer layers and experts, and all
widths divided by one number, so that they go on to fit each other. A type counts if `AutoModel` builds a model of any such configuration.
Types run in child processes, which are ended if one takes too long; with ``--results`` a measurement that was interrupted goes on.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Queue
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "model-types.md"
SECONDS = 60
"""The longest that one type may take of a processor; and ten times as much in all, for what does not end by itself."""
BATCH = 40
"""Types in one child process."""
WEIGHTS = 400_000_000
"""The most weights of a model that is run."""
ATTEMPTS = (
    (8, 2, 1),
    (8, 2, 8),
    (4, 2, 1),
    (4, 2, 4),
    (1, 2, 1),
    (16, 2, 1),
    (16, 2, 8),
    (32, 2, 32),
    (8, 4, 1),
    (8, None, 1),
    (1, None, 1),
)
"""Divisor of widths, the most layers (None: all), and divisor of the number of heads, in the order in which they are tried. With 4, large
images stay large."""

_WIDTH = re.compile(
    r"hidden|embed|intermediate|adapter_\w+_size|ffn|mlp|inner|proj|d_model|d_ff|d_kv|dim|width|channel|rank|features|filter|conv_\w*size|state_size|n_embd|d_head|head_size"
)
_NO_WIDTH = re.compile(
    r"num_(?!filters$)|image|patch|window|kernel|position|length|token|_id$|max_|stride|layers|vocab|mel|in_channels|group|act|levels|rope_theta|"
    r"pos_emb|block_size|chunk|bins|_type|prob|std|factor|drop|eps|temporal|pool"
)
_HEAD_WIDTH = re.compile(r"head_dim|d_head|head_size|qk_\w+_dim|rotary_dim|rope_dim|d_kv")
_HEADS = re.compile(r"heads(_per_layer)?$|(^|_)n_head$")
_LAYERS = re.compile(r"(^|_)(num|n)_(\w+_)?(layers?|blocks)$|_layers$|^depth$|^n_layer$|^num_stages$")
_SHARED = re.compile(r"shared_layers$")
_DEPTHS = re.compile(r"^(depths|layers|num_blocks|num_layers|encoder_depths|decoder_depths)$")
_EXPERTS = re.compile(r"^(num_|n_|moe_num_)?(local_|routed_)?experts$|^num_experts$|^moe_num_experts$")
_PER_TOKEN = re.compile(r"experts_per_tok|^(?!index).*top_?k$|topk_group$|n_group$|expert_group$|num_experts_per_token")
MANY_LAYERS = 4
"""A list of as many items as there are layers has one for each, if there are more than this."""
MAX_EXPERTS = 8
MANY_FRAMES = 32
"""Videos of this many frames and more are made shorter."""
LARGE = 512
"""Images of this size and more are made smaller: attention over all their patches takes long."""


@dataclass(frozen=True)
class Sizes:
    """How a configuration is made small."""

    divisor: int
    """What all widths are divided by, where they can be."""
    layers: int | None = None
    """The most layers of one kind; None for all."""
    heads: int = 1
    """What the number of heads is divided by, where it can be."""

    @property
    def images(self) -> bool:
        """Whether large images are made smaller too."""
        return self.divisor != 4

    def divide(self, name: str) -> int:
        """Return what the value of an attribute is divided by: 1 if it is no width."""
        if _WIDTH.search(name) is None or _NO_WIDTH.search(name) is not None:
            return 1
        return self.divisor // self.heads if _HEAD_WIDTH.search(name) else self.divisor


def shrink(values: dict[str, Any], sizes: Sizes) -> dict[str, Any]:
    """Return attributes of a configuration, and of those inside it, for a smaller model."""
    all_layers = next((values[name] for name in _ALL_LAYERS if type(values.get(name)) is int), None)
    kept = _count_layers(values, sizes.layers)
    if all_layers is not None and kept is not None:
        kept = min(kept, all_layers)
    size = values.get("image_size")
    large = sizes.images and type(size) is int and size >= LARGE
    found = {}
    for name, value in values.items():
        if not isinstance(name, str):  # a table of labels
            found[name] = value
        elif isinstance(value, dict) and name.startswith("per_layer"):
            items = ((layer, shrink(each, sizes)) for layer, each in value.items())
            found[name] = {layer: each for layer, each in items if kept is None or int(layer) < kept}
        elif isinstance(value, dict):
            found[name] = shrink(value, sizes)
        elif name in ("image_size", "image_embedding_size") and type(value) is int and large:
            found[name] = value // 4
        elif isinstance(value, list) and (name.endswith("layer_types") or _is_per_layer(value, all_layers)):
            shrunk = _shrink_value(name, value, sizes, kept)
            found[name] = shrunk[:kept]
        elif type(value) is int and name.endswith("groups") and value == values.get("hidden_size"):
            found[name] = _shrink_value("hidden_size", value, sizes, kept)
        else:
            found[name] = _shrink_value(name, value, sizes, kept if _LAYERS.search(name) else sizes.layers)
    if values.keys() >= {"image_token_id", "audio_token_id"} or values.keys() >= {
        "image_token_index",
        "audio_token_index",
    }:
        found.setdefault("vision_start_token_id", 5)  # the default of a part leaves it out, and the model reads it
    return _fit_parts(found)


def _fit_parts(values: dict[str, Any]) -> dict[str, Any]:
    """Return attributes in which parts return features as wide as the text's, which they do not by default."""
    text = values.get("text_config")
    width = text.get("hidden_size") if isinstance(text, dict) else None
    if width is not None and type(values.get("hidden_size")) is int:
        values["hidden_size"] = width
    for part in values.values():
        if (
            isinstance(part, dict) and "pixel_shuffle_ratio" in part
        ):  # neighbours become one feature, of all their widths
            part["intermediate_size"] = round(part["hidden_size"] / part["pixel_shuffle_ratio"] ** 2)
            part["vision_output_dim"] = part["projector_output_dim"]
        if width is not None and isinstance(part, dict):
            names = (*_RETURNED, "hidden_size") if "embed_dim" in part else _RETURNED
            part.update({name: width for name in names if type(part.get(name)) is int})
    return values


_PLACEHOLDERS = {"image_token_index": 3, "image_token_id": 3, "video_token_index": 3, "audio_token_id": 4}
"""Ids that a default may leave out: without one there is no place for an image or a sound in a text."""
_RETURNED = ("out_hidden_size", "output_dim", "output_hidden_size")
_ALL_LAYERS = ("num_hidden_layers", "num_layers", "n_layer", "n_layers", "encoder_layers")


def _is_per_layer(value: list[Any], layers: int | None) -> bool:
    return layers is not None and len(value) == layers > MANY_LAYERS


def _count_layers(values: dict[str, Any], layers: int | None) -> int | None:
    """Return how many layers to keep: so many that each kind of layer is there, and those that are returned."""
    if layers is None:
        return None
    kinds, stages = values.get("layer_types"), values.get("out_features")
    first = [kinds.index(kind) + 1 for kind in kinds if isinstance(kind, str)] if isinstance(kinds, list) else []
    returned = [int(stage[5:]) for stage in stages if stage[5:].isdigit()] if isinstance(stages, list) else []
    offsets = [value + 1 for name, value in values.items() if str(name).endswith("layer_offset")]
    return max([layers, *first, *returned, *offsets])


def _shrink_value(name: str, value: Any, sizes: Sizes, layers: int | None) -> Any:
    if isinstance(value, list) and value and all(type(item) is int for item in value):
        return _shrink_list(name, value, sizes, layers)
    if value is None and name in _PLACEHOLDERS:
        return _PLACEHOLDERS[name]
    if name == "mm_tokens_per_image":  # more than the default images have patches
        return 4
    if type(value) is not int:
        return value
    if name == "num_frames" and value >= MANY_FRAMES:
        return value // sizes.divisor
    if layers is not None:
        for kind, most in ((_SHARED, 0), (_LAYERS, layers), (_EXPERTS, MAX_EXPERTS), (_PER_TOKEN, 2)):
            if value > most and kind.search(name):
                return most
    if _HEADS.search(name):
        return max(value // sizes.heads, 1)
    divisor = sizes.divide(name)
    return value // divisor if value % divisor == 0 and value // divisor >= 4 else value


def _shrink_list(name: str, value: list[int], sizes: Sizes, layers: int | None) -> list[int]:
    if layers is not None and _DEPTHS.search(name):
        return [min(item, layers) for item in value]
    if _HEADS.search(name):
        return [max(item // sizes.heads, 1) for item in value]
    divisor = sizes.divide("head_dim" if name == "mrope_section" else name.replace("in_channels", "channels"))
    if name == "mrope_section":  # parts of the width of a head, which go on to add up to it
        parts = [item // divisor for item in value]
        return [*parts[:-1], sum(value) // divisor - sum(parts[:-1])]
    return [item // divisor if item % divisor == 0 else item for item in value]


def build(default: Any, sizes: Sizes) -> tuple[Any, Any]:
    """Return a small configuration, and the model that `AutoModel` builds of it."""
    import torch
    from transformers import AutoModel

    config = type(default).from_dict(shrink(default.to_dict(), sizes))
    with torch.device("meta"):
        weights = sum(parameter.numel() for parameter in AutoModel.from_config(config).parameters())
    if weights > WEIGHTS:
        raise ValueError(f"no small configuration: {weights} weights")
    torch.manual_seed(0)
    return config, AutoModel.from_config(config).eval()


def measure(model_type: str) -> dict[str, str]:
    """Build, describe, run; return how far a type gets, and what stops it."""
    from transformers import AutoConfig
    from transformers.models.auto.modeling_auto import MODEL_MAPPING_NAMES

    if model_type not in MODEL_MAPPING_NAMES:
        return {"type": model_type, "stage": "no class", "reason": "AutoModel lists no class"}
    try:
        default = AutoConfig.for_model(model_type)
    except Exception as error:  # noqa: BLE001 - any exception of a model is a result
        return {"type": model_type, "stage": "no default", "reason": _show(error)}
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    found = {"type": model_type, "stage": "not built", "reason": ""}
    # What is divided may not fit any more, so a model that refuses its inputs is tried at other sizes too.
    for sizes in ATTEMPTS:
        stage, reason = attempt(default, Sizes(*sizes))
        if STAGES.index(stage) > STAGES.index(found["stage"]) or not found["reason"]:
            found = {"type": model_type, "stage": stage, "reason": reason}
        if stage == "not built" and sizes == ATTEMPTS[0] and (refused := refuse_default(default)):
            found = {"type": model_type, "stage": "no default", "reason": refused}
            break
        if stage in ("accepted", "not described") or reason.startswith("TimeoutError"):
            break
    signal.setitimer(signal.ITIMER_PROF, 0)
    error, line = NO_INPUT.get(model_type, ("", ""))
    if line and found["stage"] != "accepted" and re.search(error, found["reason"]):
        return {"type": model_type, "stage": "no input", "reason": line}
    return found


def refuse_default(default: Any) -> str:
    """Return why `AutoModel` makes no model of the default configuration at its own sizes; nothing if it does."""
    import torch
    from transformers import AutoModel

    try:
        with torch.device("meta"):
            AutoModel.from_config(default)
    except Exception as error:  # noqa: BLE001 - any exception of a model is a result
        return _show(error)
    return ""


NO_INPUT = {
    "bark": ("BarkModel has no forward", "the class has no forward"),
    "deepseek_v2": (
        "topk.*k.*NoneType",
        "torch.topk(scores, k=self.top_k, ...): num_experts_per_tok is None by default",
    ),
    "glm4v_moe": (
        "split_with_sizes",
        "freq.split(self.mrope_section): head_dim 42 has 11 frequencies by default, of which 32 are asked for",
    ),
    "glm4v_moe_text": ("split_with_sizes", "as glm4v_moe"),
    "glm_image_vqmodel": ("GlmImageVQVAE has no forward", "the class has no forward"),
    "lw_detr": (
        "non-empty list",
        "torch.cat(source_flatten, 1): projector_scale_factors is empty by default, so there is no feature map",
    ),
    "pp_ocrv6_small_det": (
        "to have [0-9]+ channels",
        "self.in_conv(hidden_states): by default it takes 12 channels, and the backbone returns 384",
    ),
    "step3p7": (
        "Could not find a `sliding_window`",
        "create_sliding_window_causal_mask(...): sliding_window is None by default",
    ),
    "uvdoc": (
        "to have 768 channels",
        "self.convolution(hidden_states): by default it takes 768 channels, six maps, and the backbone returns one of 128",
    ),
}
"""Type → what the error says, and the line of the model at its default configuration that refuses every input."""

STAGES = ("not built", "not accepted", "not described", "accepted")
"""What the attempts of a type come to; of several the last in this order counts."""


def attempt(default: Any, sizes: Sizes) -> tuple[str, str]:
    """Return how far a type gets at a size, and what stops it."""
    import torch

    from dummyio.onnx import UniversalOnnxConfig

    stage = "not built"
    try:
        config, model = build(default, sizes)
        stage = "not described"
        inputs = UniversalOnnxConfig(config).generate_dummy_inputs()
        stage = "not accepted"
        with torch.no_grad():
            model(**inputs)
    except Exception as error:  # noqa: BLE001 - any exception of a model is a result
        return stage, _show(error)
    return "accepted", ""


def _show(error: Exception) -> str:
    lines = f"{type(error).__name__}: {str(error).strip()}".splitlines()
    return re.sub(r" from '/[^']*'", "", lines[0].strip())[:160]


def work() -> None:
    """Measure the types on the standard input, and print a line for each."""
    import torch
    import transformers

    transformers.logging.set_verbosity_error()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    signal.signal(signal.SIGPROF, _stop)
    for line in sys.stdin:
        print(json.dumps(measure(line.strip())), flush=True)  # noqa: T201


def _stop(*_: object) -> None:
    raise TimeoutError(f"takes more than {SECONDS} s")


def run(types: list[str]) -> Iterator[dict[str, str]]:
    """Yield the results of types, each batch in a process of its own; one that takes too long ends it, and the rest goes on."""
    while types:
        batch, results = types[:BATCH], Queue[str | None]()
        with tempfile.TemporaryFile("w+") as errors:
            child = subprocess.Popen(
                [sys.executable, __file__, "--work"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
            assert child.stdin is not None
            assert child.stdout is not None
            child.stdin.write("\n".join(batch) + "\n")
            child.stdin.close()
            threading.Thread(target=_read_lines, args=(child.stdout, results), daemon=True).start()
            done = 0
            while done < len(batch):
                try:
                    line = results.get(timeout=10 * SECONDS)
                except Empty:
                    line = None
                    reason = f"takes more than {SECONDS} s"
                else:
                    reason = "ends the process"
                if line is None:
                    yield {"type": batch[done], "stage": "not accepted", "reason": reason}
                    done += 1
                    break
                yield json.loads(line)
                done += 1
            child.kill()
            child.wait()
        types = types[done:]


def _read_lines(stream: Any, results: Queue[str | None]) -> None:
    for line in stream:
        results.put(line)
    results.put(None)


def summarize(rows: list[dict[str, str]]) -> str:
    """Return the counts as a sentence."""
    counts = Counter(row["stage"] for row in rows)
    built = sum(counts[stage] for stage in STAGES)
    return (
        f"Of {len(rows)} model types `AutoModel` lists no class for {counts['no class']}; it makes no model of the default configuration of "
        f"{counts['no default']}, no input fits the default of {counts['no input']}, and it builds the other {built}; {counts['accepted']} of these ({counts['accepted'] / max(built, 1):.1%}) "
        "accept the inputs."
    )


def write(rows: list[dict[str, str]]) -> None:
    """Put the counts and tables between the marks of the page."""
    import transformers
    from marks import write_between

    causes: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in rows:
        if row["stage"] not in ("accepted", "no class"):
            causes[row["stage"], row["reason"]].append(row["type"])
    lines = [
        f"Transformers {transformers.__version__}. {summarize(rows)}",
        "",
        "| stage | model types | what stops it |",
        "|---|---|---|",
    ]
    for (stage, reason), types in sorted(causes.items()):
        text = re.sub(r" from '/.*", "", reason).replace("|", "\\|").replace("<", "&lt;")
        lines.append(f"| {stage} | {', '.join(types)} | {text} |")
    without = sorted(row["type"] for row in rows if row["stage"] == "no class")
    lines += ["", f"Without a class of `AutoModel`: {', '.join(without)}."]
    write_between(PAGE, "\n".join(lines))


def main() -> int:
    """Measure all types, or the selected ones."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="model types, by comma")
    parser.add_argument("--results", type=Path, help="a file of results, which are not measured again")
    parser.add_argument("--show", action="store_true", help="a line for each type that is not accepted")
    parser.add_argument("--write", action="store_true", help=f"put the tables into {PAGE.relative_to(ROOT)}")
    parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work()
        return 0
    if options.only and options.write:
        parser.error("--write is for all types: leave out --only.")
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

    types = options.only.split(",") if options.only else sorted(CONFIG_MAPPING_NAMES)
    known: dict[str, dict[str, str]] = {}
    if options.results and options.results.exists():
        lines = options.results.read_text(encoding="utf-8").splitlines()
        known = {row["type"]: row for row in map(json.loads, lines)}
    for row in run([kind for kind in types if kind not in known]):
        known[row["type"]] = row
        if options.results:
            with options.results.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(row) + "\n")
    rows = [known[kind] for kind in types]
    if options.show:
        shown = [row for row in rows if row["stage"] not in ("accepted", "no class")]
        print("\n".join(f"{row['type']}: {row['stage']}: {row['reason']}" for row in shown))  # noqa: T201
    print(summarize(rows))  # noqa: T201
    if options.write:
        write(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
