"""Measurements: subjects take turns, and the result is the median of the ratios within the turns.

A shared machine gets faster and slower, but two subjects that run one after the other see the same machine. So there are
many turns, in alternating order.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import quantiles

Subject = Callable[[int], float]
"""Does its work a number of times, and returns the seconds per time."""


def make_subject(work: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> Subject:
    """Return a subject that calls `work` in this process.

    If `work` runs in one thread, the clock `time.thread_time` leaves out the time of other processes.
    """

    def run(times: int) -> float:
        start = clock()
        for _ in range(times):
            work()
        return (clock() - start) / times

    return run


@dataclass(frozen=True)
class Ratio:
    """The median and the quartiles of the ratios of two subjects over all turns."""

    median: float
    low: float
    high: float


def compare_times(above: list[float], below: list[float]) -> Ratio:
    """Return the ratio of the times of two subjects, turn by turn."""
    ratios = [a / b for a, b in zip(above, below, strict=True)]
    low, middle, high = quantiles(ratios, n=4, method="inclusive") if len(ratios) > 1 else ratios * 3
    return Ratio(middle, low, high)


def take_turns(subjects: Mapping[str, Subject], turns: int, least: float = 0.0) -> dict[str, list[float]]:
    """Return the seconds of each subject in every turn.

    Each runs once before the first turn; a subject that takes less than `least` seconds is repeated within its turn.
    """
    times = {name: _count_repeats(run, least) for name, run in subjects.items()}
    seconds: dict[str, list[float]] = {name: [] for name in subjects}
    gc.collect()
    gc.disable()
    try:
        for turn in range(turns):
            order = list(subjects.items())
            for name, run in order if turn % 2 == 0 else reversed(order):
                seconds[name].append(run(times[name]))
    finally:
        gc.enable()
    return seconds


def _count_repeats(run: Subject, least: float) -> int:
    run(1)
    times = 1
    while least and (took := run(times) * times) < least:
        times = max(times * 2, int(times * least / max(took, 1e-9)))
    return times
