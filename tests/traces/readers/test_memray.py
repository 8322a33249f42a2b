"""Captures of memray: which calls are used, errors, and failures of the child process."""

import gzip
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from allocsim.errors import EnvironmentLacks, TraceError
from allocsim.events import Op
from allocsim.traces.calls import no_calls
from allocsim.traces.readers import memray, memray_child
from allocsim.traces.source import open_source
from tests.traces.recordings import in_memory, read
from tests.traces.totals import SAMPLES, Count, totals_of

FileReader = pytest.importorskip("memray").FileReader

DEFAULT, PYTHON = SAMPLES / "memray-default.bin", SAMPLES / "memray-python.bin"


def records_of(path: Path) -> list[tuple[int, int, int, int]]:
    """Return allocator, thread, address and size of each record.

    Skips the test if the installed memray cannot read the capture.
    """
    try:
        records = FileReader(path).get_allocation_records()
    except OSError as error:
        pytest.skip(f"the installed memray does not read this capture: {error}")
    return [(record.allocator, record.tid, record.address, record.size) for record in records]


def count(records: list[tuple[int, int, int, int]]) -> tuple[Count, int]:
    """Count the calls, except mmap and munmap, and the frees of unknown addresses."""
    counted, unknown = Count(), 0
    for allocator, _, address, size in records:
        if allocator in (1, 5):
            if address in counted.live:
                counted.free(address)
            else:
                unknown += 1
        elif allocator < 14:
            counted.allocate(address, size)
    return counted, unknown


@pytest.mark.parametrize("path", [DEFAULT, PYTHON], ids=lambda path: path.stem)
def test_totals_of_a_capture_are_those_of_a_plain_count(path: Path) -> None:
    records = records_of(path)
    events, trace = read(path)
    counted, unknown = count(records)
    assert totals_of(events) == counted.totals()
    assert trace.dropped == ({"free of unknown": unknown} if unknown else {})
    assert trace.description["format"] == "memray"
    assert {event[3] for event in events} == {0, 1}
    mapped = sum(allocator >= 14 for allocator, *_ in records)
    assert trace.notes[0].startswith(f"dropped calls of mmap and munmap: {mapped}")


def test_hidden_objects_of_python_are_noted() -> None:
    records_of(DEFAULT)
    (hidden,), (seen,) = read(DEFAULT)[1].notes, read(PYTHON)[1].notes
    assert hidden.endswith("record with --trace-python-allocators to include them")
    assert seen == "dropped calls of mmap and munmap: 2"


def test_container_and_pipe_make_no_difference(tmp_path: Path) -> None:
    records_of(DEFAULT)
    packed = tmp_path / "capture.bin.gz"
    packed.write_bytes(gzip.compress(DEFAULT.read_bytes()))
    assert read(packed)[0] == read(DEFAULT)[0]
    piped = tmp_path / "cut.bin.gz"
    piped.write_bytes(packed.read_bytes()[:-1])
    events, trace = read(piped)
    assert events == read(DEFAULT)[0]
    assert trace.losses[0] == "the compressed file ends early; its content up to there was read"


@pytest.mark.slow
def test_capture_that_is_cut_off_is_read_with_a_loss_or_refused(tmp_path: Path) -> None:
    """memray reads the compressed blocks before the one that is cut off."""
    records_of(PYTHON)
    content, path = PYTHON.read_bytes(), tmp_path / "cut.bin"
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(
        TraceError, match="cannot read this capture: it is cut off before its first"
    ):
        read(path)
    path.write_bytes(content[:-100])
    events, trace = read(path)
    assert 0 < len(events) < len(read(PYTHON)[0])
    assert trace.losses[0] == "the capture is cut off; what memray could read of it was used"
    assert read(PYTHON)[1].losses == []


def test_aggregated_capture_is_an_error() -> None:
    records_of(DEFAULT)
    with pytest.raises(
        TraceError, match=r"memray-aggregate\.bin: .* record again without --aggregate"
    ):
        read(SAMPLES / "memray-aggregate.bin")


def test_capture_of_another_version_is_an_error(tmp_path: Path) -> None:
    other = tmp_path / "other.bin"
    other.write_bytes(b"memray\0" + b"\xff" * 200)
    with pytest.raises(TraceError, match=r"other\.bin: .* \(pip install memray==VERSION"):
        read(other)


def test_lz4_of_other_content_is_an_error(tmp_path: Path) -> None:
    other = tmp_path / "other.lz4"
    other.write_bytes(memray.PACKED + b"\x40\x40\xc0" + bytes(20))
    with pytest.raises(TraceError, match=r"other\.lz4: memray cannot read this capture"):
        read(other)


def program(tmp_path: Path, text: str) -> Any:
    """Return a program that replaces memray_child."""
    path = tmp_path / "program.py"
    path.write_text(text)
    return type("program", (), {"__file__": str(path)})


ENDS = {
    f"raise SystemExit({memray_child.NO_MEMRAY})": (EnvironmentLacks, "-m pip install memray"),
    "import os; os.kill(os.getpid(), 11)": (
        TraceError,
        r"crashed \(status -11\) when reading this capture",
    ),
    "raise SystemExit(7)": (TraceError, r"crashed \(status 7\) when reading this capture"),
}


@pytest.mark.parametrize("text", ENDS)
def test_exit_of_the_child_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    kind, message = ENDS[text]
    monkeypatch.setattr(memray.memray_child, "__file__", program(tmp_path, text).__file__)
    with pytest.raises(kind, match=message):
        read(DEFAULT)


def test_child_without_memray_exits_with_its_status(tmp_path: Path) -> None:
    (tmp_path / "memray.py").write_text("raise ImportError")
    ended = subprocess.run(
        [sys.executable, "-P", memray_child.__file__],
        env={"PYTHONPATH": str(tmp_path)}, check=False, capture_output=True,
    )  # fmt: skip
    assert (ended.returncode, ended.stdout, ended.stderr) == (memray_child.NO_MEMRAY, b"", b"")


def test_reader_that_is_left_early_ends_its_process(monkeypatch: pytest.MonkeyPatch) -> None:
    records_of(PYTHON)
    monkeypatch.setattr(memray_child, "BATCH", 4)
    started: list[subprocess.Popen[bytes]] = []
    popen = subprocess.Popen

    def noted(*arguments: Any, **keywords: Any) -> subprocess.Popen[bytes]:
        """Start a process and note it."""
        started.append(popen(*arguments, **keywords))
        return started[-1]

    monkeypatch.setattr(subprocess, "Popen", noted)
    with closing(open_source(str(PYTHON))) as source:
        batches = memray.FORMAT.open(source).batches()
        next(batches)
        batches.close()  # type: ignore[attr-defined]
    assert started[0].poll() is not None


def test_record_becomes_a_call_by_its_allocator() -> None:
    reader = memray.MemrayReader(in_memory(b""))
    kinds = np.array([[kind, 7, 16 * kind, 5, kind] for kind in [*range(1, 17), 99, 1 << 50]])
    calls = reader._calls(kinds, no_calls(20))
    assert calls.op.tolist() == [
        Op.FREE, Op.MALLOC, Op.CALLOC, Op.MALLOC, Op.FREE, Op.MALLOC, Op.MALLOC, Op.CALLOC,
        *[Op.MEMALIGN] * 5,
    ]  # fmt: skip
    assert calls.address.tolist() == [16 * kind for kind in range(1, 14)]
    assert set(calls.thread) == {7}
    assert calls.site.tolist() == [*range(1, 14)]
    assert reader._dropped == 5


def test_lower_limit_of_memory_is_left_as_it_is() -> None:
    records_of(DEFAULT)
    lower = (
        "import resource, runpy; resource.setrlimit(resource.RLIMIT_AS, (1 << 32, 1 << 32)); "
        f"runpy.run_path({memray_child.__file__!r}, run_name='__main__')"
    )
    with DEFAULT.open("rb") as capture:
        ended = subprocess.run(
            [sys.executable, "-P", "-c", lower], stdin=capture, check=False, capture_output=True
        )
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert len(ended.stdout) == memray.NUMBER + memray.RECORD * len(records_of(DEFAULT))
