"""Compare the inputs of `dummyio.onnx.UniversalOnnxConfig` with those of Optimum's exporters; write the tables of ``docs/reference/optimum.md``.

    python tests/coverage/optimum_parity.py [--only bert,llama] [--show] [--write]

Each case is a model type, a task and a part, with the default configuration of the installed Transformers. A case is the same if
names, ranks and axes are. Decoders of encoder-decoders are compared under the names in Optimum's files. All other cases are counted by
what differs, and each of these kinds has its reason here.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import warnings
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import transformers
from marks import write_between
from transformers import AutoConfig

from dummyio.errors import DummyioError
from dummyio.onnx import UniversalOnnxConfig
from dummyio.onnx.conventions.read_conventions import Convention, read_conventions

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests" / "data"
PAGE = ROOT / "docs" / "reference" / "optimum.md"
PAST = "-with-past"
LAYERS = ("num_hidden_layers", "num_layers", "n_layer", "n_layers", "encoder_layers", "decoder_layers")
PARTS = {"encoder": "encoder", "decoder": "decoder", "decoder+past": "decoder_with_past"}
IN_FILES = {
    "decoder_input_ids": "input_ids",
    "encoder_outputs": "encoder_hidden_states",
    "attention_mask": "encoder_attention_mask",
}
"""Name in Optimum's configuration of a decoder → name in the file that it writes."""

Inputs: TypeAlias = dict[str, tuple[int, dict[str, str]]]
"""Input → rank, and axis → symbol."""

REASONS = {
    "no such model type": "the installed Transformers does not have the model type any more",
    "no such part": "the class has no such part: it is a decoder alone, or an encoder with a head, or takes spectrograms step by step",
    "-encoder_attention_mask": "the class takes the mask of the sound, and shortens it itself. Optimum gives mask and states one symbol, "
    "though a file needs them at two lengths: its files fail for sounds of another length than the traced one",
    "+token_type_ids": "the tokenizer gives the second text of a pair a type of its own, and the model takes it",
    "+pixel_values, +position_ids": "the class of the task takes images; Optimum exports its text part alone. For tasks of texts the two "
    "are the same",
    "axes of pixel_values": "the model takes images of many sizes, and Optimum's files those of the trace; of `perceiver` Optimum takes "
    "the channels for a sequence",
    "-decoder_input_ids, axes of attention_mask, axes of input_ids": "the class is a decoder alone: it has one text, which its argument "
    "`input_ids` takes",
    "+pixel_values, -image_embeddings, -image_positional_embeddings, -input_labels, -input_points": "Optimum exports the decoder of prompts "
    "by default; here parts of a class that have no `forward` of their own have no spec",
    "-input_labels, -input_points, axes of pixel_values": "prompts are optional arguments of the model; axes of an image have names",
    "axes of encoder_hidden_states, axes of input_ids": "codebooks are folded into the batch: an expression of the batch, which can be "
    "checked and evaluated, where Optimum has two more symbols",
}
"""What differs → why it is so here; the kinds are those of `name_difference`."""
CONVENTIONS = (
    "Some choices of Optimum's depend on the model type alone. Where the model runs with either set, `UniversalOnnxConfig` follows them, and "
    "`describe` does not (`dummyio/onnx/conventions/conventions.json`):"
)


@dataclass(frozen=True)
class Case:
    """One model type, task and part; and what Optimum says of it."""

    key: str
    attributes: dict[str, Any]
    task: str
    part: str | None
    expected: Inputs
    special: bool
    """Whether the default configuration is not enough for it."""


def read_cases() -> list[Case]:
    """Return all cases of the data: those of default configurations, and the special ones."""
    data = json.loads((DATA / "optimum_inputs.json").read_text(encoding="utf-8"))
    cases = []
    for key, number in data["cases"].items():
        kind, task, variant = key.split("::")
        asked = task if variant == "past" else task.removesuffix(PAST)
        cases.append(
            _build_case(key, {"model_type": kind}, asked, PARTS.get(variant), data["inputs"][number], special=False)
        )
    special = json.loads((DATA / "optimum_special_inputs.json").read_text(encoding="utf-8"))["cases"]
    for key, row in special.items():
        cases.append(_build_case(key, row["attributes"], row["task"], row["part"], row["inputs"], special=True))
    return cases


def _build_case(
    key: str, attributes: dict[str, Any], task: str, part: str | None, inputs: dict[str, Any], *, special: bool
) -> Case:
    renamed = IN_FILES if part in ("decoder", "decoder_with_past") and "decoder_input_ids" in inputs else {}
    expected = {renamed.get(name, name): (rank, dict(axes)) for name, (rank, axes) in inputs.items()}
    return Case(key, attributes, task, part, expected, special)


def describe(case: Case) -> Inputs:
    """Return what dummyio says of a case; of a cache its first layer."""
    attributes = dict(case.attributes)
    config = AutoConfig.for_model(attributes.pop("model_type"), **attributes)
    for name in LAYERS:
        if type(getattr(config, name, None)) is int and getattr(config, name) > 2:
            with contextlib.suppress(NotImplementedError, AttributeError):  # another name for several attributes
                setattr(config, name, 2)
    face = UniversalOnnxConfig(config, task=case.task, part=case.part)
    ranks = {path: leaf.rank for path, leaf in face.spec.leaves}
    return {
        path: (ranks[path], {str(place): symbol for place, symbol in axes.items()})
        for path, axes in face.inputs.items()
        if not path.startswith("past_key_values.") or path.startswith("past_key_values.0.")
    }


def name_difference(case: Case) -> str:
    """Return the kind of difference; an empty text for none."""
    try:
        found = describe(case)
    except DummyioError as error:
        return "no such part" if "no such part" in str(error) else f"{type(error).__name__}: {error}"
    except (ValueError, KeyError) as error:
        return "no such model type" if "model identifier" in str(error) or "type" in str(error) else repr(error)
    wanted = case.expected
    kinds = [f"+{name}" for name in sorted(found.keys() - wanted.keys())]
    kinds += [f"-{name}" for name in sorted(wanted.keys() - found.keys())]
    other = [name for name in sorted(found.keys() & wanted.keys()) if found[name] != wanted[name]]
    swaps = {_name_swap(found[name], wanted[name]) for name in other}
    return ", ".join(
        [
            *kinds,
            *(swaps if len(swaps) == 1 and "" not in swaps and not kinds else [f"axes of {name}" for name in other]),
        ]
    )


def _name_swap(found: tuple[int, dict[str, str]], wanted: tuple[int, dict[str, str]]) -> str:
    """Return the one symbol that stands for another one; an empty text for any other difference."""
    if found[0] != wanted[0] or found[1].keys() != wanted[1].keys():
        return ""
    pairs = {(found[1][place], wanted[1][place]) for place in found[1] if found[1][place] != wanted[1][place]}
    return " for ".join(pairs.pop()) if len(pairs) == 1 else ""


def list_keys(keys: list[str]) -> str:
    """Return keys as text, those of one model type together."""
    types: dict[str, list[str]] = defaultdict(list)
    for key in keys:
        types[key.partition("::")[0]].append(key.partition("::")[2].replace("::default", "").replace("::", ", "))
    return "; ".join(f"`{kind}` ({len(each)})" for kind, each in types.items())


def write(differences: dict[str, str], cases: list[Case]) -> None:
    """Put shares and the table between the marks of the page."""
    defaults = [case for case in cases if not case.special]
    same = [sum(not differences[case.key] for case in group) for group in (defaults, cases)]
    groups: dict[str, list[str]] = defaultdict(list)
    for key, kind in differences.items():
        if kind:
            groups[kind].append(key)
    shares = (
        f"Of {len(defaults)} cases of default configurations {same[0]} ({same[0] / len(defaults):.1%}) have the same names, ranks and "
        f"axes; with {len(cases) - len(defaults)} special ones {same[1]} of {len(cases)} ({same[1] / len(cases):.1%}). "
        f"Transformers {transformers.__version__}. `+` is here and not in Optimum, `-` the other way round."
    )
    lines = [shares, "", "| difference | cases | model types | reason |", "|---|---:|---|---|"]
    lines += [
        f"| {kind} | {len(keys)} | {list_keys(keys)} | {REASONS.get(kind, 'none is known')} |"
        for kind, keys in sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))
    ]
    lines += [
        "",
        CONVENTIONS,
        "",
        "| model types | tasks | Optimum's choice | reason |",
        "|---|---|---|---|",
        *map(format_convention, read_conventions()),
    ]
    write_between(PAGE, "\n".join(lines))


def format_convention(entry: Convention) -> str:
    """Return a row of the table of conventions."""
    choices = [f"feeds `{name}`" for name in entry.feed] + [f"leaves out `{name}`" for name in entry.leave_out]
    for dim, symbol in entry.symbols.items():
        choices.append(f"`{symbol}` for `{dim}`" if symbol else f"no symbol for `{dim}`")
    kinds, tasks = (", ".join(f"`{name}`" for name in names) for names in (entry.model_types, entry.tasks))
    return f"| {kinds} | {tasks or 'all'} | {', '.join(choices)} | {entry.reason} |"


def main() -> int:
    """Compare all cases, or those of some model types."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="model types, by comma")
    parser.add_argument("--show", action="store_true", help="a line for each case that differs")
    parser.add_argument("--write", action="store_true", help=f"put the tables into {PAGE.relative_to(ROOT)}")
    options = parser.parse_args()
    transformers.logging.set_verbosity_error()
    warnings.simplefilter("ignore")
    only = set(options.only.split(",")) if options.only else None
    if only and options.write:
        parser.error("--write is for all cases: leave out --only.")
    cases = [case for case in read_cases() if only is None or case.attributes["model_type"] in only]
    differences = {case.key: name_difference(case) for case in cases}
    if options.show:
        print("\n".join(f"{key}: {kind}" for key, kind in differences.items() if kind))  # noqa: T201
    for title, group in (("default", [c for c in cases if not c.special]), ("all", cases)):
        same = sum(not differences[case.key] for case in group)
        print(f"{title}: {same} of {len(group)} ({same / max(len(group), 1):.1%}) have the same names, ranks and axes")  # noqa: T201
    unknown = sorted({kind for kind in differences.values() if kind and kind not in REASONS})
    print("\n".join(f"without a reason: {kind}" for kind in unknown))  # noqa: T201
    if options.write:
        write(differences, cases)
    return 1 if unknown else 0


if __name__ == "__main__":
    sys.exit(main())
