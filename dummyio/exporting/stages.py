"""The stages of long work, for whoever looks on: a terminal that shows where the time goes.

A step of the work states its stage with `report_stage`; nobody needs to hand a listener down to it. The listener belongs to the
context that set it, so other threads report to nobody, and without a listener a stage costs the look at one variable.
"""

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Literal

State = Literal["begun", "done", "failed"]


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage at one moment."""

    name: str
    """What is done, as one word: ``"trace"``, ``"write"``, ``"check"``."""

    subject: str = ""
    """What it is done to, such as the name of a file; may be empty."""

    state: State = "begun"
    seconds: float = 0.0
    """The time since it began."""

    step: str = ""
    """Where it is, if it has steps: ``"case 3 of 14"``."""


Listener = Callable[[Stage], object]
_LISTENER: ContextVar[Listener | None] = ContextVar("dummyio_stages", default=None)


@contextmanager
def listen_to_stages(listener: Listener | None) -> Generator[None]:
    """Call `listener` with each stage that begins, takes a step or ends until the context ends; None listens to nothing."""
    token = _LISTENER.set(listener)
    try:
        yield
    finally:
        _LISTENER.reset(token)


def has_listener() -> bool:
    """Whether anyone listens, for what is only computed to be shown."""
    return _LISTENER.get() is not None


@contextmanager
def report_stage(name: str, subject: str = "") -> Generator[Callable[[str], None]]:
    """Report that a stage begins, and how it ends. Yields a function that reports a step of it.

    Examples
    --------
    >>> with listen_to_stages(lambda stage: print(stage.name, stage.state, stage.step)):
    ...     with report_stage("validate") as report_step:
    ...         report_step("case 1 of 2")
    validate begun
    validate begun case 1 of 2
    validate done
    """
    listener = _LISTENER.get()
    if listener is None:
        yield _ignore_step
        return
    began = time.perf_counter()

    def report(state: State, step: str = "") -> None:
        listener(Stage(name, subject, state, time.perf_counter() - began, step))

    report("begun")
    try:
        yield lambda step: report("begun", step)
    except BaseException:
        report("failed")
        raise
    report("done")


def _ignore_step(step: str) -> None:
    del step
