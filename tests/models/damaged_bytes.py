"""Damage to binary files: what transfers, disks, editors and attackers do to them."""

NUMBERS = (0, 1, 127, 65535, 1 << 30, (1 << 31) - 1, 1 << 31, (1 << 32) - 1)


def damage_bytes(random, blobs):
    """Return one of `blobs`, truncated, with bits flipped, with extreme numbers, with parts cut, repeated, or taken from others."""
    blob, other = bytearray(random.choice(blobs)), random.choice(blobs)
    start, length = random.randrange(len(blob)), random.randrange(1, 400)
    match random.randrange(8):
        case 0:
            del blob[start:]
        case 1:
            for _ in range(random.choice((1, 1, 2, 8, 64))):
                blob[random.randrange(len(blob))] ^= 1 << random.randrange(8)
        case 2:
            for _ in range(random.choice((1, 2, 4))):
                place = random.randrange(max(len(blob) - 4, 1)) // 4 * 4
                number = random.choice((*NUMBERS, len(blob), 2 * len(blob), random.getrandbits(32)))
                blob[place : place + 4] = number.to_bytes(4, "little")
        case 3:
            source = random.randrange(len(other))
            blob[start : start + length] = other[source : source + length]
        case 4:
            del blob[start : start + length]
        case 5:
            blob[start:start] = blob[start : start + length]
        case 6:
            blob[start : start + length] = bytes([random.choice((0, 128, 255))]) * length
        case _:
            blob[start:] = other[start:]
    return bytes(blob)
