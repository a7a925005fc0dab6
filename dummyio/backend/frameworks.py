"""The table of frameworks, and the framework of an object by the modules that define its classes.

Detection imports nothing: an object of a framework exists only if that framework has been imported.
"""

import sys
from collections.abc import Iterator
from functools import partial
from types import CellType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any, NamedTuple


class Framework(NamedTuple):
    """One framework that this distribution has a backend for."""

    name: str
    """The short name, as in ``generate(framework=...)``."""
    title: str
    """The name for messages."""
    module: str
    """The module that defines its tensors."""
    aliases: tuple[str, ...]
    """Other names that a caller may use."""
    model_roots: tuple[str, ...] = ()
    """Root modules that classes of its models come from."""
    extra: str = "all"
    """The extra of dummyio that installs it."""


FRAMEWORKS = {
    framework.name: framework
    for framework in (
        Framework("np", "NumPy", "numpy", ("numpy",)),
        Framework("pt", "PyTorch", "torch", ("torch", "pytorch"), ("torch",), "torch"),
        Framework("tf", "TensorFlow", "tensorflow", ("tensorflow",), ("tensorflow", "keras", "tf_keras"), "tensorflow"),
        Framework("jax", "JAX", "jax", ("flax",), ("jax", "jaxlib", "flax"), "jax"),
        Framework("ort", "ONNX", "onnxruntime", ("onnxruntime", "onnx"), ("onnx", "onnxruntime"), "onnx"),
    )
}
ALIASES = {alias: framework.name for framework in FRAMEWORKS.values() for alias in framework.aliases}
"""Alias → short name."""
MODEL_ROOTS = {root: framework.name for framework in FRAMEWORKS.values() for root in framework.model_roots}
"""Root module of a model's class → short name."""

_MOST_FUNCTIONS = 64
"""The search for JAX in a function follows at most this many functions."""


def detect_framework(model: object) -> str | None:
    """Return the short name of the framework that an object belongs to; None if no framework defines its classes.

    A plain function belongs to JAX if its code refers to JAX: models of the other frameworks are objects of their classes.
    """
    return _framework_of_class(type(model)) or ("jax" if _refers_to_jax(model, set()) else None)


def get_keras_backend() -> str | None:
    """Return the framework that Keras 3 runs on in this process: its own name for it; None if it is not imported."""
    keras: Any = sys.modules.get("keras")
    return None if keras is None else str(keras.config.backend())


def _framework_of_module(name: object) -> str | None:
    return MODEL_ROOTS.get(name.split(".", maxsplit=1)[0]) if isinstance(name, str) else None


def _framework_of_class(kind: type) -> str | None:
    roots = [base.__module__.split(".", maxsplit=1)[0] for base in kind.__mro__ if isinstance(base.__module__, str)]
    if "keras" in roots:  # its classes inherit from those of the framework that it runs on
        runs_on = get_keras_backend()
        return next((each.name for each in FRAMEWORKS.values() if each.module == runs_on and each.model_roots), "tf")
    return next((MODEL_ROOTS[root] for root in roots if root in MODEL_ROOTS), None)


def _refers_to_jax(model: object, seen: set[int]) -> bool:
    """Whether a function, a method, a partial or an object that can be called uses JAX, directly or in functions that it refers to."""
    if id(model) in seen or len(seen) > _MOST_FUNCTIONS:
        return False
    seen.add(id(model))
    if isinstance(model, partial):
        given = [*model.args, *model.keywords.values()]
        given += [item for value in given if isinstance(value, dict) for item in value.values()]
        return any(map(_belongs_to_jax, given)) or _refers_to_jax(model.func, seen)
    if isinstance(model, MethodType):
        return _framework_of_class(type(model.__self__)) == "jax" or _refers_to_jax(model.__func__, seen)
    if not isinstance(model, FunctionType):  # an object of a user's class: its methods
        methods = vars(type(model)).values() if callable(model) and not isinstance(model, type) else ()
        return any(_refers_to_jax(each, seen) for each in methods if isinstance(each, FunctionType))
    return any(_belongs_to_jax(value) or _refers_to_jax(value, seen) for value in _referenced_values(model))


def _referenced_values(function: FunctionType) -> Iterator[object]:
    """Yield the globals, closure values, defaults and annotations of a function."""
    names = _global_names(function.__code__)
    yield from (function.__globals__[name] for name in names if name in function.__globals__)
    yield from (cell.cell_contents for cell in function.__closure__ or () if cell != CellType())  # an empty one raises
    yield from (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values())
    yield from (getattr(kind, "__origin__", kind) for kind in function.__annotations__.values())


def _global_names(code: CodeType) -> set[str]:
    """Return the names of the globals that a code reads; its `co_names` would include names of attributes."""
    import dis  # noqa: PLC0415 - lazy: only plain functions need it

    inner = (part for part in code.co_consts if isinstance(part, CodeType))
    own = {str(step.argval) for step in dis.get_instructions(code) if step.opname == "LOAD_GLOBAL"}
    return own.union(*map(_global_names, inner))


def _belongs_to_jax(value: object) -> bool:
    """Whether JAX defines a module, a class or a function, or the class of any other object."""
    if isinstance(value, type):
        return _framework_of_class(value) == "jax"
    if isinstance(value, (ModuleType, FunctionType)):
        return _framework_of_module(value.__name__ if isinstance(value, ModuleType) else value.__module__) == "jax"
    return _framework_of_class(type(value)) == "jax"


def qualified_name(model: Any) -> str:
    """Return the module and name of a function, or of an object's class, for messages."""
    named = model if isinstance(model, FunctionType) else type(model)
    return f"{named.__module__}.{named.__qualname__}"
