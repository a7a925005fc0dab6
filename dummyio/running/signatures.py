"""The signatures of an artifact: which one is meant, and how the inputs of a spec are named in it."""

import re
from collections.abc import Collection, Iterable

from dummyio.errors import OptionError, SourceError, suggest_names

SIGNATURE = "signature"
"""The key of a spec's provenance for the signature that it was described from."""
_USUAL = ("serving_default", "__call__")
"""Names of the signature that is meant without `signature=`."""
_MOST_SHOWN = 20


def choose_signature(signatures: Collection[str], signature: str | None, label: str) -> str:
    """Return the name of the signature that is meant: the one asked for, the usual one, the only one.

    Raises
    ------
    OptionError
        for a name that is not among them.
    SourceError
        if there are several, and none is the usual one.
    """
    if signature is not None and signature not in signatures:
        near = suggest_names(signature, signatures)
        others = "" if near.startswith("Known") else f" It has {_list_names(signatures)}."
        raise OptionError(f"signature={signature!r}: {label} has no signature of that name. {near}{others}")
    usual = [name for name in _USUAL if name in signatures] or (list(signatures) if len(signatures) == 1 else [])
    if signature is None and not usual:
        raise SourceError(
            f"{label} has the signatures {_list_names(signatures)}: choose one with signature='name', or --signature name."
        )
    return signature or usual[0]


def _list_names(signatures: Collection[str]) -> str:
    shown = ", ".join(list(signatures)[:_MOST_SHOWN])
    return f"{shown} and {len(signatures) - _MOST_SHOWN} more" if len(signatures) > _MOST_SHOWN else shown


def argument_names(paths: Iterable[str]) -> dict[str, str]:
    """Return path → the name that the input has in a signature: letters, digits and underscores, all different.

    `tf.function` takes other characters, which a SavedModel then replaces like this, or refuses two paths that become one
    name.
    """
    names: dict[str, str] = {}
    for path in paths:
        name = re.sub(r"\W", "_", path, flags=re.ASCII)
        name = name if name[0].isalpha() else f"arg_{name}"
        others = set(names.values())
        numbered = (f"{name}_{number}" for number in range(1, len(others) + 2))
        names[path] = name if name not in others else next(other for other in numbered if other not in others)
    return names
