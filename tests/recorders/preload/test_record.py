"""`allocsim record` with allocsim's own recorder (preload), which is the default."""

import os
import platform
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from allocsim import Heap
from allocsim.events import Op
from allocsim.player import Options, replay_trace
from allocsim.recorders import heaptrack, preload
from allocsim.recorders.base import Request
from allocsim.recorders.program import Program
from allocsim.traces import open_trace
from tests.conftest import RESERVE
from tests.recorders.conftest import Record
from tests.recorders.requirements import compiled as compiled_program


def test_recording_has_an_account_and_can_be_verified(
    record: Record, tmp_path: Path, program: str
) -> None:
    ended = record("-o", "out", "--", program, "pool")
    assert (ended.status, ended.out) == (0, ""), ended.err
    assert "recording with preload: " in ended.err
    census = r"41 threads \(40 ended\); [\d,]+ calls: malloc [\d,]+, calloc [\d,]+, free [\d,]+"
    assert re.search(census, ended.err)
    trace = open_trace(str(tmp_path / "place" / "out"))
    source = trace.description["source"]
    assert source["calls"]["malloc"] >= 2000
    assert source["times"][0][0] == 0
    assert "worker" in source["thread_names"].values()
    assert source["sample_fields"] == ["ns", "anonymous", "cpu_ns"]
    with Heap(reserve=RESERVE) as heap:
        profile = replay_trace(heap, trace, Options(verify=True, every=1000))
    assert profile.events >= 4000


def test_only_the_calls_of_the_program_are_recorded(record: Record, tmp_path: Path) -> None:
    """A recording by Heaptrack also has an object of 72,704 bytes that libstdc++ allocates."""
    place = tmp_path / "place"
    source = "#include <stdlib.h>\nint main(void) { free(malloc(100)); return 0; }\n"
    compiled_program(place, "tiny", source, "-fno-builtin")
    ended = record("-o", "out", "--", "./tiny")
    assert ended.status == 0, ended.err
    (chunk,) = open_trace(str(place / "out")).chunks
    assert (chunk.op.tolist(), chunk.request[0]) == ([Op.MALLOC, Op.FREE], 100)


@pytest.mark.parametrize("name", ["sealed_fork", "starved_fork"])
def test_forked_child_that_cannot_be_recorded_runs_on(
    record: Record, program: str, name: str
) -> None:
    ended = record("-o", "out", "--", program, name)
    assert ended.status == 0, ended.err


HOLDS = """\
#include <stdlib.h>
static void *volatile kept;
static inline __attribute__((always_inline)) void hold(int size)
{
    kept = malloc(size);
}
int main(void)
{
    hold(5000);
    return 0;
}
"""


@pytest.mark.parametrize("recorder", ["preload", "heaptrack"])
def test_sites_lead_to_the_line_that_allocates(
    record: Record, tmp_path: Path, recorder: str
) -> None:
    """The function is inlined, so only the debug information has its frame."""
    if recorder == "heaptrack" and heaptrack.missing(Request(Program(("true",), "/bin/true"))):
        pytest.skip("heaptrack is not installed")
    place = tmp_path / "place"
    (place / "holds.c").write_text(HOLDS)
    subprocess.run(["cc", "-O2", "-g", "-o", "holds", "holds.c"], cwd=place, check=True)
    ended = record("--sites", "--with", recorder, "-o", "out", "--", "./holds")
    assert ended.status == 0, ended.err
    trace = open_trace(str(place / "out"), sites=True)
    assert trace.sites is not None
    (chunk,) = trace.chunks
    (site,) = trace.sites.of(chunk)[chunk.request == 5000].tolist()
    assert trace.sites.table.describe(site, callers=1) == "hold holds.c:5 < main holds.c:9"


def test_settings_of_an_outer_recording_have_no_effect(
    record: Record, tmp_path: Path, program: str
) -> None:
    """As in `allocsim record --sites -- sh -c 'allocsim record -o out -- PROGRAM'`."""
    outer = record.environment | {"ALLOCSIM_RECORD_SITES": "1"}
    ended = record("-o", "out", "--", program, "pool", env=outer)
    assert ended.status == 0, ended.err
    assert open_trace(str(tmp_path / "place" / "out"), sites=True).sites is None


@pytest.mark.parametrize(
    ("version", "is_missing"),
    [("2.34", True), ("2.35", False), ("2.41", False), ("3.0", False), ("", True)],
)
def test_stacks_need_a_c_library_that_finds_objects(
    monkeypatch: pytest.MonkeyPatch, version: str, is_missing: bool
) -> None:
    monkeypatch.setattr(platform, "libc_ver", lambda: ("glibc" if version else "", version))
    monkeypatch.setattr(preload, "why_no_compiler", lambda: None)
    request = Request(Program(("true",), "/bin/true"), sites=True)
    reason = preload.missing(request)
    assert reason == ("--sites needs glibc 2.35 or newer" if is_missing else None)
    assert preload.missing(replace(request, sites=False)) is None


def test_daemon_is_recorded_until_its_end_with_wait(
    record: Record, tmp_path: Path, program: str
) -> None:
    ended = record("--wait", "--children", "-o", "out", "--", program, "daemons")
    assert ended.status == 0, ended.err
    assert "still running" not in ended.err
    (child,) = (tmp_path / "place").glob("out.programs.*.allocsim")
    assert open_trace(str(child)).length == 40


@pytest.mark.parametrize(
    ("name", "lengths"), [("idles", [20, 20, 100]), ("executes", [100])], ids=["fork", "vfork"]
)
def test_processes_of_a_program_without_calls_are_recorded(
    record: Record, tmp_path: Path, program: str, name: str, lengths: list[int]
) -> None:
    ended = record("--wait", "--children", "-o", "out", "--", program, name)
    assert ended.status == 0, ended.err
    written = [*(tmp_path / "place").glob("out*")]
    assert sorted(open_trace(str(path)).length or 0 for path in written) == lengths
    calls = f"{sum(lengths)} calls of other processes"
    assert f"'out' was not written: no call of programs was recorded, only {calls}" in ended.err
    assert any(f"trace info {path.name}`" in ended.err for path in written)


def test_last_program_of_an_exec_is_the_trace(record: Record, tmp_path: Path, program: str) -> None:
    ended = record("--children", "-o", "out", "--", "env", program, "exits")
    assert ended.status == 0, ended.err
    assert open_trace(str(tmp_path / "place" / "out")).length == 100
    assert [*(tmp_path / "place").glob("out.env.*.1.allocsim")], ended.err


def test_program_without_the_preload_is_a_loss(record: Record, program: str) -> None:
    ended = record("-o", "out", "--", "env", "-i", program, "exits")
    assert ended.status == 0, ended.err
    loss = "programs not recorded, because LD_PRELOAD was removed from their environment: programs"
    assert f"incomplete: {loss}" in ended.err


def test_address_space_limit_is_a_loss_of_the_trace(
    record: Record, tmp_path: Path, program: str
) -> None:
    ended = record("-o", "out", "--", program, "no_space")
    assert ended.status == 0, ended.err
    assert "calls not recorded: no address space (ulimit -v)" in ended.err
    assert open_trace(str(tmp_path / "place" / "out")).losses


def test_recording_without_room_for_a_call_says_why(record: Record, program: str) -> None:
    """The first file of a recording has a few KiB, and the second one has 128 KiB."""
    ended = record("-o", "out", "--", "sh", "-c", f"ulimit -f 100; exec {program} exits")
    assert ended.status == 2
    assert ended.err.count("calls not recorded: the file-size limit of the program") == 1
    assert "static" not in ended.err


def test_static_program_is_refused_before_it_runs(record: Record, tmp_path: Path) -> None:
    place = tmp_path / "place"
    compiled_program(place, "static", "int main(void) { return 5; }\n", "-static")
    ended = record("--with", "preload", "-o", "out", "--", "./static")
    assert ended.status == 3
    assert "is statically linked, so no recorder can be preloaded" in ended.err


def test_without_a_compiler_the_next_recorder_is_used_and_the_reason_reported(
    record: Record, tmp_path: Path
) -> None:
    """PATH has one directory, which has no cc."""
    path = tmp_path / "bin"
    path.mkdir()
    for name in ("true", "heaptrack"):
        found = subprocess.run(["which", name], capture_output=True, text=True, check=False)
        if not found.stdout:
            pytest.skip(f"{name} is not installed")
        (path / name).symlink_to(found.stdout.strip())
    environment = {**record.environment, "PATH": str(path)}
    ended = record("-o", "out", "--", "true", env=environment)
    reason = "preload, which records more, cannot be used: no C compiler is installed: apt install"
    assert f"{reason} gcc libc6-dev" in ended.err


def test_trace_is_the_same_without_a_cache_directory(
    record: Record, tmp_path: Path, program: str
) -> None:
    """The home directory is a file, so no cache can be made in it."""
    (tmp_path / "home").write_text("")
    environment = {**record.environment, "HOME": str(tmp_path / "home")}
    environment.pop("NUMBA_CACHE_DIR", None)
    environment.pop("XDG_CACHE_HOME", None)
    ended = record("-o", "out", "--", program, "exits", env=environment | {"TMPDIR": "/tmp"})
    assert ended.status == 0, ended.err
    assert open_trace(str(tmp_path / "place" / "out")).length == 100


def test_directory_of_a_long_path_is_an_error(record: Record, tmp_path: Path) -> None:
    place = tmp_path / ("x" * 200) / ("y" * 200)
    place.mkdir(parents=True)
    ended = record("--with", "preload", "--", "true", env={**os.environ, "TMPDIR": str(place)})
    assert ended.status == 3
    assert "is too long; set TMPDIR to a shorter path" in ended.err
