"""`UniversalOnnxConfig`: what an exporter for ONNX asks about a model, answered by `dummyio.describe`.

A face only: names, order, axes and values come from the spec, which has the only set of rules. What Optimum's exporters
read in addition is in `dummyio.onnx.exporter_members`; which inputs they choose by model type is in `dummyio.onnx.conventions`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property, partial
from typing import Any, ClassVar

from dummyio.backend.registry import framework_name, load_backend
from dummyio.errors import OptionError
from dummyio.generators.base.context import PAST
from dummyio.generators.registry import make_tensor_generator
from dummyio.huggingface.config.configuration import Configuration
from dummyio.huggingface.tasks.find_task import find_task
from dummyio.input_spec import InputSpec
from dummyio.onnx.axis_symbols import find_symbols, name_input_axes, rename_symbols
from dummyio.onnx.choose_opset import BASE_OPSET, choose_opset, read_model_source
from dummyio.onnx.conventions.read_conventions import find_named_symbols
from dummyio.onnx.dummy_inputs import make_inputs, split_sizes
from dummyio.onnx.exporter_members import ExporterMembers, InstanceOrClass
from dummyio.onnx.list_outputs import creates_cache, list_outputs, name_axes, name_outputs
from dummyio.onnx.predict_shapes import ModelObserver, Shape, predict_shapes
from dummyio.onnx.preprocessors import Preprocessor, find_preprocessor
from dummyio.onnx.read_source import Request, Source, read_source
from dummyio.onnx.subclassing.generator_classes import list_generator_classes
from dummyio.spec.dtypes import DType
from dummyio.spec.spec_data import OutputSpec


class _Opset:
    """The opset: of the class the one that exporters write, of an instance the one that its model's operators need."""

    def __get__(self, config: UniversalOnnxConfig | None, owner: type) -> int:
        return BASE_OPSET if config is None else config.choose_opset()


class UniversalOnnxConfig(ExporterMembers):
    """Names, axes and example inputs for the export of any model to ONNX.

    Parameters
    ----------
    source
        A configuration of Transformers (object or dict), which stands for the class that ``AutoModel`` builds; a folder, a
        ``config.json`` or a live model, which keep their own class; any other source that `dummyio.describe` takes.
    task
        The task, by Optimum's name or a synonym, with or without ``-with-past``; ``"auto"`` goes by the name of the architecture
        and the hints of the configuration.
    part
        ``"encoder"``, ``"decoder"`` or ``"decoder_with_past"``, or another of `dummyio.exporting.model_parts.list_parts`; None for
        the whole model.
    int_dtype, float_dtype
        Dtypes of the inputs, by NumPy's names or Optimum's (``"fp16"``).
    preprocessors
        Kept for Optimum's signature; nothing is read from them.
    use_past
        Whether the model gets a cache, as ``-with-past`` in `task` says it; None if the task decides.
    dims
        Sizes and options, as `dummyio.describe` takes them.

    Raises
    ------
    SourceError
        if the source cannot be described for the task; the message lists the tasks that its model type can do.
    OptionError
        if a task, part, size or option is unknown, or two of them contradict each other.

    Examples
    --------
    >>> onnx_config = UniversalOnnxConfig("examples/bert-base")
    >>> onnx_config.task, onnx_config.get_output_names()
    ('fill-mask', ['logits'])
    >>> onnx_config.inputs["input_ids"]
    {0: 'batch_size', 1: 'sequence_length'}
    """

    DEFAULT_ONNX_OPSET: ClassVar[Any] = _Opset()
    """The opset for an export: 18, or a later one if an operator of the model needs it."""
    DUMMY_INPUT_GENERATOR_CLASSES: ClassVar[tuple[type, ...]] = ()
    """Generators of a subclass, which are asked before all others."""

    def __init__(
        self,
        source: Any,
        task: str | None = None,
        *,
        part: str | None = None,
        int_dtype: str = "int64",
        float_dtype: str = "fp32",
        preprocessors: list[Any] | None = None,
        use_past: bool | None = None,
        **dims: Any,
    ) -> None:
        """Decide the task, and describe the inputs unless a subclass declares them."""
        self._config = source
        self._preprocessors = preprocessors
        self.int_dtype, self.float_dtype = int_dtype, float_dtype
        self.part = part
        dtypes = {"int_dtype": int_dtype, "float_dtype": float_dtype}
        changed = {name: value for name, value in dtypes.items() if DType.of(value) != _DTYPES[name]}
        self._keywords: dict[str, Any] = {**changed, **dims}
        self._source = read_source(Request(source, task, part, use_past, self.generator_classes))
        self._specs: dict[tuple[tuple[str, Any], ...], InputSpec] = {}
        if not self.declares_inputs:
            self.spec  # noqa: B018 - what is wrong with the source is an error now

    @property
    def declares_inputs(self) -> bool:
        """Whether a subclass declares the inputs itself, by overriding `inputs`."""
        return type(self).inputs is not UniversalOnnxConfig.inputs

    @property
    def declares_outputs(self) -> bool:
        """Whether a subclass declares the outputs itself, by overriding `outputs`."""
        return type(self).outputs is not UniversalOnnxConfig.outputs

    @property
    def generator_classes(self) -> tuple[type, ...]:
        """The generators of the class, the first to be asked first."""
        return list_generator_classes(type(self))

    def find_tensor_generator(self, input_name: str, sizes: Mapping[str, Any]) -> Any:
        """Return an instance of the class's own generator that makes an input as tensors, for the hook; None if none does."""
        return make_tensor_generator(input_name, self.generator_classes, self.task, self.normalized_config, sizes)

    @property
    def normalized_config(self) -> Any:
        """The configuration as `NORMALIZED_CONFIG_CLASS` presents it."""
        return self._normalized_config

    @cached_property
    def spec(self) -> InputSpec:
        """The inputs as data: the spec of which this configuration is a face."""
        return self.describe_sizes({})

    def describe_sizes(self, sizes: Mapping[str, Any]) -> InputSpec:
        """Return the spec under further sizes and options."""
        keywords = {**self._keywords, **sizes}
        if self.declares_inputs:
            from dummyio.onnx.declared_inputs import build_declared_spec  # noqa: PLC0415 - lazy: subclasses only

            return build_declared_spec(self, keywords)
        return self._source.describe(keywords)

    @property
    def source(self) -> Source:
        """The source, with its task decided."""
        return self._source

    @property
    def task(self) -> str:
        """The task, by the name that a spec has; ``feature-extraction`` for a module of which none is known."""
        if self.declares_inputs:
            return self._source.task or "feature-extraction"
        return self.spec.task or "feature-extraction"

    @property
    def task_family(self) -> str:
        """What the data of the task are: text, vision, audio, multimodal, time series, reinforcement learning or any."""
        return find_task(self.task).family

    @property
    def use_past(self) -> bool:
        """Whether the model gets a cache."""
        return self.part == "decoder_with_past" or self.task.endswith(PAST)

    @property
    def needs_past_key_values(self) -> bool:
        """Whether a cache is among the inputs."""
        return any(name.partition(".")[0] in ("past_key_values", "cache_params") for name in self.get_input_names())

    @property
    def configuration(self) -> Configuration | None:
        """The configuration as plain data; None for a model that is not one of Transformers."""
        return self._source.configuration

    @property
    def class_name(self) -> str | None:
        """The class of the model; None if it is not one of Transformers."""
        return None if self.configuration is None else self.spec.provenance.get("model")

    @property
    def inputs(self) -> dict[str, dict[int, str]]:
        """Input → axis → symbol, in the order of ``forward``; tensors of a cache by their paths.

        As in Optimum, axes of images have their symbols even if the model fixes them; `get_dynamic_axes` has those that vary.
        """
        spec = self._described if self.declares_inputs else self.spec
        return rename_symbols(name_input_axes(spec), self._find_symbols(spec))

    def _find_symbols(self, spec: InputSpec) -> Mapping[str, str | None]:
        if self.configuration is None:
            return {}
        return {**find_symbols(spec, self.part), **find_named_symbols(spec, self.configuration.model_type)}

    @cached_property
    def _described(self) -> InputSpec:
        """The description that a subclass which declares the inputs sees as ``super().inputs``."""
        return replace(self._source, generators=()).describe(self._keywords)

    @cached_property
    def _outputs(self) -> tuple[OutputSpec, ...]:
        return self._list_outputs(self.spec)

    def _list_outputs(self, spec: InputSpec) -> tuple[OutputSpec, ...]:
        name = self.class_name if self.part is None else None
        caches = partial(self._source.describe_with_past, self._keywords)
        return list_outputs(spec, name, self.configuration, partial(self._observer.observe, spec), caches)

    @cached_property
    def _observer(self) -> ModelObserver:
        return ModelObserver(self._source, self.class_name)

    @property
    def outputs(self) -> dict[str, dict[int, str]]:
        """Output → axis → symbol, in the order in which the class returns them."""
        renamed = self.torch_to_onnx_output_map
        axes = {renamed.get(output.name, output.name): name_axes(output) for output in self._outputs}
        return rename_symbols(axes, self._find_symbols(self.spec))

    @property
    def torch_to_onnx_output_map(self) -> dict[str, str]:
        """Output of the model → its name in a file, where the two differ: an input has that name already."""
        return dict(name_outputs(self.spec, self._outputs))

    def get_input_names(self) -> list[str]:
        """Return the names of the inputs, in the order of ``forward``."""
        return list(self.inputs)

    def get_output_names(self) -> list[str]:
        """Return the names of the outputs, in the order in which the class returns them."""
        return list(self.outputs)

    def get_dynamic_axes(self) -> dict[str, dict[int, str]]:
        """Return the dynamic axes of inputs and outputs, for ``torch.onnx.export(dynamic_axes=...)``."""
        varying = self.spec.dynamic_axes()
        inputs = self.inputs if self.declares_inputs else rename_symbols(varying, self._find_symbols(self.spec))
        return {**inputs, **self.outputs}

    def get_output_shapes(self, **sizes: int) -> dict[str, Shape]:
        """Return output → shape at these sizes: from the spec, else from a run without weights and values.

        An axis, or a whole shape, is None if only a run with values tells it, or if PyTorch is not installed.

        Raises
        ------
        OptionError
            if the model has no size of a given name.

        Examples
        --------
        >>> UniversalOnnxConfig("examples/bert-base").get_output_shapes(batch_size=3, sequence_length=7)
        {'logits': (3, 7, 30522)}
        """
        spec, own = split_sizes(self, sizes)
        outputs = self._outputs if spec is self.spec else self._list_outputs(spec)
        shapes = predict_shapes(spec, outputs, spec.sizes(**own), partial(self._observer.observe, spec))
        renamed = self.torch_to_onnx_output_map
        return {renamed.get(name, name): shape for name, shape in shapes.items()}

    def generate_dummy_inputs(
        self, framework: str = "pt", *, seed: int = 0, sample: int = 0, device: Any = None, **shapes: Any
    ) -> dict[str, Any]:
        """Return example inputs as tensors of a framework, nested as the model takes them, in the order of ``forward``.

        For a PyTorch model that takes or returns a cache, the classes of the cache are registered with PyTorch as trees of
        tensors, for this process: without that ``torch.onnx.export`` refuses the model.

        Parameters
        ----------
        framework
            ``"pt"``, ``"np"``, ``"tf"``, ``"jax"``, ``"ort"``, or an alias.
        seed, sample
            Choose the values, as in `dummyio.InputSpec.generate`.
        device
            The tensors' device, in the framework's notation.
        shapes
            Sizes by Optimum's names (``batch_size``, ``height`` ...) or by those of the spec's dims. A size of Optimum's that the
            model does not have changes nothing, as in Optimum: its exporters always give all of them.

        Raises
        ------
        OptionError
            if a size is unknown; the message suggests the name that is meant.
        FrameworkError
            if no framework has that name.
        """
        made = make_inputs(self, framework, {"seed": seed, "sample": sample, "device": device}, shapes)
        if framework_name(framework) == "pt" and (self.use_past or self._creates_cache):
            backend: Any = load_backend("pt")
            backend.register_caches()
        return made

    @cached_property
    def _creates_cache(self) -> bool:
        return self.configuration is not None and creates_cache(self.configuration)

    @InstanceOrClass
    def with_past(self, *arguments: Any, **keywords: Any) -> Any:
        """Return this configuration with a cache; of the class, as in Optimum: the configuration of a source with a cache.

        Raises
        ------
        OptionError
            if models of the task do not generate step by step.
        SourceError
            if the class takes no cache.
        """
        if isinstance(self, type):
            return self(*arguments, **{**keywords, "use_past": True})
        if arguments or keywords:
            raise OptionError("with_past() of a configuration takes no arguments: it changes nothing but the past.")
        if self.use_past:
            return self
        if self.part is not None:
            raise OptionError(f"with_past() of part={self.part!r}: ask for part='decoder_with_past' instead.")
        keywords = {**self._keywords, "int_dtype": self.int_dtype, "float_dtype": self.float_dtype}
        return type(self)(self._config, self.task, preprocessors=self._preprocessors, use_past=True, **keywords)

    def choose_opset(self) -> int:
        """Return the opset that the operators in the model's source text need, at least 18."""
        return self._opset

    @cached_property
    def _opset(self) -> int:
        kind = None if self.configuration is None else self.configuration.model_type
        return choose_opset(read_model_source(self._source.model, self.class_name, kind))

    @property
    def preprocessor_type(self) -> Preprocessor:
        """What makes the model's inputs of raw data: tokenizer, image processor, feature extractor, processor, or none."""
        return find_preprocessor(self.spec, None if self.configuration is None else self.configuration.model_type)


_DTYPES = {"int_dtype": DType.INT64, "float_dtype": DType.FLOAT32}
