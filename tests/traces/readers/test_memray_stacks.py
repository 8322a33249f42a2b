"""Stacks in captures of memray equal those that memray itself gives; damage is an error."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from allocsim.call_sites.frame import Frame
from allocsim.core.jit import PURE
from allocsim.errors import TraceError
from allocsim.events import Op
from allocsim.traces import open_trace
from allocsim.traces.readers import memray, memray_child
from allocsim.traces.readers.memray_stacks import NATIVE, decode_stacks
from tests.call_sites.stacks import stacks_of
from tests.traces.readers.test_memray import DEFAULT, PYTHON, FileReader, program, records_of
from tests.traces.totals import SAMPLES


@pytest.mark.parametrize("path", [DEFAULT, *([] if PURE else [PYTHON])], ids=lambda path: path.stem)
def test_totals_by_stack_are_those_of_memray(path: Path) -> None:
    records_of(path)  # skips if memray cannot read the capture
    expected: Counter[Any] = Counter()
    for record in FileReader(path).get_allocation_records():
        if record.allocator not in (1, 5, 14, 15):
            expected[tuple(record.stack_trace())] += record.size
    found: Counter[Any] = Counter()
    with open_trace(str(path), sites=True) as trace:
        for op, request, stack in stacks_of(trace):
            assert all(frame.module == "" for frame in stack)
            if op <= Op.REALLOC:
                found[tuple(frame[:3] for frame in stack)] += request
    assert found == expected


def test_own_frame_of_a_capture_is_a_line_of_the_program() -> None:
    records_of(DEFAULT)
    with open_trace(str(DEFAULT), sites=True) as trace:
        assert trace.sites is not None
        stacks_of(trace)
        table = trace.sites.table
        assert "<listcomp> small.py:14" in {table.describe(site) for site in range(len(table))}


class Record:
    """Stands for a record of memray that has native frames."""

    allocator, stack_id, native_stack_id, native_segment_generation = 6, 1, 2, 3

    def hybrid_stack_trace(self) -> list[tuple[str, str, int]]:
        """Return the frames, the innermost first."""
        return [("_PyObject_Malloc", "Objects/obmalloc.c", 2003), ("x" * 5000, "p.py", 6)]


def test_native_frames_differ_from_python_functions() -> None:
    stacks = memray_child._Stacks(native=True)
    assert [stacks.number_of(Record()) for _ in range(2)] == [2, 2]
    table = decode_stacks(stacks.encoded(), "it")
    innermost, outermost = table.stack(2)
    assert innermost == Frame("_PyObject_Malloc", "Objects/obmalloc.c", 2003, NATIVE)
    assert (len(outermost.function), outermost.place) == (300, "p.py:6")
    assert table.own_stack(2) == [outermost]


def test_further_stacks_than_the_limit_have_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memray_child, "MAX_ROWS", 2)
    stacks = memray_child._Stacks(native=True)
    assert stacks.number_of(Record()) == 0
    assert len(decode_stacks(stacks.encoded(), "it")) == 2


GOOD = {
    "frames": [["", "", 0, False], ["f", "f.py", 3, False]],
    "parents": [0, 0],
    "frame_of": [0, 1],
}


@pytest.mark.parametrize(
    "changed",
    [{"frames": []}, {"frames": [["f", "f.py", "3", False]] * 2}, {"parents": [0]},
     {"parents": [0, 1]}, {"parents": [0, -1]}, {"frame_of": [0, 2]}, {"frame_of": [0, 1 << 40]},
     {"parents": [[0]]}],
)  # fmt: skip
def test_damaged_stacks_are_an_error(changed: dict[str, Any]) -> None:
    assert decode_stacks(json.dumps(GOOD).encode(), "it").stack(1) == [Frame("f", "f.py", 3)]
    with pytest.raises(TraceError, match="it: its stacks"):
        decode_stacks(json.dumps(GOOD | changed).encode(), "it")


def test_output_that_ends_before_the_stacks_is_a_trace_without_sites(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "import array, sys; array.array('q', [1, 6, 7, 16, 5, 1]).tofile(sys.stdout.buffer)"
    monkeypatch.setattr(memray.memray_child, "__file__", program(tmp_path, text).__file__)
    with open_trace(str(SAMPLES / "memray-default.bin"), sites=True) as trace:
        assert stacks_of(trace) == [(Op.MALLOC, 5, ())]
