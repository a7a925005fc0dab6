"""The backend object: this framework's members of `dummyio.backend.Backend`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dummyio.spec.dtypes import DType
from dummyio_torch import signature, tensors
from dummyio_torch.calling.transformers_cache import build_cache
from dummyio_torch.dtypes import DTYPE_MAPPER

if TYPE_CHECKING:
    from torch import nn

    from dummyio.exporting.artifact import ExportResult
    from dummyio.exporting.preview.obstacle import Obstacle
    from dummyio.input_spec import InputSpec
    from dummyio.running.runner import Runner
    from dummyio_torch.capture.capture import Capture
    from dummyio_torch.description.observe_outputs import OutputObserver


class TorchBackend:
    """PyTorch."""

    name = "pt"
    dtypes = DTYPE_MAPPER
    flat = False
    from_numpy = staticmethod(tensors.from_numpy)
    to_numpy = staticmethod(tensors.to_numpy)
    is_tensor = staticmethod(tensors.is_tensor)
    abstract = staticmethod(signature.abstract)
    cache = staticmethod(build_cache)

    @staticmethod
    def count_copies(dtype: DType) -> int:
        """Return how many copies of an array exist while it is converted: the tensor has its memory."""
        del dtype
        return 0

    def describe(self, model: nn.Module, *, dims: Mapping[str, Any]) -> InputSpec:
        """Return the description of a module; see `dummyio_torch.description`."""
        from dummyio_torch.description.describe_module import describe  # noqa: PLC0415 - lazy: only for descriptions

        return describe(model, dims=dims)

    def observer(self, model: nn.Module) -> OutputObserver:
        """Return an observer of what a module returns, by runs without values."""
        from dummyio_torch.description.observe_outputs import OutputObserver  # noqa: PLC0415 - lazy: only for outputs

        return OutputObserver(model)

    def class_observer(self, class_name: str, module_name: str, values: Mapping[str, Any]) -> OutputObserver:
        """Return an observer of a Transformers class; see `dummyio_torch.description.observe_outputs`."""
        from dummyio_torch.description.observe_outputs import observe_class  # noqa: PLC0415 - lazy: only for outputs

        return observe_class(class_name, module_name, values)

    def prove(self, model: nn.Module, spec: InputSpec, level: str, keywords: Mapping[str, Any]) -> InputSpec:
        """Return a spec that the model takes, with its proof; see `dummyio_torch.proof`."""
        from dummyio_torch.description.describe_module import unwrap_module  # noqa: PLC0415 - lazy: few specs are proved twice
        from dummyio_torch.proof.model_call import find_call  # noqa: PLC0415 - lazy: only for live models
        from dummyio_torch.proof.prove_spec import prove_spec  # noqa: PLC0415 - the same

        module = unwrap_module(model)
        return prove_spec(module, spec, level, find_call(module, spec, keywords))

    def prove_class(
        self,
        class_name: str,
        module_name: str,
        values: Mapping[str, Any],
        spec: InputSpec,
        level: str,
        keywords: Mapping[str, Any],
    ) -> InputSpec:
        """Return a spec that a class of Transformers or Diffusers takes, with its proof; see `dummyio_torch.proof.prove_class`."""
        from dummyio_torch.proof.prove_class import prove_class  # noqa: PLC0415 - lazy: only if it is asked for

        return prove_class(class_name, module_name, values, spec, level, keywords)

    def register_caches(self) -> None:
        """Make the caches of Transformers trees of tensors, which ``torch.onnx.export`` needs to export a model that returns one."""
        from dummyio_torch.calling.cache_trees import register_caches  # noqa: PLC0415 - lazy: only for exports by hand

        register_caches()

    @property
    def exporters(self) -> Mapping[str, Callable[..., ExportResult]]:
        """Format → exporter; see `dummyio_torch.exporting`."""
        from dummyio_torch.exporting.exporters import EXPORTERS  # noqa: PLC0415 - lazy: only for exports

        return EXPORTERS

    def plan_files(
        self, model: nn.Module, spec: InputSpec, path: Path, format_name: str, options: Mapping[str, Any]
    ) -> tuple[str, ...]:
        """Return the names of the files that an export would write; see `dummyio_torch.preview`."""
        from dummyio_torch.preview.plan_files import plan_files  # noqa: PLC0415 - lazy: only for plans

        return plan_files(model, spec, path, format_name, options)

    def find_obstacles(
        self, model: nn.Module, spec: InputSpec, format_name: str, options: Mapping[str, Any]
    ) -> Iterator[Obstacle]:
        """Yield all that stops an export of a module; see `dummyio_torch.preview`."""
        from dummyio_torch.preview.find_obstacles import find_obstacles  # noqa: PLC0415 - lazy: only for diagnoses

        return find_obstacles(model, spec, format_name, options)

    def components(
        self, model: nn.Module, spec: InputSpec, *, past: bool = True
    ) -> Mapping[str, tuple[Any, InputSpec]]:
        """Return file → module and spec for each file in a folder of ONNX files; each part runs like any module."""
        from dummyio_torch.exporting.parts.optimum_components import split_into_components  # noqa: PLC0415 - lazy: only for exports

        return split_into_components(model, spec, past=past)

    def runner(self, target: Any, spec: InputSpec | None, engine: str | None, *, trust: bool = False) -> Runner:
        """Return a module, an exported program or a ``.pt2`` file as a runner; see `dummyio_torch.running`."""
        from dummyio_torch.running.open_runner import open_runner  # noqa: PLC0415 - lazy: only for runs

        return open_runner(target, spec, engine, trust=trust)

    def capture(self, model: nn.Module, method: str | None = None) -> Capture:
        """Return a context that records calls of a module, or of one of its methods; see `dummyio.capture`."""
        from dummyio_torch.capture.capture import Capture  # noqa: PLC0415 - lazy: only for recordings

        return Capture(model, method)

    def load(self, path: Path, task: str | None, *, trust: bool = False) -> tuple[Any, str]:
        """Return the model of a file or folder, and a phrase that names its class and its weights."""
        from dummyio_torch.calling.load_model import load_model  # noqa: PLC0415 - lazy: only for the command line

        return load_model(path, task, trust=trust)


BACKEND = TorchBackend()
