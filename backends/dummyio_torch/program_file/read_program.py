"""Opens a ``.pt2`` file: first everything in it that PyTorch would run, evaluate or unpickle is checked.

The same reader that PyTorch uses lists and reads the members, so that the checked bytes are those that are loaded.
"""

import io
import os
import zipfile
from collections.abc import Iterator
from math import prod
from pathlib import Path

import torch
from torch._export.serde import schema
from torch.export import ExportedProgram
from torch.export.pt2_archive import constants
from torch.export.pt2_archive._package import PT2ArchiveReader, load_pt2

from dummyio.errors import SourceError, build_trust_error
from dummyio_torch.program_file.pickles import find_pickle_danger
from dummyio_torch.program_file.program_text import find_text_dangers, parse_program, parse_weight_table

NAMES_FILE = "dummyio_names.json"
"""The extra file in the programs that dummyio exports: ``{"inputs": [...], "outputs": [...]}``."""

_PROGRAM = "serialized_exported_program.json"
_OLD_PICKLES = tuple(
    f"serialized_{part}.{ending}" for part in ("state_dict", "constants", "example_inputs") for ending in ("pt", "json")
)
"""The pickled members of a file from before PyTorch 2.8, whose members do not lie in a folder."""
_OLD_MEMBERS = ("version", _PROGRAM, *_OLD_PICKLES, f"extra_files/{NAMES_FILE}")
_MAX_GROWTH = 64
_SLACK = 16 << 20
"""A compressed member may be this much larger than the file: PyTorch writes members uncompressed."""
_MAX_DANGERS = 50
_MAX_REPEATED = 1 << 30
"""Elements of a weight whose bytes are used several times, as `Tensor.expand` does."""


def read_program(path: str, *, trust: bool) -> tuple[ExportedProgram, dict[str, str]]:
    """Return the program in a file, and the texts of its extra files by name.

    Raises
    ------
    TrustError
        if the file contains more than tensors and operators on them, unless `trust`.
    SourceError
        if the file is larger inside than its size allows, or its members have unusable names.
    Exception
        of many kinds, if PyTorch cannot read the file.
    """
    _check_members(path)
    if trust:
        return _load(path)
    if _is_old(path):
        return _read_old(path)
    reader = PT2ArchiveReader(path)
    _refuse_dangers(path, _find_dangers(reader))
    # Not torch.export.load: if this fails, that function tries an older layout, whose members were not checked.
    contents = load_pt2(path)
    return contents.exported_programs["model"], contents.extra_files


def _check_members(path: str) -> None:
    """Raise `SourceError` for a file that is not an archive, and for claims and names that no such file has."""
    if not zipfile.is_zipfile(path):
        raise SourceError(
            f"{path}: torch {torch.__version__} does not find an exported program there: it is not an archive. The file "
            "must be a whole file that torch.export.save wrote; else export the model again."
        )
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
    size = Path(path).stat().st_size
    claimed = sum(member.file_size for member in members)
    if claimed > _MAX_GROWTH * size + _SLACK:
        raise SourceError(
            f"{path}: its members claim {claimed:,} bytes, in a file of {size:,}: they are compressed beyond what PyTorch "
            "writes. Export the model again."
        )
    for member in members:
        name = member.orig_filename
        if "\0" in name or "\\" in name or name.startswith("/") or ".." in name.split("/"):
            raise SourceError(f"{path}: a member has the name {name[:80]!r}, which leads out of the archive.")


def _is_old(path: str) -> bool:
    with zipfile.ZipFile(path) as archive:
        return _PROGRAM in archive.namelist()


def _read_old(path: str) -> tuple[ExportedProgram, dict[str, str]]:
    with zipfile.ZipFile(path) as archive:
        # First the version, whose name has no folder: so PyTorch takes this for the older layout.
        members = {name: archive.read(name) for name in _OLD_MEMBERS if name in archive.namelist()}
    dangers = [*find_text_dangers(parse_program(members[_PROGRAM]))]
    for name in _OLD_PICKLES:
        danger = find_pickle_danger(members[name]) if members.get(name) else None
        dangers += [f"{name}: {danger}"] if danger is not None else []
    _refuse_dangers(path, iter(dangers))
    # The bytes that were checked are loaded, without the other members of the file.
    copy = io.BytesIO()
    with zipfile.ZipFile(copy, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    copy.seek(0)
    return _load(copy)


def _load(file: str | io.BytesIO) -> tuple[ExportedProgram, dict[str, str]]:
    extra = {NAMES_FILE: ""}  # PyTorch fills in a dict only if it is not empty
    return torch.export.load(file, extra_files=extra), extra


def _refuse_dangers(path: str, dangers: Iterator[str]) -> None:
    found = dict.fromkeys(danger for danger, _ in zip(dangers, range(_MAX_DANGERS), strict=False))
    if found:
        raise build_trust_error(path, found)


def _find_dangers(reader: PT2ArchiveReader) -> Iterator[str]:
    names = reader.get_file_names()
    compiled = sorted({name for name in names if name.startswith(constants.AOTINDUCTOR_DIR) or name.endswith(".so")})
    yield from (f"{name}: compiled code" for name in compiled)
    before, after = constants.MODELS_FILENAME_FORMAT.split("{}")
    for file in (name for name in names if name.startswith(constants.MODELS_DIR)):
        model = file[len(before) : -len(after)]
        yield from (f"{file}: {danger}" for danger in find_text_dangers(parse_program(reader.read_bytes(file))))
        pickles = [constants.SAMPLE_INPUTS_FILENAME_FORMAT.format(model)]
        for folder, table in (
            (constants.WEIGHTS_DIR, constants.WEIGHTS_CONFIG_FILENAME_FORMAT),
            (constants.CONSTANTS_DIR, constants.CONSTANTS_CONFIG_FILENAME_FORMAT),
        ):
            if (single := f"{folder}{model}.pt") in names:  # as PyTorch 2.8 wrote it
                pickles.append(single)
                continue
            parsed = parse_weight_table(reader.read_bytes(table.format(model)))
            yield from (f"{table.format(model)}: {danger}" for danger in find_text_dangers(parsed))
            for weight in parsed.config.values():
                pickles += _check_weight(reader, weight, folder)
        for name in dict.fromkeys(pickles):
            content = reader.read_bytes(name)
            # An object of a class in C++ or Python is never of weights only: its own code reads it.
            is_object = name.startswith((_OBJECTS, _OPAQUE))
            danger = "an object of its own class" if is_object else find_pickle_danger(content) if content else None
            if danger is not None:
                yield f"{name}: {danger}"


_OBJECTS = f"{constants.CONSTANTS_DIR}{constants.CUSTOM_OBJ_FILENAME_PREFIX}"
_OPAQUE = f"{constants.CONSTANTS_DIR}{constants.OPAQUE_OBJ_FILENAME_PREFIX}"


def _check_weight(reader: PT2ArchiveReader, weight: schema.PayloadMeta, folder: str) -> list[str]:
    """Return the member of a weight if it is pickled; raise `SourceError` if it claims a size that its bytes do not have."""
    name = os.path.join(folder, weight.path_name)  # noqa: PTH118 - a name in the archive, joined as PyTorch joins it
    if weight.use_pickle or name.startswith((_OBJECTS, _OPAQUE)):
        return [name]
    sizes = [size.value for size in weight.tensor_meta.sizes] if weight.tensor_meta is not None else []
    stored = reader.archive_file.get_record_size(name)
    if all(isinstance(size, int) for size in sizes) and prod(sizes) > (max(stored, _MAX_REPEATED) if stored else 0):
        raise SourceError(
            f"{name}: a weight of the shape {sizes} has no bytes in the file, or too few ({stored:,}). Export the model again."
        )
    return []
