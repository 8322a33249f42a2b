"""Timing of one subject on one workload in a child process."""

from pathlib import Path
from typing import Any

import pytest

from allocsim.core.jit import PURE
from allocsim.errors import InputError
from allocsim.libraries.find import PREFIX, default_libraries
from tests.conftest import SCALE
from tests.equality.timing import race
from tests.libraries.children import in_child, require

SMALL: dict[str, Any] = {
    "kind": "random",
    "ops": 200 * SCALE,
    "slots": 20,
    "size": {"distribution": "log-uniform", "max": "64KiB"},
}


def assert_times(times: list[float], runs: int) -> None:
    """Check the number of times, and that each is positive."""
    assert len(times) == runs
    assert all(time > 0 for time in times)


@pytest.mark.compiled
@pytest.mark.parametrize(
    "subject", ["go2008", "tcmalloc", *(PREFIX + name for name in default_libraries())]
)
def test_subject_replays_a_workload(subject: str) -> None:
    if subject.startswith(PREFIX):
        require(subject.removeprefix(PREFIX))
    assert_times(race(subject, SMALL, runs=2), 2)


@pytest.mark.parametrize("subject", ["go2008", "lib:glibc"])
def test_subject_replays_a_recording_with_every_call(tmp_path: Path, subject: str) -> None:
    path = tmp_path / "trace.txt"
    path.write_text(
        "1: malloc 0x10 5\n2: calloc 0x20 3 50\n1: memalign 0x40 64 100\n"
        "2: realloc 0x30 0x10 5000\n1: free 0x20\n2: thread_done 0x0\n1: malloc 0x50 0\n"
    )
    assert_times(race(subject, {"kind": "trace", "file": str(path)}, runs=3), 3)


@pytest.mark.parametrize("kind", ["repeat", "sweep", "pipeline"])
def test_subject_replays_other_kinds(kind: str) -> None:
    fewer = {"repeat": {"rounds": 2}, "sweep": {"last": 200}, "pipeline": {"ops": 100}}
    assert_times(race("lib:glibc", {"kind": kind, **fewer[kind]}, runs=1), 1)


@pytest.mark.parametrize(
    ("subject", "workload", "message"),
    [
        ("nothing", SMALL, "unknown subject 'nothing'"),
        ("lib:glibc", {"kind": "trace", "file": "/gone"}, "No such file"),
        ("lib:glibc", {"kind": "rendom"}, "did you mean 'random'"),
    ],
    ids=["subject", "file", "kind"],
)
def test_impossible_race_is_an_error(subject: str, workload: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        race(subject, workload, runs=1)


def test_child_is_compiled_or_pure_like_its_parent() -> None:
    code = "from allocsim.core.jit import PURE; print(PURE)"
    assert in_child(code, "glibc") == f"{PURE}\n"
