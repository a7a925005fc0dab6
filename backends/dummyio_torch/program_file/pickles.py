"""Pickled members of a ``.pt2`` file: which of them contain more than tensors and plain containers."""

import io
import pickletools
import zipfile

import torch

_MOST_NAMES = 5


def find_pickle_danger(content: bytes) -> str | None:
    """Return what a pickled object would call or make beyond tensors; None if PyTorch reads it as weights only."""
    try:
        torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception:  # noqa: BLE001 - what is not read in the safe way is a danger, whatever the reason
        names = list_pickle_globals(content)
        return f"a pickle with {', '.join(names)}" if names else "a pickle that is not of weights only"
    return None


def list_pickle_globals(content: bytes) -> list[str]:
    """Return the names of the objects that a pickle imports, at most a few; the pickle is not run."""
    found: dict[str, None] = {}
    strings: list[str] = []
    try:
        stream = io.BytesIO(_find_pickle(content))
        while stream.tell() < len(stream.getvalue()):  # the older form has several pickles
            for operation, argument, _ in pickletools.genops(stream):
                if operation.name in ("GLOBAL", "INST"):
                    found[".".join(str(argument).split(" ", 1))] = None
                elif operation.name == "STACK_GLOBAL":
                    found[".".join(strings[-2:])] = None
                elif isinstance(argument, str):
                    strings.append(argument)
    except Exception:  # noqa: BLE001, S110 - the rest is not a pickle; what it names before counts
        pass
    harmless = ("torch._utils._rebuild", "torch.storage.", "collections.OrderedDict")
    names = [name[:80] for name in found if not name.startswith(harmless)] or [name[:80] for name in found]
    return names[:_MOST_NAMES]


def _find_pickle(content: bytes) -> bytes:
    """Return the pickle in the archive that ``torch.save`` writes, or the content itself."""
    if not zipfile.is_zipfile(io.BytesIO(content)):
        return content
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return archive.read(next(name for name in archive.namelist() if name.endswith("data.pkl")))
