"""`InputSpec`: all inputs of a model as data, and the values, signatures and files made from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any, overload

from dummyio.errors import SpecError
from dummyio.spec.dims import Dim
from dummyio.spec.model_parts import ModelParts
from dummyio.spec.probe_plan import plan_probes
from dummyio.spec.spec_data import SpecData
from dummyio.typing import FilePath

_FIND_PARTS = "find_parts"


class InputSpec(SpecData):
    """All inputs of a model: a mapping of names to tensors or nests of tensors. Immutable, hashable and comparable.

    Inputs, task and outputs determine its `sha256`; `provenance` and `proof` do not, so that a model described from two
    sources has one spec.

    Parameters
    ----------
    inputs
        Names to `TensorSpec`, `Nest`, or plain dicts, lists and tuples of these, in the model's order.
    task
        The task's name, such as ``"text-classification"``.
    outputs
        The model's outputs, if known.
    provenance
        The sources of the facts, for people: short keys to one-line texts.
    proof
        The runs of the model that confirm the inputs; None for none.

    Examples
    --------
    >>> batch, length = Dim("batch_size", 2), Dim("sequence_length", 16, max=512)
    >>> ids = TensorSpec("input_ids", (batch, length), "int64", values.TokenIds(30522, mask="attention_mask"))
    >>> mask = TensorSpec("attention_mask", (batch, length), "int64", values.PaddingMask())
    >>> spec = InputSpec({"input_ids": ids, "attention_mask": mask})
    >>> spec.generate(sequence_length=6, seed=1)["input_ids"]
    array([[15536,  8898, 17548, 16851,  1635, 27368],
           [ 7199,  3587, 15080,     0,     0,     0]])
    """

    def __reduce__(self) -> tuple[Any, ...]:
        return InputSpec.from_json, (self.to_json(),)

    @overload
    def generate(
        self, /, framework: str = "np", *, seed: int = 0, sample: int = 0, device: Any = None, **dims: int
    ) -> dict[str, Any]: ...

    @overload
    def generate(
        self, /, framework: str, *, binding: Any, seed: int = 0, sample: int = 0, device: Any = None, **dims: int
    ) -> Any: ...

    def generate(
        self,
        /,
        framework: str = "np",
        *,
        seed: int = 0,
        sample: int = 0,
        device: Any = None,
        binding: Any = None,
        **dims: int,
    ) -> Any:
        """Return one sample as tensors of a framework, nested as the model takes them.

        Parameters
        ----------
        framework
            ``"np"``, ``"pt"``, ``"tf"``, ``"jax"``, ``"ort"``, an alias, or the name of another installed backend.
        seed, sample
            Choose the values: element i of an input is a function of seed, sample, the input's path and i alone.
        device
            The tensors' device, in the framework's notation; by default the framework's default device.
        binding
            An ``onnxruntime.InferenceSession``: then an ``IOBinding`` of it is returned, with these inputs bound, and its
            outputs to the session's device.
        dims
            Sizes of dims, by name.

        Examples
        --------
        >>> spec = InputSpec({"ids": TensorSpec("ids", (Dim("batch_size", 2), 4), "int64", values.TokenIds(100))})
        >>> spec.generate(batch_size=1)
        {'ids': array([[90, 23, 77, 90]])}
        """
        from dummyio.materialize import generate as materialize  # noqa: PLC0415 - lazy: start-up time

        return materialize.generate(self, framework, seed, sample, device, dims, binding)

    def samples(
        self, n: int, /, framework: str = "np", *, seed: int = 0, start: int = 0, device: Any = None, **dims: int
    ) -> Iterator[dict[str, Any]]:
        """Yield samples `start` to ``start + n - 1``, each equal to the one that `generate` returns.

        Examples
        --------
        >>> spec = InputSpec({"ids": TensorSpec("ids", (4,), "int64", values.TokenIds(100))})
        >>> [sample["ids"].tolist() for sample in spec.samples(2)]
        [[90, 23, 77, 90], [92, 25, 24, 42]]
        """
        from dummyio.materialize import generate as materialize  # noqa: PLC0415 - lazy: start-up time

        return materialize.samples(self, n, framework, seed, start, device, dims)

    def feeds(self, /, *, seed: int = 0, sample: int = 0, **dims: int) -> dict[str, Any]:
        """Return one sample as NumPy arrays by path, as a runtime is fed with.

        Examples
        --------
        >>> spec = InputSpec({"pair": (TensorSpec("", (2,)), TensorSpec("", (3,)))})
        >>> {path: array.shape for path, array in spec.feeds().items()}
        {'pair.0': (2,), 'pair.1': (3,)}
        """
        from dummyio.materialize import generate as materialize  # noqa: PLC0415 - lazy: start-up time

        return materialize.feeds(self, seed, sample, dims)

    def abstract(self, /, framework: str, **dims: int) -> dict[str, Any]:
        """Return signature objects of a framework, nested as the inputs, without data.

        Dims stay symbolic if the framework supports it, and become ints if `dims` gives their sizes.

        Examples
        --------
        >>> InputSpec({"x": TensorSpec("x", (Dim("batch_size", 2), 3))}).abstract("np", batch_size=5)["x"].shape
        (5, 3)
        """
        from dummyio.materialize import generate as materialize  # noqa: PLC0415 - lazy: start-up time

        return materialize.abstract(self, framework, dims)

    def probes(self) -> list[dict[str, int]]:
        """Return the probe plan: assignments of sizes that tell dims apart and reach their bounds.

        Examples
        --------
        >>> InputSpec({"x": TensorSpec("x", (Dim("batch_size", 2, max=8), 3))}).probes()
        [{'batch_size': 4}, {'batch_size': 5}, {'batch_size': 1}, {'batch_size': 8}]
        """
        return plan_probes(self)

    def parts(self) -> ModelParts[InputSpec]:
        """Return the parts by which the model runs, each with its spec, and which output of one is an input of another.

        Known for a spec that `dummyio.describe` made of a model; what was read from a file does not know its model.

        Raises
        ------
        SpecError
            If the spec does not know its model.
        SourceError
            If the inputs of a part are not known.

        Examples
        --------
        >>> dummyio.describe("examples/bert-base/config.json", task="fill-mask").parts()
        ModelParts(model; 0 wires)
        """
        find = self._plans.get(_FIND_PARTS)
        if find is None:
            raise SpecError(
                "this spec does not know its model, so its parts are not known: describe the model, dummyio.describe(model, task).parts()."
            )
        found: ModelParts[InputSpec] = find(self)
        return found

    def with_parts(self, find: Callable[[InputSpec], ModelParts[InputSpec]]) -> InputSpec:
        """Return the same spec, whose `parts` are what a function returns for it.

        Examples
        --------
        >>> spec = InputSpec({"x": TensorSpec("x", (2, 3))})
        >>> spec.with_parts(lambda spec: dummyio.ModelParts({"model": spec})).parts()
        ModelParts(model; 0 wires)
        """
        made = InputSpec(dict(self), task=self.task, outputs=self.outputs, provenance=self.provenance, proof=self.proof)
        made._plans[_FIND_PARTS] = find
        return made

    def with_dims(self, /, **dims: int | Dim) -> InputSpec:
        """Return a spec with other default sizes, or other definitions, of the dims named.

        Examples
        --------
        >>> spec = InputSpec({"x": TensorSpec("x", (Dim("batch_size", 2), Dim("length", 16)))})
        >>> spec.with_dims(batch_size=4, length=Dim.static("length", 8)).dims["length"]
        Dim('length', 8, min=8, max=8)
        """
        made = super().with_dims(**dims)
        find = self._plans.get(_FIND_PARTS)
        return made if find is None else made.with_parts(find)

    def to_json(self) -> bytes:
        """Return the canonical JSON form.

        Examples
        --------
        >>> InputSpec({"x": TensorSpec("x", (2, 3))}).to_json()
        b'{"dummyio":1,"inputs":[{"dtype":"float32","kind":"tensor","name":"x","shape":[2,3],"values":{"rule":"uniform"}}]}'
        """
        from dummyio.spec.json_format import encode_spec  # noqa: PLC0415 - lazy: start-up time

        return encode_spec(self)

    @classmethod
    def from_json(cls, text: str | bytes) -> InputSpec:
        """Return the spec that `to_json` wrote.

        Raises
        ------
        SpecError
            If `text` is not a valid spec; the message names the place in the text.

        Examples
        --------
        >>> spec = InputSpec({"x": TensorSpec("x", (2, 3))})
        >>> InputSpec.from_json(spec.to_json()) == spec
        True
        """
        from dummyio.spec.json_format import decode_spec  # noqa: PLC0415 - lazy: start-up time

        return decode_spec(text, cls)

    @cached_property
    def sha256(self) -> str:
        """A hash of the canonical form, without provenance.

        Examples
        --------
        >>> InputSpec({"x": TensorSpec("x", (2, 3))}).sha256
        '85c9f78da9178278b8e8e0c87b966b59952bcd5a4f13d4d624baa9ee3662d678'
        """
        from dummyio.spec.json_format import hash_spec  # noqa: PLC0415 - lazy: start-up time

        return hash_spec(self)

    def save(self, path: FilePath) -> None:
        """Write the JSON form to a file, whole or not at all.

        Examples
        --------
        >>> InputSpec({"x": TensorSpec("x", (2, 3))}).save("spec.json")
        >>> InputSpec.load("spec.json").shapes()
        {'x': (2, 3)}
        """
        from dummyio.spec.json_format import save_spec  # noqa: PLC0415 - lazy: start-up time

        save_spec(self, path)

    @classmethod
    def load(cls, path: FilePath) -> InputSpec:
        """Return the spec of a file that `save` wrote; raises `SpecError` as `from_json` does.

        Examples
        --------
        >>> InputSpec({"x": TensorSpec("x", (2, 3))}).save("spec.json")
        >>> InputSpec.load("spec.json")
        InputSpec(x: float32[2, 3] Uniform())
        """
        from dummyio.spec.json_format import load_spec  # noqa: PLC0415 - lazy: start-up time

        return load_spec(path, cls)
