"""`InputSpec`: all inputs of a model, as data.

Immutable, hashable and comparable. What it *is* (inputs, task, outputs) makes its `sha256`; where it came from
(`provenance`) does not, so that one model described from two places is one spec.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from os import PathLike
from typing import Any

from dummyio.spec.spec_data import SpecData

__all__ = ["InputSpec"]


class InputSpec(SpecData):
    """All inputs of a model, and what can be made of them: values, signatures, files."""

    def __reduce__(self) -> tuple[Any, ...]:
        return InputSpec.from_json, (self.to_json(),)

    def generate(
        self, /, framework: str = "np", *, seed: int = 0, sample: int = 0, device: Any = None, **dims: int
    ) -> dict[str, Any]:
        """Return one sample as that framework's tensors, nested as the model takes them.

        Parameters
        ----------
        framework
            ``"np"``, ``"pt"``, ``"tf"``, ``"jax"``, ``"ort"``, an alias, or a third party's.
        seed, sample
            Which values: element i of an input is a function of seed, sample, the input's path and i alone.
        device
            Where the tensors live, in the framework's own words; its default device where not given.
        dims
            Sizes of symbols, by name.
        """
        from dummyio.materialize.generate import generate  # noqa: PLC0415 - data does not import what works on it

        return generate(self, framework, seed, sample, device, dims)

    def samples(
        self, n: int, /, framework: str = "np", *, seed: int = 0, start: int = 0, device: Any = None, **dims: int
    ) -> Iterator[dict[str, Any]]:
        """Yield samples `start` to ``start + n - 1``, each equal to what `generate` returns for it."""
        from dummyio.materialize.generate import samples  # noqa: PLC0415 - as above

        return samples(self, n, framework, seed, start, device, dims)

    def feeds(self, /, *, seed: int = 0, sample: int = 0, **dims: int) -> dict[str, Any]:
        """Return one sample flat, as path → NumPy array: what a runtime is fed."""
        from dummyio.materialize.generate import feeds  # noqa: PLC0415 - as above

        return feeds(self, seed, sample, dims)

    def abstract(self, /, framework: str, **dims: int) -> dict[str, Any]:
        """Return that framework's own signature objects, nested as the inputs, without data.

        Symbols stay symbolic where the framework can say so, and become ints where `dims` gives their size.
        """
        from dummyio.materialize.generate import abstract  # noqa: PLC0415 - as above

        return abstract(self, framework, dims)

    def probes(self) -> list[dict[str, int]]:
        """Return the probe plan: assignments of sizes that tell symbols apart and reach their bounds."""
        from dummyio.spec.probe_plan import plan_probes  # noqa: PLC0415 - as above

        return plan_probes(self)

    def to_json(self) -> bytes:
        """Return the canonical JSON form."""
        from dummyio.spec.json_format import encode_spec  # noqa: PLC0415 - as above

        return encode_spec(self)

    @classmethod
    def from_json(cls, text: str | bytes) -> InputSpec:
        """Read what `to_json` wrote; raise `SpecError`, with the place in the file, for what is not valid."""
        from dummyio.spec.json_format import decode_spec  # noqa: PLC0415 - as above

        return decode_spec(text, cls)

    @cached_property
    def sha256(self) -> str:
        """A hash of the canonical form, without provenance."""
        from dummyio.spec.json_format import hash_spec  # noqa: PLC0415 - as above

        return hash_spec(self)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the JSON form to a file, whole or not at all."""
        from dummyio.spec.json_format import save_spec  # noqa: PLC0415 - as above

        save_spec(self, path)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> InputSpec:
        """Read a file that `save` wrote; errors as `from_json`."""
        from dummyio.spec.json_format import load_spec  # noqa: PLC0415 - as above

        return load_spec(path, cls)
