"""A failing case as a folder: what it is, its inputs and both results as files, and a script that runs it again."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from dummyio.atomic_files import atomic_folder
from dummyio.errors import SourceError
from dummyio.feeds import npz
from dummyio.input_spec import InputSpec
from dummyio.running.runner import DeclaredTensor, open_runner
from dummyio.typing import Array
from dummyio.validation.comparing.cases import Cases
from dummyio.validation.comparing.model_pair import Match, Pair
from dummyio.validation.comparing.tolerance import Tolerances
from dummyio.validation.data.records import Case, Outcome, Tolerance

__all__ = ["Recorded", "replay", "save_case"]


_SCRIPT = '''"""Runs the failing case in this folder again.

    python replay.py [ARTIFACT]

The inputs are made anew from the case's seed, sample and sizes; the reference's results were kept.
"""

import sys
from pathlib import Path

from dummyio.validation.failing_cases import replay

outcome = replay(Path(__file__).parent, *sys.argv[1:2])
print(f"{outcome.case.name}: {outcome.status} {outcome.reason}")
for made in outcome.comparisons:
    print(f"  {made.output} {list(made.shape)}: max abs {made.max_abs:.3e}, {made.mismatched:.1%} off. {made.reason}")
sys.exit(0 if outcome.status == "passed" else 1)
'''


class Recorded(msgspec.Struct, frozen=True):
    """What `case.json` holds."""

    case: Case
    artifact: str
    engine: str | None
    match: Match
    tolerances: dict[str, Tolerance]


def save_case(
    folder: str | os.PathLike[str],
    pair: Pair,
    case: Case,
    expected: Mapping[str, Array],
    artifact: str,
    engine: str | None,
) -> Path:
    """Write a case below `folder`, in a folder with its name; return that."""
    target = Path(folder) / (re.sub(r"[^\w=]+", "-", case.name).strip("-") or "case")
    target.parent.mkdir(parents=True, exist_ok=True)
    feeds = pair.cases.feeds(case)
    tolerances = {name: pair.tolerances.of(name, values.dtype, values.dtype) for name, values in expected.items()}
    with atomic_folder(target, force=True) as made:
        pair.cases.spec.save(made / "spec.json")
        recorded = Recorded(case, artifact, engine, pair.match, tolerances)
        (made / "case.json").write_bytes(msgspec.json.format(msgspec.json.encode(recorded), indent=2))
        npz.write(feeds, made / "inputs.npz")
        npz.write(expected, made / "expected.npz")
        (made / "replay.py").write_text(_SCRIPT, encoding="utf-8")
    return target


class _Kept:
    """The reference's results as they were, in place of the reference."""

    engine = "kept results"
    inputs: tuple[DeclaredTensor, ...] | None = None
    outputs: tuple[DeclaredTensor, ...] | None = None

    def __init__(self, results: Mapping[str, Array]) -> None:
        self._results = results

    def __call__(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        del feeds
        return dict(self._results)


class _Given(Tolerances):
    """The tolerances as they were."""

    def __init__(self, kept: Mapping[str, Tolerance]) -> None:
        super().__init__(None, None, None)
        self._kept = kept

    def of(self, name: str, reference: np.dtype[Any], actual: np.dtype[Any]) -> Tolerance:
        return self._kept.get(name) or super().of(name, reference, actual)


def replay(folder: str | os.PathLike[str], artifact: Any = None) -> Outcome:
    """Run a saved case again, on the artifact that it failed on or on another one, and compare with the kept results.

    Raises
    ------
    SourceError
        where the folder holds no case.
    """
    place = Path(folder)
    try:
        recorded = msgspec.json.decode((place / "case.json").read_bytes(), type=Recorded)
        spec = InputSpec.load(place / "spec.json")
        expected = npz.read(place / "expected.npz")
    except (OSError, msgspec.DecodeError, ValueError) as error:
        raise SourceError(f"{place}: no failing case is kept here ({error}).") from error
    actual = open_runner(artifact if artifact is not None else recorded.artifact, spec, engine=recorded.engine)
    pair = Pair(Cases(spec), actual, _Kept(expected), _Given(recorded.tolerances), recorded.match)
    return pair.outcome(recorded.case)
