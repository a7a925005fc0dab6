"""The inputs of a sample, bound to a session: what is fed step after step need not pass through NumPy."""

from collections.abc import Mapping
from typing import Any

import onnxruntime as ort

from dummyio.errors import OptionError, suggest_names

_ON_DEVICE = {"CUDAExecutionProvider": "cuda", "TensorrtExecutionProvider": "cuda", "ROCMExecutionProvider": "cuda"}
"""Providers whose results can be left in the memory of their device."""


def find_device(session: ort.InferenceSession) -> tuple[str, int]:
    """Return the device on which the results of a session are made: its kind and its number."""
    provider = (session.get_providers() or ["CPUExecutionProvider"])[0]
    kind = _ON_DEVICE.get(provider, "cpu")
    own = session.get_provider_options().get(provider, {})
    return kind, int(own.get("device_id", 0)) if kind != "cpu" else 0


def bind_inputs(values: Mapping[str, ort.OrtValue], session: ort.InferenceSession) -> ort.IOBinding:
    """Return a binding of a session with these inputs, and all outputs on the device of the session.

    Raises
    ------
    OptionError
        if it is not a session, or takes other inputs.
    """
    if not isinstance(session, ort.InferenceSession):
        raise OptionError(
            f"binding={type(session).__name__}: give an onnxruntime.InferenceSession, whose inputs and outputs are bound."
        )
    names = [value.name for value in session.get_inputs()]
    unknown = next((name for name in values if name not in names), None)
    if unknown is not None:
        raise OptionError(
            f"{unknown!r} is an input of this spec, and not of the session. {suggest_names(unknown, names)}"
        )
    missing = [name for name in names if name not in values]
    if missing:
        raise OptionError(
            f"the session takes {', '.join(missing)}, which this spec does not have: give the spec of this session's model."
        )
    binding: Any = session.io_binding()
    for name, value in values.items():
        binding.bind_ortvalue_input(name, value)
    kind, index = find_device(session)
    for output in session.get_outputs():
        binding.bind_output(output.name, kind, index)
    binding.dummyio_inputs = dict(values)  # the runtime does not keep the memory of its inputs alive
    return binding
