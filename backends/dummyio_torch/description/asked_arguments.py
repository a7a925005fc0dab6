"""Finds the arguments that a failed run asks for: optional in the signature, and needed all the same."""

import linecache
import re
import traceback
from collections.abc import Mapping

from dummyio_torch.description.signature_arguments import Argument


def find_asked_arguments(error: BaseException, offered: Mapping[str, Argument]) -> list[Argument]:
    """Return the arguments that an error's text names, and those that are None in a line that failed, the innermost first.

    So is an argument that a failing statement assigns: the model was to make it of the others.
    """
    text = str(error)
    found = {name: each for name, each in offered.items() if re.search(rf"\b{re.escape(name)}\b", text)}
    frames = list(traceback.walk_tb(error.__traceback__))
    # Where None itself does not fail, a line that only hands it on asks for nothing.
    concerns_none = isinstance(error, (TypeError, AttributeError)) or "None" in text
    for frame, number in reversed(frames):
        line = linecache.getline(frame.f_code.co_filename, number)
        assigned = re.match(r"\s*([a-z_]\w*) = ", line)
        if assigned and assigned[1] in offered and frame.f_locals.get(assigned[1], 0) is None:
            found.setdefault(assigned[1], offered[assigned[1]])
        if not concerns_none and frame is not frames[-1][0]:
            continue
        for name in re.findall(r"\b[a-z_]\w*\b", line):
            if name in offered and frame.f_locals.get(name, 0) is None:
                found.setdefault(name, offered[name])
    return list(found.values())


def lacks_argument(error: Exception, offered: Mapping[str, Argument]) -> bool:
    """Whether a run has failed for the lack of an argument that can be given, or on None in its place: no layout of the others helps."""
    text = str(error)
    is_none = isinstance(error, (TypeError, AttributeError)) and "NoneType" in text
    return (is_none or (isinstance(error, TypeError) and "required" in text)) and bool(
        find_asked_arguments(error, offered)
    )
