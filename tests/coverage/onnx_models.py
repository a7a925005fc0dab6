"""Measure `AutoModelForONNX` on many architectures; write the table of ``docs/reference/onnx-models.md``.

Each case of `transformers_cases.FAMILIES` is built with random weights, exported by `dummyio.export` to a folder, and loaded from there:

- outputs: each output that the model's spec declares is that of PyTorch, within the tolerance of `dummyio.validate`, at two sets of
  sizes; of a model that generates, its logits
- tokens: a model that generates makes PyTorch's own tokens, greedily and with three beams, at least four different ones in a row

    python tests/coverage/onnx_models.py [--only Bert,T5] [--rows rows.jsonl] [--folders DIR] [--workers 2] [--show] [--write]

All cases take an hour: ``--rows`` stores the results, and a later run continues from there; ``--folders`` keeps the exported folders.
"""

from __future__ import annotations

import argparse
import copy
import os
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
sys.path.append(str(Path(__file__).parents[1] / "models"))

import numpy as np
import torch
import transformers
from child_runs import KeptRows, run_in_children, serve
from marks import write_between
from transformers_cases import build_generator, build_model, list_cases

import dummyio
from dummyio.onnx import AutoModelForONNX
from dummyio.validation.comparing.metrics import compare_arrays
from dummyio.validation.comparing.tolerance import Tolerances, measure_rounding_error

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "onnx-models.md"
LIMIT = 600
"""Seconds of a processor for one case, and ten times as long on the clock."""
GREEDY = {"do_sample": False, "max_new_tokens": 8, "min_new_tokens": 8}
BEAMS = {**GREEDY, "num_beams": 3}
_WRITTEN = (
    "text-generation",
    "text2text-generation",
    "image-to-text",
    "image-text-to-text",
    "automatic-speech-recognition",
)
"""Tasks whose classes generate tokens."""
_MADE = ("decoder_", "position_ids", "token_type_ids", "past_key_values", "cache_position")
"""The beginnings of inputs that `generate` makes itself."""
_SUMMARY = (
    "{classes} classes; the outputs of {outputs} equal PyTorch's, and of {generating} that generate {tokens} make the same tokens, "
    "greedily and with three beams."
)


@dataclass
class Row:
    """The result of one class."""

    name: str
    family: str
    task: str = ""
    state: str = "build"
    """``passed``, or the step that failed: ``build``, ``export``, ``load``, ``outputs``, ``tokens``."""
    files: str = ""
    difference: float | None = None
    """The largest difference of an output, relative to its tolerance."""
    tokens: str = ""
    """``equal`` for a class whose generated tokens were compared."""
    reason: str = ""
    seconds: float = 0.0


def measure(name: str, family: str, home: Path) -> Row:
    """Export, load and compare one class; a folder that is there already is loaded as it is."""
    row, began = Row(name, family), time.perf_counter()
    try:
        _measure(row, home / name)
        row.state = "passed"
    except Exception as error:  # noqa: BLE001 - any exception of a model is a result
        row.reason = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
    row.seconds = round(time.perf_counter() - began, 1)
    return row


def _measure(row: Row, folder: Path) -> None:
    model = build_model(row.name)
    spec = dummyio.describe(model)
    row.task = spec.task or ""
    feeds = select_given(spec.generate("pt"))
    if row.family == "speech to text":  # decoders take no mask of sounds
        feeds.pop("attention_mask", None)
    if can_write(model, spec):
        model, _ = build_generator(row.name, feeds, select_options(model, GREEDY))
    row.state = "export"
    if not (folder / "config.json").exists():
        dummyio.export(model, folder)
    row.files = ", ".join(sorted(path.name for path in folder.glob("*.onnx")))
    row.state = "load"
    loaded = AutoModelForONNX.from_pretrained(folder)
    row.state = "outputs"
    writes = can_write(model, spec)
    inputs = list(make_inputs(spec))
    if writes:
        kept = {*feeds, "position_ids", "decoder_input_ids"} & set(loaded.input_names)
        inputs = [{name: value for name, value in made.items() if name in kept} for made in inputs]
    names = {"logits"} if writes else {output.name for output in spec.outputs}
    row.difference = max(compare_outputs(model, loaded, made, names) for made in inputs)
    row.state = "tokens"
    if writes:
        feeds = {name: value for name, value in feeds.items() if name in loaded.input_names}
        for options in (GREEDY, BEAMS):
            compare_tokens(model, loaded, feeds, select_options(model, options))
        row.tokens = "equal"


def can_write(model: Any, spec: dummyio.InputSpec) -> bool:
    """Whether a model generates tokens, one after the other."""
    return model.can_generate() and spec.task in _WRITTEN and not type(model).__name__.endswith("CTC")


def select_given(feeds: Mapping[str, Any]) -> dict[str, Any]:
    """Return the inputs that a caller of `generate` has."""
    return {name: value for name, value in feeds.items() if not name.startswith(_MADE)}


def select_options(model: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options of `generate`, with a token for rows that are finished if the configuration has none."""
    if getattr(model.generation_config, "pad_token_id", None) is None:
        return {**options, "pad_token_id": 0}
    return dict(options)


def make_inputs(spec: dummyio.InputSpec) -> Iterator[dict[str, torch.Tensor]]:
    """Yield inputs at the default sizes, and at the first sizes of the probe plan at which the batch is another."""
    yield spec.generate("pt")
    batch = next(iter(spec.dims), "")
    for sizes in spec.probes():
        if sizes.get(batch, 1) != spec.dims[batch].size:
            yield spec.generate("pt", seed=1, **sizes)
            return


def compare_outputs(model: Any, loaded: Any, inputs: Mapping[str, Any], names: Collection[str] | None = None) -> float:
    """Return the largest difference of these outputs relative to their tolerance; raise if one is larger than that."""
    with torch.no_grad():
        outputs = to_arrays(model(**inputs))
        expected = {name: values for name, values in outputs.items() if name in names}
        found = to_arrays(loaded(**inputs))
        precise = run_in_double(model, inputs)
    if missing := set(expected) - set(found):
        raise AssertionError(f"the outputs {sorted(missing)} are missing: there are {sorted(found)}")
    tolerances, largest = Tolerances(None, None, None), 0.0
    for name, values in expected.items():
        if name in precise:
            tolerances.add_rounding_error(name, measure_rounding_error(values, precise[name]))
    for name, values in expected.items():
        made = compare_arrays(name, values, found[name], tolerances.of(name, values.dtype, found[name].dtype))
        if not made.ok:
            raise AssertionError(
                f"{name}: {made.reason or f'off by {made.max_abs:.3g}, where {made.bound:.3g} is allowed'}"
            )
        largest = max(largest, made.max_abs / made.bound if made.bound else 0.0)
    return round(largest, 3)


def run_in_double(model: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the outputs in double precision; none for a model that cannot run so."""
    given = {name: value.double() if value.is_floating_point() else value for name, value in inputs.items()}
    try:
        return to_arrays(copy.deepcopy(model).double()(**given))
    except (RuntimeError, TypeError, ValueError):
        return {}


def to_arrays(outputs: Any) -> dict[str, np.ndarray]:
    """Return the tensors among the outputs of a model; caches and parts of other models are left out."""
    return {name: value.detach().numpy() for name, value in outputs.items() if isinstance(value, torch.Tensor)}


def compare_tokens(model: Any, loaded: Any, feeds: Mapping[str, Any], options: Mapping[str, Any]) -> None:
    """Raise if the tokens differ from PyTorch's."""
    with torch.no_grad():
        expected = model.generate(**feeds, **options)
    found = torch.as_tensor(loaded.generate(**feeds, **options))
    if not torch.equal(expected, found):
        raise AssertionError(
            f"num_beams={options.get('num_beams', 1)}: {found.tolist()} instead of {expected.tolist()}"
        )


def format_table(rows: list[Row]) -> list[str]:
    """Return the counts, and a row for each class."""
    order = list(list_cases())
    rows = sorted(rows, key=lambda row: order.index(row.name))
    states = Counter(row.state for row in rows)
    generating = [row for row in rows if row.tokens or row.state == "tokens"]
    equal = states["passed"] + states["tokens"]
    tokens = sum(row.tokens == "equal" for row in rows)
    lines = [_SUMMARY.format(classes=len(rows), outputs=equal, generating=len(generating), tokens=tokens), ""]
    lines += ["| class | family | task | files | difference / tolerance | tokens |", "|---|---|---|---|---|---|"]
    for row in rows:
        if row.state == "passed":
            cells = (row.name, row.family, row.task, row.files, f"{row.difference:g}", row.tokens)
            lines.append(f"| {' | '.join(cells)} |")
    if failed := [row for row in rows if row.state != "passed"]:
        lines += ["", "| class | family | stops at | reason |", "|---|---|---|---|"]
        for row in failed:
            reason = row.reason.replace("|", "\\|").replace("<", "&lt;")
            lines.append(f"| {row.name} | {row.family} | {row.state} | {reason} |")
    return lines


def main() -> int:
    """Measure all cases, or the selected ones."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="classes whose names begin with these, by comma")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--folders", type=Path, help="keep the exported folders here, and load those that are there")
    parser.add_argument(
        "--rows", type=Path, help="keep the rows in this file, as JSON lines, and measure what it lacks"
    )
    parser.add_argument("--show", action="store_true", help="print the table")
    parser.add_argument("--write", action="store_true", help=f"put the table into {PAGE.relative_to(ROOT)}")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    families = list_cases()
    if options.serve:
        warnings.simplefilter("ignore")
        transformers.logging.set_verbosity_error()
        torch.set_num_threads(1)
        serve(lambda name: asdict(measure(name, families[name], options.folders)), LIMIT)
        return 0
    kept = KeptRows(options.rows)
    rows = [Row(**row) for row in kept.read()]
    known = {row.name for row in rows}
    chosen = tuple(options.only.split(",")) if options.only else ("",)
    names = [name for name in families if name.startswith(chosen) and name not in known]
    with tempfile.TemporaryDirectory() as own:
        home = options.folders or Path(own)
        home.mkdir(parents=True, exist_ok=True)
        command = [__file__, "--serve", "--folders", str(home)]
        for name, made, problem in run_in_children(command, names, workers=options.workers, seconds=10 * LIMIT):
            row = Row(name, families[name], reason=problem) if made is None else Row(**made)
            rows.append(row)
            kept.add(asdict(row))
            print(f"{len(rows)} {row.name}: {row.state} {row.reason[:200]} ({row.seconds} s)", flush=True)  # noqa: T201
    if options.show:
        print("\n".join(format_table(rows)))  # noqa: T201
    if options.write:
        write_between(PAGE, "\n".join(format_table(rows)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
