"""The score of one model: do its described inputs run, are they all there, do other sizes run, and how are the axes called?"""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from scores import other_size

import dummyio

PROBES = 4
"""How many assignments of the probe plan are run, after one for each dim alone."""

_REFERENCE = re.compile(r"(?P<many>list of |dict of )?(?P<kind>bool|int|float)\[(?P<axes>[^]]*)]")
_TIME = re.compile(r"timesteps?|t|r_timestep|timestep_r|temb")
_SPATIAL = re.compile(r"height|width|depth|num_frames|length|num_channels")


@dataclass(frozen=True)
class Case:
    """A model, and what its `forward` takes.

    Parameters
    ----------
    model
        The model.
    inputs
        Name → what it is: ``"float[batch_size, num_channels, height, width]"``, ``"list of float[num_channels, height, width]"``; the tensors of a dict by ``name.key``.
        ``*`` is an axis of any name, ``depth|num_frames`` one of either; a size of the model's own may stand where a name does.
    framework
        The framework that makes the inputs.
    call
        How the model is called with the inputs; by default by their names.
    source
        What is described; by default the model.
    options
        What `describe` is given besides.
    needed
        The inputs without which the model does not run; None if they are not known.
    """

    model: Any
    inputs: Mapping[str, str]
    framework: str = "pt"
    call: Any = None
    source: Any = None
    options: Mapping[str, Any] = field(default_factory=dict)
    needed: Sequence[str] | None = None

    def run(self, made: Mapping[str, Any]) -> None:
        """Run the model."""
        if self.call is not None:
            self.call(self.model, made)
        elif self.framework == "pt":
            import torch

            torch.manual_seed(0)
            with torch.no_grad():
                self.model(**made)
        else:
            self.model(**made)


class OutOfTimeError(BaseException):
    """One model took too long: no error that `describe` may handle."""


@dataclass
class Score:
    """The result of one model."""

    library: str
    name: str
    runs: bool = False
    full: bool = False
    dynamic: bool = False
    named: bool = False
    useful: bool | None = None
    stage: str = "build"
    reason: str = ""
    missing: list[str] = field(default_factory=list)
    misnamed: list[str] = field(default_factory=list)
    axes: dict[str, str] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    resized: int = 0
    seconds_describe: float = 0.0
    mib_describe: int = 0
    mib_peak: int = 0


def measure(library: str, name: str, build: Any, seconds: int) -> dict[str, Any]:
    """Return the score of a model as a row.

    Parameters
    ----------
    library, name
        The model.
    build
        A function that returns its `Case`.
    seconds
        The most that it may take of a processor.
    """
    score = Score(library, name)
    signal.signal(signal.SIGPROF, _stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        _measure(score, build)
    except OutOfTimeError:
        score.reason = f"{score.stage}: takes more than {seconds} s"
    except Exception as error:  # noqa: BLE001 - any exception of a model is a result
        score.reason = f"{score.stage}: {show(error)}"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    score.mib_peak = max(score.mib_peak, read_memory("VmHWM"))
    return asdict(score)


def _stop(*_: object) -> None:
    raise OutOfTimeError


def _measure(score: Score, build: Any) -> None:
    case = build()
    before = reset_peak()
    score.stage, start = "describe", time.perf_counter()
    try:
        spec = dummyio.describe(case.model if case.source is None else case.source, **case.options)
    finally:
        score.mib_describe, score.seconds_describe = (
            read_memory("VmHWM") - before,
            round(time.perf_counter() - start, 3),
        )
    score.axes = {path: f"{leaf.dtype}[{', '.join(map(str, leaf.shape))}]" for path, leaf in spec.leaves}
    score.sizes = {name: dim.size for name, dim in spec.dims.items()}
    score.misnamed = list(find_misnamed(case.inputs, dict(spec.leaves)))
    score.named = not score.misnamed
    score.useful = None if case.needed is None else False
    score.stage = "generate"
    made = spec.generate(case.framework)
    score.missing = list(find_differences(case.inputs, made))
    score.stage = "forward"
    case.run(made)
    score.runs = True
    score.full = not score.missing
    score.stage = "other sizes"
    for sizes in list_other_sizes(spec):
        score.stage = f"at {', '.join(f'{name}={size}' for name, size in sizes.items())}"
        case.run(spec.generate(case.framework, **sizes))
        score.resized += 1
    score.dynamic = score.full and score.resized > 0
    if case.needed is not None:
        score.useful = score.resized > 0 and all(text.split()[0] not in case.needed for text in score.missing)
    score.stage = "done"
    score.reason = "; ".join(score.missing) if not score.full else "" if score.dynamic else "no size can change"


def list_other_sizes(spec: dummyio.InputSpec) -> list[dict[str, int]]:
    """Return one assignment for each dim that can change alone, and the first of the probe plan, all of other shapes than the default."""
    alone = [{name: size} for name, dim in spec.dims.items() if (size := other_size(dim)) is not None]
    found: list[dict[str, int]] = []
    for sizes in [*alone, *spec.probes()[:PROBES]]:
        if sizes not in found and spec.shapes(spec.sizes(**sizes)) != spec.shapes():
            found.append(sizes)
    return found


def read_reference(text: str) -> tuple[str, str, list[str]]:
    """Return what holds the tensors, their kind, and the names of their axes."""
    found = _REFERENCE.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not of the form float[batch_size, sequence_length].")
    axes = [axis.strip() for axis in found["axes"].split(",")] if found["axes"] else []
    return (found["many"] or "").partition(" ")[0], found["kind"], axes


def find_differences(expected: Mapping[str, str], made: Mapping[str, Any]) -> Iterator[str]:
    """Yield the inputs that are missing, or of another kind or rank."""
    for name, text in expected.items():
        many, wanted, axes = read_reference(text)
        value = find_value(made, name)
        if value is None:
            yield f"{name} is missing"
            continue
        if many:
            if not isinstance(value, dict if many == "dict" else (list, tuple)) or not value:
                yield f"{name} is not a {many}"
                continue
            value = next(iter(value.values() if isinstance(value, dict) else value))
        if not hasattr(value, "shape"):
            yield f"{name} is a {type(value).__name__}, not a tensor"
            continue
        made_kind, rank = kind(value.dtype), len(value.shape)
        is_mask = name.endswith("mask") and "float" not in (made_kind, wanted)
        if _TIME.fullmatch(name) and rank <= 1 and len(axes) <= 1:  # a step of all or of each, whole or not
            continue
        if rank != len(axes) or (made_kind != wanted and not is_mask):
            yield f"{name} is {made_kind} of rank {rank}, not {wanted} of rank {len(axes)}"


def find_value(made: Any, path: str) -> Any:
    """Return the input of a path such as ``features.input_ids``; None if there is none."""
    for part in path.split("."):
        made = made.get(part) if isinstance(made, Mapping) else None
    return made


def kind(dtype: Any) -> str:
    """Return the kind of a framework's dtype: bool, int or float."""
    text = str(dtype).rpartition(".")[2]
    if "bool" in text:
        return "bool"
    return "int" if re.search(r"u?int\d", text) else "float"


def find_misnamed(expected: Mapping[str, str], leaves: Mapping[str, Any]) -> Iterator[str]:
    """Yield the axes that are not called by the field's terms."""
    for path, leaf in leaves.items():
        names = [axis if isinstance(axis, int) else str(axis) for axis in leaf.shape]
        symbols = [name for name in names if isinstance(name, str)]
        text = f"{path}[{', '.join(map(str, names))}]"
        if len(set(symbols)) < len(symbols):
            yield f"{text}: a name twice"
        prefix = f"{path.partition('.')[0]}_"
        odd = [name for name in symbols if re.search(r"_size_\d+$|_dim_\d+$", name) or _is_prefixed(name, prefix)]
        if odd:
            yield f"{text}: {', '.join(odd)}"
        if "batch_size" in names[1:]:
            yield f"{text}: the batch is not axis 0"
        reference = expected.get(path, expected.get(path.partition(".")[0]))
        if reference is None:
            continue
        _, _, axes = read_reference(reference)
        if len(axes) == len(names):
            yield from (
                f"{text}: axis {place} is {name}, not {wanted}"
                for place, (name, wanted) in enumerate(zip(names, axes, strict=True))
                if not _is_right(name, wanted)
            )


def _is_prefixed(name: str, prefix: str) -> bool:
    """Whether the name of an axis is a field's term with the input's own name before it."""
    return name.startswith(prefix) and _SPATIAL.fullmatch(name.removeprefix(prefix)) is not None


def _is_right(name: str | int, wanted: str) -> bool:
    if wanted == "*" or isinstance(name, int):
        return wanted != "batch_size" or not isinstance(name, int)
    return name in wanted.split("|")


def show(error: Exception) -> str:
    """Return an exception as a line."""
    lines = f"{type(error).__name__}: {str(error).strip()}".splitlines()
    return " ".join(line.strip() for line in lines[:3])[:300]


def reset_peak() -> int:
    """Let the peak memory of this process begin anew; return what it uses now, in MiB."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return read_memory("VmRSS")


def read_memory(field: str) -> int:
    """Return a number of MiB that Linux keeps of this process."""
    lines = Path(f"/proc/{os.getpid()}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith(f"{field}:"))
