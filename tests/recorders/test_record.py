"""`allocsim record`: recording does not change what a program does; its trace can be replayed."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from allocsim import Heap
from allocsim.core.jit import PURE
from allocsim.events import Op
from allocsim.player import Options, replay_trace
from allocsim.recorders import RECORDERS
from allocsim.traces import open_trace
from tests.call_sites.stacks import stacks_of
from tests.cli.running import Ended, command, default_signals
from tests.conftest import RESERVE
from tests.recorders.conftest import TIMEOUT, Record, recording
from tests.recorders.requirements import compiled, require
from tests.traces.recordings import events_of

PYTHON = shutil.which("python3", path="/usr/bin") or sys.executable

PRELOADED = [recorder.name for recorder in RECORDERS if recorder.name != "memray"]


def allocations(path: Path) -> int:
    """Count the objects that a trace allocates."""
    chunks = open_trace(str(path)).chunks
    return sum(int((chunk.op <= Op.MEMALIGN).sum()) for chunk in chunks)


SQL = (
    "with recursive c(x) as (select 1 union all select x+1 from c where x<50) select sum(x) from c"
)


@pytest.mark.parametrize("name", PRELOADED)
def test_recording_of_sqlite_is_replayed(record: Record, tmp_path: Path, name: str) -> None:
    require(name, "sqlite3")
    ended = record("--with", name, "--", "sqlite3", ":memory:", SQL)
    assert (ended.status, ended.out) == (0, "1275\n"), ended.err
    assert f"recording with {name}: " in ended.err
    with Heap(reserve=RESERVE) as heap:
        trace = open_trace(str(tmp_path / "place" / "sqlite3.allocsim"))
        profile = replay_trace(heap, trace, Options(verify=True, every=1000))
    assert profile.events > 500
    assert profile.peak_live > 50_000


EVERYTHING = r"""
import os, sys
for _ in range(3):
    child = os.fork()
    if child == 0:
        blocks = [bytes(5000) for _ in range(%d)]
        os._exit(0)
    os.waitpid(child, 0)
blocks = [bytes(7001) for _ in range(500)]
sys.stdout.buffer.write(sys.stdin.buffer.read())
sys.stderr.buffer.write(b"to \xff stderr\n")
sys.exit(7)
"""
"""Python code that forks, allocates, and copies its input to its output."""

NOISE = bytes(range(256)) * 300


@pytest.fixture(scope="module", params=PRELOADED)
def everything(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Ended, Any]:
    """The outcome of a recording of EVERYTHING and the events of its trace, for each recorder."""
    require(request.param, PYTHON)
    program = (PYTHON, "-S", "-c", EVERYTHING % (200 if PURE else 3000))
    directory = tmp_path_factory.mktemp(request.param)
    with recording(directory / "place") as record:
        given = ("--with", request.param, "-o", "out", "--", *program)
        ended = record(*given, stdin=None, input=NOISE)
    return ended, events_of(open_trace(str(directory / "place" / "out")))


def test_input_output_and_status_pass_through_unchanged(everything: tuple[Ended, Any]) -> None:
    ended, events = everything
    assert ended.status == 7
    assert os.fsencode(ended.out) == NOISE
    lines = [line for line in ended.err.splitlines() if not line.startswith("allocsim: ")]
    assert [os.fsencode(line) for line in lines] == [b"to \xff stderr"]
    assert (events.op <= Op.MEMALIGN).sum() >= 500


def test_calls_of_children_are_dropped(everything: tuple[Ended, Any]) -> None:
    requests = everything[1].request
    assert ((requests > 5000) & (requests < 5100)).sum() < 100, "the children's"
    assert ((requests > 7001) & (requests < 7100)).sum() >= 500, "its own"


@pytest.mark.parametrize("name", PRELOADED)
def test_killed_program_exits_with_128_plus_the_signal(record: Record, name: str) -> None:
    require(name, PYTHON)
    kill_itself = "import os; x = [bytes(900) for _ in range(500)]; os.kill(os.getpid(), 9)"
    ended = record("--with", name, "-o", "out", "--", PYTHON, "-S", "-c", kill_itself)
    assert ended.status == 137
    assert "was killed by SIGKILL" in ended.err
    assert "wrote out: " in ended.err


@pytest.mark.parametrize("name", PRELOADED)
def test_interrupt_goes_to_the_program_and_its_trace_is_written(
    record: Record, tmp_path: Path, name: str
) -> None:
    require(name, PYTHON)
    work = "x = [bytes(900) for _ in range(500)]"
    # heaptrack's thread may receive the signal. Then Python's handler would not wake signal.pause.
    default = "import signal; signal.signal(signal.SIGINT, signal.SIG_DFL)"
    waiting = f"{default}; {work}; print(1, flush=True); signal.pause()"
    with subprocess.Popen(
        command("record", "--with", name, "-o", "out", "--", PYTHON, "-S", "-c", waiting),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=record.place,
        env=record.environment,
        preexec_fn=default_signals,
        start_new_session=True,  # no terminal: only allocsim gets the signal
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"1\n"
        child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=TIMEOUT)
    assert child.returncode == 130, err
    assert b"was killed by SIGINT" in err or b"exited with status 130" in err
    assert allocations(tmp_path / "place" / "out") >= 500
    record.require_clean()


def test_program_inherits_open_files(record: Record, tmp_path: Path) -> None:
    require("heaptrack", PYTHON)
    with (tmp_path / "third").open("w") as third:
        os.set_inheritable(third.fileno(), True)
        script = f"import os; os.write({third.fileno()}, b'hello')"
        ended = record("--with", "heaptrack", PYTHON, "-S", "-c", script, close_fds=False)
    assert ended.status == 0
    assert (tmp_path / "third").read_text() == "hello"


def test_memray_records_python(record: Record, tmp_path: Path) -> None:
    require("memray", sys.executable, "-c", "")
    program = (sys.executable, "-X", "utf8", "-c", "print(len([bytes(9000) for _ in range(300)]))")
    ended = record("--with", "memray", "-o", "out", "--", *program)
    assert (ended.status, ended.out) == (0, "300\n")
    assert allocations(tmp_path / "place" / "out") >= 300


@pytest.mark.parametrize("options", [(), ("--sites",)])
def test_lines_of_python_are_in_the_trace_if_sites_are_requested(
    record: Record, tmp_path: Path, options: tuple[str, ...]
) -> None:
    script = tmp_path / "remember.py"
    script.write_text("def remember():\n    return bytes(123457)\n\nkept = remember()\n")
    require("memray", sys.executable, str(script))
    ended = record("--with", "memray", *options, "-o", "out", "--", sys.executable, str(script))
    assert ended.status == 0, ended.err
    with open_trace(str(tmp_path / "place" / "out"), sites=True) as trace:
        assert (trace.sites is not None) == bool(options)
        if options:
            (stack,) = [stack for _, request, stack in stacks_of(trace) if request > 123456]
            assert stack[0].label == "remember remember.py:2"


@pytest.mark.parametrize("recorder", ["mtrace", "lttng"])
def test_caller_is_recorded_if_sites_are_requested(
    record: Record, tmp_path: Path, recorder: str
) -> None:
    require(recorder, "true")
    source = "#include <stdlib.h>\nint main(void) {\n    free(malloc(123457));\n    return 0;\n}\n"
    program = compiled(tmp_path, "own", source, "-g", "-O0")
    ended = record("--with", recorder, "--sites", "-o", "out", "--", str(program))
    assert ended.status == 0, ended.err
    assert "allocsim explain out" in ended.err
    with open_trace(str(tmp_path / "place" / "out"), sites=True) as trace:
        (stack,) = [stack for _, request, stack in stacks_of(trace) if request == 123457]
        assert [(frame.function, frame.line) for frame in stack] == [("main", 3)]
    assert "skipped" not in ended.err


def test_each_child_has_a_file_of_its_own(record: Record, tmp_path: Path) -> None:
    require("lttng", "sh")
    line = "/bin/echo a | cat; exit 3"
    ended = record("--with", "lttng", "--children", "--", "sh", "-c", line)
    assert (ended.status, ended.out) == (3, "a\n"), ended.err
    written = {path.name for path in (tmp_path / "place").glob("*.allocsim")}
    assert len(written) == 3
    assert "sh.allocsim" in written
    assert "select a process with --process" not in ended.err
    assert all(f"wrote {name}: " in ended.err for name in written)
    assert all(allocations(tmp_path / "place" / name) > 10 for name in written)


def test_note_on_children_names_the_option_children(record: Record) -> None:
    require("lttng", "sh")
    ended = record("--with", "lttng", "--", "sh", "-c", "/bin/echo; true")
    assert ended.status == 0, ended.err
    assert "--children writes a trace of each process" in ended.err


def test_program_that_cannot_be_recorded_is_refused_and_keeps_the_old_file(
    record: Record, tmp_path: Path
) -> None:
    """A static program does not load a preloaded library."""
    require("heaptrack", "cc")
    place = tmp_path / "place"
    (place / "static.c").write_text("int main(void) { return 5; }\n")
    made = subprocess.run(["cc", "-static", "-o", "static", "static.c"], cwd=place, check=False)
    if made.returncode != 0:
        pytest.skip("the compiler cannot link statically")
    (place / "out").write_text("old")
    ended = record("--with", "heaptrack", "--force", "-o", "out", "--", "./static")
    assert ended.status == 3
    assert "'./static' is statically linked" in ended.err
    assert (place / "out").read_text() == "old"
