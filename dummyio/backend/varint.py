"""Numbers of variable length, as protobuf writes its tags and lengths: 7 bits in a byte, the lowest first."""


def read_varint(block: bytes, place: int) -> tuple[int, int]:
    """Return a number of up to 10 bytes and the place behind it; raise `LookupError` if the bytes end before."""
    number = block[place]
    place += 1
    if number < 128:
        return number, place
    number &= 127
    for shift in range(7, 70, 7):
        byte = block[place]
        place += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number, place
    raise LookupError


def encode_varint(number: int) -> bytes:
    """Return the bytes of a number."""
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)
