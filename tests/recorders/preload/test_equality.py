"""The recorder sees every call: its counts of each kind equal those of the independent counter."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from allocsim.traces.preload.images import Flag
from allocsim.traces.preload.trace import ImageTrace
from tests.recorders.preload.running import (
    CALLS,
    HERE,
    Chain,
    calls_of,
    require_all_equal,
    require_equal,
)

EQUAL = (
    *("kinds", "pool", "cross", "destructors", "forks", "vforks", "execs", "many_forks"),
    *("idles", "executes", "daemons", "exits", "unmaps", "maps"),
)


@pytest.mark.parametrize("name", EQUAL)
def test_every_call_is_recorded(chain: Chain, program: str, name: str) -> None:
    require_all_equal(chain(program, name))


@pytest.mark.parametrize("name", ["cross", "forks"])
def test_every_call_is_recorded_without_a_tsc(chain: Chain, program: str, name: str) -> None:
    recorded = chain(program, name, tsc=False)
    assert not recorded.images[0].header["is_tsc"]
    require_all_equal(recorded)


@pytest.mark.parametrize(("name", "status"), [("killed", -9), ("aborts", -6)])
def test_nothing_is_lost_when_the_program_dies(
    chain: Chain, program: str, name: str, status: int
) -> None:
    recorded = chain(program, name, status=status)
    (trace,) = require_all_equal(recorded)
    assert not recorded.images[0].has(Flag.ENDED)
    assert sum(trace.reader.calls_by_kind.values()) >= 100


def test_program_that_closes_descriptors_keeps_its_file(
    chain: Chain, program: str, tmp_path: Path
) -> None:
    """The recorder keeps no descriptor, so the program's file gets the lowest one."""
    require_all_equal(chain(program, "closes", str(tmp_path / "own")))
    assert (tmp_path / "own").read_bytes() == b"my data"


def test_library_opened_with_deepbind_is_recorded(chain: Chain, program: str) -> None:
    recorded = chain(program, "deepbind", f"{program}.so")
    (trace,) = require_all_equal(recorded)
    assert recorded.images[0].has(Flag.DEEPBIND)
    assert sum(trace.reader.calls_by_kind.values()) >= 200


def test_threads_begin_end_and_have_names(chain: Chain, program: str) -> None:
    (image,) = (recorded := chain(program, "pool")).images
    trace, stats = require_equal(recorded, image)
    assert (trace.reader.threads, trace.reader.ended) == (41, 40)
    assert stats.operations["THREAD_DONE"] == 40
    assert [*trace.description["thread_names"].values()].count("worker") == 40
    assert {*trace.description["thread_names"]} == {*range(41)}
    assert len(image.lanes) <= 9, "a new thread must reuse the file of one that has ended"


def test_end_of_a_thread_comes_after_its_destructors(chain: Chain, program: str) -> None:
    (image,) = (recorded := chain(program, "destructors")).images
    trace = recorded.trace(image)
    ended: set[int] = set()
    for chunk in trace.chunks:
        for event in chunk.tolist():
            assert event[2] not in ended
            if event[3] == 5:
                ended.add(event[2])
    assert len(ended) == 8


def test_forked_child_begins_with_what_it_inherits(chain: Chain, program: str) -> None:
    recorded = chain(program, "forks")
    child = recorded.images[1]
    trace, stats = require_equal(recorded, child)
    assert trace.inherited == 2
    assert stats.allocations == 2 + 10
    assert stats.live_bytes == 500, "the child has freed the object of 1,000 bytes"


def test_fork_past_libc_gets_files_of_its_own(chain: Chain, program: str) -> None:
    """The counter does not notice the fork, so one page of counters has both processes' calls."""
    recorded = chain(program, "raw_fork")
    assert len(recorded.images) == 2
    both = [recorded.trace(image) for image in recorded.images]
    assert [trace.inherited for trace in both if list(trace.chunks)] == [0, 1]
    (page,) = recorded.counted[recorded.images[0].process]
    for kind in CALLS:
        assert sum(calls_of(trace)[kind] for trace in both) == page[kind]


def test_programs_begun_without_the_recorder_are_noted(chain: Chain, program: str) -> None:
    recorded = chain(program, "spawns")
    trace = recorded.trace(recorded.images[0])
    assert not list(trace.chunks)
    assert [(it.program, it.keeps_preload) for it in trace.reader.started] == [
        ("programs", True),
        ("programs", False),
    ]
    assert len(recorded.images) == 2, "the second child had no LD_PRELOAD"


def test_programs_of_exec_with_a_list_are_noted(chain: Chain, program: str) -> None:
    recorded = chain(program, "exec_lists")
    trace = recorded.trace(recorded.images[0])
    assert not list(trace.chunks)
    assert [it.keeps_preload for it in trace.reader.started] == [True, True, False]
    assert {it.program for it in trace.reader.started} == {"programs"}
    assert len(recorded.images) == 3


def test_failed_exec_is_not_noted(chain: Chain, program: str) -> None:
    recorded = chain(program, "execs")
    trace = recorded.trace(recorded.images[0])
    list(trace.chunks)
    assert [it.program for it in trace.reader.started] == ["programs"]
    assert len({image.process for image in recorded.images}) == 1
    assert len(recorded.images) == 2


def test_memory_from_elsewhere_than_malloc_is_counted(chain: Chain, program: str) -> None:
    """The program itself maps 9 MiB. The 64 MiB that malloc maps do not count."""
    (image,) = chain(program, "maps").images
    mapped, unmapped = int(image.header["mapped"]), int(image.header["unmapped"])
    assert (mapped >> 20, unmapped >> 20) == (9, 9)


LOSSES = {
    "sealed": "a seccomp filter",
    "few_descriptors": "no free descriptor (ulimit -n)",
    "small_files": "the file-size limit of the program (ulimit -f)",
    "no_space": "no address space (ulimit -v)",
}


@pytest.mark.parametrize(("name", "reason"), LOSSES.items(), ids=LOSSES)
def test_program_without_room_goes_on_and_the_loss_is_reported(
    chain: Chain, program: str, name: str, reason: str
) -> None:
    recorded = chain(program, name)
    (image,) = recorded.images
    trace = recorded.trace(image)
    list(trace.chunks)
    lost = sum(image.lost.values())
    assert [*image.lost] == [reason]
    assert lost > 0
    assert sum(calls_of(trace).values()) + lost == sum(recorded.counts(image)[k] for k in CALLS)
    assert f"{lost:,} calls not recorded: {reason}" in trace.losses


def test_child_of_a_thread_that_loses_calls_is_recorded(chain: Chain, program: str) -> None:
    """The counter does not run, because the children could not open its file."""
    recorded = Chain(chain.recorder, None, chain.place)(program, "losing_fork")
    parent, *children = map(recorded.trace, recorded.images)
    assert [*map(_count_calls, children)] == [20] * 3
    lost = sum(parent.reader.image.lost.values())
    assert lost > 0
    assert _count_calls(parent) + lost == 20000 + 3


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("sealed_fork", "64 (a seccomp filter)"),
        ("starved_fork", "1 (no free descriptor (ulimit -n))"),
    ],
)
def test_forked_child_that_cannot_be_recorded_is_a_loss(
    chain: Chain, program: str, name: str, text: str
) -> None:
    recorded = Chain(chain.recorder, None, chain.place)(program, name)
    trace = recorded.trace(recorded.images[0])
    list(trace.chunks)
    missing = "any programs that they executed may be missing"
    assert f"forked processes not recorded: {text}; {missing}" in trace.losses


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("many_forks", "forked processes not recorded: 50 (the file-size limit of the program"),
        ("exits", "programs not recorded: programs ("),
    ],
)
def test_process_with_room_for_its_header_only_is_a_loss(
    chain: Chain, program: str, name: str, text: str
) -> None:
    """The header has 4 KiB, and a window 128 KiB. The shell has both before the limit is set."""
    alone = Chain(chain.recorder, None, chain.place)
    recorded = alone("sh", "-c", f"ulimit -f 100; exec {program} {name}")
    shell, first, *children = map(recorded.trace, recorded.images)
    assert not any(map(_count_calls, (first, *children)))
    list(shell.chunks)
    assert [loss for loss in (*shell.losses, *first.losses) if loss.startswith(text)]


def test_child_that_has_no_room_for_a_record_may_have_executed_a_program(chain: Chain) -> None:
    alone = Chain(chain.recorder, None, chain.place)
    recorded = alone("sh", "-c", "ulimit -f 100; (exec true); true")
    shell = recorded.trace(recorded.images[0])
    list(shell.chunks)
    [loss] = [text for text in shell.losses if text.startswith("forked")]
    assert loss.endswith(
        "(the file-size limit of the program (ulimit -f)); any programs that they executed may be "
        "missing"
    )


def _count_calls(trace: ImageTrace) -> int:
    """Read a trace; return the number of its calls."""
    list(trace.chunks)
    return sum(trace.reader.calls_by_kind.values())


def test_program_that_cannot_make_its_file_is_a_loss(chain: Chain, program: str) -> None:
    """The shell's recording is created before the limit takes effect."""
    alone = Chain(chain.recorder, None, chain.place)
    recorded = alone("sh", "-c", f"ulimit -f 0; exec {program} exits")
    trace = recorded.trace(recorded.images[0])
    list(trace.chunks)
    (loss,) = trace.losses
    assert re.search(r"not recorded: programs \(.*; possible reasons: .*ulimit, full disk", loss)


@pytest.mark.compiled
def test_signals_that_leave_the_recorder_lose_nothing(chain: Chain, program: str) -> None:
    """The counter does not run: a longjmp from the handler could leave the counter's lock held."""
    alone = Chain(chain.recorder, None, chain.place)
    recorded = alone(program, "storm")
    (image,) = recorded.images
    trace = recorded.trace(image)
    events = sum(len(chunk) for chunk in trace.chunks)
    assert events == 2 + 1000, "the calls before and after the storm"
    assert trace.dropped["free of NULL"] > 300
    assert not image.lost
    assert not trace.reader.damaged


def _linked_to(allocator: str, source: Path, place: Path) -> str:
    """Compile a C++ program and link it to an allocator's library, if one is named."""
    if shutil.which("c++") is None:
        pytest.skip("no C++ compiler is installed: apt install g++")
    found = sorted(Path("/usr/lib").glob(f"*/lib{allocator}.so.?")) if allocator else []
    if allocator and not found:
        pytest.skip(f"lib{allocator} is not installed")
    output = place / source.stem
    linked = map(str, found[:1])
    subprocess.run(["c++", "-std=c++17", "-O0", "-w", "-o", output, source, *linked], check=True)
    return str(output)


@pytest.mark.parametrize("allocator", ["tcmalloc_minimal", "mimalloc", "jemalloc", ""])
def test_operators_of_a_linked_allocator_are_recorded(
    chain: Chain, tmp_path: Path, allocator: str
) -> None:
    program = _linked_to(allocator, HERE / "operators.cpp", tmp_path)
    (trace,) = require_all_equal(recorded := chain(program))
    assert sum(trace.reader.calls_by_kind.values()) >= 800
    assert recorded.images[0].header["maps"] == 0


THROWS = """\
#include <cstdint>
#include <cstdlib>
#include <new>
int main() {
    volatile size_t huge = SIZE_MAX / 2 - 100;
    int failed = 0;
    for (int i = 0; i < 10; i++) {
        try { ::operator new(huge); }
        catch (const std::bad_alloc &) { failed++; }
        try { ::operator new[](huge, std::align_val_t(64)); }
        catch (const std::bad_alloc &) { failed++; }
        failed += !::operator new(huge, std::nothrow);
        delete new int(i);
    }
    return failed;
}
"""


@pytest.mark.parametrize("allocator", ["tcmalloc_minimal", "jemalloc", ""])
def test_operator_new_that_throws_is_recorded_as_failed(
    chain: Chain, tmp_path: Path, allocator: str
) -> None:
    """The counter does not see these calls.

    mimalloc is left out, because its operator new does not throw, but ends the program.
    """
    (tmp_path / "throws.cpp").write_text(THROWS)
    program = _linked_to(allocator, tmp_path / "throws.cpp", tmp_path)
    recorded = Chain(chain.recorder, None, tmp_path)(program, status=30)
    trace = recorded.trace(recorded.images[0])
    list(trace.chunks)
    assert trace.dropped == {"failed call": 30}


FOREIGN = {
    "perl": ("perl", "-e", "my %h = map { $_ => 1 } 1 .. 100"),
    "git": ("git", "--version"),
    "shell pipeline": ("sh", "-c", "echo a | cat | wc -c; (exec 3>&-)"),
    "python": (sys.executable, "-S", "-c", "pass"),
}


@pytest.mark.parametrize("command", FOREIGN.values(), ids=FOREIGN)
def test_programs_of_others_are_recorded(chain: Chain, command: tuple[str, ...]) -> None:
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    require_all_equal(chain(*command))
