"""The positions of placeholders of images, videos and audio in a text, and the room that they need.

Every row holds the same: some text, each medium once, some text. Padding is on one side, so the media stand at the other: after
the first token where texts are padded on the right, before the last where they are padded on the left.
"""

from collections.abc import Iterator

from dummyio.generators.base.context import Context
from dummyio.generators.media_tokens.token_counts import Medium, list_media
from dummyio.spec.values import Run

_AROUND = 1
"""Tokens of text that stand before all media, and after them, in the shortest row."""


def count_reserved_tokens(context: Context) -> int:
    """Return how many tokens a row must keep, so that all media fit; 0 where there are none."""
    found = list_media(context)
    return sum(medium.length for medium in found) + 2 * _AROUND if found else 0


def placeholder_runs(context: Context) -> tuple[Run, ...]:
    """Return the ids that stand in fixed columns: placeholders, and what begins and ends a medium."""
    return tuple(run for medium, start in _iterate_positions(context) for run in _runs_of_medium(medium, start))


def placeholder_type_runs(context: Context, numbers: dict[str, int]) -> tuple[Run, ...]:
    """Return the same columns with a number for each kind of medium, for the placeholders alone."""
    placed = ((medium, start + (medium.before is not None)) for medium, start in _iterate_positions(context))
    return tuple(Run(numbers[m.kind], start, m.count) for m, start in placed if m.kind in numbers)


def _iterate_positions(context: Context) -> Iterator[tuple[Medium, int]]:
    found = list_media(context)
    left = context.padding_side == "left" or (context.with_past and not context.encoder_decoder)
    start = -_AROUND - sum(medium.length for medium in found) if left else _AROUND
    for medium in found:
        yield medium, start
        start += medium.length


def _runs_of_medium(medium: Medium, start: int) -> Iterator[Run]:
    if medium.before is not None:
        yield Run(medium.before, start)
        start += 1
    if medium.id is not None:
        yield Run(medium.id, start, medium.count)
    if medium.after is not None:
        yield Run(medium.after, start + medium.count)
