"""Header of an allocsim trace: every byte is checked, and any damage is an error."""

import struct
import zlib
from typing import Any

import msgspec
import pytest

from allocsim.capabilities import Capabilities
from allocsim.errors import TraceError
from allocsim.traces.native.header import (
    FIXED_SIZE,
    MAGIC,
    MAX_HEADER,
    PAGE,
    Description,
    Layout,
    encode_header,
    header_size,
    parse_description,
    parse_layout,
)

ABOUT = Description(
    tool="allocsim 1",
    name="it",
    source={"kind": "trace"},
    seed=5,
    events=3,
    objects=2,
    threads=1,
    requested=100,
    peak_live=80,
    dropped={"overlap": 1},
    notes=["one", "two"],
    losses=["some"],
    capabilities=Capabilities("yes", "no", "yes", "partly"),
)
BEGIN = header_size(ABOUT)


def parsed(whole: bytes) -> tuple[Layout, Description]:
    """Return the layout and the description."""
    layout = parse_layout(whole[:FIXED_SIZE], "it.allocsim")
    return layout, parse_description(whole[: layout.begin], layout, "it.allocsim")


def sealed(whole: bytes) -> bytes:
    """Return the same header with a valid checksum."""
    checksum = zlib.crc32(whole[FIXED_SIZE:], zlib.crc32(whole[: FIXED_SIZE - 4]))
    return whole[: FIXED_SIZE - 4] + struct.pack("<I", checksum) + whole[FIXED_SIZE:]


def with_text(text: bytes, rows: int = 4) -> bytes:
    """Return a header with any text and a valid checksum."""
    begin = -(-(FIXED_SIZE + len(text)) // PAGE) * PAGE
    header = struct.pack("<12sIQQQ24s", MAGIC, 1, len(text), begin, rows, b"")
    return sealed((header + text).ljust(begin, b"\0"))


def test_header_is_read_back_unchanged() -> None:
    whole = encode_header(ABOUT, BEGIN, 4)
    assert len(whole) == BEGIN
    assert BEGIN % PAGE == 0
    layout, about = parsed(whole)
    assert about == ABOUT
    assert (layout.begin, layout.rows, layout.length) == (BEGIN, 4, BEGIN + 64)


def test_layout_on_disk_stays_as_it_is() -> None:
    """The offsets are those that the docstring of `native.header` lists."""
    whole = encode_header(ABOUT, BEGIN, 4)
    text = msgspec.json.encode(ABOUT)
    assert whole[:12] == b"allocsim\r\n\x1a\n"
    assert struct.unpack_from("<IQQQ", whole, 12) == (1, len(text), BEGIN, 4)
    assert whole[40:60] == bytes(20)
    assert whole[64 : 64 + len(text)] == text
    assert whole == sealed(whole)


def test_every_byte_is_checked() -> None:
    """Any single wrong bit is an error that names the file."""
    whole = encode_header(ABOUT, BEGIN, 4)
    for place in range(len(whole)):
        wrong = bytearray(whole)
        wrong[place] ^= 1 << place % 8
        with pytest.raises(TraceError, match=r"^it\.allocsim: "):
            parsed(bytes(wrong))


def test_newer_version_is_an_error_with_a_remedy() -> None:
    whole = bytearray(encode_header(ABOUT, BEGIN, 4))
    whole[12] = 3
    with pytest.raises(TraceError, match=r"version 3 of the format, and .* reads versions 1 to 2"):
        parsed(sealed(bytes(whole)))


@pytest.mark.parametrize(
    ("text", "begin", "rows"),
    [
        (1 << 63, PAGE, 1),
        (PAGE, PAGE, 1),
        (10, PAGE + 1, 1),
        (10, 0, 1),
        (10, MAX_HEADER + PAGE, 1),
        (10, PAGE, 1 << 63),
    ],
)
def test_impossible_layout_is_an_error(text: int, begin: int, rows: int) -> None:
    header = struct.pack("<12sIQQQ24s", MAGIC, 1, text, begin, rows, b"")
    with pytest.raises(TraceError, match="its header is damaged"):
        parse_layout(header, "it")


def test_other_content_is_an_error() -> None:
    with pytest.raises(TraceError, match=r"found b'1: malloc 0x', expected an allocsim trace"):
        parse_layout(b"1: malloc 0x10 5\n" * 10, "it")


def body(**fields: Any) -> bytes:
    """Return the JSON text with some fields changed."""
    return msgspec.json.encode(msgspec.to_builtins(ABOUT) | fields)


HOSTILE = {
    "nothing": b"",
    "no JSON": b"{",
    "an array": b"[1, 2]",
    "no text": b"\xff\xfe" * 10,
    "depth": b"[" * 100_000,
    "depth of the source": b'{"source":' + b'{"a":' * 50_000,
    "missing keys": b"{}",
    "negative events": body(events=-1),
    "events in words": body(events="many"),
    "half an event": body(events=0.5),
    "events of 70 bits": body().replace(b'"events":3', b'"events":' + b"9" * 21),
    "too many objects": body(objects=(1 << 31) + 1),
    "too many threads": body(threads=65537),
    "drops of no number": body(dropped={"a": "b"}),
    "negative drops": body(dropped={"a": -1}),
    "notes of no words": body(notes=[1]),
    "source in words": body(source="there"),
    "seed in words": body(seed="1"),
    "more events than rows": body(events=5),
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_with_a_valid_checksum_is_an_error(text: bytes) -> None:
    with pytest.raises(TraceError, match="recreate the trace from its recording"):
        parsed(with_text(text))


def test_unknown_keys_are_ignored() -> None:
    """A later allocsim may add keys under the same version."""
    _, about = parsed(with_text(body(later="more")))
    assert about == ABOUT


def test_header_has_room_for_later_notes() -> None:
    begin = header_size(ABOUT)
    late = msgspec.structs.replace(
        ABOUT,
        dropped={f"reason {number}": 1 << 60 for number in range(50)},
        notes=["a note of some length, which says what there is to say"] * 20,
        requested=1 << 62,
    )
    _, about = parsed(encode_header(late, begin, 4))
    assert about == late


def test_notes_that_do_not_fit_are_counted() -> None:
    late = msgspec.structs.replace(ABOUT, notes=["x" * 1000] * 50)
    _, about = parsed(encode_header(late, BEGIN, 4))
    assert about.notes[0] == "x" * 1000
    assert about.notes[-1] == f"{51 - len(about.notes)} more notes did not fit into the file"
    assert 5 < len(about.notes) < 13


def test_drops_that_do_not_fit_are_an_error() -> None:
    late = msgspec.structs.replace(ABOUT, dropped={"x" * 20_000: 1})
    with pytest.raises(TraceError, match="does not fit"):
        encode_header(late, BEGIN, 4)


def test_header_of_an_older_version_has_unknown_capabilities() -> None:
    fields = msgspec.to_builtins(ABOUT)
    del fields["capabilities"], fields["losses"]
    _, description = parsed(with_text(msgspec.json.encode(fields)))
    assert description.capabilities == Capabilities()
    assert description.losses == []


def test_extent_that_does_not_exist_is_an_error() -> None:
    fields = msgspec.to_builtins(ABOUT) | {"capabilities": {"threads": "perhaps"}}
    with pytest.raises(TraceError, match="its description is damaged"):
        parsed(with_text(msgspec.json.encode(fields)))
