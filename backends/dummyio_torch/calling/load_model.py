"""Hugging Face models from a local folder: with their weights where they are there, else with random ones, always the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from dummyio.errors import NotInstalledError, SourceError

__all__ = ["load"]

_WEIGHTS = ("*.safetensors", "*.safetensors.index.json", "pytorch_model*.bin", "pytorch_model.bin.index.json")
_SEED = 0


def load(path: Path, task: str | None) -> tuple[Any, str]:
    """Return the model of a folder, or of its ``config.json`` (without weights), in evaluation mode, and what it is.

    No code of the folder is run.

    Raises
    ------
    NotInstalledError
        where Transformers is missing.
    SourceError
        where it cannot load the folder; its exception is chained.
    """
    try:
        import transformers  # noqa: PLC0415 - slow, and not needed for tensors
    except ModuleNotFoundError as error:
        raise NotInstalledError(f"{path} needs {error.name}: pip install 'dummyio[torch,hf]'.") from error
    folder = path if path.is_dir() else path.parent
    try:
        config = transformers.AutoConfig.from_pretrained(path, local_files_only=True, trust_remote_code=False)
        kind = _class_of(transformers, config, task)
        if path.is_dir() and any(next(folder.glob(pattern), None) for pattern in _WEIGHTS):
            model = kind.from_pretrained(folder, local_files_only=True)
            return model.eval(), f"{type(model).__name__} with the weights of {folder}"
        model = _with_random_weights(kind, config)
    except (OSError, ValueError, KeyError, AttributeError, TypeError, RuntimeError) as error:
        raise SourceError(f"{path}: Transformers cannot load it: {type(error).__name__}: {error}") from error
    model.name_or_path = str(folder)
    return model.eval(), f"{type(model).__name__} with random weights (seed {_SEED}), for {path} has none"


def _with_random_weights(kind: Any, config: Any) -> Any:
    state = torch.random.get_rng_state()
    torch.manual_seed(_SEED)
    try:
        return (
            kind(config) if isinstance(kind, type) and issubclass(kind, torch.nn.Module) else kind.from_config(config)
        )
    finally:
        torch.random.set_rng_state(state)


def _class_of(transformers: Any, config: Any, task: str | None) -> Any:
    """Return the class that the configuration names, or the one that does the task for its model type."""
    if task is not None:
        from dummyio.huggingface.tasks.find_task import class_of_task  # noqa: PLC0415 - only where a task is given

        return getattr(transformers, class_of_task(config.model_type, task))
    found = next((name for name in config.architectures or () if hasattr(transformers, name)), None)
    return transformers.AutoModel if found is None else getattr(transformers, found)
