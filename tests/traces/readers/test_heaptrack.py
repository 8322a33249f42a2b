"""The files of heaptrack: each kind of line, both kinds of file, recordings of real programs."""

from collections import deque

import pytest

from allocsim.core.jit import PURE
from allocsim.errors import TraceError
from allocsim.events import Op
from allocsim.traces.readers import heaptrack
from allocsim.traces.scan import line_reader
from tests.traces.recordings import in_memory, read, read_bytes
from tests.traces.totals import SAMPLES, Count, Totals, contents, totals_of

RAW = "v 10400 3\nx 3 /ls\nX ls /\nI 1000 5e2990\nt 1 0\n"
INTERPRETED = "v 10400 3\nX ls /\nI 1000 5e2990\na 18 1\na 20 2\n"


def rows(content: str) -> list[tuple[int, int, int]]:
    """Operation, bytes and object of each event."""
    events, _ = read_bytes(content.encode(), heaptrack.FORMAT)
    return [(event[0], event[1], event[4]) for event in events]


def test_raw_blocks_have_addresses() -> None:
    assert rows(RAW + "+ 18 1 55d0\n+ 20 1 66D0\n- 55d0\n- 66d0\n") == [
        (Op.MALLOC, 0x18, 0), (Op.MALLOC, 0x20, 1), (Op.FREE, 0, 0), (Op.FREE, 0, 1),
    ]  # fmt: skip


def test_interpreted_blocks_are_freed_in_fifo_order_of_their_site() -> None:
    assert rows(INTERPRETED + "+ 0\n+ 1\n+ 0\n- 0\n- 0\n- 1\n") == [
        (Op.MALLOC, 0x18, 0), (Op.MALLOC, 0x20, 1), (Op.MALLOC, 0x18, 2),
        (Op.FREE, 0, 0), (Op.FREE, 0, 2), (Op.FREE, 0, 1),
    ]  # fmt: skip


def test_approximation_is_noted() -> None:
    _, exact = read_bytes((RAW + "+ 18 1 55d0\n").encode(), heaptrack.FORMAT)
    _, guessed = read_bytes((INTERPRETED + "+ 0\n").encode(), heaptrack.FORMAT)
    assert exact.notes == []
    assert [note.partition(":")[0] for note in guessed.notes] == ["approximate"]


def test_free_of_a_site_without_blocks_is_unknown() -> None:
    _, trace = read_bytes((INTERPRETED + "+ 0\n- 1\n- 0\n- 0\n").encode(), heaptrack.FORMAT)
    assert trace.dropped == {"free of unknown": 2}


@pytest.mark.parametrize(
    "line", ["s a b", "i 5 1", "c 1f", "R 20", "A", "A ", "S 5 leak", "# x", "#"]
)
def test_other_lines_say_nothing(line: str) -> None:
    old = "v 10100 2\n"
    assert rows(f"{old}+ 18 1 55d0\n{line}\n- 55d0\n") == [(Op.MALLOC, 24, 0), (Op.FREE, 0, 0)]


@pytest.mark.parametrize("line", ["X", "X ls", "X a\nb c\n+ 5\nI 1000 1", "X echo\n\n\nt 1 0"])
def test_command_may_go_on_over_lines(line: str) -> None:
    assert rows(f"v 10400 3\n{line}\n+ 18 1 55d0\n") == [(Op.MALLOC, 24, 0)]


@pytest.mark.parametrize("line", ["+ ", "+ 0x", "- ", "- 0x", "a 1 1x"])
def test_line_of_a_command_makes_no_block_and_no_site(line: str) -> None:
    """The table has room only for the blocks of valid lines. Other blocks would overflow it."""
    content = f"v 10400 2\na 18 1\nt 1 0\n+ 0\nX a\n{line}\n{line}\n"
    reader = heaptrack.HeaptrackReader(in_memory(content.encode()))
    made = [len(calls) for calls in reader.batches()]
    counts = reader._scan.sites.counts[0]
    assert (made, counts.sites, counts.blocks, counts.spare) == ([1], 1, 1, 0)


def test_text_of_format_3_ends_where_its_length_says() -> None:
    assert rows(RAW + "s b a\n+ 1 1 1\n\n\n\n+ 18 1 55d0\n") == [(Op.MALLOC, 24, 0)]


def test_text_of_format_2_ends_with_its_line() -> None:
    assert rows("v 10200 2\ns b a\n+ 18 1 55d0\n") == [(Op.MALLOC, 24, 0)]


def test_string_across_two_blocks_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_reader, "BLOCK", 64)
    lines = "".join(f"+ {n:x} 1 1\n" for n in range(1, 20))
    assert rows(RAW + f"s {len(lines):x} {lines}\n+ 18 1 55d0\n") == [(Op.MALLOC, 24, 0)]


@pytest.mark.parametrize(
    ("version", "form"),
    [("v 10200", 1), ("v 10100", 0), ("v 10200 2", 2), ("v 10400 3", 3), ("v 10000 0", 0)],
)
def test_format_is_detected_by_its_number_or_the_version(version: str, form: int) -> None:
    reader = heaptrack.HeaptrackReader(in_memory(f"{version}\n".encode()))
    assert list(reader.batches()) == []
    assert reader._scan.file[0].format == form


BROKEN = (
    "+",
    "+ ",
    "+ x",
    "+ 18 1",
    "+ 18 1 ",
    "+ 18 1 5 5",
    "+ 18  1 5",
    "- ",
    "- x",
    "- 5 5",
    "a 18 1",
    "v 10500 4",
    "z 5",
    "t",
    "18",
    "s x",
    "s 200000 x",
    "+ 11112222333344445 1 1",
)


@pytest.mark.parametrize("line", BROKEN)
def test_broken_line_of_a_raw_file_is_named(line: str) -> None:
    with pytest.raises(
        TraceError, match=r"memory, line 7: found '.*', expected 'v VERSION FORMAT'"
    ):
        rows(f"{RAW}+ 18 1 55d0\n{line}\n- 55d0\n")


@pytest.mark.parametrize("line", ["+ 2", "- 2", "a 18", "a", "+ 0 1", "- x", "+ ffffffffffffffff"])
def test_broken_line_of_an_interpreted_file_is_named(line: str) -> None:
    with pytest.raises(TraceError, match=r"memory, line 7: found"):
        rows(f"{INTERPRETED}+ 0\n{line}\n- 0\n")


def test_too_many_sites_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heaptrack, "MAX_SITES", 100)
    monkeypatch.setattr(line_reader, "BLOCK", 256)
    with pytest.raises(TraceError, match="more than 100 allocation sites"):
        read_bytes((INTERPRETED + "a 18 1\n" * 500).encode(), heaptrack.FORMAT)


@pytest.mark.parametrize(
    ("head", "known"),
    [("v 10400 3\n", True), ("v 10200\n", True), ("v 10400 3 1\n", False), ("v\n", False),
     ("v x 3\n", False), ("version 1\n", False), ("v 10400 3", False), ("", False)],
)  # fmt: skip
def test_file_is_known_by_its_version(head: str, known: bool) -> None:
    assert heaptrack.looks_like(head.encode()) == known


def count_raw(content: bytes) -> Count:
    """Count the calls in a raw file, with a dictionary of live blocks by address."""
    count = Count()
    for line in content.split(b"\n"):
        fields = line.split()
        if fields[:1] == [b"+"]:
            count.allocate(fields[3], int(fields[1], 16))
        elif fields[:1] == [b"-"]:
            count.free(fields[1])
    return count


def count_interpreted(content: bytes) -> Count:
    """Count the calls in an interpreted file, with a queue of live blocks for each site."""
    count, sizes = Count(), list[int]()
    queues = dict[bytes, deque[int]]()
    for number, line in enumerate(content.split(b"\n")):
        fields = line.split()
        if fields[:1] == [b"a"]:
            sizes.append(int(fields[1], 16))
        elif fields[:1] == [b"+"]:
            queues.setdefault(fields[1], deque()).append(number)
            count.allocate(number, sizes[int(fields[1], 16)])
        elif fields[:1] == [b"-"]:
            count.free(queues[fields[1]].popleft())
    return count


TOTALS = {
    "sqlite": Totals(3585, 3583, 1_136_671, 400_788, 2, 8192),
    "ls": Totals(240, 73, 151_982, 138_765, 167, 33_787),
}
"""For sqlite, `heaptrack_print` of heaptrack 1.4 reports 3585 calls to allocation functions, a peak
of 400.79K, and 8.19K left at the end. For ls, it reports 240 calls, a peak of 138.76K, and 33.79K
left."""

POOL = 72_704
"""Bytes that libstdc++, which heaptrack loads into every program, keeps for exceptions."""


def test_peak_of_sqlite_is_that_of_other_recorders_and_the_pool() -> None:
    """mtrace and Valgrind saw 328,084 bytes live at the peak of the same run."""
    assert TOTALS["sqlite"].peak_live - POOL == 328_084
    assert contents("sqlite.heaptrack-raw.zst").count(b"\n+ %x " % POOL) == 1


@pytest.mark.parametrize("program", ["ls"] if PURE else TOTALS)
def test_totals_of_a_raw_recording_are_those_of_a_plain_count(program: str) -> None:
    name = f"{program}.heaptrack-raw.zst"
    events, trace = read(SAMPLES / name)
    assert totals_of(events) == count_raw(contents(name)).totals() == TOTALS[program]
    assert (trace.description["format"], trace.dropped, trace.notes) == ("heaptrack", {}, [])


@pytest.mark.parametrize("program", ["ls"] if PURE else TOTALS)
def test_totals_of_an_interpreted_recording_are_those_of_a_plain_count(program: str) -> None:
    name = f"{program}.heaptrack.zst"
    events, trace = read(SAMPLES / name)
    assert totals_of(events) == count_interpreted(contents(name)).totals() == TOTALS[program]
    assert (trace.description["format"], trace.dropped, len(trace.notes)) == ("heaptrack", {}, 1)
