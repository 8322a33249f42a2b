"""A replay runs on one processor only with libraries that do not notice it."""

import ctypes
import json
import os
import subprocess
import sys
from pathlib import Path
from unittest.mock import Mock

import pytest

from allocsim.benchmark.comparison import Conditions, measure
from allocsim.benchmark.event_file import write_events
from allocsim.core.jit import PURE
from allocsim.events import Trace
from allocsim.libraries.environment import arena_limit
from allocsim.libraries.one_processor import SECOND_NODE, one_processor
from tests.conftest import REPOSITORY
from tests.driving import free, malloc, stream
from tests.libraries.children import in_child, require

pytestmark = pytest.mark.skipif(
    len(os.sched_getaffinity(0)) == 1, reason="this process may use only one processor"
)

COUNTED = """
import os, sys
from threading import Thread
from allocsim.libraries.load import load
from allocsim.libraries.environment import arena_limit
from allocsim.libraries.one_processor import one_processor
def count():
    print(len(os.sched_getaffinity(0)))
with one_processor(load(sys.argv[1])):
    thread = Thread(target=count)
    thread.start()
    thread.join()
count()
"""

ARENAS = """
import ctypes, re, sys
from contextlib import nullcontext
from threading import Barrier, Thread
from allocsim.libraries.load import load
from allocsim.libraries.environment import arena_limit
from allocsim.libraries.one_processor import one_processor
library, barrier = load(sys.argv[1]), Barrier(40)
def allocate():
    barrier.wait()
    library.handle.malloc(1 << 10)
    barrier.wait()
with one_processor(library) if sys.argv[2] == "one" else nullcontext():
    threads = [Thread(target=allocate) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
library.handle.fopen.restype = ctypes.c_void_p
file = ctypes.c_void_p(library.handle.fopen(b"/dev/stdout", b"w"))
library.handle.malloc_info(0, file)
library.handle.fclose(file)
"""

WITNESS = r"""
#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void note(void) {
  cpu_set_t set;
  FILE *file = fopen(NOTES, "a");
  sched_getaffinity(0, sizeof set, &set);
  fprintf(file, "%d %d\n", gettid() == getpid(), CPU_COUNT(&set));
  fclose(file);
}
void *my_malloc(size_t size) { note(); return malloc(size); }
void *my_realloc(void *object, size_t size) { return realloc(object, size); }
void my_free(void *object) { free(object); }
"""
"""A library that notes for each call of malloc whether it is made on the main thread, and how many
processors the thread may use."""

GPERFTOOLS = "int MallocExtension_GetNumericProperty(const char *n, size_t *v) { return 0; }"
"""The function by which gperftools is recognised."""


def processors(name: str) -> list[int]:
    """Return how many processors a thread of a replay may use, and the main thread later."""
    require(name.partition(":")[0])
    return [int(word) for word in in_child(COUNTED, name).split()]


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(
            "glibc",
            marks=pytest.mark.skipif(
                len(os.sched_getaffinity(0)) != os.cpu_count(),
                reason="it is not clear which processors glibc counts (see arena_limit)",
            ),
        ),
        *("glibc:arena_max=3", "jemalloc", "jemalloc:dirty_decay_ms=0", "tcmalloc"),
        pytest.param(
            "mimalloc",
            marks=pytest.mark.skipif(
                SECOND_NODE.exists(),
                reason="mimalloc distinguishes this machine's NUMA nodes",
            ),
        ),
    ],
)
def test_replay_uses_one_processor(name: str) -> None:
    assert processors(name) == [1, len(os.sched_getaffinity(0))]


@pytest.mark.parametrize(
    "name",
    ["jemalloc:percpu_arena=percpu", "jemalloc:background_thread=1", "glibc:arena_test=1"],
)
def test_replay_uses_all_processors_if_the_library_depends_on_them(name: str) -> None:
    assert processors(name) == [len(os.sched_getaffinity(0))] * 2


def test_replay_uses_all_processors_if_its_own_is_not_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    allowed = os.sched_getaffinity(0)
    library = Mock(address=lambda name: int(name == "MallocExtension_GetNumericProperty"))
    monkeypatch.setattr(ctypes, "CDLL", lambda _: Mock(sched_getcpu=lambda: -1))
    with one_processor(library):
        assert os.sched_getaffinity(0) == allowed
    assert os.sched_getaffinity(0) == allowed


@pytest.mark.parametrize("name", ["glibc", "glibc:arena_max=3", "glibc:arena_test=12"])
def test_glibc_has_as_many_arenas_as_on_all_processors(name: str) -> None:
    limit = 3 if name == "glibc:arena_max=3" else min(8 * len(os.sched_getaffinity(0)), 41)
    counts = [in_child(ARENAS, name, where).count("<heap nr=") for where in ("one", "all")]
    assert counts == [limit] * 2


def test_glibc_keeps_its_default_limit_on_arenas() -> None:
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-c", ARENAS, "glibc", "all"]
    by_default = subprocess.run(command, env=environment, capture_output=True, check=True).stdout
    in_replay = in_child(ARENAS, "glibc", "one")
    assert by_default.count(b"<heap nr=") == in_replay.count("<heap nr=")


@pytest.mark.parametrize(
    "environment",
    [
        {"MALLOC_ARENA_MAX": "2"},
        {"MALLOC_ARENA_TEST": "2"},
        {"GLIBC_TUNABLES": "glibc.malloc.arena_max=2"},
        {"GLIBC_TUNABLES": "glibc.malloc.tcache_count=2:glibc.malloc.arena_test=2"},
    ],
    ids=str,
)
def test_users_limit_on_arenas_is_kept(environment: dict[str, str]) -> None:
    assert arena_limit("glibc", environment) == ""


@pytest.mark.skipif(PURE, reason="threads are replayed by compiled code only")
@pytest.mark.parametrize(
    ("figures", "source", "is_restricted"),
    [
        ("memory", WITNESS + GPERFTOOLS, True),
        ("memory", WITNESS, False),
        ("times", WITNESS + GPERFTOOLS, False),
    ],
    ids=["memory", "unknown library", "times"],
)
def test_only_ordered_replays_of_known_libraries_use_one_processor(
    compiler: str, tmp_path: Path, figures: str, source: str, is_restricted: bool
) -> None:
    path, notes = tmp_path / "libwitness.so", tmp_path / "notes"
    options = [f"-DNOTES={json.dumps(str(notes))}", "-shared", "-fPIC", "-o", str(path)]
    subprocess.run([compiler, *options, "-x", "c", "-"], input=source.encode(), check=True)
    calls = [each for n in range(30) for each in (malloc(n, 64, n % 3), free(n, (n + 1) % 3))]
    workload = write_events(
        Trace("threads", iter([stream(*calls)]), {"kind": "test"}), recorded=True
    )
    measure(f"lib:{path}:my_", figures, workload, Conditions(runs=1, warmup=0, later=0.0))
    workload.close()
    noted = [line.split() for line in notes.read_text().splitlines()]
    counts = {int(count) for is_main, count in noted if is_main == "0"}
    assert counts == {1 if is_restricted else len(os.sched_getaffinity(0))}
