"""The models of a pipeline of Diffusers, each with its own spec, under the names that Optimum has for their folders."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from dummyio.describing import describe
from dummyio.errors import ExportError
from dummyio.huggingface.diffusion.describe import HALVES
from dummyio.input_spec import InputSpec

FILE = "model.onnx"
_MASK, _STATES, _MORE = "attention_mask", "encoder_hidden_states", "added_cond_kwargs"


class PipelineModel(NamedTuple):
    """A model, or a half of one, and its inputs."""

    model: Any
    spec: InputSpec


def is_pipeline(model: Any) -> bool:
    """Return whether an object holds several models, as the pipelines of Diffusers do."""
    return isinstance(getattr(model, "components", None), Mapping) and callable(getattr(model, "save_config", None))


def list_pipeline_models(pipeline: Any) -> dict[str, PipelineModel]:
    """Return folder → model, of all models that a pipeline needs; an optional one, such as a safety checker, is not among them.

    Raises
    ------
    ExportError
        if the pipeline takes of a text encoder what the file of it does not return.
    SourceError
        if a model cannot be described.
    """
    optional = getattr(pipeline, "_optional_components", ())
    models = {
        name: model
        for name, model in pipeline.components.items()
        if callable(getattr(model, "forward", None)) and name not in optional
    }
    found: dict[str, PipelineModel] = {}
    for name, model in models.items():
        spec = describe(model, optional_inputs=False)
        if spec.task == "autoencoding":
            for task in HALVES:
                half = task.rpartition("-")[-1]
                found[f"{name}_{half}"] = PipelineModel(model, describe(model, task))
        else:
            found[name] = PipelineModel(model, _leave_out_mask(model, spec))
    for name, (_, spec) in found.items():
        if _MORE in spec:
            raise ExportError(
                f"{name} takes {_MORE}: this pipeline reads states between the layers of its text encoders, which their files do not "
                f"return. Export each of {', '.join(models)} by itself."
            )
    return found


def _leave_out_mask(model: Any, spec: InputSpec) -> InputSpec:
    """Return the inputs of a text encoder as pipelines feed it: without a mask, unless its configuration asks for one."""
    if _MASK not in spec or _STATES in spec or getattr(model.config, "use_attention_mask", False):
        return spec
    return describe(model, optional_inputs=False, leave_out=(_MASK,))
