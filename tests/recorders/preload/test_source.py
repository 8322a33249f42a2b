"""The recorder's C source: warnings, data races, and where the compiled library is kept."""

import os
import platform
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from allocsim.events import Op
from allocsim.recorders.base import RecorderFailed
from allocsim.recorders.compiler import SHARED
from allocsim.recorders.preload import library as module
from allocsim.recorders.preload.clock import is_tsc_trusted
from allocsim.recorders.preload.library import LIBRARIES, OPTIONS, SOURCE, recorder_library
from allocsim.trace_stats import collect_stats
from allocsim.traces.preload.images import find_images
from allocsim.traces.preload.layout import CHUNK, SLACK
from allocsim.traces.preload.trace import ImageTrace, open_image
from tests.recorders.preload.running import HERE, calls_of


@pytest.mark.parametrize("compiler", ["gcc", "clang", "aarch64-linux-gnu-gcc"])
def test_source_compiles_without_a_warning(tmp_path: Path, compiler: str) -> None:
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    strict = ("-Wall", "-Wextra", "-Werror")
    command = (compiler, *SHARED, *OPTIONS, *strict, "-o", tmp_path / "x.so", SOURCE, *LIBRARIES)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def _compiled(directory: Path, name: str) -> Path:
    """Compile the program `name`, which includes the recorder's source; return its path."""
    program = directory / name
    flags = ("-std=gnu11", "-O1", "-w", "-fno-builtin", "-I", SOURCE.parent)
    command = ("cc", *flags, "-o", program, HERE / f"{name}.c", *LIBRARIES)
    subprocess.run(command, check=True)
    return program


def _run(
    program: Path, recordings: Path, names: list[str], *arguments: str
) -> subprocess.CompletedProcess[str]:
    """Run a program that contains the recorder; `names` are the recorder's settings that are on."""
    recordings.mkdir()
    options = {f"ALLOCSIM_RECORD_{name}": "1" for name in names}
    environment = {**os.environ, "ALLOCSIM_RECORD": str(recordings), **options}
    command = [str(program), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def _trace(recordings: Path) -> ImageTrace:
    """Open the trace of the one program in a directory of recordings."""
    (image,) = find_images(recordings)
    return open_image(image, [image], 1.0)


@pytest.mark.compiled
@pytest.mark.parametrize("names", [["TSC"], [], ["TSC", "SITES"]], ids=["tsc", "ns", "sites"])
def test_threads_that_share_lanes_do_not_race(tmp_path: Path, names: list[str]) -> None:
    """ThreadSanitizer is on. Objects go from thread to thread, so every call must be in order."""
    program = tmp_path / "race"
    flags = ("-std=gnu11", "-O1", "-w", "-fsanitize=thread", "-DROUND_COUNT=2", "-I")
    command = ("cc", *flags, SOURCE.parent, "-o", program, HERE / "race.c", *LIBRARIES)
    if subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("the compiler has no ThreadSanitizer")
    done = _run(program, tmp_path / "recordings", names)
    if "unexpected memory mapping" in done.stderr:
        pytest.skip("ThreadSanitizer does not run on this kernel")
    assert (done.returncode, done.stderr) == (0, "")
    trace = _trace(tmp_path / "recordings")
    stats = collect_stats(trace)
    assert calls_of(trace)["malloc"] == calls_of(trace)["realloc"] == stats.allocations
    assert trace.reader.ended == 2 * 8
    assert {*trace.dropped} <= {"free of NULL"}
    assert stats.live_objects == 0


@pytest.mark.compiled
def test_block_is_freed_before_another_thread_gets_it(tmp_path: Path) -> None:
    """The stamp of a free is earlier than that of the next allocation of the block.

    If stamps were the bare results of rdtsc, one of three runs of 500,000 calls would fail.
    """
    if not is_tsc_trusted():
        pytest.skip("the time stamp counter of this machine is not trusted")
    program = _compiled(tmp_path, "handover")
    done = _run(program, tmp_path / "recordings", ["TSC"])
    assert (done.returncode, done.stderr) == (0, "")
    trace = _trace(tmp_path / "recordings")
    assert collect_stats(trace).allocations > 1
    assert {*trace.dropped} <= {"failed call", "free of NULL"}, "a thread found no block in time"


def test_calls_of_two_threads_are_in_order_even_if_the_clock_stands_still(tmp_path: Path) -> None:
    program = _compiled(tmp_path, "frozen")
    done = _run(program, tmp_path / "recordings", [])
    assert (done.returncode, done.stderr) == (0, "")
    parent, child = (images := find_images(tmp_path / "recordings"))
    trace, forked = (open_image(image, images, 1.0) for image in (parent, child))
    stats = collect_stats(trace)
    assert trace.dropped == {"failed call": 2 * 25, "free of NULL": 1000}
    assert stats.operations["REALLOC"] == 25
    assert stats.live_objects == 0
    assert collect_stats(forked).live_objects == 0
    assert not forked.dropped, "the child has inherited the block that it frees"


def test_at_most_seven_calls_in_a_row_and_one_after_a_sample_have_an_early_stamp(
    tmp_path: Path,
) -> None:
    """The program writes a time into the header, as the watching process does at each sample."""
    if not is_tsc_trusted():
        pytest.skip("the time stamp counter of this machine is not trusted")
    program = _compiled(tmp_path, "lagging")
    done = _run(program, tmp_path / "recordings", ["TSC"])
    early, with_time, without = map(int, done.stdout.split())
    assert max(early, with_time) <= 2, "a time is rounded down to a multiple of 8 ticks"
    assert without == 8


@pytest.mark.compiled
def test_program_killed_while_a_window_is_cleared_loses_nothing(tmp_path: Path) -> None:
    program = _compiled(tmp_path, "emptied")
    done = _run(program, tmp_path / "recordings", ["TSC"])
    assert done.returncode == -signal.SIGKILL
    trace = _trace(tmp_path / "recordings")
    requests = [e.request for chunk in trace.chunks for e in chunk.copy() if e.op == Op.MALLOC]
    assert len(requests) > 2 * (CHUNK - 2 * SLACK) // 16, "two windows were full"
    assert requests == [i % 1000 for i in range(1, len(requests) + 1)]
    assert trace.reader.missing == trace.reader.damaged == 0


@pytest.mark.compiled
@pytest.mark.parametrize(
    ("signals", "names"),
    [
        ("fills", ["TSC"]),
        ("fills", ["TSC", "SITES"]),
        ("hands_over", ["TSC"]),
        ("leaves", ["TSC", "SITES"]),
        ("rebases", ["TSC"]),
        ("nests", ["TSC"]),
        ("takes", ["TSC"]),
    ],
    ids=["fills", "fills_sites", "hands_over", "leaves_sites", "rebases", "nests", "takes"],
)
def test_signal_handler_may_run_at_each_instruction_of_a_call(
    tmp_path: Path, signals: str, names: list[str]
) -> None:
    """The handler uses up the room, leaves the lane, changes the base, fills two windows, or lets
    another thread take the region away. Each later stamp must then be the region's last."""
    if platform.machine() != "x86_64":
        pytest.skip("the program sets a flag of x86 processors")
    program = _compiled(tmp_path, "interrupted")
    done = _run(program, tmp_path / "recordings", names, signals)
    assert (done.returncode, done.stderr) == (0, "")
    trace = _trace(tmp_path / "recordings")
    stats = collect_stats(trace)
    assert stats.live_objects == 0 or signals == "fills", "each block is freed at its address"
    assert {*trace.dropped} <= {"free of NULL"} or signals == "fills"
    lost = sum(trace.reader.image.lost.values())
    assert sum(calls_of(trace).values()) + lost == int(done.stdout)
    assert (lost > 0) == (signals == "fills")
    assert trace.reader.missing == trace.reader.damaged == 0


@pytest.mark.compiled
@pytest.mark.parametrize("signals", ["forks", "forks_shared"])
def test_signal_handler_may_fork_at_each_instruction_of_a_call(
    tmp_path: Path, signals: str
) -> None:
    """The child goes on with the call, without the parent's window."""
    if platform.machine() != "x86_64":
        pytest.skip("the program sets a flag of x86 processors")
    program = _compiled(tmp_path, "interrupted")
    done = _run(program, tmp_path / "recordings", ["TSC"], signals)
    assert (done.returncode, done.stderr) == (0, "")
    images = find_images(tmp_path / "recordings")
    trace = open_image(images[0], images, 1.0)
    stats = collect_stats(trace)
    assert sum(calls_of(trace).values()) == int(done.stdout)
    assert stats.live_objects == trace.reader.missing == trace.reader.damaged == 0
    for image in images[1:]:
        trace = open_image(image, images, 1.0)
        collect_stats(trace)
        assert trace.reader.missing == trace.reader.damaged == 0
    assert len(images) > 100, "most children have recorded calls"


def test_memory_from_before_the_real_malloc_was_found_is_not_passed_to_it(tmp_path: Path) -> None:
    program = _compiled(tmp_path, "early")
    done = _run(program, tmp_path / "recordings", ["TSC"])
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "0\n")
    trace = _trace(tmp_path / "recordings")
    assert collect_stats(trace).live_objects == 0
    assert not trace.dropped, "calls on that memory are not recorded"


@pytest.mark.compiled
def test_thread_leaves_its_lane_after_a_jump_out_of_a_call(tmp_path: Path) -> None:
    if platform.machine() != "x86_64":
        pytest.skip("the program sets a flag of x86 processors")
    program = _compiled(tmp_path, "jumped")
    done = _run(program, tmp_path / "recordings", ["TSC"])
    assert (done.returncode, done.stderr) == (0, "")
    threads, lanes = map(int, done.stdout.split())
    assert threads > 20, "a call has more instructions"
    assert lanes == 3, "lane 0, the main thread's, and one that the threads take in turn"


def test_library_is_compiled_once_whatever_the_loader_prints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "cache"))
    if shutil.which("cc") is None:
        pytest.skip("no C compiler is installed")
    first = recorder_library(tmp_path)
    monkeypatch.setattr(module, "compile_library", lambda *_: pytest.fail("again"))
    monkeypatch.setenv("LD_DEBUG", "statistics")
    assert recorder_library(tmp_path) == first
    assert first.is_relative_to(tmp_path / "cache")


def test_library_compiled_with_other_headers_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(module, "compile_library", lambda output, *_: output.touch())
    if shutil.which("cc") is None:
        pytest.skip("no C compiler is installed")
    first = recorder_library(tmp_path)
    monkeypatch.setenv("CPATH", "/opt/\udcff")  # a byte that is not UTF-8
    assert recorder_library(tmp_path) != first


def test_library_is_not_kept_where_code_cannot_be_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cache is on a file system that is mounted noexec."""
    monkeypatch.setattr(module, "cache_directories", lambda *_: [tmp_path])
    monkeypatch.setattr(module, "compile_library", lambda output, *_: output.touch())
    monkeypatch.setattr(module, "can_load_from", lambda _: False)
    work = tmp_path / "work"
    work.mkdir()
    assert recorder_library(work).parent == work
    monkeypatch.setattr(module, "can_load_from", lambda _: True)
    assert recorder_library(work).parent == tmp_path


def test_library_that_cannot_be_kept_is_used_where_it_was_compiled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    (tmp_path / "cache").mkdir()
    monkeypatch.setattr(module, "cache_directories", lambda *_: [tmp_path / "cache"])
    monkeypatch.setattr(module, "compile_library", lambda output, *_: output.touch())
    monkeypatch.setattr(module, "replace_file", full)
    assert recorder_library(tmp_path).parent == tmp_path


@pytest.mark.parametrize("name", ["recorder.c", "format.h", "malloc.c"])
def test_edited_source_is_another_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    if shutil.which("cc") is None:
        pytest.skip("no C compiler is installed")
    shutil.copytree(SOURCE.parent, tmp_path / "source")
    monkeypatch.setattr(module, "SOURCE", tmp_path / "source" / SOURCE.name)
    before = module._key()
    with (tmp_path / "source" / name).open("a") as file:
        file.write("\n")
    assert module._key() != before


def test_compiler_that_fails_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("cc") is None:
        pytest.skip("no C compiler is installed")
    broken = tmp_path / "recorder.c"
    broken.write_text("not C\n")
    monkeypatch.setattr(module, "SOURCE", broken)
    with pytest.raises(RecorderFailed, match="the C compiler failed: "):
        recorder_library(tmp_path)
