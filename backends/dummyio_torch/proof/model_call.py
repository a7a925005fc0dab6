"""How a module is called for the inputs of a spec: its forward, or the method that does the spec's task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from dummyio.input_spec import InputSpec
from dummyio.keras.calls import bind_keras, is_keras
from dummyio_torch.calling.call_module import choose_half
from dummyio_torch.calling.meta_copy import MetaCopy
from dummyio_torch.description.signature_arguments import read_signature


@dataclass(frozen=True)
class ModelCall:
    """The task that decides what is called, and the arguments that are not inputs."""

    task: str | None = None
    positional: tuple[str, ...] = ()
    """Inputs that are passed by position, in this order."""
    constants: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Arguments that are not inputs."""
    given: frozenset[str] = frozenset()
    """Dims whose sizes the caller gives."""

    def run(self, copy: MetaCopy, context: Any, inputs: Mapping[str, Any]) -> Any:
        """Call a copy of the module in a context."""
        if is_keras(copy.module):
            call = bind_keras(copy.module, list(inputs))
            return copy.enter(lambda: call(inputs), context)
        named = {**inputs, **self.constants}
        first = [named.pop(name) for name in self.positional if name in named]
        target = choose_half(copy.module, self.task)
        return copy.enter(lambda: target(*first, **named), context)


def find_call(module: nn.Module, spec: InputSpec, keywords: Mapping[str, Any]) -> ModelCall:
    """Return how a module is called for a spec; the keywords of a description that are arguments but not inputs are constants."""
    given = frozenset(keywords.keys() & spec.dims.keys())
    if choose_half(module, spec.task) is not module:
        return ModelCall(spec.task, given=given)
    parameters = read_signature(module).parameters
    positional = tuple(name for name, each in parameters.items() if each.kind is each.POSITIONAL_ONLY)
    constants = {name: value for name, value in keywords.items() if name in parameters and name not in spec}
    return ModelCall(positional=positional, constants=constants, given=given)
