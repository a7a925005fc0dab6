"""The base of all levels: a subclass states its inputs and generators, or leaves them to `dummyio.describe`.

If a class overrides ``inputs``, these are the inputs, and `dummyio.onnx.declared_inputs` makes the spec; the configuration may then be
any object with attributes. ``task`` is without ``-with-past`` here, as in Optimum: `use_past` has that.
"""

from __future__ import annotations

import inspect
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from os import PathLike
from typing import Any, ClassVar

from dummyio.errors import OptionError, suggest_names
from dummyio.generators.base.context import PAST
from dummyio.generators.own_classes import is_ours
from dummyio.huggingface.config.configuration import read_configuration
from dummyio.huggingface.tasks.find_task import canonical_task
from dummyio.input_spec import InputSpec
from dummyio.model_config.attribute_types import shorten_value
from dummyio.onnx.exporter_members import InstanceOrClass
from dummyio.onnx.read_source import Source
from dummyio.onnx.subclassing.generator_classes import list_generator_classes
from dummyio.onnx.task_detection import find_configuration
from dummyio.onnx.universal_config import UniversalOnnxConfig
from dummyio.spec.spec_data import OutputSpec

Axes = dict[str, dict[int, str]]

_REFUSED = ("_create_dummy_input_generator_classes", "post_process_exported_models", "fix_dynamic_axes")
"""Methods of Optimum's classes that no function of dummyio calls."""


def _read_config(source: Any) -> Any:
    """Return the configuration of a source: of a folder, a file or a live model that it has, else the source itself."""
    found = find_configuration(source)
    if found is None:
        return source
    return read_configuration(found).values if isinstance(found, (str, PathLike)) else found


class OnnxConfig(UniversalOnnxConfig):
    """A configuration for one kind of model, the base of all others here.

    Parameters
    ----------
    config
        The model's configuration: an object with attributes, or a dict; of Transformers unless the class overrides ``inputs``.
    task
        The task, or a synonym.
    preprocessors, legacy
        Kept as attributes for subclasses.
    int_dtype, float_dtype
        Dtypes of the inputs.
    dims
        Sizes by name, and options of `dummyio.describe`.

    Raises
    ------
    OptionError
        if the task is unknown, the class declares what its generators contradict, or it overrides a method that nothing calls.
    """

    _MODEL_PATCHER: ClassVar[Any] = None
    """A `ModelPatcher`, or a class with the same constructor, that `patch_model_for_export` enters."""
    task: Any = "feature-extraction"
    use_past: Any = False
    use_past_in_inputs: Any = False
    legacy: bool = False

    def __init__(
        self,
        config: Any,
        task: str = "feature-extraction",
        preprocessors: list[Any] | None = None,
        int_dtype: str = "int64",
        float_dtype: str = "fp32",
        legacy: bool = False,  # noqa: FBT002 - the signature of Optimum's class
        **dims: Any,
    ) -> None:
        """Describe the inputs, or take those that the class declares."""
        self._refuse_methods()
        if not isinstance(task, str):
            raise OptionError(f"task={shorten_value(task)}: a task is a string, such as 'text-generation'.")
        name = canonical_task(task)
        if name.endswith(PAST):
            self.use_past = self.use_past_in_inputs = True
        self.task, self.legacy = name.removesuffix(PAST), legacy
        self.variant = self.DEFAULT_VARIANT
        if self.variant not in self.VARIANTS:
            raise OptionError(
                f"{type(self).__name__}: variant={self.variant!r}. {suggest_names(self.variant, self.VARIANTS)}"
            )
        past = PAST if self.use_past_in_inputs else ""
        if not self.declares_inputs:
            options: dict[str, Any] = {
                "int_dtype": int_dtype,
                "float_dtype": float_dtype,
                "preprocessors": preprocessors,
            }
            super().__init__(config, self.task + past, **options, **dims)
            return
        self._config, self._preprocessors, self.part = _read_config(config), preprocessors, None
        self.int_dtype, self.float_dtype = int_dtype, float_dtype
        self._keywords = dims
        self._source = Source(config, self.task + past, None, self.generator_classes)

    def _refuse_methods(self) -> None:
        found = [name for name in _REFUSED if any(name in vars(base) for base in type(self).__mro__)]
        if found:
            raise OptionError(
                f"{type(self).__name__} overrides {', '.join(found)}, which nothing calls here: generators are asked by name, and "
                "a written file is changed by the caller. Remove the method."
            )

    @property
    def declares_inputs(self) -> bool:
        """Whether the class, or a level that it derives from, declares the inputs."""
        return type(self).inputs not in (UniversalOnnxConfig.inputs, OnnxConfig.inputs)

    @property
    def declares_outputs(self) -> bool:
        """Whether the class declares the outputs, beyond those of the task."""
        return type(self).outputs is not UniversalOnnxConfig.outputs

    @property
    def inputs(self) -> Axes:
        """Input → axis → symbol: as `dummyio.describe` finds them, unless a subclass declares them."""
        return super().inputs

    @property
    def generator_classes(self) -> tuple[type, ...]:
        """The generators of the class; of a dict of tasks, the one for this task.

        Where the inputs are not declared, only those of the user's: the rules of `dummyio.describe` choose among ours.
        """
        found = list_generator_classes(type(self), self.task, "DUMMY_PKV_GENERATOR_CLASS")
        return tuple(kind for kind in found if self.declares_inputs or not is_ours(kind))

    @InstanceOrClass
    def with_past(self, *arguments: Any, **keywords: Any) -> Any:
        """Return this configuration with a cache, or, of the class, the configuration of a source with a cache."""
        kind = self if isinstance(self, type) else type(self)
        if "use_past" not in inspect.signature(kind).parameters:
            raise OptionError(f"{kind.__name__} has no past: derive it from OnnxConfigWithPast, or a class below that.")
        if isinstance(self, type):
            return kind(*arguments, **{"use_past": True, "use_past_in_inputs": True, **keywords})
        keywords = {"int_dtype": self.int_dtype, "float_dtype": self.float_dtype, **self._keywords, **keywords}
        return kind(self.source.value, self.task, use_past=True, use_past_in_inputs=True, **keywords)

    @contextmanager
    def patch_model_for_export(self, model: Any, model_kwargs: Mapping[str, Any] | None = None) -> Generator[Any]:
        """Patch a model inside the context: by `_MODEL_PATCHER`, if the class has one, and by `values_override`."""
        if self._MODEL_PATCHER is None:
            with super().patch_model_for_export(model, model_kwargs) as patched:
                yield patched
            return
        with (
            super().patch_model_for_export(model),
            self._MODEL_PATCHER(self, model, model_kwargs=model_kwargs) as patched,
        ):
            yield patched

    def _list_outputs(self, spec: InputSpec) -> tuple[OutputSpec, ...]:
        """Return the outputs of the task, as in Optimum, if the inputs are declared; else all that the class returns."""
        return spec.outputs if self.declares_inputs else super()._list_outputs(spec)
