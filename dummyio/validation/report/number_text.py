"""Numbers and names as text, for all reports: what rounds to nothing, or to everything, must not look like it."""

from __future__ import annotations

import re

from dummyio.validation.data.records import Case, Comparison

__all__ = ["clean", "difference", "element", "number", "seconds", "share", "shown", "sizes"]

_UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def clean(text: str) -> str:
    """Return text with what XML 1.0 and UTF-8 cannot hold replaced: names come from files, and may hold anything."""
    return _UNWRITABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def number(value: float) -> str:
    """Return an error in two digits; zero as such, for it says that elements are exactly equal."""
    return f"{value:.1e}" if value else "0"


def share(value: float) -> str:
    """Return a share (0 to 1) in percent: 0% and 100% only where it is that, whatever the rounding."""
    if value in (0.0, 1.0):
        return f"{value:.0%}"
    if value < 0.001:
        return "<0.1%"
    return ">99.9%" if value > 0.999 else f"{value:.1%}"


def seconds(value: float) -> str:
    """Return a duration, in the unit that suits it."""
    return f"{value * 1e3:.3g} ms" if value < 1 else f"{value:.2f} s" if value < 100 else f"{value:.0f} s"


def sizes(case: Case) -> str:
    """Return the sizes of a case."""
    return ", ".join(f"{name}={size}" for name, size in case.sizes.items())


def shown(cases: tuple[str, ...], most: int = 3) -> str:
    """Return the names of cases, the first few of them."""
    more = len(cases) - most
    return ", ".join(cases[:most]) + (f" and {more} more" if more > 0 else "")


def element(value: float | str) -> str:
    """Return an element of an output, short enough to read and long enough to tell it from its neighbour."""
    return value if isinstance(value, str) else f"{value:.9g}"


def difference(made: Comparison) -> str:
    """Return the numbers of one comparison as a sentence."""
    if not made.histogram:
        text = "empty" if 0 in made.shape else "compared exactly"
        return f"{made.reason[:1].upper()}{made.reason[1:]}" if made.reason else text
    part = f", {made.max_abs / made.bound:.2g} of" if made.bound else ", and"
    text = f"max abs {number(made.max_abs)}{part} the tolerance {number(made.bound)}"
    return f"{text}. {made.reason[:1].upper()}{made.reason[1:]}" if made.reason else text
