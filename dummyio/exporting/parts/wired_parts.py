"""The parts of a model run one after the other as the whole model runs, at the start of a text if it generates one."""

from collections.abc import Collection, Iterable, Iterator, Mapping

import numpy as np

from dummyio.errors import OptionError
from dummyio.huggingface.parts.wiring import PAST, SWITCH, choose_first_steps, connect_parts
from dummyio.input_spec import InputSpec
from dummyio.running.runner import DeclaredTensor, Runner
from dummyio.sources.input_names import is_present
from dummyio.spec.dims import evaluate_size, is_static
from dummyio.spec.model_parts import Wire
from dummyio.spec.tensor_spec import TensorSpec
from dummyio.typing import Array

Source = tuple[str, str]
"""A part and its output; an empty name and an input of the whole model."""


class WiredParts:
    """A runner of the whole model by its parts."""

    leaves_out_outputs = True

    def __init__(self, spec: InputSpec, parts: Mapping[str, Runner], specs: Mapping[str, InputSpec]) -> None:
        """Keep the spec of the whole model, and by its name the runner and the spec of each part.

        Raises
        ------
        OptionError
            if an input of a part is neither one of the whole model nor what another part returns.
        """
        first = choose_first_steps(specs)
        wires = [
            wire for wire in connect_parts(spec, specs) if wire.target in first and not wire.input.startswith(PAST)
        ]
        self._wires = {name: [wire for wire in wires if wire.target == name] for name in _order(first, wires)}
        self._parts, self._specs = parts, specs
        self.engine = next(iter(parts.values())).engine
        taken = {(wire.source, wire.output) for wire in wires}
        self.inputs = tuple(
            declare_input(path, leaf) for path, leaf in spec.leaves if ("", path.partition(".")[0]) in taken
        )
        self._results = dict(_list_results(spec, {name: specs[name] for name in first}, taken))
        self.outputs = tuple(map(DeclaredTensor, self._results))

    def __call__(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Return the outputs of the parts that none of them takes; see `dummyio.running.runner.Runner`."""
        made: dict[Source, Array] = {("", name): values for name, values in feeds.items()}
        batch = len(next(iter(feeds.values())))
        for name, wires in self._wires.items():
            own = {wire.input: made[wire.source, wire.output] for wire in wires}
            results = self._parts[name]({**own, **self._begin(name, batch)})
            made |= {(name, key): value for key, value in results.items()}
        return {name: made[source] for name, source in self._results.items()}

    def _begin(self, name: str, batch: int) -> dict[str, Array]:
        """Return the empty past of a part, and its switch for a first step."""
        own = self._specs[name]
        sizes = {dim: 0 for dim in own.dims if dim.startswith("past_")} | {"batch_size": batch}
        return {
            path: np.zeros(leaf.sizes(sizes), leaf.dtype.numpy)
            for path, leaf in own.leaves
            if path.partition(".")[0] in (PAST, SWITCH)
        }


def _list_results(
    spec: InputSpec, specs: Mapping[str, InputSpec], taken: Collection[Source]
) -> Iterator[tuple[str, Source]]:
    """Yield the outputs that no part takes, but no cache; and those of an encoder that the whole model returns too."""
    wanted = {output.name for output in spec.outputs}
    for part, own in specs.items():
        for output in own.outputs:
            source, renamed = (part, output.name), f"encoder_{output.name}"
            if source in taken and renamed in wanted:
                yield renamed, source
            elif source not in taken and not is_present(output.name):
                yield output.name, source


def _order(parts: Iterable[str], wires: Iterable[Wire]) -> list[str]:
    """Return the parts, each after those that it takes something from."""
    needs = {name: {wire.source for wire in wires if wire.target == name} - {""} for name in parts}
    done: list[str] = []
    while len(done) < len(needs):
        ready = [name for name, others in needs.items() if name not in done and others <= set(done)]
        if not ready:
            waiting = ", ".join(name for name in needs if name not in done)
            raise OptionError(f"{waiting} take from each other: such parts cannot be run in an order.")
        done += ready
    return done


def declare_input(path: str, leaf: TensorSpec) -> DeclaredTensor:
    """Return an input of a spec as a runner declares it."""
    return DeclaredTensor(
        path, tuple(evaluate_size(size) if is_static(size) else str(size) for size in leaf.shape), leaf.dtype
    )
