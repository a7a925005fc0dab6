"""Measurements: subjects take turns, and the result is the median of the ratios within the turns.

A shared machine gets faster and slower, but two subjects that run one after the other see the same machine. So there are
many turns, in alternating order.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import quantiles
from typing import Any

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


def make_step_subject(
    read: Callable[[], tuple[int, Any]], step: Callable[[int, int, Any], tuple[int, Any]], prompt: int, steps: int
) -> Subject:
    """Return a subject that writes one token after the other, each time one step, and begins again after `steps` of them.

    Parameters
    ----------
    read
        Reads the prompt, which is not measured; returns the next token and the cache.
    step
        Takes a token, the number of all tokens until it, and the cache; returns the next token and the cache.
    prompt
        The number of tokens of the prompt.
    steps
        The number of steps after it.
    """
    state: tuple[int, Any] | None = None
    count = prompt + steps

    def run(times: int) -> float:
        nonlocal state, count
        seconds = 0.0
        for _ in range(times):
            if state is None or count == prompt + steps:
                state, count = read(), prompt
            count += 1
            start = time.thread_time()
            state = step(state[0], count, state[1])
            seconds += time.thread_time() - start
        return seconds / times

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


def take_turns(
    subjects: Mapping[str, Subject], turns: int, least: float = 0.0, times: int | None = None
) -> dict[str, list[float]]:
    """Return the seconds of each subject in every turn.

    Each runs once before the first turn; a subject that takes less than `least` seconds is repeated within its turn. With `times`
    each runs so often in all turns.
    """
    repeats = {name: _count_repeats(run, least) if times is None else times for name, run in subjects.items()}
    seconds: dict[str, list[float]] = {name: [] for name in subjects}
    gc.collect()
    gc.disable()
    try:
        for turn in range(turns):
            order = list(subjects.items())
            for name, run in order if turn % 2 == 0 else reversed(order):
                seconds[name].append(run(repeats[name]))
    finally:
        gc.enable()
    return seconds


def _count_repeats(run: Subject, least: float) -> int:
    run(1)
    times = 1
    while least and (took := run(times) * times) < least:
        times = max(times * 2, int(times * least / max(took, 1e-9)))
    return times


def serve_subjects(hello: str, subjects: Mapping[str, Subject]) -> None:
    """Do what a `benchmarks.processes.Worker` asks for: print the first line, then the seconds for each ``name times``."""
    print(hello, flush=True)
    for line in sys.stdin:
        name, times = line.split()
        print(subjects[name](int(times)), flush=True)
