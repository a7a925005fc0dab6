"""The begin and the end of every export: a model frozen on its spec, and the check of the artifact."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dummyio.exporting.artifact import ExportResult
from dummyio.exporting.artifact_check import check_artifact
from dummyio.exporting.stages import report_stage
from dummyio.exporting.static_dims import fix_dims, split_into_buckets
from dummyio.input_spec import InputSpec
from dummyio.typing import Buckets, StaticDims
from dummyio_tensorflow.calling.frozen_function import Frozen, add_output_specs, freeze_model
from dummyio_tensorflow.running.model_runner import ModelRunner


@dataclass(frozen=True)
class ExportJob:
    """A model on its way to a file."""

    model: Any
    spec: InputSpec
    """The inputs of the artifact, and its outputs."""

    specs: Mapping[str, InputSpec]
    """Signature → its inputs; one for each bucket."""

    signatures: Mapping[str, Frozen]
    notes: tuple[str, ...]

    @property
    def frozen(self) -> Frozen:
        """The model at the first signature."""
        return self.signatures["serving_default"]

    def finish(self, path: Path, *notes: str, **options: Any) -> ExportResult:
        """Check the artifact; `options` are those of `check_artifact`."""
        reference = ModelRunner(self.model, self.spec)
        unchecked = check_artifact(path, self.spec, self.frozen.outputs, reference=reference, **options)
        return ExportResult(self.spec, (*self.notes, *notes, *unchecked))


def prepare_export(model: Any, spec: InputSpec, static: StaticDims, buckets: Buckets = None) -> ExportJob:
    """Fix dims as `static` and `buckets` demand, and freeze the model on each signature."""
    spec, notes = fix_dims(spec, static)
    spec, specs, more = split_into_buckets(spec, buckets)
    with report_stage("trace", type(model).__name__):
        signatures = {name: freeze_model(model, each) for name, each in specs.items()}
    spec = add_output_specs(spec, signatures["serving_default"])
    return ExportJob(model, spec, specs, signatures, (*notes, *more))
