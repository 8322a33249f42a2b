"""Call sites in allocsim traces are read back unchanged; damage is an error."""

import gzip
import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocsim.call_sites.frame import UNKNOWN, Frame
from allocsim.call_sites.numbers import CallSites
from allocsim.call_sites.table import EMPTY, SiteTable, table_of_addresses
from allocsim.errors import TraceError
from allocsim.events import EVENT, Op
from allocsim.traces import open_trace
from allocsim.traces.native.file import write_trace
from allocsim.traces.native.header import FIXED_SIZE, SiteLayout, parse_layout
from allocsim.traces.native.site_column import ColumnWriter
from allocsim.traces.native.site_table import decode_table, encode_table
from tests.call_sites.stacks import FRAMES, random_table, random_trace, stacks_of, with_sites
from tests.driving import Call, free, malloc
from tests.traces.recordings import events_of
from tests.traces.streams import streams


def layout_of(path: Path) -> SiteLayout:
    """Return the sizes of the parts of a file that store call sites."""
    return parse_layout(path.read_bytes()[:FIXED_SIZE], "it").sites


@given(calls=streams, seed=st.integers(0, 1 << 32))
def test_sites_are_read_back_from_plain_and_compressed_files(
    tmp_path_factory: pytest.TempPathFactory, calls: list[Call], seed: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "sites.allocsim"
    write_trace(random_trace(calls, seed), path)
    packed = path.with_suffix(".allocsim.gz")
    packed.write_bytes(gzip.compress(path.read_bytes(), 1))
    expected = stacks_of(random_trace(calls, seed))
    known = any(stack for *_, stack in expected)
    for each in (path, packed):
        with open_trace(str(each), sites=True) as trace:
            assert (trace.sites is not None) == known
            assert not known or stacks_of(trace) == expected


def test_events_are_the_same_without_sites(tmp_path: Path) -> None:
    calls = [malloc(0, 5), malloc(1, 6), free(0)]
    path, packed = tmp_path / "a.allocsim", tmp_path / "a.allocsim.gz"
    write_trace(with_sites(calls, random_table(1), [3, 4]), path)
    packed.write_bytes(gzip.compress(path.read_bytes()))
    for each in (path, packed):
        trace = open_trace(str(each))
        assert trace.sites is None
        assert events_of(trace).request.tolist() == [5, 6, 0]


def test_file_without_sites_has_the_version_that_older_programs_read(tmp_path: Path) -> None:
    path = tmp_path / "a.allocsim"
    write_trace(with_sites([malloc(0, 5)], EMPTY, [7]), path)
    assert struct.unpack_from("<I", path.read_bytes(), 12) == (1,)
    write_trace(with_sites([malloc(0, 5)], random_table(1), [1]), path)
    assert struct.unpack_from("<I", path.read_bytes(), 12) == (2,)


@pytest.mark.parametrize(("sites", "width"), [(256, 1), (257, 2), (65_536, 2), (65_537, 4)])
def test_width_of_the_column_depends_on_the_sites_that_are_used(sites: int, width: int) -> None:
    known, out = CallSites(), io.BytesIO()
    known.table = table_of_addresses([0] * sites, [0] * sites, [[FRAMES[0]]])
    known.put(range(sites - 1, 0, -1))
    column = ColumnWriter(known, io.BytesIO())
    column.add(sites - 1)
    layout = column.write(out)
    assert layout[:2] == (sites - 1, width)
    numbers = np.frombuffer(out.getvalue(), f"<u{width}", sites - 1)
    assert sorted(numbers.tolist()) == [*range(1, sites)]


def test_stacks_that_are_not_used_are_not_stored(tmp_path: Path) -> None:
    write_trace(with_sites([malloc(0, 5)], random_table(1, 5000), [1]), tmp_path / "a.allocsim")
    assert layout_of(tmp_path / "a.allocsim").table < 1000


def test_damaged_sites_are_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.allocsim"
    write_trace(with_sites([malloc(0, 5)], random_table(1), [1]), path)
    content, layout = path.read_bytes(), layout_of(path)
    column = len(content) - layout.length
    for damaged in (
        content[: column - 16] + content[column:],
        content[:-1],
        content + b"\0",
        content[:column] + b"\xff" + content[column + 1 :],
        content[: column + 9] + b"\xff" + content[column + 10 :],
    ):
        path.write_bytes(damaged)
        with pytest.raises(TraceError), open_trace(str(path), sites=True) as trace:
            stacks_of(trace)


@pytest.mark.parametrize("op", [Op.FREE, Op.MALLOC])
def test_other_number_of_allocations_than_of_sites_is_an_error(tmp_path: Path, op: Op) -> None:
    path = tmp_path / "a.allocsim"
    write_trace(with_sites([malloc(0, 5), malloc(1, 5), free(0)], random_table(1), [1, 1]), path)
    content = bytearray(path.read_bytes())
    begin = len(content) - layout_of(path).length - 3 * EVENT.itemsize
    events = np.frombuffer(content, EVENT, 3, begin)
    events["op"][1 if op == Op.FREE else 2], events["request"][1] = op, 0
    path.write_bytes(content)
    with (
        pytest.raises(TraceError, match=r"site numbers \(2\)"),
        open_trace(str(path), sites=True) as trace,
    ):
        stacks_of(trace)


def sealed(body: bytes) -> bytes:
    """Return a table with a valid checksum."""
    return struct.pack("<I", zlib.crc32(body)) + body


GOOD = encode_table(random_table(1, 4))
TEXT = GOOD[GOOD.index(b"{") :]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        GOOD[:-1],
        sealed(GOOD[4:-1]),
        sealed(struct.pack("<III", 1, 0, 2) + bytes(4) + b"{}"),
        sealed(struct.pack("<III", 1, 1, 2) + bytes(12) + b"{}"),
        sealed(struct.pack("<III", 1, 1, len(TEXT)) + bytes(4) + b"\1\0\0\0" + bytes(4) + TEXT),
        sealed(struct.pack("<III", 2, 1, len(TEXT)) + bytes(4) + b"\1\0\0\0" + bytes(8) + TEXT),
        sealed(struct.pack("<III", 1, 2, len(TEXT)) + bytes(16) + b"\xff\0\0\0" + TEXT),
        sealed(struct.pack("<III", 1, 1, 36) + bytes(12) + b'{"names":[],"frames":[[0,0,0,0]]}   '),
        sealed(struct.pack("<III", 1 << 31, 1 << 31, 0)),
    ],
)
def test_damaged_table_is_an_error(content: bytes) -> None:
    with pytest.raises(TraceError, match="it: "):
        decode_table(content, "it")


@given(seed=st.integers(0, 1 << 32))
def test_table_is_decoded_as_it_was(seed: int) -> None:
    table, same = random_table(seed), decode_table(encode_table(random_table(seed)), "it")
    assert [*map(same.stack, range(len(same)))] == [*map(table.stack, range(len(table)))]


def test_names_from_a_file_are_cut_and_escaped() -> None:
    hostile = Frame("\x1b[2J" + "x" * 100_000, "\n", 3, "<script>")
    ones = SiteTable([UNKNOWN, hostile], *(EMPTY.parents for _ in range(3)))
    found = decode_table(encode_table(ones), "it").frames[1]
    assert found.function.startswith("\\x1b[2Jxxx")
    assert len(found.function) == 300
    assert found.file == "\\n"
