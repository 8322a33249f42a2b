"""Android's text: reading it back gives the same events; each line is exact."""

import gzip
from pathlib import Path

import pytest
from hypothesis import given, settings

from allocsim.core.jit import PURE
from allocsim.errors import EnvironmentLacks, InputError
from allocsim.events import Op
from allocsim.traces import open_trace
from allocsim.traces.writers import aosp, synthetic_addresses
from allocsim.traces.writers.aosp import write_aosp
from allocsim.traces.writers.synthetic_addresses import new_address_space
from allocsim.workloads import open_workload
from tests.driving import Call, free, malloc, random_calls, realloc, stream_of
from tests.traces.recordings import assert_same, events_of, read, rows_of
from tests.traces.streams import streams, trace_of


def written(calls: list[Call], path: Path) -> str:
    """The text of the calls."""
    write_aosp(trace_of(calls), path)
    return path.read_text()


@settings(max_examples=5 if PURE else 40)  # each opens a reader: 60 ms
@given(calls=streams)
def test_trace_from_a_reader_is_read_back_unchanged(
    tmp_path_factory: pytest.TempPathFactory, calls: list[Call]
) -> None:
    calls = [call for call in calls if call.op != Op.FREEZE]
    if not calls:
        return
    path = tmp_path_factory.getbasetemp() / "again.txt"
    write_aosp(trace_of(calls), path)
    again = open_trace(str(path))
    assert events_of(again).tolist() == stream_of(calls).tolist()
    assert again.dropped == {}


@pytest.mark.parametrize("seed", [1, 2])
def test_any_valid_stream_is_read_back_with_other_ids(tmp_path: Path, seed: int) -> None:
    calls = random_calls(seed, 150 if PURE else 3000, objects=5000, threads=1)
    path = tmp_path / "again.txt"
    write_aosp(trace_of(calls), path)
    lives: dict[int, int] = {}
    expected: list[tuple[int, int, int, int, int]] = []
    for allocation, call in enumerate(calls):  # the call that allocates identifies the object
        lives[call.object] = allocation if call.op < Op.REALLOC else lives[call.object]
        row = (call.op, call.request, call.alignment, call.thread, lives[call.object])
        expected.append(row)
    found, trace = read(path)
    assert_same(found, expected)
    assert trace.dropped == {}


LINES = {
    "malloc": ([malloc(0, 24)], "1: malloc 0x10000 24\n"),
    "thread": ([malloc(0, 24, 65535)], "65536: malloc 0x10000 24\n"),
    "calloc": ([Call(Op.CALLOC, 0, 7)], "1: calloc 0x10000 1 7\n"),
    "memalign": ([Call(Op.MEMALIGN, 0, 7, 0, 12)], "1: memalign 0x10000 4096 7\n"),
    "memalign to a byte": ([Call(Op.MEMALIGN, 0, 7)], "1: memalign 0x10000 1 7\n"),
    "largest": (
        [Call(Op.MEMALIGN, 0, 1 << 47, 65535, 30)],
        "65536: memalign 0x800000000000 1073741824 140737488355328\n",
    ),
    "realloc": (
        [malloc(0, 24), realloc(0, 100), realloc(0, 99)],
        "1: malloc 0x10000 24\n1: realloc 0x10080 0x10000 100\n1: realloc 0x10080 0x10080 99\n",
    ),
    "free": ([malloc(0, 0), free(0)], "1: malloc 0x10000 0\n1: free 0x10000\n"),
    "thread_done": (
        [malloc(0, 1, 3), Call(Op.THREAD_DONE, thread=3)],
        "4: malloc 0x10000 1\n4: thread_done 0x0\n",
    ),
}


@pytest.mark.parametrize(("calls", "text"), LINES.values(), ids=LINES)
def test_line_of_each_call(tmp_path: Path, calls: list[Call], text: str) -> None:
    assert written(calls, tmp_path / "out.txt") == text


def test_gz_suffix_compresses_reproducibly(tmp_path: Path) -> None:
    plain = written([malloc(0, 24)], tmp_path / "out.txt")
    for name in ("a.txt.gz", "b.txt.gz"):
        write_aosp(trace_of([malloc(0, 24)]), tmp_path / name)
    packed = (tmp_path / "a.txt.gz").read_bytes()
    assert gzip.decompress(packed).decode() == plain
    assert packed == (tmp_path / "b.txt.gz").read_bytes()


def test_freeze_is_dropped_with_a_note(tmp_path: Path) -> None:
    trace = trace_of([malloc(0, 1), Call(Op.FREEZE), free(0)])
    write_aosp(trace, tmp_path / "out.txt")
    assert trace.notes == ["dropped 1 freeze or release event, which AOSP text cannot express"]


@pytest.mark.parametrize("calls", [[], [Call(Op.FREEZE)]], ids=["nothing", "a note"])
def test_trace_without_a_call_is_not_written(tmp_path: Path, calls: list[Call]) -> None:
    with pytest.raises(InputError, match="the trace has no calls"):
        write_aosp(trace_of(calls), tmp_path / "out.txt")
    assert list(tmp_path.iterdir()) == []


def test_objects_beyond_the_address_space_are_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = [malloc(number, 1 << 47) for number in range(10)]
    monkeypatch.setattr(synthetic_addresses, "FIRST", (1 << 60) - (1 << 50))
    with pytest.raises(InputError, match="do not fit into an address space of 60 bits"):
        write_aosp(trace_of(calls), tmp_path / "out.txt")
    assert list(tmp_path.iterdir()) == []


def test_tables_grow_with_the_objects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aosp, "new_address_space", lambda: new_address_space(4))
    calls = [malloc(number, 8) for number in range(100)]
    assert written(calls, tmp_path / "out.txt").count("\n") == 100


def test_full_device_is_an_environment_error() -> None:
    with pytest.raises(EnvironmentLacks, match="cannot write '/dev/full': No space left"):
        write_aosp(trace_of([malloc(0, 24)]), Path("/dev/full"))


@pytest.mark.skipif(PURE, reason="82,717 events take minutes in pure mode")
def test_bundled_recording_is_read_back_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "again.txt.gz"
    write_aosp(open_workload("sqlite-orders"), path)
    assert rows_of(events_of(open_trace(str(path)))) == rows_of(
        events_of(open_workload("sqlite-orders"))
    )
