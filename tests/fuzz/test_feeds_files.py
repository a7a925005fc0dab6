"""Attack on the readers of feeds files: whatever the bytes, a sample of plain arrays comes back, or an error of dummyio."""

from __future__ import annotations

import io
import json
import random
import struct
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from dummyio.feeds import load_feeds, npy, npz, safetensors
from dummyio.spec.dtypes import DType

WHOLE = 8000
Rng = random.Random

NUMBERS = (0, 1, -1, 2, 3, 64, 65, 255, 2**16, 2**31 - 1, 2**31, 2**32, 2**53, 2**62, 2**63 - 1, 2**63, 2**64, -(2**63))
NUMBERS += (10**12, 10**30, 10**400)
TEXTS = (
    "",
    "x",
    "\0",
    "a\0b",
    "\n",
    "..",
    "../x",
    "/etc/x",
    "C:\\x",
    "\u202ex",
    "\ud800",
    "x" * 300,
    "δ",
    "💥",
    "__metadata__",
    "x.npy",
)
ODD: tuple[Any, ...] = (None, True, False, 1.5, -0.0, 1e308, [], {}, [[]], "1", [1, "2"], {"a": {}}, *NUMBERS, *TEXTS)
DESCRIPTIONS = (
    *(
        "<f4",
        ">f4",
        "|b1",
        "?",
        "<U5",
        ">U5",
        "<U0",
        "<U999999999",
        "<U99999999999",
        "|O",
        "O",
        "object",
        "|V8",
        "|S4",
        "<M8[ns]",
    ),
    *(
        "<m8",
        "i4,i4",
        "<f16",
        "<c32",
        "float32",
        "f",
        "<c8",
        "<e",
        "(2,)f4",
        "<i3",
        "",
        "=i8",
        "<i8 ",
        "U",
        "f8" * 2000,
    ),
)
HEADERS = (
    "{'descr': '<f8', 'fortran_order': False, 'shape': (%s), }",
    "{'descr': '<f8', 'fortran_order': False}",
    "{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (1,)}",
    "{'descr': '<f8', 'fortran_order': 1, 'shape': (1,)}",
    "{'descr': '<f8', 'fortran_order': False, 'shape': [1]}",
    "{'descr': '<f8', 'fortran_order': False, 'shape': (True,)}",
    "{'descr': '<f8', 'fortran_order': False, 'shape': (1L,)}",
    "__import__('os').getcwd()",
    "(" * 5000,
    "[" * 200 + "]" * 200,
    "'''",
    "{'descr': '''",
    "{",
    "\\x00",
    "9" * 9000,
    "-" * 9000 + "1",
    "{'descr': '<f8', 'fortran_order': False, 'shape': (%s), }" % ("1," * 4000),
)


def _arrays(rng: Rng) -> dict[str, np.ndarray]:
    chosen = {
        "input_ids": np.arange(6, dtype=np.int64).reshape(2, 3),
        "key": np.linspace(0, 1, 8, dtype=np.float16).reshape(2, 4, order="F"),
        "scope/x:0": np.array(True),
        "mask": np.array([[True, False], [False, True]]),
        "z": np.array([1 + 2j], np.complex64),
        "empty": np.zeros((0, 3), np.uint8),
        "big": np.arange(3, dtype=">i4"),
    }
    names = rng.sample(sorted(chosen), rng.randint(1, len(chosen)))
    return {name: chosen[name].astype(chosen[name].dtype.newbyteorder("=")) for name in names}


def _whole_npy(rng: Rng) -> bytes:
    stream = io.BytesIO()
    arrays = {**_arrays(rng), "text": np.array([["a", "δ"], ["", "long"]], object)}
    npy.write_array(stream, arrays[rng.choice(sorted(arrays))])
    return stream.getvalue()


def _whole_npz(rng: Rng) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as archive:
        for name in _arrays(rng):
            archive.writestr(f"{name}.npy", _whole_npy(rng))
    return stream.getvalue()


def _whole_safetensors(rng: Rng) -> bytes:
    header, data = {}, b""
    for name, array in {**_arrays(rng), "bf16": np.ones(3, ml_dtypes.bfloat16)}.items():
        raw = np.ascontiguousarray(array).tobytes()
        code = safetensors._CODES[DType.of(array.dtype)]
        header[name] = {"dtype": code, "shape": list(array.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    return _join(json.dumps({"__metadata__": {"seed": "0"}, **header}).encode(), data)


def _join(header: bytes, data: bytes) -> bytes:
    return len(header).to_bytes(8, "little") + header + data


def _flip_bits(data: bytes, rng: Rng) -> bytes:
    made = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8, 64))):
        made[rng.randrange(len(made))] ^= 1 << rng.randrange(8)
    return bytes(made)


def _set_bytes(data: bytes, rng: Rng) -> bytes:
    at, count = rng.randrange(len(data)), rng.choice((1, 2, 4, 8))
    return data[:at] + rng.choice((b"\0", b"\xff", b"\x7f", b"'", b"(", b"9")) * count + data[at + count :]


def _cut(data: bytes, rng: Rng) -> bytes:
    return data[: rng.randrange(len(data))]


def _append(data: bytes, rng: Rng) -> bytes:
    return data + rng.choice((b"\0", b"x" * 100, data, rng.randbytes(200)))


def _splice(data: bytes, rng: Rng) -> bytes:
    other = rng.choice((_whole_npy, _whole_npz, _whole_safetensors))(rng)
    return data[: rng.randrange(len(data))] + other[rng.randrange(len(other)) :]


def _remove(data: bytes, rng: Rng) -> bytes:
    at = rng.randrange(len(data))
    return data[:at] + data[at + rng.randint(1, 40) :]


def _repeat(data: bytes, rng: Rng) -> bytes:
    at, end = sorted(rng.randrange(len(data)) for _ in range(2))
    return data[:at] + data[at:end] * rng.randint(2, 20) + data[end:]


BYTES = (_flip_bits, _flip_bits, _set_bytes, _cut, _append, _splice, _remove, _repeat)


def _edit_npy(data: bytes, rng: Rng) -> bytes:
    """Another header over the same or other values, with a length that is right or wrong."""
    shape = ", ".join(str(rng.choice(NUMBERS)) for _ in range(rng.choice((0, 1, 1, 2, 3, 70)))) + ","
    description = rng.choice(DESCRIPTIONS)
    text = f"{{'descr': {description!r}, 'fortran_order': {rng.choice(('True', 'False'))}, 'shape': ({shape.lstrip(',')}), }}"
    if rng.random() < 0.4:
        text = rng.choice(HEADERS)
        text = text % shape if "%s" in text else text
    version = rng.choice((b"\x01\x00", b"\x01\x00", b"\x02\x00", b"\x03\x00", b"\x04\x00", b"\x00\x00"))
    body = text.encode("utf-8", "surrogatepass")[:65000].ljust(118) + b"\n"
    width = 2 if version[0] == 1 else 4
    length = rng.choice((len(body), len(body), len(body), 0, 1, 2 ** (8 * width) - 1))
    return b"\x93NUMPY" + version + length.to_bytes(width, "little") + body + rng.randbytes(rng.choice((0, 8, 16, 64)))


def _edit_safetensors(data: bytes, rng: Rng) -> bytes:
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    for _ in range(rng.choice((1, 1, 2, 4))):
        _edit_entry(header, rng)
    text = json.dumps(header).encode()
    if rng.random() < 0.1:
        text = text.replace(b'"shape"', b'"dtype"', 1)
    if rng.random() < 0.1:
        text = rng.choice(
            (b"[" * 100_000, b'{"a":' * 50_000, b"NaN", b"{}", b"", b'{"x":1e999}', b'{"x":' + b"9" * 5000 + b"}")
        )
    joined = _join(text, data[8 + length :])
    return (
        joined if rng.random() < 0.9 else rng.choice(NUMBERS[:15]).to_bytes(16, "little", signed=True)[:8] + joined[8:]
    )


def _edit_entry(header: dict[str, Any], rng: Rng) -> None:
    """Change the name, the whole value or one field of a tensor's entry."""
    name = rng.choice(sorted(header))
    entry, field = header[name], rng.choice(("dtype", "shape", "data_offsets"))
    action = rng.randrange(8)
    if action == 0:
        header[rng.choice(TEXTS)] = header.pop(name)
    elif action == 1:
        header[name] = rng.choice(ODD)
    elif action == 2:
        header[f"{name}2"] = entry
    elif isinstance(entry, dict) and field in entry:
        _edit_field(entry, field, rng)


def _edit_field(entry: dict[str, Any], field: str, rng: Rng) -> None:
    action = rng.randrange(4)
    if action == 0:
        entry[field] = rng.choice(ODD)
    elif action == 1:
        del entry[field]
    elif isinstance(entry[field], list):
        longer = [*entry[field], *[rng.choice(NUMBERS)] * rng.choice((1, 1, 70, 100_000))]
        entry[field] = longer[rng.randint(0, 1) :]
    else:
        entry[field] = rng.choice([*safetensors._DTYPES, "F4", "I4", "f32"])


def _edit_npz(data: bytes, rng: Rng) -> bytes:
    """Members of other names, sizes, methods and contents, and a directory with one field changed."""
    action = rng.randrange(5)
    if action == 0:
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w") as archive, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of repeated names, which are a part of the attack
            for _ in range(rng.choice((1, 2, 5))):
                name = rng.choice(TEXTS).encode("utf-8", "replace").decode() + rng.choice((".npy", ".npy", "", ".npy/"))
                archive.writestr(zipfile.ZipInfo(name), _edit_npy(b"", rng), rng.choice((0, 8, 12, 14)))
        return stream.getvalue()
    if action == 1:
        return _bomb(rng)
    return _edit_directory(data, rng)


def _bomb(rng: Rng) -> bytes:
    """A small member that becomes large, or claims to."""
    count = rng.choice((1 << 20, 1 << 23))
    head = b"{'descr': '<f8', 'fortran_order': False, 'shape': (%d,), }" % rng.choice((count, count * 100, 1 << 40))
    plain = b"\x93NUMPY\x01\x00v\x00" + head.ljust(117) + b"\n" + bytes(count * rng.choice((1, 8)))
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("x.npy", plain, zipfile.ZIP_DEFLATED, 1)
    made = bytearray(stream.getvalue())
    if rng.random() < 0.5:
        at = made.rfind(b"PK\x01\x02")
        made[at + 24 : at + 28] = struct.pack("<I", rng.choice((1 << 31, (1 << 32) - 2, 136, 0)))
    return bytes(made)


def _edit_directory(data: bytes, rng: Rng) -> bytes:
    """One field of the central directory or of its end: flags, method, checksum, sizes, lengths, offsets, counts."""
    made = bytearray(data)
    places = [at for at in range(len(made)) if made[at : at + 4] in (b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06")]
    for _ in range(rng.choice((1, 1, 2, 3))):
        at = rng.choice(places)
        start, size = rng.choice(
            ((4, 2), (6, 2), (8, 2), (10, 2), (12, 4), (16, 4), (20, 4), (24, 4), (28, 2), (30, 2), (42, 4), (46, 4))
        )
        value = rng.choice(
            (0, 1, 8, 9, 12, 14, 99, 0x0800, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, rng.getrandbits(32))
        )
        made[at + start : at + start + size] = (value % (1 << 8 * size)).to_bytes(size, "little")
    return bytes(made)


FORMATS: dict[str, tuple[Callable[[Rng], bytes], Callable[[bytes, Rng], bytes]]] = {
    "npy": (_whole_npy, _edit_npy),
    "npz": (_whole_npz, _edit_npz),
    "safetensors": (_whole_safetensors, _edit_safetensors),
}


def _mutate(kind: str, rng: Rng) -> bytes:
    make, edit = FORMATS[kind]
    data = make(rng)
    if rng.random() < 0.5:
        data = edit(data, rng) or b"\0"
    if rng.random() < 0.6:
        data = rng.choice(BYTES)(data, rng)
    return data


def _load(kind: str, data: bytes, folder: Path) -> dict[str, np.ndarray]:
    if kind == "npy":
        folder = folder / "feeds"
        folder.mkdir(exist_ok=True)
        (folder / "x.npy").write_bytes(data)
        return load_feeds(folder)
    path = folder / f"feeds.{kind}"
    path.write_bytes(data)
    return load_feeds(path)


def _check_feeds(feeds: dict[str, np.ndarray], kind: str, folder: Path) -> None:
    """What is accepted is whole: it can be written again in its format, and comes back equal."""
    for name, array in feeds.items():
        name.encode()
        dtype = DType.of(array.dtype)
        if dtype is DType.STRING:
            assert all(type(text) is str for text in array.flat)
        if dtype is DType.BOOL:
            assert set(np.unique(array.view(np.uint8))) <= {0, 1}
        assert array.dtype == dtype.numpy
        assert array.dtype.isnative
    if sum(array.nbytes for array in feeds.values()) > 1 << 22:  # the limit of time is for reading
        return
    formats = {"npy": (npy, "again"), "npz": (npz, "again.npz"), "safetensors": (safetensors, "again.safetensors")}
    module, name = formats[kind]
    module.write(feeds, folder / name, force=True)
    again = module.read(folder / name)
    for path, array in feeds.items():
        if DType.of(array.dtype) is DType.STRING:
            assert again[path].tolist() == array.tolist()
        else:
            assert again[path].shape == array.shape
            assert again[path].tobytes() == array.tobytes()


def test_mutated_files(attack: Any, tmp_path: Path) -> None:
    def inputs() -> Iterator[tuple[str, Callable[[], None]]]:
        rng = attack.random("feeds")
        for number in range(attack.count(WHOLE)):
            seed = rng.getrandbits(64)
            kind = sorted(FORMATS)[number % len(FORMATS)]
            data = _mutate(kind, random.Random(seed))
            yield (
                f"{kind} {seed}",
                lambda kind=kind, data=data: _check_feeds(_load(kind, data, tmp_path), kind, tmp_path),
            )

    counts = attack.run(inputs())
    assert counts["SourceError"] > counts.total() / 2  # most mutations break a file, and this is said
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".dummyio")) == []


@pytest.mark.parametrize("kind", FORMATS)
def test_unchanged_files_are_accepted(attack: Any, tmp_path: Path, kind: str) -> None:
    for seed in range(20):
        data = FORMATS[kind][0](random.Random(seed))
        _check_feeds(_load(kind, data, tmp_path), kind, tmp_path)
