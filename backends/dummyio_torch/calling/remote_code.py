"""Gates in Transformers: while an untrusted folder is loaded, no code and no kernel of others, and no weights from elsewhere."""

import os
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from dummyio.errors import build_trust_error
from dummyio.process_state import replace_functions


@contextmanager
def close_gates(path: Path, folder: Path, list_code: Callable[[], list[str]]) -> Generator[None]:
    """Let no model of this thread run code or kernels of others, or read weights outside of `folder`, until the context ends.

    Options such as ``trust_remote_code=False`` do not reach the parts of a model, for which Transformers asks at the terminal.
    So the functions that ask, import and resolve files are replaced where Transformers calls them.

    Parameters
    ----------
    path
        What the error names.
    folder
        The folder of the model.
    list_code
        A function that lists the code that the configuration names.
    """
    # Imported first, so that no module keeps a function that takes their place.
    from transformers import dynamic_module_utils, modeling_layers, modeling_utils  # noqa: PLC0415 - lazy: slow
    from transformers.generation.utils import GenerationMixin  # noqa: PLC0415
    from transformers.integrations import hub_kernels  # noqa: PLC0415
    from transformers.models.auto import auto_factory, configuration_auto  # noqa: PLC0415

    def decide(_: Any, model_name: Any, has_local_code: Any, has_remote_code: Any, *__: Any, **___: Any) -> bool:
        if has_remote_code and not has_local_code:
            raise build_trust_error(path, list_code() or [f"code of its own (of {model_name!s:.80})"])
        return False

    def refuse_code(name: Any, *_: Any, **__: Any) -> Any:
        raise build_trust_error(path, [f"code of its own ({name!s:.80})"])

    def refuse_kernel(name: Any, *_: Any, **__: Any) -> Any:
        raise build_trust_error(path, [f"the kernel {name!r:.80}"])

    def skip_generation_code(*_: Any, **__: Any) -> Any:
        raise OSError("the folder's own function `generate` is not needed to run the model.")

    resolve = modeling_utils._get_resolved_checkpoint_files  # noqa: SLF001 - the one place that decides which files are read

    def resolve_inside(*args: Any, **kwargs: Any) -> Any:
        files, metadata = resolve(*args, **kwargs)
        outside = [f"weights outside of its folder ({file!s:.200})" for file in _find_outside(folder, files or ())]
        if outside:
            raise build_trust_error(path, outside[:10])
        return files, metadata

    ask: Mapping[str, Callable[..., Any]] = {
        "resolve_trust_remote_code": decide,
        "get_class_from_dynamic_module": refuse_code,
    }
    gates: list[tuple[Any, Mapping[str, Callable[..., Any]]]] = [
        (auto_factory, ask),
        (configuration_auto, ask),
        (dynamic_module_utils, {"get_class_in_module": refuse_code}),
        (GenerationMixin, {"load_custom_generate": skip_generation_code}),
        (modeling_utils, {"_get_resolved_checkpoint_files": resolve_inside}),
        (modeling_layers, {"_get_resolved_checkpoint_files": resolve_inside}),
    ]
    if hasattr(hub_kernels, "get_kernel_hub"):  # only if the package `kernels` is installed
        gates.append((hub_kernels, {"get_kernel_hub": refuse_kernel}))
    with ExitStack() as stack:
        for owner, functions in gates:
            stack.enter_context(replace_functions(owner, **functions))
        yield


def _find_outside(folder: Path, files: Iterable[str | os.PathLike[str]]) -> list[str]:
    """Return the files that are not regular ones in the folder; in a cache of the Hub, links to its store are."""
    base = folder.resolve()
    roots = [base]
    store = base.parent.parent / "blobs"
    if base.parent.name == "snapshots" and not store.is_symlink():
        roots.append(store)
    found = []
    for file in files:
        real = Path(file).resolve()
        if not (real.is_file() and any(real.is_relative_to(root) for root in roots)):
            found.append(os.fspath(file))
    return found
