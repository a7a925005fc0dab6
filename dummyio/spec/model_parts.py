"""`ModelParts`: the parts by which a model runs, and which output of one is an input of another."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple, TypeVar

from dummyio.spec.spec_data import SpecData

Spec = TypeVar("Spec", bound=SpecData)


class Wire(NamedTuple):
    """Where an input of a part comes from."""

    source: str
    """A part; empty for the inputs of the whole model."""
    output: str
    """The output of that part, or the input of the whole model."""
    target: str
    """The part that takes it."""
    input: str
    """The path of the input of that part."""

    def __str__(self) -> str:
        source = f"{self.source}.{self.output}" if self.source else self.output
        return f"{source} -> {self.target}.{self.input}"


class ModelParts(Mapping[str, Spec]):
    """The specs of parts by name, in the order in which they run, and their `wires`. A model that runs whole has one part, ``model``.

    Examples
    --------
    >>> from dummyio.spec.model_parts import Wire
    >>> parts = ModelParts({"encoder": InputSpec({"x": TensorSpec("x", (2, 3))})}, (Wire("", "x", "encoder", "x"),))
    >>> list(parts), str(parts.wires[0])
    (['encoder'], 'x -> encoder.x')
    """

    def __init__(self, specs: Mapping[str, Spec], wires: tuple[Wire, ...] = ()) -> None:
        self._specs = dict(specs)
        self.wires = wires

    def __getitem__(self, name: str) -> Spec:
        return self._specs[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._specs)

    def __len__(self) -> int:
        return len(self._specs)

    def __repr__(self) -> str:
        return f"ModelParts({', '.join(self)}; {len(self.wires)} wires)"

    def __str__(self) -> str:
        lines = [f"{name}: {spec}" for name, spec in self.items()]
        return "\n".join([*lines, *(f"  {wire}" for wire in self.wires)])
