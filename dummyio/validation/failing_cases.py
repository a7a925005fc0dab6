"""A failing case as a folder: its record, inputs and expected results, and a script that runs it again."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from dummyio.atomic_files import atomic_folder, make_folder
from dummyio.describing import describe
from dummyio.errors import SourceError, to_path
from dummyio.feeds import npz
from dummyio.input_spec import InputSpec
from dummyio.running.runner import DeclaredTensor, open_runner
from dummyio.typing import Array
from dummyio.validation.comparing.cases import Cases
from dummyio.validation.comparing.match_inputs import match_inputs
from dummyio.validation.comparing.model_pair import Match, Pair
from dummyio.validation.comparing.tolerance import Tolerances
from dummyio.validation.data.records import Case, Outcome, Tolerance

_SCRIPT = '''"""Runs the failing case of this folder again.

    python replay.py [ARTIFACT]

The inputs are generated from seed, sample and sizes of the case; the results of the reference are in this folder.
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


_FILES = frozenset(("spec.json", "case.json", "inputs.npz", "expected.npz", "replay.py", "__pycache__"))
_LONGEST, _MOST_NAMES = 200, 1000


class SavedCase(msgspec.Struct, frozen=True):
    """The content of ``case.json``."""

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
    """Write a case into a sub-folder of `folder` with its name; return the path of the sub-folder.

    A sub-folder of this name is replaced if it is an earlier case; any other one is left, and the next number is in the name.
    """
    target = _choose_folder(Path(folder), re.sub(r"[^\w=]+", "-", case.name).strip("-")[:_LONGEST] or "case")
    make_folder(target.parent)
    feeds = pair.cases.feeds(case)
    tolerances = {name: pair.tolerances.of(name, values.dtype, values.dtype) for name, values in expected.items()}
    with atomic_folder(target, force=True) as made:
        pair.cases.spec.save(made / "spec.json")
        saved = SavedCase(case, artifact, engine, pair.match, tolerances)
        (made / "case.json").write_bytes(msgspec.json.format(msgspec.json.encode(saved), indent=2))
        npz.write(feeds, made / "inputs.npz")
        npz.write(expected, made / "expected.npz")
        (made / "replay.py").write_text(_SCRIPT, encoding="utf-8")
    return target


def _choose_folder(folder: Path, name: str) -> Path:
    names = (name, *(f"{name}-{number}" for number in range(2, _MOST_NAMES)))
    return next((folder / name for name in names if _is_free(folder / name)), folder / name)


def _is_free(target: Path) -> bool:
    """Return whether `target` does not exist, or contains a saved case and nothing else."""
    if not os.path.lexists(target):
        return True
    if target.is_symlink() or not target.is_dir():
        return False
    names = {file.name for file in target.iterdir()}
    return names <= _FILES and ("case.json" in names or not names)


class _SavedResults:
    """A runner that returns the saved results of the reference."""

    engine = "saved results"
    inputs: tuple[DeclaredTensor, ...] | None = None
    outputs: tuple[DeclaredTensor, ...] | None = None

    def __init__(self, results: Mapping[str, Array]) -> None:
        self._results = results

    def __call__(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        del feeds
        return dict(self._results)


class _SavedTolerances(Tolerances):
    def __init__(self, saved: Mapping[str, Tolerance]) -> None:
        super().__init__(None, None, None)
        self._saved = saved

    def of(self, name: str, reference: np.dtype[Any], actual: np.dtype[Any]) -> Tolerance:
        return self._saved.get(name) or super().of(name, reference, actual)


def replay(folder: str | os.PathLike[str], artifact: Any = None, *, trust: bool = False) -> Outcome:
    """Run a saved case again and compare with the saved results.

    Parameters
    ----------
    folder
        The folder of the case.
    artifact
        The artifact to run, as in `dummyio.open_runner`; by default the one that failed.
    trust
        As in `dummyio.open_runner`.

    Returns
    -------
    Outcome
        Whether the case passes now, with the comparisons.

    Raises
    ------
    SourceError
        if the folder does not contain a saved case.
    """
    place = to_path(folder)
    try:
        saved = msgspec.json.decode((place / "case.json").read_bytes(), type=SavedCase)
        spec = InputSpec.load(place / "spec.json")
        expected = npz.read(place / "expected.npz")
    except (OSError, msgspec.DecodeError, ValueError) as error:
        raise SourceError(f"{place}: this folder does not contain a failing case ({error}).") from error
    target = saved.artifact if artifact is None else artifact
    matched = match_inputs(
        spec,
        lambda spec: open_runner(target, spec, engine=saved.engine, trust=trust),
        None,
        lambda: describe(target, prove="off"),
        is_derived=True,
    )
    pair = Pair(
        Cases(matched.spec),
        matched.actual,
        _SavedResults(expected),
        _SavedTolerances(saved.tolerances),
        saved.match,
        matched.extra,
        matched.casts,
    )
    return pair.run_case(saved.case)
