"""`allocsim record`: the program runs as ever, and a trace of it is left that can be replayed."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from allocsim import Heap
from allocsim.core.jit import PURE
from allocsim.events import Op
from allocsim.player import Options, play
from allocsim.recorders import RECORDERS
from allocsim.recorders.program import find_program
from allocsim.traces import open_trace
from tests.cli.running import ENVIRONMENT, PATIENCE, Ended, command, heed_by_default
from tests.conftest import RESERVE
from tests.traces.recordings import events_of

PYTHON = shutil.which("python3", path="/usr/bin") or sys.executable

PRELOADED = [recorder.name for recorder in RECORDERS if recorder.name != "memray"]

Record = Callable[..., Ended]


@pytest.fixture
def record(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Record]:
    """Run `allocsim record` in an empty directory, with a temporary directory of its own."""
    parameters = getattr(request.node, "callspec", None)
    with recording(tmp_path, parameters and parameters.params.get("name")) as call:
        yield call


@contextmanager
def recording(directory: Path, name: str | None) -> Iterator[Record]:
    """A call that runs `allocsim record` in directory/place; `name` is the recorder's, if known."""
    place, temporary = directory / "place", directory / "temporary"
    for needed in (place, temporary):
        needed.mkdir()

    def call(*arguments: str, **options: object) -> Ended:
        given = {"stdin": subprocess.DEVNULL, "env": ENVIRONMENT | {"TMPDIR": str(temporary)}}
        child = subprocess.run(
            command("record", *arguments),
            capture_output=True,
            cwd=place,
            check=False,
            timeout=300,
            **(given | options),
        )
        assert list(temporary.iterdir()) == [], "something was left behind"
        assert _daemons_of(str(temporary)) == [], "a daemon was left behind"
        return Ended(child.returncode, os.fsdecode(child.stdout), os.fsdecode(child.stderr))

    with socket.socket(socket.AF_UNIX) as lock:
        if name == "lttng":
            _wait_for(lock)
        yield call


def _wait_for(lock: socket.socket) -> None:
    """Be the only worker that records with LTTng: root's does it for one at a time."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            lock.bind("\0allocsim-tests-of-recording")
        except OSError:
            assert time.monotonic() < deadline, "another worker records for too long"
            time.sleep(0.1)
        else:
            return


def require(name: str, *program: str) -> None:
    """Skip the test where a recorder cannot record a program."""
    if shutil.which(program[0]) is None:
        pytest.skip(f"{program[0]} is not installed")
    (recorder,) = [recorder for recorder in RECORDERS if recorder.name == name]
    missing = recorder.lacks(find_program(program))
    if missing is not None:
        pytest.skip(missing)


def allocations(path: Path) -> int:
    """How many objects a trace allocates."""
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
        profile = play(heap, trace, Options(verify=True, every=1000))
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
"""Python that forks, allocates, and gives back what it is given."""

NOISE = bytes(range(256)) * 300


@pytest.fixture(scope="module", params=PRELOADED)
def everything(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Ended, Any]:
    """How a recording of EVERYTHING ended, and the events of its trace; each recorder once."""
    require(request.param, PYTHON)
    program = (PYTHON, "-S", "-c", EVERYTHING % (200 if PURE else 3000))
    directory = tmp_path_factory.mktemp(request.param)
    with recording(directory, request.param) as record:
        given = ("--with", request.param, "-o", "out", "--", *program)
        ended = record(*given, stdin=None, input=NOISE)
    return ended, events_of(open_trace(str(directory / "place" / "out")))


def test_everything_passes_through_byte_for_byte(everything: tuple[Ended, Any]) -> None:
    ended, events = everything
    assert ended.status == 7
    assert os.fsencode(ended.out) == NOISE
    lines = [line for line in ended.err.splitlines() if not line.startswith("allocsim: ")]
    assert [os.fsencode(line) for line in lines] == [b"to \xff stderr"]
    assert (events.op <= Op.MEMALIGN).sum() >= 500


def test_children_are_left_out(everything: tuple[Ended, Any]) -> None:
    requests = everything[1].request
    assert ((requests > 5000) & (requests < 5100)).sum() < 100, "the children's"
    assert ((requests > 7001) & (requests < 7100)).sum() >= 500, "its own"


@pytest.mark.parametrize("name", PRELOADED)
def test_program_that_is_killed_gives_128_and_the_signal(record: Record, name: str) -> None:
    require(name, PYTHON)
    suicide = "import os; x = [bytes(900) for _ in range(500)]; os.kill(os.getpid(), 9)"
    ended = record("--with", name, "-o", "out", "--", PYTHON, "-S", "-c", suicide)
    assert ended.status == 137
    assert "was ended by SIGKILL" in ended.err
    assert "wrote out: " in ended.err


@pytest.mark.parametrize("name", PRELOADED)
def test_interrupt_is_the_programs_and_what_it_did_until_then_is_kept(
    record: Record, tmp_path: Path, name: str
) -> None:
    require(name, PYTHON)
    work = "x = [bytes(900) for _ in range(500)]"
    waiting = f"{work}; print(1, flush=True); import time; time.sleep(99)"
    with subprocess.Popen(
        command("record", "--with", name, "-o", "out", "--", PYTHON, "-S", "-c", waiting),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=tmp_path / "place",
        env=ENVIRONMENT | {"TMPDIR": str(tmp_path / "temporary")},
        preexec_fn=heed_by_default,
        start_new_session=True,  # no terminal: the signal has to be passed on
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"1\n"
        child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=200)
    assert child.returncode == 130, err
    assert b"was ended by SIGINT" in err or b"ended with status 130" in err
    assert allocations(tmp_path / "place" / "out") >= 500
    assert list((tmp_path / "temporary").iterdir()) == []


def test_other_files_of_the_caller_come_through(record: Record, tmp_path: Path) -> None:
    require("heaptrack", PYTHON)
    with (tmp_path / "third").open("w") as third:
        os.set_inheritable(third.fileno(), True)
        script = f"import os; os.write({third.fileno()}, b'hello')"
        ended = record("--with", "heaptrack", PYTHON, "-S", "-c", script, close_fds=False)
    assert ended.status == 0
    assert (tmp_path / "third").read_text() == "hello"


def test_memray_records_python_when_it_is_asked_for(record: Record, tmp_path: Path) -> None:
    require("memray", sys.executable, "-c", "")
    program = (sys.executable, "-X", "utf8", "-c", "print(len([bytes(9000) for _ in range(300)]))")
    ended = record("--with", "memray", "-o", "out", "--", *program)
    assert (ended.status, ended.out) == (0, "300\n")
    assert allocations(tmp_path / "place" / "out") >= 300


REFUSED: dict[str, tuple[list[str], int, str]] = {
    "no such command": (["--", "no-such-program"], 2, "'no-such-program' is no command here"),
    "no such file": (["--", "./gone"], 2, "'./gone' cannot be run: there is no such file"),
    "no program": ([], 2, "Missing argument 'PROGRAM...'"),
    "unknown recorder": (["--with", "gdb", "--", "true"], 2, "'gdb' is not one of"),
    "memray of no Python": (["--with", "memray", "--", "true"], 3, "memray records Python only"),
    "no directory": (["-o", "gone/out", "--", "touch", "ran"], 2, "there is no directory for it"),
    "directory": (["-o", ".", "--", "touch", "ran"], 2, "is a directory"),
    "other format": (["-o", "x.txt.gz", "--", "touch", "ran"], 2, "end the name with .allocsim"),
}


@pytest.mark.parametrize(("arguments", "status", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_recorded_is_refused_before_it_runs(
    record: Record, tmp_path: Path, arguments: list[str], status: int, message: str
) -> None:
    ended = record(*arguments)
    assert (ended.status, ended.out) == (status, "")
    assert message in ended.err
    assert list((tmp_path / "place").iterdir()) == []


def test_file_that_is_there_is_not_written_over(record: Record, tmp_path: Path) -> None:
    (tmp_path / "place" / "touch.allocsim").write_text("old")
    ended = record("--", "touch", "ran")
    assert ended.status == 2
    assert "'touch.allocsim' is there already: --force writes over it" in ended.err
    assert not (tmp_path / "place" / "ran").exists()
    assert (tmp_path / "place" / "touch.allocsim").read_text() == "old"


def test_file_that_is_not_executable_is_refused(record: Record, tmp_path: Path) -> None:
    (tmp_path / "place" / "script").write_text("#!/bin/sh\n")
    ended = record("--", "./script")
    assert ended.status == 2
    assert "'./script' may not be run: it is not executable" in ended.err


def test_children_are_kept_each_in_a_file_of_its_own(record: Record, tmp_path: Path) -> None:
    require("lttng", "sh")
    line = "/bin/echo a | cat; exit 3"
    ended = record("--with", "lttng", "--children", "--", "sh", "-c", line)
    assert (ended.status, ended.out) == (3, "a\n"), ended.err
    written = {path.name for path in (tmp_path / "place").glob("*.allocsim")}
    assert len(written) == 3
    assert "sh.allocsim" in written
    assert "choose with --process" not in ended.err
    assert all(f"wrote {name}: " in ended.err for name in written)
    assert all(allocations(tmp_path / "place" / name) > 10 for name in written)


def test_note_on_children_names_the_option_that_keeps_them(record: Record) -> None:
    require("lttng", "sh")
    ended = record("--with", "lttng", "--", "sh", "-c", "/bin/echo; true")
    assert ended.status == 0, ended.err
    assert "--children keeps each in a file of its own" in ended.err


def test_program_that_nobody_can_watch_is_an_error_and_keeps_the_old_file(
    record: Record, tmp_path: Path
) -> None:
    """A static program takes no preloaded library."""
    require("heaptrack", "cc")
    place = tmp_path / "place"
    (place / "static.c").write_text("int main(void) { return 5; }\n")
    made = subprocess.run(["cc", "-static", "-o", "static", "static.c"], cwd=place, check=False)
    if made.returncode != 0:
        pytest.skip("the compiler links nothing statically here")
    (place / "out").write_text("old")
    ended = record("--with", "heaptrack", "--force", "-o", "out", "--", "./static")
    assert ended.status == 5  # the program's own
    assert "static ended with status 5" in ended.err
    assert "no call of static was recorded" in ended.err
    assert (place / "out").read_text() == "old"


def _daemons_of(place: str) -> list[str]:
    """The processes whose environment names a workplace below `place`."""
    found = []
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            environment = (directory / "environ").read_bytes()
        except OSError:
            continue
        if f"LTTNG_HOME={place}".encode() in environment:
            found.append(directory.name)
    return found
