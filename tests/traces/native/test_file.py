"""Files in allocsim's trace format: read from a mapping or a stream; damage is an error."""

import gzip
import io
import resource
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from allocsim import __version__
from allocsim.core.jit import PURE
from allocsim.errors import EnvironmentLacks, InputError, TraceError
from allocsim.events import EVENT, Op, Trace, no_events
from allocsim.trace_subset import Choice, subset_of
from allocsim.traces import open_trace
from allocsim.traces.native.file import is_allocsim_trace, read_stream, read_trace, write_trace
from allocsim.traces.native.header import BASE_OBJECTS, MAX_OBJECTS_PER_EVENT
from allocsim.traces.source import Source
from tests.driving import Call, free, malloc, stream_of
from tests.test_program_run import program_run
from tests.traces.native.conftest import CALLS
from tests.traces.recordings import events_of
from tests.traces.streams import streams, trace_of


def changed(path: Path, row: int, **fields: int) -> Path:
    """Return the file with changed fields in one row."""
    content = bytearray(path.read_bytes())
    begin = len(content) - EVENT.itemsize * len(CALLS)
    events = np.frombuffer(content, EVENT, offset=begin)
    for name, value in fields.items():
        events[name][row] = value
    path.write_bytes(content)
    return path


def streamed(content: bytes, name: str = "memory") -> Trace:
    """Return the trace of bytes that are streamed, not mapped."""
    return read_stream(Source(name, io.BufferedReader(io.BytesIO(content))))


@given(calls=streams)
def test_written_trace_is_read_back(tmp_path_factory: pytest.TempPathFactory, calls: Any) -> None:
    path = tmp_path_factory.getbasetemp() / "same.allocsim"
    write_trace(trace_of(calls), path)
    assert events_of(read_trace(path)).tolist() == stream_of(calls).tolist()
    assert events_of(streamed(path.read_bytes())).tolist() == stream_of(calls).tolist()


def test_empty_trace_is_a_trace(tmp_path: Path) -> None:
    path = tmp_path / "nothing.allocsim"
    write_trace(trace_of([]), path)
    assert len(events_of(read_trace(path))) == len(events_of(streamed(path.read_bytes()))) == 0
    assert read_trace(path).length == 0


def test_file_keeps_the_description_of_the_trace(stored: Path) -> None:
    trace = read_trace(stored)
    calls = [call for call in CALLS if call.op <= Op.FREE]
    assert (trace.name, trace.length, trace.seed) == (str(stored), len(calls), 9)
    assert (trace.dropped, trace.notes) == ({"overlap": 2}, ["a note"])
    claims = trace.description.pop("claims")
    assert trace.description == {
        "kind": "trace",
        "file": str(stored),
        "format": "allocsim",
        "written_by": f"allocsim {__version__}",
        "source": {"kind": "trace", "file": "calls", "format": "test"},
    }
    assert claims["events"] == len(calls)
    assert claims["objects"] == max(call.object for call in CALLS) + 1
    assert claims["threads"] == max(call.thread for call in calls) + 1
    assert claims["requested"] == sum(call.request for call in CALLS)


def test_file_keeps_the_figures_of_the_program(tmp_path: Path) -> None:
    """A slice is a part of the program's run, and the figures of this part are not known."""
    whole = Trace("a program", iter([no_events(1)]), {"kind": "trace"}, program_run=program_run())
    write_trace(whole, tmp_path / "whole")
    assert read_trace(tmp_path / "whole").program_run == program_run()
    part = subset_of(read_trace(tmp_path / "whole"), Choice(last=1))
    assert part.program_run is None
    part.close()


def test_file_without_possible_figures_of_the_program_is_an_error(tmp_path: Path) -> None:
    wrong = Trace("x", iter([no_events(1)]), {}, program_run=program_run(threads=-1))
    write_trace(wrong, tmp_path / "wrong")
    with pytest.raises(TraceError, match="threads"):
        read_trace(tmp_path / "wrong")


def test_control_characters_of_a_reason_are_escaped(tmp_path: Path) -> None:
    path = tmp_path / "a.allocsim"
    write_trace(Trace("calls", iter(()), {}, dropped={"\x1b[2J": 2}), path)
    assert read_trace(path).dropped == {"\\x1b[2J": 2}


def test_rewritten_file_keeps_the_first_source(stored: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.allocsim"
    write_trace(read_trace(stored), again)
    first, second = read_trace(stored), read_trace(again)
    assert second.description["source"] == first.description["source"]
    assert second.description["claims"] == first.description["claims"]
    assert (second.seed, second.dropped, second.notes) == (9, {"overlap": 2}, ["a note"])


@pytest.mark.parametrize("container", ["plain", "gz", "zip", "stdin", "zip on stdin"])
def test_same_trace_in_any_container(
    stored: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, container: str
) -> None:
    path, content = tmp_path / "packed", stored.read_bytes()
    if container == "gz":
        content = gzip.compress(content)
    elif container.startswith("zip"):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("small.allocsim", content)
        content = path.read_bytes()
    path.write_bytes(content)
    with path.open("rb") as file:
        monkeypatch.setattr(sys, "stdin", file)
        trace = open_trace("-" if "stdin" in container else str(path))
        assert events_of(trace).tolist() == stream_of(CALLS).tolist()
    assert (trace.description["format"], trace.seed) == ("allocsim", 9)
    assert (trace.dropped, trace.notes) == ({"overlap": 2}, ["a note"])


def test_only_a_plain_allocsim_trace_is_mapped(stored: Path, tmp_path: Path) -> None:
    assert is_allocsim_trace(str(stored))
    packed = tmp_path / "packed.gz"
    packed.write_bytes(gzip.compress(stored.read_bytes()))
    assert not any(
        map(is_allocsim_trace, (str(packed), "-", str(tmp_path), str(tmp_path / "gone"), "\0"))
    )


@pytest.mark.parametrize("mapped", [True, False], ids=["mapped", "streamed"])
@pytest.mark.parametrize("keep", [0, 5, 12, 63, 64, 100, 4096, -16 * len(CALLS), -17, -16, -1])
def test_truncated_file_is_an_error(stored: Path, mapped: bool, keep: int) -> None:
    content = stored.read_bytes()[:keep] if keep else b""
    stored.write_bytes(content)
    with pytest.raises(TraceError, match=stored.name if mapped else "memory") as raised:
        events_of(read_trace(stored) if mapped else streamed(content))
    assert "recreate the trace from its recording with `allocsim trace" in str(raised.value)


@pytest.mark.parametrize("mapped", [True, False], ids=["mapped", "streamed"])
def test_longer_file_is_an_error(stored: Path, mapped: bool) -> None:
    content = stored.read_bytes() + b"x"
    stored.write_bytes(content)
    with pytest.raises(TraceError, match="has more than the"):
        events_of(read_trace(stored) if mapped else streamed(content))


INVALID = {
    "operation": ({"op": 255}, "operation 255, expected 0 to 7"),
    "object": ({"op": 0, "object": (1 << 32) - 1, "alignment": 0}, "object 4294967295, expected"),
    "size": ({"op": 0, "request": 1 << 62, "alignment": 0, "object": 0}, "4,611,686,018,427,387"),
    "alignment": ({"op": 2, "object": 0, "alignment": 200, "request": 1}, r"2\*\*200 bytes"),
    "thread": ({"op": 0, "thread": 65535, "object": 0, "alignment": 0}, "thread 65535, expected"),
}


@pytest.mark.parametrize("mapped", [True, False], ids=["mapped", "streamed"])
@pytest.mark.parametrize(("fields", "message"), INVALID.values(), ids=INVALID)
def test_invalid_row_is_an_error_before_its_chunk_is_used(
    stored: Path, fields: dict[str, int], message: str, mapped: bool
) -> None:
    changed(stored, 30, **fields)
    trace = read_trace(stored) if mapped else streamed(stored.read_bytes())
    with pytest.raises(TraceError, match=rf"row 31: found .*{message}"):
        next(trace.chunks)


def test_sparse_object_ids_are_not_written_or_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, base = tmp_path / "a.allocsim", 1000 if PURE else BASE_OBJECTS
    events = no_events(1)
    events.object = base + MAX_OBJECTS_PER_EVENT
    count = base + MAX_OBJECTS_PER_EVENT + 1
    monkeypatch.setattr("allocsim.traces.native.header.BASE_OBJECTS", base)
    with pytest.raises(InputError, match=f"object ids up to {count:,} in 1 event are too sparse"):
        write_trace(Trace("mine", iter([events]), {}), path)
    monkeypatch.setattr("allocsim.traces.native.header.BASE_OBJECTS", base + 1)
    write_trace(Trace("mine", iter([events]), {}), path)
    assert read_trace(path).description["claims"]["objects"] == count
    monkeypatch.setattr("allocsim.traces.native.header.BASE_OBJECTS", base)
    reason = rf"a\.allocsim: its header says {count:,} objects for 1 event,"
    with pytest.raises(TraceError, match=reason):
        read_trace(path)


def test_invalid_stream_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "bad.allocsim"
    with pytest.raises(InputError, match="event 3 frees an object that is not live"):
        write_trace(trace_of([malloc(0, 1), free(0), free(0)]), path)
    with pytest.raises(TraceError, match="row 2: found a malloc with -5 bytes"):
        write_trace(trace_of([malloc(0, 1), malloc(1, -5)]), path)
    assert list(tmp_path.iterdir()) == []


class Stop(BaseException):
    """Raised in the middle of a stream, like KeyboardInterrupt."""


def interrupted(calls: list[Call]) -> Iterator[Any]:
    """Yield the calls, then raise Stop."""
    yield stream_of(calls)
    raise Stop


@pytest.mark.parametrize("old", [b"what was there", None])
def test_interrupted_write_leaves_the_old_file(tmp_path: Path, old: bytes | None) -> None:
    path = tmp_path / "out.allocsim"
    if old is not None:
        path.write_bytes(old)
    with pytest.raises(Stop):
        write_trace(Trace("t", interrupted(CALLS), {}), path)
    assert [place.read_bytes() for place in tmp_path.iterdir()] == ([old] if old else [])


def test_full_disk_is_an_error_and_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "out.allocsim"
    path.write_bytes(b"old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, hard))
    try:
        with pytest.raises(EnvironmentLacks, match=r"cannot write '.*out\.allocsim': File too la"):
            write_trace(trace_of(CALLS), path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [place.read_bytes() for place in tmp_path.iterdir()] == [b"old"]


@pytest.mark.parametrize("path", ["/dev/null", "/dev/full", "/"])
def test_only_a_regular_file_is_written_to(path: str) -> None:
    with pytest.raises(InputError, match="is not a regular file"):
        write_trace(trace_of(CALLS), Path(path))


def test_write_follows_a_symbolic_link(tmp_path: Path) -> None:
    target, link = tmp_path / "target.allocsim", tmp_path / "link.allocsim"
    target.write_bytes(b"old")
    link.symlink_to(target)
    write_trace(trace_of(CALLS), link)
    assert link.is_symlink()
    assert is_allocsim_trace(str(target))


def test_control_characters_of_a_file_are_shown_as_escapes(tmp_path: Path) -> None:
    path, text = tmp_path / "a.allocsim", "a\x1b[2Jb"
    trace = trace_of([malloc(0, 1)], notes=[text], losses=[text], dropped={text: 1})
    write_trace(trace, path)
    for found in (read_trace(path), streamed(path.read_bytes())):
        assert [*found.notes, *found.losses, *found.dropped] == [r"a\x1b[2Jb"] * 3
