"""The parts of a model run one after the other as the whole model runs: what one part returns, another takes by its name."""

from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

import numpy as np

from dummyio.errors import OptionError
from dummyio.input_spec import InputSpec
from dummyio.running.runner import DeclaredTensor, Runner
from dummyio.sources.input_names import is_present
from dummyio.spec.dims import evaluate_size, is_static
from dummyio.spec.tensor_spec import TensorSpec
from dummyio.typing import Array

_PAST, _SWITCH = "past_key_values", "use_cache_branch"
_STATES, _HIDDEN = "encoder_hidden_states", "last_hidden_state"
"""What a decoder takes of an encoder, and what the encoder calls it."""


class Source(NamedTuple):
    """Where an input of a part comes from: an output of a part, or an input of the whole model if `part` is empty."""

    part: str
    name: str


class WiredParts:
    """A runner of the whole model by its parts, at the start of a text if it generates one."""

    leaves_out_outputs = True

    def __init__(self, spec: InputSpec, parts: Mapping[str, Runner], specs: Mapping[str, InputSpec]) -> None:
        """Keep the spec of the whole model, and by its name the runner and the spec of each part.

        Raises
        ------
        OptionError
            if an input of a part is neither one of the whole model nor what another part returns.
        """
        self._sources = connect_parts(spec, specs)
        self._parts = {name: parts[name] for name in _order(self._sources)}
        self._specs = specs
        self.engine = next(iter(parts.values())).engine
        taken = {source for sources in self._sources.values() for source in sources.values()}
        self.inputs = tuple(
            declare_input(path, leaf) for path, leaf in spec.leaves if Source("", path.partition(".")[0]) in taken
        )
        self._results = dict(_list_results(spec, {name: specs[name] for name in self._parts}, taken))
        self.outputs = tuple(map(DeclaredTensor, self._results))

    def __call__(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Return the outputs of the parts that none of them takes; see `dummyio.running.runner.Runner`."""
        made: dict[Source, Array] = {Source("", name): values for name, values in feeds.items()}
        batch = len(next(iter(feeds.values())))
        for name, run in self._parts.items():
            own = {path: made[source] for path, source in self._sources[name].items()}
            made |= {Source(name, key): value for key, value in run({**own, **self._begin(name, batch)}).items()}
        return {name: made[source] for name, source in self._results.items()}

    def _begin(self, name: str, batch: int) -> dict[str, Array]:
        """Return the empty past of a part, and its switch for a first step."""
        own = self._specs[name]
        sizes = {dim: 0 for dim in own.dims if dim.startswith("past_")} | {"batch_size": batch}
        return {
            path: np.zeros(leaf.sizes(sizes), leaf.dtype.numpy)
            for path, leaf in own.leaves
            if path.partition(".")[0] in (_PAST, _SWITCH)
        }


def connect_parts(spec: InputSpec, specs: Mapping[str, InputSpec]) -> dict[str, dict[str, Source]]:
    """Return part → input → its source, for all parts that the start of a text needs; parameters and errors are those of `WiredParts`."""
    makers = {output.name: name for name, own in specs.items() for output in own.outputs}
    begun = {name for name, own in specs.items() if _PAST not in own or _SWITCH in own}
    made = {output.name for name in begun for output in specs[name].outputs}
    first = {name: own for name, own in specs.items() if name in begun or {each.name for each in own.outputs} - made}
    return {name: dict(_find_sources(spec, name, own, makers)) for name, own in first.items()}


def _find_sources(
    spec: InputSpec, part: str, own: InputSpec, makers: Mapping[str, str]
) -> Iterator[tuple[str, Source]]:
    for name in own:
        if name in (_PAST, _SWITCH):
            continue
        if makers.get(name, part) != part:
            yield name, Source(makers[name], name)
        elif name == _STATES and _HIDDEN in makers:
            yield name, Source(makers[_HIDDEN], _HIDDEN)
        else:
            whole = (f"decoder_{name}", name.removeprefix("encoder_")) if _STATES in own else ()
            found = next((each for each in (*whole, name) if each in spec), None)
            if found is None:
                raise OptionError(
                    f"{part} takes {name}, which the whole model does not take ({', '.join(spec)}) and no other part returns "
                    f"({', '.join(makers)}). Give the spec of the whole model without its past, or validate each file alone."
                )
            yield name, Source("", found)


def _list_results(
    spec: InputSpec, specs: Mapping[str, InputSpec], taken: Collection[Source]
) -> Iterator[tuple[str, Source]]:
    """Yield the outputs that no part takes, but no cache; and those of an encoder that the whole model returns too."""
    wanted = {output.name for output in spec.outputs}
    for part, own in specs.items():
        for output in own.outputs:
            source, renamed = Source(part, output.name), f"encoder_{output.name}"
            if source in taken and renamed in wanted:
                yield renamed, source
            elif source not in taken and not is_present(output.name):
                yield output.name, source


def _order(sources: Mapping[str, Mapping[str, Source]]) -> list[str]:
    """Return the parts, each after those that it takes something from."""
    waiting, done = dict(sources), [""]
    while waiting:
        ready = [name for name, own in waiting.items() if {source.part for source in own.values()} <= set(done)]
        if not ready:
            raise OptionError(f"{', '.join(waiting)} take from each other: such parts cannot be run in an order.")
        done += ready
        waiting = {name: own for name, own in waiting.items() if name not in ready}
    return done[1:]


def declare_input(path: str, leaf: TensorSpec) -> DeclaredTensor:
    """Return an input of a spec as a runner declares it."""
    return DeclaredTensor(
        path, tuple(evaluate_size(size) if is_static(size) else str(size) for size in leaf.shape), leaf.dtype
    )
