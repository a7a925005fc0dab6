"""Hugging Face models from a local folder: with their weights if it has any, else with random ones, always the same."""

import pickle
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch

from dummyio.errors import DummyioError, NotInstalledError, SourceError, build_trust_error, format_error_line
from dummyio.process_state import hold_process_state, replace_functions
from dummyio_torch.calling.model_folder import check_weight_files, find_code, find_kernels, list_custom_code
from dummyio_torch.calling.remote_code import close_gates
from dummyio_torch.program_file.pickles import describe_pickle

_WEIGHTS = ("*.safetensors", "*.safetensors.index.json", "pytorch_model*.bin", "pytorch_model.bin.index.json")
_PICKLED = "pytorch_model*.bin"
_SEED = 0


def load_model(path: Path, task: str | None, *, trust: bool = False) -> tuple[Any, str]:
    """Return the model of a folder, or of its ``config.json`` (without weights), and a phrase that names its class and weights.

    The task chooses the class; by default the configuration names it. Unless `trust`, no code of the folder is run, nothing is
    fetched, and pickled weights are read as tensors only.

    Raises
    ------
    NotInstalledError
        if Transformers is not installed.
    TrustError
        if the folder needs code of its own, a kernel from the Hub, pickled objects, or weights outside of it, unless `trust`.
    SourceError
        if Transformers cannot load the folder; its exception is chained.
    """
    try:
        import transformers  # noqa: PLC0415 - lazy: slow, and not needed for tensors
    except ModuleNotFoundError as error:
        raise NotInstalledError(f"{path} needs {error.name}: pip install 'dummyio[torch,hf]'.") from error
    folder = path if path.is_dir() else path.parent
    config_file = path / "config.json" if path.is_dir() else path
    if not trust and (found := find_code(config_file)):
        raise build_trust_error(path, found)
    try:
        # One thread at a time: the random weights come from the generator of the process.
        with hold_process_state(), ExitStack() as gates:
            if not trust:
                gates.enter_context(close_gates(path, folder, lambda: list_custom_code(config_file)))
                gates.enter_context(block_network())
            return _load(transformers, path, folder, task, trust=trust)
    except DummyioError:
        raise
    except pickle.UnpicklingError as error:
        raise build_trust_error(path, _describe_pickles(folder)) from error
    except Exception as error:  # a configuration may make any class of Transformers raise anything
        raise SourceError(f"{path}: Transformers cannot load it: {format_error_line(error)}") from error


def _load(transformers: Any, path: Path, folder: Path, task: str | None, *, trust: bool) -> tuple[Any, str]:
    config = transformers.AutoConfig.from_pretrained(path, local_files_only=True, trust_remote_code=trust)
    # Transformers may have read another file, and merged values into the parts.
    if not trust and (found := find_kernels(config)):
        raise build_trust_error(path, found)
    kind = _find_class(transformers, config, task)
    remote = {"trust_remote_code": trust} if hasattr(kind, "from_config") else {}
    if path.is_dir() and any(next(folder.glob(pattern), None) for pattern in _WEIGHTS):
        check_weight_files(folder)
        model = kind.from_pretrained(folder, config=config, local_files_only=True, weights_only=not trust, **remote)
        return model.eval(), f"{type(model).__name__} with the weights of {folder}"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_SEED)
        model = kind.from_config(config, **remote) if remote else kind(config)
    model.name_or_path = str(folder)
    return model.eval(), f"{type(model).__name__} with random weights (seed {_SEED}), because {path} has none"


def _find_class(transformers: Any, config: Any, task: str | None) -> Any:
    """Return the class that the configuration names, or the one for a task of its model type."""
    if task is not None:
        from dummyio.huggingface.tasks.find_task import class_of_task  # noqa: PLC0415 - lazy: only if a task is given

        return getattr(transformers, class_of_task(config.model_type, task))
    for name in config.architectures or ():
        kind = getattr(transformers, name, None) if isinstance(name, str) else None
        # Any other name of the package, such as a class that trains, is not called.
        if isinstance(kind, type) and issubclass(kind, transformers.PreTrainedModel):
            return kind
    custom = getattr(config, "auto_map", None) or {}
    own = next((name for name in custom if name.startswith("AutoModel") and hasattr(transformers, name)), "AutoModel")
    return getattr(transformers, own)


@contextmanager
def block_network() -> Generator[None]:
    """Let no request of this thread reach the Hub: some models fetch the weights of a backbone."""
    from huggingface_hub import constants  # noqa: PLC0415 - lazy: installed with Transformers

    with replace_functions(constants, is_offline_mode=lambda: True):
        yield


def _describe_pickles(folder: Path) -> list[str]:
    return [f"{file.name}: {describe_pickle(file)}" for file in sorted(folder.glob(_PICKLED))]
