"""Which framework something belongs to: a file by its suffix, an object by the modules that its classes come from.

Nothing is imported to find out: an object of a framework has imported that framework already.
"""

from __future__ import annotations

from functools import partial
from types import CellType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

__all__ = ["detect_framework", "qualified_name"]


# The roots of modules that classes of models come from. Keras models run on TensorFlow here.
_ROOTS = {
    "torch": "pt",
    "tensorflow": "tf",
    "keras": "tf",
    "tf_keras": "tf",
    "flax": "jax",
    "jax": "jax",
    "jaxlib": "jax",
    "onnx": "ort",
    "onnxruntime": "ort",
}
_LOOKED_AT = 64
"""As many functions are looked at to learn what one is written in."""


def detect_framework(model: object) -> str | None:
    """Return the framework that an object belongs to; None where none of its classes is a framework's.

    A plain function is JAX's where its code names something of JAX's: the models of all others are objects of their own.
    """
    return _framework_of_class(model) or ("jax" if _names_jax(model, set()) else None)


def _framework_of_class(model: object) -> str | None:
    for kind in type(model).__mro__:
        found = _ROOTS.get(kind.__module__.split(".", maxsplit=1)[0])
        if found is not None:
            return found
    return None


def _names_jax(model: object, seen: set[int]) -> bool:
    """Whether a function, a method or a part of one is written in JAX, itself or in the functions that it calls by name."""
    if id(model) in seen or len(seen) > _LOOKED_AT:
        return False
    seen.add(id(model))
    if isinstance(model, partial):
        return _names_jax(model.func, seen)
    if isinstance(model, MethodType):
        return _framework_of_class(model.__self__) == "jax" or _names_jax(model.__func__, seen)
    if not isinstance(model, FunctionType):
        return False
    names = _names_of(model.__code__)
    held = [model.__globals__[name] for name in names if name in model.__globals__]
    held += [
        cell.cell_contents for cell in model.__closure__ or () if cell != CellType()
    ]  # an empty one has no contents
    held += [*(model.__defaults__ or ()), *(model.__kwdefaults__ or {}).values()]
    held += [getattr(kind, "__origin__", kind) for kind in model.__annotations__.values()]
    return any(_is_of_jax(value) or _names_jax(value, seen) for value in held)


def _names_of(code: CodeType) -> set[str]:
    """Return the globals that a code reads; `co_names` has the names of attributes among them."""
    import dis  # noqa: PLC0415 - used here only

    inner = (part for part in code.co_consts if isinstance(part, CodeType))
    own = {str(step.argval) for step in dis.get_instructions(code) if step.opname == "LOAD_GLOBAL"}
    return own.union(*map(_names_of, inner))


def _is_of_jax(value: object) -> bool:
    """Whether a module, a class or a function is JAX's, or an object of such a class."""
    if isinstance(value, type):
        return any(_ROOTS.get(kind.__module__.split(".", maxsplit=1)[0]) == "jax" for kind in value.__mro__)
    name = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
    if isinstance(value, (ModuleType, FunctionType)) and isinstance(name, str):
        return _ROOTS.get(name.split(".", maxsplit=1)[0]) == "jax"
    return _framework_of_class(value) == "jax"


def qualified_name(model: Any) -> str:
    """Return a function's own name, or an object's class, with its module, for messages."""
    if isinstance(model, FunctionType):
        return f"{model.__module__}.{model.__qualname__}"
    return f"{type(model).__module__}.{type(model).__qualname__}"
