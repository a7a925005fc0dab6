"""Whether what was written is sound: that it loads, declares what the spec says, and runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dummyio.errors import DummyioError, ExportError
from dummyio.input_spec import InputSpec
from dummyio.running.runner import DeclaredTensor, Runner
from dummyio.spec.dims import evaluate_size, is_static
from dummyio.typing import Array
from dummyio_tensorflow.calling.bind_model import bind_model
from dummyio_tensorflow.calling.frozen_function import nested
from dummyio_tensorflow.tensors import from_numpy

__all__ = ["check_artifact"]


def check_artifact(runner: Runner, model: Any, spec: InputSpec, outputs: tuple[str, ...]) -> None:
    """Raise `ExportError` where an artifact's inputs or outputs are not the spec's, or where it does not run.

    It runs at the default sizes, and at other sizes of every symbol that it keeps free: what was baked in shows there.
    """
    for problem in _differences(runner, spec, outputs):
        raise ExportError(f"what was written is not what was asked for: {problem} Please report it with the model.")
    for sizes in [*spec.probes()[:1], spec.sizes()]:
        feeds = spec.feeds(**sizes)
        try:
            results = runner(feeds)
        except DummyioError as error:
            if not _runs(model, spec, feeds):  # the model itself cannot do it: no fault of the artifact
                continue
            shown = ", ".join(f"{name}={size}" for name, size in sizes.items())
            raise ExportError(
                f"the artifact was written and does not run{f' at {shown}' if shown else ''}, where the model does: {error} "
                "A size may be baked in: fix sizes with static='all', 'all_but_batch' or their names."
            ) from error
        if list(results) != list(outputs) and set(results) != set(outputs):
            raise ExportError(f"the artifact returns {', '.join(results)}, the model {', '.join(outputs)}.")


def _runs(model: Any, spec: InputSpec, feeds: Mapping[str, Array]) -> bool:
    leaves = {path: from_numpy(feeds[path].copy(), leaf.dtype) for path, leaf in spec.leaves}
    try:
        bind_model(model, list(spec))(nested(spec, leaves))
    except Exception:  # noqa: BLE001 - whatever it raises, it does not run
        return False
    return True


def _differences(runner: Runner, spec: InputSpec, outputs: tuple[str, ...]) -> Iterator[str]:
    ports = {port.name: port for port in runner.inputs or ()}
    for path, leaf in spec.leaves:
        port = ports.get(path)
        if port is None:
            yield f"input {path!r} is not there, only {', '.join(ports) or 'none'}."
            continue
        if port.dtype is not leaf.dtype:
            yield f"input {path!r} has dtype {port.dtype}, not {leaf.dtype}."
        sizes = [evaluate_size(size) if is_static(size) else None for size in leaf.shape]
        if port.shape is not None and not _fits(port, sizes):
            yield f"input {path!r} has shape {port.shape}, not {leaf.shape}."
    names = {port.name for port in runner.outputs or ()}
    if runner.outputs is not None and names != set(outputs):
        yield f"the outputs are {', '.join(sorted(names))}, not {', '.join(outputs)}."


def _fits(port: DeclaredTensor, sizes: list[int | None]) -> bool:
    shape = port.shape or ()
    return len(shape) == len(sizes) and all(
        (isinstance(have, int) and have == size) if size is not None else not isinstance(have, int)
        for have, size in zip(shape, sizes, strict=True)
    )
