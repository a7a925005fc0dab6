"""The outline of an ONNX file: its message without the contents of weights, which are skipped and never read.

Protobuf has no lazy reading: a parsed message is one copy of its file, and the bytes to parse are another one. The outline is
a valid message of the same type, so all else works with it as with the whole model.
"""

from typing import Any, BinaryIO

import onnx

from dummyio.backend.varint import encode_varint, read_varint

LONG = 1 << 10
"""Bytes from which a value is left out. Descriptions use the contents of constants of up to 64 elements, which are shorter."""

_LEFT_OUT = {
    *("raw_data", "float_data", "int32_data", "int64_data", "double_data", "uint64_data", "string_data"),
    *("s", "doc_string"),
}
"""Fields that are left out if they are long: contents of tensors, texts of attributes, comments. No other message has them."""

_ONE_BY_ONE = "string_data"
"""Strings are short one by one, and many: those of a tensor of `_LARGE` bytes are left out."""

_LARGE = 1 << 16
_MAX_DEPTH = 100
"""Messages within messages that protobuf reads."""

_BLOCK = 1 << 14
_HEAD = 20
"""Bytes of two varints: a tag and a length."""


def read_outline(file: BinaryIO, size: int) -> bytes:
    """Return the bytes of a ``ModelProto`` without long contents.

    What is not well formed is copied, so that protobuf alone decides what a message is.

    Parameters
    ----------
    file
        The file, open for reading.
    size
        The bytes to read.
    """
    return _Reader(file).copy(0, size, onnx.ModelProto.DESCRIPTOR, 0)


class _Reader:
    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._start, self._block = 0, b""

    def copy(self, start: int, end: int, message: Any, depth: int) -> bytes:
        """Return the message between two places of the file without its long contents."""
        pieces: list[bytes] = []
        kept = place = start  # what is between them is copied as it is
        fields = message.fields_by_number
        while place < end:
            head, found = place, self._read_head(place)
            if found is None:
                break
            tag, length, place = found
            stop = place + length
            if stop > end or depth > _MAX_DEPTH:
                break
            field = fields.get(tag >> 3)
            name = "" if field is None else field.name
            long = length >= LONG and tag & 7 == _LENGTH_DELIMITED
            if long and field is not None and field.message_type is not None:
                inner = self.copy(place, stop, field.message_type, depth + 1)
                pieces += [self._read(kept, head), encode_varint(tag), encode_varint(len(inner)), inner]
                kept = stop
            elif (long and (name in _LEFT_OUT or not name)) or (name == _ONE_BY_ONE and end - start >= _LARGE):
                if head > kept:
                    pieces.append(self._read(kept, head))
                kept = stop
            elif name in _NUMBERS and tag & 7 != _LENGTH_DELIMITED:
                break  # numbers one by one are the rest of their attribute
            place = stop
        pieces.append(self._read(kept, end))
        return b"".join(pieces)

    def _read_head(self, place: int) -> tuple[int, int, int] | None:
        """Return a field's tag, the length of its value, and the place of its value; None if the file ends before."""
        offset = place - self._start
        if not 0 <= offset <= len(self._block) - _HEAD:
            self._file.seek(place)
            self._start, self._block, offset = place, self._file.read(_BLOCK), 0
        block = self._block
        try:
            tag, begin = read_varint(block, offset)
            kind = tag & 7
            if kind == _LENGTH_DELIMITED:
                length, begin = read_varint(block, begin)
            elif kind == 0:
                length = read_varint(block, begin)[1] - begin
            else:
                length = _FIXED[kind]
        except LookupError:
            return None
        return tag, length, self._start + begin

    def _read(self, start: int, end: int) -> bytes:
        self._file.seek(start)
        return self._file.read(end - start)


_LENGTH_DELIMITED = 2
_FIXED = {1: 8, 5: 4}
"""Wire type → bytes of the value. Groups, which ONNX does not have, are left to protobuf."""

_NUMBERS = {"floats", "ints"}
