"""The operators of the StableHLO module in an exported function, read in a process of its own before JAX gets the module."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

from jax._src.export._export import _CUSTOM_CALL_TARGETS_GUARANTEED_STABLE as STABLE_TARGETS

from dummyio.errors import SourceError

_WORKER = Path(__file__).with_name("module_worker.py")
_SECONDS = 120
_CALL = "stablehlo.custom_call@"
_TRANSFERS = ("stablehlo.infeed", "stablehlo.outfeed", "stablehlo.send", "stablehlo.recv")


def list_module_operators(module: bytes) -> tuple[str, ...]:
    """Return the names of a module's operators; see `dummyio_jax.calling.module_worker`.

    Raises
    ------
    SourceError
        if the module cannot be read.
    """
    key = hashlib.sha256(module).digest()
    found = _KNOWN.get(key)
    if found is None:
        found = _run_worker(module)
        while len(_KNOWN) >= _MOST_KNOWN:
            _KNOWN.pop(next(iter(_KNOWN)))
        _KNOWN[key] = found
    return found


_KNOWN: dict[bytes, tuple[str, ...]] = {}
"""The hash of a module → its operators: a file is described, opened and validated."""
_MOST_KNOWN = 64


def _run_worker(module: bytes) -> tuple[str, ...]:
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "LLVM_DISABLE_SYMBOLIZATION": "1",  # naming the functions of a crash takes seconds
    }
    command = [sys.executable, "-P", str(_WORKER)]  # -P: modules next to the worker are not its imports
    try:
        done = subprocess.run(  # noqa: S603 - a module of this package
            command, input=module, env=environment, capture_output=True, check=False, timeout=_SECONDS
        )
    except subprocess.TimeoutExpired as error:
        raise SourceError(f"its module was not read within {_SECONDS} seconds.") from error
    if done.returncode == 0:
        return tuple(json.loads(done.stdout))
    last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
    raise SourceError(
        f"its module is damaged, or needs a newer JAX: {last[0][:300]}" if last else "its module is damaged."
    )


def find_exported_dangers(module: bytes) -> list[str]:
    """Return the calls of a module that lead outside of it: all but the targets that JAX guarantees to be stable.

    Others may be functions of Python: the module has their number or their address.
    """
    operators = list_module_operators(module)
    targets = {name.removeprefix(_CALL) for name in operators if name.startswith(_CALL)}
    calls = [f"a call of {target[:80]!r}" for target in sorted(targets - STABLE_TARGETS)]
    return calls + [f"operator {name}" for name in operators if name in _TRANSFERS]
