"""Children that end badly: each says how, and leaves neither a process nor a file."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from allocsim.benchmark.comparison import Conditions, measure
from allocsim.benchmark.event_file import Recorded
from allocsim.benchmark.parent import SubjectFailed
from allocsim.driver import Touch
from tests.cli.running import ENVIRONMENT
from tests.compiled_libraries import Compiler
from tests.driving import malloc, stream

EVENTS = 60


@pytest.fixture
def workload(recorded: Callable[..., Recorded]) -> Recorded:
    """Some objects."""
    return recorded(stream(*(malloc(number, 5000) for number in range(EVENTS))))


def children() -> list[int]:
    """The processes that this one has started and that are still there."""
    found = []
    for place in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(place.read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError):
            continue
        if parent == os.getpid():
            found.append(int(place.parent.name))
    return found


def in_session_of(marker: str) -> list[str]:
    """Every process whose command line holds `marker`."""
    found = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = place.read_bytes().decode(errors="replace")
        except OSError:
            continue
        if marker in text and f"/{os.getpid()}/" not in str(place):
            found.append(text)
    return found


@pytest.mark.parametrize(
    ("way", "told"),
    [
        ("abort", r"^crashed by SIGABRT while playing"),
        ("segfault", r"^crashed by SIGSEGV while playing"),
        ("kill", r"^killed by SIGKILL while playing"),
        ("hang", r"^hung: killed after 0.5 s while playing"),
        ("fork-and-hang", r"^hung: killed after 0.5 s while playing"),
        ("refuse", r"^stopped after 20 events: it had no memory left to give"),
        ("grow", r"^killed when it passed 64.0 MiB"),
        ("leave", r"^ended with status 0 while playing"),
    ],
)
def test_library_that_misbehaves_is_ended_and_described(
    odd_library: Compiler, workload: Recorded, tmp_path: Path, way: str, told: str
) -> None:
    library, before = odd_library(way), sorted(tmp_path.iterdir())
    conditions = Conditions(timeout=0.5 if "hang" in way else 60.0, limit=64 << 20)
    known = children()
    with pytest.raises(SubjectFailed, match=told):
        measure(f"lib:{library}:odd_", "memory", workload, conditions)
    assert set(children()) <= set(known)
    assert in_session_of(str(library)) == []
    assert sorted(tmp_path.iterdir()) == before


def test_what_a_library_prints_is_not_taken_for_an_answer(
    odd_library: Compiler, workload: Recorded
) -> None:
    said = measure(f"lib:{odd_library('chatter')}:odd_", "memory", workload, Conditions(later=0.0))
    assert said.memory is not None
    assert said.memory.peak >= EVENTS * 5000


def test_library_that_cannot_be_loaded_says_why(tmp_path: Path, workload: Recorded) -> None:
    path = tmp_path / "libtext.so"
    path.write_text("no library")
    with pytest.raises(SubjectFailed, match=r"libtext\.so: (file too short|invalid ELF header)"):
        measure(f"lib:{path}", "memory", workload, Conditions(later=0.0))


def test_design_keeps_its_limit_to_the_event(recorded: Callable[..., Recorded]) -> None:
    workload = recorded(stream(*(malloc(number, 1 << 20) for number in range(8))))
    conditions = Conditions(limit=4 << 20, touch=Touch.NONE)
    with pytest.raises(SubjectFailed, match=r"passed the limit with .* after [1-4] events"):
        measure("go2008", "memory", workload, conditions)


def test_child_dies_with_its_parent(odd_library: Compiler, tmp_path: Path) -> None:
    """Even when the parent is killed, which can clean up nothing."""
    library = odd_library("hang")
    code = (
        "import sys\n"
        "from allocsim.jobs import make_generator\n"
        "from allocsim.benchmark.comparison import Conditions, measure\n"
        "from allocsim.benchmark.event_file import record\n"
        "trace = make_generator({'kind': 'random', 'ops': 400, 'slots': 20, 'size': "
        "{'distribution': 'fixed', 'bytes': 100}}).trace('x')\n"
        "measure(sys.argv[1], 'memory', record(trace), Conditions(later=0.0))\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code, f"lib:{library}:odd_"], env=ENVIRONMENT)
    try:
        wait_for(lambda: any("benchmark.child" in text for text in in_session_of(str(library))))
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        wait_for(lambda: not in_session_of(str(library)))
    finally:
        parent.kill()
        parent.wait()


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until it is so; a failure after two minutes."""
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
