"""What Optimum's exporters read of a configuration, beyond names, axes and inputs."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, ClassVar

from dummyio.errors import OptionError
from dummyio.model_config.normalized_config import NormalizedConfig
from dummyio.onnx.dummy_inputs import flatten_feeds, rename_feeds
from dummyio.onnx.subclassing.patching_specs import apply_patching_specs
from dummyio.option_types import convert_option
from dummyio.sources.input_names import is_present

if TYPE_CHECKING:
    from dummyio.huggingface.config.configuration import Configuration


def _find_configurations(model: Any) -> list[Any]:
    """Return the configurations of a model and of its parts, which may have copies of their own."""
    parts = [model, *(model.modules() if callable(getattr(model, "modules", None)) else ())]
    found = [getattr(part, name, None) for part in parts for name in ("config", "generation_config")]
    return list({id(each): each for each in found if each is not None}.values())


class InstanceOrClass:
    """A method that gets the instance it is called on, or the class if it is called on that."""

    def __init__(self, method: Callable[..., Any]) -> None:
        self._method = method
        self.__doc__ = method.__doc__

    def __get__(self, instance: Any, owner: type) -> Callable[..., Any]:
        """Bind the method."""
        return partial(self._method, owner if instance is None else instance)


class ExporterMembers:
    """Members that exporters of Optimum read, for a class that has a spec."""

    ATOL_FOR_VALIDATION: ClassVar[Any] = 1e-5
    """The absolute tolerance of a comparison with the model."""
    PATCHING_SPECS: ClassVar[Any] = None
    """What `patch_model_for_export` replaces besides, as `dummyio.onnx.subclassing.patching_specs` has it."""
    NORMALIZED_CONFIG_CLASS: ClassVar[Any] = NormalizedConfig
    """What puts a configuration behind canonical names."""
    VARIANTS: ClassVar[Mapping[str, str]] = {"default": "The whole model, or the part that is asked for."}
    DEFAULT_VARIANT: ClassVar[str] = "default"
    MIN_TORCH_VERSION: ClassVar[str] = "2.13"
    MIN_TRANSFORMERS_VERSION: ClassVar[str] = "5.20"
    PAD_ATTENTION_MASK_TO_PAST: ClassVar[bool] = True
    """A mask covers the past and the new tokens in every task."""
    SUPPORTS_PAST: ClassVar[bool] = True
    variant: str = "default"

    _config: Any
    int_dtype: str
    float_dtype: str
    part: str | None

    spec: Any
    """The inputs as data, an `InputSpec`."""

    if TYPE_CHECKING:  # members of the class that has a spec

        @property
        def use_past(self) -> bool:
            """Whether the model gets a cache."""
            raise NotImplementedError

        @property
        def configuration(self) -> Configuration | None:
            """The configuration as plain data."""
            raise NotImplementedError

        @property
        def inputs(self) -> dict[str, dict[int, str]]:
            """Input → axis → symbol."""
            raise NotImplementedError

        def get_input_names(self) -> list[str]:
            """Return the names of the inputs."""
            raise NotImplementedError

        def get_output_names(self) -> list[str]:
            """Return the names of the outputs."""
            raise NotImplementedError

    @property
    def overrides_inputs(self) -> bool:
        """Whether a subclass makes inputs itself, by overriding `overwrite_shape_and_generate_input`."""
        own = type(self).overwrite_shape_and_generate_input
        return own is not ExporterMembers.overwrite_shape_and_generate_input

    def overwrite_shape_and_generate_input(
        self, dummy_input_gen: Any, input_name: str, framework: str, input_shapes: dict[str, Any]
    ) -> Any:
        """Return one input; what a subclass overrides to make it itself.

        Parameters
        ----------
        dummy_input_gen
            A generator with the sizes of the spec as attributes, which can be set, and ``generate(input_name, framework=...)``.
        input_name, framework
            The input, and the short name of the framework.
        input_shapes
            The sizes that the caller of `generate_dummy_inputs` gives.
        """
        del input_shapes
        return dummy_input_gen.generate(
            input_name, framework=framework, int_dtype=self.int_dtype, float_dtype=self.float_dtype
        )

    @cached_property
    def _normalized_config(self) -> Any:
        kind = inspect.getattr_static(self, "NORMALIZED_CONFIG_CLASS")
        if not isinstance(kind, partial):  # from Python 3.14 on, a partial of a class is bound like a method
            kind = self.NORMALIZED_CONFIG_CLASS
        return kind(self._config)

    @property
    def values_override(self) -> dict[str, Any]:
        """Attributes of the model's configuration that an export needs: whether it returns its cache, as `outputs` has it."""
        configuration = self.configuration
        if configuration is None or configuration.normalized({}).raw("use_cache") is None:
            return {}
        return {
            "use_cache": bool(self.use_past) or self.part == "decoder" or any(map(is_present, self.get_output_names()))
        }

    @contextmanager
    def patch_model_for_export(self, model: Any, model_kwargs: Mapping[str, Any] | None = None) -> Generator[Any]:
        """Give the configurations of a model and its parts the values of `values_override` in a context, and the old ones after it.

        What `PATCHING_SPECS` lists is replaced in it too.

        Raises
        ------
        OptionError
            if `model_kwargs` is given, for arguments beside the inputs belong into `values_override`; or for a patching spec that is
            none.
        """
        if model_kwargs:
            raise OptionError(
                f"model_kwargs={dict(model_kwargs)!r}: an export takes no arguments but its inputs. Override values_override instead."
            )
        changes = [
            (target, name, value)
            for target in _find_configurations(model)
            for name, value in self.values_override.items()
            if hasattr(target, name)
        ]
        old = [(target, name, getattr(target, name)) for target, name, _ in changes]
        for target, name, value in changes:
            setattr(target, name, value)
        try:
            with apply_patching_specs(type(self).__name__, self.PATCHING_SPECS):
                yield model
        finally:
            for target, name, value in old:
                setattr(target, name, value)

    def ordered_inputs(self, model: Any) -> dict[str, dict[int, str]]:
        """Return the inputs in the order of the arguments of a model's ``forward``, under their names in a file.

        Raises
        ------
        OptionError
            if the model has no argument of an input's name.
        """
        given = self.inputs
        parameters = inspect.signature(getattr(model, "forward", model)).parameters
        order = {name: place for place, name in enumerate(parameters)}
        takes_all = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
        unknown = [name for name in given if name.partition(".")[0] not in order]
        if unknown and not takes_all:
            raise OptionError(
                f"{type(model).__name__} takes no {', '.join(unknown)}: its arguments are {', '.join(order)}. Give the model that the "
                "configuration is for."
            )
        names = sorted(given, key=lambda name: order.get(name.partition(".")[0], len(order)))
        return {self.torch_to_onnx_input_map.get(name, name): given[name] for name in names}

    @property
    def torch_to_onnx_input_map(self) -> dict[str, str]:
        """Argument of the model → its name in a file; empty, for the names are the same."""
        return {}

    def rename_ambiguous_inputs(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """Return inputs under the names of ``forward``, which they have already."""
        return inputs

    def flatten_output_collection_property(self, name: str, field: Any) -> dict[str, Any]:
        """Return name → tensor for an output, or input, that is a collection: a cache by layer and part, others by place.

        Parameters
        ----------
        name
            The beginning of the names of an output or input, up to the first dot, such as ``past_key_values``.
        field
            Tensors, or sequences of tensors.
        """
        paths = [path for path in (*self.get_input_names(), *self.get_output_names()) if path.startswith(f"{name}.")]
        items = [item for part in field for item in (part if isinstance(part, (list, tuple)) else (part,))]
        if len(paths) != len(items):
            paths = [f"{name}.{place}" for place in range(len(items))]
        return dict(zip(paths, items, strict=True))

    def generate_dummy_inputs_for_validation(
        self, reference_inputs: Mapping[str, Any], onnx_input_names: Sequence[str] | None = None
    ) -> dict[str, Any]:
        """Return inputs of the model as the flat feeds of its file.

        Parameters
        ----------
        reference_inputs
            The inputs as the model takes them; they are not changed.
        onnx_input_names
            The inputs of the file; what it does not have is left out, and what a decoder's file calls otherwise is renamed.

        Raises
        ------
        OptionError
            if the file has an input that is not among these, a name is given twice, or an argument is of another kind.
        """
        convert_option("reference_inputs", reference_inputs, Mapping[str, Any])
        convert_option("onnx_input_names", onnx_input_names, Sequence[str] | None)
        return rename_feeds(flatten_feeds(self.spec, reference_inputs), onnx_input_names)
