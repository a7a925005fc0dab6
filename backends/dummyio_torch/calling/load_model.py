"""Hugging Face models from a local folder: with their weights if it has any, else with random ones, always the same."""

from pathlib import Path
from typing import Any

import torch

from dummyio.errors import NotInstalledError, SourceError, format_error_line

_WEIGHTS = ("*.safetensors", "*.safetensors.index.json", "pytorch_model*.bin", "pytorch_model.bin.index.json")
_SEED = 0


def load_model(path: Path, task: str | None, *, trust: bool = False) -> tuple[Any, str]:
    """Return the model of a folder, or of its ``config.json`` (without weights), and a phrase that names its class and weights.

    The task chooses the class; by default the configuration names it. No code of the folder is run.

    Raises
    ------
    NotInstalledError
        if Transformers is not installed.
    SourceError
        if Transformers cannot load the folder; its exception is chained.
    """
    try:
        import transformers  # noqa: PLC0415 - lazy: slow, and not needed for tensors
    except ModuleNotFoundError as error:
        raise NotInstalledError(f"{path} needs {error.name}: pip install 'dummyio[torch,hf]'.") from error
    folder = path if path.is_dir() else path.parent
    try:
        config = transformers.AutoConfig.from_pretrained(path, local_files_only=True, trust_remote_code=False)
        kind: Any = _find_class(transformers, config, task)
        if path.is_dir() and any(next(folder.glob(pattern), None) for pattern in _WEIGHTS):
            model = kind.from_pretrained(folder, local_files_only=True)
            return model.eval(), f"{type(model).__name__} with the weights of {folder}"
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(_SEED)
            is_auto_class = hasattr(kind, "from_config")
            model = kind.from_config(config) if is_auto_class else kind(config)
    except (OSError, ValueError, KeyError, AttributeError, TypeError, RuntimeError) as error:
        raise SourceError(f"{path}: Transformers cannot load it: {format_error_line(error)}") from error
    model.name_or_path = str(folder)
    return model.eval(), f"{type(model).__name__} with random weights (seed {_SEED}), because {path} has none"


def _find_class(transformers: Any, config: Any, task: str | None) -> Any:
    """Return the class that the configuration names, or the one for a task of its model type."""
    if task is not None:
        from dummyio.huggingface.tasks.find_task import class_of_task  # noqa: PLC0415 - lazy: only if a task is given

        return getattr(transformers, class_of_task(config.model_type, task))
    found = next((name for name in config.architectures or () if hasattr(transformers, name)), None)
    return transformers.AutoModel if found is None else getattr(transformers, found)
