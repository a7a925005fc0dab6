"""The corrections of a spec that a module refuses: each is chosen by what failed, and yields specs to try, the likeliest first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from dummyio.input_spec import InputSpec
from dummyio.sources.proof.id_bounds import lower_ids
from dummyio_torch.proof.attempts import Attempt, Attempts
from dummyio_torch.proof.corrections.correct_layout import add_inputs, search_anew, search_other_layout
from dummyio_torch.proof.corrections.count_placeholders import count_placeholders
from dummyio_torch.proof.corrections.fold_frames import fold_frames
from dummyio_torch.proof.corrections.id_bounds import find_ids_out_of_bounds, halve_computed_ids

Correct = Callable[[Attempts, Attempt], Iterator[InputSpec]]


@dataclass(frozen=True)
class Correction:
    """One kind of correction."""

    name: str
    reason: str
    apply: Correct


def _lower_bounds(_: Attempts, attempt: Attempt) -> Iterator[InputSpec]:
    bounds = find_ids_out_of_bounds(attempt.spec, attempt.facts)
    if bounds:
        yield lower_ids(attempt.spec, bounds)
    if isinstance(attempt.error, IndexError):
        yield from halve_computed_ids(attempt.spec, attempt.facts)


CORRECTIONS: tuple[Correction, ...] = (
    Correction("ids below the rows of their table", "a lookup outside of a table fails", _lower_bounds),
    Correction("as many placeholders as features", "a text has a place for each feature", count_placeholders),
    Correction("inputs that are needed", "forward asks for an input that the spec lacks", add_inputs),
    Correction("a row for each frame", "frames that are looked at one by one lie in the batch", fold_frames),
    Correction(
        "ranks, dtypes and sizes that layers need", "the first operation on an input refuses it", search_other_layout
    ),
    Correction("inputs by the signature and layers alone", "a wrong guess hides the right one", search_anew),
)
