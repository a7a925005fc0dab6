"""The files that belong next to an artifact: configuration, generation, preprocessor and tokenizer files of its model.

Loaders of Optimum and Transformers find them there. A configuration is written from the model; the rest is copied from the
folder that the model was loaded from, if it was loaded.
"""

import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

COPIED = (
    "preprocessor_config.json",
    "processor_config.json",
    "video_preprocessor_config.json",
    "feature_extractor_config.json",
    "chat_template.json",
    "chat_template.jinja",
    "tokenizer.json",
    "tokenizer_config.json",
    "tokenizer.model",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "spiece.model",
    "sentencepiece.bpe.model",
)
"""The names that Transformers' tokenizers, feature extractors and processors write and read."""
INDEX = "model_index.json"
"""The file in the folder of a pipeline that names its classes."""
WRITTEN = (
    "config.json",
    "generation_config.json",
    "ort_config.json",
    "genai_config.json",
    "scheduler_config.json",
    INDEX,
)
"""The names of configurations: of the model, of its generation, of Optimum's quantization, of ONNX Runtime GenAI, of pipelines."""


def write_companion_files(model: Any, folder: Path) -> list[Path]:
    """Write the files that belong next to an artifact of `model` into `folder`, and return their paths."""
    before = set(folder.iterdir())
    for part in ("config", "generation_config"):
        save = getattr(getattr(model, part, None), "save_pretrained", None)
        if callable(save):
            save(folder)
    save_own = getattr(model, "save_config", None)  # of Diffusers, whose configuration is a dict
    if callable(save_own) and not (folder / "config.json").exists():
        save_own(folder)
    for source in _tokenizer_files(model):
        if not (folder / source.name).exists():
            shutil.copyfile(source, folder / source.name)
    return sorted(set(folder.iterdir()) - before)


def withdraw_taken_files(
    made: Iterable[Path], folder: Path, replace: Callable[[Path], bool]
) -> tuple[list[Path], tuple[str, ...]]:
    """Remove companion files that `folder` has already; return the others, and notes on those that differ.

    Parameters
    ----------
    made
        The new files.
    folder
        The folder that they would be moved to, where a file of the same name may belong to another model.
    replace
        Whether a file that is there, with the same name, is replaced.
    """
    kept, notes = [], []
    for file in made:
        there = folder / file.name
        if not os.path.lexists(there):
            kept.append(file)
            continue
        differs = not there.is_file() or file.read_bytes() != there.read_bytes()
        if there.is_file() and replace(there):
            kept.append(file)
            if differs:
                notes.append(f"{there}: this file of the former artifact had other content and is replaced.")
            continue
        if differs:
            notes.append(
                f"{there}: this file was there, with other content, and is unchanged: it may belong to another model. "
                "Export into a folder of its own if a loader is to find the file of this model."
            )
        file.unlink()
    return kept, tuple(notes)


def find_home(model: Any) -> Path | None:
    """Return the folder that a model was loaded from; None if it was made from a configuration, or by its name on the hub."""
    home = getattr(model, "name_or_path", None) or getattr(getattr(model, "config", None), "name_or_path", None)
    return Path(home) if isinstance(home, str) and home and Path(home).is_dir() else None


def _tokenizer_files(model: Any) -> Iterator[Path]:
    """Yield the known files of the folder that the model was loaded from."""
    home = find_home(model)
    if home is not None:
        yield from (home / name for name in COPIED if (home / name).is_file())
