"""Print what Optimum's exporters say of the inputs of all model types that they know, as the JSON of ``tests/data/optimum_inputs.json``.

It runs in an environment of its own, which Optimum's packages need: optimum, optimum-onnx and the Transformers that they hold.

    DUMMYIO_OPTIMUM_PYTHON tests/coverage/read_optimum.py > tests/data/optimum_inputs.json

Each configuration is the default of its class, with two layers. Names, ranks and axes are kept, and of a cache its first layer.
"""

from __future__ import annotations

import json
import logging
import sys
import warnings
from collections.abc import Iterator
from typing import Any

sys.modules.setdefault("torchvision", None)  # type: ignore[arg-type] # of no use here, and of another build it does not import
warnings.simplefilter("ignore")
logging.disable(logging.WARNING)

import optimum.exporters.onnx.model_configs  # type: ignore[import-not-found,unused-ignore] # noqa: F401
import torch
from optimum.exporters.onnx.base import ConfigBehavior, OnnxConfigWithPast, OnnxSeq2SeqConfigWithPast  # type: ignore[import-not-found,unused-ignore]
from optimum.exporters.tasks import TasksManager  # type: ignore[import-not-found,unused-ignore]
from transformers import AutoConfig

PAST = "-with-past"
LAYERS = "num_hidden_layers num_layers n_layer n_layers encoder_layers decoder_layers num_decoder_layers num_encoder_layers".split()  # noqa: SIM905
BEHAVIORS = {
    "monolith": ConfigBehavior.MONOLITH,
    "encoder": ConfigBehavior.ENCODER,
    "decoder": ConfigBehavior.DECODER,
    "decoder+past": ConfigBehavior.DECODER,
}


def variants(made_by: type, task: str) -> tuple[str, ...]:
    """Return the variants of a model for a task: its parts, with or without a past, or the model alone."""
    past = task.endswith(PAST)
    if issubclass(made_by, OnnxSeq2SeqConfigWithPast):
        return ("monolith", "encoder", "decoder", *(("decoder+past",) if past else ()))
    return ("past",) if past and issubclass(made_by, OnnxConfigWithPast) else ("default",)


def build(made_by: type, model_type: str, task: str, variant: str) -> Any:
    """Return Optimum's configuration for an export."""
    config = AutoConfig.for_model(model_type)
    for name in LAYERS:
        if type(getattr(config, name, None)) is int and getattr(config, name) > 2:
            setattr(config, name, 2)
    keywords: dict[str, Any] = {}
    if task.endswith(PAST):
        keywords = {"use_past": True, "use_past_in_inputs": variant.endswith("past")}
    if variant in BEHAVIORS:
        keywords["behavior"] = BEHAVIORS[variant]
    return made_by(config, task=task.removesuffix(PAST), **keywords)


def leaves(value: Any) -> Iterator[torch.Tensor]:
    """Yield the tensors of an input."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from leaves(item)


def read(made_by: type, model_type: str, task: str, variant: str) -> dict[str, Any]:
    """Return input → its rank and axes."""
    config = build(made_by, model_type, task, variant)
    made = config.generate_dummy_inputs(framework="pt", height=64, width=64)
    found = {}
    for name, axes in config.inputs.items():
        root, _, rest = name.partition(".")
        if not rest or rest.startswith("0."):
            rank = next(leaves(made[root])).dim()
            found[name] = [rank, {str(place): symbol for place, symbol in axes.items()}]
    return dict(sorted(found.items()))


def main() -> None:
    """Read all model types; those whose default configuration cannot make inputs are left out, and counted."""
    distinct: list[dict[str, Any]] = []
    cases: dict[str, int] = {}
    without = 0
    for model_type, entry in TasksManager._LIBRARY_TO_SUPPORTED_MODEL_TYPES["transformers"].items():
        for task, constructor in entry.get("onnx", {}).items():
            made_by = getattr(constructor, "func", constructor)
            for variant in variants(made_by, task):
                try:
                    found = read(made_by, model_type, task, variant)
                except Exception:  # noqa: BLE001 - sub-configurations, a processor or the hub are needed
                    without += 1
                    continue
                if found not in distinct:
                    distinct.append(found)
                cases[f"{model_type}::{task}::{variant}"] = distinct.index(found)
    about = (
        "Names, ranks and axes that Optimum 2.1.0 and optimum-onnx 0.1.0 (Transformers 4.57.6) give the inputs of the default "
        "configurations of all model types that they know: model type, task and variant to an entry of the list of inputs. "
        f"{without} more cannot be made of a default configuration. Written by tests/coverage/read_optimum.py."
    )
    inputs = ",\n".join(json.dumps(entry, separators=(",", ":")) for entry in distinct)
    rows = ",\n".join(f"{json.dumps(key)}:{number}" for key, number in sorted(cases.items()))
    print(f'{{"about":{json.dumps(about)},\n"inputs":[\n{inputs}],\n"cases":{{\n{rows}}}}}')  # noqa: T201


if __name__ == "__main__":
    main()
