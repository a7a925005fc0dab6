"""Which output of a part is an input of another: the same name, or the names that encoders, decoders and caches have for it."""

from collections.abc import Iterator, Mapping

from dummyio.errors import OptionError
from dummyio.input_spec import InputSpec
from dummyio.sources.input_names import present_name
from dummyio.spec.model_parts import Wire

PAST, SWITCH = "past_key_values", "use_cache_branch"
"""Inputs of a decoder that nothing but its own former step makes, and the one that says whether there was such a step."""
STATES, HIDDEN = "encoder_hidden_states", "last_hidden_state"
"""What a decoder takes of an encoder, and what the encoder calls it."""


def connect_parts(spec: InputSpec, specs: Mapping[str, InputSpec]) -> tuple[Wire, ...]:
    """Return the sources of all inputs of all parts.

    Parameters
    ----------
    spec
        The inputs of the whole model without its past.
    specs
        Part → its spec, with its outputs.

    Raises
    ------
    OptionError
        if an input is neither one of the whole model nor what a part returns.
    """
    makers = {output.name: name for name, own in specs.items() for output in own.outputs}
    return tuple(wire for name, own in specs.items() for wire in _iterate_wires(spec, name, own, specs, makers))


def choose_first_steps(specs: Mapping[str, InputSpec]) -> list[str]:
    """Return the parts that the start of a text needs: of two that return the same, the one without a past."""
    begun = [name for name, own in specs.items() if PAST not in own or SWITCH in own]
    made = {output.name for name in begun for output in specs[name].outputs}
    return [name for name, own in specs.items() if name in begun or {each.name for each in own.outputs} - made]


def _iterate_wires(
    spec: InputSpec, part: str, own: InputSpec, specs: Mapping[str, InputSpec], makers: Mapping[str, str]
) -> Iterator[Wire]:
    for name in own:
        if name == PAST:
            yield from _iterate_cache_wires(part, own, specs)
        elif makers.get(name, part) != part:
            yield Wire(makers[name], name, part, name)
        elif name == STATES and HIDDEN in makers:
            yield Wire(makers[HIDDEN], HIDDEN, part, name)
        elif name != SWITCH:
            others = (f"decoder_{name}", name.removeprefix("encoder_")) if STATES in own else ()
            found = next((each for each in (*others, name) if each in spec), None)
            if found is None:
                raise OptionError(
                    f"{part} takes {name}, which the whole model does not take ({', '.join(spec)}) and no other part returns "
                    f"({', '.join(makers)}). Give the spec of the whole model without its past, or validate each file alone."
                )
            yield Wire("", found, part, name)


def _iterate_cache_wires(part: str, own: InputSpec, specs: Mapping[str, InputSpec]) -> Iterator[Wire]:
    """Yield a wire from each step that returns a part of the cache."""
    for path, _ in own.leaves:
        made = present_name(path)
        for name, other in specs.items() if made is not None else ():
            if any(output.name == made for output in other.outputs):
                yield Wire(name, str(made), part, path)
