"""Decompression of an LZ4 frame in plain Python, so that fuzzing can damage its content."""

HEADER = 7
"""Bytes of the frame header that memray writes, which has no content size and no dictionary id."""

UNCOMPRESSED = 1 << 31
"""Bit of a block's size. If it is set, the block is not compressed."""


def decompressed(frame: bytes) -> bytes:
    """Return the content of a frame with linked or independent blocks; checksums are not read."""
    content, place = bytearray(), HEADER
    while size := int.from_bytes(frame[place : place + 4], "little"):
        block = frame[place + 4 :][: size & ~UNCOMPRESSED]
        place += 4 + len(block)
        if size & UNCOMPRESSED:
            content += block
        else:
            append_block(content, block)
    return bytes(content)


def append_block(content: bytearray, block: bytes) -> None:
    """Append the content of a block.

    The block is a series of sequences. A sequence has some literals, and a match: a copy of bytes
    that come before.
    """
    place = 0
    while place < len(block):
        token, place = block[place], place + 1
        literals, place = length_at(block, place, token >> 4)
        content += block[place : place + literals]
        place += literals
        if place >= len(block):  # the last sequence has no match
            return
        start = len(content) - int.from_bytes(block[place : place + 2], "little")
        length, place = length_at(block, place + 2, token & 15)
        for byte in range(start, start + length + 4):  # the match may overlap its own copy
            content.append(content[byte])


def length_at(block: bytes, place: int, length: int) -> tuple[int, int]:
    """Return the length of literals or of a match, and the position after its bytes.

    `length` is the value of the token's 4 bits. If it is 15, bytes from `place` on are added to it.
    """
    if length < 15:
        return length, place
    while block[place] == 255:
        length, place = length + 255, place + 1
    return length + block[place], place + 1
