"""Child processes that fail: the error names the failure, and no process or file remains."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from allocsim.benchmark.child import Request
from allocsim.benchmark.comparison import Conditions, measure
from allocsim.benchmark.event_file import EventFile, write_events
from allocsim.benchmark.parent import MAX_MESSAGE, SubjectFailed, _Watcher
from allocsim.core.jit import PURE
from allocsim.driver import Touch
from allocsim.events import Trace
from allocsim.python_child import running, script_command
from tests.cli.running import ENVIRONMENT
from tests.compiled_libraries import Compiler
from tests.driving import malloc, stream

EVENTS = 60


@pytest.fixture
def workload(event_file: Callable[..., EventFile]) -> EventFile:
    """Some objects."""
    return event_file(stream(*(malloc(number, 5000) for number in range(EVENTS))))


def children() -> list[int]:
    """Return the running child processes of this process."""
    found = []
    for place in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(place.read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError):
            continue
        if parent == os.getpid():
            found.append(int(place.parent.name))
    return found


def commands_with(marker: str) -> list[str]:
    """Return the command lines of other processes that contain `marker`."""
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
    ("way", "message"),
    [
        ("abort", r"^crashed by SIGABRT while replaying"),
        ("segfault", r"^crashed by SIGSEGV while replaying"),
        ("kill", r"^killed by SIGKILL while replaying"),
        ("hang", r"^hung: killed after 2 s while (being loaded|replaying)"),
        ("fork-and-hang", r"^hung: killed after 2 s while (being loaded|replaying)"),
        ("refuse", r"^stopped after 20 events: the allocator is out of memory"),
        ("grow", r"^killed when it exceeded the limit of 64.0 MiB"),
        ("leave", r"^ended with status 0 while replaying"),
        ("garbage", r"^wrote 'garbage .* not json' into allocsim's own pipe while replaying"),
        ("forge", r"^wrote '\{\"stage\":\"loading\"\}' into allocsim's own pipe while replaying"),
        ("real-time", r"^crashed by signal 40 while replaying"),
        ("spin", r"^hung: killed after 2 s while (being loaded|replaying)"),
    ],
)
def test_library_that_misbehaves_is_killed_and_described(
    odd_library: Compiler, workload: EventFile, tmp_path: Path, way: str, message: str
) -> None:
    library, before = odd_library(way), sorted(tmp_path.iterdir())
    conditions = Conditions(timeout=2.0 if "hung" in message else 600.0, limit=64 << 20)
    known = children()
    with pytest.raises(SubjectFailed, match=message):
        measure(f"lib:{library}:odd_", "memory", workload, conditions)
    assert set(children()) <= set(known)
    wait_for(lambda: not commands_with(str(library)))  # a killed process may take a moment to end
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.skipif(PURE, reason="threads are replayed by compiled code only")
@pytest.mark.parametrize(
    ("way", "message"),
    [
        ("segfault", "^crashed by SIGSEGV while replaying"),
        ("hang", "^hung: killed after 1 s while"),
    ],
)
def test_threads_of_a_library_that_misbehaves_are_killed(
    odd_library: Compiler, tmp_path: Path, way: str, message: str
) -> None:
    calls = [malloc(number, 5000, number % 4) for number in range(EVENTS)]
    trace = Trace("threads", iter([stream(*calls)]), {"kind": "test"})
    library, known, timeout = odd_library(way), children(), 1.0 if way == "hang" else 600.0
    before, file = sorted(tmp_path.iterdir()), write_events(trace, recorded=True)
    with pytest.raises(SubjectFailed, match=message):
        measure(f"lib:{library}:odd_", "memory", file, Conditions(timeout=timeout))
    file.close()
    assert file.recorded
    assert set(children()) <= set(known)
    wait_for(lambda: not commands_with(str(library)))  # a killed process may take a moment to end
    assert sorted(tmp_path.iterdir()) == before


def test_output_of_a_library_is_not_taken_for_a_message(
    odd_library: Compiler, workload: EventFile
) -> None:
    said = measure(f"lib:{odd_library('chatter')}:odd_", "memory", workload, Conditions(later=0.0))
    assert said.memory is not None
    assert said.memory.peak >= EVENTS * 5000


def test_library_changes_the_events_of_no_other_row(
    odd_library: Compiler, workload: EventFile
) -> None:
    before = os.pread(workload.descriptor, 1 << 20, 0)
    with contextlib.suppress(SubjectFailed):
        measure(f"lib:{odd_library('tamper')}:odd_", "memory", workload, Conditions(later=0.0))
    assert os.pread(workload.descriptor, 1 << 20, 0) == before


@pytest.mark.parametrize(
    "line",
    [
        b"not json",
        b"\xff\xfe",
        b"[" * 5000,
        b"5",
        b"{}",
        b'{"stage":"nonsense"}',
        b'{"stage":"loading"}',
        b'{"stage":"compiling"}',
        b'{"stage":"done"}',
        b'{"stage":"done","times":{"cold":1,"runs":[],"batch":1,"p50":null,"p99":null,"p999":null,'
        b'"clock":1}}',
        b"x" * (MAX_MESSAGE + 1),
    ],
    ids=lambda line: line[:30].decode(errors="replace"),
)
def test_message_that_is_not_due_fails_the_subject(line: bytes, tmp_path: Path) -> None:
    reading, writing = os.pipe()
    sent = b'{"stage":"loading"}\n{"stage":"ready"}\n' + line + b"\n"
    script = tmp_path / "script.py"
    script.write_text(
        f"import os\nleft = {sent!r}\nwhile left: left = left[os.write({writing}, left) :]"
    )
    sizes: dict[str, Any] = dict.fromkeys(("touch", "available", "reserve"), 0)
    request = Request(
        subject="lib:glibc", measure="times", events=-1, messages=writing, limit=1 << 40, **sizes
    )
    with (
        os.fdopen(reading, "rb"),
        os.fdopen(writing, "wb") as answer,
        (tmp_path / "errors").open("w+b") as errors,
        running(script_command(str(script)), stderr=errors, pass_fds=(writing,)) as child,
    ):
        answer.close()
        with pytest.raises(SubjectFailed, match=r"^wrote '.*' into allocsim's own pipe while "):
            _Watcher(child, request, 900).result(reading, errors)


def test_error_of_the_linker_is_reported(tmp_path: Path, workload: EventFile) -> None:
    path = tmp_path / "libtext.so"
    path.write_text("no library")
    with pytest.raises(SubjectFailed, match=r"libtext\.so: (file too short|invalid ELF header)"):
        measure(f"lib:{path}", "memory", workload, Conditions(later=0.0))


@pytest.mark.parametrize(
    ("subject", "available", "message"),
    [
        (
            "grow",
            64 << 20,
            r"^killed when it exceeded the limit of the 48\.0 MiB that a run",
        ),
        (
            "go2008",
            300_000,
            r"^(exceeded|.* would exceed) the limit .* limit is the 219\.7 KiB that a",
        ),
        ("go2008", 1000, r"^the driver's tables need 1\.4 KiB"),
    ],
    ids=["library", "design", "tables"],
)
def test_subject_without_a_limit_is_bounded_by_the_available_memory(
    odd_library: Compiler, workload: EventFile, subject: str, available: int, message: str
) -> None:
    name = f"lib:{odd_library(subject)}:odd_" if subject == "grow" else subject
    with pytest.raises(SubjectFailed, match=message):
        measure(name, "memory", workload, Conditions(available=lambda: available))


def test_design_stops_when_it_passes_the_limit(
    event_file: Callable[..., EventFile],
) -> None:
    workload = event_file(stream(*(malloc(number, 1 << 20) for number in range(8))))
    conditions = Conditions(limit=4 << 20, touch=Touch.NONE)
    with pytest.raises(
        SubjectFailed, match=r"exceeded the limit of .* with a footprint of .* after [1-4] events"
    ):
        measure("go2008", "memory", workload, conditions)


def test_child_dies_with_its_parent(odd_library: Compiler, tmp_path: Path) -> None:
    """The child ends even if the parent is killed and cannot clean up."""
    library = odd_library("hang")
    code = (
        "import sys\n"
        "from allocsim.jobs import make_generator\n"
        "from allocsim.benchmark.comparison import Conditions, measure\n"
        "from allocsim.benchmark.event_file import write_events\n"
        "trace = make_generator({'kind': 'random', 'ops': 400, 'slots': 20, 'size': "
        "{'distribution': 'fixed', 'bytes': 100}}).trace('x')\n"
        "measure(sys.argv[1], 'memory', write_events(trace), Conditions(later=0.0))\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code, f"lib:{library}:odd_"], env=ENVIRONMENT)
    try:
        wait_for(lambda: any("benchmark.child" in text for text in commands_with(str(library))))
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        wait_for(lambda: not commands_with(str(library)))
    finally:
        parent.kill()
        parent.wait()


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait for a condition; fail after ten minutes."""
    deadline = time.monotonic() + 600
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
