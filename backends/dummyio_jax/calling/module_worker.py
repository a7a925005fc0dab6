"""Lists the operators of a StableHLO module, in a process of its own: the reader of modules ends the process on some damaged ones.

``python module_worker.py < MODULE`` prints the names as JSON; the target of each ``custom_call`` follows it, after an ``@``. It imports
JAX's compiler alone, and nothing of dummyio, since that would take most of the time.
"""

import json
import sys


def list_operators(module: bytes) -> list[str]:
    """Return the names of a module's operators, each once."""
    from jaxlib.mlir import ir  # noqa: PLC0415 - lazy: for the worker only
    from jaxlib.mlir.dialects import chlo, sdy, stablehlo  # noqa: PLC0415 - lazy: for the worker only

    found: set[str] = set()

    def visit(operator: ir.Operation) -> ir.WalkResult:
        name = str(operator.name)
        if name == "stablehlo.custom_call":
            name = f"{name}@{ir.StringAttr(operator.attributes['call_target_name']).value}"
        found.add(name)
        return ir.WalkResult.ADVANCE

    with ir.Context() as context:
        for dialect in (stablehlo, chlo, sdy):
            dialect.register_dialect(context)
        stablehlo.deserialize_portable_artifact(context, module).operation.walk(visit)
    return sorted(found)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(list_operators(sys.stdin.buffer.read())))
