"""What the attacks share: options, seeded random numbers, and limits of time and memory for each input.

By default a share of the inputs runs; ``nox -s fuzz`` runs all of them: ``--fuzz-share`` and ``--fuzz-seed`` choose.
"""

from __future__ import annotations

import faulthandler
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

SECONDS = 5
BYTES = 1 << 30
_WAITING = 12
_STATUS = Path("/proc/self/status")


class TooSlow(BaseException):
    """An input took longer than `SECONDS`. Not an `Exception`, so that nothing catches it."""


class Attack:
    """Runs an action on many inputs: it must return or raise an error of dummyio, within the limits."""

    def __init__(self, share: float, seed: int) -> None:
        self.share, self.seed = share, seed

    def random(self, name: str) -> random.Random:
        """Return seeded random numbers of their own for each attack."""
        return random.Random(f"{self.seed} {name}")

    def count(self, whole: int) -> int:
        """Return how many of `whole` inputs to run."""
        return max(1, round(whole * self.share))

    def run(self, inputs: Iterable[tuple[object, Callable[[], Any]]], *allowed: type[BaseException]) -> Counter[str]:
        """Run (label, action) pairs; fail with the labels of all that break the contract.

        Parameters
        ----------
        inputs
            A label that makes the input again (a seed, the text itself), and the action.
        allowed
            Errors that the action may raise beyond `dummyio.DummyioError`.

        Returns
        -------
        Counter of the results: ``"accepted"``, and the names of the errors.
        """
        from dummyio import DummyioError

        counts: Counter[str] = Counter()
        broken: list[str] = []
        for label, action in inputs:
            try:
                with limits():
                    action()
            except (DummyioError, *allowed) as error:
                counts[type(error).__name__] += 1
                text = str(error)
                if len(text) > 2000 or not text:
                    broken.append(f"{label!s:.300}: a message of {len(text)} characters: {text[:100]}")
            except BaseException as error:
                if isinstance(error, KeyboardInterrupt):
                    raise
                broken.append(f"{label!s:.300}: {_where(error)}{type(error).__name__}: {error!s:.200}")
            else:
                counts["accepted"] += 1
        assert not broken, f"{len(broken)} of {sum(counts.values()) + len(broken)}:\n" + "\n".join(broken[:40])
        assert counts, "no input was run"
        return counts


def _where(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "" if trace is None else f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno} "


@contextmanager
def limits() -> Any:
    """Raise `TooSlow` after `SECONDS` of this process's own time, and `AssertionError` if its memory grew by more than `BYTES`.

    What waits, or works in another process, has `_WAITING` times as long: the machine may be busy.
    """

    def stop(*_: object) -> None:
        raise TooSlow(f"longer than {SECONDS} s")

    kinds = ((signal.ITIMER_PROF, signal.SIGPROF, SECONDS), (signal.ITIMER_REAL, signal.SIGALRM, _WAITING * SECONDS))
    previous = {number: signal.signal(number, stop) for _, number, _ in kinds}
    faulthandler.dump_traceback_later(2 * _WAITING * SECONDS, exit=True)  # native code that does not return
    before = _reset_peak()
    for timer, _, seconds in kinds:
        signal.setitimer(timer, seconds)
    began = time.process_time()
    try:
        yield
    finally:
        for timer, _, _ in kinds:
            signal.setitimer(timer, 0)
        for number, handler in previous.items():
            signal.signal(number, handler)
        faulthandler.cancel_dump_traceback_later()
    seconds = time.process_time() - began
    if seconds > SECONDS:
        raise TooSlow(f"{seconds:.1f} s")
    grown = _read_status("VmHWM") - before
    assert grown <= BYTES, f"memory grew by {grown >> 20} MiB"


def _reset_peak() -> int:
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return _read_status("VmHWM")
    return _read_status("VmRSS")


def _read_status(key: str) -> int:
    if not _STATUS.exists():
        return 0
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith(key))
    return int(line.split()[1]) * 1024


@pytest.fixture(scope="session")
def attack(request: pytest.FixtureRequest) -> Attack:
    return Attack(request.config.getoption("--fuzz-share"), request.config.getoption("--fuzz-seed"))
