"""Pickled objects: which of them contain more than tensors and plain containers."""

import io
import pickletools
import zipfile
from pathlib import Path
from typing import BinaryIO

import torch

_MOST_NAMES = 5
_HARMLESS = ("torch._utils._rebuild", "torch.storage.", "torch.FloatStorage", "collections.OrderedDict")


def find_pickle_danger(content: bytes) -> str | None:
    """Return the names that a pickle imports beyond tensors, as a phrase; None if PyTorch reads it as weights only."""
    try:
        torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception:  # noqa: BLE001 - what is not read in the safe way is a danger, whatever the reason
        return _name_globals(io.BytesIO(content))
    return None


def describe_pickle(file: Path) -> str:
    """Return the names that a pickle in a file imports, as a phrase."""
    with file.open("rb") as stream:
        return _name_globals(stream)


def _name_globals(stream: BinaryIO) -> str:
    names = _list_globals(stream)
    return f"a pickle with {', '.join(names)}" if names else "a pickle that is not of weights only"


def _list_globals(stream: BinaryIO) -> list[str]:
    """Return the names of the objects that a pickle imports, at most a few; the pickle is not run."""
    found: dict[str, None] = {}
    strings: list[str] = []
    try:
        pickled = io.BytesIO(_read_pickle(stream))
        while pickled.tell() < len(pickled.getvalue()):  # the older form has several pickles
            for operation, argument, _ in pickletools.genops(pickled):
                if operation.name in ("GLOBAL", "INST"):
                    found[".".join(str(argument).split(" ", 1))] = None
                elif operation.name == "STACK_GLOBAL":
                    found[".".join(strings[-2:])] = None
                elif isinstance(argument, str):
                    strings.append(argument)
    except Exception:  # noqa: BLE001, S110 - the rest is not a pickle; what it names before counts
        pass
    names = [name[:80] for name in found if not name.startswith(_HARMLESS)] or [name[:80] for name in found]
    return names[:_MOST_NAMES]


def _read_pickle(stream: BinaryIO) -> bytes:
    """Return the pickle in the archive that ``torch.save`` writes, or the content itself."""
    if not zipfile.is_zipfile(stream):
        stream.seek(0)
        return stream.read()
    with zipfile.ZipFile(stream) as archive:
        return archive.read(next(name for name in archive.namelist() if name.endswith("data.pkl")))
