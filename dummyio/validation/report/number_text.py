"""Numbers and names as text, for all reports. Rounding never makes a number look like zero, or a share like all."""

import re

from dummyio.validation.data.records import Case, Comparison

_UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def replace_unwritable(text: str) -> str:
    """Return text without characters that XML 1.0 or UTF-8 cannot represent: names from files may contain any."""
    return _UNWRITABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def format_error(value: float) -> str:
    """Return an error in two digits; "0" means that all elements are equal."""
    return f"{value:.1e}" if value else "0"


def format_share(value: float) -> str:
    """Return a share (0 to 1) in percent; "0%" and "100%" are exact."""
    if value in (0.0, 1.0):
        return f"{value:.0%}"
    if value < 0.001:
        return "<0.1%"
    return ">99.9%" if value > 0.999 else f"{value:.1%}"


def format_duration(value: float) -> str:
    """Return a number of seconds with a suitable unit."""
    return f"{value * 1e3:.3g} ms" if value < 1 else f"{value:.2f} s" if value < 100 else f"{value:.0f} s"


def format_sizes(case: Case) -> str:
    """Return the sizes of a case."""
    return ", ".join(f"{name}={size}" for name, size in case.sizes.items())


_CHANGES = {
    "drawn": "",
    "ends": "ends of ranges",
    "hidden_row": "last row hidden",
    "pads": "pad ids inside",
    "specials": "special ids inside",
    "magnitudes": "magnitudes spread",
    "large": "large numbers",
}


def describe_changes(case: Case) -> str:
    """Return how a case changes the masks and values of the spec; empty if it does not."""
    values = _CHANGES[case.values]
    policy = "" if case.policy is None else f"masks {case.policy}"
    return ", ".join(filter(None, [case.side and f"padded {case.side}", policy, values]))


def list_cases(cases: tuple[str, ...], most: int = 3) -> str:
    """Return the first names of some cases, and the number of the others."""
    more = len(cases) - most
    return ", ".join(cases[:most]) + (f" and {more} more" if more > 0 else "")


def describe_comparison(made: Comparison) -> str:
    """Return the numbers of a comparison as a sentence."""
    reason = f"{made.reason[:1].upper()}{made.reason[1:]}"
    if not made.histogram:
        return reason or ("empty" if 0 in made.shape else "compared exactly")
    part = f", {made.max_abs / made.bound:.2g} of" if made.bound else ", and"
    text = f"max abs {format_error(made.max_abs)}{part} the tolerance {format_error(made.bound)}"
    return f"{text}. {reason}" if reason else text
