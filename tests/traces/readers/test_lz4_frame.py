"""LZ4 frames: complete ones, and ones that are cut anywhere."""

from pathlib import Path

import pytest

from allocsim.traces.readers import lz4_frame
from tests.traces.totals import SAMPLES

CAPTURE = (SAMPLES / "memray-default.bin").read_bytes()


def block(data: bytes) -> bytes:
    """A block that is not compressed."""
    return (len(data) | 1 << 31).to_bytes(4, "little") + data


FRAMES = {
    "memray's": CAPTURE,
    "no block": lz4_frame.MAGIC + b"\x40\x40\0" + bytes(4),
    "two blocks": lz4_frame.MAGIC + b"\x40\x40\0" + block(b"hello") + block(b"x") + bytes(4),
    "with a checksum": lz4_frame.MAGIC + b"\x44\x40\0" + block(b"hello") + bytes(4) + b"\1\2\3\4",
    "with a length": lz4_frame.MAGIC + b"\x48\x40" + bytes(9) + block(b"hello") + bytes(4),
    "with checksums of blocks": lz4_frame.MAGIC
    + b"\x50\x40\0"
    + block(b"h")
    + b"\1\2\3\4"
    + bytes(4),
    "with a dictionary": lz4_frame.MAGIC + b"\x41\x40" + bytes(5) + block(b"hello") + bytes(4),
}


@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES)
def test_frame_is_complete_only_as_a_whole(tmp_path: Path, frame: bytes) -> None:
    path = tmp_path / "frame"
    cuts = {*range(min(len(frame), 60)), *range(max(len(frame) - 60, 0), len(frame))}
    for length in (*sorted(cuts), len(frame)):
        path.write_bytes(frame[:length])
        with path.open("rb") as file:
            assert lz4_frame.is_complete(file.fileno()) == (length == len(frame))


def test_number_of_blocks_is_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "frame"
    path.write_bytes(lz4_frame.MAGIC + b"\x40\x40\0" + block(b"") * 9)
    monkeypatch.setattr(lz4_frame, "MAX_BLOCKS", 5)
    with path.open("rb") as file:
        assert lz4_frame.is_complete(file.fileno())
