"""Mutations of bytes and of lines of text."""

import random

TOKENS = (
    b"0", b"-1", b"1", b"99999999999999999999", b"140737488355328", b"1e400", b"nan", b"-inf",
    b"0x", b"0xffffffffffffffff", b'"64KiB"', b'"-1"', b'"1e9"', b'"999999999TiB"', b"true",
    b"[]", b"{}", b"[[phase]]", b"malloc", b"free", b": ", b"\n", b"\r", b"\r\n", b" ", b"\0",
    b"\xff", b'"', b"'''", b"=", b"#", b"[", b"]" * 50, b"[" * 2000, b"\xef\xbb\xbf", b"seed",
    b"kind", b"1979-05-27", b"_", b".", b"9" * 5000, "\u0663".encode(), "\ud7ff".encode(),
)  # fmt: skip


def mutated(original: bytes, rng: random.Random) -> bytes:
    """Apply a few mutations: flips, cuts, splices, numbers, newlines, copies, noise."""
    content = bytearray(rearranged(original, rng) if rng.random() < 0.5 else original)
    if rng.random() < 0.3:
        return bytes(content)
    for _ in range(rng.choice((1, 1, 2, 4, 10))):
        here, there = sorted(rng.randrange(len(content) + 1) for _ in range(2))
        what = rng.randrange(9)
        if what == 0 and content:
            content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        elif what == 1:
            del content[here : min(there, here + 40)]
        elif what == 2:
            content[here:here] = rng.choice(TOKENS)
        elif what == 3:
            content[here:here] = content[here:there]
        elif what == 4:
            content[here:here] = rng.randbytes(rng.randrange(1, 20))
        elif what == 5:
            content[here:here] = b"%d" % (rng.choice((-1, 1)) << rng.randrange(70))
        elif what == 6:
            digits = [i for i, byte in enumerate(content) if 48 <= byte <= 57]
            for place in digits[: rng.randrange(5)]:
                content[place] = rng.choice(b"0123456789")
        elif what == 7:
            content[here:there] = original[-(there - here) :]
        elif rng.random() < 0.1:
            del content[here:]
    return bytes(content[:100_000])


LONG_LINES = 0.001
"""Share of cases with a line of 10 MB."""


def with_long_line(content: bytes, rng: random.Random) -> bytes:
    """Return the content with 10 MB inserted: one character, or a part of the content, repeated."""
    place = rng.randrange(len(content) + 1)
    piece = rng.choice((b"9", b"x", b" ", b"\0", b"--", content.replace(b"\n", b" ")[:200] or b"y"))
    return content[:place] + piece * ((10 << 20) // len(piece)) + content[place:]


def rearranged(original: bytes, rng: random.Random) -> bytes:
    """Drop, double and swap lines, and change digits; most results are still of the same format."""
    lines = original.splitlines(keepends=True)
    for _ in range(rng.randrange(8)):
        here, there = rng.randrange(len(lines)), rng.randrange(len(lines))
        what = rng.randrange(4)
        if what == 0 and len(lines) > 1:
            del lines[here]
        elif what == 1:
            lines.insert(here, lines[there])
        elif what == 2:
            lines[here], lines[there] = lines[there], lines[here]
        else:
            digits = [i for i, byte in enumerate(lines[here]) if 48 <= byte <= 57]
            for place in rng.sample(digits, min(len(digits), 2)):
                number = rng.choice((b"0", b"9", b"12", b"007"))
                lines[here] = lines[here][:place] + number + lines[here][place + 1 :]
    return b"".join(lines)
