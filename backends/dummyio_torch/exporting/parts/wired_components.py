"""The parts of a model whose inputs go separate ways, each as a module with its own spec.

====================================================  ============================================================================
parts                                                 of a model
====================================================  ============================================================================
``text_model``, ``vision_model``                      that compares texts with images, each in a batch of its own
``vision_encoder``, ``prompt_encoder_mask_decoder``   whose ``forward`` takes an argument, such as ``image_embeddings``, in place of
                                                      the inputs from which its method ``get_image_embeddings`` makes it
====================================================  ============================================================================
"""

import inspect
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import nn

from dummyio.errors import DummyioError, ExportError
from dummyio.exporting.artifact_check import check_artifact
from dummyio.exporting.parts.wired_parts import WiredParts
from dummyio.huggingface.parts.media_parts import ENCODERS
from dummyio.huggingface.parts.towers import split_by_batch
from dummyio.input_spec import InputSpec
from dummyio.running.runner import open_runner
from dummyio.spec.spec_data import OutputSpec
from dummyio.spec.tensor_spec import TensorSpec
from dummyio_torch.exporting.parts.inner_decoder import split_at_inner_decoder
from dummyio_torch.exporting.parts.optimum_components import Components, describe_task
from dummyio_torch.running.module_runner import ModuleRunner

_PROMPTS = ("input_points", "input_labels")
"""The prompts of a segmentation; its caller feeds both."""


class Tower(nn.Module):
    """A model that is given some of its inputs, and returns what depends on these alone; the others are constants."""

    def __init__(self, model: nn.Module, spec: InputSpec, outputs: tuple[str, ...]) -> None:
        super().__init__()
        self.whole = model
        self._others = spec.generate("pt", **{name: 1 for name, dim in spec.dims.items() if dim.takes(1)})
        self._outputs = outputs

    def forward(self, **inputs: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return the outputs of the tower."""
        made = self.whole(**self._others, **inputs)
        return {name: made[name] for name in self._outputs}


class ArgumentMaker(nn.Module):
    """The method of a model that makes one of the arguments of its ``forward``."""

    def __init__(self, model: nn.Module, argument: str) -> None:
        super().__init__()
        self.whole = model
        self._argument = argument

    def forward(self, **inputs: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return the argument."""
        return {self._argument: getattr(self.whole, f"get_{self._argument}")(**inputs)}


def split_into_wired_components(model: nn.Module, spec: InputSpec) -> tuple[Components, InputSpec] | None:
    """Return part → module and its spec, and the spec of the whole model; None for a model that runs whole."""
    towers = split_by_batch(spec)
    if towers:
        return {name: (_make_tower(model, spec, own), own) for name, own in towers.items()}, spec
    for argument in inspect.signature(model.forward).parameters:
        getter = getattr(model, f"get_{argument}", None)
        read = [name for name in spec if callable(getter) and name in inspect.signature(getter).parameters]
        if read and argument not in spec:
            found = _split_at_argument(model, spec, argument, read)
            if found is not None:
                return found
    inner = split_at_inner_decoder(model, spec)
    return None if inner is None else (inner, spec)


def _make_tower(model: nn.Module, spec: InputSpec, own: InputSpec) -> Tower:
    others = InputSpec({name: node for name, node in spec.items() if name not in own})
    return Tower(model, others, tuple(output.name for output in own.outputs))


def _split_at_argument(
    model: nn.Module, spec: InputSpec, argument: str, read: list[str]
) -> tuple[Components, InputSpec] | None:
    names = inspect.signature(model.forward).parameters
    prompts = tuple(name for name in _PROMPTS if name in names and name not in spec)
    task = spec.task or ""
    try:
        whole = describe_task(model, task, spec, feed=prompts) if prompts else spec
        rest = describe_task(model, task, spec, feed=(argument, *prompts), leave_out=read)
    except DummyioError:
        return None  # the argument has no description: the model is exported whole
    made = None if rest is None else rest[argument]
    if whole is None or rest is None or not isinstance(made, TensorSpec):
        return None
    encoder = InputSpec(
        {name: spec[name] for name in read},
        task=task,
        outputs=(OutputSpec(argument, made.shape, made.dtype),),
        provenance=spec.provenance,
    )
    medium = "image" if any(name.startswith("pixel_") for name in read) else "audio"
    decoder = "prompt_encoder_mask_decoder" if prompts or any(name in spec for name in _PROMPTS) else "decoder"
    return {ENCODERS[medium]: (ArgumentMaker(model, argument), encoder), decoder: (model, rest)}, whole


def check_wired_parts(
    model: nn.Module,
    whole: InputSpec,
    files: Mapping[str, Path],
    specs: Mapping[str, InputSpec],
    tolerance: float | None,
) -> tuple[str, ...]:
    """Compare the parts, run one after the other, with the whole model at usual sizes.

    `tolerance` is that of `check_artifact`; None compares shapes only.

    Raises
    ------
    ExportError
        if they differ, or do not run together.
    """
    reference = ModuleRunner(model, whole)
    joined = WiredParts(whole, {name: open_runner(file, specs[name]) for name, file in files.items()}, specs)
    outputs = [each.name for each in joined.outputs]
    try:
        return check_artifact(
            next(iter(files.values())),
            whole,
            outputs,
            reference=lambda feeds: {name: made for name, made in reference(feeds).items() if name in outputs},
            tolerance=tolerance,
            opener=lambda _path, _spec: joined,
        )
    except ExportError as error:
        raise ExportError(f"the parts, run one after the other, are not the whole model: {error}") from error
