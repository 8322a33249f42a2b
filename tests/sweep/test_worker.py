"""The processes that measure the cells of a sweep: their figures, and how failures are reported."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from allocsim import Heap
from allocsim.benchmark.event_file import EventFile, map_events
from allocsim.player import Options, Player
from allocsim.python_child import end_of
from allocsim.sweep import worker
from tests.cli.running import PATIENCE
from tests.compiled_libraries import Compiler
from tests.driving import free, malloc, stream
from tests.sweep.cells import cell

DESIGN = """
import os, signal, time
from dataclasses import replace
from pathlib import Path
from allocsim.designs.go2008 import DESIGN as GO
from allocsim.designs.parameter import Parameter

def create(memory, threads, values):
    if values["way"] == 1:
        os.kill(os.getpid(), signal.SIGSEGV)
    if values["way"] == 2:
        time.sleep(1000)
    if values["way"] == 3:
        raise ValueError("odd")
    once = Path(__file__).with_name("once")
    if values["way"] == 4 and not once.exists():
        once.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return GO.create(memory, threads, {})

DESIGN = replace(GO, name="odd", create=create, parameters={"way": Parameter(0, 0, 9, "failure")})
"""


@pytest.fixture
def workload(event_file: Callable[..., EventFile]) -> EventFile:
    """Some objects, of which one is freed."""
    return event_file(stream(*(malloc(number, 5000) for number in range(30)), free(3)))


@pytest.fixture(autouse=True, scope="module")
def processes() -> Iterator[None]:
    """End the processes for designs after the tests."""
    yield
    worker.processes.close()


@pytest.fixture
def odd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A design that fails in a given way."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "odd.py").write_text(DESIGN)
    return str(tmp_path / "odd.py")


def test_figures_of_a_design_are_those_of_a_replay(workload: EventFile) -> None:
    subject = cell("tcmalloc:startup=none", events=31)
    found = worker.run_cell(subject, workload)
    with Heap("tcmalloc", startup="none") as heap:
        player = Player(heap, Options())
        player.replay_chunk(map_events(workload.descriptor))
        profile = player.profile()
    assert found.failure is None
    assert found.memory is not None
    assert found.memory.peak == profile.at_peak.footprint
    assert found.memory.peak_event == profile.at_peak.event
    assert found.memory.peak_live == profile.peak_live == 150_000
    assert (found.memory.end, found.memory.live_at_end) == (profile.at_end.footprint, 145_000)
    assert found.memory.mean is not None
    assert 0 < found.memory.mean <= found.memory.peak
    assert found.versions["allocsim"]
    assert found.key == subject.key


def test_process_serves_many_cells_and_begins_each_with_a_new_heap(workload: EventFile) -> None:
    subjects = [cell("go2008"), cell("tcmalloc"), cell("go2008", touch="full")]
    rows = [worker.run_cell(each, workload) for each in subjects]
    assert len(worker.processes._idle) == 1
    assert rows[0].memory == rows[2].memory
    assert rows[0].memory != rows[1].memory


def test_library_is_measured_in_a_fresh_process(workload: EventFile) -> None:
    before = list(worker.processes._idle)
    found = worker.run_cell(cell("lib:glibc:tcache_count=0"), workload)
    assert found.memory is not None, found.failure
    assert found.memory.peak_live == 150_000
    assert "library" in found.versions
    assert worker.processes._idle == before


def test_times_are_those_of_the_benchmark(workload: EventFile) -> None:
    found = worker.run_cell(cell("go2008", measure="times", runs=3, warmup=0), workload)
    assert found.memory is None
    assert found.times is not None, found.failure
    assert found.times.runs == 3
    assert 0 < found.times.low <= found.times.ns <= found.times.high


@pytest.mark.parametrize(
    ("way", "failure"),
    [
        (1, "crashed by SIGSEGV"),
        (2, "hung: killed after 0.5 s"),
        (3, "odd.py, line 14: ValueError"),
    ],
)
def test_failure_of_a_design_is_a_row_and_the_next_cell_runs(
    workload: EventFile, odd: str, way: int, failure: str
) -> None:
    bad = replace(cell(f"{odd}:way={way}"), timeout=0.5) if way == 2 else cell(f"{odd}:way={way}")
    found = worker.run_cell(bad, workload)
    assert failure in (found.failure or "")
    assert found.memory is None
    assert worker.run_cell(cell(odd), workload).failure is None


def test_cell_whose_process_was_killed_runs_again(workload: EventFile, odd: str) -> None:
    found = worker.run_cell(cell(f"{odd}:way=4"), workload)
    assert found.failure is None
    assert Path("once").exists()


def test_process_that_died_between_two_cells_is_replaced(workload: EventFile) -> None:
    first = worker.run_cell(cell(), workload)
    child = worker.processes._idle[0]._child
    child.kill()
    assert end_of(child, PATIENCE) == "killed by SIGKILL"
    second = worker.run_cell(cell(), workload)
    assert first.memory == second.memory


def test_limit_is_a_failure(workload: EventFile) -> None:
    found = worker.run_cell(cell(limit=50_000), workload)
    assert "limit" in (found.failure or "")


def test_crash_of_a_library_is_a_row(workload: EventFile, odd_library: Compiler) -> None:
    found = worker.run_cell(cell(f"lib:{odd_library('segfault')}:odd_"), workload)
    assert (found.failure or "").startswith("crashed by SIGSEGV")


def test_library_that_is_missing_is_a_row(workload: EventFile) -> None:
    found = worker.run_cell(cell("lib:/gone/libx.so"), workload)
    assert "no such library" in (found.failure or "")


def test_design_has_no_times_on_several_threads(workload: EventFile) -> None:
    found = worker.run_cell(cell(measure="times", recorded=True), workload)
    assert "timed on one thread only" in (found.failure or "")
