"""The available memory of a machine, with and without control groups (versions 1 and 2)."""

from pathlib import Path

import pytest

from allocsim.core.available_memory import UNBOUNDED, MemoryBound, available_memory
from allocsim.errors import OutOfMemory

GIB = 1 << 30


def system(root: Path, **files: object) -> Path:
    """Write files of /proc and /sys; __ in a name means a slash, and _dot_ a dot. Return `root`."""
    for name, text in files.items():
        path = root / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")
    return root


def machine(root: Path, groups: str, gibibytes: int = 8) -> Path:
    """Describe a machine with this much available memory, and a process in these groups."""
    text = f"MemTotal: 99 kB\nMemFree: 1 kB\nMemAvailable: {gibibytes << 20} kB"
    return system(root, proc__meminfo=text, proc__self__cgroup=groups)


def group(root: Path, place: str, **files: object) -> None:
    """Write files of a control group; `memory_max` stands for memory.max."""
    for name, text in files.items():
        path = root / "sys/fs/cgroup" / place / name.replace("memory_", "memory.")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")


def test_machine_without_groups_has_all_its_memory(tmp_path: Path) -> None:
    assert available_memory(machine(tmp_path, "0::/")) == 8 * GIB


def test_system_that_says_nothing_is_unbounded(tmp_path: Path) -> None:
    assert available_memory(tmp_path) >= UNBOUNDED - 1024
    machine(tmp_path, "0::/")
    (tmp_path / "proc/meminfo").write_text("MemAvailable: many kB\nnonsense\n")
    assert available_memory(tmp_path) >= UNBOUNDED - 1024


def test_available_memory_of_this_machine_is_known() -> None:
    assert 0 < available_memory() < 1 << 50


@pytest.mark.parametrize("mount", ["", "unified/"])
def test_group_of_version_2_has_its_limit_less_its_use(tmp_path: Path, mount: str) -> None:
    machine(tmp_path, "5:devices:/x\n0::/a/b")
    group(
        tmp_path,
        f"{mount}a/b",
        memory_max=3 * GIB,
        memory_high="max",
        memory_current=2 * GIB,
        memory_stat=f"anon 5\ninactive_file {GIB // 2}",
    )
    assert available_memory(tmp_path) == 3 * GIB // 2


def test_high_of_version_2_counts_as_a_limit(tmp_path: Path) -> None:
    machine(tmp_path, "0::/a")
    group(tmp_path, "a", memory_max="max", memory_high=GIB, memory_current=GIB // 4)
    assert available_memory(tmp_path) == 3 * GIB // 4


def test_outer_group_limits_the_inner_one(tmp_path: Path) -> None:
    machine(tmp_path, "0::/a/b/c")
    group(tmp_path, "a", memory_max=GIB, memory_current=GIB)
    group(tmp_path, "a/b/c", memory_max="max", memory_current=GIB)
    assert available_memory(tmp_path) == 0


def test_group_of_version_1_has_its_limit_less_its_use(tmp_path: Path) -> None:
    machine(tmp_path, "4:cpu,memory:/a\n1:cpu:/z\n0::/")
    group(
        tmp_path,
        "memory/a",
        memory_limit_in_bytes=2 * GIB,
        memory_usage_in_bytes=GIB,
        memory_stat=f"inactive_file 7\ntotal_inactive_file {GIB // 2}",
    )
    group(tmp_path, "memory", memory_limit_in_bytes=(1 << 63) - 4096, memory_usage_in_bytes=1)
    assert available_memory(tmp_path) == 3 * GIB // 2


def test_container_that_shows_only_its_own_group_is_limited_by_it(tmp_path: Path) -> None:
    machine(tmp_path, "4:memory:/docker/0123")
    group(tmp_path, "memory", memory_limit_in_bytes=GIB, memory_usage_in_bytes=0)
    assert available_memory(tmp_path) == GIB


def test_bound_is_three_quarters_of_what_is_available() -> None:
    bound = MemoryBound(lambda: 8 * GIB)
    assert (bound.heap, bound.request) == (6 * GIB, 7 * GIB)
    assert str(bound).startswith("the 6.0 GiB that a run may use, 75% of the available memory")


def test_memory_that_runs_short_ends_the_run() -> None:
    left = [8 * GIB, GIB, GIB - 1]
    bound = MemoryBound(lambda: left.pop(0))
    bound._next_reading = 0.0
    bound.require_left(lambda: GIB, interval=0.0)
    with pytest.raises(OutOfMemory, match=r"1\.0 GiB is available, of 8\.0 GiB at the start"):
        bound.require_left(lambda: GIB)


def test_memory_is_not_read_each_time() -> None:
    looks: list[int] = []
    bound = MemoryBound(lambda: looks.append(1) or GIB)  # type: ignore[func-returns-value]
    bound._next_reading = 0.0
    for _ in range(5):
        bound.require_left(lambda: GIB, interval=900.0)
    assert len(looks) == 2


def test_run_smaller_than_the_available_memory_continues() -> None:
    """Another process has taken the memory."""
    left = [8 * GIB, GIB // 2, GIB // 2]
    bound = MemoryBound(lambda: left.pop(0))
    bound._next_reading = 0.0
    bound.require_left(lambda: GIB // 4, interval=0.0)
    with pytest.raises(OutOfMemory, match="memory runs short"):
        bound.require_left(lambda: GIB)
