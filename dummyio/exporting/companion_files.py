"""The files that belong next to an artifact: configuration, generation, preprocessor and tokenizer files of its model.

Loaders of Optimum and Transformers find them there. A configuration is written from the model; the rest is copied from the
folder that the model was loaded from, if it was loaded.
"""

import shutil
from collections.abc import Iterator
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


def write_companion_files(model: Any, folder: Path) -> list[Path]:
    """Write the files that belong next to an artifact of `model` into `folder`, and return their paths."""
    before = set(folder.iterdir())
    for part in ("config", "generation_config"):
        save = getattr(getattr(model, part, None), "save_pretrained", None)
        if callable(save):
            save(folder)
    for source in _tokenizer_files(model):
        if not (folder / source.name).exists():
            shutil.copyfile(source, folder / source.name)
    return sorted(set(folder.iterdir()) - before)


def _tokenizer_files(model: Any) -> Iterator[Path]:
    """Yield the known files of the folder that the model was loaded from; a model made from a configuration has none."""
    home = getattr(model, "name_or_path", None) or getattr(getattr(model, "config", None), "name_or_path", None)
    if isinstance(home, str) and home and Path(home).is_dir():
        yield from (Path(home) / name for name in COPIED if (Path(home) / name).is_file())
