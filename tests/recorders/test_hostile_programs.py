"""Programs that disturb a third-party recorder are recorded completely, or losses are reported."""

import os
import re
import signal
from pathlib import Path

import pytest

from allocsim.events import Op
from allocsim.traces import open_trace
from tests.recorders.conftest import Record
from tests.recorders.requirements import compiled, require

PRELOADED = ["lttng", "heaptrack", "mtrace"]

CLOSES_ALL = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
int main(void) {
    for (int i = 0; i < 50; i++) free(malloc(1000 + i));
    close_range(3, ~0U, 0);
    closefrom(3);
    for (int i = 3; i < 1024; i++) close(i);
    int own = open("own", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    write(own, "before ", 7);
    for (int i = 0; i < 500; i++) free(malloc(5000 + i));
    write(own, "after", 5);
    return 0;
}
"""

ALIGNED = r"""
#include <cstdlib>
#include <new>
struct alignas(64) Line { char bytes[64]; };
int main() {
    for (int i = 0; i < 100; i++) { Line *line = new Line; delete line; }
    for (int i = 0; i < 100; i++) free(aligned_alloc(32, 96));
}
"""

OPENS_DEEPLY = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
int main(void) {
    free(malloc(10));
    return dlopen("libm.so.6", RTLD_NOW | RTLD_DEEPBIND) == NULL;
}
"""

FORKS = r"""
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void) {
    free(malloc(1000));
    if (!fork()) { for (int i = 0; i < 10; i++) malloc(50); _exit(0); }
    wait(NULL);
    return 0;
}
"""

LEAVES_A_DAEMON = r"""
#define _GNU_SOURCE
#include <stdlib.h>
#include <unistd.h>
int main(void) {
    for (int i = 0; i < 100; i++) malloc(100);
    if (daemon(1, 0)) return 1;
    pause();
    return 0;
}
"""


def sizes(path: Path, low: int, high: int) -> int:
    """Count the allocations of at least `low` and less than `high` bytes in a trace."""
    chunks = open_trace(str(path)).chunks
    return sum(
        int(((chunk.op <= Op.MEMALIGN) & (chunk.request >= low) & (chunk.request < high)).sum())
        for chunk in chunks
    )


@pytest.mark.parametrize("name", PRELOADED)
def test_program_that_closes_all_descriptors_is_recorded_and_keeps_its_file(
    record: Record, tmp_path: Path, name: str
) -> None:
    place = tmp_path / "place"
    program = compiled(place, "closes", CLOSES_ALL, "-w")
    require(name, str(program))
    ended = record("--with", name, "-o", "out", "--", "./closes")
    assert ended.status == 0, ended.err
    assert (place / "own").read_text() == "before after"
    assert sizes(place / "out", 1000, 1050) == 50
    assert sizes(place / "out", 5000, 5500) == 500
    assert open_trace(str(place / "out")).losses == []


@pytest.mark.parametrize("name", PRELOADED)
def test_aligned_new_and_aligned_alloc_are_recorded(
    record: Record, tmp_path: Path, name: str
) -> None:
    place = tmp_path / "place"
    program = compiled(place, "aligned", ALIGNED, "-std=c++17", language="c++")
    require(name, str(program))
    ended = record("--with", name, "-o", "out", "--", "./aligned")
    assert ended.status == 0, ended.err
    assert sizes(place / "out", 64, 65) >= 100
    assert sizes(place / "out", 96, 97) >= 100
    trace = open_trace(str(place / "out"))
    assert (trace.losses, trace.dropped.get("free of unknown", 0)) == ([], 0)


@pytest.mark.parametrize("name", ["lttng", "mtrace"])
def test_library_opened_with_deep_bind_makes_the_trace_incomplete(
    record: Record, tmp_path: Path, name: str
) -> None:
    program = compiled(tmp_path / "place", "deep", OPENS_DEEPLY)
    require(name, str(program))
    ended = record("--with", name, "-o", "out", "--", "./deep")
    (loss,) = open_trace(str(tmp_path / "place" / "out")).losses
    assert "RTLD_DEEPBIND" in loss
    assert f"incomplete: {loss}" in ended.err


def test_calls_of_the_tracer_are_not_those_of_a_forked_child(
    record: Record, tmp_path: Path
) -> None:
    place = tmp_path / "place"
    program = compiled(place, "forks", FORKS, "-w")
    require("lttng", str(program))
    ended = record("--with", "lttng", "--children", "--", "./forks")
    (child,) = place.glob("forks.*.allocsim")
    assert open_trace(str(child)).length == 10, ended.err


@pytest.mark.parametrize("name", ["heaptrack", "mtrace"])
def test_daemon_that_goes_on_is_reported(record: Record, tmp_path: Path, name: str) -> None:
    program = compiled(tmp_path / "place", "leaves", LEAVES_A_DAEMON)
    require(name, str(program))
    ended = record("--with", name, "-o", "out", "--", "./leaves")
    found = re.search(r"started were still running when it ended \(PID (\d+)\)", ended.err)
    assert found, ended.err
    os.kill(int(found[1]), signal.SIGKILL)
    trace = open_trace(str(tmp_path / "place" / "out"))
    assert any("still running" in note for note in trace.notes)
    assert sizes(tmp_path / "place" / "out", 100, 101) == 100


@pytest.mark.parametrize("name", PRELOADED)
def test_program_that_drops_the_preload_makes_the_trace_incomplete(
    record: Record, tmp_path: Path, name: str
) -> None:
    require(name, "env")
    ended = record("--with", name, "-o", "out", "--", "env", "-i", "/bin/sh", "-c", "exit 4")
    assert ended.status == 4
    assert "executed another program without the recorder" in ended.err
